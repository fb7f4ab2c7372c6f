/* The ring of keys: older ones, rotations, and processes that share a folder. */
#include "seal/ring.c"

#include "seal/rotate.c"
#include "unit/seal/fixture.h"

#include <signal.h>
#include <sys/wait.h>

static const char given[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
static const char other_key[] = "IAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

static struct buf lock(const struct seal *s, const char *text)
{
    struct buf sealed = BUF_INIT;

    seal_lock(s, "id", text, strlen(text), &sealed);
    return sealed;
}

static bool opens(struct seal *s, const struct buf *sealed)
{
    struct buf plain = BUF_INIT;
    struct err e = {0};
    int rc = seal_unlock(s, "id", sealed->data, sealed->len, &plain, &e);

    if (rc < 0)
        printf("# %s\n", e.msg);
    buf_release(&plain);
    return rc == 0;
}

static void rotate_now(struct seal *s)
{
    struct err e = {0};

    if (seal_rotate(s, &e) < 0)
        printf("# %s\n", e.msg);
    CHECK_INT(e.code, ERR_NONE);
}

static const char *id_of(const struct seal *s, unsigned i)
{
    static struct seal_key_info k;

    seal_key_info(s, i, &k);
    return k.id;
}

static const char *file_of(const struct seal *s, unsigned i)
{
    static struct seal_key_info k;

    seal_key_info(s, i, &k);
    return k.file;
}

static void what_older_keys_sealed_opens(void)
{
    struct seal *s = new_seal(NULL), *later;
    struct buf sealed[4];
    char name[SEAL_NAME_MAX], id[SEAL_ID_TEXT];

    for (int i = 0; i < 4; i++) {
        sealed[i] = lock(s, "two martinis");
        CHECK(seal_current(s, sealed[i].data, sealed[i].len));
        seal_key_of(sealed[i].data, sealed[i].len, id);
        CHECK_STR(id, id_of(s, 0));
        rotate_now(s);
        CHECK(!seal_current(s, sealed[i].data, sealed[i].len));
        CHECK_INT(seal_key_count(s), i + 2);
    }
    later = new_seal(NULL);
    str_copy(id, sizeof(id), id_of(s, 0));
    CHECK_STR(id_of(later, 0), id);
    CHECK_INT(seal_key_from(later), SEAL_KEY_FILE);
    CHECK_STR(file_of(later, 0), "master.key");
    for (int i = 0; i < 4; i++) {
        CHECK(opens(s, &sealed[i]));
        CHECK(opens(later, &sealed[i]));
        buf_release(&sealed[i]);
    }
    for (unsigned i = 1; i < seal_key_count(s); i++) {
        snprintf(name, sizeof(name), "master.key.old-%s", id_of(s, i));
        CHECK_STR(file_of(s, i), name);
        CHECK_INT(mode_of(name), 0600);
    }
    CHECK_INT(mode_of("master.key"), 0600);
    CHECK_INT(files_in_folder(), 6); /* five keys and the lock file */
    seal_key_of("\1short", 6, id);
    CHECK_STR(id, "");
    seal_free(&s);
    seal_free(&later);
}

static void a_rotation_is_taken_up_by_who_runs(void)
{
    struct seal *a = new_seal(NULL), *b = new_seal(NULL);
    unsigned before = seal_generation(b);
    struct buf old = lock(b, "old"), fresh;
    struct err e = {0};

    CHECK_INT(seal_refresh(b, &e), 0);
    CHECK_INT(seal_generation(b), before);
    rotate_now(a);
    fresh = lock(a, "new");
    CHECK(opens(b, &fresh)); /* it meets a key that it does not know */
    CHECK(seal_generation(b) != before);
    CHECK(seal_current(b, fresh.data, fresh.len));
    rotate_now(b);
    before = seal_generation(a);
    CHECK_INT(seal_refresh(a, &e), 0);
    CHECK(seal_generation(a) != before);
    CHECK(!seal_current(a, fresh.data, fresh.len));
    CHECK(opens(a, &old) && opens(a, &fresh));
    buf_release(&old);
    buf_release(&fresh);
    seal_free(&a);
    seal_free(&b);
}

/* The states a rotation goes through, one after the other, and one that only a power cut makes.
 */
static void a_crash_at_any_point_leaves_what_opens_all(void)
{
    struct seal *s = new_seal(NULL), *later, *ahead;
    struct buf old = lock(s, "old"), fresh;
    uint8_t key[SEAL_KEY_BYTES], id[SEAL_ID_BYTES];
    char *before = older_path(s, s->keys[0].id), *next, *current;
    struct err e = {0};

    CHECK_INT(keep(before, s->keys[0].bytes, &e), 0);
    later = new_seal(NULL);
    CHECK_INT(seal_key_count(later), 1);
    CHECK(opens(later, &old) && seal_current(later, old.data, old.len));
    seal_free(&later);

    make_key(s, key);
    seal__ring_id(key, id);
    next = older_path(s, id);
    current = xprintf("%s/master.key", folder);
    CHECK_INT(keep(next, key, &e), 0);
    later = new_seal(NULL);
    CHECK(opens(later, &old) && seal_current(later, old.data, old.len));
    seal_free(&later);

    /* The next step was taken and sealed with, but the disk has not heard of the rename. */
    int at = seal__ring_add(s, key, SEAL_KEY_FILE, "", &e);
    CHECK_INT(seal__ring_first(s, at, &e), 0);
    fresh = lock(s, "new");
    later = new_seal(NULL);
    CHECK(opens(later, &old) && opens(later, &fresh));
    CHECK(seal_current(later, old.data, old.len));

    CHECK_INT(put_in_place(next, current, &e), 0);
    ahead = new_seal(NULL);
    CHECK(opens(ahead, &old) && opens(ahead, &fresh));
    CHECK(seal_current(ahead, fresh.data, fresh.len));
    rotate_now(later); /* who is behind goes on from what is there */
    CHECK(opens(later, &old) && opens(later, &fresh));
    CHECK_INT(seal_key_count(later), 3);
    free(before);
    free(next);
    free(current);
    buf_release(&old);
    buf_release(&fresh);
    seal_free(&s);
    seal_free(&later);
    seal_free(&ahead);
}

#define TEXT_SEALED (SEAL_OVERHEAD + 4)

/* Rotate again and again, telling what each key sealed, until killed or `rounds` are over. */
static void rotate_and_tell(int fd, int rounds)
{
    struct seal *s = new_seal(NULL);

    for (int i = 0; i < rounds; i++) {
        struct buf sealed = lock(s, "text");
        if (write(fd, sealed.data, sealed.len) != TEXT_SEALED)
            _exit(1);
        buf_release(&sealed);
        if (seal_rotate(s, NULL) < 0)
            _exit(1);
    }
    seal_free(&s);
    _exit(0);
}

static void check_told(int fd, int at_least)
{
    struct seal *s = new_seal(NULL);
    char sealed[TEXT_SEALED];
    int n = 0;

    for (; read(fd, sealed, sizeof(sealed)) == TEXT_SEALED; n++) {
        struct buf plain = BUF_INIT;
        CHECK_INT(seal_unlock(s, "id", sealed, sizeof(sealed), &plain, NULL), 0);
        buf_release(&plain);
    }
    CHECK(n >= at_least);
    seal_free(&s);
}

static void killed_while_rotating_nothing_is_lost(void)
{
    for (int round = 0; round < 8; round++) {
        int fds[2], told[2];
        char sealed[TEXT_SEALED];
        int status;

        make_folder();
        MUST(pipe(fds) == 0 && pipe(told) == 0);
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            close(fds[0]);
            close(told[0]);
            close(told[1]);
            rotate_and_tell(fds[1], SEAL_KEYS_MAX - 2);
        }
        close(fds[1]);
        for (int i = 0; i <= 2 * round; i++) {
            CHECK_INT(read(fds[0], sealed, sizeof(sealed)), TEXT_SEALED);
            CHECK_INT(write(told[1], sealed, sizeof(sealed)), TEXT_SEALED);
        }
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        close(told[1]);
        check_told(told[0], 1);
        check_told(fds[0], 0); /* what it told until the end */
        close(told[0]);
        close(fds[0]);
        drop_folder();
    }
}

static void many_may_rotate_at_once(void)
{
    int fds[2], status, failed = 0;

    MUST(pipe(fds) == 0);
    fflush(stdout);
    for (int i = 0; i < 4; i++)
        if (fork() == 0)
            rotate_and_tell(fds[1], 6);
    close(fds[1]);
    while (wait(&status) > 0)
        failed += status != 0;
    CHECK_INT(failed, 0);
    check_told(fds[0], 24);
    close(fds[0]);
    struct seal *s = new_seal(NULL);
    CHECK_INT(seal_key_count(s), 25); /* none went the way of another */
    seal_free(&s);
}

static int add(struct seal *s, const char *keys, struct err *e)
{
    *e = (struct err){0};
    return seal_add_older(s, keys, e);
}

static void older_keys_come_from_outside(void)
{
    struct seal *a = new_seal(given), *b = new_seal("open, sesame"),
                *c = new_seal("shibboleth");
    struct seal *s = new_seal(other_key);
    struct buf by_a = lock(a, "a"), by_b = lock(b, "b"), by_c = lock(c, "c");
    char *list = xprintf("%s, shibboleth", given);
    struct err e;

    CHECK_INT(add(s, NULL, &e), 0);
    CHECK_INT(add(s, "", &e), 0);
    CHECK_INT(seal_key_count(s), 1);
    CHECK_INT(add(s, list, &e), 0);
    CHECK(opens(s, &by_a) && opens(s, &by_c));
    CHECK(!seal_current(s, by_a.data, by_a.len));
    CHECK_INT(add(s, "open, sesame", &e), 0); /* one passphrase with a comma in it */
    CHECK(opens(s, &by_b));
    unsigned count = seal_key_count(s);
    CHECK_INT(add(s, other_key, &e), 0); /* the current one, and one that is there already */
    CHECK_INT(add(s, given, &e), 0);
    CHECK_INT(seal_key_count(s), count);
    CHECK_STR(file_of(s, 1), "");
    free(list);
    buf_release(&by_a);
    buf_release(&by_b);
    buf_release(&by_c);
    seal_free(&a);
    seal_free(&b);
    seal_free(&c);
    seal_free(&s);
}

static void an_older_passphrase_needs_its_salt(void)
{
    struct seal *s = new_seal(given);
    struct err e;

    CHECK_INT(add(s, "a passphrase", &e), -1);
    CHECK_INT(e.code, ERR_CONFIG);
    CHECK(strstr(e.msg, "MAYA_MASTER_KEY_OLD has a passphrase"));
    CHECK(strstr(e.msg, "master.salt' is not there; put it back"));
    CHECK(!strstr(e.msg, "a passphrase'"));
    CHECK_INT(files_in_folder(), 0);
    seal_free(&s);
}

static void moving_from_file_to_environment_is_a_rotation(void)
{
    struct seal *file = new_seal(NULL), *s;
    struct buf old = lock(file, "old");
    struct err e = {0};

    rotate_now(file);
    s = new_seal(given);
    CHECK_INT(seal_key_from(s), SEAL_KEY_GIVEN);
    CHECK_INT(seal_key_count(s), 3);
    CHECK(opens(s, &old));
    CHECK_STR(file_of(s, 0), "");
    CHECK_INT(seal_rotate(s, &e), -1);
    CHECK_INT(e.code, ERR_INVALID);
    rotate_now(file);
    CHECK_INT(seal_refresh(s, &e), 0);
    CHECK_INT(seal_key_count(s), 4);
    CHECK_INT(seal_key_from(s), SEAL_KEY_GIVEN); /* a file never takes its place */
    buf_release(&old);
    seal_free(&file);
    seal_free(&s);
}

static void expect_refusal(const char *part)
{
    struct seal *s = NULL;
    struct err e = {0};

    CHECK_INT(seal_new(NULL, folder, NULL, &s, &e), -1);
    CHECK(!s);
    if (!strstr(e.msg, part))
        CHECK_STR(e.msg, part);
}

static void a_bad_older_file_is_refused(void)
{
    static const char line[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
    struct seal *s = new_seal(NULL);

    seal_free(&s);
    write_file("master.key.old-0123abcd", line, 45, 0644);
    expect_refusal("master.key.old-0123abcd'");
    write_file("master.key.old-0123abcd", line, 40, 0600);
    expect_refusal("has 40 bytes and should have 45");
    write_file("master.key.old-0123abcd", "!AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", 45,
               0600);
    expect_refusal("does not hold 32 bytes in url-safe base64");
    write_file("master.key.old-0123abcd", line, 45, 0600);
    write_file("master.key.old-0123abcd.x8_aZ-3q", line, 20, 0600); /* a crash left it */
    write_file("master.key.old-letters!", line, 20, 0600);
    s = new_seal(NULL);
    CHECK_INT(seal_key_count(s), 2);
    seal_free(&s);
}

/* An older file that is bad keeps nobody from the new key. */
static void rotate_now_past(struct seal *s, const struct buf *old)
{
    uint8_t key[SEAL_KEY_BYTES];
    char line[SEAL_KEY_TEXT + 1];
    struct seal *other = NULL;
    struct err e = {0};

    make_key(s, key);
    seal__ring_text(key, line);
    CHECK_INT(seal_rotate(s, &e), -1);
    CHECK(strstr(e.msg, "others may use the key file"));
    CHECK(seal_current(s, old->data, old->len)); /* nothing has happened */
    write_file("master.key", line, sizeof(line), 0600);
    line[SEAL_KEY_TEXT] = '\0';
    CHECK_INT(seal_new(line, "/nonexistent", NULL, &other, &e), 0);
    struct buf fresh = lock(other, "new");
    CHECK(opens(s, &fresh) && opens(s, old));
    CHECK(seal_current(s, fresh.data, fresh.len));
    buf_release(&fresh);
    seal_free(&other);
}

static void what_goes_wrong_while_it_runs_is_told_and_goes_on(void)
{
    struct seal *s = new_seal(NULL), *other = new_seal(NULL);
    struct buf sealed = lock(s, "text");
    char *path = xprintf("%s/master.key", folder), *away = xprintf("%s/away", folder);
    struct err e = {0};

    MUST(rename(path, away) == 0);
    CHECK_INT(seal_refresh(s, &e), -1);
    CHECK(strstr(e.msg, "master.key' is gone; put it back"));
    e = (struct err){0};
    CHECK_INT(seal_refresh(s, &e), -1);
    CHECK(e.msg[0]);
    CHECK(opens(s, &sealed));
    CHECK(seal_current(s, sealed.data, sealed.len));
    MUST(rename(away, path) == 0);
    CHECK_INT(seal_refresh(s, &e), 0);
    write_file("master.key.old-0123abcd", "IAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", 45,
               0640);
    CHECK_INT(seal_refresh(s, &e), -1);
    rotate_now_past(s, &sealed);
    write_file("master.key.old-0123abcd", "IAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", 45,
               0600);
    CHECK_INT(seal_refresh(s, &e), 0);
    CHECK_INT(seal_key_count(s), 3);
    write_file("master.key", "short", 5, 0600);
    CHECK_INT(seal_refresh(s, &e), -1);
    CHECK(opens(s, &sealed));
    free(path);
    free(away);
    buf_release(&sealed);
    seal_free(&s);
    seal_free(&other);
}

static void a_key_goes_only_when_nobody_seals_with_it(void)
{
    struct seal *server = new_seal(NULL), *person = new_seal(NULL);
    struct err e = {0};
    bool claimed = true;

    CHECK_INT(seal_hold(server, &e), 0);
    rotate_now(person);
    CHECK(seal_in_use(person, 1));
    CHECK_INT(seal_claim(person, 1, &claimed, &e), 0);
    CHECK(!claimed);
    CHECK_INT(seal_refresh(server, &e), 0); /* seals with the new one, the old is on its way */
    CHECK_INT(seal_claim(person, 1, &claimed, &e), 0);
    CHECK(!claimed);
    seal_release_older(server);
    CHECK(!seal_in_use(person, 1));
    CHECK(seal_in_use(person, 0));
    CHECK_INT(seal_claim(person, 1, &claimed, &e), 0);
    CHECK(claimed);
    CHECK_INT(seal_remove_file(person, 1, &e), 0);
    seal_free(&person);
    person = new_seal(NULL);
    CHECK_INT(seal_key_count(person), 1);
    CHECK_INT(seal_key_count(server), 2); /* who runs keeps it */
    seal_free(&person);
    seal_free(&server);
}

static void nobody_begins_with_a_key_that_is_going(void)
{
    struct seal *server = new_seal(NULL), *person = new_seal(given);
    struct err e = {0};
    bool claimed = false;

    CHECK_INT(seal_key_count(person), 2);
    CHECK_INT(seal_claim(person, 1, &claimed, &e), 0);
    CHECK(claimed);
    CHECK_INT(seal_hold(server, &e), -1);
    CHECK_INT(e.code, ERR_CONFLICT);
    CHECK(strstr(e.msg, "`maya key prune` is looking whether key "));
    CHECK_INT(seal_remove_file(person, 1, &e), 0);
    seal_free(&person);
    CHECK_INT(seal_hold(server, &e), -1); /* it would seal with what is gone */
    CHECK(strstr(e.msg, "master.key' is gone"));
    seal_free(&server);
}

static void there_is_an_end_to_keys(void)
{
    struct seal *s = new_seal(NULL);
    struct err e = {0};

    for (int i = 0; i < SEAL_KEYS_MAX - 1; i++)
        rotate_now(s);
    CHECK_INT(seal_rotate(s, &e), -1);
    CHECK(strstr(e.msg, "`maya key prune`"));
    struct seal *again = NULL;
    CHECK_INT(seal_new(NULL, folder, NULL, &again, &e), 0);
    char *path = xprintf("%s/%s", folder, file_of(s, 7));
    MUST(unlink(path) == 0);
    rotate_now(s); /* what was pruned makes room in who has not started anew since */
    CHECK_INT(seal_key_count(s), SEAL_KEYS_MAX);
    free(path);
    seal_free(&again);
    seal_free(&s);
}

#define IN_FOLDER(name)                                                                        \
    static void in_##name(void)                                                                \
    {                                                                                          \
        make_folder();                                                                         \
        name();                                                                                \
        drop_folder();                                                                         \
    }

IN_FOLDER(what_older_keys_sealed_opens)
IN_FOLDER(a_rotation_is_taken_up_by_who_runs)
IN_FOLDER(a_crash_at_any_point_leaves_what_opens_all)
IN_FOLDER(many_may_rotate_at_once)
IN_FOLDER(older_keys_come_from_outside)
IN_FOLDER(an_older_passphrase_needs_its_salt)
IN_FOLDER(moving_from_file_to_environment_is_a_rotation)
IN_FOLDER(a_bad_older_file_is_refused)
IN_FOLDER(what_goes_wrong_while_it_runs_is_told_and_goes_on)
IN_FOLDER(a_key_goes_only_when_nobody_seals_with_it)
IN_FOLDER(nobody_begins_with_a_key_that_is_going)
IN_FOLDER(there_is_an_end_to_keys)

static const struct tap_case cases[] = {
    {"what older keys sealed opens", in_what_older_keys_sealed_opens},
    {"a rotation is taken up by who runs", in_a_rotation_is_taken_up_by_who_runs},
    {"a crash at any point leaves what opens all",
     in_a_crash_at_any_point_leaves_what_opens_all},
    {"killed while rotating, nothing is lost", killed_while_rotating_nothing_is_lost},
    {"many may rotate at once", in_many_may_rotate_at_once},
    {"older keys come from outside", in_older_keys_come_from_outside},
    {"an older passphrase needs its salt", in_an_older_passphrase_needs_its_salt},
    {"moving from file to environment is a rotation",
     in_moving_from_file_to_environment_is_a_rotation},
    {"a bad older file is refused", in_a_bad_older_file_is_refused},
    {"what goes wrong while it runs is told and goes on",
     in_what_goes_wrong_while_it_runs_is_told_and_goes_on},
    {"a key goes only when nobody seals with it", in_a_key_goes_only_when_nobody_seals_with_it},
    {"nobody begins with a key that is going", in_nobody_begins_with_a_key_that_is_going},
    {"there is an end to keys", in_there_is_an_end_to_keys},
};

TAP_MAIN(cases)
