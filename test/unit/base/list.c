#include "base/list.h"
#include "unit/tap.h"

struct item {
    int n;
    struct list link;
};

static int digits(struct list *head)
{
    int made = 0;

    for (struct list *at = head->next; at != head; at = at->next)
        made = made * 10 + LIST_ITEM(at, struct item, link)->n;
    return made;
}

static void order(void)
{
    struct list head;
    struct item a = {1, {0}}, b = {2, {0}}, c = {3, {0}};

    list_init(&head);
    CHECK(list_empty(&head));
    CHECK(!list_first(&head));
    list_append(&head, &a.link);
    list_append(&head, &b.link);
    list_append(&head, &c.link);
    CHECK_INT(digits(&head), 123);
    CHECK(LIST_ITEM(list_first(&head), struct item, link) == &a);
    list_remove(&b.link);
    CHECK_INT(digits(&head), 13);
    list_append(&head, &b.link);
    CHECK_INT(digits(&head), 132);
    list_remove(&a.link);
    CHECK(list_first(&head) == &c.link);
}

static void remove_twice(void)
{
    struct list head;
    struct item a = {1, {0}}, b = {2, {0}};

    list_init(&head);
    list_init(&a.link);
    list_remove(&a.link); /* never was in one */
    list_append(&head, &a.link);
    list_append(&head, &b.link);
    list_remove(&a.link);
    list_remove(&a.link);
    CHECK_INT(digits(&head), 2);
    list_remove(&b.link);
    CHECK(list_empty(&head));
}

static void remove_while_walking(void)
{
    struct list head;
    struct item items[9];
    int seen = 0;

    list_init(&head);
    for (int i = 0; i < 9; i++) {
        items[i].n = i + 1;
        list_append(&head, &items[i].link);
    }
    LIST_EACH(at, after, &head)
    {
        seen++;
        if (LIST_ITEM(at, struct item, link)->n % 3 != 0)
            list_remove(at);
    }
    CHECK_INT(seen, 9);
    CHECK_INT(digits(&head), 369);
    LIST_EACH(at, after, &head) list_remove(at);
    CHECK(list_empty(&head));
}

static void append_all(void)
{
    struct list to, from;
    struct item items[4];

    list_init(&to);
    list_init(&from);
    for (int i = 0; i < 4; i++) {
        items[i].n = i + 1;
        list_append(i < 2 ? &to : &from, &items[i].link);
    }
    list_append_all(&to, &from);
    CHECK_INT(digits(&to), 1234);
    CHECK(list_empty(&from));
    list_append_all(&to, &from); /* nothing more */
    CHECK_INT(digits(&to), 1234);
    list_append_all(&from, &to); /* into an empty one, and all links hold */
    list_remove(&items[3].link);
    list_remove(&items[0].link);
    CHECK_INT(digits(&from), 23);
    CHECK(list_empty(&to));
}

static const struct tap_case cases[] = {
    {"order", order},
    {"a link may be removed twice", remove_twice},
    {"the one at hand may be removed", remove_while_walking},
    {"all of one behind all of another", append_all},
};

TAP_MAIN(cases)
