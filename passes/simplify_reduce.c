/* passes/simplify_reduce.c: rules of reductions and products (contract: simplify.h).
 *
 *   reduce_sum(x, {0, 2})                  -> reduce_sum(reduce_sum(x, {2}), {0})       one run of axes a
 * node reduce_max(x: f32[4,1], {1})           -> reshape(x) dot_general(transpose(x, p), z)        ->
 * dot_general(x, z) with its axes renumbered transpose(dot_general(x, z)), m <-> n  -> dot_general(z, x)
 *
 * The split is the definition of a sum over several runs (numerics.md rule 4: innermost first).  The inner
 * run of the op as written stays the inner one: it keeps the operand's last axis; an outer run has an
 * unreduced axis behind it before and after.  Products keep the order of k, and m, n and batch keep their
 * members (rule 5: the m n < 64 threshold). */
#include "passes/rebuild.h"
#include "passes/simplify.h"

#include <string.h>

/* A split is two nodes for one: the only rule that grows a graph. */
static ir_ref split_runs(ir_graph *g, const candidate *c)
{
    int from = ir_last_run(c->a);
    ir_attrs inner = {.n = (uint8_t)(c->a->n - from)}, rest = {.n = (uint8_t)from};

    if (from == 0) {
        return IR_NONE;
    }
    memcpy(inner.axes, c->a->axes + from, inner.n);
    memcpy(rest.axes, c->a->axes, rest.n);
    return simplify_emit1(g, c->op, &rest, simplify_emit1(g, c->op, &inner, c->x[0]));
}

/* A maximum of one element is the element.  A float sum of one is +0 + x, which turns -0 to +0: it stays. */
static ir_ref reduce_ones(ir_graph *g, const candidate *c)
{
    const ir_type *t = &g->nodes[c->x[0]].type;
    ir_error ignored = {0};
    ir_type y;

    for (int i = 0; i < c->a->n; i++) {
        if (t->dims[c->a->axes[i]] != 1) {
            return IR_NONE;
        }
    }
    if (c->op == IR_reduce_sum && ir_dtype_is_float(t->dtype)) {
        return IR_NONE;
    }
    return ir_infer(c->op, c->a, &t, 1, &y, &ignored) == IR_OK ? simplify_reshape(g, c->x[0], &y) : IR_NONE;
}

/* ---- products ------------------------------------------------------------------------------------------ */

/* Axis lists of one side of a product. */
typedef struct side {
    int8_t *batch, *k;
} side;

static side side_of(ir_attrs *a, int operand)
{
    return operand == 0 ? (side){a->dot.lhs_batch, a->dot.lhs_k} : (side){a->dot.rhs_batch, a->dot.rhs_k};
}

/* Bit set of the axes that are neither batch nor contracted. */
static unsigned free_axes(ir_attrs *a, int operand, int rank)
{
    side s = side_of(a, operand);
    unsigned set = (1u << rank) - 1;

    for (int i = 0; i < a->n; i++) {
        set &= ~(1u << s.batch[i]);
    }
    for (int i = 0; i < a->nk; i++) {
        set &= ~(1u << s.k[i]);
    }
    return set;
}

/* The free axes of the transposed operand come in the same order without the transpose. */
static bool keeps_free_order(unsigned free, const ir_attrs *perm)
{
    int last = -1;

    for (int i = 0; i < perm->n; i++) {
        if (free >> i & 1) {
            if (perm->axes[i] < last) {
                return false;
            }
            last = perm->axes[i];
        }
    }
    return true;
}

static ir_ref dot_of_transpose(ir_graph *g, const candidate *c)
{
    for (int i = 0; i < 2; i++) {
        const ir_node *n = simplify_operand(g, c, i, IR_transpose);
        ir_attrs a = *c->a;
        side s = side_of(&a, i);
        if (!n || !keeps_free_order(free_axes(&a, i, n->type.rank), n->attrs)) {
            continue;
        }
        for (int j = 0; j < a.n; j++) {
            s.batch[j] = n->attrs->axes[s.batch[j]];
        }
        for (int j = 0; j < a.nk; j++) {
            s.k[j] = n->attrs->axes[s.k[j]];
        }
        ir_ref x[2] = {c->x[0], c->x[1]};
        x[i] = n->x[0];
        return simplify_emit(g, IR_dot_general, &a, x, 2);
    }
    return IR_NONE;
}

/* ---- the table ----------------------------------------------------------------------------------------- */

static simplify_rule *const table[IR_OP_COUNT][SIMPLIFY_RULES] = {
    [IR_reduce_sum] = {reduce_ones, split_runs}, [IR_reduce_max] = {reduce_ones, split_runs},
    [IR_reduce_min] = {reduce_ones, split_runs}, [IR_reduce_prod] = {reduce_ones, split_runs},
    [IR_reduce_all] = {reduce_ones, split_runs}, [IR_reduce_any] = {reduce_ones, split_runs},
    [IR_dot_general] = {dot_of_transpose},
};

simplify_rule *const *simplify_reduce_rules(ir_op op)
{
    return table[op];
}
