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

/* sqrt(3 / fan_in), as the harness scales 2-d weights. */
#define W784 0.06185895741317419f
#define W768 0.0625f
#define W512 0.07654655446197431f
#define W256 0.10825317547305482f

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
#define MATMUL(n)                                                                 \
    {                                                                             \
        .name = "matmul_" #n, .kind = BENCH_FORWARD, .model = matmul, .inputs = { \
            U("a", 101, n, n),                                                    \
            U("b", 102, n, n)                                                     \
        }                                                                         \
    }
#define LINEAR(m)                                                                                      \
    {                                                                                                  \
        .name = "linear_" #m, .kind = BENCH_FORWARD, .model = linear, .inputs = {U("x", 101, m, 768)}, \
        .params = {                                                                                    \
            F("w", 1, W768, 0.0f, 3072, 768)                                                           \
        }                                                                                              \
    }
#define MLP(b)                                                                      \
    {                                                                               \
        .name = "mlp_train_" #b, .kind = BENCH_TRAIN, .model = mlp_loss, .lr = 0.1, \
        .inputs = {U("x", 101, b, 784), LABELS("labels", 102, 10, b)}, .params = {  \
            F("w1", 1, W784, 0.0f, 512, 784),                                       \
            F("b1", 2, 0.1f, 0.0f, 512),                                            \
            F("w2", 3, W512, 0.0f, 256, 512),                                       \
            F("b2", 4, 0.1f, 0.0f, 256),                                            \
            F("w3", 5, W256, 0.0f, 10, 256),                                        \
            F("b3", 6, 0.1f, 0.0f, 10)                                              \
        }                                                                           \
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
    {.name = "ew_relu16m", .kind = BENCH_FORWARD, .model = ew_relu, .inputs = RELU_INPUTS},
    {.name = "ew_relu16m_grad",
     .kind = BENCH_GRADIENT,
     .model = ew_relu,
     .inputs = RELU_INPUTS,
     .wrt = 1,
     .dy = D(4096, 4096)},
    {.name = "ew_gelu4m", .kind = BENCH_FORWARD, .model = ew_gelu, .inputs = GELU_INPUTS},
    {.name = "ew_gelu4m_grad",
     .kind = BENCH_GRADIENT,
     .model = ew_gelu,
     .inputs = GELU_INPUTS,
     .wrt = 1,
     .dy = D(2048, 2048)},
    {.name = "softmax", .kind = BENCH_FORWARD, .model = softmax, .inputs = ROWS_4},
    {.name = "softmax_fb",
     .kind = BENCH_GRADIENT,
     .model = softmax,
     .inputs = ROWS_4,
     .wrt = 1,
     .with_forward = true,
     .dy = D(4096, 1024)},
    {.name = "layernorm", .kind = BENCH_FORWARD, .model = layernorm, .inputs = NORM_INPUTS},
    {.name = "layernorm_fb",
     .kind = BENCH_GRADIENT,
     .model = layernorm,
     .inputs = NORM_INPUTS,
     .wrt = 7,
     .with_forward = true,
     .dy = D(4096, 1024)},
    {.name = "logsumexp", .kind = BENCH_FORWARD, .model = logsumexp, .inputs = ROWS_4},
    {.name = "sum_axis0", .kind = BENCH_FORWARD, .model = sum_axis0, .inputs = {U("x", 101, 4096, 4096)}},
    {.name = "sum_axis1", .kind = BENCH_FORWARD, .model = sum_axis1, .inputs = {U("x", 101, 4096, 4096)}},
    MATMUL(64),
    MATMUL(256),
    MATMUL(1024),
    LINEAR(1),
    LINEAR(8),
    LINEAR(128),
    {.name = "bmm",
     .kind = BENCH_FORWARD,
     .model = matmul,
     .inputs = {U("a", 101, 96, 128, 64), U("b", 102, 96, 64, 128)}},
    {.name = "linear_gelu",
     .kind = BENCH_FORWARD,
     .model = linear_gelu,
     .inputs = {U("x", 101, 512, 768)},
     .params = {F("w", 1, W768, 0.0f, 3072, 768), F("b", 2, 0.1f, 0.0f, 3072)}},
    MLP(128),
    MLP(8),
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
