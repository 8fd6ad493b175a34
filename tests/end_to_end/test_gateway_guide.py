"""docs/gateway.md, run as it stands: every block in its order, what happens on the device without a network."""

import json
import re
import subprocess
import unittest

from support.case import ROOT, WhittleTestCase, whittle_program
from support.parties import skopeo

SENSOR = '#include <stdio.h>\nint main(void) { return puts("warm") < 0; }\n'
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Guide(WhittleTestCase):
    shared_cache = True

    def setUp(self):
        super().setUp()
        self.guide = (ROOT / "docs/gateway.md").read_text()
        programs = self.temporary / "programs"
        programs.mkdir()
        for name in ("whittle", "whittle-gateway"):
            (programs / name).symlink_to(whittle_program().parent / name)
        (self.temporary / "stick").mkdir()
        (self.temporary / "site" / "sensor").mkdir(parents=True)
        (self.temporary / "site" / "sensor" / "sensor.c").write_text(SENSOR)

    def blocks(self, language):
        return [text for kind, text in BLOCK.findall(self.guide) if kind == language]

    def run_block(self, text):
        environment = self.environment()
        environment["PATH"] = f"{self.temporary / 'programs'}:{environment['PATH']}"
        environment["HOME"] = str(self.home)
        shell = ["sh", "-e", "-c", text]
        if "whittle-gateway" in text:
            shell = ["unshare", "--map-root-user", "--net", *shell]
        done = subprocess.run(shell, cwd=self.temporary, env=environment, capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, f"{text}\n{done.stdout}{done.stderr}")
        return done.stdout

    def digest_on_device(self):
        store = f"oci:{self.temporary / 'device/store'}:registry.example.org/edge/sensor:latest"
        return json.loads(skopeo("inspect", store).stdout)["Digest"]

    def test_every_command_of_the_guide_works(self):
        (self.temporary / "site" / "imageset.toml").write_text(self.blocks("toml")[0])
        blocks = self.blocks("sh")
        digests = []
        for block in blocks:
            self.run_block(block)
            if " apply " in block or " rollback " in block:
                digests.append(self.digest_on_device())
        first, second, third = digests
        self.assertNotEqual(first, second)
        self.assertEqual(first, third)
        locked = json.loads((self.temporary / "site" / "imageset.lock").read_text())
        self.assertEqual(locked["images"][0]["root"]["digest"], second)


if __name__ == "__main__":
    unittest.main()
