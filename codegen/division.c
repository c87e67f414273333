/* codegen/division.c: divisions by what stays the same along the run become products.
 *
 *   y[r, i] = e[r, i] / s[r]   ->   q[r] = 1 / s[r];  y[r, i] = e[r, i] q[r]        softmax: one division a
 * row y[i] = x[i] / 49           ->   y[i] = x[i] 0.0204..
 *
 * So with freedom reassociate.  Without, a product is mended by its remainder, which gives the quotient to
 * the last bit (P. Markstein, Computation of elementary functions on the IBM RISC System/6000 processor,
 * 1990):
 *
 *   p = e q;  y = fma(fma(-p, s, e), q, p)
 *
 * where nothing underflows: row.c sees to it, for numerators that are an exp, as softmax's, and divides in
 * the rows where something might.  In f32 the product is off by less than 1.5 units in the last place, and
 * its mended form by less than 1.5 * 2^-23 before the last rounding; so only quotients that lie that near to
 * the middle of two numbers could go wrong, and none of them does (tests/numerics/test_quotient.c).
 *
 * A division keeps its unit busy for several cycles, a product for a half. */
#include "codegen/eval.h"
#include "ir/range.h"

#include <math.h>
#include <string.h>

/* A constant whose reciprocal is a normal number; what is not a constant is taken to be so. */
static bool has_reciprocal(const cg_kernel *k, const cg_term *z)
{
    const ir_node *n = &k->g->nodes[z->node];
    ir_dtype d = (ir_dtype)n->type.dtype;
    double most = d == IR_DT_f64 ? 0x1p1021 : 0x1p125, v;
    uint64_t bits = 0;

    if (z->kind != CG_T_IMMEDIATE)
        return true;
    memcpy(&bits, n->attrs->constant.data, ir_dtype_size(d));
    v = fabs(ir_element_get(d, &bits));
    return v >= 1 / most && v <= most;
}

/* Whether z is made once for many elements of t: per row of a ROW kernel, or once in all. */
static bool is_made_once(const cg_kernel *k, const cg_term *t, const cg_term *z)
{
    unsigned run = 0;

    for (int d = k->space.rank - k->inner; k->k->kind == IR_K_ROW && d < k->space.rank; d++)
        run |= 1u << d;
    return (z->uses == 0 && t->uses != 0) || (t->uses & run && !(z->uses & run));
}

/* f32, in a row, and a numerator from +0 to 1. */
static bool can_mend(const cg_kernel *k, const cg_term *t)
{
    const cg_term *x = &k->terms[t->x[0]];

    return k->k->kind == IR_K_ROW && k->c->has_fma && k->g->nodes[t->node].type.dtype == IR_DT_f32 &&
           x->kind == CG_T_OP && k->g->nodes[x->node].op == IR_exp &&
           ir_never_positive(k->g, k->g->nodes[x->node].x[0]);
}

void cg_divide_once(cg_kernel *k, cg_term *t)
{
    const ir_node *n = &k->g->nodes[t->node];
    ir_dtype d = (ir_dtype)n->type.dtype;

    if (t->kind != CG_T_OP || n->op != IR_div || (d != IR_DT_f32 && d != IR_DT_f64))
        return;
    const cg_term *z = &k->terms[t->x[1]];
    bool free = k->c->freedoms & IR_FREE(reassociate);
    if (!is_made_once(k, t, z) || !has_reciprocal(k, z) || (!free && !can_mend(k, t)))
        return;
    int reciprocal = cg_reciprocal_term(k, t->x[1]);
    if (reciprocal < 0)
        return;
    if (free) {
        t->x[1] = reciprocal;
        t->way = CG_TIMES_RECIPROCAL;
        k->c->freed |= IR_FREE(reassociate);
    } else {
        t->x[t->n++] = reciprocal;
        t->way = CG_QUOTIENT;
    }
}

LLVMValueRef cg_quotient(cg_kernel *k, const LLVMValueRef *x)
{
    cg *c = k->c;

    if (!k->mends_quotients)
        return LLVMBuildFDiv(c->b, x[0], x[1], "");
    LLVMValueRef p = LLVMBuildFMul(c->b, x[0], x[2], "");
    LLVMValueRef rest = cg_fma(c, LLVMBuildFNeg(c->b, p, ""), x[1], x[0]);
    return cg_fma(c, rest, x[2], p);
}
