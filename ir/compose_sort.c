/* ir/compose_sort.c: scans with options, sorting and what is made of it (compose.h).
 *
 *   cumsum exclusive  1 2 3  ->  0 1 3         the operand is shifted, then scanned
 *   cummax exclusive  1 3 2  ->  -inf 1 3
 *   sort              argsort along the axis, then the elements at those places
 *   topk              the first k places of an argsort
 *   median            the element at place (n - 1) / 2, or the last one if that is a NaN
 *
 * argsort sorts the last axis: another one is moved there and back. */
#include "ir/compose.h"
#include "ir/compose_check.h"
#include "ir/emit.h"

#include <math.h>

/* What a scan begins with: of integers the limit of their range. */
static double neutral(ir_op kind)
{
    return kind == IR_cumprod ? 1 : kind == IR_cummax ? -INFINITY : kind == IR_cummin ? INFINITY : 0;
}

ir_val ir_c_cumulate(ir_sink *s, ir_op kind, ir_val x, int axis, bool exclusive, bool reverse)
{
    if (!ir_c_axis(s, ir_ops[kind].name, x, axis, &axis)) {
        return 0;
    }
    if (exclusive) {
        x = ir_e_shift(s, x, axis, !reverse, neutral(kind));
    }
    return ir_e_scan(s, kind, x, axis, reverse);
}

ir_val ir_c_linear_scan(ir_sink *s, ir_val x, ir_val z, int axis, bool reverse)
{
    return z && ir_c_axis(s, "linear_scan", x, axis, &axis) ? ir_e_linear_scan(s, x, z, axis, reverse) : 0;
}

/* x with `axis` and the last axis exchanged; its own inverse. */
static ir_val exchanged(ir_sink *s, ir_val x, int axis)
{
    int perm[IR_MAX_RANK], last;

    if (!x) {
        return 0;
    }
    last = s->type(s, x)->rank - 1;
    if (axis == last) {
        return x;
    }
    for (int i = 0; i <= last; i++) {
        perm[i] = i == axis ? last : i == last ? axis : i;
    }
    return ir_e_transpose(s, x, perm);
}

/* x is of numbers and has the axis; said before axes are exchanged, so that messages show x as it is. */
static bool sortable(ir_sink *s, const char *op, ir_val x, int axis, int *out)
{
    char text[160];

    if (x && !(ir_ops[IR_argsort].dtypes >> s->type(s, x)->dtype & 1)) {
        ir_fail(s->err, IR_EDTYPE, "%s: numbers are needed, not %s", op,
                ir_type_text(s->type(s, x), NULL, text, sizeof text));
        return false;
    }
    return ir_c_axis(s, op, x, axis, out);
}

ir_val ir_c_argsort(ir_sink *s, ir_val x, int axis, bool descending)
{
    const char *outer = ir_c_open(s, "argsort");
    ir_val y = 0;

    if (sortable(s, "argsort", x, axis, &axis)) {
        y = exchanged(s, ir_e_argsort(s, exchanged(s, x, axis), descending), axis);
    }
    return ir_c_close(s, outer, y);
}

/* k elements of one axis from `from` on. */
ir_val ir_c_part(ir_sink *s, ir_val x, int axis, int64_t from, int64_t k)
{
    int64_t start[IR_MAX_RANK], limit[IR_MAX_RANK];

    if (!x) {
        return 0;
    }
    ir_type t = ir_c_type(s, x);
    for (int i = 0; i < t.rank; i++) {
        start[i] = i == axis ? from : 0;
        limit[i] = i == axis ? from + k : t.dims[i];
    }
    return ir_e_slice(s, x, start, limit, NULL);
}

ir_val ir_c_topk(ir_sink *s, ir_val x, int64_t k, int axis, bool largest)
{
    const char *outer = ir_c_open(s, "topk");
    char text[160];
    ir_val y = 0;

    if (sortable(s, "topk", x, axis, &axis)) {
        ir_type t = ir_c_type(s, x);
        if (k < 1 || (t.dims[axis] > 0 && k > t.dims[axis])) {
            ir_fail(s->err, IR_ESHAPE, "topk: %lld of axis %d of %s", (long long)k, axis,
                    ir_type_text(&t, NULL, text, sizeof text));
        } else {
            y = ir_c_part(s, ir_c_argsort(s, x, axis, largest), axis, 0, k);
        }
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_median(ir_sink *s, ir_val x, int axis, bool keep)
{
    const char *outer = ir_c_open(s, "median");
    ir_val y = 0;

    if (sortable(s, "median", x, axis, &axis)) {
        char text[160];
        ir_type t = ir_c_type(s, x);
        int64_t n = t.dims[axis];
        if (!ir_type_is_static(&t)) {
            ir_fail(s->err, IR_EUNSUPPORTED, "median: %s has symbolic extents, which must be known here",
                    ir_type_text(&t, NULL, text, sizeof text));
            return ir_c_close(s, outer, 0);
        }
        ir_val places = ir_c_argsort(s, x, axis, false), last = ir_c_part(s, places, axis, n - 1, 1);
        ir_val top = ir_c_take_along_axis(s, x, last, axis), nan = ir_e_ne(s, top, top);
        ir_val middle = ir_c_part(s, places, axis, (n - 1) / 2, 1);
        y = ir_c_take_along_axis(s, x, ir_e_select(s, nan, last, middle), axis);
        y = keep ? y : ir_c_squeeze(s, y, axis);
    }
    return ir_c_close(s, outer, y);
}
