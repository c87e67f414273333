/* tools/bench_kernels.c: a compiled workload kernel by kernel: time, its share, flops and bytes a second. */
#include <stdlib.h>
#include <string.h>

#include "tools/bench_kernels.h"

typedef struct kernel_row {
    tdm_kernel_info info;
    double ns;
    int alike; /* kernels of that name and size, summed in this row */
} kernel_row;

/* Least time of every kernel over the runs. */
static void time_kernels(tdm_exec *e, kernel_row *rows, int n, double *ns, double min_time)
{
    enum { LEAST_RUNS = 5 };
    double start = cli_now();
    for (int run = 0; run < LEAST_RUNS || cli_now() - start < min_time; run++) {
        memset(ns, 0, (size_t)n * sizeof *ns);
        tdm_exec_run_timed(e, ns, NULL, NULL);
        for (int i = 0; i < n; i++)
            rows[i].ns = run == 0 || ns[i] < rows[i].ns ? ns[i] : rows[i].ns;
    }
}

/* A chain is one row, that of its first kernel. */
static int leave_out_members(kernel_row *rows, int n)
{
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (rows[i].info.members > 0)
            rows[kept++] = rows[i];
    return kept;
}

/* "k12_linear" and "k40_linear" do the same if they are as large. */
static bool alike(const kernel_row *a, const kernel_row *b)
{
    const char *x = strchr(a->info.name, '_'), *z = strchr(b->info.name, '_');
    return x && z && strcmp(x, z) == 0 && a->info.flops == b->info.flops && a->info.bytes == b->info.bytes;
}

/* Equal kernels become one row; returns how many rows remain. */
static int merge(kernel_row *rows, int n)
{
    int kept = 0;
    for (int i = 0; i < n; i++) {
        int k = 0;
        while (k < kept && !alike(&rows[k], &rows[i]))
            k++;
        if (k == kept) {
            rows[kept] = rows[i];
            rows[kept++].alike = 1;
        } else {
            rows[k].ns += rows[i].ns;
            rows[k].alike++;
        }
    }
    return kept;
}

static int slower(const void *a, const void *b)
{
    double x = ((const kernel_row *)a)->ns, y = ((const kernel_row *)b)->ns;
    return (x < y) - (x > y);
}

bool bench_print_kernels(const tdm_program *p, tdm_exec *e, double min_time)
{
    int n = tdm_program_kernels(p);
    kernel_row *rows = calloc((size_t)n + 1, sizeof *rows);
    double *ns = calloc((size_t)n + 1, sizeof *ns), all = 0;
    bool ok = rows && ns;

    for (int i = 0; ok && i < n; i++)
        tdm_program_kernel(p, i, &rows[i].info);
    if (ok)
        time_kernels(e, rows, n, ns, min_time);
    for (int i = 0; ok && i < n; i++)
        all += rows[i].ns;
    n = ok ? merge(rows, leave_out_members(rows, n)) : 0;
    if (ok) {
        qsort(rows, (size_t)n, sizeof *rows, slower);
        printf("%-44s %-9s %5s %10s %7s %9s %7s\n", "kernel", "kind", "times", "us each", "share", "GFLOP/s",
               "GB/s");
    }
    for (int i = 0; i < n; i++) {
        double each = rows[i].ns / rows[i].alike;
        printf("%-44.44s %-9s %5d %10.2f %5.1f %% %9.2f %7.2f\n", rows[i].info.name,
               rows[i].info.members > 1 ? "chain" : rows[i].info.kind, rows[i].alike, each * 1e-3,
               rows[i].ns / all * 100, rows[i].info.flops / each, rows[i].info.bytes / each);
    }
    free(rows);
    free(ns);
    return ok;
}
