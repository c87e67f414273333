/* frontend/races.c: what a run with tdm_options.check_races found, as the context's error. */
#include <inttypes.h>
#include <stdio.h>

#include "frontend/fe.h"
#include "runtime/races.h"

static const tdm_loc nowhere = {NULL, 0};

/* "byte 192 of output 'y'", "byte 4096 of the arena" */
static void place_text(const tdm_exec *e, const void *at, char *text, size_t size)
{
    const ir_graph *g = e->program->p.graph;
    uintptr_t p = (uintptr_t)at, arena = (uintptr_t)e->x->arena;

    if (p - arena < g->buffers.arena_bytes) {
        snprintf(text, size, "byte %zu of the arena", (size_t)(p - arena));
        return;
    }
    for (int i = 0; i < g->output_count; i++) {
        uintptr_t out = (uintptr_t)e->outputs[i]->a.data;
        if (p - out < ir_type_bytes(&g->nodes[g->outputs[i].value].type)) {
            snprintf(text, size, "byte %zu of output '%s'", (size_t)(p - out), g->outputs[i].name);
            return;
        }
    }
    for (int i = 0; i < g->input_count; i++) {
        uintptr_t in = (uintptr_t)e->x->args[1 + i];
        if (p - in < ir_type_bytes(&g->nodes[g->inputs[i]].type)) {
            snprintf(text, size, "byte %zu of '%s'", (size_t)(p - in),
                     g->nodes[g->inputs[i]].attrs->leaf.name);
            return;
        }
    }
    snprintf(text, size, "a byte of no known buffer");
}

tdm_status fe_races(tdm_exec *e)
{
    tdm_context *ctx = e->program->ctx;
    const rt_program *p = &e->program->p;
    const char *kernel = "?";
    char place[160];
    bool lost;
    rt_race r;

    bool found = rt_races_take(rt_pool_races(ctx->pool), &r, &lost);
    if (lost)
        return fe_fail(ctx, nowhere, IR_ENOMEM, "exec_run: out of memory while races were looked for");
    if (!found)
        return TDM_OK;
    for (int i = 0; i < p->kernel_count; i++)
        if (p->kernels[i].fn == r.fn)
            kernel = p->kernels[i].name;
    place_text(e, r.at, place, sizeof place);
    return fe_fail(
        ctx, nowhere, IR_ESTATE,
        "exec_run: race in kernel '%s': of %" PRId64 " chunks, %" PRId64 " %s and %" PRId64 " %s %s", kernel,
        r.chunks, r.other, r.other_wrote ? "writes" : "reads", r.chunk, r.wrote ? "writes" : "reads", place);
}
