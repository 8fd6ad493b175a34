"""`whittle gateway serve` as a daemon, and stores for it that no line of whittle has written."""

import json
import os
import re
import ssl
import urllib.error
import urllib.request

from support.case import whittle_program
from support.layouts import CONFIG, INDEX, MANIFEST, REF_NAME, Layout, sha256_of, write_handmade_layout
from support.parties import Certificate, Daemon

EMPTY = "application/vnd.oci.empty.v1+json"


class Gateway(Daemon):
    """The read-only registry of `store`, on a loopback port of its own."""

    name = "gateway"

    def __init__(self, store, *arguments, tls=False, env=None):
        super().__init__()
        self.store, self.arguments, self.env = store, arguments, env or {}
        self.certificate = Certificate(self.folder, "gateway") if tls else None
        self.port = None

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"{'https' if self.certificate else 'http'}://{self.host}"

    def start(self):
        tls = ["--tls-cert", self.certificate.certificate, "--tls-key", self.certificate.key] if self.certificate else []
        self.spawn(
            whittle_program(), "gateway", "serve", "--store", self.store, "--listen", "127.0.0.1:0", *tls, *self.arguments,
            env={"HOME": str(self.folder), "XDG_CACHE_HOME": str(self.folder / "cache"), **self.env},
        )  # fmt: skip
        self.wait_until(self._has_said_its_port)

    def _has_said_its_port(self):
        said = re.search(r"://\S+:(\d+)", self.log.read_text(errors="replace"))
        self.port = int(said[1]) if said else None
        return self.port is not None

    def get(self, path, method="GET", **headers):
        """One plain request; HTTP errors are returned, not raised."""
        request = urllib.request.Request(self.url + path, headers=headers, method=method)
        context = ssl.create_default_context(cafile=self.certificate.certificate) if self.certificate else None
        try:
            return urllib.request.urlopen(request, timeout=20, context=context)
        except urllib.error.HTTPError as error:
            return error

    def metric(self, name):
        text = self.get("/metrics").read().decode()
        return int(re.search(rf"^whittle_gateway_{name} (\d+)$", text, re.MULTILINE)[1])

    def memory(self):
        """Bytes of memory at the most, ever."""
        status = (f"/proc/{self.process.pid}/status",)
        with open(*status) as file:
            return int(re.search(r"VmHWM:\s+(\d+) kB", file.read())[1]) * 1024


def write_store(folder, images, run=None):
    """A layout with one image for each {name: files}, and its {name: digest}. `run` is the `config` of each."""
    entries, digests = [], {}
    folder.mkdir(parents=True)
    for number, (name, files) in enumerate(images.items()):
        one = write_handmade_layout(folder / f"part{number}", files, name=name, **(run or {"Entrypoint": ["/bin/app"]}))
        entries += one.index()["manifests"]
        digests[name] = entries[-1]["digest"]
        merge_blobs(one.path, folder)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    write_index(folder, entries)
    return Layout(folder), digests


def merge_blobs(source, target):
    (target / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    for blob in (source / "blobs/sha256").iterdir():
        os.replace(blob, target / "blobs/sha256" / blob.name)
    for leftover in sorted(source.rglob("*"), reverse=True):
        leftover.rmdir() if leftover.is_dir() else leftover.unlink()
    source.rmdir()


def write_index(folder, entries):
    """As every writer should: the new index takes the old one's place in one step."""
    new = folder / "index.json.new"
    new.write_text(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}))
    os.replace(new, folder / "index.json")


def add_blob(layout, data, media_type):
    layout.blob_path(sha256_of(data)).write_bytes(data)
    return {"mediaType": media_type, "digest": sha256_of(data), "size": len(data)}


def add_referrer(layout, subject, artifact_type, content):
    """An artifact that refers to `subject`, a descriptor; in the index without a name."""
    config = add_blob(layout, b"{}", EMPTY)
    blob = add_blob(layout, content, artifact_type)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": artifact_type,
        "config": config,
        "layers": [blob],
        "subject": subject,
        "annotations": {"example.org/by": "a test"},
    }
    entry = add_blob(layout, json.dumps(manifest).encode(), MANIFEST)
    write_index(layout.path, [*layout.index()["manifests"], entry])
    return entry


__all__ = ["CONFIG", "REF_NAME", "Gateway", "add_blob", "add_referrer", "write_index", "write_store"]
