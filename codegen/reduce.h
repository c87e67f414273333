/* codegen/reduce.h: the arithmetic of reductions, shared by row.c and outer.c (reduce.c). */
#ifndef TANDEM_CG_REDUCE_H
#define TANDEM_CG_REDUCE_H

#include "codegen/eval.h"

enum { CG_ROW_BLOCK = 512 }; /* additions per block of an outer sum or a scan (numerics rules 4 and 13) */

typedef struct cg_reduce {
    ir_ref node;
    ir_op op; /* a reduce_*; dot_general: sum by fma */
    ir_dtype dtype;
    int seed, x[2]; /* terms: the result, the operands (x[1]: products only, else -1) */
    int pass;       /* row.c: in which pass its run is read */
    bool contract;  /* many sums run side by side, so that an fma's latency does not count */
} cg_reduce;

/* What an empty reduction is: +0, 1, or the least (greatest) value; a splat of c->lanes. */
LLVMValueRef cg_neutral(cg *c, const cg_reduce *r);
LLVMValueRef cg_combine(cg *c, const cg_reduce *r, LLVMValueRef a, LLVMValueRef b);
/* The operands' current values into acc (NULL: neutral); masked-off lanes stay as they are. */
LLVMValueRef cg_accumulate(cg_kernel *k, const cg_reduce *r, LLVMValueRef acc);
/* 64 partials as `vectors` vectors, added by halves to one scalar; NULL: a vector that is still neutral. */
LLVMValueRef cg_fold(cg *c, const cg_reduce *r, LLVMValueRef *acc, int vectors);
/* n elements on the stack, made in the entry block. */
LLVMValueRef cg_stack(cg_kernel *k, ir_dtype d, int64_t n);

#endif
