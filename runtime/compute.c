/* runtime/compute.c: rt_compute: one op on strided arrays, by class; and the chunks of parallel work.
 *
 *   (op, attributes, operands of any strides)  ->  row-major result
 *
 * Used by the eager engine, constant folding and the tests: there is no second copy of the arithmetic. */
#include "runtime/compute.h"

void rt_split(const rt_engine *e, rt_chunk_fn *fn, void *work, int64_t n, double ns)
{
    double grain = 2000 / ns;
    void *args[1] = {work};

    if (!e->pool || (double)n < 2 * grain)
        fn(args, 0, n);
    else
        rt_parallel(e->pool, fn, args, n, grain < 1 ? 1 : (int64_t)grain);
}

/* x with some axes read backwards: strides that only rt_copy takes. */
static rt_array turned(const ir_attrs *a, const rt_array *x)
{
    rt_array y = *x;

    for (int i = 0; i < a->n; i++) {
        int axis = a->axes[i];
        int64_t last = (x->type.dims[axis] - 1) * x->strides[axis];
        y.data = rt_at(y.data, last * (int64_t)ir_dtype_size((ir_dtype)x->type.dtype));
        y.strides[axis] = -x->strides[axis];
    }
    return y;
}

/* Views are copied; a reshape keeps the row-major order of the elements, so any x will do. */
static ir_status compute_view(const rt_engine *e, ir_op op, const ir_attrs *a, const rt_array *x,
                              const rt_array *y)
{
    rt_array view;

    if (op == IR_reshape)
        view = *x;
    else if (op == IR_reverse)
        view = turned(a, x);
    else if (!rt_array_view(op, a, x, &y->type, &view))
        return IR_EARG;
    rt_copy(e, &view, y->data);
    return IR_OK;
}

/* Of class INDEX: custom calls, what walks along axes of its operands, and what takes places from one. */
static ir_status compute_index(const rt_engine *e, ir_op op, const ir_attrs *a, const rt_array *const *x,
                               int n, const rt_array *y)
{
    if (op == IR_custom)
        return rt_custom(e, a, x, n, y);
    if (!ir_op_walks_axes(op))
        return rt_index(e, op, x, y);
    switch (op) {
    case IR_argmax:
    case IR_argmin: return rt_arg_reduce(e, op, a, x[0], y);
    case IR_argsort: return rt_argsort(e, a, x[0], y);
    default: return rt_scan(e, op, a, x, n, y);
    }
}

ir_status rt_compute(const rt_engine *e, ir_op op, const ir_attrs *a, const rt_array *const *x, int n,
                     const rt_array *y)
{
    if (n > 0 && ir_op_widens(op, (ir_dtype)x[0]->type.dtype))
        return rt_compute_half(e, op, a, x, n, y);
    switch (ir_ops[op].cls) {
    case IR_POINTWISE: return rt_pointwise(e, op, a, x, n, y);
    case IR_VIEW: return compute_view(e, op, a, x[0], y);
    case IR_PAD: return rt_pad(e, a, x[0], y);
    case IR_CONCAT: return rt_concat(e, a, x, n, y);
    case IR_REDUCE: return rt_reduce(e, op, a, x[0], y);
    case IR_CONTRACT: return rt_dot(e, a, x[0], x[1], y);
    case IR_INDEX: return compute_index(e, op, a, x, n, y);
    case IR_GENERATE: return rt_generate(e, op, a, x, y);
    case IR_LEAF: break;
    }
    return IR_EARG; /* leaves hold values, they do not compute them */
}
