/* tools/twin.h: one function of tensors, made ready in one engine.  Eager: a run calls it.  Static: it is
 * called once, inside an open graph, and a run executes the compiled program.  Its inputs are filled in
 * place. */
#ifndef TANDEM_TWIN_H
#define TANDEM_TWIN_H

#include "tools/cli.h"

enum { TWIN_MOST_INPUTS = 8 };

typedef struct twin {
    tdm_context *ctx;
    const char *name;
    bool eager, recorded; /* recorded: it takes gradients */
    tdm_tensor *(*function)(void *user, tdm_tensor *const *x);
    void *user;
    int n;
    const char *names[TWIN_MOST_INPUTS];
    tdm_tensor *x[TWIN_MOST_INPUTS]; /* held */
    tdm_graph *graph;
    tdm_program *program;
    tdm_exec *exec;
    double define_s, compile_s;
} twin;

/* Another input, before twin_ready; held by the twin. */
void twin_input(twin *t, const char *name, tdm_tensor *x);
/* Compiles (static).  False + sticky error. */
bool twin_ready(twin *t);
/* One run; its result, row-major.  False + sticky error. */
bool twin_run(twin *t, void *result, size_t bytes);
void twin_close(twin *t); /* before its context goes */

#endif
