/* ir/infer_scan.c: shape rules of what walks along one axis: scans and argsort.
 *
 *   cumsum       x f32[3,n] axis 0                  -> f32[3,n]
 *   linear_scan  x f32[3,n]  z f32[3,n]  axis 1     -> f32[3,n]      operands of one type
 *   argsort      x f32[3,n]                         -> i64[3,n]      along the last axis */
#include "infer.h"

static ir_status check_flag(const ir_inference *c, const char *name)
{
    if (c->a->scan.reverse <= 1)
        return IR_OK;
    return ir_infer_fail(c, IR_EARG, "%s must be 0 or 1, not %llu", name,
                         (unsigned long long)c->a->scan.reverse);
}

ir_status ir_infer_scan(const ir_inference *c)
{
    ir_type_text_buf b, d;
    const ir_type *x = c->x[0];
    for (int i = 1; i < c->n; i++)
        if (!ir_type_eq(x, c->x[i]))
            return ir_infer_fail(c, x->dtype == c->x[i]->dtype ? IR_ESHAPE : IR_EDTYPE,
                                 "the types of the operands differ: %s and %s", ir_infer_show(c, x, &b),
                                 ir_infer_show(c, c->x[i], &d));
    if (c->a->scan.axis >= x->rank)
        return ir_infer_fail(c, IR_ESHAPE, "axis %llu is not an axis of %s",
                             (unsigned long long)c->a->scan.axis, ir_infer_show(c, x, &b));
    *c->out = *x;
    return check_flag(c, "reverse");
}

ir_status ir_infer_argsort(const ir_inference *c)
{
    ir_type_text_buf b;
    if (c->x[0]->rank < 1)
        return ir_infer_fail(c, IR_ESHAPE, "it needs an axis to sort, not %s", ir_infer_show(c, c->x[0], &b));
    *c->out = ir_type_with(c->x[0], IR_DT_i64);
    return check_flag(c, "descending");
}
