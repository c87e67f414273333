/* runtime/tape.c: the tape: one node per recorded op, linked from results back to leaves.
 *
 *   y = a * b, a = x + w      MulBackward0 --next[0]--> AddBackward0 --next[0]--> AccumulateGrad of x
 *                             (y.grad_fn)                            --next[1]--> AccumulateGrad of w
 *
 * A node saves what the op's row says the gradient rule reads, as tensors of its own (aliases) that share
 * storage, with the version they had; of the rest it keeps a typed placeholder.  No cycles of references:
 *   - a saved result has no link to its node (backward makes one where gradients are recorded),
 *   - a saved operand is not the user's tensor, whose .grad may lead back here,
 *   - AccumulateGrad knows its leaf, but does not own it.
 * Nodes that lose their last reference are freed in a loop, not by recursion: chains may be long. */
#include "runtime/eager.h"

#include <stdio.h>
#include <string.h>

/* Places in saved[]: */
#define RESULT 0
#define OPERAND(i) (1 + (i))

static rt_tape_node *node_make(rt_context *c, ir_op op)
{
    rt_tape_node *n = rt_block_get(c, sizeof *n);

    if (n) {
        memset(n, 0, sizeof *n);
        n->op = op;
        n->name = ir_ops[op].grad_name;
        n->refs = 1;
        n->loc = c->sink.loc;
    }
    return n;
}

rt_tape_node *rt_tape_edge(tdm_tensor *t)
{
    if (!t->requires_grad || t->grad_fn || t->accumulate) {
        return t->requires_grad ? t->grad_fn ? t->grad_fn : t->accumulate : NULL;
    }
    t->accumulate = node_make(t->ctx, IR_variable);
    if (t->accumulate) {
        t->accumulate->name = "AccumulateGrad";
        t->accumulate->leaf = t;
        t->accumulate->loc = t->loc;
    }
    return t->accumulate;
}

/* ---- recording --------------------------------------------------------------------------------------- */

/* A typed placeholder; ops in a row tend to share their type, so the last one is kept. */
static tdm_tensor *placeholder(rt_context *c, const ir_type *type)
{
    tdm_tensor **last = &c->caches->placeholder;

    if (!*last || !rt_same_type(&(*last)->a.type, type)) {
        rt_release(*last);
        *last = rt_place_new(c, type);
    }
    return rt_retain(*last);
}

static bool save(rt_context *c, rt_tape_node *n, int i, tdm_tensor *t, bool value)
{
    if (!value) {
        n->saved[i] = placeholder(c, &t->a.type);
        return n->saved[i] != NULL;
    }
    n->saved[i] = i == RESULT ? rt_alias_at(t, &t->a) : rt_alias(t);
    if (!n->saved[i]) {
        return false;
    }
    n->saved[i]->loc = t->loc;
    n->saved_version[i] = t->storage->version;
    return true;
}

static bool fill(rt_context *c, rt_tape_node *node, const ir_attrs *a, tdm_tensor *const *x, int n,
                 tdm_tensor *y)
{
    node->n = n;
    if (a) {
        node->attrs = rt_block_get(c, sizeof *a);
        if (!node->attrs) {
            return false;
        }
        *node->attrs = *a;
    }
    for (int i = 0; i < n; i++) {
        if (x[i]->requires_grad) {
            node->next[i] = rt_tape_edge(x[i]);
            if (!node->next[i]) {
                return false;
            }
            node->next[i]->refs++;
        }
        if (!save(c, node, OPERAND(i), x[i], ir_op_saves(node->op, i))) {
            return false;
        }
    }
    return save(c, node, RESULT, y, ir_op_saves(node->op, -1));
}

bool rt_tape_record(rt_context *c, ir_op op, const ir_attrs *a, tdm_tensor *const *x, int n, tdm_tensor *y)
{
    rt_tape_node *node = node_make(c, op);

    if (!node) {
        return false;
    }
    if (!fill(c, node, a, x, n, y) || (c->checkpoint && !rt_checkpoint_note(c, node))) {
        rt_node_release(c, node);
        return false;
    }
    node->sequence = c->sequence++;
    node->result = y;
    y->grad_fn = node;
    y->requires_grad = true;
    return true;
}

/* ---- checking and freeing ---------------------------------------------------------------------------- */

static const char *place(const ir_loc *l, char buf[160])
{
    if (!l->file) {
        return "unknown line";
    }
    snprintf(buf, 160, "%s:%u", l->file, (unsigned)l->line);
    return buf;
}

static ir_status changed(rt_context *c, const rt_tape_node *n, int i)
{
    const tdm_tensor *t = n->saved[i];
    char type[128], made[160], saved[160], assigned[160];

    return ir_fail(&c->error, IR_ESTATE,
                   "backward: %s %s (%s), saved by %s (%s), was changed in place by assign (%s): "
                   "expected version %u, found %u",
                   t->name ? t->name : "tensor", ir_type_text(&t->a.type, NULL, type, sizeof type),
                   place(&t->loc, made), n->name, place(&n->loc, saved),
                   place(&t->storage->changed, assigned), n->saved_version[i], t->storage->version);
}

ir_status rt_node_check_saved(rt_context *c, const rt_tape_node *n)
{
    char at[160];

    if (n->freed) {
        return ir_fail(
            &c->error, IR_ESTATE,
            "backward: the values that %s (%s) saved were freed by an earlier backward: give it retain_graph",
            n->name, place(&n->loc, at));
    }
    for (int i = 0; i <= n->n; i++) {
        if (n->saved[i] && n->saved[i]->storage && n->saved[i]->storage->version != n->saved_version[i]) {
            return changed(c, n, i);
        }
    }
    return n->empty ? rt_checkpoint_check(c, n->checkpoint) : IR_OK;
}

/* Placeholders stay: a node that saved no value may run again. */
void rt_node_drop_saved(rt_context *c, rt_tape_node *n)
{
    (void)c;
    for (int i = 0; i <= n->n; i++) {
        if (n->saved[i] && n->saved[i]->storage) {
            rt_release(n->saved[i]);
            n->saved[i] = NULL;
            n->freed = true;
        }
    }
}

static void node_free(rt_context *c, rt_tape_node *n)
{
    if (n->empty) {
        rt_checkpoint_leave(c, n);
    }
    for (int i = 0; i <= n->n; i++) {
        rt_release(n->saved[i]);
    }
    for (int i = 0; i < n->n; i++) {
        if (n->next[i]) {
            rt_node_release(c, n->next[i]);
        }
    }
    rt_release(n->incoming);
    if (n->attrs) {
        rt_block_put(c, n->attrs, sizeof *n->attrs);
    }
    rt_block_put(c, n, sizeof *n);
}

void rt_node_release(rt_context *c, rt_tape_node *n)
{
    struct rt_caches *k = c->caches;

    if (--n->refs) {
        return;
    }
    n->link = k->dying;
    k->dying = n;
    if (k->draining) { /* by a caller further up */
        return;
    }
    k->draining = true;
    while (k->dying) {
        n = k->dying;
        k->dying = n->link;
        node_free(c, n);
    }
    k->draining = false;
}

/* ---- asking for gradients ---------------------------------------------------------------------------- */

ir_status rt_require_grad(tdm_tensor *t, bool on)
{
    ir_error *e;
    char type[128];

    if (!t) {
        return IR_EARG;
    }
    e = &t->ctx->error;
    if (e->status) {
        return e->status;
    }
    ir_type_text(&t->a.type, NULL, type, sizeof type);
    if (!ir_dtype_is_float(t->a.type.dtype)) {
        return ir_fail(e, IR_EDTYPE, "requires_grad: only f32 and f64 tensors have gradients, not %s", type);
    }
    if (t->grad_fn) {
        return ir_fail(e, IR_ESTATE, "requires_grad: %s is a result on the tape (%s), not a leaf", type,
                       t->grad_fn->name);
    }
    t->requires_grad = on;
    return IR_OK;
}

ir_status rt_retain_grad(tdm_tensor *t)
{
    ir_error *e;
    char type[128];

    if (!t) {
        return IR_EARG;
    }
    e = &t->ctx->error;
    if (e->status) {
        return e->status;
    }
    if (!t->requires_grad) {
        return ir_fail(e, IR_ESTATE, "retain_grad: %s does not require grad",
                       ir_type_text(&t->a.type, NULL, type, sizeof type));
    }
    t->retains_grad = t->grad_fn != NULL;
    return IR_OK;
}
