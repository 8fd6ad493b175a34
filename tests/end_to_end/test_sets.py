"""`whittle set`: what a site wants is locked, signed and written as one file, and other tools read it."""

import base64
import json
import os
import shutil
import subprocess
import unittest

from support.case import WhittleTestCase
from support.layouts import Layout, sha256_of_file
from support.parties import Containerd, Podman, Registry, call, skopeo

HELLO = '#include <stdio.h>\nint main(void) { return puts("%s") < 0; }\n'
SET = """set = "line7"
epoch = {epoch}
[registry]
address = "registry.example.org"
namespace = "edge"
[[image]]
name = "sensor"
build = "sensor"
[[image]]
name = "alarm"
build = "alarm"
critical = true
"""


class Sets(WhittleTestCase):
    shared_cache = True

    def setUp(self):
        super().setUp()
        self.site = self.temporary / "site"
        self.site.mkdir()
        self.write_set()
        self.write_program("sensor", "warm")
        self.write_program("alarm", "loud")

    def write_set(self, text=SET, epoch=1):
        (self.site / "imageset.toml").write_text(text.format(epoch=epoch))

    def write_program(self, name, says):
        (self.site / name).mkdir(exist_ok=True)
        (self.site / name / f"{name}.c").write_text(HELLO % says)

    def set(self, *arguments, **options):
        return self.whittle("set", *arguments, cwd=self.site, **options)

    def prepare(self):
        self.set("lock")
        self.set("keygen", "site.key")
        self.set("trust", "--key", "site.key.pub")

    def bundle(self, *arguments, **options):
        return [self.site / line for line in self.set("bundle", "--key", "site.key", *arguments, **options).stdout.splitlines()]

    def test_a_set_becomes_one_signed_file(self):
        self.prepare()
        (file,) = self.bundle()
        self.assertEqual(file.name, "line7-1.whittle")
        said = self.set("verify", file, "--trust", "imageset.trust.json", "--json").json
        self.assertEqual([image["name"] for image in said["images"]], ["alarm", "sensor"])
        self.assertEqual(said["images"][0]["reference"], "registry.example.org/edge/alarm:latest")
        self.assertEqual((self.site / "site.key").stat().st_mode & 0o777, 0o600)
        # Two machines with one lock and one key write the same bytes.
        digest = sha256_of_file(file)
        self.assertEqual(sha256_of_file(self.bundle("-o", "again")[0]), digest)

    def test_a_bundle_is_at_most_three_percent_larger_than_its_blobs(self):
        os.makedirs(self.site / "data")
        (self.site / "data" / "index.html").write_text("<p>hello</p>")
        (self.site / "data" / "noise.bin").write_bytes(os.urandom(3_000_000))
        self.write_set(SET + '[[image]]\nname = "pages"\nbuild = "data"\n')
        self.prepare()
        (file,) = self.bundle()
        blobs = {blob: size for blob, size in self.blobs_of(file)}
        self.assertLessEqual(file.stat().st_size, 1.03 * sum(blobs.values()))

    def blobs_of(self, file):
        for line in call("tar", "-tvf", file).stdout.splitlines():
            if "blobs/sha256/" in line:
                yield line.split("/")[-1], int(line.split()[2])

    def test_other_tools_read_a_whole_bundle(self):
        self.prepare()
        (file,) = self.bundle()
        locked = json.loads((self.site / "imageset.lock").read_text())
        digests = {image["reference"]: image["root"]["digest"] for image in locked["images"]}
        self.assertEqual(len(digests), 2)
        for name, digest in digests.items():
            self.assertEqual(json.loads(skopeo("inspect", f"oci-archive:{file}:{name}").stdout)["Digest"], digest)
        with Containerd() as containerd:
            containerd.ctr("images", "import", file)
            listed = containerd.ctr("images", "ls").stdout
            for name, digest in digests.items():
                self.assertIn(name, listed)
                self.assertIn(digest, listed)
            self.assertEqual(containerd.run("registry.example.org/edge/alarm:latest").stdout, "loud\n")
        with Podman() as podman:
            podman("load", "-i", file)
            self.assertIn("registry.example.org/edge/sensor", podman("images").stdout)

    def test_volumes_come_in_any_order(self):
        (self.site / "data").mkdir()
        (self.site / "data" / "index.html").write_text("<p>hello</p>")
        (self.site / "data" / "noise.bin").write_bytes(os.urandom(1_000_000))
        self.write_set(SET + '[[image]]\nname = "pages"\nbuild = "data"\n')
        self.prepare()
        files = self.bundle("--volume-size", "400kB", "-o", "stick/line7.whittle")
        self.assertGreater(len(files), 2)
        for file in files:
            self.assertLessEqual(file.stat().st_size, 400_000)
        self.set("verify", *reversed(files), "--trust", "imageset.trust.json")
        self.set("verify", files[1])
        files[0].unlink()
        missing = self.set("verify", files[1], expect=70)
        self.assertIn(f"missing: volume 1 of {len(files)}", missing.stderr)

    def test_an_interrupted_bundle_goes_on(self):
        self.prepare()
        (file,) = self.bundle()
        whole = file.read_bytes()
        file.unlink()
        part = self.site / "line7-1.whittle.part"
        part.write_bytes(whole[:20_000])
        self.assertEqual(self.bundle()[0].read_bytes(), whole)
        self.assertFalse(part.exists())

    def test_two_holders_of_keys_sign_one_after_the_other(self):
        self.set("lock")
        for name in ("one", "two", "three"):
            self.set("keygen", name, "--algorithm", "p256" if name == "two" else "ed25519")
        self.set("trust", "--key", "one.pub", "--key", "two.pub", "--threshold", "2")
        said = self.set("bundle", "--key", "one", "-o", "b")
        self.assertIn("warning: 1 of 2 signatures that devices ask for", said.stderr)
        refused = self.set("verify", "b", "--trust", "imageset.trust.json", expect=70)
        self.assertIn("caused by: 1 of the trusted keys signed it, and 2 are needed", refused.stderr)
        size = (self.site / "b").stat().st_size
        self.set("sign", "b", "--key", "three")
        self.set("verify", "b", "--trust", "imageset.trust.json", expect=70)
        self.set("sign", "b", "--key", "two")
        self.set("verify", "b", "--trust", "imageset.trust.json")
        self.assertEqual((self.site / "b").stat().st_size, size)

    def test_keys_are_exchanged_by_those_that_were_trusted(self):
        self.prepare()
        self.set("keygen", "next")
        refused = self.set("trust", "--key", "next.pub", "--sign-with", "next", expect=70)
        self.assertIn("cannot trust version 2 of the trust document, as version 1 has it", refused.stderr)
        old = (self.site / "imageset.trust.json").read_text()
        self.set("trust", "--key", "next.pub", "--sign-with", "site.key", "--sign-with", "next")
        self.assertNotEqual((self.site / "imageset.trust.json").read_text(), old)
        (self.site / "device.json").write_text(old)
        self.set("bundle", "--key", "next", "-o", "b")
        self.set("verify", "b", "--trust", "device.json")
        self.set("bundle", "--key", "site.key", "-o", "c")
        self.set("verify", "c", "--trust", "device.json", expect=70)

    def test_openssl_makes_keys_and_believes_the_signature(self):
        call("openssl", "genpkey", "-algorithm", "ed25519", "-out", self.site / "site.key")
        call("openssl", "pkey", "-in", self.site / "site.key", "-pubout", "-out", self.site / "site.key.pub")
        self.set("lock")
        self.set("trust", "--key", "site.key.pub")
        (file,) = self.bundle()
        call("tar", "-xf", file, "-C", self.site)
        signatures = json.loads((self.site / "whittle/signatures.json").read_text())["signatures"]
        (self.site / "signature").write_bytes(base64.b64decode(signatures[0]["signature"]))
        call("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", self.site / "site.key.pub", "-rawin",
             "-in", self.site / "whittle/root.json", "-sigfile", self.site / "signature")  # fmt: skip

    def test_a_lock_pins_what_a_registry_has(self):
        with Registry() as registry:
            build = self.build(self.site / "sensor", "-t", f"{registry.host}/edge/sensor:1", "--push")
            self.write_set(f'set = "line7"\nepoch = 1\n[[image]]\nname = "sensor"\nfrom = "{registry.host}/edge/sensor:1"\n')
            shutil.rmtree(self.store)
            self.prepare()
            locked = json.loads((self.site / "imageset.lock").read_text())["images"][0]
            self.assertEqual(locked["root"]["digest"], build.digest)
            self.assertEqual(locked["reference"], f"{registry.host}/edge/sensor:1")
            self.set("lock", "--locked")
            # What the lock pins is fetched again when the store has lost it.
            shutil.rmtree(self.store)
            self.bundle()
            self.write_program("sensor", "cold")
            self.build(self.site / "sensor", "-t", f"{registry.host}/edge/sensor:1", "--push")
            drift = self.set("lock", "--locked", expect=69)
            self.assertIn("error: the set is not what `imageset.lock` says", drift.stderr)
            self.assertIn(f"sensor: {build.digest} → sha256:", drift.stderr)

    def test_images_for_several_platforms_are_locked_one_by_one(self):
        self.write_set(
            'set = "line7"\nepoch = 1\n[profile.old]\nplatform = "linux/arm/v7"\n[profile.new]\nplatform = "linux/arm64"\n'
            '[[image]]\nname = "tool"\nbuild = "tool"\n'
        )
        (self.site / "tool").mkdir()
        (self.site / "tool" / "go.mod").write_text("module example.org/tool\n\ngo 1.21\n")
        (self.site / "tool" / "main.go").write_text("package main\n\nfunc main() { println(1) }\n")
        self.prepare()
        ambiguous = self.set("bundle", "--key", "site.key", expect=2)
        self.assertIn("hint: name one with `--profile`: new, old", ambiguous.stderr)
        digests = set()
        for profile, platform in (("old", "linux/arm/v7"), ("new", "linux/arm64")):
            self.bundle("--profile", profile, "-o", profile)
            said = self.set("verify", profile, "--json").json
            self.assertEqual(said["platform"], platform)
            digests.add(said["images"][0]["digest"])
        self.assertEqual(len(digests), 2)

    def test_a_delta_carries_only_what_an_earlier_generation_lacks(self):
        self.prepare()
        whole = self.bundle()[0].stat().st_size
        shutil.copy(self.site / "imageset.lock", self.site / "one.lock")
        self.write_set(epoch=2)
        self.write_program("sensor", "cold")
        self.set("lock")
        said = self.set("delta", "--have-lock", "one.lock", "--key", "site.key", "-o", "d", "--json").json
        self.assertLess(said["size"], whole)
        self.assertGreater(said["asked"], 0)
        self.assertEqual(said["rebuilt"], 1)
        self.set("verify", "d", "--trust", "imageset.trust.json")
        refused = self.set("export", "d", "--to", f"oci:{self.temporary / 'out'}", expect=2)
        self.assertIn("carries only what one device lacks", refused.stderr)
        self.assertIn("error: a delta needs to know what the device has", self.set("delta", "--key", "site.key", expect=2).stderr)

    def receipt(self, device, layout_of=()):
        blobs = sorted(blob for file in layout_of for blob, _ in self.blobs_of(file))
        receipt = {"format": 1, "device": device, "compatible": "", "platform": f"linux/{self.architecture()}", "set": "line7",
                   "epoch": 1, "generation": 1, "compressor": "", "free": 0, "blobs": blobs, "images": []}  # fmt: skip
        path = self.site / f"{device}.receipt"
        path.write_text(json.dumps({"format": 1, "receipt": json.dumps(receipt)}))
        return path

    def architecture(self):
        return {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]

    def test_one_medium_serves_many_devices(self):
        self.prepare()
        (file,) = self.bundle()
        self.write_set(epoch=2)
        self.write_program("sensor", "cold")
        self.set("lock")
        updated, new = self.receipt("gw-1", [file]), self.receipt("gw-2")
        said = self.set("plan-fleet", updated, new, "--json").json["profiles"][0]
        missing = {device["device"]: device["missing"] for device in said["devices"]}
        self.assertLess(missing["gw-1"], missing["gw-2"])
        self.assertEqual(said["carried"], missing["gw-2"])
        written = self.set("plan-fleet", updated, "--key", "site.key", "-o", "stick").stdout
        self.assertIn("  stick/line7-2-default.whittle\n", written)
        self.set("verify", "stick/line7-2-default.whittle", "--trust", "imageset.trust.json")

    def test_a_bundle_is_exported_for_other_tools(self):
        self.prepare()
        (file,) = self.bundle()
        self.set("export", file, "--to", "oci:out")
        layout = Layout(self.site / "out")
        self.assertEqual(layout.problems(), [])
        self.assertEqual(sorted(layout.names()), ["registry.example.org/edge/alarm:latest", "registry.example.org/edge/sensor:latest"])
        self.set("export", file, "--to", "archives:k3s")
        self.assertEqual(len(list((self.site / "k3s").iterdir())), 2)
        with Registry() as registry:
            self.set("export", file, "--to", f"registry:{registry.host}")
            skopeo("inspect", "--tls-verify=false", f"docker://{registry.host}/edge/alarm:latest")

    def test_a_lock_of_another_set_is_refused(self):
        self.prepare()
        self.write_set(epoch=2)
        refused = self.set("bundle", "--key", "site.key", expect=2)
        self.assertIn("error: `imageset.lock` is not that of the set\n", refused.stderr)
        self.assertIn("the epoch is 2, and was 1", refused.stderr)

    def test_a_budget_fails_the_lock(self):
        self.write_set(SET + 'budget = {{ compressed = "1kB" }}\n')
        said = self.set("lock", expect=69)
        self.assertRegex(said.stderr, r"error: `alarm` for linux/\w+ is [\d.]+ kB compressed, and the budget is 1.0 kB\n  --> imageset.toml:9\n")
        self.assertFalse((self.site / "imageset.lock").exists())

    def test_what_is_missing_is_said(self):
        self.assertIn("there is no lock `imageset.lock`", self.set("bundle", "--key", "k", expect=30).stderr)
        self.set("lock")
        self.assertIn("there is no key file `k`", self.set("bundle", "--key", "k", expect=30).stderr)
        self.assertIn("error: a bundle is signed", self.set("bundle", expect=2).stderr)
        self.set("keygen", "k")
        self.assertIn("there is no trust document", self.set("bundle", "--key", "k", expect=30).stderr)
        self.assertIn("there is a file `k` already", self.set("keygen", "k", expect=2).stderr)
        (self.site / "imageset.toml").unlink()
        self.assertIn("error: there is no set `imageset.toml`", self.set("lock", expect=30).stderr)

    def test_a_full_medium_keeps_what_was_written(self):
        self.prepare()
        stick = self.temporary / "stick"
        stick.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", stick], capture_output=True, check=False)
        self.assertEqual(mounted.returncode, 0, mounted.stderr)
        self.addCleanup(subprocess.run, ["umount", str(stick)], check=False)
        full = self.set("bundle", "--key", "site.key", "-o", stick / "b", expect=60)
        self.assertIn("caused by: no space left on device", full.stderr)
        self.assertIn("note: what is written stays; the same command goes on from there", full.stderr)


if __name__ == "__main__":
    unittest.main()
