/* tools/cmd_dump.c: `tandem dump`: a model at any stage. */
#include <string.h>

#include "tools/cli.h"

static const char help[] =
    "  --stage S          graph (default), gradient, after=PASS, kernels, arena, llvm, asm\n"
    "  --format F         text (default) or dot (graph stages)\n"
    "  --gradients        differentiate first: every float input and variable\n"
    "  --dim SYM=N        value of a symbolic dim\n" CLI_RUN_HELP;

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* The graph that a stage shows, or NULL for stages that tdm_graph_dump makes itself from the source. */
static tdm_graph *stage_graph(const tdm_graph *g, const char *stage)
{
    char list[80];
    if (is(stage, "gradient"))
        return tdm_graph_pass(g, "gradient");
    if (strncmp(stage, "after=", 6) != 0)
        return tdm_graph_pass(g, "");
    snprintf(list, sizeof list, "..%.60s", stage + 6);
    return tdm_graph_pass(g, list);
}

static int dump_kind(const char *stage, const char *format)
{
    if (is(stage, "kernels"))
        return TDM_DUMP_KERNELS;
    if (is(stage, "arena"))
        return TDM_DUMP_ARENA;
    if (is(stage, "llvm"))
        return TDM_DUMP_LLVM;
    if (is(stage, "asm"))
        return TDM_DUMP_ASM;
    if (!is(stage, "graph") && !is(stage, "gradient") && strncmp(stage, "after=", 6) != 0)
        return -1;
    return is(format, "dot") ? TDM_DUMP_DOT : TDM_DUMP_TEXT;
}

static int show(tdm_context *ctx, const char *file, const char *stage, int kind, bool gradients,
                const cli_inputs *in)
{
    tdm_graph *loaded = cli_load_model(ctx, file);
    if (!loaded)
        return CLI_BAD;
    bool fixed = in->dim_count > 0 || (kind != TDM_DUMP_TEXT && kind != TDM_DUMP_DOT);
    tdm_graph *g = fixed ? cli_specialize(loaded, in) : tdm_graph_pass(loaded, "");
    tdm_graph *d = gradients && g ? tdm_graph_pass(g, "gradient") : NULL;
    tdm_graph *s = tdm_ok(ctx) ? stage_graph(d ? d : g, stage) : NULL;
    char *text = s ? tdm_graph_dump(s, (tdm_dump_kind)kind) : NULL;
    if (text)
        fputs(text, stdout);
    int status = tdm_ok(ctx) && text ? CLI_OK : cli_failed(ctx);
    tdm_text_free(text);
    tdm_graph_free(s);
    tdm_graph_free(d);
    tdm_graph_free(g);
    tdm_graph_free(loaded);
    return status;
}

int cmd_dump(int argc, char **argv)
{
    static const struct option options[] = {{"stage", required_argument, NULL, 1},
                                            {"format", required_argument, NULL, 2},
                                            {"gradients", no_argument, NULL, 3},
                                            CLI_INPUT_OPTIONS,
                                            CLI_RUN_OPTIONS};
    tdm_options o = {0};
    cli_inputs in = {0};
    const char *stage = "graph", *format = "text";
    bool bad = false, gradients = false;

    for (int opt; (opt = cli_next(argc, argv, options)) != -1;) {
        if (opt == 'h') {
            cli_help("dump", help);
            return CLI_OK;
        }
        if (opt == '?')
            return CLI_BAD;
        if (opt == 1)
            stage = optarg;
        else if (opt == 2)
            format = optarg;
        else if (opt == 3)
            gradients = true;
        else if (!cli_input_option(opt, &in, &bad))
            cli_run_option(opt, &o, &bad);
    }
    if (bad)
        return CLI_BAD;
    int kind = dump_kind(stage, format);
    if (kind < 0)
        return cli_bad("dump: --stage %s: expected graph, gradient, after=PASS, kernels, arena, llvm or asm",
                       stage);
    if (is(format, "svg"))
        return cli_bad("dump: --format svg is not built in yet: use dot");
    if (!is(format, "text") && !is(format, "dot"))
        return cli_bad("dump: --format %s: expected text or dot", format);
    if (is(format, "dot") && kind != TDM_DUMP_DOT)
        return cli_bad("dump: --stage %s has no dot form", stage);
    if (argc - optind != 1)
        return cli_bad("dump: expected one MODEL, found %d", argc - optind);
    tdm_context *ctx = cli_context(&o);
    if (!ctx)
        return CLI_BAD;
    int status = show(ctx, argv[optind], stage, kind, gradients, &in);
    tdm_context_free(ctx);
    return status;
}
