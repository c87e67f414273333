/* passes/dce.c: dead code elimination: nodes that no result needs are left out.
 *
 *   %2 = exp %x   %3 = neg %x   return %3      ->      %2 = neg %x   return %2
 *
 * in:  any verified graph.
 * out: every node is an input, a variable, a custom call with effects, or reached from one of those, an
 * output or an assign; they keep their order.  Cost: one pass backward to mark, one forward to copy. */
#include "ir/plant.h"
#include "passes/all.h"
#include "passes/rebuild.h"

/* One byte per node of in: needed by a result. */
static uint8_t *mark_live(const ir_graph *in, ir_graph *out)
{
    uint8_t *live = ir_graph_alloc(out, in->count + 1);

    if (!live) {
        return NULL;
    }
    for (int i = 0; i < in->output_count; i++) {
        live[in->outputs[i].value] = 1;
    }
    for (int i = 0; i < in->assign_count; i++) {
        live[in->assigns[i].value] = 1;
    }
    for (ir_ref r = in->count; r-- > 0;) {
        const ir_node *n = &in->nodes[r];
        live[r] |= n->op == IR_input || n->op == IR_variable; /* the argument list stays as it is */
        live[r] |= ir_has_effects(n);
        for (int i = 0; live[r] && i < n->n; i++) {
            live[n->x[i]] = 1;
        }
    }
    return live;
}

ir_status pass_dce(pass_context *pc, const ir_graph *in, ir_graph *out, ir_ref *map)
{
    const uint8_t *live = mark_live(in, out);

    (void)pc;
    pass_copy_header(in, out);
    for (ir_ref r = 0; live && r < in->count; r++) {
        map[r] = live[r] ? pass_copy_node(in, r, out, map) : IR_NONE;
    }
    if (live) {
        pass_copy_results(in, out, map);
        out->assign_count -= IR_PLANTED("dce") && out->assign_count > 0;
    }
    return out->error.status;
}
