/* ir/text_lex.c: the parser's characters: marks, words, names, comments, places, and its one kind of message.
 *
 *   model.tdm:4: expected ':' before the type, found 'f32'
 *
 * Every read is bounded by p->end; the text need not end with a zero byte.  `;` starts a comment anywhere;
 * after a node or a leaf a comment that reads "FILE:LINE [in NAME]" is that node's place. */
#include <stdio.h>
#include <string.h>

#include "text.h"

bool ir_text_fail(ir_parser *p, ir_status s, uint32_t line, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    ir_fail(p->e, s, "%.80s:%u: %s", p->file, line, text);
    return false;
}

bool ir_text_lift(ir_parser *p, uint32_t line)
{
    ir_status s = p->g->error.status;
    return ir_text_fail(p, s == IR_OK ? IR_ENOMEM : s, line, "%s",
                        s == IR_OK ? "out of memory" : p->g->error.text);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_word(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9');
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

bool ir_text_expected(ir_parser *p, const char *what)
{
    const char *s = p->at, *end = p->end - s > 24 ? s + 24 : p->end;
    if (s == p->end)
        return ir_text_fail(p, IR_EPARSE, p->line, "expected %s, found the end of the text", what);
    if (*s == '\n' || *s == ';')
        return ir_text_fail(p, IR_EPARSE, p->line, "expected %s, found the end of the line", what);
    if (*s < 0x20 || *s > 0x7e)
        return ir_text_fail(p, IR_EPARSE, p->line, "expected %s, found byte 0x%02x", what, (unsigned char)*s);
    const char *stop = s + 1;
    while (stop < end && (is_word(*stop) || *stop == '.') && (is_word(*s) || *s == '%' || *s == '-'))
        stop++;
    return ir_text_fail(p, IR_EPARSE, p->line, "expected %s, found '%.*s'", what, (int)(stop - s), s);
}

/* ---- blanks and marks -------------------------------------------------------------------------------- */

void ir_text_blanks(ir_parser *p)
{
    while (p->at < p->end && is_blank(*p->at))
        p->at++;
}

static void skip_comment(ir_parser *p)
{
    const char *nl = memchr(p->at, '\n', (size_t)(p->end - p->at));
    p->at = nl ? nl : p->end;
}

void ir_text_skip(ir_parser *p)
{
    while (p->at < p->end) {
        if (*p->at == '\n')
            p->line++, p->at++;
        else if (is_blank(*p->at))
            p->at++;
        else if (*p->at == ';')
            skip_comment(p);
        else
            return;
    }
}

bool ir_text_accept(ir_parser *p, const char *mark)
{
    size_t n = strlen(mark);
    ir_text_skip(p);
    if ((size_t)(p->end - p->at) < n || memcmp(p->at, mark, n) != 0)
        return false;
    p->at += n;
    return true;
}

bool ir_text_expect(ir_parser *p, const char *mark)
{
    char what[16];
    if (ir_text_accept(p, mark))
        return true;
    snprintf(what, sizeof what, "'%s'", mark);
    return ir_text_expected(p, what);
}

bool ir_text_at_line_end(const ir_parser *p)
{
    return p->at == p->end || *p->at == '\n' || *p->at == ';' || *p->at == '}';
}

bool ir_text_line_end(ir_parser *p)
{
    ir_text_blanks(p);
    return ir_text_at_line_end(p) || ir_text_expected(p, "the end of the line");
}

/* ---- words and names --------------------------------------------------------------------------------- */

bool ir_text_word(ir_parser *p, const char *what, const char **s, size_t *n)
{
    ir_text_skip(p);
    if (p->at == p->end || !is_letter(*p->at))
        return ir_text_expected(p, what);
    *s = p->at;
    while (p->at < p->end && is_word(*p->at))
        p->at++;
    *n = (size_t)(p->at - *s);
    return true;
}

bool ir_text_accept_word(ir_parser *p, const char *word)
{
    size_t n = strlen(word);
    ir_text_skip(p);
    size_t left = (size_t)(p->end - p->at);
    if (left < n || memcmp(p->at, word, n) != 0 || (left > n && is_word(p->at[n])))
        return false;
    p->at += n;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One character of a quoted name; -1 if it is no valid escape. */
static int quoted_char(const char **s, const char *end)
{
    char c = *(*s)++;
    if (c != '\\')
        return (unsigned char)c;
    if (*s == end)
        return -1;
    c = *(*s)++;
    if (c == '"' || c == '\\')
        return c;
    if (c != 'x' || end - *s < 2)
        return -1;
    int high = hex_digit((*s)[0]), low = hex_digit((*s)[1]);
    *s += 2;
    return high < 0 || low < 0 || high + low == 0 ? -1 : high * 16 + low;
}

/* Reads "..." at *s, which is the opening quote; *s is then behind the closing one.  NULL if it is malformed.
 */
static ir_name *quoted(ir_parser *p, const char **s, const char *end, bool *no_memory)
{
    const char *stop = *s + 1;
    while (stop < end && *stop != '"' && *stop != '\n')
        stop += *stop == '\\' && stop + 1 < end ? 2 : 1;
    *no_memory = false;
    if (stop >= end || *stop != '"')
        return NULL;
    char *text = ir_arena_alloc(p->g->arena, (size_t)(stop - *s));
    size_t n = 0;
    *no_memory = !text;
    for (const char *c = *s + 1; text && c < stop;) {
        int byte = quoted_char(&c, stop);
        if (byte <= 0)
            return NULL;
        text[n++] = (char)byte;
    }
    *s = stop + 1;
    ir_name *e = text ? ir_arena_name(p->g->arena, text, n) : NULL;
    *no_memory = !e;
    return e;
}

bool ir_text_name(ir_parser *p, const char *what, ir_name **out)
{
    bool no_memory;
    ir_text_skip(p);
    if (p->at < p->end && *p->at == '"') {
        *out = quoted(p, &p->at, p->end, &no_memory);
        if (*out)
            return true;
        return no_memory ? ir_text_lift(p, p->line)
                         : ir_text_fail(p, IR_EPARSE, p->line, "%s: malformed string", what);
    }
    const char *s = p->at;
    if (s == p->end || !is_letter(*s))
        return ir_text_expected(p, what);
    while (p->at < p->end && (is_word(*p->at) || *p->at == '.'))
        p->at++;
    *out = ir_arena_name(p->g->arena, s, (size_t)(p->at - s));
    return *out || ir_text_lift(p, p->line);
}

/* ---- places ------------------------------------------------------------------------------------------ */

typedef struct place_text {
    const char *file, *region; /* interned */
    uint32_t line;
} place_text;

/* ":LINE" in s..end, which ends at a blank or the comment's end. */
static bool place_line(const char *s, const char *end, uint32_t *line)
{
    uint64_t v = 0;
    if (s == end)
        return false;
    for (; s < end; s++) {
        if (*s < '0' || *s > '9' || (v = v * 10 + (uint64_t)(*s - '0')) > UINT32_MAX)
            return false;
    }
    *line = (uint32_t)v;
    return true;
}

static const char *token_end(const char *s, const char *end)
{
    while (s < end && !is_blank(*s))
        s++;
    return s;
}

static const char *intern_span(ir_parser *p, const char *s, const char *end)
{
    ir_name *e = ir_arena_name(p->g->arena, s, (size_t)(end - s));
    return e ? e->text : NULL;
}

/* FILE:LINE with a plain or quoted file; NULL if s is something else, else where it ends. */
static const char *place_file(ir_parser *p, const char *s, const char *end, place_text *out)
{
    const char *file_end = NULL, *stop = token_end(s, end);
    bool no_memory;
    if (*s == '"') {
        ir_name *e = quoted(p, &s, end, &no_memory);
        if (!e || s == end || *s != ':')
            return NULL;
        stop = token_end(s, end);
        out->file = e->text;
        return place_line(s + 1, stop, &out->line) ? stop : NULL;
    }
    for (const char *c = s; c < stop; c++)
        if (*c == ':')
            file_end = c;
    if (!file_end || file_end == s || !place_line(file_end + 1, stop, &out->line))
        return NULL;
    out->file = intern_span(p, s, file_end);
    return stop;
}

/* NAME, plain or quoted, up to the end; false if it is something else. */
static bool place_region(ir_parser *p, const char *s, const char *end, place_text *out)
{
    bool no_memory;
    if (s < end && *s == '"') {
        ir_name *e = quoted(p, &s, end, &no_memory);
        out->region = e ? e->text : NULL;
        return e && s == end;
    }
    const char *stop = s;
    if (s == end || !is_letter(*s))
        return false;
    while (stop < end && (is_word(*stop) || *stop == '.'))
        stop++;
    out->region = stop == end ? intern_span(p, s, stop) : NULL;
    return stop == end;
}

/* "FILE:LINE", "FILE:LINE in NAME" or "in NAME" fills s..end exactly. */
static bool parse_place(ir_parser *p, const char *s, const char *end, place_text *out)
{
    while (s < end && is_blank(*s))
        s++;
    while (end > s && is_blank(end[-1]))
        end--;
    if (s == end)
        return false;
    bool region_only = end - s > 3 && memcmp(s, "in ", 3) == 0;
    if (!region_only && !(s = place_file(p, s, end, out)))
        return false;
    while (s < end && is_blank(*s))
        s++;
    if (s == end)
        return true;
    return end - s > 3 && memcmp(s, "in ", 3) == 0 && place_region(p, s + 3, end, out);
}

bool ir_text_place(ir_parser *p, ir_loc *loc, const char **region)
{
    place_text place = {0};
    *loc = (ir_loc){0};
    *region = NULL;
    if (!ir_text_line_end(p))
        return false;
    if (p->at == p->end || *p->at != ';')
        return true;
    const char *s = p->at + 1;
    skip_comment(p);
    if (!parse_place(p, s, p->at, &place))
        return true; /* a comment in prose */
    *loc = (ir_loc){place.file, place.file ? place.line : 0};
    *region = place.region;
    return true;
}
