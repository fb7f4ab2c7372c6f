"""/healthz, /readyz and /metrics: exact, and true."""
import datetime
import json
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

from node import ROOT, parse_metrics, until

PREDECESSORS = """
maya_container_memory_usage_bytes maya_container_memory_limit_bytes
maya_container_memory_utilization maya_container_memory_pressure
maya_container_cpu_usage_seconds_total maya_process_uptime_seconds maya_rag_available
maya_rag_type maya_active_sessions maya_max_sessions
maya_session_utilization maya_sessions_created_total maya_sessions_rejected_total
maya_sessions_expired_total maya_config_max_containers
""".split()


def test_healthz_exactly(node):
    reply = node.get("/healthz")
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert re.fullmatch(r'\{"status":"healthy","checks":\[\],'
                        r'"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"\}', reply.body.decode())
    said = datetime.datetime.fromisoformat(reply.json()["timestamp"].replace("Z", "+00:00"))
    assert abs(datetime.datetime.now(datetime.timezone.utc) - said) < datetime.timedelta(minutes=1)


def test_what_it_starts_gains_no_privileges(node):
    assert "NoNewPrivs:\t1" in pathlib.Path(f"/proc/{node.pid}/status").read_text()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_head_has_no_body(node, path):
    data = node.ask_raw(f"HEAD {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.split()[1] in (b"200", b"405")
    assert body == b""


def test_readyz(node):
    assert node.get("/readyz").status == 200


def readyz_of_gateway(node, state):
    """A readiness check as HAProxy makes it, and its connection."""
    return node.raw(f"GET /readyz HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n"
                    f"X-Haproxy-Server-State: {state}; name=app-bar/s1; node=a; weight=1/1; scur=0/0; "
                    "qcur=0\r\n\r\n".encode())


def test_readyz_is_no_news_to_a_gateway_that_knows(nodes):
    # It is kept back for a while only; on a busy machine that may pass before the stop begins.
    until("a stop that is heard at once", lambda: hears_of_a_stop(nodes()))


def hears_of_a_stop(node):
    """Whether those that are kept waiting wait until it stops, and are told then."""
    for state in ("DOWN", "DOWN 1/2", "NOLB"):
        with readyz_of_gateway(node, state) as s:
            assert s.recv(100).startswith(b"HTTP/1.1 200 ")
    # As many as are kept waiting, and one that is not.
    held = [readyz_of_gateway(node, ("UP", "UP 1/3")[i % 2]) for i in range(64)]
    until("all have come", lambda: node.metric("maya_http_connections") > 64)
    with readyz_of_gateway(node, "UP") as s:
        assert s.recv(100).startswith(b"HTTP/1.1 200 ")
    held.pop().close()  # who leaves is forgotten
    node.process.send_signal(signal.SIGTERM)
    answers = [s.recv(100).split(b"\r\n")[0] for s in held[-8:]]
    for s in held:
        s.close()
    assert node.process.wait(60) == 0
    node._ended()
    assert set(answers) <= {b"HTTP/1.1 503 Service Unavailable", b"HTTP/1.1 200 OK"}, answers
    return b"HTTP/1.1 200 OK" not in answers


def test_healthcheck_command(node):
    from node import MAYA
    p = subprocess.run([MAYA, "healthcheck", node.url], capture_output=True, timeout=60)
    assert p.returncode == 0, p
    p = subprocess.run([MAYA, "healthcheck", "http://127.0.0.1:1"], capture_output=True, timeout=60)
    assert p.returncode != 0


def promtool():
    unpacked = ROOT / "build" / "tools" / "usr" / "bin" / "promtool"
    return shutil.which("promtool") or (unpacked.exists() and str(unpacked))


def test_metrics_pass_promtool(node):
    assert promtool(), "promtool is not there: tools/deps.sh test"
    node.say("two martinis please", "metrics-0000001")
    node.get("/nothing/here")
    text = node.get("/metrics").body
    p = subprocess.run([promtool(), "check", "metrics"], input=text, capture_output=True,
                       timeout=60)
    assert p.returncode == 0 and not p.stdout and not p.stderr, p


def test_metrics_content_type(node):
    assert node.get("/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")


def test_every_name_of_the_predecessor(node):
    names = {name for name, _ in node.metrics()}
    assert set(PREDECESSORS) <= names, set(PREDECESSORS) - names
    # Three that promtool finds fault with are shown to who asks for them.
    asked = {name for name, _ in parse_metrics(
        node.get("/metrics?names=predecessor").body.decode())}
    assert {"maya_config_memory_mb", "maya_container_memory_available_mb",
            "maya_rag_document_count"} <= asked - names


def test_every_name_is_documented(node):
    table = (ROOT / "src" / "metric" / "metric.def").read_text()
    known = set(re.findall(r'METRIC\(\w+, "(\w+)"', table))
    shown = {re.sub(r"_(bucket|sum|count)$", "", n) if n not in known else n
             for n, _ in node.metrics()}
    assert shown <= known


def test_numbers_follow_what_happened(nodes):
    node = nodes({"MAYA_SESSIONS_PER_CONTAINER": "20"})
    assert node.metric("maya_active_sessions") == 0
    for i in range(5):
        node.say("an ipa please", f"counted-{i:08}")
    node.say("an ipa please", "counted-00000000")
    m = node.metrics()

    def value(name, **labels):
        return m[name, frozenset(labels.items())]

    assert value("maya_sessions_created_total") == 5
    assert value("maya_active_sessions") == 5
    assert value("maya_max_sessions") == 20
    assert value("maya_session_utilization") == 0.25
    assert value("maya_turns_total", outcome="completed") == 6
    assert value("maya_turn_duration_seconds_count") == 6
    assert value("maya_turn_first_word_seconds_count") == 6
    assert value("maya_stored_sessions") == 5
    assert value("maya_session_memory_bytes_count") == 6
    assert value("maya_sessions_reserved_bytes") == 5 * 4 * 1024 * 1024
    assert 0 < value("maya_sessions_memory_bytes") <= value("maya_sessions_reserved_bytes")
    assert value("maya_store_commit_duration_seconds_count") >= 1
    assert value("maya_draining") == 0
    chats = sum(v for (name, labels), v in m.items() if name == "maya_http_requests_total"
                and ("code", "200") in labels and any("chat" in x for _, x in labels))
    assert chats == 6
    builds = [dict(labels) for name, labels in m if name == "maya_build_info"]
    assert builds[0]["version"] == (ROOT / "VERSION").read_text().strip()


def test_memory_numbers_agree_with_the_kernel(node):
    now = {name: value for (name, labels), value in node.metrics().items() if not labels}
    usage = now["maya_container_memory_usage_bytes"]
    limit = now["maya_container_memory_limit_bytes"]
    assert 0 < usage < limit
    assert abs(now["maya_container_memory_utilization"] - usage / limit) < 0.05
    rss = now["process_resident_memory_bytes"]
    assert abs(rss - node.rss()) < 0.2 * node.rss()


def test_a_closed_terminal_ends_it_in_order(nodes):
    node = nodes()
    node.process.send_signal(signal.SIGHUP)
    assert node.process.wait(60) == 0
    node._ended()
    assert re.search(r"serve +drain signal=1 ", node.log())


def test_a_closed_terminal_ends_not_what_ignores_it(nodes):
    node = nodes(before=["nohup"])
    node.process.send_signal(signal.SIGHUP)
    assert node.say("hello", "nohup-session-1")
    node.stop()
    assert "drain signal=1 " not in node.log()


def test_readyz_says_no_during_a_drain(nodes):
    """A turn still runs while /readyz already sends new ones elsewhere; a new connection may
    also be refused, which says the same."""
    node = nodes({"MAYA_DRAIN_SECONDS": "20"})
    half = node.raw(b"POST /api/v1/chat HTTP/1.1\r\nHost: a\r\nX-Session-ID: drained-00001\r\n"
                    b"Content-Type: application/json\r\nContent-Length: 23\r\n\r\n")
    kept = node.connection()
    assert node.get("/readyz", connection=kept).status == 200
    node.process.send_signal(signal.SIGTERM)

    def says_no():
        try:
            return node.get("/readyz").status == 503
        except OSError:
            return True
    until("no more new people", says_no)
    half.sendall(json.dumps({"user_input": "hello"}).encode())
    assert half.recv(100).startswith(b"HTTP/1.1 200 ")
    half.close()
    kept.close()
    assert node.process.wait(60) == 0
    node._ended()
