/* tests/engines/lib_cases_scan.c: cases of what walks along one axis: scans and argsort. */
#include "ir/emit.h"
#include "tests/engines/lib_cases.h"

/* p: axis, reverse */
static void b_scan(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y)
{
    y[0] = ir_e_scan(s, c->op, x[0], (int)c->p[0], c->p[1]);
    /* between pointwise ops */
    y[1] = ir_e_mul(s, ir_e_scan(s, c->op, ir_e_mul(s, x[0], x[0]), (int)c->p[0], c->p[1]), y[0]);
}

static void b_linear(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y)
{
    y[0] = ir_e_linear_scan(s, x[0], x[1], (int)c->p[0], c->p[1]);
    y[1] = ir_e_linear_scan(s, ir_e_mul(s, x[0], x[1]), y[0], (int)c->p[0], !c->p[1]);
}

/* p: descending */
static void b_argsort(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y)
{
    y[0] = ir_e_argsort(s, x[0], c->p[0]);
    y[1] = ir_e_argsort(s, ir_e_mul(s, x[0], x[0]), !c->p[0]);
}

static const struct {
    int64_t dims[5];
    int axis;
} lines[] = {
    {{1}, 0},        {{7}, 0},          {{129}, 0},        {{700}, 0},        {{3, 17}, 0},
    {{3, 17}, 1},    {{17, 3}, 0},      {{17, 3}, 1},      {{33, 5}, 1},      {{5, 65}, 0},
    {{600, 3}, 0},   {{3, 600}, 1},     {{520, 33}, 0},    {{3, 7, 17}, 1},   {{3, 7, 17}, 0},
    {{3, 7, 17}, 2}, {{2, 3, 5, 7}, 1}, {{2, 3, 5, 7}, 3}, {{2, 3, 5, 7}, 2}, {{3, 1, 7}, 1},
};

static void add(case_list *l, op_case c, size_t i, int d, bool smooth)
{
    ir_type t = case_type((ir_dtype)d, lines[i].dims);
    bool real = ir_dtype_is_float((ir_dtype)d);

    if (!(ir_ops[c.op].dtypes >> d & 1) || (!real && i % 4 != (size_t)d % 4))
        return;
    c.p[0] = c.op == IR_argsort ? (int64_t)i % 2 : lines[i].axis;
    c.p[1] = (int64_t)(i + (size_t)d) / 2 % 2;
    for (int k = 0; k < c.n; k++) {
        c.in[k] = (case_operand){t, real ? -1.5 : 0, real ? 1.5 : 0};
        if (c.op == IR_cumprod && real && ir_type_elements(&t) > 60)
            c.in[k].lo = 0.8, c.in[k].hi = 1.2;
    }
    c.data = d == IR_DT_f64 ? DATA_RANGE : (case_data)((i + (size_t)c.op) % 3);
    c.gradient = smooth && real && ir_type_elements(&t) < 300;
    cases_add(l, &c);
}

void cases_scans(case_list *l)
{
    static const ir_op ops[] = {IR_cumsum, IR_cumprod, IR_cummax, IR_cummin};

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        for (int d = 0; d < IR_DT_COUNT; d++) {
            for (int o = 0; o < 4; o++)
                add(l, (op_case){.op = ops[o], .build = b_scan, .n = 1}, i, d, true);
            add(l, (op_case){.op = IR_linear_scan, .build = b_linear, .n = 2}, i, d, true);
            add(l, (op_case){.op = IR_argsort, .build = b_argsort, .n = 1}, i, d, false);
        }
}
