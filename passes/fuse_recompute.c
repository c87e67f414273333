/* passes/fuse_recompute.c: compute a cheap value again where it is read, instead of storing it.
 *
 *   forward stores xhat = (x - mean) * rstd, read by two backward kernels
 *   ->  both compute it from x (in memory anyway), mean and rstd (one number a row)
 *
 * The value and what is between it and memory become FREE, which lists them in every kernel that reads them:
 * no node is copied.  Done where it saves traffic and costs at most a few operations an element. */
#include "passes/fuse.h"

#include <string.h>

enum { MAX_INSIDE = 4, MAX_LEAVES = 12 };
static const double max_flops = 3;

/* v and the nodes between it and memory, and what they load. */
typedef struct formula {
    ir_ref inside[MAX_INSIDE], leaves[MAX_LEAVES];
    int inside_count, leaf_count;
    double flops, new_stores;
} formula;

static bool is_shared(const fuse *f, ir_ref r)
{
    for (uint32_t i = f->user_at[r]; i < f->user_at[r + 1]; i++) {
        if (f->group[f->user[i]] != f->group[r]) {
            return true;
        }
    }
    return f->stored[r];
}

static bool is_cheap(const fuse *f, ir_ref r)
{
    const ir_node *n = &f->g->nodes[r];

    return ir_ops[n->op].cls == IR_POINTWISE && !(ir_ops[n->op].facts & IR_EXPENSIVE);
}

static bool add_once(ir_ref *list, int *count, int capacity, ir_ref r)
{
    for (int i = 0; i < *count; i++) {
        if (list[i] == r) {
            return true;
        }
    }
    if (*count == capacity) {
        return false;
    }
    list[(*count)++] = r;
    return true;
}

/* Fills *e for value v; false if it is no cheap formula of values in memory. */
static bool describe(const fuse *f, ir_ref v, formula *e)
{
    *e = (formula){.inside = {v}, .inside_count = 1};
    for (int i = 0; i < e->inside_count; i++) {
        ir_ref r = e->inside[i];

        e->flops += ir_ops[f->g->nodes[r].op].flops;
        if (e->flops > max_flops) {
            return false;
        }
        for (uint32_t j = f->base_at[r]; j < f->base_at[r + 1]; j++) {
            ir_ref b = f->base[j];
            bool in_memory = f->role[b] == FUSE_MEMORY || is_shared(f, b);
            bool small = 8 * fuse_weight(f, b) <= fuse_weight(f, v);
            int before = e->leaf_count;

            if (in_memory || small) {
                if (!add_once(e->leaves, &e->leaf_count, MAX_LEAVES, b)) {
                    return false;
                }
                e->new_stores += !in_memory && e->leaf_count > before ? fuse_weight(f, b) : 0;
            } else if (!is_cheap(f, b) || !add_once(e->inside, &e->inside_count, MAX_INSIDE, b)) {
                return false;
            }
        }
    }
    return true;
}

static bool reads(const fuse *f, const fuse_group *m, ir_ref r)
{
    for (uint32_t i = f->user_at[r]; i < f->user_at[r + 1]; i++) {
        if (&f->groups[f->group[f->user[i]]] == m) {
            return true;
        }
    }
    return false;
}

/* Groups other than its own that read v, once each, into f->order (free until fuse_order). */
static int list_readers(fuse *f, ir_ref v)
{
    int count = 0;

    f->stamp++;
    for (uint32_t i = f->user_at[v]; i < f->user_at[v + 1]; i++) {
        uint32_t m = f->group[f->user[i]];

        if (m != f->group[v] && f->group_mark[m] != f->stamp) {
            f->group_mark[m] = f->stamp;
            f->order[count++] = m;
        }
    }
    return count;
}

static double gain(const fuse *f, ir_ref v, const formula *e, int readers)
{
    double g = fuse_weight(f, v) * (1 + readers) - e->new_stores;

    for (int i = 0; i < readers; i++) {
        const fuse_group *m = &f->groups[f->order[i]];

        for (int j = 0; j < e->leaf_count; j++) {
            bool own = f->role[e->leaves[j]] == FUSE_OWNED && &f->groups[f->group[e->leaves[j]]] == m;

            g -= own || reads(f, m, e->leaves[j]) ? 0 : fuse_weight(f, e->leaves[j]);
        }
    }
    return g;
}

static bool still_legal(fuse *f, uint32_t group)
{
    ir_kernel k;

    if (f->groups[group].count == 0) {
        return true;
    }
    fuse_kernel(f, &f->groups[group], &k);
    return fuse_check(f, &k, true, NULL);
}

/* Makes the formula FREE, or leaves all as it was where a kernel would become illegal; false when out of
 * memory. */
static bool apply(fuse *f, ir_ref v, const formula *e, int readers)
{
    uint32_t own = f->group[v];
    fuse_group was = f->groups[own], now = was;
    uint32_t *base_at = f->base_at, *user_at = f->user_at;
    ir_ref *base = f->base, *user = f->user;
    bool legal = true;

    now.nodes = ir_arena_alloc(f->mem, (size_t)was.count * sizeof *now.nodes);
    if (!now.nodes) {
        return fuse_out_of_memory(f);
    }
    for (int i = 0; i < e->inside_count; i++) {
        f->role[e->inside[i]] = FUSE_FREE;
    }
    now.count = 0;
    for (int i = 0; i < was.count; i++) {
        if (f->role[was.nodes[i]] == FUSE_OWNED) {
            now.nodes[now.count++] = was.nodes[i];
        }
    }
    now.merged = now.count == 0;
    f->groups[own] = now;
    if (!fuse_edges_without(f, e->inside, e->inside_count)) {
        return false;
    }
    legal = still_legal(f, own);
    for (int i = 0; legal && i < readers; i++) {
        legal = still_legal(f, f->order[i]);
    }
    if (!legal) {
        for (int i = 0; i < e->inside_count; i++) {
            f->role[e->inside[i]] = FUSE_OWNED;
        }
        f->groups[own] = was;
        f->base_at = base_at;
        f->user_at = user_at;
        f->base = base;
        f->user = user;
    }
    return true;
}

bool fuse_recompute(fuse *f)
{
    for (ir_ref v = 0; v < f->g->count; v++) {
        formula e;
        int readers;

        if (f->role[v] != FUSE_OWNED || f->stored[v] || !is_cheap(f, v) || !is_shared(f, v) ||
            !describe(f, v, &e)) {
            continue;
        }
        readers = list_readers(f, v);
        if (gain(f, v, &e, readers) > 0 && !apply(f, v, &e, readers)) {
            return false;
        }
    }
    return true;
}
