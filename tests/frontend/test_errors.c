/* tests/frontend/test_errors.c: bad calls are sticky errors of one line that name the op, the argument, both
 * shapes and the caller's place; nothing aborts, and after tdm_clear_error work goes on. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/frontend/lib_frontend.h"

#define HERE "(test_errors.c:"

static void test_sticky(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(2, 3), 1), *z = numbers(ctx, tdm_shape(4), 2);

    (void)state;
    tdm_tensor *bad = tdm_add(x, z);
    assert_true(tdm_is_error(bad) && !tdm_ok(ctx));
    assert_int_equal(tdm_error_code(ctx), TDM_ESHAPE);
    char first[512];
    snprintf(first, sizeof first, "%s", tdm_error(ctx));
    assert_non_null(strstr(first, "add"));
    assert_non_null(strstr(first, "f32[2,3]"));
    assert_non_null(strstr(first, "f32[4]"));
    assert_non_null(strstr(first, HERE));

    /* Everything passes it on and the first error stays. */
    assert_true(tdm_is_error(tdm_exp(bad)));
    assert_true(tdm_is_error(tdm_exp(x)));
    assert_true(tdm_is_error(tdm_matmul(bad, NULL)));
    assert_true(isnan(tdm_item(bad)));
    assert_int_equal(tdm_backward(bad), TDM_ESHAPE);
    assert_int_equal(tdm_assign(x, bad), TDM_ESHAPE);
    assert_null(tdm_graph_open(ctx, "g"));
    assert_null(tdm_grad(bad));
    assert_null(tdm_grad_fn_of(bad));
    assert_int_equal(tdm_elements(bad), 0);
    assert_int_equal(tdm_bytes(bad), 0);
    assert_false(tdm_is_symbolic(bad) || tdm_is_leaf(bad) || tdm_needs_grad(bad));
    assert_true(tdm_is_error(tdm_keep(bad)) && tdm_is_error(tdm_hold(bad)));
    tdm_release(bad);
    tdm_clear_grad(bad);
    tdm_retain_grad(bad);
    assert_string_equal(tdm_error(ctx), first);

    tdm_clear_error(ctx);
    assert_true(tdm_ok(ctx) && tdm_error_code(ctx) == TDM_OK);
    assert_false(tdm_is_error(tdm_exp(x)));
    close_context(ctx);
}

static void test_null(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(2, 3), 1);

    (void)state;
    refused(ctx, TDM_EARG, tdm_add(x, NULL), "add", "'z' is NULL", HERE);
    refused(ctx, TDM_EARG, tdm_add(NULL, x), "add", "'x' is NULL", HERE);
    refused(ctx, TDM_EARG, tdm_select(NULL, x, x), "select", "'p' is NULL", HERE);
    refused(ctx, TDM_EARG, tdm_matmul(x, NULL), "matmul", "'b' is NULL", HERE);
    refused(ctx, TDM_EARG, tdm_linear(x, NULL, NULL), "linear", "'w' is NULL", HERE);
    refused(ctx, TDM_EARG, tdm_cross_entropy(x, NULL), "cross_entropy", "'targets' is NULL", HERE);
    refused(ctx, TDM_EARG, tdm_gather(x, NULL), "gather", "'index' is NULL", HERE);
    refused(ctx, TDM_EARG, tdm_scatter_add(x, NULL, x), "scatter_add", "'index' is NULL", HERE);
    refused(ctx, TDM_EARG, tdm_dot_general(x, x, NULL), "dot_general", "NULL", HERE);
    refused(ctx, TDM_EARG, tdm_pad(x, NULL, NULL, NULL), "pad", "'low' is NULL", HERE);
    refused(ctx, TDM_EARG, tdm_from_data(ctx, TDM_F32, tdm_shape(2), NULL), "from_data", "'data' is NULL",
            HERE);
    /* No argument leads to a context: NULL is the error tensor of all. */
    assert_null(tdm_exp(NULL));
    assert_null(tdm_add(NULL, NULL));
    assert_null(tdm_uniform(NULL, TDM_F32, tdm_shape(2), 0, 1));
    assert_int_equal(tdm_backward(NULL), TDM_EARG);
    assert_int_equal(tdm_assign(NULL, NULL), TDM_EARG);
    assert_int_equal(tdm_read(NULL, NULL, 0), TDM_EARG);
    assert_int_equal(tdm_exec_run(NULL), TDM_EARG);
    assert_null(tdm_exec_new(NULL));
    assert_null(tdm_compile(NULL, NULL));
    assert_null(tdm_exec_output(NULL, "y"));
    tdm_exec_free(NULL);
    tdm_program_free(NULL);
    tdm_graph_free(NULL);
    tdm_context_free(NULL);
    tdm_assign(x, NULL);
    assert_error(ctx, TDM_EARG, "assign", "'value' is NULL", HERE);
    close_context(ctx);
}

static void test_shapes(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(2, 3), 1), *z = numbers(ctx, tdm_shape(4, 5), 2);
    const int twice[2] = {1, 1}, outside[2] = {0, 2};
    const int64_t minus[2] = {-1, 0}, zero[2] = {0, 0}, huge[2] = {INT64_MAX, 1};
    tdm_dot_axes many = {.n_contract = 9}, far = {.n_contract = 1, .x_contract = {7}};

    (void)state;
    refused(ctx, TDM_ESHAPE, tdm_mul(x, z), "mul", "f32[2,3]", "f32[4,5]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_matmul(x, z), "matmul", "f32[2,3]", "f32[4,5]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_linear(x, z, NULL), "linear", "f32[2,3]", "f32[4,5]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_linear(x, x, z), "f32[4,5]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_layer_norm(x, z, NULL, 1e-5), "f32[2,3]", "f32[4,5]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_mse(x, z), "f32[2,3]", "f32[4,5]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_reshape(x, tdm_shape(7)), "reshape", "f32[2,3]", "f32[7]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_reshape(x, tdm_shape(4, -1)), "reshape", "f32[2,3]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_reshape(x, tdm_shape(-1, -1)), "reshape", HERE);
    refused(ctx, TDM_ESHAPE, tdm_reshape(x, tdm_shape(-2)), "reshape", HERE);
    refused(ctx, TDM_ESHAPE, tdm_reshape(x, tdm_shape(0)), "reshape", HERE);
    refused(ctx, TDM_ESHAPE, tdm_reshape(x, ((tdm_dims){9, {1}})), "reshape", "rank 9", HERE);
    refused(ctx, TDM_ESHAPE, tdm_reshape(x, ((tdm_dims){-1, {1}})), "reshape", "rank -1", HERE);
    refused(ctx, TDM_ESHAPE, tdm_broadcast_to(x, tdm_shape(4, 3)), "broadcast", "f32[2,3]", "f32[4,3]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_broadcast_to(x, tdm_shape(-1, 2, 3)), "broadcast", HERE);
    refused(ctx, TDM_ESHAPE, tdm_broadcast_to(x, tdm_shape(0, 2, 3)), "broadcast", HERE);
    refused(ctx, TDM_ESHAPE, tdm_broadcast_to(x, tdm_shape(INT64_MAX, 2, 3)), "broadcast", HERE);
    refused(ctx, TDM_ESHAPE, tdm_transpose(x, twice), "transpose", "axis 1 twice", HERE);
    refused(ctx, TDM_ESHAPE, tdm_transpose(x, outside), "transpose", "f32[2,3]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_slice(x, 2, 0, 1, 1), "slice", "axis 2", "f32[2,3]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_slice(x, -3, 0, 1, 1), "slice", "axis -3", "f32[2,3]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_slice(x, 0, 1, 1, 1), "slice", "f32[2,3]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_slice(x, 0, -1, 1, 1), "slice", HERE);
    refused(ctx, TDM_ESHAPE, tdm_slice(x, 0, 0, 3, 1), "slice", HERE);
    refused(ctx, TDM_ESHAPE, tdm_slice(x, 0, 0, -1, 1), "slice", HERE);
    refused(ctx, TDM_EARG, tdm_slice(x, 0, 0, 2, 0), "slice", "step 0", HERE);
    refused(ctx, TDM_EARG, tdm_pad(x, zero, zero, minus), "pad", "interior -1", HERE);
    refused(ctx, TDM_ESHAPE, tdm_pad(x, huge, zero, NULL), "pad", HERE);
    refused(ctx, TDM_ESHAPE, tdm_pad(x, zero, zero, huge), "pad", HERE);
    refused(ctx, TDM_ESHAPE, tdm_dot_general(x, x, &far), "dot_general", "7", "f32[2,3]", HERE);
    refused(ctx, TDM_EARG, tdm_dot_general(x, x, &many), "dot_general", HERE);
    refused(ctx, TDM_ESHAPE, tdm_scatter_add(x, tdm_arange(ctx, TDM_I32, 2), z), "scatter_add", "f32[4,5]",
            HERE);
    close_context(ctx);
}

static void test_axes(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(2, 3), 1), *s = tdm_full(ctx, TDM_F32, tdm_shape(), 1);

    (void)state;
    refused(ctx, TDM_ESHAPE, tdm_sum(x, tdm_axes(2), false), "sum", "axis 2", "f32[2,3]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_mean(x, tdm_axes(-3), false), "mean", "axis -3", "f32[2,3]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_amax(x, tdm_axes(0, -2), false), "amax", "twice", HERE);
    refused(ctx, TDM_EARG, tdm_amin(x, ((tdm_axis_set){9, {0}}), false), "amin", "9 axes", HERE);
    refused(ctx, TDM_EARG, tdm_argmax(x, ((tdm_axis_set){-1, {0}}), false), "argmax", HERE);
    refused(ctx, TDM_EARG, tdm_var(x, tdm_axes(0), 2, false), "var", HERE);
    refused(ctx, TDM_EARG, tdm_var(x, tdm_axes(0), -1, false), "var", HERE);
    refused(ctx, TDM_ESHAPE, tdm_softmax(x, 2), "softmax", "f32[2,3]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_log_softmax(x, -3), "log_softmax", "f32[2,3]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_logsumexp(x, 5, true), "logsumexp", "f32[2,3]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_softmax(s, 0), "softmax", "f32[]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_layer_norm(s, NULL, NULL, 1e-5), "layer_norm", "f32[]", HERE);
    close_context(ctx);
}

static void test_dtypes(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(2, 3), 1), *i = tdm_arange(ctx, TDM_I32, 2);
    tdm_tensor *d = tdm_zeros(ctx, TDM_F64, tdm_shape(2, 3)), *p = tdm_zeros(ctx, TDM_BOOL, tdm_shape(2, 3));

    (void)state;
    refused(ctx, TDM_EDTYPE, tdm_add(x, d), "add", "f32[2,3]", "f64[2,3]", HERE);
    refused(ctx, TDM_EDTYPE, tdm_exp(i), "exp", "i32[2]", HERE);
    refused(ctx, TDM_EDTYPE, tdm_not(x), "not", "f32[2,3]", HERE);
    refused(ctx, TDM_EDTYPE, tdm_neg(p), "neg", "bool[2,3]", HERE);
    refused(ctx, TDM_EDTYPE, tdm_select(x, x, x), "select", "f32[2,3]", HERE);
    refused(ctx, TDM_EDTYPE, tdm_and(x, x), "and", "f32[2,3]", HERE);
    refused(ctx, TDM_EDTYPE, tdm_gather(x, d), "gather", "f64[2,3]", HERE);
    refused(ctx, TDM_EDTYPE, tdm_matmul(x, d), "f32[2,3]", "f64[2,3]", HERE);
    refused(ctx, TDM_EDTYPE, tdm_softmax(i, 0), "i32[2]", HERE);
    refused(ctx, TDM_ESHAPE, tdm_cross_entropy(x, tdm_zeros(ctx, TDM_F32, tdm_shape(2))), "cross_entropy",
            "integer", "f32[2]", HERE);
    refused(ctx, TDM_EDTYPE, tdm_dropout(i, 0.5), "i32[2]", HERE);
    refused(ctx, TDM_EDTYPE, tdm_convert(x, (tdm_dtype)99), "convert", "99", HERE);
    refused(ctx, TDM_EDTYPE, tdm_convert(x, (tdm_dtype)-1), "convert", "-1", HERE);
    refused(ctx, TDM_EDTYPE, tdm_zeros(ctx, (tdm_dtype)13, tdm_shape(2)), "full", "13", HERE);
    refused(ctx, TDM_EDTYPE, tdm_uniform(ctx, TDM_I32, tdm_shape(2), 0, 1), "uniform", "i32", HERE);
    refused(ctx, TDM_EDTYPE, tdm_normal(ctx, TDM_BOOL, tdm_shape(2), 0, 1), "normal", "bool", HERE);
    refused(ctx, TDM_EDTYPE, tdm_one_hot(x, 3, TDM_F32), "one_hot", "f32[2,3]", HERE);
    refused(ctx, TDM_EARG, tdm_full(ctx, TDM_U8, tdm_shape(2), 300), "full", "300", "u8", HERE);
    refused(ctx, TDM_EARG, tdm_full(ctx, TDM_I32, tdm_shape(2), NAN), "full", "i32", HERE);
    assert_true(tdm_is_error(tdm_parameter(i, "i")));
    assert_error(ctx, TDM_EDTYPE, "parameter", "i32");
    assert_true(tdm_is_error(tdm_requires_grad(i, true)));
    assert_error(ctx, TDM_EDTYPE, "requires_grad", "i32");
    close_context(ctx);
}

/* Zero and negative extents, ranks and products that overflow, other values out of range. */
static void test_extents(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(2, 3), 1), *i = tdm_arange(ctx, TDM_I64, 2);
    const tdm_dims wide = {9, {1, 1, 1, 1, 1, 1, 1, 1}}, below = {-1, {1}};
    const int64_t big = (int64_t)1 << 40;
    const float one = 1;

    (void)state;
    refused(ctx, TDM_ESHAPE, tdm_zeros(ctx, TDM_F32, tdm_shape(2, 0)), "full", "extent 0 of axis 1", HERE);
    refused(ctx, TDM_ESHAPE, tdm_zeros(ctx, TDM_F32, tdm_shape(-3)), "full", "extent -3 of axis 0", HERE);
    refused(ctx, TDM_ESHAPE, tdm_zeros(ctx, TDM_F32, wide), "full", "rank 9", HERE);
    refused(ctx, TDM_ESHAPE, tdm_zeros(ctx, TDM_F32, below), "full", "rank -1", HERE);
    refused(ctx, TDM_ESHAPE, tdm_zeros(ctx, TDM_F32, tdm_shape(big, 2)), "full", HERE);
    refused(ctx, TDM_ESHAPE, tdm_zeros(ctx, TDM_F32, tdm_shape(INT64_MAX, INT64_MAX)), "full", HERE);
    refused(ctx, TDM_ESHAPE, tdm_from_data(ctx, TDM_F32, tdm_shape(0), &one), "from_data", HERE);
    refused(ctx, TDM_ESHAPE, tdm_arange(ctx, TDM_F32, 0), "arange", "extent 0", HERE);
    refused(ctx, TDM_ESHAPE, tdm_arange(ctx, TDM_F32, -1), "arange", HERE);
    refused(ctx, TDM_EDTYPE, tdm_arange(ctx, TDM_BOOL, 3), "bool", HERE);
    refused(ctx, TDM_ESHAPE, tdm_uniform(ctx, TDM_F32, tdm_shape(2, 0), 0, 1), "uniform", HERE);
    refused(ctx, TDM_ESHAPE, tdm_uniform(ctx, TDM_F32, tdm_shape(-2), 0, 1), "uniform", HERE);
    refused(ctx, TDM_ESHAPE, tdm_normal(ctx, TDM_F32, tdm_shape(-1, 2), 0, 1), "normal", HERE);
    refused(ctx, TDM_ESHAPE, tdm_normal(ctx, TDM_F32, wide, 0, 1), "normal", "rank 9", HERE);
    refused(ctx, TDM_ESHAPE, tdm_normal(ctx, TDM_F32, tdm_shape(big, big), 0, 1), "normal", HERE);
    assert_true(tdm_is_error(tdm_one_hot(i, 0, TDM_F32)));
    assert_false(tdm_ok(ctx));
    tdm_clear_error(ctx);
    assert_true(tdm_is_error(tdm_one_hot(i, -4, TDM_F32)));
    assert_false(tdm_ok(ctx));
    tdm_clear_error(ctx);
    refused(ctx, TDM_EARG, tdm_dropout(x, 1.5), "dropout", HERE);
    refused(ctx, TDM_EARG, tdm_dropout(x, -0.5), "dropout", HERE);
    refused(ctx, TDM_EARG, tdm_dropout(x, NAN), "dropout", HERE);
    refused(ctx, TDM_EARG, tdm_clamp(x, 2, 1), "clamp", "2", "1", HERE);
    refused(ctx, TDM_EARG, tdm_clamp(x, NAN, 1), "clamp", HERE);
    refused(ctx, TDM_EARG, tdm_uniform(ctx, TDM_F32, tdm_shape(2), 1, 0), "uniform", HERE);
    /* More than there is: an error, not a crash. */
    assert_true(tdm_is_error(tdm_zeros(ctx, TDM_F64, tdm_shape(big))));
    assert_error(ctx, TDM_ENOMEM, HERE);
    close_context(ctx);
}

/* ---- values ---- */

static void test_reading(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(2, 3), 1);
    float data[6];

    (void)state;
    assert_true(isnan(tdm_item(x)));
    assert_error(ctx, TDM_ESHAPE, "item", "f32[2,3]");
    assert_int_equal(tdm_read(x, data, 8), TDM_EARG);
    assert_error(ctx, TDM_EARG, "read", "8 bytes", "24");
    assert_int_equal(tdm_read(x, NULL, sizeof data), TDM_EARG);
    assert_error(ctx, TDM_EARG, "read");
    assert_int_equal(tdm_write(x, data, 8), TDM_EARG);
    assert_error(ctx, TDM_EARG, "write", "8 bytes", "24");
    assert_int_equal(tdm_write(tdm_transpose(x, NULL), data, sizeof data), TDM_EARG);
    assert_error(ctx, TDM_EARG, "write", "view");
    assert_true(tdm_is_error(tdm_load_npy(ctx, "/nonexistent/a.npy")));
    assert_error(ctx, TDM_EIO, "/nonexistent/a.npy");
    assert_true(tdm_is_error(tdm_load_npy(ctx, NULL)));
    assert_error(ctx, TDM_EARG, "path");
    assert_int_equal(tdm_save_npy(x, "/nonexistent/a.npy"), TDM_EIO);
    assert_error(ctx, TDM_EIO, "/nonexistent/a.npy");
    close_context(ctx);
}

/* A symbolic tensor has no value: the error names the place that made it. */
static void test_symbolic_values(void **state)
{
    tdm_context *ctx = open_context();
    float data[1];

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "symbolic");
    tdm_tensor *x = tdm_input(ctx, "x", TDM_F32, tdm_shape(1)), *y = tdm_exp(x);
    assert_true(isnan(tdm_item(y)));
    assert_error(ctx, TDM_ESTATE, "item", "symbolic", HERE);
    assert_int_equal(tdm_read(y, data, sizeof data), TDM_ESTATE);
    assert_error(ctx, TDM_ESTATE, "read", "symbolic", HERE);
    assert_int_equal(tdm_write(x, data, sizeof data), TDM_ESTATE);
    assert_error(ctx, TDM_ESTATE, "write", "symbolic", HERE);
    assert_int_equal(tdm_save_npy(y, "y.npy"), TDM_ESTATE);
    assert_error(ctx, TDM_ESTATE, "save_npy", "symbolic", HERE);
    assert_true(tdm_is_error(tdm_parameter(y, "y")));
    assert_error(ctx, TDM_ESTATE, "parameter", "symbolic", HERE);
    tdm_output(ctx, "y", y);
    assert_int_equal(tdm_graph_close(ctx), TDM_OK);
    assert_true(isnan(tdm_item(y)));
    assert_error(ctx, TDM_ESTATE, "symbolic");
    tdm_graph_free(g);
    close_context(ctx);
}

/* Tensors of a graph that is closed, or freed, are refused by the eager engine and by other graphs. */
static void test_closed_graph(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(3), 1);

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "first");
    tdm_tensor *sx = tdm_input(ctx, "x", TDM_F32, tdm_shape(3)), *sy = tdm_exp(sx);
    tdm_output(ctx, "y", sy);
    tdm_graph_close(ctx);
    assert_true(tdm_is_error(tdm_add(x, sy)));
    assert_error(ctx, TDM_ESTATE, "add", "'z' is symbolic", "closed", HERE);
    tdm_backward(sy);
    assert_error(ctx, TDM_ESTATE, "backward", "symbolic", HERE);
    tdm_assign(x, sy);
    assert_error(ctx, TDM_ESTATE, "assign", "symbolic", HERE);
    for (int freed = 0; freed < 2; freed++) {
        if (freed)
            tdm_graph_free(g);
        tdm_graph *second = tdm_graph_open(ctx, "second");
        assert_true(tdm_is_error(tdm_exp(sy)));
        assert_error(ctx, TDM_ESTATE, "second", "another graph", HERE);
        tdm_output(ctx, "y", sx);
        assert_error(ctx, TDM_ESTATE, "second", "another graph", HERE);
        tdm_graph_close(ctx);
        tdm_graph_free(second);
    }
    assert_true(isnan(tdm_item(sy)));
    assert_error(ctx, TDM_ESTATE, "symbolic");
    close_context(ctx);
}

static void test_other_context(void **state)
{
    tdm_context *a = open_context(), *z = open_context();
    tdm_tensor *x = numbers(a, tdm_shape(3), 1), *y = numbers(z, tdm_shape(3), 1);

    (void)state;
    assert_true(tdm_is_error(tdm_add(x, y)));
    assert_error(a, TDM_EARG, "add", "'z' belongs to another context", HERE);
    assert_fine(z);
    tdm_assign(x, y);
    assert_error(a, TDM_EARG, "assign", "another context", HERE);
    tdm_graph *g = tdm_graph_open(a, "g");
    assert_true(tdm_is_error(tdm_add(x, y)));
    assert_error(a, TDM_EARG, "add", "'z' belongs to another context", HERE);
    tdm_graph_close(a);
    tdm_graph_free(g);
    close_context(a);
    close_context(z);
}

/* ---- graphs, programs, executions ---- */

static void test_no_open_graph(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(3), 1);

    (void)state;
    assert_null(tdm_graph_open(NULL, "g"));
    assert_null(tdm_graph_open(ctx, NULL));
    assert_error(ctx, TDM_EARG, "graph_open", "'name' is NULL");
    assert_null(tdm_graph_open(ctx, ""));
    assert_error(ctx, TDM_EARG, "graph_open", "'name' is empty");
    assert_int_equal(tdm_graph_close(ctx), TDM_ESTATE);
    assert_error(ctx, TDM_ESTATE, "graph_close", "no graph is open");
    assert_true(tdm_is_error(tdm_input(ctx, "x", TDM_F32, tdm_shape(3))));
    assert_error(ctx, TDM_ESTATE, "input 'x'", "no graph is open", HERE);
    tdm_output(ctx, "y", x);
    assert_error(ctx, TDM_ESTATE, "output 'y'", "no graph is open", HERE);
    close_context(ctx);
}

static void test_graph_calls(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(3), 1), *w = tdm_parameter(numbers(ctx, tdm_shape(3), 2), "w");

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "g");
    assert_null(tdm_graph_open(ctx, "inner"));
    assert_error(ctx, TDM_ESTATE, "graph 'g' is still open");
    assert_null(tdm_compile(g, NULL));
    assert_error(ctx, TDM_ESTATE, "graph 'g' is still open");
    tdm_tensor *sx = tdm_input(ctx, "x", TDM_F32, tdm_shape(3));
    assert_true(tdm_is_error(tdm_input(ctx, "x", TDM_F32, tdm_shape(3))));
    assert_error(ctx, TDM_EARG, "named x", HERE);
    assert_true(tdm_is_error(tdm_input(ctx, NULL, TDM_F32, tdm_shape(3))));
    assert_error(ctx, TDM_EARG, "input", "NULL or empty", HERE);
    assert_true(tdm_is_error(tdm_input(ctx, "z", (tdm_dtype)77, tdm_shape(3))));
    assert_error(ctx, TDM_EARG, "input 'z'", "dtype", HERE);
    assert_true(tdm_is_error(tdm_input(ctx, "z", TDM_F32, tdm_shape(3, 0))));
    assert_error(ctx, TDM_ESHAPE, "input 'z'", "extent 0 of axis 1", HERE);
    assert_true(tdm_is_error(tdm_input(ctx, "z", TDM_F32, ((tdm_dims){9, {1}}))));
    assert_error(ctx, TDM_EARG, "input 'z'", "rank", HERE);
    assert_true(tdm_is_error(tdm_input(ctx, "z", TDM_F32, tdm_shape((int64_t)1 << 39, 4))));
    assert_error(ctx, TDM_ESHAPE, "2^40", HERE);
    tdm_output(ctx, "y", sx);
    tdm_output(ctx, "y", sx);
    assert_error(ctx, TDM_EARG, "named y", HERE);
    tdm_output(ctx, "", sx);
    assert_error(ctx, TDM_EARG, "output", "empty", HERE);
    tdm_output(ctx, "n", NULL);
    assert_error(ctx, TDM_EARG, "output", "NULL", HERE);
    tdm_assign(x, sx);
    assert_error(ctx, TDM_EARG, "assign", "not a variable", HERE);
    tdm_assign(sx, sx);
    assert_error(ctx, TDM_EARG, "assign", "not a variable", HERE);
    tdm_assign(w, tdm_input(ctx, "four", TDM_F32, tdm_shape(4)));
    assert_error(ctx, TDM_ESTATE, "assign", "requires grad", HERE); /* as the eager engine says */
    bool mode = tdm_grad_mode(ctx, false);
    tdm_assign(w, tdm_input(ctx, "five", TDM_F32, tdm_shape(5)));
    assert_error(ctx, TDM_ESHAPE, "assign", "f32[5]", "f32[3]", HERE);
    tdm_grad_mode(ctx, mode);
    tdm_backward(tdm_mul(w, w));
    assert_error(ctx, TDM_ESHAPE, "f32[3]", HERE);
    assert_int_equal(tdm_graph_close(ctx), TDM_OK);
    tdm_program *p = tdm_compile(g, NULL); /* what was good is still there */
    assert_fine(ctx);
    assert_non_null(p);
    tdm_program_free(p);
    tdm_graph_free(g);
    tdm_release(w);
    close_context(ctx);
}

static void test_gradient_calls(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *w = tdm_parameter(numbers(ctx, tdm_shape(3), 2), "w"), *x = numbers(ctx, tdm_shape(3), 3), *d;

    (void)state;
    tdm_backward(tdm_mul(w, w));
    assert_error(ctx, TDM_ESHAPE, "f32[3]", HERE);
    tdm_backward(tdm_sum(x, tdm_all_axes(), false));
    assert_error(ctx, TDM_ESTATE, HERE);
    tdm_tensor *y = tdm_sum(tdm_mul(w, w), tdm_all_axes(), false);
    assert_int_equal(tdm_backward(y), TDM_OK);
    tdm_backward(y);
    assert_error(ctx, TDM_ESTATE, HERE);
    tdm_gradients(&y, NULL, 1, &x, 1, &d, TDM_RETAIN_GRAPH);
    assert_true(tdm_is_error(d));
    assert_false(tdm_ok(ctx));
    tdm_clear_error(ctx);
    y = tdm_sum(tdm_mul(w, w), tdm_all_axes(), false);
    tdm_gradients(&y, &x, 1, &w, 1, &d, 0);
    assert_error(ctx, TDM_ESHAPE, "f32[3]", "f32[]", HERE);
    tdm_assign(w, x);
    assert_error(ctx, TDM_ESTATE, "assign", "requires grad", HERE);
    assert_int_equal(tdm_gradients(NULL, NULL, 1, &w, 1, &d, 0), TDM_EARG);
    assert_int_equal(tdm_gradients(&y, NULL, 0, &w, 1, &d, 0), TDM_EARG);
    assert_int_equal(tdm_gradients(&y, NULL, 1, &w, 1, NULL, 0), TDM_EARG);
    tdm_gradients(&y, NULL, 1, ((tdm_tensor *const[]){NULL}), 1, &d, 0);
    assert_error(ctx, TDM_EARG, "gradients", "'inputs' is NULL", HERE);

    tdm_graph *g = tdm_graph_open(ctx, "gradients");
    tdm_tensor *sx = tdm_input(ctx, "x", TDM_F32, tdm_shape(3)),
               *sy = tdm_sum(tdm_exp(w), tdm_all_axes(), false);
    tdm_gradients(&sy, NULL, 1, &sx, 1, &d, 0);
    assert_error(ctx, TDM_EARG, "gradients", "input 0 was not used", HERE);
    tdm_gradients(&sy, &sx, 1, &w, 1, &d, 0);
    assert_error(ctx, TDM_ESHAPE, "f32[3]", "f32[]", HERE);
    tdm_graph_close(ctx);
    tdm_graph_free(g);
    tdm_release(w);
    close_context(ctx);
}

/* A loss that was made of a parameter which was assigned afterwards. */
static void test_backward_after_assign(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *w = tdm_parameter(numbers(ctx, tdm_shape(3), 2), "w");

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "late");
    for (int round = 0; round < 2; round++) {
        tdm_tensor *loss = tdm_sum(tdm_mul(w, w), tdm_all_axes(), false);
        bool mode = tdm_grad_mode(ctx, false);
        tdm_assign(w, tdm_exp(w));
        tdm_grad_mode(ctx, mode);
        tdm_backward(loss);
        assert_error(ctx, TDM_ESTATE, "backward", "assigned", HERE);
    }
    tdm_graph_close(ctx);
    tdm_graph_free(g);
    tdm_release(w);
    close_context(ctx);
}

static void test_program_calls(void **state)
{
    tdm_context *ctx = open_context();
    const float data[3] = {1, 2, 3};

    (void)state;
    tdm_graph *empty = tdm_graph_open(ctx, "empty");
    tdm_graph_close(ctx);
    assert_null(tdm_compile(empty, NULL));
    assert_error(ctx, TDM_ESTATE, "'empty'", "no outputs");
    tdm_graph_free(empty);

    tdm_graph *g = tdm_graph_open(ctx, "program");
    tdm_tensor *x = tdm_input(ctx, "x", TDM_F32, tdm_shape(3)),
               *z = tdm_input(ctx, "z", TDM_F32, tdm_shape(3));
    tdm_output(ctx, "y", tdm_add(x, z));
    built b = build_graph(ctx, g);
    tdm_exec_bind(b.e, "x", numbers(ctx, tdm_shape(3), 1));
    assert_int_equal(tdm_exec_run(b.e), TDM_ESTATE);
    assert_error(ctx, TDM_ESTATE, "exec_run", "input 'z'", "'program'", "not bound");
    tdm_exec_bind(b.e, "z", numbers(ctx, tdm_shape(4), 1));
    assert_error(ctx, TDM_ESHAPE, "'z'", "f32[3]", "f32[4]");
    tdm_exec_bind(b.e, "z", tdm_zeros(ctx, TDM_F64, tdm_shape(3)));
    assert_error(ctx, TDM_EDTYPE, "'z'", "f32[3]", "f64[3]");
    tdm_exec_bind(b.e, "z", NULL);
    assert_error(ctx, TDM_EARG, "'z'");
    tdm_exec_bind(b.e, "z", x);
    assert_error(ctx, TDM_EARG, "'z'");
    tdm_exec_bind(b.e, "nonsense", numbers(ctx, tdm_shape(3), 1));
    assert_error(ctx, TDM_EARG, "exec_bind", "'program'", "no input 'nonsense'");
    tdm_exec_bind(b.e, NULL, numbers(ctx, tdm_shape(3), 1));
    assert_error(ctx, TDM_EARG, "exec_bind");
    tdm_exec_bind_variable(b.e, "x", numbers(ctx, tdm_shape(3), 1));
    assert_error(ctx, TDM_EARG, "no variable 'x'");
    tdm_exec_bind_data(b.e, "z", data, 8);
    assert_error(ctx, TDM_EARG, "'z'", "12 bytes", "8");
    tdm_exec_bind_data(b.e, "z", NULL, 12);
    assert_error(ctx, TDM_EARG, "'z'");
    assert_int_equal(tdm_exec_run(b.e), TDM_ESTATE);
    assert_error(ctx, TDM_ESTATE, "not bound");
    assert_int_equal(tdm_exec_bind_data(b.e, "z", data, sizeof data), TDM_OK);
    assert_int_equal(tdm_exec_run(b.e), TDM_OK);
    assert_true(tdm_is_error(tdm_exec_output(b.e, "nonsense")));
    assert_error(ctx, TDM_EARG, "exec_output", "'program'", "no output 'nonsense'");
    assert_true(tdm_is_error(tdm_exec_output(b.e, NULL)));
    assert_error(ctx, TDM_EARG, "exec_output");
    free_built(&b);
    close_context(ctx);
}

static void test_options(void **state)
{
    const tdm_options bad[] = {{.threads = -1},
                               {.threads = 5000},
                               {.width = 3},
                               {.isa = "nonsense"},
                               {.width = -4},
                               {.numerics = (tdm_numerics)7},
                               {.numerics = TDM_FAST, .freedoms = 0x4001},
                               {.freedoms = TDM_CONTRACT}};
    static const char *const words[] = {"threads",
                                        "5000",
                                        "width",
                                        "nonsense",
                                        "-4",
                                        "numerics is 7",
                                        "0x4001, expected a set of contract",
                                        "TDM_STRICT, which has none"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tdm_context *ctx = tdm_context_new(&bad[i]);
        assert_non_null(ctx);
        assert_true(tdm_is_error(tdm_zeros(ctx, TDM_F32, tdm_shape(2))));
        assert_error(ctx, TDM_EARG, "options", words[i]);
        close_context(ctx);
    }
    tdm_context *ctx = open_context();
    assert_int_equal(tdm_set_numerics(ctx, TDM_FAST, 0x4000), TDM_EARG);
    assert_error(ctx, TDM_EARG, "set_numerics", "0x4000");
    assert_int_equal(tdm_set_numerics(ctx, TDM_FAST, TDM_CONTRACT), TDM_OK);
    assert_int_equal(tdm_set_numerics(ctx, TDM_STRICT, 0), TDM_OK);
    assert_int_equal(tdm_set_numerics(NULL, TDM_STRICT, 0), TDM_EARG);
    close_context(ctx);
}

static void test_bad_text(void **state)
{
    static const char *const texts[] = {
        "", "graph", "graph @g(%x: f32[2]) -> () {\n  %y = nonsense %x : f32[2]\n",
        "graph @g(%x: f32[2]) -> () {\n  %y = neg %x : f32[3]\n  return\n}\n"};
    static const char *const places[] = {"bad.tdm:1", "bad.tdm:1", "bad.tdm:2", "bad.tdm:2"};
    tdm_context *ctx = open_context();

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_null(tdm_graph_parse(ctx, texts[i], strlen(texts[i]), "bad.tdm"));
        assert_false(tdm_ok(ctx));
        assert_non_null(strstr(tdm_error(ctx), places[i]));
        tdm_clear_error(ctx);
    }
    close_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sticky),         cmocka_unit_test(test_null),
        cmocka_unit_test(test_shapes),         cmocka_unit_test(test_axes),
        cmocka_unit_test(test_dtypes),         cmocka_unit_test(test_extents),
        cmocka_unit_test(test_reading),        cmocka_unit_test(test_symbolic_values),
        cmocka_unit_test(test_closed_graph),   cmocka_unit_test(test_other_context),
        cmocka_unit_test(test_no_open_graph),  cmocka_unit_test(test_graph_calls),
        cmocka_unit_test(test_gradient_calls), cmocka_unit_test(test_backward_after_assign),
        cmocka_unit_test(test_program_calls),  cmocka_unit_test(test_options),
        cmocka_unit_test(test_bad_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
