/* runtime/scalar_prim.h: the primitives of the scalar language as C functions, one set per dtype (s_add_f32,
 * ..), converts and Philox.  Included by runtime/scalar_c.h; the rules are those of numerics.md
 * (docs/numerics.md), points 1 to 3. */
#ifndef TANDEM_SCALAR_PRIM_H
#define TANDEM_SCALAR_PRIM_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "ir/half.h"
#include "ir/ir.h"

#define S_INLINE static inline __attribute__((always_inline, unused))
#define S_PASTE_(a, b) a##_##b
#define S_PASTE(a, b) S_PASTE_(a, b)

#define X(name, bytes, ctype, cls) typedef ctype s_val_##name;
IR_DTYPES(X)
#undef X

S_INLINE _Bool s_mand(_Bool m, _Bool n)
{
    return m & n;
}

S_INLINE _Bool s_mor(_Bool m, _Bool n)
{
    return m | n;
}

/* ---- floats: one rounding per operation --------------------------------------------------------------- */

/* ROUND adds and subtracts 1.5 * 2^(p-1): exact, half to even, for |a| < 2^(p-2); a zero result is +0. */
#define S_FLOAT(dt, T, INT, UINT, magic, suffix)                                        \
    typedef INT s_int_##dt;                                                             \
    S_INLINE T s_k_##dt(double d)                                                       \
    {                                                                                   \
        return (T)d;                                                                    \
    }                                                                                   \
    S_INLINE INT s_bits_##dt(T v)                                                       \
    {                                                                                   \
        INT i;                                                                          \
        memcpy(&i, &v, sizeof i);                                                       \
        return i;                                                                       \
    }                                                                                   \
    S_INLINE T s_frombits_##dt(INT i)                                                   \
    {                                                                                   \
        T v;                                                                            \
        memcpy(&v, &i, sizeof v);                                                       \
        return v;                                                                       \
    }                                                                                   \
    S_INLINE T s_add_##dt(T a, T b)                                                     \
    {                                                                                   \
        return a + b;                                                                   \
    }                                                                                   \
    S_INLINE T s_sub_##dt(T a, T b)                                                     \
    {                                                                                   \
        return a - b;                                                                   \
    }                                                                                   \
    S_INLINE T s_mul_##dt(T a, T b)                                                     \
    {                                                                                   \
        return a * b;                                                                   \
    }                                                                                   \
    S_INLINE T s_div_##dt(T a, T b)                                                     \
    {                                                                                   \
        return a / b;                                                                   \
    }                                                                                   \
    S_INLINE T s_neg_##dt(T a)                                                          \
    {                                                                                   \
        return -a;                                                                      \
    }                                                                                   \
    S_INLINE T s_abs_##dt(T a)                                                          \
    {                                                                                   \
        return __builtin_fabs##suffix(a);                                               \
    }                                                                                   \
    S_INLINE T s_fma_##dt(T a, T b, T c)                                                \
    {                                                                                   \
        return __builtin_fma##suffix(a, b, c);                                          \
    }                                                                                   \
    S_INLINE T s_sqrt_##dt(T a)                                                         \
    {                                                                                   \
        return __builtin_sqrt##suffix(a);                                               \
    }                                                                                   \
    S_INLINE T s_round_##dt(T a)                                                        \
    {                                                                                   \
        return (a + (T)(magic)) - (T)(magic);                                           \
    }                                                                                   \
    S_INLINE T s_floor_##dt(T a)                                                        \
    {                                                                                   \
        return __builtin_floor##suffix(a);                                              \
    }                                                                                   \
    S_INLINE T s_trunc_##dt(T a)                                                        \
    {                                                                                   \
        return __builtin_trunc##suffix(a);                                              \
    }                                                                                   \
    S_INLINE T s_max_##dt(T a, T b)                                                     \
    {                                                                                   \
        T zero = s_frombits_##dt(s_bits_##dt(a) & s_bits_##dt(b)); /* equal: +0 > -0 */ \
        T r = a > b ? a : b;                                                            \
        r = a == b ? zero : r;                                                          \
        return a != a ? a : r;                                                          \
    }                                                                                   \
    S_INLINE T s_min_##dt(T a, T b)                                                     \
    {                                                                                   \
        T zero = s_frombits_##dt(s_bits_##dt(a) | s_bits_##dt(b));                      \
        T r = a < b ? a : b;                                                            \
        r = a == b ? zero : r;                                                          \
        return a != a ? a : r;                                                          \
    }                                                                                   \
    S_INLINE T s_clamp_##dt(T x, T lo, T hi)                                            \
    {                                                                                   \
        T r = x > hi ? hi : x;                                                          \
        return x < lo ? lo : r;                                                         \
    }                                                                                   \
    S_INLINE T s_sel_##dt(_Bool m, T a, T b)                                            \
    {                                                                                   \
        return m ? a : b;                                                               \
    }                                                                                   \
    S_INLINE INT s_seli_##dt(_Bool m, INT a, INT b)                                     \
    {                                                                                   \
        return m ? a : b;                                                               \
    }                                                                                   \
    S_INLINE INT s_iadd_##dt(INT a, INT b)                                              \
    {                                                                                   \
        return (INT)((UINT)a + (UINT)b);                                                \
    }                                                                                   \
    S_INLINE INT s_isub_##dt(INT a, INT b)                                              \
    {                                                                                   \
        return (INT)((UINT)a - (UINT)b);                                                \
    }                                                                                   \
    S_INLINE INT s_imul_##dt(INT a, INT b)                                              \
    {                                                                                   \
        return (INT)((UINT)a * (UINT)b);                                                \
    }                                                                                   \
    S_INLINE INT s_ishl_##dt(INT a, int n)                                              \
    {                                                                                   \
        return (INT)((UINT)a << n);                                                     \
    }                                                                                   \
    S_INLINE INT s_ishr_##dt(INT a, int n)                                              \
    {                                                                                   \
        return (INT)((UINT)a >> n);                                                     \
    }

/* clang-format off */
S_FLOAT(f32, float, int32_t, uint32_t, 0x1.8p23, f)
S_FLOAT(f64, double, int64_t, uint64_t, 0x1.8p52, )

/* ---- integers: wrap; x / 0 = 0; shift counts past the width give 0 or the sign ------------------------ */

#define S_INTEGER(dt, T, UINT, width, is_signed)                                             \
    S_INLINE T s_k_##dt(double d) { return (T)(int64_t)d; }                                  \
    S_INLINE T s_add_##dt(T a, T b) { return (T)((UINT)a + (UINT)b); }                       \
    S_INLINE T s_sub_##dt(T a, T b) { return (T)((UINT)a - (UINT)b); }                       \
    S_INLINE T s_mul_##dt(T a, T b) { return (T)(1u * (UINT)a * (UINT)b); } /* u16 as int would overflow */ \
    S_INLINE T s_neg_##dt(T a) { return (T)(0 - (UINT)a); }                                  \
    S_INLINE T s_not_##dt(T a) { return (T)~(UINT)a; }                                       \
    S_INLINE T s_abs_##dt(T a) { return is_signed && a < (T)1 && a != 0 ? s_neg_##dt(a) : a; } \
    S_INLINE T s_div_##dt(T a, T b)                                                          \
    {                                                                                        \
        _Bool minus = is_signed && b == (T)-1; /* -a wraps where a / -1 would trap */        \
        T q = (T)(a / (((b == 0) | minus) ? (T)1 : b));                                         \
        return b == 0 ? (T)0 : minus ? s_neg_##dt(a) : q;                                    \
    }                                                                                        \
    S_INLINE T s_min_##dt(T a, T b) { return a < b ? a : b; }                                \
    S_INLINE T s_max_##dt(T a, T b) { return a > b ? a : b; }                                \
    S_INLINE T s_sel_##dt(_Bool m, T a, T b) { return m ? a : b; }                           \
    S_INLINE T s_shl_##dt(T a, T n)                                                          \
    {                                                                                        \
        UINT r = (UINT)(1u * (UINT)a << ((UINT)n & (width - 1)));                                 \
        return (UINT)n < width ? (T)r : (T)0;                                                \
    }                                                                                        \
    S_INLINE T s_shr_##dt(T a, T n)                                                          \
    {                                                                                        \
        UINT k = (UINT)n < width ? (UINT)n : width - 1;                                      \
        T r = (T)(a >> k);                                                                   \
        return is_signed || (UINT)n < width ? r : (T)0;                                      \
    }

S_INTEGER(u8, uint8_t, uint8_t, 8, 0)
S_INTEGER(u16, uint16_t, uint16_t, 16, 0)
S_INTEGER(u32, uint32_t, uint32_t, 32, 0)
S_INTEGER(u64, uint64_t, uint64_t, 64, 0)
S_INTEGER(i8, int8_t, uint8_t, 8, 1)
S_INTEGER(i16, int16_t, uint16_t, 16, 1)
S_INTEGER(i32, int32_t, uint32_t, 32, 1)
S_INTEGER(i64, int64_t, uint64_t, 64, 1)

S_INLINE uint8_t s_sel_bool(_Bool m, uint8_t a, uint8_t b) { return m ? a : b; }
S_INLINE uint8_t s_not_bool(uint8_t a) { return (uint8_t)(a ^ 1); }

/* ---- converts: float to integer saturates, NaN to 0; integers wrap; to bool: x != 0 ------------------- */

#define S_CAST(a, A, b, B) S_INLINE B s_convert_##a##_##b(A x) { return (B)x; }
#define S_TO_BOOL(a, A) S_INLINE uint8_t s_convert_##a##_bool(A x) { return x != 0; }
/* lo and hi are powers of two (or 0), exact in A: the first value at or past which the result is stuck. */
#define S_SATURATE(a, A, b, B, lo, hi, least, most)                                          \
    S_INLINE B s_convert_##a##_##b(A x)                                                      \
    {                                                                                        \
        _Bool below = x <= (A)(lo), above = x >= (A)(hi), nan = x != x;                      \
        B r = (B)((below | above | nan) ? (A)0 : x);                                           \
        r = below ? (B)(least) : r;                                                          \
        return above ? (B)(most) : r;                                                        \
    }
/* ROUNDED: to f32, exact or so that the rounding to a half that follows is the only one (ir/half.h). */
#define S_FROM_INT(a, A, ROUNDED)                                                            \
    S_TO_BOOL(a, A)                                                                          \
    S_CAST(a, A, u8, uint8_t) S_CAST(a, A, u16, uint16_t) S_CAST(a, A, u32, uint32_t)        \
    S_CAST(a, A, u64, uint64_t) S_CAST(a, A, i8, int8_t) S_CAST(a, A, i16, int16_t)          \
    S_CAST(a, A, i32, int32_t) S_CAST(a, A, i64, int64_t)                                    \
    S_CAST(a, A, f32, float) S_CAST(a, A, f64, double)                                       \
    S_TO_HALF(a, A, ROUNDED)
#define S_TO_HALF(a, A, ROUNDED)                                                             \
    S_INLINE uint16_t s_convert_##a##_f16(A x) { return half_to_f16(ROUNDED(x)); }           \
    S_INLINE uint16_t s_convert_##a##_bf16(A x) { return half_to_bf16(ROUNDED(x)); }
#define S_FROM_FLOAT(a, A, ROUNDED)                                                          \
    S_TO_BOOL(a, A)                                                                          \
    S_SATURATE(a, A, u8, uint8_t, 0, 0x1p8, 0, UINT8_MAX)                                    \
    S_SATURATE(a, A, u16, uint16_t, 0, 0x1p16, 0, UINT16_MAX)                                \
    S_SATURATE(a, A, u32, uint32_t, 0, 0x1p32, 0, UINT32_MAX)                                \
    S_SATURATE(a, A, u64, uint64_t, 0, 0x1p64, 0, UINT64_MAX)                                \
    S_SATURATE(a, A, i8, int8_t, -0x1p7, 0x1p7, INT8_MIN, INT8_MAX)                          \
    S_SATURATE(a, A, i16, int16_t, -0x1p15, 0x1p15, INT16_MIN, INT16_MAX)                    \
    S_SATURATE(a, A, i32, int32_t, -0x1p31, 0x1p31, INT32_MIN, INT32_MAX)                    \
    S_SATURATE(a, A, i64, int64_t, -0x1p63, 0x1p63, INT64_MIN, INT64_MAX)                    \
    S_CAST(a, A, f32, float) S_CAST(a, A, f64, double)                                       \
    S_TO_HALF(a, A, ROUNDED)
#define S_VIA_F32(h, b, B)                                                                   \
    S_INLINE B s_convert_##h##_##b(uint16_t x) { return s_convert_f32_##b(half_from_##h(x)); }
#define S_FROM_HALF(h, other)                                                                \
    S_VIA_F32(h, u8, uint8_t) S_VIA_F32(h, u16, uint16_t) S_VIA_F32(h, u32, uint32_t)        \
    S_VIA_F32(h, u64, uint64_t) S_VIA_F32(h, i8, int8_t) S_VIA_F32(h, i16, int16_t)          \
    S_VIA_F32(h, i32, int32_t) S_VIA_F32(h, i64, int64_t)                                    \
    S_VIA_F32(h, f32, float) S_VIA_F32(h, f64, double) S_VIA_F32(h, other, uint16_t)         \
    S_INLINE uint16_t s_convert_##h##_##h(uint16_t x) { return x; }
#define S_EXACT(x) (float)(x)
#define S_ODD(x) half_odd_f32((double)(x))
#define S_ODD_U64(x) S_ODD(half_sticky_u64(x))
#define S_ODD_I64(x) S_ODD(half_sticky_i64(x))

S_FROM_INT(u8, uint8_t, S_EXACT)
S_FROM_INT(u16, uint16_t, S_EXACT)
S_FROM_INT(u32, uint32_t, S_ODD)
S_FROM_INT(u64, uint64_t, S_ODD_U64)
S_FROM_INT(i8, int8_t, S_EXACT)
S_FROM_INT(i16, int16_t, S_EXACT)
S_FROM_INT(i32, int32_t, S_ODD)
S_FROM_INT(i64, int64_t, S_ODD_I64)
S_FROM_FLOAT(f32, float, S_EXACT)
S_FROM_FLOAT(f64, double, S_ODD)
S_FROM_HALF(f16, bf16)
S_FROM_HALF(bf16, f16)
#pragma push_macro("bool") /* stdbool.h's macro would be pasted as _Bool */
#undef bool
S_FROM_INT(bool, uint8_t, S_EXACT)
S_VIA_F32(f16, bool, uint8_t)
S_VIA_F32(bf16, bool, uint8_t)
#pragma pop_macro("bool")
/* clang-format on */

#undef S_FLOAT
#undef S_INTEGER
#undef S_CAST
#undef S_TO_BOOL
#undef S_SATURATE
#undef S_FROM_INT
#undef S_FROM_FLOAT
#undef S_FROM_HALF
#undef S_TO_HALF
#undef S_VIA_F32
#undef S_EXACT
#undef S_ODD
#undef S_ODD_U64
#undef S_ODD_I64

/* ---- Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) ------------ */

/* One round: x, z are the even words of the counter, which meet the multipliers. */
S_INLINE void s_philox_round(uint32_t ctr[4], const uint32_t key[2])
{
    uint64_t p = (uint64_t)0xD2511F53u * ctr[0], q = (uint64_t)0xCD9E8D57u * ctr[2];

    ctr[0] = (uint32_t)(q >> 32) ^ ctr[1] ^ key[0];
    ctr[1] = (uint32_t)q;
    ctr[2] = (uint32_t)(p >> 32) ^ ctr[3] ^ key[1];
    ctr[3] = (uint32_t)p;
}

S_INLINE void s_philox_4x32_10(uint32_t ctr[4], const uint32_t key[2])
{
    uint32_t k[2] = {key[0], key[1]};

    for (int round = 0; round < 10; round++) {
        s_philox_round(ctr, k);
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
}

/* Word 0 for element i of the call that `state` and `offset` name: state is seed low, high, call low, high.
 * */
S_INLINE uint32_t s_philox(const uint32_t state[4], uint64_t offset, uint64_t i)
{
    uint64_t call = ((uint64_t)state[3] << 32 | state[2]) + offset;
    uint32_t ctr[4] = {(uint32_t)i, (uint32_t)(i >> 32), (uint32_t)call, (uint32_t)(call >> 32)};

    s_philox_4x32_10(ctr, state);
    return ctr[0];
}

#endif
