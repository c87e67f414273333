/* codegen/chain.c: the function of a chain (ir_chain): its members, slice by slice.
 *
 *   void tandem_chain0_k3_dot(void *const *args, i64 begin, i64 end)       strands [begin, end)
 *       own[] = args, and room for the values that live in scratch
 *       for each strand s, for each of its slices u
 *           own[i] = scratch of strand s + offset of value i - u * its bytes       for each of these values
 *           k3_dot(own, u r3, (u + 1) r3); k4_softmax(own, u r4, (u + 1) r4); ..
 *
 * A member has r units to a slice, in order.  It computes addresses as it does for the whole value, of which
 * slice u then falls on the scratch: so members are the kernels that there are without a chain. */
#include "codegen/unit.h"
#include "codegen/debug.h"
#include "ir/plant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct chain_code {
    cg_unit *u;
    cg_module *m;
    cg c; /* for its builders */
    const ir_chain *chain;
    LLVMValueRef fn, own, arena;
    int args;
} chain_code;

static bool in_chain(const ir_chain *c, const ir_buffer *b)
{
    return b->kind == IR_B_SCRATCH && b->first >= c->first && b->first < c->first + c->count;
}

/* Values in scratch have numbers from 0 on; those that share a place have one number. */
static int scratch_values(const ir_graph *g, const ir_chain *c)
{
    int n = 0;

    for (int i = 0; i < g->buffers.count; i++)
        if (in_chain(c, &g->buffers.items[i]) && g->buffers.items[i].index >= n)
            n = g->buffers.items[i].index + 1;
    return n;
}

static LLVMValueRef pointer_at(chain_code *s, LLVMValueRef list, int i)
{
    LLVMValueRef at = cg_i64(&s->c, i);

    return LLVMBuildInBoundsGEP2(s->c.b, cg_pointer_in(s->c.ctx), list, &at, 1, "");
}

/* The list of arguments that members get. */
static void copy_arguments(chain_code *s)
{
    LLVMTypeRef ptr = cg_pointer_in(s->c.ctx);
    int room = s->args + scratch_values(s->u->g, s->chain);

    s->own = LLVMBuildAlloca(s->c.b, LLVMArrayType2(ptr, (uint64_t)room), "own");
    LLVMSetAlignment(s->own, 8);
    LLVMBuildMemCpy(s->c.b, s->own, 8, LLVMGetParam(s->fn, 0), 8,
                    cg_i64(&s->c, (int64_t)sizeof(void *) * s->args));
    s->arena = LLVMBuildLoad2(s->c.b, ptr, LLVMGetParam(s->fn, 0), "");
}

/* Where the whole value would begin for slice u of it to lie in the strand's scratch. */
static void point_at_scratch(chain_code *s, LLVMValueRef strand, LLVMValueRef slice)
{
    const ir_graph *g = s->u->g;
    cg *c = &s->c;

    for (int i = 0; i < g->buffers.count; i++) {
        const ir_buffer *b = &g->buffers.items[i];
        if (!in_chain(s->chain, b) || b->alias != IR_NONE)
            continue;
        LLVMValueRef start = cg_i64(c, (int64_t)(s->chain->offset + b->offset));
        LLVMValueRef own = LLVMBuildMul(c->b, strand, cg_i64(c, (int64_t)s->chain->bytes), "");
        LLVMValueRef before = LLVMBuildMul(c->b, slice, cg_i64(c, (int64_t)b->bytes), "");
        LLVMValueRef at = LLVMBuildSub(c->b, LLVMBuildAdd(c->b, start, own, ""), before, "");
        LLVMValueRef p = LLVMBuildGEP2(c->b, LLVMInt8TypeInContext(c->ctx), s->arena, &at, 1, "");
        LLVMBuildStore(c->b, p, pointer_at(s, s->own, s->args + b->index));
    }
}

static void call_members(chain_code *s, LLVMValueRef slice)
{
    cg *c = &s->c;

    for (int i = 0; i < s->chain->count; i++) {
        const cg_job *j = &s->u->jobs[s->chain->first + i];
        LLVMValueRef units = cg_i64(c, j->units / s->chain->slices);
        LLVMValueRef begin = LLVMBuildMul(c->b, slice, units, "");
        LLVMValueRef args[3] = {s->own, begin, LLVMBuildAdd(c->b, begin, units, "")};
        LLVMBuildCall2(c->b, cg_kernel_type(c->ctx, false), cg_declared(s->m, j->symbol), args, 3, "");
        if (j->units % s->chain->slices != 0)
            ir_fail(c->err, IR_ESTATE, "kernel '%s' has %lld units, which are not %lld slices", j->symbol,
                    (long long)j->units, (long long)s->chain->slices);
    }
}

/* strand * slices / strands: the first slice of a strand */
static LLVMValueRef first_slice(chain_code *s, LLVMValueRef strand)
{
    LLVMValueRef all = LLVMBuildMul(s->c.b, strand, cg_i64(&s->c, s->chain->slices), "");

    return LLVMBuildUDiv(s->c.b, all, cg_i64(&s->c, s->chain->strands), "");
}

static void emit_strands(chain_code *s)
{
    cg *c = &s->c;
    cg_loop strands = cg_loop_open(c, LLVMGetParam(s->fn, 1), LLVMGetParam(s->fn, 2), 1, "strand");
    LLVMValueRef next = LLVMBuildAdd(c->b, strands.index, cg_i64(c, 1), "");
    LLVMValueRef end = first_slice(s, next);
    if (IR_PLANTED("chain")) /* the last slice is left out */
        end = LLVMBuildSub(c->b, end, cg_i64(c, 1), "");
    cg_loop slices = cg_loop_open(c, first_slice(s, strands.index), end, 1, "slice");

    point_at_scratch(s, strands.index, slices.index);
    call_members(s, slices.index);
    cg_loop_close(c, &slices);
    cg_loop_close(c, &strands);
}

/* The chain's job in the place of its first member's; the others have nothing to run. */
static void take_jobs(cg_unit *u, const ir_chain *chain, char *symbol)
{
    cg_job *first = &u->jobs[chain->first];
    int args = cg_arg_count(u->g);

    for (int i = 0; i < chain->count; i++) {
        cg_job *j = &first[i];
        for (int p = 0; p < j->binding.count; p++) /* what stays in the caches is no traffic */
            if (j->binding.places[p].arg >= args)
                j->bytes -= (double)ir_type_bytes(&u->g->nodes[j->binding.places[p].node].type);
        if (i == 0)
            continue;
        first->flops += j->flops;
        first->bytes += j->bytes;
        j->flops = j->bytes = 0;
        j->units = j->grain = 0;
        j->within = true;
    }
    free(first->symbol);
    first->symbol = symbol;
    first->units = chain->strands;
    first->grain = 1;
}

void cg_emit_chain(cg_unit *u, cg_module *m, int number)
{
    const ir_chain *chain = &u->g->kernels.chains[number];
    const cg_job *first = &u->jobs[chain->first];
    char name[320];

    snprintf(name, sizeof name, "tandem_chain%d_%s", number, first->symbol);
    char *symbol = strdup(name);
    if (!symbol) {
        ir_fail(&m->err, IR_ENOMEM, "out of memory");
        return;
    }
    chain_code s = {.u = u, .m = m, .chain = chain, .args = cg_arg_count(u->g)};
    s.fn = cg_add_function(u, m, symbol, cg_kernel_type(m->ctx, false));
    s.c = (cg){.ctx = m->ctx, .module = m->module, .b = m->b, .fn = s.fn, .lanes = 1, .err = &m->err};
    LLVMMetadataRef scope = cg_debug_function(m, s.fn, symbol, first->k->root);
    LLVMPositionBuilderAtEnd(m->b, LLVMAppendBasicBlockInContext(m->ctx, s.fn, "entry"));
    cg_debug_at(&s.c, scope, first->k->root);
    copy_arguments(&s);
    emit_strands(&s);
    LLVMBuildRetVoid(m->b);
    cg_debug_leave(m);
    take_jobs(u, chain, symbol);
}
