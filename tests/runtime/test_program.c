/* Programs and executions, with kernels written by hand where codegen would put machine code.
 *
 *   y = x + w;  assign w = y      arena: y     output: y     constant: 100, added to y as well */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/program.h"

enum { N = 1000, X = 1, W = 2, OUT = 3, CONSTANT = 4 };

static void add_kernel(void *const *args, int64_t begin, int64_t end)
{
    const float *x = args[X], *w = args[W];
    float *y = args[0];

    for (int64_t i = begin; i < end; i++) {
        y[i] = x[i] + w[i];
    }
}

static void shift_kernel(void *const *args, int64_t begin, int64_t end)
{
    const float *c = args[CONSTANT];
    float *y = args[0];

    assert_true(begin == 0 && end == N); /* grain 0: in one piece */
    for (int64_t i = begin; i < end; i++) {
        y[i] += *c;
    }
}

static void entry(void *const *args, const rt_services *s)
{
    s->parallel(s->pool, add_kernel, args, N, 10);
    shift_kernel(args, 0, N);
    memcpy(args[OUT], args[0], N * sizeof(float));
    memcpy(args[W], args[0], N * sizeof(float));
}

static int frees;

static void code_free(void *code)
{
    frees += *(int *)code;
}

static rt_program *program(int *code)
{
    static const ir_copy copies[] = {
        {{IR_B_OUTPUT, 0, 0}, {IR_B_ARENA, 0, 0}, N * sizeof(float)},
        {{IR_B_VARIABLE, 0, 0}, {IR_B_OUTPUT, 0, 0}, N * sizeof(float)},
    };
    ir_type t = ir_type_make(IR_DT_f32, 1, (int64_t[]){N});
    ir_graph *g = ir_graph_new("step");
    rt_program *p = rt_program_new();
    ir_ref x, w, y;

    assert_true(g && p);
    x = ir_graph_input(g, "x", &t);
    w = ir_graph_variable(g, "w", &t);
    y = ir_graph_append(g, IR_add, NULL, (ir_ref[]){x, w}, 2);
    assert_int_equal(ir_graph_output(g, "y", y), IR_OK);
    assert_int_equal(ir_graph_assign(g, w, y), IR_OK);
    g->buffers.arena_bytes = N * sizeof(float);
    g->buffers.copies = ir_graph_alloc(g, sizeof copies);
    memcpy(g->buffers.copies, copies, sizeof copies);
    g->buffers.copy_count = 2;
    p->graph = g;
    p->entry = entry;
    p->kernel_count = 2;
    p->kernels = calloc(2, sizeof *p->kernels);
    p->kernels[0] = (rt_program_kernel){.name = "k0_add", .fn = add_kernel, .units = N, .grain = 10};
    p->kernels[1] = (rt_program_kernel){.name = "k1_add", .fn = shift_kernel, .units = N};
    p->constant_count = 1;
    p->constants = calloc(1, sizeof *p->constants);
    p->constants[0] = (rt_constant){rt_alloc(sizeof(float)), sizeof(float), true};
    memcpy((void *)(uintptr_t)p->constants[0].data, &(float){100}, sizeof(float));
    p->code = code;
    p->code_free = code_free;
    return p;
}

static void fill(float *x, float first)
{
    for (int i = 0; i < N; i++) {
        x[i] = first + (float)i;
    }
}

static void an_execution_runs(void **state)
{
    static float x[N], w[N], out[N];
    int code = 1;
    rt_program *p = program(&code);
    ir_error e = {0};

    (void)state;
    frees = 0;
    for (int threads = 1; threads <= 3; threads++) {
        rt_pool *pool = rt_pool_new(threads);
        rt_exec *run = rt_exec_new(p, pool, &e);

        assert_non_null(run);
        assert_int_equal((uintptr_t)run->arena % 64, 0);
        fill(x, 0);
        fill(w, 5);
        rt_exec_input(run, 0, x);
        rt_exec_input(run, 1, w);
        rt_exec_output(run, 0, out);
        rt_exec_run(run);
        rt_exec_run(run); /* reads the w that the first run wrote */
        for (int i = 0; i < N; i++) {
            assert_true(out[i] == 205 + 3 * (float)i && w[i] == out[i]);
        }
        rt_exec_free(run);
        rt_pool_free(pool);
    }
    rt_program_free(p);
    assert_int_equal(frees, 1);
}

static void count_visit(void *user, int kernel)
{
    int *visits = user;

    assert_int_equal(kernel, *visits % 2);
    ++*visits;
}

static void a_timed_run_gives_the_same(void **state)
{
    static float x[N], w[N], out[N];
    double ns[2] = {0, 0}, first;
    int code = 1, visits = 0;
    rt_program *p = program(&code);
    rt_pool *pool = rt_pool_new(2);
    ir_error e = {0};
    rt_exec *run = rt_exec_new(p, pool, &e);

    (void)state;
    assert_non_null(run);
    fill(x, 0);
    fill(w, 5);
    rt_exec_input(run, 0, x);
    rt_exec_input(run, 1, w);
    rt_exec_output(run, 0, out);
    rt_exec_run_timed(run, ns, count_visit, &visits);
    first = ns[0];
    assert_true(ns[0] > 0 && ns[1] > 0);
    rt_exec_run_timed(run, ns, count_visit, &visits);
    assert_true(ns[0] > first); /* added up */
    assert_int_equal(visits, 4);
    for (int i = 0; i < N; i++) {
        assert_true(out[i] == 205 + 3 * (float)i && w[i] == out[i]);
    }
    rt_exec_run_timed(run, NULL, NULL, NULL);
    assert_true(out[1] == 305 + 4);
    rt_exec_free(run);
    rt_pool_free(pool);
    rt_program_free(p);
}

static void several_executions(void **state)
{
    static float x[N], w[2][N], out[2][N];
    int code = 1;
    rt_program *p = program(&code);
    ir_error e = {0};
    rt_exec *run[2];

    (void)state;
    fill(x, 0);
    for (int i = 0; i < 2; i++) {
        fill(w[i], (float)i);
        run[i] = rt_exec_new(p, NULL, &e);
        assert_non_null(run[i]);
        rt_exec_input(run[i], 0, x);
        rt_exec_input(run[i], 1, w[i]);
        rt_exec_output(run[i], 0, out[i]);
    }
    assert_ptr_not_equal(run[0]->arena, run[1]->arena);
    rt_exec_run(run[0]);
    rt_exec_run(run[1]);
    assert_true(out[0][3] == 106 && out[1][3] == 107);
    rt_exec_free(run[0]);
    rt_exec_free(run[1]);
    rt_program_free(p);
}

static void an_arena_too_large(void **state)
{
    int code = 1;
    rt_program *p = program(&code);
    ir_error e = {0};

    (void)state;
    p->graph->buffers.arena_bytes = SIZE_MAX / 4;
    assert_null(rt_exec_new(p, NULL, &e));
    assert_int_equal(e.status, IR_ENOMEM);
    assert_non_null(strstr(e.text, "arena"));
    rt_program_free(p);
    rt_exec_free(NULL);
    rt_program_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_execution_runs),
        cmocka_unit_test(a_timed_run_gives_the_same),
        cmocka_unit_test(several_executions),
        cmocka_unit_test(an_arena_too_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
