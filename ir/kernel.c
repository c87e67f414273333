/* ir/kernel.c: what one kernel evaluates, and where: the walk over its (node, map) pairs.
 *
 * The walk starts at the outs and goes to operands as ir/kernel.h says: pointwise at the same map, views at
 * the composed map, reduces and products at their own space.  Whatever is not listed in the kernel is loaded.
 * It is iterative and visits each pair once, so long chains and diamonds cost their number of pairs. */
#include "ir/map.h"
#include "ir/arena.h"

#include <string.h>

const char *ir_kernel_kind_name(ir_kernel_kind k)
{
    static const char *const names[IR_K_COUNT] = {"loop", "row", "outer", "contract", "index"};

    return k < IR_K_COUNT ? names[k] : "?";
}

const char *ir_buffer_kind_name(ir_buffer_kind k)
{
    static const char *const names[] = {"none",  "argument", "output", "constant",
                                        "arena", "variable", "scratch"};

    return k <= IR_B_SCRATCH ? names[k] : "?";
}

bool ir_is_immediate(const ir_node *n)
{
    return n->op == IR_constant && (n->attrs->splat || ir_type_elements(&n->type) == 1);
}

/* ---- the walk ---------------------------------------------------------------------------------------- */

typedef struct pair {
    ir_ref node;
    bool load, open, done; /* load: whether it is listed or not; open: its operands were pushed */
    ir_map map;
} pair;

typedef struct walk {
    const ir_graph *g;
    const ir_kernel *k;
    ir_map_visit *visit; /* or NULL */
    void *user;
    ir_map space, row, block; /* block: of a ROW's reduces over rows */
    int inner, run;
    bool producing; /* OUTER: below the operand of a reduce, where no reduce may be read */
    pair *pairs;    /* every pair seen */
    uint32_t pair_count, pair_capacity;
    uint32_t *slots; /* hash table of pair + 1 */
    uint32_t slot_count;
    uint32_t *stack; /* pairs to evaluate; one may be there several times */
    uint32_t depth, stack_capacity;
    ir_ref fault;
} walk;

static bool fail_at(walk *w, ir_ref r)
{
    w->fault = r;
    return false;
}

int ir_refs_find(const ir_ref *list, int count, ir_ref r)
{
    int lo = 0, hi = count;

    while (lo < hi) {
        int mid = (lo + hi) / 2;

        if (list[mid] < r) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < count && list[lo] == r ? lo : -1;
}

bool ir_refs_hold(const ir_ref *list, int count, ir_ref r)
{
    return ir_refs_find(list, count, r) >= 0;
}

static uint64_t hash_pair(ir_ref r, bool load, const ir_map *m)
{
    uint64_t h = (r * 2ULL + load + 1) * 0x9E3779B97F4A7C15ULL ^ (uint64_t)m->base;

    for (int j = 0; j < m->rank; j++) {
        h = (h ^ (uint64_t)m->stride[j]) * 0xBF58476D1CE4E5B9ULL;
        h ^= h >> 29;
    }
    return h ^ (h >> 32);
}

/* More pairs than any sensible kernel has: f(x[:h]) + f(x[h:]) doubles the maps at every step, so a few dozen
 * nodes, of a hostile text say, could ask for 2^30 of them. */
enum { PAIRS_MAX = 1 << 18 };

static bool grow(walk *w)
{
    uint32_t n = w->slot_count ? w->slot_count * 2 : 64;
    uint32_t *slots = ir_mem_zero(n * sizeof *slots);
    pair *pairs = ir_mem_resize(w->pairs, n / 2 * sizeof *pairs);

    w->pairs = pairs ? pairs : w->pairs;
    if (!slots || !pairs) {
        ir_mem_free(slots);
        return false;
    }
    for (uint32_t i = 0; i < w->pair_count; i++) {
        uint64_t h = hash_pair(pairs[i].node, pairs[i].load, &pairs[i].map);

        while (slots[h & (n - 1)]) {
            h++;
        }
        slots[h & (n - 1)] = i + 1;
    }
    ir_mem_free(w->slots);
    w->slots = slots;
    w->slot_count = n;
    w->pair_capacity = n / 2;
    return true;
}

/* The number of a pair, which is added when it is new; UINT32_MAX when there are too many or out of memory.
 */
static uint32_t find_pair(walk *w, ir_ref r, bool load, const ir_map *m)
{
    uint64_t h = hash_pair(r, load, m);

    if (w->pair_count == PAIRS_MAX) {
        fail_at(w, r);
        return UINT32_MAX;
    }
    if (w->pair_count == w->pair_capacity && !grow(w)) {
        return UINT32_MAX;
    }
    for (;; h++) {
        uint32_t *slot = &w->slots[h & (w->slot_count - 1)];
        const pair *p = *slot ? &w->pairs[*slot - 1] : NULL;

        if (!p) {
            w->pairs[w->pair_count] = (pair){.node = r, .load = load, .map = *m};
            *slot = ++w->pair_count;
            return w->pair_count - 1;
        }
        if (p->node == r && p->load == load && ir_map_eq(&p->map, m)) {
            return *slot - 1;
        }
    }
}

/* Asks for a pair; false when there are too many or out of memory. */
static bool ask(walk *w, ir_ref r, bool load, const ir_map *m)
{
    uint32_t p = find_pair(w, r, load, m);

    if (p == UINT32_MAX) {
        return false;
    }
    if (w->depth == w->stack_capacity) {
        uint32_t n = w->stack_capacity ? w->stack_capacity * 2 : 64;
        uint32_t *s = ir_mem_resize(w->stack, n * sizeof *s);

        if (!s) {
            return false;
        }
        w->stack = s;
        w->stack_capacity = n;
    }
    if (!w->pairs[p].done) {
        w->stack[w->depth++] = p;
    }
    return true;
}

/* What the kernel reduces over its rows is stored, and read by nobody here: other rows are still to come. */
static bool push(walk *w, ir_ref r, bool load, const ir_map *m)
{
    bool row = w->k->kind == IR_K_ROW && ir_reduces_rows(w->g, r);

    return row && ir_refs_hold(w->k->nodes, w->k->node_count, r) ? fail_at(w, r) : ask(w, r, load, m);
}

/* An operand that must lie in memory.  It may be listed for other uses, but not computed by this kernel. */
static bool push_memory(walk *w, ir_ref r, const ir_map *m)
{
    ir_ref base = r;

    /* A reshape shares its operand's bytes, listed or not. */
    while (ir_shares_bytes(w->g->nodes[base].op) && !ir_refs_hold(w->k->outs, w->k->out_count, base)) {
        base = w->g->nodes[base].x[0];
    }
    if (ir_refs_hold(w->k->nodes, w->k->node_count, base) && w->g->nodes[base].op != IR_constant) {
        return fail_at(w, base);
    }
    return push(w, r, true, m);
}

static bool push_whole(walk *w, ir_ref r)
{
    ir_map m = ir_map_identity(&w->g->nodes[r].type);

    return push_memory(w, r, &m);
}

/* Do both reduce the same axes of operands of one shape? */
static bool reduce_alike(const ir_graph *g, const ir_node *a, const ir_node *b)
{
    return a->attrs->n == b->attrs->n && memcmp(a->attrs->axes, b->attrs->axes, a->attrs->n) == 0 &&
           ir_shape_eq(&g->nodes[a->x[0]].type, &g->nodes[b->x[0]].type);
}

static bool push_reduce(walk *w, ir_ref r, const ir_node *n, const ir_map *m)
{
    const ir_node *root = &w->g->nodes[w->k->root];
    bool rows = w->k->kind == IR_K_ROW && ir_reduces_rows(w->g, r);

    if ((w->k->kind != IR_K_ROW && w->k->kind != IR_K_OUTER) || w->producing || root->op == IR_dot_general ||
        !ir_map_eq(m, rows ? &w->block : &w->row) ||
        !reduce_alike(w->g, n, rows ? ir_kernel_space_node(w->g, w->k) : root)) {
        return fail_at(w, r);
    }
    return push(w, n->x[0], false, &w->space);
}

static bool push_dot(walk *w, ir_ref r, const ir_node *n, const ir_map *m)
{
    if (r != w->k->root || !ir_map_eq(m, &w->row)) {
        return fail_at(w, r);
    }
    if (w->k->kind == IR_K_ROW) {
        ir_map lhs, rhs;

        ir_kernel_tree_space(w->g, n, &w->inner, &lhs, &rhs);
        return push(w, n->x[1], false, &rhs) && push(w, n->x[0], false, &lhs);
    }
    return w->k->kind == IR_K_CONTRACT ? push_whole(w, ir_dot_source(w->g, w->k, 1)) && push_whole(w, n->x[0])
                                       : fail_at(w, r);
}

static bool push_random_state(walk *w, const ir_node *n, const ir_map *m)
{
    ir_map word = *m;

    memset(word.stride, 0, sizeof word.stride);
    for (word.base = 3; word.base >= 0; word.base--) {
        if (!push_memory(w, n->x[0], &word)) {
            return false;
        }
    }
    return true;
}

/* Pushes the operands of node r evaluated at m, last first, so that the first is evaluated first. */
static bool push_operands(walk *w, ir_ref r, const ir_map *m)
{
    const ir_node *n = &w->g->nodes[r];
    ir_map inside;

    switch (ir_ops[n->op].cls) {
    case IR_LEAF: return ir_is_immediate(n) || fail_at(w, r);
    case IR_GENERATE: return n->op != IR_random_bits || push_random_state(w, n, m);
    case IR_POINTWISE:
        for (int i = n->n - 1; i >= 0; i--) {
            if (!push(w, n->x[i], false, m)) {
                return false;
            }
        }
        return true;
    case IR_VIEW:
        if (!ir_map_through(w->g, n, m, &inside)) {
            return fail_at(w, r);
        }
        return push(w, n->x[0], false, &inside);
    case IR_PAD: /* stored, never read by its own kernel */
        if (w->k->kind != IR_K_LOOP || r != w->k->root || w->k->out_count != 1 || w->k->outs[0] != r) {
            return fail_at(w, r);
        }
        return push(w, n->x[0], false, &w->space);
    case IR_CONCAT: /* the same, of several values: each in the space of its own dims */
        if (w->k->kind != IR_K_LOOP || r != w->k->root || w->k->out_count != 1 || w->k->outs[0] != r) {
            return fail_at(w, r);
        }
        for (int i = n->n - 1; i >= 0; i--) {
            inside = ir_map_identity(&w->g->nodes[n->x[i]].type);
            if (!push(w, n->x[i], false, &inside)) {
                return false;
            }
        }
        return true;
    case IR_REDUCE: return push_reduce(w, r, n, m);
    case IR_CONTRACT: return push_dot(w, r, n, m);
    case IR_INDEX: break;
    }
    if (w->k->kind != IR_K_INDEX || r != w->k->root || !ir_map_eq(m, &w->space)) {
        return fail_at(w, r);
    }
    for (int i = n->n - 1; i >= 0; i--) {
        if (!push_whole(w, n->x[i])) {
            return false;
        }
    }
    return true;
}

/* Evaluates node r at m with all it needs. */
static bool evaluate(walk *w, ir_ref r, const ir_map *m)
{
    if (!ask(w, r, false, m)) {
        return false;
    }
    while (w->depth > 0) {
        pair *p = &w->pairs[w->stack[w->depth - 1]];
        bool loaded = p->load || !ir_refs_hold(w->k->nodes, w->k->node_count, p->node);

        if (!loaded && !p->open) {
            ir_map at = p->map;

            p->open = true;
            if (!push_operands(w, p->node, &at)) {
                return false;
            }
            continue;
        }
        w->depth--;
        if (!p->done) {
            p->done = true;
            if (w->visit) {
                w->visit(w->user, p->node, &p->map, loaded);
            }
        }
    }
    return true;
}

static int64_t map_elements(const ir_map *m)
{
    int64_t n = 1;

    for (int j = 0; j < m->rank; j++) {
        n *= m->extent[j];
    }
    return n;
}

/* The map at which an out is stored, by its number of elements; false if it has no place in the space. */
static bool out_map(const walk *w, ir_ref out, ir_map *m)
{
    const ir_node *n = &w->g->nodes[out];
    int64_t count = ir_type_elements(&n->type), full = map_elements(&w->space), rows = full;

    if (n->op == IR_pad) {
        int64_t s[IR_MAX_RANK];

        ir_type_strides(&n->type, s);
        *m = w->space;
        for (int j = 0; j < m->rank; j++) {
            m->stride[j] = m->extent[j] == 1 ? 0 : s[j] * (n->attrs->pad.interior[j] + 1);
            m->base += s[j] * n->attrs->pad.low[j];
        }
        return out == w->k->root && w->k->kind == IR_K_LOOP && w->k->out_count == 1;
    }
    for (int j = 0; j < w->space.rank; j++) {
        rows /= w->row.stride[j] == 0 && w->space.extent[j] > 1 ? w->space.extent[j] : 1;
    }
    /* The full shape of a tree product would be its terms: only row-shaped values have a place there. */
    if (w->k->kind == IR_K_OUTER ||
        (w->k->kind == IR_K_ROW && w->g->nodes[w->k->root].op == IR_dot_general)) {
        *m = w->row;
        return count == rows;
    }
    if (w->k->kind == IR_K_ROW && ir_reduces_rows(w->g, out)) {
        *m = w->block;
        return true;
    }
    *m = count == full ? w->space : w->row;
    return count == full || count == rows;
}

/* Where a ROW reduces over rows: whole blocks of them, of the runs that the root reduces. */
static bool blocks_fit(const walk *w)
{
    const ir_node *root = &w->g->nodes[w->k->root], *n = ir_kernel_space_node(w->g, w->k);
    int64_t inner = 1, rows;

    if (n == root) {
        return true;
    }
    if (root->op == IR_dot_general || w->run != 1) {
        return false;
    }
    rows = w->space.extent[w->space.rank - w->inner - 1];
    for (int j = w->space.rank - w->inner; j < w->space.rank; j++) {
        inner *= w->space.extent[j];
    }
    return inner == ir_reduced_run(w->g, w->k->root) && rows > 1 && rows <= IR_ROW_BLOCK &&
           map_elements(&w->space) == ir_type_elements(&w->g->nodes[root->x[0]].type);
}

static bool walk_outs(walk *w)
{
    const ir_kernel *k = w->k;

    if (k->kind == IR_K_OUTER) { /* one sweep over the run: no reduce may need another */
        w->producing = true;
        for (int i = 0; i < k->node_count; i++) {
            const ir_node *n = &w->g->nodes[k->nodes[i]];

            if (ir_ops[n->op].cls == IR_REDUCE && !evaluate(w, n->x[0], &w->space)) {
                return false;
            }
        }
        w->producing = false;
    }
    for (int i = 0; i < k->out_count; i++) {
        ir_map m;

        if (!ir_refs_hold(k->nodes, k->node_count, k->outs[i]) || !out_map(w, k->outs[i], &m)) {
            return fail_at(w, k->outs[i]);
        }
        if (!evaluate(w, k->outs[i], &m)) {
            return false;
        }
    }
    return true;
}

bool ir_kernel_check(const ir_graph *g, const ir_kernel *k, ir_map_visit *visit, void *user, ir_ref *fault)
{
    walk w = {.g = g, .k = k, .visit = visit, .user = user, .fault = IR_NONE};
    bool ok = k->out_count > 0 && ir_refs_hold(k->nodes, k->node_count, k->root);

    if (ok) {
        w.space = ir_kernel_space(g, k, &w.inner, &w.run);
        w.row = ir_kernel_row_map(k, &w.space, w.inner, w.run);
        w.block = ir_kernel_block_map(&w.space, w.inner, w.run);
        ok = w.space.rank >= 0 && (k->kind != IR_K_ROW || blocks_fit(&w)) && walk_outs(&w);
    }
    if (fault) {
        *fault = ok ? IR_NONE : w.fault;
    }
    ir_mem_free(w.pairs);
    ir_mem_free(w.slots);
    ir_mem_free(w.stack);
    return ok;
}

bool ir_kernel_walk(const ir_graph *g, const ir_kernel *k, ir_map_visit *visit, void *user)
{
    return ir_kernel_check(g, k, visit, user, NULL);
}

const ir_buffer *ir_buffer_of(const ir_graph *g, ir_ref r)
{
    int lo = 0, hi = g->buffers.count;

    while (lo < hi) {
        int mid = (lo + hi) / 2;

        if (g->buffers.items[mid].node < r) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < g->buffers.count && g->buffers.items[lo].node == r ? &g->buffers.items[lo] : NULL;
}

int ir_constant_count(const ir_graph *g)
{
    int count = 0;

    for (int i = 0; i < g->buffers.count; i++) {
        if (g->buffers.items[i].kind == IR_B_CONSTANT && g->buffers.items[i].index >= count) {
            count = g->buffers.items[i].index + 1;
        }
    }
    return count;
}
