/* passes/plan.c: where every value lives: one arena with fixed offsets, so that running a program allocates
 * nothing.
 *
 *   %5 arena @0 4096 bytes, kernels 0..2     %9 output 0     %12 in place of %5     %14 variable: assign 0
 *
 * 1. Lives: what kernels store and load, and when (plan_life.c).
 * 2. Sharing: outputs and variables written straight, in place reuse, copies for what remains (plan_share.c).
 * 3. Offsets: storages that live at different times share bytes (plan_place.c).
 *
 * What only members of one chain touch (ir_chain) lives in its scratch, one slice of it for every strand;
 * what they share with others lives as long as the whole chain, whose slices take turns through all its
 * kernels.
 *
 * in:  a graph with kernels (after fuse).
 * out: the same, and the buffer table; an error where the arena is over the memory budget.  No live value is
 * overwritten: see the test, which runs the schedule.
 */
#include "passes/plan.h"
#include "passes/all.h"
#include "passes/rebuild.h"

#include <stdio.h>
#include <string.h>

static ir_place place_of(const plan *p, ir_ref r)
{
    const plan_value *v = &p->value[plan_storage(p, r)];

    return (ir_place){v->kind, v->index, v->offset};
}

static void number_constants(plan *p)
{
    int n = 0;

    for (ir_ref r = 0; r < p->g->count; r++) {
        if (p->value[r].used && p->value[r].kind == IR_B_CONSTANT) {
            p->value[r].index = n++;
        }
    }
}

/* The numbers of scratch values count up within their chain. */
static void number_scratch(plan *p)
{
    int *next = p->chain_values;

    for (ir_ref r = 0; r < p->g->count; r++) {
        if (p->value[r].kind == IR_B_SCRATCH) {
            p->value[r].index = next[p->value[r].chain]++;
        }
    }
}

static void write_chains(const plan *p, ir_graph *out)
{
    for (int i = 0; i < out->kernels.chain_count; i++) {
        out->kernels.chains[i].offset = p->chains[i].offset;
        out->kernels.chains[i].bytes = p->chains[i].bytes;
    }
}

static bool write_buffers(plan *p, ir_graph *out)
{
    int count = 0, kernels = p->g->kernels.count;

    for (ir_ref r = 0; r < p->g->count; r++) {
        count += p->value[r].used;
    }
    out->buffers.items = ir_graph_alloc(out, (size_t)(count + 1) * sizeof(ir_buffer));
    if (!out->buffers.items) {
        return false;
    }
    for (ir_ref r = 0; r < p->g->count; r++) {
        const plan_value *v = &p->value[r];
        ir_place at;
        bool outside;

        if (!v->used) {
            continue;
        }
        at = place_of(p, r);
        outside = v->alias == IR_NONE && (at.kind == IR_B_ARGUMENT || at.kind == IR_B_CONSTANT);
        ir_buffer b = {.node = r,
                       .kind = at.kind,
                       .index = at.index,
                       .offset = at.offset,
                       .bytes = ir_type_bytes(&p->g->nodes[r].type),
                       .first = outside ? -1 : plan_first(p, v->first),
                       .last = outside ? kernels : plan_last(p, v->last),
                       .alias = v->alias};
        if (at.kind == IR_B_SCRATCH) {
            b.bytes /= (size_t)p->chains[p->value[plan_storage(p, r)].chain].slices;
            b.first = v->first;
            b.last = v->last;
        }
        out->buffers.items[out->buffers.count++] = b;
    }
    out->buffers.arena_bytes = p->arena_bytes;
    return true;
}

/* Copies to outputs, then variables' old values into their stages, then copies to variables. */
static bool write_copies(plan *p, ir_graph *out)
{
    ir_buffer_table *t = &out->buffers;

    t->copies = ir_graph_alloc(out, (size_t)(2 * p->copy_count + 1) * sizeof *t->copies);
    if (!t->copies) {
        return false;
    }
    for (int i = 0; i < p->copy_count; i++) {
        ir_copy *c = &p->copies[i];

        c->from = place_of(p, (ir_ref)c->from.offset);
        if (c->to.kind == IR_B_OUTPUT) {
            t->copies[t->copy_count++] = *c;
        }
    }
    for (int i = 0; i < p->copy_count; i++) {
        ir_copy *c = &p->copies[i];

        if (p->staged[i]) {
            ir_place stage = {IR_B_ARENA, 0, c->to.offset};

            t->copies[t->copy_count++] = (ir_copy){stage, c->from, c->bytes};
            c->from = stage;
            c->to.offset = 0;
        }
    }
    for (int i = 0; i < p->copy_count; i++) {
        if (p->copies[i].to.kind == IR_B_VARIABLE) {
            t->copies[t->copy_count++] = p->copies[i];
        }
    }
    return true;
}

static bool allocate(plan *p)
{
    size_t n = p->g->count + 1;

    p->mem = ir_arena_new();
    p->value = p->mem ? ir_arena_alloc(p->mem, n * sizeof *p->value) : NULL;
    p->reads = p->mem ? ir_arena_alloc(p->mem, n * sizeof *p->reads) : NULL;
    p->where = p->mem ? ir_arena_alloc(p->mem, n * sizeof *p->where) : NULL;
    p->seen = p->mem ? ir_arena_alloc(p->mem, n * sizeof *p->seen) : NULL;
    n = (size_t)p->g->kernels.chain_count + 1;
    p->chains = p->mem ? ir_arena_alloc(p->mem, n * sizeof *p->chains) : NULL;
    p->chain_values = p->mem ? ir_arena_alloc(p->mem, n * sizeof *p->chain_values) : NULL;
    if (!p->value || !p->reads || !p->where || !p->seen || !p->chains || !p->chain_values) {
        return plan_out_of_memory(p);
    }
    for (int i = 0; i < p->g->kernels.chain_count; i++) {
        p->chains[i] = p->g->kernels.chains[i];
        p->chains[i].offset = p->chains[i].bytes = 0;
    }
    return true;
}

/* Says what a plan over the budget takes, which is the least that remat has found, and where its peak is. */
static void refuse(const pass_context *pc, ir_graph *out)
{
    char where[400] = "";
    int k;
    size_t live = ir_live_peak(out, &k);

    if (k >= 0 && k < out->kernels.count) {
        const ir_kernel *kernel = &out->kernels.items[k];
        const ir_node *n = &out->nodes[kernel->root];

        snprintf(where, sizeof where, " at kernel %s, node %%%u = %s (%.120s:%u)", kernel->name, kernel->root,
                 ir_ops[n->op].name, n->loc.file ? n->loc.file : "unknown line", (unsigned)n->loc.line);
    }
    ir_fail(&out->error, IR_ENOMEM,
            "the memory budget is %zu bytes, but the least that was reached is %zu: %zu live%s",
            pc->memory_budget, out->buffers.arena_bytes, live, where);
}

ir_status pass_plan(pass_context *pc, const ir_graph *in, ir_graph *out, ir_ref *map)
{
    ir_error e = {0};
    plan p = {.g = in, .err = &e, .apart = pc->apart};
    bool ok;

    if (pass_copy_graph(in, out, map) != IR_OK) {
        return out->error.status;
    }
    ok = allocate(&p) && pass_copy_kernels(in, out) && plan_lives(&p) && plan_share(&p) && plan_place(&p);
    if (ok) {
        number_constants(&p);
        number_scratch(&p);
        write_chains(&p, out);
        ok = write_buffers(&p, out) && write_copies(&p, out);
    }
    ir_arena_free(p.mem);
    if (ok && pc->memory_budget > 0 && !pc->apart && out->buffers.arena_bytes > pc->memory_budget) {
        refuse(pc, out);
        return out->error.status;
    }
    return ok ? IR_OK : ir_fail(&out->error, e.status ? e.status : IR_ENOMEM, "%s", e.text);
}
