/*
 * listen: the socket that a server listens on, made apart from the server: so that who starts
 * servers can hold it while one takes the place of another. Nobody is refused meanwhile; who
 * comes waits in the socket's queue.
 */
#pragma once

#include "base/err.h"
#include "base/must.h"

/*
 * Bind `host` ("0.0.0.0", "::", "localhost" or "unix:/path"; no names) and `port` (0: any free
 * one). The descriptor is the caller's, closed on exec. It does not listen yet:
 * http_server_new() or net_listen_begin() does that. A socket file that nobody listens on is
 * taken over.
 */
int net_listen_open(const char *host, int port, int *ret_fd, struct err *e) MUST_USE;
int net_listen_begin(int fd, int backlog, struct err *e) MUST_USE;
int net_listen_port(int fd); /* 0 for a socket file */
