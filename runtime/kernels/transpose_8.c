/* runtime/kernels/transpose_8.c: transposes of 8 byte elements, square by square in registers. */
#define T_ELEM uint64_t
#define T_BYTES 8
#define TRANSPOSE rt_transpose_8
#include "runtime/kernels/transpose_plane.h"
