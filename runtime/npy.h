/* runtime/npy.h: .npy files, version 1 and 2, C and Fortran order, Tandem's dtypes.
 * Every length is checked. */
#ifndef TANDEM_RT_NPY_H
#define TANDEM_RT_NPY_H

#include "ir/ir.h"

/* Reads a whole file into new row-major memory (free with free()).  Errors name file and what is wrong. */
ir_status rt_npy_read(const char *path, ir_type *type, void **data, ir_error *e);
ir_status rt_npy_parse(const void *bytes, size_t size, const char *name, ir_type *type, void **data,
                       ir_error *e);
/* Magic, version 1.0, length and dict, padded so that the data starts at a multiple of 64; its size. */
size_t rt_npy_header(const ir_type *t, char buf[512]);
ir_status rt_npy_write(const char *path, const ir_type *type, const void *data, ir_error *e);

#endif
