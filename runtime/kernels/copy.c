/* runtime/kernels/copy.c: strided rows of 1, 2, 4 and 8 byte elements, and the transpose of 1 and 2 byte
 * elements. */
#include "runtime/kernels/kernel.h"

#include <string.h>

#define COPY(bytes, T)                                                                      \
    void RT_V(rt_copy_##bytes)(void *y, int64_t dst, const void *x, int64_t src, int64_t n) \
    {                                                                                       \
        T *restrict r = y;                                                                  \
        const T *x0 = x;                                                                    \
                                                                                            \
        if (dst == 1 && src == 1)                                                           \
            memcpy(r, x0, (size_t)n * sizeof(T));                                           \
        else if (dst == 1 && src == 0)                                                      \
            for (int64_t i = 0; i < n; i++)                                                 \
                r[i] = x0[0];                                                               \
        else                                                                                \
            for (int64_t i = 0; i < n; i++)                                                 \
                r[i * dst] = x0[i * src];                                                   \
    }

COPY(1, uint8_t)
COPY(2, uint16_t)
COPY(4, uint32_t)
COPY(8, uint64_t)

/* Tiles of 16 x 16, plain loops. */
#define TILE 16
#define TRANSPOSE(bytes, T)                                                                         \
    void RT_V(rt_transpose_##bytes)(void *y, int64_t dst, const void *x, int64_t src, int64_t rows, \
                                    int64_t cols)                                                   \
    {                                                                                               \
        T *r = y;                                                                                   \
        const T *x0 = x;                                                                            \
                                                                                                    \
        for (int64_t j = 0; j < cols; j += TILE)                                                    \
            for (int64_t i = 0; i < rows; i += TILE)                                                \
                for (int64_t q = i; q < i + TILE && q < rows; q++)                                  \
                    for (int64_t p = j; p < j + TILE && p < cols; p++)                              \
                        r[q * dst + p] = x0[p * src + q];                                           \
    }

TRANSPOSE(1, uint8_t)
TRANSPOSE(2, uint16_t)
