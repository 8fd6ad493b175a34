"""What the layer engine is given in the wild: trees that change while they are read, odd and huge files, full disks, damaged
caches, kills. Whatever happens, no image has a digest that an undisturbed build of the same tree would not have.

WHITTLE_KILLS says how often the kill test strikes (25 unless told), WHITTLE_SEED repeats the moments of an earlier run,
WHITTLE_FULL=1 adds what takes minutes.
"""

import contextlib
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import unittest
from pathlib import Path

from support.case import WhittleTestCase, remove_tree
from support.layouts import INDEX
from support.trees import c_tree, incompressible, text

KILLS = int(os.environ.get("WHITTLE_KILLS", "25"))
FULL = bool(os.environ.get("WHITTLE_FULL"))
FORMS = ("plain", "chunked", "dual")
MEGABYTE = 1 << 20
BYTES_FOR_EACH_FILE = 2000  # in the lists of the tree, of the image, of the layer, and in its index

HELLO = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n'
CONFIGURATION = """
name = "team/engine"
[image]
files = [{{ source = "data/", path = "/data" }}]
[layers]
form = "{form}"
"""

# A parent of few megabytes: the kernel counts the memory of whoever forks in the peak of what is started.
MEASURE = """
import os, sys
child = os.fork()
if child == 0:
    os.execv(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], "w") as file:
    file.write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
"""


def tree_files(form="chunked", **data):
    """A program that compiles in no time, and a folder that becomes a layer."""
    return {"hello.c": HELLO, "whittle.toml": CONFIGURATION.format(form=form), **{f"data/{name}": content for name, content in data.items()}}


def mixed_data():
    """Everything that decides where frames and chunks end, a few megabytes of it."""
    return {
        "noise.bin": incompressible(1_500_000),
        "noise again.bin": incompressible(1_500_000),
        "words.txt": text(2_500_000),
        "holes": text(5_000) + "\0" * 200_000 + text(300_000, seed=1),
        "empty": "",
        **{f"many/{number % 7}/{number}": f"file {number}\n" * (number % 50) for number in range(300)},
    }


class EngineTestCase(WhittleTestCase):
    @property
    def cache(self):
        return self.home / ".cache/whittle"

    def environment_in(self, folder):
        """A store and a cache of their own."""
        return {"WHITTLE_STORE": folder / "store", "XDG_CACHE_HOME": folder / "cache"}

    def undisturbed(self, tree):
        """The digest that a build with fresh store and cache gives."""
        return self.build(tree, env=self.environment_in(self.temporary / f"undisturbed-{random.getrandbits(32):x}")).digest

    def forget_layers(self):
        """Programs stay in the cache, images and layers are made anew."""
        for name in ("builds", "layers"):
            remove_tree(self.cache / name)

    def small_disk(self, path, options):
        if os.geteuid() != 0:
            self.skipTest("only root can mount a small disk")
        path.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "whittle-test", path], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", path], check=False, stderr=subprocess.DEVNULL)


class ChangingFiles(EngineTestCase):
    """whittle is stopped while it has the file open that it is writing into a layer; the file changes; whittle goes on."""

    def setUp(self):
        super().setUp()
        self.before = text(4 * MEGABYTE).encode() * 10
        self.tree = self.write_tree("tree", tree_files(big=self.before, z_later=incompressible(10_000)))
        self.big = self.tree / "data/big"

    def is_being_packed(self, pid, file):
        """Open together with a blob that is being written: it is not the pass that computes digests."""
        opened = set()
        for number in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                opened.add(os.readlink(number))
        return str(file) in opened and any(name.startswith(f"{self.store}/.tmp-") for name in opened)

    def build_while(self, change):
        """The result of a build during which `change` is called, in the middle of reading `big`."""
        for _ in range(10):
            process = self.start_whittle("build", self.tree, env={"WHITTLE_THREADS": 1})
            while process.poll() is None:
                with contextlib.suppress(OSError):
                    if self.is_being_packed(process.pid, self.big):
                        break
            if process.poll() is None:
                os.kill(process.pid, signal.SIGSTOP)
                os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
                caught = self.is_being_packed(process.pid, self.big)
                if caught:
                    change()
                os.kill(process.pid, signal.SIGCONT)
                result = self.finish(process, expect=None)
                if caught:
                    return result
            else:
                self.finish(process, expect=None)
            self.forget_layers()
        self.fail("whittle was never caught while it read the file")

    def refused(self, change, how):
        result = self.build_while(change)
        self.assertEqual((result.code, result.stdout), (75, ""), result)
        self.assertIn(f"`{self.big}` changed while it was read", result.stderr)
        self.assertRegex(result.stderr, how)
        self.assertEqual(self.layout().problems(), [])
        self.assertEqual(list(self.store.glob(".tmp-*")), [], "what was not finished is still there")
        self.assertEqual(self.build(self.tree).digest, self.undisturbed(self.tree))

    def test_a_file_that_shrinks(self):
        self.refused(lambda: os.truncate(self.big, 1000), r"it had 41943040 bytes and ended after \d+")

    def test_a_file_that_grows(self):
        def append():
            with open(self.big, "ab") as stream:
                stream.write(b"more")

        self.refused(append, "it had 41943040 bytes and has 41943044")

    def test_a_file_that_is_written_to_in_place(self):
        def overwrite():
            with open(self.big, "r+b") as stream:
                stream.write(b"other")

        self.refused(overwrite, "it was written to")

    def test_a_file_that_is_written_to_and_whose_time_is_put_back(self):
        def overwrite():
            times = self.big.stat()
            with open(self.big, "r+b") as stream:
                stream.write(b"other")
                stream.seek(36 * MEGABYTE)
                stream.write(b"other")
            os.utime(self.big, ns=(times.st_atime_ns, times.st_mtime_ns))

        self.refused(overwrite, "it was written to")

    def test_a_file_whose_turn_has_not_come_disappears(self):
        later = self.tree / "data/z_later"
        content = later.read_bytes()
        result = self.build_while(later.unlink)
        self.assertEqual((result.code, result.stdout), (75, ""), result)
        self.assertIn(f"`{later}` changed while it was read", result.stderr)
        self.assertIn("it is not there any more", result.stderr)
        self.assertEqual(self.build(self.tree).digest, self.undisturbed(self.tree), "without the file")
        later.write_bytes(content)
        self.assertEqual(self.build(self.tree).digest, self.undisturbed(self.tree), "with the file")

    def test_a_file_that_is_replaced_is_the_old_or_the_new_one_but_never_half_of_each(self):
        def replace():
            other = self.tree.parent / "other"
            other.write_bytes(self.before[::-1])
            os.utime(other, ns=(self.big.stat().st_atime_ns, self.big.stat().st_mtime_ns))
            other.rename(self.big)

        old = self.undisturbed(self.tree)
        result = self.build_while(replace)
        self.assertIn(result.code, (0, 75), result)
        if result.code == 0:
            self.assertEqual(self.built(result).digest, old)
        self.assertEqual(self.build(self.tree).digest, self.undisturbed(self.tree))

    def test_a_file_that_changes_while_a_step_runs_is_not_taken_for_what_it_was(self):
        gate = self.temporary / "gate"
        os.mkfifo(gate)
        files = c_tree(asset_size=1000)
        files["CMakeLists.txt"] += f"add_custom_target(gate COMMAND cat {gate})\nadd_dependencies(hello gate)\n"
        tree = self.write_tree("gated", files)
        note = tree / "assets/note.txt"
        first = note.read_bytes()
        process = self.start_whittle("build", "--sandbox=off", tree)  # the gate is outside
        with self.gate_opened_by_step(gate, process):
            note.write_text("second")
        result = self.finish(process)
        self.assertIn("warning: the source tree changed while it was built", result.stderr)
        during = self.built(result)
        self.assertEqual(during.image.unpack(self.temporary / "during").joinpath("srv/note.txt").read_text(), "second")
        note.write_bytes(first)
        again = self.build(tree)
        self.assertEqual(again.image.unpack(self.temporary / "again").joinpath("srv/note.txt").read_bytes(), first)

    def gate_opened_by_step(self, gate, process):
        """The writing end, as soon as somebody reads; without one when the process has ended before that."""
        while process.poll() is None:
            try:
                return open(os.open(gate, os.O_WRONLY | os.O_NONBLOCK), "w")
            except OSError:
                time.sleep(0.01)
        self.fail(f"nobody has opened the gate\n{self.finish(process, expect=None)}")


class OddFiles(EngineTestCase):
    def test_pipes_sockets_and_devices_are_left_out_and_named(self):
        tree = self.write_tree("tree", tree_files(file="x"))
        os.mkfifo(tree / "data/pipe")
        if os.geteuid() == 0:
            os.mknod(tree / "data/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(tree / "data/socket"))
        result = self.whittle("build", tree)
        for name in ("pipe", "socket", *(["null"] if os.geteuid() == 0 else [])):
            self.assertIn(f"`data/{name}` is left out of the image: it is no file, folder or link", result.stderr)
        self.assertEqual({path for path in self.built(result).image.paths() if path.startswith("data/")} - {"data/"}, {"data/file"})

    def test_set_user_id_bits_of_the_tree_stay_out_unless_the_project_asks_for_them(self):
        files = tree_files(tool=("x", 0o755), plain="y")
        files["whittle.toml"] = files["whittle.toml"].replace(
            "files = [", 'files = [{ source = "data/tool", path = "/asked", mode = "4755" }, '
        )
        tree = self.write_tree("tree", files)
        (tree / "data/tool").chmod(0o6755)
        (tree / "data/plain").chmod(0o2640)
        rootfs = self.build(tree).image.unpack(self.temporary / "rootfs")
        modes = {name: stat.S_IMODE((rootfs / name).stat().st_mode) for name in ("data/tool", "data/plain", "asked")}
        self.assertEqual(modes, {"data/tool": 0o755, "data/plain": 0o644, "asked": 0o4755})

    def test_an_unreadable_file_is_an_error_that_names_it(self):
        tree = self.write_tree("tree", tree_files(secret="x"))
        prefix = self.become_nobody()
        (tree / "data/secret").chmod(0)
        result = self.whittle("build", tree, prefix=prefix, expect=2)
        self.assertIn("data/secret`", result.stderr)
        self.assertIn("permission denied", result.stderr)
        (tree / "data/secret").chmod(0o600)
        self.build(tree, prefix=prefix)

    def test_long_names_and_names_that_are_no_text(self):
        longest = "n" * 255
        names = {
            "a/" + "b" * 149 + "/" + "c" * 150: "a path of 300 bytes and more",
            longest: "the longest name there is",
            "/".join(["deep" * 20] * 12): "a path of a thousand bytes",
            os.fsdecode(b"latin \xe9 \xff"): "not UTF-8",
            "line\nend\ttab": "control characters",
        }
        for form in FORMS:
            with self.subTest(form):
                tree = self.write_tree(form, tree_files(form, **names, filler=incompressible(1_200_000)))
                (tree / "data/link").symlink_to("x" * 300)
                built = self.build(tree)
                rootfs = built.image.unpack(self.temporary / f"rootfs-{form}")
                for name, content in names.items():
                    self.assertEqual((rootfs / "data" / name).read_text(), content)
                self.assertEqual(os.readlink(rootfs / "data/link"), "x" * 300)
                self.assertEqual(len(self.whittle("inspect", "--files", built.reference).stdout.split(longest)), 2)
        self.assert_store_valid()

    def test_a_path_that_no_system_call_takes_is_an_error_that_names_it(self):
        tree = self.write_tree("tree", tree_files(file="x"))
        before = os.open(".", os.O_RDONLY)
        self.addCleanup(os.close, before)
        os.chdir(tree / "data")
        try:
            for _ in range(25):
                os.mkdir("d" * 200)
                os.chdir("d" * 200)
            Path("bottom").write_text("x")
        finally:
            os.fchdir(before)
        result = self.whittle("build", tree, expect=2)
        self.assertIn("d" * 200, result.stderr)
        self.assertRegex(result.stderr, "(?i)name too long")


class HugeTrees(EngineTestCase):
    def peak_of(self, *arguments, **options):
        """Peak memory of whittle and of every process that it started, whichever had most."""
        self.whittle(*arguments, prefix=(sys.executable, "-I", "-S", "-c", MEASURE, self.temporary / "peak"), **options)
        return int((self.temporary / "peak").read_text()) * 1024

    def check_empty_files(self, count):
        disk = self.temporary / "disk"
        self.small_disk(disk, "size=4g,nr_inodes=0")  # in memory, which is gone at once
        tree = self.write_tree(disk / "tree", tree_files())
        for folder in range(count // 1000):
            (tree / "data" / f"{folder:04}").mkdir(parents=True)
            for number in range(1000):
                os.close(os.open(tree / "data" / f"{folder:04}" / f"{number:03}", os.O_CREAT | os.O_WRONLY, 0o644))
        peak = self.peak_of("build", tree)
        self.assertLess(peak, 64 * MEGABYTE + count * BYTES_FOR_EACH_FILE, f"{peak / MEGABYTE:.0f} MB")
        paths = self.layout().image().paths()
        self.assertEqual(sum(path.startswith("data/0") for path in paths), count + count // 1000, "with their folders")

    def test_a_hundred_thousand_empty_files(self):
        self.check_empty_files(100_000)

    if FULL:

        def test_a_million_empty_files(self):
            self.check_empty_files(990_000)  # with their folders and the sources, below the limit of a million

    def check_sparse_file(self, form, size):
        tree = self.write_tree("tree", tree_files(form, after="comes after it"))
        with open(tree / "data/huge", "wb") as stream:
            stream.write(b"begin")
            stream.seek(size - 3)
            stream.write(b"end")
        peak = self.peak_of("build", tree)
        self.assertLess(peak, 96 * MEGABYTE)
        sizes = {}
        for layer in self.layout().image().manifest["layers"]:  # a large file has one of its own
            unpack = subprocess.Popen(["zstd", "-dcq", self.layout().blob_path(layer["digest"])], stdout=subprocess.PIPE)
            listing = subprocess.run(["tar", "-tv", "--numeric-owner"], stdin=unpack.stdout, capture_output=True, text=True, check=True)
            unpack.stdout.close()
            self.assertEqual(unpack.wait(), 0)
            sizes.update((line.split()[5], int(line.split()[2])) for line in listing.stdout.splitlines())
        self.assertEqual(sizes["data/huge"], size)
        self.assertEqual(sizes["data/after"], len("comes after it"))

    def test_a_sparse_file_is_read_as_the_zeros_that_it_is(self):
        self.check_sparse_file("chunked", 300 * MEGABYTE)

    if FULL:

        def test_a_file_beyond_what_ustar_can_say(self):
            for form in ("plain", "chunked"):
                with self.subTest(form):
                    self.check_sparse_file(form, 9 << 30)
                    self.whittle("validate")
                    remove_tree(self.temporary / "tree")
                    remove_tree(self.store)


class SameBytes(EngineTestCase):
    def listing_order(self, folder):
        return [entry.name for entry in os.scandir(folder)]

    def test_threads_order_of_folders_and_caches_do_not_matter(self):
        disk = self.temporary / "disk"
        self.small_disk(disk, "size=512m")  # a file system that lists files in the order in which they were made
        data = mixed_data()
        for form in FORMS:
            with self.subTest(form):
                files = tree_files(form, **data)
                shuffled = list(files)
                random.Random(1).shuffle(shuffled)
                sorted_tree = self.write_tree(disk / form / "sorted/tree", files)
                shuffled_tree = self.write_tree(disk / form / "shuffled/tree", {name: files[name] for name in shuffled})
                self.assertNotEqual(self.listing_order(sorted_tree / "data"), self.listing_order(shuffled_tree / "data"))
                digests = {}
                for threads in (1, 2, 8):
                    env = {**self.environment_in(disk / form / f"{threads}"), "WHITTLE_THREADS": threads}
                    digests[f"{threads} threads, cold"] = self.build(sorted_tree, env=env).digest
                    digests[f"{threads} threads, nothing changed"] = self.build(sorted_tree, env=env).digest
                    remove_tree(env["XDG_CACHE_HOME"] / "whittle/builds")
                    digests[f"{threads} threads, layers known"] = self.build(sorted_tree, env=env).digest
                    remove_tree(env["XDG_CACHE_HOME"] / "whittle/layers")
                    remove_tree(env["XDG_CACHE_HOME"] / "whittle/builds")
                    digests[f"{threads} threads, programs known"] = self.build(sorted_tree, env=env).digest
                digests["another order"] = self.build(shuffled_tree, env=self.environment_in(disk / form)).digest
                self.assertEqual(len(set(digests.values())), 1, digests)


class Reuse(EngineTestCase):
    """After a small change most of a layer is copied from the one before; nobody must be able to tell."""

    def setUp(self):
        super().setUp()
        self.tree = self.write_tree("tree", tree_files(**mixed_data()))
        self.first = self.build(self.tree)

    def assert_as_if_built_anew(self, context=None):
        self.assertEqual(self.build(self.tree).digest, self.undisturbed(self.tree), context)
        self.assert_store_valid()

    def largest_layer(self):
        layer = max(self.first.image.manifest["layers"], key=lambda layer: layer["size"])
        return self.layout().blob_path(layer["digest"])

    def test_any_small_change(self):
        data = self.tree / "data"
        words = (data / "words.txt").read_bytes()
        changes = {
            "a byte in the middle": lambda: (data / "words.txt").write_bytes(words[:1_000_000] + b"!" + words[1_000_001:]),
            "a line at the beginning": lambda: (data / "words.txt").write_bytes(b"a line\n" + words),
            "the first file": lambda: (data / "empty").write_text("not empty"),
            "a file more": lambda: (data / "aaa").write_text("first of all"),
            "a file less": lambda: (data / "many/3/3").unlink(),
            "another name": lambda: (data / "holes").rename(data / "zz holes"),
            "another mode": lambda: (data / "words.txt").chmod(0o755),
            "a second name for the same": lambda: shutil.copy(data / "zz holes", data / "again"),
            "everything as it was": lambda: self.write_tree("tree", tree_files(**mixed_data())),
        }
        for name, change in changes.items():
            with self.subTest(name):
                change()
                self.assert_as_if_built_anew(name)

    def test_a_mapped_program_or_build_product_is_looked_at_although_no_step_sees_it(self):
        data = self.tree / "data"
        program = bytearray(Path("/bin/true").read_bytes())
        (data / "tool").write_bytes(program)
        (data / "tool").chmod(0o755)
        (data / "made").mkdir()
        (data / "made/CMakeCache.txt").write_text("")
        (data / "made/page.html").write_text("one")
        digests = [self.build(self.tree).digest]
        program[-1] ^= 1
        (data / "tool").write_bytes(program)
        digests.append(self.build(self.tree).digest)
        (data / "made/page.html").write_text("two")
        digests.append(self.build(self.tree).digest)
        self.assertEqual(len(set(digests)), 3)
        self.assert_as_if_built_anew()

    def test_damaged_records_are_not_believed(self):
        for number, damage in enumerate((lambda data: data[: len(data) // 2], lambda data: data[:-20] + b"x" + data[-19:], lambda data: b"")):
            for path in (self.cache / "layers").iterdir():
                path.write_bytes(damage(path.read_bytes()))
            (self.tree / "data/new").write_text(f"change {number}")
            self.assert_as_if_built_anew(number)

    def test_a_damaged_blob_is_not_copied_from(self):
        blob = self.largest_layer()
        data = bytearray(blob.read_bytes())
        for at in range(1000, len(data), 50_000):
            data[at] ^= 0x20
        blob.chmod(0o644)
        blob.write_bytes(data)
        (self.tree / "data/new").write_text("a change")
        self.assertEqual(self.build(self.tree).digest, self.undisturbed(self.tree))

    def test_a_missing_blob_is_no_obstacle(self):
        self.largest_layer().unlink()
        (self.tree / "data/new").write_text("a change")
        self.assertEqual(self.build(self.tree).digest, self.undisturbed(self.tree))


class DamagedCaches(EngineTestCase):
    """Each kind of file in the cache, damaged in each way; what would answer before it is removed, so that it is asked."""

    ASKED_BEFORE = {
        "builds": [],
        "index": ["builds"],
        "stat-index": ["builds"],
        "layers": ["builds"],
        "steps": ["builds", "layers"],
        "probes": ["builds"],
    }

    def setUp(self):
        super().setUp()
        self.tree = self.write_tree("tree", tree_files(**mixed_data()))
        self.digest = self.build(self.tree).digest
        self.pristine = self.temporary / "pristine"
        shutil.copytree(self.cache, self.pristine)

    def files_of(self, kind):
        place = self.cache / kind
        return [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]

    def check(self, damage):
        for kind, earlier in self.ASKED_BEFORE.items():
            with self.subTest(kind):
                remove_tree(self.cache)
                shutil.copytree(self.pristine, self.cache)
                for name in earlier:
                    remove_tree(self.cache / name)
                victims = self.files_of(kind)
                self.assertTrue(victims, f"there is no cache of the kind {kind}")
                for path in victims:
                    path.chmod(0o644)
                    damage(path)
                self.assertEqual(self.build(self.tree).digest, self.digest)
        self.assert_store_valid()

    def flip_at(self, path, part):
        data = bytearray(path.read_bytes())
        data[min(int(len(data) * part), len(data) - 1)] ^= 0x04
        path.write_bytes(data)

    def test_cut_short(self):
        self.check(lambda path: os.truncate(path, path.stat().st_size // 2))

    def test_empty(self):
        self.check(lambda path: os.truncate(path, 0))

    def test_a_flipped_bit_anywhere(self):
        for part in (0, 0.6, 1):
            self.check(lambda path, part=part: self.flip_at(path, part))

    def test_another_file_in_its_place(self):
        self.check(lambda path: path.write_bytes(incompressible(3000)))


class FullDisks(EngineTestCase):
    def used(self, path):
        free = os.statvfs(path)
        return (free.f_blocks - free.f_bfree) * free.f_frsize

    def check_stage(self, tree, disk, env, options, expected, codes):
        self.forget_layers()
        self.small_disk(disk, options)
        try:
            result = self.whittle("build", tree, env=env, expect=codes)
            if result.code != 0:
                self.assertRegex(result.stderr, "(?i)no space left|disk is full|disk full", options)
                self.assertEqual(result.stdout, "")
            store = Path(env.get("WHITTLE_STORE", self.store))
            if (store / "index.json").exists():
                self.assert_store_valid(store)
            subprocess.run(["mount", "-o", "remount,size=512m,nr_inodes=0", disk], check=True)
            self.assertEqual(self.build(tree, env=env).digest, expected, options)
            self.assert_store_valid(store)
            return result.code
        finally:
            subprocess.run(["umount", "--lazy", disk], check=True)

    def test_the_store_is_full_at_every_stage_of_a_chunked_image(self):
        tree = self.write_tree("tree", tree_files("dual", **mixed_data()))
        disk = self.temporary / "disk"
        env = {"WHITTLE_STORE": disk / "store"}
        self.small_disk(disk, "size=512m")
        expected = self.build(tree, env=env).digest
        needed = self.used(disk)
        subprocess.run(["umount", "--lazy", disk], check=True)
        # From the folders over the layers to configuration, manifests and index, which are a page each.
        sizes = [4096, 16384, needed // 7, needed // 3, needed * 2 // 3, needed - 131072, *(needed - 4096 * pages for pages in range(1, 8))]
        for size in sizes:
            self.check_stage(tree, disk, env, f"size={size}", expected, 60)
        self.check_stage(tree, disk, env, "size=512m,nr_inodes=9", expected, 60)

    def test_the_cache_is_full_at_every_stage(self):
        tree = self.write_tree("tree", tree_files("chunked", **mixed_data()))
        disk = self.temporary / "disk"
        env = {"XDG_CACHE_HOME": disk}
        self.small_disk(disk, "size=512m")
        expected = self.build(tree, env=env).digest
        needed = self.used(disk)
        subprocess.run(["umount", "--lazy", disk], check=True)
        # The compiler may be the first to notice, which is then the user's build that failed.
        codes = {
            self.check_stage(tree, disk, env, f"size={max(size, 4096)}", expected, (0, 51, 60))
            for size in (4096, needed // 4, needed // 2, needed * 3 // 4, *(needed - 4096 * pages for pages in range(1, 6)))
        }
        self.assertIn(60, codes)


class KilledAssemblies(EngineTestCase):
    def test_kills_while_chunked_layers_are_assembled(self):
        seed = int(os.environ.get("WHITTLE_SEED") or random.SystemRandom().getrandbits(32))
        moments = random.Random(seed)
        tree = self.write_tree("tree", tree_files("dual", more=incompressible(6_000_000, 7), **mixed_data()))
        expected = self.build(tree).digest
        self.assertEqual(self.layout().entry(expected)["mediaType"], INDEX)
        self.forget_layers()
        remove_tree(self.store)
        started = time.monotonic()
        self.build(tree)
        longest = (time.monotonic() - started) * 1.1
        struck = 0
        for number in range(KILLS):
            self.forget_layers()
            if moments.random() < 0.7:
                remove_tree(self.store)
            delay = moments.uniform(0, longest)
            context = f"seed {seed}, kill {number} after {delay:.4f} s"
            process = self.start_whittle("build", tree, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(delay)
            struck += process.poll() is None
            process.kill()
            process.wait()
            if (self.store / "index.json").exists():
                self.assertEqual(self.layout().problems(), [], context)
                self.whittle("validate")
            elif self.store.exists():
                self.assertFalse(list(self.store.glob("blobs/*/*")), f"{context}: blobs, but no index.json")
            if moments.random() < 0.4:
                self.assertEqual(self.build(tree).digest, expected, context)
        self.assertGreater(struck, KILLS // 4, "most kills came after the end: the moments are badly chosen")
        self.assertEqual(self.build(tree).digest, expected, f"seed {seed}, at the end")
        self.assert_store_valid()


if __name__ == "__main__":
    unittest.main()
