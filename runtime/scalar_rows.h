/* runtime/scalar_rows.h: v_<op>_<DT> for every pointwise row that accepts DT.
 *
 * Part of runtime/scalar_c.h, included once per dtype (so without a guard).  ON_D_NUM(text) is text or
 * nothing: the class of dtypes is pasted before it expands.  So is the outermost operation of VALUE, which
 * tells compares. */
#define OP_UNARY(name, facts, dtypes, lo, hi, flops, saves, formula, VALUE, GRAD, kink) \
    ON_##dtypes(S_INLINE S_SECOND(S_IS_##VALUE, V) SFX(v_##name)(V x) { return VALUE; })
#define OP_BINARY(name, facts, dtypes, lo, hi, flops, saves, formula, VALUE, GRADX, GRADZ, kink) \
    ON_##dtypes(S_INLINE S_SECOND(S_IS_##VALUE, V) SFX(v_##name)(V x, V z) { return VALUE; })
#define OP_SELECT(name, facts, dtypes, lo, hi, flops, saves, formula, VALUE, GRADX, GRADZ, kink) \
    ON_##dtypes(S_INLINE V SFX(v_##name)(uint8_t p, V x, V z) { return VALUE; })
#include "ir/ops.def"
