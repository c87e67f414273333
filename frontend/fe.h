/* frontend/fe.h: what the files of this folder share.  Users' calls come in here.
 *
 * The one door: fe_begin checks the context and picks the sink (an open graph's, else the eager engine's),
 * fe_use turns each operand into a value of that sink (capturing eager tensors into an open graph), the call
 * emits, and fe_end makes the result a tensor again. */
#ifndef TANDEM_FE_H
#define TANDEM_FE_H

#define TDM_PLAIN_FUNCTIONS /* inside the library the functions themselves are meant, not the macros of the \
                               same name */
#include <tandem/inspect.h>
#include <tandem/tandem.h>

#include "codegen/codegen.h"
#include "ir/ir.h"
#include "passes/passes.h"
#include "runtime/pool.h"
#include "runtime/program.h"
#include "runtime/store.h"
#include "runtime/tensor.h"

/* A leaf of a graph under definition: a captured tensor, an input or an inner tensor that collects a
 * gradient. */
typedef struct fe_capture {
    tdm_tensor *tensor; /* held, by value only until the graph is closed; NULL for plain inputs */
    ir_ref leaf;        /* the node that stands for it; a constant's for captures by value */
    ir_ref current;     /* what reads see: the leaf, or the value last assigned */
    ir_ref grad;        /* the graph's .grad: IR_NONE for none */
    bool wants_grad;
    bool by_value;
} fe_capture;

struct tdm_graph {
    tdm_context *ctx;
    ir_graph *g;
    uint64_t serial; /* numbers the context's graphs: memory of a freed one may be another's by now */
    fe_capture *captures;
    int capture_count, capture_capacity;
    ir_ref *replaced; /* values of parameters before an assign: no loss made from them may come back */
    int replaced_count, replaced_capacity;
    pass_checkpoints checkpoints;
    ir_ref rng; /* the hidden input of the random state, u32[4]; IR_NONE */
    bool closed;
    bool borrowed; /* g belongs to a program */
};

typedef struct fe_name {
    struct fe_name *next;
    char text[];
} fe_name;

struct tdm_context {
    rt_context rt; /* must stay first */
    tdm_options options;
    char isa[16];
    char *cache; /* folder of compiled programs; NULL: none */
    rt_pool *pool;
    tdm_graph *open;
    uint64_t graphs;           /* made so far */
    int checkpoint_depth;      /* regions open inside each other; of the outermost: */
    uint64_t checkpoint_graph; /* the graph it is in, 0: eager */
    ir_ref checkpoint_first;   /* its first node */
    tdm_tensor *error_tensor;
    bool located; /* the error's text ends with the caller's place */
    fe_name *names;
    void *codegen_library;
    const cg_api *codegen;
    double op_ns[IR_OP_COUNT];
    ir_customs customs; /* registered (custom.c) */
};

struct tdm_program {
    tdm_context *ctx;
    rt_program p;
    tdm_graph graph; /* borrowed view of p.graph for inspect.h */
    ir_ref *map;     /* source node -> final node */
    uint32_t map_count;
    tdm_tensor **bound;       /* captured tensor of input i of the final graph, or NULL; held */
    int bound_count;          /* inputs of that graph */
    int rng_input;            /* index of the hidden input, -1 */
    int users;                /* executions alive */
    rt_store_key key, passes; /* passes: of what they made of the source graph */
    bool worth_keeping;       /* that */
    char cache[512];          /* what the disk cache did: "hit", "miss (no entry)", "off" */
};

struct tdm_exec {
    tdm_program *program;
    rt_exec *x;
    tdm_tensor **inputs; /* tensor bound to input i (held), NULL if data or none */
    bool *ready;
    int missing;          /* inputs that nothing is bound to */
    tdm_tensor **outputs; /* held */
    tdm_tensor **written; /* by assign: the variable that a run writes; not owned */
    uint32_t rng_state[4];
};

/* ---- errors ---- */
__attribute__((format(printf, 4, 5))) tdm_status fe_fail(tdm_context *ctx, tdm_loc at, ir_status s,
                                                         const char *fmt, ...);
tdm_status fe_status(ir_status s);
/* Appends the caller's place to the context's error, once. */
void fe_locate(tdm_context *ctx, tdm_loc at);
ir_type fe_type(tdm_dtype d, tdm_dims shape);
bool fe_valid_dtype(tdm_dtype d);
/* a copy that lives as long as ctx; NULL when out of memory */
const char *fe_keep_name(tdm_context *ctx, const char *name);

/* ---- the door ---- */
typedef struct fe_call {
    tdm_context *ctx;
    ir_sink *s;
    const char *op;
    tdm_loc at;
    bool scoped;       /* temporaries of a composite die at the end of the call */
    tdm_tensor *in[4]; /* operands seen, so that a result that is one of them stays where it is */
    int n;
} fe_call;

/* False when the call can't go on (an error is, or already was, recorded). */
bool fe_begin(fe_call *c, tdm_context *ctx, const char *op, tdm_loc at, bool composite);
tdm_context *fe_context_of(tdm_tensor *x, tdm_tensor *z, tdm_tensor *w);
ir_val fe_use(fe_call *c, tdm_tensor *t, const char *argument);
/* *v = t's value, or 0 for NULL, which is allowed.  False: t can't be used. */
bool fe_use_optional(fe_call *c, tdm_tensor *t, const char *argument, ir_val *v);
tdm_tensor *fe_end(fe_call *c, ir_val v);
/* Rank and extents as users may give them: inside, a negative extent is a symbol. */
bool fe_valid_shape(fe_call *c, tdm_dims shape);
/* The random state that the next `calls` Philox calls read, and the offset of the first (nn.c).  0 on error.
 */
ir_val fe_take_random(fe_call *c, unsigned calls, uint64_t *offset);

/* ---- graph definition (graph.c) ---- */
ir_ref fe_capture_ref(tdm_graph *g, tdm_tensor *t, tdm_loc at); /* IR_NONE + error */
fe_capture *fe_capture_find(tdm_graph *g, const tdm_tensor *t);
fe_capture *fe_capture_add(tdm_graph *g, tdm_tensor *t, ir_ref leaf);
/* The variable behind c gets the value v: later reads see it, and no gradient flows back through it. */
ir_status fe_capture_assign(tdm_graph *g, fe_capture *c, ir_ref v);
bool fe_in_graph(const tdm_tensor *t, const tdm_graph *g); /* a symbolic tensor of g */
tdm_tensor *fe_symbolic(tdm_graph *g, ir_ref r);           /* a handle in the current scope */
/* copies the graph's error into the context */
void fe_graph_locate(tdm_graph *g, tdm_loc at);
ir_ref fe_rng_ref(tdm_graph *g);
tdm_graph *fe_graph_wrap(tdm_context *ctx, ir_graph *g); /* takes g; frees it on failure */
ir_graph *fe_specialize(tdm_context *ctx, const ir_graph *g, const char *const *dims);

/* ---- custom calls (custom.c) ---- */
typedef struct fe_custom fe_custom;
const ir_custom *fe_custom_find(const tdm_context *ctx, const char *name); /* NULL: none */
void fe_customs_free(tdm_context *ctx);

/* ---- compiling ---- */
const cg_api *fe_codegen(tdm_context *ctx); /* loads the LLVM half at the first call; NULL + error */
cg_options fe_codegen_options(const tdm_context *ctx);
tdm_status fe_races(tdm_exec *e); /* of the run that has just ended, where they are checked */
pass_context fe_pass_context(tdm_context *ctx);
unsigned fe_freedoms(const tdm_context *ctx); /* IR_FREE bits: none if strict */

/* ---- compiled programs on disk (cache.c) ---- */
void fe_cache_open(tdm_context *ctx);                     /* finds the folder */
void fe_cache_options(ir_digest *d, const cg_options *o); /* whatever changes code */
bool fe_cache_load(tdm_program *p, const cg_options *o);
/* build: of the code generation that made m */
void fe_cache_keep(tdm_program *p, const cg_options *o, const rt_image *m, const char *build);

/* What the passes make of big graphs (cache_graph.c).  recall: p's graph and map are as after the passes;
 * false and nothing where it isn't known.  remember: for the next time, where recall has seen that it pays.
 */
bool fe_graph_recall(tdm_program *p, const ir_graph *g, const pass_context *pc, const cg_options *o);
void fe_graph_remember(tdm_program *p);

#endif
