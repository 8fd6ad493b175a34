"""The chunked layer written a second time, short and slow: an executable specification for whittle's own writer.

One blob, three kinds of reader. To a plain client it is a zstd stream that gives the tar. Podman finds a table of contents (TOC)
and a tar-split by the annotations, and fetches only the frames of the chunks that it lacks. stargz-snapshotter finds the same TOC
by the footer in the last 40 bytes, and fetches frames when somebody reads the file.

    frame(headers) frame(chunk)… frame(headers) frame(chunk)… frame(headers and end of archive)
    skippable(zstd(TOC)) skippable(zstd(tar-split)) skippable(Podman's footer) skippable(stargz's footer)

A frame of headers holds all the tar's bytes since the last content: its padding, and the headers of everything that is empty.
"""

import base64
import hashlib
import io
import json
import re
import struct
import subprocess
import tarfile
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from support.layouts import CONFIG, INDEX, LAYER_ZSTD, MANIFEST, REF_NAME

ZEROS_MINIMUM = 1024  # a run this long is a chunk of its own
CHUNK_MAXIMUM = 1 << 20
# One less, since Podman takes a multi-chunk file for the same as a file of another layer that equals its first chunk, and fails:
# files of 2^20 zeros exist, files of this length hardly.
ZEROS_MAXIMUM = CHUNK_MAXIMUM - 1

TYPES = {
    tarfile.REGTYPE: "reg",
    tarfile.LNKTYPE: "hardlink",
    tarfile.SYMTYPE: "symlink",
    tarfile.CHRTYPE: "char",
    tarfile.BLKTYPE: "block",
    tarfile.DIRTYPE: "dir",
    tarfile.FIFOTYPE: "fifo",
}

PODMAN = "io.github.containers.zstd-chunked."
STARGZ = "containerd.io/snapshot/stargz/toc.digest"
STARGZ_SIZE = "io.containers.estargz.uncompressed-size"


@dataclass(frozen=True)
class Cuts:
    """A file is cut after a byte where the rolling sum has all bits of `mask`, when the chunk has `minimum` bytes."""

    mask: int
    minimum: int


# The format leaves the choice to the writer; the fewer chunks, the smaller the blob.
PODMANS = Cuts(0xFFFF, 1)
WHITTLES = Cuts(0x3FFFF, 512 << 10)


@dataclass
class DualBlob:
    data: bytes
    toc: dict
    tar_split: list
    diff_id: str
    podman_annotations: dict
    stargz_annotations: dict


def dual_blob(tar, level=3, change_toc=lambda toc: None, cuts=PODMANS):
    """The blob of a tar, with frames by the `zstd` program. `change_toc` may spoil the table of contents before it is written."""
    blob = bytearray()
    entries, tar_split = [], []
    pending = bytearray()  # headers that are in no frame yet
    at = 0
    for member in tarfile.open(fileobj=io.BytesIO(tar), errors="surrogateescape"):
        headers = tar[at : member.offset_data]
        content = tar[member.offset_data :][: member.size if member.isreg() else 0]
        at = member.offset_data + len(content)
        pending += headers
        tar_split += [segment(headers), file_of_tar_split(toc_name(member), content)]
        entry = toc_entry(member)
        entries.append(entry)
        if content:
            blob += frame(pending, level)
            pending.clear()
            entries += write_chunks(blob, entry, content, level, cuts)
    pending += tar[at:]
    tar_split.append(segment(tar[at:]))
    blob += frame(pending, level)

    lines = (json_bytes({**line, "position": number}) + b"\n" for number, line in enumerate(tar_split))
    packed_tar_split, tar_split_size = packed(b"".join(lines))
    toc = {"version": 1, "entries": entries, "tarSplitDigest": sha256(packed_tar_split)}
    change_toc(toc)
    toc_json = json_bytes(toc)  # no line feed at the end: stargz's digest is of what a JSON parser consumes
    packed_toc, toc_size = packed(toc_json)

    toc_at = len(blob) + 8
    blob += skippable(packed_toc)
    tar_split_at = len(blob) + 8
    blob += skippable(packed_tar_split)
    toc_words = (toc_at, len(packed_toc), toc_size, 1)
    tar_split_words = (tar_split_at, len(packed_tar_split), tar_split_size)
    blob += skippable(struct.pack("<7Q8s", *toc_words, *tar_split_words, b"GNUlInUx"))
    blob += skippable(struct.pack("<4Q8s", *toc_words, b"GnUlInUx"))
    return DualBlob(
        data=bytes(blob),
        toc=toc,
        tar_split=tar_split,
        diff_id=sha256(tar),
        podman_annotations={
            PODMAN + "manifest-checksum": sha256(packed_toc),
            PODMAN + "manifest-position": ":".join(map(str, toc_words)),
            PODMAN + "tarsplit-position": ":".join(map(str, tar_split_words)),
        },
        stargz_annotations={STARGZ: sha256(toc_json), STARGZ_SIZE: str(len(tar))},
    )


def write_chunks(blob, entry, content, level, cuts):
    """Appends the frames of a file and completes its entry, which is also its first chunk; returns the entries of the others."""
    pieces = chunks(content, cuts)
    # Podman makes holes of these chunks instead of fetching them. Were all of a file's chunks of this kind, and nothing else
    # missing, it would send a request without a range.
    all_zero = all(is_zeros for _, _, is_zeros in pieces)
    entry["digest"] = sha256(content)
    chunk_entries = []
    for offset, size, is_zeros in pieces:
        chunk = {"type": "chunk", "name": entry["name"]} if offset else entry
        chunk["offset"] = len(blob)
        if offset:
            chunk["chunkOffset"] = offset
        chunk["chunkSize"] = size
        chunk["chunkDigest"] = sha256(content[offset : offset + size])
        if is_zeros and not all_zero:
            chunk["chunkType"] = "zeros"
        blob += frame(content[offset : offset + size], level)
        chunk_entries.append(chunk)
    # Of the last entry: else Podman takes the next file's offset and fetches the headers between. Of the first: by convention.
    chunk_entries[0]["endOffset"] = chunk_entries[-1]["endOffset"] = len(blob)
    return chunk_entries[1:]


def chunks(content, cuts):
    """[(offset, size, is zeros)]: cut by content between a minimum and a maximum."""
    found = []
    at = 0
    for run in [*re.finditer(rb"\0{%d,}" % ZEROS_MINIMUM, content), None]:
        start, end = run.span() if run else (len(content), len(content))
        found += [(offset, size, False) for offset, size in rollsum_chunks(content, at, start, cuts)]
        found += [(offset, min(ZEROS_MAXIMUM, end - offset), True) for offset in range(start, end, ZEROS_MAXIMUM)]
        at = end
    return found


def rollsum_chunks(content, begin, end, cuts):
    """Perkeep's rolling checksum over the last 64 bytes. It starts as if 64 zeros came before, which is also true after a run of
    zeros, and goes on across cuts."""
    window = bytearray(64)
    first, second = 64 * 31, 64 * 63 * 31
    chunk = begin
    for at in range(begin, end):
        dropped, window[at & 63] = window[at & 63], content[at]
        first += content[at] - dropped
        second += first - 64 * (dropped + 31)
        size = at + 1 - chunk
        if (second & cuts.mask == cuts.mask and size >= cuts.minimum) or size == CHUNK_MAXIMUM:
            yield chunk, size
            chunk = at + 1
    if chunk < end:
        yield chunk, end - chunk


def write_dual_layout(folder, blobs, name):
    """An OCI layout with one image of these layers, as an index of two manifests over the same blobs: the first for
    stargz-snapshotter (containerd takes the first that fits), the second for Podman (which looks for the annotation in the index).
    Both kinds of annotations on one descriptor are an error to Podman. Returns the digests of the two manifests."""
    folder = Path(folder)
    (folder / "blobs/sha256").mkdir(parents=True)

    def add(data, media_type, **more):
        data = data if isinstance(data, bytes) else json_bytes(data)
        (folder / "blobs/sha256" / sha256(data).removeprefix("sha256:")).write_bytes(data)
        return {"mediaType": media_type, "digest": sha256(data), "size": len(data), **more}

    def add_manifest(annotations_of, **more):
        layers = [add(blob.data, LAYER_ZSTD, annotations=annotations_of(blob)) for blob in blobs]
        return add({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}, MANIFEST, **more)

    platform = {"architecture": "amd64", "os": "linux"}
    config = add({**platform, "config": {}, "rootfs": {"type": "layers", "diff_ids": [blob.diff_id for blob in blobs]}}, CONFIG)
    manifests = [
        add_manifest(lambda blob: blob.stargz_annotations, platform=platform),
        add_manifest(
            lambda blob: blob.podman_annotations, platform=platform, annotations={"io.github.containers.compression.zstd": "true"}
        ),
    ]
    index = add({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}, INDEX, annotations={REF_NAME: name})
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_bytes(json_bytes({"schemaVersion": 2, "mediaType": INDEX, "manifests": [index]}))
    return [manifest["digest"] for manifest in manifests]


def toc_name(member):
    return member.name + "/" * member.isdir()  # tarfile drops the slash that the header has


def toc_entry(member):
    """What the tar's headers say: Podman requires that it is the same in the TOC and the tar-split."""
    if {"atime", "ctime"} & member.pax_headers.keys():
        raise ValueError(f"{member.name}: access and change times are not part of a layer")
    prefix = "SCHILY.xattr."
    xattrs = {key[len(prefix) :]: value for key, value in member.pax_headers.items() if key.startswith(prefix)}
    entry = {
        "type": TYPES[member.type],
        "name": toc_name(member),
        "linkName": member.linkname,
        "mode": member.mode,
        "size": member.size if member.isreg() else 0,
        "uid": member.uid,
        "gid": member.gid,
        "devMajor": member.devmajor,
        "devMinor": member.devminor,
        "xattrs": {key: base64.b64encode(value.encode(errors="surrogateescape")).decode() for key, value in xattrs.items()},
    }
    entry = {key: value for key, value in entry.items() if value}
    entry["modtime"] = datetime.fromtimestamp(member.mtime, timezone.utc).isoformat().replace("+00:00", "Z")
    return entry


def segment(data):
    return {"type": 2, "payload": base64.b64encode(data).decode()}


def file_of_tar_split(name, content):
    raw = name.encode(errors="surrogateescape")
    try:
        line = {"type": 1, "name": raw.decode()}
    except UnicodeDecodeError:
        line = {"type": 1, "name_raw": base64.b64encode(raw).decode()}
    if not content:
        return {**line, "payload": None}
    return {**line, "size": len(content), "payload": base64.b64encode(struct.pack(">Q", crc64_iso(content))).decode()}


def _crc64_table():
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0xD800000000000000 if value & 1 else 0)
        yield value


CRC64_TABLE = list(_crc64_table())


def crc64_iso(data):
    crc = ~0 & 0xFFFFFFFFFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC64_TABLE[(crc ^ byte) & 0xFF]
    return ~crc & 0xFFFFFFFFFFFFFFFF


def frame(data, level=3):
    command = ["zstd", "-q", "-c", f"-{level}", f"--stream-size={len(data)}"]
    return subprocess.run(command, input=bytes(data), capture_output=True, check=True).stdout


def packed(data):
    return frame(data), len(data)


def skippable(data):
    return struct.pack("<II", 0x184D2A50, len(data)) + data


def json_bytes(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogateescape")


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()
