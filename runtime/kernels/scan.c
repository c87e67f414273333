/* runtime/kernels/scan.c: scans along an axis (numerics rule 13).
 *
 *   x  1 2 3 4   ->   cumsum  1 3 6 10
 *
 * A tile of columns walks down the axis together: in columns that lie side by side the inner loop is a
 * vector's, in rows (columns far apart) several chains overlap.  Sums and products run in blocks of 512, each
 * a chain of its own that is joined to what came before; extrema have no order, so their blocks do no harm.
 */
#include "runtime/kernels/kernel.h"
#include "runtime/scalar_c.h"

/* One block: element (i, j) into the chain of column j, and what came before with it into y. */
#define BLOCK(kind, op, dt)                                                                      \
    S_INLINE void kind##_block_##dt(s_val_##dt *y, const s_val_##dt *x, int64_t n, int64_t step, \
                                    int64_t cols, s_val_##dt *restrict acc,                      \
                                    const s_val_##dt *restrict before)                           \
    {                                                                                            \
        for (int64_t i = 0; i < n; i++, x += step, y += step)                                    \
            RT_NO_ALIAS for (int64_t j = 0; j < cols; j++)                                       \
            {                                                                                    \
                acc[j] = op##_##dt(acc[j], x[j]);                                                \
                y[j] = op##_##dt(before[j], acc[j]);                                             \
            }                                                                                    \
    }

/* The same for `width` columns that are far apart, their chains in registers. */
#define CHAINS(kind, op, dt, width)                                                                         \
    S_INLINE void kind##_chains_##width##_##dt(s_val_##dt *y, const s_val_##dt *x, int64_t n, int64_t step, \
                                               int64_t across, s_val_##dt *acc, const s_val_##dt *before)   \
    {                                                                                                       \
        s_val_##dt a[width], b[width];                                                                      \
                                                                                                            \
        for (int j = 0; j < width; j++) {                                                                   \
            a[j] = acc[j];                                                                                  \
            b[j] = before[j];                                                                               \
        }                                                                                                   \
        for (int64_t i = 0; i < n; i++, x += step, y += step)                                               \
            _Pragma("GCC unroll 4") for (int j = 0; j < width; j++)                                         \
            {                                                                                               \
                a[j] = op##_##dt(a[j], x[j * across]);                                                      \
                y[j * across] = op##_##dt(b[j], a[j]);                                                      \
            }                                                                                               \
    }

#define SCAN(kind, op, dt, start)                                                                      \
    BLOCK(kind, op, dt)                                                                                \
    CHAINS(kind, op, dt, 1)                                                                            \
    CHAINS(kind, op, dt, 4)                                                                            \
                                                                                                       \
    void RT_V(rt_##kind##_##dt)(void *y, const void *const *x, int64_t n, int64_t step, int64_t cols,  \
                                int64_t across)                                                        \
    {                                                                                                  \
        s_val_##dt acc[RT_SCAN_TILE], before[RT_SCAN_TILE], *r = y;                                    \
        const s_val_##dt *x0 = x[0];                                                                   \
                                                                                                       \
        for (int64_t j = 0; j < cols; j++)                                                             \
            before[j] = (s_val_##dt)(start);                                                           \
        for (int64_t b = 0; b < n; b += RT_BLOCK, x0 += RT_BLOCK * step, r += RT_BLOCK * step) {       \
            int64_t rows = n - b < RT_BLOCK ? n - b : RT_BLOCK;                                        \
                                                                                                       \
            for (int64_t j = 0; j < cols; j++)                                                         \
                acc[j] = (s_val_##dt)(start);                                                          \
            if (across == 1)                                                                           \
                kind##_block_##dt(r, x0, rows, step, cols, acc, before);                               \
            for (int64_t j = 0; j < cols && across != 1;) {                                            \
                bool four = cols - j >= 4;                                                             \
                                                                                                       \
                if (four)                                                                              \
                    kind##_chains_4_##dt(r + j * across, x0 + j * across, rows, step, across, acc + j, \
                                         before + j);                                                  \
                else                                                                                   \
                    kind##_chains_1_##dt(r + j * across, x0 + j * across, rows, step, across, acc + j, \
                                         before + j);                                                  \
                j += four ? 4 : 1;                                                                     \
            }                                                                                          \
            for (int64_t j = 0; j < cols; j++)                                                         \
                before[j] = r[(rows - 1) * step + j * across];                                         \
        }                                                                                              \
    }

#define SCANS(dt, least, most)     \
    SCAN(cumsum, s_add, dt, 0)     \
    SCAN(cumprod, s_mul, dt, 1)    \
    SCAN(cummax, s_max, dt, least) \
    SCAN(cummin, s_min, dt, most)

RT_INTEGER_RANGES(SCANS)
SCANS(f32, -(float)INFINITY, (float)INFINITY)
SCANS(f64, -(double)INFINITY, (double)INFINITY)

/* y[i] = fma(x[i], y[i - 1], z[i]), y[0] = z[0]: one chain a column. */
#define LINEAR(dt)                                                                                       \
    void RT_V(rt_linear_scan_##dt)(void *y, const void *const *x, int64_t n, int64_t step, int64_t cols, \
                                   int64_t across)                                                       \
    {                                                                                                    \
        s_val_##dt acc[RT_SCAN_TILE], *r = y;                                                            \
        const s_val_##dt *x0 = x[0], *x1 = x[1];                                                         \
                                                                                                         \
        for (int64_t j = 0; j < cols; j++)                                                               \
            acc[j] = r[j * across] = x1[j * across];                                                     \
        for (int64_t i = 1; i < n; i++) {                                                                \
            x0 += step, x1 += step, r += step;                                                           \
            RT_NO_ALIAS for (int64_t j = 0; j < cols; j++) r[j * across] = acc[j] =                      \
                s_fma_##dt(x0[j * across], acc[j], x1[j * across]);                                      \
        }                                                                                                \
    }
LINEAR(f32)
LINEAR(f64)
