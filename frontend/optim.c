/* frontend/optim.c: optimisers: state tensors beside parameters, stepped by the composites of
 * ir/compose_optim.c. Eagerly a step assigns now; in an open graph it becomes assigns, so a whole training
 * step is one program. */
#include <stdio.h>
#include <stdlib.h>

#include "frontend/fe.h"
#include "ir/compose.h"

typedef enum { SGD, ADAM, ADAMW } rule;

struct tdm_optimizer {
    tdm_context *ctx;
    rule rule;
    int n;
    tdm_tensor **params, **first, **second; /* first: momentum or m; second: v */
    tdm_tensor *step;                       /* f32 scalar: steps taken; one for all parameters */
    double lr, b1, b2, eps, decay;
    bool nesterov;
};

/* A zero variable shaped like p, named PARAM.what. */
static tdm_tensor *state_of(tdm_tensor *p, const char *what)
{
    char name[96];
    const tdm_loc nowhere = {NULL, 0};
    snprintf(name, sizeof name, "%.64s.%s", p->name ? p->name : "p", what);
    tdm_tensor *zero = tdm_full((tdm_context *)p->ctx, tdm_dtype_of(p), tdm_dims_of(p), 0, nowhere);
    return tdm_variable(zero, name);
}

void tdm_optimizer_free(tdm_optimizer *o)
{
    if (!o)
        return;
    for (int i = 0; i < o->n; i++) {
        tdm_release(o->params[i]);
        tdm_release(o->first[i]);
        tdm_release(o->second[i]);
    }
    tdm_release(o->step);
    free(o->params);
    free(o);
}

static tdm_optimizer *optimizer_new(tdm_tensor *const *params, int n, tdm_optimizer with)
{
    const tdm_loc nowhere = {NULL, 0};
    if (!params || n < 1 || !params[0])
        return NULL;
    tdm_context *ctx = fe_context_of(params[0], NULL, NULL);
    if (!tdm_ok(ctx))
        return NULL;
    if (ctx->open) {
        fe_fail(ctx, nowhere, IR_ESTATE,
                "optimizer: make it before the graph is opened, so that its state outlives a run");
        return NULL;
    }
    for (int i = 0; i < n; i++)
        if (tdm_is_error(params[i]) || !params[i]->requires_grad || params[i]->grad_fn || params[i]->graph) {
            fe_fail(ctx, nowhere, IR_EARG, "optimizer: parameter %d is not a leaf that requires a gradient",
                    i);
            return NULL;
        }
    tdm_optimizer *o = calloc(1, sizeof *o);
    tdm_tensor **lists = calloc(3 * (size_t)n, sizeof(tdm_tensor *));
    if (!o || !lists) {
        free(o);
        free(lists);
        fe_fail(ctx, nowhere, IR_ENOMEM, "optimizer: out of memory");
        return NULL;
    }
    *o = with;
    o->ctx = ctx;
    o->n = n;
    o->params = lists, o->first = lists + n, o->second = lists + 2 * n;
    for (int i = 0; i < n; i++) {
        o->params[i] = rt_retain(params[i]);
        if (o->rule != SGD || o->b1 != 0)
            o->first[i] = state_of(params[i], o->rule == SGD ? "momentum" : "m");
        if (o->rule != SGD)
            o->second[i] = state_of(params[i], "v");
    }
    if (o->rule != SGD)
        o->step = tdm_variable(tdm_full(ctx, TDM_F32, tdm_shape(), 0, nowhere), "step");
    if (tdm_ok(ctx))
        return o;
    tdm_optimizer_free(o);
    return NULL;
}

tdm_optimizer *tdm_sgd(tdm_tensor *const *params, int n, double lr, double momentum, double weight_decay,
                       bool nesterov)
{
    return optimizer_new(
        params, n,
        (tdm_optimizer){.rule = SGD, .lr = lr, .b1 = momentum, .decay = weight_decay, .nesterov = nesterov});
}

tdm_optimizer *tdm_adam(tdm_tensor *const *params, int n, double lr, double b1, double b2, double eps,
                        double decay)
{
    return optimizer_new(
        params, n, (tdm_optimizer){.rule = ADAM, .lr = lr, .b1 = b1, .b2 = b2, .eps = eps, .decay = decay});
}

tdm_optimizer *tdm_adamw(tdm_tensor *const *params, int n, double lr, double b1, double b2, double eps,
                         double decay)
{
    return optimizer_new(
        params, n, (tdm_optimizer){.rule = ADAMW, .lr = lr, .b1 = b1, .b2 = b2, .eps = eps, .decay = decay});
}

void tdm_zero_grad(tdm_optimizer *o)
{
    if (!o)
        return;
    for (int i = 0; i < o->n; i++)
        tdm_clear_grad(o->params[i]);
}

/* Sets a variable of either engine to a value of the current sink. */
static void set(fe_call *c, tdm_tensor *t, ir_val v)
{
    tdm_graph *g = c->ctx->open;
    if (!v || !tdm_ok(c->ctx))
        return;
    if (!g) {
        rt_assign(t, rt_tensor_of(v));
        return;
    }
    fe_capture *k = fe_capture_find(g, t);
    if (k)
        fe_capture_assign(g, k, ir_ref_of(v)); /* tdm_step reports the graph's error */
}

static void step_one(tdm_optimizer *o, fe_call *c, int i, ir_val *step)
{
    tdm_tensor *grad = tdm_grad(o->params[i]);
    if (!grad)
        return;
    c->n = 0;
    ir_val p = fe_use(c, o->params[i], "parameter"), dy = fe_use(c, grad, "gradient");
    ir_val m = o->first[i] ? fe_use(c, o->first[i], "state") : 0,
           v = o->second[i] ? fe_use(c, o->second[i], "state") : 0;
    ir_val next;

    if (o->rule == SGD) {
        next = ir_c_sgd(c->s, p, dy, o->first[i] ? &m : NULL, o->lr, o->b1, o->decay, o->nesterov);
    } else {
        ir_val counted = fe_use(c, o->step, "step"); /* every parameter counts from the same step */
        next =
            ir_c_adam(c->s, p, dy, &m, &v, &counted, o->lr, o->b1, o->b2, o->eps, o->decay, o->rule == ADAMW);
        *step = counted;
    }
    if (o->first[i])
        set(c, o->first[i], m);
    if (o->second[i])
        set(c, o->second[i], v);
    set(c, o->params[i], next);
}

tdm_status tdm_step(tdm_optimizer *o, tdm_loc at)
{
    fe_call c;
    ir_val step = 0;
    if (!o)
        return TDM_EARG;
    if (!fe_begin(&c, o->ctx, "step", at, false))
        return tdm_error_code(o->ctx);
    bool recording = tdm_grad_mode(o->ctx, false);
    bool eager = !o->ctx->open;
    if (eager)
        rt_scope_open(&o->ctx->rt);
    for (int i = 0; i < o->n; i++) {
        if (eager)
            rt_scope_open(&o->ctx->rt);
        step_one(o, &c, i, &step);
        if (eager && step)
            rt_keep(rt_tensor_of(step));
        if (eager)
            rt_scope_close(&o->ctx->rt);
    }
    if (step)
        set(&c, o->step, step);
    if (eager)
        rt_scope_close(&o->ctx->rt);
    tdm_grad_mode(o->ctx, recording);
    if (!eager && o->ctx->open->g->error.status != IR_OK)
        fe_graph_locate(o->ctx->open, at);
    if (!tdm_ok(o->ctx))
        fe_locate(o->ctx, at);
    return tdm_error_code(o->ctx);
}
