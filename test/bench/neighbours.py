"""Turns of others while one session sends, as fast as it can, what its budget cannot hold.

The neighbours talk at a steady rate far from the most the server can do, so that what is seen is
waiting and not a shortage of processor. Rounds with and without the glutton alternate.
"""
import collections
import itertools
import json
import tempfile
import threading

from kit import MIB, Client, Maya, Row, load, median

BUDGET = 128 * 1024


def arguments(parser):
    parser.add_argument("--neighbour-seconds", type=int, default=10,
                        help="neighbours: of a round")


def gluttonous():
    """Requests from an eighth of the budget to twice it, made beforehand: sending is cheap."""
    for i in range(16):
        size = BUDGET // 8 + i * BUDGET // 8
        body = json.dumps({"user_input": ("more " * (size // 5 + 1))[:size]}).encode()
        yield Client.request("POST", "/api/v1/chat", "sess_glutton", body)


class Glutton(threading.Thread):
    """Sends one message after another until told to end; counts the answers by status."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.over, self.codes = port, threading.Event(), collections.Counter()

    def run(self):
        requests = list(gluttonous())
        with Client(self.port) as c:
            for ask in itertools.cycle(requests):
                if self.over.is_set():
                    break
                self.codes[c.send(ask)[0]] += 1

    def end(self):
        self.over.set()
        self.join()
        return self.codes


def glutton_peak(maya):
    """Its peak and budget as the session monitor tells them; None where there is no monitor."""
    status, body = maya.get("/api/v1/ops/sessions/sess_glutton")
    try:
        told = json.loads(body) if status == 200 else {}
    except ValueError:
        return None
    peak, budget = told.get("peak_bytes"), told.get("budget_bytes")
    return (peak, budget) if peak is not None and budget else None


def rows(bench):
    quiet, beside, codes = [], [], collections.Counter()
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        maya = Maya(bench.maya, folder, bench.on, MAYA_SESSIONS_PER_CONTAINER="4000",
                    MAYA_DEFAULT_SESSION_MEMORY_MB=str(BUDGET / MIB),
                    MAYA_ADMISSION_POLICY="measured")
        with maya.client() as c:
            c.chat("sess_glutton", "good evening")
        for i in range(bench.args.rounds):
            for runs, hungry in ((quiet, False), (beside, True)):
                glutton = Glutton(maya.port) if hungry else None
                if glutton:
                    glutton.start()
                runs.append(load(maya, bench.off, bench.args.neighbour_seconds, 32,
                                 script="chat.lua", BENCH_RUN=f"{i}{hungry}",
                                 BENCH_SESSIONS="500", BENCH_DELAY_MS="20"))
                if glutton:
                    codes += glutton.end()
        refused = codes[413]
        yield Row("messages over its budget, refused a second",
                  f"{refused / bench.args.rounds / bench.args.neighbour_seconds:.0f}",
                  ", ".join(f"{n} answers of {c}" for c, n in sorted(codes.items())), "",
                  refused > 0)
        for key in ("p50", "p99"):
            a, b = median(beside, key), median(quiet, key)
            yield Row(f"neighbours' {key} beside it / without it (ms)",
                      f"{a / b:.2f} ({a:.2f} / {b:.2f})", "", "1.1" if key == "p99" else "",
                      a / b <= 1.1 if key == "p99" else None)
        yield Row("neighbours' turns a second beside it, without it",
                  f"{median(beside, 'rate'):.0f}, {median(quiet, 'rate'):.0f}")
        told = glutton_peak(maya)
        if told:
            yield Row("peak of that session beyond its budget, bytes",
                      str(max(0, told[0] - told[1])), f"peak {told[0]}, budget {told[1]}", "0",
                      told[0] <= told[1], must=True)
        errors = sum(r["errors"] for r in quiet + beside)
        yield Row("neighbours' errors", str(errors), "", "0", errors == 0, must=True)
        maya.stop()
