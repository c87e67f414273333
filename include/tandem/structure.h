/* tandem/structure.h: rearranging, joining, indexing and building tensors; a part of tandem.h, which includes
 * it.
 *
 * Names and meaning are PyTorch's.  Axes may be negative (from the end).  All of it works in both engines
 * with the same bits, and all that moves floats is differentiable to any order.  Errors are sticky: ESHAPE
 * where shapes, ranks or axes do not fit, EDTYPE for dtypes, EARG for other arguments. */
#ifndef TANDEM_STRUCTURE_H
#define TANDEM_STRUCTURE_H

/* ---- axes ---------------------------------------------------------------------------------------------- */
/* Views: nothing is copied where the layout allows. */
TDM_API tdm_tensor *tdm_squeeze(tdm_tensor *x, int axis, tdm_loc at);   /* drops an axis of extent 1 */
TDM_API tdm_tensor *tdm_unsqueeze(tdm_tensor *x, int axis, tdm_loc at); /* axis of the result */
/* axes first..last become one; a scalar becomes [1] */
TDM_API tdm_tensor *tdm_flatten(tdm_tensor *x, int first, int last, tdm_loc at);
/* the others keep their order */
TDM_API tdm_tensor *tdm_movedim(tdm_tensor *x, int from, int to, tdm_loc at);
TDM_API tdm_tensor *tdm_swapaxes(tdm_tensor *x, int a, int b, tdm_loc at);
#define tdm_expand(x, shape) tdm_broadcast_to(x, shape)

/* ---- joining and repeating ---------------------------------------------------------------------------- */
/* n tensors (1 to 256) of one dtype, equal but for the extent of `axis`. */
TDM_API tdm_tensor *tdm_concat(tdm_tensor *const *x, int n, int axis, tdm_loc at);
/* n tensors of one type, along a new axis */
TDM_API tdm_tensor *tdm_stack(tdm_tensor *const *x, int n, int axis, tdm_loc at);
/* Parts of `size` (the last may be smaller) in order, written to parts[0..room); returns how many there are,
 * 0 on error (EARG where room is too small). */
TDM_API int tdm_split(tdm_tensor *x, int64_t size, int axis, tdm_tensor **parts, int room, tdm_loc at);
/* The same with a size of extent / n, rounded up: at most n parts. */
TDM_API int tdm_chunk(tdm_tensor *x, int n, int axis, tdm_tensor **parts, tdm_loc at);
/* x as a block, repeated; ranks are aligned at the right as in NumPy */
TDM_API tdm_tensor *tdm_tile(tdm_tensor *x, tdm_dims repeats, tdm_loc at);
/* each element of the axis n times in a row */
TDM_API tdm_tensor *tdm_repeat_interleave(tdm_tensor *x, int64_t n, int axis, tdm_loc at);
/* y[i + shift] = x[i], around the end; shifts[i] for axes.axes[i] */
TDM_API tdm_tensor *tdm_roll(tdm_tensor *x, const int64_t *shifts, tdm_axis_set axes, tdm_loc at);
/* backwards; tdm_all_axes(): every axis */
TDM_API tdm_tensor *tdm_flip(tdm_tensor *x, tdm_axis_set axes, tdm_loc at);
/* As tdm_pad, with `value` (rounded to x's dtype) instead of zeros.  Negative low and high crop. */
TDM_API tdm_tensor *tdm_pad_value(tdm_tensor *x, const int64_t *low, const int64_t *high,
                                  const int64_t *interior, double value, tdm_loc at);

/* ---- triangles and diagonals -------------------------------------------------------------------------- */
/* Of the last two axes: where column <= row + k, or column >= row + k; 0 elsewhere. */
TDM_API tdm_tensor *tdm_tril(tdm_tensor *x, int64_t k, tdm_loc at);
TDM_API tdm_tensor *tdm_triu(tdm_tensor *x, int64_t k, tdm_loc at);
/* Elements [i, i + k] (k < 0: [i - k, i]) of axes a and b, as a last axis that replaces them. */
TDM_API tdm_tensor *tdm_diagonal(tdm_tensor *x, int64_t k, int a, int b, tdm_loc at);
/* matrix -> its diagonal k; vector -> the square matrix that has it there and zeros elsewhere */
TDM_API tdm_tensor *tdm_diag(tdm_tensor *x, int64_t k, tdm_loc at);
/* sum of the diagonal of the first two axes, which leave the shape (numerics rule 4, inner) */
TDM_API tdm_tensor *tdm_trace(tdm_tensor *x, tdm_loc at);

/* ---- products ----------------------------------------------------------------------------------------- */
TDM_API tdm_tensor *tdm_outer(tdm_tensor *x, tdm_tensor *z, tdm_loc at); /* [m], [n] -> [m, n] */
/* [b, m, k], [b, k, n] -> [b, m, n] */
TDM_API tdm_tensor *tdm_bmm(tdm_tensor *a, tdm_tensor *b, tdm_loc at);
/* Einstein's summation of 1 to 8 operands of one dtype: "bij,bjk->bik", "ii->i", "...ij->...ji", "ij,jk"
 * (without an arrow: the ellipsis, then the labels written once, in alphabetical order; capitals first).
 * Contracted from left to right, one product each; products that contract need a float dtype.  Errors name
 * the label: EARG for a bad equation, ESHAPE for extents that differ. */
TDM_API tdm_tensor *tdm_einsum(const char *equation, tdm_tensor *const *x, int n, tdm_loc at);

/* ---- indexing ----------------------------------------------------------------------------------------- */
/* Indices are of any integer type and are clamped into their axis.  (tdm_gather and tdm_scatter_add take
 * rows.)
 */
/* mask (bool, broadcasts) ? value : x */
TDM_API tdm_tensor *tdm_masked_fill(tdm_tensor *x, tdm_tensor *mask, double value, tdm_loc at);
/* x [a.., r, c..], index [i..]: y[a.., i.., c..] = x[a.., index[i..], c..] */
TDM_API tdm_tensor *tdm_index_select(tdm_tensor *x, tdm_tensor *index, int axis, tdm_loc at);
/* y[a, i, c] = x[a, index[a, i, c], c]: an index of x's rank, nowhere but on `axis` larger (torch.gather) */
TDM_API tdm_tensor *tdm_take_along_axis(tdm_tensor *x, tdm_tensor *index, int axis, tdm_loc at);
/* index [b.., i.., d], x [b.., d axes, j..]: y[b.., i.., j..] = x[b.., index[b.., i.., 0], .., j..]; b:
 * `batch` axes (ONNX GatherND) */
TDM_API tdm_tensor *tdm_gather_nd(tdm_tensor *x, tdm_tensor *index, int batch, tdm_loc at);

/* x with updates combined into it, in ascending row-major order of the index (numerics rule 8).  SET: the
 * last update of a place stays.  Gradients at ties and zeros: docs/ops. */
typedef enum {
    TDM_SCATTER_ADD,
    TDM_SCATTER_SET,
    TDM_SCATTER_MUL,
    TDM_SCATTER_MAX,
    TDM_SCATTER_MIN
} tdm_scatter_mode;
/* x [r, j..], index [i..] of i32 or i64, update [i.., j..]: rows */
TDM_API tdm_tensor *tdm_scatter(tdm_tensor *x, tdm_tensor *index, tdm_tensor *update, tdm_scatter_mode mode,
                                tdm_loc at);
/* index and update of one shape, places as in tdm_take_along_axis */
TDM_API tdm_tensor *tdm_put_along_axis(tdm_tensor *x, tdm_tensor *index, tdm_tensor *update, int axis,
                                       tdm_scatter_mode mode, tdm_loc at);
/* places as in tdm_gather_nd (ONNX ScatterND) */
TDM_API tdm_tensor *tdm_scatter_nd(tdm_tensor *x, tdm_tensor *index, tdm_tensor *update, int batch,
                                   tdm_scatter_mode mode, tdm_loc at);
/* The box of extents `sizes` that begins at start (i32 or i64 [rank], clamped so that the box is inside). */
TDM_API tdm_tensor *tdm_dynamic_slice(tdm_tensor *x, tdm_tensor *start, tdm_dims sizes, tdm_loc at);
/* x with update written over that box.  In a compiled program in place where nothing else reads x. */
TDM_API tdm_tensor *tdm_dynamic_update(tdm_tensor *x, tdm_tensor *start, tdm_tensor *update, tdm_loc at);

/* ---- building ----------------------------------------------------------------------------------------- */
/* 1 where column = row + k, else 0 */
TDM_API tdm_tensor *tdm_eye(tdm_context *ctx, tdm_dtype d, int64_t rows, int64_t cols, int64_t k, tdm_loc at);
/* bool [rows, cols], true where column <= row + cols - rows: what a query may see, the last ones aligned */
TDM_API tdm_tensor *tdm_causal_mask(tdm_context *ctx, int64_t rows, int64_t cols, tdm_loc at);
/* lo + i (hi - lo) / (n - 1), the last one hi; a float dtype */
TDM_API tdm_tensor *tdm_linspace(tdm_context *ctx, tdm_dtype d, double lo, double hi, int64_t n, tdm_loc at);
/* grids[i] [d0, d1, ..] = vector x[i] along axis i, of 1 to 8 vectors (indexing "ij"); returns n, 0 on error
 */
TDM_API int tdm_meshgrid(tdm_tensor *const *x, int n, tdm_tensor **grids, tdm_loc at);
TDM_API tdm_tensor *tdm_full_like(tdm_tensor *x, double value, tdm_loc at); /* x's dtype and shape */
#define tdm_zeros_like(x) tdm_full_like(x, 0)
#define tdm_ones_like(x) tdm_full_like(x, 1)

#ifndef TDM_PLAIN_FUNCTIONS
#define tdm_squeeze(...) tdm_squeeze(__VA_ARGS__, TDM_HERE)
#define tdm_unsqueeze(...) tdm_unsqueeze(__VA_ARGS__, TDM_HERE)
#define tdm_flatten(...) tdm_flatten(__VA_ARGS__, TDM_HERE)
#define tdm_movedim(...) tdm_movedim(__VA_ARGS__, TDM_HERE)
#define tdm_swapaxes(...) tdm_swapaxes(__VA_ARGS__, TDM_HERE)
#define tdm_concat(...) tdm_concat(__VA_ARGS__, TDM_HERE)
#define tdm_stack(...) tdm_stack(__VA_ARGS__, TDM_HERE)
#define tdm_split(...) tdm_split(__VA_ARGS__, TDM_HERE)
#define tdm_chunk(...) tdm_chunk(__VA_ARGS__, TDM_HERE)
#define tdm_tile(...) tdm_tile(__VA_ARGS__, TDM_HERE)
#define tdm_repeat_interleave(...) tdm_repeat_interleave(__VA_ARGS__, TDM_HERE)
#define tdm_roll(...) tdm_roll(__VA_ARGS__, TDM_HERE)
#define tdm_flip(...) tdm_flip(__VA_ARGS__, TDM_HERE)
#define tdm_pad_value(...) tdm_pad_value(__VA_ARGS__, TDM_HERE)
#define tdm_tril(...) tdm_tril(__VA_ARGS__, TDM_HERE)
#define tdm_triu(...) tdm_triu(__VA_ARGS__, TDM_HERE)
#define tdm_diagonal(...) tdm_diagonal(__VA_ARGS__, TDM_HERE)
#define tdm_diag(...) tdm_diag(__VA_ARGS__, TDM_HERE)
#define tdm_trace(...) tdm_trace(__VA_ARGS__, TDM_HERE)
#define tdm_outer(...) tdm_outer(__VA_ARGS__, TDM_HERE)
#define tdm_bmm(...) tdm_bmm(__VA_ARGS__, TDM_HERE)
#define tdm_einsum(...) tdm_einsum(__VA_ARGS__, TDM_HERE)
#define tdm_masked_fill(...) tdm_masked_fill(__VA_ARGS__, TDM_HERE)
#define tdm_index_select(...) tdm_index_select(__VA_ARGS__, TDM_HERE)
#define tdm_take_along_axis(...) tdm_take_along_axis(__VA_ARGS__, TDM_HERE)
#define tdm_gather_nd(...) tdm_gather_nd(__VA_ARGS__, TDM_HERE)
#define tdm_scatter(...) tdm_scatter(__VA_ARGS__, TDM_HERE)
#define tdm_put_along_axis(...) tdm_put_along_axis(__VA_ARGS__, TDM_HERE)
#define tdm_scatter_nd(...) tdm_scatter_nd(__VA_ARGS__, TDM_HERE)
#define tdm_dynamic_slice(...) tdm_dynamic_slice(__VA_ARGS__, TDM_HERE)
#define tdm_dynamic_update(...) tdm_dynamic_update(__VA_ARGS__, TDM_HERE)
#define tdm_eye(...) tdm_eye(__VA_ARGS__, TDM_HERE)
#define tdm_causal_mask(...) tdm_causal_mask(__VA_ARGS__, TDM_HERE)
#define tdm_linspace(...) tdm_linspace(__VA_ARGS__, TDM_HERE)
#define tdm_meshgrid(...) tdm_meshgrid(__VA_ARGS__, TDM_HERE)
#define tdm_full_like(...) tdm_full_like(__VA_ARGS__, TDM_HERE)
#endif

#endif
