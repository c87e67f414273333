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

tdm_tensor *tdm_mse_loss(tdm_tensor *x, tdm_tensor *target, tdm_reduction r, tdm_loc at)
{
    fe_call c;
    ir_val v[2];
    if (!begin(&c, "mse", x, target, r, at, v))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_mse(c.s, v[0], v[1], (ir_reduction)r));
}

tdm_tensor *tdm_l1_loss(tdm_tensor *x, tdm_tensor *target, tdm_reduction r, tdm_loc at)
{
    fe_call c;
    ir_val v[2];
    if (!begin(&c, "l1", x, target, r, at, v))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_l1(c.s, v[0], v[1], (ir_reduction)r));
}

tdm_tensor *tdm_huber_loss(tdm_tensor *x, tdm_tensor *target, double delta, tdm_reduction r, tdm_loc at)
{
    fe_call c;
    ir_val v[2];
    if (!begin(&c, "huber", x, target, r, at, v))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_huber(c.s, v[0], v[1], delta, (ir_reduction)r));
}

tdm_tensor *tdm_smooth_l1_loss(tdm_tensor *x, tdm_tensor *target, double beta, tdm_reduction r, tdm_loc at)
{
    fe_call c;
    ir_val v[2];
    if (!begin(&c, "smooth_l1", x, target, r, at, v))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_smooth_l1(c.s, v[0], v[1], beta, (ir_reduction)r));
}

tdm_tensor *tdm_bce_loss(tdm_tensor *x, tdm_tensor *target, tdm_reduction r, tdm_loc at)
{
    fe_call c;
    ir_val v[2];
    if (!begin(&c, "bce", x, target, r, at, v))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_bce(c.s, v[0], v[1], (ir_reduction)r));
}

tdm_tensor *tdm_bce_with_logits_loss(tdm_tensor *x, tdm_tensor *target, tdm_tensor *pos_weight,
                                     tdm_reduction r, tdm_loc at)
{
    fe_call c;
    ir_val v[2];
    if (!begin(&c, "bce_with_logits", x, target, r, at, v))
        return fe_end(&c, 0);
    ir_val w = pos_weight ? fe_use(&c, pos_weight, "pos_weight") : 0;
    if (pos_weight && !w)
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_bce_with_logits(c.s, v[0], v[1], w, (ir_reduction)r));
}

tdm_tensor *tdm_kl_div_loss(tdm_tensor *x, tdm_tensor *target, bool log_target, tdm_reduction r, tdm_loc at)
{
    fe_call c;
    ir_val v[2];
    if (!begin(&c, "kl_div", x, target, r, at, v))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_kl_div(c.s, v[0], v[1], log_target, (ir_reduction)r));
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
        h.weight = how->weight ? fe_use(&c, how->weight, "weight") : 0;
    }
    if (!vx || !vt || (how && how->weight && !h.weight))
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
