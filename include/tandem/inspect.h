/* Looking inside: text IR, passes by name, node and kernel tables, the eager replay of a graph, dumps.
 * What the `tandem` command is made of. */
#ifndef TANDEM_INSPECT_H
#define TANDEM_INSPECT_H

#include <tandem/tandem.h>

#if defined __cplusplus
extern "C" {
#endif

/* Text IR (docs/ir.md).  Errors are sticky in ctx: "FILE:LINE: ..".  Returned text is freed with
 * tdm_text_free. */
TDM_API tdm_graph *tdm_graph_parse(tdm_context *ctx, const char *text, size_t size, const char *file);
TDM_API char *tdm_graph_text(const tdm_graph *g);
TDM_API void tdm_text_free(char *text);

/* A new graph: passes is "a,b,c", NULL the whole pipeline, or "..a" the pipeline up to and including a. */
TDM_API tdm_graph *tdm_graph_pass(const tdm_graph *g, const char *passes);
/* The first n passes of the pipeline; map[i]: where node i of g went, -1: gone (tdm_graph_nodes entries).
 * NULL past the end of the pipeline. */
TDM_API tdm_graph *tdm_graph_prefix(const tdm_graph *g, int n, int *map);
/* Names and one-line descriptions, NULL past the end; extra passes (gradient) follow those of the pipeline.
 */
TDM_API const char *tdm_pass_name(int i, const char **what);
/* A copy with every symbolic dim given a value: "n=128". */
TDM_API tdm_graph *tdm_graph_specialize(const tdm_graph *g, const char *const *dims);

typedef struct tdm_node_info {
    const char *op, *name; /* name: inputs and variables, else "" */
    tdm_dtype dtype;
    int rank;
    int64_t dims[TDM_MAX_RANK]; /* < 0: symbolic */
    int n_operands;
    int operands[8];
    const char *file, *region; /* "" if unknown */
    unsigned line;
    double flops, bytes; /* of computing it alone: bytes read and written */
} tdm_node_info;
TDM_API int tdm_graph_nodes(const tdm_graph *g);
TDM_API bool tdm_graph_node(const tdm_graph *g, int i, tdm_node_info *out);
TDM_API const char *tdm_graph_name(const tdm_graph *g);
TDM_API const char *tdm_graph_dim_name(const tdm_graph *g, int64_t dim); /* of a symbolic dim */
TDM_API int tdm_graph_inputs(const tdm_graph *g);                        /* inputs and variables */
TDM_API int tdm_graph_input(const tdm_graph *g, int i, bool *variable);  /* its node */
TDM_API int tdm_graph_outputs(const tdm_graph *g);
TDM_API int tdm_graph_output(const tdm_graph *g, int i, const char **name); /* its node */
TDM_API int tdm_graph_assigns(const tdm_graph *g);
TDM_API int tdm_graph_assign(const tdm_graph *g, int i, int *variable); /* node of the value */

/* Runs a graph node by node on the eager engine.  values[i]: tensor of input i (tdm_graph_inputs order).
 * visit sees every node's value as it is made; false stops.  Values die when the call returns, outputs[]
 * (tdm_graph_outputs entries, or NULL) and the values of assigns (new_values, tdm_graph_assigns entries, or
 * NULL) live in the current scope. */
typedef bool tdm_visit(void *user, int node, tdm_tensor *value, double ns);
TDM_API tdm_status tdm_interpret(const tdm_graph *g, tdm_tensor *const *values, tdm_visit *visit, void *user,
                                 tdm_tensor **outputs, tdm_tensor **new_values);

/* Runs g on the eager engine with a tape and differentiates it there, as pass gradient does on the graph:
 * grads[k] is the gradient of the k-th floating-point input or variable, held, NULL if it is not reached;
 * upstream[k] is for the k-th floating-point output. */
TDM_API tdm_status tdm_interpret_gradients(const tdm_graph *g, tdm_tensor *const *values,
                                           tdm_tensor *const *upstream, tdm_tensor **grads);

/* tdm_compile with a pass that does the least it can: "chain" makes no chains; "plan" gives every value
 * memory of its own, and there are no chains either.  What then differs from tdm_compile is an error of that
 * pass. */
TDM_API tdm_program *tdm_compile_without(tdm_graph *g, const char *pass);
/* Programs: the optimised graph, where each node of the source graph went (-1: gone), kernels, stages,
 * memory. */
TDM_API const tdm_graph *tdm_program_graph(const tdm_program *p);
TDM_API int tdm_program_map(const tdm_program *p, int source_node);
typedef struct tdm_kernel_info {
    const char *name, *kind;
    int n_nodes, n_outs;
    const uint32_t *nodes, *outs; /* of tdm_program_graph */
    double flops, bytes;          /* of the first of a chain: of all members */
    unsigned freedoms;            /* those of TDM_FAST that its code makes use of */
    /* kernels that run together from this one on, slice by slice: 1; 0: it runs with an earlier one */
    int members;
} tdm_kernel_info;
TDM_API int tdm_program_kernels(const tdm_program *p);
TDM_API bool tdm_program_kernel(const tdm_program *p, int i, tdm_kernel_info *out);
TDM_API const char *tdm_program_stage(const tdm_program *p, int i, double *ms); /* NULL past the end */
/* What the disk cache did for p: "hit", "miss (no entry)", "miss (entry corrupt)", "miss (other cpu)", "miss
 * (other version)", "off"; ", not kept: WHY" where the code could not be written. */
TDM_API const char *tdm_program_cache(const tdm_program *p);
TDM_API size_t tdm_program_arena_bytes(const tdm_program *p);
/* The most bytes of the arena in use at once: what its placing is measured by. */
TDM_API size_t tdm_program_live_bytes(const tdm_program *p);
/* Operations of nodes that compute a value that an earlier one has: checkpoints' and the budget's price. */
TDM_API double tdm_program_repeated_flops(const tdm_program *p);
/* All memory a run needs beside inputs and variables: arena, outputs, constants. */
TDM_API size_t tdm_program_memory_bytes(const tdm_program *p);

/* Runs kernel by kernel, adding each one's nanoseconds to ns[kernels]; visit (or NULL) is called after kernel
 * i, when tdm_exec_value may look at what it stored. */
TDM_API tdm_status tdm_exec_run_timed(tdm_exec *e, double *ns, void (*visit)(void *user, int kernel),
                                      void *user);
/* A stored node's value (a tensor over the exec's memory, valid until the memory is reused), NULL if it lives
 * only in registers. */
TDM_API tdm_tensor *tdm_exec_value(tdm_exec *e, int node);
/* Binds variable `name` of a graph that was parsed, not captured. */
TDM_API tdm_status tdm_exec_bind_variable(tdm_exec *e, const char *name, tdm_tensor *t);

typedef enum {
    TDM_DUMP_TEXT,
    TDM_DUMP_DOT,
    TDM_DUMP_KERNELS,
    TDM_DUMP_ARENA,
    TDM_DUMP_LLVM,
    TDM_DUMP_ASM
} tdm_dump_kind;
/* TEXT, DOT: any graph.  The others run the rest of the pipeline first if needed.  Freed with tdm_text_free.
 */
TDM_API char *tdm_graph_dump(const tdm_graph *g, tdm_dump_kind kind);

/* Element i of row-major data as tdm_read gives it, as a double (integers beyond 2^53 are rounded). */
TDM_API double tdm_element(tdm_dtype d, const void *data, int64_t i);

/* What TDM_FAST may do in compiled programs, each where it is not slower (docs/numerics.md, Fast). */
typedef enum { TDM_CONTRACT = 1, TDM_REASSOCIATE = 2 } tdm_freedom;
/* Freedom i of TDM_FAST: its name, its bit and what it may change; NULL past the end. */
TDM_API const char *tdm_freedom_name(int i, unsigned *bit, const char **what);
/* Of programs compiled from now on, as the fields of tdm_options.  TDM_EARG: no such mode or freedom. */
TDM_API tdm_status tdm_set_numerics(tdm_context *ctx, tdm_numerics mode, unsigned freedoms);

/* Nanoseconds that the eager engine spent per op since profiling was switched on; names as in docs/ops. */
TDM_API void tdm_profile(tdm_context *ctx, bool on);
TDM_API const char *tdm_profile_op(const tdm_context *ctx, int i, double *ns); /* NULL past the end */

/* The disk cache: its folder (NULL: off), what it holds, and removing that (how many programs). */
TDM_API const char *tdm_cache_folder(const tdm_context *ctx);
TDM_API void tdm_cache_count(const tdm_context *ctx, int *programs, size_t *bytes);
TDM_API int tdm_cache_clear(tdm_context *ctx);

typedef struct tdm_host_info {
    char cpu[64], llvm[32]; /* llvm "" when the LLVM half can't be loaded */
    const char *eager_isa;
    int lanes, cpus;
} tdm_host_info;
TDM_API tdm_status tdm_host(tdm_context *ctx, tdm_host_info *out);

#if defined __cplusplus
}
#endif
#endif
