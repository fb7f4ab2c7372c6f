/* Shared libraries that are loaded when they are needed, so that nobody else waits for them. */
#include "voice/voice_int.h"

#include <dlfcn.h>
#include <string.h>

int voice__library(const char *file, const char *package, const struct voice_symbol *symbols,
                   size_t count, struct err *e)
{
    void *lib = dlopen(file, RTLD_NOW | RTLD_LOCAL);

    if (!lib)
        return err_set(e, ERR_VOICE, 0, "this needs %s (Debian: %s): %s", file, package,
                       dlerror());
    for (size_t i = 0; i < count; i++) {
        void *at = dlsym(lib, symbols[i].name);
        if (!at)
            return err_set(e, ERR_VOICE, 0, "%s has no %s", file, symbols[i].name);
        memcpy(symbols[i].at, &at, sizeof(at)); /* C knows no cast from data to function */
    }
    return 0;
}
