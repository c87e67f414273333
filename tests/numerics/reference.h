/* tests/numerics/reference.h: docs/numerics.md as plain, slow C.
 *
 * ref_compute follows the page rule by rule, element by element, with no thought for speed; it shares no code
 * with the eager kernels but the scalar programs of the transcendental functions (ir/scalar_*.def), which
 * *are* the definition. */
#ifndef TANDEM_TESTS_REFERENCE_H
#define TANDEM_TESTS_REFERENCE_H

#include "runtime/array.h"

/* Offset in x, in elements, of the one whose row-major number is `linear`. */
int64_t ref_offset(const rt_array *x, int64_t linear);

/* y = op(x..); y row-major; false: an op the reference does not know or out of memory. */
bool ref_compute(ir_op op, const ir_attrs *a, const rt_array *const *x, int n, const rt_array *y);

/* Rules 13 and 14 (reference_runs.c): the same for scans and argsort. */
bool ref_scan(ir_op op, const ir_attrs *a, const rt_array *const *x, int n, const rt_array *y);
void ref_cumsum(const float *x, int64_t n, float *y); /* rule 13 */

/* Rules 4 and 5 on contiguous elements. */
#define REF_DECLARE(dt, T)                               \
    T ref_sum_inner_##dt(const T *x, int64_t n);         \
    T ref_sum_outer_##dt(const T *x, int64_t n);         \
    T ref_prod_inner_##dt(const T *x, int64_t n);        \
    T ref_prod_outer_##dt(const T *x, int64_t n);        \
    T ref_chain_##dt(const T *a, const T *b, int64_t k); \
    T ref_tree_##dt(const T *a, const T *b, int64_t k);
REF_DECLARE(f32, float)
REF_DECLARE(f64, double)

/* Rule 3: an op on integers of dtype d, before it wraps; a float as an integer. */
int64_t ref_integer(ir_op op, ir_dtype d, int64_t x, int64_t z);
int64_t ref_saturated(double x, ir_dtype to);

/* Half precision: the value of bits, the nearest value of the dtype, the bits of a value. */
double ref_half_value(ir_dtype d, uint16_t bits);
double ref_half_rounded(ir_dtype d, long double v);
uint16_t ref_half_bits(ir_dtype d, double v);
bool ref_scan_half(ir_op op, const ir_attrs *a, const rt_array *const *x, int n, const rt_array *y);

/* Rule 10: all four words. */
void ref_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

#endif
