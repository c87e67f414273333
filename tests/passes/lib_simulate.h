/* tests/passes/lib_simulate.h: does a plan keep every value until it is read?
 *
 * Every byte of memory holds which element of which node was written there last.  Kernels run step by step as
 * kernel.h promises (of the loads and stores at one element all loads come first; rows in two passes; chains
 * slice by slice, their strands in step), each load must find the element it wants, and at the end outputs
 * and variables hold what they should.  So a wrong life, offset, alias, slice or copy is found whatever its
 * cause. */
#ifndef TANDEM_TESTS_LIB_SIMULATE_H
#define TANDEM_TESTS_LIB_SIMULATE_H

#include "ir/ir.h"

void simulate(const ir_graph *g, const char *name);      /* a planned graph; fails the test */
const ir_buffer *buffer_of(const ir_graph *g, ir_ref r); /* NULL: none */

#endif
