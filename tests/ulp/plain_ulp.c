/* tests/ulp/plain_ulp.c: the measured error of every scalar program, in units of the last place.
 *
 *   ulp [--stride K] [--samples N] [NAME[:DTYPE]]    prints docs/ulp.md, or the rows of NAME alone
 *
 * f32 unary: all 2^32 inputs (K: every K-th).  f64, pow, atan2, rem: N samples (1e8), a quarter of them drawn
 * evenly over the bit patterns and the rest where the function is not constant.  How: ulp.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/scalar_c.h"
#include "ulp.h"

/* How far below the true error an estimate may lie: 8 ulp of f64 in those of f32, 4 of long double in f64's.
 */
#define MARGIN32 0x1p-26
#define MARGIN64 0x1p-9

typedef int mpfr_unary(mpfr_t, const mpfr_t, mpfr_rnd_t);

static int logistic_mpfr(mpfr_t y, const mpfr_t x, mpfr_rnd_t r)
{
    mpfr_neg(y, x, r);
    mpfr_exp(y, y, r);
    mpfr_add_ui(y, y, 1, r);
    return mpfr_ui_div(y, 1, y, r);
}

static long double logisticl(long double x)
{
    long double e = expl(-fabsl(x));

    return (x < 0 ? e : 1) / (1 + e);
}

/* A block of each program, so that it is inlined and runs on vectors. */
#define X(name, exact, lo, hi)                                          \
    static void name##_32(const float *restrict x, float *restrict y)   \
    {                                                                   \
        for (int i = 0; i < ULP_BLOCK; i++)                             \
            y[i] = s_##name##_f32(x[i]);                                \
    }                                                                   \
    static void name##_64(const double *restrict x, double *restrict y) \
    {                                                                   \
        for (int i = 0; i < ULP_BLOCK; i++)                             \
            y[i] = s_##name##_f64(x[i]);                                \
    }
ULP_PROGRAMS(X)
#undef X

typedef struct program {
    const char *name;
    void (*f32)(const float *, float *);
    void (*f64)(const double *, double *);
    long double (*libm)(long double);
    mpfr_unary *exact;
    double lo, hi;
    ulp_references *references;
    uint64_t stride;
    bool circular;
    double floor; /* an error that is reached: smaller ones aren't looked at */
} program;

static program programs[] = {
#define X(name, exact, lo, hi) {#name, name##_32, name##_64, name##l, exact, lo, hi, NULL, 1, false, 0},
    ULP_PROGRAMS(X)
#undef X
};
enum { PROGRAM_COUNT = sizeof programs / sizeof programs[0] };

static double exact_error(const program *p, double x, double y, const ulp_format *f)
{
    mpfr_t v;

    mpfr_init2(v, 160);
    mpfr_set_d(v, x, MPFR_RNDN);
    p->exact(v, v, MPFR_RNDN);
    double r = ulp_error(y, v, f);
    mpfr_clear(v);
    return r;
}

/* ---- f32: all inputs ---------------------------------------------------------------------------------- */

/* 0 only if every error is surely below `limit`; all in words of 64 bits and without branches, so that it
 * runs on vectors. */
static uint64_t suspicious(const float *restrict y, const double *restrict e, double limit)
{
    uint64_t bad = 0;

    for (int i = 0; i < ULP_BLOCK; i++) {
        double v = (double)y[i], a = fabs(e[i]), normal = a < 0x1p-126 ? 0x1p-126 : a, scale;
        uint64_t bits, vb, eb;
        memcpy(&bits, &normal, sizeof bits);
        memcpy(&vb, &v, sizeof vb);
        memcpy(&eb, &e[i], sizeof eb);
        bits = ((uint64_t)(2046 + 23) << 52) - (bits & (uint64_t)0x7FF << 52); /* 1 / ulp */
        memcpy(&scale, &bits, sizeof scale);
        uint64_t low = fabs(v - e[i]) * scale <= limit ? 1 : 0, some = a > 0 ? 1 : 0;
        uint64_t finite = a <= 0x1.fffffep127 ? 1 : 0, over = a >= 0x1p128 ? 1 : 0;
        uint64_t inf = fabs(v) > 0x1.fffffep127 ? 1 : 0, sign = v * e[i] > 0 ? 1 : 0;
        uint64_t nan = v != v ? 1 : 0, expected = e[i] != e[i] ? 1 : 0, same = vb == eb ? 1 : 0;
        bad |= ~((low & some & finite) | (over & inf & sign) | (nan & expected) | same) & 1;
    }
    return bad;
}

/* Past 2^20 libm's circular functions take long; there the f64 program serves, which has its own row. */
static void reference32(const program *p, const float *x, double *e)
{
    double wide[ULP_BLOCK];

    if (!p->circular || !(fabsf(x[0]) > 0x1p20F && fabsf(x[ULP_BLOCK - 1]) > 0x1p20F)) {
        p->references(x, e);
        return;
    }
    for (int i = 0; i < ULP_BLOCK; i++)
        wide[i] = (double)x[i];
    p->f64(wide, e);
}

static void block32(const void *arg, ulp_worst *w, uint64_t block)
{
    const program *p = arg;
    float x[ULP_BLOCK], y[ULP_BLOCK];
    double e[ULP_BLOCK];

    for (uint64_t i = 0; i < ULP_BLOCK; i++) {
        uint32_t bits = (uint32_t)((block * ULP_BLOCK + i) * p->stride);
        memcpy(&x[i], &bits, sizeof bits);
    }
    p->f32(x, y);
    reference32(p, x, e);
    double limit = fmax(w->error, p->floor) * (1 - MARGIN32);

    if (!suspicious(y, e, limit))
        return;
    for (int i = 0; i < ULP_BLOCK; i++)
        if (ulp_estimate((double)y[i], (long double)e[i], &ulp_f32) > limit)
            ulp_note(w, exact_error(p, (double)x[i], (double)y[i], &ulp_f32), (double)x[i], 0,
                     block * ULP_BLOCK + (uint64_t)i);
}

static void measure32(program *p, uint64_t stride)
{
    char inputs[32] = "all";

    p->floor = 0;
    p->stride = stride < 65521 ? 65521 / stride * stride : stride; /* of those inputs a few */
    p->floor = ulp_sweep(block32, p, ((uint64_t)1 << 32) / p->stride / ULP_BLOCK).error;
    p->stride = stride;
    ulp_worst w = ulp_sweep(block32, p, ((uint64_t)1 << 32) / stride / ULP_BLOCK);
    if (stride > 1)
        snprintf(inputs, sizeof inputs, "1 in %llu", (unsigned long long)stride);
    printf("| %s | f32 | %s | %.3f | %a |\n", p->name, inputs, w.error, w.at[0]);
    fflush(stdout);
}

/* ---- f64: samples ---------------------------------------------------------------------------------- */

/* Bit patterns, the range, and small magnitudes of the range by turns. */
static double draw(const program *p, uint64_t *state, int k)
{
    double x = k % 4 == 0 ? ulp_draw_bits(state, &ulp_f64) : ulp_draw_range(state, p->lo, p->hi);

    return k % 4 == 3 ? ldexp(x, -(int)(ulp_next(state) % 24)) : x;
}

static void block64(const void *arg, ulp_worst *w, uint64_t block)
{
    const program *p = arg;
    uint64_t state = block << 32;
    double x[ULP_BLOCK], y[ULP_BLOCK];

    for (int k = 0; k < ULP_BLOCK; k++)
        x[k] = draw(p, &state, k);
    p->f64(x, y);
    for (int k = 0; k < ULP_BLOCK; k++)
        if (ulp_estimate(y[k], p->libm((long double)x[k]), &ulp_f64) > fmax(w->error, p->floor) - MARGIN64)
            ulp_note(w, exact_error(p, x[k], y[k], &ulp_f64), x[k], 0, block * ULP_BLOCK + (uint64_t)k);
}

static void measure64(program *p, uint64_t samples)
{
    uint64_t blocks = (samples + ULP_BLOCK - 1) / ULP_BLOCK;
    p->floor = 0;
    p->floor = ulp_sweep(block64, p, blocks < 8 ? blocks : 8).error;
    ulp_worst w = ulp_sweep(block64, p, blocks);

    printf("| %s | f64 | %llu samples | %.3f | %a |\n", p->name, (unsigned long long)(blocks * ULP_BLOCK),
           w.error, w.at[0]);
    fflush(stdout);
}

/* ---- two operands: pow, atan2, rem -------------------------------------------------------------------- */

/* Pairs whose power is mostly finite: x by bits or near 1, z scaled so that |z log x| < 750 (f32: 105). */
static void draw_powers(uint64_t *state, int k, const ulp_format *f, double *x, double *z)
{
    double span = f == &ulp_f64 ? 750 : 105;

    *x = k % 8 == 0 ? ulp_draw_bits(state, f)
         : k % 2    ? ulp_draw_range(state, 0, 4)
                    : 1 + ldexp(ulp_draw_range(state, -1, 1), -(int)(k % 30));
    *z = k % 16 == 0 ? ulp_draw_bits(state, f)
                     : ulp_draw_range(state, -span, span) / (fabs(log(fabs(*x))) + 1e-300);
    if (k % 5 == 0)
        *z = round(*z);
    if (k % 10 == 0)
        *x = -*x;
}

/* Any bits, and magnitudes near each other, by turns. */
static void draw_pairs(uint64_t *state, int k, const ulp_format *f, double *x, double *z)
{
    *x = k % 4 == 0 ? ulp_draw_bits(state, f) : ulp_draw_range(state, -4, 4);
    *z = k % 8 == 0 ? ulp_draw_bits(state, f)
                    : ldexp(ulp_draw_range(state, -4, 4), (int)(ulp_next(state) % 60) - 30);
}

typedef struct pair_program {
    const char *name;
    float (*f32)(float, float);
    double (*f64)(double, double);
    long double (*libm)(long double, long double);
    int (*exact)(mpfr_t, const mpfr_t, const mpfr_t, mpfr_rnd_t);
    void (*draw)(uint64_t *, int, const ulp_format *, double *, double *);
    const ulp_format *format;
} pair_program;

static pair_program pair_programs[] = {
    {"pow", s_pow_f32, s_pow_f64, powl, mpfr_pow, draw_powers, NULL},
    {"atan2", s_atan2_f32, s_atan2_f64, atan2l, mpfr_atan2, draw_pairs, NULL},
    {"rem", s_rem_f32, s_rem_f64, fmodl, mpfr_fmod, draw_pairs, NULL},
};
enum { PAIR_COUNT = sizeof pair_programs / sizeof pair_programs[0] };

static double exact_pair(const pair_program *p, double x, double z, double y)
{
    mpfr_t v, w;

    mpfr_init2(v, 160);
    mpfr_init2(w, 53);
    mpfr_set_d(v, x, MPFR_RNDN);
    mpfr_set_d(w, z, MPFR_RNDN);
    p->exact(v, v, w, MPFR_RNDN);
    double r = ulp_error(y, v, p->format);
    mpfr_clears(v, w, (mpfr_ptr)NULL);
    return r;
}

static void block_pair(const void *arg, ulp_worst *w, uint64_t block)
{
    const pair_program *p = arg;
    uint64_t state = block << 32 | 1;
    bool wide = p->format == &ulp_f64;

    for (int k = 0; k < ULP_BLOCK; k++) {
        double x, z;
        p->draw(&state, k, p->format, &x, &z);
        x = wide ? x : (double)(float)x;
        z = wide ? z : (double)(float)z;
        double y = wide ? p->f64(x, z) : (double)p->f32((float)x, (float)z);
        double guess = ulp_estimate(y, p->libm((long double)x, (long double)z), p->format);
        if (guess > 0 && guess > w->error - (wide ? MARGIN64 : MARGIN32))
            ulp_note(w, exact_pair(p, x, z, y), x, z, block * ULP_BLOCK + (uint64_t)k);
    }
}

static void measure_pair(pair_program *p, const ulp_format *f, uint64_t samples)
{
    uint64_t blocks = (samples + ULP_BLOCK - 1) / ULP_BLOCK;

    p->format = f;
    ulp_worst w = ulp_sweep(block_pair, p, blocks);
    printf("| %s | %s | %llu samples | %.3f | %a, %a |\n", p->name, f == &ulp_f64 ? "f64" : "f32",
           (unsigned long long)(blocks * ULP_BLOCK), w.error, w.at[0], w.at[1]);
    fflush(stdout);
}

/* ---- docs/ulp.md -------------------------------------------------------------------------------------- */

static const char before[] =
    "# Accuracy of the scalar programs\n\n"
    "The largest error of each program of `ir/scalar_f32.def` and `ir/scalar_f64.def`, in units of the last\n"
    "place, against MPFR. Both engines give the same bits, so this holds for eager and compiled code\n"
    "alike. A wrong infinity, NaN or sign of zero would count as 1e9.\n\n"
    "Rows are what `tests/ulp` prints (`cmake --build BUILD -t ulp && BUILD/tests/ulp`; `--stride K`\n"
    "takes every K-th f32 input, `--samples N` fewer samples, `exp` or `exp:f32` those rows alone). f32\n"
    "programs of one operand run beside f64 libm; f64 programs and those of two operands beside x87 long\n"
    "double, on samples: a quarter over all bit patterns, the rest where the function is not constant.\n"
    "Inputs whose error comes near the largest one so far are measured again by MPFR.\n"
    "[ops/](ops/README.md) takes its figures from this page.\n\n";
static const char table[] = "| program | dtype | inputs | max ulp | at |\n|---|---|---|---|---|\n";
static const char after[] =
    "\nf32 sin, cos, tan, pow and rem run f64 arithmetic and round once; rem is exact, as\n"
    "are floor, ceil and round. logistic in f32 trades half an ulp for speed: it does not\n"
    "correct the quotient, as the f64 program does.\n";

/* `only` is empty, a program's name, or name:dtype. */
static bool chosen(const char *only, const char *name, const char *dtype)
{
    size_t n = strlen(name);

    return !*only ||
           (!strncmp(only, name, n) && (!only[n] || (only[n] == ':' && !strcmp(only + n + 1, dtype))));
}

static void measure(const char *only, uint64_t stride, uint64_t samples)
{
    for (int i = 0; i < PROGRAM_COUNT; i++) {
        program *p = &programs[i];
        p->references = ulp_libm[i];
        p->circular = p->f32 == sin_32 || p->f32 == cos_32 || p->f32 == tan_32;
        if (chosen(only, p->name, "f32"))
            measure32(p, stride);
    }
    for (int i = 0; i < PROGRAM_COUNT; i++)
        if (chosen(only, programs[i].name, "f64"))
            measure64(&programs[i], samples);
    for (int i = 0; i < 2 * PAIR_COUNT; i++)
        if (chosen(only, pair_programs[i / 2].name, i % 2 ? "f64" : "f32"))
            measure_pair(&pair_programs[i / 2], i % 2 ? &ulp_f64 : &ulp_f32, samples);
}

int main(int argc, char **argv)
{
    uint64_t stride = 1, samples = 100000000;
    const char *only = "";

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--stride") && i + 1 < argc)
            stride = strtoull(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--samples") && i + 1 < argc)
            samples = strtoull(argv[++i], NULL, 10);
        else
            only = argv[i];
    }
    if (!*only)
        printf("%s%s", before, table);
    measure(only, stride, samples);
    if (!*only)
        fputs(after, stdout);
    return 0;
}
