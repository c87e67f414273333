/* codegen/index.h: what the emitters of INDEX kernels share. */
#ifndef TANDEM_CG_INDEX_H
#define TANDEM_CG_INDEX_H

#include "codegen/eval.h"

typedef struct index_state {
    cg_kernel *k;
    const ir_node *n;
    ir_dtype dtype, index_dtype;
    int64_t rows, width, count; /* x is [rows, width]; index holds count */
    LLVMValueRef x, index;
} index_state;

/* Element i of the index as an i64 in 0 .. last. */
LLVMValueRef cg_index_at(index_state *s, LLVMValueRef i, int64_t last);
/* y[0..n) = x[0..n), or y = y op x; the pointers are to elements.  op IR_OP_COUNT: none. */
void cg_index_run(index_state *s, LLVMValueRef y, LLVMValueRef x, int64_t n, ir_op op);
LLVMValueRef cg_index_times(cg *c, LLVMValueRef v, int64_t by);
/* Linear index of flat element i of the map's box. */
LLVMValueRef cg_index_flat(cg *c, const ir_map *m, LLVMValueRef i);
/* Elements [from, to) of x to the same place of y, unless they share memory (a result in place of operand 0).
 */
void cg_index_keep(index_state *s, LLVMValueRef y, LLVMValueRef from, LLVMValueRef to);
LLVMValueRef cg_index_operand(index_state *s, int i); /* base of operand i */

void cg_emit_scatter(index_state *s); /* index_scatter.c */
void cg_emit_dynamic(index_state *s); /* index_dynamic.c */

#endif
