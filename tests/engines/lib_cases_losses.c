/* tests/engines/lib_cases_losses.c: cases of losses (ir/compose_loss.c). */
#include "ir/compose.h"
#include "ir/emit.h"
#include "tests/engines/lib_composites.h"

/* p[0]: the reduction; p[1]: a width in hundredths, or whether the target is a logarithm */
#define R (ir_reduction) c->p[0]
BUILD(mse, y[0] = ir_c_mse(s, x[0], x[1], R))
BUILD(l1, y[0] = ir_c_l1(s, x[0], x[1], R))
BUILD(huber, y[0] = ir_c_huber(s, x[0], x[1], (double)c->p[1] / 100, R))
BUILD(smooth_l1, y[0] = ir_c_smooth_l1(s, x[0], x[1], (double)c->p[1] / 100, R))
BUILD(bce, y[0] = ir_c_bce(s, x[0], x[1], R))
BUILD(bce_with_logits, y[0] = ir_c_bce_with_logits(s, x[0], x[1], c->n > 2 ? x[2] : 0, R))
BUILD(kl_div, y[0] = ir_c_kl_div(s, x[0], x[1], c->p[1], R))
BUILD(hinge, y[0] = ir_c_hinge(s, x[0], x[1], R))
BUILD(cosine_embedding, y[0] = ir_c_cosine_embedding(s, x[0], x[1], x[2], (double)c->p[1] / 100, R))
#undef R

/* p: reduction, ignore, the index, percent smoothed; operands x, targets, the weights if there are more. */
static ir_class_loss how(const op_case *c, const ir_val *x)
{
    return (ir_class_loss){.weight = c->n > 2 ? x[2] : 0,
                           .label_smoothing = (double)c->p[3] / 100,
                           .ignore = c->p[1],
                           .ignore_index = c->p[2],
                           .reduction = (ir_reduction)c->p[0]};
}

BUILD(nll, ir_class_loss h = how(c, x); y[0] = ir_c_nll(s, x[0], x[1], &h))
BUILD(cross_entropy, ir_class_loss h = how(c, x); y[0] = ir_c_cross_entropy(s, x[0], x[1], &h))

static void add_pairs(case_list *l)
{
    const ir_type shapes[] = {CASE_T(f32, 3, 17), CASE_T(f32, 129), CASE_T(f32, 2, 3, 5), CASE_T(f32, 0)};

    for (int i = 0; i < 4; i++) {
        case_operand x = {shapes[i], 0, 0}, share = {shapes[i], 0.05, 0.95};
        int r = i % 3;
        CASE(mse, true, i == 1, .in = {x, x}, .p = {r});
        CASE(l1, true, i == 1, .in = {x, x}, .p = {r});
        CASE(huber, true, i == 1, .in = {x, x}, .p = {r, 50 + 100 * i});
        CASE(smooth_l1, true, i == 1, .in = {x, x}, .p = {r, 100 * i});
        CASE(bce, true, i == 1, .in = {share, share}, .p = {r});
        CASE(bce_with_logits, true, i == 1, .in = {x, share}, .p = {r});
        CASE(hinge, true, i == 1, .in = {x, x}, .p = {r});
        CASE(kl_div, true, i == 1, .in = {x, share}, .p = {r, 0});
        CASE(kl_div, true, i == 1, .in = {x, x}, .p = {r, 1});
    }
    CASE(bce_with_logits, true, false, .in = {T(3, 17), T(3, 17), {CASE_T(f32, 17), 0.5, 3}}, .p = {0});
    CASE(cosine_embedding, true, false, .in = {T(9, 17), T(9, 17), T(9)}, .p = {0, 0});
    CASE(cosine_embedding, true, true, .in = {T(2, 3, 33), T(2, 3, 33), T(2, 3)}, .p = {2, -50});
    CASE(cosine_embedding, true, false, .in = {T(5), T(5), SCALAR}, .p = {1, 20});
    CASE(bce_with_logits, true, false, .in = {T(5, 3), T(5, 3), {CASE_T(f32, 5, 1), 0.5, 3}}, .p = {2});
}

static void add_classes(case_list *l)
{
    const case_operand w10 = {CASE_T(f32, 10), 0.5, 2}, p10 = {CASE_T(f32, 17, 10), 0, 1};

    CASE(cross_entropy, true, false, .in = {T(17, 10), INDEX(i64, 0, 10, 17)});
    CASE(cross_entropy, true, false, .in = {T(5), INDEX(i32, 0, 5, 0)});
    CASE(cross_entropy, true, false, .in = {T(2, 3, 17), INDEX(i32, 0, 17, 2, 3)});
    CASE(cross_entropy, true, true, .in = {T(9, 129), INDEX(i32, -1, 130, 9)}, .p = {1});
    CASE(cross_entropy, true, false, .in = {T(17, 10), INDEX(i64, 0, 10, 17)}, .p = {0, 1, 3, 10});
    CASE(cross_entropy, true, false, .in = {T(17, 10), INDEX(i64, 0, 10, 17), w10}, .p = {0, 1, 4, 20});
    CASE(cross_entropy, true, false, .in = {T(17, 10), INDEX(i64, -1, 10, 17), w10}, .p = {2, 1, -1, 0});
    CASE(cross_entropy, true, false, .in = {T(17, 10), p10}, .p = {0, 0, 0, 0});
    CASE(cross_entropy, true, false, .in = {T(17, 10), p10, w10}, .p = {0, 0, 0, 30});
    for (int r = 0; r < 3; r++) {
        CASE(nll, true, r == 1, .in = {T(7, 5), INDEX(i32, 0, 5, 7)}, .p = {r, r == 2, 3});
        CASE(nll, true, false, .in = {T(2, 9, 10), INDEX(i64, 0, 10, 2, 9), w10}, .p = {r, 1, 2});
    }
}

void cases_losses(case_list *l)
{
    add_pairs(l);
    add_classes(l);
}
