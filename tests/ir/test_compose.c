/* tests/ir/test_compose.c: composites against plain C in double, f32 and f64; what they are made of; what
 * they refuse. */
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

#define R 3
#define C 70
#define N (R * C)

/* A graph with inputs whose data are known as doubles too. */
typedef struct bench {
    ir_graph *g;
    ir_sink *s;
    ir_dtype d;
    void *data[8];
    double x[8][N];
    uint32_t seed;
} bench;

static void open_bench(bench *b, ir_dtype d)
{
    *b = (bench){.g = ir_graph_new("t"), .d = d, .seed = 7};
    assert_non_null(b->g);
    b->s = &b->g->sink;
}

static void close_bench(bench *b)
{
    for (int i = 0; i < 8; i++) {
        free(b->data[i]);
    }
    ir_graph_free(b->g);
}

static ir_val input_of(bench *b, ir_dtype d, double lo, double hi, int rank, const int64_t *dims)
{
    int i = b->g->input_count;
    char name[32];
    ir_type t = ir_type_make(d, rank, dims);

    snprintf(name, sizeof name, "x%d", i);
    b->data[i] = malloc(ir_type_bytes(&t));
    assert_non_null(b->data[i]);
    interp_fill(b->data[i], &t, lo, hi, &b->seed);
    for (int64_t e = 0; e < ir_type_elements(&t) && e < N; e++) {
        b->x[i][e] = interp_element(b->data[i], d, e);
    }
    return ir_val_of(ir_graph_input(b->g, name, &t));
}

static ir_val input(bench *b, int rank, const int64_t *dims)
{
    return input_of(b, b->d, -3, 3, rank, dims);
}

#define DIMS(...)     \
    (const int64_t[]) \
    {                 \
        __VA_ARGS__   \
    }

/* Runs the graph; the elements of v as doubles. */
static void values_of(bench *b, ir_val v, double *out)
{
    void **values = calloc(b->g->count, sizeof *values);

    if (!v) {
        fail_msg("%s", b->g->error.text);
    }
    assert_non_null(values);
    assert_true(interp_run(b->g, (const void *const *)b->data, b->g->count - 1, values));
    const ir_type *t = &b->g->nodes[ir_ref_of(v)].type;
    for (int64_t i = 0; i < ir_type_elements(t); i++) {
        out[i] = interp_element(values[ir_ref_of(v)], t->dtype, i);
    }
    interp_free(b->g, values);
    free(values);
}

static void expect(bench *b, const char *what, ir_val v, const double *expected, int n)
{
    double found[N], tolerance = b->d == IR_DT_f32 ? 3e-6 : 3e-15;

    values_of(b, v, found);
    for (int i = 0; i < n; i++) {
        if (!(fabs(found[i] - expected[i]) <= tolerance * fmax(1, fabs(expected[i])))) {
            fail_msg("%s, %s: element %d is %.17g, expected %.17g", what, ir_dtype_name(b->d), i, found[i],
                     expected[i]);
        }
    }
}

/* ---- values -------------------------------------------------------------------------------------------- */

static double row_max(const double *x)
{
    double m = x[0];

    for (int j = 1; j < C; j++) {
        m = fmax(m, x[j]);
    }
    return m;
}

static double row_sum_exp(const double *x, double m)
{
    double s = 0;

    for (int j = 0; j < C; j++) {
        s += exp(x[j] - m);
    }
    return s;
}

static void check_softmax(bench *b)
{
    double soft[N], log_soft[N], lse[R], loss = 0;
    ir_val x = input(b, 2, DIMS(R, C)), t = input_of(b, IR_DT_i32, 0, C, 1, DIMS(R));

    for (int i = 0; i < R; i++) {
        const double *row = b->x[0] + (ptrdiff_t)i * C;
        double m = row_max(row), s = row_sum_exp(row, m);
        lse[i] = m + log(s);
        for (int j = 0; j < C; j++) {
            soft[i * C + j] = exp(row[j] - m) / s;
            log_soft[i * C + j] = row[j] - lse[i];
        }
        loss -= log_soft[i * C + (int)b->x[1][i]] / R;
    }
    expect(b, "softmax", ir_c_softmax(b->s, x, -1), soft, N);
    expect(b, "log_softmax", ir_c_log_softmax(b->s, x, 1), log_soft, N);
    expect(b, "logsumexp", ir_c_logsumexp(b->s, x, 1, false), lse, R);
    expect(b, "cross_entropy", ir_c_cross_entropy(b->s, x, t, &(ir_class_loss){0}), &loss, 1);
}

static void check_norm(bench *b)
{
    double y[N], mean[R], var[R];
    ir_val x = input(b, 2, DIMS(R, C)), gamma = input(b, 1, DIMS(C)), beta = input(b, 1, DIMS(C));

    for (int i = 0; i < R; i++) {
        const double *row = b->x[0] + (ptrdiff_t)i * C;
        mean[i] = var[i] = 0;
        for (int j = 0; j < C; j++) {
            mean[i] += row[j] / C;
        }
        for (int j = 0; j < C; j++) {
            var[i] += (row[j] - mean[i]) * (row[j] - mean[i]) / (C - 1);
        }
        for (int j = 0; j < C; j++) {
            double d = (row[j] - mean[i]) / sqrt(var[i] * (C - 1) / C + 1e-5);
            y[i * C + j] = d * b->x[1][j] + b->x[2][j];
        }
    }
    expect(b, "layer_norm", ir_c_layer_norm(b->s, x, gamma, beta, 1e-5), y, N);
    expect(b, "mean", ir_c_mean(b->s, x, (const int[]){-1}, 1, false), mean, R);
    expect(b, "var", ir_c_var(b->s, x, (const int[]){1}, 1, 1, false), var, R);
}

static void check_activations(bench *b)
{
    double erf_form[N], tanh_form[N], silu[N], square[N], mse = 0;
    ir_val x = input(b, 2, DIMS(R, C)), z = input(b, 2, DIMS(R, C));

    for (int i = 0; i < N; i++) {
        double v = b->x[0][i], d = v - b->x[1][i];
        erf_form[i] = 0.5 * v * (1 + erf(v / sqrt(2)));
        tanh_form[i] = 0.5 * v * (1 + tanh(sqrt(2 / acos(-1)) * (v + 0.044715 * v * v * v)));
        silu[i] = v / (1 + exp(-v));
        square[i] = v * v;
        mse += d * d / N;
    }
    expect(b, "gelu erf", ir_c_gelu(b->s, x, false), erf_form, N);
    expect(b, "gelu tanh", ir_c_gelu(b->s, x, true), tanh_form, N);
    expect(b, "silu", ir_c_silu(b->s, x), silu, N);
    expect(b, "square", ir_c_square(b->s, x), square, N);
    expect(b, "mse", ir_c_mse(b->s, x, z, IR_REDUCE_MEAN), &mse, 1);
}

/* x [2,3,4], w [5,4], bias [5]; a [2,1,3,4] b [2,4,5] */
static void check_products(bench *b)
{
    double lin[30], mat[60];
    ir_val x = input(b, 3, DIMS(2, 3, 4)), w = input(b, 2, DIMS(5, 4)), bias = input(b, 1, DIMS(5));
    ir_val a = input(b, 4, DIMS(2, 1, 3, 4)), c = input(b, 3, DIMS(2, 4, 5));

    for (int i = 0; i < 6; i++) {
        for (int o = 0; o < 5; o++) {
            lin[i * 5 + o] = b->x[2][o];
            for (int k = 0; k < 4; k++) {
                lin[i * 5 + o] += b->x[0][i * 4 + k] * b->x[1][o * 4 + k];
            }
        }
    }
    for (int e = 0; e < 60; e++) {
        int p = e / 30, q = e / 15 % 2, i = e / 5 % 3, j = e % 5;
        mat[e] = 0;
        for (int k = 0; k < 4; k++) {
            mat[e] += b->x[3][(p * 3 + i) * 4 + k] * b->x[4][(q * 4 + k) * 5 + j];
        }
    }
    expect(b, "linear", ir_c_linear(b->s, x, w, bias), lin, 30);
    expect(b, "matmul", ir_c_matmul(b->s, a, c), mat, 60);
}

static void check_indices(bench *b)
{
    double hot[20], rows[8];
    ir_val table = input(b, 2, DIMS(5, 2)), u8 = input_of(b, IR_DT_u8, 0, 5, 1, DIMS(4));
    ir_val index = input_of(b, IR_DT_i64, 0, 5, 1, DIMS(4));

    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 5; j++) {
            hot[i * 5 + j] = b->x[1][i] == j;
        }
        for (int j = 0; j < 2; j++) {
            rows[i * 2 + j] = b->x[0][(int)b->x[2][i] * 2 + j];
        }
    }
    expect(b, "one_hot", ir_c_one_hot(b->s, u8, 5, b->d), hot, 20);
    expect(b, "embedding", ir_c_embedding(b->s, table, index), rows, 8);
}

static void values(void **state)
{
    static void (*const checks[])(bench *) = {check_softmax, check_norm, check_activations, check_products,
                                              check_indices};

    (void)state;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        for (int d = IR_DT_f32; d <= IR_DT_f64; d++) {
            bench b;
            open_bench(&b, (ir_dtype)d);
            checks[i](&b);
            close_bench(&b);
        }
    }
}

/* A row of -inf, and rows that overflow without the shift. */
static void extremes(void **state)
{
    const float rows[6] = {-INFINITY, -INFINITY, 1000, 1001, INFINITY, 0};
    double y[6];
    bench b;

    (void)state;
    open_bench(&b, IR_DT_f32);
    ir_val x = input(&b, 2, DIMS(3, 2));
    memcpy(b.data[0], rows, sizeof rows);
    values_of(&b, ir_c_logsumexp(b.s, x, 1, false), y);
    assert_true(y[0] == -INFINITY && fabs(y[1] - 1001.31326) < 1e-3 && y[2] == INFINITY);
    values_of(&b, ir_c_softmax(b.s, x, 1), y);
    assert_true(fabs(y[2] - 0.26894142) < 1e-6 && fabs(y[3] - 0.73105858) < 1e-6);
    close_bench(&b);
}

/* ---- optimisers ---------------------------------------------------------------------------------------- */

#define P 9
#define STEPS 3

static void sgd_reference(double *p, const double *g, double *m, bool nesterov)
{
    for (int i = 0; i < P; i++) {
        double d = g[i] + 0.01 * p[i];
        m[i] = 0.9 * m[i] + d;
        p[i] -= 0.1 * (nesterov ? d + 0.9 * m[i] : m[i]);
    }
}

static void adam_reference(double *p, const double *g, double *m, double *v, int t, bool decoupled)
{
    for (int i = 0; i < P; i++) {
        double d = decoupled ? g[i] : g[i] + 0.1 * p[i];
        p[i] = decoupled ? p[i] * (1 - 0.01 * 0.1) : p[i];
        m[i] = 0.9 * m[i] + 0.1 * d;
        v[i] = 0.999 * v[i] + 0.001 * d * d;
        p[i] -= 0.01 / (1 - pow(0.9, t)) * m[i] / (sqrt(v[i]) / sqrt(1 - pow(0.999, t)) + 1e-8);
    }
}

static void optimisers(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        bench b;
        double p[P], m[P] = {0}, v[P] = {0};
        open_bench(&b, IR_DT_f32);
        ir_type t = ir_type_make(IR_DT_f32, 1, DIMS(P)), scalar = ir_type_make(IR_DT_f64, 0, NULL);
        ir_val x = input(&b, 1, DIMS(P)), g = input(&b, 1, DIMS(P));
        ir_val vm = ir_e_fill(b.s, &t, 0), vv = ir_e_fill(b.s, &t, 0);
        ir_val lr = ir_e_fill(b.s, &scalar, kind < 2 ? 0.1 : 0.01);
        const ir_adam how = {0.9, 0.999, 1e-8, 0.1, kind == 3};
        memcpy(p, b.x[0], sizeof p);
        for (int i = 1; i <= STEPS; i++) {
            if (kind < 2) {
                x = ir_c_sgd(b.s, x, g, &vm, lr, 0.9, 0.01, kind == 1);
                sgd_reference(p, b.x[1], m, kind == 1);
            } else {
                x = ir_c_adam(b.s, x, g, &vm, &vv, NULL, ir_e_fill(b.s, &scalar, i), lr, &how);
                adam_reference(p, b.x[1], m, v, i, kind == 3);
            }
        }
        static const char *const names[] = {"sgd", "sgd nesterov", "adam", "adamw"};
        expect(&b, names[kind], x, p, P);
        expect(&b, names[kind], vm, m, P);
        close_bench(&b);
    }
}

/* ---- random numbers ------------------------------------------------------------------------------------ */

#define MANY 40000

static void moments(const double *v, double *mean, double *var, double *least, double *most)
{
    *mean = *var = 0;
    *least = *most = v[0];
    for (int i = 0; i < MANY; i++) {
        *mean += v[i] / MANY;
        *least = fmin(*least, v[i]);
        *most = fmax(*most, v[i]);
    }
    for (int i = 0; i < MANY; i++) {
        *var += (v[i] - *mean) * (v[i] - *mean) / MANY;
    }
}

static void random_numbers(void **state)
{
    static double v[MANY], w[MANY];
    double mean, var, least, most;

    (void)state;
    for (int d = IR_DT_f32; d <= IR_DT_f64; d++) {
        bench b;
        open_bench(&b, (ir_dtype)d);
        ir_type t = ir_type_make((ir_dtype)d, 2, DIMS(MANY / 8, 8));
        ir_val seed = input_of(&b, IR_DT_u32, 0, 1e6, 1, DIMS(4)), one = ir_e_fill(b.s, &t, 1);
        values_of(&b, ir_c_uniform(b.s, &t, seed, 0, -1, 3), v);
        moments(v, &mean, &var, &least, &most);
        assert_true(fabs(mean - 1) < 0.03 && fabs(var - 16.0 / 12) < 0.03 && least >= -1 && most < 3 &&
                    most > 2.99);
        values_of(&b, ir_c_uniform(b.s, &t, seed, 1, -1, 3), w);
        assert_true(memcmp(v, w, sizeof v) != 0);
        values_of(&b, ir_c_normal(b.s, &t, seed, 2, 5, 2), v);
        moments(v, &mean, &var, &least, &most);
        assert_true(fabs(mean - 5) < 0.05 && fabs(var - 4) < 0.1 && least < 0 && most > 10 && isfinite(most));
        values_of(&b, ir_c_dropout(b.s, one, seed, 4, 0.25), v);
        moments(v, &mean, &var, &least, &most);
        assert_true(least == 0 && fabs(most - 4.0 / 3) < 1e-6 && fabs(mean - 1) < 0.02);
        values_of(&b, ir_c_dropout(b.s, one, seed, 4, 1), v);
        moments(v, &mean, &var, &least, &most);
        assert_true(least == 0 && most == 0);
        close_bench(&b);
    }
}

/* ---- what they are made of ----------------------------------------------------------------------------- */

static int count_op(const ir_graph *g, ir_op op)
{
    int n = 0;

    for (ir_ref r = 0; r < g->count; r++) {
        n += g->nodes[r].op == op;
    }
    return n;
}

static void structure(void **state)
{
    bench b;

    (void)state;
    open_bench(&b, IR_DT_f32);
    ir_val x = input(&b, 3, DIMS(2, 3, 4)), w = input(&b, 2, DIMS(5, 4)), bias = input(&b, 1, DIMS(5));
    ir_val targets = input_of(&b, IR_DT_i64, 0, 5, 2, DIMS(2, 3));
    ir_val y = ir_c_linear(b.s, x, w, bias);
    assert_int_equal(b.g->count, 4 + 3); /* dot_general, broadcast, add */
    assert_int_equal(count_op(b.g, IR_dot_general), 1);
    assert_string_equal(b.g->nodes[ir_ref_of(y)].region, "linear");
    ir_ref from = b.g->count;
    assert_true(ir_c_cross_entropy(b.s, y, targets, &(ir_class_loss){0}) != 0);
    for (ir_ref r = from; r < b.g->count; r++) {
        assert_string_equal(b.g->nodes[r].region, "cross_entropy"); /* the outermost name wins */
    }
    assert_int_equal(count_op(b.g, IR_gather), 0);
    assert_null(b.s->region);
    close_bench(&b);
}

/* ---- what they refuse ---------------------------------------------------------------------------------- */

typedef ir_val bad_call(bench *b);

static ir_val bad_binary(bench *b)
{
    return ir_c_binary(b->s, IR_add, input(b, 2, DIMS(2, 3)), input(b, 1, DIMS(4)));
}

static ir_val bad_dtypes(bench *b)
{
    return ir_c_binary(b->s, IR_mul, input(b, 1, DIMS(3)), input_of(b, IR_DT_i32, 0, 9, 1, DIMS(3)));
}

static ir_val bad_matmul(bench *b)
{
    return ir_c_matmul(b->s, input(b, 2, DIMS(2, 3)), input(b, 2, DIMS(4, 5)));
}

static ir_val bad_batch(bench *b)
{
    return ir_c_matmul(b->s, input(b, 3, DIMS(2, 3, 4)), input(b, 3, DIMS(3, 4, 5)));
}

static ir_val bad_linear(bench *b)
{
    return ir_c_linear(b->s, input(b, 2, DIMS(2, 3)), input(b, 2, DIMS(3, 4)), 0);
}

static ir_val bad_bias(bench *b)
{
    return ir_c_linear(b->s, input(b, 2, DIMS(2, 3)), input(b, 2, DIMS(4, 3)), input(b, 1, DIMS(3)));
}

static ir_val bad_axis(bench *b)
{
    return ir_c_softmax(b->s, input(b, 2, DIMS(2, 3)), 2);
}

static ir_val bad_repeat(bench *b)
{
    return ir_c_mean(b->s, input(b, 2, DIMS(2, 3)), (const int[]){1, -1}, 2, false);
}

static ir_val bad_gamma(bench *b)
{
    ir_val x = input(b, 2, DIMS(2, 3));

    return ir_c_layer_norm(b->s, x, input(b, 1, DIMS(2)), 0, 1e-5);
}

static ir_val bad_targets(bench *b)
{
    ir_val x = input(b, 2, DIMS(2, 3));

    return ir_c_cross_entropy(b->s, x, input_of(b, IR_DT_i64, 0, 3, 1, DIMS(3)), &(ir_class_loss){0});
}

static ir_val bad_target_dtype(bench *b)
{
    ir_val x = input(b, 2, DIMS(2, 3));

    return ir_c_cross_entropy(b->s, x, input(b, 1, DIMS(2)), &(ir_class_loss){0});
}

static ir_val bad_gelu(bench *b)
{
    return ir_c_gelu(b->s, input_of(b, IR_DT_i32, 0, 3, 1, DIMS(3)), false);
}

static ir_val bad_dropout(bench *b)
{
    ir_val x = input(b, 1, DIMS(3));

    return ir_c_dropout(b->s, x, input_of(b, IR_DT_u32, 0, 3, 1, DIMS(4)), 0, 1.5);
}

static ir_val bad_mse(bench *b)
{
    ir_val x = input(b, 2, DIMS(2, 3));

    return ir_c_mse(b->s, x, input(b, 1, DIMS(3)), IR_REDUCE_MEAN);
}

static void refusals(void **state)
{
    static const struct {
        bad_call *call;
        ir_status status;
        const char *says[3];
    } bad[] = {
        {bad_binary, IR_ESHAPE, {"add", "f32[2,3]", "f32[4]"}},
        {bad_dtypes, IR_EDTYPE, {"mul", "f32[3]", "i32[3]"}},
        {bad_matmul, IR_ESHAPE, {"matmul", "f32[2,3]", "f32[4,5]"}},
        {bad_batch, IR_ESHAPE, {"matmul", "f32[2,3,4]", "f32[3,4,5]"}},
        {bad_linear, IR_ESHAPE, {"linear", "f32[2,3]", "f32[3,4]"}},
        {bad_bias, IR_ESHAPE, {"bias", "f32[4,3]", "f32[3]"}},
        {bad_axis, IR_ESHAPE, {"softmax", "axis 2", "f32[2,3]"}},
        {bad_repeat, IR_ESHAPE, {"axis 1", "twice", "f32[2,3]"}},
        {bad_gamma, IR_ESHAPE, {"layer_norm", "f32[2,3]", "f32[2]"}},
        {bad_targets, IR_ESHAPE, {"cross_entropy", "f32[2,3]", "i64[3]"}},
        {bad_target_dtype, IR_ESHAPE, {"cross_entropy", "integer", "f32[2]"}},
        {bad_gelu, IR_EDTYPE, {"gelu", "a float dtype", "i32[3]"}},
        {bad_dropout, IR_EARG, {"dropout", "1.5", "[0, 1]"}},
        {bad_mse, IR_ESHAPE, {"mse", "f32[2,3]", "f32[3]"}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        bench b;
        open_bench(&b, IR_DT_f32);
        assert_true(bad[i].call(&b) == 0);
        assert_int_equal(b.g->error.status, bad[i].status);
        for (int k = 0; k < 3; k++) {
            if (!strstr(b.g->error.text, bad[i].says[k])) {
                fail_msg("\"%s\" does not say \"%s\"", b.g->error.text, bad[i].says[k]);
            }
        }
        close_bench(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),         cmocka_unit_test(extremes),  cmocka_unit_test(optimisers),
        cmocka_unit_test(random_numbers), cmocka_unit_test(structure), cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
