/* tests/frontend/test_custom.c: custom calls through the public functions: both engines, texts, errors. */
#include "tests/frontend/lib_frontend.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int calls;

/* y = x * params[0] + user, element by element; fails where an element is NaN */
static bool affine(const tdm_custom_call *call, void *y)
{
    const float *x = call->x[0].data;
    int64_t n = 1;

    calls++;
    assert_int_equal(call->type.dtype, TDM_F32);
    for (int i = 0; i < call->type.shape.rank; i++)
        n *= call->type.shape.dims[i];
    for (int64_t i = 0; i < n; i++) {
        if (isnan(x[i])) {
            snprintf(call->why, call->why_size, "element %d is NaN", (int)i);
            return false;
        }
        ((float *)y)[i] = x[i] * (float)call->params[0] + *(const float *)call->user;
    }
    return true;
}

static void affine_gradient(const tdm_custom_call *call, tdm_tensor *const *x, tdm_tensor *y, tdm_tensor *dy,
                            tdm_tensor **dx)
{
    (void)x;
    (void)y;
    dx[0] = tdm_mul_scalar(dy, call->params[0]);
}

/* z chosen by params: any number of operands, each passed on as it is */
static bool pick_type(const tdm_custom_call *call, tdm_dtype *dtype, tdm_dims *shape)
{
    int k = (int)call->params[0];

    assert_null(call->x[0].data);
    if (k >= call->n) {
        snprintf(call->why, call->why_size, "operand %d of %d is asked for", k, call->n);
        return false;
    }
    *dtype = call->x[k].dtype;
    *shape = call->x[k].shape;
    return true;
}

static bool pick(const tdm_custom_call *call, void *y)
{
    const tdm_custom_array *x = &call->x[(int)call->params[0]];

    memcpy(y, x->data, sizeof(float) * (size_t)x->shape.dims[0]);
    return true;
}

static void pick_gradient(const tdm_custom_call *call, tdm_tensor *const *x, tdm_tensor *y, tdm_tensor *dy,
                          tdm_tensor **dx)
{
    (void)x;
    (void)y;
    dx[(int)call->params[0]] = dy; /* the others have none */
}

static const float offset = 0.5f;
static const tdm_custom_op ops[] = {
    {.name = "affine", .forward = affine, .gradient = affine_gradient, .user = (void *)&offset},
    {.name = "pick", .infer = pick_type, .forward = pick, .gradient = pick_gradient},
    {.name = "fixed", .forward = affine, .user = (void *)&offset},
};

static tdm_context *open_with_ops(void)
{
    tdm_context *ctx = open_context();

    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        assert_int_equal(tdm_custom_register(ctx, &ops[i]), TDM_OK);
    return ctx;
}

static tdm_tensor *scaled(tdm_tensor *x, double by)
{
    return tdm_custom("affine", &x, 1, &by, 1);
}

static tdm_tensor *model(tdm_tensor *x, tdm_tensor *w)
{
    tdm_tensor *h = scaled(tdm_mul(scaled(x, 2), w), -3);

    return tdm_sum(tdm_mul(h, scaled(h, 0.25)), tdm_all_axes(), false);
}

static void both_engines_call_it(void **state)
{
    tdm_context *ctx = open_with_ops();
    tdm_tensor *x = numbers(ctx, tdm_shape(3, 5), 1),
               *w = tdm_requires_grad(numbers(ctx, tdm_shape(3, 5), 2), true);
    tdm_tensor *dw, *y = model(x, w);

    (void)state;
    tdm_gradients(&y, NULL, 1, &w, 1, &dw, 0);
    assert_fine(ctx);
    tdm_graph *g = tdm_graph_open(ctx, "model");
    tdm_tensor *xs = tdm_input(ctx, "x", TDM_F32, tdm_shape(3, 5)), *ys = model(xs, w), *dws;
    tdm_gradients(&ys, NULL, 1, &w, 1, &dws, 0);
    tdm_output(ctx, "y", ys);
    tdm_output(ctx, "dw", dws);
    built b = build_graph(ctx, g);
    tdm_exec_bind(b.e, "x", x);
    for (int i = 0; i < 3; i++) {
        calls = 0;
        assert_int_equal(tdm_exec_run(b.e), TDM_OK);
        assert_int_equal(calls, 3);
        assert_same(tdm_exec_output(b.e, "y"), y);
        assert_same(tdm_exec_output(b.e, "dw"), dw);
    }
    free_built(&b);
    close_context(ctx);
}

static void gradients_have_gradients(void **state)
{
    tdm_context *ctx = open_with_ops();
    tdm_tensor *x = tdm_requires_grad(numbers(ctx, tdm_shape(7), 3), true);
    tdm_tensor *y = tdm_sum(tdm_pow_scalar(scaled(x, 2), 3), tdm_all_axes(), false), *dx, *ddx, *sum;
    float got[7], at[7];

    (void)state;
    tdm_gradients(&y, NULL, 1, &x, 1, &dx, TDM_CREATE_GRAPH);
    sum = tdm_sum(dx, tdm_all_axes(), false);
    tdm_gradients(&sum, NULL, 1, &x, 1, &ddx, 0);
    assert_fine(ctx);
    tdm_read(ddx, got, sizeof got);
    tdm_read(x, at, sizeof at);
    for (int i = 0; i < 7; i++) /* (2 x + 1/2)^3 twice */
        assert_true(fabs(got[i] - 24 * (2 * (double)at[i] + 0.5)) < 1e-5 * 24 * 2.5);
    close_context(ctx);
}

/* A graph is differentiated whatever the grad mode, and so is what a rule appends to it. */
static void grad_mode_is_not_the_graphs(void **state)
{
    tdm_context *ctx = open_with_ops();
    tdm_tensor *second[2];

    (void)state;
    for (int on = 0; on < 2; on++) {
        tdm_graph *g = tdm_graph_open(ctx, "second");
        tdm_tensor *x = tdm_input(ctx, "x", TDM_F32, tdm_shape(7)), *dx, *ddx, *sum;
        tdm_tensor *y = tdm_sum(tdm_pow_scalar(scaled(x, 2), 3), tdm_all_axes(), false);
        tdm_grad_mode(ctx, on);
        tdm_gradients(&y, NULL, 1, &x, 1, &dx, 0);
        tdm_grad_mode(ctx, true);
        sum = tdm_sum(dx, tdm_all_axes(), false);
        tdm_gradients(&sum, NULL, 1, &x, 1, &ddx, 0);
        tdm_output(ctx, "ddx", ddx);
        built b = build_graph(ctx, g);
        tdm_exec_bind(b.e, "x", numbers(ctx, tdm_shape(7), 3));
        assert_int_equal(tdm_exec_run(b.e), TDM_OK);
        second[on] = tdm_mul_scalar(tdm_exec_output(b.e, "ddx"), 1);
        free_built(&b);
    }
    assert_same(second[0], second[1]);
    close_context(ctx);
}

static void operands_without_a_gradient(void **state)
{
    tdm_context *ctx = open_with_ops();
    tdm_tensor *x[9], *dx[9];
    double k = 7;

    (void)state;
    for (int i = 0; i < 9; i++)
        x[i] = tdm_requires_grad(numbers(ctx, tdm_shape(3 + i), 10 + (uint32_t)i), true);
    tdm_tensor *y = tdm_custom("pick", x, 8, &k, 1);
    assert_same(y, x[7]);
    tdm_tensor *dy = numbers(ctx, tdm_shape(10), 5);
    tdm_gradients(&y, &dy, 1, x, 9, dx, TDM_ALLOW_UNUSED);
    assert_fine(ctx);
    for (int i = 0; i < 9; i++)
        assert_true((dx[i] != NULL) == (i == 7));
    assert_same(dx[7], dy);
    refused(ctx, TDM_EARG, tdm_custom("pick", x, 9, &k, 1), "pick", "more than 8 operands");
    k = 8;
    refused(ctx, TDM_ESHAPE, tdm_custom("pick", x, 8, &k, 1), "custom: pick", "operand 8 of 8 is asked for",
            "f32[3]");
    close_context(ctx);
}

static void equal_calls_are_one_and_constants_fold(void **state)
{
    tdm_context *ctx = open_with_ops();
    tdm_tensor *c = numbers(ctx, tdm_shape(4), 8);

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "twice");
    tdm_tensor *x = tdm_input(ctx, "x", TDM_F32, tdm_shape(4));
    tdm_output(ctx, "y", tdm_add(scaled(x, 3), scaled(x, 3)));
    tdm_output(ctx, "z", tdm_add(scaled(x, 4), scaled(c, 3)));
    built b = build_graph(ctx, g);
    tdm_exec_bind(b.e, "x", c);
    calls = 0;
    tdm_exec_run(b.e);
    assert_int_equal(calls, 2);
    tdm_tensor *three = scaled(c, 3);
    assert_same(tdm_exec_output(b.e, "y"), tdm_add(three, three));
    assert_same(tdm_exec_output(b.e, "z"), tdm_add(scaled(c, 4), three));
    free_built(&b);
    close_context(ctx);
}

/* ---- texts ---- */

static void texts_name_it(void **state)
{
    static const char text[] = "graph @f(%x: f32[2,3]) -> (f32[2,3]) {\n"
                               "  %1 = custom %x {call=affine, params=[0x1.8p+1]} : f32[2,3]\n"
                               "  return y: %1\n"
                               "}\n";
    tdm_context *ctx = open_with_ops(), *bare = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(2, 3), 4);

    (void)state;
    tdm_graph *g = tdm_graph_parse(ctx, text, strlen(text), "f.tdm");
    assert_fine(ctx);
    char *again = tdm_graph_text(g);
    assert_string_equal(again, text);
    tdm_text_free(again);
    tdm_program *p = tdm_compile(g, NULL);
    tdm_exec *e = tdm_exec_new(p);
    tdm_exec_bind(e, "x", x);
    assert_int_equal(tdm_exec_run(e), TDM_OK);
    assert_same(tdm_exec_output(e, "y"), scaled(x, 3));
    tdm_exec_free(e);
    tdm_program_free(p);
    tdm_graph_free(g);

    assert_null(tdm_graph_parse(bare, text, strlen(text), "f.tdm"));
    assert_error(bare, TDM_EARG, "f.tdm:2", "no custom op 'affine'", "none is registered");
    static const char other[] =
        "graph @f(%x: f32[2]) -> () {\n  %1 = custom %x {call=affin} : f32[2]\n  return\n}\n";
    assert_null(tdm_graph_parse(ctx, other, strlen(other), "f.tdm"));
    assert_error(ctx, TDM_EARG, "f.tdm:2", "no custom op 'affin'", "affine, pick, fixed");
    static const char none[] = "graph @f(%x: f32[2]) -> () {\n  %1 = custom %x : f32[2]\n  return\n}\n";
    assert_null(tdm_graph_parse(ctx, none, strlen(none), "f.tdm"));
    assert_error(ctx, TDM_EPARSE, "f.tdm:2", "expected the attribute call");
    close_context(ctx);
    close_context(bare);
}

/* ---- failures ---- */

static void a_call_that_fails(void **state)
{
    tdm_context *ctx = open_with_ops();
    tdm_tensor *good = numbers(ctx, tdm_shape(3), 1);
    tdm_tensor *bad = tdm_from_data(ctx, TDM_F32, tdm_shape(3), ((const float[]){1, 2, NAN}));

    (void)state;
    assert_true(tdm_is_error(scaled(bad, 2)));
    assert_error(ctx, TDM_EARG, "custom: affine: element 2 is NaN", "f32[3]", "test_custom.c");
    tdm_graph *g = tdm_graph_open(ctx, "fails");
    tdm_tensor *x = tdm_input(ctx, "x", TDM_F32, tdm_shape(3));
    tdm_output(ctx, "y", tdm_exp(scaled(x, 2)));
    built b = build_graph(ctx, g);
    tdm_exec_bind(b.e, "x", bad);
    assert_int_equal(tdm_exec_run(b.e), TDM_EARG);
    assert_error(ctx, TDM_EARG, "exec_run: custom: affine: element 2 is NaN");
    assert_int_equal(tdm_exec_run_timed(b.e, NULL, NULL, NULL), TDM_EARG);
    assert_error(ctx, TDM_EARG, "exec_run: custom: affine: element 2 is NaN");
    tdm_exec_bind(b.e, "x", good);
    assert_int_equal(tdm_exec_run(b.e), TDM_OK); /* it goes on */
    assert_same(tdm_exec_output(b.e, "y"), tdm_exp(scaled(good, 2)));
    free_built(&b);
    close_context(ctx);
}

static void wrong_gradient(const tdm_custom_call *call, tdm_tensor *const *x, tdm_tensor *y, tdm_tensor *dy,
                           tdm_tensor **dx)
{
    (void)call;
    (void)x;
    (void)y;
    dx[0] = tdm_sum(dy, tdm_all_axes(), false);
}

static void what_can_be_wrong(void **state)
{
    tdm_context *ctx = open_with_ops();
    tdm_tensor *x = tdm_requires_grad(numbers(ctx, tdm_shape(3), 1), true), *dx;
    double k = 2;

    (void)state;
    assert_int_equal(tdm_custom_register(ctx, NULL), TDM_EARG);
    assert_error(ctx, TDM_EARG, "custom_register", "(NULL)");
    assert_int_equal(tdm_custom_register(ctx, &(tdm_custom_op){.name = "3d", .forward = affine}), TDM_EARG);
    assert_error(ctx, TDM_EARG, "'3d' is no name");
    assert_int_equal(tdm_custom_register(ctx, &(tdm_custom_op){.name = "still"}), TDM_EARG);
    assert_error(ctx, TDM_EARG, "'still' has no forward");
    assert_int_equal(tdm_custom_register(ctx, &ops[0]), TDM_EARG);
    assert_error(ctx, TDM_EARG, "there is a 'affine' already");

    refused(ctx, TDM_EARG, tdm_custom("nothing", &x, 1, NULL, 0), "no custom op 'nothing'",
            "affine, pick, fixed");
    refused(ctx, TDM_EARG, tdm_custom(NULL, &x, 1, NULL, 0), "(NULL)");
    refused(ctx, TDM_EARG, tdm_custom("affine", &x, 1, NULL, 1), "params is NULL");
    refused(ctx, TDM_EARG, tdm_custom("affine", &x, 1, (const double[9]){0}, 9), "0 to 8 parameters, not 9");
    assert_null(tdm_custom("affine", NULL, 1, NULL, 0));

    tdm_tensor *y = tdm_sum(tdm_custom("fixed", &x, 1, &k, 1), tdm_all_axes(), false);
    tdm_gradients(&y, NULL, 1, &x, 1, &dx, 0);
    assert_error(ctx, TDM_EUNSUPPORTED, "custom: fixed has no gradient");
    assert_int_equal(tdm_custom_register(ctx, &(tdm_custom_op){.name = "wrong",
                                                               .forward = affine,
                                                               .gradient = wrong_gradient,
                                                               .user = (void *)&offset}),
                     TDM_OK);
    y = tdm_sum(tdm_custom("wrong", &x, 1, &k, 1), tdm_all_axes(), false);
    tdm_gradients(&y, NULL, 1, &x, 1, &dx, 0);
    assert_error(ctx, TDM_ESHAPE, "custom: wrong", "another type than its operand", "f32[3]");
    close_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_engines_call_it),
        cmocka_unit_test(gradients_have_gradients),
        cmocka_unit_test(grad_mode_is_not_the_graphs),
        cmocka_unit_test(operands_without_a_gradient),
        cmocka_unit_test(equal_calls_are_one_and_constants_fold),
        cmocka_unit_test(texts_name_it),
        cmocka_unit_test(a_call_that_fails),
        cmocka_unit_test(what_can_be_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
