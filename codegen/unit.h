/* codegen/unit.h: one compilation: the target, the kernels and the modules they are emitted into. */
#ifndef TANDEM_CG_UNIT_H
#define TANDEM_CG_UNIT_H

#include <llvm-c/DebugInfo.h>
#include <llvm-c/TargetMachine.h>

#include "codegen/codegen.h"
#include "codegen/eval.h"
#include "codegen/share.h"

typedef struct cg_target {
    char cpu[64];
    char *features; /* LLVM's feature string; owned */
    char *triple;   /* owned */
    int lanes;
    int register_bytes; /* of a vector register: 16, 32 or 64 */
    bool has_fma, has_gather, has_f16c;
} cg_target;

/* isa and lanes as in cg_options. */
bool cg_target_init(cg_target *t, const char *isa, int lanes, ir_error *e);
void cg_target_free(cg_target *t);
LLVMTargetMachineRef cg_target_machine(const cg_target *t, ir_error *e); /* one per thread; NULL on error */

typedef struct cg_module {
    LLVMContextRef ctx;
    LLVMModuleRef module;
    LLVMTargetMachineRef machine;
    LLVMBuilderRef b;
    LLVMMemoryBufferRef object;
    LLVMDIBuilderRef debug; /* NULL: no debug information */
    LLVMMetadataRef debug_file;
    ir_error err;
} cg_module;

typedef struct cg_job { /* one kernel */
    const ir_kernel *k;
    char *symbol; /* unique; owned */
    cg_binding binding;
    cg_shape_key key;
    /* the kernel whose code it runs: itself, or an earlier one of equal structure */
    int body;
    bool shared; /* several kernels run this one's code */
    int module;
    double weight;  /* rough cost of compiling it */
    unsigned freed; /* IR_FREE bits that its code makes use of */
    int64_t units, grain;
    double flops, bytes;
    char variant[CG_VARIANT_TEXT];
    bool within; /* the job of an earlier kernel runs it, as a member of its chain */
} cg_job;

typedef struct cg_unit {
    const ir_graph *g;
    cg_options o;
    const cg_host *host;
    cg_target target;
    cg_job *jobs;
    int job_count;
    cg_module *modules;
    int module_count;
} cg_unit;

enum { CG_MODULES = 16 };

bool cg_unit_open(cg_unit *u, const ir_graph *g, const cg_options *o, const cg_host *host, int modules,
                  ir_error *e);
/* LLVM IR of all kernels and of the entry */
bool cg_unit_emit(cg_unit *u, ir_error *e);
bool cg_unit_codegen(cg_unit *u, LLVMCodeGenFileType kind, ir_error *e); /* modules[i].object */
void cg_unit_close(cg_unit *u);

/* emit.c */
void cg_emit_job(cg_unit *u, cg_module *m, cg_job *j);   /* one kernel: body and, if shared, the thunk */
void cg_emit_thunk(cg_unit *u, cg_module *m, cg_job *j); /* a kernel that runs another one's body */
void cg_emit_entry(cg_unit *u, cg_module *m);

LLVMTypeRef cg_pointer_in(LLVMContextRef ctx);
/* void (args, begin, end), with `table` also of (args, begin, end, table) */
LLVMTypeRef cg_kernel_type(LLVMContextRef ctx, bool table);
LLVMValueRef cg_add_function(const cg_unit *u, cg_module *m, const char *name, LLVMTypeRef type);
LLVMValueRef cg_declared(cg_module *m, const char *symbol);                 /* a kernel, of whatever module */
LLVMValueRef cg_load_field(cg_module *m, LLVMValueRef base, size_t offset); /* pointer at base + offset */

/* chain.c: the function of a chain, once all members are emitted.  The first member's job becomes the
 * chain's, whose units are strands. */
void cg_emit_chain(cg_unit *u, cg_module *m, int number);

/* compile.c, dump.c: the functions of cg_api */
ir_status cg_compile(const cg_host *host, const ir_graph *g, const cg_options *o, cg_take *take, void *user,
                     ir_error *e);
ir_status cg_dump(const cg_host *host, const ir_graph *g, const cg_options *o, cg_dump_kind kind, char **text,
                  ir_error *e);
void cg_host_info(char *cpu, size_t cpu_size, int *lanes, char *llvm_version, size_t version_size);

#endif
