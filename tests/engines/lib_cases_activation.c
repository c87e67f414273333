/* tests/engines/lib_cases_activation.c: cases of the pointwise composites (ir/compose_activation.c). */
#include "ir/compose.h"
#include "ir/emit.h"
#include "tests/engines/lib_composites.h"

/* p[0]: 0 for the defaults */
BUILD(leaky_relu, y[0] = ir_c_leaky_relu(s, x[0], c->p[0] ? -0.5 : 0.01))
BUILD(elu, y[0] = ir_c_elu(s, x[0], c->p[0] ? 0.3 : 1))
BUILD(celu, y[0] = ir_c_celu(s, x[0], c->p[0] ? 0.3 : 1))
BUILD(softplus, y[0] = c->p[0] ? ir_c_softplus(s, x[0], 2.5, 4) : ir_c_softplus(s, x[0], 1, 20))
BUILD(hardtanh, y[0] = c->p[0] ? ir_c_hardtanh(s, x[0], -0.3, 2) : ir_c_hardtanh(s, x[0], -1, 1))
BUILD(selu, y[0] = ir_c_selu(s, x[0]))
BUILD(log_sigmoid, y[0] = ir_c_log_sigmoid(s, x[0]))
BUILD(mish, y[0] = ir_c_mish(s, x[0]))
BUILD(softsign, y[0] = ir_c_softsign(s, x[0]))
BUILD(tanhshrink, y[0] = ir_c_tanhshrink(s, x[0]))
BUILD(relu6, y[0] = ir_c_relu6(s, x[0]))
BUILD(hardsigmoid, y[0] = ir_c_hardsigmoid(s, x[0]))
BUILD(hardswish, y[0] = ir_c_hardswish(s, x[0]))
BUILD(reciprocal, y[0] = ir_c_reciprocal(s, x[0]))
BUILD(prelu, y[0] = ir_c_prelu(s, x[0], x[1]))
BUILD(lerp, y[0] = ir_c_lerp(s, x[0], x[1], x[2]))
BUILD(remainder, y[0] = ir_c_remainder(s, x[0], x[1]))

void cases_activations(case_list *l)
{
    const ir_type shapes[] = {CASE_T(f32, 3, 17), CASE_T(f32, 129), CASE_T(f32, 2, 3, 5), CASE_T(f32, 0)};

    for (int i = 0; i < 4; i++) {
        case_operand x = {shapes[i], -5, 5}, above = {shapes[i], 0.5, 5};
        bool special = i == 1;
        CASE(leaky_relu, true, special, .in = {x}, .p = {i % 2});
        CASE(elu, true, special, .in = {x}, .p = {i % 2});
        CASE(celu, true, special, .in = {x}, .p = {i % 2});
        CASE(softplus, true, special, .in = {x}, .p = {i / 2});
        CASE(hardtanh, true, special, .in = {x}, .p = {i % 2});
        CASE(selu, true, special, .in = {x});
        CASE(log_sigmoid, true, special, .in = {x});
        CASE(mish, true, special, .in = {x});
        CASE(softsign, true, special, .in = {x});
        CASE(tanhshrink, true, special, .in = {x});
        CASE(relu6, true, special, .in = {x});
        CASE(hardsigmoid, true, special, .in = {x});
        CASE(hardswish, true, special, .in = {x});
        CASE(reciprocal, true, special, .in = {above});
    }
    CASE(prelu, true, false, .in = {T(3, 17), T(1)});
    CASE(prelu, true, true, .in = {T(2, 3, 5), T(3)});
    CASE(prelu, true, false, .in = {T(129), SCALAR});
    CASE(lerp, true, false, .in = {T(3, 17), T(17), T(3, 1)});
    CASE(lerp, true, true, .in = {T(7), T(2, 7), SCALAR});
    CASE(remainder, true, false, .in = {{CASE_T(f32, 3, 17), -9, 9}, {CASE_T(f32, 17), 0.5, 3}});
    CASE(remainder, true, false, .in = {{CASE_T(f32, 129), -9, 9}, {CASE_T(f32, 129), -3, -0.5}});
    CASE(remainder, false, true, .in = {T(129), T(129)});
    CASE(remainder, false, false, .in = {INDEX(i32, -50, 50, 17), INDEX(i32, -7, 7, 3, 1)});
}
