/* tests/frontend/test_stability.c: values and gradients of composites where the obvious formula overflows,
 * cancels or divides 0 by 0: the right numbers, and second derivatives that are numbers.  Losses and
 * attention have such tests of their own; kinks of single ops are in docs/ops. */
#include <math.h>

#include "tests/frontend/lib_frontend.h"

enum { MOST = 4 };

static tdm_tensor *logsumexp(tdm_tensor *x)
{
    return tdm_logsumexp(x, 0, true);
}

static tdm_tensor *logcumsumexp(tdm_tensor *x)
{
    return tdm_logcumsumexp(x, 0);
}

static tdm_tensor *softmax(tdm_tensor *x)
{
    return tdm_softmax(x, 0);
}

static tdm_tensor *log_softmax(tdm_tensor *x)
{
    return tdm_log_softmax(x, 0);
}

static tdm_tensor *layer_norm(tdm_tensor *x)
{
    return tdm_layer_norm(x, NULL, NULL, 1e-5);
}

static tdm_tensor *variance(tdm_tensor *x)
{
    return tdm_var(x, tdm_all_axes(), 1, true);
}

static tdm_tensor *gelu(tdm_tensor *x)
{
    return tdm_gelu(x);
}

static tdm_tensor *gelu_tanh(tdm_tensor *x)
{
    return tdm_gelu_tanh(x);
}

static tdm_tensor *silu(tdm_tensor *x)
{
    return tdm_silu(x);
}

static tdm_tensor *logistic(tdm_tensor *x)
{
    return tdm_logistic(x);
}

/* dx is the gradient of the sum of y[i] (i + 1). */
typedef struct point {
    const char *name;
    tdm_tensor *(*f)(tdm_tensor *x);
    int n;
    float x[MOST], y[MOST], dx[MOST];
} point;

static const point points[] = {
    {"logsumexp", logsumexp, 2, {-INFINITY, -INFINITY}, {-INFINITY}, {0, 0}},
    {"logsumexp", logsumexp, 3, {-INFINITY, 2, -INFINITY}, {2}, {0, 1, 0}},
    {"logsumexp", logsumexp, 2, {1000, 1000}, {1000.69315f}, {0.5f, 0.5f}},
    {"logsumexp", logsumexp, 2, {-1000, -1000}, {-999.306853f}, {0.5f, 0.5f}},
    {"logsumexp", logsumexp, 2, {-3e38f, 3e38f}, {3e38f}, {0, 1}},
    {"logcumsumexp", logcumsumexp, 3, {-INFINITY, 2, 2}, {-INFINITY, 2, 2.69314718f}, {0, 3.5f, 1.5f}},
    {"logcumsumexp", logcumsumexp, 2, {-INFINITY, -INFINITY}, {-INFINITY, -INFINITY}, {0, 0}},
    {"softmax", softmax, 2, {1e4f, -1e4f}, {1, 0}, {0, 0}},
    {"softmax", softmax, 3, {0, -INFINITY, 0}, {0.5f, 0, 0.5f}, {-0.5f, 0, 0.5f}},
    {"softmax", softmax, 2, {3e38f, 3e38f}, {0.5f, 0.5f}, {-0.25f, 0.25f}},
    {"log_softmax", log_softmax, 2, {1e4f, -1e4f}, {0, -2e4f}, {-2, 2}},
    {"log_softmax", log_softmax, 2, {-1e30f, -1e30f}, {-0.693147181f, -0.693147181f}, {-0.5f, 0.5f}},
    {"layer_norm", layer_norm, 3, {7, 7, 7}, {0, 0, 0}, {-316.227766f, 0, 316.227766f}},
    {"var", variance, 3, {7, 7, 7}, {0}, {0, 0, 0}},
    {"gelu", gelu, 4, {-1e30f, -50, 0, 1e18f}, {0, 0, 0, 1e18f}, {0, 0, 1.5f, 4}},
    {"gelu_tanh", gelu_tanh, 4, {-1e12f, -50, 0, 1e12f}, {0, 0, 0, 1e12f}, {0, 0, 1.5f, 4}},
    {"silu", silu, 4, {-1e30f, -200, 0, 1e30f}, {0, 0, 0, 1e30f}, {0, 0, 1.5f, 4}},
    {"logistic", logistic, 4, {-INFINITY, -200, 200, INFINITY}, {0, 0, 1, 1}, {0, 0, 0, 0}},
};

static void compare(const point *p, const char *what, const tdm_tensor *t, const float *wanted)
{
    float found[MOST];
    int n = (int)tdm_elements(t);

    assert_int_equal(tdm_read(t, found, (size_t)n * sizeof *found), TDM_OK);
    for (int i = 0; i < n; i++)
        if (!(found[i] == wanted[i] || fabsf(found[i] - wanted[i]) <= 1e-6f * fabsf(wanted[i])))
            fail_msg("%s of %g, ..: %s %d is %.9g, expected %.9g", p->name, (double)p->x[0], what, i,
                     (double)found[i], (double)wanted[i]);
}

static void check(const point *p)
{
    const float upstream[MOST] = {1, 2, 3, 4};
    tdm_context *ctx = open_context();
    tdm_tensor *x = tdm_requires_grad(tdm_from_data(ctx, TDM_F32, tdm_shape(p->n), p->x), true), *dx, *ddx;
    tdm_tensor *y = p->f(x), *dy = tdm_from_data(ctx, TDM_F32, tdm_dims_of(y), upstream);
    float second[MOST];

    tdm_gradients(&y, &dy, 1, &x, 1, &dx, TDM_CREATE_GRAPH);
    assert_fine(ctx);
    compare(p, "value", y, p->y);
    compare(p, "gradient", dx, p->dx);
    tdm_tensor *along = tdm_from_data(ctx, TDM_F32, tdm_shape(p->n), upstream);
    tdm_gradients(&dx, &along, 1, &x, 1, &ddx, 0);
    assert_int_equal(tdm_read(ddx, second, (size_t)p->n * sizeof *second), TDM_OK);
    for (int i = 0; i < p->n; i++)
        if (!isfinite(second[i]))
            fail_msg("%s of %g, ..: second derivative %d is %g", p->name, (double)p->x[0], i,
                     (double)second[i]);
    close_context(ctx);
}

static void test_points(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        check(&points[i]);
}

/* In f16 the square overflows from 256 on, and 1 - tanh^2 is 0. */
static void test_gelu_tanh_in_f16(void **state)
{
    tdm_context *ctx = open_context();

    (void)state;
    for (int i = 0; i < 4; i++) {
        double v = i / 2 ? 60000 : 300, sign = i % 2 ? 1 : -1;
        tdm_tensor *x = tdm_requires_grad(tdm_full(ctx, TDM_F16, tdm_shape(), sign * v), true);
        tdm_tensor *y = tdm_gelu_tanh(x);
        tdm_backward(y);
        assert_true(tdm_item(y) == (i % 2 ? tdm_item(x) : 0));
        assert_true(tdm_item(tdm_grad(x)) == i % 2);
    }
    close_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_points),
                                       cmocka_unit_test(test_gelu_tanh_in_f16)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
