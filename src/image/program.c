/*
 * A program with all that the loader will ask for. Libraries are found where the loader would
 * find them: the file's own run path, the folders that the libraries of this very process came
 * from, those of ld.so.conf, the usual ones. In the image all lie in one folder, that of the C
 * library, which every loader looks into without being told.
 */
#include "image/image_int.h"

#include "base/alloc.h"
#include "base/strs.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDERS_MAX 64
#define CONF_DEPTH_MAX 4

/*
 * Libraries of which nothing is called: others are linked with them for what Maya never does.
 * Ours has the same functions and does nothing. Sound cards: libpcaudio brings PulseAudio, X11
 * and systemd, 8 MiB.
 */
extern const char image_silent_pcaudio[], image_silent_pcaudio_end[];
static const struct silent {
    const char *file;
    const char *at, *end;
} silent[] = {{"libpcaudio.so.0", image_silent_pcaudio, image_silent_pcaudio_end}};

struct folders {
    char *at[FOLDERS_MAX];
    size_t count;
};

static void add_path(struct folders *f, const char *path, size_t len)
{
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (len == 0 || *path != '/' || f->count == FOLDERS_MAX)
        return;
    for (size_t i = 0; i < f->count; i++)
        if (strlen(f->at[i]) == len && strncmp(f->at[i], path, len) == 0)
            return;
    f->at[f->count++] = xstrndup(path, len);
}

static int on_loaded(struct dl_phdr_info *info, size_t size, void *ctx)
{
    const char *slash = info->dlpi_name ? strrchr(info->dlpi_name, '/') : NULL;

    (void)size;
    if (slash && strstr(info->dlpi_name, ".so"))
        add_path(ctx, info->dlpi_name, (size_t)(slash - info->dlpi_name));
    return 0;
}

static void add_conf(struct folders *f, const char *pattern, int depth)
{
    glob_t found;

    if (depth > CONF_DEPTH_MAX || glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        FILE *conf = fopen(found.gl_pathv[i], "re");
        char *line = NULL;
        size_t room = 0;
        while (conf && getline(&line, &room, conf) > 0) {
            line[strcspn(line, "#\n")] = '\0';
            struct str s = str_trim(str_of(line));
            char *word = xprintf("%.*s", STR_FMT(s));
            if (strncmp(word, "include ", 8) == 0)
                add_conf(f, word + 8 + strspn(word + 8, " \t"), depth + 1);
            else
                add_path(f, word, strlen(word));
            free(word);
        }
        free(line);
        if (conf)
            fclose(conf);
    }
    globfree(&found);
}

static void all_folders(struct folders *f)
{
    static const char *const usual[] = {"/lib", "/usr/lib", "/lib64", "/usr/lib64"};

    dl_iterate_phdr(on_loaded, f);
    add_conf(f, "/etc/ld.so.conf", 0);
    for (size_t i = 0; i < ARRAY_LEN(usual); i++)
        add_path(f, usual[i], strlen(usual[i]));
}

static void folders_release(struct folders *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->at[i]);
    f->count = 0;
}

/* One file in memory. */
struct mapped {
    void *data;
    size_t len;
    struct image_elf elf;
};

static void unmap(struct mapped *m)
{
    if (m->data)
        munmap(m->data, m->len);
    m->data = NULL;
}

static int map(const char *path, struct mapped *m, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "open '%s'", path);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
        close(fd);
        return err_set(e, ERR_INVALID, 0, "'%s' is no program", path);
    }
    m->len = (size_t)st.st_size;
    m->data = mmap(NULL, m->len, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (m->data == MAP_FAILED) {
        m->data = NULL;
        return err_set(e, ERR_IO, errno, "read '%s'", path);
    }
    if (image__elf_read(path, m->data, m->len, &m->elf, e) < 0) {
        unmap(m);
        return -1;
    }
    return 0;
}

struct closure {
    struct image_tree *tree;
    struct folders folders;
    char *lib; /* where libraries go */
    unsigned machine;
};

/* The file of a library for our machine in a folder, or NULL. */
static char *try_folder(const struct closure *c, const char *folder, const char *file)
{
    char *path = xprintf("%s/%s", folder, file);
    struct mapped m = {0};
    bool fits = map(path, &m, NULL) == 0 && (!c->machine || m.elf.machine == c->machine);

    unmap(&m);
    if (!fits) {
        free(path);
        return NULL;
    }
    return path;
}

/* "$ORIGIN/../lib:/opt/lib" of the file at `from`. */
static char *try_run_path(const struct closure *c, const char *run_path, const char *from,
                          const char *file)
{
    const char *slash = strrchr(from, '/');
    char *found = NULL;

    while (run_path && *run_path && !found) {
        size_t len = strcspn(run_path, ":");
        char *folder = NULL;
        if (strncmp(run_path, "$ORIGIN", 7) == 0 && slash)
            folder =
                xprintf("%.*s%.*s", (int)(slash - from), from, (int)(len - 7), run_path + 7);
        else if (len && !memchr(run_path, '$', len))
            folder = xstrndup(run_path, len);
        if (folder)
            found = try_folder(c, folder, file);
        free(folder);
        run_path += len + (run_path[len] == ':');
    }
    return found;
}

static char *find(const struct closure *c, const char *run_path, const char *from,
                  const char *file)
{
    char *found = *file == '/' ? xstrdup(file) : try_run_path(c, run_path, from, file);

    for (size_t i = 0; i < c->folders.count && !found; i++)
        found = try_folder(c, c->folders.at[i], file);
    return found;
}

/* The file as it is mapped: what lies behind is for debuggers and linkers. */
static void add_mapped(struct image_tree *t, const char *path, const char *source,
                       const struct mapped *m)
{
    struct image_entry *entry = image__entry(t, path, IMAGE_ENTRY_FILE);

    entry->mode = 0755;
    entry->size = m->elf.loaded;
    entry->source = xstrdup(source);
    image__elf_head(m->data, entry->head);
    entry->head_len = IMAGE_HEAD_MAX;
}

static bool add_silent(struct closure *c, const char *path, const char *file)
{
    for (size_t i = 0; i < ARRAY_LEN(silent); i++) {
        if (strcmp(silent[i].file, file) != 0)
            continue;
        image_add_bytes(c->tree, path, 0755, silent[i].at,
                        (size_t)(silent[i].end - silent[i].at));
        return true;
    }
    return false;
}

static int add_file(struct closure *c, const char *path, const char *source, struct err *e);

static int add_library(struct closure *c, const char *file, const char *run_path,
                       const char *from, struct err *e)
{
    const char *slash = strrchr(file, '/');
    char *path = xprintf("%s/%s", c->lib + 1, slash ? slash + 1 : file);
    char *source = NULL;
    int rc = 0;

    if (!image__find(c->tree, path) && !add_silent(c, path, slash ? slash + 1 : file)) {
        source = find(c, run_path, from, file);
        rc = source ? add_file(c, path, source, e)
                    : err_set(e, ERR_NOT_FOUND, 0,
                              "%s is not on this machine, and %s needs it; install the package "
                              "that has it",
                              file, from);
    }
    free(source);
    free(path);
    return rc;
}

/* The file, and what it needs; as deep as libraries need each other, each once. */
static int add_file(struct closure *c, const char *path, const char *source, struct err *e)
{
    struct mapped m = {0};
    int rc = 0;

    if (map(source, &m, e) < 0)
        return -1;
    add_mapped(c->tree, path, source, &m);
    if (m.elf.loader && *m.elf.loader == '/' && !image__find(c->tree, m.elf.loader + 1)) {
        struct mapped loader = {0};
        rc = map(m.elf.loader, &loader, e);
        if (rc == 0)
            add_mapped(c->tree, m.elf.loader + 1, m.elf.loader, &loader);
        unmap(&loader);
    }
    for (size_t i = 0; rc == 0 && i < m.elf.needed_count; i++)
        rc = add_library(c, m.elf.needed[i], m.elf.run_path, source, e);
    unmap(&m);
    return rc;
}

/* Libraries go where the C library is looked for. */
static void begin(struct closure *c, struct image_tree *t)
{
    static const char *const names[] = {"libc.so.6", "libc.so"};
    struct mapped self = {0};

    *c = (struct closure){.tree = t};
    if (map("/proc/self/exe", &self, NULL) == 0)
        c->machine = self.elf.machine;
    unmap(&self);
    all_folders(&c->folders);
    for (size_t i = 0; i < ARRAY_LEN(names) && !c->lib; i++) {
        char *libc = find(c, NULL, "/", names[i]);
        if (libc)
            c->lib = xprintf("%.*s", (int)(strrchr(libc, '/') - libc), libc);
        free(libc);
    }
    if (!c->lib)
        c->lib = xstrdup("/lib");
}

static void end(struct closure *c)
{
    folders_release(&c->folders);
    free(c->lib);
}

int image_add_program(struct image_tree *t, const char *path, const char *source, struct err *e)
{
    struct closure c;

    begin(&c, t);
    while (*path == '/')
        path++;
    int rc = add_file(&c, path, source, e);
    end(&c);
    return rc;
}

int image_add_library(struct image_tree *t, const char *file, struct err *e)
{
    struct closure c;

    begin(&c, t);
    int rc = add_library(&c, file, NULL, "Maya", e);
    end(&c);
    return rc;
}

int image__data_folder(const char *name, char ret[PATH_MAX], struct err *e)
{
    struct folders f = {0};
    int rc = -1;

    all_folders(&f);
    add_path(&f, "/usr/share", strlen("/usr/share"));
    for (size_t i = 0; i < f.count && rc < 0; i++) {
        /* What is compiled into the libraries begins with /usr, where /lib is only a link. */
        static const char *const below[] = {"/usr", ""};
        for (size_t j = 0; j < ARRAY_LEN(below) && rc < 0; j++) {
            snprintf(ret, PATH_MAX, "%s%s/%s", below[j], f.at[i], name);
            rc = access(ret, R_OK);
        }
    }
    folders_release(&f);
    return rc < 0 ? err_set(e, ERR_NOT_FOUND, 0, "no folder %s on this machine", name) : 0;
}
