/* tests/runtime/eager.h: short words for tests of the eager engine. */
#ifndef TESTS_RUNTIME_EAGER_H
#define TESTS_RUNTIME_EAGER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ir/emit.h"
#include "runtime/tensor.h"

/* Marks the line that the next ops belong to. */
#define AT(c, f, l) ((c)->sink.loc = (ir_loc){f, l})

static inline tdm_tensor *scalar(rt_context *c, double v)
{
    ir_type t = ir_type_make(IR_DT_f64, 0, NULL);

    return rt_tensor_from(c, &t, &v);
}

static inline tdm_tensor *vector(rt_context *c, int64_t n, const double *v)
{
    ir_type t = ir_type_make(IR_DT_f64, 1, &n);

    return rt_tensor_from(c, &t, v);
}

static inline tdm_tensor *leaf(rt_context *c, double v)
{
    tdm_tensor *t = scalar(c, v);

    t->requires_grad = true;
    return t;
}

static inline double item(const tdm_tensor *t)
{
    double v = 0;

    assert_non_null(t);
    assert_int_equal(ir_type_elements(&t->a.type), 1);
    assert_int_equal(rt_copy_out(t, &v), IR_OK);
    return v;
}

static inline tdm_tensor *op1(ir_op op, tdm_tensor *x)
{
    return rt_op(x->ctx, op, NULL, &x, 1);
}

static inline tdm_tensor *op2(ir_op op, tdm_tensor *x, tdm_tensor *z)
{
    tdm_tensor *xz[2] = {x, z};

    return rt_op(x->ctx, op, NULL, xz, 2);
}

#define add(x, z) op2(IR_add, x, z)
#define sub(x, z) op2(IR_sub, x, z)
#define mul(x, z) op2(IR_mul, x, z)

static inline ir_status backward(tdm_tensor *y)
{
    return rt_backward(y->ctx, &y, NULL, 1, NULL, 0, NULL, false, false);
}

/* d y / d x as a tensor of the current scope; NULL: not reached. */
static inline tdm_tensor *grad(tdm_tensor *y, tdm_tensor *x, bool create_graph)
{
    tdm_tensor *g = NULL;

    assert_int_equal(rt_backward(y->ctx, &y, NULL, 1, &x, 1, &g, create_graph, create_graph), IR_OK);
    return g;
}

/* The error that was just made has this status and says all of these; then it is cleared. */
#define assert_error(c, s, ...) \
    assert_error_at(c, s, (const char *const[]){__VA_ARGS__, NULL}, __FILE__, __LINE__)

static inline void assert_error_at(rt_context *c, ir_status s, const char *const *words, const char *file,
                                   int line)
{
    _assert_int_equal((uintmax_t)c->error.status, (uintmax_t)s, file, line);
    for (; *words; words++) {
        if (!strstr(c->error.text, *words)) {
            print_error("\"%s\" does not say \"%s\"\n", c->error.text, *words);
            _fail(file, line);
        }
    }
    memset(&c->error, 0, sizeof c->error);
}

static inline void assert_ok(const rt_context *c)
{
    if (c->error.status) {
        print_error("%s\n", c->error.text);
    }
    assert_int_equal(c->error.status, IR_OK);
}

/* Nothing is left but what is in the scopes. */
static inline void finish(rt_context *c)
{
    assert_ok(c);
    rt_context_destroy(c);
    assert_int_equal(c->live_bytes, 0);
}

#endif
