/* tests/passes/test_fuse.c: which kernels the pass makes, and what every kernel list must keep.
 *
 * The first part looks at known models: what should be one kernel is one.  The second checks random graphs:
 * kernels are legal and ordered, what is costly is computed once, and everything that is wanted is stored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ir/compose.h"
#include "ir/emit.h"
#include "ir/map.h"
#include "passes/passes.h"
#include "tests/passes/lib_random.h"

static ir_graph *g;
static ir_sink *s;

static void open_graph(const char *name)
{
    g = ir_graph_new(name);
    assert_non_null(g);
    s = &g->sink;
}

static ir_val input(const char *name, int64_t rows, int64_t columns)
{
    ir_type t = ir_type_make(IR_DT_f32, columns ? 2 : 1, (int64_t[]){rows, columns});

    return ir_val_of(ir_graph_input(g, name, &t));
}

static ir_val variable(const char *name, int64_t rows, int64_t columns)
{
    ir_type t = ir_type_make(IR_DT_f32, columns ? 2 : 1, (int64_t[]){rows, columns});

    return ir_val_of(ir_graph_variable(g, name, &t));
}

static void output(const char *name, ir_val v)
{
    assert_int_equal(ir_graph_output(g, name, ir_ref_of(v)), IR_OK);
}

static int count_kind(const ir_graph *out, ir_kernel_kind kind)
{
    int n = 0;

    for (int i = 0; i < out->kernels.count; i++) {
        n += out->kernels.items[i].kind == kind;
    }
    return n;
}

/* How many kernels compute an op. */
static int count_op(const ir_graph *out, ir_op op)
{
    int n = 0;

    for (int i = 0; i < out->kernels.count; i++) {
        for (int j = 0; j < out->kernels.items[i].node_count; j++) {
            if (out->nodes[out->kernels.items[i].nodes[j]].op == op) {
                n++;
                break;
            }
        }
    }
    return n;
}

/* The open graph through the passes, for two threads. */
static ir_graph *through(void)
{
    static const char *const names[] = {"simplify", "cse", "dce", "block", "fuse", "chain", "plan"};
    enum { COUNT = sizeof names / sizeof names[0] };
    const pass_info *passes[COUNT];
    ir_error e = {0};
    pass_context pc = {.err = &e, .threads = 2};

    for (int i = 0; i < COUNT; i++) {
        passes[i] = pass_find(names[i]);
    }
    ir_graph *out = pass_run(&pc, g, passes, COUNT, NULL, NULL, NULL, NULL);
    if (!out) {
        fail_msg("%s", e.text);
    }
    return out;
}

/* Fuses the open graph, which must become `count` kernels, and frees it. */
static ir_graph *fused(int count)
{
    ir_graph *out;

    assert_int_equal(g->error.status, IR_OK);
    out = through();
    if (out->kernels.count != count) {
        for (int i = 0; i < out->kernels.count; i++) {
            print_message("  %s\n", out->kernels.items[i].name);
        }
    }
    assert_int_equal(out->kernels.count, count);
    ir_graph_free(g);
    return out;
}

static void one_kernel(ir_kernel_kind kind, const char *name)
{
    ir_graph *out = fused(1);

    assert_int_equal(out->kernels.items[0].kind, kind);
    assert_string_equal(out->kernels.items[0].name, name);
    ir_graph_free(out);
}

/* ---- known models ------------------------------------------------------------------------------------ */

static void test_rows_are_one_kernel(void **state)
{
    (void)state;
    open_graph("softmax");
    output("y", ir_c_softmax(s, input("x", 64, 100), -1));
    one_kernel(IR_K_ROW, "k0_softmax");
    open_graph("layer_norm");
    output("y", ir_c_layer_norm(s, input("x", 64, 100), input("w", 100, 0), input("b", 100, 0), 1e-5));
    one_kernel(IR_K_ROW, "k0_layer_norm");
    open_graph("logsumexp");
    output("y", ir_c_logsumexp(s, input("x", 64, 100), -1, false));
    one_kernel(IR_K_ROW, "k0_logsumexp");
}

static void test_rows_backward(void **state)
{
    ir_ref y, dy, x, dx, wrt[3], grads[3];
    ir_graph *out;

    (void)state;
    open_graph("softmax_vjp");
    x = ir_ref_of(input("x", 64, 100));
    dy = ir_ref_of(input("dy", 64, 100));
    y = ir_ref_of(ir_c_softmax(s, ir_val_of(x), -1));
    assert_int_equal(pass_gradient(g, &y, &dy, 1, &x, 1, &dx), IR_OK);
    output("dx", ir_val_of(dx));
    one_kernel(IR_K_ROW, "k0_softmax");

    open_graph("layer_norm_vjp");
    wrt[0] = ir_ref_of(input("x", 64, 100));
    wrt[1] = ir_ref_of(input("w", 100, 0));
    wrt[2] = ir_ref_of(input("b", 100, 0));
    dy = ir_ref_of(input("dy", 64, 100));
    y = ir_ref_of(ir_c_layer_norm(s, ir_val_of(wrt[0]), ir_val_of(wrt[1]), ir_val_of(wrt[2]), 1e-5));
    assert_int_equal(pass_gradient(g, &y, &dy, 1, wrt, 3, grads), IR_OK);
    output("dx", ir_val_of(grads[0]));
    output("dw", ir_val_of(grads[1]));
    output("db", ir_val_of(grads[2]));
    out = fused(2); /* dx by rows; dw and db in one sweep down the columns */
    assert_int_equal(count_kind(out, IR_K_ROW), 1);
    assert_int_equal(count_kind(out, IR_K_OUTER), 1);
    /* Besides its outputs the row kernel stores two numbers a row: the normalised x is computed again. */
    for (int i = 0; i < out->buffers.count; i++) {
        assert_true(out->buffers.items[i].kind != IR_B_ARENA || out->buffers.items[i].bytes == 64 * 4);
    }
    ir_graph_free(out);
}

/* The gradients of the weights of big values: sums of blocks of rows go along with the rows, and the blocks
 * are summed afterwards; small ones, few blocks and rows of another length keep to themselves. */
static void test_rows_backward_in_blocks(void **state)
{
    static const int64_t sizes[][2] = {{4096, 1024}, {1024, 1024}, {2048, 100}, {2000, 1024}, {4096, 8192}};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int64_t rows = sizes[i][0], n = sizes[i][1];
        ir_ref y, dy, wrt[3], grads[3];
        int sums = 0;

        open_graph("layer_norm_vjp");
        wrt[0] = ir_ref_of(input("x", rows, n));
        wrt[1] = ir_ref_of(input("w", n, 0));
        wrt[2] = ir_ref_of(input("b", n, 0));
        dy = ir_ref_of(input("dy", rows, n));
        y = ir_ref_of(ir_c_layer_norm(s, ir_val_of(wrt[0]), ir_val_of(wrt[1]), ir_val_of(wrt[2]), 1e-5));
        assert_int_equal(pass_gradient(g, &y, &dy, 1, wrt, 3, grads), IR_OK);
        output("dx", ir_val_of(grads[0]));
        output("dw", ir_val_of(grads[1]));
        output("db", ir_val_of(grads[2]));
        ir_graph *out = through();
        for (int k = 0; k < out->kernels.items[0].out_count; k++) {
            const ir_type *t = &out->nodes[out->kernels.items[0].outs[k]].type;

            sums += t->dims[0] == rows / 512 && t->dims[1] == n;
        }
        assert_int_equal(out->kernels.items[0].kind, IR_K_ROW);
        assert_int_equal(sums, i == 0 ? 2 : 0);
        for (int k = 1; k < out->kernels.count; k++) { /* read x and dy again, or blocks */
            const ir_node *root = &out->nodes[out->kernels.items[k].root];

            assert_int_equal(out->kernels.items[k].kind, IR_K_OUTER);
            assert_int_equal(out->nodes[root->x[0]].type.dims[0], i == 0 ? 8 : rows);
        }
        ir_graph_free(out);
        ir_graph_free(g);
    }
}

static void test_cross_entropy(void **state)
{
    ir_type t = ir_type_make(IR_DT_i64, 1, (int64_t[]){64});
    ir_graph *out;

    (void)state;
    open_graph("loss");
    output("loss", ir_c_cross_entropy(s, input("x", 64, 10), ir_val_of(ir_graph_input(g, "t", &t)),
                                      &(ir_class_loss){0}));
    out = fused(2); /* the rows; their mean */
    assert_int_equal(count_kind(out, IR_K_ROW), 2);
    ir_graph_free(out);
}

static void test_epilogues(void **state)
{
    ir_val x, w, b, y;
    ir_graph *out;

    (void)state;
    open_graph("gelu");
    x = input("x", 32, 16);
    w = input("w", 24, 16);
    b = input("b", 24, 0);
    output("y", ir_c_gelu(s, ir_c_linear(s, x, w, b), true));
    one_kernel(IR_K_CONTRACT, "k0_linear+gelu");

    /* A residual joins the product; the norm, which needs whole rows, does not. */
    open_graph("residual");
    x = input("x", 32, 16);
    w = input("w", 16, 16);
    y = ir_e_add(s, ir_c_linear(s, x, w, 0), x);
    output("y", ir_e_add(s, ir_c_layer_norm(s, y, 0, 0, 1e-5), y));
    out = fused(2);
    assert_int_equal(out->kernels.items[0].kind, IR_K_CONTRACT);
    assert_int_equal(out->kernels.items[0].node_count, 2);
    ir_graph_free(out);

    /* Below m n = 64 a product is a tree: a ROW kernel, with its consumers. */
    open_graph("tree");
    x = input("x", 4, 100);
    w = input("w", 10, 100);
    output("y", ir_e_relu(s, ir_c_linear(s, x, w, input("b", 10, 0))));
    one_kernel(IR_K_ROW, "k0_linear+relu");
}

/* The mask of relu's gradient reads y, which is in memory anyway, inside the backward product. */
static void test_mask_goes_backward(void **state)
{
    ir_val x, w, v, y;
    ir_ref out, none = IR_NONE, wrt[2], grads[2];
    ir_graph *f;
    const int axes[] = {0, 1};

    (void)state;
    open_graph("mask");
    x = input("x", 32, 16);
    w = input("w", 24, 16);
    v = input("v", 20, 24);
    y = ir_c_linear(s, ir_e_relu(s, ir_c_linear(s, x, w, 0)), v, 0);
    out = ir_ref_of(ir_e_reduce(s, IR_reduce_sum, ir_c_square(s, y), axes, 2, false));
    wrt[0] = ir_ref_of(w);
    wrt[1] = ir_ref_of(v);
    assert_int_equal(pass_gradient(g, &out, &none, 1, wrt, 2, grads), IR_OK);
    output("dw", ir_val_of(grads[0]));
    output("dv", ir_val_of(grads[1]));
    f = fused(5);
    assert_int_equal(count_kind(f, IR_K_CONTRACT), 5);
    for (int i = 0; i < f->buffers.count; i++) {
        assert_int_not_equal(f->nodes[f->buffers.items[i].node].type.dtype, IR_DT_bool);
    }
    ir_graph_free(f);
}

/* MLP, loss, gradients and Adam: nothing is copied, every variable is updated in its own storage. */
static void test_train_step(void **state)
{
    ir_type t = ir_type_make(IR_DT_i64, 1, (int64_t[]){128}), scalar = ir_type_make(IR_DT_f64, 0, NULL);
    const ir_adam how = {0.9, 0.999, 1e-8, 0, false};
    ir_val p[4], h, step, lr, next;
    ir_ref loss, none = IR_NONE, wrt[4], grads[4];
    ir_graph *out;

    (void)state;
    open_graph("train");
    p[0] = variable("w0", 256, 784);
    p[1] = variable("b0", 256, 0);
    p[2] = variable("w1", 10, 256);
    p[3] = variable("b1", 10, 0);
    step = ir_val_of(ir_graph_variable(g, "step", &scalar));
    lr = ir_val_of(ir_graph_variable(g, "lr", &scalar));
    next = ir_e_add(s, step, ir_e_like(s, step, 1));
    h = ir_e_relu(s, ir_c_linear(s, input("x", 128, 784), p[0], p[1]));
    loss = ir_ref_of(ir_c_cross_entropy(s, ir_c_linear(s, h, p[2], p[3]),
                                        ir_val_of(ir_graph_input(g, "t", &t)), &(ir_class_loss){0}));
    for (int i = 0; i < 4; i++) {
        wrt[i] = ir_ref_of(p[i]);
    }
    assert_int_equal(pass_gradient(g, &loss, &none, 1, wrt, 4, grads), IR_OK);
    for (int i = 0; i < 4; i++) {
        char names[2][16];
        ir_ref m, v;
        ir_val mv, vv, q;

        snprintf(names[0], sizeof names[0], "m%d", i);
        snprintf(names[1], sizeof names[1], "v%d", i);
        m = ir_graph_variable(g, names[0], &g->nodes[wrt[i]].type);
        v = ir_graph_variable(g, names[1], &g->nodes[wrt[i]].type);
        mv = ir_val_of(m);
        vv = ir_val_of(v);
        q = ir_c_adam(s, p[i], ir_val_of(grads[i]), &mv, &vv, NULL, next, lr, &how);
        ir_graph_assign(g, wrt[i], ir_ref_of(q));
        ir_graph_assign(g, m, ir_ref_of(mv));
        ir_graph_assign(g, v, ir_ref_of(vv));
    }
    ir_graph_assign(g, ir_ref_of(step), ir_ref_of(next));
    output("loss", ir_val_of(loss));
    out = fused(10);
    assert_int_equal(out->buffers.copy_count, 0);
    for (int i = 0; i < out->buffers.count; i++) { /* no gradient of a weight is ever stored */
        assert_true(out->buffers.items[i].kind != IR_B_ARENA || out->buffers.items[i].bytes <= 128 * 256 * 4);
    }
    ir_graph_free(out);
}

static void test_loops(void **state)
{
    ir_val x, y, p, m, v, dp;
    ir_graph *out;
    ir_val step, lr;
    ir_type scalar = ir_type_make(IR_DT_f64, 0, NULL);

    (void)state;
    open_graph("chain");
    x = y = input("x", 1000, 0);
    for (int i = 0; i < 50; i++) {
        y = i % 2 ? ir_e_sin(s, y) : ir_e_mul(s, y, x);
    }
    output("y", y);
    out = fused(1);
    assert_int_equal(out->kernels.items[0].node_count, 50);
    ir_graph_free(out);

    open_graph("optimiser");
    p = variable("p", 50, 20);
    m = variable("m", 50, 20);
    v = variable("v", 50, 20);
    dp = input("g", 50, 20);
    step = ir_val_of(ir_graph_input(g, "step", &scalar));
    lr = ir_val_of(ir_graph_input(g, "lr", &scalar));
    {
        ir_ref mr = ir_ref_of(m), vr = ir_ref_of(v);
        const ir_adam how = {0.9, 0.999, 1e-8, 0.1, true};
        ir_val q = ir_c_adam(s, p, dp, &m, &v, NULL, step, lr, &how);

        ir_graph_assign(g, ir_ref_of(p), ir_ref_of(q));
        ir_graph_assign(g, mr, ir_ref_of(m));
        ir_graph_assign(g, vr, ir_ref_of(v));
    }
    out = fused(1); /* the scalars of the step included */
    assert_int_equal(out->kernels.items[0].out_count, 3);
    ir_graph_free(out);
}

/* exp(x) is needed before and after its column sums: one kernel would wait for itself. */
static void test_no_cycles(void **state)
{
    ir_val x, y, c;
    ir_graph *out;
    const int axis = 0;

    (void)state;
    open_graph("cycle");
    x = input("x", 40, 30);
    y = ir_e_exp(s, x);
    c = ir_e_broadcast(s, ir_e_reduce(s, IR_reduce_sum, y, &axis, 1, false), 2, (int64_t[]){40, 30});
    output("y", ir_e_div(s, y, c));
    out = fused(3);
    assert_int_equal(count_op(out, IR_exp), 1);
    assert_int_equal(out->kernels.items[1].kind, IR_K_OUTER);
    ir_graph_free(out);
}

/* What costs is not computed again for every row that reads it; what is cheap is. */
static void test_recomputation(void **state)
{
    ir_val w, x;

    (void)state;
    open_graph("costly");
    x = input("x", 400, 30);
    w = ir_e_broadcast(s, ir_e_exp(s, input("w", 30, 0)), 2, (int64_t[]){400, 30});
    output("y", ir_e_mul(s, x, w));
    ir_graph_free(fused(2));
    open_graph("cheap");
    x = input("x", 400, 30);
    w = ir_e_broadcast(s, ir_e_neg(s, input("w", 30, 0)), 2, (int64_t[]){400, 30});
    output("y", ir_e_mul(s, x, w));
    ir_graph_free(fused(1));
}

static void test_outputs_that_are_views(void **state)
{
    ir_val x, y;
    ir_graph *out;

    (void)state;
    open_graph("views");
    x = input("x", 6, 4);
    y = ir_e_exp(s, x);
    output("flat", ir_e_reshape(s, y, 1, (int64_t[]){24}));
    output("turned", ir_e_transpose(s, x, (int[]){1, 0}));
    output("same", x);
    output("ones", ir_e_like(s, x, 1));
    out = fused(3);
    assert_int_equal(out->buffers.copy_count, 1); /* the input */
    ir_graph_free(out);
}

static void test_symbols_are_refused(void **state)
{
    ir_error e = {0};
    pass_context pc = {.err = &e};
    const pass_info *fuse = pass_find("fuse");
    ir_type t = {.dtype = IR_DT_f32, .rank = 1};

    (void)state;
    open_graph("symbolic");
    t.dims[0] = ~(int64_t)ir_graph_symbol(g, "n");
    output("y", ir_e_exp(s, ir_val_of(ir_graph_input(g, "x", &t))));
    assert_null(pass_run(&pc, g, &fuse, 1, NULL, NULL, NULL, NULL));
    assert_int_equal(e.status, IR_EUNSUPPORTED);
    ir_graph_free(g);
}

/* ---- any graph --------------------------------------------------------------------------------------- */

typedef struct check {
    const ir_graph *g;
    int *stored; /* node -> kernel that stores it, -1 */
    int kernel;
    uint32_t seed;
} check;

static void check_read(void *user, ir_ref r, const ir_map *m, bool loaded)
{
    check *c = user;
    ir_ref base = r;

    (void)m;
    if (!loaded || ir_ops[c->g->nodes[r].op].cls == IR_LEAF) {
        return;
    }
    while (c->stored[base] < 0 && ir_shares_bytes(c->g->nodes[base].op)) {
        base = c->g->nodes[base].x[0];
    }
    if (ir_ops[c->g->nodes[base].op].cls != IR_LEAF &&
        (c->stored[base] < 0 || c->stored[base] >= c->kernel)) {
        fail_msg("seed %u: kernel %d reads %%%u before it is stored", c->seed, c->kernel, r);
    }
}

static void check_kernels(const ir_graph *f, uint32_t seed)
{
    check c = {f, malloc((f->count + 1) * sizeof(int)), 0, seed};
    int *listed = calloc(f->count + 1, sizeof *listed);

    assert_true(c.stored && listed);
    memset(c.stored, 0xff, (f->count + 1) * sizeof(int));
    for (c.kernel = 0; c.kernel < f->kernels.count; c.kernel++) {
        const ir_kernel *k = &f->kernels.items[c.kernel];

        assert_true(ir_kernel_walk(f, k, check_read, &c));
        for (int i = 0; i < k->out_count; i++) {
            assert_int_equal(c.stored[k->outs[i]], -1);
            c.stored[k->outs[i]] = c.kernel;
        }
        for (int i = 0; i < k->node_count; i++) {
            const ir_op_info *op = &ir_ops[f->nodes[k->nodes[i]].op];
            bool costly = op->cls == IR_REDUCE || op->cls == IR_CONTRACT || op->cls == IR_INDEX ||
                          (op->facts & IR_EXPENSIVE);

            assert_false(costly && listed[k->nodes[i]]++ > 0);
        }
    }
    for (int i = 0; i < f->output_count; i++) {
        ir_ref v = f->outputs[i].value;

        assert_true(c.stored[v] >= 0 || ir_ops[f->nodes[v].op].cls == IR_LEAF);
    }
    for (int i = 0; i < f->assign_count; i++) {
        ir_ref v = f->assigns[i].value;

        assert_true(c.stored[v] >= 0 || ir_ops[f->nodes[v].op].cls == IR_LEAF);
    }
    free(c.stored);
    free(listed);
}

static void test_random_graphs(void **state)
{
    int kinds[IR_K_COUNT] = {0}, shared = 0;

    (void)state;
    for (uint32_t seed = 1000; seed < 1600; seed++) {
        ir_graph *r = random_graph(seed, 4 + (int)(seed % 57), seed % 2), *f = through_passes(r, false);

        check_kernels(f, seed);
        for (int i = 0; i < f->kernels.count; i++) {
            kinds[f->kernels.items[i].kind]++;
            shared += f->kernels.items[i].node_count > 1;
        }
        ir_graph_free(f);
        ir_graph_free(r);
    }
    for (int k = 0; k < IR_K_COUNT; k++) {
        assert_true(kinds[k] > 50); /* every kind was there */
    }
    assert_true(shared > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_one_kernel),
        cmocka_unit_test(test_rows_backward),
        cmocka_unit_test(test_rows_backward_in_blocks),
        cmocka_unit_test(test_cross_entropy),
        cmocka_unit_test(test_epilogues),
        cmocka_unit_test(test_mask_goes_backward),
        cmocka_unit_test(test_train_step),
        cmocka_unit_test(test_loops),
        cmocka_unit_test(test_no_cycles),
        cmocka_unit_test(test_recomputation),
        cmocka_unit_test(test_outputs_that_are_views),
        cmocka_unit_test(test_symbols_are_refused),
        cmocka_unit_test(test_random_graphs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
