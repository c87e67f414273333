/* ir/compose_attention.c: attention (compose.h).
 *
 *   scores = q k^T scale                            [.., L, S]
 *   scores = scores + mask, or -inf where a bool mask or causality forbids a key
 *   y      = dropout(softmax scores) v              [.., L, Ev]
 *
 * Vaswani et al. 2017, "Attention Is All You Need" (arXiv 1706.03762); masks as PyTorch's
 * scaled_dot_product_attention.  A query that may see no key, which a mask can do, gives zeros and no
 * gradient: its row has no maximum (0 is taken) and no sum (1 is taken).  Without a mask every query sees a
 * key, so the rows are plain softmax.
 *
 * multi_head_attention projects consecutive operands that are one value by one product over the rows of the
 * packed weight that they share: three for self-attention, two where key and value are one. */
#include "ir/compose.h"
#include "ir/compose_check.h"
#include "ir/emit.h"

#include <math.h>

static const char sdpa[] = "scaled_dot_product_attention", mha[] = "multi_head_attention";

/* ---- scaled_dot_product_attention ---------------------------------------------------------------------- */

static bool operands_fit(ir_sink *s, ir_val q, ir_val k, ir_val v)
{
    if (!ir_c_same_dtype(s, sdpa, q, k) || !ir_c_same_dtype(s, sdpa, q, v) || !ir_c_float(s, sdpa, q)) {
        return false;
    }
    ir_type tq = ir_c_type(s, q), tk = ir_c_type(s, k), tv = ir_c_type(s, v);
    if (tq.rank < 2 || tk.rank < 2 || tq.dims[tq.rank - 1] != tk.dims[tk.rank - 1]) {
        return ir_c_misfit(s, sdpa, "q [.., L, E] and k [.., S, E] do not fit", q, k);
    }
    if (tv.rank < 2 || tk.dims[tk.rank - 2] != tv.dims[tv.rank - 2]) {
        return ir_c_misfit(s, sdpa, "k [.., S, E] and v [.., S, Ev] do not fit", k, v);
    }
    return true;
}

/* 1 / sqrt E unless the caller says otherwise; 0 + error if neither is a number. */
static double scale_of(ir_sink *s, ir_val q, const ir_attention *how)
{
    char text[160];
    ir_type t = ir_c_type(s, q);
    int64_t width = t.dims[t.rank - 1];

    if (!isfinite(how->scale) || (how->scale == 0 && width < 0)) {
        ir_fail(s->err, IR_EARG, "%s: scale %g for q %s", sdpa, how->scale,
                ir_type_text(&t, NULL, text, sizeof text));
        return 0;
    }
    return how->scale != 0 ? how->scale : 1 / sqrt((double)width);
}

/* q [.., L, E] and k [.., S, E], leading axes broadcast: [.., L, S] */
static ir_val scaled_scores(ir_sink *s, ir_val q, ir_val k, double scale)
{
    ir_attrs a = {.nk = 1};

    if (!ir_c_broadcast_batch(s, sdpa, &q, &k)) {
        return 0;
    }
    int rank = ir_c_type(s, q).rank;
    a.n = (uint8_t)(rank - 2);
    for (int i = 0; i < a.n; i++) {
        a.dot.lhs_batch[i] = a.dot.rhs_batch[i] = (int8_t)i;
    }
    a.dot.lhs_k[0] = a.dot.rhs_k[0] = (int8_t)(rank - 1);
    ir_val y = ir_e_dot(s, q, k, &a);

    return ir_e_mul(s, y, ir_e_like(s, y, scale));
}

/* The mask repeated to the scores' shape: bool, or a number to be added. */
static ir_val spread_mask(ir_sink *s, ir_val mask, ir_val scores)
{
    ir_type m = ir_c_type(s, mask), t = ir_c_type(s, scores);
    bool fits = m.rank <= t.rank;

    if (m.dtype != IR_DT_bool && !ir_c_same_dtype(s, sdpa, mask, scores)) {
        return 0;
    }
    for (int i = 0; fits && i < m.rank; i++) {
        fits = m.dims[i] == 1 || m.dims[i] == t.dims[i + t.rank - m.rank];
    }
    if (!fits) {
        ir_c_misfit(s, sdpa, "the mask does not broadcast to the scores [.., L, S]", mask, scores);
        return 0;
    }
    return ir_e_broadcast(s, mask, t.rank, t.dims);
}

/* bool of t's shape: key j is not after query i */
static ir_val not_after(ir_sink *s, const ir_type *t)
{
    ir_type plane = ir_type_make(IR_DT_i32, 2, t->dims + t->rank - 2);
    ir_val seen = ir_e_ge(s, ir_e_iota_axis(s, &plane, 0), ir_e_iota_axis(s, &plane, 1));

    return ir_e_broadcast(s, seen, t->rank, t->dims);
}

static ir_val masked(ir_sink *s, ir_val scores, const ir_attention *how)
{
    ir_val mask = how->mask ? spread_mask(s, how->mask, scores) : 0, seen = 0;

    if (how->mask && !mask) {
        return 0;
    }
    ir_type t = ir_c_type(s, scores);
    if (mask && ir_c_type(s, mask).dtype == IR_DT_bool) {
        seen = mask;
    } else if (mask) {
        scores = ir_e_add(s, scores, mask);
    }
    if (how->causal) {
        ir_val past = not_after(s, &t);
        seen = seen ? ir_e_and(s, seen, past) : past;
    }
    return seen ? ir_e_select(s, seen, scores, ir_e_like(s, scores, -INFINITY)) : scores;
}

/* softmax over the last axis, but zeros for a row of -inf */
static ir_val softmax_or_zeros(ir_sink *s, ir_val x)
{
    ir_type t = ir_c_type(s, x);
    int last = t.rank - 1;
    ir_val m = ir_e_stop_gradient(s, ir_e_reduce(s, IR_reduce_max, x, &last, 1, true));

    m = ir_e_select(s, ir_e_eq(s, m, ir_e_like(s, m, -INFINITY)), ir_e_like(s, m, 0), m);
    ir_val e = ir_e_exp(s, ir_e_sub(s, x, ir_e_broadcast(s, m, t.rank, t.dims)));
    ir_val sum = ir_e_reduce(s, IR_reduce_sum, e, &last, 1, true);
    sum = ir_e_select(s, ir_e_eq(s, sum, ir_e_like(s, sum, 0)), ir_e_like(s, sum, 1), sum);
    return ir_e_div(s, e, ir_e_broadcast(s, sum, t.rank, t.dims));
}

ir_val ir_c_scaled_dot_product_attention(ir_sink *s, ir_val q, ir_val k, ir_val v, const ir_attention *how)
{
    const char *outer = ir_c_open(s, sdpa);
    ir_val w = 0;

    if (operands_fit(s, q, k, v)) {
        double scale = scale_of(s, q, how);
        ir_val scores = scale != 0 ? scaled_scores(s, q, k, scale) : 0;
        scores = scores ? masked(s, scores, how) : 0;
        w = !scores ? 0 : how->mask ? softmax_or_zeros(s, scores) : ir_c_softmax(s, scores, -1);
        if (w && how->dropout != 0) {
            w = ir_c_dropout(s, w, how->random, how->offset, how->dropout);
        }
    }
    return ir_c_close(s, outer, w ? ir_c_matmul(s, w, v) : 0);
}

/* ---- multi_head_attention ------------------------------------------------------------------------------ */

/* first .. first+count-1 of one axis */
static ir_val part(ir_sink *s, ir_val x, int axis, int64_t first, int64_t count)
{
    int64_t start[IR_MAX_RANK] = {0}, limit[IR_MAX_RANK];

    if (!x) {
        return 0;
    }
    ir_type t = ir_c_type(s, x);
    if (t.dims[axis] == count) {
        return x;
    }
    for (int i = 0; i < t.rank; i++) {
        limit[i] = t.dims[i];
    }
    start[axis] = first;
    limit[axis] = first + count;
    return ir_e_slice(s, x, start, limit, NULL);
}

/* x [.., L, E] by rows i to j-1 of the three that w packs, then taken apart into y[i..j). */
static void project(ir_sink *s, ir_val x, const ir_projections *w, int64_t width, int i, int j, ir_val *y)
{
    ir_val rows = part(s, w->in_weight, 0, i * width, (j - i) * width);
    ir_val bias = w->in_bias ? part(s, w->in_bias, 0, i * width, (j - i) * width) : 0;
    ir_val all = rows && (bias || !w->in_bias) ? ir_c_linear(s, x, rows, bias) : 0;

    for (int k = i; k < j; k++) {
        y[k] = all ? part(s, all, ir_c_type(s, all).rank - 1, (k - i) * width, width) : 0;
    }
}

/* [.., L, E] -> [.., heads, L, E / heads] or back; dims are what a reshape makes or takes. */
static ir_val swap_heads(ir_sink *s, ir_val x)
{
    int perm[IR_MAX_RANK];

    if (!x) {
        return 0;
    }
    int rank = ir_c_type(s, x).rank;
    for (int i = 0; i < rank; i++) {
        perm[i] = i;
    }
    perm[rank - 3] = rank - 2;
    perm[rank - 2] = rank - 3;
    return ir_e_transpose(s, x, perm);
}

static ir_val split_heads(ir_sink *s, ir_val x, int64_t heads)
{
    if (!x) {
        return 0;
    }
    ir_type t = ir_c_type(s, x);
    t.dims[t.rank] = t.dims[t.rank - 1] / heads;
    t.dims[t.rank - 1] = heads;
    return swap_heads(s, ir_e_reshape(s, x, t.rank + 1, t.dims));
}

static ir_val merge_heads(ir_sink *s, ir_val x)
{
    ir_val y = swap_heads(s, x);

    if (!y) {
        return 0;
    }
    ir_type t = ir_c_type(s, y);
    t.dims[t.rank - 2] *= t.dims[t.rank - 1];
    return ir_e_reshape(s, y, t.rank - 1, t.dims);
}

/* x[3] are query, key, value [.., length, E]; in_weight [3E, E], in_bias [3E] or none. */
static bool heads_fit(ir_sink *s, const ir_val *x, const ir_projections *w, int64_t heads)
{
    char text[160];

    for (int i = 0; i < 3; i++) {
        if (!ir_c_same_dtype(s, mha, x[i], w->in_weight) || !ir_c_float(s, mha, x[i])) {
            return false;
        }
        ir_type t = ir_c_type(s, x[i]), tw = ir_c_type(s, w->in_weight);
        if (t.rank < 2 || t.rank >= IR_MAX_RANK || tw.rank != 2 || tw.dims[1] != t.dims[t.rank - 1] ||
            tw.dims[0] != 3 * tw.dims[1]) {
            return ir_c_misfit(s, mha, "[.., length, E] and in_weight [3E, E] do not fit", x[i],
                               w->in_weight);
        }
        if (heads < 1 || tw.dims[1] % heads != 0) {
            ir_fail(s->err, IR_EARG, "%s: %lld heads do not share the last axis of %s evenly", mha,
                    (long long)heads, ir_type_text(&t, NULL, text, sizeof text));
            return false;
        }
    }
    if (!w->in_bias) {
        return true;
    }
    ir_type tb = ir_c_type(s, w->in_bias);
    return (tb.rank == 1 && tb.dims[0] == ir_c_type(s, w->in_weight).dims[0]) ||
           ir_c_misfit(s, mha, "in_weight [3E, E] and in_bias [3E] do not fit", w->in_weight, w->in_bias);
}

ir_val ir_c_multi_head_attention(ir_sink *s, const ir_val x[3], const ir_projections *w, int64_t heads,
                                 const ir_attention *how)
{
    const char *outer = ir_c_open(s, mha);
    ir_val y[3] = {0}, merged = 0;

    if (heads_fit(s, x, w, heads)) {
        int64_t width = ir_c_type(s, w->in_weight).dims[1];
        for (int i = 0, j; i < 3; i = j) {
            for (j = i + 1; j < 3 && x[j] == x[i];) {
                j++;
            }
            project(s, x[i], w, width, i, j, y);
        }
        for (int i = 0; i < 3; i++) {
            y[i] = split_heads(s, y[i], heads);
        }
        merged = merge_heads(s, ir_c_scaled_dot_product_attention(s, y[0], y[1], y[2], how));
    }
    return ir_c_close(s, outer, merged ? ir_c_linear(s, merged, w->out_weight, w->out_bias) : 0);
}
