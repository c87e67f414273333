/* examples/custom.c: an op of the program's own, in both engines: Huber's loss of every element, with its
 * gradient. docs/custom-calls.md walks through it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <tandem/tandem.h>

/* y = x^2 / 2 where |x| < d, else d (|x| - d / 2); d is the call's first number. */
static bool huber(const tdm_custom_call *call, void *result)
{
    const float *x = call->x[0].data;
    float *y = result, d = (float)call->params[0];
    int64_t n = 1;

    if (call->param_count != 1 || !(d > 0)) {
        snprintf(call->why, call->why_size, "one positive number is needed");
        return false;
    }
    for (int i = 0; i < call->type.shape.rank; i++)
        n *= call->type.shape.dims[i];
    for (int64_t i = 0; i < n; i++)
        y[i] = fabsf(x[i]) < d ? 0.5f * x[i] * x[i] : d * (fabsf(x[i]) - 0.5f * d);
    return true;
}

/* The result has operand 0's type; other dtypes than f32 are refused. */
static bool huber_type(const tdm_custom_call *call, tdm_dtype *dtype, tdm_dims *shape)
{
    *dtype = call->x[0].dtype;
    *shape = call->x[0].shape;
    if (call->n == 1 && *dtype == TDM_F32)
        return true;
    snprintf(call->why, call->why_size, "one operand of f32 is needed");
    return false;
}

/* dx = dy clamp(x, -d, d): built of ops, so it has a gradient itself. */
static void huber_gradient(const tdm_custom_call *call, tdm_tensor *const *x, tdm_tensor *y, tdm_tensor *dy,
                           tdm_tensor **dx)
{
    (void)y;
    dx[0] = tdm_mul(dy, tdm_clamp(x[0], -call->params[0], call->params[0]));
}

/* The model, written once. */
static tdm_tensor *loss(tdm_tensor *x)
{
    const double d = 1;

    return tdm_mean(tdm_custom("huber", &x, 1, &d, 1), tdm_all_axes(), false);
}

static void show(const char *engine, tdm_tensor *y, tdm_tensor *dx)
{
    float d[4];

    tdm_read(dx, d, sizeof d);
    printf("%-7s loss %.9g  gradient %g %g %g %g\n", engine, (double)tdm_item(y), (double)d[0], (double)d[1],
           (double)d[2], (double)d[3]);
}

int main(void)
{
    tdm_context *ctx = tdm_context_new(NULL);

    tdm_custom_register(
        ctx,
        &(tdm_custom_op){.name = "huber", .infer = huber_type, .forward = huber, .gradient = huber_gradient});
    tdm_tensor *dx, *x = tdm_from_data(ctx, TDM_F32, tdm_shape(4), ((const float[]){-3, -0.5f, 0.25f, 2}));
    tdm_requires_grad(x, true);
    tdm_tensor *y = loss(x);
    tdm_gradients(&y, NULL, 1, &x, 1, &dx, 0);
    if (tdm_ok(ctx))
        show("eager", y, dx);

    tdm_graph *g = tdm_graph_open(ctx, "huber");
    tdm_tensor *ys = loss(x), *dxs;
    tdm_gradients(&ys, NULL, 1, &x, 1, &dxs, 0);
    tdm_output(ctx, "loss", ys);
    tdm_output(ctx, "dx", dxs);
    tdm_graph_close(ctx);
    tdm_program *p = tdm_compile(g, NULL);
    tdm_exec *e = tdm_exec_new(p);
    if (tdm_exec_run(e) == TDM_OK)
        show("static", tdm_exec_output(e, "loss"), tdm_exec_output(e, "dx"));

    bool ok = tdm_ok(ctx);
    if (!ok)
        fprintf(stderr, "%s\n", tdm_error(ctx));
    tdm_exec_free(e);
    tdm_program_free(p);
    tdm_graph_free(g);
    tdm_context_free(ctx);
    return ok ? 0 : 1;
}
