/* runtime/eager.h: what the files of the eager engine share: blocks of memory, bare tensors, the tape.
 *
 * All memory of a context comes from blocks: sizes up to 4 KiB (and a header) from free lists by multiples of
 * 64 bytes, larger ones from a bounded cache with four classes per octave, so that neither small ops nor the
 * large temporaries of training pay malloc or page faults at every step.  Under ASan nothing is cached, so
 * that leaks and uses after free show. */
#ifndef TANDEM_RT_EAGER_H
#define TANDEM_RT_EAGER_H

#include "runtime/tensor.h"

#if defined(__SANITIZE_ADDRESS__)
#define RT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RT_ASAN 1
#endif
#endif
#ifndef RT_ASAN
#define RT_ASAN 0
#endif

#define RT_SMALL ((size_t)4096)           /* data up to here lies in one block with its rt_storage */
#define RT_HEADER ((size_t)64)            /* of such a block: room for rt_storage, keeps data aligned */
#define RT_SMALL_CLASSES 66               /* (RT_HEADER + RT_SMALL) / 64, and class 0, which stays empty */
#define RT_LARGE_CLASSES 128              /* 4 KiB to 2^44 bytes */
#define RT_LARGE_KEEP ((size_t)512 << 20) /* bytes that the cache of large blocks may hold */

struct rt_scope {
    rt_scope *outer;
    tdm_tensor *first;
};

typedef struct rt_block {
    struct rt_block *next;
} rt_block;

struct rt_caches {
    rt_block *small[RT_SMALL_CLASSES];
    rt_block *large[RT_LARGE_CLASSES];
    size_t large_bytes;      /* in `large` */
    int64_t fail_in;         /* tests: allocations until one fails; < 0: none */
    rt_scope root, held;     /* the outermost scope; what was taken out of all scopes */
    uint32_t unopened;       /* scopes that memory did not suffice for: as many closes do nothing */
    tdm_tensor *placeholder; /* the last one made for the tape: most ops in a row have one type */
    rt_tape_node *dying;     /* nodes without references whose links are still to be dropped */
    bool draining;
    uint64_t run;         /* number of the last backward */
    uint64_t checkpoints; /* number of the last checkpointed region */
};

/* cache.c.  NULL + sticky IR_ENOMEM on failure.  `bytes` of put must be those of get. */
void *rt_block_get_slow(rt_context *c, size_t bytes);
void rt_block_put_slow(rt_context *c, void *p, size_t bytes);
void rt_block_free(void *p, size_t bytes); /* of any context, by any thread; more than RT_SMALL bytes */

static inline void *rt_block_get(rt_context *c, size_t bytes)
{
    size_t k = (bytes + 63) / 64;
    rt_block *b = k < RT_SMALL_CLASSES ? c->caches->small[k] : NULL;

    if (!b) {
        return rt_block_get_slow(c, bytes);
    }
    c->caches->small[k] = b->next;
    return b;
}

static inline void rt_block_put(rt_context *c, void *p, size_t bytes)
{
    size_t k = (bytes + 63) / 64;

    if (RT_ASAN || k >= RT_SMALL_CLASSES) {
        rt_block_put_slow(c, p, bytes);
        return;
    }
    ((rt_block *)p)->next = c->caches->small[k];
    c->caches->small[k] = p;
}

/* tensor.c.  These are in no scope: the caller owns the reference. */
tdm_tensor *rt_result_new(rt_context *c, const ir_type *t); /* row-major storage, type not checked */
tdm_tensor *rt_alias(tdm_tensor *t);                        /* same storage, type and place on the tape */
tdm_tensor *rt_alias_at(tdm_tensor *t,
                        const rt_array *a); /* same storage seen through `a`; a leaf without gradient */
tdm_tensor *rt_place_new(rt_context *c, const ir_type *t); /* a placeholder */
/* Row-major copy of x's elements into `data`. */
ir_status rt_copy_elements(const rt_engine *e, const rt_array *x, void *data);

static inline bool rt_same_type(const ir_type *a, const ir_type *b)
{
    if (a->dtype != b->dtype || a->rank != b->rank) {
        return false;
    }
    for (int i = 0; i < a->rank; i++) {
        if (a->dims[i] != b->dims[i]) {
            return false;
        }
    }
    return true;
}

void rt_drop_storage(tdm_tensor *t); /* what is left is a placeholder */

/* checkpoint.c */
/* y = op(x...) was computed while a region is open; false when out of memory. */
bool rt_checkpoint_log(rt_context *c, ir_op op, const ir_attrs *a, tdm_tensor *const *x, int n,
                       tdm_tensor *y);
bool rt_checkpoint_note(rt_context *c, rt_tape_node *n);        /* n was recorded in the region */
ir_status rt_checkpoint_check(rt_context *c, rt_checkpoint *k); /* is what it reads as it was? */
ir_status rt_checkpoint_fill(rt_context *c, rt_tape_node *n);   /* n's empty slots */
void rt_checkpoint_leave(rt_context *c, rt_tape_node *n);       /* n dies with empty slots */

/* scope.c */
static inline tdm_tensor *rt_scope_join(rt_scope *s, tdm_tensor *t)
{
    if (t) {
        t->scope = s;
        t->scope_prev = NULL;
        t->scope_next = s->first;
        if (s->first) {
            s->first->scope_prev = t;
        }
        s->first = t;
    }
    return t;
}

static inline tdm_tensor *rt_scope_add(rt_context *c, tdm_tensor *t)
{
    return rt_scope_join(c->scope, t);
}

void rt_scope_remove(tdm_tensor *t);
void rt_scope_drain(rt_scope *s); /* releases all that live in s */

/* tape.c */
/* Makes y = op(x...) the result of a new tape node; false + sticky error when out of memory. */
bool rt_tape_record(rt_context *c, ir_op op, const ir_attrs *a, tdm_tensor *const *x, int n, tdm_tensor *y);
/* The node that t's gradient goes to, not retained; NULL: none, or no memory. */
rt_tape_node *rt_tape_edge(tdm_tensor *t);
void rt_node_release(rt_context *c, rt_tape_node *n);
void rt_node_drop_saved(rt_context *c, rt_tape_node *n);
ir_status rt_node_check_saved(rt_context *c, const rt_tape_node *n); /* not freed, not changed in place */

#endif
