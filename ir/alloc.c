/* ir/alloc.c: where ir/ gets memory.  Nothing else may be in this file: a test that defines these four
 * functions keeps this object out of the link and so fails any allocation it likes, without a hook in the
 * library. */
#include <stdlib.h>

#include "arena.h"

void *ir_mem_alloc(size_t bytes)
{
    return malloc(bytes);
}

void *ir_mem_zero(size_t bytes)
{
    return calloc(1, bytes);
}

void *ir_mem_resize(void *p, size_t bytes)
{
    return realloc(p, bytes);
}

void ir_mem_free(void *p)
{
    free(p);
}
