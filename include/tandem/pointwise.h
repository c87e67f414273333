/* tandem/pointwise.h: pointwise functions beyond arithmetic; a part of tandem.h, which includes it.
 *
 * Results have the operand's shape; operands of two broadcast and have one dtype.  Formulas, dtypes, errors
 * in units of the last place, gradients and kinks of each: docs/ops.md.  Errors are sticky: EDTYPE for
 * dtypes, ESHAPE for shapes that do not broadcast. */
#ifndef TANDEM_POINTWISE_H
#define TANDEM_POINTWISE_H

/* clang-format off */
#define TDM_MATH_OPS(X) \
    X(floor) X(ceil) X(round) X(is_nan) X(is_finite) X(expm1) X(exp2) X(log2) X(tan) X(asin) X(acos) X(atan) \
    X(sinh) X(cosh) X(asinh) X(acosh) X(atanh)
/* clang-format on */
/* rem(x, z) = x - trunc(x / z) z, C's fmod and %; atan2(x, z): the angle of ordinate x and abscissa z */
#define TDM_MATH_BINARY_OPS(X) X(rem) X(atan2)

/* Of floats.  round: half to even.  is_nan, is_finite give bool. */
#define X(name) TDM_API tdm_tensor *tdm_##name(tdm_tensor *x, tdm_loc at);
TDM_MATH_OPS(X)
#undef X
#define X(name)                                                               \
    TDM_API tdm_tensor *tdm_##name(tdm_tensor *x, tdm_tensor *z, tdm_loc at); \
    TDM_API tdm_tensor *tdm_##name##_scalar(tdm_tensor *x, double z, tdm_loc at);
TDM_MATH_BINARY_OPS(X)
#undef X

#ifndef TDM_PLAIN_FUNCTIONS
#define tdm_floor(...) tdm_floor(__VA_ARGS__, TDM_HERE)
#define tdm_ceil(...) tdm_ceil(__VA_ARGS__, TDM_HERE)
#define tdm_round(...) tdm_round(__VA_ARGS__, TDM_HERE)
#define tdm_is_nan(...) tdm_is_nan(__VA_ARGS__, TDM_HERE)
#define tdm_is_finite(...) tdm_is_finite(__VA_ARGS__, TDM_HERE)
#define tdm_expm1(...) tdm_expm1(__VA_ARGS__, TDM_HERE)
#define tdm_exp2(...) tdm_exp2(__VA_ARGS__, TDM_HERE)
#define tdm_log2(...) tdm_log2(__VA_ARGS__, TDM_HERE)
#define tdm_tan(...) tdm_tan(__VA_ARGS__, TDM_HERE)
#define tdm_asin(...) tdm_asin(__VA_ARGS__, TDM_HERE)
#define tdm_acos(...) tdm_acos(__VA_ARGS__, TDM_HERE)
#define tdm_atan(...) tdm_atan(__VA_ARGS__, TDM_HERE)
#define tdm_sinh(...) tdm_sinh(__VA_ARGS__, TDM_HERE)
#define tdm_cosh(...) tdm_cosh(__VA_ARGS__, TDM_HERE)
#define tdm_asinh(...) tdm_asinh(__VA_ARGS__, TDM_HERE)
#define tdm_acosh(...) tdm_acosh(__VA_ARGS__, TDM_HERE)
#define tdm_atanh(...) tdm_atanh(__VA_ARGS__, TDM_HERE)
#define tdm_rem(...) tdm_rem(__VA_ARGS__, TDM_HERE)
#define tdm_atan2(...) tdm_atan2(__VA_ARGS__, TDM_HERE)
#define tdm_rem_scalar(...) tdm_rem_scalar(__VA_ARGS__, TDM_HERE)
#define tdm_atan2_scalar(...) tdm_atan2_scalar(__VA_ARGS__, TDM_HERE)
#endif

#endif
