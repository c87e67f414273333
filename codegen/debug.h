/* codegen/debug.h: what gdb needs to know about compiled kernels (debug.c). */
#ifndef TANDEM_CG_DEBUG_H
#define TANDEM_CG_DEBUG_H

#include "codegen/unit.h"

/* a compile unit for the module; else the rest does nothing */
void cg_debug_open(cg_module *m, const ir_graph *g);
/* The function's scope, or NULL without debug information. */
LLVMMetadataRef cg_debug_function(cg_module *m, LLVMValueRef f, const char *name, ir_ref root);
void cg_debug_at(cg *c, LLVMMetadataRef scope, ir_ref node); /* what is built from now on computes the node */
void cg_debug_leave(cg_module *m);
void cg_debug_finish(cg_module *m); /* before code generation */
void cg_debug_close(cg_module *m);

#endif
