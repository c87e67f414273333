/* tests/codegen/test_loop.c: LOOP kernels against the eager engine: flat, broadcast, transposed, sliced,
 * padded, generated; odd shapes, every dtype, every lane count and instruction set level. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codegen/share.h"
#include "tests/codegen/lib_codegen.h"

static ir_graph *graph(void)
{
    ir_graph *g = ir_graph_new("test");

    assert_non_null(g);
    return g;
}

static void finish(ir_graph *g, ir_val y, bool special)
{
    test_output(g, y);
    test_one_kernel(g, IR_K_LOOP, y);
    test_check(g, special);
}

/* (x + w) * (w + 1) for many lengths: straight line, masked, unrolled, several units */
static void test_flat(void **state)
{
    static const int64_t lengths[] = {1, 2, 3, 5, 16, 17, 63, 64, 65, 255, 1023, 1024, 1025, 4096, 5003};

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        for (int d = 0; d < 2; d++) {
            ir_graph *g = graph();
            ir_type t = TEST_TYPE(d ? IR_DT_f64 : IR_DT_f32, lengths[i]);
            ir_val x = test_input(g, "x", t), w = test_input(g, "w", t);
            ir_val one = ir_e_fill(&g->sink, &t, 1);
            finish(g, ir_e_mul(&g->sink, ir_e_add(&g->sink, x, w), ir_e_add(&g->sink, w, one)), true);
        }
}

static void test_scalar_rank(void **state)
{
    ir_graph *g = graph();
    ir_type t = ir_type_make(IR_DT_f32, 0, NULL);
    ir_val x = test_input(g, "x", t), w = test_input(g, "w", t);

    (void)state;
    finish(g, ir_e_exp(&g->sink, ir_e_mul(&g->sink, x, w)), false);
}

static void test_expensive(void **state)
{
    ir_graph *g = graph();
    ir_val x = test_input(g, "x", TEST_TYPE(IR_DT_f32, 7, 301)), y;

    (void)state;
    y = ir_e_add(&g->sink, ir_e_tanh(&g->sink, x), ir_e_logistic(&g->sink, ir_e_erf(&g->sink, x)));
    finish(g, ir_e_max(&g->sink, y, ir_e_sin(&g->sink, x)), true);
}

/* y = x * row + column: the row is loaded per vector, the column once per row */
static void test_broadcast(void **state)
{
    static const int64_t shapes[][3] = {{5, 1, 3},   {3, 4, 67},    {2, 3, 10},
                                        {9, 1, 128}, {2, 1, 40000}, {33, 2, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const int64_t *s = shapes[i];
        ir_graph *g = graph();
        ir_val x = test_input(g, "x", TEST_TYPE(IR_DT_f32, s[0], s[1], s[2]));
        ir_val row = test_input(g, "row", TEST_TYPE(IR_DT_f32, s[2]));
        ir_val column = test_input(g, "column", TEST_TYPE(IR_DT_f32, s[0], 1, 1));
        ir_val y = ir_e_mul(&g->sink, x, ir_e_broadcast(&g->sink, row, 3, s));
        finish(g, ir_e_add(&g->sink, y, ir_e_broadcast(&g->sink, ir_e_exp(&g->sink, column), 3, s)), false);
    }
}

/* strided lanes, uneven runs read lane by lane */
static void test_views(void **state)
{
    static const int perm[3] = {2, 0, 1};
    ir_graph *g = graph();
    ir_val x = test_input(g, "x", TEST_TYPE(IR_DT_f32, 5, 7, 33)),
           z = test_input(g, "z", TEST_TYPE(IR_DT_f32, 33, 5, 7));

    (void)state;
    finish(g, ir_e_sub(&g->sink, ir_e_transpose(&g->sink, x, perm), z), false);
    g = graph();
    x = test_input(g, "x", TEST_TYPE(IR_DT_i64, 9, 50));
    ir_val a =
        ir_e_slice(&g->sink, x, (const int64_t[]){1, 3}, (const int64_t[]){8, 47}, (const int64_t[]){2, 3});
    ir_val b = ir_e_slice(&g->sink, x, (const int64_t[]){0, 10}, (const int64_t[]){4, 25}, NULL);
    finish(g, ir_e_add(&g->sink, a, b), false);
    g = graph(); /* a run of 3 is too short for 8 lanes: 20 rows are read as one run */
    x = test_input(g, "x", TEST_TYPE(IR_DT_f64, 20, 3));
    z = test_input(g, "z", TEST_TYPE(IR_DT_f64, 3));
    finish(g, ir_e_mul(&g->sink, x, ir_e_broadcast(&g->sink, z, 2, (const int64_t[]){20, 3})), false);
}

static void test_pad(void **state)
{
    static const struct {
        int rank;
        int64_t dims[4], low[4], high[4], interior[4];
    } cases[] = {{1, {5}, {2}, {3}, {1}},
                 {1, {70}, {0}, {0}, {2}},
                 {2, {3, 20}, {1, 0}, {0, 5}, {2, 0}},
                 {2, {4, 6}, {0, 2}, {3, 1}, {0, 3}},
                 {3, {2, 3, 19}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}},
                 {4, {2, 1, 5, 17}, {0, 2, 1, 0}, {3, 0, 1, 2}, {1, 1, 0, 1}}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int d = 0; d < 2; d++) {
            ir_graph *g = graph();
            ir_type t = ir_type_make(d ? IR_DT_u8 : IR_DT_f32, cases[i].rank, cases[i].dims);
            ir_val x = test_input(g, "x", t), z = test_input(g, "z", t);
            finish(
                g,
                ir_e_pad(&g->sink, ir_e_add(&g->sink, x, z), cases[i].low, cases[i].high, cases[i].interior),
                false);
        }
}

/* bool in memory and in registers, converts, mixed widths in one kernel */
static void test_dtypes(void **state)
{
    static const ir_dtype dtypes[] = {IR_DT_u8, IR_DT_u32, IR_DT_i32, IR_DT_i64, IR_DT_f32, IR_DT_f64};

    (void)state;
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++)
        for (int64_t n = 1; n <= 157; n += 52) {
            ir_graph *g = graph();
            ir_val x = test_input(g, "x", TEST_TYPE(dtypes[i], n)),
                   z = test_input(g, "z", TEST_TYPE(dtypes[i], n));
            ir_val p = test_input(g, "p", TEST_TYPE(IR_DT_bool, n));
            ir_val less = ir_e_lt(&g->sink, x, z), both = ir_e_and(&g->sink, less, p);
            ir_val y = ir_e_select(&g->sink, both, ir_e_div(&g->sink, x, z), ir_e_mul(&g->sink, x, z));
            test_output(g, ir_e_convert(&g->sink, ir_e_xor(&g->sink, less, p), IR_DT_f64));
            test_output(g, less);
            finish(g, ir_e_convert(&g->sink, y, IR_DT_f32), true);
        }
}

static void test_generators(void **state)
{
    ir_graph *g = graph();
    ir_type t = TEST_TYPE(IR_DT_u32, 3, 41);
    ir_val key = test_input(g, "state", TEST_TYPE(IR_DT_u32, 4));
    ir_val bits = ir_e_random_bits(&g->sink, &t, key, 5);
    ir_val i = ir_e_iota(&g->sink, IR_DT_u32, 41);

    (void)state;
    finish(g, ir_e_xor(&g->sink, bits, ir_e_broadcast(&g->sink, i, 2, t.dims)), false);
    g = graph();
    i = ir_e_iota(&g->sink, IR_DT_f32, 35);
    i = ir_e_transpose(&g->sink, ir_e_reshape(&g->sink, i, 2, (const int64_t[]){5, 7}), (const int[]){1, 0});
    finish(g, ir_e_sqrt(&g->sink, i), false);
}

static void test_constants(void **state)
{
    float table[23];
    ir_graph *g = graph();
    ir_type t = TEST_TYPE(IR_DT_f32, 23);
    ir_val x = test_input(g, "x", TEST_TYPE(IR_DT_f32, 4, 23));

    (void)state;
    for (int i = 0; i < 23; i++)
        table[i] = (float)i * 0.37f;
    ir_val k = ir_e_constant(&g->sink, &t, table, false);
    ir_val y = ir_e_add(&g->sink, x, ir_e_broadcast(&g->sink, k, 2, (const int64_t[]){4, 23}));
    finish(g, ir_e_mul(&g->sink, y, ir_e_like(&g->sink, y, -0.1)), false);
}

/* Results of more than 8 MiB go past the caches where they begin at cache lines and step by registers. */
static void test_big(void **state)
{
    static const int64_t shapes[][2] = {{1024, 2064}, {1024, 2056}, {1025, 2049}, {1, 2200000}, {1, 2200004}};
    const test_config wide = {NULL, 0, 2};

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        ir_graph *g = graph();
        ir_val x = test_input(g, "x", ir_type_make(IR_DT_f32, 2, shapes[i]));
        ir_val w = test_input(g, "w", TEST_TYPE(IR_DT_f32, shapes[i][1]));
        ir_val y = ir_e_mul(&g->sink, x, ir_e_broadcast(&g->sink, w, 2, shapes[i]));
        test_output(g, y);
        test_one_kernel(g, IR_K_LOOP, y);
        test_check_config(g, &wide, false);
        ir_graph_free(g);
    }
}

/* Rows that all rows read, of several dtypes and more than half a first cache together: computed by tiles,
 * whole rows of which divide neither the rows nor the threads' chunks. */
static void test_tiles(void **state)
{
    static const int64_t shapes[][2] = {{70, 4096}, {33, 8192}, {40, 4096 + 256}, {40, 4096 + 8}};
    const test_config configs[] = {{NULL, 0, 2}, {NULL, 16, 1}, {NULL, 4, 1}, {NULL, 1, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (size_t c = 0; c < sizeof configs / sizeof configs[0]; c++) {
            ir_graph *g = graph();
            ir_val x = test_input(g, "x", ir_type_make(IR_DT_f32, 2, shapes[i]));
            ir_val z = test_input(g, "z", TEST_TYPE(IR_DT_f32, shapes[i][0], 1));
            ir_val w[4];
            static const ir_dtype dtypes[] = {IR_DT_f32, IR_DT_f32, IR_DT_f64, IR_DT_f32};
            for (int j = 0; j < 4; j++) {
                ir_val v = test_input(g, (const char *[]){"a", "b", "c", "d"}[j],
                                      TEST_TYPE(dtypes[j], shapes[i][1]));
                v = dtypes[j] == IR_DT_f32 ? v : ir_e_convert(&g->sink, v, IR_DT_f32);
                w[j] = ir_e_broadcast(&g->sink, v, 2, shapes[i]);
            }
            ir_val y = ir_e_add(&g->sink, ir_e_mul(&g->sink, x, w[0]), w[1]);
            ir_val more = ir_e_lt(&g->sink, y, w[3]);
            y = ir_e_select(&g->sink, more, ir_e_mul(&g->sink, y, w[2]),
                            ir_e_add(&g->sink, y, ir_e_broadcast(&g->sink, z, 2, shapes[i])));
            test_output(g, y);
            test_one_kernel(g, IR_K_LOOP, y);
            test_check_config(g, &configs[c], false);
            ir_graph_free(g);
        }
}

/* The same rows in a part of a concat, which has no tiles. */
static void test_tiles_in_parts(void **state)
{
    static const int64_t shape[] = {40, 4096};
    const test_config configs[] = {{NULL, 0, 2}, {NULL, 8, 1}};

    (void)state;
    for (size_t c = 0; c < sizeof configs / sizeof configs[0]; c++) {
        ir_graph *g = graph();
        ir_val x = test_input(g, "x", ir_type_make(IR_DT_f32, 2, shape)), w[2];
        for (int j = 0; j < 2; j++) {
            ir_val v = test_input(g, j ? "b" : "a", TEST_TYPE(IR_DT_f32, shape[1]));
            w[j] = ir_e_broadcast(&g->sink, v, 2, shape);
        }
        ir_val y = ir_e_add(&g->sink, ir_e_mul(&g->sink, x, w[0]), w[1]);
        const ir_val parts[] = {y, x};
        ir_val z = ir_e_concat(&g->sink, parts, 2, 0);
        test_output(g, z);
        test_one_kernel(g, IR_K_LOOP, z);
        test_check_config(g, &configs[c], false);
        ir_graph_free(g);
    }
}

/* A chain that would overflow the stack if evaluation recursed. */
static void test_long_chain(void **state)
{
    ir_graph *g = graph();
    ir_type t = TEST_TYPE(IR_DT_f32, 3);
    ir_val x = test_input(g, "x", t), b = test_input(g, "b", t), y = x;
    const test_config once = {NULL, 0, 1};

    (void)state;
    for (int i = 0; i < 3000; i++)
        y = i % 2 ? ir_e_add(&g->sink, y, b) : ir_e_sub(&g->sink, y, x);
    test_output(g, y);
    test_one_kernel(g, IR_K_LOOP, y);
    test_check_config(g, &once, false);
    ir_graph_free(g);
}

/* Whether output o of planned g, of whichever kernel, is written past the caches. */
static bool streams(const ir_graph *g, int o)
{
    ir_ref r = g->outputs[o].value;

    for (int i = 0; i < g->kernels.count; i++)
        if (ir_refs_hold(g->kernels.items[i].outs, g->kernels.items[i].out_count, r))
            return cg_streams(g, &g->kernels.items[i], r);
    fail_msg("output %d is stored by no kernel", o);
    return false;
}

/* Big results go past the caches, several of one kernel too, but not over what the kernel has just read. */
static void test_what_goes_past_the_caches(void **state)
{
    (void)state;
    ir_graph *g = graph();
    ir_sink *s = &g->sink;
    ir_type t = TEST_TYPE(IR_DT_f32, 2048, 1024);
    ir_val x = test_input(g, "x", t), w = ir_val_of(ir_graph_variable(g, "w", &t));
    ir_val step = ir_e_mul(s, x, ir_e_like(s, x, 0.1)), next = ir_e_sub(s, w, step);
    test_output(g, step);
    ir_graph_assign(g, ir_ref_of(w), ir_ref_of(next));
    g = test_fuse_plan(g);
    assert_int_equal(g->kernels.count, 1);
    assert_true(streams(g, 0));
    assert_false(cg_streams(g, &g->kernels.items[0], g->assigns[0].value));
    ir_graph_free(g);

    g = graph();
    s = &g->sink;
    ir_val a = test_input(g, "a", TEST_TYPE(IR_DT_f32, 1024, 64));
    ir_val b = test_input(g, "b", TEST_TYPE(IR_DT_f32, 64, 1024));
    ir_val y = ir_e_dot(s, a, b, &(ir_attrs){.nk = 1, .dot = {.lhs_k = {1}, .rhs_k = {0}}});
    test_output(g, y);
    test_output(g, ir_e_relu(s, y));
    g = test_fuse_plan(g);
    assert_int_equal(g->kernels.count, 1);
    assert_true(streams(g, 0) && streams(g, 1));
    ir_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flat),       cmocka_unit_test(test_scalar_rank),
        cmocka_unit_test(test_expensive),  cmocka_unit_test(test_broadcast),
        cmocka_unit_test(test_views),      cmocka_unit_test(test_pad),
        cmocka_unit_test(test_dtypes),     cmocka_unit_test(test_generators),
        cmocka_unit_test(test_constants),  cmocka_unit_test(test_big),
        cmocka_unit_test(test_tiles),      cmocka_unit_test(test_tiles_in_parts),
        cmocka_unit_test(test_long_chain), cmocka_unit_test(test_what_goes_past_the_caches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
