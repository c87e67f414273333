/* ir/text_attrs.c: the parser's attributes, driven by the table of attrs.c.
 *
 *   {start=[0,2], limit=[n,8]}     lists as long as the op's rank; step is left out, so it is ones
 *   {data=[0x1p+0, nan]}           read twice: skipped here, read when the type behind it is known
 *
 * Whether axes and bounds fit is for the shape rules; here only form, count and range of the numbers are
 * checked. */
#include <stdio.h>
#include <string.h>

#include "attrs.h"
#include "text.h"

/* "step of slice", "an attribute of slice (start limit step)": for messages. */
static const char *attrs_text(ir_op op, char *buf, size_t size)
{
    const ir_attr_form *form = ir_attr_form_of(op);
    size_t at = (size_t)snprintf(buf, size, "an attribute of %s (", ir_ops[op].name);
    for (int i = 0; i < form->count; i++)
        at += (size_t)snprintf(buf + at, size - at, "%s%s", i ? " " : "",
                               form->fields[i].kind == IR_AF_DATA ? "data splat" : form->fields[i].key);
    snprintf(buf + at, size - at, ")");
    return buf;
}

static bool is_key(const char *key, const char *s, size_t n)
{
    return strlen(key) == n && memcmp(key, s, n) == 0;
}

/* The field that a key names or -1. */
static int find_field(const ir_attr_form *form, const char *s, size_t n)
{
    for (int i = 0; i < form->count; i++) {
        const ir_attr_field *f = &form->fields[i];
        if (f->kind != IR_AF_NAME &&
            (is_key(f->key, s, n) || (f->kind == IR_AF_DATA && is_key("splat", s, n))))
            return i;
    }
    return -1;
}

/* ---- lists ------------------------------------------------------------------------------------------- */

static bool read_entry(ir_parser *p, const ir_attr_field *f, char *at, int i)
{
    int64_t v;
    if (f->kind == IR_AF_AXES) {
        if (!ir_text_i64(p, f->key, INT8_MIN, INT8_MAX, &v))
            return false;
        ((int8_t *)at)[i] = (int8_t)v;
        return true;
    }
    if (f->kind == IR_AF_F64S)
        return ir_text_element(p, IR_DT_f64, (double *)(void *)at + i);
    int64_t *out = (int64_t *)(void *)at + i;
    return f->kind == IR_AF_DIMS ? ir_text_dim(p, out) : ir_text_i64(p, f->key, INT64_MIN, INT64_MAX, out);
}

/* One list; the first of its count decides how long the others are. */
static bool read_list(ir_parser *p, ir_op op, const ir_attr_field *f, ir_text_attrs *t)
{
    char *at = (char *)&t->a + f->offset;
    int *count = f->count == IR_AC_N ? &t->n : &t->nk, n = 0;
    if (!ir_text_expect(p, "["))
        return false;
    while (!ir_text_accept(p, "]")) {
        if (n && !ir_text_expect(p, ","))
            return false;
        if (n == IR_MAX_RANK)
            return ir_text_fail(p, IR_EPARSE, p->line, "%s: %s has more than %d entries", ir_ops[op].name,
                                f->key, IR_MAX_RANK);
        if (!read_entry(p, f, at, n))
            return false;
        n++;
    }
    if (*count >= 0 && *count != n)
        return ir_text_fail(p, IR_EPARSE, p->line, "%s: expected %d entries in %s, found %d", ir_ops[op].name,
                            *count, f->key, n);
    *count = n;
    return true;
}

/* Skips "[..]" up to its bracket; comments inside may hold anything. */
static bool skip_data(ir_parser *p)
{
    if (!ir_text_expect(p, "["))
        return false;
    for (; p->at < p->end && *p->at != ']'; p->at++) {
        if (*p->at == '\n')
            p->line++;
        if (*p->at == ';')
            while (p->at + 1 < p->end && p->at[1] != '\n')
                p->at++;
    }
    return ir_text_expect(p, "]");
}

static bool skip_splat(ir_parser *p)
{
    while (p->at < p->end && *p->at != '}' && *p->at != ',' && *p->at != '\n')
        p->at++;
    return true;
}

/* "expected a registered custom op (scale_rows, clip), found .." */
static bool unknown_call(ir_parser *p, const char *s, size_t n)
{
    char known[256] = "none is registered";
    size_t at = 0;
    for (int i = 0; p->customs && i < p->customs->count && at < sizeof known - 64; i++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%.60s", i ? ", " : "",
                               p->customs->items[i]->name);
    return ir_text_fail(p, IR_EARG, p->line, "custom: there is no custom op '%.*s' (%s)",
                        n < 60 ? (int)n : 60, s, known);
}

/* The name of a registered custom op. */
static bool read_call(ir_parser *p, const ir_custom **out)
{
    const char *s;
    size_t n;
    if (!ir_text_word(p, "the name of a custom op", &s, &n))
        return false;
    for (int i = 0; p->customs && i < p->customs->count; i++)
        if (is_key(p->customs->items[i]->name, s, n)) {
            *out = p->customs->items[i];
            return true;
        }
    return unknown_call(p, s, n);
}

static bool read_field(ir_parser *p, ir_op op, const ir_attr_field *f, ir_text_attrs *t)
{
    char *at = (char *)&t->a + f->offset;
    switch (f->kind) {
    case IR_AF_AXES:
    case IR_AF_INTS:
    case IR_AF_DIMS:
    case IR_AF_F64S: return read_list(p, op, f, t);
    case IR_AF_CALL: return read_call(p, (const ir_custom **)(void *)at);
    case IR_AF_F64: return ir_text_element(p, IR_DT_f64, at);
    case IR_AF_U64: return ir_text_u64(p, f->key, UINT64_MAX, (uint64_t *)(void *)at);
    case IR_AF_NAME: return false;
    case IR_AF_DATA: break;
    }
    ir_text_skip(p);
    t->data = p->at;
    t->data_line = p->line;
    return t->splat ? skip_splat(p) : skip_data(p);
}

bool ir_text_attrs_read(ir_parser *p, ir_op op, ir_text_attrs *t)
{
    const ir_attr_form *form = ir_attr_form_of(op);
    const char *s;
    char what[128];
    size_t n;
    memset(t, 0, sizeof *t);
    t->n = t->nk = -1;
    t->line = p->line;
    if (!ir_text_accept(p, "{"))
        return true;
    for (bool first = true; !ir_text_accept(p, "}"); first = false) {
        if (!first && !ir_text_expect(p, ","))
            return false;
        ir_text_skip(p);
        const char *start = p->at;
        if (!ir_text_word(p, attrs_text(op, what, sizeof what), &s, &n))
            return false;
        int i = find_field(form, s, n);
        if (i < 0) {
            p->at = start;
            return ir_text_expected(p, what);
        }
        if (t->seen >> i & 1)
            return ir_text_fail(p, IR_EPARSE, p->line, "%s: %s is given twice", ir_ops[op].name,
                                form->fields[i].key);
        t->seen |= 1u << i;
        t->splat = form->fields[i].kind == IR_AF_DATA && is_key("splat", s, n);
        if (!ir_text_expect(p, "=") || !read_field(p, op, &form->fields[i], t))
            return false;
    }
    return true;
}

/* ---- when the type is known -------------------------------------------------------------------------- */

static void fill_list(ir_text_attrs *t, const ir_attr_field *f, int64_t v)
{
    int64_t *at = (int64_t *)(void *)((char *)&t->a + f->offset);
    for (int i = 0; i < t->n && f->kind == IR_AF_INTS; i++)
        at[i] = v;
}

static bool fill_missing(ir_parser *p, ir_op op, const ir_attr_field *f, ir_text_attrs *t)
{
    int n = f->count == IR_AC_N ? t->n : t->nk;
    switch (f->missing) {
    case IR_AD_REQUIRED:
        return f->kind == IR_AF_NAME ||
               ir_text_fail(p, IR_EPARSE, t->line, "%s: expected the attribute %s", ir_ops[op].name, f->key);
    case IR_AD_ZEROS: fill_list(t, f, 0); return true;
    case IR_AD_ONES: fill_list(t, f, 1); return true;
    case IR_AD_EMPTY: break;
    }
    return n <= 0 || ir_text_fail(p, IR_EPARSE, t->line, "%s: expected %d entries in %s, found none",
                                  ir_ops[op].name, n, f->key);
}

static bool read_elements(ir_parser *p, ir_dtype d, int64_t count, char *out)
{
    size_t size = ir_dtype_size(d);
    if (!ir_text_expect(p, "["))
        return false;
    for (int64_t i = 0; i < count; i++)
        if ((i && !ir_text_expect(p, ",")) || !ir_text_element(p, d, out + (size_t)i * size))
            return false;
    return ir_text_accept(p, "]") || ir_text_expected(p, "']' after the last element of the type");
}

/* Goes back to the value of a constant and reads it as elements of the type. */
static bool read_constant(ir_parser *p, const ir_type *type, ir_text_attrs *t)
{
    const char *at = p->at, *start = t->data;
    uint32_t line = p->line;
    if (!start)
        return true; /* its absence is reported as a missing attribute */
    if (!t->splat && !ir_type_is_static(type))
        return ir_text_fail(p, IR_ESHAPE, t->line, "constant: a type with symbols needs splat=, not data=");
    int64_t count = t->splat ? 1 : ir_type_elements(type);
    /* every element takes a character: so no allocation is larger than the text earns */
    if (count > at - start)
        return ir_text_fail(p, IR_EPARSE, t->line, "constant: expected %lld elements in data",
                            (long long)count);
    size_t bytes = (size_t)count * ir_dtype_size((ir_dtype)type->dtype);
    char *data = ir_arena_alloc(p->g->arena, bytes);
    if (!data)
        return ir_text_lift(p, t->line);
    p->at = start;
    p->line = t->data_line;
    if (!(t->splat ? ir_text_element(p, (ir_dtype)type->dtype, data)
                   : read_elements(p, (ir_dtype)type->dtype, count, data)))
        return false;
    ir_text_skip(p);
    if (t->splat && p->at < p->end && *p->at != '}' && *p->at != ',')
        return ir_text_expected(p, "'}' after the element");
    p->at = at;
    p->line = line;
    t->a.splat = t->splat;
    t->a.constant.data = data;
    t->a.constant.bytes = bytes;
    return true;
}

bool ir_text_attrs_finish(ir_parser *p, ir_op op, const ir_type *type, ir_text_attrs *t)
{
    const ir_attr_form *form = ir_attr_form_of(op);
    for (int i = 0; i < form->count; i++) {
        if (!(t->seen >> i & 1) && !fill_missing(p, op, &form->fields[i], t))
            return false;
        if (form->fields[i].kind == IR_AF_DATA && !read_constant(p, type, t))
            return false;
    }
    t->a.n = (uint8_t)(t->n > 0 ? t->n : 0);
    t->a.nk = (uint8_t)(t->nk > 0 ? t->nk : 0);
    if (form->type != IR_AT_NONE)
        t->a.type = *type;
    return true;
}
