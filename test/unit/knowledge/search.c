/* Folders of documents, loaded and searched. */
#include "knowledge/search.c"

#include "unit/tap.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static struct budget budget;
static struct region room;

static void begin(void)
{
    char path[96];

    strcpy(folder, "/tmp/knowledge-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/knowledge", folder);
    CHECK_INT(mkdir(path, 0700), 0);
    budget_init(&budget, 0, NULL);
    region_init(&room, &budget, 0);
}

static void end(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -r '%s'", folder);
    CHECK_INT(system(command), 0);
    region_release(&room);
}

static void put_bytes(const char *name, const char *data, size_t len)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/knowledge/%s", folder, name);
    FILE *f = fopen(path, "w");
    CHECK(f && fwrite(data, 1, len, f) == len);
    if (f)
        fclose(f);
}

static void put(const char *name, const char *text)
{
    put_bytes(name, text, strlen(text));
}

static struct knowledge *load(void)
{
    struct knowledge *k = NULL;
    struct err e = {0};

    CHECK_INT(knowledge_load(folder, true, &k, &e), 0);
    if (!k) {
        printf("# %s\n", e.msg);
        exit(1);
    }
    CHECK(knowledge_problem(k) == NULL);
    return k;
}

/* The sources that are found, "a.md:1 b.md:2". */
static const char *ask_with(struct knowledge *k, const char *text, size_t max)
{
    static char found[512];
    const struct knowledge_question q = {str_of(text), {0}, "Maya"};
    const struct knowledge_passage *p;
    size_t n, bytes = 0, len = 0;
    enum knowledge_outcome o = knowledge_search(k, &q, max, &room, &p, &n);

    CHECK_INT(o, n ? KNOWLEDGE_FOUND : KNOWLEDGE_NOTHING);
    found[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        bytes += p[i].text.len + strlen(p[i].title) + strlen(p[i].heading);
        CHECK(p[i].match >= MATCH_MIN && p[i].match <= 1);
        CHECK(p[i].at < p[i].text.len);
        len += (size_t)snprintf(found + len, sizeof(found) - len, "%s%s:%u", i ? " " : "",
                                p[i].source, p[i].line);
    }
    CHECK(bytes <= max);
    return found;
}

static const char *ask(struct knowledge *k, const char *text)
{
    return ask_with(k, text, 4096);
}

static void bar(void)
{
    begin();
    put("bar.md",
        "# The Lantern\n\nA bar by the harbour.\n\n## The bartender\n\nMaya came with "
        "the ice. She keeps a parrot.\n");
    put("hours.md", "# Hours\n\nIt opens at five. On sunday it closes at ten.\n");
    put("rules.txt", "Nobody whistles at the counter. Parrots may.\n");
    put("wein.md", "# Öffnung\n\nDas Café öffnet um fünf.\n");
    put("zh.md", "# 酒吧\n\n营业时间是下午五点到凌晨一点。\n");
    put("ignored.pdf", "not read");
}

static void test_finds(void)
{
    bar();
    struct knowledge *k = load();
    struct knowledge_stats s;

    knowledge_stats(k, &s);
    CHECK_INT(s.documents, 5);
    CHECK_INT(s.passages, 6);
    CHECK(s.available && s.in_sqlite > 0 && s.bytes > s.in_sqlite);
    CHECK_STR(ask(k, "who is the bartender?"), "bar.md:7");
    CHECK_STR(ask(k, "who are you?"), "bar.md:7");
    CHECK_STR(ask(k, "parrot"), "bar.md:7 rules.txt:1");
    CHECK_STR(ask(k, "When does it open?"), "hours.md:3");
    CHECK_STR(ask(k, "CAFE"), "wein.md:3");
    CHECK_STR(ask(k, "营业时间?"), "zh.md:3");
    CHECK_STR(ask(k, "what is the capital of France?"), "");
    CHECK_STR(ask(k, "is there a harbour in Rotterdam with many museums?"), "");
    CHECK_STR(ask(k, "\" OR * NEAR("), "");
    CHECK_STR(ask(k, "hello"), "");
    knowledge_free(&k);
    end();
}

static void test_where_it_is_said(void)
{
    bar();
    struct knowledge *k = load();
    const struct knowledge_question q = {str_of("When does it close on a sunday?"), {0}, NULL};
    const struct knowledge_passage *p;
    size_t n;

    CHECK_INT(knowledge_search(k, &q, 4096, &room, &p, &n), KNOWLEDGE_FOUND);
    CHECK_INT(n, 1);
    CHECK_STR(p->title, "Hours");
    CHECK_STR(p->heading, "");
    CHECK_STR(p->text.data + p->at, "On sunday it closes at ten.");
    knowledge_free(&k);
    end();
}

static void test_budget(void)
{
    bar();
    struct knowledge *k = load();

    /* "Nobody ... may." has 44 bytes and its title 5. */
    CHECK_STR(ask_with(k, "parrot", 49), "rules.txt:1");
    CHECK_STR(ask_with(k, "parrot", 48), "");
    knowledge_free(&k);
    end();
}

static void test_memory_refused(void)
{
    bar();
    struct knowledge *k = load();
    const struct knowledge_question q = {str_of("parrot"), {0}, NULL};
    const struct knowledge_passage *p;
    size_t n;

    region_release(&room);
    budget.limit = 64;
    CHECK_INT(knowledge_search(k, &q, 4096, &room, &p, &n), KNOWLEDGE_FAILED);
    CHECK(!p && n == 0);
    budget.limit = 0;
    CHECK_STR(ask(k, "parrot"), "bar.md:7 rules.txt:1");
    knowledge_free(&k);
    end();
}

static void test_off_or_nothing_there(void)
{
    struct knowledge *k = NULL;
    struct knowledge_stats s;
    struct err e;
    char path[96];

    bar();
    CHECK_INT(knowledge_load(folder, false, &k, &e), 0);
    knowledge_stats(k, &s);
    CHECK(!s.available && s.documents == 5 && s.in_sqlite == 0);
    CHECK_STR(ask(k, "parrot"), "");
    knowledge_free(&k);
    end();

    begin();
    k = load();
    CHECK_STR(ask(k, "parrot"), "");
    knowledge_free(&k);
    snprintf(path, sizeof(path), "%s/knowledge", folder);
    CHECK_INT(rmdir(path), 0);
    k = load();
    knowledge_stats(k, &s);
    CHECK(!s.available && s.documents == 0);
    knowledge_free(&k);
    end();
}

static void refused(const char *says)
{
    struct knowledge *k = NULL;
    struct err e = {0};

    CHECK_INT(knowledge_load(folder, true, &k, &e), -1);
    CHECK(!k);
    CHECK_INT(e.code, ERR_AGENT);
    if (!strstr(e.msg, says)) {
        printf("# \"%s\" does not say \"%s\"\n", e.msg, says);
        tap_failures++;
    }
    end();
}

static void test_complaints(void)
{
    char path[160], name[32];
    static char large[KNOWLEDGE_FILE_MAX + 1];

    begin();
    put("a.md", "");
    refused("knowledge/a.md:1: a document has 1 to 1048576 bytes");
    begin();
    memset(large, 'x', sizeof(large));
    put_bytes("a.txt", large, sizeof(large));
    refused("knowledge/a.txt:1: a document has 1 to 1048576 bytes");
    begin();
    put("a.md", "one\ntwo\n\xff");
    refused("knowledge/a.md:3: not UTF-8 text");
    begin();
    put_bytes("a.md", "one\n\0two\xff", 9);
    refused("knowledge/a.md:2: not UTF-8 text");
    begin();
    snprintf(path, sizeof(path), "%s/knowledge/sub.md", folder);
    CHECK_INT(mkdir(path, 0700), 0);
    refused("knowledge/sub.md:1: not a file");
    begin();
    snprintf(path, sizeof(path), "%s/knowledge/pipe.md", folder);
    CHECK_INT(mkfifo(path, 0600), 0);
    refused("knowledge/pipe.md:1: not a file");
    begin();
    snprintf(path, sizeof(path), "%s/knowledge/gone.md", folder);
    CHECK_INT(symlink("nowhere", path), 0);
    refused("gone.md");
    begin();
    for (int i = 0; i < 9; i++) {
        snprintf(name, sizeof(name), "%d.txt", i);
        put_bytes(name, large, KNOWLEDGE_FILE_MAX);
    }
    refused("knowledge/8.txt:1: with it the documents of this folder are over 8388608 bytes");
    begin();
    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = "#\nx\n"[i % 4];
    put_bytes("many.md", large, KNOWLEDGE_FILE_MAX);
    refused(
        "knowledge/many.md:1: with it the documents of this folder have over 32768 passages");
}

/* A word in all of very many passages: it is looked for where nothing else is asked. */
static void test_common_words(void)
{
    struct buf text = BUF_INIT;

    begin();
    for (int i = 0; i < 8000; i++)
        buf_printf(&text, "# H%d\n\ncommon other words rare%d\n\n", i, i);
    put("a.md", buf_text(&text));
    struct knowledge *k = load();
    struct query_term t = {6, false, "common"}, u = {9, false, "rare42zzz"};
    CHECK_INT(knowledge__cost(k, &t), 8000);
    CHECK_INT(knowledge__cost(k, &u), COMMON_ROWS);
    CHECK_STR(ask(k, "common rare77"), "a.md:311");
    CHECK(*ask(k, "common"));
    knowledge_free(&k);
    buf_release(&text);
    end();
}

/* Every allocation of SQLite's fails in turn: nothing is found, or the same as ever. */
static sqlite3_mem_methods real;
static long fail_at, failed;

static void *failing_malloc(int n)
{
    if (fail_at > 0 && --fail_at == 0) {
        failed++;
        return NULL;
    }
    return real.xMalloc(n);
}

static void *failing_realloc(void *p, int n)
{
    if (fail_at > 0 && --fail_at == 0) {
        failed++;
        return NULL;
    }
    return real.xRealloc(p, n);
}

static void test_sqlite_without_memory(void)
{
    const struct knowledge_question q = {str_of("parrot at the counter"), {0}, NULL};
    const struct knowledge_passage *p;
    size_t n;

    bar();
    struct knowledge *k = load();
    for (long at = 1;; at++) {
        failed = 0;
        fail_at = at;
        enum knowledge_outcome o = knowledge_search(k, &q, 4096, &room, &p, &n);
        fail_at = 0;
        CHECK(o == KNOWLEDGE_FOUND || (o == KNOWLEDGE_FAILED && failed && n == 0));
        CHECK_STR(ask(k, "who is the bartender?"), "bar.md:7");
        if (!failed) {
            CHECK_INT(o, KNOWLEDGE_FOUND);
            CHECK(at > 3);
            break;
        }
    }
    knowledge_free(&k);
    for (long at = 1;; at++) {
        struct err e;
        failed = 0;
        fail_at = at;
        CHECK_INT(knowledge_load(folder, true, &k, &e), 0);
        fail_at = 0;
        CHECK(!failed || knowledge_problem(k) || *ask(k, "parrot"));
        if (knowledge_problem(k))
            CHECK_STR(ask(k, "parrot"), "");
        knowledge_free(&k);
        if (!failed)
            break;
    }
    end();
}

static const struct tap_case cases[] = {
    {"what bears on a question is found, and nothing else", test_finds},
    {"the sentence that has most of it", test_where_it_is_said},
    {"the budget of bytes", test_budget},
    {"a session without room gets nothing", test_memory_refused},
    {"off, an empty folder, no folder", test_off_or_nothing_there},
    {"complaints name the file", test_complaints},
    {"common words cost no more than is allowed", test_common_words},
    {"memory refused to SQLite", test_sqlite_without_memory},
};

int main(void)
{
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
    sqlite3_mem_methods mine = real;
    mine.xMalloc = failing_malloc;
    mine.xRealloc = failing_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &mine);
    return tap_run(cases, (int)(sizeof(cases) / sizeof(cases[0])));
}
