"""kill -9 and power cuts: what was acknowledged and is gone.

The same as the tests do (test/e2e/test_kill.py, test/unit/store/faults.c), with the number of
times: a server is killed under the load of six clients again and again, and a store runs on a
simulated disk whose power goes at every single write, truncation and sync in turn, with what was
not yet synced kept, dropped or torn at random.
"""
import pathlib
import re
import subprocess
import tempfile

from kit import ROOT, Row


def arguments(parser):
    parser.add_argument("--durable-rounds", type=int, default=100, help="durable: kills")


def kills(rounds):
    from node import Node
    from test_kill import CLIENTS, kill_under_load
    with tempfile.TemporaryDirectory() as folder:
        try:
            acknowledged = kill_under_load(Node(folder, {"MAYA_LOG_LEVEL": "warning"}), rounds)
        except AssertionError as e:
            return Row(f"acknowledged turns lost, {rounds} times kill -9", f"some: {e}", "", "0",
                       False, must=True)
    return Row(f"acknowledged turns lost, {rounds} times kill -9 under {CLIENTS} clients, "
               f"{acknowledged} turns", "0", "up to 1 s of them", "0", True, must=True)


def rows(bench):
    yield kills(bench.args.durable_rounds)
    faults = pathlib.Path(bench.maya).parent / "unit/store/faults.t"
    p = subprocess.run([faults], capture_output=True, text=True, cwd=ROOT)
    cuts = re.search(r"^# (\d+) power cuts$", p.stdout, re.M)
    failed = re.findall(r"^not ok .*$", p.stdout, re.M)
    yield Row(f"acknowledged writes lost, {cuts[1] if cuts else 'no'} power cuts",
              "0" if p.returncode == 0 else f"some: {', '.join(failed)}", "-", "0",
              p.returncode == 0 and cuts is not None, must=True)
