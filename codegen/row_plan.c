/* codegen/row_plan.c: how often a ROW kernel must read its run, and what each reading does.
 *
 *   softmax: m = max(x)             pass 0    e = exp(x - m) is wanted twice and is not cheap:
 *            s = sum(exp(x - m))    pass 1    written to a scratch row in pass 1
 *            y = exp(x - m) / s     pass 2    and read back in pass 2
 *
 * A reduce belongs to the first pass in which its operand can be known.  A single full-shape out is stored in
 * the last pass, which lets it take over its operand's memory (ir/kernel.h); several are stored as early as
 * they are known. */
#include "codegen/row.h"

#include <stdlib.h>
#include <string.h>

#define KEEP_FLOPS 12.0f /* dearer values are kept in scratch rather than computed again */

/* ---- reduces and outs ---- */

/* A reduce over the rows of a block, which is an out too. */
static bool add_sum(row_plan *p, ir_ref r)
{
    cg_kernel *k = p->k;
    const ir_node *n = &k->g->nodes[r];
    cg_reduce *e = &p->sums[p->sum_count++];

    *e = (cg_reduce){.node = r,
                     .op = n->op,
                     .dtype = (ir_dtype)n->type.dtype,
                     .seed = -1,
                     .x = {-1, -1},
                     .contract = true};
    e->x[0] = cg_term_of(k, n->x[0], &p->full);
    cg_store_term(k, r, &p->block);
    return !k->failed;
}

static bool add_reduce(row_plan *p, ir_ref r)
{
    cg_kernel *k = p->k;
    const ir_node *n = &k->g->nodes[r];
    cg_reduce *e = &p->reduces[p->reduce_count++];

    *e = (cg_reduce){.node = r, .op = n->op, .dtype = (ir_dtype)n->type.dtype, .x = {-1, -1}};
    e->contract = true; /* at least four vectors of partials take turns */
    if (n->op == IR_dot_general) {
        ir_map lhs, rhs;
        int inner;
        ir_kernel_tree_space(k->g, n, &inner, &lhs, &rhs);
        e->x[0] = cg_term_of(k, n->x[0], &lhs);
        e->x[1] = cg_term_of(k, n->x[1], &rhs);
    } else {
        e->x[0] = cg_term_of(k, n->x[0], &p->full);
    }
    e->seed = cg_term_of(k, r, &p->row);
    return !k->failed;
}

static bool find_reduces(row_plan *p)
{
    cg_kernel *k = p->k;

    p->reduces = calloc((size_t)k->k->node_count + 1, sizeof *p->reduces);
    p->outs = calloc((size_t)k->k->out_count + 1, sizeof *p->outs);
    p->sums = calloc((size_t)k->k->node_count + 1, sizeof *p->sums);
    if (!p->reduces || !p->outs || !p->sums)
        return cg_fail(k, IR_ENOMEM, "out of memory") == IR_OK;
    for (int i = 0; i < k->k->node_count; i++) {
        ir_ref r = k->k->nodes[i];
        ir_class cls = ir_ops[k->g->nodes[r].op].cls;
        bool ok = true;
        if (ir_reduces_rows(k->g, r))
            ok = add_sum(p, r);
        else if (cls == IR_REDUCE || cls == IR_CONTRACT)
            ok = add_reduce(p, r);
        if (!ok)
            return false;
    }
    for (int i = 0; i < k->k->out_count; i++) {
        if (ir_reduces_rows(k->g, k->k->outs[i]))
            continue;
        row_out *o = &p->outs[p->out_count++];
        o->node = k->k->outs[i];
        o->full = ir_type_elements(&k->g->nodes[o->node].type) == p->rows * p->n && p->n > 1;
        o->term = cg_term_of(k, o->node, o->full ? &p->full : &p->row);
        cg_store_term(k, o->node, o->full ? &p->full : &p->row);
    }
    return !k->failed;
}

/* ---- passes ---- */

/* In which pass each term can first be known: a finished reduce is known one pass after its operands. */
static bool set_passes(row_plan *p)
{
    const cg_kernel *k = p->k;
    int *pass = calloc((size_t)k->term_count + 1, sizeof *pass), full = 0;

    if (!pass)
        return cg_fail(p->k, IR_ENOMEM, "out of memory") == IR_OK;
    for (bool changed = true; changed;) {
        changed = false;
        for (int t = 0; t < k->term_count; t++)
            for (int i = 0; i < k->terms[t].n; i++)
                if (pass[k->terms[t].x[i]] > pass[t])
                    pass[t] = pass[k->terms[t].x[i]];
        for (int r = 0; r < p->reduce_count; r++) {
            cg_reduce *e = &p->reduces[r];
            e->pass = pass[e->x[0]];
            if (e->x[1] >= 0 && pass[e->x[1]] > e->pass)
                e->pass = pass[e->x[1]];
            changed |= pass[e->seed] != e->pass + 1;
            pass[e->seed] = e->pass + 1;
        }
    }
    for (int r = 0; r < p->reduce_count; r++)
        p->passes = p->reduces[r].pass >= p->passes ? p->reduces[r].pass + 1 : p->passes;
    for (int o = 0; o < p->out_count; o++) {
        row_out *e = &p->outs[o];
        e->pass = pass[e->term];
        full += e->full;
        if (e->full && e->pass >= p->passes)
            p->passes = e->pass + 1;
    }
    for (int i = 0; i < p->sum_count; i++)
        if (pass[p->sums[i].x[0]] >= p->passes)
            p->passes = pass[p->sums[i].x[0]] + 1;
    for (int o = 0; o < p->out_count; o++)
        if (p->outs[o].full && full == 1)
            p->outs[o].pass = p->passes - 1;
    free(pass);
    return true;
}

static void add_roots(const row_plan *p, int pass, uint8_t *need)
{
    for (int r = 0; r < p->reduce_count; r++)
        for (int i = 0; i < 2; i++)
            if (p->reduces[r].pass == pass && p->reduces[r].x[i] >= 0)
                need[p->reduces[r].x[i]] = 1;
    for (int o = 0; o < p->out_count; o++)
        if (p->outs[o].full && p->outs[o].pass == pass)
            need[p->outs[o].term] = 1;
    for (int i = 0; i < p->sum_count; i++)
        if (pass == p->passes - 1)
            need[p->sums[i].x[0]] = 1;
}

/* What it costs to compute a term again from loads, along the run only. */
static void set_costs(const cg_kernel *k, float *cost)
{
    for (int t = 0; t < k->term_count; t++) {
        const cg_term *e = &k->terms[t];
        bool work = (e->kind == CG_T_OP || e->kind == CG_T_GENERATE) && cg_term_varies(k, t);
        const ir_op_info *op = &ir_ops[k->g->nodes[e->node].op];
        cost[t] = work ? (float)op->flops + (op->facts & IR_EXPENSIVE ? KEEP_FLOPS : 0) : 0;
        for (int i = 0; work && i < e->n; i++)
            cost[t] += cost[e->x[i]];
        if (cost[t] > 1e6f)
            cost[t] = 1e6f;
    }
}

/* The first pass before `pass` that has the term, or -1. */
static int earlier_pass(const row_plan *p, int pass, int t)
{
    for (int q = 0; q < pass; q++)
        if (p->need[(size_t)q * p->k->term_count + t])
            return q;
    return -1;
}

static bool set_needs(row_plan *p)
{
    const cg_kernel *k = p->k;
    size_t terms = (size_t)k->term_count;
    float *cost = calloc(terms + 1, sizeof *cost);

    p->need = calloc(terms * p->passes + 1, 1);
    p->kept = calloc(terms + 1, 1);
    if (!cost || !p->need || !p->kept) {
        free(cost);
        return cg_fail(p->k, IR_ENOMEM, "out of memory") == IR_OK;
    }
    set_costs(k, cost);
    for (int q = 0; q < p->passes; q++) {
        uint8_t *need = p->need + terms * q;
        add_roots(p, q, need);
        for (int t = k->term_count - 1; t >= 0; t--) {
            int before = need[t] && cost[t] >= KEEP_FLOPS ? earlier_pass(p, q, t) : -1;
            if (!need[t])
                continue;
            if (before >= 0) { /* not below a kept term: it is read back */
                p->kept_count += !p->kept[t];
                p->kept[t] = (uint8_t)(before + 1);
                continue;
            }
            p->flops += cost[t] > 0 ? ir_ops[k->g->nodes[k->terms[t].node].op].flops : 0.3;
            for (int i = 0; i < k->terms[t].n; i++)
                need[k->terms[t].x[i]] = 1;
        }
    }
    free(cost);
    return true;
}

bool row_plan_make(row_plan *p, cg_kernel *k)
{
    *p = (row_plan){.k = k, .outer = k->space.rank - k->inner, .n = 1, .rows = 1};
    p->full = cg_map_over(k, 0, k->space.rank);
    p->row = cg_map_over(k, 0, p->outer);
    p->block = ir_kernel_block_map(&k->space, k->inner, k->run);
    for (int d = 0; d < k->space.rank; d++) {
        p->extent[d] = k->space.extent[d];
        *(d < p->outer ? &p->rows : &p->n) *= p->extent[d];
    }
    k->vector_first = p->outer;
    k->vector_dim = p->n > 1 ? k->space.rank - 1 : -1;
    if (!find_reduces(p) || !set_passes(p) || !set_needs(p))
        return false;
    if (p->passes > 250)
        return cg_fail(k, IR_EUNSUPPORTED, "too many dependent reductions") == IR_OK;
    cg_collapse(k, 0, p->outer - k->run, p->extent);
    return true;
}

void row_plan_free(row_plan *p)
{
    free(p->reduces);
    free(p->sums);
    free(p->outs);
    free(p->need);
    free(p->kept);
}
