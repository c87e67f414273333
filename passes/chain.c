/* passes/chain.c: kernels that pass big values to one another run together, slice by slice.
 *
 *   k0_dot      s = q k^T        [b, h, t, t]       chain 0..2 slices b h:  for each slice: k0, k1, k2
 *   k1_softmax  p = softmax(s)   [b, h, t, t]   ->  s and p of one slice lie in scratch, which stays in the
 *   k2_dot      y = p v          [b, h, t, d]       second cache, and take no room in the arena
 *
 * A chain is a run of neighbours in the list of kernels that ir_chain_takes allows; the kernels themselves,
 * and so all bits, stay as they are.  What is private to it, stored and read by members only, is what is
 * saved. For each kernel that makes such a value, and each number of slices that its outer dims offer, the
 * run is grown as far as it goes and cut behind the last reader of a private value.  The one that saves most
 * is taken, if it is worth it: more than what stays in the caches anyway, in slices that do, and enough
 * slices for all threads.
 *
 * in:  a graph with kernels (after fuse).
 * out: the same, and the chains.  Cost: a walk over the kernels, and MAX_MEMBERS more for those that may
 * begin a chain. */
#include "passes/all.h"
#include "passes/rebuild.h"

#include "ir/arena.h"
#include "ir/map.h"

#include <string.h>

/* LEAST: half of a small second-level cache; what is smaller stays there as it is.  A slice of up to SLICE
 * stays there with its operands; LEAST_SLICE pays for calling the members.  STRANDS: for each thread, so that
 * one which is late holds up a part only.  Rows of a product are cut into slices of no fewer than LEAST_ROWS,
 * each of which packs and reads the right operand's matrix again, of MOST_AGAIN bytes at most. */
enum {
    MAX_MEMBERS = 16,
    LEAST = 256 << 10,
    SLICE = 256 << 10,
    LEAST_SLICE = 16 << 10,
    MAX_SLICES = 1 << 20,
    STRANDS = 2,
    LEAST_ROWS = 64,
    MOST_AGAIN = 4 << 20
};

typedef struct chooser {
    const ir_graph *g;
    const pass_context *pc;
    int *made, *last; /* of each node: the kernel that stores it (-1: none); the last that reads it */
    int kernel;       /* being walked */
} chooser;

/* ---- who reads what ------------------------------------------------------------------------------------ */

/* Reading a reshape that nothing stores is reading what it reshapes. */
static void note(chooser *s, ir_ref r, int reader)
{
    for (;; r = s->g->nodes[r].x[0]) {
        s->last[r] = reader > s->last[r] ? reader : s->last[r];
        if (s->made[r] >= 0 || !ir_shares_bytes(s->g->nodes[r].op)) {
            return;
        }
    }
}

static void note_read(void *user, ir_ref r, const ir_map *m, bool loaded)
{
    chooser *s = user;

    (void)m;
    if (loaded) {
        note(s, r, s->kernel);
    }
}

static void note_results(chooser *s)
{
    const ir_graph *g = s->g;

    for (int i = 0; i < g->output_count; i++) {
        note(s, g->outputs[i].value, g->kernels.count);
    }
    for (int i = 0; i < g->assign_count; i++) {
        note(s, g->assigns[i].value, g->kernels.count);
    }
}

static bool note_all(chooser *s)
{
    const ir_kernel_list *k = &s->g->kernels;

    memset(s->made, 0xff, (size_t)s->g->count * sizeof *s->made);
    memset(s->last, 0xff, (size_t)s->g->count * sizeof *s->last);
    for (s->kernel = 0; s->kernel < k->count; s->kernel++) {
        const ir_kernel *kernel = &k->items[s->kernel];

        for (int i = 0; i < kernel->out_count; i++) {
            s->made[kernel->outs[i]] = s->kernel;
        }
        if (!ir_kernel_walk(s->g, kernel, note_read, s)) {
            return false;
        }
    }
    note_results(s);
    return true;
}

/* ---- one chain ----------------------------------------------------------------------------------------- */

/* Bytes of what kernel k stores for kernels up to `end` alone. */
static size_t stored_for(const chooser *s, int k, int end)
{
    const ir_kernel *kernel = &s->g->kernels.items[k];
    size_t bytes = 0;

    for (int i = 0; i < kernel->out_count; i++) {
        int last = s->last[kernel->outs[i]];

        bytes += last > k && last <= end ? ir_type_bytes(&s->g->nodes[kernel->outs[i]].type) : 0;
    }
    return bytes;
}

/* Cuts c behind the last reader of a value that is private to it.  Returns the bytes of such values; c->bytes
 * becomes what a slice needs of them, the most that is alive between two members (the others take over their
 * places). */
static size_t trim(const chooser *s, ir_chain *c)
{
    int end = c->first + c->count - 1, last = c->first;
    size_t all = 0, most = 0;

    for (int k = c->first; k <= end; k++) {
        size_t alive = 0;

        for (int m = c->first; m <= k; m++) {
            const ir_kernel *kernel = &s->g->kernels.items[m];

            for (int i = 0; i < kernel->out_count; i++) {
                int reader = s->last[kernel->outs[i]];
                size_t bytes = ir_type_bytes(&s->g->nodes[kernel->outs[i]].type);

                if (reader > m && reader <= end) {
                    all += m == k ? bytes : 0;
                    alive += reader > k ? bytes : 0;
                    last = reader > last ? reader : last;
                }
            }
        }
        most = alive > most ? alive : most;
    }
    c->count = last - c->first + 1;
    c->bytes = most / (size_t)c->slices;
    return all;
}

/* The rows of a product that a slice has, where slices are cut from rows; else 0. */
static int64_t rows_of_slice(const chooser *s, int kernel, int64_t slices)
{
    const ir_kernel *k = &s->g->kernels.items[kernel];
    const ir_node *n = &s->g->nodes[k->root];
    int inner, run, dims;
    ir_map space = ir_kernel_space(s->g, k, &inner, &run);
    int64_t rows = 1;

    if (k->kind != IR_K_CONTRACT || (dims = ir_chain_dims(&space, slices)) <= n->attrs->n) {
        return 0;
    }
    for (int d = 0; d < dims; d++) {
        rows *= space.extent[d];
    }
    return rows / slices;
}

/* Not of a product without batch dims, a layer: its right operand is weights, which are packed once for all
 * rows. */
static bool pays_in_rows(const chooser *s, int kernel, int64_t slices)
{
    const ir_node *n = &s->g->nodes[s->g->kernels.items[kernel].root];
    int64_t rows = rows_of_slice(s, kernel, slices), batch = 1;

    for (int d = 0; rows && d < n->attrs->n; d++) {
        batch *= n->type.dims[d];
    }
    return rows == 0 || (rows >= LEAST_ROWS && n->attrs->n > 0 &&
                         ir_type_bytes(&s->g->nodes[n->x[1]].type) / (size_t)batch <= MOST_AGAIN);
}

static bool cuts_rows(const chooser *s, const ir_chain *c)
{
    bool cuts = false;

    for (int k = c->first; k < c->first + c->count; k++) {
        cuts |= rows_of_slice(s, k, c->slices) > 0;
    }
    return cuts;
}

/* The longest chain from kernel `first` in so many slices.  Returns the bytes of what is private to it, 0 if
 * it is not worth it. */
static size_t grow(const chooser *s, int first, int64_t slices, ir_chain *c)
{
    bool any = s->pc->chain_slice > 0;
    int threads = s->pc->threads > 1 ? s->pc->threads : 1;
    size_t all;
    ir_ref fault;

    *c = (ir_chain){.first = first, .slices = slices};
    while (c->count < MAX_MEMBERS && first + c->count < s->g->kernels.count &&
           ir_chain_takes(s->g, c, first + c->count, &fault) &&
           (any || pays_in_rows(s, first + c->count, slices))) {
        c->count++;
    }
    all = trim(s, c);
    c->strands = threads > 1 ? STRANDS * threads : 1;
    if (c->strands > slices / 2) { /* at least half of the room is to be saved */
        c->strands = (int)(slices / 2);
    }
    if (c->count < 2 || stored_for(s, first, first + c->count - 1) == 0 || c->strands < threads ||
        (!any && (c->bytes * (size_t)slices < LEAST || c->bytes < LEAST_SLICE))) {
        return 0;
    }
    return all;
}

/* Of two chains of as many bytes: slices that stay in the cache, if possible of whole products, of few rows
 * only where they must be; else the smaller ones. */
static bool is_better(const chooser *s, const ir_chain *a, const ir_chain *b)
{
    size_t most = s->pc->chain_slice ? s->pc->chain_slice : SLICE;
    bool a_fits = a->bytes <= most, b_fits = b->bytes <= most;
    bool a_cuts = cuts_rows(s, a), b_cuts = cuts_rows(s, b);

    if (a_fits != b_fits) {
        return a_fits;
    }
    if (a_fits && a_cuts != b_cuts) {
        return b_cuts;
    }
    return a_fits && a_cuts ? a->slices < b->slices : a->slices > b->slices;
}

/* The best chain that begins at kernel k.  Slices are cut from its outermost dims, which may be split evenly.
 */
static bool best_from(const chooser *s, int k, ir_chain *best)
{
    int inner, run;
    ir_map space = ir_kernel_space(s->g, &s->g->kernels.items[k], &inner, &run);
    size_t most = 0;
    int64_t outer = 1;

    for (int d = 0; d < space.rank; d++) {
        for (int64_t parts = 2; parts <= space.extent[d]; parts++) {
            bool even = space.extent[d] % parts == 0 && outer * parts <= MAX_SLICES;
            ir_chain c = {0};
            size_t all = even ? grow(s, k, outer * parts, &c) : 0;

            if (all > most || (all && all == most && is_better(s, &c, best))) {
                most = all;
                *best = c;
            }
        }
        outer *= space.extent[d];
    }
    return most > 0;
}

static void choose(const chooser *s, ir_kernel_list *out)
{
    for (int k = 0; k < s->g->kernels.count; k++) {
        ir_chain c = {0};

        if (stored_for(s, k, k + MAX_MEMBERS) > 0 && best_from(s, k, &c)) {
            k += c.count - 1;
            c.bytes = 0; /* plan's to say */
            out->chains[out->chain_count++] = c;
        }
    }
}

ir_status pass_chain(pass_context *pc, const ir_graph *in, ir_graph *out, ir_ref *map)
{
    chooser s = {.g = in, .pc = pc};
    size_t n = in->count + 1, kernels = (size_t)in->kernels.count;
    bool ok;

    if (pass_copy_graph(in, out, map) != IR_OK) {
        return out->error.status;
    }
    s.made = ir_mem_alloc(2 * n * sizeof *s.made);
    s.last = s.made ? s.made + n : NULL;
    ok = s.made && pass_copy_kernels(in, out);
    out->kernels.chain_count = 0; /* chosen anew */
    out->kernels.chains = ok ? ir_graph_alloc(out, (kernels + 1) * sizeof *out->kernels.chains) : NULL;
    ok = out->kernels.chains && note_all(&s);
    if (ok && !pc->apart && !pc->unchained) {
        choose(&s, &out->kernels);
    }
    ir_mem_free(s.made);
    return ok ? IR_OK
              : ir_fail(&out->error, IR_ENOMEM, "chain: out of memory, or kernels that are not legal");
}
