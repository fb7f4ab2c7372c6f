#include "bar/tools.c"
#include "bar/answer.c"
#include "bar/modifiers.c"

#include "bar/tools_menu.c"

#include "unit/bar/fixture.h"
#include "unit/tap.h"

static struct fixture f;
static json_t *answer; /* of the last call */

static void begin(void)
{
    fixture_init(&f, 0);
}

static void end(void)
{
    json_decref(answer);
    answer = NULL;
    fixture_release(&f);
}

/* Call a tool with arguments written as JSON with ' for ". */
static const char *call(const char *name, const char *args)
{
    struct bar_guest g = {f.menu, &f.tab, &f.region, 42};
    char text[512];
    json_t *given = NULL;

    if (args) {
        str_copy(text, sizeof(text), args);
        for (char *p = text; *p; p++)
            if (*p == '\'')
                *p = '"';
        given = json_loads(text, JSON_DECODE_ANY, NULL);
        CHECK(given != NULL);
    }
    json_decref(answer);
    answer = bar_tool_call(&g, name, given, NULL);
    json_decref(given);
    return json_string_value(json_object_get(answer, "status"));
}

static const json_t *result(const char *key)
{
    return json_object_get(json_object_get(answer, "result"), key);
}

static const char *text(const char *key)
{
    return json_string_value(result(key));
}

static long long cents(const char *key)
{
    CHECK(json_is_integer(result(key)));
    return json_integer_value(result(key));
}

/* The call must be refused with this code and message. */
static void refused(const char *name, const char *args, const char *code, const char *message)
{
    CHECK_STR(call(name, args), "error");
    CHECK_STR(json_string_value(json_object_get(answer, "error")), code);
    if (message)
        CHECK_STR(json_string_value(json_object_get(answer, "message")), message);
    CHECK(json_object_get(answer, "result") == NULL);
}

static void says(const char *name, const char *args, const char *wanted)
{
    CHECK_STR(call(name, args), "ok");
    CHECK_STR(text("text"), wanted);
}

static void test_table(void)
{
    size_t count;
    const struct bar_tool *all = bar_tools(&count);

    CHECK_INT(count, 18);
    CHECK_STR(all[0].name, "get_menu");
    CHECK_STR(all[14].name, "add_tip");
    for (size_t i = 0; i < count; i++) {
        json_error_t error;
        json_t *schema = json_loads(all[i].schema, 0, &error);
        CHECK(schema && all[i].description[0]);
        CHECK_STR(json_string_value(json_object_get(schema, "type")), "object");
        const char *key;
        json_t *property;
        json_object_foreach(json_object_get(schema, "properties"), key, property) CHECK(
            json_object_get(property, "type") && json_object_get(property, "description"));
        json_decref(schema);
    }
    json_t *add = json_loads(all[2].schema, 0, NULL);
    CHECK_STR(json_string_value(json_array_get(json_object_get(add, "required"), 0)),
              "item_name");
    const json_t *quantity = json_object_get(json_object_get(add, "properties"), "quantity");
    CHECK_INT(json_integer_value(json_object_get(quantity, "minimum")), 1);
    CHECK_INT(json_integer_value(json_object_get(quantity, "maximum")), 100);
    json_decref(add);
}

static void test_arguments(void)
{
    struct bar_guest g = {f.menu, &f.tab, &f.region, 1};
    int index = 7;

    begin();
    refused("add_to_order", NULL, "INVALID_ARGUMENT",
            "'item_name' is missing: The drink, as on the menu or by another usual name.");
    refused("add_to_order", "{'item_name': null}", "INVALID_ARGUMENT", NULL);
    refused("add_to_order", "{'item_name': 5}", "INVALID_ARGUMENT",
            "'item_name' must be a text: The drink, as on the menu or by another usual name.");
    refused("add_to_order", "{'item_name': ' '}", "INVALID_ARGUMENT",
            "'item_name' must have 1 to 80 characters");
    refused("add_to_order", "{'item_name': 'gin', 'quantty': 2}", "INVALID_ARGUMENT",
            "add_to_order has no argument 'quantty'; did you mean 'quantity'?");
    refused("get_menu", "{'zzzzzzzz': 2}", "INVALID_ARGUMENT",
            "get_menu has no argument 'zzzzzzzz'");
    refused("add_to_order", "{'item_name': 'gin', 'quantity': 'two'}", "INVALID_ARGUMENT",
            "'quantity' must be a whole number: How many; 1 when left out.");
    refused("add_to_order", "{'item_name': 'gin', 'quantity': 1.5}", "INVALID_ARGUMENT", NULL);
    refused("add_to_order", "{'item_name': 'gin', 'quantity': [1]}", "INVALID_ARGUMENT", NULL);
    refused("add_to_order", "{'item_name': 'gin', 'quantity': true}", "INVALID_ARGUMENT", NULL);
    refused("add_to_order", "{'item_name': 'gin', 'modifiers': [1]}", "INVALID_ARGUMENT",
            "'modifiers' must be a list of at most 8 texts");
    refused("add_to_order", "{'item_name': 'gin', 'modifiers': {'a': 1}}", "INVALID_ARGUMENT",
            NULL);
    refused("add_to_order",
            "{'item_name':'gin','modifiers':['1','2','3','4','5','6','7','8','9']}",
            "INVALID_ARGUMENT", NULL);
    refused("add_to_order", "['gin']", "INVALID_ARGUMENT", "the arguments must be an object");
    refused("ad_to_order", "{}", "UNKNOWN_TOOL",
            "There is no tool 'ad_to_order'; did you mean 'add_to_order'?");
    refused("make_coffee_for_everybody", "{}", "UNKNOWN_TOOL",
            "There is no tool 'make_coffee_for_everybody'.");
    CHECK_INT(f.tab.line_count, 0);
    json_t *made = bar_tool_call(&g, "nope", NULL, &index);
    CHECK_INT(index, -1);
    json_decref(made);
    g.menu = f.menu;
    made = bar_tool_call(&g, "get_balance", NULL, &index);
    CHECK_INT(index, 4);
    json_decref(made);
    end();
}

static void test_numbers_as_text(void)
{
    begin();
    CHECK_STR(call("add_to_order", "{'item_name': 'gin', 'quantity': '2'}"), "ok");
    CHECK_STR(call("add_to_order", "{'item_name': 'gin', 'quantity': 3.0}"), "ok");
    CHECK_STR(call("add_to_order", "{'item_name': 'gin', 'quantity': null}"), "ok");
    CHECK_INT(f.tab.lines[0].quantity, 6);
    CHECK_STR(call("set_tip", "{'percentage': '15'}"), "ok");
    CHECK_INT(f.tab.tip_value, 1500);
    CHECK_STR(call("add_tip", "{'amount': '3.25'}"), "ok");
    CHECK_INT(f.tab.tip_value, 325);
    end();
}

static void test_menu(void)
{
    begin();
    CHECK_STR(call("get_menu", "{}"), "ok");
    CHECK(strstr(text("text"), "- Old Fashioned ($12.00)") != NULL);
    CHECK_INT(json_array_size(result("items")), 20);
    const json_t *first = json_array_get(result("items"), 0);
    CHECK_STR(json_string_value(json_object_get(first, "name")), "Daiquiri");
    CHECK_INT(json_integer_value(json_object_get(first, "price_cents")), 1000);
    end();
}

static void test_price(void)
{
    begin();
    says("get_price", "{'item_name': 'cosmo'}", "Cosmopolitan costs $12.00.");
    CHECK_INT(cents("price_cents"), 1200);
    CHECK(json_real_value(result("price")) == 12.0);
    CHECK_STR(text("category"), "Cocktails");
    refused("get_price", "{'item_name': 'mojito'}", "ITEM_NOT_FOUND",
            "Item 'mojito' could not be found on the menu. Please verify the item name.");
    CHECK(json_object_get(answer, "nearest") == NULL);
    refused("get_price", "{'item_name': 'Marhattan'}", "ITEM_NOT_FOUND", NULL);
    CHECK_STR(json_string_value(json_object_get(answer, "nearest")), "Manhattan");
    end();
}

static void test_recommendation(void)
{
    begin();
    says("get_recommendation", "{'preference': 'classy'}",
         "For something classy, I'd recommend: Martini, Old Fashioned, Manhattan, Negroni");
    CHECK_STR(text("mood"), "classy");
    says("get_recommendation", "{'preference': 'something really elegant, please'}",
         "For something classy, I'd recommend: Martini, Old Fashioned, Manhattan, Negroni");
    says("get_recommendation", "{'preference': 'Burning'}",
         "For something that burns on the way down, I'd recommend: Whiskey (neat), Tequila "
         "(neat), Rum (neat)");
    says("get_recommendation", "{'preference': 'a drink with campari'}",
         "For something with campari, I'd recommend: Negroni");
    CHECK_STR(text("ingredient"), "campari");
    says("get_recommendation", "{'preference': 'I could use some hair of the dog...'}",
         "For something strong, I'd recommend: Long Island, Old Fashioned, Negroni, Whiskey "
         "(neat)");
    says("get_recommendation", "{'preference': 'without alcohol, please'}",
         "To keep a clear head, I'd recommend: Water, Iced Tea, Lemonade, Soda");
    says("get_recommendation", "{'preference': 'anything with sugar cane?'}",
         "For something with sugar cane, I'd recommend: Rum");
    says("get_recommendation", "{'preference': '?!'}",
         "What people here like best is: Martini, Daiquiri, Old Fashioned, IPA");
    says("get_recommendation", "{'preference': 'purple'}",
         "What people here like best is: Martini, Daiquiri, Old Fashioned, IPA");
    CHECK_INT(json_array_size(result("items")), 4);
    end();
}

static void test_add(void)
{
    begin();
    says(
        "add_to_order", "{'item_name': 'old fashioned', 'modifiers': ['dry'], 'quantity': 2}",
        "Successfully added 2x Old Fashioned (dry) to the order. Your balance is now $976.00.");
    CHECK_STR(text("name"), "Old Fashioned");
    CHECK_INT(cents("quantity"), 2);
    CHECK_INT(cents("line_total_cents"), 2400);
    CHECK_INT(cents("unit_price_cents"), 1200);
    CHECK_INT(cents("tab_cents"), 2400);
    CHECK_INT(cents("balance_cents"), 97600);
    CHECK(json_real_value(result("balance")) == 976.0);
    says("add_to_order", "{'item_name': 'IPA'}",
         "Successfully added 1x IPA (no modifiers) to the order. Your balance is now $970.00.");
    refused("add_to_order", "{'item_name': 'IPA', 'quantity': 0}", "INVALID_QUANTITY",
            "Quantity must be at least 1.");
    refused("add_to_order", "{'item_name': 'IPA', 'quantity': -1e300}", "INVALID_QUANTITY",
            NULL);
    refused("add_to_order", "{'item_name': 'IPA', 'quantity': 1e300}", "QUANTITY_LIMIT", NULL);
    refused("add_to_order", "{'item_name': 'Mojito'}", "ITEM_NOT_FOUND",
            "Item 'Mojito' could not be found on the menu. Please verify the item name.");
    refused("add_to_order", "{'item_name': 'martini', 'quantity': 100}", "INSUFFICIENT_FUNDS",
            "Insufficient funds: your balance is $970.00 but the item costs $1300.00.");
    CHECK_INT(json_integer_value(json_object_get(answer, "balance_cents")), 97000);
    CHECK_INT(json_integer_value(json_object_get(answer, "price_cents")), 130000);
    refused("add_to_order",
            "{'item_name': 'gin', 'modifiers': "
            "['xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',"
            "'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy']}",
            "INVALID_ARGUMENT", "The modifiers of one drink have at most 95 characters.");
    CHECK_INT(bar_tab_cents(&f.tab), 3000);
    end();
}

static void test_order_limit(void)
{
    begin();
    for (int i = 0; i < BAR_LINES_MAX; i++) {
        char args[80];
        snprintf(args, sizeof(args), "{'item_name': 'water', 'modifiers': 'way %d'}", i);
        CHECK_STR(call("add_to_order", args), "ok");
    }
    refused("add_to_order", "{'item_name': 'gin'}", "ORDER_LIMIT", NULL);
    CHECK_STR(call("get_order", NULL), "ok");
    CHECK_INT(json_array_size(result("items")), BAR_LINES_MAX);
    CHECK_STR(call("get_bill", NULL), "ok");
    end();
}

static void test_add_with_balance(void)
{
    begin();
    CHECK_STR(call("add_to_order_with_balance", "{'item_name': 'IPA', 'quantity': 2}"), "ok");
    CHECK_STR(text("item"), "2x IPA");
    CHECK(json_real_value(result("new_balance")) == 988.0);
    CHECK(json_real_value(result("new_tab")) == 12.0);
    CHECK_STR(call("add_to_order_with_balance", "{'item_name': 'gin'}"), "ok");
    CHECK_STR(text("item"), "Gin");
    CHECK_STR(call("get_balance", NULL), "ok");
    CHECK(json_real_value(result("balance")) == 980.0);
    CHECK(json_real_value(result("tab")) == 20.0);
    refused("add_to_order_with_balance", "{'item_name': 'beetle'}", "ITEM_NOT_FOUND", NULL);
    end();
}

static void test_modifiers(void)
{
    static const struct {
        const char *given, *kept;
    } rows[] = {
        {"['Dry']", "dry"},
        {"['with ice', 'Extra-Dry']", "on the rocks, extra dry"},
        {"'up, with olives'", "up, with olives"},
        {"['shaken', 'SHAKEN', 'shaken not stirred']", "shaken"},
        {"['with gin']", "gin"},
        {"['Gin', 'dry']", "gin, dry"},
        {"['none']", ""},
        {"[]", ""},
        {"['', ' , ']", ""},
        {"['two Tiny umbrellas']", "two Tiny umbrellas"},
        {"['a\\tb\\u0001c']", "a b c"},
    };

    begin();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char args[160];
        bar_clear(&f.tab);
        snprintf(args, sizeof(args), "{'item_name': 'martini', 'modifiers': %s}",
                 rows[i].given);
        CHECK_STR(call("add_to_order", args), "ok");
        CHECK_STR(text("modifiers"), rows[i].kept);
        CHECK_STR(f.tab.lines[0].modifiers, rows[i].kept);
    }
    CHECK(bar__modifiers_within("dry", "up, dry"));
    CHECK(bar__modifiers_within("", "up"));
    CHECK(!bar__modifiers_within("dry, neat", "up, dry"));
    CHECK(!bar__modifiers_within("dr", "dry"));
    end();
}

static void test_remove(void)
{
    begin();
    call("add_to_order", "{'item_name': 'martini', 'modifiers': ['dry', 'up'], 'quantity': 2}");
    call("add_to_order", "{'item_name': 'martini', 'quantity': 3}");
    call("add_to_order", "{'item_name': 'ipa'}");
    says("remove_from_order", "{'item_name': 'ipas'}",
         "Removed 1x IPA from the order. Your balance is now $935.00.");
    CHECK_INT(cents("refund_cents"), 600);
    CHECK_STR(call("remove_from_order",
                   "{'item_name': 'martini', 'modifiers': ['dry'], 'quantity': 1}"),
              "ok");
    CHECK_INT(f.tab.lines[0].quantity, 1);
    CHECK_INT(f.tab.lines[1].quantity, 3);
    CHECK_STR(text("modifiers"), "dry, up");
    refused("remove_from_order", "{'item_name': 'martini', 'modifiers': ['dirty']}",
            "LINE_NOT_FOUND", "'martini' (dirty) is not in the order.");
    refused("remove_from_order", "{'item_name': 'gin'}", "LINE_NOT_FOUND",
            "'gin' is not in the order.");
    refused("remove_from_order", "{'item_name': 'spaceship'}", "LINE_NOT_FOUND", NULL);
    refused("remove_from_order", "{'item_name': 'martini', 'quantity': 0}", "INVALID_QUANTITY",
            NULL);
    call("add_to_order", "{'item_name': 'martini', 'modifiers': ['dry', 'up'], 'quantity': 2}");
    CHECK_STR(call("remove_from_order", "{'item_name': 'martini', 'quantity': 4}"), "ok");
    CHECK_INT(cents("quantity"), 4); /* the three newest, and one of the older ones */
    CHECK_INT(f.tab.line_count, 1);
    CHECK_INT(f.tab.lines[0].quantity, 2);
    CHECK_STR(call("remove_from_order", "{'item_name': 'martini', 'quantity': 9}"), "ok");
    CHECK_INT(cents("quantity"), 2);
    CHECK_INT(f.tab.line_count, 0);
    CHECK_INT(bar_balance_cents(&f.tab), 100000);
    end();
}

/* With an empty list the plain one is meant; without one, the newest. */
static void test_the_plain_one(void)
{
    begin();
    call("add_to_order", "{'item_name': 'whiskey', 'quantity': 2}");
    call("add_to_order", "{'item_name': 'whiskey', 'modifiers': ['neat']}");
    CHECK_STR(
        call("change_order", "{'item_name': 'whiskey', 'modifiers': [], 'new_quantity': 3}"),
        "ok");
    CHECK_INT(f.tab.lines[0].quantity, 3);
    CHECK_INT(f.tab.lines[1].quantity, 1);
    CHECK_STR(call("remove_from_order", "{'item_name': 'whiskey', 'modifiers': []}"), "ok");
    CHECK_INT(f.tab.line_count, 1);
    CHECK_STR(f.tab.lines[0].modifiers, "neat");
    CHECK_STR(call("remove_from_order", "{'item_name': 'whiskey', 'modifiers': []}"), "ok");
    CHECK_INT(f.tab.line_count, 0);
    end();
}

/* A drink that is off the menu since can still be taken off the order. */
static void test_remove_unlisted(void)
{
    struct bar_item old = {.name = "Mulled Wine", .price_cents = 400};

    begin();
    CHECK_INT(bar_add(&f.tab, &f.region, &old, "", 2), BAR_OK);
    CHECK_STR(call("change_order", "{'item_name': 'mulled wine', 'new_quantity': 3}"), "ok");
    CHECK_INT(bar_tab_cents(&f.tab), 1200);
    CHECK_STR(call("remove_from_order", "{'item_name': 'MULLED WINE'}"), "ok");
    CHECK_INT(f.tab.line_count, 0);
    end();
}

static void test_change(void)
{
    begin();
    call("add_to_order", "{'item_name': 'martini', 'modifiers': 'dry'}");
    call("add_to_order", "{'item_name': 'martini'}");
    says("change_order", "{'item_name': 'martini', 'new_quantity': 2}",
         "Changed Martini to 2x Martini.");
    CHECK_INT(f.tab.lines[1].quantity, 2);
    says("change_order",
         "{'item_name': 'martini', 'modifiers': ['dry'], 'new_modifiers': ['dirty']}",
         "Changed Martini with dry to Martini with dirty.");
    says("change_order", "{'item_name': 'martini', 'modifiers': ['dirty'], 'new_item': 'gin'}",
         "Changed Martini with dirty to Gin with dirty.");
    CHECK_INT(cents("unit_price_cents"), 800);
    CHECK_INT(cents("tab_cents"), 3400);
    says("change_order", "{'item_name': 'gin', 'new_modifiers': []}",
         "Changed Gin with dirty to Gin.");
    says("change_order", "{'item_name': 'gin', 'new_modifiers': ['rocks']}",
         "Changed Gin to Gin on the rocks.");
    refused("change_order", "{'item_name': 'gin'}", "INVALID_ARGUMENT",
            "Say what to change: new_quantity, new_item or new_modifiers.");
    refused("change_order", "{'item_name': 'rum', 'new_quantity': 2}", "LINE_NOT_FOUND", NULL);
    refused("change_order", "{'item_name': 'gin', 'new_item': 'absinthe'}", "ITEM_NOT_FOUND",
            NULL);
    refused("change_order", "{'item_name': 'martini', 'new_quantity': 100}",
            "INSUFFICIENT_FUNDS",
            "Insufficient funds: your balance is $966.00 but the change costs $1274.00.");
    CHECK_INT(bar_tab_cents(&f.tab), 3400);
    end();
}

static void test_order_texts(void)
{
    begin();
    says("get_order", NULL, "The order is currently empty.");
    CHECK_INT(json_array_size(result("items")), 0);
    refused("confirm_order", NULL, "EMPTY_ORDER",
            "There is nothing in the order to confirm. Please add items first.");
    refused("place_order", NULL, "EMPTY_ORDER",
            "Cannot place an empty order. Please add items first.");
    call("add_to_order", "{'item_name': 'old fashioned', 'modifiers': 'dry', 'quantity': 2}");
    call("add_to_order", "{'item_name': 'ipa'}");
    says("get_order", NULL,
         "Current Order:\n- 2x Old Fashioned with dry ($12.00 each)\n- IPA ($6.00)\n"
         "Total: $30.00");
    const json_t *first = json_array_get(result("items"), 0);
    CHECK_INT(json_integer_value(json_object_get(first, "line_total_cents")), 2400);
    CHECK(json_is_false(result("placed")));
    says("confirm_order", NULL,
         "Your order:\n- 2x Old Fashioned with dry ($24.00)\n- IPA ($6.00)\nTotal: $30.00\n"
         "Shall I place it like this?");
    CHECK_STR(call("place_order", NULL), "ok");
    CHECK(strncmp(text("text"),
                  "Order placed successfully! Your items (2x Old Fashioned with dry, IPA) "
                  "totalling $30.00 will be ready in approximately ",
                  117) == 0);
    CHECK(cents("minutes") >= 2 && cents("minutes") <= 8);
    CHECK(f.tab.placed);
    call("get_order", NULL);
    CHECK(json_is_true(result("placed")));
    says("clear_order", NULL, "Your order has been cleared.");
    CHECK_INT(cents("refund_cents"), 3000);
    CHECK_INT(cents("balance_cents"), 100000);
    end();
}

static void test_tip(void)
{
    begin();
    call("add_to_order", "{'item_name': 'daiquiri', 'quantity': 3}");
    CHECK_STR(call("set_tip", "{'percentage': 20}"), "ok");
    CHECK_INT(cents("tip_percentage"), 20);
    CHECK_INT(cents("tip_amount_cents"), 600);
    CHECK(json_real_value(result("tip_amount")) == 6.0);
    CHECK(json_real_value(result("total")) == 36.0);
    call("get_tip", NULL);
    CHECK_INT(cents("tip_percentage"), 20);
    CHECK_INT(cents("tab_cents"), 3000);
    call("set_tip", "{'percentage': 20}"); /* again: off */
    CHECK(json_is_null(result("tip_percentage")));
    CHECK_INT(cents("total_cents"), 3000);
    call("set_tip", "{'percentage': 10}");
    call("set_tip", NULL);
    CHECK_INT(f.tab.tip_kind, BAR_TIP_NONE);
    refused("set_tip", "{'percentage': 18}", "INVALID_TIP_PERCENTAGE",
            "Invalid tip percentage: 18. Please choose 10%, 15%, or 20%.");
    refused("set_tip", "{'percentage': 'lots'}", "INVALID_ARGUMENT", NULL);
    refused("set_tip", "{'percentage': -10}", "INVALID_TIP_PERCENTAGE", NULL);
    end();
}

static void test_add_tip(void)
{
    begin();
    refused("add_tip", "{'percentage': 20}", "EMPTY_ORDER",
            "You haven't ordered anything yet, so there's nothing to tip on.");
    call("add_to_order", "{'item_name': 'daiquiri', 'quantity': 3}");
    says("add_tip", "{'percentage': 20, 'amount': 3}",
         "Added a 20.0% tip ($6.00) to your bill. New total: $36.00");
    says("add_tip", "{'percentage': 12.25}",
         "Added a 12.25% tip ($3.68) to your bill. New total: $33.68");
    CHECK(json_real_value(result("tip_percentage")) == 12.25);
    says("add_tip", "{'amount': 5}", "Added a $5.00 tip to your bill. New total: $35.00");
    CHECK(json_is_null(result("tip_percentage")));
    says("add_tip", "{}", "There is no tip on your bill now. New total: $30.00");
    refused("add_tip", "{'percentage': 101}", "INVALID_TIP_PERCENTAGE",
            "Invalid tip percentage: 101. Please choose 0% to 100%.");
    refused("add_tip", "{'percentage': -1}", "INVALID_TIP_PERCENTAGE", NULL);
    refused("add_tip", "{'amount': -0.01}", "INVALID_TIP_AMOUNT",
            "A tip must be zero or more.");
    refused("add_tip", "{'amount': 1e300}", "INSUFFICIENT_FUNDS", NULL);
    CHECK_STR(call("add_tip", "{'amount': 1000}"), "ok");
    refused("pay_bill", NULL, "INSUFFICIENT_FUNDS",
            "Insufficient funds: your balance is $970.00 but the tip is $1000.00.");
    call("add_tip", "{'amount': 1}");
    CHECK_STR(call("pay_bill", NULL), "ok");
    refused("add_tip", "{'amount': 1}", "ALREADY_PAID",
            "The bill has already been paid. Thank you for your business!");
    end();
}

static void test_bill(void)
{
    begin();
    says("get_bill", NULL, "You haven't ordered anything yet.");
    CHECK_INT(cents("total_cents"), 0);
    call("add_to_order", "{'item_name': 'old fashioned', 'modifiers': 'dry', 'quantity': 2}");
    call("add_to_order", "{'item_name': 'ipa'}");
    says("get_bill", NULL,
         "Your bill:\n2x Old Fashioned with dry: $12.00 each = $24.00\nIPA: $6.00\n\n"
         "Total: $30.00");
    call("set_tip", "{'percentage': 20}");
    says("get_bill", NULL,
         "Your bill:\n2x Old Fashioned with dry: $12.00 each = $24.00\nIPA: $6.00\n\n"
         "Subtotal: $30.00\nTip (20.0%): $6.00\nTotal: $36.00");
    CHECK_INT(cents("total_cents"), 3600);
    call("add_tip", "{'amount': 2}");
    CHECK_STR(call("get_bill", NULL), "ok");
    CHECK(strstr(text("text"), "\nTip: $2.00\nTotal: $32.00") != NULL);
    end();
}

static void test_pay_bill(void)
{
    begin();
    refused("pay_bill", NULL, "PAYMENT_FAILED", "You haven't ordered anything yet.");
    call("add_to_order", "{'item_name': 'daiquiri', 'quantity': 3}");
    call("set_tip", "{'percentage': 20}");
    says("pay_bill", NULL,
         "Thank you for your payment of $36.00 (including $6.00 tip)! We hope you enjoyed your "
         "drinks at MOK 5-ha.");
    CHECK_INT(cents("paid_cents"), 3600);
    CHECK_INT(cents("paid_tip_cents"), 600);
    CHECK_INT(cents("tab_cents"), 0);
    CHECK_INT(cents("balance_cents"), 96400);
    CHECK_STR(text("payment_status"), "completed");
    CHECK_INT(json_array_size(result("items")), 1);
    refused("pay_bill", NULL, "ALREADY_PAID", "Your bill has already been paid. Thank you!");
    says("get_bill", NULL, "Your bill has already been paid. Thank you!");
    says("get_order", NULL, "The order is currently empty.");
    /* A new order is a new tab. */
    call("add_to_order", "{'item_name': 'gin'}");
    CHECK_STR(text("payment_status"), "pending");
    says("pay_bill", NULL,
         "Thank you for your payment of $8.00! We hope you enjoyed your drinks at MOK 5-ha.");
    CHECK_INT(f.tab.paid_cents, 4400);
    end();
}

static void test_crypto_payment(void)
{
    begin();
    refused("process_crypto_payment", NULL, "PAYMENT_FAILED", "No items in tab to pay for.");
    call("add_to_order", "{'item_name': 'negroni', 'quantity': 9}");
    call("add_tip", "{'amount': 0.99}");
    refused("process_crypto_payment", NULL, "PAYMENT_REFUSED", NULL);
    CHECK_INT(f.tab.payment, BAR_FAILED);
    CHECK_INT(bar_tab_cents(&f.tab), 9900);
    call("add_tip", NULL);
    CHECK_STR(call("process_crypto_payment", NULL), "ok");
    CHECK_INT(strlen(text("tx_hash")), 66);
    CHECK(strncmp(text("url"), "https://sepolia.basescan.org/tx/0x", 34) == 0);
    CHECK(json_is_true(result("is_simulated")));
    CHECK_INT(cents("paid_cents"), 9900);
    CHECK_INT(bar_balance_cents(&f.tab), 90100);
    end();
}

/* For every budget: an answer or NULL, and the ledger holds. JSON lives in a region too. */
static void test_no_memory(void)
{
    static const char *const names[] = {"add_to_order", "get_order",          "get_menu",
                                        "get_bill",     "get_recommendation", "change_order",
                                        "pay_bill"};
    int none = 0;

    begin();
    json_region_setup();
    json_t *args = json_pack("{s:s, s:s}", "item_name", "gin", "modifiers", "dry");
    json_t *mood = json_pack("{s:s}", "preference", "gin");
    json_t *change = json_pack("{s:s, s:i}", "item_name", "gin", "new_quantity", 3);
    for (size_t limit = 64; limit < 24000; limit += limit < 4096 ? 32 : 512) {
        struct budget b;
        struct region r, scratch;
        struct bar_tab tab = {0};
        struct bar_guest g = {f.menu, &tab, &r, 1};
        budget_init(&b, limit, NULL);
        region_init(&r, &b, 256);
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            region_init(&scratch, &b, 256);
            struct region *before = json_region_enter(&scratch);
            json_t *made = bar_tool_call(&g, names[i],
                                         i == 0   ? args
                                         : i == 4 ? mood
                                         : i == 5 ? change
                                                  : NULL,
                                         NULL);
            none += made == NULL;
            json_region_leave(before);
            region_release(&scratch);
            CHECK(b.used <= limit);
            CHECK_INT(bar_balance_cents(&tab) + bar_tab_cents(&tab) + tab.paid_cents,
                      BAR_START_CENTS);
        }
        region_release(&r);
    }
    CHECK(none > 0);
    json_decref(args);
    json_decref(mood);
    json_decref(change);
    end();
}

static void test_no_memory_for_lines(void)
{
    struct fixture small;

    begin();
    fixture_init(&small, 100);
    struct bar_guest g = {f.menu, &small.tab, &small.region, 1};
    json_t *args = json_pack("{s:s}", "item_name", "gin");
    json_t *made = bar_tool_call(&g, "add_to_order", args, NULL);
    CHECK_STR(json_string_value(json_object_get(made, "error")), "SESSION_MEMORY");
    CHECK_STR(json_string_value(json_object_get(made, "message")),
              "The session's memory budget is used up.");
    CHECK_INT(small.tab.line_count, 0);
    json_decref(made);
    json_decref(args);
    fixture_release(&small);
    end();
}

static const struct tap_case cases[] = {
    {"the table and its schemas", test_table},
    {"wrong arguments are told in words", test_arguments},
    {"numbers may come as text", test_numbers_as_text},
    {"get_menu", test_menu},
    {"get_price", test_price},
    {"get_recommendation", test_recommendation},
    {"add_to_order", test_add},
    {"the order's lines are limited", test_order_limit},
    {"add_to_order_with_balance, get_balance", test_add_with_balance},
    {"modifiers become the menu's words", test_modifiers},
    {"remove_from_order", test_remove},
    {"the plain one among several", test_the_plain_one},
    {"a drink that left the menu", test_remove_unlisted},
    {"change_order", test_change},
    {"get, confirm, place and clear the order", test_order_texts},
    {"set_tip, get_tip", test_tip},
    {"add_tip", test_add_tip},
    {"get_bill", test_bill},
    {"pay_bill", test_pay_bill},
    {"process_crypto_payment", test_crypto_payment},
    {"too little memory is an answer or nothing", test_no_memory},
    {"no memory for a line is an answer", test_no_memory_for_lines},
};

TAP_MAIN(cases)
