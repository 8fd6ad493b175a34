"""`whittle build` of the tree: whole, again, and after a change of one file: the first, the middle and the last of the layer."""

import os
import shutil

from harness.bench import ROOT
from harness.measure import Measurement
from harness.rows import Bar, Row
from harness.trees import walk

CONFIGURATION = """name = "bench/tree"
[build]
detector = "single-file"
[image]
certificates = "never"
timezones = []
files = [{ source = "tree/", path = "/tree" }]
[layers]
form = "%s"
"""
FORMS = ("plain", "chunked")


def rows(bench, tree):
    project = bench.folder / "project"
    project.mkdir()
    shutil.move(tree.path, project / "tree")
    shutil.copy(ROOT / "examples/c-hello/hello.c", project)
    for form in FORMS:
        with bench.part(f"layers, whittle build, {form}"):
            (project / "whittle.toml").write_text(CONFIGURATION % form)
            yield from form_rows(bench, project, form)


def form_rows(bench, project, form):
    homes = bench.homes(form)
    build = bench.whittle_contender
    full = Measurement(build("build", project, name=form, prepare=bench.fresh(*homes)))
    again = Measurement(build("build", project, name=form))
    changed = {
        place: Measurement(build("build", project, name=form, prepare=lambda path=path: change(path)))
        for place, path in places(project / "tree").items()
    }
    for _ in range(min(bench.rounds, 5)):  # in this order: each builds on what the one before left
        for measurement in (full, again, *changed.values()):
            measurement.samples.append(bench.stopwatch.once(measurement.contender))
    facts = {"samples": [measurement.facts() for measurement in (full, again, *changed.values())]}
    yield Row("layers", f"`whittle build` of that tree and a C file, {form}, nothing cached", "s", full.seconds, facts=facts)
    note = "the list of files included"
    yield Row("layers", f"the same, {form}, peak memory", "B", full.peak_bytes, bar=Bar(64e6, of_ratio=False), note=note)
    yield Row("layers", f"nothing changed, {form}", "s", again.seconds, bar=Bar(0.1, of_ratio=False))
    for place, one in changed.items():
        yield Row("layers", f"{place} file changed, {form}", "s", one.seconds, "its own full time", full.seconds, Bar(0.20))


def places(tree):
    """The files of the tree in the order of the layer: which are first, in the middle, last."""
    files = sorted((path for path in walk(tree) if not path.is_symlink() and path.stat().st_size > 0), key=lambda path: os.fsencode(path))
    return {"first": files[0], "middle": files[len(files) // 2], "last": files[-1]}


def change(path):
    path.chmod(path.stat().st_mode | 0o200)
    with open(path, "r+b") as stream:
        stream.write(os.urandom(16))
