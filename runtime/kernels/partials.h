/* runtime/kernels/partials.h: the 64 partials of numerics rules 4 and 5 as vectors of this level.
 *
 *   v_f32, m_f32          a vector of floats; the same in memory, at any alignment
 *   u_f32                 a vector of their bits
 *   V_COUNT(float)        vectors that hold 64 partials
 *   add_rest_f32(p, x, n) p[j] += x[j] for j < n < 64; the other partials, never -0, stay as they are
 *   halves_f32(p)         p[j] += p[j + h] for h = 32, 16, .., 1: whole vectors first, then within one; the
 * sum */
#ifndef TANDEM_RT_PARTIALS_H
#define TANDEM_RT_PARTIALS_H

#include <string.h>

#include "runtime/kernels/kernel.h"

#if RT_LEVEL == 4
#include <immintrin.h>
#endif

#define PARTIALS 64
#define V_LANES(T) ((int)(RT_VECTOR_BYTES / sizeof(T)))
#define V_COUNT(T) (PARTIALS / V_LANES(T))
#define V_UNROLL _Pragma("GCC unroll 32")

/* Lane j of the result is lane j ^ h. */
#define SWAP_2(v, h) __builtin_shufflevector(v, v, 0 ^ h, 1 ^ h)
#define SWAP_4(v, h) __builtin_shufflevector(v, v, 0 ^ h, 1 ^ h, 2 ^ h, 3 ^ h)
#define SWAP_8(v, h) __builtin_shufflevector(v, v, 0 ^ h, 1 ^ h, 2 ^ h, 3 ^ h, 4 ^ h, 5 ^ h, 6 ^ h, 7 ^ h)
#define SWAP_16(v, h)                                                                                   \
    __builtin_shufflevector(v, v, 0 ^ h, 1 ^ h, 2 ^ h, 3 ^ h, 4 ^ h, 5 ^ h, 6 ^ h, 7 ^ h, 8 ^ h, 9 ^ h, \
                            10 ^ h, 11 ^ h, 12 ^ h, 13 ^ h, 14 ^ h, 15 ^ h)

/* v = OP(v, v with lanes h apart swapped) for h = half of the lanes, .., 1. */
#define FOLD_2(OP, v) v = OP(v, SWAP_2(v, 1))
#define FOLD_4(OP, v) v = OP(v, SWAP_4(v, 2)), v = OP(v, SWAP_4(v, 1))
#define FOLD_8(OP, v) v = OP(v, SWAP_8(v, 4)), v = OP(v, SWAP_8(v, 2)), v = OP(v, SWAP_8(v, 1))
#define FOLD_16(OP, v) \
    v = OP(v, SWAP_16(v, 8)), v = OP(v, SWAP_16(v, 4)), v = OP(v, SWAP_16(v, 2)), v = OP(v, SWAP_16(v, 1))
#define V_ADD(a, b) ((a) + (b))

#if RT_VECTOR_BYTES == 64
#define FOLD_f32 FOLD_16
#define FOLD_f64 FOLD_8
#elif RT_VECTOR_BYTES == 32
#define FOLD_f32 FOLD_8
#define FOLD_f64 FOLD_4
#else
#define FOLD_f32 FOLD_4
#define FOLD_f64 FOLD_2
#endif

#define PARTIALS_OF(dt, T, U)                                                                      \
    typedef T v_##dt __attribute__((vector_size(RT_VECTOR_BYTES)));                                \
    typedef T m_##dt __attribute__((vector_size(RT_VECTOR_BYTES), aligned(sizeof(T)), may_alias)); \
    typedef U u_##dt __attribute__((vector_size(RT_VECTOR_BYTES)));                                \
    __attribute__((always_inline, unused)) static inline T halves_##dt(v_##dt p[V_COUNT(T)])       \
    {                                                                                              \
        V_UNROLL for (int h = V_COUNT(T) / 2; h >= 1; h /= 2)                                      \
        {                                                                                          \
            V_UNROLL for (int j = 0; j < h; j++) p[j] += p[j + h];                                 \
        }                                                                                          \
        FOLD_##dt(V_ADD, p[0]);                                                                    \
        return p[0][0];                                                                            \
    }
PARTIALS_OF(f32, float, uint32_t)
PARTIALS_OF(f64, double, uint64_t)

#if RT_LEVEL == 4
#define REST(dt, T, mask, s)                                                                       \
    __attribute__((always_inline, unused)) static inline void add_rest_##dt(v_##dt p[V_COUNT(T)],  \
                                                                            const T *x, int64_t n) \
    {                                                                                              \
        uint64_t lanes = ((uint64_t)1 << n) - 1;                                                   \
                                                                                                   \
        V_UNROLL for (int v = 0; v < V_COUNT(T); v++) p[v] +=                                      \
            (v_##dt)_mm512_maskz_loadu_##s((mask)(lanes >> v * V_LANES(T)), x + v * V_LANES(T));   \
    }
REST(f32, float, __mmask16, ps)
REST(f64, double, __mmask8, pd)
#else
#define REST(dt, T)                                                                                     \
    __attribute__((always_inline, unused)) static inline void add_rest_##dt(v_##dt p[V_COUNT(T)],       \
                                                                            const T *x, int64_t n)      \
    {                                                                                                   \
        T rest[PARTIALS] = {0};                                                                         \
                                                                                                        \
        memcpy(rest, x, (size_t)n * sizeof *rest);                                                      \
        V_UNROLL for (int v = 0; v < V_COUNT(T); v++) p[v] += *(const m_##dt *)(rest + v * V_LANES(T)); \
    }
REST(f32, float)
REST(f64, double)
#endif

#endif
