/* frontend/door.c: the one way in for every op: check, pick the sink, take operands, give the result back. */
#include "frontend/fe.h"

static tdm_context *context_of(const tdm_tensor *t)
{
    return t ? (tdm_context *)t->ctx : NULL;
}

tdm_context *fe_context_of(tdm_tensor *x, tdm_tensor *z, tdm_tensor *w)
{
    tdm_context *ctx = context_of(x);
    if (!ctx)
        ctx = context_of(z);
    return ctx ? ctx : context_of(w);
}

bool fe_begin(fe_call *c, tdm_context *ctx, const char *op, tdm_loc at, bool composite)
{
    *c = (fe_call){.ctx = ctx, .op = op, .at = at};
    if (!ctx || ctx->rt.error.status != IR_OK)
        return false;
    c->s = ctx->open ? &ctx->open->g->sink : &ctx->rt.sink;
    c->s->loc = (ir_loc){at.file, at.line};
    if (composite && !ctx->open) {
        rt_scope_open(&ctx->rt);
        c->scoped = true;
    }
    return true;
}

/* 0 leads every emit to 0, and fe_end to the error tensor. */
ir_val fe_use(fe_call *c, tdm_tensor *t, const char *argument)
{
    if (!t) {
        fe_fail(c->ctx, c->at, IR_EARG, "%s: argument '%s' is NULL", c->op, argument);
        return 0;
    }
    if (context_of(t) != c->ctx) {
        fe_fail(c->ctx, c->at, IR_EARG, "%s: argument '%s' belongs to another context", c->op, argument);
        return 0;
    }
    if (c->n < 4)
        c->in[c->n++] = t;
    if (c->ctx->open) {
        ir_ref r = fe_capture_ref(c->ctx->open, t, c->at);
        return r == IR_NONE ? 0 : ir_val_of(r);
    }
    if (t->graph) {
        fe_fail(c->ctx, c->at, IR_ESTATE, "%s: argument '%s' is symbolic, and its graph is closed", c->op,
                argument);
        return 0;
    }
    return rt_val(t);
}

bool fe_use_optional(fe_call *c, tdm_tensor *t, const char *argument, ir_val *v)
{
    *v = t ? fe_use(c, t, argument) : 0;
    return !t || *v;
}

bool fe_valid_shape(fe_call *c, tdm_dims shape)
{
    if (shape.rank < 0 || shape.rank > TDM_MAX_RANK) {
        fe_fail(c->ctx, c->at, IR_ESHAPE, "%s: rank %d, expected 0 to %d", c->op, shape.rank, TDM_MAX_RANK);
        return false;
    }
    for (int i = 0; i < shape.rank; i++)
        if (shape.dims[i] < 1) {
            fe_fail(c->ctx, c->at, IR_ESHAPE, "%s: extent %lld of axis %d, expected at least 1", c->op,
                    (long long)shape.dims[i], i);
            return false;
        }
    return true;
}

static tdm_tensor *end_graph(fe_call *c, ir_val v)
{
    tdm_graph *g = c->ctx->open;

    if (v && !c->ctx->rt.grad_mode && ir_dtype_is_float(g->g->nodes[ir_ref_of(v)].type.dtype))
        v = ir_emit(c->s, IR_stop_gradient, NULL, &v, 1);
    if (!v) {
        fe_graph_locate(g, c->at);
        return c->ctx->error_tensor;
    }
    tdm_tensor *t = fe_symbolic(g, ir_ref_of(v));
    t->loc = (ir_loc){c->at.file, c->at.line}; /* not the node's: that text goes with the graph */
    return t;
}

tdm_tensor *fe_end(fe_call *c, ir_val v)
{
    tdm_context *ctx = c->ctx;

    if (!ctx)
        return NULL;
    if (!c->s)
        return ctx->error_tensor;
    c->s->loc = (ir_loc){NULL, 0};
    if (ctx->open)
        return end_graph(c, v);

    bool known = false;
    for (int i = 0; i < c->n; i++)
        known |= v == rt_val(c->in[i]);
    if (c->scoped) {
        if (v && !known)
            rt_keep(rt_tensor_of(v));
        rt_scope_close(&ctx->rt);
    }
    if (v)
        return rt_tensor_of(v);
    if (ctx->rt.error.status == IR_OK)
        ir_fail(&ctx->rt.error, IR_EARG, "%s: failed", c->op);
    fe_locate(ctx, c->at);
    return ctx->error_tensor;
}
