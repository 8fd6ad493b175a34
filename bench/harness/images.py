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
    layout = _Layout(folder)
    layout.add_image(name, [_archive(f"layer-{number}", number, 50_000) for number in range(layer_count)])
    layout.finish()


def write_shared_images(folder, count, shared_size, own_size):
    """An OCI layout of `count` images that share a layer of `shared_size` bytes and have one of `own_size` each; their names."""
    layout = _Layout(folder)
    shared = _archive("shared", 0, shared_size)
    names = [f"image-{number}" for number in range(count)]
    for number, name in enumerate(names):
        layout.add_image(name, [shared, _archive("own", number + 1, own_size)])
    layout.finish()
    return names


class _Layout:
    def __init__(self, folder):
        self.folder = folder
        self.blobs = folder / "blobs/sha256"
        self.blobs.mkdir(parents=True)
        self.manifests = []
        self.layers = {}  # archive → descriptor: what is shared is compressed once

    def add(self, data, media_type):
        value = hashlib.sha256(data).hexdigest()
        (self.blobs / value).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{value}", "size": len(data)}

    def add_layer(self, archive):
        if archive not in self.layers:
            packed = subprocess.run(["zstd", "-qc"], input=archive, capture_output=True, check=True).stdout
            self.layers[archive] = self.add(packed, LAYER_ZSTD)
        return self.layers[archive]

    def add_image(self, name, archives):
        layers = [self.add_layer(archive) for archive in archives]
        diff_ids = ["sha256:" + hashlib.sha256(archive).hexdigest() for archive in archives]
        config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.add(json.dumps(config).encode(), CONFIG), "layers": layers}
        self.manifests.append({**self.add(json.dumps(manifest).encode(), MANIFEST), "annotations": {REF_NAME: name}})

    def finish(self):
        (self.folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.manifests}
        (self.folder / "index.json").write_text(json.dumps(index))


def _archive(name, seed, size):
    content = random.Random(seed).randbytes(size)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()
