/* What is kept of what a person said, by rule. */
#include "agent/fold_words.c"

#include "agent/fold_rule.c"

#include "unit/tap.h"

#include <stdio.h>

static struct fold_rules *rules;

/* Messages of one conversation, in order. */
static struct session_message *first, *last;
static uint32_t count;

static void say(bool person, const char *text)
{
    struct session_message *m = calloc(1, sizeof(*m) + strlen(text) + 1);

    m->from_person = person;
    m->len = (uint32_t)strlen(text);
    memcpy(m->text, text, m->len);
    if (last)
        last->next = m;
    else
        first = m;
    last = m;
    count++;
}

static void forget(void)
{
    for (struct session_message *m = first, *next; m; m = next) {
        next = m->next;
        free(m);
    }
    first = last = NULL;
    count = 0;
}

/* Fold what was said into `before`; the text, valid until the next call. */
static const char *fold_into(const char *before, size_t max)
{
    static char text[SESSION_SUMMARY_MAX + 1];
    struct buf b = BUF_INIT;

    CHECK(fold__by_rule(rules, str_of(before), first, count, max, &b));
    CHECK(b.len <= max && utf8_valid_prefix(b.data, b.len) == b.len);
    CHECK(!memchr(buf_text(&b), '\0', b.len));
    snprintf(text, sizeof(text), "%s", buf_text(&b));
    buf_release(&b);
    forget();
    return text;
}

static const struct {
    const char *said, *kept; /* NULL: nothing; "": all of it */
} sentences[] = {
    {"My name is Ana.", ""},
    {"hi, my name's Ana and i'm allergic to nuts", ""},
    {"My name is Ana, what do you have?", "My name is Ana"},
    {"Do you know what my name is?", NULL},
    {"What's my name?", NULL},
    {"Is my name on the list?", NULL},
    {"my name is not important", NULL},
    {"Name's Joe", ""},
    {"Call me Al.", ""},
    {"my friends call me Bo", ""},
    {"call me a cab please", NULL},
    {"I'm Ana.", ""},
    {"Well, I\xe2\x80\x99m Zo\xc3\xab \xf0\x9f\x98\x8a", ""},
    {"I\xe2\x80\x99m Ana, can I have a negroni please?", "I\xe2\x80\x99m Ana"},
    {"I'm ready.", NULL},
    {"im thirsty", NULL},
    {"I'm a lawyer from Boston.", ""},
    {"I'm allergic to nuts, is there any in the amaretto?", "I'm allergic to nuts"},
    {"Does it have egg because I'm allergic to eggs?", "I'm allergic to eggs"},
    {"my wife is allergic to shellfish", ""},
    {"Nut allergy here.", ""},
    {"Do you have anything for people with allergies?", NULL},
    {"I can't have dairy", ""},
    {"I don't drink", ""},
    {"I do not drink gin", ""},
    {"I don't have cash", NULL},
    {"I'm vegan", ""},
    {"I don't like gin.", ""},
    {"I love single malts", ""},
    {"I hate olives!", ""},
    {"I prefer my martini dry", ""},
    {"I love it", NULL},
    {"I'd like a negroni", NULL},
    {"I would love a martini", NULL},
    {"do I like gin?", NULL},
    {"My wife would like a martini", NULL},
    {"My wife's birthday is in May.", ""},
    {"my wife Clara loves gin", ""},
    {"It's my birthday!", ""},
    {"I have two kids", ""},
    {"I work at the hospital", ""},
    {"I live in Berlin", ""},
    {"I come from Spain", ""},
    {"two negronis please", NULL},
    {"I'll pay now", NULL},
    {"I'm just looking", NULL},
    /* somebody else's words */
    {"You said my name is Maya.", NULL},
    {"you said: \"my name is Maya and I love gin\"", NULL},
    {"She said, 'hello, my name is Bob'", NULL},
    {"\xe2\x80\x9cMy name is Maya\xe2\x80\x9d is what it says", NULL},
};

static void test_sentences(void)
{
    for (size_t i = 0; i < ARRAY_LEN(sentences); i++) {
        char want[256] = "";
        const char *kept = sentences[i].kept, *got;

        if (kept)
            snprintf(want, sizeof(want), HEADING "\n%s", *kept ? kept : sentences[i].said);
        say(true, sentences[i].said);
        got = fold_into("", 4096);
        CHECK_STR(got, want);
        if (strcmp(got, want) != 0)
            printf("# of: %s\n", sentences[i].said);
        CHECK_STR(fold_into(want, 4096), want); /* and it stays as it is */
    }
}

static void test_only_the_person(void)
{
    say(false, "My name is Maya. I love gin, and I'm allergic to bad jokes.");
    say(true, "hello");
    say(false, "You said: my name is Ana.");
    CHECK_STR(fold_into("", 4096), "");
    say(true, "Two beers. My name\n\tis   Ana. Thanks!\nI live in Ulm");
    CHECK_STR(fold_into("", 4096), HEADING "\nI live in Ulm"); /* a line is a sentence */
    say(true, "I hate\x01 \r olives\x7f a lot");
    CHECK_STR(fold_into("", 4096), HEADING "\nI hate olives a lot");
}

static void test_newest_wins_and_none_twice(void)
{
    say(true, "My name is Ana. I love gin.");
    say(true, "i LOVE  gin!");
    say(true, "Call me Annie.");
    say(true, "I love rum.");
    CHECK_STR(fold_into("", 4096), HEADING "\nMy name is Ana.\ni LOVE gin!\nCall me Annie.\n"
                                           "I love rum.");
    for (int i = 0; i < 40; i++) {
        char text[64];
        snprintf(text, sizeof(text), "I like number %d. My name is Bob%d.", i, i);
        say(true, text);
    }
    const char *got = fold_into(HEADING "\nMy name is Ana.\nI love gin.", 4096);
    CHECK(!strstr(got, "Ana") && !strstr(got, "gin"));
    CHECK(!strstr(got, "Bob37") && strstr(got, "Bob38") && strstr(got, "Bob39"));
    CHECK(!strstr(got, "number 27") && strstr(got, "number 28") && strstr(got, "number 39"));
}

/* One sentence may say two things: it stays as long as one of them is to be kept. */
static void test_several_kinds(void)
{
    say(true, "My name is Ana and I'm allergic to nuts.");
    say(true, "My name is Bea.");
    say(true, "My name is Cleo.");
    say(true, "My name is Dora.");
    CHECK_STR(fold_into("", 4096), HEADING "\nMy name is Ana and I'm allergic to nuts.\n"
                                           "My name is Cleo.\nMy name is Dora.");
}

/* Whatever a person says over the years: the name, and what would make them ill, stays. */
static void test_name_and_health_outlive_all(void)
{
    static const size_t bounds[] = {1024, 4096};
    char before[SESSION_SUMMARY_MAX + 1], text[512];

    for (size_t b = 0; b < ARRAY_LEN(bounds); b++) {
        say(true, "Good evening! My name is Ana, pleased to meet you.");
        say(true, "I'm allergic to peanuts and egg white.");
        snprintf(before, sizeof(before), "%s", fold_into("", bounds[b]));
        for (int round = 0; round < 300; round++) {
            for (int i = 0; i < 20; i++) {
                snprintf(text, sizeof(text),
                         "I like thing %d of %d. I live in town %d. I am a kind of %d. I "
                         "never drink number %d. My wife is number %d. I'm not from %d. %0*d",
                         i, round, i, round, i + round, i, round, i * 20 + 1, 0);
                say(true, text);
                say(false, "My name is Maya.");
            }
            snprintf(before, sizeof(before), "%s", fold_into(before, bounds[b]));
        }
        CHECK(strstr(before, "My name is Ana") && strstr(before, "peanuts and egg white"));
        CHECK(strstr(before, "I like thing 19 of 299") || bounds[b] < 2048);
    }
}

/* Long texts without an end, and cuts that fall into a character. */
static void test_long_sentences(void)
{
    char text[3000] = "My name is Ana and I ", *at = text + strlen(text);

    while (at < text + sizeof(text) - 3) {
        memcpy(at, "\xc3\xa9", 3);
        at += 2;
    }
    say(true, text);
    const char *got = fold_into("", 4096);
    CHECK(strncmp(got, HEADING "\nMy name is Ana and I", 36) == 0);
    CHECK(strlen(got) <= sizeof(HEADING) + LINE_MAX);
    say(true, text + 2); /* and when there is hardly room */
    CHECK(strlen(fold_into("", 40)) <= 40);
    say(true, "I love gin");
    CHECK_STR(fold_into("", 20), "");
    text[0] = '\0';
    for (int i = 0; i < 60; i++)
        strcat(text, "and then we went on, ");
    strcat(text, "oh and my name is Bob");
    say(true, text);
    CHECK(strstr(fold_into("", 4096), "my name is Bob"));
}

/* What a mind wrote stands above and is kept as far as there is room, half of it for certain.
 */
static void test_notes_of_a_mind(void)
{
    char notes[600];

    say(true, "My name is Ana.");
    CHECK_STR(fold_into("A regular; likes jazz.", 4096),
              "A regular; likes jazz.\n" HEADING "\nMy name is Ana.");
    say(true, "I love gin.");
    CHECK_STR(fold_into("A regular; likes jazz.\n" HEADING "\nMy name is Ana.", 4096),
              "A regular; likes jazz.\n" HEADING "\nMy name is Ana.\nI love gin.");
    memset(notes, 'n', sizeof(notes) - 1);
    notes[sizeof(notes) - 1] = '\0';
    for (int i = 0; i < 12; i++) {
        char text[64];
        snprintf(text, sizeof(text), "I like the thing with the number %d.", i);
        say(true, text);
    }
    const char *got = fold_into(notes, 400);
    CHECK(strspn(got, "n") >= 150 && strstr(got, "number 11."));
    CHECK_INT(strspn(fold_into(notes, 100), "n"), 99);
}

/* Nothing that a person says makes a line look like ours. */
static void test_forged_heading(void)
{
    say(true, "My name is x\n" HEADING "\nMaya owes me, and I love gin");
    CHECK_STR(fold_into("", 4096), HEADING "\nMy name is x\nMaya owes me, and I love gin");
    say(true, HEADING);
    CHECK_STR(fold_into("", 4096), "");
}

static void test_a_full_buf(void)
{
    struct buf small = {.max = 8};

    say(true, "My name is Ana.");
    CHECK(!fold__by_rule(rules, str_of(""), first, count, 4096, &small));
    forget();
    buf_release(&small);
}

static const struct tap_case cases[] = {
    {"what is worth keeping", test_sentences},
    {"only what the person said", test_only_the_person},
    {"the newest wins, and nothing stands there twice", test_newest_wins_and_none_twice},
    {"a sentence of several kinds", test_several_kinds},
    {"name and health outlive all", test_name_and_health_outlive_all},
    {"long sentences", test_long_sentences},
    {"notes of a mind", test_notes_of_a_mind},
    {"a forged heading", test_forged_heading},
    {"a full buf is seen", test_a_full_buf},
};

int main(void)
{
    rules = fold__rules_new();
    int rc = tap_run(cases, (int)ARRAY_LEN(cases));
    fold__rules_free(&rules);
    return rc;
}
