/* ir/compose_loss.c: losses (compose.h).
 *
 *   l1         |d|,  d = x - target                    mse   d^2
 *   huber      d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2)
 *   smooth_l1  d^2 / (2 beta) where |d| < beta, else |d| - beta / 2
 *   bce        (t - 1) log(1 - x) - t log x            logarithms of 0 are -100, flat there
 *   bce_with_logits   w t softplus(-x) + (1 - t) softplus(x)
 *   kl_div     t (log t - x), 0 where t = 0
 *   hinge      max(1 - t x, 0)
 *   cosine_embedding  1 - c where t > 0, else max(c - margin, 0), c the cosine similarity of rows
 *   cross_entropy     -w_k ((1 - e) log_softmax(x)_k + e / c sum log_softmax(x)), k the target
 *
 * PyTorch's formulas (torch.nn.functional), except where its form cancels: softplus(x) and softplus(-x) are
 * both max(+-x, 0) + log1p(exp(-|x|)), built by selects on x > 0 whose sides meet with one derivative at 0,
 * so derivatives of every order are right there.  A target is picked by a compare with iota rather than by a
 * gather: pointwise ops and reductions over one axis fuse into one row kernel, forward and backward. */
#include "ir/compose.h"
#include "ir/compose_check.h"
#include "ir/emit.h"

#include <float.h>
#include <math.h>

static ir_val times(ir_sink *s, ir_val v, double c)
{
    return ir_e_mul(s, v, ir_e_like(s, v, c));
}

static ir_val plus(ir_sink *s, ir_val v, double c)
{
    return ir_e_add(s, v, ir_e_like(s, v, c));
}

static ir_val sum_all(ir_sink *s, ir_val y)
{
    const int axes[IR_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};

    return y ? ir_e_reduce(s, IR_reduce_sum, y, axes, ir_c_type(s, y).rank, false) : 0;
}

static ir_val reduced(ir_sink *s, ir_val y, ir_reduction r)
{
    return !y || r == IR_REDUCE_NONE ? y
           : r == IR_REDUCE_SUM      ? sum_all(s, y)
                                     : ir_c_mean(s, y, NULL, 0, false);
}

/* x - target; 0 + error if they do not fit */
static ir_val difference(ir_sink *s, const char *op, ir_val x, ir_val target)
{
    return ir_c_float(s, op, x) && ir_c_same_type(s, op, x, target) ? ir_e_sub(s, x, target) : 0;
}

ir_val ir_c_l1(ir_sink *s, ir_val x, ir_val target, ir_reduction r)
{
    const char *outer = ir_c_open(s, "l1");

    return ir_c_close(s, outer, reduced(s, ir_e_abs(s, difference(s, "l1", x, target)), r));
}

ir_val ir_c_mse(ir_sink *s, ir_val x, ir_val target, ir_reduction r)
{
    const char *outer = ir_c_open(s, "mse");
    ir_val d = difference(s, "mse", x, target);

    return ir_c_close(s, outer, reduced(s, ir_e_mul(s, d, d), r));
}

/* A width of the quadratic part: a number above 0, or 0 where `zero` allows it. */
static bool valid_width(ir_sink *s, const char *op, double width, bool zero)
{
    bool valid = isfinite(width) && (width > 0 || (zero && width == 0));

    if (!valid) {
        ir_fail(s->err, IR_EARG, "%s: width %g, expected a number %s 0", op, width, zero ? ">=" : ">");
    }
    return valid;
}

ir_val ir_c_huber(ir_sink *s, ir_val x, ir_val target, double delta, ir_reduction r)
{
    const char *outer = ir_c_open(s, "huber");
    ir_val d = valid_width(s, "huber", delta, false) ? difference(s, "huber", x, target) : 0, y = 0;

    if (d) {
        ir_val size = ir_e_abs(s, d), near = ir_e_le(s, size, ir_e_like(s, d, delta));
        ir_val far = times(s, plus(s, size, -0.5 * delta), delta);
        y = ir_e_select(s, near, times(s, ir_e_mul(s, d, d), 0.5), far);
    }
    return ir_c_close(s, outer, reduced(s, y, r));
}

ir_val ir_c_smooth_l1(ir_sink *s, ir_val x, ir_val target, double beta, ir_reduction r)
{
    const char *outer = ir_c_open(s, "smooth_l1");
    ir_val d = valid_width(s, "smooth_l1", beta, true) ? difference(s, "smooth_l1", x, target) : 0, y = 0;

    if (d) {
        ir_val size = ir_e_abs(s, d), near = ir_e_lt(s, size, ir_e_like(s, d, beta));
        y = size;
        if (beta > 0) {
            y = ir_e_select(s, near, times(s, ir_e_mul(s, d, d), 0.5 / beta), plus(s, size, -0.5 * beta));
        }
    }
    return ir_c_close(s, outer, reduced(s, y, r));
}

/* ---- binary ------------------------------------------------------------------------------------------- */

/* log v where it is above -100 and its derivative is a number, else -100 with none */
static ir_val bounded_log(ir_sink *s, ir_val v)
{
    ir_dtype d = (ir_dtype)ir_c_type(s, v).dtype;
    double least = d == IR_DT_f64 ? 3.720075976020836e-44 : d == IR_DT_f16 ? 0x1p-14 : (double)FLT_MIN;
    ir_val low = ir_e_lt(s, v, ir_e_like(s, v, least));
    ir_val y = ir_e_log(s, ir_e_select(s, low, ir_e_like(s, v, 1), v));

    return ir_e_select(s, low, ir_e_like(s, v, -100), y);
}

/* log(1 - v), and -100 without a derivative from v = 1 on */
static ir_val bounded_log1m(ir_sink *s, ir_val v)
{
    ir_val high = ir_e_ge(s, v, ir_e_like(s, v, 1));
    ir_val y = ir_e_log1p(s, ir_e_neg(s, ir_e_select(s, high, ir_e_like(s, v, 0), v)));

    return ir_e_select(s, high, ir_e_like(s, v, -100), y);
}

ir_val ir_c_bce(ir_sink *s, ir_val x, ir_val target, ir_reduction r)
{
    const char *outer = ir_c_open(s, "bce");
    ir_val y = 0;

    if (ir_c_float(s, "bce", x) && ir_c_same_type(s, "bce", x, target)) {
        ir_val no = ir_e_mul(s, plus(s, target, -1), bounded_log1m(s, x));
        y = ir_e_sub(s, no, ir_e_mul(s, target, bounded_log(s, x)));
    }
    return ir_c_close(s, outer, reduced(s, y, r));
}

static ir_val logits_loss(ir_sink *s, ir_val x, ir_val target, ir_val pos_weight)
{
    ir_type t = ir_c_type(s, x);
    ir_val zero = ir_e_like(s, x, 0), minus = ir_e_neg(s, x), positive = ir_e_gt(s, x, zero);
    ir_val rest = ir_e_log1p(s, ir_e_exp(s, ir_e_select(s, positive, minus, x)));
    ir_val yes = ir_e_mul(s, target, ir_e_add(s, ir_e_select(s, positive, zero, minus), rest));
    ir_val no = ir_e_sub(s, ir_e_like(s, x, 1), target);

    if (pos_weight) {
        yes = ir_e_mul(s, yes, ir_e_broadcast(s, pos_weight, t.rank, t.dims));
    }
    return ir_e_add(s, yes, ir_e_mul(s, no, ir_e_add(s, ir_e_select(s, positive, x, zero), rest)));
}

/* v, if given, is of x's dtype and broadcasts to its shape */
static bool spreads_over(ir_sink *s, const char *op, const char *why, ir_val x, ir_val v)
{
    if (!v) {
        return true;
    }
    ir_type t = ir_c_type(s, x), w = ir_c_type(s, v);
    bool fits = w.rank <= t.rank;
    for (int i = 0; fits && i < w.rank; i++) {
        fits = w.dims[i] == 1 || w.dims[i] == t.dims[i + t.rank - w.rank];
    }
    return fits ? ir_c_same_dtype(s, op, x, v) : ir_c_misfit(s, op, why, x, v);
}

ir_val ir_c_bce_with_logits(ir_sink *s, ir_val x, ir_val target, ir_val pos_weight, ir_reduction r)
{
    const char *op = "bce_with_logits", *outer = ir_c_open(s, op);
    ir_val y = 0;

    if (ir_c_float(s, op, x) && ir_c_same_type(s, op, x, target) &&
        spreads_over(s, op, "pos_weight does not broadcast to the logits", x, pos_weight)) {
        y = logits_loss(s, x, target, pos_weight);
    }
    return ir_c_close(s, outer, reduced(s, y, r));
}

/* Where the target is no outcome, probability 0, the term is 0 and so are its derivatives. */
ir_val ir_c_kl_div(ir_sink *s, ir_val x, ir_val target, bool log_target, ir_reduction r)
{
    const char *outer = ir_c_open(s, "kl_div");
    ir_val y = 0;

    if (ir_c_float(s, "kl_div", x) && ir_c_same_type(s, "kl_div", x, target)) {
        ir_val never = ir_e_eq(s, target, ir_e_like(s, target, log_target ? -INFINITY : 0));
        ir_val t = ir_e_select(s, never, ir_e_like(s, target, log_target ? 0 : 1), target);
        ir_val p = log_target ? ir_e_exp(s, t) : t, log_p = log_target ? t : ir_e_log(s, t);
        y = ir_e_mul(s, p, ir_e_sub(s, log_p, x));
        y = ir_e_select(s, never, ir_e_like(s, y, 0), y);
    }
    return ir_c_close(s, outer, reduced(s, y, r));
}

/* ---- margins ------------------------------------------------------------------------------------------ */

ir_val ir_c_hinge(ir_sink *s, ir_val x, ir_val target, ir_reduction r)
{
    const char *outer = ir_c_open(s, "hinge");
    ir_val y = 0;

    if (ir_c_float(s, "hinge", x) && ir_c_same_type(s, "hinge", x, target)) {
        ir_val reached = ir_e_mul(s, target, x);
        y = ir_e_relu(s, ir_e_sub(s, ir_e_like(s, reached, 1), reached));
    }
    return ir_c_close(s, outer, reduced(s, y, r));
}

/* target [..] for rows [.., d] */
static bool rows_fit(ir_sink *s, const char *op, ir_val x, ir_val target)
{
    if (!ir_c_same_dtype(s, op, x, target)) {
        return false;
    }
    ir_type t = ir_c_type(s, x);
    bool fits = t.rank > 0;
    t.rank = (uint8_t)(t.rank - fits);
    return (fits && ir_shape_eq(&t, s->type(s, target))) ||
           ir_c_misfit(s, op, "[.., d] and target [..] do not fit", x, target);
}

ir_val ir_c_cosine_embedding(ir_sink *s, ir_val x, ir_val z, ir_val target, double margin, ir_reduction r)
{
    const char *op = "cosine_embedding", *outer = ir_c_open(s, op);
    ir_val y = 0;

    if (!(margin >= -1 && margin <= 1)) {
        ir_fail(s->err, IR_EARG, "%s: margin %g, expected -1 to 1", op, margin);
    } else if (ir_c_float(s, op, x) && ir_c_same_type(s, op, x, z) && rows_fit(s, op, x, target)) {
        ir_val c = ir_c_cosine_similarity(s, x, z, -1, 1e-8);
        ir_val alike = ir_e_gt(s, target, ir_e_like(s, target, 0));
        ir_val near = ir_e_sub(s, ir_e_like(s, c, 1), c), far = ir_e_relu(s, plus(s, c, -margin));
        y = ir_e_select(s, alike, near, far);
    }
    return ir_c_close(s, outer, reduced(s, y, r));
}

/* ---- classes ------------------------------------------------------------------------------------------- */

static bool class_settings(ir_sink *s, const char *op, ir_val x, const ir_class_loss *how, bool smooths)
{
    if (!(how->label_smoothing >= 0 && how->label_smoothing <= (smooths ? 1 : 0))) {
        ir_fail(s->err, IR_EARG, "%s: label smoothing %g, expected %s", op, how->label_smoothing,
                smooths ? "0 to 1" : "0");
        return false;
    }
    if (!how->weight) {
        return true;
    }
    ir_type t = ir_c_type(s, x), w = ir_c_type(s, how->weight);
    if (w.rank != 1 || w.dims[0] != t.dims[t.rank - 1]) {
        return ir_c_misfit(s, op, "x [.., classes] and weight [classes] do not fit", x, how->weight);
    }
    return ir_c_same_dtype(s, op, x, how->weight);
}

/* x [.., c], targets [..]: the same leading axes */
static bool classes_fit(ir_sink *s, const char *op, ir_val x, ir_val targets)
{
    if (!ir_c_integer(s, op, targets)) {
        return false;
    }
    ir_type tx = ir_c_type(s, x), tt = ir_c_type(s, targets);
    bool fits = tx.rank == tt.rank + 1 && tx.dims[tx.rank - 1] > 0;
    for (int i = 0; fits && i < tt.rank; i++) {
        fits = tx.dims[i] == tt.dims[i];
    }
    return fits || ir_c_misfit(s, op, "[.., classes] and targets [..] do not fit", x, targets);
}

static ir_val sum_row(ir_sink *s, ir_val x)
{
    int last = x ? ir_c_type(s, x).rank - 1 : 0;

    return ir_e_reduce(s, IR_reduce_sum, x, &last, 1, false);
}

/* weight [c] repeated over rows */
static ir_val weighted(ir_sink *s, ir_val x, ir_val weight)
{
    if (!x || !weight) {
        return x;
    }
    ir_type t = ir_c_type(s, x);
    return ir_e_mul(s, x, ir_e_broadcast(s, weight, t.rank, t.dims));
}

/* (1 - e) row + e / c times the weighted sum of all classes' log-probabilities, sign turned */
static ir_val smoothed(ir_sink *s, ir_val row, ir_val lp, const ir_class_loss *how)
{
    double e = how->label_smoothing;

    if (e == 0) {
        return row;
    }
    ir_type t = ir_c_type(s, lp);
    ir_val all = sum_row(s, weighted(s, lp, how->weight));
    return ir_e_sub(s, times(s, row, 1 - e), times(s, all, e / (double)t.dims[t.rank - 1]));
}

/* sum of the rows / sum of what they count; 0 where nothing counts */
static ir_val mean_of_counted(ir_sink *s, ir_val row, ir_val counted)
{
    ir_val total = sum_all(s, row), n = sum_all(s, counted);

    n = ir_e_select(s, ir_e_eq(s, n, ir_e_like(s, n, 0)), ir_e_like(s, n, 1), n);
    return ir_e_div(s, total, n);
}

/* From log-probabilities.  A target outside 0..c-1 that is not ignored is no class: it adds no -log p and,
 * but by weights, still counts. */
static ir_val class_loss(ir_sink *s, ir_val lp, ir_val targets, const ir_class_loss *how)
{
    if (!lp) {
        return 0;
    }
    ir_type t = ir_c_type(s, lp);
    ir_val target = ir_c_is_class(s, targets, t.dims[t.rank - 1]), zero = ir_e_like(s, lp, 0);
    ir_val row = ir_e_neg(s, sum_row(s, weighted(s, ir_e_select(s, target, lp, zero), how->weight)));
    ir_val counted = 0;

    row = smoothed(s, row, lp, how);
    if (how->weight && row) {
        ir_val w = ir_e_broadcast(s, how->weight, t.rank, t.dims);
        counted = sum_row(s, ir_e_select(s, target, w, zero));
    }
    if (how->ignore && row) {
        ir_val index = ir_e_convert(s, targets, IR_DT_i64); /* u8 has no -100 */
        ir_val keep = ir_e_ne(s, index, ir_e_like(s, index, (double)how->ignore_index));
        counted = counted ? counted : ir_e_like(s, row, 1);
        row = ir_e_select(s, keep, row, ir_e_like(s, row, 0));
        counted = ir_e_select(s, keep, counted, ir_e_like(s, counted, 0));
    }
    return counted && how->reduction == IR_REDUCE_MEAN ? mean_of_counted(s, row, counted)
                                                       : reduced(s, row, how->reduction);
}

ir_val ir_c_nll(ir_sink *s, ir_val x, ir_val targets, const ir_class_loss *how)
{
    const char *outer = ir_c_open(s, "nll");
    ir_val y = 0;

    if (ir_c_float(s, "nll", x) && classes_fit(s, "nll", x, targets) &&
        class_settings(s, "nll", x, how, false)) {
        y = class_loss(s, x, targets, how);
    }
    return ir_c_close(s, outer, y);
}

/* -sum w p log_softmax(x), p the smoothed probabilities */
static ir_val probability_loss(ir_sink *s, ir_val lp, ir_val p, const ir_class_loss *how)
{
    if (!lp) {
        return 0;
    }
    ir_type t = ir_c_type(s, lp);
    double e = how->label_smoothing;
    if (e != 0) {
        p = plus(s, times(s, p, 1 - e), e / (double)t.dims[t.rank - 1]);
    }
    ir_val row = ir_e_neg(s, sum_row(s, weighted(s, ir_e_mul(s, lp, p), how->weight)));
    return reduced(s, row, how->reduction);
}

static bool probabilities_fit(ir_sink *s, const char *op, ir_val x, ir_val p, const ir_class_loss *how)
{
    if (how->ignore) {
        ir_fail(s->err, IR_EARG, "%s: an index to ignore needs targets that are indices", op);
        return false;
    }
    if (!ir_c_same_dtype(s, op, x, p)) {
        return false;
    }
    return ir_shape_eq(s->type(s, x), s->type(s, p)) ||
           ir_c_misfit(s, op, "integer targets [..] or probabilities [.., classes] are needed", x, p);
}

ir_val ir_c_cross_entropy(ir_sink *s, ir_val logits, ir_val targets, const ir_class_loss *how)
{
    const char *op = "cross_entropy", *outer = ir_c_open(s, op);
    ir_val y = 0;
    int last;

    if (targets && ir_c_float(s, op, logits) && ir_c_axis(s, op, logits, -1, &last) &&
        class_settings(s, op, logits, how, true)) {
        bool soft = ir_dtype_is_float(s->type(s, targets)->dtype);
        if (soft ? probabilities_fit(s, op, logits, targets, how) : classes_fit(s, op, logits, targets)) {
            ir_val lp = ir_c_log_softmax(s, logits, last);
            y = soft ? probability_loss(s, lp, targets, how) : class_loss(s, lp, targets, how);
        }
    }
    return ir_c_close(s, outer, y);
}
