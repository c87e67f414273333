/* runtime/kernels/extremum.c: maximum and minimum of rows and columns of floats (numerics rule 2).
 *
 * IEEE maximum per element costs six operations.  Three do here: `x > m ? x : m` is one machine instruction
 * that drops a NaN and does not tell -0 from +0; a second accumulator keeps the largest |bits| (as integers,
 * shifted), which shows afterwards whether a NaN was there; and only where the result is a zero are the
 * elements searched for the zero of the winning sign (+0 for max, -0 for min). */
#include "runtime/kernels/extremum.h"
#include "runtime/scalar_c.h"

#define PARTIALS 64

#define GREATER >
#define LESS <
#define BITS_f32 uint32_t
#define BITS_f64 uint64_t
#define NAN_f32 0xFF000000u /* |bits| of infinity, shifted: anything above is a NaN */
#define NAN_f64 0xFFE0000000000000u
#define INFINITE_f32 ((float)INFINITY)
#define INFINITE_f64 ((double)INFINITY)

/* Eight rows into the accumulators m and, of shifted bits, top. */
#define STEP(dt, beats, c)              \
    v = (c)beats v ? (c) : v;           \
    b = (BITS_##dt)s_bits_##dt(c) << 1; \
    t = b > t ? b : t;

#define ROWS(kind, beats, dt)                                                                            \
    S_INLINE void kind##_rows_##dt(s_val_##dt *restrict m, BITS_##dt *restrict top, const s_val_##dt *x, \
                                   int64_t rows, int64_t stride, int64_t cols)                           \
    {                                                                                                    \
        int64_t i = 0;                                                                                   \
                                                                                                         \
        for (; i + 4 <= rows; i += 4, x += 4 * stride)                                                   \
            for (int64_t j = 0; j < cols; j++) {                                                         \
                s_val_##dt v = m[j];                                                                     \
                BITS_##dt t = top[j], b;                                                                 \
                const s_val_##dt *c = x + j;                                                             \
                                                                                                         \
                STEP(dt, beats, c[0])                                                                    \
                STEP(dt, beats, c[stride])                                                               \
                STEP(dt, beats, c[2 * stride])                                                           \
                STEP(dt, beats, c[3 * stride])                                                           \
                m[j] = v;                                                                                \
                top[j] = t;                                                                              \
            }                                                                                            \
        for (; i < rows; i++, x += stride)                                                               \
            for (int64_t j = 0; j < cols; j++) {                                                         \
                s_val_##dt v = m[j];                                                                     \
                BITS_##dt t = top[j], b;                                                                 \
                                                                                                         \
                STEP(dt, beats, x[j])                                                                    \
                m[j] = v;                                                                                \
                top[j] = t;                                                                              \
            }                                                                                            \
    }

/* The value for accumulators m and top over the n elements x[i * step]; `minus`: a negative zero wins. */
#define SETTLE(kind, dt, minus)                                                                       \
    static s_val_##dt kind##_settle_##dt(s_val_##dt m, BITS_##dt top, const s_val_##dt *x, int64_t n, \
                                         int64_t step)                                                \
    {                                                                                                 \
        if (top > NAN_##dt)                                                                           \
            return (s_val_##dt)NAN;                                                                   \
        if (m != 0)                                                                                   \
            return m;                                                                                 \
        for (int64_t i = 0; i < n; i++)                                                               \
            if (x[i * step] == 0 && (s_bits_##dt(x[i * step]) != 0) == (minus))                       \
                return x[i * step];                                                                   \
        return m;                                                                                     \
    }

#define EXTREMUM(kind, beats, dt, start, minus)                                                        \
    ROWS(kind, beats, dt)                                                                              \
    SETTLE(kind, dt, minus)                                                                            \
    s_val_##dt RT_V(rt_##kind##_run_##dt)(const s_val_##dt *x, int64_t n)                              \
    {                                                                                                  \
        s_val_##dt p[PARTIALS];                                                                        \
        BITS_##dt top[PARTIALS] = {0};                                                                 \
        int64_t whole = n / PARTIALS * PARTIALS;                                                       \
                                                                                                       \
        for (int j = 0; j < PARTIALS; j++)                                                             \
            p[j] = (start);                                                                            \
        kind##_rows_##dt(p, top, x, n / PARTIALS, PARTIALS, PARTIALS);                                 \
        kind##_rows_##dt(p, top, x + whole, 1, 0, n - whole);                                          \
        for (int h = PARTIALS / 2; h >= 1; h /= 2)                                                     \
            for (int j = 0; j < h; j++) {                                                              \
                p[j] = p[j + h] beats p[j] ? p[j + h] : p[j];                                          \
                top[j] = top[j + h] > top[j] ? top[j + h] : top[j];                                    \
            }                                                                                          \
        return kind##_settle_##dt(p[0], top[0], x, n, 1);                                              \
    }                                                                                                  \
    void RT_V(rt_##kind##_inner_##dt)(void *y, const void *x, int64_t rows, int64_t stride, int64_t n) \
    {                                                                                                  \
        s_val_##dt *r = y;                                                                             \
        const s_val_##dt *x0 = x;                                                                      \
                                                                                                       \
        for (int64_t i = 0; i < rows; i++)                                                             \
            r[i] = RT_V(rt_##kind##_run_##dt)(x0 + i * stride, n);                                     \
    }                                                                                                  \
    void RT_V(rt_##kind##_outer_##dt)(void *y, const void *x, int64_t n, int64_t stride, int64_t cols) \
    {                                                                                                  \
        BITS_##dt top[RT_OUTER_TILE];                                                                  \
        s_val_##dt *restrict r = y;                                                                    \
        const s_val_##dt *x0 = x;                                                                      \
                                                                                                       \
        for (int64_t j = 0; j < cols; j++) {                                                           \
            r[j] = (start);                                                                            \
            top[j] = 0;                                                                                \
        }                                                                                              \
        kind##_rows_##dt(r, top, x0, n, stride, cols);                                                 \
        for (int64_t j = 0; j < cols; j++)                                                             \
            r[j] = kind##_settle_##dt(r[j], top[j], x0 + j, n, stride);                                \
    }

/* clang-format off */
EXTREMUM(max, GREATER, f32, -INFINITE_f32, 0)
EXTREMUM(max, GREATER, f64, -INFINITE_f64, 0)
EXTREMUM(min, LESS, f32, INFINITE_f32, 1)
EXTREMUM(min, LESS, f64, INFINITE_f64, 1)
