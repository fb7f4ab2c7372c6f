#include "memory/memory_int.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LARGEST_FILE ((size_t)4 * 1024 * 1024)

bool file__read(const char *root, const char *folder, const char *name, struct buf *out)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s%s/%s", root, folder, name);

    buf_clear(out);
    if (n < 0 || (size_t)n >= sizeof(path))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t got;
    do {
        char *to = buf_reserve(out, 4096);
        got = to ? read(fd, to, 4096) : -1;
        if (got > 0) {
            out->len += (size_t)got;
            out->data[out->len] = '\0';
        }
    } while ((got > 0 && out->len < LARGEST_FILE) || (got < 0 && errno == EINTR && !out->full));
    close(fd);
    return got == 0;
}

/* Digits at s, up to a space or the end of the line. Nothing else is a number here. */
static bool number_at(const char *s, uint64_t *ret)
{
    char *end;

    if (!isdigit((unsigned char)*s))
        return false;
    errno = 0;
    unsigned long long n = strtoull(s, &end, 10);
    if (errno || (*end && !isspace((unsigned char)*end)))
        return false;
    *ret = n;
    return true;
}

bool file__number(const char *root, const char *folder, const char *name, uint64_t *ret)
{
    struct buf text = BUF_INIT;
    bool ok = file__read(root, folder, name, &text) && number_at(buf_text(&text), ret);

    buf_release(&text);
    return ok;
}

bool text__number(const char *text, const char *key, uint64_t *ret)
{
    size_t len = strlen(key);

    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, len) != 0)
            continue;
        const char *value = line + len;
        if (*value == ':')
            value++;
        if (*value != ' ' && *value != '\t')
            continue;
        return number_at(value + strspn(value, " \t"), ret);
    }
    return false;
}
