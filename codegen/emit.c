/* codegen/emit.c: functions: one per kernel, thunks for kernels that share code, and the entry that calls
 * them.
 *
 *   void k3_add+relu(void *const *args, i64 begin, i64 end)       chunks of [0, units)
 *   void k3_add+relu.body(args, begin, end, i64 *table)           shared; table: (argument, offset) per place
 *   void tandem_chain0_k3(args, begin, end)                       strands of a chain (chain.c)
 *   void tandem_entry(void *const *args, const rt_services *s)    k0(args, 0, 1); s->parallel(s->pool, k1,
 * ..) */
#include "codegen/unit.h"
#include "codegen/debug.h"
#include "ir/plant.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

LLVMTypeRef cg_pointer_in(LLVMContextRef ctx)
{
    return LLVMPointerTypeInContext(ctx, 0);
}

LLVMTypeRef cg_kernel_type(LLVMContextRef ctx, bool table)
{
    LLVMTypeRef ptr = cg_pointer_in(ctx), i64 = LLVMInt64TypeInContext(ctx);

    return LLVMFunctionType(LLVMVoidTypeInContext(ctx), (LLVMTypeRef[]){ptr, i64, i64, ptr}, table ? 4 : 3,
                            0);
}

static void add_attribute(LLVMContextRef ctx, LLVMValueRef f, const char *name, const char *value)
{
    LLVMAddAttributeAtIndex(
        f, LLVMAttributeFunctionIndex,
        LLVMCreateStringAttribute(ctx, name, (unsigned)strlen(name), value, (unsigned)strlen(value)));
}

/* Modules reach each other's functions by their distance. */
static LLVMValueRef hidden(LLVMValueRef f)
{
    LLVMSetVisibility(f, LLVMHiddenVisibility);
    return f;
}

LLVMValueRef cg_add_function(const cg_unit *u, cg_module *m, const char *name, LLVMTypeRef type)
{
    LLVMValueRef f = hidden(LLVMAddFunction(m->module, name, type));
    unsigned nounwind = LLVMGetEnumAttributeKindForName("nounwind", 8);

    LLVMAddAttributeAtIndex(f, LLVMAttributeFunctionIndex, LLVMCreateEnumAttribute(m->ctx, nounwind, 0));
    if (u->target.register_bytes == 64 && u->target.lanes == 16) {
        add_attribute(m->ctx, f, "prefer-vector-width", "512");
        add_attribute(m->ctx, f, "min-legal-vector-width", "512");
    }
    return f;
}

/* ---- kernels ---- */

static void emit_body(cg_kernel *k)
{
    switch (k->k->kind) {
    case IR_K_LOOP: cg_emit_loop(k); break;
    case IR_K_ROW: cg_emit_row(k); break;
    case IR_K_OUTER: cg_emit_outer(k); break;
    case IR_K_CONTRACT: cg_emit_contract(k); break;
    case IR_K_INDEX: cg_emit_index(k); break;
    default: cg_fail(k, IR_EUNSUPPORTED, "unknown kind"); break;
    }
}

/* What depends on no index is emitted at the end of the entry block, whose branch to the rest is there from
 * the start. */
static void open_blocks(cg_module *m, cg_kernel *k, LLVMValueRef f)
{
    LLVMBasicBlockRef body = LLVMAppendBasicBlockInContext(m->ctx, f, "body");

    k->entry = LLVMGetInsertBlock(m->b);
    LLVMBuildBr(m->b, body);
    LLVMPositionBuilderAtEnd(m->b, body);
}

/* max(begin - 1, 0) */
static LLVMValueRef one_before(cg_module *m, LLVMValueRef begin)
{
    LLVMTypeRef i64 = LLVMInt64TypeInContext(m->ctx);
    LLVMValueRef before = LLVMBuildSub(m->b, begin, LLVMConstInt(i64, 1, 0), "");

    return LLVMBuildSelect(m->b, LLVMBuildICmp(m->b, LLVMIntEQ, begin, LLVMConstNull(i64), ""), begin, before,
                           "");
}

/* The kernel's code from the builder's position to its return; sets units and grain. */
static void fill_variant(cg_unit *u, cg_module *m, cg_job *j, LLVMValueRef f, bool streaming,
                         LLVMMetadataRef scope)
{
    cg c = {.ctx = m->ctx,
            .module = m->module,
            .b = m->b,
            .fn = f,
            .lanes = u->target.lanes,
            .register_bytes = u->target.register_bytes,
            .has_fma = u->target.has_fma,
            .has_gather = u->target.has_gather,
            .has_f16c = u->target.has_f16c,
            .check_races = u->o.check_races,
            .freedoms = u->o.freedoms,
            .err = &m->err};
    cg_kernel k = {
        .c = &c, .g = u->g, .k = j->k, .binding = &j->binding, .vector_dim = -1, .banks = 1, .units = 1};

    k.args = LLVMGetParam(f, 0);
    k.begin = LLVMGetParam(f, 1);
    k.end = LLVMGetParam(f, 2);
    if (IR_PLANTED("races")) /* a unit too many: the same values, twice */
        k.begin = one_before(m, k.begin);
    k.table = j->shared ? LLVMGetParam(f, 3) : NULL;
    k.streaming = streaming;
    k.threads = u->o.threads > 1 ? u->o.threads : 1;
    k.debug_scope = scope;
    k.space = ir_kernel_space(u->g, j->k, &k.inner, &k.run);
    const ir_chain *chain = ir_chain_of(u->g, (int)(j->k - u->g->kernels.items));
    k.slices = chain ? chain->slices : 1;
    k.slice_dims = chain ? ir_chain_dims(&k.space, chain->slices) : 0;
    for (int d = 0; d < CG_DIMS; d++)
        k.level[d] = d;
    open_blocks(m, &k, f);
    if (k.space.rank < 0)
        cg_fail(&k, IR_EUNSUPPORTED, "too many dims");
    else
        emit_body(&k);
    if (streaming)
        cg_intrinsic(&c, "llvm.x86.sse.sfence", NULL, 0, NULL, 0);
    LLVMBuildRetVoid(m->b);
    j->freed = c.freed;
    memcpy(j->variant, k.variant, sizeof j->variant);
    j->units = k.units;
    j->grain = u->o.check_races && k.grain > 1 ? 1 : k.grain; /* grain is a matter of cost only */
    cg_memo_free(&k);
    cg_terms_free(&k);
}

/* True where every out that is to be written past the caches begins at a cache line; NULL: there is no such
 * out. */
static LLVMValueRef aligned_outs(cg_unit *u, cg_module *m, cg_job *j, LLVMValueRef f)
{
    cg c = {.ctx = m->ctx, .module = m->module, .b = m->b, .fn = f, .lanes = 1, .err = &m->err};
    cg_kernel k = {.c = &c, .g = u->g, .k = j->k, .binding = &j->binding, .vector_dim = -1, .banks = 1};
    LLVMTypeRef i64 = LLVMInt64TypeInContext(m->ctx);
    LLVMValueRef bits = NULL;

    k.args = LLVMGetParam(f, 0);
    k.table = j->shared ? LLVMGetParam(f, 3) : NULL;
    k.entry = LLVMGetInsertBlock(m->b);
    for (int o = 0; o < j->k->out_count; o++)
        if (cg_streams(u->g, j->k, j->k->outs[o])) {
            LLVMValueRef p = LLVMBuildPtrToInt(m->b, cg_base(&k, j->k->outs[o]), i64, "");
            bits = bits ? LLVMBuildOr(m->b, bits, p, "") : p;
        }
    cg_memo_free(&k);
    if (!bits)
        return NULL;
    bits = LLVMBuildAnd(m->b, bits, LLVMConstInt(i64, 63, 0), "");
    return LLVMBuildICmp(m->b, LLVMIntEQ, bits, LLVMConstNull(i64), "");
}

/* The function of kernel j in f: one body, or one for aligned big outs and one for any. */
static void fill_function(cg_unit *u, cg_module *m, cg_job *j, LLVMValueRef f)
{
    LLVMMetadataRef scope = cg_debug_function(m, f, j->symbol, j->k->root);
    cg c = {.ctx = m->ctx, .b = m->b};

    LLVMPositionBuilderAtEnd(m->b, LLVMAppendBasicBlockInContext(m->ctx, f, "entry"));
    cg_debug_at(&c, scope, j->k->root);
    bool can_stream = u->target.register_bytes >= 32 && 4 * u->target.lanes >= u->target.register_bytes;
    LLVMValueRef aligned = can_stream ? aligned_outs(u, m, j, f) : NULL;
    if (aligned) {
        LLVMBasicBlockRef past = LLVMAppendBasicBlockInContext(m->ctx, f, "past");
        LLVMBasicBlockRef any = LLVMAppendBasicBlockInContext(m->ctx, f, "any");
        LLVMBuildCondBr(m->b, aligned, past, any);
        LLVMPositionBuilderAtEnd(m->b, past);
        fill_variant(u, m, j, f, true, scope);
        LLVMPositionBuilderAtEnd(m->b, any);
    }
    fill_variant(u, m, j, f, false, scope);
    cg_debug_leave(m);
}

static void body_name(const cg_job *j, char *name, size_t size)
{
    snprintf(name, size, "%s.body", j->symbol);
}

void cg_emit_thunk(cg_unit *u, cg_module *m, cg_job *j)
{
    const cg_job *body = &u->jobs[j->body];
    char name[512];
    LLVMTypeRef i64 = LLVMInt64TypeInContext(m->ctx),
                type = LLVMArrayType2(i64, 2 * (uint64_t)j->binding.count);
    LLVMValueRef table = LLVMAddGlobal(m->module, type, ""),
                 f = cg_add_function(u, m, j->symbol, cg_kernel_type(m->ctx, false));
    LLVMValueRef entries[2 * 256];

    if (j->binding.count > 256) {
        ir_fail(&m->err, IR_EUNSUPPORTED, "kernel '%s' has more than 256 buffers", j->symbol);
        return;
    }
    for (int i = 0; i < j->binding.count; i++) {
        entries[2 * i] = LLVMConstInt(i64, (unsigned long long)j->binding.places[i].arg, 0);
        entries[2 * i + 1] = LLVMConstInt(i64, j->binding.places[i].offset, 0);
    }
    LLVMSetInitializer(table, LLVMConstArray2(i64, entries, 2 * (uint64_t)j->binding.count));
    LLVMSetGlobalConstant(table, 1);
    LLVMSetLinkage(table, LLVMPrivateLinkage);
    body_name(body, name, sizeof name);
    LLVMPositionBuilderAtEnd(m->b, LLVMAppendBasicBlockInContext(m->ctx, f, "entry"));
    LLVMValueRef args[4] = {LLVMGetParam(f, 0), LLVMGetParam(f, 1), LLVMGetParam(f, 2), table};
    LLVMValueRef call = LLVMBuildCall2(m->b, cg_kernel_type(m->ctx, true),
                                       LLVMGetNamedFunction(m->module, name), args, 4, "");
    LLVMSetTailCall(call, 1);
    LLVMBuildRetVoid(m->b);
    j->freed = body->freed;
    memcpy(j->variant, body->variant, sizeof j->variant);
    j->units = body->units;
    j->grain = body->grain;
}

void cg_emit_job(cg_unit *u, cg_module *m, cg_job *j)
{
    char name[512];

    j->binding.shared = j->shared;
    if (!j->shared) {
        fill_function(u, m, j, cg_add_function(u, m, j->symbol, cg_kernel_type(m->ctx, false)));
        return;
    }
    body_name(j, name, sizeof name);
    LLVMValueRef f = cg_add_function(u, m, name, cg_kernel_type(m->ctx, true));
    if (!m->debug) /* else perf and gdb should see it */
        LLVMSetLinkage(f, LLVMInternalLinkage);
    fill_function(u, m, j, f);
    cg_emit_thunk(u, m, j);
}

/* ---- the entry ---- */

LLVMValueRef cg_declared(cg_module *m, const char *symbol)
{
    LLVMValueRef f = LLVMGetNamedFunction(m->module, symbol);

    return f ? f : hidden(LLVMAddFunction(m->module, symbol, cg_kernel_type(m->ctx, false)));
}

LLVMValueRef cg_load_field(cg_module *m, LLVMValueRef base, size_t offset)
{
    LLVMValueRef at = LLVMConstInt(LLVMInt64TypeInContext(m->ctx), offset, 0);

    return LLVMBuildLoad2(m->b, cg_pointer_in(m->ctx),
                          LLVMBuildInBoundsGEP2(m->b, LLVMInt8TypeInContext(m->ctx), base, &at, 1, ""), "");
}

static LLVMValueRef place_address(cg_module *m, const ir_graph *g, LLVMValueRef args, const ir_place *p)
{
    int arg = 0;
    size_t offset = 0;

    if (!cg_place_arg(g, p->kind, p->index, p->offset, &arg, &offset))
        ir_fail(&m->err, IR_EUNSUPPORTED, "a copy to or from nowhere");
    LLVMValueRef base = cg_load_field(m, args, (size_t)arg * sizeof(void *));
    LLVMValueRef at = LLVMConstInt(LLVMInt64TypeInContext(m->ctx), offset, 0);
    return LLVMBuildInBoundsGEP2(m->b, LLVMInt8TypeInContext(m->ctx), base, &at, 1, "");
}

static bool is_serial(const cg_unit *u, const cg_job *j)
{
    return j->grain <= 0 || j->units <= j->grain || (u->o.threads == 1 && !u->o.check_races);
}

/* if (!s->custom(s, kernel)) return; */
static void call_custom(cg_module *m, LLVMValueRef f, LLVMValueRef services, int kernel)
{
    LLVMTypeRef i64 = LLVMInt64TypeInContext(m->ctx), i8 = LLVMInt8TypeInContext(m->ctx);
    LLVMTypeRef type = LLVMFunctionType(i8, (LLVMTypeRef[]){cg_pointer_in(m->ctx), i64}, 2, 0);
    LLVMBasicBlockRef failed = LLVMAppendBasicBlockInContext(m->ctx, f, "failed"),
                      done = LLVMAppendBasicBlockInContext(m->ctx, f, "done");
    LLVMValueRef fn = cg_load_field(m, services, offsetof(rt_services, custom));
    LLVMValueRef args[2] = {services, LLVMConstInt(i64, (unsigned long long)kernel, 0)};
    LLVMValueRef ok = LLVMBuildCall2(m->b, type, fn, args, 2, "");

    LLVMBuildCondBr(m->b, LLVMBuildICmp(m->b, LLVMIntEQ, ok, LLVMConstNull(i8), ""), failed, done);
    LLVMPositionBuilderAtEnd(m->b, failed);
    LLVMBuildRetVoid(m->b);
    LLVMPositionBuilderAtEnd(m->b, done);
}

void cg_emit_entry(cg_unit *u, cg_module *m)
{
    LLVMTypeRef ptr = cg_pointer_in(m->ctx), i64 = LLVMInt64TypeInContext(m->ctx),
                none = LLVMVoidTypeInContext(m->ctx);
    LLVMTypeRef parallel_type = LLVMFunctionType(none, (LLVMTypeRef[]){ptr, ptr, ptr, i64, i64}, 5, 0);
    LLVMValueRef f =
        cg_add_function(u, m, RT_ENTRY_SYMBOL, LLVMFunctionType(none, (LLVMTypeRef[]){ptr, ptr}, 2, 0));
    LLVMValueRef args = LLVMGetParam(f, 0), services = LLVMGetParam(f, 1), pool = NULL, parallel = NULL;

    LLVMPositionBuilderAtEnd(m->b, LLVMAppendBasicBlockInContext(m->ctx, f, "entry"));
    for (int i = 0; i < u->job_count; i++) {
        const cg_job *j = &u->jobs[i];
        if (j->within)
            continue;
        if (u->g->nodes[j->k->root].op == IR_custom) {
            call_custom(m, f, services, i);
            continue;
        }
        LLVMValueRef fn = cg_declared(m, j->symbol), n = LLVMConstInt(i64, (unsigned long long)j->units, 0);
        if (is_serial(u, j)) {
            LLVMBuildCall2(m->b, cg_kernel_type(m->ctx, false), fn,
                           (LLVMValueRef[]){args, LLVMConstNull(i64), n}, 3, "");
            continue;
        }
        if (!pool) {
            pool = cg_load_field(m, services, offsetof(rt_services, pool));
            parallel = cg_load_field(m, services, offsetof(rt_services, parallel));
        }
        LLVMValueRef a[5] = {pool, fn, args, n, LLVMConstInt(i64, (unsigned long long)j->grain, 0)};
        LLVMBuildCall2(m->b, parallel_type, parallel, a, 5, "");
    }
    for (int i = 0; i < u->g->buffers.copy_count; i++) {
        const ir_copy *copy = &u->g->buffers.copies[i];
        LLVMValueRef to = place_address(m, u->g, args, &copy->to),
                     from = place_address(m, u->g, args, &copy->from);
        LLVMBuildMemMove(m->b, to, 1, from, 1, LLVMConstInt(i64, copy->bytes, 0));
    }
    LLVMBuildRetVoid(m->b);
}
