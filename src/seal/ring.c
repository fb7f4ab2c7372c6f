/*
 * The keys in memory and where they come from. A key that was once here stays until the end:
 * a row that one container still reads must not depend on a file that another one removed.
 */
#include "seal/seal.h"

#include "base/alloc.h"
#include "base/strs.h"
#include "seal/seal_int.h"

#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == SEAL_KEY_BYTES, "key size");

static bool key_from_text(const char *text, size_t len, uint8_t key[SEAL_KEY_BYTES])
{
    static const int forms[] = {sodium_base64_VARIANT_URLSAFE,
                                sodium_base64_VARIANT_URLSAFE_NO_PADDING};

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        size_t got = 0;
        if (sodium_base642bin(key, SEAL_KEY_BYTES, text, len, NULL, &got, NULL, forms[i]) ==
                0 &&
            got == SEAL_KEY_BYTES)
            return true;
    }
    return false;
}

void seal__ring_text(const uint8_t key[SEAL_KEY_BYTES], char ret[SEAL_KEY_TEXT + 1])
{
    sodium_bin2base64(ret, SEAL_KEY_TEXT + 1, key, SEAL_KEY_BYTES,
                      sodium_base64_VARIANT_URLSAFE);
    ret[SEAL_KEY_TEXT] = '\n';
}

/* The salt of an older passphrase must be there: a new one would make a key of no use. */
static int take_salt(const struct seal *s, bool older, uint8_t *salt, struct err *e)
{
    uint8_t fresh[crypto_pwhash_SALTBYTES];
    const struct seal_file f = {
        .path = s->salt_file, .what = "salt", .size = crypto_pwhash_SALTBYTES};

    if (!older) {
        randombytes_buf(fresh, sizeof(fresh));
        return seal__file(&f, fresh, salt, e) < 0 ? -1 : 0;
    }
    int r = seal__file_read(&f, salt, e);
    if (r == 1)
        return err_set(e, ERR_CONFIG, 0,
                       "MAYA_MASTER_KEY_OLD has a passphrase (all that is not 32 bytes in "
                       "url-safe base64) and its salt file '%s' is not there; put it back",
                       s->salt_file);
    return r;
}

static int key_from_passphrase(const struct seal *s, struct str text, bool older,
                               uint8_t key[SEAL_KEY_BYTES], struct err *e)
{
    uint8_t salt[crypto_pwhash_SALTBYTES];

    if (take_salt(s, older, salt, e) < 0)
        return -1;
    if (crypto_pwhash(key, SEAL_KEY_BYTES, text.data, text.len, salt,
                      crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        return err_set(e, ERR_NOMEM, errno, "make a key from the passphrase (needs %u MiB)",
                       crypto_pwhash_MEMLIMIT_INTERACTIVE >> 20);
    return 0;
}

void seal__ring_id(const uint8_t key[SEAL_KEY_BYTES], uint8_t ret[SEAL_ID_BYTES])
{
    static const uint8_t purpose[] = "maya: the name of a sealing key";
    uint8_t hash[crypto_generichash_BYTES_MIN];

    crypto_generichash(hash, sizeof(hash), key, SEAL_KEY_BYTES, purpose, sizeof(purpose));
    memcpy(ret, hash, SEAL_ID_BYTES);
}

static int place_of(const struct seal *s, const uint8_t id[SEAL_ID_BYTES])
{
    for (unsigned i = 0; i < s->count; i++)
        if (memcmp(s->keys[i].id, id, SEAL_ID_BYTES) == 0)
            return (int)i;
    return -1;
}

const struct seal_key *seal__ring_find(const struct seal *s, const uint8_t id[SEAL_ID_BYTES])
{
    int i = place_of(s, id);

    return i < 0 ? NULL : &s->keys[i];
}

/* While a container serves: no memory is asked for. seal_new() has seen that it fits. */
void seal__path(const struct seal *s, const char *name, char ret[PATH_MAX])
{
    MUST(snprintf(ret, PATH_MAX, "%s/%s", s->data_dir, name) < PATH_MAX);
}

/* Many rotations without a restart: a key whose file was removed is needed by no row. */
static bool forget_one(struct seal *s)
{
    for (unsigned i = 1; i < s->count; i++) {
        char path[PATH_MAX];
        seal__path(s, s->keys[i].file, path);
        bool gone = s->keys[i].file[0] && access(path, F_OK) < 0 && errno == ENOENT;
        if (!gone)
            continue;
        sodium_free(s->keys[i].bytes);
        s->keys[i] = s->keys[--s->count];
        return true;
    }
    return false;
}

int seal__ring_room(struct seal *s, struct err *e)
{
    if (s->count < SEAL_KEYS_MAX || forget_one(s))
        return 0;
    return err_set(e, ERR_CONFIG, 0,
                   "there are %d keys, and no more are held at once; `maya key prune` removes "
                   "the files of those that no session needs",
                   SEAL_KEYS_MAX);
}

int seal__ring_add(struct seal *s, const uint8_t key[SEAL_KEY_BYTES], enum seal_key_from from,
                   const char *file, struct err *e)
{
    uint8_t id[SEAL_ID_BYTES];

    seal__ring_id(key, id);
    int at = place_of(s, id);
    if (at >= 0) {
        /* The one that seals stays where it is, whatever copies there are. */
        if (at > 0 && *file)
            str_copy(s->keys[at].file, SEAL_NAME_MAX, file);
        return at;
    }
    if (seal__ring_room(s, e) < 0)
        return -1;
    uint8_t *bytes = sodium_malloc(SEAL_KEY_BYTES);
    if (!bytes)
        return err_set(e, ERR_NOMEM, errno, "guarded memory for a key");
    memcpy(bytes, key, SEAL_KEY_BYTES);
    (void)sodium_mprotect_readonly(bytes); /* a guard more; without it all works the same */
    struct seal_key *k = &s->keys[s->count];
    *k = (struct seal_key){.bytes = bytes, .from = from};
    memcpy(k->id, id, SEAL_ID_BYTES);
    str_copy(k->file, SEAL_NAME_MAX, file);
    s->generation++;
    return (int)s->count++;
}

static int key_from_line(const char *path, const char line[SEAL_KEY_TEXT + 1],
                         uint8_t key[SEAL_KEY_BYTES], struct err *e)
{
    if (line[SEAL_KEY_TEXT] == '\n' && key_from_text(line, SEAL_KEY_TEXT, key))
        return 0;
    return err_set(e, ERR_CONFIG, 0,
                   "the key file '%s' does not hold 32 bytes in url-safe base64", path);
}

/* The key's place, or -1. *ret_none when there is no such file: no error. */
static int add_file(struct seal *s, const char *name, bool *ret_none, struct err *e)
{
    char line[SEAL_KEY_TEXT + 1];
    uint8_t key[SEAL_KEY_BYTES];
    char path[PATH_MAX];
    const struct seal_file f = {
        .path = path, .what = "key", .size = sizeof(line), .secret = true};

    seal__path(s, name, path);
    int at = -1, r = seal__file_read(&f, line, e);
    *ret_none = r == 1;
    if (r == 0 && key_from_line(path, line, key, e) == 0)
        at = seal__ring_add(s, key, SEAL_KEY_FILE, name, e);
    sodium_memzero(line, sizeof(line));
    sodium_memzero(key, sizeof(key));
    return at;
}

/* What lies half written beside them has a longer name. */
static bool older_name(const char *name)
{
    size_t n = strlen(SEAL_OLDER_PREFIX);

    return strncmp(name, SEAL_OLDER_PREFIX, n) == 0 && strlen(name + n) == 2 * SEAL_ID_BYTES &&
           strspn(name + n, "0123456789abcdef") == 2 * SEAL_ID_BYTES;
}

static int add_older_files(struct seal *s, struct err *e)
{
    DIR *d = opendir(s->data_dir);
    struct dirent *at;
    bool none;
    int rc = 0;

    if (!d && errno == ENOENT)
        return 0;
    if (!d)
        return err_set(e, ERR_IO, errno, "look for keys in the data folder '%s'", s->data_dir);
    while (rc == 0 && (at = readdir(d)) != NULL)
        if (older_name(at->d_name) && add_file(s, at->d_name, &none, e) < 0 && !none)
            rc = -1;
    closedir(d);
    return rc;
}

int seal__ring_first(struct seal *s, int at, struct err *e)
{
    struct seal_key first = s->keys[0];

    if (at == 0)
        return 0;
    if (seal__hold_key(s, &s->keys[at], e) < 0)
        return -1;
    first.file[0] = '\0'; /* its old file is the new key's now; where it is is seen next */
    s->keys[0] = s->keys[at];
    s->keys[at] = first;
    s->generation++;
    return 0;
}

int seal__ring_load(struct seal *s, struct err *e)
{
    bool none;

    int at = add_file(s, SEAL_CURRENT_FILE, &none, e);
    if (none && !s->given)
        return err_set(e, ERR_CONFIG, 0,
                       "the key file '%s/%s' is gone; put it back, or nobody will read what it "
                       "sealed",
                       s->data_dir, SEAL_CURRENT_FILE);
    if (at < 0 && !none)
        return -1;
    if (!s->given && seal__ring_first(s, at, e) < 0)
        return -1;
    return add_older_files(s, e);
}

static struct seal_stamp stamp_of(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return (struct seal_stamp){0};
    return (struct seal_stamp){st.st_dev, st.st_ino, st.st_size, st.st_ctim};
}

static bool same_stamp(const struct seal_stamp *a, const struct seal_stamp *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

int seal_refresh(struct seal *s, struct err *e)
{
    char path[PATH_MAX];

    seal__path(s, SEAL_CURRENT_FILE, path);
    struct seal_stamp key = stamp_of(path), folder = stamp_of(s->data_dir);
    if (!s->bad && same_stamp(&key, &s->key_seen) && same_stamp(&folder, &s->folder_seen))
        return 0;
    s->key_seen = key;
    s->folder_seen = folder;
    int rc = seal__ring_load(s, e);
    s->bad = rc < 0;
    return rc;
}

/* The first key: given, or from its file, which is made when there is none. */
static int take_first(struct seal *s, const char *master, struct err *e)
{
    char fresh[SEAL_KEY_TEXT + 1], line[SEAL_KEY_TEXT + 1];
    uint8_t key[SEAL_KEY_BYTES];
    enum seal_key_from from = SEAL_KEY_GIVEN;
    int r = 0;

    if (!s->given) {
        char *path = xprintf("%s/%s", s->data_dir, SEAL_CURRENT_FILE);
        const struct seal_file f = {
            .path = path, .what = "key", .size = sizeof(line), .secret = true};
        randombytes_buf(key, sizeof(key));
        seal__ring_text(key, fresh);
        r = seal__file(&f, fresh, line, e);
        from = r == 1 ? SEAL_KEY_MADE : SEAL_KEY_FILE;
        if (r >= 0)
            r = key_from_line(path, line, key, e);
        free(path);
    } else if (!key_from_text(master, strlen(master), key)) {
        from = SEAL_KEY_PASSPHRASE;
        r = key_from_passphrase(s, str_of(master), false, key, e);
    }
    if (r == 0)
        r = seal__ring_add(s, key, from, s->given ? "" : SEAL_CURRENT_FILE, e);
    sodium_memzero(fresh, sizeof(fresh));
    sodium_memzero(line, sizeof(line));
    sodium_memzero(key, sizeof(key));
    return r < 0 ? -1 : 0;
}

int seal_new(const char *master, const char *data_dir, const char *salt_file, struct seal **ret,
             struct err *e)
{
    struct seal *s;

    if (sodium_init() < 0)
        return err_set(e, ERR_INTERNAL, 0, "libsodium found no source of randomness");
    if (strlen(data_dir) > PATH_MAX - 64)
        return err_set(e, ERR_CONFIG, 0, "the path of the data folder has more than %d bytes",
                       PATH_MAX - 64);
    s = xalloc(sizeof(*s));
    s->data_dir = xstrdup(data_dir);
    s->salt_file =
        salt_file && *salt_file ? xstrdup(salt_file) : xprintf("%s/master.salt", data_dir);
    s->given = master && *master;
    s->lock_fd = -1;
    if (take_first(s, master, e) < 0 || seal_refresh(s, e) < 0) {
        seal_free(&s);
        return -1;
    }
    *ret = s;
    return 0;
}

int seal__ring_key(const struct seal *s, struct str text, bool older,
                   uint8_t ret[SEAL_KEY_BYTES], bool *ret_passphrase, struct err *e)
{
    *ret_passphrase = !key_from_text(text.data, text.len, ret);
    return *ret_passphrase ? key_from_passphrase(s, text, older, ret, e) : 0;
}

static int add_older_text(struct seal *s, struct str text, bool *ret_passphrase, struct err *e)
{
    uint8_t key[SEAL_KEY_BYTES];
    bool passphrase;
    int r = seal__ring_key(s, text, true, key, &passphrase, e);

    *ret_passphrase |= passphrase;
    if (r == 0)
        r = seal__ring_add(s, key, passphrase ? SEAL_KEY_PASSPHRASE : SEAL_KEY_GIVEN, "", e);
    sodium_memzero(key, sizeof(key));
    return r < 0 ? -1 : 0;
}

int seal_add_older(struct seal *s, const char *keys, struct err *e)
{
    bool passphrase = false, ignored = false;

    if (!keys || !*keys)
        return 0;
    if (!strchr(keys, ','))
        return add_older_text(s, str_of(keys), &ignored, e);
    for (const char *at = keys;; at++) {
        size_t n = strcspn(at, ",");
        struct str part = str_trim((struct str){at, n});
        if (part.len && add_older_text(s, part, &passphrase, e) < 0)
            return -1;
        at += n;
        if (!*at)
            break;
    }
    return passphrase ? add_older_text(s, str_of(keys), &ignored, e) : 0;
}

enum seal_key_from seal_key_from(const struct seal *s)
{
    return s->keys[0].from;
}

unsigned seal_key_count(const struct seal *s)
{
    return s->count;
}

void seal_key_info(const struct seal *s, unsigned i, struct seal_key_info *ret)
{
    const struct seal_key *k = &s->keys[i];

    MUST(i < s->count);
    sodium_bin2hex(ret->id, sizeof(ret->id), k->id, SEAL_ID_BYTES);
    ret->from = k->from;
    ret->file = k->file;
}

unsigned seal_generation(const struct seal *s)
{
    return s->generation;
}
