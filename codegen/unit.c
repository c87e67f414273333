/* codegen/unit.c: one compilation from a planned graph to object files.
 *
 *   kernels -> bindings and structure keys -> equal kernels grouped -> groups spread over modules by weight
 *           -> IR per module (in parallel) -> entry -> machine code per module (in parallel)
 *
 * Each module has its own LLVMContext and target machine, so threads share nothing of LLVM.  Few modules: one
 * costs about 0.2 ms and module-wide constants are shared. */
#include "codegen/unit.h"
#include "codegen/debug.h"

#include <llvm-c/Analysis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SHARED_PLACES = 256, SYMBOL_MAX = 200 };

/* ---- kernels ---- */

static int64_t place_bytes(const ir_graph *g, ir_ref r)
{
    return (int64_t)ir_type_bytes(&g->nodes[r].type);
}

static double node_flops(const ir_graph *g, ir_ref r)
{
    const ir_node *n = &g->nodes[r];
    double elements = (double)ir_type_elements(&n->type);

    if (ir_ops[n->op].cls == IR_REDUCE || ir_ops[n->op].cls == IR_INDEX)
        elements = (double)ir_type_elements(&g->nodes[n->x[0]].type);
    if (ir_ops[n->op].cls == IR_CONTRACT)
        for (int i = 0; i < n->attrs->nk; i++)
            elements *= (double)g->nodes[n->x[0]].type.dims[n->attrs->dot.lhs_k[i]];
    return ir_ops[n->op].flops * elements;
}

#define OWN_SYMBOLS "tandem_" /* how the names of all but kernels begin */

/* Names come from outside: a symbol is the name, cut to a sane length and made unique where it is not. */
static char *make_symbol(const cg_unit *u, int i)
{
    char text[SYMBOL_MAX + 32];
    const char *name = u->jobs[i].k->name;
    bool taken = !name || strncmp(name, OWN_SYMBOLS, strlen(OWN_SYMBOLS)) == 0 || strlen(name) > SYMBOL_MAX;

    for (int j = 0; j < i && !taken; j++)
        taken = strcmp(u->jobs[j].symbol, name) == 0;
    if (taken)
        snprintf(text, sizeof text, "k%d.%.*s", i, SYMBOL_MAX, name ? name : "");
    return strdup(taken ? text : name);
}

static bool describe_job(cg_unit *u, int i, ir_error *e)
{
    const ir_graph *g = u->g;
    cg_job *j = &u->jobs[i];

    j->k = &g->kernels.items[i];
    j->body = i;
    j->symbol = make_symbol(u, i);
    if (!j->symbol) {
        ir_fail(e, IR_ENOMEM, "out of memory");
        return false;
    }
    if (!cg_bind(g, j->k, &j->binding, &j->key, e))
        return false;
    j->weight = j->k->kind == IR_K_CONTRACT ? 40 : 4;
    for (int n = 0; n < j->k->node_count; n++) {
        j->flops += node_flops(g, j->k->nodes[n]);
        j->weight += ir_ops[g->nodes[j->k->nodes[n]].op].facts & IR_EXPENSIVE ? 4 : 1;
    }
    for (int p = 0; p < j->binding.count; p++)
        j->bytes += (double)place_bytes(g, j->binding.places[p].node);
    return true;
}

/* Finds for each kernel the first one of equal structure.  A hash table of key hashes keeps this linear. */
static bool group_equal(cg_unit *u, ir_error *e)
{
    size_t size = 64;

    while (size < 2 * (size_t)u->job_count)
        size *= 2;
    int *slots = calloc(size, sizeof *slots);
    if (!slots) {
        ir_fail(e, IR_ENOMEM, "out of memory");
        return false;
    }
    for (int i = 0; i < u->job_count; i++) {
        cg_job *j = &u->jobs[i];
        size_t h = j->key.hash & (size - 1);
        for (; slots[h]; h = (h + 1) & (size - 1)) {
            cg_job *first = &u->jobs[slots[h] - 1];
            if (first->binding.count <= MAX_SHARED_PLACES && cg_key_eq(&first->key, &j->key)) {
                j->body = slots[h] - 1;
                first->shared = true;
                break;
            }
        }
        if (!slots[h])
            slots[h] = i + 1;
    }
    free(slots);
    return true;
}

/* Bodies to the lightest module so far; thunks follow their body. */
static void spread(cg_unit *u)
{
    double load[CG_MODULES] = {0};

    for (int i = 0; i < u->job_count; i++) {
        cg_job *j = &u->jobs[i];
        if (j->body != i) {
            j->module = u->jobs[j->body].module;
            continue;
        }
        for (int m = 1; m < u->module_count; m++)
            if (load[m] < load[j->module])
                j->module = m;
        load[j->module] += j->weight;
    }
}

/* ---- modules ---- */

static bool open_module(cg_unit *u, cg_module *m, ir_error *e)
{
    m->ctx = LLVMContextCreate();
    m->module = LLVMModuleCreateWithNameInContext("tandem", m->ctx);
    m->b = LLVMCreateBuilderInContext(m->ctx);
    m->machine = cg_target_machine(&u->target, e);
    if (!m->machine)
        return false;
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(m->machine);
    LLVMSetModuleDataLayout(m->module, layout);
    LLVMSetTarget(m->module, u->target.triple);
    LLVMDisposeTargetData(layout);
    if (u->o.debug_info)
        cg_debug_open(m, u->g);
    return true;
}

bool cg_unit_open(cg_unit *u, const ir_graph *g, const cg_options *o, const cg_host *host, int modules,
                  ir_error *e)
{
    *u = (cg_unit){.g = g, .o = *o, .host = host, .job_count = g->kernels.count};
    if (!cg_target_init(&u->target, o->isa, o->lanes, e))
        return false;
    u->jobs = calloc((size_t)u->job_count + 1, sizeof *u->jobs);
    u->module_count = modules < 1 ? 1 : modules > CG_MODULES ? CG_MODULES : modules;
    u->modules = calloc((size_t)u->module_count, sizeof *u->modules);
    if (!u->jobs || !u->modules) {
        ir_fail(e, IR_ENOMEM, "out of memory");
        return false;
    }
    for (int i = 0; i < u->job_count; i++)
        if (!describe_job(u, i, e))
            return false;
    if (!group_equal(u, e))
        return false;
    spread(u);
    for (int i = 0; i < u->module_count; i++)
        if (!open_module(u, &u->modules[i], e))
            return false;
    return true;
}

static void emit_module(void *user, int i)
{
    cg_unit *u = user;
    cg_module *m = &u->modules[i];

    for (int j = 0; j < u->job_count && m->err.status == IR_OK; j++)
        if (u->jobs[j].module == i) {
            if (u->jobs[j].body == j)
                cg_emit_job(u, m, &u->jobs[j]);
            else
                cg_emit_thunk(u, m, &u->jobs[j]);
        }
}

static bool first_error(const cg_unit *u, ir_error *e)
{
    for (int i = 0; i < u->module_count; i++)
        if (u->modules[i].err.status != IR_OK) {
            ir_fail(e, u->modules[i].err.status, "%s", u->modules[i].err.text);
            return true;
        }
    return false;
}

/* A broken module would abort inside LLVM: say so instead. */
static bool verify_modules(cg_unit *u, ir_error *e)
{
    for (int i = 0; i < u->module_count; i++) {
        char *message = NULL;
        bool bad = LLVMVerifyModule(u->modules[i].module, LLVMReturnStatusAction, &message);
        if (bad)
            ir_fail(e, IR_EUNSUPPORTED, "internal error in codegen: %.300s", message);
        LLVMDisposeMessage(message);
        if (bad)
            return false;
    }
    return true;
}

bool cg_unit_emit(cg_unit *u, ir_error *e)
{
    u->host->jobs(emit_module, u, u->module_count, u->o.threads);
    if (first_error(u, e))
        return false;
    for (int i = 0; i < u->g->kernels.chain_count; i++)
        cg_emit_chain(u, &u->modules[0], i);
    cg_emit_entry(u, &u->modules[0]);
    for (int i = 0; i < u->module_count; i++)
        cg_debug_finish(&u->modules[i]);
    return !first_error(u, e) && verify_modules(u, e);
}

typedef struct codegen_run {
    cg_unit *u;
    LLVMCodeGenFileType kind;
} codegen_run;

static void codegen_module(void *user, int i)
{
    codegen_run *r = user;
    cg_module *m = &r->u->modules[i];
    char *message = NULL;

    if (LLVMTargetMachineEmitToMemoryBuffer(m->machine, m->module, r->kind, &message, &m->object)) {
        ir_fail(&m->err, IR_EUNSUPPORTED, "LLVM: %.300s", message ? message : "can't emit code");
        LLVMDisposeMessage(message);
        m->object = NULL;
    }
}

bool cg_unit_codegen(cg_unit *u, LLVMCodeGenFileType kind, ir_error *e)
{
    codegen_run r = {u, kind};

    u->host->jobs(codegen_module, &r, u->module_count, u->o.threads);
    return !first_error(u, e);
}

static void close_module(cg_module *m)
{
    if (m->object)
        LLVMDisposeMemoryBuffer(m->object);
    cg_debug_close(m);
    if (m->b)
        LLVMDisposeBuilder(m->b);
    if (m->module)
        LLVMDisposeModule(m->module);
    if (m->machine)
        LLVMDisposeTargetMachine(m->machine);
    if (m->ctx)
        LLVMContextDispose(m->ctx);
}

void cg_unit_close(cg_unit *u)
{
    for (int i = 0; u->modules && i < u->module_count; i++)
        close_module(&u->modules[i]);
    for (int i = 0; u->jobs && i < u->job_count; i++) {
        free(u->jobs[i].symbol);
        cg_binding_free(&u->jobs[i].binding);
        cg_key_free(&u->jobs[i].key);
    }
    free(u->modules);
    free(u->jobs);
    cg_target_free(&u->target);
}
