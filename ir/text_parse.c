/* ir/text_parse.c: text -> graph (docs/ir.md); the inverse of text_print.c.
 *
 *   "graph @f(%x: f32[3]) -> (f32[3]) { %1 = relu %x : f32[3] ; a.c:7  return y: %1 }"  ->  2 nodes, verified
 *
 * Nothing in the text is trusted: counts, ids, numbers and nesting are bounded, types are checked against the
 * shape rules and the whole graph by ir_verify at the end.  Nothing recurses.  Linear in the size of the
 * text.
 *
 * Ids: `%7 = ..` gives node 7.  Leaves take the ids that the body skips, in the order of the signature, the
 * rest at the end.  `%h = ..` is a name for whoever writes by hand: it takes the next id once all leaves have
 * theirs. */
#include <stdio.h>
#include <string.h>

#include "attrs.h"
#include "text.h"

static const size_t text_max = (size_t)1 << 30;

/* ---- leaves ------------------------------------------------------------------------------------------ */

static bool append_leaf(ir_parser *p)
{
    const ir_text_leaf *leaf = &p->leaves[p->leaf_next++];
    ir_attrs a = {0};
    a.type = leaf->type;
    a.leaf.name = leaf->name->text;
    p->g->sink.loc = leaf->loc;
    p->g->sink.region = leaf->region;
    return ir_graph_append(p->g, leaf->op, &a, NULL, 0) != IR_NONE || ir_text_lift(p, leaf->line);
}

static bool append_leaves(ir_parser *p)
{
    while (p->leaf_next < p->leaf_count)
        if (!append_leaf(p))
            return false;
    return true;
}

/* ---- signature --------------------------------------------------------------------------------------- */

/* A comma on this line. */
static bool accept_comma(ir_parser *p)
{
    ir_text_blanks(p);
    if (p->at == p->end || *p->at != ',')
        return false;
    p->at++;
    return true;
}

static bool read_leaf(ir_parser *p, bool *more)
{
    ir_text_leaf leaf = {.op = IR_input};
    ir_name *name;
    if (!ir_text_expect(p, "%") || !ir_text_name(p, "the name of an input", &name) ||
        !ir_text_expect(p, ":") || !ir_text_type(p, &leaf.type))
        return false;
    leaf.name = name;
    leaf.line = p->line;
    ir_text_blanks(p); /* not skip: the comment may be the leaf's place */
    if (!ir_text_at_line_end(p) && ir_text_accept_word(p, "variable"))
        leaf.op = IR_variable;
    *more = accept_comma(p);
    ir_text_blanks(p);
    if (p->at < p->end && *p->at == ';' && !ir_text_place(p, &leaf.loc, &leaf.region))
        return false;
    ir_text_leaf *leaves =
        ir_arena_grow(p->g->arena, p->leaves, p->leaf_count, &p->leaf_capacity, sizeof *leaves);
    if (!leaves)
        return ir_text_lift(p, p->line);
    p->leaves = leaves;
    p->leaves[p->leaf_count++] = leaf;
    return true;
}

static bool read_leaves(ir_parser *p)
{
    bool more = true;
    if (!ir_text_expect(p, "("))
        return false;
    if (ir_text_accept(p, ")"))
        return true;
    while (more)
        if (!read_leaf(p, &more))
            return false;
    return ir_text_expect(p, ")");
}

static bool read_symbols(ir_parser *p)
{
    const char *s;
    size_t n;
    bool more = ir_text_accept(p, "[");
    while (more) {
        if (!ir_text_word(p, "a symbol", &s, &n))
            return false;
        ir_name *e = ir_arena_name(p->g->arena, s, n);
        if (!e || ir_graph_symbol(p->g, e->text) < 0)
            return ir_text_lift(p, p->line);
        more = ir_text_accept(p, ",");
        if (!more && !ir_text_expect(p, "]"))
            return false;
    }
    return true;
}

/* The result types are read for their symbols now and compared with the outputs at the end. */
static bool read_result_types(ir_parser *p, ir_type **types, uint32_t *count)
{
    uint32_t capacity = 0;
    *types = NULL;
    *count = 0;
    if (!ir_text_expect(p, "->") || !ir_text_expect(p, "("))
        return false;
    while (!ir_text_accept(p, ")")) {
        if (*count && !ir_text_expect(p, ","))
            return false;
        ir_type *grown = ir_arena_grow(p->g->arena, *types, *count, &capacity, sizeof *grown);
        if (!grown)
            return ir_text_lift(p, p->line);
        *types = grown;
        if (!ir_text_type(p, &grown[(*count)++]))
            return false;
    }
    return ir_text_expect(p, "{");
}

/* ---- nodes ------------------------------------------------------------------------------------------- */

typedef struct node_text {
    ir_op op;
    ir_ref x[IR_MAX_RANK];
    int n;
    ir_text_attrs attrs;
    ir_type type;
    uint32_t line;
} node_text;

/* `%7 =` or `%name =`: appends the leaves that come before it. */
static bool read_result(ir_parser *p, ir_name **local)
{
    uint64_t id;
    *local = NULL;
    if (!ir_text_expect(p, "%"))
        return false;
    const char *start = p->at - 1;
    if (p->at < p->end && *p->at >= '0' && *p->at <= '9') {
        if (!ir_text_u64(p, "a node's id", IR_NONE - 1, &id))
            return false;
        while (p->g->count < id && p->leaf_next < p->leaf_count)
            if (!append_leaf(p))
                return false;
        if (p->g->count == id)
            return ir_text_expect(p, "=");
        p->at = start;
        return ir_text_fail(p, IR_EPARSE, p->line, "expected node %%%u, found %%%llu", p->g->count,
                            (unsigned long long)id);
    }
    if (!append_leaves(p) || !ir_text_name(p, "a node's id or name", local))
        return false;
    if ((*local)->input != IR_NONE || (*local)->local != IR_NONE)
        return ir_text_fail(p, IR_EPARSE, p->line, "%%%.40s is defined twice", (*local)->text);
    return ir_text_expect(p, "=");
}

static bool read_op(ir_parser *p, ir_op *op)
{
    const char *s, *start;
    size_t n;
    ir_text_skip(p);
    start = p->at;
    if (!ir_text_word(p, "an op", &s, &n))
        return false;
    if (ir_op_parse(s, n, op) && *op != IR_input && *op != IR_variable)
        return true;
    p->at = start;
    return ir_text_expected(p, "an op");
}

static bool read_operands(ir_parser *p, node_text *node)
{
    ir_text_skip(p);
    node->n = 0;
    if (p->at == p->end || *p->at != '%')
        return true;
    do {
        if (node->n == IR_MAX_RANK)
            return ir_text_fail(p, IR_EPARSE, p->line, "%s: it has more than %d operands",
                                ir_ops[node->op].name, IR_MAX_RANK);
        if (!ir_text_ref(p, &node->x[node->n++]))
            return false;
    } while (ir_text_accept(p, ","));
    return true;
}

/* Appends the node and holds the inferred type against the written one. */
static bool append_node(ir_parser *p, const node_text *node)
{
    char inferred[256], written[256];
    ir_graph *g = p->g;
    ir_ref r = ir_graph_append(g, node->op, &node->attrs.a, node->x, node->n);
    if (r == IR_NONE)
        return ir_text_lift(p, node->line);
    if (ir_type_eq(&g->nodes[r].type, &node->type))
        return true;
    return ir_text_fail(p, IR_EPARSE, node->line, "%s: expected the type %.120s, found %.120s",
                        ir_ops[node->op].name,
                        ir_type_text(&g->nodes[r].type, g->symbols, inferred, sizeof inferred),
                        ir_type_text(&node->type, g->symbols, written, sizeof written));
}

static bool read_node(ir_parser *p)
{
    node_text node;
    ir_name *local;
    ir_text_skip(p);
    node.line = p->line;
    if (!read_result(p, &local) || !read_op(p, &node.op) || !read_operands(p, &node) ||
        !ir_text_attrs_read(p, node.op, &node.attrs) || !ir_text_expect(p, ":") ||
        !ir_text_type(p, &node.type) || !ir_text_attrs_finish(p, node.op, &node.type, &node.attrs) ||
        !ir_text_place(p, &p->g->sink.loc, &p->g->sink.region) || !append_node(p, &node))
        return false;
    if (local)
        local->local = p->g->count - 1;
    return true;
}

/* ---- results ----------------------------------------------------------------------------------------- */

static bool read_assign(ir_parser *p)
{
    ir_ref variable, value;
    if (!ir_text_ref(p, &variable) || !ir_text_expect(p, "=") || !ir_text_ref(p, &value))
        return false;
    int before = p->g->assign_count; /* a repeated assign replaces the earlier one, which a text can't mean */
    if (ir_graph_assign(p->g, variable, value) != IR_OK)
        return ir_text_lift(p, p->line);
    return p->g->assign_count > before || ir_text_fail(p, IR_EPARSE, p->line, "a variable is assigned twice");
}

/* `NAME: %ref`, `%ref` or `assign %variable = %ref`. */
static bool read_return_item(ir_parser *p)
{
    ir_ref value;
    ir_name *name;
    char unnamed[24];
    const char *text = unnamed;
    ir_text_skip(p);
    if (p->at < p->end && *p->at == '%') {
        snprintf(unnamed, sizeof unnamed, "out%d", p->g->output_count);
    } else {
        if (!ir_text_name(p, "NAME: %VALUE or assign", &name))
            return false;
        if (!ir_text_accept(p, ":"))
            return strcmp(name->text, "assign") == 0 ? read_assign(p) : ir_text_expected(p, "':'");
        text = name->text;
    }
    if (!ir_text_ref(p, &value))
        return false;
    return ir_graph_output(p->g, text, value) == IR_OK || ir_text_lift(p, p->line);
}

static bool read_return(ir_parser *p)
{
    if (!append_leaves(p))
        return false;
    ir_text_blanks(p);
    if (!ir_text_at_line_end(p))
        do {
            if (!read_return_item(p))
                return false;
        } while (accept_comma(p));
    return true;
}

static bool read_random(ir_parser *p)
{
    if (p->g->random_count)
        return ir_text_fail(p, IR_EPARSE, p->line, "random is given twice");
    return ir_text_u64(p, "the counters of a run", UINT64_MAX, &p->g->random_count);
}

/* Lines behind return, up to the brace. */
static bool read_rest(ir_parser *p)
{
    while (!ir_text_accept(p, "}")) {
        bool ok;
        if (ir_text_accept_word(p, "random"))
            ok = read_random(p);
        else if (ir_text_accept_word(p, "kernel"))
            ok = ir_text_kernel(p);
        else if (ir_text_accept_word(p, "chain"))
            ok = ir_text_chain(p);
        else if (ir_text_accept_word(p, "arena"))
            ok = ir_text_arena(p);
        else if (ir_text_accept_word(p, "buffer"))
            ok = ir_text_buffer(p);
        else if (ir_text_accept_word(p, "copy"))
            ok = ir_text_copy(p);
        else
            ok = ir_text_expected(p, "random, kernel, chain, arena, buffer, copy or '}'");
        if (!ok || !ir_text_line_end(p))
            return false;
    }
    ir_text_skip(p);
    return p->at == p->end || ir_text_expected(p, "the end of the text");
}

static bool check_result_types(ir_parser *p, const ir_type *types, uint32_t count, uint32_t line)
{
    char inferred[256], written[256];
    ir_graph *g = p->g;
    if (count != (uint32_t)g->output_count)
        return ir_text_fail(p, IR_EPARSE, line, "expected %d result types, found %u", g->output_count, count);
    for (uint32_t i = 0; i < count; i++) {
        const ir_type *t = &g->nodes[g->outputs[i].value].type;
        if (!ir_type_eq(t, &types[i]))
            return ir_text_fail(p, IR_EPARSE, line, "result %u: expected the type %.120s, found %.120s", i,
                                ir_type_text(t, g->symbols, inferred, sizeof inferred),
                                ir_type_text(&types[i], g->symbols, written, sizeof written));
    }
    return true;
}

/* ---- the whole --------------------------------------------------------------------------------------- */

static bool read_graph(ir_parser *p)
{
    ir_name *name;
    ir_type *types;
    uint32_t count;
    if (!ir_text_accept_word(p, "graph"))
        return ir_text_expected(p, "graph");
    if (!ir_text_expect(p, "@") || !ir_text_name(p, "the graph's name", &name))
        return false;
    p->g->name = name->text;
    uint32_t line = p->line;
    if (!read_symbols(p) || !read_leaves(p) || !read_result_types(p, &types, &count))
        return false;
    while (!ir_text_accept_word(p, "return"))
        if (!read_node(p))
            return false;
    return read_return(p) && ir_text_line_end(p) && read_rest(p) && check_result_types(p, types, count, line);
}

static bool verify(ir_parser *p)
{
    ir_error inner = {0};
    return ir_verify(p->g, &inner) == IR_OK || ir_text_fail(p, inner.status, p->line, "%s", inner.text);
}

ir_graph *ir_parse(const char *text, size_t size, const char *file, const ir_customs *customs, ir_error *e)
{
    ir_error inner = {0};
    ir_parser p = {.at = text,
                   .end = text + size,
                   .file = file ? file : "<text>",
                   .line = 1,
                   .e = &inner,
                   .customs = customs};
    if (size > text_max) {
        ir_fail(e, IR_EPARSE, "%.80s:1: the text has more than %zu bytes", p.file, text_max);
        return NULL;
    }
    p.g = ir_graph_new("");
    p.locale = p.g ? newlocale(LC_ALL_MASK, "C", (locale_t)0) : (locale_t)0;
    if (!p.locale) {
        ir_graph_free(p.g);
        ir_fail(e, IR_ENOMEM, "%.80s:1: out of memory", p.file);
        return NULL;
    }
    bool ok = read_graph(&p) && verify(&p);
    freelocale(p.locale);
    if (ok) {
        p.g->sink.loc = (ir_loc){0};
        p.g->sink.region = NULL;
        return p.g;
    }
    ir_graph_free(p.g);
    ir_fail(e, inner.status, "%s", inner.text);
    return NULL;
}
