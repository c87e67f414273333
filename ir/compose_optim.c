/* ir/compose_optim.c: optimiser steps as new values of parameter and state (compose.h).
 *
 *   sgd      g += wd p;  m = mu m + g;  p -= lr m                    (nesterov: p -= lr (g + mu m))
 *   adam     m += (1 - b1)(g - m);  v = b2 v + (1 - b2) g g;
 *            p -= lr / (1 - b1^t) m / (sqrt v / sqrt(1 - b2^t) + eps)                    (amsgrad: max of v)
 *   rmsprop  v = a v + (1 - a) g g;  p -= lr g / (sqrt v + eps)      (centered: v - mean g ^ 2)
 *   adagrad  v += g g;  p -= lr / (1 + (t - 1) decay) g / (sqrt v + eps)
 *   lion     u = sign(b1 m + (1 - b1) g);  m = b2 m + (1 - b2) g;  p -= lr u
 *
 * PyTorch's formulas (torch.optim, single tensor); lion: Chen et al. 2023, arXiv 2302.06675.  All nodes but
 * the scalars have the parameter's shape, so each parameter's update is one pointwise kernel.  Learning rate
 * and step are scalars, values of the sink: a compiled step follows them without being compiled again.
 * Scalars are computed in f64 and rounded to the parameter's dtype once: 1 - b^t in f32 would lose four
 * digits at t = 1. */
#include "ir/compose.h"
#include "ir/compose_check.h"
#include "ir/emit.h"

static ir_val times(ir_sink *s, ir_val v, double c)
{
    return ir_e_mul(s, v, ir_e_like(s, v, c));
}

static ir_val plus(ir_sink *s, ir_val v, double c)
{
    return ir_e_add(s, v, ir_e_like(s, v, c));
}

/* a v + (1 - a) x */
static ir_val average(ir_sink *s, ir_val v, double a, ir_val x)
{
    return ir_e_add(s, times(s, v, a), times(s, x, 1 - a));
}

/* v + (1 - a)(x - v) */
static ir_val towards(ir_sink *s, ir_val v, double a, ir_val x)
{
    return ir_e_add(s, v, times(s, ir_e_sub(s, x, v), 1 - a));
}

/* g + wd p */
static ir_val decayed(ir_sink *s, ir_val g, ir_val p, double weight_decay)
{
    return weight_decay == 0 ? g : ir_e_add(s, g, times(s, p, weight_decay));
}

/* A scalar repeated to p's shape, rounded to its dtype first. */
static ir_val spread(ir_sink *s, ir_val scalar, ir_val p)
{
    if (!p) {
        return 0;
    }
    ir_type t = ir_c_type(s, p);
    return ir_e_broadcast(s, ir_e_convert(s, scalar, t.dtype), t.rank, t.dims);
}

/* p (1 - lr wd) */
static ir_val shrunk(ir_sink *s, ir_val p, ir_val lr, double weight_decay)
{
    if (weight_decay == 0) {
        return p;
    }
    ir_val kept = ir_e_sub(s, ir_e_like(s, lr, 1), times(s, lr, weight_decay));
    return ir_e_mul(s, p, spread(s, kept, p));
}

static bool scalar_fits(ir_sink *s, const char *op, const char *what, ir_val p, ir_val *v)
{
    if (!ir_c_float(s, op, *v)) {
        return false;
    }
    if (s->type(s, *v)->rank != 0) {
        return ir_c_misfit(s, op, what, p, *v);
    }
    *v = ir_e_convert(s, *v, IR_DT_f64);
    return true;
}

/* Gradient and states have the parameter's type; state entries may be NULL.  lr becomes f64. */
static bool step_fits(ir_sink *s, const char *op, ir_val p, ir_val g, ir_val *const *state, int n, ir_val *lr)
{
    if (!ir_c_float(s, op, p) || !ir_c_same_type(s, op, p, g)) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        if (state[i] && !ir_c_same_type(s, op, p, *state[i])) {
            return false;
        }
    }
    return scalar_fits(s, op, "the learning rate is a scalar", p, lr);
}

ir_val ir_c_sgd(ir_sink *s, ir_val p, ir_val g, ir_val *momentum, ir_val lr, double mu, double weight_decay,
                bool nesterov)
{
    const char *outer = ir_c_open(s, "sgd");
    ir_val y = 0;

    if (step_fits(s, "sgd", p, g, &momentum, 1, &lr)) {
        g = decayed(s, g, p, weight_decay);
        if (momentum) {
            *momentum = ir_e_add(s, times(s, *momentum, mu), g);
            g = nesterov ? ir_e_add(s, g, times(s, *momentum, mu)) : *momentum;
        }
        y = ir_e_sub(s, p, ir_e_mul(s, g, spread(s, lr, p)));
    }
    return ir_c_close(s, outer, y);
}

/* ---- adam ---------------------------------------------------------------------------------------------- */

/* 1 - b^t, a scalar of type f64 */
static ir_val correction(ir_sink *s, ir_val t, double b)
{
    return ir_e_sub(s, ir_e_like(s, t, 1), ir_e_pow(s, ir_e_like(s, t, b), t));
}

/* lr / (1 - b1^t) m / (sqrt v / sqrt(1 - b2^t) + eps); the root is a product: one division an element less */
static ir_val adam_update(ir_sink *s, ir_val m, ir_val v, ir_val t, ir_val lr, const ir_adam *how)
{
    ir_val size = ir_e_div(s, lr, correction(s, t, how->b1));
    ir_val root = ir_e_rsqrt(s, correction(s, t, how->b2));
    ir_val denominator = plus(s, ir_e_mul(s, ir_e_sqrt(s, v), spread(s, root, v)), how->eps);

    return ir_e_mul(s, spread(s, size, m), ir_e_div(s, m, denominator));
}

ir_val ir_c_adam(ir_sink *s, ir_val p, ir_val g, ir_val *m, ir_val *v, ir_val *most, ir_val t, ir_val lr,
                 const ir_adam *how)
{
    const char *op = how->decoupled ? "adamw" : "adam";
    const char *outer = ir_c_open(s, op);
    ir_val y = 0;

    if (step_fits(s, op, p, g, (ir_val *const[]){m, v, most}, 3, &lr) &&
        scalar_fits(s, op, "the step is a scalar", p, &t)) {
        if (how->decoupled) {
            p = shrunk(s, p, lr, how->weight_decay);
        } else {
            g = decayed(s, g, p, how->weight_decay);
        }
        *m = towards(s, *m, how->b1, g);
        *v = average(s, *v, how->b2, ir_e_mul(s, g, g));
        if (most) {
            *most = ir_e_max(s, *most, *v);
        }
        y = ir_e_sub(s, p, adam_update(s, *m, most ? *most : *v, t, lr, how));
    }
    return ir_c_close(s, outer, y);
}

/* ---- rmsprop, adagrad, lion ---------------------------------------------------------------------------- */

/* sqrt(v - mean^2) + eps; rounding may leave a difference below 0, which is 0 then */
static ir_val deviation(ir_sink *s, ir_val v, const ir_val *mean, double eps)
{
    if (mean) {
        v = ir_e_sub(s, v, ir_e_mul(s, *mean, *mean));
        v = ir_e_max(s, v, ir_e_like(s, v, 0));
    }
    return plus(s, ir_e_sqrt(s, v), eps);
}

ir_val ir_c_rmsprop(ir_sink *s, ir_val p, ir_val g, ir_val *v, ir_val *mean, ir_val *momentum, ir_val lr,
                    const ir_rmsprop *how)
{
    const char *outer = ir_c_open(s, "rmsprop");
    ir_val y = 0;

    if (step_fits(s, "rmsprop", p, g, (ir_val *const[]){v, mean, momentum}, 3, &lr)) {
        g = decayed(s, g, p, how->weight_decay);
        *v = average(s, *v, how->alpha, ir_e_mul(s, g, g));
        if (mean) {
            *mean = towards(s, *mean, how->alpha, g);
        }
        ir_val u = ir_e_div(s, g, deviation(s, *v, mean, how->eps));
        if (momentum) {
            u = *momentum = ir_e_add(s, times(s, *momentum, how->momentum), u);
        }
        y = ir_e_sub(s, p, ir_e_mul(s, u, spread(s, lr, p)));
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_adagrad(ir_sink *s, ir_val p, ir_val g, ir_val *sum, ir_val t, ir_val lr, double lr_decay,
                    double weight_decay, double eps)
{
    const char *outer = ir_c_open(s, "adagrad");
    ir_val y = 0;

    if (step_fits(s, "adagrad", p, g, &sum, 1, &lr) &&
        scalar_fits(s, "adagrad", "the step is a scalar", p, &t)) {
        g = decayed(s, g, p, weight_decay);
        *sum = ir_e_add(s, *sum, ir_e_mul(s, g, g));
        ir_val size = lr;
        if (lr_decay != 0) {
            size = ir_e_div(s, lr, plus(s, times(s, plus(s, t, -1), lr_decay), 1));
        }
        y = ir_e_sub(s, p, ir_e_mul(s, spread(s, size, p), ir_e_div(s, g, deviation(s, *sum, NULL, eps))));
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_lion(ir_sink *s, ir_val p, ir_val g, ir_val *m, ir_val lr, double b1, double b2,
                 double weight_decay)
{
    const char *outer = ir_c_open(s, "lion");
    ir_val y = 0;

    if (step_fits(s, "lion", p, g, &m, 1, &lr)) {
        ir_val u = ir_e_sign(s, average(s, *m, b1, g));
        *m = average(s, *m, b2, g);
        p = shrunk(s, p, lr, weight_decay);
        y = ir_e_sub(s, p, ir_e_mul(s, u, spread(s, lr, p)));
    }
    return ir_c_close(s, outer, y);
}

/* ---- gradients as a whole ------------------------------------------------------------------------------ */

/* sum g^2 in g's dtype, or max |g|, over all elements */
static ir_val magnitude(ir_sink *s, ir_val g, bool infinity)
{
    int axes[IR_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    int rank = ir_c_type(s, g).rank;
    ir_val v = infinity ? ir_e_abs(s, g) : ir_e_mul(s, g, g);

    return ir_e_convert(s, ir_e_reduce(s, infinity ? IR_reduce_max : IR_reduce_sum, v, axes, rank, false),
                        IR_DT_f64);
}

ir_val ir_c_grad_norm(ir_sink *s, const ir_val *g, int n, bool infinity)
{
    const char *outer = ir_c_open(s, "grad_norm");
    ir_val y = 0;

    for (int i = 0; i < n; i++) {
        ir_val v = ir_c_float(s, "grad_norm", g[i]) ? magnitude(s, g[i], infinity) : 0;
        y = !v ? 0 : i == 0 ? v : infinity ? ir_e_max(s, y, v) : ir_e_add(s, y, v);
    }
    return ir_c_close(s, outer, infinity ? y : ir_e_sqrt(s, y));
}

ir_val ir_c_clip_by_norm(ir_sink *s, ir_val g, ir_val norm, double most)
{
    const char *outer = ir_c_open(s, "clip_by_norm");
    ir_val y = 0;

    if (ir_c_float(s, "clip_by_norm", g) &&
        scalar_fits(s, "clip_by_norm", "the norm is a scalar", g, &norm)) {
        ir_val ratio = ir_e_div(s, ir_e_like(s, norm, most), plus(s, norm, 1e-6));
        y = ir_e_mul(s, g, spread(s, ir_e_min(s, ratio, ir_e_like(s, ratio, 1)), g));
    }
    return ir_c_close(s, outer, y);
}
