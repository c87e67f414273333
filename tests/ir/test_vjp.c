/* tests/ir/test_vjp.c: gradients and second derivatives of every differentiable op and composite against
 * central differences in f64.
 *
 * A case builds y = f(x..); L = <y, c> with random c; its gradients g_i come from pass_gradient on the graph.
 * Then L2 = sum <g_i, c_i>, whose gradients are second derivatives.  Both are compared, element by element,
 * with (L(x + h) - L(x - h)) / 2h.  Pointwise cases are made from the rows of ops.def: a new row is tested
 * without a line here. */
#include <math.h>
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
#include "ir/ir.h"
#include "ir/lib_interp.h"
#include "passes/passes.h"

enum { MAX_IN = 4, MAX_LEAVES = 16, MAX_ELEMENTS = 64 };

typedef ir_val build_fn(ir_sink *s, const ir_val *x);

typedef struct shape {
    ir_dtype dtype;
    int rank;
    int64_t dims[IR_MAX_RANK];
} shape;

typedef struct grad_case {
    const char *name;
    build_fn *build;
    shape in[MAX_IN];
    double lo, hi; /* of float inputs */
    double ints;   /* integer inputs are in [0, ints) */
    ir_op op;      /* of a case made from a row */
} grad_case;

#define F(rank, ...)     \
    {                    \
        IR_DT_f64, rank, \
        {                \
            __VA_ARGS__  \
        }                \
    }
#define I(rank, ...)     \
    {                    \
        IR_DT_i64, rank, \
        {                \
            __VA_ARGS__  \
        }                \
    }

/* ---- a case under test --------------------------------------------------------------------------------- */

typedef struct probe {
    const char *name;
    ir_graph *g;
    int leaves;             /* with data so far */
    void *data[MAX_LEAVES]; /* of g->inputs */
    const grad_case *c;
    uint32_t seed;
} probe;

static void give_data(probe *p, double lo, double hi)
{
    for (; p->leaves < p->g->input_count; p->leaves++) {
        ir_type t = p->g->nodes[p->g->inputs[p->leaves]].type;
        bool real = ir_dtype_is_float(t.dtype);
        assert_true(p->leaves < MAX_LEAVES && ir_type_elements(&t) <= MAX_ELEMENTS);
        p->data[p->leaves] = malloc(ir_type_bytes(&t));
        assert_non_null(p->data[p->leaves]);
        interp_fill(p->data[p->leaves], &t, real ? lo : 0, real ? hi : p->c->ints, &p->seed);
    }
}

static double value_of(const probe *p, ir_ref scalar)
{
    void **values = calloc(p->g->count, sizeof *values);
    const void *leaves[MAX_LEAVES];

    assert_non_null(values);
    memcpy(leaves, p->data, sizeof leaves);
    if (!interp_run(p->g, leaves, scalar, values)) {
        fail_msg("%s: an op failed", p->name);
    }
    double v = interp_element(values[scalar], IR_DT_f64, 0);
    interp_free(p->g, values);
    free(values);
    return v;
}

/* sum of v times a new input of its type */
static ir_val weighed(probe *p, ir_val v)
{
    char name[32];
    int axes[IR_MAX_RANK];
    ir_sink *s = &p->g->sink;
    ir_type t = *s->type(s, v);

    snprintf(name, sizeof name, "c%d", p->g->input_count);
    for (int i = 0; i < t.rank; i++) {
        axes[i] = i;
    }
    ir_ref c = ir_graph_input(p->g, name, &t);
    return ir_e_reduce(s, IR_reduce_sum, ir_e_mul(s, v, ir_val_of(c)), axes, t.rank, false);
}

/* Compares grads of the scalar with respect to float leaves [0, n) of the case. */
static void check(probe *p, const char *what, ir_ref scalar, const ir_ref *wrt, const int *leaf, int n,
                  const ir_ref *grads)
{
    void **values = calloc(p->g->count, sizeof *values);
    const void *leaves[MAX_LEAVES];

    memcpy(leaves, p->data, sizeof leaves);
    assert_non_null(values);
    assert_true(interp_run(p->g, leaves, p->g->count - 1, values));
    for (int i = 0; i < n; i++) {
        const ir_type *t = &p->g->nodes[wrt[i]].type;
        double *x = p->data[leaf[i]];
        for (int64_t e = 0; e < ir_type_elements(t); e++) {
            double kept = x[e], h = 1e-5 * fmax(1, fabs(kept));
            x[e] = kept + h;
            double up = value_of(p, scalar);
            x[e] = kept - h;
            double down = value_of(p, scalar), expected = (up - down) / (2 * h);
            x[e] = kept;
            double found = grads[i] == IR_NONE ? 0 : interp_element(values[grads[i]], IR_DT_f64, e);
            double scale = fmax(1, fabs(expected)) + 1e-3 * fabs(up);
            if (!(fabs(found - expected) <= 2e-6 * scale)) {
                fail_msg("%s: %s by operand %d, element %d: %.12g, differences give %.12g", p->name, what, i,
                         (int)e, found, expected);
            }
        }
    }
    interp_free(p->g, values);
    free(values);
}

static void run_probe(probe *p, ir_val y, const ir_ref *wrt, const int *leaf, int n)
{
    ir_ref grads[MAX_IN], second[MAX_IN];
    ir_sink *s = &p->g->sink;
    ir_val l2 = 0;

    ir_val l = weighed(p, y);
    ir_ref lr = l ? ir_ref_of(l) : IR_NONE;
    if (pass_gradient(p->g, &lr, NULL, 1, wrt, n, grads) != IR_OK) {
        fail_msg("%s: %s", p->name, p->g->error.text);
    }
    give_data(p, -1, 1);
    check(p, "gradient", lr, wrt, leaf, n, grads);
    for (int i = 0; i < n; i++) {
        if (grads[i] != IR_NONE) {
            ir_val part = weighed(p, ir_val_of(grads[i]));
            l2 = l2 ? ir_e_add(s, l2, part) : part;
        }
    }
    give_data(p, -1, 1);
    if (!l2) {
        return;
    }
    lr = ir_ref_of(l2);
    if (pass_gradient(p->g, &lr, NULL, 1, wrt, n, second) != IR_OK) {
        fail_msg("%s: second derivative: %s", p->name, p->g->error.text);
    }
    check(p, "second derivative", lr, wrt, leaf, n, second);
}

static void run_case(const grad_case *c, ir_val (*build)(ir_sink *, const grad_case *, const ir_val *))
{
    probe p = {.name = c->name, .c = c, .seed = 12345, .g = ir_graph_new("case")};
    ir_val x[MAX_IN] = {0};
    ir_ref wrt[MAX_IN];
    ir_error err = {0};
    int leaf[MAX_IN], n = 0;

    assert_non_null(p.g);
    for (int i = 0; i < MAX_IN && (c->in[i].rank || c->in[i].dtype); i++) {
        char name[32];
        ir_type t = ir_type_make(c->in[i].dtype, c->in[i].rank, c->in[i].dims);
        snprintf(name, sizeof name, "x%d", i);
        ir_ref r = ir_graph_input(p.g, name, &t);
        x[i] = ir_val_of(r);
        if (ir_dtype_is_float(t.dtype)) {
            leaf[n] = i;
            wrt[n++] = r;
        }
    }
    give_data(&p, c->lo, c->hi);
    ir_val y = build(&p.g->sink, c, x);
    if (!y) {
        fail_msg("%s: %s", p.name, p.g->error.text);
    }
    run_probe(&p, y, wrt, leaf, n);
    assert_int_equal(ir_verify(p.g, &err), IR_OK);
    for (int i = 0; i < MAX_LEAVES; i++) {
        free(p.data[i]);
    }
    ir_graph_free(p.g);
}

/* ---- rows of ops.def ----------------------------------------------------------------------------------- */

static ir_val build_row(ir_sink *s, const grad_case *c, const ir_val *x)
{
    return ir_emit(s, c->op, NULL, x, ir_ops[c->op].arity);
}

static void pointwise_rows(void **state)
{
    int tested = 0;

    (void)state;
    for (int op = 0; op < IR_OP_COUNT; op++) {
        const ir_op_info *info = &ir_ops[op];
        bool plain = info->cls == IR_POINTWISE && op != IR_convert && op != IR_clamp;
        if (!plain || !(info->dtypes & D_(f64)) || info->facts & IR_NO_GRAD) {
            continue;
        }
        grad_case c = {.name = info->name, .op = (ir_op)op, .lo = info->lo, .hi = info->hi, .ints = 2};
        for (int i = 0; i < info->arity; i++) {
            c.in[i] = (shape)F(2, 3, 5);
        }
        c.in[0].dtype = op == IR_select ? IR_DT_bool : IR_DT_f64;
        run_case(&c, build_row);
        tested++;
    }
    assert_true(tested >= 20);
}

/* ---- ops with attributes ------------------------------------------------------------------------------- */

static ir_val b_reshape(ir_sink *s, const ir_val *x)
{
    return ir_e_reshape(s, x[0], 1, (const int64_t[]){12});
}

static ir_val b_transpose(ir_sink *s, const ir_val *x)
{
    return ir_e_transpose(s, x[0], (const int[]){2, 0, 1});
}

static ir_val b_broadcast(ir_sink *s, const ir_val *x)
{
    return ir_e_broadcast(s, x[0], 4, (const int64_t[]){1, 2, 3, 4});
}

static ir_val b_slice(ir_sink *s, const ir_val *x)
{
    return ir_e_slice(s, x[0], (const int64_t[]){0, 1}, (const int64_t[]){3, 7}, (const int64_t[]){2, 3});
}

static ir_val b_pad(ir_sink *s, const ir_val *x)
{
    return ir_e_pad(s, x[0], (const int64_t[]){1, 0}, (const int64_t[]){0, 2}, (const int64_t[]){0, 2});
}

static ir_val b_reverse(ir_sink *s, const ir_val *x)
{
    return ir_e_mul(s, ir_e_reverse(s, x[0], (const int[]){1}, 1), x[0]);
}

static ir_val b_concat(ir_sink *s, const ir_val *x)
{
    return ir_c_square(s, ir_e_concat(s, (const ir_val[]){x[0], x[1], x[0]}, 3, 1));
}

static ir_val b_convert(ir_sink *s, const ir_val *x)
{
    return ir_e_convert(s, ir_e_convert(s, ir_e_mul(s, x[0], x[0]), IR_DT_f64), IR_DT_f64);
}

static ir_val b_clamp(ir_sink *s, const ir_val *x)
{
    return ir_e_clamp(s, ir_e_mul(s, x[0], x[0]), 0.25, 1.5);
}

static ir_val b_gather(ir_sink *s, const ir_val *x)
{
    return ir_e_gather(s, ir_e_mul(s, x[0], x[0]), x[1]);
}

static ir_val b_scatter_add(ir_sink *s, const ir_val *x)
{
    return ir_c_square(s, ir_e_scatter_add(s, x[0], x[1], x[2]));
}

static ir_val b_sum_inner(ir_sink *s, const ir_val *x)
{
    return ir_e_reduce(s, IR_reduce_sum, ir_e_exp(s, x[0]), (const int[]){2}, 1, false);
}

static ir_val b_sum_runs(ir_sink *s, const ir_val *x)
{
    return ir_e_reduce(s, IR_reduce_sum, ir_e_exp(s, x[0]), (const int[]){2, 0}, 2, true);
}

static ir_val b_max(ir_sink *s, const ir_val *x)
{
    return ir_c_square(s, ir_e_reduce(s, IR_reduce_max, x[0], (const int[]){0, 2}, 2, false));
}

static ir_val b_min(ir_sink *s, const ir_val *x)
{
    return ir_c_square(s, ir_e_reduce(s, IR_reduce_min, x[0], (const int[]){1}, 1, true));
}

/* x [k0, b, m0, m1, k1], z [n, k1, b, k0]: batch and contracted axes in the middle, k listed against the
 * order of x */
static ir_val b_dot_anywhere(ir_sink *s, const ir_val *x)
{
    ir_attrs a = {.n = 1, .nk = 2};

    a.dot.lhs_batch[0] = 1;
    a.dot.rhs_batch[0] = 2;
    a.dot.lhs_k[0] = 4;
    a.dot.lhs_k[1] = 0;
    a.dot.rhs_k[0] = 1;
    a.dot.rhs_k[1] = 3;
    return ir_e_dot(s, x[0], x[1], &a);
}

/* no contracted axes: an outer product by batches that are listed in descending order */
static ir_val b_dot_outer(ir_sink *s, const ir_val *x)
{
    ir_attrs a = {.n = 2};

    a.dot.lhs_batch[0] = 2;
    a.dot.lhs_batch[1] = 0;
    a.dot.rhs_batch[0] = 0;
    a.dot.rhs_batch[1] = 1;
    return ir_e_dot(s, x[0], x[1], &a);
}

/* ---- composites ---------------------------------------------------------------------------------------- */

static ir_val b_binary(ir_sink *s, const ir_val *x)
{
    return ir_c_binary(s, IR_mul, x[0], x[1]);
}

static ir_val b_select(ir_sink *s, const ir_val *x)
{
    return ir_c_select(s, ir_e_gt(s, x[0], ir_e_like(s, x[0], 0.1)), ir_c_square(s, x[1]), x[2]);
}

static ir_val b_mean(ir_sink *s, const ir_val *x)
{
    return ir_c_mean(s, ir_c_square(s, x[0]), (const int[]){-1, 0}, 2, false);
}

static ir_val b_var(ir_sink *s, const ir_val *x)
{
    return ir_c_var(s, x[0], (const int[]){1}, 1, 1, true);
}

static ir_val b_matmul(ir_sink *s, const ir_val *x)
{
    return ir_c_matmul(s, x[0], x[1]);
}

static ir_val b_linear(ir_sink *s, const ir_val *x)
{
    return ir_c_linear(s, x[0], x[1], x[2]);
}

static ir_val b_embedding(ir_sink *s, const ir_val *x)
{
    return ir_c_square(s, ir_c_embedding(s, x[0], x[1]));
}

static ir_val b_gelu_erf(ir_sink *s, const ir_val *x)
{
    return ir_c_gelu(s, x[0], false);
}

static ir_val b_gelu_tanh(ir_sink *s, const ir_val *x)
{
    return ir_c_gelu(s, x[0], true);
}

static ir_val b_silu(ir_sink *s, const ir_val *x)
{
    return ir_c_silu(s, x[0]);
}

static ir_val b_logsumexp(ir_sink *s, const ir_val *x)
{
    return ir_c_logsumexp(s, x[0], 0, false);
}

static ir_val b_softmax(ir_sink *s, const ir_val *x)
{
    return ir_c_softmax(s, x[0], -1);
}

static ir_val b_softmax_outer(ir_sink *s, const ir_val *x)
{
    return ir_c_softmax(s, x[0], 0);
}

static ir_val b_log_softmax(ir_sink *s, const ir_val *x)
{
    return ir_c_log_softmax(s, x[0], 1);
}

static ir_val b_layer_norm(ir_sink *s, const ir_val *x)
{
    return ir_c_layer_norm(s, x[0], x[1], x[2], 1e-5);
}

static ir_val b_mse(ir_sink *s, const ir_val *x)
{
    return ir_c_mse(s, x[0], x[1], IR_REDUCE_MEAN);
}

static ir_val b_cross_entropy(ir_sink *s, const ir_val *x)
{
    return ir_c_cross_entropy(s, x[0], x[1], &(ir_class_loss){0});
}

static const grad_case cases[] = {
    {"reshape", b_reshape, {F(3, 2, 3, 2)}, -1, 1, 0, 0},
    {"transpose", b_transpose, {F(3, 2, 3, 4)}, -1, 1, 0, 0},
    {"broadcast", b_broadcast, {F(2, 3, 1)}, -1, 1, 0, 0},
    {"slice", b_slice, {F(2, 3, 8)}, -1, 1, 0, 0},
    {"pad", b_pad, {F(2, 2, 3)}, -1, 1, 0, 0},
    {"reverse", b_reverse, {F(2, 3, 8)}, -1, 1, 0, 0},
    {"concat", b_concat, {F(2, 2, 3), F(2, 2, 1)}, -1, 1, 0, 0},
    {"convert", b_convert, {F(1, 5)}, -1, 1, 0, 0},
    {"clamp", b_clamp, {F(2, 3, 5)}, -2, 2, 0, 0},
    {"gather", b_gather, {F(2, 5, 3), I(2, 2, 4)}, -1, 1, 5, 0},
    {"scatter_add", b_scatter_add, {F(2, 4, 2), I(1, 6), F(2, 6, 2)}, -1, 1, 4, 0},
    {"reduce_sum inner", b_sum_inner, {F(3, 2, 3, 4)}, -1, 1, 0, 0},
    {"reduce_sum runs", b_sum_runs, {F(3, 2, 3, 4)}, -1, 1, 0, 0},
    {"reduce_max", b_max, {F(3, 2, 3, 4)}, -1, 1, 0, 0},
    {"reduce_min", b_min, {F(3, 2, 3, 4)}, -1, 1, 0, 0},
    {"dot_general anywhere", b_dot_anywhere, {F(5, 2, 3, 2, 2, 2), F(4, 2, 2, 3, 2)}, -1, 1, 0, 0},
    {"dot_general outer", b_dot_outer, {F(3, 3, 2, 2), F(3, 2, 3, 2)}, -1, 1, 0, 0},
    {"binary", b_binary, {F(2, 4, 1), F(3, 2, 1, 3)}, -1, 1, 0, 0},
    {"select", b_select, {F(2, 2, 3), F(1, 3), F(2, 2, 1)}, -1, 1, 0, 0},
    {"mean", b_mean, {F(3, 2, 3, 4)}, -1, 1, 0, 0},
    {"var", b_var, {F(2, 3, 5)}, -1, 1, 0, 0},
    {"matmul", b_matmul, {F(2, 3, 4), F(2, 4, 2)}, -1, 1, 0, 0},
    {"matmul vector", b_matmul, {F(1, 4), F(3, 2, 4, 3)}, -1, 1, 0, 0},
    {"matmul by vector", b_matmul, {F(3, 2, 3, 4), F(1, 4)}, -1, 1, 0, 0},
    {"matmul rows", b_matmul, {F(3, 2, 3, 4), F(2, 4, 2)}, -1, 1, 0, 0},
    {"matmul batch", b_matmul, {F(4, 2, 1, 3, 2), F(3, 3, 2, 2)}, -1, 1, 0, 0},
    {"linear", b_linear, {F(3, 2, 2, 3), F(2, 4, 3), F(1, 4)}, -1, 1, 0, 0},
    {"embedding", b_embedding, {F(2, 5, 2), I(2, 2, 3)}, -1, 1, 5, 0},
    {"gelu erf", b_gelu_erf, {F(1, 9)}, -3, 3, 0, 0},
    {"gelu tanh", b_gelu_tanh, {F(1, 9)}, -3, 3, 0, 0},
    {"silu", b_silu, {F(1, 9)}, -3, 3, 0, 0},
    {"logsumexp", b_logsumexp, {F(2, 4, 3)}, -3, 3, 0, 0},
    {"softmax", b_softmax, {F(2, 3, 4)}, -3, 3, 0, 0},
    {"softmax outer", b_softmax_outer, {F(2, 3, 4)}, -3, 3, 0, 0},
    {"log_softmax", b_log_softmax, {F(2, 3, 4)}, -3, 3, 0, 0},
    {"layer_norm", b_layer_norm, {F(2, 3, 5), F(1, 5), F(1, 5)}, -2, 2, 0, 0},
    {"mse", b_mse, {F(2, 3, 4), F(2, 3, 4)}, -2, 2, 0, 0},
    {"cross_entropy", b_cross_entropy, {F(2, 4, 5), I(1, 4)}, -3, 3, 5, 0},
};

static ir_val build_case(ir_sink *s, const grad_case *c, const ir_val *x)
{
    return c->build(s, x);
}

static void listed_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        run_case(&cases[i], build_case);
    }
}

/* ---- kinks and ties, as the rows state them ------------------------------------------------------------ */

/* Gradients of sum(y) at given points. */
static void gradient_at(build_fn *build, const double *x, const double *z, int n, double *dx, double *dz)
{
    ir_graph *g = ir_graph_new("kink");
    int64_t dim = n;
    ir_type t = ir_type_make(IR_DT_f64, 1, &dim);
    ir_ref wrt[2] = {ir_graph_input(g, "x", &t), ir_graph_input(g, "z", &t)}, grads[2];
    ir_val y = build(&g->sink, (const ir_val[]){ir_val_of(wrt[0]), ir_val_of(wrt[1])});
    ir_type ty = *g->sink.type(&g->sink, y);
    ir_ref sum = ir_ref_of(ir_e_reduce(&g->sink, IR_reduce_sum, y, (const int[]){0}, ty.rank, false));
    void *values[128];

    assert_int_equal(pass_gradient(g, &sum, NULL, 1, wrt, z ? 2 : 1, grads), IR_OK);
    assert_true(g->count <= 128);
    assert_true(interp_run(g, (const void *const[]){x, z ? z : x}, g->count - 1, values));
    memcpy(dx, values[grads[0]], (size_t)n * sizeof *dx);
    if (z) {
        memcpy(dz, values[grads[1]], (size_t)n * sizeof *dz);
    }
    interp_free(g, values);
    ir_graph_free(g);
}

static ir_val k_abs(ir_sink *s, const ir_val *x)
{
    return ir_e_abs(s, x[0]);
}

static ir_val k_relu(ir_sink *s, const ir_val *x)
{
    return ir_e_relu(s, x[0]);
}

static ir_val k_clamp(ir_sink *s, const ir_val *x)
{
    return ir_e_clamp(s, x[0], -1, 1);
}

static ir_val k_max(ir_sink *s, const ir_val *x)
{
    return ir_e_max(s, x[0], x[1]);
}

static ir_val k_pow(ir_sink *s, const ir_val *x)
{
    return ir_e_pow(s, x[0], x[1]);
}

static ir_val k_reduce_max(ir_sink *s, const ir_val *x)
{
    return ir_e_reduce(s, IR_reduce_max, x[0], (const int[]){0}, 1, true);
}

static ir_val k_stop(ir_sink *s, const ir_val *x)
{
    return ir_e_mul(s, ir_e_stop_gradient(s, x[0]), x[0]);
}

static void kinks(void **state)
{
    const double x[3] = {0, 1, -1}, z[3] = {0, 1, 2};
    double dx[3], dz[3];

    (void)state;
    gradient_at(k_abs, x, NULL, 3, dx, NULL);
    assert_true(dx[0] == 0 && dx[1] == 1 && dx[2] == -1);
    gradient_at(k_relu, x, NULL, 3, dx, NULL);
    assert_true(dx[0] == 0 && dx[1] == 1 && dx[2] == 0);
    gradient_at(k_clamp, x, NULL, 3, dx, NULL);
    assert_true(dx[0] == 1 && dx[1] == 1 && dx[2] == 1);
    gradient_at(k_max, x, z, 3, dx, dz);
    assert_true(dx[0] == 0.5 && dz[0] == 0.5 && dx[1] == 0.5 && dx[2] == 0 && dz[2] == 1);
    gradient_at(k_reduce_max, (const double[]){2, 1, 2}, NULL, 3, dx, NULL);
    assert_true(dx[0] == 0.5 && dx[1] == 0 && dx[2] == 0.5);
    gradient_at(k_pow, (const double[]){0, 0, 2}, (const double[]){0, 2, 0}, 3, dx, dz);
    assert_true(dx[0] == 0 && dx[1] == 0 && dx[2] == 0 && dz[0] == 0 && dz[1] == 0);
    gradient_at(k_stop, z, NULL, 3, dx, NULL);
    assert_true(dx[0] == 0 && dx[1] == 1 && dx[2] == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pointwise_rows),
        cmocka_unit_test(listed_cases),
        cmocka_unit_test(kinks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
