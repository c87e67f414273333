/* tests/ir/test_range.c: what the graph says of a value's range, and that exp_below, which relies on it, has
 * the bits of exp. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ir/emit.h"
#include "ir/range.h"
#include "runtime/scalar_c.h"

static ir_graph *graph(void)
{
    ir_graph *g = ir_graph_new("test");
    assert_non_null(g);
    return g;
}

static ir_val input(ir_graph *g, const char *name, int rank, const int64_t *dims)
{
    const ir_type t = ir_type_make(IR_DT_f32, rank, dims);

    return ir_val_of(ir_graph_input(g, name, &t));
}

static bool never_positive(const ir_graph *g, ir_val v)
{
    return ir_never_positive(g, ir_ref_of(v));
}

/* x less the maximum of `of` along `axis`, repeated as the shape `as` broadcasts. */
static ir_val less_maximum(ir_graph *g, ir_val x, ir_val of, int axis, int rank, const int64_t *as)
{
    ir_sink *s = &g->sink;
    const ir_type t = g->nodes[ir_ref_of(x)].type;
    ir_val m = ir_e_reduce(s, IR_reduce_max, of, &axis, 1, false);

    return ir_e_sub(s, x, ir_e_broadcast(s, ir_e_reshape(s, m, rank, as), t.rank, t.dims));
}

static void rows(void **state)
{
    const int64_t square[] = {4, 4}, column[] = {4, 1}, row[] = {1, 4}, cube[] = {3, 5, 2},
                  middle[] = {3, 1, 2};
    ir_graph *g = graph();
    ir_sink *s = &g->sink;
    ir_val x = input(g, "x", 2, square), z = input(g, "z", 2, square), c = input(g, "c", 3, cube);

    (void)state;
    assert_true(never_positive(g, less_maximum(g, x, x, 1, 2, column)));
    assert_true(never_positive(g, less_maximum(g, x, x, 0, 2, row)));
    assert_true(never_positive(g, less_maximum(g, c, c, 1, 3, middle)));
    assert_false(never_positive(g, less_maximum(g, x, x, 1, 2, row))); /* of another row */
    assert_false(never_positive(g, less_maximum(g, x, x, 0, 2, column)));
    assert_false(never_positive(g, less_maximum(g, x, z, 1, 2, column))); /* of another value */
    ir_val d = less_maximum(g, x, x, 1, 2, column);
    assert_false(never_positive(g, ir_e_sub(s, ir_val_of(g->nodes[ir_ref_of(d)].x[1]), x)));
    assert_int_equal(g->error.status, IR_OK);
    ir_graph_free(g);
}

static void signs(void **state)
{
    const int64_t dims[] = {4};
    ir_graph *g = graph();
    ir_sink *s = &g->sink;
    ir_val x = input(g, "x", 1, dims);

    (void)state;
    assert_true(never_positive(g, ir_e_neg(s, ir_e_abs(s, x))));
    assert_true(never_positive(g, ir_e_min(s, x, ir_e_like(s, x, -1))));
    assert_true(never_positive(g, ir_e_min(s, x, ir_e_like(s, x, 0))));
    assert_false(never_positive(g, ir_e_min(s, x, ir_e_like(s, x, 1))));
    assert_false(never_positive(g, ir_e_neg(s, x)));
    assert_false(never_positive(g, x));
    ir_graph_free(g);
}

/* Every 61st float that is not above 0, infinities and NaN among them; f64 with the same high bits. */
static void exp_below(void **state)
{
    (void)state;
    for (int64_t i = INT32_MIN; i < 0; i += 61) {
        const float x = s_frombits_f32((int32_t)i), y = s_exp_f32(x), b = s_exp_below_f32(x);
        if (s_bits_f32(y) != s_bits_f32(b) && !(y != y && b != b))
            fail_msg("exp_below(%a) is %a, exp gives %a", (double)x, (double)b, (double)y);
    }
    for (int64_t i = INT32_MIN; i < 0; i += 211) {
        const double x = s_frombits_f64((int64_t)((uint64_t)i << 32 | (uint32_t)(i * 2654435761))),
                     y = s_exp_f64(x), b = s_exp_below_f64(x);
        if (s_bits_f64(y) != s_bits_f64(b) && !(y != y && b != b))
            fail_msg("exp_below(%a) is %a, exp gives %a", x, b, y);
    }
    assert_true(s_exp_below_f32(0) == 1 && s_exp_below_f64(0) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),
        cmocka_unit_test(signs),
        cmocka_unit_test(exp_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
