"""The examples in Python beside the same application on two bases: Debian without anything unneeded and its `python3`, and what a
distroless image holds, put together by hand from Debian's packages."""

import json
import shutil
import subprocess
import sys

from benchmarks.size import whittle_size
from harness.bench import ROOT
from harness.rows import Row

EXAMPLES = ("python-flask", "python-inference")
DISTROLESS = """python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libc6 libssl3 zlib1g libbz2-1.0 liblzma5 libffi8 libexpat1
libsqlite3-0 libuuid1 libncursesw6 libreadline8 libtinfo6 libdb5.3 libcrypt1 libnsl2 libtirpc3 libgcc-s1 libstdc++6 ca-certificates tzdata
base-files netbase""".split()


def rows(bench):
    bases = {"debootstrap minbase, python3": minbase(bench.folder / "minbase"), "distroless by hand": distroless(bench.folder / "distroless")}
    for name in EXAMPLES:
        with bench.part(f"size of {name}"):
            tree = bench.folder / name
            shutil.copytree(ROOT / "examples" / name, tree)
            ours = whittle_size(bench, tree)
            for base, root in bases.items():
                yield Row("python", f"image of examples/{name}", "B", ours, base, compressed(with_application(bench, root, tree)))


def call(*argv, **options):
    subprocess.run([str(word) for word in argv], check=True, capture_output=True, text=True, **options)


def minbase(root):
    call("debootstrap", "--variant=minbase", "bookworm", root)
    call("chroot", root, "apt-get", "install", "-y", "--no-install-recommends", "python3", "ca-certificates")
    for path in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(root / path)
    return root


def distroless(root):
    root.mkdir()
    packages = root.parent / "packages"
    packages.mkdir()
    call("apt-get", "download", "-q", *DISTROLESS, cwd=packages)
    for package in sorted(packages.glob("*.deb")):
        call("dpkg-deb", "-x", package, root)
    for path in ("doc", "man", "locale"):
        shutil.rmtree(root / "usr/share" / path, ignore_errors=True)
    return root


def locked(bench, tree):
    """uv.lock as lines for pip, by whittle's own plan."""
    plan = json.loads(bench.run_whittle("plan", "--json", tree))
    return next(step for step in plan["steps"] if step["name"] == "install packages")["files"]["python/requirements.txt"]


def with_application(bench, base, tree):
    """The base with the application and its packages as pip installs them."""
    root = bench.folder / f"{base.name}-{tree.name}"
    call("cp", "-a", base, root)
    shutil.copytree(tree, root / "app")
    requirements = bench.folder / f"{tree.name}.txt"
    requirements.write_text(locked(bench, tree))
    options = ["--no-deps", "--ignore-requires-python", "--only-binary", ":all:", "--python-version", "3.11"]
    call(sys.executable, "-m", "pip", "install", "--target", root / "app/packages", *options, "-r", requirements)
    return root


def compressed(root):
    tar = subprocess.Popen(["tar", "-C", root, "--sort=name", "-cf", "-", "."], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    data = subprocess.run(["zstd", "-3", "-T2", "-c"], stdin=tar.stdout, check=True, capture_output=True).stdout
    tar.wait()
    return len(data)
