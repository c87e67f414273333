/* tests/passes/test_golden.c: "A after pass p equals B", one file per case: tests/golden/PASS/NAME.tdm.
 *
 *   ; RUN: simplify dce            passes, in order
 *   ; what the case shows
 *   graph @t(%x: f32[4]) -> (f32[4]) { .. }
 *   ; EXPECT
 *   graph @t(%x: f32[4]) -> (f32[4]) { .. }
 *
 * The text after the passes must be the expected text to the byte; a case whose passes must fail expects `;
 * ERROR: text`. Folding computes with the eager kernels.  `test_golden --update` rewrites the expected part
 * of every case. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ir/ir.h"
#include "passes/passes.h"
#include "passes/lib_eval.h"

#define EXPECT "; EXPECT\n"
enum { MAX_CASES = 256, MAX_PASSES = 16 };

static bool update;

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 1 << 20);

    assert_non_null(f);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    fclose(f);
    return text;
}

/* The passes named on the first line. */
static int parse_run(const char *path, const char *text, const pass_info **passes)
{
    char line[256], *state = NULL;
    int n = 0;

    if (strncmp(text, "; RUN:", 6) != 0 || sscanf(text + 6, "%255[^\n]", line) != 1) {
        fail_msg("%s does not begin with ; RUN:", path);
    }
    for (char *word = strtok_r(line, " ", &state); word; word = strtok_r(NULL, " ", &state)) {
        passes[n] = pass_find(word);
        if (!passes[n++] || n == MAX_PASSES) {
            fail_msg("%s: no pass %s", path, word);
        }
    }
    return n;
}

/* The text after the passes, or "; ERROR: ..".  Caller frees. */
static char *run_case(const char *path, const char *input, const pass_info *const *passes, int n)
{
    ir_error err = {0};
    pass_context pc = {.eval = test_eval, .err = &err};
    char *text = NULL;
    ir_graph *g = ir_parse(input, strlen(input), path, NULL, &err), *out = NULL;

    if (!g) {
        fail_msg("%s: %s", path, err.text);
    }
    out = pass_run(&pc, g, passes, n, NULL, NULL, NULL, NULL);
    if (out) {
        assert_int_equal(ir_print(out, &text, &err), IR_OK);
    } else {
        size_t size = strlen(err.text) + 16;
        text = malloc(size);
        assert_non_null(text);
        snprintf(text, size, "; ERROR: %s\n", err.text);
    }
    ir_graph_free(out);
    ir_graph_free(g);
    return text;
}

static void rewrite(const char *path, const char *input, const char *found)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    fprintf(f, "%s" EXPECT "%s", input, found);
    fclose(f);
}

static void golden(void **state)
{
    const char *path = *state;
    const pass_info *passes[MAX_PASSES];
    char *text = read_file(path), *mark = strstr(text, EXPECT);
    int n = parse_run(path, text, passes);

    if (!mark && !update) {
        fail_msg("%s has no line %s", path, EXPECT);
    }
    if (mark) {
        *mark = 0;
    }
    const char *expected = mark ? mark + strlen(EXPECT) : "";
    char *found = run_case(path, text, passes, n);
    if (update) {
        rewrite(path, text, found);
    } else if (strcmp(found, expected) != 0) {
        fail_msg("%s\n--- expected\n%s--- found\n%s", path, expected, found);
    }
    free(found);
    free(text);
}

/* Every .tdm below the folder, one level deep. */
static int collect(const char *folder, char **paths, int n)
{
    DIR *d = opendir(folder);

    for (struct dirent *e; d && (e = readdir(d));) {
        char *path;
        size_t length = strlen(e->d_name);
        if (e->d_name[0] == '.' || n == MAX_CASES || asprintf(&path, "%s/%s", folder, e->d_name) < 0) {
            continue;
        }
        if (length > 4 && strcmp(e->d_name + length - 4, ".tdm") == 0) {
            paths[n++] = path;
        } else {
            n = strchr(e->d_name, '.') ? n : collect(path, paths, n);
            free(path);
        }
    }
    if (d) {
        closedir(d);
    }
    return n;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv)
{
    static char *paths[MAX_CASES];
    static struct CMUnitTest tests[MAX_CASES];
    int n = collect(TANDEM_SOURCE_DIR "/tests/golden", paths, 0);

    update = argc > 1 && strcmp(argv[1], "--update") == 0;
    qsort(paths, (size_t)n, sizeof *paths, by_name);
    for (int i = 0; i < n; i++) {
        tests[i] = (struct CMUnitTest){
            .name = strstr(paths[i], "golden/"), .test_func = golden, .initial_state = paths[i]};
    }
    if (n == 0) {
        fprintf(stderr, "no cases below " TANDEM_SOURCE_DIR "/tests/golden\n");
        return 1;
    }
    int failed = _cmocka_run_group_tests("golden", tests, (size_t)n, NULL, NULL);
    for (int i = 0; i < n; i++) {
        free(paths[i]);
    }
    return failed;
}
