/* codegen/reduce.h: the arithmetic of reductions, shared by row.c and outer.c (reduce.c). */
#ifndef TANDEM_CG_REDUCE_H
#define TANDEM_CG_REDUCE_H

#include "codegen/eval.h"

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
/* A maximum or minimum of many vectors, whose NaNs and signs of zeros are looked after apart: two and a half
 * operations a vector instead of six.  Only of f32 and f64. */
typedef struct cg_watch {
    LLVMValueRef nan;   /* integers: not 0 where a NaN was seen */
    LLVMValueRef signs; /* top bits: whether all (minimum: any) were negative */
} cg_watch;
bool cg_is_extreme(const cg_reduce *r);
cg_watch cg_watch_nothing(cg *c, const cg_reduce *r);
void cg_watch_pair(cg *c, const cg_reduce *r, cg_watch *w, LLVMValueRef x, LLVMValueRef z);
/* The extreme of x and acc, but for NaNs in x and the sign of a zero. */
LLVMValueRef cg_extreme(cg *c, const cg_reduce *r, LLVMValueRef x, LLVMValueRef acc);
/* IEEE maximum or minimum of all that was watched, of which acc is the extreme. */
LLVMValueRef cg_mend(cg *c, const cg_reduce *r, const cg_watch *w, LLVMValueRef acc);
/* 64 partials as `vectors` vectors, added by halves to one scalar; NULL: a vector that is still neutral. */
LLVMValueRef cg_fold(cg *c, const cg_reduce *r, LLVMValueRef *acc, int vectors);
/* n elements on the stack, made in the entry block. */
LLVMValueRef cg_stack(cg_kernel *k, ir_dtype d, int64_t n);

#endif
