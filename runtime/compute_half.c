/* runtime/compute_half.c: reductions, scans, sorts and products of f16 and bf16 (numerics, Half precision).
 *
 *   y: f16 = op(x: f16)   ->   convert to f32, op in f32, convert back: one rounding
 *
 * A reduction over several runs is one after the other, so rounded after each. */
#include "runtime/compute.h"

#include <string.h>

static ir_status convert(const rt_engine *e, const rt_array *x, const rt_array *y)
{
    ir_attrs a = {.type = {.dtype = y->type.dtype}};

    return rt_pointwise(e, IR_convert, &a, &x, 1, y);
}

/* New memory for values of type t; without data when there is none. */
static rt_array scratch(ir_type t)
{
    return rt_array_of(&t, rt_alloc(ir_type_bytes(&t)));
}

static void drop(const rt_array *x)
{
    if (x->data)
        rt_free(x->data, ir_type_bytes(&x->type));
}

static ir_status in_f32(const rt_engine *e, ir_op op, const ir_attrs *a, const rt_array *const *x, int n,
                        const rt_array *y)
{
    rt_array wide[2] = {{.data = NULL}}, result = *y;
    const rt_array *in[2];
    bool half = ir_dtype_is_half((ir_dtype)y->type.dtype);
    ir_status s = IR_OK;

    for (int i = 0; i < n && s == IR_OK; i++) {
        in[i] = &wide[i];
        wide[i] = scratch(ir_type_with(&x[i]->type, IR_DT_f32));
        s = wide[i].data ? convert(e, x[i], &wide[i]) : IR_ENOMEM;
    }
    if (s == IR_OK && half)
        result = scratch(ir_type_with(&y->type, IR_DT_f32));
    if (s == IR_OK)
        s = result.data ? rt_compute(e, op, a, in, n, &result) : IR_ENOMEM;
    if (s == IR_OK && half)
        s = convert(e, &result, y);
    if (half && result.data != y->data)
        drop(&result);
    for (int i = 0; i < n; i++)
        drop(&wide[i]);
    return s;
}

/* The innermost run first, then the others. */
static ir_status run_by_run(const rt_engine *e, ir_op op, const ir_attrs *a, int from, const rt_array *x,
                            const rt_array *y)
{
    ir_attrs inner = {.n = (uint8_t)(a->n - from)}, rest = {.n = (uint8_t)from};
    const ir_type *t = &x->type;
    ir_error error = {0};
    ir_type part;

    memcpy(inner.axes, a->axes + from, inner.n);
    memcpy(rest.axes, a->axes, rest.n);
    ir_status s = ir_infer(op, &inner, &t, 1, &part, &error);
    if (s != IR_OK)
        return s;
    rt_array sums = scratch(part);
    const rt_array *in = &sums;
    s = sums.data ? in_f32(e, op, &inner, &x, 1, &sums) : IR_ENOMEM;
    if (s == IR_OK)
        s = rt_compute_half(e, op, &rest, &in, 1, y);
    drop(&sums);
    return s;
}

ir_status rt_compute_half(const rt_engine *e, ir_op op, const ir_attrs *a, const rt_array *const *x, int n,
                          const rt_array *y)
{
    int from = ir_ops[op].cls == IR_REDUCE ? ir_last_run(a) : 0;

    return from > 0 ? run_by_run(e, op, a, from, x[0], y) : in_f32(e, op, a, x, n, y);
}
