/* runtime/compute_reduce.c: reductions over any axes (numerics rules 2 to 4).
 *
 *   x [4,5,6,7]  axes 1 3   ->   run {3}: inner, [4,5,6]   ->   run {1}: outer, [4,6]
 *
 * Adjacent axes form a run; runs are reduced one after the other, innermost first, each into an array of its
 * own.  The kernels want a run that is contiguous (inner) or rows of contiguous columns (outer); other
 * layouts are copied first. */
#include "runtime/compute.h"

typedef struct reduce_work {
    rt_loop outer; /* array 0: dims before (inner: all dims but the run) */
    rt_inner_fn *inner_fn;
    rt_outer_fn *outer_fn;
    int64_t run, run_step; /* extent and stride of the run */
    int64_t cols, tile;    /* outer: contiguous columns, columns per unit */
    int64_t size, y_size;
    const void *x;
    void *y;
} reduce_work;

static int64_t offset_of(const rt_loop *l, int64_t linear)
{
    int64_t offset = 0;

    for (int i = l->rank - 1; i >= 0; i--) {
        offset += linear % l->extent[i] * l->step[0][i];
        linear /= l->extent[i];
    }
    return offset;
}

/* Rows [begin, end), as many per call as lie at one stride. */
static void inner_chunk(void *const *args, int64_t begin, int64_t end)
{
    const reduce_work *w = args[0];
    int last = w->outer.rank - 1;

    while (begin < end) {
        int64_t rest = w->outer.extent[last] - begin % w->outer.extent[last];
        int64_t rows = rest < end - begin ? rest : end - begin;

        w->inner_fn(rt_at(w->y, begin * w->y_size), rt_at(w->x, offset_of(&w->outer, begin) * w->size), rows,
                    w->outer.step[0][last], w->run);
        begin += rows;
    }
}

/* Units [begin, end) of (index before the run, tile of columns). */
static void outer_chunk(void *const *args, int64_t begin, int64_t end)
{
    const reduce_work *w = args[0];
    int64_t tiles = (w->cols + w->tile - 1) / w->tile;

    for (int64_t u = begin; u < end; u++) {
        int64_t row = u / tiles, col = u % tiles * w->tile;
        int64_t cols = w->cols - col < w->tile ? w->cols - col : w->tile;

        w->outer_fn(rt_at(w->y, (row * w->cols + col) * w->size),
                    rt_at(w->x, (offset_of(&w->outer, row) + col) * w->size), w->run, w->run_step, cols);
    }
}

/* Dims [first, last] of x as one dim; false: they are not. */
static bool one_dim(const rt_array *x, int first, int last, int64_t *extent, int64_t *step)
{
    rt_loop l = {.rank = last - first + 1};

    for (int i = first; i <= last; i++) {
        l.extent[i - first] = x->type.dims[i];
        l.step[0][i - first] = x->strides[i];
    }
    rt_loop_collapse(&l, 1);
    *extent = l.extent[0];
    *step = l.step[0][0];
    return l.rank == 1;
}

static rt_loop dims_before(const rt_array *x, int first)
{
    rt_array head = *x;

    head.type.rank = (uint8_t)first;
    return rt_loop_of(&head);
}

static bool reduce_inner(const rt_engine *e, reduce_work *w, const rt_array *x, int first)
{
    if (!one_dim(x, first, x->type.rank - 1, &w->run, &w->run_step) || (w->run > 1 && w->run_step != 1))
        return false;
    w->outer = dims_before(x, first);
    rt_split(e, inner_chunk, w, rt_loop_count(&w->outer), 20 + 0.04 * (double)(w->run * w->size));
    return true;
}

static bool reduce_outer(const rt_engine *e, reduce_work *w, const rt_array *x, int first, int last)
{
    int64_t step, units;
    int threads = e->pool ? rt_pool_threads(e->pool) : 1;

    if (!one_dim(x, first, last, &w->run, &w->run_step) ||
        !one_dim(x, last + 1, x->type.rank - 1, &w->cols, &step) || (w->cols > 1 && step != 1))
        return false;
    w->outer = dims_before(x, first);
    units = rt_loop_count(&w->outer);
    w->tile = w->cols;
    if (units < threads) /* whole cache lines per thread */
        w->tile = (w->cols / threads + 63) / 64 * 64;
    if (w->tile < 64)
        w->tile = 64;
    if (w->tile > RT_OUTER_TILE)
        w->tile = RT_OUTER_TILE;
    units *= (w->cols + w->tile - 1) / w->tile;
    rt_split(e, outer_chunk, w, units, 20 + 0.04 * (double)(w->run * w->tile * w->size));
    return true;
}

/* Axes [first, last] of x, one run, into y (row-major, x's dims without them). */
static ir_status reduce_run(const rt_engine *e, rt_reduce_kind kind, const rt_array *x, int first, int last,
                            void *y)
{
    ir_dtype d = (ir_dtype)x->type.dtype;
    reduce_work w = {.inner_fn = e->level->inner[kind][d], .outer_fn = e->level->outer[kind][d]};
    bool inner = last == x->type.rank - 1;
    rt_array copy;

    w.x = x->data;
    w.y = y;
    w.size = w.y_size = (int64_t)ir_dtype_size(d);
    if (inner ? reduce_inner(e, &w, x, first) : reduce_outer(e, &w, x, first, last))
        return IR_OK;
    if (rt_contiguous_of(e, x, &copy) != IR_OK)
        return IR_ENOMEM;
    w.x = copy.data;
    if (inner)
        reduce_inner(e, &w, &copy, first);
    else
        reduce_outer(e, &w, &copy, first, last);
    rt_scratch_free(x, &copy);
    return IR_OK;
}

/* x's type without dims [first, last]. */
static ir_type without(const ir_type *t, int first, int last)
{
    ir_type y = {.dtype = t->dtype};

    for (int i = 0; i < t->rank; i++)
        if (i < first || i > last)
            y.dims[y.rank++] = t->dims[i];
    return y;
}

static rt_reduce_kind kind_of(ir_op op)
{
    switch (op) {
    case IR_reduce_max: return RT_MAX;
    case IR_reduce_min: return RT_MIN;
    case IR_reduce_prod: return RT_PROD;
    case IR_reduce_all: return RT_ALL;
    case IR_reduce_any: return RT_ANY;
    default: return RT_SUM;
    }
}

ir_status rt_reduce(const rt_engine *e, ir_op op, const ir_attrs *a, const rt_array *x, const rt_array *y)
{
    rt_reduce_kind kind = kind_of(op);
    rt_array from = *x;
    ir_status s = IR_OK;

    if (!e->level->inner[kind][x->type.dtype])
        return IR_EDTYPE;
    for (int i = a->n - 1; i >= 0 && s == IR_OK; i--) {
        int last = a->axes[i];
        rt_array to;

        while (i > 0 && a->axes[i - 1] == a->axes[i] - 1)
            i--;
        ir_type t = without(&from.type, a->axes[i], last);
        to = rt_array_of(&t, i == 0 ? y->data : rt_alloc(ir_type_bytes(&t)));
        s = to.data ? reduce_run(e, kind, &from, a->axes[i], last, to.data) : IR_ENOMEM;
        if (from.data != x->data)
            rt_free(from.data, ir_type_bytes(&from.type));
        from = to;
    }
    if (s != IR_OK && from.data && from.data != x->data && from.data != y->data)
        rt_free(from.data, ir_type_bytes(&from.type));
    return s;
}

/* The reduced axes go last, so that their row-major index is the position in a contiguous row. */
ir_status rt_arg_reduce(const rt_engine *e, ir_op op, const ir_attrs *a, const rt_array *x, const rt_array *y)
{
    rt_inner_fn *const *of = op == IR_argmax ? e->level->argmax : e->level->argmin;
    reduce_work w = {.inner_fn = of[x->type.dtype], .y = y->data, .y_size = sizeof(int64_t)};
    rt_array view = {.type = {.dtype = x->type.dtype}, .data = x->data}, rows;
    unsigned reduced = 0;

    if (!w.inner_fn)
        return IR_EDTYPE;
    for (int i = 0; i < a->n; i++)
        reduced |= 1u << a->axes[i];
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < x->type.rank; i++)
            if ((int)(reduced >> i & 1) == pass) {
                view.strides[view.type.rank] = x->strides[i];
                view.type.dims[view.type.rank++] = x->type.dims[i];
            }
    if (rt_contiguous_of(e, &view, &rows) != IR_OK)
        return IR_ENOMEM;
    w.x = rows.data;
    w.size = (int64_t)ir_dtype_size((ir_dtype)x->type.dtype);
    reduce_inner(e, &w, &rows, x->type.rank - a->n);
    rt_scratch_free(&view, &rows);
    return IR_OK;
}
