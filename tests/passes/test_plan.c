/* tests/passes/test_plan.c: buffers, checked by running the schedule on tags instead of numbers.
 *
 * Every byte of memory holds which element of which node was written there last.  Kernels run step by step as
 * kernel.h promises (of the loads and stores at one element all loads come first; rows in two passes), each
 * load must find the element it wants, and at the end outputs and variables hold what they should.  So a
 * wrong life, offset, alias or copy is found whatever its cause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ir/compose.h"
#include "ir/emit.h"
#include "ir/map.h"
#include "passes/passes.h"
#include "tests/passes/lib_random.h"

enum { MAX_PAIRS = 4096 };

typedef struct memory {
    const ir_graph *g;
    uint64_t *arena, **arguments, **outputs; /* a tag per byte */
    const char *name;
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

static const ir_buffer *buffer_of(const ir_graph *g, ir_ref r)
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
    return b->kind == IR_B_CONSTANT ? NULL : place(m, (ir_place){b->kind, b->index, b->offset});
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

static void check_whole(memory *m, const uint64_t *at, ir_ref r, const char *where)
{
    for (int64_t e = 0; at && e < ir_type_elements(&m->g->nodes[r].type); e++) {
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
        all &= ir_ops[g->nodes[k->nodes[i]].op].cls != IR_REDUCE || below[k->nodes[i]];
    }
    free(below);
    return all;
}

/* Rows one at a time: a first pass that stores what it can, then row values, then a last pass that loads all
 * again. */
static void run_row(memory *m, const ir_kernel *k, const pair_list *loads, const ir_map *space,
                    const ir_map *row, int inner)
{
    int64_t run = 1, full = count_of(space), index[IR_MAX_RANK];

    for (int j = space->rank - inner; j < space->rank; j++) {
        run *= space->extent[j];
    }
    for (int64_t first = 0; first < full; first += run) {
        for (int pass = 0; pass < 2; pass++) {
            for (int64_t e = first; e < first + run; e++) {
                unravel(space, e, index);
                check_loads(m, k, loads, index);
                for (int i = 0; i < k->out_count; i++) {
                    bool wide = ir_type_elements(&m->g->nodes[k->outs[i]].type) == full && full > 1;

                    if (wide && needs_all_reduces(m->g, k, k->outs[i]) == pass) {
                        store_element(m, k->outs[i], at_index(space, index));
                    }
                }
            }
            unravel(space, first, index);
            for (int i = 0; i < k->out_count && pass == 0; i++) {
                if (ir_type_elements(&m->g->nodes[k->outs[i]].type) != full || full == 1) {
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
    }
}

static void run_outer(memory *m, const ir_kernel *k, const pair_list *loads, const ir_map *space,
                      const ir_map *row)
{
    int64_t index[IR_MAX_RANK];

    for (int64_t e = 0; e < count_of(space); e++) { /* for each column: its whole run, then its outs */
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
        run_row(m, k, &loads, &space, &row, inner);
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
    for (int64_t e = 0; root->op != IR_concat && e < count_of(&space); e++) {
        unravel(&space, e, index);
        check_loads(m, k, &loads, index);
        for (int i = 0; i < k->out_count && root->op != IR_pad; i++) {
            store_element(m, k->outs[i], e);
        }
    }
    check_wholes(m, k);
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

static void simulate(const ir_graph *g, const char *name)
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
        run_kernel(&m, &g->kernels.items[k]);
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

/* ---- tests ------------------------------------------------------------------------------------------- */

static void test_random_schedules(void **state)
{
    int in_place = 0, straight = 0, copies = 0;

    (void)state;
    for (uint32_t seed = 0; seed < 400; seed++) {
        ir_graph *g = random_graph(seed, 4 + (int)(seed % 37), seed % 3 == 0), *out = through_passes(g, true);
        char name[32];

        snprintf(name, sizeof name, "seed %u", seed);
        simulate(out, name);
        for (int i = 0; i < out->buffers.count; i++) {
            const ir_buffer *b = &out->buffers.items[i];

            in_place += b->kind == IR_B_ARENA && b->alias != IR_NONE;
            straight += b->kind == IR_B_VARIABLE;
            assert_int_equal(b->offset % 64, 0);
        }
        copies += out->buffers.copy_count;
        ir_graph_free(out);
        ir_graph_free(g);
    }
    assert_true(in_place > 50 && straight > 20 && copies > 50); /* the cases are there at all */
}

static ir_graph *open_graph(const char *name, int64_t rows, int64_t columns, ir_val *x)
{
    ir_graph *g = ir_graph_new(name);
    ir_type t = ir_type_make(IR_DT_f32, columns ? 2 : 1, (int64_t[]){rows, columns});

    *x = ir_val_of(ir_graph_variable(g, "x", &t));
    return g;
}

/* Assigns x = y, y = x: each must get the other's old value. */
static void test_swap(void **state)
{
    ir_val x;
    ir_graph *g = open_graph("swap", 8, 0, &x), *out;
    ir_ref y = ir_graph_variable(g, "y", &g->nodes[ir_ref_of(x)].type);

    (void)state;
    ir_graph_assign(g, ir_ref_of(x), y);
    ir_graph_assign(g, y, ir_ref_of(x));
    ir_graph_output(g, "old", y);
    out = through_passes(g, true);
    simulate(out, "swap");
    assert_int_equal(out->kernels.count, 0);
    assert_int_equal(out->buffers.copy_count, 5); /* one to the output, two through the arena */
    ir_graph_free(out);
    ir_graph_free(g);
}

/* x = relu(x): in x's own storage.  With the old x as an output: not. */
static void assign_relu(bool old_wanted)
{
    ir_val x, y;
    ir_graph *g = open_graph("assign", 64, 0, &x), *out;
    const ir_buffer *b;

    y = ir_e_relu(&g->sink, x);
    ir_graph_assign(g, ir_ref_of(x), ir_ref_of(y));
    if (old_wanted) {
        ir_graph_output(g, "old", ir_ref_of(x));
    } else {
        ir_graph_output(g, "twice", ir_ref_of(ir_e_add(&g->sink, y, y)));
    }
    out = through_passes(g, true);
    simulate(out, "assign");
    b = buffer_of(out, out->assigns[0].value);
    assert_int_equal(b->kind, old_wanted ? IR_B_ARENA : IR_B_VARIABLE);
    assert_int_equal(out->buffers.copy_count, old_wanted ? 2 : 0);
    ir_graph_free(out);
    ir_graph_free(g);
}

static void test_assign_in_place(void **state)
{
    (void)state;
    assign_relu(false);
    assign_relu(true);
}

/* x = transpose(x): reads other elements than it writes. */
static void test_assign_of_a_transpose(void **state)
{
    ir_val x, y;
    ir_graph *g = open_graph("transposed", 8, 8, &x), *out;
    const int perm[] = {1, 0};

    (void)state;
    y = ir_e_transpose(&g->sink, x, perm);
    ir_graph_assign(g, ir_ref_of(x), ir_ref_of(y));
    out = through_passes(g, true);
    simulate(out, "transposed");
    assert_int_equal(buffer_of(out, out->assigns[0].value)->kind, IR_B_ARENA);
    assert_int_equal(out->buffers.copy_count, 1);
    ir_graph_free(out);
    ir_graph_free(g);
}

/* A product of square matrices reads all of x: w = x w can't go over w although the shapes agree. */
static void test_assign_of_a_product(void **state)
{
    ir_val x, y;
    ir_graph *g = open_graph("square", 16, 16, &x), *out;

    (void)state;
    y = ir_c_matmul(&g->sink, x, x);
    ir_graph_assign(g, ir_ref_of(x), ir_ref_of(y));
    out = through_passes(g, true);
    simulate(out, "square");
    assert_int_equal(buffer_of(out, out->assigns[0].value)->kind, IR_B_ARENA);
    ir_graph_free(out);
    ir_graph_free(g);
}

/* A chain of products: values live for two kernels each, so two buffers serve any length. */
static void test_chain_needs_two_buffers(void **state)
{
    ir_val x, y;
    ir_graph *g = open_graph("chain", 32, 32, &x), *out;

    (void)state;
    y = x;
    for (int i = 0; i < 20; i++) {
        y = ir_c_matmul(&g->sink, y, x);
    }
    ir_graph_output(g, "y", ir_ref_of(y));
    out = through_passes(g, true);
    simulate(out, "chain");
    assert_int_equal(out->kernels.count, 20);
    assert_int_equal(out->buffers.arena_bytes, 2 * 32 * 32 * 4);
    ir_graph_free(out);
    ir_graph_free(g);
}

static void test_one_value_twice(void **state)
{
    ir_val x, y;
    ir_graph *g = open_graph("twice", 32, 0, &x), *out;

    (void)state;
    y = ir_e_exp(&g->sink, x);
    ir_graph_output(g, "a", ir_ref_of(y));
    ir_graph_output(g, "b", ir_ref_of(y));
    ir_graph_output(g, "one", ir_ref_of(ir_e_like(&g->sink, x, 1)));
    out = through_passes(g, true);
    simulate(out, "twice");
    assert_int_equal(out->buffers.copy_count, 1);
    assert_int_equal(out->buffers.arena_bytes, 0);
    ir_graph_free(out);
    ir_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_schedules),    cmocka_unit_test(test_swap),
        cmocka_unit_test(test_assign_in_place),     cmocka_unit_test(test_assign_of_a_transpose),
        cmocka_unit_test(test_assign_of_a_product), cmocka_unit_test(test_chain_needs_two_buffers),
        cmocka_unit_test(test_one_value_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
