/* tests/frontend/test_norm.c: batch_norm in a training step of both engines, running statistics included; and
 * what the public scans, sorts, norms and random orders answer on small operands. */
#include <math.h>

#include "tests/frontend/lib_frontend.h"

/* ---- batch_norm ---------------------------------------------------------------------------------------- */

enum { N = 4, C = 3, SIDE = 5, STEPS = 5 };

typedef struct model {
    tdm_context *ctx;
    tdm_tensor *p[2], *mean, *var, *x;
    tdm_optimizer *opt;
} model;

static model open_model(void)
{
    model m = {.ctx = open_context()};

    m.p[0] = tdm_parameter(tdm_ones(m.ctx, TDM_F32, tdm_shape(C)), "gamma");
    m.p[1] = tdm_parameter(tdm_zeros(m.ctx, TDM_F32, tdm_shape(C)), "beta");
    m.mean = tdm_variable(tdm_zeros(m.ctx, TDM_F32, tdm_shape(C)), "mean");
    m.var = tdm_variable(tdm_ones(m.ctx, TDM_F32, tdm_shape(C)), "var");
    m.x = numbers(m.ctx, tdm_shape(N, C, SIDE, SIDE), 3);
    m.opt = tdm_sgd(m.p, 2, 0.1, 0.9, 0, false);
    return m;
}

static void close_model(model *m)
{
    tdm_optimizer_free(m->opt);
    tdm_release(m->p[0]);
    tdm_release(m->p[1]);
    tdm_release(m->mean);
    tdm_release(m->var);
    close_context(m->ctx);
}

static tdm_tensor *step(model *m, tdm_tensor *x)
{
    tdm_tensor *y = tdm_batch_norm(x, m->p[0], m->p[1], m->mean, m->var, true, 0.1, 1e-5);
    tdm_tensor *loss = tdm_mean(tdm_square(tdm_sub_scalar(y, 0.5)), tdm_all_axes(), false);

    tdm_zero_grad(m->opt);
    tdm_backward(loss);
    tdm_step(m->opt);
    return loss;
}

static void test_batch_norm_trains_alike(void **state)
{
    model eager = open_model(), compiled = open_model();
    tdm_graph *g = tdm_graph_open(compiled.ctx, "step");
    tdm_tensor *x = tdm_input(compiled.ctx, "x", TDM_F32, tdm_shape(N, C, SIDE, SIDE));

    (void)state;
    tdm_output(compiled.ctx, "loss", step(&compiled, x));
    built b = build_graph(compiled.ctx, g);
    tdm_exec_bind(b.e, "x", compiled.x);
    for (int i = 0; i < STEPS; i++) {
        tdm_scope_open(eager.ctx);
        tdm_tensor *loss = step(&eager, eager.x);
        tdm_exec_run(b.e);
        assert_fine(compiled.ctx);
        assert_same(tdm_exec_output(b.e, "loss"), loss);
        for (int k = 0; k < 2; k++)
            assert_same(compiled.p[k], eager.p[k]);
        assert_same(compiled.mean, eager.mean);
        assert_same(compiled.var, eager.var);
        tdm_scope_close(eager.ctx);
    }
    free_built(&b);
    close_model(&eager);
    close_model(&compiled);
}

/* Against sums in double: the mean, and the unbiased variance. */
static void test_running_statistics(void **state)
{
    model m = open_model();
    float x[N * C * SIDE * SIDE], mean[C], var[C];
    const int count = N * SIDE * SIDE;

    (void)state;
    tdm_read(m.x, x, sizeof x);
    tdm_batch_norm(m.x, m.p[0], m.p[1], m.mean, m.var, true, 0.25, 1e-5);
    tdm_read(m.mean, mean, sizeof mean);
    tdm_read(m.var, var, sizeof var);
    for (int c = 0; c < C; c++) {
        double sum = 0, squares = 0;
        for (int i = 0; i < N * C * SIDE * SIDE; i++)
            sum += i / (SIDE * SIDE) % C == c ? (double)x[i] : 0;
        for (int i = 0; i < N * C * SIDE * SIDE; i++)
            squares += i / (SIDE * SIDE) % C == c ? pow((double)x[i] - sum / count, 2) : 0;
        assert_float_equal(mean[c], (float)(0.25 * sum / count), 1e-6f);
        assert_float_equal(var[c], (float)(0.75 + 0.25 * squares / (count - 1)), 1e-6f);
    }
    /* inference leaves them alone */
    tdm_batch_norm(m.x, NULL, NULL, m.mean, m.var, false, 0.25, 1e-5);
    float after[C];
    tdm_read(m.mean, after, sizeof after);
    assert_memory_equal(after, mean, sizeof mean);
    close_model(&m);
}

/* layer_norm of a value beyond the caches, with its gradients: those of gamma and beta are summed in blocks
 * of rows by the kernel that normalises (pass block). */
static void test_big_layer_norm_in_blocks(void **state)
{
    enum { ROWS = 2048, WIDTH = 602, OUTS = 4 };
    static const char *const names[OUTS] = {"y", "dx", "dgamma", "dbeta"};
    tdm_context *ctx = open_context();
    tdm_tensor *x[4] = {numbers(ctx, tdm_shape(ROWS, WIDTH), 1), numbers(ctx, tdm_shape(WIDTH), 2),
                        numbers(ctx, tdm_shape(WIDTH), 3), numbers(ctx, tdm_shape(ROWS, WIDTH), 4)};
    tdm_graph *g = NULL;
    tdm_tensor *out[2][OUTS];

    (void)state;
    for (int compiled = 0; compiled < 2; compiled++) {
        tdm_tensor *in[4], **o = out[compiled];
        if (compiled)
            g = tdm_graph_open(ctx, "norm");
        for (int i = 0; i < 4; i++) {
            char name[] = {'x', (char)('0' + i), 0};
            in[i] = compiled ? tdm_input(ctx, name, TDM_F32, tdm_dims_of(x[i])) : x[i];
            tdm_requires_grad(in[i], true);
        }
        o[0] = tdm_layer_norm(in[0], in[1], in[2], 1e-5);
        tdm_gradients(&o[0], &in[3], 1, in, 3, &o[1], 0);
        for (int i = 0; i < OUTS && compiled; i++)
            tdm_output(ctx, names[i], o[i]);
    }
    built b = build_graph(ctx, g);
    for (int i = 0; i < 4; i++) {
        char name[] = {'x', (char)('0' + i), 0};
        tdm_exec_bind(b.e, name, x[i]);
    }
    tdm_exec_run(b.e);
    assert_fine(ctx);
    for (int i = 0; i < OUTS; i++)
        assert_same(tdm_exec_output(b.e, names[i]), out[0][i]);
    free_built(&b);
    close_context(ctx);
}

/* Groups of one channel. */
static void test_instances(void **state)
{
    model m = open_model();

    (void)state;
    assert_same(tdm_instance_norm(m.x, m.p[0], m.p[1], 1e-5), tdm_group_norm(m.x, C, m.p[0], m.p[1], 1e-5));
    assert_fine(m.ctx);
    close_model(&m);
}

static void test_bad_norms(void **state)
{
    model m = open_model();
    tdm_tensor *row = numbers(m.ctx, tdm_shape(1, C), 1), *flat = numbers(m.ctx, tdm_shape(5), 1);

    (void)state;
    tdm_batch_norm(flat, NULL, NULL, NULL, NULL, true, 0.1, 1e-5);
    assert_error(m.ctx, TDM_ESHAPE, "batch_norm", "f32[5]");
    tdm_batch_norm(row, NULL, NULL, NULL, NULL, true, 0.1, 1e-5);
    assert_error(m.ctx, TDM_EARG, "batch_norm", "f32[1,3]");
    tdm_batch_norm(m.x, NULL, NULL, NULL, NULL, false, 0.1, 1e-5);
    assert_error(m.ctx, TDM_EARG, "batch_norm", "running");
    tdm_batch_norm(m.x, flat, NULL, NULL, NULL, true, 0.1, 1e-5);
    assert_error(m.ctx, TDM_ESHAPE, "batch_norm", "gamma", "f32[5]");
    tdm_group_norm(m.x, 2, NULL, NULL, 1e-5);
    assert_error(m.ctx, TDM_ESHAPE, "group_norm", "2 groups", "f32[4,3,5,5]");
    tdm_instance_norm(row, NULL, NULL, 1e-5);
    assert_error(m.ctx, TDM_ESHAPE, "instance_norm", "f32[1,3]");
    tdm_instance_norm(m.x, flat, NULL, 1e-5);
    assert_error(m.ctx, TDM_ESHAPE, "instance_norm", "gamma", "f32[5]");
    tdm_median(flat, 1, false);
    assert_error(m.ctx, TDM_ESHAPE, "median", "axis 1", "f32[5]");
    tdm_rms_norm(m.x, m.p[0], 1e-5);
    assert_error(m.ctx, TDM_ESHAPE, "rms_norm", "f32[3]");
    tdm_norm(m.x, -2, tdm_axes(1), false);
    assert_error(m.ctx, TDM_EARG, "norm", "p = -2");
    tdm_topk(flat, 6, 0, true, NULL);
    assert_error(m.ctx, TDM_ESHAPE, "topk", "6 of axis 0", "f32[5]");
    tdm_cumsum(flat, 1, 0);
    assert_error(m.ctx, TDM_ESHAPE, "cumsum", "axis 1", "f32[5]");
    tdm_cumsum(flat, 0, 8);
    assert_error(m.ctx, TDM_EARG, "cumsum", "flags 8");
    tdm_all(flat, tdm_axes(0), false);
    assert_error(m.ctx, TDM_EDTYPE, "reduce_all", "f32[5]");
    tdm_randperm(m.ctx, 0);
    assert_error(m.ctx, TDM_ESHAPE, "randperm");
    close_model(&m);
}

/* ---- small answers ------------------------------------------------------------------------------------- */

static void answers(tdm_tensor *t, const double *want, int n)
{
    tdm_tensor *d = tdm_convert(t, TDM_F64);
    double got[16];

    assert_int_equal(tdm_elements(t), n);
    assert_int_equal(tdm_read(d, got, (size_t)n * sizeof *got), TDM_OK);
    for (int i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= 1e-6 || (isnan(got[i]) && isnan(want[i])) || got[i] == want[i]))
            fail_msg("element %d is %g, expected %g", i, got[i], want[i]);
}
#define ANSWERS(t, ...) \
    answers(t, (const double[]){__VA_ARGS__}, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)))

static void test_scans(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = tdm_from_data(ctx, TDM_F32, tdm_shape(4), ((const float[]){1, 2, 0, 4}));

    (void)state;
    ANSWERS(tdm_cumsum(x, 0, 0), 1, 3, 3, 7);
    ANSWERS(tdm_cumsum(x, -1, TDM_EXCLUSIVE), 0, 1, 3, 3);
    ANSWERS(tdm_cumsum(x, 0, TDM_REVERSE), 7, 6, 4, 4);
    ANSWERS(tdm_cumprod(x, 0, TDM_EXCLUSIVE | TDM_REVERSE), 0, 0, 4, 1);
    ANSWERS(tdm_cummax(x, 0, 0), 1, 2, 2, 4);
    ANSWERS(tdm_cummin(x, 0, TDM_REVERSE), 0, 0, 0, 4);
    ANSWERS(tdm_cummax(x, 0, TDM_EXCLUSIVE), -INFINITY, 1, 2, 2);
    ANSWERS(tdm_cummin(x, 0, TDM_EXCLUSIVE | TDM_REVERSE), 0, 0, 4, INFINITY);
    ANSWERS(tdm_cummax(tdm_convert(x, TDM_I8), 0, TDM_EXCLUSIVE), -128, 1, 2, 2);
    ANSWERS(tdm_linear_scan(x, x, 0, false), 1, 4, 0, 4);
    ANSWERS(tdm_prod(tdm_add_scalar(x, 1), tdm_all_axes(), false), 30);
    ANSWERS(tdm_count_nonzero(x, tdm_axes(0), false), 3);
    ANSWERS(tdm_argmin(x, tdm_axes(0), false), 2);
    ANSWERS(tdm_all(tdm_ge_scalar(x, 0), tdm_axes(0), false), 1);
    ANSWERS(tdm_any(tdm_gt_scalar(x, 4), tdm_axes(0), false), 0);
    ANSWERS(tdm_logcumsumexp(x, 0), 1, log(exp(1) + exp(2)), log(exp(1) + exp(2) + 1),
            log(exp(1) + exp(2) + 1 + exp(4)));
    close_context(ctx);
}

static void test_sorting(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x =
        tdm_from_data(ctx, TDM_F32, tdm_shape(6), ((const float[]){3, NAN, -0.0f, 0, -INFINITY, 3}));
    tdm_tensor *index;

    (void)state;
    ANSWERS(tdm_argsort(x, 0, false), 4, 2, 3, 0, 5, 1);
    ANSWERS(tdm_argsort(x, 0, true), 1, 0, 5, 2, 3, 4);
    ANSWERS(tdm_sort(x, 0, false, &index), -INFINITY, 0, 0, 3, 3, NAN);
    ANSWERS(index, 4, 2, 3, 0, 5, 1);
    ANSWERS(tdm_topk(x, 2, -1, false, NULL), -INFINITY, 0);
    ANSWERS(tdm_topk(x, 3, -1, true, &index), NAN, 3, 3);
    ANSWERS(index, 1, 0, 5);

    ANSWERS(tdm_median(x, 0, false), NAN);
    x = tdm_from_data(ctx, TDM_F32, tdm_shape(2, 4), ((const float[]){3, 1, 2, 9, 5, 5, 0, -INFINITY}));
    ANSWERS(tdm_median(x, 1, false), 2, 0);
    ANSWERS(tdm_median(tdm_slice(x, 1, 0, 3, 1), -1, true), 2, 5);

    tdm_tensor *order = tdm_randperm(ctx, 9), *other = tdm_randperm(ctx, 9);
    ANSWERS(tdm_sort(order, 0, false, NULL), 0, 1, 2, 3, 4, 5, 6, 7, 8);
    assert_true(tdm_item(tdm_count_nonzero(tdm_sub(order, other), tdm_all_axes(), false)) > 0);
    ANSWERS(tdm_bernoulli(tdm_from_data(ctx, TDM_F32, tdm_shape(4), ((const float[]){0, 1, 0, 1}))), 0, 1, 0,
            1);
    close_context(ctx);
}

/* Gradients where the derived ones would be NaN: products with zeros, norms at 0, no spread. */
static void test_gradients_at_the_edge(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x =
        tdm_requires_grad(tdm_from_data(ctx, TDM_F32, tdm_shape(3), ((const float[]){2, 0, 5})), true);
    tdm_tensor *zero = tdm_requires_grad(tdm_zeros(ctx, TDM_F32, tdm_shape(3)), true), *y, *dx;

    (void)state;
    y = tdm_prod(x, tdm_axes(0), false);
    tdm_gradients(&y, NULL, 1, &x, 1, &dx, 0);
    ANSWERS(dx, 0, 10, 0);
    y = tdm_sum(tdm_cumprod(x, 0, 0), tdm_axes(0), false);
    tdm_gradients(&y, NULL, 1, &x, 1, &dx, 0);
    ANSWERS(dx, 1, 12, 0);
    y = tdm_sum(tdm_cummax(x, 0, 0), tdm_axes(0), false);
    tdm_gradients(&y, NULL, 1, &x, 1, &dx, 0);
    ANSWERS(dx, 2, 0, 1);
    for (int p = 1; p <= 3; p++) {
        y = tdm_norm(zero, p, tdm_axes(0), false);
        tdm_gradients(&y, NULL, 1, &zero, 1, &dx, 0);
        ANSWERS(dx, 0, 0, 0);
    }
    y = tdm_std(zero, tdm_axes(0), 1, false);
    tdm_gradients(&y, NULL, 1, &zero, 1, &dx, 0);
    ANSWERS(dx, 0, 0, 0);
    ANSWERS(tdm_norm(x, INFINITY, tdm_axes(0), false), 5);
    ANSWERS(tdm_norm(x, 2, tdm_axes(0), true), sqrt(29));
    ANSWERS(tdm_normalize(x, 1, 0, 1e-12), 2.0 / 7, 0, 5.0 / 7);
    ANSWERS(tdm_cosine_similarity(x, x, 0, 1e-8), 1);
    close_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_norm_trains_alike),
        cmocka_unit_test(test_running_statistics),
        cmocka_unit_test(test_big_layer_norm_in_blocks),
        cmocka_unit_test(test_instances),
        cmocka_unit_test(test_bad_norms),
        cmocka_unit_test(test_scans),
        cmocka_unit_test(test_sorting),
        cmocka_unit_test(test_gradients_at_the_edge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
