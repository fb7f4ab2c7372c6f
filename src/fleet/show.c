/* Which certificate an app shows while its versions change. */
#include "fleet/show.h"

#include "fleet/cert.h"

#include <stdlib.h>
#include <string.h>

int show__check(struct engine *en, const struct spec *spec, struct err *e)
{
    struct front_cfg ports;
    char *cert = NULL;

    if (fleet__cert_find(en, spec, &cert, e) < 0)
        return -1;
    if (!cert)
        return 0;
    free(cert);
    if (fleet__front_ports(en, &ports, e) < 0)
        return -1;
    return ports.https_port ? 0
                            : err_set(e, ERR_CONFIG, 0,
                                      "that version has a certificate, and the gateway has no "
                                      "port for HTTPS any more; `maya deploy --https 443` "
                                      "gives it one");
}

int show__prepare(struct show *s, const struct spec *spec, bool files, struct err *e)
{
    if (fleet__cert_shown(s->en, s->app, &s->before, e) < 0)
        return -1;
    return files ? fleet__cert_keep(s->en, spec, &s->cert, &s->made, e)
                 : fleet__cert_find(s->en, spec, &s->cert, e);
}

static bool same(const struct show *s)
{
    return s->cert && s->before ? strcmp(s->cert, s->before) == 0 : s->cert == s->before;
}

int show__begin(struct show *s, struct err *e)
{
    if (same(s))
        return 0;
    s->began = true;
    if (fleet__cert_show(s->en, s->app, s->cert, e) < 0)
        return -1;
    return fleet__front(s->en, s->front, e);
}

void show__take_back(struct show *s)
{
    struct err ignored;

    /* Where the keeper cannot be told, the next one who can tells it. */
    if (s->began && (fleet__cert_show(s->en, s->app, s->before, &ignored) < 0 ||
                     fleet__front(s->en, s->front, &ignored) < 0))
        return;
    if (s->made && s->cert)
        fleet__cert_forget(s->en, s->cert);
    s->began = s->made = false;
}

void show__release(struct show *s)
{
    free(s->cert);
    free(s->before);
    *s = (struct show){0};
}
