/* codegen/dump.c: LLVM text or assembly of a program, how its kernels are computed, and what there is to say
 * about the host. */
#include "codegen/unit.h"

#include <llvm-c/Core.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *copy_text(const char *text, size_t n)
{
    char *copy = malloc(n + 1);

    if (copy) {
        memcpy(copy, text, n);
        copy[n] = 0;
    }
    return copy;
}

static char *dump_llvm(const cg_unit *u)
{
    char *text = LLVMPrintModuleToString(u->modules[0].module), *copy = copy_text(text, strlen(text));

    LLVMDisposeMessage(text);
    return copy;
}

static char *dump_asm(cg_unit *u, ir_error *e)
{
    if (!cg_unit_codegen(u, LLVMAssemblyFile, e))
        return NULL;
    LLVMMemoryBufferRef b = u->modules[0].object;
    return copy_text(LLVMGetBufferStart(b), LLVMGetBufferSize(b));
}

static char *dump_variants(const cg_unit *u)
{
    char *text = malloc((size_t)u->job_count * CG_VARIANT_TEXT + 1), *at = text;

    for (int i = 0; text && i < u->job_count; i++) {
        size_t n = strlen(u->jobs[i].variant);
        memcpy(at, u->jobs[i].variant, n);
        at[n] = '\n';
        at += n + 1;
    }
    if (text)
        *at = 0;
    return text;
}

ir_status cg_dump(const cg_host *host, const ir_graph *g, const cg_options *o, cg_dump_kind kind, char **text,
                  ir_error *e)
{
    ir_error local = {0};
    cg_unit u;

    *text = NULL;
    if (cg_unit_open(&u, g, o, host, 1, &local) && cg_unit_emit(&u, &local)) {
        *text = kind == CG_DUMP_LLVM       ? dump_llvm(&u)
                : kind == CG_DUMP_VARIANTS ? dump_variants(&u)
                                           : dump_asm(&u, &local);
        if (!*text)
            ir_fail(&local, IR_ENOMEM, "out of memory");
    }
    cg_unit_close(&u);
    return *text ? IR_OK : ir_fail(e, local.status, "%s", local.text);
}

void cg_host_info(char *cpu, size_t cpu_size, int *lanes, char *llvm_version, size_t version_size)
{
    ir_error e = {0};
    cg_target t;
    unsigned major = 0, minor = 0, patch = 0;

    LLVMGetVersion(&major, &minor, &patch);
    snprintf(llvm_version, version_size, "%u.%u.%u", major, minor, patch);
    if (cg_target_init(&t, NULL, 0, &e)) {
        snprintf(cpu, cpu_size, "%s", t.cpu);
        *lanes = t.lanes;
    }
    cg_target_free(&t);
}
