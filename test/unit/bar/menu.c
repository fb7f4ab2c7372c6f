#include "bar/menu.c"
#include "bar/menu_load.c"

#include "base/buf.h"
#include "unit/bar/fixture.h"
#include "unit/tap.h"

#include <sys/stat.h>
#include <unistd.h>

/* Load a text as the menu of a folder of its own. */
static int load_text(const char *text, struct bar_menu **ret, struct err *e)
{
    char folder[] = "/tmp/maya-menu-XXXXXX", path[64];
    FILE *f;
    int rc;

    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/menu.yaml", folder);
    f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    rc = bar_menu_load(folder, ret, e);
    unlink(path);
    rmdir(folder);
    /* The folder's name differs each time: keep what follows it. */
    char *at = strstr(e->msg, "menu.yaml");
    if (rc && at)
        memmove(e->msg, at, strlen(at) + 1);
    return rc;
}

#define HOUSE "house: H\n"
#define DRINKS "categories:\n- name: C\n  items:\n  - {name: Gin, price: 8, aliases: [jin]}\n"
#define MODS "modifiers:\n- {name: neat, aliases: [straight]}\n"
#define MOODS "moods:\n- {name: popular, sentence: S, items: [Gin (neat)]}\n"
#define LIQUORS "liquors: [Gin]\n"

static const char *refused(const char *text)
{
    static struct err e;
    struct bar_menu *m = NULL;
    int rc = load_text(text, &m, &e);

    bar_menu_free(&m);
    return rc ? e.msg : "taken";
}

static void test_shipped(void)
{
    static const struct {
        const char *name;
        int dollars;
    } predecessor[] = {
        {"Daiquiri", 10},    {"Martini", 13},      {"Long Island", 12}, {"Old Fashioned", 12},
        {"Negroni", 11},     {"Cosmopolitan", 12}, {"Manhattan", 12},   {"Tap Beer", 5},
        {"Classic Brew", 5}, {"IPA", 6},           {"Whiskey", 8},      {"Vodka", 7},
        {"Rum", 7},          {"Gin", 8},           {"Tequila", 8},      {"Brandy", 9},
        {"Water", 1},        {"Iced Tea", 2},      {"Lemonade", 2},     {"Soda", 3},
    };
    struct fixture f;
    size_t n;

    fixture_init(&f, 0);
    CHECK_STR(bar_menu_house(f.menu), "MOK 5-ha");
    const struct bar_item *items = bar_menu_items(f.menu, &n);
    CHECK_INT(n, ARRAY_LEN(predecessor));
    for (size_t i = 0; i < n && i < ARRAY_LEN(predecessor); i++) {
        CHECK_STR(items[i].name, predecessor[i].name);
        CHECK_INT(items[i].price_cents, predecessor[i].dollars * 100);
        CHECK(items[i].description[0] && items[i].tags[0] && items[i].aliases[0]);
    }
    CHECK_STR(items[8].category, "Beer");
    CHECK_INT((bar_menu_moods(f.menu, &n), n), 6);
    CHECK((bar_menu_modifiers(f.menu, &n), n) >= 20);
    const struct bar_item *const *liquors = bar_menu_liquors(f.menu, &n);
    CHECK_INT(n, 6);
    CHECK_STR(liquors[0]->name, "Vodka");
    fixture_release(&f);
}

static void test_find(void)
{
    static const struct {
        const char *said, *name;
    } rows[] = {
        {"Old Fashioned", "Old Fashioned"},
        {"  old-fashioned ", "Old Fashioned"},
        {"OLD   FASHIONEDS", "Old Fashioned"},
        {"martinis", "Martini"},
        {"LIIT", "Long Island"},
        {"L.I.I.T.", "Long Island"},
        {"long island iced teas", "Long Island"},
        {"cosmo", "Cosmopolitan"},
        {"cosmos", "Cosmopolitan"},
        {"beer", "Tap Beer"},
        {"beers", "Tap Beer"},
        {"draft", "Tap Beer"},
        {"g", "Gin"},
        {"whiskies", "Whiskey"},
        {"brandies", "Brandy"},
        {"i.p.a", "IPA"},
        {"IPAs", "IPA"},
        {"mojito", NULL},
        {"", NULL},
        {" - ", NULL},
        {"s", NULL},
        {"a name that is far too long to be the name of any drink on any menu", NULL},
    };
    struct fixture f;

    fixture_init(&f, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct bar_item *item = bar_menu_find(f.menu, rows[i].said);
        if (!rows[i].name)
            CHECK(item == NULL);
        else
            CHECK_STR(item ? item->name : rows[i].said, rows[i].name);
    }
    CHECK_STR(bar_menu_find_mood(f.menu, "Elegant")->name, "classy");
    CHECK_STR(bar_menu_find_mood(f.menu, "non-alcoholic")->name, "sobering");
    CHECK_STR(bar_menu_find_mood(f.menu, "hair of the dog")->name, "strong");
    CHECK(bar_menu_find_mood(f.menu, "purple") == NULL);
    CHECK_STR(bar_menu_find_modifier(f.menu, "With Ice")->name, "on the rocks");
    CHECK(bar_menu_find_modifier(f.menu, "gold leaf") == NULL);
    fixture_release(&f);
}

static void test_plurals(void)
{
    struct bar_menu *m = NULL;
    struct err e = {0};

    CHECK_INT(load_text(HOUSE DRINKS "  - {name: Toddy, price: 9}\n  - {name: Fizz, price: 9}\n"
                                     "modifiers: [{name: neat}]\n" MOODS LIQUORS,
                        &m, &e),
              0);
    CHECK_STR(e.msg, "");
    CHECK_STR(m ? bar_menu_find(m, "toddies")->name : "", "Toddy");
    CHECK_STR(m ? bar_menu_find(m, "fizzes")->name : "", "Fizz");
    CHECK(m && bar_menu_find(m, "toddie") == NULL);
    CHECK(m && bar_menu_find(m, "ies") == NULL);
    bar_menu_free(&m);
}

static void test_normal(void)
{
    char form[BAR_NAME_MAX];

    CHECK(bar_normal(" Old--Fashioned_ ", 17, form, sizeof(form)));
    CHECK_STR(form, "old fashioned");
    CHECK(bar_normal("Bartender's \"X.O.\"", 18, form, sizeof(form)));
    CHECK_STR(form, "bartenders xo");
    CHECK(bar_normal("Caf\xc3\xa9", 5, form, sizeof(form)));
    CHECK_STR(form, "caf\xc3\xa9");
    CHECK(!bar_normal("abcdef", 6, form, 6));
    CHECK_STR(form, "abcde");
    CHECK(bar_normal("", 0, form, sizeof(form)));
    CHECK_STR(form, "");
}

static void test_text(void)
{
    struct fixture f;
    struct buf b = BUF_INIT;

    fixture_init(&f, 0);
    bar_menu_text(f.menu, &b);
    CHECK(strstr(buf_text(&b), "\nCocktails:\n- Daiquiri ($10.00): White rum") != NULL);
    CHECK(strstr(buf_text(&b), "\nNon-alcoholic:\n- Water ($1.00)") != NULL);
    CHECK(strstr(buf_text(&b), "Vodka (unless you say otherwise), Tequila") != NULL);
    CHECK(strstr(buf_text(&b), "on the rocks, neat") != NULL);
    buf_release(&b);
    fixture_release(&f);
}

static void test_refusals(void)
{
    CHECK_STR(refused(HOUSE DRINKS MODS MOODS LIQUORS), "taken");
    CHECK_STR(refused(""), "menu.yaml:1: the file is empty");
    CHECK_STR(refused("hous: H\n"), "menu.yaml:1: unknown key 'hous'; did you mean 'house'?");
    CHECK_STR(refused(DRINKS), "menu.yaml:1: 'house' is missing");
    CHECK_STR(refused(HOUSE MODS), "menu.yaml:1: 'categories' is missing");
    CHECK_STR(refused(HOUSE "categories: []\n"),
              "menu.yaml:2: 'categories' has 0 members; 1 to 200 are right");
    CHECK_STR(refused(HOUSE "categories:\n- name: C\n  items:\n  - {name: X}\n"),
              "menu.yaml:5: 'X' has no price; add a line like 'price: 12'");
    CHECK(strstr(refused(HOUSE "categories:\n- name: C\n  items:\n  - {name: X, price: -1}\n"),
                 "menu.yaml:5: '-1' is not an amount") != NULL);
    CHECK_STR(refused(HOUSE DRINKS "  - {name: X, prize: 1}\n"),
              "menu.yaml:6: unknown key 'prize'; did you mean 'price'?");
    CHECK_STR(refused(HOUSE DRINKS "  - {name: X, price: 1, description: \"a\\nb\"}\n"),
              "menu.yaml:6: a control character or line break; one line of text");
    CHECK_STR(refused(HOUSE DRINKS
                      "  - {name: 012345678901234567890123456789012345678901234567, "
                      "price: 1}\n"),
              "menu.yaml:6: '01234567890123456789...' has 48 bytes; at most 47");
}

static void test_collisions(void)
{
    CHECK_STR(refused(HOUSE DRINKS "  - {name: GIN, price: 1}\n"),
              "menu.yaml:6: 'GIN' already means 'Gin'; a name may mean one thing only");
    CHECK_STR(refused(HOUSE DRINKS "  - {name: X, price: 1, aliases: [y, jins]}\n"),
              "menu.yaml:6: 'jins' already means 'Gin'; a name may mean one thing only");
    CHECK_STR(refused(HOUSE DRINKS "  - {name: Xs, price: 1}\n  - {name: X, price: 1}\n"),
              "menu.yaml:7: 'X' already means 'Xs'; a name may mean one thing only");
    CHECK_STR(refused(HOUSE DRINKS "modifiers:\n- {name: up}\n- {name: x, aliases: [up]}\n"),
              "menu.yaml:8: 'up' already means 'up'; a name may mean one thing only");
    CHECK_STR(refused(HOUSE DRINKS "modifiers:\n- {name: dry, aliases: [jin]}\n"),
              "menu.yaml:7: modifier 'dry' answers to a name of the item 'Gin'");
    CHECK_STR(refused(HOUSE DRINKS "modifiers:\n- {name: 'a, b'}\n"),
              "menu.yaml:7: 'a, b': a comma stands between two modifiers");
}

static void test_moods_and_liquors(void)
{
    CHECK_STR(refused(HOUSE DRINKS MODS "moods:\n- {name: m, sentence: S, items: [Gim]}\n"),
              "menu.yaml:9: 'Gim' is not an item of this menu; did you mean 'Gin'?");
    CHECK_STR(
        refused(HOUSE DRINKS MODS "moods:\n- {name: m, sentence: S, items: [Absinthe]}\n"),
        "menu.yaml:9: 'Absinthe' is not an item of this menu");
    CHECK_STR(
        refused(HOUSE DRINKS MODS "moods:\n- {name: m, sentence: S, items: [Gin (hot)]}\n"),
        "menu.yaml:9: 'hot' is not one of the modifiers");
    CHECK_STR(
        refused(HOUSE DRINKS MODS "moods:\n- {name: m, sentence: S, items: [Gin (neat]}\n"),
        "menu.yaml:9: 'Gin (neat' does not end with ')'");
    CHECK_STR(refused(HOUSE DRINKS MODS "moods:\n- {name: m, sentence: S, items: [Gin (]}\n"),
              "menu.yaml:9: 'Gin (' does not end with ')'");
    CHECK_STR(refused(HOUSE DRINKS MODS "moods:\n- {name: m, items: [Gin]}\n"),
              "menu.yaml:9: 'sentence' is missing");
    CHECK_STR(refused(HOUSE DRINKS MODS "moods:\n- {name: m, sentence: S, items: [Gin]}\n"),
              "menu.yaml:9: there is no mood 'popular'; it is used when nothing else fits");
    CHECK_STR(refused(HOUSE DRINKS MODS MOODS "liquors: [Gin, Ron]\n"),
              "menu.yaml:10: liquor 'Ron' is not an item of this menu");
    CHECK_STR(refused(HOUSE DRINKS MODS MOODS "liquors: [Gin, jin]\n"),
              "menu.yaml:10: liquor 'jin' stands here twice");
}

static void test_too_many(void)
{
    struct buf b = BUF_INIT;

    buf_str(&b, HOUSE DRINKS);
    for (int i = 0; i < 200; i++)
        buf_printf(&b, "  - {name: drink %d x, price: 1}\n", i);
    CHECK_STR(refused(buf_text(&b)),
              "menu.yaml:5: 'items' has 201 members; 1 to 200 are right");
    buf_clear(&b);
    buf_str(&b, HOUSE DRINKS "  - name: X\n    price: 1\n    aliases: [");
    for (int i = 0; i < 61; i++)
        buf_printf(&b, "a%dx,", i);
    buf_str(&b, "]\n");
    CHECK_STR(refused(buf_text(&b)), "menu.yaml:8: 'aliases' has 61 members; at most 60");
    buf_clear(&b);
    buf_str(&b, HOUSE DRINKS MODS MOODS "liquors: [");
    for (int i = 0; i < 17; i++)
        buf_str(&b, "Gin,");
    buf_str(&b, "]\n");
    CHECK_STR(refused(buf_text(&b)), "menu.yaml:10: 'liquors' has 17 members; at most 16");
    buf_release(&b);
}

static const struct tap_case cases[] = {
    {"the shipped menu has the known drinks and prices", test_shipped},
    {"names, aliases, plurals and spellings are found", test_find},
    {"plurals", test_plurals},
    {"normal form", test_normal},
    {"the menu as text", test_text},
    {"what does not fit is told with its line", test_refusals},
    {"two things cannot have one name", test_collisions},
    {"moods and liquors name what exists", test_moods_and_liquors},
    {"there are limits", test_too_many},
};

TAP_MAIN(cases)
