/* tools/train_state.c: a training run on disk: `train --save` and `--load`.
 *
 *   tensors  the parameters by their names, optimizer.NAME, history.loss and .metric (an entry an epoch),
 *            history.step_loss (of the epoch that is not over yet, if any)
 *   texts    format, job, model, seed, steps of an epoch, step, place in the random stream, the job's figures
 *
 * Batches follow from seed and step, so that these numbers are all of the order of the data.  Either engine
 * goes on where either one stopped, to the same bits as if it had not. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/train.h"

#define FORMAT "tandem train 1"
#define OPTIMIZER "optimizer."

/* ---- names --------------------------------------------------------------------------------------------- */

static const char *model_of(const trainer *t)
{
    return t->plan->job->models ? t->plan->job->models[t->model] : "";
}

char *train_run_path(const trainer *t, const char *path)
{
    const char *dot = strrchr(path, '.');
    char *own = NULL;
    int stem = dot ? (int)(dot - path) : (int)strlen(path);
    int n = train_runs(t->plan) == 1 ? asprintf(&own, "%s", path)
                                     : asprintf(&own, "%.*s-%s-%llu%s", stem, path, model_of(t),
                                                (unsigned long long)t->seed, dot ? dot : "");
    return n < 0 ? NULL : own;
}

/* ---- saving on request --------------------------------------------------------------------------------- */

static volatile sig_atomic_t asked;

static void ask(int signal_number)
{
    (void)signal_number;
    asked = 1;
}

void train_save_on_request(void)
{
    struct sigaction action = {.sa_handler = ask, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
}

bool train_save_asked(void)
{
    bool now = asked != 0;
    asked = 0;
    return now;
}

/* ---- out ----------------------------------------------------------------------------------------------- */

static void note_number(tdm_archive *a, const char *key, unsigned long long v)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", v);
    tdm_archive_note(a, key, text);
}

static void note_real(tdm_archive *a, const char *key, double v)
{
    char text[48];
    snprintf(text, sizeof text, "%a", v);
    tdm_archive_note(a, key, text);
}

static void add_reals(tdm_archive *a, tdm_context *ctx, const char *name, const double *v, int n)
{
    if (n > 0)
        tdm_archive_add(a, name, tdm_from_data(ctx, TDM_F64, tdm_shape(n), v));
}

/* The optimiser's tensors under names of their own. */
static bool optimizer_state(const trainer *t, int i, char name[128], tdm_tensor **state)
{
    const char *plain;
    if (!tdm_optimizer_state(t->opt, i, &plain, state))
        return false;
    snprintf(name, 128, OPTIMIZER "%s", plain);
    return true;
}

static void collect(trainer *t, tdm_archive *a)
{
    char name[128];
    tdm_tensor *state;
    int epochs = t->done / t->plan->steps;

    for (int i = 0; i < t->n_params; i++)
        tdm_archive_add(a, tdm_name(t->params[i]), t->params[i]);
    for (int i = 0; optimizer_state(t, i, name, &state); i++)
        tdm_archive_add(a, name, state);
    add_reals(a, t->ctx, "history.loss", t->loss, epochs);
    add_reals(a, t->ctx, "history.metric", t->metric, epochs);
    add_reals(a, t->ctx, "history.step_loss", t->step_loss, t->done % t->plan->steps);
    tdm_archive_note(a, "format", FORMAT);
    tdm_archive_note(a, "job", t->plan->job->name);
    tdm_archive_note(a, "model", model_of(t));
    note_number(a, "seed", t->seed);
    note_number(a, "epoch", (unsigned long long)epochs);
    note_number(a, "epoch_steps", (unsigned long long)t->plan->steps);
    note_number(a, "step", (unsigned long long)t->done);
    note_number(a, "random_position", tdm_random_position(t->ctx));
    note_real(a, "result", t->result);
    note_real(a, "best", t->best);
}

bool trainer_save(trainer *t)
{
    if (!t->save)
        return true;
    tdm_scope_open(t->ctx);
    tdm_archive *a = tdm_archive_new(t->ctx);
    if (a)
        collect(t, a);
    bool ok = a && tdm_archive_save(a, t->save) == TDM_OK;
    tdm_archive_free(a);
    tdm_scope_close(t->ctx);
    return ok;
}

/* ---- in ------------------------------------------------------------------------------------------------ */

static bool expect_text(const tdm_archive *a, const char *path, const char *key, const char *want)
{
    const char *found = tdm_archive_text(a, key);
    if (found && strcmp(found, want) == 0)
        return true;
    cli_bad("%s: %s '%.64s' expected, found '%.64s'", path, key, want, found ? found : "nothing");
    return false;
}

static bool expect_number(const tdm_archive *a, const char *path, const char *key, unsigned long long want)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", want);
    return expect_text(a, path, key, text);
}

static bool read_number(const tdm_archive *a, const char *path, const char *key, unsigned long long *to)
{
    const char *text = tdm_archive_text(a, key);
    char *end = NULL;
    errno = 0;
    *to = text ? strtoull(text, &end, 10) : 0;
    if (text && end != text && *end == '\0' && errno == 0)
        return true;
    cli_bad("%s: %s is not a number", path, key);
    return false;
}

static bool read_real(const tdm_archive *a, const char *path, const char *key, double *to)
{
    const char *text = tdm_archive_text(a, key);
    char *end = NULL;
    *to = text ? strtod(text, &end) : 0;
    if (text && end != text && *end == '\0')
        return true;
    cli_bad("%s: %s is not a number", path, key);
    return false;
}

static bool read_reals(const tdm_archive *a, const char *path, const char *name, double *v, int n)
{
    const tdm_tensor *t = tdm_archive_tensor(a, name);
    if (n == 0)
        return true;
    if (t && tdm_dtype_of(t) == TDM_F64 && tdm_elements(t) == n)
        return tdm_read(t, v, (size_t)n * sizeof *v) == TDM_OK;
    cli_bad("%s: %s: f64[%d] expected", path, name, n);
    return false;
}

static bool same_run(const trainer *t, const tdm_archive *a, const char *path)
{
    return expect_text(a, path, "format", FORMAT) && expect_text(a, path, "job", t->plan->job->name) &&
           expect_text(a, path, "model", model_of(t)) && expect_number(a, path, "seed", t->seed) &&
           expect_number(a, path, "epoch_steps", (unsigned long long)t->plan->steps);
}

/* Values that differ in type from the run's are sticky errors. */
static bool restore(trainer *t, const tdm_archive *a)
{
    char name[128];
    tdm_tensor *state;
    for (int i = 0; i < t->n_params; i++)
        tdm_archive_restore(a, tdm_name(t->params[i]), t->params[i]);
    for (int i = 0; optimizer_state(t, i, name, &state); i++)
        tdm_archive_restore(a, name, state);
    return tdm_ok(t->ctx);
}

static bool resume(trainer *t, const tdm_archive *a, const char *path)
{
    unsigned long long step, position, most = (unsigned long long)t->plan->epochs * t->plan->steps;
    if (t->plan->most_steps && (unsigned long long)t->plan->most_steps < most)
        most = (unsigned long long)t->plan->most_steps;
    if (!same_run(t, a, path) || !read_number(a, path, "step", &step) ||
        !read_number(a, path, "random_position", &position) || !read_real(a, path, "result", &t->result) ||
        !read_real(a, path, "best", &t->best))
        return false;
    if (step > most)
        return cli_bad("%s: %llu steps are done: this run ends after %llu", path, step, most) == CLI_OK;
    t->done = (int)step;
    int epochs = t->done / t->plan->steps;
    tdm_set_random_position(t->ctx, position);
    return read_reals(a, path, "history.loss", t->loss, epochs) &&
           read_reals(a, path, "history.metric", t->metric, epochs) &&
           read_reals(a, path, "history.step_loss", t->step_loss, t->done % t->plan->steps) && restore(t, a);
}

bool trainer_load(trainer *t, const char *path)
{
    tdm_archive *a = tdm_archive_load(t->ctx, path);
    bool ok = a && resume(t, a, path);
    tdm_archive_free(a);
    if (!tdm_ok(t->ctx))
        cli_failed(t->ctx);
    return ok;
}
