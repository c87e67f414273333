/* runtime/npy.c: NumPy's .npy files.
 *
 *   "\x93NUMPY" version length {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } data
 *
 * Versions 1.0 (16-bit length) and 2.0 (32-bit).  The header is a Python dict literal with exactly these
 * keys, in any order; anything else is refused by name.  Fortran order becomes row-major.  Little-endian
 * only.  NumPy has no bf16: it is written as ml_dtypes does, as raw elements of 2 bytes ('|V2'), and such are
 * read as bf16.  The data must be exactly as long as the shape says.
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#include "runtime/npy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "\x93NUMPY"
#define MAGIC_SIZE ((size_t)6)
#define MAX_HEADER ((size_t)1 << 16)

static const char *const descr[IR_DT_COUNT] = {
    [IR_DT_bool] = "|b1", [IR_DT_u8] = "|u1",  [IR_DT_u16] = "<u2", [IR_DT_u32] = "<u4", [IR_DT_u64] = "<u8",
    [IR_DT_i8] = "|i1",   [IR_DT_i16] = "<i2", [IR_DT_i32] = "<i4", [IR_DT_i64] = "<i8", [IR_DT_f16] = "<f2",
    [IR_DT_bf16] = "|V2", [IR_DT_f32] = "<f4", [IR_DT_f64] = "<f8",
};

typedef struct reader {
    const char *p, *end; /* rest of the header */
    const char *name;    /* of the file, for messages */
    ir_error *e;
    ir_type type;
    bool fortran;
    unsigned seen; /* keys: 1 descr, 2 fortran_order, 4 shape */
} reader;

#define fail(r, ...) ir_fail((r)->e, IR_EPARSE, __VA_ARGS__)

/* ---- the header -------------------------------------------------------------------------------------- */

static void space(reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t')) {
        r->p++;
    }
}

static bool accept(reader *r, char c)
{
    space(r);
    if (r->p < r->end && *r->p == c) {
        r->p++;
        return true;
    }
    return false;
}

static bool expect(reader *r, char c)
{
    if (accept(r, c)) {
        return true;
    }
    fail(r, "%s: malformed header: '%c' expected", r->name, c);
    return false;
}

/* A quoted string without escapes into buf; false + error. */
static bool string(reader *r, char *buf, size_t size)
{
    char quote;
    size_t n = 0;

    space(r);
    if (r->p == r->end || (*r->p != '\'' && *r->p != '"')) {
        fail(r, "%s: malformed header: a quoted string expected", r->name);
        return false;
    }
    for (quote = *r->p++; r->p < r->end && *r->p != quote; r->p++) {
        if (n + 1 >= size || *r->p < ' ' || *r->p > '~' || *r->p == '\\') {
            fail(r, "%s: malformed header: bad string", r->name);
            return false;
        }
        buf[n++] = *r->p;
    }
    buf[n] = '\0';
    return expect(r, quote);
}

static bool parse_descr(reader *r)
{
    char s[64];

    space(r);
    if (r->p < r->end && *r->p == '[') {
        fail(r, "%s: records are not supported", r->name);
        return false;
    }
    if (!string(r, s, sizeof s)) {
        return false;
    }
    for (int d = 0; d < IR_DT_COUNT; d++) {
        if (!strcmp(s, descr[d]) || (descr[d][0] == '|' && s[0] == '<' && !strcmp(s + 1, descr[d] + 1))) {
            r->type.dtype = (uint8_t)d;
            return true;
        }
    }
    ir_fail(r->e, IR_EDTYPE, "%s: dtype '%s' is not supported%s", r->name, s,
            s[0] == '>' ? " (big-endian)" : "");
    return false;
}

static bool parse_order(reader *r)
{
    space(r);
    if (r->end - r->p >= 4 && !memcmp(r->p, "True", 4)) {
        r->fortran = true;
        r->p += 4;
        return true;
    }
    if (r->end - r->p >= 5 && !memcmp(r->p, "False", 5)) {
        r->p += 5;
        return true;
    }
    fail(r, "%s: malformed header: fortran_order is neither True nor False", r->name);
    return false;
}

static bool parse_dim(reader *r)
{
    int64_t v = 0;
    const char *start = r->p;

    if (r->type.rank == IR_MAX_RANK) {
        ir_fail(r->e, IR_ESHAPE, "%s: more than %d dims", r->name, IR_MAX_RANK);
        return false;
    }
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9') {
        v = v * 10 + (*r->p++ - '0');
        if (v > IR_MAX_ELEMENTS) {
            ir_fail(r->e, IR_ESHAPE, "%s: a dim is too large", r->name);
            return false;
        }
    }
    if (r->p == start) {
        fail(r, "%s: malformed header: a dim expected", r->name);
        return false;
    }
    if (v == 0) {
        ir_fail(r->e, IR_ESHAPE, "%s: dim %d is 0: empty arrays are not supported", r->name, r->type.rank);
        return false;
    }
    r->type.dims[r->type.rank++] = v;
    return true;
}

/* "()", "(3,)", "(2, 3)" or "(2, 3,)" */
static bool parse_shape(reader *r)
{
    if (!expect(r, '(')) {
        return false;
    }
    while (!accept(r, ')')) {
        bool first = r->type.rank == 0;

        if (!parse_dim(r)) {
            return false;
        }
        if (!accept(r, ',')) {
            if (first) {
                return expect(r, ','); /* "(3)" is a number in Python, not a shape */
            }
            return expect(r, ')');
        }
    }
    return true;
}

static bool parse_entry(reader *r)
{
    static const struct {
        const char *key;
        bool (*parse)(reader *r);
    } entries[] = {{"descr", parse_descr}, {"fortran_order", parse_order}, {"shape", parse_shape}};
    char key[64];

    if (!string(r, key, sizeof key) || !expect(r, ':')) {
        return false;
    }
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(key, entries[i].key) != 0) {
            continue;
        }
        if (r->seen >> i & 1) {
            break;
        }
        r->seen |= 1u << i;
        return entries[i].parse(r);
    }
    fail(r, "%s: malformed header: unexpected key '%s'", r->name, key);
    return false;
}

static bool parse_header(reader *r)
{
    if (!expect(r, '{')) {
        return false;
    }
    while (!accept(r, '}')) {
        if (!parse_entry(r)) {
            return false;
        }
        if (!accept(r, ',')) {
            if (!expect(r, '}')) {
                return false;
            }
            break;
        }
    }
    space(r);
    if (r->p != r->end) {
        fail(r, "%s: malformed header: text after the dict", r->name);
        return false;
    }
    if (r->seen != 7) {
        fail(r, "%s: malformed header: no %s", r->name,
             !(r->seen & 1) ? "descr"
             : r->seen & 2  ? "shape"
                            : "fortran_order");
        return false;
    }
    return ir_type_check(&r->type, r->name, r->e) == IR_OK;
}

/* ---- reading ----------------------------------------------------------------------------------------- */

/* Sets r->p, r->end to the header; returns the offset of the data, 0 + error. */
static size_t frame(reader *r, const uint8_t *b, size_t size)
{
    size_t length, at;

    if (size < MAGIC_SIZE + 2 || memcmp(b, MAGIC, MAGIC_SIZE) != 0) {
        fail(r, "%s: not an .npy file", r->name);
        return 0;
    }
    if ((b[6] != 1 && b[6] != 2) || b[7] != 0) {
        fail(r, "%s: .npy version %d.%d is not supported", r->name, b[6], b[7]);
        return 0;
    }
    at = b[6] == 1 ? 10 : 12;
    if (size < at) {
        fail(r, "%s: truncated header", r->name);
        return 0;
    }
    length = b[8] | (size_t)b[9] << 8;
    if (b[6] == 2) {
        length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    }
    if (length > MAX_HEADER || length > size - at) {
        fail(r,
             length > MAX_HEADER ? "%s: a header of %zu bytes is too long"
                                 : "%s: truncated header of %zu bytes",
             r->name, length);
        return 0;
    }
    r->p = (const char *)b + at;
    r->end = r->p + length;
    return at + length;
}

/* Column-major src to row-major dst: an odometer over dst's indices. */
static void to_row_major(const ir_type *t, const char *src, char *dst)
{
    int64_t stride[IR_MAX_RANK], index[IR_MAX_RANK] = {0}, at = 0, count = ir_type_elements(t);
    size_t size = ir_dtype_size(t->dtype);

    for (int i = 0; i < t->rank; i++) {
        stride[i] = i ? stride[i - 1] * t->dims[i - 1] : 1;
    }
    for (int64_t k = 0; k < count; k++, dst += size) {
        memcpy(dst, src + at * (int64_t)size, size);
        for (int i = t->rank - 1; i >= 0; i--) {
            at += stride[i];
            if (++index[i] < t->dims[i]) {
                break;
            }
            at -= stride[i] * t->dims[i];
            index[i] = 0;
        }
    }
}

ir_status rt_npy_parse(const void *bytes, size_t size, const char *name, ir_type *type, void **data,
                       ir_error *e)
{
    reader r = {.name = name, .e = e};
    size_t at = frame(&r, bytes, size), want;

    if (!at || !parse_header(&r)) {
        return e->status;
    }
    want = ir_type_bytes(&r.type);
    if (size - at != want) {
        return fail(&r, "%s: %s: the shape needs %zu bytes of data, the file has %zu", name,
                    size - at < want ? "truncated" : "trailing data", want, size - at);
    }
    *data = calloc(1, want);
    if (!*data) {
        return ir_fail(e, IR_ENOMEM, "%s: out of memory: %zu bytes", name, want);
    }
    if (r.fortran && r.type.rank > 1) {
        to_row_major(&r.type, (const char *)bytes + at, *data);
    } else {
        memcpy(*data, (const char *)bytes + at, want);
    }
    if (r.type.dtype == IR_DT_bool) { /* other bytes than 0 and 1 would not be bools to us */
        for (size_t i = 0; i < want; i++) {
            ((uint8_t *)*data)[i] = ((uint8_t *)*data)[i] != 0;
        }
    }
    *type = r.type;
    return IR_OK;
}

/* The whole of f, which may be a pipe; NULL + error. */
static void *slurp(FILE *f, const char *path, size_t *size, ir_error *e)
{
    size_t capacity = 1 << 16, n = 0;
    char *buf = malloc(capacity);

    while (buf) {
        n += fread(buf + n, 1, capacity - n, f);
        if (n < capacity) {
            break;
        }
        char *more = capacity > SIZE_MAX / 2 ? NULL : realloc(buf, capacity *= 2);

        if (!more) {
            free(buf);
        }
        buf = more;
    }
    if (!buf) {
        ir_fail(e, IR_ENOMEM, "%s: out of memory", path);
        return NULL;
    }
    if (ferror(f)) {
        free(buf);
        ir_fail(e, IR_EIO, "%s: can't read: %s", path, strerror(errno));
        return NULL;
    }
    *size = n;
    return buf;
}

ir_status rt_npy_read(const char *path, ir_type *type, void **data, ir_error *e)
{
    FILE *f = fopen(path, "rb");
    size_t size = 0;
    void *bytes;
    ir_status s;

    if (!f) {
        return ir_fail(e, IR_EIO, "%s: can't open: %s", path, strerror(errno));
    }
    bytes = slurp(f, path, &size, e);
    fclose(f);
    if (!bytes) {
        return e->status;
    }
    s = rt_npy_parse(bytes, size, path, type, data, e);
    free(bytes);
    return s;
}

/* ---- writing ----------------------------------------------------------------------------------------- */

size_t rt_npy_header(const ir_type *t, char buf[512])
{
    int n = snprintf(buf + 10, 400, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr[t->dtype]);
    size_t length, total;

    for (int i = 0; i < t->rank; i++) {
        n += snprintf(buf + 10 + n, 400 - (size_t)n, "%lld%s", (long long)t->dims[i],
                      t->rank == 1 || i + 1 < t->rank ? ", " : "");
    }
    n += snprintf(buf + 10 + n, 400 - (size_t)n, "), }");
    total = (10 + (size_t)n + 1 + 63) / 64 * 64;
    memset(buf + 10 + n, ' ', total - 11 - (size_t)n);
    buf[total - 1] = '\n';
    length = total - 10;
    memcpy(buf, MAGIC "\x01", 7);
    buf[7] = 0;
    buf[8] = (char)(length & 0xff);
    buf[9] = (char)(length >> 8);
    return total;
}

ir_status rt_npy_write(const char *path, const ir_type *type, const void *data, ir_error *e)
{
    char buf[512];
    size_t bytes, total;
    FILE *f;
    bool ok;

    if (ir_type_check(type, path, e)) {
        return e->status;
    }
    if (!ir_type_is_static(type)) {
        return ir_fail(e, IR_ESHAPE, "%s: symbolic dims can't be written", path);
    }
    bytes = ir_type_bytes(type);
    total = rt_npy_header(type, buf);
    f = fopen(path, "wb");
    if (!f) {
        return ir_fail(e, IR_EIO, "%s: can't create: %s", path, strerror(errno));
    }
    ok = fwrite(buf, 1, total, f) == total && fwrite(data, 1, bytes, f) == bytes;
    ok = fclose(f) == 0 && ok;
    return ok ? IR_OK : ir_fail(e, IR_EIO, "%s: can't write: %s", path, strerror(errno));
}
