/*
 * curl: libcurl, loaded by those who are clients. Linking it makes every start of the program
 * about 5 ms slower (perf stat of an empty program with and without it), for the twenty
 * libraries behind it, and most of what runs calls none of it.
 */
#pragma once

#define CURL_DISABLE_TYPECHECK /* its macros would hide the members below */
#include "base/err.h"

#include <curl/curl.h>

struct curl_functions {
#define CURL(member, function) __typeof__(function) *member;
#include "base/curl.def"
#undef CURL
};

/* The functions once curl_load() has worked; it may be called again. */
extern struct curl_functions curl_lib;
int curl_load(struct err *e) MUST_USE;
