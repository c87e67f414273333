/* codegen/compile.c: a planned graph -> a runnable rt_program.
 *
 *   emit (LLVM IR) -> codegen (objects in memory) -> link (one LLJIT, from this thread) -> addresses
 *
 * Compiled code calls nothing outside itself but the C functions listed here and the runtime's sort, which
 * are bound by address. */
#include "codegen/unit.h"
#include "codegen/debug.h"

#include <llvm-c/LLJIT.h>
#include <llvm-c/LLJITUtils.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void add_stage(rt_program *p, const char *name, double ms)
{
    if (p->stage_count < (int)(sizeof p->stages / sizeof p->stages[0]))
        p->stages[p->stage_count++] = (rt_stage_time){name, ms};
}

/* True where `error` is none; else takes it into e. */
static bool llvm_ok(LLVMErrorRef error, ir_error *e)
{
    if (!error)
        return true;
    char *text = LLVMGetErrorMessage(error);
    ir_fail(e, IR_EUNSUPPORTED, "LLVM: %.300s", text);
    LLVMDisposeErrorMessage(text);
    return false;
}

/* ---- linking ---- */

typedef void any_fn(void);

/* What LLVM may call for a target without the instruction (fma before v3, rounding before SSE 4.1) and for
 * blocks of memory. */
static const struct {
    const char *name;
    any_fn *fn;
} library[] = {
#define F(name) {#name, (any_fn *)name}
    F(fma),   F(fmaf),      F(memcpy),     F(memset),    F(memmove),   F(rint),
    F(rintf), F(nearbyint), F(nearbyintf), F(floor),     F(floorf),    F(ceil),
    F(ceilf), F(trunc),     F(truncf),     F(roundeven), F(roundevenf)
#undef F
};

static LLVMOrcCSymbolMapPair bound(LLVMOrcLLJITRef jit, const char *name, any_fn *fn)
{
    LLVMOrcCSymbolMapPair p = {.Name = LLVMOrcLLJITMangleAndIntern(jit, name)};

    p.Sym.Address = (LLVMOrcExecutorAddress)(uintptr_t)fn;
    p.Sym.Flags =
        (LLVMJITSymbolFlags){LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable, 0};
    return p;
}

static bool bind_library(const cg_host *host, LLVMOrcLLJITRef jit, LLVMOrcJITDylibRef lib, ir_error *e)
{
    enum { COUNT = sizeof library / sizeof library[0] };
    LLVMOrcCSymbolMapPair pairs[COUNT + 3];

    for (int i = 0; i < COUNT; i++)
        pairs[i] = bound(jit, library[i].name, library[i].fn);
    pairs[COUNT] = bound(jit, CG_ARGSORT_SYMBOL, (any_fn *)host->argsort);
    pairs[COUNT + 1] = bound(jit, CG_WROTE_SYMBOL, (any_fn *)host->wrote);
    pairs[COUNT + 2] = bound(jit, CG_READ_SYMBOL, (any_fn *)host->read);
    LLVMOrcMaterializationUnitRef unit = LLVMOrcAbsoluteSymbols(pairs, COUNT + 3);
    LLVMErrorRef error = LLVMOrcJITDylibDefine(lib, unit);
    if (error)
        LLVMOrcDisposeMaterializationUnit(unit);
    return llvm_ok(error, e);
}

static bool link_objects(cg_unit *u, LLVMOrcLLJITRef jit, ir_error *e)
{
    LLVMOrcJITDylibRef lib = LLVMOrcLLJITGetMainJITDylib(jit);

    if (!bind_library(u->host, jit, lib, e))
        return false;
    for (int i = 0; i < u->module_count; i++) {
        LLVMMemoryBufferRef object = u->modules[i].object;
        u->modules[i].object = NULL; /* the JIT owns it now */
        if (!llvm_ok(LLVMOrcLLJITAddObjectFile(jit, lib, object), e))
            return false;
    }
    return true;
}

static void *look_up(LLVMOrcLLJITRef jit, const char *symbol, ir_error *e)
{
    LLVMOrcExecutorAddress address = 0;

    return llvm_ok(LLVMOrcLLJITLookup(jit, &address, symbol), e) ? (void *)(uintptr_t)address : NULL;
}

static void free_code(void *code)
{
    LLVMErrorRef error = LLVMOrcDisposeLLJIT(code);

    if (error)
        LLVMConsumeError(error);
}

/* Lets gdb know the code; a process that does not export LLVM's hook for it just stays without. */
static void enable_gdb(LLVMOrcLLJITRef jit)
{
    LLVMErrorRef error = LLVMOrcLLJITEnableDebugSupport(jit);

    if (error)
        LLVMConsumeError(error);
}

static bool link_program(cg_unit *u, rt_program *out, ir_error *e)
{
    LLVMOrcLLJITRef jit = NULL;

    if (!llvm_ok(LLVMOrcCreateLLJIT(&jit, NULL), e))
        return false;
    out->code = jit;
    out->code_free = free_code;
    cg_symbols symbols = {0};
    if (u->o.debug_info) {
        enable_gdb(jit);
        for (int i = 0; i < u->module_count; i++)
            cg_symbols_read(&symbols, u->modules[i].object);
    }
    bool linked = link_objects(u, jit, e);
    if (linked && u->o.debug_info)
        cg_symbols_write(&symbols, jit);
    cg_symbols_free(&symbols);
    if (!linked)
        return false;
    *(void **)&out->entry = look_up(jit, CG_ENTRY_SYMBOL, e);
    for (int i = 0; i < u->job_count && e->status == IR_OK; i++) {
        const cg_job *j = &u->jobs[i];
        rt_program_kernel *k = &out->kernels[i];
        *k = (rt_program_kernel){.name = j->k->name ? j->k->name : "kernel",
                                 .units = j->units,
                                 .grain = j->grain,
                                 .flops = j->flops,
                                 .bytes = j->bytes};
        *(void **)&k->fn = look_up(jit, j->symbol, e);
    }
    return e->status == IR_OK;
}

/* ---- constants ---- */

/* Row-major and expanded: a splat constant repeats its element. */
static void fill_constant(void *to, const ir_node *n, size_t bytes)
{
    size_t size = ir_dtype_size((ir_dtype)n->type.dtype);

    if (!n->attrs->splat) {
        memcpy(to, n->attrs->constant.data, bytes);
        return;
    }
    for (size_t at = 0; at < bytes; at += size)
        memcpy((char *)to + at, n->attrs->constant.data, size);
}

static bool make_constants(const cg_host *host, rt_program *out, ir_error *e)
{
    const ir_graph *g = out->graph;
    int count = 0;

    for (int i = 0; i < g->buffers.count; i++)
        if (g->buffers.items[i].kind == IR_B_CONSTANT && g->buffers.items[i].index >= count)
            count = g->buffers.items[i].index + 1;
    out->constants = calloc((size_t)count + 1, sizeof *out->constants);
    out->constant_bytes = calloc((size_t)count + 1, sizeof *out->constant_bytes);
    if (!out->constants || !out->constant_bytes) {
        ir_fail(e, IR_ENOMEM, "out of memory");
        return false;
    }
    out->constant_count = count;
    for (int i = 0; i < g->buffers.count; i++) {
        const ir_buffer *b = &g->buffers.items[i];
        const ir_node *n = &g->nodes[b->node];
        if (b->kind != IR_B_CONSTANT || n->op != IR_constant || out->constants[b->index])
            continue;
        size_t bytes = ir_type_bytes(&n->type);
        void *data = host->alloc(bytes);
        if (!data) {
            ir_fail(e, IR_ENOMEM, "out of memory: a constant of %zu bytes", bytes);
            return false;
        }
        fill_constant(data, n, bytes);
        out->constants[b->index] = data;
        out->constant_bytes[b->index] = bytes;
    }
    return true;
}

/* ---- the whole ---- */

static bool compile_unit(cg_unit *u, rt_program *out, ir_error *e)
{
    double t0 = now_ms();

    if (!cg_unit_emit(u, e))
        return false;
    double t1 = now_ms();
    add_stage(out, "emit", t1 - t0);
    if (!cg_unit_codegen(u, LLVMObjectFile, e))
        return false;
    double t2 = now_ms();
    add_stage(out, "codegen", t2 - t1);
    bool ok = link_program(u, out, e);
    add_stage(out, "link", now_ms() - t2);
    return ok;
}

/* One module per thread; a program of few kernels is not worth a second one. */
static int module_count(const ir_graph *g, const cg_options *o)
{
    return o->threads < g->kernels.count ? o->threads : g->kernels.count;
}

ir_status cg_compile(const cg_host *host, const cg_options *o, rt_program *out, ir_error *e)
{
    const ir_graph *g = out->graph;
    ir_error local = {0};
    cg_unit u;

    for (uint32_t r = 0; r < g->count; r++) {
        const ir_node *n = &g->nodes[r];
        if (!ir_type_is_static(&n->type))
            return ir_fail(e, IR_EUNSUPPORTED, "compiling needs a value for every symbolic dimension");
        if (n->n > 0 && ir_op_widens(n->op, (ir_dtype)g->nodes[n->x[0]].type.dtype))
            return ir_fail(e, IR_EUNSUPPORTED, "compiling needs pass widen: %s of %s", ir_ops[n->op].name,
                           ir_dtype_name((ir_dtype)g->nodes[n->x[0]].type.dtype));
    }
    out->kernel_count = g->kernels.count;
    out->kernels = calloc((size_t)g->kernels.count + 1, sizeof *out->kernels);
    if (!out->kernels)
        return ir_fail(e, IR_ENOMEM, "out of memory");
    bool ok = make_constants(host, out, &local);
    if (ok) {
        ok = cg_unit_open(&u, g, o, host, module_count(g, o), &local) && compile_unit(&u, out, &local);
        cg_unit_close(&u);
    }
    return ok ? IR_OK : ir_fail(e, local.status, "%s", local.text);
}
