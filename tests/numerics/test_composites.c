/* tests/numerics/test_composites.c: rules 7, 9 and 11 of docs/numerics.md in plain C, against the public
 * functions: rows of softmax, layer_norm and attention, the order of a gradient's contributions, the rewrites
 * that keep every bit. */
#include <math.h>
#include <string.h>

#include "runtime/scalar_c.h"
#include "tests/frontend/lib_frontend.h"
#include "tests/numerics/reference.h"

enum { ROWS = 9, LONG = 130 };

static void read_floats(const tdm_tensor *t, float *to, int64_t n)
{
    assert_int_equal(tdm_elements(t), n);
    assert_int_equal(tdm_read(t, to, (size_t)n * sizeof *to), TDM_OK);
}

static void expect_bits(const tdm_tensor *t, const float *wanted, int64_t n)
{
    float found[ROWS * LONG];

    read_floats(t, found, n);
    for (int64_t i = 0; i < n; i++)
        if (s_bits_f32(found[i]) != s_bits_f32(wanted[i]))
            fail_msg("element %d is %a, expected %a", (int)i, (double)found[i], (double)wanted[i]);
}

/* ---- rule 7 ------------------------------------------------------------------------------------------- */

static void plain_softmax(const float *x, int64_t n, float *y)
{
    float most = x[0];

    for (int64_t i = 1; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (int64_t i = 0; i < n; i++)
        y[i] = s_exp_f32(x[i] - most);
    const float sum = ref_sum_inner_f32(y, n);
    for (int64_t i = 0; i < n; i++)
        y[i] = y[i] / sum;
}

static void softmax_rows(void **state)
{
    tdm_context *ctx = open_context();
    float x[ROWS * LONG], y[ROWS * LONG];

    (void)state;
    for (int64_t n = 1; n <= LONG; n += 43) {
        tdm_tensor *t = numbers(ctx, tdm_shape(ROWS, n), (uint32_t)n);
        read_floats(t, x, ROWS * n);
        for (int64_t r = 0; r < ROWS; r++)
            plain_softmax(x + r * n, n, y + r * n);
        expect_bits(tdm_softmax(t, -1), y, ROWS * n);
    }
    close_context(ctx);
}

static void plain_layer_norm(const float *x, const float *gamma, const float *beta, int64_t n, float eps,
                             float *y)
{
    float d[LONG], square[LONG];
    const float mean = ref_sum_inner_f32(x, n) / (float)n;

    for (int64_t i = 0; i < n; i++) {
        d[i] = x[i] - mean;
        square[i] = d[i] * d[i];
    }
    const float variance = ref_sum_inner_f32(square, n) / (float)n, root = sqrtf(variance + eps);
    for (int64_t i = 0; i < n; i++) {
        const float unit = d[i] * (1.0F / root), scaled = unit * gamma[i];
        y[i] = scaled + beta[i];
    }
}

static void layer_norm_rows(void **state)
{
    tdm_context *ctx = open_context();
    float x[ROWS * LONG], gamma[LONG], beta[LONG], y[ROWS * LONG];

    (void)state;
    for (int64_t n = 1; n <= LONG; n += 43) {
        tdm_tensor *t = numbers(ctx, tdm_shape(ROWS, n), 3), *g = numbers(ctx, tdm_shape(n), 4),
                   *b = numbers(ctx, tdm_shape(n), 5);
        read_floats(t, x, ROWS * n);
        read_floats(g, gamma, n);
        read_floats(b, beta, n);
        for (int64_t r = 0; r < ROWS; r++)
            plain_layer_norm(x + r * n, gamma, beta, n, 1e-5F, y + r * n);
        expect_bits(tdm_layer_norm(t, g, b, 1e-5), y, ROWS * n);
    }
    close_context(ctx);
}

/* a [m, k] by b [k, n], b's rows `step` and its columns `wide` apart: rule 5. */
static void plain_product(const float *a, const float *b, int64_t m, int64_t n, int64_t k, int64_t step,
                          int64_t wide, float *y)
{
    float column[LONG];

    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            for (int64_t p = 0; p < k; p++)
                column[p] = b[p * step + j * wide];
            y[i * n + j] = (m * n < 64 ? ref_tree_f32 : ref_chain_f32)(a + i * k, column, k);
        }
}

/* Small products take the tree of rule 5, larger ones the chain. */
static void attention_rows(void **state)
{
    enum { E = 16 };
    tdm_context *ctx = open_context();
    float q[ROWS * E], k[ROWS * E], v[ROWS * E], scores[ROWS * ROWS], y[ROWS * E];

    (void)state;
    for (int64_t n = 3; n <= ROWS; n += 6) {
        tdm_tensor *tq = numbers(ctx, tdm_shape(n, E), 1), *tk = numbers(ctx, tdm_shape(n, E), 2),
                   *tv = numbers(ctx, tdm_shape(n, E), 3);
        read_floats(tq, q, n * E);
        read_floats(tk, k, n * E);
        read_floats(tv, v, n * E);
        plain_product(q, k, n, n, E, 1, E, scores);
        for (int64_t i = 0; i < n * n; i++)
            scores[i] = scores[i] * 0.25F; /* 1 / sqrt(E) */
        for (int64_t i = 0; i < n; i++)
            plain_softmax(scores + i * n, n, scores + i * n);
        plain_product(scores, v, n, E, n, E, 1, y);
        expect_bits(tdm_scaled_dot_product_attention(tq, tk, tv, NULL), y, n * E);
    }
    close_context(ctx);
}

/* ---- rule 9 ------------------------------------------------------------------------------------------- */

/* x is used by three products: the last one made contributes first. */
static void contributions_descend(void **state)
{
    enum { N = 40 };
    tdm_context *ctx = open_context();
    float w[3][N], wanted[N], other[N];
    tdm_tensor *x = tdm_requires_grad(numbers(ctx, tdm_shape(N), 9), true), *sum = NULL;
    int differ = 0;

    (void)state;
    for (int i = 0; i < 3; i++) {
        tdm_tensor *t = tdm_exp(numbers(ctx, tdm_shape(N), 10 + (uint32_t)i)), *part = tdm_mul(x, t);
        read_floats(t, w[i], N);
        sum = sum ? tdm_add(sum, part) : part;
    }
    assert_int_equal(tdm_backward(tdm_sum(sum, tdm_all_axes(), false)), TDM_OK);
    for (int i = 0; i < N; i++) {
        wanted[i] = (w[2][i] + w[1][i]) + w[0][i];
        other[i] = (w[0][i] + w[1][i]) + w[2][i];
        differ += wanted[i] != other[i];
    }
    assert_true(differ > 0);
    expect_bits(tdm_grad(x), wanted, N);
    close_context(ctx);
}

/* ---- rule 11 ------------------------------------------------------------------------------------------ */

static int same(float a, float b)
{
    return (a != a && b != b) || s_bits_f32(a) == s_bits_f32(b);
}

/* Every rewrite of the page's table that computes something, on any bits; and one that is not safe. */
static void rewrites_keep_bits(void **state)
{
    const float special[] = {0.0F, -0.0F, INFINITY,  -INFINITY,  NAN,
                             1,    -1,    0x1p-149F, -0x1p-126F, 0x1.fffffep127F};
    uint32_t bits = 1;
    float z = 0.5F;
    int unsafe = 0;

    (void)state;
    for (int i = 0; i < 2000000; i++) {
        bits = bits * 1664525U + 1013904223U;
        const float x = i < 10 ? special[i] : s_frombits_f32((int32_t)bits);
        const int ok = same(x + -0.0F, x) && same(x - 0.0F, x) && same(x * 1.0F, x) && same(x / 1.0F, x) &&
                       same(x * -1.0F, -x) && same(x - z, x + -z) && same(x + z, z + x) &&
                       same(x * z, z * x) && same(x / 8.0F, x * 0.125F) && same(s_max_f32(x, x), x) &&
                       same(s_min_f32(x, x), x);
        if (!ok)
            fail_msg("x = %a, z = %a", (double)x, (double)z);
        unsafe += !same(x / 3.0F, x * (1.0F / 3.0F)) + !same(x + 0.0F, x);
        z = x;
    }
    assert_true(unsafe > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax_rows),       cmocka_unit_test(layer_norm_rows),
        cmocka_unit_test(attention_rows),     cmocka_unit_test(contributions_descend),
        cmocka_unit_test(rewrites_keep_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
