/* ir/compose_basic.c: broadcasting arithmetic, means, products, embeddings (compose.h).
 *
 *   linear(x, w, b)   ->   add(dot_general(x, w), broadcast(b))       one product, w [out, in] contracted on
 * its axis 1 mean(x)           ->   div(reduce_sum(x), n)                      one division (numerics.md rule
 * 4)
 *
 * Products are emitted as one dot_general over the operands' own layouts: no transpose node, and leading axes
 * of x stay free axes of one matrix wherever z has none to match them with. */
#include "ir/compose.h"
#include "ir/compose_check.h"
#include "ir/emit.h"

ir_val ir_c_binary(ir_sink *s, ir_op op, ir_val x, ir_val z)
{
    const char *name = ir_ops[op].name;

    if (!ir_c_same_dtype(s, name, x, z) || !ir_e_broadcast_pair(s, name, &x, &z)) {
        return 0;
    }
    return ir_emit(s, op, NULL, (const ir_val[]){x, z}, 2);
}

ir_val ir_c_select(ir_sink *s, ir_val p, ir_val x, ir_val z)
{
    if (!p || !ir_c_same_dtype(s, "select", x, z) || !ir_e_broadcast_pair(s, "select", &x, &z) ||
        !ir_e_broadcast_pair(s, "select", &p, &x)) {
        return 0;
    }
    ir_type t = ir_c_type(s, x);

    return ir_e_select(s, p, x, ir_e_broadcast(s, z, t.rank, t.dims)); /* x grew with p: z follows */
}

ir_val ir_c_square(ir_sink *s, ir_val x)
{
    const char *outer = ir_c_open(s, "square");

    return ir_c_close(s, outer, ir_e_mul(s, x, x));
}

/* ---- mean and variance ------------------------------------------------------------------------------------
 */

/* The axes as a plain list: all if n is 0, negative ones from the end; *count = how many elements each sum
 * has. */
static bool mean_axes(ir_sink *s, const char *op, ir_val x, const int *axes, int *n, int *list, double *count)
{
    char text[160];
    ir_type t = ir_c_type(s, x);
    bool all = *n == 0;

    if (*n < 0 || *n > t.rank || (*n > 0 && !axes)) {
        ir_fail(s->err, IR_ESHAPE, "%s: %d axes for %s", op, *n, ir_type_text(&t, NULL, text, sizeof text));
        return false;
    }
    *n = all ? t.rank : *n;
    *count = 1;
    for (int i = 0; i < *n; i++) {
        if (!ir_c_axis(s, op, x, all ? i : axes[i], &list[i])) {
            return false;
        }
        if (t.dims[list[i]] < 0) {
            ir_fail(s->err, IR_EUNSUPPORTED, "%s: axis %d of %s is symbolic: the count is not known", op,
                    list[i], ir_type_text(&t, NULL, text, sizeof text));
            return false;
        }
        *count *= (double)t.dims[list[i]];
    }
    return true;
}

static ir_val sum_over(ir_sink *s, ir_val x, const int *axes, int n, double count, bool keep)
{
    ir_val sum = ir_e_reduce(s, IR_reduce_sum, x, axes, n, keep);

    return ir_e_div(s, sum, ir_e_like(s, sum, count));
}

ir_val ir_c_mean(ir_sink *s, ir_val x, const int *axes, int n, bool keep)
{
    const char *outer = ir_c_open(s, "mean");
    int list[IR_MAX_RANK];
    double count;
    ir_val y = 0;

    if (ir_c_float(s, "mean", x) && mean_axes(s, "mean", x, axes, &n, list, &count)) {
        y = sum_over(s, x, list, n, count, keep);
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_var(ir_sink *s, ir_val x, const int *axes, int n, int correction, bool keep)
{
    const char *outer = ir_c_open(s, "var");
    int list[IR_MAX_RANK];
    double count;
    ir_val y = 0;

    if (ir_c_float(s, "var", x) && mean_axes(s, "var", x, axes, &n, list, &count)) {
        if (correction < 0 || count <= correction) {
            ir_fail(s->err, IR_EARG, "var: correction %d with %.0f elements", correction, count);
        } else {
            ir_type t = ir_c_type(s, x);
            ir_val mean = ir_e_broadcast(s, sum_over(s, x, list, n, count, true), t.rank, t.dims);
            ir_val d = ir_e_sub(s, x, mean);
            y = sum_over(s, ir_e_mul(s, d, d), list, n, count - correction, keep);
        }
    }
    return ir_c_close(s, outer, y);
}

/* ---- products ------------------------------------------------------------------------------------------ */

bool ir_c_broadcast_batch(ir_sink *s, const char *op, ir_val *a, ir_val *b)
{
    ir_type ta = ir_c_type(s, *a), tb = ir_c_type(s, *b);
    int rank = ta.rank > tb.rank ? ta.rank : tb.rank;
    int64_t da[IR_MAX_RANK], db[IR_MAX_RANK];

    for (int i = 0; i < rank; i++) {
        int ia = i - (rank - ta.rank), ib = i - (rank - tb.rank);
        da[i] = ia < 0 ? 1 : ta.dims[ia];
        db[i] = ib < 0 ? 1 : tb.dims[ib];
        if (i < rank - 2) {
            if (da[i] != db[i] && da[i] != 1 && db[i] != 1) {
                return ir_c_misfit(s, op, "leading axes do not broadcast", *a, *b);
            }
            da[i] = db[i] = da[i] == 1 ? db[i] : da[i];
        }
    }
    *a = ir_e_broadcast(s, *a, rank, da);
    *b = ir_e_broadcast(s, *b, rank, db);
    return *a && *b;
}

/* b of rank 1 or 2 has no batch: leading axes of a are rows.  a of rank 1 has no rows: leading axes of b are
 * columns. */
ir_val ir_c_matmul(ir_sink *s, ir_val a, ir_val b)
{
    ir_attrs at = {.nk = 1};

    if (!ir_c_same_dtype(s, "matmul", a, b) || !ir_c_float(s, "matmul", a)) {
        return 0;
    }
    ir_type ta = ir_c_type(s, a), tb = ir_c_type(s, b);
    if (ta.rank < 1 || tb.rank < 1) {
        ir_c_misfit(s, "matmul", "rank 0", a, b);
        return 0;
    }
    if (ta.dims[ta.rank - 1] != tb.dims[tb.rank > 1 ? tb.rank - 2 : 0]) {
        ir_c_misfit(s, "matmul", "inner dimensions differ", a, b);
        return 0;
    }
    if (ta.rank > 1 && tb.rank > 2) {
        if (!ir_c_broadcast_batch(s, "matmul", &a, &b)) {
            return 0;
        }
        ta = ir_c_type(s, a);
        tb = ir_c_type(s, b);
        at.n = (uint8_t)(ta.rank - 2);
        for (int i = 0; i < at.n; i++) {
            at.dot.lhs_batch[i] = at.dot.rhs_batch[i] = (int8_t)i;
        }
    }
    at.dot.lhs_k[0] = (int8_t)(ta.rank - 1);
    at.dot.rhs_k[0] = (int8_t)(tb.rank > 1 ? tb.rank - 2 : 0);
    return ir_e_dot(s, a, b, &at);
}

/* x [.., in], w [out, in], bias [out] or none. */
static bool linear_fits(ir_sink *s, ir_val x, ir_val w, ir_val bias)
{
    if (!ir_c_same_dtype(s, "linear", x, w) || !ir_c_float(s, "linear", x)) {
        return false;
    }
    ir_type tx = ir_c_type(s, x), tw = ir_c_type(s, w);
    if (tx.rank < 1 || tw.rank != 2 || tx.dims[tx.rank - 1] != tw.dims[1]) {
        return ir_c_misfit(s, "linear", "x [.., in] and w [out, in] do not fit", x, w);
    }
    if (!bias) {
        return true;
    }
    ir_type tb = ir_c_type(s, bias);
    if (tb.rank != 1 || tb.dims[0] != tw.dims[0]) {
        return ir_c_misfit(s, "linear", "w [out, in] and bias [out] do not fit", w, bias);
    }
    return ir_c_same_dtype(s, "linear", w, bias);
}

ir_val ir_c_linear(ir_sink *s, ir_val x, ir_val w, ir_val bias)
{
    const char *outer = ir_c_open(s, "linear");
    ir_attrs a = {.nk = 1};
    ir_val y = 0;

    if (x && w && linear_fits(s, x, w, bias)) {
        a.dot.lhs_k[0] = (int8_t)(s->type(s, x)->rank - 1);
        a.dot.rhs_k[0] = 1;
        y = ir_e_dot(s, x, w, &a);
        if (y && bias) {
            ir_type t = ir_c_type(s, y);
            y = ir_e_add(s, y, ir_e_broadcast(s, bias, t.rank, t.dims));
        }
    }
    return ir_c_close(s, outer, y);
}

/* ---- indices ------------------------------------------------------------------------------------------- */

/* True where the last axis, of extent `classes`, equals the index.  An index outside 0..classes-1 is true
 * nowhere. */
static ir_val is_class(ir_sink *s, ir_val index, int64_t classes)
{
    ir_type t = ir_c_type(s, index);

    if (t.dtype != IR_DT_i64 && t.dtype != IR_DT_i32) {
        index = ir_e_convert(s, index, IR_DT_i64); /* an iota of u8 would wrap */
        t.dtype = IR_DT_i64;
    }
    t.dims[t.rank++] = 1;
    ir_val column = ir_e_reshape(s, index, t.rank, t.dims);
    t.dims[t.rank - 1] = classes;
    return ir_e_eq(s, ir_e_iota_axis(s, &t, t.rank - 1), ir_e_broadcast(s, column, t.rank, t.dims));
}

static bool class_args(ir_sink *s, const char *op, ir_val index, int64_t classes)
{
    char text[160];

    if (!ir_c_integer(s, op, index)) {
        return false;
    }
    ir_type t = ir_c_type(s, index);
    if (classes < 1 || classes > INT32_MAX || t.rank >= IR_MAX_RANK) {
        ir_fail(s->err, IR_ESHAPE, "%s: %lld classes for indices %s", op, (long long)classes,
                ir_type_text(&t, NULL, text, sizeof text));
        return false;
    }
    return true;
}

ir_val ir_c_one_hot(ir_sink *s, ir_val index, int64_t classes, ir_dtype d)
{
    const char *outer = ir_c_open(s, "one_hot");
    ir_val y = class_args(s, "one_hot", index, classes) ? ir_e_convert(s, is_class(s, index, classes), d) : 0;

    return ir_c_close(s, outer, y);
}

ir_val ir_c_is_class(ir_sink *s, ir_val index, int64_t classes)
{
    return class_args(s, "one_hot", index, classes) ? is_class(s, index, classes) : 0;
}

ir_val ir_c_embedding(ir_sink *s, ir_val table, ir_val index)
{
    const char *outer = ir_c_open(s, "embedding");
    ir_val y = 0;

    if (table && ir_c_integer(s, "embedding", index)) {
        if (s->type(s, table)->rank < 1) {
            ir_c_misfit(s, "embedding", "the table has no rows", table, index);
        } else {
            ir_dtype d = s->type(s, index)->dtype;
            y = ir_e_gather(s, table, d == IR_DT_i32 ? index : ir_e_convert(s, index, IR_DT_i64));
        }
    }
    return ir_c_close(s, outer, y);
}
