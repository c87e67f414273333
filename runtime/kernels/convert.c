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
/* clang-format off */
#define TO_EACH(F, a)                                                                      \
    F(a, bool) F(a, u8) F(a, u16) F(a, u32) F(a, u64) F(a, i8) F(a, i16) F(a, i32)         \
    F(a, i64) F(a, f16) F(a, bf16) F(a, f32) F(a, f64)
/* clang-format on */
#define FROM(a, ...) TO_EACH(CONVERT, a)
IR_DTYPES(FROM)

#define ENTRY(a, b) [IR_DT_##b] = a##_to_##b,
#define TABLE(a, ...) [IR_DT_##a] = {TO_EACH(ENTRY, a)},
rt_row_fn *const RT_V(rt_convert)[IR_DT_COUNT][IR_DT_COUNT] = {IR_DTYPES(TABLE)};

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

#define IOTA(dt, ...)                                                                                \
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
