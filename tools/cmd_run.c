/* tools/cmd_run.c: `tandem run`: a model once, in one engine. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/model_job.h"

static const char help[] =
    "  --engine E         static (default) or eager\n" CLI_INPUT_HELP
    "  --output NAME=F    writes an output as F.npy\n"
    "  --timings          how long compiling, stage by stage, and the first call took\n" CLI_RUN_HELP;

typedef struct saves {
    const char *set[64];
    int count;
} saves;

/* "name f32[2,3]  0.1 0.2 ..  min .. max .. mean .." */
static bool print_summary(const char *name, const tdm_tensor *t)
{
    enum { SHOWN = 6 };
    tdm_dims d = tdm_dims_of(t);
    int64_t n = tdm_elements(t), bad = 0;
    void *data = malloc(tdm_bytes(t));
    double lo = INFINITY, hi = -INFINITY, sum = 0;

    if (!data || tdm_read(t, data, tdm_bytes(t)) != TDM_OK) {
        free(data);
        return false;
    }
    printf("%s %s[", name, tdm_dtype_name(tdm_dtype_of(t)));
    for (int i = 0; i < d.rank; i++)
        printf("%s%lld", i ? "," : "", (long long)d.dims[i]);
    printf("] ");
    for (int64_t i = 0; i < n; i++) {
        double v = tdm_element(tdm_dtype_of(t), data, i);
        if (i < SHOWN)
            printf(" %.9g", v);
        if (!isfinite(v))
            bad++;
        lo = fmin(lo, v), hi = fmax(hi, v), sum += v;
    }
    printf("%s  min %.6g max %.6g mean %.6g", n > SHOWN ? " .." : "", lo, hi, sum / (double)n);
    if (bad)
        printf("  %lld not finite", (long long)bad);
    printf("\n");
    free(data);
    return true;
}

static bool save(const saves *s, const char *name, const tdm_tensor *t)
{
    size_t len = strlen(name);
    for (int i = 0; i < s->count; i++)
        if (strncmp(s->set[i], name, len) == 0 && s->set[i][len] == '=' &&
            tdm_save_npy(t, s->set[i] + len + 1) != TDM_OK)
            return false;
    return true;
}

static bool known_outputs(const tdm_graph *g, const saves *s)
{
    for (int i = 0; i < s->count; i++) {
        bool known = false;
        for (int k = 0; k < tdm_graph_outputs(g); k++) {
            const char *name;
            tdm_graph_output(g, k, &name);
            known |= strncmp(s->set[i], name, strlen(name)) == 0 && s->set[i][strlen(name)] == '=';
        }
        if (!known) {
            cli_bad("--output %s: graph '%s' has no output of that name", s->set[i], tdm_graph_name(g));
            return false;
        }
    }
    return true;
}

static int run(tdm_context *ctx, const char *file, bool eager, bool timings, const cli_inputs *in,
               const saves *s)
{
    double compile_s, first_s;
    tdm_tensor *out[64];
    tdm_graph *loaded = cli_load_model(ctx, file);
    if (!loaded)
        return CLI_BAD;
    tdm_graph *g = cli_specialize(loaded, in);
    tdm_graph_free(loaded);
    if (!g)
        return cli_failed(ctx);
    if (!known_outputs(g, s)) {
        tdm_graph_free(g);
        return CLI_BAD;
    }
    model_job *j = model_job_of(ctx, g, in, eager, &compile_s, &first_s);
    if (!j)
        return CLI_BAD;
    bool ok = true;
    int n = model_job_outputs(j, out, 64);
    for (int i = 0; i < n && ok; i++) {
        const char *name;
        tdm_graph_output(j->graph, i, &name);
        ok = print_summary(name, out[i]) && save(s, name, out[i]);
    }
    if (ok && timings && !eager)
        cli_print_compile(j->program, compile_s);
    if (ok && timings)
        printf("first call %.3f ms\n", first_s * 1e3);
    int status = ok ? CLI_OK : cli_failed(ctx);
    model_job_free(j);
    return status;
}

int cmd_run(int argc, char **argv)
{
    static const struct option options[] = {{"engine", required_argument, NULL, 1},
                                            {"output", required_argument, NULL, 2},
                                            {"timings", no_argument, NULL, 3},
                                            CLI_INPUT_OPTIONS,
                                            CLI_RUN_OPTIONS};
    tdm_options o = {0};
    cli_inputs in = {0};
    saves s = {0};
    bool bad = false, eager = false, timings = false;

    for (int opt; (opt = cli_next(argc, argv, options)) != -1;) {
        if (opt == 'h') {
            cli_help("run", help);
            return CLI_OK;
        }
        if (opt == '?')
            return CLI_BAD;
        if (opt == 1) {
            eager = strcmp(optarg, "eager") == 0;
            if (!eager && strcmp(optarg, "static") != 0)
                bad = cli_bad("--engine %s: expected static or eager", optarg) != 0;
        } else if (opt == 2) {
            if (s.count == 64 || !strchr(optarg, '='))
                bad = cli_bad("--output %s: expected NAME=FILE.npy", optarg) != 0;
            else
                s.set[s.count++] = optarg;
        } else if (opt == 3)
            timings = true;
        else if (!cli_input_option(opt, &in, &bad))
            cli_run_option(opt, &o, &bad);
    }
    if (bad)
        return CLI_BAD;
    if (argc - optind != 1)
        return cli_bad("run: expected one MODEL, found %d", argc - optind);
    tdm_context *ctx = cli_context(&o);
    if (!ctx)
        return CLI_BAD;
    int status = run(ctx, argv[optind], eager, timings, &in, &s);
    tdm_context_free(ctx);
    return status;
}
