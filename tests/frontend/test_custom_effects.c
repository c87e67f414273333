/* tests/frontend/test_custom_effects.c: custom calls that do more than give a value: every call is made, once
 * and in order, whatever passes would like to do; and calls that fail. */
#include "tests/frontend/lib_frontend.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 64, BIG = 4096 };

typedef struct journal {
    double number[MOST];
    float first[MOST];
    int count;
} journal;

static journal notes;

/* y = x; notes the call's number and the first element */
static bool note(const tdm_custom_call *call, void *y)
{
    journal *j = call->user;
    int64_t n = 1;

    assert_true(j->count < MOST);
    j->number[j->count] = call->params[0];
    memcpy(&j->first[j->count++], call->x[0].data, sizeof(float));
    for (int i = 0; i < call->type.shape.rank; i++)
        n *= call->type.shape.dims[i];
    memcpy(y, call->x[0].data, (size_t)n * sizeof(float));
    return true;
}

static void pass_on(const tdm_custom_call *call, tdm_tensor *const *x, tdm_tensor *y, tdm_tensor *dy,
                    tdm_tensor **dx)
{
    (void)call;
    (void)x;
    (void)y;
    dx[0] = dy;
}

static bool positive(const tdm_custom_call *call, void *y)
{
    memcpy(y, call->x[0].data, 3 * sizeof(float));
    snprintf(call->why, call->why_size, "a negative number");
    return ((const float *)call->x[0].data)[0] >= 0;
}

static const tdm_custom_op ops[] = {
    {.name = "note", .forward = note, .gradient = pass_on, .user = &notes, .has_effects = true},
    {.name = "positive", .forward = positive},
};

static tdm_context *open_with_ops(void)
{
    tdm_context *ctx = open_context();

    notes.count = 0;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        assert_int_equal(tdm_custom_register(ctx, &ops[i]), TDM_OK);
    return ctx;
}

static tdm_tensor *numbers_of(tdm_context *ctx)
{
    return numbers(ctx, tdm_shape(BIG), 1);
}

static tdm_tensor *noted(tdm_tensor *x, double number)
{
    return tdm_custom("note", &x, 1, &number, 1);
}

/* The journal's numbers from `at` on are these. */
static void assert_notes(int at, const double *numbers, int n)
{
    assert_int_equal(notes.count - at, n);
    for (int i = 0; i < n; i++)
        assert_float_equal(notes.number[at + i], numbers[i], 0);
}

/* Equal calls, calls that nothing reads, of a constant and of a value that dies with it. */
static tdm_tensor *busy(tdm_tensor *x, tdm_tensor *c)
{
    noted(tdm_sum(x, tdm_all_axes(), false), 1);
    noted(tdm_exp(x), 2);
    noted(x, 3);
    noted(x, 3);
    noted(c, 4);
    tdm_tensor *y = noted(tdm_tanh(x), 5);
    noted(tdm_mul_scalar(x, 2), 6);
    return y;
}

static void every_call_is_made_in_order(void **state)
{
    static const double made[] = {1, 2, 3, 3, 4, 5, 6};
    tdm_context *ctx = open_with_ops();
    tdm_tensor *x = numbers_of(ctx), *c = tdm_full(ctx, TDM_F32, tdm_shape(1), 7);

    (void)state;
    tdm_tensor *eager = busy(x, c);
    assert_notes(0, made, 7);
    tdm_graph *g = tdm_graph_open(ctx, "busy");
    tdm_output(ctx, "y", busy(tdm_input(ctx, "x", TDM_F32, tdm_shape(BIG)), c));
    built b = build_graph(ctx, g);
    assert_float_equal(tdm_program_repeated_flops(b.p), 0, 0);
    tdm_exec_bind(b.e, "x", x);
    for (int run = 0; run < 2; run++) {
        int at = notes.count;
        assert_int_equal(tdm_exec_run(b.e), TDM_OK);
        assert_notes(at, made, 7);
        for (int i = 0; i < 7; i++)
            assert_float_equal(notes.first[at + i], notes.first[i], 0);
        assert_same(tdm_exec_output(b.e, "y"), eager);
    }
    free_built(&b);
    close_context(ctx);
}

/* exp and mul would be one kernel, which reads the second call and is read by the first. */
static void order_holds_against_fusion(void **state)
{
    static const double made[] = {1, 2};
    tdm_context *ctx = open_with_ops();
    tdm_tensor *x = numbers_of(ctx);

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "merge");
    tdm_tensor *in = tdm_input(ctx, "x", TDM_F32, tdm_shape(BIG)), *p = tdm_exp(in);
    tdm_output(ctx, "first", noted(p, 1));
    tdm_output(ctx, "q", tdm_mul(noted(in, 2), p));
    built b = build_graph(ctx, g);
    tdm_exec_bind(b.e, "x", x);
    assert_int_equal(tdm_exec_run(b.e), TDM_OK);
    assert_notes(0, made, 2);
    assert_same(tdm_exec_output(b.e, "q"), tdm_mul(x, tdm_exp(x)));
    free_built(&b);
    close_context(ctx);
}

/* The gradient of eight layers with two calls each, in `budget` bytes of arena; 0: any.  It reads three
 * values of a layer: a call's result, which would be cheapest to make again, asinh of it, and a root behind
 * the other call.  Only asinh may be made again. */
static built deep(tdm_context *ctx, tdm_tensor *w, size_t budget)
{
    tdm_memory_budget(ctx, budget);
    tdm_graph *g = tdm_graph_open(ctx, "deep");
    tdm_tensor *h = w, *dw;

    for (int i = 0; i < 16; i += 2) {
        tdm_tensor *b = tdm_asinh(noted(h, i));
        tdm_tensor *t = tdm_sqrt(noted(tdm_mul(b, b), i + 1));
        h = tdm_mul(t, t);
    }
    h = tdm_sum(h, tdm_all_axes(), false);
    tdm_gradients(&h, NULL, 1, &w, 1, &dw, 0);
    tdm_output(ctx, "dw", dw);
    return build_graph(ctx, g);
}

static void memory_budgets_repeat_no_call(void **state)
{
    static const double made[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    tdm_context *ctx = open_with_ops();
    tdm_tensor *w = tdm_requires_grad(numbers_of(ctx), true);
    built free_one = deep(ctx, w, 0);
    size_t bytes = tdm_program_arena_bytes(free_one.p);

    (void)state;
    built tight = deep(ctx, w, bytes - 3 * BIG * sizeof(float));
    assert_true(tdm_program_arena_bytes(tight.p) < bytes);
    assert_true(tdm_program_repeated_flops(tight.p) > 0);
    assert_int_equal(tdm_exec_run(free_one.e), TDM_OK);
    assert_notes(0, made, 16);
    assert_int_equal(tdm_exec_run(tight.e), TDM_OK);
    assert_notes(16, made, 16);
    assert_same(tdm_exec_output(tight.e, "dw"), tdm_exec_output(free_one.e, "dw"));
    free_built(&free_one);
    free_built(&tight);
    close_context(ctx);
}

static void checkpointed_regions_refuse_it(void **state)
{
    tdm_context *ctx = open_with_ops();
    tdm_tensor *x = numbers_of(ctx);
    tdm_graph *g = NULL;

    (void)state;
    for (int engine = 0; engine < 2; engine++) {
        tdm_checkpoint_open(ctx);
        assert_true(tdm_is_error(noted(x, 1)));
        assert_error(ctx, TDM_ESTATE, "custom: note has effects", "checkpointed region");
        tdm_checkpoint_close(ctx, x);
        g = engine ? g : tdm_graph_open(ctx, "region");
    }
    tdm_graph_close(ctx);
    tdm_graph_free(g);
    assert_int_equal(notes.count, 0);
    close_context(ctx);
}

static void a_graph_may_be_nothing_but_effects(void **state)
{
    static const double made[] = {8, 9};
    tdm_context *ctx = open_with_ops();

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "effects");
    tdm_tensor *x = tdm_input(ctx, "x", TDM_F32, tdm_shape(BIG));
    noted(x, 8);
    noted(x, 9);
    built b = build_graph(ctx, g);
    tdm_exec_bind(b.e, "x", numbers_of(ctx));
    assert_int_equal(tdm_exec_run(b.e), TDM_OK);
    assert_notes(0, made, 2);
    free_built(&b);
    close_context(ctx);
}

/* A call of constants that fails does so when it runs, not while it would be folded; calls behind it are not
 * made. */
static void failing_ends_the_run(void **state)
{
    static const double made[] = {1};
    tdm_context *ctx = open_with_ops();
    tdm_tensor *bad = tdm_from_data(ctx, TDM_F32, tdm_shape(3), ((const float[]){-1, 2, 3}));

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "fails");
    noted(bad, 1);
    tdm_tensor *y = tdm_custom("positive", &bad, 1, NULL, 0);
    noted(y, 2);
    tdm_output(ctx, "y", y);
    built b = build_graph(ctx, g);
    for (int run = 0; run < 2; run++) {
        notes.count = 0;
        assert_int_equal(tdm_exec_run(b.e), TDM_EARG);
        assert_error(ctx, TDM_EARG, "exec_run: custom: positive: a negative number", "f32[3]",
                     "(test_custom_effects.c:");
        assert_notes(0, made, 1);
    }
    free_built(&b);
    close_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_is_made_in_order),
        cmocka_unit_test(order_holds_against_fusion),
        cmocka_unit_test(memory_budgets_repeat_no_call),
        cmocka_unit_test(checkpointed_regions_refuse_it),
        cmocka_unit_test(a_graph_may_be_nothing_but_effects),
        cmocka_unit_test(failing_ends_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
