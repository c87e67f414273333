/* runtime/archive.c: see archive.h. */
#include "runtime/archive.h"

#include <stdlib.h>
#include <string.h>

/* Room for one more item of `size` bytes. */
static bool grow(void **items, int count, int *room, size_t size)
{
    if (count < *room) {
        return true;
    }
    int more = 2 * *room + 16;
    void *moved = realloc(*items, (size_t)more * size);

    if (!moved) {
        return false;
    }
    *items = moved;
    *room = more;
    return true;
}

static ir_status out_of_memory(tdm_archive *a)
{
    return ir_fail(&a->c->error, IR_ENOMEM, "archive: out of memory");
}

int rt_archive_find(const tdm_archive *a, const char *name)
{
    for (int i = 0; i < a->count; i++) {
        if (!strcmp(a->tensors[i].name, name)) {
            return i;
        }
    }
    return -1;
}

/* The same for a name that is known to be new. */
static ir_status append(tdm_archive *a, const char *name, tdm_tensor *t)
{
    char *copy = strdup(name);

    if (!copy || !grow((void **)&a->tensors, a->count, &a->room, sizeof *a->tensors)) {
        free(copy);
        return out_of_memory(a);
    }
    a->tensors[a->count++] = (rt_named){copy, rt_retain(t)};
    return IR_OK;
}

ir_status rt_archive_add(tdm_archive *a, const char *name, tdm_tensor *t)
{
    int at = rt_archive_find(a, name);

    if (at < 0) {
        return append(a, name, t);
    }
    rt_retain(t);
    rt_release(a->tensors[at].tensor);
    a->tensors[at].tensor = t;
    return IR_OK;
}

static rt_note *find_note(const tdm_archive *a, const char *key)
{
    for (int i = 0; i < a->note_count; i++) {
        if (!strcmp(a->notes[i].key, key)) {
            return &a->notes[i];
        }
    }
    return NULL;
}

const char *rt_archive_text(const tdm_archive *a, const char *key)
{
    const rt_note *n = find_note(a, key);

    return n ? n->text : NULL;
}

ir_status rt_archive_note(tdm_archive *a, const char *key, const char *text)
{
    rt_note *n = find_note(a, key);
    char *copy = strdup(text), *name = n ? NULL : strdup(key);

    if (!copy || (!n && (!name || !grow((void **)&a->notes, a->note_count, &a->note_room, sizeof *n)))) {
        free(copy);
        free(name);
        return out_of_memory(a);
    }
    if (n) {
        free(n->text);
        n->text = copy;
    } else {
        a->notes[a->note_count++] = (rt_note){name, copy};
    }
    return IR_OK;
}

void rt_archive_clear(tdm_archive *a)
{
    for (int i = 0; i < a->count; i++) {
        free(a->tensors[i].name);
        rt_release(a->tensors[i].tensor);
    }
    for (int i = 0; i < a->note_count; i++) {
        free(a->notes[i].key);
        free(a->notes[i].text);
    }
    free(a->tensors);
    free(a->notes);
    *a = (tdm_archive){.c = a->c};
}

tdm_tensor *rt_archive_new_tensor(tdm_archive *a, const char *file, const char *name, const ir_type *t)
{
    rt_scope_open(a->c);
    tdm_tensor *x = rt_tensor_new(a->c, t);
    if (!x) {
        ir_fail(&a->c->error, IR_ENOMEM, "%s: tensor '%.64s': out of memory (%zu bytes)", file, name,
                ir_type_bytes(t));
    } else if (append(a, name, x) != IR_OK) {
        x = NULL;
    }
    rt_scope_close(a->c);
    return x;
}
