/* Where the files are that a person edits: the agent folder, and those of the page. */
#include "cli/cli_int.h"

#include "base/strs.h"
#include "config/config.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The folder of the program itself, "" when the kernel does not tell. */
static void program_folder(char ret[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 1);

    ret[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(ret, '/');
    if (slash)
        *slash = '\0';
}

int cli__find_agent(const struct config *c, char ret[PATH_MAX], struct err *e)
{
    static const char *const beside[] = {"../agents/maya", "../share/maya/agents/maya"};
    const char *asked = config_text(c, C_AGENT);
    char exe[PATH_MAX], near[ARRAY_LEN(beside)][PATH_MAX + 32], file[PATH_MAX + 64];

    if (asked && *asked) {
        str_copy(ret, PATH_MAX, asked);
        return 0;
    }
    program_folder(exe);
    for (size_t i = 0; i < ARRAY_LEN(beside); i++)
        snprintf(near[i], sizeof(near[i]), "%s/%s", exe, beside[i]);
    const char *const places[] = {"agents/maya", near[0], near[1],
                                  MAYA_PREFIX "/share/maya/agents/maya"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        snprintf(file, sizeof(file), "%s/agent.yaml", places[i]);
        if (access(file, R_OK) == 0) {
            str_copy(ret, PATH_MAX, places[i]);
            return 0;
        }
    }
    return err_set(e, ERR_AGENT, 0,
                   "no agent folder in agents/maya here, beside the program or in "
                   "%s/share/maya; name one with --agent",
                   MAYA_PREFIX);
}

bool cli__find_web(char ret[PATH_MAX])
{
    char exe[PATH_MAX], near[PATH_MAX + 32], file[PATH_MAX + 64];

    program_folder(exe);
    snprintf(near, sizeof(near), "%s/../web", exe);
    const char *const places[] = {"web", near};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        snprintf(file, sizeof(file), "%s/index.html", places[i]);
        if (access(file, R_OK) == 0)
            return str_copy(ret, PATH_MAX, places[i]);
    }
    return false;
}
