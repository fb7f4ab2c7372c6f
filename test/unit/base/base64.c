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

static const struct tap_case cases[] = {
    {"texts that are known", known_texts},
    {"without room", without_room},
};
TAP_MAIN(cases)
