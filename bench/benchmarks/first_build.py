"""A first build, nothing cached, against the same compiler commands by hand."""

import shutil

from harness.bench import ROOT
from harness.rows import Bar, Row

EXAMPLES = ("go-http", "rust-cli", "c-hello", "make-tool", "cmake-library")
TOOLS = {"go": "go build", "rust": "cargo build", "single-file": "the compiler", "make": "make", "cmake": "cmake, ninja"}


def rows(bench):
    with bench.part("first-build of a public Go service"):
        tree, _, module = bench.service()
        yield from compared(bench, tree, module)
    for name in EXAMPLES:
        with bench.part(f"first-build of {name}"):
            # Outside our own repository, whose .git is not the example's.
            tree = bench.folder / name
            shutil.copytree(ROOT / "examples" / name, tree)
            yield from compared(bench, tree, f"examples/{name}")


def compared(bench, tree, what):
    by_hand = bench.by_hand(tree, lambda plan: TOOLS[plan["detector"]])
    whittle = bench.whittle_contender("build", tree, prepare=bench.fresh(*bench.homes()))
    ours, theirs = bench.stopwatch.interleaved([whittle, by_hand.first_build()], bench.rounds)
    facts = {"samples": [ours.facts(), theirs.facts()], "byHand": by_hand.script()}
    yield Row("first-build", what, "s", ours.seconds, by_hand.name, theirs.seconds, Bar(1.10), facts=facts)
