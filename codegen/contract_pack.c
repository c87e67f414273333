/* codegen/contract_pack.c: a panel of B, one block of k by nv vectors of columns, into contiguous memory; the
 * rows of A where they lie side by side, a[k][m], tile by tile.
 *
 *   rows contiguous        copied                     b[k][n]   ->  panel[k][0 .. nv * lanes)
 *   columns contiguous     lanes x lanes squares turned in registers
 *   neither                gathered
 *
 * Columns past the matrix are left as they come: what is computed from them is not stored. */
#include "codegen/contract.h"

enum { MOST_LANES = 16 };

static int64_t width_of(const cg_product *p)
{
    return (int64_t)p->nv * p->k->c->lanes;
}

/* Row `row` of a packed panel. */
static LLVMValueRef packed_row(const cg_product *p, LLVMValueRef packed, LLVMValueRef row)
{
    return cg_product_at(p, packed, cg_product_scale(p, row, width_of(p)));
}

static void store_panel(const cg_product *p, LLVMValueRef to, int64_t element, LLVMValueRef v)
{
    cg *c = p->k->c;
    LLVMValueRef s = LLVMBuildStore(c->b, v, cg_product_at(p, to, cg_i64(c, element)));

    LLVMSetAlignment(s, (unsigned)(ir_dtype_size(p->dtype) * (size_t)p->k->c->lanes));
}

/* Element offset in B of (k0 + row, column + j * lanes). */
static LLVMValueRef source(const cg_product *p, const cg_panel *panel, LLVMValueRef row, int64_t j)
{
    LLVMValueRef depth = cg_product_add(p, panel->k0, row);
    LLVMValueRef at = cg_product_add(p, p->b.unit, cg_product_scale(p, depth, p->b.k));
    return cg_product_add(p, at, cg_product_column(p, panel, j));
}

static void pack_row(cg_product *p, const cg_panel *panel, LLVMValueRef row)
{
    cg *c = p->k->c;
    LLVMValueRef to = packed_row(p, panel->packed, row);

    for (int j = 0; j < panel->vectors; j++) {
        p->k->mask = j == panel->vectors - 1 ? cg_const_mask(p->k, panel->active) : NULL;
        LLVMValueRef v =
            cg_load_at(p->k, p->b.base, p->b.dtype, source(p, panel, row, j), p->n == 1 ? 1 : p->b.along);
        store_panel(p, to, (int64_t)j * c->lanes, v);
    }
    p->k->mask = NULL;
}

static void pack_rows(cg_product *p, const cg_panel *panel)
{
    cg *c = p->k->c;
    cg_loop l = cg_loop_open(c, cg_i64(c, 0), panel->length, 1, "pack");
    l.running_pointers = true;

    pack_row(p, panel, l.index);
    cg_loop_close(c, &l);
}

/* log2(q) rounds of perfect shuffles between the halves of the list, each within groups of q lanes. */
void cg_product_turn(cg *c, LLVMValueRef *v, int q)
{
    int n = c->lanes;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(c->ctx);
    LLVMValueRef low[MOST_LANES], high[MOST_LANES], next[MOST_LANES] = {0};

    for (int i = 0; i < n; i++) {
        int from = i / q * q + i % q / 2 + (i % 2 ? n : 0);
        low[i] = LLVMConstInt(i32, (unsigned long long)from, 0);
        high[i] = LLVMConstInt(i32, (unsigned long long)(from + q / 2), 0);
    }
    LLVMValueRef lows = LLVMConstVector(low, (unsigned)n), highs = LLVMConstVector(high, (unsigned)n);
    for (int round = 1; round < q; round *= 2) {
        for (int i = 0; i < q / 2; i++) {
            next[2 * i] = LLVMBuildShuffleVector(c->b, v[i], v[i + q / 2], lows, "");
            next[2 * i + 1] = LLVMBuildShuffleVector(c->b, v[i], v[i + q / 2], highs, "");
        }
        for (int i = 0; i < q; i++)
            v[i] = next[i];
    }
}

/* Of every pair v[i], v[i + s]: the low halves of their groups of 2 s lanes, the high halves. */
static void trade_halves(cg *c, LLVMValueRef *v, int s)
{
    LLVMTypeRef i32 = LLVMInt32TypeInContext(c->ctx);
    LLVMValueRef low[MOST_LANES], high[MOST_LANES];
    int n = c->lanes;

    for (int l = 0; l < n; l++) {
        int from = l % (2 * s) < s ? l : n + l - s;
        low[l] = LLVMConstInt(i32, (unsigned)from, 0);
        high[l] = LLVMConstInt(i32, (unsigned)(from + s), 0);
    }
    LLVMValueRef lows = LLVMConstVector(low, (unsigned)n), highs = LLVMConstVector(high, (unsigned)n);
    for (int i = 0; i < n; i++)
        if (!(i & s)) {
            LLVMValueRef a = v[i], b = v[i + s];
            v[i] = LLVMBuildShuffleVector(c->b, a, b, lows, "");
            v[i + s] = LLVMBuildShuffleVector(c->b, a, b, highs, "");
        }
}

/* v[i] lane j <- v[j] lane i.  First within 16 bytes, then in halves: every step is one instruction. */
static void turn(cg *c, LLVMValueRef *v, ir_dtype d)
{
    int q = 16 / (int)ir_dtype_size(d);

    if (q > c->lanes)
        q = c->lanes;
    for (int i = 0; i < c->lanes; i += q)
        cg_product_turn(c, v + i, q);
    for (int s = q; s < c->lanes; s *= 2)
        trade_halves(c, v, s);
}

/* One square: `valid` columns, the first at `start` in B, to place `to` in the panel, under k->mask along k.
 */
static void turn_square(cg_product *p, LLVMValueRef start, LLVMValueRef to, int valid)
{
    cg *c = p->k->c;
    LLVMValueRef v[MOST_LANES], from = cg_side_at(p, &p->b, start);

    for (int i = 0; i < c->lanes; i++) {
        int column = i < valid ? i : valid - 1; /* past the matrix: its last column again */
        v[i] = cg_load_at(p->k, from, p->b.dtype, cg_i64(c, column * p->b.along), 1);
    }
    turn(c, v, p->dtype);
    for (int i = 0; i < c->lanes; i++)
        store_panel(p, to, i * width_of(p), v[i]);
}

/* All squares at `row`.  A loop over the whole ones: their shuffles are what compiling a product takes most
 * time for. */
static void turn_squares(cg_product *p, const cg_panel *panel, LLVMValueRef row)
{
    cg *c = p->k->c;
    int last = panel->vectors - 1, j = 0;
    LLVMValueRef to = packed_row(p, panel->packed, row);

    if (p->b.group >= p->n && last > 0) {
        int whole = panel->active < c->lanes ? last : last + 1;
        cg_loop l = cg_loop_open(c, cg_i64(c, 0), cg_i64(c, (int64_t)whole * c->lanes), c->lanes, "square");
        LLVMValueRef at = cg_product_scale(p, l.index, p->b.along);
        turn_square(p, cg_product_add(p, source(p, panel, row, 0), at), cg_product_at(p, to, l.index),
                    c->lanes);
        cg_loop_close(c, &l);
        j = whole;
    }
    for (; j <= last; j++)
        turn_square(p, source(p, panel, row, j), cg_product_at(p, to, cg_i64(c, (int64_t)j * c->lanes)),
                    j == last ? panel->active : c->lanes);
}

static void pack_turned(cg_product *p, const cg_panel *panel)
{
    cg *c = p->k->c;
    LLVMValueRef whole = LLVMBuildAnd(c->b, panel->length, cg_i64(c, ~(int64_t)(c->lanes - 1)), "");
    int64_t rest = (p->depth % CG_K_BLOCK) % c->lanes;

    if (p->depth >= c->lanes) {
        cg_loop l = cg_loop_open(c, cg_i64(c, 0), whole, c->lanes, "turn");
        turn_squares(p, panel, l.index);
        cg_loop_close(c, &l);
    }
    if (!rest)
        return;
    cg_loop l = cg_loop_open(c, whole, panel->length, c->lanes, "turn.rest");
    p->k->mask = cg_tail_mask(p->k, l.index, panel->length);
    turn_squares(p, panel, l.index);
    p->k->mask = NULL;
    cg_loop_close(c, &l);
}

void cg_product_pack(cg_product *p, const cg_panel *panel)
{
    if (p->mode == CG_B_TURN)
        pack_turned(p, panel);
    else
        pack_rows(p, panel);
}

int64_t cg_product_panel_step(const cg_product *p)
{
    return ((p->depth < CG_K_BLOCK ? p->depth : CG_K_BLOCK) + p->k->c->lanes) * width_of(p);
}

/* Row after row, so that each is read in one long stretch. */
void cg_product_pack_panels(cg_product *p, const cg_panel *block, LLVMValueRef first, LLVMValueRef end)
{
    cg *c = p->k->c;
    LLVMValueRef whole = cg_i64(c, p->n / width_of(p));

    end = LLVMBuildSelect(c->b, LLVMBuildICmp(c->b, LLVMIntSLT, end, whole, ""), end, whole, "");
    cg_loop k = cg_loop_open(c, cg_i64(c, 0), block->length, 1, "pack.k");
    cg_loop l = cg_loop_open(c, first, end, 1, "pack.panels");
    l.running_pointers = true;
    cg_panel panel = *block;
    LLVMValueRef before = LLVMBuildSub(c->b, l.index, first, "");
    panel.column = cg_product_scale(p, l.index, width_of(p));
    panel.packed = cg_product_at(p, p->panel, cg_product_scale(p, before, cg_product_panel_step(p)));
    panel.vectors = p->nv;
    panel.active = c->lanes;
    pack_row(p, &panel, k.index);
    cg_loop_close(c, &l);
    cg_loop_close(c, &k);
}

/* ---- rows of A ---------------------------------------------------------------------------------------- */

int64_t cg_product_tile_step(const cg_product *p)
{
    return (p->depth < CG_K_BLOCK ? p->depth : CG_K_BLOCK) * p->mr + CG_TILE_GAP;
}

/* Step k of the tile of `count` rows from `row` on.  Whole vectors are stored: what is too much is written
 * over by the next step. */
static void pack_tile(cg_product *p, const cg_panel *block, LLVMValueRef k, LLVMValueRef row,
                      LLVMValueRef row_in_unit, int count)
{
    cg *c = p->k->c;
    LLVMValueRef depth = cg_product_scale(p, cg_product_add(p, block->k0, k), p->a.k);
    LLVMValueRef from = cg_product_add(p, cg_product_add(p, p->a.unit, row), depth);
    LLVMValueRef tile = LLVMBuildUDiv(c->b, row_in_unit, cg_i64(c, p->mr), "");
    LLVMValueRef to =
        cg_product_add(p, cg_product_scale(p, tile, cg_product_tile_step(p)), cg_product_scale(p, k, p->mr));

    from = cg_side_at(p, &p->a, from);
    to = cg_product_at(p, p->rows, to);
    for (int i = 0; i < count; i += c->lanes) {
        p->k->mask = cg_const_mask(p->k, count - i);
        LLVMValueRef v = cg_load_at(p->k, from, p->a.dtype, cg_i64(c, i), 1);
        p->k->mask = NULL;
        cg_store_at(p->k, to, p->dtype, cg_i64(c, i), 1, v);
    }
}

/* All rows of a step, then the next: each line of A is read once. */
void cg_product_pack_rows(cg_product *p, const cg_panel *block, LLVMValueRef from)
{
    cg *c = p->k->c;
    int rest = (int)(p->m % p->mr);
    LLVMValueRef end, once;

    cg_product_unit_rows(p, from, &end, &once);
    cg_loop k = cg_loop_open(c, cg_i64(c, 0), block->length, 1, "pack.k");
    cg_loop rows = cg_loop_open(c, from, end, p->mr, "pack.rows");
    rows.running_pointers = true;
    pack_tile(p, block, k.index, rows.index, LLVMBuildSub(c->b, rows.index, from, ""), p->mr);
    cg_loop_close(c, &rows);
    if (rest) {
        LLVMValueRef last = cg_i64(c, p->m - rest);
        cg_loop l = cg_loop_open(c, cg_i64(c, 0), once, 1, "pack.rest");
        pack_tile(p, block, k.index, last, LLVMBuildSub(c->b, last, from, ""), rest);
        cg_loop_close(c, &l);
    }
    cg_loop_close(c, &k);
}
