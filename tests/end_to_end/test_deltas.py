"""Deltas in the format that other tools apply: what whittle writes is read with Go's zstd, and what that writes by whittle."""

import io
import subprocess
import tarfile

from support.case import ROOT, WhittleTestCase, whittle_program
from support.oracles import Refused, oracle
from support.parties import MissingParty
from support.trees import incompressible, text


def tar_diff_program():
    """Built beside whittle, or in one of the usual build folders."""
    for folder in (whittle_program().parent, *(ROOT / "build" / preset for preset in ("ci", "dev", "bench"))):
        program = folder / "tests/bundle/tar_diff"
        if program.is_file():
            return program
    raise MissingParty("tests/bundle/tar_diff is not built; build the target tar_diff")


def tar_of(files, links=()):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.LNKTYPE, target
            archive.addfile(member)
    return stream.getvalue()


PROGRAM = b"".join(b"\x48\x8b" + bytes([n % 7]) + b"\xe8" + (n * 7919 % 400_000).to_bytes(4, "little") for n in range(50_000))
MOVED = b"".join(
    b"\x48\x8b" + bytes([n % 7]) + b"\xe8" + (n * 7919 % 400_000 + (32 if n * 7919 % 400_000 > 200_000 else 0)).to_bytes(4, "little")
    for n in range(50_000)
)
OLD = {"bin/app": PROGRAM, "etc/empty": b"", "etc/text": text(9_000).encode(), "lib/noise": incompressible(90_000)}
NEW = {
    "bin/app": MOVED,
    "etc/empty": b"",
    "etc/text": text(9_000).encode() + b"one line more\n",
    "lib/moved": incompressible(90_000),
    "lib/" + "long" * 60: text(50_000, seed=2).encode(),
}


class Deltas(WhittleTestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.temporary / "unpacked"
        self.folder.mkdir()
        self.old = self.write("old.tar", tar_of(OLD))
        self.new = self.write("new.tar", tar_of(NEW, [("bin/again", "bin/app")]))
        with tarfile.open(self.old) as archive:
            archive.extractall(self.folder)
        self.payload, self.out = self.temporary / "payload", self.temporary / "out.tar"

    def write(self, name, content):
        path = self.temporary / name
        path.write_bytes(content)
        return path

    def tar_diff(self, *arguments):
        done = subprocess.run([tar_diff_program(), *map(str, arguments)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_go_applies_what_whittle_writes(self):
        self.tar_diff("make", self.new, self.payload, self.old)
        self.assertLess(self.payload.stat().st_size, self.new.stat().st_size / 5)
        operations = oracle("tar-patch", self.payload, self.folder, self.out)["operations"]
        self.assertEqual(self.out.read_bytes(), self.new.read_bytes())
        self.assertEqual({"data", "open", "copy", "add"} - set(operations), set())

    def test_whittle_applies_what_go_writes(self):
        oracle("make-tar-diff", self.new, self.folder, "bin/app", self.payload)
        oracle("tar-patch", self.payload, self.folder, self.out)
        self.assertEqual(self.out.read_bytes(), self.new.read_bytes())
        self.out.unlink()
        self.tar_diff("apply", self.payload, self.out, self.old)
        self.assertEqual(self.out.read_bytes(), self.new.read_bytes())

    def test_a_damaged_payload_is_refused_by_both(self):
        self.tar_diff("make", self.new, self.payload, self.old)
        self.payload.write_bytes(self.payload.read_bytes()[:-100])
        with self.assertRaises(Refused):
            oracle("tar-patch", self.payload, self.folder, self.out)
        done = subprocess.run([tar_diff_program(), "apply", self.payload, self.out, self.old], capture_output=True, text=True)
        self.assertEqual(done.returncode, 70, done.stderr)
        self.assertFalse(self.out.exists())
