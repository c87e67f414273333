/* runtime/kernels/reduce.c: reductions of contiguous rows and of columns (numerics rules 2 to 4).
 *
 *   outer   a chain per column and block of 512 rows, blocks added in order.  Rows are streamed eight at a
 * time into a tile of columns that stays in L1: reads run along rows, as memory likes it. inner   64
 * partials, element i into partial i mod 64: the same loop over "rows" of 64 elements; then halves.
 *
 * max and min have no order and share the loops (blocks are harmless to them).  Those of floats are in
 * extremum.c. */
#include "runtime/kernels/kernel.h"
#include "runtime/kernels/extremum.h"
#include "runtime/kernels/partials.h"
#include "runtime/scalar_c.h"

/* Eight rows into the tile: the chain of one column is ((acc + x0) + x1) + .. */
#define ROWS(kind, op, dt)                                                                      \
    S_INLINE void kind##_rows_##dt(s_val_##dt *restrict acc, const s_val_##dt *x, int64_t rows, \
                                   int64_t stride, int64_t cols)                                \
    {                                                                                           \
        int64_t i = 0;                                                                          \
                                                                                                \
        for (; i + 8 <= rows; i += 8, x += 8 * stride)                                          \
            for (int64_t j = 0; j < cols; j++) {                                                \
                s_val_##dt v = acc[j];                                                          \
                const s_val_##dt *c = x + j;                                                    \
                                                                                                \
                v = op##_##dt(v, c[0]);                                                         \
                v = op##_##dt(v, c[stride]);                                                    \
                v = op##_##dt(v, c[2 * stride]);                                                \
                v = op##_##dt(v, c[3 * stride]);                                                \
                v = op##_##dt(v, c[4 * stride]);                                                \
                v = op##_##dt(v, c[5 * stride]);                                                \
                v = op##_##dt(v, c[6 * stride]);                                                \
                acc[j] = op##_##dt(v, c[7 * stride]);                                           \
            }                                                                                   \
        for (; i < rows; i++, x += stride)                                                      \
            for (int64_t j = 0; j < cols; j++)                                                  \
                acc[j] = op##_##dt(acc[j], x[j]);                                               \
    }

/* Each row of x by kind_run. */
#define INNER(kind, dt)                                                                                \
    void RT_V(rt_##kind##_inner_##dt)(void *y, const void *x, int64_t rows, int64_t stride, int64_t n) \
    {                                                                                                  \
        s_val_##dt *r = y;                                                                             \
        const s_val_##dt *x0 = x;                                                                      \
                                                                                                       \
        for (int64_t i = 0; i < rows; i++)                                                             \
            r[i] = kind##_run_##dt(x0 + i * stride, n);                                                \
    }

/* One run of anything: `start` is the operation's neutral element. */
#define PLAIN_RUN(kind, op, dt, start)                                \
    static s_val_##dt kind##_run_##dt(const s_val_##dt *x, int64_t n) \
    {                                                                 \
        s_val_##dt p[PARTIALS];                                       \
        int64_t whole = n / PARTIALS * PARTIALS;                      \
                                                                      \
        for (int j = 0; j < PARTIALS; j++)                            \
            p[j] = (s_val_##dt)(start);                               \
        kind##_rows_##dt(p, x, n / PARTIALS, PARTIALS, PARTIALS);     \
        kind##_rows_##dt(p, x + whole, 1, 0, n - whole);              \
        for (int h = PARTIALS / 2; h >= 1; h /= 2)                    \
            for (int j = 0; j < h; j++)                               \
                p[j] = op##_##dt(p[j], p[j + h]);                     \
        return p[0];                                                  \
    }

/* One run of floats, its partials in registers. */
#define FLOAT_SUM_RUN(dt)                                                  \
    static s_val_##dt sum_run_##dt(const s_val_##dt *x, int64_t n)         \
    {                                                                      \
        v_##dt p[V_COUNT(s_val_##dt)] = {{0}};                             \
        int64_t i = 0;                                                     \
                                                                           \
        for (; i + PARTIALS <= n; i += PARTIALS)                           \
            V_UNROLL for (int v = 0; v < V_COUNT(s_val_##dt); v++) p[v] += \
                *(const m_##dt *)(x + i + v * V_LANES(s_val_##dt));        \
        if (i < n)                                                         \
            add_rest_##dt(p, x + i, n - i);                                \
        return halves_##dt(p);                                             \
    }

#define OUTER(kind, op, dt, start)                                                                       \
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

#define PLAIN(kind, op, dt, start) \
    ROWS(kind, op, dt)             \
    PLAIN_RUN(kind, op, dt, start) \
    INNER(kind, dt)                \
    OUTER(kind, op, dt, start)
#define INTEGERS(dt, least, most) \
    PLAIN(sum, s_add, dt, 0)      \
    PLAIN(prod, s_mul, dt, 1)     \
    PLAIN(max, s_max, dt, least)  \
    PLAIN(min, s_min, dt, most)
#define FLOAT_SUM(dt)        \
    ROWS(sum, s_add, dt)     \
    FLOAT_SUM_RUN(dt)        \
    INNER(sum, dt)           \
    OUTER(sum, s_add, dt, 0) \
    PLAIN(prod, s_mul, dt, 1)

RT_INTEGER_RANGES(INTEGERS)
FLOAT_SUM(f32)
FLOAT_SUM(f64)

#undef bool /* stdbool.h's macro would be pasted as _Bool */
S_INLINE uint8_t s_both_bool(uint8_t a, uint8_t b)
{
    return a & b;
}

S_INLINE uint8_t s_either_bool(uint8_t a, uint8_t b)
{
    return a | b;
}

PLAIN(all, s_both, bool, 1)
PLAIN(any, s_either, bool, 0)

/* The extremum first, then a search for it, 64 elements at a time: both vectorise. */
#define ARG(kind, dt, run)                                                                          \
    static int64_t arg##kind##_run_##dt(const s_val_##dt *x, int64_t n)                             \
    {                                                                                               \
        s_val_##dt most = run(x, n);                                                                \
        _Bool nan = most != most;                                                                   \
        int64_t i = 0;                                                                              \
                                                                                                    \
        for (; i + 64 <= n; i += 64) {                                                              \
            int found = 0;                                                                          \
                                                                                                    \
            for (int j = 0; j < 64; j++)                                                            \
                found |= (x[i + j] == most) | (x[i + j] != x[i + j]);                               \
            if (found)                                                                              \
                break;                                                                              \
        }                                                                                           \
        while (nan ? x[i] == x[i] : x[i] != most)                                                   \
            i++;                                                                                    \
        return i;                                                                                   \
    }                                                                                               \
    void RT_V(rt_arg##kind##_##dt)(void *y, const void *x, int64_t rows, int64_t stride, int64_t n) \
    {                                                                                               \
        int64_t *r = y;                                                                             \
        const s_val_##dt *x0 = x;                                                                   \
                                                                                                    \
        for (int64_t i = 0; i < rows; i++)                                                          \
            r[i] = arg##kind##_run_##dt(x0 + i * stride, n);                                        \
    }
#define ARG_INTEGER(dt, ...)   \
    ARG(max, dt, max_run_##dt) \
    ARG(min, dt, min_run_##dt)
#define ARG_FLOAT(dt)                   \
    ARG(max, dt, RT_V(rt_max_run_##dt)) \
    ARG(min, dt, RT_V(rt_min_run_##dt))
IR_INTEGERS(ARG_INTEGER)
ARG_FLOAT(f32)
ARG_FLOAT(f64)
