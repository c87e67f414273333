/* runtime/backward.c: reverse mode over the tape.
 *
 *   1. find the nodes behind the outputs, newest first: a heap by sequence number (consumers are newer)
 *   2. mark those that lead to a wanted gradient; check that their saved values are there and unchanged
 *   3. seed the outputs; run the gradient rule of each marked node, newest first, over the eager sink
 *
 * The bits: contributions to one value are added as they come, add(old, new), so in descending creation
 * order of the ops that used it and, within one op, operand by operand: as passes/gradient.c adds them.
 * Temporaries die after each node; a gradient dies once its node has run.  AccumulateGrad runs when its
 * last contribution is in.  Cost: O(n log n) in the nodes reached, apart from the arithmetic. */
#include "runtime/eager.h"

#include <string.h>

typedef struct node_list {
    rt_tape_node **items;
    size_t count, capacity;
} node_list;

typedef struct backward {
    rt_context *c;
    node_list heap, order;
    uint64_t run;
    tdm_tensor *const *wrt;
    int nw;
    tdm_tensor **grads;
    bool retain_graph, create_graph;
} backward;

/* ---- order ------------------------------------------------------------------------------------------- */

static bool list_reserve(rt_context *c, node_list *l)
{
    size_t capacity = l->capacity ? l->capacity * 2 : 32;
    rt_tape_node **items;

    if (l->count < l->capacity) {
        return true;
    }
    items = rt_block_get(c, capacity * sizeof(rt_tape_node *));
    if (!items) {
        return false;
    }
    if (l->items) {
        memcpy(items, l->items, l->count * sizeof(rt_tape_node *));
        rt_block_put(c, l->items, l->capacity * sizeof(rt_tape_node *));
    }
    l->items = items;
    l->capacity = capacity;
    return true;
}

static void list_free(rt_context *c, node_list *l)
{
    if (l->items) {
        rt_block_put(c, l->items, l->capacity * sizeof(rt_tape_node *));
    }
}

static bool heap_push(rt_context *c, node_list *h, rt_tape_node *n)
{
    size_t i = h->count;

    if (!list_reserve(c, h)) {
        return false;
    }
    h->count++;
    while (i && h->items[(i - 1) / 2]->sequence < n->sequence) {
        h->items[i] = h->items[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h->items[i] = n;
    return true;
}

static rt_tape_node *heap_pop(node_list *h)
{
    rt_tape_node *top = h->items[0], *last = h->items[--h->count];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= h->count) {
            break;
        }
        if (child + 1 < h->count && h->items[child + 1]->sequence > h->items[child]->sequence) {
            child++;
        }
        if (h->items[child]->sequence <= last->sequence) {
            break;
        }
        h->items[i] = h->items[child];
        i = child;
    }
    h->items[i] = last;
    return top;
}

static bool visit(backward *b, rt_tape_node *n)
{
    if (!n || n->run == b->run) {
        return true;
    }
    n->run = b->run;
    n->waiting = 0;
    n->wanted = n->target = !b->wrt && n->sequence == 0;
    n->incoming = NULL;
    return heap_push(b->c, &b->heap, n);
}

/* Fills b->order: everything behind the outputs, newest first. */
static bool find(backward *b, tdm_tensor *const *outs, int no)
{
    for (int i = 0; i < no; i++) {
        if (!visit(b, rt_tape_edge(outs[i]))) {
            return false;
        }
    }
    while (b->heap.count) {
        rt_tape_node *n = heap_pop(&b->heap);

        if (!list_reserve(b->c, &b->order)) {
            return false;
        }
        b->order.items[b->order.count++] = n;
        for (int i = 0; i < n->n; i++) {
            if (!visit(b, n->next[i])) {
                return false;
            }
        }
    }
    return true;
}

/* ---- what is wanted ---------------------------------------------------------------------------------- */

/* The node where t's gradient arrives, if this run reached it. */
static rt_tape_node *reached(const backward *b, const tdm_tensor *t)
{
    rt_tape_node *n = t ? t->grad_fn ? t->grad_fn : t->accumulate : NULL;

    return n && n->run == b->run ? n : NULL;
}

/* The inner tensor that keeps n's gradient, if any. */
static tdm_tensor *retaining(const rt_tape_node *n)
{
    return n->result && n->result->retains_grad ? n->result : NULL;
}

/* Oldest first: a node is wanted if it is a target, retains its gradient or leads to a wanted node. */
static ir_status mark(backward *b)
{
    for (int i = 0; i < b->nw; i++) {
        rt_tape_node *n = reached(b, b->wrt[i]);

        if (n) {
            n->wanted = n->target = true;
        }
    }
    for (size_t i = b->order.count; i-- > 0;) {
        rt_tape_node *n = b->order.items[i];
        bool leads = false;

        for (int j = 0; j < n->n; j++) {
            leads |= n->next[j] && n->next[j]->wanted;
        }
        n->wanted |= leads || (!b->wrt && retaining(n));
        if (!leads) {
            continue;
        }
        if (rt_node_check_saved(b->c, n)) {
            return b->c->error.status;
        }
        for (int j = 0; j < n->n; j++) {
            if (n->next[j] && n->next[j]->wanted) {
                n->next[j]->waiting++;
            }
        }
    }
    return IR_OK;
}

/* ---- gradients --------------------------------------------------------------------------------------- */

/* g as a .grad of its own: a copy where g is shared, or a repeated or transposed view. */
static tdm_tensor *own_gradient(backward *b, tdm_tensor *g)
{
    tdm_tensor *t;

    if (b->create_graph) {
        return rt_alias(g);
    }
    if (g->refs == 1 && g->storage->refs == 1 && rt_array_is_contiguous(&g->a)) {
        return rt_retain(g);
    }
    t = rt_result_new(b->c, &g->a.type);
    if (t && rt_copy_elements(&b->c->engine, &g->a, t->a.data)) {
        ir_fail(&b->c->error, IR_ENOMEM, "backward: out of memory for scratch");
        rt_release(t);
        return NULL;
    }
    return t;
}

static ir_status accumulate(backward *b, tdm_tensor *t, tdm_tensor *g)
{
    tdm_tensor *sum;

    if (t->grad) {
        tdm_tensor *pair[2] = {t->grad, g};

        sum = rt_retain(rt_op(b->c, IR_add, NULL, pair, 2));
    } else {
        sum = own_gradient(b, g);
    }
    if (!sum) {
        return b->c->error.status;
    }
    rt_release(t->grad);
    t->grad = sum;
    return IR_OK;
}

/* n's gradient is complete: give it to whoever asked for it. */
static ir_status deliver(backward *b, rt_tape_node *n)
{
    if (!b->wrt) {
        tdm_tensor *t = n->sequence ? retaining(n) : n->leaf;

        return t ? accumulate(b, t, n->incoming) : IR_OK;
    }
    for (int i = 0; n->target && i < b->nw; i++) {
        if (reached(b, b->wrt[i]) == n) {
            b->grads[i] = rt_alias(n->incoming);
            if (!b->grads[i]) {
                return b->c->error.status;
            }
        }
    }
    return IR_OK;
}

static ir_status add_to(backward *b, rt_tape_node *n, tdm_tensor *g)
{
    tdm_tensor *pair[2] = {n->incoming, g}, *sum;

    if (!n->incoming) {
        n->incoming = rt_retain(g);
        return IR_OK;
    }
    sum = rt_retain(rt_op(b->c, IR_add, NULL, pair, 2));
    if (!sum) {
        return b->c->error.status;
    }
    rt_release(n->incoming);
    n->incoming = sum;
    return IR_OK;
}

/* One of the contributions that n waits for; NULL: no gradient flows this way. */
static ir_status contribute(backward *b, rt_tape_node *n, tdm_tensor *g)
{
    if (g && add_to(b, n, g)) {
        return b->c->error.status;
    }
    n->waiting--;
    return IR_OK;
}

/* An AccumulateGrad node runs as soon as its gradient is complete. */
static ir_status finish_leaf(backward *b, rt_tape_node *n)
{
    ir_status s;

    if (n->sequence || n->waiting || !n->incoming) {
        return IR_OK;
    }
    s = deliver(b, n);
    rt_release(n->incoming);
    n->incoming = NULL;
    return s;
}

/* The result as the gradient rule sees it: where gradients are recorded it is again the result of its node.
 */
static tdm_tensor *saved_result(backward *b, rt_tape_node *n)
{
    tdm_tensor *y = n->saved[0], *linked;

    if (!b->create_graph || !y->storage) {
        return y;
    }
    linked = rt_scope_add(b->c, rt_alias(y));
    if (linked) {
        linked->requires_grad = true;
        linked->grad_fn = n;
        n->refs++;
    }
    return linked;
}

static ir_status run_rule(backward *b, rt_tape_node *n)
{
    rt_context *c = b->c;
    ir_val x[IR_MAX_OPERANDS], dx[IR_MAX_OPERANDS] = {0};
    tdm_tensor *y;
    unsigned need = 0;

    for (int i = 0; i < n->n; i++) {
        x[i] = rt_val(n->saved[1 + i]);
        if (n->next[i] && n->next[i]->wanted) {
            need |= 1u << i;
        }
    }
    if (need && n->incoming && n->empty && rt_checkpoint_fill(c, n)) {
        return c->error.status;
    }
    y = saved_result(b, n);
    if (!y) {
        return c->error.status;
    }
    if (need && n->incoming) {
        c->sink.loc = n->loc;
        ir_vjp(&c->sink, n->op, n->attrs, x, n->n, rt_val(y), rt_val(n->incoming), need, dx);
    }
    for (int i = 0; i < n->n && !c->error.status; i++) {
        if (need >> i & 1) {
            contribute(b, n->next[i], rt_tensor_of(dx[i]));
        }
    }
    return c->error.status;
}

static ir_status run_node(backward *b, rt_tape_node *n)
{
    rt_scope scope = {b->c->scope, NULL};
    ir_status s = n->incoming ? deliver(b, n) : IR_OK;

    b->c->scope = &scope;
    if (!s) {
        s = run_rule(b, n);
    }
    b->c->scope = scope.outer;
    rt_release(n->incoming);
    n->incoming = NULL;
    rt_scope_drain(&scope); /* before leaves take gradients over: then each is the only reference */
    for (int i = 0; i < n->n && !s; i++) {
        if (n->next[i] && n->next[i]->wanted) {
            s = finish_leaf(b, n->next[i]);
        }
    }
    if (!s && !b->retain_graph) {
        rt_node_drop_saved(b->c, n);
    }
    return s;
}

/* ---- the run ----------------------------------------------------------------------------------------- */

static ir_status check_seed(rt_context *c, const tdm_tensor *out, const tdm_tensor *dout, int i)
{
    char to[128], from[128];

    if (!out || out->ctx != c || (dout && (dout->ctx != c || !dout->storage))) {
        return ir_fail(&c->error, IR_EARG,
                       "backward: output %d or its gradient is not a tensor with a value here", i);
    }
    ir_type_text(&out->a.type, NULL, to, sizeof to);
    if (!out->requires_grad) {
        return ir_fail(
            &c->error, IR_ESTATE,
            "backward: output %d (%s) has no graph: nothing it came from requires grad, or no_grad was on", i,
            to);
    }
    if (!dout && ir_type_elements(&out->a.type) != 1) {
        return ir_fail(&c->error, IR_ESHAPE,
                       "backward: output %d (%s) is not a scalar: it needs a gradient of its shape", i, to);
    }
    if (dout && !ir_type_eq(&out->a.type, &dout->a.type)) {
        return ir_fail(&c->error, ir_shape_eq(&out->a.type, &dout->a.type) ? IR_EDTYPE : IR_ESHAPE,
                       "backward: a gradient %s does not fit output %d (%s)",
                       ir_type_text(&dout->a.type, NULL, from, sizeof from), i, to);
    }
    return IR_OK;
}

static tdm_tensor *ones(rt_context *c, const ir_type *type)
{
    double one; /* room and alignment for any element */
    ir_attrs a;

    memset(&a, 0, sizeof a);
    a.type = *type;
    a.splat = true;
    ir_element_set((ir_dtype)type->dtype, &one, 1);
    a.constant.data = &one;
    a.constant.bytes = ir_dtype_size(type->dtype);
    return rt_op(c, IR_constant, &a, NULL, 0);
}

static ir_status seed(backward *b, tdm_tensor *const *outs, tdm_tensor *const *douts, int no)
{
    for (int i = 0; i < no; i++) {
        rt_tape_node *n = rt_tape_edge(outs[i]);
        tdm_tensor *g = douts ? douts[i] : NULL;

        if (!n->wanted) {
            continue;
        }
        g = g ? g : ones(b->c, &outs[i]->a.type);
        if (!g || add_to(b, n, g)) {
            return b->c->error.status;
        }
    }
    return IR_OK;
}

static ir_status run_all(backward *b)
{
    for (size_t i = 0; i < b->order.count; i++) {
        rt_tape_node *n = b->order.items[i];
        ir_status s = IR_OK;

        if (n->wanted) {
            s = n->sequence ? run_node(b, n) : finish_leaf(b, n);
        }
        if (s) {
            return s;
        }
    }
    return IR_OK;
}

/* Nodes may die with the graph's last references while it runs: all are held from here to the end. */
static void hold_nodes(backward *b, bool hold)
{
    for (size_t i = 0; i < b->order.count; i++) {
        rt_tape_node *n = b->order.items[i];

        if (hold) {
            n->refs++;
        } else {
            rt_release(n->incoming);
            n->incoming = NULL;
            rt_node_release(b->c, n);
        }
    }
}

static ir_status run(backward *b, tdm_tensor *const *outs, tdm_tensor *const *douts, int no)
{
    rt_context *c = b->c;
    rt_scope scope = {c->scope, NULL};
    rt_checkpoint *checkpoint = c->checkpoint;
    bool grad_mode = c->grad_mode;
    ir_loc loc = c->sink.loc;
    ir_status s;

    if (!find(b, outs, no) || mark(b)) {
        return c->error.status;
    }
    c->grad_mode = b->create_graph;
    c->checkpoint = NULL; /* a region around it: gradients are no part of it */
    c->scope = &scope;
    hold_nodes(b, true);
    s = seed(b, outs, douts, no);
    rt_scope_drain(&scope);
    if (!s) {
        s = run_all(b);
    }
    hold_nodes(b, false);
    c->scope = scope.outer;
    rt_scope_drain(&scope);
    c->grad_mode = grad_mode;
    c->checkpoint = checkpoint;
    c->sink.loc = loc;
    return s;
}

ir_status rt_backward(rt_context *c, tdm_tensor *const *outs, tdm_tensor *const *douts, int no,
                      tdm_tensor *const *wrt, int nw, tdm_tensor **grads, bool retain_graph,
                      bool create_graph)
{
    backward b = {.c = c, .wrt = wrt, .nw = wrt ? nw : 0, .grads = grads};
    ir_status s = c->error.status;

    b.retain_graph = retain_graph;
    b.create_graph = create_graph;
    b.run = ++c->caches->run;
    for (int i = 0; i < b.nw; i++) {
        grads[i] = NULL;
    }
    for (int i = 0; i < no && !s; i++) {
        s = check_seed(c, outs[i], douts ? douts[i] : NULL, i);
    }
    if (!s) {
        s = run(&b, outs, douts, no);
    }
    list_free(c, &b.heap);
    list_free(c, &b.order);
    for (int i = 0; i < b.nw; i++) {
        if (s) {
            rt_release(grads[i]);
            grads[i] = NULL;
        } else {
            rt_scope_add(c, grads[i]);
        }
    }
    return s;
}
