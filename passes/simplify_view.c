/* passes/simplify_view.c: rules of views, pad and concat: elements move, so nothing rounds (contract:
 * simplify.h).
 *
 *   reshape(reshape(x)) -> reshape(x)      transpose(x: f32[1,4]) -> reshape(x)      broadcast(broadcast(x))
 * -> broadcast(x) slice(slice(x)) -> slice(x)            slice(pad(x)) -> slice(x) where it takes nothing
 * that was padded              slice(concat(x, z)) -> slice(z) where it takes elements of z alone
 * reverse(reverse(x)) -> x      any view of a broadcast of one element -> broadcast of that element
 *
 * Chains of views become one view, which codegen turns into an index map. */
#include "ir/plant.h"
#include "passes/rebuild.h"
#include "passes/simplify.h"

#include <string.h>

static const ir_type *operand_type(const ir_graph *g, const candidate *c)
{
    return &g->nodes[c->x[0]].type;
}

static bool one_element(const ir_type *t)
{
    for (int i = 0; i < t->rank; i++) {
        if (t->dims[i] != 1) {
            return false;
        }
    }
    return true;
}

/* The candidate's result type; false if it has none (an error of the graph, found by append). */
static bool result_type(const ir_graph *g, const candidate *c, ir_type *out)
{
    const ir_type *x = operand_type(g, c);
    ir_error ignored = {0};

    return ir_infer(c->op, c->a, &x, 1, out, &ignored) == IR_OK;
}

/* Moves nothing -> x */
static ir_ref same_type(ir_graph *g, const candidate *c)
{
    ir_type t;

    return result_type(g, c, &t) && ir_shape_eq(&t, operand_type(g, c)) ? c->x[0] : IR_NONE;
}

static ir_ref view_of_one(ir_graph *g, const candidate *c)
{
    const ir_node *n = simplify_operand(g, c, 0, IR_broadcast);
    ir_attrs a = {0};

    if (!n || !one_element(&g->nodes[n->x[0]].type) || !result_type(g, c, &a.type)) {
        return IR_NONE;
    }
    ir_type scalar = ir_type_make(a.type.dtype, 0, NULL);
    return simplify_emit1(g, IR_broadcast, &a, simplify_reshape(g, n->x[0], &scalar));
}

/* ---- reshape and transpose --------------------------------------------------------------------------------
 */

static ir_ref reshape_reshape(ir_graph *g, const candidate *c)
{
    const ir_node *n = simplify_operand(g, c, 0, IR_reshape);

    return n ? simplify_reshape(g, n->x[0], &c->a->type) : IR_NONE;
}

static ir_ref transpose_identity(ir_graph *g, const candidate *c)
{
    (void)g;
    for (int i = 0; i < c->a->n; i++) {
        if (c->a->axes[i] != i) {
            return IR_NONE;
        }
    }
    return c->x[0];
}

static ir_ref transpose_transpose(ir_graph *g, const candidate *c)
{
    const ir_node *n = simplify_operand(g, c, 0, IR_transpose);
    ir_attrs a = {.n = c->a->n};

    if (!n || n->attrs->n != c->a->n) {
        return IR_NONE;
    }
    for (int i = 0; i < a.n; i++) {
        a.axes[i] =
            IR_PLANTED("simplify-transpose") ? c->a->axes[n->attrs->axes[i]] : n->attrs->axes[c->a->axes[i]];
    }
    return simplify_emit1(g, IR_transpose, &a, n->x[0]);
}

/* Only axes of extent 1 change places: the row-major order of the elements stays. */
static ir_ref transpose_ones(ir_graph *g, const candidate *c)
{
    const ir_type *x = operand_type(g, c);
    ir_type t;
    int last = -1;

    for (int i = 0; i < c->a->n; i++) {
        int axis = c->a->axes[i];
        if (x->dims[axis] == 1) {
            continue;
        }
        if (axis < last) {
            return IR_NONE;
        }
        last = axis;
    }
    return result_type(g, c, &t) ? simplify_reshape(g, c->x[0], &t) : IR_NONE;
}

/* ---- broadcast ----------------------------------------------------------------------------------------- */

static ir_ref broadcast_broadcast(ir_graph *g, const candidate *c)
{
    const ir_node *n = simplify_operand(g, c, 0, IR_broadcast);

    return n ? simplify_emit1(g, IR_broadcast, c->a, n->x[0]) : IR_NONE;
}

/* t is s behind axes of extent 1. */
static bool has_leading_ones(const ir_type *t, const ir_type *s)
{
    int lead = t->rank - s->rank;

    if (lead < 0) {
        return false;
    }
    for (int i = 0; i < t->rank; i++) {
        if (t->dims[i] != (i < lead ? 1 : s->dims[i - lead])) {
            return false;
        }
    }
    return true;
}

/* f32[4] -> f32[1,4] repeats nothing */
static ir_ref broadcast_ones(ir_graph *g, const candidate *c)
{
    return has_leading_ones(&c->a->type, operand_type(g, c)) ? simplify_reshape(g, c->x[0], &c->a->type)
                                                             : IR_NONE;
}

/* broadcast(reshape(x: f32[4]) : f32[1,4]) -> broadcast(x): the missing axes are understood */
static ir_ref broadcast_reshape(ir_graph *g, const candidate *c)
{
    const ir_node *n = simplify_operand(g, c, 0, IR_reshape);

    if (!n || !has_leading_ones(&n->type, &g->nodes[n->x[0]].type)) {
        return IR_NONE;
    }
    return simplify_emit1(g, IR_broadcast, c->a, n->x[0]);
}

/* ---- slice and pad ------------------------------------------------------------------------------------- */

static ir_ref slice_slice(ir_graph *g, const candidate *c)
{
    const ir_node *n = simplify_operand(g, c, 0, IR_slice);
    ir_attrs a = {.n = c->a->n};

    if (!n) {
        return IR_NONE;
    }
    for (int i = 0; i < a.n; i++) {
        if (g->nodes[n->x[0]].type.dims[i] < 0) { /* a symbolic axis is taken whole by both */
            a.slice.limit[i] = c->a->slice.limit[i];
            a.slice.step[i] = 1;
            continue;
        }
        int64_t start = n->attrs->slice.start[i], step = n->attrs->slice.step[i];
        a.slice.start[i] = start + c->a->slice.start[i] * step;
        a.slice.limit[i] = start + (c->a->slice.limit[i] - 1) * step + 1;
        a.slice.step[i] = c->a->slice.step[i] * step;
    }
    return simplify_emit1(g, IR_slice, &a, n->x[0]);
}

/* One axis of a slice of pad as a slice of what was padded; false if it takes a zero. */
static bool unpadded(const ir_attrs *slice, const ir_attrs *pad, int64_t dim, int i, ir_attrs *a)
{
    int64_t each = pad->pad.interior[i] + 1, step = slice->slice.step[i];
    int64_t first = slice->slice.start[i] - pad->pad.low[i];
    int64_t count = (slice->slice.limit[i] - slice->slice.start[i] - 1) / step + 1;

    if (count == 1) {
        step = each;
    }
    if (first < 0 || first % each != 0 || step % each != 0 || (first + (count - 1) * step) / each >= dim) {
        return false;
    }
    a->slice.start[i] = first / each;
    a->slice.step[i] = step / each;
    a->slice.limit[i] = a->slice.start[i] + (count - 1) * a->slice.step[i] + 1;
    return true;
}

static ir_ref slice_of_pad(ir_graph *g, const candidate *c)
{
    const ir_node *n = simplify_operand(g, c, 0, IR_pad);
    ir_attrs a = {.n = c->a->n};

    for (int i = 0; n && i < a.n; i++) {
        int64_t dim = g->nodes[n->x[0]].type.dims[i];
        if (dim < 0) { /* neither padded nor cut */
            a.slice.limit[i] = dim;
            a.slice.step[i] = 1;
        } else if (!unpadded(c->a, n->attrs, dim, i, &a)) {
            return IR_NONE;
        }
    }
    return n ? simplify_emit1(g, IR_slice, &a, n->x[0]) : IR_NONE;
}

/* ---- reverse and concat ------------------------------------------------------------------------------- */

/* Axes that are reversed twice, or hold one element, stay as they are. */
static ir_ref reverse_less(ir_graph *g, const candidate *c)
{
    const ir_node *n = simplify_operand(g, c, 0, IR_reverse);
    const ir_type *t = operand_type(g, c);
    unsigned set = 0;
    ir_attrs a = {0};

    for (int i = 0; i < c->a->n; i++) {
        set ^= t->dims[c->a->axes[i]] == 1 ? 0 : 1u << c->a->axes[i];
    }
    for (int i = 0; n && i < n->attrs->n; i++) {
        set ^= 1u << n->attrs->axes[i];
    }
    for (int i = 0; i < t->rank; i++) {
        if (set >> i & 1) {
            a.axes[a.n++] = (int8_t)i;
        }
    }
    ir_ref x = n ? n->x[0] : c->x[0];
    if (a.n == 0) {
        return x;
    }
    return n || a.n < c->a->n ? simplify_emit1(g, IR_reverse, &a, x) : IR_NONE;
}

static ir_ref concat_of_one(ir_graph *g, const candidate *c)
{
    (void)g;
    return c->n == 1 ? c->x[0] : IR_NONE;
}

/* concat(concat(x, z), w) -> concat(x, z, w) */
static ir_ref concat_of_concat(ir_graph *g, const candidate *c)
{
    ir_ref x[IR_MAX_OPERANDS];
    int n = 0;

    for (int i = 0; i < c->n; i++) {
        const ir_node *part = simplify_operand(g, c, i, IR_concat);
        bool open = part && part->attrs->axes[0] == c->a->axes[0];
        int count = open ? part->n : 1;

        if (n + count + (c->n - i - 1) > IR_MAX_OPERANDS) {
            return IR_NONE;
        }
        memcpy(x + n, open ? part->x : &c->x[i], (size_t)count * sizeof *x);
        n += count;
    }
    return n > c->n ? simplify_emit(g, IR_concat, c->a, x, n) : IR_NONE;
}

static ir_ref slice_of_concat(ir_graph *g, const candidate *c)
{
    const ir_node *n = simplify_operand(g, c, 0, IR_concat);
    int axis = n ? n->attrs->axes[0] : 0;
    ir_attrs a = *c->a;

    for (int i = 0; n && i < n->n; i++) {
        int64_t extent = g->nodes[n->x[i]].type.dims[axis];

        if (a.slice.start[axis] < extent) {
            return a.slice.limit[axis] <= extent ? simplify_emit1(g, IR_slice, &a, n->x[i]) : IR_NONE;
        }
        a.slice.start[axis] -= extent;
        a.slice.limit[axis] -= extent;
    }
    return IR_NONE;
}

/* ---- the table ----------------------------------------------------------------------------------------- */

static simplify_rule *const table[IR_OP_COUNT][SIMPLIFY_RULES] = {
    [IR_reshape] = {same_type, reshape_reshape, view_of_one},
    [IR_transpose] = {transpose_identity, transpose_transpose, view_of_one, transpose_ones},
    [IR_broadcast] = {same_type, broadcast_broadcast, broadcast_ones, broadcast_reshape},
    [IR_slice] = {same_type, slice_slice, slice_of_pad, slice_of_concat, view_of_one},
    [IR_reverse] = {reverse_less, view_of_one},
    [IR_concat] = {concat_of_one, concat_of_concat},
    [IR_pad] = {same_type},
};

simplify_rule *const *simplify_view_rules(ir_op op)
{
    return table[op];
}
