"""Health for a minute beside a writer that fills the page cache of the same memory cgroup.

The predecessor took page cache for memory in use, and was out of service for 26 minutes. Here a
writer fills the cgroup with a file's pages up to the limit again and again, and /healthz is asked
all the time.
"""
import tempfile
import threading
import time

from kit import MIB, Client, Maya, Row


def arguments(parser):
    parser.add_argument("--cache-seconds", type=int, default=60, help="cache: of asking")
    parser.add_argument("--cache-mib", type=int, default=192, help="cache: limit of the cgroup")


def write(group, folder, end, written):
    """File after file, each as large as the limit; the one before goes when the next is full."""
    last = None
    while time.monotonic() < end:
        writer = group.fill_page_cache(folder)
        written.append(group.charged() / group.limit)
        if last:
            group.let_go(last)
        last = writer
    if last:
        group.let_go(last)


def ask(maya, end):
    """(times asked, times it was not healthy)"""
    asked = unhealthy = 0
    with maya.client() as c:
        while time.monotonic() < end:
            status, _ = c.send(Client.request("GET", "/healthz", "sess_health"))
            asked += 1
            unhealthy += status != 200
            time.sleep(0.01)  # between two looks
    return asked, unhealthy


def rows(bench):
    from cgroup_helper import CgroupUnavailable, MemoryCgroup
    try:
        group = MemoryCgroup(bench.args.cache_mib * MIB)
    except CgroupUnavailable as e:
        yield Row("false unhealthy from page cache", f"not measured: {e}")
        return
    with group, tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        maya = Maya(bench.maya, folder, bench.on, group, MAYA_DEFAULT_SESSION_MEMORY_MB="1",
                    MAYA_SESSIONS_PER_CONTAINER="20")
        end, written = time.monotonic() + bench.args.cache_seconds, []
        writer = threading.Thread(target=write, args=(group, folder, end, written))
        writer.start()
        asked, unhealthy = ask(maya, end)
        writer.join()
        yield Row(f"false unhealthy from page cache, of {asked} times asked", str(unhealthy),
                  "a 26 minute outage", "0", unhealthy == 0, must=True)
        yield Row("times the writer filled the cgroup; charged then, share of the limit",
                  f"{len(written)}; {min(written):.2f} to {max(written):.2f}" if written else "0",
                  "", "0.9 at least", bool(written) and min(written) >= 0.9)
        yield Row("pressure that was noticed",
                  f"{maya.metric('maya_container_memory_pressure_total'):.0f}", "", "0",
                  maya.metric("maya_container_memory_pressure_total") == 0, must=True)
        maya.stop()
