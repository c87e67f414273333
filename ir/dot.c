/* ir/dot.c: dot_general as matrices.
 *
 *   x [b.., m.., k..]  z [b.., k.., n..]  ->  lists of (extent, stride in x, stride in z) for batch, m, n and
 * k
 *
 * Each list is collapsed: neighbours that are one run in every operand become one dim, extents of 1 vanish.
 * k is only collapsed in the order in which the attributes list it, since that is the order of the additions
 * (numerics rule 5). */
#include "ir/map.h"

/* Appends a dim to a list, merging it with the last one where both operands allow.  Strides are 0 where
 * absent. */
static void add_dim(int64_t extent, int64_t l, int64_t r, int64_t *product, int *n, int64_t *e, int64_t *ls,
                    int64_t *rs)
{
    int last = *n - 1;

    *product *= extent;
    if (extent == 1) {
        return;
    }
    if (last >= 0 && (!ls || ls[last] == l * extent) && (!rs || rs[last] == r * extent)) {
        e[last] *= extent;
    } else {
        e[++last] = extent;
        (*n)++;
    }
    if (ls) {
        ls[last] = l;
    }
    if (rs) {
        rs[last] = r;
    }
}

void ir_dot_describe(const ir_attrs *a, const ir_type *lhs, const int64_t *lhs_strides, const ir_type *rhs,
                     const int64_t *rhs_strides, ir_dot *out)
{
    ir_dot d = {.batch = 1, .m = 1, .n = 1, .k = 1};

    for (int i = 0; i < a->n; i++) {
        int l = a->dot.lhs_batch[i], r = a->dot.rhs_batch[i];

        add_dim(lhs->dims[l], lhs_strides[l], rhs_strides[r], &d.batch, &d.nb, d.be, d.bl, d.br);
    }
    for (int i = 0; i < a->nk; i++) {
        int l = a->dot.lhs_k[i], r = a->dot.rhs_k[i];

        add_dim(lhs->dims[l], lhs_strides[l], rhs_strides[r], &d.k, &d.nk, d.ke, d.kl, d.kr);
    }
    for (int i = 0; i < lhs->rank; i++) {
        if (!ir_has_axis(a->dot.lhs_batch, a->n, i) && !ir_has_axis(a->dot.lhs_k, a->nk, i)) {
            add_dim(lhs->dims[i], lhs_strides[i], 0, &d.m, &d.nm, d.me, d.ml, NULL);
        }
    }
    for (int i = 0; i < rhs->rank; i++) {
        if (!ir_has_axis(a->dot.rhs_batch, a->n, i) && !ir_has_axis(a->dot.rhs_k, a->nk, i)) {
            add_dim(rhs->dims[i], 0, rhs_strides[i], &d.n, &d.nn, d.ne, NULL, d.nr);
        }
    }
    *out = d;
}

bool ir_dot_is_tree(const ir_attrs *a, const ir_type *lhs, const ir_type *rhs)
{
    int64_t m = 1, n = 1;

    for (int i = 0; i < lhs->rank; i++) {
        m *= ir_has_axis(a->dot.lhs_batch, a->n, i) || ir_has_axis(a->dot.lhs_k, a->nk, i) ? 1 : lhs->dims[i];
    }
    for (int i = 0; i < rhs->rank; i++) {
        n *= ir_has_axis(a->dot.rhs_batch, a->n, i) || ir_has_axis(a->dot.rhs_k, a->nk, i) ? 1 : rhs->dims[i];
    }
    return m < 64 && n < 64 && m * n < 64;
}

/* Whether a side's free elements lie side by side, and those along k further apart. */
static bool is_side_by_side(int free_count, int64_t extent, int64_t stride, int k_count, int64_t k_stride)
{
    enum { LEAST = 4 }; /* as many as the narrowest vector has */

    return free_count == 1 && extent >= LEAST && stride == 1 && (k_count == 0 || k_stride != 1);
}

int ir_dot_lanes(const ir_attrs *a, const ir_type *lhs, const ir_type *rhs)
{
    int64_t ls[IR_MAX_RANK], rs[IR_MAX_RANK];
    ir_dot d;

    if (!ir_dot_is_tree(a, lhs, rhs)) {
        return -1;
    }
    ir_type_strides(lhs, ls);
    ir_type_strides(rhs, rs);
    ir_dot_describe(a, lhs, ls, rhs, rs, &d);
    if (d.nm > 1 || d.nn > 1 || d.nk > 1 || d.m * d.n * d.k == 0) {
        return -1;
    }
    bool left = is_side_by_side(d.nm, d.m, d.ml[0], d.nk, d.kl[0]);
    bool right = is_side_by_side(d.nn, d.n, d.nr[0], d.nk, d.kr[0]);

    return right && (!left || d.n >= d.m) ? 1 : left ? 0 : -1;
}

bool ir_dot_is_tile(const ir_attrs *a, const ir_type *lhs, const ir_type *rhs)
{
    return !ir_dot_is_tree(a, lhs, rhs) || ir_dot_lanes(a, lhs, rhs) >= 0;
}

bool ir_dot_widens(const ir_graph *g, const ir_node *n)
{
    if (n->op != IR_dot_general) {
        return false;
    }
    const ir_node *z = &g->nodes[n->x[1]];

    return z->op == IR_convert && z->type.dtype == IR_DT_f32 &&
           ir_dtype_is_half((ir_dtype)g->nodes[z->x[0]].type.dtype) &&
           ir_dot_is_tile(n->attrs, &g->nodes[n->x[0]].type, &z->type);
}

ir_ref ir_dot_source(const ir_graph *g, const ir_kernel *k, int i)
{
    const ir_node *n = &g->nodes[k->root];
    bool widens = i == 1 && ir_dot_widens(g, n) && ir_refs_hold(k->nodes, k->node_count, n->x[1]);

    return widens ? g->nodes[n->x[1]].x[0] : n->x[i];
}
