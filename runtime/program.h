/* runtime/program.h: a compiled program, filled in by codegen, run by an execution.
 *
 * args of every compiled function: [0] arena, then g->inputs in order, then outputs, then constants.
 *   args[0]                                   arena, arena_bytes, 64-byte aligned
 *   args[1 + i]                               input or variable i of g->inputs
 *   args[1 + input_count + i]                 output i
 *   args[1 + input_count + output_count + i]  constant i: the graph's IR_B_CONSTANT buffers in order
 * All arrays are row-major. */
#ifndef TANDEM_RT_PROGRAM_H
#define TANDEM_RT_PROGRAM_H

#include "ir/ir.h"
#include "runtime/array.h"
#include "runtime/pool.h"

/* What compiled code may call, given at each run. */
typedef struct rt_services rt_services;
struct rt_services {
    rt_pool *pool;
    void (*parallel)(rt_pool *p, rt_chunk_fn *fn, void *const *args, int64_t n, int64_t grain);
    /* Runs kernel number `kernel`, a custom call.  False: it failed, and the run is to end. */
    bool (*custom)(const rt_services *s, int64_t kernel);
};

typedef void rt_entry_fn(void *const *args, const rt_services *s);

typedef struct rt_program_kernel {
    const char *name;
    rt_chunk_fn *fn; /* chunks of [0, units); of a custom call nothing; of a chain its first kernel's runs
                        strands of all members, and the others' is NULL */
    int64_t units, grain; /* grain 0: never split (called as fn(args, 0, units)) */
    double flops, bytes;  /* of one run */
    unsigned freedoms;    /* IR_FREE bits that its code makes use of */
} rt_program_kernel;

typedef struct rt_stage_time {
    const char *name;
    double ms;
} rt_stage_time;

/* Row-major, expanded, 64-byte aligned. */
typedef struct rt_constant {
    const void *data;
    size_t bytes;
    bool owned; /* rt_free frees it; else the graph holds it */
} rt_constant;

typedef struct rt_program {
    ir_graph *graph; /* final graph with kernels and buffers; owned */
    rt_entry_fn *entry;
    rt_program_kernel *kernels; /* same order and number as graph->kernels */
    int kernel_count;
    int constant_count;
    rt_constant *constants;
    rt_stage_time stages[24]; /* simplify, fuse, .., codegen, link */
    int stage_count;
    void *code;
    void (*code_free)(void *code);
    bool allocated; /* by rt_program_new */
} rt_program;

rt_program *rt_program_new(void); /* zeroed; NULL when out of memory.  Or embed one, zeroed */
/* Frees what p owns, and p itself if it is from rt_program_new: graph, code (code_free), kernels and
 * constants (free()), the data of each constant that is owned (rt_free). */
void rt_program_free(rt_program *p);

/* Frees all but the graph and the stages: p is as before it was loaded. */
void rt_program_unload(rt_program *p);

/* One run's memory: an arena and a table of pointers.  Several executions of a program may run at once. */
typedef struct rt_exec {
    const rt_program *program;
    void **args;
    void *arena;
    rt_services services;
    struct rt_call *calls; /* the custom calls, in the order of their kernels (custom.c) */
    int call_count;
    ir_error error;        /* of a custom call that failed in the last run */
    const ir_node *failed; /* that call */
} rt_exec;

rt_exec *rt_exec_new(const rt_program *p, rt_pool *pool, ir_error *e);
void rt_exec_free(rt_exec *x);
static inline void rt_exec_input(rt_exec *x, int i, const void *data)
{
    x->args[1 + i] = (void *)(uintptr_t)data;
}

static inline void rt_exec_output(rt_exec *x, int i, void *data)
{
    x->args[1 + x->program->graph->input_count + i] = data;
}

/* False: a custom call failed, x->error says why; outputs and assigned variables may hold anything. */
static inline bool rt_exec_run(rt_exec *x)
{
    x->error.status = IR_OK;
    x->program->entry(x->args, &x->services);
    return x->error.status == IR_OK;
}

/* Runs kernel by kernel, adding each one's nanoseconds to ns[kernel_count], calls visit(user, i) after kernel
 * i, and makes the buffer table's final copies.  ns and visit may be NULL. */
bool rt_exec_run_timed(rt_exec *x, double *ns, void (*visit)(void *user, int kernel), void *user);

/* Where node r's bytes are; false if it has no buffer, or never more than one slice of it is there. */
bool rt_place_of(const ir_graph *g, ir_ref r, ir_place *p);
void *rt_exec_address(const rt_exec *x, const ir_place *p);

/* custom.c */
bool rt_calls_open(rt_exec *x); /* finds the program's custom calls; false when out of memory */
bool rt_is_call(const rt_exec *x, int64_t kernel);
bool rt_call_run(const rt_services *s, int64_t kernel);

#endif
