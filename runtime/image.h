/* runtime/image.h: a compiled program before it is linked: what codegen makes, what a file on disk keeps, and
 * what becomes a program in memory. */
#ifndef TANDEM_RT_IMAGE_H
#define TANDEM_RT_IMAGE_H

#include "runtime/code.h"
#include "runtime/program.h"

#define RT_ENTRY_SYMBOL "tandem_entry" /* the function that runs the whole program */

enum { RT_IMAGE_OBJECTS = 16 };

typedef struct rt_image_kernel {
    const char *symbol;
    int64_t units, grain; /* as in rt_program_kernel */
    double flops, bytes;
    unsigned freedoms;
} rt_image_kernel;

/* A view: it owns nothing. */
typedef struct rt_image {
    const rt_image_kernel *kernels; /* one for each of the graph's, in order */
    int kernel_count;
    rt_object objects[RT_IMAGE_OBJECTS];
    int object_count;
} rt_image;

/* As bytes, from malloc; NULL when out of memory. */
unsigned char *rt_image_pack(const rt_image *m, size_t *size);
/* From bytes at a multiple of 8, which must outlive it; false if they are no image.  The caller frees
 * m->kernels. */
bool rt_image_unpack(rt_image *m, const unsigned char *bytes, size_t size);
/* Links m and fills p's entry, kernels and constants, or none of them; p->graph is set.  debug as in
 * rt_code_link. */
ir_status rt_image_load(const rt_image *m, rt_program *p, bool debug, ir_error *e);

#endif
