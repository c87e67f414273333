/* codegen/outer.c: OUTER kernels: reductions of an A x R x C space over R, producers and consumers fused in.
 *
 *   few columns or rows   a tile of up to 8 vectors of columns stays in registers while the rows pass by
 *   otherwise             rows are streamed against a tile of sums in L1 (outer_stream.c): memory is read in
 *                         long stretches
 *
 * Sums follow numerics rule 4: a chain per block of 512 rows from +0, blocks added in order.  (Adding the
 * first block to +0 changes nothing: a chain that starts at +0 is never -0.)  Units are A x column tiles. */
#include "codegen/outer.h"

#include <stdlib.h>

enum { MAX_LIVE = 24, CONTRACT_FROM = 4 };

/* ---- plan ---- */

static bool find_reduces(outer_state *s)
{
    cg_kernel *k = s->k;
    const ir_kernel *e = k->k;

    s->reduces = calloc((size_t)e->node_count + 1, sizeof *s->reduces);
    if (!s->reduces)
        return cg_fail(k, IR_ENOMEM, "out of memory") == IR_OK;
    for (int i = 0; i < e->node_count; i++) {
        const ir_node *n = &k->g->nodes[e->nodes[i]];
        if (ir_ops[n->op].cls != IR_REDUCE)
            continue;
        cg_reduce *r = &s->reduces[s->count++];
        *r = (cg_reduce){.node = e->nodes[i], .op = n->op, .dtype = (ir_dtype)n->type.dtype, .x = {-1, -1}};
        r->x[0] = cg_term_of(k, n->x[0], &s->full);
        r->seed = cg_term_of(k, r->node, &s->row);
    }
    s->row_flops = cg_terms_flops(k);
    s->row_terms = k->term_count;
    for (int o = 0; o < e->out_count; o++) {
        cg_term_of(k, e->outs[o], &s->row);
        cg_store_term(k, e->outs[o], &s->row);
    }
    return !k->failed;
}

static bool make_plan(outer_state *s, cg_kernel *k)
{
    int rank = k->space.rank;

    *s = (outer_state){.k = k, .a_dims = rank - k->inner - k->run, .a = 1, .r = 1, .c = 1};
    s->r_end = s->a_dims + k->run;
    s->full = cg_map_over(k, 0, rank);
    s->row = ir_kernel_row_map(k->k, &k->space, k->inner, k->run);
    for (int d = 0; d < rank; d++) {
        s->extent[d] = k->space.extent[d];
        *(d < s->a_dims ? &s->a : d < s->r_end ? &s->r : &s->c) *= s->extent[d];
    }
    k->vector_first = s->r_end;
    k->vector_dim = s->c > 1 ? rank - 1 : -1;
    if (!find_reduces(s))
        return false;
    cg_collapse(k, 0, s->a_dims, s->extent);
    cg_collapse(k, s->a_dims, s->r_end, s->extent);
    for (int d = 0; d < rank; d++) {
        k->index[d] = cg_i64(k->c, 0);
        k->level[d] = d < s->a_dims ? 0 : 1;
    }
    return true;
}

/* ---- indices ---- */

void cg_outer_set_row(outer_state *s, LLVMValueRef r)
{
    cg_kernel *k = s->k;
    cg *c = k->c;
    int first = s->a_dims;

    while (first < s->r_end && s->extent[first] <= 1)
        first++;
    for (int d = s->r_end - 1; d >= first; d--) {
        if (s->extent[d] <= 1)
            continue;
        LLVMValueRef e = cg_i64(c, s->extent[d]);
        k->index[d] = d > first ? LLVMBuildURem(c->b, r, e, "") : r;
        if (d > first)
            r = LLVMBuildUDiv(c->b, r, e, "");
    }
}

void cg_outer_set_column(outer_state *s, LLVMValueRef column)
{
    if (s->k->vector_dim >= 0)
        s->k->index[s->k->vector_dim] = column;
}

void cg_outer_set_levels(outer_state *s, int row_level, int column_level)
{
    for (int d = s->a_dims; d < s->k->space.rank; d++)
        s->k->level[d] = d < s->r_end ? row_level : column_level;
}

void cg_outer_set_home(outer_state *s, bool rows, LLVMBasicBlockRef home)
{
    for (int d = s->a_dims; d < s->k->space.rank; d++)
        if ((d < s->r_end) == rows)
            s->k->home[d] = home;
}

/* Consumers of the finished columns that the indices stand at; values[i]: what reduce i has come to. */
void cg_outer_finish(outer_state *s, const LLVMValueRef *values)
{
    cg_kernel *k = s->k;
    const ir_kernel *e = k->k;

    for (int i = 0; i < s->count; i++)
        cg_seed_term(k, s->reduces[i].seed, values[i]);
    for (int o = 0; o < e->out_count; o++)
        cg_eval(k, e->outs[o], &s->row);
    for (int o = 0; o < e->out_count; o++)
        cg_store(k, e->outs[o], &s->row, cg_eval(k, e->outs[o], &s->row));
}

/* ---- columns in registers ---- */

/* Rows [from, to) of a tile of n vectors from the neutral values; sums[reduce * n + vector]. */
static void emit_chain(outer_state *s, LLVMValueRef from, LLVMValueRef to, int n, LLVMValueRef mask,
                       LLVMValueRef *sums)
{
    cg_kernel *k = s->k;
    cg *c = k->c;
    LLVMValueRef phi[s->count * n], init[s->count * n];
    cg_loop l = cg_loop_open(c, from, to, 1, "row");

    for (int i = 0; i < s->count * n; i++) {
        init[i] = cg_neutral(c, &s->reduces[i / n]);
        phi[i] = cg_carry(c, &l, init[i]);
    }
    cg_outer_set_row(s, l.index);
    cg_outer_set_home(s, true, l.body);
    for (int v = 0; v < n; v++) {
        k->bank = v;
        k->mask = v == n - 1 ? mask : NULL;
        cg_outer_set_column(s, s->column[v]);
        for (int i = 0; i < s->count; i++)
            sums[i * n + v] = cg_accumulate(k, &s->reduces[i], phi[i * n + v]);
    }
    k->bank = 0;
    k->mask = NULL;
    cg_forget_level(k, 2);
    cg_loop_close(c, &l);
    for (int i = 0; i < s->count * n; i++)
        sums[i] = cg_carried(c, &l, phi[i], init[i], sums[i]);
}

static void emit_blocks(outer_state *s, int n, LLVMValueRef mask, LLVMValueRef *sums)
{
    cg *c = s->k->c;
    LLVMValueRef phi[s->count * n], init[s->count * n], rows = cg_i64(c, s->r);

    if (s->r <= IR_ROW_BLOCK) {
        emit_chain(s, cg_i64(c, 0), rows, n, mask, sums);
        return;
    }
    cg_loop l = cg_loop_open(c, cg_i64(c, 0), rows, IR_ROW_BLOCK, "block");
    for (int i = 0; i < s->count * n; i++) {
        init[i] = cg_neutral(c, &s->reduces[i / n]);
        phi[i] = cg_carry(c, &l, init[i]);
    }
    LLVMValueRef end = LLVMBuildAdd(c->b, l.index, cg_i64(c, IR_ROW_BLOCK), "");
    LLVMValueRef less = LLVMBuildICmp(c->b, LLVMIntSLT, end, rows, "");
    emit_chain(s, l.index, LLVMBuildSelect(c->b, less, end, rows, ""), n, mask, sums);
    for (int i = 0; i < s->count * n; i++)
        sums[i] = cg_combine(c, &s->reduces[i / n], phi[i], sums[i]);
    cg_loop_close(c, &l);
    for (int i = 0; i < s->count * n; i++)
        sums[i] = cg_carried(c, &l, phi[i], init[i], sums[i]);
}

/* n vectors of columns from `column` on, the last one under the mask. */
static void emit_tile(outer_state *s, LLVMValueRef column, int n, LLVMValueRef mask)
{
    cg_kernel *k = s->k;
    cg *c = k->c;
    LLVMValueRef sums[s->count * n], values[s->count];

    cg_forget_level(k, 1);
    cg_outer_set_home(s, false, LLVMGetInsertBlock(c->b));
    for (int v = 0; v < n; v++)
        s->column[v] = cg_add(c, column, cg_i64(c, (int64_t)v * c->lanes));
    emit_blocks(s, n, mask, sums);
    cg_outer_set_home(s, false, NULL);
    for (int v = 0; v < n; v++) {
        k->bank = v;
        k->mask = v == n - 1 ? mask : NULL;
        cg_outer_set_column(s, s->column[v]);
        for (int i = 0; i < s->count; i++)
            values[i] = sums[i * n + v];
        cg_outer_finish(s, values);
    }
    k->bank = 0;
    k->mask = NULL;
}

static void emit_registers(outer_state *s)
{
    cg_kernel *k = s->k;
    cg *c = k->c;
    int64_t vectors = (s->c + c->lanes - 1) / c->lanes;
    int most = MAX_LIVE / s->count, width = most < 1 ? 1 : most > CG_TILE ? CG_TILE : most;

    if (vectors < width)
        width = (int)vectors;
    int64_t columns = (int64_t)width * c->lanes, tiles = s->c / columns, rest = s->c - tiles * columns;
    int rest_vectors = (int)((rest + c->lanes - 1) / c->lanes);
    int64_t all = tiles + (rest > 0);
    k->banks = width;
    for (int i = 0; i < s->count; i++) /* else a chain of fma would be longer than one of additions */
        s->reduces[i].contract = width * s->count >= CONTRACT_FROM;
    for (int d = s->r_end; d < k->space.rank; d++)
        k->banked |= 1u << d;
    cg_outer_set_levels(s, 2, 1);
    k->units = s->a * all;
    k->grain = cg_grain(k->units, (double)(s->r * columns) * s->row_flops * 0.04 + 20);
    cg_loop l = cg_outer_open_units(s, all);
    if (rest == 0) {
        emit_tile(s, LLVMBuildMul(c->b, s->tile, cg_i64(c, columns), ""), width, NULL);
    } else if (tiles == 0) {
        emit_tile(s, cg_i64(c, 0), rest_vectors,
                  cg_const_mask(s->k, rest - (int64_t)(rest_vectors - 1) * c->lanes));
    } else {
        LLVMBasicBlockRef whole = LLVMAppendBasicBlockInContext(c->ctx, c->fn, "whole");
        LLVMBasicBlockRef part = LLVMAppendBasicBlockInContext(c->ctx, c->fn, "part");
        LLVMBasicBlockRef next = LLVMAppendBasicBlockInContext(c->ctx, c->fn, "next");
        LLVMBuildCondBr(c->b, LLVMBuildICmp(c->b, LLVMIntSLT, s->tile, cg_i64(c, tiles), ""), whole, part);
        LLVMPositionBuilderAtEnd(c->b, whole);
        emit_tile(s, LLVMBuildMul(c->b, s->tile, cg_i64(c, columns), ""), width, NULL);
        LLVMBuildBr(c->b, next);
        LLVMPositionBuilderAtEnd(c->b, part);
        emit_tile(s, cg_i64(c, tiles * columns), rest_vectors,
                  cg_const_mask(s->k, rest - (int64_t)(rest_vectors - 1) * c->lanes));
        LLVMBuildBr(c->b, next);
        LLVMPositionBuilderAtEnd(c->b, next);
    }
    cg_loop_close(c, &l);
}

/* ---- units ---- */

cg_loop cg_outer_open_units(outer_state *s, int64_t tiles)
{
    cg_kernel *k = s->k;
    cg *c = k->c;
    cg_loop l = cg_loop_open(c, k->begin, k->end, 1, "unit");
    LLVMValueRef rest = tiles == 1 ? l.index : LLVMBuildUDiv(c->b, l.index, cg_i64(c, tiles), "");

    s->tile = tiles == 1 ? cg_i64(c, 0) : LLVMBuildURem(c->b, l.index, cg_i64(c, tiles), "");
    for (int d = s->a_dims - 1; d >= 0; d--) {
        k->home[d] = l.body;
        k->level[d] = 0;
        if (s->extent[d] <= 1)
            continue;
        k->index[d] = LLVMBuildURem(c->b, rest, cg_i64(c, s->extent[d]), "");
        rest = LLVMBuildUDiv(c->b, rest, cg_i64(c, s->extent[d]), "");
    }
    return l;
}

void cg_emit_outer(cg_kernel *k)
{
    outer_state s;

    if (make_plan(&s, k)) {
        if (s.c == 1)
            k->c->lanes = 1;
        while (k->c->lanes > 4 && k->c->lanes >= 2 * s.c)
            k->c->lanes /= 2;
        if (s.c > (int64_t)CG_TILE * k->c->lanes && s.r > 32)
            cg_outer_stream(&s);
        else
            emit_registers(&s);
    }
    free(s.reduces);
}
