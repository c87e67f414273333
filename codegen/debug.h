/* codegen/debug.h: what gdb and perf need to know about compiled kernels (debug.c). */
#ifndef TANDEM_CG_DEBUG_H
#define TANDEM_CG_DEBUG_H

#include <llvm-c/LLJIT.h>

#include "codegen/unit.h"

/* a compile unit for the module; else the rest does nothing */
void cg_debug_open(cg_module *m, const ir_graph *g);
/* The function's scope, or NULL without debug information. */
LLVMMetadataRef cg_debug_function(cg_module *m, LLVMValueRef f, const char *name, ir_ref root);
void cg_debug_at(cg *c, LLVMMetadataRef scope, ir_ref node); /* what is built from now on computes the node */
void cg_debug_leave(cg_module *m);
void cg_debug_finish(cg_module *m); /* before code generation */
void cg_debug_close(cg_module *m);

typedef struct cg_symbol {
    char *name;
    uint64_t size;
} cg_symbol;

typedef struct cg_symbols {
    cg_symbol *items;
    int count;
} cg_symbols;

void cg_symbols_read(cg_symbols *s, LLVMMemoryBufferRef object);
void cg_symbols_write(const cg_symbols *s, LLVMOrcLLJITRef jit); /* perf's map of this process */
void cg_symbols_free(cg_symbols *s);

#endif
