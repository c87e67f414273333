/* tandem/pointwise.h: pointwise functions beyond arithmetic; a part of tandem.h, which includes it.
 *
 * Results have the operand's shape; operands of two broadcast and have one dtype.  Formulas, dtypes, errors
 * in units of the last place, gradients and kinks of each: docs/ops.  Errors are sticky: EDTYPE for
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

/* ---- activations -------------------------------------------------------------------------------------- */
/* Floats; PyTorch's formulas, and its gradients at kinks.  None gives NaN for a finite x. */

/* x > 0 ? x : slope x; gradient at 0: slope (PyTorch's default 0.01) */
TDM_API tdm_tensor *tdm_leaky_relu(tdm_tensor *x, double slope, tdm_loc at);
/* x > 0 ? x : alpha (e^x - 1); gradient at 0: alpha (default 1) */
TDM_API tdm_tensor *tdm_elu(tdm_tensor *x, double alpha, tdm_loc at);
/* x > 0 ? x : alpha (e^(x / alpha) - 1); EARG if alpha is 0 */
TDM_API tdm_tensor *tdm_celu(tdm_tensor *x, double alpha, tdm_loc at);
/* x > 0 ? x : w x; w has one element or x's axis 1 ([n, c, ..] and [c]); gradient at 0: w.  ESHAPE otherwise
 */
TDM_API tdm_tensor *tdm_prelu(tdm_tensor *x, tdm_tensor *w, tdm_loc at);
/* log(1 + e^(beta x)) / beta, and x itself where beta x > threshold (defaults 1 and 20); EARG if beta is 0 */
TDM_API tdm_tensor *tdm_softplus(tdm_tensor *x, double beta, double threshold, tdm_loc at);
/* x within lo..hi; gradient 0 on the edges; EARG unless lo < hi (defaults -1 and 1) */
TDM_API tdm_tensor *tdm_hardtanh(tdm_tensor *x, double lo, double hi, tdm_loc at);
/* selu: 1.0507.. elu(x, 1.6733..), arXiv 1706.02515.  log_sigmoid: log(1 / (1 + e^-x)).  mish: x tanh(log(1 +
 * e^x)), arXiv 1908.08681.  softsign: x / (1 + |x|).  tanhshrink: x - tanh x.  relu6: x within 0..6, gradient
 * 0 on the edges.  hardsigmoid: relu6(x + 3) / 6.  hardswish: x hardsigmoid(x), arXiv 1905.02244.
 * reciprocal: 1 / x. */
#define TDM_ACTIVATIONS(X) \
    X(selu)                \
    X(log_sigmoid) X(mish) X(softsign) X(tanhshrink) X(relu6) X(hardsigmoid) X(hardswish) X(reciprocal)
#define X(name) TDM_API tdm_tensor *tdm_##name(tdm_tensor *x, tdm_loc at);
TDM_ACTIVATIONS(X)
#undef X

/* ---- choosing and mixing ------------------------------------------------------------------------------ */

/* x + w (z - x), from the nearer end: exact at w = 0 and w = 1; floats, all three broadcast */
TDM_API tdm_tensor *tdm_lerp(tdm_tensor *x, tdm_tensor *z, tdm_tensor *w, tdm_loc at);
/* x - floor(x / z) z, with the sign of z: Python's %, by rem; integers: 0 where z = 0; broadcasts */
TDM_API tdm_tensor *tdm_remainder(tdm_tensor *x, tdm_tensor *z, tdm_loc at);
#define tdm_fmod(x, z) tdm_rem(x, z)
#define tdm_where(p, x, z) tdm_select(p, x, z)

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
#define tdm_leaky_relu(...) tdm_leaky_relu(__VA_ARGS__, TDM_HERE)
#define tdm_elu(...) tdm_elu(__VA_ARGS__, TDM_HERE)
#define tdm_celu(...) tdm_celu(__VA_ARGS__, TDM_HERE)
#define tdm_prelu(...) tdm_prelu(__VA_ARGS__, TDM_HERE)
#define tdm_softplus(...) tdm_softplus(__VA_ARGS__, TDM_HERE)
#define tdm_hardtanh(...) tdm_hardtanh(__VA_ARGS__, TDM_HERE)
#define tdm_selu(...) tdm_selu(__VA_ARGS__, TDM_HERE)
#define tdm_log_sigmoid(...) tdm_log_sigmoid(__VA_ARGS__, TDM_HERE)
#define tdm_mish(...) tdm_mish(__VA_ARGS__, TDM_HERE)
#define tdm_softsign(...) tdm_softsign(__VA_ARGS__, TDM_HERE)
#define tdm_tanhshrink(...) tdm_tanhshrink(__VA_ARGS__, TDM_HERE)
#define tdm_relu6(...) tdm_relu6(__VA_ARGS__, TDM_HERE)
#define tdm_hardsigmoid(...) tdm_hardsigmoid(__VA_ARGS__, TDM_HERE)
#define tdm_hardswish(...) tdm_hardswish(__VA_ARGS__, TDM_HERE)
#define tdm_reciprocal(...) tdm_reciprocal(__VA_ARGS__, TDM_HERE)
#define tdm_lerp(...) tdm_lerp(__VA_ARGS__, TDM_HERE)
#define tdm_remainder(...) tdm_remainder(__VA_ARGS__, TDM_HERE)
#endif

#endif
