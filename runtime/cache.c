/* runtime/cache.c: the blocks of a context that are not in use (see eager.h).
 *
 *   small   one list per multiple of 64 bytes: never given back before the context ends
 *   large   sizes rounded up to 5, 6, 7 or 8 times a power of two; at most RT_LARGE_KEEP bytes are kept,
 *           and all of it is given back when the system has no more memory
 *
 * Cost: a hit is a load and a store. */
#include "runtime/eager.h"

/* Rounds bytes > RT_SMALL up to its class's size. */
static size_t large_class(size_t bytes, unsigned *cls)
{
    unsigned top = 63 - (unsigned)__builtin_clzll(bytes - 1), shift = top - 2;
    size_t units = ((bytes - 1) >> shift) + 1; /* 5 to 8 */

    *cls = (top - 12) * 4 + (unsigned)units - 5;
    return units << shift;
}

void rt_block_free(void *p, size_t bytes)
{
    unsigned cls;

    rt_free(p, large_class(bytes, &cls));
}

static void free_list(rt_block **list, size_t bytes)
{
    while (*list) {
        rt_block *b = *list;

        *list = b->next;
        rt_free(b, bytes);
    }
}

static void drop_large(struct rt_caches *k)
{
    for (unsigned i = 0; i < RT_LARGE_CLASSES; i++) {
        free_list(&k->large[i], (size_t)(i % 4 + 5) << (i / 4 + 10));
    }
    k->large_bytes = 0;
}

void rt_context_trim(rt_context *c)
{
    struct rt_caches *k = c->caches;

    for (size_t i = 1; i < RT_SMALL_CLASSES; i++) {
        free_list(&k->small[i], i * 64);
    }
    drop_large(k);
}

void rt_context_fail_alloc(rt_context *c, int64_t n)
{
    c->caches->fail_in = n;
}

/* Tests: true once, when the countdown has run out. */
static bool must_fail(struct rt_caches *k)
{
    if (k->fail_in < 0) {
        return false;
    }
    k->fail_in--;
    return k->fail_in < 0;
}

static void *fresh(rt_context *c, size_t bytes, size_t wanted)
{
    struct rt_caches *k = c->caches;
    void *p = must_fail(k) ? NULL : rt_alloc(bytes);

    if (!p && k->large_bytes && k->fail_in < 0) {
        drop_large(k);
        p = rt_alloc(bytes);
    }
    if (!p) {
        ir_fail(&c->error, IR_ENOMEM, "out of memory: %zu bytes wanted, %zu bytes of tensors live", wanted,
                c->live_bytes);
        return NULL;
    }
    rt_trim_end(p, bytes, wanted);
    return p;
}

void *rt_block_get_slow(rt_context *c, size_t bytes)
{
    struct rt_caches *k = c->caches;
    unsigned cls;
    size_t size;
    rt_block *b;

    if ((bytes + 63) / 64 < RT_SMALL_CLASSES) {
        return fresh(c, (bytes + 63) / 64 * 64, bytes);
    }
    if (bytes >= (size_t)1 << 44) {
        ir_fail(&c->error, IR_ENOMEM, "out of memory: %zu bytes wanted", bytes);
        return NULL;
    }
    size = large_class(bytes, &cls);
    b = k->large[cls];
    if (!b) {
        return fresh(c, size, bytes);
    }
    k->large[cls] = b->next;
    k->large_bytes -= size;
    return b;
}

void rt_block_put_slow(rt_context *c, void *p, size_t bytes)
{
    struct rt_caches *k = c->caches;
    unsigned cls;
    size_t size;

    if ((bytes + 63) / 64 < RT_SMALL_CLASSES) { /* only under ASan */
        rt_free(p, (bytes + 63) / 64 * 64);
        return;
    }
    size = large_class(bytes, &cls);
    if (RT_ASAN || k->large_bytes + size > RT_LARGE_KEEP) {
        rt_free(p, size);
        return;
    }
    ((rt_block *)p)->next = k->large[cls];
    k->large[cls] = p;
    k->large_bytes += size;
}
