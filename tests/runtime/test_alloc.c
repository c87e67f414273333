/* The n-th allocation fails, for every n: eager ops, recording, backward and second derivatives report it
 * once and leak nothing (live bytes are counted, and ASan sees the rest: its builds cache no memory). */
#include "eager.h"

static tdm_tensor *parameter(rt_context *c, int64_t n)
{
    ir_type t = ir_type_make(IR_DT_f64, 2, (int64_t[]){n, 3});
    tdm_tensor *w = rt_tensor_new(c, &t);

    for (int64_t i = 0; w && i < 3 * n; i++) {
        ((double *)w->a.data)[i] = 0.01 * (double)(i % 7);
    }
    if (w) {
        rt_hold(w);
        rt_require_grad(w, true);
    }
    return w;
}

static tdm_tensor *model(rt_context *c, tdm_tensor *w)
{
    ir_sink *s = &c->sink;
    int64_t n = w->a.type.dims[0];
    ir_val x = rt_val(w), z;
    ir_type one = ir_type_make(IR_DT_f64, 0, NULL);

    z = ir_e_mul(s, ir_e_exp(s, x), ir_e_like(s, x, 0.5));
    z = ir_e_transpose(s, z, (int[]){1, 0});
    z = ir_e_slice(s, z, (int64_t[]){0, 0}, (int64_t[]){2, n}, NULL);
    z = ir_e_div(s, z, ir_e_add(s, ir_e_like(s, z, 2), ir_e_mul(s, z, z)));
    z = ir_e_reshape(s, z, 1, (int64_t[]){2 * n});
    z = ir_e_reduce(s, IR_reduce_sum, z, (int[]){0}, 1, false);
    return rt_tensor_of(ir_e_add(s, z, ir_e_fill(s, &one, 1)));
}

/* Two gradients deep, with .grad, retain_grad, scopes and an assignment on the way; the result or NULL. */
static tdm_tensor *work(rt_context *c, int64_t n)
{
    tdm_tensor *w = parameter(c, n), *y, *g = NULL, *gg = NULL;

    if (!w) {
        return NULL;
    }
    rt_scope_open(c);
    y = model(c, w);
    if (y) {
        rt_retain_grad(y);
        rt_backward(c, &y, NULL, 1, &w, 1, &g, true, true);
        rt_backward(c, &y, NULL, 1, NULL, 0, NULL, true, true);
    }
    if (g) {
        g = rt_tensor_of(ir_e_reduce(&c->sink, IR_reduce_sum, rt_val(g), (int[]){0, 1}, 2, false));
    }
    if (g) {
        rt_backward(c, &g, NULL, 1, &w, 1, &gg, false, false);
    }
    y = model(c, w);
    if (y) {
        rt_backward(c, &y, NULL, 1, NULL, 0, NULL, false, false);
    }
    if (gg) {
        c->grad_mode = false;
        rt_assign(w, gg);
        c->grad_mode = true;
    }
    rt_keep(gg);
    rt_scope_close(c);
    return c->error.status ? NULL : gg;
}

static void every_failure_is_reported(int64_t n)
{
    rt_context c;
    double want[2], have[2];
    int64_t fail = 0;
    tdm_tensor *t;

    assert_int_equal(rt_context_init(&c, NULL, NULL), IR_OK);
    t = work(&c, n);
    assert_ok(&c);
    memcpy(want, t->a.data, sizeof want);
    finish(&c);
    for (;; fail++) {
        assert_int_equal(rt_context_init(&c, NULL, NULL), IR_OK);
        rt_context_fail_alloc(&c, fail);
        t = work(&c, n);
        if (!t) {
            assert_error(&c, IR_ENOMEM, "out of memory");
            assert_true(c.grad_mode);
            t = work(&c, n); /* the context still works */
        } else {
            rt_context_fail_alloc(&c, -1);
            assert_ok(&c);
            finish(&c);
            break;
        }
        assert_ok(&c);
        memcpy(have, t->a.data, sizeof have);
        assert_memory_equal(have, want, sizeof want);
        finish(&c);
    }
    assert_true(fail > 10);
}

static void small_tensors(void **state)
{
    (void)state;
    every_failure_is_reported(1);
}

static void large_tensors(void **state)
{
    (void)state;
    every_failure_is_reported(700); /* storage apart from its header, splats as one element */
}

static void impossible_sizes(void **state)
{
    rt_context c;
    ir_type t = ir_type_make(IR_DT_f64, 1, (int64_t[]){IR_MAX_ELEMENTS});

    (void)state;
    assert_int_equal(rt_context_init(&c, NULL, NULL), IR_OK);
    if (!rt_tensor_new(&c, &t)) { /* 8 TiB: some systems promise them */
        assert_error(&c, IR_ENOMEM, "out of memory");
    }
    assert_true(item(scalar(&c, 2)) == 2);
    finish(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_tensors),
        cmocka_unit_test(large_tensors),
        cmocka_unit_test(impossible_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
