/* tools/difference.c: see difference.h. */
#include "tools/difference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Element i of a float dtype in the order of the values, so that neighbours differ by one. */
static double ordered(const void *data, tdm_dtype d, int64_t i)
{
    size_t size = tdm_dtype_size(d);
    int unused = 64 - 8 * (int)size;
    uint64_t bits = 0;
    memcpy(&bits, (const char *)data + (size_t)i * size, size);
    int64_t v = (int64_t)(bits << unused);
    return (double)((v < 0 ? INT64_MIN - v : v) >> unused);
}

static double ulps(const void *a, const void *b, tdm_dtype d, int64_t i)
{
    double x = tdm_element(d, a, i), y = tdm_element(d, b, i);
    bool real = d == TDM_F16 || d == TDM_BF16 || d == TDM_F32 || d == TDM_F64;
    if (isnan(x) || isnan(y))
        return INFINITY;
    return fabs(real ? ordered(a, d, i) - ordered(b, d, i) : x - y);
}

static void note(difference *r, const void *a, const void *b, tdm_dtype d, int64_t i, double rtol,
                 double atol)
{
    double x = tdm_element(d, a, i), y = tdm_element(d, b, i), u = ulps(a, b, d, i), gap = fabs(x - y);
    if (isnan(x) && isnan(y))
        return;
    if (r->first < 0)
        r->first = i, r->a = x, r->b = y;
    r->equal = false;
    if (u == 0)
        u = 1; /* +0 and -0 */
    if (u > r->max_ulp)
        r->max_ulp = u;
    if (!(gap <= r->max_abs))
        r->max_abs = isnan(gap) ? INFINITY : gap;
    if (!(gap <= atol + rtol * fabs(y)) && x != y)
        r->within = false;
}

difference difference_of(const tdm_tensor *a, const tdm_tensor *b, double rtol, double atol)
{
    difference r = {.equal = true, .first = -1, .within = true};
    const difference other = {.max_ulp = INFINITY, .max_abs = INFINITY};
    tdm_dtype d = tdm_dtype_of(a);
    size_t bytes = tdm_bytes(a), each = tdm_dtype_size(d);
    if (tdm_is_error(a) || tdm_is_error(b) || tdm_dtype_of(b) != d || tdm_bytes(b) != bytes)
        return other;
    char *x = malloc(bytes), *y = malloc(bytes);
    bool ok = x && y && tdm_read(a, x, bytes) == TDM_OK && tdm_read(b, y, bytes) == TDM_OK;
    for (int64_t i = 0; ok && i < (int64_t)(bytes / each); i++)
        if (memcmp(x + (size_t)i * each, y + (size_t)i * each, each) != 0)
            note(&r, x, y, d, i, rtol, atol);
    free(x);
    free(y);
    return ok ? r : other;
}
