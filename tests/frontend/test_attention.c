/* tests/frontend/test_attention.c: attention against plain C in double; queries that see nothing; dropout
 * and regions in both engines; what is refused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/frontend/lib_frontend.h"

enum { L = 5, S = 7, E = 4, V = 3 };

static void read_as_double(const tdm_tensor *t, double *to, int n)
{
    float data[256];

    assert_int_equal(tdm_elements(t), n);
    assert_int_equal(tdm_read(t, data, (size_t)n * sizeof *data), TDM_OK);
    for (int i = 0; i < n; i++)
        to[i] = (double)data[i];
}

static void expect(const tdm_tensor *t, const double *wanted, int n)
{
    double found[256];

    read_as_double(t, found, n);
    for (int i = 0; i < n; i++)
        if (!(fabs(found[i] - wanted[i]) <= 2e-6))
            fail_msg("element %d is %.9g, expected %.9g", i, found[i], wanted[i]);
}

/* One matrix: y [rows, V] of q [rows, width], k [keys, width], v [keys, V]; seen and added may be NULL. */
static void reference(const double *q, const double *k, const double *v, int rows, int keys, int width,
                      int depth, double scale, const uint8_t *seen, const double *added, double *y)
{
    for (int i = 0; i < rows; i++) {
        double w[S], sum = 0, most = -INFINITY;
        for (int j = 0; j < keys; j++) {
            w[j] = 0;
            for (int e = 0; e < width; e++)
                w[j] += q[i * width + e] * k[j * width + e] * scale;
            w[j] = seen && !seen[i * keys + j] ? -INFINITY : w[j] + (added ? added[i * keys + j] : 0);
            most = fmax(most, w[j]);
        }
        for (int j = 0; j < keys; j++)
            sum += w[j] = most == -INFINITY ? 0 : exp(w[j] - most);
        for (int d = 0; d < depth; d++) {
            y[i * depth + d] = 0;
            for (int j = 0; j < keys; j++)
                y[i * depth + d] += sum == 0 ? 0 : w[j] / sum * v[j * depth + d];
        }
    }
}

typedef struct operands {
    tdm_tensor *q, *k, *v;
    double dq[L * E], dk[S * E], dv[S * V], y[L * V];
} operands;

static void make(operands *o, tdm_context *ctx)
{
    o->q = numbers(ctx, tdm_shape(L, E), 1);
    o->k = numbers(ctx, tdm_shape(S, E), 2);
    o->v = numbers(ctx, tdm_shape(S, V), 3);
    read_as_double(o->q, o->dq, L * E);
    read_as_double(o->k, o->dk, S * E);
    read_as_double(o->v, o->dv, S * V);
}

static void test_values(void **state)
{
    tdm_context *ctx = open_context();
    operands o;
    uint8_t seen[L * S], past[L * S];
    float added[L * S];
    double wide[L * S];

    (void)state;
    make(&o, ctx);
    for (int i = 0; i < L * S; i++) {
        past[i] = i % S <= i / S;
        seen[i] = i / S != 2 && i % 3 != 0; /* query 2 sees nothing */
        added[i] = i / S == 3 ? -INFINITY : (float)(i % 5) - 2;
        wide[i] = (double)added[i];
    }
    reference(o.dq, o.dk, o.dv, L, S, E, V, 0.5, NULL, NULL, o.y);
    expect(tdm_scaled_dot_product_attention(o.q, o.k, o.v, NULL), o.y, L * V);
    reference(o.dq, o.dk, o.dv, L, S, E, V, 2, past, NULL, o.y);
    expect(tdm_scaled_dot_product_attention(o.q, o.k, o.v, &(tdm_attention){.causal = true, .scale = 2}), o.y,
           L * V);
    tdm_tensor *mask = tdm_from_data(ctx, TDM_BOOL, tdm_shape(L, S), seen);
    reference(o.dq, o.dk, o.dv, L, S, E, V, 0.5, seen, NULL, o.y);
    expect(tdm_scaled_dot_product_attention(o.q, o.k, o.v, &(tdm_attention){.mask = mask}), o.y, L * V);
    mask = tdm_from_data(ctx, TDM_F32, tdm_shape(L, S), added);
    reference(o.dq, o.dk, o.dv, L, S, E, V, 0.5, NULL, wide, o.y);
    expect(tdm_scaled_dot_product_attention(o.q, o.k, o.v, &(tdm_attention){.mask = mask}), o.y, L * V);
    reference(o.dq, o.dk, o.dv, L, S, E, V, 0.5, past, wide, o.y);
    expect(tdm_scaled_dot_product_attention(o.q, o.k, o.v, &(tdm_attention){.mask = mask, .causal = true}),
           o.y, L * V);
    close_context(ctx);
}

/* The gradients of a query that sees nothing are zeros, and nothing else becomes NaN by it. */
static void test_blind_query(void **state)
{
    const uint8_t seen[2 * 3] = {0, 0, 0, 1, 0, 1};
    tdm_context *ctx = open_context();
    tdm_tensor *x[3], *dx[3];
    float d[6];

    (void)state;
    for (int i = 0; i < 3; i++)
        x[i] = tdm_requires_grad(numbers(ctx, tdm_shape(i ? 3 : 2, 2), (uint32_t)i + 1), true);
    const tdm_attention how = {.mask = tdm_from_data(ctx, TDM_BOOL, tdm_shape(2, 3), seen)};
    tdm_tensor *y = tdm_scaled_dot_product_attention(x[0], x[1], x[2], &how);
    tdm_tensor *loss = tdm_sum(tdm_square(y), tdm_all_axes(), false);
    tdm_gradients(&loss, NULL, 1, x, 3, dx, 0);
    assert_fine(ctx);
    tdm_read(y, d, 4 * sizeof *d);
    assert_true(d[0] == 0 && d[1] == 0 && d[2] != 0);
    tdm_read(dx[0], d, 4 * sizeof *d);
    assert_true(d[0] == 0 && d[1] == 0 && isfinite(d[2]) && d[2] != 0);
    for (int i = 1; i < 3; i++) {
        tdm_read(dx[i], d, sizeof d);
        for (int j = 0; j < 6; j++)
            assert_true(isfinite(d[j]) && (j / 2 == 1) == (d[j] == 0)); /* key 1 is seen by nobody */
    }
    close_context(ctx);
}

/* ---- several heads ---- */

enum { HEADS = 2, WIDTH = 6, SIDE = WIDTH / HEADS };

/* rows [n, WIDTH] by rows first.. of w [.., WIDTH], plus bias */
static void affine(const double *x, int n, const double *w, const double *bias, int first, double *y)
{
    for (int i = 0; i < n; i++)
        for (int o = 0; o < WIDTH; o++) {
            y[i * WIDTH + o] = bias ? bias[first + o] : 0;
            for (int e = 0; e < WIDTH; e++)
                y[i * WIDTH + o] += x[i * WIDTH + e] * w[(first + o) * WIDTH + e];
        }
}

static void columns(const double *x, int n, int head, double *y)
{
    for (int i = 0; i < n; i++)
        memcpy(y + i * SIDE, x + i * WIDTH + head * SIDE, SIDE * sizeof *y);
}

static void test_heads(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(L, WIDTH), 1), *z = numbers(ctx, tdm_shape(S, WIDTH), 2);
    const tdm_projections w = {numbers(ctx, tdm_shape(3 * WIDTH, WIDTH), 3),
                               numbers(ctx, tdm_shape(3 * WIDTH), 4),
                               numbers(ctx, tdm_shape(WIDTH, WIDTH), 5), numbers(ctx, tdm_shape(WIDTH), 6)};
    double dx[L * WIDTH], dz[S * WIDTH], in[3 * WIDTH * WIDTH], in_bias[3 * WIDTH], out[WIDTH * WIDTH],
        out_bias[WIDTH], q[L * WIDTH], k[S * WIDTH], v[S * WIDTH], joined[L * WIDTH], y[L * WIDTH];

    (void)state;
    read_as_double(x, dx, L * WIDTH);
    read_as_double(z, dz, S * WIDTH);
    read_as_double(w.in_weight, in, 3 * WIDTH * WIDTH);
    read_as_double(w.in_bias, in_bias, 3 * WIDTH);
    read_as_double(w.out_weight, out, WIDTH * WIDTH);
    read_as_double(w.out_bias, out_bias, WIDTH);
    for (int cross = 0; cross < 3; cross++) { /* 2: key and value are different handles */
        int keys = cross ? S : L;
        const double *from = cross ? dz : dx;
        affine(dx, L, in, in_bias, 0, q);
        affine(from, keys, in, in_bias, WIDTH, k);
        affine(from, keys, in, in_bias, 2 * WIDTH, v);
        for (int h = 0; h < HEADS; h++) {
            double hq[L * SIDE], hk[S * SIDE], hv[S * SIDE], hy[L * SIDE];
            columns(q, L, h, hq);
            columns(k, keys, h, hk);
            columns(v, keys, h, hv);
            reference(hq, hk, hv, L, keys, SIDE, SIDE, 1 / sqrt(SIDE), NULL, NULL, hy);
            for (int i = 0; i < L; i++)
                memcpy(joined + i * WIDTH + h * SIDE, hy + i * SIDE, SIDE * sizeof *hy);
        }
        affine(joined, L, out, out_bias, 0, y);
        tdm_tensor *key = cross ? z : x, *value = cross == 2 ? tdm_detach(z) : key;
        expect(tdm_multi_head_attention(x, key, value, &w, HEADS, NULL), y, L * WIDTH);
    }
    close_context(ctx);
}

/* ---- positions ---- */

#define D 6
#define HALF (D / 2)

static void test_rotary(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(2, L, D), 1);
    double dx[2 * L * D], y[2 * L * D], table[L * HALF], places[L * D];

    (void)state;
    read_as_double(x, dx, 2 * L * D);
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        for (int i = 0; i < 2 * L * HALF; i++) {
            int row = i / HALF, k = i % HALF, a = interleaved ? 2 * k : k, b = interleaved ? a + 1 : k + HALF;
            double angle = row % L * pow(100, -2.0 * k / D), *to = y + row * D, *from = dx + row * D;
            to[a] = from[a] * cos(angle) - from[b] * sin(angle);
            to[b] = from[b] * cos(angle) + from[a] * sin(angle);
        }
        expect(tdm_rotary(x, tdm_rotary_cos(ctx, TDM_F32, L, D, 100), tdm_rotary_sin(ctx, TDM_F32, L, D, 100),
                          interleaved),
               y, 2 * L * D);
    }
    for (int i = 0; i < L * HALF; i++) {
        double angle = i / HALF * pow(10000, -2.0 * (i % HALF) / D);
        table[i] = cos(angle);
        places[2 * i] = sin(angle);
        places[2 * i + 1] = cos(angle);
    }
    expect(tdm_rotary_cos(ctx, TDM_F32, L, D, 10000), table, L * HALF);
    expect(tdm_sinusoidal_positions(ctx, TDM_F32, L, D, 10000), places, L * D);
    close_context(ctx);
}

/* ---- both engines ---- */

/* Dropped weights: the same draws, step by step; without dropout no counter is taken. */
static void test_dropout(void **state)
{
    tdm_context *a = open_context(), *z = open_context();
    const tdm_attention drop = {.causal = true, .dropout = 0.5}, keep = {.causal = true};

    (void)state;
    tdm_tensor *x = numbers(a, tdm_shape(2, 9, 4), 1), *same = numbers(z, tdm_shape(2, 9, 4), 1);
    tdm_graph *g = tdm_graph_open(a, "attention");
    tdm_tensor *sx = tdm_input(a, "x", TDM_F32, tdm_shape(2, 9, 4));
    tdm_output(a, "kept", tdm_scaled_dot_product_attention(sx, sx, sx, &keep));
    tdm_output(a, "y", tdm_scaled_dot_product_attention(sx, sx, sx, &drop));
    built b = build_graph(a, g);
    tdm_exec_bind(b.e, "x", x);
    for (int i = 0; i < 3; i++) {
        tdm_exec_run(b.e);
        assert_same(tdm_exec_output(b.e, "kept"), tdm_scaled_dot_product_attention(same, same, same, &keep));
        assert_same(tdm_exec_output(b.e, "y"), tdm_scaled_dot_product_attention(same, same, same, &drop));
    }
    free_built(&b);
    close_context(a);
    close_context(z);
}

/* ---- a transformer block, trained in both engines ---- */

enum { TOKENS = 8, VOCABULARY = 11, MODEL = 8, WEIGHTS = 8 };

typedef struct learner {
    tdm_context *ctx;
    tdm_tensor *w[WEIGHTS], *text, *next;
    tdm_optimizer *opt;
} learner;

static learner open_learner(void)
{
    static const int64_t shapes[WEIGHTS][2] = {{VOCABULARY, MODEL}, {3 * MODEL, MODEL}, {MODEL, MODEL},
                                               {16, MODEL},         {MODEL, 16},        {MODEL, 0},
                                               {MODEL, 0},          {MODEL, 0}};
    learner l = {.ctx = open_context()};
    int32_t tokens[2 * TOKENS], next[2 * TOKENS];

    for (int i = 0; i < WEIGHTS; i++) {
        tdm_dims shape = shapes[i][1] ? tdm_shape(shapes[i][0], shapes[i][1]) : tdm_shape(shapes[i][0]);
        l.w[i] = tdm_parameter(tdm_mul_scalar(numbers(l.ctx, shape, (uint32_t)i + 1), 0.4), NULL);
    }
    for (int i = 0; i < 2 * TOKENS; i++) {
        tokens[i] = i * i % VOCABULARY;
        next[i] = i % 5 == 4 ? -1 : (i + 1) * (i + 1) % VOCABULARY; /* some are padding */
    }
    l.text = tdm_from_data(l.ctx, TDM_I32, tdm_shape(2, TOKENS), tokens);
    l.next = tdm_from_data(l.ctx, TDM_I32, tdm_shape(2, TOKENS), next);
    l.opt = tdm_adamw(l.w, WEIGHTS, 0.02, 0.9, 0.99, 1e-8, 0.1);
    assert_fine(l.ctx);
    return l;
}

static void close_learner(learner *l)
{
    tdm_optimizer_free(l->opt);
    for (int i = 0; i < WEIGHTS; i++)
        tdm_release(l->w[i]);
    close_context(l->ctx);
}

static tdm_tensor *block(const learner *l, tdm_tensor *text)
{
    const tdm_projections heads = {.in_weight = l->w[1], .out_weight = l->w[2]};
    tdm_tensor *x = tdm_embedding(l->w[0], text);
    tdm_tensor *a = tdm_layer_norm(x, l->w[5], NULL, 1e-5);

    a = tdm_multi_head_attention(a, a, a, &heads, 2, &(tdm_attention){.causal = true, .dropout = 0.1});
    x = tdm_add(x, a);
    tdm_tensor *m = tdm_gelu(tdm_linear(tdm_layer_norm(x, l->w[6], NULL, 1e-5), l->w[3], NULL));
    x = tdm_layer_norm(tdm_add(x, tdm_linear(m, l->w[4], NULL)), l->w[7], NULL, 1e-5);
    return tdm_linear(x, l->w[0], NULL); /* the embedding's own table */
}

static tdm_tensor *learn(learner *l, tdm_tensor *text)
{
    const tdm_class_loss how = {.label_smoothing = 0.1, .ignore = true, .ignore_index = -1};
    tdm_tensor *loss = tdm_cross_entropy_with(block(l, text), l->next, &how), *t = tdm_steps(l->opt);

    tdm_zero_grad(l->opt);
    tdm_backward(loss);
    tdm_clip_grad_norm(l->w, WEIGHTS, 1, 2);
    tdm_step_with(l->opt, tdm_mul_scalar(tdm_lr_linear(t, 0.1, 1, 3), 0.05));
    return loss;
}

static void test_transformer(void **state)
{
    learner eager = open_learner(), compiled = open_learner();
    double first = 0, last = 0;

    (void)state;
    tdm_graph *g = tdm_graph_open(compiled.ctx, "learn");
    tdm_tensor *text = tdm_input(compiled.ctx, "text", TDM_I32, tdm_shape(2, TOKENS));
    tdm_output(compiled.ctx, "loss", learn(&compiled, text));
    built b = build_graph(compiled.ctx, g);
    tdm_exec_bind(b.e, "text", compiled.text);
    for (int i = 0; i < 8; i++) {
        tdm_scope_open(eager.ctx);
        tdm_tensor *loss = learn(&eager, eager.text);
        tdm_exec_run(b.e);
        assert_fine(eager.ctx);
        assert_same(tdm_exec_output(b.e, "loss"), loss);
        for (int k = 0; k < WEIGHTS; k++)
            assert_same(compiled.w[k], eager.w[k]);
        last = tdm_item(loss);
        first = i ? first : last;
        tdm_scope_close(eager.ctx);
    }
    assert_true(last < 0.8 * first);
    free_built(&b);
    close_learner(&eager);
    close_learner(&compiled);
}

/* Every node carries the name of the outermost function. */
static void test_regions(void **state)
{
    tdm_context *ctx = open_context();
    char *text = NULL;
    int inside = 0, heads = 0;

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "regions");
    tdm_tensor *x = tdm_input(ctx, "x", TDM_F32, tdm_shape(2, 5, 8));
    const tdm_projections w = {.in_weight = tdm_input(ctx, "in", TDM_F32, tdm_shape(24, 8)),
                               .out_weight = tdm_input(ctx, "out", TDM_F32, tdm_shape(8, 8))};
    tdm_output(ctx, "y", tdm_multi_head_attention(x, x, x, &w, 2, &(tdm_attention){.causal = true}));
    tdm_output(ctx, "z", tdm_scaled_dot_product_attention(x, x, x, NULL));
    tdm_graph_close(ctx);
    assert_fine(ctx);
    text = tdm_graph_text(g);
    assert_non_null(text);
    for (const char *at = text; (at = strstr(at, " in multi_head_attention")); at++)
        heads++;
    for (const char *at = text; (at = strstr(at, " in scaled_dot_product_attention")); at++)
        inside++;
    assert_true(heads > 20 && inside > 5);
    tdm_text_free(text);
    tdm_graph_free(g);
    close_context(ctx);
}

static void test_refusals(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(2, 3, 4), 1), *z = numbers(ctx, tdm_shape(3, 5), 2);
    tdm_tensor *d = tdm_zeros(ctx, TDM_F64, tdm_shape(2, 3, 4)), *row = numbers(ctx, tdm_shape(4), 1);
    tdm_tensor *many = numbers(ctx, tdm_shape(3, 3, 4), 3), *in = numbers(ctx, tdm_shape(12, 4), 3);
    const tdm_projections w = {.in_weight = in, .out_weight = numbers(ctx, tdm_shape(4, 4), 1)};
    tdm_projections bad = w, flat = w;

    (void)state;
#define REFUSED(code, call, ...)                                    \
    do {                                                            \
        assert_true(tdm_is_error(call));                            \
        assert_error(ctx, code, __VA_ARGS__, "(test_attention.c:"); \
    } while (0)
    REFUSED(TDM_EARG, tdm_scaled_dot_product_attention(x, NULL, x, NULL), "'k' is NULL");
    REFUSED(TDM_ESHAPE, tdm_scaled_dot_product_attention(x, z, x, NULL), "f32[2,3,4]", "f32[3,5]");
    REFUSED(TDM_ESHAPE, tdm_scaled_dot_product_attention(row, x, x, NULL), "f32[4]", "f32[2,3,4]");
    REFUSED(TDM_ESHAPE, tdm_scaled_dot_product_attention(x, x, numbers(ctx, tdm_shape(2, 4, 4), 1), NULL),
            "k [.., S, E] and v", "f32[2,4,4]");
    REFUSED(TDM_ESHAPE, tdm_scaled_dot_product_attention(x, many, many, NULL), "leading axes", "f32[3,3,4]");
    REFUSED(TDM_EDTYPE, tdm_scaled_dot_product_attention(x, x, d, NULL), "dtypes differ", "f64[2,3,4]");
    REFUSED(TDM_ESHAPE, tdm_scaled_dot_product_attention(x, x, x, &(tdm_attention){.mask = z}), "the mask",
            "f32[3,5]", "f32[2,3,3]");
    REFUSED(TDM_EDTYPE, tdm_scaled_dot_product_attention(x, x, x, &(tdm_attention){.mask = d}),
            "dtypes differ");
    REFUSED(TDM_EARG, tdm_scaled_dot_product_attention(x, x, x, &(tdm_attention){.scale = NAN}), "scale");
    REFUSED(TDM_EARG, tdm_scaled_dot_product_attention(x, x, x, &(tdm_attention){.dropout = 2}), "dropout");
    REFUSED(TDM_EARG, tdm_multi_head_attention(x, x, x, NULL, 2, NULL), "'w' is NULL");
    REFUSED(TDM_EARG, tdm_multi_head_attention(x, x, x, &w, 3, NULL), "3 heads", "f32[2,3,4]");
    REFUSED(TDM_EARG, tdm_multi_head_attention(x, x, x, &w, 0, NULL), "0 heads", "f32[2,3,4]");
    REFUSED(TDM_ESHAPE, tdm_multi_head_attention(x, z, z, &w, 2, NULL), "f32[3,5]", "f32[12,4]");
    bad.in_weight = NULL;
    REFUSED(TDM_EARG, tdm_multi_head_attention(x, x, x, &bad, 2, NULL), "'in_weight' is NULL");
    flat.in_bias = row;
    REFUSED(TDM_ESHAPE, tdm_multi_head_attention(x, x, x, &flat, 2, NULL), "in_bias", "f32[4]");
    flat = w;
    flat.out_bias = z;
    REFUSED(TDM_ESHAPE, tdm_multi_head_attention(x, x, x, &flat, 2, NULL), "bias", "f32[3,5]");
    REFUSED(TDM_ESHAPE, tdm_rotary(x, x, x, false), "rotary", "f32[2,3,4]", "table");
    REFUSED(TDM_ESHAPE, tdm_rotary(z, z, z, true), "rotary", "f32[3,5]");
    REFUSED(TDM_EARG, tdm_rotary(x, NULL, x, true), "'cosine' is NULL");
    REFUSED(TDM_EARG, tdm_rotary_cos(ctx, TDM_F32, 4, 5, 10000), "width 5", "even");
    REFUSED(TDM_EARG, tdm_rotary_sin(ctx, TDM_F32, 0, 4, 10000), "0 positions");
    REFUSED(TDM_EDTYPE, tdm_sinusoidal_positions(ctx, TDM_I32, 3, 4, 10000), "i32");
    REFUSED(TDM_EDTYPE, tdm_sinusoidal_positions(ctx, (tdm_dtype)99, 3, 4, 10000), "99");
#undef REFUSED
    close_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),  cmocka_unit_test(test_blind_query),
        cmocka_unit_test(test_heads),   cmocka_unit_test(test_transformer),
        cmocka_unit_test(test_rotary),  cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_regions), cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
