/* tests/engines/lib_cases.c: the list of cases, their data, and the cases of leaves, views and indexed ops.
 */
#include "tests/engines/lib_cases.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/emit.h"

op_case *cases_add(case_list *l, const op_case *c)
{
    if (l->count == l->room) {
        l->room = l->room ? 2 * l->room : 256;
        l->items = realloc(l->items, (size_t)l->room * sizeof *l->items);
        assert_non_null(l->items);
    }
    l->items[l->count] = *c;
    return &l->items[l->count++];
}

void cases_all(case_list *l)
{
    *l = (case_list){0};
    cases_leaves(l);
    cases_pointwise(l);
    cases_views(l);
    cases_reductions(l);
    cases_indexed(l);
    cases_scans(l);
    cases_custom(l);
    cases_products(l);
    cases_structure(l);
    cases_composites(l);
    cases_norms(l);
    cases_attention(l);
    cases_losses(l);
    cases_activations(l);
    cases_optim(l);
}

void cases_free(case_list *l)
{
    free(l->items);
}

ir_type case_type(ir_dtype d, const int64_t *dims)
{
    int rank = 0;

    while (dims[rank])
        rank++;
    return ir_type_make(d, rank, dims);
}

ir_type case_as(ir_type t, ir_dtype d)
{
    return ir_type_with(&t, d);
}

char *case_text(const op_case *c, char *buf, size_t size)
{
    size_t at = (size_t)snprintf(buf, size, "%s", c->function ? c->function : ir_ops[c->op].name);

    for (int i = 0; i < c->n && at < size; i++) {
        char type[96];
        at += (size_t)snprintf(buf + at, size - at, " %s",
                               ir_type_text(&c->in[i].type, NULL, type, sizeof type));
    }
    if (at < size)
        snprintf(buf + at, size - at, " parameters %lld %lld %lld", (long long)c->p[0], (long long)c->p[1],
                 (long long)c->p[2]);
    return buf;
}

/* ---- data ---- */

static const float special_f32[] = {0.0f,    -0.0f,    1.0f,     -1.0f,        0.5f,     -2.5f,
                                    88.8f,   -104.0f,  3e-5f,    FLT_TRUE_MIN, -FLT_MIN, -FLT_TRUE_MIN * 77,
                                    FLT_MAX, -FLT_MAX, INFINITY, -INFINITY,    NAN,      16777217.0f};
static const double special_f64[] = {0.0,     -0.0,     1.0,      -1.0,         0.5,      -2.5,
                                     709.9,   -745.2,   3e-9,     DBL_TRUE_MIN, -DBL_MIN, -DBL_TRUE_MIN * 77,
                                     DBL_MAX, -DBL_MAX, INFINITY, -INFINITY,    NAN,      9007199254740993.0};
static const double special_f16[] = {0.0,     -0.0,     1.0,      -1.0,      0.5,      -2.5,
                                     11.1,    -17.4,    3e-3,     0x1p-24,   -0x1p-14, -0x4dp-24,
                                     65504.0, -65504.0, INFINITY, -INFINITY, NAN,      2049.0};
static const int64_t special_int[] = {0,         1,          2,         -1,        -2,      7,
                                      31,        32,         63,        64,        255,     INT32_MAX,
                                      INT32_MIN, UINT32_MAX, INT64_MAX, INT64_MIN, 0x12345, -77};
enum { SPECIALS = 18 };
_Static_assert(sizeof special_f32 / sizeof *special_f32 == SPECIALS, "as many of each");
_Static_assert(sizeof special_f64 / sizeof *special_f64 == SPECIALS, "as many of each");
_Static_assert(sizeof special_f16 / sizeof *special_f16 == SPECIALS, "as many of each");
_Static_assert(sizeof special_int / sizeof *special_int == SPECIALS, "as many of each");

static uint32_t roll(uint32_t *s)
{
    *s = *s * 1664525u + 1013904223u;
    return *s >> 8;
}

static void put(void *data, ir_dtype d, int64_t i, double real, int64_t integer)
{
    void *p = (char *)data + i * (int64_t)ir_dtype_size(d);

    if (d == IR_DT_bool)
        integer &= 1;
    if (ir_dtype_is_float(d))
        ir_element_set(d, p, real);
    else
        memcpy(p, &integer, ir_dtype_size(d));
}

static void put_special(void *data, ir_dtype d, int64_t i, unsigned which)
{
    which %= SPECIALS;
    put(data, d, i,
        d == IR_DT_f64   ? special_f64[which]
        : d == IR_DT_f16 ? special_f16[which]
                         : (double)special_f32[which],
        special_int[which]);
}

void case_fill(const op_case *c, int operand, const ir_type *t, void *data, uint32_t seed)
{
    static const double few[] = {-2, -1, 0, 1, 2, 1};
    ir_dtype d = (ir_dtype)t->dtype;
    int64_t n = ir_type_elements(t);
    bool own = operand >= 0, full = own && c->in[operand].lo == c->in[operand].hi;
    double lo = own ? c->in[operand].lo : -1, hi = own ? c->in[operand].hi : 1;
    uint32_t s = seed * 2654435761u + 99u;

    if (full && ir_dtype_is_float(d))
        lo = -9, hi = 9;
    for (int64_t i = 0; i < n; i++) {
        double u = (double)roll(&s) * 0x1p-24, v = lo + (hi - lo) * u;
        int64_t wide = (int64_t)((uint64_t)roll(&s) << 41 ^ (uint64_t)roll(&s) << 20 ^ roll(&s));
        put(data, d, i, v, full ? wide : (int64_t)floor(v));
        if (!own || (!full && !ir_dtype_is_float(d)))
            continue;
        if (c->data == DATA_TIES)
            put(data, d, i, few[roll(&s) % 6], (int64_t)few[roll(&s) % 6]);
        else if (c->data == DATA_SPECIAL && n >= SPECIALS * SPECIALS)
            put_special(data, d, i, (unsigned)(operand % 2 ? i / SPECIALS : i + operand));
        else if (c->data == DATA_SPECIAL && roll(&s) % 3 == 0)
            put_special(data, d, i, roll(&s));
    }
}

/* ---- leaves and generators ---- */

static void b_input(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y)
{
    (void)s, (void)c;
    y[0] = x[0];
}

/* data, splat, scalar, and each beside an operand */
static void b_constant(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y)
{
    ir_type t = c->in[0].type;
    unsigned char data[4096];

    assert_true(ir_type_bytes(&t) <= sizeof data);
    case_fill(c, 0, &t, data, 77);
    y[0] = ir_e_constant(s, &t, data, false);
    y[1] = ir_e_fill(s, &t, 3);
    y[2] = ir_e_eq(s, x[0], y[0]);
    y[3] = ir_e_ne(s, x[0], y[1]);
}

static void b_iota(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y)
{
    ir_dtype d = (ir_dtype)c->in[0].type.dtype;

    y[0] = ir_e_iota(s, d, c->p[0]);
    y[1] = ir_e_add(s, ir_e_iota_axis(s, &c->in[0].type, 0), x[0]);
    y[2] = ir_e_sub(s, ir_e_iota_axis(s, &c->in[0].type, 1), x[0]);
}

static void b_random_bits(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y)
{
    y[0] = ir_e_random_bits(s, &c->in[1].type, x[0], (uint64_t)c->p[0]);
    y[1] = ir_e_xor(s, ir_e_random_bits(s, &c->in[1].type, x[0], (uint64_t)c->p[0] + 1), x[1]);
}

void cases_leaves(case_list *l)
{
    for (int d = 0; d < IR_DT_COUNT; d++) {
        ir_type t = case_as(CASE_T(f32, 5, 19), (ir_dtype)d);
        op_case c = {.op = IR_input, .build = b_input, .n = 1, .in = {{t, 0, 0}}, .data = DATA_SPECIAL};
        c.gradient = ir_dtype_is_float((ir_dtype)d);
        cases_add(l, &c);
        c.op = IR_variable; /* test_ops.c makes its operand one */
        cases_add(l, &c);
        c.op = IR_constant;
        c.build = b_constant;
        c.gradient = false;
        cases_add(l, &c);
        if (d == IR_DT_bool)
            continue;
        c.op = IR_iota;
        c.build = b_iota;
        for (int i = 0; i < 4; i++) {
            c.p[0] = (const int64_t[]){1, 17, 129, 300}[i];
            cases_add(l, &c);
        }
    }
    for (int i = 0; i < 5; i++) {
        static const int64_t offsets[] = {0, 1, 0xFFFFFFFF, INT64_MAX, 12345678901};
        const ir_type shapes[] = {CASE_T(u32, 0), CASE_T(u32, 1), CASE_T(u32, 3, 7), CASE_T(u32, 129),
                                  CASE_T(u32, 2, 3, 5, 7)};
        op_case c = {.op = IR_random_bits,
                     .build = b_random_bits,
                     .n = 2,
                     .in = {{CASE_T(u32, 4), 0, 0}, {shapes[i], 0, 0}},
                     .p = {offsets[i]}};
        cases_add(l, &c);
    }
}

/* ---- views and pad ---- */

/* The view alone, and between pointwise ops, where it is folded into a kernel. */
static void around(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y,
                   ir_val (*view)(ir_sink *, const op_case *, ir_val))
{
    y[0] = view(s, c, x[0]);
    if (c->in[0].type.dtype != IR_DT_bool)
        y[1] = ir_e_mul(s, view(s, c, ir_e_add(s, x[0], x[0])), y[0]);
    else
        y[1] = ir_e_not(s, view(s, c, ir_e_not(s, x[0])));
}

static ir_val v_reshape(ir_sink *s, const op_case *c, ir_val x)
{
    return ir_e_reshape(s, x, (int)c->p[0], &c->p[1]);
}

static ir_val v_transpose(ir_sink *s, const op_case *c, ir_val x)
{
    int perm[IR_MAX_RANK];

    for (int i = 0; i < c->in[0].type.rank; i++)
        perm[i] = (int)c->p[i];
    return ir_e_transpose(s, x, perm);
}

static ir_val v_broadcast(ir_sink *s, const op_case *c, ir_val x)
{
    return ir_e_broadcast(s, x, (int)c->p[0], &c->p[1]);
}

/* p: start, limit, step by axis */
static ir_val v_slice(ir_sink *s, const op_case *c, ir_val x)
{
    int r = c->in[0].type.rank;

    return ir_e_slice(s, x, c->p, c->p + r, c->p + 2 * r);
}

/* waits for something that is not read */
static ir_val v_checkpoint(ir_sink *s, const op_case *c, ir_val x)
{
    (void)c;
    return ir_e_checkpoint(s, x, ir_e_eq(s, x, x));
}

static ir_val v_pad(ir_sink *s, const op_case *c, ir_val x)
{
    int r = c->in[0].type.rank;

    return ir_e_pad(s, x, c->p, c->p + r, c->p + 2 * r);
}

/* p: count, axes */
static ir_val v_reverse(ir_sink *s, const op_case *c, ir_val x)
{
    int axes[IR_MAX_RANK];

    for (int i = 0; i < c->p[0]; i++)
        axes[i] = (int)c->p[1 + i];
    return ir_e_reverse(s, x, axes, (int)c->p[0]);
}

/* x behind itself and a part of itself; p: axis, copies */
static ir_val v_concat(ir_sink *s, const op_case *c, ir_val x)
{
    int axis = (int)c->p[0], rank = c->in[0].type.rank;
    int64_t zeros[IR_MAX_RANK] = {0}, limit[IR_MAX_RANK];
    ir_val parts[IR_MAX_RANK * 4];

    for (int i = 0; i < c->p[1]; i++)
        parts[i] = i % 2 && ir_dtype_is_float((ir_dtype)c->in[0].type.dtype) ? ir_e_neg(s, x) : x;
    for (int i = 0; i < rank; i++)
        limit[i] = i == axis ? 1 : c->in[0].type.dims[i];
    parts[c->p[1]] = ir_e_slice(s, x, zeros, limit, NULL);
    return ir_e_concat(s, parts, (int)c->p[1] + 1, axis);
}

#define VIEW(name)                                                                 \
    static void b_##name(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y) \
    {                                                                              \
        around(s, c, x, y, v_##name);                                              \
    }
VIEW(reshape)
VIEW(transpose)
VIEW(broadcast)
VIEW(slice)
VIEW(checkpoint)
VIEW(pad)
VIEW(reverse)
VIEW(concat)

typedef struct view_row {
    ir_op op;
    case_build *build;
    int64_t dims[6];
    int64_t p[CASE_PARAMETERS];
} view_row;

static const view_row views[] = {
    {IR_reshape, b_reshape, {1}, {0}},
    {IR_reshape, b_reshape, {12, 7}, {1, 84}},
    {IR_reshape, b_reshape, {129}, {3, 1, 129, 1}},
    {IR_reshape, b_reshape, {3, 2, 17}, {2, 6, 17}},
    {IR_reshape, b_reshape, {6, 35}, {4, 2, 3, 5, 7}},
    {IR_transpose, b_transpose, {17}, {0}},
    {IR_transpose, b_transpose, {7, 65}, {1, 0}},
    {IR_transpose, b_transpose, {33, 17}, {1, 0}},
    {IR_transpose, b_transpose, {1, 129}, {1, 0}},
    {IR_transpose, b_transpose, {3, 5, 17}, {0, 2, 1}},
    {IR_transpose, b_transpose, {3, 5, 17}, {1, 0, 2}},
    {IR_transpose, b_transpose, {3, 5, 17}, {1, 2, 0}},
    {IR_transpose, b_transpose, {3, 5, 17}, {2, 0, 1}},
    {IR_transpose, b_transpose, {3, 5, 17}, {2, 1, 0}},
    {IR_transpose, b_transpose, {2, 3, 5, 7}, {3, 1, 0, 2}},
    {IR_transpose, b_transpose, {2, 3, 5, 7}, {0, 2, 3, 1}},
    {IR_broadcast, b_broadcast, {1}, {1, 7}},
    {IR_broadcast, b_broadcast, {17}, {2, 3, 17}},
    {IR_broadcast, b_broadcast, {17, 1}, {2, 17, 33}},
    {IR_broadcast, b_broadcast, {3, 1, 7}, {4, 2, 3, 5, 7}},
    {IR_broadcast, b_broadcast, {0}, {3, 2, 3, 17}},
    {IR_slice, b_slice, {17}, {3, 4, 1}},
    {IR_slice, b_slice, {129}, {5, 128, 3}},
    {IR_slice, b_slice, {9, 65}, {1, 0, 8, 65, 3, 1}},
    {IR_slice, b_slice, {9, 65}, {0, 7, 9, 60, 1, 2}},
    {IR_slice, b_slice, {3, 5, 17}, {0, 1, 2, 3, 5, 17, 2, 3, 5}},
    {IR_slice, b_slice, {2, 3, 5, 7}, {1, 0, 1, 0, 2, 3, 4, 7, 1, 2, 1, 3}},
    {IR_checkpoint, b_checkpoint, {1}, {0}},
    {IR_checkpoint, b_checkpoint, {3, 129}, {0}},
    {IR_checkpoint, b_checkpoint, {2, 3, 5, 7}, {0}},
    {IR_reverse, b_reverse, {17}, {1, 0}},
    {IR_reverse, b_reverse, {129}, {1, 0}},
    {IR_reverse, b_reverse, {7, 65}, {2, 0, 1}},
    {IR_reverse, b_reverse, {9, 33}, {1, 0}},
    {IR_reverse, b_reverse, {3, 5, 17}, {1, 1}},
    {IR_reverse, b_reverse, {2, 3, 5, 7}, {3, 0, 2, 3}},
    {IR_pad, b_pad, {7}, {3, 0, 0}},
    {IR_pad, b_pad, {17}, {0, 5, 2}},
    {IR_pad, b_pad, {3, 17}, {1, 2, 0, 1, 0, 0}},
    {IR_pad, b_pad, {5, 7}, {0, 1, 2, 0, 1, 3}},
    {IR_pad, b_pad, {3, 2, 33}, {1, 0, 0, 0, 1, 0, 0, 2, 0}},
    {IR_pad, b_pad, {2, 3, 2, 3}, {0, 1, 1, 0, 1, 0, 0, 2, 0, 1, 1, 0}},
    {IR_concat, b_concat, {1}, {0, 1}},
    {IR_concat, b_concat, {17}, {0, 3}},
    {IR_concat, b_concat, {1700}, {0, 2}},
    {IR_concat, b_concat, {5, 7}, {1, 2}},
    {IR_concat, b_concat, {9, 65}, {0, 1}},
    {IR_concat, b_concat, {3, 5, 17}, {1, 10}},
    {IR_concat, b_concat, {2, 3, 5, 7}, {3, 2}},
};

void cases_views(case_list *l)
{
    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        for (int d = 0; d < IR_DT_COUNT; d++) {
            op_case c = {.op = views[i].op, .build = views[i].build, .n = 1};
            c.in[0] = (case_operand){case_type((ir_dtype)d, views[i].dims), 0, 0};
            if (d == IR_DT_f64)
                c.in[0].lo = -2, c.in[0].hi = 2;
            memcpy(c.p, views[i].p, sizeof c.p);
            c.gradient = ir_dtype_is_float((ir_dtype)d);
            c.data = d == IR_DT_f32 && i % 3 == 0 ? DATA_SPECIAL : DATA_RANGE;
            if (d >= IR_DT_f32 || i % 3 == (size_t)d % 3)
                cases_add(l, &c);
        }
}

/* ---- indexed: indices reach past both ends ---- */

static void b_gather(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y)
{
    y[0] = ir_e_gather(s, x[0], x[1]);
    if (c->in[0].type.dtype != IR_DT_bool)
        y[1] = ir_e_gather(s, ir_e_mul(s, x[0], x[0]), x[1]);
}

static void b_scatter_add(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y)
{
    (void)c;
    y[0] = ir_e_scatter_add(s, x[0], x[1], x[2]);
    y[1] = ir_e_scatter_add(s, ir_e_mul(s, x[0], x[0]), x[1], ir_e_mul(s, x[2], x[2]));
}

/* Also over a value that nothing else reads, which the result may overwrite. */
static void b_scatter(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y)
{
    y[0] = ir_emit(s, c->op, NULL, x, 3);
    if (c->in[0].type.dtype != IR_DT_bool)
        y[1] = ir_emit(s, c->op, NULL,
                       (const ir_val[]){ir_e_mul(s, x[0], x[0]), x[1], ir_e_add(s, x[2], x[2])}, 3);
}

/* p: extents of the box */
static void b_dynamic_slice(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y)
{
    y[0] = ir_e_dynamic_slice(s, x[0], x[1], c->in[0].type.rank, c->p);
}

static void b_dynamic_update(ir_sink *s, const op_case *c, const ir_val *x, ir_val *y)
{
    y[0] = ir_e_dynamic_update(s, x[0], x[1], x[2]);
    if (c->in[0].type.dtype != IR_DT_bool)
        y[1] = ir_e_dynamic_update(s, ir_e_mul(s, x[0], x[0]), x[1], x[2]);
}

static void cases_dynamic(case_list *l)
{
    static const struct {
        int64_t whole[5], part[5];
    } rows[] = {{{7}, {3}},
                {{9, 17}, {2, 17}},
                {{9, 65}, {4, 33}},
                {{3, 5, 7}, {3, 1, 4}},
                {{2, 3, 5, 7}, {1, 2, 5, 7}}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int d = 0; d < IR_DT_COUNT; d++) {
            ir_dtype t = (ir_dtype)d, id = d % 2 ? IR_DT_i32 : IR_DT_i64;
            ir_type whole = case_type(t, rows[i].whole), part = case_type(t, rows[i].part);
            bool real = ir_dtype_is_float(t);
            op_case c = {.op = IR_dynamic_slice, .build = b_dynamic_slice, .n = 2, .gradient = real};
            memcpy(c.p, part.dims, sizeof part.dims);
            c.in[0] = (case_operand){whole, real ? -2 : 0, real ? 2 : 0};
            c.in[1] = (case_operand){case_type(id, (const int64_t[]){whole.rank, 0}), -2, 6};
            c.data = t == IR_DT_f32 && i % 2 ? DATA_SPECIAL : DATA_RANGE;
            cases_add(l, &c);
            c.op = IR_dynamic_update;
            c.build = b_dynamic_update;
            c.n = 3;
            c.in[2] = (case_operand){part, real ? -2 : 0, real ? 2 : 0};
            cases_add(l, &c);
        }
}

void cases_indexed(case_list *l)
{
    static const struct {
        int64_t table[5], index[4], update[6];
    } rows[] = {{{5}, {0}, {0}},
                {{7}, {9}, {9}},
                {{7, 3}, {4}, {4, 3}},
                {{1, 17}, {3}, {3, 17}},
                {{9, 65}, {2, 3}, {2, 3, 65}},
                {{3, 2, 33}, {5}, {5, 2, 33}},
                {{4, 2, 3, 5}, {1, 3, 2}, {1, 3, 2, 2, 3}}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int d = 0; d < IR_DT_COUNT; d++) {
            ir_dtype t = (ir_dtype)d, id = d % 2 ? IR_DT_i32 : IR_DT_i64;
            ir_type table = case_type(t, rows[i].table), update = case_type(t, rows[i].update);
            bool real = ir_dtype_is_float(t);
            op_case c = {.op = IR_gather, .build = b_gather, .n = 2, .gradient = real};
            if (i == 6) { /* ranks of 4 and 3: the last dims of the table follow the index */
                update = table;
                update.rank = 6;
                memcpy(update.dims, (const int64_t[]){1, 3, 2, 2, 3, 5}, 6 * sizeof(int64_t));
            }
            c.in[0] = (case_operand){table, real ? -2 : 0, real ? 2 : 0};
            c.in[1] = (case_operand){case_type(id, rows[i].index), -2, (double)table.dims[0] + 2};
            c.data = t == IR_DT_f32 && i % 2 ? DATA_SPECIAL : DATA_RANGE;
            cases_add(l, &c);
            if (t == IR_DT_bool)
                continue;
            c.op = IR_scatter_add;
            c.build = b_scatter_add;
            c.n = 3;
            c.in[2] = (case_operand){update, real ? -2 : 0, real ? 2 : 0};
            cases_add(l, &c);
            c.build = b_scatter;
            for (int op = IR_scatter_set; op <= IR_scatter_min; op++) {
                c.op = (ir_op)op;
                cases_add(l, &c);
            }
        }
    cases_dynamic(l);
}
