/* tests/engines/lib_cases_norm.c: cases of normalisations, norms, scans with options and sorts
 * (ir/compose.h). */
#include <math.h>

#include "ir/compose.h"
#include "ir/emit.h"
#include "tests/engines/lib_composites.h"

static const int *axes_of(const op_case *c, int axes[IR_MAX_RANK])
{
    for (int i = 0; i < c->p[1]; i++)
        axes[i] = (int)c->p[2 + i];
    return axes;
}

BUILD(softmin, y[0] = ir_c_softmin(s, x[0], (int)c->p[0]))
BUILD(logcumsumexp, y[0] = ir_c_logcumsumexp(s, x[0], (int)c->p[0]))
BUILD(rms_norm, y[0] = ir_c_rms_norm(s, x[0], c->n > 1 ? x[1] : 0, 1e-5))
BUILD(group_norm,
      y[0] = ir_c_group_norm(s, x[0], (int)c->p[0], c->n > 1 ? x[1] : 0, c->n > 2 ? x[2] : 0, 1e-5))
BUILD(instance_norm, y[0] = ir_c_instance_norm(s, x[0], c->n > 1 ? x[1] : 0, c->n > 2 ? x[2] : 0, 1e-5))
/* p: training; operands x, gamma, beta, mean, variance; or x alone.  No gradient flows to what runs along. */
BUILD(
    batch_norm, ir_val m = x[3]; ir_val v = x[4];
    y[0] = ir_c_batch_norm(s, x[0], x[1], x[2], &m, &v, c->p[0], 0.1, 1e-5); if (!c->gradient) {
        y[1] = m;
        y[2] = v;
    })
/* p: keep + 2 correction, number of axes, axes */
BUILD(std, int axes[IR_MAX_RANK];
      y[0] = ir_c_std(s, x[0], axes_of(c, axes), (int)c->p[1], (int)c->p[0] / 2, c->p[0] % 2))
/* p: 4 p + keep (100, 101: inf; 102: -inf), number of axes, axes */
BUILD(norm, int axes[IR_MAX_RANK]; double p = (double)(c->p[0] / 2) / 2;
      y[0] = ir_c_norm(s, x[0],
                       c->p[0] / 2 == 50 ? INFINITY
                       : c->p[0] == 102  ? -INFINITY
                                         : p,
                       axes_of(c, axes), (int)c->p[1], c->p[0] % 2))
BUILD(normalize, y[0] = ir_c_normalize(s, x[0], (double)c->p[1], (int)c->p[0], 1e-12))
BUILD(cosine_similarity, y[0] = ir_c_cosine_similarity(s, x[0], x[1], (int)c->p[0], 1e-8))
BUILD(count_nonzero, int axes[IR_MAX_RANK];
      y[0] = ir_c_count_nonzero(s, x[0], axes_of(c, axes), (int)c->p[1], c->p[0]))
/* p: axis, op, exclusive, reverse, whether infinities are bounded: differences of them are NaN */
BUILD(cumulate, y[0] = ir_c_cumulate(s, (ir_op)c->p[1], x[0], (int)c->p[0], c->p[2], c->p[3]);
      y[0] = c->p[4] ? ir_e_clamp(s, y[0], -8, 8) : y[0])
BUILD(linear_scan, y[0] = ir_c_linear_scan(s, x[0], x[1], (int)c->p[0], c->p[1]))
/* p: axis, descending; then what a sort is */
BUILD(argsort, y[0] = ir_c_argsort(s, x[0], (int)c->p[0], c->p[1]);
      y[1] = ir_c_take_along_axis(s, x[0], y[0], (int)c->p[0]))
/* p: axis, largest, k */
BUILD(topk, y[0] = ir_c_topk(s, x[0], c->p[2], (int)c->p[0], c->p[1]);
      y[1] = ir_c_take_along_axis(s, x[0], y[0], (int)c->p[0]))
/* p: axis, keep */
BUILD(median, y[0] = ir_c_median(s, x[0], (int)c->p[0], c->p[1]))
/* p: draws, replacement */
BUILD(multinomial, y[0] = ir_c_multinomial(s, x[1], c->p[0], c->p[1], x[0], 3))
BUILD(bernoulli, y[0] = ir_c_bernoulli(s, x[1], x[0], (uint64_t)c->p[0]))
BUILD(randperm, y[0] = ir_c_randperm(s, c->p[0], x[0], 5); y[1] = ir_e_neg(s, x[1]))
static void add_norms(case_list *l)
{
    static const int64_t ps[] = {100, 101, 102, 0, 4, 5, 8, 9, 3, 6, 12};

    for (int i = 0; i < 11; i++) {
        CASE(norm, i > 3, i % 3 == 1, .in = {T(3, 17)}, .p = {ps[i], 1, i % 2});
        CASE(norm, i > 3, false, .in = {{CASE_T(f32, 2, 3, 5), 0.3, 3}}, .p = {ps[i], 2, 0, -1});
    }
    CASE(norm, true, false, .in = {T(65)}, .p = {8, 0});
    for (int a = 0; a < 3; a++) {
        CASE(normalize, true, a == 1, .in = {T(5, 7, 17)}, .p = {a, 2});
        CASE(normalize, true, false, .in = {T(3, 65, 2)}, .p = {a - 3, 1 + a});
        CASE(cosine_similarity, true, a == 2, .in = {T(5, 7, 17), T(7, 17)}, .p = {a});
        CASE(std, true, false, .in = {T(3, 5, 33)}, .p = {2 + a % 2, 1, a});
    }
    CASE(std, true, false, .in = {T(2, 3, 5, 7)}, .p = {1, 3, 0, 2, 3});
    CASE(std, true, true, .in = {T(7, 65)}, .p = {0, 0});
    CASE(count_nonzero, false, true, .in = {T(7, 65)}, .p = {0, 1, 0});
    CASE(count_nonzero, false, false, .in = {INDEX(i32, -1, 2, 3, 17)}, .p = {1, 0});
    CASE(count_nonzero, false, false, .in = {{case_as(CASE_T(u8, 3, 17), IR_DT_bool), 0, 2}}, .p = {1, 1, 1});
    CASE(rms_norm, true, false, .in = {T(3, 17), T(17)});
    CASE(rms_norm, true, true, .in = {T(2, 3, 129)});
    CASE(rms_norm, true, false, .in = {T(33)});
    CASE(group_norm, true, false, .in = {T(2, 6, 5), T(6), T(6)}, .p = {3});
    CASE(group_norm, true, true, .in = {T(3, 4, 3, 7), T(4), T(4)}, .p = {4});
    CASE(group_norm, true, false, .in = {T(2, 6)}, .p = {1});
    CASE(instance_norm, true, true, .in = {T(2, 3, 17), T(3), T(3)});
    CASE(instance_norm, true, false, .in = {T(3, 4, 3, 7)});
    for (int training = 0; training < 2; training++) {
        case_operand variance = {CASE_T(f32, 5), 0.2, 3};
        CASE(batch_norm, true, false, .in = {T(3, 5, 4, 3), T(5), T(5), T(5), variance}, .p = {training});
        CASE(batch_norm, true, training, .in = {T(9, 5), T(5), T(5), T(5), variance}, .p = {training});
        CASE(batch_norm, false, false, .in = {T(9, 5), T(5), T(5), T(5), variance}, .p = {training});
        CASE(batch_norm, false, training, .in = {T(3, 5, 40), T(5), T(5), T(5), variance}, .p = {training});
    }
    CASE(batch_norm, true, false, .in = {T(17, 3, 7)}, .p = {1});
}

static void add_scans_and_sorts(case_list *l)
{
    for (int i = 0; i < 8; i++) {
        ir_op op = i % 2 ? IR_cumprod : IR_cumsum;
        CASE(cumulate, true, i == 4, .in = {T(5, 7, 3)}, .p = {i % 3 - 1, op, i / 2 % 2, i / 4});
        CASE(cumulate, i / 2 % 2 == 0, false, .in = {T(1)}, .p = {0, op, i / 2 % 2, i / 4});
    }
    for (int i = 0; i < 2; i++) {
        CASE(cumulate, true, false, .in = {T(5, 7)}, .p = {-1, IR_cummax + i, 0, i});
        CASE(cumulate, true, i, .in = {T(5, 7)}, .p = {0, IR_cummax + i, 1, i, 1});
        CASE(cumulate, false, false, .in = {INDEX(i64, 0, 0, 3, 17)}, .p = {1, IR_cummax + i, 1, !i});
        CASE(cumulate, false, false, .in = {INDEX(u16, 0, 0, 17)}, .p = {0, IR_cummax + i, 1, i});
        CASE(median, true, i, .in = {T(4 + i, 7, 3)}, .p = {i - 1, i});
        CASE(linear_scan, true, i, .in = {T(5, 7, 3), T(5, 7, 3)}, .p = {-1 - i, i});
        CASE(logcumsumexp, true, false, .in = {T(5, 17)}, .p = {-i});
        CASE(softmin, true, i, .in = {T(5, 17)}, .p = {i});
        for (int a = 0; a < 3; a++) {
            CASE(argsort, true, a == 1, .in = {T(3, 5, 17)}, .p = {a, i});
            CASE(topk, true, a == 2, .in = {T(4, 3, 5)}, .p = {a - 3, i, 1 + a});
        }
    }
    CASE(logcumsumexp, true, true, .in = {{CASE_T(f32, 300), -90, 90}});
    CASE(argsort, true, false, .in = {T(700)});
    CASE(median, true, true, .in = {T(3, 65)}, .p = {-1, 0});
    CASE(median, false, false, .in = {INDEX(i32, -9, 9, 3, 40)}, .p = {0, 0});
    CASE(median, true, false, .in = {T(1)});
    CASE(argsort, false, false, .in = {INDEX(u32, 0, 9, 3, 40)}, .p = {1, 1});
}

static void add_random(case_list *l)
{
    for (int i = 0; i < 3; i++) {
        const ir_type shapes[] = {CASE_T(f32, 17), CASE_T(f32, 3, 43), CASE_T(f32, 2, 3, 5, 7)};
        CASE(bernoulli, false, i == 1, .in = {STATE, {shapes[i], 0, 1}}, .p = {i});
        CASE(multinomial, false, false, .in = {STATE, {shapes[i], 0, 1}}, .p = {5 + 9 * i, 1});
        CASE(multinomial, false, i == 1, .in = {STATE, {shapes[i], 0, 1}}, .p = {1 + 3 * i, 0});
        CASE(randperm, false, false, .in = {STATE, {shapes[i], 0, 0}}, .p = {1 + 150 * i});
    }
}

void cases_norms(case_list *l)
{
    add_norms(l);
    add_scans_and_sorts(l);
    add_random(l);
}
