/* codegen/row.c: ROW kernels: reductions over an inner run, with what goes in and what comes out, one row at
 * a time.
 *
 *   short rows    every vector of the row has its bank: loaded once, all passes in registers, no loops
 *   long rows     one loop over the run per pass; values wanted in several passes lie in a scratch row in L1
 *
 * Sums follow numerics rule 4: element i into partial i mod 64, then halves.  64 partials are 64 / lanes
 * vectors, in registers, or in memory where that would be too many copies of the body.  Lanes beyond the run
 * leave their partial as it is. */
#include "codegen/row.h"

#include <string.h>

/* EXTREMES: vectors that a maximum or minimum is gathered in; free of order, so it needs no 64 partials. */
enum { PARTIALS = 64, EXTREMES = 2, MAX_STRAIGHT = 8, MAX_SCRATCH = 128 * 1024, CROWDED = 20 * 1024 };

/* ---- one vector of one pass ---- */

static bool in_pass(const cg_row *s, int reduce, int pass)
{
    return s->p.reduces[reduce].pass == pass;
}

/* Whether reduce r is an extreme whose NaNs and zeros are looked after apart. */
static bool watched(const cg_row *s, int r)
{
    return s->seen && cg_is_extreme(&s->p.reduces[r]);
}

static LLVMValueRef scratch_at(cg_row *s, int t, LLVMValueRef at)
{
    cg_kernel *k = s->p.k;

    return cg_element(k->c, s->scratch[t], (ir_dtype)k->g->nodes[k->terms[t].node].type.dtype, at);
}

static void read_scratch(cg_row *s, int pass, LLVMValueRef at)
{
    cg_kernel *k = s->p.k;
    const uint8_t *need = s->p.need + (size_t)pass * k->term_count;

    for (int t = 0; t < k->term_count; t++)
        if (s->scratch && s->scratch[t] && need[t] && s->p.kept[t] - 1 < pass) {
            LLVMValueRef mask = k->mask;
            k->mask = NULL; /* rows of scratch are whole vectors */
            ir_dtype d = (ir_dtype)k->g->nodes[k->terms[t].node].type.dtype;
            cg_seed_term(k, t, cg_load_at(k, scratch_at(s, t, at), d, cg_i64(k->c, 0), 1));
            k->mask = mask;
        }
}

static void write_scratch(cg_row *s, int pass, LLVMValueRef at)
{
    cg_kernel *k = s->p.k;

    for (int t = 0; t < k->term_count; t++)
        if (s->scratch && s->scratch[t] && s->p.kept[t] - 1 == pass) {
            LLVMValueRef mask = k->mask;
            ir_dtype d = (ir_dtype)k->g->nodes[k->terms[t].node].type.dtype;
            LLVMValueRef v = cg_eval_term(k, t);
            if (t == s->numerator)
                cg_row_watch(s, v);
            k->mask = NULL;
            cg_store_at(k, scratch_at(s, t, at), d, cg_i64(k->c, 0), 1, v);
            k->mask = mask;
        }
}

/* Stands at elements [at, at + lanes) of the run. */
static void step_to(cg_row *s, int pass, LLVMValueRef at, LLVMValueRef mask)
{
    cg_kernel *k = s->p.k;

    k->mask = mask;
    if (k->vector_dim < 0)
        return;
    if (!s->straight)
        cg_forget(k, k->vector_dim);
    k->index[k->vector_dim] = at;
    k->home[k->vector_dim] = LLVMGetInsertBlock(k->c->b);
    if (!s->straight)
        read_scratch(s, pass, at);
}

static void store_outs(cg_row *s, int pass)
{
    cg_kernel *k = s->p.k;

    for (int o = 0; o < s->p.out_count; o++)
        if (s->p.outs[o].full && s->p.outs[o].pass == pass)
            cg_eval_term(k, s->p.outs[o].term);
    for (int o = 0; o < s->p.out_count; o++)
        if (s->p.outs[o].full && s->p.outs[o].pass == pass)
            cg_store(k, s->p.outs[o].node, &s->p.full, cg_eval_term(k, s->p.outs[o].term));
}

/* The vector at `at`: partials number `slot` of every reduce of the pass, kept values, outs. */
static void emit_vector(cg_row *s, int pass, LLVMValueRef at, LLVMValueRef mask, int slot)
{
    cg_kernel *k = s->p.k;

    step_to(s, pass, at, mask);
    if (pass == 1 && s->p.outer)
        cg_prefetch(k, s->p.outer - 1, s->crowded);
    for (int r = 0; r < s->p.reduce_count; r++)
        if (in_pass(s, r, pass)) {
            LLVMValueRef *acc = &s->acc[r * s->vectors];
            if (watched(s, r)) {
                LLVMValueRef *seen = &s->seen[r * s->vectors + slot];
                *seen = cg_eval_term(k, s->p.reduces[r].x[0]);
                acc += slot % EXTREMES;
                *acc = cg_extreme(k->c, &s->p.reduces[r], *seen, *acc);
            } else {
                acc += slot;
                *acc = cg_accumulate(k, &s->p.reduces[r], *acc);
            }
        }
    write_scratch(s, pass, at);
    if (pass == s->p.passes - 1)
        cg_row_take_up(s, at);
    store_outs(s, pass);
    k->mask = NULL;
}

/* ---- finishing a pass ---- */

/* The code from here on may use what this pass has reduced. */
static void move_home(cg_row *s)
{
    cg_kernel *k = s->p.k;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(k->c->b);

    for (int d = 0; d < s->p.outer; d++)
        k->home[d] = here;
    k->home[CG_STAGE] = here;
}

static void finish_pass(cg_row *s, int pass)
{
    cg_kernel *k = s->p.k;

    if (!s->straight && k->vector_dim >= 0)
        cg_forget(k, k->vector_dim);
    move_home(s);
    for (int r = 0; r < s->p.reduce_count; r++)
        if (in_pass(s, r, pass)) {
            const cg_reduce *e = &s->p.reduces[r];
            bool none = e->op != IR_dot_general && k->g->nodes[e->node].attrs->n == 0;
            LLVMValueRef *acc = &s->acc[r * s->vectors];
            LLVMValueRef v = none ? cg_eval_term(k, e->x[0]) : cg_fold(k->c, e, acc, s->vectors);
            cg_seed_term(k, e->seed, v);
            s->result[r] = v;
        }
}

/* ---- the two ways through a row ---- */

/* What there is one of in a row. */
static void store_row_outs(cg_row *s)
{
    cg_kernel *k = s->p.k;

    for (int o = 0; o < s->p.out_count; o++)
        if (!s->p.outs[o].full)
            cg_eval_scalar(k, s->p.outs[o].term);
    for (int o = 0; o < s->p.out_count; o++)
        if (!s->p.outs[o].full)
            cg_store_scalar(k, s->p.outs[o].node, &s->p.row, cg_eval_scalar(k, s->p.outs[o].term));
}

static void emit_straight(cg_row *s)
{
    cg_kernel *k = s->p.k;
    cg *c = k->c;

    for (int pass = 0; pass < s->p.passes; pass++) {
        for (int64_t at = 0, v = 0; at < s->p.n; at += c->lanes, v++) {
            k->bank = (int)v;
            emit_vector(s, pass, cg_i64(c, at), cg_const_mask(s->p.k, s->p.n - at), (int)(v % s->vectors));
        }
        k->bank = 0;
        finish_pass(s, pass);
    }
    store_row_outs(s);
}

/* What watching reduce r has come to, carried around the loop. */
typedef struct watch_loop {
    cg_watch init, phi, now;
} watch_loop;

static void watch_open(cg_row *s, const cg_loop *l, int r, watch_loop *w)
{
    cg *c = s->p.k->c;

    w->init = cg_watch_nothing(c, &s->p.reduces[r]);
    w->phi.nan = cg_carry(c, l, w->init.nan);
    w->phi.signs = cg_carry(c, l, w->init.signs);
    w->now = w->phi;
}

/* Vectors v - 1 and v, at once: few values are kept. */
static void watch_pair(cg_row *s, int r, int v, watch_loop *w)
{
    const LLVMValueRef *seen = &s->seen[r * s->vectors + v];

    cg_watch_pair(s->p.k->c, &s->p.reduces[r], &w->now, seen[-1], seen[0]);
}

/* The vectors become one, which is mended. */
static void watch_close(cg_row *s, const cg_loop *l, int r, const watch_loop *w)
{
    cg *c = s->p.k->c;
    const cg_reduce *e = &s->p.reduces[r];
    LLVMValueRef *acc = &s->acc[r * s->vectors];
    cg_watch all = {.nan = cg_carried(c, l, w->phi.nan, w->init.nan, w->now.nan),
                    .signs = cg_carried(c, l, w->phi.signs, w->init.signs, w->now.signs)};

    for (int v = 1; v < EXTREMES; v++) {
        acc[0] = cg_extreme(c, e, acc[v], acc[0]);
        acc[v] = NULL;
    }
    acc[0] = cg_mend(c, e, &all, acc[0]);
}

/* Whether vector i of all partials is carried around the loop of the pass. */
static bool carries(const cg_row *s, int i, int pass)
{
    int r = i / s->vectors;

    return in_pass(s, r, pass) && (!watched(s, r) || i % s->vectors < EXTREMES);
}

/* Whole groups of 64 elements, the vectors of partials carried around the loop. */
static void emit_groups(cg_row *s, int pass, int64_t main)
{
    cg_kernel *k = s->p.k;
    cg *c = k->c;
    int count = s->p.reduce_count * s->vectors;
    LLVMValueRef phi[count + 1], init[count + 1], seen[count + 1];
    watch_loop watch[s->p.reduce_count + 1];
    LLVMValueRef least_before = s->least, least = NULL;

    cg_loop l = cg_loop_open(c, cg_i64(c, 0), cg_i64(c, main), PARTIALS, "i");
    s->seen = seen;
    for (int i = 0; i < count; i++)
        if (carries(s, i, pass)) {
            init[i] = cg_neutral(c, &s->p.reduces[i / s->vectors]);
            phi[i] = s->acc[i] = cg_carry(c, &l, init[i]);
        }
    for (int r = 0; r < s->p.reduce_count; r++)
        if (in_pass(s, r, pass) && watched(s, r))
            watch_open(s, &l, r, &watch[r]);
    if (least_before)
        least = s->least = cg_carry(c, &l, least_before);
    for (int v = 0; v < s->vectors; v++) {
        LLVMValueRef at = cg_add(c, l.index, cg_i64(c, (int64_t)v * c->lanes));
        emit_vector(s, pass, at, NULL, v);
        for (int r = 0; r < s->p.reduce_count && v % 2; r++)
            if (in_pass(s, r, pass) && watched(s, r))
                watch_pair(s, r, v, &watch[r]);
    }
    cg_forget(k, k->vector_dim);
    cg_loop_close(c, &l);
    for (int i = 0; i < count; i++)
        if (carries(s, i, pass))
            s->acc[i] = cg_carried(c, &l, phi[i], init[i], s->acc[i]);
    for (int r = 0; r < s->p.reduce_count; r++)
        if (in_pass(s, r, pass) && watched(s, r))
            watch_close(s, &l, r, &watch[r]);
    if (least)
        s->least = cg_carried(c, &l, least, least_before, s->least);
    s->seen = NULL;
}

/* One pass with partials in registers: groups of 64, then the rest of the run in a straight line. */
static void emit_pass_registers(cg_row *s, int pass)
{
    cg *c = s->p.k->c;
    int64_t main = s->p.n / PARTIALS * PARTIALS;

    if (main)
        emit_groups(s, pass, main);
    for (int64_t at = main; at < s->p.n; at += c->lanes)
        emit_vector(s, pass, cg_i64(c, at), cg_const_mask(s->p.k, s->p.n - at),
                    (int)((at - main) / c->lanes));
}

/* Partials in memory: the vector of partials number (i mod 64) / lanes is read, updated and written back. */
static void emit_vector_memory(cg_row *s, int pass, LLVMValueRef at, LLVMValueRef mask)
{
    cg_kernel *k = s->p.k;
    cg *c = k->c;
    LLVMValueRef slot = LLVMBuildAnd(c->b, at, cg_i64(c, PARTIALS - 1), "");

    step_to(s, pass, at, mask);
    for (int r = 0; r < s->p.reduce_count; r++)
        if (in_pass(s, r, pass)) {
            ir_dtype d = s->p.reduces[r].dtype;
            k->mask = NULL;
            LLVMValueRef acc = cg_load_at(k, s->memory[r], d, slot, 1);
            k->mask = mask;
            acc = cg_accumulate(k, &s->p.reduces[r], acc);
            k->mask = NULL;
            cg_store_at(k, s->memory[r], d, slot, 1, acc);
            k->mask = mask;
        }
    write_scratch(s, pass, at);
    if (pass == s->p.passes - 1)
        cg_row_take_up(s, at);
    store_outs(s, pass);
    k->mask = NULL;
}

static void emit_pass_memory(cg_row *s, int pass)
{
    cg_kernel *k = s->p.k;
    cg *c = k->c;
    int64_t main = s->p.n / c->lanes * c->lanes;

    for (int r = 0; r < s->p.reduce_count; r++)
        for (int v = 0; in_pass(s, r, pass) && v < s->vectors; v++)
            cg_store_at(k, s->memory[r], s->p.reduces[r].dtype, cg_i64(c, (int64_t)v * c->lanes), 1,
                        cg_neutral(c, &s->p.reduces[r]));
    if (main) {
        cg_loop l = cg_loop_open(c, cg_i64(c, 0), cg_i64(c, main), c->lanes, "i");
        emit_vector_memory(s, pass, l.index, NULL);
        cg_forget(k, k->vector_dim);
        cg_loop_close(c, &l);
    }
    if (main < s->p.n)
        emit_vector_memory(s, pass, cg_i64(c, main), cg_const_mask(s->p.k, s->p.n - main));
    for (int r = 0; r < s->p.reduce_count; r++)
        for (int v = 0; in_pass(s, r, pass) && v < s->vectors; v++)
            s->acc[r * s->vectors + v] =
                cg_load_at(k, s->memory[r], s->p.reduces[r].dtype, cg_i64(c, (int64_t)v * c->lanes), 1);
}

bool cg_row_has_reduce(const cg_row *s, int pass)
{
    for (int r = 0; r < s->p.reduce_count; r++)
        if (in_pass(s, r, pass))
            return true;
    return false;
}

/* A pass that only stores: vectors, four at a time where the body is small. */
static void emit_pass_store(cg_row *s, int pass)
{
    cg_kernel *k = s->p.k;
    cg *c = k->c;
    int unroll = s->p.flops < 24 && k->term_count < 30 ? 4 : 1;
    int64_t step = (int64_t)c->lanes * unroll, main = s->p.n / step * step;

    if (main) {
        cg_loop l = cg_loop_open(c, cg_i64(c, 0), cg_i64(c, main), step, "i");
        for (int u = 0; u < unroll; u++)
            emit_vector(s, pass, cg_add(c, l.index, cg_i64(c, (int64_t)u * c->lanes)), NULL, 0);
        cg_forget(k, k->vector_dim);
        cg_loop_close(c, &l);
    }
    for (int64_t at = main; at < s->p.n; at += c->lanes)
        emit_vector(s, pass, cg_i64(c, at), cg_const_mask(s->p.k, s->p.n - at), 0);
}

/* Passes [from, to), and what comes after the last. */
void cg_row_passes(cg_row *s, int from, int to)
{
    for (int pass = from; pass < to; pass++) {
        if (!cg_row_has_reduce(s, pass))
            emit_pass_store(s, pass);
        else if (s->memory[0])
            emit_pass_memory(s, pass);
        else
            emit_pass_registers(s, pass);
        finish_pass(s, pass);
    }
    if (to == s->p.passes)
        store_row_outs(s);
}

static void emit_looped(cg_row *s)
{
    int first = s->numerator < 0 ? s->p.passes : s->p.kept[s->numerator];

    cg_row_passes(s, 0, first);
    if (first < s->p.passes)
        cg_row_passes_both_ways(s, first);
}

/* ---- memory on the stack ---- */

static void make_scratch(cg_row *s)
{
    cg_kernel *k = s->p.k;
    int64_t padded = (s->p.n + 63) / 64 * 64, bytes = 0;

    for (int t = 0; t < k->term_count; t++) {
        ir_dtype d = (ir_dtype)k->g->nodes[k->terms[t].node].type.dtype;
        int64_t size = padded * (int64_t)ir_dtype_size(d);
        if (!s->p.kept[t] || bytes + size > MAX_SCRATCH)
            continue;
        bytes += size;
        s->scratch[t] = cg_stack(k, d, padded);
    }
}

/* Whether the passes over a row keep so much in the first cache that the next row has no place there. */
static bool is_crowded(const cg_row *s)
{
    const cg_kernel *k = s->p.k;
    int64_t bytes = 0;

    for (int t = 0; t < k->term_count; t++) {
        const cg_term *e = &k->terms[t];
        int64_t size = (int64_t)ir_dtype_size((ir_dtype)k->g->nodes[e->node].type.dtype);
        bytes += e->kind == CG_T_LOAD && cg_term_varies(k, t) ? s->p.n * size : 0;
        bytes += s->scratch[t] ? s->p.n * size : 0;
    }
    for (int i = 0; i < s->p.sum_count; i++)
        bytes += s->p.n * (int64_t)ir_dtype_size(s->p.sums[i].dtype);
    return bytes > CROWDED;
}

/* Few vectors and a small body: no loops. */
static bool is_straight(const cg_row *s)
{
    const cg_kernel *k = s->p.k;
    int64_t vectors = (s->p.n + k->c->lanes - 1) / k->c->lanes;

    return vectors <= 1 || (vectors <= MAX_STRAIGHT && (double)vectors * (s->p.flops + 8) <= 600);
}

void cg_row_emit(cg_row *s)
{
    move_home(s);
    if (s->straight)
        emit_straight(s);
    else
        emit_looped(s);
}

static void emit_rows(cg_row *s)
{
    cg_kernel *k = s->p.k;
    bool one = s->p.rows == 1;
    int outer = s->p.outer - k->run;
    int64_t block = k->run ? s->p.extent[outer] : 1;
    double ns = 10 + (double)s->p.n * s->p.flops * 0.03 * 16 / cg_register_lanes(k->c);

    k->units = s->p.rows / block;
    k->grain = one ? 0 : cg_grain(k->units, ns * (double)block);
    for (int d = 0; d < CG_DIMS; d++)
        k->level[d] = d < outer ? 0 : d < s->p.outer || d == CG_STAGE ? k->run : k->run + 1;
    for (int d = 0; d < k->space.rank; d++)
        k->index[d] = cg_i64(k->c, 0);
    if (one) {
        cg_row_emit(s);
        return;
    }
    cg_odometer o = cg_units_open(k, s->p.extent, outer, k->begin, k->end);
    if (k->run)
        cg_row_emit_block(s);
    else
        cg_row_emit(s);
    cg_units_close(k, &o);
}

void cg_emit_row(cg_kernel *k)
{
    cg_row s = {.numerator = -1};

    if (!row_plan_make(&s.p, k)) {
        row_plan_free(&s.p);
        return;
    }
    if (s.p.n == 1)
        k->c->lanes = 1;
    while (k->c->lanes > 4 && k->c->lanes >= 2 * s.p.n)
        k->c->lanes /= 2; /* a short run does not need wide vectors */
    cg_pair_registers(k, s.p.flops, s.p.n);
    s.vectors = PARTIALS / k->c->lanes;
    s.straight = is_straight(&s);
    int copies = s.vectors * (s.p.flops > 24 ? 2 : 1);
    LLVMValueRef acc[(size_t)s.p.reduce_count * s.vectors + 1], memory[s.p.reduce_count + 1],
        scratch[k->term_count + 1], result[s.p.reduce_count + 1], sums[s.p.sum_count + 1];
    for (int i = 0; i < s.p.reduce_count * s.vectors; i++)
        acc[i] = NULL;
    for (int r = 0; r <= s.p.reduce_count; r++)
        memory[r] = NULL;
    for (int t = 0; t <= k->term_count; t++)
        scratch[t] = NULL;
    s.acc = acc;
    s.result = result;
    s.memory = memory;
    s.scratch = scratch;
    s.sums = sums;
    if (!cg_row_make_sums(&s)) {
        row_plan_free(&s.p);
        return;
    }
    if (s.straight) {
        k->banks = (int)((s.p.n + k->c->lanes - 1) / k->c->lanes);
        for (int d = s.p.outer; d < k->space.rank; d++)
            k->banked |= 1u << d;
    } else {
        make_scratch(&s);
        for (int r = 0; r < s.p.reduce_count && (copies > 8 || s.p.reduce_count * s.vectors > 24); r++)
            memory[r] = cg_stack(k, s.p.reduces[r].dtype, PARTIALS);
        cg_row_find_quotients(&s);
    }
    s.crowded = is_crowded(&s);
    emit_rows(&s);
    row_plan_free(&s.p);
}
