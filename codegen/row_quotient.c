/* codegen/row_quotient.c: quotients of a row by one divisor, mended where nothing underflows (division.c).
 *
 *   for each element    e kept, and the least of all e
 *   if every remainder is exact    y = mended e * (1 / s)    else    y = e / s
 *
 * The same bits either way; a row takes one of the two. */
#include "codegen/row.h"

#include <string.h>

static LLVMTypeRef words(const cg_row *s)
{
    return cg_vector_of(s->p.k->c, LLVMInt32TypeInContext(s->p.k->c->ctx));
}

/* As words numbers from +0 up are in order, NaNs above all. */
void cg_row_watch(cg_row *s, LLVMValueRef v)
{
    cg_kernel *k = s->p.k;
    cg *c = k->c;
    LLVMTypeRef t = words(s);
    LLVMValueRef both[2] = {s->least, LLVMBuildBitCast(c->b, v, t, "")};
    LLVMValueRef next = cg_intrinsic(c, "llvm.umin", &t, 1, both, 2);

    s->least = k->mask ? LLVMBuildSelect(c->b, k->mask, next, s->least, "") : next;
}

/* One numerator, kept by a pass that holds its partials in registers, and one divisor. */
void cg_row_find_quotients(cg_row *s)
{
    const cg_kernel *k = s->p.k;

    s->numerator = s->reciprocal = -1;
    for (int t = 0; t < k->term_count; t++) {
        const cg_term *e = &k->terms[t];
        if (e->kind != CG_T_OP || e->way != CG_QUOTIENT)
            continue;
        bool other = s->numerator >= 0 && (s->numerator != e->x[0] || s->reciprocal != e->x[2]);
        if (other || s->memory[0] || !s->scratch[e->x[0]] || !cg_row_has_reduce(s, s->p.kept[e->x[0]] - 1)) {
            s->numerator = -1;
            return;
        }
        s->numerator = e->x[0];
        s->reciprocal = e->x[2];
    }
    if (s->numerator >= 0)
        s->least = LLVMConstAllOnes(words(s));
}

/* No numerator is below 2^-90, and the divisor is from 1/4 to 2^24, so that the remainder, a multiple
 * of 2^-138, is exact. */
static LLVMValueRef nothing_underflows(cg_row *s)
{
    cg_kernel *k = s->p.k;
    cg *c = k->c;
    LLVMTypeRef t = words(s), i32 = LLVMInt32TypeInContext(c->ctx), real = LLVMFloatTypeInContext(c->ctx);
    LLVMValueRef least = cg_intrinsic(c, "llvm.vector.reduce.umin", &t, 1, &s->least, 1);
    LLVMValueRef floor = LLVMConstInt(i32, (127 - 90) << 23, 0);
    LLVMValueRef q = cg_eval_scalar(k, s->reciprocal);
    LLVMValueRef few = LLVMBuildFCmp(c->b, LLVMRealOLE, q, LLVMConstReal(real, 4), "");
    LLVMValueRef many = LLVMBuildFCmp(c->b, LLVMRealOGE, q, LLVMConstReal(real, 0x1p-24), "");
    LLVMValueRef normal = LLVMBuildICmp(c->b, LLVMIntUGE, least, floor, "");

    return LLVMBuildAnd(c->b, normal, LLVMBuildAnd(c->b, few, many, ""), "");
}

/* The passes from `from` on, once with quotients mended and once with divisions; every row takes one of the
 * ways. */
void cg_row_passes_both_ways(cg_row *s, int from)
{
    cg_kernel *k = s->p.k;
    cg *c = k->c;
    LLVMBasicBlockRef way[2], after, home[CG_DIMS];

    LLVMValueRef mends = nothing_underflows(s);
    for (int w = 0; w < 2; w++)
        way[w] = LLVMAppendBasicBlockInContext(c->ctx, c->fn, w ? "mend" : "divide");
    after = LLVMAppendBasicBlockInContext(c->ctx, c->fn, "");
    memcpy(home, k->home, sizeof home);
    LLVMBuildCondBr(c->b, mends, way[1], way[0]);
    s->least = NULL;
    for (int w = 1; w >= 0; w--) {
        LLVMPositionBuilderAtEnd(c->b, way[w]);
        memcpy(k->home, home, sizeof home);
        cg_forget_level(k, 0);
        for (int r = 0; r < s->p.reduce_count; r++)
            if (s->p.reduces[r].pass < from)
                cg_seed_term(k, s->p.reduces[r].seed, s->result[r]);
            else
                memset(&s->acc[r * s->vectors], 0, (size_t)s->vectors * sizeof *s->acc);
        k->mends_quotients = w == 1;
        cg_row_passes(s, from, s->p.passes);
        LLVMBuildBr(c->b, after);
    }
    k->mends_quotients = false;
    memcpy(k->home, home, sizeof home);
    LLVMPositionBuilderAtEnd(c->b, after);
}
