/* tools/cmd_compare.c: `tandem compare`: both engines on one model: bits, the first node that differs, times
 * and memory. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/comparison.h"
#include "tools/prices.h"

typedef struct compare_args {
    tdm_options options;
    cli_inputs in;
    bool gradients, per_node, prices;
    double rtol, atol; /* < 0: not given */
    double min_time;
    const char *json;
} compare_args;

/* What counts as agreement in fast unless --rtol and --atol say otherwise. */
static const double fast_rtol = 1e-3, fast_atol = 1e-5;

static const char help[] = CLI_INPUT_HELP
    "  --gradients        differentiate every float input and variable too (upstream U(77)): the\n"
    "                     compiled gradients against the tape's\n"
    "  --rtol R --atol A  accept differences within atol + rtol |eager| (default: the same bits;\n"
    "                     with --numerics fast 1e-3 and 1e-5)\n"
    "  --per-node         print every node's kernel and eager time\n"
    "  --prices           what each freedom of --numerics fast buys and costs here; MODEL may then be a\n"
    "                     built-in workload (tandem bench --list), of which nothing else is printed\n"
    "  --min-time S       seconds to measure the prices for (default 5)\n"
    "  --json FILE        the same as JSON\n" CLI_RUN_HELP
    "\nExit status 1 when the engines differ; the first node and the pass to blame are named.\n";

static void loc_text(const tdm_node_info *n, char *text, size_t size)
{
    if (n->file[0])
        snprintf(text, size, "%s:%u", n->file, n->line);
    else
        snprintf(text, size, "-");
}

static void print_results(const comparison *c)
{
    for (int i = 0; i < c->n_results; i++) {
        const difference *d = &c->results[i];
        bool assign = i >= tdm_graph_outputs(c->source);
        if (d->equal)
            printf("%-6s %-24s the same bits\n", assign ? "assign" : "output", c->result_names[i]);
        else
            printf("%-6s %-24s DIFFERS: max %.9g ulp, %.9g absolute; first at element %lld: eager %.9g, "
                   "static %.9g\n",
                   assign ? "assign" : "output", c->result_names[i], d->max_ulp, d->max_abs,
                   (long long)d->first, d->a, d->b);
    }
}

static const char *kernel_name(const comparison *c, int kernel)
{
    tdm_kernel_info info;
    return tdm_program_kernel(c->program, kernel, &info) ? info.name : "none";
}

static void print_divergence(const comparison *c)
{
    char loc[300], blamed[64];
    tdm_node_info n;
    if (c->bad_node < 0)
        return;
    tdm_graph_node(c->bad_final ? tdm_program_graph(c->program) : c->source, c->bad_node, &n);
    loc_text(&n, loc, sizeof loc);
    snprintf(blamed, sizeof blamed, "%s%s is to blame", strcmp(c->pass, "codegen") == 0 ? "" : "pass ",
             c->pass);
    printf("first difference: node %%%d%s = %s at %s, kernel %s: element %lld is %.9g eager, %.9g "
           "static (max %.9g ulp); %s\n",
           c->bad_node, c->bad_final ? " of the optimised graph" : "", n.op, loc,
           kernel_name(c, c->bad_kernel), (long long)c->bad.first, c->bad.a, c->bad.b, c->bad.max_ulp,
           blamed);
}

static void print_nodes(const comparison *c)
{
    printf("\n%-6s %-14s %-10s %-24s %s\n", "node", "op", "region", "at", "kernel");
    for (int r = 0; r < tdm_graph_nodes(c->source); r++) {
        char loc[300] = "", id[16];
        tdm_node_info n;
        int image = tdm_program_map(c->program, r), kernel = -1;
        tdm_graph_node(c->source, r, &n);
        loc_text(&n, loc, sizeof loc);
        for (int k = 0; image >= 0 && k < tdm_program_kernels(c->program) && kernel < 0; k++) {
            tdm_kernel_info info;
            tdm_program_kernel(c->program, k, &info);
            for (int i = 0; i < info.n_nodes; i++)
                if ((int)info.nodes[i] == image)
                    kernel = k;
        }
        snprintf(id, sizeof id, "%%%d", r);
        printf("%-6s %-14s %-10s %-24s %s\n", id, n.op, n.region, loc,
               image < 0    ? "gone"
               : kernel < 0 ? "memory"
                            : kernel_name(c, kernel));
    }
}

static void print_costs(const comparison *c)
{
    double calls = side_break_even(c->build_s, c->side.eager_us, c->side.static_us);
    printf("\n");
    cli_print_compile(c->program, c->build_s);
    printf("memory  static %.3f MB (arena, outputs, constants), eager peak %.3f MB\n",
           (double)tdm_program_memory_bytes(c->program) * 1e-6, (double)c->eager_peak * 1e-6);
    printf("arena   %.3f MB, at most %.3f MB live; %.3f Mflop compute values again\n",
           (double)tdm_program_arena_bytes(c->program) * 1e-6,
           (double)tdm_program_live_bytes(c->program) * 1e-6, tdm_program_repeated_flops(c->program) * 1e-6);
    if (calls >= 0)
        printf("compiling has paid after %.0f calls\n", calls);
    else
        printf("compiling does not pay here: a static call is not faster\n");
}

static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *results_json(const comparison *c)
{
    json_t *list = json_array();
    for (int i = 0; i < c->n_results; i++)
        json_array_append_new(list, json_pack("{s:s,s:b,s:o,s:o}", "name", c->result_names[i], "bit_equal",
                                              c->results[i].equal, "max_ulp", number(c->results[i].max_ulp),
                                              "max_abs", number(c->results[i].max_abs)));
    return list;
}

static json_t *divergence_json(const comparison *c)
{
    char id[24], loc[300];
    tdm_node_info n;
    if (c->bad_node < 0)
        return json_null();
    tdm_graph_node(c->bad_final ? tdm_program_graph(c->program) : c->source, c->bad_node, &n);
    loc_text(&n, loc, sizeof loc);
    snprintf(id, sizeof id, "%%%d", c->bad_node);
    return json_pack("{s:s,s:s,s:s,s:s,s:s}", "node", id, "op", n.op, "kernel", kernel_name(c, c->bad_kernel),
                     "loc", loc, "pass", c->pass);
}

static json_t *kernels_json(const comparison *c)
{
    json_t *list = json_array();
    for (int i = 0; i < c->side.count; i++) {
        const side_kernel *k = &c->side.kernels[i];
        json_t *nodes = json_array();
        for (int n = 0; n < k->info.n_nodes; n++)
            json_array_append_new(nodes, json_sprintf("%%%u", k->info.nodes[n]));
        json_array_append_new(list, json_pack("{s:s,s:o,s:f,s:f,s:f}", "name", k->info.name, "nodes", nodes,
                                              "static_us", k->static_us, "eager_us", k->eager_us, "bytes",
                                              k->static_bytes));
    }
    return list;
}

static int write_file(json_t *all, const char *path)
{
    int bad = json_dump_file(all, path, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    json_decref(all);
    return bad ? cli_bad("%s: can't be written", path) : CLI_OK;
}

static int write_json(const comparison *c, const price_list *prices, const char *path)
{
    double ms, calls = side_break_even(c->build_s, c->side.eager_us, c->side.static_us);
    const char *name;
    json_t *stages = json_object();
    for (int i = 0; (name = tdm_program_stage(c->program, i, &ms)); i++)
        json_object_set_new(stages, name, json_real(ms));
    json_t *all = json_pack("{s:o,s:o,s:o,s:o,s:s,s:{s:I,s:I},s:f,s:f,s:o}", "outputs", results_json(c),
                            "first_divergence", divergence_json(c), "kernels", kernels_json(c), "compile_ms",
                            stages, "cache", tdm_program_cache(c->program), "memory", "static",
                            (json_int_t)tdm_program_memory_bytes(c->program), "eager",
                            (json_int_t)c->eager_peak, "static_us", c->side.static_us, "eager_us",
                            c->side.eager_us, "break_even_calls", calls < 0 ? json_null() : json_real(calls));
    if (prices->count)
        json_object_set_new(all, "prices", prices_json(prices));
    return write_file(all, path);
}

/* Upstream gradients are the inputs that the gradient pass appended. */
static void default_upstream(comparison *c, int first, cli_inputs *in, char (*text)[96])
{
    for (int i = first; i < tdm_graph_inputs(c->source) && in->count < 64; i++) {
        snprintf(text[i - first], sizeof text[0], "%.80s=random:77",
                 cli_node_name(c->source, tdm_graph_input(c->source, i, NULL)));
        in->set[in->count++] = text[i - first];
    }
}

static bool load(comparison *c, const char *file, compare_args *a)
{
    static char upstream[64][96];
    tdm_graph *loaded = cli_load_model(c->ctx, file);
    if (!loaded)
        return false;
    tdm_graph *g = cli_specialize(loaded, &a->in);
    tdm_graph_free(loaded);
    int own = tdm_graph_inputs(g);
    c->source = g && a->gradients ? tdm_graph_pass(g, "gradient") : g;
    c->forward = c->source != g ? g : NULL;
    if (!c->source) {
        cli_failed(c->ctx);
        return false;
    }
    default_upstream(c, own, &a->in, upstream);
    c->values = calloc((size_t)tdm_graph_inputs(c->source) + 1, sizeof *c->values);
    return c->values && cli_make_inputs(c->ctx, c->source, &a->in, c->values);
}

/* ---- prices -------------------------------------------------------------------------------------------- */

typedef struct priced { /* a workload, or the comparison's graph */
    tdm_context *ctx;
    const char *workload;
    const tdm_graph *graph;
    const cli_inputs *in;
} priced;

static bool open_priced(void *user, subject *s)
{
    const priced *p = user;
    const char *const none[] = {NULL};
    double compile_s, first_s;
    if (p->workload)
        return subject_open(s, p->ctx, p->workload, false, &compile_s, &first_s);
    tdm_graph *copy = tdm_graph_specialize(p->graph, none);
    s->model = copy ? model_job_of(p->ctx, copy, p->in, false, &compile_s, &first_s) : NULL;
    return s->model != NULL;
}

static int print_prices(priced *p, const char *name, const compare_args *a, price_list *l)
{
    if (!prices_measure(p->ctx, &a->options, open_priced, p, a->min_time, l))
        return tdm_ok(p->ctx) ? CLI_BAD : cli_failed(p->ctx);
    prices_print(l, name, tdm_threads(p->ctx));
    return CLI_OK;
}

static int price_workload(tdm_context *ctx, const char *name, const compare_args *a)
{
    priced p = {.ctx = ctx, .workload = name};
    price_list l;
    int status = print_prices(&p, name, a, &l);
    if (status == CLI_OK && a->json)
        status = write_file(json_pack("{s:s,s:i,s:o}", "workload", name, "threads", tdm_threads(ctx),
                                      "prices", prices_json(&l)),
                            a->json);
    prices_close(&l);
    return status;
}

/* ---- the whole ----------------------------------------------------------------------------------------- */

static int compare(tdm_context *ctx, const char *file, compare_args *a)
{
    bool fast = a->options.numerics == TDM_FAST;
    comparison c = {.ctx = ctx, .fast = fast};
    price_list prices = {0};
    int status = CLI_OK;
    if (!load(&c, file, a)) {
        status = CLI_BAD;
    } else if (!comparison_run(&c, a->rtol, a->atol)) {
        status = tdm_ok(ctx) ? cli_bad("out of memory") : cli_failed(ctx);
    } else {
        bool tolerant = a->rtol > 0 || a->atol > 0;
        bool agree = c.bad_node < 0 || tolerant;
        for (int i = 0; i < c.n_results; i++)
            agree = agree && (tolerant ? c.results[i].within : c.results[i].equal);
        print_results(&c);
        print_divergence(&c);
        printf("\n");
        side_print(&c.side, c.program);
        if (a->per_node)
            print_nodes(&c);
        print_costs(&c);
        if (a->prices) {
            printf("\n");
            status = print_prices(&(priced){.ctx = ctx, .graph = c.source, .in = &a->in}, file, a, &prices);
        }
        if (status == CLI_OK && a->json)
            status = write_json(&c, &prices, a->json);
        if (status == CLI_OK && !agree)
            status = CLI_DIFFERENT;
    }
    prices_close(&prices);
    comparison_free(&c);
    return status;
}

static void set_tolerances(compare_args *a)
{
    bool fast = a->options.numerics == TDM_FAST && a->rtol < 0 && a->atol < 0;
    a->rtol = fast ? fast_rtol : fmax(a->rtol, 0);
    a->atol = fast ? fast_atol : fmax(a->atol, 0);
}

static bool parse_tolerance(const char *name, double *to)
{
    char *end;
    *to = strtod(optarg, &end);
    if (*end == '\0' && end != optarg && *to >= 0)
        return true;
    cli_bad("--%s %s: expected a number from 0 up", name, optarg);
    return false;
}

int cmd_compare(int argc, char **argv)
{
    static const struct option options[] = {{"gradients", no_argument, NULL, 1},
                                            {"per-node", no_argument, NULL, 2},
                                            {"rtol", required_argument, NULL, 3},
                                            {"atol", required_argument, NULL, 4},
                                            {"json", required_argument, NULL, 5},
                                            {"prices", no_argument, NULL, 6},
                                            {"min-time", required_argument, NULL, 7},
                                            CLI_INPUT_OPTIONS,
                                            CLI_RUN_OPTIONS};
    compare_args a = {.rtol = -1, .atol = -1, .min_time = 5};
    bool bad = false;

    for (int opt; (opt = cli_next(argc, argv, options)) != -1;) {
        if (opt == 'h') {
            cli_help("compare", help);
            return CLI_OK;
        }
        if (opt == '?')
            return CLI_BAD;
        if (opt == 1)
            a.gradients = true;
        else if (opt == 2)
            a.per_node = true;
        else if (opt == 3)
            bad |= !parse_tolerance("rtol", &a.rtol);
        else if (opt == 4)
            bad |= !parse_tolerance("atol", &a.atol);
        else if (opt == 5)
            a.json = optarg;
        else if (opt == 6)
            a.prices = true;
        else if (opt == 7)
            bad |= !cli_seconds(optarg, &a.min_time);
        else if (!cli_input_option(opt, &a.in, &bad))
            cli_run_option(opt, &a.options, &bad);
    }
    if (bad)
        return CLI_BAD;
    if (argc - optind != 1)
        return cli_bad("compare: expected one MODEL, found %d", argc - optind);
    const char *name = argv[optind];
    if (bench_find(name) && !a.prices)
        return cli_bad("compare: '%s' is a workload: expected --prices, or a MODEL", name);
    set_tolerances(&a);
    tdm_context *ctx = cli_context(&a.options);
    if (!ctx)
        return CLI_BAD;
    int status = bench_find(name) ? price_workload(ctx, name, &a) : compare(ctx, name, &a);
    tdm_context_free(ctx);
    return status;
}
