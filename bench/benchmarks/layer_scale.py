"""Memory must not grow with the tree, but for the list of its files: the tree ten times over, no two files alike."""

import shutil
from pathlib import Path

from benchmarks.layer_writer import FORMS, writer_argv
from harness.measure import Contender
from harness.rows import Bar, Row
from harness.trees import walk
from support.case import remove_tree

TIMES = 10


def rows(bench, tree):
    large = bench.folder / "ten"
    large.mkdir()
    try:
        for number in range(TIMES):
            copy = large / str(number)
            shutil.copytree(tree.path, copy, symlinks=True)
            make_different(copy, number)
        for form in FORMS:
            yield from form_rows(bench, tree, large, form)
    finally:
        remove_tree(large)


def make_different(folder, number):
    mark = f"\ncopy {number}\n".encode()
    for path in walk(folder):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o200)
            with open(path, "ab") as stream:
                stream.write(mark)


def form_rows(bench, tree, large, form):
    blobs = bench.folder / "ten-blobs"
    once, ten = (measured_once(bench, path, blobs, form) for path in (tree.path, large))
    remove_tree(blobs)
    facts = {"samples": [once.facts(), ten.facts()]}
    grown = (ten.peak_bytes - once.peak_bytes) / ((TIMES - 1) * tree.files)
    note = f"{grown:.0f} B more for each file more"
    yield Row("layers", f"{form}, peak memory at {TIMES}×", "B", ten.peak_bytes, "at 1×", once.peak_bytes, note=note, facts=facts)
    yield Row("layers", f"{form}, time at {TIMES}×", "s", ten.seconds, f"{TIMES} × 1×", TIMES * once.seconds)


def measured_once(bench, tree, blobs, form):
    contender = Contender(f"layer_tree {Path(tree).name}", writer_argv(bench, tree, blobs, form), prepare=bench.fresh(blobs))
    return bench.stopwatch.interleaved([contender], 1, warm_up=0)[0]
