"""The layer writer as a process of its own beside `tar | zstd`: time, processor time, memory and size; on disk and in memory; with
one thread and two."""

from dataclasses import dataclass
from pathlib import Path

from harness.measure import Contender
from harness.rows import Bar, Row
from support.case import remove_tree

LEVEL = 3
THREADS = 2
FORMS = ("plain", "chunked")

# The most that time and size may be of the peer's.
MOST_TIME = {"plain": 1.05, "chunked": 1.35}
MOST_SIZE = {"plain": 1.02, "chunked": 1.12}


@dataclass
class Written:
    """Of one form, with two threads, synced to disk."""

    seconds: float
    size: int


def rows(bench, tree):
    """Yields rows and returns {form: Written}."""
    written = {}
    for form in FORMS:
        written[form] = yield from two_thread_rows(bench, tree, form)
        with bench.part(f"layers, {form}, in memory"):
            yield in_memory_row(bench, tree, form)
        with bench.part(f"layers, {form}, one thread"):
            yield one_thread_row(bench, tree, form)
    return written


def two_thread_rows(bench, tree, form):
    folder = bench.folder / form
    ours, theirs = bench.stopwatch.interleaved(pair(bench, tree, folder, form), bench.rounds)
    facts = {"tree": {"files": tree.files, "bytes": tree.size}, "samples": [ours.facts(), theirs.facts()]}
    peer = peer_name(THREADS)
    size, their_size = size_of(folder / "whittle"), size_of(folder / "peer")
    what = f"{form} layer of {tree.files:,} files, {tree.size / 1e6:.0f} MB, synced to disk"
    yield Row("layers", what, "s", ours.seconds, peer, theirs.seconds, Bar(MOST_TIME[form]), facts=facts)
    yield Row("layers", f"{form}, processor time", "s", ours.processor_seconds, peer, theirs.processor_seconds)
    note = "peer: its largest process"
    yield Row("layers", f"{form}, peak memory", "B", ours.peak_bytes, peer, theirs.peak_bytes, note=note)
    yield Row("layers", f"{form}, peak memory to be under 64 MB", "B", ours.peak_bytes, bar=Bar(64e6, of_ratio=False))
    yield Row("layers", f"{form}, size", "B", size, peer, their_size, Bar(MOST_SIZE[form]))
    return Written(ours.seconds, size)


def in_memory_row(bench, tree, form):
    """Written to a file system in memory, where syncing costs nothing: the disk has no say."""
    memory = Path("/dev/shm") / bench.folder.parent.name
    try:
        contenders = pair(bench, tree, memory, form, sync=False)
        ours, theirs = bench.stopwatch.interleaved(contenders, bench.rounds)
    finally:
        remove_tree(memory)
    facts = {"samples": [ours.facts(), theirs.facts()]}
    bar = Bar(MOST_TIME[form])
    return Row("layers", f"{form}, written to memory", "s", ours.seconds, peer_name(THREADS), theirs.seconds, bar, facts=facts)


def one_thread_row(bench, tree, form):
    contenders = pair(bench, tree, bench.folder / f"{form}-one", form, threads=1)
    ours, theirs = bench.stopwatch.interleaved(contenders, max(1, bench.rounds // 2))
    facts = {"samples": [ours.facts(), theirs.facts()]}
    note = "tar is a second process, and layer_tree reads beside its thread"
    return Row("layers", f"{form}, one thread", "s", ours.seconds, peer_name(1), theirs.seconds, note=note, facts=facts)


def pair(bench, tree, folder, form, threads=THREADS, sync=True):
    blobs, out = folder / "whittle", folder / "peer"
    ours = Contender("layer_tree", writer_argv(bench, tree.path, blobs, form, threads), prepare=bench.fresh(blobs))
    script = f'tar -C "$0" -c . | zstd -q -{LEVEL} -T{threads} -o "$1"' + (' && sync "$1"' if sync else "")
    theirs = Contender("tar | zstd", ["sh", "-c", script, tree.path, out / "out.zst"], prepare=bench.fresh(out))
    return [ours, theirs]


def writer_argv(bench, tree, blobs, form, threads=THREADS):
    return [bench.helper("layer_tree"), tree, blobs, threads, LEVEL, form]


def peer_name(threads):
    return f"tar | zstd -{LEVEL} -T{threads}"


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
