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
    void *data;
    size_t bytes;
    ir_shared_drop *drop; /* NULL: the data lies behind this header */
};

ir_shared *ir_shared_new(size_t bytes)
{
    size_t aligned = bytes >= HUGE_PAGE ? HUGE_PAGE : LINE;
    ir_shared *s = bytes < SIZE_MAX / 2 ? ir_mem_alloc(sizeof *s + aligned + bytes) : NULL;

    if (!s)
        return NULL;
    *s = (ir_shared){1, (char *)(s + 1) + (aligned - (uintptr_t)(s + 1) % aligned) % aligned, bytes, NULL};
    if (aligned == HUGE_PAGE) /* only advice: refused where the system has none */
        madvise(s->data, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    return s;
}

ir_shared *ir_shared_adopt(void *data, size_t bytes, ir_shared_drop *drop)
{
    ir_shared *s = ir_mem_alloc(sizeof *s);

    if (s)
        *s = (ir_shared){1, data, bytes, drop};
    return s;
}

void *ir_shared_data(ir_shared *s)
{
    return s->data;
}

void ir_shared_hold(ir_shared *s)
{
    __atomic_add_fetch(&s->holders, 1, __ATOMIC_RELAXED);
}

void ir_shared_release(ir_shared *s)
{
    if (!s || __atomic_sub_fetch(&s->holders, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    if (s->drop)
        s->drop(s->data, s->bytes);
    ir_mem_free(s);
}

bool ir_shared_alone(const ir_shared *s)
{
    return __atomic_load_n(&s->holders, __ATOMIC_ACQUIRE) == 1; /* nobody else can add to that */
}

bool ir_shared_take(ir_shared *s)
{
    if (!ir_shared_alone(s))
        return false;
    ir_mem_free(s);
    return true;
}
