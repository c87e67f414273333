/* frontend/reduce.c: public reductions, scans and sorting. */
#include "frontend/fe.h"
#include "ir/compose.h"
#include "ir/emit.h"

/* Axes counted from 0; an empty set means all.  False + error on a bad axis or one named twice. */
static bool resolve_axes(fe_call *c, const ir_type *t, tdm_axis_set in, int out[IR_MAX_RANK], int *n)
{
    char text[96];
    unsigned seen = 0;

    *n = in.n ? in.n : t->rank;
    if (in.n < 0 || in.n > TDM_MAX_RANK) {
        fe_fail(c->ctx, c->at, IR_EARG, "%s: %d axes", c->op, in.n);
        return false;
    }
    for (int i = 0; i < *n; i++) {
        int a = in.n ? in.axes[i] : i;
        if (a < 0)
            a += t->rank;
        if (a < 0 || a >= t->rank || (seen >> a & 1)) {
            fe_fail(c->ctx, c->at, IR_ESHAPE, "%s: axis %d of %s %s", c->op, in.n ? in.axes[i] : i,
                    ir_type_text(t, NULL, text, sizeof text),
                    a < 0 || a >= t->rank ? "does not exist" : "is named twice");
            return false;
        }
        seen |= 1u << a;
        out[i] = a;
    }
    return true;
}

/* What is reduced by one op, and what by a composite. */
typedef enum { SUM, PROD, AMAX, AMIN, ALL, ANY, ARGMAX, ARGMIN, MEAN, VAR, STD, COUNT_NONZERO } reduction;

static ir_val composite(fe_call *c, reduction kind, ir_val x, const int *axes, int n, int correction,
                        bool keep)
{
    switch (kind) {
    case MEAN: return ir_c_mean(c->s, x, axes, n, keep);
    case VAR: return ir_c_var(c->s, x, axes, n, correction, keep);
    case STD: return ir_c_std(c->s, x, axes, n, correction, keep);
    default: return ir_c_count_nonzero(c->s, x, axes, n, keep);
    }
}

static tdm_tensor *reduce(reduction kind, const char *name, tdm_tensor *x, tdm_axis_set set, int correction,
                          bool keep, tdm_loc at)
{
    static const ir_op ops[] = {
        [SUM] = IR_reduce_sum, [PROD] = IR_reduce_prod, [AMAX] = IR_reduce_max, [AMIN] = IR_reduce_min,
        [ALL] = IR_reduce_all, [ANY] = IR_reduce_any,   [ARGMAX] = IR_argmax,   [ARGMIN] = IR_argmin};
    fe_call c;
    int axes[IR_MAX_RANK], n;

    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), name, at, kind >= MEAN))
        return fe_end(&c, 0);
    ir_val v = fe_use(&c, x, "x");
    if (!v || !resolve_axes(&c, c.s->type(c.s, v), set, axes, &n))
        return fe_end(&c, 0);
    if (kind >= MEAN)
        return fe_end(&c, composite(&c, kind, v, axes, n, correction, keep));
    return fe_end(&c, ir_e_reduce(c.s, ops[kind], v, axes, n, keep));
}

#define X(name, kind)                                                               \
    tdm_tensor *tdm_##name(tdm_tensor *x, tdm_axis_set axes, bool keep, tdm_loc at) \
    {                                                                               \
        return reduce(kind, #name, x, axes, 0, keep, at);                           \
    }
/* clang-format off */
X(sum, SUM) X(prod, PROD) X(mean, MEAN) X(amax, AMAX) X(amin, AMIN) X(all, ALL) X(any, ANY)
X(argmax, ARGMAX) X(argmin, ARGMIN) X(count_nonzero, COUNT_NONZERO)
/* clang-format on */
#undef X

        tdm_tensor *tdm_var(tdm_tensor *x, tdm_axis_set axes, int correction, bool keep, tdm_loc at)
{
    return reduce(VAR, "var", x, axes, correction, keep, at);
}

tdm_tensor *tdm_std(tdm_tensor *x, tdm_axis_set axes, int correction, bool keep, tdm_loc at)
{
    return reduce(STD, "std", x, axes, correction, keep, at);
}

tdm_tensor *tdm_norm(tdm_tensor *x, double p, tdm_axis_set set, bool keep, tdm_loc at)
{
    fe_call c;
    int axes[IR_MAX_RANK], n;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "norm", at, true))
        return fe_end(&c, 0);
    ir_val v = fe_use(&c, x, "x");
    if (!v || !resolve_axes(&c, c.s->type(c.s, v), set, axes, &n))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_norm(c.s, v, p, axes, n, keep));
}

/* ---- scans --------------------------------------------------------------------------------------------- */

static tdm_tensor *scan(ir_op kind, tdm_tensor *x, int axis, unsigned flags, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), ir_ops[kind].name, at, true))
        return fe_end(&c, 0);
    ir_val v = fe_use(&c, x, "x");
    if (flags & ~(TDM_EXCLUSIVE | TDM_REVERSE)) {
        fe_fail(c.ctx, at, IR_EARG, "%s: flags %u: TDM_EXCLUSIVE and TDM_REVERSE are known", c.op, flags);
        v = 0;
    }
    return fe_end(&c, ir_c_cumulate(c.s, kind, v, axis, flags & TDM_EXCLUSIVE, flags & TDM_REVERSE));
}

tdm_tensor *tdm_cumsum(tdm_tensor *x, int axis, unsigned flags, tdm_loc at)
{
    return scan(IR_cumsum, x, axis, flags, at);
}

tdm_tensor *tdm_cumprod(tdm_tensor *x, int axis, unsigned flags, tdm_loc at)
{
    return scan(IR_cumprod, x, axis, flags, at);
}

tdm_tensor *tdm_cummax(tdm_tensor *x, int axis, unsigned flags, tdm_loc at)
{
    return scan(IR_cummax, x, axis, flags, at);
}

tdm_tensor *tdm_cummin(tdm_tensor *x, int axis, unsigned flags, tdm_loc at)
{
    return scan(IR_cummin, x, axis, flags, at);
}

tdm_tensor *tdm_linear_scan(tdm_tensor *x, tdm_tensor *z, int axis, bool reverse, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, z, NULL), "linear_scan", at, false))
        return fe_end(&c, 0);
    ir_val vx = fe_use(&c, x, "x"), vz = fe_use(&c, z, "z");
    return fe_end(&c, ir_c_linear_scan(c.s, vx, vz, axis, reverse));
}

/* ---- sorting ------------------------------------------------------------------------------------------- */

tdm_tensor *tdm_argsort(tdm_tensor *x, int axis, bool descending, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "argsort", at, true))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_argsort(c.s, fe_use(&c, x, "x"), axis, descending));
}

/* The elements at the places that are the result's other half. */
static tdm_tensor *at_places(tdm_tensor *x, tdm_tensor *places, int axis, tdm_tensor **index, tdm_loc at)
{
    if (index)
        *index = places;
    return tdm_is_error(places) ? places : tdm_take_along_axis(x, places, axis, at);
}

tdm_tensor *tdm_sort(tdm_tensor *x, int axis, bool descending, tdm_tensor **index, tdm_loc at)
{
    return at_places(x, tdm_argsort(x, axis, descending, at), axis, index, at);
}

tdm_tensor *tdm_topk(tdm_tensor *x, int64_t k, int axis, bool largest, tdm_tensor **index, tdm_loc at)
{
    fe_call c;
    tdm_tensor *places;
    if (fe_begin(&c, fe_context_of(x, NULL, NULL), "topk", at, true))
        places = fe_end(&c, ir_c_topk(c.s, fe_use(&c, x, "x"), k, axis, largest));
    else
        places = fe_end(&c, 0);
    return at_places(x, places, axis, index, at);
}

tdm_tensor *tdm_median(tdm_tensor *x, int axis, bool keep, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(x, NULL, NULL), "median", at, true))
        return fe_end(&c, 0);
    return fe_end(&c, ir_c_median(c.s, fe_use(&c, x, "x"), axis, keep));
}
