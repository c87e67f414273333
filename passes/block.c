/* passes/block.c: sums over many rows in blocks, where a kernel goes over the same rows anyway.
 *
 *   %5 = reduce_sum %4 {axes=[0]} : f32[1024]               of %4: f32[4096,1024], whose rows are reduced too
 *   ->  %5 = reshape %4 : f32[8,512,1024]
 *       %6 = reduce_sum %5 {axes=[1]} : f32[8,1024]         with the rows, in their kernel
 *       %7 = reduce_sum %6 {axes=[0]} : f32[1024]
 *
 * The gradients of layer_norm's and rms_norm's weights then cost no second reading of two big values.  The
 * blocks are those that the sum is made of by definition (numerics rule 4), so the bits stay.
 *
 * in:  a verified graph whose reductions are single runs (after simplify).
 * out: sums over leading axes of values of some size become two, if the value, or one that it is computed
 *      from, is reduced along its rows too.  Others are as they were. */
#include "passes/all.h"
#include "passes/fuse.h"
#include "passes/rebuild.h"

#include <stdlib.h>

/* What is computed element by element: operands of as many elements are in the same places. */
static bool keeps_places(const ir_graph *g, const ir_node *n, int i)
{
    return (ir_ops[n->op].cls == IR_POINTWISE || ir_shares_bytes(n->op)) &&
           ir_type_elements(&g->nodes[n->x[i]].type) == ir_type_elements(&n->type);
}

/* run[r]: how long the rows are along which r, or a value computed from it in its places, is reduced; 0: it
 * is not. */
static void find_rows(const ir_graph *g, int64_t *run)
{
    for (ir_ref r = g->count; r-- > 0;) { /* users come before what they use */
        const ir_node *n = &g->nodes[r];

        if (ir_ops[n->op].cls == IR_REDUCE && !ir_reduces_rows(g, r)) {
            run[n->x[0]] = ir_reduced_run(g, r);
        }
        for (int i = 0; run[r] && i < n->n; i++) {
            if (keeps_places(g, n, i)) {
                run[n->x[i]] = run[r];
            }
        }
    }
}

typedef struct search {
    const ir_graph *g;
    int64_t *run;  /* [node]: find_rows */
    ir_ref *stack; /* room for all nodes */
    ir_ref *seen;  /* [node]: from which sum it was reached last, + 1 */
} search;

/* Is r, or a value that it is computed from in its places, reduced along rows of so many elements? */
static bool meets_rows(const search *s, ir_ref r, int64_t columns)
{
    uint32_t depth = 0;

    s->stack[depth++] = r;
    while (depth > 0) {
        ir_ref at = s->stack[--depth];
        const ir_node *n = &s->g->nodes[at];

        if (s->run[at] == columns) {
            return true;
        }
        for (int i = 0; i < n->n; i++) {
            if (keeps_places(s->g, n, i) && s->seen[n->x[i]] != r + 1) {
                s->seen[n->x[i]] = r + 1;
                s->stack[depth++] = n->x[i];
            }
        }
    }
    return false;
}

/* Blocks of rows that the sum r is to be taken in; 0: it stays. */
static int64_t blocks_of(const pass_context *pc, const ir_graph *g, ir_ref r)
{
    const ir_node *n = &g->nodes[r];
    const ir_type *x = &g->nodes[n->x[0]].type;

    if (n->op != IR_reduce_sum || !ir_reduces_rows(g, r) || n->attrs->axes[0] != 0 ||
        n->attrs->axes[n->attrs->n - 1] != n->attrs->n - 1 || !ir_type_is_static(x)) {
        return 0;
    }
    int64_t rows = ir_reduced_run(g, r), blocks = rows / IR_ROW_BLOCK;
    bool whole = rows % IR_ROW_BLOCK == 0 && blocks > 1 && blocks <= IR_ROW_BLOCK;

    return whole && fuse_blocks_pay(pc, blocks, ir_type_elements(&n->type), ir_type_bytes(x)) ? blocks : 0;
}

static ir_ref in_blocks(const ir_node *n, ir_ref x, int64_t blocks, ir_graph *out)
{
    int64_t columns = ir_type_elements(&n->type);
    ir_attrs shape = {.type = ir_type_make(n->type.dtype, 3, (int64_t[]){blocks, IR_ROW_BLOCK, columns})};
    ir_attrs within = {.n = 1, .axes = {1}}, over = {.n = 1, .axes = {0}}, back = {.type = n->type};
    ir_ref y;

    pass_copy_origin(n, out);
    y = ir_type_eq(&out->nodes[x].type, &shape.type) ? x : ir_graph_append(out, IR_reshape, &shape, &x, 1);
    y = ir_graph_append(out, IR_reduce_sum, &within, &y, 1);
    y = ir_graph_append(out, IR_reduce_sum, &over, &y, 1);
    return n->type.rank == 1 ? y : ir_graph_append(out, IR_reshape, &back, &y, 1);
}

ir_status pass_block(pass_context *pc, const ir_graph *in, ir_graph *out, ir_ref *map)
{
    size_t nodes = (size_t)in->count + 1;
    search s = {in, calloc(nodes, sizeof *s.run), calloc(nodes, sizeof *s.stack),
                calloc(nodes, sizeof *s.seen)};
    bool ready = s.run && s.stack && s.seen;

    pass_copy_header(in, out);
    if (ready) {
        find_rows(in, s.run);
    } else {
        ir_fail(&out->error, IR_ENOMEM, "out of memory");
    }
    for (ir_ref r = 0; ready && r < in->count && out->error.status == IR_OK; r++) {
        const ir_node *n = &in->nodes[r];
        int64_t blocks = blocks_of(pc, in, r);

        if (blocks && map[n->x[0]] != IR_NONE && meets_rows(&s, n->x[0], ir_type_elements(&n->type))) {
            map[r] = in_blocks(n, map[n->x[0]], blocks, out);
        } else {
            map[r] = pass_copy_node(in, r, out, map);
        }
    }
    free(s.run);
    free(s.stack);
    free(s.seen);
    return pass_copy_results(in, out, map);
}
