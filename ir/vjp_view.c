/* ir/vjp_view.c: gradients of views: the same elements at other places.
 *
 *   reshape -> reshape back         transpose p -> transpose by the inverse of p
 *   broadcast -> reduce_sum over the repeated axes, then reshape      slice <-> pad (steps become interior
 * zeros)      reverse -> reverse      concat -> a slice for each operand
 *   checkpoint -> dy, and nothing to what it waits for */
#include "ir/vjp.h"
#include "ir/emit.h"

void ir_vjp_reshape(ir_sink *s, const ir_vjp_call *c)
{
    ir_type t = *s->type(s, c->x[0]);

    c->dx[0] = ir_e_reshape(s, c->dy, t.rank, t.dims);
}

void ir_vjp_transpose(ir_sink *s, const ir_vjp_call *c)
{
    int inverse[IR_MAX_RANK];

    for (int i = 0; i < c->a->n; i++) {
        inverse[c->a->axes[i]] = i;
    }
    c->dx[0] = ir_e_transpose(s, c->dy, inverse);
}

/* Axes that only gained an extent of 1 hold one element each: they are dropped by the reshape, not summed. */
void ir_vjp_broadcast(ir_sink *s, const ir_vjp_call *c)
{
    ir_type x = *s->type(s, c->x[0]), y = *s->type(s, c->dy);
    int axes[IR_MAX_RANK], n = 0, lead = y.rank - x.rank;

    for (int i = 0; i < y.rank; i++) {
        int64_t before = i < lead ? 1 : x.dims[i - lead];
        if (y.dims[i] != before) {
            axes[n++] = i;
        }
    }
    c->dx[0] = ir_e_reshape(s, ir_e_reduce(s, IR_reduce_sum, c->dy, axes, n, false), x.rank, x.dims);
}

/* The extent of a run of m elements with d - 1 between neighbours. */
static int64_t spread(int64_t m, int64_t d)
{
    return (m - 1) * d + 1;
}

void ir_vjp_slice(ir_sink *s, const ir_vjp_call *c)
{
    const ir_attrs *a = c->a;
    ir_type x = *s->type(s, c->x[0]), y = *s->type(s, c->dy);
    int64_t low[IR_MAX_RANK], high[IR_MAX_RANK], interior[IR_MAX_RANK];

    for (int i = 0; i < y.rank; i++) {
        low[i] = high[i] = interior[i] = 0;
        if (x.dims[i] != y.dims[i]) { /* an axis taken whole may be symbolic */
            low[i] = a->slice.start[i];
            interior[i] = a->slice.step[i] - 1;
            high[i] = x.dims[i] - (low[i] + spread(y.dims[i], a->slice.step[i]));
        }
    }
    c->dx[0] = ir_e_pad(s, c->dy, low, high, interior);
}

void ir_vjp_checkpoint(ir_sink *s, const ir_vjp_call *c)
{
    (void)s;
    c->dx[0] = c->need & 1 ? c->dy : 0;
}

void ir_vjp_pad(ir_sink *s, const ir_vjp_call *c)
{
    const ir_attrs *a = c->a;
    ir_type x = *s->type(s, c->x[0]);
    int64_t start[IR_MAX_RANK], limit[IR_MAX_RANK], step[IR_MAX_RANK];

    for (int i = 0; i < x.rank; i++) {
        bool whole = a->pad.low[i] == 0 && a->pad.high[i] == 0 && a->pad.interior[i] == 0;
        step[i] = a->pad.interior[i] + 1;
        start[i] = a->pad.low[i];
        limit[i] = whole ? x.dims[i] : start[i] + spread(x.dims[i], step[i]);
    }
    c->dx[0] = ir_e_slice(s, c->dy, start, limit, step);
}

void ir_vjp_reverse(ir_sink *s, const ir_vjp_call *c)
{
    int axes[IR_MAX_RANK];

    for (int i = 0; i < c->a->n; i++) {
        axes[i] = c->a->axes[i];
    }
    c->dx[0] = ir_e_reverse(s, c->dy, axes, c->a->n);
}

void ir_vjp_concat(ir_sink *s, const ir_vjp_call *c)
{
    ir_type y = *s->type(s, c->dy);
    int64_t start[IR_MAX_RANK] = {0}, *from = &start[c->a->axes[0]];

    for (int i = 0; i < c->n; i++) {
        int64_t end = *from + s->type(s, c->x[i])->dims[c->a->axes[0]];
        y.dims[c->a->axes[0]] = end;
        if (c->need >> i & 1) {
            c->dx[i] = ir_e_slice(s, c->dy, start, y.dims, NULL);
        }
        *from = end;
    }
}
