/* frontend/archive.c: named tensors on disk, .safetensors and .npz. */
#include <stdlib.h>
#include <string.h>

#include "frontend/fe.h"
#include "runtime/archive.h"

static const tdm_loc nowhere = {NULL, 0};

static tdm_context *ctx_of(const tdm_archive *a)
{
    return (tdm_context *)a->c;
}

tdm_archive *tdm_archive_new(tdm_context *ctx)
{
    if (!ctx || !tdm_ok(ctx))
        return NULL;
    tdm_archive *a = calloc(1, sizeof *a);
    if (a)
        a->c = &ctx->rt;
    else
        fe_fail(ctx, nowhere, IR_ENOMEM, "archive: out of memory");
    return a;
}

void tdm_archive_free(tdm_archive *a)
{
    if (!a)
        return;
    rt_archive_clear(a);
    free(a);
}

/* An archive whose context is well, and a text that is there. */
static tdm_status begin(const tdm_archive *a, const char *op, const char *argument, const char *text)
{
    if (!a)
        return TDM_EARG;
    tdm_context *ctx = ctx_of(a);
    if (tdm_ok(ctx) && (!text || !text[0]))
        fe_fail(ctx, nowhere, IR_EARG, "%s: argument '%s' is %s", op, argument, text ? "empty" : "NULL");
    return tdm_error_code(ctx);
}

tdm_status tdm_archive_add(tdm_archive *a, const char *name, tdm_tensor *t)
{
    tdm_status s = begin(a, "archive_add", "name", name);
    if (s != TDM_OK)
        return s;
    tdm_context *ctx = ctx_of(a);
    if (!t || t->ctx != a->c)
        return fe_fail(ctx, nowhere, IR_EARG, "archive_add: tensor '%.64s' is %s", name,
                       t ? "of another context" : "NULL");
    if (t->graph || !t->storage)
        return fe_fail(ctx, nowhere, IR_ESTATE,
                       "archive_add: tensor '%.64s' is symbolic: it has no value to keep", name);
    if (strncmp(name, "__metadata__", 12) == 0)
        return fe_fail(ctx, nowhere, IR_EARG, "archive_add: the name '%.64s' is taken by the format", name);
    return fe_status(rt_archive_add(a, name, t));
}

tdm_status tdm_archive_note(tdm_archive *a, const char *key, const char *text)
{
    tdm_status s = begin(a, "archive_note", "key", key);
    if (s != TDM_OK)
        return s;
    if (!text)
        return fe_fail(ctx_of(a), nowhere, IR_EARG, "archive_note: the text of '%.64s' is NULL", key);
    return fe_status(rt_archive_note(a, key, text));
}

int tdm_archive_count(const tdm_archive *a)
{
    return a ? a->count : 0;
}

const char *tdm_archive_name(const tdm_archive *a, int i)
{
    return a && i >= 0 && i < a->count ? a->tensors[i].name : NULL;
}

tdm_tensor *tdm_archive_tensor(const tdm_archive *a, const char *name)
{
    int i = a && name ? rt_archive_find(a, name) : -1;
    return i < 0 ? NULL : a->tensors[i].tensor;
}

const char *tdm_archive_key(const tdm_archive *a, int i)
{
    return a && i >= 0 && i < a->note_count ? a->notes[i].key : NULL;
}

const char *tdm_archive_text(const tdm_archive *a, const char *key)
{
    return a && key ? rt_archive_text(a, key) : NULL;
}

tdm_status tdm_archive_restore(const tdm_archive *a, const char *name, tdm_tensor *t)
{
    tdm_status s = begin(a, "archive_restore", "name", name);
    if (s != TDM_OK)
        return s;
    tdm_context *ctx = ctx_of(a);
    tdm_tensor *from = tdm_archive_tensor(a, name);
    if (!from)
        return fe_fail(ctx, nowhere, IR_EARG, "archive_restore: there is no tensor '%.64s'", name);
    if (tdm_is_error(t) || t->graph)
        return fe_fail(ctx, nowhere, IR_EARG, "archive_restore: '%.64s' has no tensor with a value to go to",
                       name);
    if (!ir_type_eq(&from->a.type, &t->a.type)) {
        char want[96], found[96];
        return fe_fail(ctx, nowhere, from->a.type.dtype == t->a.type.dtype ? IR_ESHAPE : IR_EDTYPE,
                       "archive_restore: '%.64s' is %s in the archive, expected %s", name,
                       ir_type_text(&from->a.type, NULL, found, sizeof found),
                       ir_type_text(&t->a.type, NULL, want, sizeof want));
    }
    rt_scope_open(&ctx->rt);
    const tdm_tensor *flat = rt_contiguous(from);
    s = flat ? tdm_write(t, flat->a.data, tdm_bytes(t)) : tdm_error_code(ctx);
    rt_scope_close(&ctx->rt);
    return s;
}

/* ---- files -------------------------------------------------------------------------------------------- */

typedef struct format {
    const char *ending;
    ir_status (*read)(tdm_archive *a, const char *path);
    ir_status (*write)(const tdm_archive *a, const char *path);
} format;

static const format formats[] = {{".safetensors", rt_safetensors_read, rt_safetensors_write},
                                 {".npz", rt_npz_read, rt_npz_write}};

/* By the path's ending; NULL + error. */
static const format *format_of(tdm_context *ctx, const char *path, const char *op)
{
    size_t n = path ? strlen(path) : 0;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        size_t ending = strlen(formats[i].ending);
        if (n > ending && strcmp(path + n - ending, formats[i].ending) == 0)
            return &formats[i];
    }
    fe_fail(ctx, nowhere, IR_EARG, "%s: '%.200s': expected a path that ends in .safetensors or .npz", op,
            path ? path : "NULL");
    return NULL;
}

tdm_archive *tdm_archive_load(tdm_context *ctx, const char *path)
{
    tdm_archive *a = tdm_archive_new(ctx);
    const format *f = a ? format_of(ctx, path, "archive_load") : NULL;
    if (f && f->read(a, path) == IR_OK)
        return a;
    tdm_archive_free(a);
    return NULL;
}

tdm_status tdm_archive_save(const tdm_archive *a, const char *path)
{
    tdm_status s = begin(a, "archive_save", "path", path);
    if (s != TDM_OK)
        return s;
    const format *f = format_of(ctx_of(a), path, "archive_save");
    return f ? fe_status(f->write(a, path)) : tdm_error_code(ctx_of(a));
}
