/* tests/ulp/plain_ulp.c: the measured error of every transcendental program, in units of the last place.
 *
 *   ulp [--quick | --stride K] [--samples N] [NAME]    prints the table of docs/ulp.md; NAME: only programs
 * whose name has it
 *
 * f32 unary: all 2^32 inputs (--quick: every 97th; K: every K-th) against f64 libm, whose own error is far
 * below a f32 ulp; inputs whose error exceeds half the bound so far are measured again by MPFR.  f64, pow,
 * atan2 and rem: N samples (1e6) drawn evenly over the bit patterns, and over the range where the function is
 * not constant, against MPFR at 160 bits.
 *
 * An ulp is the distance between the two neighbours of the exact result (subnormals: 2^-149, 2^-1074).  A
 * wrong inf, NaN, zero's sign or a NaN where there should be none counts as 1e9. */
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mpfr.h>

#include "runtime/scalar_c.h"

#define WRONG 1e9
#define THREADS 2

typedef int mpfr_unary(mpfr_t, const mpfr_t, mpfr_rnd_t);

typedef struct program {
    const char *name;
    float (*f32)(float);
    double (*f64)(double);
    double (*libm)(double);
    mpfr_unary *exact;
    double lo, hi; /* where it is not constant */
} program;

static double logistic_libm(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

static int logistic_mpfr(mpfr_t y, const mpfr_t x, mpfr_rnd_t r)
{
    mpfr_neg(y, x, r);
    mpfr_exp(y, y, r);
    mpfr_add_ui(y, y, 1, r);
    return mpfr_ui_div(y, 1, y, r);
}

#define PROGRAMS(X)                                     \
    X(exp, exp, mpfr_exp, -746, 710)                    \
    X(log, log, mpfr_log, 0, 4)                         \
    X(log1p, log1p, mpfr_log1p, -1, 4)                  \
    X(sin, sin, mpfr_sin, -100, 100)                    \
    X(cos, cos, mpfr_cos, -100, 100)                    \
    X(tanh, tanh, mpfr_tanh, -20, 20)                   \
    X(erf, erf, mpfr_erf, -6, 6)                        \
    X(logistic, logistic_libm, logistic_mpfr, -746, 40) \
    X(expm1, expm1, mpfr_expm1, -40, 710)               \
    X(exp2, exp2, mpfr_exp2, -1076, 1024)               \
    X(log2, log2, mpfr_log2, 0, 4)                      \
    X(tan, tan, mpfr_tan, -100, 100)                    \
    X(asin, asin, mpfr_asin, -1, 1)                     \
    X(acos, acos, mpfr_acos, -1, 1)                     \
    X(atan, atan, mpfr_atan, -20, 20)                   \
    X(sinh, sinh, mpfr_sinh, -20, 20)                   \
    X(cosh, cosh, mpfr_cosh, -20, 20)                   \
    X(asinh, asinh, mpfr_asinh, -20, 20)                \
    X(acosh, acosh, mpfr_acosh, 1, 4)                   \
    X(atanh, atanh, mpfr_atanh, -1, 1)

#define X(name, libm, exact, lo, hi)  \
    static float name##_32(float x)   \
    {                                 \
        return s_##name##_f32(x);     \
    }                                 \
    static double name##_64(double x) \
    {                                 \
        return s_##name##_f64(x);     \
    }
PROGRAMS(X)
#undef X

static const program programs[] = {
#define X(name, libm, exact, lo, hi) {#name, name##_32, name##_64, libm, exact, lo, hi},
    PROGRAMS(X)
#undef X
};
enum { PROGRAM_COUNT = sizeof programs / sizeof programs[0] };

static double wrong(void)
{
    return WRONG;
}

/* Error of y against the exact value held to well beyond the type's precision; `least` is the exponent of an
 * ulp of 0. */
static double ulps(double y, const mpfr_t exact, int digits, int least, double largest)
{
    if (mpfr_nan_p(exact))
        return isnan(y) ? 0 : wrong();
    if (isnan(y))
        return wrong();
    double e = mpfr_get_d(exact, MPFR_RNDN);
    if (y == 0 && e == 0)
        return !signbit(y) == !signbit(e) || !mpfr_zero_p(exact) ? 0 : wrong();
    if (isinf(y) || isinf(e) || fabs(e) > largest) { /* an overflow must be one to nearest */
        double limit = ldexp(1.0, (int)(ilogb(largest)) + 1) - ldexp(1.0, ilogb(largest) - digits);
        if (digits == 24)
            return (fabs(e) >= limit) == (isinf(y) != 0) ? 0 : fabs(e) >= largest && !isinf(y) ? 1 : wrong();
        return (isinf(y) && (isinf(e) || fabs(e) >= largest)) || fabs(y) >= largest ? 0 : wrong();
    }
    long exponent = mpfr_zero_p(exact) ? least : mpfr_get_exp(exact) - digits;
    if (exponent < least)
        exponent = least;
    mpfr_t d;
    mpfr_init2(d, 200);
    mpfr_set_d(d, y, MPFR_RNDN);
    mpfr_sub(d, d, exact, MPFR_RNDN);
    mpfr_mul_2si(d, d, -exponent, MPFR_RNDN);
    double r = fabs(mpfr_get_d(d, MPFR_RNDN));
    mpfr_clear(d);
    return r;
}

/* ---- f32: all inputs ---------------------------------------------------------------------------------- */

typedef struct sweep {
    const program *p;
    uint64_t first, stride;
    double worst;
    float at;
} sweep;

static double exact32(const program *p, float x, float y)
{
    mpfr_t v;
    mpfr_init2(v, 160);
    mpfr_set_d(v, (double)x, MPFR_RNDN);
    p->exact(v, v, MPFR_RNDN);
    double r = ulps((double)y, v, 24, -149, 0x1.fffffep127);
    mpfr_clear(v);
    return r;
}

/* A cheap estimate that never falls far below the true error. */
static double quick32(float y, double e)
{
    if (isnan(e) || isnan(y))
        return isnan(e) && isnan(y) ? 0 : WRONG;
    if (isinf(y) && fabs(e) > 0x1.000001p128)
        return (y > 0) == (e > 0) ? 0 : WRONG;
    if (isinf(y) || fabs(e) > 0x1.fffffep127 || e == 0)
        return (double)y == e ? 0 : WRONG;
    int exponent;
    frexp(e, &exponent);
    return fabs((double)y - e) * ldexp(1.0, exponent - 24 < -149 ? 149 : 24 - exponent);
}

static void *sweep32(void *arg)
{
    sweep *s = arg;

    for (uint64_t i = s->first; i <= UINT32_MAX; i += s->stride) {
        uint32_t bits = (uint32_t)i;
        float x;
        memcpy(&x, &bits, sizeof x);
        float y = s->p->f32(x);
        if (quick32(y, s->p->libm((double)x)) <= s->worst * 0.999)
            continue;
        double u = exact32(s->p, x, y);
        if (u > s->worst) {
            s->worst = u;
            s->at = x;
        }
    }
    return NULL;
}

static void measure32(const program *p, uint64_t stride)
{
    pthread_t t[THREADS];
    sweep s[THREADS];

    for (int i = 0; i < THREADS; i++) {
        s[i] = (sweep){.p = p, .first = (uint64_t)i * stride, .stride = stride * THREADS, .worst = 0.25};
        pthread_create(&t[i], NULL, sweep32, &s[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    const sweep *w = s[0].worst > s[1].worst ? &s[0] : &s[1];
    char inputs[32] = "all";
    if (stride > 1)
        snprintf(inputs, sizeof inputs, "every %llu.", (unsigned long long)stride);
    printf("| %s | f32 | %s | %.3f | %a |\n", p->name, inputs, w->worst, (double)w->at);
    fflush(stdout);
}

/* ---- f64: samples ---------------------------------------------------------------------------------- */

static uint64_t next(uint64_t *state) /* splitmix64 (Steele, Lea, Flood 2014) */
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static double draw_bits(uint64_t *state)
{
    uint64_t b = next(state);
    double x;

    memcpy(&x, &b, sizeof x);
    return x;
}

static double draw_range(uint64_t *state, double lo, double hi)
{
    return lo + (hi - lo) * ((double)(next(state) >> 11) * 0x1p-53);
}

/* Bit patterns, the range, and small magnitudes of the range by turns. */
static double draw(const program *p, uint64_t *state, long k)
{
    double x = k % 4 == 0 ? draw_bits(state) : draw_range(state, p->lo, p->hi);

    return k % 4 == 3 ? ldexp(x, -(int)(next(state) % 24)) : x;
}

static void measure64(const program *p, long samples)
{
    uint64_t state = 1;
    double worst = 0, at = 0;
    mpfr_t v;

    mpfr_init2(v, 160);
    for (long k = 0; k < samples; k++) {
        double x = draw(p, &state, k);
        mpfr_set_d(v, x, MPFR_RNDN);
        p->exact(v, v, MPFR_RNDN);
        double u = ulps(p->f64(x), v, 53, -1074, 0x1.fffffffffffffp1023);
        if (u > worst) {
            worst = u;
            at = x;
        }
    }
    mpfr_clear(v);
    printf("| %s | f64 | %ld samples | %.3f | %a |\n", p->name, samples, worst, at);
    fflush(stdout);
}

/* ---- two operands: pow, atan2, rem -------------------------------------------------------------------- */

/* Pairs whose power is mostly finite: x by bits or near 1, z scaled so that |z log x| < 750 (f32: 105). */
static void draw_powers(uint64_t *state, long k, bool wide, double *x, double *z)
{
    double span = wide ? 750 : 105;

    *x = k % 8 == 0 ? draw_bits(state)
         : k % 2    ? draw_range(state, 0, 4)
                    : 1 + ldexp(draw_range(state, -1, 1), -(int)(k % 30));
    *z = k % 16 == 0 ? draw_bits(state) : draw_range(state, -span, span) / (fabs(log(fabs(*x))) + 1e-300);
    if (k % 5 == 0)
        *z = round(*z);
    if (k % 10 == 0)
        *x = -*x;
}

/* Any bits, and magnitudes near each other, by turns. */
static void draw_pairs(uint64_t *state, long k, bool wide, double *x, double *z)
{
    (void)wide;
    *x = k % 4 == 0 ? draw_bits(state) : draw_range(state, -4, 4);
    *z = k % 8 == 0 ? draw_bits(state) : ldexp(draw_range(state, -4, 4), (int)(next(state) % 60) - 30);
}

static int rem_mpfr(mpfr_t y, const mpfr_t x, const mpfr_t z, mpfr_rnd_t r)
{
    return mpfr_fmod(y, x, z, r);
}

static const struct pair_program {
    const char *name;
    float (*f32)(float, float);
    double (*f64)(double, double);
    int (*exact)(mpfr_t, const mpfr_t, const mpfr_t, mpfr_rnd_t);
    void (*draw)(uint64_t *, long, bool, double *, double *);
} pair_programs[] = {{"pow", s_pow_f32, s_pow_f64, mpfr_pow, draw_powers},
                     {"atan2", s_atan2_f32, s_atan2_f64, mpfr_atan2, draw_pairs},
                     {"rem", s_rem_f32, s_rem_f64, rem_mpfr, draw_pairs}};
enum { PAIR_COUNT = sizeof pair_programs / sizeof pair_programs[0] };

static void measure_pair(const struct pair_program *p, bool wide, long samples)
{
    uint64_t state = 2;
    double worst = 0, at[2] = {0, 0};
    mpfr_t v, w;

    mpfr_init2(v, 160);
    mpfr_init2(w, 53);
    for (long k = 0; k < samples; k++) {
        double x, z;
        p->draw(&state, k, wide, &x, &z);
        x = wide ? x : (double)(float)x;
        z = wide ? z : (double)(float)z;
        double y = wide ? p->f64(x, z) : (double)p->f32((float)x, (float)z);
        mpfr_set_d(v, x, MPFR_RNDN);
        mpfr_set_d(w, z, MPFR_RNDN);
        p->exact(v, v, w, MPFR_RNDN);
        double u =
            ulps(y, v, wide ? 53 : 24, wide ? -1074 : -149, wide ? 0x1.fffffffffffffp1023 : 0x1.fffffep127);
        if (u > worst) {
            worst = u;
            at[0] = x;
            at[1] = z;
        }
    }
    mpfr_clears(v, w, (mpfr_ptr)NULL);
    printf("| %s | %s | %ld samples | %.3f | %a, %a |\n", p->name, wide ? "f64" : "f32", samples, worst,
           at[0], at[1]);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    uint64_t stride = 1;
    long samples = 1000000;
    const char *only = "";

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--quick"))
            stride = 97;
        else if (!strcmp(argv[i], "--stride") && i + 1 < argc)
            stride = strtoull(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--samples") && i + 1 < argc)
            samples = strtol(argv[++i], NULL, 10);
        else
            only = argv[i];
    }
    printf("| program | dtype | inputs | max ulp | at |\n|---|---|---|---|---|\n");
    for (int i = 0; i < PROGRAM_COUNT; i++)
        if (strstr(programs[i].name, only))
            measure32(&programs[i], stride);
    for (int i = 0; i < PROGRAM_COUNT; i++)
        if (strstr(programs[i].name, only))
            measure64(&programs[i], samples);
    for (int i = 0; i < 2 * PAIR_COUNT; i++)
        if (strstr(pair_programs[i / 2].name, only))
            measure_pair(&pair_programs[i / 2], i % 2, samples);
    return 0;
}
