/* codegen/entry.c: the one symbol of libtandem-codegen.so. */
#include "build_id.h"
#include "codegen/unit.h"

/* The host's functions are the same for every caller in a process, so one copy of the pointer serves all. */
static const cg_host *the_host;

static ir_status compile(const ir_graph *g, const cg_options *o, cg_take *take, void *user, ir_error *e)
{
    return cg_compile(the_host, g, o, take, user, e);
}

static ir_status dump(const ir_graph *g, const cg_options *o, cg_dump_kind kind, char **text, ir_error *e)
{
    return cg_dump(the_host, g, o, kind, text, e);
}

#ifdef TANDEM_PLANTS
#define BUILD "with deliberate errors" /* like no other: nothing of it is kept */
#else
#define BUILD TANDEM_BUILD_ID
#endif
static const cg_api api = {BUILD, compile, dump, cg_host_info};

__attribute__((visibility("default"))) const cg_api *tdm_codegen_entry(int abi, const cg_host *host)
{
    if (abi != CG_ABI || !host)
        return NULL;
    __atomic_store_n(&the_host, host, __ATOMIC_RELEASE);
    return &api;
}
