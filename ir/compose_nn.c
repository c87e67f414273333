/* ir/compose_nn.c: activations, softmax and its relatives (compose.h).
 *
 *   softmax      e = exp(x - stop_gradient(max x));  y = e / sum e
 *   log_softmax  d = x - stop_gradient(max x);       y = d - log sum exp d
 *   logcumsumexp m = cummax x;  s_i = s_(i-1) exp(m_(i-1) - m_i) + exp(x_i - m_i);  y = m + log s
 *
 * The maximum only shifts, so no gradient flows through it.  Everything is pointwise ops and reductions over
 * one axis: each of these, forward and backward, fuses into one row kernel. */
#include "ir/compose.h"
#include "ir/compose_check.h"
#include "ir/emit.h"

#include <math.h>

/* v op a constant */
static ir_val scaled(ir_sink *s, ir_val v, double c)
{
    return ir_e_mul(s, v, ir_e_like(s, v, c));
}

static ir_val plus(ir_sink *s, ir_val v, double c)
{
    return ir_e_add(s, v, ir_e_like(s, v, c));
}

/* ---- activations --------------------------------------------------------------------------------------- */

/* x (1 + 0.044715 x^2) sqrt(2/pi), the argument of the tanh form (Hendrycks and Gimpel, arXiv 1606.08415).
 * A square that overflows makes the gradient NaN.  In f16 it does from 256 on; the tanh is 1 long before 16.
 */
static ir_val gelu_argument(ir_sink *s, ir_val x)
{
    if (ir_c_type(s, x).dtype == IR_DT_f16) {
        x = ir_e_clamp(s, x, -16, 16);
    }
    ir_val cubic = plus(s, scaled(s, ir_e_mul(s, x, x), 0.044715), 1);

    return ir_e_mul(s, scaled(s, x, 0.7978845608028654), cubic);
}

/* 0.5 x (1 + erf(x / sqrt 2)) or 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
ir_val ir_c_gelu(ir_sink *s, ir_val x, bool tanh_form)
{
    const char *outer = ir_c_open(s, "gelu");
    ir_val y = 0;

    if (ir_c_float(s, "gelu", x)) {
        ir_val gate =
            tanh_form ? ir_e_tanh(s, gelu_argument(s, x)) : ir_e_erf(s, scaled(s, x, 0.7071067811865476));
        y = ir_e_mul(s, scaled(s, x, 0.5), plus(s, gate, 1));
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_silu(ir_sink *s, ir_val x)
{
    const char *outer = ir_c_open(s, "silu");
    ir_val y = ir_c_float(s, "silu", x) ? ir_e_mul(s, x, ir_e_logistic(s, x)) : 0;

    return ir_c_close(s, outer, y);
}

/* ---- softmax and relatives ----------------------------------------------------------------------------- */

/* A reduction over one axis, repeated along it. */
static ir_val row(ir_sink *s, ir_op kind, ir_val x, int axis)
{
    ir_type t = ir_c_type(s, x);

    return ir_e_broadcast(s, ir_e_reduce(s, kind, x, &axis, 1, true), t.rank, t.dims);
}

/* x less its maximum along the axis */
static ir_val shifted(ir_sink *s, ir_val x, int axis)
{
    ir_type t = ir_c_type(s, x);
    ir_val m = ir_e_stop_gradient(s, ir_e_reduce(s, IR_reduce_max, x, &axis, 1, true));

    return ir_e_sub(s, x, ir_e_broadcast(s, m, t.rank, t.dims));
}

/* x, but 0 where it is infinite: a shift by it would give NaN where the answer is infinite. */
static ir_val finite_or_0(ir_sink *s, ir_val x)
{
    ir_val infinite = ir_e_eq(s, ir_e_abs(s, x), ir_e_like(s, x, INFINITY));

    return ir_e_select(s, infinite, ir_e_like(s, x, 0), x);
}

/* m + log sum; where the sum is 0 it is -inf, and its derivative stays a number. */
static ir_val log_or_empty(ir_sink *s, ir_val m, ir_val sum)
{
    ir_val empty = ir_e_eq(s, sum, ir_e_like(s, sum, 0));

    sum = ir_e_select(s, empty, ir_e_like(s, sum, 1), sum);
    return ir_e_select(s, empty, ir_e_like(s, sum, -INFINITY), ir_e_add(s, m, ir_e_log(s, sum)));
}

/* A row of -inf has no gradient. */
ir_val ir_c_logsumexp(ir_sink *s, ir_val x, int axis, bool keep)
{
    const char *outer = ir_c_open(s, "logsumexp");
    ir_val y = 0;

    if (ir_c_float(s, "logsumexp", x) && ir_c_axis(s, "logsumexp", x, axis, &axis)) {
        ir_type t = ir_c_type(s, x);
        ir_val m = ir_e_stop_gradient(s, ir_e_reduce(s, IR_reduce_max, x, &axis, 1, true));
        m = finite_or_0(s, m);
        ir_val e = ir_e_exp(s, ir_e_sub(s, x, ir_e_broadcast(s, m, t.rank, t.dims)));
        ir_val sum = ir_e_reduce(s, IR_reduce_sum, e, &axis, 1, true);
        y = log_or_empty(s, m, sum);
        if (!keep) {
            for (int i = axis; i + 1 < t.rank; i++) {
                t.dims[i] = t.dims[i + 1];
            }
            y = ir_e_reshape(s, y, t.rank - 1, t.dims);
        }
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_softmax(ir_sink *s, ir_val x, int axis)
{
    const char *outer = ir_c_open(s, "softmax");
    ir_val y = 0;

    if (ir_c_float(s, "softmax", x) && ir_c_axis(s, "softmax", x, axis, &axis)) {
        ir_val e = ir_e_exp(s, shifted(s, x, axis));
        y = e ? ir_e_div(s, e, row(s, IR_reduce_sum, e, axis)) : 0;
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_log_softmax(ir_sink *s, ir_val x, int axis)
{
    const char *outer = ir_c_open(s, "log_softmax");
    ir_val y = 0;

    if (ir_c_float(s, "log_softmax", x) && ir_c_axis(s, "log_softmax", x, axis, &axis)) {
        ir_val d = shifted(s, x, axis);
        if (d) {
            ir_type t = ir_c_type(s, d);
            ir_val sum = ir_e_reduce(s, IR_reduce_sum, ir_e_exp(s, d), &axis, 1, true);
            y = ir_e_sub(s, d,
                         ir_e_broadcast(s, ir_e_log(s, sum), t.rank,
                                        t.dims)); /* log of the row, not of each element */
        }
    }
    return ir_c_close(s, outer, y);
}

/* The sum is carried in units of the greatest element so far; the scale only falls, so nothing overflows. */
ir_val ir_c_logcumsumexp(ir_sink *s, ir_val x, int axis)
{
    const char *outer = ir_c_open(s, "logcumsumexp");
    ir_val y = 0;

    if (ir_c_float(s, "logcumsumexp", x) && ir_c_axis(s, "logcumsumexp", x, axis, &axis)) {
        ir_val m = finite_or_0(s, ir_e_stop_gradient(s, ir_e_scan(s, IR_cummax, x, axis, false)));
        ir_val fall = ir_e_sub(s, ir_e_shift(s, m, axis, true, 0), m);
        ir_val scale = ir_e_exp(s, ir_e_min(s, fall, ir_e_like(s, fall, 0)));
        ir_val sum = ir_e_linear_scan(s, scale, ir_e_exp(s, ir_e_sub(s, x, m)), axis, false);
        y = log_or_empty(s, m, sum);
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_softmin(ir_sink *s, ir_val x, int axis)
{
    const char *outer = ir_c_open(s, "softmin");
    ir_val y = ir_c_float(s, "softmin", x) ? ir_c_softmax(s, ir_e_neg(s, x), axis) : 0;

    return ir_c_close(s, outer, y);
}
