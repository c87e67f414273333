/* codegen/build.c: the small builders of cg.h, on which every emitter stands.
 *
 * All are pure functions of the context's lane count: with 1 lane they give scalars, else vectors.
 * Constants fold. */
#include "codegen/cg.h"

#include <string.h>

LLVMTypeRef cg_scalar_type(cg *c, ir_dtype d)
{
    switch (d) {
    case IR_DT_bool: return LLVMInt1TypeInContext(c->ctx);
    case IR_DT_f16:
    case IR_DT_bf16:
    case IR_DT_f32: return LLVMFloatTypeInContext(c->ctx);
    case IR_DT_f64: return LLVMDoubleTypeInContext(c->ctx);
    default: return LLVMIntTypeInContext(c->ctx, 8 * (unsigned)ir_dtype_size(d));
    }
}

LLVMTypeRef cg_memory_type(cg *c, ir_dtype d)
{
    bool as_is = d != IR_DT_bool && !ir_dtype_is_half(d);

    return as_is ? cg_scalar_type(c, d) : LLVMIntTypeInContext(c->ctx, 8 * (unsigned)ir_dtype_size(d));
}

LLVMTypeRef cg_vector_of(cg *c, LLVMTypeRef elem)
{
    return c->lanes == 1 ? elem : LLVMVectorType(elem, (unsigned)c->lanes);
}

LLVMValueRef cg_splat(cg *c, LLVMValueRef scalar)
{
    if (c->lanes == 1)
        return scalar;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(c->ctx);
    LLVMValueRef undef = LLVMGetPoison(cg_vector_of(c, LLVMTypeOf(scalar)));
    LLVMValueRef first = LLVMBuildInsertElement(c->b, undef, scalar, LLVMConstInt(i32, 0, 0), "");
    LLVMValueRef mask = LLVMConstNull(LLVMVectorType(i32, (unsigned)c->lanes));

    return LLVMBuildShuffleVector(c->b, first, undef, mask, "");
}

LLVMValueRef cg_i64(cg *c, int64_t v)
{
    return LLVMConstInt(LLVMInt64TypeInContext(c->ctx), (unsigned long long)v, 1);
}

static bool is_zero(LLVMValueRef v)
{
    return LLVMIsConstant(v) && LLVMIsNull(v);
}

LLVMValueRef cg_add(cg *c, LLVMValueRef a, LLVMValueRef b)
{
    if (is_zero(a) || is_zero(b))
        return is_zero(a) ? b : a;
    return LLVMBuildNSWAdd(c->b, a, b, "");
}

LLVMValueRef cg_hide(cg *c, LLVMValueRef n)
{
    LLVMTypeRef t = LLVMTypeOf(n), type = LLVMFunctionType(t, &t, 1, 0);
    LLVMValueRef nothing = LLVMGetInlineAsm(type, "", 0, "=r,0", 4, 0, 0, LLVMInlineAsmDialectATT, 0);

    return LLVMBuildCall2(c->b, type, nothing, &n, 1, "");
}

void cg_near_open(cg *c, cg_near *near)
{
    near->block = LLVMGetInsertBlock(c->b);
    near->count = 0;
    c->near = near;
}

/* At the end of near's block, or here if that is it. */
static LLVMValueRef make_near(cg *c, LLVMValueRef v)
{
    LLVMBasicBlockRef here = LLVMGetInsertBlock(c->b);
    LLVMValueRef one = LLVMGetAggregateElement(v, 0), end = LLVMGetBasicBlockTerminator(c->near->block);
    LLVMTypeRef real = LLVMTypeOf(one);
    unsigned bits = LLVMGetTypeKind(real) == LLVMDoubleTypeKind ? 64 : 32;

    if (end)
        LLVMPositionBuilderBefore(c->b, end);
    LLVMValueRef n = LLVMConstBitCast(one, LLVMIntTypeInContext(c->ctx, bits));
    v = cg_splat(c, LLVMBuildBitCast(c->b, cg_hide(c, n), real, ""));
    LLVMPositionBuilderAtEnd(c->b, here);
    return v;
}

/* One number in all lanes, but 0, which costs nothing to make. */
static bool is_one_number(cg *c, LLVMValueRef v)
{
    LLVMTypeRef t = LLVMTypeOf(v);

    return LLVMIsConstant(v) && !LLVMIsNull(v) && LLVMGetTypeKind(t) == LLVMVectorTypeKind &&
           LLVMGetTypeKind(LLVMGetElementType(t)) != LLVMIntegerTypeKind &&
           cg_splat(c, LLVMGetAggregateElement(v, 0)) == v;
}

LLVMValueRef cg_near_constant(cg *c, LLVMValueRef v)
{
    cg_near *n = c->near;

    if (!n || !is_one_number(c, v))
        return v;
    for (int i = 0; i < n->count; i++)
        if (n->constant[i] == v)
            return n->local[i];
    if (n->count == CG_NEAR)
        return v;
    n->constant[n->count] = v;
    n->local[n->count] = make_near(c, v);
    return n->local[n->count++];
}

LLVMValueRef cg_real(cg *c, ir_dtype d, double v)
{
    LLVMTypeRef t = cg_scalar_type(c, d);

    if (ir_dtype_is_float(d)) {
        double rounded;
        ir_element_set(d, &rounded, v);
        return cg_near_constant(c, cg_splat(c, LLVMConstReal(t, ir_element_get(d, &rounded))));
    }
    if (d == IR_DT_bool)
        return cg_splat(c, LLVMConstInt(t, v != 0, 0));
    return cg_splat(c, LLVMConstInt(t, (unsigned long long)(int64_t)v, 1));
}

int cg_register_lanes(const cg *c)
{
    int most = c->register_bytes / 4;

    return c->lanes < most ? c->lanes : most;
}

LLVMValueRef cg_lane_ids(cg *c, LLVMTypeRef int_elem)
{
    LLVMValueRef ids[64];

    if (c->lanes == 1)
        return LLVMConstNull(int_elem);
    for (int i = 0; i < c->lanes; i++)
        ids[i] = LLVMConstInt(int_elem, (unsigned long long)i, 0);
    return LLVMConstVector(ids, (unsigned)c->lanes);
}

LLVMValueRef cg_intrinsic(cg *c, const char *name, LLVMTypeRef *types, int type_count, LLVMValueRef *args,
                          int arg_count)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef f = LLVMGetIntrinsicDeclaration(c->module, id, types, (size_t)type_count);
    LLVMTypeRef t = LLVMIntrinsicGetType(c->ctx, id, types, (size_t)type_count);

    return LLVMBuildCall2(c->b, t, f, args, (unsigned)arg_count, "");
}

LLVMValueRef cg_fma(cg *c, LLVMValueRef a, LLVMValueRef b, LLVMValueRef acc)
{
    LLVMTypeRef t = LLVMTypeOf(a);

    return cg_intrinsic(c, "llvm.fma", &t, 1, (LLVMValueRef[]){a, b, acc}, 3);
}

static void prefetch(cg *c, LLVMValueRef pointer, bool write, int nearness)
{
    LLVMTypeRef type = LLVMTypeOf(pointer), i32 = LLVMInt32TypeInContext(c->ctx);
    LLVMValueRef how = LLVMConstInt(i32, write, 0), data = LLVMConstInt(i32, 1, 0),
                 where = LLVMConstInt(i32, (unsigned)nearness, 0);

    cg_intrinsic(c, "llvm.prefetch", &type, 1, (LLVMValueRef[]){pointer, how, where, data}, 4);
}

void cg_prefetch_line(cg *c, LLVMValueRef pointer, bool write)
{
    prefetch(c, pointer, write, 3);
}

void cg_prefetch_second(cg *c, LLVMValueRef pointer)
{
    prefetch(c, pointer, false, 2);
}
