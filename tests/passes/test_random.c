/* tests/passes/test_random.c: no pass changes a bit, and the symbolic gradient is the tape's, on random
 * graphs.
 *
 * Forward, gradient and second order graphs are run by the eager kernels before and after every prefix of the
 * pipeline; and the same nodes run through the eager engine with its tape, whose gradients must have the bits
 * of pass_gradient's.  A failing graph is printed as text.  TANDEM_RANDOM_GRAPHS=10000 for a long run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ir/emit.h"
#include "ir/ir.h"
#include "ir/lib_interp.h"
#include "ir/lib_graphs.h"
#include "passes/lib_pipeline.h"
#include "passes/passes.h"
#include "runtime/tensor.h"

static uint32_t graph_count(void)
{
    const char *text = getenv("TANDEM_RANDOM_GRAPHS");

    return text ? (uint32_t)atoi(text) : 300;
}

static void fail_with(const ir_graph *g, const char *what)
{
    graph_fail(g, "pass", what);
}

/* ---- prefixes of the pipeline -------------------------------------------------------------------------- */

static void check_pipeline(const ir_graph *g, uint32_t seed)
{
    void **leaves = graphs_leaves(g, seed), **values = calloc(g->count, sizeof *values);

    assert_non_null(leaves);
    assert_non_null(values);
    assert_true(interp_run(g, (const void *const *)leaves, g->count - 1, values));
    pipeline_keeps_the_bits(g, leaves, values);
    interp_free(g, values);
    free(values);
    graphs_leaves_free(g, leaves);
}

static void every_prefix_keeps_the_bits(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= graph_count(); seed++) {
        static const ir_dtype dtypes[] = {IR_DT_f64, IR_DT_f32, IR_DT_f16, IR_DT_f32, IR_DT_bf16};
        ir_graph *g = graphs_random(seed, 10 + (int)(seed % 50), dtypes[seed % 5]);
        assert_non_null(g);
        if (g->error.status != IR_OK || !graphs_add_gradients(g, (int)(seed % 3))) {
            fail_with(g, g->error.text);
        }
        check_pipeline(g, seed);
        ir_graph_free(g);
    }
}

/* Sums over rows that are reduced too become sums of blocks; zeros of both signs and big numbers among them.
 */
static void sums_in_blocks_keep_the_bits(void **state)
{
    static const ir_dtype dtypes[] = {IR_DT_f32, IR_DT_f64, IR_DT_f16};

    (void)state;
    for (int i = 0; i < 3; i++) {
        ir_error e = {0};
        pass_context pc = {.err = &e, .any_blocks = true};
        const pass_info *block[] = {pass_find("widen"), pass_find("block")};
        ir_graph *g = ir_graph_new("blocks");
        ir_type t = ir_type_make(dtypes[i], 3, (int64_t[]){3, 512 * (i + 1), 7});
        ir_val x = ir_val_of(ir_graph_input(g, "x", &t));
        ir_val m = ir_e_reduce(&g->sink, IR_reduce_max, x, (const int[]){2}, 1, false);
        ir_val s =
            ir_e_reduce(&g->sink, IR_reduce_sum, ir_e_mul(&g->sink, x, x), (const int[]){0, 1}, 2, false);

        ir_graph_output(g, "m", ir_ref_of(m));
        ir_graph_output(g, "s", ir_ref_of(s));
        ir_graph_output(g, "t",
                        ir_ref_of(ir_e_reduce(&g->sink, IR_reduce_sum, x, (const int[]){0, 1}, 2, false)));
        ir_graph *out = pass_run(&pc, g, block, 2, NULL, NULL, NULL, NULL);
        assert_non_null(out);
        assert_true(out->count >= g->count + 2); /* a sum of blocks for each */
        ir_graph_free(out);
        check_pipeline(g, 17 + (uint32_t)i);
        ir_graph_free(g);
    }
}

/* ---- the tape ------------------------------------------------------------------------------------------ */

static const void *value_of(const ir_graph *g, ir_ref r, void *const *leaves, void *const *values)
{
    for (int i = 0; i < g->input_count; i++) {
        if (g->inputs[i] == r) {
            return leaves[i];
        }
    }
    return values[r];
}

/* Runs the first n nodes eagerly; leaves require grad if they are floats. */
static void run_eagerly(rt_context *c, const ir_graph *g, ir_ref n, void *const *leaves, tdm_tensor **t)
{
    for (ir_ref r = 0; r < n; r++) {
        const ir_node *node = &g->nodes[r];
        tdm_tensor *x[3];
        const void *data = value_of(g, r, leaves, (void *const *)t);
        if (node->op == IR_input || node->op == IR_variable) {
            t[r] = rt_tensor_from(c, &node->type, data);
            assert_non_null(t[r]);
            t[r]->requires_grad = ir_dtype_is_float(node->type.dtype);
            continue;
        }
        for (int i = 0; i < node->n; i++) {
            x[i] = t[node->x[i]];
        }
        t[r] = rt_op(c, node->op, node->attrs, x, node->n);
        if (!t[r]) {
            fail_with(g, c->error.text);
        }
    }
}

/* The gradients of the scalar `sum` by the tape against the outputs g1_<leaf>. */
static void check_tape(const ir_graph *g, ir_ref sum, void *const *leaves, void *const *values)
{
    rt_context c;
    tdm_tensor **t = calloc(g->count, sizeof *t), *wrt[32], *grads[32] = {NULL};
    int n = 0;

    assert_int_equal(rt_context_init(&c, NULL, NULL), IR_OK);
    c.grad_mode = true;
    run_eagerly(&c, g, sum + 1, leaves, t);
    for (int i = 0; i < g->input_count; i++) {
        if (g->inputs[i] < sum && t[g->inputs[i]]->requires_grad) {
            wrt[n++] = t[g->inputs[i]];
        }
    }
    if (rt_backward(&c, &t[sum], NULL, 1, wrt, n, grads, false, false) != IR_OK) {
        fail_with(g, c.error.text);
    }
    for (int o = 0; o < g->output_count; o++) {
        int k = 0;
        for (int i = 0; i < g->input_count; i++) {
            const char *leaf = g->nodes[g->inputs[i]].attrs->leaf.name;
            if (g->inputs[i] >= sum || !t[g->inputs[i]]->requires_grad) {
                continue;
            }
            tdm_tensor *d = grads[k++];
            if (strncmp(g->outputs[o].name, "g1_", 3) == 0 && strcmp(g->outputs[o].name + 3, leaf) == 0) {
                int64_t where = 0;
                ir_ref q = g->outputs[o].value;
                assert_non_null(d);
                d = rt_contiguous(d);
                assert_non_null(d);
                if (!graphs_same_bits(&g->nodes[q].type, d->a.data, value_of(g, q, leaves, values), &where)) {
                    fail_with(g, "the tape's gradient has other bits than the symbolic one");
                }
            }
        }
    }
    rt_context_destroy(&c);
    free(t);
}

static void the_tape_gives_the_same_gradients(void **state)
{
    (void)state;
    for (uint32_t seed = 1001; seed <= 1000 + graph_count(); seed++) {
        ir_graph *g = graphs_random(seed, 10 + (int)(seed % 50), IR_DT_f32);
        assert_non_null(g);
        /* the scalar is the node that graphs_add_gradients makes last before the first gradient: found by its
         * outputs' order */
        uint32_t before = g->count;
        if (!graphs_add_gradients(g, 1)) {
            fail_with(g, g->error.text);
        }
        ir_ref sum = IR_NONE;
        for (ir_ref r = before; r < g->count && g->nodes[r].op != IR_constant; r++) {
            sum = r;
        }
        void **leaves = graphs_leaves(g, seed), **values = calloc(g->count, sizeof *values);
        assert_true(interp_run(g, (const void *const *)leaves, g->count - 1, values));
        if (sum != IR_NONE && g->nodes[sum].type.rank == 0) {
            check_tape(g, sum, leaves, values);
        }
        interp_free(g, values);
        free(values);
        graphs_leaves_free(g, leaves);
        ir_graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_prefix_keeps_the_bits),
        cmocka_unit_test(sums_in_blocks_keep_the_bits),
        cmocka_unit_test(the_tape_gives_the_same_gradients),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
