/* tests/ir/test_verify.c: the verifier finds what is broken and names it: nodes damaged in memory, and
 * kernels, buffers and copies that do not fit their graph, as text. */
#include "cases.h"

static const char base[] = "graph @f(%x: f32[2,3], %w: f32[2,3] variable) -> (f32[2,3]) {\n"
                           "  %2 = mul %x, %w : f32[2,3]          ; model.c:14\n"
                           "  %3 = reduce_sum %2 {axes=[1]} : f32[2] ; model.c:15\n"
                           "  %4 = neg %2 : f32[2,3]\n"
                           "  return y: %4, assign %w = %4\n"
                           "}\n";

static ir_graph *base_graph(void)
{
    ir_error e;
    ir_graph *g = parse(base, &e);
    if (!g)
        fail_msg("%s", e.text);
    return g;
}

typedef void damage(ir_graph *g);

static void expect_found(damage *spoil, const char *message)
{
    ir_graph *g = base_graph();
    ir_error e = {0};
    spoil(g);
    assert_int_not_equal(ir_verify(g, &e), IR_OK);
    assert_message(&e, message);
    ir_graph_free(g);
}

static void later_operand(ir_graph *g)
{
    static const ir_ref x[] = {3, 1};
    g->nodes[2].x = x;
}

static void own_operand(ir_graph *g)
{
    static const ir_ref x[] = {3};
    g->nodes[3].x = x;
}

static void wrong_type(ir_graph *g)
{
    g->nodes[3].type.dims[0] = 5;
}

static void wrong_dtype(ir_graph *g)
{
    g->nodes[1].type.dtype = IR_DT_f64;
}

static void broken_type(ir_graph *g)
{
    g->nodes[4].type.rank = 77;
}

static void unknown_symbol(ir_graph *g)
{
    g->nodes[4].type.dims[1] = ~(int64_t)3;
}

static void unknown_op(ir_graph *g)
{
    g->nodes[4].op = IR_OP_COUNT;
}

static void no_attrs(ir_graph *g)
{
    g->nodes[4].attrs = NULL;
}

static void wrong_attrs(ir_graph *g)
{
    static const ir_attrs axis = {.n = 1, .axes = {2}};
    g->nodes[3].attrs = &axis;
}

static void many_operands(ir_graph *g)
{
    g->nodes[4].n = 1000;
}

static void lost_input(ir_graph *g)
{
    g->input_count = 1;
}

static void false_input(ir_graph *g)
{
    g->inputs[1] = 2;
}

static void extra_input(ir_graph *g)
{
    static ir_ref inputs[] = {0, 1, 2};
    g->inputs = inputs;
    g->input_count = 3;
}

static void same_names(ir_graph *g)
{
    ir_attrs *a = ir_graph_alloc(g, sizeof *a);
    *a = *g->nodes[1].attrs;
    a->leaf.name = "x";
    g->nodes[1].attrs = a;
}

static void lost_output(ir_graph *g)
{
    g->outputs[0].value = 5;
}

static void nameless_output(ir_graph *g)
{
    g->outputs[0].name = NULL;
}

static void assign_to_node(ir_graph *g)
{
    g->assigns[0].variable = 2;
}

static void assign_lost(ir_graph *g)
{
    g->assigns[0].value = IR_NONE;
}

static void assign_type(ir_graph *g)
{
    g->assigns[0].value = 3;
}

static void assign_twice(ir_graph *g)
{
    static ir_assign two[] = {{1, 4}, {1, 2}};
    g->assigns = two;
    g->assign_count = 2;
}

static void nodes(void **state)
{
    (void)state;
    ir_error e = {0};
    ir_graph *g = base_graph();
    assert_int_equal(ir_verify(g, &e), IR_OK);
    ir_graph_free(g);
    expect_found(later_operand, "node %2 (mul, model.c:14): operand 0 is %3, which is not an earlier node");
    expect_found(own_operand,
                 "node %3 (reduce_sum, model.c:15): operand 0 is %3, which is not an earlier node");
    expect_found(wrong_type,
                 "node %3 (reduce_sum, model.c:15): its type is f32[5], the shape rule gives f32[2]");
    expect_found(wrong_dtype, "node %1 (variable): its type is f64[2,3], the shape rule gives f32[2,3]");
    expect_found(broken_type, "node %4 (neg): its type is broken");
    expect_found(unknown_symbol,
                 "node %4 (neg): axis 1 of its type is a symbol that the graph does not have");
    expect_found(unknown_op, "node %4 (?): there is no op");
    expect_found(no_attrs, "node %4 (neg): it has no attributes");
    expect_found(wrong_attrs, "node %3 (reduce_sum, model.c:15): reduce_sum: axes holds axis 2");
    expect_found(many_operands, "node %4 (neg): it can't have 1000 operands");
}

static void results(void **state)
{
    (void)state;
    expect_found(lost_input, "node %1 (variable): the list of inputs does not hold it at place 1");
    expect_found(false_input, "node %1 (variable): the list of inputs does not hold it at place 1");
    expect_found(extra_input, "input 2 is no leaf");
    expect_found(same_names, "node %1 (variable): its name x is not its alone");
    expect_found(lost_output, "output y: %5 is no node");
    expect_found(nameless_output, "output 0: its name is not its alone");
    expect_found(assign_to_node, "assign 0: %2 is no variable");
    expect_found(assign_lost, "node %1 (variable): the value assigned, %4294967295, is no node");
    expect_found(assign_type, "node %1 (variable): it is f32[2,3], the value assigned, %3, is f32[2]");
    expect_found(assign_twice, "node %1 (variable): it is assigned twice");
}

/* ---- plans ------------------------------------------------------------------------------------------- */

static const char plan_graph[] = "graph @p(%x: f32[4,8], %y: f32[4,8]) -> (f32[4,8], f32[4]) {\n"
                                 "  %2 = add %x, %y : f32[4,8]\n"
                                 "  %3 = exp %2 : f32[4,8]\n"
                                 "  %4 = reduce_sum %3 {axes=[1]} : f32[4]\n"
                                 "  %5 = reshape %3 : f32[8,4]\n"
                                 "  %6 = neg %5 : f32[8,4]\n"
                                 "  %7 = reshape %6 : f32[4,8]\n"
                                 "  return a: %7, b: %4\n";

#define K0 "kernel loop \"k0\" root %2 { %2 -> %2 }\n"
#define K1 "kernel row \"k1\" root %4 { %3 %4 -> %3 %4 }\n"
#define K2 "kernel loop \"k2\" root %6 { %6 -> %6 }\n"
#define ARGUMENTS "buffer %x argument 0 +128 life -1..3\nbuffer %y argument 1 +128 life -1..3\n"
#define PLAN                                                                            \
    K0 K1 K2 "arena 512\n" ARGUMENTS                                                    \
             "buffer %2 arena @0 +128 life 0..1\nbuffer %3 arena @128 +128 life 1..2\n" \
             "buffer %4 output 1 +16 life 1..3\nbuffer %6 output 0 +128 life 2..3\n"

/* %2 in scratch, of which a slice has 32 bytes; %3 lives as long as the chain. */
#define CHAIN "chain 0..1 slices 4 strands 2"
#define CHAINED(scratch, buffers)                                                                    \
    K0 K1 K2 CHAIN scratch "\narena 512\n" ARGUMENTS buffers "buffer %3 arena @128 +128 life 0..2\n" \
                           "buffer %4 output 1 +16 life 0..3\nbuffer %6 output 0 +128 life 2..3\n"

static const struct {
    const char *plan, *message; /* NULL: accepted */
} plans[] = {
    {K0 K1 K2, NULL},
    {PLAN, NULL},
    {K0 K1 K2 "arena 512\n" ARGUMENTS
              "buffer %2 arena @0 +128 life 0..1\nbuffer %3 arena @0 +128 life 1..2 alias %2\n"
              "buffer %4 output 1 +16 life 1..3\nbuffer %5 arena @0 +128 life 2..2 alias %3\n"
              "buffer %6 output 0 +128 life 2..3\n",
     NULL},
    {PLAN "copy output 1 from output 1 +16\n", NULL},
    /* kernels */
    {K1 K0 K2, "kernel 0 \"k1\": it loads %2, which no earlier kernel stores"},
    {K0 K1 K2 K0, "kernel 3 \"k0\": it stores %2, which kernel 0 stores too"},
    {K0 K1, "node %7 (reshape): it is an output, but no kernel stores it"},
    {"kernel loop \"k\" root %2 { %2 %2 -> %2 }\n",
     "kernel 0 \"k\": nodes do not ascend: %2 comes before %2"},
    {"kernel loop \"k\" root %2 { %2 -> }\n", "kernel 0 \"k\": it stores nothing"},
    {"kernel loop \"k\" root %2 { %2 -> %3 }\n", "kernel 0 \"k\": it stores %3, which it does not compute"},
    {"kernel loop \"k\" root %3 { %2 -> %2 }\n",
     "its root %3 is not among its nodes or does not fit its kind"},
    {"kernel row \"k\" root %2 { %2 -> %2 }\n",
     "its root %2 is not among its nodes or does not fit its kind"},
    {"kernel contract \"k\" root %2 { %2 -> %2 }\n",
     "its root %2 is not among its nodes or does not fit its kind"},
    {"kernel index \"k\" root %2 { %2 -> %2 }\n",
     "its root %2 is not among its nodes or does not fit its kind"},
    {"kernel loop \"k\" root %x { %x -> %x }\n",
     "its root %0 is not among its nodes or does not fit its kind"},
    {"kernel loop \"k\" root %4 { %2 %3 %4 -> %4 }\n",
     "kernel 0 \"k\": %4 can't be computed there: a view or row that has no map in its space"},
    /* buffers */
    {K0 K1 K2 "buffer %y argument 1 +128 life -1..3\nbuffer %x argument 0 +128 life -1..3\n",
     "buffer of %0: the table does not ascend by node"},
    {K0 K1 K2 "buffer %x argument 1 +128 life -1..3\n",
     "buffer of %0: its kind or index does not fit the graph"},
    {K0 K1 K2 "buffer %x argument 2 +128 life -1..3\n",
     "buffer of %0: its kind or index does not fit the graph"},
    {K0 K1 K2 "buffer %4 output 2 +16 life 1..3\n", "buffer of %4: its kind or index does not fit the graph"},
    {K0 K1 K2 "buffer %4 variable 0 +16 life 1..3\n",
     "buffer of %4: its kind or index does not fit the graph"},
    {K0 K1 K2 "buffer %x argument 0 +128 life 2..1\n", "buffer of %0: its life is not within the kernels"},
    {K0 K1 K2 "buffer %x argument 0 +128 life -1..4\n", "buffer of %0: its life is not within the kernels"},
    {K0 K1 K2 "arena 128\n" ARGUMENTS "buffer %2 arena @64 +128 life 0..1\n",
     "buffer of %2: it is not aligned or not inside the arena"},
    {K0 K1 K2 "arena 512\n" ARGUMENTS "buffer %2 arena @32 +128 life 0..1\n",
     "buffer of %2: it is not aligned or not inside the arena"},
    {K0 K1 K2 "arena 512\n" ARGUMENTS "buffer %2 arena @0 +9223372036854775807 life 0..1\n",
     "buffer of %2: it is not aligned or not inside the arena"},
    {K0 K1 K2 "arena 512\n" ARGUMENTS "buffer %2 arena @0 +127 life 0..1\n",
     "buffer of %2: it is smaller than its value"},
    {K0 K1 K2 "arena 512\n" ARGUMENTS "buffer %3 arena @0 +128 life 1..2 alias %2\n",
     "buffer of %3: its alias is no earlier buffer"},
    {K0 K1 K2 "arena 512\n" ARGUMENTS
              "buffer %2 arena @0 +128 life 0..1\nbuffer %3 arena @64 +128 life 1..2\n"
              "buffer %4 output 1 +16 life 1..3\nbuffer %6 output 0 +128 life 2..3\n",
     "buffer of %3: its bytes 64..192 overlap those of %2, which lives at the same time"},
    {K0 K1 K2 "arena 512\n" ARGUMENTS "buffer %2 arena @0 +128 life 0..0\n",
     "kernel 1 \"k1\": it touches %2, which lives in kernels 0..0"},
    {K0 K1 K2 "arena 512\n" ARGUMENTS "buffer %3 arena @0 +128 life 1..2\n",
     "kernel 0 \"k0\": %2, which it touches, has no buffer"},
    {PLAN "copy output 1 from output 0 +16\n", "copy 0: its places are not there or do not hold 16 bytes"},
    {PLAN "copy argument 0 from output 0 +128\n",
     "copy 0: its places are not there or do not hold 128 bytes"},
    {PLAN "copy arena @448 from output 0 +128\n",
     "copy 0: its places are not there or do not hold 128 bytes"},
    {PLAN "copy output 7 from output 0 +128\n", "copy 0: its places are not there or do not hold 128 bytes"},
    /* chains */
    {K0 K1 K2 CHAIN "\n", NULL},
    {K0 K1 K2 "chain 0..2 slices 4 strands 1\n", NULL},
    {CHAINED(" scratch @0 +64", "buffer %2 scratch @0 +32 life 0..1\n"), NULL},
    {K0 K1 K2 "chain 0..0 slices 4 strands 1\n", "chain 0: its kernels are not there, or too few"},
    {K0 K1 K2 "chain 2..3 slices 4 strands 1\n", "chain 0: its kernels are not there, or too few"},
    {K0 K1 K2 "chain 2..1 slices 4 strands 1\n", "chain 0: its kernels are not there, or too few"},
    {K0 K1 K2 CHAIN "\nchain 1..2 slices 4 strands 1\n",
     "chain 1: its kernels are not there, or too few, or ano"},
    {K0 K1 K2 "chain 0..1 slices 4 strands 5\n", "or more strands than slices"},
    {K0 K1 K2 "chain 0..1 slices 3 strands 1\n", "chain 0: there are no such slices of kernel k0"},
    {K0 K1 K2 "chain 0..1 slices 8 strands 1\n", "chain 0: there are no such slices of kernel k0"},
    {CHAINED(" scratch @0 +32", "buffer %2 scratch @0 +32 life 0..1\n"),
     "chain 0: its scratch is not aligned or not inside the arena"},
    {CHAINED(" scratch @448 +64", "buffer %2 scratch @0 +32 life 0..1\n"),
     "chain 0: its scratch is not aligned or not inside the arena"},
    {CHAINED(" scratch @64 +64", "buffer %2 scratch @0 +32 life 0..1\n"),
     "its bytes 128..256 overlap those of"},
    {CHAINED(" scratch @0 +64", "buffer %2 scratch @0 +64 life 0..1\n"),
     "buffer of %2: it is not one slice of its value in the scratch of one chain"},
    {CHAINED(" scratch @0 +64", "buffer %2 scratch @64 +32 life 0..1\n"),
     "buffer of %2: it is not one slice of its value in the scratch of one chain"},
    {CHAINED(" scratch @0 +64", "buffer %2 scratch @0 +32 life 0..2\n"),
     "buffer of %2: it is not one slice of its value in the scratch of one chain"},
    {CHAINED("", "buffer %2 arena @0 +128 life 0..1\n"), NULL},
    {K0 K1 K2 CHAIN "\narena 512\n" ARGUMENTS "buffer %2 arena @0 +128 life 0..1\n"
                    "buffer %3 arena @128 +128 life 1..2\n",
     "buffer of %3: it begins or ends to live within a chain"},
    {K0 K1 K2 CHAIN " scratch @0 +64\narena 512\n" ARGUMENTS "buffer %2 arena @128 +128 life 0..1\n"
                    "buffer %3 arena @256 +128 life 0..2\nbuffer %4 scratch @0 +4 life 1..1\n"
                    "buffer %6 output 0 +128 life 2..3\n",
     "it is an output, but only a slice of it is kept"},
};

static void plan_checks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        char text[4096];
        ir_error e;
        snprintf(text, sizeof text, "%s%s}\n", plan_graph, plans[i].plan);
        ir_graph *g = parse(text, &e);
        if (!plans[i].message) {
            if (!g)
                fail_msg("%s in:\n%s", e.text, text);
        } else if (g) {
            fail_msg("accepted:\n%s", text);
        } else {
            assert_message(&e, plans[i].message);
        }
        ir_graph_free(g);
    }
}

/* Backwards, slice u reads slice 3 - u. */
static void slices_are_their_own(void **state)
{
    (void)state;
    for (int axis = 0; axis < 2; axis++) {
        char text[1024];
        ir_error e;
        snprintf(
            text, sizeof text,
            "graph @f(%%x: f32[4,8]) -> (f32[4,8]) {\n  %%1 = exp %%x : f32[4,8]\n"
            "  %%2 = reverse %%1 {axes=[%d]} : f32[4,8]\n  %%3 = neg %%2 : f32[4,8]\n  return y: %%3\n"
            "  kernel loop \"a\" root %%1 { %%1 -> %%1 }\n  kernel loop \"b\" root %%3 { %%2 %%3 -> %%3 }\n"
            "  chain 0..1 slices 4 strands 1\n}\n",
            axis);
        ir_graph *g = parse(text, &e);
        if ((g != NULL) != (axis == 1))
            fail_msg("%s", g ? "accepted" : e.text);
        if (!g)
            assert_message(&e, "chain 0: another slice is read by kernel b");
        ir_graph_free(g);
    }
}

static void symbols_have_no_kernels(void **state)
{
    (void)state;
    ir_error e;
    ir_graph *g = parse("graph @f(%x: f32[n]) -> (f32[n]) {\n  %1 = neg %x : f32[n]\n  return y: %1\n"
                        "  kernel loop \"k\" root %1 { %1 -> %1 }\n}\n",
                        &e);
    assert_null(g);
    assert_message(&e, "kernel 0 \"k\": %1 has symbolic extents");
}

/* x w^T of 40 elements, contiguous along k: a row, not lanes. */
static void small_product(void **state)
{
    (void)state;
    ir_error e;
    ir_graph *g = parse("graph @f(%x: f32[4,9], %w: f32[10,9]) -> (f32[4,10]) {\n"
                        "  %2 = dot_general %x, %w {lhs_k=[1], rhs_k=[1]} : f32[4,10]\n  return y: %2\n"
                        "  kernel contract \"k\" root %2 { %2 -> %2 }\n}\n",
                        &e);
    assert_null(g);
    assert_message(&e, "its root %2 is not among its nodes or does not fit its kind");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes),
        cmocka_unit_test(results),
        cmocka_unit_test(plan_checks),
        cmocka_unit_test(slices_are_their_own),
        cmocka_unit_test(symbols_have_no_kernels),
        cmocka_unit_test(small_product),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
