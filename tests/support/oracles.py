"""Builds and calls tests/oracles: the readers and writers of chunked layers in the container engines' own Go libraries."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from support.parties import MissingParty, PartyFailed, program

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "tests/oracles"
SITE = SOURCES / "site"
BUILT = ROOT / "build/oracles"

# The three that need C libraries, and are not asked here.
TAGS = "containers_image_openpgp exclude_graphdriver_btrfs exclude_graphdriver_devicemapper"


class Refused(Exception):
    """What the library says against a blob."""


def oracle(command, *arguments, timeout=120):
    """The answer of `oracle COMMAND …`; Refused when the library does not accept what it is given. A dict is passed as JSON."""
    argv = [oracle_program(), command, *(json.dumps(value) if isinstance(value, dict) else str(value) for value in arguments)]
    if os.geteuid() != 0:  # Podman's store sets owners and mounts
        argv = [program("unshare"), "--map-root-user", "--mount", *argv]
    result = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=timeout)
    if result.returncode == 1:
        raise Refused(result.stderr.strip())
    if result.returncode != 0:
        raise PartyFailed(f"{' '.join(map(str, argv))}\nexit {result.returncode}\n{result.stderr}")
    return json.loads(result.stdout)


def site_oracle(command, *files, timeout=120):
    """The answer of tests/oracles/site about these files; Refused when the library does not accept them."""
    argv = [built_program("site-oracle", SITE, "."), command, *map(str, files)]
    result = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=timeout)
    if result.returncode != 0:
        raise Refused(result.stderr.strip())
    return json.loads(result.stdout)


def oracle_program():
    return built_program("oracle", SOURCES, ".", TAGS)


def built_program(name, sources, package, tags=""):
    """Built once for each state of the sources, by whichever process comes first."""
    compiler, version = go_program()
    state = hashlib.sha256(version.encode())
    for source in sorted([*sources.glob("*.go"), sources / "go.mod", sources / "go.sum"]):
        state.update(source.name.encode() + b"\0" + source.read_bytes())
    built = BUILT / state.hexdigest()[:16] / name
    if built.exists():
        return built
    built.parent.mkdir(parents=True, exist_ok=True)
    with open(BUILT / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            build(compiler, built, sources, package, tags)
    return built


def build(compiler, built, sources, package, tags):
    unfinished = built.with_suffix(".unfinished")
    done = subprocess.run(
        [compiler, "build", "-trimpath", "-ldflags=-s -w", "-tags", tags, "-o", unfinished, package],
        cwd=sources,
        env={**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise PartyFailed(f"go build in {sources}\n{done.stderr}")
    unfinished.rename(built)


def go_program():
    """The first Go that is as new as tests/oracles/go.mod wants: the user's, or the one that scripts/setup --test fetched."""
    needed = re.search(r"^go (\S+)", (SOURCES / "go.mod").read_text(), re.MULTILINE)[1]
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    for candidate in (shutil.which("go"), shutil.which("go", path=Path(cache) / "whittle-test-tools/go/bin")):
        if candidate:
            version = subprocess.run(
                [candidate, "env", "GOVERSION"], env={**os.environ, "GOTOOLCHAIN": "local"}, capture_output=True, text=True, cwd="/"
            ).stdout.strip()
            if numbers(version) >= numbers(needed):
                return candidate, version
    raise MissingParty(f"Go {needed} or newer is not here; run scripts/setup --test")


def numbers(version):
    return [int(number) for number in re.findall(r"\d+", version)[:3]]
