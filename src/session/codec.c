/*
 * The durable form of a session, before sealing: "MS", a version byte, then fields (wire.h).
 * A reader knows its own version and every older one; a newer one is refused politely. A tag
 * that a version does not know means corruption, because a new tag means a new version: here,
 * and inside the agent's state, whose form belongs to this version too.
 */
#include "session/session.h"

#include "base/wire.h"
#include "session/session_int.h"

#include <string.h>

#ifndef FORMAT_VERSION /* test/test.mk makes a build that is ahead of this one */
#define FORMAT_VERSION 3
#endif

/* Never renumber: these are in people's stores. */
enum tag {
    TAG_CREATED = 1,
    TAG_TURNS = 2,
    TAG_FOLDED = 3,
    TAG_GEMINI = 4,
    TAG_CARTESIA = 5,
    TAG_AGENT = 6,
    TAG_PERSON = 7,
    TAG_ASSISTANT = 8,
    TAG_REPLAY = 9,
    TAG_SUMMARY = 10,
    TAG_MARKED = 11, /* an assistant's message behind the byte of its mark */
};

/* The last tag that each version knows; they were given out in order. */
static const uint8_t last_tag[] = {
    [1] = TAG_REPLAY,
    [2] = TAG_SUMMARY,
    [3] = TAG_MARKED,
};

static void encode_replay(const struct session_replay *r, struct buf *out)
{
    size_t place = wire_open_field(out, TAG_REPLAY);

    buf_add(out, r->key, 16);
    buf_add(out, r->body, 16);
    wire_put_uint(out, r->turn);
    wire_put_uint(out, r->messages);
    buf_add(out, r->tail, r->tail_len);
    wire_close_field(out, place);
}

static void encode_message(const struct session_message *m, struct buf *out)
{
    if (!m->mark) {
        wire_put_field(out, m->from_person ? TAG_PERSON : TAG_ASSISTANT, m->text, m->len);
        return;
    }
    buf_char(out, TAG_MARKED);
    wire_put_uint(out, (uint64_t)m->len + 1);
    buf_char(out, (char)m->mark);
    buf_add(out, m->text, m->len);
}

void session_encode(const struct session *s, struct buf *out)
{
    size_t place;

    buf_str(out, "MS");
    buf_char(out, FORMAT_VERSION);
    wire_put_int_field(out, TAG_CREATED, s->created_s);
    wire_put_uint_field(out, TAG_TURNS, s->turns);
    if (s->folded_count)
        wire_put_uint_field(out, TAG_FOLDED, s->folded_count);
    if (s->summary_len)
        wire_put_field(out, TAG_SUMMARY, s->summary, s->summary_len);
    if (s->gemini)
        wire_put_field(out, TAG_GEMINI, s->gemini->data, s->gemini->len);
    if (s->cartesia)
        wire_put_field(out, TAG_CARTESIA, s->cartesia->data, s->cartesia->len);
    place = wire_open_field(out, TAG_AGENT);
    s->table->cfg.state_ops->encode(s->agent, out);
    wire_close_field(out, place);
    for (const struct session_message *m = s->first; m; m = m->next)
        encode_message(m, out);
    for (int i = 0; s->replays && i < SESSION_REPLAYS; i++)
        if (s->replays[i].turn)
            encode_replay(&s->replays[i], out);
}

static int no_room(const struct session *s, struct err *e)
{
    return err_set(e, ERR_SESSION_MEMORY, 0,
                   "what is stored of this session does not fit its budget of %zu bytes",
                   s->budget.limit);
}

static int decode_replay(struct session *s, struct str field, struct err *e)
{
    struct wire w = wire_read(field.data, field.len);
    struct str key = wire_bytes(&w, 16), body = wire_bytes(&w, 16);
    uint64_t turn = wire_uint(&w), messages = wire_uint(&w);
    uint32_t turns = s->turns;

    if (w.bad || turn == 0 || turn > UINT32_MAX || messages > UINT32_MAX)
        return err_set(e, ERR_CORRUPT, 0, "a stored answer cannot be read");
    s->turns = (uint32_t)turn;
    struct str tail = {(const char *)w.at, (size_t)(w.end - w.at)};
    if (!session_replay_keep(s, (const uint8_t *)key.data, (const uint8_t *)body.data, tail))
        return no_room(s, e);
    s->turns = turns;
    for (int i = 0; i < SESSION_REPLAYS; i++)
        if (s->replays[i].turn == turn)
            s->replays[i].messages = (uint32_t)messages;
    return 0;
}

static int decode_summary(struct session *s, struct str f, struct err *e)
{
    if (s->summary || f.len == 0 || f.len > SESSION_SUMMARY_MAX ||
        utf8_valid_prefix(f.data, f.len) != f.len)
        return err_set(e, ERR_CORRUPT, 0, "a stored summary cannot be read");
    s->summary = region_dup(&s->region, f.data, f.len);
    if (!s->summary)
        return no_room(s, e);
    s->summary_len = (uint32_t)f.len;
    return 0;
}

static int decode_message(struct session *s, uint8_t tag, struct str f, struct err *e)
{
    uint8_t mark = 0;

    if (tag == TAG_MARKED) {
        mark = f.len ? (uint8_t)f.data[0] : 0;
        if (mark == 0 || mark > SESSION_MARK_MAX)
            return err_set(e, ERR_CORRUPT, 0, "a stored message has no mark that can be read");
        f = (struct str){f.data + 1, f.len - 1};
    }
    if (utf8_valid_prefix(f.data, f.len) != f.len)
        return err_set(e, ERR_CORRUPT, 0, "a stored message is not UTF-8");
    struct session_message *m = session__append(s, tag == TAG_PERSON, f);
    if (!m)
        return no_room(s, e);
    m->mark = mark & SESSION_MARK_MAX;
    return 0;
}

static int decode_field(struct session *s, uint8_t tag, struct str f, struct err *e)
{
    bool bad = false;

    switch (tag) {
    case TAG_CREATED:
        s->created_s = wire_whole_int(f, &bad);
        break;
    case TAG_TURNS:
        s->turns = (uint32_t)wire_whole_uint(f, &bad);
        break;
    case TAG_FOLDED:
        s->folded_count = (uint32_t)wire_whole_uint(f, &bad);
        break;
    case TAG_GEMINI:
        s->gemini = session__secret(s, f.data, f.len);
        return s->gemini ? 0 : no_room(s, e);
    case TAG_CARTESIA:
        s->cartesia = session__secret(s, f.data, f.len);
        return s->cartesia ? 0 : no_room(s, e);
    case TAG_AGENT:
        s->agent = s->table->cfg.state_ops->decode(&s->region, f.data, f.len, e);
        return s->agent ? 0 : -1;
    case TAG_PERSON:
    case TAG_ASSISTANT:
    case TAG_MARKED:
        return decode_message(s, tag, f, e);
    case TAG_REPLAY:
        return decode_replay(s, f, e);
    case TAG_SUMMARY:
        return decode_summary(s, f, e);
    default:
        MUST(!"a tag of the table that nothing reads");
    }
    return bad ? err_set(e, ERR_CORRUPT, 0, "field %u of a stored session is not a number", tag)
               : 0;
}

static int check_head(const uint8_t *bytes, size_t len, struct err *e)
{
    if (len < 3 || memcmp(bytes, "MS", 2) != 0 || bytes[2] == 0)
        return err_set(e, ERR_CORRUPT, 0, "what is stored is not a session");
    if (bytes[2] > FORMAT_VERSION)
        return err_set(
            e, ERR_NEWER, 0,
            "this session has format %u, this build reads up to %d; use a newer build",
            bytes[2], FORMAT_VERSION);
    return 0;
}

int session_decode(struct session *s, const void *data, size_t len, struct err *e)
{
    const uint8_t *bytes = data;
    struct str field;
    uint8_t tag;

    if (check_head(bytes, len, e) < 0)
        return -1;
    unsigned version = bytes[2], newest = ARRAY_LEN(last_tag) - 1;
    unsigned known = version < newest ? version : newest;
    struct wire w = wire_read(bytes + 3, len - 3);
    while (wire_field(&w, &tag, &field)) {
        if (tag == 0 || tag > last_tag[known])
            return err_set(e, ERR_CORRUPT, 0, "unknown field %u in a session of format %u", tag,
                           version);
        if (decode_field(s, tag, field, e) < 0)
            return -1;
    }
    if (w.bad)
        return err_set(e, ERR_CORRUPT, 0, "a stored session is cut short");
    if (!s->agent)
        return err_set(e, ERR_CORRUPT, 0, "a stored session has no agent's state");
    return 0;
}

int session__reseal_plain(struct session_table *t, const char *id, char *plain, size_t len,
                          struct err *e)
{
    struct str field;
    uint8_t tag;

    if (check_head((const uint8_t *)plain, len, e) < 0)
        return -1;
    struct wire w = wire_read(plain + 3, len - 3);
    while (wire_field(&w, &tag, &field))
        if (tag == TAG_GEMINI || tag == TAG_CARTESIA)
            session__reseal_secret(t, id, (uint8_t *)plain + (field.data - plain), field.len);
    return w.bad ? err_set(e, ERR_CORRUPT, 0, "a stored session is cut short") : 0;
}
