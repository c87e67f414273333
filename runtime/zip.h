/* runtime/zip.h: zip archives as .npz needs them: stored and deflated members are read, stored ones written.
 */
#ifndef TANDEM_RT_ZIP_H
#define TANDEM_RT_ZIP_H

#include "runtime/file.h"

typedef struct rt_zip_member {
    char *name;
    unsigned method; /* 0 stored, 8 deflated */
    uint32_t crc;
    uint64_t packed, size, header; /* bytes in the file and unpacked; offset of its local header */
} rt_zip_member;

typedef struct rt_zip {
    rt_file file;
    rt_zip_member *members;
    int count;
} rt_zip;

/* Opens a file and checks its directory: every offset and length, names that occur twice, encryption. */
ir_status rt_zip_open(rt_zip *z, const char *path, ir_error *e);
/* The member's bytes, checked by their CRC; free(); NULL + error. */
void *rt_zip_extract(const rt_zip *z, const rt_zip_member *m);
void rt_zip_close(rt_zip *z);

typedef struct rt_zip_writer {
    rt_new_file *w;
    uint8_t *directory; /* central headers so far */
    size_t bytes, room;
    uint64_t count;
} rt_zip_writer;

/* A stored member made of two pieces.  Errors are w's. */
void rt_zip_add(rt_zip_writer *z, const char *name, const void *head, size_t head_size, const void *body,
                size_t body_size);
/* Writes the directory and frees it. */
void rt_zip_finish(rt_zip_writer *z);

#endif
