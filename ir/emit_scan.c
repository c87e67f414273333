/* ir/emit_scan.c: emit helpers of what walks along one axis (emit.h).
 *
 *   shift late   1 2 3 4  ->  fill 1 2 3        shift early  1 2 3 4  ->  2 3 4 fill */
#include "ir/emit.h"

ir_val ir_e_scan(ir_sink *s, ir_op kind, ir_val x, int axis, bool reverse)
{
    ir_attrs a = {.scan = {(uint64_t)axis, reverse}};

    return ir_emit(s, kind, &a, &x, 1);
}

ir_val ir_e_linear_scan(ir_sink *s, ir_val x, ir_val z, int axis, bool reverse)
{
    ir_attrs a = {.scan = {(uint64_t)axis, reverse}};

    return ir_emit(s, IR_linear_scan, &a, (const ir_val[]){x, z}, 2);
}

ir_val ir_e_argsort(ir_sink *s, ir_val x, bool descending)
{
    ir_attrs a = {.scan = {.reverse = descending}};

    return ir_emit(s, IR_argsort, &a, &x, 1);
}

/* y, but `fill` where the axis' index is `at`. */
static ir_val with_fill(ir_sink *s, ir_val y, const ir_type *t, int axis, int64_t at, double fill)
{
    ir_type places = ir_type_with(t, IR_DT_i64);
    ir_val i = ir_e_iota_axis(s, &places, axis);

    return ir_e_select(s, ir_e_eq(s, i, ir_e_like(s, i, (double)at)), ir_e_like(s, y, fill), y);
}

ir_val ir_e_shift(ir_sink *s, ir_val x, int axis, bool late, double fill)
{
    int64_t start[IR_MAX_RANK] = {0}, limit[IR_MAX_RANK], low[IR_MAX_RANK] = {0}, high[IR_MAX_RANK] = {0};

    if (!x) {
        return 0;
    }
    ir_type t = *s->type(s, x);
    if (t.dims[axis] == 1) {
        return ir_e_like(s, x, fill);
    }
    for (int i = 0; i < t.rank; i++) {
        limit[i] = t.dims[i];
    }
    start[axis] = !late;
    limit[axis] -= late;
    low[axis] = late;
    high[axis] = !late;
    ir_val y = ir_e_pad(s, ir_e_slice(s, x, start, limit, NULL), low, high, NULL);

    return fill == 0 ? y : with_fill(s, y, &t, axis, late ? 0 : t.dims[axis] - 1, fill);
}
