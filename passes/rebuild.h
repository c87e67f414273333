/* passes/rebuild.h: what every pass does to write its new graph.
 *
 *   pass_copy_header(in, out);
 *   for each node r of in:   map[r] = a new node, an older one of out, or  pass_copy_node(in, r, out, map)
 *   return pass_copy_results(in, out, map);
 *
 * Errors stick in out->error; map entries are then IR_NONE, and appending to such a graph does nothing. */
#ifndef TANDEM_PASSES_REBUILD_H
#define TANDEM_PASSES_REBUILD_H

#include "ir/ir.h"

/* Symbols and the count of random calls. */
ir_status pass_copy_header(const ir_graph *in, ir_graph *out);
/* Nodes appended to out from now on say they come from n: file, line, region. */
void pass_copy_origin(const ir_node *n, ir_graph *out);
/* Node r of in with its operands renumbered.  IR_NONE on error or where an operand has no counterpart. */
ir_ref pass_copy_node(const ir_graph *in, ir_ref r, ir_graph *out, const ir_ref *map);
/* The operands of node r of in as refs of out, into x; false if one has none. */
bool pass_map_operands(const ir_graph *in, ir_ref r, const ir_ref *map, ir_ref *x);
/* Outputs and assigns, in order.  Returns out's status. */
ir_status pass_copy_results(const ir_graph *in, ir_graph *out, const ir_ref *map);
/* All of it: every node, in order. */
ir_status pass_copy_graph(const ir_graph *in, ir_graph *out, ir_ref *map);

/* The list of kernels and their chains, for a pass that keeps the nodes' numbers.  False: out of memory. */
bool pass_copy_kernels(const ir_graph *in, ir_graph *out);

/* The value of every element of r if they are all one constant, seen through views; false: not such a value.
 * An integer beyond 2^53 is rounded. */
bool pass_splat(const ir_graph *g, ir_ref r, double *v);
/* The same as the constant node and the place of the element. */
const void *pass_splat_data(const ir_graph *g, ir_ref r);

#endif
