/* .npy files: round trips, files as NumPy writes them, hostile files by name, random damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "runtime/npy.h"

#define V1 "\x93NUMPY\x01\x00"
#define V2 "\x93NUMPY\x02\x00"

typedef struct bytes {
    uint8_t b[512];
    size_t n;
} bytes;

/* A file of the given version with this header and `data` bytes 0, 1, 2, .. */
static bytes file(int version, const char *header, size_t data)
{
    bytes f = {.n = 0};
    size_t length = strlen(header);

    memcpy(f.b, version == 1 ? V1 : V2, 8);
    f.b[8] = (uint8_t)length;
    f.b[9] = (uint8_t)(length >> 8);
    f.n = version == 1 ? 10 : 12;
    memcpy(f.b + f.n, header, length);
    f.n += length;
    for (size_t i = 0; i < data; i++) {
        f.b[f.n++] = (uint8_t)i;
    }
    return f;
}

static ir_status parse(const bytes *f, ir_type *t, void **data, ir_error *e)
{
    void *exact = malloc(f->n ? f->n : 1); /* so that ASan sees a byte too many */
    ir_status s;

    assert_non_null(exact);
    memcpy(exact, f->b, f->n);
    memset(e, 0, sizeof *e);
    *data = NULL;
    s = rt_npy_parse(exact, f->n, "a.npy", t, data, e);
    free(exact);
    return s;
}

/* ---- good files -------------------------------------------------------------------------------------- */

static void round_trips(void **state)
{
    static const int64_t dims[][4] = {{0}, {1}, {7}, {2, 3}, {1, 1, 5}, {2, 1, 3, 2}};
    static const int ranks[] = {0, 1, 1, 2, 3, 4};
    char path[] = "/tmp/test_npy_XXXXXX", raw[64 * 8];
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    for (int d = 0; d < IR_DT_COUNT; d++) {
        for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++) {
            ir_type t = ir_type_make((ir_dtype)d, ranks[i], dims[i]), back;
            ir_error e = {0};
            void *data;

            for (size_t k = 0; k < sizeof raw; k++) {
                raw[k] = (char)(d == IR_DT_bool ? k % 3 == 0 : k * 7);
            }
            assert_int_equal(rt_npy_write(path, &t, raw, &e), IR_OK);
            assert_int_equal(rt_npy_read(path, &back, &data, &e), IR_OK);
            assert_true(ir_type_eq(&t, &back));
            assert_memory_equal(data, raw, ir_type_bytes(&t));
            free(data);
        }
    }
    unlink(path);
}

static void a_large_file(void **state)
{
    char path[] = "/tmp/test_npy_XXXXXX";
    int fd = mkstemp(path);
    int64_t n = 300001;
    ir_type t = ir_type_make(IR_DT_i32, 1, &n), back;
    int32_t *raw = malloc((size_t)n * sizeof *raw);
    ir_error e = {0};
    void *data;

    (void)state;
    assert_true(fd >= 0 && raw);
    close(fd);
    for (int64_t i = 0; i < n; i++) {
        raw[i] = (int32_t)(i * 77);
    }
    assert_int_equal(rt_npy_write(path, &t, raw, &e), IR_OK);
    assert_int_equal(rt_npy_read(path, &back, &data, &e), IR_OK);
    assert_memory_equal(data, raw, (size_t)n * sizeof *raw);
    free(data);
    free(raw);
    unlink(path);
}

static void headers_as_others_write_them(void **state)
{
    static const char *const headers[] = {
        "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }",
        "{'shape':(2,3),'descr':\"<i4\",'fortran_order':False}",
        "  { 'fortran_order' : False , 'shape' : ( 2 , 3 , ) , 'descr' : '<i4' }      \n",
    };

    (void)state;
    for (size_t i = 0; i < 2 * sizeof headers / sizeof *headers; i++) {
        bytes f = file(1 + (int)(i % 2), headers[i / 2], 24);
        ir_type t;
        ir_error e;
        void *data;

        assert_int_equal(parse(&f, &t, &data, &e), IR_OK);
        assert_true(t.dtype == IR_DT_i32 && t.rank == 2 && t.dims[0] == 2 && t.dims[1] == 3);
        assert_int_equal(((int32_t *)data)[1], 0x07060504);
        free(data);
    }
}

static void fortran_order_becomes_row_major(void **state)
{
    bytes f = file(1, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 2), }", 12);
    static const uint8_t want[12] = {0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11};
    ir_type t;
    ir_error e;
    void *data;

    (void)state;
    assert_int_equal(parse(&f, &t, &data, &e), IR_OK);
    assert_memory_equal(data, want, sizeof want);
    free(data);
}

static void bools_are_0_or_1(void **state)
{
    bytes f = file(1, "{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }", 3);
    ir_type t;
    ir_error e;
    void *data;

    (void)state;
    assert_int_equal(parse(&f, &t, &data, &e), IR_OK);
    assert_memory_equal(data, ((uint8_t[]){0, 1, 1}), 3);
    free(data);
}

/* bf16 is raw elements of two bytes, under either byte order mark. */
static void halves_are_read(void **state)
{
    static const struct {
        const char *header;
        ir_dtype d;
    } cases[] = {{"{'descr': '<f2', 'fortran_order': False, 'shape': (2,), }", IR_DT_f16},
                 {"{'descr': '|V2', 'fortran_order': False, 'shape': (2,), }", IR_DT_bf16},
                 {"{'descr': '<V2', 'fortran_order': False, 'shape': (2,), }", IR_DT_bf16}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bytes f = file(1, cases[i].header, 4);
        ir_type t;
        ir_error e;
        void *data;

        assert_int_equal(parse(&f, &t, &data, &e), IR_OK);
        assert_int_equal(t.dtype, cases[i].d);
        free(data);
    }
}

/* ---- bad files --------------------------------------------------------------------------------------- */

static void hostile_headers(void **state)
{
    static const struct {
        const char *header;
        size_t data;
        const char *says;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 7, "truncated"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 9, "trailing"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", 8, "big-endian"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }", 16, "'<c8'"},
        {"{'descr': '|V4', 'fortran_order': False, 'shape': (2,), }", 8, "'|V4'"},
        {"{'descr': '|S5', 'fortran_order': False, 'shape': (2,), }", 10, "'|S5'"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", 16, "'|O'"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", 8, "records"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }", 0, "dim 0 is 0"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 4, "a dim expected"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 4, "too large"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,1099511627776), }", 4, "a.npy"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", 4, "more than 8 dims"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2), }", 8, "',' expected"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': 2, }", 8, "'(' expected"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,,2), }", 8, "a dim expected"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1 2), }", 8, "malformed"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,", 8, "a dim expected"},
        {"{'descr': '<f4', 'fortran_order': None, 'shape': (2,), }", 8, "fortran_order"},
        {"{'descr': '<f4', 'fortran_order': False}", 8, "no shape"},
        {"{'descr': '<f4', 'shape': (2,)}", 8, "no fortran_order"},
        {"{'fortran_order': False, 'shape': (2,)}", 8, "no descr"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8, "'descr'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'extra': 1}", 8, "'extra'"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), } x", 8, "text after"},
        {"{'descr': '<f\\x34', 'fortran_order': False, 'shape': (2,), }", 8, "bad string"},
        {"{'descr': '<f4, 'fortran_order': False, 'shape': (2,), }", 8, "'<f4, '"},
        {"{'descr': '<f4", 8, "malformed"},
        {"{'0123456789012345678901234567890123456789012345678901234567890123456789': 1}", 8, "bad string"},
        {"{}", 8, "no descr"},
        {"", 8, "'{' expected"},
        {"[1, 2]", 8, "'{' expected"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bytes f = file(1 + (int)(i % 2), cases[i].header, cases[i].data);
        ir_type t;
        ir_error e;
        void *data;

        assert_int_not_equal(parse(&f, &t, &data, &e), IR_OK);
        assert_null(data);
        if (!strstr(e.text, cases[i].says) || !strstr(e.text, "a.npy")) {
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].header, e.text, cases[i].says);
        }
    }
}

static void hostile_frames(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *says;
    } cases[] = {
        {"", 0, "not an .npy"},
        {"\x93NUMP", 5, "not an .npy"},
        {"\x93NUMPY\x01", 7, "not an .npy"},
        {"PK\x03\x04 a zip, so .npz", 20, "not an .npy"},
        {"\x93NUMPY\x03\x00\x00\x00\x00\x00", 12, "version 3.0"},
        {"\x93NUMPY\x01\x01\x00\x00", 10, "version 1.1"},
        {"\x93NUMPY\x01\x00\x00", 9, "truncated"},
        {"\x93NUMPY\x02\x00\x00\x00\x00", 11, "truncated"},
        {"\x93NUMPY\x01\x00\xff\x00{}", 12, "truncated header of 255"},
        {"\x93NUMPY\x02\x00\xff\xff\xff\xff{}", 14, "too long"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bytes f = {.n = cases[i].n};
        ir_type t;
        ir_error e;
        void *data;

        memcpy(f.b, cases[i].bytes, f.n);
        assert_int_not_equal(parse(&f, &t, &data, &e), IR_OK);
        if (!strstr(e.text, cases[i].says)) {
            fail_msg("frame %zu: \"%s\" does not say \"%s\"", i, e.text, cases[i].says);
        }
    }
}

/* Every truncation of a good file is refused, and damaged ones give a sound array or an error. */
static void random_damage(void **state)
{
    static const char alphabet[] = "(),:'{}[]<>|f48iu1 0123456789TrueFals\n\\\x80\xff";
    bytes good = file(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", 24);
    uint32_t seed = 12345;
    int sound = 0;

    (void)state;
    for (size_t n = 0; n < good.n; n++) {
        bytes f = good;
        ir_type t;
        ir_error e;
        void *data;

        f.n = n;
        assert_int_not_equal(parse(&f, &t, &data, &e), IR_OK);
    }
    for (int i = 0; i < 20000; i++) {
        bytes f = good;
        ir_type t;
        ir_error e;
        void *data;

        for (int k = 0; k <= i % 4; k++) {
            seed = seed * 1664525 + 1013904223;
            f.b[(seed >> 8) % (f.n - 24)] = (uint8_t)alphabet[(seed >> 20) % (sizeof alphabet - 1)];
        }
        if (parse(&f, &t, &data, &e) == IR_OK) {
            assert_int_equal(ir_type_bytes(&t), 24);
            sound++;
        } else {
            assert_true(e.text[0] != '\0');
        }
        free(data);
    }
    assert_true(sound > 0 && sound < 10000);
}

static void files_that_are_not_there(void **state)
{
    ir_type t = ir_type_make(IR_DT_f32, 1, (int64_t[]){1}),
            s = ir_type_make(IR_DT_f32, 1, (int64_t[]){~(int64_t)0});
    ir_error e = {0};
    void *data;
    float v = 1;

    (void)state;
    assert_int_equal(rt_npy_read("/no/such/file.npy", &t, &data, &e), IR_EIO);
    assert_non_null(strstr(e.text, "/no/such/file.npy"));
    memset(&e, 0, sizeof e);
    assert_int_equal(rt_npy_read("/", &t, &data, &e), IR_EIO);
    memset(&e, 0, sizeof e);
    assert_int_equal(rt_npy_write("/no/such/file.npy", &t, &v, &e), IR_EIO);
    memset(&e, 0, sizeof e);
    assert_int_equal(rt_npy_write("/dev/full", &t, &v, &e), IR_EIO);
    memset(&e, 0, sizeof e);
    assert_int_equal(rt_npy_write("/dev/null", &s, &v, &e), IR_ESHAPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(a_large_file),
        cmocka_unit_test(headers_as_others_write_them),
        cmocka_unit_test(fortran_order_becomes_row_major),
        cmocka_unit_test(bools_are_0_or_1),
        cmocka_unit_test(halves_are_read),
        cmocka_unit_test(hostile_headers),
        cmocka_unit_test(hostile_frames),
        cmocka_unit_test(random_damage),
        cmocka_unit_test(files_that_are_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
