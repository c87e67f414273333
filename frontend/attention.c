/* frontend/attention.c: public attention: the door around ir/compose_attention.c. */
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
    to->in_bias = w->in_bias ? fe_use(c, w->in_bias, "in_bias") : 0;
    to->out_bias = w->out_bias ? fe_use(c, w->out_bias, "out_bias") : 0;
    return to->in_weight && to->out_weight && !to->in_bias == !w->in_bias && !to->out_bias == !w->out_bias;
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
