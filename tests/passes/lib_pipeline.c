/* tests/passes/lib_pipeline.c: prefixes of the pipeline on the eager kernels (lib_pipeline.h). */
#include "passes/lib_pipeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ir/lib_graphs.h"
#include "ir/lib_interp.h"
#include "passes/lib_eval.h"
#include "passes/passes.h"

void graph_fail(const ir_graph *g, const char *name, const char *what)
{
    char *text = NULL, path[512];
    ir_error err = {0};

    snprintf(path, sizeof path, "%s/tests/failing-%s.tdm", TANDEM_BUILD_DIR, name);
    ir_print(g, &text, &err);
    fprintf(stderr, "%s\n", text ? text : err.text); /* print_error cuts long texts */
    FILE *f = text ? fopen(path, "w") : NULL;
    if (f) {
        fputs(text, f);
        fclose(f);
    }
    free(text);
    fail_msg("%s (%s)", what, path);
}

typedef struct run {
    const ir_graph *before;
    void *const *leaves;
    void *const *values; /* of the graph before */
} run;

static const void *value_of(const ir_graph *g, ir_ref r, void *const *leaves, void *const *values)
{
    for (int i = 0; i < g->input_count; i++) {
        if (g->inputs[i] == r) {
            return leaves[i];
        }
    }
    return values[r];
}

static void compare_value(const run *u, const char *pass, const char *name, ir_ref r, const ir_graph *after,
                          ir_ref q, void *const *values)
{
    int64_t where = 0;
    char what[160];

    if (!ir_type_eq(&u->before->nodes[r].type, &after->nodes[q].type)) {
        snprintf(what, sizeof what, "pass %s changed the type of %s", pass, name);
        graph_fail(u->before, "pass", what);
    }
    if (!graphs_same_bits(&after->nodes[q].type, value_of(u->before, r, u->leaves, u->values),
                          value_of(after, q, u->leaves, values), &where)) {
        snprintf(what, sizeof what, "after pass %s: %s differs at element %lld", pass, name,
                 (long long)where);
        graph_fail(u->before, "pass", what);
    }
}

static bool compare_all(void *user, const char *pass, const ir_graph *g, const ir_ref *map)
{
    const run *u = user;
    void **values = calloc(g->count, sizeof *values);

    assert_non_null(values);
    if (!interp_run(g, (const void *const *)u->leaves, g->count - 1, values)) {
        graph_fail(u->before, "pass", pass);
    }
    for (ir_ref r = 0; r < u->before->count; r++) {
        if (map[r] != IR_NONE) {
            compare_value(u, pass, ir_ops[u->before->nodes[r].op].name, r, g, map[r], values);
        }
    }
    for (int i = 0; i < g->output_count; i++) {
        assert_string_equal(g->outputs[i].name, u->before->outputs[i].name);
        compare_value(u, pass, g->outputs[i].name, u->before->outputs[i].value, g, g->outputs[i].value,
                      values);
    }
    interp_free(g, values);
    free(values);
    return true;
}

/* A budget just below the arena, and one well below: kept with the same bits, or refused by plan. */
static void held_to_a_budget(run *u, size_t arena)
{
    const size_t budgets[] = {arena - 64, arena / 4 * 3};

    for (int i = 0; i < 2 && arena > 128; i++) {
        ir_error err = {0};
        pass_context pc = {.eval = test_eval,
                           .err = &err,
                           .memory_budget = budgets[i],
                           .chain_slice = 1,
                           .any_blocks = true};
        ir_graph *out = pass_run_pipeline(&pc, u->before, NULL, NULL, NULL, compare_all, u, NULL);

        if (!out && !strstr(err.text, "the memory budget is")) {
            graph_fail(u->before, "pass", err.text);
        }
        assert_true(!out || out->buffers.arena_bytes <= budgets[i]);
        ir_graph_free(out);
    }
}

void pipeline_keeps_the_bits(const ir_graph *g, void *const *leaves, void *const *values)
{
    ir_error err = {0};
    pass_context pc = {.eval = test_eval, .err = &err, .chain_slice = 512, .any_blocks = true};
    run u = {g, leaves, values};
    ir_graph *out = pass_run_pipeline(&pc, g, NULL, NULL, NULL, compare_all, &u, NULL);

    if (!out) {
        graph_fail(g, "pass", err.text);
    }
    assert_int_equal(out->output_count, g->output_count);
    assert_int_equal(out->assign_count, g->assign_count);
    held_to_a_budget(&u, out->buffers.arena_bytes);
    ir_graph_free(out);
}
