/* tests/engines/lib_cases_math.c: cases of pointwise ops, reductions and products. */
#include <string.h>

#include "ir/emit.h"
#include "tests/engines/lib_cases.h"

/* ---- pointwise: every row ---- */

static void b_row(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y)
{
    y[0] = ir_emit(s, c->op, NULL, x, c->n);
}

static void b_convert(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y)
{
    ir_attrs a = {.type.dtype = (uint8_t)c->p[0]};

    y[0] = ir_emit(s, IR_convert, &a, x, 1);
}

static void b_clamp(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y)
{
    (void)c;
    y[0] = ir_e_clamp(s, x[0], -1.5, 2.1);
    y[1] = ir_e_clamp(s, x[0], -__builtin_inf(), 0);
}

/* Extents below, at and above the lanes; the last one holds all pairs of special values. */
static const int64_t shapes_f32[][5] = {{0}, {1}, {3}, {16}, {7, 17}, {65}, {2, 3, 5, 7}, {18, 19}};
static const int64_t shapes_f64[][5] = {{0}, {7}, {17}, {3, 43}, {18, 19}};
static const int64_t shapes_int[][5] = {{1}, {17}, {3, 43}, {18, 19}};

/* One op and dtype at every shape.  f64 alone is also held to finite differences, so it has range data. */
static void add_shapes(case_list *l, op_case c, ir_dtype d)
{
    const ir_op_info *info = &ir_ops[c.op];
    bool real = ir_dtype_is_float(d);
    const int64_t(*shapes)[5] = d == IR_DT_f32 ? shapes_f32 : d == IR_DT_f64 ? shapes_f64 : shapes_int;
    size_t n = d == IR_DT_f32   ? sizeof shapes_f32 / sizeof *shapes_f32
               : d == IR_DT_f64 ? sizeof shapes_f64 / sizeof *shapes_f64
                                : sizeof shapes_int / sizeof *shapes_int;

    for (size_t i = 0; i < n; i++) {
        for (int k = 0; k < c.n; k++) {
            c.in[k] = (case_operand){case_type(d, shapes[i]), real ? info->lo : 0, real ? info->hi : 0};
            if (c.op == IR_select && k == 0)
                c.in[k] = (case_operand){case_type(IR_DT_bool, shapes[i]), 0, 0};
        }
        c.data = !real || i + 1 == n || (d == IR_DT_f32 && i % 2) ? DATA_SPECIAL
                 : d == IR_DT_f32 && i == 6                       ? DATA_TIES
                                                                  : DATA_RANGE;
        c.gradient = real && !(info->facts & IR_NO_GRAD) && (d == IR_DT_f64 ? i != 2 : i % 2 == 0 || i == 7);
        cases_add(l, &c);
    }
}

void cases_pointwise(case_list *l)
{
    for (int op = 0; op < IR_OP_COUNT; op++)
        for (int d = 0; d < IR_DT_COUNT; d++) {
            op_case c = {.op = (ir_op)op, .build = b_row, .n = ir_ops[op].arity};
            if (ir_ops[op].cls != IR_POINTWISE || !(ir_ops[op].dtypes & 1u << d) || op == IR_convert)
                continue;
            if (op == IR_clamp)
                c.build = b_clamp;
            add_shapes(l, c, (ir_dtype)d);
        }
    for (int d = 0; d < IR_DT_COUNT; d++)
        for (int to = 0; to < IR_DT_COUNT; to++) {
            op_case c = {.op = IR_convert, .build = b_convert, .n = 1, .data = DATA_SPECIAL, .p = {to}};
            c.in[0].type = case_as(CASE_T(f32, 18, 19), (ir_dtype)d);
            c.gradient = ir_dtype_is_float((ir_dtype)d) && ir_dtype_is_float((ir_dtype)to);
            cases_add(l, &c);
            c.in[0].type = case_as(CASE_T(f32, 7), (ir_dtype)d);
            c.data = DATA_RANGE;
            cases_add(l, &c);
        }
}

/* ---- reductions ---- */

/* p: keep, number of axes, axes */
static void b_reduce(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y)
{
    int axes[IR_MAX_RANK];

    for (int i = 0; i < c->p[1]; i++)
        axes[i] = (int)c->p[2 + i];
    y[0] = ir_e_reduce(s, c->op, x[0], axes, (int)c->p[1], c->p[0]);
    /* with a producer and a consumer of its own */
    y[1] = ir_e_reduce(s, c->op, ir_e_mul(s, x[0], x[0]), axes, (int)c->p[1], c->p[0]);
    if (ir_ops[c->op].cls == IR_REDUCE)
        y[1] = ir_e_mul(s, y[1], y[0]);
}

static void b_reduce_bool(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y)
{
    int axes[IR_MAX_RANK];

    for (int i = 0; i < c->p[1]; i++)
        axes[i] = (int)c->p[2 + i];
    y[0] = ir_e_reduce(s, c->op, x[0], axes, (int)c->p[1], c->p[0]);
    y[1] = ir_e_not(s, ir_e_reduce(s, c->op, ir_e_not(s, x[0]), axes, (int)c->p[1], c->p[0]));
}

static const struct {
    int64_t dims[5];
    int n, axes[4];
} reductions[] = {
    {{1}, 1, {0}},
    {{7}, 1, {0}},
    {{64}, 1, {0}},
    {{65}, 1, {0}},
    {{1000}, 1, {0}},
    {{3, 17}, 1, {0}},
    {{3, 17}, 1, {1}},
    {{3, 17}, 2, {0, 1}},
    {{17, 3}, 1, {0}},
    {{17, 3}, 1, {1}},
    {{600, 5}, 1, {0}},
    {{5, 600}, 1, {1}},
    {{513, 17}, 1, {0}},
    {{33, 129}, 1, {1}},
    {{129, 33}, 1, {0}},
    {{3, 7, 17}, 2, {0, 2}},
    {{3, 7, 17}, 1, {1}},
    {{3, 7, 17}, 2, {0, 1}},
    {{3, 7, 17}, 2, {1, 2}},
    {{3, 1, 7}, 1, {1}},
    {{2, 130, 3}, 1, {1}},
    {{1, 1}, 1, {0}},
    {{1, 17}, 1, {0}},
    {{2, 3, 5, 7}, 2, {0, 2}},
    {{2, 3, 5, 7}, 2, {1, 3}},
    {{2, 3, 5, 7}, 2, {0, 3}},
    {{2, 3, 5, 7}, 2, {1, 2}},
    {{2, 3, 5, 7}, 4, {0, 1, 2, 3}},
    {{2, 3, 5, 7}, 3, {0, 1, 3}},
};

void cases_reductions(case_list *l)
{
    static const ir_op ops[] = {IR_reduce_sum, IR_reduce_max, IR_reduce_min, IR_argmax,
                                IR_argmin,     IR_reduce_all, IR_reduce_any, IR_reduce_prod};

    for (int o = 0; o < 8; o++)
        for (size_t i = 0; i < sizeof reductions / sizeof *reductions; i++)
            for (int d = 0; d < IR_DT_COUNT; d++) {
                op_case c = {.op = ops[o], .build = b_reduce, .n = 1, .p = {i % 2, reductions[i].n}};
                bool real = ir_dtype_is_float((ir_dtype)d);
                if (!(ir_ops[ops[o]].dtypes >> d & 1) ||
                    (d < IR_DT_f32 && d != IR_DT_bool && i % 4 != (size_t)d % 4))
                    continue;
                if (d == IR_DT_bool)
                    c.build = b_reduce_bool;
                c.in[0] =
                    (case_operand){case_type((ir_dtype)d, reductions[i].dims), real ? -3 : 0, real ? 3 : 0};
                for (int a = 0; a < reductions[i].n; a++)
                    c.p[2 + a] = reductions[i].axes[a];
                c.data = d == IR_DT_f64 ? DATA_RANGE : (case_data)((i + (size_t)o) % 3);
                /* a long product neither vanishes nor overflows */
                if (ops[o] == IR_reduce_prod && real && i % 2)
                    c.in[0].lo = 0.5, c.in[0].hi = 1.6;
                c.gradient = real && ir_ops[ops[o]].cls == IR_REDUCE &&
                             ir_type_elements(&c.in[0].type) < (ops[o] == IR_reduce_prod ? 120 : 1000);
                cases_add(l, &c);
            }
}

/* ---- products ---- */

/* p: batch axes, contracted axes, then lhs_batch, rhs_batch, lhs_k, rhs_k */
static void b_dot(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y)
{
    ir_attrs a = {.n = (uint8_t)c->p[0], .nk = (uint8_t)c->p[1]};
    const int64_t *p = c->p + 2;

    for (int i = 0; i < a.n; i++) {
        a.dot.lhs_batch[i] = (int8_t)p[i];
        a.dot.rhs_batch[i] = (int8_t)p[a.n + i];
    }
    p += 2 * a.n;
    for (int i = 0; i < a.nk; i++) {
        a.dot.lhs_k[i] = (int8_t)p[i];
        a.dot.rhs_k[i] = (int8_t)p[a.nk + i];
    }
    y[0] = ir_e_dot(s, x[0], x[1], &a);
}

static void add_product(case_list *l, op_case c, ir_dtype d, ir_type x, ir_type z, case_data data,
                        bool gradient)
{
    c.op = IR_dot_general;
    c.build = b_dot;
    c.n = 2;
    c.in[0] = (case_operand){case_as(x, d), -2, 2};
    c.in[1] = (case_operand){case_as(z, d), -2, 2};
    c.data = data;
    c.gradient = gradient;
    cases_add(l, &c);
}

/* m n on both sides of 64, k on both sides of a block, every transpose. */
static void add_matrices(case_list *l)
{
    static const int64_t sizes[][2] = {{1, 1},  {1, 17}, {7, 9},   {8, 8},   {5, 13},
                                       {1, 64}, {65, 1}, {17, 65}, {33, 129}};
    static const int64_t ks[] = {1, 5, 511, 513};

    for (int i = 0; i < 9; i++)
        for (int j = 0; j < 4; j++)
            for (int t = 0; t < 4; t++) {
                int64_t m = sizes[i][0], n = sizes[i][1], k = ks[j];
                ir_type x = t & 1 ? CASE_T(f32, k, m) : CASE_T(f32, m, k);
                ir_type z = t & 2 ? CASE_T(f32, n, k) : CASE_T(f32, k, n);
                op_case c = {.p = {0, 1, t & 1 ? 0 : 1, t & 2 ? 1 : 0}};
                if (j % 2 == 0 && t != (i + j) % 4)
                    continue; /* k of 5 and 513 meet every transpose, the others one for each size */
                add_product(l, c, IR_DT_f32, x, z, (i + t) % 3 ? DATA_RANGE : DATA_SPECIAL,
                            j == 1 && (i + t) % 2);
                if (j == 1 || (i + j) % 4 == t)
                    add_product(l, c, IR_DT_f64, x, z, DATA_RANGE, j == 1 && (i + t) % 4 == 0);
            }
}

void cases_products(case_list *l)
{
    const struct {
        ir_type x, z;
        int64_t p[CASE_PARAMETERS];
    } rows[] = {
        {CASE_T(f32, 3, 5, 7), CASE_T(f32, 3, 7, 5), {1, 1, 0, 0, 2, 1}},  /* batch, small */
        {CASE_T(f32, 3, 9, 7), CASE_T(f32, 3, 7, 17), {1, 1, 0, 0, 2, 1}}, /* batch, tiles */
        {CASE_T(f32, 9, 7, 3), CASE_T(f32, 7, 3, 17), {1, 1, 2, 1, 1, 0}}, /* batch last and in the middle */
        {CASE_T(f32, 2, 3, 4, 5), CASE_T(f32, 2, 3, 5, 33), {2, 1, 0, 1, 0, 1, 3, 2}}, /* two batch axes */
        {CASE_T(f32, 2, 3, 17, 5), CASE_T(f32, 3, 2, 6, 5), {2, 1, 0, 1, 1, 0, 3, 3}}, /* in another order */
        {CASE_T(f32, 4, 5, 3), CASE_T(f32, 3, 5, 9), {0, 2, 2, 1, 0, 1}}, /* k against the order of x */
        {CASE_T(f32, 4, 5, 33), CASE_T(f32, 33, 5, 17), {0, 2, 1, 2, 1, 0}},
        {CASE_T(f32, 3, 5, 4), CASE_T(f32, 17, 5), {0, 1, 1, 1}}, /* k in the middle, two free axes */
        {CASE_T(f32, 5), CASE_T(f32, 17), {0, 0}},                /* outer */
        {CASE_T(f32, 5), CASE_T(f32, 7), {0, 0}},
        {CASE_T(f32, 700), CASE_T(f32, 700), {0, 1, 0, 0}}, /* inner */
        {CASE_T(f32, 0), CASE_T(f32, 17), {0, 0}},
        {CASE_T(f32, 17), CASE_T(f32, 17), {1, 0, 0, 0}}, /* all batch */
        {CASE_T(f32, 6, 3, 5), CASE_T(f32, 6, 3, 5), {1, 2, 0, 0, 1, 2, 1, 2}},
        {CASE_T(f32, 2, 65, 33), CASE_T(f32, 2, 33, 17), {1, 1, 0, 0, 2, 1}},
    };

    add_matrices(l);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        op_case c = {0};
        memcpy(c.p, rows[i].p, sizeof c.p);
        add_product(l, c, IR_DT_f32, rows[i].x, rows[i].z, i % 4 == 3 ? DATA_SPECIAL : DATA_RANGE, true);
        add_product(l, c, IR_DT_f64, rows[i].x, rows[i].z, DATA_RANGE, true);
        add_product(l, c, i % 2 ? IR_DT_f16 : IR_DT_bf16, rows[i].x, rows[i].z, DATA_RANGE, true);
    }
}
