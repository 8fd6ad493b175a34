"""SIGKILL at random system calls of `whittle-gateway apply`: how often something was lost, and how much was written again."""

import os
import shutil
import tempfile
from pathlib import Path

from harness.measure import Failed
from harness.rows import Bar, Row
from support.kills import kill_applies_of_a_layout
from support.sites import Device, Site, noise

KILLS = int(os.environ.get("BENCH_KILLS") or 10_000)


class Surroundings:
    """What a Device asks of a test."""

    def __init__(self, folder):
        self.temporary = folder

    @staticmethod
    def fail(reason):
        raise Failed(reason)


def rows(bench):
    site = Site(bench.folder / "site")
    base = {"usr/lib/base": (noise(300_000, 1), 0o644)}
    one = site.bundle(1, {"sensor": [base, program(50_000, 2)], "web": [base, program(20_000, 3)]}, output="one.whittle")
    two = site.bundle(2, {"sensor": [base, program(50_100, 4)], "broker": [base, program(30_000, 5)]}, output="two.whittle")
    # In memory: a kill loses nothing that was written, so a disk would only make it slower.
    state = Path(tempfile.mkdtemp(prefix="whittle-kills-", dir="/dev/shm"))
    try:
        device = Device(Surroundings(bench.folder), site, folder=state / "device")
        sweep = kill_applies_of_a_layout(device, one, two, KILLS, bench.folder, seed=2, again=0.8)
    except AssertionError as error:
        raise Failed(str(error)) from None
    finally:
        shutil.rmtree(state)
    yield Row("gateway-kills", f"{sweep.kills} kills, generations that were not whole", "", 0, bar=Bar(0, of_ratio=False))
    yield Row("gateway-kills", "written again, the worst of all", "%", 100 * sweep.worst, bar=Bar(5, of_ratio=False))


def program(size, seed):
    return {"bin/app": (noise(size, seed), 0o755)}
