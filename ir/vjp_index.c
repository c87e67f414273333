/* ir/vjp_index.c: gradients of indexed ops and of the pointwise ops that have attributes.
 *
 *   y = gather(x, i)           dx = scatter_add(0, i, dy)
 *   y = scatter_add(x, i, u)   dx = dy                     du = gather(dy, i)
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
