/* codegen/reduce.c: the arithmetic of reductions.
 *
 * Sums and products are plain additions and multiplications in the order the emitter gives; max and min are
 * IEEE maximum and minimum, free of order; products of rows are chains of fma.  All through the op table's
 * own values, so the bits are the eager engine's. */
#include "ir/plant.h"
#include "codegen/reduce.h"

LLVMValueRef cg_neutral(cg *c, const cg_reduce *r)
{
    if (r->op == IR_reduce_sum || r->op == IR_dot_general || r->op == IR_reduce_any)
        return cg_real(c, r->dtype, 0);
    if (r->op == IR_reduce_prod || r->op == IR_reduce_all)
        return cg_real(c, r->dtype, 1);
    bool max = r->op == IR_reduce_max;
    LLVMTypeRef t = cg_scalar_type(c, r->dtype);
    if (ir_dtype_is_float(r->dtype))
        return cg_real(c, r->dtype, max ? -(double)__builtin_inff() : (double)__builtin_inff());
    int bits = (int)ir_dtype_size(r->dtype) * 8;
    uint64_t top = 1ull << (bits - 1), least = ir_dtype_is_signed(r->dtype) ? top : 0,
             most = least ? top - 1 : ~0ull;
    return cg_splat(c, LLVMConstInt(t, max ? least : most, 0));
}

static ir_op step_of(ir_op reduce)
{
    switch (reduce) {
    case IR_reduce_max: return IR_max;
    case IR_reduce_min: return IR_min;
    case IR_reduce_prod: return IR_mul;
    case IR_reduce_all: return IR_and;
    case IR_reduce_any: return IR_or;
    default: return IR_PLANTED("codegen") ? IR_sub : IR_add;
    }
}

LLVMValueRef cg_combine(cg *c, const cg_reduce *r, LLVMValueRef a, LLVMValueRef b)
{
    return cg_value(c, step_of(r->op), NULL, r->dtype, r->dtype, (LLVMValueRef[]){a, b}, 2, NULL);
}

/* One vector of the run into a vector of partials. */
LLVMValueRef cg_accumulate(cg_kernel *k, const cg_reduce *r, LLVMValueRef acc)
{
    cg *c = k->c;
    bool sum = r->op == IR_reduce_sum && r->contract;
    const cg_term *product = sum ? cg_contracted_product(k, r->x[0], r->dtype) : NULL;
    LLVMValueRef next;

    if (!acc)
        acc = cg_neutral(c, r);
    if (product)
        next = cg_fma(c, cg_eval_term(k, product->x[0]), cg_eval_term(k, product->x[1]), acc);
    else if (r->op == IR_dot_general)
        next = cg_fma(c, cg_eval_term(k, r->x[0]), cg_eval_term(k, r->x[1]), acc);
    else
        next = cg_combine(c, r, acc, cg_eval_term(k, r->x[0]));
    return k->mask ? LLVMBuildSelect(c->b, k->mask, next, acc, "") : next;
}

/* ---- extremes of many vectors ---- */

bool cg_is_extreme(const cg_reduce *r)
{
    return (r->op == IR_reduce_max || r->op == IR_reduce_min) &&
           (r->dtype == IR_DT_f32 || r->dtype == IR_DT_f64);
}

static LLVMTypeRef integers_like(cg *c, const cg_reduce *r)
{
    return cg_vector_of(c, LLVMIntTypeInContext(c->ctx, 8 * (unsigned)ir_dtype_size(r->dtype)));
}

cg_watch cg_watch_nothing(cg *c, const cg_reduce *r)
{
    LLVMTypeRef t = integers_like(c, r);
    LLVMValueRef none = LLVMConstNull(t), all = LLVMConstAllOnes(t);

    return (cg_watch){.nan = none, .signs = r->op == IR_reduce_max ? all : none};
}

LLVMValueRef cg_extreme(cg *c, const cg_reduce *r, LLVMValueRef x, LLVMValueRef acc)
{
    LLVMRealPredicate p = r->op == IR_reduce_max ? LLVMRealOGT : LLVMRealOLT;

    return LLVMBuildSelect(c->b, LLVMBuildFCmp(c->b, p, x, acc, ""), x, acc, "");
}

void cg_watch_pair(cg *c, const cg_reduce *r, cg_watch *w, LLVMValueRef x, LLVMValueRef z)
{
    LLVMTypeRef t = integers_like(c, r);
    LLVMOpcode op = r->op == IR_reduce_max ? LLVMAnd : LLVMOr;
    LLVMValueRef unordered = LLVMBuildFCmp(c->b, LLVMRealUNO, x, z, "");

    w->nan = LLVMBuildSelect(c->b, unordered, LLVMConstAllOnes(t), w->nan, "");
    w->signs = LLVMBuildBinOp(c->b, op, w->signs, LLVMBuildBitCast(c->b, x, t, ""), "");
    w->signs = LLVMBuildBinOp(c->b, op, w->signs, LLVMBuildBitCast(c->b, z, t, ""), "");
}

LLVMValueRef cg_mend(cg *c, const cg_reduce *r, const cg_watch *w, LLVMValueRef acc)
{
    LLVMTypeRef t = integers_like(c, r), real = LLVMTypeOf(acc);
    LLVMValueRef top = LLVMBuildBitCast(c->b, LLVMBuildFNeg(c->b, cg_real(c, r->dtype, 0), ""), t, "");
    LLVMValueRef zero = LLVMBuildFCmp(c->b, LLVMRealOEQ, acc, cg_real(c, r->dtype, 0), "");
    LLVMValueRef sign = LLVMBuildBitCast(c->b, LLVMBuildAnd(c->b, w->signs, top, ""), real, "");
    LLVMValueRef nan = LLVMBuildICmp(c->b, LLVMIntNE, w->nan, LLVMConstNull(t), "");

    acc = LLVMBuildSelect(c->b, zero, sign, acc, "");
    return LLVMBuildSelect(c->b, nan, cg_real(c, r->dtype, (double)__builtin_nanf("")), acc, "");
}

static LLVMValueRef half_of(cg *c, LLVMValueRef v, int lanes, int from)
{
    LLVMTypeRef i32 = LLVMInt32TypeInContext(c->ctx);
    LLVMValueRef ids[64];

    for (int l = 0; l < lanes; l++)
        ids[l] = LLVMConstInt(i32, (unsigned)(from + l), 0);
    if (lanes == 1)
        return LLVMBuildExtractElement(c->b, v, ids[0], "");
    return LLVMBuildShuffleVector(c->b, v, LLVMGetPoison(LLVMTypeOf(v)),
                                  LLVMConstVector(ids, (unsigned)lanes), "");
}

/* Adds the halves: first whole vectors, then within one.  A missing vector is all +0 and changes nothing but
 * the sign of a zero: an fma that underflows leaves -0, which any +0 makes +0. */
LLVMValueRef cg_fold(cg *c, const cg_reduce *r, LLVMValueRef *acc, int vectors)
{
    int lanes = c->lanes;
    bool missing = false;

    for (int j = 0; j < vectors; j++)
        missing |= !acc[j];
    for (int h = vectors / 2; h >= 1; h /= 2)
        for (int j = 0; j < h; j++)
            if (acc[j + h])
                acc[j] = acc[j] ? cg_combine(c, r, acc[j], acc[j + h]) : acc[j + h];
    LLVMValueRef v = acc[0];
    while (c->lanes > 1) {
        int h = c->lanes / 2;
        LLVMValueRef low = half_of(c, v, h, 0), high = half_of(c, v, h, h);
        c->lanes = h;
        v = cg_combine(c, r, low, high);
    }
    if (missing && r->op == IR_dot_general)
        v = LLVMBuildFAdd(c->b, v, cg_neutral(c, r), "");
    c->lanes = lanes;
    return v;
}

LLVMValueRef cg_stack(cg_kernel *k, ir_dtype d, int64_t n)
{
    cg *c = k->c;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(c->b);
    LLVMValueRef first = LLVMGetFirstInstruction(LLVMGetEntryBasicBlock(c->fn));

    LLVMPositionBuilderBefore(c->b, first);
    LLVMValueRef a = LLVMBuildAlloca(c->b, LLVMArrayType2(cg_memory_type(c, d), (uint64_t)n), "");
    LLVMSetAlignment(a, 64);
    LLVMPositionBuilderAtEnd(c->b, here);
    return a;
}
