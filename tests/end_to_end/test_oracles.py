"""The judges of chunked layers, judged: each library reads its own blobs, refuses damaged ones, and reads the dual blob.

What whittle writes is not looked at here; the blobs come from the libraries themselves and from support/dual_blob.py.
"""

import io
import json
import os
import subprocess
import tarfile
import unittest

from support.case import WhittleTestCase
from support.dual_blob import ZEROS_MAXIMUM, dual_blob, sha256, write_dual_layout
from support.oracles import Refused, oracle, oracle_program
from support.parties import Registry, call, program, skopeo_copy
from support.trees import incompressible, text

OWNER = 65532 if os.geteuid() == 0 else 0
ZSTD_CHUNKED = "io.github.containers.zstd-chunked."
STARGZ_TOC = "containerd.io/snapshot/stargz/toc.digest"


def entry(name, content=b"", kind=tarfile.REGTYPE, **more):
    member = tarfile.TarInfo(name)
    member.type, member.size, member.mode = kind, len(content), 0o755 if kind == tarfile.DIRTYPE else 0o644
    for key, value in more.items():
        setattr(member, key, value)
    return member, content


def folder(name, **more):
    return entry(name, kind=tarfile.DIRTYPE, **more)


def tar_of(*entries):
    """A tar that ends with exactly two blocks of zeros; headers are PAX where ustar cannot hold something."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT, errors="surrogateescape") as archive:
        for member, content in entries:
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()[: archive.offset]


NOISE = incompressible(250_000)

SAMPLE = tar_of(
    folder("bin"),
    entry("bin/app", NOISE, mode=0o4755),
    entry("bin/app-again", kind=tarfile.LNKTYPE, linkname="bin/app", mode=0o4755),
    entry("bin/tool", kind=tarfile.SYMTYPE, linkname="app"),
    folder("etc", mtime=1_700_000_000),
    entry("etc/empty"),
    entry("etc/motd", b"hello\n", mtime=1_700_000_000, pax_headers={"SCHILY.xattr.user.note": "\u00fc"}),
    folder("srv", uid=OWNER, gid=OWNER, mode=0o1777),
    entry("srv/<quoted> \"name\" \u00fc", b"name", uid=OWNER),
    entry("srv/" + "long" * 40, b"long"),
    entry("srv/padded", text(5_000).encode() + bytes(100_000) + text(3_000, seed=1).encode()),
    entry("srv/words", text(100_000).encode()),
    entry("srv/zeros", bytes(ZEROS_MAXIMUM + 5_000)),
)  # fmt: skip

FILES = {
    member.name: sha256(tarfile.open(fileobj=io.BytesIO(SAMPLE)).extractfile(member.name).read())
    for member in tarfile.open(fileobj=io.BytesIO(SAMPLE))
    if member.isreg() or member.islnk()
}


def flipped(data, at):
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


class OracleTest(WhittleTestCase):
    @classmethod
    def setUpClass(cls):
        oracle_program()

    def setUp(self):
        super().setUp()
        self.podman_store = self.temporary / "podman"

    def file(self, data, name="blob"):
        path = self.temporary / name
        path.write_bytes(data)
        return path

    def native(self, maker, *arguments):
        """The sample as a library writes it: its bytes and annotations."""
        out = self.temporary / maker
        annotations = oracle(maker, self.file(SAMPLE, "tar"), out, *arguments)["annotations"]
        return out.read_bytes(), annotations

    def apply(self, data, annotations, store=None):
        return oracle("podman", self.file(data), "--annotations", annotations, "--store", store or self.podman_store)

    def read_lazily(self, data, toc_digest):
        return oracle("estargz", self.file(data), "--toc-digest", toc_digest)

    def check_dual(self, blob, data=None):
        return oracle(
            "dual", self.file(data or blob.data), "--store", self.podman_store, "--annotations", blob.podman_annotations,
            "--toc-digest", blob.stargz_annotations[STARGZ_TOC], "--diff-id", blob.diff_id,
        )  # fmt: skip

    def assert_refused(self, words, judge, *arguments):
        with self.assertRaises(Refused) as refused:
            judge(*arguments)
        self.assertIn(words, str(refused.exception))


def position(annotations, key):
    return [int(number) for number in annotations[ZSTD_CHUNKED + key].split(":")]


class Podman(OracleTest):
    def setUp(self):
        super().setUp()
        self.data, self.annotations = self.native("make-podman")

    def test_its_own_blob_becomes_the_tree_of_the_tar(self):
        applied = self.apply(self.data, self.annotations)
        self.assertEqual(applied["driver"], "overlay")
        self.assertEqual(applied["diff_id"], sha256(SAMPLE))
        tree = applied["tree"]
        self.assertEqual({name: item["sha256"] for name, item in tree.items() if item["type"] == "reg"}, FILES)
        self.assertEqual(tree["bin/app-again"]["mode"], "4755")
        self.assertEqual(tree["bin/tool"]["link"], "app")
        self.assertEqual(tree["etc/motd"]["mtime"], 1_700_000_000)
        self.assertEqual(tree["etc/motd"]["xattrs"], {"user.note": "ü"})
        self.assertEqual((tree["srv"]["mode"], tree["srv"]["uid"]), ("1777", OWNER))

    def test_a_flipped_bit_is_refused_wherever_it_reads(self):
        toc, tar_split = position(self.annotations, "manifest-position"), position(self.annotations, "tarsplit-position")
        for place, at, words in (
            ("TOC", toc[0] + 20, "validating and decompressing TOC: invalid blob checksum"),
            ("tar-split", tar_split[0] + 20, "validating and decompressing tar-split: invalid blob checksum"),
            ("a chunk", toc[0] // 2, "checksum mismatch"),
        ):
            with self.subTest(place):
                self.assert_refused(words, self.apply, flipped(self.data, at), self.annotations)

    def test_it_never_reads_the_footer_or_the_headers(self):
        for at in (-1, 10):
            self.apply(flipped(self.data, at), self.annotations, self.temporary / f"store{at}")

    def test_stargz_snapshotter_does_not_read_its_blob(self):
        self.assert_refused("invalid magic number", oracle, "estargz", self.file(self.data))


class Stargz(OracleTest):
    def setUp(self):
        super().setUp()
        self.data, self.annotations = self.native("make-stargz", "--chunk-size", 65_536)
        self.toc_digest = self.annotations[STARGZ_TOC]

    def test_its_own_blob_is_read_chunk_by_chunk(self):
        answer = self.read_lazily(self.data, self.toc_digest)
        self.assertEqual(answer["files"], FILES)
        later_chunks = 3 + 1 + 1 + 16  # of bin/app, srv/padded, srv/words and srv/zeros
        self.assertEqual(answer["entries"], 13 + later_chunks)

    def test_a_flipped_bit_is_refused_wherever_it_reads(self):
        toc = [int(number) for number in self.annotations["io.containers.zstd-chunked.manifest-position"].split(":")]
        for place, at, words in (
            ("TOC", toc[0] + 20, "error decoding TOC JSON"),
            ("a chunk", toc[0] // 2, "does not have its digest"),
            ("footer", -1, "invalid magic number"),
            ("position of the TOC", -40, "error decoding TOC JSON"),
        ):
            with self.subTest(place):
                self.assert_refused(words, self.read_lazily, flipped(self.data, at), self.toc_digest)

    def test_another_toc_than_the_annotation_says_is_refused(self):
        self.assert_refused("invalid TOC JSON", self.read_lazily, self.data, sha256(b""))

    def test_podman_takes_its_blob_only_as_a_whole(self):
        self.assert_refused("falls back to an ordinary download", self.apply, self.data, {STARGZ_TOC: self.toc_digest})


class DualBlob(OracleTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.blob = dual_blob(SAMPLE)

    def test_all_three_kinds_of_readers_see_the_same_files(self):
        answer = self.check_dual(self.blob)
        self.assertEqual(answer["estargz"]["files"], FILES)
        self.assertEqual(answer["estargz"]["entries"], len(self.blob.toc["entries"]))
        self.assertEqual(answer["stargz_annotations"], self.blob.stargz_annotations)

    def test_the_zstd_program_gives_the_tar(self):
        result = subprocess.run([program("zstd"), "-dc"], input=self.blob.data, capture_output=True, check=True)
        self.assertEqual(result.stdout, SAMPLE)

    def test_chunks_and_tar_split_are_those_of_podman(self):
        data, annotations = self.native("make-podman")
        toc, tar_split = (self.unpacked(data, annotations, key) for key in ("manifest-position", "tarsplit-position"))
        keys = ("chunkOffset", "chunkSize", "chunkDigest", "chunkType")
        theirs = {}
        for item in json.loads(toc)["entries"]:
            theirs.setdefault(item["name"], []).append([item.get(key) for key in keys])
        ours = {}
        for item in self.blob.toc["entries"]:
            ours.setdefault(item["name"], []).append([item.get(key) for key in keys])
        for name in ("bin/app", "srv/padded", "srv/words"):
            self.assertGreater(len(ours[name]), 1, name)
            self.assertEqual(ours[name], theirs[name], name)
        numbered = [{**line, "position": number} for number, line in enumerate(self.blob.tar_split)]
        self.assertEqual(numbered, [json.loads(line) for line in tar_split.splitlines()])

    def unpacked(self, data, annotations, key):
        offset, size, *_ = position(annotations, key)
        return subprocess.run([program("zstd"), "-dc"], input=data[offset : offset + size], capture_output=True, check=True).stdout

    def test_a_flipped_bit_is_refused_anywhere(self):
        toc = position(self.blob.podman_annotations, "manifest-position")
        tar_split = position(self.blob.podman_annotations, "tarsplit-position")
        chunk = next(item for item in self.blob.toc["entries"] if item["type"] == "chunk")
        footers = len(self.blob.data) - 120
        for place, at, words in (
            ("the first frame of headers", 20, "as a plain layer"),
            ("the last frame of headers", toc[0] - 12, "as a plain layer"),
            ("a chunk", chunk["offset"] + 1000, "as a plain layer"),
            ("TOC", toc[0] + 20, "TOC: "),
            ("tar-split", tar_split[0] + 20, "tar-split: "),
            ("the unpacked size of the tar-split", footers + 8 + 48, "bytes when unpacked, the footer says"),
            ("Podman's position of the TOC", footers + 8, "the two footers describe different TOCs"),
            ("Podman's position of the tar-split", footers + 8 + 32, "do not follow each other without a gap"),
            ("Podman's magic number", footers + 71, "no footer of Podman's"),
            ("stargz's position of the TOC", footers + 80, "the two footers describe different TOCs"),
            ("stargz's magic number", -1, "no footer of stargz's"),
        ):  # fmt: skip
            with self.subTest(place):
                self.assert_refused(words, self.check_dual, self.blob, flipped(self.blob.data, at))

    def test_a_toc_that_does_not_fit_the_tar_is_refused(self):
        tar = tar_of(entry("a", b"one chunk"), entry("b", NOISE[:150_000]))
        for lie, words in (
            (lambda items: items[0].update(mode=0o600), "mismatch of Mode"),
            (lambda items: items[0].update(uid=1), "mismatch of UID"),
            (lambda items: items[0].update(modtime="2020-01-01T00:00:00Z"), "mismatch of ModTime"),
            (lambda items: items[0].update(name="c"), 'contains an entry for "a" missing in TOC'),
            (lambda items: items.append({**items[0]}), "found twice"),
            (lambda items: items.append({"type": "dir", "name": "d"}), "entries not present in tar-split"),
            (lambda items: items[0].pop("chunkDigest"), "some ChunkDigest not found"),
            (lambda items: items[2].update(offset=items[1]["offset"]), "found twice"),
            (lambda items: items[2].update(chunkDigest=items[0]["chunkDigest"]), "does not have its digest"),
            (lambda items: items[1].update(digest=items[0]["digest"]), "the TOC says"),
            (lambda items: items[1].update(chunkSize=items[1]["chunkSize"] - 1), "the chunk at 0 does not have its digest"),
        ):  # fmt: skip
            with self.subTest(words):
                self.assert_refused(words, self.check_dual, dual_blob(tar, change_toc=lambda toc: lie(toc["entries"])))

    def test_an_empty_layer_and_empty_files_are_fine(self):
        for tar in (tar_of(), tar_of(folder("a"), entry("a/b"))):
            self.check_dual(dual_blob(tar))

    def test_a_layer_must_hold_the_folders_above_its_files(self):
        """Podman makes a missing one with mode 0, and as a layer's folder it covers that of the layer below."""
        blob = dual_blob(tar_of(entry("opt/app", b"x")))
        self.addCleanup(call, "chmod", "-R", "u+rwX", self.temporary)
        self.assertEqual(self.apply(blob.data, blob.podman_annotations, self.temporary / "alone")["tree"]["opt"]["mode"], "0000")
        self.assert_refused("opt is not in the tar, but for Podman it is", self.check_dual, blob)

    def test_a_hard_link_gives_its_headers_attributes_to_the_file(self):
        link = entry("link", kind=tarfile.LNKTYPE, linkname="file", mode=0o600)
        self.assert_refused("Mode:0600", self.check_dual, dual_blob(tar_of(entry("file", b"x"), link)))

    def test_both_kinds_of_annotations_on_one_descriptor_are_an_error(self):
        annotations = {**self.blob.podman_annotations, **self.blob.stargz_annotations}
        self.assert_refused("both zstd:chunked and eStargz TOC found", self.apply, self.blob.data, annotations)

    def test_a_name_that_is_not_utf8_is_another_name_for_stargz_snapshotter(self):
        blob = dual_blob(tar_of(entry(b"latin-\xfc".decode(errors="surrogateescape"), b"x")))
        self.assertEqual(self.apply(blob.data, blob.podman_annotations)["diff_id"], blob.diff_id)
        self.assertEqual([*self.read_lazily(blob.data, blob.stargz_annotations[STARGZ_TOC])["files"]], ["latin-\ufffd"])


class PartialPulls(OracleTest):
    def pull(self, blob, store=None):
        return self.apply(blob.data, blob.podman_annotations, store)

    def content_requests(self, applied):
        return applied["requests"][1:]

    def test_files_of_an_earlier_layer_are_not_fetched_again(self):
        first = self.pull(dual_blob(tar_of(entry("app", NOISE), entry("note", b"one"))))
        self.assertGreater(first["fetched"], len(NOISE))
        blob = dual_blob(tar_of(entry("fresh", b"fresh" * 100), folder("opt"), entry("opt/moved", NOISE)))
        second = self.pull(blob)
        self.assertEqual(second["diff_id"], blob.diff_id)
        self.assertLess(second["fetched"], 2000)
        fresh = blob.toc["entries"][0]
        self.assertEqual(self.content_requests(second), [[[fresh["offset"], fresh["endOffset"] - fresh["offset"]]]])

    def test_the_end_of_the_last_chunk_keeps_the_next_headers_out_of_the_request(self):
        tar = tar_of(entry("first", NOISE), *(entry(f"empty{number}", mtime=number) for number in range(100)), entry("last", b"x"))

        def without_end(toc):
            [chunk.pop("endOffset", 0) for chunk in toc["entries"] if chunk["type"] == "chunk"]

        for change, is_tight in ((lambda toc: None, True), (without_end, False)):
            blob = dual_blob(tar, change_toc=change)
            store = self.temporary / f"tight-{is_tight}"
            self.pull(dual_blob(tar_of(entry("x", b"x"))), store)
            [[[offset, size]]] = self.content_requests(self.pull(blob, store))
            self.assertEqual(offset + size == blob.toc["entries"][0]["endOffset"], is_tight)

    @unittest.skipUnless(os.geteuid() == 0, "only root can mount a file system")
    def test_of_a_changed_file_only_the_changed_chunk_is_fetched(self):
        """Where the store's file system has reflinks: elsewhere this version of the library compares whole files only."""
        image, mounted = self.temporary / "xfs", self.temporary / "mounted"
        with open(image, "wb") as stream:
            stream.truncate(400 << 20)
        mounted.mkdir()
        call("mkfs.xfs", "-q", image)
        call("mount", "-o", "loop", image, mounted)
        self.addCleanup(call, "umount", mounted)
        changed = flipped(NOISE, 200_000)
        before, after = dual_blob(tar_of(entry("app", NOISE))), dual_blob(tar_of(entry("app", changed)))
        self.pull(before, mounted / "store")
        applied = self.pull(after, mounted / "store")
        self.assertEqual(applied["diff_id"], after.diff_id)
        known = {chunk["chunkDigest"] for chunk in before.toc["entries"]}
        [missing] = [chunk for chunk in after.toc["entries"] if chunk["chunkDigest"] not in known]
        [[[offset, size]]] = self.content_requests(applied)
        self.assertEqual(offset, missing["offset"])
        self.assertLess(size, missing["chunkSize"] + 100)

    def test_times_of_folders_and_links_and_special_files_are_lost(self):
        link = entry("folder/link", kind=tarfile.SYMTYPE, linkname="x", mtime=5)
        applied = self.pull(dual_blob(tar_of(folder("folder", mtime=5), link, entry("fifo", kind=tarfile.FIFOTYPE), entry("x", mtime=5))))
        self.assertEqual(sorted(applied["tree"]), ["folder", "folder/link", "x"])
        self.assertEqual([name for name, item in applied["tree"].items() if item["mtime"] == 5], ["x"])

    def test_a_file_of_zeros_alone_must_not_be_all_holes(self):
        tar = tar_of(entry("zeros", bytes(2 * ZEROS_MAXIMUM)))
        self.pull(dual_blob(tar), self.temporary / "data")

        def all_holes(toc):
            [chunk.update(chunkType="zeros") for chunk in toc["entries"]]

        self.assert_refused("a request without a range", self.pull, dual_blob(tar, change_toc=all_holes))

    def test_a_file_equal_to_the_first_chunk_of_another_layers_file_fails_the_pull(self):
        """A bug of the library, also with its own blobs; when this fails, ZEROS_MAXIMUM may become a round number."""
        large = dual_blob(tar_of(entry("large", NOISE)))
        self.pull(large)
        first = NOISE[: large.toc["entries"][0]["chunkSize"]]
        self.assert_refused("file integrity checksum failed", self.pull, dual_blob(tar_of(entry("small", first))))


class NetworkPulls(OracleTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.registry = cls.enterClassContext(Registry())

    def publish(self, name, *blobs):
        """Returns the digests of the manifests for stargz-snapshotter and for Podman."""
        layout = self.temporary / name
        manifests = write_dual_layout(layout, blobs, "image:1")
        skopeo_copy(f"oci:{layout}:image:1", f"docker://{self.registry.host}/{name}:1", "--all")
        return manifests

    def pull(self, name, *options, store="store"):
        return oracle("pull", "--src", f"docker://{self.registry.host}/{name}", "--store", self.temporary / store, *options)

    def requests_for(self, answer, blob):
        return [request for request in answer["requests"] if request["digest"] == sha256(blob.data)]

    def test_of_two_images_the_second_pull_fetches_what_is_new(self):
        base = tar_of(entry("app", NOISE), entry("words", text(100_000).encode()))
        update = tar_of(entry("app", NOISE), entry("words", text(100_000, seed=1).encode()))
        before, after = dual_blob(base), dual_blob(update)
        self.publish("before", before)
        _, for_podman = self.publish("after", after)

        first = self.pull("before:1", "--partial")
        self.assertEqual(first["diff_ids"], [before.diff_id])
        second = self.pull("after:1", "--partial")
        self.assertEqual(second["manifest"], for_podman)
        self.assertEqual(second["diff_ids"], [after.diff_id])
        toc_and_tar_split, content = self.requests_for(second, after)
        self.assertEqual((toc_and_tar_split["status"], content["status"]), (206, 206))
        self.assertEqual(toc_and_tar_split["type"].partition(";")[0], "multipart/byteranges")
        self.assertEqual(toc_and_tar_split["range"].count(","), 1)
        words = next(item for item in after.toc["entries"] if item["name"] == "words")
        self.assertEqual(content["range"], f"bytes={words['offset']}-{words['endOffset'] - 1}")
        self.assertLess(second["fetched"], len(after.data) - len(NOISE) + 2000)

    def test_without_partial_pulls_the_blob_comes_whole(self):
        blob = dual_blob(SAMPLE)
        self.publish("whole", blob)
        answer = self.pull("whole:1")
        [request] = self.requests_for(answer, blob)
        self.assertEqual((request["status"], request["bytes"]), (200, len(blob.data)))
        self.assertEqual(answer["diff_ids"], [blob.diff_id])

    def test_partial_or_not_the_store_exports_the_same_tree(self):
        blob = dual_blob(SAMPLE)
        for_stargz, for_podman = self.publish("same", blob, dual_blob(tar_of(entry("second", b"layer"))))
        whole = self.pull(f"same@{for_podman}", store="whole")
        partial = self.pull(f"same@{for_podman}", "--partial", store="partial")
        self.assertEqual(partial["trees"], whole["trees"])
        self.assertEqual({request["status"] for request in self.requests_for(partial, blob)}, {206})
        fallback = self.pull(f"same@{for_stargz}", "--partial", store="fallback")
        self.assertEqual(fallback["trees"], whole["trees"])
        self.assertEqual({request["status"] for request in self.requests_for(fallback, blob)}, {200})
