/* runtime/kernels/reduce.c: reductions of contiguous rows and of columns (numerics rules 2 to 4).
 *
 *   inner   64 partials, element i into partial i mod 64, then halves 32, 16, .., 1.  64 floats are four
 * 512-bit registers, so one plain loop reaches L1 speed at every vector width. outer   a chain per column and
 * block of 512 rows, blocks added in order.  Rows are streamed eight at a time into a tile of columns that
 * stays in L1: reads run along rows, as memory likes it.
 *
 * max and min have no order and share the loops (blocks are harmless to them). */
#include "runtime/kernels/kernel.h"
#include "runtime/scalar_c.h"

#define LEAST_u8 0
#define LEAST_u32 0
#define LEAST_i32 INT32_MIN
#define LEAST_i64 INT64_MIN
#define LEAST_f32 (-(float)INFINITY)
#define LEAST_f64 (-(double)INFINITY)
#define MOST_u8 UINT8_MAX
#define MOST_u32 UINT32_MAX
#define MOST_i32 INT32_MAX
#define MOST_i64 INT64_MAX
#define MOST_f32 ((float)INFINITY)
#define MOST_f64 ((double)INFINITY)

#define PARTIALS 64

/* One run: `start` is the operation's neutral element. */
#define INNER(kind, op, dt, start)                                                                     \
    static s_val_##dt kind##_run_##dt(const s_val_##dt *x, int64_t n)                                  \
    {                                                                                                  \
        s_val_##dt p[PARTIALS];                                                                        \
        int64_t i = 0;                                                                                 \
                                                                                                       \
        for (int j = 0; j < PARTIALS; j++)                                                             \
            p[j] = (s_val_##dt)(start);                                                                \
        for (; i + PARTIALS <= n; i += PARTIALS)                                                       \
            for (int j = 0; j < PARTIALS; j++)                                                         \
                p[j] = op##_##dt(p[j], x[i + j]);                                                      \
        for (int j = 0; j < (int)(n - i); j++)                                                         \
            p[j] = op##_##dt(p[j], x[i + j]);                                                          \
        for (int h = PARTIALS / 2; h >= 1; h /= 2)                                                     \
            for (int j = 0; j < h; j++)                                                                \
                p[j] = op##_##dt(p[j], p[j + h]);                                                      \
        return p[0];                                                                                   \
    }                                                                                                  \
    void RT_V(rt_##kind##_inner_##dt)(void *y, const void *x, int64_t rows, int64_t stride, int64_t n) \
    {                                                                                                  \
        s_val_##dt *r = y;                                                                             \
        const s_val_##dt *x0 = x;                                                                      \
                                                                                                       \
        for (int64_t i = 0; i < rows; i++)                                                             \
            r[i] = kind##_run_##dt(x0 + i * stride, n);                                                \
    }

/* Eight rows into the tile: the chain of one column is ((acc + x0) + x1) + .. */
#define OUTER(kind, op, dt, start)                                                                       \
    static void kind##_rows_##dt(s_val_##dt *restrict acc, const s_val_##dt *x, int64_t rows,            \
                                 int64_t stride, int64_t cols)                                           \
    {                                                                                                    \
        int64_t i = 0;                                                                                   \
                                                                                                         \
        for (; i + 8 <= rows; i += 8, x += 8 * stride)                                                   \
            for (int64_t j = 0; j < cols; j++) {                                                         \
                s_val_##dt v = acc[j];                                                                   \
                const s_val_##dt *c = x + j;                                                             \
                                                                                                         \
                v = op##_##dt(v, c[0]);                                                                  \
                v = op##_##dt(v, c[stride]);                                                             \
                v = op##_##dt(v, c[2 * stride]);                                                         \
                v = op##_##dt(v, c[3 * stride]);                                                         \
                v = op##_##dt(v, c[4 * stride]);                                                         \
                v = op##_##dt(v, c[5 * stride]);                                                         \
                v = op##_##dt(v, c[6 * stride]);                                                         \
                acc[j] = op##_##dt(v, c[7 * stride]);                                                    \
            }                                                                                            \
        for (; i < rows; i++, x += stride)                                                               \
            for (int64_t j = 0; j < cols; j++)                                                           \
                acc[j] = op##_##dt(acc[j], x[j]);                                                        \
    }                                                                                                    \
    void RT_V(rt_##kind##_outer_##dt)(void *y, const void *x, int64_t n, int64_t stride, int64_t cols)   \
    {                                                                                                    \
        s_val_##dt block[RT_OUTER_TILE], *restrict r = y;                                                \
        const s_val_##dt *x0 = x;                                                                        \
                                                                                                         \
        for (int64_t j = 0; j < cols; j++)                                                               \
            r[j] = (s_val_##dt)(start);                                                                  \
        kind##_rows_##dt(r, x0, n < RT_BLOCK ? n : RT_BLOCK, stride, cols);                              \
        for (int64_t b = RT_BLOCK; b < n; b += RT_BLOCK) {                                               \
            for (int64_t j = 0; j < cols; j++)                                                           \
                block[j] = (s_val_##dt)(start);                                                          \
            kind##_rows_##dt(block, x0 + b * stride, n - b < RT_BLOCK ? n - b : RT_BLOCK, stride, cols); \
            for (int64_t j = 0; j < cols; j++)                                                           \
                r[j] = op##_##dt(r[j], block[j]);                                                        \
        }                                                                                                \
    }

/* The extremum first, then a search for it: both loops vectorise or stop early. */
#define ARGMAX(dt)                                                                             \
    static int64_t argmax_run_##dt(const s_val_##dt *x, int64_t n)                             \
    {                                                                                          \
        s_val_##dt most = max_run_##dt(x, n);                                                  \
        int64_t i = 0;                                                                         \
                                                                                               \
        if (most != most)                                                                      \
            while (x[i] == x[i])                                                               \
                i++;                                                                           \
        else                                                                                   \
            while (!(x[i] == most))                                                            \
                i++;                                                                           \
        return i;                                                                              \
    }                                                                                          \
    void RT_V(rt_argmax_##dt)(void *y, const void *x, int64_t rows, int64_t stride, int64_t n) \
    {                                                                                          \
        int64_t *r = y;                                                                        \
        const s_val_##dt *x0 = x;                                                              \
                                                                                               \
        for (int64_t i = 0; i < rows; i++)                                                     \
            r[i] = argmax_run_##dt(x0 + i * stride, n);                                        \
    }

#define ACCUMULATE(dt)                                               \
    void RT_V(rt_accumulate_##dt)(void *y, const void *x, int64_t n) \
    {                                                                \
        s_val_##dt *restrict r = y;                                  \
        const s_val_##dt *x0 = x;                                    \
                                                                     \
        for (int64_t i = 0; i < n; i++)                              \
            r[i] = s_add_##dt(r[i], x0[i]);                          \
    }

#define ALL(dt)                       \
    INNER(sum, s_add, dt, 0)          \
    INNER(max, s_max, dt, LEAST_##dt) \
    INNER(min, s_min, dt, MOST_##dt)  \
    OUTER(sum, s_add, dt, 0)          \
    OUTER(max, s_max, dt, LEAST_##dt) \
    OUTER(min, s_min, dt, MOST_##dt)  \
    ARGMAX(dt)                        \
    ACCUMULATE(dt)
RT_NUMBERS(ALL)
