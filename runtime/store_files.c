/* runtime/store_files.c: which files are in the store's folder, and which of them go.  A file's time of
 * modification is when it was last used.  Other processes add and remove files meanwhile: one that is gone is
 * no matter. */
#include "runtime/store_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ABANDONED = 3600 }; /* seconds: who was writing such a file is not any more */

typedef struct entry {
    char name[RT_STORE_NAME + 32];
    struct timespec used;
    size_t bytes;
    bool program;
} entry;

typedef struct listing {
    DIR *folder; /* NULL: can't be read */
    entry *items;
    size_t count, bytes;
} listing;

/* Hexadecimal digits and dashes, the end and, if it is still being written, more. */
static bool is_ours(const char *name, bool *complete, bool *program)
{
    size_t n = strspn(name, "0123456789abcdef-"), end = sizeof RT_STORE_PROGRAM_END - 1;

    *program = strncmp(name + n, RT_STORE_PROGRAM_END, end) == 0;
    if (n != 66 || strlen(name) >= sizeof((entry *)0)->name ||
        (!*program && strncmp(name + n, RT_STORE_GRAPH_END, end) != 0))
        return false;
    *complete = name[n + end] == 0;
    return *complete || (name[n + end] == '.' && strstr(name, ".tmp"));
}

static bool add(listing *l, const char *name, bool program, const struct stat *st)
{
    if (l->count % 64 == 0) {
        entry *more = realloc(l->items, (l->count + 64) * sizeof *more);
        if (!more)
            return false;
        l->items = more;
    }
    entry *e = &l->items[l->count++];
    snprintf(e->name, sizeof e->name, "%s", name);
    e->program = program;
    e->used = st->st_mtim;
    e->bytes = (size_t)st->st_size;
    l->bytes += e->bytes;
    return true;
}

static bool drop(const listing *l, const char *name)
{
    int fd = dirfd(l->folder);

    return fd >= 0 && unlinkat(fd, name, 0) == 0;
}

/* All complete files; what somebody began to write long ago is removed, or whatever was with `all`. */
static listing list(const char *folder, bool all)
{
    listing l = {.folder = opendir(folder)};
    bool complete, program, going = l.folder != NULL;

    for (const struct dirent *at; going && (at = readdir(l.folder));) {
        int fd = dirfd(l.folder);
        struct stat st;
        if (!is_ours(at->d_name, &complete, &program) || fd < 0 ||
            fstatat(fd, at->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
            continue;
        if (complete)
            going = add(&l, at->d_name, program, &st);
        else if (all || time(NULL) - st.st_mtim.tv_sec > ABANDONED)
            drop(&l, at->d_name);
    }
    return l;
}

static void close_listing(listing *l)
{
    free(l->items);
    if (l->folder)
        closedir(l->folder);
}

void rt_store_touch(int fd)
{
    futimens(fd, NULL); /* a folder that can't be written to keeps its times */
}

rt_store_result rt_store_relative(const char *folder, const rt_store_key *k)
{
    rt_store_result found = RT_STORE_NONE;
    listing l = list(folder, false);
    char *path = rt_store_path("", k, ""); /* "/PROGRAM-CPU-VERSION" */
    enum { PROGRAM = 32, VERSION = 32 + 1 + 16 + 1 };

    for (size_t i = 0; path && i < l.count; i++)
        if (l.items[i].program == (k->kind == RT_STORE_PROGRAM) &&
            strncmp(l.items[i].name, path + 1, PROGRAM) == 0) {
            bool same = strncmp(l.items[i].name + VERSION, path + 1 + VERSION, 16) == 0;
            if (found != RT_STORE_CPU)
                found = same ? RT_STORE_CPU : RT_STORE_VERSION;
        }
    free(path);
    close_listing(&l);
    return found;
}

static int by_use(const void *a, const void *b)
{
    const struct timespec *x = &((const entry *)a)->used, *y = &((const entry *)b)->used;

    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

void rt_store_shrink(const char *folder, size_t limit)
{
    listing l = list(folder, false);

    if (l.bytes > limit)
        qsort(l.items, l.count, sizeof *l.items, by_use);
    for (size_t i = 0; i < l.count && l.bytes > limit; i++) {
        drop(&l, l.items[i].name);
        l.bytes -= l.items[i].bytes;
    }
    close_listing(&l);
}

void rt_store_count(const char *folder, int *programs, size_t *bytes)
{
    listing l = list(folder, false);

    *programs = 0;
    for (size_t i = 0; i < l.count; i++)
        *programs += l.items[i].program;
    *bytes = l.bytes;
    close_listing(&l);
}

int rt_store_clear(const char *folder)
{
    listing l = list(folder, true);
    int removed = 0;

    for (size_t i = 0; i < l.count; i++)
        removed += drop(&l, l.items[i].name) && l.items[i].program;
    close_listing(&l);
    return removed;
}
