/* ir/compose.h: composites: functions over a sink, with a region name on the nodes they make.  Operands are
 * checked here (sticky s->err), broadcasting where the public function broadcasts.  axis may be negative
 * (from the end). */
#ifndef TANDEM_IR_COMPOSE_H
#define TANDEM_IR_COMPOSE_H

#include "ir.h"

/* compose_basic.c */
/* any binary op, operands broadcast; dtypes must agree */
ir_val ir_c_binary(ir_sink *s, ir_op op, ir_val x, ir_val z);
ir_val ir_c_select(ir_sink *s, ir_val p, ir_val x, ir_val z); /* broadcast */
ir_val ir_c_square(ir_sink *s, ir_val x);
/* n = 0: all axes.  sum / count, one division */
ir_val ir_c_mean(ir_sink *s, ir_val x, const int *axes, int n, bool keep);
ir_val ir_c_var(ir_sink *s, ir_val x, const int *axes, int n, int correction, bool keep); /* two-pass */
/* [.., m, k] [.., k, n], leading dims broadcast; 1-d as NumPy */
ir_val ir_c_matmul(ir_sink *s, ir_val a, ir_val b);
/* x [.., in] w [out, in] bias [out] or 0: x w^T + bias */
ir_val ir_c_linear(ir_sink *s, ir_val x, ir_val w, ir_val bias);
ir_val ir_c_one_hot(ir_sink *s, ir_val index, int64_t classes, ir_dtype d);
ir_val ir_c_embedding(ir_sink *s, ir_val table, ir_val index); /* gather of rows */
/* compose_nn.c */
ir_val ir_c_gelu(ir_sink *s, ir_val x, bool tanh_form);
ir_val ir_c_silu(ir_sink *s, ir_val x);
ir_val ir_c_logsumexp(ir_sink *s, ir_val x, int axis, bool keep);
ir_val ir_c_softmax(ir_sink *s, ir_val x, int axis);
ir_val ir_c_log_softmax(ir_sink *s, ir_val x, int axis);
/* the scale of the sum falls as the maximum so far grows: no overflow */
ir_val ir_c_logcumsumexp(ir_sink *s, ir_val x, int axis);
ir_val ir_c_softmin(ir_sink *s, ir_val x, int axis); /* softmax of -x */
/* compose_loss.c: of every element, or of every row of the last axis, then mean, sum or neither */
typedef enum { IR_REDUCE_MEAN, IR_REDUCE_SUM, IR_REDUCE_NONE } ir_reduction;
ir_val ir_c_l1(ir_sink *s, ir_val x, ir_val target, ir_reduction r);
ir_val ir_c_mse(ir_sink *s, ir_val x, ir_val target, ir_reduction r);
ir_val ir_c_huber(ir_sink *s, ir_val x, ir_val target, double delta, ir_reduction r);
ir_val ir_c_smooth_l1(ir_sink *s, ir_val x, ir_val target, double beta, ir_reduction r);
ir_val ir_c_bce(ir_sink *s, ir_val x, ir_val target, ir_reduction r); /* x: probabilities */
ir_val ir_c_bce_with_logits(ir_sink *s, ir_val x, ir_val target, ir_val pos_weight /* broadcasts; or 0 */,
                            ir_reduction r);
/* x: log-probabilities; target: probabilities or their logarithms */
ir_val ir_c_kl_div(ir_sink *s, ir_val x, ir_val target, bool log_target, ir_reduction r);
ir_val ir_c_hinge(ir_sink *s, ir_val x, ir_val target, ir_reduction r); /* target: -1 or 1 */
/* x and z [.., d], target [..]: alike where above 0, else apart by at least the margin */
ir_val ir_c_cosine_embedding(ir_sink *s, ir_val x, ir_val z, ir_val target, double margin, ir_reduction r);
typedef struct ir_class_loss {
    ir_val weight; /* [classes] or 0 */
    double label_smoothing;
    bool ignore; /* targets equal to ignore_index add nothing and are not counted */
    int64_t ignore_index;
    ir_reduction reduction; /* mean: over the weights of the targets that count */
} ir_class_loss;
/* log-probabilities [.., c], targets integer [..] */
ir_val ir_c_nll(ir_sink *s, ir_val x, ir_val targets, const ir_class_loss *how);
/* logits [.., c], targets integer [..] or probabilities [.., c] */
ir_val ir_c_cross_entropy(ir_sink *s, ir_val logits, ir_val targets, const ir_class_loss *how);
/* compose_attention.c */
typedef struct ir_attention {
    ir_val mask;    /* 0: none; broadcasts to [.., L, S]: bool, true where seen, or of q's dtype, added */
    bool causal;    /* query i sees keys 0 .. i */
    double scale;   /* 0: 1 / sqrt E */
    double dropout; /* of the weights; not 0: from the counter at `offset` of the state `random` */
    ir_val random;
    uint64_t offset;
} ir_attention;
/* q [.., L, E] k [.., S, E] v [.., S, Ev], leading axes broadcast: [.., L, Ev] */
ir_val ir_c_scaled_dot_product_attention(ir_sink *s, ir_val q, ir_val k, ir_val v, const ir_attention *how);
/* in_weight [3E, E] in_bias [3E] or 0: query, key, value; out_weight [out, E] out_bias [out] or 0 */
typedef struct ir_projections {
    ir_val in_weight, in_bias, out_weight, out_bias;
} ir_projections;
/* x: query [.., L, E], key and value [.., S, E]; the mask broadcasts to [.., heads, L, S]: [.., L, out] */
ir_val ir_c_multi_head_attention(ir_sink *s, const ir_val x[3], const ir_projections *w, int64_t heads,
                                 const ir_attention *how);
/* compose_position.c */
/* x [.., L, D], tables [.., L, D/2]; pairs are (i, i + D/2), or (2i, 2i + 1) */
ir_val ir_c_rotary(ir_sink *s, ir_val x, ir_val cosine, ir_val sine, bool interleaved);
ir_val ir_c_rotary_table(ir_sink *s, ir_dtype d, int64_t n, int64_t width, double base,
                         bool cosine /* else sine */);
ir_val ir_c_sinusoidal_positions(ir_sink *s, ir_dtype d, int64_t n, int64_t width, double base);
/* compose_norm.c; gamma, beta [extent of the axis] may be 0.  Last axis: */
ir_val ir_c_layer_norm(ir_sink *s, ir_val x, ir_val gamma, ir_val beta, double eps);
ir_val ir_c_rms_norm(ir_sink *s, ir_val x, ir_val gamma, double eps);
/* x [n, c, ..], gamma and beta [c]; a group: c / groups channels at all places */
ir_val ir_c_group_norm(ir_sink *s, ir_val x, int groups, ir_val gamma, ir_val beta, double eps);
/* x [n, c, .., at least one place more]; over the places of a channel */
ir_val ir_c_instance_norm(ir_sink *s, ir_val x, ir_val gamma, ir_val beta, double eps);
/* running mean and variance [c] in/out: training changes them, or they are 0 and not kept */
ir_val ir_c_batch_norm(ir_sink *s, ir_val x, ir_val gamma, ir_val beta, ir_val *mean, ir_val *var,
                       bool training, double momentum, double eps);
/* n = 0: all axes.  Gradients are 0 where a root's would be infinite */
ir_val ir_c_std(ir_sink *s, ir_val x, const int *axes, int n, int correction, bool keep);
ir_val ir_c_norm(ir_sink *s, ir_val x, double p, const int *axes, int n, bool keep); /* p >= 0 or -inf */
/* x / max(norm, eps) along the axis */
ir_val ir_c_normalize(ir_sink *s, ir_val x, double p, int axis, double eps);
/* sum x z / (max(|x|, eps) max(|z|, eps)); broadcast */
ir_val ir_c_cosine_similarity(ir_sink *s, ir_val x, ir_val z, int axis, double eps);
ir_val ir_c_count_nonzero(ir_sink *s, ir_val x, const int *axes, int n, bool keep); /* i64 */
/* compose_sort.c */
/* kind: cumsum, cumprod, cummax, cummin; exclusive: without the element itself */
ir_val ir_c_cumulate(ir_sink *s, ir_op kind, ir_val x, int axis, bool exclusive, bool reverse);
ir_val ir_c_linear_scan(ir_sink *s, ir_val x, ir_val z, int axis, bool reverse);
ir_val ir_c_argsort(ir_sink *s, ir_val x, int axis, bool descending);      /* i64 */
ir_val ir_c_topk(ir_sink *s, ir_val x, int64_t k, int axis, bool largest); /* the places, i64 */
/* the lower one of two middle elements; a NaN, if there is one */
ir_val ir_c_median(ir_sink *s, ir_val x, int axis, bool keep);
/* compose_random.c: `state` u32[4]; each takes the counter at `offset` */
ir_val ir_c_uniform(ir_sink *s, const ir_type *t, ir_val state, uint64_t offset, double lo, double hi);
/* Box-Muller; takes 2 counters */
ir_val ir_c_normal(ir_sink *s, const ir_type *t, ir_val state, uint64_t offset, double mean, double std);
ir_val ir_c_dropout(ir_sink *s, ir_val x, ir_val state, uint64_t offset, double p);
ir_val ir_c_bernoulli(ir_sink *s, ir_val p, ir_val state, uint64_t offset); /* 1 with probability p, else 0 */
ir_val ir_c_randperm(ir_sink *s, int64_t n, ir_val state, uint64_t offset); /* i64[n] */
/* weights [.., n]: i64 [.., k] places, each with a probability that its weight is in proportion to */
ir_val ir_c_multinomial(ir_sink *s, ir_val weights, int64_t k, bool replacement, ir_val state,
                        uint64_t offset);
/* compose_optim.c: new values of parameter and state, PyTorch's formulas.  lr and t are float scalars: the
 * learning rate and the number of this step, 1 at first.  States are in and out. */
ir_val ir_c_sgd(ir_sink *s, ir_val p, ir_val g, ir_val *momentum /* NULL: none */, ir_val lr, double mu,
                double weight_decay, bool nesterov);
typedef struct ir_adam {
    double b1, b2, eps, weight_decay;
    bool decoupled; /* AdamW: decay shrinks p; else it is added to the gradient */
} ir_adam;
ir_val ir_c_adam(ir_sink *s, ir_val p, ir_val g, ir_val *m, ir_val *v, ir_val *most /* amsgrad; NULL: none */,
                 ir_val t, ir_val lr, const ir_adam *how);
typedef struct ir_rmsprop {
    double alpha, eps, weight_decay, momentum;
} ir_rmsprop;
ir_val ir_c_rmsprop(ir_sink *s, ir_val p, ir_val g, ir_val *v, ir_val *mean /* centered; NULL: not */,
                    ir_val *momentum /* NULL: none */, ir_val lr, const ir_rmsprop *how);
ir_val ir_c_adagrad(ir_sink *s, ir_val p, ir_val g, ir_val *sum, ir_val t, ir_val lr, double lr_decay,
                    double weight_decay, double eps);
ir_val ir_c_lion(ir_sink *s, ir_val p, ir_val g, ir_val *m, ir_val lr, double b1, double b2,
                 double weight_decay);
/* sqrt of the sum of all squares, or the greatest magnitude: an f64 scalar.  Each g is summed in its dtype,
 * the sums are added in order in f64. */
ir_val ir_c_grad_norm(ir_sink *s, const ir_val *g, int n, bool infinity);
ir_val ir_c_clip_by_norm(ir_sink *s, ir_val g, ir_val norm, double most); /* g min(most / (norm + 1e-6), 1) */
/* compose_schedule.c: factors of a learning rate; t: steps taken before, a float scalar */
ir_val ir_c_lr_step(ir_sink *s, ir_val t, int64_t every, double gamma);
ir_val ir_c_lr_multi_step(ir_sink *s, ir_val t, const int64_t *milestones, int n, double gamma);
ir_val ir_c_lr_exponential(ir_sink *s, ir_val t, double gamma);
ir_val ir_c_lr_linear(ir_sink *s, ir_val t, double from, double to, int64_t steps);
ir_val ir_c_lr_cosine(ir_sink *s, ir_val t, int64_t steps, double least);

/* compose_shape.c: names and meaning are PyTorch's; constant extents where they count */
/* negative low and high crop; value (rounded to the dtype) in the places added */
ir_val ir_c_pad(ir_sink *s, ir_val x, const int64_t *low, const int64_t *high, const int64_t *interior,
                double value);
ir_val ir_c_squeeze(ir_sink *s, ir_val x, int axis);
ir_val ir_c_unsqueeze(ir_sink *s, ir_val x, int axis); /* axis of the result */
ir_val ir_c_flatten(ir_sink *s, ir_val x, int first, int last);
ir_val ir_c_movedim(ir_sink *s, ir_val x, int from, int to);
ir_val ir_c_swapaxes(ir_sink *s, ir_val x, int a, int b);
ir_val ir_c_flip(ir_sink *s, ir_val x, const int *axes, int n);
ir_val ir_c_concat(ir_sink *s, const ir_val *x, int n, int axis);
ir_val ir_c_stack(ir_sink *s, const ir_val *x, int n, int axis);
ir_val ir_c_tile(ir_sink *s, ir_val x, const int64_t *repeats, int n); /* ranks aligned at the right */
ir_val ir_c_repeat_interleave(ir_sink *s, ir_val x, int64_t n, int axis);
ir_val ir_c_roll(ir_sink *s, ir_val x, const int64_t *shifts, const int *axes, int n);
ir_val ir_c_tril(ir_sink *s, ir_val x, int64_t k); /* of the last two axes */
ir_val ir_c_triu(ir_sink *s, ir_val x, int64_t k);
ir_val ir_c_diagonal(ir_sink *s, ir_val x, int64_t k, int a, int b); /* becomes the last axis */
ir_val ir_c_diag(ir_sink *s, ir_val x, int64_t k);
ir_val ir_c_trace(ir_sink *s, ir_val x); /* of the first two axes */
ir_val ir_c_eye(ir_sink *s, ir_dtype d, int64_t rows, int64_t cols, int64_t k);
ir_val ir_c_causal_mask(ir_sink *s, int64_t rows, int64_t cols); /* bool: column <= row + cols - rows */
ir_val ir_c_linspace(ir_sink *s, ir_dtype d, double lo, double hi, int64_t n);
/* vectors x[0..n) -> vector i along axis i of [d0, d1, ..] */
ir_val ir_c_meshgrid(ir_sink *s, const ir_val *x, int n, int i);
ir_val ir_c_masked_fill(ir_sink *s, ir_val x, ir_val mask, double value);
/* compose_einsum.c */
ir_val ir_c_outer(ir_sink *s, ir_val x, ir_val z);
ir_val ir_c_bmm(ir_sink *s, ir_val a, ir_val b);
ir_val ir_c_einsum(ir_sink *s, const char *equation, const ir_val *x, int n);
/* compose_index.c: indices of any integer type, clamped into their axis; op: IR_scatter_add, .._set, .. */
ir_val ir_c_index_select(ir_sink *s, ir_val x, ir_val index, int axis);
ir_val ir_c_take_along_axis(ir_sink *s, ir_val x, ir_val index, int axis);
ir_val ir_c_put_along_axis(ir_sink *s, ir_op op, ir_val x, ir_val index, ir_val update, int axis);
ir_val ir_c_gather_nd(ir_sink *s, ir_val x, ir_val index, int batch);
ir_val ir_c_scatter_nd(ir_sink *s, ir_op op, ir_val x, ir_val index, ir_val update, int batch);

/* compose_activation.c: pointwise; PyTorch's formulas and gradients at kinks */
ir_val ir_c_leaky_relu(ir_sink *s, ir_val x, double slope);
ir_val ir_c_elu(ir_sink *s, ir_val x, double alpha);
ir_val ir_c_selu(ir_sink *s, ir_val x);
ir_val ir_c_celu(ir_sink *s, ir_val x, double alpha);
ir_val ir_c_prelu(ir_sink *s, ir_val x, ir_val w); /* w: one element, or [extent of axis 1] */
ir_val ir_c_softplus(ir_sink *s, ir_val x, double beta, double threshold);
ir_val ir_c_log_sigmoid(ir_sink *s, ir_val x);
ir_val ir_c_mish(ir_sink *s, ir_val x);
ir_val ir_c_softsign(ir_sink *s, ir_val x);
ir_val ir_c_tanhshrink(ir_sink *s, ir_val x);
ir_val ir_c_hardtanh(ir_sink *s, ir_val x, double lo, double hi);
ir_val ir_c_relu6(ir_sink *s, ir_val x);
ir_val ir_c_hardsigmoid(ir_sink *s, ir_val x);
ir_val ir_c_hardswish(ir_sink *s, ir_val x);
ir_val ir_c_reciprocal(ir_sink *s, ir_val x);
ir_val ir_c_lerp(ir_sink *s, ir_val x, ir_val z, ir_val w); /* broadcast */
ir_val ir_c_remainder(ir_sink *s, ir_val x, ir_val z);      /* broadcast */

#endif
