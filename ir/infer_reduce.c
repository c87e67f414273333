/* ir/infer_reduce.c: shape rules of what sums or searches over axes: reduce_sum, reduce_max, reduce_min,
 * argmax, dot_general.
 *
 *   reduce_*     f32[2,3,4] axes 0 2            -> f32[3]         the axes leave the shape
 *   argmax       f32[2,3,4] axes 0 2            -> i64[3]
 *   dot_general  f32[b,m,k] f32[b,k,n]          -> f32[b,m,n]     batch axes, then free axes of lhs, then of
 * rhs */
#include "infer.h"

ir_status ir_infer_reduce(const ir_inference *c)
{
    const ir_type *x = c->x[0];
    int n = c->a->n;
    if (n == 0)
        return ir_infer_fail(c, IR_EARG, "it needs at least one axis");
    ir_status s = ir_infer_ascending(c, c->a->axes, n, x);
    if (s != IR_OK)
        return s;
    unsigned set = 0;
    for (int i = 0; i < n; i++)
        set |= 1u << c->a->axes[i];
    ir_type y = {.dtype = x->dtype};
    for (int i = 0; i < x->rank; i++)
        if (!(set >> i & 1))
            y.dims[y.rank++] = x->dims[i];
    *c->out = y;
    return IR_OK;
}

ir_status ir_infer_argmax(const ir_inference *c)
{
    ir_status s = ir_infer_reduce(c);
    if (s == IR_OK)
        c->out->dtype = IR_DT_i64;
    return s;
}

/* ---- dot_general ------------------------------------------------------------------------------------- */

/* Pairs of axes have equal extents. */
static ir_status check_pairs(const ir_inference *c, const int8_t *l, const int8_t *r, int n, const char *what)
{
    ir_type_text_buf a, b, d, f;
    const ir_type *x = c->x[0], *z = c->x[1];
    for (int i = 0; i < n; i++)
        if (x->dims[l[i]] != z->dims[r[i]])
            return ir_infer_fail(c, IR_ESHAPE, "%s extents differ: %s axis %d is %s, %s axis %d is %s", what,
                                 ir_infer_show(c, x, &a), l[i], ir_infer_dim(c, x->dims[l[i]], &b),
                                 ir_infer_show(c, z, &d), r[i], ir_infer_dim(c, z->dims[r[i]], &f));
    return IR_OK;
}

/* Batch and contracted axes of one side: in range, none twice; *set collects them. */
static ir_status check_side(const ir_inference *c, const int8_t *batch, const int8_t *k, const ir_type *t,
                            const char *side, const char *batch_name, const char *k_name, unsigned *set)
{
    unsigned in_batch = 0;
    ir_status s = ir_infer_axes(c, batch, c->a->n, t, batch_name);
    if (s == IR_OK)
        s = ir_infer_axes(c, k, c->a->nk, t, k_name);
    if (s != IR_OK)
        return s;
    *set = 0;
    for (int i = 0; i < c->a->n; i++)
        in_batch |= 1u << batch[i];
    for (int i = 0; i < c->a->nk; i++) {
        if (in_batch >> k[i] & 1)
            return ir_infer_fail(c, IR_ESHAPE, "axis %d of the %s is both batch and contracted", k[i], side);
        *set |= 1u << k[i];
    }
    *set |= in_batch;
    return IR_OK;
}

static void free_dims(const ir_type *t, unsigned taken, int64_t *dims, int *rank)
{
    for (int i = 0; i < t->rank; i++)
        if (!(taken >> i & 1))
            dims[(*rank)++] = t->dims[i];
}

ir_status ir_infer_dot_general(const ir_inference *c)
{
    ir_type_text_buf b, d;
    const ir_type *x = c->x[0], *z = c->x[1];
    const ir_attrs *a = c->a;
    unsigned left, right;
    if (x->dtype != z->dtype)
        return ir_infer_fail(c, IR_EDTYPE, "the dtypes of the operands differ: %s and %s",
                             ir_infer_show(c, x, &b), ir_infer_show(c, z, &d));
    ir_status s = check_side(c, a->dot.lhs_batch, a->dot.lhs_k, x, "lhs", "lhs_batch", "lhs_k", &left);
    if (s == IR_OK)
        s = check_side(c, a->dot.rhs_batch, a->dot.rhs_k, z, "rhs", "rhs_batch", "rhs_k", &right);
    if (s == IR_OK)
        s = check_pairs(c, a->dot.lhs_batch, a->dot.rhs_batch, a->n, "batch");
    if (s == IR_OK)
        s = check_pairs(c, a->dot.lhs_k, a->dot.rhs_k, a->nk, "contracted");
    if (s != IR_OK)
        return s;
    int64_t dims[2 * IR_MAX_RANK];
    int rank = a->n;
    for (int i = 0; i < a->n; i++)
        dims[i] = x->dims[a->dot.lhs_batch[i]];
    free_dims(x, left, dims, &rank);
    free_dims(z, right, dims, &rank);
    if (rank > IR_MAX_RANK)
        return ir_infer_fail(c, IR_ESHAPE,
                             "the product of %s and %s would have rank %d; a rank is at most %d",
                             ir_infer_show(c, x, &b), ir_infer_show(c, z, &d), rank, IR_MAX_RANK);
    ir_type y = ir_type_make((ir_dtype)x->dtype, rank, dims);
    return ir_infer_result(c, &y);
}
