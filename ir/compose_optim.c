/* ir/compose_optim.c: optimiser steps as new values of parameter and state (compose.h).
 *
 *   sgd    g += wd p;  m = mu m + g;  p -= lr m                  (nesterov: p -= lr (g + mu m))
 *   adam   m += (1 - b1)(g - m);  v = b2 v + (1 - b2) g g;  p -= lr / (1 - b1^t) m / (sqrt v / sqrt(1 - b2^t)
 * + eps)
 *
 * PyTorch's formulas (torch.optim, single tensor).  All nodes but the bias corrections have the parameter's
 * shape, so each parameter's update is one pointwise kernel.  The corrections are scalars computed in f64
 * from the step: 1 - b^t in f32 would lose four digits at t = 1. */
#include "ir/compose.h"
#include "ir/compose_check.h"
#include "ir/emit.h"

static ir_val times(ir_sink *s, ir_val v, double c)
{
    return ir_e_mul(s, v, ir_e_like(s, v, c));
}

/* g + wd p */
static ir_val decayed(ir_sink *s, ir_val g, ir_val p, double weight_decay)
{
    return weight_decay == 0 ? g : ir_e_add(s, g, times(s, p, weight_decay));
}

ir_val ir_c_sgd(ir_sink *s, ir_val p, ir_val g, ir_val *momentum, double lr, double mu, double weight_decay,
                bool nesterov)
{
    const char *outer = ir_c_open(s, "sgd");
    ir_val y = 0;

    if (ir_c_float(s, "sgd", p) && ir_c_same_type(s, "sgd", p, g) &&
        (!momentum || ir_c_same_type(s, "sgd", p, *momentum))) {
        g = decayed(s, g, p, weight_decay);
        if (momentum) {
            *momentum = ir_e_add(s, times(s, *momentum, mu), g);
            g = nesterov ? ir_e_add(s, g, times(s, *momentum, mu)) : *momentum;
        }
        y = ir_e_sub(s, p, times(s, g, lr));
    }
    return ir_c_close(s, outer, y);
}

/* 1 - b^t, a scalar of type f64 */
static ir_val correction(ir_sink *s, ir_val t, double b)
{
    return ir_e_sub(s, ir_e_like(s, t, 1), ir_e_pow(s, ir_e_like(s, t, b), t));
}

/* A scalar repeated to p's shape, rounded to its dtype first. */
static ir_val spread(ir_sink *s, ir_val scalar, const ir_type *t)
{
    return ir_e_broadcast(s, ir_e_convert(s, scalar, t->dtype), t->rank, t->dims);
}

static bool adam_fits(ir_sink *s, const char *op, ir_val p, ir_val g, ir_val m, ir_val v, ir_val step)
{
    if (!ir_c_float(s, op, p) || !ir_c_same_type(s, op, p, g) || !ir_c_same_type(s, op, p, m) ||
        !ir_c_same_type(s, op, p, v) || !ir_c_float(s, op, step)) {
        return false;
    }
    return s->type(s, step)->rank == 0 || ir_c_misfit(s, op, "the step is a scalar", p, step);
}

ir_val ir_c_adam(ir_sink *s, ir_val p, ir_val g, ir_val *m, ir_val *v, ir_val *step, double lr, double b1,
                 double b2, double eps, double weight_decay, bool decoupled)
{
    const char *op = decoupled ? "adamw" : "adam";
    const char *outer = ir_c_open(s, op);
    ir_val y = 0;

    if (adam_fits(s, op, p, g, *m, *v, *step)) {
        ir_type t = ir_c_type(s, p);
        if (!decoupled) {
            g = decayed(s, g, p, weight_decay);
        } else if (weight_decay != 0) {
            p = times(s, p, 1 - lr * weight_decay);
        }
        *step = ir_e_add(s, *step, ir_e_like(s, *step, 1));
        *m = ir_e_add(s, *m, times(s, ir_e_sub(s, g, *m), 1 - b1));
        *v = ir_e_add(s, times(s, *v, b2), times(s, ir_e_mul(s, g, g), 1 - b2));

        ir_val count = ir_e_convert(s, *step, IR_DT_f64), c1 = correction(s, count, b1);
        ir_val size = ir_e_div(s, ir_e_like(s, c1, lr), c1);
        ir_val root = ir_e_rsqrt(s, correction(s, count, b2));
        ir_val denominator =
            ir_e_mul(s, ir_e_sqrt(s, *v), spread(s, root, &t)); /* one division an element less */
        denominator = ir_e_add(s, denominator, ir_e_like(s, denominator, eps));
        y = ir_e_sub(s, p, ir_e_mul(s, spread(s, size, &t), ir_e_div(s, *m, denominator)));
    }
    return ir_c_close(s, outer, y);
}
