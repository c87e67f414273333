/* tools/side_by_side.c: see side_by_side.h. */
#include "tools/side_by_side.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct node_times {
    double *ns; /* by node: of the current replay */
} node_times;

static bool note_time(void *user, int node, tdm_tensor *value, double ns)
{
    (void)value;
    ((node_times *)user)->ns[node] = ns;
    return true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Medians over repeats of `width` figures each: samples[repeat * width + i] -> out[i]. */
static void medians(const double *samples, int repeats, int width, double *out)
{
    double *column = malloc((size_t)repeats * sizeof *column);
    for (int i = 0; i < width && column; i++) {
        for (int r = 0; r < repeats; r++)
            column[r] = samples[(size_t)r * (size_t)width + (size_t)i];
        qsort(column, (size_t)repeats, sizeof *column, by_value);
        out[i] = column[repeats / 2];
    }
    free(column);
}

/* Eager ops of kernel k: every node it computes, each counted in the first kernel that lists it. */
static void sum_nodes(const tdm_graph *g, side_kernel *k, const double *node_ns, bool *counted)
{
    for (int i = 0; i < k->info.n_nodes; i++) {
        uint32_t r = k->info.nodes[i];
        tdm_node_info n;
        if (counted[r] || !tdm_graph_node(g, (int)r, &n))
            continue;
        counted[r] = true;
        k->eager_us += node_ns[r] * 1e-3;
        k->eager_bytes += n.bytes;
    }
}

static bool measure_static(tdm_exec *e, int kernels, int repeats, side_table *out)
{
    size_t width = (size_t)kernels + 1;
    double *samples = calloc((size_t)repeats * width, sizeof *samples),
           *middle = calloc(width, sizeof *middle);
    for (int r = 0; samples && middle && r < repeats; r++) {
        tdm_exec_run_timed(e, samples + (size_t)r * width, NULL, NULL);
        double start = cli_now();
        tdm_exec_run(e);
        samples[(size_t)r * width + (size_t)kernels] = (cli_now() - start) * 1e9;
    }
    bool ok = samples && middle;
    if (ok) {
        medians(samples, repeats, kernels + 1, middle);
        for (int i = 0; i < kernels; i++)
            out->kernels[i].static_us = middle[i] * 1e-3;
        out->static_us = middle[kernels] * 1e-3;
    }
    free(samples);
    free(middle);
    return ok;
}

static bool measure_eager(const tdm_graph *g, tdm_tensor *const *values, int repeats, side_table *out)
{
    size_t nodes = (size_t)tdm_graph_nodes(g), width = nodes + 1;
    double *samples = calloc((size_t)repeats * width, sizeof *samples),
           *middle = calloc(width, sizeof *middle);
    bool *counted = calloc(nodes + 1, sizeof *counted), ok = samples && middle && counted;

    for (int r = 0; ok && r < repeats; r++) {
        node_times t = {samples + (size_t)r * width};
        double start = cli_now();
        ok = tdm_interpret(g, values, note_time, &t, NULL, NULL) == TDM_OK;
        samples[(size_t)r * width + nodes] = (cli_now() - start) * 1e9;
    }
    if (ok) {
        medians(samples, repeats, (int)width, middle);
        for (int i = 0; i < out->count; i++)
            sum_nodes(g, &out->kernels[i], middle, counted);
        out->eager_us = middle[nodes] * 1e-3;
    }
    free(samples);
    free(middle);
    free(counted);
    return ok;
}

/* The first kernel of a chain stands for all of it. */
static void sum_chains(side_table *t)
{
    for (int i = 1, first = 0; i < t->count; i++) {
        first = t->kernels[i].info.members > 0 ? i : first;
        if (first == i)
            continue;
        t->kernels[first].eager_us += t->kernels[i].eager_us;
        t->kernels[first].eager_bytes += t->kernels[i].eager_bytes;
    }
}

bool side_measure(tdm_context *ctx, const tdm_program *p, tdm_exec *e, tdm_tensor *const *values, int repeats,
                  side_table *out)
{
    *out = (side_table){.count = tdm_program_kernels(p)};
    out->kernels = calloc((size_t)out->count + 1, sizeof *out->kernels);
    if (!out->kernels)
        return false;
    for (int i = 0; i < out->count; i++) {
        tdm_program_kernel(p, i, &out->kernels[i].info);
        out->kernels[i].static_bytes = out->kernels[i].info.bytes;
    }
    bool ok = measure_eager(tdm_program_graph(p), values, repeats, out) &&
              measure_static(e, out->count, repeats, out);
    sum_chains(out);
    return ok && tdm_ok(ctx);
}

/* "dot_general+add+max" of the ops in a kernel, views left out, shortened to `size`. */
static void ops_text(const tdm_graph *g, const tdm_kernel_info *k, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < k->n_nodes && used + 1 < size; i++) {
        tdm_node_info n;
        static const char *const views[] = {"reshape", "broadcast", "transpose", "slice", "constant"};
        bool view = false;
        if (!tdm_graph_node(g, (int)k->nodes[i], &n))
            continue;
        for (size_t v = 0; v < sizeof views / sizeof *views; v++)
            view |= strcmp(n.op, views[v]) == 0;
        if (!view)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? " " : "", n.op);
    }
    if (used >= size && size > 3)
        memcpy(text + size - 3, "..", 3);
}

void side_print(const side_table *t, const tdm_program *p)
{
    printf("%-36s %10s %10s %7s %10s  %s\n", "kernel", "static us", "eager us", "ratio", "MB saved",
           "eager ops it replaced");
    double s = 0, e = 0, saved = 0;
    for (int i = 0; i < t->count; i++) {
        const side_kernel *k = &t->kernels[i];
        char ops[60];
        ops_text(tdm_program_graph(p), &k->info, ops, sizeof ops);
        if (k->info.members == 0) {
            printf("%-36.36s %39s with it  %s\n", k->info.name, "", ops);
            continue;
        }
        double mb = (k->eager_bytes - k->static_bytes) * 1e-6;
        printf("%-36.36s %10.2f %10.2f %6.2fx %10.3f  %s\n", k->info.name, k->static_us, k->eager_us,
               k->eager_us / fmax(k->static_us, 1e-3), fmax(mb, 0), ops);
        s += k->static_us, e += k->eager_us, saved += fmax(mb, 0);
    }
    printf("%-36s %10.2f %10.2f %6.2fx %10.3f\n", "sum", s, e, e / fmax(s, 1e-3), saved);
    printf("%-36s %10.2f %10.2f %6.2fx\n", "one call", t->static_us, t->eager_us,
           t->eager_us / fmax(t->static_us, 1e-3));
}

void side_free(side_table *t)
{
    free(t->kernels);
    t->kernels = NULL;
}

double side_break_even(double build_s, double eager_us, double static_us)
{
    return eager_us > static_us ? ceil(build_s * 1e6 / (eager_us - static_us)) : -1;
}
