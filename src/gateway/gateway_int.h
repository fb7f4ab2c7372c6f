/* Private to gateway/. */
#pragma once

#include "gateway/gateway.h"

#define GATEWAY_PORT_MAX 65535
#define GATEWAY__LEAVING "proc.leaving" /* a variable of HAProxy's: another takes its place */
/* HAProxy makes the socket under a longer name first. */
#define GATEWAY_PATH_MAX 90

/* check.c: words that need no quotes in a configuration, and lie within bounds. */
bool gateway__is_path(const char *s, size_t max);
bool gateway__is_address(const char *s);
/* "ADDRESS:PORT", "[ADDRESS]:PORT": the address without brackets, and the port. */
bool gateway__split(const char *s, char *ret_address, size_t size, unsigned *ret_port);
