/*
 * library: the shared libraries that are loaded when they are needed (library.def). Linking one
 * makes every start of the program slower, also of what never calls it. Once loaded it stays.
 */
#pragma once

#include "base/err.h"

enum library_id {
#define LIBRARY(id, file, package) LIBRARY_##id,
#include "base/library.def"
#undef LIBRARY
    LIBRARY__COUNT
};

const char *library_file(enum library_id id);
/* dlopen()'s handle; NULL and an error of that code when it is not there. */
void *library_open(enum library_id id, enum err_code code, struct err *e) MUST_USE;
/* The function, or an error; `ret` is the address of a pointer to such a function. */
int library_find(void *lib, enum library_id id, const char *name, void *ret, enum err_code code,
                 struct err *e) MUST_USE;
