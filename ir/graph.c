/* ir/graph.c: the graph: an array of immutable nodes that is also a sink.
 *
 *   ir_graph_append(g, IR_relu, NULL, &h, 1)  ->  node 7, its type inferred, everything copied into g's arena
 *
 * Operands are earlier nodes, so the array order is a topological order.  The first error sticks in g->error;
 * from then on appends return IR_NONE.  Cost: a few allocations from the arena per node; names are looked up
 * in a hash table. */
#include <string.h>

#include "arena.h"
#include "attrs.h"
#include "infer.h"

/* The graph and what only this file needs: how much room its arrays have. */
typedef struct graph_body {
    ir_graph g; /* first: an ir_graph * made here is a graph_body * */
    uint32_t symbols, inputs, outputs, assigns;
} graph_body;

static graph_body *body(ir_graph *g)
{
    return (graph_body *)(void *)g;
}

static void *no_memory(ir_graph *g)
{
    ir_fail(&g->error, IR_ENOMEM, "out of memory in graph %s", g->name ? g->name : "");
    return NULL;
}

/* ---- as a sink --------------------------------------------------------------------------------------- */

static ir_val sink_emit(ir_sink *s, ir_op op, const ir_attrs *a, const ir_val *x, int n)
{
    ir_graph *g = (ir_graph *)(void *)s;
    ir_ref refs[IR_MAX_RANK];
    if (n < 0 || n > IR_MAX_RANK) {
        ir_fail(&g->error, IR_EARG, "%d operands are too many", n);
        return 0;
    }
    for (int i = 0; i < n; i++) {
        if (x[i] == 0)
            return 0;
        refs[i] = ir_ref_of(x[i]);
    }
    ir_ref r = ir_graph_append(g, op, a, refs, n);
    return r == IR_NONE ? 0 : ir_val_of(r);
}

static const ir_type *sink_type(ir_sink *s, ir_val v)
{
    const ir_graph *g = (const ir_graph *)(void *)s;
    return v == 0 || v > g->count ? NULL : &g->nodes[ir_ref_of(v)].type;
}

ir_val ir_emit(ir_sink *s, ir_op op, const ir_attrs *a, const ir_val *x, int n)
{
    for (int i = 0; i < n; i++)
        if (x[i] == 0)
            return 0;
    return s->emit(s, op, a, x, n);
}

/* ---- life -------------------------------------------------------------------------------------------- */

ir_graph *ir_graph_new(const char *name)
{
    graph_body *b = ir_mem_zero(sizeof *b);
    if (!b)
        return NULL;
    ir_graph *g = &b->g;
    g->sink.emit = sink_emit;
    g->sink.type = sink_type;
    g->sink.err = &g->error;
    g->arena = ir_arena_new();
    g->name = g->arena ? ir_graph_intern(g, name ? name : "") : NULL;
    if (g->name)
        return g;
    ir_graph_free(g);
    return NULL;
}

void ir_graph_free(ir_graph *g)
{
    if (!g)
        return;
    ir_arena_free(g->arena);
    ir_mem_free(g);
}

void *ir_graph_alloc(ir_graph *g, size_t bytes)
{
    void *p = ir_arena_alloc(g->arena, bytes);
    return p ? p : no_memory(g);
}

const char *ir_graph_intern(ir_graph *g, const char *s)
{
    ir_name *e = s ? ir_arena_name(g->arena, s, strlen(s)) : NULL;
    if (!e)
        return s ? no_memory(g) : NULL;
    return e->text;
}

static bool is_identifier(const char *s)
{
    if (!(*s >= 'a' && *s <= 'z') && !(*s >= 'A' && *s <= 'Z') && *s != '_')
        return false;
    while ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || *s == '_')
        s++;
    return *s == 0;
}

int ir_graph_symbol(ir_graph *g, const char *name)
{
    if (!name || !is_identifier(name)) {
        ir_fail(&g->error, IR_EARG, "a symbolic dim is named by letters, digits and _, not '%.40s'",
                name ? name : "");
        return -1;
    }
    ir_name *e = ir_arena_name(g->arena, name, strlen(name));
    if (e && e->symbol >= 0)
        return e->symbol;
    void *p = e ? ir_arena_grow(g->arena, g->symbols, (size_t)g->symbol_count, &body(g)->symbols,
                                sizeof *g->symbols)
                : NULL;
    if (!p) {
        no_memory(g);
        return -1;
    }
    g->symbols = p;
    g->symbols[g->symbol_count] = e->text;
    e->symbol = g->symbol_count;
    return g->symbol_count++;
}

/* ---- appending --------------------------------------------------------------------------------------- */

/* Room for the data of a constant; NULL when out of memory.  *s: what holds it if it is big, so that other
 * graphs can. */
static void *data_room(ir_graph *g, size_t bytes, ir_shared **s)
{
    enum { BIG = 4096 };

    *s = bytes >= BIG ? ir_shared_new(bytes) : NULL;
    if (bytes < BIG)
        return ir_arena_alloc(g->arena, bytes);
    bool held = *s && ir_arena_hold(g->arena, *s);
    ir_shared_release(*s);
    return held ? ir_shared_data(*s) : NULL;
}

/* The data of a constant, which *c still has where the caller does: held if it is shared, else copied. */
static bool keep_data(ir_graph *g, ir_attrs *c)
{
    const void *from = c->constant.data;
    ir_shared *s = c->constant.shared;

    if (s && from == ir_shared_data(s))
        return ir_arena_hold(g->arena, s);
    void *to = data_room(g, c->constant.bytes, &s);
    if (to)
        memcpy(to, from, c->constant.bytes);
    c->constant.data = to;
    c->constant.shared = s;
    return to != NULL;
}

/* Copies what counts of *a, pointers included. */
static const ir_attrs *copy_attrs(ir_graph *g, ir_op op, const ir_attrs *a, const ir_type *result)
{
    static const ir_attrs zero;
    const ir_attr_form *form = ir_attr_form_of(op);
    if (form->type == IR_AT_NONE && form->count == 0)
        return &zero;
    ir_attrs *copy = ir_graph_alloc(g, sizeof *copy);
    if (!copy)
        return NULL;
    ir_attrs_clean(op, a, result, copy);
    if (op == IR_constant && !keep_data(g, copy))
        return no_memory(g);
    if (op == IR_input || op == IR_variable) {
        copy->leaf.name = ir_graph_intern(g, a->leaf.name);
    }
    return copy;
}

/* Types in attributes name symbols of this graph. */
static bool check_symbols(ir_graph *g, ir_op op, const ir_attrs *a)
{
    ir_attr_type_use use = ir_attr_form_of(op)->type;
    if (!a || (use != IR_AT_DIMS && use != IR_AT_FULL) || a->type.rank > IR_MAX_RANK)
        return true;
    for (int i = 0; i < a->type.rank; i++)
        if (a->type.dims[i] < 0 && ~a->type.dims[i] >= g->symbol_count) {
            ir_fail(&g->error, IR_ESHAPE,
                    "%s: axis %d is %lld: an extent below 1, or a symbol the graph does not have",
                    ir_ops[op].name, i, (long long)a->type.dims[i]);
            return false;
        }
    return true;
}

static bool register_leaf(ir_graph *g, ir_ref r, const char *name)
{
    ir_name *e = ir_arena_name(g->arena, name, strlen(name));
    void *p =
        e ? ir_arena_grow(g->arena, g->inputs, (size_t)g->input_count, &body(g)->inputs, sizeof *g->inputs)
          : NULL;
    if (!p)
        return no_memory(g) != NULL;
    g->inputs = p;
    g->inputs[g->input_count++] = r;
    e->input = r;
    return true;
}

/* A leaf's name is new; the result is false after an error. */
static bool check_leaf_name(ir_graph *g, ir_op op, const char *name)
{
    ir_name *e = ir_arena_name(g->arena, name, strlen(name));
    if (!e)
        return no_memory(g) != NULL;
    if (e->input == IR_NONE)
        return true;
    ir_fail(&g->error, IR_EARG, "%s: there is already %s named %s", ir_ops[op].name,
            g->nodes[e->input].op == IR_input ? "an input" : "a variable", name);
    return false;
}

/* Fills a node in place; false after an error. */
static bool fill_node(ir_graph *g, ir_node *node, ir_op op, const ir_attrs *a, const ir_ref *x, int n)
{
    const ir_type *types[IR_MAX_RANK];
    for (int i = 0; i < n; i++) {
        if (x[i] >= g->count) {
            ir_fail(&g->error, IR_EARG, "%s: operand %d is no node of the graph", ir_ops[op].name, i);
            return false;
        }
        types[i] = &g->nodes[x[i]].type;
    }
    *node = (ir_node){.op = op, .n = n, .loc = g->sink.loc};
    if (!check_symbols(g, op, a) ||
        ir_infer_named(op, a, types, n, g->symbols, &node->type, &g->error) != IR_OK)
        return false;
    bool is_leaf = op == IR_input || op == IR_variable;
    if (is_leaf && !check_leaf_name(g, op, a->leaf.name))
        return false;
    node->attrs = copy_attrs(g, op, a, &node->type);
    ir_ref *refs = ir_graph_alloc(g, (size_t)n * sizeof *refs);
    if (!node->attrs || !refs)
        return false;
    if (n)
        memcpy(refs, x, (size_t)n * sizeof *refs);
    node->x = refs;
    node->loc.file = ir_graph_intern(g, g->sink.loc.file);
    if (!node->loc.file)
        node->loc.line = 0;
    node->region = ir_graph_intern(g, g->sink.region);
    return g->error.status == IR_OK;
}

ir_ref ir_graph_append(ir_graph *g, ir_op op, const ir_attrs *a, const ir_ref *x, int n)
{
    ir_node node;
    if (g->error.status != IR_OK)
        return IR_NONE;
    if ((unsigned)op >= IR_OP_COUNT || n < 0 || n > IR_MAX_RANK) {
        ir_fail(&g->error, IR_EARG, "there is no op %d of %d operands", (int)op, n);
        return IR_NONE;
    }
    if (!fill_node(g, &node, op, a, x, n))
        return IR_NONE;
    ir_node *nodes = ir_arena_grow(g->arena, g->nodes, g->count, &g->capacity, sizeof *nodes);
    if (!nodes) {
        no_memory(g);
        return IR_NONE;
    }
    g->nodes = nodes;
    bool is_leaf = op == IR_input || op == IR_variable;
    if (is_leaf && !register_leaf(g, g->count, node.attrs->leaf.name))
        return IR_NONE;
    g->nodes[g->count] = node;
    return g->count++;
}

static ir_ref append_leaf(ir_graph *g, ir_op op, const char *name, const ir_type *t)
{
    ir_attrs a = {0};
    a.type = *t;
    a.leaf.name = name;
    return ir_graph_append(g, op, &a, NULL, 0);
}

ir_ref ir_graph_input(ir_graph *g, const char *name, const ir_type *t)
{
    return append_leaf(g, IR_input, name, t);
}

ir_ref ir_graph_variable(ir_graph *g, const char *name, const ir_type *t)
{
    return append_leaf(g, IR_variable, name, t);
}

/* ---- results ----------------------------------------------------------------------------------------- */

ir_status ir_graph_output(ir_graph *g, const char *name, ir_ref v)
{
    if (g->error.status != IR_OK)
        return g->error.status;
    if (!name || !name[0])
        return ir_fail(&g->error, IR_EARG, "output: it needs a name");
    if (v >= g->count)
        return ir_fail(&g->error, IR_EARG, "output %s: its value is no node of the graph", name);
    ir_name *e = ir_arena_name(g->arena, name, strlen(name));
    void *p = e ? ir_arena_grow(g->arena, g->outputs, (size_t)g->output_count, &body(g)->outputs,
                                sizeof *g->outputs)
                : NULL;
    if (!p)
        return no_memory(g), IR_ENOMEM;
    if (e->output >= 0)
        return ir_fail(&g->error, IR_EARG, "output: there is already an output named %s", name);
    g->outputs = p;
    e->output = g->output_count;
    g->outputs[g->output_count++] = (ir_output){e->text, v};
    return IR_OK;
}

static ir_status check_assign(ir_graph *g, ir_ref variable, ir_ref value)
{
    char b[256], d[256];
    if (variable >= g->count || value >= g->count)
        return ir_fail(&g->error, IR_EARG, "assign: its %s is no node of the graph",
                       variable >= g->count ? "variable" : "value");
    const ir_node *var = &g->nodes[variable], *val = &g->nodes[value];
    if (var->op != IR_variable)
        return ir_fail(&g->error, IR_EARG, "assign: node %%%u is %s, not a variable", variable,
                       ir_ops[var->op].name);
    if (ir_type_eq(&var->type, &val->type))
        return IR_OK;
    return ir_fail(&g->error, var->type.dtype != val->type.dtype ? IR_EDTYPE : IR_ESHAPE,
                   "assign: variable %s is %s, the value is %s", var->attrs->leaf.name,
                   ir_type_text(&var->type, g->symbols, b, sizeof b),
                   ir_type_text(&val->type, g->symbols, d, sizeof d));
}

ir_status ir_graph_assign(ir_graph *g, ir_ref variable, ir_ref value)
{
    if (g->error.status != IR_OK || check_assign(g, variable, value) != IR_OK)
        return g->error.status;
    const char *name = g->nodes[variable].attrs->leaf.name;
    ir_name *e = ir_arena_name(g->arena, name, strlen(name));
    void *p = e ? ir_arena_grow(g->arena, g->assigns, (size_t)g->assign_count, &body(g)->assigns,
                                sizeof *g->assigns)
                : NULL;
    if (!p)
        return no_memory(g), IR_ENOMEM;
    g->assigns = p;
    if (e->assign < 0)
        e->assign = g->assign_count++;
    g->assigns[e->assign] = (ir_assign){variable, value};
    return IR_OK;
}
