"""A secret that is replaced while Maya runs: `maya secret create --force` on a real engine."""
import base64
import contextlib
import http.client
import json
import os

import pytest

from apps import People, Place, wait_for
from docker import PATIENCE_S, EngineError

pytestmark = pytest.mark.plain  # it is the Swarm that takes the time

OLD, NEW, NEWEST = (letter * 40 for letter in "abc")
KEY, NEW_KEY = (base64.urlsafe_b64encode(os.urandom(32)).decode() for _ in range(2))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("rotate"))
    yield made
    made.close()


def write(place, name="bar", **more):
    path = place.folder / f"{name}.yaml"
    path.write_text(json.dumps({"name": name, "size": "small", "memory": 256, "sessions": 8, "drain": 2,
                                "max_containers": 1, "secrets": ["keys"], "health": {"watch": 0}, **more}))
    return str(path)


def deploy(place, name="bar", **more):
    return place.maya("deploy", "-f", write(place, name, **more), "--http", str(place.port), "-y")


def status(place, token, host=None):
    return place.ask("/api/v1/ops/sessions", host=host, Authorization=f"Bearer {token}")[0]


def opens(place, good, *bad):
    return status(place, good) == 200 and all(status(place, b) == 401 for b in bad)


def container(place, app="bar"):
    """Id and start of the one that runs."""
    rows = [c for c in json.loads(place.maya("container", "list", "--app", app, "--json")) if c["state"] == "running"]
    return [(c["container_id"], place.engine.inspect(c["container_id"])["State"]["StartedAt"]) for c in rows]


def given(place):
    """What the keeper has beside certificates."""
    keeper = place.engine.json("GET", "/services/maya-keeper")["Spec"]
    return [s["File"]["Name"] for s in keeper["TaskTemplate"]["ContainerSpec"].get("Secrets") or []]


def objects(place):
    return sorted(s["Spec"]["Name"] for s in place.engine.json("GET", "/secrets"))


def create(place, token, *more):
    return place.maya("secret", "create", "keys", f"MAYA_ADMIN_TOKEN={token}", *more)


def chat(place, session=None):
    """A guest says something; the id of the session."""
    c = http.client.HTTPConnection("127.0.0.1", place.port, timeout=2 * PATIENCE_S)
    c.request("POST", "/api/v1/chat", json.dumps({"user_input": "a martini please"}),
              {"Content-Type": "application/json", **({"X-Session-ID": session} if session else {})})
    r = c.getresponse()
    body = r.read()
    assert r.status == 200, body
    return r.headers["X-Session-ID"]


def test_a_running_maya_takes_it_over(place):
    create(place, OLD, f"MAYA_MASTER_KEY={KEY}")
    deploy(place)
    assert opens(place, OLD, NEW)
    place.guest = chat(place)
    before = container(place)
    assert len(before) == 1
    # An app that is not Maya has it, too.
    place.deploy("other", {"VERSION": "1"}, spec={"secrets": ["keys"], "hostnames": ["other.example.org"]})
    said = create(place, NEW, f"MAYA_MASTER_KEY={KEY}", "--force")
    assert said == ("The secret 'keys' is kept, with 2 values.\nbar takes it over within seconds; other gets it "
                    "with the next deploy, since only Maya takes it over while she runs.\n")
    wait_for(lambda: opens(place, NEW, OLD))
    assert container(place) == before
    assert given(place) == ["keys.2.secret"]
    row, = json.loads(place.maya("secret", "list", "--json"))
    assert sorted(row["used_by"].split(", ")) == ["bar", "other"]
    # Only her user may read it.
    code, text = place.engine.exec(before[0][0], "/usr/bin/maya", "config", "--secrets-dir", "/run/secrets,/tmp/secrets")
    assert code == 0 and "/tmp/secrets/keys" in text and NEW not in text, text


def test_once_more(place):
    before = container(place)
    with People(place, count=2) as people:
        create(place, NEWEST, f"MAYA_MASTER_KEY={NEW_KEY}", f"MAYA_MASTER_KEY_OLD={KEY}", "--force")
        wait_for(lambda: opens(place, NEWEST, OLD, NEW))
    assert not people.failed, people.failed[:3]
    assert container(place) == before
    assert given(place) == ["keys.3.secret"]
    create(place, NEW, f"MAYA_MASTER_KEY={NEW_KEY}", f"MAYA_MASTER_KEY_OLD={KEY}", "--force")
    wait_for(lambda: opens(place, NEW, OLD, NEWEST))
    assert objects(place) == ["keys.1", "keys.3", "keys.4"]  # 1 is in use, 3 may have been chosen


def test_its_replacement_has_it(place):
    (before, _), = container(place)
    place.engine.call("POST", f"/containers/{before}/kill")
    after = wait_for(lambda: [c for c in container(place) if c[0] != before], 2 * PATIENCE_S)
    wait_for(lambda: opens(place, NEW, OLD))
    assert container(place) == after
    assert chat(place, place.guest) == place.guest  # sealed with the new key


def test_a_deploy_meanwhile_leaves_the_keeper_alone(place):
    def keepers():
        tasks = place.engine.json("GET", '/tasks?filters={"service":["maya-keeper"]}')
        # Others are forgotten some time.
        return {t["ID"] for t in tasks if t["DesiredState"] == "running"}

    before = keepers()
    place.deploy("other", {"VERSION": "2"}, spec={"secrets": ["keys"], "hostnames": ["other.example.org"]})
    assert keepers() == before and given(place) == ["keys.4.secret"]
    assert opens(place, NEW, OLD)


def test_the_next_deploy_has_it_by_itself(place):
    assert "the secret 'keys' is used by " in place.maya("secret", "delete", "keys", "-y", code=1)
    p = place.start("deploy", "-f", write(place, env={"MAYA_LOG_LEVEL": "debug"}), "-y")
    said = p.communicate(timeout=200)[1]
    assert p.returncode == 0, said + place.state()
    # The one before is asked with what it has by now, though its service names an older one.
    assert "v2 reads 1 stored session, and v1 reads them back" in said.replace("sessions", "session"), said
    wait_for(lambda: given(place) == [] and opens(place, NEW, OLD), 2 * PATIENCE_S)
    wait_for(lambda: place.services("bar") == {2: "stable"})
    assert opens(place, NEW, OLD)


def test_a_maya_that_looks_elsewhere_needs_a_deploy(place):
    deploy(place, "own", hostnames=["own.example.org"], env={"MAYA_SECRETS_DIR": "/run/secrets"})
    said = create(place, NEWEST, f"MAYA_MASTER_KEY={NEW_KEY}", "--force")
    assert "bar takes it over within seconds; other, own get it with the next deploy" in said
    wait_for(lambda: opens(place, NEWEST, NEW))
    assert status(place, NEW, "own.example.org") == 200
    deploy(place, "own", hostnames=["own.example.org"], env={"MAYA_SECRETS_DIR": "/run/secrets", "A": "1"})
    assert status(place, NEWEST, "own.example.org") == 200


def test_no_value_is_to_be_seen(place):
    shown = place.state() + "".join(json.dumps(place.engine.json("GET", kind)) for kind in ("/services", "/configs", "/tasks"))
    shown += place.maya("secret", "list") + place.maya("secret", "list", "--json")
    for c in place.engine.json("GET", "/containers/json?all=1"):
        with contextlib.suppress(EngineError):  # it may be removed just now
            shown += place.engine.logs(c["Id"]) + json.dumps(place.engine.inspect(c["Id"]))
    assert "secret_brought" in shown and "keys.4" in shown
    assert not any(value in shown for value in (OLD, NEW, NEWEST, KEY, NEW_KEY))


def test_it_is_deleted_when_nobody_has_it(place):
    for app in ("bar", "own", "other"):
        place.maya("app", "stop", app, "-y")
    wait_for(lambda: not place.services("bar"))
    place.maya("secret", "delete", "keys", "-y")
    assert objects(place) == [] and given(place) == []
