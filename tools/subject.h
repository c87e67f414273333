/* tools/subject.h: what bench and compare time: a built-in workload or a MODEL file, ready in one engine. */
#ifndef TANDEM_SUBJECT_H
#define TANDEM_SUBJECT_H

#include "bench/bench.h"
#include "tools/model_job.h"

typedef struct subject { /* one of the two */
    bench_job *job;
    model_job *model;
} subject;

/* name: a workload, else a MODEL file.  False after a message or a sticky error. */
bool subject_open(subject *s, tdm_context *ctx, const char *name, bool eager, double *compile_s,
                  double *first_call_s);
void subject_call(subject *s);
int subject_outputs(subject *s, tdm_tensor **out, int room);
/* Outputs, then the variables that a call of the model assigns. */
int subject_results(subject *s, tdm_tensor **out, int room);
const tdm_program *subject_program(const subject *s); /* NULL in the eager engine */
tdm_exec *subject_exec(const subject *s);
void subject_close(subject *s);

#endif
