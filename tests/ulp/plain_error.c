/* tests/ulp/plain_error.c: errors in units of the last place, sampling, and the threads of a sweep. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "ulp.h"

const ulp_format ulp_f32 = {24, -149, 0x1.fffffep127}, ulp_f64 = {53, -1074, 0x1.fffffffffffffp1023};

void ulp_note(ulp_worst *w, double error, double x, double z, uint64_t place)
{
    if (error > w->error || (error == w->error && place < w->place))
        *w = (ulp_worst){.error = error, .at = {x, z}, .place = place};
}

/* Where an ulp means nothing: NaN, zero, infinity and overflow, which must be one to nearest.  < 0:
 * elsewhere. */
static double special(double y, long double e, bool zero, const ulp_format *f)
{
    if (isnan(e) || isnan(y))
        return isnan(e) && isnan(y) ? 0 : ULP_WRONG;
    if (y == 0 && zero)
        return !signbit(y) == !signbit(e) ? 0 : ULP_WRONG;
    if (!isinf(y) && fabsl(e) <= (long double)f->largest)
        return -1;
    long double limit = (long double)f->largest + ldexpl(0.5L, ilogb(f->largest) + 1 - f->digits);
    if (isinf(y) && fabsl(e) >= (long double)f->largest && (y > 0) == (e > 0))
        return fabsl(e) >= limit ? 0 : 1;
    return fabsl(e) < limit && !isinf(y) ? -1 : !isinf(y) && !isinf(e) ? 1 : ULP_WRONG;
}

double ulp_error(double y, const mpfr_t exact, const ulp_format *f)
{
    double s = special(y, mpfr_get_ld(exact, MPFR_RNDN), mpfr_zero_p(exact), f);

    if (s >= 0)
        return s;
    long exponent = mpfr_zero_p(exact) ? f->least : mpfr_get_exp(exact) - f->digits;
    if (exponent < f->least)
        exponent = f->least;
    mpfr_t d;
    mpfr_init2(d, 200);
    mpfr_set_d(d, y, MPFR_RNDN);
    mpfr_sub(d, d, exact, MPFR_RNDN);
    mpfr_mul_2si(d, d, -exponent, MPFR_RNDN);
    double r = fabs(mpfr_get_d(d, MPFR_RNDN));
    mpfr_clear(d);
    return r;
}

double ulp_estimate(double y, long double reference, const ulp_format *f)
{
    double s = special(y, reference, reference == 0, f);

    if (s >= 0)
        return s;
    int exponent;
    frexpl(reference, &exponent);
    exponent = reference == 0 || exponent - f->digits < f->least ? f->least : exponent - f->digits;
    return (double)ldexpl(fabsl((long double)y - reference), -exponent);
}

/* ---- sampling ----------------------------------------------------------------------------------------- */

uint64_t ulp_next(uint64_t *state) /* splitmix64 (Steele, Lea, Flood 2014) */
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

double ulp_draw_bits(uint64_t *state, const ulp_format *f)
{
    uint64_t wide = ulp_next(state);
    uint32_t narrow = (uint32_t)wide;
    double x;
    float y;

    memcpy(&x, &wide, sizeof x);
    memcpy(&y, &narrow, sizeof y);
    return f == &ulp_f64 ? x : (double)y;
}

double ulp_draw_range(uint64_t *state, double lo, double hi)
{
    return lo + (hi - lo) * ((double)(ulp_next(state) >> 11) * 0x1p-53);
}

/* ---- threads ------------------------------------------------------------------------------------------ */

typedef struct sweep {
    ulp_work *work;
    const void *arg;
    uint64_t blocks;
    atomic_uint_fast64_t *next;
    ulp_worst worst;
} sweep;

static void *run(void *arg)
{
    sweep *s = arg;
    uint64_t block;

    while ((block = atomic_fetch_add(s->next, 1)) < s->blocks)
        s->work(s->arg, &s->worst, block);
    mpfr_free_cache();
    return NULL;
}

ulp_worst ulp_sweep(ulp_work *work, const void *arg, uint64_t blocks)
{
    atomic_uint_fast64_t next = 0;
    sweep s[2];
    pthread_t other;

    for (int i = 0; i < 2; i++)
        s[i] = (sweep){.work = work, .arg = arg, .blocks = blocks, .next = &next, .worst.place = UINT64_MAX};
    bool two = pthread_create(&other, NULL, run, &s[1]) == 0;
    run(&s[0]);
    if (two)
        pthread_join(other, NULL);
    ulp_note(&s[0].worst, s[1].worst.error, s[1].worst.at[0], s[1].worst.at[1], s[1].worst.place);
    return s[0].worst;
}
