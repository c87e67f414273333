/* ir/digest.h: a 128-bit fingerprint of bytes, of everything in a graph that its compiled code depends on,
 * and of everything in a graph. Against accidents, not against people: two graphs of one fingerprint are not
 * to be met, but can be made. */
#ifndef TANDEM_IR_DIGEST_H
#define TANDEM_IR_DIGEST_H

#include "ir/ir.h"

typedef struct ir_digest {
    uint64_t a, b;
} ir_digest;

/* Takes n bytes, and that they are n.  About 4 GB/s. */
void ir_digest_add(ir_digest *d, const void *bytes, size_t n);
void ir_digest_int(ir_digest *d, int64_t v);
/* The fingerprint of all that was taken; no more may follow. */
void ir_digest_end(ir_digest *d);

/* Nodes with their types, attributes and operands, inputs, results, kernels and buffers.  Not the names of
 * inputs and results, where nodes come from, nor what constants hold that code reads from memory. */
void ir_digest_graph(ir_digest *d, const ir_graph *g);
/* All of that and the rest too: equal graphs are the same to every pass, and to who looks at the result. */
void ir_digest_source(ir_digest *d, const ir_graph *g);

#endif
