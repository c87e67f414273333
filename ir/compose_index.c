/* ir/compose_index.c: indexing beyond rows: composites of gather and scatter (compose.h).
 *
 *   take_along_axis(x [a,r,c], i [a,k,c])  ->  gather(x [a r c], (a, clamp(i), c) as one number)
 *   index_select(x [a,r,c], i [k])         ->  gather(x [a r, c], (a, clamp(i)) as one number)
 *   gather_nd(x [r,q,c], i [k,2])          ->  gather(x [r q, c], (clamp(i0), clamp(i1)) as one number)
 *
 * Places are counted in i64, whatever the dtype of the index: exact, as a shape has at most 2^40 elements.
 * Indices are clamped into their axis, as gather's own are. */
#include "ir/compose.h"
#include "ir/compose_check.h"
#include "ir/emit.h"

#include <string.h>

enum { TEXT = 160 };

static bool is_scatter(ir_op op)
{
    return op == IR_scatter_add || op == IR_scatter_set || op == IR_scatter_mul || op == IR_scatter_max ||
           op == IR_scatter_min;
}

static int64_t product(const int64_t *dims, int from, int to)
{
    int64_t n = 1;

    for (int i = from; i < to; i++) {
        n *= dims[i];
    }
    return n;
}

/* x and an index of an integer type, both of constant shape. */
static bool indexable(ir_sink *s, const char *op, ir_val x, ir_val index)
{
    if (!x || !ir_c_integer(s, op, index)) {
        return false;
    }
    return (ir_type_is_static(s->type(s, x)) && ir_type_is_static(s->type(s, index))) ||
           ir_c_misfit(s, op, "symbolic extents must be known here", x, index);
}

/* The index as i64 in 0 .. extent-1. */
static ir_val clamped(ir_sink *s, ir_val index, int64_t extent)
{
    ir_val i = ir_e_convert(s, index, IR_DT_i64);

    i = ir_e_max(s, i, ir_e_like(s, i, 0));
    return ir_e_min(s, i, ir_e_like(s, i, (double)(extent - 1)));
}

/* sum + v * stride; sum 0: none yet */
static ir_val add_scaled(ir_sink *s, ir_val sum, ir_val v, int64_t stride)
{
    v = stride == 1 ? v : ir_e_mul(s, v, ir_e_like(s, v, (double)stride));
    return sum ? ir_e_add(s, sum, v) : v;
}

/* Position along axis d of a box of shape t (i64), times stride, onto sum. */
static ir_val add_position(ir_sink *s, ir_val sum, const ir_type *t, int d, int64_t stride)
{
    ir_type wide = ir_type_with(t, IR_DT_i64);

    return t->dims[d] == 1 ? sum : add_scaled(s, sum, ir_e_iota_axis(s, &wide, d), stride);
}

/* x as a table of `count` rows of the axes from `first` on. */
static ir_val table_of(ir_sink *s, ir_val x, int64_t count, int first)
{
    ir_type t = ir_c_type(s, x);
    int64_t dims[IR_MAX_RANK] = {count};

    memcpy(dims + 1, t.dims + first, (size_t)(t.rank - first) * sizeof *dims);
    return ir_e_reshape(s, x, 1 + t.rank - first, dims);
}

static ir_val back_to(ir_sink *s, ir_val y, const ir_type *t)
{
    return ir_e_reshape(s, y, t->rank, t->dims);
}

/* ---- one axis ------------------------------------------------------------------------------------------ */

ir_val ir_c_index_select(ir_sink *s, ir_val x, ir_val index, int axis)
{
    const char *outer = ir_c_open(s, "index_select");
    ir_val y = 0;

    if (indexable(s, "index_select", x, index) && ir_c_axis(s, "index_select", x, axis, &axis)) {
        ir_type t = ir_c_type(s, x), ti = ir_c_type(s, index), box = {.rank = (uint8_t)(axis + ti.rank)};
        if (t.rank + ti.rank - 1 > IR_MAX_RANK) {
            ir_c_misfit(s, "index_select", "the result would have too many axes", x, index);
            return ir_c_close(s, outer, 0);
        }
        memcpy(box.dims, t.dims, (size_t)axis * sizeof *box.dims);
        memcpy(box.dims + axis, ti.dims, (size_t)ti.rank * sizeof *box.dims);
        ir_val at = ir_e_broadcast(s, clamped(s, index, t.dims[axis]), box.rank, box.dims);
        for (int d = 0; d < axis; d++) {
            at = add_position(s, at, &box, d, product(t.dims, d + 1, axis + 1));
        }
        y = ir_e_gather(s, table_of(s, x, product(t.dims, 0, axis + 1), axis + 1), at);
    }
    return ir_c_close(s, outer, y);
}

/* Places in flat x of the elements that an index along one axis names; 0 + error where it does not fit x. */
static ir_val along(ir_sink *s, const char *op, ir_val x, ir_val index, int axis)
{
    if (!indexable(s, op, x, index) || !ir_c_axis(s, op, x, axis, &axis)) {
        return 0;
    }
    ir_type t = ir_c_type(s, x), ti = ir_c_type(s, index);
    bool fits = t.rank == ti.rank;
    for (int d = 0; d < t.rank && fits; d++) {
        fits = d == axis || ti.dims[d] <= t.dims[d];
    }
    if (!fits) {
        ir_c_misfit(s, op, "the index must have x's rank and nowhere but on the axis a larger extent", x,
                    index);
        return 0;
    }
    ir_val at = add_scaled(s, 0, clamped(s, index, t.dims[axis]), product(t.dims, axis + 1, t.rank));
    for (int d = 0; d < t.rank; d++) {
        at = d == axis ? at : add_position(s, at, &ti, d, product(t.dims, d + 1, t.rank));
    }
    return at;
}

ir_val ir_c_take_along_axis(ir_sink *s, ir_val x, ir_val index, int axis)
{
    const char *outer = ir_c_open(s, "take_along_axis");
    ir_val at = along(s, "take_along_axis", x, index, axis), y = 0;

    if (at) {
        y = ir_e_gather(s, table_of(s, x, ir_type_elements(s->type(s, x)), s->type(s, x)->rank), at);
    }
    return ir_c_close(s, outer, y);
}

static bool scatters(ir_sink *s, const char *name, ir_op op, ir_val x, ir_val update)
{
    if (!is_scatter(op)) {
        ir_fail(s->err, IR_EARG, "%s: %s is not a scatter", name,
                (unsigned)op < IR_OP_COUNT ? ir_ops[op].name : "?");
        return false;
    }
    return ir_c_same_dtype(s, name, x, update);
}

/* scatter op over flat x, and back to its shape */
static ir_val scatter_at(ir_sink *s, ir_op op, ir_val x, ir_val table, ir_val at, ir_val update)
{
    ir_type t = ir_c_type(s, x);

    return back_to(s, ir_emit(s, op, NULL, (const ir_val[]){table, at, update}, 3), &t);
}

ir_val ir_c_put_along_axis(ir_sink *s, ir_op op, ir_val x, ir_val index, ir_val update, int axis)
{
    const char *outer = ir_c_open(s, "put_along_axis"), *name = "put_along_axis";
    ir_val at = 0, y = 0;

    if (scatters(s, name, op, x, update)) {
        at = along(s, name, x, index, axis);
    }
    if (at && !ir_shape_eq(s->type(s, index), s->type(s, update))) {
        ir_c_misfit(s, name, "index and update must have one shape", index, update);
    } else if (at) {
        ir_val flat = table_of(s, x, ir_type_elements(s->type(s, x)), s->type(s, x)->rank);
        y = scatter_at(s, op, x, flat, at, update);
    }
    return ir_c_close(s, outer, y);
}

/* ---- several axes ------------------------------------------------------------------------------------- */

/* Row numbers for index [b.., i.., depth] into x [b.., r0 .. r(depth-1), j..]; *first = first axis of the
 * rows.
 */
static ir_val rows_of(ir_sink *s, const char *op, ir_val x, ir_val index, int batch, int *first)
{
    if (!indexable(s, op, x, index)) {
        return 0;
    }
    ir_type t = ir_c_type(s, x), ti = ir_c_type(s, index), box = ti;
    int64_t depth = ti.rank ? ti.dims[ti.rank - 1] : 0;
    bool fits = ti.rank >= 1 && batch >= 0 && batch < ti.rank && batch + depth <= t.rank;

    for (int d = 0; d < batch && fits; d++) {
        fits = t.dims[d] == ti.dims[d];
    }
    box.rank = (uint8_t)(ti.rank ? ti.rank - 1 : 0);
    if (!fits || box.rank + t.rank - batch - depth > IR_MAX_RANK) {
        ir_c_misfit(s, op, "an index [batch.., .., depth] does not fit x [batch.., depth axes, ..]", x,
                    index);
        return 0;
    }
    *first = batch + (int)depth;
    ir_val at = 0;
    for (int k = 0; k < depth; k++) {
        int64_t start[IR_MAX_RANK] = {0}, limit[IR_MAX_RANK];
        memcpy(limit, ti.dims, sizeof limit);
        start[box.rank] = k;
        limit[box.rank] = k + 1;
        ir_val i = ir_e_reshape(s, ir_e_slice(s, index, start, limit, NULL), box.rank, box.dims);
        at = add_scaled(s, at, clamped(s, i, t.dims[batch + k]), product(t.dims, batch + k + 1, *first));
    }
    for (int d = 0; d < batch; d++) {
        at = add_position(s, at, &box, d, product(t.dims, d + 1, *first));
    }
    return at;
}

ir_val ir_c_gather_nd(ir_sink *s, ir_val x, ir_val index, int batch)
{
    const char *outer = ir_c_open(s, "gather_nd");
    int first = 0;
    ir_val at = rows_of(s, "gather_nd", x, index, batch, &first), y = 0;

    if (at) {
        y = ir_e_gather(s, table_of(s, x, product(s->type(s, x)->dims, 0, first), first), at);
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_scatter_nd(ir_sink *s, ir_op op, ir_val x, ir_val index, ir_val update, int batch)
{
    const char *outer = ir_c_open(s, "scatter_nd");
    int first = 0;
    ir_val at = 0, y = 0;

    if (scatters(s, "scatter_nd", op, x, update)) {
        at = rows_of(s, "scatter_nd", x, index, batch, &first);
    }
    if (at) {
        y = scatter_at(s, op, x, table_of(s, x, product(s->type(s, x)->dims, 0, first), first), at, update);
    }
    return ir_c_close(s, outer, y);
}
