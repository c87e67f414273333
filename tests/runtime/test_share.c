/* tests/runtime/test_share.c: bytes of a tensor that constants hold: which are shared, who moves, what a copy
 * that fails leaves behind. */
#include "eager.h"
#include "ir/shared.h"
#include "runtime/eager.h"

enum { N = 1 << 14 }; /* f64 */

static tdm_tensor *ramp(rt_context *c, int64_t rows)
{
    ir_type t = ir_type_make(IR_DT_f64, 2, (int64_t[]){rows, N / 64});
    tdm_tensor *x = rt_tensor_new(c, &t);

    for (int64_t i = 0; x && i < rows * (N / 64); i++) {
        ((double *)x->a.data)[i] = (double)i;
    }
    return x;
}

static bool is_ramp(const void *data)
{
    const double *x = data;

    for (int i = 0; i < N; i++) {
        if (x[i] != i) {
            return false;
        }
    }
    return true;
}

static tdm_tensor *zeros(rt_context *c)
{
    return rt_tensor_of(ir_e_like(&c->sink, rt_val(ramp(c, 64)), 0));
}

static void open(rt_context *c)
{
    assert_int_equal(rt_context_init(c, NULL, NULL), IR_OK);
}

/* Two holds on one tensor are on the same bytes; the tensor moves when it is written, once. */
static void writer_moves(void **state)
{
    rt_context c;

    (void)state;
    open(&c);
    tdm_tensor *t = ramp(&c, 64), *zero = zeros(&c);
    void *at = t->a.data;
    ir_shared *s = rt_share(t);
    assert_non_null(s);
    assert_ptr_equal(rt_share(t), s);
    assert_ptr_equal(ir_shared_data(s), at);
    assert_int_equal(rt_assign(t, t), IR_OK); /* changes nothing */
    assert_ptr_equal(t->a.data, at);
    assert_int_equal(rt_assign(t, zero), IR_OK);
    assert_ptr_not_equal(t->a.data, at);
    assert_true(is_ramp(at));
    at = t->a.data;
    assert_int_equal(rt_assign(t, zero), IR_OK);
    assert_ptr_equal(t->a.data, at);
    ir_shared_release(s);
    assert_true(is_ramp(ir_shared_data(s)));
    ir_shared_release(s);
    finish(&c);
}

/* The last holder frees the bytes, here after the context. */
static void outlives_the_tensor(void **state)
{
    rt_context c;

    (void)state;
    open(&c);
    ir_shared *s = rt_share(ramp(&c, 64));
    finish(&c);
    assert_true(is_ramp(ir_shared_data(s)));
    ir_shared_release(s);
}

/* A view made of a shared tensor sees the tensor's bytes, wherever they are. */
static void views_follow(void **state)
{
    rt_context c;

    (void)state;
    open(&c);
    tdm_tensor *t = ramp(&c, 64);
    ir_shared *s = rt_share(t);
    tdm_tensor *row =
        rt_tensor_of(ir_e_slice(&c.sink, rt_val(t), (int64_t[]){3, 0}, (int64_t[]){4, N / 64}, NULL));
    assert_ptr_equal(row->storage, t->storage);
    assert_true(*(double *)row->a.data == 3 * (N / 64));
    assert_int_equal(rt_assign(t, zeros(&c)), IR_OK);
    assert_true(*(double *)row->a.data == 0);
    assert_true(is_ramp(ir_shared_data(s)));
    assert_null(rt_share(t));
    ir_shared_release(s);
    finish(&c);
}

/* What can't be shared: little data, a part, a view, a tensor with views, one whose address is kept. */
static void refuses(void **state)
{
    rt_context c;

    (void)state;
    open(&c);
    assert_null(rt_share(ramp(&c, RT_SMALL / 8 / (N / 64))));
    rt_scope_open(&c);
    tdm_tensor *all = ramp(&c, 128);
    tdm_tensor *part = rt_keep(
        rt_tensor_of(ir_e_slice(&c.sink, rt_val(all), (int64_t[]){0, 0}, (int64_t[]){64, N / 64}, NULL)));
    tdm_tensor *turned = rt_keep(rt_tensor_of(ir_e_transpose(&c.sink, rt_val(ramp(&c, 64)), (int[]){1, 0})));
    rt_scope_close(&c);
    assert_int_equal(part->storage->refs, 1);
    assert_null(rt_share(part));
    assert_int_equal(turned->storage->refs, 1);
    assert_null(rt_share(turned));
    tdm_tensor *t = ramp(&c, 64);
    rt_detach(t);
    assert_null(rt_share(t));
    t = ramp(&c, 64);
    assert_true(rt_pin(t));
    assert_null(rt_share(t));
    assert_null(rt_share(rt_placeholder(&c, &t->a.type)));
    finish(&c);
}

/* Pinning moves a shared tensor first, and for the last time. */
static void pins(void **state)
{
    rt_context c;

    (void)state;
    open(&c);
    tdm_tensor *t = ramp(&c, 64);
    ir_shared *s = rt_share(t);
    assert_true(rt_pin(t));
    assert_ptr_not_equal(t->a.data, ir_shared_data(s));
    assert_true(is_ramp(t->a.data));
    void *at = t->a.data;
    assert_null(rt_share(t));
    assert_int_equal(rt_assign(t, zeros(&c)), IR_OK);
    assert_ptr_equal(t->a.data, at);
    assert_true(is_ramp(ir_shared_data(s)));
    ir_shared_release(s);
    finish(&c);
}

/* No memory for the copy: writing, a view and pinning report it, the values are as they were, and the next
 * try works. */
static void copy_fails(void **state)
{
    rt_context c;

    (void)state;
    open(&c);
    tdm_tensor *t = ramp(&c, 64), *zero = zeros(&c);
    ir_shared *s = rt_share(t);
    rt_context_trim(&c);
    for (int i = 0; i < 3; i++) {
        rt_context_fail_alloc(&c, 0);
        if (i == 0) {
            assert_int_equal(rt_assign(t, zero), IR_ENOMEM);
            assert_int_equal(t->storage->version, 0);
        } else if (i == 1) {
            assert_null(rt_detach(t));
        } else {
            assert_false(rt_pin(t));
        }
        assert_error(&c, IR_ENOMEM, "out of memory: 131072 bytes wanted");
        assert_ptr_equal(t->a.data, ir_shared_data(s));
        assert_true(is_ramp(t->a.data));
    }
    assert_int_equal(rt_assign(t, zero), IR_OK);
    assert_true(((double *)t->a.data)[1] == 0);
    assert_true(is_ramp(ir_shared_data(s)));
    ir_shared_release(s);
    finish(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writer_moves), cmocka_unit_test(outlives_the_tensor),
        cmocka_unit_test(views_follow), cmocka_unit_test(refuses),
        cmocka_unit_test(pins),         cmocka_unit_test(copy_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
