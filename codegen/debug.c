/* codegen/debug.c: names and node numbers for gdb and perf, when cg_options.debug_info asks for them.
 *
 *   gdb    #0 k3_dot+bias+gelu () at mlp.tdm:10        line 10 is node %10 of the compiled graph
 *   perf   /tmp/perf-PID.map                           address, size and name of every kernel
 *
 * Line tables are DWARF 4: gdb shows no lines for DWARF 5 from a JIT. */
#include "codegen/debug.h"

#include <llvm-c/Object.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* ---- perf ---- */

static cg_symbol *add_symbol(cg_symbols *s)
{
    cg_symbol *items = realloc(s->items, (size_t)(s->count + 1) * sizeof *items);

    if (!items)
        return NULL;
    s->items = items;
    return &items[s->count++];
}

/* Functions of one object and their sizes, read before the JIT takes it. */
void cg_symbols_read(cg_symbols *s, LLVMMemoryBufferRef object)
{
    char *message = NULL;
    LLVMBinaryRef binary = LLVMCreateBinary(object, NULL, &message);

    if (!binary) {
        LLVMDisposeMessage(message);
        return;
    }
    LLVMSymbolIteratorRef i = LLVMObjectFileCopySymbolIterator(binary);
    for (; !LLVMObjectFileIsSymbolIteratorAtEnd(binary, i); LLVMMoveToNextSymbol(i)) {
        const char *name = LLVMGetSymbolName(i);
        uint64_t size = LLVMGetSymbolSize(i);
        cg_symbol *e = size && name && *name ? add_symbol(s) : NULL;
        if (e)
            *e = (cg_symbol){.name = strdup(name), .size = size};
    }
    LLVMDisposeSymbolIterator(i);
    LLVMDisposeBinary(binary);
}

/* Appends to perf's map of this process; without one perf shows addresses, so a failure to write is no error.
 */
void cg_symbols_write(const cg_symbols *s, LLVMOrcLLJITRef jit)
{
    char path[64];
    FILE *f;

    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    f = fopen(path, "a");
    for (int i = 0; f && i < s->count; i++) {
        LLVMOrcExecutorAddress at = 0;
        LLVMErrorRef error = s->items[i].name ? LLVMOrcLLJITLookup(jit, &at, s->items[i].name) : NULL;
        if (error)
            LLVMConsumeError(error); /* not a function that others may call */
        else if (at)
            fprintf(f, "%llx %llx %s\n", (unsigned long long)at, (unsigned long long)s->items[i].size,
                    s->items[i].name);
    }
    if (f)
        fclose(f);
}

void cg_symbols_free(cg_symbols *s)
{
    for (int i = 0; i < s->count; i++)
        free(s->items[i].name);
    free(s->items);
}
