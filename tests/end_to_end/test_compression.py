"""How layers are compressed: the level, and the gzip twin for clients that know no zstd."""

import gzip
import json

from support.case import WhittleTestCase
from support.layouts import INDEX, Layout, sha256_of
from support.oracles import oracle
from support.parties import Containerd, Podman, Registry, skopeo_copy
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


class GzipTwin(CompressionTestCase):
    """Old readers take the first manifest of an index, newer ones the one that is annotated for zstd."""

    def media_types(self, manifest):
        return {layer["mediaType"].rpartition("+")[2] for layer in manifest["layers"]}

    def manifests(self, built, layout=None):
        layout = layout or self.layout()
        index = json.loads(layout.blob(built.digest))
        self.assertEqual(index["mediaType"], INDEX)
        return index["manifests"], [json.loads(layout.blob(child["digest"])) for child in index["manifests"]]

    def test_both_manifests_have_one_configuration_and_the_same_tars(self):
        tree = self.tree()
        plain = self.build(tree)
        built = self.build(tree, "--gzip-twin")
        descriptors, (twin, zstd) = self.manifests(built)
        self.assertEqual(descriptors[1]["digest"], plain.digest)
        self.assertEqual(twin["config"], zstd["config"])
        self.assertEqual((self.media_types(twin), self.media_types(zstd)), ({"gzip"}, {"zstd"}))
        for layer, diff_id in zip(twin["layers"], plain.image.config["rootfs"]["diff_ids"], strict=True):
            blob = self.layout().blob(layer["digest"])
            self.assertEqual(blob[:10], bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]))
            self.assertEqual(sha256_of(gzip.decompress(blob)), diff_id)
        self.assert_store_valid()
        self.assertEqual(self.whittle("run", built.reference).stdout, "hello\n")

    def test_threads_and_caches_do_not_matter(self):
        tree = self.tree()
        digests = set()
        for threads in (1, 2, 8):
            env = {"WHITTLE_THREADS": threads, "WHITTLE_STORE": self.temporary / f"{threads}", "XDG_CACHE_HOME": self.temporary / f"c{threads}"}
            digests |= {self.build(tree, "--gzip-twin", env=env).digest for _ in range(2)}
        configured = self.tree("configured/tree", '[layers]\ngzip-twin = "always"\n')
        digests.add(self.build(configured).digest)
        digests.add(self.build(tree, env={"WHITTLE_GZIP_TWIN": "always"}).digest)
        self.assertEqual(len(digests), 1, digests)

    def test_layouts_and_archives_hold_both(self):
        out, archive = self.temporary / "out", self.temporary / "image.tar"
        built = self.build(self.tree(), "-t", "example.org/team/hello:1", "--gzip-twin", "-o", f"oci:{out}", "-o", f"archive:{archive}")
        self.assert_store_valid(out)
        self.assertEqual(len(self.manifests(built, Layout(out))[0]), 2)
        self.whittle("validate", f"archive:{archive}")
        with Containerd() as containerd:
            containerd.ctr("images", "import", "--snapshotter", "native", archive)
            names = [line.split()[0] for line in containerd.ctr("images", "ls").stdout.splitlines() if built.digest in line]
            self.assertEqual(containerd.run(names[0], "/bin/hello").stdout, "hello\n")

    def test_each_client_pulls_what_it_knows(self):
        with Registry() as registry, Podman() as podman:
            name = f"{registry.host}/team/hello:1"
            built = self.build(self.tree(), "-t", name, "--gzip-twin", "--push")
            (first, second), (twin, zstd) = self.manifests(built)
            # As old as Debian's: the first.
            old = self.temporary / "old"
            skopeo_copy(f"docker://{name}", f"dir:{old}")
            self.assertEqual((old / "manifest.json").read_bytes(), self.layout().blob(first["digest"]))
            podman("pull", "--tls-verify=false", name)
            self.assertEqual(podman("run", "--rm", name).stdout, "hello\n")
            # Podman's newest code: the one for zstd.
            new = oracle("pull", "--src", f"docker://{name}", "--store", self.temporary / "new")
            self.assertEqual(new["manifest"], second["digest"])
            # Either can be asked for.
            for descriptor in (first, second):
                skopeo_copy(f"docker://{registry.host}/team/hello@{descriptor['digest']}", f"dir:{self.temporary / descriptor['digest'][7:20]}")
            back = self.temporary / "back"
            self.whittle("pull", "--all-platforms", name, env={"WHITTLE_STORE": back})
            self.assertEqual(len(self.manifests(built, Layout(back))[0]), 2)
            self.assert_store_valid(back)

    def test_dual_and_twin_are_refused_together(self):
        tree = self.tree(layers='[layers]\nform = "dual"\n')
        refused = self.whittle("build", tree, "--gzip-twin", expect=2)
        self.assertEqual(
            refused.stderr.partition("error: ")[2],
            "an image has either a gzip twin or the form `dual`: each must be the first of its index\n"
            '  --> --gzip-twin\n\nhint: use `form = "auto"` with the gzip twin\n',
        )
        self.assertFalse((self.store / "blobs").exists())
