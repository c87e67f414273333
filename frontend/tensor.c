/* frontend/tensor.c: making, reading and naming tensors. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/fe.h"
#include "ir/emit.h"
#include "runtime/npy.h"

static tdm_context *ctx_of(const tdm_tensor *t)
{
    return (tdm_context *)t->ctx;
}

bool tdm_is_error(const tdm_tensor *t)
{
    return !t || t == ctx_of(t)->error_tensor;
}

bool tdm_is_symbolic(const tdm_tensor *t)
{
    return t && t->graph;
}

const char *tdm_dtype_name(tdm_dtype d)
{
    return fe_valid_dtype(d) ? ir_dtype_name((ir_dtype)d) : "?";
}

size_t tdm_dtype_size(tdm_dtype d)
{
    return fe_valid_dtype(d) ? ir_dtype_size((ir_dtype)d) : 0;
}

tdm_dtype tdm_dtype_of(const tdm_tensor *t)
{
    return tdm_is_error(t) ? TDM_F32 : (tdm_dtype)t->a.type.dtype;
}

tdm_dims tdm_dims_of(const tdm_tensor *t)
{
    tdm_dims d = {0};
    if (tdm_is_error(t))
        return d;
    d.rank = t->a.type.rank;
    memcpy(d.dims, t->a.type.dims, sizeof d.dims);
    return d;
}

int64_t tdm_elements(const tdm_tensor *t)
{
    return tdm_is_error(t) || !ir_type_is_static(&t->a.type) ? 0 : ir_type_elements(&t->a.type);
}

size_t tdm_bytes(const tdm_tensor *t)
{
    return (size_t)tdm_elements(t) * tdm_dtype_size(tdm_dtype_of(t));
}

/* dtype, rank and extents of a tensor to be made now. */
static bool checked_type(fe_call *c, tdm_dtype d, tdm_dims shape, ir_type *t)
{
    if (!fe_valid_dtype(d)) {
        fe_fail(c->ctx, c->at, IR_EDTYPE, "%s: %d is not a dtype", c->op, (int)d);
        return false;
    }
    if (!fe_valid_shape(c, shape))
        return false;
    *t = fe_type(d, shape);
    return ir_type_check(t, c->op, c->s->err) == IR_OK;
}

tdm_tensor *tdm_from_data(tdm_context *ctx, tdm_dtype d, tdm_dims shape, const void *data, tdm_loc at)
{
    fe_call c;
    ir_type t;
    if (!fe_begin(&c, ctx, "from_data", at, false) || !checked_type(&c, d, shape, &t))
        return fe_end(&c, 0);
    if (!data) {
        fe_fail(ctx, at, IR_EARG, "from_data: argument 'data' is NULL");
        return fe_end(&c, 0);
    }
    if (ctx->open)
        return fe_end(&c, ir_e_constant(c.s, &t, data, false));
    tdm_tensor *x = rt_tensor_from(&ctx->rt, &t, data);
    return fe_end(&c, rt_val(x));
}

static void fill(void *to, ir_dtype d, int64_t n, double v)
{
    size_t size = ir_dtype_size(d);
    char element[sizeof(double)];

    ir_element_set(d, element, v);
    for (int64_t i = 0; i < n; i++)
        memcpy((char *)to + (size_t)i * size, element, size);
}

/* Whether v, as the user wrote it, is a value of an integer dtype (floats take anything). */
static bool representable(ir_dtype d, double v)
{
    int bits = d == IR_DT_bool ? 1 : 8 * (int)ir_dtype_size(d) - ir_dtype_is_signed(d);
    double past = ldexp(1, bits), least = ir_dtype_is_signed(d) ? -past : 0;

    return ir_dtype_is_float(d) || (v >= least && v < past);
}

tdm_tensor *tdm_full(tdm_context *ctx, tdm_dtype d, tdm_dims shape, double value, tdm_loc at)
{
    fe_call c;
    ir_type t;
    if (!fe_begin(&c, ctx, "full", at, false) || !checked_type(&c, d, shape, &t))
        return fe_end(&c, 0);
    if (!representable((ir_dtype)d, value)) {
        fe_fail(ctx, at, IR_EARG, "full: %g is not a value of %s", value, tdm_dtype_name(d));
        return fe_end(&c, 0);
    }
    if (ctx->open)
        return fe_end(&c, ir_e_fill(c.s, &t, value));
    tdm_tensor *x = rt_tensor_new(&ctx->rt, &t);
    if (x)
        fill(x->a.data, (ir_dtype)d, ir_type_elements(&t), value);
    return fe_end(&c, rt_val(x));
}

tdm_tensor *tdm_arange(tdm_context *ctx, tdm_dtype d, int64_t n, tdm_loc at)
{
    fe_call c;
    ir_type t;
    tdm_dims shape = {.rank = 1, .dims = {n}};
    if (!fe_begin(&c, ctx, "arange", at, false) || !checked_type(&c, d, shape, &t))
        return fe_end(&c, 0);
    return fe_end(&c, ir_e_iota(c.s, (ir_dtype)d, n));
}

/* Common to everything that reads or writes memory: t must be a tensor with values. */
static tdm_status has_values(const tdm_tensor *t, const char *op)
{
    const tdm_loc nowhere = {NULL, 0};
    if (!t)
        return TDM_EARG;
    tdm_context *ctx = ctx_of(t);
    if (tdm_is_error(t))
        return tdm_error_code(ctx) ? tdm_error_code(ctx) : TDM_EARG;
    if (t->graph || !t->storage) {
        tdm_loc made = {t->loc.file, t->loc.line};
        return fe_fail(ctx, made.file ? made : nowhere, IR_ESTATE,
                       "%s: a symbolic tensor has no value: compile its graph and run it", op);
    }
    return TDM_OK;
}

double tdm_item(const tdm_tensor *t)
{
    const tdm_loc nowhere = {NULL, 0};
    if (has_values(t, "item") != TDM_OK)
        return NAN;
    if (ir_type_elements(&t->a.type) != 1) {
        char text[96];
        fe_fail(ctx_of(t), nowhere, IR_ESHAPE, "item: %s has more than one element",
                ir_type_text(&t->a.type, NULL, text, sizeof text));
        return NAN;
    }
    return ir_element_get((ir_dtype)t->a.type.dtype, t->a.data);
}

double tdm_element(tdm_dtype d, const void *data, int64_t i)
{
    if (!fe_valid_dtype(d) || !data)
        return NAN;
    return ir_element_get((ir_dtype)d, (const char *)data + i * (int64_t)ir_dtype_size((ir_dtype)d));
}

tdm_status tdm_read(const tdm_tensor *t, void *data, size_t bytes)
{
    const tdm_loc nowhere = {NULL, 0};
    tdm_status s = has_values(t, "read");
    if (s != TDM_OK)
        return s;
    if (!data || bytes != tdm_bytes(t))
        return fe_fail(ctx_of(t), nowhere, IR_EARG, "read: room for %zu bytes, the tensor has %zu",
                       data ? bytes : 0, tdm_bytes(t));
    ir_status r = rt_copy_out(t, data);
    return r == IR_OK ? TDM_OK : fe_fail(ctx_of(t), nowhere, r, "read: out of memory");
}

tdm_status tdm_write(tdm_tensor *t, const void *data, size_t bytes)
{
    const tdm_loc nowhere = {NULL, 0};
    tdm_status s = has_values(t, "write");
    if (s != TDM_OK)
        return s;
    if (!data || bytes != tdm_bytes(t))
        return fe_fail(ctx_of(t), nowhere, IR_EARG, "write: %zu bytes given, the tensor has %zu",
                       data ? bytes : 0, tdm_bytes(t));
    if (!rt_array_is_contiguous(&t->a))
        return fe_fail(ctx_of(t), nowhere, IR_EARG, "write: the tensor is a view with gaps");
    if (!rt_own(t))
        return tdm_error_code(ctx_of(t));
    memcpy(t->a.data, data, bytes);
    t->storage->version++;
    return TDM_OK;
}

tdm_tensor *tdm_load_npy(tdm_context *ctx, const char *path)
{
    const tdm_loc nowhere = {NULL, 0};
    fe_call c;
    ir_type t;
    void *data = NULL;

    if (!fe_begin(&c, ctx, "load_npy", nowhere, false))
        return fe_end(&c, 0);
    if (!path) {
        fe_fail(ctx, nowhere, IR_EARG, "load_npy: argument 'path' is NULL");
        return fe_end(&c, 0);
    }
    if (rt_npy_read(path, &t, &data, c.s->err) != IR_OK)
        return fe_end(&c, 0);
    ir_val v = ctx->open ? ir_e_constant(c.s, &t, data, false) : rt_val(rt_tensor_from(&ctx->rt, &t, data));
    free(data);
    return fe_end(&c, v);
}

tdm_status tdm_save_npy(const tdm_tensor *t, const char *path)
{
    const tdm_loc nowhere = {NULL, 0};
    tdm_status s = has_values(t, "save_npy");
    if (s != TDM_OK)
        return s;
    if (!path)
        return fe_fail(ctx_of(t), nowhere, IR_EARG, "save_npy: argument 'path' is NULL");
    size_t bytes = tdm_bytes(t);
    void *data = malloc(bytes);
    if (!data)
        return fe_fail(ctx_of(t), nowhere, IR_ENOMEM, "save_npy: out of memory (%zu bytes)", bytes);
    ir_status r = rt_copy_out(t, data);
    if (r == IR_OK)
        r = rt_npy_write(path, &t->a.type, data, &ctx_of(t)->rt.error);
    free(data);
    return fe_status(r);
}

/* ---- leaves ------------------------------------------------------------------------------------------- */

/* t itself when it is a leaf with row-major storage of its own, else a copy that is. */
static tdm_tensor *own_storage(tdm_tensor *t)
{
    tdm_context *ctx = ctx_of(t);
    if (!t->grad_fn && t->storage->refs == 1 && rt_array_is_contiguous(&t->a) &&
        t->a.data == t->storage->data)
        return t;
    tdm_tensor *flat = rt_contiguous(t);
    if (!flat)
        return NULL;
    return rt_tensor_from(&ctx->rt, &t->a.type, flat->a.data);
}

static tdm_tensor *declare(tdm_tensor *t, const char *name, bool wants_grad, const char *op)
{
    const tdm_loc nowhere = {NULL, 0};
    if (has_values(t, op) != TDM_OK)
        return t ? ctx_of(t)->error_tensor : NULL;
    tdm_context *ctx = ctx_of(t);
    if (wants_grad && !ir_dtype_is_float(t->a.type.dtype)) {
        fe_fail(ctx, nowhere, IR_EDTYPE, "%s: a gradient needs a floating-point dtype, not %s", op,
                ir_dtype_name(t->a.type.dtype));
        return ctx->error_tensor;
    }
    tdm_tensor *p = own_storage(t);
    if (!p)
        return ctx->error_tensor;
    rt_hold(p);
    p->requires_grad = wants_grad;
    p->variable = true;
    p->name = name ? fe_keep_name(ctx, name) : NULL;
    return p;
}

tdm_tensor *tdm_parameter(tdm_tensor *t, const char *name)
{
    return declare(t, name, true, "parameter");
}

tdm_tensor *tdm_variable(tdm_tensor *t, const char *name)
{
    return declare(t, name, false, "variable");
}

const char *tdm_name(const tdm_tensor *t)
{
    return t && t->name ? t->name : "";
}

bool tdm_needs_grad(const tdm_tensor *t)
{
    return !tdm_is_error(t) && t->requires_grad;
}

bool tdm_is_leaf(const tdm_tensor *t)
{
    return !tdm_is_error(t) && !t->grad_fn;
}
