/* passes/fuse_order.c: the order in which kernels run.
 *
 * Any topological order is right.  Two are tried, the order of the nodes as written and a greedy one that
 * runs what frees most bytes first, and the one with the lower peak of live bytes wins.  A kernel that reads
 * a variable goes before the one that computes the variable's new value where nothing speaks against it: then
 * plan can update in place. */
#include "passes/fuse.h"

#include <string.h>

enum { GREEDY_LIMIT = 2000 };

typedef struct edge {
    uint32_t to;
    int next;
} edge;

typedef struct schedule {
    fuse *f;
    edge *edges; /* chained lists of successors */
    int edge_count, edge_capacity;
    int *first, *waiting; /* of each group */
    int *readers;         /* of each node: groups that still have to read it */
    uint32_t *ready;
    int ready_count;
    double live, peak;
} schedule;

static bool add_edge(schedule *s, uint32_t from, uint32_t to)
{
    if (s->edge_count == s->edge_capacity) {
        int n = s->edge_capacity ? s->edge_capacity * 2 : 256;
        edge *e = ir_mem_resize(s->edges, (size_t)n * sizeof *e);

        if (!e) {
            return false;
        }
        s->edges = e;
        s->edge_capacity = n;
    }
    s->edges[s->edge_count] = (edge){to, s->first[from]};
    s->first[from] = s->edge_count++;
    return true;
}

/* Says whether `to` can be reached from `from` along edges. */
static bool path(schedule *s, uint32_t from, uint32_t to)
{
    fuse *f = s->f;
    uint32_t depth = 0, stamp = ++f->stamp;

    f->stack[depth++] = from;
    f->group_mark[from] = stamp;
    while (depth > 0) {
        uint32_t at = f->stack[--depth];

        if (at == to) {
            return true;
        }
        for (int e = s->first[at]; e >= 0; e = s->edges[e].next) {
            if (f->group_mark[s->edges[e].to] != stamp) {
                f->group_mark[s->edges[e].to] = stamp;
                f->stack[depth++] = s->edges[e].to;
            }
        }
    }
    return false;
}

static bool hard_edges(schedule *s)
{
    fuse *f = s->f;

    for (uint32_t m = 0; m < f->group_count; m++) {
        uint32_t stamp = ++f->stamp;

        f->group_mark[m] = stamp;
        for (int i = 0; !f->groups[m].merged && i < f->groups[m].count; i++) {
            ir_ref r = f->groups[m].nodes[i];

            for (uint32_t j = f->base_at[r]; j < f->base_at[r + 1]; j++) {
                ir_ref x = f->base[j];
                uint32_t from = f->group[x];

                if (f->role[x] == FUSE_OWNED && f->group_mark[from] != stamp) {
                    f->group_mark[from] = stamp;
                    if (!add_edge(s, from, m)) {
                        return false;
                    }
                }
            }
        }
    }
    return true;
}

/* Readers of a variable before the kernel of its new value. */
static bool soft_edges(schedule *s)
{
    const ir_graph *g = s->f->g;

    for (int i = 0; i < g->assign_count; i++) {
        ir_ref variable = g->assigns[i].variable, value = g->assigns[i].value;

        if (s->f->role[value] != FUSE_OWNED) {
            continue;
        }
        for (uint32_t j = s->f->user_at[variable]; j < s->f->user_at[variable + 1]; j++) {
            uint32_t reader = s->f->group[s->f->user[j]], writer = s->f->group[value];

            if (reader != writer && !path(s, writer, reader) && !add_edge(s, reader, writer)) {
                return false;
            }
        }
    }
    return true;
}

/* Groups that read values of memory before they may be freed. */
static void count_readers(schedule *s)
{
    fuse *f = s->f;

    memset(s->readers, 0, f->g->count * sizeof *s->readers);
    for (ir_ref r = 0; r < f->g->count; r++) {
        uint32_t stamp = ++f->stamp;

        for (uint32_t i = f->user_at[r]; f->role[r] == FUSE_OWNED && i < f->user_at[r + 1]; i++) {
            uint32_t m = f->group[f->user[i]];

            if (m != f->group[r] && f->group_mark[m] != stamp) {
                f->group_mark[m] = stamp;
                s->readers[r]++;
            }
        }
    }
}

/* Bytes that running group m adds to what is live; *freed: those that end with it.  With `run` it takes
 * effect. */
static double effect(schedule *s, uint32_t m, double *freed, bool run)
{
    fuse *f = s->f;
    double made = 0;

    *freed = 0;
    f->stamp++;
    for (int i = 0; i < f->groups[m].count; i++) {
        ir_ref r = f->groups[m].nodes[i];

        made += s->readers[r] > 0 ? (double)ir_type_bytes(&f->g->nodes[r].type) : 0;
        for (uint32_t j = f->base_at[r]; j < f->base_at[r + 1]; j++) {
            ir_ref x = f->base[j];

            if (f->role[x] == FUSE_OWNED && f->group[x] != m && f->mark[x] != f->stamp) {
                f->mark[x] = f->stamp;
                *freed += s->readers[x] == 1 ? (double)ir_type_bytes(&f->g->nodes[x].type) : 0;
                s->readers[x] -= run;
            }
        }
    }
    return made;
}

static int pick(schedule *s, bool greedy)
{
    const fuse *f = s->f;
    int best = 0;
    double best_score = 0;

    for (int i = 0; i < s->ready_count; i++) {
        uint32_t m = s->ready[i], b = s->ready[best];
        double freed, score = 0;
        bool earlier =
            f->groups[m].nodes[f->groups[m].count - 1] < f->groups[b].nodes[f->groups[b].count - 1];

        if (greedy) {
            score = -effect(s, m, &freed, false);
            score += freed;
        }
        if (i == 0 || score > best_score || (score == best_score && earlier)) {
            best = i;
            best_score = score;
        }
    }
    return best;
}

/* Writes an order to f->order; s->peak is its peak of live bytes. */
static void run(schedule *s, bool greedy)
{
    fuse *f = s->f;

    count_readers(s);
    s->ready_count = f->order_count = 0;
    s->live = s->peak = 0;
    memset(s->waiting, 0, f->group_count * sizeof *s->waiting);
    for (int e = 0; e < s->edge_count; e++) {
        s->waiting[s->edges[e].to]++;
    }
    for (uint32_t m = 0; m < f->group_count; m++) {
        if (!f->groups[m].merged && s->waiting[m] == 0) {
            s->ready[s->ready_count++] = m;
        }
    }
    while (s->ready_count > 0) {
        int at = pick(s, greedy);
        uint32_t m = s->ready[at];
        double freed;

        s->ready[at] = s->ready[--s->ready_count];
        s->live += effect(s, m, &freed, true);
        s->peak = s->live > s->peak ? s->live : s->peak;
        s->live -= freed;
        f->order[f->order_count++] = m;
        for (int e = s->first[m]; e >= 0; e = s->edges[e].next) {
            if (--s->waiting[s->edges[e].to] == 0) {
                s->ready[s->ready_count++] = s->edges[e].to;
            }
        }
    }
}

bool fuse_order(fuse *f)
{
    size_t groups = f->group_count + 1;
    schedule s = {.f = f};
    bool ok;

    s.first = ir_arena_alloc(f->mem, groups * sizeof *s.first);
    s.waiting = ir_arena_alloc(f->mem, groups * sizeof *s.waiting);
    s.ready = ir_arena_alloc(f->mem, groups * sizeof *s.ready);
    s.readers = ir_arena_alloc(f->mem, (f->g->count + 1) * sizeof *s.readers);
    if (!s.first || !s.waiting || !s.ready || !s.readers) {
        return fuse_out_of_memory(f);
    }
    memset(s.first, 0xff, groups * sizeof *s.first);
    ok = hard_edges(&s) && soft_edges(&s);
    if (ok) {
        double natural;

        run(&s, false);
        natural = s.peak;
        if (f->order_count <= GREEDY_LIMIT) {
            run(&s, true);
            if (s.peak >= natural) {
                run(&s, false);
            }
        }
    }
    ir_mem_free(s.edges);
    for (uint32_t m = 0, left = (uint32_t)f->order_count; ok && m < f->group_count; m++) {
        if (!f->groups[m].merged && left-- == 0) {
            ir_fail(f->err, IR_ESTATE, "fuse: kernels depend on each other in a circle");
            return false;
        }
    }
    return ok ? true : fuse_out_of_memory(f);
}
