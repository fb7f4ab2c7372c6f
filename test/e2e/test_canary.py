"""`maya deploy --strategy canary`: judged by what people get, and decided by the keeper."""
import re
import signal

import pytest

from apps import People, Place, wait_for

pytestmark = pytest.mark.plain  # it is the Swarm that takes the time

QUICK = {"canary": {"step": 2, "within": 120, "sample": 20}}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("canary"))
    made.deploy("web", {"VERSION": "old"})
    yield made
    made.close()


def canary(place, env, *flags, code=0, spec=None):
    return place.deploy("web", env, "--strategy", "canary", *flags, code=code,
                        spec=spec or QUICK)


def stable(place):
    services = place.services("web")
    assert list(services.values()) == ["stable"], services
    return next(iter(services))


def test_a_good_one_takes_over_in_steps(place):
    before = stable(place)
    path = place.write("web", {"VERSION": "new"}, **QUICK)
    with People(place) as people:
        p = place.start("deploy", "-f", path, "--strategy", "canary", "--weight", "10")
        out, err = p.communicate(timeout=240)
        assert p.returncode == 0, err + place.state()
        assert people.hear() == {"new"}
    assert f"v{before + 1} is tried, with 10 % of new sessions" in err
    rows = [line.split() for line in err.splitlines() if line.endswith("good")]
    assert [row[0] for row in rows] == ["10", "25", "50"], err
    assert all(int(row[4]) >= 20 for row in rows), err
    assert people.failed == [] and stable(place) == before + 1


def test_one_that_fails_is_taken_back(place):
    before = stable(place)
    with People(place) as people:
        why = canary(place, {"VERSION": "bad", "ERRORS": "100"}, code=1)
    assert "was taken back" in why and "% of its answers were errors" in why, why
    assert 0 < len(people.failed) < people.asked / 10
    wait_for(lambda: list(place.services("web")) == [before])
    assert place.history("web")[f"v{before + 1}"]["state"] == "failed"


def test_one_that_cannot_read_sessions_is_taken_back(place):
    """A container's own numbers count: here from an app that says it has Maya's."""
    fine = "maya_sessions_unreadable_total 0\n"
    place.deploy("web", {"VERSION": "fine", "METRICS": fine})
    before = stable(place)
    path = place.write("web", {"VERSION": "blind", "METRICS_GROW": "maya_sessions_unreadable_total"},
                       canary={"step": 60, "within": 600, "sample": 100000})
    with People(place) as people:
        p = place.start("deploy", "-f", path, "--strategy", "canary")
        why = p.communicate(timeout=120)[1]
    assert p.returncode == 1 and "stored sessions could not be read" in why, why
    assert people.failed == []
    wait_for(lambda: list(place.services("web")) == [before])


@pytest.mark.parametrize("memory, leak, words", [
    # Slowly enough that it is asked again before it is killed.
    (1024, {"LEAK_KB": "128", "METRICS_MEMORY": "1"},
     r"it grew by \d+ MiB that no session holds, the others by 0 MiB"),
    (64, {"LEAK_KB": "512"},
     r"of its containers w(as|ere) killed, as for memory|of its answers were errors"),
])
def test_one_that_leaks_is_taken_back(place, memory, leak, words):
    """By what it says of its memory, and where it says nothing by its end or what that broke."""
    before = stable(place)
    env = {"VERSION": "leaky", **leak}
    slow = {"canary": {"step": 60, "within": 600, "sample": 100000}, "memory": memory}
    with People(place) as people:
        why = canary(place, env, "--weight", "50", code=1, spec=slow)
    assert re.search(f"was taken back: .*({words})", why), why
    wait_for(lambda: list(place.services("web").items()) == [(before, "stable")])


def test_a_person_decides(place):
    for verb in ("discard", "promote"):
        before = stable(place)
        path = place.write("web", {"VERSION": "tried"}, canary={"step": 600})
        p = place.start("deploy", "-f", path, "--strategy", "canary")
        wait_for(lambda: "canary" in place.services("web").values())
        wait_for(lambda: not place.locks())
        why = place.deploy("web", {"VERSION": "third"}, code=75)
        assert "is being tried" in why
        place.maya("app", verb, "web", *(["-y"] if verb == "discard" else []))
        err = p.communicate(timeout=60)[1]
        if verb == "discard":
            assert p.returncode == 1 and "was taken back: somebody wanted it so" in err, err
            assert stable(place) == before
        else:
            assert p.returncode == 0, err
            assert stable(place) > before


def test_the_keeper_needs_nobody_to_watch(place):
    for how in (signal.SIGKILL, signal.SIGINT):
        before = stable(place)
        path = place.write("web", {"VERSION": how.name}, **QUICK)
        p = place.start("deploy", "-f", path, "--strategy", "canary", "--weight", "20")
        wait_for(lambda: "canary" in place.services("web").values())
        wait_for(lambda: not place.locks())  # from here on a stop takes nothing back
        p.send_signal(how)
        err = p.communicate(timeout=60)[1]
        if how == signal.SIGINT:
            assert "goes on being tried" in err, err
        with People(place) as people:  # without them it is not over before
            wait_for(lambda: list(place.services("web").values()) == ["stable"], 120)
        assert people.failed == [] and stable(place) == before + 1


def test_what_cannot_be(place):
    assert "--weight belongs to --strategy canary" in place.deploy("web", {}, "--weight", "5", code=2)
    assert "a share is 1 to 99" in canary(place, {}, "--weight", "100", code=2)
