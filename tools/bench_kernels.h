/* tools/bench_kernels.h: where the time of a compiled workload goes. */
#ifndef TANDEM_BENCH_KERNELS_H
#define TANDEM_BENCH_KERNELS_H

#include "tools/cli.h"

/* Runs e for at least min_time seconds and prints its kernels, the slowest first, equal ones in one row:
 * least time, share, flops and bytes a second.  False: out of memory. */
bool bench_print_kernels(const tdm_program *p, tdm_exec *e, double min_time);

#endif
