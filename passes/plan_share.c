/* passes/plan_share.c: values written straight to where they are wanted, or over what nobody reads any more.
 *
 * Members of a chain overwrite only what lies in its scratch: anything else is still read at other slices.
 *
 *   an output        into the caller's memory
 *   assign w = v     into w's own storage, if every other read of w is over, or at the very element being
 * written y = relu(x)      over x, if this is the last read of x, element by element
 *
 * What can't be: a copy after the last kernel. */
#include "ir/plant.h"
#include "passes/plan.h"

#include <string.h>

/* ---- may out v of the kernel last walked overwrite what it reads? -------------------------------------- */

/* But for reduces over rows: they take up each row's elements in the last pass, before that stores there. */
static bool depends_on_all_reduces(const plan *p, ir_ref v)
{
    const ir_graph *g = p->g;
    const ir_kernel *k = p->k;

    /* needed[i]: listed node i is below v.  Operands come earlier in the list. */
    uint8_t *needed = ir_mem_zero((size_t)k->node_count);
    bool all = needed != NULL;

    for (int i = k->node_count - 1; i >= 0 && needed; i--) {
        const ir_node *n = &g->nodes[k->nodes[i]];

        needed[i] |= k->nodes[i] == v;
        for (int j = 0; needed[i] && j < n->n; j++) {
            int at = ir_refs_find(k->nodes, i, n->x[j]);

            if (at >= 0) {
                needed[at] = 1;
            }
        }
        all &= needed[i] || ir_ops[n->op].cls != IR_REDUCE || ir_reduces_rows(g, k->nodes[i]);
    }
    ir_mem_free(needed);
    return all;
}

static int64_t elements(const plan *p, ir_ref r)
{
    return ir_type_elements(&p->g->nodes[r].type);
}

/* Does a ROW kernel go over its rows once?  So it does where neither a reduce nor a value of the full shape
 * waits for a reduce. */
static bool is_one_pass(const plan *p, int64_t full)
{
    const ir_graph *g = p->g;
    const ir_kernel *k = p->k;
    uint8_t *waits = ir_mem_zero((size_t)k->node_count);
    bool one = waits != NULL;

    for (int i = 0; i < k->node_count && one; i++) {
        const ir_node *n = &g->nodes[k->nodes[i]];
        ir_class cls = ir_ops[n->op].cls;
        bool reduces = cls == IR_REDUCE || cls == IR_CONTRACT;

        for (int j = 0; j < n->n; j++) {
            int at = ir_refs_find(k->nodes, i, n->x[j]);

            waits[i] |= at >= 0 && waits[at];
        }
        one = !waits[i] || !(reduces || (elements(p, k->nodes[i]) == full &&
                                         ir_refs_hold(k->outs, k->out_count, k->nodes[i])));
        waits[i] |= reduces;
    }
    ir_mem_free(waits);
    return one;
}

/* A root whose stores are not at the elements that the kernel loads. */
static bool moves_elements(const ir_node *root)
{
    return ir_ops[root->op].cls == IR_PAD || ir_ops[root->op].cls == IR_CONCAT;
}

/* Which flag of plan.where a read must not have; -1: v may not overwrite anything. */
static int forbidden(const plan *p, ir_ref v)
{
    const ir_kernel *k = p->k;
    int64_t full = 1;
    int full_outs = 0;

    for (int j = 0; j < p->space.rank; j++) {
        full *= p->space.extent[j];
    }
    for (int i = 0; i < k->out_count; i++) {
        full_outs += elements(p, k->outs[i]) == full;
    }
    switch (k->kind) {
    case IR_K_LOOP: return moves_elements(&p->g->nodes[k->root]) ? -1 : PLAN_NOT_FULL;
    case IR_K_CONTRACT: return PLAN_NOT_FULL;
    case IR_K_OUTER: return PLAN_NOT_ROW;
    case IR_K_ROW: /* several passes over a row: only what is certainly stored in the last one */
        if (ir_reduces_rows(p->g, v)) { /* stored between rows */
            return -1;
        }
        if (elements(p, v) == full) {
            bool last = full_outs == 1 && depends_on_all_reduces(p, v);

            return last || is_one_pass(p, full) ? PLAN_NOT_FULL : -1;
        }
        return full_outs == 0 && depends_on_all_reduces(p, v) ? PLAN_NOT_ROW : -1;
    case IR_K_INDEX: return ir_ops[p->g->nodes[k->root].op].facts & IR_IN_PLACE ? PLAN_NOT_FULL : -1;
    default: return -1;
    }
}

/* Is every read of `storage` in the walked kernel at the element of v that is written then? */
static bool overwrites(const plan *p, ir_ref v, ir_ref storage)
{
    int flag = -2;

    for (int i = 0; i < p->read_count; i++) {
        if (plan_storage(p, p->reads[i]) != storage) {
            continue;
        }
        flag = flag == -2 ? forbidden(p, v) : flag;
        if ((flag < 0 || (p->where[p->reads[i]] & flag)) && !IR_PLANTED("plan-in-place")) {
            return false;
        }
    }
    return true;
}

/* ---- outputs and assigns ------------------------------------------------------------------------------- */

static void keep_to_the_end(plan *p, ir_ref r)
{
    plan_value *v = &p->value[r];

    v->used = true;
    v->last = v->storage_last = p->g->kernels.count;
    if (p->g->nodes[r].op == IR_constant && v->made < 0) {
        v->kind = IR_B_CONSTANT;
    }
}

static ir_copy *add_copy(plan *p, ir_ref from, ir_buffer_kind kind, int index)
{
    ir_copy *c = &p->copies[p->copy_count++];

    /* Places are filled in when offsets are known: until then from.offset holds the node. */
    *c = (ir_copy){.to = {kind, index, 0}, .from = {IR_B_NONE, 0, from}};
    c->bytes = ir_type_bytes(&p->g->nodes[from].type);
    p->value[from].copied = true;
    keep_to_the_end(p, from);
    return c;
}

static void share_outputs(plan *p)
{
    for (int i = 0; i < p->g->output_count; i++) {
        ir_ref r = p->g->outputs[i].value;
        plan_value *v = &p->value[r];

        if (v->made >= 0 && v->kind == IR_B_NONE && !p->apart) {
            v->kind = IR_B_OUTPUT;
            v->index = i;
            keep_to_the_end(p, r);
        } else {
            add_copy(p, r, IR_B_OUTPUT, i);
        }
    }
}

/* The last kernel that reads the variable's old value, by whatever name. */
static int last_read(const plan *p, ir_ref variable)
{
    int last = -1;

    for (ir_ref r = 0; r < p->g->count; r++) {
        if (p->value[r].used && plan_storage(p, r) == variable && p->value[r].last > last) {
            last = p->value[r].last;
        }
    }
    return last;
}

/* The first kernel of the chain that kernel k is a member of, past all kernels where there is none. */
static int chain_start(const plan *p, int k)
{
    const ir_chain *c = ir_chain_of(p->g, k);

    return c ? c->first : p->g->kernels.count + 1;
}

static bool share_assign(plan *p, int i)
{
    ir_ref variable = p->g->assigns[i].variable, value = p->g->assigns[i].value;
    plan_value *v = &p->value[value];
    int last;

    if (p->apart || v->made < 0 || v->kind != IR_B_NONE || p->value[variable].copied) {
        return false;
    }
    last = last_read(p, variable);
    if ((last > v->made && !IR_PLANTED("plan-assign")) || last >= chain_start(p, v->made) ||
        (last == v->made && !overwrites(p, value, variable))) {
        return false;
    }
    v->kind = IR_B_VARIABLE;
    v->index = i;
    keep_to_the_end(p, value);
    return true;
}

static bool share_assigns(plan *p)
{
    const ir_graph *g = p->g;
    int before = p->copy_count;

    /* A variable whose old value is wanted at the end can't be overwritten by a kernel. */
    for (int i = 0; i < g->assign_count; i++) {
        ir_ref value = g->assigns[i].value;

        p->value[g->assigns[i].variable].written_back = value != g->assigns[i].variable;
        if (g->nodes[value].op == IR_variable && value != g->assigns[i].variable) {
            p->value[value].copied = true;
        }
    }
    for (int i = 0; i < g->assign_count; i++) {
        ir_ref value = g->assigns[i].value;

        if (value == g->assigns[i].variable) {
            continue;
        }
        if (p->value[value].made >= 0 && !plan_reads(p, &g->kernels.items[p->value[value].made])) {
            return false;
        }
        if (!share_assign(p, i)) {
            add_copy(p, value, IR_B_VARIABLE, i);
        }
    }
    /* Copies from variables that other copies overwrite go through the arena: all of them are read first. */
    for (int i = before; i < p->copy_count; i++) {
        plan_value *from = &p->value[p->copies[i].from.offset];

        p->staged[i] = from->kind == IR_B_ARGUMENT && from->written_back ? p->copies[i].bytes : 0;
    }
    return true;
}

/* ---- in place ------------------------------------------------------------------------------------------ */

static bool take_over(plan *p, int kernel, ir_ref v)
{
    for (int i = 0; i < p->read_count; i++) {
        ir_ref s = plan_storage(p, p->reads[i]);
        plan_value *u = &p->value[s];

        if (s > v) {
            continue; /* the table wants aliases to point to earlier nodes */
        }
        if (u->kind != IR_B_NONE || u->made < 0 || u->storage_last != kernel ||
            u->chain != p->value[v].chain || (u->chain < 0 && ir_chain_of(p->g, kernel)) ||
            elements(p, s) != elements(p, v) ||
            ir_type_bytes(&p->g->nodes[s].type) != ir_type_bytes(&p->g->nodes[v].type) ||
            !overwrites(p, v, s)) {
            continue;
        }
        p->value[v].alias = s;
        u->storage_last = p->value[v].last;
        return true;
    }
    return false;
}

/* Lives of storages, which reshapes keep alive, and which of them are a chain's own. */
static void find_scratch(plan *p)
{
    const ir_graph *g = p->g;

    for (ir_ref r = 0; r < g->count; r++) {
        plan_value *s = &p->value[plan_storage(p, r)];

        s->storage_last = p->value[r].last > s->storage_last ? p->value[r].last : s->storage_last;
    }
    for (ir_ref r = 0; r < g->count && !p->apart; r++) {
        plan_value *v = &p->value[r];
        const ir_chain *c = v->used && v->made >= 0 ? ir_chain_of(g, v->made) : NULL;

        if (c && v->alias == IR_NONE && v->kind == IR_B_NONE && v->storage_last < c->first + c->count) {
            v->chain = (int)(c - g->kernels.chains);
        }
    }
}

static bool share_in_place(plan *p)
{
    const ir_graph *g = p->g;

    for (int k = 0; k < g->kernels.count; k++) {
        const ir_kernel *kernel = &g->kernels.items[k];

        if (!plan_reads(p, kernel)) {
            return false;
        }
        for (int i = 0; i < kernel->out_count; i++) {
            if (p->value[kernel->outs[i]].kind == IR_B_NONE) {
                take_over(p, k, kernel->outs[i]);
            }
        }
    }
    return true;
}

bool plan_share(plan *p)
{
    size_t n = (size_t)(p->g->output_count + p->g->assign_count + 1);

    p->copies = ir_arena_alloc(p->mem, n * sizeof *p->copies);
    p->staged = ir_arena_alloc(p->mem, n * sizeof *p->staged);
    if (!p->copies || !p->staged) {
        return plan_out_of_memory(p);
    }
    share_outputs(p);
    if (!share_assigns(p)) {
        return false;
    }
    find_scratch(p);
    return p->apart || share_in_place(p);
}
