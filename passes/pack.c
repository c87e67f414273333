/* passes/pack.c: constant weights of products laid out as the kernels read them, once, at compile time.
 *
 *   %1 = constant : f32[3072,768]    %2 = dot_general %0, %1 {lhs_k=[1], rhs_k=[1]} : f32[8,3072]
 *   ->  %1 = constant : f32[192,768,16]
 *       %2 = dot_general %0, %1 {lhs_k=[1], rhs_k=[1]} : f32[8,192,16]    %3 = reshape %2 : f32[8,3072]
 *
 * A line holds 64 bytes of neighbouring columns of one row k; the lines of a panel follow one another in k.
 * That suits every tile and vector width: a kernel reads as many panels at once as it likes, always forward,
 * and packs nothing when it runs.  16-bit weights that products convert to f32 stay 16 bits wide: a line has
 * as many columns as one of f32, and the convert follows the panels.
 *
 * in:  any verified graph; pc->eval, without which nodes are copied as they are.
 * out: constants that are used as the right side of products alone, all along the same axis, of whole lines
 *      and of some size, are panels.  m, n and k of the products stay, hence their bits (numerics rule 5).
 *      Where the graph is given up (pc->given) they lie where the weights did, if nobody else holds those. */
#include "ir/map.h"
#include "ir/plant.h"
#include "ir/shared.h"
#include "passes/all.h"
#include "passes/rebuild.h"

#include <stdlib.h>

enum { LINE = 64, LEAST_BYTES = 16 << 10, MIXED = -2, NONE = -1 };

/* The axis along which product r contracts a constant that can be laid out; MIXED: it can't be. */
static int contracted_axis(const ir_graph *g, const ir_node *n)
{
    const ir_node *w = &g->nodes[n->x[1]];
    const ir_attrs *a = n->attrs;

    if (n->op != IR_dot_general || a->n != 0 || a->nk != 1 || n->type.rank == IR_MAX_RANK ||
        ir_dot_is_tree(a, &g->nodes[n->x[0]].type, &w->type)) {
        return MIXED;
    }
    return a->dot.rhs_k[0];
}

/* Columns of a line of weights, which products take in f32 or f64. */
static int64_t line_of(ir_dtype d)
{
    return LINE / (int64_t)ir_dtype_size(ir_dtype_is_half(d) ? IR_DT_f32 : d);
}

static bool can_be_panels(const ir_node *n, int axis)
{
    ir_dtype d = (ir_dtype)n->type.dtype;

    return n->op == IR_constant && !n->attrs->splat && ir_dtype_is_float(d) && n->type.rank == 2 &&
           ir_type_elements(&n->type) / line_of(d) >= LEAST_BYTES / LINE &&
           n->type.dims[1 - axis] % line_of(d) == 0;
}

/* Along which axis node n, whose uses contract it along `own`, contracts its operand i. */
static int use_of(const ir_graph *g, const ir_node *n, int i, int own)
{
    bool widens = n->op == IR_convert && n->type.dtype == IR_DT_f32 &&
                  ir_dtype_is_half((ir_dtype)g->nodes[n->x[0]].type.dtype);

    return widens && own >= 0 ? own : i == 1 ? contracted_axis(g, n) : MIXED;
}

/* axis[r]: along which every use of node r contracts it, NONE or MIXED where it is to stay as it is. */
static void find_weights(const ir_graph *g, int8_t *axis)
{
    for (ir_ref r = 0; r < g->count; r++) {
        axis[r] = NONE;
    }
    for (int i = 0; i < g->output_count; i++) {
        axis[g->outputs[i].value] = MIXED;
    }
    for (int i = 0; i < g->assign_count; i++) {
        axis[g->assigns[i].value] = MIXED;
    }
    for (ir_ref r = g->count; r-- > 0;) { /* uses come before what they use */
        const ir_node *n = &g->nodes[r];

        for (int i = 0; i < n->n; i++) {
            ir_ref x = n->x[i];
            int along = use_of(g, n, i, axis[r]);

            axis[x] = axis[x] == NONE || axis[x] == along ? (int8_t)along : MIXED;
        }
    }
    for (ir_ref r = 0; r < g->count; r++) {
        const ir_node *n = &g->nodes[r];

        if (axis[r] >= 0 && !(n->op == IR_convert ? axis[n->x[0]] >= 0 : can_be_panels(n, axis[r]))) {
            axis[r] = MIXED;
        }
    }
}

/* Where the panels of n are to lie, held: at the weights', where that is allowed. */
static ir_shared *room_for(const pass_context *pc, const ir_node *n)
{
    ir_shared *own = n->attrs->constant.shared;

    if (!pc->given || !own || !ir_shared_alone(own)) {
        return ir_shared_new(ir_type_bytes(&n->type));
    }
    ir_shared_hold(own);
    return own;
}

/* y = transpose(x), of 3 axes, also where y is x. */
static bool lay_out(pass_context *pc, const ir_attrs *turn, const ir_type *from, const void *x,
                    const ir_type *to, void *y)
{
    ir_attrs same = {.type = *to};
    void *apart = y == x ? malloc(ir_type_bytes(to)) : NULL, *z = y == x ? apart : y;
    bool done = z && pc->eval(pc->eval_user, IR_transpose, turn, &from, &x, 1, to, z) == IR_OK;

    if (done && apart) {
        done = pc->eval(pc->eval_user, IR_reshape, &same, &to, (const void *[]){z}, 1, to, y) == IR_OK;
    }
    free(apart);
    return done;
}

/* The constant as [panels, k, columns of a line]. */
static ir_ref panels(pass_context *pc, const ir_node *n, int axis, ir_graph *out)
{
    int64_t k = n->type.dims[axis], line = line_of((ir_dtype)n->type.dtype);
    int64_t count = n->type.dims[1 - axis] / line;
    ir_type from =
        ir_type_make(n->type.dtype, 3, axis ? (int64_t[]){count, line, k} : (int64_t[]){k, count, line});
    ir_type to = ir_type_make(n->type.dtype, 3, (int64_t[]){count, k, line});
    ir_attrs turn = {.n = 3, .axes = {axis ? 0 : 1, axis ? 2 : 0, axis ? 1 : 2}}, a = {.type = to};
    ir_shared *laid = room_for(pc, n);
    void *y = laid ? ir_shared_data(laid) : NULL;
    ir_ref r = IR_NONE;

    if (!y || !lay_out(pc, &turn, &from, n->attrs->constant.data, &to, y)) {
        ir_fail(&out->error, IR_ENOMEM, "out of memory laying out a constant of %zu bytes",
                ir_type_bytes(&to));
    } else {
        if (IR_PLANTED("pack")) /* the sign of the first weight */
            ((uint8_t *)y)[ir_dtype_size((ir_dtype)n->type.dtype) - 1] ^= 0x80;
        a.constant.data = y;
        a.constant.bytes = ir_type_bytes(&to);
        a.constant.shared = laid;
        pass_copy_origin(n, out);
        r = ir_graph_append(out, IR_constant, &a, NULL, 0);
    }
    ir_shared_release(laid);
    return r;
}

static ir_ref widened(const ir_node *n, ir_ref panels, ir_graph *out)
{
    pass_copy_origin(n, out);
    return ir_graph_append(out, IR_convert, n->attrs, &panels, 1);
}

/* The product of x and panels w, in the shape it had. */
static ir_ref product(const ir_node *n, ir_ref x, ir_ref w, ir_graph *out)
{
    ir_attrs a = *n->attrs, shape = {.type = n->type};
    ir_ref operands[] = {x, w};

    a.dot.rhs_k[0] = 1;
    pass_copy_origin(n, out);
    ir_ref y = ir_graph_append(out, IR_dot_general, &a, operands, 2);
    return ir_graph_append(out, IR_reshape, &shape, &y, 1);
}

ir_status pass_pack(pass_context *pc, const ir_graph *in, ir_graph *out, ir_ref *map)
{
    int8_t *axis = calloc((size_t)in->count + 1, sizeof *axis);
    ir_ref *laid = calloc((size_t)in->count + 1, sizeof *laid);
    bool ready = axis && laid;

    pass_copy_header(in, out);
    if (ready) {
        find_weights(in, axis);
    } else {
        ir_fail(&out->error, IR_ENOMEM, "out of memory");
    }
    for (ir_ref r = 0; ready && r < in->count && out->error.status == IR_OK; r++) {
        const ir_node *n = &in->nodes[r];

        map[r] = IR_NONE;
        if (pc->eval && axis[r] >= 0) {
            laid[r] = n->op == IR_convert ? widened(n, laid[n->x[0]], out) : panels(pc, n, axis[r], out);
        } else if (pc->eval && n->n == 2 && axis[n->x[1]] >= 0) {
            map[r] = map[n->x[0]] == IR_NONE ? IR_NONE : product(n, map[n->x[0]], laid[n->x[1]], out);
        } else {
            map[r] = pass_copy_node(in, r, out, map);
        }
    }
    free(axis);
    free(laid);
    return pass_copy_results(in, out, map);
}
