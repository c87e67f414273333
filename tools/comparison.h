/* tools/comparison.h: both engines on one graph and the same inputs: what cmd_compare.c prints. */
#ifndef TANDEM_COMPARISON_H
#define TANDEM_COMPARISON_H

#include "tools/difference.h"
#include "tools/side_by_side.h"

typedef struct comparison {
    tdm_context *ctx;
    tdm_graph *source;   /* dims set, differentiated if asked */
    tdm_tensor **values; /* of tdm_graph_inputs(source), held */
    tdm_program *program;
    tdm_exec *exec;
    tdm_tensor **variables;  /* the compiled run's own copies of variables, NULL for inputs; held */
    tdm_tensor **node;       /* eager value of every node of source, held until the divergence is found */
    tdm_tensor **final_node; /* the same of the optimised graph */
    int n_results;           /* outputs, then assigns */
    difference *results;
    const char **result_names;
    int bad_node;        /* source node where values first differ, -1 */
    int bad_kernel;      /* its kernel, -1 */
    bool bad_final;      /* bad_node is of the optimised graph: no source node maps to it */
    bool broken_by_pass; /* the optimised graph itself differs from the source: not code generation */
    difference bad;
    size_t eager_peak;
    double build_s;
    side_table side;
} comparison;

/* Runs everything.  False after a message or a sticky error. */
bool comparison_run(comparison *c, double rtol, double atol);
void comparison_free(comparison *c);

#endif
