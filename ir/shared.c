/* ir/shared.c: see shared.h.  Graphs of one constant may be freed by different threads: the count is atomic.
 *
 * Data of some size starts at a huge page, and asks for such pages: weights are laid out and streamed through
 * without a page fault and an address translation for every 4 KiB. */
#include "shared.h"

#include <stdint.h>
#include <sys/mman.h>

#include "arena.h"

#define LINE ((size_t)64)
#define HUGE_PAGE ((size_t)2 << 20)

struct ir_shared {
    int holders;
    size_t aligned; /* data starts at the first multiple of this */
};

static void *data_of(ir_shared *s)
{
    uintptr_t at = (uintptr_t)(s + 1);

    return (char *)(s + 1) + (s->aligned - at % s->aligned) % s->aligned;
}

ir_shared *ir_shared_new(size_t bytes)
{
    size_t aligned = bytes >= HUGE_PAGE ? HUGE_PAGE : LINE;
    ir_shared *s = bytes < SIZE_MAX / 2 ? ir_mem_alloc(sizeof *s + aligned + bytes) : NULL;

    if (!s)
        return NULL;
    *s = (ir_shared){1, aligned};
    if (aligned == HUGE_PAGE) /* only advice: refused where the system has none */
        madvise(data_of(s), bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    return s;
}

void *ir_shared_data(ir_shared *s)
{
    return data_of(s);
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
