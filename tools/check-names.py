#!/usr/bin/env python3
"""check-names.py <lib folder>: what a folder exports begins with the folder's name.

Some folders have second prefixes, named after what the type is. In base every file is a
toolbox of its own, and its functions begin with the file's name or with one of its words.
A name with two underscores in it (conn__close) is the folder's own business: <noun>__<verb>.
"""
import pathlib
import re
import subprocess
import sys

SECOND = {
    "memory": ["region_", "budget_", "cgroup_", "pressure_", "json_region_"],
    "api": ["asset_"],
    "metric": ["histogram_"],
    "net": ["http_", "loop_", "sse_", "ws_"],
    "voice": ["speech_", "ears_", "hearing_"],
    "agent": ["turn_", "scan_", "tool_", "rate_"],
    "mind": ["phrases_", "house_", "sentence_"],
    "cli": ["cmd_", "verb_"],
    "fleet": ["spec_"],
    "store": [],
}
BASE = {
    "alloc": ["xalloc", "xrealloc", "xstrdup", "xstrndup", "xprintf", "xfree"],
    "redact": ["redact"],
    "strs": ["str_", "utf8_"],
}


def symbols(archive):
    """(object, function) of every function that the archive gives to others."""
    out = subprocess.run(["nm", "-g", "--defined-only", archive], capture_output=True, text=True,
                         check=True).stdout
    member = ""
    for line in out.splitlines():
        if line.endswith(":"):
            member = line[:-1].removesuffix(".o")
        else:
            m = re.match(r"[0-9a-f]* ?([A-Z]) (\S+)$", line)
            if m and m[1] in "TDBRVW":
                yield member, m[2]


def main():
    bad = []
    for archive in sorted(pathlib.Path(sys.argv[1]).glob("*.a")):
        folder = archive.stem
        for member, name in symbols(archive):
            if folder == "base":
                allowed = BASE.get(member, []) + [member]
            else:
                allowed = [folder + "_", *SECOND.get(folder, [])]
            private = folder != "base" and re.match(r"[a-z]+(_[a-z]+)*__[a-z]", name)
            if not private and not any(name.startswith(p) for p in allowed):
                bad.append(f"{folder}/{member}: {name} does not begin with "
                           f"{' or '.join(allowed)}")
    print("\n".join(bad))
    return bool(bad)


sys.exit(main())
