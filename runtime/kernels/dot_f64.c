/* runtime/kernels/dot_f64.c: product kernels of f64 (dot.h). */
#include "runtime/kernels/kernel.h"
#include "runtime/kernels/partials.h"
#include "runtime/scalar_c.h"

#define T_BYTES 8
#define DT f64
#define DOT_NAME RT_V(rt_dot_f64)
/* acc = a * b + acc, one rounding per lane. */
#if RT_LEVEL == 4
#include <immintrin.h>
#define VSPLAT(s) _mm512_set1_pd(s)
#define VFMA(acc, a, b) acc = (vec)_mm512_fmadd_pd(a, b, acc)
#elif RT_LEVEL == 3
#include <immintrin.h>
#define VSPLAT(s) _mm256_set1_pd(s)
#define VFMA(acc, a, b) acc = (vec)_mm256_fmadd_pd(a, b, acc)
#else
#define VSPLAT(s) ((s) - (vec){0}) /* keeps -0 */
#define VFMA(acc, a, b)                                           \
    do {                                                          \
        vec a_ = (vec)(a), b_ = (vec)(b);                         \
                                                                  \
        for (int lane = 0; lane < LANES; lane++)                  \
            acc[lane] = s_fma_f64(a_[lane], b_[lane], acc[lane]); \
    } while (0)
#endif

#include "runtime/kernels/dot.h"
