/* runtime/array.h: typed strided memory and the one function that computes an op on it.
 *
 * The eager engine, constant folding and the tests all compute through rt_compute.  No tape, no ownership
 * here. */
#ifndef TANDEM_RT_ARRAY_H
#define TANDEM_RT_ARRAY_H

#include "ir/ir.h"

typedef struct rt_array {
    ir_type type;
    int64_t strides[IR_MAX_RANK]; /* in elements; 0 where repeated; never negative */
    void *data;                   /* of element (0, 0, ..) */
} rt_array;

/* row-major without gaps (strides of extent-1 dims ignored) */
bool rt_array_is_contiguous(const rt_array *x);
rt_array rt_array_of(const ir_type *t, void *data); /* row-major */
/* y = view of x by a VIEW op (reshape transpose broadcast slice), sharing memory.  False: a reshape that
 * needs a copy; reverse, whose strides would be negative. */
bool rt_array_view(ir_op op, const ir_attrs *a, const rt_array *x, const ir_type *result, rt_array *y);

struct rt_pool;
typedef struct rt_level rt_level; /* eager kernels compiled for one instruction set level */

/* What computing needs to know. */
typedef struct rt_engine {
    const rt_level *level;
    struct rt_pool *pool; /* NULL: one thread */
    ir_error *err;        /* what custom ops say when they fail; NULL: not wanted */
} rt_engine;

/* for this CPU, detected at run time: x86-64, -v3 or -v4 */
const rt_level *rt_level_best(void);
const rt_level *rt_level_named(
    const char *isa); /* "x86-64", "x86-64-v3", "x86-64-v4"; NULL: unknown or not of this CPU */
const char *rt_level_name(const rt_level *l);

/* y = op(x...).  y is row-major and does not overlap the operands; its type is ir_infer's.  Views are copied.
 * Operands may have any strides.  Leaf ops are refused.  Bits as numerics.md says for any level and thread
 * count.  Only scratch memory can fail (IR_ENOMEM). */
ir_status rt_compute(const rt_engine *e, ir_op op, const ir_attrs *a, const rt_array *const *x, int n,
                     const rt_array *y);

/* 64-byte aligned memory, with huge-page advice from 2 MiB up. */
void *rt_alloc(size_t bytes);
void rt_free(void *p, size_t bytes);
/* Of new memory of `bytes` only the first `used` will be touched for now: the huge page in which they end is
 * mapped by small pages, so that no more than that becomes resident. */
void rt_trim_end(void *p, size_t bytes, size_t used);

#endif
