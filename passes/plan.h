/* passes/plan.h: the state that the plan_*.c files share.  See plan.c for the whole picture. */
#ifndef TANDEM_PLAN_H
#define TANDEM_PLAN_H

#include "ir/arena.h"
#include "ir/ir.h"
#include "ir/map.h"

/* What is known of one node that lives in memory.  Several values may share one storage, which is kept with
 * the value at the end of the chain of aliases. */
typedef struct plan_value {
    bool used;         /* has a buffer */
    bool written_back; /* a variable some copy or kernel overwrites */
    bool copied;       /* the source of a copy after the last kernel */
    ir_buffer_kind kind;
    int index;
    int made;        /* the kernel that stores it, -1 for others */
    int first, last; /* kernels that touch it */
    ir_ref
        alias; /* IR_NONE, or the value in whose storage it lies: what it reshapes, or takes over in place */
    int storage_last; /* the last kernel that touches the storage */
    int chain;        /* -1, or the one whose members alone touch the storage: it lies in its scratch */
    size_t offset;
} plan_value;

enum { PLAN_NOT_FULL = 1, PLAN_NOT_ROW = 2 };

typedef struct plan {
    const ir_graph *g;
    ir_error *err;
    ir_arena *mem;
    bool apart;        /* of the pass context */
    plan_value *value; /* of each node */
    ir_chain *chains;  /* the graph's, as they are placed */
    int *chain_values; /* of each chain: how many values lie in its scratch */

    /* the kernel last walked by plan_reads */
    const ir_kernel *k;
    ir_map space, row;
    ir_ref *reads; /* what it loads, once each */
    int read_count;
    uint8_t
        *where; /* of each node in reads: PLAN_NOT_ flags: some read is not at the element of that shape */
    int *seen, stamp;

    ir_copy *copies;
    size_t *staged; /* copy -> bytes of arena it needs for itself, 0: none */
    int copy_count;
    size_t arena_bytes;
} plan;

bool plan_out_of_memory(plan *p);
ir_ref plan_storage(const plan *p, ir_ref r);

/* The kernels during which what kernel number k touches must be there: those of its whole chain. */
int plan_first(const plan *p, int k);
int plan_last(const plan *p, int k);

/* plan_life.c: what lives in memory, and between which kernels. */
bool plan_reads(plan *p, const ir_kernel *k);
bool plan_lives(plan *p);
/* plan_share.c: what is written straight to its place or over something dead; what must be copied at the end.
 */
bool plan_share(plan *p);
/* plan_place.c: offsets in the arena. */
bool plan_place(plan *p);

#endif
