/* runtime/store.h: a folder of compiled programs and optimised graphs, shared by processes: the disk cache.
 * What can't be read, is damaged or belongs to another is as good as absent; what can't be written is not
 * kept.  Nothing here is an error of the caller's work. */
#ifndef TANDEM_RT_STORE_H
#define TANDEM_RT_STORE_H

#include "ir/digest.h"

#define RT_STORE_BYTES ((size_t)256 << 20) /* kept, unless said otherwise */

typedef enum {
    RT_STORE_PROGRAM,
    RT_STORE_GRAPH /* what the passes made of a graph */
} rt_store_kind;

/* What a file is the compiled program of: a graph and options, for a CPU, by a version of Tandem. */
typedef struct rt_store_key {
    ir_digest program, cpu, version;
    rt_store_kind kind;
} rt_store_key;

typedef enum {
    RT_STORE_HIT,
    RT_STORE_NONE,    /* never compiled, or dropped for newer ones */
    RT_STORE_CORRUPT, /* there, but damaged, or somebody else may write to it */
    RT_STORE_CPU,     /* compiled, but for another CPU */
    RT_STORE_VERSION  /* compiled, but by another version of Tandem */
} rt_store_result;

const char *rt_store_reason(rt_store_result r); /* "no entry" */

/* *bytes: from malloc, at a multiple of 16. */
rt_store_result rt_store_read(const char *folder, const rt_store_key *k, unsigned char **bytes, size_t *size);
/* Makes the folder where there is none; drops the files not used for longest until all take at most `limit`.
 * false: e says why the bytes were not kept. */
bool rt_store_write(const char *folder, const rt_store_key *k, const unsigned char *bytes, size_t size,
                    size_t limit, ir_error *e);

/* Programs in the folder, and the bytes of all that is kept there; 0 if it is not there. */
void rt_store_count(const char *folder, int *programs, size_t *bytes);
/* Removes every file that is kept or was to be, and nothing else; how many programs. */
int rt_store_clear(const char *folder);

#endif
