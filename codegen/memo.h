/* codegen/memo.h: values of one kernel's terms, shared by eval.c, loads.c and contraction.c. */
#ifndef TANDEM_CG_MEMO_H
#define TANDEM_CG_MEMO_H

#include "codegen/eval.h"

typedef struct cg_slot {
    LLVMValueRef scalar, vector;       /* at most what is asked for is made */
    LLVMValueRef pointer[IR_MAX_RANK]; /* loads and stores: address after adding the indices up to dim d */
} cg_slot;

struct cg_memo {
    cg_slot *slots; /* [term * banks + bank] */
    uint8_t *need;
    int terms;           /* how many terms slots has room for */
    LLVMValueRef *bases; /* by place number of the binding */
};

bool cg_memo_reserve(cg_kernel *k);                         /* room for every term made so far */
cg_slot *cg_slot_of(cg_kernel *k, int term, unsigned uses); /* NULL: out of memory */
int cg_deepest(const cg_kernel *k, unsigned uses);          /* the dim with the deepest level; -1: none */
/* Moves the builder to where code that depends on `uses` belongs; returns where it was, for cg_come_back. */
LLVMBasicBlockRef cg_go_home(cg_kernel *k, unsigned uses);
void cg_come_back(cg_kernel *k, LLVMBasicBlockRef here);

#endif
