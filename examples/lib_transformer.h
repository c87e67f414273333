/* examples/lib_transformer.h: a transformer block written once for both engines: `tandem train shakespeare`
 * and the benchmark's networks are made of it. */
#ifndef TANDEM_LIB_TRANSFORMER_H
#define TANDEM_LIB_TRANSFORMER_H

#include <tandem/tandem.h>

/* A block's parameters in their order: layer_norm gamma and beta, attention's packed in-projection [3d, d]
 * and [3d], out-projection [d, d] and [d], layer_norm, up [ff, d] and [ff], down [d, ff] and [d]. */
enum { TRANSFORMER_BLOCK_PARAMS = 12 };

typedef struct transformer_style {
    int heads;
    bool pre_norm; /* x + f(ln(x)), else ln(x + f(x)) */
    bool causal;
    bool gelu_tanh; /* the tanh form of gelu, else by erf */
    double dropout; /* of what attention and the feed-forward part add to x; 0: none */
} transformer_style;

/* Self-attention, then a feed-forward part, each added to its input: x [.., t, d] -> [.., t, d]. */
tdm_tensor *transformer_block(const transformer_style *s, tdm_tensor *x, tdm_tensor *const *p);

#endif
