/* bench/job.c: a workload made ready in one engine.  The same model function is called eagerly, or once
 * inside an open graph. */
#include <stdlib.h>
#include <time.h>

#include "bench/bench.h"

enum { MOST = 8, STEPS = 3 };

struct bench_job {
    tdm_context *ctx;
    const bench_workload *w;
    bool eager;
    int n_inputs, n_params, n_wrt;
    tdm_tensor *inputs[MOST], **params, *dy, *wrt[MOST];
    tdm_optimizer *opt;
    tdm_graph *graph;
    tdm_program *program;
    tdm_exec *exec;
    tdm_tensor *results[MOST + 1]; /* eager: of the last call, held */
    int n_results;
    tdm_tensor *losses, *first_param; /* TRAIN: kept after the first steps */
    float loss[STEPS];
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static bool make_tensors(bench_job *j)
{
    const bench_workload *w = j->w;
    for (; j->n_inputs < MOST && w->inputs[j->n_inputs].name; j->n_inputs++)
        j->inputs[j->n_inputs] = tdm_hold(bench_make(j->ctx, &w->inputs[j->n_inputs]));
    j->params = calloc((size_t)bench_parameters(w) + 1, sizeof *j->params);
    if (!j->params)
        return false;
    for (bench_tensor t; bench_parameter(w, j->n_params, &t); j->n_params++) {
        tdm_tensor *p = bench_make(j->ctx, &t);
        j->params[j->n_params] = w->kind == BENCH_TRAIN ? tdm_parameter(p, t.name) : tdm_hold(p);
    }
    if (w->kind == BENCH_GRADIENT) {
        bench_tensor dy = {.name = "dy",
                           .dtype = TDM_F32,
                           .shape = w->dy,
                           .seed = w->dy_ones ? 0 : 77,
                           .scale = 1,
                           .shift = w->dy_ones};
        j->dy = tdm_hold(bench_make(j->ctx, &dy));
    }
    if (w->kind == BENCH_TRAIN)
        j->opt = w->optimizer(j->params, j->n_params);
    return tdm_ok(j->ctx);
}

/* Output names in the order of the fingerprints: y, then d0, d1, .. */
static void output(bench_job *j, tdm_tensor *t)
{
    static const char *const names[MOST + 1] = {"o0", "o1", "o2", "o3", "o4", "o5", "o6", "o7", "o8"};
    tdm_output(j->ctx, names[j->n_results++], t);
}

static void define(bench_job *j)
{
    const bench_workload *w = j->w;
    tdm_tensor *x[MOST], *wrt[MOST], *grads[MOST];
    int n = 0;

    j->graph = tdm_graph_open(j->ctx, w->name);
    for (int i = 0; i < j->n_inputs; i++)
        x[i] = tdm_input(j->ctx, w->inputs[i].name, w->inputs[i].dtype, w->inputs[i].shape);
    tdm_tensor *y = w->model(x, j->params);
    if (w->kind != BENCH_GRADIENT || w->with_forward)
        output(j, y);
    if (w->kind == BENCH_GRADIENT) {
        tdm_tensor *dy = tdm_input(j->ctx, "dy", TDM_F32, w->dy);
        for (int i = 0; i < j->n_inputs; i++)
            if (w->wrt >> i & 1)
                wrt[n++] = x[i];
        tdm_gradients(&y, &dy, 1, wrt, n, grads, 0);
        for (int i = 0; i < n; i++)
            output(j, grads[i]);
    }
    if (w->kind == BENCH_TRAIN) {
        tdm_zero_grad(j->opt);
        tdm_backward(y);
        tdm_step(j->opt);
    }
    tdm_graph_close(j->ctx);
}

static void release_params(bench_job *j)
{
    for (int i = 0; i < j->n_params; i++)
        tdm_release(j->params[i]);
    j->n_params = 0;
}

static bool ready_static(bench_job *j)
{
    define(j);
    if (j->w->kind != BENCH_TRAIN) /* the graph has their values */
        release_params(j);
    j->program = tdm_compile_once(j->graph, NULL);
    j->graph = NULL;
    j->exec = tdm_exec_new(j->program);
    for (int i = 0; i < j->n_inputs && j->exec; i++)
        tdm_exec_bind(j->exec, j->w->inputs[i].name, j->inputs[i]);
    if (j->dy && j->exec)
        tdm_exec_bind(j->exec, "dy", j->dy);
    return tdm_ok(j->ctx);
}

static void ready_eager(bench_job *j)
{
    for (int i = 0; i < j->n_inputs; i++)
        if (j->w->kind == BENCH_GRADIENT && (j->w->wrt >> i & 1))
            j->wrt[j->n_wrt++] = tdm_requires_grad(j->inputs[i], true);
    if (j->w->kind == BENCH_FORWARD)
        tdm_grad_mode(j->ctx, false);
}

/* Keeps the results of one eager call; those of the one before are freed. */
static void keep(bench_job *j, tdm_tensor *const *t, int n)
{
    for (int i = 0; i < j->n_results; i++)
        tdm_release(j->results[i]);
    for (int i = 0; i < n; i++)
        j->results[i] = tdm_hold(t[i]);
    j->n_results = n;
}

static void call_eager(bench_job *j)
{
    const bench_workload *w = j->w;
    tdm_tensor *r[MOST + 1];
    int n = 0;

    tdm_scope_open(j->ctx);
    tdm_tensor *y = w->model(j->inputs, j->params);
    if (w->kind != BENCH_GRADIENT || w->with_forward)
        r[n++] = y;
    if (w->kind == BENCH_GRADIENT) {
        tdm_gradients(&y, &j->dy, 1, j->wrt, j->n_wrt, &r[n], 0);
        n += j->n_wrt;
    }
    if (w->kind == BENCH_TRAIN) {
        tdm_zero_grad(j->opt);
        tdm_backward(y);
        tdm_step(j->opt);
        r[0] = tdm_detach(y);
    }
    keep(j, r, n);
    tdm_scope_close(j->ctx);
}

void bench_job_call(bench_job *j)
{
    if (j->eager)
        call_eager(j);
    else
        tdm_exec_run(j->exec);
}

const tdm_program *bench_job_program(const bench_job *j)
{
    return j->program;
}

tdm_exec *bench_job_exec(const bench_job *j)
{
    return j->exec;
}

static tdm_tensor *result(bench_job *j, int i)
{
    static const char *const names[MOST + 1] = {"o0", "o1", "o2", "o3", "o4", "o5", "o6", "o7", "o8"};
    return j->eager ? j->results[i] : tdm_exec_output(j->exec, names[i]);
}

/* The first steps of training, whose losses and first parameter are compared with the peers'. */
static void first_steps(bench_job *j)
{
    for (int i = 0; i < STEPS; i++) {
        if (i)
            bench_job_call(j);
        j->loss[i] = (float)tdm_item(result(j, 0));
    }
    j->losses = tdm_hold(tdm_from_data(j->ctx, TDM_F32, tdm_shape(STEPS), j->loss));
    tdm_dims d = tdm_dims_of(j->params[0]);
    void *copy = malloc(tdm_bytes(j->params[0]));
    if (copy && tdm_read(j->params[0], copy, tdm_bytes(j->params[0])) == TDM_OK)
        j->first_param = tdm_hold(tdm_from_data(j->ctx, TDM_F32, d, copy));
    free(copy);
}

bench_job *bench_job_new(tdm_context *ctx, const bench_workload *w, bool eager, double *compile_s,
                         double *first_call_s)
{
    bench_job *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    *j = (bench_job){.ctx = ctx, .w = w, .eager = eager};
    tdm_scope_open(ctx);
    bool ok = make_tensors(j);
    tdm_scope_close(ctx);
    double start = now();
    if (ok && eager)
        ready_eager(j);
    else if (ok)
        ok = ready_static(j);
    *compile_s = eager ? 0 : now() - start;
    start = now();
    if (ok)
        bench_job_call(j);
    *first_call_s = now() - start;
    if (ok && w->kind == BENCH_TRAIN)
        first_steps(j);
    if (ok && tdm_ok(ctx))
        return j;
    bench_job_free(j);
    return NULL;
}

int bench_job_outputs(bench_job *j, tdm_tensor **out, int room)
{
    if (j->w->kind == BENCH_TRAIN && room >= 2) {
        out[0] = j->losses;
        out[1] = j->first_param;
        return 2;
    }
    int n = 0;
    for (; n < j->n_results && n < room; n++)
        out[n] = result(j, n);
    return n;
}

void bench_job_free(bench_job *j)
{
    if (!j)
        return;
    if (j->eager)
        for (int i = 0; i < j->n_results; i++)
            tdm_release(j->results[i]);
    tdm_exec_free(j->exec);
    tdm_program_free(j->program);
    tdm_graph_free(j->graph);
    tdm_optimizer_free(j->opt);
    for (int i = 0; i < j->n_inputs; i++)
        tdm_release(j->inputs[i]);
    release_params(j);
    free(j->params);
    tdm_release(j->dy);
    tdm_release(j->losses);
    tdm_release(j->first_param);
    free(j);
}
