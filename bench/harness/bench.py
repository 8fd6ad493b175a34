"""What a benchmark is given: whittle, a stopwatch, a folder that disappears, and a cache that stays."""

import contextlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness import peers
from harness.by_hand import ByHand
from harness.measure import Contender, Failed, Stopwatch, Unavailable
from support.case import remove_tree

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Bench:
    whittle: Path
    folder: Path  # of this benchmark alone
    cache: Path
    stopwatch: Stopwatch
    rounds: int
    failures: dict  # part → why it could not be measured

    @contextlib.contextmanager
    def part(self, name):
        """What fails in here is reported, and the rest goes on."""
        try:
            yield
        except (Failed, Unavailable) as error:
            self.failures[name] = str(error)

    def peer(self, name):
        return peers.go_program(name, self.cache)

    def service(self):
        return peers.go_service(self.folder, self.cache)

    def fresh(self, *folders):
        """A `prepare` that empties these folders."""

        def prepare():
            for folder in folders:
                remove_tree(folder)
                folder.mkdir(parents=True)

        return prepare

    def whittle_environment(self, name="whittle"):
        """A store and a cache of its own below `name`; everything else is the caller's."""
        home = self.folder / name
        return {"WHITTLE_STORE": home / "store", "WHITTLE_CACHE": home / "cache", "WHITTLE_THREADS": None}

    def whittle_contender(self, *arguments, name="whittle", prepare=lambda: None, folder=Path("/")):
        environment = self.whittle_environment(name)
        return Contender("whittle", [self.whittle, *arguments], folder, environment, prepare)

    def run_whittle(self, *arguments, name="whittle"):
        """Not measured; returns standard output."""
        environment = {key: str(value) for key, value in self.whittle_environment(name).items() if value is not None}
        argv = [str(self.whittle), *map(str, arguments)]
        said = subprocess.run(argv, env={**os.environ, **environment}, capture_output=True, text=True)
        if said.returncode != 0:
            raise Failed(f"$ {' '.join(argv)}\nexit {said.returncode}\n{said.stdout}{said.stderr}")
        return said.stdout

    def homes(self, name="whittle"):
        environment = self.whittle_environment(name)
        return environment["WHITTLE_STORE"], environment["WHITTLE_CACHE"]

    def by_hand(self, tree, name_of):
        """`name_of` says what the plan's commands are called in the report."""
        plan = json.loads(self.run_whittle("plan", "--json", tree))
        return ByHand(name_of(plan), tree, plan, self.folder / "by-hand")

    def helper(self, name):
        """A program that bench/CMakeLists.txt builds."""
        for folder in (self.whittle.parent / "bench", ROOT / "build/release/bench", ROOT / "build/bench/bench"):
            if (folder / name).is_file():
                return folder / name
        raise Unavailable(f"{name} is not built: cmake --preset release -DWHITTLE_BENCH=ON && cmake --build --preset release")
