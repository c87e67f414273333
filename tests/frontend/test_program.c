/* tests/frontend/test_program.c: programs and executions: outputs of every kind, bindings, several
 * executions, symbolic dims. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/frontend/lib_frontend.h"

/* Two outputs of one value, an output that is an input, a view of one, a parameter's old value, a constant.
 */
static void test_outputs(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(5, 3), 12);
    tdm_tensor *w = tdm_parameter(numbers(ctx, tdm_shape(5, 3), 13), "w");

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "outputs");
    tdm_tensor *sx = tdm_input(ctx, "x", TDM_F32, tdm_shape(5, 3)), *y = tdm_mul(sx, w);
    tdm_output(ctx, "a", y);
    tdm_output(ctx, "b", y);
    tdm_output(ctx, "x", sx);
    tdm_output(ctx, "w", w);
    tdm_output(ctx, "flat", tdm_reshape(sx, tdm_shape(-1)));
    tdm_output(ctx, "one", tdm_full(ctx, TDM_F32, tdm_shape(5, 3), 1));
    bool mode = tdm_grad_mode(ctx, false);
    tdm_assign(w, y);
    tdm_grad_mode(ctx, mode);
    built b = build_graph(ctx, g);
    tdm_exec_bind(b.e, "x", x);
    tdm_tensor *was = tdm_add_scalar(tdm_detach(w), 0), *product = tdm_mul(x, tdm_detach(w));
    tdm_exec_run(b.e);
    assert_same(tdm_exec_output(b.e, "a"), product);
    assert_same(tdm_exec_output(b.e, "b"), product);
    assert_same(tdm_exec_output(b.e, "x"), x);
    assert_same(tdm_exec_output(b.e, "w"), was);
    assert_same(tdm_exec_output(b.e, "flat"), tdm_reshape(x, tdm_shape(15)));
    assert_same(tdm_exec_output(b.e, "one"), tdm_ones(ctx, TDM_F32, tdm_shape(5, 3)));
    assert_same(w, product);
    free_built(&b);
    tdm_release(w);
    close_context(ctx);
}

/* A program has its constants, big and small, also when the graph that was compiled is gone. */
static void test_constants_outlive_the_source(void **state)
{
    enum { N = 2048 };
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(N), 1), *w = numbers(ctx, tdm_shape(N), 2);
    tdm_tensor *few = numbers(ctx, tdm_shape(5), 3);

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "weights");
    tdm_output(ctx, "y", tdm_mul(tdm_input(ctx, "x", TDM_F32, tdm_shape(N)), w));
    tdm_output(ctx, "few", few);
    tdm_graph_close(ctx);
    tdm_program *p = tdm_compile(g, NULL);
    assert_fine(ctx);
    tdm_graph_free(g);
    tdm_exec *e = tdm_exec_new(p);
    tdm_exec_bind(e, "x", x);
    tdm_exec_run(e);
    assert_same(tdm_exec_output(e, "y"), tdm_mul(x, w));
    assert_same(tdm_exec_output(e, "few"), few);
    tdm_exec_free(e);
    tdm_program_free(p);
    close_context(ctx);
}

static tdm_tensor *half_layer(tdm_tensor *x, tdm_tensor *w)
{
    return tdm_tanh(tdm_linear(x, tdm_convert(w, TDM_F32), NULL));
}

/* Weights of 16 bits, captured as a constant and as a variable that each run changes behind its product: the
 * bits of the eager engine, and no room for a copy in f32. */
static void test_half_weights(void **state)
{
    enum { M = 6, K = 128, N = 80 };
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(M, K), 1);
    tdm_tensor *c = tdm_convert(numbers(ctx, tdm_shape(N, K), 2), TDM_BF16);
    tdm_tensor *v = tdm_variable(tdm_convert(numbers(ctx, tdm_shape(N, K), 3), TDM_BF16), "v");

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "half");
    tdm_tensor *sx = tdm_input(ctx, "x", TDM_F32, tdm_shape(M, K));
    tdm_output(ctx, "y", half_layer(sx, c));
    tdm_output(ctx, "z", half_layer(sx, v));
    tdm_assign(v, tdm_mul_scalar(v, 0.75));
    built b = build_graph(ctx, g);
    assert_true(tdm_program_arena_bytes(b.p) < N * K * sizeof(float));
    char *kernels = tdm_graph_dump(b.g, TDM_DUMP_KERNELS);
    assert_non_null(strstr(kernels, "lies in lines; B widened from bf16"));
    tdm_text_free(kernels);
    tdm_exec_bind(b.e, "x", x);
    for (int run = 0; run < 3; run++) {
        tdm_tensor *y = half_layer(x, c), *z = half_layer(x, v), *next = tdm_mul_scalar(v, 0.75);
        tdm_exec_run(b.e);
        assert_same(tdm_exec_output(b.e, "y"), y);
        assert_same(tdm_exec_output(b.e, "z"), z);
        assert_same(v, next);
    }
    free_built(&b);
    tdm_release(v);
    close_context(ctx);
}

/* Captured values stay as they were, of views too, which are copied, by several threads if they are big; a
 * closed graph doesn't hold the tensors that it has the values of. */
static void test_captured_values(void **state)
{
    enum { ROWS = 300, COLUMNS = 500 };
    tdm_context *ctx = tdm_context_new(&(tdm_options){.threads = 2});

    (void)state;
    tdm_scope_open(ctx);
    tdm_tensor *big = tdm_hold(numbers(ctx, tdm_shape(ROWS, COLUMNS), 1));
    tdm_tensor *turned = tdm_hold(tdm_transpose(numbers(ctx, tdm_shape(COLUMNS, ROWS), 2), NULL));
    tdm_tensor *few = tdm_hold(numbers(ctx, tdm_shape(COLUMNS), 3));
    tdm_tensor *sum = tdm_add(tdm_add(big, turned), few);
    float *expected = malloc(tdm_bytes(sum)), *got = malloc(tdm_bytes(sum));
    size_t bytes = tdm_bytes(sum);
    assert_int_equal(tdm_read(sum, expected, bytes), TDM_OK);
    tdm_scope_close(ctx);
    tdm_graph *g = tdm_graph_open(ctx, "captured");
    tdm_output(ctx, "y", tdm_add(tdm_add(big, turned), few));
    tdm_graph_close(ctx);
    assert_true(tdm_live_bytes(ctx) >= 2 * bytes);
    memset(got, 0, bytes);
    tdm_write(big, got, bytes); /* too late to matter */
    tdm_release(big);
    tdm_release(turned);
    tdm_release(few);
    assert_int_equal(tdm_live_bytes(ctx), 0);
    tdm_program *p = tdm_compile(g, NULL);
    tdm_exec *e = tdm_exec_new(p);
    tdm_exec_run(e);
    assert_int_equal(tdm_read(tdm_exec_output(e, "y"), got, bytes), TDM_OK);
    assert_memory_equal(got, expected, bytes);
    tdm_exec_free(e);
    tdm_program_free(p);
    tdm_graph_free(g);
    free(expected);
    free(got);
    close_context(ctx);
}

static long resident_pages(void)
{
    long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld", &total, &resident), 2);
    fclose(f);
    return resident;
}

/* What released tensors took, which the context keeps for new ones, goes back to the system before compiling.
 */
static void test_compiling_gives_memory_back(void **state)
{
    enum { MIB = 1 << 20, PAGE = 4096 };
    tdm_context *ctx = open_context();

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "small");
    tdm_output(ctx, "y", tdm_exp(tdm_input(ctx, "x", TDM_F32, tdm_shape(3))));
    tdm_graph_close(ctx);
    tdm_program_free(tdm_compile(g, NULL)); /* code generation is loaded */
    tdm_scope_open(ctx);
    tdm_ones(ctx, TDM_F32, tdm_shape(16, MIB));
    tdm_scope_close(ctx);
    long before = resident_pages();
    tdm_program_free(tdm_compile(g, NULL));
    assert_fine(ctx);
#ifdef __SANITIZE_ADDRESS__ /* keeps what is freed for itself */
    (void)before;
#else
    assert_true(resident_pages() < before - 48 * MIB / PAGE);
#endif
    tdm_graph_free(g);
    close_context(ctx);
}

/* Inputs are bound as tensors (views are copied) and as plain memory; two executions of one program keep
 * their own inputs and outputs. */
static void test_two_executions(void **state)
{
    tdm_context *ctx = open_context();
    const float plain[6] = {1, 2, 3, 4, 5, 6};

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "twice");
    tdm_output(ctx, "y", tdm_mul_scalar(tdm_input(ctx, "x", TDM_F32, tdm_shape(3, 2)), 2));
    built b = build_graph(ctx, g);
    tdm_exec *other = tdm_exec_new(b.p);
    tdm_tensor *t = tdm_transpose(tdm_from_data(ctx, TDM_F32, tdm_shape(2, 3), plain), NULL);
    tdm_tensor *flat = tdm_from_data(ctx, TDM_F32, tdm_shape(3, 2), plain);
    assert_int_equal(tdm_exec_bind_data(b.e, "x", plain, sizeof plain), TDM_OK);
    assert_int_equal(tdm_exec_bind(other, "x", t), TDM_OK);
    tdm_exec_run(b.e);
    tdm_exec_run(other);
    assert_same(tdm_exec_output(b.e, "y"), tdm_mul_scalar(flat, 2));
    assert_same(tdm_exec_output(other, "y"), tdm_mul_scalar(t, 2));
    tdm_exec_free(other);
    free_built(&b);
    close_context(ctx);
}

/* A bound tensor outlives its scope, and is let go when another takes its place. */
static void test_bound_lives(void **state)
{
    tdm_context *ctx = open_context();

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "bound");
    tdm_output(ctx, "y", tdm_mul_scalar(tdm_input(ctx, "x", TDM_F32, tdm_shape(3000)), 2));
    built b = build_graph(ctx, g);
    size_t before = tdm_live_bytes(ctx), bound = 0;
    for (int i = 0; i < 3; i++) {
        tdm_scope_open(ctx);
        tdm_exec_bind(b.e, "x", tdm_full(ctx, TDM_F32, tdm_shape(3000), i));
        tdm_scope_close(ctx);
        bound = i ? bound : tdm_live_bytes(ctx);
        assert_true(bound > before && tdm_live_bytes(ctx) == bound);
        tdm_exec_run(b.e);
        tdm_scope_open(ctx);
        assert_same(tdm_exec_output(b.e, "y"), tdm_full(ctx, TDM_F32, tdm_shape(3000), 2 * i));
        tdm_scope_close(ctx);
    }
    free_built(&b);
    close_context(ctx);
}

/* An output that a tape has saved and a later run has rewritten: backward says so rather than using it. */
static void test_rewritten_output(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *w = tdm_parameter(numbers(ctx, tdm_shape(3), 14), "w");

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "rewritten");
    tdm_output(ctx, "y", tdm_mul_scalar(tdm_input(ctx, "x", TDM_F32, tdm_shape(3)), 2));
    built b = build_graph(ctx, g);
    tdm_exec_bind(b.e, "x", tdm_ones(ctx, TDM_F32, tdm_shape(3)));
    tdm_exec_run(b.e);
    tdm_tensor *loss = tdm_sum(tdm_mul(w, tdm_exec_output(b.e, "y")), tdm_all_axes(), false);
    tdm_exec_run(b.e);
    tdm_backward(loss);
    assert_error(ctx, TDM_ESTATE, "MulBackward0");
    assert_null(tdm_grad(w));
    free_built(&b);
    tdm_release(w);
    close_context(ctx);
}

/* A variable of a parsed graph may be bound again: the tensor bound last is the one that is written. */
static void test_bind_variable_again(void **state)
{
    static const char text[] = "graph @add(%w: f32[] variable) -> () {\n"
                               "  %n = add %w, %w : f32[]\n"
                               "  return assign %w = %n\n}\n";
    tdm_context *ctx = open_context();

    (void)state;
    tdm_graph *g = tdm_graph_parse(ctx, text, sizeof text - 1, "add.tdm");
    tdm_program *p = tdm_compile(g, NULL);
    tdm_exec *e = tdm_exec_new(p);
    tdm_tensor *a = tdm_full(ctx, TDM_F32, tdm_shape(), 1), *z = tdm_full(ctx, TDM_F32, tdm_shape(), 1);
    tdm_exec_run(e);
    assert_error(ctx, TDM_ESTATE, "variable 'w'", "not bound");
    tdm_scope_open(ctx);
    tdm_exec_bind_variable(e, "w", tdm_full(ctx, TDM_F32, tdm_shape(), 1));
    tdm_exec_run(e);
    tdm_exec_bind_variable(e, "w", a);
    tdm_scope_close(ctx); /* the first one dies */
    tdm_exec_run(e);
    tdm_exec_bind_variable(e, "w", z);
    tdm_exec_run(e);
    tdm_exec_run(e);
    assert_fine(ctx);
    assert_true(tdm_item(a) == 2 && tdm_item(z) == 4);
    tdm_exec_free(e);
    tdm_program_free(p);
    tdm_graph_free(g);
    close_context(ctx);
}

/* One graph for several sizes: symbolic dims get their values when it is compiled. */
static void test_symbolic_dims(void **state)
{
    static const char text[] = "graph @rows(%x: f32[n,3], %z: f32[n,5]) -> (f32[3,5], f32[n,2]) {\n"
                               "  %s = slice %x {start=[0,1], limit=[n,3], step=[1,1]} : f32[n,2]\n"
                               "  %p = dot_general %x, %z {lhs_k=[0], rhs_k=[0]} : f32[3,5]\n"
                               "  %k = constant {splat=0x1p+1} : f32[n,2]\n"
                               "  %d = mul %s, %k : f32[n,2]\n"
                               "  return p: %p, d: %d\n}\n";
    tdm_context *ctx = open_context();
    tdm_graph *g = tdm_graph_parse(ctx, text, sizeof text - 1, "rows.tdm");

    (void)state;
    assert_fine(ctx);
    for (int n = 1; n < 80; n = 5 * n + 2) {
        char value[32];
        snprintf(value, sizeof value, "n=%d", n);
        tdm_program *p = tdm_compile(g, (const char *const[]){value, NULL});
        assert_fine(ctx);
        tdm_exec *e = tdm_exec_new(p);
        tdm_tensor *x = numbers(ctx, tdm_shape(n, 3), 1), *z = numbers(ctx, tdm_shape(n, 5), 2);
        tdm_exec_bind(e, "x", x);
        tdm_exec_bind(e, "z", z);
        tdm_exec_run(e);
        tdm_dot_axes k = {.n_contract = 1};
        assert_same(tdm_exec_output(e, "p"), tdm_dot_general(x, z, &k));
        assert_same(tdm_exec_output(e, "d"), tdm_mul_scalar(tdm_slice(x, 1, 1, 3, 1), 2));
        tdm_exec_free(e);
        tdm_program_free(p);
    }
    assert_null(tdm_compile(g, NULL));
    assert_error(ctx, TDM_EARG, "rows", "'n' needs a value");
    assert_null(tdm_compile(g, (const char *const[]){"m=3", NULL}));
    assert_error(ctx, TDM_EARG, "no symbolic dim", "m=3");
    assert_null(tdm_compile(g, (const char *const[]){"n=0", NULL}));
    assert_error(ctx, TDM_EARG, "n=0");
    assert_null(tdm_compile(g, (const char *const[]){"n=9999999999999", NULL}));
    assert_error(ctx, TDM_ESHAPE, "2^40");
    tdm_graph_free(g);
    close_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outputs),
        cmocka_unit_test(test_constants_outlive_the_source),
        cmocka_unit_test(test_half_weights),
        cmocka_unit_test(test_captured_values),
        cmocka_unit_test(test_compiling_gives_memory_back),
        cmocka_unit_test(test_two_executions),
        cmocka_unit_test(test_bound_lives),
        cmocka_unit_test(test_rewritten_output),
        cmocka_unit_test(test_bind_variable_again),
        cmocka_unit_test(test_symbolic_dims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
