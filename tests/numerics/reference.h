/* tests/numerics/reference.h: docs/numerics.md as plain, slow C.
 *
 * ref_compute follows the page rule by rule, element by element, with no thought for speed; it shares no code
 * with the eager kernels but the scalar programs of the transcendental functions (ir/scalar_*.def), which
 * *are* the definition. */
#ifndef TANDEM_TESTS_REFERENCE_H
#define TANDEM_TESTS_REFERENCE_H

#include "runtime/array.h"

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

/* Rule 10: all four words. */
void ref_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

#endif
