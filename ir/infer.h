/* ir/infer.h: what the files of shape rules share.  Internal to ir/; the door is ir_infer of ir.h. */
#ifndef TANDEM_IR_INFER_H
#define TANDEM_IR_INFER_H

#include "ir.h"

/* One call of ir_infer. */
typedef struct ir_inference {
    ir_op op;
    const ir_attrs *a;
    const ir_type *const *x;
    int n;
    const char *const *symbols; /* names for messages or NULL */
    ir_type *out;
    ir_error *e;
} ir_inference;

typedef struct ir_type_text_buf {
    char text[256];
} ir_type_text_buf;

/* Fails with "OP: message". */
__attribute__((format(printf, 3, 4))) ir_status ir_infer_fail(const ir_inference *c, ir_status s,
                                                              const char *fmt, ...);
/* A type, or a dim of its own, as messages show it. */
const char *ir_infer_show(const ir_inference *c, const ir_type *t, ir_type_text_buf *b);
const char *ir_infer_dim(const ir_inference *c, int64_t dim, ir_type_text_buf *b);
/* `axes` are in 0..rank-1 and differ; `what` names the list in the message. */
ir_status ir_infer_axes(const ir_inference *c, const int8_t *axes, int n, const ir_type *t, const char *what);
/* .. and ascend. */
ir_status ir_infer_ascending(const ir_inference *c, const int8_t *axes, int n, const ir_type *t);
/* The result is *t unless its rank or size is too large. */
ir_status ir_infer_result(const ir_inference *c, const ir_type *t);

/* ir_infer with the names of symbols for messages. */
ir_status ir_infer_named(ir_op op, const ir_attrs *a, const ir_type *const *x, int n,
                         const char *const *symbols, ir_type *out, ir_error *e);

/* infer_view.c */
ir_status ir_infer_reshape(const ir_inference *c);
ir_status ir_infer_transpose(const ir_inference *c);
ir_status ir_infer_broadcast(const ir_inference *c);
ir_status ir_infer_slice(const ir_inference *c);
ir_status ir_infer_checkpoint(const ir_inference *c);
ir_status ir_infer_pad(const ir_inference *c);
ir_status ir_infer_reverse(const ir_inference *c);
ir_status ir_infer_concat(const ir_inference *c);
/* infer_index.c */
ir_status ir_infer_gather(const ir_inference *c);
ir_status ir_infer_scatter(const ir_inference *c);
ir_status ir_infer_dynamic_slice(const ir_inference *c);
ir_status ir_infer_dynamic_update(const ir_inference *c);
/* infer_reduce.c */
ir_status ir_infer_reduce(const ir_inference *c);
ir_status ir_infer_argmax(const ir_inference *c);
ir_status ir_infer_dot_general(const ir_inference *c);
/* infer_scan.c */
ir_status ir_infer_scan(const ir_inference *c);
ir_status ir_infer_argsort(const ir_inference *c);

#endif
