#include "mind/phrases.c"

#include "unit/tap.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/phrases-XXXXXX";
static char path[64];

/* The real file, with `from` replaced by `to` once (NULL: as it is). */
static void write_file(const char *from, const char *to)
{
    FILE *in = fopen("agents/maya/phrases.yaml", "r"), *out = fopen(path, "w");
    static char text[100000];
    size_t n = in ? fread(text, 1, sizeof(text) - 1, in) : 0;
    char *at;

    text[n] = '\0';
    CHECK(in && out && n > 0);
    if (!in || !out)
        return;
    at = from ? strstr(text, from) : NULL;
    CHECK(!from || at);
    if (at)
        fprintf(out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    else
        fputs(text, out);
    fclose(in);
    fclose(out);
}

static void refused(const char *from, const char *to, const char *says)
{
    struct phrases *p = NULL;
    struct err e = {0};

    write_file(from, to);
    CHECK_INT(phrases_load(folder, &p, &e), -1);
    CHECK(p == NULL);
    CHECK_INT(e.code, ERR_AGENT);
    if (!strstr(e.msg, says) || !strstr(e.msg, "phrases.yaml")) {
        printf("# \"%s\" does not say \"%s\"\n", e.msg, says);
        tap_failures++;
    }
}

static void test_real(void)
{
    struct phrases *p = NULL;
    struct err e = {0};

    CHECK_INT(phrases_load("agents/maya", &p, &e), 0);
    for (size_t o = 0; p && o < OC__COUNT; o++) {
        CHECK(phrases_count(p, (enum occasion)o) > 0);
        for (size_t i = 0; i < phrases_count(p, (enum occasion)o); i++)
            CHECK(phrases_get(p, (enum occasion)o, i)[0]);
    }
    phrases_free(&p);
    CHECK(p == NULL);
    phrases_free(&p);
}

static void test_refused(void)
{
    refused("\"{items}, coming up.\"", "\"{itmes}, coming up.\"", "{itmes}");
    refused("\"{items}, coming up.\"", "\"{itmes}, coming up.\"", "items tab");
    refused("\"{items}, coming up.\"", "\"{items, coming up.\"", "brace");
    refused("\"{items}, coming up.\"", "\"items}, coming up.\"", "brace");
    refused("\"{items}, coming up.\"", "\"\"", "empty");
    refused("\"{items}, coming up.\"", "[a, b]", "not a text");
    refused("\nthanks:", "\nthankz:", "thank");
    refused("\nthanks:", "\nthanks: []\nthank:", "thank");
    refused("\nadded:\n", "\nx: [1]\nadded:\n", "x");
}

static void test_missing(void)
{
    struct phrases *p = NULL;
    struct err e = {0};
    FILE *f = fopen(path, "w");

    fputs("added: [\"a\"]\n", f);
    fclose(f);
    CHECK_INT(phrases_load(folder, &p, &e), -1);
    CHECK(strstr(e.msg, "tab_now") != NULL);
    f = fopen(path, "w");
    fputs("- a\n", f);
    fclose(f);
    CHECK_INT(phrases_load(folder, &p, &e), -1);
    CHECK(strstr(e.msg, "map") != NULL);
    f = fopen(path, "w");
    fclose(f);
    CHECK_INT(phrases_load(folder, &p, &e), -1);
    unlink(path);
    CHECK_INT(phrases_load(folder, &p, &e), -1);
    rmdir(folder);
}

static const struct tap_case cases[] = {
    {"the file that comes with Maya", test_real},
    {"what does not fit is told with file and line", test_refused},
    {"what is missing is told", test_missing},
};

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof(path), "%s/phrases.yaml", folder);
    return tap_run(cases, (int)ARRAY_LEN(cases));
}
