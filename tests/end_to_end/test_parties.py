"""The harness itself, against an image that whittle has no part in: what these parties say can be believed."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from support.layouts import Layout, write_handmade_layout
from support.parties import PASSWORD, USER, Certificate, Containerd, PartyFailed, Podman, Registry, runc_run, skopeo, skopeo_copy

PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int count, char** words) {
  for (int megabyte = count > 2 ? atoi(words[2]) : 0; megabyte > 0; --megabyte) memset(malloc(1 << 20), megabyte, 1 << 20);
  printf("hello %s uid=%d word=%s cwd=%s\n", count > 1 ? words[1] : "nobody", (int)getuid(), getenv("WORD"), getcwd(0, 0));
  FILE* made = fopen("/made", "w");
  puts(made ? "writable" : "read-only");
  return count > 3 ? atoi(words[3]) : 0;
}
"""


class HandmadeImage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="whittle-parties-", dir="/tmp"))
        source = cls.folder / "hello.c"
        source.write_text(PROGRAM)
        subprocess.run(["musl-gcc", "-static", "-O1", "-s", "-o", cls.folder / "hello", source], check=True)
        cls.layout = write_handmade_layout(
            cls.folder / "layout",
            {"bin/hello": ((cls.folder / "hello").read_bytes(), 0o755), "srv/note": (b"text\n", 0o644)},
            Entrypoint=["/bin/hello"],
            Cmd=["world"],
            Env=["WORD=yes"],
            User="65532:65532",
            WorkingDir="/srv",
        )
        cls.digest = cls.layout.entry()["digest"]
        cls.source = f"oci:{cls.layout.path}:handmade:latest"

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.work = Path(tempfile.mkdtemp(dir=self.folder))

    def damaged_copy(self):
        copy = Layout(self.work / "copy")
        shutil.copytree(self.layout.path, copy.path)
        return copy


class LayoutReader(HandmadeImage):
    def test_a_valid_layout_has_no_problems(self):
        self.assertEqual(self.layout.problems(), [])
        self.assertEqual(self.layout.names(), ["handmade:latest"])
        self.assertEqual(self.layout.image("handmade").paths(), ["bin", "bin/hello", "srv", "srv/note"])
        self.assertIn("-rw-r--r-- 0/0", self.layout.image().layers[0].listing()[-1])

    def test_a_changed_byte_is_found(self):
        copy = self.damaged_copy()
        layer = copy.image().layers[0].path
        data = bytearray(layer.read_bytes())
        data[len(data) // 2] ^= 1
        layer.write_bytes(data)
        self.assertIn("do not have that digest", copy.problems()[0])

    def test_a_missing_or_short_blob_is_found(self):
        copy = self.damaged_copy()
        layer = copy.image().layers[0].path
        layer.write_bytes(layer.read_bytes()[:-1])
        self.assertIn("its descriptor says", "\n".join(copy.problems()))
        layer.unlink()
        self.assertIn("is missing", "\n".join(copy.problems()))

    def test_skopeo_agrees_about_the_digest(self):
        seen = skopeo("inspect", "--format", "{{.Digest}}", self.source).stdout.strip()
        self.assertEqual(seen, self.digest)


class RegistryParty(HandmadeImage):
    def round_trip(self, registry, **options):
        remote = f"docker://{registry.host}/team/handmade:1"
        skopeo_copy(self.source, remote, **options)
        back = Layout(self.work / "back")
        skopeo_copy(remote, f"oci:{back.path}:back", **options)
        self.assertEqual(back.entry("back")["digest"], self.digest)
        self.assertEqual(back.problems(), [])

    def test_anonymous(self):
        with Registry() as registry:
            self.round_trip(registry)
            self.assertEqual(registry.get(f"/v2/team/handmade/manifests/{self.digest}").status, 200)
            seen = registry.requests()
            self.assertIn(("PUT", "/v2/team/handmade/manifests/1", 201), seen)
            process = registry.process
        self.assertIsNotNone(process.poll(), "the registry is still running")
        self.assertFalse(registry.folder.exists())

    def test_a_restart_keeps_the_content(self):
        with Registry() as registry:
            skopeo_copy(self.source, f"docker://{registry.host}/handmade:1")
            port = int(registry.host.split(":")[1])
            registry.stop_process()
            with self.assertRaises(OSError):
                registry.get("/v2/")
            registry.listen(port)
            self.assertEqual(registry.get("/v2/handmade/manifests/1").status, 200)

    def test_read_only(self):
        with Registry(readonly=True) as registry, self.assertRaisesRegex(PartyFailed, "405|unsupported|disabled"):
            skopeo_copy(self.source, f"docker://{registry.host}/handmade:1")

    def test_tls(self):
        with Registry(tls=True) as registry:
            with self.assertRaisesRegex(PartyFailed, "certificate|x509"):
                skopeo("copy", self.source, f"docker://{registry.host}/handmade:1")
            certificates = self.work / "certificates"
            certificates.mkdir()
            shutil.copy(registry.certificate.certificate, certificates / "ca.crt")
            skopeo("copy", "--dest-cert-dir", certificates, self.source, f"docker://{registry.host}/handmade:1")
            other = Certificate(self.work, "other")
            shutil.copy(other.certificate, certificates / "ca.crt")
            with self.assertRaisesRegex(PartyFailed, "certificate|x509"):
                skopeo("copy", "--dest-cert-dir", certificates, self.source, f"docker://{registry.host}/handmade:2")

    def test_basic_credentials(self):
        with Registry(auth="basic") as registry:
            self.assertEqual(registry.get("/v2/", credentials=False).status, 401)
            self.refuses(registry)
            self.round_trip(registry, authfile=registry.docker_config(self.work / "right"))

    def test_token_credentials(self):
        with Registry(auth="token") as registry:
            challenge = registry.get("/v2/").headers["WWW-Authenticate"]
            self.assertIn(f'Bearer realm="{registry.tokens.url}"', challenge)
            self.refuses(registry)
            self.assertEqual({request["status"] for request in registry.tokens.requests}, {401})
            registry.tokens.requests.clear()
            self.round_trip(registry, authfile=registry.docker_config(self.work / "right"))
            granted = [request for request in registry.tokens.requests if request["status"] == 200]
            self.assertTrue(granted)
            self.assertTrue(all(request["authorization"] for request in granted))

    def refuses(self, registry):
        remote = f"docker://{registry.host}/team/handmade:1"
        wrong = registry.docker_config(self.work / "wrong", USER, PASSWORD + "!")
        nobody = self.work / "empty.json"
        nobody.write_text("{}")
        for authfile in (wrong, nobody):
            with self.assertRaisesRegex(PartyFailed, "authentication required|unauthorized|unable to retrieve auth token"):
                skopeo_copy(self.source, remote, authfile=authfile)


class RuntimeParties(HandmadeImage):
    MEGABYTE = 1 << 20

    def test_runc_runs_with_ten_megabytes(self):
        result = runc_run(self.layout, memory_limit_bytes=10 * self.MEGABYTE)
        self.assertEqual(result.stdout, "hello world uid=65532 word=yes cwd=/srv\nread-only\n", result.stderr)
        self.assertEqual(result.returncode, 0)
        self.assertEqual(runc_run(self.layout, "x", "0", "7").returncode, 7)

    def test_runc_kills_what_exceeds_the_limit(self):
        self.assertEqual(runc_run(self.layout, "small", "5", memory_limit_bytes=10 * self.MEGABYTE).returncode, 0)
        self.assertEqual(runc_run(self.layout, "hog", "50").returncode, 0)
        result = runc_run(self.layout, "hog", "50", memory_limit_bytes=10 * self.MEGABYTE)
        self.assertEqual(result.returncode, 137)
        self.assertEqual(result.stdout, "")

    def test_podman_pulls_and_runs(self):
        with Registry() as registry, Podman() as podman:
            skopeo_copy(self.source, f"docker://{registry.host}/handmade:1")
            podman("pull", "--tls-verify=false", f"{registry.host}/handmade@{self.digest}")
            result = podman("run", "--rm", f"{registry.host}/handmade@{self.digest}", "podman")
            self.assertIn("hello podman uid=65532 word=yes cwd=/srv\n", result.stdout)

    def test_containerd_imports_and_runs(self):
        archive = self.work / "image.tar"
        skopeo("copy", self.source, f"oci-archive:{archive}:example.org/handmade:1")
        with Containerd() as containerd:
            containerd.ctr("images", "import", "--snapshotter", "native", archive)
            listing = containerd.ctr("images", "ls").stdout
            self.assertIn("example.org/handmade:1", listing)
            self.assertIn(self.digest, listing)
            result = containerd.run("example.org/handmade:1", "/bin/hello", "containerd")
            self.assertIn("hello containerd uid=65532", result.stdout)
            process = containerd.process
        self.assertIsNotNone(process.poll(), "containerd is still running")
