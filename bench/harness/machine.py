"""What was measured on: processor, cores, kernel and the versions of everything that took part."""

import os
import platform
import re
import subprocess
from pathlib import Path

VERSIONS = {
    "go": ["go", "version"],
    "cargo": ["cargo", "--version"],
    "gcc": ["gcc", "--version"],
    "cmake": ["cmake", "--version"],
    "tar": ["tar", "--version"],
    "zstd": ["zstd", "--version"],
    "umoci": ["umoci", "--version"],
    "skopeo": ["skopeo", "--version"],
    "docker-registry": ["docker-registry", "--version"],
}


def first_version(argv):
    try:
        said = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\d+(\.\d+)+[^\s,:]*", said.stdout + said.stderr)
    return found[0] if found else None


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.machine()


def facts(peers):
    """`peers` adds {name: version} of what was installed for the occasion."""
    versions = {name: first_version(argv) for name, argv in VERSIONS.items()}
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "loadAtStart": round(os.getloadavg()[0], 2),
        "versions": {name: version for name, version in sorted({**versions, **peers}.items()) if version},
    }
