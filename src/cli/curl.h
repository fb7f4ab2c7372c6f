/*
 * curl: libcurl, loaded by the commands that are clients. Linking it makes every start of the
 * program about 5 ms slower (perf stat of an empty program with and without it), for the twenty
 * libraries behind it, and `maya serve` calls none of it. Private to cli/.
 */
#pragma once

#define CURL_DISABLE_TYPECHECK /* its macros would hide the members below */
#include "base/err.h"

#include <curl/curl.h>

struct cli_curl {
#define CURL(member, function) __typeof__(function) *member;
#include "cli/curl.def"
#undef CURL
};

/* The functions once cli__curl_load() has worked; it may be called again. */
extern struct cli_curl cli__curl;
int cli__curl_load(struct err *e) MUST_USE;
