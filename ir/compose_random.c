/* ir/compose_random.c: random numbers from the counter-based bits (compose.h; numerics.md rule 10).
 *
 *   uniform   lo + (hi - lo) u,  u = (bits >> 8) 2^-24 for f32, bits 2^-32 for f64: exact, in [0, 1);
 *             11 and 8 bits for f16 and bf16
 *   normal    mean + std sqrt(-2 log(1 - u1)) cos(2 pi u2)      Box and Muller 1958; 1 - u1 is exact and in
 * (0, 1] dropout   select(bits >= p 2^32, x / (1 - p), 0)            compared as integers
 *   bernoulli u < p            randperm  argsort of n random words
 *   multinomial  with replacement: how many partial sums of the weights are <= u sum w
 *                without: the k first of -log(1 - u) / w, an exponential race (Efraimidis and Spirakis 2006)
 *
 * The same bits for every engine, thread count and width: an element's bits depend on its index and the
 * counter only. */
#include "ir/compose.h"
#include "ir/compose_check.h"
#include "ir/emit.h"

#include <math.h>

static bool float_type(ir_sink *s, const char *op, const ir_type *t)
{
    char text[160];

    if (!ir_dtype_is_float(t->dtype)) {
        ir_fail(s->err, IR_EDTYPE, "%s: a float dtype is needed, not %s", op,
                ir_type_text(t, NULL, text, sizeof text));
        return false;
    }
    return true;
}

/* Multiples of 2^-24 (f32), 2^-32 (f64), 2^-11 (f16) or 2^-8 (bf16) in [0, 1). */
static ir_val unit(ir_sink *s, const ir_type *t, ir_val state, uint64_t offset)
{
    ir_val bits = ir_e_random_bits(s, t, state, offset);

    ir_dtype d = t->dtype;
    int kept = d == IR_DT_f16 ? 11 : d == IR_DT_bf16 ? 8 : d == IR_DT_f32 ? 24 : 32;

    if (kept < 32) {
        bits = ir_e_shr(s, bits, ir_e_like(s, bits, 32 - kept));
    }
    ir_val u = ir_e_convert(s, bits, d);
    return ir_e_mul(s, u, ir_e_like(s, u, ldexp(1, -kept)));
}

ir_val ir_c_uniform(ir_sink *s, const ir_type *t, ir_val state, uint64_t offset, double lo, double hi)
{
    const char *outer = ir_c_open(s, "uniform");
    ir_val y = 0;

    if (!(lo < hi) || !isfinite(lo) || !isfinite(hi)) {
        ir_fail(s->err, IR_EARG, "uniform: [%g, %g) is not a range", lo, hi);
    } else if (float_type(s, "uniform", t)) {
        y = unit(s, t, state, offset);
        y = ir_e_add(s, ir_e_mul(s, y, ir_e_like(s, y, hi - lo)), ir_e_like(s, y, lo));
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_normal(ir_sink *s, const ir_type *t, ir_val state, uint64_t offset, double mean, double std)
{
    const char *outer = ir_c_open(s, "normal");
    ir_val y = 0;

    if (!isfinite(mean) || !isfinite(std) || std < 0) {
        ir_fail(s->err, IR_EARG, "normal: mean %g, std %g", mean, std);
    } else if (float_type(s, "normal", t)) {
        ir_type wide = ir_dtype_is_half(t->dtype) ? ir_type_with(t, IR_DT_f32) : *t;
        ir_val u1 = unit(s, &wide, state, offset), u2 = unit(s, &wide, state, offset + 1);
        ir_val positive = ir_e_sub(s, ir_e_like(s, u1, 1), u1);
        ir_val log_u1 = ir_e_log(s, positive);
        ir_val radius = ir_e_sqrt(s, ir_e_mul(s, log_u1, ir_e_like(s, log_u1, -2)));
        ir_val angle = ir_e_mul(s, u2, ir_e_like(s, u2, 6.283185307179586));
        ir_val z = ir_e_mul(s, radius, ir_e_cos(s, angle));
        y = ir_e_add(s, ir_e_mul(s, z, ir_e_like(s, z, std)), ir_e_like(s, z, mean));
        y = wide.dtype == t->dtype ? y : ir_e_convert(s, y, t->dtype);
    }
    return ir_c_close(s, outer, y);
}

/* x / (1 - p) is formed as x * (1 / (1 - p)), the factor rounded once.  p = 1 keeps nothing: factor 0. */
ir_val ir_c_dropout(ir_sink *s, ir_val x, ir_val state, uint64_t offset, double p)
{
    const char *outer = ir_c_open(s, "dropout");
    ir_val y = 0;

    if (!(p >= 0 && p <= 1)) {
        ir_fail(s->err, IR_EARG, "dropout: probability %g is not in [0, 1]", p);
    } else if (ir_c_float(s, "dropout", x)) {
        ir_type t = ir_c_type(s, x);
        ir_val bits = ir_e_random_bits(s, &t, state, offset);
        ir_val keep = ir_e_ge(s, bits, ir_e_like(s, bits, floor(p * 0x1p32)));
        ir_val scaled = ir_e_mul(s, x, ir_e_like(s, x, p < 1 ? 1 / (1 - p) : 0));
        y = ir_e_select(s, keep, scaled, ir_e_like(s, x, 0));
    }
    return ir_c_close(s, outer, y);
}

/* u < p with the u of uniform, so p = 0 never is and p = 1 always. */
ir_val ir_c_bernoulli(ir_sink *s, ir_val p, ir_val state, uint64_t offset)
{
    const char *outer = ir_c_open(s, "bernoulli");
    ir_val y = 0;

    if (ir_c_float(s, "bernoulli", p)) {
        ir_type t = ir_c_type(s, p);
        y = ir_e_convert(s, ir_e_lt(s, unit(s, &t, state, offset), p), t.dtype);
    }
    return ir_c_close(s, outer, y);
}

/* The order of n random words; equal words (2^-32 a pair) stay in order. */
ir_val ir_c_randperm(ir_sink *s, int64_t n, ir_val state, uint64_t offset)
{
    const char *outer = ir_c_open(s, "randperm");
    ir_type t = ir_type_make(IR_DT_u32, 1, &n);
    ir_val y = 0;

    if (ir_type_check(&t, "randperm", s->err) == IR_OK) {
        y = ir_e_argsort(s, ir_e_random_bits(s, &t, state, offset), false);
    }
    return ir_c_close(s, outer, y);
}

/* ---- multinomial --------------------------------------------------------------------------------------- */

/* An element of weight w arrives after an exponential time of rate w; those that never do come last. */
static ir_val by_race(ir_sink *s, ir_val w, int64_t k, ir_val state, uint64_t offset)
{
    ir_type t = ir_c_type(s, w);
    ir_val u = unit(s, &t, state, offset), rest = ir_e_sub(s, ir_e_like(s, u, 1), u);
    ir_val places = ir_e_argsort(s, ir_e_div(s, ir_e_neg(s, ir_e_log(s, rest)), w), false);

    return ir_c_part(s, places, t.rank - 1, 0, k);
}

/* x [.., m] -> [.., k, m], or [.., m, k] if `each` */
static ir_val against(ir_sink *s, ir_val x, int64_t k, bool each)
{
    if (!x) {
        return 0;
    }
    ir_type t = ir_c_type(s, x);
    int at = each ? t.rank : t.rank - 1;

    t.dims[t.rank] = t.dims[t.rank - 1];
    t.dims[at] = 1;
    x = ir_e_reshape(s, x, t.rank + 1, t.dims);
    t.dims[at] = k;
    return ir_e_broadcast(s, x, t.rank + 1, t.dims);
}

/* u < 1, so u sum w is less than the last partial sum, also rounded: an element without weight is never hit.
 */
static ir_val by_sums(ir_sink *s, ir_val w, int64_t k, ir_val state, uint64_t offset)
{
    ir_type t = ir_c_type(s, w), drawn = t;
    int last = t.rank - 1, counted = t.rank;
    int64_t n = t.dims[last];

    drawn.dims[last] = k;
    ir_val sums = ir_e_scan(s, IR_cumsum, w, last, false), u = unit(s, &drawn, state, offset);
    ir_val sum = ir_c_part(s, sums, last, n - 1, 1);
    ir_val hit = ir_e_mul(s, u, ir_e_broadcast(s, sum, drawn.rank, drawn.dims));
    ir_val passed = ir_e_le(s, against(s, sums, k, false), against(s, hit, n, true));
    ir_val place = ir_e_reduce(s, IR_reduce_sum, ir_e_convert(s, passed, IR_DT_i64), &counted, 1, false);

    return ir_e_min(s, place, ir_e_like(s, place, (double)(n - 1))); /* no weight at all, or NaN */
}

static bool draws_fit(ir_sink *s, ir_val w, int64_t k, bool replacement)
{
    char text[160];

    if (!ir_c_float(s, "multinomial", w)) {
        return false;
    }
    ir_type t = ir_c_type(s, w);
    bool fits = t.rank >= 1 && t.rank < IR_MAX_RANK && ir_type_is_static(&t) && k >= 1;
    if (!fits || (!replacement && k > t.dims[t.rank - 1])) {
        ir_fail(s->err, IR_ESHAPE, "multinomial: %lld draws with%s replacement from weights %s", (long long)k,
                replacement ? "" : "out", ir_type_text(&t, NULL, text, sizeof text));
        return false;
    }
    return true;
}

ir_val ir_c_multinomial(ir_sink *s, ir_val weights, int64_t k, bool replacement, ir_val state,
                        uint64_t offset)
{
    const char *outer = ir_c_open(s, "multinomial");
    ir_val y = 0;

    if (draws_fit(s, weights, k, replacement)) {
        ir_dtype d = (ir_dtype)ir_c_type(s, weights).dtype;
        ir_val w = ir_e_convert(s, weights, ir_dtype_is_half(d) ? IR_DT_f32 : d);
        y = replacement ? by_sums(s, w, k, state, offset) : by_race(s, w, k, state, offset);
    }
    return ir_c_close(s, outer, y);
}
