/* tests/ir/test_infer.c: shape rules: every op with operands and attributes that fit, and with ones that
 * don't and the message that says so.  What the text form can't write is passed to ir_infer directly. */
#include "cases.h"

static void accepted(void **state)
{
    (void)state;
    bool seen[IR_OP_COUNT] = {0};
    for (int i = 0; i < GOOD_NODES; i++) {
        char *text = case_text(&good_nodes[i]);
        ir_error e;
        ir_graph *g = parse(text, &e);
        if (!g)
            fail_msg("%s: %s", good_nodes[i].node, e.text);
        mark_op(&good_nodes[i], seen);
        ir_graph_free(g);
        free(text);
    }
    assert_all_ops(seen);
}

static void refused(void **state)
{
    (void)state;
    bool seen[IR_OP_COUNT] = {0};
    for (int i = 0; i < BAD_NODES; i++) {
        char *text = case_text(&bad_nodes[i]);
        ir_error e;
        ir_graph *g = parse(text, &e);
        if (g)
            fail_msg("accepted: %s", bad_nodes[i].node);
        assert_message(&e, bad_nodes[i].message);
        assert_memory_equal(e.text, "t.tdm:2: ", 9);
        mark_op(&bad_nodes[i], seen);
        free(text);
    }
    assert_all_ops(seen);
}

static ir_status infer1(ir_op op, const ir_attrs *a, const ir_type *x, ir_error *e)
{
    const ir_type *operands[] = {x};
    ir_type out;
    memset(e, 0, sizeof *e);
    return ir_infer(op, a, operands, x != NULL, &out, e);
}

static void hostile_attributes(void **state)
{
    (void)state;
    ir_error e;
    ir_type x = ir_type_make(IR_DT_f32, 2, (const int64_t[]){2, 3});
    ir_attrs a = {.n = 200, .nk = 200};
    assert_int_equal(infer1(IR_reduce_sum, &a, &x, &e), IR_EARG);
    assert_message(&e, "reduce_sum: axes has 200 entries; a rank is at most 8");
    assert_int_equal(infer1(IR_transpose, &a, &x, &e), IR_ESHAPE);
    assert_int_equal(infer1(IR_slice, &a, &x, &e), IR_ESHAPE);
    assert_int_equal(infer1(IR_pad, &a, &x, &e), IR_ESHAPE);
    a.type.rank = 9;
    assert_int_equal(infer1(IR_reshape, &a, &x, &e), IR_ESHAPE);
    assert_int_equal(infer1(IR_broadcast, &a, &x, &e), IR_ESHAPE);
    assert_int_equal(infer1(IR_iota, &a, NULL, &e), IR_ESHAPE);
    a.type.dtype = 99;
    assert_int_equal(infer1(IR_convert, &a, &x, &e), IR_EDTYPE);
    assert_int_equal(infer1((ir_op)999, &a, &x, &e), IR_EARG);
    assert_int_equal(infer1(IR_dot_general, &a, &x, &e), IR_EARG); /* one operand */
}

static void leaves(void **state)
{
    (void)state;
    ir_error e;
    ir_attrs a = {.type = ir_type_make(IR_DT_f32, 1, (const int64_t[]){4})};
    float data[4] = {0};
    assert_int_equal(infer1(IR_input, &a, NULL, &e), IR_EARG);
    assert_message(&e, "input: it needs a name");
    a.leaf.name = "";
    assert_int_equal(infer1(IR_variable, &a, NULL, &e), IR_EARG);
    a.leaf.name = "w";
    assert_int_equal(infer1(IR_variable, &a, NULL, &e), IR_OK);
    a.constant.data = data;
    a.constant.bytes = 12;
    assert_int_equal(infer1(IR_constant, &a, NULL, &e), IR_EARG);
    assert_message(&e, "constant: f32[4] needs 16 bytes of data, not 12");
    a.constant.bytes = sizeof data;
    assert_int_equal(infer1(IR_constant, &a, NULL, &e), IR_OK);
    uint8_t truth[4] = {1, 0, 2, 0};
    a.type.dtype = IR_DT_bool;
    a.constant.data = truth;
    a.constant.bytes = 4;
    assert_int_equal(infer1(IR_constant, &a, NULL, &e), IR_EARG);
    assert_message(&e, "element 2 of bool data is 2");
}

static void no_attributes(void **state)
{
    (void)state;
    ir_error e;
    ir_type x = ir_type_make(IR_DT_f32, 2, (const int64_t[]){2, 3});
    assert_int_equal(infer1(IR_relu, NULL, &x, &e), IR_OK);
    assert_int_equal(infer1(IR_transpose, NULL, &x, &e), IR_ESHAPE);
    assert_int_equal(infer1(IR_input, NULL, NULL, &e), IR_EARG);
}

/* The status is this call's own, and the first message stays. */
static void an_earlier_error(void **state)
{
    (void)state;
    ir_type x = ir_type_make(IR_DT_bool, 0, NULL), out;
    const ir_type *operands[] = {&x};
    ir_error e = {IR_EIO, "earlier"};
    assert_int_equal(ir_infer(IR_neg, NULL, operands, 1, &out, &e), IR_EDTYPE);
    assert_string_equal(e.text, "earlier");
    assert_int_equal(ir_infer(IR_not, NULL, operands, 1, &out, &e), IR_OK);
    assert_int_equal(ir_infer(IR_neg, NULL, operands, 1, &out, NULL), IR_EDTYPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted), cmocka_unit_test(refused),       cmocka_unit_test(hostile_attributes),
        cmocka_unit_test(leaves),   cmocka_unit_test(no_attributes), cmocka_unit_test(an_earlier_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
