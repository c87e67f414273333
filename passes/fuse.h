/* passes/fuse.h: the state that the fuse_*.c files share.  See fuse.c for the whole picture.
 *
 *   role FREE     views, immediates, iota and what recompute found cheap: listed in every kernel that reads
 * it role OWNED    computed by exactly one group; stored if another group reads it role MEMORY   inputs,
 * variables and large constants: always loaded
 *
 * base(n): the OWNED and MEMORY nodes that an owned node reads, looking through FREE ones.  user(b): the
 * reverse. */
#ifndef TANDEM_FUSE_H
#define TANDEM_FUSE_H

#include "ir/arena.h"
#include "ir/ir.h"
#include "ir/map.h"
#include "passes/passes.h"

enum { FUSE_MAX_NODES = 256, FUSE_MAX_OUTS = 12 };

typedef enum { FUSE_DEAD, FUSE_MEMORY, FUSE_FREE, FUSE_OWNED } fuse_role;

/* A kernel in the making: the owned nodes it computes. */
typedef struct fuse_group {
    ir_ref *nodes; /* ascending */
    int count;
    ir_kernel_kind kind;
    ir_ref anchor;  /* the node that fixes the kind: a reduce, product, pad, concat or index node; IR_NONE for
                       a plain  LOOP */
    ir_ref highest; /* of the nodes of this group and of all groups that it depends on */
    bool merged;    /* its nodes have moved to another group */
    double traffic; /* bytes that its kernel loads and stores; < 0: not counted yet */
} fuse_group;

typedef struct fuse {
    const ir_graph *g;
    ir_error *err;
    const pass_context *pc;
    ir_arena *mem;
    uint8_t *role;
    bool *stored;       /* an output, assigned, or read as a whole by a product or index kernel */
    uint32_t *group;    /* of an owned node */
    fuse_group *groups; /* a merge makes a new one, so a number stands for fixed contents */
    uint32_t group_count;
    uint32_t *base_at, *user_at; /* node -> first entry; count + 1 entries */
    ir_ref *base, *user;
    uint32_t *mark, *loaded, *group_mark, stamp; /* mark[n] == stamp: seen in this round */
    double *weight;                              /* of each node: fuse_weight */
    double *evals;                               /* evaluations of a node in the kernel being checked */
    ir_ref *listed, *outs, *stack, *joined;      /* scratch of count entries */
    ir_ref *fills; /* immediates that are outputs: kernels of their own beside those that inline them */
    int fill_count;
    uint32_t *order; /* fuse_order: groups as they run */
    int order_count;
} fuse;

/* fuse_role.c */
void fuse_set_roles(fuse *f);                                        /* and stored, fills */
bool fuse_is_memory_operand(const fuse *f, const ir_node *n, int i); /* read as a whole from memory */
ir_ref fuse_memory_base(const fuse *f, ir_ref r); /* below the reshapes that share its bytes */

/* fuse_group.c */
/* roles, edges, one group per owned node */
bool fuse_open(fuse *f, const ir_graph *g, const pass_context *pc, ir_error *err);
/* These nodes, which were owned, are FREE: new arrays of edges, so that the old ones can be put back. */
bool fuse_edges_without(fuse *f, const ir_ref *freed, int count);
bool fuse_out_of_memory(fuse *f);
/* The kernel of these owned nodes, in scratch memory (valid until the next call). Outs are what `nodes` gives
 * others. */
void fuse_kernel(fuse *f, const fuse_group *m, ir_kernel *k);
/* Picks the root; false where the kernel is not legal, or (with `costs`) computes much more than its parts.
 */
bool fuse_check(fuse *f, ir_kernel *k, bool costs, ir_ref *fault);
/* memory traffic of storing or loading a value, in bytes */
static inline double fuse_weight(const fuse *f, ir_ref r)
{
    return f->weight[r];
}

/* fuse_merge.c */
bool fuse_merge_all(fuse *f);
/* Does it pay to reduce a value of so many bytes over blocks of rows where its rows, of so many columns, are
 * gone through anyway?  A block is the smallest share of the kernel's work then. */
bool fuse_blocks_pay(const pass_context *pc, int64_t blocks, int64_t columns, size_t bytes);
/* fuse_recompute.c */
bool fuse_recompute(fuse *f);
/* fuse_order.c */
bool fuse_order(fuse *f);
/* fuse_name.c */
void fuse_name(const ir_graph *g, const ir_kernel *k, int number, char *buf, size_t size);

#endif
