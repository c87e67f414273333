/* tools/side_by_side.h: each compiled kernel beside the eager ops it replaced: time, bytes.  For compare and
 * train. */
#ifndef TANDEM_SIDE_BY_SIDE_H
#define TANDEM_SIDE_BY_SIDE_H

#include "tools/cli.h"

typedef struct side_kernel {
    tdm_kernel_info info;
    double static_us, eager_us;       /* median of the repeats; a chain's are with its first kernel */
    double eager_bytes, static_bytes; /* read and written by the ops one by one; by the kernel */
} side_kernel;

typedef struct side_table {
    int count;
    side_kernel *kernels;
    double static_us, eager_us; /* a whole call: compiled, by its entry; eager, all nodes */
} side_table;

/* Measures `repeats` runs of e (which is ready to run; variables change if it assigns) and of the same graph
 * replayed on the eager engine over values (tdm_graph_inputs of the program's graph).  False + sticky error
 * or message. */
bool side_measure(tdm_context *ctx, const tdm_program *p, tdm_exec *e, tdm_tensor *const *values, int repeats,
                  side_table *out);
void side_print(const side_table *t, const tdm_program *p);
void side_free(side_table *t);
/* How many calls until compiling has paid; < 0: never. */
double side_break_even(double build_s, double eager_us, double static_us);

#endif
