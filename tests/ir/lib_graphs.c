/* tests/ir/lib_graphs.c: random graphs (lib_graphs.h). */
#include "ir/lib_graphs.h"
#include "ir/compose.h"
#include "ir/emit.h"
#include "ir/lib_interp.h"
#include "passes/passes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SIZE = 1500 };

typedef struct random_state {
    ir_graph *g;
    ir_sink *s;
    uint32_t seed;
    ir_dtype d;
    ir_val index; /* i64[6] */
} random_state;

static uint32_t roll(random_state *r, uint32_t below)
{
    r->seed = r->seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(r->seed >> 8) * below >> 24);
}

static ir_type type_of(random_state *r, ir_val v)
{
    return *r->s->type(r->s, v);
}

/* A recent value of the graph's dtype more often than an old one. */
static ir_val pick(random_state *r)
{
    for (;;) {
        uint32_t n = r->g->count, from = roll(r, 3) ? n - n / 3 : n;
        ir_ref v = n - 1 - roll(r, from ? from : 1) % n;
        if (r->g->nodes[v].type.dtype == r->d) {
            return ir_val_of(v);
        }
    }
}

static ir_val some_constant(random_state *r, ir_val like)
{
    static const double values[] = {0, -0.0, 1, -1, 2, 0.5, -4, 3, 0.1, 1};

    return ir_e_like(r->s, like, values[roll(r, sizeof values / sizeof values[0])]);
}

/* A value of v's type: one that is there, else a constant. */
static ir_val partner(random_state *r, ir_val v)
{
    for (int i = 0; i < 12; i++) {
        ir_val z = pick(r);
        if (ir_type_eq(r->s->type(r->s, v), r->s->type(r->s, z))) {
            return z;
        }
    }
    return some_constant(r, v);
}

/* ---- one node of each class ---------------------------------------------------------------------------- */

static ir_val random_unary(random_state *r)
{
    static const ir_op ops[] = {IR_neg,           IR_neg,   IR_abs,   IR_sign,  IR_exp,  IR_tanh, IR_sin,
                                IR_cos,           IR_erf,   IR_log,   IR_sqrt,  IR_relu, IR_relu, IR_logistic,
                                IR_stop_gradient, IR_rsqrt, IR_floor, IR_expm1, IR_atan, IR_asinh};
    ir_val x = pick(r);

    return ir_emit(r->s, ops[roll(r, sizeof ops / sizeof ops[0])], NULL, &x, 1);
}

static ir_val random_binary(random_state *r)
{
    static const ir_op ops[] = {IR_add, IR_add, IR_sub, IR_sub, IR_mul, IR_mul,
                                IR_div, IR_max, IR_min, IR_pow, IR_rem, IR_atan2};
    ir_val x = pick(r), z = roll(r, 3) ? partner(r, x) : some_constant(r, x);
    bool swap = roll(r, 4) == 0;
    ir_op op = ops[roll(r, sizeof ops / sizeof ops[0])];

    return ir_emit(r->s, op, NULL, (const ir_val[]){swap ? z : x, swap ? x : z}, 2);
}

static ir_val random_select(random_state *r)
{
    static const ir_op ops[] = {IR_eq, IR_ne, IR_lt, IR_le, IR_gt, IR_ge};
    ir_val x = pick(r), z = partner(r, x);
    ir_val p = ir_emit(r->s, ops[roll(r, 6)], NULL, (const ir_val[]){x, z}, 2);

    if (roll(r, 3) == 0) {
        p = ir_e_not(r->s, p);
    }
    return roll(r, 4) ? ir_e_select(r->s, p, partner(r, x), z) : ir_e_convert(r->s, p, r->d);
}

static ir_val random_attribute(random_state *r)
{
    static const ir_dtype via[] = {IR_DT_f64, IR_DT_i32, IR_DT_f32,  IR_DT_i64,
                                   IR_DT_f16, IR_DT_u8,  IR_DT_bf16, IR_DT_u64};
    ir_val x = pick(r);

    if (roll(r, 2)) {
        return ir_e_clamp(r->s, x, -1 + (double)roll(r, 2), 1);
    }
    if (roll(r, 6) == 0) {
        return ir_e_iota(r->s, r->d, 1 + roll(r, 9));
    }
    if (roll(r, 4) == 0 && type_of(r, x).rank) {
        return ir_e_convert(r->s, ir_e_reduce(r->s, IR_argmax, x, (const int[]){0}, 1, false), r->d);
    }
    return ir_e_convert(r->s, ir_e_convert(r->s, x, via[roll(r, 8)]), r->d);
}

static ir_val random_reshape(random_state *r)
{
    ir_val x = pick(r);
    ir_type t = type_of(r, x);
    int64_t rest = ir_type_elements(&t), dims[IR_MAX_RANK];
    int rank = 0;

    for (int64_t f = 2 + roll(r, 3); rank < 3 && rest > 1; rank++) {
        dims[rank] = rest % f == 0 && roll(r, 3) ? f : 1;
        rest /= dims[rank];
    }
    dims[rank++] = rest;
    return ir_e_reshape(r->s, x, rank, dims);
}

static ir_val random_transpose(random_state *r)
{
    ir_val x = pick(r);
    int rank = type_of(r, x).rank, perm[IR_MAX_RANK];

    for (int i = 0; i < rank; i++) {
        int j = (int)roll(r, (uint32_t)i + 1);
        perm[i] = perm[j];
        perm[j] = i;
    }
    return ir_e_transpose(r->s, x, perm);
}

static ir_val random_broadcast(random_state *r)
{
    ir_val x = pick(r);
    ir_type t = type_of(r, x);
    int64_t dims[IR_MAX_RANK], size = 1;
    int lead = t.rank < 4 ? (int)roll(r, 2) : 0;

    for (int i = 0; i < lead + t.rank; i++) {
        int64_t d = i < lead ? 1 : t.dims[i - lead];
        dims[i] = d == 1 && roll(r, 3) ? 2 + roll(r, 4) : d;
        size *= dims[i];
    }
    return size > MAX_SIZE ? x : ir_e_broadcast(r->s, x, lead + t.rank, dims);
}

static ir_val random_slice(random_state *r)
{
    ir_val x = pick(r);
    ir_type t = type_of(r, x);
    int64_t start[IR_MAX_RANK], limit[IR_MAX_RANK], step[IR_MAX_RANK];

    for (int i = 0; i < t.rank; i++) {
        start[i] = roll(r, (uint32_t)t.dims[i] / 2 + 1);
        limit[i] = t.dims[i] - roll(r, (uint32_t)(t.dims[i] - start[i] - 1) / 2 + 1);
        step[i] = 1 + roll(r, 2);
    }
    return ir_e_slice(r->s, x, start, limit, step);
}

static ir_val random_pad(random_state *r)
{
    ir_val x = pick(r);
    ir_type t = type_of(r, x);
    int64_t low[IR_MAX_RANK], high[IR_MAX_RANK], interior[IR_MAX_RANK];

    if (ir_type_elements(&t) > MAX_SIZE / 16) {
        return x;
    }
    for (int i = 0; i < t.rank; i++) {
        low[i] = roll(r, 2);
        high[i] = roll(r, 2);
        interior[i] = roll(r, 2);
    }
    return ir_e_pad(r->s, x, low, high, interior);
}

/* x backwards, or x between itself and its reverse */
static ir_val random_turned(random_state *r)
{
    ir_val x = pick(r);
    ir_type t = type_of(r, x);
    int axis = t.rank ? (int)roll(r, t.rank) : 0;

    if (t.rank == 0 || ir_type_elements(&t) > MAX_SIZE / 4) {
        return x;
    }
    ir_val back = ir_e_reverse(r->s, x, &axis, 1);
    return roll(r, 2) ? back : ir_e_concat(r->s, (const ir_val[]){x, back, x}, 3, (int)roll(r, t.rank));
}

static ir_val random_reduce(random_state *r)
{
    static const ir_op ops[] = {IR_reduce_sum, IR_reduce_sum, IR_reduce_max, IR_reduce_min};
    ir_val x = pick(r);
    int rank = type_of(r, x).rank, axes[IR_MAX_RANK], n = 0;

    for (int i = 0; i < rank; i++) {
        if (roll(r, 2)) {
            axes[n++] = i;
        }
    }
    ir_val y = ir_e_reduce(r->s, ops[roll(r, 4)], x, axes, n, roll(r, 2));
    if (roll(r, 2)) { /* and back over x, as normalisations do */
        ir_type t = type_of(r, x);
        y = ir_c_binary(r->s, IR_sub, x, ir_e_reduce(r->s, IR_reduce_sum, x, axes, n, true));
        y = type_of(r, y).rank == t.rank ? y : x;
    }
    return y;
}

/* x with one of its axes contracted with one of equal extent of z, if there is one; else x with itself. */
static ir_val random_dot(random_state *r)
{
    ir_val x = pick(r), z = pick(r);
    ir_type tx = type_of(r, x), tz = type_of(r, z);
    ir_attrs a = {.nk = 1};

    for (int i = 0; i < tx.rank; i++) {
        for (int j = 0; j < tz.rank; j++) {
            int64_t k = tx.dims[i], size = ir_type_elements(&tx) / k * (ir_type_elements(&tz) / k);
            if (k == tz.dims[j] && k > 1 && size <= MAX_SIZE && tx.rank + tz.rank - 2 <= 5) {
                a.dot.lhs_k[0] = (int8_t)i;
                a.dot.rhs_k[0] = (int8_t)j;
                return ir_e_dot(r->s, x, z, &a);
            }
        }
    }
    return x;
}

static ir_val random_indexed(random_state *r)
{
    ir_val x = pick(r);
    ir_type t = type_of(r, x);

    if (t.rank == 0 || ir_type_elements(&t) > MAX_SIZE / 6) {
        return x;
    }
    ir_val rows = ir_e_gather(r->s, x, r->index);
    return roll(r, 2) ? rows : ir_e_scatter_add(r->s, x, r->index, rows);
}

static ir_val random_composite(random_state *r)
{
    ir_val x = pick(r);
    int rank = type_of(r, x).rank, axis = rank ? (int)roll(r, (uint32_t)rank) : 0;

    if (rank == 0) {
        return ir_c_gelu(r->s, x, roll(r, 2));
    }
    switch (roll(r, 5)) {
    case 0: return ir_c_softmax(r->s, x, axis);
    case 1: return ir_c_log_softmax(r->s, x, axis);
    case 2: return ir_c_layer_norm(r->s, x, 0, 0, 1e-5);
    case 3: return ir_c_mean(r->s, x, &axis, 1, false);
    default: return ir_c_silu(r->s, x);
    }
}

/* The same op of the same operands again: what cse finds, and what the gradient must not merge first. */
static ir_val random_repeat(random_state *r)
{
    ir_node n = r->g->nodes[ir_ref_of(pick(r))];
    ir_val x[IR_MAX_RANK];

    if (ir_ops[n.op].cls == IR_LEAF) {
        return ir_val_of(r->g->count - 1);
    }
    for (int i = 0; i < n.n; i++) {
        x[i] = ir_val_of(n.x[i]);
    }
    return ir_emit(r->s, n.op, n.attrs, x, n.n);
}

static void add_node(random_state *r)
{
    typedef ir_val maker(random_state *);
    static maker *const makers[] = {
        random_unary,     random_unary,  random_unary,     random_binary,  random_binary,    random_binary,
        random_binary,    random_select, random_attribute, random_reshape, random_transpose, random_broadcast,
        random_slice,     random_pad,    random_reduce,    random_reduce,  random_dot,       random_indexed,
        random_composite, random_repeat, random_turned};

    makers[roll(r, sizeof makers / sizeof makers[0])](r);
}

/* ---- the graph ----------------------------------------------------------------------------------------- */

static void add_leaves(random_state *r)
{
    static const int64_t shapes[][3] = {{3, 4, 5}, {1, 70, 0}, {4, 5, 0},   {70, 3, 0},
                                        {5, 0, 0}, {8, 8, 8},  {2, 130, 0}, {1, 1, 6}};
    int64_t six = 6;
    ir_type index = ir_type_make(IR_DT_i64, 1, &six);

    for (int i = 0; i < 4; i++) {
        const int64_t *dims = shapes[roll(r, 8)];
        int rank = dims[2] ? 3 : dims[1] ? 2 : 1;
        ir_type t = ir_type_make(r->d, rank, dims);
        char name[24];
        snprintf(name, sizeof name, "x%d", i);
        if (i == 3) {
            ir_graph_variable(r->g, name, &t);
        } else {
            ir_graph_input(r->g, name, &t);
        }
    }
    r->index = ir_val_of(ir_graph_input(r->g, "index", &index));
}

ir_graph *graphs_random(uint32_t seed, int nodes, ir_dtype d)
{
    random_state r = {.g = ir_graph_new("random"), .seed = seed * 2654435761u + 1, .d = d};

    if (!r.g) {
        return NULL;
    }
    r.s = &r.g->sink;
    add_leaves(&r);
    while (r.g->count < (uint32_t)nodes && r.g->error.status == IR_OK) {
        add_node(&r);
    }
    for (int i = 0; i < 3; i++) {
        char name[24];
        snprintf(name, sizeof name, "y%d", i);
        ir_graph_output(r.g, name, ir_ref_of(pick(&r)));
    }
    ir_ref variable = r.g->inputs[3];
    ir_graph_assign(r.g, variable, ir_ref_of(partner(&r, ir_val_of(variable))));
    return r.g;
}

/* sum <output, c> over float outputs from `first` on, each c a new input */
static ir_ref total(ir_graph *g, int first, int count)
{
    ir_val sum = 0;

    for (int i = first; i < first + count; i++) {
        char name[40];
        int axes[IR_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
        ir_val y = ir_val_of(g->outputs[i].value);
        ir_type t = g->nodes[g->outputs[i].value].type;
        snprintf(name, sizeof name, "c_%s", g->outputs[i].name);
        ir_val c = ir_val_of(ir_graph_input(g, name, &t));
        ir_val part = ir_e_reduce(&g->sink, IR_reduce_sum, ir_e_mul(&g->sink, y, c), axes, t.rank, false);
        sum = sum ? ir_e_add(&g->sink, sum, part) : part;
    }
    return sum ? ir_ref_of(sum) : IR_NONE;
}

bool graphs_add_gradients(ir_graph *g, int order)
{
    int first = 0, count = g->output_count, leaves = g->input_count;
    ir_ref wrt[16], grads[16];

    for (int o = 1; o <= order && count > 0; o++) {
        ir_ref sum = total(g, first, count);
        int n = 0;
        for (int i = 0; i < leaves && n < 16; i++) {
            if (ir_dtype_is_float(g->nodes[g->inputs[i]].type.dtype)) {
                wrt[n++] = g->inputs[i];
            }
        }
        if (g->error.status != IR_OK || pass_gradient(g, &sum, NULL, 1, wrt, n, grads) != IR_OK) {
            return false;
        }
        first = g->output_count;
        for (int i = 0; i < n; i++) {
            char name[48];
            snprintf(name, sizeof name, "g%d_%s", o, g->nodes[wrt[i]].attrs->leaf.name);
            if (grads[i] != IR_NONE) {
                ir_graph_output(g, name, grads[i]);
            }
        }
        count = g->output_count - first;
    }
    return g->error.status == IR_OK;
}

/* ---- data ---------------------------------------------------------------------------------------------- */

void **graphs_leaves(const ir_graph *g, uint32_t seed)
{
    void **leaves = calloc((size_t)g->input_count + 1, sizeof *leaves);

    for (int i = 0; leaves && i < g->input_count; i++) {
        ir_type t = g->nodes[g->inputs[i]].type;
        bool real = ir_dtype_is_float(t.dtype);
        leaves[i] = malloc(ir_type_bytes(&t));
        if (!leaves[i]) {
            abort();
        }
        interp_fill(leaves[i], &t, real ? -2 : -1, real ? 2 : 6, &seed);
        for (int64_t e = 0; real && e < ir_type_elements(&t); e++) {
            double v = e % 7 == 3 ? 0.0 : e % 11 == 5 ? -0.0 : e % 5 == 2 ? 1.0 : NAN;
            if (v == v) {
                ir_element_set(t.dtype, (char *)leaves[i] + (size_t)e * ir_dtype_size(t.dtype), v);
            }
        }
    }
    return leaves;
}

void graphs_leaves_free(const ir_graph *g, void **leaves)
{
    for (int i = 0; i < g->input_count; i++) {
        free(leaves[i]);
    }
    free(leaves);
}

bool graphs_same_bits(const ir_type *t, const void *a, const void *b, int64_t *where)
{
    size_t size = ir_dtype_size(t->dtype);

    for (int64_t i = 0; i < ir_type_elements(t); i++) {
        const char *x = (const char *)a + (size_t)i * size, *z = (const char *)b + (size_t)i * size;
        if (memcmp(x, z, size) != 0 &&
            !(isnan(interp_element(a, t->dtype, i)) && isnan(interp_element(b, t->dtype, i)))) {
            *where = i;
            return false;
        }
    }
    return true;
}
