/* ir/infer.c: shape rules: op, attributes and operand types -> result type, or one line that says what does
 * not fit.
 *
 *   dot_general: contracted extents differ: f32[4,5] axis 1 is 5, f32[6,7] axis 0 is 6
 *
 * The one place of shape rules: the graph, the eager engine, the verifier and the parser all ask here.  A dim
 * is a constant or a symbol; a symbol fits itself and nothing else.  Views are in infer_view.c, indexed ops
 * in infer_index.c, reductions and products in infer_reduce.c; leaves, generators and pointwise ops are here.
 * Nothing is allocated, and nothing is formatted unless it fails. */
#include <stdio.h>
#include <string.h>

#include "infer.h"

/* ---- messages ---------------------------------------------------------------------------------------- */

ir_status ir_infer_fail(const ir_inference *c, ir_status s, const char *fmt, ...)
{
    char text[448];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return ir_fail(c->e, s, "%s: %s", ir_ops[c->op].name, text);
}

const char *ir_infer_show(const ir_inference *c, const ir_type *t, ir_type_text_buf *b)
{
    return ir_type_text(t, c->symbols, b->text, sizeof b->text);
}

const char *ir_infer_dim(const ir_inference *c, int64_t dim, ir_type_text_buf *b)
{
    if (dim >= 0)
        snprintf(b->text, sizeof b->text, "%lld", (long long)dim);
    else if (c->symbols)
        snprintf(b->text, sizeof b->text, "%s", c->symbols[~dim]);
    else
        snprintf(b->text, sizeof b->text, "s%lld", (long long)~dim);
    return b->text;
}

static void dtype_set_text(unsigned set, char *buf, size_t size)
{
    size_t at = 0;
    buf[0] = 0;
    for (int d = 0; d < IR_DT_COUNT && at < size; d++)
        if (set >> d & 1)
            at += (size_t)snprintf(buf + at, size - at, "%s%s", at ? " " : "", ir_dtype_name((ir_dtype)d));
}

/* ---- shared checks ----------------------------------------------------------------------------------- */

ir_status ir_infer_axes(const ir_inference *c, const int8_t *axes, int n, const ir_type *t, const char *what)
{
    ir_type_text_buf b;
    unsigned seen = 0;
    if (n > IR_MAX_RANK)
        return ir_infer_fail(c, IR_EARG, "%s has %d entries; a rank is at most %d", what, n, IR_MAX_RANK);
    for (int i = 0; i < n; i++) {
        if (axes[i] < 0 || axes[i] >= t->rank)
            return ir_infer_fail(c, IR_ESHAPE, "%s holds axis %d, which %s does not have", what, axes[i],
                                 ir_infer_show(c, t, &b));
        if (seen >> axes[i] & 1)
            return ir_infer_fail(c, IR_ESHAPE, "%s holds axis %d twice", what, axes[i]);
        seen |= 1u << axes[i];
    }
    return IR_OK;
}

ir_status ir_infer_ascending(const ir_inference *c, const int8_t *axes, int n, const ir_type *t)
{
    ir_status s = ir_infer_axes(c, axes, n, t, "axes");
    for (int i = 1; i < n && s == IR_OK; i++)
        if (axes[i] < axes[i - 1])
            return ir_infer_fail(c, IR_EARG, "axes must ascend: %d comes before %d", axes[i - 1], axes[i]);
    return s;
}

ir_status ir_infer_result(const ir_inference *c, const ir_type *t)
{
    ir_type_text_buf b;
    int64_t n = 1;
    if (t->rank > IR_MAX_RANK)
        return ir_infer_fail(c, IR_ESHAPE, "the result would have rank %d; a rank is at most %d", t->rank,
                             IR_MAX_RANK);
    for (int i = 0; i < t->rank; i++) {
        if (t->dims[i] == 0)
            return ir_infer_fail(c, IR_ESHAPE,
                                 "the result would be %s: the extent of axis %d is 0; extents are at least 1",
                                 ir_infer_show(c, t, &b), i);
        if (t->dims[i] < 0)
            continue;
        if (t->dims[i] > IR_MAX_ELEMENTS / n)
            return ir_infer_fail(c, IR_ESHAPE, "the result would be %s, which has more than 2^40 elements",
                                 ir_infer_show(c, t, &b));
        n *= t->dims[i];
    }
    *c->out = *t;
    return IR_OK;
}

static ir_status check_dtype(const ir_inference *c, int operand, unsigned set)
{
    ir_type_text_buf b;
    char names[64];
    const ir_type *t = c->x[operand];
    if (set >> t->dtype & 1)
        return IR_OK;
    dtype_set_text(set, names, sizeof names);
    return ir_infer_fail(c, IR_EDTYPE, "operand %d is %s; its dtype must be one of: %s", operand,
                         ir_infer_show(c, t, &b), names);
}

static ir_status check_equal(const ir_inference *c, int i, int j)
{
    ir_type_text_buf b, d;
    const ir_type *x = c->x[i], *z = c->x[j];
    if (x->dtype != z->dtype)
        return ir_infer_fail(c, IR_EDTYPE, "the dtypes of operands %d and %d differ: %s and %s", i, j,
                             ir_infer_show(c, x, &b), ir_infer_show(c, z, &d));
    if (!ir_shape_eq(x, z))
        return ir_infer_fail(c, IR_ESHAPE, "the shapes of operands %d and %d differ: %s and %s", i, j,
                             ir_infer_show(c, x, &b), ir_infer_show(c, z, &d));
    return IR_OK;
}

/* ---- leaves and generators --------------------------------------------------------------------------- */

static ir_status attr_type(const ir_inference *c)
{
    ir_error inner = {0};
    if (ir_type_check(&c->a->type, "type", &inner) != IR_OK)
        return ir_infer_fail(c, inner.status, "%s", inner.text);
    *c->out = c->a->type;
    memset(c->out->dims + c->out->rank, 0, (size_t)(IR_MAX_RANK - c->out->rank) * sizeof *c->out->dims);
    return IR_OK;
}

static ir_status infer_leaf(const ir_inference *c)
{
    if (!c->a->leaf.name || !c->a->leaf.name[0])
        return ir_infer_fail(c, IR_EARG, "it needs a name");
    return attr_type(c);
}

static ir_status infer_constant(const ir_inference *c)
{
    ir_type_text_buf b;
    const ir_type *t = &c->a->type;
    ir_status s = attr_type(c);
    if (s != IR_OK)
        return s;
    bool is_static = ir_type_is_static(t);
    if (!is_static && !c->a->splat)
        return ir_infer_fail(c, IR_ESHAPE,
                             "%s has symbolic extents, so its value must be one element repeated",
                             ir_infer_show(c, t, &b));
    size_t want = c->a->splat ? ir_dtype_size((ir_dtype)t->dtype) : ir_type_bytes(t);
    if (!c->a->constant.data || c->a->constant.bytes != want)
        return ir_infer_fail(c, IR_EARG, "%s needs %zu bytes of data, not %zu", ir_infer_show(c, t, &b), want,
                             c->a->constant.data ? c->a->constant.bytes : 0);
    const uint8_t *p = c->a->constant.data;
    for (size_t i = 0; t->dtype == IR_DT_bool && i < want; i++)
        if (p[i] > 1)
            return ir_infer_fail(c, IR_EARG, "element %zu of bool data is %d; only 0 and 1 are", i, p[i]);
    return IR_OK;
}

static ir_status infer_iota(const ir_inference *c)
{
    ir_type_text_buf b;
    ir_status s = attr_type(c);
    if (s != IR_OK)
        return s;
    if (c->a->type.rank != 1)
        return ir_infer_fail(c, IR_ESHAPE, "the type must have rank 1, not %s",
                             ir_infer_show(c, &c->a->type, &b));
    if (!(ir_ops[c->op].dtypes >> c->a->type.dtype & 1))
        return ir_infer_fail(c, IR_EDTYPE, "there is no iota of dtype %s",
                             ir_dtype_name((ir_dtype)c->a->type.dtype));
    return IR_OK;
}

static ir_status infer_random_bits(const ir_inference *c)
{
    ir_type_text_buf b;
    const ir_type *state = c->x[0];
    if (state->rank != 1 || state->dims[0] != 4)
        return ir_infer_fail(c, IR_ESHAPE, "the state must be u32[4], not %s", ir_infer_show(c, state, &b));
    if (c->a->type.dtype != IR_DT_u32)
        return ir_infer_fail(c, IR_EDTYPE, "the result's dtype must be u32, not %s",
                             ir_dtype_name((ir_dtype)c->a->type.dtype));
    return attr_type(c);
}

/* ---- pointwise --------------------------------------------------------------------------------------- */

/* Operands from `first` on have one dtype of the row's set and one shape. */
static ir_status infer_alike(const ir_inference *c, int first)
{
    ir_status s = check_dtype(c, first, ir_ops[c->op].dtypes);
    for (int i = first + 1; i < c->n && s == IR_OK; i++)
        s = check_equal(c, first, i);
    if (s != IR_OK)
        return s;
    *c->out = *c->x[first];
    if (ir_ops[c->op].facts & IR_BOOL_RESULT)
        c->out->dtype = IR_DT_bool;
    return IR_OK;
}

static ir_status infer_pointwise(const ir_inference *c)
{
    return infer_alike(c, 0);
}

static ir_status infer_select(const ir_inference *c)
{
    ir_type_text_buf b, d;
    ir_status s = check_dtype(c, 0, D_BOOL);
    if (s == IR_OK)
        s = infer_alike(c, 1);
    if (s == IR_OK && !ir_shape_eq(c->x[0], c->x[1]))
        return ir_infer_fail(c, IR_ESHAPE, "the shapes of operands 0 and 1 differ: %s and %s",
                             ir_infer_show(c, c->x[0], &b), ir_infer_show(c, c->x[1], &d));
    return s;
}

static ir_status infer_convert(const ir_inference *c)
{
    if (c->a->type.dtype >= IR_DT_COUNT)
        return ir_infer_fail(c, IR_EDTYPE, "there is no dtype %d", c->a->type.dtype);
    *c->out = ir_type_with(c->x[0], (ir_dtype)c->a->type.dtype);
    return IR_OK;
}

static ir_status infer_clamp(const ir_inference *c)
{
    if (!(c->a->clamp.lo <= c->a->clamp.hi)) /* a NaN bound fails too */
        return ir_infer_fail(c, IR_EARG, "lo = %g is not at most hi = %g", c->a->clamp.lo, c->a->clamp.hi);
    return infer_alike(c, 0);
}

static ir_status infer_custom(const ir_inference *c)
{
    if (!c->a->custom.op)
        return ir_infer_fail(c, IR_EARG, "it names no function");
    if (c->n < 1 || c->n > IR_MAX_OPERANDS)
        return ir_infer_fail(c, IR_EARG, "%s: it takes 1 to %d operands, not %d", c->a->custom.op->name,
                             IR_MAX_OPERANDS, c->n);
    return c->a->custom.op->infer(c->a->custom.op, c->a, c->x, c->n, c->out, c->e);
}

/* ---- the door ---------------------------------------------------------------------------------------- */

typedef ir_status infer_fn(const ir_inference *c);

static infer_fn *const rules[IR_OP_COUNT] = {
#define OP_UNARY(name, ...) [IR_##name] = infer_pointwise,
#define OP_BINARY(name, ...) [IR_##name] = infer_pointwise,
#include "ops.def"
    [IR_input] = infer_leaf,
    [IR_variable] = infer_leaf,
    [IR_constant] = infer_constant,
    [IR_iota] = infer_iota,
    [IR_random_bits] = infer_random_bits,
    [IR_select] = infer_select,
    [IR_convert] = infer_convert,
    [IR_clamp] = infer_clamp,
    [IR_reshape] = ir_infer_reshape,
    [IR_transpose] = ir_infer_transpose,
    [IR_broadcast] = ir_infer_broadcast,
    [IR_slice] = ir_infer_slice,
    [IR_checkpoint] = ir_infer_checkpoint,
    [IR_pad] = ir_infer_pad,
    [IR_reverse] = ir_infer_reverse,
    [IR_concat] = ir_infer_concat,
    [IR_gather] = ir_infer_gather,
    [IR_scatter_add] = ir_infer_scatter,
    [IR_scatter_set] = ir_infer_scatter,
    [IR_scatter_mul] = ir_infer_scatter,
    [IR_scatter_max] = ir_infer_scatter,
    [IR_scatter_min] = ir_infer_scatter,
    [IR_dynamic_slice] = ir_infer_dynamic_slice,
    [IR_dynamic_update] = ir_infer_dynamic_update,
    [IR_reduce_sum] = ir_infer_reduce,
    [IR_reduce_max] = ir_infer_reduce,
    [IR_reduce_min] = ir_infer_reduce,
    [IR_reduce_prod] = ir_infer_reduce,
    [IR_reduce_all] = ir_infer_reduce,
    [IR_reduce_any] = ir_infer_reduce,
    [IR_argmax] = ir_infer_argmax,
    [IR_argmin] = ir_infer_argmax,
    [IR_cumsum] = ir_infer_scan,
    [IR_cumprod] = ir_infer_scan,
    [IR_cummax] = ir_infer_scan,
    [IR_cummin] = ir_infer_scan,
    [IR_linear_scan] = ir_infer_scan,
    [IR_argsort] = ir_infer_argsort,
    [IR_custom] = infer_custom,
    [IR_dot_general] = ir_infer_dot_general,
};

static ir_status check_call(const ir_inference *c)
{
    int arity = ir_ops[c->op].arity;
    if (arity >= 0 && c->n != arity)
        return ir_infer_fail(c, IR_EARG, "it takes %d operand%s, not %d", arity, arity == 1 ? "" : "s", c->n);
    /* the first operand's dtype is the row's in every class but leaves (no operand) and select (its
     * condition) */
    return c->n && c->op != IR_select ? check_dtype(c, 0, ir_ops[c->op].dtypes) : IR_OK;
}

ir_status ir_infer_named(ir_op op, const ir_attrs *a, const ir_type *const *x, int n,
                         const char *const *symbols, ir_type *out, ir_error *e)
{
    static const ir_attrs no_attrs;
    ir_error local = {0}; /* so that the status is this call's even if e holds an earlier error */
    if ((unsigned)op >= IR_OP_COUNT)
        return ir_fail(e, IR_EARG, "there is no op %d", (int)op);
    ir_inference c = {op, a ? a : &no_attrs, x, n, symbols, out, &local};
    ir_status s = check_call(&c);
    if (s == IR_OK)
        s = rules[op](&c);
    if (s != IR_OK)
        ir_fail(e, s, "%s", local.text);
    return s;
}

ir_status ir_infer(ir_op op, const ir_attrs *a, const ir_type *const *x, int n, ir_type *out, ir_error *e)
{
    return ir_infer_named(op, a, x, n, NULL, out, e);
}
