/* tests/passes/lib_attention.c: see lib_attention.h. */
#include "tests/passes/lib_attention.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ir/compose.h"
#include "ir/lib_graphs.h"

const attention_case attention_cases[] = {
    {IR_DT_f32, 2, 3, 9, 9, 5, false, false, 0},   {IR_DT_f32, 2, 3, 9, 9, 5, false, false, 1},
    {IR_DT_f32, 1, 4, 17, 17, 8, true, false, 1},  {IR_DT_f32, 3, 2, 13, 21, 7, false, true, 1},
    {IR_DT_f64, 2, 2, 11, 11, 4, true, true, 1},   {IR_DT_f32, 2, 4, 33, 20, 16, true, false, 0},
    {IR_DT_f32, 5, 1, 16, 16, 64, false, true, 0}, {IR_DT_f64, 1, 5, 8, 8, 3, true, false, 2},
    {IR_DT_f32, 4, 2, 64, 64, 32, true, false, 1},
};
const int attention_case_count = (int)(sizeof attention_cases / sizeof attention_cases[0]);

ir_graph *attention_graph(const attention_case *c)
{
    ir_graph *g = ir_graph_new("attention");
    ir_type q = ir_type_make(c->dtype, 4, (int64_t[]){c->batch, c->heads, c->queries, c->width});
    ir_type k = ir_type_make(c->dtype, 4, (int64_t[]){c->batch, c->heads, c->keys, c->width});
    ir_type mask = ir_type_make(IR_DT_bool, 4, (int64_t[]){c->batch, 1, 1, c->keys});
    ir_attention how = {.causal = c->causal};

    assert_non_null(g);
    ir_val x = ir_val_of(ir_graph_input(g, "q", &q)), z = ir_val_of(ir_graph_input(g, "k", &k)),
           v = ir_val_of(ir_graph_input(g, "v", &k));
    how.mask = c->mask ? ir_val_of(ir_graph_input(g, "mask", &mask)) : 0;
    ir_graph_output(g, "y", ir_ref_of(ir_c_scaled_dot_product_attention(&g->sink, x, z, v, &how)));
    assert_true(graphs_add_gradients(g, c->gradients));
    assert_int_equal(g->error.status, IR_OK);
    return g;
}
