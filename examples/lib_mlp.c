/* examples/lib_mlp.c: see lib_mlp.h. */
#include "lib_mlp.h"

#include <math.h>
#include <stdio.h>

mlp mlp_new(tdm_context *ctx, const int64_t *sizes, int layers)
{
    mlp m = {.layers = layers};
    tdm_scope_open(ctx);
    for (int i = 0; i < layers; i++) {
        char name[8];
        double bound = sqrt(6.0 / (double)sizes[i]);
        snprintf(name, sizeof name, "w%d", i + 1);
        m.p[2 * i] =
            tdm_parameter(tdm_uniform(ctx, TDM_F32, tdm_shape(sizes[i + 1], sizes[i]), -bound, bound), name);
        name[0] = 'b';
        m.p[2 * i + 1] = tdm_parameter(tdm_zeros(ctx, TDM_F32, tdm_shape(sizes[i + 1])), name);
    }
    tdm_scope_close(ctx);
    return m;
}

void mlp_free(mlp *m)
{
    for (int i = 0; i < 2 * m->layers; i++)
        tdm_release(m->p[i]);
}

tdm_tensor *mlp_logits(const mlp *m, tdm_tensor *x)
{
    for (int i = 0; i < m->layers; i++) {
        x = tdm_linear(x, m->p[2 * i], m->p[2 * i + 1]);
        if (i + 1 < m->layers)
            x = tdm_relu(x);
    }
    return x;
}
