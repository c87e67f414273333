/* tests/engines/test_random.c: random graphs through both engines, to the last bit.
 *
 * Graphs of two generators with repeated subexpressions and values used many times: forward, gradient and
 * second order.  Every prefix of the pipeline runs on the eager kernels; the whole graph is compiled by the
 * public functions, with another setting (lanes, threads, instruction set) from graph to graph, and run twice
 * where it assigns nothing; the eager engine replays it at the same setting.  A failing graph is printed, and
 * kept in a file, as text that `tandem compare` reads; that text parses back is checked for every graph.
 * TANDEM_RANDOM_GRAPHS=10000 for a long run, TANDEM_RANDOM_FIRST=N to begin at another.
 *
 * ctest-labels: slow
 * ctest-timeout: 1800 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/ir.h"
#include "tests/engines/lib_settings.h"
#include "tests/ir/lib_graphs.h"
#include "tests/ir/lib_interp.h"
#include "tests/passes/lib_pipeline.h"
#include "tests/passes/lib_random.h"

static ir_dtype random_dtype(uint32_t seed)
{
    static const ir_dtype dtypes[] = {IR_DT_f32, IR_DT_f64, IR_DT_f16, IR_DT_f32, IR_DT_bf16};

    return dtypes[seed % 5];
}

static ir_graph *make_graph(uint32_t seed)
{
    if (seed % 3 == 0)
        return random_graph(seed, 4 + (int)(seed % 50), seed % 2);
    ir_graph *g = graphs_random(seed, 10 + (int)(seed % 50), random_dtype(seed));
    assert_non_null(g);
    if (g->error.status != IR_OK || !graphs_add_gradients(g, (int)(seed / 3 % 3)))
        graph_fail(g, "random", g->error.text);
    return g;
}

/* What a node is worth by the eager kernels alone. */
typedef struct reference {
    const ir_graph *g;
    void **leaves, **values;
} reference;

static const void *worth(const reference *u, ir_ref r)
{
    for (int i = 0; i < u->g->input_count; i++)
        if (u->g->inputs[i] == r)
            return u->leaves[i];
    return u->values[r];
}

static void same(const reference *u, const char *how, int setting, const char *name, ir_ref want,
                 const tdm_tensor *got)
{
    const ir_type *t = &u->g->nodes[want].type;
    char what[300];
    int64_t at;
    void *data = malloc(ir_type_bytes(t));

    assert_non_null(data);
    if (tdm_read(got, data, ir_type_bytes(t)) != TDM_OK || !graphs_same_bits(t, data, worth(u, want), &at)) {
        snprintf(what, sizeof what, "%s, %s: %s has other bits", how, settings_text(setting), name);
        graph_fail(u->g, "random", what);
    }
    free(data);
}

/* Tensors of all leaves, in the current scope: variables are written. */
static tdm_tensor **make_leaves(tdm_context *ctx, const reference *u)
{
    tdm_tensor **t = calloc((size_t)u->g->input_count + 1, sizeof *t);

    assert_non_null(t);
    for (int i = 0; i < u->g->input_count; i++) {
        ir_type type = u->g->nodes[u->g->inputs[i]].type;
        tdm_dims dims = {.rank = type.rank};
        memcpy(dims.dims, type.dims, sizeof dims.dims);
        t[i] = tdm_from_data(ctx, (tdm_dtype)type.dtype, dims, u->leaves[i]);
    }
    return t;
}

static void check_assigned(const reference *u, int setting, tdm_tensor *const *leaves)
{
    for (int i = 0; i < u->g->input_count; i++) {
        ir_ref want = u->g->inputs[i];
        for (int k = 0; k < u->g->assign_count; k++)
            if (u->g->assigns[k].variable == u->g->inputs[i])
                want = u->g->assigns[k].value;
        same(u, "compiled", setting, u->g->nodes[u->g->inputs[i]].attrs->leaf.name, want, leaves[i]);
    }
}

static void check_compiled(const reference *u, tdm_graph *g, int setting, tdm_context *ctx)
{
    tdm_program *p = tdm_compile(g, NULL);
    tdm_exec *e = tdm_exec_new(p);
    tdm_tensor **leaves = make_leaves(ctx, u);

    for (int i = 0; i < u->g->input_count; i++) {
        const ir_node *n = &u->g->nodes[u->g->inputs[i]];
        if (n->op == IR_variable)
            tdm_exec_bind_variable(e, n->attrs->leaf.name, leaves[i]);
        else
            tdm_exec_bind(e, n->attrs->leaf.name, leaves[i]);
    }
    for (int run = 0; run < (u->g->assign_count ? 1 : 2); run++) {
        tdm_exec_run(e);
        if (!tdm_ok(ctx))
            graph_fail(u->g, "random", tdm_error(ctx));
        for (int o = 0; o < u->g->output_count; o++)
            same(u, "compiled", setting, u->g->outputs[o].name, u->g->outputs[o].value,
                 tdm_exec_output(e, u->g->outputs[o].name));
    }
    check_assigned(u, setting, leaves);
    free(leaves);
    tdm_exec_free(e);
    tdm_program_free(p);
}

static void check_replay(const reference *u, tdm_graph *g, int setting, tdm_context *ctx)
{
    tdm_tensor **leaves = make_leaves(ctx, u), *outputs[64];

    assert_true(u->g->output_count <= 64);
    if (tdm_interpret(g, leaves, NULL, NULL, outputs, NULL) != TDM_OK)
        graph_fail(u->g, "random", tdm_error(ctx));
    for (int o = 0; o < u->g->output_count; o++)
        same(u, "eager", setting, u->g->outputs[o].name, u->g->outputs[o].value, outputs[o]);
    free(leaves);
}

static void check_text(const ir_graph *g)
{
    ir_error e = {0};
    char *text = NULL, *again = NULL;

    assert_int_equal(ir_print(g, &text, &e), IR_OK);
    ir_graph *parsed = ir_parse(text, strlen(text), "printed", NULL, &e);
    if (!parsed)
        graph_fail(g, "random", e.text);
    assert_int_equal(ir_print(parsed, &again, &e), IR_OK);
    if (strcmp(text, again) != 0)
        graph_fail(g, "random", "printed, parsed and printed again it is another text");
    free(text);
    free(again);
    ir_graph_free(parsed);
}

static void check_graph(uint32_t seed)
{
    ir_graph *g = make_graph(seed);
    int setting = (int)(seed % SETTINGS);
    tdm_context *ctx = settings_context(setting);
    reference u = {g, graphs_leaves(g, seed), calloc(g->count, sizeof(void *))};

    assert_non_null(u.values);
    assert_true(interp_run(g, (const void *const *)u.leaves, g->count - 1, u.values));
    check_text(g);
    pipeline_keeps_the_bits(g, u.leaves, u.values);
    tdm_graph *w = settings_graph(ctx, g);
    tdm_scope_open(ctx);
    check_replay(&u, w, setting, ctx);
    check_compiled(&u, w, setting, ctx);
    tdm_scope_close(ctx);
    tdm_graph_free(w);
    interp_free(g, u.values);
    free(u.values);
    graphs_leaves_free(g, u.leaves);
    ir_graph_free(g);
}

static void test_random_graphs(void **state)
{
    const char *text = getenv("TANDEM_RANDOM_GRAPHS"), *first = getenv("TANDEM_RANDOM_FIRST");
    uint32_t count = text ? (uint32_t)atoi(text) : 300, from = first ? (uint32_t)atoi(first) : 1;

    (void)state;
    for (uint32_t seed = from; seed < from + count; seed++) {
        if (count > 1000 && seed % 100 == 0)
            fprintf(stderr, "graph %u\n", seed);
        check_graph(seed);
    }
}

static int finish(void **state)
{
    (void)state;
    settings_free();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_graphs)};

    return cmocka_run_group_tests(tests, NULL, finish);
}
