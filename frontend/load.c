/* frontend/load.c: finds and loads libtandem-codegen.so, the half that needs LLVM, at the first compile.
 * Looked for: $TANDEM_CODEGEN, the folder of this library (or executable), the folder it was built in, the
 * loader's path. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/fe.h"
#include "runtime/pool.h"

#define LIBRARY "libtandem-codegen.so"

typedef const cg_api *entry_fn(int abi, const cg_host *host);

static const cg_host host = {.jobs = rt_jobs};

static void *open_beside_us(void)
{
    Dl_info info;
    char path[4096];
    if (!dladdr((const void *)&host, &info) || !info.dli_fname)
        return NULL;
    const char *slash = strrchr(info.dli_fname, '/');
    int folder = slash ? (int)(slash - info.dli_fname) : 0;
    int n = slash ? snprintf(path, sizeof path, "%.*s/" LIBRARY, folder, info.dli_fname)
                  : snprintf(path, sizeof path, "./" LIBRARY);
    return n > 0 && (size_t)n < sizeof path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
}

static void *open_library(void)
{
    const char *named = getenv("TANDEM_CODEGEN");
    void *lib = named && *named ? dlopen(named, RTLD_NOW | RTLD_LOCAL) : NULL;
    if (!lib)
        lib = open_beside_us();
#ifdef TANDEM_CODEGEN_PATH
    if (!lib)
        lib = dlopen(TANDEM_CODEGEN_PATH, RTLD_NOW | RTLD_LOCAL);
#endif
    return lib ? lib : dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
}

const cg_api *fe_codegen(tdm_context *ctx)
{
    const tdm_loc nowhere = {NULL, 0};
    if (ctx->codegen)
        return ctx->codegen;
    void *lib = open_library();
    if (!lib) {
        const char *why = dlerror();
        fe_fail(ctx, nowhere, IR_EUNSUPPORTED,
                "compile: " LIBRARY " can't be loaded (set TANDEM_CODEGEN to its path): %.300s",
                why ? why : "unknown reason");
        return NULL;
    }
    entry_fn *entry;
    void *symbol = dlsym(lib, "tdm_codegen_entry");
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from an object to a function pointer */
    ctx->codegen = entry ? entry(CG_ABI, &host) : NULL;
    ctx->codegen_library = lib;
    if (!ctx->codegen)
        fe_fail(ctx, nowhere, IR_EUNSUPPORTED,
                "compile: " LIBRARY " is of another version (interface %d expected)", CG_ABI);
    return ctx->codegen;
}
