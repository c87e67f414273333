/* ir/vjp_scan.c: gradients of scans along an axis.  "Next" and "before" are meant in the scan's own order.
 *
 *   y = cumsum(x)           dx = cumsum(dy) from the other end
 *   y = linear_scan(x, z)   g = dy + next(x) next(g): a linear_scan from the other end;  dz = g
 *                           dx = g before(y)
 *   y = cumprod(x)          g = dy + next(x) next(g);  dx = g * product of all before x
 *   y = cummax(x)           won = x is the extremum so far (the last of equals) or a NaN
 *                           g = dy + (next(won) ? 0 : next(g));  dx = won ? g : 0
 *
 * No rule divides, so zeros are exact, and each is made of scans, so gradients have gradients. */
#include "ir/vjp.h"
#include "ir/emit.h"

/* v of the next place (before: of the place before) in the scan's order; `fill` at the end. */
static ir_val neighbour(ir_sink *s, const ir_vjp_call *c, ir_val v, bool before, double fill)
{
    return ir_e_shift(s, v, (int)c->a->scan.axis, before != (c->a->scan.reverse != 0), fill);
}

/* g = dy + next(x) next(g) */
static ir_val carried_back(ir_sink *s, const ir_vjp_call *c, ir_val x)
{
    return ir_e_linear_scan(s, neighbour(s, c, x, false, 0), c->dy, (int)c->a->scan.axis,
                            !c->a->scan.reverse);
}

void ir_vjp_cumsum(ir_sink *s, const ir_vjp_call *c)
{
    c->dx[0] = ir_e_scan(s, IR_cumsum, c->dy, (int)c->a->scan.axis, !c->a->scan.reverse);
}

void ir_vjp_cumprod(ir_sink *s, const ir_vjp_call *c)
{
    ir_val before = neighbour(s, c, c->x[0], true, 1);
    ir_val product = ir_e_scan(s, IR_cumprod, before, (int)c->a->scan.axis, c->a->scan.reverse != 0);

    c->dx[0] = ir_e_mul(s, carried_back(s, c, c->x[0]), product);
}

void ir_vjp_cumextremum(ir_sink *s, const ir_vjp_call *c)
{
    ir_val x = c->x[0], won = ir_e_or(s, ir_e_eq(s, x, c->y), ir_e_ne(s, x, x));
    ir_val lost = ir_e_convert(s, ir_e_not(s, won), s->type(s, c->dy)->dtype);
    ir_val g = carried_back(s, c, lost);

    c->dx[0] = ir_e_select(s, won, g, ir_e_like(s, g, 0));
}

void ir_vjp_linear_scan(ir_sink *s, const ir_vjp_call *c)
{
    ir_val g = carried_back(s, c, c->x[0]);

    if (c->need & 1) {
        c->dx[0] = ir_e_mul(s, g, neighbour(s, c, c->y, true, 0));
    }
    if (c->need & 2) {
        c->dx[1] = g;
    }
}
