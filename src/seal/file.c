#include "seal/seal_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

int seal__file_read(const struct seal_file *f, void *dst, struct err *e)
{
    struct stat st;
    size_t got = 0;
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT)
        return 1;
    if (fd < 0)
        return err_set(e, ERR_IO, errno, "open the %s file '%s'", f->what, f->path);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(e, ERR_CONFIG, 0, "the %s '%s' is not a file", f->what, f->path);
    }
    if (f->secret && (st.st_mode & 077)) {
        close(fd);
        return err_set(e, ERR_CONFIG, 0,
                       "others may use the %s file (mode %04o); run: chmod 600 '%s'", f->what,
                       (unsigned)(st.st_mode & 07777), f->path);
    }
    while (got < f->size) {
        ssize_t n = read(fd, (char *)dst + got, f->size - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err_set(e, ERR_IO, errno, "read the %s file '%s'", f->what, f->path);
            close(fd);
            return -1;
        }
        if (n == 0)
            break;
        got += (size_t)n;
    }
    close(fd);
    if (got != f->size || (uint64_t)st.st_size != f->size)
        return err_set(e, ERR_CONFIG, 0,
                       "the %s file '%s' has %lld bytes and should have %zu; put the right one "
                       "back (without it, what it sealed cannot be read)",
                       f->what, f->path, (long long)st.st_size, f->size);
    return 0;
}

void seal__file_sync_folder(const char *path)
{
    char *folder = xstrdup(path);
    char *slash = strrchr(folder, '/');
    int fd;

    if (slash)
        slash[slash == folder] = '\0';
    fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd); /* some file systems refuse; then there is nothing to be had */
        close(fd);
    }
    free(folder);
}

static int write_temporary(const struct seal_file *f, const char *tmp, const void *bytes,
                           struct err *e)
{
    size_t done = 0;
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return err_set(e, ERR_IO, errno, "make the %s file '%s'", f->what, f->path);
    while (done < f->size) {
        ssize_t n = write(fd, (const char *)bytes + done, f->size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    if (done != f->size || fsync(fd) < 0) {
        err_set(e, ERR_IO, errno, "write the %s file '%s'", f->what, f->path);
        close(fd);
        unlink(tmp);
        return -1;
    }
    close(fd);
    return 0;
}

/* 0: made, 1: somebody else was quicker, -1: error. */
static int make(const struct seal_file *f, const void *fresh, struct err *e)
{
    char suffix[9];
    int result = 0;

    /* Written beside it and linked: a crash or a full disk never leaves half a key. */
    seal_token(suffix, sizeof(suffix) - 1);
    char *tmp = xprintf("%s.%s", f->path, suffix);
    if (write_temporary(f, tmp, fresh, e) < 0) {
        free(tmp);
        return -1;
    }
    if (link(tmp, f->path) < 0) {
        int why = errno;
        if (why == EEXIST)
            result = 1;
        else if (access(f->path, F_OK) < 0 && rename(tmp, f->path) == 0)
            result = 0; /* a file system without hard links */
        else
            result = err_set(e, ERR_IO, why, "make the %s file '%s'", f->what, f->path);
    }
    unlink(tmp);
    seal__file_sync_folder(f->path);
    free(tmp);
    return result;
}

int seal__file(const struct seal_file *f, const void *fresh, void *dst, struct err *e)
{
    int made = 0;

    for (int round = 0; round < 2; round++) {
        int r = seal__file_read(f, dst, e);
        if (r <= 0)
            return r < 0 ? r : made;
        r = make(f, fresh, e);
        if (r < 0)
            return r;
        made = r == 0;
    }
    if (seal__file_read(f, dst, e) == 0)
        return made;
    return err_set(e, ERR_IO, 0, "the %s file '%s' comes and goes", f->what, f->path);
}
