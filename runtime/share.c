/* runtime/share.c: constants of graphs hold a tensor's bytes without a copy, until somebody writes to it.
 *
 *   capture    tensor -> bytes <- constant          write    tensor -> copy     bytes <- constant
 *
 * The tensor moves, since a constant's address is in graphs, programs and executions.  So its storage has to
 * be known to it alone: a storage with views, or whose address an execution keeps, is not shared, and
 * becomes the tensor's own before either comes to be.  What writes to a tensor that may have been captured
 * asks for rt_own first: rt_assign, tdm_write, and, by rt_pin, what a program writes.
 *
 * Cost: a capture takes 0.3 to 0.8 us, where a copy of 8 KiB took 2 and one of 1 MiB 570 (Zen 4); the
 * first write of a tensor whose constant still lives takes what the copy did.  Data that shares a block with
 * its header (RT_SMALL) is copied at once. */
#include "ir/shared.h"
#include "runtime/eager.h"

static bool can_share(const tdm_tensor *t)
{
    const rt_storage *s = t->storage;

    return s && s->bytes > RT_SMALL && s->refs == 1 && !s->pinned && t->a.data == s->data &&
           rt_array_is_contiguous(&t->a) && ir_type_bytes(&t->a.type) == s->bytes;
}

ir_shared *rt_share(tdm_tensor *t)
{
    rt_storage *s = t->storage;

    if (!can_share(t)) {
        return NULL;
    }
    if (!s->shared) {
        s->shared = ir_shared_adopt(s->data, s->bytes, rt_block_free);
    }
    if (s->shared) {
        ir_shared_hold(s->shared);
    }
    return s->shared;
}

bool rt_own_slow(tdm_tensor *t)
{
    rt_storage *s = t->storage;

    if (!ir_shared_take(s->shared)) {
        void *copy = rt_block_get(t->ctx, s->bytes);

        if (!copy) {
            return false;
        }
        rt_copy_elements(&t->ctx->engine, &t->a, copy); /* row-major: can't fail */
        ir_shared_release(s->shared);
        s->data = t->a.data = copy;
    }
    s->shared = NULL;
    return true;
}

bool rt_pin(tdm_tensor *t)
{
    if (!rt_own(t)) {
        return false;
    }
    t->storage->pinned = true;
    return true;
}
