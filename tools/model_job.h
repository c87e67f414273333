/* tools/model_job.h: a MODEL file made ready in one engine, for run, bench and compare. */
#ifndef TANDEM_MODEL_JOB_H
#define TANDEM_MODEL_JOB_H

#include "tools/cli.h"

typedef struct model_job {
    tdm_context *ctx;
    tdm_graph *graph; /* dims set */
    bool eager;
    tdm_tensor **values;  /* of tdm_graph_inputs, held */
    tdm_tensor **outputs; /* eager: of the last call, held */
    tdm_program *program;
    tdm_exec *exec;
} model_job;

/* Loads, specialises, makes inputs, compiles (static), makes the first call.  NULL after a message or a
 * sticky error. */
model_job *model_job_new(tdm_context *ctx, const char *path, bool eager, double *compile_s,
                         double *first_call_s);
/* The same for a graph at hand (taken over). */
model_job *model_job_of(tdm_context *ctx, tdm_graph *g, const cli_inputs *in, bool eager, double *compile_s,
                        double *first_call_s);
void model_job_call(model_job *j);
int model_job_outputs(model_job *j, tdm_tensor **out, int room);
/* Outputs, then the variables that a run assigns (static). */
int model_job_results(model_job *j, tdm_tensor **out, int room);
void model_job_free(model_job *j);

#endif
