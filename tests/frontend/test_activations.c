/* tests/frontend/test_activations.c: the pointwise composites: values and gradients against PyTorch's (2.x,
 * written out), at kinks and at magnitudes where a naive formula gives inf or NaN; what they refuse. */
#include <math.h>
#include <string.h>

#include "tests/frontend/lib_frontend.h"

typedef struct row {
    const char *name;
    double x, y, dx;
} row;

static const row rows[] = {
    {"leaky_relu", 2, 2, 1},
    {"leaky_relu", -2, -0.02, 0.01},
    {"leaky_relu", 0, 0, 0.01},
    {"elu", -1, -0.6321205588285577, 0.36787944117144233},
    {"elu", 0, 0, 1},
    {"elu", 1e4, 1e4, 1},
    {"elu", -1e4, -1, 0},
    {"celu", 0, 0, 1},
    {"celu", 1e4, 1e4, 1},
    {"celu", -1, -0.8646647167633873 / 2, 0.1353352832366127},
    {"selu", 1e4, 10507.009873554805, 1.0507009873554805},
    {"selu", -1, -1.1113307378125628, 0.6467686030348141},
    {"softplus", 0, 0.6931471805599453, 0.5},
    {"softplus", 1e4, 1e4, 1},
    {"softplus", -1e4, 0, 0},
    {"softplus", -30, 9.357622968839737e-14, 9.357622968839299e-14},
    {"log_sigmoid", 0, -0.6931471805599453, 0.5},
    {"log_sigmoid", 1e4, 0, 0},
    {"log_sigmoid", -1e4, -1e4, 1},
    {"mish", 1, 0.8650983882673103, 1.0490362200997922},
    {"mish", 1e4, 1e4, 1},
    {"mish", -1e4, 0, 0},
    {"softsign", -3, -0.75, 0.0625},
    {"softsign", 0, 0, 1},
    {"tanhshrink", 2, 1.0359724199241831, 0.9293491751468355},
    {"relu6", 0, 0, 0},
    {"relu6", 6, 6, 0},
    {"relu6", 3, 3, 1},
    {"hardtanh", 1, 1, 0},
    {"hardtanh", -1, -1, 0},
    {"hardtanh", 0.5, 0.5, 1},
    {"hardsigmoid", 3, 1, 0},
    {"hardsigmoid", -3, 0, 0},
    {"hardsigmoid", 0, 0.5, 1.0 / 6},
    {"hardswish", 3, 3, 1},
    {"hardswish", -3, 0, 0},
    {"hardswish", 1, 2.0 / 3, 5.0 / 6},
    {"hardswish", 1e4, 1e4, 1},
    {"reciprocal", -4, -0.25, -0.0625},
};

static tdm_tensor *apply(const char *name, tdm_tensor *x)
{
#define CALL(n, ...)           \
    if (strcmp(name, #n) == 0) \
        return tdm_##n(__VA_ARGS__);
#define X(n) CALL(n, x)
    TDM_ACTIVATIONS(X)
#undef X
    CALL(leaky_relu, x, 0.01)
    CALL(elu, x, 1)
    CALL(celu, x, 0.5)
    CALL(softplus, x, 1, 20)
    CALL(hardtanh, x, -1, 1)
#undef CALL
    fail_msg("no function %s", name);
    return NULL;
}

static void near(const char *what, const row *r, double got, double expected)
{
    if (!(fabs(got - expected) <= 1e-14 * fabs(expected)))
        fail_msg("%s of %s at %g: %.17g, expected %.17g", what, r->name, r->x, got, expected);
}

static void values_and_gradients(void **state)
{
    tdm_context *ctx = open_context();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        tdm_scope_open(ctx);
        tdm_tensor *x = tdm_requires_grad(tdm_full(ctx, TDM_F64, tdm_shape(), rows[i].x), true);
        tdm_tensor *y = apply(rows[i].name, x);
        tdm_backward(y);
        assert_fine(ctx);
        near("value", &rows[i], tdm_item(y), rows[i].y);
        near("gradient", &rows[i], tdm_item(tdm_grad(x)), rows[i].dx);
        tdm_scope_close(ctx);
    }
    close_context(ctx);
}

/* The second derivative of softplus at its own branch point is 1/4. */
static void softplus_curves_at_0(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = tdm_requires_grad(tdm_full(ctx, TDM_F64, tdm_shape(), 0), true), *dx, *ddx;
    tdm_tensor *y = tdm_softplus(x, 1, 20);

    (void)state;
    tdm_gradients(&y, NULL, 1, &x, 1, &dx, TDM_CREATE_GRAPH);
    tdm_gradients(&dx, NULL, 1, &x, 1, &ddx, 0);
    assert_true(tdm_item(ddx) == 0.25);
    close_context(ctx);
}

static void weights_broadcast(void **state)
{
    tdm_context *ctx = open_context();
    const float data[6] = {-1, -2, 3, -4, INFINITY, 6}, weight[3] = {0.5f, 2, 3}, mix[2] = {0, 1};
    float y[6];
    tdm_tensor *x = tdm_from_data(ctx, TDM_F32, tdm_shape(2, 3), data);
    tdm_tensor *w = tdm_requires_grad(tdm_from_data(ctx, TDM_F32, tdm_shape(3), weight), true);

    (void)state;
    tdm_tensor *p = tdm_prelu(x, w);
    assert_int_equal(tdm_read(p, y, sizeof y), TDM_OK);
    assert_true(y[0] == -0.5f && y[1] == -4 && y[2] == 3 && y[3] == -2 && y[4] == INFINITY && y[5] == 6);
    tdm_backward_with(p, tdm_ones(ctx, TDM_F32, tdm_shape(2, 3)), 0);
    assert_int_equal(tdm_read(tdm_grad(w), y, 3 * sizeof *y), TDM_OK);
    assert_true(y[0] == -5 && y[1] == -2 && y[2] == 0); /* not inf * 0 */
    tdm_tensor *ends =
        tdm_lerp(tdm_full(ctx, TDM_F32, tdm_shape(2), 0.1), tdm_full(ctx, TDM_F32, tdm_shape(2), 0.7),
                 tdm_from_data(ctx, TDM_F32, tdm_shape(2), mix));
    assert_int_equal(tdm_read(ends, y, 2 * sizeof *y), TDM_OK);
    assert_true(y[0] == 0.1f && y[1] == 0.7f);
    close_context(ctx);
}

static void remainder_has_the_sign_of_the_divisor(void **state)
{
    static const double cases[][4] = {/* x, z, rem, remainder */
                                      {7, 3, 1, 1},     {-7, 3, -1, 2}, {7, -3, 1, -2},
                                      {-7, -3, -1, -1}, {6, -3, 0, 0},  {5.5, 2, 1.5, 1.5}};
    tdm_context *ctx = open_context();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int d = 0; d < 2; d++) {
            tdm_dtype dtype = d ? TDM_I32 : TDM_F64;
            tdm_tensor *x = tdm_full(ctx, dtype, tdm_shape(), cases[i][0]);
            tdm_tensor *z = tdm_full(ctx, dtype, tdm_shape(), cases[i][1]);
            if (d && cases[i][0] != floor(cases[i][0]))
                continue;
            assert_true(tdm_item(tdm_fmod(x, z)) == cases[i][2]);
            assert_true(tdm_item(tdm_remainder(x, z)) == cases[i][3]);
        }
    close_context(ctx);
}

static void refusals(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = tdm_zeros(ctx, TDM_F32, tdm_shape(2, 3)), *i = tdm_zeros(ctx, TDM_I32, tdm_shape(2, 3));

    (void)state;
    tdm_elu(i, 1);
    assert_error(ctx, TDM_EDTYPE, "elu", "i32[2,3]");
    tdm_prelu(x, tdm_zeros(ctx, TDM_F32, tdm_shape(2)));
    assert_error(ctx, TDM_ESHAPE, "prelu", "f32[2,3]", "f32[2]");
    tdm_hardtanh(x, 1, 1);
    assert_error(ctx, TDM_EARG, "hardtanh", "1 to 1");
    tdm_softplus(x, 0, 20);
    assert_error(ctx, TDM_EARG, "softplus", "beta 0");
    tdm_celu(x, 0);
    assert_error(ctx, TDM_EARG, "celu", "alpha 0");
    tdm_lerp(x, x, tdm_zeros(ctx, TDM_F32, tdm_shape(4)));
    assert_error(ctx, TDM_ESHAPE, "lerp", "f32[2,3]", "f32[4]");
    tdm_remainder(x, i);
    assert_error(ctx, TDM_EDTYPE, "remainder", "f32[2,3]", "i32[2,3]");
    close_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_gradients),
        cmocka_unit_test(softplus_curves_at_0),
        cmocka_unit_test(weights_broadcast),
        cmocka_unit_test(remainder_has_the_sign_of_the_divisor),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
