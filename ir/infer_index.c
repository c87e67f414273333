/* ir/infer_index.c: shape rules of gather and its adjoint scatter_add.
 *
 *   gather       x f32[9,4]  index i64[2,3]                    -> f32[2,3,4]    rows of x
 *   scatter_add  x f32[9,4]  index i64[2,3]  update f32[2,3,4] -> f32[9,4]      update is typed as gather's
 * result */
#include "infer.h"

/* The type of the rows of x that index picks. */
static ir_status rows_type(const ir_inference *c, ir_type *out)
{
    ir_type_text_buf b, d;
    const ir_type *x = c->x[0], *index = c->x[1];
    if (index->dtype != IR_DT_i32 && index->dtype != IR_DT_i64)
        return ir_infer_fail(c, IR_EDTYPE, "the index must be i32 or i64, not %s",
                             ir_infer_show(c, index, &b));
    if (x->rank < 1)
        return ir_infer_fail(c, IR_ESHAPE, "operand 0 must have an axis to index, not %s",
                             ir_infer_show(c, x, &b));
    int rank = index->rank + x->rank - 1;
    if (rank > IR_MAX_RANK)
        return ir_infer_fail(c, IR_ESHAPE, "rows of %s at %s would have rank %d; a rank is at most %d",
                             ir_infer_show(c, x, &b), ir_infer_show(c, index, &d), rank, IR_MAX_RANK);
    ir_type y = {.dtype = x->dtype, .rank = (uint8_t)rank};
    for (int i = 0; i < index->rank; i++)
        y.dims[i] = index->dims[i];
    for (int i = 1; i < x->rank; i++)
        y.dims[index->rank + i - 1] = x->dims[i];
    *out = y;
    return IR_OK;
}

ir_status ir_infer_gather(const ir_inference *c)
{
    ir_type y = {0};
    ir_status s = rows_type(c, &y);
    return s == IR_OK ? ir_infer_result(c, &y) : s;
}

ir_status ir_infer_scatter_add(const ir_inference *c)
{
    ir_type_text_buf b, d;
    const ir_type *update = c->x[2];
    ir_type rows = {0};
    ir_status s = rows_type(c, &rows);
    if (s != IR_OK)
        return s;
    if (update->dtype != rows.dtype)
        return ir_infer_fail(c, IR_EDTYPE, "the update's dtype must be that of operand 0: %s and %s",
                             ir_infer_show(c, update, &b), ir_infer_show(c, c->x[0], &d));
    if (!ir_shape_eq(update, &rows))
        return ir_infer_fail(c, IR_ESHAPE,
                             "the update must be %s (index shape, then the rows of operand 0), not %s",
                             ir_infer_show(c, &rows, &b), ir_infer_show(c, update, &d));
    *c->out = *c->x[0];
    return IR_OK;
}
