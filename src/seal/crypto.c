/* libcrypto's functions. */
#include "seal/crypto.h"

#include "base/library.h"

struct seal_crypto seal__crypto;

int seal__crypto_load(struct err *e)
{
    static bool loaded;

    if (loaded)
        return 0;
    void *lib = library_open(LIBRARY_CRYPTO, ERR_IO, e);
    if (!lib)
        return -1;
#define FUNCTION(name)                                                                         \
    if (library_find(lib, LIBRARY_CRYPTO, #name, &seal__crypto.name, ERR_IO, e) < 0)           \
        return -1;
#include "seal/crypto.def"
#undef FUNCTION
    loaded = true;
    return 0;
}
