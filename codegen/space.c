/* codegen/space.c: loops over an iteration space.
 *
 *   [64, 128, 32] read and written evenly   ->  one dim of 262144
 *   units [begin, end) over dims (a, b)     ->  a, b set by one division at the start, then counted on like
 *                                               an odometer */
#include "codegen/eval.h"

#include <stdlib.h>

/* ---- counted loops ---- */

static bool surely_less(LLVMValueRef from, LLVMValueRef to)
{
    return LLVMIsAConstantInt(from) && LLVMIsAConstantInt(to) &&
           LLVMConstIntGetSExtValue(from) < LLVMConstIntGetSExtValue(to);
}

cg_loop cg_loop_open(cg *c, LLVMValueRef from, LLVMValueRef to, int64_t step, const char *name)
{
    cg_loop l = {.to = to, .step = step, .header = LLVMGetInsertBlock(c->b)};

    l.body = LLVMAppendBasicBlockInContext(c->ctx, c->fn, name);
    l.done = LLVMAppendBasicBlockInContext(c->ctx, c->fn, "");
    l.guarded = !surely_less(from, to);
    if (l.guarded)
        LLVMBuildCondBr(c->b, LLVMBuildICmp(c->b, LLVMIntSLT, from, to, ""), l.body, l.done);
    else
        LLVMBuildBr(c->b, l.body);
    LLVMPositionBuilderAtEnd(c->b, l.body);
    l.index = LLVMBuildPhi(c->b, LLVMInt64TypeInContext(c->ctx), name);
    LLVMAddIncoming(l.index, &from, &l.header, 1);
    return l;
}

/* How the index steps on is hidden, so that LLVM does not look for running pointers to replace it: its loop
 * strength reduction took a fifth to a third of code generation, and addresses are an index and constants
 * without it. */
void cg_loop_close(cg *c, cg_loop *l)
{
    LLVMValueRef next = LLVMBuildNSWAdd(c->b, l->index, cg_i64(c, l->step), "");

    if (!l->running_pointers)
        next = cg_hide(c, next);
    l->latch = LLVMGetInsertBlock(c->b);
    LLVMAddIncoming(l->index, &next, &l->latch, 1);
    LLVMBuildCondBr(c->b, LLVMBuildICmp(c->b, LLVMIntSLT, next, l->to, ""), l->body, l->done);
    LLVMPositionBuilderAtEnd(c->b, l->done);
}

LLVMValueRef cg_carry(cg *c, const cg_loop *l, LLVMValueRef init)
{
    LLVMBasicBlockRef header = l->header, here = LLVMGetInsertBlock(c->b);
    LLVMValueRef first = LLVMGetFirstInstruction(l->body);

    LLVMPositionBuilderBefore(c->b, first);
    LLVMValueRef phi = LLVMBuildPhi(c->b, LLVMTypeOf(init), "");
    LLVMPositionBuilderAtEnd(c->b, here);
    LLVMAddIncoming(phi, &init, &header, 1);
    return phi;
}

LLVMValueRef cg_carried(cg *c, const cg_loop *l, LLVMValueRef phi, LLVMValueRef init, LLVMValueRef next)
{
    LLVMBasicBlockRef latch = l->latch, header = l->header;

    LLVMAddIncoming(phi, &next, &latch, 1);
    if (!l->guarded)
        return next;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(c->b);
    LLVMValueRef first = LLVMGetFirstInstruction(l->done);
    if (first)
        LLVMPositionBuilderBefore(c->b, first);
    else
        LLVMPositionBuilderAtEnd(c->b, l->done);
    LLVMValueRef out = LLVMBuildPhi(c->b, LLVMTypeOf(init), "");
    LLVMPositionBuilderAtEnd(c->b, here);
    LLVMAddIncoming(out, &init, &header, 1);
    LLVMAddIncoming(out, &next, &latch, 1);
    return out;
}

/* ---- merging dims ---- */

/* Whether every term that touches memory or counts elements steps evenly from dim a (outer) to dim b. */
static bool mergeable(const cg_kernel *k, int a, int b, const int64_t *extent)
{
    for (int t = 0; t < k->term_count; t++) {
        const cg_term *e = &k->terms[t];
        if (e->kind == CG_T_OP || e->kind == CG_T_IMMEDIATE || e->kind == CG_T_RECIPROCAL)
            continue;
        if (e->map.stride[a] != e->map.stride[b] * extent[b])
            return false;
    }
    return true;
}

void cg_collapse(cg_kernel *k, int first, int last, int64_t *extent)
{
    int inner = -1;

    for (int d = last - 1; d >= first; d--) {
        if (extent[d] <= 1)
            continue;
        if (inner >= 0 && mergeable(k, d, inner, extent)) {
            extent[inner] *= extent[d];
            extent[d] = 1;
        } else {
            inner = d;
        }
    }
}

/* ---- the loop over units ---- */

cg_odometer cg_units_open(cg_kernel *k, const int64_t *extent, int dims, LLVMValueRef begin, LLVMValueRef end)
{
    cg *c = k->c;
    cg_odometer o = {.dims = dims};
    LLVMValueRef start[IR_MAX_RANK], rest = begin;

    for (int d = 0; d < dims; d++)
        if (extent[d] > 1) {
            o.dim[o.count] = d;
            o.extent[o.count++] = extent[d];
        }
    for (int i = o.count - 1; i > 0; i--) {
        LLVMValueRef e = cg_i64(c, o.extent[i]);
        start[i] = LLVMBuildURem(c->b, rest, e, "");
        rest = LLVMBuildUDiv(c->b, rest, e, "");
    }
    if (o.count)
        start[0] = rest;
    o.loop = cg_loop_open(c, begin, end, 1, "unit");
    if (o.count == 1)
        o.phi[0] = o.loop.index;
    else
        for (int i = 0; i < o.count; i++)
            o.phi[i] = cg_carry(c, &o.loop, start[i]);
    for (int d = 0; d < dims; d++) {
        k->index[d] = cg_i64(c, 0);
        k->home[d] = o.loop.body;
        k->level[d] = 0;
    }
    for (int i = 0; i < o.count; i++)
        k->index[o.dim[i]] = o.phi[i];
    return o;
}

void cg_units_close(cg_kernel *k, cg_odometer *o)
{
    cg *c = k->c;
    LLVMValueRef next[IR_MAX_RANK], carry = NULL;

    for (int i = o->count - 1; o->count > 1 && i >= 0; i--) {
        LLVMValueRef one = cg_i64(c, 1), zero = cg_i64(c, 0);
        LLVMValueRef step = carry ? LLVMBuildSelect(c->b, carry, one, zero, "") : one;
        LLVMValueRef up = LLVMBuildAdd(c->b, o->phi[i], step, "");
        carry = LLVMBuildICmp(c->b, LLVMIntEQ, up, cg_i64(c, o->extent[i]), "");
        next[i] = i ? LLVMBuildSelect(c->b, carry, zero, up, "") : up;
    }
    cg_loop_close(c, &o->loop);
    for (int i = 0; o->count > 1 && i < o->count; i++)
        LLVMAddIncoming(o->phi[i], &next[i], &o->loop.latch, 1);
    for (int d = 0; d < o->dims; d++)
        k->home[d] = o->loop.done;
}

/* ---- masks and chunks ---- */

/* The count is hidden from LLVM 19: of a constant mask it knows that the other lanes are loaded as 0, takes 0
 * / 0 to be 0 there too (TargetLowering::SimplifyDemandedVectorElts), and drops the select that keeps the NaN
 * out of a sum. */
LLVMValueRef cg_const_mask(cg_kernel *k, int64_t active)
{
    cg *c = k->c;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(c->ctx);

    if (active >= c->lanes)
        return NULL;
    if (!k->tail_mask[active]) {
        LLVMBasicBlockRef here = LLVMGetInsertBlock(c->b);
        LLVMPositionBuilderBefore(c->b, LLVMGetBasicBlockTerminator(k->entry));
        LLVMValueRef n = cg_hide(c, LLVMConstInt(i32, (unsigned long long)active, 0));
        k->tail_mask[active] = LLVMBuildICmp(c->b, LLVMIntULT, cg_lane_ids(c, i32), cg_splat(c, n), "");
        LLVMPositionBuilderAtEnd(c->b, here);
    }
    return k->tail_mask[active];
}

LLVMValueRef cg_tail_mask(cg_kernel *k, LLVMValueRef at, LLVMValueRef n)
{
    cg *c = k->c;
    LLVMTypeRef i32 = LLVMInt32TypeInContext(c->ctx);

    if (LLVMIsAConstantInt(at) && LLVMIsAConstantInt(n))
        return cg_const_mask(k, LLVMConstIntGetSExtValue(n) - LLVMConstIntGetSExtValue(at));
    LLVMValueRef left = LLVMBuildTrunc(c->b, LLVMBuildSub(c->b, n, at, ""), i32, ""); /* 0 < left < lanes */
    return LLVMBuildICmp(c->b, LLVMIntULT, cg_lane_ids(c, i32), cg_splat(c, left), "");
}

int64_t cg_grain(int64_t units, double ns)
{
    double per_chunk = 2000.0 / (ns > 0.01 ? ns : 0.01); /* a chunk is worth 2 us */

    if (per_chunk < 1)
        return 1;
    return per_chunk >= (double)units ? 0 : (int64_t)per_chunk;
}
