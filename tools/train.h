/* tools/train.h: one training run of the MLP in one engine; cmd_train.c runs one or two of them side by side.
 */
#ifndef TANDEM_TRAIN_H
#define TANDEM_TRAIN_H

#include "examples/lib_mlp.h"
#include "tools/cli.h"
#include "tools/dataset.h"

typedef struct train_config {
    int epochs, batch, layers;
    int64_t sizes[MLP_MOST_LAYERS + 1];
    double lr;
    uint64_t seed;
} train_config;

typedef struct trainer {
    const char *engine; /* "static" or "eager" */
    bool eager;
    const train_config *config;
    const dataset *data;
    tdm_context *ctx;
    mlp model;
    tdm_optimizer *opt;
    tdm_tensor *x, *labels; /* the batch, filled in place */
    tdm_tensor *test_x;
    tdm_graph *graph, *predict_graph;
    tdm_program *program, *predict;
    tdm_exec *exec, *predict_exec;
    double *step_loss;       /* of the epoch being run, one per step */
    double *loss, *accuracy; /* per epoch: mean of the steps' losses; share of the test set */
    double define_s, compile_s, first_s, step_us; /* step_us: median over all steps but the first */
    double *step_times;
    int steps_run;
    size_t peak_bytes; /* eager: most tensor storage at once while training */
    char sha256[65];
} trainer;

int train_steps(const train_config *c, const dataset *d); /* full batches of an epoch */
/* Parameters, optimiser and (static) programs.  False + sticky error. */
bool trainer_open(trainer *t, bool eager, const tdm_options *o, const train_config *c, const dataset *d);
/* One epoch over `order` (train_steps * batch row numbers), then the test accuracy. */
bool trainer_epoch(trainer *t, int epoch, const int *order, const char *progress);
void trainer_finish(trainer *t); /* median step time, hash of the parameters */
void trainer_close(trainer *t);

#endif
