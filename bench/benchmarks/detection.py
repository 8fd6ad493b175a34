"""Other people's programs, built unconfigured: does the result run, how long against the bare build by hand, how large."""

import json
import os
import re
import shlex
import shutil
import subprocess
import time

from benchmarks.programs import PROGRAMS
from harness import sources
from harness.measure import Failed
from harness.rows import Row
from support.case import remove_tree
from support.layouts import Layout

LONGEST = int(os.environ.get("BENCH_LONGEST") or 900)  # seconds that a command may take


def rows(bench):
    """BENCH_PROGRAMS=name,name takes some of them; BENCH_BY_HAND=no leaves the bare builds out."""
    wanted = [name for name in os.environ.get("BENCH_PROGRAMS", "").split(",") if name]
    programs = [program for program in PROGRAMS if not wanted or program.name in wanted]
    good = 0
    for program in programs:
        with bench.part(f"detection of {program.name}"):
            row = row_of(bench, program)
            good += row.note.startswith(("runs", "refused"))
            yield row
    yield Row("detection", "programs that run, or are refused with the reason", "programs", good, "all", len(programs))


def row_of(bench, program):
    tree = sources.tree_of(program, bench.folder / "tree" / program.name, bench.cache)
    environment = bench.whittle_environment(program.name)
    try:
        if program.refused:
            return refusal(bench, program, tree, environment)
        return success(bench, program, tree, environment)
    finally:
        remove_tree(tree)
        remove_tree(bench.folder / program.name)
        remove_tree(bench.folder / "hand")


def run(argv, environment, folder="/"):
    merged = {**os.environ, **{key: str(value) for key, value in environment.items() if value is not None}}
    words = [str(word) for word in argv]
    started = time.perf_counter()
    try:
        done = subprocess.run(
            words, cwd=folder, env=merged, capture_output=True, text=True, errors="replace",
            stdin=subprocess.DEVNULL, timeout=LONGEST,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise Failed(f"`{shlex.join(words)}` was not done after {LONGEST} s") from late
    return done, time.perf_counter() - started


def refusal(bench, program, tree, environment):
    done, seconds = run([bench.whittle, "build", tree], environment)
    if done.returncode == 0:
        raise Failed(f"{program.name} was to be refused ({program.refused}), and was built")
    if not re.search(program.refused, done.stderr):
        raise Failed(f"{program.name} was refused for another reason: exit {done.returncode}\n{done.stderr[-2000:]}")
    return Row("detection", program.name, "s", seconds, note=f"refused, exit {done.returncode}: {program.refused}")


def success(bench, program, tree, environment):
    plan, _ = run([bench.whittle, "plan", "--json", tree], environment)
    if plan.returncode != 0:
        raise Failed(f"{program.name}: exit {plan.returncode}\n{plan.stderr[-2000:]}")
    plan = json.loads(plan.stdout)
    done, seconds = run([bench.whittle, "build", tree, "-t", f"{program.name}:bench"], environment)
    if done.returncode != 0:
        raise Failed(f"{program.name}: exit {done.returncode}\n{done.stderr[-3000:]}")
    reference = done.stdout.strip()
    ran, _ = run([bench.whittle, "run", reference, "--", *program.arguments], environment)
    said = ran.stdout + ran.stderr
    if not re.search(program.says, said, re.MULTILINE):
        raise Failed(f"{program.name}: `{shlex.join(program.arguments)}` exits {ran.returncode} and says\n{said[-2000:]}")
    size = Layout(environment["WHITTLE_STORE"]).image(reference.partition("@")[2]).compressed_size
    theirs = None if os.environ.get("BENCH_BY_HAND") == "no" else by_hand(bench, plan, tree)
    way = re.findall(r"built with (.+), which", done.stderr)
    facts = {"bytes": size, "detector": plan["detector"], "way": way[-1] if way else ""}
    told = f"runs, {size / 1000:.0f} kB, {plan['detector']}{', ' + way[-1] if way else ''}"
    return Row("detection", program.name, "s", seconds, "by hand", theirs, note=told, facts=facts)


def by_hand(bench, plan, tree):
    """What somebody would type, in a copy of the tree and with nothing cached; None when that fails."""
    folder = bench.folder / "hand"
    shutil.copytree(tree, folder / "src", symlinks=True)
    jobs = len(os.sched_getaffinity(0))
    generate = "" if (tree / "configure").exists() else "autoreconf --force --install && "
    packages = " ".join(value["value"] for name, value in plan["values"].items() if name.startswith("program "))
    command = {
        "autotools": f"{generate}./configure --disable-nls && make -j{jobs}",
        "make": f"make -j{jobs}",
        "cmake": f"cmake -S . -B b -G Ninja -DCMAKE_BUILD_TYPE=Release && cmake --build b --parallel {jobs}",
        "meson": "meson setup b --buildtype=release && ninja -C b",
        "go": f"go build -trimpath -ldflags='-s -w' -o {folder}/out/ {packages}",
        "rust": "cargo build --release",
    }.get(plan["detector"])
    if command is None:
        return None
    caches = {"GOCACHE": folder / "go-build", "GOMODCACHE": folder / "go-mod", "GOFLAGS": "-modcacherw",
              "CARGO_HOME": folder / "cargo", "CGO_ENABLED": "0" if "cgo" not in plan["values"] else "1"}  # fmt: skip
    done, seconds = run(["sh", "-c", command], caches, folder / "src")
    return seconds if done.returncode == 0 else None
