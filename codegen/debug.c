/* codegen/debug.c: names and node numbers for gdb, when cg_options.debug_info asks for them.
 *
 *   #0 k3_dot+bias+gelu () at mlp.tdm:10        line 10 is node %10 of the compiled graph
 *
 * Line tables are DWARF 4: gdb shows no lines for DWARF 5 from a JIT. */
#include "codegen/debug.h"

#include <stdio.h>
#include <string.h>

static void add_flag(cg_module *m, const char *name, unsigned value)
{
    LLVMValueRef v = LLVMConstInt(LLVMInt32TypeInContext(m->ctx), value, 0);

    LLVMAddModuleFlag(m->module, LLVMModuleFlagBehaviorWarning, name, strlen(name), LLVMValueAsMetadata(v));
}

void cg_debug_open(cg_module *m, const ir_graph *g)
{
    static const char producer[] = "tandem";
    char file[256];

    snprintf(file, sizeof file, "%.200s.tdm", g->name ? g->name : "graph");
    m->debug = LLVMCreateDIBuilder(m->module);
    m->debug_file = LLVMDIBuilderCreateFile(m->debug, file, strlen(file), ".", 1);
    LLVMDIBuilderCreateCompileUnit(m->debug, LLVMDWARFSourceLanguageC, m->debug_file, producer,
                                   strlen(producer), 1, "", 0, 0, "", 0, LLVMDWARFEmissionFull, 0, 0, 0, "",
                                   0, "", 0);
    add_flag(m, "Debug Info Version", LLVMDebugMetadataVersion());
    add_flag(m, "Dwarf Version", 4);
}

LLVMMetadataRef cg_debug_function(cg_module *m, LLVMValueRef f, const char *name, ir_ref root)
{
    if (!m->debug)
        return NULL;
    LLVMMetadataRef type =
        LLVMDIBuilderCreateSubroutineType(m->debug, m->debug_file, NULL, 0, LLVMDIFlagZero);
    size_t n = strlen(name);
    LLVMMetadataRef scope = LLVMDIBuilderCreateFunction(
        m->debug, m->debug_file, name, n, name, n, m->debug_file, root, type, 0, 1, root, LLVMDIFlagZero, 1);
    LLVMSetSubprogram(f, scope);
    return scope;
}

void cg_debug_at(cg *c, LLVMMetadataRef scope, ir_ref node)
{
    if (scope)
        LLVMSetCurrentDebugLocation2(c->b, LLVMDIBuilderCreateDebugLocation(c->ctx, node, 0, scope, NULL));
}

void cg_debug_leave(cg_module *m)
{
    if (m->debug)
        LLVMSetCurrentDebugLocation2(m->b, NULL);
}

void cg_debug_finish(cg_module *m)
{
    if (m->debug)
        LLVMDIBuilderFinalize(m->debug);
}

void cg_debug_close(cg_module *m)
{
    if (m->debug)
        LLVMDisposeDIBuilder(m->debug);
    m->debug = NULL;
}
