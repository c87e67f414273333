/* tests/ir/test_map.c: index maps against direct indexing.
 *
 * Every view is also done by hand on an array that holds the number of each element; a map is right if it
 * leads to the same numbers.  Spaces are the shape itself, flat, or split, so that dims have to be taken
 * apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ir/emit.h"
#include "ir/map.h"

enum { MAX_ELEMENTS = 4096 };

static uint32_t seed = 1;

static int below(int n)
{
    seed = seed * 1664525u + 1013904223u;
    return (int)((seed >> 8) % (uint32_t)n);
}

/* Elements of a node as numbers of the leaf's elements. */
typedef struct elements {
    int64_t count, at[MAX_ELEMENTS];
} elements;

static void unravel(const ir_type *t, int64_t linear, int64_t *index)
{
    for (int d = t->rank - 1; d >= 0; d--) {
        index[d] = linear % t->dims[d];
        linear /= t->dims[d];
    }
}

static int64_t ravel(const ir_type *t, const int64_t *index)
{
    int64_t linear = 0;

    for (int d = 0; d < t->rank; d++) {
        linear = linear * t->dims[d] + index[d];
    }
    return linear;
}

/* What view n does, by the words of the op table. */
static void view(const ir_graph *g, const ir_node *n, const elements *x, elements *y)
{
    const ir_type *xt = &g->nodes[n->x[0]].type;
    int64_t i[IR_MAX_RANK], j[IR_MAX_RANK];

    y->count = ir_type_elements(&n->type);
    for (int64_t e = 0; e < y->count; e++) {
        if (ir_shares_bytes(n->op)) {
            y->at[e] = x->at[e];
            continue;
        }
        unravel(&n->type, e, i);
        for (int d = 0; d < xt->rank; d++) {
            int r = d + n->type.rank - xt->rank;

            if (n->op == IR_broadcast) {
                j[d] = xt->dims[d] == 1 ? 0 : i[r];
            } else if (n->op == IR_reverse) {
                j[d] = memchr(n->attrs->axes, d, n->attrs->n) ? xt->dims[d] - 1 - i[d] : i[d];
            } else if (n->op == IR_slice) {
                j[d] = n->attrs->slice.start[d] + n->attrs->slice.step[d] * i[d];
            }
        }
        for (int d = 0; n->op == IR_transpose && d < n->type.rank; d++) {
            j[n->attrs->axes[d]] = i[d];
        }
        y->at[e] = x->at[ravel(xt, j)];
    }
}

/* The addresses of a map, in order of its space. */
static void expand(const ir_map *m, elements *out)
{
    ir_type t = {.rank = (uint8_t)m->rank};
    int64_t i[IR_MAX_RANK];

    memcpy(t.dims, m->extent, sizeof m->extent);
    out->count = ir_type_elements(&t);
    for (int64_t e = 0; e < out->count; e++) {
        unravel(&t, e, i);
        out->at[e] = m->base;
        for (int d = 0; d < m->rank; d++) {
            out->at[e] += m->stride[d] * i[d];
        }
    }
}

static int64_t random_dims(int rank, int64_t *dims)
{
    static const int64_t some[] = {1, 2, 3, 4, 5};
    int64_t n = 1;

    for (int d = 0; d < rank; d++) {
        dims[d] = some[below(5)];
        dims[d] = n * dims[d] > 512 ? 1 : dims[d];
        n *= dims[d];
    }
    return n;
}

/* A random factorisation of n into at most four dims. */
static int split(int64_t n, int64_t *dims)
{
    int rank = 0;

    while (rank < 3 && n > 1 && below(3)) {
        int64_t f = 1 + below((int)(n < 6 ? n : 6));

        f = n % f == 0 ? f : 1;
        dims[rank++] = f;
        n /= f;
    }
    dims[rank++] = n;
    return rank;
}

static ir_val random_view(ir_graph *g, ir_val x)
{
    const ir_type *t = g->sink.type(&g->sink, x);
    int64_t dims[IR_MAX_RANK], start[IR_MAX_RANK], limit[IR_MAX_RANK], step[IR_MAX_RANK];
    int perm[IR_MAX_RANK], rank = t->rank;

    switch (below(5)) {
    case 0:
        for (int d = 0; d < rank; d++) {
            perm[d] = d;
        }
        for (int d = rank - 1; d > 0; d--) {
            int o = below(d + 1), p = perm[d];

            perm[d] = perm[o];
            perm[o] = p;
        }
        return ir_e_transpose(&g->sink, x, perm);
    case 1: rank = split(ir_type_elements(t), dims); return ir_e_reshape(&g->sink, x, rank, dims);
    case 2:
        for (int d = 0; d < rank; d++) {
            start[d] = below((int)t->dims[d]);
            limit[d] = start[d] + 1 + below((int)(t->dims[d] - start[d]));
            step[d] = 1 + below(2);
        }
        return ir_e_slice(&g->sink, x, start, limit, step);
    case 3: {
        int n = 0;

        for (int d = 0; d < rank; d++) {
            perm[n] = d;
            n += below(2);
        }
        return ir_e_reverse(&g->sink, x, perm, n);
    }
    default: {
        int more = rank < 4 ? below(2) : 0;

        for (int d = 0; d < more; d++) {
            dims[d] = 1 + below(3);
        }
        for (int d = 0; d < rank; d++) {
            dims[more + d] = t->dims[d] == 1 ? 1 + below(3) : t->dims[d];
        }
        return ir_e_broadcast(&g->sink, x, rank + more, dims);
    }
    }
}

/* The space in which the last view's elements are read: itself, flat, or split anew. */
static ir_map random_space(const ir_type *t)
{
    int64_t dims[IR_MAX_RANK];
    ir_type s = *t;
    int how = below(3), rank;

    if (how > 0) {
        rank = how == 1 ? 1 : split(ir_type_elements(t), dims);
        dims[0] = how == 1 ? ir_type_elements(t) : dims[0];
        s = ir_type_make(IR_DT_f32, rank, dims);
    }
    return ir_map_identity(&s);
}

static void test_views_by_hand(void **state)
{
    int expressed = 0, refused = 0;
    elements *e = malloc(5 * sizeof *e), *got = malloc(sizeof *got);

    (void)state;
    assert_true(e && got);
    for (int round = 0; round < 20000; round++) {
        ir_graph *g = ir_graph_new("views");
        int64_t dims[IR_MAX_RANK];
        int rank = 1 + below(4), views = 1 + below(4);
        ir_type t;
        ir_val v;
        ir_map m, inside;
        bool ok = true;

        random_dims(rank, dims);
        t = ir_type_make(IR_DT_f32, rank, dims);
        v = ir_val_of(ir_graph_input(g, "x", &t));
        e[0].count = ir_type_elements(&t);
        for (int64_t i = 0; i < e[0].count; i++) {
            e[0].at[i] = i;
        }
        for (int i = 0; i < views; i++) {
            v = random_view(g, v);
            assert_int_equal(g->error.status, IR_OK);
            if (ir_type_elements(g->sink.type(&g->sink, v)) > MAX_ELEMENTS) {
                views = -1;
                break;
            }
        }
        for (ir_ref r = 1; views > 0 && r < g->count; r++) {
            view(g, &g->nodes[r], &e[r - 1], &e[r]);
            m = ir_map_identity(&g->nodes[r].type);
            assert_true(ir_map_through(g, &g->nodes[r], &m, &inside)); /* one view in its own space: always */
        }
        if (views > 0 && g->count > 1) {
            m = random_space(&g->nodes[g->count - 1].type);
            for (ir_ref r = g->count - 1; r > 0 && ok; r--) {
                ok = ir_map_through(g, &g->nodes[r], &m, &m);
            }
            expressed += ok;
            refused += !ok;
            if (ok) {
                expand(&m, got);
                assert_int_equal(got->count, e[g->count - 1].count);
                assert_memory_equal(got->at, e[g->count - 1].at, (size_t)got->count * sizeof got->at[0]);
            }
        }
        ir_graph_free(g);
    }
    assert_true(expressed > 5000);
    assert_true(refused > 500);
    free(e);
    free(got);
}

static ir_graph *graph_with(const int64_t *dims, int rank, ir_val *x)
{
    ir_graph *g = ir_graph_new("t");
    ir_type t = ir_type_make(IR_DT_f32, rank, dims);

    *x = ir_val_of(ir_graph_input(g, "x", &t));
    return g;
}

/* Known cases: what fuse relies on being expressible, and what must not be. */
static void test_known_maps(void **state)
{
    const int64_t d[] = {2, 3, 4}, flat[] = {24}, row[] = {6, 4}, column[] = {4}, wide[] = {2, 3, 4};
    const int perm[] = {0, 2, 1};
    ir_val x, y;
    ir_map m, out;
    ir_type ft = ir_type_make(IR_DT_f32, 1, flat), rt = ir_type_make(IR_DT_f32, 2, row);
    ir_graph *g = graph_with(d, 3, &x);

    (void)state;
    y = ir_e_transpose(&g->sink, x, perm);
    m = ir_map_identity(&ft);
    assert_false(
        ir_map_through(g, &g->nodes[ir_ref_of(y)], &m, &out)); /* flat index through a transpose carries */
    ir_graph_free(g);

    g = graph_with(column, 1, &x);
    y = ir_e_broadcast(&g->sink, x, 3, wide);
    m = ir_map_identity(&rt); /* [6,4]: the repeated dims 2 and 3 are one */
    assert_true(ir_map_through(g, &g->nodes[ir_ref_of(y)], &m, &out));
    assert_int_equal(out.stride[0], 0);
    assert_int_equal(out.stride[1], 1);
    m = ir_map_identity(&ft);
    assert_false(ir_map_through(g, &g->nodes[ir_ref_of(y)], &m, &out));
    ir_graph_free(g);
}

/* ---- products ---------------------------------------------------------------------------------------- */

static ir_attrs random_dot(ir_type *x, ir_type *z)
{
    ir_attrs a = {0};
    int64_t xd[IR_MAX_RANK], zd[IR_MAX_RANK];
    int px[8], pz[8], xr = 0, zr = 0;
    int nb = below(2), nk = 1 + below(2), nm = below(3), nn = below(3);

    xr = nb + nk + nm;
    zr = nb + nk + nn;
    for (int i = 0; i < 8; i++) {
        px[i] = pz[i] = i;
    }
    for (int i = xr - 1; i > 0; i--) {
        int o = below(i + 1), p = px[i];
        px[i] = px[o];
        px[o] = p;
    }
    for (int i = zr - 1; i > 0; i--) {
        int o = below(i + 1), p = pz[i];
        pz[i] = pz[o];
        pz[o] = p;
    }
    for (int i = 0; i < xr; i++) {
        xd[i] = 1 + below(4);
    }
    for (int i = 0; i < zr; i++) {
        zd[i] = 1 + below(4);
    }
    a.n = (uint8_t)nb;
    a.nk = (uint8_t)nk;
    for (int i = 0; i < nb; i++) {
        a.dot.lhs_batch[i] = (int8_t)px[i];
        a.dot.rhs_batch[i] = (int8_t)pz[i];
        zd[pz[i]] = xd[px[i]];
    }
    for (int i = 0; i < nk; i++) {
        a.dot.lhs_k[i] = (int8_t)px[nb + i];
        a.dot.rhs_k[i] = (int8_t)pz[nb + i];
        zd[pz[nb + i]] = xd[px[nb + i]];
    }
    *x = ir_type_make(IR_DT_f32, xr, xd);
    *z = ir_type_make(IR_DT_f32, zr, zd);
    return a;
}

static bool is_in(const int8_t *list, int n, int axis)
{
    for (int i = 0; i < n; i++) {
        if (list[i] == axis) {
            return true;
        }
    }
    return false;
}

/* Offsets of a list of dims in row-major order. */
static int64_t offsets(int n, const int64_t *extent, const int64_t *stride, int64_t *out)
{
    int64_t count = 1;

    for (int i = 0; i < n; i++) {
        count *= extent[i];
    }
    for (int64_t e = 0; e < count; e++) {
        int64_t rest = e;

        out[e] = 0;
        for (int i = n - 1; i >= 0; i--) {
            out[e] += rest % extent[i] * stride[i];
            rest /= extent[i];
        }
    }
    return count;
}

/* One list of a described product against the axes that make it. */
static void check_list(const ir_type *t, const int64_t *strides, const int *axes, int n, int got_n,
                       const int64_t *extent, const int64_t *stride, int64_t product)
{
    int64_t e[IR_MAX_RANK], s[IR_MAX_RANK], want[1024], got[1024];

    for (int i = 0; i < n; i++) {
        e[i] = t->dims[axes[i]];
        s[i] = strides[axes[i]];
    }
    assert_int_equal(offsets(n, e, s, want), product);
    assert_int_equal(offsets(got_n, extent, stride, got), product);
    assert_memory_equal(want, got, (size_t)product * sizeof *want);
    for (int i = 0; i < got_n; i++) {
        assert_true(extent[i] > 1);
    }
}

static void free_axes(const int8_t *batch, int nb, const int8_t *k, int nk, int rank, int *out, int *n)
{
    *n = 0;
    for (int i = 0; i < rank; i++) {
        if (!is_in(batch, nb, i) && !is_in(k, nk, i)) {
            out[(*n)++] = i;
        }
    }
}

static void test_describe_products(void **state)
{
    (void)state;
    for (int round = 0; round < 5000; round++) {
        ir_type x, z;
        ir_attrs a = random_dot(&x, &z);
        int64_t xs[IR_MAX_RANK], zs[IR_MAX_RANK];
        int axes[IR_MAX_RANK], n;
        ir_dot d;

        ir_type_strides(&x, xs);
        ir_type_strides(&z, zs);
        ir_dot_describe(&a, &x, xs, &z, zs, &d);
        free_axes(a.dot.lhs_batch, a.n, a.dot.lhs_k, a.nk, x.rank, axes, &n);
        check_list(&x, xs, axes, n, d.nm, d.me, d.ml, d.m);
        free_axes(a.dot.rhs_batch, a.n, a.dot.rhs_k, a.nk, z.rank, axes, &n);
        check_list(&z, zs, axes, n, d.nn, d.ne, d.nr, d.n);
        for (int i = 0; i < a.n; i++) {
            axes[i] = a.dot.lhs_batch[i];
        }
        check_list(&x, xs, axes, a.n, d.nb, d.be, d.bl, d.batch);
        for (int i = 0; i < a.n; i++) {
            axes[i] = a.dot.rhs_batch[i];
        }
        check_list(&z, zs, axes, a.n, d.nb, d.be, d.br, d.batch);
        for (int i = 0; i < a.nk; i++) {
            axes[i] = a.dot.lhs_k[i];
        }
        check_list(&x, xs, axes, a.nk, d.nk, d.ke, d.kl, d.k);
        for (int i = 0; i < a.nk; i++) {
            axes[i] = a.dot.rhs_k[i];
        }
        check_list(&z, zs, axes, a.nk, d.nk, d.ke, d.kr, d.k);
        assert_int_equal(ir_dot_is_tree(&a, &x, &z), d.m * d.n < 64);
    }
}

static void test_heads_are_one_dim(void **state)
{
    const int64_t dims[] = {2, 3, 5, 7};
    ir_type x = ir_type_make(IR_DT_f32, 4, dims), z = x;
    int64_t s[IR_MAX_RANK];
    ir_attrs a = {.n = 2, .nk = 1};
    ir_dot d;

    (void)state;
    ir_type_strides(&x, s);
    a.dot.lhs_batch[1] = a.dot.rhs_batch[1] = 1;
    a.dot.lhs_k[0] = a.dot.rhs_k[0] = 3;
    ir_dot_describe(&a, &x, s, &z, s, &d);
    assert_int_equal(d.nb, 1); /* batch and heads are one run in both */
    assert_int_equal(d.be[0], 6);
    assert_int_equal(d.nm, 1);
    assert_int_equal(d.m, 5);
    assert_int_equal(d.ml[0], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views_by_hand),
        cmocka_unit_test(test_known_maps),
        cmocka_unit_test(test_describe_products),
        cmocka_unit_test(test_heads_are_one_dim),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
