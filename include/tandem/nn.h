/* What networks are trained with: losses, attention, positions, optimisers, schedules.  A part of tandem.h,
 * which includes it and says how errors, scopes and the caller's place work. */
#ifndef TANDEM_NN_H
#define TANDEM_NN_H

#include <tandem/tandem.h>

#if defined __cplusplus
extern "C" {
#endif

/* ---- losses ------------------------------------------------------------------------------------------- */

/* Losses (ir/compose_loss.c): PyTorch's formulas; x and target of one float type unless said.  Reduced over
 * all elements; for kl_div the mean over a batch is the sum / its size. */
typedef enum { TDM_REDUCE_MEAN, TDM_REDUCE_SUM, TDM_REDUCE_NONE } tdm_reduction;
TDM_API tdm_tensor *tdm_mse(tdm_tensor *x, tdm_tensor *target, tdm_loc at); /* the mean of tdm_mse_loss */
TDM_API tdm_tensor *tdm_mse_loss(tdm_tensor *x, tdm_tensor *target, tdm_reduction r, tdm_loc at);
/* |x - target|; gradient 0 where they are equal */
TDM_API tdm_tensor *tdm_l1_loss(tdm_tensor *x, tdm_tensor *target, tdm_reduction r, tdm_loc at);
/* d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2); delta > 0 */
TDM_API tdm_tensor *tdm_huber_loss(tdm_tensor *x, tdm_tensor *target, double delta, tdm_reduction r,
                                   tdm_loc at);
/* d^2 / (2 beta) where |d| < beta, else |d| - beta / 2; beta >= 0 */
TDM_API tdm_tensor *tdm_smooth_l1_loss(tdm_tensor *x, tdm_tensor *target, double beta, tdm_reduction r,
                                       tdm_loc at);
/* -t log x - (1 - t) log(1 - x) of probabilities.  The logarithm of 0 (in f32 of what is below 2^-126) is
 * -100 and has gradient 0; so is that of what is not in [0, 1]. */
TDM_API tdm_tensor *tdm_bce_loss(tdm_tensor *x, tdm_tensor *target, tdm_reduction r, tdm_loc at);
/* the same of x = logistic(logit), exact at all magnitudes; pos_weight broadcasts to x and multiplies the
 * part of t; may be NULL */
TDM_API tdm_tensor *tdm_bce_with_logits_loss(tdm_tensor *x, tdm_tensor *target, tdm_tensor *pos_weight,
                                             tdm_reduction r, tdm_loc at);
/* t (log t - x) of log-probabilities x; where t is 0 (log_target: -inf) the term and its gradients are 0 */
TDM_API tdm_tensor *tdm_kl_div_loss(tdm_tensor *x, tdm_tensor *target, bool log_target, tdm_reduction r,
                                    tdm_loc at);
/* max(1 - t x, 0), target t -1 or 1; gradient 0 at the edge */
TDM_API tdm_tensor *tdm_hinge_loss(tdm_tensor *x, tdm_tensor *target, tdm_reduction r, tdm_loc at);
/* c = cosine_similarity of rows x and z [.., d]; target [..] of their dtype: 1 - c where it is above 0, else
 * max(c - margin, 0); margin in -1..1 */
TDM_API tdm_tensor *tdm_cosine_embedding_loss(tdm_tensor *x, tdm_tensor *z, tdm_tensor *target, double margin,
                                              tdm_reduction r, tdm_loc at);
/* How classes are scored; zeros (or NULL for the whole): the mean over all targets. */
typedef struct tdm_class_loss {
    tdm_tensor *weight;     /* [classes] of x's dtype, or NULL */
    double label_smoothing; /* 0..1; of cross entropy: this share of a target is spread over all classes */
    bool ignore;            /* targets equal to ignore_index add nothing and are not counted */
    int64_t ignore_index;
    tdm_reduction reduction; /* the mean divides by the summed weights of the targets that count; 0 if there
                                are none.  TDM_REDUCE_NONE: [..] */
} tdm_class_loss;
/* -x[target] of log-probabilities [.., classes], integer targets [..].  A target that is no class and is not
 * ignored adds 0, and counts where there are no weights. */
TDM_API tdm_tensor *tdm_nll_loss(tdm_tensor *x, tdm_tensor *targets, const tdm_class_loss *how, tdm_loc at);
/* nll of log_softmax(logits), nats; or targets are probabilities, of the logits' type: the mean is over rows
 */
TDM_API tdm_tensor *tdm_cross_entropy_with(tdm_tensor *logits, tdm_tensor *targets, const tdm_class_loss *how,
                                           tdm_loc at);
TDM_API tdm_tensor *tdm_cross_entropy(tdm_tensor *logits, tdm_tensor *targets, tdm_loc at); /* how: NULL */

/* ---- attention and positions -------------------------------------------------------------------------- */

/* How queries attend to keys.  Zeros (or NULL for the whole) say: to every key, scaled by 1 / sqrt E. */
typedef struct tdm_attention {
    /* broadcasts to the scores [.., L, S]: bool, true where a query may see a key, or of q's dtype, added to
     * the scores */
    tdm_tensor *mask;
    bool causal;    /* query i sees keys 0 .. i (also where L and S differ) */
    double scale;   /* of the scores; 0: 1 / sqrt E */
    double dropout; /* weights are zeroed with this probability, as tdm_dropout; takes a counter if not 0 */
} tdm_attention;
/* softmax(q k^T scale + mask) v.  q [.., L, E], k [.., S, E], v [.., S, Ev], leading axes broadcast ->
 * [.., L, Ev]; any float dtype.  A query that may see no key gives zeros and no gradient.  Formula: Vaswani
 * et al. 2017, arXiv 1706.03762. */
TDM_API tdm_tensor *tdm_scaled_dot_product_attention(tdm_tensor *q, tdm_tensor *k, tdm_tensor *v,
                                                     const tdm_attention *how, tdm_loc at);
/* Packed weights, as torch.nn.MultiheadAttention has them: rows of in_weight are query, key, value. */
typedef struct tdm_projections {
    tdm_tensor *in_weight;  /* [3E, E] */
    tdm_tensor *in_bias;    /* [3E] or NULL */
    tdm_tensor *out_weight; /* [out, E] */
    tdm_tensor *out_bias;   /* [out] or NULL */
} tdm_projections;
/* query [.., L, E], key and value [.., S, E] (self-attention: one tensor three times) -> [.., L, out].
 * heads divides E.  The mask broadcasts to [.., heads, L, S]: one of keys per sequence is [batch, 1, 1, S].
 * Operands that are one tensor are projected by one product. */
TDM_API tdm_tensor *tdm_multi_head_attention(tdm_tensor *query, tdm_tensor *key, tdm_tensor *value,
                                             const tdm_projections *w, int heads, const tdm_attention *how,
                                             tdm_loc at);

/* Rotary embedding: each pair (a, b) of x's last axis becomes (a cos - b sin, b cos + a sin).  x [.., L, D],
 * D even; tables [.., L, D/2] broadcast to x's leading axes.  Pairs are (i, i + D/2), or (2i, 2i + 1) if
 * interleaved.  Su et al. 2021, arXiv 2104.09864. */
TDM_API tdm_tensor *tdm_rotary(tdm_tensor *x, tdm_tensor *cosine, tdm_tensor *sine, bool interleaved,
                               tdm_loc at);
/* cos and sin of p base^(-2i / width) for positions p = 0..n-1: [n, width/2], rounded from f64; base is 10000
 * as a rule */
TDM_API tdm_tensor *tdm_rotary_cos(tdm_context *ctx, tdm_dtype d, int64_t n, int64_t width, double base,
                                   tdm_loc at);
TDM_API tdm_tensor *tdm_rotary_sin(tdm_context *ctx, tdm_dtype d, int64_t n, int64_t width, double base,
                                   tdm_loc at);
/* [n, width]: the sines of the same angles at even, the cosines at odd places (arXiv 1706.03762) */
TDM_API tdm_tensor *tdm_sinusoidal_positions(tdm_context *ctx, tdm_dtype d, int64_t n, int64_t width,
                                             double base, tdm_loc at);

/* ---- optimisers --------------------------------------------------------------------------------------- */
/* PyTorch's formulas, written out in ir/compose_optim.c.  Parameters are leaves that require gradients;
 * settings are numbers >= 0, betas and alpha in [0, 1).  State, step count and learning rate are variables:
 * in an open graph tdm_step becomes assigns to them and to the parameters, and a compiled step reads them at
 * each run.  Parameters with settings of their own: an optimiser for each group.  NULL on error. */
TDM_API tdm_optimizer *tdm_sgd(tdm_tensor *const *params, int n, double lr, double momentum,
                               double weight_decay, bool nesterov);
TDM_API tdm_optimizer *tdm_adam(tdm_tensor *const *params, int n, double lr, double beta1, double beta2,
                                double eps, double weight_decay);
/* the greatest v so far in place of v */
TDM_API tdm_optimizer *tdm_amsgrad(tdm_tensor *const *params, int n, double lr, double beta1, double beta2,
                                   double eps, double weight_decay);
/* weight decay shrinks the parameter instead of joining its gradient */
TDM_API tdm_optimizer *tdm_adamw(tdm_tensor *const *params, int n, double lr, double beta1, double beta2,
                                 double eps, double weight_decay);
TDM_API tdm_optimizer *tdm_rmsprop(tdm_tensor *const *params, int n, double lr, double alpha, double eps,
                                   double weight_decay, double momentum, bool centered);
TDM_API tdm_optimizer *tdm_adagrad(tdm_tensor *const *params, int n, double lr, double lr_decay,
                                   double weight_decay, double initial, double eps);
/* Chen et al. 2023, arXiv 2302.06675; decay as adamw */
TDM_API tdm_optimizer *tdm_lion(tdm_tensor *const *params, int n, double lr, double beta1, double beta2,
                                double weight_decay);
TDM_API void tdm_optimizer_free(tdm_optimizer *opt);
TDM_API void tdm_zero_grad(tdm_optimizer *opt);
TDM_API tdm_status tdm_step(tdm_optimizer *opt, tdm_loc at); /* parameters without .grad stay */
/* tdm_step with this learning rate, a float scalar of the current engine, in place of the optimiser's own. */
TDM_API tdm_status tdm_step_with(tdm_optimizer *opt, tdm_tensor *lr, tdm_loc at);

/* The learning rate of tdm_step: setting it changes the next run of a compiled step too. */
TDM_API double tdm_learning_rate(const tdm_optimizer *opt);
TDM_API tdm_status tdm_set_learning_rate(tdm_optimizer *opt, double lr);
TDM_API tdm_tensor *tdm_steps(tdm_optimizer *opt); /* steps taken: a variable f64[], 0 at first */
/* Tensor i of the state that a resumed run needs, and its name: "step", "lr", then "PARAMETER.m", .. (a
 * parameter without a name, or with the name of an earlier one, gets its number).  False past the end. */
TDM_API bool tdm_optimizer_state(tdm_optimizer *opt, int i, const char **name, tdm_tensor **state);

/* Schedules: factors of a learning rate by the number t of steps taken, a float scalar.  Ops like any other,
 * so a compiled step follows its schedule.  They compose:
 *
 *     tdm_tensor *t = tdm_steps(opt), *later = tdm_relu(tdm_sub_scalar(t, 100));
 *     tdm_tensor *factor = tdm_mul(tdm_lr_linear(t, 0.01, 1, 100), tdm_lr_cosine(later, 900, 0.1));
 *     tdm_step_with(opt, tdm_mul_scalar(factor, 3e-4)); */
/* gamma^floor(t / every) */
TDM_API tdm_tensor *tdm_lr_step(tdm_tensor *t, int64_t every, double gamma, tdm_loc at);
/* gamma^(number of milestones <= t) */
TDM_API tdm_tensor *tdm_lr_multi_step(tdm_tensor *t, const int64_t *milestones, int n, double gamma,
                                      tdm_loc at);
/* gamma^t */
TDM_API tdm_tensor *tdm_lr_exponential(tdm_tensor *t, double gamma, tdm_loc at);
/* from at t = 0, to from t = steps on: a warm-up where to is 1 */
TDM_API tdm_tensor *tdm_lr_linear(tdm_tensor *t, double from, double to, int64_t steps, tdm_loc at);
/* half a cosine from 1 at t = 0 to least from t = steps on */
TDM_API tdm_tensor *tdm_lr_cosine(tdm_tensor *t, int64_t steps, double least, tdm_loc at);

/* Scales every .grad by min(most / (norm + 1e-6), 1), where norm is that of all gradients as one vector: kind
 * 2 or INFINITY.  Returns the norm before, an f64 scalar; not finite, it makes the gradients NaN or 0.
 * Errors: ESTATE if no parameter has a gradient. */
TDM_API tdm_tensor *tdm_clip_grad_norm(tdm_tensor *const *params, int n, double most, double kind,
                                       tdm_loc at);
/* Every element of every .grad into -most .. most. */
TDM_API tdm_status tdm_clip_grad_value(tdm_tensor *const *params, int n, double most, tdm_loc at);

/* ---- the caller's place: see tandem.h ----------------------------------------------------------------- */
#ifndef TDM_PLAIN_FUNCTIONS
#define tdm_mse(...) tdm_mse(__VA_ARGS__, TDM_HERE)
#define tdm_mse_loss(...) tdm_mse_loss(__VA_ARGS__, TDM_HERE)
#define tdm_l1_loss(...) tdm_l1_loss(__VA_ARGS__, TDM_HERE)
#define tdm_huber_loss(...) tdm_huber_loss(__VA_ARGS__, TDM_HERE)
#define tdm_smooth_l1_loss(...) tdm_smooth_l1_loss(__VA_ARGS__, TDM_HERE)
#define tdm_bce_loss(...) tdm_bce_loss(__VA_ARGS__, TDM_HERE)
#define tdm_bce_with_logits_loss(...) tdm_bce_with_logits_loss(__VA_ARGS__, TDM_HERE)
#define tdm_kl_div_loss(...) tdm_kl_div_loss(__VA_ARGS__, TDM_HERE)
#define tdm_hinge_loss(...) tdm_hinge_loss(__VA_ARGS__, TDM_HERE)
#define tdm_cosine_embedding_loss(...) tdm_cosine_embedding_loss(__VA_ARGS__, TDM_HERE)
#define tdm_nll_loss(...) tdm_nll_loss(__VA_ARGS__, TDM_HERE)
#define tdm_cross_entropy_with(...) tdm_cross_entropy_with(__VA_ARGS__, TDM_HERE)
#define tdm_cross_entropy(...) tdm_cross_entropy(__VA_ARGS__, TDM_HERE)
#define tdm_scaled_dot_product_attention(...) tdm_scaled_dot_product_attention(__VA_ARGS__, TDM_HERE)
#define tdm_multi_head_attention(...) tdm_multi_head_attention(__VA_ARGS__, TDM_HERE)
#define tdm_rotary(...) tdm_rotary(__VA_ARGS__, TDM_HERE)
#define tdm_rotary_cos(...) tdm_rotary_cos(__VA_ARGS__, TDM_HERE)
#define tdm_rotary_sin(...) tdm_rotary_sin(__VA_ARGS__, TDM_HERE)
#define tdm_sinusoidal_positions(...) tdm_sinusoidal_positions(__VA_ARGS__, TDM_HERE)
#define tdm_step(...) tdm_step(__VA_ARGS__, TDM_HERE)
#define tdm_step_with(...) tdm_step_with(__VA_ARGS__, TDM_HERE)
#define tdm_lr_step(...) tdm_lr_step(__VA_ARGS__, TDM_HERE)
#define tdm_lr_multi_step(...) tdm_lr_multi_step(__VA_ARGS__, TDM_HERE)
#define tdm_lr_exponential(...) tdm_lr_exponential(__VA_ARGS__, TDM_HERE)
#define tdm_lr_linear(...) tdm_lr_linear(__VA_ARGS__, TDM_HERE)
#define tdm_lr_cosine(...) tdm_lr_cosine(__VA_ARGS__, TDM_HERE)
#define tdm_clip_grad_norm(...) tdm_clip_grad_norm(__VA_ARGS__, TDM_HERE)
#define tdm_clip_grad_value(...) tdm_clip_grad_value(__VA_ARGS__, TDM_HERE)
#endif

#if defined __cplusplus
}
#endif
#endif
