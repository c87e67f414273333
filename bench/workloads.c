/* bench/workloads.c: the models and the table of workloads. */
#include <string.h>

#include "bench/bench.h"

static tdm_tensor *seed(tdm_tensor *const *x, tdm_tensor *const *p)
{
    (void)p;
    return tdm_mul(tdm_add(x[0], x[1]), tdm_add_scalar(x[1], 1));
}

static tdm_tensor *chain(tdm_tensor *const *x, tdm_tensor *const *p)
{
    (void)p;
    tdm_tensor *y = x[0];
    for (int i = 0; i < 50; i++) {
        y = tdm_mul(y, x[1]);
        y = tdm_add(y, x[2]);
    }
    return y;
}

static tdm_tensor *ew_relu(tdm_tensor *const *x, tdm_tensor *const *p)
{
    (void)p;
    return tdm_add(tdm_mul(tdm_relu(tdm_add(tdm_mul(x[0], x[1]), x[2])), x[3]), x[4]);
}

static tdm_tensor *ew_gelu(tdm_tensor *const *x, tdm_tensor *const *p)
{
    (void)p;
    return tdm_mul(tdm_gelu(x[0]), x[1]);
}

static tdm_tensor *softmax(tdm_tensor *const *x, tdm_tensor *const *p)
{
    (void)p;
    return tdm_softmax(x[0], -1);
}

static tdm_tensor *layernorm(tdm_tensor *const *x, tdm_tensor *const *p)
{
    (void)p;
    return tdm_layer_norm(x[0], x[1], x[2], 1e-5);
}

static tdm_tensor *logsumexp(tdm_tensor *const *x, tdm_tensor *const *p)
{
    (void)p;
    return tdm_logsumexp(x[0], -1, false);
}

static tdm_tensor *sum_axis0(tdm_tensor *const *x, tdm_tensor *const *p)
{
    (void)p;
    return tdm_sum(x[0], tdm_axes(0), false);
}

static tdm_tensor *sum_axis1(tdm_tensor *const *x, tdm_tensor *const *p)
{
    (void)p;
    return tdm_sum(x[0], tdm_axes(1), false);
}

static tdm_tensor *matmul(tdm_tensor *const *x, tdm_tensor *const *p)
{
    (void)p;
    return tdm_matmul(x[0], x[1]);
}

static tdm_tensor *linear(tdm_tensor *const *x, tdm_tensor *const *p)
{
    return tdm_linear(x[0], p[0], NULL);
}

static tdm_tensor *linear_gelu(tdm_tensor *const *x, tdm_tensor *const *p)
{
    return tdm_gelu(tdm_linear(x[0], p[0], p[1]));
}

/* tanh(x W1 + b) W2 of inputs x, W1, b, W2 */
static tdm_tensor *net(tdm_tensor *const *x, tdm_tensor *const *p)
{
    (void)p;
    return tdm_matmul(tdm_tanh(tdm_add(tdm_matmul(x[0], x[1]), x[2])), x[3]);
}

static tdm_tensor *mlp_loss(tdm_tensor *const *x, tdm_tensor *const *p)
{
    tdm_tensor *h = tdm_relu(tdm_linear(x[0], p[0], p[1]));
    h = tdm_relu(tdm_linear(h, p[2], p[3]));
    return tdm_cross_entropy(tdm_linear(h, p[4], p[5]), x[1]);
}

#define D(...)                                                                                     \
    {                                                                                              \
        .rank = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), .dims = { __VA_ARGS__ } \
    }
#define F(n, s, k, b, ...) \
    {.name = n, .dtype = TDM_F32, .shape = D(__VA_ARGS__), .seed = s, .scale = k, .shift = b}
#define U(n, s, ...) F(n, s, 1.0f, 0.0f, __VA_ARGS__)
#define LABELS(n, s, m, ...) {.name = n, .dtype = TDM_I64, .shape = D(__VA_ARGS__), .seed = s, .below = m}

#define P(n, ...) {n, D(__VA_ARGS__)}

#define SEED_INPUTS {F("x", 0, 0, 2.0f, 1), F("w", 0, 0, 1.0f, 1)}
#define CHAIN_INPUTS(n) {U("x", 101, n), F("w", 102, 0.01f, 1.0f, n), F("b", 103, 0.01f, 0.0f, n)}
#define CHAIN(tag, n)                                                                                  \
    {.name = "chain_" tag "_fwd", .kind = BENCH_FORWARD, .model = chain, .inputs = CHAIN_INPUTS(n)},   \
    {                                                                                                  \
        .name = "chain_" tag "_fb", .kind = BENCH_GRADIENT, .model = chain, .inputs = CHAIN_INPUTS(n), \
        .wrt = 7, .with_forward = true, .dy = D(n)                                                     \
    }
#define RELU_INPUTS \
    {U("x", 101, 4096, 4096), U("w", 102, 4096), U("b", 103, 4096), U("s", 104, 4096), U("t", 105, 4096)}
#define GELU_INPUTS {U("x", 101, 2048, 2048), U("z", 102, 2048, 2048)}
#define ROWS_4 {F("x", 101, 4.0f, 0.0f, 4096, 1024)}
#define NORM_INPUTS {U("x", 101, 4096, 1024), U("gamma", 102, 1024), U("beta", 103, 1024)}
#define MATMUL(n)                                                                                        \
    {                                                                                                    \
        .name = "matmul_" #n, .group = BENCH_MATMUL, .kind = BENCH_FORWARD, .model = matmul, .inputs = { \
            U("a", 101, n, n),                                                                           \
            U("b", 102, n, n)                                                                            \
        }                                                                                                \
    }
#define LINEAR(m)                                                                            \
    {                                                                                        \
        .name = "linear_" #m, .group = BENCH_MATMUL, .kind = BENCH_FORWARD, .model = linear, \
        .inputs = {U("x", 101, m, 768)}, .params = {                                         \
            P("w", 3072, 768)                                                                \
        }                                                                                    \
    }
#define NET(tag, m, k, h, n)                                                        \
    {.name = "net" tag "_fb",                                                       \
     .kind = BENCH_GRADIENT,                                                        \
     .model = net,                                                                  \
     .inputs = {U("x", 101, m, k), F("w1", 102, 0.25f, 0.0f, k, h), U("b", 103, h), \
                F("w2", 104, 0.25f, 0.0f, h, n)},                                   \
     .wrt = 14,                                                                     \
     .with_forward = true,                                                          \
     .dy = D(m, n)}
#define MLP(b)                                                                                       \
    {                                                                                                \
        .name = "mlp_train_" #b, .group = BENCH_NETWORKS, .kind = BENCH_TRAIN, .model = mlp_loss,    \
        .optimizer = sgd, .inputs = {U("x", 101, b, 784), LABELS("labels", 102, 10, b)}, .params = { \
            P("w1", 512, 784),                                                                       \
            P("b1", 512),                                                                            \
            P("w2", 256, 512),                                                                       \
            P("b2", 256),                                                                            \
            P("w3", 10, 256),                                                                        \
            P("b3", 10)                                                                              \
        }                                                                                            \
    }

static tdm_optimizer *sgd(tdm_tensor *const *params, int n)
{
    return tdm_sgd(params, n, 0.1, 0, 0, false);
}

static tdm_optimizer *adamw(tdm_tensor *const *params, int n)
{
    return tdm_adamw(params, n, 3e-4, 0.9, 0.95, 1e-8, 0.1);
}

static const bench_workload workloads[] = {
    {.name = "seed_fwd", .kind = BENCH_FORWARD, .model = seed, .inputs = SEED_INPUTS},
    {.name = "seed",
     .kind = BENCH_GRADIENT,
     .model = seed,
     .inputs = SEED_INPUTS,
     .wrt = 3,
     .with_forward = true,
     .dy = D(1),
     .dy_ones = true},
    CHAIN("1", 1),
    CHAIN("100", 100),
    CHAIN("10k", 10000),
    {.name = "ew_relu16m",
     .group = BENCH_MEMORY,
     .kind = BENCH_FORWARD,
     .model = ew_relu,
     .inputs = RELU_INPUTS},
    {.name = "ew_relu16m_grad",
     .group = BENCH_MEMORY,
     .kind = BENCH_GRADIENT,
     .model = ew_relu,
     .inputs = RELU_INPUTS,
     .wrt = 1,
     .dy = D(4096, 4096)},
    {.name = "ew_gelu4m",
     .group = BENCH_MEMORY,
     .kind = BENCH_FORWARD,
     .model = ew_gelu,
     .inputs = GELU_INPUTS},
    {.name = "ew_gelu4m_grad",
     .group = BENCH_MEMORY,
     .kind = BENCH_GRADIENT,
     .model = ew_gelu,
     .inputs = GELU_INPUTS,
     .wrt = 1,
     .dy = D(2048, 2048)},
    {.name = "softmax", .group = BENCH_MEMORY, .kind = BENCH_FORWARD, .model = softmax, .inputs = ROWS_4},
    {.name = "softmax_fb",
     .group = BENCH_MEMORY,
     .kind = BENCH_GRADIENT,
     .model = softmax,
     .inputs = ROWS_4,
     .wrt = 1,
     .with_forward = true,
     .dy = D(4096, 1024)},
    {.name = "layernorm",
     .group = BENCH_MEMORY,
     .kind = BENCH_FORWARD,
     .model = layernorm,
     .inputs = NORM_INPUTS},
    {.name = "layernorm_fb",
     .group = BENCH_MEMORY,
     .kind = BENCH_GRADIENT,
     .model = layernorm,
     .inputs = NORM_INPUTS,
     .wrt = 7,
     .with_forward = true,
     .dy = D(4096, 1024)},
    {.name = "logsumexp", .group = BENCH_MEMORY, .kind = BENCH_FORWARD, .model = logsumexp, .inputs = ROWS_4},
    {.name = "sum_axis0",
     .group = BENCH_MEMORY,
     .kind = BENCH_FORWARD,
     .model = sum_axis0,
     .inputs = {U("x", 101, 4096, 4096)}},
    {.name = "sum_axis1",
     .group = BENCH_MEMORY,
     .kind = BENCH_FORWARD,
     .model = sum_axis1,
     .inputs = {U("x", 101, 4096, 4096)}},
    MATMUL(64),
    MATMUL(256),
    MATMUL(1024),
    LINEAR(1),
    LINEAR(8),
    LINEAR(128),
    {.name = "bmm",
     .group = BENCH_MATMUL,
     .kind = BENCH_FORWARD,
     .model = matmul,
     .inputs = {U("a", 101, 96, 128, 64), U("b", 102, 96, 64, 128)}},
    {.name = "linear_gelu",
     .group = BENCH_MATMUL,
     .kind = BENCH_FORWARD,
     .model = linear_gelu,
     .inputs = {U("x", 101, 512, 768)},
     .params = {P("w", 3072, 768), P("b", 3072)}},
    {.name = "minilm",
     .group = BENCH_NETWORKS,
     .kind = BENCH_FORWARD,
     .model = bench_minilm,
     .inputs = {LABELS("ids", 101, 30522, 1, 128)},
     .params = {P("tok.weight", 30522, 384), P("pos.weight", 128, 384), P("ln.weight", 384),
                P("ln.bias", 384)},
     .block = bench_block_384,
     .blocks = 6},
    {.name = "gpt2s",
     .group = BENCH_NETWORKS,
     .kind = BENCH_FORWARD,
     .model = bench_gpt2s,
     .inputs = {U("x", 101, 1, 64, 768)},
     .block = bench_block_768,
     .blocks = 12,
     .last = {P("ln.weight", 768), P("ln.bias", 768)}},
    NET("16", 1, 16, 16, 1),
    NET("64", 64, 128, 256, 10),
    MLP(128),
    MLP(8),
    {.name = "nanogpt_train",
     .group = BENCH_NETWORKS,
     .kind = BENCH_TRAIN,
     .model = bench_nanogpt_loss,
     .optimizer = adamw,
     .inputs = {LABELS("ids", 101, 256, 8, 128), LABELS("targets", 102, 256, 8, 128)},
     .params = {P("tok.weight", 256, 256), P("pos.weight", 128, 256)},
     .block = bench_block_256,
     .blocks = 4,
     .last = {P("ln.weight", 256), P("ln.bias", 256), P("head.weight", 256, 256)}},
    {.name = "gcn_train",
     .group = BENCH_NETWORKS,
     .kind = BENCH_TRAIN,
     .model = bench_gcn_loss,
     .optimizer = sgd,
     .inputs = {U("x", 101, BENCH_NODES, 1433),
                {.name = "src", .dtype = TDM_I64, .shape = D(BENCH_EDGES), .fill = bench_gcn_src},
                {.name = "dst", .dtype = TDM_I64, .shape = D(BENCH_EDGES), .fill = bench_gcn_dst},
                {.name = "weight", .dtype = TDM_F32, .shape = D(BENCH_EDGES), .fill = bench_gcn_weight},
                LABELS("labels", 104, 7, BENCH_NODES)},
     .params = {P("f1.weight", 16, 1433), P("f1.bias", 16), P("f2.weight", 7, 16), P("f2.bias", 7)}},
};

const bench_workload *bench_at(int i)
{
    return i >= 0 && i < (int)(sizeof workloads / sizeof *workloads) ? &workloads[i] : NULL;
}

const bench_workload *bench_find(const char *name)
{
    for (int i = 0; bench_at(i); i++)
        if (strcmp(workloads[i].name, name) == 0)
            return &workloads[i];
    return NULL;
}
