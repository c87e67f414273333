/* tests/ir/lib_graphs.h: random graphs, the same for the same seed: every op class, repeated subexpressions,
 * values used many times, constants that rules of simplify look for (0, -0, 1, -1, powers of two), sums
 * longer than 64. */
#ifndef TANDEM_TESTS_LIB_GRAPHS_H
#define TANDEM_TESTS_LIB_GRAPHS_H

#include "ir/ir.h"

/* f32 (or f64) inputs x0.., an i64 input, one variable with an assign, up to three outputs.  About `nodes`
 * nodes. */
ir_graph *graphs_random(uint32_t seed, int nodes, ir_dtype d);
/* Appends the gradients of sum <output, c> with respect to all float leaves, `order` times over, as outputs
 * g<order>_<leaf>; the c are new inputs.  False: g->error. */
bool graphs_add_gradients(ir_graph *g, int order);
/* malloc'ed data for every leaf, in order; zeros of both signs and equal values are frequent. */
void **graphs_leaves(const ir_graph *g, uint32_t seed);
void graphs_leaves_free(const ir_graph *g, void **leaves);
/* Bits equal, any NaN equal to any NaN; *where is the first element that differs. */
bool graphs_same_bits(const ir_type *t, const void *a, const void *b, int64_t *where);

#endif
