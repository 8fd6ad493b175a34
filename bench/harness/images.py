"""Images that nobody built, written by hand for clients to carry."""

import hashlib
import io
import json
import random
import subprocess
import tarfile

from support.layouts import CONFIG, INDEX, LAYER_ZSTD, MANIFEST, REF_NAME


def write_layout(folder, layer_count, name):
    """An OCI layout that holds one image of `layer_count` small zstd layers (and, as a blob more, its config)."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def add(data, media_type):
        value = hashlib.sha256(data).hexdigest()
        (blobs / value).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{value}", "size": len(data)}

    archives = [_archive(number) for number in range(layer_count)]
    compressed = [subprocess.run(["zstd", "-qc"], input=archive, capture_output=True, check=True).stdout for archive in archives]
    layers = [add(data, LAYER_ZSTD) for data in compressed]
    diff_ids = ["sha256:" + hashlib.sha256(archive).hexdigest() for archive in archives]
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": add(json.dumps(config).encode(), CONFIG), "layers": layers}
    entry = add(json.dumps(manifest).encode(), MANIFEST)
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{**entry, "annotations": {REF_NAME: name}}]}
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps(index))


def _archive(number):
    content = random.Random(number).randbytes(50_000)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo(f"layer-{number}")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()
