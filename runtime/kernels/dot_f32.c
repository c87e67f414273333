/* runtime/kernels/dot_f32.c: product kernels of f32 (dot.h). */
#include "runtime/kernels/kernel.h"
#include "runtime/scalar_c.h"

#define T_BYTES 4
#define DT f32
#define DOT_NAME RT_V(rt_dot_f32)
/* acc = s * b + acc, one rounding per lane. */
#if RT_LEVEL == 4
#include <immintrin.h>
#define VFMA(acc, s, b) acc = (vec)_mm512_fmadd_ps(_mm512_set1_ps(s), b, acc)
#elif RT_LEVEL == 3
#include <immintrin.h>
#define VFMA(acc, s, b) acc = (vec)_mm256_fmadd_ps(_mm256_set1_ps(s), b, acc)
#else
#define VFMA(acc, s, b)                         \
    for (int lane_ = 0; lane_ < LANES; lane_++) \
    acc[lane_] = s_fma_f32(s, b[lane_], acc[lane_])
#endif

#include "runtime/kernels/dot.h"
