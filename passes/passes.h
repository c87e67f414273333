/* passes/passes.h: graph -> graph.  The order of the pipeline is the array in pipeline.c. */
#ifndef TANDEM_PASSES_H
#define TANDEM_PASSES_H

#include "ir/ir.h"

/* Computes one op on row-major constants (the eager engine's arithmetic): given from above for folding. */
typedef ir_status pass_eval_fn(void *user, ir_op op, const ir_attrs *a, const ir_type *const *xt,
                               const void *const *x, int n, const ir_type *yt, void *y);

typedef struct pass_context {
    pass_eval_fn *eval;
    void *eval_user;
    ir_error *err;
    bool apart;     /* plan shares no memory: every value has a place of its own, to tell an error of plan */
    bool unchained; /* no chains, to tell an error of chain; nor are there with apart */
    size_t memory_budget; /* the most bytes of arena a plan may take; 0: any */
    int threads;          /* that the program is to run on; up to 1: one */
    size_t chain_slice;   /* for tests: any chain will do, in slices of so many bytes; 0: what pays */
    bool any_blocks; /* for tests: any blocks of rows are reduced along with the rows, not only what pays */
    /* NULL, or where the caller has the graph that is run on and gives it up: it is freed, and set to NULL,
     * when the first pass is done, and the bytes of constants that nobody else holds may be used again */
    ir_graph **given;
} pass_context;

/* Rewrites `in` into the empty graph `out`; map[ref in in] = ref in out or IR_NONE.  Inputs, variables,
 * outputs and assigns keep their order and names.  Annotating passes (fuse, chain, plan) copy the nodes as
 * they are and fill kernels or buffers. */
typedef ir_status pass_fn(pass_context *pc, const ir_graph *in, ir_graph *out, ir_ref *map);

typedef struct pass_info {
    const char *name, *what; /* one line */
    pass_fn *run;
} pass_info;

/* ends with a NULL name */
extern const pass_info pass_pipeline[];
extern const pass_info pass_extra[]; /* runnable by name only (gradient); ends with a NULL name */
const pass_info *pass_find(const char *name);

typedef struct pass_report {
    const char *name;
    double ms;
    uint32_t nodes_before, nodes_after;
} pass_report;
/* After each pass: may look at (not keep) the graph; `map` leads from the first graph's refs to this one's.
 * False stops. */
typedef bool pass_observer(void *user, const char *pass, const ir_graph *g, const ir_ref *map);

/* Runs passes[0..count) over g, verifying and timing after each; returns a new graph (g stays) or NULL.
 * stop_after: NULL or a name.  reports: room for count entries or NULL.  map: NULL or g->count entries to
 * fill. */
ir_graph *pass_run(pass_context *pc, const ir_graph *g, const pass_info *const *passes, int count,
                   pass_report *reports, pass_observer *observe, void *user, ir_ref *map);
/* The whole pipeline up to and including `stop_after` (NULL: all). */
ir_graph *pass_run_pipeline(pass_context *pc, const ir_graph *g, const char *stop_after, pass_report *reports,
                            int *report_count, pass_observer *observe, void *user, ir_ref *map);

/* Checkpointed regions of a graph under definition: runs of nodes whose values the gradient computes again
 * instead of keeping them.  `again` are the nodes that gradients so far made for that, with the node whose
 * value each repeats: to further gradients they are one value.  Zeroed to begin with; freed by the owner. */
typedef struct pass_region {
    ir_ref first, end, result; /* nodes first..end-1; result: kept, IR_NONE for none */
} pass_region;

typedef struct pass_again {
    ir_ref node, of;
} pass_again;

typedef struct pass_checkpoints {
    pass_region *regions; /* ascending, apart */
    int region_count, region_room;
    pass_again *again; /* ascending by node */
    size_t again_count, again_room;
} pass_checkpoints;

bool pass_checkpoints_add(pass_checkpoints *c, pass_region r); /* false: out of memory */
void pass_checkpoints_free(pass_checkpoints *c);

/* Symbolic reverse mode on the graph as the user wrote it: appends to g the gradients of sum over i of
 * <outs[i], douts[i]> with respect to wrt[0..nw), in the tape's order (numerics.md rule 9).  douts[i]
 * IR_NONE: ones (a scalar out only). grads[i] = IR_NONE where the value is not reached. */
ir_status pass_gradient_checkpointed(ir_graph *g, pass_checkpoints *c, const ir_ref *outs,
                                     const ir_ref *douts, int no, const ir_ref *wrt, int nw, ir_ref *grads);
/* The same without checkpoints. */
ir_status pass_gradient(ir_graph *g, const ir_ref *outs, const ir_ref *douts, int no, const ir_ref *wrt,
                        int nw, ir_ref *grads);

#endif
