/* The functions of a library, by a table. */
#include "voice/voice_int.h"

int voice__library(enum library_id id, const struct voice_symbol *symbols, size_t count,
                   struct err *e)
{
    void *lib = library_open(id, ERR_VOICE, e);

    if (!lib)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (library_find(lib, id, symbols[i].name, symbols[i].at, ERR_VOICE, e) < 0)
            return -1;
    return 0;
}
