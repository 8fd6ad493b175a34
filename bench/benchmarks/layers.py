"""A big tree → compressed layer, against `tar | zstd`; then `whittle build` of that tree: whole, again, and with one file changed."""

import os
import shutil
import sys
from pathlib import Path

from harness.bench import ROOT
from harness.measure import Contender, Measurement
from harness.rows import Bar, Row
from harness.trees import big_tree
from support.case import remove_tree

LEVEL = 3
THREADS = 2  # what `zstd -T2` is given

PIPE = 'tar -C "$0" -c . | zstd -q -{level} -T{threads} -o "$1"'.format(level=LEVEL, threads=THREADS)
PEER = f"tar | zstd -{LEVEL} -T{THREADS}"
PIPE_AND_SYNC = f'{PIPE} && sync "$1"'

# Form, and the most that its time and its size may be of the peer's.
FORMS = (("plain", 1.05, 1.02), ("chunked", 1.35, 1.12))

CONFIGURATION = """name = "bench/tree"
[build]
detector = "single-file"
[image]
certificates = "never"
timezones = []
files = [{ source = "tree/", path = "/tree" }]
"""


def rows(bench):
    tree = big_tree(bench.folder / "tree")
    print(f"  tree: Go's distribution and GCC's libraries, {tree}", file=sys.stderr)
    with bench.part("layers, the writer alone"):
        yield from writer_rows(bench, tree)
    with bench.part("layers, whittle build"):
        yield from build_rows(bench, tree)


def writer_rows(bench, tree):
    for form, time, size in FORMS:
        yield from form_rows(bench, tree, form, time, size)


def form_rows(bench, tree, form, most_time, most_size):
    facts = {"tree": {"files": tree.files, "bytes": tree.size}}
    folder = bench.folder / form
    ours, theirs = bench.stopwatch.interleaved(pair(bench, tree, folder, form, PIPE_AND_SYNC), bench.rounds)
    samples = {**facts, "samples": [ours.facts(), theirs.facts()]}
    what = f"{form} layer of {tree}, synced to disk"
    yield Row("layers", what, "s", ours.seconds, PEER, theirs.seconds, Bar(most_time), facts=samples)
    yield Row("layers", f"{form}, processor time", "s", ours.processor_seconds, PEER, theirs.processor_seconds)
    note = "peer: its largest process"
    yield Row("layers", f"{form}, peak memory", "B", ours.peak_bytes, PEER, theirs.peak_bytes, note=note)
    yield Row("layers", f"{form}, peak memory to be under 64 MB", "B", ours.peak_bytes, bar=Bar(64e6, of_ratio=False))
    size, their_size = size_of(folder / "whittle"), size_of(folder / "peer")
    yield Row("layers", f"{form}, size", "B", size, PEER, their_size, Bar(most_size))

    with bench.part(f"layers, {form}, in memory"):
        yield in_memory_row(bench, tree, form, most_time)
    if form == "plain":
        with bench.part("layers, umoci"):
            yield umoci_row(bench, tree, ours)


def pair(bench, tree, folder, form, pipe):
    blobs, out = folder / "whittle", folder / "peer"
    argv = [bench.helper("layer_tree"), tree.path, blobs, THREADS, LEVEL, form]
    ours = Contender("layer_tree", argv, prepare=bench.fresh(blobs))
    theirs = Contender("tar | zstd", ["sh", "-c", pipe, tree.path, out / "out.zst"], prepare=bench.fresh(out))
    return [ours, theirs]


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def in_memory_row(bench, tree, form, most_time):
    """Written to a file system in memory, where syncing costs nothing: the disk has no say."""
    memory = Path("/dev/shm") / bench.folder.parent.name
    try:
        ours, theirs = bench.stopwatch.interleaved(pair(bench, tree, memory, form, PIPE), bench.rounds)
    finally:
        remove_tree(memory)
    facts = {"samples": [ours.facts(), theirs.facts()]}
    return Row("layers", f"{form}, written to memory", "s", ours.seconds, PEER, theirs.seconds, Bar(most_time), facts=facts)


def umoci_row(bench, tree, ours):
    folder = bench.folder / "umoci"
    script = 'umoci init --layout "$0" && umoci new --image "$0:t" && umoci insert --image "$0:t" "$1" /tree'

    def prepare():
        remove_tree(folder)

    contender = Contender("umoci insert", ["sh", "-c", script, folder, tree.path], prepare=prepare)
    umoci = bench.stopwatch.interleaved([contender], max(1, bench.rounds // 3), warm_up=0)[0]
    facts = {"samples": [umoci.facts()]}
    note = "gzip, all that umoci writes"
    return Row("layers", "plain, synced to disk", "s", ours.seconds, "umoci insert", umoci.seconds, note=note, facts=facts)


def build_rows(bench, tree):
    project = bench.folder / "project"
    project.mkdir()
    shutil.move(tree.path, project / "tree")
    (project / "whittle.toml").write_text(CONFIGURATION)
    shutil.copy(ROOT / "examples/c-hello/hello.c", project)
    changed = project / "tree/VERSION-OF-BENCH"
    homes = [bench.folder / "whittle/store", bench.folder / "whittle/cache"]

    def change_one_file():
        changed.write_bytes(os.urandom(20_000))

    full = Measurement(bench.whittle_contender("build", project, prepare=bench.fresh(*homes)))
    again = Measurement(bench.whittle_contender("build", project))
    one = Measurement(bench.whittle_contender("build", project, prepare=change_one_file))
    change_one_file()
    for _ in range(bench.rounds):  # in this order: each builds on what the one before left
        for measurement in (full, again, one):
            measurement.samples.append(bench.stopwatch.once(measurement.contender))
    samples = {"samples": [full.facts(), again.facts(), one.facts()]}
    yield Row("layers", "`whittle build` of that tree and a C file, nothing cached", "s", full.seconds, facts=samples)
    note = "the list of files included"
    yield Row("layers", "the same, peak memory", "B", full.peak_bytes, bar=Bar(64e6, of_ratio=False), note=note)
    yield Row("layers", "nothing changed", "s", again.seconds, bar=Bar(0.1, of_ratio=False))
    yield Row("layers", "one file changed", "s", one.seconds, "its own full time", full.seconds, Bar(0.20))
