/* ir/text_number.c: the parser's values: integers, elements of each dtype, dims, types, references.
 *
 *   0x1.8p+1  0.1  -inf  nan  nan(0x7fc00001)     floats: exact if hexadecimal, else rounded once to the
 * dtype
 *
 * Integers are checked against the range of their dtype or use; overflow is an error, never a wrap. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Decimal digits at p->at; false without an error if there are none or they exceed max. */
static bool digits(ir_parser *p, uint64_t max, uint64_t *out)
{
    const char *s = p->at;
    uint64_t v = 0;
    if (s == p->end || !is_digit(*s))
        return false;
    for (; s < p->end && is_digit(*s); s++) {
        uint64_t d = (uint64_t)(*s - '0');
        if (v > (max - d) / 10 || d > max)
            return false;
        v = v * 10 + d;
    }
    p->at = s;
    *out = v;
    return true;
}

bool ir_text_u64(ir_parser *p, const char *what, uint64_t max, uint64_t *out)
{
    char text[96];
    ir_text_skip(p);
    if (digits(p, max, out))
        return true;
    snprintf(text, sizeof text, "%s (an integer in 0..%" PRIu64 ")", what, max);
    return ir_text_expected(p, text);
}

bool ir_text_i64(ir_parser *p, const char *what, int64_t min, int64_t max, int64_t *out)
{
    char text[96];
    uint64_t v;
    ir_text_skip(p);
    const char *start = p->at;
    bool negative = start < p->end && *start == '-';
    p->at += negative;
    if (digits(p, negative ? (uint64_t)1 << 63 : INT64_MAX, &v)) {
        int64_t value = (int64_t)(negative ? 0 - v : v);
        if (value >= min && value <= max) {
            *out = value;
            return true;
        }
    }
    p->at = start;
    snprintf(text, sizeof text, "%s (an integer in %" PRId64 "..%" PRId64 ")", what, min, max);
    return ir_text_expected(p, text);
}

/* ---- elements ---------------------------------------------------------------------------------------- */

static size_t number_length(const ir_parser *p)
{
    const char *s = p->at;
    while (s < p->end && (is_digit(*s) || (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
                          (*s && strchr("+-.()_", *s))))
        s++;
    return (size_t)(s - p->at);
}

/* The bits of a float dtype: sign, exponent and fraction from the top. */
typedef struct float_form {
    uint64_t sign, inf, quiet;
    unsigned digits; /* hexadecimal */
} float_form;

static float_form form_of(ir_dtype d)
{
    int width = 8 * (int)ir_dtype_size(d), fraction = d == IR_DT_f16 ? 10 : d == IR_DT_bf16 ? 7 : 23;

    if (d == IR_DT_f64)
        fraction = 52;
    float_form f = {.sign = (uint64_t)1 << (width - 1), .quiet = (uint64_t)1 << (fraction - 1)};
    f.inf = f.sign - 2 * f.quiet;
    f.digits = (unsigned)width / 4;
    return f;
}

/* nan(0xBITS): the bits of a NaN of this width. */
static bool nan_bits(const char *s, const float_form *f, uint64_t *bits)
{
    if (strncmp(s, "nan(0x", 6) != 0)
        return false;
    size_t n = strspn(s + 6, "0123456789abcdefABCDEF");
    if (n == 0 || n > f->digits || strcmp(s + 6 + n, ")") != 0)
        return false;
    *bits = strtoull(s + 6, NULL, 16);
    return (*bits & ~f->sign) > f->inf;
}

/* f32 is read as such; the others through f64 (of 16 bits: hexadecimal, and decimal but for a tie that f64
 * can't tell). */
static bool finite_bits(const ir_parser *p, const char *s, ir_dtype d, uint64_t *bits)
{
    char *end;
    const char *first = s + (*s == '-');
    if (!is_digit(*first) && !(*first == '.' && is_digit(first[1])))
        return false;
    double v = d == IR_DT_f32 ? (double)strtof_l(s, &end, p->locale) : strtod_l(s, &end, p->locale);
    *bits = 0;
    ir_element_set(d, bits, v);
    return *end == 0 && isfinite(ir_element_get(d, bits));
}

static bool float_bits(const ir_parser *p, const char *s, ir_dtype d, uint64_t *bits)
{
    float_form f = form_of(d);
    if (strcmp(s, "nan") == 0)
        *bits = f.inf | f.quiet;
    else if (strcmp(s, "inf") == 0 || strcmp(s, "-inf") == 0)
        *bits = f.inf | (*s == '-' ? f.sign : 0);
    else
        return nan_bits(s, &f, bits) || finite_bits(p, s, d, bits);
    return true;
}

static bool float_element(ir_parser *p, ir_dtype d, uint64_t *bits)
{
    char text[96];
    size_t n = number_length(p);
    if (n < sizeof text) {
        memcpy(text, p->at, n);
        text[n] = 0;
        if (float_bits(p, text, d, bits)) {
            p->at += n;
            return true;
        }
    }
    snprintf(text, sizeof text, "a number of %s", ir_dtype_name(d));
    return ir_text_expected(p, text);
}

static bool bool_element(ir_parser *p, uint64_t *bits)
{
    *bits = ir_text_accept_word(p, "true");
    return *bits || ir_text_accept_word(p, "false") || ir_text_expected(p, "true or false");
}

static bool integer_element(ir_parser *p, ir_dtype d, uint64_t *bits)
{
    int width = 8 * (int)ir_dtype_size(d);
    char what[32];
    int64_t v = 0;

    snprintf(what, sizeof what, "an element of %s", ir_dtype_name(d));
    if (!ir_dtype_is_signed(d))
        return ir_text_u64(p, what, UINT64_MAX >> (64 - width), bits);
    bool ok = ir_text_i64(p, what, INT64_MIN >> (64 - width), INT64_MAX >> (64 - width), &v);
    *bits = (uint64_t)v;
    return ok;
}

bool ir_text_element(ir_parser *p, ir_dtype d, void *out)
{
    uint64_t bits = 0;
    ir_text_skip(p);
    bool ok = d == IR_DT_bool        ? bool_element(p, &bits)
              : ir_dtype_is_float(d) ? float_element(p, d, &bits)
                                     : integer_element(p, d, &bits);
    memcpy(out, &bits, ir_dtype_size(d));
    return ok;
}

/* ---- types and references ---------------------------------------------------------------------------- */

bool ir_text_dim(ir_parser *p, int64_t *out)
{
    const char *s;
    size_t n;
    ir_text_skip(p);
    if (p->at < p->end && (is_digit(*p->at) || *p->at == '-'))
        return ir_text_i64(p, "an extent", 0, INT64_MAX, out);
    if (!ir_text_word(p, "an extent or a symbol", &s, &n))
        return false;
    ir_name *e = ir_arena_name(p->g->arena, s, n);
    int symbol = e ? ir_graph_symbol(p->g, e->text) : -1;
    *out = ~(int64_t)symbol;
    return symbol >= 0 || ir_text_lift(p, p->line);
}

bool ir_text_type(ir_parser *p, ir_type *out)
{
    const char *s;
    size_t n;
    ir_dtype d;
    ir_error inner = {0};
    ir_text_skip(p);
    const char *start = p->at;
    if (!ir_text_word(p, "a type", &s, &n))
        return false;
    if (!ir_dtype_parse(s, n, &d)) {
        p->at = start;
        return ir_text_expected(p, "a dtype");
    }
    if (!ir_text_expect(p, "["))
        return false;
    *out = (ir_type){.dtype = (uint8_t)d};
    while (!ir_text_accept(p, "]")) {
        if (out->rank && !ir_text_expect(p, ","))
            return false;
        if (out->rank == IR_MAX_RANK)
            return ir_text_fail(p, IR_EPARSE, p->line, "a type has at most %d extents", IR_MAX_RANK);
        if (!ir_text_dim(p, &out->dims[out->rank++]))
            return false;
    }
    if (ir_type_check(out, "type", &inner) != IR_OK)
        return ir_text_fail(p, inner.status, p->line, "%s", inner.text);
    return true;
}

bool ir_text_ref(ir_parser *p, ir_ref *out)
{
    uint64_t id;
    ir_name *e;
    if (!ir_text_expect(p, "%"))
        return false;
    const char *start = p->at - 1;
    if (p->at < p->end && is_digit(*p->at)) {
        if (!digits(p, UINT32_MAX, &id) || id >= p->g->count) {
            p->at = start;
            return ir_text_expected(p, "an earlier node");
        }
        *out = (ir_ref)id;
        return true;
    }
    if (!ir_text_name(p, "the name of an earlier node", &e))
        return false;
    *out = e->input != IR_NONE ? e->input : e->local;
    if (*out != IR_NONE)
        return true;
    return ir_text_fail(p, IR_EPARSE, p->line,
                        "expected an earlier node, found '%%%.40s', which is not defined here", e->text);
}
