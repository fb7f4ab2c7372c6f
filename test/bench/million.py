"""A million sessions in one store, kill -9, and how soon the next start is ready.

seed.c makes each by one real turn of the house mind, through the session table and the store,
without HTTP. The store is in the page cache when the program starts, as after any crash of it.
"""
import concurrent.futures
import pathlib
import random
import statistics
import tempfile
import time

from kit import MIB, ROOT, Maya, Row

DRINKS = ("ipa", "negroni", "old fashioned", "martini")  # as in seed.c



def arguments(parser):
    parser.add_argument("--million-sessions", type=int, default=1000000,
                        help="million: stored sessions")
    parser.add_argument("--million-sample", type=int, default=1000,
                        help="million: sessions that are looked at")
    parser.add_argument("--million-starts", type=int, default=5, help="million: kill -9 and again")


def name(i):
    return f"sess_seed-{i:011}"


def start(bench, folder):
    return Maya(bench.maya, folder, bench.on, MAYA_ADMISSION_POLICY="measured",
                MAYA_SESSIONS_PER_CONTAINER="100000", MAYA_DEFAULT_SESSION_MEMORY_MB="0.25")


def first_turns(maya, numbers):
    """Milliseconds of a turn in each of these sessions, one after another; and faults."""
    times, wrong = [], 0
    with maya.client() as c:
        for i in numbers:
            began = time.monotonic()
            status, body = c.chat(name(i), "what do I owe you?")
            times.append((time.monotonic() - began) * 1000)
            wrong += status != 200 or not ordered(i, body["current_order"])
    return times, wrong


def ordered(i, order):
    """Has session i what seed.c ordered there?"""
    return len(order) == 1 and order[0]["quantity"] == 1 + i % 9 and \
        DRINKS[i // 9 % len(DRINKS)] in order[0]["name"].lower()


def busy_kill(maya):
    """kill -9 while turns are being committed, so that the log has to be read again."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        def talk(part):
            try:
                with maya.client() as c:
                    for i in range(10 ** 9):
                        c.chat(f"sess_late-{part}-{i % 1000:05}", "an ipa please")
            except (OSError, ValueError):
                pass  # it was killed: what is meant to happen
        for part in range(8):
            pool.submit(talk, part)
        time.sleep(1)  # of load, not for something to happen
        maya.kill()


def rows(bench):
    args = bench.args
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        data = pathlib.Path(folder) / "data"
        data.mkdir(mode=0o700)
        seeded = bench.figures("seed", "all", data, ROOT / "agents/maya",
                               f"sessions={args.million_sessions}")
        size = (data / "maya.db").stat().st_size
        yield Row(f"sessions stored, each by a turn, in {seeded['seconds']:.0f} s; bytes of each",
                  f"{seeded['sessions']:.0f}; {size / seeded['sessions']:.0f}", "", "1000000",
                  seeded["sessions"] >= 1000000)
        dice = random.Random(20240223)
        ready, turns, wrong, rss = [], [], 0, []
        maya = start(bench, folder)
        for _ in range(args.million_starts):
            busy_kill(maya)
            maya = start(bench, folder)
            ready.append(maya.started_ms)
            rss.append(maya.rss() / MIB)
            took, bad = first_turns(maya, [dice.randrange(args.million_sessions)])
            turns += took
            wrong += bad
        yield Row("kill -9 under load, exec to first 200 on /readyz, ms: median, worst",
                  f"{statistics.median(ready):.1f}, {max(ready):.1f}", "", "1000",
                  max(ready) <= 1000)
        yield Row("then to the end of the first turn, in a random session, ms: median, worst",
                  f"{statistics.median(turns):.2f}, {max(turns):.2f}")
        yield Row("RSS at that start, MiB", f"{statistics.median(rss):.1f}")
        stored = int(maya.metric("maya_stored_sessions"))
        yield Row("sessions the container counts as stored", str(stored), "",
                  f"at least {args.million_sessions}", stored >= args.million_sessions, must=True)
        sample = [dice.randrange(args.million_sessions) for _ in range(args.million_sample)]
        times, bad = first_turns(maya, sample)
        yield Row(f"of {len(sample)} random sessions, wrong or gone", str(wrong + bad), "", "0",
                  wrong + bad == 0, must=True)
        yield Row("a turn in each of them, ms: median, worst",
                  f"{statistics.median(times):.2f}, {max(times):.2f}")
        maya.stop()
