#include "cli/curl.h"

#include <dlfcn.h>
#include <string.h>

struct cli_curl cli__curl;

static int find(void *lib, const char *name, void *ret, struct err *e)
{
    void *at = dlsym(lib, name);

    if (!at)
        return err_set(e, ERR_IO, 0, "libcurl has no %s: %s", name, dlerror());
    memcpy(ret, &at, sizeof(at)); /* C knows no cast from data to function */
    return 0;
}

int cli__curl_load(struct err *e)
{
    void *lib = cli__curl.easy_init ? NULL : dlopen("libcurl.so.4", RTLD_NOW);

    if (cli__curl.easy_init)
        return 0;
    if (!lib)
        return err_set(e, ERR_IO, 0, "this command needs libcurl (Debian: libcurl4): %s",
                       dlerror());
#define CURL(member, function)                                                                 \
    if (find(lib, #function, &cli__curl.member, e) < 0)                                        \
        return -1;
#include "cli/curl.def"
#undef CURL
    return 0;
}
