/* Another master key under a process that runs. */
#include "seal/change.c"

#include "unit/seal/fixture.h"

static const char first[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
static const char second[] = "IAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

static struct buf lock(const struct seal *s, const char *text)
{
    struct buf sealed = BUF_INIT;

    seal_lock(s, "id", text, strlen(text), &sealed);
    return sealed;
}

static bool opens(struct seal *s, struct buf *sealed)
{
    struct buf plain = BUF_INIT;
    int rc = seal_unlock(s, "id", sealed->data, sealed->len, &plain, NULL);

    buf_release(&plain);
    return rc == 0;
}

static bool change(struct seal *s, const char *master, const char *older)
{
    struct seal_change *c = NULL;
    struct err e = {0};
    bool kept = false;

    CHECK_INT(seal_change_new(s, master, older, &c, &e), 0);
    CHECK_INT(seal_change_take(s, c, &kept, &e), 0);
    seal_change_free(&c);
    return kept;
}

static void seals_with_another(void)
{
    make_folder();
    struct seal *s = new_seal(first);
    struct buf before = lock(s, "x");
    unsigned generation = seal_generation(s);
    CHECK(change(s, second, first));
    CHECK(seal_generation(s) != generation);
    CHECK(!seal_current(s, before.data, before.len) && opens(s, &before));
    struct buf after = lock(s, "x");
    CHECK(seal_current(s, after.data, after.len));
    CHECK(!change(s, first, NULL)); /* a start would not know `second` */
    CHECK(seal_current(s, before.data, before.len) && opens(s, &after));
    CHECK_INT(seal_key_count(s), 2);
    seal_free(&s);
    s = new_seal(second);
    CHECK(opens(s, &after) && !opens(s, &before));
    seal_free(&s);
    buf_release(&before);
    buf_release(&after);
    drop_folder();
}

static void after_the_key_of_the_folder(void)
{
    make_folder();
    struct seal *s = new_seal(NULL);
    struct buf before = lock(s, "x");
    CHECK(change(s, second, NULL)); /* its file keeps it */
    CHECK(opens(s, &before) && !seal_current(s, before.data, before.len));
    struct seal_key_info info;
    seal_key_info(s, 1, &info);
    CHECK_STR(info.file, "master.key");
    CHECK_INT(seal_refresh(s, NULL), 0);
    CHECK(!seal_current(s, before.data, before.len));
    seal_free(&s);
    s = new_seal(second);
    CHECK(opens(s, &before));
    seal_free(&s);
    buf_release(&before);
    drop_folder();
}

static void only_older_ones(void)
{
    make_folder();
    struct seal *s = new_seal(second), *other = new_seal(first);
    struct buf sealed = lock(other, "x");
    CHECK(!opens(s, &sealed));
    CHECK(change(s, NULL, first));
    CHECK(opens(s, &sealed) && !seal_current(s, sealed.data, sealed.len));
    seal_free(&s);
    seal_free(&other);
    buf_release(&sealed);
    drop_folder();
}

static void passphrases(void)
{
    make_folder();
    struct seal *s = new_seal("a fake passphrase of before");
    struct buf before = lock(s, "x");
    CHECK(change(s, "a fake, passphrase", "a fake passphrase of before"));
    CHECK_INT(seal_key_from(s), SEAL_KEY_PASSPHRASE);
    struct buf after = lock(s, "x");
    CHECK(change(s, second, "a fake, passphrase")); /* as one whole, too */
    CHECK(opens(s, &before) && opens(s, &after));
    seal_free(&s);
    buf_release(&before);
    buf_release(&after);
    drop_folder();
}

static void without_its_salt(void)
{
    struct seal_change *c = NULL;
    struct err e = {0};

    make_folder();
    struct seal *s = new_seal(first);
    CHECK_INT(seal_change_new(s, second, "a fake passphrase of before", &c, &e), -1);
    CHECK(strstr(e.msg, "salt") != NULL && !strstr(e.msg, "fake"));
    CHECK(!c);
    seal_free(&s);
    drop_folder();
}

static const struct tap_case cases[] = {
    {"seals with another key, and opens with both", seals_with_another},
    {"the key of the folder becomes an older one", after_the_key_of_the_folder},
    {"older keys alone", only_older_ones},
    {"passphrases, with commas too", passphrases},
    {"an older passphrase without its salt", without_its_salt},
};

TAP_MAIN(cases)
