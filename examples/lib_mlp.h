/* examples/lib_mlp.h: a multilayer perceptron written once for both engines: examples/mlp.c and `tandem
 * train` use it. */
#ifndef TANDEM_LIB_MLP_H
#define TANDEM_LIB_MLP_H

#include <tandem/tandem.h>

enum { MLP_MOST_LAYERS = 4 };

typedef struct mlp {
    int layers;
    tdm_tensor *p[2 * MLP_MOST_LAYERS]; /* weight [out, in] and bias [out] of each layer */
} mlp;

/* sizes[0] inputs, .., sizes[layers] outputs.  Weights He-uniform (bound sqrt(6 / fan_in); He et al. 2015)
 * drawn from ctx's random stream, biases zero. */
mlp mlp_new(tdm_context *ctx, const int64_t *sizes, int layers);
void mlp_free(mlp *m);
/* x [b, sizes[0]] -> logits [b, sizes[layers]]; relu between layers. */
tdm_tensor *mlp_logits(const mlp *m, tdm_tensor *x);

#endif
