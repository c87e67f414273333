/* ir/kernel_space.c: the iteration space of a kernel, and where its values lie in it (ir/kernel.h). */
#include "ir/map.h"

#include <string.h>

bool ir_has_axis(const int8_t *axes, int n, int axis)
{
    return memchr(axes, axis, (size_t)n) != NULL;
}

static ir_map box(int rank, const int64_t *extent)
{
    ir_type t = {.rank = (uint8_t)rank};

    memcpy(t.dims, extent, (size_t)rank * sizeof *extent);
    return ir_map_identity(&t);
}

ir_map ir_kernel_tree_space(const ir_graph *g, const ir_node *dot, int *inner, ir_map *lhs, ir_map *rhs)
{
    const ir_attrs *a = dot->attrs;
    const ir_type *x = &g->nodes[dot->x[0]].type, *z = &g->nodes[dot->x[1]].type;
    int64_t xs[IR_MAX_RANK], zs[IR_MAX_RANK], e[3 * IR_MAX_RANK], l[3 * IR_MAX_RANK], r[3 * IR_MAX_RANK];
    int rank = 0;
    ir_map space = {.rank = -1};

    ir_type_strides(x, xs);
    ir_type_strides(z, zs);
#define DIM(extent_, l_, r_) (e[rank] = (extent_), l[rank] = (l_), r[rank] = (r_), rank++)
    if (dot->type.rank + a->nk <= IR_MAX_RANK) {
        for (int i = 0; i < a->n; i++) {
            DIM(x->dims[a->dot.lhs_batch[i]], xs[a->dot.lhs_batch[i]], zs[a->dot.rhs_batch[i]]);
        }
        for (int i = 0; i < x->rank; i++) {
            if (!ir_has_axis(a->dot.lhs_batch, a->n, i) && !ir_has_axis(a->dot.lhs_k, a->nk, i)) {
                DIM(x->dims[i], xs[i], 0);
            }
        }
        for (int i = 0; i < z->rank; i++) {
            if (!ir_has_axis(a->dot.rhs_batch, a->n, i) && !ir_has_axis(a->dot.rhs_k, a->nk, i)) {
                DIM(z->dims[i], 0, zs[i]);
            }
        }
        for (int i = 0; i < a->nk; i++) {
            DIM(x->dims[a->dot.lhs_k[i]], xs[a->dot.lhs_k[i]], zs[a->dot.rhs_k[i]]);
        }
        *inner = a->nk;
    } else { /* more dims than a map holds: the collapsed lists */
        ir_dot d;

        ir_dot_describe(a, x, xs, z, zs, &d);
        for (int i = 0; i < d.nb; i++) {
            DIM(d.be[i], d.bl[i], d.br[i]);
        }
        for (int i = 0; i < d.nm; i++) {
            DIM(d.me[i], d.ml[i], 0);
        }
        for (int i = 0; i < d.nn; i++) {
            DIM(d.ne[i], 0, d.nr[i]);
        }
        for (int i = 0; i < d.nk && rank < 3 * IR_MAX_RANK; i++) {
            DIM(d.ke[i], d.kl[i], d.kr[i]);
        }
        *inner = d.nk;
    }
#undef DIM
    if (rank > IR_MAX_RANK) {
        return space;
    }
    space = *lhs = *rhs = box(rank, e);
    for (int i = 0; i < rank; i++) {
        lhs->stride[i] = e[i] == 1 ? 0 : l[i];
        rhs->stride[i] = e[i] == 1 ? 0 : r[i];
    }
    return space;
}

bool ir_reduces_rows(const ir_graph *g, ir_ref r)
{
    const ir_node *n = &g->nodes[r];

    return ir_ops[n->op].cls == IR_REDUCE && n->attrs->n > 0 &&
           n->attrs->axes[n->attrs->n - 1] != g->nodes[n->x[0]].type.rank - 1;
}

int64_t ir_reduced_run(const ir_graph *g, ir_ref r)
{
    const ir_node *n = &g->nodes[r];
    int64_t run = 1;

    for (int i = 0; i < n->attrs->n; i++) {
        run *= g->nodes[n->x[0]].type.dims[n->attrs->axes[i]];
    }
    return run;
}

const ir_node *ir_kernel_space_node(const ir_graph *g, const ir_kernel *k)
{
    for (int i = 0; k->kind == IR_K_ROW && i < k->node_count; i++) {
        if (ir_reduces_rows(g, k->nodes[i])) {
            return &g->nodes[k->nodes[i]];
        }
    }
    return &g->nodes[k->root];
}

ir_map ir_kernel_space(const ir_graph *g, const ir_kernel *k, int *inner, int *run)
{
    const ir_node *root = &g->nodes[k->root];
    ir_map lhs, rhs;

    *inner = *run = 0;
    if (root->op == IR_pad) {
        return ir_map_identity(&g->nodes[root->x[0]].type);
    }
    if (k->kind == IR_K_ROW && root->op == IR_dot_general) {
        return ir_kernel_tree_space(g, root, inner, &lhs, &rhs);
    }
    if (k->kind == IR_K_ROW || k->kind == IR_K_OUTER) {
        const ir_node *n = ir_kernel_space_node(g, k);
        const ir_type *x = &g->nodes[n->x[0]].type;

        if (k->kind == IR_K_ROW && n == root) {
            *inner = root->attrs->n;
        } else if (n->attrs->n > 0) {
            *run = n->attrs->n;
            *inner = x->rank - 1 - n->attrs->axes[n->attrs->n - 1];
        }
        return ir_map_identity(x);
    }
    return ir_map_identity(&root->type);
}

/* Row-major over the dims of the space but [first, first + count), along which it does not move. */
static ir_map map_without(const ir_map *space, int first, int count)
{
    ir_map m = *space;
    int64_t s = 1;

    for (int j = m.rank - 1; j >= 0; j--) {
        bool reduced = j >= first && j < first + count;

        m.stride[j] = reduced || m.extent[j] == 1 ? 0 : s;
        s *= reduced ? 1 : m.extent[j];
    }
    return m;
}

ir_map ir_kernel_row_map(const ir_kernel *k, const ir_map *space, int inner, int run)
{
    switch (k->kind) {
    case IR_K_ROW: return map_without(space, space->rank - inner, inner);
    case IR_K_OUTER: return ir_kernel_block_map(space, inner, run);
    default: return map_without(space, 0, 0);
    }
}

ir_map ir_kernel_block_map(const ir_map *space, int inner, int run)
{
    return map_without(space, space->rank - inner - run, run);
}
