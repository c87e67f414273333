/* ir/compose_shape.c: rearranging elements: composites of views, pad and concat (compose.h).
 *
 *   roll(x, 2)     ->  concat(x[n-2..n), x[0..n-2))          tile(x, 3)  ->  reshape(broadcast(reshape(x)))
 *   diag(v)        ->  reshape(pad(v, n zeros between))      diagonal(x) ->  slice(reshape(x), step n + 1)
 *   pad(x, -1, 2)  ->  pad(slice(x))                         tril(x)     ->  select(j <= i + k, x, 0)
 *
 * No arithmetic on elements: they move, or give way to a constant.  Names and meaning are PyTorch's. */
#include "ir/compose.h"
#include "ir/compose_check.h"
#include "ir/emit.h"

#include <string.h>

enum { TEXT = 160 };

/* x is there and has constant extents and at least `rank` axes. */
static bool has_axes(ir_sink *s, const char *op, ir_val x, int rank)
{
    char text[TEXT];

    if (!x) {
        return false;
    }
    const ir_type *t = s->type(s, x);
    if (t->rank >= rank && ir_type_is_static(t)) {
        return true;
    }
    ir_fail(s->err, t->rank < rank ? IR_ESHAPE : IR_EUNSUPPORTED, "%s: %s %s", op,
            ir_type_text(t, NULL, text, TEXT),
            t->rank < rank ? "has too few axes" : "has symbolic extents, which must be known here");
    return false;
}

static int64_t product(const int64_t *dims, int from, int to)
{
    int64_t n = 1;

    for (int i = from; i < to; i++) {
        n *= dims[i];
    }
    return n;
}

/* One axis of x from start to limit. */
static ir_val cut(ir_sink *s, ir_val x, int axis, int64_t start, int64_t limit)
{
    int64_t from[IR_MAX_RANK] = {0};
    ir_type t = ir_c_type(s, x);

    from[axis] = start;
    t.dims[axis] = limit;
    return ir_e_slice(s, x, from, t.dims, NULL);
}

/* ---- pad ---------------------------------------------------------------------------------------------- */

static bool crops(const ir_type *t, const int64_t *low, const int64_t *high)
{
    bool any = false;

    for (int i = 0; i < t->rank; i++) {
        any |= low[i] < 0 || high[i] < 0;
    }
    return any;
}

/* Removes what negative low and high say. */
static ir_val crop(ir_sink *s, ir_val x, const int64_t *low, const int64_t *high)
{
    char text[TEXT];
    int64_t start[IR_MAX_RANK], limit[IR_MAX_RANK];
    ir_type t = ir_c_type(s, x);

    for (int i = 0; i < t.rank; i++) {
        bool cuts = low[i] < 0 || high[i] < 0;
        bool fits = !cuts || (t.dims[i] > 0 && low[i] > -t.dims[i] && high[i] > -t.dims[i]);
        start[i] = fits && low[i] < 0 ? -low[i] : 0;
        limit[i] = fits && high[i] < 0 ? t.dims[i] + high[i] : t.dims[i];
        if (cuts && (!fits || start[i] >= limit[i])) {
            ir_fail(s->err, IR_ESHAPE, "pad: low %lld and high %lld leave nothing of axis %d of %s",
                    (long long)low[i], (long long)high[i], i, ir_type_text(&t, NULL, text, TEXT));
            return 0;
        }
    }
    return ir_e_slice(s, x, start, limit, NULL);
}

/* The zeros of pad, negative edges cropped; with zeros between elements these may be cropped too. */
static ir_val pad_zeros(ir_sink *s, ir_val x, const int64_t *low, const int64_t *high,
                        const int64_t *interior)
{
    int64_t more_low[IR_MAX_RANK], more_high[IR_MAX_RANK], between = 0;
    ir_type t = ir_c_type(s, x);
    bool cropped = crops(&t, low, high);

    for (int i = 0; i < t.rank; i++) {
        more_low[i] = low[i] > 0 ? low[i] : 0;
        more_high[i] = high[i] > 0 ? high[i] : 0;
        between |= interior ? interior[i] : 0;
    }
    x = cropped && !between ? crop(s, x, low, high) : x;
    x = ir_e_pad(s, x, more_low, more_high, interior);
    return x && cropped && between ? crop(s, x, low, high) : x;
}

ir_val ir_c_pad(ir_sink *s, ir_val x, const int64_t *low, const int64_t *high, const int64_t *interior,
                double value)
{
    const char *outer = ir_c_open(s, "pad");
    ir_val y = x ? pad_zeros(s, x, low, high, interior) : 0;

    if (y && value != 0) {
        ir_type one = ir_type_make(IR_DT_bool, 0, NULL), t = ir_c_type(s, x);
        ir_val inside = ir_e_broadcast(s, ir_e_fill(s, &one, 1), t.rank, t.dims);
        y = ir_e_select(s, pad_zeros(s, inside, low, high, interior), y, ir_e_like(s, y, value));
    }
    return ir_c_close(s, outer, y);
}

/* ---- axes --------------------------------------------------------------------------------------------- */

ir_val ir_c_squeeze(ir_sink *s, ir_val x, int axis)
{
    char text[TEXT];

    if (!ir_c_axis(s, "squeeze", x, axis, &axis)) {
        return 0;
    }
    ir_type t = ir_c_type(s, x);
    if (t.dims[axis] != 1) {
        ir_fail(s->err, IR_ESHAPE, "squeeze: the extent of axis %d of %s is not 1", axis,
                ir_type_text(&t, NULL, text, TEXT));
        return 0;
    }
    memmove(t.dims + axis, t.dims + axis + 1, (size_t)(t.rank - axis - 1) * sizeof *t.dims);
    return ir_e_reshape(s, x, t.rank - 1, t.dims);
}

ir_val ir_c_unsqueeze(ir_sink *s, ir_val x, int axis)
{
    char text[TEXT];

    if (!x) {
        return 0;
    }
    ir_type t = ir_c_type(s, x);
    int at = axis < 0 ? axis + t.rank + 1 : axis;
    if (at < 0 || at > t.rank || t.rank == IR_MAX_RANK) {
        ir_fail(s->err, IR_ESHAPE, "unsqueeze: no new axis %d fits %s", axis,
                ir_type_text(&t, NULL, text, TEXT));
        return 0;
    }
    memmove(t.dims + at + 1, t.dims + at, (size_t)(t.rank - at) * sizeof *t.dims);
    t.dims[at] = 1;
    return ir_e_reshape(s, x, t.rank + 1, t.dims);
}

ir_val ir_c_flatten(ir_sink *s, ir_val x, int first, int last)
{
    char text[TEXT];
    int64_t dims[IR_MAX_RANK];

    if (x && s->type(s, x)->rank == 0) {
        return ir_e_reshape(s, x, 1, (const int64_t[]){1});
    }
    if (!has_axes(s, "flatten", x, 1) || !ir_c_axis(s, "flatten", x, first, &first) ||
        !ir_c_axis(s, "flatten", x, last, &last)) {
        return 0;
    }
    ir_type t = ir_c_type(s, x);
    if (first > last) {
        ir_fail(s->err, IR_ESHAPE, "flatten: axis %d comes after axis %d of %s", first, last,
                ir_type_text(&t, NULL, text, TEXT));
        return 0;
    }
    memcpy(dims, t.dims, sizeof dims);
    dims[first] = product(t.dims, first, last + 1);
    memmove(dims + first + 1, t.dims + last + 1, (size_t)(t.rank - last - 1) * sizeof *dims);
    return ir_e_reshape(s, x, t.rank - (last - first), dims);
}

ir_val ir_c_movedim(ir_sink *s, ir_val x, int from, int to)
{
    int perm[IR_MAX_RANK];

    if (!ir_c_axis(s, "movedim", x, from, &from) || !ir_c_axis(s, "movedim", x, to, &to)) {
        return 0;
    }
    for (int i = 0, rest = 0, rank = s->type(s, x)->rank; i < rank; i++) {
        rest += i != to && rest == from;
        perm[i] = i == to ? from : rest++;
    }
    return ir_e_transpose(s, x, perm);
}

ir_val ir_c_swapaxes(ir_sink *s, ir_val x, int a, int b)
{
    int perm[IR_MAX_RANK];

    if (!ir_c_axis(s, "swapaxes", x, a, &a) || !ir_c_axis(s, "swapaxes", x, b, &b)) {
        return 0;
    }
    for (int i = 0; i < IR_MAX_RANK; i++) {
        perm[i] = i == a ? b : i == b ? a : i;
    }
    return ir_e_transpose(s, x, perm);
}

ir_val ir_c_flip(ir_sink *s, ir_val x, const int *axes, int n)
{
    const char *outer = ir_c_open(s, "flip");
    int list[IR_MAX_RANK];
    bool ok = x && n <= IR_MAX_RANK;

    for (int i = 0; i < n && ok; i++) {
        ok = ir_c_axis(s, "flip", x, axes[i], &list[i]);
    }
    return ir_c_close(s, outer, ok ? ir_e_reverse(s, x, list, n) : 0);
}

/* ---- joining and repeating ---------------------------------------------------------------------------- */

ir_val ir_c_concat(ir_sink *s, const ir_val *x, int n, int axis)
{
    for (int i = 0; i < n; i++) {
        if (!x[i]) {
            return 0;
        }
    }
    return n && !ir_c_axis(s, "concat", x[0], axis, &axis) ? 0 : ir_e_concat(s, x, n, axis);
}

ir_val ir_c_stack(ir_sink *s, const ir_val *x, int n, int axis)
{
    const char *outer = ir_c_open(s, "stack");
    ir_val y = n > 0 ? ir_c_unsqueeze(s, x[0], axis) : 0;

    if (n < 1) {
        ir_fail(s->err, IR_EARG, "stack: nothing to stack");
    }
    if (y) {
        int at = axis < 0 ? axis + s->type(s, y)->rank : axis;
        for (int i = 1; i < n && y; i++) {
            if (!ir_c_same_type(s, "stack", x[0], x[i])) {
                return ir_c_close(s, outer, 0);
            }
        }
        /* Joined in groups, each of which is unsqueezed as it is needed. */
        ir_val parts[IR_MAX_OPERANDS];
        int count = 0;
        for (int first = 0, left = n; left > 0; count++) {
            int size = n <= IR_MAX_OPERANDS ? 1 : left / (IR_MAX_OPERANDS - count);
            size = size < 1 ? 1 : size;
            parts[count] = size == 1 ? ir_c_unsqueeze(s, x[first], at) : ir_c_stack(s, x + first, size, at);
            first += size;
            left -= size;
        }
        y = ir_e_concat(s, parts, count, at);
    }
    return ir_c_close(s, outer, y);
}

/* x seen as [before, middle, after], its middle repeated n times as a whole. */
static ir_val repeated(ir_sink *s, ir_val x, int64_t before, int64_t n, int64_t after)
{
    return ir_e_broadcast(s, ir_e_reshape(s, x, 3, (const int64_t[]){before, 1, after}), 3,
                          (const int64_t[]){before, n, after});
}

static bool repeats_fit(ir_sink *s, const char *op, int64_t n)
{
    if (n < 1 || n > IR_MAX_ELEMENTS) {
        ir_fail(s->err, IR_ESHAPE, "%s: %lld repeats, expected at least 1", op, (long long)n);
        return false;
    }
    return true;
}

ir_val ir_c_tile(ir_sink *s, ir_val x, const int64_t *repeats, int n)
{
    const char *outer = ir_c_open(s, "tile");
    int64_t ones[IR_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    ir_val y = has_axes(s, "tile", x, 0) ? x : 0;

    if (n < 0 || n > IR_MAX_RANK) {
        ir_fail(s->err, IR_ESHAPE, "tile: %d repeats", n);
        y = 0;
    }
    if (y) { /* missing axes lead, missing repeats are ones */
        ir_type t = ir_c_type(s, x);
        int lead = n > t.rank ? n - t.rank : 0;
        memcpy(ones + lead, t.dims, (size_t)t.rank * sizeof *ones);
        t.rank = (uint8_t)(t.rank + lead);
        memcpy(t.dims, ones, sizeof ones);
        for (int i = t.rank - 1; i >= 0 && y; i--) {
            int64_t times = i < t.rank - n ? 1 : repeats[i - (t.rank - n)];
            if (!repeats_fit(s, "tile", times)) {
                y = 0;
            } else if (times > 1) {
                y = repeated(s, y, product(t.dims, 0, i), times, product(t.dims, i, t.rank));
                t.dims[i] *= y ? times : 1; /* no overflow after an error */
            }
        }
        y = ir_e_reshape(s, y, t.rank, t.dims);
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_repeat_interleave(ir_sink *s, ir_val x, int64_t n, int axis)
{
    const char *outer = ir_c_open(s, "repeat_interleave");
    ir_val y = 0;

    if (has_axes(s, "repeat_interleave", x, 1) && ir_c_axis(s, "repeat_interleave", x, axis, &axis) &&
        repeats_fit(s, "repeat_interleave", n)) {
        ir_type t = ir_c_type(s, x);
        y = repeated(s, x, product(t.dims, 0, axis + 1), n, product(t.dims, axis + 1, t.rank));
        t.dims[axis] *= y ? n : 1; /* no overflow after an error */
        y = ir_e_reshape(s, y, t.rank, t.dims);
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_roll(ir_sink *s, ir_val x, const int64_t *shifts, const int *axes, int n)
{
    const char *outer = ir_c_open(s, "roll");
    ir_val y = has_axes(s, "roll", x, 1) ? x : 0;

    for (int i = 0, axis; i < n && y; i++) {
        if (!ir_c_axis(s, "roll", x, axes[i], &axis)) {
            y = 0;
            break;
        }
        int64_t extent = s->type(s, y)->dims[axis], by = (shifts[i] % extent + extent) % extent;
        if (by) {
            ir_val parts[2] = {cut(s, y, axis, extent - by, extent), cut(s, y, axis, 0, extent - by)};
            y = ir_e_concat(s, parts, 2, axis);
        }
    }
    return ir_c_close(s, outer, y);
}

/* ---- triangles and diagonals -------------------------------------------------------------------------- */

/* bool [rows, cols]: column - row compared with k */
static ir_val band(ir_sink *s, int64_t rows, int64_t cols, int64_t k, ir_op compare)
{
    ir_type t = ir_type_make(IR_DT_i64, 2, (const int64_t[]){rows, cols});
    ir_val row = ir_e_iota_axis(s, &t, 0), column = ir_e_iota_axis(s, &t, 1);
    int64_t within = k > IR_MAX_ELEMENTS ? IR_MAX_ELEMENTS : k < -IR_MAX_ELEMENTS ? -IR_MAX_ELEMENTS : k;
    ir_val limit = ir_e_add(s, row, ir_e_like(s, row, (double)within));

    return ir_emit(s, compare, NULL, (const ir_val[]){column, limit}, 2);
}

static ir_val triangle(ir_sink *s, const char *op, ir_val x, int64_t k, ir_op compare)
{
    const char *outer = ir_c_open(s, op);
    ir_val y = 0;

    if (has_axes(s, op, x, 2)) {
        ir_type t = ir_c_type(s, x);
        ir_val keep = band(s, t.dims[t.rank - 2], t.dims[t.rank - 1], k, compare);
        y = ir_e_select(s, ir_e_broadcast(s, keep, t.rank, t.dims), x, ir_e_like(s, x, 0));
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_tril(ir_sink *s, ir_val x, int64_t k)
{
    return triangle(s, "tril", x, k, IR_le);
}

ir_val ir_c_triu(ir_sink *s, ir_val x, int64_t k)
{
    return triangle(s, "triu", x, k, IR_ge);
}

ir_val ir_c_eye(ir_sink *s, ir_dtype d, int64_t rows, int64_t cols, int64_t k)
{
    const char *outer = ir_c_open(s, "eye");
    ir_val y = ir_e_convert(s, band(s, rows, cols, k, IR_eq), d);

    return ir_c_close(s, outer, y);
}

ir_val ir_c_causal_mask(ir_sink *s, int64_t rows, int64_t cols)
{
    const char *outer = ir_c_open(s, "causal_mask");

    return ir_c_close(s, outer, band(s, rows, cols, cols - rows, IR_le));
}

/* Element i of the diagonal is element start + i (cols + 1) of the flat matrix. */
ir_val ir_c_diagonal(ir_sink *s, ir_val x, int64_t k, int a, int b)
{
    const char *outer = ir_c_open(s, "diagonal");
    char text[TEXT];
    int perm[IR_MAX_RANK], n = 0;
    ir_val y = 0;

    if (!has_axes(s, "diagonal", x, 2) || !ir_c_axis(s, "diagonal", x, a, &a) ||
        !ir_c_axis(s, "diagonal", x, b, &b)) {
        return ir_c_close(s, outer, 0);
    }
    ir_type t = ir_c_type(s, x);
    int64_t rows = t.dims[a], cols = t.dims[b];
    int64_t length = k >= 0 ? (rows < cols - k ? rows : cols - k) : (rows + k < cols ? rows + k : cols);
    if (a == b || length < 1 || k > IR_MAX_ELEMENTS || k < -IR_MAX_ELEMENTS) {
        ir_fail(s->err, IR_ESHAPE, "diagonal: %s has no diagonal %lld of axes %d and %d",
                ir_type_text(&t, NULL, text, TEXT), (long long)k, a, b);
    } else {
        int64_t dims[IR_MAX_RANK], start[IR_MAX_RANK] = {0}, step[IR_MAX_RANK];
        for (int i = 0; i < t.rank; i++) {
            if (i != a && i != b) {
                dims[n] = t.dims[i];
                step[n] = 1;
                perm[n++] = i;
            }
        }
        perm[n] = a;
        perm[n + 1] = b;
        dims[n] = rows * cols;
        x = ir_e_reshape(s, ir_e_transpose(s, x, perm), n + 1, dims);
        start[n] = k >= 0 ? k : -k * cols;
        step[n] = cols + 1;
        dims[n] = start[n] + (length - 1) * step[n] + 1;
        y = ir_e_slice(s, x, start, dims, step);
    }
    return ir_c_close(s, outer, y);
}

/* A vector as the diagonal k of a square of zeros. */
static ir_val spread_vector(ir_sink *s, ir_val x, int64_t k)
{
    int64_t n = s->type(s, x)->dims[0], side = n + (k < 0 ? -k : k), start = k >= 0 ? k : -k * side;
    int64_t interior = side, high = side * side - start - ((n - 1) * (side + 1) + 1);

    return ir_e_reshape(s, ir_e_pad(s, x, &start, &high, &interior), 2, (const int64_t[]){side, side});
}

ir_val ir_c_diag(ir_sink *s, ir_val x, int64_t k)
{
    const char *outer = ir_c_open(s, "diag");
    char text[TEXT];
    ir_val y = 0;

    if (has_axes(s, "diag", x, 1)) {
        ir_type t = ir_c_type(s, x);
        if (t.rank > 2 || k > 1 << 20 || k < -(1 << 20)) {
            ir_fail(s->err, IR_ESHAPE, "diag: diagonal %lld of %s, expected a vector or a matrix",
                    (long long)k, ir_type_text(&t, NULL, text, TEXT));
        } else {
            y = t.rank == 1 ? spread_vector(s, x, k) : ir_c_diagonal(s, x, k, 0, 1);
        }
    }
    return ir_c_close(s, outer, y);
}

ir_val ir_c_trace(ir_sink *s, ir_val x)
{
    const char *outer = ir_c_open(s, "trace");
    ir_val d = ir_c_diagonal(s, x, 0, 0, 1);
    int axis = d ? s->type(s, d)->rank - 1 : 0;

    return ir_c_close(s, outer, d ? ir_e_reduce(s, IR_reduce_sum, d, &axis, 1, false) : 0);
}

/* ---- building and filling ----------------------------------------------------------------------------- */

ir_val ir_c_linspace(ir_sink *s, ir_dtype d, double lo, double hi, int64_t n)
{
    const char *outer = ir_c_open(s, "linspace");
    ir_val i = ir_e_iota(s, d, n), y = 0;

    if (ir_c_float(s, "linspace", i)) {
        ir_val step = ir_e_like(s, i, n > 1 ? (hi - lo) / (double)(n - 1) : 0);
        y = ir_e_add(s, ir_e_like(s, i, lo), ir_e_mul(s, i, step));
        if (n > 1) {
            ir_val last = ir_e_eq(s, i, ir_e_like(s, i, (double)(n - 1)));
            y = ir_e_select(s, last, ir_e_like(s, i, hi), y);
        }
    }
    return ir_c_close(s, outer, y);
}

static bool is_vector(ir_sink *s, const char *op, ir_val x)
{
    char text[TEXT];

    if (x && s->type(s, x)->rank != 1) {
        ir_fail(s->err, IR_ESHAPE, "%s: a vector is needed, not %s", op,
                ir_type_text(s->type(s, x), NULL, text, TEXT));
    }
    return x && s->type(s, x)->rank == 1;
}

ir_val ir_c_meshgrid(ir_sink *s, const ir_val *x, int n, int i)
{
    const char *outer = ir_c_open(s, "meshgrid");
    int64_t grid[IR_MAX_RANK], line[IR_MAX_RANK];
    bool ok = n >= 1 && n <= IR_MAX_RANK;

    if (!ok) {
        ir_fail(s->err, IR_EARG, "meshgrid: %d vectors, expected 1 to %d", n, IR_MAX_RANK);
    }
    for (int k = 0; k < n && ok; k++) {
        ok = is_vector(s, "meshgrid", x[k]);
        grid[k] = ok ? s->type(s, x[k])->dims[0] : 1;
        line[k] = k == i ? grid[k] : 1;
    }
    ir_val y = ok ? ir_e_broadcast(s, ir_e_reshape(s, x[i], n, line), n, grid) : 0;
    return ir_c_close(s, outer, y);
}

ir_val ir_c_masked_fill(ir_sink *s, ir_val x, ir_val mask, double value)
{
    const char *outer = ir_c_open(s, "masked_fill");
    ir_val y = 0;

    if (x && mask) {
        ir_type scalar = ir_type_make((ir_dtype)s->type(s, x)->dtype, 0, NULL);
        y = ir_c_select(s, mask, ir_e_fill(s, &scalar, value), x);
    }
    return ir_c_close(s, outer, y);
}
