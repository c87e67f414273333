/* bench/nets.c: the networks of the harness that are more than a line: transformers and a graph convolution
 * network. Parameters come in the order of the peers' modules. */
#include <stdlib.h>

#include "bench/bench.h"
#include "examples/lib_gcn.h"
#include "examples/lib_transformer.h"

#define M(n, ...)                                                                               \
    {                                                                                           \
        n,                                                                                      \
        {                                                                                       \
            .rank = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), .dims = { __VA_ARGS__ } \
        }                                                                                       \
    }
#define BLOCK(d, ff)                                                                             \
    {                                                                                            \
        M("ln1.weight", d), M("ln1.bias", d), M("qkv.weight", 3 * d, d), M("qkv.bias", 3 * d),   \
            M("proj.weight", d, d), M("proj.bias", d), M("ln2.weight", d), M("ln2.bias", d),     \
            M("up.weight", ff, d), M("up.bias", ff), M("down.weight", d, ff), M("down.bias", d), \
        {                                                                                        \
            .name = NULL                                                                         \
        }                                                                                        \
    }

const bench_param bench_block_384[] = BLOCK(384, 1536);
const bench_param bench_block_768[] = BLOCK(768, 3072);
const bench_param bench_block_256[] = BLOCK(256, 1024);

static tdm_tensor *blocks(const transformer_style *s, int n, tdm_tensor *x, tdm_tensor *const *p)
{
    for (int i = 0; i < n; i++)
        x = transformer_block(s, x, p + (ptrdiff_t)i * TRANSFORMER_BLOCK_PARAMS);
    return x;
}

tdm_tensor *bench_minilm(tdm_tensor *const *x, tdm_tensor *const *p)
{
    const transformer_style style = {.heads = 12};
    tdm_tensor *h = tdm_add(tdm_embedding(p[0], x[0]), p[1]);
    return blocks(&style, 6, tdm_layer_norm(h, p[2], p[3], 1e-5), p + 4);
}

tdm_tensor *bench_gpt2s(tdm_tensor *const *x, tdm_tensor *const *p)
{
    enum { BLOCKS = 12 };
    const transformer_style style = {.heads = 12, .pre_norm = true, .causal = true, .gelu_tanh = true};
    tdm_tensor *const *last = p + BLOCKS * TRANSFORMER_BLOCK_PARAMS;
    return tdm_layer_norm(blocks(&style, BLOCKS, x[0], p), last[0], last[1], 1e-5);
}

tdm_tensor *bench_nanogpt_loss(tdm_tensor *const *x, tdm_tensor *const *p)
{
    enum { BLOCKS = 4 };
    const transformer_style style = {.heads = 8, .pre_norm = true, .causal = true, .gelu_tanh = true};
    tdm_tensor *const *last = p + 2 + BLOCKS * TRANSFORMER_BLOCK_PARAMS;
    tdm_tensor *h = blocks(&style, BLOCKS, tdm_add(tdm_embedding(p[0], x[0]), p[1]), p + 2);
    tdm_tensor *logits = tdm_linear(tdm_layer_norm(h, last[0], last[1], 1e-5), last[2], NULL);
    return tdm_cross_entropy(logits, x[1]);
}

tdm_tensor *bench_gcn_loss(tdm_tensor *const *x, tdm_tensor *const *p)
{
    const gcn_edges edges = {x[1], x[2], x[3]};
    tdm_tensor *h = tdm_relu(gcn_layer(&edges, x[0], p[0], p[1]));
    return tdm_cross_entropy(gcn_layer(&edges, h, p[2], p[3]), x[4]);
}

/* Random ends of edges, then every node once. */
static void ends(int64_t *to, int64_t n, unsigned seed)
{
    bench_integers(to, n - BENCH_NODES, seed, BENCH_NODES);
    for (int64_t i = 0; i < BENCH_NODES; i++)
        to[n - BENCH_NODES + i] = i;
}

void bench_gcn_src(void *to, int64_t n)
{
    ends(to, n, 102);
}

void bench_gcn_dst(void *to, int64_t n)
{
    ends(to, n, 103);
}

void bench_gcn_weight(void *to, int64_t n)
{
    int64_t *src = malloc((size_t)(2 * n + BENCH_NODES) * sizeof *src), *dst = src + n, *degree = dst + n;
    if (!src)
        return;
    ends(src, n, 102);
    ends(dst, n, 103);
    gcn_normalise(src, dst, n, BENCH_NODES, degree, to);
    free(src);
}
