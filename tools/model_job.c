/* tools/model_job.c: see model_job.h. */
#include "tools/model_job.h"

#include <stdlib.h>

static void call_eager(model_job *j)
{
    int n = tdm_graph_outputs(j->graph);
    tdm_scope_open(j->ctx);
    tdm_tensor **fresh = calloc((size_t)n + 1, sizeof *fresh);
    if (fresh && tdm_interpret(j->graph, j->values, NULL, NULL, fresh, NULL) == TDM_OK)
        for (int i = 0; i < n; i++) {
            tdm_release(j->outputs[i]);
            j->outputs[i] = tdm_hold(fresh[i]);
        }
    free(fresh);
    tdm_scope_close(j->ctx);
}

void model_job_call(model_job *j)
{
    if (j->eager)
        call_eager(j);
    else
        tdm_exec_run(j->exec);
}

int model_job_outputs(model_job *j, tdm_tensor **out, int room)
{
    int n = tdm_graph_outputs(j->graph);
    for (int i = 0; i < n && i < room; i++) {
        const char *name;
        tdm_graph_output(j->graph, i, &name);
        out[i] = j->eager ? j->outputs[i] : tdm_exec_output(j->exec, name);
    }
    return n < room ? n : room;
}

int model_job_results(model_job *j, tdm_tensor **out, int room)
{
    int n = model_job_outputs(j, out, room), variable;
    for (int i = 0; i < tdm_graph_assigns(j->graph); i++) {
        tdm_graph_assign(j->graph, i, &variable);
        for (int k = 0; k < tdm_graph_inputs(j->graph) && n < room; k++)
            if (tdm_graph_input(j->graph, k, NULL) == variable)
                out[n++] = j->values[k];
    }
    return n;
}

static void compile(model_job *j)
{
    j->program = tdm_compile(j->graph, NULL);
    j->exec = tdm_exec_new(j->program);
    for (int i = 0; j->exec && i < tdm_graph_inputs(j->graph); i++) {
        bool variable;
        const char *name = cli_node_name(j->graph, tdm_graph_input(j->graph, i, &variable));
        if (variable)
            tdm_exec_bind_variable(j->exec, name, j->values[i]);
        else
            tdm_exec_bind(j->exec, name, j->values[i]);
    }
}

model_job *model_job_of(tdm_context *ctx, tdm_graph *g, const cli_inputs *in, bool eager, double *compile_s,
                        double *first_call_s)
{
    model_job *j = calloc(1, sizeof *j);
    if (!j) {
        tdm_graph_free(g);
        return NULL;
    }
    *j = (model_job){.ctx = ctx, .graph = g, .eager = eager};
    j->values = calloc((size_t)tdm_graph_inputs(g) + 1, sizeof *j->values);
    j->outputs = calloc((size_t)tdm_graph_outputs(g) + 1, sizeof *j->outputs);
    bool ok = j->values && j->outputs && cli_make_inputs(ctx, g, in, j->values);
    double start = cli_now();
    if (ok && !eager)
        compile(j);
    *compile_s = eager ? 0 : cli_now() - start;
    start = cli_now();
    if (ok && tdm_ok(ctx))
        model_job_call(j);
    *first_call_s = cli_now() - start;
    if (ok && tdm_ok(ctx))
        return j;
    if (!tdm_ok(ctx))
        cli_failed(ctx);
    model_job_free(j);
    return NULL;
}

model_job *model_job_new(tdm_context *ctx, const char *path, bool eager, double *compile_s,
                         double *first_call_s)
{
    cli_inputs none = {0};
    tdm_graph *g = cli_load_model(ctx, path);
    if (!g)
        return NULL;
    tdm_graph *s = tdm_graph_specialize(g, none.dims);
    tdm_graph_free(g);
    return s ? model_job_of(ctx, s, &none, eager, compile_s, first_call_s) : NULL;
}

void model_job_free(model_job *j)
{
    if (!j)
        return;
    tdm_exec_free(j->exec);
    tdm_program_free(j->program);
    for (int i = 0; j->values && i < tdm_graph_inputs(j->graph); i++)
        tdm_release(j->values[i]);
    for (int i = 0; j->outputs && i < tdm_graph_outputs(j->graph); i++)
        tdm_release(j->outputs[i]);
    tdm_graph_free(j->graph);
    free(j->values);
    free(j->outputs);
    free(j);
}
