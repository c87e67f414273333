/* bench/gen.c: the one source of numbers of every workload, a 32-bit LCG, and the fingerprint by which
 * outputs are compared.
 *
 *   s = seed * 2654435761;  each draw: s = s * 1664525 + 1013904223;  u = (s >> 8) / 2^23 - 1 in [-1, 1),
 * exact in f32 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

static uint32_t next(uint32_t *s)
{
    *s = *s * 1664525u + 1013904223u;
    return *s >> 8;
}

void bench_uniform(float *to, int64_t n, unsigned seed, float scale, float shift)
{
    uint32_t s = seed * 2654435761u;
    for (int64_t i = 0; i < n; i++) {
        float u = (float)next(&s) / 8388608.0f - 1.0f;
        if (scale != 1.0f)
            u *= scale;
        if (shift != 0.0f)
            u += shift;
        to[i] = u;
    }
}

void bench_integers(int64_t *to, int64_t n, unsigned seed, unsigned below)
{
    uint32_t s = seed * 2654435761u;
    for (int64_t i = 0; i < n; i++)
        to[i] = (int64_t)(next(&s) % below);
}

tdm_tensor *bench_make(tdm_context *ctx, const bench_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->shape.rank; i++)
        n *= t->shape.dims[i];
    if (!t->seed && !t->fill)
        return tdm_full(ctx, t->dtype, t->shape, (double)t->shift);
    void *data = malloc((size_t)n * tdm_dtype_size(t->dtype));
    if (!data)
        return NULL;
    if (t->fill)
        t->fill(data, n);
    else if (t->dtype == TDM_F32)
        bench_uniform(data, n, t->seed, t->scale, t->shift);
    else
        bench_integers(data, n, t->seed, t->below);
    tdm_tensor *x = tdm_from_data(ctx, t->dtype, t->shape, data);
    free(data);
    return x;
}

static int count(const bench_param *list, int most)
{
    int n = 0;
    while (n < most && list && list[n].name)
        n++;
    return n;
}

enum { MOST_FIRST = 8, MOST_BLOCK = 64, MOST_LAST = 4 };

int bench_parameters(const bench_workload *w)
{
    return count(w->params, MOST_FIRST) + w->blocks * count(w->block, MOST_BLOCK) + count(w->last, MOST_LAST);
}

/* Parameter i's row in the workload; NULL past the end. */
static const bench_param *find(const bench_workload *w, int i)
{
    int first = count(w->params, MOST_FIRST), block = count(w->block, MOST_BLOCK);
    if (i < first)
        return &w->params[i];
    i -= first;
    if (i < w->blocks * block)
        return &w->block[i % block];
    i -= w->blocks * block;
    return i < count(w->last, MOST_LAST) ? &w->last[i] : NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

bool bench_parameter(const bench_workload *w, int i, bench_tensor *out)
{
    const bench_param *p = find(w, i);
    double fan_in = 1;
    if (!p)
        return false;
    *out = (bench_tensor){.name = p->name, .dtype = TDM_F32, .shape = p->shape, .seed = (unsigned)i + 1};
    for (int k = 1; k < p->shape.rank; k++)
        fan_in *= (double)p->shape.dims[k];
    out->scale = p->shape.rank > 1 ? (float)sqrt(3 / fan_in) : 0.1f;
    out->shift = p->shape.rank == 1 && ends_with(p->name, "weight") ? 1 : 0;
    return true;
}

/* Elements of f32 or f64 as doubles. */
static double *as_doubles(const tdm_tensor *t, int64_t n)
{
    double *d = malloc((size_t)n * sizeof *d);
    float *f = tdm_dtype_of(t) == TDM_F32 ? malloc((size_t)n * sizeof *f) : NULL;
    bool ok =
        d && (f ? tdm_read(t, f, (size_t)n * sizeof *f) : tdm_read(t, d, (size_t)n * sizeof *d)) == TDM_OK;
    for (int64_t i = 0; ok && f && i < n; i++)
        d[i] = (double)f[i];
    free(f);
    if (ok)
        return d;
    free(d);
    return NULL;
}

bool bench_fingerprint(const tdm_tensor *t, bench_print *out)
{
    int64_t n = tdm_elements(t);
    double *d = n > 0 ? as_doubles(t, n) : NULL;
    uint32_t s = 999u * 2654435761u;

    if (!d)
        return false;
    memset(out, 0, sizeof *out);
    out->shape = tdm_dims_of(t);
    for (int64_t i = 0; i < n; i++) {
        double u = (double)((float)next(&s) / 8388608.0f - 1.0f);
        out->sum += d[i];
        out->sum_abs += fabs(d[i]);
        out->l2 += d[i] * d[i];
        out->dot += d[i] * u;
    }
    out->l2 = sqrt(out->l2);
    out->sample_count = n < 64 ? (int)n : 64;
    for (int i = 0; i < out->sample_count; i++)
        out->samples[i] = d[i * n / out->sample_count];
    free(d);
    return true;
}
