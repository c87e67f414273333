/* runtime/kernels/transpose_4.c: transposes of 4 byte elements, square by square in registers. */
#define T_ELEM uint32_t
#define T_BYTES 4
#define TRANSPOSE rt_transpose_4
#include "runtime/kernels/transpose_plane.h"
