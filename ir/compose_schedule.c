/* ir/compose_schedule.c: learning-rate schedules: factors as functions of the step (compose.h).
 *
 *   step         gamma^floor(t / every)                          exponential  gamma^t
 *   multi_step   gamma^(number of milestones <= t)
 *   linear       from + (to - from) min(t / steps, 1)            warm-up: to = 1
 *   cosine       least + (1 - least) (1 + cos(pi min(t / steps, 1))) / 2
 *
 * t is the number of steps taken before, 0 at first, a float scalar (f64 counts exactly).  Closed forms of
 * torch.optim.lr_scheduler; cosine: Loshchilov and Hutter 2016, arXiv 1608.03983.  Being values of the sink,
 * they move with the step inside a compiled training step. */
#include "ir/compose.h"
#include "ir/compose_check.h"
#include "ir/emit.h"

#include <math.h>

static bool fits(ir_sink *s, const char *op, ir_val t, int64_t steps, double factor)
{
    if (!ir_c_float(s, op, t)) {
        return false;
    }
    if (steps < 1 || !isfinite(factor) || factor < 0) {
        ir_fail(s->err, IR_EARG, "%s: %lld steps and factor %g, expected at least 1 and a number >= 0", op,
                (long long)steps, factor);
        return false;
    }
    return true;
}

static ir_val power(ir_sink *s, double gamma, ir_val t)
{
    return ir_e_pow(s, ir_e_like(s, t, gamma), t);
}

ir_val ir_c_lr_step(ir_sink *s, ir_val t, int64_t every, double gamma)
{
    const char *outer = ir_c_open(s, "lr_step");
    ir_val y = 0;

    if (fits(s, "lr_step", t, every, gamma)) {
        ir_val count = ir_e_convert(s, t, IR_DT_i64); /* whole steps: an exact quotient */
        count = ir_e_div(s, count, ir_e_like(s, count, (double)every));
        y = power(s, gamma, ir_e_convert(s, count, ir_c_type(s, t).dtype));
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_lr_multi_step(ir_sink *s, ir_val t, const int64_t *milestones, int n, double gamma)
{
    const char *outer = ir_c_open(s, "lr_multi_step");
    ir_val y = 0;

    if (fits(s, "lr_multi_step", t, n, gamma)) {
        ir_dtype d = ir_c_type(s, t).dtype;
        ir_val passed = ir_e_like(s, t, 0);
        for (int i = 0; i < n; i++) {
            ir_val reached = ir_e_ge(s, t, ir_e_like(s, t, (double)milestones[i]));
            passed = ir_e_add(s, passed, ir_e_convert(s, reached, d));
        }
        y = power(s, gamma, passed);
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_lr_exponential(ir_sink *s, ir_val t, double gamma)
{
    const char *outer = ir_c_open(s, "lr_exponential");

    return ir_c_close(s, outer, fits(s, "lr_exponential", t, 1, gamma) ? power(s, gamma, t) : 0);
}

/* min(t / steps, 1): exactly 1 from the last step on */
static ir_val progress(ir_sink *s, ir_val t, int64_t steps)
{
    ir_val r = ir_e_div(s, t, ir_e_like(s, t, (double)steps));

    return ir_e_min(s, r, ir_e_like(s, r, 1));
}

/* a + b v */
static ir_val affine(ir_sink *s, double a, double b, ir_val v)
{
    ir_val y = ir_e_mul(s, v, ir_e_like(s, v, b));

    return ir_e_add(s, y, ir_e_like(s, y, a));
}

/* From the far end, so that a finished warm-up is exactly `to`: to + (from - to) (1 - progress). */
ir_val ir_c_lr_linear(ir_sink *s, ir_val t, double from, double to, int64_t steps)
{
    const char *outer = ir_c_open(s, "lr_linear");
    ir_val y = 0;

    if (fits(s, "lr_linear", t, steps, from) && fits(s, "lr_linear", t, steps, to)) {
        y = affine(s, to, from - to, affine(s, 1, -1, progress(s, t, steps)));
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_lr_cosine(ir_sink *s, ir_val t, int64_t steps, double least)
{
    const char *outer = ir_c_open(s, "lr_cosine");
    ir_val y = 0;

    if (fits(s, "lr_cosine", t, steps, least)) {
        ir_val p = progress(s, t, steps);
        ir_val wave = ir_e_cos(s, ir_e_mul(s, p, ir_e_like(s, p, 3.141592653589793)));
        y = affine(s, least, (1 - least) / 2, affine(s, 1, 1, wave));
    }
    return ir_c_close(s, outer, y);
}
