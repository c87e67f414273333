/* codegen/scalar.c: cg_value, the op table's VALUE column as LLVM vectors.
 *
 * The scalar programs and the rows are included once per dtype, as runtime/scalar_c.h includes them for C;
 * here every operation of the language is a builder call (codegen/scalar_prim.c) with the context `c`
 * implied.  Cost: the IR of a program is emitted at each use (exp f32: about 20 instructions, pow f64: about
 * 150). */
#include "codegen/scalar_prim.h"

#include <math.h>

#define S_PASTE_(a, b) a##_##b
#define S_PASTE(a, b) S_PASTE_(a, b)
#define SFX(name) S_PASTE(name, DT)
#define DTYPE SFX(IR_DT)
#define R LLVMValueRef
#define BUILDER c->b /* apart, for macros with a parameter b */

#define FN1(name, x) static R SFX(s_##name)(cg * c, R x)
#define FN2(name, x, z) static R SFX(s_##name)(cg * c, R x, R z)
#define CALL1(name, x) SFX(s_##name)(c, x)
#define CALL2(name, x, z) SFX(s_##name)(c, x, z)
#define WIDE(x) cg_s_convert(c, IR_DT_f32, IR_DT_f64, x)
#define WIDE1(name, x) cg_s_convert(c, IR_DT_f64, IR_DT_f32, s_##name##_f64(c, WIDE(x)))
#define WIDE2(name, x, z) cg_s_convert(c, IR_DT_f64, IR_DT_f32, s_##name##_f64(c, WIDE(x), WIDE(z)))
#define RETURN(v) return (v)
#define LET(name, v) R name = (v)
#define LETI(name, i) R name = (i)
#define LETM(name, m) R name = (m)
#define K(d) cg_real(c, DTYPE, d)
#define KI(i) cg_s_int(c, DTYPE, i)
#define ADD(a, b) cg_s_add(c, DTYPE, a, b)
#define SUB(a, b) cg_s_sub(c, DTYPE, a, b)
#define MUL(a, b) cg_s_mul(c, DTYPE, a, b)
#define DIV(a, b) cg_s_div(c, DTYPE, a, b)
#define NEG(a) cg_s_neg(c, DTYPE, a)
#define ABS(a) cg_s_abs(c, DTYPE, a)
#define FMA(a, b, acc) cg_fma(c, a, b, acc)
#define SCALBN(v, n, w) (cg_s_can_scalbn(c, DTYPE) ? cg_s_scalbn(c, v, n) : (w))
#define SQRT(a) cg_s_call(c, "llvm.sqrt", a)
#define ROUND(a) cg_s_round(c, DTYPE, a)
#define FLOOR(a) cg_s_call(c, "llvm.floor", a)
#define TRUNC(a) cg_s_call(c, "llvm.trunc", a)
#define MIN(a, b) cg_s_min(c, DTYPE, a, b)
#define MAX(a, b) cg_s_max(c, DTYPE, a, b)
#define EQ(a, b) cg_s_compare(c, DTYPE, LLVMRealOEQ, a, b)
#define NE(a, b) cg_s_compare(c, DTYPE, LLVMRealUNE, a, b)
#define LT(a, b) cg_s_compare(c, DTYPE, LLVMRealOLT, a, b)
#define LE(a, b) cg_s_compare(c, DTYPE, LLVMRealOLE, a, b)
#define GT(a, b) cg_s_compare(c, DTYPE, LLVMRealOGT, a, b)
#define GE(a, b) cg_s_compare(c, DTYPE, LLVMRealOGE, a, b)
#define MAND(m, n) LLVMBuildAnd(BUILDER, m, n, "")
#define MOR(m, n) LLVMBuildOr(BUILDER, m, n, "")
#define MNOT(m) LLVMBuildNot(BUILDER, m, "")
#define SEL(m, a, b) LLVMBuildSelect(BUILDER, m, a, b, "")
#define SELI(m, i, j) LLVMBuildSelect(BUILDER, m, i, j, "")
#define IADD(i, j) LLVMBuildAdd(BUILDER, i, j, "")
#define ISUB(i, j) LLVMBuildSub(BUILDER, i, j, "")
#define IMUL(i, j) LLVMBuildMul(BUILDER, i, j, "")
#define IAND(i, j) LLVMBuildAnd(BUILDER, i, j, "")
#define IOR(i, j) LLVMBuildOr(BUILDER, i, j, "")
#define IXOR(i, j) LLVMBuildXor(BUILDER, i, j, "")
#define ISHL(i, n) LLVMBuildShl(BUILDER, i, KI(n), "")
#define ISHR(i, n) LLVMBuildLShr(BUILDER, i, KI(n), "")
#define ISAR(i, n) LLVMBuildAShr(BUILDER, i, KI(n), "")
#define IEQ(i, j) LLVMBuildICmp(BUILDER, LLVMIntEQ, i, j, "")
#define ILT(i, j) LLVMBuildICmp(BUILDER, LLVMIntSLT, i, j, "")
#define BITS(v) cg_s_bits(c, DTYPE, v)
#define FROMBITS(i) cg_s_frombits(c, DTYPE, i)
#define TOI(v) cg_s_to_int(c, DTYPE, v)
#define TOF(i) cg_s_from_int(c, DTYPE, i)
#define TABLE(name, count) static const SFX(host) SFX(t_##name)[count]
#define AT(name, i) \
    cg_s_table(c, DTYPE, #name, SFX(t_##name), (int)(sizeof SFX(t_##name) / sizeof SFX(t_##name)[0]), i)
#define AND(a, b) LLVMBuildAnd(BUILDER, a, b, "")
#define OR(a, b) LLVMBuildOr(BUILDER, a, b, "")
#define XOR(a, b) LLVMBuildXor(BUILDER, a, b, "")
#define NOT(a) LLVMBuildNot(BUILDER, a, "")
#define SHL(a, n) cg_s_shl(c, DTYPE, a, n)
#define SHR(a, n) cg_s_shr(c, DTYPE, a, n)

typedef double host_f64; /* elements of tables */

/* ---- programs and rows per dtype ---------------------------------------------------------------------- */

/* The rows of one dtype: `static R row_f32(cg *c, ir_op op, const R *v)`, NULL for an op without a row.
 * Classes of dtypes are switched on and off by ir/each_*.def. */
#define S_ROWS static R SFX(row)(cg * c, ir_op op, const R *v)

#define DT f64
#include "ir/scalar_f64.def"
#undef DT
#define DT f32
#include "ir/scalar_f32.def"
#undef DT
#define EACH "ir/scalar_num.def"
#include "ir/each_real.def"
#include "ir/each_int.def"
#undef EACH
#define EACH "codegen/scalar_rows.h"
#include "ir/each_dtype.def"
#undef EACH

/* ---- generators and ops with attributes --------------------------------------------------------------- */

/* Low and high halves of the 64-bit product of 32-bit vectors. */
static void mul_wide(cg *c, uint32_t k, R x, R *low, R *high)
{
    LLVMTypeRef t32 = LLVMTypeOf(x), t64 = cg_vector_of(c, LLVMInt64TypeInContext(c->ctx));
    R p = LLVMBuildMul(c->b, LLVMBuildZExt(c->b, x, t64, ""), cg_splat(c, cg_i64(c, (int64_t)k)), "");

    *low = LLVMBuildTrunc(c->b, p, t32, "");
    *high = LLVMBuildTrunc(c->b, LLVMBuildLShr(c->b, p, cg_splat(c, cg_i64(c, 32)), ""), t32, "");
}

/* Splits 64-bit lanes into low and high 32-bit words. */
static void split_words(cg *c, R v, R *low, R *high)
{
    LLVMTypeRef t32 = cg_vector_of(c, LLVMInt32TypeInContext(c->ctx));

    *low = LLVMBuildTrunc(c->b, v, t32, "");
    *high = LLVMBuildTrunc(c->b, LLVMBuildLShr(c->b, v, cg_splat(c, cg_i64(c, 32)), ""), t32, "");
}

/* s_philox of runtime/scalar_prim.h: s[0..3] = seed low, seed high, call low, call high. */
static R philox(cg *c, const R *s, uint64_t offset, R linear)
{
    LLVMTypeRef t64 = cg_vector_of(c, LLVMInt64TypeInContext(c->ctx));
    R high = LLVMBuildShl(c->b, LLVMBuildZExt(c->b, s[3], t64, ""), cg_splat(c, cg_i64(c, 32)), "");
    R call = LLVMBuildOr(c->b, high, LLVMBuildZExt(c->b, s[2], t64, ""), "");
    R n[4], k0 = s[0], k1 = s[1];

    split_words(c, linear, &n[0], &n[1]);
    split_words(c, LLVMBuildAdd(c->b, call, cg_splat(c, cg_i64(c, (int64_t)offset)), ""), &n[2], &n[3]);
    for (int round = 0; round < 10; round++) {
        R pl, ph, ql, qh;
        mul_wide(c, 0xD2511F53u, n[0], &pl, &ph);
        mul_wide(c, 0xCD9E8D57u, n[2], &ql, &qh);
        n[0] = XOR(XOR(qh, n[1]), k0);
        n[1] = ql;
        n[2] = XOR(XOR(ph, n[3]), k1);
        n[3] = pl;
        k0 = LLVMBuildAdd(c->b, k0, cg_real(c, IR_DT_u32, 0x9E3779B9u), "");
        k1 = LLVMBuildAdd(c->b, k1, cg_real(c, IR_DT_u32, 0xBB67AE85u), "");
    }
    return n[0];
}

static R clamp(cg *c, ir_dtype d, double lo, double hi, R x)
{
    R low = cg_real(c, d, lo), high = cg_real(c, d, hi);
    R r = SEL(cg_s_compare(c, d, LLVMRealOGT, x, high), high, x);

    return SEL(cg_s_compare(c, d, LLVMRealOLT, x, low), low, r);
}

/* f16 and bf16 are f32 in registers: the f32 value, rounded once more. */
static R row_half(cg *c, ir_op op, ir_dtype d, const R *x)
{
    R y = row_f32(c, op, x);

    return !y || ir_ops[op].facts & IR_BOOL_RESULT ? y : cg_half_round(c, d, y);
}

static R row(cg *c, ir_op op, ir_dtype d, const R *x)
{
    switch (d) {
#define X(name, ...) \
    case IR_DT_##name: return row_##name(c, op, x);
        X(bool, )
        IR_INTEGERS(X)
        IR_REALS(X)
#undef X
    default: return row_half(c, op, d, x);
    }
}

LLVMValueRef cg_value(cg *c, ir_op op, const ir_attrs *a, ir_dtype operand, ir_dtype result,
                      const LLVMValueRef *x, int n, LLVMValueRef linear)
{
    (void)n; /* the arity is the row's */
    switch (op) {
    case IR_iota: return cg_s_convert(c, IR_DT_i64, result, linear);
    case IR_random_bits: return philox(c, x, a->random.offset, linear);
    case IR_convert: return cg_s_convert(c, operand, result, x[0]);
    case IR_clamp: return clamp(c, operand, a->clamp.lo, a->clamp.hi, x[0]);
    default: break;
    }
    R y = row(c, op, operand, x);

    if (!y)
        ir_fail(c->err, IR_EUNSUPPORTED, "%s has no value for %s", ir_ops[op].name, ir_dtype_name(operand));
    return y;
}

LLVMValueRef cg_exp_below(cg *c, ir_dtype d, LLVMValueRef x)
{
    if (d == IR_DT_f64)
        return s_exp_below_f64(c, x);
    return d == IR_DT_f32 ? s_exp_below_f32(c, x) : cg_half_round(c, d, s_exp_below_f32(c, x));
}
