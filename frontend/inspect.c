/* frontend/inspect.c: graphs, programs and the host, looked at from outside. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/fe.h"
#include "ir/map.h"

static const tdm_loc nowhere = {NULL, 0};

tdm_graph *tdm_graph_parse(tdm_context *ctx, const char *text, size_t size, const char *file)
{
    if (!ctx || !tdm_ok(ctx))
        return NULL;
    if (!text || !file) {
        fe_fail(ctx, nowhere, IR_EARG, "graph_parse: argument '%s' is NULL", text ? "file" : "text");
        return NULL;
    }
    ir_graph *g = ir_parse(text, size, file, &ctx->customs, &ctx->rt.error);
    return g ? fe_graph_wrap(ctx, g) : NULL;
}

char *tdm_graph_text(const tdm_graph *g)
{
    char *text = NULL;
    if (!g || ir_print(g->g, &text, &g->ctx->rt.error) != IR_OK)
        return NULL;
    return text;
}

void tdm_text_free(char *text)
{
    free(text);
}

/* ---- passes by name ----------------------------------------------------------------------------------- */

static int length(const pass_info *list)
{
    int n = 0;
    while (list[n].name)
        n++;
    return n;
}

const char *tdm_pass_name(int i, const char **what)
{
    int n = length(pass_pipeline);
    if (i < 0 || i >= n + length(pass_extra))
        return NULL;
    const pass_info *p = i < n ? &pass_pipeline[i] : &pass_extra[i - n];
    if (what)
        *what = p->what;
    return p->name;
}

/* "a,b,c" -> rows; -1 + error for an unknown name. */
static int parse_passes(tdm_context *ctx, const char *list, const pass_info *rows[32])
{
    int n = 0;
    while (*list) {
        char name[64];
        size_t len = strcspn(list, ",");
        snprintf(name, sizeof name, "%.*s", (int)(len < 60 ? len : 60), list);
        const pass_info *p = pass_find(name);
        if (!p || n == 32) {
            fe_fail(ctx, nowhere, IR_EARG, p ? "passes: more than 32 names" : "passes: there is no pass '%s'",
                    name);
            return -1;
        }
        rows[n++] = p;
        list += len + (list[len] == ',');
    }
    return n;
}

tdm_graph *tdm_graph_pass(const tdm_graph *g, const char *passes)
{
    const pass_info *rows[32];
    if (!g || !tdm_ok(g->ctx))
        return NULL;
    tdm_context *ctx = g->ctx;
    pass_context pc = fe_pass_context(ctx);
    ir_graph *out;
    if (!passes || strncmp(passes, "..", 2) == 0) {
        const char *stop = passes ? passes + 2 : NULL;
        if (stop && !pass_find(stop)) {
            fe_fail(ctx, nowhere, IR_EARG, "passes: there is no pass '%.60s'", stop);
            return NULL;
        }
        out = pass_run_pipeline(&pc, g->g, stop, NULL, NULL, NULL, NULL, NULL);
    } else {
        int n = parse_passes(ctx, passes, rows);
        out = n < 0 ? NULL : pass_run(&pc, g->g, rows, n, NULL, NULL, NULL, NULL);
    }
    if (!out)
        fe_fail(ctx, nowhere, IR_EARG, "passes: failed on graph '%s'", g->g->name);
    return out ? fe_graph_wrap(ctx, out) : NULL;
}

tdm_graph *tdm_graph_prefix(const tdm_graph *g, int n, int *map)
{
    const pass_info *rows[32];
    if (!g || !map || n < 0 || n > length(pass_pipeline) || n > 32 || !tdm_ok(g->ctx))
        return NULL;
    for (int i = 0; i < n; i++)
        rows[i] = &pass_pipeline[i];
    pass_context pc = fe_pass_context(g->ctx);
    ir_ref *to = malloc(((size_t)g->g->count + 1) * sizeof *to);
    ir_graph *out = to ? pass_run(&pc, g->g, rows, n, NULL, NULL, NULL, to) : NULL;
    for (uint32_t r = 0; out && r < g->g->count; r++)
        map[r] = to[r] == IR_NONE ? -1 : (int)to[r];
    free(to);
    if (!out)
        fe_fail(g->ctx, nowhere, IR_ENOMEM, "passes: failed on graph '%s'", g->g->name);
    return out ? fe_graph_wrap(g->ctx, out) : NULL;
}

/* ---- nodes -------------------------------------------------------------------------------------------- */

int tdm_graph_nodes(const tdm_graph *g)
{
    return g ? (int)g->g->count : 0;
}

static double node_bytes(const ir_graph *g, const ir_node *n)
{
    ir_class cls = ir_ops[n->op].cls;
    if (cls == IR_LEAF || cls == IR_VIEW || !ir_type_is_static(&n->type))
        return 0;
    double b = (double)ir_type_bytes(&n->type);
    for (int i = 0; i < n->n; i++)
        if (ir_type_is_static(&g->nodes[n->x[i]].type))
            b += (double)ir_type_bytes(&g->nodes[n->x[i]].type);
    return b;
}

bool tdm_graph_node(const tdm_graph *g, int i, tdm_node_info *out)
{
    if (!g || !out || i < 0 || i >= (int)g->g->count)
        return false;
    const ir_node *n = &g->g->nodes[i];
    bool leaf = n->op == IR_input || n->op == IR_variable;
    *out = (tdm_node_info){
        .op = ir_ops[n->op].name,
        .name = leaf ? n->attrs->leaf.name : "",
        .dtype = (tdm_dtype)n->type.dtype,
        .rank = n->type.rank,
        .n_operands = n->n,
        .file = n->loc.file ? n->loc.file : "",
        .line = n->loc.line,
        .region = n->region ? n->region : "",
        .flops = ir_node_flops(g->g, n),
        .bytes = node_bytes(g->g, n),
    };
    memcpy(out->dims, n->type.dims, sizeof out->dims);
    for (int k = 0; k < n->n && k < 8; k++)
        out->operands[k] = (int)n->x[k];
    return true;
}

const char *tdm_graph_name(const tdm_graph *g)
{
    return g ? g->g->name : "";
}

const char *tdm_graph_dim_name(const tdm_graph *g, int64_t dim)
{
    return g && dim < 0 && ~dim < g->g->symbol_count ? g->g->symbols[~dim] : "";
}

int tdm_graph_inputs(const tdm_graph *g)
{
    return g ? g->g->input_count : 0;
}

int tdm_graph_input(const tdm_graph *g, int i, bool *variable)
{
    if (!g || i < 0 || i >= g->g->input_count)
        return -1;
    if (variable)
        *variable = g->g->nodes[g->g->inputs[i]].op == IR_variable;
    return (int)g->g->inputs[i];
}

int tdm_graph_outputs(const tdm_graph *g)
{
    return g ? g->g->output_count : 0;
}

int tdm_graph_output(const tdm_graph *g, int i, const char **name)
{
    if (!g || i < 0 || i >= g->g->output_count)
        return -1;
    if (name)
        *name = g->g->outputs[i].name;
    return (int)g->g->outputs[i].value;
}

int tdm_graph_assigns(const tdm_graph *g)
{
    return g ? g->g->assign_count : 0;
}

int tdm_graph_assign(const tdm_graph *g, int i, int *variable)
{
    if (!g || i < 0 || i >= g->g->assign_count)
        return -1;
    if (variable)
        *variable = (int)g->g->assigns[i].variable;
    return (int)g->g->assigns[i].value;
}

/* ---- programs ----------------------------------------------------------------------------------------- */

const tdm_graph *tdm_program_graph(const tdm_program *p)
{
    return p ? &p->graph : NULL;
}

int tdm_program_map(const tdm_program *p, int source_node)
{
    if (!p || source_node < 0 || (uint32_t)source_node >= p->map_count || p->map[source_node] == IR_NONE)
        return -1;
    return (int)p->map[source_node];
}

int tdm_program_kernels(const tdm_program *p)
{
    return p ? p->p.kernel_count : 0;
}

bool tdm_program_kernel(const tdm_program *p, int i, tdm_kernel_info *out)
{
    if (!p || !out || i < 0 || i >= p->p.kernel_count)
        return false;
    const ir_kernel *k = &p->p.graph->kernels.items[i];
    *out = (tdm_kernel_info){.name = k->name,
                             .kind = ir_kernel_kind_name(k->kind),
                             .n_nodes = k->node_count,
                             .n_outs = k->out_count,
                             .nodes = k->nodes,
                             .outs = k->outs,
                             .flops = p->p.kernels[i].flops,
                             .bytes = p->p.kernels[i].bytes,
                             .freedoms = p->p.kernels[i].freedoms,
                             .members = 1};
    const ir_chain *c = ir_chain_of(p->p.graph, i);
    if (c)
        out->members = c->first == i ? c->count : 0;
    return true;
}

const char *tdm_program_stage(const tdm_program *p, int i, double *ms)
{
    if (!p || i < 0 || i >= p->p.stage_count)
        return NULL;
    *ms = p->p.stages[i].ms;
    return p->p.stages[i].name;
}

size_t tdm_program_arena_bytes(const tdm_program *p)
{
    return p ? p->p.graph->buffers.arena_bytes : 0;
}

size_t tdm_program_live_bytes(const tdm_program *p)
{
    int kernel;
    return p ? ir_live_peak(p->p.graph, &kernel) : 0;
}

double tdm_program_repeated_flops(const tdm_program *p)
{
    return p ? ir_repeated_flops(p->p.graph) : 0;
}

size_t tdm_program_memory_bytes(const tdm_program *p)
{
    if (!p)
        return 0;
    const ir_graph *g = p->p.graph;
    size_t bytes = g->buffers.arena_bytes;
    for (int i = 0; i < g->output_count; i++)
        bytes += ir_type_bytes(&g->nodes[g->outputs[i].value].type);
    for (int i = 0; i < p->p.constant_count; i++)
        bytes += p->p.constants[i].bytes;
    return bytes;
}

const char *tdm_freedom_name(int i, unsigned *bit, const char **what)
{
    if (i < 0 || i >= IR_FREEDOM_COUNT)
        return NULL;
    if (bit)
        *bit = 1u << i;
    if (what)
        *what = ir_freedoms[i].what;
    return ir_freedoms[i].name;
}

/* ---- host --------------------------------------------------------------------------------------------- */

tdm_status tdm_host(tdm_context *ctx, tdm_host_info *out)
{
    cpu_set_t set;
    if (!ctx || !out)
        return TDM_EARG;
    *out = (tdm_host_info){.eager_isa = rt_level_name(ctx->rt.engine.level)};
    out->cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    const cg_api *api = fe_codegen(ctx);
    if (api)
        api->host(out->cpu, sizeof out->cpu, &out->lanes, out->llvm, sizeof out->llvm);
    return tdm_error_code(ctx);
}
