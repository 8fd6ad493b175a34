"""A set of eight images that share a layer of 80 MB: what its bundle takes, how long a device needs to take it, and with how much memory,
beside the tools that each runtime has for it."""

import json
import os
import shutil
import subprocess

from harness.images import write_shared_images
from harness.measure import Contender, Failed, Unavailable
from harness.rows import Bar, Row
from support.parties import Containerd, MissingParty, Podman

IMAGES = 8
SHARED = 80_000_000
OWN = 3_000_000
MEMORY = 32 * 1024 * 1024


def rows(bench):
    layout = bench.folder / "layout"
    names = write_shared_images(layout, IMAGES, SHARED, OWN)
    site = Site(bench, layout, names)
    unique = sum(file.stat().st_size for file in (layout / "blobs/sha256").iterdir())
    yield Row("gateway", f"bundle of {IMAGES} images", "B", site.bundle.stat().st_size, "their blobs, each once", unique, Bar(1.03))
    yield from writing(bench, site)
    for part in (into_layout, into_containerd, into_podman):
        with bench.part(part.__name__.replace("_", " ")):
            yield from part(bench, site)


class Site:
    """imageset.toml, lock, key and bundle of the images."""

    def __init__(self, bench, layout, names):
        self.bench = bench
        self.folder = bench.folder / "site"
        self.folder.mkdir()
        self.names = [f"registry.example.org/bench/{name}:latest" for name in names]
        lines = ['set = "bench"', "epoch = 1", "[registry]", 'address = "registry.example.org"', 'namespace = "bench"']
        for name in names:
            lines += ["[[image]]", f'name = "{name}"', f'from = "oci:{layout}:{name}"']
        (self.folder / "imageset.toml").write_text("\n".join(lines) + "\n")
        self.run("set", "lock")
        self.run("set", "keygen", "key")
        self.run("set", "trust", "--key", "key.pub")
        self.run("set", "bundle", "--key", "key", "-o", "bundle")
        self.bundle = self.folder / "bundle"

    def run(self, *arguments):
        environment = {key: str(value) for key, value in self.environment().items() if value is not None}
        argv = [str(self.bench.whittle), *map(str, arguments)]
        said = subprocess.run(argv, cwd=self.folder, env={**os.environ, **environment}, capture_output=True, text=True)
        if said.returncode != 0:
            raise Failed(f"$ {' '.join(argv)}\nexit {said.returncode}\n{said.stdout}{said.stderr}")
        return said.stdout

    def environment(self):
        return self.bench.whittle_environment()

    def contender(self, *arguments, prepare=lambda: None):
        return Contender("whittle", [self.bench.whittle, *arguments], self.folder, self.environment(), prepare)

    def device(self, name, *options):
        """A `prepare` that makes a new device, and the device's folder."""
        state = self.bench.folder / name

        def prepare():
            shutil.rmtree(state, ignore_errors=True)
            self.run("gateway", "init", "--state", state, "--name", name, "--trust", "imageset.trust.json", *options)

        return state, prepare

    def apply(self, state, prepare):
        return self.contender("gateway", "apply", "--state", state, self.bundle, prepare=prepare)


def writing(bench, site):
    target = site.folder / "written"

    def remove():
        target.unlink(missing_ok=True)

    ours = site.contender("set", "bundle", "--key", "key", "-o", target, prepare=remove)
    theirs = Contender("tar", ["tar", "-cf", target, "-C", bench.folder / "layout", "."], site.folder, {}, remove)
    mine, peer = bench.stopwatch.interleaved([ours, theirs], bench.rounds)
    yield Row("gateway", "write the bundle, signed and read back", "s", mine.seconds, "tar of the layout", peer.seconds, facts=facts(mine, peer))
    yield Row("gateway", "memory for that", "B", mine.peak_bytes, bar=Bar(MEMORY, of_ratio=False))


def facts(*measurements):
    return {"samples": [measurement.facts() for measurement in measurements]}


def into_layout(bench, site):
    state, prepare = site.device("gw-layout")
    other = bench.folder / "skopeo"
    script = bench.folder / "skopeo-all"
    script.write_text("#!/bin/sh -e\n" + "".join(f"skopeo --insecure-policy copy -q oci-archive:{site.bundle}:{name} oci:{other}:{name}\n" for name in site.names))
    script.chmod(0o755)
    theirs = Contender("skopeo", [script], site.folder, {}, lambda: shutil.rmtree(other, ignore_errors=True))
    mine, peer = bench.stopwatch.interleaved([site.apply(state, prepare), theirs], bench.rounds)
    yield Row("gateway", "apply to a layout, verified", "s", mine.seconds, "skopeo copy, each image", peer.seconds, facts=facts(mine, peer))
    yield Row("gateway", "memory for that", "B", mine.peak_bytes, bar=Bar(MEMORY, of_ratio=False))
    yield from repeated(bench, site, state, prepare, "layout")
    yield from forecast(site)


def repeated(bench, site, state, prepare, what):
    prepare()
    site.run("gateway", "apply", "--state", state, site.bundle)
    (again,) = bench.stopwatch.interleaved([site.apply(state, lambda: None)], bench.rounds)
    yield Row("gateway", f"the same bundle again ({what})", "s", again.seconds, bar=Bar(0.1 * IMAGES, of_ratio=False), facts=facts(again))


def forecast(site):
    """How far the forecast of space is from what the file system says afterwards."""
    state, prepare = site.device("gw-forecast")
    prepare()
    planned = json.loads(site.run("gateway", "plan", "--state", state, site.bundle, "--json"))
    needed = sum(row["neededBytes"] for row in planned["space"])
    before = used(state)
    site.run("gateway", "apply", "--state", state, site.bundle)
    taken = used(state) - before
    yield Row("gateway", "forecast of space, off by", "B", abs(taken - needed), bar=Bar(max(4_000_000, 0.01 * taken), of_ratio=False))


def used(folder):
    return int(subprocess.run(["du", "-s", "-B1", folder], check=True, capture_output=True, text=True).stdout.split()[0])


def into_containerd(bench, site):
    try:
        with Containerd() as containerd, Containerd() as other:
            options = {"address": containerd.socket, "snapshotter": "native", "root": containerd.folder / "root", "namespace": "default"}
            words = [word for name, value in options.items() for word in ("--adapter-option", f"{name}={value}")]
            state, prepare = site.device("gw-containerd", "--adapter", "containerd", *words)

            def forget(which):
                def run():
                    for name in which.ctr("images", "ls", "-q").stdout.split():
                        which.ctr("images", "rm", "--sync", name)
                    for digest in which.ctr("content", "ls", "-q").stdout.split():
                        which.ctr("content", "rm", digest, check=False)

                return run

            def fresh():
                forget(containerd)()
                prepare()

            peer = ["ctr", "--address", other.socket, "images", "import", "--snapshotter", "native", site.bundle]
            theirs = Contender("ctr", peer, site.folder, {}, forget(other))
            mine, peer = bench.stopwatch.interleaved([site.apply(state, fresh), theirs], bench.rounds)
            yield Row("gateway", "apply to containerd", "s", mine.seconds, "ctr images import", peer.seconds, facts=facts(mine, peer))
            yield from repeated(bench, site, state, fresh, "containerd")
    except MissingParty as missing:
        raise Unavailable(str(missing)) from None


def into_podman(bench, site):
    # Podman wants short paths; its own Podman for each contender, emptied before every run.
    with Podman() as ours, Podman() as theirs:
        options = {"storage": f"vfs@{ours.folder}/root+{ours.folder}/run", "folder": ours.folder}
        words = [word for name, value in options.items() for word in ("--adapter-option", f"{name}={value}")]
        state, prepare = site.device("gw-podman", "--adapter", "podman", *words)

        def fresh():
            ours("rmi", "--all", "--force")
            prepare()

        flags = ["--root", theirs.folder / "root", "--runroot", theirs.folder / "run", "--tmpdir", theirs.folder / "tmp"]
        argv = ["podman", *flags, "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "load", "-q", "-i", site.bundle]
        peer = Contender("podman", argv, site.folder, {"HOME": theirs.folder}, lambda: theirs("rmi", "--all", "--force"))
        mine, peer = bench.stopwatch.interleaved([site.apply(state, fresh), peer], bench.rounds)
        yield Row("gateway", "apply to Podman's storage", "s", mine.seconds, "podman load", peer.seconds, facts=facts(mine, peer))
