/* frontend/dump.c: a graph at any stage as text: text IR, DOT, kernel and arena tables, LLVM, assembly. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/fe.h"

static const tdm_loc nowhere = {NULL, 0};

/* "kernel k0_relu+mul" clusters when the graph has kernels, else plain nodes; edges carry shapes. */
static void dot_node(FILE *f, const ir_graph *g, ir_ref r)
{
    char type[128];
    const ir_node *n = &g->nodes[r];
    bool leaf = ir_ops[n->op].cls == IR_LEAF;
    fprintf(f, "    n%u [label=\"%%%u %s%s%s\\n%s\"%s];\n", r, r, ir_ops[n->op].name,
            n->op == IR_input || n->op == IR_variable ? " " : "",
            n->op == IR_input || n->op == IR_variable ? n->attrs->leaf.name : "",
            ir_type_text(&n->type, g->symbols, type, sizeof type),
            leaf ? ", shape=box, style=filled, fillcolor=lightgrey" : "");
}

static void write_dot(FILE *f, const ir_graph *g, const char *unused)
{
    (void)unused;
    bool *grouped = calloc((size_t)g->count + 1, sizeof *grouped);
    fprintf(f, "digraph \"%s\" {\n    rankdir=TB; node [fontname=\"monospace\", fontsize=10];\n", g->name);
    for (int k = 0; k < g->kernels.count && grouped; k++) {
        const ir_kernel *kernel = &g->kernels.items[k];
        fprintf(f, "  subgraph cluster_%d { label=\"%s\"; style=rounded;\n", k, kernel->name);
        for (int i = 0; i < kernel->node_count; i++)
            if (!grouped[kernel->nodes[i]]) {
                dot_node(f, g, kernel->nodes[i]);
                grouped[kernel->nodes[i]] = true;
            }
        fprintf(f, "  }\n");
    }
    for (ir_ref r = 0; r < g->count; r++) {
        if (!grouped || !grouped[r])
            dot_node(f, g, r);
        for (int i = 0; i < g->nodes[r].n; i++)
            fprintf(f, "    n%u -> n%u;\n", g->nodes[r].x[i], r);
    }
    for (int i = 0; i < g->output_count; i++)
        fprintf(f, "    out%d [label=\"%s\", shape=ellipse, style=bold]; n%u -> out%d;\n", i,
                g->outputs[i].name, g->outputs[i].value, i);
    for (int i = 0; i < g->assign_count; i++)
        fprintf(f, "    n%u -> n%u [style=dashed, label=assign, constraint=false];\n", g->assigns[i].value,
                g->assigns[i].variable);
    fprintf(f, "}\n");
    free(grouped);
}

static void write_chains(FILE *f, const ir_graph *g)
{
    for (int i = 0; i < g->kernels.chain_count; i++) {
        const ir_chain *c = &g->kernels.chains[i];
        fprintf(f, "chain of %s .. %s: %" PRId64 " slices in %d strands, %zu bytes of scratch each\n",
                g->kernels.items[c->first].name, g->kernels.items[c->first + c->count - 1].name, c->slices,
                c->strands, c->bytes);
    }
}

/* `variants`: a line for each kernel. */
static void write_kernels(FILE *f, const ir_graph *g, const char *variants)
{
    for (int i = 0; i < g->kernels.count; i++) {
        const ir_kernel *k = &g->kernels.items[i];
        fprintf(f, "%-40s %-8s root %%%-5u nodes", k->name, ir_kernel_kind_name(k->kind), k->root);
        for (int n = 0; n < k->node_count; n++)
            fprintf(f, " %%%u=%s", k->nodes[n], ir_ops[g->nodes[k->nodes[n]].op].name);
        fprintf(f, "  ->");
        for (int n = 0; n < k->out_count; n++) {
            char type[128];
            fprintf(f, " %%%u:%s", k->outs[n],
                    ir_type_text(&g->nodes[k->outs[n]].type, g->symbols, type, sizeof type));
        }
        int length = (int)strcspn(variants, "\n");
        fprintf(f, length ? "\n    %.*s\n" : "%.*s\n", length, variants);
        variants += length + (variants[length] != 0);
    }
    write_chains(f, g);
}

static void write_arena(FILE *f, const ir_graph *g, const char *unused)
{
    (void)unused;
    int peak;
    size_t live = ir_live_peak(g, &peak);
    fprintf(f, "arena %zu bytes, %d buffers, %d copies\n", g->buffers.arena_bytes, g->buffers.count,
            g->buffers.copy_count);
    fprintf(f, "live at most %zu bytes, at kernel %d", live, peak);
    if (peak >= 0 && peak < g->kernels.count)
        fprintf(f, " %s", g->kernels.items[peak].name);
    fprintf(f, "; %.0f operations compute values again\n", ir_repeated_flops(g));
    for (int i = 0; i < g->kernels.chain_count; i++) {
        const ir_chain *c = &g->kernels.chains[i];
        fprintf(f, "chain %-2d scratch   @%-10zu %10zu bytes  life %d..%d\n", i, c->offset,
                c->bytes * (size_t)c->strands, c->first, c->first + c->count - 1);
    }
    for (int i = 0; i < g->buffers.count; i++) {
        const ir_buffer *b = &g->buffers.items[i];
        fprintf(f, "%%%-5u %-9s", b->node, ir_buffer_kind_name(b->kind));
        if (b->kind == IR_B_ARENA || b->kind == IR_B_SCRATCH)
            fprintf(f, " @%-10zu", b->offset);
        else
            fprintf(f, " #%-10d", b->index);
        fprintf(f, " %10zu bytes  life %d..%d", b->bytes, b->first, b->last);
        if (b->alias != IR_NONE)
            fprintf(f, "  in place of %%%u", b->alias);
        fprintf(f, "  %s\n", ir_ops[g->nodes[b->node].op].name);
    }
}

typedef void write_fn(FILE *, const ir_graph *, const char *text);

static char *written(tdm_context *ctx, const ir_graph *g, write_fn *write, const char *text_of_codegen)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (f)
        write(f, g, text_of_codegen);
    if (!f || fclose(f) != 0) {
        free(text);
        fe_fail(ctx, nowhere, IR_ENOMEM, "dump: out of memory");
        return NULL;
    }
    return text;
}

static char *dump_code(tdm_context *ctx, const ir_graph *g, cg_dump_kind kind)
{
    char *text = NULL;
    const cg_api *api = fe_codegen(ctx);
    cg_options o = fe_codegen_options(ctx);
    if (!api || api->dump(g, &o, kind, &text, &ctx->rt.error) != IR_OK)
        return NULL;
    return text;
}

static char *dump_kernels(tdm_context *ctx, const ir_graph *g)
{
    char *variants = dump_code(ctx, g, CG_DUMP_VARIANTS);
    char *text = variants ? written(ctx, g, write_kernels, variants) : NULL;
    free(variants);
    return text;
}

char *tdm_graph_dump(const tdm_graph *g, tdm_dump_kind kind)
{
    if (!g || !tdm_ok(g->ctx))
        return NULL;
    if (kind == TDM_DUMP_TEXT)
        return tdm_graph_text(g);
    if (kind == TDM_DUMP_DOT)
        return written(g->ctx, g->g, write_dot, NULL);
    tdm_graph *planned = g->g->kernels.count ? NULL : tdm_graph_pass(g, NULL);
    if (!tdm_ok(g->ctx))
        return NULL;
    const ir_graph *p = planned ? planned->g : g->g;
    char *text = kind == TDM_DUMP_KERNELS ? dump_kernels(g->ctx, p)
                 : kind == TDM_DUMP_ARENA
                     ? written(g->ctx, p, write_arena, NULL)
                     : dump_code(g->ctx, p, kind == TDM_DUMP_ASM ? CG_DUMP_ASM : CG_DUMP_LLVM);
    tdm_graph_free(planned);
    return text;
}
