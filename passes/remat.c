/* passes/remat.c: rematerialisation: values are computed again instead of kept, until the plan fits a budget.
 *
 *   h1 h2 h3 h4 kept for the gradient     ->     h2 h4 kept; h3, then h1 computed again when the gradient is
 * there
 *
 * The peak is known only of a finished plan, so this pass runs fuse and plan on what it has, looks at the
 * peak, drops values that live across it (remat_choose.c), rebuilds the graph (remat_rebuild.c), and so on.
 * A round that raises the arena is taken back.  Copies of nodes compute the same bits, and
 * `checkpoint` keeps them apart from the first ones.
 *
 * in:  a graph with static shapes, after simplify, cse and dce.
 * out: the same if there is no budget or it fits; else a graph whose plan takes as little as was found: plan
 * refuses it if that is too much.  Cost: up to ROUNDS times fuse and plan. */
#include "passes/remat.h"
#include "passes/all.h"
#include "passes/rebuild.h"

#include <stdlib.h>
#include <string.h>

/* A round saves at most an eighth of the arena: what is cheapest to drop next depends on what has been
 * dropped. */
enum { ROUNDS = 96, MOST = 256, STEP = 8 };

static ir_status out_of_memory(remat *m)
{
    return ir_fail(m->pc->err, IR_ENOMEM, "remat: out of memory");
}

/* ---- the graph ----------------------------------------------------------------------------------------- */

static void list_users(remat *m)
{
    const ir_graph *g = m->g;

    for (ir_ref r = 0; r < g->count; r++) {
        for (int i = 0; i < g->nodes[r].n; i++) {
            m->user_at[g->nodes[r].x[i] + 1]++;
        }
    }
    for (ir_ref r = 0; r < g->count; r++) {
        m->user_at[r + 1] += m->user_at[r];
    }
    for (ir_ref r = g->count; r-- > 0;) {
        for (int i = 0; i < g->nodes[r].n; i++) {
            m->user[--m->user_at[g->nodes[r].x[i] + 1]] = r;
        }
    }
    for (ir_ref r = 0; r < g->count; r++) { /* entry r + 1 has moved to the start of r */
        m->user_at[r] = m->user_at[r + 1];
    }
}

static bool open_graph(remat *m)
{
    const ir_graph *g = m->g;
    size_t n = g->count + 1, edges = 1;

    for (ir_ref r = 0; r < g->count; r++) {
        edges += (size_t)g->nodes[r].n;
    }
    m->mem = ir_arena_new();
#define TAKE(p, items) ((p) = m->mem ? ir_arena_alloc(m->mem, (items) * sizeof *(p)) : NULL)
    if (!TAKE(m->user_at, n + 1) || !TAKE(m->user, edges) || !TAKE(m->result, n) || !TAKE(m->drop, n) ||
        !TAKE(m->split, n) || !TAKE(m->banned, n) || !TAKE(m->stored_at, n) || !TAKE(m->computed_at, n) ||
        !TAKE(m->mark, n) || !TAKE(m->stack, n)) {
        return false;
    }
#undef TAKE
    memset(m->split, 0xff, n * sizeof *m->split);
    list_users(m);
    for (int i = 0; i < g->output_count; i++) {
        m->result[g->outputs[i].value] = 1;
    }
    for (int i = 0; i < g->assign_count; i++) {
        m->result[g->assigns[i].value] = 1;
    }
    return true;
}

/* ---- plans --------------------------------------------------------------------------------------------- */

typedef struct trial {
    ir_graph *plan;
    ir_ref *image;
} trial;

static void trial_free(trial *t)
{
    ir_graph_free(t->plan);
    free(t->image);
    *t = (trial){0};
}

/* Runs one pass of the rest of the pipeline. */
static ir_graph *run(remat *m, pass_fn *pass, ir_graph *in)
{
    ir_graph *out = in ? ir_graph_new(in->name) : NULL;
    ir_ref *map = in ? malloc((in->count + 1) * sizeof *map) : NULL;
    pass_context pc = *m->pc;
    bool ok;

    pc.memory_budget = 0;
    pc.apart = false; /* a plan that shares is what the budget is about */
    ok = out && map && pass(&pc, in, out, map) == IR_OK && out->error.status == IR_OK;
    if (!ok && out && out->error.status) {
        ir_fail(m->pc->err, out->error.status, "%s", out->error.text);
    }
    free(map);
    ir_graph_free(in);
    if (!ok) {
        ir_graph_free(out);
    }
    return ok ? out : NULL;
}

/* The plan of the graph as decided so far; fuse, chain and plan keep its nodes and their order. */
static bool try_plan(remat *m, trial *t)
{
    ir_graph *g = ir_graph_new(m->g->name);

    *t = (trial){NULL, malloc((m->g->count + 1) * sizeof *t->image)};
    if (g && t->image && remat_rebuild(m, g, t->image) == IR_OK) {
        t->plan = run(m, pass_plan, run(m, pass_chain, run(m, pass_fuse, g)));
    } else {
        ir_graph_free(g);
    }
    if (!t->plan) {
        trial_free(t);
        out_of_memory(m); /* unless the pass has said why */
        return false;
    }
    return true;
}

static bool plan_tables(remat *m, uint32_t n)
{
    if (n > m->plan_room) {
#define TAKE(p) ((p) = ir_arena_alloc(m->mem, n * sizeof *(p)))
        if (!TAKE(m->listed_first) || !TAKE(m->listed_last) || !TAKE(m->buffer) || !TAKE(m->in_peak)) {
            return false;
        }
#undef TAKE
        m->plan_room = n;
    }
    memset(m->listed_first, 0xff, n * sizeof *m->listed_first);
    memset(m->listed_last, 0xff, n * sizeof *m->listed_last);
    memset(m->buffer, 0xff, n * sizeof *m->buffer);
    memset(m->in_peak, 0, n * sizeof *m->in_peak);
    return true;
}

/* Makes a trial the current state, and reads off it what choosing asks for. */
static bool adopt(remat *m, trial *t)
{
    const ir_graph *p = t->plan;

    m->plan = t->plan;
    m->image = t->image;
    if (!plan_tables(m, p->count)) {
        return false;
    }
    ir_live_peak(p, &m->peak);
    for (int k = 0; k < p->kernels.count; k++) {
        for (int i = 0; i < p->kernels.items[k].node_count; i++) {
            ir_ref r = p->kernels.items[k].nodes[i];

            m->listed_first[r] = m->listed_first[r] < 0 ? k : m->listed_first[r];
            m->listed_last[r] = k;
            m->in_peak[r] |= k == m->peak;
        }
    }
    for (int i = 0; i < p->buffers.count; i++) {
        m->buffer[p->buffers.items[i].node] = i;
    }
    return true;
}

/* What the unchanged graph stores, and when. */
static void note_first_plan(remat *m)
{
    const ir_kernel_list *k = &m->plan->kernels;

    for (ir_ref r = 0; r < m->g->count; r++) {
        m->computed_at[r] = m->listed_first[m->image[r]];
        m->stored_at[r] = -1;
    }
    for (int i = 0; i < k->count; i++) {
        for (int j = 0; j < k->items[i].out_count; j++) {
            m->stored_at[k->items[i].outs[j]] = i; /* nothing is dropped yet: the same numbers */
        }
    }
}

/* ---- the rounds ---------------------------------------------------------------------------------------- */

typedef struct decisions {
    uint8_t *drop;
    ir_ref *split;
} decisions;

static void copy_decisions(const remat *m, uint8_t *drop, ir_ref *split, const uint8_t *from_drop,
                           const ir_ref *from_split)
{
    memcpy(drop, from_drop, m->g->count);
    memcpy(split, from_split, m->g->count * sizeof *split);
}

/* Drops some values and plans again; false when nothing is left to try or memory is. */
static bool round_of(remat *m, trial *current, const decisions *before, int *most)
{
    size_t arena = current->plan->buffers.arena_bytes, excess = arena - m->pc->memory_budget;
    ir_ref chosen[MOST];
    trial next;
    int n;

    copy_decisions(m, before->drop, before->split, m->drop, m->split);
    n = remat_choose(m, excess < arena / STEP ? excess : arena / STEP, *most, chosen);
    if (n == 0 || !try_plan(m, &next)) {
        return false;
    }
    if (next.plan->buffers.arena_bytes <= arena) { /* as much: the same peak elsewhere is next */
        trial_free(current);
        *current = next;
        *most = MOST;
        return adopt(m, current);
    }
    trial_free(&next);
    copy_decisions(m, m->drop, m->split, before->drop, before->split);
    if (n == 1) {
        m->banned[chosen[0]] = 1;
    }
    *most = n == 1 ? 1 : n / 2;
    return true;
}

static ir_status decide(remat *m)
{
    trial current = {0};
    decisions before;
    int most = MOST;
    bool ok = open_graph(m);

    before.drop = ok ? ir_arena_alloc(m->mem, m->g->count + 1) : NULL;
    before.split = ok ? ir_arena_alloc(m->mem, (m->g->count + 1) * sizeof *before.split) : NULL;
    if (!before.drop || !before.split) {
        return out_of_memory(m);
    }
    ok = try_plan(m, &current) && adopt(m, &current);
    if (ok) {
        note_first_plan(m);
    }
    for (int i = 0; i < ROUNDS && ok && current.plan->buffers.arena_bytes > m->pc->memory_budget; i++) {
        ok = round_of(m, &current, &before, &most);
    }
    trial_free(&current);
    return m->pc->err->status;
}

ir_status pass_remat(pass_context *pc, const ir_graph *in, ir_graph *out, ir_ref *map)
{
    remat m = {.g = in, .pc = pc};
    ir_status s;

    if (pc->memory_budget == 0) {
        return pass_copy_graph(in, out, map);
    }
    s = decide(&m);
    if (s == IR_OK) {
        s = remat_rebuild(&m, out, map);
    }
    ir_arena_free(m.mem);
    return s;
}
