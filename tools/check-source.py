#!/usr/bin/env python3
"""Sizes, banned functions, and habits of every C file. Long things short of the limit are listed."""
import os
import pathlib
import re
import sys

FILE_MOST, FILE_AIM = 1000, 500
FUNCTION_MOST, FUNCTION_AIM = 100, 60
WIDTH = 100

BANNED = {
    "strcpy": "str_copy", "strcat": "buf_str", "strncpy": "str_copy", "strncat": "buf_add",
    "sprintf": "snprintf or buf_printf", "vsprintf": "vsnprintf", "gets": "fgets",
    "strtok": "strcspn", "localtime": "localtime_r", "gmtime": "gmtime_r",
    "asctime": "strftime", "ctime": "strftime", "atoi": "str_to_int", "atol": "str_to_int",
    "atoll": "str_to_int", "atof": "str_to_double", "alloca": "a region", "rand": "seal's random",
    "srand": "seal's random", "random": "seal's random", "mktemp": "mkstemp",
    "tmpnam": "mkstemp", "system": "posix_spawn", "popen": "posix_spawn", "setjmp": "an error",
    "longjmp": "an error", "usleep": "a timer", "sleep": "a timer", "scanf": "a parser",
}
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
# jansson goes on with half a token when it is refused memory: it is left by a jump, in one place.
JUMPS = {"src/memory/json_region.c"}
# pthread_create: the loop owns everything; what blocks has one place each.
THREADS = {"src/store", "src/net", "src/voice", "src/fleet/keeper_wait.c", "src/fleet/keeper_secrets.c"}


def bare(text):
    """The text with comments and literals blanked; lines stay where they are."""
    def blank(m):
        return re.sub(r"[^\n]", " ", m[0])
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", blank, text,
                  flags=re.S)


def functions(lines):
    """(name, line, length) of each function; the format puts its braces in the first column."""
    start = None
    for i, line in enumerate(lines):
        if line == "{":
            start = i
        elif line.startswith("}") and start is not None:
            head = start
            while head > 0 and lines[head - 1].strip() and not lines[head - 1].startswith("}") \
                    and not lines[head - 1].endswith(";") and not lines[head - 1].startswith("#"):
                head -= 1
            named = re.search(r"(\w+)\s*\(", " ".join(lines[head:start]))
            if line == "}" and named:
                yield named[1], head + 1, i - start - 1
            start = None


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    os.chdir(root)
    bad, notes = [], []
    for f in sorted([*pathlib.Path("src").rglob("*.[ch]"), *pathlib.Path("test").rglob("*.[ch]")]):
        text = f.read_text()
        lines = text.split("\n")
        code = bare(text)
        ours = f.parts[0] == "src"
        if f.suffix == ".c" and len(lines) > FILE_AIM:
            (bad if len(lines) > FILE_MOST else notes).append(f"{f}: {len(lines)} lines")
        for i, line in enumerate(lines, 1):
            if len(line) > WIDTH and '"' not in line:
                bad.append(f"{f}:{i}: {len(line)} columns")
        for i, line in enumerate(code.split("\n"), 1):
            if ours:
                for m in CALL.finditer(line):
                    if m[1] in ("setjmp", "longjmp") and str(f) in JUMPS:
                        continue
                    bad.append(f"{f}:{i}: {m[1]}() is banned: {BANNED[m[1]]}")
                if "pthread_create" in line and not {str(f), str(f.parent)} & THREADS:
                    bad.append(f"{f}:{i}: threads belong to {', '.join(sorted(THREADS))}")
            if re.search(r"\btypedef\s+(struct|enum|union)\b", line):
                bad.append(f"{f}:{i}: typedef of a struct, enum or union")
            if re.search(r"^\s*\)?\s*goto\s+\w+", line) is None and re.search(r"\bgoto\s", line):
                bad.append(f"{f}:{i}: goto on a line with other code")
        if ours and re.search(r"(^|[^:])//", re.sub(r"\"(?:\\.|[^\"\\\n])*\"|/\*.*?\*/", "", text,
                                                    flags=re.S)):
            bad.append(f"{f}: a // comment: /* */ is for what stays")
        for mark in re.finditer(r"\b(TODO|FIXME|XXX|HACK)\b", text):
            bad.append(f"{f}: {mark[1]}: say NEEDSWORK and what is undecided, or do it")
        if ours:
            for name, at, length in functions(code.split("\n")):
                if length > FUNCTION_AIM:
                    (bad if length > FUNCTION_MOST else notes).append(
                        f"{f}:{at}: {name}() has {length} lines")
    for line in notes:
        print(f"note: {line}")
    print("\n".join(bad))
    return bool(bad)


sys.exit(main())
