/* tools/train.h: the built-in training jobs.  A job is a file train_NAME.c with a row in train_jobs: data,
 * model, loss and evaluation.  train.c makes one run of it in one engine (a trainer), cmd_train.c runs one or
 * two trainers side by side, train_report.c says what came out.
 *
 * A run is one model with one seed; a job of several models or seeds has several.  An epoch is what lies
 * between two evaluations. */
#ifndef TANDEM_TRAIN_H
#define TANDEM_TRAIN_H

#include <jansson.h>

#include "tools/cli.h"
#include "tools/twin.h"

enum { TRAIN_MOST_PARAMS = 128 };

typedef struct train_job train_job;

/* A job with its data, ready to run. */
typedef struct train_plan {
    const train_job *job; /* prepare may hand over to another: fashion to digits */
    void *data;           /* the job's own */
    int models, seeds;    /* runs: every model with every seed */
    int epochs, steps;    /* steps of an epoch */
    int most_steps;       /* of a run, from --steps; 0: all */
    uint64_t seed;
} train_plan;

typedef struct trainer {
    const char *engine; /* "static" or "eager" */
    bool eager;
    const train_plan *plan;
    int model;
    uint64_t seed;
    tdm_context *ctx;
    int n_params;
    tdm_tensor *params[TRAIN_MOST_PARAMS]; /* released by trainer_close */
    tdm_optimizer *opt;
    twin step, eval;                      /* eval: for the job's evaluate */
    void *own;                            /* the job's, freed by its close */
    double *step_loss;                    /* of the epoch being run */
    double *loss, *metric;                /* per epoch: mean of the steps' losses; the job's measure */
    double best;                          /* the job's: what its evaluations compare with */
    double result;                        /* set by the job: figure of merit of the finished run */
    char *text;                           /* set by the job: what the model wrote; freed by trainer_close */
    double first_s, step_us, *step_times; /* step_us: median over all steps but the first */
    int steps_run, done;                  /* steps of this process; of the whole run */
    char *save;        /* file to save to after every epoch, NULL: none; freed by trainer_close */
    size_t peak_bytes; /* eager: most tensor storage at once while training */
    char sha256[65];   /* of the parameters */
} trainer;

struct train_job {
    const char *name, *about;                        /* about: lines of --help */
    int epochs;                                      /* default */
    const char *metric, *key;                        /* of the epochs: its name, its key in JSON */
    const char *result;                              /* name of the figure of merit; NULL: there is none */
    bool share;                                      /* metric and result are shares, printed as % */
    const char *const *models;                       /* names, where there are several */
    bool (*prepare)(train_plan *p, const char *dir); /* data, counts and a headline; false after a message */
    void (*free_data)(void *data);
    bool (*open)(trainer *t); /* parameters, optimiser, inputs of step and eval, eval's function */
    tdm_tensor *(*loss)(trainer *t, tdm_tensor *const *x); /* x: step's inputs */
    tdm_tensor *(*rate)(trainer *t);    /* learning rate of the step; NULL: the optimiser's own */
    void (*fill)(trainer *t, int step); /* step's inputs, by the seed and the step; or NULL */
    double (*evaluate)(trainer *t);     /* the metric after an epoch */
    void (*finish)(trainer *t);         /* after the last epoch; or NULL */
    void (*close)(trainer *t);          /* or NULL */
};

extern const train_job train_fashion, train_digits, train_cora, train_shakespeare;
extern const train_job *const train_jobs[]; /* ends with NULL */

int train_runs(const train_plan *p);
int train_epoch_steps(const train_plan *p, int epoch); /* those --steps leaves; 0: the run is over */
/* splitmix64 (Steele et al. 2014): stream `number` of a seed, and its next value. */
uint64_t train_random_start(uint64_t seed, uint64_t number);
uint64_t train_random(uint64_t *state);
/* Row numbers 0..n-1, shuffled by (seed, epoch). */
void train_shuffle(int *order, int n, uint64_t seed, int epoch);

/* Parameters, optimiser and (static) programs, at the beginning of the run.  False after a message. */
bool trainer_open(trainer *t, bool eager, const tdm_options *o, const train_plan *p, int run);
/* What is left of one epoch, then its evaluation.  False after a message. */
bool trainer_epoch(trainer *t, int epoch, const char *progress);
/* Median step time, hash of the parameters, the job's finish. */
bool trainer_finish(trainer *t);
void trainer_close(trainer *t);

/* train_state.c: `path` for a job of one run; a path of its own for every run of a job of several; free(). */
char *train_run_path(const trainer *t, const char *path);
/* SIGUSR1 asks for a save after the step at hand; asked: since the last look. */
void train_save_on_request(void);
bool train_save_asked(void);
/* Writes t->save, if there is one.  False + sticky error. */
bool trainer_save(trainer *t);
/* Goes on where the saved run stopped.  False after a message. */
bool trainer_load(trainer *t, const char *path);

/* train_report.c: run[0..count) are the engines' trainers of one run; same: equal to the last bit so far. */
void train_print_epoch(trainer *const *run, int count, int epoch, bool same);
void train_print_run(trainer *const *run, int count, bool same);
void train_print_costs(trainer *const *run, int count);
bool train_print_kernels(trainer *t);                   /* beside the eager ops; runs more steps */
json_t *train_run_json(trainer *const *run, int count); /* engine -> losses, metrics, times, hash */

#endif
