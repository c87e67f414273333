/* tests/ulp/plain_libm.c: f64 references of f32 inputs by libm.
 *
 * This file alone is compiled with -ffast-math, which is what lets a loop call the vector functions of
 * glibc's libm.  They are good to 4 ulp of f64, 2^-27 of a f32 ulp; inputs they are wrong at would be
 * measured by MPFR. Arguments that they hand to the scalar function one by one are kept from them: beyond
 * where f32 overflows, and outside of the domain, where the reference is NaN. */
#include <math.h>

#include "ulp.h"

static inline double within(double x, double bound)
{
    return x < -bound ? -bound : x > bound ? bound : x;
}

#define INSIDE(inside, f, x, safe) ((inside) ? f((inside) ? x : (safe)) : NAN)

#define R_exp(x) exp(within(x, 200))
#define R_log(x) INSIDE(!((x) < 0), log, x, 1)
#define R_log1p(x) INSIDE(!((x) < -1), log1p, x, 1)
#define R_sin(x) sin(x)
#define R_cos(x) cos(x)
#define R_tanh(x) tanh(within(x, 30))
#define R_erf(x) erf(within(x, 5.75))
#define R_logistic(x) (((x) < 0 ? exp(within(x, 200)) : 1) / (1 + exp(-fabs(within(x, 200)))))
#define R_expm1(x) expm1(within(x, 200))
#define R_exp2(x) exp2(within(x, 300))
#define R_log2(x) INSIDE(!((x) < 0), log2, x, 1)
#define R_tan(x) tan(x)
#define R_asin(x) INSIDE(!(fabs(x) > 1), asin, x, 0)
#define R_acos(x) INSIDE(!(fabs(x) > 1), acos, x, 0)
#define R_atan(x) atan(x)
#define R_sinh(x) sinh(within(x, 200))
#define R_cosh(x) cosh(within(x, 200))
#define R_asinh(x) asinh(x)
#define R_acosh(x) INSIDE(!((x) < 1), acosh, x, 2)
#define R_atanh(x) INSIDE(!(fabs(x) > 1), atanh, x, 0)

#define X(name, exact, lo, hi)                                            \
    static void name##_block(const float *restrict x, double *restrict e) \
    {                                                                     \
        for (int i = 0; i < ULP_BLOCK; i++)                               \
            e[i] = R_##name((double)x[i]);                                \
    }
ULP_PROGRAMS(X)
#undef X

ulp_references *const ulp_libm[] = {
#define X(name, exact, lo, hi) name##_block,
    ULP_PROGRAMS(X)
#undef X
};
