#include "base/files.c"
#include "unit/tap.h"

#include <fcntl.h>
#include <unistd.h>

static char folder[64], below[96];

static void put(const char *name, const char *text)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    if (f) {
        fputs(text, f);
        fclose(f);
    }
}

static struct files *see(bool flat)
{
    const char *const paths[] = {folder, "/nowhere/at/all"};

    return files_look(paths, ARRAY_LEN(paths), flat);
}

/* What is another now than `before`, which is replaced; "" for nothing. */
static const char *changed(struct files **before, bool flat)
{
    static char name[160];
    struct files *now = see(flat);
    const char *which = files_changed(*before, now);

    snprintf(name, sizeof(name), "%s", which ? which + strlen(folder) : "");
    files_free(before);
    *before = now;
    return name;
}

static void begin(void)
{
    snprintf(folder, sizeof(folder), "/tmp/files-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(below, sizeof(below), "%s/below", folder);
    CHECK_INT(mkdir(below, 0700), 0);
}

static void end(void)
{
    char command[160];
    static const char *const names[] = {"a", "b", "c", ".hidden", "a~", "below/d", "link"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(command, sizeof(command), "%s/%s", folder, names[i]);
        unlink(command);
    }
    CHECK_INT(rmdir(below), 0);
    CHECK_INT(rmdir(folder), 0);
}

static void sees_every_kind_of_change(void)
{
    begin();
    put("a", "1");
    struct files *f = see(false);
    CHECK_STR(changed(&f, false), "");
    put("a", "22");
    CHECK_STR(changed(&f, false), "/a");
    put("b", "1");
    CHECK_STR(changed(&f, false), "/b");
    put("below/d", "1");
    CHECK_STR(changed(&f, false), "/below/d");
    char from[160], to[160];
    snprintf(from, sizeof(from), "%s/b", folder);
    snprintf(to, sizeof(to), "%s/a", folder);
    CHECK_INT(rename(from, to), 0); /* another file, and one less */
    CHECK_STR(changed(&f, false), "/a");
    CHECK_STR(changed(&f, false), "");
    const struct timespec then[2] = {{.tv_sec = 5}, {.tv_sec = 5}};
    CHECK_INT(utimensat(AT_FDCWD, to, then, 0), 0);
    CHECK_STR(changed(&f, false), "/a");
    CHECK_INT(unlink(to), 0);
    CHECK_STR(changed(&f, false), "/a");
    files_free(&f);
    end();
}

static void leaves_out_what_editors_keep(void)
{
    begin();
    struct files *f = see(false);
    put(".hidden", "1");
    put("a~", "1");
    CHECK_STR(changed(&f, false), "");
    files_free(&f);
    end();
}

static void flat_is_one_folder_and_links_are_followed(void)
{
    char target[160], link_name[160];

    begin();
    put("below/d", "1");
    struct files *f = see(true);
    CHECK_INT(f->count, 0);
    snprintf(target, sizeof(target), "%s/below/d", folder);
    snprintf(link_name, sizeof(link_name), "%s/link", folder);
    CHECK_INT(symlink(target, link_name), 0);
    CHECK_STR(changed(&f, true), "/link");
    put("below/d", "other");
    CHECK_STR(changed(&f, true), "/link");
    files_free(&f);
    end();
}

static const struct tap_case cases[] = {
    {"sees every kind of change", sees_every_kind_of_change},
    {"leaves out what editors keep beside the file", leaves_out_what_editors_keep},
    {"flat is one folder, and links are followed", flat_is_one_folder_and_links_are_followed},
};

TAP_MAIN(cases)
