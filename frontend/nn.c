/* frontend/nn.c: public reductions, composites and random tensors. */
#include "frontend/fe.h"
#include "ir/compose.h"
#include "ir/emit.h"

/* Axes counted from 0; an empty set means all.  False + error on a bad axis or one named twice. */
static bool resolve_axes(fe_call *c, const ir_type *t, tdm_axis_set in, int out[IR_MAX_RANK], int *n)
{
    char text[96];
    unsigned seen = 0;

    *n = in.n ? in.n : t->rank;
    if (in.n < 0 || in.n > TDM_MAX_RANK) {
        fe_fail(c->ctx, c->at, IR_EARG, "%s: %d axes", c->op, in.n);
        return false;
    }
    for (int i = 0; i < *n; i++) {
        int a = in.n ? in.axes[i] : i;
        if (a < 0)
            a += t->rank;
        if (a < 0 || a >= t->rank || (seen >> a & 1)) {
            fe_fail(c->ctx, c->at, IR_ESHAPE, "%s: axis %d of %s %s", c->op, in.n ? in.axes[i] : i,
                    ir_type_text(t, NULL, text, sizeof text),
                    a < 0 || a >= t->rank ? "does not exist" : "is named twice");
            return false;
        }
        seen |= 1u << a;
        out[i] = a;
    }
    return true;
}

typedef enum { SUM, MEAN, AMAX, AMIN, ARGMAX, VAR } reduction;

static tdm_tensor *reduce(reduction kind, const char *name, tdm_tensor *x, tdm_axis_set set, int correction,
                          bool keep, tdm_loc at)
{
    static const ir_op ops[] = {
        [SUM] = IR_reduce_sum, [AMAX] = IR_reduce_max, [AMIN] = IR_reduce_min, [ARGMAX] = IR_argmax};
    fe_call c;
    int axes[IR_MAX_RANK], n;

    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), name, at, kind == MEAN || kind == VAR))
        return fe_end(&c, 0);
    ir_val v = fe_use(&c, x, "x");
    if (!v || !resolve_axes(&c, c.s->type(c.s, v), set, axes, &n))
        return fe_end(&c, 0);
    if (kind == MEAN)
        return fe_end(&c, ir_c_mean(c.s, v, axes, n, keep));
    if (kind == VAR)
        return fe_end(&c, ir_c_var(c.s, v, axes, n, correction, keep));
    return fe_end(&c, ir_e_reduce(c.s, ops[kind], v, axes, n, keep));
}

tdm_tensor *tdm_sum(tdm_tensor *x, tdm_axis_set axes, bool keep, tdm_loc at)
{
    return reduce(SUM, "sum", x, axes, 0, keep, at);
}

tdm_tensor *tdm_mean(tdm_tensor *x, tdm_axis_set axes, bool keep, tdm_loc at)
{
    return reduce(MEAN, "mean", x, axes, 0, keep, at);
}

tdm_tensor *tdm_amax(tdm_tensor *x, tdm_axis_set axes, bool keep, tdm_loc at)
{
    return reduce(AMAX, "amax", x, axes, 0, keep, at);
}

tdm_tensor *tdm_amin(tdm_tensor *x, tdm_axis_set axes, bool keep, tdm_loc at)
{
    return reduce(AMIN, "amin", x, axes, 0, keep, at);
}

tdm_tensor *tdm_argmax(tdm_tensor *x, tdm_axis_set axes, bool keep, tdm_loc at)
{
    return reduce(ARGMAX, "argmax", x, axes, 0, keep, at);
}

tdm_tensor *tdm_var(tdm_tensor *x, tdm_axis_set axes, int correction, bool keep, tdm_loc at)
{
    return reduce(VAR, "var", x, axes, correction, keep, at);
}

tdm_tensor *tdm_gelu(tdm_tensor *x, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "gelu", at, true))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_gelu(c.s, fe_use(&c, x, "x"), false));
}

tdm_tensor *tdm_gelu_tanh(tdm_tensor *x, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "gelu_tanh", at, true))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_gelu(c.s, fe_use(&c, x, "x"), true));
}

tdm_tensor *tdm_logsumexp(tdm_tensor *x, int axis, bool keep, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "logsumexp", at, true))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_logsumexp(c.s, fe_use(&c, x, "x"), axis, keep));
}

tdm_tensor *tdm_softmax(tdm_tensor *x, int axis, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "softmax", at, true))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_softmax(c.s, fe_use(&c, x, "x"), axis));
}

tdm_tensor *tdm_log_softmax(tdm_tensor *x, int axis, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "log_softmax", at, true))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_log_softmax(c.s, fe_use(&c, x, "x"), axis));
}

tdm_tensor *tdm_layer_norm(tdm_tensor *x, tdm_tensor *gamma, tdm_tensor *beta, double eps, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, gamma, beta), "layer_norm", at, true))
        return fe_end(&c, 0);
    ir_val vx = fe_use(&c, x, "x"), vg = gamma ? fe_use(&c, gamma, "gamma") : 0,
           vb = beta ? fe_use(&c, beta, "beta") : 0;
    if (!vx || (gamma && !vg) || (beta && !vb))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_layer_norm(c.s, vx, vg, vb, eps));
}

ir_val fe_take_random(fe_call *c, unsigned calls, uint64_t *offset)
{
    rt_context *rt = &c->ctx->rt;

    if (c->ctx->open) {
        ir_ref r = fe_rng_ref(c->ctx->open);
        *offset = c->ctx->open->g->random_count;
        c->ctx->open->g->random_count += calls;
        return r == IR_NONE ? 0 : ir_val_of(r);
    }
    const int64_t four = 4;
    uint32_t state[4] = {rt->rng_seed[0], rt->rng_seed[1], (uint32_t)rt->rng_counter,
                         (uint32_t)(rt->rng_counter >> 32)};
    ir_type t = ir_type_make(IR_DT_u32, 1, &four);
    rt->rng_counter += calls;
    *offset = 0;
    return rt_val(rt_tensor_from(rt, &t, state));
}

static bool random_type(fe_call *c, tdm_dtype d, tdm_dims shape, ir_type *t)
{
    if (d != TDM_F32 && d != TDM_F64) {
        fe_fail(c->ctx, c->at, IR_EDTYPE, "%s: dtype %s, expected f32 or f64", c->op,
                fe_valid_dtype(d) ? tdm_dtype_name(d) : "?");
        return false;
    }
    if (!fe_valid_shape(c, shape))
        return false;
    *t = fe_type(d, shape);
    return ir_type_check(t, c->op, c->s->err) == IR_OK;
}

tdm_tensor *tdm_uniform(tdm_context *ctx, tdm_dtype d, tdm_dims shape, double lo, double hi, tdm_loc at)
{
    fe_call c;
    ir_type t;
    uint64_t offset;
    if (!fe_begin(&c, ctx, "uniform", at, true) || !random_type(&c, d, shape, &t))
        return fe_end(&c, 0);
    ir_val state = fe_take_random(&c, 1, &offset);
    return fe_end(&c, ir_c_uniform(c.s, &t, state, offset, lo, hi));
}

tdm_tensor *tdm_normal(tdm_context *ctx, tdm_dtype d, tdm_dims shape, double mean, double std, tdm_loc at)
{
    fe_call c;
    ir_type t;
    uint64_t offset;
    if (!fe_begin(&c, ctx, "normal", at, true) || !random_type(&c, d, shape, &t))
        return fe_end(&c, 0);
    ir_val state = fe_take_random(&c, 2, &offset);
    return fe_end(&c, ir_c_normal(c.s, &t, state, offset, mean, std));
}

tdm_tensor *tdm_dropout(tdm_tensor *x, double p, tdm_loc at)
{
    fe_call c;
    uint64_t offset;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "dropout", at, true))
        return fe_end(&c, 0);
    ir_val v = fe_use(&c, x, "x");
    if (!v)
        return fe_end(&c, 0);
    ir_val state = fe_take_random(&c, 1, &offset);
    return fe_end(&c, ir_c_dropout(c.s, v, state, offset, p));
}
