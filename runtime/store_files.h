/* runtime/store_files.h: the store's files as a set (store_files.c).  Internal to the store. */
#ifndef TANDEM_RT_STORE_FILES_H
#define TANDEM_RT_STORE_FILES_H

#include "runtime/store.h"

enum { RT_STORE_NAME = 96 }; /* room for "/", the fingerprints and a 0 */
#define RT_STORE_PROGRAM_END ".tdo"
#define RT_STORE_GRAPH_END ".tdg"

char *rt_store_path(const char *folder, const rt_store_key *k, const char *end); /* from malloc */
void rt_store_touch(int fd);                                                     /* used now */
/* Why a program is not there: RT_STORE_CPU or RT_STORE_VERSION if it is for another, else RT_STORE_NONE. */
rt_store_result rt_store_relative(const char *folder, const rt_store_key *k);
void rt_store_shrink(const char *folder, size_t limit);

#endif
