/* codegen/contract_tile.c: the register tile: rows x vectors sums, each a chain of fma along one block of k,
 * then the blocks' sum and the consumers of the product.
 *
 *   sums = +0
 *   for k of the block: sums[i][j] = fma(a[i][k], b[k][j], sums[i][j])
 *   first block: part = sums, others: part += sums;  after the last: the consumers row by row from part */
#include "codegen/contract.h"

enum { UNROLL = 4, STREAM_UNROLL = 16 };

static int64_t panel_width(const cg_product *p)
{
    return (int64_t)p->nv * p->k->c->lanes;
}

static int64_t b_step(const cg_product *p)
{
    return p->mode == CG_B_DIRECT ? p->b.k : panel_width(p);
}

static int64_t b_offset(const cg_product *p, int j)
{
    return p->mode == CG_B_DIRECT ? cg_product_vector_offset(p, j) : (int64_t)j * p->k->c->lanes;
}

static LLVMValueRef load_b(cg_tile *t, LLVMValueRef at, int u, int j)
{
    cg_product *p = t->p;
    cg *c = p->k->c;
    int64_t offset = u * b_step(p) + b_offset(p, j);

    if (p->mode == CG_B_DIRECT) {
        p->k->mask = j == t->vectors - 1 ? cg_const_mask(p->k, t->panel->active) : NULL;
        LLVMValueRef v = cg_load_at(p->k, at, t->b_dtype, cg_i64(c, offset), 1);
        p->k->mask = NULL;
        return v;
    }
    LLVMValueRef v = LLVMBuildLoad2(c->b, cg_product_vector(p), cg_product_at(p, at, cg_i64(c, offset)), "");
    LLVMSetAlignment(v, (unsigned)(ir_dtype_size(p->dtype) * (size_t)c->lanes));
    return v;
}

/* Row k of B. */
static LLVMValueRef b_row(const cg_tile *t, LLVMValueRef k)
{
    return cg_element(t->p->k->c, t->b, t->b_dtype, cg_product_scale(t->p, k, b_step(t->p)));
}

LLVMValueRef cg_tile_column(cg_tile *t, LLVMValueRef k, int j, int u)
{
    return load_b(t, b_row(t, k), u, j);
}

LLVMValueRef cg_tile_rows(const cg_tile *t, LLVMValueRef k)
{
    return cg_element(t->p->k->c, t->a, t->a_dtype, cg_product_scale(t->p, k, t->k));
}

LLVMValueRef cg_tile_row(const cg_tile *t, LLVMValueRef rows, int i, int u)
{
    cg *c = t->p->k->c;
    LLVMValueRef at = cg_element(c, rows, t->a_dtype, cg_i64(c, i * t->along + u * t->k));

    return ir_dtype_is_half(t->a_dtype) ? cg_half_load_spread(c, t->a_dtype, at)
                                        : cg_splat(c, cg_load_scalar(c, at, t->a_dtype));
}

/* The lines that the tile reads p->ahead steps later: the first of several tiles brings a panel near, the
 * others find it in the second cache. */
static void prefetch_lines(const cg_tile *t, LLVMValueRef at, int u)
{
    const cg_product *p = t->p;
    cg *c = p->k->c;
    int per_line = CG_LINE / (int)ir_dtype_size(p->dtype) / c->lanes;

    if (t->b_dtype != p->dtype && u % 2) /* two steps of 16-bit columns in a line */
        return;
    for (int j = 0; j < t->vectors; j += per_line > 1 ? per_line : 1) {
        LLVMValueRef ahead = cg_i64(c, (u + p->ahead) * b_step(p) + b_offset(p, j));
        cg_prefetch_line(c, cg_element(c, at, t->b_dtype, ahead), false);
    }
}

/* Steps [k, k + count) of every chain. */
static void chain_steps(cg_tile *t, LLVMValueRef k, int count)
{
    cg_product *p = t->p;
    cg *c = p->k->c;

    if (p->mode == CG_B_STREAM) {
        cg_stream_steps(t, k, count);
        return;
    }
    LLVMValueRef b = b_row(t, k), rows = cg_tile_rows(t, k), column[CG_MOST_VECTORS];
    for (int u = 0; u < count; u++) {
        if (p->ahead)
            prefetch_lines(t, b, u);
        for (int j = 0; j < t->vectors; j++)
            column[j] = load_b(t, b, u, j);
        for (int i = 0; i < t->rows; i++) {
            LLVMValueRef x = cg_tile_row(t, rows, i, u);
            for (int j = 0; j < t->vectors; j++) {
                LLVMValueRef *sum = &t->sum[i * t->vectors + j];
                *sum = cg_fma(c, x, column[j], *sum);
            }
        }
    }
}

/* Chains over k in [from, to), `unroll` steps at a time. */
static void chain_loop(cg_tile *t, LLVMValueRef from, LLVMValueRef to, int unroll)
{
    cg *c = t->p->k->c;
    int n = t->rows * t->vectors;
    LLVMValueRef init[CG_MOST_ROWS * CG_MOST_VECTORS], phi[CG_MOST_ROWS * CG_MOST_VECTORS];
    cg_loop l = cg_loop_open(c, from, to, unroll, "k");

    for (int i = 0; i < n; i++) {
        init[i] = t->sum[i];
        phi[i] = t->sum[i] = cg_carry(c, &l, init[i]);
    }
    chain_steps(t, l.index, unroll);
    cg_loop_close(c, &l);
    for (int i = 0; i < n; i++)
        t->sum[i] = cg_carried(c, &l, phi[i], init[i], t->sum[i]);
}

/* How many steps are laid out one after the other, most first; ends with 1. */
static int unrolls(const cg_tile *t, int steps[3])
{
    const cg_product *p = t->p;
    bool full = t->rows == p->mr && t->vectors == p->nv;
    int n = 0;

    if (p->mode == CG_B_STREAM) {
        if (full)
            steps[n++] = STREAM_UNROLL * (int)(ir_dtype_size(p->dtype) / ir_dtype_size(p->b.dtype));
        steps[n++] = cg_stream_square(p);
    } else if (full && t->rows * t->vectors * UNROLL <= 4 * CG_MOST_ROWS) {
        steps[n++] = UNROLL;
    }
    steps[n++] = 1;
    return n;
}

static void chains(cg_tile *t)
{
    cg_product *p = t->p;
    cg *c = p->k->c;
    LLVMValueRef length = t->panel->length, zero = cg_real(c, p->dtype, 0), from = cg_i64(c, 0);
    int steps[3], n = unrolls(t, steps);
    int64_t left = p->depth % CG_K_BLOCK; /* of the last block; all others are whole */
    bool whole = p->depth >= CG_K_BLOCK;

    for (int i = 0; i < t->rows * t->vectors; i++)
        t->sum[i] = zero;
    for (int s = 0; s < n && (whole || left > 0); s++) {
        if (!whole && left < steps[s])
            continue;
        LLVMValueRef to = LLVMBuildAnd(c->b, length, cg_i64(c, ~(int64_t)(steps[s] - 1)), "");
        if (!whole && p->blocks == 1 && left < UNROLL)
            for (int64_t i = 0; i + steps[s] <= left; i += steps[s])
                chain_steps(t, cg_product_add(p, from, cg_i64(c, i)), steps[s]);
        else
            chain_loop(t, from, to, steps[s]);
        from = to;
        left %= steps[s];
        whole = false;
    }
}

/* ---- results ---- */

static LLVMValueRef part_row(const cg_tile *t, LLVMValueRef row)
{
    return cg_product_at(t->p, t->panel->part, cg_product_scale(t->p, row, panel_width(t->p)));
}

static unsigned part_alignment(const cg_product *p)
{
    return (unsigned)(ir_dtype_size(p->dtype) * (size_t)p->k->c->lanes);
}

/* part = sums in the first block, part + sums in the others. */
static void add_to_part(cg_tile *t, LLVMValueRef row_in_unit)
{
    cg_product *p = t->p;
    cg *c = p->k->c;
    LLVMValueRef first = LLVMBuildICmp(c->b, LLVMIntEQ, t->panel->block, cg_i64(c, 0), "");
    LLVMValueRef rows = p->blocks > 1 ? part_row(t, row_in_unit) : t->panel->part;

    for (int i = 0; i < t->rows; i++)
        for (int j = 0; j < t->vectors; j++) {
            LLVMValueRef v = t->sum[i * t->vectors + j];
            LLVMValueRef at = cg_product_at(p, rows, cg_i64(c, i * panel_width(p) + (int64_t)j * c->lanes));
            if (p->blocks > 1) {
                LLVMValueRef so_far = LLVMBuildLoad2(c->b, cg_product_vector(p), at, "");
                LLVMSetAlignment(so_far, part_alignment(p));
                v = LLVMBuildSelect(c->b, first, v, LLVMBuildFAdd(c->b, so_far, v, ""), "");
            }
            LLVMSetAlignment(LLVMBuildStore(c->b, v, at), part_alignment(p));
        }
}

/* From here on values are of vector j of the columns. */
static void at_columns(cg_tile *t, int j)
{
    cg_product *p = t->p;
    cg_kernel *k = p->k;

    cg_forget_level(k, 1);
    k->index[p->n_dim] = cg_product_add(p, t->panel->column, cg_i64(k->c, (int64_t)j * k->c->lanes));
    k->home[p->n_dim] = LLVMGetInsertBlock(k->c->b);
}

/* The consumers of vector j of one row, whose product is v. */
static void finish(cg_tile *t, LLVMValueRef row, int j, LLVMValueRef v)
{
    cg_product *p = t->p;
    cg_kernel *k = p->k;

    if (p->m > 1)
        k->index[p->m_dim] = row;
    k->mask = j == t->vectors - 1 ? cg_const_mask(k, t->panel->active) : NULL;
    cg_seed_term(k, p->dot, v);
    for (int o = 0; o < k->k->out_count; o++) /* all loads before the first store: outs may be in place */
        cg_eval(k, k->k->outs[o], &p->identity);
    for (int o = 0; o < k->k->out_count; o++)
        cg_store(k, k->k->outs[o], &p->identity, cg_eval(k, k->k->outs[o], &p->identity));
    k->mask = NULL;
}

/* Row by row from the part buffer; what depends on the column only is kept across the rows. */
static void finish_part(cg_tile *t, LLVMValueRef row, LLVMValueRef row_in_unit)
{
    cg_product *p = t->p;
    cg_kernel *k = p->k;
    cg *c = k->c;
    cg_near near;

    cg_near_open(c, &near);
    for (int j = 0; j < t->vectors; j++) {
        at_columns(t, j);
        cg_loop l = cg_loop_open(c, cg_i64(c, 0), cg_i64(c, t->rows), 1, "finish");
        l.running_pointers = k->k->out_count > 1; /* a fused Adam update took twice as long without (Zen 3) */
        if (p->m > 1)
            k->home[p->m_dim] = l.body;
        LLVMValueRef at = p->blocks > 1 ? cg_product_add(p, row_in_unit, l.index) : l.index;
        LLVMValueRef from = cg_product_at(p, part_row(t, at), cg_i64(c, (int64_t)j * c->lanes));
        LLVMValueRef v = LLVMBuildLoad2(c->b, cg_product_vector(p), from, "");
        LLVMSetAlignment(v, part_alignment(p));
        finish(t, cg_product_add(p, row, l.index), j, v);
        cg_forget_level(k, 1);
        cg_loop_close(c, &l);
    }
    c->near = NULL;
}

static void finish_sums(cg_tile *t, LLVMValueRef row)
{
    cg_product *p = t->p;
    cg *c = p->k->c;

    if (p->m > 1)
        p->k->home[p->m_dim] = LLVMGetInsertBlock(c->b);
    for (int i = 0; i < t->rows; i++)
        for (int j = 0; j < t->vectors; j++) {
            at_columns(t, j);
            finish(t, cg_product_add(p, row, cg_i64(c, i)), j, t->sum[i * t->vectors + j]);
        }
    cg_forget_level(p->k, 1);
}

/* Asks for where the tile's results go and what is added to them, while its chains run. */
static void prefetch_places(cg_tile *t, LLVMValueRef row)
{
    cg_product *p = t->p;
    cg_kernel *k = p->k;

    if (p->m > 1)
        k->home[p->m_dim] = LLVMGetInsertBlock(k->c->b);
    for (int i = 0; i < t->rows; i++) {
        at_columns(t, 0);
        if (p->m > 1)
            k->index[p->m_dim] = cg_product_add(p, row, cg_i64(k->c, i));
        cg_prefetch_here(k, (int64_t)t->vectors * k->c->lanes);
    }
    cg_forget_level(k, 1);
}

/* Its part of the next matrix of the batch. */
static void prefetch_next(const cg_tile *t, const cg_side *s, LLVMValueRef row)
{
    const cg_product *p = t->p;
    cg *c = p->k->c;
    int64_t line = CG_LINE / (int64_t)ir_dtype_size(s->dtype), down = (p->m + p->mr - 1) / p->mr;

    if (!s->next)
        return;
    LLVMValueRef panel = LLVMBuildUDiv(c->b, t->panel->column, cg_i64(c, panel_width(p)), "");
    LLVMValueRef tile = LLVMBuildUDiv(c->b, row, cg_i64(c, p->mr), "");
    LLVMValueRef number = cg_product_add(p, cg_product_scale(p, panel, down), tile);
    LLVMValueRef first = cg_product_scale(p, number, s->next_lines * line);
    LLVMValueRef at =
        cg_side_at(p, s, cg_product_add(p, s->unit, cg_product_add(p, first, cg_i64(c, s->next))));
    for (int i = 0; i < s->next_lines; i++)
        cg_prefetch_second(c, cg_element(c, at, s->dtype, cg_i64(c, i * line)));
}

/* Where the tile reads A: in place, or the unit's copy. */
static void find_rows(cg_tile *t, LLVMValueRef row, LLVMValueRef row_in_unit)
{
    const cg_product *p = t->p;
    cg *c = p->k->c;

    t->a_dtype = p->rows ? p->dtype : p->a.dtype;
    if (p->rows) {
        LLVMValueRef tile = LLVMBuildUDiv(c->b, row_in_unit, cg_i64(c, p->mr), "");
        t->a = cg_product_at(p, p->rows, cg_product_scale(p, tile, cg_product_tile_step(p)));
        t->along = 1;
        t->k = p->mr;
        return;
    }
    LLVMValueRef a = cg_product_add(p, p->a.unit, cg_product_scale(p, row, p->a.along));
    t->a = cg_side_at(p, &p->a, cg_product_add(p, a, cg_product_scale(p, t->panel->k0, p->a.k)));
    t->along = p->a.along;
    t->k = p->a.k;
}

void cg_product_tile(cg_product *p, const cg_panel *panel, LLVMValueRef row, LLVMValueRef row_in_unit,
                     int rows)
{
    cg *c = p->k->c;
    cg_tile t = {.p = p, .panel = panel, .rows = rows, .vectors = panel->vectors};

    find_rows(&t, row, row_in_unit);
    t.b = panel->packed;
    t.b_dtype = p->dtype;
    if (cg_product_in_place(p)) {
        LLVMValueRef b = cg_product_add(p, p->b.unit, cg_product_scale(p, panel->k0, p->b.k));
        t.b = cg_side_at(p, &p->b, cg_product_add(p, b, cg_product_column(p, panel, 0)));
        t.b_dtype = p->b.dtype;
    }
    prefetch_places(&t, row);
    prefetch_next(&t, &p->a, row);
    prefetch_next(&t, &p->b, row);
    if (p->tree)
        cg_tile_tree(&t);
    else
        chains(&t);
    if (p->at_once) {
        finish_sums(&t, row);
        return;
    }
    add_to_part(&t, row_in_unit);
    if (p->blocks == 1) {
        finish_part(&t, row, row_in_unit);
        return;
    }
    LLVMValueRef done = LLVMBuildICmp(c->b, LLVMIntEQ, panel->block, cg_i64(c, p->blocks - 1), "");
    cg_loop last =
        cg_loop_open(c, cg_i64(c, 0), LLVMBuildSelect(c->b, done, cg_i64(c, 1), cg_i64(c, 0), ""), 1, "last");
    finish_part(&t, row, row_in_unit);
    cg_loop_close(c, &last);
}
