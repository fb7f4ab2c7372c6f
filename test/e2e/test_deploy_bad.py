"""Deploys that fail: versions that get ready and are bad all the same, what stops a deploy before it
begins, and people who stop it. What serves goes on, and nothing is left behind."""
import base64
import json
import os
import re
import signal

import pytest

from apps import People, Place, SlowSocket, slow_socket, wait_for
from docker import PATIENCE_S
from node import free_port

pytestmark = pytest.mark.plain  # it is the Swarm that takes the time


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("bad"))
    made.deploy("web", {"VERSION": "old"})
    yield made
    made.close()


def stable_or_none(place):
    services = place.services("web")
    return next(iter(services)) if list(services.values()) == ["stable"] else None


def stable(place):
    """The version that serves, when all others have gone."""
    return wait_for(lambda: stable_or_none(place))


def watched(seconds):
    return {"health": {"ready": "/readyz", "within": 30, "watch": seconds}, "drain": 1}


def one_sentence(err):
    """The last line is the one that says why."""
    lines = err.strip().splitlines()
    assert [line for line in lines if line.startswith("maya: ")] == lines[-1:], err
    return lines[-1].removeprefix("maya: ")


def newest(place):
    return max(place.history("web"), key=lambda v: int(v[1:]))


@pytest.mark.parametrize("env, words", [
    ({"ERRORS": "100"}, "100\\.0 % of its answers were errors"),
    # Whether what it was answering, its end, or that nobody is there is seen first is chance.
    ({"LEAK_KB": "512"}, "w(as|ere) killed, as for memory \\(exit code 137\\)|"
                         "of its answers were errors|none of its containers was ready for"),
])
def test_one_that_serves_and_is_bad_is_taken_back(place, env, words):
    before = stable(place)
    with People(place) as people:
        why = one_sentence(place.deploy("web", {"VERSION": "bad", **env}, code=1, spec=watched(60)))
        number = newest(place)
        assert why.startswith(f"{number} was taken back: ") and re.search(words, why), why
        assert why.endswith(f"v{before} serves again")
        wait_for(lambda: list(place.services("web")) == [before])
        people.hear()  # what the bad one said
        people.failed.clear()
        people.seen.clear()
        asked = people.asked
        wait_for(lambda: people.asked > asked + 50)
    assert people.failed == [] and people.seen == ["old"]
    assert stable(place) == before and not place.locks()
    assert place.history("web")[number]["state"] == "failed"


def test_one_that_hangs_is_taken_back(place):
    before = stable(place)
    # Long enough that it is not found well before it hangs.
    p = place.start("deploy", "-f", place.write("web", {"VERSION": "hangs"}, **watched(60)))
    wait_for(lambda: place.services("web").get(before) == "old")
    container, = [c["Id"] for c in place.engine.json("GET", "/containers/json")
                  if c["Names"][0].startswith(f"/web-{newest(place)}.")]
    os.kill(place.engine.json("GET", f"/containers/{container}/json")["State"]["Pid"], signal.SIGSTOP)
    why = one_sentence(p.communicate(timeout=240)[1])
    assert p.returncode == 1 and "none of its containers was ready for" in why, why
    assert why.endswith(f"v{before} serves again") and place.ask() == (200, "old")
    assert stable(place) == before


@pytest.mark.parametrize("words", [b"/services?", b"/configs?"])
def test_one_that_is_taken_back_while_somebody_looks(place, words):
    """Between two questions of whoever waits for the end, the keeper may do all of it."""
    before = stable(place)
    with slow_socket(place.engine) as slow:
        path = place.write("web", {"VERSION": "bad", "ERRORS": "100"}, **watched(600))
        p = place.start("deploy", "-f", path)
        assert any("stays beside it" in line for line in p.stderr)
        slow.words = words
        assert slow.stuck.wait(PATIENCE_S)
        with People(place, count=1):
            wait_for(lambda: place.services("web").get(before) == "stable")
        wait_for(lambda: list(place.services("web").values()).count("stable") == 1)
        slow.go.set()
        why = one_sentence(p.communicate(timeout=240)[1])
    assert p.returncode == 1 and "% of its answers were errors" in why, why
    assert why.endswith(f"v{before} serves again") and stable(place) == before


def test_one_that_was_promoted_and_is_bad_is_taken_back(place):
    before = stable(place)
    with People(place) as people:
        place.deploy("web", {"VERSION": "bad", "ERRORS": "100"}, "--strategy", "blue-green", spec=watched(60))
        why = one_sentence(place.maya("app", "promote", "web", code=1))
        assert "of its answers were errors" in why and why.endswith(f"v{before} serves again")
        wait_for(lambda: stable_or_none(place) == before)
        assert people.hear() == {"old"}


def end_soon(spec):
    assert spec["Labels"]["maya.watch"] == "600"
    spec["Labels"]["maya.watch"] = "3"


def test_a_good_one_is_watched_whether_anybody_looks_on_or_not(place):
    before = stable(place)
    path = place.write("web", {"VERSION": "old"}, memory=65, **watched(600))
    with People(place) as people:
        p = place.start("deploy", "-f", path)
        wait_for(lambda: place.services("web").get(before) == "old")
        p.send_signal(signal.SIGINT)
        err = p.communicate(timeout=PATIENCE_S)[1]
        assert p.returncode == 1 and "goes on being watched" in one_sentence(err), err
        roles = place.services("web")
        assert sorted(roles.values()) == ["old", "stable"] and roles[before] == "old"
        place.engine.change(f"web-v{max(roles)}", end_soon)  # in place of ten minutes
        wait_for(lambda: stable_or_none(place) == max(roles))
    assert people.failed == [] and not place.locks()


# Before anything is done

def refused(place, name, *flags, code=1, env=None, **spec):
    """A deploy that says why in one line, and has changed nothing."""
    before = place.all_there_is()
    path = place.write(name, **spec)
    err = place.maya("deploy", "-f", path, *flags, code=code,
                     env={**place.engine.env, "USER": "ann", **(env or {})})
    assert place.all_there_is() == before
    assert len(err.strip().splitlines()) == 1, err
    return one_sentence(err)


def test_what_is_not_there(place):
    made = {"image": {"base": place.image, "files": {"web.yaml": "/web.yaml"}}}  # would have to be built
    place.write("web")
    assert refused(place, "late", secrets=["none"], hostnames=["late.example.org"], **made) == (
        "there is no secret 'none'; `maya secret create none KEY=VALUE` makes one")


def test_names_that_another_app_has(place):
    made = {"image": {"base": place.image, "files": {"web.yaml": "/web.yaml"}}}
    place.write("web")
    assert refused(place, "more", **made) == (
        "the app web has every name that is no other app's already; give more names of its own under "
        "`hostnames`")
    # As long as a name may be, and the least that a container may have of a core.
    shop = "Shop." + "x" * 59
    place.maya("deploy", "-f", place.write(shop, hostnames=["shop.example.org", "next.a.org"], cpu=0.01))
    with People(place) as people:
        assert refused(place, "more", hostnames=["more.example.org", "shop.example.org"], **made) == (
            f"'shop.example.org' is a name of the app {shop} already; give more another one under `hostnames`")
        assert refused(place, "more", hostnames=["next.shop.example.org"], **made) == (
            f"'next.shop.example.org' is where a new version of the app {shop} is tried; give more another one "
            "under `hostnames`")
        assert refused(place, "more", hostnames=["a.org"], **made) == (
            f"'next.a.org' is a name of the app {shop} already, and a new version of more would be tried "
            "there; give it another one under `hostnames`")
        assert refused(place, shop, hostnames=["a.org"]).endswith("first, or give it other `hostnames`")
        assert place.ask(host="shop.example.org") == (200, "?")
    assert people.failed == []
    place.maya("app", "stop", shop, "-y")
    # Also one that is stopped has its name.
    assert refused(place, shop.lower(), hostnames=["b.org"], **made) == (
        f"there is an app '{shop}', and the engine takes '{shop.lower()}' for the same; give this one another `name`")


def test_a_port_that_another_container_has(place):
    port = free_port()
    with place.engine.container(place.image, ["/server"], port=8000, env=["PORT=8000"],
                                PortBindings={"8000/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(port)}]}):
        why = refused(place, "web", "--http", str(port), env={}, memory=66)
    assert f"another program has port {port} of this machine" in why and "--http says another" in why


def test_ports_that_leave_no_way_in(place):
    assert refused(place, "web", "--http", "0", "--https", "0").startswith("without a port for HTTP and without one")
    assert "cannot both have port" in refused(place, "web", "--https", str(place.port))


def test_a_port_that_is_not_named_stays(place):
    keeper, port = "/services/maya-keeper", free_port()
    with People(place) as people:
        place.maya("deploy", "-f", place.write("web", {"VERSION": "old"}, **watched(0)), "--https", str(port))
        labels = place.engine.json("GET", keeper)["Spec"]["Labels"]
        assert (labels["maya.http"], labels["maya.https"]) == (str(place.port), str(port))
        place.deploy("web", {"VERSION": "old"}, spec=watched(0))
        assert place.engine.json("GET", keeper)["Spec"]["Labels"] == labels
    assert people.failed == []


def test_a_first_one_that_does_not_get_ready_leaves_nothing(place):
    """What somebody else made of that name stays."""
    place.maya("volume", "create", "fresh-kept")
    before = place.all_there_is()
    path = place.write("fresh", {"UNREADY": "1"}, hostnames=["fresh.example.org"],
                       volumes={"fresh-data": "/data", "fresh-kept": "/kept"})
    p = place.start("deploy", "-f", path)
    wait_for(lambda: "fresh-data" in place.all_there_is()["volumes"] or p.poll() is not None)
    rows = {row["app"]: row["state"] for row in json.loads(place.maya("app", "list", "--json"))}
    assert rows["fresh"] == "starting" and rows["web"] == "deployed"
    p.send_signal(signal.SIGINT)
    err = p.communicate(timeout=PATIENCE_S)[1]
    assert one_sentence(err) == "stopped; no version of fresh serves", err
    after = place.all_there_is()  # its place in the history, and the image that it names
    assert after["configs"] - before["configs"] == {"fresh-v1"}
    assert all(after[kind] == before[kind] for kind in ("services", "secrets", "volumes"))
    # One that served once keeps what it has, whatever comes after.
    good = place.write("fresh", hostnames=["fresh.example.org"], volumes={"fresh-data": "/data"})
    p = place.start("deploy", "-f", good)
    err = p.communicate(timeout=240)[1]
    assert p.returncode == 0 and "v2 serves.\n" in err and "what came before" not in err, err
    place.maya("app", "stop", "fresh", "-y")
    place.maya("deploy", "-f", place.write("fresh", {"DIE": "no"}, hostnames=["fresh.example.org"],
                                           volumes={"fresh-data": "/data"}), code=1)
    assert "fresh-data" in place.all_there_is()["volumes"] and place.services("fresh") == {}


def test_memory_and_containers_by_the_environment(place):
    """The names that people have from before."""
    for name, value, may in (("MODAL_MEMORY_MB", "0", "a whole number from 16 to"),
                             ("MODAL_MEMORY_MB", "1.5", "a whole number from 16 to"),
                             ("MODAL_MAX_CONTAINERS", "-1", "a whole number from 1 to"),
                             ("MODAL_MAX_CONTAINERS", "many", "a whole number from 1 to")):
        assert f"{name} is '{value}'; it may be {may}" in refused(place, "web", env={name: value})
    assert "'min_containers' is 2 and MODAL_MAX_CONTAINERS 1; the first may not be more" in refused(
        place, "web", env={"MODAL_MAX_CONTAINERS": "1"}, min_containers=2)
    place.maya("deploy", "-f", place.write("web", {"VERSION": "old"}, memory=64, max_containers=9, **watched(0)),
               env={**place.engine.env, "MODAL_MEMORY_MB": "72", "MODAL_MAX_CONTAINERS": "4"})
    name = f"web-v{stable(place)}"
    task = place.engine.json("GET", f"/services/{name}")["Spec"]["TaskTemplate"]
    assert task["Resources"]["Limits"]["MemoryBytes"] == task["Resources"]["Reservations"]["MemoryBytes"] == 72 << 20
    container = next(c for c in place.engine.json("GET", "/containers/json") if name in c["Names"][0])
    assert place.engine.inspect(container["Id"])["HostConfig"]["Memory"] == 72 << 20
    data = place.engine.json("GET", f"/configs/{name}")["Spec"]["Data"]
    assert json.loads(base64.b64decode(data))["spec"]["spec"]["max_containers"] == 4


# Two at once, and people who stop it

def test_two_at_the_same_time(place):
    before = stable(place)
    paths = []
    for i in range(2):
        path = place.write("web", {"VERSION": "old", "UNREADY": "1", "TURN": str(i)}, **watched(0))
        paths.append(place.folder / f"turn{i}.yaml")
        os.rename(path, paths[-1])

    def make_ready(spec):
        env = spec["TaskTemplate"]["ContainerSpec"]["Env"]
        env.remove("UNREADY=1")

    with People(place) as people:
        both = [place.start("deploy", "-f", str(path)) for path in paths]
        # The one that is first goes on only when the other one has come.
        wait_for(lambda: any(p.poll() is not None for p in both))
        wait_for(lambda: place.services("web").get(before + 1) == "next")
        place.engine.change(f"web-v{before + 1}", make_ready)
        said = [p.communicate(timeout=240)[1] for p in both]
    assert sorted(p.returncode for p in both) == [0, 75], said
    loser = said[[p.returncode for p in both].index(75)]
    assert one_sentence(loser).startswith("web is being changed by ann@")
    assert people.failed == [] and stable(place) == before + 1 and not place.locks()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_the_image_is_sent(place, how):
    before = place.all_there_is()
    there = str(place.engine.folder / f"slow{int(how)}")
    slow = SlowSocket(place.engine.socket, there, b"/images/load")
    path = place.folder / "bar.yaml"
    path.write_text(json.dumps({"name": "bar", "size": "small", "hostnames": ["bar.example.org"]}))
    p = place.start("deploy", "-f", str(path), env={**place.engine.env, "DOCKER_HOST": f"unix://{slow.path}"})
    assert slow.stuck.wait(PATIENCE_S)
    p.send_signal(how)
    err = p.communicate(timeout=PATIENCE_S)[1]
    slow.close()
    assert (p.returncode, err) == (1, "maya: stopped, before anything of bar was changed\n")
    assert place.all_there_is() == before


@pytest.mark.parametrize("how", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT, signal.SIGTERM]])
def test_stopped_while_it_gets_ready(place, how):
    """Once or more often is the same."""
    before = stable(place)
    path = place.write("web", {"VERSION": "bad", "UNREADY": "1"})
    with People(place) as people:
        p = place.start("deploy", "-f", path)
        wait_for(lambda: "next" in place.services("web").values() or p.poll() is not None)
        for one in how:
            p.send_signal(one)
        err = p.communicate(timeout=PATIENCE_S)[1]
        assert p.returncode == 1
        assert one_sentence(err) == f"stopped; v{before} of web serves as before"
    assert people.failed == [] and people.seen == ["old"]
    assert place.services("web") == {before: "stable"} and not place.locks()
    place.deploy("web", {"VERSION": "old", "AFTER": str(len(how))}, spec=watched(0))
