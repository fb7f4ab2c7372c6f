#include "base/base64.c"
#include "unit/tap.h"

#include <string.h>

/* RFC 4648 section 10. */
static void known_texts(void)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xff\xfe\xfd", "//79"},
    };
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_clear(&out);
        base64_add(&out, rows[i][0], strlen(rows[i][0]));
        CHECK_STR(buf_text(&out), rows[i][1]);
    }
    buf_release(&out);
}

static void without_room(void)
{
    struct buf out = {.max = 7};

    base64_add(&out, "foob", 4);
    CHECK(out.full && out.len == 0);
    buf_release(&out);
}

static void read_back(void)
{
    static const char *const bad[] = {"Zg", "Zg=", "Zm9v!", "Z=g=", "Zm9v Zm9v", "Zm9\n"};
    struct buf out = BUF_INIT;

    CHECK(base64_read(&out, str_of("Zm9vYmE=")) && base64_read(&out, str_of("")));
    CHECK_STR(buf_text(&out), "fooba");
    CHECK(base64_read(&out, str_of("//79")));
    CHECK(out.len == 8 && memcmp(out.data + 5, "\xff\xfe\xfd", 3) == 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!base64_read(&out, str_of(bad[i])));
    CHECK(out.len == 8 && !out.full);
    buf_release(&out);
    out.max = 2;
    CHECK(!base64_read(&out, str_of("Zm9v")) && out.full);
    buf_release(&out);
}

static const struct tap_case cases[] = {
    {"texts that are known", known_texts},
    {"without room", without_room},
    {"read back", read_back},
};
TAP_MAIN(cases)
