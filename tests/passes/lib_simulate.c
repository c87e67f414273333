/* tests/passes/lib_simulate.c: a plan, checked by running its schedule on tags instead of numbers
 * (lib_simulate.h). */
#include "tests/passes/lib_simulate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ir/map.h"

enum { MAX_PAIRS = 4096 };

typedef struct memory {
    const ir_graph *g;
    uint64_t *arena, **arguments, **outputs; /* a tag per byte */
    const char *name;
    /* the slice and the strand of a chain that run; outside of chains all is one slice */
    const ir_chain *chain;
    int64_t slice;
    int strand;
} memory;

typedef struct pair_list {
    struct {
        ir_ref node;
        ir_map map;
    } items[MAX_PAIRS];
    int count;
} pair_list;

/* ---- memory of tags ---------------------------------------------------------------------------------- */

/* Reshapes hold the same elements as their operand. */
static ir_ref canonical(const ir_graph *g, ir_ref r)
{
    while (ir_shares_bytes(g->nodes[r].op)) {
        r = g->nodes[r].x[0];
    }
    return r;
}

static uint64_t tag(const ir_graph *g, ir_ref r, int64_t element)
{
    return ((uint64_t)canonical(g, r) + 1) << 32 | (uint64_t)element;
}

static uint64_t *new_tags(size_t bytes)
{
    uint64_t *t = calloc(bytes + 1, sizeof *t);

    assert_non_null(t);
    return t;
}

static void fill(const ir_graph *g, uint64_t *at, ir_ref r)
{
    size_t size = ir_dtype_size((ir_dtype)g->nodes[r].type.dtype);

    for (size_t b = 0; b < ir_type_bytes(&g->nodes[r].type); b++) {
        at[b] = tag(g, r, (int64_t)(b / size));
    }
}

static uint64_t *place(memory *m, ir_place p)
{
    switch (p.kind) {
    case IR_B_ARGUMENT: return m->arguments[p.index];
    case IR_B_OUTPUT: return m->outputs[p.index];
    case IR_B_ARENA: return m->arena + p.offset;
    case IR_B_VARIABLE:
        for (int i = 0; i < m->g->input_count; i++) {
            if (m->g->inputs[i] == m->g->assigns[p.index].variable) {
                return m->arguments[i];
            }
        }
        break;
    default: break;
    }
    fail_msg("%s: a buffer nowhere", m->name);
    return NULL;
}

const ir_buffer *buffer_of(const ir_graph *g, ir_ref r)
{
    for (int i = 0; i < g->buffers.count; i++) {
        if (g->buffers.items[i].node == r) {
            return &g->buffers.items[i];
        }
    }
    return NULL;
}

/* The tags of node r's buffer; NULL for constants. */
static uint64_t *tags_of(memory *m, ir_ref r)
{
    const ir_buffer *b = buffer_of(m->g, r);

    if (!b) {
        fail_msg("%s: %%%u has no buffer", m->name, r);
    }
    if (b->kind == IR_B_SCRATCH) { /* where the whole value would begin for the slice to lie there */
        assert_non_null(m->chain);
        uintptr_t own = (uintptr_t)m->strand * m->chain->bytes, at = m->chain->offset + own + b->offset;

        return (uint64_t *)((uintptr_t)m->arena + (at - (uintptr_t)m->slice * b->bytes) * sizeof *m->arena);
    }
    return b->kind == IR_B_CONSTANT ? NULL : place(m, (ir_place){b->kind, b->index, b->offset});
}

/* Of n things in order, the first that belongs to the slice that runs, and behind the last. */
static int64_t slice_begin(const memory *m, int64_t n)
{
    return m->chain ? n / m->chain->slices * m->slice : 0;
}

static int64_t slice_end(const memory *m, int64_t n)
{
    return m->chain ? n / m->chain->slices * (m->slice + 1) : n;
}

static void check_element(memory *m, const uint64_t *at, ir_ref r, int64_t element, const char *where)
{
    size_t size = ir_dtype_size((ir_dtype)m->g->nodes[r].type.dtype);

    for (size_t b = 0; b < size; b++) {
        uint64_t got = at[(size_t)element * size + b];

        if (got != tag(m->g, r, element)) {
            fail_msg("%s: %s wants element %lld of %%%u and finds element %lld of %%%d", m->name, where,
                     (long long)element, r, (long long)(got & 0xffffffff), (int)(got >> 32) - 1);
        }
    }
}

/* What members of the chain that runs have stored is there slice by slice. */
static void check_whole(memory *m, const uint64_t *at, ir_ref r, const char *where)
{
    const ir_chain *c = m->chain;
    int64_t n = ir_type_elements(&m->g->nodes[r].type);
    bool own = c && ir_chain_stores(m->g, c, r, c->first + c->count) >= 0;

    for (int64_t e = own ? slice_begin(m, n) : 0; at && e < (own ? slice_end(m, n) : n); e++) {
        check_element(m, at, r, e, where);
    }
}

static void store_element(memory *m, ir_ref r, int64_t element)
{
    size_t size = ir_dtype_size((ir_dtype)m->g->nodes[r].type.dtype);
    uint64_t *at = tags_of(m, r);

    for (size_t b = 0; b < size; b++) {
        at[(size_t)element * size + b] = tag(m->g, r, element);
    }
}

/* ---- kernels ----------------------------------------------------------------------------------------- */

static void note_load(void *user, ir_ref r, const ir_map *m, bool loaded)
{
    pair_list *l = user;

    if (loaded) {
        assert_true(l->count < MAX_PAIRS);
        l->items[l->count].node = r;
        l->items[l->count++].map = *m;
    }
}

static int64_t at_index(const ir_map *m, const int64_t *index)
{
    int64_t e = m->base;

    for (int j = 0; j < m->rank; j++) {
        e += m->stride[j] * index[j];
    }
    return e;
}

static void unravel(const ir_map *space, int64_t linear, int64_t *index)
{
    for (int j = space->rank - 1; j >= 0; j--) {
        index[j] = linear % space->extent[j];
        linear /= space->extent[j];
    }
}

static int64_t count_of(const ir_map *m)
{
    int64_t n = 1;

    for (int j = 0; j < m->rank; j++) {
        n *= m->extent[j];
    }
    return n;
}

/* Read as a whole; what is only changed in places is read where it is written. */
static bool is_whole(const ir_graph *g, const ir_kernel *k, ir_ref r)
{
    for (int i = ir_ops[g->nodes[k->root].op].facts & IR_IN_PLACE ? 1 : 0; i < g->nodes[k->root].n; i++) {
        if ((k->kind == IR_K_CONTRACT || k->kind == IR_K_INDEX) && g->nodes[k->root].x[i] == r) {
            return true;
        }
    }
    return false;
}

static void check_loads(memory *m, const ir_kernel *k, const pair_list *loads, const int64_t *index)
{
    for (int i = 0; i < loads->count; i++) {
        const uint64_t *at =
            is_whole(m->g, k, loads->items[i].node) ? NULL : tags_of(m, loads->items[i].node);

        if (at) {
            check_element(m, at, loads->items[i].node, at_index(&loads->items[i].map, index), k->name);
        }
    }
}

/* Every element that a load of concat, in a space of its own, reads. */
static void check_all(memory *m, ir_ref r, const ir_map *map, const char *name)
{
    const uint64_t *at = tags_of(m, r);
    int64_t index[IR_MAX_RANK];

    for (int64_t e = 0; at && e < count_of(map); e++) {
        unravel(map, e, index);
        check_element(m, at, r, at_index(map, index), name);
    }
}

static void check_wholes(memory *m, const ir_kernel *k)
{
    for (int i = 0; i < m->g->nodes[k->root].n; i++) {
        if (is_whole(m->g, k, m->g->nodes[k->root].x[i])) {
            check_whole(m, tags_of(m, m->g->nodes[k->root].x[i]), m->g->nodes[k->root].x[i], k->name);
        }
    }
}

/* Does every reduce of the kernel feed v? Then v can only be stored in the last pass over a row. */
static bool needs_all_reduces(const ir_graph *g, const ir_kernel *k, ir_ref v)
{
    bool *below = calloc(g->count, sizeof *below), all = true;

    assert_non_null(below);
    below[v] = true;
    for (ir_ref r = v + 1; r-- > 0;) {
        for (int i = 0; below[r] && i < g->nodes[r].n; i++) {
            below[g->nodes[r].x[i]] = true;
        }
    }
    for (int i = 0; i < k->node_count; i++) {
        all &= ir_ops[g->nodes[k->nodes[i]].op].cls != IR_REDUCE || below[k->nodes[i]] ||
               ir_reduces_rows(g, k->nodes[i]);
    }
    free(below);
    return all;
}

/* After the last row of a block. */
static void store_blocks(memory *m, const ir_kernel *k, const ir_map *space, int inner, int run,
                         const int64_t *last)
{
    ir_map block = ir_kernel_block_map(space, inner, run);
    int row = space->rank - inner - 1;

    for (int64_t e = 0; run && last[row] == space->extent[row] - 1 && e < count_of(space); e++) {
        int64_t index[IR_MAX_RANK];
        bool here = true;

        unravel(space, e, index);
        for (int j = 0; j <= row; j++) {
            here &= index[j] == last[j];
        }
        for (int i = 0; here && i < k->out_count; i++) {
            if (ir_reduces_rows(m->g, k->outs[i])) {
                store_element(m, k->outs[i], at_index(&block, index));
            }
        }
    }
}

/* Does anything wait for a reduce but row values?  Else one pass over a row is all. */
static bool needs_two_passes(const ir_graph *g, const ir_kernel *k, int64_t full)
{
    bool two = false;

    for (int i = 0; i < k->node_count; i++) {
        const ir_node *n = &g->nodes[k->nodes[i]];
        bool out = false;

        for (int o = 0; o < k->out_count; o++) {
            out |= k->outs[o] == k->nodes[i] && ir_type_elements(&n->type) == full;
        }
        if (out || ir_ops[n->op].cls == IR_REDUCE) { /* does it read a reduce of the kernel? */
            bool *below = calloc(g->count, sizeof *below);

            assert_non_null(below);
            for (int x = 0; x < n->n; x++) {
                below[n->x[x]] = true;
            }
            for (int at = i - 1; at >= 0; at--) {
                const ir_node *m = &g->nodes[k->nodes[at]];

                for (int x = 0; below[k->nodes[at]] && x < m->n; x++) {
                    below[m->x[x]] = true;
                }
                two |= below[k->nodes[at]] &&
                       (ir_ops[m->op].cls == IR_REDUCE || ir_ops[m->op].cls == IR_CONTRACT);
            }
            free(below);
        }
    }
    return two;
}

/* Rows one at a time: a first pass that stores what it can, then row values, then a last pass that loads all
 * again. */
static void run_row(memory *m, const ir_kernel *k, const pair_list *loads, const ir_map *space,
                    const ir_map *row, int inner, int run_dims)
{
    int64_t run = 1, full = count_of(space), index[IR_MAX_RANK];

    for (int j = space->rank - inner; j < space->rank; j++) {
        run *= space->extent[j];
    }
    bool two = needs_two_passes(m->g, k, full);
    for (int64_t first = slice_begin(m, full); first < slice_end(m, full); first += run) {
        for (int pass = 0; pass <= two; pass++) {
            for (int64_t e = first; e < first + run; e++) {
                unravel(space, e, index);
                check_loads(m, k, loads, index);
                for (int i = 0; i < k->out_count; i++) {
                    bool wide = ir_type_elements(&m->g->nodes[k->outs[i]].type) == full && full > 1;

                    if (wide && (!two || needs_all_reduces(m->g, k, k->outs[i]) == pass)) {
                        store_element(m, k->outs[i], at_index(space, index));
                    }
                }
            }
            unravel(space, first, index);
            for (int i = 0; i < k->out_count && pass == 0; i++) {
                bool wide = ir_type_elements(&m->g->nodes[k->outs[i]].type) == full && full > 1;

                if (!wide && !ir_reduces_rows(m->g, k->outs[i])) {
                    store_element(m, k->outs[i], at_index(row, index));
                }
            }
            if (pass == 0 && loads->count > 0 &&
                k->out_count > 0) { /* only row values: one pass is all there is */
                bool any = false;

                for (int i = 0; i < k->out_count; i++) {
                    any |= ir_type_elements(&m->g->nodes[k->outs[i]].type) == full && full > 1;
                }
                if (!any) {
                    break;
                }
            }
        }
        store_blocks(m, k, space, inner, run_dims, index);
    }
}

static void run_outer(memory *m, const ir_kernel *k, const pair_list *loads, const ir_map *space,
                      const ir_map *row)
{
    int64_t index[IR_MAX_RANK];

    int64_t end = slice_end(m, count_of(space));

    /* for each column: its whole run, then its outs */
    for (int64_t e = slice_begin(m, count_of(space)); e < end; e++) {
        bool start = true;

        unravel(space, e, index);
        for (int j = 0; j < space->rank; j++) {
            start &= row->stride[j] != 0 || index[j] == 0;
        }
        for (int64_t r = 0; start && r < count_of(space); r++) {
            int64_t at[IR_MAX_RANK];

            unravel(space, r, at);
            if (at_index(row, at) == at_index(row, index)) {
                check_loads(m, k, loads, at);
            }
        }
        for (int i = 0; start && i < k->out_count; i++) {
            store_element(m, k->outs[i], at_index(row, index));
        }
    }
}

static void run_kernel(memory *m, const ir_kernel *k)
{
    static pair_list loads;
    const ir_node *root = &m->g->nodes[k->root];
    int inner, run;
    ir_map space = ir_kernel_space(m->g, k, &inner, &run), row = ir_kernel_row_map(k, &space, inner, run);
    int64_t index[IR_MAX_RANK];

    loads.count = 0;
    assert_true(ir_kernel_walk(m->g, k, note_load, &loads));
    check_wholes(m, k);
    if (k->kind == IR_K_ROW) {
        run_row(m, k, &loads, &space, &row, inner, run);
        return;
    }
    if (k->kind == IR_K_OUTER) {
        run_outer(m, k, &loads, &space, &row);
        return;
    }
    for (int64_t e = 0; root->op == IR_pad && e < ir_type_elements(&root->type); e++) { /* zeros first */
        store_element(m, k->root, e);
    }
    /* each operand in its own space: all is read before anything is overwritten */
    if (root->op == IR_concat) { /* no operand may be overwritten before all are read */
        for (int64_t e = 0; e < ir_type_elements(&root->type); e++) {
            store_element(m, k->root, e);
        }
        for (int i = 0; i < loads.count; i++) {
            check_all(m, loads.items[i].node, &loads.items[i].map, k->name);
        }
    }
    int64_t end = root->op == IR_concat ? 0 : slice_end(m, count_of(&space));
    for (int64_t e = slice_begin(m, count_of(&space)); e < end; e++) {
        unravel(&space, e, index);
        check_loads(m, k, &loads, index);
        for (int i = 0; i < k->out_count && root->op != IR_pad; i++) {
            store_element(m, k->outs[i], e);
        }
    }
    check_wholes(m, k);
}

/* Strands in step, each a slice further behind the last strand's: the worst that threads may do. */
static void run_chain(memory *m, const ir_chain *c)
{
    for (int64_t step = 0; step <= c->slices / c->strands; step++) {
        for (int i = 0; i < c->count; i++) {
            for (m->strand = 0; m->strand < c->strands; m->strand++) {
                m->slice = m->strand * c->slices / c->strands + step;
                m->chain = c;
                if (m->slice < (m->strand + 1) * c->slices / c->strands) {
                    run_kernel(m, &m->g->kernels.items[c->first + i]);
                }
            }
        }
    }
    m->chain = NULL;
}

static void run_copies(memory *m)
{
    const ir_graph *g = m->g;

    for (int i = 0; i < g->buffers.copy_count; i++) {
        const ir_copy *c = &g->buffers.copies[i];
        uint64_t *to = place(m, c->to);

        if (c->from.kind == IR_B_CONSTANT) {
            for (int j = 0; j < g->buffers.count; j++) {
                if (g->buffers.items[j].kind == IR_B_CONSTANT && g->buffers.items[j].index == c->from.index) {
                    fill(g, to, g->buffers.items[j].node);
                }
            }
        } else {
            memmove(to, place(m, c->from), c->bytes * sizeof *to);
        }
    }
}

void simulate(const ir_graph *g, const char *name)
{
    memory m = {.g = g, .name = name, .arena = new_tags(g->buffers.arena_bytes)};

    m.arguments = calloc((size_t)g->input_count + 1, sizeof *m.arguments);
    m.outputs = calloc((size_t)g->output_count + 1, sizeof *m.outputs);
    assert_true(m.arguments && m.outputs);
    for (int i = 0; i < g->input_count; i++) {
        m.arguments[i] = new_tags(ir_type_bytes(&g->nodes[g->inputs[i]].type));
        fill(g, m.arguments[i], g->inputs[i]);
    }
    for (int i = 0; i < g->output_count; i++) {
        m.outputs[i] = new_tags(ir_type_bytes(&g->nodes[g->outputs[i].value].type));
    }
    for (int k = 0; k < g->kernels.count; k++) {
        const ir_chain *c = ir_chain_of(g, k);

        if (c) {
            run_chain(&m, c);
            k += c->count - 1;
        } else {
            run_kernel(&m, &g->kernels.items[k]);
        }
    }
    run_copies(&m);
    for (int i = 0; i < g->output_count; i++) {
        check_whole(&m, m.outputs[i], g->outputs[i].value, "output");
        free(m.outputs[i]);
    }
    for (int i = 0; i < g->input_count; i++) {
        ir_ref value = g->inputs[i];

        for (int j = 0; j < g->assign_count; j++) {
            value = g->assigns[j].variable == g->inputs[i] ? g->assigns[j].value : value;
        }
        check_whole(&m, m.arguments[i], value, "variable");
        free(m.arguments[i]);
    }
    free(m.arguments);
    free(m.outputs);
    free(m.arena);
}
