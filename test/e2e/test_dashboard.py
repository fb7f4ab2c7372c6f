"""The dashboard at /dashboard in a real browser: of one container, and of several behind one address."""
import http.client
import http.server
import itertools
import threading

import pytest

from test_page import DESK, PHONE, Page, chromium, pytestmark  # noqa: F401


class Turns(http.server.ThreadingHTTPServer):
    """A gateway in one respect: each question goes to the next of several containers."""

    daemon_threads = True
    request_queue_size = 128  # of five, what a browser opens at once is lost, and tried again late

    def __init__(self, *named):
        super().__init__(("127.0.0.1", 0), Turn)
        self.named, self.turn = dict(named), itertools.count()
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def next(self):
        names = list(self.named)
        name = names[next(self.turn) % len(names)]
        return name, self.named[name]


class Turn(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        name, node = self.server.next()
        c = http.client.HTTPConnection("127.0.0.1", node.port)
        c.request("GET", self.path)
        r = c.getresponse()
        body = r.read()
        self.send_response(r.status)
        for key in ("Content-Type", "Content-Security-Policy"):
            if r.headers[key]:
                self.send_header(key, r.headers[key])
        self.send_header("X-Container", name)
        self.end_headers()
        self.wfile.write(body)
        c.close()


class Dashboard(Page):
    def open(self):
        self.driver.get_log("browser")
        self.driver.get(self.url + "/dashboard")
        self.until(lambda: self.state() == "as of now", "it knows something")

    def figures(self, card="#containers li"):
        """Name -> value, of a container's card."""
        return dict(zip(self.texts(f"{card} .figures dt"), self.texts(f"{card} .figures dd")))


@pytest.fixture
def board(chromium, node):  # noqa: F811
    made = Dashboard(chromium, node.url)
    made.size(*DESK)
    made.media()
    made.open()
    return made


def test_what_a_container_says_of_itself(board, node):
    assert board.text("#agent") == "Maya" and board.text("#house") == "MOK 5-ha"
    assert board.texts("#containers h2") == ["This container"]
    assert board.text(".condition") == "takes new sessions"
    assert board.text("#all-containers") == "1"
    assert board.figures()["First word, nine of ten within"] == "–"
    before = int(node.metric("maya_active_sessions"))
    for i in range(3):
        node.say("a negroni, please", f"dashboard-guest-{i}")
    board.until(lambda: board.text("#containers .sessions") == f"{before + 3} of 400", "the sessions")
    assert board.text("#all-sessions") == f"{before + 3} of 400"
    board.until(lambda: board.text("#all-turns") != "0", "turns")
    assert board.figures()["First word, nine of ten within"].endswith("s")
    assert "of" in board.text(".memory") and "B" in board.text(".memory")
    assert "store" in board.texts(".parts dt")
    assert board.errors() == []


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_it_fits(board, size):
    board.size(*size)
    assert board.js("return document.documentElement.scrollWidth") <= size[0]


def test_each_container_behind_a_gateway(chromium, nodes):  # noqa: F811
    first, second = nodes({"MAYA_SESSIONS_PER_CONTAINER": "2"}), nodes({"MAYA_SESSIONS_PER_CONTAINER": "2"})
    for i in range(2):
        second.say("a negroni, please", f"second-guest-{i}")
    gateway = Turns(("aaaaaaaaaaaa", first), ("bbbbbbbbbbbb", second))
    try:
        board = Dashboard(chromium, gateway.url)
        board.open()
        board.until(lambda: board.texts("#containers h2") == ["aaaaaaaaaaaa", "bbbbbbbbbbbb"], "both")
        board.until(lambda: board.text("#all-sessions") == "2 of 4", "the sum")
        assert board.texts("#containers .sessions") == ["0 of 2", "2 of 2"]
        assert board.texts(".condition")[1] == "full: sessions that are idle make room"
        assert board.errors() == []
    finally:
        gateway.shutdown()
        gateway.server_close()


def test_nobody_answers_any_more(chromium, nodes):  # noqa: F811
    gone = nodes()
    board = Dashboard(chromium, gone.url)
    board.open()
    board.js("const now = performance.now.bind(performance); performance.now = () => now() + 20000")
    gone.stop()
    board.until(lambda: board.state() == "nobody answers; asked again", "it says so")
    assert "has not answered" in board.text(".condition")


def test_a_container_is_not_named_after_the_machine(node):
    assert "x-container" not in node.get("/metrics").headers
    page = node.get("/dashboard")
    assert page.status == 200 and "default-src 'self'" in page.headers["content-security-policy"]
