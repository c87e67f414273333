/* ir/ir.h: types, ops, values, the sink and the graph.
 *
 * The whole project speaks in these terms.  An op is one row of ops.def.  Values are made by emitting ops
 * into a *sink*: a graph is a sink that appends a node, the eager engine is a sink that runs the op and
 * records it on the tape.  Gradient rules (vjp*.c) and composites (compose_*.c) are written over a sink and
 * so serve both engines. */
#ifndef TANDEM_IR_H
#define TANDEM_IR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IR_MAX_RANK 8
#define IR_MAX_OPERANDS 8                  /* of one node */
#define IR_MAX_ELEMENTS ((int64_t)1 << 40) /* a shape with more elements is refused as overflowing */

/* ---- status ------------------------------------------------------------------------------------------ */

typedef enum {
    IR_OK = 0,
    IR_ESHAPE, /* shapes, ranks or axes do not fit            */
    IR_EDTYPE, /* dtypes do not fit                           */
    IR_EARG,   /* any other bad argument (NULL, name, range)  */
    IR_ENOMEM, /* an allocation failed                        */
    IR_EIO,    /* a file can't be read or written             */
    IR_EPARSE, /* text or file contents are malformed         */
    IR_ESTATE, /* a call in the wrong order (closed graph, freed tape, value of a symbolic tensor) */
    IR_EUNSUPPORTED
} ir_status;

/* The first error of a piece of work: later ones are dropped.  No allocation. */
typedef struct ir_error {
    ir_status status;
    char text[488];
} ir_error;

/* Records an error unless one is there already; returns the status recorded. */
__attribute__((format(printf, 3, 4))) ir_status ir_fail(ir_error *e, ir_status s, const char *fmt, ...);

/* ---- dtypes and shapes ------------------------------------------------------------------------------- */

/* One row per dtype, by class.  The C type of f16 and bf16 holds their bits (half.h).
 *       name  bytes C type    class */
#define IR_INTEGERS(X)       \
    X(u8, 1, uint8_t, INT)   \
    X(u16, 2, uint16_t, INT) \
    X(u32, 4, uint32_t, INT) \
    X(u64, 8, uint64_t, INT) \
    X(i8, 1, int8_t, INT)    \
    X(i16, 2, int16_t, INT)  \
    X(i32, 4, int32_t, INT)  \
    X(i64, 8, int64_t, INT)
#define IR_HALVES(X)           \
    X(f16, 2, uint16_t, FLOAT) \
    X(bf16, 2, uint16_t, FLOAT)
#define IR_REALS(X)         \
    X(f32, 4, float, FLOAT) \
    X(f64, 8, double, FLOAT)
#define IR_DTYPES(X) X(bool, 1, uint8_t, BOOL) IR_INTEGERS(X) IR_HALVES(X) IR_REALS(X)

typedef enum {
#define X(name, bytes, ctype, cls) IR_DT_##name,
    IR_DTYPES(X)
#undef X
        IR_DT_COUNT
} ir_dtype;

/* Sets of dtypes, for the table's dtype column. */
#define D_(name) (1u << IR_DT_##name)
#define D_BOOL D_(bool)
#define D_UNSIGNED (D_(u8) | D_(u16) | D_(u32) | D_(u64))
#define D_INT (D_UNSIGNED | D_(i8) | D_(i16) | D_(i32) | D_(i64))
#define D_HALF (D_(f16) | D_(bf16)) /* computed in f32 (numerics.md, Half precision) */
#define D_FLOAT (D_HALF | D_(f32) | D_(f64))
#define D_NUM (D_INT | D_FLOAT)
#define D_BITS (D_BOOL | D_INT)
#define D_ANY (D_BOOL | D_NUM)

const char *ir_dtype_name(ir_dtype d);
size_t ir_dtype_size(ir_dtype d);
bool ir_dtype_is_float(ir_dtype d);
bool ir_dtype_is_half(ir_dtype d); /* f16 or bf16 */
bool ir_dtype_is_signed(ir_dtype d);
bool ir_dtype_parse(const char *s, size_t n, ir_dtype *out);
/* One element as a double (an integer beyond 2^53 is rounded), and a double as an element: rounded once,
 * integers truncated and saturated, NaN to 0. */
double ir_element_get(ir_dtype d, const void *p);
void ir_element_set(ir_dtype d, void *p, double v);

/* A dtype and a shape.  A dimension >= 1 is an extent; a dimension < 0 is the symbol number ~dim of the
 * graph's symbol table (rules, verifier and text know symbols; compiled and eager code asks for constants).
 * Zero extents are refused everywhere. */
typedef struct ir_type {
    uint8_t dtype; /* ir_dtype */
    uint8_t rank;
    int64_t dims[IR_MAX_RANK]; /* entries past rank are 0 */
} ir_type;

bool ir_type_eq(const ir_type *a, const ir_type *b);  /* dtype and shape */
bool ir_shape_eq(const ir_type *a, const ir_type *b); /* shape only */
bool ir_type_is_static(const ir_type *t);             /* no symbols */
/* product of the extents; 1 for rank 0; static types only */
int64_t ir_type_elements(const ir_type *t);
size_t ir_type_bytes(const ir_type *t);
ir_type ir_type_make(ir_dtype d, int rank, const int64_t *dims);
ir_type ir_type_with(const ir_type *shape_of, ir_dtype d);            /* same shape, other dtype */
void ir_type_strides(const ir_type *t, int64_t strides[IR_MAX_RANK]); /* row-major, in elements */
/* Checks rank and dims (>= 1 or a symbol, no overflow).  `what` names the argument in the message. */
ir_status ir_type_check(const ir_type *t, const char *what, ir_error *e);
/* "f32[4,n,3]" into buf; `symbols` may be NULL (symbols print as s0, s1, ..).  Returns buf. */
char *ir_type_text(const ir_type *t, const char *const *symbols, char *buf, size_t size);

/* ---- ops --------------------------------------------------------------------------------------------- */

typedef enum {
#define OP_ANY(name) IR_##name,
#include "ops.def"
    IR_OP_COUNT
} ir_op;

typedef enum {
    IR_LEAF,      /* input variable constant                                               */
    IR_GENERATE,  /* iota random_bits: an element is a function of its linear index        */
    IR_POINTWISE, /* one element of each operand at the same index -> one element          */
    IR_VIEW,      /* reshape transpose broadcast slice reverse checkpoint: elements of operand 0, elsewhere */
    IR_PAD,       /* the adjoint of slice                                                  */
    IR_CONCAT,    /* operands side by side                                                 */
    IR_REDUCE,    /* reduce_sum reduce_max ..: a run of axes becomes one element           */
    IR_CONTRACT,  /* dot_general                                                           */
    IR_INDEX /* whole operands in memory: gather, scatters, dynamic_slice, dynamic_update, whose places are
                known at run time; argmax, scans, argsort, which walk along axes; custom */
} ir_class;

enum { /* facts */
       IR_COMMUTES = 1,
       IR_IDEMPOTENT = 2,
       IR_BOOL_RESULT = 4, /* the result's dtype is bool whatever the operands' */
       IR_NO_GRAD = 8,     /* no gradient flows through                         */
       IR_EXPENSIVE = 16,  /* costs more than a load: keep rather than recompute within a row kernel */
       /* INDEX: operand 0 with some elements changed; the result may lie in its memory */
       IR_IN_PLACE = 32
};
/* values that the gradient rule reads; W = third operand */
enum { IR_SAVES_X = 1, IR_SAVES_Z = 2, IR_SAVES_Y = 4, IR_SAVES_W = 8 };

typedef struct ir_op_info {
    const char *name;      /* "reduce_sum"                                             */
    const char *grad_name; /* "ReduceSumBackward0", as the tape shows it               */
    ir_class cls;
    int arity; /* -1: any                                                  */
    unsigned facts, dtypes, saves;
    double lo, hi;       /* range of operands that tests draw from                   */
    double flops;        /* per result element (dot_general: per multiply-add)       */
    const char *kink;    /* what the gradient is at kinks and ties, "" if smooth     */
    const char *formula; /* one line for docs/ops                                    */
} ir_op_info;

extern const ir_op_info ir_ops[IR_OP_COUNT];
/* Whether an op on such operands is by definition f32 arithmetic on widened operands, rounded once:
 * reductions, scans, sorts and products of f16 and bf16. (Their pointwise ops round each by itself; the
 * others only move elements.) */
bool ir_op_widens(ir_op op, ir_dtype d);
bool ir_op_parse(const char *s, size_t n, ir_op *out);
/* argmax, argmin, scans, argsort: those of class INDEX that take no places */
bool ir_op_walks_axes(ir_op op);
/* Whether the gradient rule reads operand i of n; i < 0: the result. */
bool ir_op_saves(ir_op op, int i);
/* The op that a scatter combines what is there and its update with; IR_OP_COUNT: none, the update replaces.
 */
ir_op ir_scatter_op(ir_op op);
bool ir_shares_bytes(ir_op op); /* views that lie in their operand's bytes as they are: reshape, checkpoint */

/* ---- attributes -------------------------------------------------------------------------------------- */

typedef struct ir_scan_attrs {
    uint64_t axis;
    uint64_t reverse; /* 1: from the end of the axis (argsort: the greatest first); else 0 */
} ir_scan_attrs;

typedef struct ir_custom ir_custom; /* an op that a program brings along; below, with the sink */

typedef struct ir_random_attrs {
    uint64_t offset; /* added to the counter in the state operand */
} ir_random_attrs;

/* Attributes of one op; always zero-initialised as a whole so that they compare and hash as bytes.
 * Which member counts is fixed by the op:
 *   input variable   name, type      constant  type, data, splat     iota        type (rank 1)
 *   reshape dynamic_slice  type.dims (dtype is the operand's)
 *   broadcast        type.dims, right-aligned as NumPy's broadcast_to
 *   convert          type.dtype
 *   transpose        n, axes (perm: result axis i is operand axis axes[i])
 *   slice            start, limit, step (step >= 1), n = rank
 *   pad              low, high, interior (>= 0), n = rank
 *   reduce_* argmax argmin reverse  n, axes (ascending, as the user wrote the set)
 *   concat           n = 1, axes
 *   cum* linear_scan scan              argsort  scan.reverse
 *   clamp            lo, hi
 *   dot_general      n batch axes: lhs_batch, rhs_batch; nk contracted: lhs_k, rhs_k
 *   random_bits      type (u32), offset
 *   custom           op; n, params */
typedef struct ir_attrs {
    ir_type type;
    uint8_t n, nk;
    bool splat; /* constant: data is one element, repeated */
    union {
        int8_t axes[IR_MAX_RANK];
        struct {
            int64_t start[IR_MAX_RANK], limit[IR_MAX_RANK], step[IR_MAX_RANK];
        } slice;
        struct {
            int64_t low[IR_MAX_RANK], high[IR_MAX_RANK], interior[IR_MAX_RANK];
        } pad;
        struct {
            int8_t lhs_batch[IR_MAX_RANK], rhs_batch[IR_MAX_RANK], lhs_k[IR_MAX_RANK], rhs_k[IR_MAX_RANK];
        } dot;
        struct {
            double lo, hi;
        } clamp;
        struct {
            const void *data;
            size_t bytes;
            struct ir_shared *shared; /* holds data for other graphs too (shared.h); NULL: appending copies */
        } constant;                   /* row-major elements; one element if splat */
        struct {
            const char *name;
        } leaf;
        ir_random_attrs random;
        ir_scan_attrs scan;
        struct {
            const ir_custom *op;
            double params[IR_MAX_RANK];
        } custom;
    };
} ir_attrs;

/* Reductions: where the last run of adjacent axes begins in a's list; 0 if there is but one. */
int ir_last_run(const ir_attrs *a);
uint64_t ir_attrs_hash(ir_op op, const ir_attrs *a); /* follows data and name pointers */
bool ir_attrs_eq(ir_op op, const ir_attrs *a, const ir_attrs *b);

/* The result type of an op, or an error that names the op and shows the operands' shapes.  The one place of
 * shape rules. */
ir_status ir_infer(ir_op op, const ir_attrs *a, const ir_type *const *x, int n, ir_type *out, ir_error *e);

/* ---- the sink ---------------------------------------------------------------------------------------- */

typedef struct ir_loc {
    const char *file; /* interned or static; NULL: unknown */
    uint32_t line;
} ir_loc;

/* A value in some sink: a node of a graph (ref + 1) or a tensor of the eager engine (its address).  0 is
 * "none" and also what a failed emit returns; every emit of a 0 operand is again 0, so rules need no checks.
 */
typedef uintptr_t ir_val;

typedef struct ir_sink ir_sink;
struct ir_sink {
    /* a may be NULL for ops without attributes */
    ir_val (*emit)(ir_sink *s, ir_op op, const ir_attrs *a, const ir_val *x, int n);
    const ir_type *(*type)(ir_sink *s, ir_val v);
    ir_error *err;
    ir_loc loc;         /* given to what is emitted now */
    const char *region; /* name of the composite being built ("softmax"), NULL outside; outermost wins */
};

ir_val ir_emit(ir_sink *s, ir_op op, const ir_attrs *a, const ir_val *x, int n);

/* Gradient contributions of one node: dx[i] for every operand i with bit i of `need` set, else 0; 0 also
 * where no gradient flows.  Values of operands not in the row's `saves` may be typed placeholders without
 * data. */
void ir_vjp(ir_sink *s, ir_op op, const ir_attrs *a, const ir_val *x, int n, ir_val y, ir_val dy,
            unsigned need, ir_val *dx);

/* ---- custom calls ------------------------------------------------------------------------------------ */

/* A function that is none of the table's: all that `custom` nodes know of it.  Without effects, calls with
 * equal operands may become one, be left out, be folded, or be made again.  Lives longer than every graph and
 * program that names it. */
struct ir_custom {
    const char *name;
    bool effects; /* it does more than give a value: every call is made, once and in the order of the nodes */
    ir_status (*infer)(const ir_custom *c, const ir_attrs *a, const ir_type *const *x, int n, ir_type *out,
                       ir_error *e);
    /* Row-major operands and result, of the inferred types.  May be called by several threads at once. */
    ir_status (*forward)(const ir_custom *c, const ir_attrs *a, const ir_type *const *xt,
                         const void *const *x, int n, const ir_type *yt, void *y, ir_error *e);
    /* The rule over a sink, as ir_vjp; NULL: it has none, and a gradient through it is an error. */
    void (*vjp)(const ir_custom *c, ir_sink *s, const ir_attrs *a, const ir_val *x, int n, ir_val y,
                ir_val dy, unsigned need, ir_val *dx);
};

/* Those that a text may name. */
typedef struct ir_customs {
    const ir_custom *const *items;
    int count;
} ir_customs;

/* ---- the graph --------------------------------------------------------------------------------------- */

typedef uint32_t ir_ref;
#define IR_NONE UINT32_MAX

typedef struct ir_node {
    ir_op op;
    ir_type type;
    const ir_attrs *attrs; /* never NULL inside a graph */
    const ir_ref *x;       /* operands, all smaller than the node's own ref */
    int n;
    ir_loc loc;
    const char *region; /* NULL or a name */
} ir_node;

/* Operands whose elements the value depends on, from the front: checkpoint only waits for its second. */
int ir_operands_read(const ir_node *n);
/* A custom call that does more than give its value. */
bool ir_has_effects(const ir_node *n);

typedef struct ir_output {
    const char *name;
    ir_ref value;
} ir_output;

typedef struct ir_assign {
    ir_ref variable, value;
} ir_assign;

#include "kernel.h"

/* Nodes in one growing array; array order = topological = print = emission order.  All memory that nodes
 * point to lives in the graph's arena.  A graph is also a sink: &g->sink; values are ref + 1. */
typedef struct ir_graph {
    ir_sink sink; /* must stay first */
    ir_error error;
    const char *name;
    ir_node *nodes;
    uint32_t count, capacity;
    const char **symbols; /* names of symbolic dims */
    int symbol_count;
    ir_ref *inputs; /* input and variable leaves in creation order: the argument order */
    int input_count;
    ir_output *outputs;
    int output_count;
    ir_assign *assigns; /* take effect after every read */
    int assign_count;
    uint64_t random_count;   /* Philox counters one run takes */
    ir_kernel_list kernels;  /* filled by fuse: empty before */
    ir_buffer_table buffers; /* filled by plan: empty before */
    struct ir_arena *arena;
} ir_graph;

ir_graph *ir_graph_new(const char *name); /* NULL when out of memory */
void ir_graph_free(ir_graph *g);
/* zeroed, lives as long as g; NULL + sticky ENOMEM on failure */
void *ir_graph_alloc(ir_graph *g, size_t bytes);
const char *ir_graph_intern(ir_graph *g, const char *s);
int ir_graph_symbol(ir_graph *g, const char *name); /* finds or adds; -1 when out of memory */
/* Appends a node after inference; names, data, attributes and operands are copied into the graph.  IR_NONE on
 * error (g->error). */
ir_ref ir_graph_append(ir_graph *g, ir_op op, const ir_attrs *a, const ir_ref *x, int n);
ir_ref ir_graph_input(ir_graph *g, const char *name, const ir_type *t);    /* name must be new; op input */
ir_ref ir_graph_variable(ir_graph *g, const char *name, const ir_type *t); /* op variable */
ir_status ir_graph_output(ir_graph *g, const char *name, ir_ref v);
/* a later assign of one variable replaces the earlier */
ir_status ir_graph_assign(ir_graph *g, ir_ref variable, ir_ref value);
/* Operations that computing node n once takes, by its row; 0 with symbolic dims. */
double ir_node_flops(const ir_graph *g, const ir_node *n);
/* Operations of nodes whose value an earlier node has: equal but for checkpoints below them. */
double ir_repeated_flops(const ir_graph *g);
/* The most bytes of the arena that are in use at once (values rounded up to 64; copies' stages apart): no
 * placing of the same lives needs less.  *kernel: when, -1 if there are none.  0 when out of memory. */
size_t ir_live_peak(const ir_graph *g, int *kernel);
/* A structural check of everything a graph promises; the message names the node. */
ir_status ir_verify(const ir_graph *g, ir_error *e);

#define ir_val_of(ref) ((ir_val)(ref) + 1)
#define ir_ref_of(val) ((ir_ref)((val) - 1))

/* Text form (docs/ir.md): exact round trip.  `file` names the source in errors.  Caller frees *text with
 * free(). */
ir_status ir_print(const ir_graph *g, char **text, ir_error *e);
/* NULL on error: "FILE:LINE: ...".  customs: the ops that it may call, NULL for none */
ir_graph *ir_parse(const char *text, size_t size, const char *file, const ir_customs *customs, ir_error *e);

#endif
