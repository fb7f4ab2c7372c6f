/*
 * list: intrusive doubly linked lists. A head is a `struct list` linked to itself; a member
 * embeds a `struct list`. Nothing is allocated. A link that was initialised or removed may be
 * removed again without harm.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev, *next;
};

#define LIST_ITEM(at, type, member) ((type *)(void *)((char *)(at) - (offsetof(type, member))))

/* `at` may be removed inside the loop; `after` keeps the place. */
#define LIST_EACH(at, after, head)                                                             \
    for (struct list *at = (head)->next, *after = at->next; at != (head);                      \
         at = after, after = at->next)

static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_append(struct list *head, struct list *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

static inline void list_remove(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

/* All of `from` behind all of `to`; `from` is empty then. */
static inline void list_append_all(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

static inline struct list *list_first(const struct list *head)
{
    return list_empty(head) ? NULL : head->next;
}
