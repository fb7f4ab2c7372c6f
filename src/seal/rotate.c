/*
 * Changing keys while other processes share the folder.
 *
 * A rotation makes the new key durable as an older one first, then puts it in the place of the
 * current one with one rename: after a crash, and after a power cut that takes the rename back,
 * what either key sealed can be opened. An older key's file may go only when no row needs it
 * and nobody will write one more, so whoever seals holds a lock that says with which key. The
 * locks are on bytes of master.lock, a key's id being the byte; they end with the process.
 */
#include "seal/seal.h"

#include "base/alloc.h"
#include "seal/seal_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOCK_FILE "master.lock"
#define ROTATING_AT ((off_t)1 << 32) /* behind all ids */

static off_t lock_place(const struct seal_key *k)
{
    return (off_t)k->id[0] << 24 | (off_t)k->id[1] << 16 | (off_t)k->id[2] << 8 | k->id[3];
}

static int open_lock(const struct seal *s, int flags, struct err *e)
{
    char path[PATH_MAX];

    seal__path(s, LOCK_FILE, path);
    int fd = open(path, O_RDWR | O_CLOEXEC | flags, 0600);

    if (fd < 0)
        err_set(e, ERR_IO, errno, "open the lock file '%s'", path);
    return fd;
}

static int need_lock_file(struct seal *s, struct err *e)
{
    if (s->lock_fd < 0)
        s->lock_fd = open_lock(s, O_CREAT, e);
    return s->lock_fd < 0 ? -1 : 0;
}

/* Locks of this opening of the file; where a kernel has none, of the process. */
static int ask_lock(int fd, int cmd, int cmd_of_process, struct flock *l)
{
    int r;

    do {
        r = fcntl(fd, cmd, l);
        if (r < 0 && errno == EINVAL)
            r = fcntl(fd, cmd_of_process, l);
    } while (r < 0 && errno == EINTR);
    return r;
}

/* 0: locked, 1: somebody else has it, -1: error. */
static int lock_bytes(int fd, short type, off_t at, off_t n, bool wait, struct err *e)
{
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = n};
    int r = wait ? ask_lock(fd, F_OFD_SETLKW, F_SETLKW, &l)
                 : ask_lock(fd, F_OFD_SETLK, F_SETLK, &l);

    if (r == 0)
        return 0;
    if (!wait && (errno == EAGAIN || errno == EACCES))
        return 1;
    return err_set(e, ERR_IO, errno, "lock %s in the data folder", LOCK_FILE);
}

int seal__hold_key(struct seal *s, const struct seal_key *k, struct err *e)
{
    int r = 0;

    if (s->holding)
        r = lock_bytes(s->lock_fd, F_RDLCK, lock_place(k), 1, false, e);
    if (r == 1)
        return err_set(e, ERR_CONFLICT, 0,
                       "`maya key prune` is looking whether key %02x%02x%02x%02x may go; try "
                       "again",
                       k->id[0], k->id[1], k->id[2], k->id[3]);
    return r;
}

int seal_hold(struct seal *s, struct err *e)
{
    if (need_lock_file(s, e) < 0)
        return -1;
    s->holding = true;
    if (seal__hold_key(s, &s->keys[0], e) < 0)
        return -1;
    /* Only now nobody takes its file away; was it there until now? */
    return seal__ring_load(s, e);
}

void seal_release_older(struct seal *s)
{
    off_t at = lock_place(&s->keys[0]);

    if (!s->holding)
        return;
    /* A lock too many only keeps a key's file longer. */
    if (at > 0)
        (void)lock_bytes(s->lock_fd, F_UNLCK, 0, at, false, NULL);
    (void)lock_bytes(s->lock_fd, F_UNLCK, at + 1, ROTATING_AT - at - 1, false, NULL);
}

static char *older_path(const struct seal *s, const uint8_t id[SEAL_ID_BYTES])
{
    return xprintf("%s/%s%02x%02x%02x%02x", s->data_dir, SEAL_OLDER_PREFIX, id[0], id[1], id[2],
                   id[3]);
}

/* Durable when this returns: as an older key, by which nobody seals. */
static int keep(const char *path, const uint8_t key[SEAL_KEY_BYTES], struct err *e)
{
    char line[SEAL_KEY_TEXT + 1], there[SEAL_KEY_TEXT + 1];
    const struct seal_file f = {
        .path = path, .what = "key", .size = sizeof(line), .secret = true};

    seal__ring_text(key, line);
    int r = seal__file(&f, line, there, e);
    if (r == 0 && sodium_memcmp(line, there, sizeof(line)) != 0)
        r = err_set(e, ERR_CONFIG, 0, "the key file '%s' holds another key; move it away",
                    path);
    sodium_memzero(line, sizeof(line));
    sodium_memzero(there, sizeof(there));
    return r < 0 ? -1 : 0;
}

static void make_key(const struct seal *s, uint8_t key[SEAL_KEY_BYTES])
{
    uint8_t id[SEAL_ID_BYTES];

    do {
        randombytes_buf(key, SEAL_KEY_BYTES);
        seal__ring_id(key, id);
    } while (seal__ring_find(s, id)); /* the id must tell them apart */
}

static int put_in_place(const char *fresh, const char *current, struct err *e)
{
    if (rename(fresh, current) < 0)
        return err_set(e, ERR_IO, errno, "put a new key in the place of '%s'", current);
    seal__file_sync_folder(current);
    return 0;
}

static int rotate(struct seal *s, struct err *e)
{
    uint8_t key[SEAL_KEY_BYTES], id[SEAL_ID_BYTES];

    /* Somebody may have been quicker; and afterwards every start must hold all of them. */
    if (seal__ring_load(s, e) < 0 || seal__ring_room(s, e) < 0)
        return -1;
    make_key(s, key);
    seal__ring_id(key, id);
    char *current = xprintf("%s/%s", s->data_dir, SEAL_CURRENT_FILE);
    char *before = older_path(s, s->keys[0].id), *fresh = older_path(s, id);
    int rc = keep(before, s->keys[0].bytes, e);
    if (rc == 0)
        rc = keep(fresh, key, e);
    if (rc == 0)
        rc = put_in_place(fresh, current, e);
    sodium_memzero(key, sizeof(key));
    free(current);
    free(before);
    free(fresh);
    return rc < 0 ? -1 : seal__ring_load(s, e);
}

int seal_rotate(struct seal *s, struct err *e)
{
    if (s->given)
        return err_set(e, ERR_INVALID, 0,
                       "the key comes from MAYA_MASTER_KEY; change it there");
    if (need_lock_file(s, e) < 0 ||
        lock_bytes(s->lock_fd, F_WRLCK, ROTATING_AT, 1, true, e) < 0)
        return -1;
    int rc = rotate(s, e);
    (void)lock_bytes(s->lock_fd, F_UNLCK, ROTATING_AT, 1, false, NULL);
    return rc;
}

void seal_make_text(struct buf *out)
{
    uint8_t key[SEAL_KEY_BYTES];
    char line[SEAL_KEY_TEXT + 1];

    randombytes_buf(key, sizeof(key));
    seal__ring_text(key, line);
    buf_add(out, line, SEAL_KEY_TEXT);
    sodium_memzero(key, sizeof(key));
    sodium_memzero(line, sizeof(line));
}

int seal_claim(struct seal *s, unsigned i, bool *ret, struct err *e)
{
    MUST(i > 0 && i < s->count && !s->holding);
    if (need_lock_file(s, e) < 0 ||
        lock_bytes(s->lock_fd, F_WRLCK, ROTATING_AT, 1, true, e) < 0)
        return -1;
    int r = lock_bytes(s->lock_fd, F_WRLCK, lock_place(&s->keys[i]), 1, false, e);
    if (r < 0)
        return -1;
    *ret = r == 0;
    return 0;
}

bool seal_in_use(const struct seal *s, unsigned i)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    int fd = open_lock(s, 0, NULL);
    bool used;

    MUST(i < s->count);
    if (fd < 0)
        return false;
    l.l_start = lock_place(&s->keys[i]);
    used = ask_lock(fd, F_OFD_GETLK, F_GETLK, &l) == 0 && l.l_type != F_UNLCK;
    close(fd);
    return used;
}

int seal_remove_file(struct seal *s, unsigned i, struct err *e)
{
    struct seal_key *k = &s->keys[i];

    MUST(i > 0 && i < s->count && k->file[0]);
    MUST(s->given || strcmp(k->file, SEAL_CURRENT_FILE) != 0);
    char *path = xprintf("%s/%s", s->data_dir, k->file);
    int rc = 0;
    if (unlink(path) < 0 && errno != ENOENT)
        rc = err_set(e, ERR_IO, errno, "remove the key file '%s'", path);
    else
        seal__file_sync_folder(path);
    free(path);
    return rc;
}

void seal_free(struct seal **s)
{
    if (!*s)
        return;
    for (unsigned i = 0; i < (*s)->count; i++)
        sodium_free((*s)->keys[i].bytes); /* wipes it */
    if ((*s)->lock_fd >= 0)
        close((*s)->lock_fd);
    free((*s)->data_dir);
    free((*s)->salt_file);
    free(*s);
    *s = NULL;
}
