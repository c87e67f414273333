/* runtime/sort.c: argsort of one row, in place in its result (numerics rule 14).
 *
 *   x  0.5 NaN -0 0 2   ->   keys (unsigned, in x's order)   ->   (key, place) pairs sorted   ->   2 3 0 4 1
 *
 * The place breaks ties, so no two pairs are equal and the result does not depend on the algorithm.  Elements
 * of up to 4 bytes are packed with their place into the 8 bytes of the result; of 8-byte elements the places
 * are sorted and the elements looked up.  Introsort (Musser 1997): quicksort, heapsort where that
 * degenerates, insertion for short stretches: n log n always, and no memory. */
#include "runtime/sort.h"

#include <string.h>

enum { SHORT = 24 };

/* ---- keys ---------------------------------------------------------------------------------------------- */

/* -0 becomes +0 and a NaN the greatest; then sign and magnitude become one unsigned order. */
static uint32_t key_of_f32(const void *p)
{
    uint32_t bits;
    float v;

    memcpy(&v, p, sizeof v);
    if (v != v)
        return UINT32_MAX;
    v = v == 0 ? 0 : v;
    memcpy(&bits, &v, sizeof bits);
    return bits >> 31 ? ~bits : bits | 1u << 31;
}

static uint64_t key_of_f64(const void *p)
{
    uint64_t bits;
    double v;

    memcpy(&v, p, sizeof v);
    if (v != v)
        return UINT64_MAX;
    v = v == 0 ? 0 : v;
    memcpy(&bits, &v, sizeof bits);
    return bits >> 63 ? ~bits : bits | 1ull << 63;
}

typedef struct sort_row {
    const char *x;
    ir_dtype d;
    bool descending;
} sort_row;

/* Of up to 4 bytes; a signed integer's sign is turned over. */
static uint32_t key32(const sort_row *r, int64_t i)
{
    size_t size = ir_dtype_size(r->d);
    uint32_t key = 0;

    if (r->d == IR_DT_f32) {
        key = key_of_f32(r->x + 4 * i);
    } else {
        memcpy(&key, r->x + (int64_t)size * i, size);
        key ^= ir_dtype_is_signed(r->d) ? 1u << (8 * size - 1) : 0;
    }
    return r->descending ? ~key : key;
}

static uint64_t key64(const sort_row *r, int64_t i)
{
    uint64_t key;

    if (ir_dtype_size(r->d) < 8)
        return key32(r, i);
    if (r->d == IR_DT_f64) {
        key = key_of_f64(r->x + 8 * i);
    } else {
        memcpy(&key, r->x + 8 * i, sizeof key);
        key ^= ir_dtype_is_signed(r->d) ? 1ull << 63 : 0;
    }
    return r->descending ? ~key : key;
}

/* ---- the sort ------------------------------------------------------------------------------------------ */

static bool less_packed(const sort_row *r, int64_t a, int64_t b)
{
    (void)r;
    return (uint64_t)a < (uint64_t)b;
}

static bool less_places(const sort_row *r, int64_t a, int64_t b)
{
    uint64_t ka = key64(r, a), kb = key64(r, b);

    return ka < kb || (ka == kb && a < b);
}

/* The median of the first, middle and last element lies strictly between two others, so both sides of the
 * partition get some. */
#define SORT(name, less)                                                             \
    static void name##_insertion(const sort_row *r, int64_t *v, int64_t n)           \
    {                                                                                \
        for (int64_t i = 1; i < n; i++) {                                            \
            int64_t e = v[i], j = i;                                                 \
                                                                                     \
            for (; j > 0 && less(r, e, v[j - 1]); j--)                               \
                v[j] = v[j - 1];                                                     \
            v[j] = e;                                                                \
        }                                                                            \
    }                                                                                \
    static void name##_sift(const sort_row *r, int64_t *v, int64_t i, int64_t n)     \
    {                                                                                \
        int64_t e = v[i], child;                                                     \
                                                                                     \
        for (; (child = 2 * i + 1) < n; i = child) {                                 \
            child += child + 1 < n && less(r, v[child], v[child + 1]);               \
            if (!less(r, e, v[child]))                                               \
                break;                                                               \
            v[i] = v[child];                                                         \
        }                                                                            \
        v[i] = e;                                                                    \
    }                                                                                \
    static void name##_heap(const sort_row *r, int64_t *v, int64_t n)                \
    {                                                                                \
        for (int64_t i = n / 2 - 1; i >= 0; i--)                                     \
            name##_sift(r, v, i, n);                                                 \
        for (int64_t i = n - 1; i > 0; i--) {                                        \
            int64_t top = v[0];                                                      \
                                                                                     \
            v[0] = v[i];                                                             \
            v[i] = top;                                                              \
            name##_sift(r, v, 0, i);                                                 \
        }                                                                            \
    }                                                                                \
    static int64_t name##_median(const sort_row *r, int64_t a, int64_t b, int64_t c) \
    {                                                                                \
        if (less(r, a, b))                                                           \
            return less(r, b, c) ? b : less(r, a, c) ? c : a;                        \
        return less(r, a, c) ? a : less(r, b, c) ? c : b;                            \
    }                                                                                \
    static void name##_quick(const sort_row *r, int64_t *v, int64_t n, int depth)    \
    {                                                                                \
        while (n > SHORT && depth > 0) {                                             \
            int64_t p = name##_median(r, v[0], v[n / 2], v[n - 1]), i = -1, j = n;   \
                                                                                     \
            for (;;) {                                                               \
                while (less(r, v[++i], p)) {                                         \
                }                                                                    \
                while (less(r, p, v[--j])) {                                         \
                }                                                                    \
                if (i >= j)                                                          \
                    break;                                                           \
                int64_t e = v[i];                                                    \
                v[i] = v[j];                                                         \
                v[j] = e;                                                            \
            }                                                                        \
            depth--;                                                                 \
            name##_quick(r, v + j + 1, n - j - 1, depth);                            \
            n = j + 1;                                                               \
        }                                                                            \
        if (n > SHORT)                                                               \
            name##_heap(r, v, n);                                                    \
        else                                                                         \
            name##_insertion(r, v, n);                                               \
    }
SORT(packed, less_packed)
SORT(places, less_places)

void rt_argsort_row(int64_t *y, const void *x, int64_t n, int64_t how)
{
    sort_row r = {x, (ir_dtype)(how / 2), how % 2 != 0};
    int depth = 2 * (64 - __builtin_clzll((uint64_t)n));

    if (ir_dtype_size(r.d) == 8 || n > UINT32_MAX) {
        for (int64_t i = 0; i < n; i++)
            y[i] = i;
        places_quick(&r, y, n, depth);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        y[i] = (int64_t)((uint64_t)key32(&r, i) << 32 | (uint64_t)i);
    packed_quick(&r, y, n, depth);
    for (int64_t i = 0; i < n; i++)
        y[i] &= UINT32_MAX;
}
