"""The session monitor: what an operator sees and does, and who else may not."""
import concurrent.futures
import contextlib
import http.client
import os
import re
import socket
import subprocess

import pytest

from node import PATIENCE_S, until

SESSIONS = "/api/v1/ops/sessions"
TOKEN = "a-token-for-the-operator-alone"
SAID = "my grandmother's recipe has seven kingfishers in it, and two martinis please"
KEY = "AIza" + "TestTestTestTestTestTestTestTestTes"


def listing(node, query="", **more):
    reply = node.get(SESSIONS + query, **more)
    assert reply.status == 200, reply
    return reply.json()


def one(node, sid):
    node.never_logged(sid)
    reply = node.get(f"{SESSIONS}/{sid}")
    assert reply.status == 200, reply
    return reply.json()


def pages(node, query):
    """Every session of a listing, page by page."""
    after, seen = "", []
    while True:
        page = listing(node, f"?{query}{after}")
        seen += page["sessions"]
        if page["next"] is None:
            return seen
        after = "&after=" + page["next"]


def at_rest(node, look):
    """What `look` gives while no session changes: an idle one is packed smaller, once."""
    def try_it():
        before = listing(node, "?limit=1")["totals"]["used_bytes"]
        seen = look()
        return seen if listing(node, "?limit=1")["totals"]["used_bytes"] == before else None

    return until("a moment when nothing changes", try_it)


@pytest.fixture(scope="module")
def crowd(node):
    """300 sessions, of different sizes."""
    def come(i):
        return node.chat("good evening to you " + "and to you " * (i % 17),
                         f"crowd-{i:03}-session").status

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        assert set(pool.map(come, range(300))) == {200}
    return node


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("sort,key", [("memory", "used_bytes"), ("idle", "used_at"),
                                      ("age", "created_at")])
def test_three_hundred_page_by_page(crowd, sort, key, order):
    for limit in (7, 100):
        query = f"sort={sort}&order={order}&limit={limit}"
        seen = at_rest(crowd, lambda: pages(crowd, query))
        assert len(seen) == 300
        assert {s["id"] for s in seen} == {f"crowd-{i:03}-session" for i in range(300)}
        values = [s[key] for s in seen]
        # The longest idle and the oldest are those with the earliest times.
        assert values == sorted(values, reverse=(order == "desc") == (sort == "memory"))


def test_the_totals(crowd):
    page = listing(crowd, "?limit=1")
    totals = page["totals"]
    assert (totals["resident"], totals["idle"], totals["busy"]) == (300, 300, 0)
    assert (totals["stored"], totals["hibernated"], totals["max_resident"]) == (300, 0, 400)
    assert page["matched"] == 300 and len(page["sessions"]) == 1
    assert totals["budget_bytes"] == 1048576
    assert totals["reserved_bytes"] == 300 * 1048576
    used, metric, total = at_rest(crowd, lambda: (
        sum(s["used_bytes"] for s in pages(crowd, "limit=1000")),
        crowd.metric("maya_sessions_memory_bytes"),
        listing(crowd, "?limit=1")["totals"]["used_bytes"]))
    assert used == metric == total
    assert listing(crowd, "?state=busy")["sessions"] == []


def test_figures_of_one(nodes):
    node = nodes()
    sid = "figures-of-one-session"
    node.say("two martinis please", sid)
    node.say("and an ipa please", sid)
    s = one(node, sid)
    assert s["id"] == sid and s["state"] == "idle" and s["waiting"] == 0
    assert (s["turns"], s["messages"], s["folded"], s["version"]) == (2, 4, 0, 2)
    assert 0 < s["used_bytes"] <= s["peak_bytes"] <= s["budget_bytes"] == 4 << 20
    assert (s["mind"], s["voice"]) == ("house", node.get("/api/v1/agent").json()["voice"]["name"])
    assert 0 <= s["idle_s"] <= s["age_s"] and s["expires_in_s"] == 3600 - s["idle_s"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", s["created_at"])
    assert listing(node)["sessions"][0]["id"] == sid
    assert node.request("HEAD", f"{SESSIONS}/{sid}").status == 200


def test_hibernated_by_hand_and_awake_again(nodes):
    node = nodes({"MAYA_LOG_FORMAT": "json"})
    sid = "sleepy-head-session"
    node.say("two martinis please", sid)
    node.post("/api/v1/payments/tip", {"tip_percentage": 20}, session=sid)
    tab = node.tab(sid)
    assert tab["tab_amount"] == 26.0
    reply = node.post(f"{SESSIONS}/{sid}/hibernate")
    assert reply.status == 200, reply
    asleep = reply.json()
    assert asleep["state"] == "hibernated" and asleep["used_bytes"] == 0
    assert asleep["stored_bytes"] > 0 and asleep["version"] == 2
    # Asking does not wake it.
    assert one(node, sid)["state"] == "hibernated"
    totals = listing(node)["totals"]
    assert (totals["resident"], totals["hibernated"]) == (0, 1)
    assert node.metric("maya_sessions_hibernated_total", reason="hand") == 1
    assert node.metric("maya_sessions_woken_total") == 0
    assert node.post(f"{SESSIONS}/{sid}/hibernate").status == 200
    # The guest notices nothing.
    assert node.tab(sid) == tab
    after = node.say("and an ipa please", sid)
    assert after["payment_summary"]["tab_amount"] == 32.0 and len(after["history"]) == 4
    assert one(node, sid)["state"] == "idle"
    assert node.metric("maya_sessions_woken_total") == 1
    assert sid[:8] in node.log() and "hibernate_by_hand" in node.log()


@pytest.mark.parametrize("asleep", [False, True])
def test_ended_for_good(nodes, asleep):
    node = nodes()
    sid = "one-too-many-session"
    node.say("two martinis please", sid)
    node.say("an ipa please", "who-stays-session")
    if asleep:
        assert node.post(f"{SESSIONS}/{sid}/hibernate").status == 200
    reply = node.request("DELETE", f"{SESSIONS}/{sid}")
    assert reply.status == 200 and reply.json() == {"id": sid, "state": "ended"}
    assert node.get(f"{SESSIONS}/{sid}").status == 404
    assert node.request("DELETE", f"{SESSIONS}/{sid}").status == 404
    assert node.post(f"{SESSIONS}/{sid}/hibernate").status == 404
    assert node.metric("maya_sessions_removed_total") == 1
    assert listing(node)["totals"]["stored"] == 1
    node.kill()
    node.start()
    assert node.get(f"{SESSIONS}/{sid}").status == 404
    assert node.tab(sid)["tab_amount"] == 0
    fresh = node.say("hello again to you", sid)
    assert len(fresh["history"]) == 2 and fresh["current_order"] == []
    assert node.tab("who-stays-session")["tab_amount"] == 6.0


def test_ended_while_it_talks(nodes):
    """Whatever comes between the turns of a busy session, each gets a clear answer."""
    node = nodes()
    sid = "talkative-session"

    def talk(_):
        return node.chat("an ipa please", sid)

    def end(_):
        return node.request("DELETE", f"{SESSIONS}/{sid}")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(end if i % 5 == 4 else talk, i) for i in range(100)]
        replies = [a.result() for a in answers]
    talked = [r for i, r in enumerate(replies) if i % 5 != 4]
    ended = [r for i, r in enumerate(replies) if i % 5 == 4]
    assert {r.status for r in talked} <= {200, 410, 429}, talked
    assert {r.status for r in ended} <= {200, 404}, ended
    assert all(r.json()["code"] == "session_ended" for r in talked if r.status == 410)
    node.request("DELETE", f"{SESSIONS}/{sid}")
    assert listing(node)["totals"]["stored"] == 0
    # What was acknowledged after the last end, and only that, would be there.
    assert node.say("an ipa please", sid)["payment_summary"]["tab_amount"] == 6.0


def test_a_broken_row_can_be_ended(nodes):
    node = nodes({"MAYA_MASTER_KEY": "a passphrase of the first evening"})
    sid = "locked-in-session"
    node.say("hello to you all", sid)
    node.restart(MAYA_MASTER_KEY="another passphrase altogether")
    assert one(node, sid)["state"] == "hibernated"
    assert node.chat("hello to you again", sid).status == 500
    assert node.request("DELETE", f"{SESSIONS}/{sid}").status == 200
    assert node.chat("hello to you again", sid).status == 200


def test_nothing_that_was_said(nodes):
    node = nodes()
    sid = "private-matter-session"
    node.post("/api/v1/session/keys", {"gemini_key": KEY}, session=sid)
    answer = node.say(SAID, sid)
    bodies = [node.get(SESSIONS).body, node.get(f"{SESSIONS}/{sid}").body,
              node.post(f"{SESSIONS}/{sid}/hibernate").body, node.get(f"{SESSIONS}/{sid}").body,
              node.request("DELETE", f"{SESSIONS}/{sid}").body]
    for body in bodies:
        for secret in (SAID, KEY, "kingfisher", "Martini", answer["response_text"]):
            assert secret not in body.decode()


@pytest.mark.parametrize("query,named", [
    ("sort=size", "'sort' must be memory, idle or age"), ("order=up", "'order' must be desc or asc"),
    ("state=asleep", "'state' must be loading, idle, busy or ending"),
    ("limit=1001", "1 to 1000"), ("limit=ten", "1 to 1000"), ("limit=", "1 to 1000"),
    ("after=here", "'after' must be the 'next'"),
    ("ofset=3", "There is no parameter 'ofset'"),
])
def test_mistakes_are_named(crowd, query, named):
    reply = crowd.get(f"{SESSIONS}?{query}")
    assert reply.status == 422 and named in reply.json()["detail"], reply
    assert reply.json()["code"] == "validation_error"


def test_odd_ids(crowd):
    for path, status in (("a%20b", 400), ("x" * 129, 400), ("a%2Fb", 404), ("", 404),
                         ("nobody-at-all/", 404), ("nobody-at-all/wake", 404),
                         ("nobody-at-all", 404), ("%C3%A9", 400)):
        assert crowd.get(f"{SESSIONS}/{path}").status == status, path
    reply = crowd.request("PATCH", f"{SESSIONS}/nobody-at-all")
    assert reply.status == 405 and reply.headers["allow"] == "GET, HEAD, DELETE"


# Who may ask.


DOORS = [("GET", SESSIONS), ("HEAD", SESSIONS), ("GET", "/api/ops/sessions"),
         ("GET", SESSIONS + "/guarded-session"), ("DELETE", SESSIONS + "/guarded-session"),
         ("POST", SESSIONS + "/guarded-session/hibernate")]


def at_every_door(node, status, **more):
    for method, path in DOORS:
        reply = node.request(method, path, **more)
        assert reply.status == status, (method, path, reply)
        yield method, reply


@pytest.mark.parametrize("headers,named", [
    ({"X-Forwarded-For": "127.0.0.1"}, "x-forwarded-for"),
    ({"x-forwarded-host": "localhost"}, "x-forwarded-host"),
    ({"X-Real-IP": "127.0.0.1"}, "x-real-ip"),
    ({"Forwarded": "for=127.0.0.1;host=localhost"}, "forwarded"),
    ({"Via": "1.1 front"}, "via"),
    ({"Host": "bar.example"}, "localhost"),
    ({"Host": "bar.example:8000"}, "localhost"),
    ({"Host": "127.0.0.1.bar.example"}, "localhost"),
    ({"Origin": "http://bar.example"}, "another origin"),
    ({"Origin": "http://localhost:1"}, "another origin"),
    ({"Origin": "null"}, "another origin"),
    ({"Sec-Fetch-Site": "cross-site"}, "another origin"),
    ({"Authorization": "Bearer " + TOKEN, "Via": "1.1 front"}, "via"),
])
def test_without_a_token_strangers_are_refused(crowd, headers, named):
    for method, reply in at_every_door(crowd, 403, headers=headers):
        if method != "HEAD":
            assert "MAYA_ADMIN_TOKEN" in reply.json()["detail"]
            assert named in reply.json()["detail"]
            assert reply.json()["code"] == "forbidden"


def test_without_a_token_this_machine_may_ask(crowd):
    port = crowd.port
    for headers in ({}, {"Host": f"localhost:{port}"}, {"Host": "[::1]"}, {"Host": "127.9.9.9"},
                    {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"},
                    {"Sec-Fetch-Site": "same-origin"}, {"Authorization": "Bearer whatever"}):
        assert listing(crowd, "?limit=1", headers=headers)["matched"] == 300


def own_address():
    """An address of this machine that is not loopback, or None. Nothing is sent."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("192.0.2.1", 9))
        address = s.getsockname()[0]
        return None if address.startswith(("127.", "0.")) else address
    return None


@pytest.mark.skipif(not own_address(), reason="this machine has no address but loopback")
def test_from_elsewhere_only_with_the_token(nodes):
    node = nodes(args=["--host", "0.0.0.0"])
    node.host = own_address()
    for _, reply in at_every_door(node, 403, headers={"Host": "localhost"}):
        pass
    assert "Only this machine itself" in node.get(SESSIONS).json()["detail"]
    node.restart(MAYA_ADMIN_TOKEN=TOKEN)
    node.host = own_address()
    assert node.get(SESSIONS).status == 401
    assert node.get(SESSIONS, headers={"Authorization": "Bearer " + TOKEN}).status == 200


@pytest.mark.parametrize("given", [
    None, "", "Bearer", "Bearer ", "Basic " + TOKEN, TOKEN, "Bearer " + TOKEN[:-1],
    "Bearer " + TOKEN + "x", "Bearer " + TOKEN.upper(), "Bearer x, Bearer " + TOKEN,
])
def test_with_a_token_nothing_else_will_do(guarded, given):
    headers = {} if given is None else {"Authorization": given}
    for method, reply in at_every_door(guarded, 401, headers=headers):
        assert reply.headers["www-authenticate"].startswith("Bearer")
        assert reply.headers["cache-control"] == "no-store"
        if method != "HEAD":
            assert reply.json()["code"] == "unauthorized"
            assert TOKEN not in reply.body.decode()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    from node import Node
    n = Node(tmp_path_factory.mktemp("guarded"), {"MAYA_ADMIN_TOKEN": TOKEN})
    n.never_logged(TOKEN)
    n.start()
    yield n
    n.close()


def test_with_the_token_from_anywhere(guarded):
    guarded.say("hello to everybody", "guarded-session")
    for headers in ({}, {"X-Forwarded-For": "203.0.113.9"}, {"Origin": "http://bar.example"},
                    {"Host": "bar.example"}):
        with_token = {"Authorization": "Bearer " + TOKEN, **headers}
        assert listing(guarded, headers=with_token)["matched"] == 1
    assert guarded.request("DELETE", SESSIONS + "/guarded-session",
                           headers={"Authorization": "bearer  " + TOKEN}).status == 200


def test_the_token_is_nowhere(guarded):
    guarded.get(SESSIONS, headers={"Authorization": "Bearer " + TOKEN})
    guarded.get(SESSIONS, headers={"Authorization": "Bearer " + TOKEN + "x"})
    for path in ("/metrics", "/healthz", "/openapi.json", SESSIONS, "/nothing"):
        assert TOKEN not in guarded.get(path).body.decode()
    assert TOKEN not in guarded.log() and "MAYA_ADMIN_TOKEN: set" in guarded.log()


def test_a_short_token_stops_the_start(nodes):
    node = nodes({"MAYA_ADMIN_TOKEN": "not-very-long"}, start=False)
    for verb in ("serve", "config"):
        p = subprocess.run([node.command()[0], verb, "--port", "0"], cwd="/",
                           env=node.environment(), capture_output=True, text=True,
                           timeout=PATIENCE_S)
        assert p.returncode != 0
        assert "MAYA_ADMIN_TOKEN (from the environment) must be 16 to 512" in p.stderr
        assert "not-very-long" not in p.stdout + p.stderr


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, host):
        super().__init__(host, timeout=PATIENCE_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(self.path)


def test_a_unix_socket_is_this_machine(nodes):
    node = nodes(start=False)
    node.folder.mkdir(parents=True, exist_ok=True)
    path = os.path.relpath(node.folder / "maya.sock")
    with open(node.log_path, "ab") as log:
        p = subprocess.Popen([*node.command(), "--host", "unix:" + path], stdout=subprocess.PIPE,
                             stderr=log, env=node.environment(), text=True)
    try:
        assert "listening on unix:" in p.stdout.readline()
        for host, headers, status in (("localhost", {}, 200), ("unix", {}, 200),
                                      ("bar.example", {}, 403), ("localhost", {"Via": "1"}, 403)):
            c = UnixConnection(path, host)
            c.request("GET", SESSIONS, headers=headers)
            assert c.getresponse().status == status, (host, headers)
            c.close()
    finally:
        p.terminate()
        assert p.wait(PATIENCE_S) == 0
        p.stdout.close()


# What the rest of the house says of these routes.


def test_described(node):
    paths = node.get("/openapi.json").json()["paths"]
    assert set(paths[SESSIONS]) == {"get"}
    assert set(paths[SESSIONS + "/{id}"]) == {"get", "delete"}
    assert set(paths[SESSIONS + "/{id}/hibernate"]) == {"post"}
    ids = [p for p in paths[SESSIONS + "/{id}"]["delete"]["parameters"] if p["in"] == "path"]
    assert ids[0]["name"] == "id" and ids[0]["required"] is True
    assert {p["name"] for p in paths[SESSIONS]["get"]["parameters"]} == \
        {"sort", "order", "state", "limit", "after"}
    assert {"operator": []} in paths[SESSIONS]["get"]["security"]
    shown = paths[SESSIONS + "/{id}"]["get"]["responses"]["200"]["content"]["application/json"]
    assert "used_bytes" in shown["schema"]["properties"]


def test_every_field_is_described(nodes):
    node = nodes()
    sid = "described-session"
    node.say("hello to you all", sid)
    paths = node.get("/openapi.json").json()["paths"]
    schema = paths[SESSIONS]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    page = listing(node)
    assert set(page) == set(schema["properties"])
    assert set(page["totals"]) == set(schema["properties"]["totals"]["properties"])
    figures = schema["properties"]["sessions"]["items"]["properties"]
    asleep = node.post(f"{SESSIONS}/{sid}/hibernate").json()
    assert set(page["sessions"][0]) | set(asleep) == set(figures)


def test_counted_by_route_and_not_by_id(crowd):
    crowd.get(f"{SESSIONS}/crowd-001-session")
    assert crowd.metric("maya_http_requests_total", route="~/ops/sessions/{id}", code="200") > 0
    assert "crowd-001" not in crowd.get("/metrics").body.decode()


def test_preflight(crowd):
    reply = crowd.request("OPTIONS", SESSIONS + "/somebody", headers={
        "Origin": "http://bar.example", "Access-Control-Request-Method": "DELETE"})
    assert reply.status == 200
    assert reply.headers["access-control-allow-methods"] == "GET, HEAD, DELETE, OPTIONS"


def test_one_that_hibernates_by_itself_shows_so(nodes):
    node = nodes({"MAYA_SESSION_HIBERNATE_SECONDS": "1"})
    node.say("hello to you all", "by-itself-session")
    until("its sleep", lambda: one(node, "by-itself-session")["state"] == "hibernated")
