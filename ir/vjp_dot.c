/* ir/vjp_dot.c: gradients of a product: two more products.
 *
 *   y[b m n] = sum_k x[b m k] z[b k n]      dx[b m k] = sum_n dy[b m n] z[b k n]      dz[b k n] = sum_m x[b m
 * k] dy[b m n]
 *
 * Batch and contracted axes may sit anywhere in x and z.  A product's result has its axes as batch, free axes
 * of the left operand, free axes of the right; dy goes to the side that gives the operand's own order, so
 * that the usual layouts need no transpose: x w^T + b (w [out, in]) has dw = dot(dy, x) as [out, in]; a b has
 * db = dot(a, dy) as [k, n].  Either side gives the same bits: fma(p, q, acc) commutes in p and q. */
#include "ir/vjp.h"
#include "ir/emit.h"

/* One operand's axes by role, each list in the order the product names them; free axes ascending. */
typedef struct roles {
    int rank, nb, nk, nf;
    int8_t batch[IR_MAX_RANK], k[IR_MAX_RANK], free[IR_MAX_RANK];
} roles;

static roles roles_of(int rank, int nb, const int8_t *batch, int nk, const int8_t *k)
{
    roles r = {.rank = rank, .nb = nb, .nk = nk};
    unsigned taken = 0;

    for (int i = 0; i < nb; i++) {
        r.batch[i] = batch[i];
        taken |= 1u << batch[i];
    }
    for (int i = 0; i < nk; i++) {
        r.k[i] = k[i];
        taken |= 1u << k[i];
    }
    for (int i = 0; i < rank; i++) {
        if (!(taken >> i & 1)) {
            r.free[r.nf++] = (int8_t)i;
        }
    }
    return r;
}

/* Place in a product's result -> axis of the operand whose gradient it is. */
typedef struct spot {
    int at[IR_MAX_RANK];
} spot;

/* The axes of `own` as the result [batch, first.., second..] holds them: own_first puts its free axes before
 * its contracted ones, which come in the ascending order that a product gives to free axes. */
static spot result_order(const roles *own, const int8_t *k_order, bool own_first)
{
    spot p = {{0}};
    int at = 0;

    for (int i = 0; i < own->nb; i++) {
        p.at[at++] = own->batch[i];
    }
    for (int part = 0; part < 2; part++) {
        bool frees = (part == 0) == own_first;
        int count = frees ? own->nf : own->nk;
        for (int i = 0; i < count; i++) {
            p.at[at++] = frees ? own->free[i] : k_order[i];
        }
    }
    return p;
}

static bool in_order(const spot *p, int rank)
{
    for (int i = 0; i < rank; i++) {
        if (p->at[i] != i) {
            return false;
        }
    }
    return true;
}

/* The contracted axes of `own` in the order in which those of `other`, as free axes, come out of a product.
 */
static void k_ascending_in_other(const roles *own, const roles *other, int8_t *order)
{
    int n = 0;

    for (int axis = 0; axis < other->rank; axis++) {
        for (int i = 0; i < other->nk; i++) {
            if (other->k[i] == axis) {
                order[n++] = own->k[i];
            }
        }
    }
}

/* Attributes of the product of dy and `other` that contracts other's free axes, which start at axis `from` of
 * dy. */
static ir_attrs product_attrs(const roles *other, int from, bool dy_left)
{
    ir_attrs a = {.n = (uint8_t)other->nb, .nk = (uint8_t)other->nf};
    int8_t *dy_batch = dy_left ? a.dot.lhs_batch : a.dot.rhs_batch,
           *dy_k = dy_left ? a.dot.lhs_k : a.dot.rhs_k;
    int8_t *batch = dy_left ? a.dot.rhs_batch : a.dot.lhs_batch, *k = dy_left ? a.dot.rhs_k : a.dot.lhs_k;

    for (int i = 0; i < other->nb; i++) {
        dy_batch[i] = (int8_t)i;
        batch[i] = other->batch[i];
    }
    for (int i = 0; i < other->nf; i++) {
        dy_k[i] = (int8_t)(from + i);
        k[i] = other->free[i];
    }
    return a;
}

/* The gradient of the operand `own`; `other` is the other operand's value and roles, its free axes start at
 * `from` in dy. */
static ir_val operand_gradient(ir_sink *s, ir_val dy, const roles *own, ir_val other, const roles *ro,
                               int from)
{
    int8_t k_order[IR_MAX_RANK];
    int inverse[IR_MAX_RANK];

    k_ascending_in_other(own, ro, k_order);
    spot dy_first = result_order(own, k_order, true), dy_second = result_order(own, k_order, false);
    bool left = in_order(&dy_first, own->rank) || !in_order(&dy_second, own->rank);
    const spot *p = left ? &dy_first : &dy_second;
    ir_attrs a = product_attrs(ro, from, left);
    ir_val d = left ? ir_e_dot(s, dy, other, &a) : ir_e_dot(s, other, dy, &a);

    if (in_order(p, own->rank)) {
        return d;
    }
    for (int i = 0; i < own->rank; i++) {
        inverse[p->at[i]] = i;
    }
    return ir_e_transpose(s, d, inverse);
}

void ir_vjp_dot_general(ir_sink *s, const ir_vjp_call *c)
{
    const ir_attrs *a = c->a;
    roles x = roles_of(s->type(s, c->x[0])->rank, a->n, a->dot.lhs_batch, a->nk, a->dot.lhs_k);
    roles z = roles_of(s->type(s, c->x[1])->rank, a->n, a->dot.rhs_batch, a->nk, a->dot.rhs_k);

    if (c->need & 1) {
        c->dx[0] = operand_gradient(s, c->dy, &x, c->x[1], &z, x.nb + x.nf);
    }
    if (c->need & 2) {
        c->dx[1] = operand_gradient(s, c->dy, &z, c->x[0], &x, z.nb);
    }
}
