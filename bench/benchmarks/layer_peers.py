"""Other tools that make a layer of the tree. They write gzip; all sync or do not as they please."""

import shutil

from harness.measure import Contender, Unavailable
from harness.rows import Row
from support.case import remove_tree

UMOCI = 'umoci init --layout "$0" && umoci new --image "$0:t" && umoci insert --image "$0:t" "$1" /tree'
BUILDAH = """
set -e
b() { buildah --root "$0/root" --runroot "$0/run" --storage-driver vfs "$@"; }
c=$(b from scratch)
b copy -q "$c" "$1" /tree
b commit -q "$c" "oci:$0/out:t"
"""
PEERS = {"umoci": ("umoci insert", UMOCI), "buildah": ("buildah copy, commit", BUILDAH)}


def rows(bench, tree, plain):
    for program, (name, script) in PEERS.items():
        with bench.part(f"layers, {program}"):
            yield peer_row(bench, tree, plain, program, name, script)


def peer_row(bench, tree, plain, program, name, script):
    if not shutil.which(program):
        raise Unavailable(f"{program} is not on PATH; run scripts/setup --test")
    folder = bench.folder / program
    contender = Contender(name, ["bash", "-c", script, folder, tree.path], prepare=lambda: remove_tree(folder))
    rounds = max(1, bench.rounds // 3) if program == "umoci" else 1
    theirs = bench.stopwatch.interleaved([contender], rounds, warm_up=0)[0]
    remove_tree(folder)
    note = "gzip, all that it writes" if program == "umoci" else "gzip; copies the tree into its storage first"
    return Row("layers", "plain, synced to disk", "s", plain.seconds, name, theirs.seconds, note=note, facts={"samples": [theirs.facts()]})
