/* tools/train.c: see train.h.  The model and the step are the same words in both engines: only who runs them
 * differs. */
#include "tools/train.h"

#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <sha256.h>

int train_steps(const train_config *c, const dataset *d)
{
    return d->train_count / c->batch;
}

/* The whole step: forward, backward, update. */
static tdm_tensor *train_step(trainer *t, tdm_tensor *x, tdm_tensor *labels)
{
    tdm_tensor *loss = tdm_cross_entropy(mlp_logits(&t->model, x), labels);
    tdm_zero_grad(t->opt);
    tdm_backward(loss);
    tdm_step(t->opt);
    return loss;
}

static tdm_tensor *predicted(trainer *t, tdm_tensor *x)
{
    return tdm_argmax(mlp_logits(&t->model, x), tdm_axes(-1), false);
}

static void compile_programs(trainer *t)
{
    const train_config *c = t->config;
    double start = cli_now();
    t->graph = tdm_graph_open(t->ctx, "train_step");
    tdm_tensor *x = tdm_input(t->ctx, "x", TDM_F32, tdm_shape(c->batch, t->data->features));
    tdm_tensor *labels = tdm_input(t->ctx, "labels", TDM_I64, tdm_shape(c->batch));
    tdm_output(t->ctx, "loss", train_step(t, x, labels));
    tdm_graph_close(t->ctx);
    t->define_s = cli_now() - start;
    start = cli_now();
    t->program = tdm_compile(t->graph, NULL);
    t->compile_s = cli_now() - start;
    t->exec = tdm_exec_new(t->program);
    tdm_exec_bind(t->exec, "x", t->x);
    tdm_exec_bind(t->exec, "labels", t->labels);

    t->predict_graph = tdm_graph_open(t->ctx, "predict");
    tdm_tensor *all = tdm_input(t->ctx, "x", TDM_F32, tdm_shape(t->data->test_count, t->data->features));
    tdm_output(t->ctx, "class", predicted(t, all));
    tdm_graph_close(t->ctx);
    t->predict = tdm_compile(t->predict_graph, NULL);
    t->predict_exec = tdm_exec_new(t->predict);
    tdm_exec_bind(t->predict_exec, "x", t->test_x);
}

bool trainer_open(trainer *t, bool eager, const tdm_options *o, const train_config *c, const dataset *d)
{
    *t = (trainer){.engine = eager ? "eager" : "static", .eager = eager, .config = c, .data = d};
    tdm_options options = *o;
    options.seed = c->seed;
    t->ctx = cli_context(&options);
    if (!t->ctx)
        return false;
    size_t steps = (size_t)train_steps(c, d), epochs = (size_t)c->epochs;
    t->step_loss = calloc(steps, sizeof(double));
    t->step_times = calloc(steps * epochs, sizeof(double));
    t->loss = calloc(epochs, sizeof(double));
    t->accuracy = calloc(epochs, sizeof(double));
    if (!t->step_loss || !t->step_times || !t->loss || !t->accuracy)
        return cli_bad("out of memory") == CLI_OK;
    t->model = mlp_new(t->ctx, c->sizes, c->layers);
    t->opt = tdm_adam(t->model.p, 2 * c->layers, c->lr, 0.9, 0.999, 1e-8, 0);
    t->x = tdm_hold(tdm_zeros(t->ctx, TDM_F32, tdm_shape(c->batch, d->features)));
    t->labels = tdm_hold(tdm_zeros(t->ctx, TDM_I64, tdm_shape(c->batch)));
    t->test_x = tdm_hold(tdm_from_data(t->ctx, TDM_F32, tdm_shape(d->test_count, d->features), d->test));
    if (!eager && tdm_ok(t->ctx))
        compile_programs(t);
    tdm_reset_peak_bytes(t->ctx);
    if (tdm_ok(t->ctx))
        return true;
    cli_failed(t->ctx);
    return false;
}

/* Copies the rows order[0..batch) into the batch tensors. */
static void fill_batch(trainer *t, const int *order, float *x, int64_t *labels)
{
    int batch = t->config->batch, features = t->data->features;
    for (int i = 0; i < batch; i++) {
        memcpy(x + (size_t)i * (size_t)features, t->data->train + (size_t)order[i] * (size_t)features,
               (size_t)features * sizeof *x);
        labels[i] = t->data->train_labels[order[i]];
    }
    tdm_write(t->x, x, tdm_bytes(t->x));
    tdm_write(t->labels, labels, tdm_bytes(t->labels));
}

static double run_step(trainer *t)
{
    double loss;
    double start = cli_now();
    if (t->eager) {
        tdm_scope_open(t->ctx);
        loss = tdm_item(train_step(t, t->x, t->labels));
        tdm_scope_close(t->ctx);
    } else {
        tdm_exec_run(t->exec);
        loss = tdm_item(tdm_exec_output(t->exec, "loss"));
    }
    double took = cli_now() - start;
    if (t->steps_run == 0)
        t->first_s = took;
    t->step_times[t->steps_run++] = took;
    return loss;
}

static double test_accuracy(trainer *t)
{
    int n = t->data->test_count, right = 0;
    int64_t *class = malloc((size_t)n * sizeof *class);
    if (!class)
        return 0;
    if (t->eager) {
        bool recording = tdm_grad_mode(t->ctx, false);
        tdm_scope_open(t->ctx);
        tdm_read(predicted(t, t->test_x), class, (size_t)n * sizeof *class);
        tdm_scope_close(t->ctx);
        tdm_grad_mode(t->ctx, recording);
    } else {
        tdm_exec_run(t->predict_exec);
        tdm_read(tdm_exec_output(t->predict_exec, "class"), class, (size_t)n * sizeof *class);
    }
    for (int i = 0; i < n && tdm_ok(t->ctx); i++)
        right += class[i] == t->data->test_labels[i];
    free(class);
    return (double)right / n;
}

bool trainer_epoch(trainer *t, int epoch, const int *order, const char *progress)
{
    int steps = train_steps(t->config, t->data);
    float *x = malloc(tdm_bytes(t->x));
    int64_t *labels = malloc(tdm_bytes(t->labels));
    double sum = 0;

    for (int s = 0; x && labels && s < steps && tdm_ok(t->ctx); s++) {
        char note[64];
        fill_batch(t, order + s * t->config->batch, x, labels);
        t->step_loss[s] = run_step(t);
        sum += t->step_loss[s];
        snprintf(note, sizeof note, "%s  loss %.4f", t->engine, t->step_loss[s]);
        cli_progress(progress, (double)(s + 1) / steps, note);
    }
    free(x);
    free(labels);
    t->loss[epoch] = sum / steps;
    t->peak_bytes = tdm_peak_bytes(t->ctx);
    t->accuracy[epoch] = test_accuracy(t);
    tdm_reset_peak_bytes(t->ctx);
    cli_progress_end();
    if (tdm_ok(t->ctx))
        return true;
    cli_failed(t->ctx);
    return false;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void hash_parameters(trainer *t)
{
    SHA2_CTX h;
    SHA256Init(&h);
    for (int i = 0; i < 2 * t->model.layers; i++) {
        size_t bytes = tdm_bytes(t->model.p[i]);
        void *data = malloc(bytes);
        if (data && tdm_read(t->model.p[i], data, bytes) == TDM_OK)
            SHA256Update(&h, data, bytes);
        free(data);
    }
    SHA256End(&h, t->sha256);
}

void trainer_finish(trainer *t)
{
    if (t->steps_run > 1) {
        qsort(t->step_times + 1, (size_t)t->steps_run - 1, sizeof(double), by_value);
        t->step_us = t->step_times[1 + (t->steps_run - 1) / 2] * 1e6;
    }
    hash_parameters(t);
}

void trainer_close(trainer *t)
{
    if (t->ctx) {
        tdm_exec_free(t->exec);
        tdm_exec_free(t->predict_exec);
        tdm_program_free(t->program);
        tdm_program_free(t->predict);
        tdm_graph_free(t->graph);
        tdm_graph_free(t->predict_graph);
        tdm_optimizer_free(t->opt);
        mlp_free(&t->model);
        tdm_release(t->x);
        tdm_release(t->labels);
        tdm_release(t->test_x);
        tdm_context_free(t->ctx);
    }
    free(t->step_loss);
    free(t->step_times);
    free(t->loss);
    free(t->accuracy);
}
