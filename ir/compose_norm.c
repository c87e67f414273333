/* ir/compose_norm.c: normalisation, norms and what is made of them (compose.h).
 *
 *   layer_norm   over the last axis        y = d rsqrt(mean d^2 + eps) gamma + beta,  d = x - mean x
 *   group_norm   over a group's channels and all places; instance norm: a group a channel
 *   batch_norm   over all axes but 1; training uses the batch's statistics and moves the running ones
 *   rms_norm     over the last axis        y = x rsqrt(mean x^2 + eps) gamma
 *   norm         2: sqrt sum x^2;  1: sum |x|;  inf: max |x|;  p: (sum |x|^p)^(1/p)
 *
 * Variances take two passes.  Where a root's derivative is infinite (all elements 0, no spread) the root is
 * taken of a 1 that is not used, so gradients there are 0, as PyTorch's. */
#include "ir/compose.h"
#include "ir/compose_check.h"
#include "ir/emit.h"

#include <math.h>

static ir_val spread(ir_sink *s, ir_val v, const ir_type *t)
{
    return ir_e_broadcast(s, v, t->rank, t->dims);
}

/* d / sqrt(var + eps); var has extents of 1 where it was reduced. */
static ir_val scaled_by(ir_sink *s, ir_val d, ir_val var, double eps, const ir_type *t)
{
    ir_val scale = ir_e_rsqrt(s, ir_e_add(s, var, ir_e_like(s, var, eps)));

    return ir_e_mul(s, d, spread(s, scale, t));
}

/* x less its mean over the axes, by its deviation; *mean, *var (may be NULL) as the batch has them. */
static ir_val standardised(ir_sink *s, ir_val x, const int *axes, int n, double eps, ir_val *mean,
                           ir_val *var)
{
    ir_type t = ir_c_type(s, x);
    ir_val m = ir_c_mean(s, x, axes, n, true), d = ir_e_sub(s, x, spread(s, m, &t));
    ir_val v = ir_c_mean(s, ir_e_mul(s, d, d), axes, n, true);

    if (mean) {
        *mean = m;
        *var = v;
    }
    return v ? scaled_by(s, d, v, eps, &t) : 0;
}

/* v, if given, is [extent of x's axis] */
static bool fits_axis(ir_sink *s, const char *op, const char *what, ir_val x, int axis, ir_val v)
{
    if (!v) {
        return true;
    }
    ir_type tx = ir_c_type(s, x), tv = ir_c_type(s, v);

    if (tv.rank != 1 || tv.dims[0] != tx.dims[axis]) {
        return ir_c_misfit(s, op, what, x, v);
    }
    return ir_c_same_dtype(s, op, x, v);
}

/* [c] repeated over all axes but `axis` of t */
static ir_val along(ir_sink *s, ir_val v, const ir_type *t, int axis)
{
    int64_t dims[IR_MAX_RANK];

    for (int i = 0; i < t->rank; i++) {
        dims[i] = i == axis ? t->dims[i] : 1;
    }
    return spread(s, ir_e_reshape(s, v, t->rank, dims), t);
}

/* y gamma + beta, each [extent of the axis] or none */
static ir_val affine(ir_sink *s, ir_val y, ir_val gamma, ir_val beta, int axis)
{
    if (!y) {
        return 0;
    }
    ir_type t = ir_c_type(s, y);

    if (gamma) {
        y = ir_e_mul(s, y, along(s, gamma, &t, axis));
    }
    return beta ? ir_e_add(s, y, along(s, beta, &t, axis)) : y;
}

static bool channels(ir_sink *s, const char *op, ir_val x)
{
    char text[160];

    if (!ir_c_float(s, op, x)) {
        return false;
    }
    if (s->type(s, x)->rank < 2) {
        ir_fail(s->err, IR_ESHAPE, "%s: [n, channels, ..] is needed, not %s", op,
                ir_type_text(s->type(s, x), NULL, text, sizeof text));
        return false;
    }
    return true;
}

ir_val ir_c_layer_norm(ir_sink *s, ir_val x, ir_val gamma, ir_val beta, double eps)
{
    const char *outer = ir_c_open(s, "layer_norm"), *why = "gamma and beta have x's last axis";
    ir_val y = 0;
    int last;

    if (ir_c_float(s, "layer_norm", x) && ir_c_axis(s, "layer_norm", x, -1, &last) &&
        fits_axis(s, "layer_norm", why, x, last, gamma) && fits_axis(s, "layer_norm", why, x, last, beta)) {
        y = affine(s, standardised(s, x, &last, 1, eps, NULL, NULL), gamma, beta, last);
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_rms_norm(ir_sink *s, ir_val x, ir_val gamma, double eps)
{
    const char *outer = ir_c_open(s, "rms_norm");
    ir_val y = 0;
    int last;

    if (ir_c_float(s, "rms_norm", x) && ir_c_axis(s, "rms_norm", x, -1, &last) &&
        fits_axis(s, "rms_norm", "gamma has x's last axis", x, last, gamma)) {
        ir_type t = ir_c_type(s, x);
        ir_val mean = ir_c_mean(s, ir_e_mul(s, x, x), &last, 1, true);
        y = mean ? affine(s, scaled_by(s, x, mean, eps, &t), gamma, 0, last) : 0;
    }
    return ir_c_close(s, outer, y);
}

/* Of constant extents; groups divides x's channels. */
static ir_val grouped(ir_sink *s, ir_val x, int64_t groups, ir_val gamma, ir_val beta, double eps)
{
    ir_type t = ir_c_type(s, x);
    const int64_t rows[3] = {t.dims[0], groups, ir_type_elements(&t) / t.dims[0] / groups};
    const int last = 2;
    ir_val y = standardised(s, ir_e_reshape(s, x, 3, rows), &last, 1, eps, NULL, NULL);

    return affine(s, ir_e_reshape(s, y, t.rank, t.dims), gamma, beta, 1);
}

static bool by_channel(ir_sink *s, const char *op, ir_val x, ir_val gamma, ir_val beta)
{
    const char *why = "gamma and beta have x's channels";

    return channels(s, op, x) && fits_axis(s, op, why, x, 1, gamma) && fits_axis(s, op, why, x, 1, beta);
}

ir_val ir_c_group_norm(ir_sink *s, ir_val x, int groups, ir_val gamma, ir_val beta, double eps)
{
    const char *outer = ir_c_open(s, "group_norm");
    char text[160];
    ir_val y = 0;

    if (by_channel(s, "group_norm", x, gamma, beta)) {
        ir_type t = ir_c_type(s, x);
        if (groups < 1 || !ir_type_is_static(&t) || t.dims[1] % groups) {
            ir_fail(s->err, IR_ESHAPE, "group_norm: %d groups of the channels of %s", groups,
                    ir_type_text(&t, NULL, text, sizeof text));
        } else {
            y = grouped(s, x, groups, gamma, beta, eps);
        }
    }
    return ir_c_close(s, outer, y);
}

/* A group a channel.  One place has no spread. */
ir_val ir_c_instance_norm(ir_sink *s, ir_val x, ir_val gamma, ir_val beta, double eps)
{
    const char *outer = ir_c_open(s, "instance_norm");
    char text[160];
    ir_val y = 0;

    if (by_channel(s, "instance_norm", x, gamma, beta)) {
        ir_type t = ir_c_type(s, x);
        if (!ir_type_is_static(&t) || ir_type_elements(&t) == t.dims[0] * t.dims[1]) {
            ir_fail(s->err, IR_ESHAPE, "instance_norm: %s has not several places a channel, of known extents",
                    ir_type_text(&t, NULL, text, sizeof text));
        } else {
            y = grouped(s, x, t.dims[1], gamma, beta, eps);
        }
    }
    return ir_c_close(s, outer, y);
}

/* ---- batch_norm ---------------------------------------------------------------------------------------- */

/* old + momentum (now - old), as (1 - momentum) old + momentum now; no gradient flows to it. */
static ir_val moved(ir_sink *s, ir_val old, ir_val now, double momentum)
{
    ir_type t = ir_c_type(s, old);
    ir_val part = ir_e_reshape(s, ir_e_stop_gradient(s, now), t.rank, t.dims);
    ir_val kept = ir_e_mul(s, old, ir_e_like(s, old, 1 - momentum));

    return ir_e_add(s, kept, ir_e_mul(s, part, ir_e_like(s, part, momentum)));
}

/* The variance that runs along is the unbiased one. */
static ir_val train_batch(ir_sink *s, ir_val x, ir_val *mean, ir_val *var, double momentum, double eps)
{
    ir_type t = ir_c_type(s, x);
    int axes[IR_MAX_RANK] = {0}, n = 1;
    double count = (double)t.dims[0];
    ir_val m, v;

    for (int i = 2; i < t.rank; i++) {
        axes[n++] = i;
        count *= (double)t.dims[i];
    }
    if (count == 1) {
        char text[160];
        ir_fail(s->err, IR_EARG, "batch_norm: one value a channel has no spread: %s",
                ir_type_text(&t, NULL, text, sizeof text));
        return 0;
    }
    ir_val y = standardised(s, x, axes, n, eps, &m, &v);
    if (y && *mean) {
        *mean = moved(s, *mean, m, momentum);
        *var = moved(s, *var, ir_e_mul(s, v, ir_e_like(s, v, count / (count - 1))), momentum);
    }
    return y;
}

static ir_val known_batch(ir_sink *s, ir_val x, ir_val mean, ir_val var, double eps)
{
    ir_type t = ir_c_type(s, x);
    ir_val d = ir_e_sub(s, x, along(s, mean, &t, 1));
    ir_val scale = ir_e_rsqrt(s, ir_e_add(s, var, ir_e_like(s, var, eps)));

    return ir_e_mul(s, d, along(s, scale, &t, 1));
}

ir_val ir_c_batch_norm(ir_sink *s, ir_val x, ir_val gamma, ir_val beta, ir_val *mean, ir_val *var,
                       bool training, double momentum, double eps)
{
    const char *op = "batch_norm", *outer = ir_c_open(s, op);
    ir_val y = 0;

    if (!*mean != !*var || (!training && !*mean)) {
        ir_fail(s->err, IR_EARG,
                "batch_norm: running mean and variance go together, and inference needs them");
    } else if (channels(s, op, x) && fits_axis(s, op, "gamma has x's channels", x, 1, gamma) &&
               fits_axis(s, op, "beta has x's channels", x, 1, beta) &&
               fits_axis(s, op, "the running mean has x's channels", x, 1, *mean) &&
               fits_axis(s, op, "the running variance has x's channels", x, 1, *var)) {
        y = training ? train_batch(s, x, mean, var, momentum, eps) : known_batch(s, x, *mean, *var, eps);
        y = affine(s, y, gamma, beta, 1);
    }
    return ir_c_close(s, outer, y);
}

/* ---- norms --------------------------------------------------------------------------------------------- */

/* f(v) where v is not 0, else 0, with a gradient of 0. */
static ir_val off_zero(ir_sink *s, ir_val v, ir_val (*f)(ir_sink *, ir_val, double), double p)
{
    ir_val zero = ir_e_eq(s, v, ir_e_like(s, v, 0));
    ir_val y = f(s, ir_e_select(s, zero, ir_e_like(s, v, 1), v), p);

    return ir_e_select(s, zero, ir_e_like(s, v, 0), y);
}

static ir_val root(ir_sink *s, ir_val v, double p)
{
    (void)p;
    return ir_e_sqrt(s, v);
}

static ir_val power(ir_sink *s, ir_val v, double p)
{
    return ir_e_pow(s, v, ir_e_like(s, v, p));
}

/* No axes: all of them. */
static bool axes_of(ir_sink *s, const char *op, ir_val x, const int *axes, int *n, int *list)
{
    bool all = *n == 0;

    *n = all ? s->type(s, x)->rank : *n;
    for (int i = 0; i < *n; i++) {
        if (!ir_c_axis(s, op, x, all ? i : axes[i], &list[i])) {
            return false;
        }
    }
    return true;
}

ir_val ir_c_std(ir_sink *s, ir_val x, const int *axes, int n, int correction, bool keep)
{
    const char *outer = ir_c_open(s, "std");
    ir_val v = ir_c_float(s, "std", x) ? ir_c_var(s, x, axes, n, correction, keep) : 0;

    return ir_c_close(s, outer, off_zero(s, v, root, 0));
}

static ir_val norm_of(ir_sink *s, ir_val x, double p, const int *axes, int n, bool keep)
{
    ir_dtype d = s->type(s, x)->dtype;

    if (p == 2) {
        return off_zero(s, ir_e_reduce(s, IR_reduce_sum, ir_e_mul(s, x, x), axes, n, keep), root, 0);
    }
    if (p == 0) {
        ir_val there = ir_e_convert(s, ir_e_ne(s, x, ir_e_like(s, x, 0)), d);
        return ir_e_reduce(s, IR_reduce_sum, there, axes, n, keep);
    }
    ir_val size = ir_e_abs(s, x);
    if (p == 1) {
        return ir_e_reduce(s, IR_reduce_sum, size, axes, n, keep);
    }
    if (isinf(p)) {
        return ir_e_reduce(s, p > 0 ? IR_reduce_max : IR_reduce_min, size, axes, n, keep);
    }
    ir_val sum = ir_e_reduce(s, IR_reduce_sum, off_zero(s, size, power, p), axes, n, keep);
    return off_zero(s, sum, power, 1 / p);
}

ir_val ir_c_norm(ir_sink *s, ir_val x, double p, const int *axes, int n, bool keep)
{
    const char *outer = ir_c_open(s, "norm");
    int list[IR_MAX_RANK];
    ir_val y = 0;

    if (!(p >= 0 || p == -INFINITY)) {
        ir_fail(s->err, IR_EARG, "norm: p = %g; 0 or more, or -inf is needed", p);
    } else if (ir_c_float(s, "norm", x) && axes_of(s, "norm", x, axes, &n, list)) {
        y = norm_of(s, x, p, list, n, keep);
    }
    return ir_c_close(s, outer, y);
}

/* The norm along an axis, but at least eps. */
static ir_val length(ir_sink *s, ir_val x, double p, int axis, double eps, bool keep)
{
    ir_val n = norm_of(s, x, p, &axis, 1, keep);

    return ir_e_max(s, n, ir_e_like(s, n, eps));
}

ir_val ir_c_normalize(ir_sink *s, ir_val x, double p, int axis, double eps)
{
    const char *outer = ir_c_open(s, "normalize");
    ir_val y = 0;

    if (!(p >= 0)) {
        ir_fail(s->err, IR_EARG, "normalize: p = %g; 0 or more is needed", p);
    } else if (ir_c_float(s, "normalize", x) && ir_c_axis(s, "normalize", x, axis, &axis)) {
        ir_type t = ir_c_type(s, x);
        y = ir_e_div(s, x, spread(s, length(s, x, p, axis, eps, true), &t));
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_cosine_similarity(ir_sink *s, ir_val x, ir_val z, int axis, double eps)
{
    const char *op = "cosine_similarity", *outer = ir_c_open(s, op);
    ir_val y = 0;

    if (ir_c_same_dtype(s, op, x, z) && ir_c_float(s, op, x) && ir_e_broadcast_pair(s, op, &x, &z) &&
        ir_c_axis(s, op, x, axis, &axis)) {
        ir_val dot = ir_e_reduce(s, IR_reduce_sum, ir_e_mul(s, x, z), &axis, 1, false);
        ir_val lengths = ir_e_mul(s, length(s, x, 2, axis, eps, false), length(s, z, 2, axis, eps, false));
        y = ir_e_div(s, dot, lengths);
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_count_nonzero(ir_sink *s, ir_val x, const int *axes, int n, bool keep)
{
    const char *outer = ir_c_open(s, "count_nonzero");
    int list[IR_MAX_RANK];
    ir_val y = 0;

    if (x && axes_of(s, "count_nonzero", x, axes, &n, list)) {
        ir_val there = ir_e_convert(s, ir_e_ne(s, x, ir_e_like(s, x, 0)), IR_DT_i64);
        y = ir_e_reduce(s, IR_reduce_sum, there, list, n, keep);
    }
    return ir_c_close(s, outer, y);
}
