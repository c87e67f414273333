/* runtime/tensor.c: tensors and their storage.
 *
 *   tensor   type, strides and data pointer of one view; counted references; a place on the tape
 *   storage  the memory behind one or more views; counted references; the version of in-place changes
 *
 * A small storage (<= 4 KiB) is one block: header, then data.  Live and peak bytes count data only. */
#include "ir/shared.h"
#include "runtime/compute.h"
#include "runtime/eager.h"

#include <string.h>

_Static_assert(sizeof(rt_storage) <= RT_HEADER, "the header of a small storage");

/* ---- storage ----------------------------------------------------------------------------------------- */

static rt_storage *storage_new(rt_context *c, size_t bytes)
{
    bool small = bytes <= RT_SMALL;
    rt_storage *s = rt_block_get(c, small ? RT_HEADER + bytes : sizeof *s);

    if (!s) {
        return NULL;
    }
    s->data = small ? (char *)s + RT_HEADER : rt_block_get(c, bytes);
    if (!s->data) {
        rt_block_put(c, s, sizeof *s);
        return NULL;
    }
    s->bytes = bytes;
    s->shared = NULL;
    s->pinned = false;
    s->refs = 1;
    s->version = 0;
    s->busy = 0;
    s->slots = 0;
    s->changed = (ir_loc){0};
    c->live_bytes += bytes;
    if (c->live_bytes > c->peak_bytes) {
        c->peak_bytes = c->live_bytes;
    }
    return s;
}

static void storage_release(rt_context *c, rt_storage *s)
{
    size_t bytes = s->bytes;

    if (--s->refs) {
        return;
    }
    c->live_bytes -= bytes;
    if (bytes > RT_SMALL) {
        if (s->shared) {
            ir_shared_release(s->shared);
        } else {
            rt_block_put(c, s->data, bytes);
        }
        rt_block_put(c, s, sizeof *s);
    } else {
        rt_block_put(c, s, RT_HEADER + bytes);
    }
}

/* ---- making tensors ---------------------------------------------------------------------------------- */

/* A tensor with one reference, in no scope, without storage; strides and data are the caller's to set. */
static tdm_tensor *tensor_make(rt_context *c, const ir_type *type)
{
    tdm_tensor *t = rt_block_get(c, sizeof *t);

    if (t) {
        t->a.type = *type;
        memset((char *)t + sizeof t->a, 0, sizeof *t - sizeof t->a);
        t->ctx = c;
        t->refs = 1;
        t->loc = c->sink.loc;
    }
    return t;
}

tdm_tensor *rt_result_new(rt_context *c, const ir_type *type)
{
    tdm_tensor *t = tensor_make(c, type);
    int64_t elements = 1;

    if (!t) {
        return NULL;
    }
    memset(t->a.strides, 0, sizeof t->a.strides);
    for (int i = type->rank - 1; i >= 0; i--) {
        t->a.strides[i] = elements;
        elements *= type->dims[i];
    }
    t->storage = storage_new(c, (size_t)elements * ir_dtype_size(type->dtype));
    if (!t->storage) {
        rt_block_put(c, t, sizeof *t);
        return NULL;
    }
    t->a.data = t->storage->data;
    return t;
}

tdm_tensor *rt_tensor_new(rt_context *c, const ir_type *type)
{
    if (c->error.status || ir_type_check(type, "tensor", &c->error)) {
        return NULL;
    }
    if (!ir_type_is_static(type)) {
        ir_fail(&c->error, IR_ESHAPE, "tensor: an eager tensor has no symbolic dims");
        return NULL;
    }
    return rt_scope_add(c, rt_result_new(c, type));
}

tdm_tensor *rt_tensor_from(rt_context *c, const ir_type *type, const void *data)
{
    tdm_tensor *t = rt_tensor_new(c, type);

    if (t) {
        memcpy(t->a.data, data, t->storage->bytes);
    }
    return t;
}

tdm_tensor *rt_place_new(rt_context *c, const ir_type *type)
{
    tdm_tensor *t = tensor_make(c, type);

    if (t) {
        memset(t->a.strides, 0, sizeof t->a.strides);
        t->a.data = NULL;
    }
    return t;
}

tdm_tensor *rt_placeholder(rt_context *c, const ir_type *type)
{
    return rt_scope_add(c, rt_place_new(c, type));
}

/* `a` where t's bytes are after they became its own. */
static tdm_tensor *alias_of_shared(tdm_tensor *t, const rt_array *a)
{
    ptrdiff_t at = (char *)a->data - (char *)t->a.data;
    rt_array moved = *a;

    if (!rt_own(t)) {
        return NULL;
    }
    moved.data = (char *)t->a.data + at;
    return rt_alias_at(t, &moved);
}

tdm_tensor *rt_alias_at(tdm_tensor *t, const rt_array *a)
{
    tdm_tensor *v;

    if (t->storage && t->storage->shared) {
        return alias_of_shared(t, a);
    }
    v = tensor_make(t->ctx, &a->type);
    if (v) {
        memcpy(v->a.strides, a->strides, sizeof v->a.strides);
        v->a.data = a->data;
        v->storage = t->storage;
        v->made_in = t->made_in;
        v->made_at = t->made_at;
        if (v->storage) {
            v->storage->refs++;
        }
    }
    return v;
}

void rt_drop_storage(tdm_tensor *t)
{
    storage_release(t->ctx, t->storage);
    t->storage = NULL;
    t->a.data = NULL;
}

tdm_tensor *rt_alias(tdm_tensor *t)
{
    tdm_tensor *v;

    /* A leaf that no op has read yet gets its node now: gradients through the alias are gradients of t. */
    if (t->requires_grad && !rt_tape_edge(t)) {
        return NULL;
    }
    v = rt_alias_at(t, &t->a);
    if (v) {
        v->loc = t->loc;
        v->name = t->name;
        v->requires_grad = t->requires_grad;
        v->grad_fn = t->grad_fn;
        v->accumulate = t->accumulate;
        if (v->grad_fn) {
            v->grad_fn->refs++;
        }
        if (v->accumulate) {
            v->accumulate->refs++;
        }
    }
    return v;
}

tdm_tensor *rt_detach(tdm_tensor *t)
{
    if (!t || t->ctx->error.status) {
        return NULL;
    }
    if (!t->storage) {
        ir_fail(&t->ctx->error, IR_ESTATE, "detach: the tensor has no value here");
        return NULL;
    }
    return rt_scope_add(t->ctx, rt_alias_at(t, &t->a));
}

/* ---- references -------------------------------------------------------------------------------------- */

tdm_tensor *rt_retain(tdm_tensor *t)
{
    if (t) {
        t->refs++;
    }
    return t;
}

/* The tape's pointers to t are not references: they must not outlive it. */
static void leave_tape(tdm_tensor *t)
{
    if (t->grad_fn) {
        if (t->grad_fn->result == t) {
            t->grad_fn->result = NULL;
        }
        rt_node_release(t->ctx, t->grad_fn);
    }
    if (t->accumulate) {
        if (t->accumulate->leaf == t) {
            t->accumulate->leaf = NULL;
        }
        rt_node_release(t->ctx, t->accumulate);
    }
}

void rt_release(tdm_tensor *t)
{
    if (!t || --t->refs) {
        return;
    }
    if (t->scope) {
        rt_scope_remove(t);
    }
    if (t->storage) {
        storage_release(t->ctx, t->storage);
    }
    if (t->grad_fn || t->accumulate) {
        leave_tape(t);
    }
    if (t->grad) {
        rt_release(t->grad);
    }
    rt_block_put(t->ctx, t, sizeof *t);
}

/* ---- elements ---------------------------------------------------------------------------------------- */

ir_status rt_copy_elements(const rt_engine *e, const rt_array *x, void *data)
{
    enum { MANY_BYTES = 1 << 18 };
    size_t bytes = ir_type_bytes(&x->type);
    rt_array y;
    ir_attrs a;

    if (rt_array_is_contiguous(x)) {
        if (bytes < MANY_BYTES) {
            memcpy(data, x->data, bytes);
        } else {
            rt_copy(e, x, data); /* by several threads: a new copy has to be mapped too */
        }
        return IR_OK;
    }
    memset(&a, 0, sizeof a); /* a reshape to the same shape copies in row-major order */
    a.type = x->type;
    y = rt_array_of(&x->type, data);
    return rt_compute(e, IR_reshape, &a, &x, 1, &y);
}

tdm_tensor *rt_contiguous(tdm_tensor *t)
{
    tdm_tensor *y;

    if (!t || t->ctx->error.status) {
        return NULL;
    }
    if (!t->storage) {
        ir_fail(&t->ctx->error, IR_ESTATE, "the tensor has no value here");
        return NULL;
    }
    if (rt_array_is_contiguous(&t->a)) {
        return t;
    }
    y = rt_result_new(t->ctx, &t->a.type);
    if (y && rt_copy_elements(&t->ctx->engine, &t->a, y->a.data)) {
        ir_fail(&t->ctx->error, IR_ENOMEM, "out of memory: no scratch to copy a view");
        rt_release(y);
        return NULL;
    }
    return rt_scope_add(t->ctx, y);
}

ir_status rt_copy_out(const tdm_tensor *t, void *data)
{
    if (!t->storage) {
        return ir_fail(&t->ctx->error, IR_ESTATE, "the tensor has no value here");
    }
    if (rt_copy_elements(&t->ctx->engine, &t->a, data)) {
        return ir_fail(&t->ctx->error, IR_ENOMEM, "out of memory: no scratch to copy a view");
    }
    return IR_OK;
}
