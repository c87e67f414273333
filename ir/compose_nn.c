/* ir/compose_nn.c: activations, softmax and its relatives, layer_norm (compose.h).
 *
 *   softmax      e = exp(x - stop_gradient(max x));  y = e / sum e
 *   log_softmax  d = x - stop_gradient(max x);       y = d - log sum exp d
 *   layer_norm   d = x - mean x;                     y = d * rsqrt(mean d^2 + eps) * gamma + beta       two
 * passes
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

/* ---- activations
 * -------------------------------------------------------------------------------------------- */

/* x (1 + 0.044715 x^2) sqrt(2/pi), the argument of the tanh form (Hendrycks and Gimpel, arXiv 1606.08415) */
static ir_val gelu_argument(ir_sink *s, ir_val x)
{
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

/* ---- softmax and relatives
 * ------------------------------------------------------------------------------------ */

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

/* The maximum, but 0 where it is infinite: -inf - -inf would be NaN where the answer is -inf.  A row of -inf
 * has no gradient. */
ir_val ir_c_logsumexp(ir_sink *s, ir_val x, int axis, bool keep)
{
    const char *outer = ir_c_open(s, "logsumexp");
    ir_val y = 0;

    if (ir_c_float(s, "logsumexp", x) && ir_c_axis(s, "logsumexp", x, axis, &axis)) {
        ir_type t = ir_c_type(s, x);
        ir_val m = ir_e_stop_gradient(s, ir_e_reduce(s, IR_reduce_max, x, &axis, 1, true));
        ir_val infinite = ir_e_eq(s, ir_e_abs(s, m), ir_e_like(s, m, INFINITY));
        m = ir_e_select(s, infinite, ir_e_like(s, m, 0), m);
        ir_val e = ir_e_exp(s, ir_e_sub(s, x, ir_e_broadcast(s, m, t.rank, t.dims)));
        ir_val sum = ir_e_reduce(s, IR_reduce_sum, e, &axis, 1, true);
        ir_val empty = ir_e_eq(s, sum, ir_e_like(s, sum, 0)); /* log 0, but its derivative stays a number */
        sum = ir_e_select(s, empty, ir_e_like(s, sum, 1), sum);
        y = ir_e_select(s, empty, ir_e_like(s, sum, -INFINITY), ir_e_add(s, m, ir_e_log(s, sum)));
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

/* ---- layer_norm
 * -------------------------------------------------------------------------------------------------- */

/* v, if given, is [extent of x's last axis] */
static bool norm_param(ir_sink *s, ir_val x, ir_val v)
{
    if (!v) {
        return true;
    }
    ir_type tx = ir_c_type(s, x), tv = ir_c_type(s, v);

    if (tv.rank != 1 || tv.dims[0] != tx.dims[tx.rank - 1]) {
        return ir_c_misfit(s, "layer_norm", "gamma and beta have x's last axis", x, v);
    }
    return ir_c_same_dtype(s, "layer_norm", x, v);
}

static ir_val normalised(ir_sink *s, ir_val x, double eps)
{
    ir_type t = ir_c_type(s, x);
    int last = t.rank - 1;
    ir_val d = ir_e_sub(s, x, ir_e_broadcast(s, ir_c_mean(s, x, &last, 1, true), t.rank, t.dims));
    ir_val var = ir_c_mean(s, ir_e_mul(s, d, d), &last, 1, true);

    return ir_e_mul(s, d, ir_e_broadcast(s, ir_e_rsqrt(s, plus(s, var, eps)), t.rank, t.dims));
}

ir_val ir_c_layer_norm(ir_sink *s, ir_val x, ir_val gamma, ir_val beta, double eps)
{
    const char *outer = ir_c_open(s, "layer_norm");
    ir_val y = 0;
    int last;

    if (ir_c_float(s, "layer_norm", x) && ir_c_axis(s, "layer_norm", x, -1, &last) &&
        norm_param(s, x, gamma) && norm_param(s, x, beta)) {
        ir_type t = ir_c_type(s, x);
        y = normalised(s, x, eps);
        if (gamma) {
            y = ir_e_mul(s, y, ir_e_broadcast(s, gamma, t.rank, t.dims));
        }
        if (beta) {
            y = ir_e_add(s, y, ir_e_broadcast(s, beta, t.rank, t.dims));
        }
    }
    return ir_c_close(s, outer, y);
}
