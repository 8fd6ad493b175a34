"""Chunked layers as whittle writes them, read by the libraries of Podman and stargz-snapshotter and by a second writer in Python."""

import io
import json
import struct
import subprocess
import tarfile
import unittest

from support.case import WhittleTestCase
from support.dual_blob import PODMAN, STARGZ, STARGZ_SIZE, WHITTLES, ZEROS_MAXIMUM, dual_blob, sha256
from support.layouts import INDEX
from support.oracles import oracle, oracle_program
from support.parties import Registry, program, skopeo_copy
from support.trees import c_tree, incompressible, text

NOISE = incompressible(1_500_000)


def tree(form, note="a note", **more):
    """A C program, and assets with everything that decides where chunks end."""
    files = c_tree()
    files["whittle.toml"] += f'[layers]\nform = "{form}"\n'
    assets = {
        "again.bin": NOISE,
        "holes": text(5_000).encode() + bytes(100_000) + text(200_000, seed=1).encode() + bytes(900) + b"x" + bytes(5_000),
        "long/" + "name" * 40: "l",
        "noise.bin": NOISE,
        "note.txt": f"{note}\n",
        'quoted "<name>" & more': "q",
        "short zeros": bytes(3_000),
        "zeros": bytes(ZEROS_MAXIMUM + 5_000),
        **{f"many/{number}": f"file {number}" for number in range(500)},
        **more,
    }
    files.update({f"assets/{name}": content for name, content in assets.items()})
    return files


def unzstd(data):
    return subprocess.run([program("zstd"), "-dc"], input=data, capture_output=True, check=True).stdout


def footer_words(blob):
    return struct.unpack("<7Q", blob[-112:-56])


def toc_and_tar_split(blob):
    toc_at, toc_size, _, _, tar_split_at, tar_split_size, _ = footer_words(blob)
    toc = json.loads(unzstd(blob[toc_at : toc_at + toc_size]))
    return toc, [json.loads(line) for line in unzstd(blob[tar_split_at : tar_split_at + tar_split_size]).splitlines()]


def without_places(entries):
    """Where a frame lies depends on the version of libzstd, which is another in the program `zstd`."""
    return [{key: value for key, value in entry.items() if key not in ("offset", "endOffset")} for entry in entries]


class ChunkedTestCase(WhittleTestCase):
    shared_cache = True

    @classmethod
    def setUpClass(cls):
        oracle_program()

    def build_tree(self, form, name="tree", **more):
        return self.build(self.write_tree(name, tree(form, **more)))

    def manifest(self, digest):
        return json.loads(self.layout().blob(digest))

    def layers(self, manifest):
        """[(descriptor, bytes, diff ID)]"""
        layout = self.layout()
        diff_ids = json.loads(layout.blob(manifest["config"]["digest"]))["rootfs"]["diff_ids"]
        return [(layer, layout.blob(layer["digest"]), diff_id) for layer, diff_id in zip(manifest["layers"], diff_ids, strict=True)]

    def keys(self, layer, prefix):
        return {key: value for key, value in layer["annotations"].items() if key.startswith(prefix)}


class Layers(ChunkedTestCase):
    def test_every_layer_is_what_three_kinds_of_readers_take_it_for(self):
        built = self.build_tree("chunked")
        layers = self.layers(self.manifest(built.digest))
        self.assertGreaterEqual(len(layers), 3)
        for number, (layer, blob, diff_id) in enumerate(layers):
            with self.subTest(number):
                annotations = self.keys(layer, PODMAN)
                self.assertEqual(len(annotations), 3)
                self.assertEqual(self.keys(layer, STARGZ), {})
                path = self.layout().blob_path(layer["digest"])
                store = self.temporary / f"podman-{number}"
                answer = oracle("dual", path, "--annotations", annotations, "--diff-id", diff_id, "--store", store)
                self.assertEqual(answer["podman_annotations"], annotations)
                self.assertEqual(sha256(unzstd(blob)), diff_id)
        self.assert_store_valid()

    def test_tables_are_those_of_the_second_writer(self):
        built = self.build_tree("chunked")
        kinds = set()
        for _, blob, _ in self.layers(self.manifest(built.digest)):
            ours, theirs = toc_and_tar_split(blob), dual_blob(unzstd(blob), cuts=WHITTLES)
            self.assertEqual(without_places(ours[0]["entries"]), without_places(theirs.toc["entries"]))
            self.assertEqual(ours[1], [{**line, "position": number} for number, line in enumerate(theirs.tar_split)])
            self.assertEqual(blob[-112:-80], blob[-40:-8], "the first four words of the footers")
            kinds |= {entry["type"] for entry in ours[0]["entries"]}
            kinds |= {entry["chunkType"] for entry in ours[0]["entries"] if "chunkType" in entry}
        self.assertLessEqual({"reg", "dir", "hardlink", "chunk", "zeros"}, kinds)

    def test_threads_and_a_second_build_change_nothing(self):
        files = tree("chunked")
        digests = set()
        for threads in (1, 2, 8):
            folder = self.write_tree(f"threads-{threads}/tree", files)
            # A cache of its own, so that nothing is remembered.
            env = {"WHITTLE_THREADS": threads, "WHITTLE_STORE": folder.parent / "store", "XDG_CACHE_HOME": folder.parent / "cache"}
            digests.add(self.build(folder, env=env).digest)
            digests.add(self.build(folder, env=env).digest)
        self.assertEqual(len(digests), 1, digests)

    def test_by_default_large_layers_are_chunked_and_small_ones_plain(self):
        built = self.build_tree("auto")
        for layer, blob, _ in self.layers(self.manifest(built.digest)):
            with tarfile.open(fileobj=io.BytesIO(unzstd(blob))) as tar:
                content = sum(member.size for member in tar if member.isreg())
            has_index = blob[-8:] == b"GnUlInUx"
            self.assertEqual(has_index, content >= 1 << 20)
            self.assertEqual(bool(self.keys(layer, PODMAN)), has_index)
        plain = self.build_tree("plain", name="plain")
        self.assertTrue(all(blob[-8:] != b"GnUlInUx" for _, blob, _ in self.layers(self.manifest(plain.digest))))
        self.assertEqual(
            [diff_id for *_, diff_id in self.layers(self.manifest(plain.digest))],
            [diff_id for *_, diff_id in self.layers(self.manifest(built.digest))],
        )


class Pulls(ChunkedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.registry = cls.enterClassContext(Registry())

    def publish(self, built, name):
        layout = self.layout()
        skopeo_copy(f"oci:{layout.path}:{layout.name_of(built.digest)}", f"docker://{self.registry.host}/{name}", "--all")

    def pull(self, name, *options):
        return oracle("pull", "--src", f"docker://{self.registry.host}/{name}", "--store", self.temporary / "pulled", *options)

    def test_an_update_fetches_what_is_new(self):
        self.publish(self.build_tree("chunked", note="first"), "before:1")
        after = self.build_tree("chunked", name="after", note="second")
        self.publish(after, "after:1")
        first = self.pull("before:1", "--partial")
        second = self.pull("after:1", "--partial")
        self.assertEqual(second["diff_ids"], [diff_id for *_, diff_id in self.layers(self.manifest(after.digest))])
        self.assertGreater(first["fetched"], len(NOISE))
        self.assertLess(second["fetched"], first["fetched"] / 10)

    def test_the_dual_form_has_a_manifest_for_each(self):
        built = self.build_tree("dual")
        index = self.manifest(built.digest)
        self.assertEqual(index["mediaType"], INDEX)
        for_stargz, for_podman = index["manifests"]
        self.assertNotIn("annotations", for_stargz)
        self.assertEqual(for_podman["annotations"], {"io.github.containers.compression.zstd": "true"})
        chunked = 0
        stargz_layers, podman_layers = (self.layers(self.manifest(one["digest"])) for one in index["manifests"])
        for (lazy, blob, _), (partial, _, diff_id) in zip(stargz_layers, podman_layers, strict=True):
            self.assertEqual(lazy["digest"], partial["digest"])
            if self.keys(partial, PODMAN):
                chunked += 1
                self.assertEqual(self.keys(lazy, PODMAN), {})
                self.assertEqual(lazy["annotations"][STARGZ_SIZE], str(len(unzstd(blob))))
                answer = oracle(
                    "dual", self.layout().blob_path(lazy["digest"]), "--annotations", self.keys(partial, PODMAN), "--diff-id", diff_id,
                    "--toc-digest", lazy["annotations"][STARGZ], "--store", self.temporary / f"podman-{chunked}",
                )  # fmt: skip
                self.assertEqual(answer["stargz_annotations"][STARGZ], lazy["annotations"][STARGZ])
        self.assertGreaterEqual(chunked, 1)
        self.assert_store_valid()

        self.publish(built, "dual:1")
        answer = self.pull("dual:1", "--partial")
        self.assertEqual(answer["manifest"], for_podman["digest"])
        whole = oracle(
            "pull", "--src", f"docker://{self.registry.host}/dual@{for_podman['digest']}", "--store", self.temporary / "whole"
        )
        self.assertEqual(answer["trees"], whole["trees"])


class Damage(ChunkedTestCase):
    def test_validate_finds_annotations_that_do_not_fit(self):
        built = self.build_tree("chunked")
        layout = self.layout()
        manifest = self.manifest(built.digest)
        layer = manifest["layers"][-1]
        layer["annotations"][PODMAN + "manifest-checksum"] = sha256(b"another")
        data = json.dumps(manifest).encode()
        layout.blob_path(sha256(data)).write_bytes(data)
        index = layout.index()
        for entry in index["manifests"]:
            entry.update(digest=sha256(data), size=len(data))
        (layout.path / "index.json").write_text(json.dumps(index))
        result = self.whittle("validate", expect=None)
        self.assertNotEqual(result.code, 0)
        self.assertIn("the annotation says `" + sha256(b"another"), result.stdout + result.stderr)
        self.assertIn(layer["digest"], result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main()
