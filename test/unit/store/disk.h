/*
 * A disk that fails when it is told to: a VFS in front of the system's that counts writes,
 * truncations and syncs, lets the Nth fail, and at a power cut leaves on the disk what was
 * synced and, of what was not, some writes and not others, whole or torn at a sector.
 */
#pragma once

#include "base/alloc.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DISK_FILES 8
#define SECTOR 512

struct disk_op {
    bool truncate;
    size_t at;
    size_t len;
    char *data;
};

struct disk_file {
    char *path;
    char *synced; /* what a power cut cannot take */
    size_t synced_len;
    struct disk_op *ops; /* since the last sync */
    size_t ops_count;
};

static struct {
    pthread_mutex_t lock;
    struct disk_file files[DISK_FILES];
    long count;     /* operations so far */
    long fail_at;   /* this one fails; 0: none */
    long dead_from; /* from this one on all fail, the power is going; 0: never */
    int error;      /* in this way */
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct shim_file {
    sqlite3_file base;
    struct disk_file *disk;
    sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;

static struct shim_file *shim_of(sqlite3_file *f)
{
    return (struct shim_file *)(void *)f;
}

static sqlite3_file *real_of(sqlite3_file *f)
{
    return shim_of(f)->real;
}

static void apply(char **bytes, size_t *len, const struct disk_op *op, size_t n)
{
    size_t end = op->truncate ? op->at : op->at + n;

    if (op->truncate ? *len != end : *len < end) {
        *bytes = xrealloc(*bytes, end + 1);
        if (end > *len)
            memset(*bytes + *len, 0, end - *len);
        *len = end;
    }
    if (n)
        memcpy(*bytes + op->at, op->data, n);
}

static void forget_ops(struct disk_file *f)
{
    for (size_t i = 0; i < f->ops_count; i++)
        free(f->ops[i].data);
    free(f->ops);
    f->ops = NULL;
    f->ops_count = 0;
}

/* Under the lock. Whether this operation is to fail. */
static int step_disk(void)
{
    disk.count++;
    if (disk.dead_from && disk.count >= disk.dead_from)
        return disk.error;
    if (disk.count == disk.fail_at)
        return disk.error;
    return SQLITE_OK;
}

static int note_op(struct disk_file *f, struct disk_op op, const void *data)
{
    int rc;

    if (!f)
        return SQLITE_OK;
    pthread_mutex_lock(&disk.lock);
    rc = step_disk();
    if (rc == SQLITE_OK) {
        op.data = xalloc(op.len);
        if (op.len)
            memcpy(op.data, data, op.len);
        f->ops = xrealloc(f->ops, (f->ops_count + 1) * sizeof(*f->ops));
        f->ops[f->ops_count++] = op;
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int shim_close(sqlite3_file *f)
{
    int rc = real_of(f)->pMethods->xClose(real_of(f));

    free(real_of(f));
    return rc;
}

static int shim_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    return real_of(f)->pMethods->xRead(real_of(f), to, n, at);
}

static int shim_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    int rc =
        note_op(shim_of(f)->disk, (struct disk_op){.at = (size_t)at, .len = (size_t)n}, from);

    return rc ? rc : real_of(f)->pMethods->xWrite(real_of(f), from, n, at);
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    int rc =
        note_op(shim_of(f)->disk, (struct disk_op){.truncate = true, .at = (size_t)size}, NULL);

    return rc ? rc : real_of(f)->pMethods->xTruncate(real_of(f), size);
}

/* Not passed on: what is durable is decided here, so the test costs no real sync. */
static int shim_sync(sqlite3_file *f, int flags)
{
    struct disk_file *d = shim_of(f)->disk;
    int rc;

    (void)flags;
    if (!d)
        return SQLITE_OK;
    pthread_mutex_lock(&disk.lock);
    rc = step_disk();
    if (rc == SQLITE_OK) {
        for (size_t i = 0; i < d->ops_count; i++)
            apply(&d->synced, &d->synced_len, &d->ops[i], d->ops[i].len);
        forget_ops(d);
    }
    pthread_mutex_unlock(&disk.lock);
    return rc;
}

static int shim_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

static int shim_lock(sqlite3_file *f, int how)
{
    return real_of(f)->pMethods->xLock(real_of(f), how);
}

static int shim_unlock(sqlite3_file *f, int how)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), how);
}

static int shim_check(sqlite3_file *f, int *ret)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), ret);
}

static int shim_control(sqlite3_file *f, int op, void *arg)
{
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int shim_sector(sqlite3_file *f)
{
    (void)f;
    return SECTOR;
}

static int shim_traits(sqlite3_file *f)
{
    (void)f;
    return 0; /* nothing is atomic, nothing is ordered */
}

static int shim_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, ret);
}

static int shim_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags);
}

static void shim_shm_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int shim_shm_unmap(sqlite3_file *f, int del)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), del);
}

static const sqlite3_io_methods shim_methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_check,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_traits,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

/* The file by its path; a new one begins with what the real disk holds. */
static struct disk_file *disk_file_of(const char *path)
{
    struct disk_file *f = disk.files;

    pthread_mutex_lock(&disk.lock);
    while (f->path && strcmp(f->path, path) != 0)
        f++;
    MUST(f < disk.files + DISK_FILES);
    if (!f->path) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
        f->path = xstrdup(path);
        f->synced_len = (size_t)size;
        f->synced = xalloc(f->synced_len + 1);
        if (fd >= 0) {
            MUST(pread(fd, f->synced, f->synced_len, 0) == size);
            close(fd);
        }
    }
    pthread_mutex_unlock(&disk.lock);
    return f;
}

static int shim_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *ret)
{
    struct shim_file *s = shim_of(f);
    int rc;

    (void)vfs;
    *s = (struct shim_file){.real = xalloc((size_t)real_vfs->szOsFile)};
    rc = real_vfs->xOpen(real_vfs, path, s->real, flags, ret);
    if (rc != SQLITE_OK) {
        free(s->real);
        return rc;
    }
    s->base.pMethods = &shim_methods;
    if (path && flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL))
        s->disk = disk_file_of(path);
    return SQLITE_OK;
}

static int shim_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    int rc = SQLITE_OK;

    (void)vfs;
    pthread_mutex_lock(&disk.lock);
    if (disk.dead_from && disk.count >= disk.dead_from)
        rc = SQLITE_IOERR_DELETE;
    for (struct disk_file *f = disk.files; rc == SQLITE_OK && f < disk.files + DISK_FILES;
         f++) {
        if (f->path && strcmp(f->path, path) == 0) {
            forget_ops(f);
            f->synced_len = 0;
        }
    }
    pthread_mutex_unlock(&disk.lock);
    return rc ? rc : real_vfs->xDelete(real_vfs, path, sync);
}

/* From now on stores open through the shim. */
static void disk_install(void)
{
    static sqlite3_vfs shim;

    real_vfs = sqlite3_vfs_find(NULL);
    shim = *real_vfs;
    shim.zName = "failing";
    shim.szOsFile = (int)sizeof(struct shim_file);
    shim.xOpen = shim_open;
    shim.xDelete = shim_delete;
    shim.pNext = NULL;
    MUST(sqlite3_vfs_register(&shim, 1) == SQLITE_OK);
}

static void disk_plan(long fail_at, int error, long dead_from)
{
    pthread_mutex_lock(&disk.lock);
    disk.count = 0;
    disk.fail_at = fail_at;
    disk.error = error;
    disk.dead_from = dead_from;
    pthread_mutex_unlock(&disk.lock);
}

static long disk_count(void)
{
    long n;

    pthread_mutex_lock(&disk.lock);
    n = disk.count;
    pthread_mutex_unlock(&disk.lock);
    return n;
}

static void disk_forget(void)
{
    for (struct disk_file *f = disk.files; f < disk.files + DISK_FILES; f++) {
        forget_ops(f);
        free(f->path);
        free(f->synced);
        *f = (struct disk_file){0};
    }
}

/* With every connection closed: make the real files what the disk would hold. */
static void disk_cut_power(unsigned seed)
{
    for (struct disk_file *f = disk.files; f < disk.files + DISK_FILES && f->path; f++) {
        int fd;
        for (size_t i = 0; i < f->ops_count; i++) {
            const struct disk_op *op = &f->ops[i];
            seed = seed * 1664525u + 1013904223u;
            if (seed >> 30 == 0)
                continue; /* never got there */
            if (seed >> 30 == 1 && !op->truncate)
                apply(&f->synced, &f->synced_len, op,
                      (seed >> 8) % (op->len / SECTOR + 1) * SECTOR);
            else
                apply(&f->synced, &f->synced_len, op, op->len);
        }
        fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        MUST(fd >= 0);
        MUST(pwrite(fd, f->synced, f->synced_len, 0) == (ssize_t)f->synced_len);
        close(fd);
    }
    disk_forget();
}
