/* passes/remat.h: the state that the remat_*.c files share.  See remat.c for the whole picture. */
#ifndef TANDEM_PASSES_REMAT_H
#define TANDEM_PASSES_REMAT_H

#include "ir/arena.h"
#include "passes/passes.h"

typedef struct remat {
    const ir_graph *g;
    pass_context *pc;
    ir_arena *mem;
    uint32_t *user_at; /* node -> its first reader in user[]; count + 1 entries */
    ir_ref *user;
    uint8_t *result; /* an output or assigned value */

    /* what is decided, by node of g */
    uint8_t *drop;   /* not kept: computed again for readers from `split` on and for whatever is, too */
    ir_ref *split;   /* IR_NONE: only for the latter */
    uint8_t *banned; /* did not help */

    /* the first plan, by node of g: what an unchanged graph stores, when, and when it computes */
    int *stored_at, *computed_at; /* kernel numbers, -1: never */

    /* the graph as decided so far, planned */
    ir_graph *plan;
    ir_ref *image;                   /* node of g -> of plan */
    int *listed_first, *listed_last; /* node of plan -> the kernels that compute it; -1: none */
    int *buffer;                     /* node of plan -> entry of its buffer table, -1 */
    uint8_t *in_peak;                /* node of plan: listed in the kernel `peak` */
    int peak;
    uint32_t plan_room; /* nodes that the tables above have room for */

    uint32_t *mark, stamp; /* of nodes of g: seen in this walk */
    ir_ref *stack, *list;  /* scratch of count entries */
} remat;

/* remat_rebuild.c: g with the decisions carried out. */
ir_status remat_rebuild(const remat *m, ir_graph *out, ir_ref *map);
/* remat_choose.c: drops values that live across the peak, cheapest per byte first, until `bytes` are saved or
 * `most` are chosen.  Writes them to chosen[]; returns how many. */
int remat_choose(remat *m, size_t bytes, int most, ir_ref *chosen);

#endif
