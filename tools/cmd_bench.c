/* tools/cmd_bench.c: `tandem bench`: times workloads, prints a table, writes JSON; --serve lets a harness
 * interleave peers. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench_kernels.h"
#include "tools/bench_memory.h"
#include "tools/subject.h"

typedef struct bench_args {
    tdm_options options;
    bool engine[2]; /* static, eager */
    bool list, serve, kernels, timings;
    double min_time;
    const char *json;
} bench_args;

static const char *const engines[2] = {"static", "eager"};

static json_t *print_to_json(const bench_print *p)
{
    json_t *shape = json_array(), *samples = json_array();
    for (int i = 0; i < p->shape.rank; i++)
        json_array_append_new(shape, json_integer(p->shape.dims[i]));
    for (int i = 0; i < p->sample_count; i++)
        json_array_append_new(samples, json_real(p->samples[i]));
    return json_pack("{s:o,s:f,s:f,s:f,s:f,s:o}", "shape", shape, "sum", p->sum, "sum_abs", p->sum_abs, "l2",
                     p->l2, "dot", p->dot, "samples", samples);
}

/* One record per floating-point output. */
static json_t *fingerprints(subject *s)
{
    tdm_tensor *out[64];
    int n = subject_outputs(s, out, 64);
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        bench_print p;
        if (bench_fingerprint(out[i], &p))
            json_array_append_new(list, print_to_json(&p));
    }
    return list;
}

static void add_stages(json_t *record, const tdm_program *p)
{
    json_t *stages = json_object();
    const char *name;
    double ms;

    for (int i = 0; (name = tdm_program_stage(p, i, &ms)); i++)
        json_object_set_new(stages, name, json_real(ms));
    json_object_set_new(record, "compile_ms", stages);
    json_object_set_new(record, "cache", json_string(tdm_program_cache(p)));
}

static json_t *record(const bench_args *a, const char *name, int engine, tdm_context *ctx, double compile_s,
                      double first_s, subject *s)
{
    char numerics[CLI_NUMERICS_TEXT];
    cli_numerics_text(&a->options, numerics);
    json_t *r =
        json_pack("{s:s,s:s,s:i,s:s,s:f,s:f,s:f,s:o}", "workload", name, "engine", engines[engine], "threads",
                  tdm_threads(ctx), "numerics", numerics, "compile_s", compile_s, "first_call_s", first_s,
                  "peak_rss_mb", bench_peak_rss_mb(), "fingerprint", fingerprints(s));
    if (engine == 0)
        add_stages(r, subject_program(s));
    return r;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Batches of at least 50 us until min_time has passed: min and median of ms per call. */
static void measure(subject *s, double min_time, double *min_ms, double *median_ms, long *reps)
{
    enum { MOST = 4096 };
    static double ms[MOST];
    double first = cli_now();
    subject_call(s);
    first = cli_now() - first;
    long batch = first > 5e-5 ? 1 : (long)(5e-5 / (first > 1e-9 ? first : 1e-9)) + 1;
    int n = 0;
    double start = cli_now();
    while (n < MOST && (n < 5 || cli_now() - start < min_time)) {
        double t = cli_now();
        for (long i = 0; i < batch; i++)
            subject_call(s);
        ms[n++] = (cli_now() - t) * 1e3 / (double)batch;
    }
    qsort(ms, (size_t)n, sizeof *ms, by_value);
    *min_ms = ms[0];
    *median_ms = ms[n / 2];
    *reps = n * batch;
}

/* Answers "N" lines on standard input with "N TOTAL_NS" until the end. */
static void serve(subject *s, json_t *ready)
{
    char line[64];
    char *text = json_dumps(ready, JSON_COMPACT | JSON_REAL_PRECISION(17));
    printf("ready %s\n", text ? text : "{}");
    fflush(stdout);
    free(text);
    while (fgets(line, sizeof line, stdin)) {
        long n = strtol(line, NULL, 10);
        double t = cli_now();
        for (long i = 0; i < n; i++)
            subject_call(s);
        printf("%ld %.0f\n", n, (cli_now() - t) * 1e9);
        fflush(stdout);
    }
}

/* Times the subject, prints its row and completes its record. */
static void report(const bench_args *a, const char *name, int engine, tdm_context *ctx, subject *s, json_t *r)
{
    double min_ms, median_ms;
    long reps;
    tdm_reset_peak_bytes(ctx);
    measure(s, a->min_time, &min_ms, &median_ms, &reps);
    size_t call_bytes = bench_call_bytes(subject_program(s), ctx);
    double rss_mb = bench_peak_rss_mb();
    json_object_set_new(r, "min_ms", json_real(min_ms));
    json_object_set_new(r, "median_ms", json_real(median_ms));
    json_object_set_new(r, "reps", json_integer(reps));
    json_object_set_new(r, "call_bytes", json_integer((json_int_t)call_bytes));
    json_object_set_new(r, "peak_rss_mb", json_real(rss_mb));
    printf("%-18s %-6s %12.6f %12.6f %10.1f %10.1f %10ld %10.3f %8.1f\n", name, engines[engine], min_ms,
           median_ms, json_real_value(json_object_get(r, "compile_s")) * 1e3,
           json_real_value(json_object_get(r, "first_call_s")) * 1e3, reps, (double)call_bytes * 1e-6,
           rss_mb);
    fflush(stdout);
}

/* One workload in one engine, in a context of its own.  CLI_BAD after a message. */
static int run_one(const bench_args *a, const char *name, int engine, json_t *results)
{
    double compile_s = 0, first_s = 0;
    tdm_context *ctx = cli_context(&a->options);
    if (!ctx)
        return CLI_BAD;
    subject s;
    bench_forget_peak();
    int status = subject_open(&s, ctx, name, engine == 1, &compile_s, &first_s) ? CLI_OK : CLI_BAD;
    if (status == CLI_BAD && !tdm_ok(ctx))
        cli_failed(ctx);
    if (status == CLI_OK) {
        json_t *r = record(a, name, engine, ctx, compile_s, first_s, &s);
        if (a->serve) {
            serve(&s, r);
        } else {
            report(a, name, engine, ctx, &s, r);
            json_array_append(results, r);
            if (a->timings && engine == 0)
                cli_print_compile(subject_program(&s), compile_s);
            if (a->kernels && engine == 0 &&
                !bench_print_kernels(subject_program(&s), subject_exec(&s), a->min_time))
                status = cli_bad("out of memory");
        }
        if (!tdm_ok(ctx))
            status = cli_failed(ctx);
        json_decref(r);
    }
    subject_close(&s);
    tdm_context_free(ctx);
    return status;
}

static const char help[] =
    "  --list             the built-in workloads: name, group, kind\n"
    "  --engine E         static, eager or static,eager (default: both; --serve: static)\n"
    "  --min-time S       seconds to measure each for (default 0.5)\n"
    "  --json FILE        writes an array of records\n"
    "  --kernels          static: the kernels too, slowest first, those alike together\n"
    "  --timings          static: how long each stage of compiling took\n"
    "  --serve            one NAME: prints `ready {json}`, then for every line N on standard input makes\n"
    "                     N calls and prints `N TOTAL_NS`\n" CLI_RUN_HELP
    "\nA NAME that is no workload is taken as a MODEL file (.tdm).  Times are of one call,\n"
    "inputs in place.  `call MB` is the memory of a call beside inputs, parameters and results: the arena\n"
    "of a compiled call, the most tensors at once of an eager one; `RSS MiB` the process's peak.\n"
    "Compiling is measured too: no disk cache is used unless --cache or $TANDEM_CACHE names one.\n";

static bool parse_engines(bench_args *a, const char *text)
{
    a->engine[0] = strstr(text, "static") || strstr(text, "both");
    a->engine[1] = strstr(text, "eager") || strstr(text, "both");
    static const char *const known[] = {"static", "eager", "both", "static,eager", "eager,static"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(text, known[i]) == 0)
            return true;
    cli_bad("--engine %s: expected static, eager or static,eager", text);
    return false;
}

static int parse(int argc, char **argv, bench_args *a)
{
    static const struct option options[] = {
        {"list", no_argument, NULL, 1},         {"serve", no_argument, NULL, 2},
        {"engine", required_argument, NULL, 3}, {"min-time", required_argument, NULL, 4},
        {"json", required_argument, NULL, 5},   {"kernels", no_argument, NULL, 6},
        {"timings", no_argument, NULL, 7},      CLI_RUN_OPTIONS};
    bool bad = false;
    for (int opt; (opt = cli_next(argc, argv, options)) != -1;) {
        if (opt == 'h') {
            cli_help("bench", help);
            return 1;
        }
        if (opt == '?')
            return -1;
        if (opt == 1)
            a->list = true;
        else if (opt == 2)
            a->serve = true;
        else if (opt == 3)
            bad |= !parse_engines(a, optarg);
        else if (opt == 4)
            bad |= !cli_seconds(optarg, &a->min_time);
        else if (opt == 5)
            a->json = optarg;
        else if (opt == 6)
            a->kernels = true;
        else if (opt == 7)
            a->timings = true;
        else
            cli_run_option(opt, &a->options, &bad);
    }
    return bad ? -1 : 0;
}

static void list(void)
{
    static const char *const groups[] = {[BENCH_OVERHEAD] = "overhead",
                                         [BENCH_MEMORY] = "memory",
                                         [BENCH_MATMUL] = "matmul",
                                         [BENCH_NETWORKS] = "networks"};
    static const char *const kinds[] = {
        [BENCH_FORWARD] = "forward", [BENCH_GRADIENT] = "gradient", [BENCH_TRAIN] = "train"};
    for (int i = 0; bench_at(i); i++)
        printf("%-18s %-9s %s\n", bench_at(i)->name, groups[bench_at(i)->group], kinds[bench_at(i)->kind]);
}

static int write_json(const char *path, json_t *results)
{
    if (json_dump_file(results, path, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) == 0)
        return CLI_OK;
    return cli_bad("%s: can't be written", path);
}

int cmd_bench(int argc, char **argv)
{
    bench_args a = {.min_time = 0.5};
    int parsed = parse(argc, argv, &a);
    if (parsed)
        return parsed < 0 ? CLI_BAD : CLI_OK;
    if (a.list) {
        list();
        return CLI_OK;
    }
    if (!a.options.cache && !getenv("TANDEM_CACHE"))
        a.options.cache = "off";
    if (!a.engine[0] && !a.engine[1])
        a.engine[0] = true, a.engine[1] = !a.serve;
    int names = argc - optind;
    if (a.serve && (names != 1 || (a.engine[0] && a.engine[1])))
        return cli_bad("bench --serve: expected one NAME and one --engine");
    for (int i = 0; i < names; i++)
        if (!bench_find(argv[optind + i]) && !strchr(argv[optind + i], '.') && !strchr(argv[optind + i], '/'))
            return cli_bad("bench: there is no workload '%s' (tandem bench --list)", argv[optind + i]);
    json_t *results = json_array();
    int status = CLI_OK;
    if (!a.serve)
        printf("%-18s %-6s %12s %12s %10s %10s %10s %10s %8s\n", "workload", "engine", "min ms", "median ms",
               "compile ms", "first ms", "calls", "call MB", "RSS MiB");
    for (int i = 0; status == CLI_OK && (names ? i < names : bench_at(i) != NULL); i++)
        for (int e = 0; e < 2 && status == CLI_OK; e++)
            if (a.engine[e])
                status = run_one(&a, names ? argv[optind + i] : bench_at(i)->name, e, results);
    if (status == CLI_OK && a.json)
        status = write_json(a.json, results);
    json_decref(results);
    return status;
}
