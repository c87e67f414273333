/* ir/text.h: what the files of the text parser share.  Internal to ir/; the door is ir_parse of ir.h.
 *
 * Every function that returns bool returns false after recording one error, "FILE:LINE: expected .., found
 * ..".  Nothing is freed on the way: what is read lives in the graph's arena, which ir_parse frees on error.
 */
#ifndef TANDEM_IR_TEXT_H
#define TANDEM_IR_TEXT_H

#include <locale.h>

#include "arena.h"

/* A leaf of the signature; it becomes a node when the body skips its id. */
typedef struct ir_text_leaf {
    const ir_name *name;
    ir_type type;
    ir_op op;
    ir_loc loc;
    const char *region;
    uint32_t line;
} ir_text_leaf;

typedef struct ir_parser {
    const char *at, *end;
    const char *file;
    uint32_t line;
    ir_graph *g;
    ir_error *e;
    locale_t locale; /* "C": numbers do not depend on the program's locale */
    const ir_customs *customs;
    ir_text_leaf *leaves;
    uint32_t leaf_count, leaf_capacity, leaf_next;
    uint32_t kernel_capacity, chain_capacity, buffer_capacity, copy_capacity;
} ir_parser;

/* text_lex.c: characters */
__attribute__((format(printf, 4, 5))) bool ir_text_fail(ir_parser *p, ir_status s, uint32_t line,
                                                        const char *fmt, ...);
bool ir_text_expected(ir_parser *p, const char *what);
bool ir_text_lift(ir_parser *p, uint32_t line); /* hands on g->error; false */
void ir_text_skip(ir_parser *p);                /* blanks, line ends, comments */
void ir_text_blanks(ir_parser *p);              /* blanks of this line */
bool ir_text_accept(ir_parser *p, const char *mark);
bool ir_text_expect(ir_parser *p, const char *mark);
bool ir_text_at_line_end(const ir_parser *p);
/* The end of a line, with "; FILE:LINE in REGION" or a comment before it; the line end itself is left. */
bool ir_text_place(ir_parser *p, ir_loc *loc, const char **region);
bool ir_text_line_end(ir_parser *p);
/* A word of letters, digits and _; *s points into the text. */
bool ir_text_word(ir_parser *p, const char *what, const char **s, size_t *n);
bool ir_text_accept_word(ir_parser *p, const char *word);
/* A plain or quoted name, interned. */
bool ir_text_name(ir_parser *p, const char *what, ir_name **out);

/* text_number.c: values */
bool ir_text_i64(ir_parser *p, const char *what, int64_t min, int64_t max, int64_t *out);
bool ir_text_u64(ir_parser *p, const char *what, uint64_t max, uint64_t *out);
bool ir_text_element(ir_parser *p, ir_dtype d, void *out);
bool ir_text_dim(ir_parser *p, int64_t *out); /* an extent or a symbol */
bool ir_text_type(ir_parser *p, ir_type *out);
bool ir_text_ref(ir_parser *p, ir_ref *out); /* a node that is already there */

/* text_attrs.c: attributes of a node, read before its type is known and completed after */
typedef struct ir_text_attrs {
    ir_attrs a;
    unsigned seen;    /* fields, by index */
    int n, nk;        /* -1: not known yet */
    const char *data; /* where a constant's value stands: it can be read when its dtype is known */
    uint32_t data_line, line;
    bool splat;
} ir_text_attrs;
bool ir_text_attrs_read(ir_parser *p, ir_op op, ir_text_attrs *t);
bool ir_text_attrs_finish(ir_parser *p, ir_op op, const ir_type *type, ir_text_attrs *t);

/* text_plan.c: kernel, chain, arena, buffer and copy lines, after the word */
bool ir_text_kernel(ir_parser *p);
bool ir_text_chain(ir_parser *p);
bool ir_text_arena(ir_parser *p);
bool ir_text_buffer(ir_parser *p);
bool ir_text_copy(ir_parser *p);

#endif
