/* examples/mlp.c: one model function trained by both engines on two interleaved spirals: the losses are equal
 * to the last bit. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <tandem/tandem.h>

#include "lib_mlp.h"

enum { POINTS = 256, STEPS = 400 };
static const int64_t sizes[] = {2, 32, 32, 2};

/* Points of two spirals, label by spiral. */
static void spirals(float x[POINTS][2], int64_t label[POINTS])
{
    for (int i = 0; i < POINTS; i++) {
        double t = 0.25 + 3.0 * (i / 2) / (POINTS / 2), angle = 2.1 * t + 3.141592653589793 * (i % 2);
        x[i][0] = (float)(t * cos(angle) / 3);
        x[i][1] = (float)(t * sin(angle) / 3);
        label[i] = i % 2;
    }
}

/* A training step's loss: the same words run now, or define a graph. */
static tdm_tensor *train_step(const mlp *m, tdm_optimizer *opt, tdm_tensor *x, tdm_tensor *label)
{
    tdm_tensor *loss = tdm_cross_entropy(mlp_logits(m, x), label);
    tdm_zero_grad(opt);
    tdm_backward(loss);
    tdm_step(opt);
    return loss;
}

static bool train_eager(tdm_context *ctx, tdm_tensor *x, tdm_tensor *label, float loss[STEPS])
{
    tdm_seed(ctx, 1);
    mlp m = mlp_new(ctx, sizes, 3);
    tdm_optimizer *opt = tdm_adam(m.p, 6, 1e-2, 0.9, 0.999, 1e-8, 0);
    for (int i = 0; i < STEPS; i++) {
        tdm_scope_open(ctx);
        loss[i] = (float)tdm_item(train_step(&m, opt, x, label));
        tdm_scope_close(ctx);
    }
    tdm_optimizer_free(opt);
    mlp_free(&m);
    return tdm_ok(ctx);
}

static bool train_static(tdm_context *ctx, tdm_tensor *x, tdm_tensor *label, float loss[STEPS])
{
    tdm_seed(ctx, 1);
    mlp m = mlp_new(ctx, sizes, 3);
    tdm_optimizer *opt = tdm_adam(m.p, 6, 1e-2, 0.9, 0.999, 1e-8, 0);
    tdm_graph *g = tdm_graph_open(ctx, "train_step");
    tdm_tensor *gx = tdm_input(ctx, "x", TDM_F32, tdm_shape(POINTS, 2)),
               *gl = tdm_input(ctx, "label", TDM_I64, tdm_shape(POINTS));
    tdm_output(ctx, "loss", train_step(&m, opt, gx, gl));
    tdm_graph_close(ctx);
    tdm_program *p = tdm_compile(g, NULL);
    tdm_exec *e = tdm_exec_new(p);
    tdm_exec_bind(e, "x", x);
    tdm_exec_bind(e, "label", label);
    for (int i = 0; i < STEPS && tdm_ok(ctx); i++) {
        tdm_exec_run(e);
        loss[i] = (float)tdm_item(tdm_exec_output(e, "loss"));
    }
    tdm_exec_free(e);
    tdm_program_free(p);
    tdm_graph_free(g);
    tdm_optimizer_free(opt);
    mlp_free(&m);
    return tdm_ok(ctx);
}

int main(void)
{
    static float points[POINTS][2], eager[STEPS], compiled[STEPS];
    static int64_t labels[POINTS];
    tdm_context *ctx = tdm_context_new(NULL);

    spirals(points, labels);
    tdm_tensor *x = tdm_from_data(ctx, TDM_F32, tdm_shape(POINTS, 2), points);
    tdm_tensor *label = tdm_from_data(ctx, TDM_I64, tdm_shape(POINTS), labels);
    bool ok = train_eager(ctx, x, label, eager) && train_static(ctx, x, label, compiled);
    for (int i = 0; ok && i < STEPS; i += 50)
        printf("step %3d  loss  eager %.9g  static %.9g\n", i, (double)eager[i], (double)compiled[i]);
    if (ok)
        printf("step %3d  loss  eager %.9g  static %.9g\n", STEPS - 1, (double)eager[STEPS - 1],
               (double)compiled[STEPS - 1]);
    bool same = memcmp(eager, compiled, sizeof eager) == 0;
    if (ok)
        printf("%d losses: %s\n", STEPS, same ? "the same bits in both engines" : "DIFFERENT");
    else
        fprintf(stderr, "mlp: %s\n", tdm_error(ctx));
    tdm_context_free(ctx);
    return ok && same ? 0 : 1;
}
