/* tests/passes/lib_random.c: random graphs (lib_random.h).  A step takes values made so far, emits one op or
 * composite and adds its result to them. */
#include "tests/passes/lib_random.h"

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
#include "passes/all.h"

enum { MAX_VALUES = 256, MAX_ELEMENTS = 2048 };

typedef struct maker {
    ir_graph *g;
    uint32_t seed;
    ir_val values[MAX_VALUES]; /* f32, to choose operands from */
    int count, leaves;
} maker;

static int below(maker *m, int n)
{
    m->seed = m->seed * 1664525u + 1013904223u;
    return (int)((m->seed >> 8) % (uint32_t)n);
}

static const ir_type *type(const maker *m, ir_val v)
{
    return &m->g->nodes[ir_ref_of(v)].type;
}

static ir_val pick(maker *m)
{
    /* Late values and early ones, so that there are chains and long lives. */
    int n = m->count, at = below(m, 3) ? n - 1 - below(m, n < 6 ? n : 6) : below(m, n);

    return m->values[at];
}

static ir_val leaf(maker *m, ir_dtype d, int rank, const int64_t *dims)
{
    ir_type t = ir_type_make(d, rank, dims);
    char name[24];

    snprintf(name, sizeof name, "a%d", m->leaves++);
    return ir_val_of(below(m, 3) ? ir_graph_input(m->g, name, &t) : ir_graph_variable(m->g, name, &t));
}

static void add(maker *m, ir_val v)
{
    if (v && m->count < MAX_VALUES && ir_type_elements(type(m, v)) <= MAX_ELEMENTS) {
        m->values[m->count++] = v;
    }
}

/* Can NumPy's rules bring the two to one shape of bearable size? */
static bool broadcastable(const ir_type *x, const ir_type *z)
{
    int64_t n = 1;
    int rank = x->rank > z->rank ? x->rank : z->rank;

    for (int i = 1; i <= rank; i++) {
        int64_t a = i <= x->rank ? x->dims[x->rank - i] : 1, b = i <= z->rank ? z->dims[z->rank - i] : 1;

        if (a != b && a != 1 && b != 1) {
            return false;
        }
        n *= a > b ? a : b;
    }
    return n <= MAX_ELEMENTS;
}

static ir_val step_unary(maker *m)
{
    ir_sink *s = &m->g->sink;
    ir_val x = pick(m);

    switch (below(m, 8)) {
    case 0: return ir_e_neg(s, x);
    case 1: return ir_e_exp(s, x);
    case 2: return ir_e_tanh(s, x);
    case 3: return ir_e_relu(s, x);
    case 4: return ir_e_mul(s, x, ir_e_like(s, x, 0.5));
    case 5: return ir_e_clamp(s, x, -2, 2);
    case 6: return ir_e_convert(s, ir_e_convert(s, x, IR_DT_i32), IR_DT_f32);
    default: return ir_c_gelu(s, x, below(m, 2));
    }
}

static ir_val step_binary(maker *m)
{
    static const ir_op ops[] = {IR_add, IR_sub, IR_mul, IR_div, IR_max, IR_min};
    ir_val x = pick(m), z = pick(m);

    for (int tries = 0; tries < 8 && !broadcastable(type(m, x), type(m, z)); tries++) {
        z = pick(m);
    }
    if (!broadcastable(type(m, x), type(m, z))) {
        z = x;
    }
    if (below(m, 4) == 0) {
        return ir_c_select(&m->g->sink, ir_c_binary(&m->g->sink, IR_gt, x, z), x, z);
    }
    return ir_c_binary(&m->g->sink, ops[below(m, 6)], x, z);
}

static ir_val step_view(maker *m)
{
    ir_val x = pick(m);
    const ir_type *t = type(m, x);
    int64_t dims[IR_MAX_RANK], start[IR_MAX_RANK], limit[IR_MAX_RANK], step[IR_MAX_RANK];
    int perm[IR_MAX_RANK], rank = t->rank;

    for (int d = 0; d < rank; d++) {
        perm[d] = rank - 1 - d;
        start[d] = below(m, (int)t->dims[d]);
        limit[d] = start[d] + 1 + below(m, (int)(t->dims[d] - start[d]));
        step[d] = 1 + below(m, 2);
        dims[d] = t->dims[d];
    }
    switch (below(m, 8)) {
    case 0: return ir_e_transpose(&m->g->sink, x, perm);
    case 1: return ir_e_slice(&m->g->sink, x, start, limit, step);
    case 2: /* low and high from start, interior from step */
        for (int d = 0; d < rank; d++) {
            start[d] %= 3;
            limit[d] %= 2;
            step[d] = below(m, 2);
        }
        return ir_e_pad(&m->g->sink, x, start, limit, step);
    case 3: /* flat */ dims[0] = ir_type_elements(t); return ir_e_reshape(&m->g->sink, x, 1, dims);
    case 4: /* split the last dim or add one */
        if (rank == 0 || rank == IR_MAX_RANK) {
            return x;
        }
        dims[rank] = dims[rank - 1] % 2 == 0 ? 2 : 1;
        dims[rank - 1] /= dims[rank];
        return ir_e_reshape(&m->g->sink, x, rank + 1, dims);
    case 5: {
        int axis = rank ? below(m, rank) : 0;
        return rank ? ir_e_reverse(&m->g->sink, x, &axis, 1) : x;
    }
    case 6: {
        ir_val parts[3] = {x, pick(m), x};
        int n = 2 + below(m, 2);
        if (rank == 0 || !ir_shape_eq(type(m, x), type(m, parts[1]))) {
            parts[1] = x;
        }
        return rank ? ir_e_concat(&m->g->sink, parts, n, below(m, rank)) : x;
    }
    default:
        if (rank > 4) {
            return x;
        }
        memmove(dims + 1, dims, (size_t)rank * sizeof *dims);
        dims[0] = 1 + below(m, 3);
        return ir_e_broadcast(&m->g->sink, x, rank + 1, dims);
    }
}

static ir_val step_reduce(maker *m)
{
    static const ir_op ops[] = {IR_reduce_sum, IR_reduce_max, IR_reduce_min,
                                IR_argmax,     IR_argmin,     IR_reduce_prod};
    ir_val x = pick(m), y;
    int axes[IR_MAX_RANK], n = 0;
    ir_op op = ops[below(m, 6)];

    for (int d = 0; d < type(m, x)->rank; d++) {
        if (below(m, 2)) {
            axes[n++] = d;
        }
    }
    if (n == 0) {
        return step_unary(m);
    }
    y = ir_e_reduce(&m->g->sink, op, x, axes, n, below(m, 2));
    return ir_ops[op].cls == IR_INDEX ? ir_e_convert(&m->g->sink, y, IR_DT_f32) : y;
}

static ir_val step_scan(maker *m)
{
    static const ir_op ops[] = {IR_cumsum, IR_cumprod, IR_cummax, IR_cummin};
    ir_val x = pick(m);
    int rank = type(m, x)->rank;

    if (rank == 0) {
        return step_unary(m);
    }
    switch (below(m, 4)) {
    case 0: return ir_e_convert(&m->g->sink, ir_e_argsort(&m->g->sink, x, below(m, 2)), IR_DT_f32);
    case 1: return ir_e_linear_scan(&m->g->sink, x, x, below(m, rank), below(m, 2));
    default: return ir_e_scan(&m->g->sink, ops[below(m, 4)], x, below(m, rank), below(m, 2));
    }
}

static ir_val step_composite(maker *m)
{
    ir_val x = pick(m);
    int rank = type(m, x)->rank;

    if (rank == 0) {
        return step_unary(m);
    }
    switch (below(m, 4)) {
    case 0: return ir_c_softmax(&m->g->sink, x, below(m, rank));
    case 1: return ir_c_layer_norm(&m->g->sink, x, 0, 0, 1e-5);
    case 2: return ir_c_logsumexp(&m->g->sink, x, below(m, rank), below(m, 2));
    default: return ir_c_log_softmax(&m->g->sink, x, -1);
    }
}

static ir_val step_product(maker *m)
{
    ir_val x = pick(m), w, y;
    const ir_type *t = type(m, x);
    int64_t dims[2];

    if (t->rank == 0 || ir_type_elements(t) / t->dims[t->rank - 1] > 256) {
        return step_unary(m);
    }
    dims[0] = 1 + below(m, 12);
    dims[1] = t->dims[t->rank - 1];
    w = leaf(m, IR_DT_f32, 2, dims);
    y = ir_c_linear(&m->g->sink, x, w, 0);
    if (below(m, 2)) {
        dims[0] = type(m, y)->dims[type(m, y)->rank - 1];
        y = ir_c_binary(&m->g->sink, IR_add, y, leaf(m, IR_DT_f32, 1, dims));
    }
    return below(m, 2) ? ir_e_relu(&m->g->sink, y) : y;
}

static ir_val step_index(maker *m)
{
    ir_val x = pick(m), rows;
    int64_t n = 1 + below(m, 4);

    if (type(m, x)->rank == 0) {
        return step_unary(m);
    }
    rows = leaf(m, IR_DT_i32, 1, &n);
    if (below(m, 2)) {
        return ir_e_gather(&m->g->sink, x, rows);
    }
    if (below(m, 3) == 0) {
        ir_val start = leaf(m, IR_DT_i32, 1, &(int64_t){type(m, x)->rank});
        int64_t dims[IR_MAX_RANK];
        for (int d = 0; d < type(m, x)->rank; d++) {
            dims[d] = 1 + below(m, (int)type(m, x)->dims[d]);
        }
        ir_val part = ir_e_dynamic_slice(&m->g->sink, x, start, type(m, x)->rank, dims);
        return below(m, 2) ? part : ir_e_dynamic_update(&m->g->sink, x, start, ir_e_neg(&m->g->sink, part));
    }
    const ir_val in[3] = {x, rows, ir_e_gather(&m->g->sink, x, rows)};
    return ir_emit(&m->g->sink, (ir_op)(IR_scatter_add + below(m, 5)), NULL, in, 3);
}

static ir_val step_generate(maker *m)
{
    const ir_type *t = type(m, pick(m));
    ir_type f = ir_type_with(t, IR_DT_f32), u = ir_type_with(t, IR_DT_u32);
    int64_t four = 4;

    if (t->rank > 0 && below(m, 2)) {
        return ir_e_iota_axis(&m->g->sink, &f, below(m, t->rank));
    }
    return ir_e_convert(&m->g->sink, ir_e_random_bits(&m->g->sink, &u, leaf(m, IR_DT_u32, 1, &four), 0),
                        IR_DT_f32);
}

static ir_val one_step(maker *m)
{
    switch (below(m, 17)) {
    case 0:
    case 1:
    case 2: return step_unary(m);
    case 3:
    case 4:
    case 5:
    case 6: return step_binary(m);
    case 7:
    case 8:
    case 9: return step_view(m);
    case 10:
    case 11: return step_reduce(m);
    case 12: return step_composite(m);
    case 13: return step_product(m);
    case 14: return step_index(m);
    case 15: return step_scan(m);
    default: return step_generate(m);
    }
}

static void add_results(maker *m)
{
    int outputs = 1 + below(m, 4);
    char name[24];

    for (int i = 0; i < outputs; i++) {
        snprintf(name, sizeof name, "y%d", i);
        ir_graph_output(m->g, name, ir_ref_of(i == 0 ? m->values[m->count - 1] : pick(m)));
    }
    for (int i = 0; i < m->g->input_count; i++) {
        ir_ref v = m->g->inputs[i];

        for (int tries = 0; m->g->nodes[v].op == IR_variable && tries < 10; tries++) {
            ir_ref value = ir_ref_of(m->values[below(m, m->count)]);

            if (ir_type_eq(&m->g->nodes[v].type, &m->g->nodes[value].type)) {
                ir_graph_assign(m->g, v, value);
                break;
            }
        }
    }
}

/* Outputs: gradients of the sum of the last value. */
static void add_gradients(maker *m)
{
    ir_val y = m->values[m->count - 1];
    int axes[IR_MAX_RANK];
    ir_ref out, none = IR_NONE, wrt[4], grads[4];
    int n = 0;

    for (int d = 0; d < IR_MAX_RANK; d++) {
        axes[d] = d;
    }
    if (type(m, y)->rank > 0) {
        y = ir_e_reduce(&m->g->sink, IR_reduce_sum, y, axes, type(m, y)->rank, false);
    }
    out = ir_ref_of(y);
    for (int i = 0; i < m->g->input_count && n < 4; i++) {
        if (m->g->nodes[m->g->inputs[i]].type.dtype == IR_DT_f32) {
            wrt[n++] = m->g->inputs[i];
        }
    }
    assert_int_equal(pass_gradient(m->g, &out, &none, 1, wrt, n, grads), IR_OK);
    for (int i = 0; i < n; i++) {
        char name[24];

        snprintf(name, sizeof name, "d%d", i);
        if (grads[i] != IR_NONE) {
            ir_graph_output(m->g, name, grads[i]);
        }
    }
}

ir_graph *random_graph(uint32_t seed, int ops, bool gradient)
{
    static const int64_t extents[] = {1, 2, 3, 4, 5, 8, 9, 12};
    maker m = {.g = ir_graph_new("random"), .seed = seed * 2654435761u + 12345u};
    int leaves = 1 + below(&m, 3);

    if (!m.g) {
        return NULL;
    }
    for (int i = 0; i < leaves; i++) {
        int64_t dims[3];
        int rank = below(&m, 4);

        for (int d = 0; d < rank; d++) {
            dims[d] = extents[below(&m, 8)];
        }
        add(&m, leaf(&m, IR_DT_f32, rank, dims));
    }
    for (int i = 0; i < ops; i++) {
        add(&m, one_step(&m));
    }
    if (gradient) {
        add_gradients(&m);
    }
    add_results(&m);
    if (m.g->error.status != IR_OK) {
        fail_msg("seed %u: %s", seed, m.g->error.text);
    }
    return m.g;
}

ir_graph *through_passes(const ir_graph *g, bool plan)
{
    static const pass_info all[] = {{"simplify", "", pass_simplify}, {"cse", "", pass_cse},
                                    {"dce", "", pass_dce},           {"fuse", "", pass_fuse},
                                    {"chain", "", pass_chain},       {"plan", "", pass_plan}};
    const pass_info *list[] = {&all[0], &all[1], &all[2], &all[3], &all[4], &all[5]};
    ir_error e = {0};
    /* chains wherever they can be */
    pass_context pc = {.err = &e,
                       .threads = 1 + (int)(g->count % 2),
                       .chain_slice = g->count % 3 ? 1 : 512,
                       .any_blocks = g->count % 4 != 0};
    ir_graph *out = pass_run(&pc, g, list, plan ? 6 : 4, NULL, NULL, NULL, NULL);

    if (!out) {
        fail_msg("%s: %s", g->name, e.text);
    }
    return out;
}
