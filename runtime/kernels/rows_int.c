/* runtime/kernels/rows_int.c: the pointwise ops on rows of integers and bool (rows.def). */
#include "runtime/kernels/kernel.h"
#include "runtime/scalar_c.h"

#define TABLE__(dt) RT_V(rt_rows_##dt)
#define TABLE_(dt) TABLE__(dt)
#define ON_D_ANY(...) __VA_ARGS__
#define ON_D_NUM(...) __VA_ARGS__
#define ON_D_FLOAT(...)
#define ON_D_INT(...) __VA_ARGS__
#define ON_D_BITS(...) __VA_ARGS__
#define ON_D_BOOL(...)

#define DT u8
#include "runtime/kernels/rows.def"
#undef DT
#define DT u32
#include "runtime/kernels/rows.def"
#undef DT
#define DT i32
#include "runtime/kernels/rows.def"
#undef DT
#define DT i64
#include "runtime/kernels/rows.def"
#undef DT

#undef ON_D_NUM
#undef ON_D_INT
#undef ON_D_BOOL
#define ON_D_NUM(...)
#define ON_D_INT(...)
#define ON_D_BOOL(...) __VA_ARGS__

#undef bool /* stdbool.h's macro would be pasted as _Bool */
#define DT bool
#include "runtime/kernels/rows.def"
