/* frontend/specialize.c: a copy of a graph in which every symbolic dim has a value ("n=128"): compiled
 * programs are for constant shapes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend/fe.h"

static const tdm_loc nowhere = {NULL, 0};

/* Values of g's symbols from "NAME=N" strings; false + error on a bad string, an unknown or a missing name.
 */
static bool parse_values(tdm_context *ctx, const ir_graph *g, const char *const *dims, int64_t *values)
{
    for (int i = 0; dims && dims[i]; i++) {
        const char *eq = strchr(dims[i], '=');
        char *end = NULL;
        long long v = eq ? strtoll(eq + 1, &end, 10) : 0;
        if (!eq || end == eq + 1 || *end || v < 1) {
            fe_fail(ctx, nowhere, IR_EARG, "dims: '%.60s' is not NAME=N with N >= 1", dims[i]);
            return false;
        }
        int k = 0;
        while (k < g->symbol_count && (strlen(g->symbols[k]) != (size_t)(eq - dims[i]) ||
                                       memcmp(g->symbols[k], dims[i], (size_t)(eq - dims[i])) != 0))
            k++;
        if (k == g->symbol_count) {
            fe_fail(ctx, nowhere, IR_EARG, "dims: graph '%s' has no symbolic dim in '%.60s'", g->name,
                    dims[i]);
            return false;
        }
        values[k] = v;
    }
    for (int k = 0; k < g->symbol_count; k++)
        if (!values[k]) {
            fe_fail(ctx, nowhere, IR_EARG, "graph '%s': symbolic dim '%s' needs a value (%s=N)", g->name,
                    g->symbols[k], g->symbols[k]);
            return false;
        }
    return true;
}

static ir_type with_values(const ir_type *t, const int64_t *values)
{
    ir_type r = *t;
    for (int i = 0; i < r.rank; i++)
        if (r.dims[i] < 0)
            r.dims[i] = values[~r.dims[i]];
    return r;
}

static ir_ref copy_node(ir_graph *out, const ir_node *n, const ir_ref *map, const int64_t *values)
{
    ir_ref x[8];
    ir_attrs a = *n->attrs;

    a.type = with_values(&a.type, values);
    for (int i = 0; n->op == IR_slice && i < a.n; i++) /* a symbolic axis is sliced whole */
        if (a.slice.limit[i] < 0)
            a.slice.limit[i] = values[~a.slice.limit[i]];
    out->sink.loc = n->loc;
    out->sink.region = n->region;
    if (n->op == IR_input)
        return ir_graph_input(out, a.leaf.name, &a.type);
    if (n->op == IR_variable)
        return ir_graph_variable(out, a.leaf.name, &a.type);
    for (int i = 0; i < n->n && i < 8; i++)
        x[i] = map[n->x[i]];
    return ir_graph_append(out, n->op, &a, x, n->n);
}

static bool copy_graph(const ir_graph *g, ir_graph *out, ir_ref *map, const int64_t *values)
{
    for (ir_ref r = 0; r < g->count; r++) {
        map[r] = copy_node(out, &g->nodes[r], map, values);
        if (map[r] == IR_NONE)
            return false;
    }
    for (int i = 0; i < g->output_count; i++)
        if (ir_graph_output(out, g->outputs[i].name, map[g->outputs[i].value]) != IR_OK)
            return false;
    for (int i = 0; i < g->assign_count; i++)
        if (ir_graph_assign(out, map[g->assigns[i].variable], map[g->assigns[i].value]) != IR_OK)
            return false;
    out->random_count = g->random_count;
    return true;
}

ir_graph *fe_specialize(tdm_context *ctx, const ir_graph *g, const char *const *dims)
{
    int64_t *values = calloc((size_t)g->symbol_count + 1, sizeof *values);
    ir_ref *map = malloc((g->count + 1) * sizeof *map);
    ir_graph *out = values && map ? ir_graph_new(g->name) : NULL;
    bool ok = false;

    if (!out) {
        fe_fail(ctx, nowhere, IR_ENOMEM, "dims: out of memory");
    } else if (parse_values(ctx, g, dims, values)) {
        ok = copy_graph(g, out, map, values);
        if (!ok)
            fe_fail(ctx, nowhere, out->error.status ? out->error.status : IR_EARG, "dims: %s",
                    out->error.text);
    }
    free(values);
    free(map);
    if (ok)
        return out;
    ir_graph_free(out);
    return NULL;
}

tdm_graph *tdm_graph_specialize(const tdm_graph *g, const char *const *dims)
{
    if (!g || !tdm_ok(g->ctx))
        return NULL;
    ir_graph *out = fe_specialize(g->ctx, g->g, dims);
    return out ? fe_graph_wrap(g->ctx, out) : NULL;
}
