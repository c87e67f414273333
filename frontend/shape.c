/* frontend/shape.c: public views: reshape, transpose, broadcast, slice. */
#include "frontend/fe.h"
#include "ir/emit.h"

tdm_dims tdm_shape_of(const int64_t *zero_then_dims, int rank)
{
    tdm_dims d = {.rank = rank};
    for (int i = 0; i < rank && i < TDM_MAX_RANK; i++)
        d.dims[i] = zero_then_dims[i + 1];
    return d;
}

/* Replaces the one -1 in shape by what the element count asks for. */
static bool infer_extent(fe_call *c, const ir_type *x, tdm_dims *shape)
{
    int open = -1;
    int64_t known = 1;

    for (int i = 0; i < shape->rank && i < TDM_MAX_RANK; i++) {
        if (shape->dims[i] == -1 && open < 0)
            open = i;
        else if (shape->dims[i] > 0 && known <= IR_MAX_ELEMENTS / shape->dims[i])
            known *= shape->dims[i];
        else
            return true; /* inference names what is wrong */
    }
    if (open < 0)
        return true;
    if (!ir_type_is_static(x) || ir_type_elements(x) % known != 0) {
        char text[96];
        fe_fail(c->ctx, c->at, IR_ESHAPE, "reshape: %s does not divide into extents whose product is %lld",
                ir_type_text(x, NULL, text, sizeof text), (long long)known);
        return false;
    }
    shape->dims[open] = ir_type_elements(x) / known;
    return true;
}

tdm_tensor *tdm_reshape(tdm_tensor *x, tdm_dims shape, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "reshape", at, false))
        return fe_end(&c, 0);
    ir_val v = fe_use(&c, x, "x");
    if (!v || !infer_extent(&c, c.s->type(c.s, v), &shape) || !fe_valid_shape(&c, shape))
        return fe_end(&c, 0);
    return fe_end(&c, ir_e_reshape(c.s, v, shape.rank, shape.dims));
}

tdm_tensor *tdm_transpose(tdm_tensor *x, const int *perm, tdm_loc at)
{
    fe_call c;
    int reversed[IR_MAX_RANK];
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "transpose", at, false))
        return fe_end(&c, 0);
    ir_val v = fe_use(&c, x, "x");
    if (!v)
        return fe_end(&c, 0);
    int rank = c.s->type(c.s, v)->rank;
    for (int i = 0; i < rank; i++)
        reversed[i] = rank - 1 - i;
    return fe_end(&c, ir_e_transpose(c.s, v, perm ? perm : reversed));
}

tdm_tensor *tdm_broadcast_to(tdm_tensor *x, tdm_dims shape, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "broadcast", at, false))
        return fe_end(&c, 0);
    ir_val v = fe_use(&c, x, "x");
    if (!v || !fe_valid_shape(&c, shape))
        return fe_end(&c, 0);
    return fe_end(&c, ir_e_broadcast(c.s, v, shape.rank, shape.dims));
}

tdm_tensor *tdm_slice(tdm_tensor *x, int axis, int64_t start, int64_t limit, int64_t step, tdm_loc at)
{
    fe_call c;
    int64_t starts[IR_MAX_RANK], limits[IR_MAX_RANK], steps[IR_MAX_RANK];
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "slice", at, false))
        return fe_end(&c, 0);
    ir_val v = fe_use(&c, x, "x");
    if (!v)
        return fe_end(&c, 0);
    const ir_type *t = c.s->type(c.s, v);
    int a = axis < 0 ? axis + t->rank : axis;
    if (a < 0 || a >= t->rank) {
        char text[96];
        fe_fail(c.ctx, at, IR_ESHAPE, "slice: axis %d of %s", axis, ir_type_text(t, NULL, text, sizeof text));
        return fe_end(&c, 0);
    }
    for (int i = 0; i < t->rank; i++) {
        starts[i] = i == a ? start : 0;
        limits[i] = i == a ? limit : t->dims[i];
        steps[i] = i == a ? step : 1;
    }
    return fe_end(&c, ir_e_slice(c.s, v, starts, limits, steps));
}
