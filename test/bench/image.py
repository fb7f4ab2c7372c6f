"""Maya's own image in a Docker Engine: its size, how it gets there, and how soon it answers.

The engine is the tests' own (test/e2e/docker.py; root only). A start is the time from asking the
engine to create a container to the first 200 of /healthz; beside it, by turns, an empty one: a
container of a shell, until the engine says that it runs. Medians.
"""
import gzip
import http.client
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

from kit import MIB, Row

MOST_MS = 300


def arguments(parser):
    parser.add_argument("--image-starts", type=int, default=20, help="image: starts of each kind")


def build(bench, engine, folder):
    """(what the command says, seconds)"""
    began = time.perf_counter()
    p = subprocess.run([bench.maya, "image", "build", "--json"], cwd=folder, env=engine.env,
                       capture_output=True, text=True, check=True)
    return json.loads(p.stdout), time.perf_counter() - began


def answered(engine, container):
    while True:
        address = engine.address(container)
        c = http.client.HTTPConnection(address, 8000, timeout=10)
        try:
            c.request("GET", "/healthz")
            if c.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.001)  # between two looks
        finally:
            c.close()


def start_ms(engine, image, cmd, ready, **more):
    began = time.perf_counter()
    with engine.container(image, cmd, **more) as c:
        ready(c)
        return (time.perf_counter() - began) * 1000


def rows(bench):
    import docker
    why = docker.why_not()
    if why:
        yield Row("image", f"skipped: {why}")
        return
    engine = docker.start_engine()
    try:
        if not engine.bridge:
            yield Row("image", "skipped: no bridge can be made here")
            return
        yield from measured(bench, engine)
    finally:
        engine.stop()


def measured(bench, engine):
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "deploy.yaml").write_text("name: bench\n")
        made, first_s = build(bench, engine, folder)
        again, again_s = build(bench, engine, folder)
    size = engine.image(made["ref"])["Size"]
    saved = engine.call("GET", f"/images/{made['ref']}/get")
    yield Row("image on the engine's disk", f"{size / MIB:.1f} MiB", "", "< 30 MiB",
              size < 30 * MIB, True)
    yield Row("image, compressed (gzip -6)", f"{len(gzip.compress(saved, 6)) / MIB:.1f} MiB")
    yield Row("making and loading it", f"{first_s:.2f} s", f"{again_s:.2f} s when it is there")
    base, maya, empty = engine.base_image(), [], []
    volume = {"Mounts": [{"Type": "volume", "Target": "/data"}]}
    for _ in range(bench.args.image_starts):
        empty.append(start_ms(engine, base, ["true"], lambda c: None))
        maya.append(start_ms(engine, made["ref"], None, lambda c: answered(engine, c),
                             env=["MAYA_SESSIONS_PER_CONTAINER=4"], Memory=512 * MIB,
                             MemorySwap=512 * MIB, **volume))
    ours, theirs = statistics.median(maya), statistics.median(empty)
    yield Row("container: create to first 200", f"{ours:.0f} ms", f"empty: {theirs:.0f} ms",
              f"within {MOST_MS} ms", ours - theirs <= MOST_MS)
