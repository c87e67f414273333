/* ir/vjp_reduce.c: gradients of reductions.
 *
 *   reduce_sum      dx = broadcast(dy)
 *   reduce_max/min  dx = select(x == broadcast(y), broadcast(dy / count), 0), count = how many equal the
 * extremum */
#include "ir/vjp.h"
#include "ir/emit.h"

/* v of the reduced shape, repeated along the reduced axes of `full`. */
static ir_val spread_over(ir_sink *s, ir_val v, const ir_type *full, const ir_attrs *a)
{
    int64_t kept[IR_MAX_RANK];

    for (int i = 0; i < full->rank; i++) {
        kept[i] = full->dims[i];
    }
    for (int i = 0; i < a->n; i++) {
        kept[a->axes[i]] = 1;
    }
    return ir_e_broadcast(s, ir_e_reshape(s, v, full->rank, kept), full->rank, full->dims);
}

void ir_vjp_reduce_sum(ir_sink *s, const ir_vjp_call *c)
{
    ir_type full = *s->type(s, c->x[0]);

    c->dx[0] = spread_over(s, c->dy, &full, c->a);
}

void ir_vjp_reduce_extremum(ir_sink *s, const ir_vjp_call *c)
{
    ir_type full = *s->type(s, c->x[0]);
    ir_val equal = ir_e_eq(s, c->x[0], spread_over(s, c->y, &full, c->a));
    int axes[IR_MAX_RANK];

    for (int i = 0; i < c->a->n; i++) {
        axes[i] = c->a->axes[i];
    }
    ir_val count = ir_e_reduce(s, IR_reduce_sum, ir_e_convert(s, equal, full.dtype), axes, c->a->n, false);
    ir_val share = spread_over(s, ir_e_div(s, c->dy, count), &full, c->a);

    c->dx[0] = ir_e_select(s, equal, share, ir_e_like(s, share, 0));
}
