/* passes/remat_rebuild.c: the graph in which late readers of dropped values read copies.
 *
 *   %3 = relu %2   ..   %9 = mul %8, %3      ->      .. %9 = checkpoint %2, %8  %10 = relu %9  %11 = mul %8,
 * %10
 *
 * Copies of a value are made once, just before its first late reader, from kept values on, which they read
 * through `checkpoint`: that waits for what was stored last before that reader ran, so the copies run then.
 */
#include "passes/remat.h"
#include "ir/emit.h"
#include "passes/rebuild.h"

#include <stdlib.h>
#include <string.h>

typedef struct builder {
    const remat *m;
    ir_graph *out;
    ir_ref *map, *copy;   /* node of g -> itself, its repetition in out */
    ir_ref reader, after; /* after: node of g that copies made for `reader` wait for, or IR_NONE */
    ir_ref *stack;
} builder;

/* Is a copy made of y where a copy reads it? */
static bool is_copied(const remat *m, ir_ref y)
{
    return ir_ops[m->g->nodes[y].op].cls != IR_LEAF && (m->drop[y] || m->stored_at[y] < 0);
}

/* The value that the unchanged graph stored last before it computed r. */
static ir_ref last_stored_before(const remat *m, ir_ref r)
{
    ir_ref best = IR_NONE;

    for (ir_ref s = 0; s < r; s++) {
        if (m->stored_at[s] >= 0 && m->stored_at[s] < m->computed_at[r] &&
            (best == IR_NONE || m->stored_at[s] >= m->stored_at[best])) {
            best = s;
        }
    }
    return best;
}

static ir_ref kept_operand(builder *b, ir_ref y)
{
    ir_ref waits = b->after == IR_NONE ? y : b->after;
    ir_val v;

    if (b->m->g->nodes[y].op == IR_constant) {
        return b->map[y];
    }
    v = ir_e_checkpoint(&b->out->sink, ir_val_of(b->map[y]), ir_val_of(b->map[waits]));
    return v ? ir_ref_of(v) : IR_NONE;
}

static void emit_copy(builder *b, ir_ref r)
{
    const ir_node *n = &b->m->g->nodes[r];
    ir_ref x[IR_MAX_RANK];

    pass_copy_origin(n, b->out);
    for (int i = 0; i < n->n; i++) {
        x[i] = is_copied(b->m, n->x[i]) ? b->copy[n->x[i]] : kept_operand(b, n->x[i]);
        if (x[i] == IR_NONE) {
            return;
        }
    }
    b->copy[r] = ir_graph_append(b->out, n->op, n->attrs, x, n->n);
}

/* The copy of x, made with all it needs when it is asked for first. */
static ir_ref copy_of(builder *b, ir_ref x)
{
    uint32_t depth = 0;

    b->stack[depth++] = x;
    while (depth > 0 && b->out->error.status == IR_OK) {
        ir_ref r = b->stack[depth - 1];
        const ir_node *n = &b->m->g->nodes[r];
        uint32_t before = depth;

        for (int i = 0; i < n->n && b->copy[r] == IR_NONE; i++) {
            if (is_copied(b->m, n->x[i]) && b->copy[n->x[i]] == IR_NONE) {
                b->stack[depth++] = n->x[i];
                break;
            }
        }
        if (depth == before) {
            if (b->copy[r] == IR_NONE) {
                emit_copy(b, r);
            }
            depth--;
        }
    }
    return b->copy[x];
}

static ir_ref operand(builder *b, ir_ref x, ir_ref reader)
{
    if (!b->m->drop[x] || b->m->split[x] == IR_NONE || reader < b->m->split[x]) {
        return b->map[x];
    }
    if (b->reader != reader) {
        b->reader = reader;
        b->after = last_stored_before(b->m, reader);
    }
    return copy_of(b, x);
}

static void rebuild_node(builder *b, ir_ref r)
{
    const ir_node *n = &b->m->g->nodes[r];
    ir_ref x[IR_MAX_RANK];

    for (int i = 0; i < n->n; i++) {
        x[i] = operand(b, n->x[i], r);
        if (x[i] == IR_NONE) {
            return;
        }
    }
    pass_copy_origin(n, b->out);
    b->map[r] = ir_graph_append(b->out, n->op, n->attrs, x, n->n);
}

ir_status remat_rebuild(const remat *m, ir_graph *out, ir_ref *map)
{
    size_t n = m->g->count + 1;
    builder b = {.m = m, .out = out, .map = map, .reader = IR_NONE, .after = IR_NONE};

    b.copy = ir_graph_alloc(out, n * sizeof *b.copy);
    b.stack = ir_graph_alloc(out, n * sizeof *b.stack);
    if (!b.copy || !b.stack || pass_copy_header(m->g, out) != IR_OK) {
        return out->error.status;
    }
    memset(b.copy, 0xff, n * sizeof *b.copy);
    memset(map, 0xff, m->g->count * sizeof *map);
    for (ir_ref r = 0; r < m->g->count && out->error.status == IR_OK; r++) {
        rebuild_node(&b, r);
    }
    return out->error.status == IR_OK ? pass_copy_results(m->g, out, map) : out->error.status;
}
