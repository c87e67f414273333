/* codegen/eval.h: evaluating nodes of one kernel at index maps (ir/map.h) inside the loops that an emitter
 * opened.
 *
 * An emitter (loop.c row.c outer.c contract.c index.c) opens its loops, tells the kernel state the current
 * index of every iteration dim (`index`, the vector run's being that of lane 0), and asks for values. cg_eval
 * loads, computes and remembers each (node, map) pair; what does not depend on inner dims is emitted in the
 * block where the last dim it depends on was set, so invariants leave the inner loops.  What does not vary
 * along the lanes is computed as a scalar and spread when used.
 *
 * A pair is a *term*, made once per kernel (terms.c); its values are kept per *bank*: an emitter that unrolls
 * over one dim gives every copy its own bank and so keeps all copies in registers.  Bank 0 is all there is
 * unless `banks` > 1. */
#ifndef TANDEM_CG_EVAL_H
#define TANDEM_CG_EVAL_H

#include "codegen/cg.h"

#define CG_STAGE \
    IR_MAX_RANK /* pseudo-dim: seeded values (finished reductions) depend on it besides their map's dims */
#define CG_DIMS (IR_MAX_RANK + 1)
#define CG_MAX_TOGETHER 4 /* banks evaluated in step */

typedef enum {
    CG_T_LOAD,       /* a buffer's element                                             */
    CG_T_IMMEDIATE,  /* a constant of one element or repeated                          */
    CG_T_GENERATE,   /* iota, random_bits                                              */
    CG_T_OP,         /* pointwise                                                      */
    CG_T_RECIPROCAL, /* 1 / the operand (division.c)                                 */
    CG_T_SEED,       /* a reduce or product of this kernel: given by cg_seed           */
    CG_T_STORE       /* an out's place; only its pointers are kept                     */
} cg_term_kind;

/* How a term is computed where a freedom lets it be another way than the op table says. */
typedef enum {
    CG_AS_WRITTEN,
    /* contraction.c: a sum whose product is made by the same instruction; operands x, z, w */
    CG_PRODUCT_PLUS,  /* x z + w */
    CG_PRODUCT_MINUS, /* x z - w */
    CG_MINUS_PRODUCT, /* w - x z */
    /* division.c: operands x, 1 / z */
    CG_TIMES_RECIPROCAL,
    CG_QUOTIENT /* as written, or the same bits with fewer divisions; operands x, z, 1 / z */
} cg_way;

typedef struct cg_term {
    cg_term_kind kind;
    cg_way way;
    ir_ref node;
    ir_map map;
    int n, x[4];   /* operand terms: smaller numbers                          */
    unsigned uses; /* bit j: varies with dim j (of extent > 1), bit CG_STAGE  */
} cg_term;

typedef struct cg_memo cg_memo;       /* eval.c: values of the terms           */
typedef struct cg_binding cg_binding; /* share.h: where buffers are found      */

enum { CG_VARIANT_TEXT = 256 };

typedef struct cg_kernel {
    cg *c;
    const ir_graph *g;
    const ir_kernel *k;
    const cg_binding *binding;
    /* the function's parameters: chunk [begin, end) of `units`; table: share.h */
    LLVMValueRef args, begin, end, table;
    ir_map space;                    /* iteration dims: extents */
    int inner, run;                  /* as ir_kernel_space */
    int slice_dims;                  /* of a chain's member: outermost dims that hold its slices; each is a */
    int64_t slices;                  /* number of whole units in order (ir_chain) */
    LLVMValueRef index[IR_MAX_RANK]; /* current i64 index of each dim */
    LLVMBasicBlockRef home[CG_DIMS]; /* where dim j's index was set: code that depends on no deeper dim is
                                        emitted at its end; NULL: at the current position */
    int level[CG_DIMS];              /* nesting depth of dim j's loop; by default j */
    LLVMBasicBlockRef entry;         /* code that depends on no dim */
    int vector_first,
        vector_dim; /* dims vector_first..vector_dim, taken as one flat run, lie in lanes; index[vector_dim]
                       is the flat index of lane 0, those before it are 0; vector_dim -1: all dims scalar.
                       A map that can't step through the run evenly is read lane by lane */
    LLVMValueRef tail_mask[64]; /* by active lanes: made once (space.c) */
    LLVMValueRef mask;          /* active lanes (vector of i1), NULL: all */
    /* current, and how many; set banks before the first term's value is asked for */
    int bank, banks;
    unsigned banked; /* bit j: dim j differs between banks */
    LLVMValueRef bank_index[CG_MAX_TOGETHER], bank_mask[CG_MAX_TOGETHER]; /* see cg_eval_together */
    cg_term *terms;
    int term_count, term_capacity;
    int32_t *term_slots; /* open addressing: term number + 1 */
    int term_slot_count;
    cg_memo *memo;
    LLVMMetadataRef debug_scope; /* NULL: no debug information */
    /* Outs that cg_streams names begin at cache lines: stores go past the caches. */
    bool streaming;
    bool mends_quotients;          /* nothing that is divided here may underflow (division.c) */
    bool failed;                   /* out of memory or a view that can't be expressed: c->err says which */
    int threads;                   /* that the chunks should suit; no bit depends on it */
    int64_t units, grain;          /* set by the emitter: how chunks are cut */
    char variant[CG_VARIANT_TEXT]; /* set by the emitter where there are several ways: which, and why */
} cg_kernel;

/* ---- terms.c ---- */
/* The term of node at map m, made with its operands if new; views are looked through.  -1 on failure
 * (k->failed). */
int cg_term_of(cg_kernel *k, ir_ref node, const ir_map *m);
int cg_store_term(cg_kernel *k, ir_ref out, const ir_map *m);
bool cg_kernel_has(const ir_kernel *k, ir_ref node);
int cg_reciprocal_term(cg_kernel *k, int t); /* 1 / term t; -1 on failure */
/* Marks in need[0..term_count) what the marked terms are computed from; stop[] (or NULL): terms not to go
 * below. */
void cg_terms_need(const cg_kernel *k, uint8_t *need, const uint8_t *stop);
/* Map of a value of the space's dims [first, last) in row-major order, repeated along the others. */
ir_map cg_map_over(const cg_kernel *k, int first, int last);
void cg_terms_free(cg_kernel *k);
ir_status cg_fail(cg_kernel *k, ir_status s, const char *what);
double cg_terms_flops(const cg_kernel *k); /* of one element of the space: all terms once */
/* Where `flops` are many for each of n elements: values of two registers, so that two chains of dependent
 * operations overlap, which are too long for the processor's window to reach from one vector to the next. */
bool cg_pair_registers(cg_kernel *k, double flops, int64_t n);

/* ---- contraction.c: freedom contract ---- */
/* Makes one fma of t, a finished addition or subtraction, and a product among its operands, where it may. */
void cg_contract_term(const cg_kernel *k, cg_term *t);
/* The term of a product that a running sum of dtype d may take up by fma, or NULL. */
const cg_term *cg_contracted_product(cg_kernel *k, int term, ir_dtype d);
/* The value of a term computed in another way than as written; x[]: its operands. */
LLVMValueRef cg_other_way(cg *c, cg_way way, const LLVMValueRef *x);

/* ---- division.c ---- */
/* Lets t, a finished division, make use of a reciprocal, where it may and that is made once. */
void cg_divide_once(cg_kernel *k, cg_term *t);
/* The value of a term of way CG_QUOTIENT: mended where k->mends_quotients. */
LLVMValueRef cg_quotient(cg_kernel *k, const LLVMValueRef *x);

/* ---- eval.c ---- */
/* The node's value in register form for the current indices; a splat where it does not vary along the vector
 * run. */
LLVMValueRef cg_eval(cg_kernel *k, ir_ref node, const ir_map *m);
LLVMValueRef cg_eval_term(cg_kernel *k, int term); /* as a vector of c->lanes */
/* a term that does not vary along the run, as a scalar */
LLVMValueRef cg_eval_scalar(cg_kernel *k, int term);
bool cg_term_varies(const cg_kernel *k, int term); /* along the vector run */
/* The term in banks [0, banks), one operation at a time for all of them, so that long chains of dependent
 * operations overlap.  Bank b stands at index bank_index[b] of the vector run under bank_mask[b]. */
void cg_eval_together(cg_kernel *k, int term, int banks);
void cg_enter_bank(cg_kernel *k, int b);
/* Gives the node's value at map m for the current indices (an accumulator, a finished row reduction). */
void cg_seed(cg_kernel *k, ir_ref node, const ir_map *m, LLVMValueRef v);
void cg_seed_term(cg_kernel *k, int term, LLVMValueRef v);
/* Forgets what depends on dims as deep as `dim`; call when the index of `dim` changes or its loop closes. */
void cg_forget(cg_kernel *k, int dim);
void cg_forget_level(cg_kernel *k, int level);
void cg_memo_free(cg_kernel *k);

/* ---- loads.c ---- */
/* Stores v, element (current indices) of out's buffer at map m (usually the identity), under the mask. */
void cg_store(cg_kernel *k, ir_ref out, const ir_map *m, LLVMValueRef v);
/* one element, whatever the mask */
void cg_store_scalar(cg_kernel *k, ir_ref out, const ir_map *m, LLVMValueRef v);
/* Pointer to the buffer of a node (args lookup, emitted once in the entry block). */
LLVMValueRef cg_base(cg_kernel *k, ir_ref node);
/* Vector load and store of `lanes` elements of dtype at base + linear*size with a lane stride; honours the
 * mask. */
LLVMValueRef cg_load_at(cg_kernel *k, LLVMValueRef base, ir_dtype d, LLVMValueRef linear,
                        int64_t lane_stride);
void cg_store_at(cg_kernel *k, LLVMValueRef base, ir_dtype d, LLVMValueRef linear, int64_t lane_stride,
                 LLVMValueRef v);
LLVMValueRef cg_load_scalar(cg *c, LLVMValueRef pointer, ir_dtype d); /* memory -> register form */
LLVMValueRef cg_to_memory(cg *c, ir_dtype d, LLVMValueRef v);         /* bool: i1 -> i8, f16: f32 -> i16 */
/* address of element `linear` */
LLVMValueRef cg_element(cg *c, LLVMValueRef base, ir_dtype d, LLVMValueRef linear);
/* The term's values in the lanes, as loaded from (or stored to) its buffer. */
LLVMValueRef cg_load_term(cg_kernel *k, int term);
/* Asks for what loads of big buffers will read some steps of `dim` later at the current place of the run. The
 * processor's own readers ahead stop at pages and rest while a row is computed on. */
void cg_prefetch(cg_kernel *k, int dim, bool second); /* into the second cache alone */
/* Asks for n elements of big buffers, results' too, from the current place on. */
void cg_prefetch_here(cg_kernel *k, int64_t n);
LLVMValueRef cg_linear(cg_kernel *k, const ir_map *m); /* vector of i64: linear index in every lane */

/* ---- space.c: loops over the space ---- */
/* for (i = from; i < to; i += step): the body is emitted between open and close. */
typedef struct cg_loop {
    LLVMValueRef index, to;
    int64_t step;
    /* header: where the loop is entered from; latch: set by close */
    LLVMBasicBlockRef header, body, latch, done;
    bool guarded; /* may run zero times */
    /* LLVM may replace the index by them: what loops that mostly move data gain from */
    bool running_pointers;
} cg_loop;
cg_loop cg_loop_open(cg *c, LLVMValueRef from, LLVMValueRef to, int64_t step, const char *name);
void cg_loop_close(cg *c, cg_loop *l);
/* A value carried around the loop: phi right after open, next after close; the result is valid after the
 * loop. */
LLVMValueRef cg_carry(cg *c, const cg_loop *l, LLVMValueRef init);
LLVMValueRef cg_carried(cg *c, const cg_loop *l, LLVMValueRef phi, LLVMValueRef init, LLVMValueRef next);

/* Merges adjacent dims of [first, last) through which every load, store and generator term steps evenly: the
 * merged extent goes to the last of the group, the others become 1 and their index 0.  extent[] in and out.
 */
void cg_collapse(cg_kernel *k, int first, int last, int64_t *extent);
/* A loop over units [begin, end) that keeps the indices of dims [0, dims) as an odometer; all get the loop's
 * body as home. */
typedef struct cg_odometer {
    cg_loop loop;
    int dims, count, dim[IR_MAX_RANK];
    int64_t extent[IR_MAX_RANK];
    LLVMValueRef phi[IR_MAX_RANK];
} cg_odometer;
cg_odometer cg_units_open(cg_kernel *k, const int64_t *extent, int dims, LLVMValueRef begin,
                          LLVMValueRef end);
void cg_units_close(cg_kernel *k, cg_odometer *o);
/* Lanes [0, n - at) active, NULL when all are. */
LLVMValueRef cg_tail_mask(cg_kernel *k, LLVMValueRef at, LLVMValueRef n);
LLVMValueRef cg_const_mask(cg_kernel *k, int64_t active); /* lanes [0, active), NULL when all */
/* Units per chunk for work of `ns` nanoseconds a unit. */
int64_t cg_grain(int64_t units, double ns);

/* ---- The emitters: each emits the body of `void kernel(void *const *args, i64 begin, i64 end)` and sets
 * units and grain.  */
void cg_emit_loop(cg_kernel *k);
void cg_emit_row(cg_kernel *k);
void cg_emit_outer(cg_kernel *k);
void cg_emit_contract(cg_kernel *k);
void cg_emit_index(cg_kernel *k);
void cg_emit_scan(cg_kernel *k); /* of class INDEX: what walks along axes */

#endif
