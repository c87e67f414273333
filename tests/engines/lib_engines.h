/* tests/engines/lib_engines.h: cases on the eager engine and, as one graph, through passes and compiler. */
#ifndef TANDEM_TESTS_LIB_ENGINES_H
#define TANDEM_TESTS_LIB_ENGINES_H

#include "frontend/fe.h"
#include "tests/engines/lib_cases.h"

enum { GROUP_CASES = 32, GROUP_LEAVES = GROUP_CASES * 14, GROUP_VALUES = GROUP_CASES * 20 };

/* Data of an operand or an upstream gradient, or a result. */
typedef struct stored {
    ir_type type;
    void *data; /* NULL: a gradient that is none */
    char name[24];
    int in;            /* operand of its case; -1 for upstream gradients */
    const op_case *of; /* the case */
    int order;         /* results: 0 values, 1 gradients, 2 second derivatives.  Upstream: 1, 2 */
    int grad_of;       /* results of order 1, 2: leaf that it is the gradient of */
    int upstream;      /* results that are differentiated: leaf that is their upstream gradient, else -1 */
} stored;

typedef struct group {
    const op_case *cases[GROUP_CASES];
    int count;
    stored leaves[GROUP_LEAVES], values[GROUP_VALUES];
    int leaf_count, value_count;
    unsigned again[GROUP_CASES]; /* first gradients that are differentiated again */
    bool constants;              /* every third leaf is a constant of the graph */
    bool filled;                 /* the first run makes the data of leaves, the second uses them */
} group;

void group_add(group *g, const op_case *c);
void group_free(group *g);
/* Values and derivatives of all cases on the eager engine. */
void group_run(group *g, tdm_context *ctx);
/* The same cases as one graph, with the same leaves. */
tdm_graph *group_graph(group *g, tdm_context *ctx);

/* For differences.  Every element of the operands of g that has a gradient moves by h times a number in
 * -1..1: */
void group_copy_moved(group *to, const group *g, double h);
/* .. the change of the sums <y, dy> and <gradients, upstream> that the gradients promise, and the sum of its
 * terms' magnitudes; */
void group_slopes(const group *g, double slope[2], double size[2]);
/* .. and these sums. */
void group_losses(const group *g, double loss[2]);

ir_sink *engine_sink(tdm_context *ctx); /* the open graph's, else the eager one */
/* The op in the context of the last engine_sink; registered there if it wasn't. */
const ir_custom *engine_custom(const char *name);
extern const tdm_custom_op engine_custom_op;
ir_val engine_filled(tdm_context *ctx, const ir_type *t, int i);

typedef struct engine_config {
    const char *isa;
    int width, threads;
    bool races; /* chunks are checked for races */
} engine_config;
extern const engine_config engine_configs[];
enum { ENGINE_CONFIGS = 12 };

typedef struct engines {
    tdm_context *eager, *compiled[ENGINE_CONFIGS]; /* NULL: this CPU can't */
} engines;

/* For tests with engines of their own: a context of one thread that knows the custom op, .. */
tdm_context *engines_context(int width);
/* .. and g's leaves bound to a program of group_graph. */
void engines_bind(tdm_exec *x, tdm_context *ctx, const group *g);

void engines_open(engines *e);
void engines_close(engines *e);
/* The configurations, as bits, whose turn it is with group `number`: one, or as many as TANDEM_TEST_CONFIGS
 * says (12: all).  The last configuration has no turns.  Instrumented builds leave out half of the groups. */
unsigned engines_turns(int number);
/* g on the eager engine at every instruction set, and compiled for these configurations: all results have the
 * bits of the eager run. */
void engines_check(engines *e, group *g, unsigned configs);

#endif
