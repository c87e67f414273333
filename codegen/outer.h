/* codegen/outer.h: the plan of one OUTER kernel, shared by outer.c and outer_stream.c. */
#ifndef TANDEM_CG_OUTER_H
#define TANDEM_CG_OUTER_H

#include "codegen/reduce.h"

enum { CG_TILE = 8 };

typedef struct outer_state {
    cg_kernel *k;
    int a_dims, r_end;           /* dims [0, a_dims) A, [a_dims, r_end) R, the rest C */
    int64_t a, r, c;             /* their extents */
    int64_t extent[IR_MAX_RANK]; /* A and R dims merged where they can be */
    ir_map full, row;
    cg_reduce *reduces;
    int count;
    double row_flops; /* of one element of A x R x C */
    int row_terms;
    LLVMValueRef tile;            /* number of the column tile of the current unit */
    LLVMValueRef column[CG_TILE]; /* first column of each vector of the tile */
} outer_state;

/* Stands at row r of R (a flat index), at column `column` of C. */
void cg_outer_set_row(outer_state *s, LLVMValueRef r);
void cg_outer_set_column(outer_state *s, LLVMValueRef column);
void cg_outer_set_levels(outer_state *s, int row_level, int column_level);
void cg_outer_set_home(outer_state *s, bool rows, LLVMBasicBlockRef home);
/* The loop over the chunk's units = A x tiles: sets the indices of A and s->tile. */
cg_loop cg_outer_open_units(outer_state *s, int64_t tiles);
/* Consumers of the finished columns that the indices stand at; values[i]: what reduce i has come to. */
void cg_outer_finish(outer_state *s, const LLVMValueRef *values);

void cg_outer_stream(outer_state *s); /* outer_stream.c: the whole kernel with sums in L1 */

#endif
