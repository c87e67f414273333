/* runtime/archive.h: named tensors and string metadata, and the two kinds of file that keep them. */
#ifndef TANDEM_RT_ARCHIVE_H
#define TANDEM_RT_ARCHIVE_H

#include "runtime/file.h"
#include "runtime/tensor.h"

typedef struct rt_named {
    char *name;
    tdm_tensor *tensor; /* one reference */
} rt_named;

typedef struct rt_note {
    char *key, *text;
} rt_note;

typedef struct tdm_archive tdm_archive;

struct tdm_archive {
    rt_context *c;
    rt_named *tensors;
    int count, room;
    rt_note *notes;
    int note_count, note_room;
};

/* Errors are the context's.  Names are copied, tensors retained; what was under the name before goes. */
ir_status rt_archive_add(tdm_archive *a, const char *name, tdm_tensor *t);
ir_status rt_archive_note(tdm_archive *a, const char *key, const char *text);
int rt_archive_find(const tdm_archive *a, const char *name);        /* -1 */
const char *rt_archive_text(const tdm_archive *a, const char *key); /* NULL */
void rt_archive_clear(tdm_archive *a);

/* A new tensor of the archive, whose value the caller fills in, under a name that is known to be new; NULL +
 * an error that names it and the file `file`. */
tdm_tensor *rt_archive_new_tensor(tdm_archive *a, const char *file, const char *name, const ir_type *t);

ir_status rt_safetensors_read(tdm_archive *a, const char *path);
ir_status rt_safetensors_write(const tdm_archive *a, const char *path);
ir_status rt_npz_read(tdm_archive *a, const char *path);
ir_status rt_npz_write(const tdm_archive *a, const char *path);

#endif
