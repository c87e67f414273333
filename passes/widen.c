/* passes/widen.c: reductions, scans, sorts and products of f16 and bf16 become what they are by definition.
 *
 *   %2 = dot_general %0, %1 : f16[4,5]   ->   %2 = convert %0 : f32[4,3]
 *                                             %3 = convert %1 : f32[3,5]
 *                                             %4 = dot_general %2, %3 : f32[4,5]
 *                                             %5 = convert %4 : f16[4,5]
 *
 * in:  any verified graph.
 * out: no reduction, scan, sort or product of f16 or bf16 (ir_op_widens; code generation has none); a
 *      reduction over several runs is rounded after each, innermost first (numerics, Half precision).  Runs
 *      before simplify, which may then treat the f32 ops as any others. */
#include "passes/all.h"
#include "passes/rebuild.h"

#include <string.h>

static ir_ref convert(ir_graph *g, ir_ref x, ir_dtype to)
{
    ir_attrs a = {.type = {.dtype = (uint8_t)to}};

    return ir_graph_append(g, IR_convert, &a, &x, 1);
}

static ir_ref in_f32(ir_graph *g, ir_op op, const ir_attrs *a, const ir_ref *x, int n, ir_dtype result)
{
    ir_ref wide[2];

    for (int i = 0; i < n; i++) {
        wide[i] = convert(g, x[i], IR_DT_f32);
    }
    ir_ref y = ir_graph_append(g, op, a, wide, n);
    return ir_dtype_is_half(result) ? convert(g, y, result) : y;
}

/* The last run of axes first, each rounded. */
static ir_ref run_by_run(ir_graph *g, ir_op op, ir_attrs a, ir_ref x, ir_dtype result)
{
    for (int from = ir_last_run(&a); from > 0; from = ir_last_run(&a)) {
        ir_attrs inner = {.n = (uint8_t)(a.n - from)};

        memcpy(inner.axes, a.axes + from, inner.n);
        memset(a.axes + from, 0, inner.n);
        a.n = (uint8_t)from;
        x = in_f32(g, op, &inner, &x, 1, result);
    }
    return in_f32(g, op, &a, &x, 1, result);
}

ir_status pass_widen(pass_context *pc, const ir_graph *in, ir_graph *out, ir_ref *map)
{
    (void)pc;
    pass_copy_header(in, out);
    for (ir_ref r = 0; r < in->count; r++) {
        const ir_node *n = &in->nodes[r];
        ir_dtype d = (ir_dtype)n->type.dtype;
        ir_ref x[IR_MAX_RANK];

        if (n->n == 0 || !ir_op_widens(n->op, (ir_dtype)in->nodes[n->x[0]].type.dtype)) {
            map[r] = pass_copy_node(in, r, out, map);
            continue;
        }
        map[r] = IR_NONE;
        if (!pass_map_operands(in, r, map, x)) {
            continue;
        }
        pass_copy_origin(n, out);
        map[r] = ir_ops[n->op].cls == IR_REDUCE ? run_by_run(out, n->op, *n->attrs, x[0], d)
                                                : in_f32(out, n->op, n->attrs, x, n->n, d);
    }
    return pass_copy_results(in, out, map);
}
