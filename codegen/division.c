/* codegen/division.c: divisions by what stays the same along the run become products (freedom reassociate).
 *
 *   y[r, i] = e[r, i] / s[r]   ->   q[r] = 1 / s[r];  y[r, i] = e[r, i] q[r]        softmax: one division a
 * row y[i] = x[i] / 49           ->   y[i] = x[i] 0.0204..
 *
 * A division keeps its unit busy for several cycles, a product for a half. */
#include "codegen/eval.h"

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

void cg_divide_once(cg_kernel *k, cg_term *t)
{
    const ir_node *n = &k->g->nodes[t->node];
    ir_dtype d = (ir_dtype)n->type.dtype;

    if (!(k->c->freedoms & IR_FREE(reassociate)) || t->kind != CG_T_OP || n->op != IR_div ||
        (d != IR_DT_f32 && d != IR_DT_f64))
        return;
    const cg_term *z = &k->terms[t->x[1]];
    if (!is_made_once(k, t, z) || !has_reciprocal(k, z))
        return;
    int reciprocal = cg_reciprocal_term(k, t->x[1]);
    if (reciprocal < 0)
        return;
    t->x[1] = reciprocal;
    t->way = CG_TIMES_RECIPROCAL;
    k->c->freed |= IR_FREE(reassociate);
}
