/* runtime/file.h: files read at offsets, and files replaced as a whole. */
#ifndef TANDEM_RT_FILE_H
#define TANDEM_RT_FILE_H

#include <stdio.h>

#include "ir/ir.h"

/* A regular file open for reading.  It is read and not mapped: a mapped file that another process cuts short
 * would end this one. */
typedef struct rt_file {
    int fd;
    uint64_t size;
    const char *name; /* for messages; not owned */
    ir_error *e;
} rt_file;

ir_status rt_file_open(rt_file *f, const char *path, ir_error *e);
/* Exactly n bytes from offset at; past the end is an error. */
ir_status rt_file_read(const rt_file *f, uint64_t at, void *to, size_t n);
void rt_file_close(rt_file *f);

/* A file being written under a name of its own beside `path`, which it takes when it is complete and on the
 * disk: whoever looks at `path` sees all of the old file or all of the new one, even if this process dies. */
typedef struct rt_new_file {
    FILE *f;
    char *temporary;
    const char *path; /* not owned */
    uint64_t size;    /* written so far */
    bool may_be_lost; /* not waiting for the disk: after a crash of the system the file may be damaged */
    ir_error *e;
} rt_new_file;

ir_status rt_new_file_open(rt_new_file *w, const char *path, ir_error *e);
ir_status rt_new_file_write(rt_new_file *w, const void *data, size_t n);
/* Takes the name if nothing failed (`good` and every write), else leaves `path` as it was. */
ir_status rt_new_file_close(rt_new_file *w, bool good);

/* Little-endian numbers of any width up to 8 bytes. */
uint64_t rt_get_le(const void *from, int bytes);
void rt_put_le(void *to, uint64_t v, int bytes);

#endif
