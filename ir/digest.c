/* ir/digest.c: see digest.h.
 *
 * Each half takes 8 bytes a step by h = rotate(h ^ w * M) * N, which loses nothing of h nor of w; M, N and
 * the rotation differ between the halves.  Everything is preceded by its length or is of fixed length, so
 * that different sequences of pieces are different bytes. */
#include "ir/digest.h"

#include <string.h>

#include "ir/attrs.h"
#include "ir/map.h"

static uint64_t rotate(uint64_t v, int by)
{
    return v << by | v >> (64 - by);
}

static void step(ir_digest *d, uint64_t w)
{
    d->a = rotate(d->a ^ w * 0x9e3779b97f4a7c15u, 29) * 0xd1342543de82ef95u + 0x632be59bd9b4e019u;
    d->b = rotate(d->b ^ w * 0xda942042e4dd58b5u, 37) * 0xaf251af3b0f025b5u + 0x2545f4914f6cdd1du;
}

void ir_digest_int(ir_digest *d, int64_t v)
{
    step(d, (uint64_t)v);
}

void ir_digest_add(ir_digest *d, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint64_t w;

    step(d, n);
    for (; n >= sizeof w; n -= sizeof w, p += sizeof w) {
        memcpy(&w, p, sizeof w);
        step(d, w);
    }
    w = 0;
    if (n)
        memcpy(&w, p, n);
    step(d, w);
}

/* Every bit of h comes to matter to every bit of the result. */
static uint64_t spread(uint64_t h)
{
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
    return h ^ h >> 32;
}

void ir_digest_end(ir_digest *d)
{
    uint64_t a = d->a, b = d->b;

    d->a = spread(a + rotate(b, 32));
    d->b = spread(b ^ d->a);
}

/* ---- graphs ---- */

static void add_type(ir_digest *d, const ir_type *t)
{
    ir_digest_int(d, t->dtype);
    ir_digest_add(d, t->dims, t->rank * sizeof t->dims[0]);
}

static void add_refs(ir_digest *d, const ir_ref *x, int n)
{
    ir_digest_add(d, x, (size_t)n * sizeof *x);
}

static void add_attrs(ir_digest *d, const ir_node *n)
{
    const ir_attr_form *form = ir_attr_form_of(n->op);
    const ir_attrs *a = n->attrs;

    ir_digest_int(d, a->n | a->nk << 8 | a->splat << 16);
    if (form->type != IR_AT_NONE)
        add_type(d, &a->type);
    for (int i = 0; i < form->count; i++) {
        const ir_attr_field *f = &form->fields[i];
        if (f->kind == IR_AF_DATA) {
            if (ir_is_immediate(n)) /* other constants are read from memory */
                ir_digest_add(d, a->constant.data, a->constant.bytes);
        } else if (f->kind == IR_AF_CALL) { /* the runtime looks the function up: no address is in the code */
            ir_digest_add(d, a->custom.op->name, strlen(a->custom.op->name));
        } else if (f->kind != IR_AF_NAME) {
            ir_digest_add(d, (const char *)a + f->offset, ir_attr_bytes(f, a));
        }
    }
}

static void add_node(ir_digest *d, const ir_node *n)
{
    ir_digest_int(d, n->op);
    add_type(d, &n->type);
    add_attrs(d, n);
    add_refs(d, n->x, n->n);
}

static void add_kernel(ir_digest *d, const ir_kernel *k)
{
    ir_digest_int(d, k->kind);
    ir_digest_add(d, k->name ? k->name : "", k->name ? strlen(k->name) : 0);
    add_refs(d, k->nodes, k->node_count);
    add_refs(d, k->outs, k->out_count);
    ir_digest_int(d, k->root);
}

static void add_place(ir_digest *d, ir_buffer_kind kind, int index, size_t offset, size_t bytes)
{
    ir_digest_int(d, kind);
    ir_digest_int(d, index);
    ir_digest_int(d, (int64_t)offset);
    ir_digest_int(d, (int64_t)bytes);
}

static void add_chain(ir_digest *d, const ir_chain *c)
{
    ir_digest_int(d, c->first);
    ir_digest_int(d, c->count);
    ir_digest_int(d, c->slices);
    ir_digest_int(d, c->strands);
    ir_digest_int(d, (int64_t)c->offset);
    ir_digest_int(d, (int64_t)c->bytes);
}

static void add_buffers(ir_digest *d, const ir_buffer_table *t)
{
    ir_digest_int(d, t->count);
    for (int i = 0; i < t->count; i++) {
        const ir_buffer *b = &t->items[i];
        ir_digest_int(d, b->node);
        ir_digest_int(d, b->alias);
        add_place(d, b->kind, b->index, b->offset, b->bytes);
    }
    ir_digest_int(d, t->copy_count);
    for (int i = 0; i < t->copy_count; i++) {
        const ir_copy *c = &t->copies[i];
        add_place(d, c->to.kind, c->to.index, c->to.offset, c->bytes);
        add_place(d, c->from.kind, c->from.index, c->from.offset, c->bytes);
    }
}

void ir_digest_graph(ir_digest *d, const ir_graph *g)
{
    ir_digest_int(d, g->count);
    for (ir_ref r = 0; r < g->count; r++)
        add_node(d, &g->nodes[r]);
    add_refs(d, g->inputs, g->input_count);
    ir_digest_int(d, g->output_count);
    for (int i = 0; i < g->output_count; i++)
        ir_digest_int(d, g->outputs[i].value);
    ir_digest_int(d, g->assign_count);
    for (int i = 0; i < g->assign_count; i++)
        add_refs(d, (const ir_ref[]){g->assigns[i].variable, g->assigns[i].value}, 2);
    ir_digest_int(d, g->kernels.count);
    for (int i = 0; i < g->kernels.count; i++)
        add_kernel(d, &g->kernels.items[i]);
    ir_digest_int(d, g->kernels.chain_count);
    for (int i = 0; i < g->kernels.chain_count; i++)
        add_chain(d, &g->kernels.chains[i]);
    add_buffers(d, &g->buffers);
}

static void add_text(ir_digest *d, const char *s)
{
    ir_digest_int(d, s != NULL);
    ir_digest_add(d, s, s ? strlen(s) : 0);
}

void ir_digest_source(ir_digest *d, const ir_graph *g)
{
    ir_digest_graph(d, g);
    add_text(d, g->name);
    ir_digest_int(d, (int64_t)g->random_count);
    ir_digest_int(d, g->symbol_count);
    for (int i = 0; i < g->symbol_count; i++)
        add_text(d, g->symbols[i]);
    for (ir_ref r = 0; r < g->count; r++) {
        const ir_node *n = &g->nodes[r];
        add_text(d, n->loc.file);
        ir_digest_int(d, n->loc.line);
        add_text(d, n->region);
        if (n->op == IR_input || n->op == IR_variable)
            add_text(d, n->attrs->leaf.name);
        if (n->op == IR_constant)
            ir_digest_add(d, n->attrs->constant.data, n->attrs->constant.bytes);
    }
    for (int i = 0; i < g->output_count; i++)
        add_text(d, g->outputs[i].name);
}
