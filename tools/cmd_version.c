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

int cmd_doctor(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    for (int opt; (opt = cli_next(argc, argv, options)) != -1;) {
        if (opt != 'h')
            return CLI_BAD;
        cli_help("doctor", "");
        return CLI_OK;
    }
    tdm_options o = {0};
    tdm_host_info h;
    tdm_context *ctx = cli_context(&o);
    if (!ctx)
        return CLI_BAD;
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
    printf("numerics       strict; fast: not built in\n");
    printf("OpenBLAS       not built in\n");
    printf("disk cache     not built in\n");
    tdm_context_free(ctx);
    return llvm ? CLI_OK : CLI_DIFFERENT;
}
