/* tests/numerics/reference_index.c: concat and the indexed ops (docs/numerics.md rule 8), element by element.
 */
#include "numerics/reference_parts.h"

void ref_concat(const ir_attrs *a, const rt_array *const *x, int n, const rt_array *y)
{
    int axis = a->axes[0];

    for (int64_t p = 0, first = 0; p < n; first += x[p++]->type.dims[axis])
        for (int64_t i = 0; i < ir_type_elements(&x[p]->type); i++) {
            int64_t rest = i, to = first * y->strides[axis];

            for (int j = x[p]->type.rank - 1; j >= 0; j--) {
                to += rest % x[p]->type.dims[j] * y->strides[j];
                rest /= x[p]->type.dims[j];
            }
            ref_put(y, to, ref_at(x[p], i));
        }
}

static int64_t index_at(const rt_array *index, int64_t i, int64_t rows)
{
    int64_t at = ref_at(index, i).i;

    return at < 0 ? 0 : at >= rows ? rows - 1 : at;
}

static void gather(const rt_array *x, const rt_array *index, const rt_array *y)
{
    int64_t rows = x->type.dims[0], row = ir_type_elements(&x->type) / rows;

    for (int64_t i = 0; i < ir_type_elements(&index->type); i++)
        for (int64_t j = 0; j < row; j++)
            ref_put(y, i * row + j, ref_at(x, index_at(index, i, rows) * row + j));
}

/* op combines what is there with the update; IR_OP_COUNT: the update replaces it. */
static void scatter(ir_op op, const rt_array *const *x, const rt_array *y)
{
    int64_t rows = x[0]->type.dims[0], row = ir_type_elements(&x[0]->type) / rows;
    ir_dtype d = (ir_dtype)y->type.dtype;

    for (int64_t i = 0; i < rows * row; i++)
        ref_put(y, i, ref_at(x[0], i));
    for (int64_t i = 0; i < ir_type_elements(&x[1]->type); i++)
        for (int64_t j = 0; j < row; j++) {
            int64_t to = index_at(x[1], i, rows) * row + j;
            ref_value u = ref_at(x[2], i * row + j);

            ref_put(y, to, op == IR_OP_COUNT ? u : ref_binary(op, d, ref_at(y, to), u));
        }
}

/* Element (i0, i1, ..) of the part is element start + (i0, i1, ..) of the whole; start is clamped. */
static int64_t in_box(const ir_type *whole, const ir_type *part, const rt_array *start, int64_t linear)
{
    int64_t strides[IR_MAX_RANK], at = 0;

    ir_type_strides(whole, strides);
    for (int d = whole->rank - 1; d >= 0; d--) {
        at += (index_at(start, d, whole->dims[d] - part->dims[d] + 1) + linear % part->dims[d]) * strides[d];
        linear /= part->dims[d];
    }
    return at;
}

static void dynamic(ir_op op, const rt_array *const *x, const rt_array *y)
{
    const rt_array *part = op == IR_dynamic_slice ? y : x[2];

    for (int64_t i = 0; op == IR_dynamic_update && i < ir_type_elements(&y->type); i++)
        ref_put(y, i, ref_at(x[0], i));
    for (int64_t i = 0; i < ir_type_elements(&part->type); i++) {
        int64_t at = in_box(&x[0]->type, &part->type, x[1], i);

        if (op == IR_dynamic_slice)
            ref_put(y, i, ref_at(x[0], at));
        else
            ref_put(y, at, ref_at(x[2], i));
    }
}

bool ref_index(ir_op op, const rt_array *const *x, const rt_array *y)
{
    switch (op) {
    case IR_gather: gather(x[0], x[1], y); return true;
    case IR_scatter_add: scatter(IR_add, x, y); return true;
    case IR_scatter_set: scatter(IR_OP_COUNT, x, y); return true;
    case IR_scatter_mul: scatter(IR_mul, x, y); return true;
    case IR_scatter_max: scatter(IR_max, x, y); return true;
    case IR_scatter_min: scatter(IR_min, x, y); return true;
    case IR_dynamic_slice:
    case IR_dynamic_update: dynamic(op, x, y); return true;
    default: return false;
    }
}
