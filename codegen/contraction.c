/* codegen/contraction.c: products that become part of the addition that reads them (freedom contract).
 *
 *   y = x z + w      mul, add  ->  fma(x, z, w)         s = s + x z      mul, add  ->  fma(x, z, s)
 *
 * The product keeps a term of its own, which is computed only if something else reads it: never more
 * instructions than apart.  A product that varies with fewer dims than the sum stays apart, since it is made
 * once outside of the inner loop, and so does everything where fma would be a call. */
#include "codegen/eval.h"
#include "codegen/memo.h"

/* f32 or f64: the halves are rounded after each operation. */
static bool may_contract(const cg_kernel *k, ir_dtype d)
{
    return k->c->freedoms & IR_FREE(contract) && k->c->has_fma && (d == IR_DT_f32 || d == IR_DT_f64);
}

/* Term t if it is a plain product of f32 or f64 that varies with all dims of `uses`. */
static const cg_term *product_of(const cg_kernel *k, int t, unsigned uses)
{
    const cg_term *e = &k->terms[t];

    return e->kind == CG_T_OP && k->g->nodes[e->node].op == IR_mul && e->uses == uses ? e : NULL;
}

void cg_contract_term(const cg_kernel *k, cg_term *t)
{
    const ir_node *n = &k->g->nodes[t->node];

    if (t->kind != CG_T_OP || (n->op != IR_add && n->op != IR_sub) ||
        !may_contract(k, (ir_dtype)n->type.dtype))
        return;
    for (int i = 0; i < 2; i++) {
        const cg_term *product = product_of(k, t->x[i], t->uses);
        if (!product)
            continue;
        t->way = n->op == IR_add ? CG_PRODUCT_PLUS : i == 0 ? CG_PRODUCT_MINUS : CG_MINUS_PRODUCT;
        t->x[2] = t->x[1 - i];
        t->x[0] = product->x[0];
        t->x[1] = product->x[1];
        t->n = 3;
        k->c->freed |= IR_FREE(contract);
        return;
    }
}

/* A product whose value is there already is added as it is. */
const cg_term *cg_contracted_product(cg_kernel *k, int term, ir_dtype d)
{
    if (term < 0 || !may_contract(k, d))
        return NULL;
    const cg_term *product = product_of(k, term, k->terms[term].uses);
    const cg_slot *s = product ? cg_slot_of(k, term, product->uses) : NULL;
    if (!s || s->scalar || s->vector)
        return NULL;
    k->c->freed |= IR_FREE(contract);
    return product;
}

LLVMValueRef cg_other_way(cg *c, cg_way way, const LLVMValueRef *x)
{
    LLVMValueRef first = x[0], last = x[2];

    if (way == CG_TIMES_RECIPROCAL)
        return LLVMBuildFMul(c->b, x[0], x[1], "");
    if (way == CG_MINUS_PRODUCT)
        first = LLVMBuildFNeg(c->b, first, "");
    if (way == CG_PRODUCT_MINUS)
        last = LLVMBuildFNeg(c->b, last, "");
    return cg_fma(c, first, x[1], last);
}
