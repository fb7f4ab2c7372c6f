"""An app that is not Maya, deployed, scaled and rolled back by the same commands, beside Maya."""
import http.client
import json
import os
import pathlib
import signal
import threading

import pytest

from node import IPV6
from other_app import PATIENCE_S, Site, wait_for

pytestmark = pytest.mark.plain  # it is the Swarm that takes the time

HOST = "app.example.org"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def app(site):
    assert "other is at v1" in site.deploy(site.write("other", "one", hostnames=[HOST]))
    return "other"


def test_it_answers_under_its_name(site, app):
    wait_for("the keeper has let people in", lambda: site.ask(HOST)[0] == 200)
    said = site.json(HOST, "/x?y=1")
    assert (said["says"], said["path"], said["host"]) == ("one", "/x?y=1", HOST)
    assert site.ask(HOST, "/", "POST", b"z" * 200000)[2] == b"z" * 200000
    status, _, body = site.ask("nobody.example.org")
    assert (status, json.loads(body)["code"]) == (404, "unknown_host")
    row = json.loads(site.maya("app", "list", "--json"))[0]
    assert row["app"] == "other" and row["version"] == "v1"
    assert site.maya("complete", "--", "app", "logs", "-f", "").startswith("other\t")


@pytest.mark.skipif(not IPV6, reason="this machine has no IPv6")
def test_over_ipv6(site, app):
    c = http.client.HTTPConnection("::1", site.port, timeout=PATIENCE_S)
    c.request("GET", "/", headers={"Host": HOST})
    assert c.getresponse().status == 200


def test_maya_beside_it(site, app, tmp_path):
    path = tmp_path / "deploy.yaml"
    path.write_text(json.dumps({
        "name": "bar", "size": "small", "memory": 256, "sessions": 4, "session_memory": 1,
        "max_containers": 1, "hostnames": ["bar.example.org"]}))
    site.deploy(str(path))
    wait_for("people may come", lambda: site.ask("bar.example.org", "/api/v1/agent")[0] == 200)
    status, headers, body = site.ask(
        "bar.example.org", "/api/v1/chat", "POST", json.dumps({"user_input": "What is on the menu?"}),
        headers={"Content-Type": "application/json"})
    assert status == 200, body
    assert headers["X-Session-ID"]
    assert site.json(HOST)["says"] == "one"
    assert {row["app"] for row in json.loads(site.maya("app", "list", "--json"))} == {"bar", "other"}
    # Her dashboard is behind the gateway, too; each container's figures say whose they are.
    assert site.maya("app", "dashboard", "bar") == f"http://bar.example.org:{site.port}/dashboard\n"
    assert site.maya("app", "dashboard", "other") == f"http://{HOST}:{site.port}\n"
    assert site.ask("bar.example.org", "/dashboard")[0] == 200
    container = site.tasks("bar")[0]["Status"]["ContainerStatus"]["ContainerID"]
    assert site.ask("bar.example.org", "/metrics")[1]["X-Container"] == container[:12]


def gains_nothing(site, container):
    """Whatever it starts has no more rights than it has itself."""
    return "NoNewPrivs:\t1" in pathlib.Path(f"/proc/{site.pid(container)}/status").read_text()


def test_nothing_gains_privileges(site, app):
    ours = {c["Names"][0].split(".")[0].lstrip("/"): gains_nothing(site, c["Id"])
            for c in site.engine.json("GET", "/containers/json")}
    assert len(ours) == 4, ours  # both apps, the gateway, the keeper
    old = int(site.engine.version["ApiVersion"].split(".")[1]) < 44  # it cannot be told
    assert [name for name, well in ours.items() if not well] == (["other-v1"] if old else [])


def test_scaled_by_its_file(site, app):
    site.deploy(site.write("other", "one", hostnames=[HOST], min_containers=2))
    wait_for("one version", lambda: site.roles("other") == ["stable"])
    wait_for("both answer", lambda: len({site.json(HOST)["container"] for _ in range(8)}) == 2)


def test_one_that_hangs_is_replaced(site, app):
    """And not one that is well, but not ready."""
    def containers():
        return {t["Status"]["ContainerStatus"]["ContainerID"] for t in site.tasks("other")}

    site.deploy(site.write("other", "one", hostnames=[HOST], min_containers=2, health={
        # Longer than a busy machine keeps one that is well from answering.
        "path": "/", "ready": "/ready", "interval": 1, "timeout": 6, "retries": 2, "watch": 0}))
    wait_for("one version", lambda: site.roles("other") == ["stable"])
    busy, hangs = wait_for("two", lambda: len(containers()) == 2 and sorted(containers()))
    wait_for("both answer", lambda: len({site.json(HOST)["container"] for _ in range(8)}) == 2)
    site.make_file(busy, "/tmp/busy")
    wait_for("the other one is all there is", lambda: {
        site.json(HOST)["container"] for _ in range(8)} == {hangs[:12]})
    os.kill(site.pid(hangs), signal.SIGSTOP)
    wait_for("another one", lambda: hangs not in containers() and len(containers()) == 2)
    assert busy in containers()
    new = (containers() - {busy}).pop()
    wait_for("it answers", lambda: site.ask(HOST)[0] == 200)
    assert site.json(HOST)["container"] == new[:12]
    rows = [row for row in site.keeper_log() if row["event"] == "hung"]
    assert [row["container"] for row in rows] == [hangs[:12]] and rows[0]["status"] == 0


def test_what_is_under_way_is_finished_when_another_version_comes(site, app):
    done = []
    held = threading.Thread(target=lambda: done.append(site.json(HOST, "/hold?s=2")))
    held.start()
    site.deploy(site.write("other", "two", hostnames=[HOST], drain=30))
    held.join()
    assert len(done) == 1  # from either version, but whole
    assert site.json(HOST)["says"] == "two"


def test_one_that_never_gets_ready_is_taken_back(site, app):
    path = site.write("other", "broken", ready=False, hostnames=[HOST],
                      health={"ready": "/ready", "within": 4})
    assert "was not ready within 4 s" in site.deploy(path, code=1)
    assert site.json(HOST)["says"] == "two"
    assert "stable" in site.roles("other") and "next" not in site.roles("other")


def test_back_to_the_version_before(site, app):
    site.maya("app", "rollback", "other")
    wait_for("the version before", lambda: site.json(HOST)["says"] == "one")
    history = json.loads(site.maya("app", "history", "other", "--json"))
    assert [h["state"] for h in history if h["state"]].count("failed") == 1
    assert history[0]["tag"].startswith("rollback-to-v")


def test_stopped(site, app):
    site.maya("app", "stop", "other", "-y")
    wait_for("none is left", lambda: not site.tasks("other"))
    wait_for("its name is forgotten", lambda: site.ask(HOST)[0] == 404)
