/* ir/infer_index.c: shape rules of gather, of the scatters (its adjoint scatter_add is one) and of boxes
 * whose place is known at run time.
 *
 *   gather       x f32[9,4]  index i64[2,3]                    -> f32[2,3,4]    rows of x
 *   scatter_add  x f32[9,4]  index i64[2,3]  update f32[2,3,4] -> f32[9,4]      update is typed as gather's
 * result
 *   dynamic_slice   x f32[9,4]  start i64[2]                 -> f32[3,4]
 *   dynamic_update  x f32[9,4]  start i64[2]  update f32[3,4] -> f32[9,4] */
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

ir_status ir_infer_scatter(const ir_inference *c)
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

/* ---- boxes ------------------------------------------------------------------------------------------- */

/* start is [rank]; the part fits into x, of whose symbolic axes it takes all. */
static ir_status check_box(const ir_inference *c, const ir_type *part, const char *what)
{
    ir_type_text_buf b, d;
    const ir_type *x = c->x[0], *start = c->x[1];
    if (start->dtype != IR_DT_i32 && start->dtype != IR_DT_i64)
        return ir_infer_fail(c, IR_EDTYPE, "start must be i32 or i64, not %s", ir_infer_show(c, start, &b));
    if (x->rank < 1 || start->rank != 1 || start->dims[0] != x->rank)
        return ir_infer_fail(c, IR_ESHAPE, "start must be one number for each axis of %s, not %s",
                             ir_infer_show(c, x, &b), ir_infer_show(c, start, &d));
    bool fits = part->rank == x->rank;
    for (int i = 0; i < x->rank && fits; i++)
        fits = part->dims[i] == x->dims[i] ||
               (x->dims[i] > 0 && part->dims[i] >= 1 && part->dims[i] <= x->dims[i]);
    if (!fits)
        return ir_infer_fail(c, IR_ESHAPE, "%s %s does not fit into %s", what, ir_infer_show(c, part, &b),
                             ir_infer_show(c, x, &d));
    return IR_OK;
}

ir_status ir_infer_dynamic_slice(const ir_inference *c)
{
    const ir_type *t = &c->a->type;
    ir_type y = {.dtype = c->x[0]->dtype, .rank = t->rank};
    for (int i = 0; i < t->rank && i < IR_MAX_RANK; i++)
        y.dims[i] = t->dims[i];
    ir_status s = ir_infer_result(c, &y);
    return s == IR_OK ? check_box(c, &y, "a box") : s;
}

ir_status ir_infer_dynamic_update(const ir_inference *c)
{
    ir_type_text_buf b, d;
    if (c->x[2]->dtype != c->x[0]->dtype)
        return ir_infer_fail(c, IR_EDTYPE, "the update's dtype must be that of operand 0: %s and %s",
                             ir_infer_show(c, c->x[2], &b), ir_infer_show(c, c->x[0], &d));
    *c->out = *c->x[0];
    return check_box(c, c->x[2], "the update");
}
