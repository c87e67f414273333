/* codegen/scalar_rows.h: the rows of one dtype as a switch; part of codegen/scalar.c, included once per dtype
 * (no guard). The class of dtypes is pasted before it expands: ON_D_NUM(text) is text or nothing. */
S_ROWS
{
#define OP_UNARY(name, facts, dtypes, lo, hi, flops, saves, formula, VALUE, GRAD, kink) \
    ON_##dtypes(case IR_##name : {                                                      \
        R x = v[0];                                                                     \
        return VALUE;                                                                   \
    })
#define OP_BINARY(name, facts, dtypes, lo, hi, flops, saves, formula, VALUE, GRADX, GRADZ, kink) \
    ON_##dtypes(case IR_##name : {                                                               \
        R x = v[0], z = v[1];                                                                    \
        return VALUE;                                                                            \
    })
#define OP_SELECT(name, facts, dtypes, lo, hi, flops, saves, formula, VALUE, GRADX, GRADZ, kink) \
    ON_##dtypes(case IR_##name : {                                                               \
        R p = v[0], x = v[1], z = v[2];                                                          \
        return VALUE;                                                                            \
    })
    switch (op) {
#include "ir/ops.def"
    default: return NULL;
    }
}
