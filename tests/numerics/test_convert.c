/* tests/numerics/test_convert.c: conversions against the plain reference where a second rounding would show:
 * every value of the short dtypes, ties between neighbours of f16 and bf16, long integers near ties. */
#include "numerics/check.h"

#include <math.h>
#include <string.h>

/* Every value of the dtypes of 8 and 16 bits, to every dtype. */
static void every_short_value_converts(void **state)
{
    const int64_t n = 65536;

    (void)state;
    for (int from = 0; from < IR_DT_COUNT; from++)
        for (int to = 0; to < IR_DT_COUNT && ir_dtype_size((ir_dtype)from) <= 2; to++) {
            ir_attrs a = {.type = {.dtype = (uint8_t)to}};
            ir_type t = ir_type_make((ir_dtype)from, 1, &n);
            rt_array x = num_operand(&t, PLAIN, 0, 1, false);

            for (int i = 0; i < n && from != IR_DT_bool; i++)
                memcpy((char *)x.data + (size_t)i * ir_dtype_size((ir_dtype)from), &i,
                       ir_dtype_size((ir_dtype)from));
            num_check(IR_convert, &a, (rt_array[3]){x}, 1);
        }
}

/* Ties between neighbours of f16 and bf16, and what is just beside them, from f32 and f64. */
static void ties_round_to_even(void **state)
{
    const int64_t n = 5 * 65536;

    (void)state;
    for (int to = IR_DT_f16; to <= IR_DT_bf16; to++)
        for (int from = IR_DT_f32; from <= IR_DT_f64; from++) {
            ir_attrs a = {.type = {.dtype = (uint8_t)to}};
            ir_type t = ir_type_make((ir_dtype)from, 1, &n);
            rt_array x = num_operand(&t, PLAIN, 0, 1, false);
            for (int i = 0; i < 65536; i++) {
                uint16_t h = (uint16_t)i, next = (uint16_t)(i + 1);
                double v = ir_element_get((ir_dtype)to, &h), w = ir_element_get((ir_dtype)to, &next);
                double tie = (v + w) / 2;
                double each[] = {v, tie, nextafter(tie, v), nextafter(tie, w),
                                 (double)nextafterf((float)tie, (float)w)};
                for (int k = 0; k < 5; k++)
                    ir_element_set((ir_dtype)from,
                                   (char *)x.data +
                                       (5 * (size_t)i + (size_t)k) * ir_dtype_size((ir_dtype)from),
                                   each[k]);
            }
            num_check(IR_convert, &a, (rt_array[3]){x}, 1);
        }
}

/* Integers near ties of every float dtype: a second rounding on the way would show. */
static void integers_round_once(void **state)
{
    static const int digits[] = {8, 11, 24, 53};
    const int64_t n = 64 * 4 * 2 * 3;

    (void)state;
    for (int from = IR_DT_u8; from <= IR_DT_i64; from++)
        for (int to = IR_DT_f16; to <= IR_DT_f64; to++) {
            ir_attrs a = {.type = {.dtype = (uint8_t)to}};
            ir_type t = ir_type_make((ir_dtype)from, 1, &n);
            rt_array x = num_operand(&t, PLAIN, 0, 1, false);
            for (int64_t i = 0; i < n; i++) {
                int top = (int)(i / 24), last = top - digits[i / 6 % 4];
                uint64_t even = i / 3 % 2 && last >= 0 ? (uint64_t)2 << last : 0;
                uint64_t v = ((uint64_t)1 << top | (last >= 0 ? (uint64_t)1 << last : 0) | even) +
                             (uint64_t)(i % 3 - 1);
                if (i % 5 == 0)
                    v = 0 - v;
                memcpy((char *)x.data + i * (int64_t)ir_dtype_size((ir_dtype)from), &v,
                       ir_dtype_size((ir_dtype)from));
            }
            num_check(IR_convert, &a, (rt_array[3]){x}, 1);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_short_value_converts),
        cmocka_unit_test(ties_round_to_even),
        cmocka_unit_test(integers_round_once),
    };

    return cmocka_run_group_tests(tests, num_setup, num_teardown);
}
