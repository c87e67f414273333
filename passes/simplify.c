/* passes/simplify.c: algebra that keeps every bit.
 *
 *   mul(x, 1) -> x      neg(neg(x)) -> x      transpose(transpose(x, p), q) -> transpose(x, p[q])
 *   stop_gradient(x) -> x      reduce_sum(x, {0, 2}) -> reduce_sum(reduce_sum(x, {2}), {0})
 *
 * in:  any verified graph after differentiation (stop_gradient is then the identity).
 * out: dtype, shape and bits of every mapped node unchanged; no rule of simplify_arith.c, simplify_view.c and
 *      simplify_reduce.c matches any more where the operands were final; unused nodes are left to dce.
 * Every rule, with the reason why it is exact, is listed in docs/simplify-rules.md.  What is not exact is not
 * here: x + 0 (-0), x * 0 (NaN, inf, -0), x - x, a / c -> a * (1 / c) unless c is a power of two, any
 * reassociation, any change of a float sum's shape or axes but the split that numerics.md rule 4 defines.
 * Cost: one walk; a few comparisons per node. */
#include "passes/all.h"
#include "passes/rebuild.h"
#include "passes/simplify.h"

typedef simplify_rule *const *rules_of(ir_op op);
static rules_of *const families[] = {simplify_arith_rules, simplify_pointwise_rules, simplify_view_rules,
                                     simplify_reduce_rules};

ir_ref simplify_emit(ir_graph *g, ir_op op, const ir_attrs *a, const ir_ref *x, int n)
{
    candidate c = {.op = op, .a = a, .x = x, .n = n};

    for (int i = 0; i < n; i++) {
        if (x[i] == IR_NONE) {
            return IR_NONE;
        }
    }
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
        simplify_rule *const *rule = families[f](op);
        for (int i = 0; rule && i < SIMPLIFY_RULES && rule[i]; i++) {
            ir_ref r = rule[i](g, &c);
            if (r != IR_NONE || g->error.status != IR_OK) {
                return r;
            }
        }
    }
    return ir_graph_append(g, op, a, x, n);
}

ir_ref simplify_emit1(ir_graph *g, ir_op op, const ir_attrs *a, ir_ref x)
{
    return simplify_emit(g, op, a, &x, 1);
}

ir_ref simplify_emit2(ir_graph *g, ir_op op, ir_ref x, ir_ref z)
{
    return simplify_emit(g, op, NULL, (const ir_ref[]){x, z}, 2);
}

const ir_node *simplify_operand(const ir_graph *g, const candidate *c, int i, ir_op op)
{
    const ir_node *n = &g->nodes[c->x[i]];

    return n->op == op ? n : NULL;
}

ir_ref simplify_reshape(ir_graph *g, ir_ref x, const ir_type *t)
{
    ir_attrs a = {.type = *t};

    return ir_shape_eq(&g->nodes[x].type, t) ? x : simplify_emit1(g, IR_reshape, &a, x);
}

ir_status pass_simplify(pass_context *pc, const ir_graph *in, ir_graph *out, ir_ref *map)
{
    ir_ref x[IR_MAX_RANK];

    (void)pc;
    pass_copy_header(in, out);
    for (ir_ref r = 0; r < in->count; r++) {
        const ir_node *n = &in->nodes[r];
        pass_copy_origin(n, out);
        bool whole = pass_map_operands(in, r, map, x);
        map[r] = whole ? simplify_emit(out, n->op, n->attrs, x, n->n) : IR_NONE;
    }
    return pass_copy_results(in, out, map);
}
