/* runtime/eager.c: the eager engine's side of the sink: every op infers, runs and goes on the tape here.
 *
 *   view ops          share the operand's storage (a reshape that needs a copy copies)
 *   constants         copied; a large splat is one element, repeated by strides of 0
 *   everything else   rt_compute into a new row-major tensor
 *
 * The rows of unary, binary and select ops carry no attributes, and their result has the operands' type:
 * when the operands agree that is checked here, without the general inference (which also words errors).
 * Cost: tens of nanoseconds around the kernel. */
#include "runtime/eager.h"

#include <string.h>
#include <time.h>

/* Operands of the rows whose result type is an operand's; 0 for the others. */
static const uint8_t simple[IR_OP_COUNT] = {
#define OP_UNARY(name, ...) [IR_##name] = 1,
#define OP_BINARY(name, ...) [IR_##name] = 2,
#define OP_SELECT(name, ...) [IR_##name] = 3,
#include "ir/ops.def"
};

/* True if (op, x) is such a row with operands that agree; *type is then the result's. */
static bool simple_type(ir_op op, tdm_tensor *const *x, int n, ir_type *type)
{
    const ir_op_info *info = &ir_ops[op];
    const ir_type *last;

    if (n == 0 || simple[op] != n) {
        return false;
    }
    last = &x[n - 1]->a.type;
    if (!(info->dtypes >> last->dtype & 1)) {
        return false;
    }
    if (n == 2 && !rt_same_type(&x[0]->a.type, last)) {
        return false;
    }
    if (n == 3 && (x[0]->a.type.dtype != IR_DT_bool || !ir_shape_eq(&x[0]->a.type, last) ||
                   !rt_same_type(&x[1]->a.type, last))) {
        return false;
    }
    *type = *last;
    if (info->facts & IR_BOOL_RESULT) {
        type->dtype = IR_DT_bool;
    }
    return true;
}

static bool infer(rt_context *c, ir_op op, const ir_attrs *a, tdm_tensor *const *x, int n, ir_type *type)
{
    const ir_type *t[IR_MAX_OPERANDS];

    for (int i = 0; i < n; i++) {
        t[i] = &x[i]->a.type;
    }
    if (ir_infer(op, a, t, n, type, &c->error)) {
        return false;
    }
    if (!ir_type_is_static(type)) {
        ir_fail(&c->error, IR_ESHAPE, "%s: an eager tensor has no symbolic dims", ir_ops[op].name);
        return false;
    }
    return true;
}

/* Operands must have values and belong here; false without a message where one is a failed op's result. */
static bool check_operands(rt_context *c, ir_op op, tdm_tensor *const *x, int n)
{
    for (int i = 0; i < n; i++) {
        if (!x[i]) {
            return false;
        }
        if (!x[i]->storage || x[i]->ctx != c) {
            ir_fail(&c->error, IR_ESTATE, "%s: operand %d %s", ir_ops[op].name, i,
                    x[i]->ctx != c ? "belongs to another context" : "has no value here");
            return false;
        }
    }
    return true;
}

static tdm_tensor *leaf(rt_context *c, ir_op op, const ir_attrs *a, const ir_type *type)
{
    size_t size = ir_dtype_size(type->dtype);
    tdm_tensor *t;
    ir_type one;

    if (op != IR_constant) {
        ir_fail(&c->error, IR_ESTATE, "%s: only a graph has such leaves", ir_ops[op].name);
        return NULL;
    }
    if (a->constant.bytes != (a->splat ? size : ir_type_bytes(type))) {
        ir_fail(&c->error, IR_EARG, "constant: %zu bytes of data for %zu bytes of elements",
                a->constant.bytes, a->splat ? size : ir_type_bytes(type));
        return NULL;
    }
    if (!a->splat || ir_type_bytes(type) <= RT_SMALL) {
        t = rt_result_new(c, type);
        for (size_t at = 0; t && at < t->storage->bytes; at += a->constant.bytes) {
            memcpy((char *)t->a.data + at, a->constant.data, a->constant.bytes);
        }
        return t;
    }
    one = ir_type_make(type->dtype, 0, NULL);
    t = rt_result_new(c, &one);
    if (t) {
        memcpy(t->a.data, a->constant.data, size);
        t->a.type = *type; /* strides are 0 */
    }
    return t;
}

static tdm_tensor *compute(rt_context *c, ir_op op, const ir_attrs *a, tdm_tensor *const *x, int n,
                           const ir_type *type)
{
    const rt_array *arrays[IR_MAX_OPERANDS];
    tdm_tensor *y = rt_result_new(c, type);
    ir_status s;

    if (!y) {
        return NULL;
    }
    for (int i = 0; i < n; i++) {
        arrays[i] = &x[i]->a;
    }
    s = rt_compute(&c->engine, op, a, arrays, n, &y->a);
    if (s) {
        ir_fail(&c->error, s, "%s: %s", ir_ops[op].name,
                s == IR_ENOMEM ? "out of memory for scratch" : "can't be computed");
        rt_release(y);
        return NULL;
    }
    return y;
}

static tdm_tensor *result(rt_context *c, ir_op op, const ir_attrs *a, tdm_tensor *const *x, int n)
{
    ir_class cls = ir_ops[op].cls;
    ir_type type;
    rt_array view;

    if (simple_type(op, x, n, &type)) {
        return compute(c, op, a, x, n, &type);
    }
    if (!infer(c, op, a, x, n, &type)) {
        return NULL;
    }
    if (cls == IR_LEAF) {
        return leaf(c, op, a, &type);
    }
    if (cls == IR_VIEW && rt_array_view(op, a, &x[0]->a, &type, &view)) {
        return rt_alias_at(x[0], &view);
    }
    return compute(c, op, a, x, n, &type);
}

static bool must_record(const rt_context *c, ir_op op, tdm_tensor *const *x, int n, const tdm_tensor *y)
{
    bool any = false;

    if (!c->grad_mode) {
        return false;
    }
    for (int i = 0; i < n; i++) {
        any |= x[i]->requires_grad;
    }
    return any && !(ir_ops[op].facts & IR_NO_GRAD) && ir_dtype_is_float(y->a.type.dtype);
}

static tdm_tensor *run(rt_context *c, ir_op op, const ir_attrs *a, tdm_tensor *const *x, int n)
{
    tdm_tensor *y = result(c, op, a, x, n);

    if (y && c->checkpoint && !rt_checkpoint_log(c, op, a, x, n, y)) {
        rt_release(y);
        return NULL;
    }
    if (y && must_record(c, op, x, n, y) && !rt_tape_record(c, op, a, x, n, y)) {
        rt_release(y);
        return NULL;
    }
    return rt_scope_add(c, y);
}

tdm_tensor *rt_op(rt_context *c, ir_op op, const ir_attrs *a, tdm_tensor *const *x, int n)
{
    struct timespec begin, end;
    tdm_tensor *y;

    if (c->error.status || n > IR_MAX_OPERANDS || !check_operands(c, op, x, n)) {
        return NULL;
    }
    if (!c->op_ns) {
        return run(c, op, a, x, n);
    }
    clock_gettime(CLOCK_MONOTONIC, &begin);
    y = run(c, op, a, x, n);
    clock_gettime(CLOCK_MONOTONIC, &end);
    c->op_ns[op] += (double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec);
    return y;
}
