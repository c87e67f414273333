/* tests/frontend/test_capture.c: a graph has the value that a tensor had when it was captured, whoever writes
 * to the tensor later, though both have the same bytes until then (runtime/share.c). */
#include <stdlib.h>
#include <string.h>

#include "runtime/tensor.h"
#include "tests/frontend/lib_frontend.h"
#include <tandem/nn.h>

enum { ROWS = 160, COLUMNS = 128, N = ROWS * COLUMNS };

/* A graph of x [ROWS, COLUMNS] whose output is x t, and what t was. */
typedef struct captured {
    tdm_context *ctx;
    built b;
    tdm_tensor *x, *want;
} captured;

static captured capture(tdm_context *ctx, tdm_tensor *t)
{
    captured c = {.ctx = ctx, .x = tdm_hold(numbers(ctx, tdm_shape(ROWS, COLUMNS), 11))};

    tdm_scope_open(ctx);
    tdm_tensor *copy = tdm_add_scalar(t, 0); /* a view of t would keep it from being shared */
    c.want = tdm_hold(tdm_mul(c.x, copy));
    tdm_scope_close(ctx);
    tdm_graph *g = tdm_graph_open(ctx, "captured");
    tdm_output(ctx, "y", tdm_mul(tdm_input(ctx, "x", TDM_F32, tdm_shape(ROWS, COLUMNS)), t));
    c.b = build_graph(ctx, g);
    tdm_exec_bind(c.b.e, "x", c.x);
    return c;
}

static void assert_unchanged(captured *c)
{
    tdm_exec_run(c->b.e);
    assert_fine(c->ctx);
    assert_same(tdm_exec_output(c->b.e, "y"), c->want);
}

static void free_captured(captured *c)
{
    assert_unchanged(c);
    free_built(&c->b);
    tdm_release(c->x);
    tdm_release(c->want);
}

/* Constants have the bytes of t. */
static bool shared(const tdm_tensor *t)
{
    return t->storage->shared != NULL;
}

/* ---- writers: each makes t, which is held and all in -1..1, t - 1 ----------------------------------------
 */

typedef void writer(tdm_context *ctx, tdm_tensor *t, tdm_tensor *less);

static void write_values(tdm_context *ctx, tdm_tensor *t, tdm_tensor *less)
{
    (void)ctx;
    float *data = malloc(tdm_bytes(t));
    tdm_read(less, data, tdm_bytes(t));
    tdm_write(t, data, tdm_bytes(t));
    free(data);
}

static void assign(tdm_context *ctx, tdm_tensor *t, tdm_tensor *less)
{
    (void)ctx;
    tdm_assign(t, less);
}

/* A turned view, whose elements are stored one by one. */
static void assign_view(tdm_context *ctx, tdm_tensor *t, tdm_tensor *less)
{
    (void)ctx;
    tdm_assign(tdm_transpose(t, NULL), tdm_transpose(less, NULL));
}

static void assign_parts(tdm_context *ctx, tdm_tensor *t, tdm_tensor *less)
{
    (void)ctx;
    for (int i = 0; i < ROWS; i += ROWS / 2)
        tdm_assign(tdm_slice(t, 0, i, i + ROWS / 2, 1), tdm_slice(less, 0, i, i + ROWS / 2, 1));
}

static void write_detached(tdm_context *ctx, tdm_tensor *t, tdm_tensor *less)
{
    write_values(ctx, tdm_detach(t), less);
}

static void restore(tdm_context *ctx, tdm_tensor *t, tdm_tensor *less)
{
    tdm_archive *a = tdm_archive_new(ctx);
    tdm_archive_add(a, "t", less);
    tdm_archive_restore(a, "t", t);
    tdm_archive_free(a);
}

/* The tensor becomes the parameter of an eager step of SGD, whose gradient is 1. */
static void step(tdm_context *ctx, tdm_tensor *t, tdm_tensor *less)
{
    (void)ctx;
    (void)less;
    tdm_tensor *p = tdm_parameter(t, "p");
    tdm_optimizer *o = tdm_sgd(&p, 1, 1, 0, false, 0);
    assert_ptr_equal(p, t);
    tdm_backward(tdm_sum(p, tdm_all_axes(), false));
    tdm_step(o);
    tdm_optimizer_free(o);
    tdm_release(p);
}

/* A program has the tensor as a variable. */
static void run_program(tdm_context *ctx, tdm_tensor *t, tdm_tensor *less)
{
    tdm_tensor *v = tdm_variable(t, "v");
    tdm_graph *g = tdm_graph_open(ctx, "writes");
    assert_ptr_equal(v, t);
    tdm_assign(v, tdm_input(ctx, "less", TDM_F32, tdm_shape(ROWS, COLUMNS)));
    built b = build_graph(ctx, g);
    tdm_exec_bind(b.e, "less", less);
    tdm_exec_run(b.e);
    free_built(&b);
    tdm_release(v);
}

/* A program of a graph that was parsed, which is given its variable. */
static void run_bound(tdm_context *ctx, tdm_tensor *t, tdm_tensor *less)
{
    static const char text[] = "graph @f(%v: f32[160,128] variable, %x: f32[160,128]) -> () {\n"
                               "  return assign %v = %x\n}\n";
    tdm_graph *g = tdm_graph_parse(ctx, text, sizeof text - 1, "bound.tdm");
    tdm_program *p = tdm_compile(g, NULL);
    tdm_exec *e = tdm_exec_new(p);
    tdm_exec_bind_variable(e, "v", t);
    tdm_exec_bind(e, "x", less);
    tdm_exec_run(e);
    tdm_exec_free(e);
    tdm_program_free(p);
    tdm_graph_free(g);
}

static const struct {
    const char *name;
    writer *write;
} writers[] = {{"write", write_values},
               {"assign", assign},
               {"assign to a turned view", assign_view},
               {"assign to slices", assign_parts},
               {"write to a detached alias", write_detached},
               {"restore", restore},
               {"step", step},
               {"a program's variable", run_program},
               {"a bound variable", run_bound}};

/* One writer after two captures of the value that it changes; the new value is captured in its turn. */
static void writes(tdm_context *ctx, writer *write)
{
    static const float zeros[N];
    tdm_scope_open(ctx);
    tdm_tensor *t = tdm_hold(numbers(ctx, tdm_shape(ROWS, COLUMNS), 5)), *less = tdm_sub_scalar(t, 1);
    captured first = capture(ctx, t), second = capture(ctx, t);
    assert_true(shared(t));
    write(ctx, t, less);
    assert_fine(ctx);
    assert_same(t, less);
    assert_false(shared(t));
    assert_unchanged(&first);
    assert_unchanged(&second);
    captured third = capture(ctx, tdm_detach(t)); /* t itself may be a variable by now */
    tdm_write(t, zeros, sizeof zeros);
    free_captured(&third);
    free_captured(&second);
    tdm_release(t);
    free_captured(&first);
    tdm_scope_close(ctx);
}

static void test_writers(void **state)
{
    tdm_context *ctx = open_context();

    (void)state;
    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
        print_message("%s\n", writers[i].name);
        writes(ctx, writers[i].write);
    }
    assert_int_equal(tdm_live_bytes(ctx), 0);
    close_context(ctx);
}

/* ---- tensors whose bytes can't be shared -----------------------------------------------------------------
 */

/* An alias is captured, the tensor is written. */
static void test_captured_alias(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *t = tdm_hold(numbers(ctx, tdm_shape(ROWS, COLUMNS), 5)), *less = tdm_sub_scalar(t, 1);

    (void)state;
    tdm_tensor *alias = tdm_detach(t);
    captured c = capture(ctx, alias), d = capture(ctx, tdm_reshape(t, tdm_shape(ROWS, COLUMNS)));
    assign(ctx, t, less);
    assert_same(t, less);
    assert_same(alias, less);
    free_captured(&c);
    free_captured(&d);
    tdm_release(t);
    close_context(ctx);
}

/* A part whose tensor is gone, from its first row on: the constant does not hold on to the rest. */
static void test_captured_part(void **state)
{
    tdm_context *ctx = open_context();

    (void)state;
    tdm_scope_open(ctx);
    tdm_tensor *all = numbers(ctx, tdm_shape(2 * ROWS, COLUMNS), 5);
    tdm_tensor *part = tdm_hold(tdm_slice(all, 0, 0, ROWS, 1));
    tdm_scope_close(ctx);
    captured c = capture(ctx, part);
    assert_false(shared(part));
    assign(ctx, part, tdm_sub_scalar(part, 1));
    free_captured(&c);
    tdm_release(part);
    close_context(ctx);
}

/* What a program writes at every run: its outputs, and a variable of which an alias is captured. */
static void test_captured_results(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = tdm_hold(numbers(ctx, tdm_shape(ROWS, COLUMNS), 3));
    tdm_tensor *v = tdm_variable(numbers(ctx, tdm_shape(ROWS, COLUMNS), 5), "v");

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "runs");
    tdm_output(ctx, "y", tdm_tanh(tdm_input(ctx, "x", TDM_F32, tdm_shape(ROWS, COLUMNS))));
    tdm_assign(v, tdm_mul_scalar(v, 0.5));
    built b = build_graph(ctx, g);
    tdm_exec_bind(b.e, "x", x);
    tdm_exec_run(b.e);
    captured y = capture(ctx, tdm_exec_output(b.e, "y")), w = capture(ctx, tdm_detach(v));
    tdm_assign(x, tdm_sub_scalar(x, 1));
    tdm_exec_run(b.e);
    assert_same(tdm_exec_output(b.e, "y"), tdm_tanh(x));
    free_captured(&y);
    free_captured(&w);
    free_built(&b);
    tdm_release(v);
    tdm_release(x);
    close_context(ctx);
}

/* A bound input is read where it lies, whether it was bound before it was captured or after. */
static void test_captured_input(void **state)
{
    tdm_context *ctx = open_context();

    (void)state;
    for (int late = 0; late < 2; late++) {
        tdm_tensor *t = tdm_hold(numbers(ctx, tdm_shape(ROWS, COLUMNS), 5));
        tdm_tensor *k = tdm_hold(numbers(ctx, tdm_shape(ROWS, COLUMNS), 6));
        captured other = capture(ctx, k), c = {0};
        if (late)
            c = capture(ctx, t);
        tdm_exec_bind(other.b.e, "x", t);
        if (!late)
            c = capture(ctx, t);
        tdm_assign(t, tdm_sub_scalar(t, 1));
        free_captured(&c);
        tdm_release(other.want);
        other.want = tdm_hold(tdm_mul(t, k));
        free_captured(&other);
        tdm_release(k);
        tdm_release(t);
    }
    close_context(ctx);
}

/* Gradients are new tensors at every backward. */
static void test_captured_gradient(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *p = tdm_parameter(numbers(ctx, tdm_shape(ROWS, COLUMNS), 5), "p");

    (void)state;
    tdm_backward(tdm_sum(tdm_square(p), tdm_all_axes(), false));
    captured c = capture(ctx, tdm_grad(p));
    tdm_backward(tdm_sum(tdm_square(p), tdm_all_axes(), false));
    free_captured(&c);
    tdm_release(p);
    close_context(ctx);
}

/* ---- lifetimes -------------------------------------------------------------------------------------------
 */

/* Bytes count as eager memory while the tensor lives, and go with the last that has them. */
static void test_lifetimes(void **state)
{
    tdm_context *ctx = open_context();

    (void)state;
    tdm_scope_open(ctx);
    tdm_tensor *t = tdm_hold(numbers(ctx, tdm_shape(ROWS, COLUMNS), 5));
    captured c = capture(ctx, t);
    tdm_reset_peak_bytes(ctx);
    size_t live = tdm_live_bytes(ctx);
    tdm_assign(t, tdm_mul_scalar(t, 0.5));
    assert_true(tdm_peak_bytes(ctx) < live + 2 * tdm_bytes(t)); /* the value, a scalar */
    tdm_release(t);
    assert_true(tdm_live_bytes(ctx) < live + N * sizeof(float));
    free_captured(&c);
    t = tdm_hold(numbers(ctx, tdm_shape(ROWS, COLUMNS), 6));
    tdm_tensor *same = numbers(ctx, tdm_shape(ROWS, COLUMNS), 6);
    const void *at = t->a.data;
    c = capture(ctx, t);
    free_captured(&c);
    assert_same(t, same); /* the graph is gone */
    tdm_assign(t, tdm_mul_scalar(t, 0.5));
    assert_ptr_equal(t->a.data, at); /* so there was no copy */
    assert_same(t, tdm_mul_scalar(same, 0.5));
    tdm_release(t);
    tdm_scope_close(ctx);
    assert_int_equal(tdm_live_bytes(ctx), 0);
    close_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writers),        cmocka_unit_test(test_captured_alias),
        cmocka_unit_test(test_captured_part),  cmocka_unit_test(test_captured_results),
        cmocka_unit_test(test_captured_input), cmocka_unit_test(test_captured_gradient),
        cmocka_unit_test(test_lifetimes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
