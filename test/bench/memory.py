"""Bytes of one session, awake and asleep; what hibernating takes; what is over budget.

memory.c has the real table, store, seal and house mind, and no HTTP: ten turns a session.
"""
import tempfile

from kit import ROOT, Row


def arguments(parser):
    parser.add_argument("--memory-sessions", type=int, default=40000,
                        help="memory: resident sessions of ten turns")
    parser.add_argument("--memory-asleep", type=int, default=100000,
                        help="memory: hibernated sessions, and twice as many")
    parser.add_argument("--memory-large", type=int, default=4000,
                        help="memory: sessions of 64 KiB that are hibernated")
    parser.add_argument("--memory-over", type=int, default=5000,
                        help="memory: messages around the budget in one session")


def resident(run, sessions):
    f = run("resident", sessions=sessions)
    for when, words in (("talked", "just spoken"), ("rested", "a minute later"),
                        ("woken", "read back from the store")):
        yield Row(f"idle session of 10 turns, {words}: bytes charged",
                  f"{f[when + '_charged']:.0f}", "50 MiB set aside (the predecessor)")
        yield Row("of these its data: texts, order, state, id",
                  f"{f[when + '_data']:.0f}: " + ", ".join(
                      f"{f[f'{when}_data_{p}']:.0f} {p}" for p in ("text", "lines", "state", "id")))
        over, idle = f[when + "_overhead"] + f["uncharged"], when == "rested"
        yield Row("beyond its data, table of ids counted in", f"{over:.0f}",
                  "2.6 KB (a BEAM process, idle and empty)", "1024" if idle else "",
                  over <= 1024 if idle else None)
        parts = (("struct", "the session's record"), ("messages", "heads of messages"),
                 ("spare_lines", "room for order lines"), ("chunks", "heads and ends of chunks"))
        yield Row("which is", ", ".join(f"{f[f'{when}_overhead_{p}']:.0f} {text}"
                                        for p, text in parts) +
                  f", {f['uncharged']:.0f} table of ids and not charged")


def rows(bench):
    args = bench.args
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        def run(part, **sizes):
            return bench.figures("memory", part, folder, ROOT / "agents/maya",
                                 *(f"{k}={v}" for k, v in sizes.items()))

        yield from resident(run, args.memory_sessions)
        few = run("hibernated", sessions=args.memory_asleep)
        many = run("hibernated", sessions=2 * args.memory_asleep)
        each = (many["after"] - few["after"]) / args.memory_asleep
        yield Row(f"hibernated session, bytes of RSS ({args.memory_asleep} of them and twice "
                  "as many, the difference)", f"{each:.1f}", "-", "0, at most 256", each <= 256)
        yield Row("RSS before and after all of them, KiB",
                  f"{many['before'] / 1024:.0f}, {many['after'] / 1024:.0f}")
        f = run("hibernate", sessions=args.memory_large)
        yield Row("hibernate, ms per 64 KiB", f"{f['ms_per_64_kib']:.4f}",
                  "seconds per GiB (a process written to disk)", "0.1",
                  f["ms_per_64_kib"] <= 0.1)
        yield Row(f"longest tick, ms ({f['per_tick']:.0f} sessions of "
                  f"{f['session_bytes'] / 1024:.0f} KiB)", f"{f['worst_tick_ms']:.2f}")
        f = run("over", times=args.memory_over)
        yield Row(f"peak of a session beyond its budget, bytes ({f['refused']:.0f} messages "
                  f"refused, {f['answered']:.0f} answered)", f"{f['overshoot']:.0f}",
                  "0.5 to 5 s until a sampler kills", "0", f["overshoot"] == 0, must=True)
