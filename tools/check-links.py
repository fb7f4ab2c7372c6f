#!/usr/bin/env python3
"""Every relative link in a Markdown file leads to a file that is there."""
import os
import pathlib
import re
import sys


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    os.chdir(root)
    bad = []
    for f in [*root.glob("*.md"), *(root / "docs").rglob("*.md"), *(root / "agents").rglob("*.md")]:
        for i, line in enumerate(f.read_text().splitlines(), 1):
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", line):
                if "://" not in target and not target.startswith("mailto:") \
                        and not (f.parent / target).exists():
                    bad.append(f"{f.relative_to(root)}:{i}: {target} is not there")
    print("\n".join(bad))
    return bool(bad)


sys.exit(main())
