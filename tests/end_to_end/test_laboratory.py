"""The laboratory's registry, as other clients see it: what it demands must be what the specification says, not what whittle does."""

import json

from support.case import WhittleTestCase
from support.laboratory import Laboratory
from support.layouts import Layout, write_handmade_layout
from support.parties import Containerd, Podman, call, skopeo, skopeo_copy

FILES = {"bin/app": (b"#!x\n" + b"program" * 20_000, 0o755), "etc/config": (b"setting = 1\n", 0o644)}


class OtherClients(WhittleTestCase):
    def setUp(self):
        super().setUp()
        self.image = self.temporary / "image"
        write_handmade_layout(self.image, FILES, name="app")
        self.digest = Layout(self.image).entry("app")["digest"]

    def assert_complete(self, laboratory, repository, tag):
        """Its own books, by a client that is neither whittle nor the one that is tried."""
        out = self.temporary / f"out-{tag}"
        skopeo("copy", "--src-tls-verify=false", f"docker://{laboratory.host}/{repository}:{tag}", f"oci:{out}:x")
        self.assertEqual(Layout(out).problems(), [])
        refused = [request for request in laboratory.requests() if request["status"] >= 400 and request["status"] not in (401, 404)]
        self.assertEqual(refused, [])

    def test_skopeo_pushes_and_pulls(self):
        for arguments in ((), ("--auth", "basic"), ("--auth", "token")):
            with self.subTest(arguments), Laboratory(*arguments) as laboratory:
                authfile = laboratory.docker_config(self.docker_config)
                skopeo_copy(f"oci:{self.image}:app", f"docker://{laboratory.host}/team/app:1", authfile=authfile)
                out = self.temporary / "-".join(("out", *arguments))
                skopeo_copy(f"docker://{laboratory.host}/team/app:1", f"oci:{out}:x", authfile=authfile)
                self.assertEqual(Layout(out).entry("x")["digest"], self.digest)
                self.assertEqual(Layout(out).problems(), [])
                inspected = skopeo("list-tags", "--tls-verify=false", "--authfile", authfile, f"docker://{laboratory.host}/team/app")
                self.assertEqual(json.loads(inspected.stdout)["Tags"], ["1"])

    def test_skopeo_deletes(self):
        with Laboratory() as laboratory:
            name = f"docker://{laboratory.host}/team/app:1"
            skopeo_copy(f"oci:{self.image}:app", name)
            skopeo("delete", "--tls-verify=false", name)
            gone = skopeo("inspect", "--tls-verify=false", name, check=False)
            self.assertNotEqual(gone.returncode, 0)

    def test_podman_pushes_and_pulls(self):
        with Laboratory() as laboratory, Podman() as podman:
            image = podman("pull", f"oci:{self.image}:app").stdout.strip()
            podman("push", "--tls-verify=false", image, f"docker://{laboratory.host}/team/app:2")
            self.assert_complete(laboratory, "team/app", "2")
            podman("rmi", "--all", "--force")
            self.assertEqual(podman("pull", "--tls-verify=false", f"{laboratory.host}/team/app:2").stdout.strip(), image)

    def test_ctr_pushes_and_pulls(self):
        archive = self.temporary / "image.tar"
        with Laboratory() as laboratory, Containerd() as containerd:
            name = f"{laboratory.host}/team/app:3"
            skopeo_copy(f"oci:{self.image}:app", f"oci-archive:{archive}:{name}")
            containerd.ctr("images", "import", "--no-unpack", "--all-platforms", archive, check=False)
            listed = containerd.ctr("images", "ls", "--quiet").stdout.split()
            self.assertTrue(listed)
            containerd.ctr("images", "push", "--plain-http", name, listed[0])
            self.assert_complete(laboratory, "team/app", "3")
            containerd.ctr("images", "rm", *listed)
            containerd.ctr("content", "prune", "references", check=False)
            containerd.ctr("images", "pull", "--plain-http", "--snapshotter", "native", name)
            self.assertIn(name, containerd.ctr("images", "ls", "--quiet").stdout)

    def test_skopeo_trusts_it_over_tls(self):
        folder = self.temporary / "certificates"
        folder.mkdir()
        with Laboratory("--tls", folder / "ca.crt") as laboratory:
            call(
                "skopeo", "--insecure-policy", "copy", "--dest-cert-dir", folder,
                f"oci:{self.image}:app", f"docker://{laboratory.host}/team/app:1",
            )  # fmt: skip
            refused = skopeo("inspect", f"docker://{laboratory.host}/team/app:1", check=False)
            self.assertIn("certificate", refused.stderr)
