"""`maya deploy` and `maya app` on a real Docker Engine in Swarm mode, through the gateway."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from apps import People, Place, wait_for
from node import MAYA

pytestmark = pytest.mark.plain  # it is the Swarm that takes the time


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("deploy"), swarm=False)
    yield made
    made.close()


@pytest.fixture(scope="module")
def app(place):
    """v1 of an app that stays for all tests of this file; each goes on from what is there."""
    path = place.write("web", {"VERSION": "one"})
    why = place.maya("deploy", "-f", path, "--http", str(place.port), code=1)
    assert "is not a Swarm yet" in why and "--yes" in why and len(why.splitlines()) == 1, why
    assert place.engine.json("GET", "/info")["Swarm"]["LocalNodeState"] == "inactive"
    assert "web is at v1" in place.deploy("web", {"VERSION": "one"})
    assert place.ask() == (200, "one")
    return "web"


def stable(place, app):
    services = place.services(app)
    assert list(services.values()) == ["stable"], services
    return next(iter(services))


def test_the_first_deploy_makes_the_swarm_only_when_told(place, app):
    assert stable(place, app) == 1
    assert not place.locks()
    row = json.loads(place.maya("app", "list", "--json"))[0]
    assert (row["app"], row["state"], row["version"], row["containers"]) == (app, "deployed", "v1", "1")


def test_nothing_changed(place, app):
    before = stable(place, app)
    assert "nothing changed" in place.deploy(app, {"VERSION": "one"})
    assert stable(place, app) == before


def test_a_new_version_takes_over_while_people_talk(place, app):
    before = stable(place, app)
    with People(place) as people:
        said = place.deploy(app, {"VERSION": "two"}, "--tag", "second")
        assert people.hear() == {"two"}
    assert f"web is at v{before + 1}" in said
    assert people.failed == []
    assert people.seen[0] == "one"
    assert stable(place, app) == before + 1
    row = place.history(app)[f"v{before + 1}"]
    assert (row["tag"], row["state"]) == ("second", "stable")
    assert row["deployed_by"].startswith("ann@")


def test_back_to_an_earlier_version(place, app):
    place.deploy(app, {"VERSION": "three"})
    now = stable(place, app)
    with People(place) as people:
        place.maya("app", "rollback", app)
        assert people.hear() == {"two"}
    assert people.failed == []
    assert place.history(app)[f"v{now + 1}"]["tag"] == f"rollback-to-v{now - 1}"
    place.maya("app", "rollback", app, f"v{now}")
    assert place.ask() == (200, "three")
    place.maya("app", "rollback", app, "--to", "1")
    assert place.ask() == (200, "one")
    assert "has no v99" in place.maya("app", "rollback", app, "99", code=1)
    assert "no app 'nosuch'" in place.maya("app", "rollback", "nosuch", code=1)


def test_each_version_has_its_own_port(place, app):
    before = place.ask()
    with People(place) as people:
        place.deploy(app, {"VERSION": "moved"}, spec={"port": 9000})
        assert place.ask() == (200, "moved")
        place.maya("app", "rollback", app)
        assert place.ask() == before
    assert people.failed == []


@pytest.mark.parametrize("env, spec, words", [
    ({"DIE": "the cellar is locked"}, {},
     "does not start: task: non-zero exit (3); it says: the cellar is locked"),
    ({"UNREADY": "1"}, {"health": {"ready": "/readyz", "within": 10}}, "was not ready within 10 s"),
    ({"END": "all is drunk"}, {},
     "'s command ended by itself (code 0), and is to go on; it says: all is drunk"),
    ({}, {"command": ["/nosuch"]}, "/nosuch: no such file or directory"),
])
def test_a_version_that_cannot_start_is_taken_back(place, app, env, spec, words):
    before = stable(place, app)
    with People(place) as people:
        why = place.deploy(app, {"VERSION": "bad", **env}, code=1, spec=spec)
    assert words in why.splitlines()[-1] and "is taken back" in why
    assert "UNREADY" not in env or "0 of 1 container is ready, after" in why
    assert people.failed == [] and "bad" not in people.seen
    assert stable(place, app) == before
    assert not place.locks()
    newest = max(place.history(app).values(), key=lambda row: int(row["version"][1:]))
    assert newest["state"] == "failed"


def in_the_middle(place, app, *flags):
    """A deploy that waits for a version that never gets ready."""
    path = place.write(app, {"VERSION": "bad", "UNREADY": "1"})
    p = place.start("deploy", "-f", path, "-y", *flags)
    wait_for(lambda: "next" in place.services(app).values() or p.poll() is not None)
    assert p.poll() is None, p.communicate()
    return p


def test_ctrl_c_takes_back_what_was_begun(place, app):
    before = stable(place, app)
    p = in_the_middle(place, app)
    p.send_signal(signal.SIGINT)
    why = p.communicate(timeout=60)[1]
    assert p.returncode != 0 and "is taken back" in why, why
    assert stable(place, app) == before and not place.locks()
    assert place.history(app)[f"v{int(max(place.history(app), key=lambda v: int(v[1:]))[1:])}"]["state"] == "failed"


def test_a_changed_path_is_the_one_that_is_asked(place, app):
    """Also right after HAProxy was to read another configuration, as when the first goes."""
    place.deploy(app, {"VERSION": "open"}, spec={"health": {"ready": "/", "within": 30, "watch": 0}})
    for _ in range(2):
        why = place.deploy(app, {"VERSION": "shut", "UNREADY": "1"}, code=1,
                           spec={"health": {"ready": "/readyz", "within": 4, "watch": 0}})
        assert "was not ready within 4 s" in why
        assert place.ask() == (200, "open")


def test_two_at_once(place, app):
    p = in_the_middle(place, app)
    why = place.deploy(app, {"VERSION": "other"}, code=75)
    assert "web is being changed by ann@" in why and len(why.strip().splitlines()) == 1, why
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=60)


def test_what_a_killed_deploy_left_is_cleaned_up(place, app):
    before = stable(place, app)
    p = in_the_middle(place, app)
    p.kill()
    p.communicate()
    left = max(place.services(app))
    assert left > before and place.locks()
    said = place.deploy(app, {"VERSION": "after"})
    assert f"web is at v{left + 1}" in said
    assert stable(place, app) == left + 1 and not place.locks()
    assert place.history(app)[f"v{left}"]["state"] == "failed"
    assert place.ask() == (200, "after")


def let_serve(place, app, env=None):
    """As a deploy that hands over to the newest version, and is killed before it lets the other go."""
    def change(spec):
        spec["Labels"].update({"maya.role": "stable", "maya.weight": "100"})
        if env:
            spec["TaskTemplate"]["ContainerSpec"]["Env"] = env
    place.engine.change(f"{app}-v{max(place.services(app))}", change)


def test_nobody_is_ready_because_the_gateway_reloads(place, app):
    """Two versions are stable, and the newer one is not ready: the older one stays."""
    before, was = stable(place, app), place.ask()
    p = in_the_middle(place, app)
    p.kill()
    p.communicate()
    number = max(place.services(app))
    let_serve(place, app)
    with People(place) as people:
        place.deploy("other", {"VERSION": "x"}, spec={"hostnames": ["other.test"]})
        place.maya("app", "stop", "other", "-y")
    assert people.failed == [] and people.seen == [was[1]]
    assert place.services(app) == {before: "stable", number: "stable"}
    said = [line for line in place.keeper_said() if line.get("app") == app and line.get("version") == number]
    assert said and {line["containers"] for line in said if line["event"] == "ready"} == {0}, said
    place.deploy(app, {"VERSION": "one"})


def test_one_that_was_killed_while_it_handed_over(place, app):
    """Two versions are stable: the newer one is meant."""
    before = stable(place, app)
    p = in_the_middle(place, app)
    p.kill()
    p.communicate()
    let_serve(place, app, ["PORT=8000", "VERSION=meant"])
    wait_for(lambda: before not in place.services(app))
    wait_for(lambda: place.ask() == (200, "meant"))
    place.deploy(app, {"VERSION": "one"})


def test_the_commit_is_remembered(place, app, tmp_path):
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q", tmp_path], check=True)
    (tmp_path / "file").write_text("1")
    subprocess.run([*git, "add", "."], cwd=tmp_path, check=True)
    subprocess.run([*git, "commit", "-qm", "one"], cwd=tmp_path, check=True)
    short = subprocess.run([*git, "rev-parse", "--short=7", "HEAD"], cwd=tmp_path, check=True,
                           capture_output=True, text=True).stdout.strip()
    place.maya("deploy", "-f", place.write(app, {"VERSION": "clean"}), cwd=tmp_path)
    assert place.history(app)[f"v{stable(place, app)}"]["commit"] == short
    (tmp_path / "file").write_text("2")
    place.maya("deploy", "-f", place.write(app, {"VERSION": "dirty"}), cwd=tmp_path)
    assert place.history(app)[f"v{stable(place, app)}"]["commit"] == short + "*"


def test_beside_it_and_then_promoted(place, app):
    place.deploy(app, {"VERSION": "blue"})
    before = stable(place, app)
    with People(place) as people:
        said = place.deploy(app, {"VERSION": "green"}, "--strategy", "blue-green")
        assert "http://next.web.localhost:" in said and "maya app promote web" in said
        assert place.services(app) == {before: "stable", before + 1: "next"}
        assert not place.locks()
        assert place.ask(host="next.web.localhost") == (200, "green")
        assert set(people.seen) == {"blue"}
        why = place.deploy(app, {"VERSION": "third"}, code=75)
        assert "waits to be promoted" in why
        assert "waits to be promoted" in place.maya("app", "rollback", app, code=75)
        assert place.services(app) == {before: "stable", before + 1: "next"}
        assert f"web is at v{before + 1}" in place.maya("app", "promote", app)
        assert people.hear() == {"green"}
    assert people.failed == []
    assert stable(place, app) == before + 1
    assert "no version that waits" in place.maya("app", "promote", app, code=1)


def test_beside_it_and_then_discarded(place, app):
    before = stable(place, app)
    was = place.ask()
    place.deploy(app, {"VERSION": "unwanted"}, "--strategy", "blue-green")
    assert "--yes" in place.maya("app", "discard", app, code=1)
    place.maya("app", "discard", app, "-y")
    assert stable(place, app) == before and place.ask() == was
    assert place.history(app)[f"v{before + 1}"]["state"] == "discarded"


def test_stop_and_again(place, app):
    assert "--yes" in place.maya("app", "stop", app, code=1)
    place.maya("app", "stop", app, "-y")
    assert place.services(app) == {} and not place.locks()
    assert json.loads(place.maya("app", "list", "--json"))[0]["state"] == "stopped"
    assert "is stopped already" in place.maya("app", "stop", app, "-y", code=1)
    assert "no app 'nosuch'" in place.maya("app", "stop", "nosuch", "-y", code=1)
    place.deploy(app, {"VERSION": "again"})
    assert place.ask() == (200, "again")


def test_a_port_that_another_program_has(place, app):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        why = place.maya("deploy", "-f", place.write(app, {"VERSION": "x"}), "--http", str(port), code=1)
    assert f"another program has port {port}" in why and "--http" in why
    assert not place.locks()


def test_no_engine_and_no_rights(place, tmp_path):
    path = place.write("other")
    env = {**place.engine.env, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    why = place.maya("deploy", "-f", path, "-y", code=1, env=env)
    assert "no Docker Engine answers at" in why and len(why.strip().splitlines()) == 1

    def nobody():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    # Where that user may read the program and the file, and not use the socket.
    engine = place.engine
    with tempfile.TemporaryDirectory() as open_to_all:
        os.chmod(open_to_all, 0o755)
        shutil.copy(MAYA, open_to_all + "/maya")
        shutil.copy(path, open_to_all + "/deploy.yaml")
        os.chmod(engine.folder, 0o711)
        os.chmod(engine.socket, 0o600)
        done = subprocess.run([open_to_all + "/maya", "deploy", "-y"], cwd=open_to_all, env=env | {
            "DOCKER_HOST": engine.host}, preexec_fn=nobody, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "no right to use the Docker Engine" in done.stderr, done.stderr
