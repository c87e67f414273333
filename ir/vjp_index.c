/* ir/vjp_index.c: gradients of indexed ops and of the pointwise ops that have attributes.
 *
 *   y = gather(x, i)           dx = scatter_add(0, i, dy)
 *   y = scatter_add(x, i, u)   dx = dy                     du = gather(dy, i)
 *   y = scatter_set(x, i, u)   dx = scatter_set(dy, i, 0)  du = gather(dy, i) where u stayed, else 0
 *   y = scatter_mul(x, i, u)   dx = dy scatter_mul(1, i, u)        du = gather(dy, i) times the other factors
 *   y = scatter_max(x, i, u)   dy / count to each of x and u that equals y      (scatter_min too)
 *   y = dynamic_slice(x, s)    dx = dynamic_update(0, s, dy)
 *   y = dynamic_update(x, s, u)  dx = dynamic_update(dy, s, 0)     du = dynamic_slice(dy, s)
 *   y = convert(x)             dx = convert(dy) between floats, none else
 *   y = clamp(x, lo, hi)       dx = select(lo <= x <= hi, dy, 0): 1 inside and on the edge, 0 at NaN */
#include "ir/vjp.h"
#include "ir/emit.h"

void ir_vjp_gather(ir_sink *s, const ir_vjp_call *c)
{
    if (c->need & 1) {
        c->dx[0] = ir_e_scatter_add(s, ir_e_like(s, c->x[0], 0), c->x[1], c->dy);
    }
}

void ir_vjp_scatter_add(ir_sink *s, const ir_vjp_call *c)
{
    if (c->need & 1) {
        c->dx[0] = c->dy;
    }
    if (c->need & 4) {
        c->dx[2] = ir_e_gather(s, c->dy, c->x[1]);
    }
}

/* v of the index's shape, repeated along the rows of an update. */
static ir_val along_rows(ir_sink *s, ir_val v, const ir_type *update)
{
    if (!v) {
        return 0;
    }
    ir_type t = *s->type(s, v);

    while (t.rank < update->rank) {
        t.dims[t.rank++] = 1;
    }
    return ir_e_broadcast(s, ir_e_reshape(s, v, t.rank, t.dims), update->rank, update->dims);
}

/* bool of the index's shape: the update is the last one of its row.  Each row keeps the number of its last.
 */
static ir_val stays(ir_sink *s, ir_val index, int64_t rows)
{
    ir_type t = *s->type(s, index), none = ir_type_make(IR_DT_i64, 1, &rows);

    if (!ir_type_is_static(&t) && t.rank != 1) {
        ir_fail(s->err, IR_EUNSUPPORTED,
                "scatter_set: its gradient needs an index of constant extents or of one axis");
        return 0;
    }
    ir_val number = ir_e_iota(s, IR_DT_i64, t.rank == 1 ? t.dims[0] : ir_type_elements(&t));
    number = ir_e_reshape(s, number, t.rank, t.dims);
    ir_val last =
        ir_emit(s, IR_scatter_set, NULL, (const ir_val[]){ir_e_fill(s, &none, 0), index, number}, 3);
    return ir_e_eq(s, ir_e_gather(s, last, index), number);
}

void ir_vjp_scatter_set(ir_sink *s, const ir_vjp_call *c)
{
    ir_type update = *s->type(s, c->x[2]), x = *s->type(s, c->x[0]);

    if (c->need & 1) {
        ir_val zeros = ir_e_like(s, c->x[2], 0);
        c->dx[0] = ir_emit(s, IR_scatter_set, NULL, (const ir_val[]){c->dy, c->x[1], zeros}, 3);
    }
    if (c->need & 4) {
        ir_val mask = along_rows(s, stays(s, c->x[1], x.dims[0]), &update);
        ir_val share = ir_e_gather(s, c->dy, c->x[1]);
        c->dx[2] = ir_e_select(s, mask, share, ir_e_like(s, share, 0));
    }
}

static ir_val zeros_of(ir_sink *s, ir_val x)
{
    return ir_e_eq(s, x, ir_e_like(s, x, 0));
}

/* The product without one of the updates: divided by it, or where it is 0 the product of the factors that are
 * not, unless another one is 0 too. */
static ir_val other_factors(ir_sink *s, const ir_vjp_call *c)
{
    ir_val x = c->x[0], index = c->x[1], u = c->x[2], zx = zeros_of(s, x), zu = zeros_of(s, u);

    if (!zx || !zu) {
        return 0;
    }
    ir_dtype d = (ir_dtype)s->type(s, x)->dtype;
    ir_val fx = ir_e_select(s, zx, ir_e_like(s, x, 1), x), fu = ir_e_select(s, zu, ir_e_like(s, u, 1), u);
    ir_val product = ir_emit(s, IR_scatter_mul, NULL, (const ir_val[]){fx, index, fu}, 3);
    ir_val count = ir_e_scatter_add(s, ir_e_convert(s, zx, d), index, ir_e_convert(s, zu, d));

    product = ir_e_gather(s, product, index);
    count = ir_e_gather(s, count, index);
    ir_val zero = ir_e_like(s, u, 0), one = ir_e_like(s, u, 1);
    return ir_e_select(s, zu, ir_e_select(s, ir_e_eq(s, count, one), product, zero),
                       ir_e_select(s, ir_e_eq(s, count, zero), ir_e_div(s, product, fu), zero));
}

void ir_vjp_scatter_mul(ir_sink *s, const ir_vjp_call *c)
{
    if (c->need & 1) {
        const ir_val x[3] = {ir_e_like(s, c->x[0], 1), c->x[1], c->x[2]};
        c->dx[0] = ir_e_mul(s, c->dy, ir_emit(s, IR_scatter_mul, NULL, x, 3));
    }
    if (c->need & 4) {
        c->dx[2] = ir_e_mul(s, ir_e_gather(s, c->dy, c->x[1]), other_factors(s, c));
    }
}

void ir_vjp_scatter_extremum(ir_sink *s, const ir_vjp_call *c)
{
    ir_val x = c->x[0], index = c->x[1], u = c->x[2];
    ir_val ex = ir_e_eq(s, x, c->y), eu = ir_e_eq(s, u, ir_e_gather(s, c->y, index));

    if (!ex || !eu) {
        return;
    }
    ir_dtype d = (ir_dtype)s->type(s, x)->dtype;
    ir_val count = ir_e_scatter_add(s, ir_e_convert(s, ex, d), index, ir_e_convert(s, eu, d));
    ir_val share = ir_e_div(s, c->dy, count);
    if (c->need & 1) {
        c->dx[0] = ir_e_select(s, ex, share, ir_e_like(s, share, 0));
    }
    if (c->need & 4) {
        ir_val rows = ir_e_gather(s, share, index);
        c->dx[2] = ir_e_select(s, eu, rows, ir_e_like(s, rows, 0));
    }
}

void ir_vjp_dynamic_slice(ir_sink *s, const ir_vjp_call *c)
{
    if (c->need & 1) {
        c->dx[0] = ir_e_dynamic_update(s, ir_e_like(s, c->x[0], 0), c->x[1], c->dy);
    }
}

void ir_vjp_dynamic_update(ir_sink *s, const ir_vjp_call *c)
{
    ir_type update = *s->type(s, c->x[2]);

    if (c->need & 1) {
        c->dx[0] = ir_e_dynamic_update(s, c->dy, c->x[1], ir_e_like(s, c->x[2], 0));
    }
    if (c->need & 4) {
        c->dx[2] = ir_e_dynamic_slice(s, c->dy, c->x[1], update.rank, update.dims);
    }
}

void ir_vjp_convert(ir_sink *s, const ir_vjp_call *c)
{
    if (ir_dtype_is_float(s->type(s, c->dy)->dtype)) {
        c->dx[0] = ir_e_convert(s, c->dy, s->type(s, c->x[0])->dtype);
    }
}

void ir_vjp_clamp(ir_sink *s, const ir_vjp_call *c)
{
    ir_val x = c->x[0];
    ir_val low = ir_e_ge(s, x, ir_e_like(s, x, c->a->clamp.lo));
    ir_val high = ir_e_le(s, x, ir_e_like(s, x, c->a->clamp.hi));

    c->dx[0] = ir_e_select(s, ir_e_and(s, low, high), c->dy, ir_e_like(s, c->dy, 0));
}
