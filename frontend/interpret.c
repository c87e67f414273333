/* frontend/interpret.c: runs a graph node by node on the eager engine: what compare, debug and the tests hold
 * compiled code to. A value is freed after its last use, so the eager peak memory that is reported is honest.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frontend/fe.h"

static const tdm_loc nowhere = {NULL, 0};

typedef struct replay {
    tdm_context *ctx;
    const ir_graph *g;
    tdm_tensor **value; /* held, by node */
    uint32_t *last;     /* node that reads a value last; the node count for results */
} replay;

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void find_last_uses(replay *p)
{
    const ir_graph *g = p->g;
    for (ir_ref r = 0; r < g->count; r++)
        p->last[r] = r;
    for (ir_ref r = 0; r < g->count; r++)
        for (int i = 0; i < g->nodes[r].n; i++)
            p->last[g->nodes[r].x[i]] = r;
    for (int i = 0; i < g->output_count; i++)
        p->last[g->outputs[i].value] = g->count;
    for (int i = 0; i < g->assign_count; i++)
        p->last[g->assigns[i].value] = g->count;
}

static tdm_tensor *constant(replay *p, const ir_node *n)
{
    if (!n->attrs->splat)
        return rt_tensor_from(&p->ctx->rt, &n->type, n->attrs->constant.data);
    ir_type one = ir_type_make(n->type.dtype, 0, NULL);
    tdm_tensor *x = rt_tensor_from(&p->ctx->rt, &one, n->attrs->constant.data);
    ir_attrs a = {.type = n->type};
    return x && n->type.rank ? rt_op(&p->ctx->rt, IR_broadcast, &a, &x, 1) : x;
}

static tdm_tensor *compute(replay *p, const ir_node *n)
{
    tdm_tensor *x[8];
    if (n->op == IR_constant)
        return constant(p, n);
    for (int i = 0; i < n->n && i < 8; i++)
        x[i] = p->value[n->x[i]];
    return rt_op(&p->ctx->rt, n->op, n->attrs, x, n->n);
}

static tdm_tensor *given(replay *p, ir_ref r, tdm_tensor *const *values)
{
    char want[96], got[96];
    const ir_node *n = &p->g->nodes[r];
    for (int i = 0; i < p->g->input_count; i++) {
        if (p->g->inputs[i] != r)
            continue;
        tdm_tensor *t = values ? values[i] : NULL;
        if (tdm_is_error(t) || !t->storage)
            fe_fail(p->ctx, nowhere, IR_EARG, "interpret: input '%s' has no value", n->attrs->leaf.name);
        else if (!ir_type_eq(&t->a.type, &n->type))
            fe_fail(p->ctx, nowhere, IR_ESHAPE, "interpret: input '%s' is %s, but %s was given",
                    n->attrs->leaf.name, ir_type_text(&n->type, NULL, want, sizeof want),
                    ir_type_text(&t->a.type, NULL, got, sizeof got));
        else
            return rt_retain(t);
    }
    return NULL;
}

static void drop_dead(replay *p, ir_ref r)
{
    const ir_node *n = &p->g->nodes[r];
    for (int i = 0; i < n->n; i++)
        if (p->last[n->x[i]] == r) {
            rt_release(p->value[n->x[i]]);
            p->value[n->x[i]] = NULL;
        }
    if (p->last[r] == r) {
        rt_release(p->value[r]);
        p->value[r] = NULL;
    }
}

/* False when an op failed or the visitor stopped. */
static bool step(replay *p, ir_ref r, tdm_tensor *const *values, tdm_visit *visit, void *user)
{
    const ir_node *n = &p->g->nodes[r];
    bool leaf = n->op == IR_input || n->op == IR_variable;

    double start = now_ns();
    rt_scope_open(&p->ctx->rt);
    tdm_tensor *v = leaf ? given(p, r, values) : compute(p, n);
    if (v && !leaf)
        v = rt_hold(v);
    rt_scope_close(&p->ctx->rt);
    double ns = now_ns() - start;
    p->value[r] = v;
    if (!v)
        return false;
    bool go_on = !visit || visit(user, (int)r, v, ns);
    drop_dead(p, r);
    return go_on;
}

/* Results into the caller's scope; recorded outputs are held. */
static void give_out(replay *p, bool recorded, tdm_tensor **outputs, tdm_tensor **new_values)
{
    for (int i = 0; outputs && i < p->g->output_count; i++) {
        tdm_tensor *t = p->value[p->g->outputs[i].value];
        outputs[i] = t ? (recorded ? rt_retain(t) : rt_detach(t)) : NULL;
    }
    for (int i = 0; new_values && i < p->g->assign_count; i++) {
        tdm_tensor *t = p->value[p->g->assigns[i].value];
        new_values[i] = t ? rt_detach(t) : NULL;
    }
}

static tdm_status interpret(const tdm_graph *g, tdm_tensor *const *values, bool recorded, tdm_visit *visit,
                            void *user, tdm_tensor **outputs, tdm_tensor **new_values)
{
    if (!g)
        return TDM_EARG;
    tdm_context *ctx = g->ctx;
    if (!tdm_ok(ctx))
        return tdm_error_code(ctx);
    if (ctx->open)
        return fe_fail(ctx, nowhere, IR_ESTATE, "interpret: graph '%s' is open", ctx->open->g->name);
    replay p = {.ctx = ctx, .g = g->g};
    p.value = calloc((size_t)g->g->count + 1, sizeof *p.value);
    p.last = calloc((size_t)g->g->count + 1, sizeof *p.last);
    if (p.value && p.last) {
        bool recording = tdm_grad_mode(ctx, recorded);
        find_last_uses(&p);
        ir_ref r = 0;
        while (r < g->g->count && step(&p, r, values, visit, user))
            r++;
        if (r == g->g->count)
            give_out(&p, recorded, outputs, new_values);
        tdm_grad_mode(ctx, recording);
    } else {
        fe_fail(ctx, nowhere, IR_ENOMEM, "interpret: out of memory");
    }
    for (ir_ref r = 0; p.value && r < g->g->count; r++)
        rt_release(p.value[r]);
    free(p.value);
    free(p.last);
    return tdm_error_code(ctx);
}

tdm_status tdm_interpret(const tdm_graph *g, tdm_tensor *const *values, tdm_visit *visit, void *user,
                         tdm_tensor **outputs, tdm_tensor **new_values)
{
    return interpret(g, values, false, visit, user, outputs, new_values);
}

/* ---- gradients by the tape ---------------------------------------------------------------------------- */

static bool is_float(const tdm_tensor *t)
{
    return ir_dtype_is_float((ir_dtype)t->a.type.dtype);
}

/* Leaves that share the values' storage and collect gradients. */
static bool make_leaves(const ir_graph *g, tdm_tensor *const *values, tdm_tensor **leaves, tdm_tensor **wrt)
{
    int n = 0;
    for (int i = 0; i < g->input_count; i++) {
        leaves[i] = tdm_is_error(values[i]) ? NULL : rt_detach(values[i]);
        if (leaves[i] && is_float(leaves[i]))
            wrt[n++] = tdm_requires_grad(leaves[i], true);
        if (!leaves[i])
            return false;
    }
    return n > 0;
}

/* Differentiates the outputs that the tape leads to. */
static void differentiate(const ir_graph *g, tdm_tensor **outputs, tdm_tensor *const *upstream,
                          tdm_tensor **douts, tdm_tensor **wrt, tdm_tensor **grads)
{
    int outs = 0, n = 0;
    for (int i = 0, k = 0; i < g->output_count; i++) {
        if (!is_float(outputs[i]))
            continue;
        douts[outs] = upstream[k++];
        outputs[outs] = outputs[i];
        outs += tdm_needs_grad(outputs[i]);
    }
    while (n < g->input_count && wrt[n])
        n++;
    if (outs && tdm_gradients(outputs, douts, outs, wrt, n, grads, TDM_ALLOW_UNUSED, nowhere) == TDM_OK)
        for (int i = 0; i < n; i++)
            grads[i] = grads[i] ? rt_hold(grads[i]) : NULL;
}

tdm_status tdm_interpret_gradients(const tdm_graph *g, tdm_tensor *const *values, tdm_tensor *const *upstream,
                                   tdm_tensor **grads)
{
    if (!g || !values || !upstream || !grads)
        return TDM_EARG;
    tdm_context *ctx = g->ctx;
    size_t inputs = (size_t)g->g->input_count + 1, outs = (size_t)g->g->output_count + 1;
    tdm_tensor **room = calloc(2 * inputs + 2 * outs, sizeof *room);
    tdm_tensor **wrt = room + inputs, **outputs = wrt + inputs, **held = outputs + outs;
    if (!room)
        return fe_fail(ctx, nowhere, IR_ENOMEM, "interpret: out of memory");
    rt_scope_open(&ctx->rt);
    if (make_leaves(g->g, values, room, wrt) &&
        interpret(g, room, true, NULL, NULL, outputs, NULL) == TDM_OK) {
        memcpy(held, outputs, outs * sizeof *held);
        tdm_tensor **douts = calloc(outs, sizeof *douts);
        if (douts)
            differentiate(g->g, outputs, upstream, douts, wrt, grads);
        for (int i = 0; i < g->g->output_count; i++)
            rt_release(held[i]);
        free(douts);
    }
    rt_scope_close(&ctx->rt);
    free(room);
    return tdm_error_code(ctx);
}
