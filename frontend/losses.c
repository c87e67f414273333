/* frontend/losses.c: public losses: the door around ir/compose_loss.c. */
#include "frontend/fe.h"
#include "ir/compose.h"

static bool valid_reduction(fe_call *c, tdm_reduction r)
{
    _Static_assert((int)TDM_REDUCE_MEAN == (int)IR_REDUCE_MEAN && (int)TDM_REDUCE_NONE == (int)IR_REDUCE_NONE,
                   "public and internal reductions are the same numbers");
    if ((int)r >= TDM_REDUCE_MEAN && (int)r <= TDM_REDUCE_NONE)
        return true;
    fe_fail(c->ctx, c->at, IR_EARG, "%s: %d is not a reduction", c->op, (int)r);
    return false;
}

/* Opens the call with its operands.  False: the call can't go on. */
static bool begin(fe_call *c, const char *op, tdm_tensor *x, tdm_tensor *target, tdm_reduction r, tdm_loc at,
                  ir_val v[2])
{
    if (!fe_begin(c, fe_context_of(x, target, NULL), op, at, true) || !valid_reduction(c, r))
        return false;
    v[0] = fe_use(c, x, "x");
    v[1] = fe_use(c, target, "target");
    return v[0] && v[1];
}

tdm_tensor *tdm_mse(tdm_tensor *x, tdm_tensor *target, tdm_loc at)
{
    return tdm_mse_loss(x, target, TDM_REDUCE_MEAN, at);
}

/* A loss of x, target and numbers. */
#define LOSS(name, parameters, ...)                                            \
    tdm_tensor *tdm_##name##_loss parameters                                   \
    {                                                                          \
        fe_call c;                                                             \
        ir_val v[2];                                                           \
        bool ok = begin(&c, #name, x, target, r, at, v);                       \
        return fe_end(&c, ok ? ir_c_##name(c.s, v[0], v[1], __VA_ARGS__) : 0); \
    }
LOSS(mse, (tdm_tensor * x, tdm_tensor *target, tdm_reduction r, tdm_loc at), (ir_reduction)r)
LOSS(l1, (tdm_tensor * x, tdm_tensor *target, tdm_reduction r, tdm_loc at), (ir_reduction)r)
LOSS(huber, (tdm_tensor * x, tdm_tensor *target, double delta, tdm_reduction r, tdm_loc at), delta,
     (ir_reduction)r)
LOSS(smooth_l1, (tdm_tensor * x, tdm_tensor *target, double beta, tdm_reduction r, tdm_loc at), beta,
     (ir_reduction)r)
LOSS(bce, (tdm_tensor * x, tdm_tensor *target, tdm_reduction r, tdm_loc at), (ir_reduction)r)
LOSS(hinge, (tdm_tensor * x, tdm_tensor *target, tdm_reduction r, tdm_loc at), (ir_reduction)r)
LOSS(kl_div, (tdm_tensor * x, tdm_tensor *target, bool log_target, tdm_reduction r, tdm_loc at), log_target,
     (ir_reduction)r)

tdm_tensor *tdm_bce_with_logits_loss(tdm_tensor *x, tdm_tensor *target, tdm_tensor *pos_weight,
                                     tdm_reduction r, tdm_loc at)
{
    fe_call c;
    ir_val v[2], w;
    if (!begin(&c, "bce_with_logits", x, target, r, at, v) ||
        !fe_use_optional(&c, pos_weight, "pos_weight", &w))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_bce_with_logits(c.s, v[0], v[1], w, (ir_reduction)r));
}

tdm_tensor *tdm_cosine_embedding_loss(tdm_tensor *x, tdm_tensor *z, tdm_tensor *target, double margin,
                                      tdm_reduction r, tdm_loc at)
{
    fe_call c;
    ir_val v[2];
    if (!begin(&c, "cosine_embedding", x, target, r, at, v))
        return fe_end(&c, 0);
    ir_val vz = fe_use(&c, z, "z");
    return fe_end(&c, vz ? ir_c_cosine_embedding(c.s, v[0], vz, v[1], margin, (ir_reduction)r) : 0);
}

/* ---- classes ------------------------------------------------------------------------------------------- */

typedef ir_val class_loss(ir_sink *s, ir_val x, ir_val targets, const ir_class_loss *how);

static tdm_tensor *by_class(class_loss *f, const char *op, const char *argument, tdm_tensor *x,
                            tdm_tensor *targets, const tdm_class_loss *how, tdm_loc at)
{
    fe_call c;
    ir_class_loss h = {0};
    if (!fe_begin(&c, fe_context_of(x, targets, NULL), op, at, true) ||
        (how && !valid_reduction(&c, how->reduction)))
        return fe_end(&c, 0);
    ir_val vx = fe_use(&c, x, argument), vt = fe_use(&c, targets, "targets");
    if (how) {
        h.label_smoothing = how->label_smoothing;
        h.ignore = how->ignore;
        h.ignore_index = how->ignore_index;
        h.reduction = (ir_reduction)how->reduction;
    }
    if (!vx || !vt || !fe_use_optional(&c, how ? how->weight : NULL, "weight", &h.weight))
        return fe_end(&c, 0);
    return fe_end(&c, f(c.s, vx, vt, &h));
}

tdm_tensor *tdm_nll_loss(tdm_tensor *x, tdm_tensor *targets, const tdm_class_loss *how, tdm_loc at)
{
    return by_class(ir_c_nll, "nll", "x", x, targets, how, at);
}

tdm_tensor *tdm_cross_entropy(tdm_tensor *logits, tdm_tensor *targets, tdm_loc at)
{
    return tdm_cross_entropy_with(logits, targets, NULL, at);
}

tdm_tensor *tdm_cross_entropy_with(tdm_tensor *logits, tdm_tensor *targets, const tdm_class_loss *how,
                                   tdm_loc at)
{
    return by_class(ir_c_cross_entropy, "cross_entropy", "logits", logits, targets, how, at);
}
