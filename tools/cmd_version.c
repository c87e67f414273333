/* tools/cmd_version.c: `tandem version` and `tandem doctor`. */
#include <stdlib.h>
#if defined __x86_64__
#include <xmmintrin.h>
#endif

#include "tools/cli.h"

int cmd_version(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    for (int opt; (opt = cli_next(argc, argv, options)) != -1;) {
        if (opt != 'h')
            return CLI_BAD;
        cli_help("version", "");
        return CLI_OK;
    }
    printf("tandem %s\n", tdm_version());
    return CLI_OK;
}

static const char *flush_state(void)
{
#if defined __x86_64__
    unsigned csr = _mm_getcsr();
    return csr & 0x8040 ? "ON in this process: subnormals are lost, results differ" : "off";
#else
    return "unknown";
#endif
}

static void print_cache(const tdm_context *ctx)
{
    int programs;
    size_t bytes;
    const char *folder = tdm_cache_folder(ctx);

    tdm_cache_count(ctx, &programs, &bytes);
    if (folder)
        printf("disk cache     %s: %d programs, %.1f MB\n", folder, programs, (double)bytes * 1e-6);
    else
        printf("disk cache     off\n");
}

static void print_freedoms(void)
{
    const char *name;
    printf("numerics       strict; fast:");
    for (int i = 0; (name = tdm_freedom_name(i, NULL, NULL)); i++)
        printf("%s %s", i ? "," : "", name);
    printf("\n");
}

static int doctor(tdm_context *ctx)
{
    tdm_host_info h;
    bool llvm = tdm_host(ctx, &h) == TDM_OK;

    printf("tandem         %s\n", tdm_version());
    printf("CPU            %s, %d available\n", llvm ? h.cpu : "unknown", h.cpus);
    printf("eager kernels  %s\n", h.eager_isa);
    if (llvm)
        printf("LLVM           %s, %d f32 lanes\n", h.llvm, h.lanes);
    else
        printf("LLVM           can't be loaded: %s\n", tdm_error(ctx));
    printf("threads        %d\n", tdm_threads(ctx));
    printf("flush to zero  %s\n", flush_state());
    print_freedoms();
    printf("OpenBLAS       not built in\n");
    print_cache(ctx);
    return llvm ? CLI_OK : CLI_DIFFERENT;
}

static const char doctor_help[] =
    "  --cache DIR|off    the disk cache to look at (default: $TANDEM_CACHE, else\n"
    "                     ~/.cache/tandem)\n"
    "  --clear-cache      removes the compiled programs in it, and says no more\n";

int cmd_doctor(int argc, char **argv)
{
    static const struct option options[] = {{"cache", required_argument, NULL, 1},
                                            {"clear-cache", no_argument, NULL, 2},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    tdm_options o = {0};
    bool clear = false;

    for (int opt; (opt = cli_next(argc, argv, options)) != -1;) {
        if (opt == 'h') {
            cli_help("doctor", doctor_help);
            return CLI_OK;
        }
        if (opt == '?')
            return CLI_BAD;
        if (opt == 1)
            o.cache = optarg;
        else
            clear = true;
    }
    tdm_context *ctx = cli_context(&o);
    if (!ctx)
        return CLI_BAD;
    int status = CLI_OK;
    if (clear)
        printf("removed %d programs\n", tdm_cache_clear(ctx));
    else
        status = doctor(ctx);
    tdm_context_free(ctx);
    return status;
}
