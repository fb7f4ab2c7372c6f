#include "fleet/rotated.c"
#include "unit/tap.h"

/* A service of an app, or with no app another one, that has one secret. */
static json_t *service(const char *app, const char *name, const char *env, const char *file,
                       const char *id)
{
    return json_pack("{s:{s:s, s:{s:s}, s:{s:{s:[s], s:[{s:s, s:{s:s}}]}}}}", "Spec", "Name",
                     name, "Labels", LABEL_APP, app, "TaskTemplate", "ContainerSpec", "Env",
                     env, "Secrets", "SecretID", id, "File", "Name", file);
}

static json_t *secret(const char *id, const char *name, const char *version)
{
    json_t *s = json_pack("{s:s, s:{s:o, s:{s:s, s:s}}}", "ID", id, "Spec", "Name",
                          json_sprintf("%s.%s", name, version), "Labels", LABEL_SECRET, name,
                          LABEL_VERSION, version);
    return s;
}

/* Two objects of "keys", two of "other"; the newest of "keys" is i2, of "other" i4. */
static json_t *secrets(void)
{
    return json_pack("[o, o, o, o]", secret("i4", "other", "10"), secret("i1", "keys", "1"),
                     secret("i2", "keys", "2"), secret("i3", "other", "9"));
}

static json_t *wanted_of(json_t *services)
{
    json_t *all = secrets(), *list = rotated__wanted(services, all);

    json_decref(all);
    return list;
}

static void who_needs_the_newest(void)
{
    static const struct {
        const char *app, *env, *file, *id;
        size_t count;
    } rows[] = {
        {"bar", SAID, "keys", "i1", 1},
        {"bar", SAID, "keys", "i2", 0}, /* has it */
        {"bar", SAID, "strange", "i1", 0},
        {"bar", "A=1", "keys", "i1", 0}, /* not Maya */
        {"bar", VARIABLE "/tmp/secrets,/run/secrets", "keys", "i1", 0},
        {"", SAID, "keys", "i1", 0}, /* one that tries stored sessions */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *services = json_pack(
            "[o]", service(rows[i].app, "bar-v1", rows[i].env, rows[i].file, rows[i].id));
        json_t *list = wanted_of(services);
        CHECK_INT(json_array_size(list), rows[i].count);
        json_decref(list);
        json_decref(services);
    }
}

static void each_once_by_name(void)
{
    json_t *services = json_pack("[o, o, o]", service("a", "a-v1", SAID, "other", "i3"),
                                 service("b", "b-v1", SAID, "keys", "i1"),
                                 service("c", "c-v1", SAID, "keys", "i1"));
    json_t *list = wanted_of(services);

    CHECK_INT(json_array_size(list), 2);
    CHECK_STR(fleet__text(json_array_get(list, 0), "swarm_name"), "keys.2");
    CHECK_STR(fleet__text(json_array_get(list, 1), "swarm_name"), "other.10");
    CHECK_STR(fleet__text(json_array_get(list, 1), "id"), "i4");
    CHECK(rotated__older(json_array_get(services, 1), json_array_get(list, 0)));
    CHECK(!rotated__older(json_array_get(services, 1), json_array_get(list, 1)));
    json_decref(list);
    json_decref(services);
}

static void what_the_keeper_is_given(void)
{
    json_t *apps = json_pack("[o]", service("b", "b-v1", SAID, "keys", "i1"));
    json_t *list = wanted_of(apps), *none = json_array();
    json_t *keeper = service("", ROTATED_KEEPER, "A=1", "b.pem", "c1");
    json_t *services = json_pack("[O]", keeper), *spec = json_object_get(keeper, "Spec");

    CHECK_INT(rotated__differs(services, list), ROTATED_MISSING);
    CHECK_INT(rotated__differs(services, none), 0); /* a certificate is not too much */
    change(list, spec);
    CHECK_INT(rotated__differs(services, list), 0);
    CHECK_INT(json_array_size(given_to(keeper)), 2);
    CHECK_STR(file_of(json_array_get(given_to(keeper), 0)), "b.pem");
    CHECK_STR(file_of(json_array_get(given_to(keeper), 1)), "keys.2.secret");
    CHECK_INT(rotated__differs(services, none), ROTATED_EXTRA);
    change(none, spec);
    CHECK_INT(json_array_size(given_to(keeper)), 1);
    CHECK_INT(rotated__differs(apps, list), 0); /* there is no keeper */
    json_decref(services);
    json_decref(keeper);
    json_decref(none);
    json_decref(list);
    json_decref(apps);
}

static void where_she_looks(void)
{
    json_t *env = json_pack("[s]", "PORT=8000"), *own = json_pack("[s]", VARIABLE "/elsewhere");

    rotated__environment(env);
    rotated__environment(env);
    rotated__environment(own);
    CHECK_INT(json_array_size(env), 2);
    CHECK_STR(json_string_value(json_array_get(env, 1)), SAID);
    CHECK_INT(json_array_size(own), 1);
    json_decref(own);
    json_decref(env);
}

static void names_once_and_in_order(void)
{
    static const char *const names[] = {"b", "c", "a", "b", "c"};
    json_t *list = json_array();

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        add(list, names[i]);
    char *text = json_dumps(list, JSON_COMPACT);
    CHECK_STR(text, "[\"a\",\"b\",\"c\"]");
    free(text);
    json_decref(list);
}

static const struct tap_case cases[] = {
    {"who needs the newest", who_needs_the_newest},
    {"each once, by name", each_once_by_name},
    {"what the keeper is given", what_the_keeper_is_given},
    {"where she looks", where_she_looks},
    {"names once and in order", names_once_and_in_order},
};
TAP_MAIN(cases)
