/* runtime/level.h: the eager kernels of one instruction set level, as a table of functions.
 *
 * runtime/kernels/ is compiled once per level (RT_LEVEL 1, 3, 4: x86-64, x86-64-v3, x86-64-v4) and fills one
 * table each. The kernels know rows, tiles and panels of contiguous elements; everything about shapes,
 * strides, axes and threads is in the level-independent drivers (compute*.c).  Bits do not depend on the
 * level (docs/numerics.md). */
#ifndef TANDEM_RT_LEVEL_H
#define TANDEM_RT_LEVEL_H

#include "ir/digest.h"
#include "runtime/array.h"

/* y[0..n) from rows x[j][0..n), all contiguous. */
typedef void rt_row_fn(void *y, const void *const *x, int64_t n, const ir_attrs *a);
/* y[0..n) = elements begin.. of iota or random_bits; state: the operand of random_bits. */
typedef void rt_generate_fn(void *y, const void *state, int64_t begin, int64_t n, const ir_attrs *a);
/* y[r] = reduction of x[r * stride + 0..n) for r in 0..rows. */
typedef void rt_inner_fn(void *y, const void *x, int64_t rows, int64_t stride, int64_t n);
/* y[c] = reduction over r in 0..n of x[r * stride + c], c in 0..cols; cols <= RT_OUTER_TILE. */
typedef void rt_outer_fn(void *y, const void *x, int64_t n, int64_t stride, int64_t cols);
/* Scans of `cols` <= RT_SCAN_TILE columns: element i of column j is at i * step + j * across, in y as in x[0]
 * and (linear_scan) x[1]. */
typedef void rt_scan_fn(void *y, const void *const *x, int64_t n, int64_t step, int64_t cols, int64_t across);
/* y[i * dst] = x[i * src], i in 0..n, strides in elements of 1, 2, 4 or 8 bytes. */
typedef void rt_copy_fn(void *y, int64_t dst, const void *x, int64_t src, int64_t n);
/* y[r * dst + c] = x[c * src + r], r in 0..rows, c in 0..cols. */
typedef void rt_transpose_fn(void *y, int64_t dst, const void *x, int64_t src, int64_t rows, int64_t cols);

#define RT_OUTER_TILE 2048
#define RT_TILE_SLACK 16
#define RT_SCAN_TILE 512
#define RT_BLOCK 512 /* numerics rules 4 and 5: additions per block of an outer sum or a product */

typedef enum { RT_SUM, RT_MAX, RT_MIN, RT_PROD, RT_ALL, RT_ANY, RT_REDUCE_COUNT } rt_reduce_kind;
typedef enum { RT_CUMSUM, RT_CUMPROD, RT_CUMMAX, RT_CUMMIN, RT_SCAN_COUNT } rt_scan_kind;

/* Product kernels of one float dtype, all over contiguous k blocks of at most RT_BLOCK unless said otherwise.
 */
typedef struct rt_dot_kernels {
    int mr, nr; /* most rows of a tile; columns of a panel */
    int stream; /* products of fewer rows than this use `stream` where B's rows are contiguous */
    /* c[i ldc + j] = or += the chain over p in 0..k of a[i ai + p ap] b[p ldb + j], i in 0..rows, j in
     * 0..cols; rows <= mr, cols <= nr.  Reads whole panels: b[p ldb + 0..nr). */
    void (*tile)(const void *a, int64_t ai, int64_t ap, const void *b, int64_t ldb, void *c, int64_t ldc,
                 int64_t k, int rows, int cols, bool add);
    /* The same for few rows and any number of columns of a B that stays where it is. */
    void (*streamed)(const void *a, int64_t ai, int64_t ap, const void *b, int64_t ldb, void *c, int64_t ldc,
                     int64_t k, int rows, int64_t cols, bool add);
    /* y[p nr + j] = x[p xk + j xn] for j < cols, 0 for cols <= j < nr. */
    void (*pack_b)(void *y, const void *x, int64_t xk, int64_t xn, int64_t k, int cols);
    /* y[p rows + i] = x[i xi + p xk]; may write up to RT_TILE_SLACK elements behind. */
    void (*pack_a)(void *y, const void *x, int64_t xi, int64_t xk, int64_t k, int rows);
    /* s[p mod 64] = fma(a[p], b[p], s[p mod 64]), p in 0..k: contiguous a and b, any k. */
    void (*partials)(void *s, const void *a, const void *b, int64_t k);
    /* The 64 partials added by halves into s[0]. */
    void (*halves)(void *s);
} rt_dot_kernels;

struct rt_level {
    const char *name;
    /* [dtype of the last operand][op]; NULL where the row does not accept it */
    rt_row_fn *const *pointwise[IR_DT_COUNT];
    rt_row_fn *const (*convert)[IR_DT_COUNT][IR_DT_COUNT]; /* [from][to] */
    rt_row_fn *clamp[IR_DT_COUNT];
    rt_generate_fn *iota[IR_DT_COUNT], *random_bits;
    rt_inner_fn *inner[RT_REDUCE_COUNT][IR_DT_COUNT];
    rt_outer_fn *outer[RT_REDUCE_COUNT][IR_DT_COUNT];
    rt_inner_fn *argmax[IR_DT_COUNT], *argmin[IR_DT_COUNT]; /* y: int64_t */
    rt_scan_fn *scan[RT_SCAN_COUNT][IR_DT_COUNT], *linear_scan[IR_DT_COUNT];
    rt_copy_fn *copy[9]; /* [bytes of an element] */
    rt_transpose_fn *transpose[9];
    const rt_dot_kernels *dot[IR_DT_COUNT];
};

extern const rt_level rt_level_v1, rt_level_v3, rt_level_v4;

void rt_cpu_digest(ir_digest *d); /* equal where code for one CPU also suits the other */

#endif
