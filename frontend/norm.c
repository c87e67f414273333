/* frontend/norm.c: public normalisations.  batch_norm's running statistics are variables: eagerly they change
 * now, in an open graph they become assigns. */
#include "frontend/fe.h"
#include "ir/compose.h"

tdm_tensor *tdm_layer_norm(tdm_tensor *x, tdm_tensor *gamma, tdm_tensor *beta, double eps, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, gamma, beta), "layer_norm", at, true))
        return fe_end(&c, 0);
    ir_val vx = fe_use(&c, x, "x"), vg, vb;
    if (!vx || !fe_use_optional(&c, gamma, "gamma", &vg) || !fe_use_optional(&c, beta, "beta", &vb))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_layer_norm(c.s, vx, vg, vb, eps));
}

tdm_tensor *tdm_rms_norm(tdm_tensor *x, tdm_tensor *gamma, double eps, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, gamma, NULL), "rms_norm", at, true))
        return fe_end(&c, 0);
    ir_val vx = fe_use(&c, x, "x"), vg;
    if (!vx || !fe_use_optional(&c, gamma, "gamma", &vg))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_rms_norm(c.s, vx, vg, eps));
}

tdm_tensor *tdm_group_norm(tdm_tensor *x, int groups, tdm_tensor *gamma, tdm_tensor *beta, double eps,
                           tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, gamma, beta), "group_norm", at, true))
        return fe_end(&c, 0);
    ir_val vx = fe_use(&c, x, "x"), vg, vb;
    if (!vx || !fe_use_optional(&c, gamma, "gamma", &vg) || !fe_use_optional(&c, beta, "beta", &vb))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_group_norm(c.s, vx, groups, vg, vb, eps));
}

tdm_tensor *tdm_instance_norm(tdm_tensor *x, tdm_tensor *gamma, tdm_tensor *beta, double eps, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, gamma, beta), "instance_norm", at, true))
        return fe_end(&c, 0);
    ir_val vx = fe_use(&c, x, "x"), vg, vb;
    if (!vx || !fe_use_optional(&c, gamma, "gamma", &vg) || !fe_use_optional(&c, beta, "beta", &vb))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_instance_norm(c.s, vx, vg, vb, eps));
}

tdm_tensor *tdm_normalize(tdm_tensor *x, double p, int axis, double eps, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "normalize", at, true))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_normalize(c.s, fe_use(&c, x, "x"), p, axis, eps));
}

tdm_tensor *tdm_cosine_similarity(tdm_tensor *x, tdm_tensor *z, int axis, double eps, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, z, NULL), "cosine_similarity", at, true))
        return fe_end(&c, 0);
    ir_val vx = fe_use(&c, x, "x"), vz = fe_use(&c, z, "z");
    return fe_end(&c, ir_c_cosine_similarity(c.s, vx, vz, axis, eps));
}

/* ---- batch_norm ---------------------------------------------------------------------------------------- */

typedef struct batch_args {
    ir_val x, gamma, beta, mean, var;
} batch_args;

static bool batch_use(fe_call *c, tdm_tensor *x, tdm_tensor *gamma, tdm_tensor *beta, tdm_tensor *mean,
                      tdm_tensor *var, batch_args *a)
{
    a->x = fe_use(c, x, "x");
    return a->x && fe_use_optional(c, gamma, "gamma", &a->gamma) &&
           fe_use_optional(c, beta, "beta", &a->beta) && fe_use_optional(c, mean, "mean", &a->mean) &&
           fe_use_optional(c, var, "var", &a->var);
}

/* The new running value v, a value of the current sink, as a tensor for tdm_assign. */
static tdm_status keep_running(fe_call *c, tdm_tensor *running, ir_val v)
{
    tdm_graph *g = c->ctx->open;

    return tdm_assign(running, g ? fe_symbolic(g, ir_ref_of(v)) : rt_tensor_of(v), c->at);
}

tdm_tensor *tdm_batch_norm(tdm_tensor *x, tdm_tensor *gamma, tdm_tensor *beta, tdm_tensor *mean,
                           tdm_tensor *var, bool training, double momentum, double eps, tdm_loc at)
{
    fe_call c;
    batch_args a;
    if (!fe_begin(&c, fe_context_of(x, gamma, mean), "batch_norm", at, true))
        return fe_end(&c, 0);
    if (!batch_use(&c, x, gamma, beta, mean, var, &a))
        return fe_end(&c, 0);
    ir_val y = ir_c_batch_norm(c.s, a.x, a.gamma, a.beta, &a.mean, &a.var, training, momentum, eps);
    if (y && training && mean &&
        (keep_running(&c, mean, a.mean) != TDM_OK || keep_running(&c, var, a.var) != TDM_OK))
        y = 0;
    return fe_end(&c, y);
}
