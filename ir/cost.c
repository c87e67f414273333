/* ir/cost.c: what a node costs to compute, and what a plan holds in memory: facts that several folders count.
 */
#include "ir.h"
#include "arena.h"
#include "map.h"

double ir_node_flops(const ir_graph *g, const ir_node *n)
{
    if (!ir_type_is_static(&n->type))
        return 0;
    double each = ir_ops[n->op].flops, count = (double)ir_type_elements(&n->type);
    if (n->op == IR_dot_general) {
        const ir_type *x = &g->nodes[n->x[0]].type;
        for (int i = 0; i < n->attrs->nk; i++)
            count *= (double)x->dims[n->attrs->dot.lhs_k[i]];
    } else if (ir_ops[n->op].cls == IR_REDUCE || ir_ops[n->op].cls == IR_INDEX) {
        count = (double)ir_type_elements(&g->nodes[n->x[0]].type);
    }
    return each * count;
}

/* The first buffer of b's chain of aliases. */
static int storage_of(const ir_graph *g, const ir_buffer *b)
{
    while (b->alias != IR_NONE) {
        b = ir_buffer_of(g, b->alias);
    }
    return (int)(b - g->buffers.items);
}

size_t ir_live_peak(const ir_graph *g, int *kernel)
{
    const ir_buffer_table *t = &g->buffers;
    size_t live = 0, peak = 0;
    int *last = ir_mem_alloc((size_t)(t->count + 1) * sizeof *last);
    size_t *change = ir_mem_zero((size_t)(2 * g->kernels.count + 6) * sizeof *change);
    size_t *born = change, *dead = change ? change + g->kernels.count + 3 : NULL;

    *kernel = -1;
    for (int i = 0; i < t->count && last && change; i++) {
        int s = storage_of(g, &t->items[i]);
        last[i] = t->items[i].last;
        last[s] = t->items[i].last > last[s] ? t->items[i].last : last[s];
    }
    for (int i = 0; i < t->count && last && change; i++) {
        const ir_buffer *b = &t->items[i];
        if (b->kind != IR_B_ARENA || b->alias != IR_NONE)
            continue;
        born[b->first + 1] += (b->bytes + 63) / 64 * 64;
        dead[last[i] + 2] += (b->bytes + 63) / 64 * 64;
    }
    for (int i = 0; i < g->kernels.chain_count && last && change; i++) {
        const ir_chain *c = &g->kernels.chains[i];
        born[c->first + 1] += c->bytes * (size_t)c->strands;
        dead[c->first + c->count + 1] += c->bytes * (size_t)c->strands;
    }
    for (int k = -1; k <= g->kernels.count && last && change; k++) {
        live += born[k + 1] - dead[k + 1];
        if (live > peak) {
            peak = live;
            *kernel = k;
        }
    }
    ir_mem_free(last);
    ir_mem_free(change);
    return peak;
}

/* ---- repeated nodes ---- */

static ir_ref without_checkpoints(const ir_graph *g, ir_ref r)
{
    while (g->nodes[r].op == IR_checkpoint)
        r = g->nodes[r].x[0];
    return r;
}

static uint64_t hash_node(const ir_graph *g, ir_ref r, const ir_ref *same)
{
    const ir_node *n = &g->nodes[r];
    uint64_t h = ir_attrs_hash(n->op, n->attrs) * 31 + (uint64_t)n->op;
    for (int i = 0; i < n->n; i++)
        h = (h ^ same[n->x[i]]) * 0x9E3779B97F4A7C15ULL;
    return h ^ h >> 32;
}

static bool equal_nodes(const ir_graph *g, ir_ref a, ir_ref b, const ir_ref *same)
{
    const ir_node *x = &g->nodes[a], *z = &g->nodes[b];
    bool equal = x->op == z->op && x->n == z->n && ir_attrs_eq(x->op, x->attrs, z->attrs);
    for (int i = 0; equal && i < x->n; i++)
        equal = same[x->x[i]] == same[z->x[i]];
    return equal;
}

double ir_repeated_flops(const ir_graph *g)
{
    uint32_t size = 64;
    while (size < 2 * g->count)
        size *= 2;
    /* the first node of this value */
    ir_ref *same = ir_mem_alloc(((size_t)g->count + size + 1) * sizeof *same);
    ir_ref *slot = same ? same + g->count : NULL;
    double flops = 0;

    for (uint32_t i = 0; slot && i < size; i++)
        slot[i] = IR_NONE;
    for (ir_ref r = 0; slot && r < g->count; r++) {
        ir_class cls = ir_ops[g->nodes[r].op].cls;
        same[r] = g->nodes[r].op == IR_checkpoint ? same[without_checkpoints(g, r)] : r;
        if (cls == IR_LEAF || same[r] != r || ir_has_effects(&g->nodes[r]))
            continue;
        uint64_t h = hash_node(g, r, same);
        while (slot[h & (size - 1)] != IR_NONE && !equal_nodes(g, slot[h & (size - 1)], r, same))
            h++;
        ir_ref *s = &slot[h & (size - 1)];
        *s = *s == IR_NONE ? r : *s;
        same[r] = *s;
        flops += same[r] != r ? ir_node_flops(g, &g->nodes[r]) : 0;
    }
    ir_mem_free(same);
    return flops;
}
