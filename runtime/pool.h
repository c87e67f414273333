/* runtime/pool.h: a pool of threads for one parallel loop at a time: workers spin for a while, then sleep.
 *
 * rt_parallel(pool, fn, args, n, grain) calls fn(args, begin, end) over disjoint chunks that cover [0, n),
 * each at least `grain` long where n allows, and returns when all are done.  Nothing may depend on how chunks
 * are cut.  Workers take the caller's MXCSR.  A NULL pool or one thread runs in the caller, and so does a
 * loop started while the pool is at work on another (from within a chunk or by another thread): one pool may
 * serve many executions. */
#ifndef TANDEM_RT_POOL_H
#define TANDEM_RT_POOL_H

#include <stdbool.h>
#include <stdint.h>

typedef struct rt_pool rt_pool;
typedef void rt_chunk_fn(void *const *args, int64_t begin, int64_t end);

rt_pool *rt_pool_new(int threads); /* including the caller; NULL when threads can't be had */
void rt_pool_free(rt_pool *p);
int rt_pool_threads(const rt_pool *p);
void rt_parallel(rt_pool *p, rt_chunk_fn *fn, void *const *args, int64_t n, int64_t grain);

/* From now on loops run in the caller, chunk by chunk, and races between chunks are looked for
 * (runtime/races.h).  False when out of memory. */
bool rt_pool_check_races(rt_pool *p);
struct rt_races *rt_pool_races(rt_pool *p); /* NULL unless checked */

/* Runs fn(user, 0) .. fn(user, n - 1), each once, on up to `threads` threads of their own (one is the
 * caller).  Starts threads on each call: for long jobs such as compiling, not for loops over elements. */
void rt_jobs(void (*fn)(void *user, int i), void *user, int n, int threads);

#endif
