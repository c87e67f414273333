/* tests/frontend/test_fast.c: numerics fast, freedom by freedom: exactly what each may change, that nothing
 * changes without it, and that kernels say which they make use of. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/frontend/lib_frontend.h"

enum { N = 37, K = 50 }; /* K: every partial of a row's sum takes up one product */

static bool has_fma(void)
{
    return __builtin_cpu_supports("fma") != 0;
}

static const float *data_of(tdm_exec *e, const char *name)
{
    static float data[4][N * K];
    static int next;
    float *to = data[next++ % 4];

    assert_int_equal(tdm_read(tdm_exec_output(e, name), to, tdm_bytes(tdm_exec_output(e, name))), TDM_OK);
    return to;
}

/* ---- contract ---- */

/* plus = x z + w, minus = x z - w, from = w - x z, product = y z beside y z + w, row = sum of x z along K */
static built sums_of_products(tdm_context *ctx)
{
    tdm_graph *g = tdm_graph_open(ctx, "sums");
    tdm_dims s = tdm_shape(N, K);
    tdm_tensor *x = tdm_input(ctx, "x", TDM_F32, s), *z = tdm_input(ctx, "z", TDM_F32, s),
               *w = tdm_input(ctx, "w", TDM_F32, s), *y = tdm_input(ctx, "y", TDM_F32, s);
    tdm_tensor *yz = tdm_mul(y, z);

    tdm_output(ctx, "plus", tdm_add(w, tdm_mul(x, z)));
    tdm_output(ctx, "minus", tdm_sub(tdm_mul(x, z), w));
    tdm_output(ctx, "from", tdm_sub(w, tdm_mul(x, z)));
    tdm_output(ctx, "product", yz);
    tdm_output(ctx, "beside", tdm_add(yz, w));
    tdm_output(ctx, "row", tdm_sum(tdm_mul(x, y), tdm_axes(1), false));
    return build_graph(ctx, g);
}

static float one_or_two_roundings(bool one, float a, float b, float c)
{
    volatile float product = a * b;

    return one ? fmaf(a, b, c) : product + c;
}

/* Halves of up to 64 partials, each a product added to +0: strict rounds it, an fma with +0 does too. */
static float sum_of_row(const float *x, const float *y)
{
    float p[64] = {0};

    for (int i = 0; i < K; i++)
        p[i] = one_or_two_roundings(false, x[i], y[i], p[i]);
    for (int h = 32; h >= 1; h /= 2)
        for (int j = 0; j < h; j++)
            p[j] += p[j + h];
    return p[0];
}

static void check_sums(tdm_exec *e, const float *const in[4], bool one)
{
    const float *x = in[0], *z = in[1], *w = in[2], *y = in[3];
    const float *plus = data_of(e, "plus"), *minus = data_of(e, "minus"), *from = data_of(e, "from"),
                *beside = data_of(e, "beside");

    for (int i = 0; i < N * K; i++) {
        assert_true(plus[i] == one_or_two_roundings(one, x[i], z[i], w[i]));
        assert_true(minus[i] == one_or_two_roundings(one, x[i], z[i], -w[i]));
        assert_true(from[i] == one_or_two_roundings(one, -x[i], z[i], w[i]));
        assert_true(beside[i] == one_or_two_roundings(one, y[i], z[i], w[i]));
    }
    const float *product = data_of(e, "product"), *row = data_of(e, "row");
    for (int i = 0; i < N * K; i++)
        assert_true(product[i] == one_or_two_roundings(false, y[i], z[i], 0));
    for (int r = 0; r < N; r++)
        assert_true(row[r] == sum_of_row(x + (ptrdiff_t)r * K, y + (ptrdiff_t)r * K));
}

static unsigned freedoms_used(const tdm_program *p)
{
    unsigned used = 0;
    tdm_kernel_info k;

    for (int i = 0; tdm_program_kernel(p, i, &k); i++)
        used |= k.freedoms;
    return used;
}

static void test_contract(void **state)
{
    static float data[4][N * K];
    static const char *const names[4] = {"x", "z", "w", "y"};
    static const int widths[] = {0, 1, 4, 8, 16};

    (void)state;
    if (!has_fma())
        skip();
    for (size_t i = 0; i < 2 * sizeof widths / sizeof *widths; i++) {
        bool fast = i % 2;
        tdm_options o = {.threads = 1,
                         .width = widths[i / 2],
                         .numerics = fast ? TDM_FAST : TDM_STRICT,
                         .freedoms = fast ? TDM_CONTRACT : 0};
        tdm_context *ctx = tdm_context_new(&o);
        const float *in[4];
        built b = sums_of_products(ctx);
        for (unsigned k = 0; k < 4; k++) {
            tdm_tensor *t = numbers(ctx, tdm_shape(N, K), k + 1);
            assert_int_equal(tdm_read(t, data[k], sizeof data[k]), TDM_OK);
            assert_int_equal(tdm_exec_bind(b.e, names[k], t), TDM_OK);
            in[k] = data[k];
        }
        assert_int_equal(tdm_exec_run(b.e), TDM_OK);
        check_sums(b.e, in, fast);
        assert_int_equal(freedoms_used(b.p), fast ? TDM_CONTRACT : 0);
        free_built(&b);
        close_context(ctx);
    }
}

/* ---- reassociate ---- */

static tdm_context *context(int width, unsigned freedoms)
{
    tdm_options o = {.threads = 1, .width = width, .numerics = TDM_FAST, .freedoms = freedoms};
    tdm_context *ctx = tdm_context_new(&o);

    assert_non_null(ctx);
    assert_fine(ctx);
    return ctx;
}

static void bind(tdm_exec *e, const char *name, tdm_tensor *t, float *data)
{
    assert_int_equal(tdm_read(t, data, tdm_bytes(t)), TDM_OK);
    assert_int_equal(tdm_exec_bind(e, name, t), TDM_OK);
}

/* share = x / sum of the row, part = x / 49, halves = x / 8: 1 / sum and 1 / 49 are made once, 1 / 8 is exact
 */
static void test_divisions(void **state)
{
    static float x[N * K];
    tdm_context *ctx = context(0, TDM_REASSOCIATE);
    tdm_graph *g = tdm_graph_open(ctx, "divisions");
    tdm_tensor *in = tdm_input(ctx, "x", TDM_F32, tdm_shape(N, K));

    (void)state;
    tdm_output(ctx, "share", tdm_div(in, tdm_sum(in, tdm_axes(1), true)));
    tdm_output(ctx, "part", tdm_div_scalar(in, 49));
    tdm_output(ctx, "halves", tdm_div_scalar(in, 8));
    tdm_output(ctx, "sum", tdm_sum(in, tdm_axes(1), true));
    built b = build_graph(ctx, g);
    bind(b.e, "x", numbers(ctx, tdm_shape(N, K), 3), x);
    assert_int_equal(tdm_exec_run(b.e), TDM_OK);
    const float *sum = data_of(b.e, "sum"), *share = data_of(b.e, "share"), *part = data_of(b.e, "part"),
                *halves = data_of(b.e, "halves");
    bool other = false;
    for (int i = 0; i < N * K; i++) {
        assert_true(share[i] == x[i] * (1 / sum[i / K]));
        assert_true(part[i] == x[i] * (1 / 49.0f));
        assert_true(halves[i] == x[i] / 8);
        other |= share[i] != x[i] / sum[i / K];
    }
    assert_true(other);
    assert_int_equal(freedoms_used(b.p), TDM_REASSOCIATE);
    free_built(&b);
    close_context(ctx);
}

/* Element i into partial i mod n, then halves. */
static float sum_by_partials(const float *v, int count, int n)
{
    float p[64] = {0};

    for (int i = 0; i < count; i++)
        p[i % n] += v[i];
    for (int h = n / 2; h >= 1; h /= 2)
        for (int j = 0; j < h; j++)
            p[j] += p[j + h];
    return p[0];
}

/* x [5, 12] w [12, 12], enough rows: chains of fma along k; x w^T along k where both are contiguous, and one
 * row of x by w: the tree. */
static void test_small_products(void **state)
{
    enum { D = 12, ROWS = 5 };
    static float x[ROWS * D], w[D * D];
    tdm_context *ctx = context(0, TDM_REASSOCIATE);
    tdm_graph *g = tdm_graph_open(ctx, "small");
    tdm_tensor *in = tdm_input(ctx, "x", TDM_F32, tdm_shape(ROWS, D)),
               *weight = tdm_input(ctx, "w", TDM_F32, tdm_shape(D, D));

    (void)state;
    tdm_output(ctx, "chain", tdm_matmul(in, weight));
    tdm_output(ctx, "tree", tdm_linear(in, weight, NULL));
    tdm_output(ctx, "row", tdm_matmul(tdm_slice(in, 0, 0, 1, 1), weight));
    built b = build_graph(ctx, g);
    bind(b.e, "x", numbers(ctx, tdm_shape(ROWS, D), 5), x);
    bind(b.e, "w", numbers(ctx, tdm_shape(D, D), 6), w);
    assert_int_equal(tdm_exec_run(b.e), TDM_OK);
    for (int i = 0; i < ROWS * D; i++) {
        const float *row = x + i / D * D;
        float chain = 0, terms[D], turned[D];
        for (int k = 0; k < D; k++) {
            chain = fmaf(row[k], w[k * D + i % D], chain);
            terms[k] = fmaf(row[k], w[k * D + i % D], 0);
            turned[k] = fmaf(row[k], w[i % D * D + k], 0);
        }
        assert_true(data_of(b.e, "chain")[i] == chain);
        assert_true(data_of(b.e, "tree")[i] == sum_by_partials(turned, D, 64));
        if (i < D)
            assert_true(data_of(b.e, "row")[i] == sum_by_partials(terms, D, 64));
    }
    assert_int_equal(freedoms_used(b.p), TDM_REASSOCIATE);
    free_built(&b);
    close_context(ctx);
}

/* ---- nothing else ---- */

static char *code_of(tdm_context *ctx, tdm_numerics mode, unsigned freedoms, const char *text)
{
    assert_int_equal(tdm_set_numerics(ctx, mode, freedoms), TDM_OK);
    tdm_graph *g = tdm_graph_parse(ctx, text, strlen(text), "test.tdm");
    char *code = tdm_graph_dump(g, TDM_DUMP_LLVM);
    assert_fine(ctx);
    assert_non_null(code);
    tdm_graph_free(g);
    return code;
}

/* A product that is made once per row is not taken into the sums of its columns; halves round after each. */
static void test_where_it_does_not_pay(void **state)
{
    static const char *const graphs[] = {
        "graph @once(%x: f32[64,48], %a: f32[64,1], %b: f32[64,1]) -> (f32[64,48]) {\n"
        "  %p = mul %a, %b : f32[64,1]\n"
        "  %q = broadcast %p : f32[64,48]\n"
        "  %y = add %x, %q : f32[64,48]\n"
        "  return y: %y\n}\n",
        "graph @half(%x: bf16[64], %z: bf16[64]) -> (bf16[64]) {\n"
        "  %p = mul %x, %z : bf16[64]\n"
        "  %y = add %x, %p : bf16[64]\n"
        "  return y: %y\n}\n",
        "graph @whole(%x: i32[64], %z: i32[64]) -> (i32[64]) {\n"
        "  %p = mul %x, %z : i32[64]\n"
        "  %y = add %x, %p : i32[64]\n"
        "  return y: %y\n}\n"};
    tdm_context *ctx = open_context();

    (void)state;
    for (size_t i = 0; i < sizeof graphs / sizeof *graphs; i++) {
        char *strict = code_of(ctx, TDM_STRICT, 0, graphs[i]), *fast = code_of(ctx, TDM_FAST, 0, graphs[i]);
        assert_string_equal(strict, fast);
        tdm_text_free(strict);
        tdm_text_free(fast);
    }
    close_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contract),
        cmocka_unit_test(test_divisions),
        cmocka_unit_test(test_small_products),
        cmocka_unit_test(test_where_it_does_not_pay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
