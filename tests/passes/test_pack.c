/* tests/passes/test_pack.c: which constants become panels, what is in them, and that every bit of the
 * products stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "ir/emit.h"
#include "ir/lib_graphs.h"
#include "ir/lib_interp.h"
#include "ir/shared.h"
#include "passes/all.h"
#include "passes/lib_eval.h"
#include "passes/lib_pipeline.h"

static ir_graph *graph(void)
{
    ir_graph *g = ir_graph_new("test");
    assert_non_null(g);
    return g;
}

static ir_val input(ir_graph *g, ir_dtype d, int64_t m, int64_t k)
{
    ir_type t = ir_type_make(d, 2, (int64_t[]){m, k});
    return ir_val_of(ir_graph_input(g, "x", &t));
}

/* A constant of elements 1, 2, .. */
static ir_val counted(ir_graph *g, ir_dtype d, int64_t rows, int64_t columns)
{
    ir_type t = ir_type_make(d, 2, (int64_t[]){rows, columns});
    size_t size = ir_dtype_size(d);
    char *data = malloc(ir_type_bytes(&t));

    assert_non_null(data);
    for (int64_t i = 0; i < rows * columns; i++) {
        ir_element_set(d, data + (size_t)i * size, (double)(i + 1));
    }
    ir_val v = ir_e_constant(&g->sink, &t, data, false);
    free(data);
    return v;
}

/* Of w as it is, or 16 bits converted to f32. */
static ir_val product(ir_graph *g, ir_val x, ir_val w, int along)
{
    ir_attrs a = {.nk = 1};

    if (ir_dtype_is_half((ir_dtype)g->nodes[ir_ref_of(w)].type.dtype)) {
        w = ir_e_convert(&g->sink, w, IR_DT_f32);
    }
    a.dot.lhs_k[0] = 1;
    a.dot.rhs_k[0] = (int8_t)along;
    return ir_e_dot(&g->sink, x, w, &a);
}

/* After the pass: how many constants are panels; *panel: the last of them. */
static int packed(const ir_graph *g, const ir_graph **out, const ir_node **panel)
{
    static const pass_info pack = {"pack", "", pass_pack};
    const pass_info *list[] = {&pack};
    ir_error e = {0};
    pass_context pc = {.eval = test_eval, .err = &e};
    ir_graph *p = pass_run(&pc, g, list, 1, NULL, NULL, NULL, NULL);
    int count = 0;

    assert_non_null(p);
    for (ir_ref r = 0; r < p->count; r++) {
        if (p->nodes[r].op == IR_constant && p->nodes[r].type.rank == 3) {
            *panel = &p->nodes[r];
            count++;
        }
    }
    *out = p;
    return count;
}

/* Every prefix of the pipeline keeps the bits, and `expected` constants become panels. */
static const ir_node *check(ir_graph *g, int expected, const ir_graph **out)
{
    void **leaves = graphs_leaves(g, 1), **values = calloc(g->count, sizeof *values);
    const ir_node *panel = NULL;

    assert_int_equal(g->error.status, IR_OK);
    assert_non_null(leaves);
    assert_non_null(values);
    assert_true(interp_run(g, (const void *const *)leaves, g->count - 1, values));
    pipeline_keeps_the_bits(g, leaves, values);
    interp_free(g, values);
    free(values);
    graphs_leaves_free(g, leaves);
    assert_int_equal(packed(g, out, &panel), expected);
    return panel;
}

static void finish(ir_graph *g, const ir_graph *out)
{
    ir_graph_free((ir_graph *)(uintptr_t)out);
    ir_graph_free(g);
}

/* Element [panel, k, column] is w[k, panel * line + column], whichever way w lies. */
static void test_layout(void **state)
{
    static const ir_dtype dtypes[] = {IR_DT_f32, IR_DT_f64, IR_DT_bf16, IR_DT_f16};
    enum { M = 5, K = 90, N = 96 };

    (void)state;
    for (int i = 0; i < 8; i++) {
        ir_dtype d = dtypes[i / 2];
        int along = i % 2, line = d == IR_DT_f64 ? 8 : 16;
        const ir_graph *out;
        ir_graph *g = graph();
        ir_val w = along ? counted(g, d, N, K) : counted(g, d, K, N);
        ir_val x = input(g, d == IR_DT_f64 ? d : IR_DT_f32, M, K);
        ir_graph_output(g, "y", ir_ref_of(product(g, x, w, along)));
        const ir_node *panel = check(g, 1, &out);
        assert_int_equal(panel->type.dtype, d);
        assert_int_equal(panel->type.dims[0], N / line);
        assert_int_equal(panel->type.dims[1], K);
        assert_int_equal(panel->type.dims[2], line);
        for (int p = 0; p < N / line; p++) {
            for (int k = 0; k < K; k++) {
                for (int c = 0; c < line; c++) {
                    int column = p * line + c, at = (p * K + k) * line + c;
                    double expect = along ? column * K + k + 1 : k * N + column + 1;
                    const char *data = panel->attrs->constant.data;
                    char rounded[8];
                    ir_element_set(d, rounded, expect);
                    assert_memory_equal(data + (size_t)at * ir_dtype_size(d), rounded, ir_dtype_size(d));
                }
            }
        }
        finish(g, out);
    }
}

/* One constant of two products is laid out once, also behind two converts. */
static void test_shared(void **state)
{
    static const ir_dtype dtypes[] = {IR_DT_f32, IR_DT_bf16};

    (void)state;
    for (int i = 0; i < 2; i++) {
        const ir_graph *out;
        ir_graph *g = graph();
        ir_val x = input(g, IR_DT_f32, 9, 80), w = counted(g, dtypes[i], 80, 80), h = product(g, x, w, 1);

        ir_graph_output(g, "y", ir_ref_of(product(g, ir_e_relu(&g->sink, h), w, 1)));
        check(g, 1, &out);
        finish(g, out);
    }
}

/* Constants that something else reads, on the left, small, of broken lines, of a tree's product, or
 * contracted both ways. */
static void leave_alone(int i, ir_dtype d)
{
    const ir_graph *out;
    ir_graph *g = graph();
    int64_t n = i == 3 ? 100 : i == 4 ? 48 : 96, m = i == 4 ? 1 : 9, k = i == 2 ? 16 : i == 4 ? 400 : 96;
    ir_val x = input(g, IR_DT_f32, m, k), w = counted(g, d, k, n), y = product(g, x, w, 0);
    if (i == 0) {
        ir_graph_output(g, "w", ir_ref_of(w));
    }
    if (i == 1) {
        y = product(g, d == IR_DT_f32 ? w : ir_e_convert(&g->sink, w, IR_DT_f32), y, 1);
    }
    if (i == 5) {
        y = product(g, y, w, 1);
    }
    if (i == 6) {
        ir_graph_output(g, "s", ir_ref_of(ir_e_relu(&g->sink, w)));
    }
    ir_graph_output(g, "y", ir_ref_of(y));
    check(g, 0, &out);
    finish(g, out);
}

static void test_left_alone(void **state)
{
    (void)state;
    for (int i = 0; i < 14; i++) {
        leave_alone(i / 2, i % 2 ? IR_DT_bf16 : IR_DT_f32);
    }
}

/* Of a graph that is given up the panels lie where the weights did, unless somebody else has those. */
static void lies_in_place(int along, bool held)
{
    static const pass_info pack = {"pack", "", pass_pack};
    const pass_info *list[] = {&pack};
    ir_error e = {0};
    const ir_graph *out;
    const ir_node *panel;
    ir_graph *g = graph();
    ir_val x = input(g, IR_DT_f32, 5, 96), w = counted(g, IR_DT_f32, 96, 96);
    const ir_attrs *a = g->nodes[ir_ref_of(w)].attrs;
    const float *data = a->constant.data;
    ir_shared *s = a->constant.shared;
    pass_context pc = {.eval = test_eval, .err = &e, .given = &g};

    ir_graph_output(g, "y", ir_ref_of(product(g, x, w, along)));
    if (held) {
        ir_shared_hold(s);
    }
    assert_int_equal(packed(g, &out, &panel), 1);
    ir_graph *p = pass_run(&pc, g, list, 1, NULL, NULL, NULL, NULL);
    assert_non_null(p);
    assert_null(g);
    const ir_attrs *laid = p->nodes[1].attrs;
    assert_int_equal(p->nodes[1].op, IR_constant);
    assert_memory_equal(laid->constant.data, panel->attrs->constant.data, laid->constant.bytes);
    assert_true((laid->constant.data == data) == !held);
    assert_true(!held || (data[0] == 1 && data[1] == 2 && data[96] == 97));
    finish(p, out);
    if (held) {
        ir_shared_release(s);
    }
}

static void test_in_place(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        lies_in_place(i / 2, i % 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_left_alone),
        cmocka_unit_test(test_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
