/* tools/bench_memory.h: how much memory a workload takes: the process's peak, and what one call adds. */
#ifndef TANDEM_BENCH_MEMORY_H
#define TANDEM_BENCH_MEMORY_H

#include "tools/cli.h"

/* Forgets the peak so far, so that a workload isn't charged with those before it. Where the system can't, the
 * process's peak stays the largest of all. */
void bench_forget_peak(void);
/* The most resident memory since then, in units of 2^20 bytes. */
double bench_peak_rss_mb(void);

/* Memory of one call beside inputs, parameters and results kept: compiled, the arena; eagerly (p NULL), the
 * most bytes of tensors at once since tdm_reset_peak_bytes, less those that live outside a call. */
size_t bench_call_bytes(const tdm_program *p, const tdm_context *ctx);

#endif
