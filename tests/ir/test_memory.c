/* tests/ir/test_memory.c: the n-th allocation of ir/ fails, for every n: building, printing, parsing and
 * verifying then end with an error and leak nothing.
 *
 * The four functions below replace those of ir/alloc.c at link time. */
#include "cases.h"
#include "ir/arena.h"
#include "seeds.h"

static long countdown = -1; /* allocations until one fails; negative: none does */
static bool failed;

static bool fails(void)
{
    if (countdown < 0)
        return false;
    failed = failed || countdown == 0;
    return countdown-- == 0;
}

void *ir_mem_alloc(size_t bytes)
{
    return fails() ? NULL : malloc(bytes);
}

void *ir_mem_zero(size_t bytes)
{
    return fails() ? NULL : calloc(1, bytes);
}

void *ir_mem_resize(void *p, size_t bytes)
{
    return fails() ? NULL : realloc(p, bytes);
}

void ir_mem_free(void *p)
{
    free(p);
}

/* A piece of work: true if it ended well, else its error is in *e. */
typedef bool work(const char *text, ir_error *e);

static bool parse_and_print(const char *text, ir_error *e)
{
    char *again = NULL;
    ir_graph *g = ir_parse(text, strlen(text), "t.tdm", NULL, e);
    bool ok = g && ir_print(g, &again, e) == IR_OK;
    if (ok)
        assert_string_equal(again, text);
    free(again);
    ir_graph_free(g);
    return ok;
}

static bool build(const char *text, ir_error *e)
{
    ir_type t = ir_type_make(IR_DT_f32, 1, (const int64_t[]){3});
    static float large[4096];
    char name[16];
    (void)text;
    ir_graph *g = ir_graph_new("f");
    if (!g)
        return ir_fail(e, IR_ENOMEM, "out of memory") == IR_OK;
    ir_graph_symbol(g, "n");
    ir_ref x = ir_graph_variable(g, "x", &t);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "y%d", i);
        g->sink.loc = (ir_loc){name, 1};
        x = ir_graph_append(g, IR_neg, NULL, &x, 1);
        ir_graph_output(g, name, x);
    }
    ir_attrs a = {.type = ir_type_make(IR_DT_f32, 1, (const int64_t[]){4096})};
    a.constant.data = large;
    a.constant.bytes = sizeof large;
    ir_graph_append(g, IR_constant, &a, NULL, 0);
    ir_graph_assign(g, 0, x);
    bool ok = g->error.status == IR_OK && ir_verify(g, e) == IR_OK;
    if (g->error.status != IR_OK)
        *e = g->error;
    ir_graph_free(g);
    return ok;
}

/* Fails the first, the second, .. allocation until the work ends without meeting one. */
static void fail_each(work *run, const char *text)
{
    for (long n = 0;; n++) {
        ir_error e = {0};
        failed = false;
        countdown = n;
        bool ok = run(text, &e);
        countdown = -1;
        if (ok != !failed)
            fail_msg("allocation %ld: %s", n, ok ? "its failure was lost" : e.text);
        if (!failed) {
            assert_true(n > 2);
            return;
        }
        assert_int_not_equal(e.status, IR_OK);
        assert_int_not_equal(e.text[0], 0);
    }
}

static void parsing(void **state)
{
    (void)state;
    for (int i = 0; i < SEEDS; i++)
        fail_each(parse_and_print, seeds[i]);
}

static void building(void **state)
{
    (void)state;
    fail_each(build, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parsing), cmocka_unit_test(building)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
