/* runtime/memory.c: aligned memory for tensors, constants and arenas.
 *
 *   < 2 MiB    64-byte aligned, from malloc
 *   >= 2 MiB   2 MiB aligned, mapped, with advice to back it by huge pages: a fresh 64 MiB result then
 *              costs 32 page faults instead of 16,384
 *
 * A tensor of 9 MiB has a block of 10 (cache.c), of which a fifth huge page would make all resident:
 * rt_trim_end. rt_free needs the size that rt_alloc was asked for.  Under ASan all memory comes from its
 * malloc. */
#include "runtime/array.h"
#include "runtime/eager.h"

#include <stdlib.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)
#define LARGE HUGE_PAGE

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* Maps one huge page more than needed and unmaps what lies before and after the aligned part. */
static void *map_large(size_t bytes)
{
    size_t size = round_up(bytes, HUGE_PAGE), before, after;
    char *p = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        return NULL;
    }
    before = round_up((uintptr_t)p, HUGE_PAGE) - (uintptr_t)p;
    after = HUGE_PAGE - before;
    if (before) {
        munmap(p, before);
    }
    if (after) {
        munmap(p + before + size, after);
    }
    madvise(p + before, size, MADV_HUGEPAGE); /* only advice: refused where the kernel has no huge pages */
    return p + before;
}

void rt_trim_end(void *p, size_t bytes, size_t used)
{
    if (bytes >= LARGE && !RT_ASAN && used % HUGE_PAGE) {
        madvise((char *)p + used / HUGE_PAGE * HUGE_PAGE, HUGE_PAGE, MADV_NOHUGEPAGE);
    }
}

void *rt_alloc(size_t bytes)
{
    if (bytes > SIZE_MAX / 2) {
        return NULL;
    }
    if (bytes >= LARGE && !RT_ASAN) {
        return map_large(bytes);
    }
    return aligned_alloc(64, round_up(bytes ? bytes : 1, 64));
}

void rt_free(void *p, size_t bytes)
{
    if (p && bytes >= LARGE && !RT_ASAN) {
        munmap(p, round_up(bytes, HUGE_PAGE));
    } else {
        free(p);
    }
}
