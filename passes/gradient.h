/* passes/gradient.h: what the gradient_*.c files share.  See gradient.c for the whole picture. */
#ifndef TANDEM_PASSES_GRADIENT_H
#define TANDEM_PASSES_GRADIENT_H

#include "passes/passes.h"

typedef struct reverse {
    ir_graph *g;
    uint32_t count; /* nodes before this gradient */
    uint8_t *path;  /* depends on a wrt through differentiable ops */
    ir_val *grad;   /* what has been added up so far */

    pass_checkpoints *checkpoints; /* or NULL, and then so are the following */
    ir_ref *original;              /* of each node: itself, or the one whose value it repeats */
    ir_ref *again;                 /* of each node: itself, or its value as this gradient reads it */
    uint8_t *kept, *wanted;        /* of each node: there anyway; to be computed again */
    const pass_region *entered;    /* the last region that was computed again */
} reverse;

/* gradient_checkpoint.c */
bool gradient_checkpoints_open(reverse *v);
void gradient_checkpoints_close(reverse *v);
const pass_region *gradient_region(const pass_checkpoints *c, ir_ref r); /* NULL: in none */
/* The first gradient, dy, has reached the region: computes its values again, once. */
void gradient_enter(reverse *v, const pass_region *p, ir_val dy);

#endif
