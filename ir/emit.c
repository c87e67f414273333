/* ir/emit.c: short forms of ir_emit (emit.h).
 *
 *   ir_e_add(s, x, z)   ->   ir_emit(s, IR_add, NULL, {x, z}, 2)
 *
 * The pointwise ones are made from the rows of ops.def, so a new row needs no line here.  A type that the
 * sink returns is copied before the next emit: a graph may move its nodes when it grows. */
#include "ir/emit.h"

#include <string.h>

#define OP_UNARY(name, ...)                        \
    ir_val ir_e_##name(ir_sink *s, ir_val x)       \
    {                                              \
        return ir_emit(s, IR_##name, NULL, &x, 1); \
    }
#define OP_BINARY(name, ...)                                           \
    ir_val ir_e_##name(ir_sink *s, ir_val x, ir_val z)                 \
    {                                                                  \
        return ir_emit(s, IR_##name, NULL, (const ir_val[]){x, z}, 2); \
    }
#define OP_SELECT(name, ...)                                              \
    ir_val ir_e_##name(ir_sink *s, ir_val p, ir_val x, ir_val z)          \
    {                                                                     \
        return ir_emit(s, IR_##name, NULL, (const ir_val[]){p, x, z}, 3); \
    }
#include "ir/ops.def"

/* ---- constants and generators ------------------------------------------------------------------------ */

ir_val ir_e_constant(ir_sink *s, const ir_type *t, const void *data, bool splat)
{
    ir_attrs a = {.type = *t, .splat = splat};

    a.constant.data = data;
    a.constant.bytes = splat ? ir_dtype_size(t->dtype) : ir_type_bytes(t);
    return ir_emit(s, IR_constant, &a, NULL, 0);
}

ir_val ir_e_fill(ir_sink *s, const ir_type *t, double v)
{
    double data; /* room and alignment for any element */

    ir_element_set((ir_dtype)t->dtype, &data, v);
    return ir_e_constant(s, t, &data, true);
}

ir_val ir_e_like(ir_sink *s, ir_val x, double v)
{
    if (!x) {
        return 0;
    }
    ir_type t = *s->type(s, x), scalar = ir_type_make(t.dtype, 0, NULL);

    return ir_e_broadcast(s, ir_e_fill(s, &scalar, v), t.rank, t.dims);
}

ir_val ir_e_iota(ir_sink *s, ir_dtype d, int64_t n)
{
    ir_attrs a = {.type = ir_type_make(d, 1, &n)};

    return ir_emit(s, IR_iota, &a, NULL, 0);
}

ir_val ir_e_iota_axis(ir_sink *s, const ir_type *t, int axis)
{
    int64_t dims[IR_MAX_RANK];
    ir_type copy = *t;

    for (int i = 0; i < copy.rank; i++) {
        dims[i] = i == axis ? copy.dims[i] : 1;
    }
    ir_val line = ir_e_reshape(s, ir_e_iota(s, copy.dtype, copy.dims[axis]), copy.rank, dims);

    return ir_e_broadcast(s, line, copy.rank, copy.dims);
}

ir_val ir_e_random_bits(ir_sink *s, const ir_type *t, ir_val state, uint64_t offset)
{
    ir_attrs a = {.type = ir_type_with(t, IR_DT_u32)};

    a.random.offset = offset;
    return ir_emit(s, IR_random_bits, &a, &state, 1);
}

/* ---- pointwise with attributes ------------------------------------------------------------------------ */

ir_val ir_e_convert(ir_sink *s, ir_val x, ir_dtype d)
{
    if (!x || s->type(s, x)->dtype == d) {
        return x;
    }
    ir_attrs a = {.type = {.dtype = (uint8_t)d}};

    return ir_emit(s, IR_convert, &a, &x, 1);
}

ir_val ir_e_clamp(ir_sink *s, ir_val x, double lo, double hi)
{
    ir_attrs a = {0};

    a.clamp.lo = lo;
    a.clamp.hi = hi;
    return ir_emit(s, IR_clamp, &a, &x, 1);
}

/* ---- views --------------------------------------------------------------------------------------------- */

/* A type from untrusted rank and dims; the dtype is x's.  False: recorded in s->err. */
static bool shape_arg(ir_sink *s, const char *what, ir_val x, int rank, const int64_t *dims, ir_type *t)
{
    if (rank < 0 || rank > IR_MAX_RANK || (rank && !dims)) {
        ir_fail(s->err, IR_ESHAPE, "%s: rank %d is not in 0..%d", what, rank, IR_MAX_RANK);
        return false;
    }
    *t = ir_type_make(s->type(s, x)->dtype, rank, dims);
    return true;
}

static ir_val emit_shape(ir_sink *s, ir_op op, ir_val x, int rank, const int64_t *dims)
{
    ir_type t;

    if (!x || !shape_arg(s, ir_ops[op].name, x, rank, dims, &t)) {
        return 0;
    }
    if (ir_shape_eq(s->type(s, x), &t)) {
        return x;
    }
    ir_attrs a = {.type = t};
    a.type.dtype = 0; /* not part of the attribute: the operand's */
    return ir_emit(s, op, &a, &x, 1);
}

ir_val ir_e_reshape(ir_sink *s, ir_val x, int rank, const int64_t *dims)
{
    return emit_shape(s, IR_reshape, x, rank, dims);
}

ir_val ir_e_checkpoint(ir_sink *s, ir_val x, ir_val after)
{
    return ir_emit(s, IR_checkpoint, NULL, (const ir_val[]){x, after}, 2);
}

ir_val ir_e_broadcast(ir_sink *s, ir_val x, int rank, const int64_t *dims)
{
    return emit_shape(s, IR_broadcast, x, rank, dims);
}

/* Writes the extent that a and b broadcast to; extents of 1 give way.  False: they do not fit. */
static bool broadcast_dim(int64_t a, int64_t b, int64_t *out)
{
    *out = a == 1 ? b : a;
    return a == b || a == 1 || b == 1;
}

bool ir_e_broadcast_pair(ir_sink *s, const char *op, ir_val *x, ir_val *z)
{
    if (!*x || !*z) {
        return false;
    }
    if (ir_shape_eq(s->type(s, *x), s->type(s, *z))) {
        return true;
    }
    ir_type a = *s->type(s, *x), b = *s->type(s, *z);
    int rank = a.rank > b.rank ? a.rank : b.rank;
    int64_t dims[IR_MAX_RANK];

    for (int i = 0; i < rank; i++) {
        int64_t da = i < rank - a.rank ? 1 : a.dims[i - (rank - a.rank)];
        int64_t db = i < rank - b.rank ? 1 : b.dims[i - (rank - b.rank)];
        if (!broadcast_dim(da, db, &dims[i])) {
            char ta[160], tb[160];
            ir_fail(s->err, IR_ESHAPE, "%s: shapes of %s and %s do not broadcast", op,
                    ir_type_text(&a, NULL, ta, sizeof ta), ir_type_text(&b, NULL, tb, sizeof tb));
            return false;
        }
    }
    *x = ir_e_broadcast(s, *x, rank, dims);
    *z = ir_e_broadcast(s, *z, rank, dims);
    return *x && *z;
}

ir_val ir_e_transpose(ir_sink *s, ir_val x, const int *perm)
{
    if (!x) {
        return 0;
    }
    ir_attrs a = {.n = s->type(s, x)->rank};

    for (int i = 0; i < a.n; i++) {
        a.axes[i] =
            (int8_t)(perm[i] < 0 || perm[i] >= IR_MAX_RANK ? -1 : perm[i]); /* -1 is refused by ir_infer */
    }
    return ir_emit(s, IR_transpose, &a, &x, 1);
}

ir_val ir_e_slice(ir_sink *s, ir_val x, const int64_t *start, const int64_t *limit, const int64_t *step)
{
    if (!x) {
        return 0;
    }
    ir_attrs a = {.n = s->type(s, x)->rank};

    for (int i = 0; i < a.n; i++) {
        a.slice.start[i] = start[i];
        a.slice.limit[i] = limit[i];
        a.slice.step[i] = step ? step[i] : 1;
    }
    return ir_emit(s, IR_slice, &a, &x, 1);
}

ir_val ir_e_pad(ir_sink *s, ir_val x, const int64_t *low, const int64_t *high, const int64_t *interior)
{
    if (!x) {
        return 0;
    }
    ir_attrs a = {.n = s->type(s, x)->rank};

    for (int i = 0; i < a.n; i++) {
        a.pad.low[i] = low[i];
        a.pad.high[i] = high[i];
        a.pad.interior[i] = interior ? interior[i] : 0;
    }
    return ir_emit(s, IR_pad, &a, &x, 1);
}

/* Bit i set for every axis i in axes, or an error: an axis outside 0..rank-1 or named twice. */
static bool axis_set(ir_sink *s, ir_op kind, const ir_type *t, const int *axes, int n, unsigned *set)
{
    char text[160];

    *set = 0;
    for (int i = 0; i < n; i++) {
        if (axes[i] < 0 || axes[i] >= t->rank || *set >> axes[i] & 1) {
            ir_fail(s->err, IR_ESHAPE, "%s: axis %d %s %s", ir_ops[kind].name, axes[i],
                    axes[i] < 0 || axes[i] >= t->rank ? "is not an axis of" : "is named twice for",
                    ir_type_text(t, NULL, text, sizeof text));
            return false;
        }
        *set |= 1u << axes[i];
    }
    return true;
}

ir_val ir_e_reverse(ir_sink *s, ir_val x, const int *axes, int n)
{
    ir_attrs a = {0};
    unsigned set;

    if (!x) {
        return 0;
    }
    ir_type t = *s->type(s, x);
    if (!axis_set(s, IR_reverse, &t, axes, n, &set)) {
        return 0;
    }
    for (int i = 0; i < t.rank; i++) {
        if (set >> i & 1) {
            a.axes[a.n++] = (int8_t)i;
        }
    }
    return a.n ? ir_emit(s, IR_reverse, &a, &x, 1) : x;
}

/* One node for up to IR_MAX_OPERANDS; more are joined in as many groups of about equal size. */
ir_val ir_e_concat(ir_sink *s, const ir_val *x, int n, int axis)
{
    ir_attrs a = {.n = 1, .axes = {(int8_t)(axis < 0 || axis >= IR_MAX_RANK ? -1 : axis)}};
    ir_val parts[IR_MAX_OPERANDS];
    int count = 0;

    if (n <= IR_MAX_OPERANDS) {
        return ir_emit(s, IR_concat, &a, x, n);
    }
    for (int at = 0; count < IR_MAX_OPERANDS; count++) {
        int size = (n - at) / (IR_MAX_OPERANDS - count);
        parts[count] = ir_e_concat(s, x + at, size, axis);
        at += size;
    }
    return ir_emit(s, IR_concat, &a, parts, count);
}

/* ---- indexed, reductions, products ----------------------------------------------------------------------
 */

ir_val ir_e_gather(ir_sink *s, ir_val x, ir_val index)
{
    return ir_emit(s, IR_gather, NULL, (const ir_val[]){x, index}, 2);
}

ir_val ir_e_scatter_add(ir_sink *s, ir_val x, ir_val index, ir_val update)
{
    return ir_emit(s, IR_scatter_add, NULL, (const ir_val[]){x, index, update}, 3);
}

ir_val ir_e_dynamic_slice(ir_sink *s, ir_val x, ir_val start, int rank, const int64_t *dims)
{
    ir_attrs a = {0};

    if (!x || !shape_arg(s, "dynamic_slice", x, rank, dims, &a.type)) {
        return 0;
    }
    a.type.dtype = 0; /* not part of the attribute: the operand's */
    return ir_emit(s, IR_dynamic_slice, &a, (const ir_val[]){x, start}, 2);
}

ir_val ir_e_dynamic_update(ir_sink *s, ir_val x, ir_val start, ir_val update)
{
    return ir_emit(s, IR_dynamic_update, NULL, (const ir_val[]){x, start, update}, 3);
}

ir_val ir_e_reduce(ir_sink *s, ir_op kind, ir_val x, const int *axes, int n, bool keep)
{
    ir_attrs a = {0};
    unsigned set;

    if (!x) {
        return 0;
    }
    ir_type t = *s->type(s, x);
    if (!axis_set(s, kind, &t, axes, n, &set)) {
        return 0;
    }
    if (set == 0 && ir_ops[kind].cls == IR_REDUCE) {
        return x; /* nothing to reduce */
    }
    for (int i = 0; i < t.rank; i++) {
        if (set >> i & 1) {
            a.axes[a.n++] = (int8_t)i;
            t.dims[i] = 1;
        }
    }
    ir_val y = ir_emit(s, kind, &a, &x, 1);

    return keep ? ir_e_reshape(s, y, t.rank, t.dims) : y;
}

ir_val ir_e_dot(ir_sink *s, ir_val x, ir_val z, const ir_attrs *a)
{
    return ir_emit(s, IR_dot_general, a, (const ir_val[]){x, z}, 2);
}
