/* `maya docs NAME`: pages made from the tables. */
#include "cli/cli.h"
#include "cli/cli_int.h"

#include "api/api.h"
#include "base/strs.h"
#include "config/config.h"
#include "fleet/fleet.h"
#include "metric/metric.h"

#include <stdio.h>
#include <string.h>

static void errors(struct buf *out)
{
    buf_str(
        out,
        "# Errors\n\n<!-- Made from src/base/err.def; do not edit. -->\n\n"
        "Every error of the API carries `code`, which is stable, and `detail`, which is "
        "for people. The sentence is\nwhat `detail` says when the place of failure has "
        "nothing better.\n\n| code | status | Retry-After | sentence |\n|---|---|---|---|\n");
    for (int code = ERR_NONE + 1; code < ERR__COUNT; code++) {
        buf_printf(out, "| `%s` | %d | ", err_code_text((enum err_code)code),
                   err_status((enum err_code)code));
        if (err_retry_after_s((enum err_code)code))
            buf_printf(out, "%d s", err_retry_after_s((enum err_code)code));
        buf_printf(out, " | %s |\n", err_sentence((enum err_code)code));
    }
}

static const struct page {
    const char *name;
    void (*write)(struct buf *out);
} pages[] = {
    {"api", api_markdown},          {"commands", cli_commands_markdown},
    {"config", config_markdown},    {"deploy-yaml", spec_markdown},
    {"deploy-schema", spec_schema}, {"errors", errors},
    {"metrics", metric_markdown},
};

const char *cli__page_name(unsigned i)
{
    return i < ARRAY_LEN(pages) ? pages[i].name : NULL;
}

int cmd_docs(int argc, char **argv)
{
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        if (argc == 2 && strcmp(argv[1], pages[i].name) == 0) {
            pages[i].write(&out);
            fputs(buf_text(&out), stdout);
            buf_release(&out);
            return CLI_OK;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(pages); i++)
        buf_printf(&out, "%s%s",
                   i == 0                     ? ""
                   : i + 1 < ARRAY_LEN(pages) ? ", "
                                              : " or ",
                   pages[i].name);
    int code = CLI_OK;
    if (cli_wants_help(argc, argv)) {
        struct buf more = BUF_INIT;
        buf_printf(&more, "NAME is %s.\n", buf_text(&out));
        code = cli_usage("docs", buf_text(&more));
        buf_release(&more);
    } else {
        code = cli_fail_with(CLI_USAGE, "docs needs one name: %s", buf_text(&out));
    }
    buf_release(&out);
    return code;
}
