/* frontend/structure.c: the public functions of tandem/structure.h that rearrange, join and build: the door
 * around ir/compose_shape.c and ir/compose_einsum.c. */
#include "frontend/fe.h"
#include "ir/compose.h"
#include "ir/emit.h"

enum { MANY = 256 }; /* tensors that one call joins at most */

/* Opens the call and takes its one operand; 0: the call ends with fe_end(c, 0). */
static ir_val open_unary(fe_call *c, tdm_tensor *x, const char *op, tdm_loc at)
{
    return fe_begin(c, fe_context_of(x, NULL, NULL), op, at, true) ? fe_use(c, x, "x") : 0;
}

/* ---- axes --------------------------------------------------------------------------------------------- */

#define UNARY(name, parameters, arguments)                \
    tdm_tensor *tdm_##name parameters                     \
    {                                                     \
        fe_call c;                                        \
        ir_val v = open_unary(&c, x, #name, at);          \
        return fe_end(&c, v ? ir_c_##name arguments : 0); \
    }
UNARY(squeeze, (tdm_tensor * x, int axis, tdm_loc at), (c.s, v, axis))
UNARY(unsqueeze, (tdm_tensor * x, int axis, tdm_loc at), (c.s, v, axis))
UNARY(flatten, (tdm_tensor * x, int first, int last, tdm_loc at), (c.s, v, first, last))
UNARY(movedim, (tdm_tensor * x, int from, int to, tdm_loc at), (c.s, v, from, to))
UNARY(swapaxes, (tdm_tensor * x, int a, int b, tdm_loc at), (c.s, v, a, b))
UNARY(repeat_interleave, (tdm_tensor * x, int64_t n, int axis, tdm_loc at), (c.s, v, n, axis))
UNARY(tile, (tdm_tensor * x, tdm_dims repeats, tdm_loc at), (c.s, v, repeats.dims, repeats.rank))
UNARY(tril, (tdm_tensor * x, int64_t k, tdm_loc at), (c.s, v, k))
UNARY(triu, (tdm_tensor * x, int64_t k, tdm_loc at), (c.s, v, k))
UNARY(diagonal, (tdm_tensor * x, int64_t k, int a, int b, tdm_loc at), (c.s, v, k, a, b))
UNARY(diag, (tdm_tensor * x, int64_t k, tdm_loc at), (c.s, v, k))
UNARY(trace, (tdm_tensor * x, tdm_loc at), (c.s, v))
#undef UNARY

tdm_tensor *tdm_flip(tdm_tensor *x, tdm_axis_set axes, tdm_loc at)
{
    static const int all[IR_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    fe_call c;
    ir_val v = open_unary(&c, x, "flip", at);
    if (!v)
        return fe_end(&c, 0);
    return fe_end(&c, axes.n ? ir_c_flip(c.s, v, axes.axes, axes.n)
                             : ir_c_flip(c.s, v, all, c.s->type(c.s, v)->rank));
}

tdm_tensor *tdm_roll(tdm_tensor *x, const int64_t *shifts, tdm_axis_set axes, tdm_loc at)
{
    fe_call c;
    ir_val v = open_unary(&c, x, "roll", at);
    if (v && (!shifts || axes.n < 1 || axes.n > TDM_MAX_RANK)) {
        fe_fail(c.ctx, at, IR_EARG, "roll: %s",
                shifts ? "it needs 1 to 8 axes" : "argument 'shifts' is NULL");
        v = 0;
    }
    return fe_end(&c, v ? ir_c_roll(c.s, v, shifts, axes.axes, axes.n) : 0);
}

static tdm_tensor *pad(tdm_tensor *x, const int64_t *low, const int64_t *high, const int64_t *interior,
                       double value, tdm_loc at)
{
    fe_call c;
    ir_val v = open_unary(&c, x, "pad", at);
    if (v && (!low || !high)) {
        fe_fail(c.ctx, at, IR_EARG, "pad: argument '%s' is NULL", low ? "high" : "low");
        v = 0;
    }
    return fe_end(&c, v ? ir_c_pad(c.s, v, low, high, interior, value) : 0);
}

tdm_tensor *tdm_pad(tdm_tensor *x, const int64_t *low, const int64_t *high, const int64_t *interior,
                    tdm_loc at)
{
    return pad(x, low, high, interior, 0, at);
}

tdm_tensor *tdm_pad_value(tdm_tensor *x, const int64_t *low, const int64_t *high, const int64_t *interior,
                          double value, tdm_loc at)
{
    return pad(x, low, high, interior, value, at);
}

/* ---- several operands ---------------------------------------------------------------------------------- */

/* Opens the call and takes n operands; false: it ends with fe_end(c, 0). */
static bool open_many(fe_call *c, tdm_tensor *const *x, int n, int most, const char *op, tdm_loc at,
                      ir_val *v)
{
    bool ok = fe_begin(c, x && n > 0 ? fe_context_of(x[0], NULL, NULL) : NULL, op, at, true);

    if (ok && n > most) {
        fe_fail(c->ctx, at, IR_EARG, "%s: %d tensors, expected 1 to %d", op, n, most);
        return false;
    }
    for (int i = 0; i < n && ok; i++)
        ok = (v[i] = fe_use(c, x[i], "x")) != 0;
    return ok;
}

tdm_tensor *tdm_concat(tdm_tensor *const *x, int n, int axis, tdm_loc at)
{
    fe_call c;
    ir_val v[MANY];
    return open_many(&c, x, n, MANY, "concat", at, v) ? fe_end(&c, ir_c_concat(c.s, v, n, axis))
                                                      : fe_end(&c, 0);
}

tdm_tensor *tdm_stack(tdm_tensor *const *x, int n, int axis, tdm_loc at)
{
    fe_call c;
    ir_val v[MANY];
    return open_many(&c, x, n, MANY, "stack", at, v) ? fe_end(&c, ir_c_stack(c.s, v, n, axis))
                                                     : fe_end(&c, 0);
}

tdm_tensor *tdm_einsum(const char *equation, tdm_tensor *const *x, int n, tdm_loc at)
{
    fe_call c;
    ir_val v[IR_MAX_OPERANDS];
    bool ok = open_many(&c, x, n, IR_MAX_OPERANDS, "einsum", at, v);
    if (ok && !equation) {
        fe_fail(c.ctx, at, IR_EARG, "einsum: argument 'equation' is NULL");
        ok = false;
    }
    return fe_end(&c, ok ? ir_c_einsum(c.s, equation, v, n) : 0);
}

static tdm_tensor *pair(ir_val (*f)(ir_sink *, ir_val, ir_val), const char *op, tdm_tensor *a, const char *an,
                        tdm_tensor *b, const char *bn, tdm_loc at)
{
    fe_call c;
    if (!fe_begin(&c, fe_context_of(a, b, NULL), op, at, true))
        return fe_end(&c, 0);
    ir_val va = fe_use(&c, a, an), vb = fe_use(&c, b, bn);
    return fe_end(&c, va && vb ? f(c.s, va, vb) : 0);
}

tdm_tensor *tdm_outer(tdm_tensor *x, tdm_tensor *z, tdm_loc at)
{
    return pair(ir_c_outer, "outer", x, "x", z, "z", at);
}

tdm_tensor *tdm_bmm(tdm_tensor *a, tdm_tensor *b, tdm_loc at)
{
    return pair(ir_c_bmm, "bmm", a, "a", b, "b", at);
}

/* ---- parts -------------------------------------------------------------------------------------------- */

static int split(tdm_tensor *x, int64_t size, int axis, tdm_tensor **parts, int room, const char *op,
                 tdm_loc at)
{
    tdm_dims d = tdm_dims_of(x);
    int a = axis < 0 ? axis + d.rank : axis, count = 0;
    tdm_context *ctx = fe_context_of(x, NULL, NULL);

    if (!ctx || ctx->rt.error.status != IR_OK)
        return 0;
    if (a < 0 || a >= d.rank || size < 1) {
        fe_fail(ctx, at, IR_ESHAPE, "%s: no parts of %lld along axis %d of a tensor of rank %d", op,
                (long long)size, axis, d.rank);
        return 0;
    }
    if (!parts || (d.dims[a] - 1) / size + 1 > room) {
        fe_fail(ctx, at, IR_EARG, "%s: %lld parts, and room for %d", op,
                (long long)((d.dims[a] - 1) / size + 1), parts ? room : 0);
        return 0;
    }
    for (int64_t from = 0; from < d.dims[a]; from += size) {
        int64_t left = d.dims[a] - from;
        parts[count++] = tdm_slice(x, a, from, from + (left < size ? left : size), 1, at);
    }
    return tdm_ok(ctx) ? count : 0;
}

int tdm_split(tdm_tensor *x, int64_t size, int axis, tdm_tensor **parts, int room, tdm_loc at)
{
    return split(x, size, axis, parts, room, "split", at);
}

int tdm_chunk(tdm_tensor *x, int n, int axis, tdm_tensor **parts, tdm_loc at)
{
    tdm_dims d = tdm_dims_of(x);
    int a = axis < 0 ? axis + d.rank : axis;
    bool fits = a >= 0 && a < d.rank && n > 0;

    return split(x, fits ? (d.dims[a] - 1) / n + 1 : 0, axis, parts, n, "chunk", at);
}

/* ---- building ----------------------------------------------------------------------------------------- */

static bool open_made(fe_call *c, tdm_context *ctx, tdm_dtype d, const char *op, tdm_loc at)
{
    if (!fe_begin(c, ctx, op, at, true))
        return false;
    if (fe_valid_dtype(d))
        return true;
    fe_fail(ctx, at, IR_EDTYPE, "%s: %d is not a dtype", op, (int)d);
    return false;
}

tdm_tensor *tdm_eye(tdm_context *ctx, tdm_dtype d, int64_t rows, int64_t cols, int64_t k, tdm_loc at)
{
    fe_call c;
    bool ok = open_made(&c, ctx, d, "eye", at) && fe_valid_shape(&c, tdm_shape(rows, cols));
    return fe_end(&c, ok ? ir_c_eye(c.s, (ir_dtype)d, rows, cols, k) : 0);
}

tdm_tensor *tdm_causal_mask(tdm_context *ctx, int64_t rows, int64_t cols, tdm_loc at)
{
    fe_call c;
    bool ok = open_made(&c, ctx, TDM_BOOL, "causal_mask", at) && fe_valid_shape(&c, tdm_shape(rows, cols));
    return fe_end(&c, ok ? ir_c_causal_mask(c.s, rows, cols) : 0);
}

tdm_tensor *tdm_linspace(tdm_context *ctx, tdm_dtype d, double lo, double hi, int64_t n, tdm_loc at)
{
    fe_call c;
    bool ok = open_made(&c, ctx, d, "linspace", at) && fe_valid_shape(&c, tdm_shape(n));
    return fe_end(&c, ok ? ir_c_linspace(c.s, (ir_dtype)d, lo, hi, n) : 0);
}

int tdm_meshgrid(tdm_tensor *const *x, int n, tdm_tensor **grids, tdm_loc at)
{
    ir_val v[IR_MAX_RANK];

    for (int i = 0; i < n; i++) {
        fe_call c;
        bool ok = open_many(&c, x, n, IR_MAX_RANK, "meshgrid", at, v);
        if (ok && !grids)
            fe_fail(c.ctx, at, IR_EARG, "meshgrid: argument 'grids' is NULL");
        tdm_tensor *y = fe_end(&c, ok && grids ? ir_c_meshgrid(c.s, v, n, i) : 0);
        if (!grids || tdm_is_error(y))
            return 0;
        grids[i] = y;
    }
    return n > 0 ? n : 0;
}

tdm_tensor *tdm_full_like(tdm_tensor *x, double value, tdm_loc at)
{
    fe_call c;
    ir_val v = open_unary(&c, x, "full_like", at);
    return fe_end(&c, v ? ir_e_like(c.s, v, value) : 0);
}
