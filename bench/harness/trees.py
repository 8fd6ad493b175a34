"""The big tree that is made into layers: what every machine that can run the benchmarks has anyway."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.measure import Unavailable


@dataclass
class BigTree:
    path: Path
    files: int
    size: int

    def __str__(self):
        return f"{self.size / 1e6:.0f} MB, {self.files:,} files"


def big_tree(folder):
    """A copy of Go's distribution and of GCC's libraries, or of the folder BENCH_TREE, so that nothing changes it meanwhile."""
    folder.mkdir()
    for source in [Path(os.environ["BENCH_TREE"])] if os.environ.get("BENCH_TREE") else default_sources():
        if source.is_dir():
            subprocess.run(["cp", "-a", "--reflink=auto", f"{source.resolve()}/", folder / source.name], check=True)
    files = [path for path in walk(folder) if not path.is_symlink()]
    return BigTree(folder, len(files), sum(path.stat().st_size for path in files))


def default_sources():
    go = shutil.which("go")
    if not go:
        raise Unavailable("go is not on PATH; its distribution is the tree that is measured")
    root = subprocess.run([go, "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip()
    return [Path(root), Path("/usr/lib/gcc")]


def walk(folder):
    for parent, _, names in os.walk(folder):
        for name in names:
            yield Path(parent) / name
