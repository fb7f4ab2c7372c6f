/* Every option is in the help and the page, and neither breaks its form. */
#include "config/help.c"
#include "unit/tap.h"

static void help_is_whole(void)
{
    struct buf out = BUF_INIT;

    config_help(&out);
    for (int id = 0; id < CONFIG__COUNT; id++) {
        char flag[60];
        snprintf(flag, sizeof(flag), "  --%s", config__rows[id].flag);
        CHECK(strstr(buf_text(&out), config__rows[id].env));
        CHECK(!*config__rows[id].flag || strstr(buf_text(&out), flag));
    }
    CHECK(strstr(buf_text(&out), "\nSessions and memory\n"));
    CHECK(strstr(buf_text(&out), "MODAL_MEMORY_MB: 64 to 16777216 MiB; default 4096\n"));
    CHECK(strstr(buf_text(&out), "only from the environment, a file of secrets or .env\n"));
    CHECK(strstr(buf_text(&out), "MAYA_DATA_DIR, default data\n"));
    CHECK(strstr(buf_text(&out),
                 "MAYA_LOG_LEVEL: debug, info, warning or error; default info\n"));
    buf_release(&out);
}

static void help_is_narrow(void)
{
    struct buf out = BUF_INIT;
    size_t widest = 0;

    config_help(&out);
    for (const char *line = buf_text(&out); *line; line += strcspn(line, "\n") + 1) {
        size_t n = strcspn(line, "\n");
        widest = n > widest ? n : widest;
        CHECK(n == 0 || line[n - 1] != ' ');
    }
    CHECK(widest <= WIDTH);
    CHECK(widest > 80);
    CHECK(out.len && out.data[out.len - 1] == '\n');
    buf_release(&out);
}

static void wraps(void)
{
    struct buf out = BUF_INIT;
    char text[200];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    text[66] = ' ';
    wrap(&out, text); /* 66 fill the line; what is too long for any line stays whole */
    CHECK(strncmp(out.data + 66, "\n                              x", 32) == 0);
    buf_clear(&out);
    wrap(&out, "");
    CHECK_STR(buf_text(&out), "\n");
    buf_release(&out);
}

static void markdown(void)
{
    struct buf out = BUF_INIT;
    int rows = 0;

    config_markdown(&out);
    for (const char *line = buf_text(&out); *line; line += strcspn(line, "\n") + 1) {
        int bars = 0;
        if (*line != '|')
            continue;
        for (size_t i = 0; line[i] != '\n'; i++)
            bars += line[i] == '|' && (i == 0 || line[i - 1] != '\\');
        CHECK_INT(bars, 6);
        rows += strncmp(line, "| `", 3) == 0;
    }
    CHECK_INT(rows, CONFIG__COUNT);
    CHECK(strstr(buf_text(&out), "| `PORT` | `--port` | `8000` | 0 to 65535 | Port to listen"));
    CHECK(strstr(buf_text(&out), "| `GEMINI_API_KEY` |  |  | secret |"));
    buf_release(&out);
}

static const struct tap_case cases[] = {
    {"help names every option", help_is_whole},
    {"help fits a terminal", help_is_narrow},
    {"wrapping", wraps},
    {"markdown has a row for every option", markdown},
};

TAP_MAIN(cases)
