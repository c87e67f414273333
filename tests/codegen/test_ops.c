/* tests/codegen/test_ops.c: every op and composite, with its gradient and second derivative, compiled and
 * eager.
 *
 * Pointwise cases come from the rows of ops.def, in every dtype that a row takes and with NaN, infinities and
 * signed zeros among the operands; the others are listed here, and an op without a case fails the test.  Each
 * graph goes through the whole pipeline and is compiled at every lane count, on one and two threads and for
 * three instruction sets; every output has the eager engine's bits.  Every graph is printed, parsed and
 * printed again, and an operand of another shape is refused.  (Derivatives against finite differences:
 * tests/ir/test_vjp.c.)
 *
 * ctest-labels: slow release-only
 * ctest-timeout: 900 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/compose.h"
#include "passes/passes.h"
#include "tests/codegen/lib_codegen.h"
#include "tests/passes/lib_eval.h"

static bool seen[IR_OP_COUNT];

static ir_graph *graph(void)
{
    ir_graph *g = ir_graph_new("ops");
    assert_non_null(g);
    return g;
}

static void check_text(const ir_graph *g)
{
    char *once = NULL, *twice = NULL;
    ir_error e = {0};

    assert_int_equal(ir_print(g, &once, &e), IR_OK);
    ir_graph *back = ir_parse(once, strlen(once), "ops.tdm", &e);
    if (!back)
        fail_msg("%s\n%s", e.text, once);
    assert_int_equal(ir_print(back, &twice, &e), IR_OK);
    assert_string_equal(once, twice);
    free(once);
    free(twice);
    ir_graph_free(back);
}

/* g through the pipeline, compiled everywhere.  Takes g. */
static void check(ir_graph *g, bool special)
{
    ir_error e = {0};
    pass_context pc = {.eval = test_eval, .err = &e};

    if (g->error.status != IR_OK)
        fail_msg("%s", g->error.text);
    for (ir_ref r = 0; r < g->count; r++)
        seen[g->nodes[r].op] = true;
    check_text(g);
    ir_graph *out = pass_run_pipeline(&pc, g, NULL, NULL, NULL, NULL, NULL, NULL);
    if (!out)
        fail_msg("%s", e.text);
    check_text(out);
    ir_graph_free(g);
    test_check(out, special);
}

/* The gradients of y and those of their sum, as outputs. */
static void add_gradients(ir_graph *g, ir_val y, const ir_ref *wrt, int n)
{
    ir_ref grads[4], second[4], out = ir_ref_of(y);
    ir_type t = g->nodes[out].type;
    ir_ref dy = ir_ref_of(test_input(g, "dy", t));
    ir_val total = 0;

    assert_int_equal(pass_gradient(g, &out, &dy, 1, wrt, n, grads), IR_OK);
    for (int i = 0; i < n; i++) {
        if (grads[i] == IR_NONE)
            continue;
        int axes[IR_MAX_RANK], rank = g->nodes[grads[i]].type.rank;
        for (int a = 0; a < rank; a++)
            axes[a] = a;
        test_output(g, ir_val_of(grads[i]));
        ir_val sum = ir_e_reduce(&g->sink, IR_reduce_sum, ir_val_of(grads[i]), axes, rank, false);
        ir_val same = ir_e_convert(&g->sink, sum, IR_DT_f64);
        total = total ? ir_e_add(&g->sink, total, same) : same;
    }
    if (!total)
        return;
    out = ir_ref_of(total);
    assert_int_equal(pass_gradient(g, &out, NULL, 1, wrt, n, second), IR_OK);
    for (int i = 0; i < n; i++)
        if (second[i] != IR_NONE)
            test_output(g, ir_val_of(second[i]));
}

/* ---- rows of ops.def ---- */

static const int64_t row_shapes[][3] = {{1, 1, 1}, {1, 1, 17}, {3, 1, 7}, {2, 5, 16}, {1, 3, 67}};
enum { ROW_SHAPES = sizeof row_shapes / sizeof *row_shapes };

/* Up to four rows of the table that take dtype d, from *op on, side by side over the same operands. */
static ir_graph *rows_graph(int *op, ir_dtype d, const int64_t *dims)
{
    ir_graph *g = graph();
    ir_sink *s = &g->sink;
    ir_type t = ir_type_make(d, 3, dims);
    ir_val p = test_input(g, "p", ir_type_make(IR_DT_bool, 3, dims)), x = test_input(g, "x", t),
           z = test_input(g, "z", t);

    for (int n = 0; *op < IR_OP_COUNT && n < 4; ++*op) {
        const ir_op_info *info = &ir_ops[*op];
        ir_val operands[3] = {x, z, 0};
        if (info->cls != IR_POINTWISE || *op == IR_convert || *op == IR_clamp || !(info->dtypes >> d & 1))
            continue;
        if (*op == IR_select)
            memcpy(operands, (ir_val[]){p, x, z}, sizeof operands);
        test_output(g, ir_emit(s, (ir_op)*op, NULL, operands, info->arity));
        n++;
    }
    return g;
}

static void test_rows(void **state)
{
    (void)state;
    for (int d = 0; d < IR_DT_COUNT; d++)
        for (int i = 0; i < ROW_SHAPES; i++) {
            if (!ir_dtype_is_float((ir_dtype)d) && i % 2)
                continue;
            for (int op = 0; op < IR_OP_COUNT;) {
                ir_graph *g = rows_graph(&op, (ir_dtype)d, row_shapes[i]);
                if (g->output_count)
                    check(g, true);
                else
                    ir_graph_free(g);
            }
        }
}

static void test_row_gradients(void **state)
{
    (void)state;
    for (int op = 0; op < IR_OP_COUNT; op++) {
        const ir_op_info *info = &ir_ops[op];
        if (info->cls != IR_POINTWISE || op == IR_convert || op == IR_clamp || (info->facts & IR_NO_GRAD) ||
            !(info->dtypes & D_FLOAT))
            continue;
        ir_graph *g = graph();
        ir_dtype d = op % 2 ? IR_DT_f64 : IR_DT_f32;
        ir_type t = ir_type_make(d, 3, row_shapes[2 + op % 3]);
        ir_val x[3];
        ir_ref wrt[3];
        int n = 0;
        for (int i = 0; i < info->arity; i++) {
            ir_type ti = op == IR_select && i == 0 ? ir_type_with(&t, IR_DT_bool) : t;
            x[i] = test_input(g, (const char *[]){"x", "z", "w"}[i], ti);
            if (ir_dtype_is_float(ti.dtype))
                wrt[n++] = ir_ref_of(x[i]);
        }
        ir_val y = ir_emit(&g->sink, (ir_op)op, NULL, x, info->arity);
        test_output(g, y);
        add_gradients(g, y, wrt, n);
        check(g, false);
    }
}

static void test_converts(void **state)
{
    (void)state;
    for (int from = 0; from < IR_DT_COUNT; from++) {
        ir_graph *g = graph();
        ir_val x = test_input(g, "x", ir_type_make((ir_dtype)from, 3, row_shapes[4]));
        for (int to = 0; to < IR_DT_COUNT; to++)
            if (to != from)
                test_output(g, ir_e_convert(&g->sink, x, (ir_dtype)to));
        check(g, true);
    }
}

/* ---- other ops and composites ---- */

typedef ir_val build_fn(ir_sink *s, const ir_val *x);

typedef struct op_case {
    const char *name;
    build_fn *build;
    int n;
    struct {
        int rank;
        int64_t dims[4];
        bool index; /* i64 instead of the case's float */
    } in[4];
    bool smooth; /* differentiate it */
} op_case;

static ir_val b_reshape(ir_sink *s, const ir_val *x)
{
    return ir_e_reshape(s, x[0], 2, (const int64_t[]){21, 10});
}
static ir_val b_transpose(ir_sink *s, const ir_val *x)
{
    return ir_e_transpose(s, x[0], (const int[]){2, 0, 1});
}
static ir_val b_broadcast(ir_sink *s, const ir_val *x)
{
    return ir_e_broadcast(s, x[0], 4, (const int64_t[]){2, 3, 7, 17});
}
static ir_val b_slice(ir_sink *s, const ir_val *x)
{
    return ir_e_slice(s, x[0], (const int64_t[]){1, 0, 2}, (const int64_t[]){3, 6, 10},
                      (const int64_t[]){1, 2, 3});
}
static ir_val b_pad(ir_sink *s, const ir_val *x)
{
    return ir_e_pad(s, x[0], (const int64_t[]){1, 0, 2}, (const int64_t[]){0, 3, 1},
                    (const int64_t[]){0, 1, 2});
}
static ir_val b_clamp(ir_sink *s, const ir_val *x)
{
    return ir_e_clamp(s, x[0], -1.5, 2);
}
static ir_val b_gather(ir_sink *s, const ir_val *x)
{
    return ir_e_gather(s, x[0], x[1]);
}
static ir_val b_scatter(ir_sink *s, const ir_val *x)
{
    return ir_e_scatter_add(s, x[0], x[1], x[2]);
}
static ir_val reduce(ir_sink *s, ir_op op, ir_val x, int a, int b, bool keep)
{
    return ir_e_reduce(s, op, x, (const int[]){a, b}, b < 0 ? 1 : 2, keep);
}
static ir_val b_sum_inner(ir_sink *s, const ir_val *x)
{
    return reduce(s, IR_reduce_sum, x[0], 2, -1, false);
}
static ir_val b_sum_outer(ir_sink *s, const ir_val *x)
{
    return reduce(s, IR_reduce_sum, x[0], 0, -1, true);
}
static ir_val b_sum_middle(ir_sink *s, const ir_val *x)
{
    return reduce(s, IR_reduce_sum, x[0], 1, -1, false);
}
static ir_val b_sum_apart(ir_sink *s, const ir_val *x)
{
    return reduce(s, IR_reduce_sum, x[0], 0, 2, false);
}
static ir_val b_sum_all(ir_sink *s, const ir_val *x)
{
    return ir_e_reduce(s, IR_reduce_sum, x[0], (const int[]){0, 1, 2}, 3, false);
}
static ir_val b_max(ir_sink *s, const ir_val *x)
{
    return reduce(s, IR_reduce_max, x[0], 1, 2, false);
}
static ir_val b_min(ir_sink *s, const ir_val *x)
{
    return reduce(s, IR_reduce_min, x[0], 0, -1, false);
}
static ir_val b_argmax(ir_sink *s, const ir_val *x)
{
    return reduce(s, IR_argmax, x[0], 1, 2, false);
}
static ir_val b_argmax_outer(ir_sink *s, const ir_val *x)
{
    return reduce(s, IR_argmax, x[0], 0, -1, false);
}
static ir_val b_matmul(ir_sink *s, const ir_val *x)
{
    return ir_c_matmul(s, x[0], x[1]);
}
static ir_val b_linear(ir_sink *s, const ir_val *x)
{
    return ir_c_linear(s, x[0], x[1], x[2]);
}
static ir_val b_square(ir_sink *s, const ir_val *x)
{
    return ir_c_square(s, x[0]);
}
static ir_val b_mean(ir_sink *s, const ir_val *x)
{
    return ir_c_mean(s, x[0], (const int[]){0, 2}, 2, true);
}
static ir_val b_var(ir_sink *s, const ir_val *x)
{
    return ir_c_var(s, x[0], (const int[]){2}, 1, 1, false);
}
static ir_val b_one_hot(ir_sink *s, const ir_val *x)
{
    return ir_c_one_hot(s, x[0], 9, IR_DT_f32);
}
static ir_val b_embedding(ir_sink *s, const ir_val *x)
{
    return ir_c_embedding(s, x[0], x[1]);
}
static ir_val b_gelu(ir_sink *s, const ir_val *x)
{
    return ir_c_gelu(s, x[0], false);
}
static ir_val b_gelu_tanh(ir_sink *s, const ir_val *x)
{
    return ir_c_gelu(s, x[0], true);
}
static ir_val b_silu(ir_sink *s, const ir_val *x)
{
    return ir_c_silu(s, x[0]);
}
static ir_val b_logsumexp(ir_sink *s, const ir_val *x)
{
    return ir_c_logsumexp(s, x[0], -1, false);
}
static ir_val b_softmax(ir_sink *s, const ir_val *x)
{
    return ir_c_softmax(s, x[0], -1);
}
static ir_val b_softmax_outer(ir_sink *s, const ir_val *x)
{
    return ir_c_softmax(s, x[0], 0);
}
static ir_val b_log_softmax(ir_sink *s, const ir_val *x)
{
    return ir_c_log_softmax(s, x[0], 1);
}
static ir_val b_layer_norm(ir_sink *s, const ir_val *x)
{
    return ir_c_layer_norm(s, x[0], x[1], x[2], 1e-5);
}
static ir_val b_mse(ir_sink *s, const ir_val *x)
{
    return ir_c_mse(s, x[0], x[1]);
}
static ir_val b_cross_entropy(ir_sink *s, const ir_val *x)
{
    return ir_c_cross_entropy(s, x[0], x[1]);
}
static ir_val b_iota(ir_sink *s, const ir_val *x)
{
    const ir_type *t = s->type(s, x[0]);
    return ir_e_mul(s, x[0], ir_e_iota_axis(s, t, 2));
}

#define X3 {3, {3, 7, 10}, false}
#define ROWS {3, {2, 9, 65}, false}
static const op_case cases[] = {
    {"reshape", b_reshape, 1, {X3}, true},
    {"transpose", b_transpose, 1, {X3}, true},
    {"broadcast", b_broadcast, 1, {{3, {3, 1, 17}, false}}, true},
    {"slice", b_slice, 1, {X3}, true},
    {"pad", b_pad, 1, {X3}, true},
    {"clamp", b_clamp, 1, {X3}, true},
    {"gather", b_gather, 2, {X3, {2, {2, 3}, true}}, true},
    {"scatter_add", b_scatter, 3, {{2, {5, 9}, false}, {1, {7}, true}, {2, {7, 9}, false}}, true},
    {"sum inner", b_sum_inner, 1, {ROWS}, true},
    {"sum inner long", b_sum_inner, 1, {{3, {1, 2, 1300}, false}}, true},
    {"sum outer", b_sum_outer, 1, {{3, {600, 3, 5}, false}}, true},
    {"sum middle", b_sum_middle, 1, {{3, {2, 70, 18}, false}}, true},
    {"sum apart", b_sum_apart, 1, {X3}, true},
    {"sum all", b_sum_all, 1, {ROWS}, true},
    {"max", b_max, 1, {ROWS}, true},
    {"min", b_min, 1, {X3}, true},
    {"argmax", b_argmax, 1, {ROWS}, false},
    {"argmax outer", b_argmax_outer, 1, {X3}, false},
    {"iota", b_iota, 1, {X3}, true},
    {"matmul", b_matmul, 2, {{3, {2, 9, 17}, false}, {2, {17, 20}, false}}, true},
    {"matmul by the tree", b_matmul, 2, {{2, {3, 130}, false}, {2, {130, 5}, false}}, true},
    {"matmul of vectors", b_matmul, 2, {{1, {65}, false}, {1, {65}, false}}, true},
    {"matmul of blocks", b_matmul, 2, {{2, {9, 513}, false}, {2, {513, 10}, false}}, true},
    {"linear", b_linear, 3, {{3, {2, 5, 19}, false}, {2, {33, 19}, false}, {1, {33}, false}}, true},
    {"square", b_square, 1, {X3}, true},
    {"mean", b_mean, 1, {X3}, true},
    {"var", b_var, 1, {ROWS}, true},
    {"one_hot", b_one_hot, 1, {{2, {3, 5}, true}}, false},
    {"embedding", b_embedding, 2, {{2, {9, 20}, false}, {2, {2, 3}, true}}, true},
    {"gelu", b_gelu, 1, {X3}, true},
    {"gelu tanh", b_gelu_tanh, 1, {X3}, true},
    {"silu", b_silu, 1, {X3}, true},
    {"logsumexp", b_logsumexp, 1, {ROWS}, true},
    {"softmax", b_softmax, 1, {ROWS}, true},
    {"softmax short", b_softmax, 1, {X3}, true},
    {"softmax outer", b_softmax_outer, 1, {X3}, true},
    {"log_softmax", b_log_softmax, 1, {X3}, true},
    {"layer_norm", b_layer_norm, 3, {ROWS, {1, {65}, false}, {1, {65}, false}}, true},
    {"mse", b_mse, 2, {X3, X3}, true},
    {"cross_entropy", b_cross_entropy, 2, {{2, {19, 10}, false}, {1, {19}, true}}, true},
};
enum { CASES = sizeof cases / sizeof *cases };

static ir_graph *case_graph(const op_case *c, ir_dtype d, bool spoil, bool *refused)
{
    ir_graph *g = graph();
    ir_val x[4] = {0};
    ir_ref wrt[4];
    int n = 0;

    for (int i = 0; i < c->n; i++) {
        ir_type t = ir_type_make(c->in[i].index ? IR_DT_i64 : d, c->in[i].rank, c->in[i].dims);
        if (spoil && i == (c->build == b_cross_entropy ? 1 : 0))
            t.dims[t.rank - 1] += 1;
        x[i] = test_input(g, (const char *[]){"x", "z", "w", "v"}[i], t);
        if (ir_dtype_is_float(t.dtype))
            wrt[n++] = ir_ref_of(x[i]);
    }
    ir_val y = c->build(&g->sink, x);
    *refused = y == 0;
    if (!y || spoil)
        return g;
    test_output(g, y);
    if (c->smooth)
        add_gradients(g, y, wrt, n);
    return g;
}

static void test_cases(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++)
        for (int d = 0; d < 2; d++) {
            bool refused;
            ir_graph *g = case_graph(&cases[i], d ? IR_DT_f64 : IR_DT_f32, false, &refused);
            if (refused)
                fail_msg("%s: %s", cases[i].name, g->error.text);
            check(g, false);
        }
}

/* With two operands or more, one of another shape is refused, and the message shows a shape. */
static void test_wrong_shapes(void **state)
{
    int tried = 0;

    (void)state;
    for (int i = 0; i < CASES; i++) {
        bool refused;
        if (cases[i].n < 2 || cases[i].build == b_gather || cases[i].build == b_embedding)
            continue; /* an index of any shape will do */
        ir_graph *g = case_graph(&cases[i], IR_DT_f32, true, &refused);
        if (!refused || g->error.status != IR_ESHAPE || !strchr(g->error.text, '['))
            fail_msg("%s: a wrong shape gives \"%s\"", cases[i].name, g->error.text);
        ir_graph_free(g);
        tried++;
    }
    assert_true(tried >= 8);
}

/* ---- random numbers and optimisers ---- */

static void test_random(void **state)
{
    static const int64_t four = 4, dims[2] = {5, 37};

    (void)state;
    for (int d = 0; d < 2; d++) {
        ir_graph *g = graph();
        ir_sink *s = &g->sink;
        ir_type t = ir_type_make(d ? IR_DT_f64 : IR_DT_f32, 2, dims);
        ir_val rng = test_input(g, "rng", ir_type_make(IR_DT_u32, 1, &four)), x = test_input(g, "x", t);
        test_output(g, ir_c_uniform(s, &t, rng, 3, -1, 2));
        test_output(g, ir_c_normal(s, &t, rng, 4, 0.5, 2));
        ir_val y = ir_c_dropout(s, x, rng, 6, 0.25);
        test_output(g, y);
        add_gradients(g, y, (const ir_ref[]){ir_ref_of(x)}, 1);
        check(g, false);
    }
}

static void test_optimisers(void **state)
{
    static const int64_t dims[2] = {5, 37};

    (void)state;
    for (int way = 0; way < 6; way++) {
        ir_graph *g = graph();
        ir_sink *s = &g->sink;
        ir_type t = ir_type_make(way % 2 ? IR_DT_f64 : IR_DT_f32, 2, dims);
        ir_val p = test_input(g, "p", t), dp = test_input(g, "dp", t), m = test_input(g, "m", t);
        ir_val v = ir_c_square(s, test_input(g, "v", t)),
               step = test_input(g, "step", ir_type_make(IR_DT_f32, 0, NULL));
        step = ir_c_square(s, step);
        if (way < 4)
            test_output(
                g, ir_c_sgd(s, p, dp, way ? &m : NULL, 0.1, way ? 0.9 : 0, way == 2 ? 0.01 : 0, way == 3));
        else
            test_output(g, ir_c_adam(s, p, dp, &m, &v, &step, 1e-3, 0.9, 0.999, 1e-8, 0.01, way == 5));
        test_output(g, m);
        test_output(g, v);
        test_output(g, step);
        check(g, false);
    }
}

static void test_none_left_out(void **state)
{
    (void)state;
    for (int op = 0; op < IR_OP_COUNT; op++)
        if (!seen[op] && op != IR_variable)
            fail_msg("no case for op %s", ir_ops[op].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),         cmocka_unit_test(test_row_gradients),
        cmocka_unit_test(test_converts),     cmocka_unit_test(test_cases),
        cmocka_unit_test(test_wrong_shapes), cmocka_unit_test(test_random),
        cmocka_unit_test(test_optimisers),   cmocka_unit_test(test_none_left_out),
    };
    setenv("TANDEM_TEST_CONFIGS", "8", 0); /* the table meets every width, level and thread count */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
