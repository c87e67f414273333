/* runtime/compute_copy.c: moving elements: loops over strided spaces, copies, transposes, pad, concat.
 *
 * A copy whose inner dim is strided in the source but has a dim that is contiguous there runs as blocked
 * transposes; everything else moves rows. */
#include "runtime/compute.h"

#include <string.h>

void rt_loop_collapse(rt_loop *l, int arrays)
{
    int out = 0;

    for (int i = 0; i < l->rank; i++) {
        bool merge = out > 0;

        if (l->extent[i] == 1)
            continue;
        for (int j = 0; j < arrays && merge; j++)
            merge = l->step[j][out - 1] == l->step[j][i] * l->extent[i];
        out -= merge;
        l->extent[out] = merge ? l->extent[out] * l->extent[i] : l->extent[i];
        for (int j = 0; j < arrays; j++)
            l->step[j][out] = l->step[j][i];
        out++;
    }
    if (out == 0) {
        l->extent[0] = 1;
        for (int j = 0; j < arrays; j++)
            l->step[j][0] = 1;
        out = 1;
    }
    l->rank = out;
}

rt_loop rt_loop_of(const rt_array *x)
{
    rt_loop l = {.rank = x->type.rank};

    for (int i = 0; i < l.rank; i++) {
        l.extent[i] = x->type.dims[i];
        l.step[0][i] = x->strides[i];
    }
    rt_loop_collapse(&l, 1);
    return l;
}

int64_t rt_loop_count(const rt_loop *l)
{
    int64_t n = 1;

    for (int i = 0; i < l->rank; i++)
        n *= l->extent[i];
    return n;
}

/* Index of a linear position, and the offset of one array there. */
static int64_t locate(const rt_loop *l, int which, int64_t linear, int64_t index[IR_MAX_RANK])
{
    int64_t offset = 0;

    for (int i = l->rank - 1; i >= 0; i--) {
        index[i] = linear % l->extent[i];
        linear /= l->extent[i];
        offset += index[i] * l->step[which][i];
    }
    return offset;
}

/* To the start of the next row: dims 0 .. rank - 2 count up. */
static int64_t next_row(const rt_loop *l, int which, int64_t offset, int64_t index[IR_MAX_RANK])
{
    for (int i = l->rank - 2; i >= 0; i--) {
        offset += l->step[which][i];
        if (++index[i] < l->extent[i])
            break;
        offset -= l->extent[i] * l->step[which][i];
        index[i] = 0;
    }
    return offset;
}

void rt_gather_range(const rt_level *v, const rt_loop *l, int which, size_t size, const void *x,
                     int64_t begin, int64_t n, void *y)
{
    int64_t index[IR_MAX_RANK] = {0}, bytes = (int64_t)size, inner = l->extent[l->rank - 1];
    int64_t step = l->step[which][l->rank - 1], offset = locate(l, which, begin, index);
    int64_t column = index[l->rank - 1];
    char *to = y;

    while (n > 0) {
        int64_t count = inner - column < n ? inner - column : n;

        v->copy[size](to, 1, rt_at(x, offset * bytes), step, count);
        to += count * bytes;
        n -= count;
        offset = next_row(l, which, offset - column * step, index);
        column = 0;
    }
}

typedef struct copy_work {
    const rt_level *level;
    rt_loop loop; /* array 0: source, 1: destination */
    size_t size;
    const void *x;
    void *y;
} copy_work;

static void copy_chunk(void *const *args, int64_t begin, int64_t end)
{
    const copy_work *w = args[0];

    rt_gather_range(w->level, &w->loop, 0, w->size, w->x, begin, end - begin,
                    rt_at(w->y, begin * (int64_t)w->size));
}

/* The dim that is contiguous in the source while the last one is not; -1: rows are the better way. */
static int transposed_dim(const rt_loop *l)
{
    if (l->step[0][l->rank - 1] <= 1)
        return -1;
    for (int i = 0; i < l->rank - 1; i++)
        if (l->step[0][i] == 1 && l->extent[i] >= 4)
            return i;
    return -1;
}

bool rt_is_transposed(const rt_array *x)
{
    rt_loop l = rt_loop_of(x);

    return transposed_dim(&l) >= 0;
}

/* A unit is up to 64 rows (of the contiguous source dim, which copy_transposed put last but one) of one
 * plane. */
#define PLANE_ROWS 64

static void transpose_chunk(void *const *args, int64_t begin, int64_t end)
{
    const copy_work *w = args[0];
    const rt_loop *l = &w->loop;
    int r = l->rank - 2, c = l->rank - 1;
    int64_t bands = (l->extent[r] + PLANE_ROWS - 1) / PLANE_ROWS, size = (int64_t)w->size;

    for (int64_t u = begin; u < end; u++) {
        int64_t row = u % bands * PLANE_ROWS, from = row, to = row * l->step[1][r], plane = u / bands;
        int64_t rows = l->extent[r] - row < PLANE_ROWS ? l->extent[r] - row : PLANE_ROWS;

        for (int i = r - 1; i >= 0; i--) {
            from += plane % l->extent[i] * l->step[0][i];
            to += plane % l->extent[i] * l->step[1][i];
            plane /= l->extent[i];
        }
        w->level->transpose[w->size](rt_at(w->y, to * size), l->step[1][r], rt_at(w->x, from * size),
                                     l->step[0][c], rows, l->extent[c]);
    }
}

static void copy_transposed(const rt_engine *e, copy_work *w, int dim)
{
    rt_loop *l = &w->loop;
    int last = l->rank - 1;
    int64_t planes, next = 1;

    for (int i = last; i >= 0; i--) {
        l->step[1][i] = next;
        next *= l->extent[i];
    }
    planes = next / l->extent[last] / l->extent[dim];
    for (int i = dim; i < last - 1; i++) { /* dim moves to last - 1 */
        int64_t extent = l->extent[i], to = l->step[1][i];

        l->extent[i] = l->extent[i + 1];
        l->step[0][i] = l->step[0][i + 1];
        l->step[1][i] = l->step[1][i + 1];
        l->extent[i + 1] = extent;
        l->step[0][i + 1] = 1;
        l->step[1][i + 1] = to;
    }
    rt_split(e, transpose_chunk, w, planes * ((l->extent[last - 1] + PLANE_ROWS - 1) / PLANE_ROWS),
             0.3 * PLANE_ROWS * (double)l->extent[last]);
}

void rt_copy(const rt_engine *e, const rt_array *x, void *y)
{
    copy_work w = {e->level, rt_loop_of(x), ir_dtype_size((ir_dtype)x->type.dtype), x->data, y};
    int dim = transposed_dim(&w.loop);

    if (dim >= 0)
        copy_transposed(e, &w, dim);
    else
        rt_split(e, copy_chunk, &w, rt_loop_count(&w.loop), 0.05 * (double)w.size);
}

ir_status rt_contiguous_of(const rt_engine *e, const rt_array *x, rt_array *out)
{
    *out = *x;
    if (rt_array_is_contiguous(x))
        return IR_OK;
    *out = rt_array_of(&x->type, rt_alloc(ir_type_bytes(&x->type)));
    if (!out->data)
        return IR_ENOMEM;
    rt_copy(e, x, out->data);
    return IR_OK;
}

void rt_scratch_free(const rt_array *x, const rt_array *copy)
{
    if (copy->data != x->data)
        rt_free(copy->data, ir_type_bytes(&copy->type));
}

/* ---- pad and concat: rows at their places ------------------------------------------------------------- */

static void place_chunk(void *const *args, int64_t begin, int64_t end)
{
    const copy_work *w = args[0];
    const rt_loop *l = &w->loop;
    int64_t from_index[IR_MAX_RANK] = {0}, to_index[IR_MAX_RANK] = {0}, inner = l->extent[l->rank - 1],
            size = (int64_t)w->size;
    int64_t from = locate(l, 0, begin * inner, from_index), to = locate(l, 1, begin * inner, to_index);

    for (int64_t u = begin; u < end; u++) {
        w->level->copy[w->size](rt_at(w->y, to * size), l->step[1][l->rank - 1], rt_at(w->x, from * size),
                                l->step[0][l->rank - 1], inner);
        from = next_row(l, 0, from, from_index);
        to = next_row(l, 1, to, to_index);
    }
}

void rt_place(const rt_engine *e, const rt_array *x, const rt_array *y, int64_t first, const int64_t *step)
{
    copy_work w = {.level = e->level, .size = ir_dtype_size((ir_dtype)x->type.dtype), .x = x->data};
    int64_t inner;

    w.loop.rank = x->type.rank;
    for (int i = 0; i < x->type.rank; i++) {
        w.loop.extent[i] = x->type.dims[i];
        w.loop.step[0][i] = x->strides[i];
        w.loop.step[1][i] = step[i];
    }
    w.y = rt_at(y->data, first * (int64_t)w.size);
    rt_loop_collapse(&w.loop, 2);
    inner = w.loop.extent[w.loop.rank - 1];
    rt_split(e, place_chunk, &w, rt_loop_count(&w.loop) / inner, 5 + 0.1 * (double)inner);
}

ir_status rt_pad(const rt_engine *e, const ir_attrs *a, const rt_array *x, const rt_array *y)
{
    int64_t first = 0, step[IR_MAX_RANK];

    for (int i = 0; i < x->type.rank; i++) {
        step[i] = y->strides[i] * (a->pad.interior[i] + 1);
        first += y->strides[i] * a->pad.low[i];
    }
    memset(y->data, 0, ir_type_bytes(&y->type)); /* +0 and false are zero bytes */
    rt_place(e, x, y, first, step);
    return IR_OK;
}

ir_status rt_concat(const rt_engine *e, const ir_attrs *a, const rt_array *const *x, int n, const rt_array *y)
{
    int axis = a->axes[0];

    for (int64_t i = 0, first = 0; i < n; first += x[i++]->type.dims[axis] * y->strides[axis])
        rt_place(e, x[i], y, first, y->strides);
    return IR_OK;
}
