/* passes/cse.c: common subexpressions: equal nodes become one.
 *
 *   %2 = exp %x   %3 = exp %x   %4 = add %2, %3      ->      %2 = exp %x   %3 = add %2, %2
 *
 * in:  any verified graph.
 * out: no two nodes have the same op, attributes and operands (constants over 1 MiB are not compared).
 * Operands of ops that commute (to the bit: add, mul, max, ..; NaNs have no payload here) are compared, not
 * written, in one order. Runs after differentiation only: merging before it would change the order of the
 * tape's additions (numerics.md rule 9). Cost: one hash and one look-up per node. */
#include "ir/plant.h"
#include "passes/all.h"
#include "passes/rebuild.h"

#include <string.h>

#define BIG_CONSTANT ((size_t)1 << 20)

typedef struct table {
    ir_ref *slot; /* refs of the new graph or IR_NONE, open addressing */
    uint64_t *hash;
    uint32_t mask;
} table;

typedef struct key {
    ir_op op;
    const ir_attrs *a;
    const ir_type *type;
    ir_ref x[IR_MAX_RANK];
    int n;
} key;

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static uint64_t attrs_hash(const key *k)
{
    return IR_PLANTED("cse-attrs") && k->n ? 0 : ir_attrs_hash(k->op, k->a);
}

static bool attrs_eq(const ir_node *n, const key *k)
{
    return IR_PLANTED("cse-attrs") && k->n ? ir_type_eq(&n->type, k->type)
                                           : ir_attrs_eq(k->op, n->attrs, k->a);
}

static uint64_t hash_of(const key *k)
{
    uint64_t h = mix(attrs_hash(k), (uint64_t)k->op);

    for (int i = 0; i < k->n; i++) {
        h = mix(h, k->x[i]);
    }
    return h;
}

/* The operands of a commuting op in ascending order. */
static void sort_operands(ir_op op, ir_ref *x)
{
    bool any = ir_ops[op].facts & IR_COMMUTES || (op == IR_sub && IR_PLANTED("cse-order"));

    if (any && x[0] > x[1]) {
        ir_ref first = x[0];
        x[0] = x[1];
        x[1] = first;
    }
}

static bool same(const ir_graph *g, ir_ref r, const key *k)
{
    const ir_node *n = &g->nodes[r];
    ir_ref x[IR_MAX_RANK];

    if (n->op != k->op || n->n != k->n) {
        return false;
    }
    memcpy(x, n->x, (size_t)n->n * sizeof *x);
    sort_operands(k->op, x);
    return memcmp(x, k->x, (size_t)k->n * sizeof *x) == 0 && attrs_eq(n, k);
}

/* The slot of a node equal to k, or the free one where it belongs. */
static uint32_t find(const table *t, const ir_graph *g, const key *k, uint64_t h)
{
    uint32_t i = (uint32_t)h & t->mask;

    while (t->slot[i] != IR_NONE && !(t->hash[i] == h && same(g, t->slot[i], k))) {
        i = (i + 1) & t->mask;
    }
    return i;
}

static bool table_open(table *t, ir_graph *out, uint32_t nodes)
{
    uint32_t size = 16;

    while (size < 2 * nodes) {
        size *= 2;
    }
    t->mask = size - 1;
    t->slot = ir_graph_alloc(out, size * sizeof *t->slot);
    t->hash = ir_graph_alloc(out, size * sizeof *t->hash);
    if (!t->slot || !t->hash) {
        return false;
    }
    memset(t->slot, 0xff, size * sizeof *t->slot); /* IR_NONE */
    return true;
}

/* Inputs, variables and calls with effects are themselves. */
static bool is_single(const ir_node *n)
{
    return n->op == IR_input || n->op == IR_variable || ir_has_effects(n) ||
           (n->op == IR_constant && n->attrs->constant.bytes > BIG_CONSTANT);
}

static ir_ref copy_once(table *t, const ir_graph *in, ir_ref r, ir_graph *out, const ir_ref *map)
{
    const ir_node *n = &in->nodes[r];
    key k = {.op = n->op, .a = n->attrs, .type = &n->type, .n = n->n};

    if (is_single(n) || !pass_map_operands(in, r, map, k.x)) {
        return pass_copy_node(in, r, out, map);
    }
    sort_operands(k.op, k.x);
    uint64_t h = hash_of(&k);
    uint32_t i = find(t, out, &k, h);
    if (t->slot[i] == IR_NONE) {
        t->slot[i] = pass_copy_node(in, r, out, map);
        t->hash[i] = h;
    }
    return t->slot[i];
}

ir_status pass_cse(pass_context *pc, const ir_graph *in, ir_graph *out, ir_ref *map)
{
    table t;

    (void)pc;
    if (pass_copy_header(in, out) != IR_OK || !table_open(&t, out, in->count)) {
        return out->error.status;
    }
    for (ir_ref r = 0; r < in->count; r++) {
        map[r] = copy_once(&t, in, r, out, map);
    }
    return pass_copy_results(in, out, map);
}
