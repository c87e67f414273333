/* tools/comparison.c: see comparison.h.
 *
 * 1. The source graph is replayed on the eager engine, every value kept; gradients come from the tape.
 * 2. The optimised graph is replayed the same way.
 * 3. The compiled program runs kernel by kernel: each stored value against 2, and the results against 1.
 * 4. If anything differs, blame.c finds the pass.
 *
 * In numerics fast only the results are compared. */
#include "tools/comparison.h"

#include <stdlib.h>
#include <string.h>

typedef struct keeper {
    tdm_tensor **node;
} keeper;

static bool keep_value(void *user, int node, tdm_tensor *value, double ns)
{
    (void)ns;
    tdm_tensor *copy = tdm_detach(value);
    ((keeper *)user)->node[node] = tdm_hold(copy);
    return true;
}

bool comparison_replay(comparison *c, const tdm_graph *g, tdm_tensor **node)
{
    keeper k = {node};
    return tdm_interpret(g, c->values, keep_value, &k, NULL, NULL) == TDM_OK;
}

static tdm_tensor *copy_of(tdm_context *ctx, const tdm_tensor *t, const char *name)
{
    void *data = malloc(tdm_bytes(t));
    tdm_tensor *x = NULL;
    if (data && tdm_read(t, data, tdm_bytes(t)) == TDM_OK)
        x = tdm_variable(tdm_from_data(ctx, tdm_dtype_of(t), tdm_dims_of(t), data), name);
    free(data);
    return x;
}

void comparison_bind(comparison *c, tdm_exec *e, tdm_tensor **variables)
{
    for (int i = 0; e && i < tdm_graph_inputs(c->source); i++) {
        bool variable;
        const char *name = cli_node_name(c->source, tdm_graph_input(c->source, i, &variable));
        if (variable) {
            variables[i] = copy_of(c->ctx, c->values[i], name);
            tdm_exec_bind_variable(e, name, variables[i]);
        } else {
            tdm_exec_bind(e, name, c->values[i]);
        }
    }
}

static bool compile(comparison *c)
{
    double start = cli_now();
    c->program = tdm_compile(c->source, NULL);
    c->build_s = cli_now() - start;
    c->exec = tdm_exec_new(c->program);
    comparison_bind(c, c->exec, c->variables);
    return tdm_ok(c->ctx) && c->exec;
}

int comparison_kernel(const tdm_program *p, int final_node)
{
    for (int k = 0; k < tdm_program_kernels(p); k++) {
        tdm_kernel_info info;
        tdm_program_kernel(p, k, &info);
        for (int i = 0; i < info.n_nodes; i++)
            if ((int)info.nodes[i] == final_node)
                return k;
    }
    return -1;
}

static void check_kernel(void *user, int kernel)
{
    comparison *c = user;
    tdm_kernel_info info;
    tdm_program_kernel(c->program, kernel, &info);
    for (int i = 0; i < info.n_outs && c->bad_node < 0; i++) {
        int r = (int)info.outs[i];
        tdm_scope_open(c->ctx);
        tdm_tensor *t = tdm_exec_value(c->exec, r);
        difference d = t ? difference_of(c->final_node[r], t, 0, 0) : (difference){.equal = true};
        tdm_scope_close(c->ctx);
        if (d.equal)
            continue;
        c->bad_node = r;
        c->bad_final = true;
        c->bad_kernel = kernel;
        c->bad = d;
        for (int s = 0; s < tdm_graph_nodes(c->source); s++)
            if (c->bad_final && tdm_program_map(c->program, s) == r) {
                c->bad_node = s;
                c->bad_final = false;
            }
    }
}

void comparison_results(const comparison *c, tdm_exec *e, tdm_tensor *const *variables, double rtol,
                        double atol, difference *results)
{
    int outputs = tdm_graph_outputs(c->source), assigns = tdm_graph_assigns(c->source);
    for (int i = 0; i < outputs; i++) {
        const char *name;
        int r = tdm_graph_output(c->source, i, &name);
        results[i] = difference_of(c->node[r], tdm_exec_output(e, name), rtol, atol);
    }
    for (int i = 0; i < assigns; i++) {
        int variable, value = tdm_graph_assign(c->source, i, &variable);
        for (int k = 0; k < tdm_graph_inputs(c->source); k++)
            if (tdm_graph_input(c->source, k, NULL) == variable)
                results[outputs + i] = difference_of(c->node[value], variables[k], rtol, atol);
    }
}

static void name_results(comparison *c)
{
    int outputs = tdm_graph_outputs(c->source);
    for (int i = 0; i < outputs; i++)
        tdm_graph_output(c->source, i, &c->result_names[i]);
    for (int i = outputs; i < c->n_results; i++) {
        int variable;
        tdm_graph_assign(c->source, i - outputs, &variable);
        c->result_names[i] = cli_node_name(c->source, variable);
    }
}

void comparison_drop(tdm_tensor **list, int n)
{
    for (int i = 0; list && i < n; i++) {
        tdm_release(list[i]);
        list[i] = NULL;
    }
}

static bool allocate(comparison *c)
{
    c->n_results = tdm_graph_outputs(c->source) + tdm_graph_assigns(c->source);
    c->node = calloc((size_t)tdm_graph_nodes(c->source) + 1, sizeof *c->node);
    c->variables = calloc((size_t)tdm_graph_inputs(c->source) + 1, sizeof *c->variables);
    c->results = calloc((size_t)c->n_results + 1, sizeof *c->results);
    c->result_names = calloc((size_t)c->n_results + 1, sizeof *c->result_names);
    return c->node && c->variables && c->results && c->result_names;
}

/* Eager memory as a user would see it: nothing kept but results. */
static bool measure_eager_peak(comparison *c)
{
    size_t before = tdm_live_bytes(c->ctx);
    tdm_reset_peak_bytes(c->ctx);
    bool ok = tdm_interpret(c->source, c->values, NULL, NULL, NULL, NULL) == TDM_OK;
    c->eager_peak = tdm_peak_bytes(c->ctx) - before;
    return ok;
}

bool comparison_run(comparison *c, double rtol, double atol)
{
    c->bad_node = c->bad_kernel = -1;
    if (!allocate(c) || !measure_eager_peak(c) || !comparison_replay(c, c->source, c->node) || !compile(c) ||
        (c->forward && !blame_gradient(c)))
        return false;
    const tdm_graph *final = tdm_program_graph(c->program);
    c->final_node = calloc((size_t)tdm_graph_nodes(final) + 1, sizeof *c->final_node);
    if (!c->final_node || !comparison_replay(c, final, c->final_node))
        return false;
    if (tdm_exec_run_timed(c->exec, NULL, c->fast ? NULL : check_kernel, c) != TDM_OK)
        return false;
    name_results(c);
    comparison_results(c, c->exec, c->variables, rtol, atol, c->results);
    if (!c->fast && !blame(c))
        return false;
    comparison_drop(c->node, tdm_graph_nodes(c->source));
    comparison_drop(c->final_node, tdm_graph_nodes(final));
    return side_measure(c->ctx, c->program, c->exec, c->values, 15, &c->side);
}

void comparison_free(comparison *c)
{
    side_free(&c->side);
    tdm_exec_free(c->exec);
    int nodes = tdm_graph_nodes(c->source), inputs = tdm_graph_inputs(c->source);
    if (c->program)
        comparison_drop(c->final_node, tdm_graph_nodes(tdm_program_graph(c->program)));
    tdm_program_free(c->program);
    comparison_drop(c->node, nodes);
    comparison_drop(c->values, inputs);
    comparison_drop(c->variables, inputs);
    tdm_graph_free(c->source);
    tdm_graph_free(c->forward);
    free(c->node);
    free(c->final_node);
    free(c->values);
    free(c->variables);
    free(c->results);
    free(c->result_names);
}
