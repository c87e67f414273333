/* tests/passes/lib_pipeline.h: every prefix of the pipeline keeps the bits of a graph. */
#ifndef TANDEM_TESTS_LIB_PIPELINE_H
#define TANDEM_TESTS_LIB_PIPELINE_H

#include "ir/ir.h"

/* Prints g whole, as text that `tandem compare` reads, also to BUILD/tests/failing-NAME.tdm, and fails the
 * test. */
void graph_fail(const ir_graph *g, const char *name, const char *what);

/* After each pass all results, and every node that the map still knows, have the bits they had in g.  leaves:
 * data of g's inputs; values: of its nodes (interp_run).  Names the pass otherwise. */
void pipeline_keeps_the_bits(const ir_graph *g, void *const *leaves, void *const *values);

#endif
