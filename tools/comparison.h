/* tools/comparison.h: both engines on one graph and the same inputs: what cmd_compare.c prints. */
#ifndef TANDEM_COMPARISON_H
#define TANDEM_COMPARISON_H

#include "tools/difference.h"
#include "tools/side_by_side.h"

typedef struct comparison {
    tdm_context *ctx;
    bool fast;           /* the program may differ in the last bits: no pass is to blame */
    tdm_graph *source;   /* dims set, differentiated if asked */
    tdm_graph *forward;  /* what source is the gradient of, NULL: nothing */
    tdm_tensor **values; /* of tdm_graph_inputs(source), held */
    tdm_program *program;
    tdm_exec *exec;
    tdm_tensor **variables;  /* the compiled run's own copies of variables, NULL for inputs; held */
    tdm_tensor **node;       /* eager value of every node of source, held until the divergence is found */
    tdm_tensor **final_node; /* the same of the optimised graph */
    int n_results;           /* outputs, then assigns */
    difference *results;
    const char **result_names;
    int bad_node;     /* source node where values first differ, -1 */
    int bad_kernel;   /* its kernel, -1 */
    bool bad_final;   /* bad_node is of the optimised graph: no source node maps to it */
    const char *pass; /* to blame: the first that changes a value, "codegen", NULL if nothing differs */
    difference bad;
    size_t eager_peak;
    double build_s;
    side_table side;
} comparison;

/* Binds the values to an execution of source's; variables[] gets copies of them, held. */
void comparison_bind(comparison *c, tdm_exec *e, tdm_tensor **variables);
/* Outputs and variables after a run of it, against the eager engine's. */
void comparison_results(const comparison *c, tdm_exec *e, tdm_tensor *const *variables, double rtol,
                        double atol, difference *results);
int comparison_kernel(const tdm_program *p, int final_node); /* that computes it, -1 */
void comparison_drop(tdm_tensor **list, int n);

bool comparison_replay(comparison *c, const tdm_graph *g, tdm_tensor **node); /* every value, held */

/* blame.c: fills pass, and the node where values first differ, if anything does.  False + sticky error. */
bool blame(comparison *c);
/* The same for the gradients of c->forward, against the tape's, which take their place among the values. */
bool blame_gradient(comparison *c);

/* Runs everything.  False after a message or a sticky error. */
bool comparison_run(comparison *c, double rtol, double atol);
void comparison_free(comparison *c);

#endif
