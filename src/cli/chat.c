/* `maya chat`: a conversation in a terminal, or one answer a line for a program. */
#include "cli/cli_int.h"

#include "cli/cli.h"

#include "base/alloc.h"
#include "base/strs.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

struct chat {
    struct cli_client client;
    struct cli_screen screen;
    bool answered; /* this turn has shown something */
    bool quit;
    int code; /* of the exit */
};

static void on_interrupt(int signal)
{
    interrupted = signal;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));

    return s ? s : "";
}

static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

/* To stderr, so that a program which reads the answers is not told it as one. */
static void complain(struct chat *chat, const struct err *e)
{
    if (e->code == ERR_STOPPED) {
        cli__screen_note(&chat->screen, "(stopped)");
        return;
    }
    int code = cli_fail(e);
    if (!chat->screen.decorated) {
        chat->code = code;
        chat->quit = true; /* the next line may lean on this one */
    }
}

static void show_tab(struct chat *chat, const json_t *sum, bool asked)
{
    struct buf text = BUF_INIT;
    double tip = number_of(sum, "tip_amount");

    buf_printf(&text, "tab $%.2f", number_of(sum, "tab_amount"));
    if (tip > 0)
        buf_printf(&text, ", tip $%.2f", tip);
    if (tip > 0 && json_is_integer(json_object_get(sum, "tip_percentage")))
        buf_printf(&text, " (%.0f%%)", number_of(sum, "tip_percentage"));
    buf_printf(&text, ", balance $%.2f", number_of(sum, "balance"));
    if (asked)
        cli__screen_line(&chat->screen, buf_text(&text));
    else
        cli__screen_note(&chat->screen, "%s", buf_text(&text));
    buf_release(&text);
}

/* turns */

static void on_text(void *self, const char *text)
{
    struct chat *chat = self;

    chat->answered = true;
    cli__screen_words(&chat->screen, text);
}

static void end_words(struct chat *chat)
{
    if (chat->answered)
        cli__screen_end(&chat->screen);
    chat->answered = false;
}

static void on_lost(void *self)
{
    struct chat *chat = self;

    if (chat->screen.decorated)
        end_words(chat);
    cli__screen_note(&chat->screen, "(the connection broke off; trying again)");
}

static void on_complete(void *self, json_t *event)
{
    struct chat *chat = self;
    const json_t *sum = json_object_get(event, "payment_summary");

    if (!chat->answered && !chat->screen.decorated)
        chat->answered = true; /* an answer without words is a line all the same */
    end_words(chat);
    if (json_is_object(sum))
        show_tab(chat, sum, false);
}

static void say(struct chat *chat, const char *line)
{
    const struct cli_turn_sink sink = {on_text, on_lost, on_complete, chat};
    struct err e = {0};

    chat->answered = false;
    if (cli__client_turn(&chat->client, line, &sink, &e) < 0) {
        end_words(chat);
        complain(chat, &e);
    }
}

/* commands */

/* The answer to a GET (or a POST with `body`, taken), NULL after a complaint. */
static json_t *ask(struct chat *chat, const char *path, json_t *body)
{
    json_t *root = NULL;
    struct err e = {0};

    if (cli__client_json(&chat->client, path, body, &root, &e) < 0)
        complain(chat, &e);
    json_decref(body);
    return root;
}

static void run_order(struct chat *chat, const char *argument)
{
    json_t *root = ask(chat, "/session/history", NULL), *item;
    const json_t *order = json_object_get(root, "current_order");
    size_t i;

    (void)argument;
    if (root && json_array_size(order) == 0)
        cli__screen_line(&chat->screen, "Nothing is ordered.");
    json_array_foreach(order, i, item)
    {
        const char *how = text_of(item, "modifiers");
        if (strcmp(how, "no modifiers") == 0)
            how = "";
        struct buf line = BUF_INIT;
        buf_printf(&line, "%2.0f x %s%s%s  $%.2f", number_of(item, "quantity"),
                   text_of(item, "name"), *how ? ", " : "", how, number_of(item, "price"));
        cli__screen_line(&chat->screen, buf_text(&line));
        buf_release(&line);
    }
    json_decref(root);
}

static void run_tab(struct chat *chat, const char *argument)
{
    json_t *root = ask(chat, "/payments/tab", NULL);

    (void)argument;
    if (root)
        show_tab(chat, root, true);
    json_decref(root);
}

static void run_menu(struct chat *chat, const char *argument)
{
    json_t *root = ask(chat, "/menu", NULL), *category, *item;
    size_t i, k;

    (void)argument;
    json_array_foreach(json_object_get(root, "categories"), i, category)
    {
        cli__screen_line(&chat->screen, text_of(category, "name"));
        json_array_foreach(json_object_get(category, "items"), k, item)
        {
            struct buf line = BUF_INIT;
            const char *about = text_of(item, "description");
            buf_printf(&line, "  %-20s $%6.2f%s%s", text_of(item, "name"),
                       number_of(item, "price"), *about ? "  " : "", about);
            cli__screen_line(&chat->screen, buf_text(&line));
            buf_release(&line);
        }
    }
    json_decref(root);
}

static void run_tip(struct chat *chat, const char *argument)
{
    bool amount = *argument == '$';
    size_t n = strlen(argument);
    char *number = xstrndup(argument + amount, n - amount);
    double value;
    json_t *root = NULL;

    n = strlen(number);
    if (n && !amount && number[n - 1] == '%')
        number[n - 1] = '\0';
    if (!str_to_double(number, &value) || value < 0 || value > 1e6 ||
        (!amount && value != (double)(int)value))
        cli__screen_line(&chat->screen, "A tip is 10, 15 or 20 per cent, as in /tip 20, or an "
                                        "amount, as in /tip $5.");
    else if (amount)
        root = ask(chat, "/payments/tip", json_pack("{s:f}", "tip_amount", value));
    else
        root = ask(chat, "/payments/tip", json_pack("{s:i}", "tip_percentage", (int)value));
    if (root)
        show_tab(chat, root, true);
    json_decref(root);
    free(number);
}

static void run_reset(struct chat *chat, const char *argument)
{
    json_t *root = ask(chat, "/session/reset", json_object());

    (void)argument;
    if (root)
        cli__screen_line(&chat->screen, "A fresh start: nothing is ordered.");
    json_decref(root);
}

static void run_help(struct chat *chat, const char *argument);

static void run_quit(struct chat *chat, const char *argument)
{
    (void)argument;
    chat->quit = true;
}

static const struct {
    const char *name, *argument, *sentence;
    void (*run)(struct chat *chat, const char *argument);
} commands[] = {
#define COMMAND(name, argument, sentence) {#name, argument, sentence, run_##name},
#include "cli/chat.def"
#undef COMMAND
};

static void run_help(struct chat *chat, const char *argument)
{
    char name[24];

    (void)argument;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        snprintf(name, sizeof(name), "/%s %s", commands[i].name, commands[i].argument);
        fprintf(chat->screen.out, "  %-10s %s\n", name, commands[i].sentence);
    }
    fprintf(chat->screen.out, "  %-10s %s\n", "Ctrl-C", "Stop the answer.");
    cli__screen_line(&chat->screen, "All else is said to Maya.");
}

static void run_command(struct chat *chat, const char *line)
{
    struct str name = {line + 1, strcspn(line + 1, " \t")};
    const char *argument = name.data + name.len + strspn(name.data + name.len, " \t");
    const char *near = NULL;
    int best = 3;

    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (str_eq_nocase(name, commands[i].name)) {
            commands[i].run(chat, argument);
            return;
        }
        char *typed = xstrndup(name.data, name.len);
        int d = str_distance(commands[i].name, typed, best);
        if (d < best) {
            best = d;
            near = commands[i].name;
        }
        free(typed);
    }
    struct err e;
    if (near)
        err_set(&e, ERR_INVALID, 0, "there is no /%.*s; did you mean /%s?",
                (int)(name.len < 40 ? name.len : 40), name.data, near);
    else
        err_set(&e, ERR_INVALID, 0, "there is no /%.*s; /help lists what there is",
                (int)(name.len < 40 ? name.len : 40), name.data);
    complain(chat, &e);
}

/* the conversation */

/*
 * The prompt, and then until a line can be read; a terminal gives one at a time, so that stdin
 * keeps none back. False: Ctrl-C, which is let in with the wait only: one that came just before
 * would change nothing.
 */
static bool wait_for_line(struct chat *chat)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    sigset_t blocked, before;

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    interrupted = 0;
    cli__screen_prompt(&chat->screen);
    if (chat->screen.decorated)
        (void)ppoll(&in, 1, NULL, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return !interrupted;
}

/* The next line without its newline, or NULL at the end. Ctrl-C gives an empty one. */
static char *next_line(struct chat *chat)
{
    char *line = NULL;
    size_t cap = 0;
    bool stopped = !wait_for_line(chat);

    errno = 0;
    ssize_t n = stopped ? 0 : getline(&line, &cap, stdin);
    if (stopped || (n < 0 && errno == EINTR && interrupted)) {
        clearerr(stdin);
        free(line);
        cli__screen_note(&chat->screen, "\n(Ctrl-D leaves)");
        return xstrdup("");
    }
    if (n < 0) {
        free(line);
        return NULL;
    }
    struct str text = str_trim((struct str){line, strlen(line)});
    char *trimmed = xstrndup(text.data, text.len);
    free(line);
    return trimmed;
}

/* Who answers there, and what she says first. */
static bool greet(struct chat *chat, bool returning)
{
    json_t *status = ask(chat, "/session/status", NULL), *agent = NULL;
    const char *id = text_of(status, "session_id");
    struct err e;

    if (!status) {
        if (chat->code == CLI_OK)
            chat->code = CLI_FAILED;
        return false;
    }
    if (!chat->client.session[0] && cli__session_ok(id))
        str_copy(chat->client.session, sizeof(chat->client.session), id);
    json_decref(status);
    cli__screen_note(&chat->screen, "Maya at %s. /help tells what you can type.",
                     chat->client.shown);
    if (chat->screen.decorated && !returning &&
        cli__client_json(&chat->client, "/agent", NULL, &agent, &e) == 0 &&
        *text_of(agent, "greeting")) {
        fputc('\n', chat->screen.out);
        cli__screen_words(&chat->screen, text_of(agent, "greeting"));
        cli__screen_end(&chat->screen);
    }
    json_decref(agent);
    return true;
}

static void converse(struct chat *chat)
{
    char *line;

    while (!chat->quit && (line = next_line(chat))) {
        if (*line == '/')
            run_command(chat, line);
        else if (*line)
            say(chat, line);
        explicit_bzero(line, strlen(line));
        free(line);
        if (ferror(chat->screen.out))
            break; /* nobody reads us any more */
    }
    if (chat->client.session[0])
        cli__screen_note(&chat->screen, "%sTo go on later: maya chat %s --session %s",
                         chat->quit ? "" : "\n", chat->client.shown, chat->client.session);
}

static int talk(const char *url, const char *session)
{
    struct chat chat = {.code = CLI_OK};
    struct sigaction stop = {.sa_handler = on_interrupt}; /* no SA_RESTART: getline returns */
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct err e = {0};
    bool person = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);

    sigaction(SIGPIPE, &ignore, NULL);
    if (person)
        sigaction(SIGINT, &stop, NULL);
    cli__screen_init(&chat.screen, stdout, person);
    if (cli__client_open(&chat.client, url, &interrupted, &e) < 0) {
        chat.code = cli_fail(&e);
    } else {
        if (session)
            str_copy(chat.client.session, sizeof(chat.client.session), session);
        if (greet(&chat, session != NULL))
            converse(&chat);
    }
    cli__client_close(&chat.client);
    cli__screen_release(&chat.screen);
    return chat.code;
}

int cmd_chat(int argc, char **argv)
{
    const char *session = NULL, *given = NULL;

    if (cli_wants_help(argc, argv))
        return cli_usage("chat",
                         "URL is where Maya answers; without one, where HOST and PORT say that "
                         "she listens\nhere. --session goes on with an earlier conversation. "
                         "Lines from a pipe are answered\none by one, an answer a line; the "
                         "first that fails ends it (75: try again later).\n");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--session") == 0 && i + 1 < argc)
            session = argv[++i];
        else if (strncmp(argv[i], "--session=", 10) == 0)
            session = argv[i] + 10;
        else if (argv[i][0] == '-' || given)
            return cli_fail_with(CLI_USAGE, "chat takes a URL and --session ID, not '%.40s'",
                                 argv[i]);
        else
            given = argv[i];
    }
    if (session && !cli__session_ok(session))
        return cli_fail_with(
            CLI_USAGE, "a session id is 1 to %d letters, digits and _ - . :", CLI_SESSION_MAX);
    char *url = given ? xstrdup(given) : cli__default_url();
    int code = talk(url, session);
    free(url);
    return code;
}
