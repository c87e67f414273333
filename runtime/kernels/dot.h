/* runtime/kernels/dot.h: register tiles of a product for dtype DT (numerics rule 5); included by dot_f32.c
 * and dot_f64.c.
 *
 *   tile      up to MR rows x NV vectors of C stay in registers while k runs; every element is a chain of fma
 * in ascending k streamed  few rows: B is read once, in place, eight of its rows at a time, into a tile of C
 * that stays in L1 partials  the tree for products of fewer than 64 elements
 *
 * One exact tile per number of rows (no masks, no waste at the edge), in two forms: A packed or with
 * contiguous rows (ai = 1: constant offsets), A anywhere (row pointers). */
#define T s_val_(DT)
#define s_val_(dt) RT_PASTE(s_val_, dt)
#define v_(dt) RT_PASTE(v_, dt)
#define halves_(dt) RT_PASTE(halves_, dt)
#define FMA_ RT_PASTE(s_fma_, DT)

#define LANES ((int)(RT_VECTOR_BYTES / sizeof(T)))
#define NR (2 * LANES)
#if RT_LEVEL == 4
#define MR 14
#elif RT_LEVEL == 3
#define MR 6
#else
#define MR 4
#endif
#define STREAM_ROWS (RT_LEVEL == 4 ? 7 : 4)
#define STREAM_COLS 512 /* of C per tile: eight rows of B and the tile fit L1 */
#define AHEAD 128       /* elements: 32 rows at once are more streams than the hardware follows */
#define UNROLL _Pragma("GCC unroll 16")

#define T_ELEM T
#include "runtime/kernels/transpose.h"

typedef T vec __attribute__((vector_size(RT_VECTOR_BYTES)));
typedef T vec_in_memory __attribute__((vector_size(RT_VECTOR_BYTES), aligned(sizeof(T)), may_alias));

/* The body of every tile: rows and nv are constants at each use. */
__attribute__((always_inline)) static inline void tile_body(const T *a, int64_t ai, int64_t ap, const T *b,
                                                            int64_t ldb, T *c, int64_t ldc, int64_t k,
                                                            bool add, const int rows, const int nv)
{
    vec acc[MR][2];
    const T *row[MR];

    UNROLL for (int i = 0; i < rows; i++)
    {
        row[i] = a + i * ai;
        UNROLL for (int v = 0; v < nv; v++) acc[i][v] = (vec){0};
    }
    for (int64_t p = 0; p < k; p++, b += ldb) {
        vec bv[2];

        UNROLL for (int v = 0; v < nv; v++) bv[v] = *(const vec_in_memory *)(b + v * LANES);
        UNROLL for (int i = 0; i < rows; i++)
        {
            T s = row[i][p * ap];

            UNROLL for (int v = 0; v < nv; v++) VFMA(acc[i][v], VSPLAT(s), bv[v]);
        }
    }
    UNROLL for (int i = 0; i < rows; i++)
    {
        UNROLL for (int v = 0; v < nv; v++)
        {
            vec_in_memory *to = (vec_in_memory *)(c + i * ldc + v * LANES);

            if (add)
                acc[i][v] = *to + acc[i][v];
            *to = acc[i][v];
        }
    }
}

typedef void tile_fn(const T *a, int64_t ai, int64_t ap, const T *b, int64_t ldb, T *c, int64_t ldc,
                     int64_t k, bool add);

#define TILE(rows, nv)                                                                                   \
    static void packed_##rows##x##nv(const T *a, int64_t ai, int64_t ap, const T *b, int64_t ldb, T *c,  \
                                     int64_t ldc, int64_t k, bool add)                                   \
    {                                                                                                    \
        (void)ai;                                                                                        \
        tile_body(a, 1, ap, b, ldb, c, ldc, k, add, rows, nv);                                           \
    }                                                                                                    \
    static void strided_##rows##x##nv(const T *a, int64_t ai, int64_t ap, const T *b, int64_t ldb, T *c, \
                                      int64_t ldc, int64_t k, bool add)                                  \
    {                                                                                                    \
        tile_body(a, ai, ap, b, ldb, c, ldc, k, add, rows, nv);                                          \
    }
/* clang-format off */
#define BOTH(rows) TILE(rows, 1) TILE(rows, 2)
#define ENTRY(rows) {{packed_##rows##x1, packed_##rows##x2}, {strided_##rows##x1, strided_##rows##x2}},

#define UP_TO_4(X) X(1) X(2) X(3) X(4)
#define UP_TO_6(X) UP_TO_4(X) X(5) X(6)
#define UP_TO_14(X) UP_TO_6(X) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#if MR == 14
#define EVERY_HEIGHT UP_TO_14
#elif MR == 6
#define EVERY_HEIGHT UP_TO_6
#else
#define EVERY_HEIGHT UP_TO_4
#endif

EVERY_HEIGHT(BOTH)

/* [rows - 1][A strided][vectors - 1] */
static tile_fn *const tiles[MR][2][2] = {EVERY_HEIGHT(ENTRY)};
/* clang-format on */

static void tile(const void *a, int64_t ai, int64_t ap, const void *b, int64_t ldb, void *c, int64_t ldc,
                 int64_t k, int rows, int cols, bool add)
{
    int nv = cols <= LANES ? 1 : 2;
    tile_fn *fn = tiles[rows - 1][ai != 1][nv - 1];
    T edge[MR * NR], *r = c;

    if (cols == nv * LANES) {
        fn(a, ai, ap, b, ldb, c, ldc, k, add);
        return;
    }
    fn(a, ai, ap, b, ldb, edge, NR, k, false);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++)
            r[i * ldc + j] = add ? r[i * ldc + j] + edge[i * NR + j] : edge[i * NR + j];
}

/* One row of C: acc[j] = fma(a[p], b[p][j], acc[j]) for all p, eight at a time so that acc is touched an
 * eighth as often. */
static void stream_row(const T *a, int64_t ap, const T *b, int64_t ldb, T *restrict acc, int64_t k,
                       int64_t cols)
{
    int64_t p = 0;

    for (; p + 8 <= k; p += 8, b += 8 * ldb, a += 8 * ap) {
        T s0 = a[0], s1 = a[ap], s2 = a[2 * ap], s3 = a[3 * ap];
        T s4 = a[4 * ap], s5 = a[5 * ap], s6 = a[6 * ap], s7 = a[7 * ap];

        for (int64_t j = 0; j < cols; j++) {
            T v = FMA_(s0, b[j], acc[j]);

            v = FMA_(s1, b[ldb + j], v);
            v = FMA_(s2, b[2 * ldb + j], v);
            v = FMA_(s3, b[3 * ldb + j], v);
            v = FMA_(s4, b[4 * ldb + j], v);
            v = FMA_(s5, b[5 * ldb + j], v);
            v = FMA_(s6, b[6 * ldb + j], v);
            acc[j] = FMA_(s7, b[7 * ldb + j], v);
        }
    }
    for (; p < k; p++, b += ldb, a += ap)
        for (int64_t j = 0; j < cols; j++)
            acc[j] = FMA_(a[0], b[j], acc[j]);
}

static void streamed(const void *a, int64_t ai, int64_t ap, const void *b, int64_t ldb, void *c, int64_t ldc,
                     int64_t k, int rows, int64_t cols, bool add)
{
    T acc[STREAM_ROWS][STREAM_COLS];

    for (int64_t j = 0; j < cols; j += STREAM_COLS) {
        int64_t w = cols - j < STREAM_COLS ? cols - j : STREAM_COLS;

        memset(acc, 0, sizeof acc);
        for (int64_t p = 0; p < k; p += 8)
            for (int i = 0; i < rows; i++)
                stream_row((const T *)a + i * ai + p * ap, ap, (const T *)b + p * ldb + j, ldb, acc[i],
                           k - p < 8 ? k - p : 8, w);
        for (int i = 0; i < rows; i++) {
            T *r = (T *)c + i * ldc + j;

            for (int64_t q = 0; q < w; q++)
                r[q] = add ? r[q] + acc[i][q] : acc[i][q];
        }
    }
}

/* T_LANES rows x[i step + 0..T_LANES), zeros from row `rows` on, transposed. */
__attribute__((always_inline)) static inline void load_transposed(t_vec v[T_LANES], const T *x, int64_t step,
                                                                  int rows)
{
    T_UNROLL for (int i = 0; i < T_LANES; i++)
    {
        v[i] = (t_vec){0};
        if (i < rows) {
            v[i] = *(const t_memory *)(x + i * step);
            __builtin_prefetch(x + i * step + AHEAD);
        }
    }
    transpose_square(v);
}

/* Columns are contiguous along k: squares of LANES x LANES are transposed in registers. */
__attribute__((always_inline)) static inline int64_t pack_b_transposed(T *y, const T *x, int64_t xn,
                                                                       int64_t k, int cols)
{
    int64_t p = 0;

    for (; p + LANES <= k; p += LANES)
        for (int h = 0; h < 2; h++) {
            t_vec v[T_LANES];

            load_transposed(v, x + p + h * LANES * xn, xn, cols - h * LANES);
            T_UNROLL for (int i = 0; i < T_LANES; i++) * (t_memory *)(y + (p + i) * NR + h * LANES) = v[i];
        }
    return p;
}

static void pack_b(void *y, const void *x, int64_t xk, int64_t xn, int64_t k, int cols)
{
    T *r = y;
    const T *x0 = x;
    int64_t p = 0;

    if (xk == 1)
        p = cols == NR ? pack_b_transposed(r, x0, xn, k, NR) : pack_b_transposed(r, x0, xn, k, cols);
    if (xn == 1 && cols == NR)
        for (; p < k; p++) {
            const T *row = x0 + p * xk;

            *(vec *)(r + p * NR) = *(const vec_in_memory *)row;
            *(vec *)(r + p * NR + LANES) = *(const vec_in_memory *)(row + LANES);
            /* the next panel: rows are far apart, so the hardware does not see it coming */
            __builtin_prefetch(row + NR);
            __builtin_prefetch(row + NR + LANES);
        }
    for (; p < k; p++) {
        for (int j = 0; j < cols; j++)
            r[p * NR + j] = x0[p * xk + j * xn];
        for (int j = cols; j < NR; j++)
            r[p * NR + j] = 0;
    }
}

/* Rows are contiguous along k.  Whole vectors are stored: each overruns into the next p, which is written
 * after it, and the last one into the LANES elements that the caller keeps free behind a tile. */
static int64_t pack_a_transposed(T *y, const T *x, int64_t xi, int64_t k, int rows)
{
    int64_t p = 0;

    for (; p + LANES <= k; p += LANES) {
        t_vec v[2][T_LANES];

        load_transposed(v[0], x + p, xi, rows);
        if (MR > LANES)
            load_transposed(v[1], x + p + LANES * xi, xi, rows - LANES);
        T_UNROLL for (int i = 0; i < T_LANES; i++)
        {
            *(t_memory *)(y + (p + i) * rows) = v[0][i];
            if (MR > LANES && rows > LANES)
                *(t_memory *)(y + (p + i) * rows + LANES) = v[1][i];
        }
    }
    return p;
}

static void pack_a(void *y, const void *x, int64_t xi, int64_t xk, int64_t k, int rows)
{
    T *r = y;
    const T *x0 = x;
    int64_t p = xk == 1 ? pack_a_transposed(r, x0, xi, k, rows) : 0;

    if (xi == 1 && rows == MR)
        for (; p < k; p++)
            for (int i = 0; i < MR; i++)
                r[p * MR + i] = x0[p * xk + i];
    for (; p < k; p++)
        for (int i = 0; i < rows; i++)
            r[p * rows + i] = x0[p * xk + i * xi];
}

static void partials(void *s, const void *a, const void *b, int64_t k)
{
    T *r = s;
    const T *x = a, *z = b;
    vec t[V_COUNT(T)];
    int64_t p = 0;

    V_UNROLL for (int v = 0; v < V_COUNT(T); v++) t[v] = *(const vec_in_memory *)(r + v * LANES);
    for (; p + PARTIALS <= k; p += PARTIALS)
        V_UNROLL for (int v = 0; v < V_COUNT(T); v++)
        {
            int64_t at = p + v * LANES;

            VFMA(t[v], *(const vec_in_memory *)(x + at), *(const vec_in_memory *)(z + at));
        }
    V_UNROLL for (int v = 0; v < V_COUNT(T); v++) * (vec_in_memory *)(r + v * LANES) = t[v];
    for (int j = 0; p + j < k; j++)
        r[j] = FMA_(x[p + j], z[p + j], r[j]);
}

static void halves(void *s)
{
    v_(DT) p[V_COUNT(T)];

    memcpy(p, s, sizeof p);
    *(T *)s = halves_(DT)(p);
}

const rt_dot_kernels DOT_NAME = {
    .mr = MR,
    .nr = NR,
    .stream = STREAM_ROWS,
    .tile = tile,
    .streamed = streamed,
    .pack_b = pack_b,
    .pack_a = pack_a,
    .partials = partials,
    .halves = halves,
};
