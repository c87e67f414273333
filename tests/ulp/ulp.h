/* tests/ulp/ulp.h: what the parts of the ulp tool share.
 *
 * An error is measured twice: estimated from a reference a little more precise than the program (f64 libm for
 * f32 inputs, x87 long double for the rest), and, only where that comes near the largest error so far,
 * measured against MPFR at 160 bits.  So what is printed was decided by MPFR, and most inputs never reach it.
 */
#ifndef TANDEM_TESTS_ULP_H
#define TANDEM_TESTS_ULP_H

#include <stdbool.h>
#include <stdint.h>

#include <mpfr.h>

/* A wrong inf, NaN, zero's sign, or a NaN where there should be none. */
#define ULP_WRONG 1e9

typedef struct ulp_format {
    int digits, least; /* precision, and the exponent of the least subnormal */
    double largest;
} ulp_format;

extern const ulp_format ulp_f32, ulp_f64;

/* The largest error seen; of equal ones the one met first, so that the number of threads does not show. */
typedef struct ulp_worst {
    double error, at[2];
    uint64_t place;
} ulp_worst;

void ulp_note(ulp_worst *w, double error, double x, double z, uint64_t place);

/* Error of y against the exact value.  An ulp is the distance between the neighbours of the exact result. */
double ulp_error(double y, const mpfr_t exact, const ulp_format *f);
/* The same against a reference with more digits than f, off by that reference's own error. */
double ulp_estimate(double y, long double reference, const ulp_format *f);

/* Runs `work(arg, w, block)` for every block < blocks on two threads, and joins their worst. */
typedef void ulp_work(const void *arg, ulp_worst *w, uint64_t block);
ulp_worst ulp_sweep(ulp_work *work, const void *arg, uint64_t blocks);

/* Sampled numbers: streams that depend on the seed alone. */
uint64_t ulp_next(uint64_t *state);
double ulp_draw_bits(uint64_t *state, const ulp_format *f);
double ulp_draw_range(uint64_t *state, double lo, double hi);

/* ---- the programs ------------------------------------------------------------------------------------- */

enum { ULP_BLOCK = 4096 };

/* X(program, MPFR's function, and where it is not constant) */
#define ULP_PROGRAMS(X)                  \
    X(exp, mpfr_exp, -746, 710)          \
    X(log, mpfr_log, 0, 4)               \
    X(log1p, mpfr_log1p, -1, 4)          \
    X(sin, mpfr_sin, -100, 100)          \
    X(cos, mpfr_cos, -100, 100)          \
    X(tanh, mpfr_tanh, -20, 20)          \
    X(erf, mpfr_erf, -6, 6)              \
    X(logistic, logistic_mpfr, -746, 40) \
    X(expm1, mpfr_expm1, -40, 710)       \
    X(exp2, mpfr_exp2, -1076, 1024)      \
    X(log2, mpfr_log2, 0, 4)             \
    X(tan, mpfr_tan, -100, 100)          \
    X(asin, mpfr_asin, -1, 1)            \
    X(acos, mpfr_acos, -1, 1)            \
    X(atan, mpfr_atan, -20, 20)          \
    X(sinh, mpfr_sinh, -20, 20)          \
    X(cosh, mpfr_cosh, -20, 20)          \
    X(asinh, mpfr_asinh, -20, 20)        \
    X(acosh, mpfr_acosh, 1, 4)           \
    X(atanh, mpfr_atanh, -1, 1)

/* f64 references of a block of f32 inputs: plain_libm.c, which is compiled so that libm's vector functions
 * (4 ulp of f64) serve; indexed like ULP_PROGRAMS. */
typedef void ulp_references(const float *x, double *e);
extern ulp_references *const ulp_libm[];

#endif
