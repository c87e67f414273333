/* codegen/codegen.h: the door of libtandem-codegen.so, the half that needs LLVM.  No LLVM header is needed
 * here.
 *
 * The library is loaded at the first compile (frontend/load.c), exports only tdm_codegen_entry, and reaches
 * the runtime through the functions in cg_host. */
#ifndef TANDEM_CODEGEN_H
#define TANDEM_CODEGEN_H

#include "ir/freedom.h"
#include "ir/ir.h"
#include "runtime/image.h"

#define CG_ABI 6

typedef struct cg_options {
    int lanes;       /* f32 lanes: 16, 8, 4, 1; 0: widest of the target */
    const char *isa; /* "x86-64", "x86-64-v3", "x86-64-v4"; NULL: this CPU with all its features */
    int threads;     /* threads that compile; also how many the program's chunks should suit */
    bool debug_info; /* names and node numbers for gdb and perf */
    /* compiled code tells rt_races_wrote and rt_races_read of its accesses (product operands aside) */
    bool check_races;
    unsigned freedoms; /* IR_FREE bits; 0: strict */
} cg_options;

typedef struct cg_host {
    /* Runs jobs fn(user, 0) .. fn(user, n - 1) on up to `threads` threads. */
    void (*jobs)(void (*fn)(void *user, int i), void *user, int n, int threads);
} cg_host;

/* CG_DUMP_VARIANTS: a line for each kernel: which of the ways to compute it was picked, and why; empty where
 * there is one. */
typedef enum { CG_DUMP_LLVM, CG_DUMP_ASM, CG_DUMP_VARIANTS } cg_dump_kind;

typedef struct cg_times {
    double emit_ms, codegen_ms; /* LLVM IR, objects */
} cg_times;

/* What compile gives its result to; the image is gone when it returns. */
typedef ir_status cg_take(void *user, const rt_image *image, const cg_times *t, ir_error *e);

typedef struct cg_api {
    /* fingerprint of its sources and of LLVM: code of one build does for another of the same */
    const char *build;
    /* Compiles a verified, fused and planned graph (static shapes). */
    ir_status (*compile)(const ir_graph *g, const cg_options *o, cg_take *take, void *user, ir_error *e);
    /* free() */
    ir_status (*dump)(const ir_graph *g, const cg_options *o, cg_dump_kind kind, char **text, ir_error *e);
    /* Host: "znver5", lanes of the widest f32 vectors, LLVM version. */
    void (*host)(char *cpu, size_t cpu_size, int *lanes, char *llvm_version, size_t version_size);
} cg_api;

/* NULL when abi differs. */
const cg_api *tdm_codegen_entry(int abi, const cg_host *host);

#endif
