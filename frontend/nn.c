/* frontend/nn.c: public activations, softmax and its relatives, losses and random tensors. */
#include "frontend/fe.h"
#include "ir/compose.h"
#include "ir/emit.h"

tdm_tensor *tdm_gelu(tdm_tensor *x, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "gelu", at, true))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_gelu(c.s, fe_use(&c, x, "x"), false));
}

tdm_tensor *tdm_gelu_tanh(tdm_tensor *x, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "gelu_tanh", at, true))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_gelu(c.s, fe_use(&c, x, "x"), true));
}

tdm_tensor *tdm_logsumexp(tdm_tensor *x, int axis, bool keep, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "logsumexp", at, true))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_logsumexp(c.s, fe_use(&c, x, "x"), axis, keep));
}

tdm_tensor *tdm_softmax(tdm_tensor *x, int axis, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "softmax", at, true))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_softmax(c.s, fe_use(&c, x, "x"), axis));
}

tdm_tensor *tdm_log_softmax(tdm_tensor *x, int axis, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "log_softmax", at, true))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_log_softmax(c.s, fe_use(&c, x, "x"), axis));
}

tdm_tensor *tdm_softmin(tdm_tensor *x, int axis, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "softmin", at, true))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_softmin(c.s, fe_use(&c, x, "x"), axis));
}

tdm_tensor *tdm_logcumsumexp(tdm_tensor *x, int axis, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "logcumsumexp", at, true))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_logcumsumexp(c.s, fe_use(&c, x, "x"), axis));
}

ir_val fe_take_random(fe_call *c, unsigned calls, uint64_t *offset)
{
    rt_context *rt = &c->ctx->rt;

    if (c->ctx->open) {
        ir_ref r = fe_rng_ref(c->ctx->open);
        *offset = c->ctx->open->g->random_count;
        c->ctx->open->g->random_count += calls;
        return r == IR_NONE ? 0 : ir_val_of(r);
    }
    const int64_t four = 4;
    uint32_t state[4] = {rt->rng_seed[0], rt->rng_seed[1], (uint32_t)rt->rng_counter,
                         (uint32_t)(rt->rng_counter >> 32)};
    ir_type t = ir_type_make(IR_DT_u32, 1, &four);
    rt->rng_counter += calls;
    *offset = 0;
    return rt_val(rt_tensor_from(rt, &t, state));
}

static bool random_type(fe_call *c, tdm_dtype d, tdm_dims shape, ir_type *t)
{
    if (!ir_dtype_is_float((ir_dtype)d)) {
        fe_fail(c->ctx, c->at, IR_EDTYPE, "%s: dtype %s, expected a float dtype", c->op,
                fe_valid_dtype(d) ? tdm_dtype_name(d) : "?");
        return false;
    }
    if (!fe_valid_shape(c, shape))
        return false;
    *t = fe_type(d, shape);
    return ir_type_check(t, c->op, c->s->err) == IR_OK;
}

tdm_tensor *tdm_uniform(tdm_context *ctx, tdm_dtype d, tdm_dims shape, double lo, double hi, tdm_loc at)
{
    fe_call c;
    ir_type t;
    uint64_t offset;
    if (!fe_begin(&c, ctx, "uniform", at, true) || !random_type(&c, d, shape, &t))
        return fe_end(&c, 0);
    ir_val state = fe_take_random(&c, 1, &offset);
    return fe_end(&c, ir_c_uniform(c.s, &t, state, offset, lo, hi));
}

tdm_tensor *tdm_normal(tdm_context *ctx, tdm_dtype d, tdm_dims shape, double mean, double std, tdm_loc at)
{
    fe_call c;
    ir_type t;
    uint64_t offset;
    if (!fe_begin(&c, ctx, "normal", at, true) || !random_type(&c, d, shape, &t))
        return fe_end(&c, 0);
    ir_val state = fe_take_random(&c, 2, &offset);
    return fe_end(&c, ir_c_normal(c.s, &t, state, offset, mean, std));
}

tdm_tensor *tdm_dropout(tdm_tensor *x, double p, tdm_loc at)
{
    fe_call c;
    uint64_t offset;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "dropout", at, true))
        return fe_end(&c, 0);
    ir_val v = fe_use(&c, x, "x");
    if (!v)
        return fe_end(&c, 0);
    ir_val state = fe_take_random(&c, 1, &offset);
    return fe_end(&c, ir_c_dropout(c.s, v, state, offset, p));
}

tdm_tensor *tdm_bernoulli(tdm_tensor *p, tdm_loc at)
{
    fe_call c;
    uint64_t offset;
    if (!fe_begin(&c, fe_context_of(p, NULL, NULL), "bernoulli", at, true))
        return fe_end(&c, 0);
    ir_val v = fe_use(&c, p, "p");
    if (!v)
        return fe_end(&c, 0);
    ir_val state = fe_take_random(&c, 1, &offset);
    return fe_end(&c, ir_c_bernoulli(c.s, v, state, offset));
}

tdm_tensor *tdm_randperm(tdm_context *ctx, int64_t n, tdm_loc at)
{
    fe_call c;
    uint64_t offset;
    if (!fe_begin(&c, ctx, "randperm", at, true))
        return fe_end(&c, 0);
    if (!fe_valid_shape(&c, (tdm_dims){1, {n}}))
        return fe_end(&c, 0);
    ir_val state = fe_take_random(&c, 1, &offset);
    return fe_end(&c, ir_c_randperm(c.s, n, state, offset));
}

tdm_tensor *tdm_multinomial(tdm_tensor *weights, int64_t k, bool replacement, tdm_loc at)
{
    fe_call c;
    uint64_t offset;
    if (!fe_begin(&c, fe_context_of(weights, NULL, NULL), "multinomial", at, true))
        return fe_end(&c, 0);
    ir_val w = fe_use(&c, weights, "weights");
    if (!w)
        return fe_end(&c, 0);
    ir_val state = fe_take_random(&c, 1, &offset);
    return fe_end(&c, ir_c_multinomial(c.s, w, k, replacement, state, offset));
}
