/* ir/vjp_reduce.c: gradients of reductions.
 *
 *   reduce_sum      dx = broadcast(dy)
 *   reduce_max/min  dx = select(x == broadcast(y), broadcast(dy / count), 0), count = how many equal the
 *                   extremum
 *   reduce_prod     dx = broadcast(dy) * (product before x * product after x): no division, so zeros are
 *                   exact */
#include "ir/vjp.h"
#include "ir/emit.h"

#include <string.h>

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

/* The product of all other elements along the last axis. */
static ir_val others_in_row(ir_sink *s, ir_val x, int last)
{
    ir_val before = ir_e_scan(s, IR_cumprod, ir_e_shift(s, x, last, true, 1), last, false);
    ir_val after = ir_e_scan(s, IR_cumprod, ir_e_shift(s, x, last, false, 1), last, true);

    return ir_e_mul(s, before, after);
}

/* The reduced axes go last and become one. */
void ir_vjp_reduce_prod(ir_sink *s, const ir_vjp_call *c)
{
    ir_type full = *s->type(s, c->x[0]), moved = full;
    int perm[IR_MAX_RANK], back[IR_MAX_RANK], rank = 0, kept = full.rank - c->a->n;
    int64_t rows[IR_MAX_RANK], n = 1;

    for (int i = 0; i < full.rank; i++) {
        if (!memchr(c->a->axes, i, c->a->n)) {
            perm[rank++] = i;
        }
    }
    for (int i = 0; i < c->a->n; i++) {
        perm[rank++] = c->a->axes[i];
    }
    for (int i = 0; i < rank; i++) {
        moved.dims[i] = full.dims[perm[i]];
        back[perm[i]] = i;
        rows[i] = moved.dims[i];
        n *= i < kept ? 1 : moved.dims[i];
    }
    rows[kept] = n;
    ir_val x = ir_e_reshape(s, ir_e_transpose(s, c->x[0], perm), kept + 1, rows);
    ir_val others = ir_e_reshape(s, others_in_row(s, x, kept), moved.rank, moved.dims);

    c->dx[0] = ir_e_mul(s, spread_over(s, c->dy, &full, c->a), ir_e_transpose(s, others, back));
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
