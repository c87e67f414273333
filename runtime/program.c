/* runtime/program.c: owning a compiled program, and the memory of one execution of it.
 *
 *   args   [arena][inputs and variables][outputs][constants]
 *
 * The arena and the constants are set here once; the caller points inputs and outputs at its own memory.
 * Running allocates nothing. */
#include "runtime/program.h"

#include "ir/map.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

rt_program *rt_program_new(void)
{
    rt_program *p = calloc(1, sizeof *p);

    if (p) {
        p->allocated = true;
    }
    return p;
}

void rt_program_unload(rt_program *p)
{
    if (p->code_free) {
        p->code_free(p->code);
    }
    for (int i = 0; p->constants && i < p->constant_count; i++) {
        if (p->constants[i].owned) {
            rt_free((void *)(uintptr_t)p->constants[i].data, p->constants[i].bytes);
        }
    }
    free(p->constants);
    free(p->kernels);
    p->code = NULL;
    p->code_free = NULL;
    p->entry = NULL;
    p->constants = NULL;
    p->constant_count = 0;
    p->kernels = NULL;
    p->kernel_count = 0;
}

void rt_program_free(rt_program *p)
{
    if (!p) {
        return;
    }
    rt_program_unload(p);
    if (p->graph) {
        ir_graph_free(p->graph);
    }
    if (p->allocated) {
        free(p);
    } else {
        memset(p, 0, sizeof *p);
    }
}

rt_exec *rt_exec_new(const rt_program *p, rt_pool *pool, ir_error *e)
{
    size_t before = 1 + (size_t)p->graph->input_count + (size_t)p->graph->output_count;
    size_t arena = p->graph->buffers.arena_bytes;
    rt_exec *x = calloc(1, sizeof *x);

    if (x) {
        x->program = p;
        x->services = (rt_services){pool, rt_parallel, rt_call_run};
        x->args = calloc(before + (size_t)p->constant_count, sizeof *x->args);
        x->arena = rt_alloc(arena);
    }
    if (!x || !x->args || !x->arena || !rt_calls_open(x)) {
        rt_exec_free(x);
        ir_fail(e, IR_ENOMEM, "out of memory: an execution needs an arena of %zu bytes", arena);
        return NULL;
    }
    x->args[0] = x->arena;
    for (int i = 0; i < p->constant_count; i++) {
        x->args[before + (size_t)i] = (void *)(uintptr_t)p->constants[i].data;
    }
    return x;
}

void rt_exec_free(rt_exec *x)
{
    if (!x) {
        return;
    }
    rt_free(x->arena, x->program->graph->buffers.arena_bytes);
    free(x->args);
    free(x->calls);
    free(x);
}

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int variable_argument(const ir_graph *g, int assign)
{
    int i = 0;

    while (g->inputs[i] != g->assigns[assign].variable) {
        i++;
    }
    return i;
}

bool rt_place_of(const ir_graph *g, ir_ref r, ir_place *p)
{
    int low = 0, high = g->buffers.count;

    while (low < high) {
        int mid = (low + high) / 2;

        if (g->buffers.items[mid].node < r) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    if (low == g->buffers.count || g->buffers.items[low].node != r) {
        return false;
    }
    const ir_buffer *b = &g->buffers.items[low];
    if (b->kind == IR_B_NONE) {
        return b->alias != IR_NONE && rt_place_of(g, b->alias, p);
    }
    *p = (ir_place){b->kind, b->index, b->offset};
    return b->kind != IR_B_SCRATCH; /* which holds another slice by now */
}

void *rt_exec_address(const rt_exec *x, const ir_place *p)
{
    const ir_graph *g = x->program->graph;

    switch (p->kind) {
    case IR_B_NONE:
    case IR_B_SCRATCH: break;
    case IR_B_ARGUMENT: return x->args[1 + p->index];
    case IR_B_OUTPUT: return x->args[1 + g->input_count + p->index];
    case IR_B_CONSTANT: return x->args[1 + g->input_count + g->output_count + p->index];
    case IR_B_ARENA: return (char *)x->arena + p->offset;
    case IR_B_VARIABLE: return x->args[1 + variable_argument(g, p->index)];
    }
    return NULL;
}

/* Kernel i has run, and with it the other members of the chain that it begins. */
static void visit_kernels(const rt_exec *x, int i, void (*visit)(void *user, int kernel), void *user)
{
    const ir_chain *c = ir_chain_of(x->program->graph, i);

    for (int end = c ? i + c->count : i + 1; i < end; i++) {
        visit(user, i);
    }
}

bool rt_exec_run_timed(rt_exec *x, double *ns, void (*visit)(void *user, int kernel), void *user)
{
    const ir_buffer_table *b = &x->program->graph->buffers;

    x->error.status = IR_OK;
    for (int i = 0; i < x->program->kernel_count; i++) {
        const rt_program_kernel *k = &x->program->kernels[i];
        double begin = now_ns();

        if (rt_is_call(x, i)) {
            if (!rt_call_run(&x->services, i)) {
                return false;
            }
        } else if (!k->fn) {
            continue;
        } else if (k->grain) {
            x->services.parallel(x->services.pool, k->fn, x->args, k->units, k->grain);
        } else {
            k->fn(x->args, 0, k->units);
        }
        if (ns) {
            ns[i] += now_ns() - begin;
        }
        if (visit) {
            visit_kernels(x, i, visit, user);
        }
    }
    for (int i = 0; i < b->copy_count; i++) {
        memmove(rt_exec_address(x, &b->copies[i].to), rt_exec_address(x, &b->copies[i].from),
                b->copies[i].bytes);
    }
    return true;
}
