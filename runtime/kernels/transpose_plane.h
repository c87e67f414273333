/* runtime/kernels/transpose_plane.h: y[r * dst + c] = x[c * src + r] for elements T_ELEM.
 *
 * Squares go down the rows of y first: then a cache line of x is read to its end while the lines of y are
 * written whole. No guard: included once by transpose_4.c and transpose_8.c. */
#include "runtime/kernels/kernel.h"
#include "runtime/kernels/transpose.h"

static void edge(T_ELEM *y, int64_t dst, const T_ELEM *x, int64_t src, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++)
            y[r * dst + c] = x[c * src + r];
}

static void square(T_ELEM *y, int64_t dst, const T_ELEM *x, int64_t src)
{
    t_vec v[T_LANES];

    T_UNROLL for (int i = 0; i < T_LANES; i++) v[i] = *(const t_memory *)(x + i * src);
    transpose_square(v);
    T_UNROLL for (int i = 0; i < T_LANES; i++) * (t_memory *)(y + i * dst) = v[i];
}

void RT_V(TRANSPOSE)(void *y, int64_t dst, const void *x, int64_t src, int64_t rows, int64_t cols)
{
    T_ELEM *to = y;
    const T_ELEM *from = x;
    int64_t whole_rows = rows / T_LANES * T_LANES, whole_cols = cols / T_LANES * T_LANES;

    for (int64_t c = 0; c < whole_cols; c += T_LANES)
        for (int64_t r = 0; r < whole_rows; r += T_LANES)
            square(to + r * dst + c, dst, from + c * src + r, src);
    edge(to + whole_rows * dst, dst, from + whole_rows, src, rows - whole_rows, cols);
    edge(to + whole_cols, dst, from + whole_cols * src, src, whole_rows, cols - whole_cols);
}
