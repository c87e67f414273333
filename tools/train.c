/* tools/train.c: one training run in one engine, see train.h.  The model and the step are the same words in
 * both engines: only who runs them differs. */
#include "tools/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <sha256.h>

const train_job *const train_jobs[] = {&train_fashion, &train_digits, &train_cora, &train_shakespeare, NULL};

int train_runs(const train_plan *p)
{
    return p->models * p->seeds;
}

int train_epoch_steps(const train_plan *p, int epoch)
{
    int left = p->most_steps ? p->most_steps - epoch * p->steps : p->steps;
    return left < 0 ? 0 : left < p->steps ? left : p->steps;
}

uint64_t train_random_start(uint64_t seed, uint64_t number)
{
    return seed * 0x9E3779B97F4A7C15u + number * 0xD1B54A32D192ED03u;
}

uint64_t train_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* Fisher and Yates. */
void train_shuffle(int *order, int n, uint64_t seed, int epoch)
{
    uint64_t state = train_random_start(seed, (uint64_t)epoch);
    for (int i = 0; i < n; i++)
        order[i] = i;
    for (int i = n - 1; i > 0; i--) {
        int k = (int)(train_random(&state) % (uint64_t)(i + 1)), t = order[i];
        order[i] = order[k];
        order[k] = t;
    }
}

/* The whole step: forward, backward, update. */
static tdm_tensor *train_step(void *user, tdm_tensor *const *x)
{
    trainer *t = user;
    const train_job *job = t->plan->job;
    tdm_tensor *loss = job->loss(t, x);
    tdm_zero_grad(t->opt);
    tdm_backward(loss);
    if (job->rate)
        tdm_step_with(t->opt, job->rate(t));
    else
        tdm_step(t->opt);
    return loss;
}

static bool make_room(trainer *t)
{
    size_t steps = (size_t)t->plan->steps, epochs = (size_t)t->plan->epochs;
    t->step_loss = calloc(steps, sizeof(double));
    t->step_times = calloc(steps * epochs, sizeof(double));
    t->loss = calloc(epochs, sizeof(double));
    t->metric = calloc(epochs, sizeof(double));
    return t->step_loss && t->step_times && t->loss && t->metric;
}

/* ok, or false after a message. */
static bool said(trainer *t, bool ok)
{
    if (!tdm_ok(t->ctx))
        cli_failed(t->ctx);
    else if (!ok)
        cli_bad("out of memory");
    else
        return true;
    return false;
}

bool trainer_open(trainer *t, bool eager, const tdm_options *o, const train_plan *p, int run)
{
    tdm_options options = *o;
    *t = (trainer){.engine = eager ? "eager" : "static",
                   .eager = eager,
                   .plan = p,
                   .model = run / p->seeds,
                   .seed = options.seed = p->seed + (uint64_t)(run % p->seeds)};
    t->ctx = cli_context(&options);
    if (!t->ctx)
        return false;
    t->step = (twin){.ctx = t->ctx,
                     .name = "train_step",
                     .eager = eager,
                     .recorded = true,
                     .function = train_step,
                     .user = t};
    t->eval = (twin){.ctx = t->ctx, .name = "evaluate", .eager = eager, .user = t};
    bool ok = make_room(t) && p->job->open(t) && twin_ready(&t->step) && twin_ready(&t->eval);
    tdm_reset_peak_bytes(t->ctx);
    return said(t, ok);
}

static double run_step(trainer *t)
{
    float loss = NAN;
    double start = cli_now();
    twin_run(&t->step, &loss, sizeof loss);
    double took = cli_now() - start;
    if (t->steps_run == 0)
        t->first_s = took;
    t->step_times[t->steps_run++] = took;
    return (double)loss;
}

bool trainer_epoch(trainer *t, int epoch, const char *progress)
{
    const train_job *job = t->plan->job;
    int steps = train_epoch_steps(t->plan, epoch);
    double sum = 0;

    int done = t->done - epoch * t->plan->steps; /* before this process, if it resumes a run */
    for (int s = 0; s < done; s++)
        sum += t->step_loss[s];
    for (int s = done; s < steps && tdm_ok(t->ctx); s++) {
        char note[64];
        if (job->fill)
            job->fill(t, epoch * t->plan->steps + s);
        t->step_loss[s] = run_step(t);
        sum += t->step_loss[s];
        t->done++;
        if (train_save_asked())
            trainer_save(t);
        snprintf(note, sizeof note, "%s  loss %.4f", t->engine, t->step_loss[s]);
        cli_progress(progress, (double)(s + 1) / steps, note);
    }
    t->loss[epoch] = sum / steps;
    size_t peak = tdm_peak_bytes(t->ctx);
    t->peak_bytes = peak > t->peak_bytes ? peak : t->peak_bytes;
    bool whole = t->done % t->plan->steps == 0; /* else the evaluation is not one of the whole run's */
    if (!whole && tdm_ok(t->ctx))
        trainer_save(t);
    t->metric[epoch] = tdm_ok(t->ctx) ? job->evaluate(t) : 0;
    if (whole && tdm_ok(t->ctx))
        trainer_save(t);
    tdm_reset_peak_bytes(t->ctx);
    cli_progress_end();
    return said(t, true);
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
    for (int i = 0; i < t->n_params; i++) {
        size_t bytes = tdm_bytes(t->params[i]);
        void *data = malloc(bytes);
        if (data && tdm_read(t->params[i], data, bytes) == TDM_OK)
            SHA256Update(&h, data, bytes);
        free(data);
    }
    SHA256End(&h, t->sha256);
}

bool trainer_finish(trainer *t)
{
    if (t->steps_run > 1) {
        qsort(t->step_times + 1, (size_t)t->steps_run - 1, sizeof(double), by_value);
        t->step_us = t->step_times[1 + (t->steps_run - 1) / 2] * 1e6;
    }
    hash_parameters(t);
    if (t->plan->job->finish)
        t->plan->job->finish(t);
    return said(t, true);
}

void trainer_close(trainer *t)
{
    if (t->ctx) {
        twin_close(&t->step);
        twin_close(&t->eval);
        if (t->plan->job->close)
            t->plan->job->close(t);
        tdm_optimizer_free(t->opt);
        for (int i = 0; i < t->n_params; i++)
            tdm_release(t->params[i]);
        tdm_context_free(t->ctx);
    }
    free(t->step_loss);
    free(t->step_times);
    free(t->loss);
    free(t->metric);
    free(t->text);
    free(t->save);
}
