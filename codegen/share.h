/* codegen/share.h: where a kernel's buffers are found, and which kernels are the same code.
 *
 * Kernels of equal structure (ops, attributes, types, which operand is which buffer) are emitted once.  The
 * one body then reads its places from a table of (argument number, byte offset) given by a thunk per kernel;
 * a kernel that is alone has its places baked in. */
#ifndef TANDEM_CG_SHARE_H
#define TANDEM_CG_SHARE_H

#include "ir/ir.h"

typedef struct cg_place {
    ir_ref node; /* as the kernel names it */
    int arg;     /* args[arg] + offset */
    size_t offset;
} cg_place;

/* The buffers of one kernel, in the order in which a walk over its nodes meets them. */
typedef struct cg_binding {
    cg_place *places;
    int count;
    bool shared; /* emit for any kernel of the same structure: places come from the table parameter */
} cg_binding;

typedef struct cg_shape_key {
    unsigned char *bytes; /* canonical description */
    size_t count, capacity;
    uint64_t hash;
} cg_shape_key;

/* Fills b and key (freed by the caller with cg_binding_free, cg_key_free).  False: out of memory or a node
 * without a buffer. */
bool cg_bind(const ir_graph *g, const ir_kernel *k, cg_binding *b, cg_shape_key *key, ir_error *e);
bool cg_streams(const ir_graph *g, const ir_kernel *k, ir_ref out); /* out is written past the caches */
bool cg_key_eq(const cg_shape_key *a, const cg_shape_key *b);
void cg_binding_free(cg_binding *b);
void cg_key_free(cg_shape_key *k);
int cg_binding_find(const cg_binding *b, ir_ref node); /* -1: none */
/* Argument number and offset of a node's buffer; false if it lives nowhere. */
bool cg_place_of(const ir_graph *g, ir_ref node, cg_place *p);
/* The same for any place that plan names. */
bool cg_place_arg(const ir_graph *g, ir_buffer_kind kind, int index, size_t at, int *arg, size_t *offset);
/* Arguments of a program.  The members of a chain find their values in scratch behind them: the chain calls
 * them with a longer list of its own (chain.c). */
int cg_arg_count(const ir_graph *g);

#endif
