/* codegen/contract_general.c: CONTRACT kernels of any dims: one product and the pointwise consumers of its
 * result, element by element.
 *
 *   y[b, m, n] = f(sum over k of x[b, m, k] z[b, k, n])
 *
 * The order is numerics rule 5's: chains of fma within blocks of 512 along k, block results added in order.
 */
#include "codegen/contract.h"

#include <stdio.h>

typedef struct dot_state {
    cg_kernel *k;
    ir_map map[2]; /* operands over the result's dims */
    int nk;
    int64_t extent[IR_MAX_RANK], stride[2][IR_MAX_RANK], count; /* along k */
    ir_dtype dtype;
} dot_state;

static void describe(dot_state *s)
{
    const ir_graph *g = s->k->g;
    const ir_node *n = &g->nodes[s->k->k->root];
    const ir_attrs *a = n->attrs;
    int64_t strides[2][IR_MAX_RANK];
    int dim = a->n;

    s->nk = a->nk;
    s->count = 1;
    s->dtype = (ir_dtype)n->type.dtype;
    for (int o = 0; o < 2; o++) {
        const ir_type *t = &g->nodes[n->x[o]].type;
        const int8_t *batch = o ? a->dot.rhs_batch : a->dot.lhs_batch,
                     *along = o ? a->dot.rhs_k : a->dot.lhs_k;
        ir_type_strides(t, strides[o]);
        s->map[o] = s->k->space;
        for (int j = 0; j < IR_MAX_RANK; j++)
            s->map[o].stride[j] = j < a->n ? strides[o][batch[j]] : 0;
        for (int i = 0; i < t->rank; i++)
            if (!ir_has_axis(batch, a->n, i) && !ir_has_axis(along, a->nk, i))
                s->map[o].stride[dim++] = strides[o][i];
        for (int i = 0; i < a->nk; i++) {
            s->extent[i] = t->dims[along[i]];
            s->stride[o][i] = strides[o][along[i]];
        }
    }
    for (int i = 0; i < a->nk; i++)
        s->count *= s->extent[i];
}

static LLVMValueRef load(dot_state *s, int o, LLVMValueRef start, LLVMValueRef p)
{
    cg *c = s->k->c;
    LLVMValueRef at = start;

    for (int i = s->nk - 1; i >= 0; i--) {
        LLVMValueRef e = cg_i64(c, s->extent[i]), digit = i ? LLVMBuildURem(c->b, p, e, "") : p;
        p = LLVMBuildUDiv(c->b, p, e, "");
        at = LLVMBuildAdd(c->b, at, LLVMBuildMul(c->b, digit, cg_i64(c, s->stride[o][i]), ""), "");
    }
    ir_ref source = ir_dot_source(s->k->g, s->k->k, o);
    ir_dtype d = (ir_dtype)s->k->g->nodes[source].type.dtype;
    return cg_load_scalar(c, cg_element(c, cg_base(s->k, source), d, at), d);
}

/* One element's chain over k in [from, to). */
static LLVMValueRef chain(dot_state *s, LLVMValueRef from, LLVMValueRef to, const LLVMValueRef start[2])
{
    cg *c = s->k->c;
    LLVMValueRef zero = cg_real(c, s->dtype, 0);
    cg_loop l = cg_loop_open(c, from, to, 1, "k");
    LLVMValueRef acc = cg_carry(c, &l, zero);
    LLVMValueRef next = cg_fma(c, load(s, 0, start[0], l.index), load(s, 1, start[1], l.index), acc);

    cg_loop_close(c, &l);
    return cg_carried(c, &l, acc, zero, next);
}

static LLVMValueRef element(dot_state *s)
{
    cg *c = s->k->c;
    LLVMValueRef start[2] = {cg_linear(s->k, &s->map[0]), cg_linear(s->k, &s->map[1])};
    int64_t first = s->count < CG_K_BLOCK ? s->count : CG_K_BLOCK;
    LLVMValueRef n = cg_i64(c, s->count), sum = chain(s, cg_i64(c, 0), cg_i64(c, first), start);

    if (s->count <= CG_K_BLOCK)
        return sum;
    cg_loop l = cg_loop_open(c, cg_i64(c, CG_K_BLOCK), n, CG_K_BLOCK, "block");
    LLVMValueRef total = cg_carry(c, &l, sum), end = LLVMBuildAdd(c->b, l.index, cg_i64(c, CG_K_BLOCK), "");
    LLVMValueRef less = LLVMBuildICmp(c->b, LLVMIntSLT, end, n, "");
    LLVMValueRef block = chain(s, l.index, LLVMBuildSelect(c->b, less, end, n, ""), start);
    LLVMValueRef next = LLVMBuildFAdd(c->b, total, block, "");
    cg_loop_close(c, &l);
    return cg_carried(c, &l, total, sum, next);
}

void cg_emit_contract_general(cg_kernel *k)
{
    dot_state s = {.k = k};
    int64_t rows = 1;

    snprintf(k->variant, sizeof k->variant,
             "element by element: dims that do not merge into rows and columns");
    describe(&s);
    k->c->lanes = 1;
    k->vector_dim = -1;
    for (int d = 0; d < k->space.rank; d++)
        rows *= k->space.extent[d];
    int dot = cg_term_of(k, k->k->root, &k->space);
    for (int o = 0; o < k->k->out_count; o++)
        cg_term_of(k, k->k->outs[o], &k->space);
    if (k->failed)
        return;
    k->units = rows;
    k->grain = cg_grain(rows, (double)s.count);
    cg_odometer o = cg_units_open(k, k->space.extent, k->space.rank, k->begin, k->end);
    cg_seed_term(k, dot, element(&s));
    for (int d = 0; d < k->space.rank; d++)
        k->home[d] = LLVMGetInsertBlock(k->c->b);
    for (int i = 0; i < k->k->out_count; i++)
        cg_eval(k, k->k->outs[i], &k->space);
    for (int i = 0; i < k->k->out_count; i++)
        cg_store(k, k->k->outs[i], &k->space, cg_eval(k, k->k->outs[i], &k->space));
    cg_units_close(k, &o);
}
