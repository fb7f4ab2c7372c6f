/* The stream of an OpenAI-compatible server. */
#include "fuzz/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_stream(&cloud__openai, data, size);
}
