/* Private to fleet/: the gateway and the keeper as services. */
#pragma once

#include "base/err.h"
#include "base/must.h"

struct engine;

/* What the two share: HAProxy's configuration, its sockets, certificates. */
#define FRONT_VOLUME "maya-front"

struct front_cfg {
    int http_port, https_port; /* 0: none; -1: as it is, or FRONT_HTTP_PORT and none */
};
#define FRONT_HTTP_PORT 8080
/* See that both run, as this program would have them. */
int fleet__front(struct engine *en, const struct front_cfg *wanted, struct err *e) MUST_USE;
/*
 * Would it do for this app: are the ports free, can its certificate be shown, are its names no
 * other app's (hosts.c)? ERR_CONFIG when not. Nothing is changed.
 */
struct spec;
int fleet__front_check(struct engine *en, const struct front_cfg *wanted, const struct spec *s,
                       struct err *e) MUST_USE;
/*
 * hosts.c: is the app's name one of its own to the engine, and does no app that runs have one
 * of its hosts, or one under which its new versions are tried? Then the gateway takes all of
 * them.
 */
int fleet__hosts_check(struct engine *en, const struct spec *s, struct err *e) MUST_USE;
/* The same of two: with another app, and with the version of its own that serves. */
int fleet__hosts_compare(const struct spec *s, const char *other, const struct spec *theirs,
                         struct err *e) MUST_USE;
int fleet__hosts_compare_own(const struct spec *s, const struct spec *before,
                             struct err *e) MUST_USE;
/* The ports it has, or would have. */
int fleet__front_ports(struct engine *en, struct front_cfg *ret, struct err *e) MUST_USE;
