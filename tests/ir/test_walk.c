/* tests/ir/test_walk.c: what one kernel evaluates: the walk over its (node, map) pairs, and what it refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ir/emit.h"
#include "ir/map.h"

static ir_graph *graph_with(const int64_t *dims, int rank, ir_val *x)
{
    ir_graph *g = ir_graph_new("t");
    ir_type t = ir_type_make(IR_DT_f32, rank, dims);

    *x = ir_val_of(ir_graph_input(g, "x", &t));
    return g;
}

typedef struct trace {
    int loads, computed;
    ir_ref done[64];
    int done_count;
    const ir_graph *g;
    const ir_kernel *k;
} trace;

static void visit(void *user, ir_ref r, const ir_map *m, bool loaded)
{
    trace *t = user;

    (void)m;
    t->loads += loaded;
    t->computed += !loaded;
    t->done[t->done_count++] = r;
    if (!loaded) { /* operands came before */
        for (int i = 0; i < t->g->nodes[r].n; i++) {
            bool seen = false;

            for (int j = 0; j < t->done_count; j++) {
                seen |= t->done[j] == t->g->nodes[r].x[i];
            }
            assert_true(seen);
        }
    }
}

/* s = sum(exp(x - max(x))), over `axis`: legal as one kernel along the last axis, not along the first. */
static void walk_two_sweeps(int axis, ir_kernel_kind kind, bool legal)
{
    const int64_t dims[] = {4, 6};
    const int64_t keep[] = {axis == 0 ? 1 : 4, axis == 0 ? 6 : 1};
    ir_val x, m, s;
    ir_graph *g = graph_with(dims, 2, &x);
    ir_ref nodes[16], out;
    ir_kernel k = {.kind = kind, .nodes = nodes, .outs = &out, .out_count = 1};
    trace t = {.g = g, .k = &k};

    m = ir_e_reduce(&g->sink, IR_reduce_max, x, &axis, 1, false);
    s = ir_e_broadcast(&g->sink, ir_e_reshape(&g->sink, m, 2, keep), 2, dims);
    s = ir_e_exp(&g->sink, ir_e_sub(&g->sink, x, s));
    s = ir_e_reduce(&g->sink, IR_reduce_sum, s, &axis, 1, false);
    assert_int_equal(g->error.status, IR_OK);
    for (ir_ref r = 1; r < g->count; r++) {
        nodes[k.node_count++] = r;
    }
    out = ir_ref_of(s);
    k.root = ir_ref_of(m);
    assert_int_equal(ir_kernel_walk(g, &k, visit, &t), legal);
    if (legal) {
        assert_int_equal(t.loads, 1); /* x, at one map */
        assert_int_equal(t.computed, k.node_count);
    }
    ir_graph_free(g);
}

static void test_rows_take_sweeps_and_columns_take_one(void **state)
{
    (void)state;
    walk_two_sweeps(1, IR_K_ROW, true);
    walk_two_sweeps(0, IR_K_OUTER, false);
}

/* y[i, j] = x[i, j] / sum over k of x[j, k]: a row value read from another row. */
static void test_other_rows_are_refused(void **state)
{
    const int64_t dims[] = {4, 4};
    const int axis = 1;
    ir_val x, s, y;
    ir_graph *g = graph_with(dims, 2, &x);
    ir_ref nodes[8], out;
    ir_kernel k = {.kind = IR_K_ROW, .nodes = nodes, .outs = &out, .out_count = 1};
    ir_ref fault;

    (void)state;
    s = ir_e_reduce(&g->sink, IR_reduce_sum, x, &axis, 1, false);
    y = ir_e_div(&g->sink, x, ir_e_broadcast(&g->sink, s, 2, dims));
    for (ir_ref r = 1; r < g->count; r++) {
        nodes[k.node_count++] = r;
    }
    out = ir_ref_of(y);
    k.root = ir_ref_of(s);
    assert_false(ir_kernel_check(g, &k, NULL, NULL, &fault));
    assert_int_equal(fault, ir_ref_of(s));
    ir_graph_free(g);
}

/* The rows of x less their maxima, and a sum over the rows of each of `blocks`; `read`: taken from x too. */
static bool walk_blocks(int64_t blocks, int64_t rows, int64_t n, bool read)
{
    const int64_t dims[] = {12, 5}, keep[] = {12, 1}, cut[] = {blocks, rows, n}, spread[] = {blocks, 1, n};
    const int last = 1;
    ir_val x, m, y, sum;
    ir_graph *g = graph_with(dims, 2, &x);
    ir_ref nodes[16], outs[2], fault;
    ir_kernel k = {.kind = IR_K_ROW, .nodes = nodes, .outs = outs, .out_count = 2};

    m = ir_e_reduce(&g->sink, IR_reduce_max, x, &last, 1, false);
    y = ir_e_sub(&g->sink, x, ir_e_broadcast(&g->sink, ir_e_reshape(&g->sink, m, 2, keep), 2, dims));
    y = ir_e_reshape(&g->sink, y, 3, cut);
    sum = ir_e_reduce(&g->sink, IR_reduce_sum, y, &last, 1, false);
    if (read)
        y = ir_e_sub(&g->sink, y, ir_e_broadcast(&g->sink, ir_e_reshape(&g->sink, sum, 3, spread), 3, cut));
    assert_int_equal(g->error.status, IR_OK);
    for (ir_ref r = 1; r < g->count; r++)
        nodes[k.node_count++] = r;
    outs[0] = ir_ref_of(read ? sum : y);
    outs[1] = ir_ref_of(read ? y : sum);
    k.root = ir_ref_of(m);
    bool legal = ir_kernel_check(g, &k, NULL, NULL, &fault);
    assert_true(!read || fault == ir_ref_of(sum));
    ir_graph_free(g);
    return legal;
}

static void test_blocks_of_rows_go_along(void **state)
{
    (void)state;
    assert_true(walk_blocks(4, 3, 5, false));
    assert_true(walk_blocks(1, 12, 5, false));
    assert_false(walk_blocks(4, 3, 5, true));   /* the sum of rows that are still to come */
    assert_false(walk_blocks(12, 1, 5, false)); /* no rows */
    assert_false(walk_blocks(2, 3, 10, false)); /* of other rows than the maxima's */
    assert_false(walk_blocks(4, 5, 3, false));
}

/* x + x, fifty times over: paths double with every node, pairs don't. */
static void test_diamonds_are_walked_once(void **state)
{
    const int64_t dims[] = {3};
    ir_val x, y;
    ir_graph *g = graph_with(dims, 1, &x);
    ir_ref nodes[64], out;
    ir_kernel k = {.kind = IR_K_LOOP, .nodes = nodes, .outs = &out, .out_count = 1};
    trace t = {.g = g, .k = &k};

    (void)state;
    y = x;
    for (int i = 0; i < 50; i++) {
        y = ir_e_add(&g->sink, y, y);
        nodes[k.node_count++] = ir_ref_of(y);
    }
    out = k.root = ir_ref_of(y);
    assert_true(ir_kernel_walk(g, &k, visit, &t));
    assert_int_equal(t.computed, 50);
    assert_int_equal(t.loads, 1);
    ir_graph_free(g);
}

/* A product's operand that the same kernel computes can't be in memory yet. */
static void test_products_load_their_operands(void **state)
{
    const int64_t dims[] = {16, 16}, flat[] = {256};
    ir_attrs a = {.nk = 1, .dot = {.lhs_k = {1}}};
    ir_val x, y, z;
    ir_graph *g = graph_with(dims, 2, &x);
    ir_ref nodes[4], out;
    ir_kernel k = {.kind = IR_K_CONTRACT, .nodes = nodes, .outs = &out, .out_count = 1};
    int inner, run;

    (void)state;
    y = ir_e_exp(&g->sink, x);
    z = ir_e_dot(&g->sink, y, x, &a);
    nodes[0] = ir_ref_of(z);
    k.node_count = 1;
    out = k.root = ir_ref_of(z);
    assert_int_equal(ir_kernel_space(g, &k, &inner, &run).rank, 2);
    assert_true(ir_kernel_walk(g, &k, NULL, NULL));
    nodes[0] = ir_ref_of(y);
    nodes[1] = ir_ref_of(z);
    k.node_count = 2;
    assert_false(ir_kernel_walk(g, &k, NULL, NULL));
    ir_graph_free(g);

    g = graph_with(flat, 1, &x); /* the same through a reshape, which is the same memory */
    y = ir_e_exp(&g->sink, x);
    z = ir_e_reshape(&g->sink, y, 2, dims);
    z = ir_e_dot(&g->sink, z, z, &a);
    nodes[0] = ir_ref_of(y);
    nodes[1] = ir_ref_of(z);
    out = k.root = ir_ref_of(z);
    assert_false(ir_kernel_walk(g, &k, NULL, NULL));
    ir_graph_free(g);
}

/* Parts are read in spaces of their own, and the kernel that writes them reads none of its result. */
static void test_concat_takes_parts_and_gives_no_reader(void **state)
{
    const int64_t dims[] = {3, 4};
    ir_val x, y, c;
    ir_graph *g = graph_with(dims, 2, &x);
    ir_ref nodes[4], out;
    ir_kernel k = {.kind = IR_K_LOOP, .nodes = nodes, .outs = &out, .out_count = 1};
    trace t = {.g = g, .k = &k};

    (void)state;
    y = ir_e_exp(&g->sink, x);
    c = ir_e_concat(&g->sink, (const ir_val[]){y, x}, 2, 1);
    nodes[0] = ir_ref_of(y);
    nodes[1] = ir_ref_of(c);
    k.node_count = 2;
    out = k.root = ir_ref_of(c);
    assert_true(ir_kernel_walk(g, &k, visit, &t));
    assert_int_equal(t.loads, 1);
    assert_int_equal(t.computed, 2);
    nodes[2] = out = ir_ref_of(ir_e_neg(&g->sink, c));
    k.node_count = 3;
    assert_false(ir_kernel_walk(g, &k, NULL, NULL));
    ir_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_take_sweeps_and_columns_take_one),
        cmocka_unit_test(test_other_rows_are_refused),
        cmocka_unit_test(test_blocks_of_rows_go_along),
        cmocka_unit_test(test_diamonds_are_walked_once),
        cmocka_unit_test(test_products_load_their_operands),
        cmocka_unit_test(test_concat_takes_parts_and_gives_no_reader),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
