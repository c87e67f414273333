/* codegen/row.h: one ROW kernel: its plan, made by row_plan.c, and the state of row.c, which emits it, and of
 * row_quotient.c and row_block.c, which take over where rows are divided and where rows are reduced over. */
#ifndef TANDEM_CG_ROW_H
#define TANDEM_CG_ROW_H

#include "codegen/reduce.h"

typedef struct row_out {
    ir_ref node;
    int term;
    bool full; /* one element per element of the run; else one per row */
    int pass;
} row_out;

typedef struct row_plan {
    cg_kernel *k;
    int outer;                   /* dims [0, outer) are rows, the rest is the run */
    int64_t n, rows;             /* length of the run, number of rows */
    int64_t extent[IR_MAX_RANK]; /* of the row dims, merged */
    ir_map full, row, block;     /* where outs of each kind lie */
    cg_reduce *reduces;
    int reduce_count;
    cg_reduce *sums; /* over the rows of a block, dim outer - 1: taken up in the last pass, and stored */
    int sum_count;
    row_out *outs;
    int out_count, passes;
    uint8_t *need; /* [pass][term]: read by that pass */
    /* [term]: number of the pass that writes it to scratch, + 1; 0: not kept */
    uint8_t *kept;
    int kept_count;
    double flops; /* of one element of the run, all passes */
} row_plan;

typedef struct cg_row {
    row_plan p;
    LLVMValueRef *acc;     /* [reduce][vector of partials]; NULL: still +0 (or the least value) */
    LLVMValueRef *seen;    /* [reduce][vector]: in a loop over groups, what extremes are taken of */
    LLVMValueRef *memory;  /* [reduce]: partials in memory */
    LLVMValueRef *scratch; /* [term]: a row of a kept term, or NULL */
    LLVMValueRef *result;  /* [reduce]: what it has come to */
    int vectors;           /* of partials: 64 / lanes */
    bool straight, crowded;
    int numerator, reciprocal; /* of the quotients that may be mended (division.c): terms; -1: none */
    LLVMValueRef least;        /* of the numerators so far, as words */
    LLVMValueRef *sums;        /* [sum]: a row of sums over the rows so far */
} cg_row;

bool row_plan_make(row_plan *p, cg_kernel *k); /* false: k->failed */
void row_plan_free(row_plan *p);

/* row.c: whether a reduce of pass `pass` is there; the passes from..to - 1, and what comes after the last. */
bool cg_row_has_reduce(const cg_row *s, int pass);
void cg_row_passes(cg_row *s, int from, int to);
void cg_row_emit(cg_row *s); /* the row that the indices stand at */

/* row_quotient.c */
void cg_row_find_quotients(cg_row *s);             /* sets numerator and reciprocal */
void cg_row_watch(cg_row *s, LLVMValueRef v);      /* takes up numerators v under k->mask */
void cg_row_passes_both_ways(cg_row *s, int from); /* the rest of the passes */

/* row_block.c */
bool cg_row_make_sums(cg_row *s);                /* false: k->failed */
void cg_row_take_up(cg_row *s, LLVMValueRef at); /* the vector at `at`, under k->mask */
void cg_row_emit_block(cg_row *s);               /* all rows of a block */

#endif
