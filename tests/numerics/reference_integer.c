/* tests/numerics/reference_integer.c: rule 3 on 64 bits, of which a dtype keeps the lowest; u64 by its bits.
 */
#include <math.h>

#include "numerics/reference.h"

static int64_t wrap(ir_op op, int64_t x, int64_t z)
{
    uint64_t a = (uint64_t)x, b = (uint64_t)z;

    return (int64_t)(op == IR_add ? a + b : op == IR_sub ? a - b : a * b);
}

static int64_t shift(ir_op op, ir_dtype d, int64_t x, int64_t count)
{
    int64_t width = 8 * (int64_t)ir_dtype_size(d);

    if (count < 0 || count >= width)
        return op == IR_shr && x < 0 ? -1 : 0;
    return op == IR_shr ? x >> count : (int64_t)((uint64_t)x << count);
}

/* u64: where the sign would matter. */
static bool unsigned_value(ir_op op, uint64_t x, uint64_t z, int64_t *y)
{
    uint64_t v;

    switch (op) {
    case IR_abs:
    case IR_relu: v = x; break;
    case IR_sign: v = x != 0; break;
    case IR_div: v = z == 0 ? 0 : x / z; break;
    case IR_rem: v = z == 0 ? 0 : x % z; break;
    case IR_max: v = x > z ? x : z; break;
    case IR_min: v = x < z ? x : z; break;
    case IR_lt: v = x < z; break;
    case IR_le: v = x <= z; break;
    case IR_gt: v = x > z; break;
    case IR_ge: v = x >= z; break;
    case IR_shr: v = z >= 64 ? 0 : x >> z; break;
    default: return false;
    }
    *y = (int64_t)v;
    return true;
}

int64_t ref_integer(ir_op op, ir_dtype d, int64_t x, int64_t z)
{
    int64_t y = 0;

    if (d == IR_DT_u64 && unsigned_value(op, (uint64_t)x, (uint64_t)z, &y))
        return y;
    switch (op) {
    case IR_neg: y = wrap(IR_sub, 0, x); break;
    case IR_abs: y = x < 0 ? wrap(IR_sub, 0, x) : x; break;
    case IR_sign: y = (x > 0) - (x < 0); break;
    case IR_relu: y = x > 0 ? x : 0; break;
    case IR_not: y = d == IR_DT_bool ? !x : ~x; break;
    case IR_rem: y = z == 0 || z == -1 ? 0 : x % z; break;
    case IR_stop_gradient: y = x; break;
    case IR_add:
    case IR_sub:
    case IR_mul: y = wrap(op, x, z); break;
    case IR_div: y = z == 0 ? 0 : z == -1 ? wrap(IR_sub, 0, x) : x / z; break;
    case IR_max: y = x > z ? x : z; break;
    case IR_min: y = x < z ? x : z; break;
    case IR_eq: y = x == z; break;
    case IR_ne: y = x != z; break;
    case IR_lt: y = x < z; break;
    case IR_le: y = x <= z; break;
    case IR_gt: y = x > z; break;
    case IR_ge: y = x >= z; break;
    case IR_and: y = x & z; break;
    case IR_or: y = x | z; break;
    case IR_xor: y = x ^ z; break;
    case IR_shl:
    case IR_shr: y = shift(op, d, x, z); break;
    default: break;
    }
    return y;
}

int64_t ref_saturated(double x, ir_dtype to)
{
    bool is_signed = ir_dtype_is_signed(to);
    double past = ldexp(1, 8 * (int)ir_dtype_size(to) - is_signed), least = is_signed ? -past : 0;

    if (x != x)
        return 0;
    if (x >= past)
        return to == IR_DT_u64 ? -1 : to == IR_DT_i64 ? INT64_MAX : (int64_t)past - 1;
    if (to == IR_DT_u64 && x > 0)
        return (int64_t)(uint64_t)x;
    return x <= least ? (int64_t)least : (int64_t)x;
}
