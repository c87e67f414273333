/* runtime/kernels/dot_f64.c: product kernels of f64 (dot.h). */
#include "runtime/kernels/kernel.h"
#include "runtime/scalar_c.h"

#define T_BYTES 8
#define DT f64
#define DOT_NAME RT_V(rt_dot_f64)
/* acc = s * b + acc, one rounding per lane. */
#if RT_LEVEL == 4
#include <immintrin.h>
#define VFMA(acc, s, b) acc = (vec)_mm512_fmadd_pd(_mm512_set1_pd(s), b, acc)
#elif RT_LEVEL == 3
#include <immintrin.h>
#define VFMA(acc, s, b) acc = (vec)_mm256_fmadd_pd(_mm256_set1_pd(s), b, acc)
#else
#define VFMA(acc, s, b)                         \
    for (int lane_ = 0; lane_ < LANES; lane_++) \
    acc[lane_] = s_fma_f64(s, b[lane_], acc[lane_])
#endif

#include "runtime/kernels/dot.h"
