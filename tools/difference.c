/* tools/difference.c: see difference.h. */
#include "tools/difference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Floats in the order of their values as integers, so that neighbours differ by one. */
static int64_t ordered32(float v)
{
    int32_t i;
    memcpy(&i, &v, sizeof i);
    return i < 0 ? (int64_t)INT32_MIN - i : i;
}

static int64_t ordered64(double v)
{
    int64_t i;
    memcpy(&i, &v, sizeof i);
    return i < 0 ? INT64_MIN - i : i;
}

static double ulps(const void *a, const void *b, tdm_dtype d, int64_t i)
{
    double x = cli_element(a, d, i), y = cli_element(b, d, i);
    if (isnan(x) || isnan(y))
        return INFINITY;
    if (d == TDM_F32)
        return fabs((double)(ordered32((float)x) - ordered32((float)y)));
    if (d == TDM_F64)
        return fabs((double)ordered64(x) - (double)ordered64(y));
    return fabs(x - y);
}

static void note(difference *r, const void *a, const void *b, tdm_dtype d, int64_t i, double rtol,
                 double atol)
{
    double x = cli_element(a, d, i), y = cli_element(b, d, i), u = ulps(a, b, d, i), gap = fabs(x - y);
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
