/* tests/engines/lib_cases_structure.c: cases of the composites that rearrange, join, index and build. */
#include "ir/compose.h"
#include "ir/emit.h"
#include "tests/engines/lib_composites.h"

static ir_op scatter_of(int64_t mode)
{
    static const ir_op ops[] = {IR_scatter_add, IR_scatter_set, IR_scatter_mul, IR_scatter_max,
                                IR_scatter_min};

    return ops[mode];
}

/* p: value, rank, then low, high and interior of every axis */
static ir_val padded(ir_sink *s, const op_case *c, ir_val x)
{
    const int64_t *at = c->p + 2, r = c->p[1];

    return ir_c_pad(s, x, at, at + r, at + 2 * r, (double)c->p[0]);
}

/* p: count, axes */
static ir_val flipped(ir_sink *s, const op_case *c, ir_val x)
{
    const int axes[] = {(int)c->p[1], (int)c->p[2]};

    return ir_c_flip(s, x, axes, (int)c->p[0]);
}

/* p: count, then shift and axis of each */
static ir_val rolled(ir_sink *s, const op_case *c, ir_val x)
{
    const int64_t shifts[] = {c->p[1], c->p[3]};
    const int axes[] = {(int)c->p[2], (int)c->p[4]};

    return ir_c_roll(s, x, shifts, axes, (int)c->p[0]);
}

/* p: axis, how many times x and then z */
static ir_val joined(ir_sink *s, const op_case *c, const ir_val *x, bool stack)
{
    ir_val all[24];
    int n = 0;

    for (int i = 0; i < c->p[1]; i++) {
        all[n++] = x[0];
        all[n++] = x[1];
    }
    return stack ? ir_c_stack(s, all, n, (int)c->p[0]) : ir_c_concat(s, all, n, (int)c->p[0]);
}

static const char *const equations[] = {"ij,jk->ik", "bij,bjk->bik", "ii->i",     "ii",        "ij->",
                                        "i,j->ij",   "...ij->...ji", "bij,jk",    "ij,ij->i",  "...i,...i",
                                        "iij,jk->k", "ab,bc,cd->ad", "ij,kl->jl", "bi,bj->bij"};

BUILD(pad, y[0] = padded(s, c, x[0]))
BUILD(squeeze, y[0] = ir_c_squeeze(s, x[0], (int)c->p[0]))
BUILD(unsqueeze, y[0] = ir_c_unsqueeze(s, x[0], (int)c->p[0]))
BUILD(flatten, y[0] = ir_c_flatten(s, x[0], (int)c->p[0], (int)c->p[1]))
BUILD(movedim, y[0] = ir_c_movedim(s, x[0], (int)c->p[0], (int)c->p[1]))
BUILD(swapaxes, y[0] = ir_c_swapaxes(s, x[0], (int)c->p[0], (int)c->p[1]))
BUILD(flip, y[0] = flipped(s, c, x[0]))
BUILD(concat, y[0] = joined(s, c, x, false))
BUILD(stack, y[0] = joined(s, c, x, true))
BUILD(tile, y[0] = ir_c_tile(s, x[0], c->p + 1, (int)c->p[0]))
BUILD(repeat_interleave, y[0] = ir_c_repeat_interleave(s, x[0], c->p[0], (int)c->p[1]))
BUILD(roll, y[0] = rolled(s, c, x[0]))
BUILD(tril, y[0] = ir_c_tril(s, x[0], c->p[0]))
BUILD(triu, y[0] = ir_c_triu(s, x[0], c->p[0]))
BUILD(diagonal, y[0] = ir_c_diagonal(s, x[0], c->p[0], (int)c->p[1], (int)c->p[2]))
BUILD(diag, y[0] = ir_c_diag(s, x[0], c->p[0]))
BUILD(trace, y[0] = ir_c_trace(s, x[0]))
BUILD(eye, y[0] = ir_e_mul(s, x[0], ir_c_eye(s, (ir_dtype)c->in[0].type.dtype, 5, 7, c->p[0])))
BUILD(causal_mask, y[0] = ir_c_select(s, ir_c_causal_mask(s, 5, 7), x[0], ir_e_like(s, x[0], -1)))
BUILD(linspace,
      y[0] = ir_c_binary(s, IR_mul, x[0], ir_c_linspace(s, (ir_dtype)c->in[0].type.dtype, -2, 3, c->p[0])))
BUILD(meshgrid, for (int i = 0; i < c->n; i++) y[i] = ir_c_meshgrid(s, x, c->n, i))
BUILD(masked_fill, y[0] = ir_c_masked_fill(s, x[0], x[1], 2.5))
BUILD(outer, y[0] = ir_c_outer(s, x[0], x[1]))
BUILD(bmm, y[0] = ir_c_bmm(s, x[0], x[1]))
BUILD(einsum, y[0] = ir_c_einsum(s, equations[c->p[0]], x, c->n))
BUILD(index_select, y[0] = ir_c_index_select(s, x[0], x[1], (int)c->p[0]))
BUILD(take_along_axis, y[0] = ir_c_take_along_axis(s, x[0], x[1], (int)c->p[0]))
BUILD(gather_nd, y[0] = ir_c_gather_nd(s, x[0], x[1], (int)c->p[0]))
BUILD(put_along_axis, y[0] = ir_c_put_along_axis(s, scatter_of(c->p[1]), x[0], x[1], x[2], (int)c->p[0]))
BUILD(scatter_nd, y[0] = ir_c_scatter_nd(s, scatter_of(c->p[1]), x[0], x[1], x[2], (int)c->p[0]))

static void add_axes(case_list *l)
{
    CASE(pad, true, false, .in = {T(7)}, .p = {0, 1, -2, 3, 0});
    CASE(pad, true, true, .in = {T(5, 17)}, .p = {3, 2, 1, -3, -1, 2, 0, 0});
    CASE(pad, true, false, .in = {T(5, 7)}, .p = {-1, 2, -2, 1, 3, -4, 1, 2});
    CASE(pad, true, false, .in = {T(3, 5)}, .p = {2, 2, 1, 0, 1, 2, 0, 0});
    CASE(squeeze, true, true, .in = {T(3, 1, 17)}, .p = {1});
    CASE(unsqueeze, true, true, .in = {T(3, 17)}, .p = {-1});
    CASE(unsqueeze, true, false, .in = {SCALAR}, .p = {0});
    CASE(flatten, true, true, .in = {T(3, 5, 7)}, .p = {1, -1});
    CASE(flatten, true, false, .in = {SCALAR}, .p = {0, -1});
    CASE(movedim, true, true, .in = {T(2, 3, 5, 7)}, .p = {0, 2});
    CASE(movedim, true, false, .in = {T(2, 3, 5, 7)}, .p = {-1, 1});
    CASE(swapaxes, true, true, .in = {T(2, 3, 5)}, .p = {0, -1});
    CASE(flip, true, true, .in = {T(5, 33)}, .p = {2, 0, -1});
    CASE(flip, true, false, .in = {T(3, 65)}, .p = {1, 1});
}

static void add_joins(case_list *l)
{
    CASE(concat, true, true, .in = {T(3, 17), T(5, 17)}, .p = {0, 1});
    CASE(concat, true, false, .in = {T(3, 7), T(3, 2)}, .p = {-1, 5});
    CASE(stack, true, true, .in = {T(3, 17), T(3, 17)}, .p = {1, 1});
    CASE(stack, true, false, .in = {T(5), T(5)}, .p = {-1, 7});
    CASE(stack, true, false, .in = {SCALAR, SCALAR}, .p = {0, 3});
    CASE(tile, true, true, .in = {T(3, 5)}, .p = {2, 2, 3});
    CASE(tile, true, false, .in = {T(5)}, .p = {2, 3, 2});
    CASE(tile, true, false, .in = {T(2, 3, 5)}, .p = {1, 4});
    CASE(repeat_interleave, true, true, .in = {T(3, 5)}, .p = {3, 0});
    CASE(repeat_interleave, true, false, .in = {T(3, 5)}, .p = {2, -1});
    CASE(roll, true, true, .in = {T(5, 17)}, .p = {2, 2, 0, -3, 1});
    CASE(roll, true, false, .in = {T(3, 65)}, .p = {1, 64, -1});
}

static void add_diagonals(case_list *l)
{
    for (int k = -2; k <= 3; k++) {
        CASE(tril, true, k == 0, .in = {T(2, 5, 7)}, .p = {k});
        CASE(triu, true, k == 1, .in = {T(7, 5)}, .p = {k});
        CASE(diagonal, true, k == 2, .in = {T(5, 3, 7)}, .p = {k, 0, 2});
        CASE(diag, true, k == 0, .in = {T(5)}, .p = {k});
    }
    CASE(diag, true, true, .in = {T(5, 7)}, .p = {1});
    CASE(diagonal, true, false, .in = {T(5, 5)}, .p = {0, 1, 0});
    CASE(trace, true, false, .in = {T(7, 5)});
    CASE(trace, true, true, .in = {T(17, 17, 3)});
    CASE(eye, true, false, .in = {T(5, 7)}, .p = {-1});
    CASE(causal_mask, true, true, .in = {T(2, 5, 7)});
    CASE(linspace, true, false, .in = {T(3, 17)}, .p = {17});
    CASE(linspace, true, false, .in = {T(3, 1)}, .p = {1});
    CASE(meshgrid, true, true, .in = {T(17)});
    CASE(meshgrid, true, false, .in = {T(3), T(7), T(1)});
    CASE(masked_fill, true, true, .in = {T(3, 17), {CASE_T(bool, 17), 0, 0}});
    CASE(masked_fill, true, false, .in = {T(3, 1), {CASE_T(bool, 3, 5), 0, 0}});
}

static void add_products(case_list *l)
{
    CASE(outer, true, true, .in = {T(5), T(17)});
    CASE(bmm, true, false, .in = {T(3, 5, 7), T(3, 7, 9)});
    CASE(einsum, true, true, .in = {T(3, 5), T(5, 7)}, .p = {0});
    CASE(einsum, true, false, .in = {T(2, 3, 5), T(2, 5, 7)}, .p = {1});
    CASE(einsum, true, true, .in = {T(7, 7)}, .p = {2});
    CASE(einsum, true, false, .in = {T(7, 7)}, .p = {3});
    CASE(einsum, true, false, .in = {T(3, 17)}, .p = {4});
    CASE(einsum, true, true, .in = {T(5), T(7)}, .p = {5});
    CASE(einsum, true, false, .in = {T(2, 3, 5, 7)}, .p = {6});
    CASE(einsum, true, false, .in = {T(2, 3, 5), T(5, 7)}, .p = {7});
    CASE(einsum, true, false, .in = {T(9, 17), T(9, 17)}, .p = {8});
    CASE(einsum, true, false, .in = {T(3, 1, 5), T(4, 5)}, .p = {9});
    CASE(einsum, true, false, .in = {T(3, 3, 5), T(5, 7)}, .p = {10});
    CASE(einsum, true, false, .in = {T(2, 3), T(3, 5), T(5, 7)}, .p = {11});
    CASE(einsum, true, false, .in = {T(3, 5), T(4, 7)}, .p = {12});
    CASE(einsum, true, false, .in = {T(3, 5), T(3, 7)}, .p = {13});
}

static void add_indexed(case_list *l)
{
    CASE(index_select, true, true, .in = {T(3, 5, 17), INDEX(i64, -1, 6, 4)}, .p = {1});
    CASE(index_select, true, false, .in = {T(3, 5), INDEX(i32, 0, 5, 2, 3)}, .p = {-1});
    CASE(index_select, true, false, .in = {T(9, 33), INDEX(u8, 0, 12, 5)}, .p = {0});
    CASE(take_along_axis, true, true, .in = {T(3, 5, 7), INDEX(i64, -1, 6, 3, 9, 7)}, .p = {1});
    CASE(take_along_axis, true, false, .in = {T(9, 17), INDEX(i32, 0, 17, 9, 1)}, .p = {1});
    CASE(take_along_axis, true, false, .in = {T(5, 7), INDEX(i64, 0, 5, 2, 3)}, .p = {0});
    CASE(gather_nd, true, true, .in = {T(3, 5, 17), INDEX(i64, -1, 6, 4, 2)}, .p = {0});
    CASE(gather_nd, true, false, .in = {T(3, 5, 7), INDEX(i32, 0, 5, 3, 4, 1)}, .p = {1});
    CASE(gather_nd, true, false, .in = {T(3, 5), INDEX(i64, 0, 5, 6, 2)}, .p = {0});
    for (int mode = 0; mode < 5; mode++) {
        CASE(put_along_axis, true, mode == 1, .in = {T(5, 7), INDEX(i64, -1, 6, 9, 7), T(9, 7)},
             .p = {0, mode});
        CASE(scatter_nd, true, mode == 3, .in = {T(3, 5, 7), INDEX(i64, -1, 6, 9, 2), T(9, 7)},
             .p = {0, mode});
        CASE(scatter_nd, true, false, .in = {T(3, 5), INDEX(i32, 0, 5, 3, 4, 1), T(3, 4)}, .p = {1, mode});
    }
}

void cases_structure(case_list *l)
{
    add_axes(l);
    add_joins(l);
    add_diagonals(l);
    add_products(l);
    add_indexed(l);
}
