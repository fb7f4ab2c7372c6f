/*
 * Another MAYA_MASTER_KEY under a process that runs. Making a key of a passphrase takes a tenth
 * of a second, so it is done apart from taking it up, and on any thread: it reads only what
 * never changes of the ring.
 */
#include "seal/seal.h"

#include "seal/seal_int.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct seal_change {
    uint8_t
        *keys[SEAL_KEYS_MAX]; /* the first is to seal, unless older_only; from sodium_malloc */
    enum seal_key_from from[SEAL_KEYS_MAX];
    unsigned count;
    bool older_only;
};

static int add(const struct seal *s, struct seal_change *c, struct str text, struct err *e)
{
    bool older = c->older_only || c->count > 0, passphrase;

    if (c->count == SEAL_KEYS_MAX)
        return err_set(e, ERR_CONFIG, 0, "MAYA_MASTER_KEY_OLD has more than %d keys",
                       SEAL_KEYS_MAX - 1);
    uint8_t *key = sodium_malloc(SEAL_KEY_BYTES);
    if (!key)
        return err_set(e, ERR_NOMEM, 0, "guarded memory for a key");
    if (seal__ring_key(s, text, older, key, &passphrase, e) < 0) {
        sodium_free(key);
        return -1;
    }
    c->from[c->count] = passphrase ? SEAL_KEY_PASSPHRASE : SEAL_KEY_GIVEN;
    c->keys[c->count++] = key;
    return 0;
}

/* As seal_add_older() reads them. */
static int add_older(const struct seal *s, struct seal_change *c, const char *keys,
                     struct err *e)
{
    bool passphrase = false;

    for (const char *at = keys; at && *at;) {
        size_t n = strcspn(at, ",");
        struct str part = str_trim((struct str){at, n});
        if (part.len && add(s, c, part, e) < 0)
            return -1;
        passphrase |= part.len && c->from[c->count - 1] == SEAL_KEY_PASSPHRASE;
        at += n + (at[n] == ',');
    }
    return passphrase && strchr(keys, ',') ? add(s, c, str_of(keys), e) : 0;
}

int seal_change_new(const struct seal *s, const char *master, const char *older,
                    struct seal_change **ret, struct err *e)
{
    struct seal_change *c = calloc(1, sizeof(*c));

    if (!c)
        return err_set(e, ERR_NOMEM, 0, "%s", err_sentence(ERR_NOMEM));
    c->older_only = !master || !*master;
    if ((!c->older_only && add(s, c, str_of(master), e) < 0) || add_older(s, c, older, e) < 0) {
        seal_change_free(&c);
        return -1;
    }
    *ret = c;
    return 0;
}

void seal_change_free(struct seal_change **c)
{
    if (!*c)
        return;
    for (unsigned i = 0; i < (*c)->count; i++)
        sodium_free((*c)->keys[i]);
    free(*c);
    *c = NULL;
}

/* Would a start with these keys still know the one that seals now? */
static bool keeps(const struct seal *s, const struct seal_change *c)
{
    uint8_t id[SEAL_ID_BYTES];
    bool kept = s->keys[0].file[0] != '\0' || c->older_only;

    for (unsigned i = 0; i < c->count; i++) {
        seal__ring_id(c->keys[i], id);
        kept |= memcmp(id, s->keys[0].id, SEAL_ID_BYTES) == 0;
    }
    return kept;
}

int seal_change_take(struct seal *s, const struct seal_change *c, bool *ret_kept, struct err *e)
{
    bool given = s->given, kept = keeps(s, c);
    int first = -1;

    for (unsigned i = c->count; i-- > 0;) {
        first = seal__ring_add(s, c->keys[i], c->from[i], "", e);
        if (first < 0)
            return -1;
    }
    *ret_kept = kept;
    if (c->older_only)
        return 0;
    s->given = true;
    if (seal__ring_first(s, first, e) < 0) {
        s->given = given;
        return -1;
    }
    /* The file's key, too, is an older one now; what fails of that, seal_refresh() tries again.
     */
    s->bad = seal__ring_load(s, NULL) < 0;
    return 0;
}
