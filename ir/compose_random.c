/* ir/compose_random.c: random numbers from the counter-based bits (compose.h; numerics.md rule 10).
 *
 *   uniform   lo + (hi - lo) u,  u = (bits >> 8) 2^-24 for f32, bits 2^-32 for f64: exact, in [0, 1);
 *             11 and 8 bits for f16 and bf16
 *   normal    mean + std sqrt(-2 log(1 - u1)) cos(2 pi u2)      Box and Muller 1958; 1 - u1 is exact and in
 * (0, 1] dropout   select(bits >= p 2^32, x / (1 - p), 0)            compared as integers
 *   bernoulli u < p            randperm  argsort of n random words
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
