/* tools/cmd_opt.c: `tandem opt`: text IR in, passes by name, text IR out.  A filter: golden tests use it. */
#include <string.h>

#include "tools/cli.h"

static const char help[] =
    "  --passes a,b,c     passes to run in this order (default: the whole pipeline; '' runs none)\n"
    "  --no-simplify      the pipeline without simplify\n"
    "  --verify           only check the graph: prints nothing when it is well formed\n"
    "  --list             names the passes\n"
    "\nFILE is text IR (docs/ir.md); - is standard input.\n";

static int list_passes(void)
{
    const char *what;
    for (int i = 0; tdm_pass_name(i, &what); i++)
        printf("%-10s %s\n", tdm_pass_name(i, NULL), what);
    return CLI_OK;
}

/* "simplify,fold,.." without simplify. */
static void pipeline_without(const char *left_out, char *list, size_t size)
{
    size_t used = 0;
    list[0] = '\0';
    for (int i = 0; tdm_pass_name(i, NULL); i++) {
        const char *name = tdm_pass_name(i, NULL);
        if (strcmp(name, left_out) == 0 || strcmp(name, "gradient") == 0 || used >= size)
            continue;
        used += (size_t)snprintf(list + used, size - used, "%s%s", used ? "," : "", name);
    }
}

static int print_passes(tdm_context *ctx, const char *file, const char *passes, bool verify)
{
    tdm_graph *g = cli_load_model(ctx, file);
    if (!g)
        return CLI_BAD;
    tdm_graph *out = verify ? NULL : tdm_graph_pass(g, passes);
    char *text = out ? tdm_graph_text(out) : NULL;
    if (text)
        fputs(text, stdout);
    int status = tdm_ok(ctx) ? CLI_OK : cli_failed(ctx);
    tdm_text_free(text);
    tdm_graph_free(out);
    tdm_graph_free(g);
    return status;
}

int cmd_opt(int argc, char **argv)
{
    static const struct option options[] = {{"passes", required_argument, NULL, 1},
                                            {"no-simplify", no_argument, NULL, 2},
                                            {"verify", no_argument, NULL, 3},
                                            {"list", no_argument, NULL, 4},
                                            CLI_RUN_OPTIONS};
    tdm_options o = {.threads = 1};
    const char *passes = NULL;
    char list[256];
    bool bad = false, verify = false;

    for (int opt; (opt = cli_next(argc, argv, options)) != -1;) {
        if (opt == 'h') {
            cli_help("opt", help);
            return CLI_OK;
        }
        if (opt == '?')
            return CLI_BAD;
        if (opt == 4)
            return list_passes();
        if (opt == 1)
            passes = optarg;
        else if (opt == 2)
            pipeline_without("simplify", list, sizeof list), passes = list;
        else if (opt == 3)
            verify = true;
        else
            cli_run_option(opt, &o, &bad);
    }
    if (bad)
        return CLI_BAD;
    if (argc - optind != 1)
        return cli_bad("opt: expected one FILE, found %d", argc - optind);
    tdm_context *ctx = cli_context(&o);
    if (!ctx)
        return CLI_BAD;
    int status = print_passes(ctx, argv[optind], passes, verify);
    tdm_context_free(ctx);
    return status;
}
