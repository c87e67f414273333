/* tests/frontend/test_api.c: one model source behind the public functions: what a program does eagerly, the
 * same calls in a graph do when it is compiled and run.  Capture, assign, gradients and their modes, scopes.
 */
#include <stdio.h>

#include "tests/frontend/lib_frontend.h"

static tdm_tensor *seed_model(tdm_tensor *x, tdm_tensor *w)
{
    return tdm_mul(tdm_add(x, w), tdm_add_scalar(w, 1));
}

static tdm_tensor *total(tdm_tensor *x)
{
    return tdm_sum(x, tdm_all_axes(), false);
}

/* The header's first page. */
static void test_seed_example(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = tdm_requires_grad(tdm_full(ctx, TDM_F32, tdm_shape(1), 2), true);
    tdm_tensor *w = tdm_parameter(tdm_full(ctx, TDM_F32, tdm_shape(1), 1), "w");

    (void)state;
    tdm_tensor *y = seed_model(x, w);
    assert_string_equal(tdm_grad_fn_name(tdm_grad_fn_of(y)), "MulBackward0");
    assert_string_equal(tdm_grad_fn_name(tdm_grad_fn_next(tdm_grad_fn_of(y), 0)), "AddBackward0");
    assert_int_equal(tdm_backward(y), TDM_OK);
    assert_true(tdm_item(y) == 6 && tdm_item(tdm_grad(w)) == 5 && tdm_item(tdm_grad(x)) == 2);

    tdm_graph *g = tdm_graph_open(ctx, "seed");
    tdm_tensor *sx = tdm_input(ctx, "x", TDM_F32, tdm_shape(1)), *sy = seed_model(sx, w), *d[2];
    assert_true(tdm_is_symbolic(sy) && !tdm_is_symbolic(w) && tdm_is_leaf(w) && tdm_elements(sy) == 1);
    assert_int_equal(tdm_gradients(&sy, NULL, 1, ((tdm_tensor *const[]){w, sx}), 2, d, 0), TDM_OK);
    tdm_output(ctx, "y", sy);
    tdm_output(ctx, "dw", d[0]);
    tdm_output(ctx, "dx", d[1]);
    built b = build_graph(ctx, g);
    tdm_exec_bind(b.e, "x", x);
    for (int run = 0; run < 3; run++) {
        assert_int_equal(tdm_exec_run(b.e), TDM_OK);
        assert_true(tdm_item(tdm_exec_output(b.e, "y")) == 6);
        assert_true(tdm_item(tdm_exec_output(b.e, "dw")) == 5 && tdm_item(tdm_exec_output(b.e, "dx")) == 2);
    }
    assert_true(tdm_item(tdm_grad(w)) == 5); /* tdm_gradients touches no .grad */
    free_built(&b);
    tdm_release(w);
    close_context(ctx);
}

/* A parameter and a variable are read at each run, anything else is what it was when the graph was defined.
 */
static void test_capture(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *p = tdm_parameter(tdm_full(ctx, TDM_F32, tdm_shape(3), 10), "p");
    tdm_tensor *v = tdm_variable(tdm_full(ctx, TDM_F32, tdm_shape(3), 200), NULL);
    tdm_tensor *k = tdm_full(ctx, TDM_F32, tdm_shape(3), 3000);
    const float ones[3] = {1, 1, 1};

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "capture");
    tdm_output(ctx, "y", tdm_add(tdm_add(p, v), tdm_add(k, k)));
    built b = build_graph(ctx, g);
    tdm_exec_run(b.e);
    assert_true(tdm_item(tdm_amax(tdm_exec_output(b.e, "y"), tdm_all_axes(), false)) == 6210);
    tdm_write(p, ones, sizeof ones);
    tdm_assign(v, tdm_full(ctx, TDM_F32, tdm_shape(3), 400));
    tdm_write(k, ones, sizeof ones);
    tdm_exec_run(b.e);
    assert_true(tdm_item(tdm_amin(tdm_exec_output(b.e, "y"), tdm_all_axes(), false)) == 6401);
    assert_string_equal(tdm_name(p), "p");
    assert_string_equal(tdm_name(v), "");
    free_built(&b);
    tdm_release(p);
    tdm_release(v);
    close_context(ctx);
}

/* Two captured parameters of one name get names of their own, and one tensor used twice is captured once. */
static void test_capture_names(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *a = tdm_parameter(tdm_full(ctx, TDM_F32, tdm_shape(2), 2), "w");
    tdm_tensor *z = tdm_parameter(tdm_full(ctx, TDM_F32, tdm_shape(2), 3), "w");

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "names");
    tdm_tensor *x = tdm_input(ctx, "w_1", TDM_F32, tdm_shape(2));
    tdm_output(ctx, "y", tdm_add(tdm_mul(tdm_mul(a, z), tdm_mul(a, z)), x));
    assert_int_equal(tdm_graph_inputs(g), 3);
    built b = build_graph(ctx, g);
    tdm_exec_bind(b.e, "w_1", tdm_full(ctx, TDM_F32, tdm_shape(2), 4));
    tdm_exec_run(b.e);
    assert_true(tdm_item(tdm_mean(tdm_exec_output(b.e, "y"), tdm_all_axes(), false)) == 40);
    free_built(&b);
    tdm_release(a);
    tdm_release(z);
    close_context(ctx);
}

/* ---- assign ---- */

static void counted(tdm_tensor *n, tdm_tensor *seen[2])
{
    seen[0] = tdm_mul_scalar(n, 10);
    tdm_assign(n, tdm_add_scalar(n, 1));
    seen[1] = tdm_mul_scalar(n, 100); /* reads after the assign see the new value */
    tdm_assign(n, tdm_add_scalar(n, 1));
}

static void test_assign(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *e = tdm_variable(tdm_full(ctx, TDM_F64, tdm_shape(), 5), "e");
    tdm_tensor *s = tdm_variable(tdm_full(ctx, TDM_F64, tdm_shape(), 5), "s"), *seen[2];

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "assign");
    counted(s, seen);
    tdm_output(ctx, "before", seen[0]);
    tdm_output(ctx, "after", seen[1]);
    assert_int_equal(tdm_graph_assigns(g), 1);
    built b = build_graph(ctx, g);
    assert_true(tdm_item(s) == 5); /* nothing has run */
    for (int run = 0; run < 3; run++) {
        counted(e, seen);
        tdm_exec_run(b.e);
        assert_same(tdm_exec_output(b.e, "before"), seen[0]);
        assert_same(tdm_exec_output(b.e, "after"), seen[1]);
        assert_same(s, e);
    }
    assert_true(tdm_item(s) == 11);
    free_built(&b);
    tdm_release(e);
    tdm_release(s);
    close_context(ctx);
}

/* Two variables swap: both are read before either is written. */
static void test_swap(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *a = tdm_variable(numbers(ctx, tdm_shape(130), 1), "a");
    tdm_tensor *z = tdm_variable(numbers(ctx, tdm_shape(130), 2), "z");
    tdm_tensor *was_a = tdm_add_scalar(a, 0), *was_z = tdm_add_scalar(z, 0);

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "swap");
    tdm_tensor *t = tdm_reshape(a, tdm_shape(130)), *u = tdm_reshape(z, tdm_shape(130));
    tdm_assign(a, u);
    tdm_assign(z, t);
    built b = build_graph(ctx, g);
    tdm_exec_run(b.e);
    assert_same(a, was_z);
    assert_same(z, was_a);
    free_built(&b);
    tdm_release(a);
    tdm_release(z);
    close_context(ctx);
}

/* A parameter that was assigned in the graph: later gradients are by its new value and end there, as on the
 * tape.  What a gradient descent of two steps in one program needs. */
static void two_steps(tdm_context *ctx, tdm_tensor *w, tdm_tensor *x, tdm_tensor **loss)
{
    for (int step = 0; step < 2; step++) {
        tdm_clear_grad(w);
        *loss = tdm_mean(tdm_square(tdm_mul(x, tdm_exp(w))), tdm_all_axes(), false);
        tdm_backward(*loss);
        bool mode = tdm_grad_mode(ctx, false);
        tdm_assign(w, tdm_sub(w, tdm_mul_scalar(tdm_grad(w), 0.25)));
        tdm_grad_mode(ctx, mode);
    }
}

static void test_gradient_after_assign(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(9), 3), *loss;
    tdm_tensor *e = tdm_parameter(numbers(ctx, tdm_shape(9), 4), "e");
    tdm_tensor *s = tdm_parameter(numbers(ctx, tdm_shape(9), 4), "s");

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "steps");
    two_steps(ctx, s, x, &loss);
    tdm_output(ctx, "loss", loss);
    built b = build_graph(ctx, g);
    for (int run = 0; run < 2; run++) {
        two_steps(ctx, e, x, &loss);
        tdm_exec_run(b.e);
        assert_same(tdm_exec_output(b.e, "loss"), loss);
        assert_same(s, e);
    }
    free_built(&b);
    tdm_release(e);
    tdm_release(s);
    close_context(ctx);
}

/* ---- gradients in graphs ---- */

/* Several backward calls add up, an inner tensor keeps its own, zeroing starts anew. */
static void accumulate(tdm_tensor *w, tdm_tensor *x, tdm_tensor *out[4])
{
    tdm_tensor *h = tdm_tanh(tdm_mul(w, x));

    tdm_retain_grad(h);
    tdm_backward(total(tdm_square(h)));
    out[0] = tdm_add_scalar(tdm_grad(w), 0.5);
    tdm_backward(tdm_mean(tdm_mul(w, tdm_exp(w)), tdm_all_axes(), false));
    out[1] = tdm_add_scalar(tdm_grad(w), 0.5);
    out[2] = tdm_add_scalar(tdm_grad(h), 0.5);
    tdm_clear_grad(w);
    assert_null(tdm_grad(w));
    tdm_backward_with(tdm_sin(w), x, 0);
    out[3] = tdm_add_scalar(tdm_grad(w), 0.5);
    tdm_clear_grad(w);
}

static void test_accumulation(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(3, 17), 5), *eager[4], *out[4];
    tdm_tensor *w = tdm_parameter(numbers(ctx, tdm_shape(3, 17), 6), "w");
    static const char *const names[] = {"0", "1", "2", "3"};

    (void)state;
    accumulate(w, x, eager);
    tdm_backward(total(w)); /* the graph's .grad starts as none whatever is there */
    tdm_graph *g = tdm_graph_open(ctx, "accumulate");
    assert_null(tdm_grad(w));
    accumulate(w, tdm_input(ctx, "x", TDM_F32, tdm_shape(3, 17)), out);
    for (int i = 0; i < 4; i++)
        tdm_output(ctx, names[i], out[i]);
    built b = build_graph(ctx, g);
    assert_true(tdm_item(tdm_amax(tdm_grad(w), tdm_all_axes(), false)) == 1);
    tdm_exec_bind(b.e, "x", x);
    tdm_exec_run(b.e);
    for (int i = 0; i < 4; i++)
        assert_same(tdm_exec_output(b.e, names[i]), eager[i]);
    free_built(&b);
    tdm_release(w);
    close_context(ctx);
}

/* No gradient flows through what is computed in no_grad, and through detach. */
static tdm_tensor *half_blocked(tdm_context *ctx, tdm_tensor *w)
{
    bool mode = tdm_grad_mode(ctx, false);
    tdm_tensor *c = tdm_softmax(tdm_mul(w, w), -1);

    tdm_grad_mode(ctx, mode);
    return total(tdm_mul(tdm_mul(c, w), tdm_detach(w)));
}

static void test_no_grad(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *w = tdm_parameter(numbers(ctx, tdm_shape(2, 7), 8), "w"), *d;

    (void)state;
    assert_int_equal(tdm_backward(half_blocked(ctx, w)), TDM_OK);
    tdm_graph *g = tdm_graph_open(ctx, "no_grad");
    tdm_tensor *y = half_blocked(ctx, w);
    tdm_gradients(&y, NULL, 1, &w, 1, &d, 0);
    tdm_output(ctx, "d", d);
    built b = build_graph(ctx, g);
    tdm_exec_run(b.e);
    assert_same(tdm_exec_output(b.e, "d"), tdm_grad(w));
    free_built(&b);
    tdm_release(w);
    close_context(ctx);
}

/* Gradients of gradients of gradients, by inputs and parameters. */
static void cube(tdm_tensor *x, tdm_tensor *w, tdm_tensor *d[4])
{
    tdm_tensor *y = total(tdm_mul(tdm_mul(x, tdm_mul(x, x)), tdm_sin(w)));
    tdm_gradients(&y, NULL, 1, &x, 1, &d[0], TDM_CREATE_GRAPH);
    tdm_tensor *s = total(d[0]);
    tdm_gradients(&s, NULL, 1, &x, 1, &d[1], TDM_CREATE_GRAPH);
    s = total(d[1]);
    tdm_gradients(&s, NULL, 1, ((tdm_tensor *const[]){x, w}), 2, &d[2], TDM_CREATE_GRAPH);
}

static void test_third_order(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = tdm_requires_grad(numbers(ctx, tdm_shape(65), 9), true), *eager[4], *d[4], *none;
    tdm_tensor *w = tdm_parameter(numbers(ctx, tdm_shape(65), 10), "w");
    tdm_tensor *other = tdm_parameter(numbers(ctx, tdm_shape(65), 11), "other");
    static const char *const names[] = {"0", "1", "2", "3"};

    (void)state;
    cube(x, w, eager);
    assert_fine(ctx);
    tdm_graph *g = tdm_graph_open(ctx, "cube");
    tdm_tensor *sx = tdm_input(ctx, "x", TDM_F32, tdm_shape(65));
    cube(sx, w, d);
    tdm_gradients(&d[0], &d[1], 1, &other, 1, &none, TDM_ALLOW_UNUSED);
    assert_null(none);
    for (int i = 0; i < 4; i++)
        tdm_output(ctx, names[i], d[i]);
    built b = build_graph(ctx, g);
    tdm_exec_bind(b.e, "x", x);
    tdm_exec_run(b.e);
    for (int i = 0; i < 4; i++)
        assert_same(tdm_exec_output(b.e, names[i]), eager[i]);
    free_built(&b);
    tdm_release(w);
    tdm_release(other);
    close_context(ctx);
}

/* ---- memory ---- */

/* Temporaries die with their scope; kept ones move out; nothing grows from step to step. */
static void test_scopes(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *w = tdm_parameter(numbers(ctx, tdm_shape(64, 64), 15), "w"), *kept = NULL;
    size_t before = 0;

    (void)state;
    for (int i = 0; i < 4; i++) {
        tdm_scope_open(ctx);
        tdm_scope_open(ctx);
        tdm_tensor *y = tdm_softmax(tdm_matmul(w, w), 1);
        tdm_tensor *loss = tdm_mean(y, tdm_all_axes(), false);
        tdm_clear_grad(w);
        tdm_backward(loss);
        tdm_keep(loss);
        tdm_scope_close(ctx);
        assert_true(tdm_item(loss) > 0);
        if (i == 1)
            before = tdm_live_bytes(ctx);
        if (i > 1)
            assert_true(tdm_live_bytes(ctx) == before);
        tdm_scope_close(ctx);
    }
    tdm_scope_open(ctx);
    kept = tdm_hold(tdm_full(ctx, TDM_F32, tdm_shape(2), 9));
    tdm_scope_close(ctx);
    assert_true(tdm_item(tdm_slice(kept, 0, 1, 2, 1)) == 9);
    tdm_release(kept);
    assert_true(tdm_peak_bytes(ctx) >= tdm_live_bytes(ctx));
    tdm_reset_peak_bytes(ctx);
    assert_true(tdm_peak_bytes(ctx) == tdm_live_bytes(ctx));
    tdm_release(w);
    close_context(ctx);
}

/* A context that is freed with everything still open. */
static void test_freed_midway(void **state)
{
    tdm_context *ctx = open_context();

    (void)state;
    tdm_scope_open(ctx);
    tdm_tensor *w = tdm_parameter(numbers(ctx, tdm_shape(3), 1), "w");
    tdm_graph_open(ctx, "open");
    tdm_backward(total(tdm_exp(w)));
    tdm_scope_open(ctx);
    close_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed_example),  cmocka_unit_test(test_capture),
        cmocka_unit_test(test_capture_names), cmocka_unit_test(test_assign),
        cmocka_unit_test(test_swap),          cmocka_unit_test(test_gradient_after_assign),
        cmocka_unit_test(test_accumulation),  cmocka_unit_test(test_no_grad),
        cmocka_unit_test(test_third_order),   cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_freed_midway),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
