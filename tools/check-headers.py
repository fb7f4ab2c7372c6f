#!/usr/bin/env python3
"""Every header compiles alone, says `#pragma once`, and is a page to read."""
import concurrent.futures
import os
import pathlib
import shlex
import subprocess
import sys

# A door is a page; what the files of a folder share may be longer.
MOST_LINES, MOST_PRIVATE = 240, 500


def flags():
    out = subprocess.run(["pkg-config", "--cflags", "libuv", "sqlite3", "libsodium", "jansson",
                          "yaml-0.1", "libcurl"], capture_output=True, text=True)
    return shlex.split(out.stdout)


def check(path, extra):
    text = path.read_text()
    faults = []
    if not text.startswith("/*"):
        faults.append("does not begin with what it is")
    if "\n#pragma once\n" not in text:
        faults.append("has no #pragma once")
    most = MOST_PRIVATE if path.name.endswith("_int.h") else MOST_LINES
    if text.count("\n") > most:
        faults.append(f"has {text.count(chr(10))} lines, at most {most}: two headers?")
    p = subprocess.run(["gcc", "-std=c11", "-D_GNU_SOURCE", "-Isrc", "-Itest", "-Wall", "-Wextra",
                        "-Werror", "-fsyntax-only", *extra, "-x", "c", "-"],
                       input=f'#include "{path.relative_to(path.parts[0])}"\n', text=True,
                       capture_output=True)
    if p.returncode:
        faults.append("does not compile alone:\n" + p.stderr)
    return [f"{path}: {f}" for f in faults]


def main():
    os.chdir(pathlib.Path(__file__).resolve().parent.parent)
    extra = flags()
    headers = sorted(pathlib.Path("src").rglob("*.h"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        faults = [f for found in pool.map(lambda h: check(h, extra), headers) for f in found]
    print("\n".join(faults))
    return bool(faults)


sys.exit(main())
