/* passes/plan_life.c: which nodes live in memory, and from which kernel to which.
 *
 * Stored by a kernel, loaded by one, or an argument.  A reshape that is loaded but stored by no kernel is
 * another name of its operand's bytes. */
#include "passes/plan.h"

#include <string.h>

bool plan_out_of_memory(plan *p)
{
    ir_fail(p->err, IR_ENOMEM, "plan: out of memory");
    return false;
}

ir_ref plan_storage(const plan *p, ir_ref r)
{
    while (p->value[r].alias != IR_NONE) {
        r = p->value[r].alias;
    }
    return r;
}

int plan_first(const plan *p, int k)
{
    const ir_chain *c = ir_chain_of(p->g, k);

    return c ? c->first : k;
}

int plan_last(const plan *p, int k)
{
    const ir_chain *c = ir_chain_of(p->g, k);

    return c ? c->first + c->count - 1 : k;
}

static void note_read(void *user, ir_ref r, const ir_map *m, bool loaded)
{
    plan *p = user;

    if (!loaded) {
        return;
    }
    if (p->seen[r] != p->stamp) {
        p->seen[r] = p->stamp;
        p->where[r] = 0;
        p->reads[p->read_count++] = r;
    }
    p->where[r] |=
        (uint8_t)((ir_map_eq(m, &p->space) ? 0 : PLAN_NOT_FULL) | (ir_map_eq(m, &p->row) ? 0 : PLAN_NOT_ROW));
}

bool plan_reads(plan *p, const ir_kernel *k)
{
    const ir_node *root = &p->g->nodes[k->root];
    int inner, run;

    p->k = k;
    p->read_count = 0;
    p->stamp++;
    p->space = ir_kernel_space(p->g, k, &inner, &run);
    p->row = ir_kernel_row_map(k, &p->space, inner, run);
    if (!ir_kernel_walk(p->g, k, note_read, p)) {
        ir_fail(p->err, IR_ESTATE, "plan: kernel %s is not legal", k->name);
        return false;
    }
    if (k->kind == IR_K_CONTRACT ||
        k->kind == IR_K_INDEX) { /* read as a whole, even if the shapes agree by chance */
        /* .. but for the operand that is only changed in places */
        for (int i = ir_ops[root->op].facts & IR_IN_PLACE ? 1 : 0; i < root->n; i++) {
            ir_ref x = k->kind == IR_K_CONTRACT ? ir_dot_source(p->g, k, i) : root->x[i];

            p->where[x] = PLAN_NOT_FULL | PLAN_NOT_ROW;
        }
    }
    return true;
}

static void touch(plan_value *v, int kernel)
{
    v->used = true;
    v->first = kernel < v->first ? kernel : v->first;
    v->last = kernel > v->last ? kernel : v->last;
    v->storage_last = v->last;
}

/* Kernel number `kernel` loads r: whatever r is another name of is read too. */
static bool load(plan *p, ir_ref r, int kernel)
{
    for (;;) {
        const ir_node *n = &p->g->nodes[r];
        plan_value *v = &p->value[r];

        touch(v, kernel);
        if (v->made >= 0) {
            return true;
        }
        if (ir_shares_bytes(n->op)) {
            v->alias = n->x[0];
            r = v->alias;
            continue;
        }
        if (n->op == IR_input || n->op == IR_variable) {
            return true;
        }
        if (n->op == IR_constant) {
            v->kind = IR_B_CONSTANT;
            return true;
        }
        ir_fail(p->err, IR_ESTATE, "plan: kernel %s reads %%%u, which nothing stored before", p->k->name, r);
        return false;
    }
}

bool plan_lives(plan *p)
{
    const ir_graph *g = p->g;

    for (ir_ref r = 0; r < g->count; r++) {
        p->value[r] = (plan_value){.made = -1,
                                   .alias = IR_NONE,
                                   .first = g->kernels.count,
                                   .last = -1,
                                   .storage_last = -1,
                                   .chain = -1};
    }
    for (int i = 0; i < g->input_count; i++) {
        plan_value *v = &p->value[g->inputs[i]];

        v->used = true;
        v->kind = IR_B_ARGUMENT;
        v->index = i;
    }
    for (int k = 0; k < g->kernels.count; k++) {
        const ir_kernel *kernel = &g->kernels.items[k];

        if (!plan_reads(p, kernel)) {
            return false;
        }
        for (int i = 0; i < p->read_count; i++) {
            if (!load(p, p->reads[i], k)) {
                return false;
            }
        }
        for (int i = 0; i < kernel->out_count; i++) {
            plan_value *v = &p->value[kernel->outs[i]];

            v->made = k;
            touch(v, k);
        }
    }
    return true;
}
