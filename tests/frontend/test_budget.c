/* tests/frontend/test_budget.c: a memory budget: programs fit it or are refused, with the same bits. */
#include "tests/frontend/lib_frontend.h"

enum { LAYERS = 12, ROWS = 512, WIDTH = 32 };

typedef tdm_tensor *layer_fn(tdm_tensor *x, tdm_tensor *w);

static tdm_tensor *mlp_layer(tdm_tensor *x, tdm_tensor *w)
{
    return tdm_gelu(tdm_linear(x, w, NULL));
}

/* One head of attention over blocks of 32 rows with w as all its matrices, norm, dropout and skip. */
static tdm_tensor *block_layer(tdm_tensor *x, tdm_tensor *w)
{
    tdm_tensor *h = tdm_layer_norm(x, NULL, NULL, 1e-5);
    tdm_tensor *q = tdm_reshape(tdm_linear(h, w, NULL), tdm_shape(-1, 32, WIDTH));
    tdm_tensor *k = tdm_transpose(q, (const int[]){0, 2, 1});
    tdm_tensor *a = tdm_matmul(tdm_softmax(tdm_matmul(q, k), -1), q);
    return tdm_add(x, tdm_dropout(tdm_reshape(a, tdm_shape(ROWS, WIDTH)), 0.1));
}

/* A train step of a stack; its loss and what it does to the parameters: params as before each time. */
static size_t step(tdm_context *ctx, layer_fn *layer, tdm_tensor **w, size_t budget, float *loss,
                   float *after)
{
    tdm_optimizer *o = tdm_sgd(w, LAYERS, 0.01, 0, 0, false);
    tdm_tensor *x = numbers(ctx, tdm_shape(ROWS, WIDTH), 3);
    size_t arena = 0;

    for (int i = 0; i < LAYERS; i++) {
        bool mode = tdm_grad_mode(ctx, false);
        tdm_assign(w[i], tdm_mul_scalar(numbers(ctx, tdm_shape(WIDTH, WIDTH), 20 + (unsigned)i), 0.3));
        tdm_grad_mode(ctx, mode);
    }
    tdm_graph *g = tdm_graph_open(ctx, "stack");
    tdm_tensor *y = tdm_input(ctx, "x", TDM_F32, tdm_shape(ROWS, WIDTH));
    for (int i = 0; i < LAYERS; i++)
        y = layer(y, w[i]);
    y = tdm_mean(tdm_square(y), tdm_all_axes(), false);
    tdm_zero_grad(o);
    tdm_backward(y);
    tdm_step(o);
    tdm_output(ctx, "loss", y);
    tdm_graph_close(ctx);
    tdm_memory_budget(ctx, budget);
    tdm_program *p = tdm_compile(g, NULL);
    if (p) {
        tdm_exec *e = tdm_exec_new(p);
        tdm_exec_bind(e, "x", x);
        tdm_seed(ctx, 5);
        tdm_exec_run(e);
        tdm_read(tdm_exec_output(e, "loss"), loss, sizeof *loss);
        tdm_read(w[0], after, WIDTH * WIDTH * sizeof *after);
        arena = tdm_program_arena_bytes(p);
        print_message("budget %8.3f MB: arena %.3f MB, live %.3f MB, again %.1f Mflop\n",
                      (double)budget * 1e-6, (double)arena * 1e-6, (double)tdm_program_live_bytes(p) * 1e-6,
                      tdm_program_repeated_flops(p) * 1e-6);
        tdm_exec_free(e);
    }
    tdm_program_free(p);
    tdm_graph_free(g);
    tdm_optimizer_free(o);
    return arena;
}

/* Budgets of 3/4, 1/2 and `least` of what the plan takes by itself. */
static void check_stack(layer_fn *layer, double least)
{
    tdm_context *ctx = open_context();
    static float after[2][WIDTH * WIDTH];
    tdm_tensor *w[LAYERS];
    float loss[2];

    for (int i = 0; i < LAYERS; i++)
        w[i] = tdm_parameter(numbers(ctx, tdm_shape(WIDTH, WIDTH), 20 + (unsigned)i), NULL);
    size_t plain = step(ctx, layer, w, 0, &loss[0], after[0]);
    for (int i = 0; i < 3; i++) {
        size_t budget = (size_t)((double)plain * (i == 0 ? 0.75 : i == 1 ? 0.5 : least));
        size_t arena = step(ctx, layer, w, budget, &loss[1], after[1]);
        assert_fine(ctx);
        assert_true(arena > 0 && arena <= budget);
        assert_memory_equal(&loss[0], &loss[1], sizeof *loss);
        assert_memory_equal(after[0], after[1], sizeof after[0]);
    }
    assert_int_equal(step(ctx, layer, w, 1000, &loss[1], after[1]), 0);
    print_message("%s\n", tdm_error(ctx));
    assert_error(ctx, TDM_ENOMEM, "memory budget is 1000 bytes", "the least that was reached is", "kernel");
    tdm_memory_budget(ctx, 0);
    for (int i = 0; i < LAYERS; i++)
        tdm_release(w[i]);
    close_context(ctx);
}

static void test_mlp(void **state)
{
    (void)state;
    check_stack(mlp_layer, 0.3);
}

static void test_attention(void **state)
{
    (void)state;
    check_stack(block_layer, 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mlp), cmocka_unit_test(test_attention)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
