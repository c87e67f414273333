/* ir/types.c: dtypes, shapes and the first error.
 *
 * A type is a dtype and up to eight dims; its text is "f32[4,n,3]".  Everything here is a pure function of
 * its arguments and allocates nothing. */
#include <stdio.h>
#include <string.h>

#include "ir.h"

/* ---- errors ------------------------------------------------------------------------------------------ */

ir_status ir_fail(ir_error *e, ir_status s, const char *fmt, ...)
{
    if (!e)
        return s;
    if (e->status != IR_OK)
        return e->status;
    va_list args;
    va_start(args, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, args);
    va_end(args);
    e->status = s;
    return s;
}

/* ---- dtypes ------------------------------------------------------------------------------------------ */

enum { CLASS_BOOL, CLASS_INT, CLASS_FLOAT };

static const struct {
    const char *name;
    uint8_t bytes, cls;
    bool is_signed;
} dtypes[IR_DT_COUNT] = {
#define X(name, bytes, ctype, cls) \
    {#name, bytes, CLASS_##cls, CLASS_##cls == CLASS_FLOAT || (ctype) - 1 < (ctype)1},
    IR_DTYPES(X)
#undef X
};

#define X(name, bytes, ctype, cls) _Static_assert(sizeof(ctype) == bytes, #name ": size of its C type");
IR_DTYPES(X)
#undef X
_Static_assert(IR_DT_COUNT <= 32, "sets of dtypes are 32-bit masks");

const char *ir_dtype_name(ir_dtype d)
{
    return (unsigned)d < IR_DT_COUNT ? dtypes[d].name : "?";
}

size_t ir_dtype_size(ir_dtype d)
{
    return (unsigned)d < IR_DT_COUNT ? dtypes[d].bytes : 0;
}

bool ir_dtype_is_float(ir_dtype d)
{
    return (unsigned)d < IR_DT_COUNT && dtypes[d].cls == CLASS_FLOAT;
}

bool ir_dtype_is_half(ir_dtype d)
{
    return (unsigned)d < IR_DT_COUNT && D_HALF >> d & 1;
}

bool ir_dtype_is_signed(ir_dtype d)
{
    return (unsigned)d < IR_DT_COUNT && dtypes[d].is_signed;
}

bool ir_dtype_parse(const char *s, size_t n, ir_dtype *out)
{
    for (int d = 0; d < IR_DT_COUNT; d++)
        if (strlen(dtypes[d].name) == n && memcmp(dtypes[d].name, s, n) == 0) {
            *out = (ir_dtype)d;
            return true;
        }
    return false;
}

/* ---- types ------------------------------------------------------------------------------------------- */

bool ir_shape_eq(const ir_type *a, const ir_type *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) == 0;
}

bool ir_type_eq(const ir_type *a, const ir_type *b)
{
    return a->dtype == b->dtype && ir_shape_eq(a, b);
}

bool ir_type_is_static(const ir_type *t)
{
    for (int i = 0; i < t->rank; i++)
        if (t->dims[i] < 0)
            return false;
    return true;
}

int64_t ir_type_elements(const ir_type *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= t->dims[i];
    return n;
}

size_t ir_type_bytes(const ir_type *t)
{
    return (size_t)ir_type_elements(t) * ir_dtype_size((ir_dtype)t->dtype);
}

/* A rank out of range is kept out of range (255) so that ir_type_check refuses it. */
ir_type ir_type_make(ir_dtype d, int rank, const int64_t *dims)
{
    ir_type t = {.dtype = (uint8_t)d, .rank = (uint8_t)(rank < 0 || rank > IR_MAX_RANK ? UINT8_MAX : rank)};
    if (rank > 0 && rank <= IR_MAX_RANK)
        memcpy(t.dims, dims, (size_t)rank * sizeof *dims);
    return t;
}

ir_type ir_type_with(const ir_type *shape_of, ir_dtype d)
{
    ir_type t = *shape_of;
    t.dtype = (uint8_t)d;
    return t;
}

void ir_type_strides(const ir_type *t, int64_t strides[IR_MAX_RANK])
{
    int64_t step = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        strides[i] = step;
        step *= t->dims[i];
    }
    for (int i = t->rank; i < IR_MAX_RANK; i++)
        strides[i] = 0;
}

ir_status ir_type_check(const ir_type *t, const char *what, ir_error *e)
{
    char text[256];
    if (t->dtype >= IR_DT_COUNT)
        return ir_fail(e, IR_EDTYPE, "%s: there is no dtype %d", what, t->dtype);
    if (t->rank > IR_MAX_RANK)
        return ir_fail(e, IR_ESHAPE, "%s: the rank is not in 0..%d", what, IR_MAX_RANK);
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) {
        int64_t d = t->dims[i];
        if (d == 0)
            return ir_fail(e, IR_ESHAPE, "%s: %s: the extent of axis %d is 0; extents are at least 1", what,
                           ir_type_text(t, NULL, text, sizeof text), i);
        if (d < 0)
            continue;
        if (d > IR_MAX_ELEMENTS / n)
            return ir_fail(e, IR_ESHAPE, "%s: %s has more than 2^40 elements", what,
                           ir_type_text(t, NULL, text, sizeof text));
        n *= d;
    }
    return IR_OK;
}

char *ir_type_text(const ir_type *t, const char *const *symbols, char *buf, size_t size)
{
    int rank = t->rank <= IR_MAX_RANK ? t->rank : 0;
    size_t at = 0;
    /* snprintf keeps counting past the end; `at` stays inside so that the text is cut, never overrun */
#define PUT(...) at += (size_t)snprintf(buf + at, size - at, __VA_ARGS__), at = at < size ? at : size - 1
    if (size == 0)
        return buf;
    PUT("%s[", ir_dtype_name((ir_dtype)t->dtype));
    for (int i = 0; i < rank; i++) {
        const char *comma = i ? "," : "";
        int64_t d = t->dims[i];
        if (d >= 0)
            PUT("%s%lld", comma, (long long)d);
        else if (symbols)
            PUT("%s%s", comma, symbols[~d]);
        else
            PUT("%ss%lld", comma, (long long)~d);
    }
    PUT("]");
#undef PUT
    return buf;
}
