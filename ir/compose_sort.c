/* ir/compose_sort.c: scans with options, sorting and what is made of it (compose.h).
 *
 *   cumsum exclusive  1 2 3  ->  0 1 3         the operand is shifted, then scanned
 *   sort              argsort along the axis, then the elements at those places
 *   topk              the first k places of an argsort
 *
 * argsort sorts the last axis: another one is moved there and back. */
#include "ir/compose.h"
#include "ir/compose_check.h"
#include "ir/emit.h"

ir_val ir_c_cumulate(ir_sink *s, ir_op kind, ir_val x, int axis, bool exclusive, bool reverse)
{
    if (!ir_c_axis(s, ir_ops[kind].name, x, axis, &axis)) {
        return 0;
    }
    if (exclusive) {
        x = ir_e_shift(s, x, axis, !reverse, kind == IR_cumprod);
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

/* The first k of a sorted axis. */
static ir_val first(ir_sink *s, ir_val x, int axis, int64_t k)
{
    int64_t start[IR_MAX_RANK] = {0}, limit[IR_MAX_RANK];

    if (!x) {
        return 0;
    }
    ir_type t = ir_c_type(s, x);
    for (int i = 0; i < t.rank; i++) {
        limit[i] = i == axis ? k : t.dims[i];
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
            y = first(s, ir_c_argsort(s, x, axis, largest), axis, k);
        }
    }
    return ir_c_close(s, outer, y);
}
