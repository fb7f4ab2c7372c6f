/*
 * The house mind against whole conversations: every sentence of test/data/house/, with the
 * order, tip and balance that a customer would expect after it. The format of those files is
 * told in test/data/house/README.
 */
#include "mind/house.c"

#include "unit/mind/evening.h"
#include "unit/tap.h"

#include <dirent.h>
#include <regex.h>

struct expected {
    char order[600];
    int64_t tip, paid;
};

static struct evening v;
static int sentences, missed, files;

/* The order as the corpus writes it: "2 Negroni, 1 Martini (dry, dirty)". */
static void order_text(const struct bar_tab *t, char *ret, size_t size)
{
    size_t n = 0;

    ret[0] = '\0';
    for (int i = 0; i < t->line_count && n < size; i++)
        n += (size_t)snprintf(ret + n, size - n, "%s%d %s%s%s%s", i ? ", " : "",
                              (int)t->lines[i].quantity, t->lines[i].name,
                              t->lines[i].modifiers[0] ? " (" : "", t->lines[i].modifiers,
                              t->lines[i].modifiers[0] ? ")" : "");
    if (!ret[0])
        str_copy(ret, size, "-");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Lines may stand in any order: split at ", " outside brackets and sort. */
static void sorted(char *s, char *out, size_t size)
{
    const char *parts[BAR_LINES_MAX];
    size_t n = 0, used = 0;
    int depth = 0;

    for (char *p = s, *start = s;; p++) {
        depth += (*p == '(') - (*p == ')');
        if ((*p == ',' && depth == 0) || !*p) {
            bool end = !*p;

            *p = '\0';
            if (n < BAR_LINES_MAX)
                parts[n++] = start + strspn(start, " ");
            start = p + 1;
            if (end)
                break;
        }
    }
    qsort(parts, n, sizeof(parts[0]), by_text);
    out[0] = '\0';
    for (size_t i = 0; i < n && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", parts[i]);
}

static bool matches(const char *pattern, const char *text)
{
    regex_t re;
    bool ok;

    if (regcomp(&re, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0)
        return false;
    ok = regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return ok;
}

static int64_t cents(const char *s)
{
    double d = 0;

    CHECK(str_to_double(s, &d));
    return (int64_t)(d * 100 + 0.5);
}

static void miss(const char *file, int line, const char *said, const char *what,
                 const char *got, const char *want)
{
    printf("# %s:%d: \"%s\": %s is \"%s\", wanted \"%s\"; she said \"%s\"\n", file, line, said,
           what, got, want, buf_text(&v.reply));
    tap_failures++;
}

/* One column of what is expected: into *x, or checked at once when it is about the reply. */
static void read_column(const char *file, int line, const char *said, struct expected *x,
                        char *col)
{
    size_t n = strlen(col);

    if (strncmp(col, "tip ", 4) == 0) {
        x->tip = cents(col + 4);
    } else if (strncmp(col, "paid ", 5) == 0) {
        x->paid = cents(col + 5);
    } else if ((col[0] == '/' || (col[0] == '!' && col[1] == '/')) && n > 2) {
        bool not = col[0] == '!';

        col[n - 1] = '\0';
        if (matches(col + 1 + not, buf_text(&v.reply)) == not )
            miss(file, line, said, not ? "reply (must not match)" : "reply", buf_text(&v.reply),
                 col + 1 + not );
    } else if (strcmp(col, "=") != 0 && n) {
        str_copy(x->order, sizeof(x->order), col);
    }
}

static void check_all(const char *file, int line, const char *said, struct expected *x,
                      char *columns)
{
    char got[600], a[700], b[700], text[64], want_text[64];
    int before = tap_failures;

    for (char *col = columns, *next; col; col = next) {
        size_t n;

        next = strstr(col, " | ");
        if (next) {
            *next = '\0';
            next += 3;
        }
        col += strspn(col, " ");
        n = strlen(col);
        while (n && col[n - 1] == ' ')
            col[--n] = '\0';
        read_column(file, line, said, x, col);
    }
    order_text(&v.tab, got, sizeof(got));
    sorted(got, a, sizeof(a));
    str_copy(got, sizeof(got), x->order);
    sorted(got, b, sizeof(b));
    if (strcmp(a, b) != 0) {
        miss(file, line, said, "order", a, b);
        str_copy(x->order, sizeof(x->order), a); /* one slip is not told twice */
    }
    bar_money(bar_tip_cents(&v.tab), text);
    bar_money(x->tip, want_text);
    if (strcmp(text, want_text) != 0)
        miss(file, line, said, "tip", text, want_text);
    bar_money(bar_balance_cents(&v.tab), text);
    bar_money(BAR_START_CENTS - x->paid - bar_tab_cents(&v.tab), want_text);
    if (strcmp(text, want_text) != 0)
        miss(file, line, said, "balance", text, want_text);
    if (v.dones != 1 || v.fails != 0 || v.reply.len == 0)
        miss(file, line, said, "end", "no answer", "done");
    if (utf8_valid_prefix(buf_text(&v.reply), v.reply.len) != v.reply.len ||
        strpbrk(buf_text(&v.reply), "{}"))
        miss(file, line, said, "reply", buf_text(&v.reply), "clean text");
    sentences++;
    missed += tap_failures != before;
}

static void run_file(const char *path)
{
    FILE *f = fopen(path, "r");
    char line[2000];
    int number = 0;
    struct expected x = {.order = "-"};

    CHECK(f != NULL);
    if (!f)
        return;
    while (fgets(line, sizeof(line), f)) {
        char *columns;

        number++;
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "==", 2) == 0) {
            evening_next_guest(&v);
            x = (struct expected){.order = "-"};
        }
        if (line[0] != '>')
            continue;
        columns = strstr(line, " | ");
        if (columns) {
            *columns = '\0';
            columns += 3;
        }
        evening_say(&v, line + 2, strlen(line + 2));
        if (getenv("HOUSE_SHOW"))
            printf("# %s\n#     %s\n", line + 2, buf_text(&v.reply));
        check_all(path, number, line + 2, &x, columns);
    }
    fclose(f);
    files++;
}

static void test_conversations(void)
{
    DIR *d;
    struct dirent *entry;

    CHECK_INT(evening_open(&v, 1), 0);
    if (!v.mind)
        return;
    d = opendir("test/data/house");
    CHECK(d != NULL);
    while (d && (entry = readdir(d))) {
        char path[400];
        size_t n = strlen(entry->d_name);

        if (n < 4 || strcmp(entry->d_name + n - 4, ".txt") != 0)
            continue;
        snprintf(path, sizeof(path), "test/data/house/%s", entry->d_name);
        run_file(path);
    }
    if (d)
        closedir(d);
    printf("# %d sentences in %d files, %d missed\n", sentences, files, missed);
    CHECK(files > 0);
    evening_close(&v);
}

static const struct tap_case cases[] = {
    {"conversations", test_conversations},
};
TAP_MAIN(cases)
