/* tests/codegen/test_row.c: ROW kernels against the eager engine: sums, extrema, softmax, variance, products
 * by the tree; rows short and long, several passes, scratch rows, merged and uneven runs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/array.h"
#include "tests/codegen/lib_codegen.h"

static const int64_t lengths[] = {1,  2,   3,   10,  15,  16,  17,  33,   63,   64,
                                  65, 100, 127, 128, 129, 200, 257, 1000, 1024, 4099};
enum { LENGTHS = sizeof lengths / sizeof lengths[0] };

static ir_graph *graph(void)
{
    ir_graph *g = ir_graph_new("test");

    assert_non_null(g);
    return g;
}

static ir_val reduce_last(ir_graph *g, ir_op op, ir_val x, int axis)
{
    return ir_e_reduce(&g->sink, op, x, &axis, 1, true);
}

static ir_val like(ir_graph *g, ir_val v, ir_val shape_of)
{
    const ir_type *t = g->sink.type(&g->sink, shape_of);

    return ir_e_broadcast(&g->sink, v, t->rank, t->dims);
}

/* The reduce below the reshape that `keep` makes. */
static ir_val reduce_of(ir_graph *g, ir_val v)
{
    while (v && ir_ops[g->nodes[ir_ref_of(v)].op].cls != IR_REDUCE)
        v = ir_val_of(g->nodes[ir_ref_of(v)].x[0]);
    return v;
}

static void test_sum(void **state)
{
    (void)state;
    for (int i = 0; i < LENGTHS; i++)
        for (int d = 0; d < 3; d++) {
            static const ir_dtype dtypes[] = {IR_DT_f32, IR_DT_f64, IR_DT_i32};
            ir_graph *g = graph();
            ir_val x = test_input(g, "x", TEST_TYPE(dtypes[d], i % 2 ? 3 : 1, lengths[i]));
            ir_val y = ir_e_reduce(&g->sink, IR_reduce_sum, x, (const int[]){1}, 1, false);
            test_output(g, y);
            test_one_kernel(g, IR_K_ROW, y);
            test_check(g, false);
        }
}

static void test_extrema(void **state)
{
    static const ir_dtype dtypes[] = {IR_DT_f32, IR_DT_f64, IR_DT_u8, IR_DT_u32, IR_DT_i64};

    (void)state;
    for (int i = 0; i < LENGTHS; i += 3)
        for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++)
            for (int min = 0; min < 2; min++) {
                ir_graph *g = graph();
                ir_val x = test_input(g, "x", TEST_TYPE(dtypes[d], 4, lengths[i]));
                ir_val y =
                    ir_e_reduce(&g->sink, min ? IR_reduce_min : IR_reduce_max, x, (const int[]){1}, 1, false);
                test_output(g, y);
                test_one_kernel(g, IR_K_ROW, y);
                test_check(g, d < 2);
            }
}

/* Rows of `usual` but for one element: extremes that hang on the sign of a zero, NaNs of either sign. */
static void test_extrema_of_zeros(void **state)
{
    enum { N = 200, ROWS = 11 };
    static const struct {
        double usual, other;
        int at;
    } rows[ROWS] = {
        {-0.0, -0.0, 0},         {-0.0, 0.0, 70}, {0.0, -0.0, 130}, {-1, -0.0, 5}, {1, 0.0, 5},
        {3, -NAN, 100},          {-2, NAN, 0},    {-5, 0.0, 17},    {5, -0.0, 40}, {-INFINITY, -INFINITY, 0},
        {INFINITY, INFINITY, 0},
    };
    static double x64[ROWS * N];
    static float x32[ROWS * N];

    (void)state;
    for (int i = 0; i < ROWS * N; i++)
        x32[i] = (float)(x64[i] = i % N == rows[i / N].at ? rows[i / N].other : rows[i / N].usual);
    for (int way = 0; way < 4; way++) {
        ir_graph *g = graph();
        ir_type t = TEST_TYPE(way & 1 ? IR_DT_f64 : IR_DT_f32, ROWS, N);
        ir_val x = ir_e_constant(&g->sink, &t, way & 1 ? (const void *)x64 : x32, false);
        ir_val y =
            ir_e_reduce(&g->sink, way & 2 ? IR_reduce_min : IR_reduce_max, x, (const int[]){1}, 1, false);
        test_output(g, y);
        test_one_kernel(g, IR_K_ROW, y);
        for (int c = 0; c < test_config_count; c++)
            if (!test_configs[c].isa || rt_level_named(test_configs[c].isa))
                test_check_config(g, &test_configs[c], false);
        ir_graph_free(g);
    }
}

/* max, exp(x - max) kept, sum, divide: three passes */
static ir_graph *softmax(ir_dtype d, int64_t rows, int64_t n)
{
    ir_graph *g = graph();
    ir_val x = test_input(g, "x", TEST_TYPE(d, rows, n));
    ir_val m = reduce_last(g, IR_reduce_max, x, 1);
    ir_val e = ir_e_exp(&g->sink, ir_e_sub(&g->sink, x, like(g, m, x)));
    ir_val s = reduce_last(g, IR_reduce_sum, e, 1);

    test_output(g, ir_e_div(&g->sink, e, like(g, s, x)));
    test_one_kernel(g, IR_K_ROW, reduce_of(g, m));
    return g;
}

/* exp(c x - max) / (its sum z[row]): values that underflow and divisors of every size and sign, so that
 * quotients are mended in some rows and divided in others. */
static void test_quotients(void **state)
{
    static const float divisors[] = {1, 0.3f, 0x1p-20f, 0x1p-140f, 0, -1, 0x1p14f, 0x1p30f, INFINITY, NAN};
    enum { ROWS = sizeof divisors / sizeof divisors[0] };
    static const double scales[] = {1, 40, 300};
    static const int64_t runs[] = {200, 1000, 1024, 4099};

    (void)state;
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++)
        for (size_t j = 0; j < 2 * sizeof scales / sizeof scales[0]; j++) {
            ir_graph *g = graph();
            ir_type t = TEST_TYPE(IR_DT_f32, ROWS, 1);
            ir_val x = test_input(g, "x", TEST_TYPE(IR_DT_f32, ROWS, runs[i]));
            x = ir_e_mul(&g->sink, x, ir_e_like(&g->sink, x, scales[j / 2]));
            ir_val m = reduce_last(g, IR_reduce_max, x, 1);
            ir_val e = ir_e_exp(&g->sink, ir_e_sub(&g->sink, x, like(g, m, x)));
            ir_val s = reduce_last(g, IR_reduce_sum, e, 1);
            s = ir_e_mul(&g->sink, s, ir_e_constant(&g->sink, &t, divisors, false));
            test_output(g, ir_e_div(&g->sink, e, like(g, s, x)));
            test_output(g, s);
            test_one_kernel(g, IR_K_ROW, reduce_of(g, m));
            test_check(g, j % 2);
        }
}

static void test_softmax(void **state)
{
    (void)state;
    for (int i = 0; i < LENGTHS; i++) {
        test_check(softmax(IR_DT_f32, 5, lengths[i]), false);
        if (i % 4 == 0)
            test_check(softmax(IR_DT_f64, 5, lengths[i]), false);
    }
}

/* More than 8 MiB: results go past the caches, operands are asked for ahead, also from rows that follow the
 * last. */
static void test_big(void **state)
{
    static const int64_t columns[] = {2056, 1031, 8};
    const test_config widest = {NULL, 0, 2};

    (void)state;
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        ir_graph *g = softmax(IR_DT_f32, (9 << 18) / columns[i], columns[i]);
        test_check_config(g, &widest, false);
        ir_graph_free(g);
    }
}

/* mean, variance, normalised row with gain and bias; the row values are stored too; two outer dims that do
 * not merge */
static void test_norm(void **state)
{
    (void)state;
    for (int i = 0; i < LENGTHS; i += 2) {
        ir_graph *g = graph();
        int64_t n = lengths[i];
        ir_val x = test_input(g, "x", TEST_TYPE(IR_DT_f32, 3, 4, n)),
               gain = test_input(g, "gain", TEST_TYPE(IR_DT_f32, n));
        ir_val scale = test_input(g, "scale", TEST_TYPE(IR_DT_f32, 3, 1, 1));
        x = ir_e_mul(&g->sink, x, like(g, scale, x));
        ir_val sum = reduce_last(g, IR_reduce_sum, x, 2);
        ir_val mean = ir_e_div(&g->sink, sum, ir_e_like(&g->sink, sum, (double)n));
        ir_val d = ir_e_sub(&g->sink, x, like(g, mean, x));
        ir_val var = reduce_last(g, IR_reduce_sum, ir_e_mul(&g->sink, d, d), 2);
        ir_val r = ir_e_rsqrt(&g->sink, ir_e_add(&g->sink, var, ir_e_like(&g->sink, var, 1e-5)));
        test_output(g, r);
        test_output(g, mean);
        test_output(g, ir_e_mul(&g->sink, ir_e_mul(&g->sink, d, like(g, r, x)), like(g, gain, x)));
        test_one_kernel(g, IR_K_ROW, reduce_of(g, sum));
        test_check(g, false);
    }
}

/* several full outs, several reduces in one pass, a bool kept across passes */
static void test_many(void **state)
{
    (void)state;
    for (int i = 0; i < LENGTHS; i += 3) {
        ir_graph *g = graph();
        ir_val x = test_input(g, "x", TEST_TYPE(IR_DT_f32, 6, lengths[i])),
               z = test_input(g, "z", TEST_TYPE(IR_DT_f32, 6, lengths[i]));
        ir_val t = ir_e_tanh(&g->sink, x), p = ir_e_gt(&g->sink, ir_e_sin(&g->sink, z), t);
        ir_val a = reduce_last(g, IR_reduce_sum, t, 1), b = reduce_last(g, IR_reduce_min, z, 1);
        ir_val c = reduce_last(g, IR_reduce_sum, ir_e_select(&g->sink, p, x, like(g, a, x)), 1);
        test_output(g, ir_e_select(&g->sink, p, ir_e_mul(&g->sink, t, like(g, c, x)), like(g, b, x)));
        test_output(g, ir_e_sub(&g->sink, t, like(g, a, x)));
        test_output(g, ir_e_max(&g->sink, a, b));
        test_one_kernel(g, IR_K_ROW, reduce_of(g, a));
        test_check(g, i % 2);
    }
}

/* runs of several dims: read through a transpose and a broadcast they are not one step */
static void test_uneven(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= 21; n += 5) {
        ir_graph *g = graph();
        ir_val x = test_input(g, "x", TEST_TYPE(IR_DT_f32, n, 3, 7)),
               w = test_input(g, "w", TEST_TYPE(IR_DT_f32, 7, 1));
        ir_val y = ir_e_transpose(&g->sink, x, (const int[]){1, 2, 0});
        y = ir_e_mul(&g->sink, y, ir_e_broadcast(&g->sink, w, 3, (const int64_t[]){3, 7, n}));
        y = ir_e_reduce(&g->sink, IR_reduce_sum, y, (const int[]){1, 2}, 2, false);
        test_output(g, ir_e_exp(&g->sink, y));
        test_one_kernel(g, IR_K_ROW, y);
        test_check(g, false);
    }
}

/* m n < 64: the tree over fma, with batch, transposed operands and a consumer */
static void test_tree_product(void **state)
{
    static const int64_t sizes[] = {1, 5, 16, 64, 65, 130, 700};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int form = 0; form < 4; form++) {
            ir_graph *g = graph();
            int64_t k = sizes[i];
            ir_attrs a = {.n = form == 3, .nk = 1};
            ir_dtype d = form == 2 ? IR_DT_f64 : IR_DT_f32;
            ir_val x, z;
            if (form == 3) {
                x = test_input(g, "x", TEST_TYPE(d, 2, 3, k));
                z = test_input(g, "z", TEST_TYPE(d, 2, k, 4));
                a.dot.lhs_k[0] = 2;
                a.dot.rhs_k[0] = 1;
            } else {
                x = test_input(g, "x", form == 1 ? TEST_TYPE(d, k, 3) : TEST_TYPE(d, 3, k));
                z = test_input(g, "z", TEST_TYPE(d, 5, k));
                a.dot.lhs_k[0] = form != 1;
                a.dot.rhs_k[0] = 1;
            }
            ir_val y = ir_e_dot(&g->sink, x, z, &a);
            test_output(g, ir_e_mul(&g->sink, y, ir_e_like(&g->sink, y, 0.5)));
            test_one_kernel(g, IR_K_ROW, y);
            test_check(g, false);
        }
}

/* x / x is 0 / 0 in the lanes behind the row's end, which must not reach the sum. */
static void test_nan_behind_the_end(void **state)
{
    (void)state;
    for (int i = 0; i < LENGTHS; i++) {
        ir_graph *g = graph();
        ir_val x = test_input(g, "x", TEST_TYPE(IR_DT_f32, 5, lengths[i]));
        ir_val q = ir_e_div(&g->sink, x, x), s = reduce_last(g, IR_reduce_sum, q, 1);
        test_output(g, ir_e_sub(&g->sink, q, like(g, s, x)));
        test_one_kernel(g, IR_K_ROW, reduce_of(g, s));
        test_check(g, false);
    }
}

/* v [blocks * rows, n] reduced over the rows of each block. */
static ir_val over_rows(ir_graph *g, ir_op op, ir_val v, int64_t blocks, int64_t rows)
{
    const ir_type *t = g->sink.type(&g->sink, v);
    int64_t dims[] = {blocks, rows, t->dims[1]};

    return ir_e_reduce(&g->sink, op, ir_e_reshape(&g->sink, v, 3, dims), (const int[]){1}, 1, false);
}

/* The softmax of x, its own sums over the rows of each block, and others' beside it; `full`: with the softmax
 * itself, so that rows are stored too. */
static void test_blocks_of_rows(void **state)
{
    static const int64_t blocks[] = {2, 5, 1}, rows[] = {7, 3, 40};

    (void)state;
    for (int i = 0; i < LENGTHS * 4; i += 5) {
        ir_dtype d = i % 3 ? IR_DT_f32 : IR_DT_f64;
        int64_t a = blocks[i % 3], r = rows[i % 3], n = lengths[i / 4];
        bool full = i & 1;
        ir_graph *g = graph();
        ir_val x = test_input(g, "x", TEST_TYPE(d, a * r, n)), z = test_input(g, "z", TEST_TYPE(d, a * r, n));
        ir_val m = reduce_last(g, IR_reduce_max, x, 1);
        ir_val e = ir_e_exp(&g->sink, ir_e_sub(&g->sink, x, like(g, m, x)));
        ir_val y = ir_e_div(&g->sink, e, like(g, reduce_last(g, IR_reduce_sum, e, 1), x));
        if (full)
            test_output(g, y);
        test_output(g, over_rows(g, IR_reduce_sum, ir_e_mul(&g->sink, y, z), a, r));
        test_output(g, over_rows(g, IR_reduce_sum, z, a, r));
        test_output(g, over_rows(g, IR_reduce_max, x, a, r));
        test_output(g, over_rows(g, IR_reduce_any, ir_e_gt(&g->sink, x, z), a, r));
        test_output(g, over_rows(g, IR_reduce_sum, ir_e_convert(&g->sink, z, IR_DT_i32), a, r));
        test_one_kernel(g, IR_K_ROW, reduce_of(g, m));
        test_check(g, i & 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_extrema),
        cmocka_unit_test(test_extrema_of_zeros),
        cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_quotients),
        cmocka_unit_test(test_blocks_of_rows),
        cmocka_unit_test(test_norm),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_uneven),
        cmocka_unit_test(test_big),
        cmocka_unit_test(test_tree_product),
        cmocka_unit_test(test_nan_behind_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
