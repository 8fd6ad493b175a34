"""A first build, nothing cached, against the compiler or build system that does the same work by hand."""

import shutil

from harness.bench import ROOT
from harness.measure import Contender
from harness.rows import Bar, Row

GO_FLAGS = ["-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="]


def rows(bench):
    for name, compare in CASES.items():
        with bench.part(f"first-build {name}"):
            tree, what, hand = compare(bench)
            whittle = bench.whittle_contender("build", tree, prepare=bench.fresh(*homes(bench)))
            ours, theirs = bench.stopwatch.interleaved([whittle, hand], bench.rounds)
            yield Row(
                "first-build",
                what,
                "s",
                ours.seconds,
                hand.name,
                theirs.seconds,
                Bar(1.10),
                facts={"samples": [ours.facts(), theirs.facts()], "steps": bench.steps_of(tree), "byHand": hand.argv},
            )


def homes(bench):
    environment = bench.whittle_environment()
    return environment["WHITTLE_STORE"], environment["WHITTLE_CACHE"]


def example(bench, name):
    """Outside our own repository, whose .git is not the example's."""
    tree = bench.folder / name
    shutil.copytree(ROOT / "examples" / name, tree)
    return tree


def go_build(bench, tree, package):
    cache, out = bench.folder / "gocache", bench.folder / "out"
    environment = {"CGO_ENABLED": "0", "GOCACHE": cache}
    argv = ["go", "build", *GO_FLAGS, "-o", out / "program", package]
    return Contender("go build", argv, tree, environment, bench.fresh(cache, out))


def go_example(bench):
    tree = example(bench, "go-http")
    return tree, "Go, examples/go-http", go_build(bench, tree, ".")


def go_public(bench):
    tree, package, module = bench.service()
    return tree, f"Go, {module}", go_build(bench, tree, package)


def rust(bench):
    tree, target = example(bench, "rust-cli"), bench.folder / "target"
    environment = {"RUSTFLAGS": "-C target-feature=+crt-static -C strip=symbols", "CARGO_TARGET_DIR": target}
    argv = ["cargo", "build", "--release", "--locked", "--target", "x86_64-unknown-linux-gnu"]
    hand = Contender("cargo build --release", argv, tree, environment, bench.fresh(target))
    return tree, "Rust, examples/rust-cli", hand


def single_file(bench):
    tree, out = example(bench, "c-hello"), bench.folder / "out"
    argv = ["musl-gcc", "-Os", "-fPIE", "-static-pie", "-s", "-o", out / "hello", "hello.c"]
    return tree, "C, examples/c-hello", Contender("musl-gcc", argv, tree, {}, bench.fresh(out))


def make(bench):
    tree, copy = example(bench, "make-tool"), bench.folder / "copy"

    def prepare():
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(tree, copy)

    argv = ["make", "-j2", "CC=musl-gcc"]
    hand = Contender("make", argv, copy, {"LDFLAGS": "-static -s"}, prepare)
    return tree, "C, examples/make-tool", hand


def cmake(bench):
    tree, out = example(bench, "cmake-library"), bench.folder / "out"
    configure = f"cmake -S {tree} -B {out} -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_EXE_LINKER_FLAGS='-static-pie -s'"
    script = f"{configure} -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DBUILD_TESTING=OFF && cmake --build {out} --target roman"
    hand = Contender("cmake", ["sh", "-c", script], tree, {}, bench.fresh(out))
    return tree, "C++, examples/cmake-library", hand


CASES = {
    "go-http": go_example,
    "go-public": go_public,
    "rust-cli": rust,
    "c-hello": single_file,
    "make-tool": make,
    "cmake-library": cmake,
}
