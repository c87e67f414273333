/* runtime/file.c: see file.h. */
#include "runtime/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- reading ----------------------------------------------------------------------------------------- */

ir_status rt_file_open(rt_file *f, const char *path, ir_error *e)
{
    struct stat st;

    *f = (rt_file){.fd = open(path, O_RDONLY | O_CLOEXEC), .name = path, .e = e};
    if (f->fd < 0) {
        return ir_fail(e, IR_EIO, "%s: can't open: %s", path, strerror(errno));
    }
    if (fstat(f->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        rt_file_close(f);
        return ir_fail(e, IR_EIO, "%s: can't read: not a regular file", path);
    }
    f->size = (uint64_t)st.st_size;
    return IR_OK;
}

ir_status rt_file_read(const rt_file *f, uint64_t at, void *to, size_t n)
{
    if (at > f->size || n > f->size - at) {
        return ir_fail(f->e, IR_EPARSE, "%s: truncated: %zu bytes expected at %llu, the file has %llu",
                       f->name, n, (unsigned long long)at, (unsigned long long)f->size);
    }
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(f->fd, (char *)to + done, n - done, (off_t)(at + done));

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return ir_fail(f->e, IR_EIO, "%s: can't read: %s", f->name,
                           got < 0 ? strerror(errno) : "the file became shorter");
        }
        done += (size_t)got;
    }
    return IR_OK;
}

void rt_file_close(rt_file *f)
{
    if (f->fd >= 0) {
        close(f->fd);
    }
    f->fd = -1;
}

/* ---- replacing --------------------------------------------------------------------------------------- */

/* PATH.PID-N.tmp, the first that does not exist. */
static int create_beside(rt_new_file *w)
{
    size_t room = strlen(w->path) + 48;

    w->temporary = malloc(room);
    if (!w->temporary) {
        errno = ENOMEM;
        return -1;
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(w->temporary, room, "%s.%ld-%d.tmp", w->path, (long)getpid(), i);
        int fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

        if (fd >= 0 || errno != EEXIST) {
            return fd;
        }
    }
    return -1;
}

ir_status rt_new_file_open(rt_new_file *w, const char *path, ir_error *e)
{
    int fd;

    *w = (rt_new_file){.path = path, .e = e};
    fd = create_beside(w);
    w->f = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (w->f) {
        return IR_OK;
    }
    ir_fail(e, errno == ENOMEM ? IR_ENOMEM : IR_EIO, "%s: can't create: %s", path, strerror(errno));
    if (fd >= 0) {
        close(fd);
        unlink(w->temporary);
    }
    free(w->temporary);
    return e->status;
}

ir_status rt_new_file_write(rt_new_file *w, const void *data, size_t n)
{
    if (w->e->status == IR_OK && n > 0 && fwrite(data, 1, n, w->f) != n) {
        ir_fail(w->e, IR_EIO, "%s: can't write: %s", w->path, strerror(errno));
    }
    w->size += n;
    return w->e->status;
}

/* The directory's entry reaches the disk too.  Not every file system can do that, and the file is complete
 * without it: no error. */
static void sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(folder);
}

ir_status rt_new_file_close(rt_new_file *w, bool good)
{
    bool kept = good && w->e->status == IR_OK;
    bool flushed = !kept || (fflush(w->f) == 0 && (w->may_be_lost || fsync(fileno(w->f)) == 0));
    int why = errno;

    if (fclose(w->f) != 0 && flushed) {
        flushed = false;
        why = errno;
    }
    if (kept && flushed && rename(w->temporary, w->path) != 0) {
        flushed = false;
        why = errno;
    }
    if (!flushed) {
        ir_fail(w->e, IR_EIO, "%s: can't write: %s", w->path, strerror(why));
    }
    if (!kept || !flushed) {
        unlink(w->temporary);
    } else if (!w->may_be_lost) {
        sync_directory(w->path);
    }
    free(w->temporary);
    return w->e->status;
}

/* ---- numbers ----------------------------------------------------------------------------------------- */

uint64_t rt_get_le(const void *from, int bytes)
{
    uint64_t v = 0;

    for (int i = bytes - 1; i >= 0; i--) {
        v = v << 8 | ((const uint8_t *)from)[i];
    }
    return v;
}

void rt_put_le(void *to, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        ((uint8_t *)to)[i] = (uint8_t)(v >> 8 * i);
    }
}
