/* tests/frontend/test_cache.c: programs from the disk cache: the same bits as compiled ones, without LLVM;
 * what makes a miss, and what tdm_program_cache says of it; files that are not what they should be. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/frontend/lib_frontend.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/tandem-cache-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static tdm_context *context_with(tdm_options o)
{
    o.threads = o.threads ? o.threads : 1;
    o.cache = o.cache ? o.cache : folder;
    tdm_context *ctx = tdm_context_new(&o);

    assert_non_null(ctx);
    assert_fine(ctx);
    return ctx;
}

static int remove_folder(void **state)
{
    tdm_context *ctx = context_with((tdm_options){0});

    (void)state;
    tdm_cache_clear(ctx);
    close_context(ctx);
    return rmdir(folder);
}

/* softmax(x w + c) summed over rows: products, a row kernel, a constant that lies in memory. */
static built model(tdm_context *ctx, float last)
{
    float c[5] = {1, 2, 3, 4, last};
    tdm_tensor *bias = tdm_from_data(ctx, TDM_F32, tdm_shape(5), c);
    tdm_graph *g = tdm_graph_open(ctx, "model");
    tdm_tensor *x = tdm_input(ctx, "x", TDM_F32, tdm_shape(9, 7));
    tdm_tensor *w = tdm_input(ctx, "w", TDM_F32, tdm_shape(7, 5));
    tdm_tensor *p = tdm_softmax(tdm_add(tdm_matmul(x, w), bias), 1);

    tdm_output(ctx, "p", p);
    tdm_output(ctx, "s", tdm_sum(p, tdm_axes(0), false));
    return build_graph(ctx, g);
}

/* Compiles and runs; the cache said `expected`; the outputs' bits end up in y. */
static void run(tdm_context *ctx, float last, const char *expected, float y[50])
{
    tdm_scope_open(ctx);
    built b = model(ctx, last);
    assert_fine(ctx);
    if (!strstr(tdm_program_cache(b.p), expected))
        fail_msg("cache: '%s', expected '%s'", tdm_program_cache(b.p), expected);
    tdm_exec_bind(b.e, "x", numbers(ctx, tdm_shape(9, 7), 1));
    tdm_exec_bind(b.e, "w", numbers(ctx, tdm_shape(7, 5), 2));
    tdm_exec_run(b.e);
    tdm_read(tdm_exec_output(b.e, "p"), y, 45 * sizeof *y);
    tdm_read(tdm_exec_output(b.e, "s"), y + 45, 5 * sizeof *y);
    assert_fine(ctx);
    free_built(&b);
    tdm_scope_close(ctx);
}

static void once(tdm_options o, float last, const char *expected, float y[50])
{
    tdm_context *ctx = context_with(o);

    run(ctx, last, expected, y);
    close_context(ctx);
}

static void test_hit(void **state)
{
    float first[50], y[50], off[50];
    tdm_options none = {0};
    int n;
    size_t bytes;

    (void)state;
    once(none, 5, "miss (no entry)", first);
    once(none, 5, "hit", y);
    assert_memory_equal(first, y, sizeof y);
    once((tdm_options){.cache = "off"}, 5, "off", off);
    assert_memory_equal(first, off, sizeof y);
    once(none, 6, "hit", y); /* another constant: the code reads it from memory */
    assert_true(memcmp(first, y, sizeof y) != 0);
    once((tdm_options){.cache = "off"}, 6, "off", off);
    assert_memory_equal(off, y, sizeof y);
    once(none, 5, "hit", y);
    once((tdm_options){.width = 4}, 5, "miss (no entry)", y);
    assert_memory_equal(first, y, sizeof y);
    once((tdm_options){.isa = "x86-64"}, 5, "miss (no entry)", y);
    once((tdm_options){.threads = 2}, 5, "miss (no entry)", y);
    once((tdm_options){.threads = 2}, 5, "hit", y);
    assert_memory_equal(first, y, sizeof y);
    once((tdm_options){.check_races = true}, 5, "miss (no entry)", y);
    once((tdm_options){.check_races = true}, 5, "hit", y); /* its calls reach the runtime */
    assert_memory_equal(first, y, sizeof y);
    tdm_context *ctx = context_with(none);
    assert_string_equal(tdm_cache_folder(ctx), folder);
    tdm_cache_count(ctx, &n, &bytes);
    assert_int_equal(n, 5);
    assert_int_equal(tdm_cache_clear(ctx), 5);
    close_context(ctx);
}

static bool plus_user(const tdm_custom_call *call, void *y)
{
    for (int i = 0; i < 4; i++)
        ((float *)y)[i] = ((const float *)call->x[0].data)[i] + *(const float *)call->user;
    return true;
}

/* The registered function is what runs, also where the program is of a process that had another. */
static void test_custom(void **state)
{
    static const char *const names[] = {"mine", "mine", "yours"}, *const said[] = {"miss", "hit", "miss"};
    float x[4], y[4];

    (void)state;
    for (int round = 0; round < 3; round++) {
        tdm_context *ctx = context_with((tdm_options){0});
        float by = (float)round;
        assert_int_equal(tdm_custom_register(
                             ctx, &(tdm_custom_op){.name = names[round], .forward = plus_user, .user = &by}),
                         TDM_OK);
        tdm_tensor *values = numbers(ctx, tdm_shape(4), 1);
        tdm_graph *g = tdm_graph_open(ctx, "custom");
        tdm_tensor *in = tdm_input(ctx, "x", TDM_F32, tdm_shape(4));
        tdm_output(ctx, "y", tdm_custom(names[round], &in, 1, NULL, 0));
        built b = build_graph(ctx, g);
        assert_non_null(strstr(tdm_program_cache(b.p), said[round]));
        tdm_exec_bind(b.e, "x", values);
        tdm_exec_run(b.e);
        tdm_read(values, x, sizeof x);
        tdm_read(tdm_exec_output(b.e, "y"), y, sizeof y);
        assert_fine(ctx);
        for (int i = 0; i < 4; i++)
            assert_true(y[i] == x[i] + by);
        free_built(&b);
        close_context(ctx);
    }
}

static bool llvm_is_loaded(void)
{
    char line[1024];
    bool found = false;
    FILE *f = fopen("/proc/self/maps", "r");

    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        found = found || strstr(line, "libLLVM") || strstr(line, "tandem-codegen");
    fclose(f);
    return found;
}

/* In processes of their own: this one has loaded LLVM by now. */
static void in_child(const char *expected, bool llvm)
{
    pid_t child = fork();

    if (child == 0) {
        float y[50];
        once((tdm_options){0}, 5, expected, y);
        _exit(llvm_is_loaded() == llvm ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

static void test_without_llvm(void **state)
{
    (void)state;
    assert_false(llvm_is_loaded()); /* so this test is the first */
    in_child("miss (no entry)", true);
    in_child("hit", false);
}

/* Calls change(path, name) for every file of the cache; how many. */
static int with_files(void (*change)(const char *path, const char *name))
{
    DIR *d = opendir(folder);
    char path[512];
    int n = 0;

    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
            change(path, e->d_name);
            n++;
        }
    closedir(d);
    return n;
}

static void cut(const char *path, const char *name)
{
    (void)name;
    assert_int_equal(truncate(path, 200), 0);
}

/* Gives the file another fingerprint at character `at` of its name. */
static void rename_at(const char *path, const char *name, size_t at)
{
    char to[512];
    size_t i = strlen(path) - strlen(name) + at;

    snprintf(to, sizeof to, "%s", path);
    to[i] = to[i] == '0' ? '1' : '0';
    assert_int_equal(rename(path, to), 0);
}

static void other_cpu(const char *path, const char *name)
{
    rename_at(path, name, 33);
}

static void other_version(const char *path, const char *name)
{
    rename_at(path, name, 50);
}

static void test_misses(void **state)
{
    float first[50], y[50];
    tdm_options none = {0};
    static const struct {
        void (*change)(const char *path, const char *name);
        const char *why;
    } cases[] = {{cut, "miss (entry corrupt)"},
                 {other_cpu, "miss (other cpu)"},
                 {other_version, "miss (other version)"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        once(none, 5, "miss (no entry)", first);
        assert_int_equal(with_files(cases[i].change), 1);
        once(none, 5, cases[i].why, y);
        assert_memory_equal(first, y, sizeof y);
        once(none, 5, "hit", y); /* replaced */
        assert_memory_equal(first, y, sizeof y);
        tdm_context *ctx = context_with(none);
        tdm_cache_clear(ctx);
        close_context(ctx);
    }
}

static void test_not_kept(void **state)
{
    float y[50];

    (void)state;
    once((tdm_options){.cache = "/proc/no/such"}, 5, "miss (no entry), not kept: /proc/no/such: ", y);
    once((tdm_options){.cache_bytes = 100}, 5, "more than the cache may hold", y);
}

/* ---- big graphs: what the passes made of them ---- */

/* So many sums, exponentials and products that the passes take longer than a file. */
static built big_model(tdm_context *ctx, float first)
{
    float c[4] = {first, 2, 3, 4};
    tdm_tensor *bias = tdm_from_data(ctx, TDM_F32, tdm_shape(4), c);
    tdm_tensor *w = tdm_variable(numbers(ctx, tdm_shape(4, 4), 3), "w");
    tdm_graph *g = tdm_graph_open(ctx, "big");
    tdm_tensor *y = tdm_input(ctx, "x", TDM_F32, tdm_shape(4, 4));

    for (int i = 0; i < 100; i++)
        y = tdm_tanh(tdm_add(tdm_matmul(y, w), bias));
    tdm_output(ctx, "y", y);
    tdm_assign(w, tdm_mul_scalar(w, 0.5));
    tdm_release(w);
    return build_graph(ctx, g);
}

/* Compiles the big model; `recalled`: no pass ran.  The program's text, and the bits of a run. */
static char *run_big(tdm_options o, float first, bool recalled, const char *said, float y[16])
{
    tdm_context *ctx = context_with(o);
    built b = big_model(ctx, first);
    bool passes = false;
    double ms;

    assert_fine(ctx);
    for (int i = 0; tdm_program_stage(b.p, i, &ms); i++)
        passes = passes || strcmp(tdm_program_stage(b.p, i, &ms), "fuse") == 0;
    assert_int_equal(passes, !recalled);
    assert_non_null(strstr(tdm_program_cache(b.p), said));
    tdm_exec_bind(b.e, "x", numbers(ctx, tdm_shape(4, 4), 1));
    tdm_exec_run(b.e);
    tdm_read(tdm_exec_output(b.e, "y"), y, 16 * sizeof *y);
    assert_fine(ctx);
    char *text = tdm_graph_text(tdm_program_graph(b.p));
    size_t used = strlen(text);
    text = realloc(text, used + 16 * 1024);
    for (int i = 0; i < 512; i++) /* where the nodes of the source went */
        used += (size_t)sprintf(text + used, " %d", tdm_program_map(b.p, i));
    free_built(&b);
    close_context(ctx);
    return text;
}

static void test_big_graph(void **state)
{
    float first[16], y[16];
    tdm_options none = {0};

    (void)state;
    char *made = run_big(none, 1, false, "miss (no entry)", first);
    char *read = run_big(none, 1, true, "hit", y);
    assert_string_equal(made, read); /* with names, lines, kernels and buffers */
    assert_memory_equal(first, y, sizeof y);
    free(read);
    free(run_big(none, 7, false, "hit", y)); /* another constant, the same code */
    assert_true(memcmp(first, y, sizeof y) != 0);
    free(run_big(none, 1, true, "hit", y));
    assert_memory_equal(first, y, sizeof y);
    free(run_big((tdm_options){.memory_budget = 4096}, 1, false, "", y));
    free(run_big((tdm_options){.threads = 2}, 1, false, "miss", y));
    free(run_big((tdm_options){.width = 4}, 1, false, "miss", y));
    free(run_big((tdm_options){.numerics = TDM_FAST}, 1, false, "miss", y));
    free(run_big((tdm_options){.cache = "off"}, 1, false, "off", y));
    free(made);
}

static void damage(const char *path, const char *name)
{
    if (strstr(name, ".tdg"))
        assert_int_equal(truncate(path, 3000), 0);
}

static void drop_program(const char *path, const char *name)
{
    if (strstr(name, ".tdo"))
        assert_int_equal(unlink(path), 0);
}

/* Without the one the other is still good; both are back afterwards. */
static void test_big_graph_alone(void **state)
{
    static void (*const change[])(const char *path, const char *name) = {damage, drop_program};
    static const char *const said[] = {"hit", "miss (no entry)"};
    float first[16], y[16];
    int n;
    size_t bytes;

    (void)state;
    free(run_big((tdm_options){0}, 1, false, "miss (no entry)", first));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(with_files(change[i]), 2);
        free(run_big((tdm_options){0}, 1, i == 1, said[i], y));
        assert_memory_equal(first, y, sizeof y);
        free(run_big((tdm_options){0}, 1, true, "hit", y));
        assert_memory_equal(first, y, sizeof y);
    }
    tdm_context *ctx = context_with((tdm_options){0});
    tdm_cache_count(ctx, &n, &bytes);
    assert_int_equal(n, 1);
    close_context(ctx);
}

/* Several processes that want one program at once. */
static void test_processes(void **state)
{
    enum { PROCESSES = 4 };
    pid_t child[PROCESSES];
    float first[50];

    (void)state;
    once((tdm_options){.cache = "off"}, 5, "off", first);
    for (int i = 0; i < PROCESSES; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            float y[50];
            for (int round = 0; round < 3; round++) {
                once((tdm_options){0}, 5, "", y);
                if (memcmp(first, y, sizeof y) != 0)
                    _exit(1);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        waitpid(child[i], &status, 0);
        assert_int_equal(status, 0);
    }
    once((tdm_options){0}, 5, "hit", first);
}

static void test_environment(void **state)
{
    char path[128];

    (void)state;
    setenv("TANDEM_CACHE", folder, 1);
    tdm_context *ctx = tdm_context_new(NULL);
    assert_string_equal(tdm_cache_folder(ctx), folder);
    close_context(ctx);
    setenv("TANDEM_CACHE", "off", 1);
    ctx = tdm_context_new(NULL);
    assert_null(tdm_cache_folder(ctx));
    close_context(ctx);
    setenv("TANDEM_CACHE", "", 1);
    setenv("XDG_CACHE_HOME", folder, 1);
    ctx = tdm_context_new(NULL);
    snprintf(path, sizeof path, "%s/tandem", folder);
    assert_string_equal(tdm_cache_folder(ctx), path);
    close_context(ctx);
    setenv("XDG_CACHE_HOME", "not/absolute", 1);
    setenv("HOME", folder, 1);
    ctx = tdm_context_new(NULL);
    snprintf(path, sizeof path, "%s/.cache/tandem", folder);
    assert_string_equal(tdm_cache_folder(ctx), path);
    close_context(ctx);
    setenv("TANDEM_CACHE", "off", 1);
}

#define CACHE_TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(test_without_llvm), CACHE_TEST(test_hit),       CACHE_TEST(test_misses),
        CACHE_TEST(test_not_kept),     CACHE_TEST(test_processes), CACHE_TEST(test_environment),
        CACHE_TEST(test_custom),       CACHE_TEST(test_big_graph), CACHE_TEST(test_big_graph_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
