"""In a memory cgroup of its own: page cache does no harm, real memory does, both end again."""
import shutil

import pytest

from cgroup_helper import MIB, CgroupUnavailable, MemoryCgroup
from node import SANITIZED, Node, until

pytestmark = pytest.mark.skipif(SANITIZED, reason="sanitizers need more than the limit")
LIMIT = 192 * MIB


class GroupNode(Node):
    """A Node that starts inside the cgroup; a shell moves itself in before it becomes Maya."""

    def __init__(self, folder, group):
        enter = ["/bin/sh", "-c", f'echo $$ > "{group.path}/cgroup.procs" && exec "$@"', "sh"]
        super().__init__(folder, {"MAYA_DEFAULT_SESSION_MEMORY_MB": "1",
                                  "MAYA_SESSIONS_PER_CONTAINER": "20"}, before=enter)


@pytest.fixture
def group():
    try:
        g = MemoryCgroup(LIMIT)
    except CgroupUnavailable as e:
        pytest.skip(str(e))
    yield g
    g.remove()


@pytest.fixture
def node(group, tmp_path_factory):
    n = GroupNode(tmp_path_factory.mktemp("grouped"), group)
    n.start()
    yield n
    n.close()
    shutil.rmtree(n.folder, ignore_errors=True)


def health(node):
    reply = node.get("/healthz")
    return reply.status, reply.json()["status"], reply.json()["checks"]


HEALTHY = (200, "healthy", [])
UNHEALTHY = (503, "unhealthy", ["Container memory pressure detected"])


def test_the_limit_is_the_cgroups(node):
    assert node.metric("maya_container_memory_limit_bytes") == LIMIT


def test_page_cache_is_no_pressure(node, group):
    try:
        writer = group.fill_page_cache(node.folder)
    except CgroupUnavailable as e:
        pytest.skip(str(e))
    try:
        assert group.charged() >= 0.95 * LIMIT
        # Two samples later it still says so.
        seen = node.metric("maya_process_uptime_seconds")
        until("two samples", lambda: node.metric("maya_process_uptime_seconds") > seen + 2.5)
        assert health(node) == HEALTHY
        # Still over the threshold; a busy machine may have taken some of the cache back.
        assert group.charged() >= 0.85 * LIMIT
        assert node.metric("maya_container_memory_utilization") < 0.5
        assert node.metric("maya_container_memory_pressure") == 0
        assert node.chat("good evening", "guest-in-the-cache").status == 200
    finally:
        group.let_go(writer)


def test_real_memory_is_pressure_and_ends(node, group):
    node.say("two martinis please", "early-guest-0001")
    eater = group.hold_memory(int(0.87 * LIMIT))
    try:
        until("pressure", lambda: node.metric("maya_container_memory_pressure") == 1)
        reply = node.chat("good evening", "late-guest-00001")
        assert reply.status == 503, reply
        assert reply.json()["code"] == "memory_pressure"
        assert reply.json()["detail"] == "Container memory pressure detected"
        assert int(reply.headers["retry-after"]) > 0
        assert node.metric("maya_sessions_rejected_total", reason="memory_pressure") >= 1
        # Who is inside is served.
        assert node.chat("and an ipa please", "early-guest-0001").status == 200
        # Nothing below helped, so the last rung is climbed too.
        until("bad health", lambda: health(node) == UNHEALTHY)
    finally:
        group.let_go(eater)
    until("health", lambda: health(node) == HEALTHY)
    # A sample that was taken while the eater went may have found a lower rung only.
    until("no pressure", lambda: node.metric("maya_container_memory_pressure") == 0)
    assert node.chat("good evening", "late-guest-00001").status == 200
    assert group.oom_kills() == 0
    for rung in ("shed_caches", "hibernate", "refuse", "unhealthy"):
        assert node.metric("maya_container_memory_rung_climbed_total", rung=rung) >= 1
    # It goes down at the next sample that is taken.
    until("no rung is climbed", lambda: node.metric("maya_container_memory_rung") == 0)
    assert "notices from=" in node.log()
    assert node.metric("maya_container_memory_notices_total") >= 1


def test_page_cache_beside_real_memory(node, group):
    """Both at once: what counts is the working set, and it comes back."""
    try:
        writer = group.fill_page_cache(node.folder)
    except CgroupUnavailable as e:
        pytest.skip(str(e))
    try:
        eater = group.hold_memory(int(0.87 * LIMIT))
        try:
            until("pressure", lambda: health(node) == UNHEALTHY)
        finally:
            group.let_go(eater)
        until("health", lambda: health(node) == HEALTHY)
    finally:
        group.let_go(writer)
