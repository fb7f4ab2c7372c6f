/*
 * Two of HAProxy's answers: "show stat" (CSV) and "show servers state" (words). Both name their
 * columns in a first line with "# ", and later versions add columns; so columns are found by
 * name (management guide, 9.1 and 9.3).
 */
#include "gateway/gateway_int.h"

#include <string.h>

#define COLUMNS_MAX 200

struct line {
    struct str cells[COLUMNS_MAX];
    size_t count;
};

static bool next_line(struct str *rest, struct str *ret)
{
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->data, '\n', rest->len);
    size_t n = end ? (size_t)(end - rest->data) : rest->len;

    *ret = (struct str){rest->data, n};
    rest->data += n + (end != NULL);
    rest->len -= n + (end != NULL);
    return true;
}

/* A cell may be quoted, with doubled quotes inside; those stay as they are. */
static size_t cell_end(struct str s, char separator)
{
    size_t i = 0;
    bool quoted = separator == ',' && s.len && s.data[0] == '"';

    if (!quoted) {
        const char *end = s.len ? memchr(s.data, separator, s.len) : NULL;
        return end ? (size_t)(end - s.data) : s.len;
    }
    for (i = 1; i < s.len; i++) {
        if (s.data[i] != '"')
            continue;
        if (i + 1 == s.len || s.data[i + 1] != '"')
            return i + 1;
        i++;
    }
    return s.len + 1; /* it never ends */
}

static bool split(struct str s, char separator, struct line *ret)
{
    for (ret->count = 0; ret->count < COLUMNS_MAX;) {
        size_t n = cell_end(s, separator);
        if (n > s.len || (n < s.len && s.data[n] != separator))
            return false;
        ret->cells[ret->count++] = (struct str){s.data, n};
        if (n == s.len)
            return true;
        s.data += n + 1;
        s.len -= n + 1;
    }
    return false;
}

/* Where the columns are that are wanted; all of them must be there. */
static bool find_columns(const struct line *head, const char *const *names, size_t count,
                         size_t *ret)
{
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < head->count && !str_eq(head->cells[k], names[i]))
            k++;
        if (k == head->count)
            return false;
        ret[i] = k;
    }
    return true;
}

/* An empty cell, or "-", is 0. */
static bool number(struct str s, uint64_t *ret)
{
    uint64_t n = 0;

    *ret = 0;
    if (s.len == 0 || str_eq(s, "-"))
        return true;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(unsigned char)s.data[i] - '0';
        if (digit > 9 || n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *ret = n;
    return true;
}

static int not_an_answer(struct err *e, const char *command, unsigned line)
{
    return err_set(e, ERR_INVALID, 0,
                   "line %u of the gateway's answer to '%s' is not as it must "
                   "be",
                   line, command);
}

struct table {
    const char *command;
    char separator;
    const char *const *names;
    size_t count;
    bool (*row)(const struct str *cells, void *ctx);
};

#define NAMES_MAX 24

static int read_table(struct str text, const struct table *t, void *ctx, struct err *e)
{
    size_t at[NAMES_MAX] = {0};
    struct str line, cells[NAMES_MAX];
    struct line l;
    unsigned n = 0;
    size_t columns = 0;

    MUST(t->count <= NAMES_MAX);
    while (next_line(&text, &line)) {
        n++;
        if (line.len >= 2 && line.data[0] == '#' && line.data[1] == ' ') {
            line.data += 2;
            line.len -= 2;
            if (columns || !split(line, t->separator, &l) ||
                !find_columns(&l, t->names, t->count, at))
                return not_an_answer(e, t->command, n);
            columns = l.count;
            continue;
        }
        /* An empty line ends it; before the columns "show servers state" tells its version. */
        if (line.len == 0 || (!columns && line.len == 1 && t->separator == ' '))
            continue;
        if (!columns || !split(line, t->separator, &l) || l.count != columns)
            return not_an_answer(e, t->command, n);
        for (size_t i = 0; i < t->count; i++)
            cells[i] = l.cells[at[i]];
        if (!t->row(cells, ctx))
            return not_an_answer(e, t->command, n);
    }
    return columns ? 0 : not_an_answer(e, t->command, n);
}

struct stat_reader {
    void (*fn)(void *ctx, const struct gateway_stat *s);
    void *ctx;
};

static const char *const stat_names[] = {
    "pxname",   "svname",   "status",   "check_status", "agent_status", "stot",  "req_tot",
    "hrsp_2xx", "hrsp_4xx", "hrsp_5xx", "econ",         "eresp",        "wretr", "wredis",
    "scur",     "qcur",     "weight",   "rtime",        "ttime"};

static bool stat_row(const struct str *c, void *ctx)
{
    struct stat_reader *r = ctx;
    struct gateway_stat s = {
        .backend = c[0], .server = c[1], .status = c[2], .check = c[3], .agent = c[4]};
    uint64_t sessions = 0, asked = 0;
    uint64_t *const to[] = {&sessions,          &asked,           &s.ok,
                            &s.client_errors,   &s.server_errors, &s.connect_errors,
                            &s.response_errors, &s.retries,       &s.redispatches,
                            &s.current,         &s.queued,        &s.weight,
                            &s.first_byte_ms,   &s.total_ms};

    if (s.backend.len == 0 || s.server.len == 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(to); i++)
        if (!number(c[5 + i], to[i]))
            return false;
    s.requests = asked ? asked : sessions;
    r->fn(r->ctx, &s);
    return true;
}

int gateway_read_stat(struct str csv, void (*fn)(void *ctx, const struct gateway_stat *s),
                      void *ctx, struct err *e)
{
    static const struct table table = {"show stat", ',', stat_names, ARRAY_LEN(stat_names),
                                       stat_row};
    struct stat_reader r = {fn, ctx};

    return read_table(csv, &table, &r, e);
}

struct slot_reader {
    void (*fn)(void *ctx, const struct gateway_slot *s);
    void *ctx;
};

static const char *const slot_names[] = {"be_name",      "srv_name",       "srv_addr",
                                         "srv_port",     "srv_agent_port", "srv_uweight",
                                         "srv_op_state", "srv_admin_state"};

/* SRV_ADMF_* of HAProxy's server.h: forced, inherited or tracked maintenance; draining. */
#define ADMIN_MAINT 0x23
#define ADMIN_DRAIN 0x18

static bool slot_row(const struct str *c, void *ctx)
{
    struct slot_reader *r = ctx;
    struct gateway_slot s = {.backend = c[0], .server = c[1], .address = c[2]};
    uint64_t running, admin;

    if (s.backend.len == 0 || s.server.len == 0 || !number(c[3], &s.port) ||
        !number(c[4], &s.agent_port) || !number(c[5], &s.weight) || !number(c[6], &running) ||
        !number(c[7], &admin))
        return false;
    s.up = running >= 2; /* 0 stopped, 1 starting, 2 running, 3 stopping softly */
    s.state = admin & ADMIN_MAINT   ? GATEWAY_MAINT
              : admin & ADMIN_DRAIN ? GATEWAY_DRAIN
                                    : GATEWAY_READY;
    r->fn(r->ctx, &s);
    return true;
}

int gateway_read_slots(struct str text, void (*fn)(void *ctx, const struct gateway_slot *s),
                       void *ctx, struct err *e)
{
    static const struct table table = {"show servers state", ' ', slot_names,
                                       ARRAY_LEN(slot_names), slot_row};
    struct slot_reader r = {fn, ctx};

    return read_table(text, &table, &r, e);
}
