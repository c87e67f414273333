/* tests/passes/lib_random.h: seeded random graphs of small shapes, with everything that fuse and plan have to
 * do with: shared values, views of views, reductions of every kind, products on both sides of the tree
 * threshold, indexed ops, composites, gradients, several outputs of one value, outputs that are leaves, and
 * assigns. */
#ifndef TANDEM_TESTS_LIB_RANDOM_H
#define TANDEM_TESTS_LIB_RANDOM_H

#include "ir/ir.h"

/* About `ops` random steps.  Every graph is valid; NULL when out of memory. */
ir_graph *random_graph(uint32_t seed, int ops, bool gradient);
/* g through simplify, cse, dce, then fuse, then (if asked) chain, wherever a chain can be, and plan; fails
 * the test where a pass fails or does not verify. */
ir_graph *through_passes(const ir_graph *g, bool plan);

#endif
