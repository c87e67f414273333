/* tools/prices.c: see prices.h.
 *
 * One program for strict, one for every freedom alone, one for all of them.  Their first results are
 * compared; then they take turns, in rounds: a gain is a ratio of two times of one round, so what disturbs a
 * round disturbs both.  A program in which no kernel makes use of the freedom is strict's: its gain shows the
 * noise. */
#include "tools/prices.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/difference.h"

enum { LEAST_ROUNDS = 9, MOST_ROUNDS = 201, RESULTS = 64 };

/* ---- what they are ------------------------------------------------------------------------------------- */

static void list_rows(price_list *l)
{
    unsigned bit, all = 0;
    const char *name;
    l->prices[l->count++] = (price){.name = "strict"};
    for (int i = 0; (name = tdm_freedom_name(i, &bit, NULL)) && l->count < PRICES - 1; i++) {
        l->prices[l->count++] = (price){.name = name, .freedoms = bit};
        all |= bit;
    }
    l->prices[l->count++] = (price){.name = "all", .freedoms = all};
}

static bool open_all(tdm_context *ctx, price_open *open, void *user, price_list *l)
{
    for (int i = 0; i < l->count; i++) {
        unsigned freedoms = l->prices[i].freedoms;
        if (tdm_set_numerics(ctx, freedoms ? TDM_FAST : TDM_STRICT, freedoms) != TDM_OK ||
            !open(user, &l->subjects[i]))
            return false;
    }
    return true;
}

/* ---- what they cost ------------------------------------------------------------------------------------ */

static double largest(const tdm_tensor *t)
{
    size_t bytes = tdm_bytes(t), each = tdm_dtype_size(tdm_dtype_of(t));
    void *data = malloc(bytes);
    double most = 0;
    if (data && tdm_read(t, data, bytes) == TDM_OK)
        for (int64_t i = 0; i < (int64_t)(bytes / each); i++)
            most = fmax(most, fabs(tdm_element(tdm_dtype_of(t), data, i)));
    free(data);
    return most;
}

static void set_errors(price_list *l)
{
    tdm_tensor *strict[RESULTS], *fast[RESULTS];
    int n = subject_results(&l->subjects[0], strict, RESULTS);
    for (int i = 1; i < l->count; i++) {
        price *p = &l->prices[i];
        subject_results(&l->subjects[i], fast, RESULTS);
        for (int k = 0; k < n; k++) {
            difference d = difference_of(fast[k], strict[k], 0, 0);
            double most = d.equal ? 1 : largest(strict[k]);
            p->max_ulp = fmax(p->max_ulp, d.max_ulp);
            p->max_abs = fmax(p->max_abs, d.max_abs);
            p->max_rel = fmax(p->max_rel, d.equal ? 0 : d.max_abs / most);
        }
    }
}

/* ---- what they buy ------------------------------------------------------------------------------------- */

static double time_of(subject *s, long calls)
{
    double start = cli_now();
    for (long i = 0; i < calls; i++)
        subject_call(s);
    return (cli_now() - start) * 1e3 / (double)calls;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ms[round * PRICES + i] */
static void set_times(price_list *l, const double *ms)
{
    double times[MOST_ROUNDS], gains[MOST_ROUNDS];
    for (int i = 0; i < l->count; i++) {
        for (int r = 0; r < l->rounds; r++) {
            times[r] = ms[r * PRICES + i];
            gains[r] = ms[r * PRICES] / times[r];
        }
        qsort(times, (size_t)l->rounds, sizeof *times, by_value);
        qsort(gains, (size_t)l->rounds, sizeof *gains, by_value);
        l->prices[i].ms = times[l->rounds / 2];
        l->prices[i].gain = gains[l->rounds / 2];
        l->prices[i].low = gains[l->rounds / 4];
        l->prices[i].high = gains[l->rounds * 3 / 4];
    }
}

/* Rounds in which each makes some calls after one that warms the caches; each begins at another. */
static bool measure(price_list *l, double seconds)
{
    double *ms = calloc((size_t)MOST_ROUNDS * PRICES, sizeof *ms), start = cli_now();
    if (!ms)
        return !cli_bad("out of memory");
    double once = time_of(&l->subjects[0], 1);
    l->calls = once < 2 ? (long)(2 / fmax(once, 1e-5)) + 1 : 1;
    for (l->rounds = 0; l->rounds < MOST_ROUNDS; l->rounds++) {
        if (l->rounds >= LEAST_ROUNDS && cli_now() - start > seconds)
            break;
        cli_progress("prices", fmin((cli_now() - start) / seconds, 1), "");
        for (int k = 0; k < l->count; k++) {
            int i = (l->rounds + k) % l->count;
            time_of(&l->subjects[i], 1);
            ms[l->rounds * PRICES + i] = time_of(&l->subjects[i], l->calls);
        }
    }
    cli_progress_end();
    set_times(l, ms);
    free(ms);
    return true;
}

bool prices_measure(tdm_context *ctx, const tdm_options *own, price_open *open, void *user, double seconds,
                    price_list *l)
{
    *l = (price_list){0};
    list_rows(l);
    bool ok = open_all(ctx, open, user, l);
    if (ok) {
        set_errors(l);
        ok = measure(l, seconds);
    }
    if (tdm_ok(ctx))
        tdm_set_numerics(ctx, own->numerics, own->freedoms);
    return ok && tdm_ok(ctx);
}

/* ---- showing them -------------------------------------------------------------------------------------- */

/* Kernel i's name if it makes use of p's freedoms, else NULL. */
static const char *changed(const tdm_program *program, int i)
{
    tdm_kernel_info k;
    return tdm_program_kernel(program, i, &k) && k.freedoms ? k.name : NULL;
}

static void print_changed(const tdm_program *program)
{
    enum { NAMED = 3 };
    int count = 0, all = tdm_program_kernels(program);
    for (int i = 0; i < all; i++)
        count += changed(program, i) != NULL;
    printf("%d of %d", count, all);
    for (int i = 0, named = 0; i < all && named < NAMED; i++)
        if (changed(program, i))
            printf("%s %.24s", named++ ? "," : ":", changed(program, i));
    puts(count > NAMED ? ", .." : "");
}

void prices_print(const price_list *l, const char *name, int threads)
{
    printf("prices of fast, %s, %d thread%s: %d interleaved rounds of %ld call%s\n", name, threads,
           threads == 1 ? "" : "s", l->rounds, l->calls, l->calls == 1 ? "" : "s");
    printf("%-12s %12s %7s %15s %9s %9s %10s  %s\n", "freedom", "ms", "gain", "quartiles", "max ulp",
           "max abs", "of largest", "kernels that make use of it");
    for (int i = 0; i < l->count; i++) {
        const price *p = &l->prices[i];
        printf("%-12s %12.6f ", p->name, p->ms);
        if (i == 0) {
            puts("");
            continue;
        }
        printf("%6.3fx %7.3f %7.3f %9.3g %9.2g %10.2g  ", p->gain, p->low, p->high, p->max_ulp, p->max_abs,
               p->max_rel);
        print_changed(subject_program(&l->subjects[i]));
    }
}

static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

json_t *prices_json(const price_list *l)
{
    json_t *list = json_array();
    for (int i = 0; i < l->count; i++) {
        const price *p = &l->prices[i];
        const tdm_program *program = subject_program(&l->subjects[i]);
        json_t *kernels = json_array();
        for (int k = 0; k < tdm_program_kernels(program); k++)
            if (changed(program, k))
                json_array_append_new(kernels, json_string(changed(program, k)));
        json_array_append_new(list, json_pack("{s:s,s:i,s:f,s:f,s:[f,f],s:o,s:o,s:o,s:o}", "freedom", p->name,
                                              "rounds", l->rounds, "ms", p->ms, "gain", p->gain,
                                              "gain_quartiles", p->low, p->high, "max_ulp",
                                              number(p->max_ulp), "max_abs", number(p->max_abs), "max_rel",
                                              number(p->max_rel), "kernels", kernels));
    }
    return list;
}

void prices_close(price_list *l)
{
    for (int i = 0; i < l->count; i++)
        subject_close(&l->subjects[i]);
    l->count = 0;
}
