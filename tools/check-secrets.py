#!/usr/bin/env python3
"""No file of the project holds what looks like a real key, token or private key."""
import os
import pathlib
import re
import subprocess
import sys

SHAPES = {
    "a Google API key": r"AIza[0-9A-Za-z_-]{35}",
    "an OpenAI or Cartesia key": r"\bsk[-_](?:car_|live_|proj-)?[0-9A-Za-z]{24,}",
    "a GitHub token": r"\bgh[pousr]_[0-9A-Za-z]{30,}",
    "an AWS key": r"\bAKIA[0-9A-Z]{16}\b",
    "a Slack token": r"\bxox[abprs]-[0-9A-Za-z-]{10,}",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a password in an address": r"[a-z]+://[^/\s:@]+:[^/\s:@{}$<%]+@[a-z0-9]",
}


def invented(text):
    """Keys of tests say that they are: one character repeated, or the word itself."""
    return re.search(r"(.)\1{7}|test|fake|example|secret|0123456789|abcdef", text, re.I)


def main():
    os.chdir(pathlib.Path(__file__).resolve().parent.parent)
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], capture_output=True,
                            text=True)
    if listed.returncode:
        return 0  # not a clone: a release archive
    bad = []
    for name in listed.stdout.splitlines():
        path = pathlib.Path(name)
        if not path.is_file() or path.stat().st_size > 1 << 20:
            continue
        if (path.name == ".env" or path.name.startswith("master.key")
                or path.suffix in (".pem", ".key")):
            bad.append(f"{name}: a file of this name is not for a repository")
        text = path.read_bytes().decode("utf-8", "replace")
        for what, shape in SHAPES.items():
            for m in re.finditer(shape, text):
                if not invented(m[0]):
                    bad.append(f"{name}:{text.count(chr(10), 0, m.start()) + 1}: {what}")
    print("\n".join(bad))
    return bool(bad)


sys.exit(main())
