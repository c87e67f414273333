/* frontend/gradients.c: backward and gradients in both engines, .grad, and the tape by name.
 *
 * Eagerly the tape is walked (runtime/backward.c).  In an open graph the same call appends the gradient's
 * nodes to the graph (passes/gradient.c), in the same order of additions, and .grad is the graph's own: it
 * starts as none. */
#include <stdlib.h>

#include "frontend/fe.h"
#include "ir/emit.h"

static tdm_context *ctx_of(const tdm_tensor *t)
{
    return (tdm_context *)t->ctx;
}

tdm_tensor *tdm_requires_grad(tdm_tensor *t, bool on)
{
    const tdm_loc nowhere = {NULL, 0};
    if (tdm_is_error(t))
        return t;
    tdm_context *ctx = ctx_of(t);
    if (on && !ir_dtype_is_float(t->a.type.dtype)) {
        fe_fail(ctx, nowhere, IR_EDTYPE, "requires_grad: a gradient needs a floating-point dtype, not %s",
                ir_dtype_name(t->a.type.dtype));
        return ctx->error_tensor;
    }
    if (t->grad_fn && !on) {
        fe_fail(ctx, nowhere, IR_ESTATE, "requires_grad: only a leaf can be switched off: use tdm_detach");
        return ctx->error_tensor;
    }
    t->requires_grad = on;
    if (ctx->open && fe_in_graph(t, ctx->open)) {
        fe_capture *c = fe_capture_find(ctx->open, t);
        if (!c)
            c = fe_capture_add(ctx->open, t, t->ref);
        if (!c)
            return ctx->error_tensor;
        c->wants_grad = on;
    }
    return t;
}

void tdm_retain_grad(tdm_tensor *t)
{
    if (tdm_is_error(t))
        return;
    if (t->graph)
        tdm_requires_grad(t, true);
    else
        t->retains_grad = true;
}

tdm_tensor *tdm_grad(tdm_tensor *t)
{
    if (tdm_is_error(t))
        return NULL;
    tdm_graph *g = ctx_of(t)->open;
    if (!g)
        return t->grad;
    fe_capture *c = fe_capture_find(g, t);
    return c && c->grad != IR_NONE ? fe_symbolic(g, c->grad) : NULL;
}

void tdm_clear_grad(tdm_tensor *t)
{
    if (tdm_is_error(t))
        return;
    tdm_graph *g = ctx_of(t)->open;
    if (g) {
        fe_capture *c = fe_capture_find(g, t);
        if (c)
            c->grad = IR_NONE;
        return;
    }
    rt_release(t->grad);
    t->grad = NULL;
}

/* Adds the gradients of everything that wants one into the graph's .grad. */
static tdm_status backward_graph(tdm_graph *g, ir_ref out, ir_ref dy, tdm_loc at)
{
    int n = 0, count = g->capture_count;
    size_t room = (size_t)count + (size_t)g->replaced_count + 1;
    ir_ref *wrt = malloc(2 * room * sizeof *wrt), *grads = wrt ? wrt + room : NULL;

    if (!wrt)
        return fe_fail(g->ctx, at, IR_ENOMEM, "backward: out of memory");
    for (int i = 0; i < count; i++)
        if (g->captures[i].wants_grad)
            wrt[n++] = g->captures[i].current;
    for (int i = 0; i < g->replaced_count; i++)
        wrt[n + i] = g->replaced[i];
    g->g->sink.loc = (ir_loc){at.file, at.line};
    ir_status s =
        pass_gradient_checkpointed(g->g, &g->checkpoints, &out, &dy, 1, wrt, n + g->replaced_count, grads);
    for (int i = 0; i < g->replaced_count && s == IR_OK; i++)
        if (grads[n + i] != IR_NONE)
            s = (ir_status)fe_fail(g->ctx, at, IR_ESTATE,
                                   "backward: a parameter was assigned after this was computed from it");
    for (int i = 0, k = 0; i < count && s == IR_OK; i++) {
        fe_capture *c = &g->captures[i];
        if (!c->wants_grad)
            continue;
        ir_ref d = grads[k++];
        if (d == IR_NONE)
            continue;
        if (c->grad != IR_NONE) {
            ir_val sum = ir_e_add(&g->g->sink, ir_val_of(c->grad), ir_val_of(d));
            d = sum ? ir_ref_of(sum) : IR_NONE;
        }
        c->grad = d;
    }
    free(wrt);
    if (g->g->error.status != IR_OK || s != IR_OK)
        fe_graph_locate(g, at);
    return tdm_error_code(g->ctx);
}

tdm_status tdm_backward_with(tdm_tensor *t, tdm_tensor *dy, unsigned flags, tdm_loc at)
{
    fe_call c;
    tdm_context *ctx = fe_context_of(t, dy, NULL);
    if (!ctx)
        return TDM_EARG;
    if (!fe_begin(&c, ctx, "backward", at, false))
        return tdm_error_code(ctx);
    ir_val v = fe_use(&c, t, "t"), d = dy ? fe_use(&c, dy, "dy") : 0;
    if (!v || (dy && !d))
        return tdm_error_code(ctx);
    if (ctx->open)
        return backward_graph(ctx->open, ir_ref_of(v), d ? ir_ref_of(d) : IR_NONE, at);
    bool create = flags & TDM_CREATE_GRAPH;
    ir_status s =
        rt_backward(&ctx->rt, &t, &dy, 1, NULL, 0, NULL, create || (flags & TDM_RETAIN_GRAPH), create);
    if (s != IR_OK)
        fe_locate(ctx, at);
    return tdm_error_code(ctx);
}

typedef struct request {
    tdm_tensor *const *outs, *const *douts, *const *inputs;
    int n_outs, n_inputs;
    tdm_tensor **grads;
} request;

static tdm_status gradients_graph(fe_call *c, const request *q)
{
    tdm_graph *g = c->ctx->open;
    size_t no = (size_t)q->n_outs, ni = (size_t)q->n_inputs;
    ir_ref *r = malloc(2 * (no + ni) * sizeof *r);
    ir_ref *outs = r, *douts = r + no, *wrt = r + 2 * no, *grads = wrt + ni;
    bool ok = true;

    if (!r)
        return fe_fail(c->ctx, c->at, IR_ENOMEM, "gradients: out of memory");
    for (size_t i = 0; i < no && ok; i++) {
        ir_val v = fe_use(c, q->outs[i], "outs"),
               d = q->douts && q->douts[i] ? fe_use(c, q->douts[i], "douts") : 0;
        ok = v && (d || !q->douts || !q->douts[i]);
        outs[i] = v ? ir_ref_of(v) : IR_NONE;
        douts[i] = d ? ir_ref_of(d) : IR_NONE;
    }
    for (size_t i = 0; i < ni && ok; i++) {
        ir_val v = fe_use(c, q->inputs[i], "inputs");
        ok = v != 0;
        wrt[i] = v ? ir_ref_of(v) : IR_NONE;
    }
    ok = ok && pass_gradient_checkpointed(g->g, &g->checkpoints, outs, douts, q->n_outs, wrt, q->n_inputs,
                                          grads) == IR_OK;
    for (size_t i = 0; i < ni; i++)
        q->grads[i] = ok && grads[i] != IR_NONE ? fe_symbolic(g, grads[i]) : NULL;
    free(r);
    if (!ok)
        fe_graph_locate(g, c->at);
    return tdm_error_code(c->ctx);
}

tdm_status tdm_gradients(tdm_tensor *const *outs, tdm_tensor *const *douts, int n_outs,
                         tdm_tensor *const *inputs, int n_inputs, tdm_tensor **grads, unsigned flags,
                         tdm_loc at)
{
    fe_call c;
    if (!outs || !inputs || !grads || n_outs < 1 || n_inputs < 1)
        return TDM_EARG;
    tdm_context *ctx = fe_context_of(outs[0], inputs[0], NULL);
    for (int i = 0; i < n_inputs; i++)
        grads[i] = ctx ? ctx->error_tensor : NULL;
    if (!ctx)
        return TDM_EARG;
    if (!fe_begin(&c, ctx, "gradients", at, false))
        return tdm_error_code(ctx);
    const request q = {outs, douts, inputs, n_outs, n_inputs, grads};
    if (ctx->open) {
        gradients_graph(&c, &q);
    } else {
        for (int i = 0; i < n_outs; i++)
            if (!fe_use(&c, outs[i], "outs"))
                return tdm_error_code(ctx);
        for (int i = 0; i < n_inputs; i++)
            if (!fe_use(&c, inputs[i], "inputs"))
                return tdm_error_code(ctx);
        bool create = flags & TDM_CREATE_GRAPH;
        if (rt_backward(&ctx->rt, outs, douts, n_outs, inputs, n_inputs, grads,
                        create || (flags & TDM_RETAIN_GRAPH), create) != IR_OK)
            fe_locate(ctx, at);
    }
    for (int i = 0; i < n_inputs && tdm_ok(ctx); i++)
        if (!grads[i] && !(flags & TDM_ALLOW_UNUSED))
            fe_fail(ctx, at, IR_EARG,
                    "gradients: input %d was not used to compute the outputs (TDM_ALLOW_UNUSED gives NULL)",
                    i);
    if (!tdm_ok(ctx))
        for (int i = 0; i < n_inputs; i++)
            grads[i] = ctx->error_tensor;
    return tdm_error_code(ctx);
}

/* ---- the tape by name --------------------------------------------------------------------------------- */

const tdm_grad_fn *tdm_grad_fn_of(const tdm_tensor *t)
{
    return tdm_is_error(t) ? NULL : (const tdm_grad_fn *)t->grad_fn;
}

const char *tdm_grad_fn_name(const tdm_grad_fn *f)
{
    return f ? ((const rt_tape_node *)f)->name : "";
}

int tdm_grad_fn_count(const tdm_grad_fn *f)
{
    return f ? ((const rt_tape_node *)f)->n : 0;
}

const tdm_grad_fn *tdm_grad_fn_next(const tdm_grad_fn *f, int i)
{
    const rt_tape_node *n = (const rt_tape_node *)f;
    return n && i >= 0 && i < n->n ? (const tdm_grad_fn *)n->next[i] : NULL;
}
