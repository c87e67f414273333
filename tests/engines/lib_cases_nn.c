/* tests/engines/lib_cases_nn.c: cases of the composites (ir/compose.h). */
#include "ir/compose.h"
#include "ir/emit.h"
#include "tests/engines/lib_composites.h"

static const int *axes_of(const op_case *c, int axes[IR_MAX_RANK])
{
    for (int i = 0; i < c->p[1]; i++)
        axes[i] = (int)c->p[2 + i];
    return axes;
}

/* A case's parameters: what comments say; p[0] is the axis where nothing else is said. */
BUILD(binary, y[0] = ir_c_binary(s, (ir_op)c->p[0], x[0], x[1]))
BUILD(select, y[0] = ir_c_select(s, ir_c_binary(s, IR_gt, x[0], x[1]), x[1], x[2]))
BUILD(square, y[0] = ir_c_square(s, x[0]))
BUILD(mean, int axes[IR_MAX_RANK]; y[0] = ir_c_mean(s, x[0], axes_of(c, axes), (int)c->p[1], c->p[0]))
BUILD(var, int axes[IR_MAX_RANK];
      y[0] = ir_c_var(s, x[0], axes_of(c, axes), (int)c->p[1], (int)c->p[0] % 2, c->p[0] / 2))
BUILD(matmul, y[0] = ir_c_matmul(s, x[0], x[1]))
BUILD(linear, y[0] = ir_c_linear(s, x[0], x[1], c->n > 2 ? x[2] : 0))
BUILD(one_hot, y[0] = ir_c_one_hot(s, x[0], c->p[0], IR_DT_f32);
      y[1] = ir_c_one_hot(s, x[0], c->p[0], IR_DT_i64))
BUILD(embedding, y[0] = ir_c_embedding(s, x[0], x[1]))
BUILD(gelu, y[0] = ir_c_gelu(s, x[0], c->p[0]))
BUILD(silu, y[0] = ir_c_silu(s, x[0]))
BUILD(logsumexp, y[0] = ir_c_logsumexp(s, x[0], (int)c->p[0], c->p[1]))
BUILD(softmax, y[0] = ir_c_softmax(s, x[0], (int)c->p[0]))
BUILD(log_softmax, y[0] = ir_c_log_softmax(s, x[0], (int)c->p[0]))
BUILD(layer_norm, y[0] = ir_c_layer_norm(s, x[0], c->n > 1 ? x[1] : 0, c->n > 2 ? x[2] : 0, 1e-5))
BUILD(uniform, y[0] = ir_c_uniform(s, &c->in[1].type, x[0], (uint64_t)c->p[0], -2, 3);
      y[1] = ir_e_mul(s, y[0], x[1]))
BUILD(normal, y[0] = ir_c_normal(s, &c->in[1].type, x[0], (uint64_t)c->p[0], 0.5, 2);
      y[1] = ir_e_mul(s, y[0], x[1]))
BUILD(dropout, y[0] = ir_c_dropout(s, x[1], x[0], (uint64_t)c->p[0], 0.25))
static void add_basic(case_list *l)
{
    static const ir_op ops[] = {IR_add, IR_sub, IR_mul, IR_max, IR_min};

    for (int i = 0; i < 5; i++) {
        CASE(binary, true, i % 2, .in = {T(17, 1), T(3, 1, 33)}, .p = {ops[i]});
        CASE(binary, true, false, .in = {SCALAR, T(7, 5)}, .p = {ops[i]});
    }
    CASE(binary, true, false, .in = {{CASE_T(f32, 2, 3, 5, 7), 0.5, 9}, {CASE_T(f32, 5, 1), 0.5, 9}},
         .p = {IR_div});
    CASE(binary, true, false, .in = {{CASE_T(f32, 3, 1), 0.5, 3}, {CASE_T(f32, 17), 0.5, 3}}, .p = {IR_pow});
    CASE(binary, false, true, .in = {T(3, 1), T(17)}, .p = {IR_le});
    CASE(select, true, true, .in = {T(3, 17), T(17), T(3, 1)});
    CASE(select, true, false, .in = {T(7, 1), T(2, 1, 5), SCALAR});
    CASE(square, true, true, .in = {T(17)});
    CASE(square, true, false, .in = {SCALAR});
    CASE(mean, true, false, .in = {T(3, 17)}, .p = {0, 1, -1});
    CASE(mean, true, false, .in = {T(17, 3)}, .p = {1, 1, 0});
    CASE(mean, true, false, .in = {T(2, 3, 5, 7)}, .p = {0, 2, -1, 1});
    CASE(mean, true, true, .in = {T(7, 65)}, .p = {0, 0});
    CASE(var, true, false, .in = {T(3, 17)}, .p = {1, 1, 1});
    CASE(var, true, false, .in = {T(3, 129)}, .p = {2, 1, -1});
    CASE(var, true, false, .in = {T(5, 3, 7)}, .p = {3, 2, 0, 2});
    CASE(var, true, false, .in = {T(65, 7)}, .p = {0, 1, 0});
    CASE(matmul, true, false, .in = {T(7), T(7)});
    CASE(matmul, true, false, .in = {T(17), T(17, 5)});
    CASE(matmul, true, false, .in = {T(3, 17, 5), T(5)});
    CASE(matmul, true, false, .in = {T(3, 5, 7), T(7, 33)});
    CASE(matmul, true, true, .in = {T(2, 1, 5, 7), T(3, 7, 17)});
    CASE(matmul, true, false, .in = {T(9, 129), T(129, 65)});
    CASE(linear, true, false, .in = {T(3, 7), T(17, 7), T(17)});
    CASE(linear, true, false, .in = {T(33, 65), T(17, 65), T(17)});
    CASE(linear, true, true, .in = {T(2, 3, 5), T(129, 5)});
    CASE(linear, true, false, .in = {T(1, 65), T(10, 65), T(10)});
    CASE(one_hot, false, false, .in = {INDEX(i64, 0, 7, 17)}, .p = {7});
    CASE(one_hot, false, false, .in = {INDEX(i32, 0, 5, 3, 2)}, .p = {5});
    CASE(embedding, true, false, .in = {T(9, 17), INDEX(i64, 0, 9, 5)});
    CASE(embedding, true, true, .in = {T(9, 3), INDEX(i32, 0, 9, 2, 3)});
}

static void add_rows(case_list *l)
{
    const ir_type shapes[] = {CASE_T(f32, 3, 17),      CASE_T(f32, 7, 3),  CASE_T(f32, 1, 129),
                              CASE_T(f32, 2, 3, 65),   CASE_T(f32, 17, 1), CASE_T(f32, 5),
                              CASE_T(f32, 2, 3, 5, 7), CASE_T(f32, 33, 16)};

    for (int i = 0; i < 8; i++) {
        int r = shapes[i].rank;
        for (int a = i % 2 ? -1 : 0; a < (i % 2 ? 0 : r); a++) {
            case_operand x = {shapes[i], 0, 0};
            CASE(softmax, true, i == 3, .in = {x}, .p = {a});
            CASE(log_softmax, true, i == 1, .in = {x}, .p = {a});
            CASE(logsumexp, true, i == 2, .in = {x}, .p = {a, i / 2 % 2});
        }
        case_operand x = {shapes[i], 0, 0},
                     w = {case_type(IR_DT_f32, (const int64_t[]){shapes[i].dims[r - 1], 0}), 0, 0};
        if (shapes[i].dims[r - 1] > 1) {
            CASE(layer_norm, true, i == 7, .in = {x, w, w});
            CASE(layer_norm, true, false, .in = {x});
        }
        CASE(gelu, true, i == 2, .in = {x}, .p = {i % 2});
        CASE(gelu, true, i == 3, .in = {x}, .p = {1 - i % 2});
        CASE(silu, true, i % 2, .in = {x});
    }
    CASE(gelu, true, false, .in = {SCALAR}, .p = {1});
}

static void add_random(case_list *l)
{
    for (int i = 0; i < 3; i++) {
        const ir_type shapes[] = {CASE_T(f32, 17), CASE_T(f32, 3, 43), CASE_T(f32, 2, 3, 5, 7)};
        case_operand x = {shapes[i], 0, 0};
        CASE(uniform, false, false, .in = {STATE, x}, .p = {i});
        CASE(normal, false, false, .in = {STATE, x}, .p = {2 * i});
        CASE(dropout, true, i == 1, .in = {STATE, x}, .p = {i});
    }
}

void cases_composites(case_list *l)
{
    add_basic(l);
    add_rows(l);
    add_random(l);
}
