/* runtime/kernels/copy.c: strided rows and blocked transposes of 1, 4 and 8 byte elements. */
#include "runtime/kernels/kernel.h"

#include <string.h>

/* Tiles of 16 x 16 elements: reads and writes touch whole cache lines of 4-byte elements. */
#define TILE 16

#define COPY(bytes, T)                                                                                 \
    void RT_V(rt_copy_##bytes)(void *y, int64_t dst, const void *x, int64_t src, int64_t n)            \
    {                                                                                                  \
        T *restrict r = y;                                                                             \
        const T *x0 = x;                                                                               \
                                                                                                       \
        if (dst == 1 && src == 1)                                                                      \
            memcpy(r, x0, (size_t)n * sizeof(T));                                                      \
        else if (dst == 1 && src == 0)                                                                 \
            for (int64_t i = 0; i < n; i++)                                                            \
                r[i] = x0[0];                                                                          \
        else                                                                                           \
            for (int64_t i = 0; i < n; i++)                                                            \
                r[i * dst] = x0[i * src];                                                              \
    }                                                                                                  \
    static inline void tile_##bytes(T *restrict r, int64_t dst, const T *x, int64_t src, int64_t rows, \
                                    int64_t cols)                                                      \
    {                                                                                                  \
        for (int64_t i = 0; i < rows; i++)                                                             \
            for (int64_t j = 0; j < cols; j++)                                                         \
                r[i * dst + j] = x[j * src + i];                                                       \
    }                                                                                                  \
    void RT_V(rt_transpose_##bytes)(void *y, int64_t dst, const void *x, int64_t src, int64_t rows,    \
                                    int64_t cols)                                                      \
    {                                                                                                  \
        T *r = y;                                                                                      \
        const T *x0 = x;                                                                               \
                                                                                                       \
        for (int64_t j = 0; j < cols; j += TILE)                                                       \
            for (int64_t i = 0; i < rows; i += TILE) {                                                 \
                int64_t h = rows - i < TILE ? rows - i : TILE, w = cols - j < TILE ? cols - j : TILE;  \
                                                                                                       \
                if (h == TILE && w == TILE)                                                            \
                    tile_##bytes(r + i * dst + j, dst, x0 + j * src + i, src, TILE, TILE);             \
                else                                                                                   \
                    tile_##bytes(r + i * dst + j, dst, x0 + j * src + i, src, h, w);                   \
            }                                                                                          \
    }

COPY(1, uint8_t)
COPY(4, uint32_t)
COPY(8, uint64_t)
