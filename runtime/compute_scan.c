/* runtime/compute_scan.c: what walks along one axis: scans (numerics rule 13) and argsort.
 *
 *   x [4, 600, 5] axis 1   ->   4 x (600 rows of 5 columns): units are tiles of columns
 *   x [40, 600]   axis 1   ->   40 rows, 4 to a unit: their chains overlap
 *
 * Operands that are not row-major are copied first. */
#include "runtime/compute.h"
#include "runtime/sort.h"

enum { ROWS_TOGETHER = 4, LEAST_COLUMNS = 64 };

typedef struct scan_work {
    rt_scan_fn *fn;
    int64_t n, inner; /* extent of the axis; elements between its neighbours */
    int64_t lines;    /* scans in all */
    int64_t tile;     /* of them in a unit */
    bool reverse;
    int64_t size;
    const void *x[2];
    void *y;
} scan_work;

/* Tiles [begin, end): of `inner` columns side by side, or of rows. */
static void scan_chunk(void *const *args, int64_t begin, int64_t end)
{
    const scan_work *w = args[0];
    int64_t within = w->inner == 1 ? w->lines : w->inner, tiles = (within + w->tile - 1) / w->tile;
    int64_t step = w->reverse ? -w->inner : w->inner;

    for (int64_t u = begin; u < end; u++) {
        int64_t first = u % tiles * w->tile, cols = within - first < w->tile ? within - first : w->tile;
        int64_t across = w->inner == 1 ? w->n : 1;
        int64_t at = u / tiles * w->n * w->inner + first * across;

        if (w->reverse)
            at += (w->n - 1) * w->inner;
        w->fn(rt_at(w->y, at * w->size),
              (const void *[]){rt_at(w->x[0], at * w->size), rt_at(w->x[1], at * w->size)}, w->n, step, cols,
              across);
    }
}

static void run_scan(const rt_engine *e, scan_work *w)
{
    int64_t within = w->inner == 1 ? w->lines : w->inner, threads = e->pool ? rt_pool_threads(e->pool) : 1;

    w->tile = w->inner == 1 ? ROWS_TOGETHER : RT_SCAN_TILE;
    while (w->inner > 1 && w->tile > LEAST_COLUMNS && w->lines < 2 * threads * w->tile)
        w->tile /= 2;
    rt_split(e, scan_chunk, w, w->lines / within * ((within + w->tile - 1) / w->tile),
             20 + (w->inner == 1 ? 0.5 : 0.1) * (double)(w->n * w->tile));
}

static rt_scan_fn *scan_of(const rt_level *v, ir_op op, uint8_t dtype)
{
    switch (op) {
    case IR_cumsum: return v->scan[RT_CUMSUM][dtype];
    case IR_cumprod: return v->scan[RT_CUMPROD][dtype];
    case IR_cummax: return v->scan[RT_CUMMAX][dtype];
    case IR_cummin: return v->scan[RT_CUMMIN][dtype];
    case IR_linear_scan: return v->linear_scan[dtype];
    default: return NULL;
    }
}

ir_status rt_scan(const rt_engine *e, ir_op op, const ir_attrs *a, const rt_array *const *x, int n,
                  const rt_array *y)
{
    scan_work w = {.fn = scan_of(e->level, op, y->type.dtype), .inner = 1, .reverse = a->scan.reverse != 0};
    rt_array rows[2] = {0};
    int ready = 0;

    if (!w.fn)
        return IR_EDTYPE;
    w.size = (int64_t)ir_dtype_size((ir_dtype)y->type.dtype);
    w.y = y->data;
    w.n = y->type.dims[a->scan.axis];
    w.lines = ir_type_elements(&y->type) / w.n;
    for (int i = (int)a->scan.axis + 1; i < y->type.rank; i++)
        w.inner *= y->type.dims[i];
    while (ready < n && rt_contiguous_of(e, x[ready], &rows[ready]) == IR_OK)
        ready++;
    if (ready == n) {
        for (int i = 0; i < 2; i++)
            w.x[i] = rows[i < n ? i : 0].data;
        run_scan(e, &w);
    }
    for (int i = 0; i < ready; i++)
        rt_scratch_free(x[i], &rows[i]);
    return ready == n ? IR_OK : IR_ENOMEM;
}

/* ---- argsort ---- */

typedef struct sort_work {
    int64_t n, size, how;
    const void *x;
    int64_t *y;
} sort_work;

static void sort_chunk(void *const *args, int64_t begin, int64_t end)
{
    const sort_work *w = args[0];

    for (int64_t i = begin; i < end; i++)
        rt_argsort_row(w->y + i * w->n, rt_at(w->x, i * w->n * w->size), w->n, w->how);
}

ir_status rt_argsort(const rt_engine *e, const ir_attrs *a, const rt_array *x, const rt_array *y)
{
    sort_work w = {.n = x->type.dims[x->type.rank - 1], .y = y->data};
    rt_array rows;

    if (rt_contiguous_of(e, x, &rows) != IR_OK)
        return IR_ENOMEM;
    w.x = rows.data;
    w.size = (int64_t)ir_dtype_size((ir_dtype)x->type.dtype);
    w.how = rt_sort_how((ir_dtype)x->type.dtype, a->scan.reverse != 0);
    rt_split(e, sort_chunk, &w, ir_type_elements(&x->type) / w.n, 20 + 40 * (double)w.n);
    rt_scratch_free(x, &rows);
    return IR_OK;
}
