"""How long a search in the agent's documents keeps the loop, and what their index holds.

Made-up documents whose words are as common as in a language (test/bench/knowledge.c): questions of
three such words, and one of the sixteen commonest words together, which costs most.
"""
import tempfile

from kit import MIB, Row


def arguments(parser):
    parser.add_argument("--knowledge-searches", type=int, default=2000, help="knowledge: questions")


def rows(bench):
    # What a search may keep everybody else waiting, in microseconds.
    for size, target in ((1, 1000), (7.9, 2000)):
        with tempfile.TemporaryDirectory() as folder:
            f = bench.figures("knowledge", "all", folder, f"bytes={int(size * MIB)}",
                              f"searches={bench.args.knowledge_searches}")
        what = f"{size:g} MiB, {f['passages']:.0f} passages: "
        yield Row(what + "a search of three words, p50, p99 us",
                  f"{f['search_p50']:.0f}, {f['search_p99']:.0f}", "", f"{target}",
                  f["search_p99"] <= target)
        yield Row(what + "of the commonest sixteen, p50, p99 us",
                  f"{f['worst_p50']:.0f}, {f['worst_p99']:.0f}", "", f"{target}",
                  f["worst_p99"] <= target)
        yield Row(what + "bytes held for one of the documents", f"{f['bytes'] / size / MIB:.2f}")
        yield Row(what + "read and indexed in, ms", f"{f['load_ms']:.0f}")
