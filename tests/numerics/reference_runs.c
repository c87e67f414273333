/* tests/numerics/reference_runs.c: rules 4, 13 and 14 of docs/numerics.md as plain, slow C (reference.h):
 * what walks along runs of elements.
 *
 * Every line along a scan's axis is gathered in the scan's own order, computed, and put back. */
#include "numerics/reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- rule 4 -------------------------------------------------------------------------------------------- */

/* One operation and its neutral element, on contiguous elements. */
#define RUNS(name, dt, T, op, start)                       \
    static T name##_halves_##dt(T p[64])                   \
    {                                                      \
        for (int h = 32; h >= 1; h /= 2)                   \
            for (int j = 0; j < h; j++)                    \
                p[j] = p[j] op p[j + h];                   \
        return p[0];                                       \
    }                                                      \
    T ref_##name##_inner_##dt(const T *x, int64_t n)       \
    {                                                      \
        T p[64];                                           \
                                                           \
        for (int j = 0; j < 64; j++)                       \
            p[j] = start;                                  \
        for (int64_t i = 0; i < n; i++)                    \
            p[i % 64] = p[i % 64] op x[i];                 \
        return name##_halves_##dt(p);                      \
    }                                                      \
    T ref_##name##_outer_##dt(const T *x, int64_t n)       \
    {                                                      \
        T y = start;                                       \
                                                           \
        for (int64_t b = 0; b < n; b += 512) {             \
            T acc = start;                                 \
                                                           \
            for (int64_t i = b; i < b + 512 && i < n; i++) \
                acc = acc op x[i];                         \
            y = b == 0 ? acc : y op acc;                   \
        }                                                  \
        return y;                                          \
    }
RUNS(sum, f32, float, +, 0)
RUNS(sum, f64, double, +, 0)
RUNS(prod, f32, float, *, 1)
RUNS(prod, f64, double, *, 1)

/* ---- rule 13 ------------------------------------------------------------------------------------------- */

/* In blocks of 512, each a chain of its own, joined to the last element of the block before. */
#define BLOCKS(name, dt, T, W, op, start)                         \
    static void name##_##dt(const T *x, int64_t n, T *y)          \
    {                                                             \
        for (int64_t b = 0; b < n; b += 512) {                    \
            T acc = start;                                        \
                                                                  \
            for (int64_t i = b; i < b + 512 && i < n; i++) {      \
                acc = (T)((W)acc op(W) x[i]);                     \
                y[i] = b == 0 ? acc : (T)((W)y[b - 1] op(W) acc); \
            }                                                     \
        }                                                         \
    }

/* Rule 2's maximum (sign 1) or minimum (sign -1) of all elements so far. */
#define EXTREMUM(dt, T)                                                                  \
    static void extremum_##dt(const T *x, int64_t n, T *y, bool max)                     \
    {                                                                                    \
        y[0] = x[0];                                                                     \
        for (int64_t i = 1; i < n; i++) {                                                \
            bool nan = y[i - 1] != y[i - 1] || x[i] != x[i];                             \
            bool zeros = x[i] == 0 && y[i - 1] == 0, minus = signbit((double)x[i]) != 0; \
            bool take = zeros ? minus != max : max ? x[i] > y[i - 1] : x[i] < y[i - 1];  \
                                                                                         \
            y[i] = nan ? (T)(y[i - 1] + x[i]) : take ? x[i] : y[i - 1];                  \
        }                                                                                \
    }

/* Signed integers wrap: their sums and products are taken as unsigned ones of the same width; W: at least 32
 * bits of it, for 65535 * 65535 overflows an int. */
#define LINES(dt, T, U, W)                                             \
    BLOCKS(cumsum, dt, U, W, +, 0)                                     \
    BLOCKS(cumprod, dt, U, W, *, 1)                                    \
    EXTREMUM(dt, T)                                                    \
    static void line_##dt(ir_op op, const void *x, int64_t n, void *y) \
    {                                                                  \
        switch (op) {                                                  \
        case IR_cumsum: cumsum_##dt(x, n, y); break;                   \
        case IR_cumprod: cumprod_##dt(x, n, y); break;                 \
        default: extremum_##dt(x, n, y, op == IR_cummax); break;       \
        }                                                              \
    }
LINES(u8, uint8_t, uint8_t, uint32_t)
LINES(u16, uint16_t, uint16_t, uint32_t)
LINES(u32, uint32_t, uint32_t, uint32_t)
LINES(u64, uint64_t, uint64_t, uint64_t)
LINES(i8, int8_t, uint8_t, uint32_t)
LINES(i16, int16_t, uint16_t, uint32_t)
LINES(i32, int32_t, uint32_t, uint32_t)
LINES(i64, int64_t, uint64_t, uint64_t)
LINES(f32, float, float, float)
LINES(f64, double, double, double)

void ref_cumsum(const float *x, int64_t n, float *y)
{
    cumsum_f32(x, n, y);
}

static void linear(ir_dtype d, const void *x, const void *z, int64_t n, void *y)
{
    memcpy(y, z, ir_dtype_size(d));
    for (int64_t i = 1; i < n && d == IR_DT_f32; i++)
        ((float *)y)[i] = fmaf(((const float *)x)[i], ((float *)y)[i - 1], ((const float *)z)[i]);
    for (int64_t i = 1; i < n && d == IR_DT_f64; i++)
        ((double *)y)[i] = fma(((const double *)x)[i], ((double *)y)[i - 1], ((const double *)z)[i]);
}

static bool scan_line(ir_op op, ir_dtype d, const void *x, const void *z, int64_t n, void *y)
{
    if (op == IR_linear_scan) {
        linear(d, x, z, n, y);
        return true;
    }
    switch (d) {
#define LINE(dt, ...) \
    case IR_DT_##dt: line_##dt(op, x, n, y); break;
        IR_INTEGERS(LINE)
        IR_REALS(LINE)
#undef LINE
    default: return false;
    }
    return true;
}

/* ---- rule 14 ------------------------------------------------------------------------------------------- */

/* May element i stay before element j, where i is the earlier place? */
static bool keeps_order(ir_dtype d, const void *x, int64_t i, int64_t j, bool descending)
{
#define ORDER(dt, bytes, T, ...)                                                          \
    case IR_DT_##dt: {                                                                    \
        T a = ((const T *)x)[descending ? j : i], b = ((const T *)x)[descending ? i : j]; \
        return b != b || (a == a && a <= b);                                              \
    }
    switch (d) {
        IR_INTEGERS(ORDER)
        IR_REALS(ORDER)
    default: return true;
    }
#undef ORDER
}

/* Insertion: each element moves before those of earlier places that it must precede. */
static void argsort_line(ir_dtype d, const void *x, int64_t n, bool descending, int64_t *y)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t j = i;

        for (; j > 0 && !keeps_order(d, x, y[j - 1], i, descending); j--)
            y[j] = y[j - 1];
        y[j] = i;
    }
}

/* ---- lines --------------------------------------------------------------------------------------------- */

bool ref_scan(ir_op op, const ir_attrs *a, const rt_array *const *x, int n, const rt_array *y)
{
    bool sort = op == IR_argsort, ok = true;
    int axis = sort ? y->type.rank - 1 : (int)a->scan.axis;
    int64_t length = y->type.dims[axis], inner = 1;
    ir_dtype d = (ir_dtype)x[0]->type.dtype;
    size_t size = ir_dtype_size(d), out = ir_dtype_size((ir_dtype)y->type.dtype);
    char *line[3];

    for (int i = axis + 1; i < y->type.rank; i++)
        inner *= y->type.dims[i];
    for (int i = 0; i < 3; i++)
        ok &= (line[i] = malloc((size_t)length * 8)) != NULL;
    for (int64_t l = 0; ok && l < ir_type_elements(&y->type) / length; l++) {
        int64_t first = l / inner * inner * length + l % inner;

#define PLACE(i) (first + (!sort && a->scan.reverse ? length - 1 - (i) : (i)) * inner)
        for (int k = 0; k < n; k++)
            for (int64_t i = 0; i < length; i++)
                memcpy(line[k] + (size_t)i * size,
                       (const char *)x[k]->data + (size_t)ref_offset(x[k], PLACE(i)) * size, size);
        if (sort)
            argsort_line(d, line[0], length, a->scan.reverse != 0, (int64_t *)(void *)line[2]);
        else
            ok = scan_line(op, d, line[0], line[1], length, line[2]);
        for (int64_t i = 0; i < length; i++)
            memcpy((char *)y->data + (size_t)PLACE(i) * out, line[2] + (size_t)i * out, out);
#undef PLACE
    }
    for (int i = 0; i < 3; i++)
        free(line[i]);
    return ok;
}
