#include "base/curl.h"

#include "base/library.h"

struct curl_functions curl_lib;

int curl_load(struct err *e)
{
    struct curl_functions found;

    if (curl_lib.easy_init)
        return 0;
    void *lib = library_open(LIBRARY_CURL, ERR_IO, e);
    if (!lib)
        return -1;
#define CURL(member, function)                                                                 \
    if (library_find(lib, LIBRARY_CURL, #function, &found.member, ERR_IO, e) < 0)              \
        return -1;
#include "base/curl.def"
#undef CURL
    curl_lib = found;
    return 0;
}
