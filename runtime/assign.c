/* runtime/assign.c: the one in-place change: a tensor's elements are replaced.
 *
 *   t <- value     same dtype and shape; t may be a view (slice, transpose), but not a broadcast one
 *
 * The storage's version advances and the line of the change is remembered, so that backward can tell which
 * saved value was changed, and by whom.  Never recorded on the tape, so refused where the tape would have to
 * know. */
#include "runtime/eager.h"

#include <string.h>

/* Row-major src into the strided elements of y. */
static const char *store(const rt_array *y, int axis, int64_t at, const char *src, size_t size)
{
    if (axis == y->type.rank) {
        memcpy((char *)y->data + at * (int64_t)size, src, size);
        return src + size;
    }
    for (int64_t i = 0; i < y->type.dims[axis]; i++) {
        src = store(y, axis + 1, at + i * y->strides[axis], src, size);
    }
    return src;
}

static bool repeats(const rt_array *y)
{
    for (int i = 0; i < y->type.rank; i++) {
        if (y->strides[i] == 0 && y->type.dims[i] > 1) {
            return true;
        }
    }
    return false;
}

static ir_status check(const tdm_tensor *t, const tdm_tensor *value)
{
    ir_error *e = &t->ctx->error;
    char to[128], from[128];

    if (!t->storage || !value->storage) {
        return ir_fail(e, IR_ESTATE, "assign: %s has no value here", t->storage ? "the value" : "the tensor");
    }
    ir_type_text(&t->a.type, NULL, to, sizeof to);
    ir_type_text(&value->a.type, NULL, from, sizeof from);
    if (!ir_type_eq(&t->a.type, &value->a.type)) {
        return ir_fail(e, t->a.type.dtype == value->a.type.dtype ? IR_ESHAPE : IR_EDTYPE,
                       "assign: a value %s does not fit a tensor %s", from, to);
    }
    if (t->requires_grad && t->grad_fn) {
        return ir_fail(e, IR_ESTATE, "assign: %s is a result on the tape (%s): detach it first", to,
                       t->grad_fn->name);
    }
    if (t->requires_grad && t->ctx->grad_mode) {
        return ir_fail(e, IR_ESTATE, "assign: %s %s requires grad: change it under no_grad only",
                       t->name ? t->name : "leaf", to);
    }
    if (repeats(&t->a)) {
        return ir_fail(e, IR_EARG, "assign: %s is a broadcast view, whose elements share memory", to);
    }
    return IR_OK;
}

/* A value that shares t's storage is copied first: its elements may be overwritten before they are read. */
static ir_status replace(tdm_tensor *t, const tdm_tensor *value)
{
    rt_context *c = t->ctx;
    bool owned = rt_own(t), direct = rt_array_is_contiguous(&t->a) && t->storage != value->storage;
    tdm_tensor *row = direct || !owned ? NULL : rt_result_new(c, &value->a.type);
    void *to = direct ? t->a.data : row ? row->a.data : NULL;

    if (!owned || !to) {
        return c->error.status;
    }
    if (rt_copy_elements(&c->engine, &value->a, to)) {
        rt_release(row);
        return ir_fail(&c->error, IR_ENOMEM, "out of memory: no scratch to copy a view");
    }
    if (row) {
        store(&t->a, 0, 0, row->a.data, ir_dtype_size(t->a.type.dtype));
        rt_release(row);
    }
    return IR_OK;
}

ir_status rt_assign(tdm_tensor *t, const tdm_tensor *value)
{
    rt_context *c;

    if (!t || !value) {
        return IR_EARG;
    }
    c = t->ctx;
    if (c->error.status || check(t, value)) {
        return c->error.status;
    }
    if (t->a.data != value->a.data || memcmp(t->a.strides, value->a.strides, sizeof t->a.strides) != 0) {
        if (replace(t, value)) {
            return c->error.status;
        }
    }
    t->storage->version++;
    t->storage->changed = c->sink.loc;
    return IR_OK;
}
