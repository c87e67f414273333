/* tests/ir/lib_interp.c: a graph run node by node (lib_interp.h). */
#include "ir/lib_interp.h"
#include "runtime/array.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *constant_data(const ir_node *n)
{
    size_t bytes = ir_type_bytes(&n->type), size = ir_dtype_size(n->type.dtype);
    char *data = malloc(bytes);

    for (size_t at = 0; data && at < bytes; at += size) {
        memcpy(data + at, (const char *)n->attrs->constant.data + (n->attrs->splat ? 0 : at), size);
    }
    return data;
}

static int leaf_index(const ir_graph *g, ir_ref r)
{
    for (int i = 0; i < g->input_count; i++) {
        if (g->inputs[i] == r) {
            return i;
        }
    }
    return -1;
}

static void *compute(const ir_graph *g, ir_ref r, const void *const *leaves, void *const *values)
{
    const ir_node *n = &g->nodes[r];
    rt_engine engine = {.level = rt_level_best()};
    rt_array x[IR_MAX_OPERANDS];
    const rt_array *operands[IR_MAX_OPERANDS];
    void *data = malloc(ir_type_bytes(&n->type));
    rt_array y = rt_array_of(&n->type, data);

    for (int i = 0; i < n->n; i++) {
        int leaf = leaf_index(g, n->x[i]);
        x[i] = rt_array_of(&g->nodes[n->x[i]].type,
                           leaf < 0 ? values[n->x[i]] : (void *)(uintptr_t)leaves[leaf]);
        operands[i] = &x[i];
    }
    if (data && rt_compute(&engine, n->op, n->attrs, operands, n->n, &y) != IR_OK) {
        free(data);
        data = NULL;
    }
    return data;
}

bool interp_run(const ir_graph *g, const void *const *leaves, ir_ref last, void **values)
{
    memset(values, 0, g->count * sizeof *values);
    for (ir_ref r = 0; r <= last && r < g->count; r++) {
        const ir_node *n = &g->nodes[r];
        if (n->op == IR_input || n->op == IR_variable) {
            continue;
        }
        values[r] = n->op == IR_constant ? constant_data(n) : compute(g, r, leaves, values);
        if (!values[r]) {
            return false;
        }
    }
    return true;
}

void interp_free(const ir_graph *g, void **values)
{
    for (ir_ref r = 0; r < g->count; r++) {
        free(values[r]);
        values[r] = NULL;
    }
}

double interp_element(const void *data, ir_dtype d, int64_t i)
{
    return ir_element_get(d, (const char *)data + i * (int64_t)ir_dtype_size(d));
}

/* Numbers in [0, 1) with 24 bits. */
static double next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (double)(*seed >> 8) * 0x1p-24;
}

void interp_fill(void *data, const ir_type *t, double lo, double hi, uint32_t *seed)
{
    ir_dtype d = (ir_dtype)t->dtype;

    for (int64_t i = 0; i < ir_type_elements(t); i++) {
        double v = lo + (hi - lo) * next(seed);
        if (d == IR_DT_bool)
            v = v >= (lo + hi) / 2;
        ir_element_set(d, (char *)data + i * (int64_t)ir_dtype_size(d), ir_dtype_is_float(d) ? v : floor(v));
    }
}
