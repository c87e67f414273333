/* runtime/array.c: strided arrays and views of them. */
#include "runtime/array.h"

bool rt_array_is_contiguous(const rt_array *x)
{
    int64_t next = 1;

    for (int i = x->type.rank - 1; i >= 0; i--) {
        if (x->type.dims[i] == 1)
            continue;
        if (x->strides[i] != next)
            return false;
        next *= x->type.dims[i];
    }
    return true;
}

rt_array rt_array_of(const ir_type *t, void *data)
{
    rt_array y = {.type = *t, .data = data};

    ir_type_strides(t, y.strides);
    return y;
}

/* Strides of x under another shape: both shapes are walked from the right, and each group of x's dims that a
 * group of y's dims must equal has to be contiguous in itself. */
static bool view_reshape(const rt_array *x, rt_array *y)
{
    int i = x->type.rank - 1, j = y->type.rank - 1;

    if (rt_array_is_contiguous(x)) {
        ir_type_strides(&y->type, y->strides);
        return true;
    }
    while (j >= 0) {
        int64_t have = 1, used = 1, stride = 1;

        while (i >= 0 && x->type.dims[i] == 1)
            i--;
        if (i >= 0) {
            stride = x->strides[i];
            have = x->type.dims[i--];
        }
        /* The group ends where the products meet. */
        do {
            while (used * y->type.dims[j] > have) {
                while (i >= 0 && x->type.dims[i] == 1)
                    i--;
                if (i < 0 || x->strides[i] != stride * have)
                    return false;
                have *= x->type.dims[i--];
            }
            y->strides[j] = stride * used;
            used *= y->type.dims[j--];
        } while (j >= 0 && (used < have || y->type.dims[j] == 1));
        if (used != have)
            return false;
    }
    return true;
}

static void view_transpose(const ir_attrs *a, const rt_array *x, rt_array *y)
{
    for (int i = 0; i < y->type.rank; i++)
        y->strides[i] = x->strides[a->axes[i]];
}

static void view_broadcast(const rt_array *x, rt_array *y)
{
    int lead = y->type.rank - x->type.rank;

    for (int i = 0; i < y->type.rank; i++)
        y->strides[i] = i < lead || x->type.dims[i - lead] != y->type.dims[i] ? 0 : x->strides[i - lead];
}

static void view_slice(const ir_attrs *a, const rt_array *x, rt_array *y)
{
    int64_t first = 0;

    for (int i = 0; i < y->type.rank; i++) {
        first += a->slice.start[i] * x->strides[i];
        y->strides[i] = a->slice.step[i] * x->strides[i];
    }
    if (x->data)
        y->data = (char *)x->data + first * (int64_t)ir_dtype_size((ir_dtype)x->type.dtype);
}

bool rt_array_view(ir_op op, const ir_attrs *a, const rt_array *x, const ir_type *result, rt_array *y)
{
    *y = (rt_array){.type = *result, .data = x->data};
    switch (op) {
    case IR_reshape: return view_reshape(x, y);
    case IR_transpose: view_transpose(a, x, y); return true;
    case IR_broadcast: view_broadcast(x, y); return true;
    case IR_checkpoint: *y = *x; return true;
    case IR_slice: view_slice(a, x, y); return true;
    default: return false;
    }
}
