/* tests/engines/lib_cases_custom.c: cases of custom calls: y[i] = p sum_j (x[i, j] - z[i, j])^2, in C, and
 * its gradient in ops. */
#include "ir/emit.h"
#include "tests/engines/lib_cases.h"
#include "tests/engines/lib_engines.h"

static ir_val distance(ir_sink *s, ir_val x, ir_val z, double p)
{
    return ir_e_custom(s, engine_custom(engine_custom_op.name), (const ir_val[]){x, z}, 2, &p, 1);
}

static void b_custom(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y)
{
    /* operands that are to be refused have other ranks */
    static const int turn[IR_MAX_RANK] = {1, 0, 2, 3, 4, 5, 6, 7};

    (void)c;
    y[0] = distance(s, x[0], x[1], 1);
    /* between pointwise ops, and of a view, which the call gets as a matrix of its own */
    ir_val turned = ir_e_transpose(s, ir_e_mul(s, x[0], x[1]), turn);
    ir_val other = ir_e_transpose(s, x[1], turn);
    y[1] = ir_e_neg(s, distance(s, turned, other, 0.5));
    /* of immediates */
    y[2] = distance(s, x[0], ir_e_like(s, x[0], 2), -2);
}

void cases_custom(case_list *l)
{
    static const int64_t dims[][3] = {{1, 1}, {3, 5}, {17, 4}, {2, 300}};

    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
        for (int d = 0; d < 2; d++) {
            ir_type t = case_type(d ? IR_DT_f64 : IR_DT_f32, dims[i]);
            op_case c = {
                .op = IR_custom, .build = b_custom, .n = 2, .in = {{t, -2, 2}, {t, -2, 2}}, .gradient = true};
            cases_add(l, &c);
        }
}
