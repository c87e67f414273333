/* passes/fuse_merge.c: greedy merging of groups by the memory traffic that it saves.
 *
 *   {dot} -> {add bias} -> {relu} -> ..     saves 2 mn (dot) and 2 mn (add): one CONTRACT kernel
 *
 * Candidates are pairs of groups joined by a value (one computes it, the other reads it, or both read it).
 * The pair that saves most is merged first, if the result is one legal kernel and no path through a third
 * group would close a cycle.  Rounds repeat until nothing merges.  Cost: pairs x (group size + what the cycle
 * search visits). */
#include "passes/fuse.h"

#include <string.h>

typedef struct candidate {
    double saving;
    int size;    /* nodes of both: of equal savings small ones go first, so that a chain merges as a balanced
                    tree */
    ir_ref a, b; /* nodes: their groups of the moment are meant */
} candidate;

typedef struct merger {
    fuse *f;
    candidate *heap;
    uint32_t count, capacity;
    uint64_t *tried; /* hash set of pairs of groups that can't merge; 0: empty */
    uint32_t tried_count, tried_capacity;
    bool failed;
} merger;

/* ---- the candidates, best first ---------------------------------------------------------------------- */

static bool better(const candidate *p, const candidate *q)
{
    if (p->saving != q->saving) {
        return p->saving > q->saving;
    }
    return p->size != q->size ? p->size < q->size : p->b != q->b ? p->b < q->b : p->a < q->a;
}

static void heap_push(merger *m, candidate c)
{
    uint32_t i;

    if (m->count == m->capacity) {
        uint32_t n = m->capacity ? m->capacity * 2 : 256;
        candidate *heap = ir_mem_resize(m->heap, n * sizeof *heap);

        if (!heap) {
            m->failed = true;
            return;
        }
        m->heap = heap;
        m->capacity = n;
    }
    for (i = m->count++; i > 0 && better(&c, &m->heap[(i - 1) / 2]); i = (i - 1) / 2) {
        m->heap[i] = m->heap[(i - 1) / 2];
    }
    m->heap[i] = c;
}

static candidate heap_pop(merger *m)
{
    candidate top = m->heap[0], last = m->heap[--m->count];
    uint32_t i = 0, child;

    while ((child = 2 * i + 1) < m->count) {
        child += child + 1 < m->count && better(&m->heap[child + 1], &m->heap[child]);
        if (!better(&m->heap[child], &last)) {
            break;
        }
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = last;
    return top;
}

/* Remembers a pair of groups that can't merge; false if it was there already. */
static bool remember(merger *m, uint32_t a, uint32_t b)
{
    uint64_t key = ((uint64_t)(a < b ? a : b) << 32 | (a < b ? b : a)) + 1, h;

    if (m->tried_count * 2 >= m->tried_capacity) {
        uint32_t n = m->tried_capacity ? m->tried_capacity * 2 : 1024, old = m->tried_capacity;
        uint64_t *was = m->tried;

        m->tried = ir_mem_zero(n * sizeof *m->tried);
        if (!m->tried) {
            m->tried = was;
            m->failed = true;
            return true;
        }
        m->tried_capacity = n;
        for (uint32_t i = 0; i < old; i++) {
            for (h = was[i] * 0x9E3779B97F4A7C15ULL >> 17; was[i] && m->tried[h & (n - 1)]; h++) {
            }
            if (was[i]) {
                m->tried[h & (n - 1)] = was[i];
            }
        }
        ir_mem_free(was);
    }
    for (h = key * 0x9E3779B97F4A7C15ULL >> 17; m->tried[h & (m->tried_capacity - 1)]; h++) {
        if (m->tried[h & (m->tried_capacity - 1)] == key) {
            return false;
        }
    }
    m->tried[h & (m->tried_capacity - 1)] = key;
    m->tried_count++;
    return true;
}

/* ---- what a merge saves ------------------------------------------------------------------------------ */

/* Bytes that the kernel of these groups loads and stores (b may be NULL). */
static double traffic(fuse *f, const fuse_group *a, const fuse_group *b)
{
    const fuse_group *both[2] = {a, b};
    double t = 0;

    f->stamp++;
    for (int s = 0; s < 2 && both[s]; s++) {
        for (int i = 0; i < both[s]->count; i++) {
            f->mark[both[s]->nodes[i]] = f->stamp;
        }
    }
    for (int s = 0; s < 2 && both[s]; s++) {
        for (int i = 0; i < both[s]->count; i++) {
            ir_ref r = both[s]->nodes[i];
            bool out = f->stored[r];

            for (uint32_t j = f->base_at[r]; j < f->base_at[r + 1]; j++) {
                ir_ref x = f->base[j];

                if (f->mark[x] != f->stamp && f->loaded[x] != f->stamp) {
                    f->loaded[x] = f->stamp;
                    t += fuse_weight(f, x);
                }
            }
            for (uint32_t j = f->user_at[r]; j < f->user_at[r + 1] && !out; j++) {
                out = f->mark[f->user[j]] != f->stamp;
            }
            t += out ? fuse_weight(f, r) : 0;
        }
    }
    return t;
}

/* The same of one group: counted once, since a number stands for fixed contents. */
static double own_traffic(fuse *f, fuse_group *m)
{
    if (m->traffic < 0) {
        m->traffic = traffic(f, m, NULL);
    }
    return m->traffic;
}

static double saving(fuse *f, uint32_t a, uint32_t b)
{
    fuse_group *x = &f->groups[a], *z = &f->groups[b];
    double s = own_traffic(f, x) + own_traffic(f, z) - traffic(f, x, z);

    /* Of two equal ways out, an epilogue on a product keeps the value in registers. */
    return x->kind == IR_K_CONTRACT || z->kind == IR_K_CONTRACT ? s * 1.01 : s;
}

/* ---- legality ---------------------------------------------------------------------------------------- */

/* Sums of MOST_COLUMNS are a part of a first-level cache. */
enum { LEAST_BLOCKS = 4, MOST_COLUMNS = 4096, LEAST_BLOCKED_BYTES = 4 << 20 };

bool fuse_blocks_pay(const pass_context *pc, int64_t blocks, int64_t columns, size_t bytes)
{
    return columns <= MOST_COLUMNS &&
           (pc->any_blocks ||
            (blocks >= LEAST_BLOCKS && blocks >= 2 * (int64_t)pc->threads && bytes >= LEAST_BLOCKED_BYTES));
}

/* May the OUTER group of reduce n go along with a ROW group?  The walk says whether their rows are the same.
 */
static bool goes_with_rows(const fuse *f, const ir_node *n)
{
    const ir_type *x = &f->g->nodes[n->x[0]].type;
    int64_t blocks = 1;

    for (int i = 0; i < n->attrs->axes[0]; i++) {
        blocks *= x->dims[i];
    }
    return blocks > 0 &&
           fuse_blocks_pay(f->pc, blocks, ir_type_elements(&n->type) / blocks, ir_type_bytes(x));
}

static bool kinds_merge(const fuse *f, const fuse_group *a, const fuse_group *b, fuse_group *out)
{
    const ir_node *x, *z;
    bool first = a->anchor != IR_NONE && (a->kind == IR_K_ROW || b->anchor == IR_NONE || b->kind != IR_K_ROW);

    *out = (fuse_group){
        .traffic = -1, .kind = first ? a->kind : b->kind, .anchor = first ? a->anchor : b->anchor};
    if (a->count + b->count > FUSE_MAX_NODES || a->kind == IR_K_INDEX || b->kind == IR_K_INDEX) {
        return false;
    }
    if (a->anchor == IR_NONE || b->anchor == IR_NONE) {
        return true;
    }
    x = &f->g->nodes[a->anchor];
    z = &f->g->nodes[b->anchor];
    if (a->kind != b->kind) {
        return (a->kind == IR_K_ROW && b->kind == IR_K_OUTER && goes_with_rows(f, z)) ||
               (a->kind == IR_K_OUTER && b->kind == IR_K_ROW && goes_with_rows(f, x));
    }
    return ir_ops[x->op].cls == IR_REDUCE && ir_ops[z->op].cls == IR_REDUCE &&
           ir_shape_eq(&f->g->nodes[x->x[0]].type, &f->g->nodes[z->x[0]].type) &&
           x->attrs->n == z->attrs->n && memcmp(x->attrs->axes, z->attrs->axes, x->attrs->n) == 0;
}

/* Is there a path from group `to` to group `from` through other groups?  Direct edges don't count. */
static bool reaches(fuse *f, uint32_t from, uint32_t to)
{
    ir_ref highest = f->groups[to].highest;
    uint32_t depth = 0, stamp = ++f->stamp;

    f->stack[depth++] = from;
    f->group_mark[from] = stamp;
    while (depth > 0) {
        uint32_t at = f->stack[--depth];
        const fuse_group *m = &f->groups[at];

        for (int i = 0; i < m->count; i++) {
            for (uint32_t j = f->base_at[m->nodes[i]]; j < f->base_at[m->nodes[i] + 1]; j++) {
                ir_ref x = f->base[j];
                uint32_t next = f->group[x];

                if (f->role[x] != FUSE_OWNED || f->group_mark[next] == stamp ||
                    f->groups[next].highest < highest) {
                    continue; /* what depends on `to` depends on its highest node too */
                }
                if (next == to) {
                    if (at != from) {
                        return true;
                    }
                    continue;
                }
                f->group_mark[next] = stamp;
                f->stack[depth++] = next;
            }
        }
    }
    return false;
}

static bool depends(const fuse *f, const fuse_group *m, uint32_t on)
{
    for (int i = 0; i < m->count; i++) {
        for (uint32_t j = f->base_at[m->nodes[i]]; j < f->base_at[m->nodes[i] + 1]; j++) {
            if (f->role[f->base[j]] == FUSE_OWNED && f->group[f->base[j]] == on) {
                return true;
            }
        }
    }
    return false;
}

/* Groups that only read the same values: a product takes on nothing that does not belong to it, and loops of
 * other dims would read the common values in another order anyway. */
static bool suits_beside(const fuse *f, const fuse_group *a, const fuse_group *b)
{
    const ir_node *x = &f->g->nodes[a->nodes[a->count - 1]], *z = &f->g->nodes[b->nodes[b->count - 1]];

    if (a->kind == IR_K_CONTRACT || b->kind == IR_K_CONTRACT) {
        return false;
    }
    return a->kind != IR_K_LOOP || b->kind != IR_K_LOOP || ir_shape_eq(&x->type, &z->type);
}

static void join(const fuse_group *a, const fuse_group *b, ir_ref *out)
{
    int i = 0, j = 0;

    while (i < a->count || j < b->count) {
        bool left = j == b->count || (i < a->count && a->nodes[i] < b->nodes[j]);

        out[i + j] = left ? a->nodes[i] : b->nodes[j];
        i += left;
        j += !left;
    }
}

/* Groups that depend on group m, newly made, depend on its highest node. */
static void raise_readers(fuse *f, uint32_t m)
{
    uint32_t depth = 0;

    f->stack[depth++] = m;
    while (depth > 0) {
        const fuse_group *from = &f->groups[f->stack[--depth]];

        for (int i = 0; i < from->count; i++) {
            for (uint32_t j = f->user_at[from->nodes[i]]; j < f->user_at[from->nodes[i] + 1]; j++) {
                fuse_group *reader = &f->groups[f->group[f->user[j]]];

                if (reader->highest < from->highest) {
                    reader->highest = from->highest;
                    f->stack[depth++] = f->group[f->user[j]];
                }
            }
        }
    }
}

static bool try_merge(merger *m, uint32_t a, uint32_t b)
{
    fuse *f = m->f;
    const fuse_group *x = &f->groups[a], *z = &f->groups[b];
    fuse_group both;
    ir_kernel k;

    if (!kinds_merge(f, x, z, &both)) {
        return false;
    }
    if (!depends(f, x, b) && !depends(f, z, a) && !suits_beside(f, x, z)) {
        return false;
    }
    if (reaches(f, a, b) || reaches(f, b, a)) {
        return false;
    }
    both.count = x->count + z->count;
    both.nodes = f->joined;
    join(x, z, both.nodes);
    fuse_kernel(f, &both, &k);
    if (k.out_count > FUSE_MAX_OUTS || k.node_count > 2 * FUSE_MAX_NODES || !fuse_check(f, &k, true, NULL)) {
        return false;
    }
    both.nodes = ir_arena_alloc(f->mem, (size_t)both.count * sizeof *both.nodes);
    if (!both.nodes) {
        m->failed = true;
        return false;
    }
    memcpy(both.nodes, f->joined, (size_t)both.count * sizeof *both.nodes);
    f->groups[a].merged = f->groups[b].merged = true;
    for (int i = 0; i < both.count; i++) {
        f->group[both.nodes[i]] = f->group_count;
    }
    both.highest = x->highest > z->highest ? x->highest : z->highest;
    f->groups[f->group_count++] = both;
    raise_readers(f, f->group_count - 1);
    return true;
}

/* ---- rounds ------------------------------------------------------------------------------------------ */

static candidate candidate_of(fuse *f, ir_ref a, ir_ref b)
{
    uint32_t x = f->group[a], z = f->group[b];

    if (x == z) {
        return (candidate){0};
    }
    return (candidate){saving(f, x, z), f->groups[x].count + f->groups[z].count, a, b};
}

static void offer(merger *m, ir_ref a, ir_ref b)
{
    candidate c = candidate_of(m->f, a, b);

    if (c.saving > 0) {
        heap_push(m, c);
    }
}

/* All pairs that share a value: its maker with each reader, and readers near each other in the list. */
static void offer_all(merger *m)
{
    fuse *f = m->f;

    m->count = 0;
    for (ir_ref r = 0; r < f->g->count && !m->failed; r++) {
        for (uint32_t i = f->user_at[r]; i < f->user_at[r + 1]; i++) {
            if (f->role[r] == FUSE_OWNED) {
                offer(m, r, f->user[i]);
            }
            for (uint32_t j = i + 1; j < f->user_at[r + 1] && j < i + 4 && fuse_weight(f, r) >= 64; j++) {
                offer(m, f->user[i], f->user[j]);
            }
        }
    }
}

static bool merge_round(merger *m)
{
    fuse *f = m->f;
    bool merged = false;

    offer_all(m);
    while (m->count > 0 && !m->failed) {
        candidate c = heap_pop(m), now = candidate_of(f, c.a, c.b);
        uint32_t a = f->group[c.a], b = f->group[c.b];

        if (now.saving <= 0) {
            continue;
        }
        if (better(&c, &now)) { /* one of them has merged since */
            heap_push(m, now);
        } else if (!remember(m, a, b)) {
            continue;
        } else {
            merged |= try_merge(m, a, b);
        }
    }
    return merged && !m->failed;
}

bool fuse_merge_all(fuse *f)
{
    merger m = {.f = f};

    while (merge_round(&m)) {
    }
    ir_mem_free(m.heap);
    ir_mem_free(m.tried);
    return m.failed ? fuse_out_of_memory(f) : true;
}
