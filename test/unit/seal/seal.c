#include "seal/seal.c"
#include "unit/seal/fixture.h"

#include <sys/wait.h>

static const char given[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

static void round_trip(void)
{
    struct seal *s = new_seal(given);
    static const size_t sizes[] = {0, 1, 63, 64, 65, 4096, 1000003};
    char *plain = xalloc(1000003);

    seal_random(plain, 1000003);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct buf sealed = BUF_INIT, back = BUF_INIT;
        struct err e = {0};
        buf_str(&sealed, "in front");
        buf_str(&back, "here");
        seal_lock(s, "sess_1", plain, sizes[i], &sealed);
        CHECK_INT(sealed.len, 8 + sizes[i] + SEAL_OVERHEAD);
        CHECK_INT(seal_unlock(s, "sess_1", sealed.data + 8, sealed.len - 8, &back, &e), 0);
        CHECK_INT(back.len, 4 + sizes[i]);
        CHECK(memcmp(back.data, "here", 4) == 0);
        CHECK(memcmp(back.data + 4, plain, sizes[i]) == 0);
        CHECK_INT(back.data[back.len], 0);
        buf_release(&sealed);
        buf_release(&back);
    }
    free(plain);
    seal_free(&s);
    CHECK(!s);
}

static void the_same_text_never_looks_the_same(void)
{
    struct seal *s = new_seal(given);
    struct buf a = BUF_INIT, b = BUF_INIT;

    seal_lock(s, "id", "two martinis", 12, &a);
    seal_lock(s, "id", "two martinis", 12, &b);
    CHECK(memcmp(a.data + NONCE_AT, b.data + NONCE_AT, NONCE_BYTES) != 0);
    CHECK(memcmp(a.data + BODY_AT, b.data + BODY_AT, 12) != 0);
    CHECK(!memmem(a.data, a.len, "martini", 7));
    buf_release(&a);
    buf_release(&b);
    seal_free(&s);
}

static void every_changed_byte_is_refused(void)
{
    struct seal *s = new_seal(given);
    struct buf sealed = BUF_INIT, back = BUF_INIT;

    seal_lock(s, "sess_1", "a Negroni, please", 17, &sealed);
    for (size_t i = 0; i < sealed.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            struct err e = {0};
            sealed.data[i] ^= (char)(1 << bit);
            CHECK_INT(seal_unlock(s, "sess_1", sealed.data, sealed.len, &back, &e), -1);
            CHECK_INT(e.code, ERR_CORRUPT);
            CHECK_INT(back.len, 0);
            sealed.data[i] ^= (char)(1 << bit);
        }
    }
    CHECK_INT(seal_unlock(s, "sess_1", sealed.data, sealed.len, &back, NULL), 0);
    buf_release(&sealed);
    buf_release(&back);
    seal_free(&s);
}

static void every_cut_is_refused(void)
{
    struct seal *s = new_seal(given);
    struct buf sealed = BUF_INIT, back = BUF_INIT;
    struct err e = {0};

    seal_lock(s, "sess_1", "a Negroni, please", 17, &sealed);
    for (size_t n = 0; n < sealed.len; n++) {
        char *exact = xalloc(n ? n : 1); /* so that a sanitizer sees a read beyond the end */
        memcpy(exact, sealed.data, n);
        CHECK_INT(seal_unlock(s, "sess_1", exact, n, &back, &e), -1);
        CHECK_INT(e.code, ERR_CORRUPT);
        free(exact);
    }
    buf_char(&sealed, 'x');
    CHECK_INT(seal_unlock(s, "sess_1", sealed.data, sealed.len, &back, &e), -1);
    CHECK(strstr(e.msg, "changed or cut"));
    buf_release(&sealed);
    buf_release(&back);
    seal_free(&s);
}

static void another_context_or_key_is_refused(void)
{
    struct seal *s = new_seal(given);
    struct seal *other = new_seal("____________________________________________");
    struct buf sealed = BUF_INIT, back = BUF_INIT;
    struct err e = {0};

    CHECK_INT(seal_key_from(other), SEAL_KEY_PASSPHRASE); /* 44 characters are 33 bytes */
    seal_lock(s, "sess_1", "mine", 4, &sealed);
    CHECK_INT(seal_unlock(s, "sess_2", sealed.data, sealed.len, &back, &e), -1);
    CHECK_INT(e.code, ERR_CORRUPT);
    CHECK(strstr(e.msg, "belongs to another id"));
    CHECK_INT(seal_unlock(other, "sess_1", sealed.data, sealed.len, &back, &e), -1);
    CHECK_INT(e.code, ERR_CORRUPT);
    CHECK(strstr(e.msg, "sealed with another key (id "));
    sealed.data[0] = 9;
    CHECK_INT(seal_unlock(s, "sess_1", sealed.data, sealed.len, &back, &e), -1);
    CHECK(strstr(e.msg, "has form 9"));
    buf_release(&sealed);
    buf_release(&back);
    seal_free(&s);
    seal_free(&other);
}

static void a_full_buf_is_told(void)
{
    struct seal *s = new_seal(given);
    struct buf sealed = BUF_INIT, small = {.max = 16};
    struct err e = {0};

    seal_lock(s, "id", "0123456789abcdefg", 17, &sealed);
    CHECK_INT(seal_unlock(s, "id", sealed.data, sealed.len, &small, &e), -1);
    CHECK_INT(e.code, ERR_NOMEM);
    CHECK(small.full);
    buf_release(&small);
    small.max = SEAL_OVERHEAD;
    seal_lock(s, "id", "x", 1, &small);
    CHECK(small.full);
    CHECK_INT(small.len, 0);
    buf_release(&sealed);
    buf_release(&small);
    seal_free(&s);
}

static void a_given_key_is_taken_as_it_is(void)
{
    char bare[sizeof(given)];
    struct seal *s = new_seal(given), *t;

    CHECK_INT(seal_key_from(s), SEAL_KEY_GIVEN);
    for (int i = 0; i < SEAL_KEY_BYTES; i++)
        CHECK_INT(s->keys[0].bytes[i], i);
    memcpy(bare, given, sizeof(bare));
    bare[43] = '\0'; /* without its padding */
    t = new_seal(bare);
    CHECK_INT(seal_key_from(t), SEAL_KEY_GIVEN);
    CHECK(memcmp(s->keys[0].bytes, t->keys[0].bytes, SEAL_KEY_BYTES) == 0);
    CHECK(memcmp(s->keys[0].id, t->keys[0].id, SEAL_ID_BYTES) == 0);
    CHECK_INT(files_in_folder(), 0);
    seal_free(&s);
    seal_free(&t);
}

static void a_key_is_made_once_and_found_again(void)
{
    struct seal *s = new_seal(NULL), *t = new_seal("");

    CHECK_INT(seal_key_from(s), SEAL_KEY_MADE);
    CHECK_INT(seal_key_from(t), SEAL_KEY_FILE);
    CHECK(memcmp(s->keys[0].bytes, t->keys[0].bytes, SEAL_KEY_BYTES) == 0);
    CHECK_INT(mode_of("master.key"), 0600);
    CHECK_INT(files_in_folder(), 1);
    seal_free(&s);
    seal_free(&t);
}

static void the_key_file_moves_into_the_variable(void)
{
    struct seal *s = new_seal(NULL), *t;
    char text[SEAL_KEY_TEXT + 2] = {0};
    char *path = xprintf("%s/master.key", folder);
    int fd = open(path, O_RDONLY);

    CHECK_INT(read(fd, text, sizeof(text)), SEAL_KEY_TEXT + 1);
    close(fd);
    text[SEAL_KEY_TEXT] = '\0';
    t = new_seal(text);
    CHECK_INT(seal_key_from(t), SEAL_KEY_GIVEN);
    CHECK(memcmp(s->keys[0].bytes, t->keys[0].bytes, SEAL_KEY_BYTES) == 0);
    free(path);
    seal_free(&s);
    seal_free(&t);
}

static void expect_refusal(const char *master, const char *part)
{
    struct seal *s = NULL;
    struct err e = {0};

    CHECK_INT(seal_new(master, folder, NULL, &s, &e), -1);
    CHECK(!s);
    if (!strstr(e.msg, part)) {
        CHECK_STR(e.msg, part);
    }
}

static void a_bad_key_file_is_refused(void)
{
    static const char line[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
    char *advice = xprintf("(mode 0640); run: chmod 600 '%s/master.key'", folder);

    write_file("master.key", line, sizeof(line) - 1, 0640);
    expect_refusal(NULL, advice);
    write_file("master.key", line, sizeof(line) - 1, 0604);
    expect_refusal(NULL, "(mode 0604); run: chmod 600");
    write_file("master.key", line, 20, 0600);
    expect_refusal(NULL, "has 20 bytes and should have 45");
    write_file("master.key", "", 0, 0600);
    expect_refusal(NULL, "has 0 bytes and should have 45");
    write_file("master.key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX!!kaGxwdHh8=\n", 45, 0600);
    expect_refusal(NULL, "does not hold 32 bytes in url-safe base64");
    write_file("master.key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n", 46, 0600);
    expect_refusal(NULL, "has 46 bytes and should have 45");
    write_file("master.key", line, sizeof(line) - 1, 0600);
    struct seal *s = new_seal(NULL);
    CHECK_INT(s->keys[0].bytes[31], 31);
    seal_free(&s);
    free(advice);
}

static void a_folder_that_is_missing_is_named(void)
{
    struct seal *s = NULL;
    struct err e = {0};

    CHECK_INT(seal_new(NULL, "/nonexistent/maya", NULL, &s, &e), -1);
    CHECK_INT(e.code, ERR_IO);
    CHECK(strstr(e.msg, "'/nonexistent/maya/master.key': No such file"));
}

static void a_passphrase_needs_its_salt(void)
{
    struct seal *s = new_seal("open sesame"), *again = new_seal("open sesame");
    struct seal *other = new_seal("open sesame!"), *elsewhere = NULL;
    char *path = xprintf("%s/other.salt", folder);
    struct err e = {0};

    CHECK_INT(seal_key_from(s), SEAL_KEY_PASSPHRASE);
    CHECK(memcmp(s->keys[0].bytes, again->keys[0].bytes, SEAL_KEY_BYTES) == 0);
    CHECK(memcmp(s->keys[0].bytes, other->keys[0].bytes, SEAL_KEY_BYTES) != 0);
    CHECK_INT(mode_of("master.salt"), 0600);
    CHECK_INT(seal_new("open sesame", folder, path, &elsewhere, &e), 0);
    CHECK(memcmp(s->keys[0].bytes, elsewhere->keys[0].bytes, SEAL_KEY_BYTES) != 0);
    CHECK_INT(mode_of("other.salt"), 0600);
    CHECK_INT(files_in_folder(), 2);
    write_file("master.salt", "short", 5, 0600);
    expect_refusal("open sesame", "has 5 bytes and should have 16");
    free(path);
    seal_free(&s);
    seal_free(&again);
    seal_free(&other);
    seal_free(&elsewhere);
}

/* Many processes start on one empty folder: all must end up with one and the same key. */
static void starting_together_makes_one_key(void)
{
    int fds[2];
    uint8_t first[SEAL_KEY_BYTES], key[SEAL_KEY_BYTES];
    int keys = 0;

    MUST(pipe(fds) == 0);
    fflush(stdout);
    for (int i = 0; i < 8; i++) {
        if (fork() == 0) {
            struct seal *s = new_seal(NULL);
            memcpy(key, s->keys[0].bytes, sizeof(key));
            _exit(write(fds[1], key, sizeof(key)) != (ssize_t)sizeof(key));
        }
    }
    close(fds[1]);
    for (; read(fds[0], key, sizeof(key)) == (ssize_t)sizeof(key); keys++) {
        if (keys == 0)
            memcpy(first, key, sizeof(first));
        CHECK(memcmp(first, key, sizeof(key)) == 0);
    }
    close(fds[0]);
    while (wait(NULL) > 0)
        ;
    CHECK_INT(keys, 8);
    CHECK_INT(files_in_folder(), 1);
}

static void sameness(void)
{
    CHECK(seal_same("", 0, "", 0));
    CHECK(seal_same("abc", 3, "abcd", 3));
    CHECK(!seal_same("abc", 3, "abcd", 4));
    CHECK(!seal_same("abc", 3, "abC", 3));
    CHECK(!seal_same("", 0, "a", 1));
}

static void tokens_and_digests(void)
{
    char a[17], b[17];
    uint8_t d[16], again[16], other[16];
    bool seen[256] = {0};
    int letters = 0;

    seal_token(a, 16);
    seal_token(b, 16);
    CHECK_INT(strlen(a), 16);
    CHECK(strcmp(a, b) != 0);
    for (int i = 0; i < 1000; i++) {
        seal_token(a, 16);
        for (int j = 0; j < 16; j++) {
            letters += !seen[(unsigned char)a[j]];
            seen[(unsigned char)a[j]] = true;
        }
    }
    CHECK_INT(letters, 64);
    seal_digest("abc", 3, d);
    seal_digest("abc", 3, again);
    seal_digest("abd", 3, other);
    CHECK(memcmp(d, again, 16) == 0);
    CHECK(memcmp(d, other, 16) != 0);
    CHECK(d[0] == 0xcf && d[1] == 0x4a); /* BLAKE2b-128("abc") */
    CHECK(seal_random_u64() != seal_random_u64());
}

#define IN_FOLDER(name)                                                                        \
    static void in_##name(void)                                                                \
    {                                                                                          \
        make_folder();                                                                         \
        name();                                                                                \
        drop_folder();                                                                         \
    }

IN_FOLDER(round_trip)
IN_FOLDER(another_context_or_key_is_refused)
IN_FOLDER(a_given_key_is_taken_as_it_is)
IN_FOLDER(a_key_is_made_once_and_found_again)
IN_FOLDER(the_key_file_moves_into_the_variable)
IN_FOLDER(a_bad_key_file_is_refused)
IN_FOLDER(a_passphrase_needs_its_salt)
IN_FOLDER(starting_together_makes_one_key)

static const struct tap_case cases[] = {
    {"what is sealed comes back", in_round_trip},
    {"the same text never looks the same", the_same_text_never_looks_the_same},
    {"every changed bit is refused", every_changed_byte_is_refused},
    {"every cut is refused", every_cut_is_refused},
    {"another context or key is refused", in_another_context_or_key_is_refused},
    {"a full buf is told", a_full_buf_is_told},
    {"a given key is taken as it is", in_a_given_key_is_taken_as_it_is},
    {"a key is made once and found again", in_a_key_is_made_once_and_found_again},
    {"the key file moves into the variable", in_the_key_file_moves_into_the_variable},
    {"a bad key file is refused", in_a_bad_key_file_is_refused},
    {"a folder that is missing is named", a_folder_that_is_missing_is_named},
    {"a passphrase needs its salt", in_a_passphrase_needs_its_salt},
    {"starting together makes one key", in_starting_together_makes_one_key},
    {"tokens and digests", tokens_and_digests},
    {"the same text or not", sameness},
};

TAP_MAIN(cases)
