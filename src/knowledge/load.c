/* The documents of a folder, read once and checked: every complaint has file and line. */
#include "base/alloc.h"
#include "knowledge/knowledge_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct names {
    char **at;
    size_t count;
};

struct loading {
    struct knowledge *k;
    uint32_t source, title, heading; /* of the passage before: most share them */
    bool same;
};

uint32_t knowledge__keep(struct knowledge *k, struct str s)
{
    uint32_t at = (uint32_t)k->texts.len;

    buf_add(&k->texts, s.data, s.len);
    buf_add(&k->texts, "", 1);
    if (k->texts.full)
        alloc_die(k->texts.cap);
    return at;
}

/* The one that was kept last when it is the same text again. */
static uint32_t keep_once(struct loading *l, uint32_t last, struct str s)
{
    const char *old = l->same ? l->k->texts.data + last : NULL;

    return old && str_eq(s, old) ? last : knowledge__keep(l->k, s);
}

static void on_passage(void *ctx, const struct split_passage *p)
{
    struct loading *l = ctx;
    struct knowledge *k = l->k;

    if (k->count > KNOWLEDGE_PASSAGES_MAX)
        return; /* load_file() complains */
    if (k->count == k->cap) {
        k->cap = k->cap ? k->cap * 2 : 64;
        k->passages = xrealloc(k->passages, k->cap * sizeof(*k->passages));
    }
    l->title = keep_once(l, l->title, p->title);
    l->heading = keep_once(l, l->heading, p->heading);
    l->same = true;
    k->passages[k->count++] = (struct passage){
        .source = l->source,
        .title = l->title,
        .heading = l->heading,
        .text = knowledge__keep(k, p->text),
        .len = (uint32_t)p->text.len,
        .line = p->line,
    };
}

static int check_text(const char *file, struct str text, struct err *e)
{
    size_t good = utf8_valid_prefix(text.data, text.len);
    const char *nul = text.len ? memchr(text.data, '\0', text.len) : NULL;
    unsigned line = 1;

    if (text.len == 0 || text.len > KNOWLEDGE_FILE_MAX)
        return err_set(e, ERR_AGENT, 0, "%s:1: a document has 1 to %zu bytes", file,
                       KNOWLEDGE_FILE_MAX);
    if (nul && (size_t)(nul - text.data) < good)
        good = (size_t)(nul - text.data);
    if (good == text.len)
        return 0;
    for (size_t i = 0; i < good; i++)
        line += text.data[i] == '\n';
    return err_set(e, ERR_AGENT, 0, "%s:%u: not UTF-8 text", file, line);
}

/* At most one byte more than a document may have. -1: errno is what went wrong. */
static ssize_t read_all(int fd, char *to)
{
    size_t len = 0;
    ssize_t n;

    do {
        n = read(fd, to + len, KNOWLEDGE_FILE_MAX + 1 - len);
        if (n > 0)
            len += (size_t)n;
    } while (n > 0 || (n < 0 && errno == EINTR));
    return n < 0 ? -1 : (ssize_t)len;
}

/* `room` has KNOWLEDGE_FILE_MAX + 1 bytes. */
static int read_file(const char *file, char *room, struct str *ret, struct err *e)
{
    /* Not to wait for whoever may write into a named pipe. */
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0)
        return err_set(e, ERR_AGENT, errno, "open '%s'", file);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(e, ERR_AGENT, 0, "%s:1: not a file; a document is one", file);
    }
    ssize_t n = read_all(fd, room);
    int sys = errno;
    close(fd);
    if (n < 0)
        return err_set(e, ERR_AGENT, sys, "read '%s'", file);
    *ret = (struct str){room, (size_t)n};
    return check_text(file, *ret, e);
}

static int load_file(struct knowledge *k, const char *path, const char *name, char *room,
                     size_t *bytes, struct err *e)
{
    char *file = xprintf("%s/%s", path, name);
    struct str text = {0};
    int rc = read_file(file, room, &text, e);

    if (rc == 0 && (*bytes += text.len) > KNOWLEDGE_BYTES_MAX)
        rc = err_set(e, ERR_AGENT, 0,
                     "%s:1: with it the documents of this folder are over %zu bytes, which is "
                     "the most they may have together",
                     file, KNOWLEDGE_BYTES_MAX);
    if (rc == 0) {
        struct loading l = {.k = k, .source = knowledge__keep(k, str_of(name))};
        knowledge__split(name, text, on_passage, &l);
        k->documents++;
        if (k->count > KNOWLEDGE_PASSAGES_MAX)
            rc = err_set(e, ERR_AGENT, 0,
                         "%s:1: with it the documents of this folder have over %d passages; "
                         "put short paragraphs together",
                         file, KNOWLEDGE_PASSAGES_MAX);
    }
    free(file);
    return rc;
}

static bool is_document(const char *name)
{
    const char *dot = strrchr(name, '.');

    return name[0] != '.' && dot && (strcmp(dot, ".md") == 0 || strcmp(dot, ".txt") == 0);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list(const char *path, struct names *ret, struct err *e)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    if (!dir)
        return errno == ENOENT ? 0 : err_set(e, ERR_AGENT, errno, "open '%s'", path);
    while ((entry = readdir(dir))) {
        const char *name = entry->d_name;
        if (!is_document(name))
            continue;
        if (ret->count == KNOWLEDGE_FILES_MAX ||
            utf8_valid_prefix(name, strlen(name)) != strlen(name)) {
            bool many = ret->count == KNOWLEDGE_FILES_MAX;
            closedir(dir);
            if (many)
                return err_set(e, ERR_AGENT, 0, "'%s' has over %d documents", path,
                               KNOWLEDGE_FILES_MAX);
            return err_set(e, ERR_AGENT, 0, "%s: the name of a document is not UTF-8", path);
        }
        ret->at = xrealloc(ret->at, (ret->count + 1) * sizeof(*ret->at));
        ret->at[ret->count++] = xstrdup(name);
    }
    closedir(dir);
    if (ret->count)
        qsort(ret->at, ret->count, sizeof(*ret->at), by_name); /* the same every time */
    return 0;
}

/* They do not grow any more. */
static void shrink(struct knowledge *k)
{
    void *p = k->count ? realloc(k->passages, k->count * sizeof(*k->passages)) : NULL;

    if (p) {
        k->passages = p;
        k->cap = k->count;
    }
    p = k->texts.len ? realloc(k->texts.data, k->texts.len + 1) : NULL;
    if (p) {
        k->texts.data = p;
        k->texts.cap = k->texts.len + 1;
    }
}

/* What is never found takes no memory. */
static void forget_passages(struct knowledge *k)
{
    buf_release(&k->texts);
    free(k->passages);
    k->passages = NULL;
    k->count = k->cap = 0;
}

int knowledge_load(const char *folder, bool search, struct knowledge **ret, struct err *e)
{
    struct knowledge *k = xalloc(sizeof(*k));
    char *path = xprintf("%s/knowledge", folder);
    char *room = xalloc(KNOWLEDGE_FILE_MAX + 1);
    struct names names = {0};
    size_t bytes = 0;
    int rc = list(path, &names, e);

    for (size_t i = 0; rc == 0 && i < names.count; i++)
        rc = load_file(k, path, names.at[i], room, &bytes, e);
    for (size_t i = 0; i < names.count; i++)
        free(names.at[i]);
    free(names.at);
    free(room);
    free(path);
    if (rc < 0) {
        knowledge_free(&k);
        return -1;
    }
    if (search && k->count && knowledge__index(k) < 0)
        knowledge__index_close(k);
    if (k->find)
        shrink(k);
    else
        forget_passages(k);
    *ret = k;
    return 0;
}

void knowledge_free(struct knowledge **k)
{
    if (!*k)
        return;
    knowledge__index_close(*k);
    forget_passages(*k);
    free(*k);
    *k = NULL;
}

const char *knowledge_problem(const struct knowledge *k)
{
    return k->problem[0] ? k->problem : NULL;
}
