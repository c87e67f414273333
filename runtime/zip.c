/* runtime/zip.c: zip archives: local header, bytes | .. | directory | end.
 *
 * The directory decides: sizes and offsets in local headers are not looked at.  A member may unpack to no
 * more than deflate can hold in its packed bytes, and the members' packed bytes together must fit the file,
 * so a small file can't ask for much memory.  What is written has 64-bit fields throughout and no times: the
 * same tensors give the same bytes.
 * https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT */
#include "runtime/zip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    LOCAL_SIZE = 30,
    CENTRAL_SIZE = 46,
    END_SIZE = 22,
    END64_SIZE = 56,
    LOCATOR_SIZE = 20,
    EXTRA64 = 1,        /* id of the extra field with 64-bit numbers */
    DEFLATE_MOST = 1032 /* bytes out for one byte in, at most */
};
#define SIGN_LOCAL 0x04034b50u
#define SIGN_CENTRAL 0x02014b50u
#define SIGN_END 0x06054b50u
#define SIGN_END64 0x06064b50u
#define SIGN_LOCATOR 0x07064b50u
#define IN_EXTRA 0xffffffffu /* a 32-bit field whose number is in the extra field */

#define u16(at) ((unsigned)rt_get_le(at, 2))
#define u32(at) ((uint32_t)rt_get_le(at, 4))
#define u64(at) rt_get_le(at, 8)

/* ---- reading ----------------------------------------------------------------------------------------- */

typedef struct directory {
    uint64_t at, bytes, count;
} directory;

#define bad(z, ...) (ir_fail((z)->file.e, IR_EPARSE, __VA_ARGS__), false)

/* The 64-bit end record that a locator before the end points to. */
static bool find_end64(rt_zip *z, uint64_t end, directory *d)
{
    uint8_t locator[LOCATOR_SIZE], record[END64_SIZE];

    if (end < LOCATOR_SIZE) {
        return true;
    }
    if (rt_file_read(&z->file, end - LOCATOR_SIZE, locator, LOCATOR_SIZE) != IR_OK) {
        return false;
    }
    if (u32(locator) != SIGN_LOCATOR) {
        return true;
    }
    if (rt_file_read(&z->file, u64(locator + 8), record, END64_SIZE) != IR_OK) {
        return false;
    }
    if (u32(record) != SIGN_END64) {
        return bad(z, "%s: malformed zip: no 64-bit end record", z->file.name);
    }
    *d = (directory){.count = u64(record + 32), .bytes = u64(record + 40), .at = u64(record + 48)};
    return true;
}

/* The end record is the last with a comment that ends with the file. */
static bool find_directory(rt_zip *z, directory *d)
{
    uint8_t tail[END_SIZE + 65535];
    uint64_t size = z->file.size;
    size_t n = size < sizeof tail ? (size_t)size : sizeof tail;

    if (n < END_SIZE) {
        return bad(z, "%s: not a zip file: %llu bytes", z->file.name, (unsigned long long)size);
    }
    if (rt_file_read(&z->file, size - n, tail, n) != IR_OK) {
        return false;
    }
    for (size_t at = n - END_SIZE + 1; at-- > 0;) {
        const uint8_t *end = tail + at;

        if (u32(end) == SIGN_END && u16(end + 20) == n - at - END_SIZE) {
            *d = (directory){.count = u16(end + 10), .bytes = u32(end + 12), .at = u32(end + 16)};
            return find_end64(z, size - n + at, d);
        }
    }
    return bad(z, "%s: not a zip file: no end record", z->file.name);
}

/* Numbers that did not fit 32 bits, from the extra field, in the order of the format. */
static bool widen(rt_zip *z, rt_zip_member *m, const uint8_t *extra, size_t bytes)
{
    uint64_t *const wide[] = {&m->size, &m->packed, &m->header};

    for (size_t at = 0; at + 4 <= bytes;) {
        size_t length = u16(extra + at + 2), used = at + 4;

        if (length > bytes - used) {
            break;
        }
        for (int i = 0; i < 3 && u16(extra + at) == EXTRA64; i++) {
            if (*wide[i] == IN_EXTRA) {
                if (used + 8 > at + 4 + length) {
                    return bad(z, "%s: malformed zip: member '%.64s': no 64-bit size", z->file.name, m->name);
                }
                *wide[i] = u64(extra + used);
                used += 8;
            }
        }
        at += 4 + length;
    }
    return true;
}

static bool check_member(rt_zip *z, const rt_zip_member *m, unsigned flags)
{
    const char *file = z->file.name, *name = m->name;

    if (flags & 1) {
        return bad(z, "%s: member '%.64s' is encrypted", file, name);
    }
    if (m->method != 0 && m->method != Z_DEFLATED) {
        return bad(z, "%s: member '%.64s': compression method %u is not supported", file, name, m->method);
    }
    if (m->header > z->file.size || m->packed > z->file.size - m->header) {
        return bad(z, "%s: member '%.64s' lies past the end of the file", file, name);
    }
    if (m->method == 0 ? m->size != m->packed : m->size / DEFLATE_MOST > m->packed) {
        return bad(z, "%s: member '%.64s': %llu bytes can't be %llu when unpacked", file, name,
                   (unsigned long long)m->packed, (unsigned long long)m->size);
    }
    return true;
}

/* A name as text: in the archive it has a length and no end. */
static char *name_text(const uint8_t *name, size_t length)
{
    char *copy = malloc(length + 1);

    if (copy) {
        memcpy(copy, name, length);
        copy[length] = '\0';
    }
    return copy;
}

/* One central header; returns its size, 0 + error. */
static size_t parse_member(rt_zip *z, const uint8_t *b, size_t left)
{
    rt_zip_member *m = &z->members[z->count];
    size_t name, extra, all;

    if (left < CENTRAL_SIZE || u32(b) != SIGN_CENTRAL) {
        return bad(z, "%s: malformed zip: damaged directory", z->file.name);
    }
    name = u16(b + 28), extra = u16(b + 30);
    all = CENTRAL_SIZE + name + extra + u16(b + 32);
    if (all > left || name == 0 || memchr(b + CENTRAL_SIZE, '\0', name)) {
        return bad(z, "%s: malformed zip: damaged directory", z->file.name);
    }
    *m = (rt_zip_member){.name = name_text(b + CENTRAL_SIZE, name),
                         .method = u16(b + 10),
                         .crc = u32(b + 16),
                         .packed = u32(b + 20),
                         .size = u32(b + 24),
                         .header = u32(b + 42)};
    if (!m->name) {
        ir_fail(z->file.e, IR_ENOMEM, "%s: out of memory", z->file.name);
        return 0;
    }
    z->count++;
    return widen(z, m, b + CENTRAL_SIZE + name, extra) && check_member(z, m, u16(b + 8)) ? all : 0;
}

static bool parse_directory(rt_zip *z, const directory *d, const uint8_t *b)
{
    uint64_t packed = 0;
    size_t at = 0;

    for (uint64_t i = 0; i < d->count; i++) {
        size_t used = parse_member(z, b + at, (size_t)d->bytes - at);

        if (!used) {
            return false;
        }
        at += used;
        packed += z->members[i].packed;
        if (packed > z->file.size) {
            return bad(z, "%s: malformed zip: members overlap", z->file.name);
        }
    }
    return at == d->bytes || bad(z, "%s: malformed zip: damaged directory", z->file.name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool check_names(rt_zip *z)
{
    char **names = malloc(((size_t)z->count + 1) * sizeof *names);
    int twice = -1;

    if (!names) {
        ir_fail(z->file.e, IR_ENOMEM, "%s: out of memory", z->file.name);
        return false;
    }
    for (int i = 0; i < z->count; i++) {
        names[i] = z->members[i].name;
    }
    qsort(names, (size_t)z->count, sizeof *names, by_name);
    for (int i = 1; i < z->count && twice < 0; i++) {
        twice = strcmp(names[i - 1], names[i]) == 0 ? i : -1;
    }
    if (twice >= 0) {
        ir_fail(z->file.e, IR_EPARSE, "%s: member '%.64s' occurs twice", z->file.name, names[twice]);
    }
    free(names);
    return twice < 0;
}

static bool read_directory(rt_zip *z, const directory *d)
{
    uint8_t *b;
    bool ok;

    if (d->at > z->file.size || d->bytes > z->file.size - d->at || d->count > d->bytes / CENTRAL_SIZE) {
        return bad(z, "%s: malformed zip: a directory of %llu members in %llu bytes at %llu", z->file.name,
                   (unsigned long long)d->count, (unsigned long long)d->bytes, (unsigned long long)d->at);
    }
    b = malloc((size_t)d->bytes + 1);
    z->members = calloc((size_t)d->count + 1, sizeof *z->members);
    if (!b || !z->members) {
        ir_fail(z->file.e, IR_ENOMEM, "%s: out of memory", z->file.name);
    }
    ok = b && z->members && rt_file_read(&z->file, d->at, b, (size_t)d->bytes) == IR_OK &&
         parse_directory(z, d, b);
    free(b);
    return ok && check_names(z);
}

ir_status rt_zip_open(rt_zip *z, const char *path, ir_error *e)
{
    directory d;

    *z = (rt_zip){0};
    if (rt_file_open(&z->file, path, e) == IR_OK && (!find_directory(z, &d) || !read_directory(z, &d))) {
        rt_zip_close(z);
    }
    return e->status;
}

/* Exactly `size` bytes from exactly `packed`. */
static bool inflate_all(const uint8_t *from, uint64_t packed, uint8_t *to, uint64_t size)
{
    z_stream s = {0};
    int status = Z_OK;
    const uint64_t most = 1u << 30; /* zlib counts in 32 bits */

    if (inflateInit2(&s, -MAX_WBITS) != Z_OK) {
        return false;
    }
    while (status == Z_OK) {
        s.next_in = (Bytef *)(uintptr_t)from, s.next_out = to;
        s.avail_in = (uInt)(packed < most ? packed : most);
        s.avail_out = (uInt)(size < most ? size : most);
        status = inflate(&s, Z_NO_FLUSH);
        packed -= (uint64_t)(s.next_in - from), size -= (uint64_t)(s.next_out - to);
        from = s.next_in, to = s.next_out;
    }
    inflateEnd(&s);
    return status == Z_STREAM_END && packed == 0 && size == 0;
}

/* Where the member's bytes begin; 0 + error. */
static uint64_t data_of(const rt_zip *z, const rt_zip_member *m)
{
    uint8_t local[LOCAL_SIZE];
    uint64_t at = m->header + LOCAL_SIZE;

    if (rt_file_read(&z->file, m->header, local, LOCAL_SIZE) != IR_OK) {
        return 0;
    }
    at += u16(local + 26) + u16(local + 28);
    if (u32(local) != SIGN_LOCAL || at > z->file.size || m->packed > z->file.size - at) {
        return bad(z, "%s: malformed zip: member '%.64s' has no header", z->file.name, m->name);
    }
    return at;
}

void *rt_zip_extract(const rt_zip *z, const rt_zip_member *m)
{
    uint64_t at = data_of(z, m);
    uint8_t *packed = at ? malloc(m->packed + 1) : NULL, *out = packed;

    if (at && m->method == Z_DEFLATED) {
        out = malloc(m->size + 1);
    }
    if (at && (!packed || !out)) {
        ir_fail(z->file.e, IR_ENOMEM, "%s: member '%.64s': out of memory", z->file.name, m->name);
    }
    bool ok = packed && out && rt_file_read(&z->file, at, packed, m->packed) == IR_OK;
    if (ok && ((out != packed && !inflate_all(packed, m->packed, out, m->size)) ||
               crc32_z(0, out, m->size) != m->crc)) {
        ok = bad(z, "%s: member '%.64s' is damaged", z->file.name, m->name);
    }
    if (out != packed) {
        free(packed);
    }
    if (!ok) {
        free(out);
    }
    return ok ? out : NULL;
}

void rt_zip_close(rt_zip *z)
{
    for (int i = 0; i < z->count; i++) {
        free(z->members[i].name);
    }
    free(z->members);
    rt_file_close(&z->file);
    *z = (rt_zip){.file.fd = -1};
}

/* ---- writing ----------------------------------------------------------------------------------------- */

enum {
    VERSION = 45,
    UTF8 = 1 << 11,
    DATE = 1 << 5 | 1 /* 1980-01-01 */,
    EXTRA_LOCAL = 20,
    EXTRA_CENTRAL = 28
};

/* The fields that local and central headers share, from "version needed" to "extra length": 26 bytes. */
static void shared_fields(uint8_t *b, uint32_t crc, size_t name, int extra)
{
    memset(b, 0, 26);
    rt_put_le(b, VERSION, 2);
    rt_put_le(b + 2, UTF8, 2);
    rt_put_le(b + 8, DATE, 2);
    rt_put_le(b + 10, crc, 4);
    rt_put_le(b + 14, IN_EXTRA, 4);
    rt_put_le(b + 18, IN_EXTRA, 4);
    rt_put_le(b + 22, name, 2);
    rt_put_le(b + 24, (uint64_t)extra, 2);
}

static void extra_fields(uint8_t *b, uint64_t size, int bytes)
{
    rt_put_le(b, EXTRA64, 2);
    rt_put_le(b + 2, (uint64_t)bytes - 4, 2);
    rt_put_le(b + 4, size, 8);
    rt_put_le(b + 12, size, 8);
}

static void write_local(rt_zip_writer *z, const char *name, uint32_t crc, uint64_t size)
{
    uint8_t b[LOCAL_SIZE], extra[EXTRA_LOCAL];

    rt_put_le(b, SIGN_LOCAL, 4);
    shared_fields(b + 4, crc, strlen(name), EXTRA_LOCAL);
    extra_fields(extra, size, EXTRA_LOCAL);
    rt_new_file_write(z->w, b, LOCAL_SIZE);
    rt_new_file_write(z->w, name, strlen(name));
    rt_new_file_write(z->w, extra, EXTRA_LOCAL);
}

/* Appends the member's line to the directory. */
static void note_central(rt_zip_writer *z, const char *name, uint32_t crc, uint64_t size, uint64_t at)
{
    size_t length = strlen(name), all = CENTRAL_SIZE + length + EXTRA_CENTRAL;

    if (z->bytes + all > z->room) {
        size_t room = 2 * z->room + all;
        uint8_t *more = realloc(z->directory, room);

        if (!more) {
            ir_fail(z->w->e, IR_ENOMEM, "%s: out of memory", z->w->path);
            return;
        }
        z->directory = more;
        z->room = room;
    }
    uint8_t *b = z->directory + z->bytes;
    memset(b, 0, CENTRAL_SIZE);
    rt_put_le(b, SIGN_CENTRAL, 4);
    rt_put_le(b + 4, VERSION, 2);
    shared_fields(b + 6, crc, length, EXTRA_CENTRAL);
    rt_put_le(b + 42, IN_EXTRA, 4);
    memcpy(b + CENTRAL_SIZE, name, length);
    extra_fields(b + CENTRAL_SIZE + length, size, EXTRA_CENTRAL);
    rt_put_le(b + CENTRAL_SIZE + length + 20, at, 8);
    z->bytes += all;
    z->count++;
}

void rt_zip_add(rt_zip_writer *z, const char *name, const void *head, size_t head_size, const void *body,
                size_t body_size)
{
    uint64_t at = z->w->size, size = (uint64_t)head_size + body_size;
    uint32_t crc = (uint32_t)crc32_z(crc32_z(0, head, head_size), body, body_size);

    if (strlen(name) > UINT16_MAX) {
        ir_fail(z->w->e, IR_EARG, "%s: the name '%.32s..' is too long", z->w->path, name);
        return;
    }
    write_local(z, name, crc, size);
    rt_new_file_write(z->w, head, head_size);
    rt_new_file_write(z->w, body, body_size);
    note_central(z, name, crc, size, at);
}

void rt_zip_finish(rt_zip_writer *z)
{
    uint64_t at = z->w->size, end64 = at + z->bytes;
    uint8_t b[END64_SIZE + LOCATOR_SIZE + END_SIZE] = {0}, *locator = b + END64_SIZE,
                                          *end = locator + LOCATOR_SIZE;

    rt_put_le(b, SIGN_END64, 4);
    rt_put_le(b + 4, END64_SIZE - 12, 8);
    rt_put_le(b + 12, VERSION, 2);
    rt_put_le(b + 14, VERSION, 2);
    rt_put_le(b + 24, z->count, 8);
    rt_put_le(b + 32, z->count, 8);
    rt_put_le(b + 40, z->bytes, 8);
    rt_put_le(b + 48, at, 8);
    rt_put_le(locator, SIGN_LOCATOR, 4);
    rt_put_le(locator + 8, end64, 8);
    rt_put_le(locator + 16, 1, 4);
    rt_put_le(end, SIGN_END, 4);
    rt_put_le(end + 8, 0xffff, 2);
    rt_put_le(end + 10, 0xffff, 2);
    rt_put_le(end + 12, IN_EXTRA, 4);
    rt_put_le(end + 16, IN_EXTRA, 4);
    rt_new_file_write(z->w, z->directory, z->bytes);
    rt_new_file_write(z->w, b, sizeof b);
    free(z->directory);
    *z = (rt_zip_writer){0};
}
