"""What this machine allows: the time that two cores need for nothing but compressing and hashing the same bytes."""

import re
import subprocess

from benchmarks.layer_writer import LEVEL, THREADS
from harness.measure import Failed, Unavailable
from harness.rows import Row

# How often each byte goes through SHA-256: the tar for its diff ID, a chunked one also for the digests of chunks; the blob once.
HASHES_OF_TAR = {"plain": 1, "chunked": 2}


def rows(bench, tree, written):
    tar = bench.folder / "tree.tar"
    said("tar", "-C", tree.path, "-cf", tar, ".")
    size = tar.stat().st_size
    compress, hash_speed = compressing_speed(tar), hashing_speed()
    tar.unlink()
    facts = {"zstdBytesPerSecond": compress, "sha256BytesPerSecond": hash_speed, "tarBytes": size}
    for form, found in written.items():
        processor = size / compress + (size * HASHES_OF_TAR[form] + found.size) / hash_speed
        floor = processor / THREADS
        note = f"zstd -{LEVEL} {compress / 1e6:.0f} MB/s, SHA-256 {hash_speed / 1e9:.2f} GB/s a core"
        yield Row("layers", f"{form}, against the floor", "s", found.seconds, "compressing and hashing alone", floor, note=note, facts=facts)


def said(*argv):
    try:
        result = subprocess.run([str(word) for word in argv], capture_output=True, text=True)
    except OSError as error:
        raise Unavailable(f"{argv[0]}: {error.strerror}") from None
    if result.returncode != 0:
        raise Failed(f"$ {' '.join(map(str, argv))}\n{result.stderr}")
    return result.stdout + result.stderr


def compressing_speed(tar):
    """Of one core, in frames of 1 MiB, from memory: zstd's own benchmark."""
    text = said("zstd", f"-b{LEVEL}", "-i2", "-B1048576", tar)
    speeds = re.findall(r"([\d.]+) MB/s", text)
    if not speeds:
        raise Failed(f"zstd -b says no speed:\n{text}")
    return float(speeds[-2] if len(speeds) > 1 else speeds[-1]) * 1e6


def hashing_speed():
    text = said("openssl", "speed", "-seconds", "2", "-bytes", str(1 << 20), "sha256")
    found = re.search(r"^sha256\s+([\d.]+)k", text, re.MULTILINE)
    if not found:
        raise Failed(f"openssl speed says no speed:\n{text}")
    return float(found[1]) * 1000
