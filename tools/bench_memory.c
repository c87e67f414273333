/* tools/bench_memory.c: how much memory a workload takes. */
#include "tools/bench_memory.h"

#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>

void bench_forget_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    malloc_trim(0);
    if (!f)
        return;
    fputs("5", f); /* proc(5): the peak becomes what is resident now */
    fclose(f);
}

double bench_peak_rss_mb(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    long kb = 0;
    for (char line[128]; f && !kb && fgets(line, sizeof line, f);)
        sscanf(line, "VmHWM: %ld", &kb);
    if (f)
        fclose(f);
    if (!kb) {
        struct rusage u;
        getrusage(RUSAGE_SELF, &u);
        kb = u.ru_maxrss;
    }
    return (double)kb / 1024;
}

size_t bench_call_bytes(const tdm_program *p, const tdm_context *ctx)
{
    return p ? tdm_program_arena_bytes(p) : tdm_peak_bytes(ctx) - tdm_live_bytes(ctx);
}
