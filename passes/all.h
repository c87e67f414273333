/* passes/all.h: the passes, for the array in pipeline.c.  What each one expects and does is at the head of
 * its file. */
#ifndef TANDEM_PASSES_ALL_H
#define TANDEM_PASSES_ALL_H

#include "passes/passes.h"

pass_fn pass_widen;            /* widen.c     reductions and products of f16 and bf16 in f32      */
pass_fn pass_simplify;         /* simplify.c  algebra that keeps every bit                     */
pass_fn pass_fold;             /* fold.c      constants computed now                           */
pass_fn pass_cse;              /* cse.c       equal nodes become one                           */
pass_fn pass_dce;              /* dce.c       unused nodes go                                  */
pass_fn pass_pack;             /* pack.c      constant weights in the order in which they are read */
pass_fn pass_remat;            /* remat.c     values computed again to fit a memory budget       */
pass_fn pass_block;            /* block.c     sums over many rows in blocks, taken along with the rows */
pass_fn pass_fuse;             /* fuse.c      kernels                                          */
pass_fn pass_chain;            /* chain.c     kernels that run slice by slice, together            */
pass_fn pass_plan;             /* plan.c      arena, aliases                                   */
pass_fn pass_gradient_outputs; /* gradient.c, as the extra pass `gradient`: outputs grad_NAME */

#endif
