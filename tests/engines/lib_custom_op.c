/* tests/engines/lib_custom_op.c: an op that a program brings along: y[i] = p sum_j (x[i, j] - z[i, j])^2 in
 * C, its gradient in ops. */
#include <stdio.h>

#include <tandem/tandem.h>

extern const tdm_custom_op engine_custom_op; /* lib_engines.h, which has the inner names */

static bool infer(const tdm_custom_call *call, tdm_dtype *dtype, tdm_dims *shape)
{
    const tdm_custom_array *x = &call->x[0], *z = &call->x[1];

    (void)dtype;
    if (call->n != 2 || x->shape.rank != 2 || z->shape.rank != 2 || x->dtype != z->dtype ||
        x->shape.dims[0] != z->shape.dims[0] || x->shape.dims[1] != z->shape.dims[1]) {
        snprintf(call->why, call->why_size, "two matrices of one type are needed");
        return false;
    }
    *shape = tdm_shape(x->shape.dims[0]);
    return true;
}

#define ROWS(T)                                                                                   \
    for (int64_t i = 0; i < m; i++) {                                                             \
        const T *x = (const T *)call->x[0].data + i * k, *z = (const T *)call->x[1].data + i * k; \
        T sum = 0;                                                                                \
        for (int64_t j = 0; j < k; j++)                                                           \
            sum += (x[j] - z[j]) * (x[j] - z[j]);                                                 \
        ((T *)y)[i] = (T)call->params[0] * sum;                                                   \
    }

static bool forward(const tdm_custom_call *call, void *y)
{
    int64_t m = call->x[0].shape.dims[0], k = call->x[0].shape.dims[1];

    if (call->type.dtype == TDM_F32) {
        ROWS(float)
    } else {
        ROWS(double)
    }
    return true;
}

static void gradient(const tdm_custom_call *call, tdm_tensor *const *x, tdm_tensor *y, tdm_tensor *dy,
                     tdm_tensor **dx)
{
    tdm_tensor *scaled = tdm_mul_scalar(tdm_unsqueeze(dy, 1), 2 * call->params[0]);

    (void)y;
    dx[0] = tdm_mul(scaled, tdm_sub(x[0], x[1]));
    dx[1] = tdm_neg(dx[0]);
}

const tdm_custom_op engine_custom_op = {
    .name = "squared_distance", .infer = infer, .forward = forward, .gradient = gradient};
