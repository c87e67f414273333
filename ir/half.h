/* ir/half.h: f16 (IEEE binary16) and bf16 (the upper half of binary32) as bits: widened to f32, and f32
 * rounded to them.
 *
 *   f16 bits  <- one rounding, half to even -  f32  <- round to odd -  f64  <- sticky bit -  64-bit integer
 *             -  exact                      ->
 *
 * Plain integer steps without branches, so that loops over them vectorise and need no F16C; the twins in LLVM
 * are in codegen/half.c.  Rounding to odd keeps in the last bit whether anything was lost, so that a second
 * rounding to at least two bits fewer gives what one rounding would (Boldo and Melquiond, "Emulation of FMA
 * and correctly rounded sums: proved algorithms using rounding to odd", 2008).  NaNs become quiet. */
#ifndef TANDEM_HALF_H
#define TANDEM_HALF_H

#include <stdint.h>
#include <string.h>

#define HALF_INLINE static inline __attribute__((always_inline, unused))

HALF_INLINE uint32_t half_bits(float v)
{
    uint32_t i;

    memcpy(&i, &v, sizeof i);
    return i;
}

HALF_INLINE float half_float(uint32_t i)
{
    float v;

    memcpy(&v, &i, sizeof v);
    return v;
}

/* Exponent and fraction move to their places in f32; 2^112 then makes up for the bias, of subnormals too. */
HALF_INLINE float half_from_f16(uint16_t h)
{
    uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13, sign = (uint32_t)(h & 0x8000) << 16;
    uint32_t finite = half_bits(half_float(magnitude) * 0x1p112f);
    uint32_t all = magnitude >= 0x0f800000u ? magnitude | 0x7f800000u : finite;

    return half_float(all | sign);
}

/* Normal results: the fraction is rounded in place (a carry goes to the exponent, past 65504 to infinity).
 * Subnormal results: multiples of 2^-24, the last bit of |v| + 0.5. */
HALF_INLINE uint16_t half_to_f16(float v)
{
    uint32_t bits = half_bits(v), a = bits & 0x7fffffffu, sign = (bits ^ a) >> 16;
    uint32_t normal = (a - 0x38000000u + 0xfffu + (a >> 13 & 1)) >> 13;
    uint32_t small = half_bits(half_float(a) + 0.5f) - 0x3f000000u;

    normal = normal > 0x7c00u ? 0x7c00u : normal;
    normal = a < 0x38800000u ? small : normal;
    normal = a > 0x7f800000u ? 0x7e00u : normal;
    return (uint16_t)(normal | sign);
}

HALF_INLINE float half_from_bf16(uint16_t h)
{
    return half_float((uint32_t)h << 16);
}

HALF_INLINE uint16_t half_to_bf16(float v)
{
    uint32_t bits = half_bits(v), rounded = bits + 0x7fffu + (bits >> 16 & 1);

    return (uint16_t)(((bits & 0x7fffffffu) > 0x7f800000u ? bits | 0x400000u : rounded) >> 16);
}

/* f64 to f32, rounded to odd: toward zero, then the last bit set if that was not exact. */
HALF_INLINE float half_odd_f32(double v)
{
    float nearest = (float)v;
    double back = (double)nearest;
    uint32_t away = __builtin_fabs(back) > __builtin_fabs(v), lost = back != v;

    return half_float((half_bits(nearest) - away) | lost);
}

/* An integer of 64 bits as one that f64 holds exactly and that rounds alike to at most 50 bits: past 2^53 the
 * last 11 bits are gathered into the lowest that is kept. */
HALF_INLINE uint64_t half_sticky_u64(uint64_t v)
{
    uint64_t gathered = (v | ((v & 0x7ff) + 0x7ff)) & ~(uint64_t)0x7ff;

    return v >> 53 ? gathered : v;
}

HALF_INLINE int64_t half_sticky_i64(int64_t v)
{
    uint64_t bits = (uint64_t)v, gathered = (bits | ((bits & 0x7ff) + 0x7ff)) & ~(uint64_t)0x7ff;

    return v >> 53 == 0 || v >> 53 == -1 ? v : (int64_t)gathered;
}

#endif
