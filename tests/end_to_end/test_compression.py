"""How layers are compressed: the level, and the gzip twin for clients that know no zstd."""

import json

from support.case import WhittleTestCase
from support.trees import incompressible, text

HELLO = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n'
CONFIGURATION = '[image]\nfiles = [{{ source = "data/", path = "/data" }}]\n{layers}'


class CompressionTestCase(WhittleTestCase):
    shared_cache = True

    def tree(self, name="tree", layers=""):
        data = {"data/words": text(600_000), "data/noise": incompressible(100_000), "data/again": text(600_000)}
        return self.write_tree(name, {"hello.c": HELLO, "whittle.toml": CONFIGURATION.format(layers=layers), **data})


class Level(CompressionTestCase):
    def level_and_size(self, built):
        layers = built.image.manifest["layers"]
        levels = {layer["annotations"]["io.whittle.compression"].partition(" level ")[2].split()[0] for layer in layers}
        self.assertEqual(len(levels), 1)
        return int(levels.pop()), sum(layer["size"] for layer in layers)

    def test_the_smallest_is_at_level_19_and_all_hold_the_same(self):
        tree = self.tree()
        built = {level: self.build(tree, "--compression", f"zstd:{level}") for level in (1, 3, 9, 19)}
        sizes = []
        for level, image in built.items():
            found, size = self.level_and_size(image)
            self.assertEqual(found, level)
            sizes.append(size)
        self.assertEqual((sizes[0], sizes[-1]), (max(sizes), min(sizes)), sizes)
        self.assertEqual(len(set(sizes)), len(sizes))
        self.assertEqual(len({str(image.image.config["rootfs"]) for image in built.values()}), 1)
        self.assert_store_valid()

    def test_flag_variable_and_configuration_mean_the_same(self):
        plain = self.tree()
        by_flag = self.build(plain, "--compression", "zstd:9")
        self.assertEqual(by_flag.digest, self.build(plain, env={"WHITTLE_COMPRESSION": "zstd:9"}).digest)
        configured = self.tree("configured/tree", '[layers]\ncompression = "zstd:9"\n')
        self.assertEqual(by_flag.digest, self.build(configured).digest)
        self.assertEqual(self.level_and_size(self.build(configured, env={"WHITTLE_COMPRESSION": "zstd:5"}))[0], 5)
        self.assertEqual(self.level_and_size(self.build(configured, "--release", env={"WHITTLE_COMPRESSION": "zstd:5"}))[0], 19)
        plan = json.loads(self.whittle("plan", "--json", "--release", plain).stdout)
        self.assertEqual(plan["values"]["compression"], {"value": "zstd:19", "source": "--release"})

    def test_what_is_no_level_is_refused(self):
        tree = self.tree()
        refused = self.whittle("build", tree, "--compression", "gzip:3", expect=2)
        self.assertEqual(
            refused.stderr.strip(), "error: `--compression` must be `zstd:LEVEL` with a level of 1 to 19, not `gzip:3`"
        )
        both = self.whittle("build", tree, "--release", "--compression", "zstd:3", expect=2)
        self.assertIn("--compression excludes --release", both.stderr)
