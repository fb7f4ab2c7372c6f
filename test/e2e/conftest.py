"""Fixtures: `node` is a running Maya with the defaults of the tests, `nodes` makes more."""
import shutil
import signal

import pytest

from docker import engine  # noqa: F401 - a fixture
from node import MAYA, SANITIZED, Node


def pytest_configure(config):
    config.addinivalue_line("markers", "plain: too slow or of no use with sanitizers")


# The files that take longest, in this order; then others with a Swarm. A worker that takes such
# a file last would keep all the others waiting.
LONGEST = ("scale", "deploy", "canary", "page", "cartesia", "deploy_doc", "other_app", "sample",
           "container", "gateway", "tls", "events")


def turn(item):
    """When a test's file has its turn; within a file and among equals all stays as it is."""
    name = item.path.stem.removeprefix("test_")
    if name in LONGEST:
        return LONGEST.index(name)
    return len(LONGEST) + (not item.get_closest_marker("plain"))


def pytest_collection_modifyitems(items):
    if not MAYA.exists():
        raise pytest.UsageError(f"{MAYA} is not there: make builds it")
    turns = {}
    for item in items:
        turns[item.path] = min(turn(item), turns.get(item.path, len(LONGEST) + 1))
    items.sort(key=lambda item: turns[item.path])
    for item in items:
        if SANITIZED and item.get_closest_marker("plain"):
            item.add_marker(pytest.mark.skip(reason="runs against the plain build"))


# A shell's background job has SIGINT ignored, and so would all that it starts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def nodes(tmp_path_factory):
    """nodes(env={...}) starts a Maya of its own; all are stopped and looked at in the end."""
    made = []

    def make(env=None, args=(), before=(), start=True):
        n = Node(tmp_path_factory.mktemp("node"), env, args, before)
        made.append(n)
        return n.start() if start else n

    yield make
    faults = []
    for n in made:
        try:
            n.close()
        except AssertionError as e:
            faults.append(str(e))
    for n in made:
        if not faults:
            shutil.rmtree(n.folder, ignore_errors=True)
    assert not faults, "\n".join(faults)


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """One Maya for all tests of a file that do not mind the others' sessions."""
    n = Node(tmp_path_factory.mktemp("node"), {"MAYA_SESSIONS_PER_CONTAINER": "400",
                                               "MAYA_DEFAULT_SESSION_MEMORY_MB": "1"})
    n.start()
    yield n
    n.close()
    shutil.rmtree(n.folder, ignore_errors=True)
