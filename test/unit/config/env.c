/* The .env reader: what each form of line means, and where a mistake is said to be. */
#include "config/env.c"
#include "unit/tap.h"

static struct {
    struct buf text; /* name=value@line; ... */
} seen;

static void note(void *self, const char *name, const char *value, int line)
{
    (void)self;
    buf_printf(&seen.text, "%s=[%s]@%d ", name, value, line);
}

static const struct config_sink sink = {note, NULL};
static struct err e;

static const char *parse_n(const char *text, size_t n)
{
    buf_clear(&seen.text);
    e = (struct err){0};
    if (config__env_parse(text, n, ".env", &sink, &e) < 0)
        return e.msg;
    return buf_text(&seen.text);
}

static const char *parse(const char *text)
{
    return parse_n(text, strlen(text));
}

static void plain(void)
{
    CHECK_STR(parse(""), "");
    CHECK_STR(parse("\n\n  \t\n# A=1\n   # B=2"), "");
    CHECK_STR(parse("A=1\nB=two words\n"), "A=[1]@1 B=[two words]@2 ");
    CHECK_STR(parse("A=1\nB=2"), "A=[1]@1 B=[2]@2 ");
    CHECK_STR(parse("  A = 1  \n"), "A=[1]@1 ");
    CHECK_STR(parse("A=\nB= \nC=3"), "A=[]@1 B=[]@2 C=[3]@3 ");
    CHECK_STR(parse("A=a=b=c"), "A=[a=b=c]@1 ");
    CHECK_STR(parse("A=it's \"so\""), "A=[it's \"so\"]@1 ");
    CHECK_STR(parse("A=\\n $HOME ${B}"), "A=[\\n $HOME ${B}]@1 ");
    CHECK_STR(parse("a.b_9=1"), "a.b_9=[1]@1 ");
}

static void exports(void)
{
    CHECK_STR(parse("export A=1\n export\tB=2"), "A=[1]@1 B=[2]@2 ");
    CHECK_STR(parse("export=1"), "export=[1]@1 ");
    CHECK_STR(parse("export = 1"), "export=[1]@1 ");
    CHECK_STR(parse("exported=1"), "exported=[1]@1 ");
}

static void comments(void)
{
    CHECK_STR(parse("A=1 # one"), "A=[1]@1 ");
    CHECK_STR(parse("A=1\t# one"), "A=[1]@1 ");
    CHECK_STR(parse("A=a#b"), "A=[a#b]@1 ");
    CHECK_STR(parse("A=#b"), "A=[#b]@1 ");
    CHECK_STR(parse("A= # none"), "A=[]@1 ");
    CHECK_STR(parse("A=\"x # y\" # z"), "A=[x # y]@1 ");
    CHECK_STR(parse("A='x'#z\nB=2"), "A=[x]@1 B=[2]@2 ");
}

static void quotes(void)
{
    CHECK_STR(parse("A=\"\"\nB=''"), "A=[]@1 B=[]@2 ");
    CHECK_STR(parse("A=\"  x  \""), "A=[  x  ]@1 ");
    CHECK_STR(parse("A=\"a\\nb\\t\\\"\\\\\\$\""), "A=[a\nb\t\"\\$]@1 ");
    CHECK_STR(parse("A=\"\\q\""), "A=[\\q]@1 ");
    CHECK_STR(parse("A='a\\nb\\'c\\\\'"), "A=[a\\nb'c\\]@1 ");
    CHECK_STR(parse("A=\"one\ntwo\"\nB=3"), "A=[one\ntwo]@1 B=[3]@3 ");
    CHECK_STR(parse("A='it is \"so\"'"), "A=[it is \"so\"]@1 ");
}

static void windows(void)
{
    CHECK_STR(parse("A=1\r\n\r\nB=\"x\"\r\n# c\r\nC='y'  \r\n"), "A=[1]@1 B=[x]@3 C=[y]@5 ");
    CHECK_STR(parse("A=\"one\r\ntwo\"\r\nB=3\r\n"), "A=[one\ntwo]@1 B=[3]@3 ");
    CHECK_STR(parse("\xef\xbb\xbf"
                    "A=1\r\n"),
              "A=[1]@1 ");
}

static void mistakes(void)
{
    CHECK_STR(parse("A=1\nB\n"), ".env:2: there is no = behind the name");
    CHECK_STR(parse("export B"), ".env:1: there is no = behind the name");
    CHECK_STR(parse("=1"), ".env:1: expected NAME=value, a comment or an empty line");
    CHECK_STR(parse("\n1A=1"), ".env:2: expected NAME=value, a comment or an empty line");
    CHECK_STR(parse("A-B=1"), ".env:1: there is no = behind the name");
    CHECK_STR(parse("A=1\nB=\"x\nC=2\n"), ".env:2: the double quote is never closed");
    CHECK_STR(parse("A='x"), ".env:1: the single quote is never closed");
    CHECK_STR(parse("A='x\\"), ".env:1: the single quote is never closed");
    CHECK_STR(parse("A='x' y"), ".env:1: there is text behind the closing quote");
    CHECK_STR(parse("A=\"\n\n\"y"), ".env:3: there is text behind the closing quote");
    CHECK_STR(parse_n("A=1\nB=a\0b", 9), ".env:2: a NUL byte cannot be part of a value");
    CHECK_STR(parse_n("A='a\0b'", 8), ".env:1: a NUL byte cannot be part of a value");
    CHECK_INT(e.code, ERR_CONFIG);
}

static void bound(void)
{
    size_t n = CONFIG__ENV_MAX + 1;
    char *big = xalloc(n);

    memset(big, '\n', n);
    CHECK_STR(parse_n(big, n), ".env:1: the file is larger than 1 MiB");
    CHECK_STR(parse_n(big, n - 1), "");
    free(big);
}

static void file(void)
{
    char path[] = "/tmp/maya-env-XXXXXX";
    int fd = mkstemp(path);

    CHECK(write(fd, "A=1\n", 4) == 4);
    close(fd);
    buf_clear(&seen.text);
    CHECK_INT(config_env_read(path, &sink, &e), 0);
    CHECK_STR(buf_text(&seen.text), "A=[1]@1 ");
    unlink(path);
    CHECK_INT(config_env_read(path, &sink, &e), -1);
    CHECK_INT(e.code, ERR_NOT_FOUND);
    CHECK_INT(config_env_read("/tmp", &sink, &e), -1);
    CHECK_INT(e.code, ERR_IO);
    CHECK_STR(e.msg, "cannot read /tmp: Is a directory");
    buf_release(&seen.text);
}

static const struct tap_case cases[] = {
    {"plain values", plain},         {"export", exports},
    {"comments", comments},          {"quotes and escapes", quotes},
    {"files from Windows", windows}, {"mistakes are named with their line", mistakes},
    {"size bound", bound},           {"reading a file", file},
};

TAP_MAIN(cases)
