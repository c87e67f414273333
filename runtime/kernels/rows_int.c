/* runtime/kernels/rows_int.c: the pointwise ops on rows of integers and bool (rows.def). */
#include "runtime/kernels/kernel.h"
#include "runtime/scalar_c.h"

#define TABLE__(dt) RT_V(rt_rows_##dt)
#define TABLE_(dt) TABLE__(dt)
#define EACH "runtime/kernels/rows.def"
#include "ir/each_int.def"
#include "ir/each_bool.def"
