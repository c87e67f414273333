/* runtime/safetensors.c: .safetensors files.
 *
 *   u64 n | n bytes of JSON | data
 *   {"__metadata__": {"key": "text"}, "w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ..}
 *
 * Offsets count from the end of the JSON.  As the format demands, the tensors cover the data without gap or
 * overlap; a file is refused, by the name of what is wrong, before anything is allocated by its numbers.
 * Written files put dtypes of many bytes first and begin the data at a multiple of 64, so that every tensor
 * is aligned for its dtype.
 * https://github.com/huggingface/safetensors#format */
#include "runtime/archive.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADER ((uint64_t)100000000) /* the limit of the format's own implementation */
#define METADATA "__metadata__"

/* A dtype's name there is ours in capitals: f32, F32. */
static void dtype_text(ir_dtype d, char text[16])
{
    const char *name = ir_dtype_name(d);
    int i;

    for (i = 0; i < 15 && name[i]; i++) {
        text[i] = (char)toupper((unsigned char)name[i]);
    }
    text[i] = '\0';
}

static bool dtype_parse(const char *text, uint8_t *d)
{
    char name[16];

    for (int i = 0; i < IR_DT_COUNT; i++) {
        dtype_text((ir_dtype)i, name);
        if (!strcmp(name, text)) {
            *d = (uint8_t)i;
            return true;
        }
    }
    return false;
}

/* ---- reading ----------------------------------------------------------------------------------------- */

typedef struct member {
    const char *name; /* the JSON's */
    ir_type type;
    uint64_t begin, end;
} member;

typedef struct reader {
    rt_file file;
    json_t *header;
    uint64_t data; /* where it begins */
    member *members;
    int count;
} reader;

#define fail(r, s, m, ...) member_fail(r, s, m, __VA_ARGS__)

__attribute__((format(printf, 4, 5))) static bool member_fail(reader *r, ir_status s, const member *m,
                                                              const char *fmt, ...)
{
    char why[200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    ir_fail(r->file.e, s, "%s: tensor '%.64s': %s", r->file.name, m->name, why);
    return false;
}

static bool read_header(reader *r)
{
    uint8_t length[8];
    json_error_t why;
    uint64_t n;
    char *text;

    if (r->file.size < 8) {
        ir_fail(r->file.e, IR_EPARSE, "%s: not a safetensors file: %llu bytes", r->file.name,
                (unsigned long long)r->file.size);
        return false;
    }
    if (rt_file_read(&r->file, 0, length, 8) != IR_OK) {
        return false;
    }
    n = rt_get_le(length, 8);
    if (n > MAX_HEADER || n > r->file.size - 8) {
        ir_fail(r->file.e, IR_EPARSE, "%s: a header of %llu bytes in a file of %llu", r->file.name,
                (unsigned long long)n, (unsigned long long)r->file.size);
        return false;
    }
    text = malloc(n + 1);
    if (!text) {
        ir_fail(r->file.e, IR_ENOMEM, "%s: out of memory (%llu bytes)", r->file.name, (unsigned long long)n);
        return false;
    }
    if (rt_file_read(&r->file, 8, text, n) == IR_OK) {
        r->header = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
        r->data = 8 + n;
    }
    free(text);
    if (!r->header) {
        ir_fail(r->file.e, json_error_code(&why) == json_error_out_of_memory ? IR_ENOMEM : IR_EPARSE,
                "%s: malformed header: %.100s at byte %d", r->file.name, why.text, why.position);
        return false;
    }
    if (!json_is_object(r->header)) {
        ir_fail(r->file.e, IR_EPARSE, "%s: malformed header: not an object", r->file.name);
    }
    return json_is_object(r->header);
}

static bool read_metadata(reader *r, tdm_archive *a, json_t *notes)
{
    const char *key;
    json_t *text;

    if (!json_is_object(notes)) {
        ir_fail(r->file.e, IR_EPARSE, "%s: %s is not an object", r->file.name, METADATA);
        return false;
    }
    json_object_foreach(notes, key, text)
    {
        if (!json_is_string(text)) {
            ir_fail(r->file.e, IR_EPARSE, "%s: %s: '%.64s' is not a string", r->file.name, METADATA, key);
            return false;
        }
        if (rt_archive_note(a, key, json_string_value(text)) != IR_OK) {
            return false;
        }
    }
    return true;
}

static bool parse_shape(reader *r, member *m, json_t *shape)
{
    ir_error e = {0};

    if (!json_is_array(shape)) {
        return fail(r, IR_EPARSE, m, "no shape");
    }
    if (json_array_size(shape) > IR_MAX_RANK) {
        return fail(r, IR_ESHAPE, m, "%zu dims, at most %d are supported", json_array_size(shape),
                    IR_MAX_RANK);
    }
    for (size_t i = 0; i < json_array_size(shape); i++) {
        json_t *d = json_array_get(shape, i);

        if (!json_is_integer(d) || json_integer_value(d) < 0) {
            return fail(r, IR_EPARSE, m, "dim %zu is not a number from 0 up", i);
        }
        m->type.dims[m->type.rank++] = json_integer_value(d);
    }
    return ir_type_check(&m->type, "shape", &e) == IR_OK || fail(r, e.status, m, "%.160s", e.text);
}

static bool parse_offset(json_t *offsets, size_t i, uint64_t *to)
{
    json_t *v = json_array_get(offsets, i);

    *to = (uint64_t)json_integer_value(v);
    return json_is_integer(v) && json_integer_value(v) >= 0;
}

static bool parse_offsets(reader *r, member *m, json_t *offsets)
{
    uint64_t room = r->file.size - r->data;
    size_t want = ir_type_bytes(&m->type);

    if (!json_is_array(offsets) || json_array_size(offsets) != 2 || !parse_offset(offsets, 0, &m->begin) ||
        !parse_offset(offsets, 1, &m->end)) {
        return fail(r, IR_EPARSE, m, "data_offsets are not two numbers from 0 up");
    }
    if (m->begin > m->end || m->end > room) {
        return fail(r, IR_EPARSE, m, "data_offsets [%llu, %llu] don't lie in the file's %llu bytes of data",
                    (unsigned long long)m->begin, (unsigned long long)m->end, (unsigned long long)room);
    }
    if (m->end - m->begin != want) {
        return fail(r, IR_EPARSE, m, "the shape needs %zu bytes, data_offsets give %llu", want,
                    (unsigned long long)(m->end - m->begin));
    }
    return true;
}

static bool parse_member(reader *r, member *m, json_t *entry)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));

    if (!m->name[0]) {
        return fail(r, IR_EPARSE, m, "no name");
    }
    if (!dtype) {
        return fail(r, IR_EPARSE, m, "no dtype");
    }
    if (!dtype_parse(dtype, &m->type.dtype)) {
        return fail(r, IR_EDTYPE, m, "dtype '%.32s' is not supported", dtype);
    }
    return parse_shape(r, m, json_object_get(entry, "shape")) &&
           parse_offsets(r, m, json_object_get(entry, "data_offsets"));
}

static int by_begin(const void *a, const void *b)
{
    const member *x = *(member *const *)a, *z = *(member *const *)b;

    return x->begin != z->begin ? (x->begin < z->begin ? -1 : 1) : 0;
}

/* Every byte of data belongs to exactly one tensor. */
static bool check_cover(reader *r)
{
    member **sorted = malloc(((size_t)r->count + 1) * sizeof *sorted), end = {.name = "the end of the file"};
    uint64_t at = 0;
    bool ok = true;

    if (!sorted) {
        ir_fail(r->file.e, IR_ENOMEM, "%s: out of memory", r->file.name);
        return false;
    }
    for (int i = 0; i < r->count; i++) {
        sorted[i] = &r->members[i];
    }
    qsort(sorted, (size_t)r->count, sizeof *sorted, by_begin);
    end.begin = end.end = r->file.size - r->data;
    sorted[r->count] = &end;
    for (int i = 0; i <= r->count && ok; i++) {
        if (sorted[i]->begin != at) {
            ir_fail(r->file.e, IR_EPARSE, "%s: %s of data before %s%.64s%s", r->file.name,
                    sorted[i]->begin < at ? "an overlap" : "a gap", i < r->count ? "tensor '" : "",
                    sorted[i]->name, i < r->count ? "'" : "");
            ok = false;
        }
        at = sorted[i]->end;
    }
    free(sorted);
    return ok;
}

static bool parse_members(reader *r, tdm_archive *a)
{
    const char *key;
    json_t *entry;

    r->members = calloc(json_object_size(r->header) + 1, sizeof *r->members);
    if (!r->members) {
        ir_fail(r->file.e, IR_ENOMEM, "%s: out of memory", r->file.name);
        return false;
    }
    json_object_foreach(r->header, key, entry)
    {
        member *m = &r->members[r->count];

        if (!strcmp(key, METADATA)) {
            if (!read_metadata(r, a, entry)) {
                return false;
            }
            continue;
        }
        *m = (member){.name = key};
        if (!parse_member(r, m, entry)) {
            return false;
        }
        r->count++;
    }
    return check_cover(r);
}

/* Other bytes than 0 and 1 would not be bools to us. */
static void clean_bools(tdm_tensor *t)
{
    uint8_t *b = t->a.data;

    for (size_t i = 0; t->a.type.dtype == IR_DT_bool && i < t->storage->bytes; i++) {
        b[i] = b[i] != 0;
    }
}

/* Straight from the file into the tensor's memory. */
static bool read_data(reader *r, tdm_archive *a)
{
    for (int i = 0; i < r->count; i++) {
        member *m = &r->members[i];
        tdm_tensor *t = rt_archive_new_tensor(a, r->file.name, m->name, &m->type);

        if (!t || rt_file_read(&r->file, r->data + m->begin, t->a.data, m->end - m->begin) != IR_OK) {
            return false;
        }
        clean_bools(t);
    }
    return true;
}

ir_status rt_safetensors_read(tdm_archive *a, const char *path)
{
    reader r = {0};

    if (rt_file_open(&r.file, path, &a->c->error) != IR_OK) {
        return a->c->error.status;
    }
    bool ok = read_header(&r) && parse_members(&r, a) && read_data(&r, a);
    json_decref(r.header);
    free(r.members);
    rt_file_close(&r.file);
    return ok ? IR_OK : a->c->error.status;
}

/* ---- writing ----------------------------------------------------------------------------------------- */

static json_t *entry_of(const ir_type *t, uint64_t begin)
{
    char dtype[16];
    json_t *shape = json_array();

    for (int i = 0; i < t->rank; i++) {
        json_array_append_new(shape, json_integer(t->dims[i]));
    }
    dtype_text((ir_dtype)t->dtype, dtype);
    return json_pack("{s:s,s:o,s:[I,I]}", "dtype", dtype, "shape", shape, "data_offsets", (json_int_t)begin,
                     (json_int_t)(begin + ir_type_bytes(t)));
}

/* order[k]: the k-th tensor of the data: wide dtypes first, else as they were added. */
static void order_members(const tdm_archive *a, int *order)
{
    int n = 0;

    for (size_t size = 16; size > 0; size /= 2) {
        for (int i = 0; i < a->count; i++) {
            if (ir_dtype_size((ir_dtype)a->tensors[i].tensor->a.type.dtype) == size) {
                order[n++] = i;
            }
        }
    }
}

static bool add_metadata(const tdm_archive *a, json_t *header)
{
    json_t *notes = json_object();

    if (json_object_set_new(header, METADATA, notes) != 0) {
        return false;
    }
    for (int i = 0; i < a->note_count; i++) {
        if (json_object_set_new(notes, a->notes[i].key, json_string(a->notes[i].text)) != 0) {
            return false;
        }
    }
    return true;
}

/* The header's text in the archive's order; NULL: memory or a name that is not UTF-8. */
static char *header_text(const tdm_archive *a, const int *order)
{
    json_t *header = json_object();
    uint64_t *begin = malloc(((size_t)a->count + 1) * sizeof *begin), at = 0;
    bool ok = header && begin && (a->note_count == 0 || add_metadata(a, header));
    char *text;

    for (int k = 0; k < a->count && ok; k++) {
        begin[order[k]] = at;
        at += ir_type_bytes(&a->tensors[order[k]].tensor->a.type);
    }
    for (int i = 0; i < a->count && ok; i++) {
        ok = json_object_set_new(header, a->tensors[i].name,
                                 entry_of(&a->tensors[i].tensor->a.type, begin[i])) == 0;
    }
    text = ok ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    free(begin);
    return text;
}

static void write_header(rt_new_file *w, const char *text)
{
    static const char spaces[64] = "                                                               ";
    size_t length = strlen(text), padded = (8 + length + 63) / 64 * 64 - 8;
    uint8_t n[8];

    rt_put_le(n, padded, 8);
    rt_new_file_write(w, n, 8);
    rt_new_file_write(w, text, length);
    while (length < padded) {
        size_t some = padded - length < 63 ? padded - length : 63;

        rt_new_file_write(w, spaces, some);
        length += some;
    }
}

static void write_data(rt_new_file *w, const tdm_archive *a, const int *order)
{
    for (int k = 0; k < a->count && w->e->status == IR_OK; k++) {
        tdm_tensor *t = a->tensors[order[k]].tensor;

        rt_scope_open(a->c);
        const tdm_tensor *flat = rt_contiguous(t);
        if (flat) {
            rt_new_file_write(w, flat->a.data, ir_type_bytes(&flat->a.type));
        }
        rt_scope_close(a->c);
    }
}

ir_status rt_safetensors_write(const tdm_archive *a, const char *path)
{
    ir_error *e = &a->c->error;
    int *order = malloc(((size_t)a->count + 1) * sizeof *order);
    char *text = NULL;
    rt_new_file w;

    if (order) {
        order_members(a, order);
        text = header_text(a, order);
    }
    if (!text) {
        ir_fail(e, order ? IR_EARG : IR_ENOMEM, "%s: %s", path,
                order ? "a name or text is not UTF-8" : "out of memory");
    } else if (rt_new_file_open(&w, path, e) == IR_OK) {
        write_header(&w, text);
        write_data(&w, a, order);
        rt_new_file_close(&w, true);
    }
    free(text);
    free(order);
    return e->status;
}
