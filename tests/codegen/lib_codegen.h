/* tests/codegen/lib_codegen.h: compiled code against the eager engine, node by node, in guarded memory. */
#ifndef TANDEM_TESTS_LIB_CODEGEN_H
#define TANDEM_TESTS_LIB_CODEGEN_H

#include "codegen/codegen.h"
#include "ir/emit.h"
#include "ir/ir.h"
#include "ir/map.h"

typedef struct test_config {
    const char *isa;
    int lanes, threads;
} test_config;

extern const test_config test_configs[];
extern const int test_config_count;

/* Shape from a list of extents that ends with 0. */
#define TEST_TYPE(d, ...) test_type(d, (const int64_t[]){__VA_ARGS__, 0})
ir_type test_type(ir_dtype d, const int64_t *dims);
ir_val test_input(ir_graph *g, const char *name, ir_type t);
void test_output(ir_graph *g, ir_val v); /* named out0, out1, .. */

/* Gives g one kernel of every node that is not an input, and buffers without an arena. */
void test_one_kernel(ir_graph *g, ir_kernel_kind kind, ir_val root);
/* Runs pass_fuse and pass_plan; returns the new graph, g is freed. */
ir_graph *test_fuse_plan(ir_graph *g);

/* Compiles g for some of the configurations and compares the bits of every output and assigned variable with
 * rt_compute; then again with the kernels cut into chunks run in reverse.  Fails the cmocka test on a
 * difference. Configurations take turns from graph to graph: 3 for each (1 in sanitizer builds), or as many
 * as TANDEM_TEST_CONFIGS says; 8 is all. Takes g.  special: inputs also hold NaN, infinities and signed
 * zeros. */
void test_check(ir_graph *g, bool special);
/* One configuration. */
void test_check_config(const ir_graph *g, const test_config *config, bool special);

/* Compiles and links g, which p then holds. */
ir_status test_compile(const ir_graph *g, const cg_options *o, rt_program *p, ir_error *e);

extern const cg_host test_host;

#endif
