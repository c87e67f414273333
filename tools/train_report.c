/* tools/train_report.c: what a training run prints and writes, see train.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/side_by_side.h"
#include "tools/train.h"

/* "81.50 %" or "1.7312" */
static const char *figure(const train_job *job, double v, char *text, size_t size)
{
    snprintf(text, size, job->share ? "%5.2f %%" : "%.4f", job->share ? v * 100 : v);
    return text;
}

void train_print_epoch(trainer *const *run, int count, int epoch, bool same)
{
    const train_job *job = run[0]->plan->job;
    char text[32];
    printf("epoch %-3d", epoch + 1);
    for (int i = 0; i < count; i++)
        printf("  %s: loss %.9f  %s %s", run[i]->engine, run[i]->loss[epoch], job->metric,
               figure(job, run[i]->metric[epoch], text, sizeof text));
    if (count == 2)
        printf("  losses %s", same ? "equal to the last bit" : "DIFFER");
    printf("\n");
    fflush(stdout);
}

/* One of several runs, after its last epoch. */
void train_print_run(trainer *const *run, int count, bool same)
{
    const train_plan *p = run[0]->plan;
    char text[32];
    printf("%-4s seed %-3llu", p->job->models[run[0]->model], (unsigned long long)run[0]->seed);
    for (int i = 0; i < count; i++)
        printf("  %s: %s %s, step %.0f us, sha256 %.12s", run[i]->engine, p->job->result,
               figure(p->job, run[i]->result, text, sizeof text), run[i]->step_us, run[i]->sha256);
    if (count == 2)
        printf("  losses and parameters %s", same ? "equal to the last bit" : "DIFFER");
    printf("\n");
    fflush(stdout);
}

static void print_compile(const trainer *t, double eager_us)
{
    double build_s = t->step.define_s + t->step.compile_s;

    printf("\n");
    cli_print_compile(t->step.program, t->step.compile_s);
    printf("build %.2f ms, first run %.3f ms, steady %.3f ms\n", t->step.define_s * 1e3, t->first_s * 1e3,
           t->step_us * 1e-3);
    double calls = side_break_even(build_s, eager_us, t->step_us);
    if (eager_us > 0 && calls >= 0)
        printf("compiling has paid after %.0f steps\n", calls);
    else if (eager_us > 0)
        printf("compiling does not pay here: a static step is not faster\n");
}

void train_print_costs(trainer *const *run, int count)
{
    const trainer *fixed = NULL, *eager = NULL;
    for (int i = 0; i < count; i++) {
        *(run[i]->eager ? &eager : &fixed) = run[i];
        printf("%-7s step %8.1f us   parameters sha256 %s\n", run[i]->engine, run[i]->step_us,
               run[i]->sha256);
    }
    if (fixed)
        printf("memory: static arena, outputs and constants %.2f MB",
               (double)tdm_program_memory_bytes(fixed->step.program) * 1e-6);
    if (eager)
        printf("%seager peak %.2f MB of tensors",
               fixed ? "; " : "memory: ", (double)eager->peak_bytes * 1e-6);
    printf("\n");
    if (fixed)
        print_compile(fixed, eager ? eager->step_us : 0);
}

/* The step's input or the parameter of that name; NULL for other variables. */
static tdm_tensor *value_of(const trainer *t, const char *name)
{
    for (int i = 0; i < t->step.n; i++)
        if (strcmp(t->step.names[i], name) == 0)
            return t->step.x[i];
    for (int i = 0; i < t->n_params; i++)
        if (strcmp(tdm_name(t->params[i]), name) == 0)
            return t->params[i];
    return NULL;
}

/* The values of the program's inputs and variables, in its order.  Optimiser state: any values cost the same.
 */
static void collect(const trainer *t, const tdm_graph *g, tdm_tensor **values)
{
    for (int i = 0; i < tdm_graph_inputs(g); i++) {
        tdm_node_info node;
        tdm_graph_node(g, tdm_graph_input(g, i, NULL), &node);
        tdm_dims shape = {.rank = node.rank};
        memcpy(shape.dims, node.dims, sizeof shape.dims);
        values[i] = value_of(t, node.name);
        if (!values[i])
            values[i] = tdm_zeros(t->ctx, node.dtype, shape);
    }
}

bool train_print_kernels(trainer *t)
{
    const tdm_graph *g = tdm_program_graph(t->step.program);
    tdm_tensor **values = calloc((size_t)tdm_graph_inputs(g) + 1, sizeof *values);
    side_table table = {0};

    tdm_scope_open(t->ctx);
    if (values)
        collect(t, g, values);
    bool ok = values && side_measure(t->ctx, t->step.program, t->step.exec, values, 15, &table);
    if (ok) {
        printf("\n");
        side_print(&table, t->step.program);
    }
    side_free(&table);
    free(values);
    tdm_scope_close(t->ctx);
    if (!ok && !tdm_ok(t->ctx))
        cli_failed(t->ctx);
    return ok;
}

/* Of the epochs that were run. */
static json_t *reals(const trainer *t, const double *v)
{
    json_t *list = json_array();
    for (int i = 0; i < t->plan->epochs && train_epoch_steps(t->plan, i); i++)
        json_array_append_new(list, json_real(v[i]));
    return list;
}

json_t *train_run_json(trainer *const *run, int count)
{
    const train_job *job = run[0]->plan->job;
    json_t *each = json_object();
    for (int i = 0; i < count; i++) {
        json_t *one = json_pack("{s:o,s:o,s:f,s:s}", "loss", reals(run[i], run[i]->loss), job->key,
                                reals(run[i], run[i]->metric), "step_us", run[i]->step_us, "params_sha256",
                                run[i]->sha256);
        if (job->result)
            json_object_set_new(one, "result", json_real(run[i]->result));
        json_object_set_new(each, run[i]->engine, one);
    }
    return each;
}
