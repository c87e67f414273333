/* frontend/compile.c: a closed graph -> passes -> codegen -> a program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frontend/fe.h"

static const tdm_loc nowhere = {NULL, 0};

/* Folding computes on the eager kernels: there is no second copy of the arithmetic.  A custom call that fails
 * is not folded: it fails when it runs. */
static ir_status fold_eval(void *user, ir_op op, const ir_attrs *a, const ir_type *const *xt,
                           const void *const *x, int n, const ir_type *yt, void *y)
{
    rt_array in[4];
    const rt_array *at[4];
    if (n > 4)
        return IR_EUNSUPPORTED;
    for (int i = 0; i < n; i++) {
        in[i] = rt_array_of(xt[i], (void *)(uintptr_t)x[i]);
        at[i] = &in[i];
    }
    rt_array out = rt_array_of(yt, y);
    rt_engine engine = *(const rt_engine *)user;
    engine.err = NULL;
    return rt_compute(&engine, op, a, at, n, &out);
}

pass_context fe_pass_context(tdm_context *ctx)
{
    return (pass_context){.eval = fold_eval,
                          .eval_user = &ctx->rt.engine,
                          .err = &ctx->rt.error,
                          .memory_budget = ctx->options.memory_budget,
                          /* races are looked for between strands too, so there are some */
                          .threads = ctx->options.check_races ? 2 : ctx->options.threads};
}

/* $TANDEM_DEBUG asks for what gdb and perf read: line tables, and a map in /tmp with the names of kernels. */
cg_options fe_codegen_options(const tdm_context *ctx)
{
    return (cg_options){.lanes = ctx->options.width,
                        .isa = ctx->options.isa,
                        .threads = ctx->options.threads,
                        .debug_info = getenv("TANDEM_DEBUG") != NULL,
                        .check_races = ctx->options.check_races,
                        .freedoms = fe_freedoms(ctx)};
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void add_stage(rt_program *p, const char *name, double ms)
{
    if (p->stage_count < (int)(sizeof p->stages / sizeof *p->stages))
        p->stages[p->stage_count++] = (rt_stage_time){name, ms};
}

typedef struct taking {
    tdm_program *p;
    const cg_options *o;
    const char *build;
} taking;

static ir_status take_image(void *user, const rt_image *image, const cg_times *t, ir_error *e)
{
    taking *k = user;
    rt_program *p = &k->p->p;

    add_stage(p, "emit", t->emit_ms);
    add_stage(p, "codegen", t->codegen_ms);
    double t0 = now_ms();
    ir_status s = rt_image_load(image, p, k->o->debug_info, e);
    double t1 = now_ms();
    add_stage(p, "link", t1 - t0);
    if (s == IR_OK) {
        fe_cache_keep(k->p, k->o, image, k->build);
        add_stage(p, "keep", now_ms() - t1);
    }
    return s;
}

static bool generate_code(tdm_program *p, const cg_options *o)
{
    double before = now_ms();
    const cg_api *api = fe_codegen(p->ctx);
    if (!api)
        return false;
    double loading = now_ms() - before;
    if (loading > 0.05)
        add_stage(&p->p, "load", loading);
    ir_status s = api->compile(p->p.graph, o, take_image, &(taking){p, o, api->build}, &p->ctx->rt.error);
    if (s != IR_OK)
        fe_fail(p->ctx, nowhere, s, "compile: code generation failed");
    return s == IR_OK;
}

static bool run_passes(tdm_program *p, const ir_graph *g, pass_context *pc)
{
    pass_report reports[16];
    int count = 16;

    p->p.graph = pass_run_pipeline(pc, g, NULL, reports, &count, NULL, NULL, p->map);
    if (!p->p.graph) {
        fe_fail(p->ctx, nowhere, IR_EARG, "compile: a pass failed");
        return false;
    }
    for (int i = 0; i < count; i++)
        add_stage(&p->p, reports[i].name, reports[i].ms);
    return true;
}

/* What the passes make of g and its code are on disk already or made.  The pieces end up in p. */
static bool build(tdm_program *p, const ir_graph *g, ir_graph **given, const char *without)
{
    tdm_context *ctx = p->ctx;
    pass_context pc = fe_pass_context(ctx);
    cg_options o = fe_codegen_options(ctx);
    pc.given = given;
    pc.apart = without && strcmp(without, "plan") == 0;
    pc.unchained = without && strcmp(without, "chain") == 0;

    p->map_count = g->count;
    p->map = malloc((g->count + 1) * sizeof *p->map);
    if (!p->map) {
        fe_fail(ctx, nowhere, IR_ENOMEM, "compile: out of memory");
        return false;
    }
    double t0 = now_ms();
    bool known = !without && fe_graph_recall(p, g, &pc, &o);
    double t1 = now_ms();
    if (!known && !run_passes(p, g, &pc))
        return false;
    double t2 = now_ms();
    bool found = fe_cache_load(p, &o);
    add_stage(&p->p, "cache", now_ms() - t2 + t1 - t0);
    if (!found && !generate_code(p, &o))
        return false;
    if (!known)
        fe_graph_remember(p);
    return true;
}

/* The captured tensor behind every input of the final graph; inputs keep their order through the passes. */
static bool bind_captures(tdm_program *p, const tdm_graph *source, const ir_graph *g)
{
    p->bound = calloc((size_t)g->input_count + 1, sizeof *p->bound);
    if (!p->bound) {
        fe_fail(p->ctx, nowhere, IR_ENOMEM, "compile: out of memory");
        return false;
    }
    p->bound_count = g->input_count;
    p->rng_input = -1;
    for (int i = 0; i < p->bound_count; i++) {
        ir_ref leaf = g->inputs[i];
        if (source->rng == leaf)
            p->rng_input = i;
        for (int k = 0; k < source->capture_count; k++)
            if (source->captures[k].leaf == leaf && !source->captures[k].tensor->graph)
                p->bound[i] = rt_retain(source->captures[k].tensor);
    }
    return true;
}

/* Without any, a run would have nothing to do. */
static bool has_results(const ir_graph *g)
{
    bool found = g->output_count > 0 || g->assign_count > 0;

    for (ir_ref r = 0; r < g->count && !found; r++)
        found = ir_has_effects(&g->nodes[r]);
    return found;
}

static bool can_compile(const tdm_graph *source)
{
    tdm_context *ctx = source->ctx;

    if (tdm_ok(ctx) && !source->closed)
        fe_fail(ctx, nowhere, IR_ESTATE, "compile: graph '%s' is still open", source->g->name);
    if (tdm_ok(ctx) && !has_results(source->g))
        fe_fail(ctx, nowhere, IR_ESTATE, "compile: graph '%s' has no outputs and no assigns",
                source->g->name);
    return tdm_ok(ctx);
}

/* once: the graph of `source` is given up. */
static tdm_program *compile(tdm_graph *source, const char *const *dims, const char *without, bool once)
{
    if (!source || !can_compile(source))
        return NULL;
    tdm_context *ctx = source->ctx;
    ir_graph *special = source->g->symbol_count ? fe_specialize(ctx, source->g, dims) : NULL;
    if (!tdm_ok(ctx))
        return NULL;
    tdm_program *p = calloc(1, sizeof *p);
    if (!p) {
        ir_graph_free(special);
        fe_fail(ctx, nowhere, IR_ENOMEM, "compile: out of memory");
        return NULL;
    }
    p->ctx = ctx;
    if (once && special) {
        ir_graph_free(source->g);
        source->g = special;
        special = NULL;
    }
    const ir_graph *g = special ? special : source->g;
    rt_context_trim(&ctx->rt); /* weights that were captured and released: compiling needs their memory */
    bool ok = bind_captures(p, source, g) && build(p, g, once ? &source->g : NULL, without);
    p->graph = (tdm_graph){.ctx = ctx, .g = p->p.graph, .rng = IR_NONE, .closed = true, .borrowed = true};
    ir_graph_free(special);
    if (ok)
        return p;
    tdm_program_free(p);
    return NULL;
}

tdm_program *tdm_compile(tdm_graph *source, const char *const *dims)
{
    return compile(source, dims, NULL, false);
}

tdm_program *tdm_compile_once(tdm_graph *source, const char *const *dims)
{
    tdm_program *p = compile(source, dims, NULL, true);

    tdm_graph_free(source);
    return p;
}

tdm_program *tdm_compile_without(tdm_graph *source, const char *pass)
{
    return compile(source, NULL, pass, false);
}

void tdm_program_free(tdm_program *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->bound_count; i++)
        rt_release(p->bound[i]);
    free(p->bound);
    free(p->map);
    rt_program_free(&p->p);
    free(p);
}
