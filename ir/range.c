/* ir/range.c: what the graph alone says of a value's range.
 *
 *   %2 = reduce_max %1 {axes = [1]}        never above 0: each element is taken less the maximum of its own
 * row, %3 = broadcast %2                      which is inf - inf = NaN at worst %4 = sub %1, %3
 *
 * Where the maximum is repeated along other axes than it was taken over, the difference may have any sign:
 * the index maps decide, through any views. */
#include "ir/range.h"
#include "ir/map.h"

/* The elements of `n`, a reduction of x, as they lie in memory when read for each element of x. */
static ir_map own_row(const ir_graph *g, const ir_node *n)
{
    const ir_type *x = &g->nodes[n->x[0]].type;
    ir_map m = ir_map_identity(x);
    int64_t stride = 1;

    for (int i = 0; i < n->attrs->n; i++)
        m.stride[n->attrs->axes[i]] = 0;
    for (int d = x->rank - 1; d >= 0; d--) {
        if (m.stride[d] == 0)
            continue;
        m.stride[d] = stride;
        stride *= x->dims[d];
    }
    return m;
}

/* Every element of r, read in the shape of `x`, is the maximum of a row of x that the same element of x is
 * in. */
static bool is_row_maximum(const ir_graph *g, ir_ref r, ir_ref x)
{
    ir_map m = ir_map_identity(&g->nodes[x].type), through;

    while (ir_map_through(g, &g->nodes[r], &m, &through)) {
        m = through;
        r = g->nodes[r].x[0];
    }
    const ir_node *n = &g->nodes[r];
    if (n->op != IR_reduce_max || n->x[0] != x)
        return false;
    ir_map own = own_row(g, n);
    return ir_map_eq(&m, &own);
}

static bool is_at_most_zero(const ir_graph *g, ir_ref r)
{
    while (ir_ops[g->nodes[r].op].cls == IR_VIEW)
        r = g->nodes[r].x[0];
    const ir_node *n = &g->nodes[r];
    ir_dtype d = (ir_dtype)n->type.dtype;

    return ir_is_immediate(n) && ir_dtype_is_float(d) && ir_element_get(d, n->attrs->constant.data) <= 0;
}

bool ir_never_positive(const ir_graph *g, ir_ref r)
{
    const ir_node *n = &g->nodes[r];

    switch (n->op) {
    case IR_sub: return is_row_maximum(g, n->x[1], n->x[0]);
    case IR_neg: return g->nodes[n->x[0]].op == IR_abs;
    case IR_min: return is_at_most_zero(g, n->x[0]) || is_at_most_zero(g, n->x[1]);
    default: return false;
    }
}
