/* The tape and backward: the seed example, leaves, accumulation, order, higher derivatives, in-place checks,
 * errors. */
#include "eager.h"

#include <math.h>

#define context() \
    rt_context c; \
    (void)state;  \
    assert_int_equal(rt_context_init(&c, NULL, NULL), IR_OK)

static ir_status backward_keep(tdm_tensor *y)
{
    return rt_backward(y->ctx, &y, NULL, 1, NULL, 0, NULL, true, false);
}

/* ---- the seed example -------------------------------------------------------------------------------- */

static void seed_example(void **state)
{
    tdm_tensor *x, *w, *a, *b, *y;

    context();
    x = leaf(&c, 2);
    w = leaf(&c, 1);
    a = add(x, w);
    b = add(w, scalar(&c, 1));
    y = mul(a, b);
    assert_true(item(y) == 6);
    assert_true(!x->grad_fn && !w->grad_fn && a->grad_fn && b->grad_fn && y->grad_fn);
    assert_string_equal(y->grad_fn->name, "MulBackward0");
    assert_int_equal(y->grad_fn->n, 2);
    assert_ptr_equal(y->grad_fn->next[0], a->grad_fn);
    assert_ptr_equal(y->grad_fn->next[1], b->grad_fn);
    assert_string_equal(a->grad_fn->name, "AddBackward0");
    assert_string_equal(b->grad_fn->name, "AddBackward0");
    assert_string_equal(a->grad_fn->next[0]->name, "AccumulateGrad");
    assert_ptr_equal(a->grad_fn->next[0]->leaf, x);
    assert_ptr_equal(a->grad_fn->next[1]->leaf, w);
    assert_ptr_equal(b->grad_fn->next[0], a->grad_fn->next[1]); /* one node per leaf */
    assert_null(b->grad_fn->next[1]);                           /* the constant needs no gradient */

    assert_int_equal(backward(y), IR_OK);
    assert_true(item(w->grad) == 5);
    assert_true(item(x->grad) == 2);
    assert_null(a->grad);
    assert_null(b->grad);
    assert_true(y->grad_fn->freed);
    assert_null(y->grad_fn->saved[1]);
    finish(&c);
}

static void retain_grad(void **state)
{
    tdm_tensor *x, *w, *a, *b, *y;

    context();
    x = leaf(&c, 2);
    w = leaf(&c, 1);
    a = add(x, w);
    b = add(w, scalar(&c, 1));
    y = mul(a, b);
    assert_int_equal(rt_retain_grad(a), IR_OK);
    assert_int_equal(rt_retain_grad(b), IR_OK);
    assert_int_equal(rt_retain_grad(y), IR_OK);
    assert_int_equal(rt_retain_grad(x), IR_OK); /* a leaf keeps it anyway */
    assert_int_equal(backward(y), IR_OK);
    assert_true(item(a->grad) == 2);
    assert_true(item(b->grad) == 3);
    assert_true(item(y->grad) == 1);
    assert_true(item(w->grad) == 5);
    rt_retain_grad(scalar(&c, 1));
    assert_error(&c, IR_ESTATE, "retain_grad", "f64[]");
    finish(&c);
}

/* ---- leaves ------------------------------------------------------------------------------------------ */

static void gradients_accumulate(void **state)
{
    tdm_tensor *w;

    context();
    w = rt_hold(leaf(&c, 3));
    for (int i = 1; i <= 4; i++) {
        rt_scope_open(&c);
        assert_int_equal(backward(mul(w, w)), IR_OK);
        rt_scope_close(&c);
        assert_true(item(w->grad) == 6 * i);
    }
    rt_release(w->grad);
    w->grad = NULL;
    assert_int_equal(backward(w), IR_OK); /* a leaf is its own output */
    assert_true(item(w->grad) == 1);
    rt_release(w);
    finish(&c);
}

/* A gradient that two leaves get is two tensors: changing one in place leaves the other. */
static void gradients_are_not_shared(void **state)
{
    tdm_tensor *x, *w, *y, *dy;

    context();
    x = leaf(&c, 3);
    w = leaf(&c, 4);
    y = add(x, w);
    dy = scalar(&c, 10);
    assert_int_equal(rt_backward(&c, &y, &dy, 1, NULL, 0, NULL, false, false), IR_OK);
    assert_int_equal(rt_assign(x->grad, scalar(&c, 7)), IR_OK);
    assert_true(item(x->grad) == 7 && item(w->grad) == 10 && item(dy) == 10);
    finish(&c);
}

/* A leaf's gradient is row-major storage of its own even where the rule gives a broadcast or transposed view.
 */
static void gradients_are_row_major(void **state)
{
    ir_type t = ir_type_make(IR_DT_f64, 2, (int64_t[]){2, 3});
    tdm_tensor *w, *y, *dy;

    context();
    w = rt_tensor_from(&c, &t, (double[]){1, 2, 3, 4, 5, 6});
    w->requires_grad = true;
    y = rt_tensor_of(ir_e_transpose(&c.sink, rt_val(w), (int[]){1, 0}));
    assert_string_equal(y->grad_fn->name, "TransposeBackward0");
    dy = rt_tensor_from(&c, &y->a.type, (double[]){1, 2, 3, 4, 5, 6});
    assert_int_equal(rt_backward(&c, &y, &dy, 1, NULL, 0, NULL, false, false), IR_OK);
    assert_true(rt_array_is_contiguous(&w->grad->a));
    assert_memory_equal(w->grad->a.data, ((double[]){1, 3, 5, 2, 4, 6}), sizeof(double[6]));
    finish(&c);
}

static void no_grad_and_detach(void **state)
{
    tdm_tensor *w, *y, *d;

    context();
    w = leaf(&c, 3);
    c.grad_mode = false;
    y = mul(w, w);
    assert_false(y->requires_grad);
    assert_null(y->grad_fn);
    c.grad_mode = true;
    backward(y);
    assert_error(&c, IR_ESTATE, "backward", "f64[]", "no graph");
    d = rt_detach(w);
    assert_false(d->requires_grad);
    assert_ptr_equal(d->storage, w->storage);
    y = mul(w, d);
    assert_int_equal(backward(y), IR_OK);
    assert_true(item(w->grad) == 3);
    assert_null(d->grad);
    y = op1(IR_stop_gradient, w);
    assert_false(y->requires_grad);
    y = op2(IR_lt, w, d);
    assert_false(y->requires_grad);
    finish(&c);
}

static void only_float_leaves_require_grad(void **state)
{
    ir_type t = ir_type_make(IR_DT_i32, 1, (int64_t[]){2});
    tdm_tensor *w;

    context();
    rt_require_grad(rt_tensor_from(&c, &t, (int32_t[]){1, 2}), true);
    assert_error(&c, IR_EDTYPE, "requires_grad", "i32[2]");
    w = scalar(&c, 2);
    assert_int_equal(rt_require_grad(w, true), IR_OK);
    rt_require_grad(mul(w, w), false);
    assert_error(&c, IR_ESTATE, "MulBackward0", "not a leaf");
    /* a float made from integers starts no graph, and an integer made from a float ends one */
    assert_false(rt_tensor_of(ir_e_convert(&c.sink, rt_val(w), IR_DT_i64))->requires_grad);
    assert_true(rt_tensor_of(ir_e_convert(&c.sink, rt_val(w), IR_DT_f32))->requires_grad);
    finish(&c);
}

static void a_graph_outlives_its_leaf(void **state)
{
    tdm_tensor *x, *w, *y;

    context();
    x = leaf(&c, 2);
    w = rt_hold(leaf(&c, 5));
    y = mul(x, w);
    rt_release(w);
    assert_null(y->grad_fn->next[1]->leaf);
    assert_int_equal(backward(y), IR_OK);
    assert_true(item(x->grad) == 5);
    finish(&c);
}

/* ---- order ------------------------------------------------------------------------------------------- */

/* Uses of x in the order p, q, r: the tape adds the newest's contribution first, (r + q) + p, which floats
 * can tell. */
static void contributions_add_newest_first(void **state)
{
    const double big = 1e16;
    tdm_tensor *x, *p, *q, *r, *y, *dys[3], *outs[3];

    context();
    x = leaf(&c, 1);
    p = mul(x, scalar(&c, 1));
    q = mul(x, scalar(&c, -big));
    r = mul(x, scalar(&c, big));
    y = add(add(p, q), r);
    assert_int_equal(backward_keep(y), IR_OK);
    assert_true(item(x->grad) == (big + -big) + 1);
    assert_true(item(x->grad) != (1 + -big) + big);
    rt_release(x->grad);
    x->grad = NULL;
    for (int i = 0; i < 3; i++) { /* the same whatever the order of outputs */
        outs[i] = (tdm_tensor *[]){r, p, q}[i];
        dys[i] = scalar(&c, 1);
    }
    assert_int_equal(rt_backward(&c, outs, dys, 3, NULL, 0, NULL, false, false), IR_OK);
    assert_true(item(x->grad) == 1);
    finish(&c);
}

/* Seeds come before contributions, in the order of outputs; operands 0..n-1 within a node. */
static void seeds_add_first(void **state)
{
    const double big = 1e16;
    tdm_tensor *x, *y, *outs[2], *douts[2], *g;

    context();
    x = leaf(&c, 1);
    y = mul(x, scalar(&c, 1));
    outs[0] = y;
    outs[1] = y;
    douts[0] = scalar(&c, big);
    douts[1] = scalar(&c, -big);
    assert_int_equal(rt_backward(&c, outs, douts, 2, &x, 1, &g, true, false), IR_OK);
    assert_true(item(g) == 0);
    outs[1] = mul(y, scalar(&c, 1));
    assert_int_equal(rt_backward(&c, outs, douts, 2, &y, 1, &g, true, false), IR_OK);
    assert_true(item(g) == 0);
    assert_null(x->grad);
    finish(&c);
}

/* A diamond of diamonds has 2^60 paths and 121 nodes. */
static void each_node_runs_once(void **state)
{
    tdm_tensor *x, *y;

    context();
    x = leaf(&c, 1);
    y = x;
    for (int i = 0; i < 60; i++) {
        y = add(op1(IR_neg, y), y);
        y = add(y, x);
    }
    assert_int_equal(backward(y), IR_OK);
    assert_true(item(x->grad) == 1);
    finish(&c);
}

static void long_chains_do_not_recurse(void **state)
{
    tdm_tensor *x, *y;

    context();
    x = leaf(&c, 1);
    y = x;
    rt_hold(y);
    for (int i = 0; i < 200000; i++) {
        tdm_tensor *next = rt_hold(op1(IR_neg, y));

        rt_release(y == x ? NULL : y);
        y = next;
    }
    assert_int_equal(backward_keep(y), IR_OK);
    assert_true(item(x->grad) == 1);
    rt_release(y); /* frees 200,000 nodes */
    rt_release(x);
    finish(&c);
}

/* ---- higher derivatives ------------------------------------------------------------------------------ */

static void derivatives_of_x4(void **state)
{
    static const double want[] = {16, 32, 48, 48, 24};
    tdm_tensor *x, *y;

    context();
    x = leaf(&c, 2);
    y = mul(mul(x, x), mul(x, x));
    for (int order = 0; order < 5; order++) {
        assert_true(item(y) == want[order]);
        y = order < 4 ? grad(y, x, true) : y;
    }
    assert_null(x->grad);
    finish(&c);
}

/* A saved result takes part in second derivatives, and the node that saves it does not keep itself alive. */
static void derivatives_through_a_saved_result(void **state)
{
    tdm_tensor *x, *y, *g;

    context();
    x = leaf(&c, 0.5);
    y = g = op1(IR_exp, x);
    for (int order = 1; order < 5; order++) {
        g = grad(g, x, true);
        assert_true(item(g) == item(y));
    }
    y = op1(IR_tanh, x);
    g = grad(grad(y, x, true), x, true); /* -2 t (1 - t^2) */
    assert_true(fabs(item(g) + 2 * item(y) * (1 - item(y) * item(y))) < 1e-15);
    finish(&c);
}

/* Recorded gradients in .grad lead back to the leaf's own graph: nothing may be left when all is released. */
static void recorded_gradients_make_no_cycle(void **state)
{
    tdm_tensor *x, *a, *y;

    context();
    rt_scope_open(&c);
    x = leaf(&c, 3);
    a = mul(x, x);
    rt_retain_grad(a);
    y = mul(a, x);
    assert_int_equal(rt_backward(&c, &y, NULL, 1, NULL, 0, NULL, true, true), IR_OK);
    assert_true(item(x->grad) == 27 && item(a->grad) == 3);
    assert_true(x->grad->requires_grad && x->grad->grad_fn);
    y = grad(x->grad, x, false);
    assert_true(item(y) == 18);
    rt_scope_close(&c);
    assert_int_equal(c.live_bytes, 0);
    finish(&c);
}

/* backward of a .grad replaces that .grad on the way: its graph must live until the end. */
static void backward_of_a_grad(void **state)
{
    tdm_tensor *x, *y;

    context();
    x = leaf(&c, 3);
    rt_scope_open(&c);
    y = mul(mul(x, x), x);
    assert_int_equal(rt_backward(&c, &y, NULL, 1, NULL, 0, NULL, true, true), IR_OK);
    rt_scope_close(&c);
    assert_true(item(x->grad) == 27);
    assert_int_equal(backward(x->grad), IR_OK);
    assert_true(item(x->grad) == 27 + 18);
    finish(&c);
}

/* grad(sum of outputs) with an upstream gradient that is differentiated itself. */
static void upstream_gradients_are_recorded(void **state)
{
    tdm_tensor *x, *v, *y, *g = NULL;

    context();
    x = leaf(&c, 3);
    v = leaf(&c, 1);
    y = mul(x, x);
    assert_int_equal(rt_backward(&c, &y, &v, 1, &x, 1, &g, true, true), IR_OK); /* 2 x v */
    assert_true(item(g) == 6);
    assert_true(item(grad(g, v, true)) == 6);
    assert_true(item(grad(g, x, false)) == 2);
    finish(&c);
}

/* ---- gradients of chosen tensors --------------------------------------------------------------------- */

/* The gradient of x + z is the upstream gradient itself, a leaf: gradients through it reach that leaf. */
static void a_gradient_that_is_the_upstream_leaf(void **state)
{
    rt_context c;
    (void)state;
    assert_int_equal(rt_context_init(&c, NULL, NULL), IR_OK);
    tdm_tensor *x = leaf(&c, 2), *z = leaf(&c, 3), *v = leaf(&c, 5), *y = add(x, z), *g = NULL;
    assert_int_equal(rt_backward(&c, &y, &v, 1, &x, 1, &g, true, true), IR_OK);
    assert_true(item(g) == 5);
    assert_true(item(grad(mul(g, g), v, false)) == 10);
    finish(&c);
}

static void wrt_touches_no_grad(void **state)
{
    tdm_tensor *x, *w, *u, *a, *y, *wrt[5], *g[5];

    context();
    x = leaf(&c, 2);
    w = leaf(&c, 3);
    u = leaf(&c, 4);
    a = mul(x, w);
    y = mul(a, a);
    rt_retain_grad(a);
    memcpy(wrt, (tdm_tensor *[]){a, u, x, y, x}, sizeof wrt);
    rt_scope_open(&c);
    assert_int_equal(rt_backward(&c, &y, NULL, 1, wrt, 5, g, false, false), IR_OK);
    assert_true(item(g[0]) == 12);
    assert_null(g[1]);
    assert_true(item(g[2]) == 36 && item(g[4]) == 36);
    assert_true(item(g[3]) == 1);
    assert_false(g[2]->requires_grad);
    rt_scope_close(&c); /* they live here */
    assert_true(!x->grad && !w->grad && !u->grad && !a->grad);
    finish(&c);
}

/* What does not lead to a wanted tensor is neither run nor checked nor freed. */
static void wrt_leaves_the_rest_alone(void **state)
{
    tdm_tensor *x, *w, *a, *b, *y;

    context();
    x = leaf(&c, 2);
    w = leaf(&c, 3);
    a = mul(x, x);
    b = mul(w, w);
    y = add(a, b);
    assert_true(item(grad(y, x, false)) == 4);
    assert_true(a->grad_fn->freed);
    assert_false(b->grad_fn->freed);
    assert_true(item(grad(y, w, false)) == 6);
    finish(&c);
}

/* ---- errors ------------------------------------------------------------------------------------------ */

static void a_second_backward(void **state)
{
    tdm_tensor *x, *y;

    context();
    x = leaf(&c, 2);
    AT(&c, "model.c", 12);
    y = mul(x, x);
    assert_int_equal(backward_keep(y), IR_OK);
    assert_int_equal(backward(y), IR_OK);
    assert_true(item(x->grad) == 8);
    backward(y);
    assert_error(&c, IR_ESTATE, "retain_graph", "MulBackward0", "model.c:12");
    assert_true(item(x->grad) == 8);
    y = add(x, x); /* saves nothing, so nothing is freed */
    assert_int_equal(backward(y), IR_OK);
    assert_int_equal(backward(y), IR_OK);
    assert_true(item(x->grad) == 12);
    finish(&c);
}

static void in_place_changes_are_found(void **state)
{
    static const double two[2] = {1, 2};
    tdm_tensor *x, *w, *e, *y;

    context();
    w = vector(&c, 2, two);
    w->requires_grad = true;
    AT(&c, "model.c", 10);
    x = vector(&c, 2, two);
    x->name = "x";
    AT(&c, "model.c", 11);
    y = mul(x, w);
    AT(&c, "model.c", 12);
    assert_int_equal(rt_assign(x, x), IR_OK);
    assert_int_equal(rt_assign(x, x), IR_OK);
    rt_backward(&c, &y, &x, 1, NULL, 0, NULL, false, false);
    assert_error(&c, IR_ESTATE, "x f64[2] (model.c:10)", "MulBackward0 (model.c:11)", "assign (model.c:12)",
                 "expected version 0, found 2");
    assert_null(w->grad); /* nothing was added */

    e = op1(IR_exp, w); /* saves its result; changed through another view of it */
    c.grad_mode = false;
    assert_int_equal(rt_assign(rt_detach(e), x), IR_OK);
    c.grad_mode = true;
    rt_backward(&c, &e, &x, 1, NULL, 0, NULL, false, false);
    assert_error(&c, IR_ESTATE, "ExpBackward0", "expected version 0, found 1");

    e = add(x, w); /* saves no value */
    assert_int_equal(rt_assign(x, x), IR_OK);
    assert_int_equal(rt_backward(&c, &e, &x, 1, NULL, 0, NULL, false, false), IR_OK);
    finish(&c);
}

static void what_backward_refuses(void **state)
{
    static const double two[2] = {1, 2};
    ir_type f32 = ir_type_make(IR_DT_f32, 1, (int64_t[]){2});
    tdm_tensor *w, *y, *dy;

    context();
    w = vector(&c, 2, two);
    w->requires_grad = true;
    y = mul(w, w);
    backward(y);
    assert_error(&c, IR_ESHAPE, "f64[2]", "not a scalar");
    dy = scalar(&c, 1);
    rt_backward(&c, &y, &dy, 1, NULL, 0, NULL, false, false);
    assert_error(&c, IR_ESHAPE, "f64[]", "f64[2]");
    dy = rt_tensor_new(&c, &f32);
    rt_backward(&c, &y, &dy, 1, NULL, 0, NULL, false, false);
    assert_error(&c, IR_EDTYPE, "f32[2]", "f64[2]");
    backward(scalar(&c, 1));
    assert_error(&c, IR_ESTATE, "no graph");
    assert_null(w->grad);
    finish(&c);
}

/* An error that is there already stops backward before it starts. */
static void sticky_errors_stop_backward(void **state)
{
    tdm_tensor *x, *y;

    context();
    x = leaf(&c, 2);
    y = mul(x, x);
    ir_fail(&c.error, IR_EARG, "earlier");
    assert_int_equal(backward(y), IR_EARG);
    assert_null(x->grad);
    assert_error(&c, IR_EARG, "earlier");
    assert_int_equal(backward(y), IR_OK);
    finish(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seed_example),
        cmocka_unit_test(retain_grad),
        cmocka_unit_test(gradients_accumulate),
        cmocka_unit_test(gradients_are_not_shared),
        cmocka_unit_test(gradients_are_row_major),
        cmocka_unit_test(no_grad_and_detach),
        cmocka_unit_test(only_float_leaves_require_grad),
        cmocka_unit_test(a_graph_outlives_its_leaf),
        cmocka_unit_test(contributions_add_newest_first),
        cmocka_unit_test(seeds_add_first),
        cmocka_unit_test(each_node_runs_once),
        cmocka_unit_test(long_chains_do_not_recurse),
        cmocka_unit_test(derivatives_of_x4),
        cmocka_unit_test(derivatives_through_a_saved_result),
        cmocka_unit_test(recorded_gradients_make_no_cycle),
        cmocka_unit_test(backward_of_a_grad),
        cmocka_unit_test(upstream_gradients_are_recorded),
        cmocka_unit_test(a_gradient_that_is_the_upstream_leaf),
        cmocka_unit_test(wrt_touches_no_grad),
        cmocka_unit_test(wrt_leaves_the_rest_alone),
        cmocka_unit_test(a_second_backward),
        cmocka_unit_test(in_place_changes_are_found),
        cmocka_unit_test(what_backward_refuses),
        cmocka_unit_test(sticky_errors_stop_backward),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
