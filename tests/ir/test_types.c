/* tests/ir/test_types.c: dtypes, types as values and text, the first error, the op table. */
#include "cases.h"

static void dtypes(void **state)
{
    (void)state;
    static const struct {
        ir_dtype d;
        const char *name;
        size_t size;
        bool is_float, is_signed;
    } rows[] = {{IR_DT_bool, "bool", 1, false, false}, {IR_DT_u8, "u8", 1, false, false},
                {IR_DT_u16, "u16", 2, false, false},   {IR_DT_u32, "u32", 4, false, false},
                {IR_DT_u64, "u64", 8, false, false},   {IR_DT_i8, "i8", 1, false, true},
                {IR_DT_i16, "i16", 2, false, true},    {IR_DT_i32, "i32", 4, false, true},
                {IR_DT_i64, "i64", 8, false, true},    {IR_DT_f16, "f16", 2, true, true},
                {IR_DT_bf16, "bf16", 2, true, true},   {IR_DT_f32, "f32", 4, true, true},
                {IR_DT_f64, "f64", 8, true, true}};
    assert_int_equal(sizeof rows / sizeof *rows, IR_DT_COUNT);
    for (size_t i = 0; i < IR_DT_COUNT; i++) {
        ir_dtype d = IR_DT_COUNT;
        assert_string_equal(ir_dtype_name(rows[i].d), rows[i].name);
        assert_int_equal(ir_dtype_size(rows[i].d), rows[i].size);
        assert_int_equal(ir_dtype_is_float(rows[i].d), rows[i].is_float);
        assert_int_equal(ir_dtype_is_signed(rows[i].d), rows[i].is_signed);
        assert_true(ir_dtype_parse(rows[i].name, strlen(rows[i].name), &d));
        assert_int_equal(d, rows[i].d);
    }
    ir_dtype d;
    assert_false(ir_dtype_parse("f3", 2, &d));
    assert_false(ir_dtype_parse("f322", 4, &d));
    assert_string_equal(ir_dtype_name(IR_DT_COUNT), "?");
    assert_int_equal(ir_dtype_size(IR_DT_COUNT), 0);
}

static void types(void **state)
{
    (void)state;
    ir_type t = ir_type_make(IR_DT_f64, 3, (const int64_t[]){2, 3, 4}), u = t;
    int64_t strides[IR_MAX_RANK];
    assert_int_equal(ir_type_elements(&t), 24);
    assert_int_equal(ir_type_bytes(&t), 192);
    ir_type_strides(&t, strides);
    assert_int_equal(strides[0], 12);
    assert_int_equal(strides[1], 4);
    assert_int_equal(strides[2], 1);
    assert_int_equal(strides[3], 0);
    assert_true(ir_type_eq(&t, &u));
    u.dims[1] = 5;
    assert_false(ir_shape_eq(&t, &u));
    u = ir_type_with(&t, IR_DT_bool);
    assert_false(ir_type_eq(&t, &u));
    assert_true(ir_shape_eq(&t, &u));
    u = ir_type_make(IR_DT_f32, 0, NULL);
    assert_int_equal(ir_type_elements(&u), 1);
    assert_true(ir_type_is_static(&u));
    t.dims[0] = ~(int64_t)1;
    assert_false(ir_type_is_static(&t));
}

static void type_text(void **state)
{
    (void)state;
    const char *const symbols[] = {"n", "batch"};
    char text[64], tiny[6];
    ir_type t = ir_type_make(IR_DT_f32, 3, (const int64_t[]){4, ~(int64_t)1, 3});
    assert_string_equal(ir_type_text(&t, symbols, text, sizeof text), "f32[4,batch,3]");
    assert_string_equal(ir_type_text(&t, NULL, text, sizeof text), "f32[4,s1,3]");
    assert_string_equal(ir_type_text(&t, NULL, tiny, sizeof tiny), "f32[4");
    t = ir_type_make(IR_DT_u8, 0, NULL);
    assert_string_equal(ir_type_text(&t, NULL, text, sizeof text), "u8[]");
}

static void type_check(void **state)
{
    (void)state;
    int64_t dims[9] = {1 << 20, 1 << 20, 1, 1, 1, 1, 1, 1, 1};
    ir_error e = {0};
    ir_type t = ir_type_make(IR_DT_f32, 2, dims);
    assert_int_equal(ir_type_check(&t, "x", &e), IR_OK);
    t = ir_type_make(IR_DT_f32, 9, dims);
    assert_int_equal(ir_type_check(&t, "x", &e), IR_ESHAPE);
    assert_message(&e, "x: the rank is not in 0..8");
    e = (ir_error){0};
    t = ir_type_make(IR_DT_f32, -1, dims);
    assert_int_equal(ir_type_check(&t, "x", &e), IR_ESHAPE);
    e = (ir_error){0};
    dims[2] = 2;
    t = ir_type_make(IR_DT_f32, 3, dims);
    assert_int_equal(ir_type_check(&t, "weights", &e), IR_ESHAPE);
    assert_message(&e, "weights: f32[1048576,1048576,2] has more than 2^40 elements");
    e = (ir_error){0};
    dims[0] = INT64_MAX;
    t = ir_type_make(IR_DT_f32, 3, dims);
    assert_int_equal(ir_type_check(&t, "x", &e), IR_ESHAPE);
    e = (ir_error){0};
    dims[0] = 0;
    t = ir_type_make(IR_DT_f32, 2, dims);
    assert_int_equal(ir_type_check(&t, "x", &e), IR_ESHAPE);
    assert_message(&e, "the extent of axis 0 is 0");
    e = (ir_error){0};
    t.dtype = IR_DT_COUNT;
    assert_int_equal(ir_type_check(&t, "x", &e), IR_EDTYPE);
}

static void first_error_wins(void **state)
{
    (void)state;
    ir_error e = {0};
    assert_int_equal(ir_fail(&e, IR_ESHAPE, "first %d", 1), IR_ESHAPE);
    assert_int_equal(ir_fail(&e, IR_ENOMEM, "second"), IR_ESHAPE);
    assert_string_equal(e.text, "first 1");
    assert_int_equal(ir_fail(NULL, IR_EIO, "nobody listens"), IR_EIO);
}

/* reduce_sum -> ReduceSumBackward0 */
static void camel(const char *name, char *out)
{
    bool upper = true;
    for (; *name; name++) {
        if (*name == '_') {
            upper = true;
            continue;
        }
        *out++ = (char)(upper && *name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name);
        upper = false;
    }
    strcpy(out, "Backward0");
}

static void op_table(void **state)
{
    (void)state;
    for (int i = 0; i < IR_OP_COUNT; i++) {
        const ir_op_info *info = &ir_ops[i];
        char want[64];
        ir_op op = IR_OP_COUNT;
        assert_true(ir_op_parse(info->name, strlen(info->name), &op));
        assert_int_equal(op, i);
        camel(info->name, want);
        assert_string_equal(info->grad_name, want);
        assert_true(info->lo < info->hi);
        assert_non_null(info->formula);
        assert_non_null(info->kink);
    }
    ir_op op;
    assert_false(ir_op_parse("ad", 2, &op));
    assert_false(ir_op_parse("addd", 4, &op));
    assert_int_equal(ir_ops[IR_select].arity, 3);
    assert_int_equal(ir_ops[IR_mul].saves, IR_SAVES_X | IR_SAVES_Z);
    assert_true(ir_ops[IR_lt].facts & IR_BOOL_RESULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dtypes),           cmocka_unit_test(types),
        cmocka_unit_test(type_text),        cmocka_unit_test(type_check),
        cmocka_unit_test(first_error_wins), cmocka_unit_test(op_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
