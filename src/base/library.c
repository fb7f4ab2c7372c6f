#include "base/library.h"

#include <dlfcn.h>
#include <string.h>

static const struct row {
    const char *file, *package;
} rows[LIBRARY__COUNT] = {
#define LIBRARY(id, file, package) [LIBRARY_##id] = {file, package},
#include "base/library.def"
#undef LIBRARY
};

const char *library_file(enum library_id id)
{
    return rows[id].file;
}

void *library_open(enum library_id id, enum err_code code, struct err *e)
{
    void *lib = dlopen(rows[id].file, RTLD_NOW | RTLD_LOCAL);

    if (!lib)
        err_set(e, code, 0, "this needs %s (Debian: %s): %s", rows[id].file, rows[id].package,
                dlerror());
    return lib;
}

int library_find(void *lib, enum library_id id, const char *name, void *ret, enum err_code code,
                 struct err *e)
{
    void *at = dlsym(lib, name);

    if (!at)
        return err_set(e, code, 0, "%s has no %s", rows[id].file, name);
    memcpy(ret, &at, sizeof(at)); /* C knows no cast from data to function */
    return 0;
}
