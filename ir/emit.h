/* ir/emit.h: short forms of ir_emit for gradient rules, composites and public functions; every one works over
 * any sink. A 0 operand gives 0; errors are in s->err.  Operands of a binary helper have equal types: see
 * ir_e_broadcast_pair. */
#ifndef TANDEM_IR_EMIT_H
#define TANDEM_IR_EMIT_H

#include "ir.h"

#define OP_UNARY(name, ...) ir_val ir_e_##name(ir_sink *s, ir_val x);
#define OP_BINARY(name, ...) ir_val ir_e_##name(ir_sink *s, ir_val x, ir_val z);
#define OP_SELECT(name, ...) ir_val ir_e_##name(ir_sink *s, ir_val p, ir_val x, ir_val z);
#include "ops.def"

ir_val ir_e_constant(ir_sink *s, const ir_type *t, const void *data, bool splat);
/* splat rounded to t's dtype (t may have symbols) */
ir_val ir_e_fill(ir_sink *s, const ir_type *t, double v);
/* constant of x's type: a scalar constant, broadcast */
ir_val ir_e_like(ir_sink *s, ir_val x, double v);
ir_val ir_e_iota(ir_sink *s, ir_dtype d, int64_t n);
ir_val ir_e_iota_axis(ir_sink *s, const ir_type *t, int axis); /* composite: iota, reshape, broadcast */
ir_val ir_e_random_bits(ir_sink *s, const ir_type *t, ir_val state, uint64_t offset);
ir_val ir_e_convert(ir_sink *s, ir_val x, ir_dtype d); /* x itself if it has the dtype */
ir_val ir_e_clamp(ir_sink *s, ir_val x, double lo, double hi);
ir_val ir_e_reshape(ir_sink *s, ir_val x, int rank, const int64_t *dims); /* x itself if equal */
ir_val ir_e_transpose(ir_sink *s, ir_val x, const int *perm);
ir_val ir_e_broadcast(ir_sink *s, ir_val x, int rank, const int64_t *dims); /* x itself if equal */
/* NumPy's rules, explicit nodes; false + error */
bool ir_e_broadcast_pair(ir_sink *s, const char *op, ir_val *x, ir_val *z);
/* step NULL: ones */
ir_val ir_e_slice(ir_sink *s, ir_val x, const int64_t *start, const int64_t *limit, const int64_t *step);
/* x, to be read when `after` is known */
ir_val ir_e_checkpoint(ir_sink *s, ir_val x, ir_val after);
ir_val ir_e_pad(ir_sink *s, ir_val x, const int64_t *low, const int64_t *high, const int64_t *interior);
/* axes in 0..rank-1, any order, no repeats; x itself if there are none */
ir_val ir_e_reverse(ir_sink *s, ir_val x, const int *axes, int n);
/* any number of operands, joined IR_MAX_OPERANDS at a time; axis in 0..rank-1 */
ir_val ir_e_concat(ir_sink *s, const ir_val *x, int n, int axis);
ir_val ir_e_gather(ir_sink *s, ir_val x, ir_val index);
ir_val ir_e_scatter_add(ir_sink *s, ir_val x, ir_val index, ir_val update);
/* The box of these extents whose place is start, i32 or i64 [rank]. */
ir_val ir_e_dynamic_slice(ir_sink *s, ir_val x, ir_val start, int rank, const int64_t *dims);
ir_val ir_e_dynamic_update(ir_sink *s, ir_val x, ir_val start, ir_val update);
/* kind: a reduce_*, IR_argmax or IR_argmin; axes in 0..rank-1, any order, no repeats; keep leaves extents of
 * 1. */
ir_val ir_e_reduce(ir_sink *s, ir_op kind, ir_val x, const int *axes, int n, bool keep);
/* emit_scan.c.  kind: IR_cumsum, IR_cumprod, IR_cummax, IR_cummin; axis in 0..rank-1; reverse: from its end
 */
ir_val ir_e_scan(ir_sink *s, ir_op kind, ir_val x, int axis, bool reverse);
ir_val ir_e_linear_scan(ir_sink *s, ir_val x, ir_val z, int axis, bool reverse);
ir_val ir_e_argsort(ir_sink *s, ir_val x, bool descending); /* along the last axis */
/* Composite: x moved by one along the axis, towards its end (late) or its beginning; the place that becomes
 * free holds `fill`. */
ir_val ir_e_shift(ir_sink *s, ir_val x, int axis, bool late, double fill);
ir_val ir_e_dot(ir_sink *s, ir_val x, ir_val z, const ir_attrs *a);
/* at most IR_MAX_OPERANDS operands and IR_MAX_RANK parameters */
ir_val ir_e_custom(ir_sink *s, const ir_custom *op, const ir_val *x, int n, const double *params,
                   int param_count);

#endif
