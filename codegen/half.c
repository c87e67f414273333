/* codegen/half.c: f16 and bf16 in registers: f32 values that are values of the dtype; 16 bits in memory.
 *
 * The twin of ir/half.h, step for step.  f32 <-> f16 is one instruction with F16C; without it LLVM would call
 * a library function, so there and for bf16 and f64 the steps are spelled out.  Types follow the operand
 * (vector or scalar), not the context's lanes. */
#include "codegen/cg.h"

#define R LLVMValueRef

/* elem, or a vector of as many as v has. */
static LLVMTypeRef like(R v, LLVMTypeRef elem)
{
    LLVMTypeRef t = LLVMTypeOf(v);

    return LLVMGetTypeKind(t) == LLVMVectorTypeKind ? LLVMVectorType(elem, LLVMGetVectorSize(t)) : elem;
}

static LLVMTypeRef int_like(cg *c, R v, unsigned bits)
{
    return like(v, LLVMIntTypeInContext(c->ctx, bits));
}

static LLVMTypeRef f32_like(cg *c, R v)
{
    return like(v, LLVMFloatTypeInContext(c->ctx));
}

/* The constant of v's type. */
static R same(R v, R scalar)
{
    R copies[64];
    unsigned n = LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind ? LLVMGetVectorSize(LLVMTypeOf(v)) : 0;

    for (unsigned i = 0; i < n; i++)
        copies[i] = scalar;
    return n ? LLVMConstVector(copies, n) : scalar;
}

static R bits_constant(cg *c, R v, uint32_t k)
{
    return same(v, LLVMConstInt(LLVMInt32TypeInContext(c->ctx), k, 0));
}

static R f32_constant(cg *c, R v, double k)
{
    return same(v, LLVMConstReal(LLVMFloatTypeInContext(c->ctx), k));
}

static R cast(cg *c, R v, LLVMTypeRef t)
{
    return LLVMBuildBitCast(c->b, v, t, "");
}

static R and_bits(cg *c, R v, uint32_t k)
{
    return LLVMBuildAnd(c->b, v, bits_constant(c, v, k), "");
}

static R shifted(cg *c, R v, unsigned right)
{
    return LLVMBuildLShr(c->b, v, bits_constant(c, v, right), "");
}

static R plus(cg *c, R v, uint32_t k)
{
    return LLVMBuildAdd(c->b, v, bits_constant(c, v, k), "");
}

static R pick(cg *c, LLVMIntPredicate p, R v, uint32_t k, R yes, R no)
{
    return LLVMBuildSelect(c->b, LLVMBuildICmp(c->b, p, v, bits_constant(c, v, k), ""), yes, no, "");
}

/* ---- f16 ---------------------------------------------------------------------------------------------- */

static R from_f16(cg *c, R h)
{
    LLVMTypeRef half = LLVMHalfTypeInContext(c->ctx);

    if (c->has_f16c)
        return LLVMBuildFPExt(c->b, cast(c, h, like(h, half)), f32_like(c, h), "");
    R wide = LLVMBuildZExt(c->b, h, int_like(c, h, 32), "");
    R magnitude = LLVMBuildShl(c->b, and_bits(c, wide, 0x7fff), bits_constant(c, wide, 13), "");
    R sign = LLVMBuildShl(c->b, and_bits(c, wide, 0x8000), bits_constant(c, wide, 16), "");
    R scaled = LLVMBuildFMul(c->b, cast(c, magnitude, f32_like(c, h)), f32_constant(c, h, 0x1p112), "");
    R special = LLVMBuildOr(c->b, magnitude, bits_constant(c, wide, 0x7f800000u), "");
    R all = pick(c, LLVMIntUGE, magnitude, 0x0f800000u, special, cast(c, scaled, LLVMTypeOf(wide)));

    return cast(c, LLVMBuildOr(c->b, all, sign, ""), f32_like(c, h));
}

static R to_f16(cg *c, R v)
{
    LLVMTypeRef half = LLVMHalfTypeInContext(c->ctx), i32 = int_like(c, v, 32), i16 = int_like(c, v, 16);

    if (c->has_f16c)
        return cast(c, LLVMBuildFPTrunc(c->b, v, like(v, half), ""), i16);
    R bits = cast(c, v, i32), a = and_bits(c, bits, 0x7fffffffu);
    R sign = shifted(c, and_bits(c, bits, 0x80000000u), 16);
    R odd = and_bits(c, shifted(c, a, 13), 1);
    R normal = shifted(c, LLVMBuildAdd(c->b, plus(c, a, 0xfffu - 0x38000000u), odd, ""), 13);
    R near = LLVMBuildFAdd(c->b, cast(c, a, LLVMTypeOf(v)), f32_constant(c, v, 0.5), "");
    R small = plus(c, cast(c, near, i32), 0u - 0x3f000000u);

    normal = pick(c, LLVMIntUGT, normal, 0x7c00, bits_constant(c, a, 0x7c00), normal);
    normal = pick(c, LLVMIntULT, a, 0x38800000u, small, normal);
    normal = pick(c, LLVMIntUGT, a, 0x7f800000u, bits_constant(c, a, 0x7e00), normal);
    return LLVMBuildTrunc(c->b, LLVMBuildOr(c->b, normal, sign, ""), i16, "");
}

/* ---- bf16 --------------------------------------------------------------------------------------------- */

static R from_bf16(cg *c, R h)
{
    R wide = LLVMBuildZExt(c->b, h, int_like(c, h, 32), "");

    return cast(c, LLVMBuildShl(c->b, wide, bits_constant(c, wide, 16), ""), f32_like(c, h));
}

/* The upper half is the value, the lower half something else. */
static R rounded_bf16(cg *c, R v)
{
    R bits = cast(c, v, int_like(c, v, 32)), a = and_bits(c, bits, 0x7fffffffu);
    R odd = and_bits(c, shifted(c, bits, 16), 1);
    R rounded = LLVMBuildAdd(c->b, plus(c, bits, 0x7fff), odd, "");
    R quiet = LLVMBuildOr(c->b, bits, bits_constant(c, bits, 0x400000), "");

    return pick(c, LLVMIntUGT, a, 0x7f800000u, quiet, rounded);
}

static R upper_half(cg *c, R bits)
{
    return LLVMBuildTrunc(c->b, shifted(c, bits, 16), int_like(c, bits, 16), "");
}

/* ---- both --------------------------------------------------------------------------------------------- */

R cg_half_load(cg *c, ir_dtype d, R bits)
{
    return d == IR_DT_f16 ? from_f16(c, bits) : from_bf16(c, bits);
}

R cg_half_of_pairs(cg *c, ir_dtype d, R pairs, bool upper)
{
    R low = upper ? shifted(c, pairs, 16) : pairs;

    return cg_half_load(c, d, LLVMBuildTrunc(c->b, low, int_like(c, pairs, 16), ""));
}

/* bf16: two copies a lane, of which the upper stays, so that nothing but the load goes through scalars. */
R cg_half_load_spread(cg *c, ir_dtype d, R pointer)
{
    LLVMTypeRef i16 = LLVMInt16TypeInContext(c->ctx), i32 = LLVMInt32TypeInContext(c->ctx);
    unsigned n = 2 * (unsigned)c->lanes;
    R v = LLVMBuildLoad2(c->b, i16, pointer, "");

    LLVMSetAlignment(v, sizeof(uint16_t));
    cg_tell_read(c, pointer, sizeof(uint16_t), 1, NULL);
    if (d == IR_DT_f16 || c->lanes == 1)
        return cg_half_load(c, d, cg_splat(c, v));
    R all =
        LLVMBuildInsertElement(c->b, LLVMGetPoison(LLVMVectorType(i16, n)), v, LLVMConstInt(i32, 0, 0), "");
    all = LLVMBuildShuffleVector(c->b, all, all, LLVMConstNull(LLVMVectorType(i32, n)), "");
    all = and_bits(c, cast(c, all, cg_vector_of(c, i32)), 0xffff0000u);
    return cast(c, all, f32_like(c, all));
}

R cg_half_store(cg *c, ir_dtype d, R v)
{
    return d == IR_DT_f16 ? to_f16(c, v) : upper_half(c, cast(c, v, int_like(c, v, 32)));
}

R cg_half_round(cg *c, ir_dtype d, R v)
{
    if (d == IR_DT_f16)
        return from_f16(c, to_f16(c, v));
    return cast(c, and_bits(c, rounded_bf16(c, v), 0xffff0000u), LLVMTypeOf(v));
}

R cg_half_odd(cg *c, R v)
{
    LLVMTypeRef f32 = f32_like(c, v), i32 = int_like(c, v, 32), t = LLVMTypeOf(v);
    R nearest = LLVMBuildFPTrunc(c->b, v, f32, ""), back = LLVMBuildFPExt(c->b, nearest, t, "");
    R size = cg_intrinsic(c, "llvm.fabs", &t, 1, &v, 1),
      back_size = cg_intrinsic(c, "llvm.fabs", &t, 1, &back, 1);
    R away = LLVMBuildZExt(c->b, LLVMBuildFCmp(c->b, LLVMRealOGT, back_size, size, ""), i32, "");
    R lost = LLVMBuildZExt(c->b, LLVMBuildFCmp(c->b, LLVMRealUNE, back, v, ""), i32, "");

    return cast(c, LLVMBuildOr(c->b, LLVMBuildSub(c->b, cast(c, nearest, i32), away, ""), lost, ""), f32);
}

R cg_half_sticky(cg *c, ir_dtype d, R v)
{
    LLVMTypeRef i64 = LLVMInt64TypeInContext(c->ctx);
    R low = same(v, LLVMConstInt(i64, 0x7ff, 0)), zero = same(v, LLVMConstInt(i64, 0, 0));
    R by = same(v, LLVMConstInt(i64, 53, 0));
    R carried = LLVMBuildAdd(c->b, LLVMBuildAnd(c->b, v, low, ""), low, "");
    R gathered = LLVMBuildAnd(c->b, LLVMBuildOr(c->b, v, carried, ""), LLVMBuildNot(c->b, low, ""), "");
    R top = d == IR_DT_u64 ? LLVMBuildLShr(c->b, v, by, "") : LLVMBuildAShr(c->b, v, by, "");
    R small = LLVMBuildICmp(c->b, LLVMIntEQ, top, zero, "");

    if (d == IR_DT_i64)
        small = LLVMBuildOr(c->b, small,
                            LLVMBuildICmp(c->b, LLVMIntEQ, top, LLVMBuildNot(c->b, zero, ""), ""), "");
    return LLVMBuildSelect(c->b, small, v, gathered, "");
}
