/* tests/codegen/scalar_rows_c.h: `static int c_<DT>(ir_op op, const void *const *x, void *y)` runs the C
 * value of a row over COUNT elements; 0 where the row does not accept DT.  Part of test_scalar.c, included
 * once per dtype (no guard). */
#define ROW(name) PASTE(v_##name, DT)
#define X(k) ((const PASTE(s_val, DT) *)x[k])[i]
#define RUN(name, ...)                                                             \
    case IR_##name:                                                                \
        for (int i = 0; i < COUNT; i++)                                            \
            ((__typeof__(ROW(name)(__VA_ARGS__)) *)y)[i] = ROW(name)(__VA_ARGS__); \
        return 1;

#define OP_UNARY(name, facts, dtypes, lo, hi, flops, saves, formula, VALUE, GRAD, kink) \
    ON_##dtypes(RUN(name, X(0)))
#define OP_BINARY(name, facts, dtypes, lo, hi, flops, saves, formula, VALUE, GRADX, GRADZ, kink) \
    ON_##dtypes(RUN(name, X(0), X(1)))
#define OP_SELECT(name, facts, dtypes, lo, hi, flops, saves, formula, VALUE, GRADX, GRADZ, kink) \
    ON_##dtypes(RUN(name, ((const uint8_t *)x[0])[i], X(1), X(2)))

static int PASTE(c, DT)(ir_op op, const void *const *x, void *y)
{
    switch (op) {
#include "ir/ops.def"
    default: return 0;
    }
}

#undef ROW
#undef X
#undef RUN
