/* examples/lib_transformer.c: see lib_transformer.h. */
#include "lib_transformer.h"

enum { LN1, IN = 2, OUT = 4, LN2 = 6, UP = 8, DOWN = 10 }; /* weight and bias of each */

static tdm_tensor *norm(tdm_tensor *x, tdm_tensor *const *p)
{
    return tdm_layer_norm(x, p[0], p[1], 1e-5);
}

static tdm_tensor *attend(const transformer_style *s, tdm_tensor *x, tdm_tensor *const *p)
{
    tdm_projections w = {p[IN], p[IN + 1], p[OUT], p[OUT + 1]};
    return tdm_multi_head_attention(x, x, x, &w, s->heads, &(tdm_attention){.causal = s->causal});
}

static tdm_tensor *feed_forward(const transformer_style *s, tdm_tensor *x, tdm_tensor *const *p)
{
    tdm_tensor *h = tdm_linear(x, p[UP], p[UP + 1]);
    return tdm_linear(s->gelu_tanh ? tdm_gelu_tanh(h) : tdm_gelu(h), p[DOWN], p[DOWN + 1]);
}

/* x and what a part adds to it. */
static tdm_tensor *plus(const transformer_style *s, tdm_tensor *x, tdm_tensor *added)
{
    return tdm_add(x, s->dropout > 0 ? tdm_dropout(added, s->dropout) : added);
}

tdm_tensor *transformer_block(const transformer_style *s, tdm_tensor *x, tdm_tensor *const *p)
{
    if (s->pre_norm) {
        x = plus(s, x, attend(s, norm(x, p + LN1), p));
        return plus(s, x, feed_forward(s, norm(x, p + LN2), p));
    }
    x = norm(plus(s, x, attend(s, x, p)), p + LN1);
    return norm(plus(s, x, feed_forward(s, x, p)), p + LN2);
}
