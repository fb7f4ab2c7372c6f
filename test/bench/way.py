"""What the way through the gateway adds, beside the same directly, by turns in one run.

One client. A turn is a POST on a connection that is kept; an event is that turn, as who watches
the session hears of it: both count from the request's last byte.
"""
import http.client
import statistics
import tempfile
import time

from gateway import Gateway, server
from kit import Client, Maya, Row

APP = {"name": "bar", "fallback": True, "slots": 2, "versions": [{"name": "v1"}]}


def arguments(parser):
    parser.add_argument("--way-turns", type=int, default=300, help="way: turns on each way")


class Way:
    """A session of its own, watched, at this port."""

    def __init__(self, port, session):
        self.session, self.speaker = session, Client(port)
        watcher = http.client.HTTPConnection("127.0.0.1", port)
        watcher.request("GET", "/api/v1/session/events", headers={"X-Session-ID": session})
        self.events = watcher.getresponse()
        self.wait_for("session")
        self.turns_ms, self.events_ms = [], []

    def wait_for(self, kind):
        while f'"type": "{kind}"' not in self.events.readline().decode():
            pass

    def take(self):
        began = time.perf_counter()
        self.speaker.chat(self.session, "one water please")
        self.turns_ms.append((time.perf_counter() - began) * 1000)
        self.wait_for("turn")
        self.events_ms.append((time.perf_counter() - began) * 1000)


def rows(bench):
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder, \
            tempfile.TemporaryDirectory() as short:
        maya = Maya(bench.maya, folder, bench.on)
        gateway = Gateway(short, [{**APP, "servers": [server(maya)]}]).start()
        try:
            direct, through = Way(maya.port, "direct"), Way(gateway.port, "through")
            for _ in range(bench.args.way_turns):
                direct.take()
                through.take()
        finally:
            gateway.close()
            maya.stop()
    for what, a, b in (("a turn, p50 ms", through.turns_ms, direct.turns_ms),
                       ("who watches hears of it, p50 ms", through.events_ms, direct.events_ms)):
        yield Row(f"{what}", f"{statistics.median(a):.2f}", f"directly: {statistics.median(b):.2f}")
