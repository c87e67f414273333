/* tests/ir/lib_interp.h: values of a graph's nodes, computed one by one with the eager kernels. */
#ifndef TANDEM_TESTS_LIB_INTERP_H
#define TANDEM_TESTS_LIB_INTERP_H

#include "ir/ir.h"

/* leaves[i] is row-major data of g->inputs[i].  values[r] is malloc'ed row-major data of node r, NULL for
 * leaves and for nodes after `last`.  Types must be static.  False: an op failed. */
bool interp_run(const ir_graph *g, const void *const *leaves, ir_ref last, void **values);
void interp_free(const ir_graph *g, void **values);
/* Element i of data of dtype d as a double. */
double interp_element(const void *data, ir_dtype d, int64_t i);
/* Numbers for tests in [lo, hi), integers for integer dtypes; advances *seed. */
void interp_fill(void *data, const ir_type *t, double lo, double hi, uint32_t *seed);

#endif
