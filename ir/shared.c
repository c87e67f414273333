/* ir/shared.c: see shared.h.  Graphs of one constant may be freed by different threads: the count is atomic.
 */
#include "shared.h"

#include <stdint.h>

#include "arena.h"

enum { LINE = 64 };

struct ir_shared {
    int holders;
};

ir_shared *ir_shared_new(size_t bytes)
{
    ir_shared *s = bytes < SIZE_MAX - 2 * LINE ? ir_mem_alloc(sizeof *s + LINE + bytes) : NULL;

    if (s)
        s->holders = 1;
    return s;
}

void *ir_shared_data(ir_shared *s)
{
    uintptr_t at = (uintptr_t)(s + 1);

    return (char *)(s + 1) + (LINE - at % LINE) % LINE;
}

void ir_shared_hold(ir_shared *s)
{
    __atomic_add_fetch(&s->holders, 1, __ATOMIC_RELAXED);
}

void ir_shared_release(ir_shared *s)
{
    if (s && __atomic_sub_fetch(&s->holders, 1, __ATOMIC_ACQ_REL) == 0)
        ir_mem_free(s);
}
