"""A big tree → compressed layer: the writer alone against `tar | zstd`, its floor and other tools; then `whittle build` of the tree."""

import sys

from benchmarks import layer_builds, layer_floor, layer_peers, layer_scale, layer_writer
from harness.trees import big_tree


def rows(bench):
    tree = big_tree(bench.folder / "tree")
    print(f"  tree: {tree}", file=sys.stderr)
    plain = None
    with bench.part("layers, the writer alone"):
        written = yield from layer_writer.rows(bench, tree)
        plain = written["plain"]
        with bench.part("layers, the floor"):
            yield from layer_floor.rows(bench, tree, written)
    if plain is not None:
        yield from layer_peers.rows(bench, tree, plain)
    with bench.part("layers, ten times the tree"):
        yield from layer_scale.rows(bench, tree)
    with bench.part("layers, whittle build"):
        yield from layer_builds.rows(bench, tree)
