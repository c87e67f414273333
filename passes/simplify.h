/* passes/simplify.h: how rules of simplify are written; inside passes/ only.
 *
 * A rule sees a node that is about to be appended to `g`, its operands already simplified nodes of g.  It
 * returns
 *   - an older node of g with the same dtype, shape and bits, or
 *   - a new node with the same dtype, shape and bits, made by simplify_emit, or
 *   - IR_NONE: does not match.
 * Contract: bits are equal for every input (any NaN equals any NaN, -0 differs from +0); a rule emits no more
 * nodes than it matched, but for the split of reductions; what it emits is nearer to the canonical form, so
 * rules never loop. */
#ifndef TANDEM_PASSES_SIMPLIFY_H
#define TANDEM_PASSES_SIMPLIFY_H

#include "ir/ir.h"

typedef struct candidate {
    ir_op op;
    const ir_attrs *a; /* NULL: none */
    const ir_ref *x;
    int n;
} candidate;

typedef ir_ref simplify_rule(ir_graph *g, const candidate *c);

enum { SIMPLIFY_RULES = 8 }; /* of one op, tried in order; the list ends at NULL */

/* Appends op or what it simplifies to. */
ir_ref simplify_emit(ir_graph *g, ir_op op, const ir_attrs *a, const ir_ref *x, int n);
ir_ref simplify_emit1(ir_graph *g, ir_op op, const ir_attrs *a, ir_ref x);
ir_ref simplify_emit2(ir_graph *g, ir_op op, ir_ref x, ir_ref z);
/* Operand i's defining node; NULL if its op is another. */
const ir_node *simplify_operand(const ir_graph *g, const candidate *c, int i, ir_op op);
ir_ref simplify_reshape(ir_graph *g, ir_ref x, const ir_type *t); /* x itself if it has the shape */

/* The rules of one op, NULL if there are none: simplify_arith.c, simplify_view.c, simplify_reduce.c. */
simplify_rule *const *simplify_arith_rules(ir_op op);
simplify_rule *const *simplify_pointwise_rules(ir_op op); /* of every pointwise op; also simplify_arith.c */
simplify_rule *const *simplify_view_rules(ir_op op);
simplify_rule *const *simplify_reduce_rules(ir_op op);

#endif
