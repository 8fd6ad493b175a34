"""The same build again, nothing changed: what an edit-build-run loop pays for asking."""

import contextlib

from harness.measure import Contender
from harness.registries import EmptyBase
from harness.rows import Bar, Row


def rows(bench):
    tree, package, module = bench.service()
    bench.run_whittle("build", tree)
    whittle = bench.whittle_contender("build", ".", folder=tree)
    by_hand = bench.by_hand(tree, lambda _: "go build")
    bench.stopwatch.once(by_hand.first_build())
    contenders = [whittle, by_hand.again()]
    with contextlib.ExitStack() as stack:
        with bench.part("no-op ko"):
            contenders.append(ko_build(bench, tree, package, stack))
        measurements = bench.stopwatch.interleaved(contenders, bench.rounds * 3, warm_up=2)
    ours, go, *others = measurements
    facts = {"samples": [measurement.facts() for measurement in measurements]}
    what = f"`build .`, nothing changed, {module}"
    yield Row("no-op", what, "s", ours.seconds, go.contender.name, go.seconds, facts=facts)
    for ko in others:
        yield Row("no-op", what, "s", ours.seconds, ko.contender.name, ko.seconds, Bar(0.25))
    yield Row("no-op", "the same, to be under 100 ms", "s", ours.seconds, bar=Bar(0.100, of_ratio=False))


def ko_build(bench, tree, package, stack):
    """With its own cache on (KOCACHE), without an SBOM, into a layout: as quick as ko can be."""
    base = stack.enter_context(EmptyBase(bench.folder / "base"))
    environment = {
        "KO_DEFAULTBASEIMAGE": base.reference,
        "KO_DOCKER_REPO": "example.org/bench",
        "KOCACHE": bench.folder / "kocache",
        "GOCACHE": bench.folder / "gocache",
    }
    layout = bench.folder / "ko"
    argv = [bench.peer("ko"), "build", "--push=false", "--sbom=none", "--oci-layout-path", layout, package]
    return Contender("ko build", argv, tree, environment)
