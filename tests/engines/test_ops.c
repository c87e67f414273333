/* tests/engines/test_ops.c: every op of ops.def and every function of compose.h, in both engines.
 *
 * The cases of lib_cases*.c are run one by one on the eager engine and its tape, and many at once as graphs
 * that pass through the whole pipeline and the compiler, at every lane count and instruction set level, on
 * one and two threads.  Values, gradients (the tape's and the symbolic ones) and second derivatives have the
 * same bits; f64 derivatives agree with finite differences; every graph round-trips through text; operands
 * that do not fit are refused.  A failing case is written to BUILD/failed_case.tdm, which `tandem compare`
 * reads.
 *
 * Every case meets one configuration of lanes, level and threads, and every op and function meets all but the
 * last, which every fourth of them meets.  TANDEM_TEST_CONFIGS=12: every case meets all.  Instrumented builds
 * compile half of the graphs.  TANDEM_CASES=softmax,gelu runs those alone, with every configuration.
 *
 * ctest-labels: slow
 * ctest-timeout: 2700
 * ctest-shards: 2 */
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

static case_list list;
static bool partial; /* TANDEM_CASES leaves only some cases */

static const char *subject(const op_case *c)
{
    return c->function ? c->function : ir_ops[c->op].name;
}

/* Keeps the cases whose op or function is named by `only`: "softmax,gelu". */
static void keep_named(const char *only)
{
    int kept = 0;

    partial = true;
    setenv("TANDEM_TEST_CONFIGS", "12", 0);
    for (int i = 0; i < list.count; i++) {
        const char *name = subject(&list.items[i]), *at = only;
        size_t n = strlen(name);
        while ((at = strstr(at, name)) && ((at > only && at[-1] != ',') || (at[n] && at[n] != ',')))
            at += n;
        if (at)
            list.items[kept++] = list.items[i];
    }
    list.count = kept;
}

/* ---- the table is complete ---- */

static bool has_composite(const char *name)
{
    for (int i = 0; i < list.count; i++)
        if (list.items[i].function && strcmp(list.items[i].function, name) == 0)
            return true;
    return false;
}

static void every_op_and_composite_has_cases(void **state)
{
    char line[512];
    bool seen[IR_OP_COUNT + 1] = {false};
    int composites = 0;

    (void)state;
    if (partial)
        skip();
    for (int i = 0; i < list.count; i++)
        seen[list.items[i].op] = true;
    for (int op = 0; op < IR_OP_COUNT; op++)
        if (!seen[op])
            fail_msg("no case of op %s", ir_ops[op].name);

    FILE *f = fopen(TANDEM_SOURCE_DIR "/ir/compose.h", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        char *at = strstr(line, "ir_val ir_c_");
        if (!at)
            continue;
        at += strlen("ir_val ir_c_");
        at[strcspn(at, "(")] = '\0';
        if (!has_composite(at))
            fail_msg("no case of composite %s", at);
        composites++;
    }
    fclose(f);
    assert_true(composites >= 20);
}

/* ---- both engines ---- */

/* Cases of one group are far apart in the table, so that a graph is a mixture of ops. */
static void check_group(engines *e, int number, int groups)
{
    group *g = calloc(1, sizeof *g);

    assert_non_null(g);
    for (int i = number; i < list.count; i += groups)
        group_add(g, &list.items[i]);
    g->constants = number % 3 == 0;
    engines_check(e, g, engines_turns(number));
    group_free(g);
    free(g);
}

/* An op or function, the case of it that tells most, and the configurations that its cases meet in their
 * groups, as bits. */
typedef struct met_subject {
    const op_case *example;
    unsigned met;
} met_subject;

enum { MAX_SUBJECTS = 1024, LAST_EVERY = 4 };

/* Has gradients, or more elements: a wrong last bit shows in one of hundreds. */
static bool tells_more(const op_case *c, const op_case *than)
{
    if (c->gradient != than->gradient)
        return c->gradient;
    return ir_type_elements(&c->in[0].type) > ir_type_elements(&than->in[0].type);
}

/* Fills subjects and returns their number. */
static int meet(met_subject *subjects, int groups)
{
    const unsigned last = 1u << (ENGINE_CONFIGS - 1);
    int count = 0;

    for (int i = 0; i < list.count; i++) {
        const op_case *c = &list.items[i];
        int s = 0;
        while (s < count && strcmp(subject(subjects[s].example), subject(c)) != 0)
            s++;
        assert_true(s < MAX_SUBJECTS);
        if (s == count)
            subjects[count++] = (met_subject){.example = c, .met = s % LAST_EVERY ? last : 0};
        if (tells_more(c, subjects[s].example))
            subjects[s].example = c;
        subjects[s].met |= engines_turns(i % groups);
    }
    return count;
}

/* What no case of an op or function meets in its groups is made up for: its example, in groups of its own. */
static void check_missed(engines *e, const met_subject *subjects, int count, int first, int step)
{
    int made = 0;

    for (int config = 0; config < ENGINE_CONFIGS; config++)
        for (int s = 0; s < count;) {
            group *g = calloc(1, sizeof *g);
            assert_non_null(g);
            for (; s < count && g->count < GROUP_CASES; s++)
                if (!(subjects[s].met >> config & 1))
                    group_add(g, subjects[s].example);
            if (g->count && made++ % step == first)
                engines_check(e, g, 1u << config);
            group_free(g);
            free(g);
        }
}

/* The groups that fall to this process: all, or of TANDEM_SHARD=2/3 every third from the second on. */
static void shard_of(int *first, int *step)
{
    const char *text = getenv("TANDEM_SHARD");
    int number = 1, count = 1;

    if (text && (sscanf(text, "%d/%d", &number, &count) != 2 || number < 1 || number > count))
        fail_msg("TANDEM_SHARD=%s is not NUMBER/COUNT", text);
    *first = number - 1;
    *step = count;
}

static void engines_agree(void **state)
{
    engines e;
    int groups = (list.count + GROUP_CASES - 1) / GROUP_CASES, first, step;
    const char *only = getenv("TANDEM_GROUP");
    static met_subject subjects[MAX_SUBJECTS];

    (void)state;
    shard_of(&first, &step);
    engines_open(&e);
    for (int i = first; i < groups; i += step)
        if (!only || atoi(only) == i)
            check_group(&e, i, groups);
    if (!only && !RT_ASAN)
        check_missed(&e, subjects, meet(subjects, groups), first, step);
    engines_close(&e);
}

/* ---- finite differences ---- */

/* All operands move along a random direction; the sums <value, upstream> and <gradient, upstream> must change
 * as gradients and second derivatives say. */
static void check_differences(tdm_context *ctx, const op_case *c)
{
    const double h = 1e-5;
    char name[256];
    double slope[2] = {0, 0}, size[2] = {0, 0}, at[2][2];
    group *g = calloc(2, sizeof *g), *moved = g + 1;

    assert_non_null(g);
    group_add(g, c);
    group_run(g, ctx);
    group_slopes(g, slope, size);
    for (int side = 0; side < 2; side++) {
        group_copy_moved(moved, g, side ? -h : h);
        group_run(moved, ctx);
        group_losses(moved, at[side]);
        group_free(moved);
    }
    for (int order = 0; order < 2; order++) {
        double expected = (at[0][order] - at[1][order]) / (2 * h);
        double scale = size[order] + 1e-3 * (1 + fabs(at[0][order]));
        if (!(fabs(slope[order] - expected) <= 3e-6 * scale))
            fail_msg("%s: derivative of order %d: %.12g, differences give %.12g (terms %.3g)",
                     case_text(c, name, sizeof name), order + 1, slope[order], expected, size[order]);
    }
    group_free(g);
    free(g);
}

static bool is_smooth_f64(const op_case *c)
{
    bool f64 = false, f32 = c->op == IR_convert && c->p[0] != IR_DT_f64;

    for (int k = 0; k < c->n; k++) {
        f64 |= c->in[k].type.dtype == IR_DT_f64;
        f32 |= c->in[k].type.dtype == IR_DT_f32;
    }
    return c->gradient && c->data == DATA_RANGE && f64 && !f32;
}

static void derivatives_agree_with_differences(void **state)
{
    tdm_context *ctx = tdm_context_new(&(tdm_options){.threads = 1});
    int checked = 0;

    (void)state;
    assert_non_null(ctx);
    for (int i = 0; i < list.count; i++)
        if (is_smooth_f64(&list.items[i])) {
            check_differences(ctx, &list.items[i]);
            checked++;
        }
    assert_true(partial || checked > 300);
    tdm_context_free(ctx);
}

/* ---- half precision ---- */

/* The case in f32, with c's data: its leaves are widened. */
static void copy_widened(group *to, const group *g, const op_case *wide)
{
    *to = *g;
    to->cases[0] = wide;
    to->value_count = 0;
    for (int k = 0; k < g->leaf_count; k++) {
        stored *s = &to->leaves[k];
        ir_dtype d = (ir_dtype)s->type.dtype;
        s->of = wide;
        s->data = malloc(ir_type_bytes(&s->type) * 2);
        assert_non_null(s->data);
        memcpy(s->data, g->leaves[k].data, ir_type_bytes(&s->type));
        if (!ir_dtype_is_half(d))
            continue;
        s->type.dtype = IR_DT_f32;
        for (int64_t i = 0; i < ir_type_elements(&s->type); i++)
            ((float *)s->data)[i] = (float)ir_element_get(d, (const uint16_t *)g->leaves[k].data + i);
    }
}

/* A first gradient is a few ops, each within half a unit in the last place of its result: together within 8
 * units of the largest element, or of 1, which is what the upstream gradient goes to and 1 - y^2 takes off.
 */
static void near_f32(const op_case *c, const stored *half, const stored *wide)
{
    ir_dtype d = (ir_dtype)half->type.dtype;
    double most = 1, unit = d == IR_DT_f16 ? 0x1p-10 : 0x1p-7;
    char name[256];

    for (int64_t i = 0; i < ir_type_elements(&wide->type); i++)
        most = fmax(most, fabs((double)((const float *)wide->data)[i]));
    for (int64_t i = 0; i < ir_type_elements(&wide->type); i++) {
        double want = (double)((const float *)wide->data)[i];
        double got = ir_element_get(d, (const uint16_t *)half->data + i);
        if (!(fabs(got - want) <= 8 * unit * most))
            fail_msg("%s: gradient element %lld: %.9g, in f32 %.9g (largest %.9g)",
                     case_text(c, name, sizeof name), (long long)i, got, want, most);
    }
}

static void check_half_gradients(tdm_context *ctx, const op_case *c)
{
    op_case wide = *c;
    group *g = calloc(2, sizeof *g), *w = g + 1;

    assert_non_null(g);
    for (int k = 0; k < c->n; k++)
        if (ir_dtype_is_half((ir_dtype)c->in[k].type.dtype))
            wide.in[k].type.dtype = IR_DT_f32;
    group_add(g, c);
    group_run(g, ctx);
    copy_widened(w, g, &wide);
    group_run(w, ctx);
    assert_int_equal(g->value_count, w->value_count);
    for (int v = 0; v < g->value_count; v++)
        if (g->values[v].order == 1 && g->values[v].data &&
            ir_dtype_is_half((ir_dtype)g->values[v].type.dtype))
            near_f32(c, &g->values[v], &w->values[v]);
    group_free(g);
    group_free(w);
    free(g);
}

static void half_gradients_are_near_those_of_f32(void **state)
{
    tdm_context *ctx = tdm_context_new(&(tdm_options){.threads = 1});
    int checked = 0;

    (void)state;
    assert_non_null(ctx);
    for (int i = 0; i < list.count; i++) {
        const op_case *c = &list.items[i];
        bool half = c->n > 0 && ir_dtype_is_half((ir_dtype)c->in[c->n - 1].type.dtype);
        if (!half || !c->gradient || c->data != DATA_RANGE || c->function || c->op == IR_convert)
            continue;
        if (ir_ops[c->op].cls != IR_POINTWISE && *ir_ops[c->op].kink) /* rounding makes new ties */
            continue;
        check_half_gradients(ctx, c);
        checked++;
    }
    assert_true(partial || checked > 100);
    tdm_context_free(ctx);
}

/* ---- refusals ---- */

/* The first error of the engine that builds c with operands of these types; "" if there is none. */
static void build_with(tdm_context *ctx, const op_case *c, const ir_type *types, bool symbolic,
                       char text[512])
{
    ir_val x[CASE_IN] = {0}, y[CASE_OUT] = {0};

    tdm_scope_open(ctx);
    tdm_graph *g = symbolic ? tdm_graph_open(ctx, "refused") : NULL;
    for (int i = 0; i < c->n; i++)
        x[i] = engine_filled(ctx, &types[i], i);
    c->build(engine_sink(ctx), c, x, y);
    const ir_error *e = symbolic ? &g->g->error : &ctx->rt.error;
    snprintf(text, 512, "%s", e->status ? e->text : "");
    tdm_clear_error(ctx);
    tdm_graph_free(g);
    tdm_scope_close(ctx);
}

/* Any single operand will do, or the operands only show the type of what is made. */
static bool takes_anything(const op_case *c)
{
    static const char *const names[] = {"input",
                                        "variable",
                                        "constant",
                                        "iota",
                                        "convert",
                                        "stop_gradient",
                                        "checkpoint",
                                        "pad",
                                        "reverse",
                                        "concat",
                                        "squeeze",
                                        "unsqueeze",
                                        "flatten",
                                        "movedim",
                                        "swapaxes",
                                        "flip",
                                        "tile",
                                        "repeat_interleave",
                                        "roll",
                                        "tril",
                                        "triu",
                                        "diagonal",
                                        "diag",
                                        "trace",
                                        "eye",
                                        "causal_mask",
                                        "linspace",
                                        "index_select",
                                        "take_along_axis",
                                        "gather_nd",
                                        "count_nonzero"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(subject(c), names[i]) == 0)
            return true;
    return false;
}

static bool is_random(const op_case *c)
{
    return c->n == 2 && c->in[0].type.dtype == IR_DT_u32 && c->in[0].type.dims[0] == 4;
}

/* Optimiser steps: the gradient comes second; states, last, may be unused. */
static bool has_states(const op_case *c)
{
    static const char *const names[] = {"sgd", "adam", "rmsprop"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(subject(c), names[i]) == 0)
            return true;
    return false;
}

/* The last operand (of random ops the state) becomes one that can't be right. */
static void wrong_types_are_refused(void **state)
{
    tdm_context *ctx = tdm_context_new(&(tdm_options){.threads = 1});
    char text[512];
    int checked = 0;

    (void)state;
    assert_non_null(ctx);
    for (int i = 0; i < list.count; i++) {
        const op_case *c = &list.items[i];
        ir_type types[CASE_IN];
        int wrong = is_random(c) ? 0 : has_states(c) ? 1 : c->n - 1;
        if (takes_anything(c) || (i > 0 && strcmp(subject(c), subject(c - 1)) == 0))
            continue;
        for (int k = 0; k < c->n; k++)
            types[k] = c->in[k].type;
        types[wrong] = CASE_T(bool, 2, 3, 2, 3, 2);
        if (c->op == IR_not || c->op == IR_reduce_all || c->op == IR_reduce_any)
            types[wrong].dtype = IR_DT_f32;
        for (int symbolic = 0; symbolic < 2; symbolic++) {
            build_with(ctx, c, types, symbolic, text);
            /* a transpose of another rank has a perm of zeros: the message is about that */
            if (!strstr(text, c->op == IR_transpose ? "transpose: perm" : "[2,3,2,3,2]"))
                fail_msg("%s with an operand %s[2,3,2,3,2]: '%s'", subject(c),
                         ir_dtype_name((ir_dtype)types[wrong].dtype), text);
        }
        checked++;
    }
    assert_true(partial || checked > 60);
    tdm_context_free(ctx);
}

static void padding_by_less_than_nothing_is_refused(void **state)
{
    tdm_context *ctx = tdm_context_new(&(tdm_options){.threads = 1});
    ir_type t = CASE_T(f32, 3, 5);
    char text[512];

    (void)state;
    assert_non_null(ctx);
    for (int i = 0; i < list.count; i++)
        if (list.items[i].op == IR_pad && list.items[i].in[0].type.rank == 2) {
            op_case c = list.items[i];
            c.p[1] = -1;
            for (int symbolic = 0; symbolic < 2; symbolic++) {
                build_with(ctx, &c, &t, symbolic, text);
                assert_non_null(strstr(text, "pad: axis 1: low -1"));
            }
        }
    tdm_context_free(ctx);
}

static void wrong_numbers_of_operands_are_refused(void **state)
{
    tdm_context *ctx = tdm_context_new(&(tdm_options){.threads = 1});
    ir_type t = CASE_T(f32, 3);

    (void)state;
    assert_non_null(ctx);
    for (int op = 0; op < IR_OP_COUNT; op++)
        for (int n = 0; n <= 4; n++) {
            ir_attrs a = {.type = t};
            ir_val x[4];
            if (n == ir_ops[op].arity || ir_ops[op].arity < 0)
                continue;
            for (int i = 0; i < n; i++)
                x[i] = engine_filled(ctx, &t, i);
            assert_int_equal(ir_emit(&ctx->rt.sink, (ir_op)op, &a, x, n), 0);
            if (!strstr(tdm_error(ctx), ir_ops[op].name))
                fail_msg("%s with %d operands: '%s'", ir_ops[op].name, n, tdm_error(ctx));
            tdm_clear_error(ctx);
        }
    tdm_context_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op_and_composite_has_cases),
        cmocka_unit_test(engines_agree),
        cmocka_unit_test(derivatives_agree_with_differences),
        cmocka_unit_test(half_gradients_are_near_those_of_f32),
        cmocka_unit_test(wrong_types_are_refused),
        cmocka_unit_test(padding_by_less_than_nothing_is_refused),
        cmocka_unit_test(wrong_numbers_of_operands_are_refused),
    };

    cases_all(&list);
    if (getenv("TANDEM_CASES"))
        keep_named(getenv("TANDEM_CASES"));
    /* The other shards leave what does not compile to the first. */
    const struct CMUnitTest compiling[] = {cmocka_unit_test(engines_agree)};
    int first, step;
    shard_of(&first, &step);
    int failed = first == 0 ? cmocka_run_group_tests(tests, NULL, NULL)
                            : cmocka_run_group_tests(compiling, NULL, NULL);
    cases_free(&list);
    return failed;
}
