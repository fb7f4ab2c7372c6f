#include "base/curl.h"

#include <dlfcn.h>
#include <string.h>

struct curl_functions curl_lib;

static int find(void *lib, const char *name, void *ret, struct err *e)
{
    void *at = dlsym(lib, name);

    if (!at)
        return err_set(e, ERR_IO, 0, "libcurl has no %s: %s", name, dlerror());
    memcpy(ret, &at, sizeof(at)); /* C knows no cast from data to function */
    return 0;
}

int curl_load(struct err *e)
{
    struct curl_functions found;

    if (curl_lib.easy_init)
        return 0;
    void *lib = dlopen("libcurl.so.4", RTLD_NOW);
    if (!lib)
        return err_set(e, ERR_IO, 0, "this needs libcurl (Debian: libcurl4): %s", dlerror());
#define CURL(member, function)                                                                 \
    if (find(lib, #function, &found.member, e) < 0)                                            \
        return -1;
#include "base/curl.def"
#undef CURL
    curl_lib = found;
    return 0;
}
