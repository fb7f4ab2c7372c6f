#!/usr/bin/env python3
"""Every #include obeys src/LAYERS: own folder, lower levels, and of others only the door."""
import pathlib
import re
import sys

src = pathlib.Path(__file__).resolve().parent.parent / "src"
# A library is met in one place, so that it can be replaced there.
AT_HOME = {
    "uv.h": {"net", "store", "voice", "cli"},
    "curl/": {"base", "engine", "net", "voice", "cli"},
    "curl/": {"base", "engine", "net", "voice", "cli"},
    "sqlite3.h": {"store", "knowledge"},
    "sodium.h": {"seal", "base", "engine", "image"},
    "yaml.h": {"yaml"},
    "pcre2.h": {"safety"},
    "sys/epoll.h": {"net"},
}


def levels():
    level = {}
    for line in (src / "LAYERS").read_text().splitlines():
        if line and not line.startswith("#"):
            n, *folders = line.split()
            level.update(dict.fromkeys(folders, int(n)))
    return level


def fault(me, include, level):
    """Why folder `me` may not have this include, or None."""
    local = re.match(r'"([a-z_]+)/([^"]+)"', include)
    if local and local[1] in level and local[1] != me:
        you, header = local[1], local[2]
        if level[you] >= level[me]:
            return f"{me} ({level[me]}) may not see {you} ({level[you]})"
        if you != "base" and header not in (f"{you}.h", *(f"{p.name}" for p in
                                                         (src / you).glob("*.def"))):
            return f"{header} is private to {you}/"
    outside = re.match(r"<([^>]+)>", include)
    if outside:
        for prefix, homes in AT_HOME.items():
            if outside[1].startswith(prefix) and me not in homes:
                return f"<{outside[1]}> belongs to {', '.join(sorted(homes))}"
    return None


def main():
    level = levels()
    bad = 0
    for f in sorted(src.rglob("*.[ch]")):
        me = f.relative_to(src).parts[0]
        if me not in level:
            if me != "main.c":
                print(f"{f.relative_to(src.parent)}: {me} is not in src/LAYERS")
                bad += 1
            continue  # main.c sees everything
        for i, line in enumerate(f.read_text().splitlines(), 1):
            m = re.match(r"\s*#\s*include\s+(.*)", line)
            why = m and fault(me, m[1], level)
            if why:
                print(f"{f.relative_to(src.parent)}:{i}: {why}")
                bad += 1
    return bad != 0


sys.exit(main())
