/* frontend/attention.c: public attention and positions: the door around ir/compose_attention.c and
 * ir/compose_position.c. */
#include "frontend/fe.h"
#include "ir/compose.h"

/* The mask as a value of the sink, and the random state where weights are dropped.  False + error. */
static bool attention(fe_call *c, const tdm_attention *how, ir_attention *to)
{
    *to = (ir_attention){0};
    if (!how)
        return true;
    to->causal = how->causal;
    to->scale = how->scale;
    to->dropout = how->dropout;
    if (how->mask && !(to->mask = fe_use(c, how->mask, "mask")))
        return false;
    return how->dropout == 0 || (to->random = fe_take_random(c, 1, &to->offset)) != 0;
}

tdm_tensor *tdm_scaled_dot_product_attention(tdm_tensor *q, tdm_tensor *k, tdm_tensor *v,
                                             const tdm_attention *how, tdm_loc at)
{
    fe_call c;
    ir_attention a;
    if (!fe_begin(&c, fe_context_of(q, k, v), "scaled_dot_product_attention", at, true))
        return fe_end(&c, 0);
    ir_val vq = fe_use(&c, q, "q"), vk = fe_use(&c, k, "k"), vv = fe_use(&c, v, "v");
    if (!vq || !vk || !vv || !attention(&c, how, &a))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_scaled_dot_product_attention(c.s, vq, vk, vv, &a));
}

static bool projections(fe_call *c, const tdm_projections *w, ir_projections *to)
{
    if (!w) {
        fe_fail(c->ctx, c->at, IR_EARG, "%s: argument 'w' is NULL", c->op);
        return false;
    }
    to->in_weight = fe_use(c, w->in_weight, "in_weight");
    to->out_weight = fe_use(c, w->out_weight, "out_weight");
    return to->in_weight && to->out_weight && fe_use_optional(c, w->in_bias, "in_bias", &to->in_bias) &&
           fe_use_optional(c, w->out_bias, "out_bias", &to->out_bias);
}

tdm_tensor *tdm_multi_head_attention(tdm_tensor *query, tdm_tensor *key, tdm_tensor *value,
                                     const tdm_projections *w, int heads, const tdm_attention *how,
                                     tdm_loc at)
{
    fe_call c;
    ir_attention a;
    ir_projections p;
    if (!fe_begin(&c, fe_context_of(query, key, value), "multi_head_attention", at, true))
        return fe_end(&c, 0);
    const ir_val x[3] = {fe_use(&c, query, "query"), fe_use(&c, key, "key"), fe_use(&c, value, "value")};
    if (!x[0] || !x[1] || !x[2] || !projections(&c, w, &p) || !attention(&c, how, &a))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_multi_head_attention(c.s, x, &p, heads, &a));
}

/* ---- positions ----------------------------------------------------------------------------------------- */

tdm_tensor *tdm_rotary(tdm_tensor *x, tdm_tensor *cosine, tdm_tensor *sine, bool interleaved, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, cosine, sine), "rotary", at, true))
        return fe_end(&c, 0);
    ir_val vx = fe_use(&c, x, "x"), vc = fe_use(&c, cosine, "cosine"), vs = fe_use(&c, sine, "sine");
    return fe_end(&c, ir_c_rotary(c.s, vx, vc, vs, interleaved));
}

static bool known_dtype(fe_call *c, tdm_dtype d)
{
    if (!fe_valid_dtype(d))
        fe_fail(c->ctx, c->at, IR_EDTYPE, "%s: %d is not a dtype", c->op, (int)d);
    return fe_valid_dtype(d);
}

static tdm_tensor *rotary_table(tdm_context *ctx, tdm_dtype d, int64_t n, int64_t width, double base,
                                bool cosine, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, ctx, "rotary_table", at, true) || !known_dtype(&c, d))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_rotary_table(c.s, (ir_dtype)d, n, width, base, cosine));
}

tdm_tensor *tdm_rotary_cos(tdm_context *ctx, tdm_dtype d, int64_t n, int64_t width, double base, tdm_loc at)
{
    return rotary_table(ctx, d, n, width, base, true, at);
}

tdm_tensor *tdm_rotary_sin(tdm_context *ctx, tdm_dtype d, int64_t n, int64_t width, double base, tdm_loc at)
{
    return rotary_table(ctx, d, n, width, base, false, at);
}

tdm_tensor *tdm_sinusoidal_positions(tdm_context *ctx, tdm_dtype d, int64_t n, int64_t width, double base,
                                     tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, ctx, "sinusoidal_positions", at, true) || !known_dtype(&c, d))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_sinusoidal_positions(c.s, (ir_dtype)d, n, width, base));
}
