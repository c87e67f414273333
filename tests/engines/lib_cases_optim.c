/* tests/engines/lib_cases_optim.c: cases of optimiser steps, schedules and clipping (ir/compose_optim.c,
 * ir/compose_schedule.c). */
#include "ir/compose.h"
#include "ir/emit.h"
#include "tests/engines/lib_composites.h"

/* p[0]: 0 plain, 1 momentum, 2 nesterov, 3 all with decay.  Operands: p g lr momentum. */
BUILD(sgd, ir_val m = x[3]; double mu = c->p[0] ? 0.9 : 0; double decay = c->p[0] == 3 ? 0.01 : 0;
      y[0] = ir_c_sgd(s, x[0], x[1], c->p[0] ? &m : NULL, x[2], mu, decay, c->p[0] >= 2); y[1] = m)
/* p[0]: 0 plain, 1 decay, 2 decoupled, 3 the greatest v.  Operands: p g lr t m v v_max. */
BUILD(adam, ir_val m = x[4]; ir_val v = x[5]; ir_val most = x[6];
      const ir_adam how = {0.9, 0.999, 1e-8, c->p[0] ? 0.02 : 0, c->p[0] == 2};
      y[0] = ir_c_adam(s, x[0], x[1], &m, &v, c->p[0] == 3 ? &most : NULL, x[3], x[2], &how); y[1] = m;
      y[2] = v; y[3] = most)
/* p[0]: bit 0 centered, bit 1 momentum, bit 2 decay.  Operands: p g lr mean momentum v. */
BUILD(rmsprop, ir_val mean = x[3]; ir_val m = x[4]; ir_val v = x[5];
      const ir_rmsprop how = {0.99, 1e-8, c->p[0] & 4 ? 0.01 : 0, 0.9};
      y[0] = ir_c_rmsprop(s, x[0], x[1], &v, c->p[0] & 1 ? &mean : NULL, c->p[0] & 2 ? &m : NULL, x[2], &how);
      y[1] = v; y[2] = mean; y[3] = m)
BUILD(adagrad, ir_val sum = x[4];
      y[0] = ir_c_adagrad(s, x[0], x[1], &sum, x[3], x[2], c->p[0] ? 0.1 : 0, c->p[0] ? 0.01 : 0, 1e-10);
      y[1] = sum)
BUILD(lion, ir_val m = x[3]; y[0] = ir_c_lion(s, x[0], x[1], &m, x[2], 0.9, 0.99, c->p[0] ? 0.1 : 0);
      y[1] = m)
BUILD(grad_norm, y[0] = ir_c_grad_norm(s, x, c->n, c->p[0]))
BUILD(clip_by_norm, y[0] = ir_c_clip_by_norm(s, x[0], x[1], 3))
/* Schedules give a result for each of two steps; p[0], p[1]: steps and hundredths. */
BUILD(lr_step, y[0] = ir_c_lr_step(s, x[0], c->p[0], (double)c->p[1] / 100))
BUILD(lr_multi_step, y[0] = ir_c_lr_multi_step(s, x[0], c->p + 2, (int)c->p[0], (double)c->p[1] / 100))
BUILD(lr_exponential, y[0] = ir_c_lr_exponential(s, x[0], (double)c->p[1] / 100))
BUILD(lr_linear, y[0] = ir_c_lr_linear(s, x[0], (double)c->p[1] / 100, 1, c->p[0]))
BUILD(lr_cosine, y[0] = ir_c_lr_cosine(s, x[0], c->p[0], (double)c->p[1] / 100))

#define RATE {CASE_T(f32, 0), 0.01, 0.2}
#define COUNT {CASE_T(f32, 0), 1, 40}

static void add_steps(case_list *l)
{
    const ir_type shapes[] = {CASE_T(f32, 17), CASE_T(f32, 3, 43), CASE_T(f32, 2, 3, 5, 7)};

    for (int i = 0; i < 3; i++) {
        case_operand x = {shapes[i], 0, 0}, v = {shapes[i], 0, 2};
        for (int k = 0; k < 4; k++)
            CASE(sgd, false, k == 3, .in = {x, x, RATE, x}, .p = {k});
        for (int k = 0; k < 4; k++)
            CASE(adam, false, k == 2 && i == 1, .in = {x, x, RATE, COUNT, x, v, v}, .p = {k});
        for (int k = i; k < 8; k += 2)
            CASE(rmsprop, false, k == 5, .in = {x, x, RATE, x, x, {shapes[i], 9, 20}}, .p = {k});
        for (int k = 0; k < 2; k++) {
            CASE(adagrad, false, k && i == 1, .in = {x, x, RATE, COUNT, v}, .p = {k});
            CASE(lion, false, k && i == 2, .in = {x, x, RATE, x}, .p = {k});
        }
        CASE(clip_by_norm, false, i == 1, .in = {x, {CASE_T(f32, 0), 1, 9}});
    }
}

static void add_norms(case_list *l)
{
    for (int k = 0; k < 2; k++) {
        CASE(grad_norm, false, k == 1, .in = {T(17, 3), T(5), SCALAR, T(2, 3, 65)}, .p = {k});
        CASE(grad_norm, false, false, .in = {T(700)}, .p = {k});
    }
}

static void add_schedules(case_list *l)
{
    const case_operand t = {CASE_T(f32, 0), 0, 20};

    for (int i = 0; i < 4; i++) {
        CASE(lr_step, false, false, .in = {t}, .p = {3 + 4 * i, 50});
        CASE(lr_multi_step, false, false, .in = {t}, .p = {3, 10, 2 * i, 9, 15});
        CASE(lr_exponential, false, false, .in = {t}, .p = {0, 90 + 3 * i});
        CASE(lr_linear, false, false, .in = {t}, .p = {4 + 5 * i, 5});
        CASE(lr_cosine, false, false, .in = {t}, .p = {5 + 9 * i, 10 * i});
    }
}

void cases_optim(case_list *l)
{
    add_steps(l);
    add_norms(l);
    add_schedules(l);
}
