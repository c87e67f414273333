/* runtime/kernels/convert.c: rows of convert (every pair of dtypes), clamp, iota and random_bits. */
#include "runtime/kernels/kernel.h"
#include "runtime/scalar_c.h"

#undef bool /* stdbool.h's macro would be pasted as _Bool */

#define CONVERT(a, b)                                                                       \
    static void a##_to_##b(void *y, const void *const *x, int64_t n, const ir_attrs *attrs) \
    {                                                                                       \
        const s_val_##a *x0 = x[0];                                                         \
        s_val_##b *r = y;                                                                   \
                                                                                            \
        (void)attrs;                                                                        \
        RT_NO_ALIAS for (int64_t i = 0; i < n; i++) r[i] = TO_(a, b, x0[i]);                \
    }
#define TO_(a, b, v) s_convert_##a##_##b(v)
#define FROM(a)      \
    CONVERT(a, bool) \
    CONVERT(a, u8) CONVERT(a, u32) CONVERT(a, i32) CONVERT(a, i64) CONVERT(a, f32) CONVERT(a, f64)

FROM(bool)
FROM(u8)
FROM(u32)
FROM(i32)
FROM(i64)
FROM(f32)
FROM(f64)

#define TABLE(a)                                                                                   \
    [IR_DT_##a] = {[IR_DT_bool] = a##_to_bool, [IR_DT_u8] = a##_to_u8,   [IR_DT_u32] = a##_to_u32, \
                   [IR_DT_i32] = a##_to_i32,   [IR_DT_i64] = a##_to_i64, [IR_DT_f32] = a##_to_f32, \
                   [IR_DT_f64] = a##_to_f64},

rt_row_fn *const RT_V(rt_convert)[IR_DT_COUNT][IR_DT_COUNT] = {TABLE(bool) TABLE(u8) TABLE(u32) TABLE(i32)
                                                                   TABLE(i64) TABLE(f32) TABLE(f64)};

#define CLAMP(dt)                                                                                \
    void RT_V(rt_clamp_##dt)(void *y, const void *const *x, int64_t n, const ir_attrs *a)        \
    {                                                                                            \
        const s_val_##dt *x0 = x[0], lo = (s_val_##dt)a->clamp.lo, hi = (s_val_##dt)a->clamp.hi; \
        s_val_##dt *r = y;                                                                       \
                                                                                                 \
        RT_NO_ALIAS for (int64_t i = 0; i < n; i++) r[i] = s_clamp_##dt(x0[i], lo, hi);          \
    }
CLAMP(f32)
CLAMP(f64)

#define IOTA(dt)                                                                                     \
    void RT_V(rt_iota_##dt)(void *y, const void *state, int64_t begin, int64_t n, const ir_attrs *a) \
    {                                                                                                \
        s_val_##dt *r = y;                                                                           \
                                                                                                     \
        (void)state;                                                                                 \
        (void)a;                                                                                     \
        RT_NO_ALIAS for (int64_t i = 0; i < n; i++) r[i] = s_convert_i64_##dt(begin + i);            \
    }
RT_NUMBERS(IOTA)

void RT_V(rt_random_bits)(void *y, const void *state, int64_t begin, int64_t n, const ir_attrs *a)
{
    uint32_t key[4], *r = y;

    memcpy(key, state, sizeof key);
    RT_NO_ALIAS for (int64_t i = 0; i < n; i++) r[i] = s_philox(key, a->random.offset, (uint64_t)(begin + i));
}
