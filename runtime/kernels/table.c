/* runtime/kernels/table.c: the table of one level's kernels, in the terms of runtime/level.h. */
#include "runtime/kernels/kernel.h"

#undef bool /* stdbool.h's macro would be pasted as _Bool */

#if RT_LEVEL == 4
#define NAME "x86-64-v4"
#elif RT_LEVEL == 3
#define NAME "x86-64-v3"
#else
#define NAME "x86-64"
#endif

#define INTEGERS(prefix)                                                                             \
    [IR_DT_u8] = RT_V(prefix##u8), [IR_DT_u16] = RT_V(prefix##u16), [IR_DT_u32] = RT_V(prefix##u32), \
    [IR_DT_u64] = RT_V(prefix##u64), [IR_DT_i8] = RT_V(prefix##i8), [IR_DT_i16] = RT_V(prefix##i16), \
    [IR_DT_i32] = RT_V(prefix##i32), [IR_DT_i64] = RT_V(prefix##i64)
#define REALS(prefix) [IR_DT_f32] = RT_V(prefix##f32), [IR_DT_f64] = RT_V(prefix##f64)
#define HALVES(prefix) [IR_DT_f16] = RT_V(prefix##f16), [IR_DT_bf16] = RT_V(prefix##bf16)
#define EACH(prefix) {INTEGERS(prefix), REALS(prefix)}

const rt_level RT_V(rt_level) = {
    .name = NAME,
    .pointwise = {[IR_DT_bool] = RT_V(rt_rows_bool), INTEGERS(rt_rows_), HALVES(rt_rows_), REALS(rt_rows_)},
    .convert = &RT_V(rt_convert),
    .clamp = {HALVES(rt_clamp_), REALS(rt_clamp_)},
    .iota = {INTEGERS(rt_iota_), HALVES(rt_iota_), REALS(rt_iota_)},
    .random_bits = RT_V(rt_random_bits),
    .inner = {[RT_SUM] = EACH(rt_sum_inner_),
              [RT_MAX] = EACH(rt_max_inner_),
              [RT_MIN] = EACH(rt_min_inner_),
              [RT_PROD] = EACH(rt_prod_inner_),
              [RT_ALL] = {[IR_DT_bool] = RT_V(rt_all_inner_bool)},
              [RT_ANY] = {[IR_DT_bool] = RT_V(rt_any_inner_bool)}},
    .outer = {[RT_SUM] = EACH(rt_sum_outer_),
              [RT_MAX] = EACH(rt_max_outer_),
              [RT_MIN] = EACH(rt_min_outer_),
              [RT_PROD] = EACH(rt_prod_outer_),
              [RT_ALL] = {[IR_DT_bool] = RT_V(rt_all_outer_bool)},
              [RT_ANY] = {[IR_DT_bool] = RT_V(rt_any_outer_bool)}},
    .argmax = EACH(rt_argmax_),
    .argmin = EACH(rt_argmin_),
    .scan = {[RT_CUMSUM] = EACH(rt_cumsum_),
             [RT_CUMPROD] = EACH(rt_cumprod_),
             [RT_CUMMAX] = EACH(rt_cummax_),
             [RT_CUMMIN] = EACH(rt_cummin_)},
    .linear_scan = {[IR_DT_f32] = RT_V(rt_linear_scan_f32), [IR_DT_f64] = RT_V(rt_linear_scan_f64)},
    .copy = {[1] = RT_V(rt_copy_1), [2] = RT_V(rt_copy_2), [4] = RT_V(rt_copy_4), [8] = RT_V(rt_copy_8)},
    .transpose = {[1] = RT_V(rt_transpose_1),
                  [2] = RT_V(rt_transpose_2),
                  [4] = RT_V(rt_transpose_4),
                  [8] = RT_V(rt_transpose_8)},
    .dot = {[IR_DT_f32] = &RT_V(rt_dot_f32), [IR_DT_f64] = &RT_V(rt_dot_f64)},
};
