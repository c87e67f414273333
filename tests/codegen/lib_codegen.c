/* tests/codegen/lib_codegen.c: compiled code against the eager engine (lib_codegen.h).
 *
 * Every array ends at a page that can't be touched and begins after bytes that must not change, so a read or
 * write past either end is caught. */
#include "tests/codegen/lib_codegen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "passes/passes.h"
#include "tests/passes/lib_eval.h"

const cg_host test_host = {.jobs = rt_jobs};

const test_config test_configs[] = {{NULL, 0, 2},     {NULL, 8, 1},        {NULL, 4, 1},
                                    {NULL, 1, 1},     {"x86-64-v3", 0, 1}, {"x86-64-v3", 16, 2},
                                    {"x86-64", 0, 1}, {"x86-64", 16, 1}};
const int test_config_count = (int)(sizeof test_configs / sizeof test_configs[0]);

/* ---- graphs ---- */

ir_type test_type(ir_dtype d, const int64_t *dims)
{
    int rank = 0;

    while (dims[rank])
        rank++;
    return ir_type_make(d, rank, dims);
}

ir_val test_input(ir_graph *g, const char *name, ir_type t)
{
    return ir_val_of(ir_graph_input(g, name, &t));
}

void test_output(ir_graph *g, ir_val v)
{
    char name[32];

    assert_true(v != 0);
    snprintf(name, sizeof name, "out%d", g->output_count);
    assert_int_equal(ir_graph_output(g, name, ir_ref_of(v)), IR_OK);
}

static bool is_leaf(const ir_node *n)
{
    return ir_ops[n->op].cls == IR_LEAF && !ir_is_immediate(n);
}

void test_one_kernel(ir_graph *g, ir_kernel_kind kind, ir_val root)
{
    ir_ref *nodes = ir_graph_alloc(g, g->count * sizeof *nodes),
           *outs = ir_graph_alloc(g, g->count * sizeof *outs);
    ir_buffer *buffers = ir_graph_alloc(g, g->count * sizeof *buffers);
    ir_kernel *k = ir_graph_alloc(g, sizeof *k);
    int constants = 0, inputs = 0;

    assert_int_equal(g->error.status, IR_OK);
    *k = (ir_kernel){.kind = kind, .name = "k0_test", .nodes = nodes, .outs = outs, .root = ir_ref_of(root)};
    for (ir_ref r = 0; r < g->count; r++) {
        const ir_node *n = &g->nodes[r];
        ir_buffer b = {.node = r, .bytes = ir_type_bytes(&n->type), .alias = IR_NONE};
        int out = -1;
        for (int o = 0; o < g->output_count; o++)
            if (g->outputs[o].value == r)
                out = o;
        if (!is_leaf(n))
            nodes[k->node_count++] = r;
        if (n->op == IR_input || n->op == IR_variable) {
            b.kind = IR_B_ARGUMENT;
            b.index = inputs++;
        } else if (is_leaf(n)) {
            b.kind = IR_B_CONSTANT;
            b.index = constants++;
        } else if (out >= 0) {
            b.kind = IR_B_OUTPUT;
            b.index = out;
            outs[k->out_count++] = r;
        } else {
            continue;
        }
        buffers[g->buffers.count++] = b;
    }
    g->buffers.items = buffers;
    g->kernels = (ir_kernel_list){.items = k, .count = 1};
    assert_true(ir_kernel_walk(g, k, NULL, NULL));
}

ir_graph *test_fuse_plan(ir_graph *g)
{
    ir_error e = {0};
    pass_context pc = {.eval = test_eval, .err = &e};
    const pass_info *passes[2] = {pass_find("fuse"), pass_find("plan")};
    ir_graph *out = pass_run(&pc, g, passes, 2, NULL, NULL, NULL, NULL);

    if (!out)
        fail_msg("%s", e.text);
    ir_graph_free(g);
    return out;
}

/* ---- guarded memory ---- */

enum { PAGE = 4096, FENCE = 64 };

typedef struct guarded {
    unsigned char *map, *data;
    size_t map_bytes, bytes;
} guarded;

static guarded guard(size_t bytes)
{
    guarded m = {.bytes = bytes};
    size_t pages = (bytes + FENCE + PAGE - 1) / PAGE * PAGE;

    m.map_bytes = pages + PAGE;
    m.map = mmap(NULL, m.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(m.map != MAP_FAILED);
    assert_int_equal(mprotect(m.map + pages, PAGE, PROT_NONE), 0);
    m.data = m.map + pages - bytes;
    memset(m.map, 0xA5, pages);
    return m;
}

static void release(guarded *m)
{
    for (unsigned char *p = m->map; p < m->data; p++)
        if (*p != 0xA5)
            fail_msg("a byte %td before the array changed", m->data - p);
    munmap(m->map, m->map_bytes);
}

/* ---- values ---- */

static uint32_t next_random(uint32_t *s)
{
    *s = *s * 1664525u + 1013904223u;
    return *s >> 8;
}

static double random_number(uint32_t *s, bool special)
{
    static const double odd[] = {
        0.0, -0.0, 1.0, -1.0, 1e30, -1e30, __builtin_inf(), -__builtin_inf(), __builtin_nan("")};
    uint32_t r = next_random(s);

    if (special && r % 7 == 0)
        return odd[next_random(s) % (sizeof odd / sizeof odd[0])];
    return (double)r / 4194304.0 - 2.0;
}

static void fill(const ir_type *t, void *data, uint32_t seed, bool special)
{
    uint32_t s = seed * 2654435761u + 1;

    for (int64_t i = 0; i < ir_type_elements(t); i++) {
        switch (t->dtype) {
        case IR_DT_bool: ((uint8_t *)data)[i] = next_random(&s) & 1; break;
        case IR_DT_u8: ((uint8_t *)data)[i] = (uint8_t)next_random(&s); break;
        case IR_DT_u32: ((uint32_t *)data)[i] = next_random(&s) * 2654435761u; break;
        case IR_DT_i32: ((int32_t *)data)[i] = (int32_t)(next_random(&s) % 40) - 8; break;
        case IR_DT_i64: ((int64_t *)data)[i] = (int64_t)(next_random(&s) % 40) - 8; break;
        case IR_DT_f32: ((float *)data)[i] = (float)random_number(&s, special); break;
        default:
            ir_element_set((ir_dtype)t->dtype, (char *)data + (size_t)i * ir_dtype_size((ir_dtype)t->dtype),
                           random_number(&s, special));
        }
    }
}

static void expand_constant(const ir_node *n, void *data)
{
    size_t size = ir_dtype_size((ir_dtype)n->type.dtype), bytes = ir_type_bytes(&n->type);

    for (size_t at = 0; at < bytes; at += size)
        memcpy((char *)data + at, (const char *)n->attrs->constant.data + (n->attrs->splat ? 0 : at), size);
}

/* Values of all nodes by the eager kernels. */
static void **reference(const ir_graph *g, bool special)
{
    rt_engine engine = {.level = rt_level_best()};
    void **values = calloc(g->count, sizeof *values);
    uint32_t seed = 1;

    for (ir_ref r = 0; r < g->count; r++) {
        const ir_node *n = &g->nodes[r];
        rt_array x[8], y;
        const rt_array *px[8];
        values[r] = malloc(ir_type_bytes(&n->type) + 64);
        y = rt_array_of(&n->type, values[r]);
        if (n->op == IR_input || n->op == IR_variable) {
            fill(&n->type, values[r], seed++, special);
        } else if (n->op == IR_constant) {
            expand_constant(n, values[r]);
        } else {
            for (int i = 0; i < n->n; i++) {
                x[i] = rt_array_of(&g->nodes[n->x[i]].type, values[n->x[i]]);
                px[i] = &x[i];
            }
            assert_int_equal(rt_compute(&engine, n->op, n->attrs, px, n->n, &y), IR_OK);
        }
    }
    return values;
}

static void free_values(const ir_graph *g, void **values)
{
    for (ir_ref r = 0; r < g->count; r++)
        free(values[r]);
    free(values);
}

/* The number of the first element that differs, or -1. */
static int64_t first_difference(const ir_type *t, const void *a, const void *b)
{
    size_t size = ir_dtype_size((ir_dtype)t->dtype);

    for (int64_t i = 0; i < ir_type_elements(t); i++) {
        const char *p = (const char *)a + (size_t)i * size, *q = (const char *)b + (size_t)i * size;
        if (memcmp(p, q, size) == 0)
            continue;
        bool nan = (t->dtype == IR_DT_f32 && *(const float *)p != *(const float *)p &&
                    *(const float *)q != *(const float *)q) ||
                   (t->dtype == IR_DT_f64 && *(const double *)p != *(const double *)p &&
                    *(const double *)q != *(const double *)q);
        if (!nan)
            return i;
    }
    return -1;
}

static double element(const ir_type *t, const void *a, int64_t i)
{
    switch (t->dtype) {
    case IR_DT_bool:
    case IR_DT_u8: return ((const uint8_t *)a)[i];
    case IR_DT_u32: return ((const uint32_t *)a)[i];
    case IR_DT_i32: return ((const int32_t *)a)[i];
    case IR_DT_i64: return (double)((const int64_t *)a)[i];
    case IR_DT_f32: return (double)((const float *)a)[i];
    default: return ((const double *)a)[i];
    }
}

static void report(const ir_graph *g, const test_config *config, const char *how, const char *what, ir_ref r,
                   int64_t i, const void *got, const void *want)
{
    char *text = NULL, type[128];
    ir_error e = {0};
    const ir_type *t = &g->nodes[r].type;

    ir_print(g, &text, &e);
    fprintf(stderr, "%s\n", text ? text : "");
    free(text);
    fail_msg("isa %s, lanes %d, %s: %s %s, element %lld: compiled %.9g, eager %.9g",
             config->isa ? config->isa : "host", config->lanes, how, what,
             ir_type_text(t, NULL, type, sizeof type), (long long)i, element(t, got, i), element(t, want, i));
}

/* ---- running ---- */

typedef struct test_loading {
    rt_program *p;
    bool debug;
} test_loading;

typedef struct arrays {
    guarded *args; /* args[0] the arena, then inputs and outputs */
    int count;
} arrays;

static arrays bind_arrays(const ir_graph *g, rt_exec *x, void **values)
{
    arrays a = {.count = 1 + g->input_count + g->output_count};

    a.args = calloc((size_t)a.count, sizeof *a.args);
    for (int i = 0; i < a.count; i++) {
        size_t bytes = (g->buffers.arena_bytes + 63) / 64 * 64;
        if (i > 0 && i <= g->input_count)
            bytes = ir_type_bytes(&g->nodes[g->inputs[i - 1]].type);
        else if (i > g->input_count)
            bytes = ir_type_bytes(&g->nodes[g->outputs[i - 1 - g->input_count].value].type);
        a.args[i] = guard(bytes);
        if (i > 0 && i <= g->input_count)
            memcpy(a.args[i].data, values[g->inputs[i - 1]], bytes);
        x->args[i] = a.args[i].data;
    }
    return a;
}

static void compare_arrays(const ir_graph *g, const test_config *config, const char *how, const arrays *a,
                           void **values)
{
    for (int o = 0; o < g->output_count; o++) {
        ir_ref r = g->outputs[o].value;
        const void *got = a->args[1 + g->input_count + o].data;
        int64_t i = first_difference(&g->nodes[r].type, got, values[r]);
        if (i >= 0)
            report(g, config, how, g->outputs[o].name, r, i, got, values[r]);
    }
    for (int v = 0; v < g->input_count; v++) {
        ir_ref want = g->inputs[v];
        for (int s = 0; s < g->assign_count; s++)
            if (g->assigns[s].variable == g->inputs[v])
                want = g->assigns[s].value;
        const void *got = a->args[1 + v].data;
        int64_t i = first_difference(&g->nodes[want].type, got, values[want]);
        if (i >= 0)
            report(g, config, how, "input or variable", want, i, got, values[want]);
    }
}

/* Three chunks of uneven size, the last one first: no chunk may depend on another. */
static void run_chunks(rt_exec *x)
{
    for (int i = 0; i < x->program->kernel_count; i++) {
        const rt_program_kernel *k = &x->program->kernels[i];
        if (k->grain == 0 && k->units > 1 && x->program->graph->kernels.items[i].kind == IR_K_INDEX) {
            k->fn(x->args, 0, k->units);
            continue;
        }
        int64_t a = k->units / 3, b = k->units - k->units / 4;
        if (b < k->units)
            k->fn(x->args, b, k->units);
        if (a < b)
            k->fn(x->args, a, b);
        if (a > 0)
            k->fn(x->args, 0, a);
    }
}

static ir_status load(void *user, const rt_image *image, const cg_times *t, ir_error *e)
{
    test_loading *l = user;

    (void)t;
    return rt_image_load(image, l->p, l->debug, e);
}

ir_status test_compile(const ir_graph *g, const cg_options *o, rt_program *p, ir_error *e)
{
    test_loading l = {p, o->debug_info};

    p->graph = (ir_graph *)(uintptr_t)g;
    return tdm_codegen_entry(CG_ABI, &test_host)->compile(g, o, load, &l, e);
}

void test_check_config(const ir_graph *g, const test_config *config, bool special)
{
    ir_error e = {0};
    rt_program p = {0};
    cg_options o = {.lanes = config->lanes, .isa = config->isa, .threads = config->threads};
    rt_pool *pool = config->threads > 1 ? rt_pool_new(config->threads) : NULL;
    void **values = reference(g, special);

    if (test_compile(g, &o, &p, &e) != IR_OK)
        fail_msg("%s", e.text);
    rt_exec *x = rt_exec_new(&p, pool, &e);
    assert_non_null(x);
    for (int way = 0; way < 2; way++) {
        arrays a = bind_arrays(g, x, values);
        if (way == 0)
            rt_exec_run(x);
        else if (g->buffers.copy_count == 0)
            run_chunks(x);
        else
            rt_exec_run(x);
        compare_arrays(g, config, way ? "in chunks" : "entry", &a, values);
        for (int i = 0; i < a.count; i++)
            release(&a.args[i]);
        free(a.args);
        x->args[0] = x->arena;
    }
    rt_exec_free(x);
    p.graph = NULL;
    rt_program_free(&p);
    if (pool)
        rt_pool_free(pool);
    free_values(g, values);
}

/* How many configurations a graph is compiled for. Instrumented builds are an order of magnitude slower. */
static int configs_per_graph(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    int usual = 1;
#else
    int usual = 3;
#endif
    const char *text = getenv("TANDEM_TEST_CONFIGS");
    int count = text ? atoi(text) : usual;

    return count < 1 ? 1 : count > test_config_count ? test_config_count : count;
}

void test_check(ir_graph *g, bool special)
{
    static int next; /* goes on from graph to graph, so that all configurations get their share */
    int count = configs_per_graph();

    assert_int_equal(g->error.status, IR_OK);
    for (int i = 0; i < count; i++) {
        const test_config *config = &test_configs[next++ % test_config_count];
        if (config->isa && !rt_level_named(config->isa))
            config = &test_configs[0];
        test_check_config(g, config, special);
    }
    ir_graph_free(g);
}
