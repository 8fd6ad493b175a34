"""Kills a program at the Nth system call that changes something, with the `strace` program, and counts what it wrote."""

import random
import re
import shutil
import subprocess
from pathlib import Path

from support.parties import program
from support.sites import broken_blobs, digests_in, names_in

CHANGING = (
    "write", "pwrite64", "rename", "renameat", "renameat2", "fsync", "fdatasync", "syncfs", "unlink", "unlinkat", "rmdir", "mkdir",
    "mkdirat", "ftruncate", "fchmod", "utimensat", "openat",
)  # fmt: skip


class Traced:
    """What one run did: its exit code (-9 when it was killed), its changing calls in order, and bytes written to files."""

    def __init__(self, code, trace):
        self.code = code
        self.calls = []
        self.written = 0
        for line in trace.splitlines():
            match = re.match(r"(\w+)\(", line)
            if not match:
                continue
            name = match[1]
            if name == "openat" and "O_CREAT" not in line:
                self.calls.append(None)  # counted by strace all the same
                continue
            self.calls.append(name)
            if name in ("write", "pwrite64") and not re.match(r"\w+\([12],", line):
                done = re.search(r"= (\d+)$", line)
                self.written += int(done[1]) if done else 0

    def points(self):
        """(call, how many of its kind) for each call that changes something, as strace counts them."""
        seen, points = {}, []
        for name in self.calls:
            kind = name or "openat"
            seen[kind] = seen.get(kind, 0) + 1
            if name:
                points.append((kind, seen[kind]))
        return points


def traced(argv, folder, environment, kill=None):
    """Runs `argv` under strace (its main thread); `kill` is one of points()."""
    log = Path(folder) / "strace.log"
    inject = [f"--inject={kill[0]}:signal=KILL:when={kill[1]}"] if kill else []
    command = [program("strace"), "-qq", "-s", "0", "-o", log, "-e", "trace=" + ",".join(CHANGING), *inject, *argv]
    result = subprocess.run([str(word) for word in command], env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=600)
    return Traced(result.returncode, log.read_text(errors="replace"))


class Sweep:
    """Kills at points drawn from `seed`; `worst` is the largest share of the bytes that a kill made be written again. `start()` makes the state before; `check(was_visible)` looks at what a killed run left and
    `done()` at the end. A run that was killed is killed again, until it is let through."""

    def __init__(self, argv, folder, environment, seed=1, again=0.5):
        self.argv, self.folder, self.environment = argv, Path(folder), environment
        self.random = random.Random(seed)
        self.again = again
        self.kills = 0
        self.worst = 0.0

    def run(self, kills, start, check, done):
        start()
        clean = traced(self.argv, self.folder, self.environment)
        if clean.code != 0:
            raise AssertionError(f"the run that nobody kills ended with {clean.code}")
        done()
        points = clean.points()
        while self.kills < kills:
            start()
            written, before = 0, self.kills
            while True:
                kill = self.random.choice(points)
                result = traced(self.argv, self.folder, self.environment, kill)
                written += result.written
                if result.code == 0:
                    break  # it had fewer calls left than that
                if result.code not in (-9, 137):
                    raise AssertionError(f"killed at {kill}, it ended with {result.code}")
                self.kills += 1
                check(kill)
                if self.random.random() > self.again or self.kills >= kills:
                    last = traced(self.argv, self.folder, self.environment)
                    written += last.written
                    if last.code != 0:
                        raise AssertionError(f"after a kill at {kill} the same command ended with {last.code}")
                    break
            done()
            self.worst = max(self.worst, (written / clean.written - 1) / max(1, self.kills - before))
        return len(points), clean.written


def kill_applies_of_a_layout(device, one, two, kills, folder, seed=1, again=0.5):
    """Kills updates from bundle `one` to `two`. After each kill the index names the one or the other, and whatever it names, and the
    former generation until the end, has every byte; that is asserted. Returns the Sweep."""
    kept = Path(folder) / "kept"
    device("apply", one)
    shutil.copytree(device.folder, kept)
    old, new = digests_in(one), digests_in(two)

    def start():
        shutil.rmtree(device.folder)
        shutil.copytree(kept, device.folder)

    def check(kill):
        names = names_in(device.store)
        if names not in (old, new):
            raise AssertionError(f"after a kill at {kill} the names were {names}")
        broken = broken_blobs(device.store, {*names.values(), *old.values()})
        if broken:
            raise AssertionError(f"after a kill at {kill} these were broken: {broken}")

    def done():
        names = names_in(device.store)
        if names != new or broken_blobs(device.store, {*new.values(), *old.values()}) or list(device.store.glob(".partial-*")):
            raise AssertionError(f"the end was {names}")

    sweep = Sweep(device.command("apply", two), folder, device.environment, seed, again)
    sweep.run(kills, start, check, done)
    return sweep
