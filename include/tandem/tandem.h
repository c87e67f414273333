/* Tandem: one model source, two engines, the same bits.
 *
 *     #include <stdio.h>
 *     #include <tandem/tandem.h>
 *
 *     static tdm_tensor *model(tdm_tensor *x, tdm_tensor *w)        // y = (x + w) * (w + 1), written once
 *     {
 *         return tdm_mul(tdm_add(x, w), tdm_add_scalar(w, 1));
 *     }
 *
 *     int main(void)
 *     {
 *         tdm_context *ctx = tdm_context_new(NULL);
 *         tdm_tensor *x = tdm_full(ctx, TDM_F32, tdm_shape(1), 2);
 *         tdm_tensor *w = tdm_parameter(tdm_full(ctx, TDM_F32, tdm_shape(1), 1), "w");
 *
 *         tdm_tensor *y = model(x, w);                              // eager: runs now, records a tape
 *         tdm_backward(y);
 *         printf("eager   y = %g  dy/dw = %g\n", tdm_item(y), tdm_item(tdm_grad(w)));
 *
 *         tdm_graph *g = tdm_graph_open(ctx, "seed");               // static: the same words define a graph
 *         tdm_tensor *sx = tdm_input(ctx, "x", TDM_F32, tdm_shape(1)), *sy = model(sx, w), *dw;
 *         tdm_gradients(&sy, NULL, 1, &w, 1, &dw, 0);
 *         tdm_output(ctx, "y", sy), tdm_output(ctx, "dw", dw);
 *         tdm_graph_close(ctx);
 *         tdm_program *p = tdm_compile(g, NULL);
 *         tdm_exec *e = tdm_exec_new(p);
 *         tdm_exec_bind(e, "x", x);
 *         tdm_exec_run(e);
 *         printf("static  y = %g", tdm_item(tdm_exec_output(e, "y")));
 *         printf("  dy/dw = %g\n", tdm_item(tdm_exec_output(e, "dw")));
 *         puts(tdm_error(ctx)); // "" if all went well
 *         tdm_exec_free(e), tdm_program_free(p), tdm_graph_free(g), tdm_context_free(ctx);
 *     }
 *
 * One handle type, tdm_tensor, serves both engines: while a graph is open on the context every op appends a
 * node to it, otherwise the op runs now.  Errors are sticky: the first failing call records one line (op,
 * shapes, the caller's file:line), and that call and later ones return the context's error tensor, which
 * every function passes on.  Look with tdm_ok and tdm_error when it suits.  The library never aborts, exits
 * or prints.
 *
 * Tensors that ops return live in the innermost open scope (tdm_scope_open) and die when it closes.  A
 * context belongs to one thread at a time; different contexts are independent.
 *
 * Functions written in lower case below are macros that add the caller's file and line to functions of the
 * same name. */
#ifndef TANDEM_TANDEM_H
#define TANDEM_TANDEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined __cplusplus
extern "C" {
#endif

#if defined __GNUC__
#define TDM_API __attribute__((visibility("default")))
#else
#define TDM_API
#endif

#define TDM_MAX_RANK 8

typedef struct tdm_context tdm_context;
typedef struct tdm_tensor tdm_tensor;
typedef struct tdm_graph tdm_graph;
typedef struct tdm_program tdm_program;
typedef struct tdm_exec tdm_exec;
typedef struct tdm_optimizer tdm_optimizer;
typedef struct tdm_grad_fn tdm_grad_fn;
typedef struct tdm_archive tdm_archive;

/* Elements in memory: bool is one byte, 0 or 1; f16 (IEEE binary16) and bf16 (the upper half of an f32) are
 * 16 bits, made by tdm_convert, read by tdm_item or tdm_element (inspect.h).  Ops on them compute in f32 and
 * round once (docs/numerics.md). */
/* clang-format off */
typedef enum {
    TDM_BOOL,
    TDM_U8, TDM_U16, TDM_U32, TDM_U64, TDM_I8, TDM_I16, TDM_I32, TDM_I64,
    TDM_F16, TDM_BF16, TDM_F32, TDM_F64
} tdm_dtype;
/* clang-format on */

typedef enum {
    TDM_OK,
    TDM_ESHAPE, /* shapes, ranks or axes do not fit */
    TDM_EDTYPE, /* dtypes do not fit */
    TDM_EARG,   /* any other bad argument: NULL, a name, a range */
    TDM_ENOMEM,
    TDM_EIO,
    TDM_EPARSE, /* malformed text or file contents */
    TDM_ESTATE, /* a call in the wrong order: reading a symbolic tensor, a second backward, .. */
    TDM_EUNSUPPORTED
} tdm_status;

typedef struct tdm_dims {
    int rank;
    int64_t dims[TDM_MAX_RANK];
} tdm_dims;

/* tdm_shape(128, 784); tdm_shape() is a scalar.  Extents must be >= 1. */
#define tdm_shape(...)                              \
    tdm_shape_of((const int64_t[]){0, __VA_ARGS__}, \
                 (int)(sizeof((int64_t[]){0, __VA_ARGS__}) / sizeof(int64_t)) - 1)
TDM_API tdm_dims tdm_shape_of(const int64_t *zero_then_dims, int rank);

/* Where a public function was called; the macros fill it in. */
typedef struct tdm_loc {
    const char *file;
    unsigned line;
} tdm_loc;
#define TDM_HERE ((tdm_loc){__FILE__, __LINE__})

/* ---- context ------------------------------------------------------------------------------------------ */

typedef enum { TDM_STRICT, TDM_FAST } tdm_numerics;

typedef struct tdm_options {
    int threads;     /* 0: one for each CPU this process may use */
    const char *isa; /* "x86-64", "x86-64-v3", "x86-64-v4": level of the eager kernels and of compiled code;
                        NULL: this CPU */
    int width;       /* f32 lanes of compiled code: 16, 8, 4, 1; 0: widest */
    /* TDM_STRICT: the same bits in both engines; TDM_FAST: compiled programs may differ in the last ones */
    tdm_numerics numerics;
    unsigned freedoms;    /* TDM_FAST: a set of tdm_freedom (inspect.h), 0: all.  TDM_STRICT: 0 */
    uint64_t seed;        /* of the random ops */
    size_t memory_budget; /* bytes of a compiled program's arena: values are computed again to fit; 0: any */
    /* For finding bugs in Tandem: compiled kernels run chunk by chunk in one thread, and a run in which two
     * chunks that could run at once touch the same byte fails and names the kernel.  Many times slower. */
    bool check_races;
    /* folder that keeps compiled programs, so that the next process need not compile them; "off": none; NULL:
     * $TANDEM_CACHE, else $XDG_CACHE_HOME/tandem, else ~/.cache/tandem (docs/cache.md) */
    const char *cache;
    size_t cache_bytes; /* most that the folder may hold, the longest unused go first; 0: 256 MiB */
} tdm_options;

/* NULL options: defaults.  NULL only when out of memory; a bad option is a sticky error of the result. */
TDM_API tdm_context *tdm_context_new(const tdm_options *options);
TDM_API void tdm_context_free(tdm_context *ctx);
TDM_API bool tdm_ok(const tdm_context *ctx);
TDM_API const char *tdm_error(const tdm_context *ctx); /* "" when all is well; valid until the next call */
TDM_API tdm_status tdm_error_code(const tdm_context *ctx);
TDM_API void tdm_clear_error(tdm_context *ctx);
TDM_API int tdm_threads(const tdm_context *ctx);
TDM_API void tdm_seed(tdm_context *ctx, uint64_t seed); /* restarts the random stream */
/* Random calls made since the seed; seed and position are all of the stream's state. */
TDM_API uint64_t tdm_random_position(const tdm_context *ctx);
TDM_API void tdm_set_random_position(tdm_context *ctx, uint64_t position);
TDM_API void tdm_memory_budget(tdm_context *ctx, size_t bytes); /* of programs compiled from now on */
TDM_API const char *tdm_version(void);

TDM_API void tdm_scope_open(tdm_context *ctx);
TDM_API void tdm_scope_close(tdm_context *ctx); /* frees what ops made since the matching open */
TDM_API tdm_tensor *tdm_keep(tdm_tensor *t);    /* moves t one scope out; returns t */
TDM_API tdm_tensor *tdm_hold(tdm_tensor *t);    /* takes t out of all scopes until tdm_release */
TDM_API void tdm_release(tdm_tensor *t);

/* Eager memory in use now, and the most since the last reset: bytes of tensor storage. */
TDM_API size_t tdm_live_bytes(const tdm_context *ctx);
TDM_API size_t tdm_peak_bytes(const tdm_context *ctx);
TDM_API void tdm_reset_peak_bytes(tdm_context *ctx);

/* ---- tensors ------------------------------------------------------------------------------------------ */

TDM_API tdm_tensor *tdm_from_data(tdm_context *ctx, tdm_dtype d, tdm_dims shape, const void *row_major,
                                  tdm_loc at);
TDM_API tdm_tensor *tdm_full(tdm_context *ctx, tdm_dtype d, tdm_dims shape, double value, tdm_loc at);
TDM_API tdm_tensor *tdm_arange(tdm_context *ctx, tdm_dtype d, int64_t n, tdm_loc at); /* 0 .. n-1 */
#define tdm_zeros(ctx, d, shape) tdm_full(ctx, d, shape, 0)
#define tdm_ones(ctx, d, shape) tdm_full(ctx, d, shape, 1)

TDM_API tdm_dtype tdm_dtype_of(const tdm_tensor *t);
TDM_API tdm_dims tdm_dims_of(const tdm_tensor *t);
TDM_API int64_t tdm_elements(const tdm_tensor *t);
TDM_API size_t tdm_bytes(const tdm_tensor *t);
TDM_API bool tdm_is_error(const tdm_tensor *t); /* NULL or the error tensor */
TDM_API bool tdm_is_symbolic(const tdm_tensor *t);
TDM_API const char *tdm_dtype_name(tdm_dtype d);
TDM_API size_t tdm_dtype_size(tdm_dtype d);

/* Values.  Errors: ESTATE on a symbolic tensor. */
/* the one element, as double; NaN on error */
TDM_API double tdm_item(const tdm_tensor *t);
/* row-major; bytes must be tdm_bytes(t) */
TDM_API tdm_status tdm_read(const tdm_tensor *t, void *data, size_t bytes);
/* in place, row-major; counts as a change */
TDM_API tdm_status tdm_write(tdm_tensor *t, const void *data, size_t bytes);

/* A .npy file (version 1, 2; C and Fortran order). */
TDM_API tdm_tensor *tdm_load_npy(tdm_context *ctx, const char *path);
TDM_API tdm_status tdm_save_npy(const tdm_tensor *t, const char *path);

/* An archive: named tensors and texts, as a .safetensors or .npz file keeps them.  Tensors are kept by
 * reference: what is saved is their value at that time.  Free it before its context. */
TDM_API tdm_archive *tdm_archive_new(tdm_context *ctx);
TDM_API void tdm_archive_free(tdm_archive *a);
/* Takes the place of what had the name.  Errors: EARG for an empty name or one that begins with __metadata__,
 * ESTATE for a symbolic tensor. */
TDM_API tdm_status tdm_archive_add(tdm_archive *a, const char *name, tdm_tensor *t);
TDM_API tdm_status tdm_archive_note(tdm_archive *a, const char *key, const char *text);
TDM_API int tdm_archive_count(const tdm_archive *a);
TDM_API const char *tdm_archive_name(const tdm_archive *a, int i); /* of tensor i; NULL past the end */
/* NULL if there is none; lives as long as the archive (tdm_hold: longer) */
TDM_API tdm_tensor *tdm_archive_tensor(const tdm_archive *a, const char *name);
TDM_API const char *tdm_archive_key(const tdm_archive *a, int i); /* of text i; NULL past the end */
TDM_API const char *tdm_archive_text(const tdm_archive *a, const char *key); /* NULL if there is none */
/* Writes the archive's value of `name` into t, in place.  Errors: EARG if there is none, ESHAPE or EDTYPE if
 * it is not of t's type: t is then as it was. */
TDM_API tdm_status tdm_archive_restore(const tdm_archive *a, const char *name, tdm_tensor *t);
/* The path's ending chooses the format.  Every number in a file is checked before it is used; a file that
 * breaks its format's rules, or has a dtype or a rank that Tandem lacks, is refused by the name of what is
 * wrong.  Saving writes a file of its own, which takes the path's name when it is complete and on the disk:
 * an interrupted save leaves the former file.  .npz has no place for texts: they go into a member
 * __metadata__.json. */
TDM_API tdm_archive *tdm_archive_load(tdm_context *ctx, const char *path); /* NULL on error */
TDM_API tdm_status tdm_archive_save(const tdm_archive *a, const char *path);

/* ---- gradients ---------------------------------------------------------------------------------------- */

/* A leaf that collects gradients, captured by reference in graphs; held until tdm_release.  name: or NULL */
TDM_API tdm_tensor *tdm_parameter(tdm_tensor *t, const char *name);
/* As tdm_parameter without gradients: optimiser state, running statistics. */
TDM_API tdm_tensor *tdm_variable(tdm_tensor *t, const char *name);
TDM_API const char *tdm_name(const tdm_tensor *t);             /* "" if none */
TDM_API tdm_tensor *tdm_requires_grad(tdm_tensor *t, bool on); /* floating-point leaves only */
TDM_API bool tdm_needs_grad(const tdm_tensor *t);
TDM_API bool tdm_is_leaf(const tdm_tensor *t);
TDM_API void tdm_retain_grad(tdm_tensor *t); /* an inner tensor keeps its .grad too */
TDM_API tdm_tensor *tdm_grad(tdm_tensor *t); /* .grad, or NULL for none; while a graph is open, the graph's */
TDM_API void tdm_clear_grad(tdm_tensor *t);
/* off: nothing is recorded.  Returns the former mode */
TDM_API bool tdm_grad_mode(tdm_context *ctx, bool on);

enum { TDM_RETAIN_GRAPH = 1, TDM_CREATE_GRAPH = 2, TDM_ALLOW_UNUSED = 4 };
/* Reverse mode from a scalar (or with upstream dy of t's shape): adds into .grad of every leaf that requires
 * it.  In an open graph: symbolic, into the graph's .grad. */
TDM_API tdm_status tdm_backward_with(tdm_tensor *t, tdm_tensor *dy, unsigned flags, tdm_loc at);
#define tdm_backward(t) tdm_backward_with(t, NULL, 0)
/* grads[i] = d sum_j <outs[j], douts[j]> / d inputs[i]; douts or an entry NULL: ones, for scalars.  Touches
 * no .grad.  An input that was not reached is an error, or NULL with TDM_ALLOW_UNUSED. */
TDM_API tdm_status tdm_gradients(tdm_tensor *const *outs, tdm_tensor *const *douts, int n_outs,
                                 tdm_tensor *const *inputs, int n_inputs, tdm_tensor **grads, unsigned flags,
                                 tdm_loc at);

/* Checkpointed regions: backward computes the values of ops between open and close again instead of keeping
 * them from forward, in both engines: less memory for one more run of those ops, the same bits (random ops
 * draw the same numbers again).  Kept are what the region reads from outside, its result, and whatever is
 * still used after it.  A region is also a scope: close keeps `result` and frees the rest; other results are
 * kept with tdm_keep.  Regions inside a region belong to it.  What a region reads must not be assigned before
 * backward (eagerly an error there).  A stack of n layers in regions of sqrt(n) layers needs memory for about
 * 2 sqrt(n).
 * Errors: ESTATE for a close without an open, and a graph opened or closed inside. */
TDM_API tdm_status tdm_checkpoint_open(tdm_context *ctx);
TDM_API tdm_tensor *tdm_checkpoint_close(tdm_context *ctx, tdm_tensor *result, tdm_loc at);
/* fn(user, x) as one region */
TDM_API tdm_tensor *tdm_checkpoint(tdm_tensor *(*fn)(void *user, tdm_tensor *x), void *user, tdm_tensor *x,
                                   tdm_loc at);

/* The tape, by name: "MulBackward0"; next(i) leads to the node of operand i, NULL where none is needed. */
TDM_API const tdm_grad_fn *tdm_grad_fn_of(const tdm_tensor *t); /* NULL for leaves */
TDM_API const char *tdm_grad_fn_name(const tdm_grad_fn *f);
TDM_API int tdm_grad_fn_count(const tdm_grad_fn *f);
TDM_API const tdm_grad_fn *tdm_grad_fn_next(const tdm_grad_fn *f, int i);

/* ---- ops ---------------------------------------------------------------------------------------------- */
/* Elementwise ops broadcast as NumPy does; operands have one dtype.  Each op's formula, dtypes and gradient
 * at kinks: docs/ops. */

/* clang-format off */
#define TDM_UNARY_OPS(X) \
    X(neg) X(abs) X(sign) X(sqrt) X(rsqrt) X(exp) X(log) X(log1p) X(sin) X(cos) X(tanh) X(erf) X(logistic) \
    X(relu) X(not) X(detach) X(square) X(silu)
#define TDM_BINARY_OPS(X) \
    X(add) X(sub) X(mul) X(div) X(pow) X(max) X(min) X(eq) X(ne) X(lt) X(le) X(gt) X(ge) X(and) X(or) X(xor) \
    X(shl) X(shr)
/* clang-format on */

/* tdm_exp(x), ..; detach: x, through which no gradient flows; silu: x logistic(x). */
#define X(name) TDM_API tdm_tensor *tdm_##name(tdm_tensor *x, tdm_loc at);
TDM_UNARY_OPS(X)
#undef X
/* tdm_add(x, z), ..; tdm_add_scalar(x, 1.5), ..: the number is rounded to x's dtype. */
#define X(name)                                                               \
    TDM_API tdm_tensor *tdm_##name(tdm_tensor *x, tdm_tensor *z, tdm_loc at); \
    TDM_API tdm_tensor *tdm_##name##_scalar(tdm_tensor *x, double z, tdm_loc at);
TDM_BINARY_OPS(X)
#undef X

#include <tandem/pointwise.h> /* rounding, remainders, inverse and hyperbolic functions */

/* p ? x : z, p bool; broadcasts */
TDM_API tdm_tensor *tdm_select(tdm_tensor *p, tdm_tensor *x, tdm_tensor *z, tdm_loc at);
TDM_API tdm_tensor *tdm_convert(tdm_tensor *x, tdm_dtype d, tdm_loc at);
TDM_API tdm_tensor *tdm_clamp(tdm_tensor *x, double lo, double hi, tdm_loc at);

/* Views: no copy in either engine where the layout allows. */
/* one extent may be -1: inferred */
TDM_API tdm_tensor *tdm_reshape(tdm_tensor *x, tdm_dims shape, tdm_loc at);
/* result axis i is axis perm[i]; NULL: reversed */
TDM_API tdm_tensor *tdm_transpose(tdm_tensor *x, const int *perm, tdm_loc at);
TDM_API tdm_tensor *tdm_broadcast_to(tdm_tensor *x, tdm_dims shape, tdm_loc at);
/* one axis */
TDM_API tdm_tensor *tdm_slice(tdm_tensor *x, int axis, int64_t start, int64_t limit, int64_t step,
                              tdm_loc at);
/* zeros; rank entries; negative low and high crop; interior may be NULL */
TDM_API tdm_tensor *tdm_pad(tdm_tensor *x, const int64_t *low, const int64_t *high, const int64_t *interior,
                            tdm_loc at);

/* x [r, ..], index [i..] of i32 or i64, clamped into 0..r-1: y [i.., ..]. */
TDM_API tdm_tensor *tdm_gather(tdm_tensor *x, tdm_tensor *index, tdm_loc at);
/* x with update [i.., ..] added into its rows, in ascending order of i. */
TDM_API tdm_tensor *tdm_scatter_add(tdm_tensor *x, tdm_tensor *index, tdm_tensor *update, tdm_loc at);
#define tdm_embedding(table, index) tdm_gather(table, index)
/* [..] -> [.., classes] */
TDM_API tdm_tensor *tdm_one_hot(tdm_tensor *index, int64_t classes, tdm_dtype d, tdm_loc at);

/* A set of axes; negative counts from the end.  tdm_axes(0, -1); tdm_all_axes(). */
typedef struct tdm_axis_set {
    int n;
    int axes[TDM_MAX_RANK];
} tdm_axis_set;
#define tdm_axes(...) ((tdm_axis_set){(int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), {__VA_ARGS__}})
#define tdm_all_axes() ((tdm_axis_set){0, {0}})

#include <tandem/custom.h>    /* ops of the program's own */
#include <tandem/structure.h> /* concat, stack, roll, einsum, take_along_axis, scatter, .. */

/* Reductions; keep leaves the reduced axes as extents of 1.  Order of additions: docs/numerics.md rule 4.
 * all, any: bool.  argmax, argmin, count_nonzero: i64. */
/* clang-format off */
#define TDM_REDUCTIONS(X) \
    X(sum) X(prod) X(mean) X(amax) X(amin) X(all) X(any) X(argmax) X(argmin) X(count_nonzero)
/* clang-format on */
#define X(name) TDM_API tdm_tensor *tdm_##name(tdm_tensor *x, tdm_axis_set axes, bool keep, tdm_loc at);
TDM_REDUCTIONS(X)
#undef X
/* two-pass; / (n - correction).  std: the gradient is 0 where there is no spread. */
TDM_API tdm_tensor *tdm_var(tdm_tensor *x, tdm_axis_set axes, int correction, bool keep, tdm_loc at);
TDM_API tdm_tensor *tdm_std(tdm_tensor *x, tdm_axis_set axes, int correction, bool keep, tdm_loc at);
/* (sum |x|^p)^(1/p), p > 0; 0: how many are not 0; INFINITY: the largest |x|, -INFINITY: the smallest.  The
 * gradient is 0 at 0. */
TDM_API tdm_tensor *tdm_norm(tdm_tensor *x, double p, tdm_axis_set axes, bool keep, tdm_loc at);

/* Scans along an axis; numbers of any dtype, x's shape.  Order of operations: docs/numerics.md rule 13. */
enum { TDM_EXCLUSIVE = 1 /* without the element itself */, TDM_REVERSE = 2 /* from the end of the axis */ };
TDM_API tdm_tensor *tdm_cumsum(tdm_tensor *x, int axis, unsigned flags, tdm_loc at);
/* The gradient is exact where elements are 0. */
TDM_API tdm_tensor *tdm_cumprod(tdm_tensor *x, int axis, unsigned flags, tdm_loc at);
/* The gradient goes to the last of equals.  Exclusive, the first is -inf (cummin: inf), or the integers'
 * limit.
 */
TDM_API tdm_tensor *tdm_cummax(tdm_tensor *x, int axis, unsigned flags, tdm_loc at);
TDM_API tdm_tensor *tdm_cummin(tdm_tensor *x, int axis, unsigned flags, tdm_loc at);
/* y[i] = x[i] y[i-1] + z[i], y[0] = z[0]: x and z of one float type.  Moving averages, returns, state spaces.
 */
TDM_API tdm_tensor *tdm_linear_scan(tdm_tensor *x, tdm_tensor *z, int axis, bool reverse, tdm_loc at);
TDM_API tdm_tensor *tdm_logcumsumexp(tdm_tensor *x, int axis, tdm_loc at);

/* Sorting along an axis: stable, -0 equals +0, a NaN counts as greater than any number (so it is last, or
 * first where the greatest come first).  argsort: i64 places.  sort, topk: values; index, if not NULL, gets
 * the places.  Gradients flow to the places that were taken.  n log n. */
TDM_API tdm_tensor *tdm_argsort(tdm_tensor *x, int axis, bool descending, tdm_loc at);
TDM_API tdm_tensor *tdm_sort(tdm_tensor *x, int axis, bool descending, tdm_tensor **index, tdm_loc at);
/* the k largest (smallest), in order; 1 <= k <= the extent */
TDM_API tdm_tensor *tdm_topk(tdm_tensor *x, int64_t k, int axis, bool largest, tdm_tensor **index,
                             tdm_loc at);

/* The lower one of two middle elements; a NaN if there is one.  The gradient goes to its place. */
TDM_API tdm_tensor *tdm_median(tdm_tensor *x, int axis, bool keep, tdm_loc at);

/* Which axes of a product go together; lists of equal length pair up.  Result: batch axes, free axes of x,
 * free axes of z. */
typedef struct tdm_dot_axes {
    int n_batch, n_contract;
    int x_batch[TDM_MAX_RANK], z_batch[TDM_MAX_RANK], x_contract[TDM_MAX_RANK], z_contract[TDM_MAX_RANK];
} tdm_dot_axes;
TDM_API tdm_tensor *tdm_dot_general(tdm_tensor *x, tdm_tensor *z, const tdm_dot_axes *axes, tdm_loc at);
/* c = a @ b.  a [.., m, k], b [.., k, n] -> [.., m, n]; leading dims broadcast; 2mnk flops a matrix.
 * Additions: numerics rule 5. */
TDM_API tdm_tensor *tdm_matmul(tdm_tensor *a, tdm_tensor *b, tdm_loc at);
/* x [.., in], w [out, in], bias [out] or NULL: x w^T + bias, [.., out]. */
TDM_API tdm_tensor *tdm_linear(tdm_tensor *x, tdm_tensor *w, tdm_tensor *bias, tdm_loc at);

/* Composites (ir/compose_*.c): built from the ops above in both engines. */
TDM_API tdm_tensor *tdm_gelu(tdm_tensor *x, tdm_loc at); /* x/2 (1 + erf(x / sqrt 2)) */
/* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
TDM_API tdm_tensor *tdm_gelu_tanh(tdm_tensor *x, tdm_loc at);
TDM_API tdm_tensor *tdm_logsumexp(tdm_tensor *x, int axis, bool keep, tdm_loc at);
TDM_API tdm_tensor *tdm_softmax(tdm_tensor *x, int axis, tdm_loc at);
TDM_API tdm_tensor *tdm_log_softmax(tdm_tensor *x, int axis, tdm_loc at);
TDM_API tdm_tensor *tdm_softmin(tdm_tensor *x, int axis, tdm_loc at); /* softmax of -x */
/* Normalisations; gamma and beta may be NULL.  Over the last axis, of extent gamma's: (x - mean) /
 * sqrt(variance + eps) gamma + beta, and x / sqrt(mean x^2 + eps) gamma. */
TDM_API tdm_tensor *tdm_layer_norm(tdm_tensor *x, tdm_tensor *gamma, tdm_tensor *beta, double eps,
                                   tdm_loc at);
TDM_API tdm_tensor *tdm_rms_norm(tdm_tensor *x, tdm_tensor *gamma, double eps, tdm_loc at);
/* x [n, c, ..], gamma and beta [c]: over c / groups channels at all places */
TDM_API tdm_tensor *tdm_group_norm(tdm_tensor *x, int groups, tdm_tensor *gamma, tdm_tensor *beta, double eps,
                                   tdm_loc at);
/* the same over the places of each channel; ESHAPE if there is only one */
TDM_API tdm_tensor *tdm_instance_norm(tdm_tensor *x, tdm_tensor *gamma, tdm_tensor *beta, double eps,
                                      tdm_loc at);
/* x [n, c, ..]; gamma, beta, mean, var [c].  Training: by the batch's statistics over all axes but 1, and the
 * variables mean and var (both, or both NULL) become (1 - momentum) old + momentum batch's, of the unbiased
 * variance.  Else by mean and var.  PyTorch's formulas.  EARG: training on one value a channel. */
TDM_API tdm_tensor *tdm_batch_norm(tdm_tensor *x, tdm_tensor *gamma, tdm_tensor *beta, tdm_tensor *mean,
                                   tdm_tensor *var, bool training, double momentum, double eps, tdm_loc at);
/* x / max(norm, eps) */
TDM_API tdm_tensor *tdm_normalize(tdm_tensor *x, double p, int axis, double eps, tdm_loc at);
/* sum x z / (max(|x|, eps) max(|z|, eps)) along the axis; broadcasts */
TDM_API tdm_tensor *tdm_cosine_similarity(tdm_tensor *x, tdm_tensor *z, int axis, double eps, tdm_loc at);

/* Random (Philox4x32-10 keyed by the context's seed; each call takes the next counters of the stream; a graph
 * takes its counters at each run, so both engines draw the same). */
/* [lo, hi) */
TDM_API tdm_tensor *tdm_uniform(tdm_context *ctx, tdm_dtype d, tdm_dims shape, double lo, double hi,
                                tdm_loc at);
/* Box-Muller */
TDM_API tdm_tensor *tdm_normal(tdm_context *ctx, tdm_dtype d, tdm_dims shape, double mean, double std,
                               tdm_loc at);
/* zero with probability p, else / (1 - p) */
TDM_API tdm_tensor *tdm_dropout(tdm_tensor *x, double p, tdm_loc at);
/* 1 with probability p, else 0, of p's dtype and shape */
TDM_API tdm_tensor *tdm_bernoulli(tdm_tensor *p, tdm_loc at);
/* 0 .. n-1 in random order, i64: the argsort of n random words (equal words stay in order: 2^-32 a pair) */
TDM_API tdm_tensor *tdm_randperm(tdm_context *ctx, int64_t n, tdm_loc at);

/* weights [.., n] >= 0, of any scale: i64 [.., k], each place drawn in proportion to its weight; without
 * replacement all differ, and places of weight 0 come last */
TDM_API tdm_tensor *tdm_multinomial(tdm_tensor *weights, int64_t k, bool replacement, tdm_loc at);

/* Sets a leaf's value: now, or in an open graph when the program has run (a variable; later reads see the new
 * value). */
TDM_API tdm_status tdm_assign(tdm_tensor *variable, tdm_tensor *value, tdm_loc at);

/* ---- graphs, programs, executions --------------------------------------------------------------------- */

/* Opens a graph on the context: every op appends until tdm_graph_close.  An eager tensor used meanwhile is
 * captured: a parameter or variable by reference, anything else by value as a constant. */
TDM_API tdm_graph *tdm_graph_open(tdm_context *ctx, const char *name);
TDM_API tdm_tensor *tdm_input(tdm_context *ctx, const char *name, tdm_dtype d, tdm_dims shape, tdm_loc at);
TDM_API tdm_status tdm_output(tdm_context *ctx, const char *name, tdm_tensor *t, tdm_loc at);
TDM_API tdm_status tdm_graph_close(tdm_context *ctx);
TDM_API void tdm_graph_free(tdm_graph *g); /* after its programs */

/* Optimises and compiles a closed graph with the context's options (the LLVM half is loaded at the first
 * call).  NULL on error; ENOMEM where no plan fits the memory budget: the message names the least that was
 * reached and the node where the peak is. */
TDM_API tdm_program *tdm_compile(tdm_graph *g, const char *const *dims /* "n=128", .., NULL; or NULL */);
/* The same, and frees g, whatever comes of it: constants that products read are laid out for them where they
 * lie, if no tensor and no other graph has them, so weights are never in memory twice. */
TDM_API tdm_program *tdm_compile_once(tdm_graph *g, const char *const *dims);
TDM_API void tdm_program_free(tdm_program *p); /* after its executions */

/* One run's memory.  Inputs are read from, outputs kept in, tensors; variables are the captured tensors. */
TDM_API tdm_exec *tdm_exec_new(tdm_program *p);
/* shares t's memory: dtype, shape, row-major */
TDM_API tdm_status tdm_exec_bind(tdm_exec *e, const char *input, tdm_tensor *t);
/* must outlive the runs */
TDM_API tdm_status tdm_exec_bind_data(tdm_exec *e, const char *input, const void *row_major, size_t bytes);
TDM_API tdm_status tdm_exec_run(tdm_exec *e); /* allocates nothing */
/* rewritten by each run; lives as long as e */
TDM_API tdm_tensor *tdm_exec_output(tdm_exec *e, const char *name);
TDM_API void tdm_exec_free(tdm_exec *e);

/* ---- the caller's place ------------------------------------------------------------------------------- */
/* Every function above whose last parameter is `at` is called without it: these macros add file and line.
 * Define TDM_PLAIN_FUNCTIONS before including this header to do without them. */
#ifndef TDM_PLAIN_FUNCTIONS
#define tdm_from_data(...) tdm_from_data(__VA_ARGS__, TDM_HERE)
#define tdm_full(...) tdm_full(__VA_ARGS__, TDM_HERE)
#define tdm_arange(...) tdm_arange(__VA_ARGS__, TDM_HERE)
#define tdm_backward_with(...) tdm_backward_with(__VA_ARGS__, TDM_HERE)
#define tdm_gradients(...) tdm_gradients(__VA_ARGS__, TDM_HERE)
#define tdm_checkpoint_close(...) tdm_checkpoint_close(__VA_ARGS__, TDM_HERE)
#define tdm_checkpoint(...) tdm_checkpoint(__VA_ARGS__, TDM_HERE)
#define tdm_neg(...) tdm_neg(__VA_ARGS__, TDM_HERE)
#define tdm_abs(...) tdm_abs(__VA_ARGS__, TDM_HERE)
#define tdm_sign(...) tdm_sign(__VA_ARGS__, TDM_HERE)
#define tdm_sqrt(...) tdm_sqrt(__VA_ARGS__, TDM_HERE)
#define tdm_rsqrt(...) tdm_rsqrt(__VA_ARGS__, TDM_HERE)
#define tdm_exp(...) tdm_exp(__VA_ARGS__, TDM_HERE)
#define tdm_log(...) tdm_log(__VA_ARGS__, TDM_HERE)
#define tdm_log1p(...) tdm_log1p(__VA_ARGS__, TDM_HERE)
#define tdm_sin(...) tdm_sin(__VA_ARGS__, TDM_HERE)
#define tdm_cos(...) tdm_cos(__VA_ARGS__, TDM_HERE)
#define tdm_tanh(...) tdm_tanh(__VA_ARGS__, TDM_HERE)
#define tdm_erf(...) tdm_erf(__VA_ARGS__, TDM_HERE)
#define tdm_logistic(...) tdm_logistic(__VA_ARGS__, TDM_HERE)
#define tdm_relu(...) tdm_relu(__VA_ARGS__, TDM_HERE)
#define tdm_not(...) tdm_not(__VA_ARGS__, TDM_HERE)
#define tdm_detach(...) tdm_detach(__VA_ARGS__, TDM_HERE)
#define tdm_square(...) tdm_square(__VA_ARGS__, TDM_HERE)
#define tdm_silu(...) tdm_silu(__VA_ARGS__, TDM_HERE)
#define tdm_add(...) tdm_add(__VA_ARGS__, TDM_HERE)
#define tdm_sub(...) tdm_sub(__VA_ARGS__, TDM_HERE)
#define tdm_mul(...) tdm_mul(__VA_ARGS__, TDM_HERE)
#define tdm_div(...) tdm_div(__VA_ARGS__, TDM_HERE)
#define tdm_pow(...) tdm_pow(__VA_ARGS__, TDM_HERE)
#define tdm_max(...) tdm_max(__VA_ARGS__, TDM_HERE)
#define tdm_min(...) tdm_min(__VA_ARGS__, TDM_HERE)
#define tdm_eq(...) tdm_eq(__VA_ARGS__, TDM_HERE)
#define tdm_ne(...) tdm_ne(__VA_ARGS__, TDM_HERE)
#define tdm_lt(...) tdm_lt(__VA_ARGS__, TDM_HERE)
#define tdm_le(...) tdm_le(__VA_ARGS__, TDM_HERE)
#define tdm_gt(...) tdm_gt(__VA_ARGS__, TDM_HERE)
#define tdm_ge(...) tdm_ge(__VA_ARGS__, TDM_HERE)
#define tdm_and(...) tdm_and(__VA_ARGS__, TDM_HERE)
#define tdm_or(...) tdm_or(__VA_ARGS__, TDM_HERE)
#define tdm_xor(...) tdm_xor(__VA_ARGS__, TDM_HERE)
#define tdm_shl(...) tdm_shl(__VA_ARGS__, TDM_HERE)
#define tdm_shr(...) tdm_shr(__VA_ARGS__, TDM_HERE)
#define tdm_add_scalar(...) tdm_add_scalar(__VA_ARGS__, TDM_HERE)
#define tdm_sub_scalar(...) tdm_sub_scalar(__VA_ARGS__, TDM_HERE)
#define tdm_mul_scalar(...) tdm_mul_scalar(__VA_ARGS__, TDM_HERE)
#define tdm_div_scalar(...) tdm_div_scalar(__VA_ARGS__, TDM_HERE)
#define tdm_pow_scalar(...) tdm_pow_scalar(__VA_ARGS__, TDM_HERE)
#define tdm_max_scalar(...) tdm_max_scalar(__VA_ARGS__, TDM_HERE)
#define tdm_min_scalar(...) tdm_min_scalar(__VA_ARGS__, TDM_HERE)
#define tdm_eq_scalar(...) tdm_eq_scalar(__VA_ARGS__, TDM_HERE)
#define tdm_ne_scalar(...) tdm_ne_scalar(__VA_ARGS__, TDM_HERE)
#define tdm_lt_scalar(...) tdm_lt_scalar(__VA_ARGS__, TDM_HERE)
#define tdm_le_scalar(...) tdm_le_scalar(__VA_ARGS__, TDM_HERE)
#define tdm_gt_scalar(...) tdm_gt_scalar(__VA_ARGS__, TDM_HERE)
#define tdm_ge_scalar(...) tdm_ge_scalar(__VA_ARGS__, TDM_HERE)
#define tdm_and_scalar(...) tdm_and_scalar(__VA_ARGS__, TDM_HERE)
#define tdm_or_scalar(...) tdm_or_scalar(__VA_ARGS__, TDM_HERE)
#define tdm_xor_scalar(...) tdm_xor_scalar(__VA_ARGS__, TDM_HERE)
#define tdm_shl_scalar(...) tdm_shl_scalar(__VA_ARGS__, TDM_HERE)
#define tdm_shr_scalar(...) tdm_shr_scalar(__VA_ARGS__, TDM_HERE)
#define tdm_select(...) tdm_select(__VA_ARGS__, TDM_HERE)
#define tdm_convert(...) tdm_convert(__VA_ARGS__, TDM_HERE)
#define tdm_clamp(...) tdm_clamp(__VA_ARGS__, TDM_HERE)
#define tdm_reshape(...) tdm_reshape(__VA_ARGS__, TDM_HERE)
#define tdm_transpose(...) tdm_transpose(__VA_ARGS__, TDM_HERE)
#define tdm_broadcast_to(...) tdm_broadcast_to(__VA_ARGS__, TDM_HERE)
#define tdm_slice(...) tdm_slice(__VA_ARGS__, TDM_HERE)
#define tdm_pad(...) tdm_pad(__VA_ARGS__, TDM_HERE)
#define tdm_gather(...) tdm_gather(__VA_ARGS__, TDM_HERE)
#define tdm_scatter_add(...) tdm_scatter_add(__VA_ARGS__, TDM_HERE)
#define tdm_one_hot(...) tdm_one_hot(__VA_ARGS__, TDM_HERE)
#define tdm_sum(...) tdm_sum(__VA_ARGS__, TDM_HERE)
#define tdm_mean(...) tdm_mean(__VA_ARGS__, TDM_HERE)
#define tdm_amax(...) tdm_amax(__VA_ARGS__, TDM_HERE)
#define tdm_amin(...) tdm_amin(__VA_ARGS__, TDM_HERE)
#define tdm_prod(...) tdm_prod(__VA_ARGS__, TDM_HERE)
#define tdm_all(...) tdm_all(__VA_ARGS__, TDM_HERE)
#define tdm_any(...) tdm_any(__VA_ARGS__, TDM_HERE)
#define tdm_argmax(...) tdm_argmax(__VA_ARGS__, TDM_HERE)
#define tdm_argmin(...) tdm_argmin(__VA_ARGS__, TDM_HERE)
#define tdm_count_nonzero(...) tdm_count_nonzero(__VA_ARGS__, TDM_HERE)
#define tdm_var(...) tdm_var(__VA_ARGS__, TDM_HERE)
#define tdm_std(...) tdm_std(__VA_ARGS__, TDM_HERE)
#define tdm_norm(...) tdm_norm(__VA_ARGS__, TDM_HERE)
#define tdm_cumsum(...) tdm_cumsum(__VA_ARGS__, TDM_HERE)
#define tdm_cumprod(...) tdm_cumprod(__VA_ARGS__, TDM_HERE)
#define tdm_cummax(...) tdm_cummax(__VA_ARGS__, TDM_HERE)
#define tdm_cummin(...) tdm_cummin(__VA_ARGS__, TDM_HERE)
#define tdm_linear_scan(...) tdm_linear_scan(__VA_ARGS__, TDM_HERE)
#define tdm_logcumsumexp(...) tdm_logcumsumexp(__VA_ARGS__, TDM_HERE)
#define tdm_argsort(...) tdm_argsort(__VA_ARGS__, TDM_HERE)
#define tdm_sort(...) tdm_sort(__VA_ARGS__, TDM_HERE)
#define tdm_topk(...) tdm_topk(__VA_ARGS__, TDM_HERE)
#define tdm_median(...) tdm_median(__VA_ARGS__, TDM_HERE)
#define tdm_dot_general(...) tdm_dot_general(__VA_ARGS__, TDM_HERE)
#define tdm_matmul(...) tdm_matmul(__VA_ARGS__, TDM_HERE)
#define tdm_linear(...) tdm_linear(__VA_ARGS__, TDM_HERE)
#define tdm_gelu(...) tdm_gelu(__VA_ARGS__, TDM_HERE)
#define tdm_gelu_tanh(...) tdm_gelu_tanh(__VA_ARGS__, TDM_HERE)
#define tdm_logsumexp(...) tdm_logsumexp(__VA_ARGS__, TDM_HERE)
#define tdm_softmax(...) tdm_softmax(__VA_ARGS__, TDM_HERE)
#define tdm_log_softmax(...) tdm_log_softmax(__VA_ARGS__, TDM_HERE)
#define tdm_softmin(...) tdm_softmin(__VA_ARGS__, TDM_HERE)
#define tdm_layer_norm(...) tdm_layer_norm(__VA_ARGS__, TDM_HERE)
#define tdm_rms_norm(...) tdm_rms_norm(__VA_ARGS__, TDM_HERE)
#define tdm_group_norm(...) tdm_group_norm(__VA_ARGS__, TDM_HERE)
#define tdm_instance_norm(...) tdm_instance_norm(__VA_ARGS__, TDM_HERE)
#define tdm_batch_norm(...) tdm_batch_norm(__VA_ARGS__, TDM_HERE)
#define tdm_normalize(...) tdm_normalize(__VA_ARGS__, TDM_HERE)
#define tdm_cosine_similarity(...) tdm_cosine_similarity(__VA_ARGS__, TDM_HERE)
#define tdm_uniform(...) tdm_uniform(__VA_ARGS__, TDM_HERE)
#define tdm_normal(...) tdm_normal(__VA_ARGS__, TDM_HERE)
#define tdm_dropout(...) tdm_dropout(__VA_ARGS__, TDM_HERE)
#define tdm_bernoulli(...) tdm_bernoulli(__VA_ARGS__, TDM_HERE)
#define tdm_randperm(...) tdm_randperm(__VA_ARGS__, TDM_HERE)
#define tdm_multinomial(...) tdm_multinomial(__VA_ARGS__, TDM_HERE)
#define tdm_assign(...) tdm_assign(__VA_ARGS__, TDM_HERE)
#define tdm_input(...) tdm_input(__VA_ARGS__, TDM_HERE)
#define tdm_output(...) tdm_output(__VA_ARGS__, TDM_HERE)
#endif

#if defined __cplusplus
}
#endif

#include <tandem/nn.h> /* losses, attention, optimisers */

#endif
