/* tests/numerics/reference_parts.h: what the files of the reference share. */
#ifndef TANDEM_TESTS_REFERENCE_PARTS_H
#define TANDEM_TESTS_REFERENCE_PARTS_H

#include "runtime/array.h"

typedef struct ref_value {
    double f;  /* f32 and f64, exactly */
    int64_t i; /* integers and bool */
} ref_value;

ref_value ref_at(const rt_array *x, int64_t linear);                  /* element in row-major order */
void ref_put(const rt_array *y, int64_t at, ref_value v);             /* y row-major; integers wrap */
ref_value ref_binary(ir_op op, ir_dtype d, ref_value x, ref_value z); /* a pointwise op */

/* reference_index.c */
void ref_concat(const ir_attrs *a, const rt_array *const *x, int n, const rt_array *y);
bool ref_index(ir_op op, const rt_array *const *x, const rt_array *y);

#endif
