/* runtime/compute_index.c: gather and scatter_add of rows (numerics rule 8).
 *
 *   gather       y[i, :] = x[index[i], :]
 *   scatter_add  y = x, then y[index[i], :] += update[i, :] in ascending i; threads split the columns
 *
 * Indices are clamped.  Operands that are not row-major are copied first. */
#include "runtime/compute.h"

typedef struct index_work {
    const rt_level *level;
    rt_accumulate_fn *accumulate;
    const void *index, *x;
    bool wide;                      /* i64 indices */
    int64_t rows, count, row, size; /* rows to choose from, indices, elements of a row, bytes of an element */
    void *y;
} index_work;

static int64_t clamped(const index_work *w, int64_t i)
{
    int64_t at = w->wide ? ((const int64_t *)w->index)[i] : ((const int32_t *)w->index)[i];

    return at < 0 ? 0 : at >= w->rows ? w->rows - 1 : at;
}

static void gather_chunk(void *const *args, int64_t begin, int64_t end)
{
    const index_work *w = args[0];
    int64_t bytes = w->row * w->size;

    for (int64_t i = begin; i < end; i++)
        w->level->copy[w->size](rt_at(w->y, i * bytes), 1, rt_at(w->x, clamped(w, i) * bytes), 1, w->row);
}

static void scatter_chunk(void *const *args, int64_t begin, int64_t end)
{
    const index_work *w = args[0];

    for (int64_t i = 0; i < w->count; i++)
        w->accumulate(rt_at(w->y, (clamped(w, i) * w->row + begin) * w->size),
                      rt_at(w->x, (i * w->row + begin) * w->size), end - begin);
}

static index_work describe(const rt_engine *e, const rt_array *table, const rt_array *index,
                           const rt_array *y)
{
    index_work w = {.level = e->level, .wide = index->type.dtype == IR_DT_i64, .rows = table->type.dims[0]};

    w.count = ir_type_elements(&index->type);
    w.row = ir_type_elements(&table->type) / w.rows;
    w.size = (int64_t)ir_dtype_size((ir_dtype)table->type.dtype);
    w.accumulate = e->level->accumulate[table->type.dtype];
    w.y = y->data;
    return w;
}

ir_status rt_gather(const rt_engine *e, const rt_array *x, const rt_array *index, const rt_array *y)
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

ir_status rt_scatter_add(const rt_engine *e, const rt_array *const *x, const rt_array *y)
{
    index_work w = describe(e, x[0], x[1], y);
    rt_array update, at;
    ir_status s = rt_contiguous_of(e, x[1], &at);

    if (s != IR_OK)
        return s;
    s = w.accumulate ? rt_contiguous_of(e, x[2], &update) : IR_EDTYPE;
    if (s == IR_OK) {
        w.index = at.data;
        w.x = update.data;
        rt_copy(e, x[0], y->data);
        rt_split(e, scatter_chunk, &w, w.row, 0.1 * (double)w.count);
        rt_scratch_free(x[2], &update);
    }
    rt_scratch_free(x[1], &at);
    return s;
}
