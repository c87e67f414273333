/* ir/map.c: index maps through views.
 *
 *   element (i0, i1, ..) of the iteration space -> base + sum of stride[j] * i_j in the value's row-major
 * order
 *
 * A view's result is a box of extents with one operand stride per dim.  Reading it at a map means writing
 * base and strides in the mixed radix of the result's dims (digits), each digit then moves by its operand
 * stride:
 *
 *   result [2,3,4] of transpose, map stride 12 = 1*12 + 0*4 + 0*1   ->   operand stride of dim 0
 *
 * That holds only while no sum of digits carries into the next dim, which is checked.  Adjacent result dims
 * that are also adjacent in the operand are merged first, so that fewer maps carry.  A reversed axis has a
 * negative operand stride; a dim whose own stride is negative is taken from its other end, so that all digits
 * are positive, and turned back.  Cost: rank squared. */
#include "ir/map.h"

#include <string.h>

/* A view's result as dims with the operand stride of each: extents of 1 dropped, adjacent dims merged. */
typedef struct view_dims {
    int rank;
    int64_t extent[IR_MAX_RANK], row[IR_MAX_RANK], to[IR_MAX_RANK], base;
} view_dims;

static void describe_view(const ir_node *n, const ir_type *x, view_dims *v)
{
    int64_t xs[IR_MAX_RANK], to[IR_MAX_RANK] = {0};

    ir_type_strides(x, xs);
    v->rank = 0;
    v->base = 0;
    for (int d = 0; d < n->type.rank; d++) {
        int axis = d - (n->type.rank - x->rank);

        if (n->op == IR_transpose) {
            to[d] = xs[n->attrs->axes[d]];
        } else if (n->op == IR_broadcast) {
            to[d] = axis < 0 || x->dims[axis] == 1 ? 0 : xs[axis];
        } else if (n->op == IR_reverse) {
            bool turned = memchr(n->attrs->axes, d, n->attrs->n) != NULL;

            to[d] = turned ? -xs[d] : xs[d];
            v->base += turned ? xs[d] * (x->dims[d] - 1) : 0;
        } else {
            to[d] = xs[d] * n->attrs->slice.step[d];
            v->base += xs[d] * n->attrs->slice.start[d];
        }
    }
    for (int d = 0; d < n->type.rank; d++) {
        int64_t e = n->type.dims[d];
        int last = v->rank - 1;

        if (e == 1) {
            continue;
        }
        if (last >= 0 && v->to[last] == to[d] * e) {
            v->extent[last] *= e;
            v->to[last] = to[d];
        } else {
            v->extent[v->rank] = e;
            v->to[v->rank++] = to[d];
        }
    }
    for (int64_t d = v->rank - 1, s = 1; d >= 0; d--) {
        v->row[d] = s;
        s *= v->extent[d];
    }
}

/* Adds `times` steps of the linear distance `linear` to the digits in `used`; *moved is one step's operand
 * distance. */
static bool add_digits(const view_dims *v, int64_t linear, int64_t times, int64_t *used, int64_t *moved)
{
    *moved = 0;
    for (int d = 0; d < v->rank; d++) {
        int64_t digit = linear / v->row[d];

        linear -= digit * v->row[d];
        *moved += digit * v->to[d];
        if (digit >= v->extent[d] || digit * times >= v->extent[d] - used[d]) {
            return false;
        }
        used[d] += digit * times;
    }
    return linear == 0;
}

/* The stride of dim j where it has a second element. */
static int64_t first_step(const ir_map *m, int j)
{
    return m->extent[j] > 1 ? m->stride[j] : 0;
}

bool ir_map_through(const ir_graph *g, const ir_node *n, const ir_map *m, ir_map *out)
{
    view_dims v;
    int64_t used[IR_MAX_RANK] = {0}, moved, base = m->base;
    ir_map r = *m;

    if (ir_shares_bytes(n->op)) {
        *out = r;
        return true;
    }
    if (ir_ops[n->op].cls != IR_VIEW) {
        return false;
    }
    describe_view(n, &g->nodes[n->x[0]].type, &v);
    for (int j = 0; j < m->rank; j++) {
        base += first_step(m, j) < 0 ? m->stride[j] * (m->extent[j] - 1) : 0;
    }
    if (!add_digits(&v, base, 1, used, &moved)) {
        return false;
    }
    r.base = v.base + moved;
    for (int j = 0; j < m->rank; j++) {
        int64_t step = first_step(m, j), last = m->extent[j] - 1;

        r.stride[j] = 0;
        if (step != 0) {
            if (!add_digits(&v, step < 0 ? -step : step, last, used, &moved)) {
                return false;
            }
            r.stride[j] = step < 0 ? -moved : moved;
            r.base += step < 0 ? moved * last : 0;
        }
    }
    *out = r;
    return true;
}

ir_map ir_map_identity(const ir_type *space)
{
    ir_map m = {.rank = space->rank};

    ir_type_strides(space, m.stride);
    for (int j = 0; j < m.rank; j++) {
        m.extent[j] = space->dims[j];
        m.stride[j] = m.extent[j] == 1 ? 0 : m.stride[j];
    }
    for (int j = m.rank; j < IR_MAX_RANK; j++) {
        m.stride[j] = 0;
    }
    return m;
}

bool ir_map_eq(const ir_map *a, const ir_map *b)
{
    if (a->rank != b->rank || a->base != b->base) {
        return false;
    }
    for (int j = 0; j < a->rank; j++) {
        if (a->extent[j] != b->extent[j] || a->stride[j] != b->stride[j]) {
            return false;
        }
    }
    return true;
}
