/* runtime/kernels/rows_f64.c: the pointwise ops on rows of f64 (rows.def). */
#include "runtime/kernels/kernel.h"
#include "runtime/scalar_c.h"

#define TABLE_(dt) RT_V(rt_rows_f64)
#define ON_D_ANY(...) __VA_ARGS__
#define ON_D_NUM(...) __VA_ARGS__
#define ON_D_FLOAT(...) __VA_ARGS__
#define ON_D_INT(...)
#define ON_D_BITS(...)
#define ON_D_BOOL(...)

#define DT f64
#include "runtime/kernels/rows.def"
