/* codegen/eval.h: evaluating nodes of one kernel at index maps (ir/map.h) inside the loops that an emitter opened.
 *
 * An emitter (loop.c row.c outer.c contract.c index.c) opens its loops, tells the kernel state the current index of every
 * iteration dim (`index`, the vector dim's being that of lane 0), and asks for values.  cg_eval loads, computes and remembers
 * each (node, map) pair; what does not depend on inner dims is emitted in the block where the last dim it depends on was set,
 * so invariants leave the inner loops. */
#ifndef TANDEM_CG_EVAL_H
#define TANDEM_CG_EVAL_H

#include "codegen/cg.h"

typedef struct cg_memo cg_memo;

typedef struct cg_kernel {
    cg *c;
    const ir_graph *g;
    const ir_kernel *k;
    LLVMValueRef args, begin, end;      /* the function's parameters: chunk [begin, end) of `units` */
    ir_map space;                       /* iteration dims: extents */
    int inner, run;                     /* as ir_kernel_space */
    LLVMValueRef index[IR_MAX_RANK];    /* current i64 index of each dim */
    LLVMBasicBlockRef home[IR_MAX_RANK];/* where dim j's index was set: code that depends on dims <= j may be emitted at its end */
    LLVMBasicBlockRef entry;            /* code that depends on no dim */
    int vector_dim;                     /* the dim whose consecutive indices lie in lanes; -1: all dims scalar */
    LLVMValueRef mask;                  /* active lanes (vector of i1), NULL: all */
    cg_memo *memo;
    int64_t units, grain;               /* set by the emitter: how chunks are cut */
} cg_kernel;

/* The node's value in register form for the current indices; a splat where it does not vary along the vector dim. */
LLVMValueRef cg_eval(cg_kernel *k, ir_ref node, const ir_map *m);
/* Gives the node's value at map m for the current indices (an accumulator, a finished row reduction). */
void cg_seed(cg_kernel *k, ir_ref node, const ir_map *m, LLVMValueRef v);
/* Forgets what depends on dims >= dim; call when the index of `dim` changes or its loop closes. */
void cg_forget(cg_kernel *k, int dim);
/* Stores v, element (current indices) of out's buffer at map m (usually the identity), under the mask. */
void cg_store(cg_kernel *k, ir_ref out, const ir_map *m, LLVMValueRef v);
/* Pointer to the buffer of a node (args lookup, emitted once in the entry block). */
LLVMValueRef cg_base(cg_kernel *k, ir_ref node);
/* Vector load and store of `lanes` elements of dtype at base + linear*size with a lane stride; honours the mask. */
LLVMValueRef cg_load_at(cg_kernel *k, LLVMValueRef base, ir_dtype d, LLVMValueRef linear, int64_t lane_stride);
void cg_store_at(cg_kernel *k, LLVMValueRef base, ir_dtype d, LLVMValueRef linear, int64_t lane_stride, LLVMValueRef v);

/* Counted loops.  for (i = from; i < to; i += step): the body is emitted between open and close. */
typedef struct cg_loop { LLVMValueRef index, to; int64_t step; LLVMBasicBlockRef header, body, done; } cg_loop;
cg_loop cg_loop_open(cg *c, LLVMValueRef from, LLVMValueRef to, int64_t step, const char *name);
void cg_loop_close(cg *c, cg_loop *l);

/* The emitters: each emits the body of `void kernel(void *const *args, i64 begin, i64 end)` and sets units and grain. */
void cg_emit_loop(cg_kernel *k);
void cg_emit_row(cg_kernel *k);
void cg_emit_outer(cg_kernel *k);
void cg_emit_contract(cg_kernel *k);
void cg_emit_index(cg_kernel *k);

#endif
