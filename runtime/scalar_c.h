/* runtime/scalar_c.h: the C binding of the scalar language (ir/scalar.h), its programs and the op table's
 * VALUE column.
 *
 *   s_exp_f32(x)             a program of ir/scalar_*.def for one dtype
 *   v_add_f32(x, z)          the VALUE of an op row; compares return uint8_t 0 or 1; v_select_f32(p, x, z)
 *   s_convert_i64_f32(x)     every pair of dtypes          s_clamp_f32(x, lo, hi)
 *   s_philox(state, offset, i)
 *
 * Everything is straight-line code without branches, so that a plain loop over these functions vectorises.
 * Compile with -std=c17 -ffp-contract=off -fno-math-errno -fno-trapping-math: the bits then equal those of
 * codegen/scalar.c. V is the C type of the dtype; bool is a uint8_t that holds 0 or 1. */
#ifndef TANDEM_SCALAR_C_H
#define TANDEM_SCALAR_C_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "ir/ir.h"
#include "runtime/scalar_prim.h"

/* The language, bound to the dtype named by DT when a macro is used. */
#define SFX(name) S_PASTE(name, DT)
#define V SFX(s_val)
#define I SFX(s_int)
#define M _Bool
#define FN1(name, x) S_INLINE V SFX(s_##name)(V x)
#define FN2(name, x, z) S_INLINE V SFX(s_##name)(V x, V z)
#define CALL1(name, x) SFX(s_##name)(x)
#define CALL2(name, x, z) SFX(s_##name)(x, z)
#define WIDE1(name, x) (float)s_##name##_f64((double)(x))
#define WIDE2(name, x, z) (float)s_##name##_f64((double)(x), (double)(z))
#define RETURN(v) return (v)
#define LET(name, v) const V name = (v)
#define LETI(name, i) const I name = (i)
#define LETM(name, m) const M name = (m)
#define K(d) SFX(s_k)(d)
#define KI(i) ((I)(i))
#define ADD(a, b) SFX(s_add)(a, b)
#define SUB(a, b) SFX(s_sub)(a, b)
#define MUL(a, b) SFX(s_mul)(a, b)
#define DIV(a, b) SFX(s_div)(a, b)
#define NEG(a) SFX(s_neg)(a)
#define ABS(a) SFX(s_abs)(a)
#define FMA(a, b, c) SFX(s_fma)(a, b, c)
#define SCALBN(v, n, w) (w)
#define SQRT(a) SFX(s_sqrt)(a)
#define ROUND(a) SFX(s_round)(a)
#define FLOOR(a) SFX(s_floor)(a)
#define TRUNC(a) SFX(s_trunc)(a)
#define MIN(a, b) SFX(s_min)(a, b)
#define MAX(a, b) SFX(s_max)(a, b)
#define EQ(a, b) ((M)((a) == (b)))
#define NE(a, b) ((M)((a) != (b)))
#define LT(a, b) ((M)((a) < (b)))
#define LE(a, b) ((M)((a) <= (b)))
#define GT(a, b) ((M)((a) > (b)))
#define GE(a, b) ((M)((a) >= (b)))
#define MAND(m, n) s_mand(m, n)
#define MOR(m, n) s_mor(m, n)
#define MNOT(m) ((M) !(m))
#define SEL(m, a, b) SFX(s_sel)(m, a, b)
#define SELI(m, i, j) SFX(s_seli)(m, i, j)
#define IADD(i, j) SFX(s_iadd)(i, j)
#define ISUB(i, j) SFX(s_isub)(i, j)
#define IMUL(i, j) SFX(s_imul)(i, j)
#define IAND(i, j) ((I)((i) & (j)))
#define IOR(i, j) ((I)((i) | (j)))
#define IXOR(i, j) ((I)((i) ^ (j)))
#define ISHL(i, n) SFX(s_ishl)(i, n)
#define ISHR(i, n) SFX(s_ishr)(i, n)
#define ISAR(i, n) ((I)((i) >> (n)))
#define IEQ(i, j) ((M)((i) == (j)))
#define ILT(i, j) ((M)((i) < (j)))
#define BITS(v) SFX(s_bits)(v)
#define FROMBITS(i) SFX(s_frombits)(i)
#define TOI(v) ((I)(v))
#define TOF(i) ((V)(i))
#define TABLE(name, count) static const V SFX(t_##name)[count]
#define AT(name, i) SFX(t_##name)[i]
#define AND(a, b) ((V)((a) & (b)))
#define OR(a, b) ((V)((a) | (b)))
#define XOR(a, b) ((V)((a) ^ (b)))
#define NOT(a) SFX(s_not)(a)
#define SHL(a, n) SFX(s_shl)(a, n)
#define SHR(a, n) SFX(s_shr)(a, n)

/* Result type of a row: the dtype, or uint8_t where the VALUE's outermost operation is a compare. */
#define S_SECOND_(a, b, ...) b
#define S_SECOND(...) S_SECOND_(__VA_ARGS__, )
#define S_IS_EQ(a, b) ~, uint8_t
#define S_IS_NE(a, b) ~, uint8_t
#define S_IS_LT(a, b) ~, uint8_t
#define S_IS_LE(a, b) ~, uint8_t
#define S_IS_GT(a, b) ~, uint8_t
#define S_IS_GE(a, b) ~, uint8_t

#define DT f64
#include "ir/scalar_f64.def"
#undef DT
#define DT f32
#include "ir/scalar_f32.def"
#undef DT
#define EACH "ir/scalar_num.def"
#include "ir/each_real.def"
#include "ir/each_int.def"
#undef EACH
#define EACH "runtime/scalar_rows.h"
#include "ir/each_dtype.def"
#undef EACH

#include "runtime/scalar_undef.h"

#endif
