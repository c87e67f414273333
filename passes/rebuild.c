/* passes/rebuild.c: copying what a pass leaves as it is (rebuild.h). */
#include "passes/rebuild.h"

#include <string.h>

ir_status pass_copy_header(const ir_graph *in, ir_graph *out)
{
    for (int i = 0; i < in->symbol_count; i++) {
        if (ir_graph_symbol(out, in->symbols[i]) != i) {
            return ir_fail(&out->error, IR_ESTATE, "the new graph of a pass already has symbols");
        }
    }
    out->random_count = in->random_count;
    return out->error.status;
}

void pass_copy_origin(const ir_node *n, ir_graph *out)
{
    out->sink.loc = n->loc;
    out->sink.region = n->region;
}

bool pass_map_operands(const ir_graph *in, ir_ref r, const ir_ref *map, ir_ref *x)
{
    const ir_node *n = &in->nodes[r];

    for (int i = 0; i < n->n; i++) {
        x[i] = map[n->x[i]];
        if (x[i] == IR_NONE) {
            return false;
        }
    }
    return true;
}

ir_ref pass_copy_node(const ir_graph *in, ir_ref r, ir_graph *out, const ir_ref *map)
{
    const ir_node *n = &in->nodes[r];
    ir_ref x[IR_MAX_RANK];

    if (!pass_map_operands(in, r, map, x)) {
        return IR_NONE;
    }
    pass_copy_origin(n, out);
    return ir_graph_append(out, n->op, n->attrs, x, n->n);
}

ir_status pass_copy_results(const ir_graph *in, ir_graph *out, const ir_ref *map)
{
    for (int i = 0; i < in->output_count; i++) {
        ir_graph_output(out, in->outputs[i].name, map[in->outputs[i].value]);
    }
    for (int i = 0; i < in->assign_count; i++) {
        ir_graph_assign(out, map[in->assigns[i].variable], map[in->assigns[i].value]);
    }
    out->sink.loc = (ir_loc){0};
    out->sink.region = NULL;
    return out->error.status;
}

ir_status pass_copy_graph(const ir_graph *in, ir_graph *out, ir_ref *map)
{
    pass_copy_header(in, out);
    for (ir_ref r = 0; r < in->count; r++) {
        map[r] = pass_copy_node(in, r, out, map);
    }
    return pass_copy_results(in, out, map);
}

bool pass_copy_kernels(const ir_graph *in, ir_graph *out)
{
    int n = in->kernels.count;

    out->kernels.items = ir_graph_alloc(out, (size_t)(n + 1) * sizeof(ir_kernel));
    if (!out->kernels.items) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        const ir_kernel *from = &in->kernels.items[i];
        ir_kernel *to = &out->kernels.items[i];
        ir_ref *nodes = ir_graph_alloc(out, (size_t)from->node_count * sizeof *nodes);
        ir_ref *outs = ir_graph_alloc(out, (size_t)from->out_count * sizeof *outs);

        *to = *from;
        to->name = ir_graph_intern(out, from->name);
        if (!nodes || !outs || !to->name) {
            return false;
        }
        memcpy(nodes, from->nodes, (size_t)from->node_count * sizeof *nodes);
        memcpy(outs, from->outs, (size_t)from->out_count * sizeof *outs);
        to->nodes = nodes;
        to->outs = outs;
        out->kernels.count++;
    }
    size_t chains = (size_t)in->kernels.chain_count;
    out->kernels.chains = ir_graph_alloc(out, (chains + 1) * sizeof *out->kernels.chains);
    if (out->kernels.chains && chains) {
        memcpy(out->kernels.chains, in->kernels.chains, chains * sizeof *out->kernels.chains);
        out->kernels.chain_count = in->kernels.chain_count;
    }
    return out->kernels.chains != NULL;
}

/* ---- constants ----------------------------------------------------------------------------------------- */

const void *pass_splat_data(const ir_graph *g, ir_ref r)
{
    const ir_node *n = &g->nodes[r];

    while (ir_ops[n->op].cls == IR_VIEW) {
        n = &g->nodes[n->x[0]];
    }
    if (n->op != IR_constant) {
        return NULL;
    }
    bool one = n->attrs->splat || (ir_type_is_static(&n->type) && ir_type_elements(&n->type) == 1);

    return one ? n->attrs->constant.data : NULL;
}

bool pass_splat(const ir_graph *g, ir_ref r, double *v)
{
    const void *data = pass_splat_data(g, r);

    if (!data) {
        return false;
    }
    *v = ir_element_get((ir_dtype)g->nodes[r].type.dtype, data);
    return true;
}
