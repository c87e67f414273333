/* ir/verify.c: checks everything a graph promises; run after every pass and by the parser.
 *
 *   node %7 (relu, model.c:14): operand 0 is %9, which is not an earlier node
 *
 * Nodes: operands earlier, type equal to what the shape rules give again.  Leaves: listed in order, names
 * differ.  Outputs and assigns: they name nodes; an assign's variable is a variable of the value's type.
 * Kernels and buffers: verify_plan.c. Linear; reads only. */
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "infer.h"
#include "verify.h"

ir_status ir_verify_fail(const ir_graph *g, ir_ref r, ir_status s, ir_error *e, const char *fmt, ...)
{
    char text[320], place[96] = "";
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    const ir_node *n = &g->nodes[r];
    if (n->loc.file)
        snprintf(place, sizeof place, ", %.80s:%u", n->loc.file, n->loc.line);
    return ir_fail(e, s, "node %%%u (%s%s): %s", r, (unsigned)n->op < IR_OP_COUNT ? ir_ops[n->op].name : "?",
                   place, text);
}

/* ---- nodes ------------------------------------------------------------------------------------------- */

static ir_status check_operands(const ir_graph *g, ir_ref r, const ir_type **types, ir_error *e)
{
    const ir_node *n = &g->nodes[r];
    if (n->n < 0 || n->n > IR_MAX_RANK || (n->n && !n->x))
        return ir_verify_fail(g, r, IR_ESTATE, e, "it can't have %d operands", n->n);
    for (int i = 0; i < n->n; i++) {
        if (n->x[i] >= r)
            return ir_verify_fail(g, r, IR_ESTATE, e, "operand %d is %%%u, which is not an earlier node", i,
                                  n->x[i]);
        types[i] = &g->nodes[n->x[i]].type;
    }
    return IR_OK;
}

static ir_status check_symbols(const ir_graph *g, ir_ref r, const ir_type *t, ir_error *e)
{
    if (t->rank > IR_MAX_RANK || t->dtype >= IR_DT_COUNT)
        return ir_verify_fail(g, r, IR_ESTATE, e, "its type is broken: dtype %d, rank %d", t->dtype, t->rank);
    for (int i = 0; i < t->rank; i++)
        if (t->dims[i] < 0 && ~t->dims[i] >= g->symbol_count)
            return ir_verify_fail(g, r, IR_ESTATE, e,
                                  "axis %d of its type is a symbol that the graph does not have", i);
    return IR_OK;
}

static ir_status check_type(const ir_graph *g, ir_ref r, const ir_type *const *types, ir_error *e)
{
    char have[256], want[256];
    const ir_node *n = &g->nodes[r];
    ir_error inner = {0};
    ir_type t;
    if (check_symbols(g, r, &n->type, e) != IR_OK || check_symbols(g, r, &n->attrs->type, e) != IR_OK)
        return IR_ESTATE;
    ir_status s = ir_infer_named(n->op, n->attrs, types, n->n, g->symbols, &t, &inner);
    if (s != IR_OK)
        return ir_verify_fail(g, r, s, e, "%s", inner.text);
    if (ir_type_eq(&t, &n->type))
        return IR_OK;
    return ir_verify_fail(g, r, IR_ESTATE, e, "its type is %.120s, the shape rule gives %.120s",
                          ir_type_text(&n->type, g->symbols, have, sizeof have),
                          ir_type_text(&t, g->symbols, want, sizeof want));
}

static ir_status check_node(const ir_graph *g, ir_ref r, ir_error *e)
{
    const ir_node *n = &g->nodes[r];
    const ir_type *types[IR_MAX_RANK];
    if ((unsigned)n->op >= IR_OP_COUNT)
        return ir_verify_fail(g, r, IR_ESTATE, e, "there is no op %d", (int)n->op);
    if (!n->attrs)
        return ir_verify_fail(g, r, IR_ESTATE, e, "it has no attributes");
    ir_status s = check_operands(g, r, types, e);
    return s == IR_OK ? check_type(g, r, types, e) : s;
}

/* ---- leaves and results ------------------------------------------------------------------------------ */

static bool is_leaf(const ir_node *n)
{
    return n->op == IR_input || n->op == IR_variable;
}

static const ir_name *find_name(const ir_graph *g, const char *s)
{
    return s ? ir_arena_find(g->arena, s, strlen(s)) : NULL;
}

/* inputs lists exactly the leaves, ascending, and the table of names leads back to each. */
static ir_status check_leaves(const ir_graph *g, ir_error *e)
{
    int next = 0;
    for (ir_ref r = 0; r < g->count; r++) {
        if (!is_leaf(&g->nodes[r]))
            continue;
        if (next == g->input_count || g->inputs[next] != r)
            return ir_verify_fail(g, r, IR_ESTATE, e, "the list of inputs does not hold it at place %d",
                                  next);
        const ir_name *name = find_name(g, g->nodes[r].attrs->leaf.name);
        if (!name || name->input != r)
            return ir_verify_fail(g, r, IR_ESTATE, e, "its name %.80s is not its alone",
                                  g->nodes[r].attrs->leaf.name);
        next++;
    }
    if (next < g->input_count)
        return ir_fail(e, IR_ESTATE, "input %d is no leaf", next);
    return IR_OK;
}

static ir_status check_outputs(const ir_graph *g, ir_error *e)
{
    for (int i = 0; i < g->output_count; i++) {
        const ir_name *name = find_name(g, g->outputs[i].name);
        if (!name || name->output != i)
            return ir_fail(e, IR_ESTATE, "output %d: its name is not its alone", i);
        if (g->outputs[i].value >= g->count)
            return ir_fail(e, IR_ESTATE, "output %.80s: %%%u is no node", g->outputs[i].name,
                           g->outputs[i].value);
    }
    return IR_OK;
}

static ir_status check_assigns(const ir_graph *g, ir_error *e)
{
    char a[256], b[256];
    for (int i = 0; i < g->assign_count; i++) {
        ir_ref variable = g->assigns[i].variable, value = g->assigns[i].value;
        if (variable >= g->count || g->nodes[variable].op != IR_variable)
            return ir_fail(e, IR_ESTATE, "assign %d: %%%u is no variable", i, variable);
        if (value >= g->count)
            return ir_verify_fail(g, variable, IR_ESTATE, e, "the value assigned, %%%u, is no node", value);
        const ir_name *name = find_name(g, g->nodes[variable].attrs->leaf.name);
        if (!name || name->assign != i)
            return ir_verify_fail(g, variable, IR_ESTATE, e, "it is assigned twice");
        if (!ir_type_eq(&g->nodes[variable].type, &g->nodes[value].type))
            return ir_verify_fail(g, variable, IR_ESHAPE, e,
                                  "it is %.120s, the value assigned, %%%u, is %.120s",
                                  ir_type_text(&g->nodes[variable].type, g->symbols, a, sizeof a), value,
                                  ir_type_text(&g->nodes[value].type, g->symbols, b, sizeof b));
    }
    return IR_OK;
}

ir_status ir_verify(const ir_graph *g, ir_error *e)
{
    ir_status s = g->error.status;
    if (s != IR_OK)
        return ir_fail(e, s, "%s", g->error.text);
    for (ir_ref r = 0; r < g->count && s == IR_OK; r++)
        s = check_node(g, r, e);
    if (s == IR_OK)
        s = check_leaves(g, e);
    if (s == IR_OK)
        s = check_outputs(g, e);
    if (s == IR_OK)
        s = check_assigns(g, e);
    return s == IR_OK ? ir_verify_plan(g, e) : s;
}
