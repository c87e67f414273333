/* tests/frontend/test_training.c: one training step in both engines: losses and parameters have the same bits
 * over five steps, for every optimiser; random ops draw the same numbers in both. */
#include "tests/frontend/lib_frontend.h"

enum { PARAMETERS = 4, STEPS = 5 };

/* The model, written once. */
static tdm_tensor *mlp_loss(tdm_tensor *x, tdm_tensor *labels, tdm_tensor *const *p, double drop)
{
    tdm_tensor *h = tdm_relu(tdm_linear(x, p[0], p[1]));

    if (drop > 0)
        h = tdm_dropout(h, drop);
    return tdm_cross_entropy(tdm_linear(h, p[2], p[3]), labels);
}

static tdm_tensor *step(tdm_tensor *x, tdm_tensor *labels, tdm_tensor *const *p, tdm_optimizer *opt,
                        double drop)
{
    tdm_tensor *loss = mlp_loss(x, labels, p, drop);

    tdm_zero_grad(opt);
    tdm_backward(loss);
    tdm_step(opt);
    return loss;
}

static void make_parameters(tdm_context *ctx, tdm_tensor *p[PARAMETERS])
{
    p[0] = tdm_parameter(numbers(ctx, tdm_shape(17, 5), 1), "w1");
    p[1] = tdm_parameter(numbers(ctx, tdm_shape(17), 2), "b1");
    p[2] = tdm_parameter(numbers(ctx, tdm_shape(3, 17), 3), "w2");
    p[3] = tdm_parameter(numbers(ctx, tdm_shape(3), 4), "b2");
}

static tdm_tensor *make_labels(tdm_context *ctx)
{
    const int32_t labels[9] = {0, 2, 1, 1, 0, 2, 2, 2, 0};

    return tdm_from_data(ctx, TDM_I32, tdm_shape(9), labels);
}

typedef tdm_optimizer *maker(tdm_tensor *const *p);

static tdm_optimizer *plain_sgd(tdm_tensor *const *p)
{
    return tdm_sgd(p, PARAMETERS, 0.1, 0, 0, false);
}

static tdm_optimizer *momentum(tdm_tensor *const *p)
{
    return tdm_sgd(p, PARAMETERS, 0.1, 0.9, 0.01, false);
}

static tdm_optimizer *nesterov(tdm_tensor *const *p)
{
    return tdm_sgd(p, PARAMETERS, 0.1, 0.9, 0, true);
}

static tdm_optimizer *adam(tdm_tensor *const *p)
{
    return tdm_adam(p, PARAMETERS, 0.01, 0.9, 0.999, 1e-8, 0);
}

static tdm_optimizer *adam_decay(tdm_tensor *const *p)
{
    return tdm_adam(p, PARAMETERS, 0.01, 0.9, 0.999, 1e-8, 0.02);
}

static tdm_optimizer *adamw(tdm_tensor *const *p)
{
    return tdm_adamw(p, PARAMETERS, 0.01, 0.9, 0.999, 1e-8, 0.02);
}

typedef struct trainer {
    tdm_context *ctx;
    tdm_tensor *p[PARAMETERS], *x, *labels;
    tdm_optimizer *opt;
} trainer;

static trainer open_trainer(maker *make)
{
    trainer t = {.ctx = open_context()};

    make_parameters(t.ctx, t.p);
    t.opt = make(t.p);
    assert_non_null(t.opt);
    t.x = numbers(t.ctx, tdm_shape(9, 5), 5);
    t.labels = make_labels(t.ctx);
    return t;
}

static void close_trainer(trainer *t)
{
    tdm_optimizer_free(t->opt);
    for (int k = 0; k < PARAMETERS; k++)
        tdm_release(t->p[k]);
    close_context(t->ctx);
}

/* A program whose run makes `in_one` optimiser steps. */
static built build_steps(trainer *t, int in_one, double drop)
{
    tdm_graph *g = tdm_graph_open(t->ctx, "train_step");
    tdm_tensor *x = tdm_input(t->ctx, "x", TDM_F32, tdm_shape(9, 5)), *loss = NULL;
    tdm_tensor *labels = tdm_input(t->ctx, "labels", TDM_I32, tdm_shape(9));

    for (int k = 0; k < in_one; k++)
        loss = step(x, labels, t->p, t->opt, drop);
    tdm_output(t->ctx, "loss", loss);
    built b = build_graph(t->ctx, g);
    tdm_exec_bind(b.e, "x", t->x);
    tdm_exec_bind(b.e, "labels", t->labels);
    return b;
}

static void train_both(maker *make, int in_one, double drop)
{
    trainer eager = open_trainer(make), compiled = open_trainer(make);
    built b = build_steps(&compiled, in_one, drop);
    double first = 0, last = 0;

    for (int i = 0; i < STEPS; i++) {
        tdm_tensor *loss = NULL;
        tdm_scope_open(eager.ctx);
        for (int k = 0; k < in_one; k++)
            loss = step(eager.x, eager.labels, eager.p, eager.opt, drop);
        tdm_exec_run(b.e);
        assert_fine(compiled.ctx);
        assert_same(tdm_exec_output(b.e, "loss"), loss);
        for (int k = 0; k < PARAMETERS; k++)
            assert_same(compiled.p[k], eager.p[k]);
        last = tdm_item(loss);
        first = i ? first : last;
        tdm_scope_close(eager.ctx);
    }
    assert_true(drop > 0 || last < first); /* it learns */
    free_built(&b);
    close_trainer(&eager);
    close_trainer(&compiled);
}

static maker *const makers[] = {plain_sgd, momentum, nesterov, adam, adam_decay, adamw};
enum { MAKERS = sizeof makers / sizeof *makers };

static void test_optimisers(void **state)
{
    (void)state;
    for (int i = 0; i < MAKERS; i++)
        train_both(makers[i], 1, 0);
}

/* Steps unrolled into one program: parameters, state and step count are read after they are written. */
static void test_steps_in_one_program(void **state)
{
    (void)state;
    for (int i = 0; i < MAKERS; i++)
        train_both(makers[i], 3, 0);
}

static void test_with_dropout(void **state)
{
    (void)state;
    train_both(adam, 1, 0.25);
    train_both(momentum, 2, 0.25);
}

/* A program trains, then the eager engine goes on with the same parameters and state, then the program again.
 */
static void test_engines_take_turns(void **state)
{
    trainer eager = open_trainer(adam), both = open_trainer(adam);
    built b = build_steps(&both, 1, 0);

    (void)state;
    for (int i = 0; i < 6; i++) {
        tdm_scope_open(eager.ctx);
        tdm_scope_open(both.ctx);
        step(eager.x, eager.labels, eager.p, eager.opt, 0);
        if (i % 3 == 1)
            step(both.x, both.labels, both.p, both.opt, 0);
        else
            tdm_exec_run(b.e);
        for (int k = 0; k < PARAMETERS; k++)
            assert_same(both.p[k], eager.p[k]);
        tdm_scope_close(both.ctx);
        tdm_scope_close(eager.ctx);
    }
    free_built(&b);
    close_trainer(&eager);
    close_trainer(&both);
}

/* A parameter without .grad stays as it is, in both engines. */
static void test_frozen_parameter(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *p[2] = {tdm_parameter(numbers(ctx, tdm_shape(3), 1), "a"),
                        tdm_parameter(numbers(ctx, tdm_shape(3), 2), "frozen")};
    tdm_tensor *was = tdm_add_scalar(tdm_detach(p[1]), 0);
    tdm_optimizer *opt = tdm_adam(p, 2, 0.1, 0.9, 0.999, 1e-8, 0.1);

    (void)state;
    tdm_graph *g = tdm_graph_open(ctx, "frozen");
    tdm_backward(tdm_sum(tdm_mul(p[0], tdm_detach(p[1])), tdm_all_axes(), false));
    tdm_step(opt);
    built b = build_graph(ctx, g);
    tdm_exec_run(b.e);
    tdm_zero_grad(opt);
    tdm_backward(tdm_sum(tdm_square(p[0]), tdm_all_axes(), false));
    tdm_step(opt);
    assert_same(p[1], was);
    free_built(&b);
    tdm_optimizer_free(opt);
    tdm_release(p[0]);
    tdm_release(p[1]);
    close_context(ctx);
}

static void test_bad_optimisers(void **state)
{
    tdm_context *ctx = open_context();
    tdm_tensor *p = tdm_parameter(numbers(ctx, tdm_shape(3), 1), "p"), *x = numbers(ctx, tdm_shape(3), 2);
    tdm_tensor *with_null[2] = {p, NULL}, *with_plain[2] = {p, x};

    (void)state;
    assert_null(tdm_sgd(NULL, 1, 0.1, 0, 0, false));
    assert_null(tdm_sgd(&p, 0, 0.1, 0, 0, false));
    assert_null(tdm_adam(with_null, 2, 0.1, 0.9, 0.999, 1e-8, 0));
    assert_error(ctx, TDM_EARG, "optimizer", "parameter 1");
    assert_null(tdm_adam(with_plain, 2, 0.1, 0.9, 0.999, 1e-8, 0));
    assert_error(ctx, TDM_EARG, "optimizer", "parameter 1", "requires a gradient");
    assert_int_equal(tdm_step(NULL), TDM_EARG);
    tdm_zero_grad(NULL);
    tdm_optimizer_free(NULL);
    tdm_graph *g = tdm_graph_open(ctx, "late");
    assert_null(tdm_sgd(&p, 1, 0.1, 0.9, 0, false));
    assert_error(ctx, TDM_ESTATE, "optimizer", "before the graph is opened");
    tdm_graph_free(g);
    tdm_release(p);
    close_context(ctx);
}

/* ---- random ops ---- */

enum { DRAWS = 5 };

static void draw(tdm_context *ctx, tdm_tensor *x, tdm_tensor *out[DRAWS])
{
    out[0] = tdm_uniform(ctx, TDM_F32, tdm_shape(3, 43), -2, 3);
    out[1] = tdm_normal(ctx, TDM_F64, tdm_shape(65), 1, 2);
    out[2] = tdm_dropout(x, 0.25);
    out[3] = tdm_uniform(ctx, TDM_F32, tdm_shape(3, 43), -2, 3);
    out[4] = tdm_dropout(x, 0.25);
}

static bool differ(const tdm_tensor *a, const tdm_tensor *z)
{
    float x[129], y[129];

    assert_int_equal(tdm_read(a, x, sizeof x), TDM_OK);
    assert_int_equal(tdm_read(z, y, sizeof y), TDM_OK);
    for (int i = 0; i < 129; i++)
        if (x[i] != y[i])
            return true;
    return false;
}

/* Over several runs both engines take the same numbers from one stream, in any interleaving. */
static void test_same_draws(void **state)
{
    static const char *const names[DRAWS] = {"0", "1", "2", "3", "4"};
    tdm_context *a = open_context(), *z = open_context();
    tdm_tensor *out[DRAWS], *want[DRAWS];

    (void)state;
    tdm_graph *g = tdm_graph_open(a, "draw");
    draw(a, tdm_input(a, "x", TDM_F32, tdm_shape(129)), out);
    for (int i = 0; i < DRAWS; i++)
        tdm_output(a, names[i], out[i]);
    built b = build_graph(a, g);
    tdm_exec_bind(b.e, "x", numbers(a, tdm_shape(129), 3));
    tdm_tensor *x = numbers(z, tdm_shape(129), 3);
    for (int run = 0; run < 4; run++) {
        tdm_exec_run(b.e);
        draw(z, x, want);
        for (int i = 0; i < DRAWS; i++)
            assert_same(tdm_exec_output(b.e, names[i]), want[i]);
        assert_same(tdm_uniform(a, TDM_F32, tdm_shape(3), 0, 1), tdm_uniform(z, TDM_F32, tdm_shape(3), 0, 1));
    }
    assert_true(differ(want[0], want[3])); /* each call takes other counters */
    assert_true(differ(want[2], want[4]));
    tdm_seed(a, 7);
    tdm_seed(z, 7);
    tdm_exec_run(b.e);
    draw(z, x, want);
    assert_same(tdm_exec_output(b.e, "0"), want[0]);
    tdm_seed(z, 8);
    draw(z, x, want);
    assert_true(differ(tdm_exec_output(b.e, "0"), want[0]));
    free_built(&b);
    close_context(a);
    close_context(z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_optimisers),       cmocka_unit_test(test_steps_in_one_program),
        cmocka_unit_test(test_with_dropout),     cmocka_unit_test(test_engines_take_turns),
        cmocka_unit_test(test_frozen_parameter), cmocka_unit_test(test_bad_optimisers),
        cmocka_unit_test(test_same_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
