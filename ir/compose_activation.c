/* ir/compose_activation.c: activations and other pointwise composites (compose.h), with PyTorch's formulas,
 * defaults and gradients at kinks.
 *
 *   elu   p = x > 0;  y = p ? x : alpha expm1(p ? 0 : x)
 *
 * Each branch sees only the elements that choose it: expm1 of a large positive x would be inf, and its
 * gradient inf times the 0 that select passes on, a NaN.  So all of these are differentiable wherever their
 * value is finite, to any order. */
#include "ir/compose.h"
#include "ir/compose_check.h"
#include "ir/emit.h"

static ir_val like(ir_sink *s, ir_val x, double v)
{
    return ir_e_like(s, x, v);
}

static ir_val times(ir_sink *s, ir_val x, double v)
{
    return ir_e_mul(s, x, like(s, x, v));
}

static ir_val positive(ir_sink *s, ir_val x)
{
    return ir_e_gt(s, x, like(s, x, 0));
}

/* p ? x : 0 and p ? 0 : x */
static ir_val where(ir_sink *s, ir_val p, ir_val x)
{
    return ir_e_select(s, p, x, like(s, x, 0));
}

static ir_val where_not(ir_sink *s, ir_val p, ir_val x)
{
    return ir_e_select(s, p, like(s, x, 0), x);
}

/* ---- linear above 0, something else below ------------------------------------------------------------- */

ir_val ir_c_leaky_relu(ir_sink *s, ir_val x, double slope)
{
    const char *outer = ir_c_open(s, "leaky_relu");
    ir_val y = 0;

    if (ir_c_float(s, "leaky_relu", x))
        y = ir_e_select(s, positive(s, x), x, times(s, x, slope));
    return ir_c_close(s, outer, y);
}

/* above x where x > 0, else below expm1(x / width) */
static ir_val exponential(ir_sink *s, const char *name, ir_val x, double above, double below, double width)
{
    const char *outer = ir_c_open(s, name);
    ir_val y = 0;

    if (ir_c_float(s, name, x)) {
        ir_val p = positive(s, x), low = where_not(s, p, x);
        low = width == 1 ? low : ir_e_div(s, low, like(s, low, width));
        y = ir_e_select(s, p, above == 1 ? x : times(s, x, above), times(s, ir_e_expm1(s, low), below));
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_elu(ir_sink *s, ir_val x, double alpha)
{
    return exponential(s, "elu", x, 1, alpha, 1);
}

/* Klambauer et al., arXiv 1706.02515 */
ir_val ir_c_selu(ir_sink *s, ir_val x)
{
    const double scale = 1.0507009873554804934193349852946, alpha = 1.6732632423543772848170429916717;

    return exponential(s, "selu", x, scale, scale * alpha, 1);
}

ir_val ir_c_celu(ir_sink *s, ir_val x, double alpha)
{
    if (!(alpha != 0)) {
        ir_fail(s->err, IR_EARG, "celu: alpha %g", alpha);
        return 0;
    }
    return exponential(s, "celu", x, 1, alpha, alpha);
}

/* w broadcast: one number, or one for each place of axis 1. */
static bool prelu_weight(ir_sink *s, ir_val x, ir_val *w)
{
    int64_t dims[IR_MAX_RANK] = {0};

    if (!ir_c_float(s, "prelu", x) || !ir_c_same_dtype(s, "prelu", x, *w))
        return false;
    ir_type tx = ir_c_type(s, x), tw = ir_c_type(s, *w);
    bool one = tw.rank == 0 || (tw.rank == 1 && tw.dims[0] == 1);
    if (!one && (tw.rank != 1 || tx.rank < 2 || tw.dims[0] != tx.dims[1]))
        return ir_c_misfit(s, "prelu", "the weight has one element, or x's axis 1", x, *w);
    for (int i = 0; i < tx.rank; i++)
        dims[i] = i == 1 && !one ? tx.dims[1] : 1;
    *w = ir_e_broadcast(s, ir_e_reshape(s, *w, tx.rank, dims), tx.rank, tx.dims);
    return *w != 0;
}

ir_val ir_c_prelu(ir_sink *s, ir_val x, ir_val w)
{
    const char *outer = ir_c_open(s, "prelu");
    ir_val y = 0;

    if (x && w && prelu_weight(s, x, &w)) {
        ir_val p = positive(s, x);
        y = ir_e_select(s, p, x, ir_e_mul(s, w, where_not(s, p, x)));
    }
    return ir_c_close(s, outer, y);
}

/* ---- the logarithm of 1 + e^x ------------------------------------------------------------------------- */

/* log(1 + e^x) = max(x, 0) + log1p(e^-|x|); written by select, so that the second derivative at 0 is right.
 */
static ir_val log1p_exp(ir_sink *s, ir_val x)
{
    ir_val p = positive(s, x), minus = ir_e_select(s, p, ir_e_neg(s, x), x);

    return ir_e_add(s, where(s, p, x), ir_e_log1p(s, ir_e_exp(s, minus)));
}

ir_val ir_c_softplus(ir_sink *s, ir_val x, double beta, double threshold)
{
    const char *outer = ir_c_open(s, "softplus");
    ir_val y = 0;

    if (!(beta != 0)) {
        ir_fail(s->err, IR_EARG, "softplus: beta %g", beta);
    } else if (ir_c_float(s, "softplus", x)) {
        ir_val z = beta == 1 ? x : times(s, x, beta), soft = log1p_exp(s, z);
        soft = beta == 1 ? soft : ir_e_div(s, soft, like(s, soft, beta));
        y = ir_e_select(s, ir_e_gt(s, z, like(s, z, threshold)), x, soft);
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_log_sigmoid(ir_sink *s, ir_val x)
{
    const char *outer = ir_c_open(s, "log_sigmoid");
    ir_val y = ir_c_float(s, "log_sigmoid", x) ? ir_e_neg(s, log1p_exp(s, ir_e_neg(s, x))) : 0;

    return ir_c_close(s, outer, y);
}

/* Misra, arXiv 1908.08681 */
ir_val ir_c_mish(ir_sink *s, ir_val x)
{
    const char *outer = ir_c_open(s, "mish");
    ir_val y = ir_c_float(s, "mish", x) ? ir_e_mul(s, x, ir_e_tanh(s, log1p_exp(s, x))) : 0;

    return ir_c_close(s, outer, y);
}

/* ---- rational and piecewise linear -------------------------------------------------------------------- */

ir_val ir_c_softsign(ir_sink *s, ir_val x)
{
    const char *outer = ir_c_open(s, "softsign");
    ir_val y = 0;

    if (ir_c_float(s, "softsign", x))
        y = ir_e_div(s, x, ir_e_add(s, ir_e_abs(s, x), like(s, x, 1)));
    return ir_c_close(s, outer, y);
}

ir_val ir_c_tanhshrink(ir_sink *s, ir_val x)
{
    const char *outer = ir_c_open(s, "tanhshrink");
    ir_val y = ir_c_float(s, "tanhshrink", x) ? ir_e_sub(s, x, ir_e_tanh(s, x)) : 0;

    return ir_c_close(s, outer, y);
}

/* x within lo..hi, whose gradient is 0 on the edges too. */
static ir_val inside(ir_sink *s, ir_val x, double lo, double hi)
{
    ir_val in = ir_e_and(s, ir_e_gt(s, x, like(s, x, lo)), ir_e_lt(s, x, like(s, x, hi)));

    return ir_e_select(s, in, x, ir_e_stop_gradient(s, ir_e_clamp(s, x, lo, hi)));
}

static ir_val piecewise(ir_sink *s, const char *name, ir_val x, double lo, double hi)
{
    const char *outer = ir_c_open(s, name);
    ir_val y = 0;

    if (!(lo < hi))
        ir_fail(s->err, IR_EARG, "%s: from %g to %g", name, lo, hi);
    else if (ir_c_float(s, name, x))
        y = inside(s, x, lo, hi);
    return ir_c_close(s, outer, y);
}

ir_val ir_c_hardtanh(ir_sink *s, ir_val x, double lo, double hi)
{
    return piecewise(s, "hardtanh", x, lo, hi);
}

ir_val ir_c_relu6(ir_sink *s, ir_val x)
{
    return piecewise(s, "relu6", x, 0, 6);
}

static ir_val hard_gate(ir_sink *s, ir_val x)
{
    ir_val six = inside(s, ir_e_add(s, x, like(s, x, 3)), 0, 6);

    return ir_e_div(s, six, like(s, six, 6));
}

ir_val ir_c_hardsigmoid(ir_sink *s, ir_val x)
{
    const char *outer = ir_c_open(s, "hardsigmoid");
    ir_val y = ir_c_float(s, "hardsigmoid", x) ? hard_gate(s, x) : 0;

    return ir_c_close(s, outer, y);
}

/* Howard et al., arXiv 1905.02244 */
ir_val ir_c_hardswish(ir_sink *s, ir_val x)
{
    const char *outer = ir_c_open(s, "hardswish");
    ir_val y = ir_c_float(s, "hardswish", x) ? ir_e_mul(s, x, hard_gate(s, x)) : 0;

    return ir_c_close(s, outer, y);
}

/* ---- arithmetic --------------------------------------------------------------------------------------- */

ir_val ir_c_reciprocal(ir_sink *s, ir_val x)
{
    const char *outer = ir_c_open(s, "reciprocal");
    ir_val y = ir_c_float(s, "reciprocal", x) ? ir_e_div(s, like(s, x, 1), x) : 0;

    return ir_c_close(s, outer, y);
}

/* From the nearer end, so that w = 0 and w = 1 are exact. */
ir_val ir_c_lerp(ir_sink *s, ir_val x, ir_val z, ir_val w)
{
    const char *outer = ir_c_open(s, "lerp");
    ir_val y = 0;

    if (x && z && w && ir_c_float(s, "lerp", x) && ir_c_same_dtype(s, "lerp", x, z) &&
        ir_c_same_dtype(s, "lerp", x, w) && ir_e_broadcast_pair(s, "lerp", &x, &z) &&
        ir_e_broadcast_pair(s, "lerp", &x, &w)) {
        ir_type t = ir_c_type(s, x);
        z = ir_e_broadcast(s, z, t.rank, t.dims); /* x grew with w: z follows */
        ir_val d = ir_e_sub(s, z, x), near = ir_e_lt(s, ir_e_abs(s, w), like(s, w, 0.5));
        ir_val back = ir_e_mul(s, d, ir_e_sub(s, like(s, w, 1), w));
        y = ir_e_select(s, near, ir_e_add(s, x, ir_e_mul(s, w, d)), ir_e_sub(s, z, back));
    }
    return ir_c_close(s, outer, y);
}

/* rem, moved by z where its sign is not z's: Python's %. */
ir_val ir_c_remainder(ir_sink *s, ir_val x, ir_val z)
{
    const char *outer = ir_c_open(s, "remainder");
    ir_val y = 0;

    if (ir_c_same_dtype(s, "remainder", x, z) && ir_e_broadcast_pair(s, "remainder", &x, &z)) {
        ir_val r = ir_e_rem(s, x, z), zero = like(s, r, 0);
        ir_val apart = ir_e_ne(s, ir_e_lt(s, r, zero), ir_e_lt(s, z, zero));
        y = ir_e_select(s, ir_e_and(s, ir_e_ne(s, r, zero), apart), ir_e_add(s, r, z), r);
    }
    return ir_c_close(s, outer, y);
}
