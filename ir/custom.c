/* ir/custom.c: emitting a custom call, and the gradient through one, which its own rule gives. */
#include <string.h>

#include "ir/emit.h"
#include "ir/vjp.h"

ir_val ir_e_custom(ir_sink *s, const ir_custom *op, const ir_val *x, int n, const double *params,
                   int param_count)
{
    ir_attrs a = {.n = (uint8_t)param_count, .custom.op = op};

    if (param_count < 0 || param_count > IR_MAX_RANK) {
        ir_fail(s->err, IR_EARG, "custom: %s: 0 to %d parameters, not %d", op->name, IR_MAX_RANK,
                param_count);
        return 0;
    }
    if (param_count) {
        memcpy(a.custom.params, params, (size_t)param_count * sizeof *params);
    }
    return ir_emit(s, IR_custom, &a, x, n);
}

bool ir_has_effects(const ir_node *n)
{
    return n->op == IR_custom && n->attrs->custom.op->effects;
}

void ir_vjp_custom(ir_sink *s, const ir_vjp_call *c)
{
    const ir_custom *op = c->a->custom.op;

    if (!op->vjp) {
        ir_fail(s->err, IR_EUNSUPPORTED, "custom: %s has no gradient: register it with one, or stop it",
                op->name);
        return;
    }
    op->vjp(op, s, c->a, c->x, c->n, c->y, c->dy, c->need, c->dx);
}
