/* passes/remat_choose.c: which values to drop, to lower the peak.
 *
 * A candidate lies in the arena across the peak, untouched by the kernel that runs then, and every reader
 * runs either before or after it.  (Views and other nodes that live inside kernels may be read on both sides:
 * they are dropped with it.)  It is computed again from what is in memory anyway when its first late reader
 * runs; what its computation passes on the way and is gone by then is dropped with it too.
 *
 *   score = bytes / (operations + traffic), less where it would lengthen a chain of dropped values
 *
 * The latter spreads the values that are kept evenly: of a uniform stack first every other value goes, then
 * every other chain is joined, as a schedule of checkpoints would have it. */
#include "passes/remat.h"

#include <string.h>

enum { MAX_VIEWS = 64, MAX_INSIDE = 512 };
static const double flops_per_byte = 8; /* traffic in operations: what a core does while a byte comes */

typedef struct candidate {
    ir_ref v;
    size_t bytes;
    double score;
    int needed_at; /* the first late reader */
    /* v, and views of it read on both sides; where late ones begin */
    ir_ref with[MAX_VIEWS], split[MAX_VIEWS];
    int with_count;
    ir_ref gone[MAX_INSIDE]; /* stored values on its way that nobody has by then */
    int gone_count;
} candidate;

static int first_run(const remat *m, ir_ref r)
{
    return m->listed_first[m->image[r]];
}

static int last_run(const remat *m, ir_ref r)
{
    return m->listed_last[m->image[r]];
}

static const ir_buffer *buffer_of(const remat *m, ir_ref r)
{
    int b = m->buffer[m->image[r]];

    return b < 0 ? NULL : &m->plan->buffers.items[b];
}

/* ---- readers ------------------------------------------------------------------------------------------- */

/* Sorts the readers of c->with[i] by the peak; false where one stands in the way. */
static bool split_readers(remat *m, candidate *c, int i)
{
    ir_ref r = c->with[i], early = 0;

    c->split[i] = IR_NONE;
    for (uint32_t j = m->user_at[r]; j < m->user_at[r + 1]; j++) {
        ir_ref u = m->user[j];

        if (first_run(m, u) < 0) {
            continue; /* its readers have copies instead */
        }
        if (m->in_peak[m->image[u]]) {
            return false;
        }
        if (first_run(m, u) > m->peak) {
            c->split[i] = u < c->split[i] ? u : c->split[i];
            c->needed_at = first_run(m, u) < c->needed_at ? first_run(m, u) : c->needed_at;
            continue;
        }
        early = u > early ? u : early;
        if (last_run(m, u) > m->peak) {
            if (c->with_count == MAX_VIEWS || m->result[u] || m->drop[u]) {
                return false;
            }
            c->with[c->with_count++] = u;
        }
    }
    return early < c->split[i];
}

/* ---- the computation of a value ------------------------------------------------------------------------ */

/* Is s in memory when the candidate is computed again? */
static bool is_there(const remat *m, const candidate *c, ir_ref s)
{
    const ir_buffer *b = buffer_of(m, s);

    if (ir_ops[m->g->nodes[s].op].cls == IR_LEAF) {
        return true;
    }
    return m->stored_at[s] >= 0 && b && (b->kind != IR_B_ARENA || b->last >= c->needed_at);
}

/* Walks from v to what is there: operations, and what is dropped with it; false if it is too long. */
static bool price(remat *m, candidate *c, double *cost, double *chain)
{
    uint32_t depth = 0;
    int inside = 0;

    m->stamp++;
    m->stack[depth++] = c->v;
    m->mark[c->v] = m->stamp;
    while (depth > 0) {
        ir_ref r = m->stack[--depth];
        const ir_node *n = &m->g->nodes[r];

        if (++inside > MAX_INSIDE) {
            return false;
        }
        *cost += ir_node_flops(m->g, n);
        for (int i = 0; i < n->n; i++) {
            ir_ref x = n->x[i];

            if (m->mark[x] == m->stamp || (!m->drop[x] && is_there(m, c, x))) {
                continue;
            }
            m->mark[x] = m->stamp;
            if (m->drop[x]) {
                *chain += m->split[x] == IR_NONE ? 0 : (double)ir_type_bytes(&m->g->nodes[x].type);
                *cost -= ir_node_flops(m->g, &m->g->nodes[x]); /* made once for all its readers */
            } else if (ir_has_effects(&m->g->nodes[x])) {
                return false; /* not to be made twice */
            } else if (m->stored_at[x] >= 0) {
                c->gone[c->gone_count++] = x;
            }
            m->stack[depth++] = x;
        }
    }
    return true;
}

/* Bytes of dropped values that are computed from v. */
static double chain_after(remat *m, ir_ref v)
{
    uint32_t depth = 0;
    double bytes = 0;

    m->stamp++;
    m->stack[depth++] = v;
    while (depth > 0) {
        ir_ref r = m->stack[--depth];

        for (uint32_t j = m->user_at[r]; j < m->user_at[r + 1]; j++) {
            ir_ref u = m->user[j];
            bool kept = m->stored_at[u] >= 0 && !m->drop[u];

            if (m->mark[u] != m->stamp && !kept && first_run(m, u) >= 0 && first_run(m, u) <= m->peak) {
                m->mark[u] = m->stamp;
                bytes +=
                    m->drop[u] && m->split[u] != IR_NONE ? (double)ir_type_bytes(&m->g->nodes[u].type) : 0;
                m->stack[depth++] = u;
            }
        }
    }
    return bytes;
}

/* ---- choosing ------------------------------------------------------------------------------------------ */

static bool crosses_peak(const remat *m, ir_ref r)
{
    const ir_buffer *b = m->image[r] == IR_NONE ? NULL : buffer_of(m, r);

    return b && b->kind == IR_B_ARENA && b->first < m->peak && b->last > m->peak && first_run(m, r) >= 0 &&
           !m->drop[r] && !m->banned[r] && !m->result[r] && ir_ops[m->g->nodes[r].op].cls != IR_LEAF &&
           !ir_has_effects(&m->g->nodes[r]);
}

static bool weigh(remat *m, ir_ref v, candidate *c)
{
    double cost = 0, chain = 0;

    c->v = c->with[0] = v;
    c->bytes = (ir_type_bytes(&m->g->nodes[v].type) + 63) / 64 * 64;
    c->needed_at = m->plan->kernels.count;
    c->with_count = 1;
    c->gone_count = 0;
    for (int i = 0; i < c->with_count; i++) {
        if (!split_readers(m, c, i)) {
            return false;
        }
    }
    if (c->needed_at == m->plan->kernels.count || !price(m, c, &cost, &chain)) {
        return false;
    }
    cost += flops_per_byte * (double)c->bytes;
    chain += chain_after(m, v);
    c->score = (double)c->bytes / cost / (1 + chain / (double)c->bytes);
    return true;
}

static void take(remat *m, const candidate *c)
{
    for (int i = 0; i < c->with_count; i++) {
        m->drop[c->with[i]] = 1;
        m->split[c->with[i]] = c->split[i];
    }
    for (int i = 0; i < c->gone_count; i++) {
        m->drop[c->gone[i]] = 1;
        m->split[c->gone[i]] = IR_NONE;
    }
}

int remat_choose(remat *m, size_t bytes, int most, ir_ref *chosen)
{
    size_t saved = 0;
    int count = 0;

    while (saved < bytes && count < most) {
        candidate now, best = {.score = 0};

        for (ir_ref r = 0; r < m->g->count; r++) {
            if (crosses_peak(m, r) && weigh(m, r, &now) && now.score > best.score) {
                best = now;
            }
        }
        if (best.score <= 0) {
            break;
        }
        take(m, &best);
        saved += best.bytes;
        chosen[count++] = best.v;
    }
    return count;
}
