/* frontend/schedule.c: public learning-rate schedules and gradient clipping: the door around
 * ir/compose_schedule.c and the last part of ir/compose_optim.c. */
#include <math.h>
#include <stdlib.h>

#include "frontend/fe.h"
#include "ir/compose.h"
#include "ir/emit.h"

tdm_tensor *tdm_lr_step(tdm_tensor *t, int64_t every, double gamma, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(t, NULL, NULL), "lr_step", at, true))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_lr_step(c.s, fe_use(&c, t, "t"), every, gamma));
}

tdm_tensor *tdm_lr_multi_step(tdm_tensor *t, const int64_t *milestones, int n, double gamma, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(t, NULL, NULL), "lr_multi_step", at, true))
        return fe_end(&c, 0);
    if (!milestones) {
        fe_fail(c.ctx, at, IR_EARG, "lr_multi_step: argument 'milestones' is NULL");
        return fe_end(&c, 0);
    }
    return fe_end(&c, ir_c_lr_multi_step(c.s, fe_use(&c, t, "t"), milestones, n, gamma));
}

tdm_tensor *tdm_lr_exponential(tdm_tensor *t, double gamma, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(t, NULL, NULL), "lr_exponential", at, true))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_lr_exponential(c.s, fe_use(&c, t, "t"), gamma));
}

tdm_tensor *tdm_lr_linear(tdm_tensor *t, double from, double to, int64_t steps, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(t, NULL, NULL), "lr_linear", at, true))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_lr_linear(c.s, fe_use(&c, t, "t"), from, to, steps));
}

tdm_tensor *tdm_lr_cosine(tdm_tensor *t, int64_t steps, double least, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(t, NULL, NULL), "lr_cosine", at, true))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_lr_cosine(c.s, fe_use(&c, t, "t"), steps, least));
}

/* ---- clipping ------------------------------------------------------------------------------------------ */

/* The door for a list of parameters.  False: an error is recorded, if there is a context to record it in. */
static bool begin(fe_call *c, tdm_tensor *const *params, int n, double most, const char *op, tdm_loc at)
{
    bool listed = params && n > 0;
    if (!fe_begin(c, listed ? fe_context_of(params[0], NULL, NULL) : NULL, op, at, true) || !listed)
        return false;
    for (int i = 0; i < n; i++)
        if (!params[i]) {
            fe_fail(c->ctx, at, IR_EARG, "%s: parameter %d is NULL", op, i);
            return false;
        }
    if (!(most >= 0)) {
        fe_fail(c->ctx, at, IR_EARG, "%s: the limit is %g, expected a number >= 0", op, most);
        return false;
    }
    return true;
}

/* Makes v t's .grad in either engine. */
static void set_grad(fe_call *c, tdm_tensor *t, ir_val v)
{
    tdm_graph *g = c->ctx->open;
    if (!v)
        return;
    if (g) {
        fe_capture *k = fe_capture_find(g, t);
        if (k)
            k->grad = ir_ref_of(v);
        return;
    }
    tdm_tensor *grad = rt_retain(rt_tensor_of(v));
    rt_release(t->grad);
    t->grad = grad;
}

/* The gradients there are, as values; their parameters move to the front of `of`. */
static int gradients_of(fe_call *c, tdm_tensor *const *params, int n, ir_val *values, tdm_tensor **of)
{
    int count = 0;
    for (int i = 0; i < n; i++) {
        tdm_tensor *grad = tdm_grad(params[i]);
        if (!grad)
            continue;
        of[count] = params[i];
        values[count++] = fe_use(c, grad, "gradient");
    }
    return count;
}

static ir_val clip_all(fe_call *c, tdm_tensor *const *params, int n, double most, bool infinity)
{
    ir_val *values = malloc((size_t)n * sizeof *values), norm = 0;
    tdm_tensor **of = malloc((size_t)n * sizeof *of);
    if (!values || !of) {
        fe_fail(c->ctx, c->at, IR_ENOMEM, "%s: out of memory", c->op);
    } else {
        int count = gradients_of(c, params, n, values, of);
        if (count == 0)
            fe_fail(c->ctx, c->at, IR_ESTATE, "%s: no parameter has a gradient", c->op);
        norm = ir_c_grad_norm(c->s, values, count, infinity);
        for (int i = 0; i < count && norm; i++)
            set_grad(c, of[i], ir_c_clip_by_norm(c->s, values[i], norm, most));
    }
    free(values);
    free(of);
    return norm;
}

tdm_tensor *tdm_clip_grad_norm(tdm_tensor *const *params, int n, double most, double kind, tdm_loc at)
{
    fe_call c;
    if (!begin(&c, params, n, most, "clip_grad_norm", at))
        return fe_end(&c, 0);
    if (kind != 2 && !(isinf(kind) && kind > 0)) {
        fe_fail(c.ctx, at, IR_EARG, "clip_grad_norm: norm %g, expected 2 or INFINITY", kind);
        return fe_end(&c, 0);
    }
    bool recording = tdm_grad_mode(c.ctx, false);
    ir_val norm = clip_all(&c, params, n, most, kind != 2);
    tdm_grad_mode(c.ctx, recording);
    return fe_end(&c, norm);
}

tdm_status tdm_clip_grad_value(tdm_tensor *const *params, int n, double most, tdm_loc at)
{
    fe_call c;
    bool fine = begin(&c, params, n, most, "clip_grad_value", at);
    if (!c.ctx)
        return TDM_EARG;
    bool recording = tdm_grad_mode(c.ctx, false);
    for (int i = 0; i < n && fine; i++) {
        tdm_tensor *grad = tdm_grad(params[i]);
        ir_val v = grad ? fe_use(&c, grad, "gradient") : 0;
        if (v)
            set_grad(&c, params[i], ir_e_clamp(c.s, v, -most, most));
    }
    tdm_grad_mode(c.ctx, recording);
    if (c.scoped)
        rt_scope_close(&c.ctx->rt);
    if (c.ctx->open && c.ctx->open->g->error.status != IR_OK)
        fe_graph_locate(c.ctx->open, at);
    if (!tdm_ok(c.ctx))
        fe_locate(c.ctx, at);
    return tdm_error_code(c.ctx);
}
