/* codegen/contract_shape.c: a product as matrices with strides, and how it is computed.
 *
 *   x[b, s, k] w[n, k]   ->   m = b s rows (where they merge), n columns with strides along n and along k
 *
 * Which side lies in lanes is free: where B has no unit stride along n and there are few rows, the sides
 * change places, so that the small side is packed and the big one is streamed by scalar loads.  Columns may
 * come in groups: panels of whole lines, as passes/pack.c lays constant weights out. */
#include "codegen/contract.h"

#include <stdio.h>
#include <string.h>

/* ---- the product as matrices ---- */

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
        if (!ir_has_axis(batch, a->n, i) && !ir_has_axis(along, a->nk, i))
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

/* Whether the operand steps evenly through the lanes' dims taken as one run, or through groups of whole lines
 * that are one jump apart. */
static bool even_run(const cg_product *p, cg_orientation *w)
{
    int64_t line = CG_LINE / (int64_t)ir_dtype_size(p->dtype), expect = 0, count = 1;
    bool seen = false, grouped = false;

    w->along_b = 1;
    for (int d = w->n1 - 1; d >= w->n0; d--) {
        int64_t e = p->identity.extent[d], stride = w->b.stride[d];
        if (e <= 1)
            continue;
        if (!seen) {
            w->along_b = stride;
        } else if (stride != expect) {
            if (grouped || count % line != 0)
                return false;
            grouped = true;
            w->group = count;
            w->jump = stride;
        }
        expect = stride * e;
        count *= e;
        seen = true;
    }
    w->n = count;
    if (!grouped)
        w->group = count;
    return true;
}

static bool orient(const cg_product *p, cg_orientation *w)
{
    if (!even_run(p, w))
        return false;
    memcpy(w->extent, p->identity.extent, sizeof w->extent);
    if (!merge_rows(p, &w->a, w->m0, w->m1, w->extent))
        return false;
    w->m_dim = w->m1 - 1;
    for (int d = w->m0; d < w->m1; d++)
        if (w->extent[d] > 1)
            w->m_dim = d; /* the innermost group is tiled, others are looped over */
    w->m = w->m1 > w->m0 ? w->extent[w->m_dim] : 1;
    w->along_a = w->m > 1 ? w->a.stride[w->m_dim] : 0;
    for (int d = w->n0; d < w->n1; d++)
        w->extent[d] = 1;
    return true;
}

/* ---- choices ---- */

/* LINES_AHEAD: linear_8 with weights in memory takes 0.80 instead of 1.00 ms.  PANEL_AHEAD: a packed panel
 * that fills the first cache comes from the second; matmul_1024 takes 28.3 instead of 29.1 ms.  MOST_LINES
 * side by side: more streams than the processor reads ahead; linear_1 takes 0.100 instead of 0.134 ms (Zen
 * 4). */
enum {
    LINES_AHEAD = 32,
    PANEL_AHEAD = 10,
    PANEL_BYTES = 24 * 1024,
    ROWS_BYTES = 192 * 1024,
    MORE_ROWS_BYTES = 352 * 1024, /* with a big second cache */
    PART_ROWS = 256,
    MORE_PART_ROWS = 512,
    NEAR_BYTES = 256 * 1024,
    FAR_BYTES = 512 * 1024,
    COPY_BYTES = 272 * 1024, /* of the stack: eight panels of 512 x 16 floats */
    LONG_ROW = 1024,
    MOST_LINES = 6,
    MOST_PANELS = 8,
    LONG_TREE = 1024
};

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

/* The rows of a chain's slice, where slices are cut from rows; 0: they are not. */
static int64_t slice_rows(const cg_product *p)
{
    const ir_node *n = &p->k->g->nodes[p->k->k->root];
    int64_t each = p->k->slices;

    if (p->k->slice_dims <= n->attrs->n)
        return 0;
    for (int d = 0; d < n->attrs->n; d++)
        each /= p->identity.extent[d];
    return p->identity.extent[n->attrs->n] / each;
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
    return p->a.k == 1 && p->depth >= 128 && p->a.along * (int64_t)ir_dtype_size(p->a.dtype) % 2048 == 0;
}

/* Two sums at once: of two vectors, else of two rows where that leaves no row over or there are many. */
static void choose_tree_tile(cg_product *p, int64_t vectors)
{
    p->nv = vectors >= 2 && p->k->c->lanes > 1 ? CG_TREE_SUMS : 1;
    p->mr = p->nv == 1 && (p->m % CG_TREE_SUMS == 0 || p->m > 4) ? CG_TREE_SUMS : 1;
}

/* A panel's rows follow one another in B: packing would change nothing. */
static bool lies_in_lines(const cg_product *p)
{
    return p->b.along == 1 && p->b.k == p->b.group &&
           p->b.group * (int64_t)ir_dtype_size(p->dtype) == CG_LINE;
}

static void choose_tile(cg_product *p)
{
    int room = sum_registers(p);
    int64_t vectors = ceil_div(p->n, p->k->c->lanes);

    if (p->tree) {
        choose_tree_tile(p, vectors);
        return;
    }
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
    while (slice_rows(p) && slice_rows(p) % p->mr) /* a unit is whole tiles */
        p->mr--;
    int64_t bytes = p->k->c->lanes * (int64_t)ir_dtype_size(p->dtype); /* of a vector */
    int64_t wide = room / p->mr;                                       /* few rows: more columns instead */
    if (wide > CG_MOST_VECTORS)
        wide = CG_MOST_VECTORS;
    if (wide > vectors)
        wide = vectors;
    if (lies_in_lines(p) && wide > MOST_LINES * CG_LINE / bytes)
        wide = MOST_LINES * CG_LINE / bytes;
    if (wide > p->nv)
        p->nv = (int)wide;
    while (p->nv > 1 && p->b.group < p->n && p->b.group % (p->nv * p->k->c->lanes) &&
           (p->nv * p->k->c->lanes) % p->b.group)
        p->nv--; /* a tile's columns begin at a group, or lie in one */
}

/* Whether the packed panel leaves no room for rows of A beside it. */
static bool fills_cache(const cg_product *p)
{
    int64_t depth = p->depth < CG_K_BLOCK ? p->depth : CG_K_BLOCK;
    int64_t columns = (int64_t)p->nv * p->k->c->lanes;

    return !cg_product_in_place(p) && depth * columns * (int64_t)ir_dtype_size(p->dtype) >= PANEL_BYTES;
}

static void choose_mode(cg_product *p)
{
    bool read_once = p->tree || p->m <= 2 * p->mr || lies_in_lines(p);

    if (p->mode == CG_B_STREAM)
        return;
    if (p->n == 1 || p->b.along == 1)
        p->mode = read_once ? CG_B_DIRECT : CG_B_COPY;
    else if (p->b.k == 1 && p->k->c->lanes > 1)
        p->mode = CG_B_TURN;
    else
        p->mode = CG_B_GATHER;
}

int64_t cg_product_panels(const cg_product *p)
{
    return ceil_div(p->n, (int64_t)p->nv * p->k->c->lanes);
}

/* Processors with 64-byte registers have second caches of 1 MiB and more. */
static bool has_big_second_cache(const cg_product *p)
{
    return p->k->c->register_bytes == 64;
}

/* Rows of a unit: enough to pay for packing, few enough to give threads something to share. With a k of
 * several blocks twice as many rows save packing B again: matmul_1024 20.2 -> 19.7 ms (Zen 4). */
static void choose_rows(cg_product *p, int64_t outer)
{
    int64_t panels = cg_product_panels(p), most = p->m;
    int64_t part = has_big_second_cache(p) ? MORE_PART_ROWS : PART_ROWS;

    if (p->blocks > 1 && most > part) /* the part buffer is mb rows */
        most = part;
    while (outer * panels * ceil_div(p->m, most) < 8 && most > 8 * p->mr && most > 64)
        most = ceil_div(most, 2);
    p->mb = ceil_div(most, p->mr) * p->mr;
    if (p->mb > p->m)
        p->mb = p->m;
    if (slice_rows(p))
        p->mb = slice_rows(p);
    if (p->tree && p->depth >= LONG_TREE) /* tiles share nothing: each may go to another thread */
        p->mb = p->mr;
}

/* Rows of A side by side: whether the lines of which a tile uses a part stay near for the tiles beside it.
 * Their block is small, and its steps do not meet in few sets of the first cache. */
static bool lines_stay(const cg_product *p)
{
    int64_t size = (int64_t)ir_dtype_size(p->dtype), block = p->depth < CG_K_BLOCK ? p->depth : CG_K_BLOCK;

    return p->m * block * size <= NEAR_BYTES && p->a.k * size % 1024 != 0;
}

/* Rows of A side by side, so that a tile would use a part of every line it reads, and a line a step: a unit
 * copies its rows and keeps them for several panels.  Where the lines stay the copy does not pay: 64 x 128 by
 * 64 x 256 takes 47.3 us without and 51.7 with it, 64 x 1024 by 64 x 256 540 and 400 us.  Of x^T dy of 1024
 * steps 168 rows together take 5.12 ms where 84 take 5.27 (1024 x 256, Zen 4). */
static bool shares_rows(const cg_product *p)
{
    return p->a.along == 1 && p->a.k != 1 && p->depth >= 64 && p->m >= 4 * p->mr && !lines_stay(p);
}

/* A big B with long rows, of which one panel takes a line or two each: several panels are packed from one
 * stretch of each row.  16 x 2708 by 2708 x 1433 takes 3.0 instead of 4.3 ms, 1024 x 1024 by 1024 x 1024 27.9
 * instead of 29.4. */
static bool shares_stretches(const cg_product *p)
{
    int64_t row = p->b.k * (int64_t)ir_dtype_size(p->b.dtype);

    return p->mode == CG_B_COPY && p->b.group >= p->n && row >= LONG_ROW && p->depth * row >= FAR_BYTES;
}

static void choose_panels(cg_product *p, int64_t outer)
{
    int64_t panels = cg_product_panels(p);
    int64_t room = has_big_second_cache(p) ? MORE_ROWS_BYTES : ROWS_BYTES;
    int64_t most = room / (CG_K_BLOCK * (int64_t)ir_dtype_size(p->dtype)) / p->mr * p->mr;

    p->np = 1;
    if (slice_rows(p) || p->mode == CG_B_STREAM || p->k->c->lanes == 1 || panels < 4 || most < 2 * p->mr)
        return;
    p->copies_rows = shares_rows(p);
    p->copies_panels = shares_stretches(p);
    if (!p->copies_rows && !p->copies_panels)
        return;
    if (p->copies_rows && p->mb > most)
        p->mb = most;
    p->np = panels < MOST_PANELS ? panels : MOST_PANELS;
    int64_t bytes = cg_product_panel_step(p) * (int64_t)ir_dtype_size(p->dtype);
    while (p->copies_panels && p->np > 2 && p->np * bytes > COPY_BYTES)
        p->np = ceil_div(p->np, 2);
    while (p->np > 4 && outer * ceil_div(panels, p->np) * ceil_div(p->m, p->mb) < 8)
        p->np /= 2;
}

/* Few rows, and lanes along columns that are contiguous: B can be read as it lies (contract_stream.c). */
static bool can_stream(const cg_product *p, const cg_orientation *w, int64_t k_stride)
{
    return !slice_rows(p) && w->m <= CG_STREAM_ROWS && w->n > 1 && w->group == w->n && w->along_b != 1 &&
           k_stride == 1 && p->k->c->lanes > 1;
}

/* Which way round: lanes along n, unless only the other way gives unit strides or little packing. */
static bool better_turned(const cg_product *p, const cg_orientation *w, const cg_orientation *t,
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

static void take(cg_product *p, const cg_orientation *w, const int64_t k_strides[2], bool turned)
{
    const ir_graph *g = p->k->g;
    const ir_ref source[2] = {ir_dot_source(g, p->k->k, 0), ir_dot_source(g, p->k->k, 1)};

    p->m = w->m;
    p->n = w->n;
    p->m_dim = w->m_dim;
    p->n_dim = w->n1 - 1;
    p->a = (cg_side){.node = source[turned], .along = w->along_a, .k = k_strides[turned], .outer = w->a};
    p->b = (cg_side){.node = source[!turned], .along = w->along_b, .k = k_strides[!turned], .outer = w->b};
    p->a.dtype = (ir_dtype)g->nodes[p->a.node].type.dtype;
    p->b.dtype = (ir_dtype)g->nodes[p->b.node].type.dtype;
    p->b.group = w->group;
    p->b.jump = w->jump;
    for (int d = w->n0; d < w->n1; d++)
        p->a.outer.stride[d] = p->b.outer.stride[d] = 0;
    if (w->m > 1)
        p->a.outer.stride[w->m_dim] = p->b.outer.stride[w->m_dim] = 0;
}

bool cg_product_describe(cg_product *p, cg_orientation *w)
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
    cg_orientation straight = {.a = lhs, .b = rhs, .m0 = m0, .m1 = n0, .n0 = n0, .n1 = n1};
    cg_orientation turned = {.a = rhs, .b = lhs, .m0 = n0, .m1 = n1, .n0 = m0, .n1 = n0};
    bool can = orient(p, &straight) && n1 > n0, can_turn = orient(p, &turned) && n0 > m0;
    if (!can && !can_turn)
        return false;
    bool turn = !can || (can_turn && better_turned(p, &straight, &turned, ks));
    if (ir_dot_is_tree(n->attrs, x, z)) /* one side lies in lanes, or it were no CONTRACT kernel */
        turn = ir_dot_lanes(n->attrs, x, z) == 0;
    if (slice_rows(p)) { /* rows must be rows */
        if (!can)
            return false;
        turn = false;
    }
    *w = turn ? turned : straight;
    take(p, w, ks, turn);
    return true;
}

/* ---- the next matrices of a batch ---- */

/* The innermost batch dim, or -1. */
static int batch_dim(const cg_orientation *w)
{
    for (int d = (w->m0 < w->n0 ? w->m0 : w->n0) - 1; d >= 0; d--)
        if (w->extent[d] > 1)
            return d;
    return -1;
}

static bool lies_whole(const cg_side *s, int64_t rows, int64_t depth)
{
    return (s->k == 1 && s->along == depth) || (s->along == 1 && s->k == rows);
}

/* Small matrices, many of them: while one product is computed, its tiles ask for the operands of the next,
 * into the second cache.  A batch of 96 products of 128 x 64 by 64 x 128 took 2.05 instead of 2.25 ms, a step
 * on the way to 1.83 (Zen 4). */
static void choose_next(cg_product *p, const cg_orientation *w)
{
    int d = batch_dim(w);
    int64_t tiles = cg_product_panels(p) * ceil_div(p->m, p->mr), a = p->m * p->depth, b = p->n * p->depth;
    int64_t a_bytes = a * (int64_t)ir_dtype_size(p->a.dtype),
            b_bytes = b * (int64_t)ir_dtype_size(p->b.dtype);
    int64_t both = a_bytes + b_bytes;

    if (d < 0 || p->tree || p->k->slices > 1 || !lies_whole(&p->a, p->m, p->depth) ||
        !lies_whole(&p->b, p->n, p->depth) || p->a.outer.stride[d] != a || p->b.outer.stride[d] != b ||
        both > NEAR_BYTES || both * w->extent[d] < FAR_BYTES || both > 64 * CG_LINE * tiles)
        return;
    p->a.next = a;
    p->b.next = b;
    p->a.next_lines = (int)ceil_div(a_bytes, CG_LINE * tiles);
    p->b.next_lines = (int)ceil_div(b_bytes, CG_LINE * tiles);
}

void cg_product_choose(cg_product *p, const cg_orientation *w)
{
    int64_t outer = 1;

    p->k->c->lanes = choose_lanes(p, p->n);
    if (!p->tree && can_stream(p, w, p->b.k)) { /* 32-byte vectors */
        int lanes = 32 / (int)ir_dtype_size(p->dtype);
        p->mode = CG_B_STREAM;
        p->k->c->lanes = p->k->c->lanes < lanes ? p->k->c->lanes : lanes;
    }
    choose_tile(p);
    choose_mode(p);
    if (p->m > p->mr && !p->tree)
        p->ahead = lies_in_lines(p) ? LINES_AHEAD : fills_cache(p) ? PANEL_AHEAD : 0;
    p->blocks = p->tree ? 1 : ceil_div(p->depth, CG_K_BLOCK);
    for (int d = 0; d < p->identity.rank; d++)
        outer *= d == p->m_dim && p->m > 1 ? 1 : w->extent[d];
    choose_rows(p, outer);
    choose_panels(p, outer);
    choose_next(p, w);
}

/* ---- the choice in words ------------------------------------------------------------------------------ */

static const char *how_b_is_read(const cg_product *p)
{
    switch (p->mode) {
    case CG_B_DIRECT:
        return lies_in_lines(p) ? "B in place: lies in lines" : "B in place: read by two tiles at most";
    case CG_B_COPY:
        return p->copies_panels ? "B packed, several panels at once: long rows"
                                : "B packed: read by many tiles";
    case CG_B_TURN: return "B packed and turned: contiguous along k";
    case CG_B_STREAM: return "B read once where it lies: few rows, contiguous along k";
    default: return "B gathered: contiguous neither way";
    }
}

/* Of the side that is not in the product's dtype. */
static const char *how_sides_widen(const cg_product *p)
{
    if (p->a.dtype != p->dtype)
        return p->a.dtype == IR_DT_bf16 ? "; A widened from bf16" : "; A widened from f16";
    if (p->b.dtype != p->dtype)
        return p->b.dtype == IR_DT_bf16 ? "; B widened from bf16" : "; B widened from f16";
    return "";
}

void cg_product_tell(const cg_product *p)
{
    cg_kernel *k = p->k;
    bool turned = p->a.node != ir_dot_source(k->g, k->k, 0);

    if (p->tree) {
        snprintf(
            k->variant, sizeof k->variant,
            "tile %d x %lld%s by the tree; fewer than 64 elements, contiguous along %s: they lie in lanes%s",
            p->mr, (long long)p->nv * k->c->lanes, turned ? " of the transpose" : "", turned ? "m" : "n",
            how_sides_widen(p));
        return;
    }
    snprintf(k->variant, sizeof k->variant,
             "tile %d x %lld%s; %s%s%s; unit: %lld rows, %lld panel%s; %lld block%s of k", p->mr,
             (long long)p->nv * k->c->lanes, turned ? " of the transpose" : "", how_b_is_read(p),
             how_sides_widen(p),
             p->copies_rows    ? "; A packed: rows side by side"
             : rows_collide(p) ? "; rows of A collide in the first cache: no tall tiles"
                               : "",
             (long long)p->mb, (long long)p->np, p->np > 1 ? "s" : "", (long long)p->blocks,
             p->blocks > 1 ? "s" : "");
}
