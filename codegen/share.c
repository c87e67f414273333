/* codegen/share.c: where buffers are found in args[], and a canonical description of a kernel's structure.
 *
 *   %7 = add %3, %5  (k1)    %12 = add %9, %3  (k2)   ->   one body "add f32[64]: place 0, place 1 -> place
 * 2"
 *
 * Nodes are numbered by their position in the kernel and outside values by first use, so kernels that differ
 * only in where their operands lie have equal keys.  Keys are compared as bytes: no two different kernels are
 * ever taken for one. */
#include "codegen/share.h"
#include "codegen/eval.h"
#include "ir/range.h"

#include <stdlib.h>
#include <string.h>

enum { STREAM_BYTES = 8 << 20, STREAM_PRODUCT_BYTES = 4 << 20 };

static int input_number(const ir_graph *g, ir_ref node)
{
    for (int i = 0; i < g->input_count; i++)
        if (g->inputs[i] == node)
            return i;
    return 0;
}

int cg_arg_count(const ir_graph *g)
{
    return 1 + g->input_count + g->output_count + ir_constant_count(g);
}

bool cg_place_arg(const ir_graph *g, ir_buffer_kind kind, int index, size_t at, int *arg, size_t *offset)
{
    *offset = 0;
    switch (kind) {
    case IR_B_ARENA:
        *arg = 0;
        *offset = at;
        return true;
    case IR_B_ARGUMENT: *arg = 1 + index; return true;
    case IR_B_OUTPUT: *arg = 1 + g->input_count + index; return true;
    case IR_B_CONSTANT: *arg = 1 + g->input_count + g->output_count + index; return true;
    case IR_B_SCRATCH: *arg = cg_arg_count(g) + index; return true;
    case IR_B_VARIABLE: *arg = 1 + input_number(g, g->assigns[index].variable); return true;
    default: return false;
    }
}

bool cg_place_of(const ir_graph *g, ir_ref node, cg_place *p)
{
    const ir_buffer *b = ir_buffer_of(g, node);

    p->node = node;
    while (b && b->kind == IR_B_NONE && b->alias != IR_NONE)
        b = ir_buffer_of(g, b->alias);
    return b && cg_place_arg(g, b->kind, b->index, b->offset, &p->arg, &p->offset);
}

/* ---- the key ---- */

static bool put(cg_shape_key *k, const void *p, size_t n)
{
    if (k->count + n > k->capacity) {
        size_t capacity = 2 * (k->capacity + n) + 256;
        unsigned char *b = realloc(k->bytes, capacity);
        if (!b)
            return false;
        k->bytes = b;
        k->capacity = capacity;
    }
    memcpy(k->bytes + k->count, p, n);
    k->count += n;
    return true;
}

static bool put_int(cg_shape_key *k, int64_t v)
{
    return put(k, &v, sizeof v);
}

static bool put_type(cg_shape_key *k, const ir_type *t)
{
    return put_int(k, t->dtype * 16 + t->rank) && put(k, t->dims, t->rank * sizeof t->dims[0]);
}

static bool put_immediate(cg_shape_key *k, const ir_node *n)
{
    return put_int(k, -1) && put_type(k, &n->type) &&
           put(k, n->attrs->constant.data, ir_dtype_size((ir_dtype)n->type.dtype));
}

int cg_binding_find(const cg_binding *b, ir_ref node)
{
    for (int i = 0; i < b->count; i++)
        if (b->places[i].node == node)
            return i;
    return -1;
}

static bool put_place(const ir_graph *g, cg_binding *b, cg_shape_key *key, ir_ref node, ir_error *e)
{
    int i = cg_binding_find(b, node);

    if (i < 0) {
        cg_place *places = realloc(b->places, (size_t)(b->count + 1) * sizeof *places);
        if (!places) {
            ir_fail(e, IR_ENOMEM, "out of memory");
            return false;
        }
        b->places = places;
        i = b->count;
        if (!cg_place_of(g, node, &places[i])) {
            ir_fail(e, IR_EUNSUPPORTED, "node %%%u is read or stored by a kernel but has no buffer",
                    (unsigned)node);
            return false;
        }
        b->count++;
    }
    return put_int(key, 1000000 + i) && put_type(key, &g->nodes[node].type);
}

static int position(const ir_kernel *k, ir_ref node)
{
    return ir_refs_find(k->nodes, k->node_count, node);
}

/* Whether the node's operands are read from memory even where they are listed (ir/map.h). */
static bool reads_memory(const ir_kernel *k, const ir_node *n)
{
    ir_class cls = ir_ops[n->op].cls;

    return n->op == IR_random_bits || cls == IR_INDEX || (cls == IR_CONTRACT && k->kind == IR_K_CONTRACT);
}

static bool put_operand(const ir_graph *g, const ir_kernel *k, const ir_node *n, ir_ref x, cg_binding *b,
                        cg_shape_key *key, ir_error *e)
{
    bool widens = ir_dot_widens(g, n) && x == n->x[1]; /* the convert says where it reads */
    int at = position(k, x);
    bool memory = reads_memory(k, n) && !(widens && at >= 0);

    if (memory)
        while (at >= 0 && ir_shares_bytes(g->nodes[x].op) && !ir_buffer_of(g, x)) {
            x = g->nodes[x].x[0];
            at = position(k, x);
        }
    if (ir_is_immediate(&g->nodes[x]) && (!memory || !ir_buffer_of(g, x)))
        return put_immediate(key, &g->nodes[x]);
    if (at >= 0 && !memory)
        return put_int(key, at);
    return put_place(g, b, key, x, e);
}

static bool put_node(const ir_graph *g, const ir_kernel *k, ir_ref r, cg_binding *b, cg_shape_key *key,
                     ir_error *e)
{
    const ir_node *n = &g->nodes[r];
    ir_attrs a = *n->attrs;

    if (n->op == IR_constant)
        return put_immediate(key, n);
    bool ok = put_int(key, n->op) && put_type(key, &n->type) && put(key, &a, sizeof a) &&
              put_int(key, n->op == IR_exp && ir_never_positive(g, n->x[0])); /* eval.c: known of the graph */
    for (int i = 0; ok && i < ir_operands_read(n); i++)
        ok = put_operand(g, k, n, n->x[i], b, key, e);
    return ok;
}

/* From how many bytes on a kernel's results go past the caches; 0: never. */
static size_t stream_bytes(const ir_kernel *k)
{
    switch (k->kind) {
    case IR_K_LOOP:
    case IR_K_ROW: return STREAM_BYTES;
    case IR_K_CONTRACT: return STREAM_PRODUCT_BYTES;
    default: return 0;
    }
}

/* Does the kernel load what it then overwrites with this out?  Its lines are in the caches already. */
static bool is_in_place(const ir_graph *g, const ir_kernel *k, ir_ref out)
{
    cg_place at, read;

    if (!cg_place_of(g, out, &at))
        return false;
    for (int i = 0; i < k->node_count; i++) {
        const ir_node *n = &g->nodes[k->nodes[i]];
        for (int x = 0; x < n->n; x++)
            if (position(k, n->x[x]) < 0 && cg_place_of(g, n->x[x], &read) && read.arg == at.arg &&
                read.offset == at.offset)
                return true;
    }
    return false;
}

/* Big results that the next kernels do not read are written past the caches: a third faster from memory,
 * slower from L2.  A batch of 96 products of 128 x 64 by 64 x 128 took 2.1 instead of 2.6 ms, a step on the
 * way to 1.83 (Zen 4). */
bool cg_streams(const ir_graph *g, const ir_kernel *k, ir_ref out)
{
    int at = (int)(k - g->kernels.items);
    size_t from = stream_bytes(k);

    if (!from || ir_type_bytes(&g->nodes[out].type) < from || ir_chain_of(g, at) || is_in_place(g, k, out))
        return false;
    for (int i = at + 1; i < at + 3 && i < g->kernels.count; i++) {
        const ir_kernel *next = &g->kernels.items[i];
        for (int j = 0; j < next->node_count; j++)
            for (int x = 0; x < g->nodes[next->nodes[j]].n; x++)
                if (g->nodes[next->nodes[j]].x[x] == out)
                    return false;
    }
    return true;
}

bool cg_bind(const ir_graph *g, const ir_kernel *k, cg_binding *b, cg_shape_key *key, ir_error *e)
{
    const ir_chain *chain = ir_chain_of(g, (int)(k - g->kernels.items));
    bool ok = put_int(key, k->kind) && put_int(key, k->node_count) && put_int(key, position(k, k->root)) &&
              put_int(key, chain ? chain->slices : 1);

    for (int i = 0; ok && i < k->node_count; i++)
        ok = put_node(g, k, k->nodes[i], b, key, e);
    for (int i = 0; ok && i < k->out_count; i++)
        ok = put_int(key, position(k, k->outs[i])) && put_int(key, cg_streams(g, k, k->outs[i])) &&
             put_place(g, b, key, k->outs[i], e);
    if (!ok)
        ir_fail(e, IR_ENOMEM, "out of memory");
    key->hash = 1469598103934665603u;
    for (size_t i = 0; i < key->count; i++)
        key->hash = (key->hash ^ key->bytes[i]) * 1099511628211u;
    return ok;
}

bool cg_key_eq(const cg_shape_key *a, const cg_shape_key *b)
{
    return a->hash == b->hash && a->count == b->count && memcmp(a->bytes, b->bytes, a->count) == 0;
}

void cg_binding_free(cg_binding *b)
{
    free(b->places);
    *b = (cg_binding){0};
}

void cg_key_free(cg_shape_key *k)
{
    free(k->bytes);
    *k = (cg_shape_key){0};
}
