"""How many bytes a client pulls: every layer of the image, compressed."""

import os
import shutil
import subprocess

from harness.measure import Failed
from harness.registries import EmptyBase
from harness.rows import Bar, Row
from support.layouts import Layout


def rows(bench):
    tree, package, module = bench.service()
    theirs = ko_size(bench, tree, package)
    certified = bench.folder / "certified"
    shutil.copytree(tree, certified)
    (certified / "whittle.toml").write_text('[image]\ncertificates = "always"\n')
    note = "" if "whoami" in module else "the bar is whoami's"
    for level, most in ((3, 0.52), (19, 0.45)):
        ours = whittle_size(bench, certified, "--compression", f"zstd:{level}", "-t", f"level:{level}")
        what = f"{module} with CA roots, level {level}"
        yield Row("size", what, "B", ours, "ko, empty base", theirs, Bar(most), note=note)


def whittle_size(bench, tree, *arguments):
    digest = bench.run_whittle("build", tree, *arguments).strip().partition("@")[2]
    return Layout(bench.whittle_environment()["WHITTLE_STORE"]).image(digest).compressed_size


def ko_size(bench, tree, package):
    layout = bench.folder / "ko"
    with EmptyBase(bench.folder / "base") as base:
        environment = {**os.environ, "KO_DEFAULTBASEIMAGE": base.reference, "KO_DOCKER_REPO": "example.org/bench"}
        argv = [bench.peer("ko"), "build", "--push=false", "--sbom=none", "--oci-layout-path", str(layout), package]
        said = subprocess.run(argv, cwd=tree, env=environment, capture_output=True, text=True)
    if said.returncode != 0:
        raise Failed(f"ko: exit {said.returncode}\n{said.stderr}")
    return Layout(layout).image().compressed_size
