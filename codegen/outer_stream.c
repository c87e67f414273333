/* codegen/outer_stream.c: OUTER kernels with many columns: rows are streamed against a tile of sums in L1.
 *
 *   for a block of 512 rows
 *       sums[tile] = neutral
 *       for 8 rows: for the tile's columns: sums += row, row, ..
 *       totals[tile] += sums                     (only where there are several blocks)
 *   for the tile's columns: consumers
 *
 * The rows that are read together are long stretches of memory each, so this runs at the speed of reading. */
#include "codegen/outer.h"

/* Rows read together: the more, the rarer the sums are; but whole rows of up to a page are one stream of
 * memory already, which several readers would only disturb (16 -> 42 GB/s). */
enum { TILE_COLUMNS = 1024, LEAST_COLUMNS = 512, MOST_ROWS = 8, PAGE = 4096, MANY_TERMS = 12 };

typedef struct stream {
    outer_state *s;
    int rows;                    /* read together */
    LLVMValueRef from, to;       /* columns of the tile: to is exclusive */
    LLVMValueRef *sums, *totals; /* [reduce]: arrays on the stack; totals NULL: one block */
    LLVMValueRef row_index[MOST_ROWS][IR_MAX_RANK]; /* of the R dims, for each row that is read at once */
} stream;

typedef void column_fn(stream *t, LLVMValueRef at, LLVMValueRef column, int rows);

static LLVMValueRef load_sum(stream *t, LLVMValueRef *array, int i, LLVMValueRef at)
{
    cg_kernel *k = t->s->k;

    return cg_load_at(k, array[i], t->s->reduces[i].dtype, at, 1);
}

static void store_sum(stream *t, LLVMValueRef *array, int i, LLVMValueRef at, LLVMValueRef v)
{
    cg_store_at(t->s->k, array[i], t->s->reduces[i].dtype, at, 1, v);
}

/* body for every vector of the tile's columns; the last one under a mask where the columns ask for it. */
static void each_column(stream *t, column_fn *body, int rows)
{
    outer_state *s = t->s;
    cg_kernel *k = s->k;
    cg *c = k->c;
    LLVMValueRef n = LLVMBuildSub(c->b, t->to, t->from, ""), lanes = cg_i64(c, ~(int64_t)(c->lanes - 1));
    bool ragged = s->c % c->lanes != 0;
    LLVMValueRef main = ragged ? LLVMBuildAnd(c->b, n, lanes, "") : n;

    for (int tail = 0; tail <= ragged; tail++) {
        cg_loop l = cg_loop_open(c, tail ? main : cg_i64(c, 0), tail ? n : main, c->lanes, "column");
        LLVMValueRef column = cg_add(c, t->from, l.index);
        cg_outer_set_home(s, false, l.body);
        cg_outer_set_column(s, column);
        k->mask = tail ? cg_tail_mask(s->k, l.index, n) : NULL;
        body(t, l.index, column, rows);
        k->mask = NULL;
        cg_forget_level(k, 2);
        cg_loop_close(c, &l);
    }
}

static void clear_column(stream *t, LLVMValueRef at, LLVMValueRef column, int totals)
{
    outer_state *s = t->s;

    (void)column;
    s->k->mask = NULL; /* the arrays are whole vectors */
    for (int i = 0; i < s->count; i++)
        store_sum(t, totals ? t->totals : t->sums, i, at, cg_neutral(s->k->c, &s->reduces[i]));
}

/* `rows` rows into the sums of one vector of columns, in ascending order; bank u is row u. */
static void add_column(stream *t, LLVMValueRef at, LLVMValueRef column, int rows)
{
    outer_state *s = t->s;
    cg_kernel *k = s->k;
    LLVMValueRef mask = k->mask, sum[s->count];

    (void)column;
    k->mask = NULL;
    for (int i = 0; i < s->count; i++)
        sum[i] = load_sum(t, t->sums, i, at);
    k->mask = mask;
    for (int u = 0; u < rows; u++) {
        k->bank = u;
        for (int d = s->a_dims; d < s->r_end; d++)
            k->index[d] = t->row_index[u][d];
        if (rows == 1)
            cg_prefetch(k, s->r_end - 1, false);
        for (int i = 0; i < s->count; i++)
            sum[i] = cg_accumulate(k, &s->reduces[i], sum[i]);
    }
    k->bank = 0;
    k->mask = NULL;
    for (int i = 0; i < s->count; i++)
        store_sum(t, t->sums, i, at, sum[i]);
    k->mask = mask;
}

static void total_column(stream *t, LLVMValueRef at, LLVMValueRef column, int rows)
{
    outer_state *s = t->s;

    (void)column;
    (void)rows;
    s->k->mask = NULL;
    for (int i = 0; i < s->count; i++)
        store_sum(
            t, t->totals, i, at,
            cg_combine(s->k->c, &s->reduces[i], load_sum(t, t->totals, i, at), load_sum(t, t->sums, i, at)));
}

static void finish_column(stream *t, LLVMValueRef at, LLVMValueRef column, int rows)
{
    outer_state *s = t->s;
    cg_kernel *k = s->k;
    LLVMValueRef mask = k->mask, values[s->count];

    (void)column;
    (void)rows;
    k->mask = NULL;
    for (int i = 0; i < s->count; i++)
        values[i] = load_sum(t, t->totals ? t->totals : t->sums, i, at);
    k->mask = mask;
    cg_outer_finish(s, values);
}

/* Rows [from, to), `rows` at a time. */
static void add_rows(stream *t, LLVMValueRef from, LLVMValueRef to, int rows)
{
    outer_state *s = t->s;
    cg_kernel *k = s->k;
    cg *c = k->c;
    cg_loop l = cg_loop_open(c, from, to, rows, "row");

    for (int u = 0; u < rows; u++) {
        cg_outer_set_row(s, cg_add(c, l.index, cg_i64(c, u)));
        for (int d = s->a_dims; d < s->r_end; d++)
            t->row_index[u][d] = k->index[d];
    }
    cg_outer_set_home(s, true, l.body);
    each_column(t, add_column, rows);
    cg_forget_level(k, 1);
    cg_loop_close(c, &l);
}

static void add_block(stream *t, LLVMValueRef from, LLVMValueRef to)
{
    cg *c = t->s->k->c;

    each_column(t, clear_column, 0);
    LLVMValueRef main = LLVMBuildAnd(c->b, to, cg_i64(c, ~(int64_t)(t->rows - 1)), "");
    add_rows(t, from, main, t->rows);
    if (t->s->r % t->rows)
        add_rows(t, main, to, 1);
}

static void add_blocks(stream *t)
{
    cg *c = t->s->k->c;
    LLVMValueRef rows = cg_i64(c, t->s->r);

    if (!t->totals) {
        add_block(t, cg_i64(c, 0), rows);
        return;
    }
    each_column(t, clear_column, 1);
    cg_loop l = cg_loop_open(c, cg_i64(c, 0), rows, IR_ROW_BLOCK, "block");
    LLVMValueRef end = LLVMBuildAdd(c->b, l.index, cg_i64(c, IR_ROW_BLOCK), "");
    LLVMValueRef less = LLVMBuildICmp(c->b, LLVMIntSLT, end, rows, "");
    add_block(t, l.index, LLVMBuildSelect(c->b, less, end, rows, ""));
    each_column(t, total_column, 0);
    cg_loop_close(c, &l);
}

static int rows_together(const outer_state *s)
{
    int64_t bytes = s->c * (int64_t)ir_dtype_size(s->reduces[0].dtype);

    return bytes <= PAGE ? 1 : s->row_terms * s->count > MANY_TERMS ? MOST_ROWS / 2 : MOST_ROWS;
}

void cg_outer_stream(outer_state *s)
{
    cg_kernel *k = s->k;
    cg *c = k->c;
    LLVMValueRef sums[s->count], totals[s->count];
    stream t = {.s = s, .sums = sums, .totals = s->r > IR_ROW_BLOCK ? totals : NULL};
    int64_t tile = TILE_COLUMNS, tiles, most;

    while (tile > LEAST_COLUMNS && s->a * s->c < 4 * tile) /* something for several threads */
        tile /= 2;
    tiles = (s->c + tile - 1) / tile;
    most = s->c < tile ? s->c + 64 : tile;

    for (int i = 0; i < s->count; i++) {
        sums[i] = cg_stack(k, s->reduces[i].dtype, most);
        totals[i] = t.totals ? cg_stack(k, s->reduces[i].dtype, most) : NULL;
    }
    t.rows = rows_together(s);
    for (int i = 0; i < s->count; i++)
        s->reduces[i].contract = true;
    k->banks = t.rows;
    for (int d = s->a_dims; d < s->r_end; d++)
        k->banked |= 1u << d;
    cg_outer_set_levels(s, 1, 2);
    k->units = s->a * tiles;
    k->grain = cg_grain(k->units, (double)(s->r * tile) * s->row_flops * 0.04 + 20);
    cg_loop l = cg_outer_open_units(s, tiles);
    t.from = LLVMBuildMul(c->b, s->tile, cg_i64(c, tile), "");
    LLVMValueRef end = LLVMBuildAdd(c->b, t.from, cg_i64(c, tile), ""), all = cg_i64(c, s->c);
    t.to = LLVMBuildSelect(c->b, LLVMBuildICmp(c->b, LLVMIntSLT, end, all, ""), end, all, "");
    add_blocks(&t);
    each_column(&t, finish_column, 0);
    cg_loop_close(c, &l);
}
