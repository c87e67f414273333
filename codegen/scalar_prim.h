/* codegen/scalar_prim.h: the primitives of the scalar language (ir/scalar.h) as LLVM builder calls; the twin
 * of runtime/scalar_prim.h.  Values are in register form with the context's lane count; `d` is their dtype
 * where it matters. */
#ifndef TANDEM_SCALAR_PRIM_LLVM_H
#define TANDEM_SCALAR_PRIM_LLVM_H

#include "codegen/cg.h"

LLVMValueRef cg_s_add(cg *c, ir_dtype d, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_s_sub(cg *c, ir_dtype d, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_s_mul(cg *c, ir_dtype d, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_s_div(cg *c, ir_dtype d, LLVMValueRef a,
                      LLVMValueRef b); /* integers: x / 0 = 0, INT_MIN / -1 wraps */
LLVMValueRef cg_s_neg(cg *c, ir_dtype d, LLVMValueRef a);
LLVMValueRef cg_s_abs(cg *c, ir_dtype d, LLVMValueRef a);
LLVMValueRef cg_s_min(cg *c, ir_dtype d, LLVMValueRef a, LLVMValueRef b); /* IEEE 754-2019 minimum */
LLVMValueRef cg_s_max(cg *c, ir_dtype d, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_s_round(cg *c, ir_dtype d, LLVMValueRef a);                   /* by 1.5 * 2^(p-1) */
LLVMValueRef cg_s_call(cg *c, const char *intrinsic, LLVMValueRef a);         /* llvm.sqrt, llvm.floor, .. */
LLVMValueRef cg_s_shl(cg *c, ir_dtype d, LLVMValueRef a, LLVMValueRef count); /* 0 past the width */
LLVMValueRef cg_s_shr(cg *c, ir_dtype d, LLVMValueRef a,
                      LLVMValueRef count); /* 0 or the sign past the width */
/* Ordered compare (integers and bool: by d's signedness); une for LLVMRealUNE. */
LLVMValueRef cg_s_compare(cg *c, ir_dtype d, LLVMRealPredicate p, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef cg_s_int(cg *c, ir_dtype d, int64_t v);       /* splat of the integer as wide as float dtype d */
LLVMValueRef cg_s_bits(cg *c, ir_dtype d, LLVMValueRef v); /* float -> integer of the same bits */
LLVMValueRef cg_s_frombits(cg *c, ir_dtype d, LLVMValueRef i);
LLVMValueRef cg_s_to_int(cg *c, ir_dtype d, LLVMValueRef v); /* truncates; v must be in range */
LLVMValueRef cg_s_from_int(cg *c, ir_dtype d, LLVMValueRef i);
/* Element i of a constant table of `count` values of float dtype d; one private global per name and module.
 * */
LLVMValueRef cg_s_table(cg *c, ir_dtype d, const char *name, const void *data, int count, LLVMValueRef i);
/* v 2^n, rounded once, by one instruction (AVX-512), where c's vectors are its registers. */
bool cg_s_can_scalbn(const cg *c, ir_dtype d);
LLVMValueRef cg_s_scalbn(cg *c, LLVMValueRef v, LLVMValueRef n);
LLVMValueRef cg_s_convert(cg *c, ir_dtype from, ir_dtype to, LLVMValueRef x);

#endif
