/* passes/fuse_group.c: what may be a kernel: edges between owned nodes, and the legality of a group.
 *
 * At first every owned node is a group of its own.  That this is a legal kernel is made so: where a view
 * can't be expressed in the space of its reader, the view itself becomes owned, which stores it. */
#include "passes/fuse.h"

#include <string.h>

bool fuse_out_of_memory(fuse *f)
{
    ir_fail(f->err, IR_ENOMEM, "fuse: out of memory");
    return false;
}

static double weight_of(const ir_type *t)
{
    size_t size = ir_dtype_size((ir_dtype)t->dtype);

    /* Narrow values are not cheaper in proportion: they cost conversions. */
    return (double)ir_type_elements(t) * (double)(size < 4 ? 4 : size);
}

/* ---- edges ------------------------------------------------------------------------------------------- */

/* The call with effects before r, which is one; IR_NONE if there is none. */
static ir_ref effect_before(const ir_graph *g, ir_ref r)
{
    while (r-- > 0) {
        if (ir_has_effects(&g->nodes[r])) {
            return r;
        }
    }
    return IR_NONE;
}

/* Calls for every base of owned node r, once each; writes them to out (NULL: only counts).  A call with
 * effects waits for the one before it, as if it read it: that keeps their order through merges too. */
static uint32_t list_bases(fuse *f, ir_ref r, ir_ref *out)
{
    const ir_graph *g = f->g;
    uint32_t count = 0, depth = 0;

    f->stamp++;
    f->stack[depth++] = r;
    if (ir_has_effects(&g->nodes[r])) {
        ir_ref before = effect_before(g, r);

        if (before != IR_NONE) {
            f->mark[before] = f->stamp;
            if (out) {
                out[count] = before;
            }
            count++;
        }
    }
    while (depth > 0) {
        const ir_node *n = &g->nodes[f->stack[--depth]];

        for (int i = 0; i < n->n; i++) {
            ir_ref x = n->x[i];

            if (fuse_is_memory_operand(f, n, i)) {
                x = fuse_memory_base(f, x);
            }
            if (f->mark[x] == f->stamp) {
                continue;
            }
            f->mark[x] = f->stamp;
            if (f->role[x] == FUSE_FREE) {
                f->stack[depth++] = x;
                continue;
            }
            if (out) {
                out[count] = x;
            }
            count++;
        }
    }
    return count;
}

/* Where the bases of nodes were listed before some roles changed, and which nodes may have others now. */
typedef struct old_bases {
    const uint32_t *at;
    const ir_ref *base;
    const bool *changed;
} old_bases;

/* The bases of node r, from the old list where that still holds; out NULL: only counts. */
static uint32_t take_bases(fuse *f, const old_bases *was, ir_ref r, ir_ref *out)
{
    if (f->role[r] != FUSE_OWNED) {
        return 0;
    }
    if (!was->at || was->changed[r]) {
        return list_bases(f, r, out);
    }
    uint32_t count = was->at[r + 1] - was->at[r];

    if (out && count) {
        memcpy(out, was->base + was->at[r], count * sizeof *out);
    }
    return count;
}

/* Fills base and user, and where each node's entries begin. */
static bool link_edges(fuse *f, const old_bases *was)
{
    uint32_t n = f->g->count, total = 0;

    f->base_at = ir_arena_alloc(f->mem, (n + 1) * sizeof *f->base_at);
    f->user_at = ir_arena_alloc(f->mem, (n + 1) * sizeof *f->user_at);
    if (!f->base_at || !f->user_at) {
        return fuse_out_of_memory(f);
    }
    for (ir_ref r = 0; r < n; r++) {
        f->base_at[r] = total;
        total += take_bases(f, was, r, NULL);
    }
    f->base_at[n] = total;
    f->base = ir_arena_alloc(f->mem, (total + 1) * sizeof *f->base);
    f->user = ir_arena_alloc(f->mem, (total + 1) * sizeof *f->user);
    if (!f->base || !f->user) {
        return fuse_out_of_memory(f);
    }
    for (ir_ref r = 0; r < n; r++) {
        take_bases(f, was, r, f->base + f->base_at[r]);
        for (uint32_t i = f->base_at[r]; i < f->base_at[r + 1]; i++) {
            f->user_at[f->base[i] + 1]++;
        }
    }
    for (uint32_t r = 0; r < n; r++) {
        f->user_at[r + 1] += f->user_at[r];
    }
    for (ir_ref r = n; r-- > 0;) { /* from the back, so that each list ascends */
        for (uint32_t i = f->base_at[r]; i < f->base_at[r + 1]; i++) {
            f->user[--f->user_at[f->base[i] + 1]] = r;
        }
    }
    /* Each entry r + 1 has moved to the start of r: shift back. */
    for (uint32_t r = 0; r < n; r++) {
        f->user_at[r] = f->user_at[r + 1];
    }
    f->user_at[n] = total;
    return true;
}

bool fuse_edges_without(fuse *f, const ir_ref *freed, int count)
{
    bool *changed = ir_arena_alloc(f->mem, f->g->count * sizeof *changed);

    if (!changed) {
        return fuse_out_of_memory(f);
    }
    for (int i = 0; i < count; i++) { /* who reads them looks through them now */
        for (uint32_t j = f->user_at[freed[i]]; j < f->user_at[freed[i] + 1]; j++) {
            changed[f->user[j]] = true;
        }
    }
    return link_edges(f, &(old_bases){f->base_at, f->base, changed});
}

/* ---- kernels of groups ------------------------------------------------------------------------------- */

static void sort_refs(ir_ref *a, int n)
{
    for (int gap = n / 2; gap > 0; gap /= 2) {
        for (int i = gap; i < n; i++) {
            ir_ref v = a[i];
            int j = i;

            for (; j >= gap && a[j - gap] > v; j -= gap) {
                a[j] = a[j - gap];
            }
            a[j] = v;
        }
    }
}

static bool is_out(const fuse *f, ir_ref r)
{
    if (f->stored[r]) {
        return true;
    }
    for (uint32_t i = f->user_at[r]; i < f->user_at[r + 1]; i++) {
        if (f->mark[f->user[i]] != f->stamp) {
            return true;
        }
    }
    return false;
}

void fuse_kernel(fuse *f, const fuse_group *m, ir_kernel *k)
{
    const ir_graph *g = f->g;
    int depth = 0, count = 0, outs = 0;

    f->stamp++;
    for (int i = 0; i < m->count; i++) {
        f->mark[m->nodes[i]] = f->stamp;
        f->listed[count++] = m->nodes[i];
    }
    for (int i = 0; i < m->count; i++) {
        if (is_out(f, m->nodes[i])) {
            f->outs[outs++] = m->nodes[i];
        }
        f->stack[depth++] = m->nodes[i];
        while (depth > 0) { /* FREE operands come along */
            const ir_node *n = &g->nodes[f->stack[--depth]];

            for (int j = 0; j < ir_operands_read(n); j++) {
                ir_ref x = n->x[j];

                if (f->role[x] == FUSE_FREE && f->mark[x] != f->stamp && !fuse_is_memory_operand(f, n, j)) {
                    f->mark[x] = f->stamp;
                    f->listed[count++] = x;
                    f->stack[depth++] = x;
                }
            }
        }
    }
    sort_refs(f->listed, count);
    *k = (ir_kernel){
        .kind = m->kind, .nodes = f->listed, .node_count = count, .outs = f->outs, .out_count = outs};
    k->root = m->anchor;
}

typedef struct cost {
    fuse *f;
    double space;           /* elements of the iteration space */
    int run_first, run_end; /* OUTER: the reduced dims, whose loop is inside that over the rest */
    double extra;           /* operations beyond one evaluation per element */
    bool wasteful;
} cost;

static void count_evaluation(void *user, ir_ref r, const ir_map *m, bool loaded)
{
    cost *c = user;
    fuse *f = c->f;
    const ir_node *n = &f->g->nodes[r];
    double evals = 1, all = 1, elements;
    ir_class cls = ir_ops[n->op].cls;

    if (loaded || (cls != IR_POINTWISE && n->op != IR_random_bits)) {
        return;
    }
    for (int j = 0; j < m->rank; j++) { /* loops inside the last one that matters: hoisted out */
        bool inside = m->stride[j] == 0 && j >= c->run_first && j < c->run_end;

        all *= inside ? 1 : (double)m->extent[j];
        evals = m->stride[j] != 0 ? all : evals;
    }
    if (f->loaded[r] != f->stamp) {
        f->loaded[r] = f->stamp;
        f->evals[r] = 0;
    }
    elements = (double)ir_type_elements(&n->type);
    if (f->evals[r] + evals > elements) {
        double over = f->evals[r] + evals - (f->evals[r] > elements ? f->evals[r] : elements);

        c->extra += over * ir_ops[n->op].flops;
        c->wasteful |=
            ((ir_ops[n->op].facts & IR_EXPENSIVE) || ir_ops[n->op].flops > 8) && f->evals[r] + evals > 256;
    }
    f->evals[r] += evals;
}

/* Values of the full shape that a ROW kernel stores bind them to its rows: only where there are rows to share
 * out. */
static bool rows_suit(const fuse *f, const ir_kernel *k, const ir_map *space, int inner)
{
    double rows = 1, run = 1;

    for (int j = 0; j < space->rank; j++) {
        *(j < space->rank - inner ? &rows : &run) *= (double)space->extent[j];
    }
    if (rows * run <= 16384 || (rows >= 8 && run <= 65536)) {
        return true;
    }
    for (int i = 0; i < k->out_count; i++) {
        if ((double)ir_type_elements(&f->g->nodes[k->outs[i]].type) > rows) {
            return false;
        }
    }
    return true;
}

static bool check_root(fuse *f, ir_kernel *k, bool costs, ir_ref *fault)
{
    cost c = {.f = f, .space = 1};
    int inner, run;
    ir_map space = ir_kernel_space(f->g, k, &inner, &run);

    if (!costs) {
        return ir_kernel_check(f->g, k, NULL, NULL, fault);
    }
    for (int j = 0; j < space.rank; j++) {
        c.space *= (double)space.extent[j];
    }
    c.run_first = space.rank - inner - run;
    c.run_end = c.run_first + (k->kind == IR_K_OUTER ? run : 0);
    f->stamp++;
    if (!ir_kernel_check(f->g, k, count_evaluation, &c, fault)) {
        return false;
    }
    return !c.wasteful && c.extra <= 4 * c.space && (k->kind != IR_K_ROW || rows_suit(f, k, &space, inner));
}

bool fuse_check(fuse *f, ir_kernel *k, bool costs, ir_ref *fault)
{
    if (k->root != IR_NONE) {
        return check_root(f, k, costs, fault);
    }
    /* A LOOP takes the dims of its out of highest rank that works: the finer the dims, the more views fit. */
    for (int rank = IR_MAX_RANK; rank >= 0; rank--) {
        for (int i = 0, tries = 0; i < k->out_count && tries < 2; i++) {
            if (f->g->nodes[k->outs[i]].type.rank == rank) {
                tries++;
                k->root = k->outs[i];
                if (check_root(f, k, costs, fault)) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* ---- one group per node ------------------------------------------------------------------------------ */

static bool one_run(const ir_node *n)
{
    for (int i = 1; i < n->attrs->n; i++) {
        if (n->attrs->axes[i] != n->attrs->axes[i - 1] + 1) {
            return false;
        }
    }
    return n->attrs->n > 0;
}

static bool group_of_node(fuse *f, ir_ref r, fuse_group *m)
{
    const ir_node *n = &f->g->nodes[r];

    *m = (fuse_group){.nodes = ir_arena_alloc(f->mem, sizeof *m->nodes),
                      .count = 1,
                      .anchor = r,
                      .highest = r,
                      .traffic = -1};
    if (!m->nodes) {
        return fuse_out_of_memory(f);
    }
    m->nodes[0] = r;
    switch (ir_ops[n->op].cls) {
    case IR_INDEX: m->kind = IR_K_INDEX; break;
    case IR_CONTRACT: m->kind = fuse_is_memory_operand(f, n, 0) ? IR_K_CONTRACT : IR_K_ROW; break;
    case IR_PAD:
    case IR_CONCAT: m->kind = IR_K_LOOP; break;
    case IR_REDUCE:
        if (!one_run(n)) {
            ir_fail(f->err, IR_EUNSUPPORTED,
                    "fuse: %s %%%u reduces several runs of axes: simplify splits them", ir_ops[n->op].name,
                    r);
            return false;
        }
        m->kind = ir_reduces_rows(f->g, r) ? IR_K_OUTER : IR_K_ROW;
        break;
    default: m->kind = IR_K_LOOP; m->anchor = IR_NONE;
    }
    return true;
}

/* Makes r's own kernel legal by storing the views that its space can't express. */
static bool make_legal(fuse *f, ir_ref r, const fuse_group *m)
{
    for (;;) {
        ir_kernel k;
        ir_ref fault;

        fuse_kernel(f, m, &k);
        k.outs = &r;
        k.out_count = 1;
        if (fuse_check(f, &k, false, &fault)) {
            return true;
        }
        if (fault == IR_NONE || f->role[fault] != FUSE_FREE || ir_ops[f->g->nodes[fault].op].cls != IR_VIEW) {
            ir_fail(f->err, fault == IR_NONE ? IR_ENOMEM : IR_EUNSUPPORTED,
                    "fuse: %s %%%u does not fit a kernel", ir_ops[f->g->nodes[r].op].name, r);
            return false;
        }
        f->role[fault] = FUSE_OWNED;
    }
}

static bool allocate(fuse *f)
{
    size_t n = f->g->count + 1;

#define TAKE(p, items) ((p) = ir_arena_alloc(f->mem, (items) * sizeof *(p)))
    return TAKE(f->role, n) && TAKE(f->stored, n) && TAKE(f->group, n) && TAKE(f->groups, 2 * n) &&
           TAKE(f->base_at, n) && TAKE(f->user_at, n) && TAKE(f->mark, n) && TAKE(f->loaded, n) &&
           TAKE(f->group_mark, 2 * n) && TAKE(f->weight, n) && TAKE(f->evals, n) && TAKE(f->listed, n) &&
           TAKE(f->outs, n) && TAKE(f->stack, n) && TAKE(f->joined, n) && TAKE(f->fills, n) &&
           TAKE(f->order, n);
#undef TAKE
}

bool fuse_open(fuse *f, const ir_graph *g, const pass_context *pc, ir_error *err)
{
    *f = (fuse){.g = g, .err = err, .pc = pc, .mem = ir_arena_new()};
    if (!f->mem || !allocate(f)) {
        return fuse_out_of_memory(f);
    }
    for (ir_ref r = 0; r < g->count; r++) {
        if (!ir_type_is_static(&g->nodes[r].type)) {
            ir_fail(err, IR_EUNSUPPORTED, "fuse: node %%%u has symbolic dims: kernels need their values", r);
            return false;
        }
        f->weight[r] = weight_of(&g->nodes[r].type);
    }
    fuse_set_roles(f);
    for (ir_ref r = g->count; r-- > 0;) {
        fuse_group m;

        if (f->role[r] != FUSE_OWNED) {
            continue;
        }
        if (!group_of_node(f, r, &m) || !make_legal(f, r, &m)) {
            return false;
        }
        f->group[r] = f->group_count;
        f->groups[f->group_count++] = m;
    }
    return link_edges(f, &(old_bases){0});
}
