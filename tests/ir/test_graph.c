/* tests/ir/test_graph.c: building graphs: everything is copied, names are unique, the first error sticks, and
 * a graph is a sink. */
#include "cases.h"
#include "ir/shared.h"

static const ir_type f32_23 = {IR_DT_f32, 2, {2, 3}};

static void builds(void **state)
{
    (void)state;
    ir_graph *g = ir_graph_new("f");
    char name[] = "x";
    ir_ref x = ir_graph_input(g, name, &f32_23);
    name[0] = 'w';
    ir_ref w = ir_graph_variable(g, name, &f32_23);
    ir_ref operands[] = {x, w};
    ir_ref y = ir_graph_append(g, IR_mul, NULL, operands, 2);
    operands[0] = 99;
    assert_int_equal(y, 2);
    assert_int_equal(g->count, 3);
    assert_string_equal(g->nodes[x].attrs->leaf.name, "x");
    assert_string_equal(g->nodes[w].attrs->leaf.name, "w");
    assert_int_equal(g->nodes[y].x[0], x);
    assert_non_null(g->nodes[y].attrs);
    assert_true(ir_type_eq(&g->nodes[y].type, &f32_23));
    assert_int_equal(g->input_count, 2);
    assert_int_equal(g->inputs[1], w);
    assert_int_equal(ir_graph_output(g, "y", y), IR_OK);
    assert_int_equal(ir_graph_assign(g, w, y), IR_OK);
    assert_int_equal(ir_graph_assign(g, w, x), IR_OK); /* replaces */
    assert_int_equal(g->assign_count, 1);
    assert_int_equal(g->assigns[0].value, x);
    ir_error e = {0};
    assert_int_equal(ir_verify(g, &e), IR_OK);
    ir_graph_free(g);
}

static void copies_data(void **state)
{
    (void)state;
    ir_graph *g = ir_graph_new("f");
    float data[6] = {1, 2, 3, 4, 5, 6};
    ir_attrs a = {0};
    a.type = f32_23;
    a.constant.data = data;
    a.constant.bytes = sizeof data;
    ir_ref c = ir_graph_append(g, IR_constant, &a, NULL, 0);
    assert_int_not_equal(c, IR_NONE);
    data[0] = 9;
    assert_true(*(const float *)g->nodes[c].attrs->constant.data == 1);
    ir_attrs perm = {.n = 2, .splat = true, .type = f32_23}; /* type and splat do not count here */
    perm.axes[0] = 1;
    ir_ref t = ir_graph_append(g, IR_transpose, &perm, &c, 1);
    assert_int_equal(g->nodes[t].attrs->type.rank, 0);
    assert_false(g->nodes[t].attrs->splat);
    ir_graph_free(g);
}

static const ir_attrs *appended(ir_graph *g, const ir_attrs *a)
{
    ir_ref r = ir_graph_append(g, IR_constant, a, NULL, 0);

    assert_int_not_equal(r, IR_NONE);
    return g->nodes[r].attrs;
}

/* Big data is copied into the first graph that has it; others hold the same bytes, and the last one frees
 * them (ASan). */
static void shares_data(void **state)
{
    (void)state;
    static float data[1024];
    ir_attrs a = {.type = ir_type_make(IR_DT_f32, 1, (const int64_t[]){1024})};
    ir_graph *g = ir_graph_new("f"), *h = ir_graph_new("g");
    a.constant.data = data;
    a.constant.bytes = sizeof data;
    data[0] = 1;
    const ir_attrs *first = appended(g, &a);
    data[0] = 2;
    assert_ptr_not_equal(first->constant.data, data);
    const ir_attrs *second = appended(h, first);
    assert_ptr_equal(second->constant.data, first->constant.data);
    a.constant.shared = second->constant.shared; /* of other data */
    const ir_attrs *third = appended(h, &a);
    assert_true(*(const float *)third->constant.data == 2);
    ir_graph_free(g);
    assert_true(*(const float *)second->constant.data == 1);
    ir_graph_free(h);
}

/* Shared data of any size starts a cache line, and that of some size a huge page. */
static void aligns_shared_data(void **state)
{
    (void)state;
    const size_t page = (size_t)2 << 20;
    for (size_t bytes = 4096; bytes <= 3 * page; bytes *= 2) {
        ir_shared *s = ir_shared_new(bytes);
        assert_int_equal((uintptr_t)ir_shared_data(s) % (bytes < page ? 64 : page), 0);
        memset(ir_shared_data(s), 1, bytes);
        ir_shared_release(s);
    }
}

static size_t dropped;

static void drop(void *data, size_t bytes)
{
    assert_int_equal(*(char *)data, 7);
    dropped += bytes;
}

/* Adopted bytes are dropped by the last holder, unless that is their owner, who takes them back. */
static void adopts_data(void **state)
{
    (void)state;
    static char data[64] = {7};
    ir_shared *s = ir_shared_adopt(data, 64, drop);
    assert_ptr_equal(ir_shared_data(s), data);
    ir_shared_hold(s);
    assert_false(ir_shared_take(s));
    ir_shared_release(s);
    assert_int_equal(dropped, 0);
    assert_true(ir_shared_take(s));
    assert_int_equal(dropped, 0);
    s = ir_shared_adopt(data, 64, drop);
    ir_shared_release(s);
    assert_int_equal(dropped, 64);
}

static void interns(void **state)
{
    (void)state;
    ir_graph *g = ir_graph_new("f");
    char text[32];
    const char *first = ir_graph_intern(g, "softmax");
    for (int i = 0; i < 1000; i++) { /* through several sizes of the table */
        snprintf(text, sizeof text, "name%d", i);
        assert_string_equal(ir_graph_intern(g, text), text);
    }
    assert_ptr_equal(ir_graph_intern(g, "softmax"), first);
    assert_ptr_equal(ir_graph_intern(g, NULL), NULL);
    assert_int_equal(ir_graph_symbol(g, "n"), 0);
    assert_int_equal(ir_graph_symbol(g, "batch"), 1);
    assert_int_equal(ir_graph_symbol(g, "n"), 0);
    assert_string_equal(g->symbols[1], "batch");
    assert_int_equal(ir_graph_symbol(g, "1n"), -1);
    assert_message(&g->error, "a symbolic dim is named by letters, digits and _, not '1n'");
    ir_graph_free(g);
}

/* Types handed out stay readable while the array of nodes grows. */
static void types_stay(void **state)
{
    (void)state;
    ir_graph *g = ir_graph_new("f");
    ir_val x = ir_val_of(ir_graph_input(g, "x", &f32_23));
    const ir_type *t = g->sink.type(&g->sink, x);
    for (int i = 0; i < 5000; i++)
        x = ir_emit(&g->sink, IR_neg, NULL, &x, 1);
    assert_int_equal(g->count, 5001);
    assert_true(ir_type_eq(t, &f32_23));
    ir_graph_free(g);
}

static void is_a_sink(void **state)
{
    (void)state;
    ir_graph *g = ir_graph_new("f");
    char file[] = "model.c";
    ir_val x = ir_val_of(ir_graph_input(g, "x", &f32_23)), none = 0;
    g->sink.loc = (ir_loc){file, 14};
    g->sink.region = "softmax";
    ir_val y = ir_emit(&g->sink, IR_exp, NULL, &x, 1);
    file[0] = '?';
    g->sink.loc = (ir_loc){NULL, 3};
    g->sink.region = NULL;
    ir_val z = ir_emit(&g->sink, IR_exp, NULL, &y, 1);
    const ir_node *n = &g->nodes[ir_ref_of(y)];
    assert_string_equal(n->loc.file, "model.c");
    assert_int_equal(n->loc.line, 14);
    assert_string_equal(n->region, "softmax");
    n = &g->nodes[ir_ref_of(z)];
    assert_null(n->loc.file);
    assert_int_equal(n->loc.line, 0);
    assert_null(n->region);
    assert_int_equal(ir_emit(&g->sink, IR_exp, NULL, &none, 1), 0);
    assert_int_equal(g->error.status, IR_OK); /* none in, none out, no error of its own */
    assert_null(g->sink.type(&g->sink, 0));
    assert_null(g->sink.type(&g->sink, 1000));
    ir_graph_free(g);
}

/* Runs one failing call on a fresh graph of %x, %w variable and checks the message and that it sticks. */
typedef void failing_call(ir_graph *g);

static void expect_failure(failing_call *call, ir_status status, const char *message)
{
    ir_graph *g = ir_graph_new("f");
    ir_ref x = ir_graph_input(g, "x", &f32_23);
    ir_graph_variable(g, "w", &f32_23);
    ir_graph_output(g, "y", x);
    call(g);
    assert_message(&g->error, message);
    assert_int_equal(g->error.status, status);
    assert_int_equal(ir_graph_append(g, IR_neg, NULL, &x, 1), IR_NONE);
    assert_int_equal(ir_graph_input(g, "other", &f32_23), IR_NONE);
    assert_int_equal(ir_graph_output(g, "other", x), status);
    assert_int_equal(ir_graph_assign(g, 1, x), status);
    assert_message(&g->error, message);
    assert_int_equal(g->count, 2);
    ir_error e = {0};
    assert_int_equal(ir_verify(g, &e), status);
    ir_graph_free(g);
}

static void same_name(ir_graph *g)
{
    assert_int_equal(ir_graph_input(g, "w", &f32_23), IR_NONE);
}

static void no_name(ir_graph *g)
{
    assert_int_equal(ir_graph_input(g, NULL, &f32_23), IR_NONE);
}

static void unknown_symbol(ir_graph *g)
{
    ir_type t = f32_23;
    t.dims[1] = -1;
    assert_int_equal(ir_graph_input(g, "z", &t), IR_NONE);
}

static void later_operand(ir_graph *g)
{
    ir_ref r = 2;
    assert_int_equal(ir_graph_append(g, IR_neg, NULL, &r, 1), IR_NONE);
}

static void too_many(ir_graph *g)
{
    ir_ref r[9] = {0};
    assert_int_equal(ir_graph_append(g, IR_neg, NULL, r, 9), IR_NONE);
}

static void output_twice(ir_graph *g)
{
    assert_int_equal(ir_graph_output(g, "y", 0), IR_EARG);
}

static void output_of_nothing(ir_graph *g)
{
    assert_int_equal(ir_graph_output(g, "z", 7), IR_EARG);
}

static void output_without_name(ir_graph *g)
{
    assert_int_equal(ir_graph_output(g, "", 0), IR_EARG);
}

static void assign_to_input(ir_graph *g)
{
    assert_int_equal(ir_graph_assign(g, 0, 1), IR_EARG);
}

static void assign_of_nothing(ir_graph *g)
{
    assert_int_equal(ir_graph_assign(g, 1, IR_NONE), IR_EARG);
}

static void assign_other_type(ir_graph *g)
{
    static const ir_type rows = {IR_DT_f32, 1, {2}};
    g->nodes[0].type = rows; /* as if %x had another shape */
    assert_int_equal(ir_graph_assign(g, 1, 0), IR_ESHAPE);
}

static void failures(void **state)
{
    (void)state;
    expect_failure(same_name, IR_EARG, "input: there is already a variable named w");
    expect_failure(no_name, IR_EARG, "input: it needs a name");
    expect_failure(unknown_symbol, IR_ESHAPE, "an extent below 1, or a symbol the graph does not have");
    expect_failure(later_operand, IR_EARG, "neg: operand 0 is no node of the graph");
    expect_failure(too_many, IR_EARG, "of 9 operands");
    expect_failure(output_twice, IR_EARG, "output: there is already an output named y");
    expect_failure(output_of_nothing, IR_EARG, "output z: its value is no node of the graph");
    expect_failure(output_without_name, IR_EARG, "output: it needs a name");
    expect_failure(assign_to_input, IR_EARG, "assign: node %0 is input, not a variable");
    expect_failure(assign_of_nothing, IR_EARG, "assign: its value is no node of the graph");
    expect_failure(assign_other_type, IR_ESHAPE, "assign: variable w is f32[2,3], the value is f32[2]");
}

static void attrs_equal_and_hash(void **state)
{
    (void)state;
    float one[1] = {1}, same[1] = {1}, minus_zero[1] = {-0.0f}, zero[1] = {0};
    ir_attrs a = {0}, b = {0};
    a.type = b.type = f32_23;
    a.splat = b.splat = true;
    a.constant.data = one;
    b.constant.data = same;
    a.constant.bytes = b.constant.bytes = 4;
    assert_true(ir_attrs_eq(IR_constant, &a, &b));
    assert_true(ir_attrs_hash(IR_constant, &a) == ir_attrs_hash(IR_constant, &b));
    a.constant.data = zero;
    b.constant.data = minus_zero;
    assert_false(ir_attrs_eq(IR_constant, &a, &b)); /* bits, not values */
    assert_true(ir_attrs_hash(IR_constant, &a) != ir_attrs_hash(IR_constant, &b));

    ir_attrs c = {.n = 2}, d = {.n = 2};
    c.axes[1] = 1;
    d.axes[1] = 1;
    c.axes[5] = 7; /* past n: does not count */
    assert_true(ir_attrs_eq(IR_reduce_sum, &c, &d));
    assert_true(ir_attrs_hash(IR_reduce_sum, &c) == ir_attrs_hash(IR_reduce_sum, &d));
    d.n = 1;
    assert_false(ir_attrs_eq(IR_reduce_sum, &c, &d));
    assert_true(ir_attrs_eq(IR_relu, &c, &d)); /* no attributes at all */

    ir_attrs s = {.n = 1}, t = {.n = 1};
    s.slice.limit[0] = t.slice.limit[0] = 4;
    s.slice.step[0] = 1;
    t.slice.step[0] = 2;
    assert_false(ir_attrs_eq(IR_slice, &s, &t));

    ir_attrs x = {0}, z = {0};
    x.type = z.type = f32_23;
    z.type.dtype = IR_DT_f64;
    assert_true(ir_attrs_eq(IR_reshape, &x, &z)); /* the dtype is the operand's */
    assert_false(ir_attrs_eq(IR_convert, &x, &z));
    z = x;
    z.type.dims[0] = 3;
    assert_false(ir_attrs_eq(IR_reshape, &x, &z));
    assert_true(ir_attrs_eq(IR_convert, &x, &z));

    ir_attrs m = {0}, n = {0};
    m.leaf.name = "weights";
    n.leaf.name = (char[]){'w', 'e', 'i', 'g', 'h', 't', 's', 0};
    assert_true(ir_attrs_eq(IR_input, &m, &n));
    assert_true(ir_attrs_hash(IR_input, &m) == ir_attrs_hash(IR_input, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds),
        cmocka_unit_test(copies_data),
        cmocka_unit_test(shares_data),
        cmocka_unit_test(interns),
        cmocka_unit_test(types_stay),
        cmocka_unit_test(is_a_sink),
        cmocka_unit_test(failures),
        cmocka_unit_test(attrs_equal_and_hash),
        cmocka_unit_test(aligns_shared_data),
        cmocka_unit_test(adopts_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
