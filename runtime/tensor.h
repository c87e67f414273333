/* runtime/tensor.h: eager tensors, the context they live in, scopes, the eager sink and the tape.
 *
 * A context belongs to one thread at a time; there is no global mutable state.  Tensors made by ops live in
 * the innermost open scope and die when it closes unless rt_keep moved them out; the outermost scope is the
 * context's.  frontend/ embeds rt_context as the first member of tdm_context and adds graph definition. */
#ifndef TANDEM_RT_TENSOR_H
#define TANDEM_RT_TENSOR_H

#include "ir/ir.h"
#include "runtime/array.h"
#include "runtime/pool.h"

typedef struct tdm_tensor tdm_tensor;
typedef struct rt_context rt_context;
typedef struct rt_scope rt_scope;
typedef struct rt_tape_node rt_tape_node;
typedef struct rt_checkpoint rt_checkpoint;

struct ir_shared;

typedef struct rt_storage {
    void *data;
    size_t bytes;
    struct ir_shared *shared; /* constants hold the data too (share.c): refs is 1, pinned false; or NULL */
    uint32_t refs;
    uint32_t version; /* counts in-place changes (assign) */
    uint32_t busy;    /* a running program is about to write it (frontend/exec.c) */
    uint32_t slots;   /* scratch of closing a checkpointed region: saved slots seen so far */
    ir_loc changed;   /* the user's line of the last one: named when a saved value turns out to be changed */
    bool pinned;      /* an execution keeps the address of the data */
} rt_storage;

struct tdm_tensor {
    rt_array a; /* type, strides, data; must stay first */
    rt_context *ctx;
    /* NULL: a typed placeholder (unsaved operand of a gradient rule) or a symbolic tensor */
    rt_storage *storage;
    uint32_t refs;   /* scope, tape and .grad each hold one */
    rt_scope *scope; /* where it lives; NULL: held by its owner, the tape or a .grad */
    tdm_tensor *scope_next, *scope_prev;
    bool requires_grad, retains_grad;
    bool variable;            /* declared a variable: captured by reference */
    rt_tape_node *grad_fn;    /* NULL for leaves */
    rt_tape_node *accumulate; /* a leaf's AccumulateGrad node; NULL until an op on the leaf was recorded */
    tdm_tensor *grad;
    ir_loc loc;       /* where it was made */
    const char *name; /* parameters; NULL else.  Not owned: must live as long as the context */
    /* Made in the checkpointed region of this number, as this entry of its log; 0: in none. */
    uint64_t made_in;
    uint32_t made_at;
    /* symbolic tensors (frontend/): a node of a graph, which may be gone: its serial number tells */
    ir_graph *graph;
    uint64_t graph_serial;
    ir_ref ref;
};

struct rt_tape_node {
    ir_op op;
    const char *name;  /* "MulBackward0" */
    uint64_t sequence; /* creation order; backward runs newest first */
    uint32_t refs;
    ir_attrs *attrs; /* NULL if the op has none */
    int n;
    /* grad_fn of operand i, or its AccumulateGrad node, or NULL where no gradient is needed */
    rt_tape_node *next[IR_MAX_OPERANDS];
    /* the result (0) and operand i (1 + i): tensors, or typed placeholders where the row saves nothing */
    tdm_tensor *saved[1 + IR_MAX_OPERANDS];
    uint32_t saved_version[1 + IR_MAX_OPERANDS];
    /* bit i: saved[i] is a value of this checkpointed region, to be computed again (checkpoint.c) */
    uint16_t empty;
    rt_checkpoint *checkpoint;
    /* saved values are gone: a second backward is an error that mentions retain_graph */
    bool freed;
    /* AccumulateGrad only: the leaf it adds into; not owned, NULL once the leaf is gone */
    tdm_tensor *leaf;
    tdm_tensor *result; /* asked for retains_grad; not owned, NULL once the result is gone */
    ir_loc loc;
    /* scratch of the backward run with number `run`; meaningless outside it */
    uint64_t run;
    uint32_t waiting;     /* contributions still to come */
    bool wanted, target;  /* leads to a wanted gradient; is itself one */
    tdm_tensor *incoming; /* sum of the contributions so far, one reference */
    rt_tape_node *link;   /* list of nodes that are being freed */
};

struct rt_context {
    ir_sink sink;     /* the eager sink; must stay first; sink.err = &error */
    ir_error error;   /* sticky */
    rt_engine engine; /* kernels and pool in use */
    rt_scope *scope;
    bool grad_mode;
    uint64_t sequence; /* next tape node */
    uint32_t rng_seed[2];
    uint64_t rng_counter; /* next Philox call */
    /* storage now and at most: what compare and train report as eager memory */
    size_t live_bytes, peak_bytes;
    rt_checkpoint *checkpoint; /* the region that is open, or NULL */
    double *op_ns;             /* NULL, or one accumulator per ir_op: profile */
    struct rt_caches *caches;  /* free lists of tensors, tape nodes and small storages */
};

/* Initialises with one scope open, grad mode on.  pool may be NULL; level NULL: best. */
ir_status rt_context_init(rt_context *c, const rt_level *level, rt_pool *pool);
void rt_context_destroy(rt_context *c); /* frees every tensor still in a scope or held */
/* For tests: the allocation after n more fails, once; n < 0: none. */
void rt_context_fail_alloc(rt_context *c, int64_t n);
void rt_context_trim(rt_context *c); /* gives cached memory back to the system */

void rt_scope_open(rt_context *c);
void rt_scope_close(rt_context *c); /* the outermost stays open */
/* t survives the close of the innermost scope: moves it one level out, unless it lives further out already.
 * Returns t. */
tdm_tensor *rt_keep(tdm_tensor *t);
tdm_tensor *rt_retain(tdm_tensor *t); /* one more reference */
void rt_release(tdm_tensor *t);       /* NULL allowed */
/* Takes t out of its scope until rt_release, or the end of the context. */
tdm_tensor *rt_hold(tdm_tensor *t);

/* In the current scope; contents undefined (rt_tensor_new) or copied from row-major data.  NULL + sticky
 * error on failure. */
tdm_tensor *rt_tensor_new(rt_context *c, const ir_type *t);
tdm_tensor *rt_tensor_from(rt_context *c, const ir_type *t, const void *data);
tdm_tensor *rt_placeholder(rt_context *c, const ir_type *t); /* type only */
/* Itself, or a row-major copy (data only: never recorded). */
tdm_tensor *rt_contiguous(tdm_tensor *t);
ir_status rt_copy_out(const tdm_tensor *t, void *data); /* row-major elements */

/* Copy on write (share.c).  A hold on t's bytes for a constant; NULL: they are to be copied now. */
struct ir_shared *rt_share(tdm_tensor *t);
/* Before t's bytes are written: no constant has them.  May move them; false + sticky error: out of memory. */
bool rt_own_slow(tdm_tensor *t);
static inline bool rt_own(tdm_tensor *t)
{
    return !t->storage->shared || rt_own_slow(t);
}

bool rt_pin(tdm_tensor *t); /* and they stay where they are */

/* Infer, compute (views share storage), record when grad mode is on and an operand requires grad.  This is
 * what the sink's emit does; errors are sticky.  One element-wise op on a small tensor must stay under 150 ns
 * without recording. */
tdm_tensor *rt_op(rt_context *c, ir_op op, const ir_attrs *a, tdm_tensor *const *x, int n);

ir_status rt_require_grad(tdm_tensor *t, bool on); /* leaves of a float dtype only */
/* Backward fills .grad of this inner tensor too; nothing to do on a leaf. */
ir_status rt_retain_grad(tdm_tensor *t);
tdm_tensor *rt_detach(tdm_tensor *t); /* a leaf that shares storage */
/* Copies value into t's storage, version + 1.  An error on a result of a recorded op, and on a leaf that
 * requires grad while grad mode is on. */
ir_status rt_assign(tdm_tensor *t, const tdm_tensor *value);

/* Reverse mode from outs with upstream douts (NULL entry: ones, scalars only).  wrt NULL: accumulates into
 * the .grad of every leaf reached (and of retain_grad tensors); else fills grads[i] (in the current scope;
 * NULL: not reached) and touches no .grad.  create_graph: gradients are recorded.  Contributions are added in
 * descending creation order (numerics.md rule 9); the seeds douts[0..no) come first, in order.  Saved values
 * are checked before anything is added: an error leaves every .grad as it was unless memory runs out. */
ir_status rt_backward(rt_context *c, tdm_tensor *const *outs, tdm_tensor *const *douts, int no,
                      tdm_tensor *const *wrt, int nw, tdm_tensor **grads, bool retain_graph,
                      bool create_graph);

/* A checkpointed region: what ops between the two calls save for backward is dropped at the close, unless
 * held elsewhere, and computed again when the gradient gets there: the same bits, for one more run of those
 * ops. One at a time; scopes are the caller's. */
void rt_checkpoint_open(rt_context *c);
void rt_checkpoint_close(rt_context *c); /* nothing if none is open */

#define rt_val(t) ((ir_val)(t))
#define rt_tensor_of(v) ((tdm_tensor *)(v))

#endif
