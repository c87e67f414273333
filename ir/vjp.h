/* ir/vjp.h: how gradient rules are called; inside ir/ only (ir_vjp in ir.h is the door).
 *
 * A rule of ops.def's column `vjp` named NAME is the function ir_vjp_NAME.  It writes dx[i] for the operands
 * in `need` and may leave the others alone (they are 0).  x[i] and y may be placeholders that have only a
 * type, unless the row's `saves` names them. */
#ifndef TANDEM_IR_VJP_H
#define TANDEM_IR_VJP_H

#include "ir/ir.h"

typedef struct ir_vjp_call {
    ir_op op;
    const ir_attrs *a;
    const ir_val *x;
    int n;
    ir_val y, dy;
    unsigned need; /* bit i: dx[i] is wanted; only floats */
    ir_val *dx;
} ir_vjp_call;

typedef void ir_vjp_rule(ir_sink *s, const ir_vjp_call *c);

/* vjp_view.c */
ir_vjp_rule ir_vjp_reshape, ir_vjp_transpose, ir_vjp_broadcast, ir_vjp_slice, ir_vjp_pad, ir_vjp_reverse,
    ir_vjp_concat, ir_vjp_checkpoint;
/* vjp_reduce.c */
ir_vjp_rule ir_vjp_reduce_sum, ir_vjp_reduce_extremum, ir_vjp_reduce_prod;
/* vjp_scan.c */
ir_vjp_rule ir_vjp_cumsum, ir_vjp_cumprod, ir_vjp_cumextremum, ir_vjp_linear_scan;
/* vjp_dot.c */
ir_vjp_rule ir_vjp_dot_general;
/* custom.c */
ir_vjp_rule ir_vjp_custom;
/* vjp_index.c */
ir_vjp_rule ir_vjp_gather, ir_vjp_scatter_add, ir_vjp_scatter_set, ir_vjp_scatter_mul,
    ir_vjp_scatter_extremum, ir_vjp_dynamic_slice, ir_vjp_dynamic_update, ir_vjp_convert, ir_vjp_clamp;

#endif
