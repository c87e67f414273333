/* tests/engines/lib_engines.c: cases on both engines (lib_engines.h).
 *
 * The eager run of a group makes the data of its leaves and keeps all results in a fixed order; the graph
 * takes the same leaves in the same order and makes outputs of the same results.  It is printed once, and
 * parsed into the context of every configuration. */
#include "tests/engines/lib_engines.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/lib_graphs.h"
#include "ir/lib_interp.h"
#include "runtime/eager.h"

/* Neighbours differ as much as can be.  The last one, where every fma is a call for each lane, takes a dozen
 * times as long to compile as the first and has no turns. */
const engine_config engine_configs[ENGINE_CONFIGS] = {
    {.width = 16, .threads = 2},
    {.width = 8, .threads = 1},
    {.width = 1, .threads = 2},
    {.width = 4, .threads = 1},
    {.isa = "x86-64-v3", .width = 8, .threads = 2},
    {.width = 16, .threads = 1},
    {.width = 4, .threads = 2},
    {.width = 1, .threads = 1, .races = true},
    {.width = 8, .threads = 2, .races = true},
    {.isa = "x86-64-v3", .width = 16, .threads = 1},
    {.isa = "x86-64", .width = 4, .threads = 1},
    {.isa = "x86-64", .width = 16, .threads = 2},
};
enum { TURNS = ENGINE_CONFIGS - 1 };

unsigned engines_turns(int number)
{
    const char *text = getenv("TANDEM_TEST_CONFIGS");
    int n = text ? atoi(text) : 1;
    unsigned turns = 0;

    if (n >= ENGINE_CONFIGS)
        return (1u << ENGINE_CONFIGS) - 1;
    if (RT_ASAN && !text) /* two of four, so that both shards have some */
        return number / 2 % 2 ? 0 : 1u << (number / 4 * 2 + number % 2) % TURNS;
    for (int k = 0; k < n; k++)
        turns |= 1u << (number * n + k) % TURNS;
    return turns;
}

void group_add(group *g, const op_case *c)
{
    assert_true(g->count < GROUP_CASES);
    g->cases[g->count++] = c;
}

static void free_values(group *g)
{
    for (int i = 0; i < g->value_count; i++)
        free(g->values[i].data);
    g->value_count = 0;
}

void group_free(group *g)
{
    for (int i = 0; i < g->leaf_count; i++)
        free(g->leaves[i].data);
    free_values(g);
    g->leaf_count = 0;
}

/* ---- one case on either engine ---- */

typedef struct engine {
    tdm_context *ctx;
    group *g;
    int next;          /* leaf */
    int next_value;    /* graph: result */
    const op_case *of; /* case being run */
} engine;

static tdm_context *last;

ir_sink *engine_sink(tdm_context *ctx)
{
    last = ctx;
    return ctx->open ? &ctx->open->g->sink : &ctx->rt.sink;
}

const ir_custom *engine_custom(const char *name)
{
    if (!fe_custom_find(last, name))
        tdm_custom_register(last, &engine_custom_op);
    return fe_custom_find(last, name);
}

static ir_val value_of(const tdm_tensor *t)
{
    return t->graph ? ir_val_of(t->ref) : rt_val(t);
}

static tdm_tensor *tensor_of(tdm_context *ctx, ir_val v)
{
    return ctx->open ? fe_symbolic(ctx->open, ir_ref_of(v)) : rt_tensor_of(v);
}

static tdm_dims dims_of(const ir_type *t)
{
    tdm_dims d = {.rank = t->rank};

    memcpy(d.dims, t->dims, sizeof d.dims);
    return d;
}

static void no_error(tdm_context *ctx, const op_case *c, const char *where)
{
    char text[256];

    if (ctx->open && ctx->open->g->error.status != IR_OK)
        fail_msg("%s: %s: %s", case_text(c, text, sizeof text), where, ctx->open->g->error.text);
    if (!tdm_ok(ctx))
        fail_msg("%s: %s: %s", case_text(c, text, sizeof text), where, tdm_error(ctx));
}

/* How a graph takes leaf i. */
typedef enum { LEAF_INPUT, LEAF_VARIABLE, LEAF_CONSTANT } leaf_kind;

static leaf_kind kind_of(const group *g, int i)
{
    if (g->leaves[i].of->op == IR_variable || i % 3 == 2)
        return LEAF_VARIABLE;
    return g->constants && i % 3 == 1 && ir_type_elements(&g->leaves[i].type) < 400 ? LEAF_CONSTANT
                                                                                    : LEAF_INPUT;
}

/* The next operand or upstream gradient. */
static tdm_tensor *leaf(engine *e, const ir_type *t, int in, int order)
{
    stored *s = &e->g->leaves[e->next++];
    tdm_context *ctx = e->ctx;
    bool real = ir_dtype_is_float((ir_dtype)t->dtype);

    assert_true(e->next <= GROUP_LEAVES);
    if (!e->g->filled) {
        *s = (stored){.type = *t, .data = malloc(ir_type_bytes(t)), .in = in, .of = e->of, .order = order};
        assert_non_null(s->data);
        snprintf(s->name, sizeof s->name, "a%d", e->next - 1);
        case_fill(e->of, in, t, s->data, (uint32_t)(e->next + 31 * e->of->in[0].type.dims[0]));
        e->g->leaf_count = e->next;
    }
    assert_true(ir_type_eq(&s->type, t));
    if (ctx->open && kind_of(e->g, e->next - 1) == LEAF_VARIABLE) {
        ir_ref r = ir_graph_variable(ctx->open->g, s->name, t);
        assert_true(r != IR_NONE);
        return fe_symbolic(ctx->open, r);
    }
    if (ctx->open && kind_of(e->g, e->next - 1) == LEAF_INPUT)
        return tdm_input(ctx, s->name, (tdm_dtype)t->dtype, dims_of(t), (tdm_loc){__FILE__, __LINE__});
    tdm_tensor *x = tdm_from_data(ctx, (tdm_dtype)t->dtype, dims_of(t), s->data, (tdm_loc){NULL, 0});
    return real && e->of->gradient && !ctx->open ? tdm_requires_grad(x, true) : x;
}

/* Returns its number. */
static int keep_value(engine *e, tdm_tensor *t, int order, int grad_of)
{
    group *g = e->g;
    tdm_context *ctx = e->ctx;

    if (ctx->open) {
        const stored *s = &g->values[e->next_value++];
        char text[256];
        assert_true(e->next_value <= g->value_count);
        if (!t != !s->data)
            fail_msg("%s: a gradient of order %d is %s, but %s on the tape",
                     case_text(e->of, text, sizeof text), order, t ? "there" : "none",
                     s->data ? "there" : "none");
        if (t)
            tdm_output(ctx, s->name, t, (tdm_loc){NULL, 0});
        return e->next_value - 1;
    }
    stored *s = &g->values[g->value_count++];
    assert_true(g->value_count <= GROUP_VALUES);
    *s = (stored){.of = e->of, .order = order, .grad_of = grad_of, .upstream = -1};
    snprintf(s->name, sizeof s->name, "%c%d", "yghi"[order], g -> value_count - 1);
    if (!t)
        return g->value_count - 1;
    s->type = t->a.type;
    s->data = malloc(ir_type_bytes(&s->type));
    assert_non_null(s->data);
    assert_int_equal(tdm_read(t, s->data, ir_type_bytes(&s->type)), TDM_OK);
    return g->value_count - 1;
}

enum { MAX_WRT = CASE_IN + CASE_OUT };

typedef struct wanted {
    tdm_tensor *t[MAX_WRT];
    int leaf[MAX_WRT];
    int n;
} wanted;

static bool is_real(const tdm_tensor *t)
{
    return ir_dtype_is_float((ir_dtype)t->a.type.dtype);
}

static void want(wanted *w, tdm_tensor *t, int leaf)
{
    if (is_real(t)) {
        w->leaf[w->n] = leaf;
        w->t[w->n++] = t;
    }
}

/* Results that are differentiated. */
typedef struct results {
    tdm_tensor *t[MAX_WRT];
    int value[MAX_WRT];
    int n;
} results;

/* The gradients of outs by w, with new upstream leaves that are appended to w; values gets their numbers. */
static void differentiate(engine *e, const results *outs, wanted *w, int order, tdm_tensor **grads,
                          int *values)
{
    tdm_tensor *douts[MAX_WRT];
    int count = w->n;
    unsigned flags = TDM_ALLOW_UNUSED | (order == 1 ? TDM_CREATE_GRAPH : 0);

    for (int i = 0; i < outs->n; i++) {
        int number = e->next;
        douts[i] = leaf(e, &outs->t[i]->a.type, -1, order);
        e->g->values[outs->value[i]].upstream = number;
        if (order == 1)
            want(w, douts[i], number);
    }
    tdm_gradients(outs->t, douts, outs->n, w->t, count, grads, flags, (tdm_loc){NULL, 0});
    no_error(e->ctx, e->of, order == 1 ? "gradient" : "second derivative");
    for (int i = 0; i < count; i++)
        values[i] = keep_value(e, grads[i], order, w->leaf[i]);
}

static results forward(engine *e, wanted *w)
{
    const op_case *c = e->of;
    ir_val x[CASE_IN] = {0}, y[CASE_OUT] = {0};
    results outs = {.n = 0};

    for (int i = 0; i < c->n; i++) {
        int at = e->next;
        tdm_tensor *t = leaf(e, &c->in[i].type, i, 0);
        no_error(e->ctx, c, "operand");
        x[i] = value_of(t);
        want(w, t, at);
    }
    c->build(engine_sink(e->ctx), c, x, y);
    no_error(e->ctx, c, "build");
    assert_true(y[0] != 0);
    for (int i = 0; i < CASE_OUT && y[i]; i++) {
        tdm_tensor *t = tensor_of(e->ctx, y[i]);
        outs.value[outs.n] = keep_value(e, t, 0, -1);
        outs.t[outs.n] = t;
        outs.n += is_real(t);
    }
    return outs;
}

static void run_case(engine *e, int number)
{
    tdm_tensor *grads[MAX_WRT];
    int values[MAX_WRT];
    wanted w = {.n = 0};

    e->of = e->g->cases[number];
    results outs = forward(e, &w), second = {.n = 0};
    if (!e->of->gradient)
        return;
    int first = w.n;
    differentiate(e, &outs, &w, 1, grads, values);
    if (!e->ctx->open) {
        e->g->again[number] = 0;
        for (int i = 0; i < first; i++)
            if (grads[i] && grads[i]->requires_grad)
                e->g->again[number] |= 1u << i;
    }
    for (int i = 0; i < first; i++)
        if (e->g->again[number] >> i & 1) {
            second.t[second.n] = grads[i];
            second.value[second.n++] = values[i];
        }
    if (second.n)
        differentiate(e, &second, &w, 2, grads, values);
}

void group_run(group *g, tdm_context *ctx)
{
    engine e = {.ctx = ctx, .g = g};

    free_values(g);
    for (int i = 0; i < g->count; i++) {
        tdm_scope_open(ctx);
        run_case(&e, i);
        tdm_scope_close(ctx);
    }
    g->filled = true;
}

tdm_graph *group_graph(group *g, tdm_context *ctx)
{
    engine e = {.ctx = ctx, .g = g};

    tdm_scope_open(ctx);
    tdm_graph *graph = tdm_graph_open(ctx, "cases");
    assert_non_null(graph);
    for (int i = 0; i < g->count; i++)
        run_case(&e, i);
    assert_int_equal(e.next, g->leaf_count);
    assert_int_equal(e.next_value, g->value_count);
    tdm_graph_close(ctx);
    no_error(ctx, g->cases[0], "close");
    tdm_scope_close(ctx);
    return graph;
}

ir_val engine_filled(tdm_context *ctx, const ir_type *t, int i)
{
    char name[16];
    const tdm_loc nowhere = {NULL, 0};

    snprintf(name, sizeof name, "x%d", i);
    return value_of(ctx->open ? tdm_input(ctx, name, (tdm_dtype)t->dtype, dims_of(t), nowhere)
                              : tdm_full(ctx, (tdm_dtype)t->dtype, dims_of(t), 1, nowhere));
}

/* ---- finite differences ---- */

/* The direction in which element i of leaf k moves. */
static double direction(int k, int64_t i)
{
    uint32_t h = (uint32_t)(k * 7919 + i) * 2654435761u;

    return (double)(h >> 8) * 0x1p-23 - 1;
}

/* Is the first or second derivative by this leaf known? */
static bool moves(const group *g, int k, int order)
{
    for (int i = 0; i < g->value_count; i++)
        if (g->values[i].order == order && g->values[i].grad_of == k)
            return true;
    return false;
}

void group_copy_moved(group *to, const group *g, double h)
{
    *to = *g;
    to->value_count = 0;
    for (int k = 0; k < g->leaf_count; k++) {
        stored *s = &to->leaves[k];
        size_t bytes = ir_type_bytes(&s->type);
        s->data = malloc(bytes);
        assert_non_null(s->data);
        memcpy(s->data, g->leaves[k].data, bytes);
        if (h == 0 || s->type.dtype != IR_DT_f64 || s->order != 0 || !moves(g, k, 1))
            continue;
        for (int64_t i = 0; i < ir_type_elements(&s->type); i++)
            ((double *)s->data)[i] += h * direction(k, i);
    }
}

void group_slopes(const group *g, double slope[2], double size[2])
{
    for (int v = 0; v < g->value_count; v++) {
        const stored *s = &g->values[v];
        if (s->order == 0 || !s->data || g->leaves[s->grad_of].order != 0)
            continue;
        for (int64_t i = 0; i < ir_type_elements(&s->type); i++) {
            double term = ((const double *)s->data)[i] * direction(s->grad_of, i);
            slope[s->order - 1] += term;
            size[s->order - 1] += fabs(term);
        }
    }
}

void group_losses(const group *g, double loss[2])
{
    loss[0] = loss[1] = 0;
    for (int v = 0; v < g->value_count; v++) {
        const stored *s = &g->values[v];
        if (s->upstream < 0)
            continue;
        const double *c = g->leaves[s->upstream].data, *y = s->data;
        for (int64_t i = 0; i < ir_type_elements(&s->type); i++)
            loss[s->order] += y[i] * c[i];
    }
}

/* ---- all engines ---- */

static tdm_context *context_of(const engine_config *c, bool eager)
{
    tdm_options o = {.threads = c->threads,
                     .isa = c->isa,
                     .width = eager ? 0 : c->width,
                     .check_races = !eager && c->races};
    tdm_context *ctx = tdm_context_new(&o);

    assert_non_null(ctx);
    if (tdm_custom_register(ctx, &engine_custom_op) == TDM_OK)
        return ctx;
    tdm_context_free(ctx);
    return NULL;
}

tdm_context *engines_context(int width)
{
    tdm_context *ctx = context_of(&(engine_config){.width = width, .threads = 1}, false);

    assert_non_null(ctx);
    return ctx;
}

void engines_open(engines *e)
{
    const engine_config plain = {.threads = 1};

    *e = (engines){.eager = context_of(&plain, true)};
    assert_non_null(e->eager);
    for (int i = 0; i < ENGINE_CONFIGS; i++)
        e->compiled[i] = context_of(&engine_configs[i], false);
}

void engines_close(engines *e)
{
    tdm_context_free(e->eager);
    for (int i = 0; i < ENGINE_CONFIGS; i++)
        if (e->compiled[i])
            tdm_context_free(e->compiled[i]);
}

/* The case alone as a graph, for `tandem compare`. */
static void save_case(engines *e, const op_case *c)
{
    group *one = calloc(1, sizeof *one);

    assert_non_null(one);
    group_add(one, c);
    group_run(one, e->eager);
    tdm_graph *graph = group_graph(one, e->eager);
    char *text = tdm_graph_text(graph);
    FILE *f = fopen(TANDEM_BUILD_DIR "/failed_case.tdm", "w");
    if (f && text) {
        fputs(text, f);
        print_message("%s\nwritten to %s/failed_case.tdm\n", text, TANDEM_BUILD_DIR);
    }
    if (f)
        fclose(f);
    tdm_text_free(text);
    tdm_graph_free(graph);
    group_free(one);
    free(one);
}

static void compare(engines *e, const char *how, const stored *want, const ir_type *type, const void *got)
{
    static const char *const orders[] = {"value", "gradient", "second derivative"};
    char text[256];
    int64_t at = 0;

    if (!ir_type_eq(&want->type, type))
        fail_msg("%s: %s: %s has another type", how, case_text(want->of, text, sizeof text),
                 orders[want->order]);
    if (graphs_same_bits(type, want->data, got, &at))
        return;
    save_case(e, want->of);
    fail_msg("%s: %s: %s: element %lld is %.17g, eager %.17g", how, case_text(want->of, text, sizeof text),
             orders[want->order], (long long)at, interp_element(got, (ir_dtype)type->dtype, at),
             interp_element(want->data, (ir_dtype)type->dtype, at));
}

static void compare_groups(engines *e, const char *how, const group *want, const group *got)
{
    assert_int_equal(want->value_count, got->value_count);
    for (int i = 0; i < want->value_count; i++) {
        assert_int_equal(!want->values[i].data, !got->values[i].data);
        if (got->values[i].data)
            compare(e, how, &want->values[i], &got->values[i].type, got->values[i].data);
    }
}

void engines_bind(tdm_exec *x, tdm_context *ctx, const group *g)
{
    for (int i = 0; i < g->leaf_count; i++) {
        const stored *s = &g->leaves[i];
        tdm_tensor *t =
            tdm_from_data(ctx, (tdm_dtype)s->type.dtype, dims_of(&s->type), s->data, (tdm_loc){NULL, 0});
        leaf_kind kind = kind_of(g, i);
        if (kind == LEAF_VARIABLE)
            tdm_exec_bind_variable(x, s->name, t);
        else if (kind == LEAF_INPUT)
            tdm_exec_bind(x, s->name, t);
    }
}

/* The graph in one configuration, run twice: the second run finds what the first left in memory. */
static void check_compiled(engines *e, int i, const group *g, const char *text)
{
    tdm_context *ctx = e->compiled[i];
    const engine_config *c = &engine_configs[i];
    char name[64];

    snprintf(name, sizeof name, "compiled, isa %s, width %d, threads %d", c->isa ? c->isa : "host", c->width,
             c->threads);
    tdm_scope_open(ctx);
    tdm_graph *graph = tdm_graph_parse(ctx, text, strlen(text), "cases.tdm");
    tdm_program *p = graph ? tdm_compile(graph, NULL) : NULL;
    tdm_exec *x = p ? tdm_exec_new(p) : NULL;
    if (!x)
        fail_msg("%s: %s", name, tdm_error(ctx));
    engines_bind(x, ctx, g);
    for (int run = 0; run < 2; run++) {
        tdm_exec_run(x);
        no_error(ctx, g->cases[0], name);
        for (int v = 0; v < g->value_count; v++)
            if (g->values[v].data) {
                tdm_tensor *t = tdm_exec_output(x, g->values[v].name);
                no_error(ctx, g->values[v].of, "output");
                compare(e, name, &g->values[v], &t->a.type, t->a.data);
            }
    }
    tdm_exec_free(x);
    tdm_program_free(p);
    tdm_graph_free(graph);
    tdm_scope_close(ctx);
}

/* Caller frees the text with tdm_text_free. */
static char *printed(engines *e, const group *g, tdm_graph *graph)
{
    char *text = tdm_graph_text(graph);

    assert_non_null(text);
    tdm_graph *again = tdm_graph_parse(e->eager, text, strlen(text), "cases.tdm");
    no_error(e->eager, g->cases[0], "parse");
    char *second = tdm_graph_text(again);
    assert_non_null(second);
    assert_string_equal(text, second);
    tdm_text_free(second);
    tdm_graph_free(again);
    return text;
}

static void check_eager(engines *e, int i, const group *g)
{
    group *other = malloc(sizeof *other);

    assert_non_null(other);
    group_copy_moved(other, g, 0);
    group_run(other, e->compiled[i]);
    compare_groups(e, i == 0 ? "eager, two threads" : engine_configs[i].isa, g, other);
    group_free(other);
    free(other);
}

void engines_check(engines *e, group *g, unsigned configs)
{
    group_run(g, e->eager);
    for (int i = 0; i < ENGINE_CONFIGS; i++)
        if (e->compiled[i] && (i == 0 || engine_configs[i].isa))
            check_eager(e, i, g);
    tdm_graph *graph = group_graph(g, e->eager);
    char *text = printed(e, g, graph);
    for (int i = 0; i < ENGINE_CONFIGS; i++)
        if (configs >> i & 1)
            check_compiled(e, e->compiled[i] ? i : 0, g, text);
    tdm_text_free(text);
    tdm_graph_free(graph);
}
