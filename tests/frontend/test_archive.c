/* Archives on disk: what goes into a .safetensors or .npz file comes back, hostile files are refused by the
 * name of what is wrong, any damage at all is survived, and a failed save leaves the former file. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/frontend/lib_frontend.h"

static char folder[] = "/tmp/test_archive_XXXXXX";
static char where[512];

/* folder/NAME */
static const char *file(const char *name)
{
    snprintf(where, sizeof where, "%s/%s", folder, name);
    return where;
}

static void put(const char *path, const void *bytes, size_t n)
{
    unlink(path); /* some file systems wait for the disk when a file is cut and closed */
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static uint8_t *get(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    uint8_t *b = malloc(1 << 16);
    assert_non_null(b);
    *n = fread(b, 1, 1 << 16, f);
    assert_true(*n < 1 << 16);
    fclose(f);
    return b;
}

/* ---- round trips -------------------------------------------------------------------------------------- */

static tdm_tensor *pattern(tdm_context *ctx, int d, tdm_dims shape)
{
    int64_t bytes = (int64_t)tdm_dtype_size((tdm_dtype)d);
    for (int i = 0; i < shape.rank; i++)
        bytes *= shape.dims[i];
    uint8_t *b = malloc((size_t)bytes);
    assert_non_null(b);
    for (int64_t i = 0; i < bytes; i++)
        b[i] = (uint8_t)(d == TDM_BOOL ? i % 3 == 0 : i * 37 + 11);
    tdm_tensor *t = tdm_from_data(ctx, (tdm_dtype)d, shape, b);
    free(b);
    return t;
}

static tdm_archive *every_dtype(tdm_context *ctx)
{
    const tdm_dims shapes[] = {tdm_shape(), tdm_shape(1), tdm_shape(7), tdm_shape(2, 3),
                               tdm_shape(1, 2, 1, 2, 1, 2, 1, 2)};
    tdm_archive *a = tdm_archive_new(ctx);
    for (int d = 0; tdm_dtype_size((tdm_dtype)d) > 0; d++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            char name[64];
            snprintf(name, sizeof name, "layer.%zu/\xc3\xa9 \"%s\"", s, tdm_dtype_name((tdm_dtype)d));
            assert_int_equal(tdm_archive_add(a, name, pattern(ctx, d, shapes[s])), TDM_OK);
        }
    tdm_archive_note(a, "step", "12");
    tdm_archive_note(a, "text", "line\nand \"quotes\" \xe2\x82\xac");
    tdm_archive_note(a, "step", "13");
    assert_fine(ctx);
    return a;
}

static void check_equal(const tdm_archive *a, const tdm_archive *b)
{
    assert_int_equal(tdm_archive_count(a), tdm_archive_count(b));
    for (int i = 0; i < tdm_archive_count(a); i++) {
        const char *name = tdm_archive_name(a, i);
        assert_string_equal(name, tdm_archive_name(b, i));
        assert_same(tdm_archive_tensor(a, name), tdm_archive_tensor(b, name));
    }
    for (int i = 0; tdm_archive_key(a, i) || tdm_archive_key(b, i); i++) {
        assert_string_equal(tdm_archive_key(a, i), tdm_archive_key(b, i));
        assert_string_equal(tdm_archive_text(a, tdm_archive_key(a, i)),
                            tdm_archive_text(b, tdm_archive_key(a, i)));
    }
}

static void test_round_trip(void **state)
{
    static const char *const names[] = {"a.safetensors", "a.npz"};
    tdm_context *ctx = open_context();
    tdm_archive *a = every_dtype(ctx);

    (void)state;
    for (int i = 0; i < 2; i++) {
        size_t n, m;
        assert_int_equal(tdm_archive_save(a, file(names[i])), TDM_OK);
        uint8_t *first = get(file(names[i]), &n);
        tdm_archive *b = tdm_archive_load(ctx, file(names[i]));
        assert_fine(ctx);
        check_equal(a, b);
        assert_string_equal(tdm_archive_text(b, "step"), "13");
        assert_null(tdm_archive_text(b, "none"));
        assert_int_equal(tdm_archive_save(b, file(names[i])), TDM_OK); /* over the former file */
        uint8_t *again = get(file(names[i]), &m);
        assert_true(n == m && memcmp(first, again, n) == 0);
        free(first);
        free(again);
        tdm_archive_free(b);
    }
    tdm_archive_free(a);
    close_context(ctx);
}

/* Views are saved row-major; an archive follows its tensors, and one without any is a file too. */
static void test_references(void **state)
{
    tdm_context *ctx = open_context();
    tdm_archive *a = tdm_archive_new(ctx);
    tdm_tensor *x = tdm_variable(numbers(ctx, tdm_shape(3, 5), 1), "x");

    (void)state;
    assert_int_equal(tdm_archive_save(a, file("empty.npz")), TDM_OK);
    assert_int_equal(tdm_archive_save(a, file("empty.safetensors")), TDM_OK);
    tdm_archive_add(a, "t", tdm_full(ctx, TDM_F64, tdm_shape(2), 1));
    tdm_archive_add(a, "t", tdm_transpose(x, NULL));
    assert_int_equal(tdm_archive_count(a), 1);
    tdm_assign(x, numbers(ctx, tdm_shape(3, 5), 2));
    tdm_archive_save(a, file("t.npz"));
    tdm_archive *b = tdm_archive_load(ctx, file("t.npz"));
    assert_same(tdm_archive_tensor(b, "t"), tdm_transpose(x, NULL));

    tdm_tensor *to = tdm_variable(tdm_zeros(ctx, TDM_F32, tdm_shape(5, 3)), "to");
    assert_int_equal(tdm_archive_restore(b, "t", to), TDM_OK);
    assert_same(to, tdm_transpose(x, NULL));
    assert_fine(ctx);
    tdm_archive_restore(b, "u", to);
    assert_error(ctx, TDM_EARG, "archive_restore", "no tensor 'u'");
    tdm_archive_restore(b, "t", x);
    assert_error(ctx, TDM_ESHAPE, "'t' is f32[5,3] in the archive, expected f32[3,5]");
    tdm_archive_restore(b, "t", tdm_zeros(ctx, TDM_F64, tdm_shape(5, 3)));
    assert_error(ctx, TDM_EDTYPE, "expected f64[5,3]");
    tdm_archive_free(a);
    tdm_archive_free(b);
    b = tdm_archive_load(ctx, file("empty.safetensors"));
    assert_int_equal(tdm_archive_count(b), 0);
    tdm_archive_free(b);
    tdm_release(x);
    tdm_release(to);
    close_context(ctx);
}

static void test_arguments(void **state)
{
    tdm_context *ctx = open_context();
    tdm_archive *a = tdm_archive_new(ctx);
    tdm_tensor *x = tdm_zeros(ctx, TDM_F32, tdm_shape(2));

    (void)state;
    tdm_archive_add(a, "", x);
    assert_error(ctx, TDM_EARG, "archive_add", "'name' is empty");
    tdm_archive_add(a, "x", NULL);
    assert_error(ctx, TDM_EARG, "archive_add: tensor 'x' is NULL");
    tdm_archive_add(a, "__metadata__", x);
    assert_error(ctx, TDM_EARG, "archive_add", "taken by the format");
    tdm_archive_note(a, "key", NULL);
    assert_error(ctx, TDM_EARG, "archive_note", "'key' is NULL");
    tdm_graph *g = tdm_graph_open(ctx, "g");
    tdm_archive_add(a, "x", tdm_input(ctx, "x", TDM_F32, tdm_shape(2)));
    assert_error(ctx, TDM_ESTATE, "archive_add", "'x' is symbolic");
    tdm_graph_close(ctx);
    tdm_graph_free(g);
    tdm_archive_save(a, "weights.bin");
    assert_error(ctx, TDM_EARG, "archive_save", "weights.bin", ".safetensors or .npz");
    assert_null(tdm_archive_load(ctx, ".npz"));
    assert_error(ctx, TDM_EARG, "archive_load", ".safetensors or .npz");
    assert_null(tdm_archive_load(ctx, file("missing.npz")));
    assert_error(ctx, TDM_EIO, "missing.npz", "can't open");
    assert_null(tdm_archive_load(ctx, "/dev/null/x.npz"));
    assert_error(ctx, TDM_EIO, "can't open");
    tdm_archive_add(a, "bad \xff utf-8", x);
    tdm_archive_save(a, file("utf8.safetensors"));
    assert_error(ctx, TDM_EARG, "utf8.safetensors", "not UTF-8");
    tdm_archive_free(a);
    close_context(ctx);
}

/* Seed and position are all of the random stream, in both engines. */
static void test_random_position(void **state)
{
    tdm_context *ctx = open_context(), *other = open_context();

    (void)state;
    tdm_normal(ctx, TDM_F32, tdm_shape(5), 0, 1);
    uint64_t at = tdm_random_position(ctx);
    assert_true(at > 0);
    tdm_tensor *x = tdm_uniform(ctx, TDM_F32, tdm_shape(9), 0, 1);
    tdm_set_random_position(other, at);
    tdm_tensor *z = tdm_uniform(other, TDM_F32, tdm_shape(9), 0, 1);
    assert_same(x, z);
    assert_true(tdm_random_position(ctx) == tdm_random_position(other));
    tdm_graph *g = tdm_graph_open(other, "g");
    tdm_output(other, "x", tdm_uniform(other, TDM_F32, tdm_shape(9), 0, 1));
    built b = build_graph(other, g);
    tdm_set_random_position(other, at);
    assert_int_equal(tdm_exec_run(b.e), TDM_OK);
    assert_same(x, tdm_exec_output(b.e, "x"));
    assert_true(tdm_random_position(ctx) == tdm_random_position(other));
    free_built(&b);
    close_context(ctx);
    close_context(other);
}

/* ---- .safetensors ------------------------------------------------------------------------------------- */

/* The header of a written file, to the letter; the data begins at a multiple of 64, wide dtypes first. */
static void test_layout(void **state)
{
    static const char want[] = "{\"__metadata__\":{\"k\":\"v\"},"
                               "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[32,35]},"
                               "\"w\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[16,32]},"
                               "\"s\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]},"
                               "\"i\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[8,16]}}";
    tdm_context *ctx = open_context();
    tdm_archive *a = tdm_archive_new(ctx);
    size_t n;

    (void)state;
    tdm_archive_add(a, "b", pattern(ctx, TDM_U8, tdm_shape(3)));
    tdm_archive_add(a, "w", pattern(ctx, TDM_F32, tdm_shape(2, 2)));
    tdm_archive_add(a, "s", tdm_full(ctx, TDM_F64, tdm_shape(), 1.5));
    tdm_archive_add(a, "i", tdm_full(ctx, TDM_I64, tdm_shape(1), -2));
    tdm_archive_note(a, "k", "v");
    assert_int_equal(tdm_archive_save(a, file("layout.safetensors")), TDM_OK);
    uint8_t *b = get(file("layout.safetensors"), &n);
    size_t header = b[0] + 256u * b[1];
    assert_memory_equal(b + 8, want, sizeof want - 1);
    for (size_t i = 8 + sizeof want - 1; i < 8 + header; i++)
        assert_int_equal(b[i], ' ');
    assert_int_equal((8 + header) % 64, 0);
    assert_int_equal(n, 8 + header + 35);
    const double s = 1.5;
    assert_memory_equal(b + 8 + header, &s, 8);
    free(b);
    tdm_archive_free(a);
    close_context(ctx);
}

/* A file with this header and `data` bytes 0, 1, 2, .. */
static void put_safetensors(const char *header, size_t data)
{
    uint8_t b[2048] = {0};
    size_t n = strlen(header);
    b[0] = (uint8_t)n;
    b[1] = (uint8_t)(n >> 8);
    memcpy(b + 8, header, n);
    for (size_t i = 0; i < data; i++)
        b[8 + n + i] = (uint8_t)i;
    put(file("x.safetensors"), b, 8 + n + data);
}

#define T(name, dtype, shape, from, to) \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" from "," to "]}"

static void test_hostile_safetensors(void **state)
{
    static const struct {
        const char *header;
        size_t data;
        tdm_status code;
        const char *words;
    } cases[] = {
        {"", 0, TDM_EPARSE, "malformed header"},
        {"[]", 0, TDM_EPARSE, "not an object"},
        {"{\"a\":", 0, TDM_EPARSE, "malformed header"},
        {"{} x", 0, TDM_EPARSE, "malformed header"},
        {"{\"\\u0000\":{}}", 0, TDM_EPARSE, "malformed header"},
        {"{\"\xff\":{}}", 0, TDM_EPARSE, "malformed header"},
        {"{" T("a", "F32", "[1]", "0", "4") "," T("a", "F32", "[1]", "4", "8") "}", 8, TDM_EPARSE,
         "duplicate"},
        {"{\"__metadata__\":[]}", 0, TDM_EPARSE, "__metadata__ is not an object"},
        {"{\"__metadata__\":{\"n\":1}}", 0, TDM_EPARSE, "'n' is not a string"},
        {"{\"a\":3}", 0, TDM_EPARSE, "tensor 'a': no dtype"},
        {"{" T("", "F32", "[1]", "0", "4") "}", 4, TDM_EPARSE, "no name"},
        {"{" T("a", "F4", "[1]", "0", "4") "}", 4, TDM_EDTYPE, "'F4' is not supported"},
        {"{" T("a", "f32", "[1]", "0", "4") "}", 4, TDM_EDTYPE, "'f32' is not supported"},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, TDM_EPARSE, "no shape"},
        {"{" T("a", "F32", "[1.5]", "0", "4") "}", 4, TDM_EPARSE, "dim 0"},
        {"{" T("a", "F32", "[1,-1]", "0", "4") "}", 4, TDM_EPARSE, "dim 1"},
        {"{" T("a", "F32", "[0]", "0", "0") "}", 0, TDM_ESHAPE, "extent of axis 0 is 0"},
        {"{" T("a", "U8", "[1,1,1,1,1,1,1,1,1]", "0", "1") "}", 1, TDM_ESHAPE, "9 dims"},
        {"{" T("a", "F64", "[4611686018427387904,4]", "0", "0") "}", 0, TDM_ESHAPE, "2^40"},
        {"{" T("a", "U8", "[99999999999999999999]", "0", "0") "}", 0, TDM_EPARSE, "malformed header"},
        {"{" T("a", "F64", "[1099511627776]", "0", "8") "}", 8, TDM_EPARSE, "needs 8796093022208 bytes"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, TDM_EPARSE, "data_offsets"},
        {"{" T("a", "F32", "[1]", "0", "4.0") "}", 4, TDM_EPARSE, "data_offsets"},
        {"{" T("a", "F32", "[1]", "-4", "0") "}", 4, TDM_EPARSE, "data_offsets"},
        {"{" T("a", "F32", "[1]", "0", "8") "}", 8, TDM_EPARSE, "the shape needs 4 bytes"},
        {"{" T("a", "F32", "[1]", "4", "0") "}", 4, TDM_EPARSE, "don't lie in"},
        {"{" T("a", "F32", "[2]", "0", "8") "}", 4, TDM_EPARSE, "don't lie in"},
        {"{" T("a", "F32", "[1]", "0", "4") "}", 5, TDM_EPARSE, "a gap of data before the end"},
        {"{" T("a", "F32", "[1]", "4", "8") "}", 8, TDM_EPARSE, "a gap of data before tensor 'a'"},
        {"{" T("a", "F32", "[2]", "0", "8") "," T("b", "F32", "[2]", "4", "12") "}", 12, TDM_EPARSE,
         "an overlap of data before tensor 'b'"},
    };
    tdm_context *ctx = open_context();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_safetensors(cases[i].header, cases[i].data);
        assert_null(tdm_archive_load(ctx, file("x.safetensors")));
        assert_error(ctx, cases[i].code, "x.safetensors", cases[i].words);
    }
    close_context(ctx);
}

/* The eight bytes before the header, and the data behind it. */
static void test_hostile_ends(void **state)
{
    tdm_context *ctx = open_context();

    (void)state;
    put(file("x.safetensors"), "\x10\0\0\0\0\0\0", 7);
    assert_null(tdm_archive_load(ctx, file("x.safetensors")));
    assert_error(ctx, TDM_EPARSE, "not a safetensors file");
    put(file("x.safetensors"), "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
    assert_null(tdm_archive_load(ctx, file("x.safetensors")));
    assert_error(ctx, TDM_EPARSE, "a header of 18446744073709551615 bytes in a file of 10");
    put(file("x.safetensors"), "\x03\0\0\0\0\0\0\0{}", 10);
    assert_null(tdm_archive_load(ctx, file("x.safetensors")));
    assert_error(ctx, TDM_EPARSE, "a header of 3 bytes");

    put_safetensors("{" T("t", "BOOL", "[4]", "0", "4") "}  ", 4); /* bytes 0 1 2 3 */
    tdm_archive *a = tdm_archive_load(ctx, file("x.safetensors"));
    assert_fine(ctx);
    assert_same(tdm_archive_tensor(a, "t"),
                tdm_from_data(ctx, TDM_BOOL, tdm_shape(4), ((const uint8_t[]){0, 1, 1, 1})));
    tdm_archive_free(a);
    close_context(ctx);
}

/* ---- .npz --------------------------------------------------------------------------------------------- */

static size_t le(uint8_t *at, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (uint8_t)(v >> 8 * i);
    return (size_t)bytes;
}

/* What a zip with one member says of it; the local header says nothing. */
typedef struct claim {
    const char *name;
    unsigned flags, method;
    uint32_t packed, size, crc, header;
    int copies; /* of its line in the directory */
} claim;

/* An old zip, without 64-bit fields. */
static void put_zip(const claim *c, const uint8_t *bytes, size_t n)
{
    uint8_t b[4096] = {0};
    size_t name = strlen(c->name), at = 0, directory;

    memcpy(b, "PK\3\4", 4);
    le(b + 26, name, 2);
    memcpy(b + 30, c->name, name);
    memcpy(b + 30 + name, bytes, n);
    directory = at = 30 + name + n;
    for (int i = 0; i < c->copies; i++) {
        memcpy(b + at, "PK\1\2", 4);
        le(b + at + 8, c->flags, 2);
        le(b + at + 10, c->method, 2);
        le(b + at + 16, c->crc, 4);
        le(b + at + 20, c->packed, 4);
        le(b + at + 24, c->size, 4);
        le(b + at + 28, name, 2);
        le(b + at + 42, c->header, 4);
        memcpy(b + at + 46, c->name, name);
        at += 46 + name;
    }
    memcpy(b + at, "PK\5\6", 4);
    le(b + at + 8, (uint64_t)c->copies, 2);
    le(b + at + 10, (uint64_t)c->copies, 2);
    le(b + at + 12, at - directory, 4);
    le(b + at + 16, directory, 4);
    le(b + at + 20, 3, 2); /* a comment */
    memcpy(b + at + 22, "hey", 3);
    put(file("x.npz"), b, at + 25);
}

/* The .npy file of 0..63 as i64, and deflated. */
static size_t make_npy(tdm_context *ctx, uint8_t **npy, uint8_t packed[1024], size_t *packed_size)
{
    size_t n;
    z_stream z = {0};

    tdm_save_npy(tdm_arange(ctx, TDM_I64, 64), file("x.npy"));
    *npy = get(file("x.npy"), &n);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = *npy, z.avail_in = (uInt)n, z.next_out = packed, z.avail_out = 1024;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    *packed_size = z.total_out;
    deflateEnd(&z);
    return n;
}

static void test_hostile_zip(void **state)
{
    tdm_context *ctx = open_context();
    uint8_t *npy, packed[1024];
    size_t m, n = make_npy(ctx, &npy, packed, &m);
    const claim good = {"x.npy", 0, 8, (uint32_t)m, (uint32_t)n, (uint32_t)crc32_z(0, npy, n), 0, 1};
#define BAD(words, ...)                                    \
    do {                                                   \
        claim c = good;                                    \
        __VA_ARGS__;                                       \
        put_zip(&c, packed, m);                            \
        assert_null(tdm_archive_load(ctx, file("x.npz"))); \
        assert_error(ctx, TDM_EPARSE, "x.npz", words);     \
    } while (0)

    (void)state;
    put_zip(&good, packed, m);
    tdm_archive *a = tdm_archive_load(ctx, file("x.npz"));
    assert_fine(ctx);
    assert_same(tdm_archive_tensor(a, "x"), tdm_arange(ctx, TDM_I64, 64));
    tdm_archive_free(a);
    BAD("'x.npy' is encrypted", c.flags = 1);
    BAD("compression method 12", c.method = 12);
    BAD("is damaged", c.crc++);
    BAD("is damaged", c.size++);
    BAD("is damaged", c.size--);
    BAD("is damaged", c.packed--);
    BAD("can't be", c.method = 0);
    BAD("can't be 2147483648 when unpacked", c.size = 1u << 31);
    BAD("past the end", c.packed = 1u << 20);
    BAD("past the end", c.header = 1u << 20);
    BAD("has no header", c.header = 3);
    BAD("can't be 4294967295 when unpacked", c.size = UINT32_MAX);
    BAD("members overlap", c.copies = 3);
    BAD("occurs twice", c.copies = 2, c.packed = 1);
    BAD("damaged directory", c.name = "");
    BAD("'x.npz' is no .npy file", c.name = "x.npz");
    BAD("'.npy' is no .npy file", c.name = ".npy");
    claim c = good; /* not an .npy inside */
    c.method = 0, c.size = c.packed, c.crc = (uint32_t)crc32_z(0, packed, m);
    put_zip(&c, packed, m);
    assert_null(tdm_archive_load(ctx, file("x.npz")));
    assert_error(ctx, TDM_EPARSE, "x.npz: x.npy: not an .npy file");
    put(file("x.npz"), "PK\5\6", 4);
    assert_null(tdm_archive_load(ctx, file("x.npz")));
    assert_error(ctx, TDM_EPARSE, "not a zip file: 4 bytes");
    put(file("x.npz"), npy, n);
    assert_null(tdm_archive_load(ctx, file("x.npz")));
    assert_error(ctx, TDM_EPARSE, "not a zip file: no end record");
    free(npy);
    close_context(ctx);
}

/* ---- damage ------------------------------------------------------------------------------------------- */

/* Files cut anywhere are refused; files with bytes changed anywhere load or are refused, and nothing breaks.
 */
static void test_damage(void **state)
{
    static const char *const names[] = {"d.safetensors", "d.npz"};
    tdm_context *ctx = open_context();
    tdm_archive *a = tdm_archive_new(ctx);
    uint32_t random = 1;

    (void)state;
    tdm_archive_add(a, "w", numbers(ctx, tdm_shape(3, 4), 1));
    tdm_archive_add(a, "step", tdm_full(ctx, TDM_I64, tdm_shape(), 3));
    tdm_archive_note(a, "k", "v");
    for (int k = 0; k < 2; k++) {
        size_t n;
        assert_int_equal(tdm_archive_save(a, file(names[k])), TDM_OK);
        uint8_t *b = get(file(names[k]), &n);
        for (size_t cut = 0; cut < n; cut++) {
            put(file(names[k]), b, cut);
            assert_null(tdm_archive_load(ctx, file(names[k])));
            assert_error(ctx, TDM_EPARSE, names[k]);
        }
        for (int i = 0; i < 4000; i++) {
            size_t at = (random = random * 1664525u + 1013904223u) >> 8, wide = 1 + random % 4;
            uint8_t *damaged = malloc(n);
            assert_non_null(damaged);
            memcpy(damaged, b, n);
            for (size_t j = 0; j < wide; j++)
                damaged[(at + j) % n] = (uint8_t)(i % 3 ? random >> (8 * j) : 0xff);
            put(file(names[k]), damaged, n);
            free(damaged);
            tdm_archive_free(tdm_archive_load(ctx, file(names[k])));
            tdm_clear_error(ctx);
        }
        free(b);
    }
    tdm_archive_free(a);
    close_context(ctx);
}

static int entries(void)
{
    DIR *d = opendir(folder);
    int n = 0;
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* The disk is full half way (a limit on file sizes stands for it). */
static void test_failed_save(void **state)
{
    static const char *const names[] = {"f.safetensors", "f.npz"};
    struct rlimit old, small;
    tdm_context *ctx = open_context();
    tdm_archive *a = tdm_archive_new(ctx);

    (void)state;
    tdm_archive_add(a, "w", numbers(ctx, tdm_shape(7), 1));
    for (int k = 0; k < 2; k++)
        tdm_archive_save(a, file(names[k]));
    assert_fine(ctx);
    int before = entries();
    tdm_archive_add(a, "w", numbers(ctx, tdm_shape(100, 100), 2));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 1 << 14;
    for (int k = 0; k < 2; k++) {
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        tdm_archive_save(a, file(names[k]));
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_error(ctx, TDM_EIO, names[k], "can't write");
        tdm_archive *b = tdm_archive_load(ctx, file(names[k]));
        assert_fine(ctx);
        assert_same(tdm_archive_tensor(b, "w"), numbers(ctx, tdm_shape(7), 1));
        tdm_archive_free(b);
    }
    assert_int_equal(entries(), before); /* no file is left behind */
    tdm_archive_save(a, file("no/such/folder.npz"));
    assert_error(ctx, TDM_EIO, "can't create");
    tdm_archive_free(a);
    close_context(ctx);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    DIR *d = opendir(folder);
    (void)state;
    for (struct dirent *e; d && (e = readdir(d));)
        unlink(file(e->d_name));
    if (d)
        closedir(d);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),          cmocka_unit_test(test_references),
        cmocka_unit_test(test_arguments),           cmocka_unit_test(test_layout),
        cmocka_unit_test(test_hostile_safetensors), cmocka_unit_test(test_hostile_ends),
        cmocka_unit_test(test_hostile_zip),         cmocka_unit_test(test_damage),
        cmocka_unit_test(test_failed_save),         cmocka_unit_test(test_random_position),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
