/* passes/gradient_checkpoint.c: values of a checkpointed region, computed again for its gradient.
 *
 *   h = exp(x), y = sin(h)    ->    dh = mul(dy, cos(h'))    where x' = checkpoint(x, dy)  h' = exp(x')
 *
 * in:  a graph whose gradient has reached a region, and dy, the first gradient to arrive there.
 * out: copies of the region's nodes that its gradient rules read, from what lies outside the region on.
 * `checkpoint` makes the copies wait for dy and be other values than the first ones, so that no pass merges
 * the two; they draw the same random numbers.  What is read outside the region too, and its result, is kept
 * anyway, and leaves are leaves.  Cost: a few walks over the region. */
#include "passes/gradient.h"
#include "ir/emit.h"
#include "passes/rebuild.h"

#include <stdlib.h>

bool pass_checkpoints_add(pass_checkpoints *c, pass_region r)
{
    if (c->region_count == c->region_room) {
        int room = c->region_room ? 2 * c->region_room : 16;
        pass_region *more = realloc(c->regions, (size_t)room * sizeof *more);

        if (!more) {
            return false;
        }
        c->regions = more;
        c->region_room = room;
    }
    c->regions[c->region_count++] = r;
    return true;
}

void pass_checkpoints_free(pass_checkpoints *c)
{
    free(c->regions);
    free(c->again);
    *c = (pass_checkpoints){0};
}

const pass_region *gradient_region(const pass_checkpoints *c, ir_ref r)
{
    int lo = 0, hi = c ? c->region_count : 0;

    while (lo < hi) {
        int mid = (lo + hi) / 2;

        if (c->regions[mid].end <= r) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return c && lo < c->region_count && c->regions[lo].first <= r ? &c->regions[lo] : NULL;
}

static bool out_of_memory(reverse *v)
{
    ir_fail(&v->g->error, IR_ENOMEM, "out of memory in a gradient");
    return false;
}

/* Notes that `node` repeats the value of `of`. */
static bool note(reverse *v, ir_ref node, ir_ref of)
{
    pass_checkpoints *c = v->checkpoints;

    if (c->again_count == c->again_room) {
        size_t room = c->again_room ? 2 * c->again_room : 64;
        pass_again *more = realloc(c->again, room * sizeof *more);

        if (!more) {
            return out_of_memory(v);
        }
        c->again = more;
        c->again_room = room;
    }
    c->again[c->again_count++] = (pass_again){node, of};
    return true;
}

/* What is there after its region has run, whatever the gradient does: leaves, results, what others read. */
static void find_kept(reverse *v)
{
    const ir_graph *g = v->g;

    for (ir_ref r = 0; r < v->count; r++) {
        const pass_region *home = gradient_region(v->checkpoints, r);

        v->kept[r] |= ir_ops[g->nodes[r].op].cls == IR_LEAF || (home && home->result == r);
        for (int i = 0; i < g->nodes[r].n; i++) {
            v->kept[g->nodes[r].x[i]] |= gradient_region(v->checkpoints, g->nodes[r].x[i]) != home;
        }
    }
    for (int i = 0; i < g->output_count; i++) {
        v->kept[g->outputs[i].value] = 1;
    }
    for (int i = 0; i < g->assign_count; i++) {
        v->kept[g->assigns[i].value] = 1;
    }
}

bool gradient_checkpoints_open(reverse *v)
{
    const pass_checkpoints *c = v->checkpoints;

    v->original = malloc((v->count + 1) * sizeof *v->original);
    v->again = malloc((v->count + 1) * sizeof *v->again);
    v->kept = calloc(v->count + 1, sizeof *v->kept);
    v->wanted = calloc(v->count + 1, sizeof *v->wanted);
    if (!v->original || !v->again || !v->kept || !v->wanted) {
        return out_of_memory(v);
    }
    for (ir_ref r = 0; r < v->count; r++) {
        v->original[r] = v->again[r] = r;
    }
    for (size_t i = 0; i < c->again_count; i++) {
        v->original[c->again[i].node] = c->again[i].of;
    }
    find_kept(v);
    return true;
}

void gradient_checkpoints_close(reverse *v)
{
    free(v->original);
    free(v->again);
    free(v->kept);
    free(v->wanted);
}

/* Marks what gradient rules of the region read, and what that is computed from. */
static void find_wanted(reverse *v, const pass_region *p)
{
    for (ir_ref r = p->end; r-- > p->first;) {
        const ir_node *n = &v->g->nodes[r];

        v->wanted[r] = !v->kept[r] && (v->wanted[r] || (v->path[r] && ir_op_saves(n->op, -1)));
        for (int i = 0; i < n->n; i++) {
            v->wanted[n->x[i]] |= v->wanted[r] || (v->path[r] && ir_op_saves(n->op, i));
        }
    }
}

/* Operand x of a node that is computed again. */
static ir_val operand(reverse *v, ir_ref x, ir_val dy)
{
    ir_graph *g = v->g;
    ir_val y;

    if (v->again[x] != x) {
        return ir_val_of(v->again[x]);
    }
    if (g->nodes[x].op == IR_constant) {
        return ir_val_of(x);
    }
    y = ir_e_checkpoint(&g->sink, ir_val_of(x), dy);
    return y && note(v, ir_ref_of(y), v->original[x]) ? y : 0;
}

static void compute_again(reverse *v, ir_ref r, ir_val dy)
{
    ir_node n = v->g->nodes[r]; /* a copy: emitting moves the nodes */
    ir_val x[IR_MAX_RANK], y;

    pass_copy_origin(&n, v->g);
    for (int i = 0; i < n.n; i++) {
        x[i] = operand(v, n.x[i], dy);
    }
    y = ir_emit(&v->g->sink, n.op, n.attrs, x, n.n);
    if (y && note(v, ir_ref_of(y), v->original[r])) {
        v->again[r] = ir_ref_of(y);
    }
}

void gradient_enter(reverse *v, const pass_region *p, ir_val dy)
{
    if (p == v->entered) {
        return;
    }
    v->entered = p;
    find_wanted(v, p);
    for (ir_ref r = p->first; r < p->end && v->g->error.status == IR_OK; r++) {
        if (v->wanted[r]) {
            compute_again(v, r, dy);
        }
    }
}
