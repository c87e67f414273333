/* codegen/contract.h: what the files that emit CONTRACT kernels share.
 *
 *   contract.c          the loops over units, panels, blocks along k and rows
 *   contract_shape.c    the product as matrices with strides, which side lies in lanes, tile sizes
 *   contract_pack.c     a panel of B, or the rows of A of a unit, into contiguous memory on the stack
 *   contract_stream.c   B read once where it lies, columns contiguous: turned in registers on the way
 *   contract_tile.c     the register tile: chains of fma along k, and what is done with their results
 *   contract_tree.c     the tile of a small product: numerics rule 5's tree of 64 partial sums
 *   contract_general.c  any dims, element by element: what the others can't express */
#ifndef TANDEM_CG_CONTRACT_H
#define TANDEM_CG_CONTRACT_H

#include "codegen/eval.h"

enum { CG_K_BLOCK = 512, CG_MOST_ROWS = 28, CG_MOST_VECTORS = 12, CG_STREAM_ROWS = 4, CG_LINE = 64 };
/* Sums of a tile by the tree: rows x vectors. */
enum { CG_TREE_SUMS = 2 };
/* Elements between packed tiles: room for what the last step stores too much, and tiles that do not begin in
 * the same set of the first cache. */
enum { CG_TILE_GAP = 16 };

/* How the panel of B (k x nr) is read by the tiles. */
typedef enum {
    CG_B_DIRECT, /* in place: unit stride along n, read by few tiles or in lines (passes/pack.c) */
    CG_B_COPY,   /* packed: unit stride along n                                     */
    CG_B_TURN,   /* packed: unit stride along k, transposed in registers            */
    CG_B_STREAM, /* in place: unit stride along k, transposed in registers, few rows */
    CG_B_GATHER  /* packed: any strides                                             */
} cg_panel_mode;

/* One side.  Strides in elements: along m (A) or n (B), along k, and over the dims of the space for the
 * offset of a unit (0 for tiled dims). */
typedef struct cg_side {
    ir_ref node;
    ir_dtype dtype; /* in memory: the product's, or 16 bits that every load widens */
    int64_t along, k;
    int64_t next;   /* elements to the next matrix of the batch, which a tile asks for a part of; 0: none */
    int next_lines; /* so many */
    int64_t group, jump; /* B: `along` holds within groups of so many columns, which are `jump` apart */
    ir_map outer;
    LLVMValueRef base, unit; /* buffer; element offset of the current unit */
} cg_side;

typedef struct cg_product {
    cg_kernel *k;
    ir_dtype dtype;
    ir_map identity; /* over the result's dims as written: for terms */
    int dot;         /* term of the product */
    cg_side a, b;
    int m_dim, n_dim; /* dims of the space: rows of tiles; along the lanes */
    int64_t m, n, depth;
    int mr, nv; /* tile: rows, vectors */
    int64_t mb; /* rows of a unit: a multiple of mr, or m */
    int64_t np; /* panels of a unit: several where they share a copy of A's rows or of long rows of B */
    bool copies_rows, copies_panels; /* which of the two, or both */
    int64_t blocks;                  /* along k */
    int ahead; /* steps of k by which lines of B are asked for early; 0: the processor does it */
    cg_panel_mode mode;
    bool tree;          /* of 64 partial sums along k, and no blocks */
    bool at_once;       /* the consumers take a tile's sums from registers */
    LLVMValueRef panel; /* packed B: [panel of the unit][block + lanes][nv * lanes] */
    LLVMValueRef part;  /* sums of the blocks so far: [panel of the unit][rows][nv * lanes] */
    LLVMValueRef rows;  /* packed A: [tile of the unit][k][mr], tiles CG_TILE_GAP further apart; or NULL */
} cg_product;

/* One way round: rows from dims [m0, m1) of side a, lanes along dims [n0, n1) of side b. */
typedef struct cg_orientation {
    ir_map a, b;
    int m0, m1, n0, n1, m_dim;   /* m_dim is none of a's where m is 1 */
    int64_t extent[IR_MAX_RANK]; /* of the loop over units, before tiling; the lanes' dims are 1 */
    int64_t m, n, along_a, along_b, group, jump;
} cg_orientation;

/* A panel being emitted: `vectors` of columns, the last with `active` lanes. */
typedef struct cg_panel {
    int vectors, active;
    LLVMValueRef column;     /* first column */
    LLVMValueRef k0, length; /* the block along k */
    LLVMValueRef block;      /* its number */
    LLVMValueRef part;       /* its sums so far */
    LLVMValueRef packed;     /* where it is packed */
    bool ready;              /* it is packed already, if it is a whole one */
} cg_panel;

/* A tile being emitted: its sums so far. */
typedef struct cg_tile {
    cg_product *p;
    const cg_panel *panel;
    int rows, vectors;
    LLVMValueRef a, b;         /* pointers at k0 */
    ir_dtype a_dtype, b_dtype; /* of what they point to */
    int64_t along, k;          /* strides of A */
    LLVMValueRef sum[CG_MOST_ROWS * CG_MOST_VECTORS];
} cg_tile;

static inline bool cg_product_in_place(const cg_product *p)
{
    return p->mode == CG_B_DIRECT || p->mode == CG_B_STREAM;
}

/* contract_shape.c: the product's dims, strides and orientation; false where only the general form will do.
 */
bool cg_product_describe(cg_product *p, cg_orientation *w);
/* How it is computed: lanes, tile, unit, how B is read. */
void cg_product_choose(cg_product *p, const cg_orientation *w);
void cg_product_tell(const cg_product *p);      /* writes k->variant */
int64_t cg_product_panels(const cg_product *p); /* of nv vectors, the last may be narrower */

LLVMTypeRef cg_product_vector(const cg_product *p);
/* Pointer `elements` behind base: of the product's dtype, of a side in memory. */
LLVMValueRef cg_product_at(const cg_product *p, LLVMValueRef base, LLVMValueRef elements);
LLVMValueRef cg_side_at(const cg_product *p, const cg_side *s, LLVMValueRef elements);
LLVMValueRef cg_product_scale(const cg_product *p, LLVMValueRef v, int64_t by); /* v * by */
LLVMValueRef cg_product_add(const cg_product *p, LLVMValueRef a, LLVMValueRef b);

/* Element offset of vector j of the panel's columns in B. */
LLVMValueRef cg_product_column(const cg_product *p, const cg_panel *panel, int64_t j);
int64_t cg_product_vector_offset(const cg_product *p, int64_t j); /* the part of it that is constant */

void cg_product_pack(cg_product *p, const cg_panel *panel);
/* Whole panels [first, end), packed one behind the other. */
void cg_product_pack_panels(cg_product *p, const cg_panel *block, LLVMValueRef first, LLVMValueRef end);
int64_t cg_product_panel_step(const cg_product *p); /* elements between two of them */
/* The block along k of the unit's rows of A. */
void cg_product_pack_rows(cg_product *p, const cg_panel *block, LLVMValueRef from);
/* Rows from, from + mr, .. below *end are whole tiles of the unit; then come m % mr more where *rest is 1. */
void cg_product_unit_rows(const cg_product *p, LLVMValueRef from, LLVMValueRef *end, LLVMValueRef *rest);
/* Elements between two packed tiles. */
int64_t cg_product_tile_step(const cg_product *p);
/* Rows [row, row + rows) of a panel; row_in_unit: of the part buffer. */
void cg_product_tile(cg_product *p, const cg_panel *panel, LLVMValueRef row, LLVMValueRef row_in_unit,
                     int rows);

/* v[i] element j <- v[j] element i within each group of q elements of q vectors. */
void cg_product_turn(cg *c, LLVMValueRef *v, int q);
/* Where the tile's rows of A are at step k; element u steps on of row i, spread. */
LLVMValueRef cg_tile_rows(const cg_tile *t, LLVMValueRef k);
LLVMValueRef cg_tile_row(const cg_tile *t, LLVMValueRef rows, int i, int u);
/* Row k + u of vector j of B, for modes other than STREAM. */
LLVMValueRef cg_tile_column(cg_tile *t, LLVMValueRef k, int j, int u);
/* The sums of the tile by the tree. */
void cg_tile_tree(cg_tile *t);
/* Steps [k, k + count) of the tile's chains in mode STREAM. */
void cg_stream_steps(cg_tile *t, LLVMValueRef k, int count);
/* How many steps one square of registers holds. */
int cg_stream_square(const cg_product *p);

void cg_emit_contract_general(cg_kernel *k);

#endif
