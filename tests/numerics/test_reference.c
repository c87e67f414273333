/* tests/numerics/test_reference.c: rt_compute against the plain reference, bit by bit.
 *
 * Every op, dtype and class of layout (row-major, permuted, with gaps, broadcast) at every instruction set
 * level of this CPU, on one thread and on two; shapes sit on both sides of every block, tile and partial
 * count. */
/* ctest-labels: threads
 * ctest-timeout: 1200 */
#include "numerics/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "numerics/reference.h"

/* ---- pointwise ---------------------------------------------------------------------------------------- */

static const struct {
    int rank;
    int64_t dims[4];
} shapes[] = {{0, {0}},          {1, {1}},       {1, {7}},        {1, {67}},
              {2, {5, 17}},      {2, {40, 3}},   {2, {3, 210}},   {3, {2, 150, 2}},
              {4, {3, 1, 5, 4}}, {2, {1, 1100}}, {3, {2, 2, 140}}};
#define SHAPES ((int)(sizeof shapes / sizeof shapes[0]))

static ir_type shape(int i, ir_dtype d)
{
    return ir_type_make(d, shapes[i].rank, shapes[i].dims);
}

static void check_pointwise(ir_op op, ir_dtype d, const ir_attrs *a, const ir_type *t)
{
    const ir_op_info *info = &ir_ops[op];

    for (int special = 0; special < 2; special++) {
        rt_array x[3];

        for (int i = 0; i < info->arity; i++) {
            ir_type of = ir_type_with(t, op == IR_select && i == 0 ? IR_DT_bool : d);

            x[i] = num_operand(&of, (num_layout)num_pick(LAYOUTS), op == IR_select && i == 0 ? 0 : info->lo,
                               op == IR_select && i == 0 ? 2 : info->hi, special);
        }
        num_check(op, a, x, info->arity);
    }
}

static void pointwise_rows(void **state)
{
    (void)state;
    for (int op = 0; op < IR_OP_COUNT; op++)
        for (int d = 0; d < IR_DT_COUNT; d++) {
            if (ir_ops[op].cls != IR_POINTWISE || op == IR_convert || op == IR_clamp ||
                !(ir_ops[op].dtypes >> d & 1))
                continue;
            for (int i = 0; i < SHAPES; i++) {
                ir_type t = shape(i, (ir_dtype)d);
                ir_attrs a = {.n = 0};

                check_pointwise((ir_op)op, (ir_dtype)d, &a, &t);
            }
        }
}

static void pointwise_parallel(void **state)
{
    static const ir_op ops[] = {IR_add, IR_exp, IR_lt, IR_select, IR_neg};
    ir_attrs a = {.n = 0};

    (void)state;
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < LAYOUTS; j++) {
            ir_type flat = num_type(IR_DT_f32, 1, 150001), rows = num_type(IR_DT_f32, 3, 70, 11, 190);

            check_pointwise(ops[i], IR_DT_f32, &a, &flat);
            check_pointwise(ops[i], IR_DT_f32, &a, &rows);
        }
}

static void converts(void **state)
{
    (void)state;
    for (int from = 0; from < IR_DT_COUNT; from++)
        for (int to = 0; to < IR_DT_COUNT; to++)
            for (int i = 0; i < SHAPES; i++) {
                ir_attrs a = {.type = {.dtype = (uint8_t)to}};
                ir_type t = shape(i, (ir_dtype)from);
                rt_array x = num_operand(&t, (num_layout)num_pick(LAYOUTS), -300, 300, i % 2);

                num_check(IR_convert, &a, (rt_array[3]){x}, 1);
            }
}

static void clamps(void **state)
{
    ir_attrs a = {.clamp = {-0.1, 1.3}};

    (void)state;
    for (int d = IR_DT_f16; d <= IR_DT_f64; d++)
        for (int i = 0; i < SHAPES; i++) {
            ir_type t = shape(i, (ir_dtype)d);

            check_pointwise(IR_clamp, (ir_dtype)d, &a, &t);
        }
}

/* ---- views and pad ------------------------------------------------------------------------------------ */

static void check_view(ir_op op, const ir_attrs *a, ir_dtype d, const ir_type *shape_of)
{
    for (int how = 0; how < LAYOUTS; how++) {
        ir_type t = ir_type_with(shape_of, d);

        num_check(op, a, (rt_array[3]){num_operand(&t, (num_layout)how, 0, 200, false)}, 1);
    }
}

static void copies(void **state)
{
    static const ir_dtype dtypes[] = {IR_DT_u8, IR_DT_f32, IR_DT_i64};
    ir_attrs cut = {.n = 3, .slice = {.start = {1, 0, 2}, .limit = {30, 20, 31}, .step = {2, 1, 3}}};
    ir_attrs wide = {.type = {.rank = 4, .dims = {2, 33, 20, 70}}},
             flat = {.type = {.rank = 2, .dims = {330, 34}}};

    (void)state;
    for (int d = 0; d < 3; d++) {
        static const int8_t perms[][3] = {{2, 1, 0}, {0, 2, 1}, {1, 0, 2}, {2, 0, 1}, {1, 2, 0}, {0, 1, 2}};
        ir_type t = num_type(dtypes[d], 3, 33, 20, 70), column = num_type(dtypes[d], 3, 33, 1, 70);
        ir_type other = num_type(dtypes[d], 3, 33, 20, 17);

        for (int i = 0; i < 6; i++) {
            ir_attrs a = {.n = 3};

            memcpy(a.axes, perms[i], 3);
            check_view(IR_transpose, &a, dtypes[d], &t);
        }
        check_view(IR_slice, &cut, dtypes[d], &t);
        for (int i = 0; i < 3; i++) {
            static const ir_attrs back[] = {
                {.n = 1, .axes = {2}}, {.n = 1, .axes = {0}}, {.n = 2, .axes = {1, 2}}};

            check_view(IR_reverse, &back[i], dtypes[d], &t);
        }
        check_view(IR_broadcast, &wide, dtypes[d], &column);
        check_view(IR_reshape, &flat, dtypes[d], &other);
    }
}

static void large_transpose(void **state)
{
    ir_type t = num_type(IR_DT_f32, 3, 3, 301, 407);
    ir_attrs a = {.n = 3, .axes = {2, 0, 1}};

    (void)state;
    check_view(IR_transpose, &a, IR_DT_f32, &t);
}

static void pads(void **state)
{
    ir_attrs a = {.n = 3, .pad = {.low = {1, 0, 2}, .high = {0, 3, 1}, .interior = {0, 2, 1}}};
    ir_attrs edges = {.n = 3, .pad = {.low = {0, 1, 2}, .high = {1, 0, 1}}};

    (void)state;
    for (int d = 0; d < IR_DT_COUNT; d++) {
        ir_type t = num_type((ir_dtype)d, 3, 4, 9, 60), big = num_type((ir_dtype)d, 3, 20, 30, 61);

        check_view(IR_pad, &a, (ir_dtype)d, &t);
        check_view(IR_pad, &edges, (ir_dtype)d, &big);
    }
}

static void joined(void **state)
{
    (void)state;
    for (int d = 0; d < IR_DT_COUNT; d++)
        for (int axis = 0; axis < 3; axis++)
            for (int how = 0; how < LAYOUTS; how++) {
                ir_attrs a = {.n = 1, .axes = {(int8_t)axis}};
                rt_array x[3];

                for (int i = 0; i < 3; i++) {
                    ir_type t = num_type((ir_dtype)d, 3, 4, 9, 60);
                    t.dims[axis] += 5 * i;
                    x[i] = num_operand(&t, (num_layout)((how + i) % LAYOUTS), 0, 200, false);
                }
                num_check(IR_concat, &a, x, 3);
            }
}

/* A view that shares memory shows the same elements as the copy. */
static void shared_views(void **state)
{
    static const int64_t targets[][4] = {{840, 1, 1, 1}, {4, 210, 1, 1}, {20, 42, 1, 1},
                                         {2, 2, 5, 42},  {4, 1, 30, 7},  {1, 28, 30, 1}};
    int shared = 0;

    (void)state;
    for (int round = 0; round < 200; round++) {
        ir_type t = num_type(IR_DT_f32, 4, 4, 5, 6, 7), r = ir_type_make(IR_DT_f32, 4, targets[round % 6]);
        rt_array x = num_operand(&t, (num_layout)(round / 6 % LAYOUTS), -1, 1, false), v;
        float want[840], got[840];
        rt_array y = rt_array_of(&r, want), z = rt_array_of(&r, got);
        ir_attrs a = {.type = r};

        assert_true(ref_compute(IR_reshape, &a, (const rt_array *[]){&x}, 1, &y));
        if (rt_array_view(IR_reshape, &a, &x, &r, &v)) {
            shared++;
            assert_ptr_equal(v.data, x.data);
            assert_true(ref_compute(IR_reshape, &a, (const rt_array *[]){&v}, 1, &z));
            assert_memory_equal(want, got, sizeof want);
        } else {
            assert_false(rt_array_is_contiguous(&x));
        }
        free(x.data);
    }
    assert_in_range(shared, 60, 199);
}

/* ---- reductions --------------------------------------------------------------------------------------- */

static void check_axes(ir_op op, const ir_type *t, unsigned set, num_layout how, bool special)
{
    ir_attrs a = {.n = 0};

    for (int i = 0; i < t->rank; i++)
        if (set >> i & 1)
            a.axes[a.n++] = (int8_t)i;
    num_check(op, &a, (rt_array[3]){num_operand(t, how, -9, 9, special)}, 1);
}

static void reductions(void **state)
{
    static const ir_op ops[] = {IR_reduce_sum, IR_reduce_max,  IR_reduce_min, IR_argmax,
                                IR_argmin,     IR_reduce_prod, IR_reduce_all, IR_reduce_any};

    (void)state;
    for (int i = 0; i < 8; i++)
        for (int d = 0; d < IR_DT_COUNT; d++)
            for (unsigned set = 1; set < 16 && (ir_ops[ops[i]].dtypes >> d & 1); set++)
                for (int how = 0; how < LAYOUTS; how++) {
                    ir_type t = num_type((ir_dtype)d, 4, 5, 1 + (int)num_pick(9), 3, 1 + (int)num_pick(80));

                    check_axes(ops[i], &t, set, (num_layout)how, how == (int)(set % LAYOUTS));
                }
}

static void long_sums(void **state)
{
    static const int lengths[] = {1, 63, 64, 65, 127, 128, 511, 512, 513, 1024, 1025, 2600};

    (void)state;
    for (int d = IR_DT_f16; d <= IR_DT_f64; d++)
        for (int i = 0; i < 12; i++)
            for (int how = 0; how < LAYOUTS; how++) {
                ir_type inner = num_type((ir_dtype)d, 2, 3, lengths[i]),
                        outer = num_type((ir_dtype)d, 2, lengths[i], 37);

                check_axes(IR_reduce_sum, &inner, 2, (num_layout)how, false);
                check_axes(IR_reduce_sum, &outer, 1, (num_layout)how, false);
                check_axes(IR_reduce_prod, &inner, 2, (num_layout)how, false);
                check_axes(IR_reduce_prod, &outer, 1, (num_layout)how, false);
            }
}

static void wide_sums(void **state)
{
    ir_type outer = num_type(IR_DT_f32, 3, 2, 600, 2500), inner = num_type(IR_DT_f32, 3, 40, 50, 130);

    (void)state;
    for (int how = 0; how < LAYOUTS; how++) {
        check_axes(IR_reduce_sum, &outer, 2, (num_layout)how, false);
        check_axes(IR_reduce_sum, &inner, 4, (num_layout)how, false);
        check_axes(IR_reduce_sum, &inner, 5, (num_layout)how, false);
        check_axes(IR_argmax, &inner, 2, (num_layout)how, false);
    }
}

/* -0 and -0 sum to +0, and the inner tree differs from the chain on ordinary data: the checks above can fail.
 */
static void sums_are_what_they_say(void **state)
{
    float x[600], zero[3] = {-0.0f, -0.0f, -0.0f};
    int differ = 0;

    (void)state;
    for (int n = 3; n < 600; n++) {
        for (int i = 0; i < n; i++)
            x[i] = (float)num_uniform(-1, 1);
        differ += ref_sum_inner_f32(x, n) != ref_sum_outer_f32(x, n);
    }
    assert_in_range(differ, 300, 597);
    assert_false(signbit(ref_sum_inner_f32(zero, 3)));
    assert_false(signbit(ref_sum_outer_f32(zero, 3)));
}

/* ---- products ----------------------------------------------------------------------------------------- */

static const int products[][3] = {
    {1, 1, 1},     {1, 1, 1000}, {7, 9, 129},   {3, 2, 700},  {63, 1, 70},   {1, 63, 65},
    {8, 8, 1},     {8, 8, 513},  {1, 64, 3},    {64, 1, 700}, {1, 700, 520}, {2, 130, 9},
    {3, 100, 77},  {6, 600, 20}, {4, 33, 1100}, {7, 64, 8},   {14, 32, 512}, {15, 33, 511},
    {29, 65, 700}, {28, 10, 40}, {13, 17, 16},  {50, 48, 31}, {100, 70, 60}, {5, 1000, 10},
};

/* [batch, m, k] [batch, k, n] with each matrix in one of the two orders, and in odd layouts. */
static void check_product(ir_dtype d, int batch, const int *s, int how, double range)
{
    bool tx = how & 1, tz = how & 2;
    ir_type t = tx ? num_type(d, 3, batch, s[2], s[0]) : num_type(d, 3, batch, s[0], s[2]);
    ir_type u = tz ? num_type(d, 3, batch, s[1], s[2]) : num_type(d, 3, batch, s[2], s[1]);
    ir_attrs a = {.n = 1, .nk = 1};
    rt_array x[3];

    a.dot.lhs_k[0] = tx ? 1 : 2;
    a.dot.rhs_k[0] = tz ? 2 : 1;
    x[0] = num_operand(&t, how >= 4 ? (num_layout)(1 + num_pick(3)) : PLAIN, -range, range, false);
    x[1] = num_operand(&u, how >= 4 ? (num_layout)(1 + num_pick(3)) : PLAIN, -range, range, false);
    num_check(IR_dot_general, &a, x, 2);
}

static void matrix_products(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++)
        for (int how = 0; how < 8; how++) {
            check_product(IR_DT_f32, 1 + how % 3, products[i], how, 1);
            check_product(IR_DT_f64, 1 + how % 2, products[i], how, 1);
            check_product(how % 2 ? IR_DT_f16 : IR_DT_bf16, 1, products[i], how, 1);
        }
}

static void large_products(void **state)
{
    static const int large[][3] = {{150, 330, 530}, {140, 1030, 30}, {3, 5000, 40}, {700, 1, 600}};

    (void)state;
    for (int i = 0; i < 4; i++)
        for (int how = 0; how < 5; how++)
            check_product(IR_DT_f32, 1, large[i], how, 1);
}

/* Many small matrices, split over the batch; half of them with products that underflow to zeros of either
 * sign. */
static void batched_products(void **state)
{
    static const int small[][3] = {{3, 4, 5}, {8, 9, 7}, {16, 16, 16}, {1, 100, 20}};

    (void)state;
    for (int i = 0; i < 4; i++)
        for (int how = 0; how < 5; how++)
            check_product(IR_DT_f32, 300, small[i], how, how % 2 ? 1e-23 : 1);
}

static void general_products(void **state)
{
    ir_attrs a = {.n = 2, .nk = 2};

    (void)state;
    memcpy(a.dot.lhs_batch, (int8_t[]){3, 0}, 2);
    memcpy(a.dot.rhs_batch, (int8_t[]){1, 4}, 2);
    memcpy(a.dot.lhs_k, (int8_t[]){4, 1}, 2);
    memcpy(a.dot.rhs_k, (int8_t[]){0, 2}, 2);
    for (int how = 0; how < LAYOUTS; how++)
        for (int d = IR_DT_f16; d <= IR_DT_f64; d++) {
            ir_type t = num_type((ir_dtype)d, 6, 3, 5, 4, 2, 6, 3),
                    u = num_type((ir_dtype)d, 5, 6, 2, 5, 9, 3);

            num_check(IR_dot_general, &a,
                      (rt_array[3]){num_operand(&t, (num_layout)how, -1, 1, false),
                                    num_operand(&u, (num_layout)how, -1, 1, how == 0)},
                      2);
        }
}

/* ---- scans and sorting -------------------------------------------------------------------------------- */

static void scans(void **state)
{
    static const ir_op ops[] = {IR_cumsum, IR_cumprod, IR_cummax, IR_cummin, IR_linear_scan};
    static const int boxes[][3] = {{1, 1, 1},    {3, 7, 5},   {1, 513, 1}, {9, 1025, 1},
                                   {2, 1030, 3}, {1, 5, 130}, {2, 600, 17}};

    (void)state;
    for (int o = 0; o < 5; o++)
        for (int d = 0; d < IR_DT_COUNT; d++)
            for (int i = 0; i < 7 && (ir_ops[ops[o]].dtypes >> d & 1); i++)
                for (int k = 0; k < 2 * LAYOUTS; k++) {
                    ir_type t = num_type((ir_dtype)d, 3, boxes[i][0], boxes[i][1], boxes[i][2]);
                    ir_attrs a = {.scan = {i % 2 && k % 2 ? 2 : 1, k / LAYOUTS}};
                    num_layout how = (num_layout)(k % LAYOUTS);
                    rt_array x[3] = {num_operand(&t, how, -1.5, 1.5, k == 3)};

                    if (ops[o] == IR_linear_scan)
                        x[1] = num_operand(&t, (num_layout)num_pick(LAYOUTS), -1, 1, false);
                    num_check(ops[o], &a, x, ops[o] == IR_linear_scan ? 2 : 1);
                }
}

/* Joining blocks differs from one chain on ordinary data, and the last element is the outer sum. */
static void scans_are_what_they_say(void **state)
{
    static float x[2000], y[2000];
    float chain = 0;
    int differ = 0;

    (void)state;
    for (int i = 0; i < 2000; i++)
        x[i] = (float)num_uniform(-1, 1);
    ref_cumsum(x, 2000, y);
    for (int i = 0; i < 2000; i++) {
        chain += x[i];
        differ += chain != y[i];
    }
    assert_true(differ > 500);
    assert_true(y[1999] == ref_sum_outer_f32(x, 2000));
}

/* Short rows, rows of few different values, special values, and rows long enough for every part of the sort.
 */
static void sorting(void **state)
{
    static const int lengths[] = {1, 2, 7, 24, 25, 130, 2000};

    (void)state;
    for (int d = IR_DT_u8; d < IR_DT_COUNT; d++)
        for (int i = 0; i < 7; i++)
            for (int k = 0; k < 2 * LAYOUTS; k++) {
                ir_type t = num_type((ir_dtype)d, 2, i < 6 ? 5 : 1, lengths[i]);
                ir_attrs a = {.scan = {.reverse = (uint64_t)(k % 2)}};
                double range = k < LAYOUTS ? 3 : 1e4;

                num_check(
                    IR_argsort, &a,
                    (rt_array[3]){num_operand(&t, (num_layout)(k % LAYOUTS), -range, range, k % 3 == 0)}, 1);
            }
}

/* ---- indexed, generated ------------------------------------------------------------------------------- */

static void indexed(void **state)
{
    (void)state;
    for (int d = 0; d < IR_DT_COUNT; d++)
        for (int wide = 0; wide < 2; wide++)
            for (int how = 0; how < LAYOUTS; how++) {
                ir_type t = num_type((ir_dtype)d, 3, 9, 3, 17),
                        i = num_type(wide ? IR_DT_i64 : IR_DT_i32, 2, 7, 6);
                ir_type u = num_type((ir_dtype)d, 4, 7, 6, 3, 17);
                ir_attrs a = {.n = 0};
                rt_array x[3] = {num_operand(&t, (num_layout)how, -9, 9, false),
                                 num_operand(&i, (num_layout)num_pick(LAYOUTS), -2, 12, false)};

                num_check(IR_gather, &a, x, 2);
                for (int op = IR_scatter_add; op <= IR_scatter_min; op++) {
                    if (d == IR_DT_bool && op != IR_scatter_set)
                        continue;
                    x[0] = num_operand(&t, (num_layout)how, -9, 9, false);
                    x[1] = num_operand(&i, (num_layout)num_pick(LAYOUTS), -2, 12, false);
                    x[2] = num_operand(&u, (num_layout)num_pick(LAYOUTS), -9, 9, false);
                    num_check((ir_op)op, &a, x, 3);
                }
            }
}

static void boxes(void **state)
{
    (void)state;
    for (int d = 0; d < IR_DT_COUNT; d++)
        for (int wide = 0; wide < 2; wide++)
            for (int how = 0; how < LAYOUTS; how++) {
                ir_type t = num_type((ir_dtype)d, 3, 10, 3, 17),
                        i = num_type(wide ? IR_DT_i64 : IR_DT_i32, 1, 3);
                ir_type u = num_type((ir_dtype)d, 3, 4, 2, 9);
                ir_attrs a = {.type = u};
                rt_array x[3] = {num_operand(&t, (num_layout)how, -9, 9, false),
                                 num_operand(&i, (num_layout)num_pick(LAYOUTS), -3, 12, false)};

                num_check(IR_dynamic_slice, &a, x, 2);
                x[0] = num_operand(&t, (num_layout)how, -9, 9, false);
                x[1] = num_operand(&i, (num_layout)num_pick(LAYOUTS), -3, 12, false);
                x[2] = num_operand(&u, (num_layout)num_pick(LAYOUTS), -9, 9, false);
                num_check(IR_dynamic_update, &a, x, 3);
            }
}

static void indexed_parallel(void **state)
{
    ir_type t = num_type(IR_DT_f32, 2, 40, 1000), i = num_type(IR_DT_i64, 1, 300),
            u = num_type(IR_DT_f32, 2, 300, 1000);
    ir_attrs a = {.n = 0};

    (void)state;
    num_check(IR_gather, &a,
              (rt_array[3]){num_operand(&t, PLAIN, -9, 9, false), num_operand(&i, PLAIN, 0, 40, false)}, 2);
    /* narrow rows: threads share out the destinations */
    ir_type narrow = num_type(IR_DT_f32, 2, 40, 3), many = num_type(IR_DT_i64, 1, 9000),
            updates = num_type(IR_DT_f32, 2, 9000, 3);
    num_check(IR_scatter_add, &a,
              (rt_array[3]){num_operand(&narrow, PLAIN, -9, 9, false),
                            num_operand(&many, PLAIN, 0, 40, false),
                            num_operand(&updates, PLAIN, -9, 9, false)},
              3);
    num_check(IR_scatter_add, &a,
              (rt_array[3]){num_operand(&t, PLAIN, -9, 9, false), num_operand(&i, PLAIN, 0, 40, false),
                            num_operand(&u, PLAIN, -9, 9, false)},
              3);
}

static void generated(void **state)
{
    ir_attrs bits = {.type = num_type(IR_DT_u32, 2, 3, 40001), .random = {.offset = 5}};
    rt_array none[3] = {{.data = NULL}}, key;
    ir_type s = num_type(IR_DT_u32, 1, 4);

    (void)state;
    for (int d = IR_DT_u8; d < IR_DT_COUNT; d++) {
        ir_attrs a = {.type = num_type((ir_dtype)d, 1, 70000)};

        num_check(IR_iota, &a, none, 0);
    }
    key = num_operand(&s, PLAIN, 0, 4e9, true);
    ((uint32_t *)key.data)[2] = UINT32_MAX; /* the offset carries into the high word */
    num_check(IR_random_bits, &bits, (rt_array[3]){key}, 1);
}

/* Known answers of Random123 (Salmon et al.). */
static void philox_known_answers(void **state)
{
    static const uint32_t cases[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb,
         0x5001e420, 0x24126ea1}};

    (void)state;
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];

        ref_philox(cases[i], cases[i] + 4, out);
        assert_memory_equal(out, cases[i] + 6, sizeof out);
    }
}

static void refusals(void **state)
{
    rt_engine e = {.level = rt_level_best()};
    ir_attrs a = {.n = 0};
    float v = 1;
    ir_type t = num_type(IR_DT_f32, 0);
    rt_array x = rt_array_of(&t, &v);

    (void)state;
    assert_int_equal(rt_compute(&e, IR_input, &a, NULL, 0, &x), IR_EARG);
    assert_int_equal(rt_compute(&e, IR_shl, &a, (const rt_array *[]){&x, &x}, 2, &x), IR_EDTYPE);
    assert_null(rt_level_named("x86-64-v2"));
    assert_null(rt_level_named(NULL));
    assert_string_equal(rt_level_name(rt_level_named("x86-64")), "x86-64");
    assert_ptr_equal(rt_level_named(rt_level_name(rt_level_best())), rt_level_best());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pointwise_rows),
        cmocka_unit_test(pointwise_parallel),
        cmocka_unit_test(converts),
        cmocka_unit_test(clamps),
        cmocka_unit_test(copies),
        cmocka_unit_test(large_transpose),
        cmocka_unit_test(pads),
        cmocka_unit_test(joined),
        cmocka_unit_test(shared_views),
        cmocka_unit_test(reductions),
        cmocka_unit_test(long_sums),
        cmocka_unit_test(wide_sums),
        cmocka_unit_test(sums_are_what_they_say),
        cmocka_unit_test(matrix_products),
        cmocka_unit_test(large_products),
        cmocka_unit_test(batched_products),
        cmocka_unit_test(general_products),
        cmocka_unit_test(scans),
        cmocka_unit_test(scans_are_what_they_say),
        cmocka_unit_test(sorting),
        cmocka_unit_test(indexed),
        cmocka_unit_test(indexed_parallel),
        cmocka_unit_test(boxes),
        cmocka_unit_test(generated),
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, num_setup, num_teardown);
}
