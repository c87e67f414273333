/* frontend/graph.c: defining a graph: opening, inputs, capture of eager tensors, outputs, assigns, closing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/fe.h"
#include "ir/emit.h"
#include "ir/shared.h"

static const tdm_loc nowhere = {NULL, 0};

tdm_graph *fe_graph_wrap(tdm_context *ctx, ir_graph *g)
{
    tdm_graph *w = calloc(1, sizeof *w);
    if (!w) {
        ir_graph_free(g);
        fe_fail(ctx, nowhere, IR_ENOMEM, "graph: out of memory");
        return NULL;
    }
    *w = (tdm_graph){.ctx = ctx, .g = g, .serial = ++ctx->graphs, .rng = IR_NONE, .closed = true};
    return w;
}

tdm_graph *tdm_graph_open(tdm_context *ctx, const char *name)
{
    if (!ctx || !tdm_ok(ctx))
        return NULL;
    if (ctx->open) {
        fe_fail(ctx, nowhere, IR_ESTATE, "graph_open: graph '%s' is still open on this context",
                ctx->open->g->name);
        return NULL;
    }
    if (ctx->checkpoint_depth) {
        fe_fail(ctx, nowhere, IR_ESTATE, "graph_open: a checkpointed region is open");
        return NULL;
    }
    if (!name || !*name) {
        fe_fail(ctx, nowhere, IR_EARG, "graph_open: argument 'name' is %s", name ? "empty" : "NULL");
        return NULL;
    }
    ir_graph *g = ir_graph_new(name);
    if (!g) {
        fe_fail(ctx, nowhere, IR_ENOMEM, "graph_open: out of memory");
        return NULL;
    }
    tdm_graph *w = fe_graph_wrap(ctx, g);
    if (!w)
        return NULL;
    w->closed = false;
    ctx->open = w;
    return w;
}

void tdm_graph_free(tdm_graph *g)
{
    if (!g)
        return;
    if (g->ctx->open == g)
        g->ctx->open = NULL;
    for (int i = 0; i < g->capture_count; i++)
        rt_release(g->captures[i].tensor);
    free(g->captures);
    free(g->replaced);
    pass_checkpoints_free(&g->checkpoints);
    if (!g->borrowed)
        ir_graph_free(g->g);
    free(g);
}

void fe_graph_locate(tdm_graph *g, tdm_loc at)
{
    tdm_context *ctx = g->ctx;
    if (ctx->rt.error.status == IR_OK)
        ir_fail(&ctx->rt.error, g->g->error.status ? g->g->error.status : IR_EARG, "%s",
                g->g->error.status ? g->g->error.text : "graph: failed");
    fe_locate(ctx, at);
}

tdm_tensor *fe_symbolic(tdm_graph *g, ir_ref r)
{
    tdm_tensor *t = rt_placeholder(&g->ctx->rt, &g->g->nodes[r].type);
    if (!t)
        return g->ctx->error_tensor;
    t->graph = g->g;
    t->graph_serial = g->serial;
    t->ref = r;
    return t;
}

bool fe_in_graph(const tdm_tensor *t, const tdm_graph *g)
{
    return t->graph && t->graph_serial == g->serial;
}

fe_capture *fe_capture_find(tdm_graph *g, const tdm_tensor *t)
{
    for (int i = 0; i < g->capture_count; i++)
        if (g->captures[i].tensor == t)
            return &g->captures[i];
    return NULL;
}

fe_capture *fe_capture_add(tdm_graph *g, tdm_tensor *t, ir_ref leaf)
{
    if (g->capture_count == g->capture_capacity) {
        int room = g->capture_capacity ? 2 * g->capture_capacity : 16;
        fe_capture *more = realloc(g->captures, (size_t)room * sizeof *more);
        if (!more) {
            fe_fail(g->ctx, nowhere, IR_ENOMEM, "graph: out of memory");
            return NULL;
        }
        g->captures = more;
        g->capture_capacity = room;
    }
    fe_capture *c = &g->captures[g->capture_count++];
    *c = (fe_capture){.tensor = t ? rt_retain(t) : NULL, .leaf = leaf, .current = leaf, .grad = IR_NONE};
    return c;
}

/* A name no input or variable of g has: the tensor's own, or "p0", "p1", .. */
static void fresh_name(const tdm_graph *g, const tdm_tensor *t, char name[64])
{
    int number = 0;
    snprintf(name, 64, "%s", t->name ? t->name : "p0");
    for (int i = 0; i < g->g->input_count; i++)
        if (strcmp(g->g->nodes[g->g->inputs[i]].attrs->leaf.name, name) == 0) {
            snprintf(name, 64, "%.48s%s%d", t->name ? t->name : "p", t->name ? "_" : "", ++number);
            i = -1;
        }
}

/* t's value now, held: t's own bytes until somebody writes to it, as weights may be most of the memory that
 * there is, or a copy. */
static ir_shared *value_of(tdm_tensor *t, size_t bytes)
{
    ir_shared *s = rt_share(t);
    if (s)
        return s;
    s = ir_shared_new(bytes);
    if (s && rt_copy_out(t, ir_shared_data(s)) == IR_OK)
        return s;
    ir_shared_release(s);
    return NULL;
}

static ir_ref capture_value(tdm_graph *g, tdm_tensor *t, tdm_loc at)
{
    size_t bytes = ir_type_bytes(&t->a.type);
    ir_shared *s = value_of(t, bytes);
    ir_attrs a = {.type = t->a.type};

    if (!s) {
        fe_fail(g->ctx, at, IR_ENOMEM, "graph '%s': out of memory for a constant of %zu bytes", g->g->name,
                bytes);
        return IR_NONE;
    }
    a.constant.data = ir_shared_data(s);
    a.constant.bytes = bytes;
    a.constant.shared = s;
    ir_val v = ir_emit(&g->g->sink, IR_constant, &a, NULL, 0);
    ir_shared_release(s);
    fe_capture *c = v ? fe_capture_add(g, t, ir_ref_of(v)) : NULL;
    if (c)
        c->by_value = true;
    return v ? ir_ref_of(v) : IR_NONE;
}

static ir_ref capture(tdm_graph *g, tdm_tensor *t, tdm_loc at)
{
    char name[64];
    bool by_reference = t->requires_grad || t->variable;

    if (!by_reference)
        return capture_value(g, t, at);
    if (t->grad_fn) {
        fe_fail(g->ctx, at, IR_ESTATE,
                "graph '%s': a tensor computed eagerly from parameters is used: detach it, or compute it "
                "inside the graph",
                g->g->name);
        return IR_NONE;
    }
    if (!rt_array_is_contiguous(&t->a)) {
        fe_fail(g->ctx, at, IR_ESTATE,
                "graph '%s': a leaf that is a view with gaps is captured: make it a parameter", g->g->name);
        return IR_NONE;
    }
    fresh_name(g, t, name);
    ir_ref r = ir_graph_variable(g->g, name, &t->a.type);
    if (r == IR_NONE)
        return IR_NONE;
    fe_capture *c = fe_capture_add(g, t, r);
    if (!c)
        return IR_NONE;
    c->wants_grad = t->requires_grad;
    return r;
}

ir_ref fe_capture_ref(tdm_graph *g, tdm_tensor *t, tdm_loc at)
{
    if (t->graph) {
        if (fe_in_graph(t, g)) {
            fe_capture *c = fe_capture_find(g, t);
            return c ? c->current : t->ref;
        }
        fe_fail(g->ctx, at, IR_ESTATE, "graph '%s': a symbolic tensor of another graph is used", g->g->name);
        return IR_NONE;
    }
    fe_capture *known = fe_capture_find(g, t);
    if (known)
        return known->current;
    ir_ref r = capture(g, t, at);
    if (r == IR_NONE)
        fe_graph_locate(g, at);
    return r;
}

tdm_tensor *tdm_input(tdm_context *ctx, const char *name, tdm_dtype d, tdm_dims shape, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, ctx, "input", at, false))
        return fe_end(&c, 0);
    if (!ctx->open || !name || !*name || !fe_valid_dtype(d) || shape.rank < 0 || shape.rank > TDM_MAX_RANK) {
        const char *what = !ctx->open           ? "no graph is open"
                           : !name || !*name    ? "argument 'name' is NULL or empty"
                           : !fe_valid_dtype(d) ? "not a dtype"
                                                : "rank out of range";
        fe_fail(ctx, at, ctx->open ? IR_EARG : IR_ESTATE, "input '%s': %s", name ? name : "", what);
        return fe_end(&c, 0);
    }
    for (int i = 0; i < shape.rank; i++)
        if (shape.dims[i] < 1) {
            fe_fail(ctx, at, IR_ESHAPE, "input '%s': extent %lld of axis %d, expected at least 1", name,
                    (long long)shape.dims[i], i);
            return fe_end(&c, 0);
        }
    ir_type t = fe_type(d, shape);
    ir_ref r = ir_graph_input(ctx->open->g, name, &t);
    if (r == IR_NONE) {
        fe_graph_locate(ctx->open, at);
        return ctx->error_tensor;
    }
    tdm_tensor *t_in = fe_symbolic(ctx->open, r);
    t_in->loc = (ir_loc){at.file, at.line}; /* not the node's: that text goes with the graph */
    return t_in;
}

ir_ref fe_rng_ref(tdm_graph *g)
{
    if (g->rng == IR_NONE) {
        const int64_t four = 4;
        ir_type t = ir_type_make(IR_DT_u32, 1, &four);
        g->rng = ir_graph_input(g->g, "rng", &t);
    }
    return g->rng;
}

tdm_status tdm_output(tdm_context *ctx, const char *name, tdm_tensor *t, tdm_loc at)
{
    fe_call c;
    if (!ctx)
        return TDM_EARG;
    if (!fe_begin(&c, ctx, "output", at, false))
        return tdm_error_code(ctx);
    if (!ctx->open || !name || !*name)
        return fe_fail(ctx, at, ctx->open ? IR_EARG : IR_ESTATE, "output '%s': %s", name ? name : "",
                       ctx->open ? "argument 'name' is NULL or empty" : "no graph is open");
    ir_val v = fe_use(&c, t, "t");
    if (!v)
        return tdm_error_code(ctx);
    if (ir_graph_output(ctx->open->g, name, ir_ref_of(v)) == IR_OK)
        return TDM_OK;
    fe_graph_locate(ctx->open, at);
    return tdm_error_code(ctx);
}

/* Tensors captured by value were held so that each is copied once.  Nothing is captured any more. */
static void drop_copied(tdm_graph *g)
{
    for (int i = 0; i < g->capture_count; i++)
        if (g->captures[i].by_value) {
            rt_release(g->captures[i].tensor);
            g->captures[i].tensor = NULL;
        }
}

tdm_status tdm_graph_close(tdm_context *ctx)
{
    if (!ctx)
        return TDM_EARG;
    if (!ctx->open)
        return fe_fail(ctx, nowhere, IR_ESTATE, "graph_close: no graph is open");
    tdm_graph *g = ctx->open;
    g->closed = true;
    ctx->open = NULL;
    drop_copied(g);
    if (ctx->checkpoint_depth)
        return fe_fail(ctx, nowhere, IR_ESTATE, "graph_close: graph '%s' has a checkpointed region open",
                       g->g->name);
    if (!tdm_ok(ctx))
        return tdm_error_code(ctx);
    ir_status s = ir_verify(g->g, &ctx->rt.error);
    return fe_status(s);
}

static bool keep_replaced(tdm_graph *g, ir_ref r)
{
    if (g->replaced_count == g->replaced_capacity) {
        int room = g->replaced_capacity ? 2 * g->replaced_capacity : 16;
        ir_ref *more = realloc(g->replaced, (size_t)room * sizeof *more);
        if (!more) {
            fe_fail(g->ctx, nowhere, IR_ENOMEM, "graph: out of memory");
            return false;
        }
        g->replaced = more;
        g->replaced_capacity = room;
    }
    g->replaced[g->replaced_count++] = r;
    return true;
}

ir_status fe_capture_assign(tdm_graph *g, fe_capture *c, ir_ref v)
{
    ir_status s = ir_graph_assign(g->g, c->leaf, v);
    if (s != IR_OK || !c->wants_grad) {
        c->current = s == IR_OK ? v : c->current;
        return s;
    }
    ir_val x = ir_val_of(v), leaf = ir_emit(&g->g->sink, IR_stop_gradient, NULL, &x, 1);
    if (!leaf || !keep_replaced(g, c->current))
        return g->g->error.status ? g->g->error.status : IR_ENOMEM;
    c->current = ir_ref_of(leaf);
    return IR_OK;
}

static tdm_status assign_symbolic(tdm_graph *g, tdm_tensor *variable, tdm_tensor *value, tdm_loc at)
{
    char type[96];
    ir_ref r = fe_capture_ref(g, variable, at), v = r == IR_NONE ? IR_NONE : fe_capture_ref(g, value, at);
    if (v == IR_NONE)
        return tdm_error_code(g->ctx);
    fe_capture *c = fe_capture_find(g, variable);
    if (!c || c->by_value || variable->graph)
        return fe_fail(
            g->ctx, at, IR_EARG,
            "assign: the target is not a variable: make it one with tdm_variable or tdm_parameter");
    if (c->wants_grad && g->ctx->rt.grad_mode)
        return fe_fail(g->ctx, at, IR_ESTATE, "assign: %s %s requires grad: change it under no_grad only",
                       variable->name ? variable->name : "leaf",
                       ir_type_text(&variable->a.type, NULL, type, sizeof type));
    if (fe_capture_assign(g, c, v) != IR_OK)
        fe_graph_locate(g, at);
    return tdm_error_code(g->ctx);
}

tdm_status tdm_assign(tdm_tensor *variable, tdm_tensor *value, tdm_loc at)
{
    fe_call c;
    tdm_context *ctx = fe_context_of(variable, value, NULL);
    if (!ctx)
        return TDM_EARG;
    if (!fe_begin(&c, ctx, "assign", at, false))
        return tdm_error_code(ctx);
    if (!variable || !value)
        return fe_fail(ctx, at, IR_EARG, "assign: argument '%s' is NULL", variable ? "value" : "variable");
    if (ctx->open)
        return assign_symbolic(ctx->open, variable, value, at);
    if (!fe_use(&c, variable, "variable") || !fe_use(&c, value, "value"))
        return tdm_error_code(ctx);
    if (rt_assign(variable, value) != IR_OK)
        fe_locate(ctx, at);
    return tdm_error_code(ctx);
}
