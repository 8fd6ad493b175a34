"""Registry clients as their users start them, with the flags that they have by default: how each pushes a layout and pulls an image."""

import os
import subprocess
from dataclasses import dataclass
from typing import Callable

from harness.measure import Unavailable
from support.parties import MissingParty, program

FIND = {"skopeo": "skopeo", "skopeo --retry-times 3": "skopeo"}


@dataclass
class Client:
    name: str
    push: Callable  # (layout, "host/repository:tag") → argv
    pull: Callable  # ("host/repository:tag", folder) → argv
    environment: Callable  # (home) → what is added to the environment


@dataclass
class Outcome:
    argv: list
    exit: int  # None: it had to be ended
    said: str


def all_clients(bench):
    """Those that are here, whittle first; the others are reported as not measured."""
    found = [whittle(bench)]
    for name, make in PEERS.items():
        with bench.part(f"client {name}"):
            found.append(make(name, peer_program(bench, name)))
    return found


def peer_program(bench, name):
    if name not in FIND:
        return bench.peer(name)
    try:
        return program(FIND[name])
    except MissingParty as missing:
        raise Unavailable(str(missing)) from None


def run(client, argv, home, limit):
    """To its end, or to the end of the limit, in a home of its own."""
    home.mkdir(parents=True, exist_ok=True)
    argv = [str(word) for word in argv]
    environment = {**os.environ, "HOME": str(home), "XDG_RUNTIME_DIR": str(home), **client.environment(home)}
    try:
        ended = subprocess.run(argv, env=environment, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return Outcome(argv, None, f"not finished after {limit} s")
    return Outcome(argv, ended.returncode, (ended.stdout + ended.stderr).decode(errors="replace")[-2000:])


def whittle(bench):
    return Client(
        "whittle",
        lambda layout, to: [bench.whittle, "push", f"oci:{layout}:app", to],
        lambda name, folder: [bench.whittle, "pull", name],
        lambda home: {"WHITTLE_STORE": str(home / "store"), "WHITTLE_CACHE": str(home / "cache")},
    )


def skopeo(name, path):
    copy = [path, "--insecure-policy", "copy", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false"]
    copy += name.split()[1:]
    return Client(
        name,
        lambda layout, to: [*copy, f"oci:{layout}:app", f"docker://{to}"],
        lambda name, folder: [*copy, f"docker://{name}", f"oci:{folder}:app"],
        lambda home: {},
    )


def crane(name, path):
    return Client(
        name,
        lambda layout, to: [path, "push", "--insecure", layout, to],
        lambda name, folder: [path, "pull", "--insecure", "--format=oci", name, folder],
        lambda home: {},
    )


def regctl(name, path):
    def copy(source, target, host):
        return [path, "--host", f"reg={host},tls=disabled", "image", "copy", source, target]

    return Client(
        name,
        lambda layout, to: copy(f"ocidir://{layout}:app", to, to.split("/")[0]),
        lambda name, folder: copy(name, f"ocidir://{folder}:app", name.split("/")[0]),
        lambda home: {"REGCTL_CONFIG": str(home / "regctl.json")},
    )


def oras(name, path):
    return Client(
        name,
        lambda layout, to: [path, "cp", "--from-oci-layout", f"{layout}:app", "--to-plain-http", to],
        lambda name, folder: [path, "cp", "--from-plain-http", name, "--to-oci-layout", f"{folder}:app"],
        lambda home: {},
    )


PEERS = {"skopeo": skopeo, "skopeo --retry-times 3": skopeo, "crane": crane, "regctl": regctl, "oras": oras}
