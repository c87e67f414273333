/* tests/passes/test_plan.c: buffers: lives, offsets, what is shared, and what is copied (lib_simulate.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ir/compose.h"
#include "ir/emit.h"
#include "ir/map.h"
#include "passes/passes.h"
#include "tests/passes/lib_random.h"
#include "tests/passes/lib_simulate.h"

/* ---- tests ------------------------------------------------------------------------------------------- */

static void test_random_schedules(void **state)
{
    int in_place = 0, straight = 0, copies = 0, chains = 0, scratch = 0;

    (void)state;
    for (uint32_t seed = 0; seed < 400; seed++) {
        ir_graph *g = random_graph(seed, 4 + (int)(seed % 37), seed % 3 == 0), *out = through_passes(g, true);
        char name[32];

        snprintf(name, sizeof name, "seed %u", seed);
        simulate(out, name);
        for (int i = 0; i < out->buffers.count; i++) {
            const ir_buffer *b = &out->buffers.items[i];

            in_place += b->kind == IR_B_ARENA && b->alias != IR_NONE;
            straight += b->kind == IR_B_VARIABLE;
            scratch += b->kind == IR_B_SCRATCH;
            assert_int_equal(b->offset % 64, 0);
        }
        copies += out->buffers.copy_count;
        chains += out->kernels.chain_count;
        ir_graph_free(out);
        ir_graph_free(g);
    }
    assert_true(in_place > 50 && straight > 20 && copies > 50); /* the cases are there at all */
    print_message("%d chains, %d values in scratch\n", chains, scratch);
}

static ir_graph *open_graph(const char *name, int64_t rows, int64_t columns, ir_val *x)
{
    ir_graph *g = ir_graph_new(name);
    ir_type t = ir_type_make(IR_DT_f32, columns ? 2 : 1, (int64_t[]){rows, columns});

    *x = ir_val_of(ir_graph_variable(g, "x", &t));
    return g;
}

/* Assigns x = y, y = x: each must get the other's old value. */
static void test_swap(void **state)
{
    ir_val x;
    ir_graph *g = open_graph("swap", 8, 0, &x), *out;
    ir_ref y = ir_graph_variable(g, "y", &g->nodes[ir_ref_of(x)].type);

    (void)state;
    ir_graph_assign(g, ir_ref_of(x), y);
    ir_graph_assign(g, y, ir_ref_of(x));
    ir_graph_output(g, "old", y);
    out = through_passes(g, true);
    simulate(out, "swap");
    assert_int_equal(out->kernels.count, 0);
    assert_int_equal(out->buffers.copy_count, 5); /* one to the output, two through the arena */
    ir_graph_free(out);
    ir_graph_free(g);
}

/* x = relu(x): in x's own storage.  With the old x as an output: not. */
static void assign_relu(bool old_wanted)
{
    ir_val x, y;
    ir_graph *g = open_graph("assign", 64, 0, &x), *out;
    const ir_buffer *b;

    y = ir_e_relu(&g->sink, x);
    ir_graph_assign(g, ir_ref_of(x), ir_ref_of(y));
    if (old_wanted) {
        ir_graph_output(g, "old", ir_ref_of(x));
    } else {
        ir_graph_output(g, "twice", ir_ref_of(ir_e_add(&g->sink, y, y)));
    }
    out = through_passes(g, true);
    simulate(out, "assign");
    b = buffer_of(out, out->assigns[0].value);
    assert_int_equal(b->kind, old_wanted ? IR_B_ARENA : IR_B_VARIABLE);
    assert_int_equal(out->buffers.copy_count, old_wanted ? 2 : 0);
    ir_graph_free(out);
    ir_graph_free(g);
}

static void test_assign_in_place(void **state)
{
    (void)state;
    assign_relu(false);
    assign_relu(true);
}

/* x = transpose(x): reads other elements than it writes. */
static void test_assign_of_a_transpose(void **state)
{
    ir_val x, y;
    ir_graph *g = open_graph("transposed", 8, 8, &x), *out;
    const int perm[] = {1, 0};

    (void)state;
    y = ir_e_transpose(&g->sink, x, perm);
    ir_graph_assign(g, ir_ref_of(x), ir_ref_of(y));
    out = through_passes(g, true);
    simulate(out, "transposed");
    assert_int_equal(buffer_of(out, out->assigns[0].value)->kind, IR_B_ARENA);
    assert_int_equal(out->buffers.copy_count, 1);
    ir_graph_free(out);
    ir_graph_free(g);
}

/* A product of square matrices reads all of x: w = x w can't go over w although the shapes agree. */
static void test_assign_of_a_product(void **state)
{
    ir_val x, y;
    ir_graph *g = open_graph("square", 16, 16, &x), *out;

    (void)state;
    y = ir_c_matmul(&g->sink, x, x);
    ir_graph_assign(g, ir_ref_of(x), ir_ref_of(y));
    out = through_passes(g, true);
    simulate(out, "square");
    assert_int_equal(buffer_of(out, out->assigns[0].value)->kind, IR_B_ARENA);
    ir_graph_free(out);
    ir_graph_free(g);
}

/* x = 2 x and the sums of x's rows, in one kernel that goes over a row once: in x's own storage.  Not where
 * other values wait for the sums, so that there is a second pass which reads x again. */
static void assign_beside_a_sum(bool waits)
{
    const int last = 1;
    ir_val x, y, s;
    ir_graph *g = open_graph("beside", 32, 16, &x), *out;
    const ir_type *t = g->sink.type(&g->sink, x);

    y = ir_e_add(&g->sink, x, x);
    s = ir_e_reduce(&g->sink, IR_reduce_sum, x, &last, 1, true);
    ir_graph_assign(g, ir_ref_of(x), ir_ref_of(y));
    if (waits) {
        s = ir_e_mul(&g->sink, x, ir_e_broadcast(&g->sink, s, t->rank, t->dims));
    }
    ir_graph_output(g, "s", ir_ref_of(s));
    out = through_passes(g, true);
    simulate(out, "beside");
    assert_int_equal(out->kernels.count, 1);
    assert_int_equal(out->kernels.items[0].kind, IR_K_ROW);
    assert_int_equal(buffer_of(out, out->assigns[0].value)->kind, waits ? IR_B_ARENA : IR_B_VARIABLE);
    assert_int_equal(out->buffers.copy_count, waits);
    ir_graph_free(out);
    ir_graph_free(g);
}

static void test_assign_beside_a_sum(void **state)
{
    (void)state;
    assign_beside_a_sum(false);
    assign_beside_a_sum(true);
}

/* A chain of products: values live for two kernels each, so two buffers serve any length. */
static void test_chain_needs_two_buffers(void **state)
{
    ir_val x, y;
    ir_graph *g = open_graph("chain", 32, 32, &x), *out;

    (void)state;
    y = x;
    for (int i = 0; i < 20; i++) {
        y = ir_c_matmul(&g->sink, y, x);
    }
    ir_graph_output(g, "y", ir_ref_of(y));
    out = through_passes(g, true);
    simulate(out, "chain");
    assert_int_equal(out->kernels.count, 20);
    assert_int_equal(out->buffers.arena_bytes, 2 * 32 * 32 * 4);
    ir_graph_free(out);
    ir_graph_free(g);
}

static void test_one_value_twice(void **state)
{
    ir_val x, y;
    ir_graph *g = open_graph("twice", 32, 0, &x), *out;

    (void)state;
    y = ir_e_exp(&g->sink, x);
    ir_graph_output(g, "a", ir_ref_of(y));
    ir_graph_output(g, "b", ir_ref_of(y));
    ir_graph_output(g, "one", ir_ref_of(ir_e_like(&g->sink, x, 1)));
    out = through_passes(g, true);
    simulate(out, "twice");
    assert_int_equal(out->buffers.copy_count, 1);
    assert_int_equal(out->buffers.arena_bytes, 0);
    ir_graph_free(out);
    ir_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_schedules),        cmocka_unit_test(test_swap),
        cmocka_unit_test(test_assign_in_place),         cmocka_unit_test(test_assign_of_a_transpose),
        cmocka_unit_test(test_assign_of_a_product),     cmocka_unit_test(test_assign_beside_a_sum),
        cmocka_unit_test(test_chain_needs_two_buffers), cmocka_unit_test(test_one_value_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
