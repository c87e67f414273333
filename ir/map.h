/* ir/map.h: index maps: where element (i0, i1, ..) of an iteration space lies in a value's row-major element
 * order.
 *
 *   linear element index = base + sum over j of stride[j] * i_j          0 <= i_j < extent[j]
 *
 * reshape leaves the linear index as it is; transpose, broadcast, slice and reverse (whose strides are
 * negative) take it apart into the result's
 * indices, which needs every iteration dim to stay inside one dim of the result (no carry).  ir_map_through
 * says whether it does. */
#ifndef TANDEM_IR_MAP_H
#define TANDEM_IR_MAP_H

#include "ir.h"

typedef struct ir_map {
    int rank;
    int64_t extent[IR_MAX_RANK], stride[IR_MAX_RANK];
    int64_t base;
} ir_map;

/* rank and extents of the space, row-major strides (0 for extents of 1), base 0 */
ir_map ir_map_identity(const ir_type *space);
bool ir_map_eq(const ir_map *a, const ir_map *b);
/* `m` reads the result of view node `n` of g; *out reads its operand at the same elements.  False: can't be
 * expressed. */
bool ir_map_through(const ir_graph *g, const ir_node *n, const ir_map *m, ir_map *out);

/* Reads of one kernel: calls `visit` (may be NULL) for every (node, map) pair the kernel evaluates, operands
 * first, each pair once.  Returns false where some view can't be expressed or a row value is read at other
 * than its own row.  This is the legality check of fuse, the check of the text parser, and the model for
 * codegen's evaluation.
 *
 * Always loaded, whether listed in the kernel or not: operands of a CONTRACT's dot (ir_dot_source) and of an
 * INDEX node (visited at the identity of their own type, not of the space) and the state of random_bits
 * (visited at four maps: words 0..3).  A `pad` root is visited at the map of its store.  Listed constants are
 * splats or single elements: immediates. */
typedef void ir_map_visit(void *user, ir_ref node, const ir_map *m, bool loaded);
bool ir_kernel_walk(const ir_graph *g, const ir_kernel *k, ir_map_visit *visit, void *user);
/* The same; *fault says at which node it failed (a view that can't be expressed there, ...), IR_NONE if at
 * none. */
bool ir_kernel_check(const ir_graph *g, const ir_kernel *k, ir_map_visit *visit, void *user, ir_ref *fault);
/* A constant that kernels take as an immediate: one value, whatever its shape. */
bool ir_is_immediate(const ir_node *n);

/* The space of a kernel: extents of its iteration dims; ROW: inner dims last, *inner = how many they are;
 * OUTER: A dims, R dims, C dims with *inner = number of C dims and *run = number of R dims.  CONTRACT: result
 * dims. */
ir_map ir_kernel_space(const ir_graph *g, const ir_kernel *k, int *inner, int *run);
/* Of a ROW kernel with reduces over rows the dims are their operand's: A dims, 1 R dim, then the inner dims;
 * *run = 1.  Their results lie at ir_kernel_block_map: row-major over A and the inner dims. */
ir_map ir_kernel_block_map(const ir_map *space, int inner, int run);
/* The node whose operand has the dims of a ROW's or OUTER's space: the root, or a reduce over rows. */
const ir_node *ir_kernel_space_node(const ir_graph *g, const ir_kernel *k);
/* How many elements of its operand one element of reduce r is made of. */
int64_t ir_reduced_run(const ir_graph *g, ir_ref r);
bool ir_reduces_rows(const ir_graph *g, ir_ref r); /* r is a reduce whose axes do not end at the last one */
/* Space of a tree product and the maps of its operands in it: result dims, then *inner k dims; rank -1 if it
 * has too many. */
ir_map ir_kernel_tree_space(const ir_graph *g, const ir_node *dot, int *inner, ir_map *lhs, ir_map *rhs);
/* Where the row-shaped values of a ROW or OUTER kernel lie: row-major over the dims that are not reduced,
 * stride 0 along the others.  For other kinds the identity. */
ir_map ir_kernel_row_map(const ir_kernel *k, const ir_map *space, int inner, int run);

int ir_refs_find(const ir_ref *list, int count, ir_ref r);  /* its place in an ascending list, or -1 */
bool ir_refs_hold(const ir_ref *list, int count, ir_ref r); /* the same, yes or no */
bool ir_has_axis(const int8_t *axes, int n, int axis);      /* a list of axes in any order */
const ir_buffer *ir_buffer_of(const ir_graph *g, ir_ref r); /* of a planned graph, or NULL */
int ir_constant_count(const ir_graph *g); /* of a planned graph: buffers of constants, by their numbers */

/* ir/chain.c: chains of kernels. */
/* The chain that kernel number `kernel` is a member of, or NULL. */
const ir_chain *ir_chain_of(const ir_graph *g, int kernel);
/* How many outermost dims of a space hold the slices, the last perhaps with several rows of each; -1: it has
 * no such slices. */
int ir_chain_dims(const ir_map *space, int64_t slices);
/* May kernel number `kernel` run slice by slice behind members first..kernel-1 of c?  *fault: the value that
 * it reads at other slices, IR_NONE where its own iterations don't split. */
bool ir_chain_takes(const ir_graph *g, const ir_chain *c, int kernel, ir_ref *fault);
/* The member that stores r, which may be reshapes of what it stores; -1: none before kernel number `end`. */
int ir_chain_stores(const ir_graph *g, const ir_chain *c, ir_ref r, int end);

/* A product as matrices: element strides of both operands and of the result for batch, m, n and k dims, each
 * list collapsed to as few dims as possible (extent-1 dims dropped). */
typedef struct ir_dot {
    int64_t batch, m, n, k; /* products of extents */
    int nb, nm, nn, nk;     /* how many dims each list has */
    /* batch: extent, stride in lhs, stride in rhs */
    int64_t be[IR_MAX_RANK], bl[IR_MAX_RANK], br[IR_MAX_RANK];
    int64_t me[IR_MAX_RANK], ml[IR_MAX_RANK];                  /* m: extent, stride in lhs */
    int64_t ne[IR_MAX_RANK], nr[IR_MAX_RANK];                  /* n: extent, stride in rhs */
    int64_t ke[IR_MAX_RANK], kl[IR_MAX_RANK], kr[IR_MAX_RANK]; /* k: extent, stride in lhs, in rhs */
} ir_dot;
/* Strides given per operand axis (in elements), so it serves eager views too. */
void ir_dot_describe(const ir_attrs *a, const ir_type *lhs, const int64_t *lhs_strides, const ir_type *rhs,
                     const int64_t *rhs_strides, ir_dot *out);
/* numerics rule 5: m*n < 64 */
bool ir_dot_is_tree(const ir_attrs *a, const ir_type *lhs, const ir_type *rhs);
/* Such a product whose elements can lie in lanes: 0 along m, 1 along n, where that operand is contiguous
 * along its one free dim and not along k; -1: neither, or no such product. */
int ir_dot_lanes(const ir_attrs *a, const ir_type *lhs, const ir_type *rhs);
/* What a CONTRACT kernel may hold: m*n >= 64, or elements in lanes. */
bool ir_dot_is_tile(const ir_attrs *a, const ir_type *lhs, const ir_type *rhs);
/* Such a product whose right side is 16-bit values converted to f32: its kernel may list the convert, reads
 * the 16 bits and widens them on the way. */
bool ir_dot_widens(const ir_graph *g, const ir_node *n);
/* What CONTRACT kernel k reads from memory as operand i of its product. */
ir_ref ir_dot_source(const ir_graph *g, const ir_kernel *k, int i);

#endif
