"""Programs and sources that come from the Go module proxy. They are kept in the cache folder, never in the repository."""

import json
import os
import shutil
import subprocess

from harness.measure import Unavailable

GO_PROGRAMS = {
    "ko": "github.com/google/ko@v0.18.0",
    "crane": "github.com/google/go-containerregistry/cmd/crane@v0.22.1",
    "regctl": "github.com/regclient/regclient/cmd/regctl@v0.11.7",
    "oras": "oras.land/oras/cmd/oras@v1.3.6",
    "registry": "github.com/distribution/distribution/v3/cmd/registry@v3.1.2",
}

# Go services that others wrote: module, version, package of the program. The first one that the proxy serves is taken.
SERVICES = (
    ("github.com/traefik/whoami", "v1.11.0", "."),
    ("github.com/mccutchen/go-httpbin/v2", "v2.15.0", "./cmd/go-httpbin"),
)


def without_toolchain_switch():
    return {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-modcacherw"}


def go_program(name, cache):
    """The path of a peer: from PATH, from the cache, or installed into the cache at the version above."""
    found = shutil.which(name) or shutil.which(name, path=cache / "bin")
    if found:
        return found
    (cache / "bin").mkdir(parents=True, exist_ok=True)
    environment = {**without_toolchain_switch(), "GOBIN": str(cache / "bin"), "GOMODCACHE": str(cache / "modules")}
    argv = ["go", "install", "-trimpath", "-ldflags=-s -w", GO_PROGRAMS[name]]
    try:
        said = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=900)
    except OSError as error:
        raise Unavailable(f"{name}: go cannot be started: {error.strerror}") from None
    if said.returncode != 0:
        raise Unavailable(f"{name} cannot be installed: {said.stderr.strip().splitlines()[-1]}")
    return str(cache / "bin" / name)


def go_service(folder, cache):
    """A writable copy of a public Go service below `folder`, its dependencies vendored: (tree, package, name)."""
    refusals = []
    for module, version, package in SERVICES:
        source = downloaded(module, version, cache, refusals)
        if source:
            tree = folder / module.split("/")[2]
            shutil.copytree(source, tree)
            for path in [tree, *tree.rglob("*")]:
                path.chmod(path.stat().st_mode | 0o200)
            if (tree / "go.sum").exists():
                environment = {**without_toolchain_switch(), "GOMODCACHE": str(cache / "modules")}
                subprocess.run(["go", "mod", "vendor"], cwd=tree, env=environment, check=True, capture_output=True)
            return tree, package, f"{module}@{version}"
    raise Unavailable("no Go service can be had: " + "; ".join(refusals))


def downloaded(module, version, cache, refusals):
    """The folder of a module; None when the proxy refuses it, which is remembered."""
    remembered = cache / "refused" / f"{module}@{version}".replace("/", "_")
    if remembered.exists():
        refusals.append(remembered.read_text())
        return None
    argv = ["go", "mod", "download", "-json", f"{module}@{version}"]
    environment = {**without_toolchain_switch(), "GOMODCACHE": str(cache / "modules")}
    said = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=300)
    answer = json.loads(said.stdout or "{}")
    if "Dir" in answer:
        return answer["Dir"]
    reason = " ".join((answer.get("Error") or said.stderr).split())
    refusals.append(reason)
    if "403 Forbidden" in reason or "404 Not Found" in reason:
        remembered.parent.mkdir(parents=True, exist_ok=True)
        remembered.write_text(reason)
    return None
