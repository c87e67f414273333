/* tools/cmd_info.c: `tandem info`: what a model holds and costs. */
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"

static const char help[] =
    "  --dim SYM=N        value of a symbolic dim (FLOPs and bytes of symbolic nodes count as 0)\n";

typedef struct op_total {
    const char *op;
    int count;
    double flops, bytes;
} op_total;

static int64_t elements(const tdm_node_info *n)
{
    int64_t e = 1;
    for (int i = 0; i < n->rank; i++)
        e *= n->dims[i] > 0 ? n->dims[i] : 1;
    return e;
}

static void print_leaves(const tdm_graph *g)
{
    int64_t parameters = 0;
    for (int i = 0; i < tdm_graph_inputs(g); i++) {
        char shape[128];
        bool variable;
        tdm_node_info n;
        tdm_graph_node(g, tdm_graph_input(g, i, &variable), &n);
        cli_shape_text(g, &n, shape, sizeof shape);
        printf("%-9s %-24s %s\n", variable ? "variable" : "input", n.name, shape);
        if (variable)
            parameters += elements(&n);
    }
    for (int i = 0; i < tdm_graph_outputs(g); i++) {
        char shape[128];
        const char *name;
        tdm_node_info n;
        tdm_graph_node(g, tdm_graph_output(g, i, &name), &n);
        cli_shape_text(g, &n, shape, sizeof shape);
        printf("%-9s %-24s %s\n", "output", name, shape);
    }
    printf("\n%d nodes, %d assigns, %lld elements in variables\n\n", tdm_graph_nodes(g), tdm_graph_assigns(g),
           (long long)parameters);
}

static int by_flops(const void *a, const void *b)
{
    const op_total *x = a, *y = b;
    if (x->flops != y->flops)
        return x->flops < y->flops ? 1 : -1;
    return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

static void print_ops(const tdm_graph *g)
{
    op_total totals[128];
    int n = 0;
    double flops = 0, bytes = 0;
    for (int i = 0; i < tdm_graph_nodes(g); i++) {
        tdm_node_info node;
        int k = 0;
        tdm_graph_node(g, i, &node);
        while (k < n && strcmp(totals[k].op, node.op) != 0)
            k++;
        if (k == n && n < 128)
            totals[n++] = (op_total){.op = node.op};
        if (k == 128)
            continue;
        totals[k].count++;
        flops += node.flops, totals[k].flops += node.flops;
        bytes += node.bytes, totals[k].bytes += node.bytes;
    }
    qsort(totals, (size_t)n, sizeof *totals, by_flops);
    printf("%-16s %8s %14s %14s\n", "op", "nodes", "FLOP", "bytes");
    for (int i = 0; i < n; i++)
        printf("%-16s %8d %14.0f %14.0f\n", totals[i].op, totals[i].count, totals[i].flops, totals[i].bytes);
    printf("%-16s %8d %14.0f %14.0f\n", "total", tdm_graph_nodes(g), flops, bytes);
}

int cmd_info(int argc, char **argv)
{
    static const struct option options[] = {CLI_INPUT_OPTIONS, {"help", no_argument, NULL, 'h'}, {0}};
    tdm_options o = {.threads = 1};
    cli_inputs in = {0};
    bool bad = false;

    for (int opt; (opt = cli_next(argc, argv, options)) != -1;) {
        if (opt == 'h') {
            cli_help("info", help);
            return CLI_OK;
        }
        if (opt == '?')
            return CLI_BAD;
        cli_input_option(opt, &in, &bad);
    }
    if (bad)
        return CLI_BAD;
    if (argc - optind != 1)
        return cli_bad("info: expected one MODEL, found %d", argc - optind);
    tdm_context *ctx = cli_context(&o);
    if (!ctx)
        return CLI_BAD;
    tdm_graph *g = cli_load_model(ctx, argv[optind]);
    tdm_graph *s = g && in.dim_count ? cli_specialize(g, &in) : NULL;
    int status = g && tdm_ok(ctx) ? CLI_OK : CLI_BAD;
    if (g && !tdm_ok(ctx))
        cli_failed(ctx);
    if (status == CLI_OK) {
        printf("graph %s\n\n", tdm_graph_name(g));
        print_leaves(s ? s : g);
        print_ops(s ? s : g);
    }
    tdm_graph_free(s);
    tdm_graph_free(g);
    tdm_context_free(ctx);
    return status;
}
