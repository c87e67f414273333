/* ir/compose_position.c: where a token stands: rotary embedding and sinusoidal positions (compose.h).
 *
 *   rotary   (a, b) -> (a cos - b sin, b cos + a sin) for each pair of the last axis
 *            pairs are (i, i + D/2), the halves, or (2i, 2i + 1), interleaved
 *   table    cos or sin of angle[p, i] = p base^(-2i / D)                            [n, D/2]
 *   sinusoidal positions   sin angle[p, i] at 2i, cos angle[p, i] at 2i + 1          [n, D]
 *
 * Su et al. 2021, RoFormer (arXiv 2104.09864); Vaswani et al. 2017 (arXiv 1706.03762).  The pairs become an
 * axis of two, whose places take the other's value by a select, so a rotation is one loop without a copy.
 * Tables are computed in f64 and rounded once: an f32 angle would be off by p 2^-24. */
#include "ir/compose.h"
#include "ir/compose_check.h"
#include "ir/emit.h"

#include <math.h>

/* Place `which` of the axis of two, in both places. */
static ir_val one_of_two(ir_sink *s, ir_val pairs, int axis, int which)
{
    ir_type t = ir_c_type(s, pairs);
    int64_t start[IR_MAX_RANK] = {0}, limit[IR_MAX_RANK];

    for (int i = 0; i < t.rank; i++) {
        limit[i] = t.dims[i];
    }
    start[axis] = which;
    limit[axis] = which + 1;
    return ir_e_broadcast(s, ir_e_slice(s, pairs, start, limit, NULL), t.rank, t.dims);
}

/* bool of t's shape: true in the first place of the axis of two */
static ir_val is_first(ir_sink *s, const ir_type *t, int axis)
{
    ir_type counted = ir_type_with(t, IR_DT_i32);
    ir_val place = ir_e_iota_axis(s, &counted, axis);

    return ir_e_eq(s, place, ir_e_like(s, place, 0));
}

/* A table [.., D/2] repeated over pairs [.., 2, D/2] or [.., D/2, 2]. */
static ir_val spread_table(ir_sink *s, ir_val table, const ir_type *pairs, int axis)
{
    ir_type t = ir_c_type(s, table);
    int from_end = pairs->rank - axis; /* 1 or 2 */
    int at = t.rank + 1 - from_end;

    for (int i = t.rank; i > at; i--) {
        t.dims[i] = t.dims[i - 1];
    }
    t.dims[at] = 1;
    return ir_e_broadcast(s, ir_e_reshape(s, table, t.rank + 1, t.dims), pairs->rank, pairs->dims);
}

/* table [.., D/2] broadcasts to x [.., D]'s leading axes */
static bool table_fits(ir_sink *s, ir_val x, ir_val table)
{
    if (!ir_c_same_dtype(s, "rotary", x, table)) {
        return false;
    }
    ir_type t = ir_c_type(s, x), w = ir_c_type(s, table);
    bool fits = w.rank >= 1 && w.rank <= t.rank && 2 * w.dims[w.rank - 1] == t.dims[t.rank - 1];
    for (int i = 0; fits && i + 1 < w.rank; i++) {
        fits = w.dims[i] == 1 || w.dims[i] == t.dims[i + t.rank - w.rank];
    }
    return fits || ir_c_misfit(s, "rotary", "x [.., L, D] and a table [.., L, D/2] do not fit", x, table);
}

static ir_val rotated(ir_sink *s, ir_val x, ir_val cosine, ir_val sine, bool interleaved)
{
    ir_type t = ir_c_type(s, x), pairs = t;
    int axis = interleaved ? t.rank : t.rank - 1;

    pairs.rank++;
    pairs.dims[t.rank - 1] = pairs.dims[t.rank] = t.dims[t.rank - 1] / 2;
    pairs.dims[axis] = 2;
    ir_val v = ir_e_reshape(s, x, pairs.rank, pairs.dims);
    if (!v) {
        return 0;
    }
    ir_val other = ir_e_select(s, is_first(s, &pairs, axis), ir_e_neg(s, one_of_two(s, v, axis, 1)),
                               one_of_two(s, v, axis, 0));
    ir_val y = ir_e_add(s, ir_e_mul(s, v, spread_table(s, cosine, &pairs, axis)),
                        ir_e_mul(s, other, spread_table(s, sine, &pairs, axis)));
    return ir_e_reshape(s, y, t.rank, t.dims);
}

ir_val ir_c_rotary(ir_sink *s, ir_val x, ir_val cosine, ir_val sine, bool interleaved)
{
    const char *outer = ir_c_open(s, "rotary");
    ir_val y = 0;

    if (ir_c_float(s, "rotary", x) && table_fits(s, x, cosine) && table_fits(s, x, sine)) {
        if (s->type(s, x)->rank >= IR_MAX_RANK) {
            ir_c_misfit(s, "rotary", "the rank leaves no room for pairs", x, cosine);
        } else {
            y = rotated(s, x, cosine, sine, interleaved);
        }
    }
    return ir_c_close(s, outer, y);
}

/* ---- tables -------------------------------------------------------------------------------------------- */

static bool table_settings(ir_sink *s, const char *op, ir_dtype d, int64_t n, int64_t width, double base)
{
    if (!ir_dtype_is_float(d)) {
        ir_fail(s->err, IR_EDTYPE, "%s: a float dtype is needed, not %s", op, ir_dtype_name(d));
        return false;
    }
    if (n < 1 || width < 2 || width % 2 != 0 || !isfinite(base) || base <= 0) {
        ir_fail(s->err, IR_EARG, "%s: %lld positions, width %lld, base %g: width is even, base above 0", op,
                (long long)n, (long long)width, base);
        return false;
    }
    return true;
}

/* f64 [n, width/2]: p base^(-2i / width) */
static ir_val angles(ir_sink *s, int64_t n, int64_t width, double base)
{
    ir_type t = ir_type_make(IR_DT_f64, 2, (const int64_t[]){n, width / 2});
    ir_val place = ir_e_iota(s, IR_DT_f64, width / 2);
    ir_val power = ir_e_mul(s, place, ir_e_like(s, place, -2 / (double)width));
    ir_val rate = ir_e_pow(s, ir_e_like(s, power, base), power);

    return ir_e_mul(s, ir_e_iota_axis(s, &t, 0), ir_e_broadcast(s, rate, 2, t.dims));
}

ir_val ir_c_rotary_table(ir_sink *s, ir_dtype d, int64_t n, int64_t width, double base, bool cosine)
{
    const char *outer = ir_c_open(s, "rotary_table");
    ir_val y = 0;

    if (table_settings(s, "rotary_table", d, n, width, base)) {
        ir_val a = angles(s, n, width, base);
        y = ir_e_convert(s, cosine ? ir_e_cos(s, a) : ir_e_sin(s, a), d);
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_sinusoidal_positions(ir_sink *s, ir_dtype d, int64_t n, int64_t width, double base)
{
    const char *outer = ir_c_open(s, "sinusoidal_positions");
    ir_val y = 0;

    if (table_settings(s, "sinusoidal_positions", d, n, width, base)) {
        ir_type pairs = ir_type_make(IR_DT_f64, 3, (const int64_t[]){n, width / 2, 2});
        ir_val a = ir_e_reshape(s, angles(s, n, width, base), 3, (const int64_t[]){n, width / 2, 1});
        ir_val even = ir_e_broadcast(s, ir_e_sin(s, a), 3, pairs.dims);
        ir_val odd = ir_e_broadcast(s, ir_e_cos(s, a), 3, pairs.dims);
        y = ir_e_select(s, is_first(s, &pairs, 2), even, odd);
        y = ir_e_reshape(s, ir_e_convert(s, y, d), 2, (const int64_t[]){n, width});
    }
    return ir_c_close(s, outer, y);
}
