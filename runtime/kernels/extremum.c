/* runtime/kernels/extremum.c: maximum and minimum of rows and columns of floats (numerics rule 2).
 *
 * IEEE maximum per element costs six operations.  Three do here: `x > m ? x : m` is one machine instruction
 * that drops a NaN and does not tell -0 from +0; a second accumulator keeps the largest |bits| (as integers,
 * shifted), which shows afterwards whether a NaN was there; and only where the result is a zero are the
 * elements searched for the zero of the winning sign (+0 for max, -0 for min). */
#include "runtime/kernels/extremum.h"
#include "runtime/kernels/partials.h"
#include "runtime/scalar_c.h"

#define GREATER >
#define LESS <
#define BITS_f32 uint32_t
#define BITS_f64 uint64_t
#define NAN_f32 0xFF000000u /* |bits| of infinity, shifted: anything above is a NaN */
#define NAN_f64 0xFFE0000000000000u
#define INFINITE_f32 ((float)INFINITY)
#define INFINITE_f64 ((double)INFINITY)

/* Element c into the accumulators v and, of shifted bits, t. */
#define STEP(beats, dt, v, t, c)                         \
    {                                                    \
        BITS_##dt bits = (BITS_##dt)s_bits_##dt(c) << 1; \
                                                         \
        v = (c)beats v ? (c) : v;                        \
        t = bits > t ? bits : t;                         \
    }

#define ROWS(kind, beats, dt)                                                                            \
    S_INLINE void kind##_rows_##dt(s_val_##dt *restrict m, BITS_##dt *restrict top, const s_val_##dt *x, \
                                   int64_t rows, int64_t stride, int64_t cols)                           \
    {                                                                                                    \
        int64_t i = 0;                                                                                   \
                                                                                                         \
        for (; i + 4 <= rows; i += 4, x += 4 * stride)                                                   \
            for (int64_t j = 0; j < cols; j++) {                                                         \
                s_val_##dt v = m[j];                                                                     \
                BITS_##dt t = top[j];                                                                    \
                const s_val_##dt *c = x + j;                                                             \
                                                                                                         \
                STEP(beats, dt, v, t, c[0])                                                              \
                STEP(beats, dt, v, t, c[stride])                                                         \
                STEP(beats, dt, v, t, c[2 * stride])                                                     \
                STEP(beats, dt, v, t, c[3 * stride])                                                     \
                m[j] = v;                                                                                \
                top[j] = t;                                                                              \
            }                                                                                            \
        for (; i < rows; i++, x += stride)                                                               \
            for (int64_t j = 0; j < cols; j++) {                                                         \
                s_val_##dt v = m[j];                                                                     \
                BITS_##dt t = top[j];                                                                    \
                                                                                                         \
                STEP(beats, dt, v, t, x[j])                                                              \
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

/* a where the mask is set, else b; C has no ?: on vectors. */
#define PICK(dt, mask, a, b) (v_##dt)(((u_##dt)(mask) & (u_##dt)(a)) | (~(u_##dt)(mask) & (u_##dt)(b)))
#define V_GREATER_f32(a, b) PICK(f32, (a) > (b), a, b)
#define V_GREATER_f64(a, b) PICK(f64, (a) > (b), a, b)
#define V_LESS_f32(a, b) PICK(f32, (a) < (b), a, b)
#define V_LESS_f64(a, b) PICK(f64, (a) < (b), a, b)
#define V_TOP_f32(a, b) (u_f32) PICK(f32, (a) > (b), a, b)
#define V_TOP_f64(a, b) (u_f64) PICK(f64, (a) > (b), a, b)

/* A vector of elements into the accumulators; `x beats m` is false for a NaN, which leaves m. */
#define STEP_VECTOR(V_BEATS, dt, elements) \
    {                                      \
        v_##dt c = (elements);             \
        u_##dt bits = (u_##dt)c << 1;      \
                                           \
        m = V_BEATS(c, m);                 \
        t = V_TOP_##dt(bits, t);           \
    }

/* Whole blocks of 64 as rows; then whole vectors, the last one overlapping what came before; fewer than a
 * vector one by one. */
#define RUN(kind, beats, V_BEATS, dt, start)                              \
    s_val_##dt RT_V(rt_##kind##_run_##dt)(const s_val_##dt *x, int64_t n) \
    {                                                                     \
        v_##dt m = (v_##dt){0} + (start);                                 \
        u_##dt t = {0};                                                   \
        int64_t lanes = V_LANES(s_val_##dt), i = n / PARTIALS * PARTIALS; \
        s_val_##dt v;                                                     \
        BITS_##dt top;                                                    \
                                                                          \
        if (i > 0)                                                        \
            kind##_blocks_##dt(&m, &t, x, i / PARTIALS);                  \
        for (; i + lanes <= n; i += lanes)                                \
            STEP_VECTOR(V_BEATS, dt, *(const m_##dt *)(x + i))            \
        if (i < n && n >= lanes)                                          \
            STEP_VECTOR(V_BEATS, dt, *(const m_##dt *)(x + n - lanes))    \
        FOLD_##dt(V_BEATS, m);                                            \
        FOLD_##dt(V_TOP_##dt, t);                                         \
        v = m[0];                                                         \
        top = t[0];                                                       \
        for (i = 0; i < n && n < lanes; i++)                              \
            STEP(beats, dt, v, top, x[i])                                 \
        return kind##_settle_##dt(v, top, x, n, 1);                       \
    }

#define BLOCKS(kind, V_BEATS, dt, start)                                                      \
    static void kind##_blocks_##dt(v_##dt *m, u_##dt *t, const s_val_##dt *x, int64_t blocks) \
    {                                                                                         \
        _Alignas(64) s_val_##dt p[PARTIALS];                                                  \
        _Alignas(64) BITS_##dt top[PARTIALS] = {0};                                           \
                                                                                              \
        for (int j = 0; j < PARTIALS; j++)                                                    \
            p[j] = (start);                                                                   \
        kind##_rows_##dt(p, top, x, blocks, PARTIALS, PARTIALS);                              \
        V_UNROLL for (int j = 0; j < PARTIALS; j += V_LANES(s_val_##dt))                      \
        {                                                                                     \
            *m = V_BEATS(*(const v_##dt *)(p + j), *m);                                       \
            *t = V_TOP_##dt(*(const u_##dt *)(top + j), *t);                                  \
        }                                                                                     \
    }

#define EXTREMUM(kind, beats, dt, start, minus)                                                        \
    ROWS(kind, beats, dt)                                                                              \
    SETTLE(kind, dt, minus)                                                                            \
    BLOCKS(kind, V_##beats##_##dt, dt, start)                                                          \
    RUN(kind, beats, V_##beats##_##dt, dt, start)                                                      \
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
