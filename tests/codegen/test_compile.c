/* tests/codegen/test_compile.c: whole programs: fused and planned graphs with gradients, equal kernels
 * emitted once, modules on two threads, assigns, copies, dumps, refusals.
 *
 * ctest-labels: threads */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ir/compose.h"
#include "passes/passes.h"
#include "tests/codegen/lib_codegen.h"

static ir_graph *graph(void)
{
    ir_graph *g = ir_graph_new("test");

    assert_non_null(g);
    return g;
}

static ir_val add_gradients(ir_graph *g, ir_val out, const ir_val *wrt, int n)
{
    ir_ref refs[8], grads[8], o = ir_ref_of(out);

    for (int i = 0; i < n; i++)
        refs[i] = ir_ref_of(wrt[i]);
    assert_int_equal(pass_gradient(g, &o, NULL, 1, refs, n, grads), IR_OK);
    for (int i = 0; i < n; i++)
        test_output(g, ir_val_of(grads[i]));
    return out;
}

static void test_seed(void **state)
{
    ir_graph *g = graph();
    ir_type t = TEST_TYPE(IR_DT_f32, 1);
    ir_val v[2] = {test_input(g, "x", t), test_input(g, "w", t)};
    ir_val y = ir_e_mul(&g->sink, ir_e_add(&g->sink, v[0], v[1]),
                        ir_e_add(&g->sink, v[1], ir_e_like(&g->sink, v[1], 1)));

    (void)state;
    test_output(g, y);
    y = ir_e_reduce(&g->sink, IR_reduce_sum, y, (const int[]){0}, 1, false);
    add_gradients(g, y, v, 2);
    test_check(test_fuse_plan(g), false);
}

/* Two layers, softmax, a loss and its gradients: every kind of kernel, through fuse and plan. */
static ir_graph *network(int64_t batch, int64_t in, int64_t hidden, int64_t out)
{
    ir_graph *g = graph();
    ir_val x = test_input(g, "x", TEST_TYPE(IR_DT_f32, batch, in));
    ir_val p[4] = {test_input(g, "w1", TEST_TYPE(IR_DT_f32, hidden, in)),
                   test_input(g, "b1", TEST_TYPE(IR_DT_f32, hidden)),
                   test_input(g, "w2", TEST_TYPE(IR_DT_f32, out, hidden)),
                   test_input(g, "b2", TEST_TYPE(IR_DT_f32, out))};
    ir_val h = ir_e_relu(&g->sink, ir_c_linear(&g->sink, x, p[0], p[1]));
    ir_val y = ir_c_log_softmax(&g->sink, ir_c_linear(&g->sink, h, p[2], p[3]), 1);
    ir_val loss =
        ir_e_reduce(&g->sink, IR_reduce_sum, ir_e_mul(&g->sink, y, y), (const int[]){0, 1}, 2, false);

    test_output(g, loss);
    add_gradients(g, loss, p, 4);
    return g;
}

static void test_network(void **state)
{
    (void)state;
    test_check(test_fuse_plan(network(1, 3, 5, 2)), false);
    test_check(test_fuse_plan(network(33, 20, 70, 10)), false);
}

/* Twelve equal kernels at other places: one body and twelve thunks, and the numbers of each. */
static ir_graph *repeated(void)
{
    ir_graph *g = graph();
    ir_val y = test_input(g, "x", TEST_TYPE(IR_DT_f32, 9, 40));

    for (int i = 0; i < 12; i++) {
        char name[8] = {'w', (char)('a' + i)};
        ir_val w = test_input(g, name, TEST_TYPE(IR_DT_f32, 40, 40));
        y = ir_e_tanh(&g->sink, ir_c_matmul(&g->sink, y, w));
    }
    test_output(g, y);
    return test_fuse_plan(g);
}

static int count_text(const char *text, const char *what)
{
    int n = 0;

    for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

static void test_shared_code(void **state)
{
    const cg_api *api = tdm_codegen_entry(CG_ABI, &test_host);
    cg_options o = {.threads = 2};
    ir_error e = {0};
    char *text = NULL;
    ir_graph *g = repeated();
    int kernels = g->kernels.count;

    (void)state;
    assert_true(kernels >= 12);
    assert_int_equal(api->dump(g, &o, CG_DUMP_LLVM, &text, &e), IR_OK);
    int bodies = count_text(text, "define internal"), thunks = count_text(text, "tail call void");
    assert_true(bodies >= 1 && thunks >= bodies + 11);
    assert_int_equal(count_text(text, "\ndefine hidden void"), kernels + 1); /* and the entry */
    free(text);
    assert_int_equal(api->dump(g, &o, CG_DUMP_ASM, &text, &e), IR_OK);
    assert_non_null(strstr(text, "tandem_entry:"));
    free(text);
    test_check(g, false);
}

/* A train step: variables written straight or by copy. */
static void test_assign(void **state)
{
    ir_graph *g = graph();
    ir_type t = TEST_TYPE(IR_DT_f32, 33);
    ir_ref w = ir_graph_variable(g, "w", &t), m = ir_graph_variable(g, "m", &t);
    ir_val x = test_input(g, "x", t);
    ir_val grad = ir_e_mul(&g->sink, x, ir_val_of(w));
    ir_val moment = ir_e_add(&g->sink, ir_e_mul(&g->sink, ir_val_of(m), ir_e_like(&g->sink, x, 0.9)), grad);

    (void)state;
    ir_graph_assign(g, m, ir_ref_of(moment));
    ir_graph_assign(g, w, ir_ref_of(ir_e_sub(&g->sink, ir_val_of(w), moment)));
    test_output(g, grad);
    test_output(g, x);
    test_check(test_fuse_plan(g), false);
}

static void test_refusals(void **state)
{
    ir_graph *g = repeated();
    rt_program p = {0};
    ir_error e = {0};

    (void)state;
    assert_null(tdm_codegen_entry(CG_ABI + 1, &test_host));
    assert_int_equal(test_compile(g, &(cg_options){.lanes = 5, .threads = 1}, &p, &e), IR_EARG);
    e = (ir_error){0};
    assert_int_equal(test_compile(g, &(cg_options){.isa = "z80", .threads = 1}, &p, &e), IR_EARG);
    assert_non_null(strstr(e.text, "z80"));
    ir_graph_free(g);
}

/* perf's map names every kernel, shared bodies too. */
static void test_debug_names(void **state)
{
    cg_options o = {.threads = 2, .debug_info = true};
    rt_program p = {0};
    ir_error e = {0};
    char path[64], text[65536];

    (void)state;
    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    remove(path);
    if (test_compile(repeated(), &o, &p, &e) != IR_OK)
        fail_msg("%s", e.text);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    remove(path);
    for (int i = 0; i < p.kernel_count; i++)
        assert_non_null(strstr(text, p.kernels[i].name));
    assert_non_null(strstr(text, ".body\n"));
    rt_program_free(&p);
}

static void test_host_info(void **state)
{
    const cg_api *api = tdm_codegen_entry(CG_ABI, &test_host);
    char cpu[64] = "", version[32] = "";
    int lanes = 0;

    (void)state;
    api->host(cpu, sizeof cpu, &lanes, version, sizeof version);
    assert_true(cpu[0] != 0 && (lanes == 4 || lanes == 8 || lanes == 16));
    assert_int_equal(strncmp(version, "19.", 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed),      cmocka_unit_test(test_network),  cmocka_unit_test(test_shared_code),
        cmocka_unit_test(test_assign),    cmocka_unit_test(test_refusals), cmocka_unit_test(test_debug_names),
        cmocka_unit_test(test_host_info),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
