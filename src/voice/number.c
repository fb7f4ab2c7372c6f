/* Numbers as English words. */
#include "voice/voice_int.h"

static const char *const small[] = {"zero",    "one",     "two",       "three",    "four",
                                    "five",    "six",     "seven",     "eight",    "nine",
                                    "ten",     "eleven",  "twelve",    "thirteen", "fourteen",
                                    "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
static const char *const tens[] = {"",      "",      "twenty",  "thirty", "forty",
                                   "fifty", "sixty", "seventy", "eighty", "ninety"};

static void below_thousand(struct buf *out, unsigned n)
{
    if (n >= 100) {
        buf_printf(out, "%s hundred", small[n / 100]);
        n %= 100;
        if (n)
            buf_char(out, ' ');
        else
            return;
    }
    if (n < 20) {
        buf_str(out, small[n]);
        return;
    }
    buf_str(out, tens[n / 10]);
    if (n % 10)
        buf_printf(out, " %s", small[n % 10]);
}

void voice__number(struct buf *out, uint64_t n)
{
    static const struct {
        uint64_t value;
        const char *name;
    } steps[] = {{1000000000, "billion"}, {1000000, "million"}, {1000, "thousand"}};
    bool any = false;

    MUST(n <= VOICE_NUMBER_MAX);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        if (n < steps[i].value)
            continue;
        if (any)
            buf_char(out, ' ');
        below_thousand(out, (unsigned)(n / steps[i].value));
        buf_printf(out, " %s", steps[i].name);
        n %= steps[i].value;
        any = true;
    }
    if (n == 0 && any)
        return;
    if (any)
        buf_char(out, ' ');
    below_thousand(out, (unsigned)n);
}
