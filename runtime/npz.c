/* runtime/npz.c: NumPy's .npz files: a zip of .npy members, NAME.npy for the tensor NAME.
 *
 * The format has no place for metadata: we keep it as JSON in a member of its own, __metadata__.json, which
 * numpy.load shows as bytes.
 * https://numpy.org/doc/stable/reference/generated/numpy.savez.html */
#include "runtime/archive.h"
#include "runtime/npy.h"
#include "runtime/zip.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define METADATA "__metadata__.json"
#define ENDING ".npy"

/* ---- reading ----------------------------------------------------------------------------------------- */

static ir_status read_metadata(tdm_archive *a, const char *path, const void *text, size_t size)
{
    json_t *all = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL), *note;
    const char *key;
    ir_error *e = &a->c->error;

    if (!json_is_object(all)) {
        ir_fail(e, IR_EPARSE, "%s: %s is not a JSON object", path, METADATA);
    }
    json_object_foreach(all, key, note)
    {
        if (!json_is_string(note)) {
            ir_fail(e, IR_EPARSE, "%s: %s: '%.64s' is not a string", path, METADATA, key);
        } else {
            rt_archive_note(a, key, json_string_value(note));
        }
    }
    json_decref(all);
    return e->status;
}

static ir_status read_tensor(tdm_archive *a, const char *path, const rt_zip_member *m, const void *bytes)
{
    char *label = NULL, *name;
    ir_type type;
    void *data;
    ir_status s;
    int n = asprintf(&label, "%.200s: %.64s", path, m->name);

    name = n < 0 ? NULL : strndup(m->name, strlen(m->name) - strlen(ENDING));
    if (!name) {
        s = ir_fail(&a->c->error, IR_ENOMEM, "%s: out of memory", path);
    } else {
        s = rt_npy_parse(bytes, m->size, label, &type, &data, &a->c->error);
        if (s == IR_OK) {
            tdm_tensor *t = rt_archive_new_tensor(a, path, name, &type);
            if (t) {
                memcpy(t->a.data, data, t->storage->bytes);
            }
            free(data);
        }
    }
    free(name);
    if (n >= 0) {
        free(label);
    }
    return a->c->error.status;
}

static ir_status read_member(tdm_archive *a, const rt_zip *z, const rt_zip_member *m)
{
    size_t length = strlen(m->name), ending = strlen(ENDING);
    bool notes = !strcmp(m->name, METADATA);

    if (!notes && (length <= ending || strcmp(m->name + length - ending, ENDING) != 0)) {
        return ir_fail(&a->c->error, IR_EPARSE, "%s: member '%.64s' is no %s file", z->file.name, m->name,
                       ENDING);
    }
    void *bytes = rt_zip_extract(z, m);
    if (bytes && notes) {
        read_metadata(a, z->file.name, bytes, m->size);
    } else if (bytes) {
        read_tensor(a, z->file.name, m, bytes);
    }
    free(bytes);
    return a->c->error.status;
}

ir_status rt_npz_read(tdm_archive *a, const char *path)
{
    rt_zip z;

    if (rt_zip_open(&z, path, &a->c->error) != IR_OK) {
        return a->c->error.status;
    }
    for (int i = 0; i < z.count && a->c->error.status == IR_OK; i++) {
        read_member(a, &z, &z.members[i]);
    }
    rt_zip_close(&z);
    return a->c->error.status;
}

/* ---- writing ----------------------------------------------------------------------------------------- */

static void write_tensor(rt_zip_writer *z, const tdm_archive *a, const rt_named *x)
{
    char header[512], *name = NULL;

    rt_scope_open(a->c);
    const tdm_tensor *flat = rt_contiguous(x->tensor);
    if (flat && asprintf(&name, "%s%s", x->name, ENDING) < 0) {
        name = NULL;
        ir_fail(&a->c->error, IR_ENOMEM, "%s: out of memory", z->w->path);
    }
    if (flat && name) {
        rt_zip_add(z, name, header, rt_npy_header(&flat->a.type, header), flat->a.data,
                   ir_type_bytes(&flat->a.type));
    }
    free(name);
    rt_scope_close(a->c);
}

static void write_metadata(rt_zip_writer *z, const tdm_archive *a)
{
    json_t *all = json_object();
    int failed = !all;
    char *text;

    for (int i = 0; i < a->note_count && !failed; i++) {
        failed = json_object_set_new(all, a->notes[i].key, json_string(a->notes[i].text));
    }
    text = failed ? NULL : json_dumps(all, JSON_COMPACT);
    if (text) {
        rt_zip_add(z, METADATA, text, strlen(text), "", 0);
    } else {
        ir_fail(&a->c->error, IR_EARG, "%s: a key or text of the metadata is not UTF-8", z->w->path);
    }
    free(text);
    json_decref(all);
}

ir_status rt_npz_write(const tdm_archive *a, const char *path)
{
    ir_error *e = &a->c->error;
    rt_new_file w;
    rt_zip_writer z = {.w = &w};

    if (rt_new_file_open(&w, path, e) != IR_OK) {
        return e->status;
    }
    for (int i = 0; i < a->count && e->status == IR_OK; i++) {
        write_tensor(&z, a, &a->tensors[i]);
    }
    if (a->note_count > 0) {
        write_metadata(&z, a);
    }
    rt_zip_finish(&z);
    return rt_new_file_close(&w, true);
}
