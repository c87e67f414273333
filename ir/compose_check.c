/* ir/compose_check.c: regions and argument checks shared by the composites (compose_check.h). */
#include "ir/compose_check.h"

#define TEXT 160

const char *ir_c_open(ir_sink *s, const char *region)
{
    const char *outer = s->region;

    s->region = outer ? outer : region;
    return outer;
}

ir_val ir_c_close(ir_sink *s, const char *outer, ir_val y)
{
    s->region = outer;
    return y;
}

ir_type ir_c_type(ir_sink *s, ir_val x)
{
    return *s->type(s, x);
}

bool ir_c_misfit(ir_sink *s, const char *op, const char *why, ir_val x, ir_val z)
{
    char a[TEXT], b[TEXT];

    ir_fail(s->err, IR_ESHAPE, "%s: %s: %s and %s", op, why, ir_type_text(s->type(s, x), NULL, a, TEXT),
            ir_type_text(s->type(s, z), NULL, b, TEXT));
    return false;
}

static bool wants(ir_sink *s, const char *op, ir_val x, const char *what, bool ok)
{
    char a[TEXT];

    if (!ok) {
        ir_fail(s->err, IR_EDTYPE, "%s: %s is needed, not %s", op, what,
                ir_type_text(s->type(s, x), NULL, a, TEXT));
    }
    return ok;
}

bool ir_c_float(ir_sink *s, const char *op, ir_val x)
{
    return x && wants(s, op, x, "a float dtype", ir_dtype_is_float(s->type(s, x)->dtype));
}

bool ir_c_integer(ir_sink *s, const char *op, ir_val x)
{
    return x && wants(s, op, x, "an integer type", D_INT >> s->type(s, x)->dtype & 1);
}

bool ir_c_same_dtype(ir_sink *s, const char *op, ir_val x, ir_val z)
{
    char a[TEXT], b[TEXT];

    if (!x || !z) {
        return false;
    }
    if (s->type(s, x)->dtype != s->type(s, z)->dtype) {
        ir_fail(s->err, IR_EDTYPE, "%s: dtypes differ: %s and %s", op,
                ir_type_text(s->type(s, x), NULL, a, TEXT), ir_type_text(s->type(s, z), NULL, b, TEXT));
        return false;
    }
    return true;
}

bool ir_c_same_type(ir_sink *s, const char *op, ir_val x, ir_val z)
{
    return ir_c_same_dtype(s, op, x, z) &&
           (ir_shape_eq(s->type(s, x), s->type(s, z)) || ir_c_misfit(s, op, "shapes differ", x, z));
}

bool ir_c_axis(ir_sink *s, const char *op, ir_val x, int axis, int *out)
{
    char a[TEXT];

    if (!x) {
        return false;
    }
    int rank = s->type(s, x)->rank;
    *out = axis < 0 ? axis + rank : axis;
    if (axis < -rank || axis >= rank) {
        ir_fail(s->err, IR_ESHAPE, "%s: axis %d is not an axis of %s", op, axis,
                ir_type_text(s->type(s, x), NULL, a, TEXT));
        return false;
    }
    return true;
}
