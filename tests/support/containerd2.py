"""containerd 2 and its `ctr`, built from the Go module proxy; Debian 12 has 1.6."""

import os
from pathlib import Path

from support.oracles import ROOT, built_program

SOURCES = ROOT / "tests/containerd2"


def containerd2():
    """The folder with both programs; WHITTLE_CONTAINERD2 names one that is there already."""
    if os.environ.get("WHITTLE_CONTAINERD2"):
        return Path(os.environ["WHITTLE_CONTAINERD2"])
    for name in ("ctr", "containerd"):
        built = built_program(name, SOURCES, f"github.com/containerd/containerd/v2/cmd/{name}", "no_cri no_btrfs no_zfs no_devmapper no_aufs")
    return built.parent
