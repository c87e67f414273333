/* frontend/ops.c: the public ops: each is the door around an emit helper or a composite of ir/. */
#include "frontend/fe.h"
#include "ir/compose.h"
#include "ir/emit.h"

typedef ir_val unary_fn(ir_sink *s, ir_val x);

static tdm_tensor *unary(unary_fn *f, const char *op, tdm_tensor *x, tdm_loc at, bool composite)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), op, at, composite))
        return fe_end(&c, 0);
    ir_val v = fe_use(&c, x, "x");
    return fe_end(&c, f(c.s, v));
}

#define X(name)                                         \
    tdm_tensor *tdm_##name(tdm_tensor *x, tdm_loc at)   \
    {                                                   \
        return unary(ir_e_##name, #name, x, at, false); \
    }
/* clang-format off */
X(neg) X(abs) X(sign) X(sqrt) X(rsqrt) X(exp) X(log) X(log1p) X(sin) X(cos) X(tanh) X(erf) X(logistic) X(relu)
X(not)
TDM_MATH_OPS(X)
/* clang-format on */
#undef X

        tdm_tensor *tdm_square(tdm_tensor *x, tdm_loc at)
{
    return unary(ir_c_square, "square", x, at, true);
}

tdm_tensor *tdm_silu(tdm_tensor *x, tdm_loc at)
{
    return unary(ir_c_silu, "silu", x, at, true);
}

/* In a graph the node that stops gradients; eagerly a leaf that shares storage. */
tdm_tensor *tdm_detach(tdm_tensor *x, tdm_loc at)
{
    tdm_context *ctx = fe_context_of(x, NULL, NULL);
    if (ctx && ctx->open)
        return unary(ir_e_stop_gradient, "detach", x, at, false);
    fe_call c;
    if (!fe_begin(&c, ctx, "detach", at, false))
        return fe_end(&c, 0);
    return fe_end(&c, fe_use(&c, x, "x") ? rt_val(rt_detach(x)) : 0);
}

static tdm_tensor *binary(ir_op op, tdm_tensor *x, tdm_tensor *z, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, z, NULL), ir_ops[op].name, at, false))
        return fe_end(&c, 0);
    ir_val a = fe_use(&c, x, "x"), b = fe_use(&c, z, "z");
    return fe_end(&c, ir_c_binary(c.s, op, a, b));
}

static tdm_tensor *with_scalar(ir_op op, tdm_tensor *x, double z, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), ir_ops[op].name, at, false))
        return fe_end(&c, 0);
    ir_val operands[2] = {fe_use(&c, x, "x"), 0};
    if (operands[0])
        operands[1] = ir_e_like(c.s, operands[0], z);
    return fe_end(&c, ir_emit(c.s, op, NULL, operands, 2));
}

#define X(name)                                                          \
    tdm_tensor *tdm_##name(tdm_tensor *x, tdm_tensor *z, tdm_loc at)     \
    {                                                                    \
        return binary(IR_##name, x, z, at);                              \
    }                                                                    \
    tdm_tensor *tdm_##name##_scalar(tdm_tensor *x, double z, tdm_loc at) \
    {                                                                    \
        return with_scalar(IR_##name, x, z, at);                         \
    }
TDM_BINARY_OPS(X)
TDM_MATH_BINARY_OPS(X)
#undef X

tdm_tensor *tdm_select(tdm_tensor *p, tdm_tensor *x, tdm_tensor *z, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(p, x, z), "select", at, false))
        return fe_end(&c, 0);
    ir_val vp = fe_use(&c, p, "p"), vx = fe_use(&c, x, "x"), vz = fe_use(&c, z, "z");
    return fe_end(&c, ir_c_select(c.s, vp, vx, vz));
}

tdm_tensor *tdm_convert(tdm_tensor *x, tdm_dtype d, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "convert", at, false))
        return fe_end(&c, 0);
    ir_val v = fe_use(&c, x, "x");
    if (!fe_valid_dtype(d)) {
        fe_fail(c.ctx, at, IR_EDTYPE, "convert: %d is not a dtype", (int)d);
        v = 0;
    }
    return fe_end(&c, v ? ir_e_convert(c.s, v, (ir_dtype)d) : 0);
}

tdm_tensor *tdm_clamp(tdm_tensor *x, double lo, double hi, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "clamp", at, false))
        return fe_end(&c, 0);
    ir_val v = fe_use(&c, x, "x");
    return fe_end(&c, v ? ir_e_clamp(c.s, v, lo, hi) : 0);
}

tdm_tensor *tdm_gather(tdm_tensor *x, tdm_tensor *index, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, index, NULL), "gather", at, false))
        return fe_end(&c, 0);
    ir_val vx = fe_use(&c, x, "x"), vi = fe_use(&c, index, "index");
    return fe_end(&c, ir_e_gather(c.s, vx, vi));
}

tdm_tensor *tdm_scatter_add(tdm_tensor *x, tdm_tensor *index, tdm_tensor *update, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, index, update), "scatter_add", at, false))
        return fe_end(&c, 0);
    ir_val vx = fe_use(&c, x, "x"), vi = fe_use(&c, index, "index"), vu = fe_use(&c, update, "update");
    return fe_end(&c, ir_e_scatter_add(c.s, vx, vi, vu));
}

tdm_tensor *tdm_one_hot(tdm_tensor *index, int64_t classes, tdm_dtype d, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(index, NULL, NULL), "one_hot", at, true))
        return fe_end(&c, 0);
    ir_val v = fe_use(&c, index, "index");
    if (!fe_valid_dtype(d)) {
        fe_fail(c.ctx, at, IR_EDTYPE, "one_hot: %d is not a dtype", (int)d);
        v = 0;
    }
    return fe_end(&c, v ? ir_c_one_hot(c.s, v, classes, (ir_dtype)d) : 0);
}

tdm_tensor *tdm_dot_general(tdm_tensor *x, tdm_tensor *z, const tdm_dot_axes *axes, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, z, NULL), "dot_general", at, false))
        return fe_end(&c, 0);
    ir_val vx = fe_use(&c, x, "x"), vz = fe_use(&c, z, "z");
    ir_attrs a = {0};
    if (!axes || axes->n_batch < 0 || axes->n_contract < 0 ||
        axes->n_batch + axes->n_contract > IR_MAX_RANK) {
        fe_fail(c.ctx, at, IR_EARG, "dot_general: %s",
                axes ? "more axes than a tensor can have" : "argument 'axes' is NULL");
        return fe_end(&c, 0);
    }
    a.n = (uint8_t)axes->n_batch;
    a.nk = (uint8_t)axes->n_contract;
    for (int i = 0; i < axes->n_batch; i++) {
        a.dot.lhs_batch[i] = (int8_t)axes->x_batch[i];
        a.dot.rhs_batch[i] = (int8_t)axes->z_batch[i];
    }
    for (int i = 0; i < axes->n_contract; i++) {
        a.dot.lhs_k[i] = (int8_t)axes->x_contract[i];
        a.dot.rhs_k[i] = (int8_t)axes->z_contract[i];
    }
    return fe_end(&c, ir_e_dot(c.s, vx, vz, &a));
}

tdm_tensor *tdm_matmul(tdm_tensor *a, tdm_tensor *b, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(a, b, NULL), "matmul", at, true))
        return fe_end(&c, 0);
    ir_val va = fe_use(&c, a, "a"), vb = fe_use(&c, b, "b");
    return fe_end(&c, ir_c_matmul(c.s, va, vb));
}

tdm_tensor *tdm_linear(tdm_tensor *x, tdm_tensor *w, tdm_tensor *bias, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, w, bias), "linear", at, true))
        return fe_end(&c, 0);
    ir_val vx = fe_use(&c, x, "x"), vw = fe_use(&c, w, "w"), vb;
    if (!fe_use_optional(&c, bias, "bias", &vb))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_linear(c.s, vx, vw, vb));
}
