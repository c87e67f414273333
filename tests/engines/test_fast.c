/* tests/engines/test_fast.c: numerics fast on every op and composite: results near those of strict.
 *
 * The bound is what the numbers themselves allow: every float operand is moved by at most one unit in the
 * last place, a few times over, and the change of each result of the strict engine is noted.  A freedom only
 * rounds less often or adds in another order, so it may change a result by a few times as much, or by a few
 * units in the last place of the result's largest element, and no more.
 *
 * The cases of test_ops.c that have float operands in their usual range, many at once as one graph, with
 * values, gradients and second derivatives; each graph with one freedom alone or with all of them, in turn.
 * TANDEM_TEST_CONFIGS=2 or more: with each.  Instrumented builds leave out every second graph.
 *
 * ctest-labels: slow
 * ctest-timeout: 1500 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/eager.h"
#include "tests/engines/lib_engines.h"
#include "tests/ir/lib_interp.h"

enum { MOVES = 4, ALLOWED = 16, SETS = IR_FREEDOM_COUNT + 1, GROUP_STEP = RT_ASAN ? 2 : 1 };

static case_list list;

/* ---- the bound ----------------------------------------------------------------------------------------- */

/* One unit in the last place up or down, or none. */
static void move_by_a_unit(stored *s, uint32_t seed)
{
    for (int64_t i = 0; i < ir_type_elements(&s->type); i++) {
        uint32_t h = ((uint32_t)i * 2654435761u + seed) * 2246822519u >> 13;
        if (s->type.dtype == IR_DT_f32) {
            float *x = (float *)s->data + i;
            *x = h % 3 == 0 ? *x : nextafterf(*x, h % 3 == 1 ? INFINITY : -INFINITY);
        } else if (s->type.dtype == IR_DT_f64) {
            double *x = (double *)s->data + i;
            *x = h % 3 == 0 ? *x : nextafter(*x, h % 3 == 1 ? INFINITY : -INFINITY);
        }
    }
}

/* The largest distance of two results, element by element; elements that are not finite in a are left out. */
static double distance(const ir_type *t, const void *a, const void *b)
{
    double most = 0;

    for (int64_t i = 0; i < ir_type_elements(t); i++) {
        double x = interp_element(a, (ir_dtype)t->dtype, i), z = interp_element(b, (ir_dtype)t->dtype, i);
        if (isfinite(x))
            most = fmax(most, isfinite(z) ? fabs(x - z) : INFINITY);
    }
    return most;
}

static double largest(const stored *s)
{
    double most = 0;

    for (int64_t i = 0; i < ir_type_elements(&s->type); i++) {
        double x = fabs(interp_element(s->data, (ir_dtype)s->type.dtype, i));
        most = isfinite(x) ? fmax(most, x) : most;
    }
    return most;
}

/* One unit in the last place of v's largest element; a result that is zero throughout is a difference of
 * equal terms, whose size is that of its case's largest leaf. */
static double unit_of(const group *g, int v)
{
    const stored *s = &g->values[v];
    double most = s->data ? largest(s) : 0;

    for (int k = 0; s->data && most == 0 && k < g->leaf_count; k++)
        if (g->leaves[k].of == s->of && ir_dtype_is_float((ir_dtype)g->leaves[k].type.dtype))
            most = fmax(most, largest(&g->leaves[k]));
    return most * (s->type.dtype == IR_DT_f64 ? 0x1p-52 : 0x1p-23);
}

static void set_bounds(tdm_context *strict, const group *g, double *bound)
{
    group *moved = malloc(sizeof *moved);

    assert_non_null(moved);
    for (int v = 0; v < g->value_count; v++)
        bound[v] = unit_of(g, v);
    for (uint32_t m = 0; m < MOVES; m++) {
        group_copy_moved(moved, g, 0);
        for (int k = 0; k < moved->leaf_count; k++)
            move_by_a_unit(&moved->leaves[k], 977 * m + (uint32_t)k);
        group_run(moved, strict);
        assert_int_equal(moved->value_count, g->value_count);
        for (int v = 0; v < g->value_count; v++)
            if (g->values[v].data && moved->values[v].data)
                bound[v] =
                    fmax(bound[v], distance(&g->values[v].type, g->values[v].data, moved->values[v].data));
        group_free(moved);
    }
    free(moved);
}

/* ---- one graph ----------------------------------------------------------------------------------------- */

static void check_value(const char *how, const stored *want, const void *got, double bound)
{
    char text[256];
    double found = distance(&want->type, want->data, got);

    if (ir_dtype_is_float((ir_dtype)want->type.dtype) && !(found <= ALLOWED * bound))
        fail_msg("%s: %s: result of order %d is off by %.9g, %d times %.9g is allowed", how,
                 case_text(want->of, text, sizeof text), want->order, found, ALLOWED, bound);
}

/* Returns the freedoms that its kernels made use of. */
static unsigned check_fast(tdm_context *ctx, const group *g, const char *text, const double *bound,
                           unsigned freedoms)
{
    char how[64];
    unsigned used = 0;
    tdm_kernel_info k;

    snprintf(how, sizeof how, "fast, freedoms 0x%x", freedoms);
    assert_int_equal(tdm_set_numerics(ctx, TDM_FAST, freedoms), TDM_OK);
    tdm_scope_open(ctx);
    tdm_graph *graph = tdm_graph_parse(ctx, text, strlen(text), "cases.tdm");
    tdm_program *p = graph ? tdm_compile(graph, NULL) : NULL;
    tdm_exec *x = p ? tdm_exec_new(p) : NULL;
    if (!x)
        fail_msg("%s: %s", how, tdm_error(ctx));
    engines_bind(x, ctx, g);
    assert_int_equal(tdm_exec_run(x), TDM_OK);
    for (int v = 0; v < g->value_count; v++)
        if (g->values[v].data)
            check_value(how, &g->values[v], tdm_exec_output(x, g->values[v].name)->a.data, bound[v]);
    for (int i = 0; tdm_program_kernel(p, i, &k); i++)
        used |= k.freedoms;
    tdm_exec_free(x);
    tdm_program_free(p);
    tdm_graph_free(graph);
    tdm_scope_close(ctx);
    assert_int_equal(used & ~freedoms, 0);
    return used;
}

/* Set number i of SETS: each alone, then all. */
static unsigned freedoms_of(int i)
{
    return i < IR_FREEDOM_COUNT ? 1u << i : IR_FREE_ALL;
}

static unsigned check_group(tdm_context *strict, tdm_context *fast, group *g, int number)
{
    const char *configs = getenv("TANDEM_TEST_CONFIGS");
    int count = configs && atoi(configs) > 1 ? SETS : 1;
    double bound[GROUP_VALUES];
    unsigned used = 0;

    group_run(g, strict);
    set_bounds(strict, g, bound);
    tdm_graph *graph = group_graph(g, strict);
    char *text = tdm_graph_text(graph);
    assert_non_null(text);
    for (int k = 0; k < count; k++)
        used |= check_fast(fast, g, text, bound, freedoms_of((number / GROUP_STEP + k) % SETS));
    tdm_text_free(text);
    tdm_graph_free(graph);
    return used;
}

/* ---- all ops ------------------------------------------------------------------------------------------- */

static bool is_near(const op_case *c)
{
    bool real = false;

    for (int k = 0; k < c->n; k++) {
        ir_dtype d = (ir_dtype)c->in[k].type.dtype;
        if (ir_dtype_is_half(d))
            return false;
        real |= ir_dtype_is_float(d);
    }
    return real && c->data == DATA_RANGE;
}

static void keep_near(void)
{
    int kept = 0;

    for (int i = 0; i < list.count; i++)
        if (is_near(&list.items[i]))
            list.items[kept++] = list.items[i];
    list.count = kept;
}

static void every_op_is_near_strict(void **state)
{
    tdm_context *strict = engines_context(0), *fast = engines_context(8);
    int groups = (list.count + GROUP_CASES - 1) / GROUP_CASES;
    const char *only = getenv("TANDEM_GROUP");
    unsigned used = 0;

    (void)state;
    assert_true(list.count > 500);
    for (int number = 0; number < groups; number += GROUP_STEP) {
        group *g = calloc(1, sizeof *g);
        assert_non_null(g);
        for (int i = number; i < list.count; i += groups)
            group_add(g, &list.items[i]);
        if (!only || atoi(only) == number)
            used |= check_group(strict, fast, g, number);
        group_free(g);
        free(g);
    }
    if (!only && __builtin_cpu_supports("fma")) /* else there is nothing to contract */
        assert_int_equal(used & IR_FREE(contract), IR_FREE(contract));
    tdm_context_free(strict);
    tdm_context_free(fast);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_op_is_near_strict)};

    cases_all(&list);
    keep_near();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cases_free(&list);
    return failed;
}
