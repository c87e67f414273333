/* ir/text_plan.c: the parser's kernel list and buffer table, the lines behind `return`.
 *
 *   kernel loop "k0_relu+mul" root %4 { %3 %4 -> %4 }
 *   chain 3..5 slices 24 strands 2 scratch @1024 +65536
 *   arena 8192
 *   buffer %4 arena @4096 +1024 life 0..3 alias %2
 *   copy output 1 from arena @4096 +1024
 *
 * Only form and ranges are checked here; ir_verify checks that kernels and buffers fit the graph. */
#include "text.h"

enum { NAMES_MAX = 16 };

/* One word of a list of names, up to the empty one. */
static bool read_kind(ir_parser *p, const char *what, const char *(*name_of)(int), int *out)
{
    for (int i = 0; i < NAMES_MAX && name_of(i)[0] != '?'; i++)
        if (ir_text_accept_word(p, name_of(i))) {
            *out = i;
            return true;
        }
    return ir_text_expected(p, what);
}

static const char *kernel_kind(int i)
{
    return ir_kernel_kind_name((ir_kernel_kind)i);
}

static const char *buffer_kind(int i)
{
    return ir_buffer_kind_name((ir_buffer_kind)i);
}

/* References up to `stop`. */
static bool read_refs(ir_parser *p, const char *stop, const ir_ref **out, int *count)
{
    ir_ref *refs = NULL;
    uint32_t n = 0, capacity = 0;
    while (!ir_text_accept(p, stop)) {
        ir_ref *more = ir_arena_grow(p->g->arena, refs, n, &capacity, sizeof *refs);
        if (!more)
            return ir_text_lift(p, p->line);
        refs = more;
        if (!ir_text_ref(p, &refs[n++]))
            return false;
    }
    *out = refs;
    *count = (int)n;
    return true;
}

static bool expect_word(ir_parser *p, const char *word)
{
    return ir_text_accept_word(p, word) || ir_text_expected(p, word);
}

bool ir_text_kernel(ir_parser *p)
{
    ir_kernel_list *list = &p->g->kernels;
    ir_kernel k = {0};
    ir_name *name;
    int kind = 0;
    if (!read_kind(p, "a kind of kernel", kernel_kind, &kind) ||
        !ir_text_name(p, "the kernel's name", &name) || !expect_word(p, "root") || !ir_text_ref(p, &k.root) ||
        !ir_text_expect(p, "{") || !read_refs(p, "->", &k.nodes, &k.node_count) ||
        !read_refs(p, "}", &k.outs, &k.out_count))
        return false;
    k.kind = (ir_kernel_kind)kind;
    k.name = name->text;
    void *items = ir_arena_grow(p->g->arena, list->items, (size_t)list->count, &p->kernel_capacity,
                                sizeof *list->items);
    if (!items)
        return ir_text_lift(p, p->line);
    list->items = items;
    list->items[list->count++] = k;
    return true;
}

static bool read_int(ir_parser *p, const char *what, int *out)
{
    int64_t v;
    if (!ir_text_i64(p, what, INT32_MIN, INT32_MAX, &v))
        return false;
    *out = (int)v;
    return true;
}

static bool read_bytes(ir_parser *p, size_t *bytes)
{
    uint64_t n;
    if (!ir_text_expect(p, "+") || !ir_text_u64(p, "the bytes", SIZE_MAX / 2, &n))
        return false;
    *bytes = (size_t)n;
    return true;
}

/* @OFFSET +BYTES */
static bool read_scratch(ir_parser *p, ir_chain *c)
{
    uint64_t offset;
    if (!expect_word(p, "scratch") || !ir_text_expect(p, "@") ||
        !ir_text_u64(p, "the offset", SIZE_MAX / 2, &offset))
        return false;
    c->offset = (size_t)offset;
    return read_bytes(p, &c->bytes);
}

bool ir_text_chain(ir_parser *p)
{
    ir_kernel_list *list = &p->g->kernels;
    ir_chain c = {0};
    int last;
    if (!read_int(p, "the first kernel", &c.first) || !ir_text_expect(p, "..") ||
        !read_int(p, "the last kernel", &last) || !expect_word(p, "slices") ||
        !ir_text_i64(p, "the slices", 1, INT64_MAX, &c.slices) || !expect_word(p, "strands") ||
        !read_int(p, "the strands", &c.strands))
        return false;
    ir_text_blanks(p);
    if (!ir_text_at_line_end(p) && !read_scratch(p, &c))
        return false;
    c.count = c.first >= 0 && last >= c.first ? last - c.first + 1 : 0;
    void *chains = ir_arena_grow(p->g->arena, list->chains, (size_t)list->chain_count, &p->chain_capacity,
                                 sizeof *list->chains);
    if (!chains)
        return ir_text_lift(p, p->line);
    list->chains = chains;
    list->chains[list->chain_count++] = c;
    return true;
}

bool ir_text_arena(ir_parser *p)
{
    uint64_t bytes;
    if (p->g->buffers.arena_bytes)
        return ir_text_fail(p, IR_EPARSE, p->line, "arena is given twice");
    if (!ir_text_u64(p, "the arena's bytes", SIZE_MAX / 2, &bytes))
        return false;
    p->g->buffers.arena_bytes = (size_t)bytes;
    return true;
}

/* KIND [INDEX] [@OFFSET] */
static bool read_place(ir_parser *p, ir_place *place)
{
    uint64_t offset = 0;
    int kind = 0;
    if (!read_kind(p, "a kind of buffer", buffer_kind, &kind))
        return false;
    *place = (ir_place){.kind = (ir_buffer_kind)kind};
    ir_text_skip(p);
    if (p->at < p->end && (*p->at == '-' || (*p->at >= '0' && *p->at <= '9')) &&
        !read_int(p, "an index", &place->index))
        return false;
    if (ir_text_accept(p, "@") && !ir_text_u64(p, "the offset", SIZE_MAX / 2, &offset))
        return false;
    place->offset = (size_t)offset;
    return true;
}

bool ir_text_buffer(ir_parser *p)
{
    ir_buffer_table *table = &p->g->buffers;
    ir_buffer b = {.alias = IR_NONE};
    ir_place place;
    if (!ir_text_ref(p, &b.node) || !read_place(p, &place) || !read_bytes(p, &b.bytes) ||
        !expect_word(p, "life") || !read_int(p, "the first kernel", &b.first) || !ir_text_expect(p, "..") ||
        !read_int(p, "the last kernel", &b.last))
        return false;
    ir_text_blanks(p);
    if (!ir_text_at_line_end(p) && (!expect_word(p, "alias") || !ir_text_ref(p, &b.alias)))
        return false;
    b.kind = place.kind;
    b.index = place.index;
    b.offset = place.offset;
    void *items = ir_arena_grow(p->g->arena, table->items, (size_t)table->count, &p->buffer_capacity,
                                sizeof *table->items);
    if (!items)
        return ir_text_lift(p, p->line);
    table->items = items;
    table->items[table->count++] = b;
    return true;
}

bool ir_text_copy(ir_parser *p)
{
    ir_buffer_table *table = &p->g->buffers;
    ir_copy c;
    if (!read_place(p, &c.to) || !expect_word(p, "from") || !read_place(p, &c.from) ||
        !read_bytes(p, &c.bytes))
        return false;
    void *copies = ir_arena_grow(p->g->arena, table->copies, (size_t)table->copy_count, &p->copy_capacity,
                                 sizeof *table->copies);
    if (!copies)
        return ir_text_lift(p, p->line);
    table->copies = copies;
    table->copies[table->copy_count++] = c;
    return true;
}
