/* tests/passes/test_chain.c: which kernels run slice by slice, what is saved by it, and that no value of
 * another slice is read or lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "ir/compose.h"
#include "ir/emit.h"
#include "passes/passes.h"
#include "tests/passes/lib_attention.h"
#include "tests/passes/lib_simulate.h"

/* Planned for so many threads; chain_slice as in pass_context.  Takes g. */
static ir_graph *planned(ir_graph *g, int threads, size_t chain_slice)
{
    static const char *const names[] = {"simplify", "cse", "dce", "fuse", "chain", "plan"};
    enum { COUNT = sizeof names / sizeof names[0] };
    const pass_info *passes[COUNT];
    ir_error e = {0};
    pass_context pc = {.err = &e, .threads = threads, .chain_slice = chain_slice};

    for (int i = 0; i < COUNT; i++) {
        passes[i] = pass_find(names[i]);
    }
    assert_int_equal(g->error.status, IR_OK);
    ir_graph *out = pass_run(&pc, g, passes, COUNT, NULL, NULL, NULL, NULL);
    if (!out) {
        fail_msg("%s", e.text);
    }
    ir_graph_free(g);
    return out;
}

static size_t score_bytes(const attention_case *c)
{
    return (size_t)(c->batch * c->heads * c->queries * c->keys) * ir_dtype_size(c->dtype);
}

static void forward_is_one_chain(void **state)
{
    const attention_case c = {IR_DT_f32, 2, 6, 16, 16, 4, true, false, 0};

    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        ir_graph *g = planned(attention_graph(&c), threads, 1024);
        const ir_chain *chain = g->kernels.chains;

        assert_int_equal(g->kernels.count, 3);
        assert_int_equal(g->kernels.chain_count, 1);
        assert_int_equal(chain->count, 3);
        assert_int_equal(chain->slices, 12);
        assert_int_equal(chain->strands, threads == 1 ? 1 : 4);
        assert_int_equal(chain->bytes, 16 * 16 * 4); /* the weights take the scores' place */
        assert_int_equal(g->buffers.arena_bytes, chain->bytes * (size_t)chain->strands);
        simulate(g, "forward");
        ir_graph_free(g);
    }
}

static void no_value_is_lost(void **state)
{
    (void)state;
    for (int i = 0; i < attention_case_count; i++) {
        for (int k = 0; k < 4; k++) {
            int threads = 1 + k % 2;
            ir_graph *g = planned(attention_graph(&attention_cases[i]), threads, k / 2 ? 1 : 4096);
            char name[32];

            snprintf(name, sizeof name, "case %d, plan %d", i, k);
            if (g->kernels.chain_count == 0 && threads == 1) {
                fail_msg("%s: no chain", name);
            }
            simulate(g, name);
            ir_graph_free(g);
        }
    }
}

/* The weights are kept for the gradient; scores and what flows back through them are not. */
static void gradients_are_chains(void **state)
{
    const attention_case c = {IR_DT_f32, 2, 8, 32, 32, 8, true, false, 1};
    ir_graph *chained = planned(attention_graph(&c), 2, 4096), *plain = planned(attention_graph(&c), 2, 0);

    (void)state;
    assert_int_equal(plain->kernels.chain_count, 0);
    assert_true(chained->kernels.chain_count > 0);
    assert_true(plain->buffers.arena_bytes >= 3 * score_bytes(&c));
    assert_true(chained->buffers.arena_bytes * 2 <= plain->buffers.arena_bytes);
    ir_graph_free(chained);
    ir_graph_free(plain);
}

/* A slice of long sequences is some rows of one matrix. */
static void rows_are_cut(void **state)
{
    const attention_case c = {IR_DT_f32, 1, 2, 1024, 1024, 64, true, false, 0};
    ir_graph *g = planned(attention_graph(&c), 2, 0);

    (void)state;
    assert_int_equal(g->kernels.chain_count, 1);
    assert_int_equal(g->kernels.chains[0].count, 3);
    assert_int_equal(g->kernels.chains[0].slices, 32);
    assert_int_equal(g->buffers.arena_bytes, (size_t)4 * 64 * 1024 * 4);
    ir_graph_free(g);
}

/* Too little to be worth it; enough of it. */
static void small_values_stay_in_the_arena(void **state)
{
    attention_case c = {IR_DT_f32, 1, 4, 64, 64, 8, false, false, 0};

    (void)state;
    for (int big = 0; big < 2; big++) {
        c.heads = big ? 16 : 4;
        ir_graph *g = planned(attention_graph(&c), 2, 0);
        assert_int_equal(g->kernels.chain_count, big);
        ir_graph_free(g);
    }
}

/* ---- what can't be --------------------------------------------------------------------------------- */

enum { B = 4, N = 12 };

static ir_val product(ir_graph *g, ir_val x, ir_val z)
{
    return ir_c_matmul(&g->sink, x, z);
}

static ir_graph *open_products(ir_val *x)
{
    ir_graph *g = ir_graph_new("products");
    ir_type t = ir_type_make(IR_DT_f32, 3, (int64_t[]){B, N, N});

    assert_non_null(g);
    *x = ir_val_of(ir_graph_variable(g, "x", &t));
    return g;
}

static void expect_chain(ir_graph *g, bool chain, const char *name)
{
    ir_graph *out = planned(g, 1, 1);

    if ((out->kernels.chain_count == 1) != chain) {
        fail_msg("%s: %d chains", name, out->kernels.chain_count);
    }
    simulate(out, name);
    ir_graph_free(out);
}

static void only_the_same_slice_is_read(void **state)
{
    const int batch = 0, rows = 1;
    ir_val x, y;
    ir_graph *g = open_products(&x);

    (void)state;
    y = product(g, x, x);
    ir_graph_output(g, "y", ir_ref_of(product(g, ir_e_reverse(&g->sink, y, &rows, 1), x)));
    expect_chain(g, true, "another row of the slice");
    g = open_products(&x);
    y = product(g, x, x);
    ir_graph_output(g, "y", ir_ref_of(ir_e_exp(&g->sink, ir_e_reverse(&g->sink, y, &batch, 1))));
    expect_chain(g, false, "another slice");
    g = open_products(&x);
    y = product(g, x, x);
    y = product(g, ir_e_transpose(&g->sink, y, (const int[]){1, 0, 2}),
                ir_e_transpose(&g->sink, x, (const int[]){1, 2, 0}));
    ir_graph_output(g, "y", ir_ref_of(y));
    expect_chain(g, false, "other slices, as an operand");
}

/* y along its second axis as batch: all slices of y for each of the result. */
static void operands_are_read_as_wholes(void **state)
{
    const ir_attrs across = {
        .n = 1, .nk = 1, .dot = {.lhs_batch = {1}, .rhs_batch = {1}, .lhs_k = {2}, .rhs_k = {2}}};
    ir_val x, y;
    ir_graph *g = open_products(&x);

    (void)state;
    y = product(g, x, x);
    ir_graph_output(g, "y", ir_ref_of(ir_e_dot(&g->sink, y, x, &across)));
    expect_chain(g, false, "batch along another axis");
    g = open_products(&x);
    y = product(g, x, x);
    ir_graph_output(g, "y", ir_ref_of(product(g, x, y)));
    ir_graph *out = planned(g, 1, 1);
    assert_int_equal(out->kernels.chain_count, 1);
    assert_int_equal(out->kernels.chains[0].slices, B); /* not rows: each reads all rows of y */
    ir_graph_free(out);
}

static void what_others_read_is_kept(void **state)
{
    ir_val x, y, z;
    ir_graph *g = open_products(&x);

    (void)state;
    y = product(g, x, x);
    z = product(g, y, x);
    ir_graph_output(g, "y", ir_ref_of(y));
    ir_graph_output(g, "z", ir_ref_of(product(g, z, y)));
    ir_graph *out = planned(g, 1, 1);
    assert_int_equal(out->kernels.chain_count, 1);
    simulate(out, "an output");
    for (int i = 0; i < out->buffers.count; i++) {
        const ir_buffer *b = &out->buffers.items[i];
        assert_true(b->kind != IR_B_SCRATCH || b->node != out->outputs[0].value);
    }
    ir_graph_free(out);
}

/* A member can't write the new value over the old one, of which other slices are still read. */
static void variables_wait_for_all_slices(void **state)
{
    ir_val x, y, z;
    ir_graph *g = open_products(&x);

    (void)state;
    y = product(g, x, x);
    z = product(g, y, y);
    ir_graph_assign(g, ir_ref_of(x), ir_ref_of(z));
    ir_graph_output(g, "w", ir_ref_of(product(g, z, z)));
    expect_chain(g, true, "assigned");
}

/* The sum is the last that reads a, at its own elements; but other slices still read a backwards. */
static void other_slices_are_not_overwritten(void **state)
{
    const int batch = 0;
    const ir_type places = ir_type_make(IR_DT_i64, 1, (int64_t[]){B});
    ir_val x, a, y, z;
    ir_graph *g = open_products(&x);
    ir_val at = ir_val_of(ir_graph_input(g, "at", &places));

    (void)state;
    a = ir_e_gather(&g->sink, x, at);
    y = product(g, ir_e_exp(&g->sink, ir_e_reverse(&g->sink, a, &batch, 1)), x);
    z = ir_e_add(&g->sink, product(g, y, x), a);
    ir_graph_output(g, "z", ir_ref_of(ir_e_gather(&g->sink, z, at)));
    expect_chain(g, true, "read backwards");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_is_one_chain),
        cmocka_unit_test(no_value_is_lost),
        cmocka_unit_test(gradients_are_chains),
        cmocka_unit_test(small_values_stay_in_the_arena),
        cmocka_unit_test(only_the_same_slice_is_read),
        cmocka_unit_test(what_others_read_is_kept),
        cmocka_unit_test(variables_wait_for_all_slices),
        cmocka_unit_test(rows_are_cut),
        cmocka_unit_test(other_slices_are_not_overwritten),
        cmocka_unit_test(operands_are_read_as_wholes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
