/* tools/twin.c: see twin.h. */
#include "tools/twin.h"

void twin_input(twin *t, const char *name, tdm_tensor *x)
{
    t->names[t->n] = name;
    t->x[t->n++] = tdm_hold(x);
}

static void define(twin *t)
{
    tdm_tensor *x[TWIN_MOST_INPUTS];
    t->graph = tdm_graph_open(t->ctx, t->name);
    for (int i = 0; i < t->n; i++)
        x[i] = tdm_input(t->ctx, t->names[i], tdm_dtype_of(t->x[i]), tdm_dims_of(t->x[i]));
    tdm_output(t->ctx, "result", t->function(t->user, x));
    tdm_graph_close(t->ctx);
}

bool twin_ready(twin *t)
{
    if (t->eager || !tdm_ok(t->ctx))
        return tdm_ok(t->ctx);
    double start = cli_now();
    define(t);
    t->define_s = cli_now() - start;
    start = cli_now();
    t->program = tdm_compile(t->graph, NULL);
    t->compile_s = cli_now() - start;
    t->exec = t->program ? tdm_exec_new(t->program) : NULL;
    for (int i = 0; i < t->n && t->exec; i++)
        tdm_exec_bind(t->exec, t->names[i], t->x[i]);
    return tdm_ok(t->ctx);
}

static void run_eager(twin *t, void *result, size_t bytes)
{
    bool recording = tdm_grad_mode(t->ctx, t->recorded);
    tdm_scope_open(t->ctx);
    tdm_read(t->function(t->user, t->x), result, bytes);
    tdm_scope_close(t->ctx);
    tdm_grad_mode(t->ctx, recording);
}

bool twin_run(twin *t, void *result, size_t bytes)
{
    if (t->eager) {
        run_eager(t, result, bytes);
    } else if (t->exec) {
        tdm_exec_run(t->exec);
        tdm_read(tdm_exec_output(t->exec, "result"), result, bytes);
    }
    return tdm_ok(t->ctx);
}

void twin_close(twin *t)
{
    tdm_exec_free(t->exec);
    tdm_program_free(t->program);
    tdm_graph_free(t->graph);
    for (int i = 0; i < t->n; i++)
        tdm_release(t->x[i]);
    t->exec = NULL, t->program = NULL, t->graph = NULL, t->n = 0;
}
