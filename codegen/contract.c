/* codegen/contract.c: CONTRACT kernels: one product and the pointwise consumers of its result, by register
 * tiles.
 *
 *   y[o, m, n] = f(sum over k of a[o, m, k] b[o, k, n])        o: batch dims, and m or n dims that do not
 * merge
 *
 * A unit is a panel of nv vectors of columns by mb rows of one o.  The panel of B is packed (or read in
 * place), then every tile of mr rows holds its mr x nv sums in registers while k runs.  numerics rule 5: a
 * chain of fma in ascending k from +0 within blocks of 512, the blocks' results added in order; so tiles,
 * lanes and threads never show. Which side lies in lanes is free: where B has no unit stride along n and
 * there are few rows, the sides change places, so that the small side is packed and the big one is streamed
 * by scalar loads. Tile sizes after K. Goto and R. van de Geijn, Anatomy of High-Performance Matrix
 * Multiplication (2008). */
#include "codegen/contract.h"

#include <string.h>

/* ---- small builders ---- */

LLVMTypeRef cg_product_vector(const cg_product *p)
{
    return cg_vector_of(p->k->c, cg_scalar_type(p->k->c, p->dtype));
}

LLVMValueRef cg_product_at(const cg_product *p, LLVMValueRef base, LLVMValueRef elements)
{
    return cg_element(p->k->c, base, p->dtype, elements);
}

LLVMValueRef cg_product_add(const cg_product *p, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildNSWAdd(p->k->c->b, a, b, "");
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

/* ---- the product as matrices ---- */

static bool listed(const int8_t *list, int n, int axis)
{
    for (int i = 0; i < n; i++)
        if (list[i] == axis)
            return true;
    return false;
}

/* Strides of operand o over the dims of the result; *own: how many free axes it has. */
static ir_map operand_map(const cg_product *p, int o, int first_free, int *own)
{
    const ir_graph *g = p->k->g;
    const ir_node *n = &g->nodes[p->k->k->root];
    const ir_attrs *a = n->attrs;
    const ir_type *t = &g->nodes[n->x[o]].type;
    const int8_t *batch = o ? a->dot.rhs_batch : a->dot.lhs_batch, *along = o ? a->dot.rhs_k : a->dot.lhs_k;
    int64_t strides[IR_MAX_RANK];
    ir_map m = p->identity;
    int dim = first_free;

    ir_type_strides(t, strides);
    for (int j = 0; j < IR_MAX_RANK; j++)
        m.stride[j] = j < a->n ? strides[batch[j]] : 0;
    for (int i = 0; i < t->rank; i++)
        if (!listed(batch, a->n, i) && !listed(along, a->nk, i))
            m.stride[dim++] = strides[i];
    *own = dim - first_free;
    m.base = 0;
    return m;
}

/* Merges dims [first, last) for the terms and the operand; false where the operand does not follow. */
static bool merge_rows(const cg_product *p, const ir_map *operand, int first, int last, int64_t *extent)
{
    const int64_t *e = p->identity.extent;
    int inner = -1;
    int64_t count = 1;

    cg_collapse(p->k, first, last, extent);
    for (int d = last - 1; d >= first; d--) {
        if (e[d] <= 1)
            continue;
        if (extent[d] > 1) { /* a group starts here, going outwards */
            inner = d;
            count = e[d];
            continue;
        }
        if (inner < 0 || operand->stride[d] != operand->stride[inner] * count)
            return false;
        count *= e[d];
    }
    return true;
}

/* Whether the operand steps evenly through dims [first, last) taken as one run; its step. */
static bool even_run(const cg_product *p, const ir_map *operand, int first, int last, int64_t *step)
{
    const int64_t *e = p->identity.extent;
    int64_t expect = 0;
    bool seen = false;

    *step = 1;
    for (int d = last - 1; d >= first; d--) {
        if (e[d] <= 1)
            continue;
        if (!seen)
            *step = operand->stride[d];
        else if (operand->stride[d] != expect)
            return false;
        expect = operand->stride[d] * e[d];
        seen = true;
    }
    return true;
}

static int64_t run_length(const cg_product *p, int first, int last)
{
    int64_t n = 1;
    for (int d = first; d < last; d++)
        n *= p->identity.extent[d];
    return n;
}

/* One way round: rows from dims [m0, m1) of side a, lanes along dims [n0, n1) of side b. */
typedef struct orientation {
    ir_map a, b;
    int m0, m1, n0, n1, m_dim;   /* m_dim is none of a's where m is 1 */
    int64_t extent[IR_MAX_RANK]; /* of the loop over units, before tiling; the lanes' dims are 1 */
    int64_t m, n, along_a, along_b;
} orientation;

static bool orient(const cg_product *p, orientation *w)
{
    if (!even_run(p, &w->b, w->n0, w->n1, &w->along_b))
        return false;
    memcpy(w->extent, p->identity.extent, sizeof w->extent);
    if (!merge_rows(p, &w->a, w->m0, w->m1, w->extent))
        return false;
    w->m_dim = w->m1 - 1;
    for (int d = w->m0; d < w->m1; d++)
        if (w->extent[d] > 1)
            w->m_dim = d; /* the innermost group is tiled, others are looped over */
    w->m = w->m1 > w->m0 ? w->extent[w->m_dim] : 1;
    w->n = run_length(p, w->n0, w->n1);
    w->along_a = w->m > 1 ? w->a.stride[w->m_dim] : 0;
    for (int d = w->n0; d < w->n1; d++)
        w->extent[d] = 1;
    return true;
}

/* ---- choices ---- */

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Lanes for a run of n: no wider than twice what is needed, and one register wide. */
static int choose_lanes(const cg_product *p, int64_t n)
{
    int lanes = p->k->c->lanes;

    if (p->dtype == IR_DT_f64 && lanes > 4)
        lanes /= 2;
    while (lanes > 4 && n <= lanes / 2)
        lanes /= 2;
    return n == 1 ? 1 : lanes; /* one column: values do not vary along the lanes */
}

/* Registers for sums: 28 of 32 where vectors are 64 bytes wide, else 12 of 16. */
static int sum_registers(const cg_product *p)
{
    return (int64_t)p->k->c->lanes * (int64_t)ir_dtype_size(p->dtype) >= 64 ? 28 : 12;
}

/* Rows of A a multiple of 2 KiB apart fall into few sets of the first cache: no more of them than it has
 * ways. */
static bool rows_collide(const cg_product *p)
{
    return p->a.k == 1 && p->depth >= 128 && p->a.along * (int64_t)ir_dtype_size(p->dtype) % 2048 == 0;
}

static void choose_tile(cg_product *p)
{
    int room = sum_registers(p);
    int64_t vectors = ceil_div(p->n, p->k->c->lanes);

    if (p->mode == CG_B_STREAM) {
        p->mr = (int)p->m;
        p->nv = vectors > 1 ? 2 : 1;
        return;
    }
    if (p->k->c->lanes == 1)
        room = 8;
    p->nv = vectors >= 2 && room > 8 ? 2 : 1;
    if (rows_collide(p) && vectors >= 3 && room >= 24)
        p->nv = 3;
    int64_t tiles = ceil_div(p->m, p->nv == 3 ? 8 : room / p->nv);
    p->mr = (int)ceil_div(p->m, tiles);
    int64_t wide = room / p->mr; /* few rows: more columns instead */
    if (wide > CG_MOST_VECTORS)
        wide = CG_MOST_VECTORS;
    if (wide > vectors)
        wide = vectors;
    if (wide > p->nv)
        p->nv = (int)wide;
}

static void choose_mode(cg_product *p)
{
    bool read_once = p->m <= 2 * p->mr;

    if (p->mode == CG_B_STREAM)
        return;
    if (p->n == 1 || p->b.along == 1)
        p->mode = read_once ? CG_B_DIRECT : CG_B_COPY;
    else if (p->b.k == 1 && p->k->c->lanes > 1)
        p->mode = CG_B_TURN;
    else
        p->mode = CG_B_GATHER;
}

/* Rows of a unit: enough to pay for packing, few enough to give threads something to share. */
static void choose_rows(cg_product *p, int64_t outer)
{
    int64_t panels = ceil_div(p->n, (int64_t)p->nv * p->k->c->lanes), most = p->m;

    if (p->blocks > 1 && most > 256)
        most = 256; /* the part buffer is mb rows */
    while (outer * panels * ceil_div(p->m, most) < 8 && most > 8 * p->mr && most > 64)
        most = ceil_div(most, 2);
    p->mb = ceil_div(most, p->mr) * p->mr;
    if (p->mb > p->m)
        p->mb = p->m;
}

/* Few rows, and lanes along columns that are contiguous: B can be read as it lies (contract_stream.c). */
static bool can_stream(const cg_product *p, const orientation *w, int64_t k_stride)
{
    return w->m <= CG_STREAM_ROWS && w->n > 1 && w->along_b != 1 && k_stride == 1 && p->k->c->lanes > 1;
}

/* Which way round: lanes along n, unless only the other way gives unit strides or little packing. */
static bool better_turned(const cg_product *p, const orientation *w, const orientation *t,
                          const int64_t k_strides[2])
{
    if (can_stream(p, w, k_strides[1]))
        return false;
    if (can_stream(p, t, k_strides[0]) && t->n >= 16)
        return true;
    if (w->along_b == 1 || w->n < 2)
        return false;
    return t->n >= 2 && t->m >= 4 * t->n && t->n <= 64 && p->depth >= 16;
}

static void take(cg_product *p, const orientation *w, const int64_t k_strides[2], bool turned)
{
    const ir_node *n = &p->k->g->nodes[p->k->k->root];

    p->m = w->m;
    p->n = w->n;
    p->m_dim = w->m_dim;
    p->n_dim = w->n1 - 1;
    p->a = (cg_side){.node = n->x[turned], .along = w->along_a, .k = k_strides[turned], .outer = w->a};
    p->b = (cg_side){.node = n->x[!turned], .along = w->along_b, .k = k_strides[!turned], .outer = w->b};
    for (int d = w->n0; d < w->n1; d++)
        p->a.outer.stride[d] = p->b.outer.stride[d] = 0;
    if (w->m > 1)
        p->a.outer.stride[w->m_dim] = p->b.outer.stride[w->m_dim] = 0;
}

/* The product's dims, strides and orientation; false where only the general form will do. */
static bool describe(cg_product *p, orientation *w)
{
    const ir_graph *g = p->k->g;
    const ir_node *n = &g->nodes[p->k->k->root];
    const ir_type *x = &g->nodes[n->x[0]].type, *z = &g->nodes[n->x[1]].type;
    int64_t xs[IR_MAX_RANK], zs[IR_MAX_RANK];
    ir_dot d;
    int own[2], nb = n->attrs->n;

    ir_type_strides(x, xs);
    ir_type_strides(z, zs);
    ir_dot_describe(n->attrs, x, xs, z, zs, &d);
    if (d.nk > 1)
        return false;
    p->depth = d.k;
    const int64_t ks[2] = {d.nk ? d.kl[0] : 1, d.nk ? d.kr[0] : 1};
    ir_map lhs = operand_map(p, 0, nb, &own[0]), rhs = operand_map(p, 1, nb + own[0], &own[1]);
    int m0 = nb, n0 = nb + own[0], n1 = n0 + own[1];
    orientation straight = {.a = lhs, .b = rhs, .m0 = m0, .m1 = n0, .n0 = n0, .n1 = n1};
    orientation turned = {.a = rhs, .b = lhs, .m0 = n0, .m1 = n1, .n0 = m0, .n1 = n0};
    bool can = orient(p, &straight) && n1 > n0, can_turn = orient(p, &turned) && n0 > m0;
    if (!can && !can_turn)
        return false;
    bool turn = !can || (can_turn && better_turned(p, &straight, &turned, ks));
    *w = turn ? turned : straight;
    take(p, w, ks, turn);
    return true;
}

/* ---- loops ---- */

/* Element offset of the current unit's o in an operand. */
static LLVMValueRef unit_offset(const cg_product *p, const cg_side *s, const orientation *w)
{
    LLVMValueRef at = cg_i64(p->k->c, 0);
    for (int d = 0; d < p->identity.rank; d++)
        if (w->extent[d] > 1 && s->outer.stride[d])
            at = cg_product_add(p, at, cg_product_scale(p, p->k->index[d], s->outer.stride[d]));
    return at;
}

static void emit_rows(cg_product *p, const cg_panel *panel, LLVMValueRef from)
{
    cg *c = p->k->c;
    int rest = (int)(p->m % p->mr);
    int64_t whole = p->m - rest;
    LLVMValueRef end = cg_product_add(p, from, cg_i64(c, p->mb));
    LLVMValueRef most = cg_i64(c, whole);

    if (p->mb >= p->m)
        end = most;
    else
        end = LLVMBuildSelect(c->b, LLVMBuildICmp(c->b, LLVMIntSLT, end, most, ""), end, most, "");
    if (whole) {
        cg_loop rows = cg_loop_open(c, from, end, p->mr, "rows");
        cg_product_tile(p, panel, rows.index, LLVMBuildSub(c->b, rows.index, from, ""), p->mr);
        cg_loop_close(c, &rows);
    }
    if (!rest)
        return;
    LLVMValueRef last = cg_i64(c, whole), here = LLVMBuildSub(c->b, last, from, "");
    LLVMValueRef limit = LLVMBuildSelect(c->b, LLVMBuildICmp(c->b, LLVMIntSLT, here, cg_i64(c, p->mb), ""),
                                         cg_i64(c, 1), cg_i64(c, 0), "");
    cg_loop once = cg_loop_open(c, cg_i64(c, 0), limit, 1, "rest");
    cg_product_tile(p, panel, last, here, rest);
    cg_loop_close(c, &once);
}

static void emit_panel(cg_product *p, cg_panel *panel, LLVMValueRef from)
{
    cg *c = p->k->c;

    if (p->blocks == 1) {
        panel->block = panel->k0 = cg_i64(c, 0);
        panel->length = cg_i64(c, p->depth);
        if (!cg_product_in_place(p))
            cg_product_pack(p, panel);
        emit_rows(p, panel, from);
        return;
    }
    cg_loop l = cg_loop_open(c, cg_i64(c, 0), cg_i64(c, p->blocks), 1, "block");
    panel->block = l.index;
    panel->k0 = LLVMBuildNSWMul(c->b, l.index, cg_i64(c, CG_K_BLOCK), "");
    LLVMValueRef left = LLVMBuildNSWSub(c->b, cg_i64(c, p->depth), panel->k0, "");
    LLVMValueRef full = cg_i64(c, CG_K_BLOCK);
    panel->length = LLVMBuildSelect(c->b, LLVMBuildICmp(c->b, LLVMIntSLT, left, full, ""), left, full, "");
    if (!cg_product_in_place(p))
        cg_product_pack(p, panel);
    emit_rows(p, panel, from);
    cg_loop_close(c, &l);
}

/* Both kinds of panel: all but the last are nv vectors wide. */
static void emit_panels(cg_product *p, LLVMValueRef number, LLVMValueRef from)
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
        cg_panel panel = {.vectors = p->nv, .active = c->lanes, .column = cg_product_scale(p, number, width)};
        emit_panel(p, &panel, from);
        LLVMBuildBr(c->b, after);
        LLVMPositionBuilderAtEnd(c->b, narrow);
    }
    int columns = rest ? rest : (int)width, vectors = (columns + c->lanes - 1) / c->lanes;
    cg_panel panel = {.vectors = vectors, .active = columns - (vectors - 1) * c->lanes};
    panel.column = rest ? cg_i64(c, whole * width) : cg_product_scale(p, number, width);
    emit_panel(p, &panel, from);
    if (after) {
        LLVMBuildBr(c->b, after);
        LLVMPositionBuilderAtEnd(c->b, after);
    }
}

static void emit_units(cg_product *p, orientation *w)
{
    cg_kernel *k = p->k;
    cg *c = k->c;
    int64_t width = (int64_t)p->nv * c->lanes, units = 1;
    int rank = p->identity.rank;
    bool rows = p->m > 1; /* else there may be no such dim */

    if (rows)
        w->extent[p->m_dim] = ceil_div(p->m, p->mb);
    w->extent[p->n_dim] = ceil_div(p->n, width);
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
    emit_panels(p, number, from);
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

void cg_emit_contract(cg_kernel *k)
{
    cg_product p = {.k = k, .dtype = (ir_dtype)k->g->nodes[k->k->root].type.dtype, .identity = k->space};
    orientation w;

    if (!make_terms(&p))
        return;
    if (!describe(&p, &w)) {
        cg_emit_contract_general(k);
        return;
    }
    k->c->lanes = choose_lanes(&p, p.n);
    k->vector_first = w.n0;
    k->vector_dim = w.n1 - 1;
    p.blocks = ceil_div(p.depth, CG_K_BLOCK);
    p.plain = p.blocks == 1 && k->k->out_count == 1 && k->k->outs[0] == k->k->root;
    if (can_stream(&p, &w, p.b.k)) { /* 32-byte vectors */
        int lanes = 32 / (int)ir_dtype_size(p.dtype);
        p.mode = CG_B_STREAM;
        k->c->lanes = k->c->lanes < lanes ? k->c->lanes : lanes;
    }
    choose_tile(&p);
    choose_mode(&p);
    int64_t outer = 1;
    for (int d = 0; d < p.identity.rank; d++)
        outer *= d == p.m_dim && p.m > 1 ? 1 : w.extent[d];
    choose_rows(&p, outer);
    int64_t width = (int64_t)p.nv * k->c->lanes, depth = p.depth < CG_K_BLOCK ? p.depth : CG_K_BLOCK;
    if (!cg_product_in_place(&p))
        p.panel = frame_memory(&p, (depth + k->c->lanes) * width);
    if (!p.plain)
        p.part = frame_memory(&p, (p.blocks > 1 ? p.mb : p.mr) * width);
    p.a.base = cg_base(k, p.a.node);
    p.b.base = cg_base(k, p.b.node);
    emit_units(&p, &w);
}
