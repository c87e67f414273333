/* codegen/terms.c: what one kernel computes, as a list of terms: (node, index map) pairs in topological
 * order.
 *
 *   exp(transpose(x)) over [n, m]   ->   t0 load x, strides (1, n)    t1 exp t0
 *
 * Views dissolve into maps, equal pairs are one term, repeated constants are immediates.  Each term knows on
 * which dims its value depends, so the evaluator can place it as far out as it may go. Cost: one hash lookup
 * per use of a node.  No recursion: chains may be as long as the graph. */
#include "codegen/eval.h"

#include <stdlib.h>
#include <string.h>

enum { PAIR_FLOPS = 16 }; /* about one exp */

ir_status cg_fail(cg_kernel *k, ir_status s, const char *what)
{
    k->failed = true;
    return ir_fail(k->c->err, s, "kernel '%s': %s", k->k->name ? k->k->name : "?", what);
}

bool cg_kernel_has(const ir_kernel *k, ir_ref node)
{
    return ir_refs_hold(k->nodes, k->node_count, node);
}

ir_map cg_map_over(const cg_kernel *k, int first, int last)
{
    ir_map m = {.rank = k->space.rank};
    int64_t stride = 1;

    for (int j = m.rank - 1; j >= 0; j--) {
        m.extent[j] = k->space.extent[j];
        if (j >= first && j < last && m.extent[j] > 1) {
            m.stride[j] = stride;
            stride *= m.extent[j];
        }
    }
    return m;
}

/* ---- the table ---- */

/* Terms of one node and map that are not its value there. */
static int role(cg_term_kind kind)
{
    return kind == CG_T_STORE ? 1 : kind == CG_T_RECIPROCAL ? 2 : 0;
}

static uint64_t hash_key(cg_term_kind kind, ir_ref node, const ir_map *m)
{
    uint64_t h = (uint64_t)node * 0x9e3779b97f4a7c15u + (uint64_t)role(kind);

    h = (h ^ (uint64_t)m->base) * 0x100000001b3u;
    for (int j = 0; j < m->rank; j++)
        h = (h ^ (uint64_t)m->stride[j]) * 0x100000001b3u;
    return h ^ (h >> 29);
}

static bool same_key(const cg_term *t, cg_term_kind kind, ir_ref node, const ir_map *m)
{
    return t->node == node && role(t->kind) == role(kind) && t->map.base == m->base &&
           memcmp(t->map.stride, m->stride, sizeof m->stride) == 0;
}

static int find(const cg_kernel *k, cg_term_kind kind, ir_ref node, const ir_map *m)
{
    if (!k->term_slot_count)
        return -1;
    unsigned size = (unsigned)k->term_slot_count;
    for (unsigned i = (unsigned)hash_key(kind, node, m) & (size - 1);; i = (i + 1) & (size - 1)) {
        if (!k->term_slots[i])
            return -1;
        if (same_key(&k->terms[k->term_slots[i] - 1], kind, node, m))
            return k->term_slots[i] - 1;
    }
}

static void put_slot(cg_kernel *k, int t)
{
    unsigned size = (unsigned)k->term_slot_count;
    const cg_term *e = &k->terms[t];
    unsigned i = (unsigned)hash_key(e->kind, e->node, &e->map) & (size - 1);

    while (k->term_slots[i])
        i = (i + 1) & (size - 1);
    k->term_slots[i] = t + 1;
}

static bool grow(cg_kernel *k)
{
    int capacity = k->term_capacity ? 2 * k->term_capacity : 32;
    cg_term *terms = realloc(k->terms, (size_t)capacity * sizeof *terms);

    if (terms)
        k->terms = terms;
    int32_t *slots = calloc((size_t)capacity * 2, sizeof *slots);
    if (!terms || !slots) {
        free(slots);
        cg_fail(k, IR_ENOMEM, "out of memory");
        return false;
    }
    free(k->term_slots);
    k->term_slots = slots;
    k->term_slot_count = 2 * capacity;
    k->term_capacity = capacity;
    for (int t = 0; t < k->term_count; t++)
        put_slot(k, t);
    return true;
}

static unsigned dims_of(const ir_map *m)
{
    unsigned uses = 0;

    for (int j = 0; j < m->rank; j++)
        if (m->stride[j] != 0 && m->extent[j] > 1)
            uses |= 1u << j;
    return uses;
}

static int append(cg_kernel *k, const cg_term *t)
{
    if (k->term_count == k->term_capacity && !grow(k))
        return -1;
    k->terms[k->term_count] = *t;
    put_slot(k, k->term_count);
    return k->term_count++;
}

/* ---- building ---- */

/* Strides of extent-1 dims mean nothing: 0, so that equal reads are equal terms. */
static void canonical(ir_map *m)
{
    for (int j = 0; j < IR_MAX_RANK; j++)
        if (j >= m->rank || m->extent[j] <= 1)
            m->stride[j] = 0;
}

/* Follows views that are part of the kernel (or live nowhere) to the node whose elements are read. */
static bool look_through(cg_kernel *k, ir_ref *node, ir_map *m)
{
    for (;;) {
        const ir_node *n = &k->g->nodes[*node];
        if (ir_ops[n->op].cls != IR_VIEW || (!cg_kernel_has(k->k, *node) && ir_buffer_of(k->g, *node)))
            break;
        ir_map through;
        if (!ir_map_through(k->g, n, m, &through)) {
            cg_fail(k, IR_EUNSUPPORTED, "a view that no index map can express");
            return false;
        }
        *node = n->x[0];
        *m = through;
    }
    if (ir_is_immediate(&k->g->nodes[*node])) {
        memset(m->stride, 0, sizeof m->stride);
        m->base = 0;
    }
    canonical(m);
    return true;
}

typedef struct frame {
    cg_term t;
    int next; /* operand to visit */
} frame;

/* Kind and operand count of a term that is about to be built. */
static void open_frame(cg_kernel *k, frame *f, ir_ref node, const ir_map *m, bool memory)
{
    const ir_node *n = &k->g->nodes[node];
    ir_class cls = ir_ops[n->op].cls;

    *f = (frame){.t = {.node = node, .map = *m, .uses = dims_of(m)}};
    if (ir_is_immediate(n)) {
        f->t.kind = CG_T_IMMEDIATE;
    } else if (memory || !cg_kernel_has(k->k, node) || cls == IR_LEAF) {
        f->t.kind = CG_T_LOAD;
    } else if (cls == IR_GENERATE) {
        f->t.kind = CG_T_GENERATE;
        f->t.n = n->n ? 4 : 0; /* random_bits: the four words of the state */
    } else if (cls == IR_POINTWISE) {
        f->t.kind = CG_T_OP;
        f->t.n = n->n;
        f->t.uses = 0;
    } else {
        f->t.kind = CG_T_SEED;
        f->t.uses |= 1u << CG_STAGE;
    }
}

/* Operand i of the frame's node, and the map to read it at. */
static void operand_of(const cg_kernel *k, const frame *f, ir_ref *node, ir_map *m)
{
    const ir_node *n = &k->g->nodes[f->t.node];

    *m = f->t.map;
    *node = n->x[f->next];
    if (f->t.kind == CG_T_GENERATE) { /* word number `next`, the same for every element */
        *node = n->x[0];
        memset(m->stride, 0, sizeof m->stride);
        m->base = f->next;
    }
}

static int build(cg_kernel *k, ir_ref node, const ir_map *m)
{
    int depth = 0, capacity = 0, result = -1;
    frame *stack = NULL;
    ir_ref next = node;
    ir_map map = *m;

    for (bool push = true;;) {
        if (push) { /* descend into (next, map) */
            if (depth == capacity) {
                frame *larger = realloc(stack, (size_t)(capacity += 64) * sizeof *stack);
                if (!larger) {
                    cg_fail(k, IR_ENOMEM, "out of memory");
                    break;
                }
                stack = larger;
            }
            open_frame(k, &stack[depth], next, &map, depth > 0 && stack[depth - 1].t.kind == CG_T_GENERATE);
            depth++;
        }
        frame *f = &stack[depth - 1];
        if (f->next < f->t.n) {
            operand_of(k, f, &next, &map);
            if (!look_through(k, &next, &map))
                break;
            int t = find(k, CG_T_LOAD, next, &map);
            push = t < 0;
            if (!push) {
                f->t.x[f->next++] = t;
                f->t.uses |= k->terms[t].uses;
            }
            continue;
        }
        cg_contract_term(k, &f->t);
        cg_divide_once(k, &f->t);
        int t = append(k, &f->t);
        if (t < 0)
            break;
        if (--depth == 0) {
            result = t;
            break;
        }
        frame *up = &stack[depth - 1];
        up->t.x[up->next++] = t;
        up->t.uses |= k->terms[t].uses;
        push = false;
    }
    free(stack);
    return result;
}

int cg_term_of(cg_kernel *k, ir_ref node, const ir_map *m)
{
    ir_map map = *m;

    if (k->failed || !look_through(k, &node, &map))
        return -1;
    int t = find(k, CG_T_LOAD, node, &map);
    return t >= 0 ? t : build(k, node, &map);
}

int cg_store_term(cg_kernel *k, ir_ref out, const ir_map *m)
{
    cg_term t = {.kind = CG_T_STORE, .node = out, .map = *m};

    if (k->failed)
        return -1;
    canonical(&t.map);
    t.uses = dims_of(&t.map);
    int found = find(k, CG_T_STORE, out, &t.map);
    return found >= 0 ? found : append(k, &t);
}

int cg_reciprocal_term(cg_kernel *k, int t)
{
    cg_term r = {.kind = CG_T_RECIPROCAL, .n = 1, .x = {t}};
    int found = find(k, CG_T_RECIPROCAL, k->terms[t].node, &k->terms[t].map);

    r.node = k->terms[t].node;
    r.map = k->terms[t].map;
    r.uses = k->terms[t].uses;
    return found >= 0 ? found : append(k, &r);
}

void cg_terms_need(const cg_kernel *k, uint8_t *need, const uint8_t *stop)
{
    for (int t = k->term_count - 1; t >= 0; t--)
        if (need[t] && !(stop && stop[t]))
            for (int i = 0; i < k->terms[t].n; i++)
                need[k->terms[t].x[i]] = 1;
}

double cg_terms_flops(const cg_kernel *k)
{
    double flops = 0;

    for (int t = 0; t < k->term_count; t++)
        if (k->terms[t].kind == CG_T_OP || k->terms[t].kind == CG_T_GENERATE)
            flops += ir_ops[k->g->nodes[k->terms[t].node].op].flops;
        else if (k->terms[t].kind == CG_T_LOAD)
            flops += 0.5;
    return flops;
}

bool cg_pair_registers(cg_kernel *k, double flops, int64_t n)
{
    cg *c = k->c;

    if (flops < PAIR_FLOPS || c->register_bytes > 32 || 4 * c->lanes != c->register_bytes ||
        n < 4 * (int64_t)c->lanes)
        return false;
    for (int t = 0; t < k->term_count; t++)
        if (ir_dtype_size((ir_dtype)k->g->nodes[k->terms[t].node].type.dtype) > 4)
            return false;
    c->lanes *= 2;
    return true;
}

void cg_terms_free(cg_kernel *k)
{
    free(k->terms);
    free(k->term_slots);
    k->terms = NULL;
    k->term_slots = NULL;
    k->term_count = k->term_capacity = k->term_slot_count = 0;
}
