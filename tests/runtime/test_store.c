/* tests/runtime/test_store.c: the folder of compiled programs: what was written comes back; what is damaged,
 * cut, renamed or open to others is absent, with the reason; the longest unused go; processes share it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/store.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/tandem-store-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    rt_store_clear(folder);
    return rmdir(folder); /* fails if the store leaves anything behind */
}

static rt_store_key key(uint64_t program, uint64_t cpu, uint64_t version)
{
    return (rt_store_key){.program = {program, ~program}, .cpu = {cpu, 1}, .version = {version, 2}};
}

static const char contents[] = "compiled code, as far as the store can tell";

static bool put(uint64_t program, uint64_t cpu, uint64_t version, size_t limit)
{
    rt_store_key k = key(program, cpu, version);
    ir_error e = {0};

    return rt_store_write(folder, &k, (const unsigned char *)contents, sizeof contents, limit, &e);
}

static rt_store_result get(uint64_t program, uint64_t cpu, uint64_t version)
{
    rt_store_key k = key(program, cpu, version);
    unsigned char *bytes = NULL;
    size_t size = 0;
    rt_store_result r = rt_store_read(folder, &k, &bytes, &size);

    if (r == RT_STORE_HIT) {
        assert_int_equal(size, sizeof contents);
        assert_memory_equal(bytes, contents, sizeof contents);
    }
    free(bytes);
    return r;
}

/* The one file in the folder that is not hidden. */
static char *the_file(void)
{
    static char path[512];
    DIR *d = opendir(folder);

    path[0] = 0;
    for (const struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') {
            assert_int_equal(path[0], 0);
            snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        }
    closedir(d);
    assert_int_not_equal(path[0], 0);
    return path;
}

static void test_round_trip(void **state)
{
    int n;
    size_t bytes;

    (void)state;
    assert_int_equal(get(1, 2, 3), RT_STORE_NONE);
    assert_true(put(1, 2, 3, RT_STORE_BYTES));
    assert_int_equal(get(1, 2, 3), RT_STORE_HIT);
    assert_int_equal(get(1, 9, 3), RT_STORE_CPU);
    assert_int_equal(get(1, 2, 9), RT_STORE_VERSION);
    assert_int_equal(get(9, 2, 3), RT_STORE_NONE);
    rt_store_count(folder, &n, &bytes);
    assert_int_equal(n, 1);
    assert_int_equal(bytes, sizeof contents + 80);
    assert_int_equal(rt_store_clear(folder), 1);
    assert_int_equal(get(1, 2, 3), RT_STORE_NONE);
}

static void rewrite(const char *path, const unsigned char *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static void test_damaged(void **state)
{
    unsigned char whole[512], bad[512];

    (void)state;
    assert_true(put(1, 2, 3, RT_STORE_BYTES));
    const char *path = the_file();
    FILE *f = fopen(path, "rb");
    size_t n = fread(whole, 1, sizeof whole, f);
    fclose(f);
    for (size_t cut = 0; cut < n; cut++) {
        rewrite(path, whole, cut);
        assert_int_equal(get(1, 2, 3), RT_STORE_CORRUPT);
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(bad, whole, n);
        bad[i] ^= (unsigned char)(1 << (i % 8));
        rewrite(path, bad, n);
        assert_int_equal(get(1, 2, 3), RT_STORE_CORRUPT);
    }
    memcpy(bad, whole, n);
    bad[n] = 0;
    rewrite(path, bad, n + 1);
    assert_int_equal(get(1, 2, 3), RT_STORE_CORRUPT);
    assert_true(put(1, 2, 3, RT_STORE_BYTES)); /* replaced */
    assert_int_equal(get(1, 2, 3), RT_STORE_HIT);
}

/* Another program's file under this one's name; files that others may write to. */
static void test_not_ours(void **state)
{
    char from[512], to[512];

    (void)state;
    assert_true(put(1, 2, 3, RT_STORE_BYTES));
    snprintf(from, sizeof from, "%s", the_file());
    snprintf(to, sizeof to, "%s", from);
    to[strlen(folder) + 1] ^= 1;
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(get(1, 2, 3), RT_STORE_NONE);
    rt_store_key k = key(1, 2, 3);
    k.program.a ^= (uint64_t)1 << 60;
    unsigned char *bytes = NULL;
    size_t size;
    assert_int_equal(rt_store_read(folder, &k, &bytes, &size), RT_STORE_CORRUPT);
    assert_int_equal(rename(to, from), 0);
    assert_int_equal(get(1, 2, 3), RT_STORE_HIT);
    assert_int_equal(chmod(from, 0666), 0);
    assert_int_equal(get(1, 2, 3), RT_STORE_CORRUPT);
}

static void age(uint64_t program, time_t seconds)
{
    char path[512];
    rt_store_key k = key(program, 2, 3);

    snprintf(path, sizeof path, "%s/%016llx%016llx-%016llx-%016llx.tdo", folder,
             (unsigned long long)k.program.a, (unsigned long long)k.program.b, (unsigned long long)k.cpu.a,
             (unsigned long long)k.version.a);
    struct timespec t[2] = {{1000000000 - seconds, 0}, {1000000000 - seconds, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

static void test_limit(void **state)
{
    size_t one = sizeof contents + 80;

    (void)state;
    for (uint64_t i = 1; i <= 3; i++) {
        assert_true(put(i, 2, 3, 3 * one));
        age(i, 100 - (time_t)i); /* 1 is the oldest */
    }
    assert_int_equal(get(1, 2, 3), RT_STORE_HIT); /* and is used again: 2 is the oldest now */
    assert_true(put(4, 2, 3, 3 * one));
    assert_int_equal(get(2, 2, 3), RT_STORE_NONE);
    assert_int_equal(get(1, 2, 3), RT_STORE_HIT);
    assert_int_equal(get(3, 2, 3), RT_STORE_HIT);
    assert_int_equal(get(4, 2, 3), RT_STORE_HIT);
    assert_false(put(5, 2, 3, one - 1));
    assert_int_equal(get(1, 2, 3), RT_STORE_HIT);
}

/* A graph is kept under a program's key too, counts and goes with the programs, but is none. */
static void test_graphs(void **state)
{
    rt_store_key k = key(1, 2, 3);
    ir_error e = {0};
    unsigned char *bytes = NULL;
    size_t size;
    int n;

    (void)state;
    k.kind = RT_STORE_GRAPH;
    assert_true(put(1, 2, 3, RT_STORE_BYTES));
    assert_int_equal(rt_store_read(folder, &k, &bytes, &size), RT_STORE_NONE);
    assert_true(rt_store_write(folder, &k, (const unsigned char *)"graph", 5, RT_STORE_BYTES, &e));
    assert_int_equal(get(1, 2, 3), RT_STORE_HIT);
    assert_int_equal(rt_store_read(folder, &k, &bytes, &size), RT_STORE_HIT);
    assert_int_equal(size, 5);
    assert_memory_equal(bytes, "graph", 5);
    free(bytes);
    rt_store_count(folder, &n, &size);
    assert_int_equal(n, 1);
    assert_int_equal(size, sizeof contents + 80 + 5 + 80);
    assert_true(put(4, 2, 3, sizeof contents + 80)); /* the last that fits */
    assert_int_equal(get(4, 2, 3), RT_STORE_HIT);
    assert_int_equal(rt_store_read(folder, &k, &bytes, &size), RT_STORE_NONE);
    assert_true(rt_store_write(folder, &k, (const unsigned char *)"graph", 5, RT_STORE_BYTES, &e));
    assert_int_equal(rt_store_clear(folder), 1);
    assert_int_equal(rt_store_read(folder, &k, &bytes, &size), RT_STORE_NONE);
}

/* Files that are not the store's stay; what a process that died left is removed. */
static void test_other_files(void **state)
{
    char mine[256], left[256], fresh[256];
    static const char name[] = "00000000000000010000000000000002-0000000000000003-0000000000000004.tdo";

    (void)state;
    snprintf(mine, sizeof mine, "%s/notes.tdo", folder);
    snprintf(left, sizeof left, "%s/%s.12-0.tmp", folder, name);
    snprintf(fresh, sizeof fresh, "%s/%s.13-0.tmp", folder, name);
    rewrite(mine, (const unsigned char *)"x", 1);
    rewrite(left, (const unsigned char *)"x", 1);
    rewrite(fresh, (const unsigned char *)"x", 1);
    assert_int_equal(utimensat(AT_FDCWD, left, (struct timespec[2]){{1, 0}, {1, 0}}, 0), 0);
    assert_true(put(1, 2, 3, RT_STORE_BYTES));
    assert_int_not_equal(access(left, F_OK), 0);
    assert_int_equal(access(fresh, F_OK), 0);
    assert_int_equal(rt_store_clear(folder), 1);
    assert_int_not_equal(access(fresh, F_OK), 0);
    assert_int_equal(access(mine, F_OK), 0);
    unlink(mine);
}

static void test_no_folder(void **state)
{
    rt_store_key k = key(1, 2, 3);
    ir_error e = {0};
    unsigned char *bytes;
    size_t size;
    int n;

    (void)state;
    assert_int_equal(rt_store_read("/proc/no/such", &k, &bytes, &size), RT_STORE_NONE);
    assert_false(rt_store_write("/proc/no/such", &k, (const unsigned char *)contents, 9, RT_STORE_BYTES, &e));
    assert_non_null(strstr(e.text, "/proc/no/such"));
    rt_store_count("/proc/no/such", &n, &size);
    assert_int_equal(n, 0);
    assert_int_equal(rt_store_clear("/proc/no/such"), 0);
}

/* One that may read but not write still gets what is there. */
static void test_read_only(void **state)
{
    (void)state;
    assert_true(put(1, 2, 3, RT_STORE_BYTES));
    assert_int_equal(chmod(folder, 0555), 0);
    pid_t child = fork();
    if (child == 0) {
        bool nobody = geteuid() != 0 || seteuid(65534) == 0; /* root may write anywhere */
        _exit(nobody && get(1, 2, 3) == RT_STORE_HIT && !put(4, 2, 3, RT_STORE_BYTES) ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    chmod(folder, 0700);
    assert_int_equal(status, 0);
}

/* Readers never see a part of a file, whoever writes, drops or clears meanwhile. */
static void test_processes(void **state)
{
    enum { PROCESSES = 6, ROUNDS = 300 };
    pid_t child[PROCESSES];

    (void)state;
    for (int p = 0; p < PROCESSES; p++) {
        child[p] = fork();
        if (child[p] == 0) {
            bool ok = true;
            for (uint64_t i = 0; i < ROUNDS && ok; i++) {
                put(i % 5, 2, 3, 3 * (sizeof contents + 80)); /* fails if cleared before it is renamed */
                ok = get((i + (uint64_t)p) % 5, 2, 3) != RT_STORE_CORRUPT;
                if (p == 0 && i % 50 == 49)
                    rt_store_clear(folder);
            }
            _exit(ok ? 0 : 1);
        }
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        waitpid(child[p], &status, 0);
        assert_int_equal(status, 0);
    }
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_round_trip), STORE_TEST(test_damaged),     STORE_TEST(test_not_ours),
        STORE_TEST(test_limit),      STORE_TEST(test_other_files), STORE_TEST(test_no_folder),
        STORE_TEST(test_read_only),  STORE_TEST(test_processes),   STORE_TEST(test_graphs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
