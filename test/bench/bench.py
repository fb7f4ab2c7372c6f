#!/usr/bin/env python3
"""Measure Maya: make bench, or a part of it: make bench BENCH="--only speed --only wake"

The server has one core and the load generator another. Prints a Markdown table, a row as soon as
it is known, and ends with 1 when something failed that is no timing. A group is a module with
the functions arguments(parser) and rows(bench), which yields each Row (kit.py).
"""
import argparse
import importlib
import os
import subprocess
import sys

import kit

# In this order; the text stands in --help and docs/benchmarks.md says more.
GROUPS = {
    "speed": "requests and turns a second, side by side with nginx; start; idle connections",
    "memory": "bytes of one session, awake and asleep; what hibernating takes; over budget",
    "wake": "a turn in a hibernated session beside one in a resident session",
    "neighbours": "turns of others while one session sends what its budget cannot hold",
    "container": "a hundred thousand sessions in a 4 GiB container, and the kernel's figures",
    "million": "a million stored sessions, kill -9, ready again",
    "hour": "an hour with ten times more sessions than fit",
    "durable": "kill -9 and power cuts: what was acknowledged and is gone",
    "streams": "idle event streams, the kernel's part included",
    "voice": "how soon an answer is heard after its first full sentence",
    "image": "Maya's own image in a Docker Engine: size, and start to first answer",
    "knowledge": "searches in a mebibyte of documents, and in as much as is allowed",
    "people": "people who talk while what serves them is deployed, killed and scaled",
    "minds": "what Maya adds to a provider, a thousand of its streams, clients that leave",
    "way": "what the way through the gateway adds to a turn and to an event",
    "cache": "health for a minute beside a writer that fills the page cache",
}


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="groups:\n" + "\n".join(f"  {n:<11} {t}" for n, t in GROUPS.items()))
    parser.add_argument("--maya", default=str(kit.ROOT / "build/maya"))
    parser.add_argument("--folder", default=str(kit.ROOT / "build"), help="on the disk to measure")
    parser.add_argument("--only", action="append", choices=GROUPS, metavar="GROUP",
                        help="this group; may be given again")
    modules = {name: importlib.import_module(name) for name in GROUPS}
    for module in modules.values():
        module.arguments(parser)
    return parser.parse_args(), modules


def main():
    args, modules = arguments()
    os.environ["MAYA_BIN"] = os.path.abspath(args.maya)
    on, off = kit.cores()
    bench = kit.Bench(os.path.abspath(args.maya), os.path.abspath(args.folder), on, off, args)
    fs = subprocess.run(["stat", "-f", "-c", "%T", args.folder], capture_output=True, text=True)
    print(f"Machine: {kit.machine()}; store on {fs.stdout.strip()}, fdatasync of 4 KiB "
          f"{kit.commit_us(args.folder):.0f} us; server on core {on}, load on core {off}; "
          f"load of the machine before: {os.getloadavg()[0]:.1f}.")
    failed = False
    for name in args.only or GROUPS:
        print(f"\n{name}: {GROUPS[name]}\n\n| measure | Maya | compared with | target | met |\n"
              "|---|---|---|---|---|", flush=True)
        for row in modules[name].rows(bench):
            met = "" if row.met is None else ("yes" if row.met else "no")
            print(f"| {row.measure} | {row.figure} | {row.other} | {row.target} | {met} |",
                  flush=True)
            failed = failed or (row.must and not row.met)
    return failed


if __name__ == "__main__":
    sys.exit(main())
