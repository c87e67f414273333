/* tests/frontend/test_training.c: one training step in both engines: losses and parameters have the same bits
 * over five steps, for every optimiser; random ops draw the same numbers in both. */
#include <math.h>

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

static tdm_optimizer *amsgrad(tdm_tensor *const *p)
{
    return tdm_amsgrad(p, PARAMETERS, 0.01, 0.9, 0.999, 1e-8, 0.02);
}

static tdm_optimizer *rmsprop(tdm_tensor *const *p)
{
    return tdm_rmsprop(p, PARAMETERS, 0.003, 0.99, 1e-8, 0, 0, false);
}

static tdm_optimizer *rmsprop_centered(tdm_tensor *const *p)
{
    return tdm_rmsprop(p, PARAMETERS, 0.003, 0.9, 1e-8, 0.01, 0.5, true);
}

static tdm_optimizer *adagrad(tdm_tensor *const *p)
{
    return tdm_adagrad(p, PARAMETERS, 0.02, 0.1, 0.01, 0.1, 1e-10);
}

static tdm_optimizer *lion(tdm_tensor *const *p)
{
    return tdm_lion(p, PARAMETERS, 0.003, 0.9, 0.99, 0.1);
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

static maker *const makers[] = {plain_sgd, momentum, nesterov,         adam,    adam_decay, adamw,
                                amsgrad,   rmsprop,  rmsprop_centered, adagrad, lion};
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
    assert_null(tdm_sgd(&p, 1, -0.1, 0, 0, false));
    assert_error(ctx, TDM_EARG, "optimizer", "learning rate is -0.1");
    assert_null(tdm_adam(&p, 1, 0.1, 1, 0.999, 1e-8, 0));
    assert_error(ctx, TDM_EARG, "optimizer", "the share 1 of");
    assert_null(tdm_rmsprop(&p, 1, 0.1, 0.99, NAN, 0, 0, false));
    assert_error(ctx, TDM_EARG, "optimizer", "eps");
    assert_int_equal(tdm_step(NULL), TDM_EARG);
    assert_int_equal(tdm_step_with(NULL, x), TDM_EARG);
    assert_int_equal(tdm_set_learning_rate(NULL, 1), TDM_EARG);
    assert_true(isnan(tdm_learning_rate(NULL)));
    assert_null(tdm_steps(NULL));
    assert_false(tdm_optimizer_state(NULL, 0, NULL, NULL));
    tdm_zero_grad(NULL);
    tdm_optimizer_free(NULL);
    tdm_graph *g = tdm_graph_open(ctx, "late");
    assert_null(tdm_sgd(&p, 1, 0.1, 0.9, 0, false));
    assert_error(ctx, TDM_ESTATE, "optimizer", "before the graph is opened");
    tdm_graph_free(g);
    tdm_optimizer *opt = tdm_sgd(&p, 1, 0.1, 0, 0, false);
    tdm_backward(tdm_sum(tdm_square(p), tdm_all_axes(), false));
    tdm_step_with(opt, x);
    assert_error(ctx, TDM_ESHAPE, "sgd", "learning rate is a scalar", "f32[3]", "(test_training.c:");
    tdm_step_with(opt, NULL);
    assert_error(ctx, TDM_EARG, "step", "'lr' is NULL", "(test_training.c:");
    assert_int_equal(tdm_set_learning_rate(opt, -1), TDM_EARG);
    assert_error(ctx, TDM_EARG, "learning rate is -1");
    tdm_optimizer_free(opt);
    tdm_release(p);
    close_context(ctx);
}

/* ---- state ---- */

static void test_state_names(void **state)
{
    static const char *const wanted[] = {"step", "lr", "w.m", "w.v", "w_1.m", "w_1.v", "p2.m", "p2.v"};
    tdm_context *ctx = open_context();
    tdm_tensor *p[3] = {tdm_parameter(numbers(ctx, tdm_shape(3), 1), "w"),
                        tdm_parameter(numbers(ctx, tdm_shape(2, 2), 2), "w"),
                        tdm_parameter(numbers(ctx, tdm_shape(5), 3), NULL)};
    tdm_optimizer *opt = tdm_adam(p, 3, 0.25, 0.9, 0.999, 1e-8, 0);
    const char *name;
    tdm_tensor *t;

    (void)state;
    for (int i = 0; i < 8; i++) {
        assert_true(tdm_optimizer_state(opt, i, &name, &t));
        assert_string_equal(name, wanted[i]);
        assert_string_equal(tdm_name(t), wanted[i]);
        assert_int_equal(tdm_elements(t), i < 2 ? 1 : tdm_elements(p[i / 2 - 1]));
    }
    assert_false(tdm_optimizer_state(opt, 8, &name, &t));
    assert_false(tdm_optimizer_state(opt, -1, &name, &t));
    assert_true(tdm_optimizer_state(opt, 0, NULL, NULL));
    assert_true(tdm_learning_rate(opt) == 0.25);
    for (int i = 0; i < 2; i++) {
        tdm_zero_grad(opt);
        tdm_backward(tdm_sum(tdm_square(p[0]), tdm_all_axes(), false));
        tdm_step(opt);
    }
    assert_true(tdm_item(tdm_steps(opt)) == 2);
    tdm_optimizer_free(opt);
    for (int i = 0; i < 3; i++)
        tdm_release(p[i]);
    close_context(ctx);
}

/* ---- learning rates and clipping ---- */

/* Warm-up, then a cosine, times a number; gradients clipped both ways.  Written once. */
static tdm_tensor *scheduled_step(trainer *t, tdm_tensor *x, tdm_tensor *labels)
{
    tdm_tensor *loss = mlp_loss(x, labels, t->p, 0);
    tdm_tensor *steps = tdm_steps(t->opt), *later = tdm_relu(tdm_sub_scalar(steps, 2));
    tdm_tensor *factor = tdm_mul(tdm_lr_linear(steps, 0.1, 1, 2), tdm_lr_cosine(later, 3, 0.1));

    tdm_zero_grad(t->opt);
    tdm_backward(loss);
    tdm_tensor *norm = tdm_clip_grad_norm(t->p, PARAMETERS, 0.2, 2);
    tdm_clip_grad_value(t->p, PARAMETERS, 0.05);
    tdm_step_with(t->opt, tdm_mul_scalar(factor, 0.3));
    return norm;
}

static void test_schedule_in_a_program(void **state)
{
    static maker *const some[] = {plain_sgd, adamw, lion};

    (void)state;
    for (int i = 0; i < 3; i++) {
        trainer eager = open_trainer(some[i]), compiled = open_trainer(some[i]);
        tdm_graph *g = tdm_graph_open(compiled.ctx, "scheduled");
        tdm_tensor *x = tdm_input(compiled.ctx, "x", TDM_F32, tdm_shape(9, 5));
        tdm_output(compiled.ctx, "norm", scheduled_step(&compiled, x, compiled.labels));
        built b = build_graph(compiled.ctx, g);
        tdm_exec_bind(b.e, "x", compiled.x);
        for (int k = 0; k < 7; k++) {
            tdm_scope_open(eager.ctx);
            tdm_tensor *norm = scheduled_step(&eager, eager.x, eager.labels);
            tdm_exec_run(b.e);
            assert_fine(eager.ctx);
            assert_same(tdm_exec_output(b.e, "norm"), norm);
            for (int p = 0; p < PARAMETERS; p++)
                assert_same(compiled.p[p], eager.p[p]);
            tdm_scope_close(eager.ctx);
        }
        free_built(&b);
        close_trainer(&eager);
        close_trainer(&compiled);
    }
}

/* A compiled step follows tdm_set_learning_rate: rate 0 moves nothing, another rate is the eager one's. */
static void test_set_learning_rate(void **state)
{
    const double rates[] = {0.1, 0, 0.025};
    trainer eager = open_trainer(adamw), compiled = open_trainer(adamw);
    built b = build_steps(&compiled, 1, 0);

    (void)state;
    for (int i = 0; i < 3; i++) {
        tdm_scope_open(compiled.ctx);
        tdm_tensor *was = tdm_add_scalar(tdm_detach(compiled.p[0]), 0);
        assert_int_equal(tdm_set_learning_rate(eager.opt, rates[i]), TDM_OK);
        assert_int_equal(tdm_set_learning_rate(compiled.opt, rates[i]), TDM_OK);
        tdm_exec_run(b.e);
        step(eager.x, eager.labels, eager.p, eager.opt, 0);
        for (int k = 0; k < PARAMETERS; k++)
            assert_same(compiled.p[k], eager.p[k]);
        if (rates[i] == 0)
            assert_same(compiled.p[0], was);
        tdm_scope_close(compiled.ctx);
    }
    free_built(&b);
    close_trainer(&eager);
    close_trainer(&compiled);
}

static void assert_near(tdm_tensor *t, double wanted)
{
    if (!(fabs(tdm_item(t) - wanted) <= 1e-14))
        fail_msg("%.17g, expected %.17g", tdm_item(t), wanted);
}

static void test_schedule_values(void **state)
{
    tdm_context *ctx = open_context();
    const int64_t milestones[3] = {2, 5, 7};

    (void)state;
    for (int i = 0; i < 12; i++) {
        tdm_tensor *t = tdm_full(ctx, TDM_F64, tdm_shape(), i);
        int passed = (i >= 2) + (i >= 5) + (i >= 7);
        double share = i < 8 ? i / 8.0 : 1;
        assert_near(tdm_lr_step(t, 3, 0.5), pow(0.5, i / 3));
        assert_near(tdm_lr_multi_step(t, milestones, 3, 0.1), pow(0.1, passed));
        assert_near(tdm_lr_exponential(t, 0.9), pow(0.9, i));
        assert_near(tdm_lr_linear(t, 0.25, 1, 8), 0.25 + 0.75 * share);
        assert_near(tdm_lr_cosine(t, 8, 0.1), 0.1 + 0.9 * (1 + cos(acos(-1) * share)) / 2);
    }
    tdm_tensor *end = tdm_full(ctx, TDM_F32, tdm_shape(), 100);
    assert_true(tdm_item(tdm_lr_linear(end, 0.1, 1, 7)) == 1); /* a warm-up ends in 1 exactly */
    assert_true(tdm_is_error(tdm_lr_step(end, 0, 0.5)));
    assert_error(ctx, TDM_EARG, "lr_step", "0 steps", "(test_training.c:");
    assert_true(tdm_is_error(tdm_lr_cosine(end, 5, NAN)));
    assert_error(ctx, TDM_EARG, "lr_cosine", "nan", "(test_training.c:");
    assert_true(tdm_is_error(tdm_lr_multi_step(end, NULL, 3, 0.5)));
    assert_error(ctx, TDM_EARG, "lr_multi_step", "'milestones' is NULL", "(test_training.c:");
    assert_true(tdm_is_error(tdm_lr_exponential(tdm_arange(ctx, TDM_I32, 3), 0.5)));
    assert_error(ctx, TDM_EDTYPE, "lr_exponential", "i32[3]", "(test_training.c:");
    close_context(ctx);
}

static void test_clipping(void **state)
{
    tdm_context *ctx = open_context();
    const float three[2] = {3, 0}, four = -4;
    tdm_tensor *p[3] = {tdm_parameter(tdm_from_data(ctx, TDM_F32, tdm_shape(2), three), "a"),
                        tdm_parameter(tdm_from_data(ctx, TDM_F32, tdm_shape(1), &four), "b"),
                        tdm_parameter(numbers(ctx, tdm_shape(3), 1), "idle")};

    (void)state;
    assert_true(tdm_is_error(tdm_clip_grad_norm(p, 3, 1, 2)));
    assert_error(ctx, TDM_ESTATE, "clip_grad_norm", "no parameter has a gradient", "(test_training.c:");
    for (int k = 0; k < 4; k++) { /* the gradients are 3, 0 and -4 */
        for (int i = 0; i < 3; i++)
            tdm_clear_grad(p[i]);
        tdm_tensor *half = tdm_add(tdm_sum(tdm_square(p[0]), tdm_all_axes(), false),
                                   tdm_sum(tdm_square(p[1]), tdm_all_axes(), false));
        tdm_backward(tdm_mul_scalar(half, 0.5));
        if (k == 0)
            assert_true(tdm_item(tdm_clip_grad_norm(p, 3, 1, 2)) == 5);
        else if (k == 1)
            assert_true(tdm_item(tdm_clip_grad_norm(p, 3, 2, INFINITY)) == 4);
        else if (k == 2)
            assert_true(tdm_item(tdm_clip_grad_norm(p, 3, 9, 2)) == 5);
        else
            assert_int_equal(tdm_clip_grad_value(p, 3, 3.5), TDM_OK);
        const double factor[4] = {0.2, 0.5, 1, 0.875};
        assert_true(fabs(tdm_item(tdm_grad(p[1])) + 4 * factor[k]) < 3e-6);
        tdm_tensor *sum = tdm_sum(tdm_grad(p[0]), tdm_all_axes(), false);
        assert_true(fabs(tdm_item(sum) - 3 * (k < 3 ? factor[k] : 1)) < 3e-6);
        assert_null(tdm_grad(p[2]));
    }
    assert_true(tdm_is_error(tdm_clip_grad_norm(p, 3, 1, 3)));
    assert_error(ctx, TDM_EARG, "clip_grad_norm", "norm 3", "(test_training.c:");
    assert_true(tdm_is_error(tdm_clip_grad_norm(p, 3, -1, 2)));
    assert_error(ctx, TDM_EARG, "clip_grad_norm", "limit is -1", "(test_training.c:");
    tdm_clip_grad_value((tdm_tensor *const[]){p[0], NULL}, 2, 1);
    assert_error(ctx, TDM_EARG, "clip_grad_value", "parameter 1 is NULL", "(test_training.c:");
    assert_int_equal(tdm_clip_grad_value(NULL, 2, 1), TDM_EARG);
    assert_null(tdm_clip_grad_norm(NULL, 2, 1, 2));
    for (int i = 0; i < 3; i++)
        tdm_release(p[i]);
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
        cmocka_unit_test(test_state_names),      cmocka_unit_test(test_schedule_in_a_program),
        cmocka_unit_test(test_schedule_values),  cmocka_unit_test(test_set_learning_rate),
        cmocka_unit_test(test_clipping),         cmocka_unit_test(test_same_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
