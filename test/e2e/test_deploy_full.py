"""`maya deploy` where a disk is full: the engine's, or that of the volume with the sessions."""
import contextlib
import errno
import http.client
import json
import os

import pytest

from apps import Place, wait_for

pytestmark = pytest.mark.plain  # it is the Swarm that takes the time


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("full"), disk=500)
    yield made
    made.close()


@contextlib.contextmanager
def filled(folder, leave):
    """So many bytes are left on the disk below the folder."""
    def fill(f):
        left = os.statvfs(folder)
        size = left.f_bavail * left.f_frsize - leave
        try:
            if size > 0:
                os.posix_fallocate(f.fileno(), 0, size)
        except OSError as e:  # the engine has taken some of it meanwhile
            assert e.errno == errno.ENOSPC, e
            return False
        return True

    with open(f"{folder}/filled", "wb") as f:
        wait_for(lambda: fill(f))
    try:
        yield
    finally:
        os.unlink(f"{folder}/filled")


def deploy(place, level, *flags, code=0, **more):
    path = place.folder / "deploy.yaml"
    path.write_text(json.dumps({"name": "bar", "size": "small", "memory": 256, "sessions": 8, "max_containers": 1,
                                "drain": 1, "health": {"watch": 0, "within": 180},
                                "env": {"MAYA_LOG_LEVEL": level}, **more}))
    said = place.maya("deploy", "-f", str(path), "--http", str(place.port), *flags, code=code)
    return said.strip().splitlines()


def chat(place):
    c = http.client.HTTPConnection("127.0.0.1", place.port, timeout=90)
    with contextlib.closing(c):
        c.request("POST", "/api/chat", json.dumps({"user_input": "a martini please"}),
                  {"Content-Type": "application/json"})
        return c.getresponse().status


def test_an_engine_whose_disk_is_full(place):
    full = (f"maya: the disk of the engine at {place.engine.host} is full; make room there (`docker system df` "
            "shows what takes it), and try again")
    data = place.engine.folder / "data"
    before = place.all_there_is()
    with filled(data, 8 << 20):
        assert deploy(place, "info", code=1) == [full]  # less than the image takes
    assert place.all_there_is() == before
    deploy(place, "info")
    assert chat(place) == 200
    before = place.all_there_is()
    with filled(data, 0):
        assert deploy(place, "debug", code=1) == [full]  # no container can be made
        assert place.all_there_is() == before
        # Not even where it is not tried before.
        assert deploy(place, "debug", "--force", code=1)[-1] == full
        assert place.services("bar") == {1: "stable"} and not place.locks()
        assert place.ask("/readyz")[0] == 200


def test_a_volume_whose_disk_is_full(place):
    """It cannot keep a session there, so it does not start, and the other one goes on."""
    place.engine.call("POST", "/volumes/create", {
        "Name": "tiny", "DriverOpts": {"type": "tmpfs", "device": "tmpfs", "o": "size=8k,uid=65532,gid=65532"}})
    said = deploy(place, "info", code=1, volumes={"tiny": "/data"})
    assert "does not start" in said[-1] and "disk is full" in said[-1], said
    assert place.services("bar") == {1: "stable"} and not place.locks()
    assert chat(place) == 200
