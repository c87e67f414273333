/* passes/pipeline.c: the order of the passes, and the driver that runs them.
 *
 * This array is the pipeline.  A new pass is a file, a line in all.h and a line here.  Verifying, timing and
 * showing are the driver's: a pass only rewrites. */
#include "passes/all.h"
#include "passes/rebuild.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

const pass_info pass_pipeline[] = {
    {"widen", "reductions, scans and products of f16 and bf16 become f32 ones", pass_widen},
    {"simplify", "bit-safe algebra, views composed, reductions split into single runs", pass_simplify},
    {"fold", "constants computed now", pass_fold},
    {"cse", "equal nodes become one", pass_cse},
    {"dce", "unused nodes go", pass_dce},
    {"pack", "constant weights of products laid out as kernels read them", pass_pack},
    {"remat", "values computed again to fit the memory budget", pass_remat},
    {"block", "sums over many rows in blocks, taken along with the rows", pass_block},
    {"fuse", "nodes grouped into kernels", pass_fuse},
    {"chain", "kernels that pass big values on run together, slice by slice", pass_chain},
    {"plan", "buffers placed in one arena", pass_plan},
    {NULL, NULL, NULL},
};

const pass_info pass_extra[] = {
    {"gradient", "outputs grad_NAME for every float input and variable; inputs d_OUTPUT",
     pass_gradient_outputs},
    {NULL, NULL, NULL},
};

#define PIPELINE_LENGTH ((int)(sizeof pass_pipeline / sizeof pass_pipeline[0]) - 1)

const pass_info *pass_find(const char *name)
{
    const pass_info *const lists[] = {pass_pipeline, pass_extra};

    for (size_t i = 0; name && i < sizeof lists / sizeof lists[0]; i++) {
        for (const pass_info *p = lists[i]; p->name; p++) {
            if (strcmp(p->name, name) == 0) {
                return p;
            }
        }
    }
    return NULL;
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* One pass into a new, verified graph; NULL and pc->err after a failure.  Fills step[in's refs]. */
static ir_graph *run_one(pass_context *pc, const pass_info *p, const ir_graph *in, ir_ref *step,
                         pass_report *report)
{
    ir_graph *out = ir_graph_new(in->name);
    ir_error verify = {0};
    double start = now_ms();

    if (!out) {
        ir_fail(pc->err, IR_ENOMEM, "out of memory in pass %s", p->name);
        return NULL;
    }
    if (p->run(pc, in, out, step) != IR_OK || out->error.status != IR_OK) {
        const char *why = out->error.text[0] ? out->error.text : "failed";
        ir_fail(pc->err, out->error.status ? out->error.status : IR_ESTATE, "pass %s: %s", p->name, why);
    } else if (ir_verify(out, &verify) != IR_OK) {
        ir_fail(pc->err, verify.status, "after pass %s: %s", p->name, verify.text);
    } else {
        *report = (pass_report){p->name, now_ms() - start, in->count, out->count};
        return out;
    }
    ir_graph_free(out);
    return NULL;
}

/* map[r] = step[map[r]] where there is one. */
static void compose(ir_ref *map, uint32_t count, const ir_ref *step)
{
    for (uint32_t r = 0; r < count; r++) {
        map[r] = map[r] == IR_NONE ? IR_NONE : step[map[r]];
    }
}

/* A copy: what a run of no passes returns. */
static ir_graph *copy(pass_context *pc, const ir_graph *g, ir_ref *map)
{
    ir_graph *out = ir_graph_new(g->name);

    if (out && pass_copy_graph(g, out, map) == IR_OK) {
        return out;
    }
    ir_fail(pc->err, IR_ENOMEM, "out of memory copying a graph");
    ir_graph_free(out);
    return NULL;
}

/* The loop over the passes; `total` maps g's refs to the current graph's. */
static ir_graph *run_all(pass_context *pc, const ir_graph *g, const pass_info *const *passes, int count,
                         pass_report *reports, pass_observer *observe, void *user, ir_ref *total)
{
    const ir_graph *current = g;
    ir_graph *owned = NULL;
    uint32_t refs = g->count;

    for (int i = 0; i < count; i++) {
        pass_report report;
        ir_ref *step = malloc((current->count + 1) * sizeof *step);
        ir_graph *next = step ? run_one(pc, passes[i], current, step, &report) : NULL;
        if (!step) {
            ir_fail(pc->err, IR_ENOMEM, "out of memory in pass %s", passes[i]->name);
        }
        if (next) {
            compose(total, refs, step);
        }
        free(step);
        ir_graph_free(owned);
        if (next && pc->given) {
            ir_graph_free(*pc->given);
            *pc->given = NULL;
        }
        owned = next;
        current = next;
        if (!next) {
            return NULL;
        }
        if (reports) {
            reports[i] = report;
        }
        if (observe && !observe(user, passes[i]->name, next, total)) {
            break;
        }
    }
    return owned;
}

ir_graph *pass_run(pass_context *pc, const ir_graph *g, const pass_info *const *passes, int count,
                   pass_report *reports, pass_observer *observe, void *user, ir_ref *map)
{
    ir_ref *total = map ? map : malloc((g->count + 1) * sizeof *total);

    if (!total) {
        ir_fail(pc->err, IR_ENOMEM, "out of memory before the first pass");
        return NULL;
    }
    for (uint32_t r = 0; r < g->count; r++) {
        total[r] = r;
    }
    ir_graph *out =
        count > 0 ? run_all(pc, g, passes, count, reports, observe, user, total) : copy(pc, g, total);

    if (total != map) {
        free(total);
    }
    return out;
}

ir_graph *pass_run_pipeline(pass_context *pc, const ir_graph *g, const char *stop_after, pass_report *reports,
                            int *report_count, pass_observer *observe, void *user, ir_ref *map)
{
    const pass_info *passes[PIPELINE_LENGTH];
    int count = 0;
    bool stopped = false;

    while (count < PIPELINE_LENGTH && !stopped) {
        passes[count] = &pass_pipeline[count];
        stopped = stop_after && strcmp(passes[count]->name, stop_after) == 0;
        count++;
    }
    if (stop_after && !stopped) {
        ir_fail(pc->err, IR_EARG, "there is no pass named %s in the pipeline", stop_after);
        return NULL;
    }
    if (report_count) {
        *report_count = count;
    }
    return pass_run(pc, g, passes, count, reports, observe, user, map);
}
