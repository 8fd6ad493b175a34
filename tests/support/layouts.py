"""Reads, checks and hand-writes OCI image layouts, sharing no line of code with whittle.

Layers are read by the `zstd`, `gzip` and `tar` programs and digests come from hashlib, so that what the tests believe about an
image does not depend on whittle's own reader.
"""

import hashlib
import json
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
REF_NAME = "org.opencontainers.image.ref.name"


def sha256_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def sha256_of_file(path):
    with open(path, "rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


class Layout:
    """An OCI image layout on disk. Nothing is cached: a test may look again after whittle has written."""

    def __init__(self, path):
        self.path = Path(path)

    def __repr__(self):
        return f"Layout({self.path})"

    def index(self):
        return json.loads((self.path / "index.json").read_text())

    def names(self):
        """The reference names in the index, in order."""
        names = [entry.get("annotations", {}).get(REF_NAME) for entry in self.index()["manifests"]]
        return [name for name in names if name]

    def blob_path(self, digest):
        algorithm, _, value = digest.partition(":")
        return self.path / "blobs" / algorithm / value

    def blob(self, digest):
        return self.blob_path(digest).read_bytes()

    def entry(self, which=None):
        """The index entry with that reference name or digest; without an argument, the only one."""
        entries = self.index()["manifests"]
        if which is None:
            distinct = {entry["digest"]: entry for entry in entries}
            if len(distinct) != 1:
                raise LookupError(f"{self.path} holds {len(distinct)} images, say which: {self.names()}")
            return next(iter(distinct.values()))
        for entry in entries:
            name = entry.get("annotations", {}).get(REF_NAME)
            if which in (entry["digest"], name) or f"{which}:latest" == name:
                return entry
        raise LookupError(f"{which} is not in {self.path}: {self.names()}")

    def name_of(self, digest):
        """A reference name under which tools like skopeo find this digest (`oci:DIR:NAME`)."""
        for entry in self.index()["manifests"]:
            name = entry.get("annotations", {}).get(REF_NAME)
            if entry["digest"] == digest and name:
                return name
        raise LookupError(f"no name for {digest} in {self.path}: {self.names()}")

    def images(self, which=None):
        """Every image manifest below one entry of the index, those of nested indexes included."""
        return list(self._images_below(self.entry(which)))

    def image(self, which=None, architecture="amd64"):
        """The image for this machine: of several manifests the first whose config names the architecture."""
        images = self.images(which)
        for image in images:
            if image.config.get("architecture") == architecture:
                return image
        raise LookupError(f"no {architecture} image under {which} in {self.path}")

    def _images_below(self, descriptor):
        document = json.loads(self.blob(descriptor["digest"]))
        if "manifests" in document:
            for child in document["manifests"]:
                yield from self._images_below(child)
        else:
            yield Image(self, descriptor, document)

    def problems(self):
        """What is wrong with the layout, as sentences; an empty list is a valid layout.

        Temporary files outside `blobs/` are allowed: an interrupted writer may leave some.
        """
        problems = []
        try:
            version = json.loads((self.path / "oci-layout").read_text())["imageLayoutVersion"]
            if version != "1.0.0":
                problems.append(f"oci-layout says {version}")
            entries = self.index()["manifests"]
        except (OSError, ValueError, KeyError) as error:
            return [f"not an OCI layout: {error!r}"]
        for folder in sorted((self.path / "blobs").glob("*")):
            for blob in sorted(folder.iterdir()):
                digest = f"{folder.name}:{blob.name}"
                if not blob.is_file() or len(blob.name) != 64:
                    problems.append(f"{blob} is not a blob")
                elif sha256_of_file(blob) != digest:
                    problems.append(f"the bytes of {digest} do not have that digest")
        for entry in entries:
            self._check_descriptor(entry, problems)
        return problems

    def _check_descriptor(self, descriptor, problems):
        path = self.blob_path(descriptor["digest"])
        if not path.is_file():
            problems.append(f"{descriptor['digest']} ({descriptor['mediaType']}) is missing")
            return
        if path.stat().st_size != descriptor["size"]:
            problems.append(f"{descriptor['digest']} has {path.stat().st_size} bytes, its descriptor says {descriptor['size']}")
        # What a damaged document says is of no interest: its digest is already on the list.
        if descriptor["mediaType"] in (MANIFEST, INDEX) and sha256_of_file(path) == descriptor["digest"]:
            document = json.loads(path.read_bytes())
            for child in document.get("manifests", []) + document.get("layers", []):
                self._check_descriptor(child, problems)
            if "config" in document:
                self._check_descriptor(document["config"], problems)
                self._check_diff_ids(document, problems)

    def _check_diff_ids(self, manifest, problems):
        path = self.blob_path(manifest["config"]["digest"])
        if manifest["config"]["mediaType"] != CONFIG or not path.is_file():
            return
        if sha256_of_file(path) != manifest["config"]["digest"]:
            return
        config = json.loads(path.read_bytes())
        diff_ids = config["rootfs"]["diff_ids"]
        if len(diff_ids) != len(manifest["layers"]):
            problems.append(f"{len(manifest['layers'])} layers but {len(diff_ids)} diff IDs")
        for descriptor, expected in zip(manifest["layers"], diff_ids):
            if not self.blob_path(descriptor["digest"]).is_file():
                continue
            try:
                actual = Layer(self, descriptor).diff_id()
            except subprocess.CalledProcessError as error:
                problems.append(f"layer {descriptor['digest']} cannot be decompressed: {error.stderr.decode().strip()}")
                continue
            if actual != expected:
                problems.append(f"layer {descriptor['digest']} has diff ID {actual}, the config says {expected}")


class Image:
    def __init__(self, layout, descriptor, manifest):
        self.layout = layout
        self.descriptor = descriptor
        self.manifest = manifest

    @property
    def digest(self):
        return self.descriptor["digest"]

    @property
    def config(self):
        return json.loads(self.layout.blob(self.manifest["config"]["digest"]))

    @property
    def layers(self):
        return [Layer(self.layout, descriptor) for descriptor in self.manifest["layers"]]

    @property
    def compressed_size(self):
        return sum(descriptor["size"] for descriptor in self.manifest["layers"])

    def argv(self, arguments=()):
        """What a runtime starts, with `arguments` in place of the default ones where there are any."""
        run = self.config.get("config", {})
        return (run.get("Entrypoint") or []) + (list(arguments) or run.get("Cmd") or [])

    def paths(self):
        """The paths of all layers together, without a leading `./` or a trailing `/`."""
        return sorted({name for layer in self.layers for name in layer.names()})

    def unpack(self, folder):
        """Extracts every layer in order; owners and modes are kept when root does it."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for layer in self.layers:
            subprocess.run(["tar", "-x", "--numeric-owner", "-p", "-C", folder], input=layer.tar(), check=True)
            for mark in list(folder.rglob(".wh.*")):
                raise ValueError(f"{mark}: whittle's layers need no whiteouts")
        return folder


class Layer:
    def __init__(self, layout, descriptor):
        self.layout = layout
        self.descriptor = descriptor

    @property
    def digest(self):
        return self.descriptor["digest"]

    @property
    def path(self):
        return self.layout.blob_path(self.digest)

    def tar(self):
        media_type = self.descriptor["mediaType"]
        if media_type.endswith("+zstd"):
            command = ["zstd", "-dcq"]
        elif media_type.endswith(("+gzip", ".gzip")):
            command = ["gzip", "-dc"]
        else:
            return self.path.read_bytes()
        with open(self.path, "rb") as stream:
            return subprocess.run(command, stdin=stream, capture_output=True, check=True).stdout

    def diff_id(self):
        return sha256_of(self.tar())

    def listing(self):
        """The lines of `tar tv`, numeric owners and full times."""
        command = ["tar", "-tv", "--numeric-owner", "--full-time", "--utc"]
        environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
        result = subprocess.run(command, input=self.tar(), capture_output=True, check=True, env=environment)
        if result.stderr:
            raise ValueError(f"tar complains about {self.digest}: {result.stderr.decode()}")
        return result.stdout.decode().splitlines()

    def names(self):
        result = subprocess.run(["tar", "-t", "--quoting-style=literal"], input=self.tar(), capture_output=True, check=True)
        names = [name.removeprefix("./").removeprefix("/").rstrip("/") for name in result.stdout.decode().splitlines()]
        return [name for name in names if name not in ("", ".")]


def write_handmade_layout(path, files, name="handmade:latest", **run):
    """Writes an image with Python's tarfile and the `zstd` program, and returns its Layout.

    `files` maps a path in the image to (content, mode); a list of such maps is a layer each. `run` is the `config` object of the
    image config: Entrypoint, Cmd, …
    """
    path = Path(path)
    (path / "blobs/sha256").mkdir(parents=True)

    def add(data, media_type):
        (path / "blobs/sha256" / sha256_of(data).removeprefix("sha256:")).write_bytes(data)
        return {"mediaType": media_type, "digest": sha256_of(data), "size": len(data)}

    tars = [_tar_of(layer) for layer in (files if isinstance(files, list) else [files])]
    layers = [add(subprocess.run(["zstd", "-qc"], input=tar, capture_output=True, check=True).stdout, LAYER_ZSTD) for tar in tars]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": [sha256_of(tar) for tar in tars]},
    }
    config = add(json.dumps(config).encode(), CONFIG)
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
    manifest = add(json.dumps(manifest).encode(), MANIFEST)
    manifest["annotations"] = {REF_NAME: name}
    (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]}))
    return Layout(path)


def _tar_of(files):
    with tempfile.TemporaryFile() as stream:
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            folders = {str(parent) for file in files for parent in Path(file).parents if str(parent) != "."}
            for folder in sorted(folders):
                entry = tarfile.TarInfo(folder)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
            for file, (content, mode) in sorted(files.items()):
                entry = tarfile.TarInfo(file)
                entry.size, entry.mode = len(content), mode
                with tempfile.TemporaryFile() as body:
                    body.write(content)
                    body.seek(0)
                    archive.addfile(entry, body)
        stream.seek(0)
        return stream.read()
