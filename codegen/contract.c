/* codegen/contract.c: CONTRACT kernels: one product and the pointwise consumers of its result, by register
 * tiles.
 *
 *   y[o, m, n] = f(sum over k of a[o, m, k] b[o, k, n])        o: batch dims, and m or n dims that do not
 * merge
 *
 * A unit is a panel of nv vectors of columns by mb rows of one o, or several such panels after a copy of the
 * rows of A that they share.  The panel of B is packed (or read in
 * place), then every tile of mr rows holds its mr x nv sums in registers while k runs.  numerics rule 5: a
 * chain of fma in ascending k from +0 within blocks of 512, the blocks' results added in order; so tiles,
 * lanes and threads never show. Tile sizes after K. Goto and R. van de Geijn, Anatomy of High-Performance
 * Matrix Multiplication (2008). */
#include "codegen/contract.h"

/* ---- small builders ---- */

LLVMTypeRef cg_product_vector(const cg_product *p)
{
    return cg_vector_of(p->k->c, cg_scalar_type(p->k->c, p->dtype));
}

LLVMValueRef cg_product_at(const cg_product *p, LLVMValueRef base, LLVMValueRef elements)
{
    return cg_element(p->k->c, base, p->dtype, elements);
}

LLVMValueRef cg_side_at(const cg_product *p, const cg_side *s, LLVMValueRef elements)
{
    return cg_element(p->k->c, s->base, s->dtype, elements);
}

LLVMValueRef cg_product_add(const cg_product *p, LLVMValueRef a, LLVMValueRef b)
{
    return cg_add(p->k->c, a, b);
}

LLVMValueRef cg_product_scale(const cg_product *p, LLVMValueRef v, int64_t by)
{
    return by == 1 ? v : LLVMBuildNSWMul(p->k->c->b, v, cg_i64(p->k->c, by), "");
}

/* Uninitialised memory of the function's frame, 64-byte aligned. */
static LLVMValueRef frame_memory(const cg_product *p, int64_t elements)
{
    cg *c = p->k->c;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(c->b);
    LLVMTypeRef type = LLVMArrayType2(cg_scalar_type(c, p->dtype), (uint64_t)elements);

    LLVMPositionBuilderBefore(c->b, LLVMGetBasicBlockTerminator(p->k->entry));
    LLVMValueRef m = LLVMBuildAlloca(c->b, type, "");
    LLVMSetAlignment(m, 64);
    LLVMPositionBuilderAtEnd(c->b, here);
    return m;
}

LLVMValueRef cg_product_column(const cg_product *p, const cg_panel *panel, int64_t j)
{
    cg *c = p->k->c;
    LLVMValueRef group = cg_i64(c, p->b.group), column = panel->column, at;

    if (p->b.group >= p->n) {
        at = p->n == 1 ? column : cg_product_scale(p, column, p->b.along);
    } else {
        LLVMValueRef within = cg_product_scale(p, LLVMBuildURem(c->b, column, group, ""), p->b.along);
        at = cg_product_scale(p, LLVMBuildUDiv(c->b, column, group, ""), p->b.jump);
        at = cg_product_add(p, at, within);
    }
    return cg_product_add(p, at, cg_i64(c, cg_product_vector_offset(p, j)));
}

/* A tile's columns begin at a group or lie in one, so this is the same in all tiles. */
int64_t cg_product_vector_offset(const cg_product *p, int64_t j)
{
    int64_t at = j * p->k->c->lanes, width = (int64_t)p->nv * p->k->c->lanes;

    if (p->b.group >= p->n || p->b.group % width == 0)
        return at * p->b.along;
    return at / p->b.group * p->b.jump + at % p->b.group * p->b.along;
}

/* ---- loops ---- */

/* Element offset of the current unit's o in an operand. */
static LLVMValueRef unit_offset(const cg_product *p, const cg_side *s, const cg_orientation *w)
{
    LLVMValueRef at = cg_i64(p->k->c, 0);
    for (int d = 0; d < p->identity.rank; d++)
        if (w->extent[d] > 1 && s->outer.stride[d])
            at = cg_product_add(p, at, cg_product_scale(p, p->k->index[d], s->outer.stride[d]));
    return at;
}

void cg_product_unit_rows(const cg_product *p, LLVMValueRef from, LLVMValueRef *end, LLVMValueRef *rest)
{
    cg *c = p->k->c;
    LLVMValueRef whole = cg_i64(c, p->m / p->mr * p->mr), one = cg_i64(c, 1), none = cg_i64(c, 0);

    *end = cg_product_add(p, from, cg_i64(c, p->mb));
    if (p->mb >= p->m)
        *end = whole;
    else
        *end = LLVMBuildSelect(c->b, LLVMBuildICmp(c->b, LLVMIntSLT, *end, whole, ""), *end, whole, "");
    LLVMValueRef here = LLVMBuildSub(c->b, whole, from, "");
    *rest = p->m % p->mr == 0
                ? none
                : LLVMBuildSelect(c->b, LLVMBuildICmp(c->b, LLVMIntSLT, here, cg_i64(c, p->mb), ""), one,
                                  none, "");
}

static void emit_rows(cg_product *p, const cg_panel *panel, LLVMValueRef from)
{
    cg *c = p->k->c;
    int rest = (int)(p->m % p->mr);
    LLVMValueRef end, once;

    cg_product_unit_rows(p, from, &end, &once);
    if (p->m >= p->mr) {
        cg_loop rows = cg_loop_open(c, from, end, p->mr, "rows");
        cg_product_tile(p, panel, rows.index, LLVMBuildSub(c->b, rows.index, from, ""), p->mr);
        cg_loop_close(c, &rows);
    }
    if (!rest)
        return;
    LLVMValueRef last = cg_i64(c, p->m - rest), here = LLVMBuildSub(c->b, last, from, "");
    cg_loop l = cg_loop_open(c, cg_i64(c, 0), once, 1, "rest");
    cg_product_tile(p, panel, last, here, rest);
    cg_loop_close(c, &l);
}

/* For every block along k; without a loop where there is one. */
static cg_loop open_blocks(cg_product *p, cg_panel *at)
{
    cg *c = p->k->c;
    LLVMValueRef full = cg_i64(c, CG_K_BLOCK);

    if (p->blocks == 1) {
        at->block = at->k0 = cg_i64(c, 0);
        at->length = cg_i64(c, p->depth);
        return (cg_loop){0};
    }
    cg_loop l = cg_loop_open(c, cg_i64(c, 0), cg_i64(c, p->blocks), 1, "block");
    at->block = l.index;
    at->k0 = LLVMBuildNSWMul(c->b, l.index, full, "");
    LLVMValueRef left = LLVMBuildNSWSub(c->b, cg_i64(c, p->depth), at->k0, "");
    at->length = LLVMBuildSelect(c->b, LLVMBuildICmp(c->b, LLVMIntSLT, left, full, ""), left, full, "");
    return l;
}

static void close_blocks(cg_product *p, cg_loop *l)
{
    if (p->blocks > 1)
        cg_loop_close(p->k->c, l);
}

static void emit_block(cg_product *p, const cg_panel *panel, LLVMValueRef from)
{
    bool ready = panel->ready && panel->vectors == p->nv && panel->active == p->k->c->lanes;

    if (!cg_product_in_place(p) && !ready)
        cg_product_pack(p, panel);
    emit_rows(p, panel, from);
}

/* One panel: the block that it stands in, or all of them. */
static void emit_panel(cg_product *p, cg_panel *panel, LLVMValueRef from)
{
    if (panel->block) {
        emit_block(p, panel, from);
        return;
    }
    cg_loop l = open_blocks(p, panel);
    emit_block(p, panel, from);
    close_blocks(p, &l);
}

/* Both kinds of panel: all but the last are nv vectors wide.  `at` says where its sums are, and in which
 * block it stands, if in one. */
static void emit_panel_number(cg_product *p, LLVMValueRef number, LLVMValueRef from, const cg_panel *at)
{
    cg *c = p->k->c;
    int64_t width = (int64_t)p->nv * c->lanes, whole = p->n / width;
    int rest = (int)(p->n % width);
    LLVMBasicBlockRef after = NULL;

    if (whole && rest) {
        LLVMBasicBlockRef wide = LLVMAppendBasicBlockInContext(c->ctx, c->fn, "panel");
        LLVMBasicBlockRef narrow = LLVMAppendBasicBlockInContext(c->ctx, c->fn, "last");
        after = LLVMAppendBasicBlockInContext(c->ctx, c->fn, "");
        LLVMBuildCondBr(c->b, LLVMBuildICmp(c->b, LLVMIntSLT, number, cg_i64(c, whole), ""), wide, narrow);
        LLVMPositionBuilderAtEnd(c->b, wide);
        cg_panel panel = *at;
        panel.vectors = p->nv;
        panel.active = c->lanes;
        panel.column = cg_product_scale(p, number, width);
        emit_panel(p, &panel, from);
        LLVMBuildBr(c->b, after);
        LLVMPositionBuilderAtEnd(c->b, narrow);
    }
    int columns = rest ? rest : (int)width, vectors = (columns + c->lanes - 1) / c->lanes;
    cg_panel panel = *at;
    panel.vectors = vectors;
    panel.active = columns - (vectors - 1) * c->lanes;
    panel.column = rest ? cg_i64(c, whole * width) : cg_product_scale(p, number, width);
    emit_panel(p, &panel, from);
    if (after) {
        LLVMBuildBr(c->b, after);
        LLVMPositionBuilderAtEnd(c->b, after);
    }
}

/* The panels of unit `number`: one, or np of them after what is copied for all. */
static void emit_unit(cg_product *p, LLVMValueRef number, LLVMValueRef from)
{
    cg *c = p->k->c;
    cg_panel at = {.part = p->part, .packed = p->panel, .ready = p->copies_panels};

    if (p->np == 1) {
        emit_panel_number(p, number, from, &at);
        return;
    }
    LLVMValueRef first = cg_product_scale(p, number, p->np), end = cg_product_add(p, first, cg_i64(c, p->np));
    LLVMValueRef all = cg_i64(c, cg_product_panels(p));
    end = LLVMBuildSelect(c->b, LLVMBuildICmp(c->b, LLVMIntSLT, end, all, ""), end, all, "");
    cg_loop blocks = open_blocks(p, &at);
    if (p->copies_rows)
        cg_product_pack_rows(p, &at, from);
    if (p->copies_panels)
        cg_product_pack_panels(p, &at, first, end);
    cg_loop panels = cg_loop_open(c, first, end, 1, "panels");
    LLVMValueRef before = LLVMBuildSub(c->b, panels.index, first, "");
    if (p->blocks > 1)
        at.part = cg_product_at(p, p->part,
                                cg_product_scale(p, before, p->mb * (int64_t)p->nv * (int64_t)c->lanes));
    if (p->copies_panels)
        at.packed = cg_product_at(p, p->panel, cg_product_scale(p, before, cg_product_panel_step(p)));
    emit_panel_number(p, panels.index, from, &at);
    cg_loop_close(c, &panels);
    close_blocks(p, &blocks);
}

static void emit_units(cg_product *p, cg_orientation *w)
{
    cg_kernel *k = p->k;
    cg *c = k->c;
    int64_t width = (int64_t)p->nv * c->lanes * p->np, units = 1;
    int rank = p->identity.rank;
    bool rows = p->m > 1; /* else there may be no such dim */

    if (rows)
        w->extent[p->m_dim] = (p->m + p->mb - 1) / p->mb;
    w->extent[p->n_dim] = (cg_product_panels(p) + p->np - 1) / p->np;
    for (int d = 0; d < rank; d++)
        units *= w->extent[d];
    k->units = units;
    k->grain =
        cg_grain(units, (double)(p->mb < p->m ? p->mb : p->m) * (double)width * (double)p->depth / 50.0);
    cg_odometer o = cg_units_open(k, w->extent, rank, k->begin, k->end);
    LLVMValueRef number = k->index[p->n_dim];
    LLVMValueRef from = rows ? cg_product_scale(p, k->index[p->m_dim], p->mb) : cg_i64(c, 0);
    int64_t tiled = rows ? w->extent[p->m_dim] : 1;
    w->extent[p->n_dim] = 1;
    if (rows)
        w->extent[p->m_dim] = 1;
    p->a.unit = unit_offset(p, &p->a, w);
    p->b.unit = unit_offset(p, &p->b, w);
    k->level[p->n_dim] = 1;
    if (rows) {
        w->extent[p->m_dim] = tiled;
        k->level[p->m_dim] = 2;
    }
    emit_unit(p, number, from);
    k->mask = NULL;
    k->index[p->n_dim] = cg_i64(c, 0);
    if (rows)
        k->index[p->m_dim] = cg_i64(c, 0);
    cg_forget_level(k, 1);
    cg_units_close(k, &o);
}

/* Terms for everything that is evaluated, so that merging dims knows of them. */
static bool make_terms(cg_product *p)
{
    cg_kernel *k = p->k;
    p->dot = cg_term_of(k, k->k->root, &p->identity);
    for (int i = 0; i < k->k->out_count; i++) {
        cg_term_of(k, k->k->outs[i], &p->identity);
        cg_store_term(k, k->k->outs[i], &p->identity);
    }
    return !k->failed;
}

/* Memory of the frame: the packed panel, packed rows, and sums that wait or whose consumers read them from
 * memory. */
static void make_buffers(cg_product *p)
{
    int64_t width = (int64_t)p->nv * p->k->c->lanes;

    if (!cg_product_in_place(p))
        p->panel = frame_memory(p, (p->copies_panels ? p->np : 1) * cg_product_panel_step(p));
    if (!p->at_once)
        p->part = frame_memory(p, (p->blocks > 1 ? p->mb * p->np : p->mr) * width);
    if (p->copies_rows)
        p->rows = frame_memory(p, (p->mb + p->mr - 1) / p->mr * cg_product_tile_step(p));
}

/* Fewer than 64 elements: numerics rule 5's tree, or, as freedom reassociate lets it be, chains, where there
 * are enough of them to hide an fma's latency and the tree's additions would show. */
static bool is_tree(const cg_product *p)
{
    enum { CHAINS = 4 };
    cg *c = p->k->c;
    const ir_node *n = &p->k->g->nodes[p->k->k->root];
    int64_t chains = p->m * ((p->n + c->lanes - 1) / c->lanes);

    if (!ir_dot_is_tree(n->attrs, &p->k->g->nodes[n->x[0]].type, &p->k->g->nodes[n->x[1]].type))
        return false;
    if (!(c->freedoms & IR_FREE(reassociate)) || chains < CHAINS)
        return true;
    c->freed |= IR_FREE(reassociate);
    return false;
}

void cg_emit_contract(cg_kernel *k)
{
    cg_product p = {.k = k, .dtype = (ir_dtype)k->g->nodes[k->k->root].type.dtype, .identity = k->space};
    cg_orientation w;

    if (!make_terms(&p))
        return;
    if (!cg_product_describe(&p, &w)) {
        cg_emit_contract_general(k);
        return;
    }
    p.tree = is_tree(&p);
    cg_product_choose(&p, &w);
    cg_product_tell(&p);
    k->vector_first = w.n0;
    k->vector_dim = w.n1 - 1;
    bool plain = k->k->out_count == 1 && k->k->outs[0] == k->k->root;
    p.at_once = p.blocks == 1 && (plain || p.tree);
    make_buffers(&p);
    p.a.base = cg_base(k, p.a.node);
    p.b.base = cg_base(k, p.b.node);
    emit_units(&p, &w);
}
