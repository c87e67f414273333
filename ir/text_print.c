/* ir/text_print.c: graph -> text (docs/ir.md), exactly: parsing the text gives the same nodes, ids, bits and
 * plan.
 *
 *   graph @mlp(%x: f32[n,784], %w: f32[784,10] variable) -> (f32[n,10]) {
 *     %2 = dot_general %x, %w {lhs_k=[1], rhs_k=[0]} : f32[n,10]   ; model.c:14
 *     return y: %2
 *   }
 *
 * Leaves stand in the signature and take the ids that the body leaves free.  Floats are hexadecimal, so no
 * digit is lost and no locale matters.  Linear in the size of the graph. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "attrs.h"

enum { SIGNATURE_COLUMNS = 100, COMMENT_COLUMN = 56 };

typedef struct writer {
    char *text;
    size_t size, room;
    size_t line; /* where the current line starts */
    bool failed;
} writer;

/* ---- characters -------------------------------------------------------------------------------------- */

static void put_bytes(writer *w, const char *s, size_t n)
{
    if (w->failed)
        return;
    if (n >= w->room - w->size) {
        size_t room = (w->room + n) * 2;
        char *text = n < SIZE_MAX / 4 && w->room < SIZE_MAX / 4 ? ir_mem_resize(w->text, room) : NULL;
        if (!text) {
            w->failed = true;
            return;
        }
        w->text = text;
        w->room = room;
    }
    memcpy(w->text + w->size, s, n);
    w->size += n;
    w->text[w->size] = 0;
}

static void put(writer *w, const char *s)
{
    put_bytes(w, s, strlen(s));
}

__attribute__((format(printf, 2, 3))) static void putf(writer *w, const char *fmt, ...)
{
    char text[128];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    put(w, text);
}

static void newline(writer *w)
{
    put(w, "\n");
    w->line = w->size;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_plain_name(const char *s)
{
    if (!is_letter(*s))
        return false;
    while (is_letter(*s) || is_digit(*s) || *s == '.')
        s++;
    return *s == 0;
}

static bool is_plain_file(const char *s)
{
    const char *first = s;
    while (is_letter(*s) || is_digit(*s) || (*s && strchr("./+-", *s)))
        s++;
    return *s == 0 && s != first;
}

static void put_quoted(writer *w, const char *s)
{
    put(w, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            putf(w, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            putf(w, "\\x%02x", c);
        else
            put_bytes(w, s, 1);
    }
    put(w, "\"");
}

static void put_name(writer *w, const char *s)
{
    if (is_plain_name(s))
        put(w, s);
    else
        put_quoted(w, s);
}

/* ---- values ------------------------------------------------------------------------------------------ */

/* The magnitude of a finite double, as %a would print it in the C locale. */
static void put_hex_float(writer *w, uint64_t bits)
{
    uint64_t fraction = bits & (((uint64_t)1 << 52) - 1);
    int exponent = (int)(bits >> 52 & 0x7ff);
    if (exponent == 0 && fraction == 0) {
        put(w, "0x0p+0");
        return;
    }
    putf(w, "0x%d", exponent != 0);
    if (fraction) {
        char digits[16];
        int n = snprintf(digits, sizeof digits, "%013" PRIx64, fraction);
        while (digits[n - 1] == '0')
            n--;
        putf(w, ".%.*s", n, digits);
    }
    putf(w, "p%+d", exponent ? exponent - 1023 : -1022);
}

static void put_f64(writer *w, uint64_t bits)
{
    uint64_t magnitude = bits & ~((uint64_t)1 << 63), inf = (uint64_t)0x7ff << 52;
    if (bits == 0x7ff8000000000000u) {
        put(w, "nan");
    } else if (magnitude > inf) {
        putf(w, "nan(0x%016" PRIx64 ")", bits);
    } else {
        put(w, bits >> 63 ? "-" : "");
        if (magnitude == inf)
            put(w, "inf");
        else
            put_hex_float(w, magnitude);
    }
}

/* f16, bf16 and f32: exact as f64. */
static void put_short_float(writer *w, ir_dtype d, uint64_t bits)
{
    double v = ir_element_get(d, &bits);
    float quiet = NAN;
    uint64_t wide, plain = 0;

    ir_element_set(d, &plain, (double)quiet);
    memcpy(&wide, &v, sizeof wide);
    if (v == v)
        put_f64(w, wide);
    else if (bits == plain)
        put(w, "nan");
    else
        putf(w, "nan(0x%0*" PRIx64 ")", 2 * (int)ir_dtype_size(d), bits);
}

static void put_element(writer *w, ir_dtype d, const void *p)
{
    uint64_t bits = 0;
    int unused = 64 - 8 * (int)ir_dtype_size(d);

    memcpy(&bits, p, ir_dtype_size(d));
    if (d == IR_DT_bool)
        put(w, bits ? "true" : "false");
    else if (d == IR_DT_f64)
        put_f64(w, bits);
    else if (ir_dtype_is_float(d))
        put_short_float(w, d, bits);
    else if (ir_dtype_is_signed(d))
        putf(w, "%" PRId64, (int64_t)(bits << unused) >> unused);
    else
        putf(w, "%" PRIu64, bits);
}

static void put_type(writer *w, const ir_graph *g, const ir_type *t)
{
    putf(w, "%s[", ir_dtype_name((ir_dtype)t->dtype));
    for (int i = 0; i < t->rank && i < IR_MAX_RANK; i++) {
        put(w, i ? "," : "");
        if (t->dims[i] >= 0)
            putf(w, "%" PRId64, t->dims[i]);
        else
            put(w, g->symbols[~t->dims[i]]);
    }
    put(w, "]");
}

static bool is_leaf(const ir_node *n)
{
    return n->op == IR_input || n->op == IR_variable;
}

static void put_ref(writer *w, const ir_graph *g, ir_ref r)
{
    put(w, "%");
    if (r < g->count && is_leaf(&g->nodes[r]))
        put_name(w, g->nodes[r].attrs->leaf.name);
    else
        putf(w, "%" PRIu32, r);
}

static void put_refs(writer *w, const ir_graph *g, const ir_ref *x, int n, const char *separator)
{
    for (int i = 0; i < n; i++) {
        put(w, i ? separator : "");
        put_ref(w, g, x[i]);
    }
}

/* ---- nodes ------------------------------------------------------------------------------------------- */

static bool has_place(const ir_node *n)
{
    return n->loc.file || n->region;
}

/* "; FILE:LINE in REGION" at a common column. */
static void put_place(writer *w, const ir_node *n)
{
    if (!has_place(n))
        return;
    do
        put(w, " ");
    while (!w->failed && w->size - w->line < COMMENT_COLUMN);
    put(w, ";");
    if (n->loc.file) {
        put(w, " ");
        if (is_plain_file(n->loc.file))
            put(w, n->loc.file);
        else
            put_quoted(w, n->loc.file);
        putf(w, ":%" PRIu32, n->loc.line);
    }
    if (n->region) {
        put(w, " in ");
        put_name(w, n->region);
    }
}

static void put_data(writer *w, const ir_node *n)
{
    ir_dtype d = (ir_dtype)n->type.dtype;
    size_t size = ir_dtype_size(d), count = n->attrs->constant.bytes / size;
    const char *p = n->attrs->constant.data;
    put(w, n->attrs->splat ? "splat=" : "data=[");
    for (size_t i = 0; i < count && !w->failed; i++) {
        put(w, i ? "," : "");
        put_element(w, d, p + i * size);
    }
    put(w, n->attrs->splat ? "" : "]");
}

static void put_entry(writer *w, const ir_graph *g, const ir_attr_field *f, const void *p, int i)
{
    switch (f->kind) {
    case IR_AF_AXES: putf(w, "%d", ((const int8_t *)p)[i]); break;
    case IR_AF_INTS:
    case IR_AF_DIMS: {
        int64_t v = ((const int64_t *)p)[i];
        if (f->kind == IR_AF_DIMS && v < 0)
            put(w, g->symbols[~v]);
        else
            putf(w, "%" PRId64, v);
        break;
    }
    case IR_AF_F64: put_element(w, IR_DT_f64, p); break;
    case IR_AF_F64S: put_element(w, IR_DT_f64, (const double *)p + i); break;
    case IR_AF_CALL: put(w, (*(const ir_custom *const *)p)->name); break;
    case IR_AF_U64: putf(w, "%" PRIu64, *(const uint64_t *)p); break;
    case IR_AF_NAME:
    case IR_AF_DATA: break;
    }
}

static void put_field(writer *w, const ir_graph *g, const ir_node *n, const ir_attr_field *f)
{
    const void *p = (const char *)n->attrs + f->offset;
    int entries = ir_attr_entries(f, n->attrs);
    if (f->kind == IR_AF_DATA) {
        put_data(w, n);
        return;
    }
    putf(w, "%s=%s", f->key, f->count == IR_AC_ONE ? "" : "[");
    for (int i = 0; i < entries; i++) {
        put(w, i ? "," : "");
        put_entry(w, g, f, p, i);
    }
    put(w, f->count == IR_AC_ONE ? "" : "]");
}

static void put_attrs(writer *w, const ir_graph *g, const ir_node *n)
{
    const ir_attr_form *form = ir_attr_form_of(n->op);
    bool open = false;
    for (int i = 0; i < form->count; i++) {
        const ir_attr_field *f = &form->fields[i];
        if (f->missing == IR_AD_EMPTY && ir_attr_entries(f, n->attrs) == 0)
            continue;
        put(w, open ? ", " : " {");
        open = true;
        put_field(w, g, n, f);
    }
    put(w, open ? "}" : "");
}

static void put_node(writer *w, const ir_graph *g, ir_ref r)
{
    const ir_node *n = &g->nodes[r];
    putf(w, "  %%%" PRIu32 " = %s%s", r, ir_ops[n->op].name, n->n ? " " : "");
    put_refs(w, g, n->x, n->n, ", ");
    put_attrs(w, g, n);
    put(w, " : ");
    put_type(w, g, &n->type);
    put_place(w, n);
    newline(w);
}

/* ---- signature --------------------------------------------------------------------------------------- */

/* Takes one dim in text order; false if its symbol is new but not the next one of the table. */
static bool in_order(int64_t dim, int *seen)
{
    if (dim >= 0 || ~dim < *seen)
        return true;
    return ~dim == (*seen)++;
}

static bool type_in_order(const ir_type *t, int *seen)
{
    for (int i = 0; i < t->rank; i++)
        if (!in_order(t->dims[i], seen))
            return false;
    return true;
}

/* Whether reading the text finds the symbols in the table's order, so that they need no list of their own. (A
 * limit of slice that is a symbol is also an extent of its operand.) */
static bool symbols_in_order(const ir_graph *g)
{
    int seen = 0;
    for (int i = 0; i < g->input_count; i++)
        if (!type_in_order(&g->nodes[g->inputs[i]].type, &seen))
            return false;
    for (int i = 0; i < g->output_count; i++)
        if (!type_in_order(&g->nodes[g->outputs[i].value].type, &seen))
            return false;
    for (ir_ref r = 0; r < g->count; r++)
        if (!type_in_order(&g->nodes[r].type, &seen))
            return false;
    return seen == g->symbol_count;
}

static void put_leaves(writer *w, const ir_graph *g, bool one_line)
{
    for (int i = 0; i < g->input_count; i++) {
        const ir_node *n = &g->nodes[g->inputs[i]];
        put(w, one_line ? (i ? " " : "") : "    ");
        put_ref(w, g, g->inputs[i]);
        put(w, ": ");
        put_type(w, g, &n->type);
        put(w, n->op == IR_variable ? " variable" : "");
        put(w, i + 1 < g->input_count ? "," : "");
        if (!one_line) {
            put_place(w, n);
            newline(w);
        }
    }
}

static void put_header(writer *w, const ir_graph *g, bool one_line)
{
    put(w, "graph @");
    put_name(w, g->name);
    if (!symbols_in_order(g)) {
        put(w, " [");
        for (int i = 0; i < g->symbol_count; i++) {
            put(w, i ? ", " : "");
            put(w, g->symbols[i]);
        }
        put(w, "]");
    }
    put(w, "(");
    if (!one_line)
        newline(w);
    put_leaves(w, g, one_line);
    put(w, ") -> (");
    for (int i = 0; i < g->output_count; i++) {
        put(w, i ? ", " : "");
        put_type(w, g, &g->nodes[g->outputs[i].value].type);
    }
    put(w, ") {");
}

static void put_signature(writer *w, const ir_graph *g)
{
    size_t start = w->size;
    bool one_line = true;
    for (int i = 0; i < g->input_count; i++)
        one_line = one_line && !has_place(&g->nodes[g->inputs[i]]);
    if (one_line) {
        put_header(w, g, true);
        if (w->size - start > SIGNATURE_COLUMNS && g->input_count) {
            w->size = start;
            one_line = false;
        }
    }
    if (!one_line)
        put_header(w, g, false);
    newline(w);
}

/* ---- results, kernels, memory ------------------------------------------------------------------------ */

static void put_return(writer *w, const ir_graph *g)
{
    const char *separator = " ";
    put(w, "  return");
    for (int i = 0; i < g->output_count; i++, separator = ", ") {
        put(w, separator);
        put_name(w, g->outputs[i].name);
        put(w, ": ");
        put_ref(w, g, g->outputs[i].value);
    }
    for (int i = 0; i < g->assign_count; i++, separator = ", ") {
        put(w, separator);
        put(w, "assign ");
        put_ref(w, g, g->assigns[i].variable);
        put(w, " = ");
        put_ref(w, g, g->assigns[i].value);
    }
    newline(w);
    if (g->random_count) {
        putf(w, "  random %" PRIu64, g->random_count);
        newline(w);
    }
}

static void put_kernel(writer *w, const ir_graph *g, const ir_kernel *k)
{
    putf(w, "  kernel %s ", ir_kernel_kind_name(k->kind));
    put_quoted(w, k->name ? k->name : "");
    put(w, " root ");
    put_ref(w, g, k->root);
    put(w, " { ");
    put_refs(w, g, k->nodes, k->node_count, " ");
    put(w, " -> ");
    put_refs(w, g, k->outs, k->out_count, " ");
    put(w, " }");
    newline(w);
}

static void put_chain(writer *w, const ir_chain *c)
{
    putf(w, "  chain %d..%d slices %" PRId64 " strands %d", c->first, c->first + c->count - 1, c->slices,
         c->strands);
    if (c->bytes)
        putf(w, " scratch @%zu +%zu", c->offset, c->bytes);
    newline(w);
}

static void put_storage(writer *w, ir_buffer_kind kind, int index, size_t offset)
{
    bool in_arena = kind == IR_B_ARENA || kind == IR_B_SCRATCH;
    putf(w, " %s", ir_buffer_kind_name(kind));
    if (index || (!in_arena && kind != IR_B_NONE))
        putf(w, " %d", index);
    if (offset || in_arena)
        putf(w, " @%zu", offset);
}

static void put_copy(writer *w, const ir_copy *c)
{
    put(w, "  copy");
    put_storage(w, c->to.kind, c->to.index, c->to.offset);
    put(w, " from");
    put_storage(w, c->from.kind, c->from.index, c->from.offset);
    putf(w, " +%zu", c->bytes);
    newline(w);
}

static void put_buffer(writer *w, const ir_graph *g, const ir_buffer *b)
{
    put(w, "  buffer ");
    put_ref(w, g, b->node);
    put_storage(w, b->kind, b->index, b->offset);
    putf(w, " +%zu life %d..%d", b->bytes, b->first, b->last);
    if (b->alias != IR_NONE) {
        put(w, " alias ");
        put_ref(w, g, b->alias);
    }
    newline(w);
}

static void put_plan(writer *w, const ir_graph *g)
{
    for (int i = 0; i < g->kernels.count; i++)
        put_kernel(w, g, &g->kernels.items[i]);
    for (int i = 0; i < g->kernels.chain_count; i++)
        put_chain(w, &g->kernels.chains[i]);
    if (g->buffers.arena_bytes) {
        putf(w, "  arena %zu", g->buffers.arena_bytes);
        newline(w);
    }
    for (int i = 0; i < g->buffers.count; i++)
        put_buffer(w, g, &g->buffers.items[i]);
    for (int i = 0; i < g->buffers.copy_count; i++)
        put_copy(w, &g->buffers.copies[i]);
}

ir_status ir_print(const ir_graph *g, char **text, ir_error *e)
{
    writer w = {.text = ir_mem_alloc(256), .room = 256};
    *text = NULL;
    w.failed = !w.text;
    put_signature(&w, g);
    for (ir_ref r = 0; r < g->count && !w.failed; r++)
        if (!is_leaf(&g->nodes[r]))
            put_node(&w, g, r);
    put_return(&w, g);
    put_plan(&w, g);
    put(&w, "}\n");
    if (w.failed) {
        ir_mem_free(w.text);
        return ir_fail(e, IR_ENOMEM, "out of memory printing graph %s", g->name);
    }
    *text = w.text;
    return IR_OK;
}
