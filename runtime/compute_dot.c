/* runtime/compute_dot.c: dot_general (numerics rule 5).
 *
 *   m n >= 64   chains of fma in blocks of 512 along k.  Per block: panels of B are packed unless B's rows
 * are contiguous and small enough to stay in cache, row tiles of A are packed where its stride would thrash
 * L1, and register tiles run over both (the order of Goto and van de Geijn, "Anatomy of high-performance
 * matrix multiplication", with the k block fixed by the contract). few rows    B is streamed in place. m n <
 * 64    the tree of 64 partials over the whole k.
 *
 * Operands with several free or contracted dims that don't collapse are copied to [batch, m, k] and [batch,
 * k, n] first. */
#include "runtime/compute.h"

#include <stdatomic.h>
#include <string.h>

#include "ir/map.h"

/* One matrix product c[m, n] = a[m, k] b[k, n]; c has contiguous rows of n. */
typedef struct matrix {
    const rt_dot_kernels *v;
    int64_t m, n, k, size;
    const void *a, *b;
    int64_t ai, ap, bp, bj; /* strides in elements */
    void *c;
} matrix;

typedef struct blocked_work {
    const matrix *x;
    int64_t from, kb;      /* this block of k */
    int64_t tiles, panels; /* row tiles, column panels */
    int64_t groups;        /* row tiles are cut into groups whose rows of A fit half of L2 */
    bool pack_a, pack_b;
    char *packed_a;
} blocked_work;

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Row tiles have almost equal heights, none above mr. */
static int64_t tile_row(const blocked_work *w, int64_t tile)
{
    return w->x->m * tile / w->tiles;
}

static const void *a_at(const matrix *x, int64_t i, int64_t p)
{
    return rt_at(x->a, (i * x->ai + p * x->ap) * x->size);
}

static const void *b_at(const matrix *x, int64_t p, int64_t j)
{
    return rt_at(x->b, (p * x->bp + j * x->bj) * x->size);
}

static int panel_cols(const blocked_work *w, int64_t panel)
{
    int64_t rest = w->x->n - panel * w->x->v->nr;

    return rest < w->x->v->nr ? (int)rest : w->x->v->nr;
}

static char *packed_tile(const blocked_work *w, int64_t tile)
{
    return w->packed_a + (tile_row(w, tile) * w->kb + tile * RT_TILE_SLACK) * w->x->size;
}

static void pack_a_chunk(void *const *args, int64_t begin, int64_t end)
{
    const blocked_work *w = args[0];
    const matrix *x = w->x;

    for (int64_t t = begin; t < end; t++) {
        int64_t row = tile_row(w, t);

        x->v->pack_a(packed_tile(w, t), a_at(x, row, w->from), x->ai, x->ap, w->kb,
                     (int)(tile_row(w, t + 1) - row));
    }
}

/* One panel of B, at b with rows ldb apart, times one group of row tiles. */
static void panel_times_group(const blocked_work *w, int64_t panel, const void *b, int64_t ldb, int64_t group)
{
    const matrix *x = w->x;
    int64_t end = w->tiles * (group + 1) / w->groups, col = panel * x->v->nr;

    for (int64_t t = w->tiles * group / w->groups; t < end; t++) {
        int64_t row = tile_row(w, t);
        int rows = (int)(tile_row(w, t + 1) - row);
        const void *a = w->pack_a ? packed_tile(w, t) : a_at(x, row, w->from);

        x->v->tile(a, w->pack_a ? 1 : x->ai, w->pack_a ? rows : x->ap, b, ldb,
                   rt_at(x->c, (row * x->n + col) * x->size), x->n, w->kb, rows, panel_cols(w, panel),
                   w->from > 0);
    }
}

/* Units of (group, panel).  A packed panel lives in this thread's stack while the group's tiles use it: it
 * stays in L2, and packing it once per group costs a few percent. */
static void panel_chunk(void *const *args, int64_t begin, int64_t end)
{
    const blocked_work *w = args[0];
    const matrix *x = w->x;
    _Alignas(64) char packed[RT_BLOCK * 128]; /* a panel is two vectors wide */

    for (int64_t u = begin; u < end; u++) {
        int64_t panel = u % w->panels, ldb = x->bp;
        const void *b = b_at(x, w->from, panel * x->v->nr);

        if (w->pack_b || panel_cols(w, panel) < x->v->nr) {
            x->v->pack_b(packed, b, x->bp, x->bj, w->kb, panel_cols(w, panel));
            b = packed;
            ldb = x->v->nr;
        }
        panel_times_group(w, panel, b, ldb, u / w->panels);
    }
}

/* What to pack.  B stays in place while its rows are contiguous and used at most twice, or all of it fits
 * half of L2.  A is packed where neither dim is contiguous, where rows lie a multiple of 2 KiB apart (they
 * would share L1 sets), and where it is large and used often. */
static void choose_packing(blocked_work *w)
{
    const matrix *x = w->x;
    bool large = w->panels >= 8 && x->m * x->k * x->size > (256 << 10);

    w->pack_b = x->bj != 1 || (w->tiles > 2 && x->k * x->n * x->size > (512 << 10));
    w->pack_a = large || (x->ai != 1 && (x->ap != 1 || x->ai * x->size % 2048 == 0));
}

static ir_status blocked_product(const rt_engine *e, const matrix *x)
{
    blocked_work w = {.x = x, .tiles = ceil_div(x->m, x->v->mr), .panels = ceil_div(x->n, x->v->nr)};
    int64_t most = x->k < RT_BLOCK ? x->k : RT_BLOCK, bytes;
    double tile_ns = 0.005 * (double)(x->v->mr * x->v->nr * most * x->size);

    choose_packing(&w);
    w.groups = ceil_div(x->m * most * x->size, 512 << 10);
    bytes = (x->m * most + w.tiles * RT_TILE_SLACK) * x->size;
    if (w.pack_a && !(w.packed_a = rt_alloc((size_t)bytes)))
        return IR_ENOMEM;
    for (w.from = 0; w.from < x->k; w.from += RT_BLOCK) {
        w.kb = x->k - w.from < RT_BLOCK ? x->k - w.from : RT_BLOCK;
        if (w.pack_a)
            rt_split(e, pack_a_chunk, &w, w.tiles, 0.2 * (double)(w.kb * x->v->mr));
        rt_split(e, panel_chunk, &w, w.groups * w.panels, tile_ns * (double)w.tiles / (double)w.groups);
    }
    if (w.pack_a)
        rt_free(w.packed_a, (size_t)bytes);
    return IR_OK;
}

/* Few rows: threads split the columns, in units of 64. */
#define STREAM_UNIT 64

static void stream_chunk(void *const *args, int64_t begin, int64_t end)
{
    const matrix *x = args[0];
    int64_t from = begin * STREAM_UNIT, to = end * STREAM_UNIT < x->n ? end * STREAM_UNIT : x->n;

    for (int64_t p = 0; p < x->k; p += RT_BLOCK)
        x->v->streamed(a_at(x, 0, p), x->ai, x->ap, b_at(x, p, from), x->bp, rt_at(x->c, from * x->size),
                       x->n, x->k - p < RT_BLOCK ? x->k - p : RT_BLOCK, (int)x->m, to - from, p > 0);
}

/* a and b swapped: c is one row or one column, so its memory is the same, and fma(a, b, s) = fma(b, a, s). */
static matrix transposed(const matrix *x)
{
    matrix t = *x;

    t.m = x->n;
    t.n = x->m;
    t.a = x->b;
    t.ai = x->bj;
    t.ap = x->bp;
    t.b = x->a;
    t.bj = x->ai;
    t.bp = x->ap;
    return t;
}

static ir_status chain_product(const rt_engine *e, const matrix *x)
{
    matrix y = x->n == 1 ? transposed(x) : *x;

    if (y.m < y.v->stream && y.bj == 1) {
        rt_split(e, stream_chunk, &y, ceil_div(y.n, STREAM_UNIT), 0.1 * STREAM_UNIT * (double)(y.k * y.m));
        return IR_OK;
    }
    return blocked_product(e, &y);
}

/* ---- fewer than 64 elements: the tree ---------------------------------------------------------------- */

#define TREE_K 128 /* a multiple of 64 */

/* Rows of `count` elements along k, contiguous: where they are, or gathered into `buffer`. */
static const void *tree_rows(const rt_level *v, const matrix *x, const void *p, int64_t rows, int64_t step,
                             int64_t k_step, int64_t count, void *buffer, int64_t *row_step)
{
    *row_step = step;
    if (k_step == 1)
        return p;
    *row_step = TREE_K;
    if (step == 1)
        v->transpose[x->size](buffer, TREE_K, p, k_step, rows, count);
    else
        for (int64_t i = 0; i < rows; i++)
            v->copy[x->size](rt_at(buffer, i * TREE_K * x->size), 1, rt_at(p, i * step * x->size), k_step,
                             count);
    return buffer;
}

static void tree_product(const rt_level *v, const matrix *x)
{
    _Alignas(64) char s[63][64 * 8], buffer[2][63 * TREE_K * 8];

    memset(s, 0, (size_t)(x->m * x->n) * sizeof s[0]);
    for (int64_t p = 0, count; p < x->k; p += count) {
        int64_t ai, bj;
        const void *a, *b;

        count = x->ap == 1 && x->bp == 1 ? x->k : x->k - p < TREE_K ? x->k - p : TREE_K;
        a = tree_rows(v, x, a_at(x, 0, p), x->m, x->ai, x->ap, count, buffer[0], &ai);
        b = tree_rows(v, x, b_at(x, p, 0), x->n, x->bj, x->bp, count, buffer[1], &bj);
        for (int64_t i = 0; i < x->m; i++)
            for (int64_t j = 0; j < x->n; j++)
                x->v->partials(s[i * x->n + j], rt_at(a, i * ai * x->size), rt_at(b, j * bj * x->size),
                               count);
    }
    for (int64_t i = 0; i < x->m * x->n; i++) {
        x->v->halves(s[i]);
        memcpy(rt_at(x->c, i * x->size), s[i], (size_t)x->size);
    }
}

/* ---- the batch --------------------------------------------------------------------------------------- */

typedef struct batch_work {
    const rt_engine *e;
    matrix first;
    const ir_dot *d;
    atomic_int status;
} batch_work;

static matrix matrix_of(const batch_work *w, int64_t i)
{
    matrix x = w->first;
    int64_t a = 0, b = 0;

    x.c = rt_at(x.c, i * x.m * x.n * x.size);
    for (int j = w->d->nb - 1; j >= 0; j--) {
        a += i % w->d->be[j] * w->d->bl[j];
        b += i % w->d->be[j] * w->d->br[j];
        i /= w->d->be[j];
    }
    x.a = rt_at(x.a, a * x.size);
    x.b = rt_at(x.b, b * x.size);
    return x;
}

static void batch_run(batch_work *w, const rt_engine *e, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++) {
        matrix x = matrix_of(w, i);

        if (x.m * x.n < 64)
            tree_product(e->level, &x);
        else if (chain_product(e, &x) != IR_OK)
            atomic_store(&w->status, IR_ENOMEM);
    }
}

/* A chunk of matrices on one thread. */
static void batch_chunk(void *const *args, int64_t begin, int64_t end)
{
    batch_work *w = args[0];
    rt_engine one = {.level = w->e->level};

    batch_run(w, &one, begin, end);
}

static bool one_stride(int n, const int64_t *steps, int64_t *step)
{
    *step = n ? steps[0] : 1;
    return n <= 1;
}

/* Copies an operand to row-major [batch.., first.., second..]; the axes of a group are those in `order`. */
static ir_status pack_operand(const rt_engine *e, const rt_array *x, const int *order, rt_array *view,
                              rt_array *out)
{
    *view = *x;
    for (int i = 0; i < x->type.rank; i++) {
        view->type.dims[i] = x->type.dims[order[i]];
        view->strides[i] = x->strides[order[i]];
    }
    return rt_contiguous_of(e, view, out);
}

/* Axes of one side: batch, then free, then contracted ones (k_first: contracted, then free). */
static void axis_order(const int8_t *batch, int n, const int8_t *k, int nk, int rank, bool k_first,
                       int *order)
{
    unsigned used = 0;
    int count = 0;

    for (int i = 0; i < n; i++)
        order[count++] = batch[i];
    for (int i = 0; i < nk && k_first; i++)
        order[count++] = k[i];
    for (int i = 0; i < n; i++)
        used |= 1u << batch[i];
    for (int i = 0; i < nk; i++)
        used |= 1u << k[i];
    for (int i = 0; i < rank; i++)
        if (!(used >> i & 1))
            order[count++] = i;
    for (int i = 0; i < nk && !k_first; i++)
        order[count++] = k[i];
}

static ir_status run_batch(const rt_engine *e, const ir_dot *d, const rt_array *lhs, const rt_array *rhs,
                           const rt_array *y)
{
    batch_work w = {.e = e, .d = d};
    matrix *x = &w.first;
    double ns = 20 + 0.02 * (double)d->m * (double)d->n * (double)d->k;
    int threads = e->pool ? rt_pool_threads(e->pool) : 1;

    *x = (matrix){.v = e->level->dot[y->type.dtype],
                  .m = d->m,
                  .n = d->n,
                  .k = d->k,
                  .a = lhs->data,
                  .b = rhs->data,
                  .c = y->data,
                  .size = (int64_t)ir_dtype_size((ir_dtype)y->type.dtype)};
    if (!one_stride(d->nm, d->ml, &x->ai) || !one_stride(d->nk, d->kl, &x->ap) ||
        !one_stride(d->nk, d->kr, &x->bp) || !one_stride(d->nn, d->nr, &x->bj))
        return IR_EUNSUPPORTED;
    if (d->batch >= threads && (d->batch >= 4 * threads || ns < 50000))
        rt_split(e, batch_chunk, &w, d->batch, ns);
    else
        batch_run(&w, e, 0, d->batch);
    return (ir_status)atomic_load(&w.status);
}

/* As run_batch, on row-major copies of operands whose lists don't collapse. */
static ir_status run_packed(const rt_engine *e, const ir_attrs *a, const rt_array *lhs, const rt_array *rhs,
                            const rt_array *y)
{
    int lo[IR_MAX_RANK], ro[IR_MAX_RANK];
    rt_array view[2], copy[2];
    ir_attrs b = {.n = a->n, .nk = a->nk};
    ir_dot d;
    ir_status s;

    axis_order(a->dot.lhs_batch, a->n, a->dot.lhs_k, a->nk, lhs->type.rank, false, lo);
    axis_order(a->dot.rhs_batch, a->n, a->dot.rhs_k, a->nk, rhs->type.rank, true, ro);
    for (int i = 0; i < a->n; i++)
        b.dot.lhs_batch[i] = b.dot.rhs_batch[i] = (int8_t)i;
    for (int i = 0; i < a->nk; i++) {
        b.dot.lhs_k[i] = (int8_t)(lhs->type.rank - a->nk + i);
        b.dot.rhs_k[i] = (int8_t)(a->n + i);
    }
    s = pack_operand(e, lhs, lo, &view[0], &copy[0]);
    if (s != IR_OK)
        return s;
    s = pack_operand(e, rhs, ro, &view[1], &copy[1]);
    if (s == IR_OK) {
        ir_dot_describe(&b, &copy[0].type, copy[0].strides, &copy[1].type, copy[1].strides, &d);
        s = run_batch(e, &d, &copy[0], &copy[1], y);
        rt_scratch_free(&view[1], &copy[1]);
    }
    rt_scratch_free(&view[0], &copy[0]);
    return s;
}

ir_status rt_dot(const rt_engine *e, const ir_attrs *a, const rt_array *lhs, const rt_array *rhs,
                 const rt_array *y)
{
    ir_dot d;
    ir_status s;

    if (!e->level->dot[y->type.dtype])
        return IR_EDTYPE;
    ir_dot_describe(a, &lhs->type, lhs->strides, &rhs->type, rhs->strides, &d);
    s = run_batch(e, &d, lhs, rhs, y);
    return s == IR_EUNSUPPORTED ? run_packed(e, a, lhs, rhs, y) : s;
}
