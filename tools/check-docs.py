#!/usr/bin/env python3
"""check-docs.py <maya>: documents made from tables are as the tables say (make docs)."""
import os
import pathlib
import re
import subprocess
import sys


def main():
    maya = os.path.abspath(sys.argv[1])
    os.chdir(pathlib.Path(__file__).resolve().parent.parent)
    names = re.search(r"^DOCS := (.*)$", pathlib.Path("Makefile").read_text(), re.M)[1].split()
    bad = []
    for name in names:
        path = pathlib.Path(f"docs/{name}.md")
        p = subprocess.run([maya, "docs", name], capture_output=True, stdin=subprocess.DEVNULL)
        if p.returncode:
            bad.append(f"maya docs {name}: exit {p.returncode} {p.stderr.decode()[:200]}")
        elif not path.exists() or path.read_bytes() != p.stdout:
            bad.append(f"{path} is not what the tables say: make docs")
    print("\n".join(bad))
    return bool(bad)


sys.exit(main())
