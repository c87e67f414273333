/* frontend/custom.c: ops that a program brings along: registering, calling, and what ir/ sees of them.
 *
 *   tdm_custom_op (C functions over arrays and tensors)  ->  ir_custom (over types, memory and sinks)
 *
 * A gradient is written with the public functions.  While it runs, the sink that ir/ differentiates into is
 * the context's: eagerly it is already; a graph is opened for the time if it isn't the open one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/fe.h"
#include "ir/emit.h"

enum { NAME_MAX_LENGTH = 60 };

struct fe_custom {
    ir_custom ir; /* must stay first */
    tdm_custom_op op;
    tdm_context *ctx;
    char name[NAME_MAX_LENGTH + 1];
};

static const tdm_loc nowhere = {NULL, 0};

static const fe_custom *custom_of(const ir_custom *c)
{
    return (const fe_custom *)(const void *)c;
}

static tdm_custom_array array_of(const ir_type *t, const void *data)
{
    tdm_custom_array a = {.dtype = (tdm_dtype)t->dtype, .shape.rank = t->rank, .data = data};

    memcpy(a.shape.dims, t->dims, sizeof a.shape.dims);
    return a;
}

/* ---- what a call shows ---- */

typedef struct shown {
    tdm_custom_array x[IR_MAX_OPERANDS];
    tdm_custom_call call;
    char why[200];
} shown;

static void show(shown *s, const fe_custom *c, const ir_attrs *a, const ir_type *const *xt,
                 const void *const *x, int n)
{
    for (int i = 0; i < n; i++)
        s->x[i] = array_of(xt[i], x ? x[i] : NULL);
    s->why[0] = '\0';
    s->call = (tdm_custom_call){.x = s->x,
                                .n = n,
                                .params = a->custom.params,
                                .param_count = a->n,
                                .user = c->op.user,
                                .why = s->why,
                                .why_size = sizeof s->why};
}

/* "custom: NAME: WHY (operands f32[3], f32[4])" */
static ir_status say(const fe_custom *c, ir_status status, const char *why, const ir_type *const *x, int n,
                     ir_error *e)
{
    char types[200] = "", one[96];
    size_t at = 0;

    for (int i = 0; i < n && at < sizeof types; i++)
        at += (size_t)snprintf(types + at, sizeof types - at, "%s%s", i ? ", " : "",
                               ir_type_text(x[i], NULL, one, sizeof one));
    return ir_fail(e, status, "custom: %s: %.*s (operand%s %s)", c->name, 200, why, n > 1 ? "s" : "", types);
}

/* ---- the three functions ---- */

static ir_status infer(const ir_custom *ir, const ir_attrs *a, const ir_type *const *x, int n, ir_type *out,
                       ir_error *e)
{
    const fe_custom *c = custom_of(ir);
    tdm_dtype dtype = (tdm_dtype)x[0]->dtype;
    tdm_dims shape;
    shown s;

    if (!c->op.infer) {
        *out = *x[0];
        return IR_OK;
    }
    for (int i = 0; i < n; i++)
        if (!ir_type_is_static(x[i]))
            return say(c, IR_EUNSUPPORTED, "its shape rule takes no symbolic dims", x, n, e);
    show(&s, c, a, x, NULL, n);
    shape = s.x[0].shape;
    if (!c->op.infer(&s.call, &dtype, &shape))
        return say(c, IR_ESHAPE, *s.why ? s.why : "these operands do not fit", x, n, e);
    if (!fe_valid_dtype(dtype) || shape.rank < 0 || shape.rank > TDM_MAX_RANK)
        return say(c, IR_EARG, "its shape rule gave no dtype or no shape", x, n, e);
    for (int i = 0; i < shape.rank; i++)
        if (shape.dims[i] < 1)
            return say(c, IR_ESHAPE, "its shape rule gave an extent below 1", x, n, e);
    *out = fe_type(dtype, shape);
    return ir_type_check(out, c->name, e);
}

static ir_status forward(const ir_custom *ir, const ir_attrs *a, const ir_type *const *xt,
                         const void *const *x, int n, const ir_type *yt, void *y, ir_error *e)
{
    const fe_custom *c = custom_of(ir);
    shown s;

    show(&s, c, a, xt, x, n);
    s.call.type = array_of(yt, NULL);
    if (c->op.forward(&s.call, y))
        return IR_OK;
    return say(c, IR_EARG, *s.why ? s.why : "it failed", xt, n, e);
}

/* A value of the sink as a handle in the current scope. */
static tdm_tensor *handle(tdm_context *ctx, ir_val v)
{
    return ctx->open ? fe_symbolic(ctx->open, ir_ref_of(v)) : rt_tensor_of(v);
}

static void call_gradient(const fe_custom *c, const ir_attrs *a, const ir_val *x, int n, ir_val y, ir_val dy,
                          unsigned need, ir_val *dx)
{
    tdm_context *ctx = c->ctx;
    tdm_tensor *in[IR_MAX_OPERANDS], *out[IR_MAX_OPERANDS] = {0};
    const ir_type *types[IR_MAX_OPERANDS];
    fe_call call = {.ctx = ctx, .op = c->name};
    shown s;

    for (int i = 0; i < n; i++) {
        in[i] = handle(ctx, x[i]);
        types[i] = &in[i]->a.type;
    }
    show(&s, c, a, types, NULL, n);
    c->op.gradient(&s.call, in, handle(ctx, y), handle(ctx, dy), out);
    for (int i = 0; i < n && tdm_ok(ctx); i++) {
        if (!(need >> i & 1) || !out[i])
            continue;
        if (!ir_type_eq(&out[i]->a.type, types[i])) {
            say(c, IR_ESHAPE, "a gradient has another type than its operand", types, n, &ctx->rt.error);
            return;
        }
        dx[i] = fe_use(&call, out[i], "dx");
    }
}

/* Whether dx[i] was made by the rule, and not seen before. */
static bool is_new(const ir_val *dx, int i, const ir_val *x, int n, ir_val y, ir_val dy)
{
    bool known = !dx[i] || dx[i] == y || dx[i] == dy;

    for (int k = 0; k < n; k++)
        known |= dx[i] == x[k] || (k < i && dx[i] == dx[k]);
    return !known;
}

/* With the sink's graph as the open one. */
static void gradient_in(const fe_custom *c, ir_sink *s, const ir_attrs *a, const ir_val *x, int n, ir_val y,
                        ir_val dy, unsigned need, ir_val *dx)
{
    tdm_context *ctx = c->ctx;
    tdm_graph *open = ctx->open, *own = NULL;

    if (s != &ctx->rt.sink && (!open || &open->g->sink != s)) {
        own = calloc(1, sizeof *own);
        if (!own) {
            ir_fail(s->err, IR_ENOMEM, "custom: %s: out of memory", c->name);
            return;
        }
        *own = (tdm_graph){.ctx = ctx,
                           .g = (ir_graph *)(void *)s,
                           .serial = ++ctx->graphs,
                           .rng = IR_NONE,
                           .borrowed = true};
        ctx->open = own;
    }
    /* a graph's gradients have gradients whatever the mode; eagerly it says whether they are recorded */
    bool mode = tdm_grad_mode(ctx, ctx->rt.grad_mode || s != &ctx->rt.sink);
    rt_scope_open(&ctx->rt);
    call_gradient(c, a, x, n, y, dy, need, dx);
    tdm_grad_mode(ctx, mode);
    for (int i = 0; i < n && s == &ctx->rt.sink; i++)
        if (is_new(dx, i, x, n, y, dy))
            rt_keep(rt_tensor_of(dx[i]));
    rt_scope_close(&ctx->rt);
    if (own) {
        ctx->open = open;
        tdm_graph_free(own);
    }
}

static void vjp(const ir_custom *ir, ir_sink *s, const ir_attrs *a, const ir_val *x, int n, ir_val y,
                ir_val dy, unsigned need, ir_val *dx)
{
    const fe_custom *c = custom_of(ir);
    ir_loc loc = s->loc;
    const char *region = s->region;

    gradient_in(c, s, a, x, n, y, dy, need, dx);
    if (!tdm_ok(c->ctx) && s->err->status == IR_OK)
        ir_fail(s->err, c->ctx->rt.error.status, "%s", c->ctx->rt.error.text);
    s->loc = loc;
    s->region = region;
}

/* ---- registering ---- */

static bool is_name(const char *name)
{
    size_t n = strlen(name);

    if (n < 1 || n > NAME_MAX_LENGTH)
        return false;
    for (size_t i = 0; i < n; i++) {
        char l = name[i];
        bool letter = (l >= 'a' && l <= 'z') || (l >= 'A' && l <= 'Z');
        if (!letter && (i == 0 || (l != '_' && (l < '0' || l > '9'))))
            return false;
    }
    return true;
}

const ir_custom *fe_custom_find(const tdm_context *ctx, const char *name)
{
    for (int i = 0; i < ctx->customs.count; i++)
        if (strcmp(ctx->customs.items[i]->name, name) == 0)
            return ctx->customs.items[i];
    return NULL;
}

/* The table moves when it grows; what it points to stays. */
static bool add(tdm_context *ctx, const ir_custom *c)
{
    const ir_custom **more = malloc(((size_t)ctx->customs.count + 1) * sizeof *more);

    if (!more)
        return false;
    if (ctx->customs.count)
        memcpy(more, ctx->customs.items, (size_t)ctx->customs.count * sizeof *more);
    more[ctx->customs.count] = c;
    free((void *)(uintptr_t)ctx->customs.items);
    ctx->customs = (ir_customs){more, ctx->customs.count + 1};
    return true;
}

tdm_status tdm_custom_register(tdm_context *ctx, const tdm_custom_op *op)
{
    if (!ctx)
        return TDM_EARG;
    if (!tdm_ok(ctx))
        return tdm_error_code(ctx);
    if (!op || !op->name || !is_name(op->name))
        return fe_fail(
            ctx, nowhere, IR_EARG,
            "custom_register: '%.80s' is no name: a letter, then letters, digits and _, at most %d",
            op && op->name ? op->name : "(NULL)", NAME_MAX_LENGTH);
    if (!op->forward)
        return fe_fail(ctx, nowhere, IR_EARG, "custom_register: '%s' has no forward", op->name);
    if (fe_custom_find(ctx, op->name))
        return fe_fail(ctx, nowhere, IR_EARG, "custom_register: there is a '%s' already", op->name);
    fe_custom *c = calloc(1, sizeof *c);
    if (!c || !add(ctx, &c->ir)) {
        free(c);
        return fe_fail(ctx, nowhere, IR_ENOMEM, "custom_register: out of memory");
    }
    memcpy(c->name, op->name, strlen(op->name) + 1);
    c->op = *op;
    c->op.name = c->name;
    c->ctx = ctx;
    c->ir = (ir_custom){c->name, op->has_effects, infer, forward, op->gradient ? vjp : NULL};
    return TDM_OK;
}

void fe_customs_free(tdm_context *ctx)
{
    for (int i = 0; i < ctx->customs.count; i++)
        free((void *)(uintptr_t)ctx->customs.items[i]);
    free((void *)(uintptr_t)ctx->customs.items);
}

/* ---- calling ---- */

static void unknown(fe_call *c, const char *name)
{
    char known[200] = "none is registered";
    size_t at = 0;

    for (int i = 0; i < c->ctx->customs.count && at < sizeof known - NAME_MAX_LENGTH; i++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "",
                               c->ctx->customs.items[i]->name);
    fe_fail(c->ctx, c->at, IR_EARG, "custom: there is no custom op '%.60s' (%s)", name ? name : "(NULL)",
            known);
}

/* What does not depend on the operands. */
static bool callable(fe_call *c, const ir_custom *op, int n, const double *params, int param_count)
{
    const char *why = n > IR_MAX_OPERANDS          ? "more than 8 operands"
                      : param_count > 0 && !params ? "params is NULL"
                                                   : NULL;

    if (why)
        fe_fail(c->ctx, c->at, IR_EARG, "custom: %s: %s", op->name, why);
    else if (op->effects && c->ctx->checkpoint_depth)
        fe_fail(c->ctx, c->at, IR_ESTATE,
                "custom: %s has effects, and a checkpointed region would call it again", op->name);
    return tdm_ok(c->ctx);
}

tdm_tensor *tdm_custom(const char *name, tdm_tensor *const *x, int n, const double *params, int param_count,
                       tdm_loc at)
{
    fe_call c;
    ir_val v[IR_MAX_OPERANDS];
    tdm_context *ctx = x && n > 0 ? fe_context_of(x[0], n > 1 ? x[1] : NULL, NULL) : NULL;

    if (!fe_begin(&c, ctx, "custom", at, false))
        return fe_end(&c, 0);
    const ir_custom *op = name ? fe_custom_find(ctx, name) : NULL;
    if (!op) {
        unknown(&c, name);
        return fe_end(&c, 0);
    }
    if (!callable(&c, op, n, params, param_count))
        return fe_end(&c, 0);
    for (int i = 0; i < n; i++)
        v[i] = fe_use(&c, x[i], "x");
    return fe_end(&c, ir_e_custom(c.s, op, v, n, params, param_count));
}
