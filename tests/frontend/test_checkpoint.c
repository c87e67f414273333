/* tests/frontend/test_checkpoint.c: checkpointed regions: the same bits with and without, in both engines,
 * to the second derivative; less memory; misuse is refused. */
#include "tests/frontend/lib_frontend.h"

enum { LAYERS = 6, ROWS = 5, WIDTH = 16 };

typedef struct net {
    tdm_tensor *w[LAYERS], *b[LAYERS];
    int layers, each; /* layers in a region; 0: no regions */
} net;

static net open_net(tdm_context *ctx, int layers, int64_t width)
{
    net n = {.layers = layers};

    for (int i = 0; i < layers; i++) {
        n.w[i] = tdm_parameter(numbers(ctx, tdm_shape(width, width), 20 + (unsigned)i), NULL);
        n.b[i] = tdm_parameter(numbers(ctx, tdm_shape(width), 40 + (unsigned)i), NULL);
    }
    return n;
}

static void close_net(net *n)
{
    for (int i = 0; i < n->layers; i++) {
        tdm_release(n->w[i]);
        tdm_release(n->b[i]);
    }
}

/* Noise, a mask, a norm, a softmax, a view and a value read twice; `deep`: ops that a long stack can bear. */
static tdm_tensor *layer(tdm_tensor *x, tdm_tensor *w, tdm_tensor *b, bool deep)
{
    if (deep)
        return tdm_gelu(tdm_linear(x, w, b));
    tdm_tensor *h = tdm_dropout(tdm_gelu(tdm_linear(x, w, b)), 0.25);
    tdm_tensor *s = tdm_softmax(tdm_transpose(h, NULL), -1);
    tdm_tensor *scale = tdm_exp(tdm_transpose(tdm_sum(s, tdm_axes(0), true), NULL));
    return tdm_layer_norm(tdm_add(tdm_mul(h, scale), x), NULL, NULL, 1e-5);
}

static tdm_tensor *run_net(tdm_context *ctx, const net *n, tdm_tensor *x, bool deep)
{
    for (int i = 0; i < n->layers; i++) {
        if (n->each && i % n->each == 0)
            tdm_checkpoint_open(ctx);
        x = layer(x, n->w[i], n->b[i], deep);
        if (n->each && ((i + 1) % n->each == 0 || i + 1 == n->layers))
            x = tdm_checkpoint_close(ctx, x);
    }
    return tdm_mean(tdm_square(x), tdm_all_axes(), false);
}

/* The loss, its gradients, and the gradients of their sum: 1 + 2 * layers + 1 + 2 * layers tensors. */
static int derive(tdm_context *ctx, const net *n, tdm_tensor *x, tdm_tensor **out)
{
    tdm_tensor *wrt[2 * LAYERS + 1], *first[2 * LAYERS + 1], *sum = NULL;
    int count = 0, leaves = 0;

    for (int i = 0; i < n->layers; i++) {
        wrt[leaves++] = n->w[i];
        wrt[leaves++] = n->b[i];
    }
    out[count++] = run_net(ctx, n, x, false);
    tdm_gradients(out, NULL, 1, wrt, leaves, first, TDM_CREATE_GRAPH);
    for (int i = 0; i < leaves; i++) {
        tdm_tensor *s = tdm_sum(tdm_square(first[i]), tdm_all_axes(), false);
        sum = sum ? tdm_add(sum, s) : s;
        out[count++] = first[i];
    }
    out[count++] = sum;
    tdm_gradients(&sum, NULL, 1, wrt, leaves, out + count, 0);
    assert_fine(ctx);
    return count + leaves;
}

static void test_same_bits(void **state)
{
    tdm_context *ctx = open_context();
    net n = open_net(ctx, LAYERS, WIDTH);
    tdm_tensor *x = numbers(ctx, tdm_shape(ROWS, WIDTH), 3), *plain[4 * LAYERS + 4], *other[4 * LAYERS + 4];

    (void)state;
    tdm_seed(ctx, 5);
    int count = derive(ctx, &n, x, plain);
    for (n.each = 1; n.each <= 4; n.each++) {
        tdm_seed(ctx, 5);
        derive(ctx, &n, x, other);
        for (int i = 0; i < count; i++)
            assert_same(plain[i], other[i]);
    }
    for (n.each = 0; n.each <= 4; n.each += 2) {
        tdm_graph *g = tdm_graph_open(ctx, "net");
        derive(ctx, &n, x, other);
        for (int i = 0; i < count; i++)
            tdm_output(ctx, (const char[]){'y', (char)('a' + i / 10), (char)('0' + i % 10), 0}, other[i]);
        tdm_seed(ctx, 5);
        built b = build_graph(ctx, g);
        tdm_exec_run(b.e);
        for (int i = 0; i < count; i++)
            assert_same(plain[i], tdm_exec_output(b.e, (const char[]){'y', (char)('a' + i / 10),
                                                                      (char)('0' + i % 10), 0}));
        free_built(&b);
    }
    close_net(&n);
    close_context(ctx);
}

/* Only some of the gradients; a value of the region used after it; a graph that is kept for a second run. */
static void test_parts(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *w = tdm_parameter(numbers(ctx, tdm_shape(7, 7), 1), "w"), *grads[2][2];
    tdm_tensor *v = tdm_parameter(numbers(ctx, tdm_shape(7, 7), 2), "v");

    (void)state;
    for (int again = 0; again < 2; again++) {
        if (again)
            tdm_checkpoint_open(ctx);
        tdm_tensor *h = tdm_exp(tdm_matmul(w, v)), *y = tdm_sin(tdm_mul(h, v));
        if (again) {
            tdm_keep(h);
            y = tdm_checkpoint_close(ctx, y);
        }
        tdm_tensor *loss = tdm_sum(tdm_mul(y, h), tdm_all_axes(), false);
        tdm_gradients(&loss, NULL, 1, &w, 1, &grads[again][0], TDM_RETAIN_GRAPH);
        tdm_gradients(&loss, NULL, 1, &v, 1, &grads[again][1], 0);
        assert_fine(ctx);
    }
    assert_same(grads[0][0], grads[1][0]);
    assert_same(grads[0][1], grads[1][1]);
    tdm_release(w);
    tdm_release(v);
    close_context(ctx);
}

static size_t eager_peak(tdm_context *ctx, const net *n, tdm_tensor *x)
{
    tdm_scope_open(ctx);
    tdm_reset_peak_bytes(ctx);
    size_t before = tdm_live_bytes(ctx);
    for (int i = 0; i < n->layers; i++)
        tdm_clear_grad(n->w[i]), tdm_clear_grad(n->b[i]);
    tdm_tensor *loss = run_net(ctx, n, x, true);
    tdm_backward(loss);
    size_t peak = tdm_peak_bytes(ctx);
    tdm_scope_close(ctx);
    return peak - before;
}

static size_t arena(tdm_context *ctx, const net *n, int rows, int width)
{
    tdm_optimizer *o = tdm_sgd(n->w, n->layers, 0.1, 0, 0, false);
    tdm_graph *g = tdm_graph_open(ctx, "deep");
    tdm_tensor *loss = run_net(ctx, n, tdm_input(ctx, "x", TDM_F32, tdm_shape(rows, width)), true);
    tdm_zero_grad(o);
    tdm_backward(loss);
    tdm_step(o);
    tdm_output(ctx, "loss", loss);
    built b = build_graph(ctx, g);
    size_t bytes = tdm_program_arena_bytes(b.p);
    free_built(&b);
    tdm_optimizer_free(o);
    return bytes;
}

/* With few parameters and many rows, activations are all that counts: 6 layers in regions of 2. */
static void test_less_memory(void **state)
{
    enum { MANY = 4096 };
    tdm_context *ctx = open_context();
    net n = open_net(ctx, LAYERS, WIDTH);
    tdm_tensor *x = numbers(ctx, tdm_shape(MANY, WIDTH), 3);
    size_t eager[3], compiled[3];

    (void)state;
    for (n.each = 0; n.each < 3; n.each++) {
        eager[n.each] = eager_peak(ctx, &n, x);
        compiled[n.each] = arena(ctx, &n, MANY, WIDTH);
        print_message("regions of %d layers: eager peak %.2f MB, arena %.2f MB\n", n.each,
                      (double)eager[n.each] * 1e-6, (double)compiled[n.each] * 1e-6);
    }
    assert_true(10 * eager[1] < 6 * eager[0]);
    assert_true(10 * compiled[1] < 8 * compiled[0]);
    close_net(&n);
    close_context(ctx);
}

static tdm_tensor *cube(void *user, tdm_tensor *x)
{
    ++*(int *)user;
    return tdm_mul(tdm_mul(x, x), x);
}

static void test_function(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *w = tdm_parameter(numbers(ctx, tdm_shape(9), 1), "w");
    int calls = 0;

    (void)state;
    tdm_backward(tdm_sum(tdm_checkpoint(cube, &calls, w), tdm_all_axes(), false));
    assert_same(tdm_grad(w), tdm_add(tdm_mul(tdm_add(tdm_detach(w), tdm_detach(w)), tdm_detach(w)),
                                     tdm_mul(tdm_detach(w), tdm_detach(w))));
    assert_int_equal(calls, 1); /* the ops are run again, not the function */
    assert_true(tdm_is_error(tdm_checkpoint(NULL, NULL, w)));
    assert_error(ctx, TDM_EARG, "checkpoint", "'fn' is NULL");
    tdm_release(w);
    close_context(ctx);
}

static void test_misuse(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *w = tdm_parameter(numbers(ctx, tdm_shape(9), 1), "w"), *v;

    (void)state;
    tdm_checkpoint_close(ctx, w);
    assert_error(ctx, TDM_ESTATE, "checkpoint_close", "no region is open");
    tdm_checkpoint_open(ctx);
    assert_null(tdm_graph_open(ctx, "g"));
    assert_error(ctx, TDM_ESTATE, "graph_open", "region is open");
    tdm_checkpoint_close(ctx, NULL);
    assert_error(ctx, TDM_EARG, "'result' is NULL");

    v = tdm_variable(numbers(ctx, tdm_shape(9), 2), "v");
    tdm_checkpoint_open(ctx);
    tdm_tensor *y = tdm_checkpoint_close(ctx, tdm_exp(tdm_sin(tdm_mul(tdm_add(w, v), v))));
    tdm_assign(v, numbers(ctx, tdm_shape(9), 3));
    tdm_backward(tdm_sum(y, tdm_all_axes(), false));
    assert_error(ctx, TDM_ESTATE, "backward", "changed in place by assign", "expected version 0, found 1");
    tdm_release(v);
    tdm_release(w);
    close_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bits), cmocka_unit_test(test_parts),
                                       cmocka_unit_test(test_less_memory), cmocka_unit_test(test_function),
                                       cmocka_unit_test(test_misuse)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
