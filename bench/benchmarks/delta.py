"""A program is changed and built again: what a device must be sent, and what making and applying that takes."""

import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from harness.measure import Contender, Failed, Unavailable
from harness.rows import Bar, Row
from support.case import ROOT, remove_tree
from support.layouts import Layout

MOST_SIZE = 1.2  # of bsdiff's
MOST_MEMORY = 32e6  # on the device

# A text is changed, which moves the strings of the program; a call is added, which moves its code.
CHANGES = {
    "one string changed": ('"hello from greeter %s\\n"', '"greetings from greeter %s\\n"'),
    "one line added": ('\tfmt.Fprintf(answer, "hello', '\tlog.Printf("%s %s", request.Method, request.URL.Path)\n\tfmt.Fprintf(answer, "hello'),
}


@dataclass
class Build:
    layers: list  # descriptors
    program: Path  # out of the last layer


def rows(bench):
    for form, changes in (("chunked", CHANGES), ("plain", ["one line added"])):
        with bench.part(f"delta, {form}"):
            yield from rows_of_form(bench, form, changes)


def rows_of_form(bench, form, changes):
    old = build(bench, form, "old", None)
    for number, what in enumerate(changes):
        fresh = build(bench, form, f"fresh-{number}", CHANGES[what])
        yield from rows_of_change(bench, f"{what}, {form} layers", old, fresh)


def rows_of_change(bench, what, old, fresh):
    known = {layer["digest"] for layer in old.layers}
    changed = [layer for layer in fresh.layers if layer["digest"] not in known]
    if len(changed) != 1:
        raise Failed(f"{len(changed)} layers differ, one was expected")
    target = changed[0]
    store = bench.whittle_environment()["WHITTLE_STORE"]
    payloads, scratch, out = (bench.folder / name for name in ("payloads", "scratch", "out"))
    tool, bases = bench.helper("layer_delta"), [word_of(layer) for layer in old.layers]
    compression = target.get("annotations", {}).get("io.whittle.compression", "")
    make = Contender(
        "layer_delta make", [tool, "make", store, payloads, scratch, compression, word_of(target), *bases], prepare=bench.fresh(payloads, scratch)
    )
    patch = bench.folder / "bsdiff"
    peer = Contender("bsdiff", ["bsdiff", old.program, fresh.program, patch])
    if not shutil.which("bsdiff"):
        raise Unavailable("bsdiff is not here; run scripts/setup --test")
    making, theirs = bench.stopwatch.interleaved([make, peer], bench.rounds)
    bench.stopwatch.once(make)  # its answer is what the log holds last
    answer = bench.stopwatch.output().splitlines()
    payload = int(answer[1].partition(":")[2])
    facts = {"samples": [making.facts(), theirs.facts()]}

    note = f"of {target['size'] / 1e6:.2f} MB; payload with tables and digests, peer the program alone"
    yield Row("delta", f"payload, {what}", "B", payload, "bsdiff", patch.stat().st_size, Bar(MOST_SIZE), note=note, facts=facts)
    zstd = bench.folder / "zstd"
    said("zstd", "-q", "-f", "-19", "--patch-from", old.program, fresh.program, "-o", zstd)
    yield Row("delta", f"payload, {what}", "B", payload, "zstd -19 --patch-from", zstd.stat().st_size)
    yield Row("delta", f"payload, {what}", "B", payload, "the layer itself", target["size"])
    yield Row("delta", f"making, {what}", "s", making.seconds, "bsdiff", theirs.seconds, note="tried out, too")
    yield Row("delta", f"making, peak memory, {what}", "B", making.peak_bytes, "bsdiff", theirs.peak_bytes)

    apply = Contender(
        "layer_delta apply", [tool, "apply", store, payloads, scratch, out, *answer], prepare=bench.fresh(out)
    )
    patched = Contender("bspatch", ["bspatch", old.program, bench.folder / "patched", patch])
    applying, patching = bench.stopwatch.interleaved([apply, patched], bench.rounds)
    facts = {"samples": [applying.facts(), patching.facts()]}
    yield Row(
        "delta", f"applying, {what}", "s", applying.seconds, "bspatch", patching.seconds, note="unpacks, packs, verifies and syncs; peer a file", facts=facts
    )
    yield Row("delta", f"applying, peak memory, {what}", "B", applying.peak_bytes, "bspatch", patching.peak_bytes)
    yield Row("delta", f"applying, peak memory to be under 32 MB, {what}", "B", applying.peak_bytes, bar=Bar(MOST_MEMORY, of_ratio=False))


def build(bench, form, name, change):
    tree = bench.folder / f"{form}-{name}"
    shutil.copytree(ROOT / "examples/go-http", tree)
    if change:
        source = tree / "main.go"
        before = source.read_text()
        if change[0] not in before:
            raise Failed("examples/go-http is not what it was")
        source.write_text(before.replace(*change))
    (tree / "whittle.toml").write_text(f'[layers]\nform = "{form}"\n')
    digest = bench.run_whittle("build", tree, "-t", f"delta:{form}-{name}").strip().partition("@")[2]
    layout = Layout(bench.whittle_environment()["WHITTLE_STORE"])
    layers = layout.image(digest).manifest["layers"]
    return Build(layers, program_in(layout, layers[-1], tree.with_suffix(".unpacked")))


def program_in(layout, layer, folder):
    """The largest file of the layer."""
    remove_tree(folder)
    folder.mkdir()
    tar = folder / "layer.tar"
    said("zstd", "-q", "-d", layout.blob_path(layer["digest"]), "-o", tar)
    with tarfile.open(tar) as archive:
        largest = max((member for member in archive if member.isreg()), key=lambda member: member.size)
        program = folder / "program"
        with archive.extractfile(largest) as content:
            program.write_bytes(content.read())
    return program


def word_of(layer):
    return f"{layer['digest'].partition(':')[2]}:{layer['size']}"


def said(*argv):
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"$ {' '.join(map(str, argv))}\n{done.stderr}")
