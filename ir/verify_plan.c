/* ir/verify_plan.c: checks the kernel list and the buffer table of a graph (ir/kernel.h).
 *
 *   kernel 2 "k2_relu": it loads %4, which no earlier kernel stores
 *   buffer of %4: its bytes 0..1024 overlap those of %2, which lives at the same time
 *
 * Kernels: lists ascend, the root fits the kind, every read can be expressed (ir_kernel_check), a value is
 * stored once and before it is loaded.  Chains: every member may run slice by slice (ir/chain.c).  Buffers:
 * ascending, inside the arena, alive whenever a kernel touches them, and no two lives share bytes unless one
 * takes over the other.  Cost: n log n. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "map.h"
#include "verify.h"

typedef struct plan_check {
    const ir_graph *g;
    ir_error *e;
    int *stored_by; /* per node: the kernel that stores it or -1 */
    int *buffer_of; /* per node: its place in the buffer table or -1 */
    int kernel;     /* being checked */
    bool failed;
} plan_check;

/* ---- kernels ----------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static bool kernel_fail(plan_check *c, const char *fmt, ...)
{
    char text[320];
    const char *name = c->g->kernels.items[c->kernel].name;
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    ir_fail(c->e, IR_ESTATE, "kernel %d \"%.80s\": %s", c->kernel, name ? name : "", text);
    c->failed = true;
    return false;
}

static bool check_list(plan_check *c, const ir_ref *x, int n, const char *what)
{
    for (int i = 0; i < n; i++) {
        if (x[i] >= c->g->count)
            return kernel_fail(c, "%s holds %%%u, which is no node", what, x[i]);
        if (i && x[i] <= x[i - 1])
            return kernel_fail(c, "%s do not ascend: %%%u comes before %%%u", what, x[i - 1], x[i]);
        const ir_node *node = &c->g->nodes[x[i]];
        for (int j = -1; j < node->n; j++) {
            ir_ref r = j < 0 ? x[i] : node->x[j];
            if (!ir_type_is_static(&c->g->nodes[r].type))
                return kernel_fail(c, "%%%u has symbolic extents, which kernels can't", r);
        }
    }
    return true;
}

/* The axes of a reduce are one run; `last`: it ends at the last axis. */
static bool is_run(const ir_graph *g, const ir_node *n, bool last)
{
    const ir_attrs *a = n->attrs;
    for (int i = 1; i < a->n; i++)
        if (a->axes[i] != a->axes[i - 1] + 1)
            return false;
    return !last || a->n == 0 || a->axes[a->n - 1] == g->nodes[n->x[0]].type.rank - 1;
}

static bool root_fits(const ir_graph *g, const ir_kernel *k)
{
    const ir_node *root = &g->nodes[k->root];
    bool sum = ir_ops[root->op].cls == IR_REDUCE;
    switch (k->kind) {
    case IR_K_LOOP: return root->op != IR_input && root->op != IR_variable;
    case IR_K_ROW: return root->op == IR_dot_general || (sum && is_run(g, root, true));
    case IR_K_OUTER: return sum && is_run(g, root, false);
    case IR_K_CONTRACT:
        return root->op == IR_dot_general &&
               ir_dot_is_tile(root->attrs, &g->nodes[root->x[0]].type, &g->nodes[root->x[1]].type);
    case IR_K_INDEX: return ir_ops[root->op].cls == IR_INDEX;
    case IR_K_COUNT: break;
    }
    return false;
}

/* A reshape that nothing stores is its operand's memory. */
static ir_ref memory_of(const plan_check *c, ir_ref r)
{
    while (c->stored_by[r] < 0 && c->buffer_of[r] < 0 && ir_shares_bytes(c->g->nodes[r].op))
        r = c->g->nodes[r].x[0];
    return r;
}

static bool is_outside(const ir_graph *g, ir_ref r)
{
    return ir_ops[g->nodes[r].op].cls == IR_LEAF;
}

/* Kernel c->kernel touches the memory of r. */
static bool check_alive(plan_check *c, ir_ref r)
{
    int b = c->buffer_of[r];
    if (c->g->buffers.count == 0 || (b < 0 && c->g->nodes[r].op == IR_constant))
        return true;
    if (b < 0)
        return kernel_fail(c, "%%%u, which it touches, has no buffer", r);
    const ir_buffer *buffer = &c->g->buffers.items[b];
    if (buffer->first <= c->kernel && c->kernel <= buffer->last)
        return true;
    return kernel_fail(c, "it touches %%%u, which lives in kernels %d..%d", r, buffer->first, buffer->last);
}

static void check_load(void *user, ir_ref node, const ir_map *m, bool loaded)
{
    plan_check *c = user;
    (void)m;
    if (!loaded || c->failed)
        return;
    ir_ref r = memory_of(c, node);
    ir_ref source = r;
    while (c->stored_by[source] < 0 && ir_shares_bytes(c->g->nodes[source].op))
        source = c->g->nodes[source].x[0];
    if (!is_outside(c->g, source) && (c->stored_by[source] < 0 || c->stored_by[source] >= c->kernel))
        kernel_fail(c, "it loads %%%u, which no earlier kernel stores", node);
    else
        check_alive(c, r);
}

static bool check_kernel(plan_check *c)
{
    const ir_graph *g = c->g;
    const ir_kernel *k = &g->kernels.items[c->kernel];
    if ((unsigned)k->kind >= IR_K_COUNT || !k->name)
        return kernel_fail(c, "it needs a kind and a name");
    if (!check_list(c, k->nodes, k->node_count, "nodes") || !check_list(c, k->outs, k->out_count, "outs"))
        return false;
    if (k->out_count == 0)
        return kernel_fail(c, "it stores nothing");
    for (int i = 0; i < k->out_count; i++) {
        if (!ir_refs_hold(k->nodes, k->node_count, k->outs[i]))
            return kernel_fail(c, "it stores %%%u, which it does not compute", k->outs[i]);
        if (c->stored_by[k->outs[i]] >= 0)
            return kernel_fail(c, "it stores %%%u, which kernel %d stores too", k->outs[i],
                               c->stored_by[k->outs[i]]);
    }
    if (!ir_refs_hold(k->nodes, k->node_count, k->root) || !root_fits(g, k))
        return kernel_fail(c, "its root %%%u is not among its nodes or does not fit its kind", k->root);
    ir_ref fault;
    if (!ir_kernel_check(g, k, check_load, c, &fault) && !c->failed) {
        if (fault == IR_NONE)
            kernel_fail(c, "out of memory walking it");
        else
            kernel_fail(
                c, "%%%u can't be computed there: a view or row that has no map in its space, or too many",
                fault);
    }
    for (int i = 0; i < k->out_count && !c->failed; i++) {
        c->stored_by[k->outs[i]] = c->kernel;
        check_alive(c, k->outs[i]);
    }
    return !c->failed;
}

static bool check_result(plan_check *c, ir_ref r, const char *what)
{
    ir_ref source = r;
    while (c->stored_by[source] < 0 && ir_shares_bytes(c->g->nodes[source].op))
        source = c->g->nodes[source].x[0];
    int b = c->buffer_of[source];
    bool lost = b >= 0 && c->g->buffers.items[b].kind == IR_B_SCRATCH;
    if ((c->stored_by[source] >= 0 && !lost) || is_outside(c->g, source))
        return true;
    ir_verify_fail(c->g, r, IR_ESTATE, c->e, "it is %s, but %s", what,
                   lost ? "only a slice of it is kept" : "no kernel stores it");
    return false;
}

static bool check_kernels(plan_check *c)
{
    for (c->kernel = 0; c->kernel < c->g->kernels.count; c->kernel++)
        if (!check_kernel(c))
            return false;
    for (int i = 0; i < c->g->output_count; i++)
        if (!check_result(c, c->g->outputs[i].value, "an output"))
            return false;
    for (int i = 0; i < c->g->assign_count; i++)
        if (!check_result(c, c->g->assigns[i].value, "assigned to a variable"))
            return false;
    return true;
}

/* ---- chains ------------------------------------------------------------------------------------------- */

static bool chain_fail(plan_check *c, int i, const char *text, const char *kernel)
{
    ir_fail(c->e, IR_ESTATE, "chain %d: %s%s", i, text, kernel);
    return false;
}

static bool in_arena(const ir_graph *g, size_t offset, size_t bytes)
{
    size_t arena = g->buffers.arena_bytes;
    return offset % 64 == 0 && offset <= arena && bytes <= arena - offset;
}

/* Before buffers and kernels are looked at, which ask for the chain that a kernel is a member of. */
static bool check_bounds(plan_check *c, int i)
{
    const ir_graph *g = c->g;
    const ir_chain *chain = &g->kernels.chains[i];
    int after = i ? chain[-1].first + chain[-1].count : 0;
    if (chain->first < after || chain->count < 2 || chain->count > g->kernels.count - chain->first)
        return chain_fail(c, i, "its kernels are not there, or too few, or another chain's", "");
    if (chain->slices < 2 || chain->strands < 1 || chain->strands > chain->slices)
        return chain_fail(c, i, "it has fewer than two slices, or no strand, or more strands than slices",
                          "");
    if (chain->bytes % 64 != 0 || chain->bytes > SIZE_MAX / 2 / (size_t)chain->strands ||
        (chain->bytes && !in_arena(g, chain->offset, chain->bytes * (size_t)chain->strands)))
        return chain_fail(c, i, "its scratch is not aligned or not inside the arena", "");
    return true;
}

static bool check_members(plan_check *c, int i)
{
    const ir_graph *g = c->g;
    const ir_chain *chain = &g->kernels.chains[i];
    for (int k = chain->first; k < chain->first + chain->count; k++) {
        ir_ref fault;
        if (!ir_chain_takes(g, chain, k, &fault))
            return chain_fail(c, i,
                              fault == IR_NONE ? "there are no such slices of kernel "
                                               : "another slice is read by kernel ",
                              g->kernels.items[k].name);
    }
    return true;
}

static bool check_chains(plan_check *c, bool (*check)(plan_check *, int))
{
    for (int i = 0; i < c->g->kernels.chain_count; i++)
        if (!check(c, i))
            return false;
    return true;
}

/* ---- buffers ----------------------------------------------------------------------------------------- */

static bool buffer_fail(plan_check *c, const ir_buffer *b, const char *text)
{
    ir_fail(c->e, IR_ESTATE, "buffer of %%%u: %s", b->node, text);
    return false;
}

static bool check_index(const ir_graph *g, ir_buffer_kind kind, int index)
{
    switch (kind) {
    case IR_B_ARGUMENT: return index >= 0 && index < g->input_count;
    case IR_B_OUTPUT: return index >= 0 && index < g->output_count;
    case IR_B_VARIABLE: return index >= 0 && index < g->assign_count;
    case IR_B_CONSTANT: return index >= 0 && (ir_ref)index < g->count;
    case IR_B_SCRATCH: return index >= 0;
    case IR_B_NONE:
    case IR_B_ARENA: return true;
    }
    return false;
}

static bool in_scratch(const ir_graph *g, const ir_buffer *b)
{
    const ir_chain *c = b->first >= 0 ? ir_chain_of(g, b->first) : NULL;
    return c && b->last < c->first + c->count && b->offset % 64 == 0 && b->offset <= c->bytes &&
           b->bytes <= c->bytes - b->offset &&
           b->bytes == ir_type_bytes(&g->nodes[b->node].type) / (size_t)c->slices;
}

/* What a member of a chain touches must last while any of its slices runs. */
static bool spans_chains(const ir_graph *g, const ir_buffer *b)
{
    const ir_chain *first = ir_chain_of(g, b->first), *last = ir_chain_of(g, b->last);
    return (!first || b->first == first->first) && (!last || b->last == last->first + last->count - 1);
}

static bool check_buffer(plan_check *c, int i)
{
    const ir_graph *g = c->g;
    const ir_buffer *b = &g->buffers.items[i];
    if (b->node >= g->count || (i && b->node <= b[-1].node))
        return buffer_fail(c, b, "the table does not ascend by node");
    bool other_argument = b->kind == IR_B_ARGUMENT && b->alias == IR_NONE &&
                          check_index(g, b->kind, b->index) && g->inputs[b->index] != b->node;
    if (!check_index(g, b->kind, b->index) || other_argument)
        return buffer_fail(c, b, "its kind or index does not fit the graph");
    if (!ir_type_is_static(&g->nodes[b->node].type))
        return buffer_fail(c, b, "its node has symbolic extents");
    if (b->first > b->last || b->first < -1 || b->last > g->kernels.count)
        return buffer_fail(c, b, "its life is not within the kernels");
    if (b->alias != IR_NONE && (b->alias >= b->node || c->buffer_of[b->alias] < 0))
        return buffer_fail(c, b, "its alias is no earlier buffer");
    if (b->kind == IR_B_ARENA) {
        if (!in_arena(g, b->offset, b->bytes))
            return buffer_fail(c, b, "it is not aligned or not inside the arena");
        if (b->bytes < ir_type_bytes(&g->nodes[b->node].type))
            return buffer_fail(c, b, "it is smaller than its value");
        if (!spans_chains(g, b))
            return buffer_fail(c, b, "it begins or ends to live within a chain");
    }
    if (b->kind == IR_B_SCRATCH && !in_scratch(g, b))
        return buffer_fail(c, b, "it is not one slice of its value in the scratch of one chain");
    c->buffer_of[b->node] = i;
    return true;
}

/* The bytes at one end of a copy; 0 if that place is not there. */
static size_t place_bytes(const ir_graph *g, const ir_place *at, size_t bytes)
{
    ir_ref r;
    if (!check_index(g, at->kind, at->index))
        return 0;
    switch (at->kind) {
    case IR_B_ARGUMENT: r = g->inputs[at->index]; break;
    case IR_B_OUTPUT: r = g->outputs[at->index].value; break;
    case IR_B_VARIABLE: r = g->assigns[at->index].variable; break;
    case IR_B_ARENA: return in_arena(g, at->offset, bytes) ? bytes : 0;
    /* constants are numbered by the table; their values fit the copy's target */
    case IR_B_CONSTANT: return bytes;
    default: return 0;
    }
    return ir_type_is_static(&g->nodes[r].type) ? ir_type_bytes(&g->nodes[r].type) : 0;
}

static bool check_copy(plan_check *c, int i)
{
    const ir_copy *copy = &c->g->buffers.copies[i];
    bool writable =
        copy->to.kind == IR_B_OUTPUT || copy->to.kind == IR_B_VARIABLE || copy->to.kind == IR_B_ARENA;
    if (writable && place_bytes(c->g, &copy->to, copy->bytes) == copy->bytes &&
        place_bytes(c->g, &copy->from, copy->bytes) == copy->bytes && copy->bytes > 0)
        return true;
    ir_fail(c->e, IR_ESTATE, "copy %d: its places are not there or do not hold %zu bytes", i, copy->bytes);
    return false;
}

/* Arena bytes that one value and those that took it over hold, and when. */
typedef struct region {
    size_t start, end;
    int first, last;
    ir_ref node;
} region;

static int by_first(const void *x, const void *z)
{
    const region *a = x, *b = z;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return a->start < b->start ? -1 : a->start > b->start;
}

static void widen(region *r, const ir_buffer *b)
{
    r->start = b->offset < r->start ? b->offset : r->start;
    r->end = b->offset + b->bytes > r->end ? b->offset + b->bytes : r->end;
    r->first = b->first < r->first ? b->first : r->first;
    r->last = b->last > r->last ? b->last : r->last;
}

/* One region per list of aliases in the arena, or in scratch: those of different chains, which live apart;
 * group[i] is the region of buffer i.  Returns how many. */
static int make_regions(const plan_check *c, ir_buffer_kind kind, region *regions, int *group)
{
    int n = 0;
    for (int i = 0; i < c->g->kernels.chain_count && kind == IR_B_ARENA; i++) {
        const ir_chain *h = &c->g->kernels.chains[i];
        if (h->bytes)
            regions[n++] = (region){h->offset, h->offset + h->bytes * (size_t)h->strands, h->first,
                                    h->first + h->count - 1, c->g->kernels.items[h->first].root};
    }
    for (int i = 0; i < c->g->buffers.count; i++) {
        const ir_buffer *b = &c->g->buffers.items[i];
        int target = b->alias != IR_NONE ? group[c->buffer_of[b->alias]] : -1;
        group[i] = -1;
        if (b->kind != kind)
            continue;
        if (target >= 0) {
            group[i] = target;
            widen(&regions[target], b);
        } else {
            group[i] = n;
            regions[n++] = (region){b->offset, b->offset + b->bytes, b->first, b->last, b->node};
        }
    }
    return n;
}

static bool overlap_fail(plan_check *c, const region *a, const region *b)
{
    ir_fail(c->e, IR_ESTATE,
            "buffer of %%%u: its bytes %zu..%zu overlap those of %%%u, which lives at the same time", a->node,
            a->start, a->end, b->node);
    return false;
}

/* Goes through the regions by first kernel, keeping those alive sorted by address in `alive`. */
static bool check_overlaps(plan_check *c, const region *regions, int n, region *alive)
{
    int count = 0;
    for (int i = 0; i < n; i++) {
        const region *r = &regions[i];
        int kept = 0;
        if (r->start == r->end)
            continue;
        for (int j = 0; i && r->first != regions[i - 1].first && j < count; j++)
            if (alive[j].last >= r->first)
                alive[kept++] = alive[j];
        count = i && r->first != regions[i - 1].first ? kept : count;
        int at = 0, hi = count;
        while (at < hi) {
            int mid = at + (hi - at) / 2;
            if (alive[mid].start < r->start)
                at = mid + 1;
            else
                hi = mid;
        }
        if (at && alive[at - 1].end > r->start)
            return overlap_fail(c, r, &alive[at - 1]);
        if (at < count && alive[at].start < r->end)
            return overlap_fail(c, r, &alive[at]);
        memmove(alive + at + 1, alive + at, (size_t)(count - at) * sizeof *alive);
        alive[at] = *r;
        count++;
    }
    return true;
}

static bool check_arena(plan_check *c)
{
    size_t n = (size_t)c->g->buffers.count + (size_t)c->g->kernels.chain_count;
    if (n == 0)
        return true;
    region *regions = ir_mem_alloc(2 * n * sizeof *regions);
    int *group = ir_mem_alloc(n * sizeof *group);
    bool ok = regions && group;
    for (int scratch = 0; scratch < 2 && ok; scratch++) {
        int count = make_regions(c, scratch ? IR_B_SCRATCH : IR_B_ARENA, regions, group);
        qsort(regions, (size_t)count, sizeof *regions, by_first);
        ok = check_overlaps(c, regions, count, regions + n);
    }
    if (!regions || !group) {
        ir_fail(c->e, IR_ENOMEM, "out of memory verifying graph %s", c->g->name);
    }
    ir_mem_free(regions);
    ir_mem_free(group);
    return ok;
}

/* ---- the whole --------------------------------------------------------------------------------------- */

ir_status ir_verify_plan(const ir_graph *g, ir_error *e)
{
    ir_error inner = {0};
    if (g->kernels.count == 0 && g->kernels.chain_count == 0 && g->buffers.count == 0 &&
        g->buffers.copy_count == 0)
        return IR_OK;
    size_t n = g->count ? g->count : 1;
    plan_check c = {.g = g, .e = &inner};
    c.stored_by = ir_mem_alloc(2 * n * sizeof *c.stored_by);
    if (!c.stored_by)
        return ir_fail(e, IR_ENOMEM, "out of memory verifying graph %s", g->name);
    c.buffer_of = c.stored_by + n;
    memset(c.stored_by, 0xff, 2 * n * sizeof *c.stored_by); /* all -1 */
    bool ok = check_chains(&c, check_bounds);
    for (int i = 0; i < g->buffers.count && ok; i++)
        ok = check_buffer(&c, i);
    for (int i = 0; i < g->buffers.copy_count && ok; i++)
        ok = check_copy(&c, i);
    if (ok && check_kernels(&c) && check_chains(&c, check_members))
        check_arena(&c);
    ir_mem_free(c.stored_by);
    return inner.status == IR_OK ? IR_OK : ir_fail(e, inner.status, "%s", inner.text);
}
