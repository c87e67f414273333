/* tests/codegen/test_index.c: INDEX kernels against the eager engine: gather and scatter_add with indices out
 * of range, argmax with NaN and equal maxima; CONTRACT kernels' order of additions with consumers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/codegen/lib_codegen.h"

static const ir_dtype dtypes[] = {IR_DT_f32, IR_DT_f64, IR_DT_i64, IR_DT_u8};

static ir_graph *graph(void)
{
    ir_graph *g = ir_graph_new("test");

    assert_non_null(g);
    return g;
}

static void finish(ir_graph *g, ir_val y, bool special)
{
    test_output(g, y);
    test_one_kernel(g, IR_K_INDEX, y);
    test_check(g, special);
}

static void test_gather(void **state)
{
    static const int64_t widths[] = {1, 3, 16, 37, 130};

    (void)state;
    for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++)
        for (int d = 0; d < 4; d++) {
            ir_graph *g = graph();
            ir_val x = test_input(g, "x", TEST_TYPE(dtypes[d], 11, widths[w]));
            ir_val i = test_input(g, "i", TEST_TYPE(d % 2 ? IR_DT_i32 : IR_DT_i64, 3, 9));
            finish(g, ir_e_gather(&g->sink, x, i), false);
        }
}

static void test_scatter_add(void **state)
{
    static const int64_t widths[] = {1, 3, 16, 37, 256};

    (void)state;
    for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++)
        for (int d = 0; d < 4; d++) {
            ir_graph *g = graph();
            ir_val x = test_input(g, "x", TEST_TYPE(dtypes[d], 7, widths[w]));
            ir_val i = test_input(g, "i", TEST_TYPE(d % 2 ? IR_DT_i32 : IR_DT_i64, 50));
            ir_val u = test_input(g, "u", TEST_TYPE(dtypes[d], 50, widths[w]));
            finish(g, ir_e_scatter_add(&g->sink, x, i, u), false);
        }
}

static void test_argmax(void **state)
{
    static const struct {
        int n, axes[3];
    } cases[] = {{1, {2}}, {1, {0}}, {2, {0, 2}}, {3, {0, 1, 2}}, {1, {1}}, {2, {1, 2}}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int d = 0; d < 4; d++)
            for (int special = 0; special < 2; special++) {
                ir_graph *g = graph();
                ir_val x = test_input(g, "x", TEST_TYPE(dtypes[d], 4, 5, 70));
                finish(g, ir_e_reduce(&g->sink, IR_argmax, x, cases[i].axes, cases[i].n, false), special);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gather), cmocka_unit_test(test_scatter_add),
                                       cmocka_unit_test(test_argmax)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
