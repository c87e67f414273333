/* runtime/kernels/kernel.h: names of one level.  Every file here is compiled with -DRT_LEVEL=1, 3 and 4; an
 * external symbol is written RT_V(name) and becomes name_v1, name_v3 or name_v4. */
#ifndef TANDEM_RT_KERNEL_H
#define TANDEM_RT_KERNEL_H

#include "runtime/level.h"

#ifndef RT_LEVEL
#define RT_LEVEL 1
#endif

#define RT_PASTE_(a, b) a##b
#define RT_PASTE(a, b) RT_PASTE_(a, b)
#define RT_V_(name) RT_PASTE(name##_v, RT_LEVEL)
#define RT_V(name) RT_V_(name)

#if RT_LEVEL == 4
#define RT_VECTOR_BYTES 64
#elif RT_LEVEL == 3
#define RT_VECTOR_BYTES 32
#else
#define RT_VECTOR_BYTES 16
#endif

/* Before a loop whose result overlaps no operand: spares gcc the run-time checks and half the code. */
#ifdef __clang__
#define RT_NO_ALIAS
#else
#define RT_NO_ALIAS _Pragma("GCC ivdep")
#endif

/* X(dtype, least, most) for every integer. */
#define RT_INTEGER_RANGES(X)     \
    X(u8, 0, UINT8_MAX)          \
    X(u16, 0, UINT16_MAX)        \
    X(u32, 0, UINT32_MAX)        \
    X(u64, 0, UINT64_MAX)        \
    X(i8, INT8_MIN, INT8_MAX)    \
    X(i16, INT16_MIN, INT16_MAX) \
    X(i32, INT32_MIN, INT32_MAX) \
    X(i64, INT64_MIN, INT64_MAX)

/* Tables that table.c gathers. */
#define X(dt, ...) extern rt_row_fn *const RT_V(rt_rows_##dt)[IR_OP_COUNT];
IR_DTYPES(X)
#undef X
extern rt_row_fn *const RT_V(rt_convert)[IR_DT_COUNT][IR_DT_COUNT];
rt_row_fn RT_V(rt_clamp_f16), RT_V(rt_clamp_bf16), RT_V(rt_clamp_f32), RT_V(rt_clamp_f64);
rt_generate_fn RT_V(rt_iota_f16), RT_V(rt_iota_bf16);
rt_generate_fn RT_V(rt_random_bits);

/* X(dtype, ..) for the numbers that are computed as themselves. */
#define RT_NUMBERS(X) IR_INTEGERS(X) IR_REALS(X)
#define X(dt, ...)                                                                         \
    rt_generate_fn RT_V(rt_iota_##dt);                                                     \
    rt_inner_fn RT_V(rt_sum_inner_##dt), RT_V(rt_max_inner_##dt), RT_V(rt_min_inner_##dt); \
    rt_outer_fn RT_V(rt_sum_outer_##dt), RT_V(rt_max_outer_##dt), RT_V(rt_min_outer_##dt); \
    rt_inner_fn RT_V(rt_prod_inner_##dt);                                                  \
    rt_outer_fn RT_V(rt_prod_outer_##dt);                                                  \
    rt_inner_fn RT_V(rt_argmax_##dt), RT_V(rt_argmin_##dt);                                \
    rt_scan_fn RT_V(rt_cumsum_##dt), RT_V(rt_cumprod_##dt);                                \
    rt_scan_fn RT_V(rt_cummax_##dt), RT_V(rt_cummin_##dt);
RT_NUMBERS(X)
#undef X
rt_inner_fn RT_V(rt_all_inner_bool), RT_V(rt_any_inner_bool);
rt_outer_fn RT_V(rt_all_outer_bool), RT_V(rt_any_outer_bool);
rt_scan_fn RT_V(rt_linear_scan_f32), RT_V(rt_linear_scan_f64);

rt_copy_fn RT_V(rt_copy_1), RT_V(rt_copy_2), RT_V(rt_copy_4), RT_V(rt_copy_8);
rt_transpose_fn RT_V(rt_transpose_1), RT_V(rt_transpose_2), RT_V(rt_transpose_4), RT_V(rt_transpose_8);
extern const rt_dot_kernels RT_V(rt_dot_f32), RT_V(rt_dot_f64);

#endif
