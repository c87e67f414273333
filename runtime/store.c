/* runtime/store.c: reading and writing one file of the store (store.h).
 *
 *   PROGRAM-CPU-VERSION.tdo      three fingerprints, in hexadecimal; of a graph .tdg
 *
 *   "tandemo\1" | program, cpu, version | size of the rest | its fingerprint | the rest
 *
 * A file is written under another name and then renamed, so whoever opens it sees all of it; two processes
 * that write the same one write the same bytes.  It is read into memory and not mapped: what is checked is
 * what is used.  Files of other users are not trusted (root's are), nor are those that everybody may write
 * to. */
#include "runtime/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/file.h"
#include "runtime/store_files.h"

static const char magic[8] = {'t', 'a', 'n', 'd', 'e', 'm', 'o', 1};

typedef struct header {
    char magic[8];
    ir_digest program, cpu, version;
    uint64_t size;
    ir_digest check;
} header;
_Static_assert(sizeof(header) == 80, "no padding; the rest begins at a multiple of 16");

const char *rt_store_reason(rt_store_result r)
{
    static const char *const reasons[] = {"hit", "no entry", "entry corrupt", "other cpu", "other version"};

    return reasons[r];
}

char *rt_store_path(const char *folder, const rt_store_key *k, const char *end)
{
    size_t room = strlen(folder) + RT_STORE_NAME + strlen(end);
    char *path = malloc(room);

    if (path)
        snprintf(path, room, "%s/%016llx%016llx-%016llx-%016llx%s", folder, (unsigned long long)k->program.a,
                 (unsigned long long)k->program.b, (unsigned long long)k->cpu.a,
                 (unsigned long long)k->version.a, end);
    return path;
}

static const char *ending(const rt_store_key *k)
{
    return k->kind == RT_STORE_GRAPH ? RT_STORE_GRAPH_END : RT_STORE_PROGRAM_END;
}

static header describe(const rt_store_key *k, const unsigned char *bytes, size_t size)
{
    header h = {.program = k->program, .cpu = k->cpu, .version = k->version, .size = size};

    memcpy(h.magic, magic, sizeof magic);
    ir_digest_add(&h.check, bytes, size);
    ir_digest_end(&h.check);
    return h;
}

static bool is_trusted(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (st.st_uid == geteuid() || st.st_uid == 0) &&
           !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* The file's contents after the header, if all is as it was written. */
static unsigned char *read_whole(const rt_file *f, const rt_store_key *k, size_t *size)
{
    header h;

    if (!is_trusted(f->fd) || rt_file_read(f, 0, &h, sizeof h) != IR_OK || f->size - sizeof h != h.size)
        return NULL;
    unsigned char *bytes = malloc(h.size ? h.size : 1);
    if (bytes && rt_file_read(f, sizeof h, bytes, h.size) == IR_OK) {
        header wanted = describe(k, bytes, h.size);
        *size = h.size;
        if (memcmp(&wanted, &h, sizeof h) == 0)
            return bytes;
    }
    free(bytes);
    return NULL;
}

rt_store_result rt_store_read(const char *folder, const rt_store_key *k, unsigned char **bytes, size_t *size)
{
    char *path = rt_store_path(folder, k, ending(k));
    ir_error e = {0};
    rt_file f;

    if (!path || rt_file_open(&f, path, &e) != IR_OK) {
        free(path);
        return rt_store_relative(folder, k);
    }
    *bytes = read_whole(&f, k, size);
    if (*bytes)
        rt_store_touch(f.fd);
    rt_file_close(&f);
    free(path);
    return *bytes ? RT_STORE_HIT : RT_STORE_CORRUPT;
}

/* The folder and those above it that are missing. */
static bool make_folder(char *path)
{
    for (char *p = path + 1; *p; p++)
        if (*p == '/') {
            *p = 0;
            mkdir(path, 0700);
            *p = '/';
        }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

bool rt_store_write(const char *folder, const rt_store_key *k, const unsigned char *bytes, size_t size,
                    size_t limit, ir_error *e)
{
    header h = describe(k, bytes, size);
    char *path = rt_store_path(folder, k, ending(k)), *made = strdup(folder);
    rt_new_file w;

    if (!path || !made)
        ir_fail(e, IR_ENOMEM, "out of memory");
    else if (size > limit - sizeof h || limit < sizeof h)
        ir_fail(e, IR_EARG, "%zu bytes are more than the cache may hold", size);
    else if (!make_folder(made))
        ir_fail(e, IR_EIO, "%s: can't create: %s", folder, strerror(errno));
    else if (rt_new_file_open(&w, path, e) == IR_OK) {
        w.may_be_lost = true;
        fchmod(fileno(w.f), 0644); /* whatever the umask: what others may write to isn't trusted */
        rt_new_file_write(&w, &h, sizeof h);
        rt_new_file_write(&w, bytes, size);
        if (rt_new_file_close(&w, true) == IR_OK)
            rt_store_shrink(folder, limit);
    }
    free(path);
    free(made);
    return e->status == IR_OK;
}
