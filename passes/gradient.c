/* passes/gradient.c: reverse mode on a graph: appends the gradients of outputs with respect to any nodes.
 *
 *   y = mul(x, w), dy      ->      dx = mul(dy, w)   dw = mul(dy, x)      appended behind, y's file:line and
 * region on them
 *
 * in:  the graph as the user wrote it, before any other pass.
 * out: the same nodes, then the gradients.  Nodes are processed newest first and the contributions to one
 * value are added in the order in which they arise, operand 0 first, add(old, new): the tape's order, so both
 * engines give the same bits (numerics.md rule 9).  Only nodes on a path from `wrt` to an output are
 * differentiated. Values of checkpointed regions are computed again (gradient_checkpoint.c), which changes no
 * bit: a repetition stands for the first value, and what flows to it is added there.
 * Cost: one rule per node on such a path. */
#include "ir/plant.h"
#include "passes/gradient.h"
#include "passes/all.h"
#include "passes/rebuild.h"
#include "ir/emit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void mark_paths(reverse *v, const ir_ref *wrt, int nw)
{
    const ir_graph *g = v->g;

    for (int i = 0; i < nw; i++) {
        v->path[wrt[i]] = 1;
    }
    for (ir_ref r = 0; r < v->count; r++) {
        const ir_node *n = &g->nodes[r];
        bool carries = ir_dtype_is_float(n->type.dtype) && !(ir_ops[n->op].facts & IR_NO_GRAD);

        if (v->original && v->original[r] != r) { /* a repetition: its value's gradient is the first one's */
            v->path[r] = v->path[v->original[r]];
            continue;
        }
        for (int i = 0; carries && i < n->n; i++) {
            v->path[r] |= v->path[n->x[i]];
        }
    }
}

static void contribute(reverse *v, ir_ref r, ir_val d)
{
    r = v->original ? v->original[r] : r;
    if (d) {
        v->grad[r] = v->grad[r] && !IR_PLANTED("gradient") ? ir_e_add(&v->g->sink, v->grad[r], d) : d;
    }
}

/* The gradient of output o: the node given, or 1 for a value of one element. */
static ir_val upstream(ir_graph *g, ir_ref o, ir_ref d)
{
    char a[160], b[160];
    const ir_type *t = &g->nodes[o].type;

    if (d == IR_NONE) {
        if (ir_type_is_static(t) && ir_type_elements(t) == 1) {
            return ir_e_like(&g->sink, ir_val_of(o), 1);
        }
        ir_fail(&g->error, IR_ESHAPE,
                "gradient: %s has more than one element: its upstream gradient must be given",
                ir_type_text(t, g->symbols, a, sizeof a));
        return 0;
    }
    if (!ir_type_eq(t, &g->nodes[d].type)) {
        ir_fail(&g->error, IR_ESHAPE, "gradient: the upstream gradient of %s is %s",
                ir_type_text(t, g->symbols, a, sizeof a),
                ir_type_text(&g->nodes[d].type, g->symbols, b, sizeof b));
        return 0;
    }
    return ir_val_of(d);
}

/* Operand i of node r (-1: r itself) as its rule reads it. */
static ir_val value_read(const reverse *v, const pass_region *p, ir_ref r, int i)
{
    const ir_node *n = &v->g->nodes[r];
    ir_ref x = i < 0 ? r : n->x[i];

    return ir_val_of(p && ir_op_saves(n->op, i) ? v->again[x] : x);
}

static void differentiate(reverse *v, ir_ref r)
{
    const pass_region *p = gradient_region(v->checkpoints, r);
    ir_graph *g = v->g;
    ir_node n = g->nodes[r]; /* a copy: emitting moves the nodes */
    ir_val x[IR_MAX_RANK], dx[IR_MAX_RANK];
    unsigned need = 0;

    for (int i = 0; i < n.n; i++) {
        need |= (unsigned)v->path[n.x[i]] << i;
    }
    if (!need) {
        return;
    }
    if (p) {
        gradient_enter(v, p, v->grad[r]);
    }
    for (int i = 0; i < n.n; i++) {
        x[i] = value_read(v, p, r, i);
    }
    pass_copy_origin(&n, g);
    ir_vjp(&g->sink, n.op, n.attrs, x, n.n, value_read(v, p, r, -1), v->grad[r], need, dx);
    for (int i = 0; i < n.n; i++) {
        if (need >> i & 1) {
            contribute(v, n.x[i], dx[i]);
        }
    }
}

static ir_status check_wrt(ir_graph *g, const ir_ref *outs, int no, const ir_ref *wrt, int nw)
{
    for (int i = 0; i < no + nw; i++) {
        ir_ref r = i < no ? outs[i] : wrt[i - no];
        if (r >= g->count) {
            return ir_fail(&g->error, IR_EARG, "gradient: %s %d is no node of the graph",
                           i < no ? "output" : "argument", i < no ? i : i - no);
        }
        if (!ir_dtype_is_float(g->nodes[r].type.dtype)) {
            return ir_fail(&g->error, IR_EDTYPE, "gradient: %s has no gradient: only f32 and f64 do",
                           ir_dtype_name(g->nodes[r].type.dtype));
        }
    }
    return g->error.status;
}

static void run_reverse(reverse *v, const ir_ref *outs, const ir_ref *douts, int no)
{
    for (int i = 0; i < no; i++) {
        if (v->path[outs[i]]) {
            contribute(v, outs[i], upstream(v->g, outs[i], douts ? douts[i] : IR_NONE));
        }
    }
    for (ir_ref r = v->count; r-- > 0 && v->g->error.status == IR_OK;) {
        if (v->path[r] && v->grad[r]) {
            differentiate(v, r);
        }
    }
}

ir_status pass_gradient(ir_graph *g, const ir_ref *outs, const ir_ref *douts, int no, const ir_ref *wrt,
                        int nw, ir_ref *grads)
{
    return pass_gradient_checkpointed(g, NULL, outs, douts, no, wrt, nw, grads);
}

ir_status pass_gradient_checkpointed(ir_graph *g, pass_checkpoints *c, const ir_ref *outs,
                                     const ir_ref *douts, int no, const ir_ref *wrt, int nw, ir_ref *grads)
{
    reverse v = {.g = g, .count = g->count, .checkpoints = c && c->region_count ? c : NULL};
    ir_loc loc = g->sink.loc;
    const char *region = g->sink.region;

    if (check_wrt(g, outs, no, wrt, nw) != IR_OK) {
        return g->error.status;
    }
    v.path = calloc(v.count + 1, sizeof *v.path);
    v.grad = calloc(v.count + 1, sizeof *v.grad);
    if (!v.path || !v.grad) {
        ir_fail(&g->error, IR_ENOMEM, "out of memory in a gradient");
    } else if (!v.checkpoints || gradient_checkpoints_open(&v)) {
        mark_paths(&v, wrt, nw);
        run_reverse(&v, outs, douts, no);
    }
    for (int i = 0; i < nw; i++) {
        bool found = g->error.status == IR_OK && v.grad[wrt[i]];
        grads[i] = found ? ir_ref_of(v.grad[wrt[i]]) : IR_NONE;
    }
    free(v.path);
    free(v.grad);
    gradient_checkpoints_close(&v);
    g->sink.loc = loc;
    g->sink.region = region;
    return g->error.status;
}

/* ---- the pass `gradient` ------------------------------------------------------------------------------- */

/* "PREFIX_NAME" in the graph's memory. */
static const char *prefixed(ir_graph *g, const char *prefix, const char *name)
{
    size_t size = strlen(prefix) + strlen(name) + 2;
    char *text = ir_graph_alloc(g, size);

    if (text) {
        snprintf(text, size, "%s_%s", prefix, name);
    }
    return text;
}

typedef struct pairs {
    ir_ref *value, *other; /* outs and their upstream inputs; leaves and their gradients */
    int count;
} pairs;

static bool pairs_open(pairs *p, ir_graph *g, int room)
{
    p->count = 0;
    p->value = ir_graph_alloc(g, (size_t)(room + 1) * sizeof *p->value);
    p->other = ir_graph_alloc(g, (size_t)(room + 1) * sizeof *p->other);
    return p->value && p->other;
}

/* Float outputs, each with a new input d_NAME. */
static bool open_upstreams(ir_graph *g, pairs *p)
{
    if (!pairs_open(p, g, g->output_count)) {
        return false;
    }
    for (int i = 0; i < g->output_count; i++) {
        ir_type t = g->nodes[g->outputs[i].value].type;
        const char *name = prefixed(g, "d", g->outputs[i].name);
        if (name && ir_dtype_is_float(t.dtype)) {
            p->value[p->count] = g->outputs[i].value;
            p->other[p->count++] = ir_graph_input(g, name, &t);
        }
    }
    return g->error.status == IR_OK;
}

/* Float inputs and variables among the first n leaves. */
static bool open_leaves(ir_graph *g, int n, pairs *p)
{
    if (!pairs_open(p, g, n)) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        if (ir_dtype_is_float(g->nodes[g->inputs[i]].type.dtype)) {
            p->value[p->count++] = g->inputs[i];
        }
    }
    return true;
}

/* A leaf that no output depends on has the gradient 0. */
static void add_outputs(ir_graph *g, const pairs *leaves)
{
    for (int i = 0; i < leaves->count && g->error.status == IR_OK; i++) {
        ir_ref leaf = leaves->value[i], d = leaves->other[i];
        const char *name = prefixed(g, "grad", g->nodes[leaf].attrs->leaf.name);
        if (d == IR_NONE) {
            ir_val zero = ir_e_like(&g->sink, ir_val_of(leaf), 0);
            d = zero ? ir_ref_of(zero) : IR_NONE;
        }
        if (name) {
            ir_graph_output(g, name, d);
        }
    }
}

ir_status pass_gradient_outputs(pass_context *pc, const ir_graph *in, ir_graph *out, ir_ref *map)
{
    pairs outs, leaves;
    int leaf_count = in->input_count;

    (void)pc;
    if (pass_copy_graph(in, out, map) != IR_OK || !open_upstreams(out, &outs) ||
        !open_leaves(out, leaf_count, &leaves)) {
        return out->error.status;
    }
    if (pass_gradient(out, outs.value, outs.other, outs.count, leaves.value, leaves.count, leaves.other) ==
        IR_OK) {
        add_outputs(out, &leaves);
    }
    return out->error.status;
}
