/* codegen/row.h: the plan of one ROW kernel, made by row_plan.c and emitted by row.c. */
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
    ir_map full, row;            /* where outs of either kind lie */
    cg_reduce *reduces;
    int reduce_count;
    row_out *outs;
    int out_count, passes;
    uint8_t *need; /* [pass][term]: read by that pass */
    /* [term]: number of the pass that writes it to scratch, + 1; 0: not kept */
    uint8_t *kept;
    int kept_count;
    double flops; /* of one element of the run, all passes */
} row_plan;

bool row_plan_make(row_plan *p, cg_kernel *k); /* false: k->failed */
void row_plan_free(row_plan *p);

/* terms of a product's operands over a space of result dims, then k dims (ir_kernel_space of a tree product)
 */
void cg_dot_maps(const cg_kernel *k, const ir_node *dot, ir_map *lhs, ir_map *rhs);

#endif
