/* runtime/scope.c: scopes, which own the tensors that ops make.
 *
 *   open; a = f(x); b = g(a); keep(b); close     ->  a is gone, b lives in the scope around
 *
 * A scope is the head of a list that runs through the tensors, so joining and leaving cost a few stores.
 * It holds one reference to each; the tape, a .grad and rt_retain hold others, so what they need outlives
 * the scope. */
#include "runtime/eager.h"

void rt_scope_open(rt_context *c)
{
    rt_scope *s = c->caches->unopened ? NULL : rt_block_get(c, sizeof *s);

    if (!s) { /* the error is recorded; keep opens and closes in step */
        c->caches->unopened++;
        return;
    }
    s->outer = c->scope;
    s->first = NULL;
    c->scope = s;
}

void rt_scope_drain(rt_scope *s)
{
    while (s->first) {
        tdm_tensor *t = s->first;

        rt_scope_remove(t);
        rt_release(t);
    }
}

void rt_scope_close(rt_context *c)
{
    rt_scope *s = c->scope;

    if (c->caches->unopened) {
        c->caches->unopened--;
        return;
    }
    if (!s->outer) {
        return;
    }
    c->scope = s->outer;
    rt_scope_drain(s);
    rt_block_put(c, s, sizeof *s);
}

void rt_scope_remove(tdm_tensor *t)
{
    if (t->scope_prev) {
        t->scope_prev->scope_next = t->scope_next;
    } else {
        t->scope->first = t->scope_next;
    }
    if (t->scope_next) {
        t->scope_next->scope_prev = t->scope_prev;
    }
    t->scope = NULL;
    t->scope_next = t->scope_prev = NULL;
}

tdm_tensor *rt_keep(tdm_tensor *t)
{
    rt_scope *s = t ? t->scope : NULL;

    if (s && s == t->ctx->scope && s->outer && !t->ctx->caches->unopened) {
        rt_scope_remove(t);
        rt_scope_join(s->outer, t);
    }
    return t;
}

tdm_tensor *rt_hold(tdm_tensor *t)
{
    struct rt_caches *k = t ? t->ctx->caches : NULL;

    if (t && t->scope && t->scope != &k->held) {
        rt_scope_remove(t);
        rt_scope_join(&k->held, t);
    } else if (t) {
        t->refs++; /* one more owner */
    }
    return t;
}
