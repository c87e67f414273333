/* ir/compose_check.h: what every composite does first; inside ir/ only.
 *
 *   ir_val y = 0;
 *   const char *outer = ir_c_open(s, "softmax");     nodes made until ir_c_close carry the region's name
 *   if (ir_c_float(s, "softmax", x) && ..) { y = ..; }
 *   return ir_c_close(s, outer, y);
 *
 * Checks answer false after an error is in s->err, and for a 0 operand (an earlier error). */
#ifndef TANDEM_IR_COMPOSE_CHECK_H
#define TANDEM_IR_COMPOSE_CHECK_H

#include "ir/ir.h"

const char *ir_c_open(ir_sink *s, const char *region);                    /* the outermost name wins */
ir_val ir_c_close(ir_sink *s, const char *outer, ir_val y);               /* returns y */
bool ir_c_float(ir_sink *s, const char *op, ir_val x);                    /* x is of a float dtype */
bool ir_c_integer(ir_sink *s, const char *op, ir_val x);                  /* x is an index: an integer type */
bool ir_c_same_dtype(ir_sink *s, const char *op, ir_val x, ir_val z);     /* named with both types */
bool ir_c_same_type(ir_sink *s, const char *op, ir_val x, ir_val z);      /* dtype and shape */
bool ir_c_axis(ir_sink *s, const char *op, ir_val x, int axis, int *out); /* negative: from the end */
/* Errors that show the types of both operands: "op: why: f32[2,3] and f32[4]".  Always false. */
bool ir_c_misfit(ir_sink *s, const char *op, const char *why, ir_val x, ir_val z);
/* compose_basic.c: broadcasts the leading axes (all but the last two) of both operands to one shape */
bool ir_c_broadcast_batch(ir_sink *s, const char *op, ir_val *a, ir_val *b);
/* A copy of the type: what the sink points to may move when it emits. */
ir_type ir_c_type(ir_sink *s, ir_val x);
/* compose_basic.c: bool [.., classes], true where the last axis' place equals the index; nowhere for one out
 * of range */
ir_val ir_c_is_class(ir_sink *s, ir_val index, int64_t classes);
/* compose_sort.c: k elements of one axis from `from` on; axis in 0..rank-1 */
ir_val ir_c_part(ir_sink *s, ir_val x, int axis, int64_t from, int64_t k);

#endif
