/* passes/fuse_role.c: the part each node plays: computed in every kernel that reads it, by one kernel, or in
 * memory before any runs.
 *
 *   %2 = convert %w : f32[..]   %3 = dot_general %x, %2     ->   %2 is FREE if %w is a leaf of 16-bit values
 *
 * and nothing reads it as a whole: products in tiles widen their right side as they read it. */
#include "passes/fuse.h"

/* A convert that its kernel lists instead of reading a copy. */
static bool is_widened(const fuse *f, const ir_node *n, int i)
{
    return i == 1 && f->role[n->x[1]] == FUSE_FREE && ir_dot_widens(f->g, n);
}

bool fuse_is_memory_operand(const fuse *f, const ir_node *n, int i)
{
    const ir_node *nodes = f->g->nodes;

    switch (ir_ops[n->op].cls) {
    case IR_INDEX: return true;
    case IR_GENERATE: return n->op == IR_random_bits;
    case IR_CONTRACT:
        return ir_dot_is_tile(n->attrs, &nodes[n->x[0]].type, &nodes[n->x[1]].type) && !is_widened(f, n, i);
    default: return i < 0;
    }
}

ir_ref fuse_memory_base(const fuse *f, ir_ref r)
{
    while (f->role[r] == FUSE_FREE && ir_shares_bytes(f->g->nodes[r].op)) {
        r = f->g->nodes[r].x[0];
    }
    return r;
}

static void find_live(fuse *f)
{
    const ir_graph *g = f->g;

    for (int i = 0; i < g->output_count; i++) {
        f->role[g->outputs[i].value] = FUSE_OWNED;
    }
    for (int i = 0; i < g->assign_count; i++) {
        f->role[g->assigns[i].value] = FUSE_OWNED;
    }
    for (ir_ref r = g->count; r-- > 0;) {
        f->role[r] = ir_has_effects(&g->nodes[r]) ? FUSE_OWNED : f->role[r];
        for (int i = 0; f->role[r] != FUSE_DEAD && i < g->nodes[r].n; i++) {
            f->role[g->nodes[r].x[i]] = FUSE_OWNED;
        }
    }
}

/* Converts that products widen on the way; what reads them as a whole makes them OWNED again. */
static void free_weights(fuse *f)
{
    const ir_graph *g = f->g;

    for (ir_ref r = 0; r < g->count; r++) {
        const ir_node *n = &g->nodes[r];

        if (f->role[r] != FUSE_DEAD && ir_dot_widens(g, n)) {
            const ir_node *x = &g->nodes[g->nodes[n->x[1]].x[0]];

            if (ir_ops[x->op].cls == IR_LEAF && !ir_is_immediate(x)) {
                f->role[n->x[1]] = FUSE_FREE;
            }
        }
    }
}

static fuse_role first_role(const ir_node *n)
{
    switch (ir_ops[n->op].cls) {
    case IR_LEAF: return ir_is_immediate(n) ? FUSE_FREE : FUSE_MEMORY;
    case IR_VIEW: return FUSE_FREE;
    case IR_GENERATE: return n->op == IR_iota ? FUSE_FREE : FUSE_OWNED;
    default: return FUSE_OWNED;
    }
}

/* A result: whatever it is, it is written by a kernel of its own unless it lies in memory anyway. */
static void store_result(fuse *f, ir_ref r)
{
    const ir_node *n = &f->g->nodes[r];

    if (f->stored[r]) {
        return;
    }
    f->stored[r] = true;
    if (ir_is_immediate(n)) {
        f->fills[f->fill_count++] = r;
    } else if (f->role[r] == FUSE_FREE) {
        f->role[r] = FUSE_OWNED;
    }
}

/* An operand that is read as a whole: stored, unless it is a leaf or a reshape of something in memory. */
static void store_operand(fuse *f, ir_ref r)
{
    ir_ref base = fuse_memory_base(f, r);

    if (f->g->nodes[base].op == IR_constant && base != r) {
        f->role[r] = FUSE_OWNED; /* constants keep their own shape: copy */
        f->stored[r] = true;
    } else if (f->g->nodes[base].op != IR_constant && f->role[base] != FUSE_MEMORY) {
        f->role[base] = FUSE_OWNED;
        f->stored[base] = true;
    }
}

void fuse_set_roles(fuse *f)
{
    const ir_graph *g = f->g;

    find_live(f);
    for (ir_ref r = 0; r < g->count; r++) {
        f->role[r] = f->role[r] == FUSE_DEAD ? FUSE_DEAD : (uint8_t)first_role(&g->nodes[r]);
    }
    free_weights(f);
    for (int i = 0; i < g->output_count; i++) {
        store_result(f, g->outputs[i].value);
    }
    for (int i = 0; i < g->assign_count; i++) {
        store_result(f, g->assigns[i].value);
    }
    for (ir_ref r = 0; r < g->count; r++) {
        const ir_node *n = &g->nodes[r];

        if (ir_has_effects(n)) {
            store_result(f, r); /* also where nothing reads it: kernels that store nothing are left out */
        }
        for (int i = 0; f->role[r] != FUSE_DEAD && i < n->n; i++) {
            if (fuse_is_memory_operand(f, n, i)) {
                store_operand(f, n->x[i]);
            }
        }
    }
}
