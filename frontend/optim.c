/* frontend/optim.c: optimisers: state tensors beside parameters, stepped by the composites of
 * ir/compose_optim.c.  Eagerly a step assigns now; in an open graph it becomes assigns, so a whole training
 * step is one program.  The step count and the learning rate are variables too: a program reads them at each
 * run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/fe.h"
#include "ir/compose.h"
#include "ir/emit.h"

enum { STATES = 3 };

/* The new value of p; states in and out, NULL where the optimiser has none. */
typedef ir_val update(const tdm_optimizer *o, ir_sink *s, ir_val p, ir_val g, ir_val *const state[STATES],
                      ir_val t, ir_val lr);

typedef struct rule {
    const char *name;
    update *apply;
    const char *states[STATES];
} rule;

struct tdm_optimizer {
    tdm_context *ctx;
    const rule *rule;
    int n;
    tdm_tensor **params, **state; /* STATES entries a parameter, NULL for none */
    tdm_tensor *step, *lr;        /* f64 scalars: steps taken, learning rate of tdm_step */
    bool has[STATES];
    double b1, b2, eps, decay, lr_decay, momentum, initial;
    bool nesterov, decoupled;
};

/* ---- rules --------------------------------------------------------------------------------------------- */

static ir_val apply_sgd(const tdm_optimizer *o, ir_sink *s, ir_val p, ir_val g, ir_val *const state[STATES],
                        ir_val t, ir_val lr)
{
    (void)t;
    return ir_c_sgd(s, p, g, state[0], lr, o->momentum, o->decay, o->nesterov);
}

static ir_val apply_adam(const tdm_optimizer *o, ir_sink *s, ir_val p, ir_val g, ir_val *const state[STATES],
                         ir_val t, ir_val lr)
{
    const ir_adam how = {o->b1, o->b2, o->eps, o->decay, o->decoupled};
    return ir_c_adam(s, p, g, state[0], state[1], state[2], t, lr, &how);
}

static ir_val apply_rmsprop(const tdm_optimizer *o, ir_sink *s, ir_val p, ir_val g,
                            ir_val *const state[STATES], ir_val t, ir_val lr)
{
    const ir_rmsprop how = {o->b1, o->eps, o->decay, o->momentum};
    (void)t;
    return ir_c_rmsprop(s, p, g, state[0], state[1], state[2], lr, &how);
}

static ir_val apply_adagrad(const tdm_optimizer *o, ir_sink *s, ir_val p, ir_val g,
                            ir_val *const state[STATES], ir_val t, ir_val lr)
{
    return ir_c_adagrad(s, p, g, state[0], t, lr, o->lr_decay, o->decay, o->eps);
}

static ir_val apply_lion(const tdm_optimizer *o, ir_sink *s, ir_val p, ir_val g, ir_val *const state[STATES],
                         ir_val t, ir_val lr)
{
    (void)t;
    return ir_c_lion(s, p, g, state[0], lr, o->b1, o->b2, o->decay);
}

static const rule sgd = {"sgd", apply_sgd, {"momentum"}}, adam = {"adam", apply_adam, {"m", "v", "v_max"}},
                  adamw = {"adamw", apply_adam, {"m", "v", "v_max"}},
                  rmsprop = {"rmsprop", apply_rmsprop, {"v", "mean", "momentum"}},
                  adagrad = {"adagrad", apply_adagrad, {"sum"}}, lion = {"lion", apply_lion, {"m"}};

/* ---- making -------------------------------------------------------------------------------------------- */

static const tdm_loc nowhere = {NULL, 0};

/* Whether an earlier parameter has p's name. */
static bool name_taken(const tdm_optimizer *o, int i)
{
    for (int k = 0; k < i; k++)
        if (strcmp(tdm_name(o->params[k]), tdm_name(o->params[i])) == 0)
            return true;
    return false;
}

/* A variable shaped like parameter i, named PARAM.what; the number tells nameless and equal ones apart. */
static tdm_tensor *state_of(tdm_optimizer *o, int i, const char *what)
{
    char number[16] = "", name[256];
    tdm_tensor *p = o->params[i];
    const char *own = tdm_name(p);

    if (!*own || name_taken(o, i))
        snprintf(number, sizeof number, *own ? "_%d" : "p%d", i);
    snprintf(name, sizeof name, "%.200s%s.%s", own, number, what);
    return tdm_variable(tdm_full(o->ctx, tdm_dtype_of(p), tdm_dims_of(p), o->initial, nowhere), name);
}

void tdm_optimizer_free(tdm_optimizer *o)
{
    if (!o)
        return;
    for (int i = 0; i < o->n; i++)
        tdm_release(o->params[i]);
    for (int i = 0; i < STATES * o->n; i++)
        tdm_release(o->state[i]);
    tdm_release(o->step);
    tdm_release(o->lr);
    free(o->params);
    free(o);
}

/* Every number of the settings is one, and in its range. */
static bool valid_settings(tdm_context *ctx, const tdm_optimizer *o, double lr)
{
    const double least_0[] = {lr, o->eps, o->decay, o->lr_decay, o->momentum, o->initial};
    static const char *const names[] = {"learning rate",       "eps",      "weight decay",
                                        "learning-rate decay", "momentum", "initial sum"};

    for (int i = 0; i < (int)(sizeof least_0 / sizeof *least_0); i++)
        if (!(least_0[i] >= 0) || !isfinite(least_0[i])) {
            fe_fail(ctx, nowhere, IR_EARG, "optimizer: %s is %g, expected a number >= 0", names[i],
                    least_0[i]);
            return false;
        }
    for (int i = 0; i < 2; i++) {
        double b = i ? o->b2 : o->b1;
        if (!(b >= 0 && b < 1)) {
            fe_fail(ctx, nowhere, IR_EARG, "optimizer: the share %g of an average is not in [0, 1)", b);
            return false;
        }
    }
    return true;
}

static bool valid_params(tdm_context *ctx, tdm_tensor *const *params, int n)
{
    if (ctx->open) {
        fe_fail(ctx, nowhere, IR_ESTATE,
                "optimizer: make it before the graph is opened, so that its state outlives a run");
        return false;
    }
    for (int i = 0; i < n; i++)
        if (tdm_is_error(params[i]) || !params[i]->requires_grad || params[i]->grad_fn || params[i]->graph) {
            fe_fail(ctx, nowhere, IR_EARG, "optimizer: parameter %d is not a leaf that requires a gradient",
                    i);
            return false;
        }
    return true;
}

static tdm_tensor *scalar_variable(tdm_context *ctx, double value, const char *name)
{
    return tdm_variable(tdm_full(ctx, TDM_F64, tdm_shape(), value, nowhere), name);
}

static tdm_optimizer *optimizer_new(tdm_tensor *const *params, int n, double lr, tdm_optimizer with)
{
    if (!params || n < 1 || !params[0])
        return NULL;
    tdm_context *ctx = fe_context_of(params[0], NULL, NULL);
    if (!tdm_ok(ctx) || !valid_params(ctx, params, n) || !valid_settings(ctx, &with, lr))
        return NULL;
    tdm_optimizer *o = calloc(1, sizeof *o);
    tdm_tensor **lists = calloc((1 + STATES) * (size_t)n, sizeof(tdm_tensor *));
    if (!o || !lists) {
        free(o);
        free(lists);
        fe_fail(ctx, nowhere, IR_ENOMEM, "optimizer: out of memory");
        return NULL;
    }
    *o = with;
    o->ctx = ctx;
    o->n = n;
    o->params = lists, o->state = lists + n;
    for (int i = 0; i < n; i++)
        o->params[i] = rt_retain(params[i]);
    for (int i = 0; i < STATES * n; i++)
        if (o->has[i % STATES])
            o->state[i] = state_of(o, i / STATES, o->rule->states[i % STATES]);
    o->step = scalar_variable(ctx, 0, "step");
    o->lr = scalar_variable(ctx, lr, "lr");
    if (tdm_ok(ctx))
        return o;
    tdm_optimizer_free(o);
    return NULL;
}

tdm_optimizer *tdm_sgd(tdm_tensor *const *params, int n, double lr, double momentum, double weight_decay,
                       bool nesterov)
{
    const tdm_optimizer with = {.rule = &sgd,
                                .has = {momentum != 0},
                                .momentum = momentum,
                                .decay = weight_decay,
                                .nesterov = nesterov};
    return optimizer_new(params, n, lr, with);
}

static tdm_optimizer *adam_new(const rule *r, tdm_tensor *const *params, int n, double lr, double b1,
                               double b2, double eps, double decay, bool amsgrad)
{
    const tdm_optimizer with = {.rule = r,
                                .has = {true, true, amsgrad},
                                .b1 = b1,
                                .b2 = b2,
                                .eps = eps,
                                .decay = decay,
                                .decoupled = r == &adamw};
    return optimizer_new(params, n, lr, with);
}

tdm_optimizer *tdm_adam(tdm_tensor *const *params, int n, double lr, double b1, double b2, double eps,
                        double decay)
{
    return adam_new(&adam, params, n, lr, b1, b2, eps, decay, false);
}

tdm_optimizer *tdm_amsgrad(tdm_tensor *const *params, int n, double lr, double b1, double b2, double eps,
                           double decay)
{
    return adam_new(&adam, params, n, lr, b1, b2, eps, decay, true);
}

tdm_optimizer *tdm_adamw(tdm_tensor *const *params, int n, double lr, double b1, double b2, double eps,
                         double decay)
{
    return adam_new(&adamw, params, n, lr, b1, b2, eps, decay, false);
}

tdm_optimizer *tdm_rmsprop(tdm_tensor *const *params, int n, double lr, double alpha, double eps,
                           double weight_decay, double momentum, bool centered)
{
    const tdm_optimizer with = {.rule = &rmsprop,
                                .has = {true, centered, momentum != 0},
                                .b1 = alpha,
                                .eps = eps,
                                .decay = weight_decay,
                                .momentum = momentum};
    return optimizer_new(params, n, lr, with);
}

tdm_optimizer *tdm_adagrad(tdm_tensor *const *params, int n, double lr, double lr_decay, double weight_decay,
                           double initial, double eps)
{
    const tdm_optimizer with = {.rule = &adagrad,
                                .has = {true},
                                .lr_decay = lr_decay,
                                .decay = weight_decay,
                                .initial = initial,
                                .eps = eps};
    return optimizer_new(params, n, lr, with);
}

tdm_optimizer *tdm_lion(tdm_tensor *const *params, int n, double lr, double b1, double b2,
                        double weight_decay)
{
    const tdm_optimizer with = {.rule = &lion, .has = {true}, .b1 = b1, .b2 = b2, .decay = weight_decay};
    return optimizer_new(params, n, lr, with);
}

/* ---- looking ------------------------------------------------------------------------------------------- */

bool tdm_optimizer_state(tdm_optimizer *o, int i, const char **name, tdm_tensor **state)
{
    if (!o || i < 0)
        return false;
    tdm_tensor *t = i == 0 ? o->step : i == 1 ? o->lr : NULL;
    for (int k = 0, at = 2; !t && k < STATES * o->n; k++)
        if (o->state[k] && at++ == i)
            t = o->state[k];
    if (t && name)
        *name = tdm_name(t);
    if (t && state)
        *state = t;
    return t != NULL;
}

tdm_tensor *tdm_steps(tdm_optimizer *o)
{
    return o ? o->step : NULL;
}

double tdm_learning_rate(const tdm_optimizer *o)
{
    return o ? tdm_item(o->lr) : NAN;
}

tdm_status tdm_set_learning_rate(tdm_optimizer *o, double lr)
{
    if (!o)
        return TDM_EARG;
    if (!tdm_ok(o->ctx) || !valid_settings(o->ctx, o, lr))
        return tdm_error_code(o->ctx);
    return tdm_write(o->lr, &lr, sizeof lr);
}

void tdm_zero_grad(tdm_optimizer *o)
{
    if (!o)
        return;
    for (int i = 0; i < o->n; i++)
        tdm_clear_grad(o->params[i]);
}

/* ---- stepping ------------------------------------------------------------------------------------------ */

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

static void step_one(tdm_optimizer *o, fe_call *c, int i, ir_val t, ir_val lr)
{
    tdm_tensor *grad = tdm_grad(o->params[i]), **state = o->state + (ptrdiff_t)STATES * i;
    ir_val held[STATES], *at[STATES];

    if (!grad)
        return;
    ir_val p = fe_use(c, o->params[i], "parameter"), dy = fe_use(c, grad, "gradient");
    for (int k = 0; k < STATES; k++) {
        held[k] = state[k] ? fe_use(c, state[k], "state") : 0;
        at[k] = state[k] ? &held[k] : NULL;
    }
    ir_val next = o->rule->apply(o, c->s, p, dy, at, t, lr);
    for (int k = 0; k < STATES; k++)
        if (state[k])
            set(c, state[k], held[k]);
    set(c, o->params[i], next);
}

/* The number of this step goes to all parameters, and is kept. */
static void step_all(tdm_optimizer *o, fe_call *c, tdm_tensor *lr)
{
    bool eager = !o->ctx->open;
    ir_val v = fe_use(c, lr, "lr"), taken = fe_use(c, o->step, "step");
    ir_val t = taken ? ir_e_add(c->s, taken, ir_e_like(c->s, taken, 1)) : 0;

    for (int i = 0; i < o->n && v && t; i++) {
        if (eager)
            rt_scope_open(&o->ctx->rt);
        step_one(o, c, i, t, v);
        if (eager)
            rt_scope_close(&o->ctx->rt);
    }
    set(c, o->step, t);
}

tdm_status tdm_step_with(tdm_optimizer *o, tdm_tensor *lr, tdm_loc at)
{
    fe_call c;
    if (!o)
        return TDM_EARG;
    if (!fe_begin(&c, o->ctx, "step", at, false))
        return tdm_error_code(o->ctx);
    bool recording = tdm_grad_mode(o->ctx, false), eager = !o->ctx->open;
    c.s->region = o->rule->name;
    if (eager)
        rt_scope_open(&o->ctx->rt);
    step_all(o, &c, lr);
    if (eager)
        rt_scope_close(&o->ctx->rt);
    c.s->region = NULL;
    tdm_grad_mode(o->ctx, recording);
    if (!eager && o->ctx->open->g->error.status != IR_OK)
        fe_graph_locate(o->ctx->open, at);
    if (!tdm_ok(o->ctx))
        fe_locate(o->ctx, at);
    return tdm_error_code(o->ctx);
}

tdm_status tdm_step(tdm_optimizer *o, tdm_loc at)
{
    return o ? tdm_step_with(o, o->lr, at) : TDM_EARG;
}
