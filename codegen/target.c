/* codegen/target.c: which machine code is made for: CPU name and features, and how many f32 lanes suit it.
 *
 * The host's name may be masked by a hypervisor, so its feature string is always passed.  "x86-64-v3" and its
 * like go by name alone.  LLVM is initialised once per process. */
#include "codegen/unit.h"

#include <llvm-c/Target.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void init_llvm(void)
{
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
}

/* One element "+name" of a comma-separated feature string. */
static bool has_feature(const char *features, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = features; (p = strstr(p, name)); p += n)
        if (p > features && p[-1] == '+' && (p[n] == ',' || p[n] == 0))
            return true;
    return false;
}

static const struct {
    const char *isa;
    int lanes;
    bool v3;
} levels[] = {{"x86-64", 4, false}, {"x86-64-v2", 4, false}, {"x86-64-v3", 8, true}, {"x86-64-v4", 16, true}};

static bool set_level(cg_target *t, const char *isa)
{
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (strcmp(levels[i].isa, isa) == 0) {
            snprintf(t->cpu, sizeof t->cpu, "%s", isa);
            t->features = strdup("");
            t->lanes = levels[i].lanes;
            t->has_fma = t->has_gather = t->has_f16c = levels[i].v3;
            return true;
        }
    return false;
}

static void set_host(cg_target *t)
{
    char *cpu = LLVMGetHostCPUName(), *features = LLVMGetHostCPUFeatures();

    snprintf(t->cpu, sizeof t->cpu, "%s", cpu ? cpu : "x86-64");
    t->features = strdup(features ? features : "");
    LLVMDisposeMessage(cpu);
    LLVMDisposeMessage(features);
    if (!t->features)
        return;
    bool avx512 = has_feature(t->features, "avx512f") && has_feature(t->features, "avx512vl") &&
                  has_feature(t->features, "avx512bw") && has_feature(t->features, "avx512dq");
    t->has_gather = has_feature(t->features, "avx2");
    t->has_fma = has_feature(t->features, "fma");
    t->has_f16c = has_feature(t->features, "f16c");
    t->lanes = avx512 ? 16 : t->has_gather ? 8 : 4;
}

bool cg_target_init(cg_target *t, const char *isa, int lanes, ir_error *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init_llvm);
    *t = (cg_target){0};
    if (lanes != 0 && lanes != 1 && lanes != 4 && lanes != 8 && lanes != 16) {
        ir_fail(e, IR_EARG, "lanes must be 1, 4, 8, 16 or 0 (widest), not %d", lanes);
        return false;
    }
    if (!isa) {
        set_host(t);
    } else if (!set_level(t, isa)) {
        ir_fail(e, IR_EARG, "unknown isa '%s': x86-64, x86-64-v2, x86-64-v3 or x86-64-v4", isa);
        return false;
    }
    t->triple = LLVMGetDefaultTargetTriple();
    if (!t->features || !t->triple) {
        ir_fail(e, IR_ENOMEM, "out of memory");
        return false;
    }
    t->register_bytes = t->lanes * 4;
    if (lanes)
        t->lanes = lanes;
    return true;
}

void cg_target_free(cg_target *t)
{
    free(t->features);
    if (t->triple)
        LLVMDisposeMessage(t->triple);
    *t = (cg_target){0};
}

LLVMTargetMachineRef cg_target_machine(const cg_target *t, ir_error *e)
{
    LLVMTargetRef target;
    char *message = NULL;

    if (LLVMGetTargetFromTriple(t->triple, &target, &message)) {
        ir_fail(e, IR_EUNSUPPORTED, "LLVM has no target for %s: %s", t->triple, message ? message : "");
        LLVMDisposeMessage(message);
        return NULL;
    }
    return LLVMCreateTargetMachine(target, t->triple, t->cpu, t->features, LLVMCodeGenLevelDefault,
                                   LLVMRelocPIC, LLVMCodeModelSmall);
}
