/* tests/codegen/test_contract.c: CONTRACT kernels against the eager engine: tile remainders, blocks along k,
 * every layout of the operands, batches, either side in lanes, dims that do not merge, and consumers on the
 * tile.
 *
 * ctest-timeout: 600 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ir/compose.h"
#include "tests/codegen/lib_codegen.h"

/* x is [b, m, k] or, turned, [b, k, m]; z is [b, k, n] or, turned, [b, n, k]. */
typedef struct product {
    int64_t b, m, n, k;
    bool turn_x, turn_z;
} product;

/* The last eight: up to four rows, or columns, by contiguous columns, which are read where they lie.  Before
 * them: rows of x side by side, and long rows of z, which a unit packs for several panels. */
static const product products[] = {
    {1, 8, 8, 1, false, false},      {1, 1, 64, 5, false, false},     {1, 64, 1, 40, false, false},
    {1, 14, 32, 64, false, false},   {1, 29, 33, 17, false, false},   {1, 29, 33, 17, true, false},
    {1, 29, 33, 19, false, true},    {1, 29, 33, 18, true, true},     {1, 3, 100, 35, false, true},
    {1, 200, 5, 35, false, false},   {1, 5, 200, 130, false, true},   {1, 1, 300, 33, false, true},
    {3, 17, 20, 21, false, false},   {2, 10, 50, 9, false, true},     {2, 50, 10, 9, true, false},
    {1, 30, 40, 511, false, false},  {1, 30, 40, 512, true, true},    {1, 9, 20, 513, false, false},
    {1, 9, 20, 1100, false, true},   {2, 300, 10, 520, false, false}, {1, 8, 90, 1030, false, true},
    {1, 40, 49, 512, false, true},   {1, 70, 96, 10, true, false},    {1, 1, 77, 1100, false, true},
    {1, 150, 150, 70, true, false},  {2, 131, 137, 600, true, false}, {1, 230, 141, 1100, true, true},
    {1, 61, 300, 513, true, false},  {1, 256, 150, 70, true, false},  {2, 20, 290, 700, false, false},
    {1, 17, 321, 512, false, false}, {1, 2, 70, 513, false, true},    {2, 3, 65, 512, false, true},
    {1, 300, 2, 533, false, false},  {2, 200, 1, 257, false, false},  {1, 1, 101, 1024, false, true},
    {1, 2, 1400, 400, false, true},  {1, 4, 70, 133, false, true},
};
enum { PRODUCTS = sizeof products / sizeof *products };

static ir_graph *graph(void)
{
    ir_graph *g = ir_graph_new("test");
    assert_non_null(g);
    return g;
}

/* The product of an input x and an input z of dtype d; if that has 16 bits, z is converted to f32. */
static ir_val dot(ir_graph *g, int rx, const int64_t *xs, int rz, const int64_t *zs, ir_dtype d,
                  const ir_attrs *a)
{
    bool half = ir_dtype_is_half(d);
    ir_val x = test_input(g, "x", ir_type_make(half ? IR_DT_f32 : d, rx, xs));
    ir_val z = test_input(g, "z", ir_type_make(d, rz, zs));

    return ir_e_dot(&g->sink, x, half ? ir_e_convert(&g->sink, z, IR_DT_f32) : z, a);
}

static ir_val multiply(ir_graph *g, const product *p, ir_dtype d)
{
    const int64_t xs[3] = {p->b, p->turn_x ? p->k : p->m, p->turn_x ? p->m : p->k};
    const int64_t zs[3] = {p->b, p->turn_z ? p->n : p->k, p->turn_z ? p->k : p->n};
    ir_attrs a = {.n = 1, .nk = 1};

    a.dot.lhs_k[0] = p->turn_x ? 1 : 2;
    a.dot.rhs_k[0] = p->turn_z ? 2 : 1;
    return dot(g, 3, xs, 3, zs, d, &a);
}

static void check(ir_graph *g)
{
    assert_int_equal(g->error.status, IR_OK);
    test_check(test_fuse_plan(g), false);
}

/* The product takes in the convert of z, if there is one. */
static void check_one_kernel(ir_graph *g)
{
    assert_int_equal(g->error.status, IR_OK);
    g = test_fuse_plan(g);
    assert_int_equal(g->kernels.count, 1);
    assert_int_equal(g->kernels.items[0].kind, IR_K_CONTRACT);
    test_check(g, false);
}

static void test_plain(void **state)
{
    static const ir_dtype dtypes[] = {IR_DT_f32, IR_DT_f64};

    (void)state;
    for (int i = 0; i < PRODUCTS; i++)
        for (int d = 0; d < 2; d++) {
            if (d && i % 3)
                continue;
            ir_graph *g = graph();
            test_output(g, multiply(g, &products[i], dtypes[d]));
            check(g);
        }
}

/* Long rows of z, packed for some of 4 to 9 panels at once: as many as the stack has room for. */
static void test_stretches(void **state)
{
    static const test_config wide = {NULL, 16, 1};

    (void)state;
    for (int64_t panels = 4; panels < 10; panels++) {
        const product p = {1, 17, panels * 64 - 7, 512, false, false};
        ir_graph *g = graph();
        test_output(g, multiply(g, &p, IR_DT_f32));
        g = test_fuse_plan(g);
        test_check_config(g, &wide, false);
        ir_graph_free(g);
    }
}

/* Results of more than 4 MiB go past the caches where they fill lines; tiles ask for the next matrices, also
 * behind the last. */
static void test_big(void **state)
{
    static const product big[] = {{70, 128, 128, 64, false, false},
                                  {70, 128, 128, 64, true, true},
                                  {70, 129, 130, 33, false, false},
                                  {1, 1100, 1024, 20, false, false}};
    static const test_config wide = {NULL, 0, 2}, paired = {NULL, 16, 1};

    (void)state;
    for (size_t i = 0; i < sizeof big / sizeof *big; i++) {
        ir_graph *g = graph();
        test_output(g, multiply(g, &big[i], IR_DT_f32));
        g = test_fuse_plan(g);
        test_check_config(g, i % 2 ? &wide : &paired, false);
        ir_graph_free(g);
    }
}

/* bias along n, relu; a residual; the product itself stored too */
static void test_consumers(void **state)
{
    (void)state;
    for (int i = 3; i < PRODUCTS; i += 2) {
        const product *p = &products[i];
        const int64_t rs[3] = {p->b, p->m, p->n};
        ir_graph *g = graph();
        ir_sink *s = &g->sink;
        ir_val y = multiply(g, p, IR_DT_f32);
        ir_val bias = test_input(g, "bias", ir_type_make(IR_DT_f32, 1, &p->n));
        ir_val more = test_input(g, "more", ir_type_make(IR_DT_f32, 3, rs));
        ir_val h = ir_e_relu(s, ir_e_add(s, y, ir_e_broadcast(s, bias, 3, rs)));
        test_output(g, ir_e_tanh(s, ir_e_add(s, h, more)));
        test_output(g, h);
        if (i % 4 == 1)
            test_output(g, y);
        check(g);
    }
}

/* the mask of relu's gradient, a column per row, and another dtype out */
static void test_masked(void **state)
{
    (void)state;
    for (int i = 4; i < PRODUCTS; i += 3) {
        const product *p = &products[i];
        const int64_t rs[3] = {p->b, p->m, p->n}, cs[2] = {p->m, 1};
        ir_graph *g = graph();
        ir_sink *s = &g->sink;
        ir_val y = multiply(g, p, IR_DT_f32);
        ir_val h = test_input(g, "h", ir_type_make(IR_DT_f32, 3, rs));
        ir_val column = test_input(g, "column", ir_type_make(IR_DT_f32, 2, cs));
        ir_val kept = ir_e_select(s, ir_e_gt(s, h, ir_e_like(s, h, 0)), y, ir_e_like(s, y, 0));
        test_output(g, ir_e_convert(s, ir_e_mul(s, kept, ir_e_broadcast(s, column, 3, rs)), IR_DT_f64));
        check(g);
    }
}

/* Products of f32 by values of 16 bits, every way of reading them. */
static void test_widened(void **state)
{
    (void)state;
    for (int i = 0; i < PRODUCTS; i++) {
        ir_graph *g = graph();
        test_output(g, multiply(g, &products[i], i % 4 == 3 ? IR_DT_f16 : IR_DT_bf16));
        check_one_kernel(g);
    }
}

/* The converted values are also a result, also the left side, read twice by products, or by something else.
 */
static void test_widened_elsewhere(void **state)
{
    static const int kernels[] = {2, 3, 3, 2};
    const int64_t xs[2] = {24, 70}, zs[2] = {40, 70};
    ir_attrs a = {.nk = 1, .dot = {.lhs_k = {1}, .rhs_k = {1}}};

    (void)state;
    for (int i = 0; i < 4; i++) {
        ir_graph *g = graph();
        ir_sink *s = &g->sink;
        ir_val x = test_input(g, "x", ir_type_make(IR_DT_f32, 2, xs)), h = 0;
        ir_val z = ir_e_convert(s, test_input(g, "z", ir_type_make(IR_DT_bf16, 2, zs)), IR_DT_f32);
        test_output(g, ir_e_dot(s, x, z, &a));
        switch (i) {
        case 0: h = z; break;
        case 1: h = ir_e_tanh(s, ir_e_dot(s, z, x, &a)); break;
        case 2: h = ir_e_tanh(s, ir_e_dot(s, ir_e_relu(s, x), z, &a)); break;
        default: h = ir_e_tanh(s, z);
        }
        test_output(g, h);
        g = test_fuse_plan(g);
        assert_int_equal(g->kernels.count, kernels[i]);
        test_check(g, false);
    }
}

/* B in groups of columns that are a jump apart: lines as pass pack lays weights out, read where they lie, and
 * wider groups, which are copied or turned; few rows, many, and blocks along k. */
static void test_groups(void **state)
{
    static const struct {
        int64_t m, k, groups, width;
        ir_dtype dtype;
    } cases[] = {
        {1, 40, 9, 16, IR_DT_f32},     {1, 1030, 13, 16, IR_DT_f32}, {2, 515, 3, 16, IR_DT_f32},
        {8, 300, 5, 16, IR_DT_f32},    {13, 600, 4, 16, IR_DT_f32},  {70, 1100, 3, 16, IR_DT_f32},
        {5, 530, 5, 8, IR_DT_f64},     {50, 40, 2, 16, IR_DT_f32},   {40, 70, 3, 48, IR_DT_f32},
        {300, 270, 2, 48, IR_DT_f32},  {9, 33, 3, 112, IR_DT_f32},   {7, 20, 4, 24, IR_DT_f32},
        {1, 1030, 13, 16, IR_DT_bf16}, {2, 515, 3, 16, IR_DT_f16},   {8, 300, 5, 16, IR_DT_bf16},
        {70, 1100, 3, 16, IR_DT_bf16}, {40, 70, 3, 48, IR_DT_bf16},  {7, 20, 4, 24, IR_DT_f16},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int turned = 0; turned < 2; turned++) { /* [groups, k, width] or [groups, width, k] */
            ir_graph *g = graph();
            int64_t k = cases[i].k, w = cases[i].width;
            const int64_t xs[2] = {cases[i].m, k}, zs[3] = {cases[i].groups, turned ? w : k, turned ? k : w};
            ir_attrs a = {.nk = 1, .dot = {.lhs_k = {1}, .rhs_k = {turned ? 2 : 1}}};
            ir_val y = dot(g, 2, xs, 3, zs, cases[i].dtype, &a);
            const int64_t ys[2] = {cases[i].m, cases[i].groups * w};
            ir_dtype result = cases[i].dtype == IR_DT_f64 ? IR_DT_f64 : IR_DT_f32;
            ir_val bias = test_input(g, "bias", ir_type_make(result, 1, &ys[1]));
            y = ir_e_reshape(&g->sink, y, 2, ys);
            if (i % 2)
                y = ir_e_relu(&g->sink, ir_e_add(&g->sink, y, ir_e_broadcast(&g->sink, bias, 2, ys)));
            test_output(g, y);
            check_one_kernel(g);
        }
}

/* several batch, m, n and k axes, some in orders that do not merge */
static void test_axes(void **state)
{
    static const struct {
        int64_t x[4], z[4];
        int rank_x, rank_z, batch, contract;
        int xb[2], zb[2], xk[2], zk[2];
    } cases[] = {
        {{3, 7, 5, 9}, {9, 11, 4}, 4, 3, 0, 1, {0}, {0}, {3}, {0}}, /* three m axes that merge */
        {{9, 7, 5, 3}, {9, 11, 4}, 4, 3, 0, 1, {0}, {0}, {0}, {0}}, /* k first: m axes behind it */
        /* k between: neither side merges */
        {{7, 9, 5}, {11, 9, 4}, 3, 3, 0, 1, {0}, {0}, {1}, {1}},
        /* batches inside: attention's layout */
        {{2, 7, 3, 5}, {2, 5, 3, 20}, 4, 4, 2, 1, {0, 2}, {0, 2}, {3}, {1}},
        {{6, 4, 10}, {4, 10, 20}, 3, 3, 0, 2, {0}, {0}, {1, 2}, {0, 1}}, /* two k axes that merge */
        /* two that do not: the general form */
        {{6, 4, 10}, {10, 4, 20}, 3, 3, 0, 2, {0}, {0}, {1, 2}, {1, 0}},
    };

    (void)state;
    for (size_t j = 0; j < 2 * (sizeof cases / sizeof *cases); j++) {
        size_t i = j / 2;
        ir_graph *g = graph();
        ir_attrs a = {.n = (uint8_t)cases[i].batch, .nk = (uint8_t)cases[i].contract};
        for (int d = 0; d < 2; d++) {
            a.dot.lhs_batch[d] = (int8_t)(d < cases[i].batch ? cases[i].xb[d] : 0);
            a.dot.rhs_batch[d] = (int8_t)(d < cases[i].batch ? cases[i].zb[d] : 0);
            a.dot.lhs_k[d] = (int8_t)(d < cases[i].contract ? cases[i].xk[d] : 0);
            a.dot.rhs_k[d] = (int8_t)(d < cases[i].contract ? cases[i].zk[d] : 0);
        }
        ir_val y = dot(g, cases[i].rank_x, cases[i].x, cases[i].rank_z, cases[i].z,
                       j % 2 ? IR_DT_bf16 : IR_DT_f32, &a);
        test_output(g, ir_e_relu(&g->sink, y));
        check_one_kernel(g);
    }
}

/* w - 0.1 x^T z straight into the variable, as a step of SGD does */
static void test_update(void **state)
{
    const product p = {1, 37, 50, 40, true, false};
    const int64_t ws[2] = {37, 50};
    ir_type t = ir_type_make(IR_DT_f32, 2, ws);

    (void)state;
    ir_graph *g = graph();
    ir_sink *s = &g->sink;
    ir_ref w = ir_graph_variable(g, "w", &t);
    ir_val dw = ir_e_reshape(s, multiply(g, &p, IR_DT_f32), 2, ws);
    ir_val next = ir_e_sub(s, ir_val_of(w), ir_e_mul(s, ir_e_like(s, dw, 0.1), dw));
    assert_int_equal(ir_graph_assign(g, w, ir_ref_of(next)), IR_OK);
    test_output(g, ir_e_reduce(s, IR_reduce_sum, dw, (const int[]){0, 1}, 2, false));
    check(g);
}

/* A variable of 16 bits that its product takes the place of, but not before all of it is read. */
static void test_widened_update(void **state)
{
    const int64_t ws[2] = {70, 70};
    ir_type t = ir_type_make(IR_DT_bf16, 2, ws);
    ir_attrs a = {.nk = 1, .dot = {.lhs_k = {1}, .rhs_k = {1}}};

    (void)state;
    ir_graph *g = graph();
    ir_sink *s = &g->sink;
    ir_val x = test_input(g, "x", ir_type_make(IR_DT_f32, 2, ws));
    ir_ref w = ir_graph_variable(g, "w", &t);
    ir_val y = ir_e_dot(s, x, ir_e_convert(s, ir_val_of(w), IR_DT_f32), &a);
    assert_int_equal(ir_graph_assign(g, w, ir_ref_of(ir_e_convert(s, y, IR_DT_bf16))), IR_OK);
    check_one_kernel(g);
}

/* ---- fewer than 64 elements ---- */

/* Elements in lanes along n, or (where x is turned and z too, or m is the longer) along m; straight lines,
 * loops over groups of partial sums with and without rounds of 64, windows of rounds. */
static const product small[] = {
    {1, 1, 16, 1, false, false},   {1, 1, 16, 16, false, false},  {1, 1, 4, 4, false, false},
    {2, 7, 9, 5, false, false},    {1, 3, 17, 33, false, false},  {3, 5, 8, 37, true, false},
    {1, 1, 63, 64, false, false},  {1, 63, 1, 65, true, true},    {2, 2, 20, 63, true, false},
    {1, 7, 5, 128, true, false},   {1, 12, 5, 100, true, true},   {2, 6, 10, 200, false, false},
    {1, 20, 3, 80, true, true},    {1, 3, 12, 577, false, false}, {1, 1, 40, 1100, false, false},
    {1, 15, 4, 1281, true, false}, {5, 2, 6, 640, false, false},  {70, 4, 4, 4, false, false},
};
enum { SMALL = sizeof small / sizeof *small };

/* In lanes: no row. */
static void check_small(ir_graph *g)
{
    g = test_fuse_plan(g);
    for (int i = 0; i < g->kernels.count; i++)
        assert_int_not_equal(g->kernels.items[i].kind, IR_K_ROW);
    test_check(g, false);
}

static void test_small(void **state)
{
    static const ir_dtype dtypes[] = {IR_DT_f32, IR_DT_f64, IR_DT_bf16};

    (void)state;
    for (int i = 0; i < SMALL; i++)
        for (int d = 0; d < 3; d++) {
            ir_graph *g = graph();
            test_output(g, multiply(g, &small[i], dtypes[d]));
            check_small(g);
        }
}

/* tanh of a bias and the product, in place of nothing; the product too */
static void test_small_consumers(void **state)
{
    (void)state;
    for (int i = 0; i < SMALL; i++) {
        const product *p = &small[i];
        const int64_t ys[3] = {p->b, p->m, p->n};
        ir_graph *g = graph();
        ir_sink *s = &g->sink;
        ir_val y = multiply(g, p, IR_DT_f32);
        ir_val bias = test_input(g, "bias", ir_type_make(IR_DT_f32, 1, &p->n));
        test_output(g, ir_e_tanh(s, ir_e_add(s, y, ir_e_broadcast(s, bias, 3, ys))));
        if (i % 2)
            test_output(g, y);
        check_small(g);
    }
}

/* Terms that underflow to -0: so is their sum where all 64 partial sums have one, else it is +0. */
static void test_small_zeros(void **state)
{
    (void)state;
    for (int i = 0; i < SMALL; i++) {
        const product *p = &small[i];
        ir_graph *g = graph();
        ir_sink *s = &g->sink;
        const int64_t xs[3] = {p->b, p->turn_x ? p->k : p->m, p->turn_x ? p->m : p->k};
        const int64_t zs[3] = {p->b, p->turn_z ? p->n : p->k, p->turn_z ? p->k : p->n};
        ir_attrs a = {.n = 1, .nk = 1};
        ir_val x = test_input(g, "x", ir_type_make(IR_DT_f32, 3, xs));
        ir_val z = test_input(g, "z", ir_type_make(IR_DT_f32, 3, zs));
        a.dot.lhs_k[0] = p->turn_x ? 1 : 2;
        a.dot.rhs_k[0] = p->turn_z ? 2 : 1;
        x = ir_e_mul(s, ir_e_abs(s, x), ir_e_like(s, x, -0x1p-100));
        z = ir_e_mul(s, ir_e_abs(s, z), ir_e_like(s, z, 0x1p-100));
        test_output(g, ir_e_dot(s, x, z, &a));
        check_small(g);
    }
}

/* Consumers that number the columns: of few columns their numbers are constants, none like the others. */
static void test_numbered_columns(void **state)
{
    static const int64_t ns[] = {8, 12, 16, 24, 40};

    (void)state;
    for (size_t i = 0; i < sizeof ns / sizeof ns[0]; i++) {
        int64_t dims[] = {40, ns[i]};
        ir_graph *g = graph();
        ir_sink *s = &g->sink;
        ir_val x = test_input(g, "x", TEST_TYPE(IR_DT_f32, 40, 600));
        ir_val w = test_input(g, "w", TEST_TYPE(IR_DT_f32, 600, ns[i]));
        ir_val y = ir_c_matmul(s, x, w);
        ir_val at = ir_e_broadcast(s, ir_e_iota(s, i % 2 ? IR_DT_i32 : IR_DT_f32, ns[i]), 2, dims);
        at = ir_e_convert(s, at, IR_DT_f32);
        test_output(g, ir_e_mul(s, ir_e_add(s, y, at), ir_e_sub(s, ir_e_like(s, y, 0.3), at)));
        test_one_kernel(g, IR_K_CONTRACT, y);
        test_check(g, false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_stretches),
        cmocka_unit_test(test_big),
        cmocka_unit_test(test_widened),
        cmocka_unit_test(test_widened_elsewhere),
        cmocka_unit_test(test_consumers),
        cmocka_unit_test(test_masked),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_axes),
        cmocka_unit_test(test_update),
        cmocka_unit_test(test_widened_update),
        cmocka_unit_test(test_numbered_columns),
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_small_consumers),
        cmocka_unit_test(test_small_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
