/* tools/cmd_convert.c: `tandem convert`: named tensors from one kind of file into another. */
#include <string.h>

#include "tools/cli.h"

static const char help[] =
    "  A, B               .safetensors or .npz files; names, values and texts are kept\n"
    "  --weights DTYPE    bf16 or f16: f32 tensors of two axes and more are rounded to it\n";

/* Rounds what products and tables are made of: biases and scales stay. */
static void narrow(tdm_archive *a, tdm_dtype d)
{
    for (int i = 0; i < tdm_archive_count(a); i++) {
        const char *name = tdm_archive_name(a, i);
        tdm_tensor *t = tdm_archive_tensor(a, name);
        if (tdm_dtype_of(t) == TDM_F32 && tdm_dims_of(t).rank >= 2)
            tdm_archive_add(a, name, tdm_convert(t, d));
    }
}

static int convert(tdm_context *ctx, const char *from, const char *to, const tdm_dtype *weights)
{
    tdm_archive *a = tdm_archive_load(ctx, from);
    size_t bytes = 0;
    int count = tdm_archive_count(a);

    if (a && weights)
        narrow(a, *weights);
    if (a && tdm_ok(ctx))
        tdm_archive_save(a, to);
    for (int i = 0; i < count; i++)
        bytes += tdm_bytes(tdm_archive_tensor(a, tdm_archive_name(a, i)));
    tdm_archive_free(a);
    if (!tdm_ok(ctx))
        return cli_failed(ctx);
    printf("%s: %d tensors, %zu bytes\n", to, count, bytes);
    return CLI_OK;
}

/* Models are not converted yet. */
static bool is_archive(const char *path)
{
    const char *dot = strrchr(path, '.');
    if (dot && (strcmp(dot, ".safetensors") == 0 || strcmp(dot, ".npz") == 0))
        return true;
    cli_bad("convert: %s: expected a .safetensors or .npz file%s", path,
            dot && (strcmp(dot, ".onnx") == 0 || strcmp(dot, ".tdm") == 0) ? ": models are not converted yet"
                                                                           : "");
    return false;
}

int cmd_convert(int argc, char **argv)
{
    static const struct option options[] = {
        {"weights", required_argument, NULL, 'w'}, {"help", no_argument, NULL, 'h'}, {0}};
    tdm_dtype dtype = TDM_BF16;
    const tdm_dtype *weights = NULL;
    for (int opt; (opt = cli_next(argc, argv, options)) != -1;) {
        if (opt == 'h') {
            cli_help("convert", help);
            return CLI_OK;
        }
        if (opt != 'w')
            return CLI_BAD;
        if (strcmp(optarg, "bf16") != 0 && strcmp(optarg, "f16") != 0)
            return cli_bad("--weights %s: expected bf16 or f16", optarg);
        dtype = optarg[0] == 'b' ? TDM_BF16 : TDM_F16;
        weights = &dtype;
    }
    if (argc - optind != 2)
        return cli_bad("convert: expected two files A and B, found %d", argc - optind);
    if (!is_archive(argv[optind]) || !is_archive(argv[optind + 1]))
        return CLI_BAD;
    tdm_options o = {.threads = 1};
    tdm_context *ctx = cli_context(&o);
    if (!ctx)
        return CLI_BAD;
    int status = convert(ctx, argv[optind], argv[optind + 1], weights);
    tdm_context_free(ctx);
    return status;
}
