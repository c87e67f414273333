/* bench/bench.h: the built-in workloads, through the public API: one function per workload, run by either
 * engine.
 *
 * Inputs, parameters and fingerprints follow the peers' harness (docs/performance.md names its definition),
 * so that every peer can be checked to have computed the same thing. */
#ifndef TANDEM_BENCH_H
#define TANDEM_BENCH_H

#include <tandem/tandem.h>

typedef enum { BENCH_FORWARD, BENCH_GRADIENT, BENCH_TRAIN } bench_kind;

typedef struct bench_tensor {
    const char *name;
    tdm_dtype dtype; /* f32, or i64: integers below `below` */
    tdm_dims shape;
    unsigned seed; /* 0: the value `shift` everywhere */
    float scale, shift;
    unsigned below;
} bench_tensor;

typedef struct bench_workload {
    const char *name;
    bench_kind kind;
    tdm_tensor *(*model)(tdm_tensor *const *x, tdm_tensor *const *params);
    bench_tensor inputs[8], params[8]; /* end at a NULL name */
    unsigned wrt;                      /* GRADIENT: bit i: gradient of input i */
    bool with_forward;                 /* GRADIENT: y is an output too */
    tdm_dims dy;                       /* GRADIENT: shape of y; upstream U(77) */
    bool dy_ones;
    double lr; /* TRAIN: SGD */
} bench_workload;

/* NULL past the end. */
const bench_workload *bench_at(int i);
const bench_workload *bench_find(const char *name);

/* One workload made ready in one engine: bench_job_call is what is timed. */
typedef struct bench_job bench_job;
bench_job *bench_job_new(tdm_context *ctx, const bench_workload *w, bool eager, double *compile_s,
                         double *first_call_s);
void bench_job_free(bench_job *j);
void bench_job_call(bench_job *j);
/* Outputs as bench.h's header says: results held by the job.  TRAIN: the losses of its first three calls
 * (which _new made), then the first parameter as it was after them.  Returns how many. */
int bench_job_outputs(bench_job *j, tdm_tensor **out, int room);

/* gen.c: the harness's generator. */
void bench_uniform(float *to, int64_t n, unsigned seed, float scale, float shift);
void bench_integers(int64_t *to, int64_t n, unsigned seed, unsigned below);
tdm_tensor *bench_make(tdm_context *ctx, const bench_tensor *t);

typedef struct bench_print {
    tdm_dims shape;
    double sum, sum_abs, l2, dot, samples[64];
    int sample_count;
} bench_print;
bool bench_fingerprint(const tdm_tensor *t, bench_print *out); /* false: out of memory or unreadable */

#endif
