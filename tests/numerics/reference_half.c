/* tests/numerics/reference_half.c: f16 and bf16 as numbers of so many digits, with frexp, ldexp and rint: no
 * step in common with ir/half.h. */
#include <math.h>
#include <stdlib.h>

#include "numerics/reference.h"
#include "numerics/reference_parts.h"

typedef struct half_format {
    int digits, least, bias;
    double past; /* this and more rounds to infinity */
} half_format;

static half_format format_of(ir_dtype d)
{
    return d == IR_DT_f16 ? (half_format){11, -24, 15, 65520} : (half_format){8, -133, 127, 0x1.ffp127};
}

double ref_half_value(ir_dtype d, uint16_t bits)
{
    half_format f = format_of(d);
    int fraction_bits = f.digits - 1, top = 2 * f.bias + 1;
    int exponent = (bits & 0x7fff) >> fraction_bits, fraction = bits & ((1 << fraction_bits) - 1);
    double v =
        exponent ? ldexp(fraction + (1 << fraction_bits), exponent - 1 + f.least) : ldexp(fraction, f.least);

    if (exponent == top)
        v = fraction ? (double)NAN : (double)INFINITY;
    return bits >> 15 ? -v : v;
}

/* The nearest value of d: v is counted in units of the last digit and the count is rounded. */
double ref_half_rounded(ir_dtype d, long double v)
{
    half_format f = format_of(d);
    int e;

    if (v == 0 || !isfinite(v))
        return (double)v;
    if (fabsl(v) >= (long double)f.past)
        return (double)copysignl((long double)INFINITY, v);
    frexpl(v, &e);
    int unit = e - f.digits < f.least ? f.least : e - f.digits;
    return (double)copysignl(ldexpl(rintl(ldexpl(v, -unit)), unit), v);
}

uint16_t ref_half_bits(ir_dtype d, double v)
{
    half_format f = format_of(d);
    int fraction_bits = f.digits - 1, e;
    uint16_t sign = signbit(v) ? 0x8000 : 0, top = (uint16_t)((2 * f.bias + 1) << fraction_bits);

    if (isnan(v))
        return top | 1;
    if (isinf(v))
        return sign | top;
    frexp(v, &e);
    if (v == 0 || e - f.digits < f.least)
        return (uint16_t)(sign | (uint16_t)ldexp(fabs(v), -f.least));
    return (uint16_t)(sign | (((e - 1 + f.bias) << fraction_bits) +
                              ((int)ldexp(fabs(v), f.digits - e) - (1 << fraction_bits))));
}

/* ref_scan of f32 on widened operands, each result rounded. */
bool ref_scan_half(ir_op op, const ir_attrs *a, const rt_array *const *x, int n, const rt_array *y)
{
    bool half = ir_dtype_is_half((ir_dtype)y->type.dtype), ok = true;
    int64_t count = ir_type_elements(&y->type);
    ir_type t = ir_type_with(&y->type, IR_DT_f32);
    rt_array wide[2], result = *y;
    const rt_array *in[2] = {&wide[0], &wide[1]};

    for (int i = 0; i < 2; i++) {
        wide[i] = rt_array_of(&t, malloc((size_t)count * sizeof(float)));
        ok = ok && wide[i].data;
        for (int64_t j = 0; ok && j < count && i < n; j++)
            ref_put(&wide[i], j, ref_at(x[i], j));
    }
    if (half)
        result = rt_array_of(&t, malloc((size_t)count * sizeof(float)));
    ok = ok && result.data && ref_scan(op, a, in, n, &result);
    for (int64_t j = 0; ok && half && j < count; j++)
        ref_put(y, j, ref_at(&result, j));
    for (int i = 0; i < 2; i++)
        free(wide[i].data);
    if (half)
        free(result.data);
    return ok;
}
