/* runtime/compute.h: what the level-independent drivers (compute*.c) share.
 *
 * A driver looks at shapes and strides, cuts the work into chunks for the pool and hands contiguous rows,
 * tiles and panels to the kernels of the engine's level (runtime/level.h).  Results never depend on how
 * chunks are cut. */
#ifndef TANDEM_RT_COMPUTE_H
#define TANDEM_RT_COMPUTE_H

#include "runtime/level.h"
#include "runtime/pool.h"

/* An iteration space with the strides of up to four arrays, in elements. */
#define RT_LOOP_ARRAYS 4
typedef struct rt_loop {
    int rank;
    int64_t extent[IR_MAX_RANK];
    int64_t step[RT_LOOP_ARRAYS][IR_MAX_RANK];
} rt_loop;

/* Drops extents of 1 and merges neighbours where all `arrays` strides allow it; rank is at least 1
 * afterwards. */
void rt_loop_collapse(rt_loop *l, int arrays);
rt_loop rt_loop_of(const rt_array *x); /* one array, collapsed */
int64_t rt_loop_count(const rt_loop *l);

/* Elements [begin, begin + n) of array `which` in the row-major order of the space, packed into y. */
void rt_gather_range(const rt_level *v, const rt_loop *l, int which, size_t size, const void *x,
                     int64_t begin, int64_t n, void *y);
bool rt_is_transposed(const rt_array *x); /* a copy of x runs as blocked transposes */
/* y (row-major) = the elements of x in row-major order; strides may be negative. */
void rt_copy(const rt_engine *e, const rt_array *x, void *y);
/* *out = x if it is contiguous, else a row-major copy in new memory that the caller gives to rt_scratch_free.
 */
ir_status rt_contiguous_of(const rt_engine *e, const rt_array *x, rt_array *out);
void rt_scratch_free(const rt_array *x, const rt_array *copy);

/* y[first + sum of i_d * step[d]] = x[i_0, i_1, ..], offsets in elements of row-major y. */
void rt_place(const rt_engine *e, const rt_array *x, const rt_array *y, int64_t first, const int64_t *step);

/* fn over [0, n) with pool and grain such that a chunk costs at least about two microseconds; ns: of one
 * unit. */
void rt_split(const rt_engine *e, rt_chunk_fn *fn, void *work, int64_t n, double ns);

static inline void *rt_at(const void *p, int64_t bytes)
{
    return (char *)(uintptr_t)p + bytes;
}

ir_status rt_pointwise(const rt_engine *e, ir_op op, const ir_attrs *a, const rt_array *const *x, int n,
                       const rt_array *y);
/* custom.c */
ir_status rt_custom(const rt_engine *e, const ir_attrs *a, const rt_array *const *x, int n,
                    const rt_array *y);
/* Ops that ir_op_widens. */
ir_status rt_compute_half(const rt_engine *e, ir_op op, const ir_attrs *a, const rt_array *const *x, int n,
                          const rt_array *y);
ir_status rt_pad(const rt_engine *e, const ir_attrs *a, const rt_array *x, const rt_array *y);
ir_status rt_concat(const rt_engine *e, const ir_attrs *a, const rt_array *const *x, int n,
                    const rt_array *y);
ir_status rt_generate(const rt_engine *e, ir_op op, const ir_attrs *a, const rt_array *const *x,
                      const rt_array *y);
ir_status rt_reduce(const rt_engine *e, ir_op op, const ir_attrs *a, const rt_array *x, const rt_array *y);
ir_status rt_index(const rt_engine *e, ir_op op, const rt_array *const *x, const rt_array *y);
ir_status rt_arg_reduce(const rt_engine *e, ir_op op, const ir_attrs *a, const rt_array *x,
                        const rt_array *y);
ir_status rt_scan(const rt_engine *e, ir_op op, const ir_attrs *a, const rt_array *const *x, int n,
                  const rt_array *y);
ir_status rt_argsort(const rt_engine *e, const ir_attrs *a, const rt_array *x, const rt_array *y);
ir_status rt_dot(const rt_engine *e, const ir_attrs *a, const rt_array *lhs, const rt_array *rhs,
                 const rt_array *y);

#endif
