/* codegen/scalar_prim.c: the primitives of the scalar language as LLVM builder calls.
 *
 * Each gives the bits of its C twin in runtime/scalar_prim.h (held by tests/codegen/test_scalar.c).  No
 * fast-math flags, no poison: shift counts, divisors and float -> integer ranges are guarded before the
 * instruction. */
#include "codegen/scalar_prim.h"

#include <stdio.h>

typedef LLVMValueRef build_fn(LLVMBuilderRef, LLVMValueRef, LLVMValueRef, const char *);

static LLVMValueRef arith(cg *c, ir_dtype d, build_fn *on_float, build_fn *on_int, LLVMValueRef a,
                          LLVMValueRef b)
{
    return (ir_dtype_is_float(d) ? on_float : on_int)(c->b, a, b, "");
}

LLVMValueRef cg_s_add(cg *c, ir_dtype d, LLVMValueRef a, LLVMValueRef b)
{
    return arith(c, d, LLVMBuildFAdd, LLVMBuildAdd, a, b);
}

LLVMValueRef cg_s_sub(cg *c, ir_dtype d, LLVMValueRef a, LLVMValueRef b)
{
    return arith(c, d, LLVMBuildFSub, LLVMBuildSub, a, b);
}

LLVMValueRef cg_s_mul(cg *c, ir_dtype d, LLVMValueRef a, LLVMValueRef b)
{
    return arith(c, d, LLVMBuildFMul, LLVMBuildMul, a, b);
}

static LLVMValueRef choose(cg *c, LLVMValueRef m, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildSelect(c->b, m, a, b, "");
}

LLVMValueRef cg_s_div(cg *c, ir_dtype d, LLVMValueRef a, LLVMValueRef b)
{
    if (ir_dtype_is_float(d))
        return LLVMBuildFDiv(c->b, a, b, "");

    LLVMValueRef zero = cg_real(c, d, 0), one = cg_real(c, d, 1);
    LLVMValueRef by_zero = LLVMBuildICmp(c->b, LLVMIntEQ, b, zero, "");

    if (!ir_dtype_is_signed(d))
        return choose(c, by_zero, zero, LLVMBuildUDiv(c->b, a, choose(c, by_zero, one, b), ""));
    LLVMValueRef minus = LLVMBuildICmp(c->b, LLVMIntEQ, b, cg_real(c, d, -1), "");
    LLVMValueRef guarded = choose(c, LLVMBuildOr(c->b, by_zero, minus, ""), one, b);
    LLVMValueRef q = LLVMBuildSDiv(c->b, a, guarded, "");

    return choose(c, by_zero, zero, choose(c, minus, cg_s_neg(c, d, a), q));
}

LLVMValueRef cg_s_neg(cg *c, ir_dtype d, LLVMValueRef a)
{
    return ir_dtype_is_float(d) ? LLVMBuildFNeg(c->b, a, "") : LLVMBuildNeg(c->b, a, "");
}

LLVMValueRef cg_s_abs(cg *c, ir_dtype d, LLVMValueRef a)
{
    if (ir_dtype_is_float(d))
        return cg_s_call(c, "llvm.fabs", a);
    if (!ir_dtype_is_signed(d))
        return a;
    LLVMValueRef minus = LLVMBuildICmp(c->b, LLVMIntSLT, a, cg_real(c, d, 0), "");

    return choose(c, minus, LLVMBuildNeg(c->b, a, ""), a);
}

static LLVMValueRef extremum(cg *c, ir_dtype d, LLVMRealPredicate p, const char *name, LLVMValueRef a,
                             LLVMValueRef b)
{
    if (!ir_dtype_is_float(d))
        return choose(c, cg_s_compare(c, d, p, a, b), a, b);
    LLVMTypeRef t = LLVMTypeOf(a);

    return cg_intrinsic(c, name, &t, 1, (LLVMValueRef[]){a, b}, 2);
}

LLVMValueRef cg_s_min(cg *c, ir_dtype d, LLVMValueRef a, LLVMValueRef b)
{
    return extremum(c, d, LLVMRealOLT, "llvm.minimum", a, b);
}

LLVMValueRef cg_s_max(cg *c, ir_dtype d, LLVMValueRef a, LLVMValueRef b)
{
    return extremum(c, d, LLVMRealOGT, "llvm.maximum", a, b);
}

LLVMValueRef cg_s_round(cg *c, ir_dtype d, LLVMValueRef a)
{
    LLVMValueRef magic = cg_real(c, d, d == IR_DT_f32 ? 0x1.8p23 : 0x1.8p52);

    return LLVMBuildFSub(c->b, LLVMBuildFAdd(c->b, a, magic, ""), magic, "");
}

bool cg_s_can_scalbn(const cg *c, ir_dtype d)
{
    int64_t bytes = (int64_t)c->lanes * (int64_t)ir_dtype_size(d);

    return c->register_bytes == 64 && (bytes == 16 || bytes == 32 || bytes == 64);
}

LLVMValueRef cg_s_scalbn(cg *c, LLVMValueRef v, LLVMValueRef n)
{
    enum { CURRENT_ROUNDING = 4 };
    LLVMTypeRef t = LLVMTypeOf(v);
    bool is_double = LLVMGetTypeKind(LLVMGetElementType(t)) == LLVMDoubleTypeKind;
    int bits = c->lanes * (is_double ? 64 : 32);
    unsigned mask_bits = c->lanes == 16 ? 16 : 8;
    LLVMValueRef all = LLVMConstAllOnes(LLVMIntTypeInContext(c->ctx, mask_bits));
    LLVMValueRef x[5] = {v, n, v, all, LLVMConstInt(LLVMInt32TypeInContext(c->ctx), CURRENT_ROUNDING, 0)};
    char name[64];

    snprintf(name, sizeof name, "llvm.x86.avx512.mask.scalef.%s.%d", is_double ? "pd" : "ps", bits);
    return cg_intrinsic(c, name, NULL, 0, x, bits == 512 ? 5 : 4);
}

LLVMValueRef cg_s_call(cg *c, const char *intrinsic, LLVMValueRef a)
{
    LLVMTypeRef t = LLVMTypeOf(a);

    return cg_intrinsic(c, intrinsic, &t, 1, &a, 1);
}

/* count < width, and the count made harmless where it isn't. */
static LLVMValueRef shift_count(cg *c, ir_dtype d, LLVMValueRef count, double otherwise,
                                LLVMValueRef *in_range)
{
    LLVMValueRef width = cg_real(c, d, 8.0 * (double)ir_dtype_size(d));

    *in_range = LLVMBuildICmp(c->b, LLVMIntULT, count, width, "");
    return choose(c, *in_range, count, cg_real(c, d, otherwise));
}

LLVMValueRef cg_s_shl(cg *c, ir_dtype d, LLVMValueRef a, LLVMValueRef count)
{
    LLVMValueRef in_range, k = shift_count(c, d, count, 0, &in_range);

    return choose(c, in_range, LLVMBuildShl(c->b, a, k, ""), cg_real(c, d, 0));
}

LLVMValueRef cg_s_shr(cg *c, ir_dtype d, LLVMValueRef a, LLVMValueRef count)
{
    LLVMValueRef in_range, k = shift_count(c, d, count, 8.0 * (double)ir_dtype_size(d) - 1, &in_range);

    if (ir_dtype_is_signed(d))
        return LLVMBuildAShr(c->b, a, k, "");
    return choose(c, in_range, LLVMBuildLShr(c->b, a, k, ""), cg_real(c, d, 0));
}

static LLVMIntPredicate int_predicate(ir_dtype d, LLVMRealPredicate p)
{
    bool s = ir_dtype_is_signed(d);

    switch (p) {
    case LLVMRealOEQ: return LLVMIntEQ;
    case LLVMRealUNE: return LLVMIntNE;
    case LLVMRealOLT: return s ? LLVMIntSLT : LLVMIntULT;
    case LLVMRealOLE: return s ? LLVMIntSLE : LLVMIntULE;
    case LLVMRealOGT: return s ? LLVMIntSGT : LLVMIntUGT;
    default: return s ? LLVMIntSGE : LLVMIntUGE;
    }
}

LLVMValueRef cg_s_compare(cg *c, ir_dtype d, LLVMRealPredicate p, LLVMValueRef a, LLVMValueRef b)
{
    if (ir_dtype_is_float(d))
        return LLVMBuildFCmp(c->b, p, a, b, "");
    return LLVMBuildICmp(c->b, int_predicate(d, p), a, b, "");
}

/* ---- bits --------------------------------------------------------------------------------------------- */

static ir_dtype int_of(ir_dtype d)
{
    return d == IR_DT_f32 ? IR_DT_i32 : IR_DT_i64;
}

static LLVMTypeRef vector_type(cg *c, ir_dtype d)
{
    return cg_vector_of(c, cg_scalar_type(c, d));
}

LLVMValueRef cg_s_int(cg *c, ir_dtype d, int64_t v)
{
    return cg_splat(c, LLVMConstInt(cg_scalar_type(c, int_of(d)), (unsigned long long)v, 1));
}

LLVMValueRef cg_s_bits(cg *c, ir_dtype d, LLVMValueRef v)
{
    return LLVMBuildBitCast(c->b, v, vector_type(c, int_of(d)), "");
}

LLVMValueRef cg_s_frombits(cg *c, ir_dtype d, LLVMValueRef i)
{
    return LLVMBuildBitCast(c->b, i, vector_type(c, d), "");
}

LLVMValueRef cg_s_to_int(cg *c, ir_dtype d, LLVMValueRef v)
{
    return LLVMBuildFPToSI(c->b, v, vector_type(c, int_of(d)), "");
}

LLVMValueRef cg_s_from_int(cg *c, ir_dtype d, LLVMValueRef i)
{
    return LLVMBuildSIToFP(c->b, i, vector_type(c, d), "");
}

/* ---- tables ------------------------------------------------------------------------------------------- */

#define MAX_TABLE 256

static LLVMValueRef table_global(cg *c, ir_dtype d, const char *name, const void *data, int count)
{
    char symbol[64];
    LLVMValueRef values[MAX_TABLE];
    LLVMTypeRef elem = cg_scalar_type(c, d);

    snprintf(symbol, sizeof symbol, "table.%s.%s", ir_dtype_name(d), name);
    LLVMValueRef g = LLVMGetNamedGlobal(c->module, symbol);
    if (g || count > MAX_TABLE)
        return g;
    for (int i = 0; i < count; i++) {
        double v = d == IR_DT_f32 ? (double)((const float *)data)[i] : ((const double *)data)[i];
        values[i] = LLVMConstReal(elem, v);
    }
    g = LLVMAddGlobal(c->module, LLVMArrayType2(elem, (uint64_t)count), symbol);
    LLVMSetInitializer(g, LLVMConstArray2(elem, values, (uint64_t)count));
    LLVMSetGlobalConstant(g, 1);
    LLVMSetLinkage(g, LLVMPrivateLinkage);
    LLVMSetAlignment(g, 64);
    return g;
}

static LLVMValueRef load_element(cg *c, ir_dtype d, LLVMValueRef table, LLVMValueRef i)
{
    LLVMTypeRef elem = cg_scalar_type(c, d);
    LLVMValueRef p = LLVMBuildInBoundsGEP2(c->b, elem, table, &i, 1, "");

    return LLVMBuildLoad2(c->b, elem, p, "");
}

static LLVMValueRef gather(cg *c, ir_dtype d, LLVMValueRef table, LLVMValueRef i)
{
    LLVMTypeRef type = vector_type(c, d);
    LLVMTypeRef i32 = LLVMInt32TypeInContext(c->ctx), i1 = LLVMInt1TypeInContext(c->ctx);
    LLVMValueRef p = LLVMBuildInBoundsGEP2(c->b, cg_scalar_type(c, d), table, &i, 1, "");
    LLVMValueRef args[] = {p, LLVMConstInt(i32, ir_dtype_size(d), 0), LLVMConstAllOnes(cg_vector_of(c, i1)),
                           LLVMGetPoison(type)};

    return cg_intrinsic(c, "llvm.masked.gather", (LLVMTypeRef[]){type, LLVMTypeOf(p)}, 2, args, 4);
}

LLVMValueRef cg_s_table(cg *c, ir_dtype d, const char *name, const void *data, int count, LLVMValueRef i)
{
    LLVMValueRef table = table_global(c, d, name, data, count);

    if (c->lanes == 1)
        return load_element(c, d, table, i);
    if (c->has_gather)
        return gather(c, d, table, i);
    LLVMValueRef y = LLVMGetPoison(vector_type(c, d));
    for (int k = 0; k < c->lanes; k++) {
        LLVMValueRef lane = LLVMConstInt(LLVMInt32TypeInContext(c->ctx), (unsigned long long)k, 0);
        LLVMValueRef v = load_element(c, d, table, LLVMBuildExtractElement(c->b, i, lane, ""));
        y = LLVMBuildInsertElement(c->b, y, v, lane, "");
    }
    return y;
}

/* ---- converts ----------------------------------------------------------------------------------------- */

static LLVMValueRef float_to_int(cg *c, ir_dtype to, LLVMValueRef x)
{
    LLVMTypeRef types[] = {vector_type(c, to), LLVMTypeOf(x)};

    return cg_intrinsic(c, ir_dtype_is_signed(to) ? "llvm.fptosi.sat" : "llvm.fptoui.sat", types, 2, &x, 1);
}

static LLVMValueRef int_to_int(cg *c, ir_dtype from, ir_dtype to, LLVMValueRef x)
{
    size_t a = from == IR_DT_bool ? 0 : ir_dtype_size(from), b = ir_dtype_size(to);

    if (a == b)
        return x;
    if (a > b)
        return LLVMBuildTrunc(c->b, x, vector_type(c, to), "");
    return (ir_dtype_is_signed(from) ? LLVMBuildSExt : LLVMBuildZExt)(c->b, x, vector_type(c, to), "");
}

/* As f32, exact or so that the rounding to a half that follows is the only one. */
static LLVMValueRef nearly_half(cg *c, ir_dtype from, LLVMValueRef x)
{
    if (from == IR_DT_i64 || from == IR_DT_u64)
        x = cg_half_sticky(c, from, x);
    if (ir_dtype_size(from) <= 2 || from == IR_DT_f32)
        return cg_s_convert(c, from, IR_DT_f32, x);
    return cg_half_odd(c, cg_s_convert(c, from, IR_DT_f64, x));
}

LLVMValueRef cg_s_convert(cg *c, ir_dtype from, ir_dtype to, LLVMValueRef x)
{
    bool is_signed = ir_dtype_is_signed(from);

    if (from == to)
        return x;
    if (ir_dtype_is_half(from)) /* f32 in registers */
        return cg_s_convert(c, IR_DT_f32, to, x);
    if (ir_dtype_is_half(to))
        return cg_half_round(c, to, nearly_half(c, from, x));
    if (to == IR_DT_bool)
        return cg_s_compare(c, from, LLVMRealUNE, x, cg_real(c, from, 0));
    if (ir_dtype_is_float(from) && ir_dtype_is_float(to))
        return (to == IR_DT_f64 ? LLVMBuildFPExt : LLVMBuildFPTrunc)(c->b, x, vector_type(c, to), "");
    if (ir_dtype_is_float(from))
        return float_to_int(c, to, x);
    if (ir_dtype_is_float(to))
        return (is_signed ? LLVMBuildSIToFP : LLVMBuildUIToFP)(c->b, x, vector_type(c, to), "");
    return int_to_int(c, from, to, x);
}
