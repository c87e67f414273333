/* tests/codegen/test_chain.c: chains of kernels against the eager engine: attention and its gradients, whole
 * and cut into strands that run in any order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "passes/passes.h"
#include "tests/codegen/lib_codegen.h"
#include "tests/passes/lib_attention.h"
#include "tests/passes/lib_random.h"

static void attention(void **state)
{
    int chains = 0;

    (void)state;
    for (int i = 0; i < attention_case_count; i++) {
        for (int special = 0; special < 2; special++) {
            ir_graph *raw = attention_graph(&attention_cases[i]), *g = through_passes(raw, true);

            chains += g->kernels.chain_count;
            test_check(g, special);
            ir_graph_free(raw);
        }
    }
    assert_true(chains >= attention_case_count);
}

/* Members of every kind: products, rows, an outer sum and loops, whose units must not cross slices. */
static void kinds(void **state)
{
    (void)state;
    for (int64_t n = 5; n < 80; n += 37) {
        ir_graph *g = ir_graph_new("kinds");
        ir_sink *s = &g->sink;
        const int rows = 1, columns = 2;
        ir_attrs batched = {
            .n = 1, .nk = 1, .dot = {.lhs_batch = {0}, .rhs_batch = {0}, .lhs_k = {2}, .rhs_k = {1}}};
        ir_val x = test_input(g, "x", TEST_TYPE(IR_DT_f32, 6, 64, n)),
               z = test_input(g, "z", TEST_TYPE(IR_DT_f32, 6, n, 64));
        ir_val y = ir_e_dot(s, x, z, &batched);
        ir_val sums = ir_e_broadcast(s, ir_e_reduce(s, IR_reduce_sum, y, &rows, 1, true), 3,
                                     (const int64_t[]){6, 64, 64});
        ir_val flat = ir_e_reverse(s, ir_e_exp(s, ir_e_sub(s, y, sums)), &columns, 1);
        ir_val most = ir_e_broadcast(s, ir_e_reduce(s, IR_reduce_max, flat, &columns, 1, true), 3,
                                     (const int64_t[]){6, 64, 64});
        ir_val w = ir_e_dot(s, ir_e_mul(s, flat, most), y, &batched);

        test_output(g, ir_e_reduce(s, IR_reduce_sum, w, &columns, 1, false));
        ir_graph *out = through_passes(g, true);
        assert_int_equal(out->kernels.chain_count, 1);
        assert_true(out->kernels.chains[0].count >= 4);
        test_check(out, false);
        ir_graph_free(g);
    }
}

/* A loop that, but for the chain, would go through all slices as one run (fuse would make it part of a
 * product). */
static void loops_stay_within_slices(void **state)
{
    static const char text[] =
        "graph @loops(%x: f32[6,16,16]) -> (f32[6,16,16]) {\n"
        "  %1 = dot_general %x, %x {lhs_batch=[0], rhs_batch=[0], lhs_k=[2], rhs_k=[1]} : f32[6,16,16]\n"
        "  %2 = exp %1 : f32[6,16,16]\n"
        "  %3 = dot_general %2, %x {lhs_batch=[0], rhs_batch=[0], lhs_k=[2], rhs_k=[1]} : f32[6,16,16]\n"
        "  return y: %3\n"
        "  kernel contract \"k0\" root %1 { %1 -> %1 }\n"
        "  kernel loop \"k1\" root %2 { %2 -> %2 }\n"
        "  kernel contract \"k2\" root %3 { %3 -> %3 }\n"
        "  chain 0..2 slices 6 strands 2\n}\n";
    const pass_info *plan = pass_find("plan");
    ir_error e = {0};
    pass_context pc = {.err = &e};

    (void)state;
    ir_graph *g = ir_parse(text, sizeof text - 1, "loops.tdm", NULL, &e);
    ir_graph *out = g ? pass_run(&pc, g, &plan, 1, NULL, NULL, NULL, NULL) : NULL;
    if (!out)
        fail_msg("%s", e.text);
    assert_int_equal(out->buffers.arena_bytes, 2 * 16 * 16 * 4);
    test_check(out, false);
    ir_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(attention), cmocka_unit_test(kinds),
                                       cmocka_unit_test(loops_stay_within_slices)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
