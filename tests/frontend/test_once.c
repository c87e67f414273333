/* tests/frontend/test_once.c: graphs that compiling gives up: weights are laid out where they lie. */
#include <stdio.h>

#include "frontend/fe.h"
#include "tests/frontend/lib_frontend.h"
#include <tandem/nn.h>

enum { M = 3, N = 160, K = 128, SIDE = 64 };

/* x w, times a parameter and a mask that is drawn. */
static tdm_tensor *layer(tdm_tensor *x, tdm_tensor *w, tdm_tensor *p)
{
    tdm_tensor *y = tdm_mul(tdm_linear(x, w, NULL, TDM_HERE), p, TDM_HERE);

    return tdm_dropout(y, 0.5, TDM_HERE);
}

static tdm_program *compile(tdm_context *ctx, tdm_tensor *w, tdm_tensor *p, bool keeps)
{
    tdm_graph *g = tdm_graph_open(ctx, "once");
    tdm_output(ctx, "y", layer(tdm_input(ctx, "x", TDM_F32, tdm_shape(M, K), TDM_HERE), w, p), TDM_HERE);
    tdm_graph_close(ctx);
    if (!keeps)
        tdm_release(w);
    tdm_program *program = tdm_compile_once(g, NULL);
    assert_fine(ctx);
    return program;
}

static bool has_constant_at(const tdm_program *p, const void *data)
{
    for (int i = 0; i < p->p.constant_count; i++)
        if (p->p.constants[i].data == data)
            return true;
    return false;
}

/* A tensor that is still there does not notice; else its bytes are the program's. */
static void test_weights(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = tdm_hold(numbers(ctx, tdm_shape(M, K), 1));
    tdm_tensor *p = tdm_parameter(numbers(ctx, tdm_shape(M, N), 3), "p");

    (void)state;
    for (int keeps = 0; keeps < 2; keeps++) {
        tdm_scope_open(ctx);
        tdm_tensor *w = tdm_hold(numbers(ctx, tdm_shape(N, K), 2)), *was = numbers(ctx, tdm_shape(N, K), 2);
        const void *at = w->a.data;
        tdm_grad_mode(ctx, false);
        tdm_seed(ctx, 7);
        tdm_tensor *want = layer(x, w, p);
        tdm_program *program = compile(ctx, w, p, keeps);
        tdm_exec *e = tdm_exec_new(program);
        assert_true(has_constant_at(program, at) == !keeps);
        tdm_exec_bind(e, "x", x);
        tdm_seed(ctx, 7);
        tdm_exec_run(e);
        assert_same(tdm_exec_output(e, "y"), want);
        if (keeps) {
            assert_same(w, was);
            tdm_release(w);
        }
        tdm_exec_free(e);
        tdm_program_free(program);
        tdm_scope_close(ctx);
    }
    tdm_release(x);
    tdm_release(p);
    close_context(ctx);
}

/* A graph of x [n, SIDE] and a matrix of counted weights. */
static tdm_graph *symbolic(tdm_context *ctx)
{
    static char text[8 * SIDE * SIDE];
    size_t at = 0;

    at += (size_t)sprintf(text + at, "graph @f(%%x: f32[n,%d]) -> (f32[n,%d]) {\n  %%w = constant {data=[0",
                          SIDE, SIDE);
    for (int i = 1; i < SIDE * SIDE; i++)
        at += (size_t)sprintf(text + at, ",%d", i % 1000);
    at += (size_t)sprintf(text + at,
                          "]} : f32[%d,%d]\n"
                          "  %%y = dot_general %%x, %%w {lhs_k=[1], rhs_k=[1]} : f32[n,%d]\n"
                          "  return y: %%y\n}\n",
                          SIDE, SIDE, SIDE);
    return tdm_graph_parse(ctx, text, at, "f.tdm");
}

/* What has a symbolic dim is compiled as the graph that has a number there. */
static void test_for_a_size(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *x = numbers(ctx, tdm_shape(M, SIDE), 1);
    float w[SIDE * SIDE];

    (void)state;
    for (int i = 0; i < SIDE * SIDE; i++)
        w[i] = (float)(i % 1000);
    tdm_tensor *t = tdm_from_data(ctx, TDM_F32, tdm_shape(SIDE, SIDE), w, TDM_HERE);
    tdm_graph *g = symbolic(ctx);
    assert_fine(ctx);
    const void *at = NULL;
    for (ir_ref r = 0; r < g->g->count; r++)
        at = g->g->nodes[r].op == IR_constant ? g->g->nodes[r].attrs->constant.data : at;
    tdm_program *p = tdm_compile_once(g, (const char *const[]){"n=3", NULL});
    tdm_exec *e = tdm_exec_new(p);
    assert_true(has_constant_at(p, at));
    tdm_exec_bind(e, "x", x);
    tdm_exec_run(e);
    assert_same(tdm_exec_output(e, "y"), tdm_linear(x, t, NULL, TDM_HERE));
    tdm_exec_free(e);
    tdm_program_free(p);
    close_context(ctx);
}

/* The graph is freed where it can't be compiled, too (ASan). */
static void test_failures(void **state)
{
    tdm_context *ctx = open_context();

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "empty");
    tdm_graph_close(ctx);
    assert_null(tdm_compile_once(g, NULL));
    assert_error(ctx, TDM_ESTATE, "'empty' has no outputs");
    assert_null(tdm_compile_once(NULL, NULL));
    g = tdm_graph_open(ctx, "open");
    assert_null(tdm_compile_once(g, NULL));
    assert_error(ctx, TDM_ESTATE, "'open' is still open");
    close_context(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_for_a_size),
        cmocka_unit_test(test_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
