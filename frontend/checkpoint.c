/* frontend/checkpoint.c: checkpointed regions in both engines.
 *
 * Eagerly the region's ops are logged and what they saved is dropped (runtime/checkpoint.c).  In a graph the
 * region is a run of nodes that a later gradient computes again (passes/gradient_checkpoint.c).  Either way
 * it is a scope.  Of regions inside each other the outermost counts. */
#include "frontend/fe.h"

tdm_status tdm_checkpoint_open(tdm_context *ctx)
{
    if (!ctx)
        return TDM_EARG;
    tdm_scope_open(ctx);
    if (ctx->checkpoint_depth++ == 0) {
        ctx->checkpoint_graph = ctx->open ? ctx->open->serial : 0;
        if (ctx->open)
            ctx->checkpoint_first = ctx->open->g->count;
        else if (tdm_ok(ctx))
            rt_checkpoint_open(&ctx->rt);
    }
    return tdm_error_code(ctx);
}

/* Notes the region of the open graph that ends here. */
static void add_region(tdm_context *ctx, const tdm_tensor *result)
{
    tdm_graph *g = ctx->open;
    pass_region r = {ctx->checkpoint_first, g->g->count, IR_NONE};

    if (fe_in_graph(result, g) && result->ref >= r.first)
        r.result = result->ref;
    if (r.end > r.first && !pass_checkpoints_add(&g->checkpoints, r))
        fe_fail(ctx, (tdm_loc){NULL, 0}, IR_ENOMEM, "checkpoint_close: out of memory");
}

tdm_tensor *tdm_checkpoint_close(tdm_context *ctx, tdm_tensor *result, tdm_loc at)
{
    if (!ctx)
        return NULL;
    if (ctx->checkpoint_depth == 0) {
        fe_fail(ctx, at, IR_ESTATE, "checkpoint_close: no region is open");
        return ctx->error_tensor;
    }
    if (!result)
        fe_fail(ctx, at, IR_EARG, "checkpoint_close: argument 'result' is NULL");
    else if (result->ctx != &ctx->rt)
        fe_fail(ctx, at, IR_EARG, "checkpoint_close: argument 'result' belongs to another context");
    if (tdm_ok(ctx))
        tdm_keep(result);
    tdm_scope_close(ctx);
    if (--ctx->checkpoint_depth == 0) {
        if (tdm_ok(ctx) && ctx->open && ctx->open->serial == ctx->checkpoint_graph)
            add_region(ctx, result);
        rt_checkpoint_close(&ctx->rt);
    }
    return tdm_ok(ctx) ? result : ctx->error_tensor;
}

tdm_tensor *tdm_checkpoint(tdm_tensor *(*fn)(void *user, tdm_tensor *x), void *user, tdm_tensor *x,
                           tdm_loc at)
{
    tdm_context *ctx = fe_context_of(x, NULL, NULL);
    fe_call c;

    if (!fe_begin(&c, ctx, "checkpoint", at, false))
        return fe_end(&c, 0);
    if (!fn || !fe_use(&c, x, "x")) {
        fe_fail(ctx, at, IR_EARG, "checkpoint: argument 'fn' is NULL");
        return ctx->error_tensor;
    }
    tdm_checkpoint_open(ctx);
    return tdm_checkpoint_close(ctx, fn(user, x), at);
}
