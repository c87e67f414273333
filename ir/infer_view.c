/* ir/infer_view.c: shape rules of reshape, transpose, broadcast, slice, reverse and checkpoint, of pad, the
 * adjoint of slice, and of concat.
 *
 *   reshape    f32[n,4,3] -> f32[12,n]     equal products of constants, the same symbols as often
 *   broadcast  f32[4,1]   -> f32[2,4,n]    right-aligned; an extent of 1 becomes anything
 *   slice      f32[n,9]   -> f32[n,3]      a symbolic axis only as a whole: its bounds can't be checked
 *   checkpoint f32[n,4]   -> f32[n,4]      whatever it waits for
 *   pad        f32[3]     -> f32[9]        low + 1 + (d - 1) * (interior + 1) + high
 *   concat     f32[n,3] f32[n,4] -> f32[n,7]  extents differ on the joined axis alone, which is constant */
#include <string.h>

#include "infer.h"

/* The target shape of reshape and broadcast with the operand's dtype. */
static ir_status target_type(const ir_inference *c, ir_type *out)
{
    const ir_type *t = &c->a->type;
    memset(out, 0, sizeof *out);
    out->dtype = c->x[0]->dtype;
    out->rank = t->rank;
    if (t->rank <= IR_MAX_RANK)
        memcpy(out->dims, t->dims, t->rank * sizeof *t->dims);
    return ir_infer_result(c, out);
}

/* Product of the constant extents. */
static int64_t constant_product(const ir_type *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        if (t->dims[i] > 0)
            n *= t->dims[i];
    return n;
}

static int count_dim(const ir_type *t, int64_t dim)
{
    int n = 0;
    for (int i = 0; i < t->rank; i++)
        n += t->dims[i] == dim;
    return n;
}

/* Every symbol of x is in y as often. */
static bool symbols_covered(const ir_type *x, const ir_type *y)
{
    for (int i = 0; i < x->rank; i++)
        if (x->dims[i] < 0 && count_dim(x, x->dims[i]) != count_dim(y, x->dims[i]))
            return false;
    return true;
}

ir_status ir_infer_reshape(const ir_inference *c)
{
    ir_type_text_buf b, d;
    const ir_type *x = c->x[0];
    ir_type y;
    ir_status s = target_type(c, &y);
    if (s != IR_OK)
        return s;
    if (constant_product(x) == constant_product(&y) && symbols_covered(x, &y) && symbols_covered(&y, x))
        return IR_OK;
    if (ir_type_is_static(x) && ir_type_is_static(&y))
        return ir_infer_fail(c, IR_ESHAPE, "%s has %lld elements, %s has %lld", ir_infer_show(c, x, &b),
                             (long long)ir_type_elements(x), ir_infer_show(c, &y, &d),
                             (long long)ir_type_elements(&y));
    return ir_infer_fail(c, IR_ESHAPE,
                         "%s and %s differ in their symbols or in the product of their constants",
                         ir_infer_show(c, x, &b), ir_infer_show(c, &y, &d));
}

ir_status ir_infer_transpose(const ir_inference *c)
{
    ir_type_text_buf b;
    const ir_type *x = c->x[0];
    if (c->a->n != x->rank)
        return ir_infer_fail(c, IR_ESHAPE, "perm has %d entries, but the rank of %s is %d", c->a->n,
                             ir_infer_show(c, x, &b), x->rank);
    ir_status s = ir_infer_axes(c, c->a->axes, c->a->n, x, "perm");
    if (s != IR_OK)
        return s;
    *c->out = *x;
    for (int i = 0; i < x->rank; i++)
        c->out->dims[i] = x->dims[c->a->axes[i]];
    return IR_OK;
}

ir_status ir_infer_broadcast(const ir_inference *c)
{
    ir_type_text_buf b, d;
    const ir_type *x = c->x[0];
    ir_type y;
    ir_status s = target_type(c, &y);
    if (s != IR_OK)
        return s;
    if (y.rank < x->rank)
        return ir_infer_fail(c, IR_ESHAPE, "%s has a higher rank than %s", ir_infer_show(c, x, &b),
                             ir_infer_show(c, &y, &d));
    for (int i = 0, lead = y.rank - x->rank; i < x->rank; i++)
        if (x->dims[i] != 1 && x->dims[i] != y.dims[lead + i])
            return ir_infer_fail(c, IR_ESHAPE,
                                 "%s does not broadcast to %s: axis %d is neither 1 nor that of the result",
                                 ir_infer_show(c, x, &b), ir_infer_show(c, &y, &d), i);
    return IR_OK;
}

/* Per-axis attributes name every axis of the operand. */
static ir_status check_n(const ir_inference *c)
{
    ir_type_text_buf b;
    if (c->a->n == c->x[0]->rank)
        return IR_OK;
    return ir_infer_fail(c, IR_ESHAPE, "the attributes have %d entries, but the rank of %s is %d", c->a->n,
                         ir_infer_show(c, c->x[0], &b), c->x[0]->rank);
}

static ir_status slice_axis(const ir_inference *c, int i, int64_t *out)
{
    ir_type_text_buf b, d;
    int64_t dim = c->x[0]->dims[i];
    int64_t start = c->a->slice.start[i], limit = c->a->slice.limit[i], step = c->a->slice.step[i];
    if (step < 1)
        return ir_infer_fail(c, IR_EARG, "step %lld of axis %d is not at least 1", (long long)step, i);
    if (dim < 0) {
        if (start != 0 || limit != dim || step != 1)
            return ir_infer_fail(
                c, IR_ESHAPE,
                "axis %d of %s is symbolic and can only be taken whole: start 0, limit %s, step 1", i,
                ir_infer_show(c, c->x[0], &b), ir_infer_dim(c, dim, &d));
        *out = dim;
        return IR_OK;
    }
    if (start < 0 || start >= limit || limit > dim)
        return ir_infer_fail(
            c, IR_ESHAPE, "axis %d of %s: start %lld and limit %lld are not 0 <= start < limit <= %lld", i,
            ir_infer_show(c, c->x[0], &b), (long long)start, (long long)limit, (long long)dim);
    *out = (limit - start - 1) / step + 1;
    return IR_OK;
}

ir_status ir_infer_slice(const ir_inference *c)
{
    ir_status s = check_n(c);
    ir_type y = *c->x[0];
    for (int i = 0; i < y.rank && s == IR_OK; i++)
        s = slice_axis(c, i, &y.dims[i]);
    if (s == IR_OK)
        *c->out = y;
    return s;
}

ir_status ir_infer_checkpoint(const ir_inference *c)
{
    return ir_infer_result(c, c->x[0]);
}

static ir_status pad_axis(const ir_inference *c, int i, int64_t *out)
{
    ir_type_text_buf b;
    int64_t dim = c->x[0]->dims[i];
    int64_t low = c->a->pad.low[i], high = c->a->pad.high[i], interior = c->a->pad.interior[i];
    if (low < 0 || high < 0 || interior < 0)
        return ir_infer_fail(c, IR_EARG,
                             "axis %d: low %lld, high %lld and interior %lld must not be negative", i,
                             (long long)low, (long long)high, (long long)interior);
    if (dim < 0 && (low || high || interior))
        return ir_infer_fail(c, IR_ESHAPE, "axis %d of %s is symbolic and can't be padded", i,
                             ir_infer_show(c, c->x[0], &b));
    if (low > IR_MAX_ELEMENTS || high > IR_MAX_ELEMENTS || interior > IR_MAX_ELEMENTS / (dim > 0 ? dim : 1))
        return ir_infer_fail(
            c, IR_ESHAPE, "axis %d of %s: padding by %lld, %lld and %lld overflows 2^40 elements", i,
            ir_infer_show(c, c->x[0], &b), (long long)low, (long long)high, (long long)interior);
    *out = dim < 0 ? dim : low + (dim - 1) * (interior + 1) + 1 + high;
    return IR_OK;
}

ir_status ir_infer_pad(const ir_inference *c)
{
    ir_status s = check_n(c);
    ir_type y = *c->x[0];
    for (int i = 0; i < y.rank && s == IR_OK; i++)
        s = pad_axis(c, i, &y.dims[i]);
    return s == IR_OK ? ir_infer_result(c, &y) : s;
}

ir_status ir_infer_reverse(const ir_inference *c)
{
    ir_status s = ir_infer_ascending(c, c->a->axes, c->a->n, c->x[0]);
    if (s == IR_OK)
        *c->out = *c->x[0];
    return s;
}

/* Operand i goes behind what *y holds so far. */
static ir_status join(const ir_inference *c, int i, int axis, ir_type *y)
{
    ir_type_text_buf b, d;
    const ir_type *first = c->x[0], *x = c->x[i];
    ir_type other = *x;
    if (x->dtype != first->dtype)
        return ir_infer_fail(c, IR_EDTYPE, "the dtypes of operands 0 and %d differ: %s and %s", i,
                             ir_infer_show(c, first, &b), ir_infer_show(c, x, &d));
    if (x->rank == first->rank)
        other.dims[axis] = first->dims[axis];
    if (!ir_shape_eq(&other, first))
        return ir_infer_fail(c, IR_ESHAPE, "operands 0 and %d may differ in axis %d alone: %s and %s", i,
                             axis, ir_infer_show(c, first, &b), ir_infer_show(c, x, &d));
    if (x->dims[axis] < 0)
        return ir_infer_fail(c, IR_ESHAPE, "axis %d of operand %d, %s, is symbolic and can't be joined", axis,
                             i, ir_infer_show(c, x, &b));
    y->dims[axis] += i ? x->dims[axis] : 0;
    return IR_OK;
}

ir_status ir_infer_concat(const ir_inference *c)
{
    if (c->n < 1 || c->n > IR_MAX_OPERANDS)
        return ir_infer_fail(c, IR_EARG, "it takes 1 to %d operands, not %d", IR_MAX_OPERANDS, c->n);
    if (c->a->n != 1)
        return ir_infer_fail(c, IR_EARG, "it joins along one axis, not %d", c->a->n);
    ir_status s = ir_infer_axes(c, c->a->axes, 1, c->x[0], "axes");
    ir_type y = *c->x[0];
    for (int i = 0; i < c->n && s == IR_OK; i++)
        s = join(c, i, c->a->axes[0], &y);
    return s == IR_OK ? ir_infer_result(c, &y) : s;
}
