/* runtime/races.h: do the chunks of a parallel loop keep out of each other's bytes?
 *
 * Compiled code is out of a thread sanitizer's sight.  Compiled with cg_options.check_races it tells of its
 * accesses, and a loop over a pool that has a checker runs its chunks one after the other, as short as grain
 * allows.  A byte that one chunk wrote and another wrote or read is a race: nothing orders the two when they
 * run on two threads.  Costs a call per access and 32 KiB per page touched. */
#ifndef TANDEM_RT_RACES_H
#define TANDEM_RT_RACES_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/pool.h"

typedef struct rt_races rt_races;

typedef struct rt_race {
    rt_chunk_fn *fn;      /* of the loop */
    int64_t chunk, other; /* of `chunks`, in the order they ran: other < chunk */
    int64_t chunks;
    bool other_wrote, wrote; /* else it read */
    const void *at;
} rt_race;

rt_races *rt_races_new(void); /* NULL when out of memory */
void rt_races_free(rt_races *r);
void rt_races_loop(rt_races *r, rt_chunk_fn *fn, void *const *args, int64_t n, int64_t grain);
/* The first race since the last call, if there was one.  False too, with *lost, where memory ran out and
 * accesses were not followed. */
bool rt_races_take(rt_races *r, rt_race *first, bool *lost);

/* Called by compiled code, in a loop's chunk or out of any. */
void rt_races_wrote(const void *p, int64_t bytes);
void rt_races_read(const void *p, int64_t bytes);

#endif
