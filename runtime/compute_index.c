/* runtime/compute_index.c: gather, scatters and boxes at places known only at run time (numerics rule 8).
 *
 *   gather          y[i, :] = x[index[i], :]
 *   scatter_*       y = x, then y[index[i], :] op= update[i, :] in ascending i
 *   dynamic_slice   y[i..] = x[start + i..]        dynamic_update   y = x, then y[start + i..] = update[i..]
 *
 * Indices are clamped.  Wide rows of a scatter are shared out by columns, narrow ones by destination; either
 * way every chunk looks at every index, so there are as many as threads.  Operands that are not row-major are
 * copied first. */
#include "runtime/compute.h"

#include <string.h>

enum { LEAST_COLUMNS = 16 }; /* that a thread takes of every row */

typedef struct index_work {
    const rt_level *level;
    rt_row_fn *combine; /* scatter: of what is there and the update; NULL: the update replaces it */
    const void *index, *x;
    bool wide;                      /* i64 indices */
    int64_t rows, count, row, size; /* rows to choose from, indices, elements of a row, bytes of an element */
    void *y;
} index_work;

static int64_t within(int64_t at, int64_t last)
{
    return at < 0 ? 0 : at > last ? last : at;
}

static int64_t clamped(const index_work *w, int64_t i)
{
    return within(w->wide ? ((const int64_t *)w->index)[i] : ((const int32_t *)w->index)[i], w->rows - 1);
}

static void gather_chunk(void *const *args, int64_t begin, int64_t end)
{
    const index_work *w = args[0];
    int64_t bytes = w->row * w->size;

    for (int64_t i = begin; i < end; i++)
        w->level->copy[w->size](rt_at(w->y, i * bytes), 1, rt_at(w->x, clamped(w, i) * bytes), 1, w->row);
}

/* Update row i's elements [first, first + n) into row `to`. */
static void scatter_row(const index_work *w, int64_t to, int64_t i, int64_t first, int64_t n)
{
    void *y = rt_at(w->y, (to * w->row + first) * w->size);
    const void *in[2] = {y, rt_at(w->x, (i * w->row + first) * w->size)};

    if (w->combine)
        w->combine(y, in, n, NULL); /* element by element, so y may be an operand */
    else
        memcpy(y, in[1], (size_t)(n * w->size));
}

static void scatter_columns(void *const *args, int64_t begin, int64_t end)
{
    const index_work *w = args[0];

    for (int64_t i = 0; i < w->count; i++)
        scatter_row(w, clamped(w, i), i, begin, end - begin);
}

static void scatter_rows(void *const *args, int64_t begin, int64_t end)
{
    const index_work *w = args[0];

    for (int64_t i = 0; i < w->count; i++) {
        int64_t to = clamped(w, i);

        if (to >= begin && to < end)
            scatter_row(w, to, i, 0, w->row);
    }
}

static index_work describe(const rt_engine *e, const rt_array *table, const rt_array *index,
                           const rt_array *y)
{
    index_work w = {.level = e->level, .wide = index->type.dtype == IR_DT_i64, .rows = table->type.dims[0]};

    w.count = ir_type_elements(&index->type);
    w.row = ir_type_elements(&table->type) / w.rows;
    w.size = (int64_t)ir_dtype_size((ir_dtype)table->type.dtype);
    w.y = y->data;
    return w;
}

static ir_status gather(const rt_engine *e, const rt_array *x, const rt_array *index, const rt_array *y)
{
    index_work w = describe(e, x, index, y);
    rt_array rows, at;
    ir_status s = rt_contiguous_of(e, index, &at);

    if (s != IR_OK)
        return s;
    s = rt_contiguous_of(e, x, &rows);
    if (s == IR_OK) {
        w.index = at.data;
        w.x = rows.data;
        rt_split(e, gather_chunk, &w, w.count, 4 + 0.1 * (double)(w.row * w.size));
        rt_scratch_free(x, &rows);
    }
    rt_scratch_free(index, &at);
    return s;
}

static void scatter_all(const rt_engine *e, index_work *w)
{
    void *args[1] = {w};
    int64_t threads = e->pool ? rt_pool_threads(e->pool) : 1;
    double ns = (double)w->count * (4 + 0.1 * (double)w->row);
    bool wide = w->row >= threads * LEAST_COLUMNS;
    int64_t n = wide ? w->row : w->rows;

    if (threads > 1 && ns > 20000)
        rt_parallel(e->pool, wide ? scatter_columns : scatter_rows, args, n, (n + threads - 1) / threads);
    else
        scatter_columns(args, 0, w->row);
}

static ir_status scatter(const rt_engine *e, ir_op op, const rt_array *const *x, const rt_array *y)
{
    index_work w = describe(e, x[0], x[1], y);
    ir_op combine = ir_scatter_op(op);
    rt_array update, at;
    ir_status s = rt_contiguous_of(e, x[1], &at);

    if (s != IR_OK)
        return s;
    s = rt_contiguous_of(e, x[2], &update);
    if (s == IR_OK) {
        w.combine = combine == IR_OP_COUNT ? NULL : e->level->pointwise[x[0]->type.dtype][combine];
        w.index = at.data;
        w.x = update.data;
        rt_copy(e, x[0], y->data);
        scatter_all(e, &w);
        rt_scratch_free(x[2], &update);
    }
    rt_scratch_free(x[1], &at);
    return s;
}

/* Offset in elements of a box of type `part` in an array of type `whole` with these strides. */
static int64_t origin(const rt_array *start, const ir_type *whole, const ir_type *part,
                      const int64_t *strides)
{
    int64_t sum = 0, size = (int64_t)ir_dtype_size((ir_dtype)start->type.dtype);

    for (int d = 0; d < whole->rank; d++) {
        const void *p = rt_at(start->data, d * start->strides[0] * size);
        int64_t at = start->type.dtype == IR_DT_i64 ? *(const int64_t *)p : *(const int32_t *)p;

        sum += within(at, whole->dims[d] - part->dims[d]) * strides[d];
    }
    return sum;
}

static ir_status dynamic(const rt_engine *e, ir_op op, const rt_array *const *x, const rt_array *y)
{
    rt_array box = *x[0];

    if (op == IR_dynamic_update) {
        rt_copy(e, x[0], y->data);
        rt_place(e, x[2], y, origin(x[1], &y->type, &x[2]->type, y->strides), y->strides);
        return IR_OK;
    }
    box.type = y->type;
    box.data = rt_at(box.data, origin(x[1], &x[0]->type, &y->type, x[0]->strides) *
                                   (int64_t)ir_dtype_size((ir_dtype)y->type.dtype));
    rt_copy(e, &box, y->data);
    return IR_OK;
}

ir_status rt_index(const rt_engine *e, ir_op op, const rt_array *const *x, const rt_array *y)
{
    if (op == IR_gather)
        return gather(e, x[0], x[1], y);
    return op == IR_dynamic_slice || op == IR_dynamic_update ? dynamic(e, op, x, y) : scatter(e, op, x, y);
}
