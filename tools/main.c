/* tools/main.c: the `tandem` command: a table of verbs.  A verb is a file (cmd_*.c) and a row. */
#include <string.h>

#include "tools/cli.h"

const cli_verb cli_verbs[] = {
    {"run", "MODEL [options]", "run a model once and print its outputs", cmd_run},
    {"compare", "MODEL|NAME [options]", "both engines on the same inputs: bits, times, memory", cmd_compare},
    {"bench", "[NAME|MODEL...] [options]", "time built-in workloads or a model", cmd_bench},
    {"opt", "FILE [options]", "run passes over text IR and print the result", cmd_opt},
    {"dump", "MODEL [options]", "look inside at any stage", cmd_dump},
    {"info", "MODEL [options]", "inputs, outputs, parameters, FLOPs and bytes", cmd_info},
    {"train", "NAME [options]", "train a built-in model on real data: images, a citation graph, text",
     cmd_train},
    {"convert", "A B", "weights from one kind of file into another: .safetensors, .npz", cmd_convert},
    {"version", "", "version of Tandem", cmd_version},
    {"doctor", "[options]", "what this machine offers: CPU, LLVM, threads, disk cache", cmd_doctor},
    {NULL, NULL, NULL, NULL},
};

static void usage(FILE *to)
{
    fprintf(to, "usage: tandem VERB [arguments]\n\n");
    for (const cli_verb *v = cli_verbs; v->name; v++)
        fprintf(to, "  %-9s %s\n", v->name, v->what);
    fprintf(to, "\ntandem VERB --help explains a verb.\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        cli_bad("expected a verb (tandem --help lists them)");
        return CLI_BAD;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0)
        return cmd_version(1, argv);
    for (const cli_verb *v = cli_verbs; v->name; v++)
        if (strcmp(argv[1], v->name) == 0)
            return v->run(argc - 1, argv + 1);
    return cli_bad("there is no verb '%s' (tandem --help lists them)", argv[1]);
}
