/* tests/codegen/test_outer.c: OUTER kernels against the eager engine: columns in registers and streamed,
 * blocks of 512 rows, several reduces, consumers, producers with row and column values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/codegen/lib_codegen.h"

static const int64_t shapes[][3] = {{1, 7, 5},    {1, 600, 3},    {2, 40, 16},   {3, 33, 17},
                                    {1, 1, 9},    {1, 513, 130},  {2, 1030, 1},  {1, 64, 1024},
                                    {1, 37, 300}, {1, 520, 1100}, {2, 50, 2050}, {1, 20, 333}};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static ir_graph *graph(void)
{
    ir_graph *g = ir_graph_new("test");

    assert_non_null(g);
    return g;
}

static ir_val reduce(ir_graph *g, ir_op op, ir_val x)
{
    return ir_e_reduce(&g->sink, op, x, (const int[]){1}, 1, false);
}

static void test_sum(void **state)
{
    static const ir_dtype dtypes[] = {IR_DT_f32, IR_DT_f64, IR_DT_i32};

    (void)state;
    for (int i = 0; i < SHAPES; i++)
        for (int d = 0; d < 3; d++) {
            ir_graph *g = graph();
            ir_val y = reduce(g, IR_reduce_sum, test_input(g, "x", ir_type_make(dtypes[d], 3, shapes[i])));
            test_output(g, y);
            test_one_kernel(g, IR_K_OUTER, y);
            test_check(g, false);
        }
}

static void test_extrema(void **state)
{
    (void)state;
    for (int i = 0; i < SHAPES; i += 2) {
        ir_graph *g = graph();
        ir_val x = test_input(g, "x", ir_type_make(IR_DT_f32, 3, shapes[i]));
        ir_val a = reduce(g, IR_reduce_max, x), b = reduce(g, IR_reduce_min, x);
        test_output(g, ir_e_add(&g->sink, a, b));
        test_output(g, b);
        test_one_kernel(g, IR_K_OUTER, a);
        test_check(g, true);
    }
}

/* sum of x * row * exp(column), sum of its square; the update w - 0.1 * sum as a bias gradient has it */
static void test_fused(void **state)
{
    (void)state;
    for (int i = 0; i < SHAPES; i++) {
        const int64_t *s = shapes[i];
        ir_graph *g = graph();
        ir_val x = test_input(g, "x", ir_type_make(IR_DT_f32, 3, s)),
               row = test_input(g, "row", TEST_TYPE(IR_DT_f32, s[1], 1));
        ir_val column = test_input(g, "column", TEST_TYPE(IR_DT_f32, s[2]));
        ir_val w = test_input(g, "w", TEST_TYPE(IR_DT_f32, s[0], s[2]));
        ir_val p = ir_e_mul(&g->sink, x, ir_e_broadcast(&g->sink, ir_e_exp(&g->sink, row), 3, s));
        p = ir_e_mul(&g->sink, p, ir_e_broadcast(&g->sink, column, 3, s));
        ir_val a = reduce(g, IR_reduce_sum, p), b = reduce(g, IR_reduce_sum, ir_e_mul(&g->sink, p, p));
        ir_val y = ir_e_sub(&g->sink, w, ir_e_mul(&g->sink, a, ir_e_like(&g->sink, a, 0.1)));
        test_output(g, ir_e_sqrt(&g->sink, b));
        test_output(g, y);
        test_one_kernel(g, IR_K_OUTER, a);
        test_check(g, false);
    }
}

/* several A, R and C dims, operands that step unevenly through them */
static void test_dims(void **state)
{
    ir_graph *g = graph();
    ir_val x = test_input(g, "x", TEST_TYPE(IR_DT_f32, 5, 3, 6, 4, 2, 7)),
           z = test_input(g, "z", TEST_TYPE(IR_DT_f32, 7, 3, 6, 5, 4, 2));
    ir_val t = ir_e_transpose(&g->sink, z, (const int[]){3, 1, 2, 4, 5, 0});

    (void)state;
    ir_val y = ir_e_reduce(&g->sink, IR_reduce_sum, ir_e_add(&g->sink, x, t), (const int[]){2, 3}, 2, false);
    test_output(g, y);
    test_one_kernel(g, IR_K_OUTER, y);
    test_check(g, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sum), cmocka_unit_test(test_extrema),
                                       cmocka_unit_test(test_fused), cmocka_unit_test(test_dims)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
