/* Tensors outside the tape: scopes, references, views, constants, assignment, accounting, and what is
 * refused. */
#include <sys/mman.h>

#include "eager.h"
#include "runtime/eager.h"

static const double one_to_six[6] = {1, 2, 3, 4, 5, 6};

static tdm_tensor *matrix(rt_context *c)
{
    ir_type t = ir_type_make(IR_DT_f64, 2, (int64_t[]){2, 3});

    return rt_tensor_from(c, &t, one_to_six);
}

static tdm_tensor *transposed(tdm_tensor *x)
{
    return rt_tensor_of(ir_e_transpose(&x->ctx->sink, rt_val(x), (int[]){1, 0}));
}

static void check_elements(const tdm_tensor *t, int n, const double *want)
{
    double have[16];

    assert_non_null(t);
    assert_int_equal(ir_type_elements(&t->a.type), n);
    assert_int_equal(rt_copy_out(t, have), IR_OK);
    assert_memory_equal(have, want, (size_t)n * sizeof *have);
}

/* ---- scopes ------------------------------------------------------------------------------------------ */

static void scopes_free_what_was_made_in_them(void **state)
{
    rt_context c;
    tdm_tensor *kept, *outer, *held;

    (void)state;
    assert_int_equal(rt_context_init(&c, NULL, NULL), IR_OK);
    outer = scalar(&c, 1);
    rt_scope_open(&c);
    rt_scope_open(&c);
    kept = add(outer, scalar(&c, 2));
    held = rt_hold(add(kept, kept));
    assert_int_equal(c.live_bytes, 4 * sizeof(double));
    assert_ptr_equal(rt_keep(kept), kept);
    assert_ptr_equal(rt_keep(kept), kept); /* it has left the innermost scope already */
    rt_keep(outer);
    rt_scope_close(&c);
    assert_true(item(kept) == 3);
    rt_scope_close(&c);
    assert_int_equal(c.live_bytes, 2 * sizeof(double));
    assert_true(item(outer) == 1 && item(held) == 6);
    rt_scope_close(&c); /* the outermost stays open */
    assert_true(item(outer) == 1);
    rt_release(held);
    assert_int_equal(c.live_bytes, sizeof(double));
    assert_int_equal(c.peak_bytes, 4 * sizeof(double));
    assert_null(rt_keep(NULL));
    finish(&c);
}

static void destroying_closes_open_scopes(void **state)
{
    rt_context c;

    (void)state;
    assert_int_equal(rt_context_init(&c, NULL, NULL), IR_OK);
    for (int i = 0; i < 5; i++) {
        rt_scope_open(&c);
        add(scalar(&c, 1), scalar(&c, 2));
    }
    finish(&c);
}

/* ---- views ------------------------------------------------------------------------------------------- */

static void views_share_storage(void **state)
{
    rt_context c;
    tdm_tensor *x, *t, *s, *b, *r;

    (void)state;
    assert_int_equal(rt_context_init(&c, NULL, NULL), IR_OK);
    x = matrix(&c);
    t = transposed(x);
    s = rt_tensor_of(ir_e_slice(&c.sink, rt_val(t), (int64_t[]){0, 1}, (int64_t[]){3, 2}, (int64_t[]){2, 1}));
    b = rt_tensor_of(ir_e_broadcast(&c.sink, rt_val(s), 3, (int64_t[]){2, 2, 2}));
    r = rt_tensor_of(ir_e_reshape(&c.sink, rt_val(t), 1, (int64_t[]){6}));
    assert_ok(&c);
    assert_ptr_equal(t->storage, x->storage);
    assert_ptr_equal(s->storage, x->storage);
    assert_ptr_equal(b->storage, x->storage);
    assert_ptr_not_equal(r->storage, x->storage); /* a transposed matrix has no such view */
    check_elements(t, 6, (double[]){1, 4, 2, 5, 3, 6});
    check_elements(s, 2, (double[]){4, 6});
    check_elements(b, 8, (double[]){4, 4, 6, 6, 4, 4, 6, 6});
    check_elements(r, 6, (double[]){1, 4, 2, 5, 3, 6});
    check_elements(add(t, t), 6, (double[]){2, 8, 4, 10, 6, 12});
    assert_int_equal(c.live_bytes, 3 * 6 * sizeof(double));
    assert_ptr_equal(rt_contiguous(x), x);
    check_elements(rt_contiguous(t), 6, (double[]){1, 4, 2, 5, 3, 6});
    assert_true(rt_array_is_contiguous(&rt_contiguous(t)->a));
    assert_ptr_equal(rt_detach(t)->storage, x->storage);
    finish(&c);
}

static void constants(void **state)
{
    rt_context c;
    ir_type big = ir_type_make(IR_DT_f64, 2, (int64_t[]){1000, 1000}),
            small = ir_type_make(IR_DT_i32, 1, (int64_t[]){3});
    tdm_tensor *b, *s, *y;
    int32_t have[3];

    (void)state;
    assert_int_equal(rt_context_init(&c, NULL, NULL), IR_OK);
    b = rt_tensor_of(ir_e_fill(&c.sink, &big, 2.5));
    assert_non_null(b);
    assert_int_equal(c.live_bytes, sizeof(double)); /* one element, repeated */
    y = add(b, b);
    assert_true(((double *)y->a.data)[0] == 5 && ((double *)y->a.data)[999999] == 5);
    s = rt_tensor_of(ir_e_fill(&c.sink, &small, 7));
    assert_int_equal(rt_copy_out(s, have), IR_OK);
    assert_true(have[0] == 7 && have[2] == 7 && rt_array_is_contiguous(&s->a));
    s = rt_tensor_of(ir_e_constant(&c.sink, &small, (int32_t[]){1, -2, 3}, false));
    assert_int_equal(rt_copy_out(s, have), IR_OK);
    assert_true(have[0] == 1 && have[1] == -2 && have[2] == 3);
    s = rt_tensor_of(ir_e_iota(&c.sink, IR_DT_i32, 3));
    assert_int_equal(rt_copy_out(s, have), IR_OK);
    assert_true(have[0] == 0 && have[1] == 1 && have[2] == 2);
    finish(&c);
}

/* ---- assignment -------------------------------------------------------------------------------------- */

static void assign_advances_the_version(void **state)
{
    rt_context c;
    tdm_tensor *x, *t, *row;

    (void)state;
    assert_int_equal(rt_context_init(&c, NULL, NULL), IR_OK);
    x = matrix(&c);
    t = transposed(x);
    assert_int_equal(x->storage->version, 0);
    AT(&c, "model.c", 7);
    assert_int_equal(rt_assign(x, add(x, x)), IR_OK);
    check_elements(x, 6, (double[]){2, 4, 6, 8, 10, 12});
    check_elements(t, 6, (double[]){2, 8, 4, 10, 6, 12});
    assert_int_equal(t->storage->version, 1);
    assert_string_equal(t->storage->changed.file, "model.c");
    assert_int_equal(t->storage->changed.line, 7);
    assert_int_equal(rt_assign(t, rt_contiguous(t)), IR_OK); /* through a view: nothing moves */
    check_elements(x, 6, (double[]){2, 4, 6, 8, 10, 12});
    row = rt_tensor_of(ir_e_slice(&c.sink, rt_val(t), (int64_t[]){1, 0}, (int64_t[]){2, 2}, NULL));
    assert_int_equal(rt_assign(row, mul(row, row)), IR_OK);
    check_elements(x, 6, (double[]){2, 16, 6, 8, 100, 12});
    assert_int_equal(rt_assign(x, x), IR_OK); /* also a change */
    assert_int_equal(x->storage->version, 4);
    finish(&c);
}

/* A value that overlaps the tensor is read before it is overwritten. */
static void assign_of_an_overlapping_view(void **state)
{
    rt_context c;
    ir_type square = ir_type_make(IR_DT_f64, 2, (int64_t[]){2, 2});
    tdm_tensor *x;

    (void)state;
    assert_int_equal(rt_context_init(&c, NULL, NULL), IR_OK);
    x = rt_tensor_from(&c, &square, one_to_six);
    assert_int_equal(rt_assign(x, transposed(x)), IR_OK);
    check_elements(x, 4, (double[]){1, 3, 2, 4});
    finish(&c);
}

static void assign_refuses(void **state)
{
    rt_context c;
    tdm_tensor *x, *w, *y, *b;
    ir_type i64 = ir_type_make(IR_DT_i64, 2, (int64_t[]){2, 3});

    (void)state;
    assert_int_equal(rt_context_init(&c, NULL, NULL), IR_OK);
    x = matrix(&c);
    assert_int_equal(rt_assign(x, transposed(x)), IR_ESHAPE);
    assert_error(&c, IR_ESHAPE, "assign", "f64[2,3]", "f64[3,2]");
    rt_assign(x, rt_tensor_new(&c, &i64));
    assert_error(&c, IR_EDTYPE, "assign", "f64[2,3]", "i64[2,3]");
    b = rt_tensor_of(ir_e_broadcast(&c.sink, rt_val(x), 3, (int64_t[]){2, 2, 3}));
    rt_assign(b, b);
    assert_error(&c, IR_EARG, "broadcast");
    w = matrix(&c);
    w->requires_grad = true;
    rt_assign(w, x);
    assert_error(&c, IR_ESTATE, "requires grad", "no_grad");
    y = mul(w, x);
    rt_assign(y, x);
    assert_error(&c, IR_ESTATE, "MulBackward0");
    c.grad_mode = false;
    assert_int_equal(rt_assign(w, y), IR_OK);
    rt_assign(y, x);
    assert_error(&c, IR_ESTATE, "MulBackward0");
    rt_assign(rt_placeholder(&c, &x->a.type), x);
    assert_error(&c, IR_ESTATE, "no value");
    assert_int_equal(rt_assign(x, NULL), IR_EARG);
    finish(&c);
}

/* ---- errors ------------------------------------------------------------------------------------------ */

static void errors_are_sticky_values(void **state)
{
    rt_context c, other;
    tdm_tensor *x, *v, *far;
    ir_type bad = ir_type_make(IR_DT_f32, 2, (int64_t[]){3, 0});
    ir_type huge = ir_type_make(IR_DT_f32, 2, (int64_t[]){(int64_t)1 << 39, 4});
    ir_type symbolic = ir_type_make(IR_DT_f32, 1, (int64_t[]){~(int64_t)0});

    (void)state;
    assert_int_equal(rt_context_init(&c, NULL, NULL), IR_OK);
    assert_int_equal(rt_context_init(&other, NULL, NULL), IR_OK);
    x = matrix(&c);
    v = vector(&c, 6, one_to_six);
    far = scalar(&other, 1);
    assert_null(add(x, v));
    assert_int_equal(c.error.status, IR_ESHAPE);
    assert_null(add(x, x)); /* until the error is cleared */
    assert_null(rt_tensor_new(&c, &x->a.type));
    assert_error(&c, IR_ESHAPE, "add", "f64[2,3]", "f64[6]");
    assert_null(op2(IR_and, x, x));
    assert_error(&c, IR_EDTYPE, "and");
    assert_null(add(x, NULL)); /* passed on without a message of its own */
    assert_ok(&c);
    assert_null(rt_tensor_new(&c, &bad));
    assert_error(&c, IR_ESHAPE, "0");
    assert_null(rt_tensor_new(&c, &huge));
    assert_error(&c, IR_ESHAPE, "tensor");
    assert_null(rt_tensor_new(&c, &symbolic));
    assert_error(&c, IR_ESHAPE, "symbolic");
    assert_null(add(scalar(&c, 1), far));
    assert_error(&c, IR_ESTATE, "another context");
    assert_null(op1(IR_neg, rt_placeholder(&c, &x->a.type)));
    assert_error(&c, IR_ESTATE, "no value");
    assert_null(rt_tensor_of(ir_e_reshape(&c.sink, rt_val(x), 1, (int64_t[]){5})));
    assert_error(&c, IR_ESHAPE, "reshape");
    assert_true(item(far) == 1);
    finish(&other);
    finish(&c);
}

/* ---- memory ------------------------------------------------------------------------------------------ */

static void large_blocks_come_back(void **state)
{
    static const int64_t sizes[] = {513, 1000, 4096, 5000, 123457, 3 << 20, 9 << 20};
    rt_context c;

    (void)state;
    assert_int_equal(rt_context_init(&c, NULL, NULL), IR_OK);
    for (size_t i = 0; i < 3 * sizeof sizes / sizeof *sizes; i++) {
        ir_type t = ir_type_make(IR_DT_u8, 1, &sizes[i / 3]);
        tdm_tensor *x;

        rt_scope_open(&c);
        x = rt_tensor_new(&c, &t);
        assert_non_null(x);
        assert_int_equal((uintptr_t)x->a.data % 64, 0);
        memset(x->a.data, (int)i, (size_t)sizes[i / 3]); /* ASan sees a short block */
        assert_int_equal(c.live_bytes, sizes[i / 3]);
        rt_scope_close(&c);
    }
    rt_context_trim(&c);
    assert_int_equal(c.peak_bytes, 9 << 20);
    finish(&c);
}

static void profile_adds_up_time_per_op(void **state)
{
    rt_context c;
    double ns[IR_OP_COUNT] = {0};
    tdm_tensor *x;

    (void)state;
    assert_int_equal(rt_context_init(&c, NULL, NULL), IR_OK);
    x = matrix(&c);
    c.op_ns = ns;
    for (int i = 0; i < 100; i++) {
        mul(x, x);
    }
    assert_true(ns[IR_mul] > 0);
    assert_true(ns[IR_add] == 0);
    finish(&c);
}

/* The quick check of simple rows gives what the general inference gives, for every op and pair of dtypes. */
static void quick_types_are_inferred_types(void **state)
{
    rt_context c;

    (void)state;
    assert_int_equal(rt_context_init(&c, NULL, NULL), IR_OK);
    for (int op = 0; op < IR_OP_COUNT; op++) {
        int n = ir_ops[op].arity;

        if (ir_ops[op].cls != IR_POINTWISE || op == IR_convert || op == IR_clamp) {
            continue;
        }
        for (int pick = 0; pick < IR_DT_COUNT * IR_DT_COUNT; pick++) {
            ir_type t[3], want;
            const ir_type *types[3];
            tdm_tensor *x[3], *y;
            ir_error e = {0};
            ir_status s;

            rt_scope_open(&c);
            for (int i = 0; i < n; i++) {
                int d = i == 0 ? pick / IR_DT_COUNT : pick % IR_DT_COUNT;

                t[i] = ir_type_make((ir_dtype)d, 1, (int64_t[]){3});
                types[i] = &t[i];
                x[i] = rt_tensor_new(&c, &t[i]);
                memset(x[i]->a.data, 0, x[i]->storage->bytes);
            }
            s = ir_infer((ir_op)op, NULL, types, n, &want, &e);
            y = rt_op(&c, (ir_op)op, NULL, x, n);
            assert_int_equal(c.error.status, s);
            assert_true(s ? y == NULL : ir_type_eq(&y->a.type, &want));
            memset(&c.error, 0, sizeof c.error);
            rt_scope_close(&c);
        }
    }
    finish(&c);
}

/* A block is larger than its tensor, but not what is resident of it. */
static void end_is_not_resident(void **state)
{
    enum { MIB = 1 << 20, PAGE = 4096 };
    static unsigned char resident[10 * MIB / PAGE];
    rt_context c;
    ir_type type = ir_type_make(IR_DT_u8, 1, (int64_t[]){9 * MIB});
    int count = 0;

    (void)state;
    if (RT_ASAN) { /* all memory is malloc's */
        skip();
    }
    assert_int_equal(rt_context_init(&c, NULL, NULL), IR_OK);
    tdm_tensor *t = rt_tensor_new(&c, &type);
    memset(t->a.data, 1, 9 * MIB);
    assert_int_equal(mincore(t->a.data, 10 * MIB, resident), 0);
    for (int i = 0; i < 10 * MIB / PAGE; i++) {
        count += resident[i] & 1;
    }
    assert_int_equal(count, 9 * MIB / PAGE);
    finish(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes_free_what_was_made_in_them),
        cmocka_unit_test(destroying_closes_open_scopes),
        cmocka_unit_test(views_share_storage),
        cmocka_unit_test(constants),
        cmocka_unit_test(assign_advances_the_version),
        cmocka_unit_test(assign_of_an_overlapping_view),
        cmocka_unit_test(assign_refuses),
        cmocka_unit_test(errors_are_sticky_values),
        cmocka_unit_test(large_blocks_come_back),
        cmocka_unit_test(profile_adds_up_time_per_op),
        cmocka_unit_test(quick_types_are_inferred_types),
        cmocka_unit_test(end_is_not_resident),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
