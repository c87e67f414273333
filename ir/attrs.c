/* ir/attrs.c: the attributes of every op as a table, and what follows from it: equality, hash, canonical
 * form.
 *
 *   dot_general {lhs_batch=[0], rhs_batch=[0], lhs_k=[2], rhs_k=[1]}
 *     = four lists of axes; the first two have attrs.n entries, the last two attrs.nk
 *
 * Members that do not count for an op are ignored here, so a caller's leftovers can't make equal nodes
 * differ. */
#include <string.h>

#include "arena.h"
#include "attrs.h"

#define FIELD(key, kind, count, missing, member) \
    {key, IR_AF_##kind, IR_AC_##count, IR_AD_##missing, offsetof(ir_attrs, member)}

static const ir_attr_form none = {IR_AT_NONE, 0, {{0}}};
static const ir_attr_form leaf = {IR_AT_FULL, 1, {FIELD("name", NAME, ONE, REQUIRED, leaf.name)}};
static const ir_attr_form constant = {IR_AT_FULL, 1, {FIELD("data", DATA, ONE, REQUIRED, constant)}};
static const ir_attr_form iota = {IR_AT_FULL, 0, {{0}}};
static const ir_attr_form random_bits = {IR_AT_FULL, 1, {FIELD("offset", U64, ONE, ZEROS, random.offset)}};
static const ir_attr_form convert = {IR_AT_DTYPE, 0, {{0}}};
static const ir_attr_form dims = {IR_AT_DIMS, 0, {{0}}};
static const ir_attr_form clamp = {
    IR_AT_NONE, 2, {FIELD("lo", F64, ONE, REQUIRED, clamp.lo), FIELD("hi", F64, ONE, REQUIRED, clamp.hi)}};
static const ir_attr_form transpose = {IR_AT_NONE, 1, {FIELD("perm", AXES, N, REQUIRED, axes)}};
static const ir_attr_form axes = {IR_AT_NONE, 1, {FIELD("axes", AXES, N, REQUIRED, axes)}};
static const ir_attr_form scan = {
    IR_AT_NONE,
    2,
    {FIELD("axis", U64, ONE, REQUIRED, scan.axis), FIELD("reverse", U64, ONE, ZEROS, scan.reverse)}};
static const ir_attr_form sort = {IR_AT_NONE, 1, {FIELD("descending", U64, ONE, ZEROS, scan.reverse)}};
static const ir_attr_form slice = {IR_AT_NONE,
                                   3,
                                   {FIELD("start", INTS, N, REQUIRED, slice.start),
                                    FIELD("limit", DIMS, N, REQUIRED, slice.limit),
                                    FIELD("step", INTS, N, ONES, slice.step)}};
static const ir_attr_form pad = {IR_AT_NONE,
                                 3,
                                 {FIELD("low", INTS, N, REQUIRED, pad.low),
                                  FIELD("high", INTS, N, REQUIRED, pad.high),
                                  FIELD("interior", INTS, N, ZEROS, pad.interior)}};
static const ir_attr_form custom = {
    IR_AT_NONE,
    2,
    {FIELD("call", CALL, ONE, REQUIRED, custom.op), FIELD("params", F64S, N, EMPTY, custom.params)}};
static const ir_attr_form dot_general = {
    IR_AT_NONE,
    4,
    {FIELD("lhs_batch", AXES, N, EMPTY, dot.lhs_batch), FIELD("rhs_batch", AXES, N, EMPTY, dot.rhs_batch),
     FIELD("lhs_k", AXES, NK, EMPTY, dot.lhs_k), FIELD("rhs_k", AXES, NK, EMPTY, dot.rhs_k)}};

static const ir_attr_form *const forms[IR_OP_COUNT] = {
    [IR_input] = &leaf,
    [IR_variable] = &leaf,
    [IR_constant] = &constant,
    [IR_iota] = &iota,
    [IR_random_bits] = &random_bits,
    [IR_convert] = &convert,
    [IR_clamp] = &clamp,
    [IR_reshape] = &dims,
    [IR_transpose] = &transpose,
    [IR_broadcast] = &dims,
    [IR_slice] = &slice,
    [IR_pad] = &pad,
    [IR_dynamic_slice] = &dims,
    [IR_reverse] = &axes,
    [IR_concat] = &axes,
    [IR_reduce_sum] = &axes,
    [IR_reduce_max] = &axes,
    [IR_reduce_min] = &axes,
    [IR_reduce_prod] = &axes,
    [IR_reduce_all] = &axes,
    [IR_reduce_any] = &axes,
    [IR_argmax] = &axes,
    [IR_argmin] = &axes,
    [IR_cumsum] = &scan,
    [IR_cumprod] = &scan,
    [IR_cummax] = &scan,
    [IR_cummin] = &scan,
    [IR_linear_scan] = &scan,
    [IR_argsort] = &sort,
    [IR_custom] = &custom,
    [IR_dot_general] = &dot_general,
};

const ir_attr_form *ir_attr_form_of(ir_op op)
{
    return forms[op] ? forms[op] : &none;
}

int ir_attr_entries(const ir_attr_field *f, const ir_attrs *a)
{
    int n = f->count == IR_AC_ONE ? 1 : f->count == IR_AC_N ? a->n : a->nk;
    return f->count != IR_AC_ONE && n > IR_MAX_RANK ? IR_MAX_RANK : n;
}

size_t ir_attr_bytes(const ir_attr_field *f, const ir_attrs *a)
{
    size_t n = (size_t)ir_attr_entries(f, a);
    switch (f->kind) {
    case IR_AF_AXES: return n * sizeof(int8_t);
    case IR_AF_INTS:
    case IR_AF_DIMS: return n * sizeof(int64_t);
    case IR_AF_F64: return sizeof(double);
    case IR_AF_F64S: return n * sizeof(double);
    case IR_AF_CALL: return sizeof(const ir_custom *);
    case IR_AF_U64: return sizeof(uint64_t);
    case IR_AF_NAME: return sizeof a->leaf;
    case IR_AF_DATA: return sizeof a->constant;
    }
    return 0;
}

static bool uses(const ir_attr_form *form, ir_attr_count count)
{
    for (int i = 0; i < form->count; i++)
        if (form->fields[i].count == count)
            return true;
    return false;
}

static ir_type clean_type(ir_attr_type_use use, const ir_type *t)
{
    ir_type out = {0};
    if (use == IR_AT_DTYPE || use == IR_AT_FULL)
        out.dtype = t->dtype;
    if (use == IR_AT_DIMS || use == IR_AT_FULL) {
        out.rank = t->rank;
        memcpy(out.dims, t->dims, (size_t)(t->rank <= IR_MAX_RANK ? t->rank : 0) * sizeof *t->dims);
    }
    return out;
}

void ir_attrs_clean(ir_op op, const ir_attrs *a, const ir_type *result, ir_attrs *out)
{
    const ir_attr_form *form = ir_attr_form_of(op);
    memset(out, 0, sizeof *out);
    if (form->type != IR_AT_NONE)
        out->type = clean_type(form->type, result);
    if (uses(form, IR_AC_N))
        out->n = a->n;
    if (uses(form, IR_AC_NK))
        out->nk = a->nk;
    for (int i = 0; i < form->count; i++) {
        const ir_attr_field *f = &form->fields[i];
        memcpy((char *)out + f->offset, (const char *)a + f->offset, ir_attr_bytes(f, a));
        if (f->kind == IR_AF_DATA)
            out->splat = a->splat || (ir_type_is_static(result) && ir_type_elements(result) == 1);
    }
}

static uint64_t hash_field(uint64_t h, const ir_attr_field *f, const ir_attrs *a)
{
    switch (f->kind) {
    case IR_AF_NAME: return ir_hash_bytes(h, a->leaf.name, strlen(a->leaf.name));
    case IR_AF_DATA: return ir_hash_bytes(h, a->constant.data, a->constant.bytes);
    case IR_AF_CALL: return ir_hash_bytes(h, a->custom.op->name, strlen(a->custom.op->name));
    default: return ir_hash_bytes(h, (const char *)a + f->offset, ir_attr_bytes(f, a));
    }
}

uint64_t ir_attrs_hash(ir_op op, const ir_attrs *a)
{
    const ir_attr_form *form = ir_attr_form_of(op);
    uint64_t h = (uint64_t)op;
    if (form->type != IR_AT_NONE) {
        ir_type t = clean_type(form->type, &a->type);
        h = ir_hash_bytes(h, &t.dims, sizeof t.dims) + t.dtype;
    }
    for (int i = 0; i < form->count; i++)
        h = hash_field(h, &form->fields[i], a);
    return h;
}

static bool field_eq(const ir_attr_field *f, const ir_attrs *a, const ir_attrs *b)
{
    if (ir_attr_entries(f, a) != ir_attr_entries(f, b))
        return false;
    switch (f->kind) {
    case IR_AF_NAME: return strcmp(a->leaf.name, b->leaf.name) == 0;
    case IR_AF_DATA:
        return a->splat == b->splat && a->constant.bytes == b->constant.bytes &&
               (a->constant.data == b->constant.data ||
                memcmp(a->constant.data, b->constant.data, a->constant.bytes) == 0);
    default:
        return memcmp((const char *)a + f->offset, (const char *)b + f->offset, ir_attr_bytes(f, a)) == 0;
    }
}

bool ir_attrs_eq(ir_op op, const ir_attrs *a, const ir_attrs *b)
{
    const ir_attr_form *form = ir_attr_form_of(op);
    ir_type x = clean_type(form->type, &a->type), z = clean_type(form->type, &b->type);
    if (!ir_type_eq(&x, &z))
        return false;
    for (int i = 0; i < form->count; i++)
        if (!field_eq(&form->fields[i], a, b))
            return false;
    return true;
}
