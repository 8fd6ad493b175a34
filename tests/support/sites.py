"""A site with image sets, and devices that take them: whole sets of files that no line of whittle's store has written."""

import json
import os
import random
import subprocess
from pathlib import Path

from support.case import whittle_program
from support.layouts import REF_NAME, Layout, sha256_of_file, write_handmade_layout


def gateway_program():
    """The small program of devices, built beside whittle; WHITTLE_GATEWAY names another one."""
    return Path(os.environ.get("WHITTLE_GATEWAY") or whittle_program().parent / "whittle-gateway").absolute()


def noise(size, seed):
    """Bytes that no compressor makes smaller, the same each time."""
    return random.Random(seed).randbytes(size)


class Site:
    """The folder of a set: `images` is {name: [layer]}, a layer {path: (content, mode)}, or {name: folder that whittle builds}. whittle
    locks and signs it."""

    def __init__(self, folder, set_name="line7"):
        self.folder = Path(folder)
        self.folder.mkdir()
        self.set_name = set_name
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "WHITTLE_STORE": str(self.folder / "store")}
        self.number = 0
        self.key = "site.key"
        self.whittle("set", "keygen", "site.key")
        self.whittle("set", "trust", "--key", "site.key.pub", "--set", set_name)

    @property
    def trust(self):
        return self.folder / "imageset.trust.json"

    def whittle(self, *arguments, check=True):
        argv = [str(argument) for argument in (whittle_program(), *arguments)]
        result = subprocess.run(argv, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=600)
        if check and result.returncode != 0:
            raise AssertionError(f"{' '.join(argv)}\nexit {result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def write_set(self, epoch, images, compatible=()):
        lines = [f'set = "{self.set_name}"', f"epoch = {epoch}"]
        if compatible:
            lines += ["[profile.device]", 'platform = "linux/amd64"', f"compatible = {json.dumps(list(compatible))}"]
        for name, layers in images.items():
            lines += ["[[image]]", f'name = "{name}"', f'reference = "{self.reference(name)}"']
            if isinstance(layers, (str, Path)):
                lines += [f'build = "{layers}"']
                continue
            self.number += 1
            layout = write_handmade_layout(self.folder / f"layout-{self.number}", layers, name=f"{name}:1", Entrypoint=["/bin/app"])
            lines += [f'from = "oci:{layout.path}:{name}:1"']
        (self.folder / "imageset.toml").write_text("\n".join(lines) + "\n")

    @staticmethod
    def reference(name):
        return f"registry.example.org/edge/{name}:1"

    def bundle(self, epoch, images, *arguments, command="bundle", compatible=(), output=None):
        """Returns the first file."""
        self.write_set(epoch, images, compatible)
        self.whittle("set", "lock")
        output = ["-o", output] if output else []
        files = self.whittle("set", command, "--key", self.key, *output, *arguments).stdout.splitlines()
        return self.folder / files[0]


def digests_in(bundle):
    """{reference: digest of the manifest} as the bundle's own documents say, read with the `tar` program."""
    text = subprocess.run(["tar", "-xOf", bundle, "whittle/root.json"], capture_output=True, check=True).stdout
    found = {}
    for image in json.loads(text)["images"]:
        target = image.get("target") or image.get("manifest") or image
        found[image["reference"]] = target["digest"] if isinstance(target, dict) else target
    return found


def names_in(layout):
    """{name: digest} of a layout's index."""
    return {entry["annotations"][REF_NAME]: entry["digest"] for entry in Layout(layout).index()["manifests"]}


def blobs_below(layout, digest):
    layout = Layout(layout)
    document = json.loads(layout.blob(digest))
    return [digest, document["config"]["digest"], *(layer["digest"] for layer in document["layers"])]


def broken_blobs(layout, digests):
    """Those of the images that are missing or have other bytes, by hashlib."""
    found = []
    for digest in digests:
        path = Layout(layout).blob_path(digest)
        if not path.is_file() or sha256_of_file(path) != digest:
            found.append(digest)
            continue
        found += [blob for blob in blobs_below(layout, digest) if sha256_of_file(Layout(layout).blob_path(blob)) != blob]
    return found


class Device:
    """A state folder and the program that works on it. Nothing of whittle's environment is passed on but PATH."""

    def __init__(self, case, site, *options, folder=None, program=None):
        self.case = case
        self.folder = Path(folder or case.temporary / "device")
        self.program = program or [gateway_program()]
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(case.temporary)}
        self("init", "--name", "gw-17", "--compatible", "acme,gw2", "--reserve", "1MiB", "--trust", site.trust, *options)

    def command(self, *arguments):
        name, *rest = (str(argument) for argument in arguments)
        return [*map(str, self.program), name, "--state", str(self.folder), *rest]

    def __call__(self, *arguments, expect=0, prefix=(), timeout=600, **options):
        argv = [*map(str, prefix), *self.command(*arguments)]
        result = subprocess.run(argv, env=self.environment, capture_output=True, text=True, timeout=timeout, **options)
        if expect is not None and result.returncode != expect:
            self.case.fail(f"exit code {result.returncode}, expected {expect}\n$ {' '.join(argv)}\n{result.stdout}{result.stderr}")
        return result

    def status(self, expect=0):
        return json.loads(self("status", "--json", expect=expect).stdout)

    @property
    def store(self):
        return self.folder / "store"
