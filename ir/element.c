/* ir/element.c: one element of any dtype as a double and back; for constants, text and tests, not for loops.
 */
#include <math.h>
#include <string.h>

#include "half.h"
#include "ir.h"

double ir_element_get(ir_dtype d, const void *p)
{
    switch (d) {
    case IR_DT_f16:
    case IR_DT_bf16: {
        uint16_t h;
        memcpy(&h, p, sizeof h);
        return d == IR_DT_f16 ? (double)half_from_f16(h) : (double)half_from_bf16(h);
    }
#define X(name, bytes, ctype, cls) \
    case IR_DT_##name: {           \
        ctype v;                   \
        memcpy(&v, p, sizeof v);   \
        return (double)v;          \
    }
        X(bool, 1, uint8_t, BOOL)
        IR_INTEGERS(X)
        IR_REALS(X)
#undef X
    case IR_DT_COUNT: break;
    }
    return 0;
}

/* v rounded toward zero to an integer in lo..hi, which C then converts as it is; hi as a double may be one
 * more. */
#define SATURATED(v, ctype, lo, hi) \
    ((v) <= (double)(lo) ? (lo) : (v) >= (double)(hi) ? (hi) : isnan(v) ? (ctype)0 : (ctype)(v))

void ir_element_set(ir_dtype d, void *p, double v)
{
    switch (d) {
#define X(name, ctype, value)    \
    case IR_DT_##name: {         \
        ctype e = value;         \
        memcpy(p, &e, sizeof e); \
        break;                   \
    }
        X(bool, uint8_t, v != 0)
        X(u8, uint8_t, SATURATED(v, uint8_t, 0, UINT8_MAX))
        X(u16, uint16_t, SATURATED(v, uint16_t, 0, UINT16_MAX))
        X(u32, uint32_t, SATURATED(v, uint32_t, 0, UINT32_MAX))
        X(u64, uint64_t, SATURATED(v, uint64_t, 0, UINT64_MAX))
        X(i8, int8_t, SATURATED(v, int8_t, INT8_MIN, INT8_MAX))
        X(i16, int16_t, SATURATED(v, int16_t, INT16_MIN, INT16_MAX))
        X(i32, int32_t, SATURATED(v, int32_t, INT32_MIN, INT32_MAX))
        X(i64, int64_t, SATURATED(v, int64_t, INT64_MIN, INT64_MAX))
        X(f16, uint16_t, half_to_f16(half_odd_f32(v)))
        X(bf16, uint16_t, half_to_bf16(half_odd_f32(v)))
        X(f32, float, (float)v)
        X(f64, double, v)
#undef X
    case IR_DT_COUNT: break;
    }
}
