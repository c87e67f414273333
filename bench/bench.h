/* bench/bench.h: the built-in workloads, through the public API: one function per workload, run by either
 * engine.
 *
 * Inputs, parameters and fingerprints follow the peers' harness (docs/performance.md names its definition),
 * so that every peer can be checked to have computed the same thing. */
#ifndef TANDEM_BENCH_H
#define TANDEM_BENCH_H

#include <tandem/tandem.h>

typedef enum { BENCH_FORWARD, BENCH_GRADIENT, BENCH_TRAIN } bench_kind;

/* What bounds a workload: the cost of calling, memory, products of matrices, or all of it as in real use. */
typedef enum { BENCH_OVERHEAD, BENCH_MEMORY, BENCH_MATMUL, BENCH_NETWORKS } bench_group;

typedef struct bench_tensor {
    const char *name;
    tdm_dtype dtype; /* f32, or i64: integers below `below` */
    tdm_dims shape;
    unsigned seed; /* 0: the value `shift` everywhere */
    float scale, shift;
    unsigned below;
    void (*fill)(void *to, int64_t n); /* instead of a seed */
} bench_tensor;

/* A parameter of a network; its values follow from name, shape and place (bench_parameter). */
typedef struct bench_param {
    const char *name;
    tdm_dims shape;
} bench_param;

typedef struct bench_workload {
    const char *name;
    bench_group group;
    bench_kind kind;
    tdm_tensor *(*model)(tdm_tensor *const *x, tdm_tensor *const *params);
    bench_tensor inputs[8];   /* ends at a NULL name */
    bench_param params[8];    /* the first parameters; ends at a NULL name */
    const bench_param *block; /* then `blocks` times these, ended by a NULL name */
    int blocks;
    bench_param last[4]; /* then these */
    unsigned wrt;        /* GRADIENT: bit i: gradient of input i */
    bool with_forward;   /* GRADIENT: y is an output too */
    tdm_dims dy;         /* GRADIENT: shape of y; upstream U(77) */
    bool dy_ones;
    tdm_optimizer *(*optimizer)(tdm_tensor *const *params, int n); /* TRAIN */
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
/* NULL in the eager engine. */
const tdm_program *bench_job_program(const bench_job *j);
tdm_exec *bench_job_exec(const bench_job *j);
/* Outputs as bench.h's header says: results held by the job.  TRAIN: the losses of its first three calls
 * (which _new made), then the first parameter as it was after them.  Returns how many. */
int bench_job_outputs(bench_job *j, tdm_tensor **out, int room);

/* gen.c: the harness's generator. */
void bench_uniform(float *to, int64_t n, unsigned seed, float scale, float shift);
void bench_integers(int64_t *to, int64_t n, unsigned seed, unsigned below);
tdm_tensor *bench_make(tdm_context *ctx, const bench_tensor *t);
/* Parameter i of a network, made by the harness's rule from seed i + 1: matrices u sqrt(3 / fan_in), vectors
 * named *weight 1 + 0.1 u, other vectors 0.1 u.  False past the end. */
bool bench_parameter(const bench_workload *w, int i, bench_tensor *out);
int bench_parameters(const bench_workload *w); /* how many */

/* nets.c: the networks that are more than a line. */
extern const bench_param bench_block_384[], bench_block_768[], bench_block_256[];
tdm_tensor *bench_minilm(tdm_tensor *const *x, tdm_tensor *const *p);
tdm_tensor *bench_gpt2s(tdm_tensor *const *x, tdm_tensor *const *p);
tdm_tensor *bench_nanogpt_loss(tdm_tensor *const *x, tdm_tensor *const *p);
tdm_tensor *bench_gcn_loss(tdm_tensor *const *x, tdm_tensor *const *p);
/* The graph of gcn_train: random edges, then a loop at each node; weights of D^-1/2 (A + I) D^-1/2. */
enum { BENCH_NODES = 2708, BENCH_EDGES = 10556 + BENCH_NODES };
void bench_gcn_src(void *to, int64_t n);
void bench_gcn_dst(void *to, int64_t n);
void bench_gcn_weight(void *to, int64_t n);

typedef struct bench_print {
    tdm_dims shape;
    double sum, sum_abs, l2, dot, samples[64];
    int sample_count;
} bench_print;
bool bench_fingerprint(const tdm_tensor *t, bench_print *out); /* false: out of memory or unreadable */

#endif
