"""Whatever interrupts whittle, the store stays valid and the same command run again goes on to the same digest.

WHITTLE_KILLS says how often the kill tests strike (25 unless told), WHITTLE_SEED repeats the moments of an earlier run.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

from support.case import WhittleTestCase, remove_tree
from support.layouts import Layout
from support.parties import Registry
from support.trees import c_tree, incompressible, slow_tree

KILLS = int(os.environ.get("WHITTLE_KILLS", "25"))
MEGABYTE = 1 << 20


def command_line(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


def processes():
    """Every process that is not a zombie, as {pid: (parent, start time)}."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                found[int(folder.name)] = (int(fields[1]), fields[19])
    return found


def descendants(pid):
    """The processes below one, as {pid: start time}: a process id alone may be used again."""
    alive = processes()
    below = {pid}
    while True:
        more = {child for child, (parent, _) in alive.items() if parent in below} - below
        if not more:
            return {child: alive[child][1] for child in below - {pid}}
        below |= more


class KilledBuilds(WhittleTestCase):
    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("WHITTLE_SEED") or random.SystemRandom().getrandbits(32))
        self.random = random.Random(self.seed)
        self.cache = self.home / ".cache"

    def digest_elsewhere(self, tree):
        """What an undisturbed build gives, with store and cache of its own, and how long it took."""
        around = self.temporary / f"reference-{tree.name}"
        started = time.monotonic()
        built = self.build(tree, env={"WHITTLE_STORE": around / "store", "XDG_CACHE_HOME": around / "cache"})
        return built.digest, time.monotonic() - started

    def kill_after(self, delay, *arguments):
        """SIGKILL after `delay`: sometimes whittle alone, so that its children write on, sometimes everything at once."""
        process = self.start_whittle(*arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self.end_session, process.pid)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(delay)
        finished = process.poll() is not None
        with contextlib.suppress(ProcessLookupError):
            if self.random.random() < 0.5:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()
        return finished

    def end_session(self, pid):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)

    def assert_survived(self, context):
        if not self.store.exists():
            return
        if (self.store / "index.json").exists():
            self.assertEqual(self.layout().problems(), [], context)
            self.whittle("validate")
        else:
            self.assertFalse(list(self.store.glob("blobs/*/*")), f"{context}: blobs, but no index.json")

    def test_kills_during_build(self):
        trees = {
            name: self.write_tree(name, {**c_tree(name, asset_size=2_000_000), "assets/more": incompressible(4_000_000, name)})
            for name in ("first", "second")
        }
        expected = {name: self.digest_elsewhere(tree) for name, tree in trees.items()}
        struck = 0
        for number in range(KILLS):
            name = self.random.choice(list(trees))
            cold = self.random.random() < 0.25
            if cold:
                remove_tree(self.cache)
            if self.random.random() < 0.5:
                remove_tree(self.store)
            # A warm build is a small part of a cold one; most moments should fall into it.
            longest = expected[name][1] * (1.1 if cold else 0.3)
            delay = self.random.uniform(0, longest)
            context = f"seed {self.seed}, kill {number} after {delay:.4f} s of {name}"
            struck += not self.kill_after(delay, "build", trees[name])
            self.assert_survived(context)
            if self.random.random() < 0.5:
                self.assertEqual(self.build(trees[name]).digest, expected[name][0], context)
                self.assert_survived(context)
        self.assertGreater(struck, KILLS // 4, "most kills came after the end: the moments are badly chosen")
        for name, tree in trees.items():
            self.assertEqual(self.build(tree).digest, expected[name][0], f"seed {self.seed}, at the end")
        self.assert_store_valid()

    def test_kills_during_push_and_pull(self):
        tree = self.write_tree("tree", {**c_tree(), "assets/more": incompressible(8_000_000)})
        with Registry() as registry:
            name = f"{registry.host}/team/hello:1"
            built = self.build(tree, "-t", name)
            pulled = self.temporary / "pulled"
            for number in range(max(KILLS // 3, 3)):
                context = f"seed {self.seed}, kill {number}"
                self.kill_after(self.random.uniform(0, 0.25), "push", name)
                manifest = registry.get("/v2/team/hello/manifests/1")
                self.assertIn(manifest.status, (200, 404), context)
                if manifest.status == 200:
                    self.assertEqual(manifest.headers["Docker-Content-Digest"], built.digest, context)
            self.whittle("push", name)
            own_store = self.store
            self.store = pulled
            for number in range(max(KILLS // 3, 3)):
                context = f"seed {self.seed}, kill {number} of pull"
                self.kill_after(self.random.uniform(0, 0.25), "pull", name)
                self.assert_survived(context)
                if self.random.random() < 0.3:
                    remove_tree(self.store)
            self.whittle("pull", name)
            self.assertEqual(self.layout().image(built.digest).digest, built.digest)
            self.assert_store_valid()
            self.store = own_store
            self.assert_store_valid()


class Together(WhittleTestCase):
    def start_build(self, tree):
        return self.start_whittle("build", tree)

    def test_two_builds_of_the_same_tree(self):
        tree = self.write_tree("tree", c_tree())
        running = [self.start_build(tree) for _ in range(2)]
        digests = {self.built(self.finish(process)).digest for process in running}
        self.assertEqual(len(digests), 1)
        self.assert_store_valid()

    def test_builds_of_different_trees_all_keep_their_names(self):
        trees = []
        for number in range(4):
            files = c_tree(f"number {number}", asset_size=50_000)
            files["whittle.toml"] = files["whittle.toml"].replace("team/hello", f"team/hello-{number}")
            trees.append(self.write_tree(f"tree-{number}", files))
        running = [self.start_build(tree) for tree in trees]
        built = [self.built(self.finish(process)) for process in running]
        self.assertEqual(len({one.digest for one in built}), len(trees))
        for one in built:
            self.layout().name_of(one.digest)
        self.assert_store_valid()


class FullDisk(WhittleTestCase):
    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("only root can mount a small disk")

    def small_disk(self, path, size):
        path.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "whittle-test", path], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", path], check=True)

    def enlarge(self, path):
        subprocess.run(["mount", "-o", "remount,size=512m", path], check=True)

    def test_the_store_is_full(self):
        tree = self.write_tree("tree", {**c_tree(), "assets/more": incompressible(6 * MEGABYTE)})
        self.small_disk(self.temporary / "disk", "3m")
        self.store = self.temporary / "disk/store"
        failed = self.whittle("build", tree, expect=60)
        self.assertRegex(failed.stderr, "(?i)no space left|disk is full|disk full")
        self.assertIn(str(self.store), failed.stderr)
        self.assertEqual(failed.stdout, "")
        if (self.store / "index.json").exists():
            self.assert_store_valid()
        self.enlarge(self.temporary / "disk")
        self.build(tree)
        self.assert_store_valid()

    def test_the_store_fills_up_while_it_holds_another_image(self):
        small = self.write_tree("small", c_tree(asset_size=20_000))
        big = self.write_tree("big", {**c_tree(), "assets/more": incompressible(6 * MEGABYTE)})
        self.small_disk(self.temporary / "disk", "3m")
        self.store = self.temporary / "disk/store"
        kept = self.build(small)
        self.whittle("build", big, expect=60)
        self.assert_store_valid()
        self.assertEqual(self.layout().entry(kept.digest)["digest"], kept.digest)
        free = os.statvfs(self.store)
        self.assertGreater(free.f_bavail * free.f_frsize, MEGABYTE, "the unfinished image still takes the space")

    def test_the_cache_is_full(self):
        tree = self.write_tree("tree", {**c_tree(), "assets/more": incompressible(6 * MEGABYTE)})
        cache = self.temporary / "disk"
        self.small_disk(cache, "64k")
        # The first to notice may be the compiler, which is then the user's build that failed.
        failed = self.whittle("build", tree, env={"XDG_CACHE_HOME": cache}, expect=(51, 60))
        self.assertRegex(failed.stderr, "(?i)no space left|disk is full|disk full")
        if (self.store / "index.json").exists():
            self.assert_store_valid()
        self.enlarge(cache)
        self.build(tree, env={"XDG_CACHE_HOME": cache})
        self.assert_store_valid()


class DamagedStore(WhittleTestCase):
    shared_cache = True

    def setUp(self):
        super().setUp()
        self.tree = self.write_tree("tree", c_tree())

    def flip(self, path):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0x10
        path.chmod(0o644)
        path.write_bytes(data)

    def check_damage(self, damage, which):
        with Registry() as registry:
            name = f"{registry.host}/team/hello:1"
            built = self.build(self.tree, "-t", name)
            victim = which(built)
            damage(self.layout().blob_path(victim))
            listed = self.whittle("validate", expect=None)
            self.assertNotIn(listed.code, (0, 1, 2), listed)
            self.assertIn(victim, listed.stdout + listed.stderr)
            refused = self.whittle("push", name, expect=None)
            self.assertNotIn(refused.code, (0, 1, 2, 75), refused)
            self.assertIn(victim, refused.stderr)
            self.assertEqual(registry.get("/v2/team/hello/manifests/1").status, 404, "a damaged image was pushed")
            self.assertEqual(self.build(self.tree, "-t", name).digest, built.digest)
            self.assert_store_valid()
            self.whittle("push", name)
            self.assertEqual(registry.get("/v2/team/hello/manifests/1").headers["Docker-Content-Digest"], built.digest)

    def test_a_flipped_bit_in_a_layer(self):
        self.check_damage(self.flip, lambda built: built.image.layers[-1].digest)

    def test_a_layer_cut_short(self):
        self.check_damage(lambda path: os.truncate(path, 100), lambda built: built.image.layers[0].digest)

    def test_a_missing_layer(self):
        self.check_damage(Path.unlink, lambda built: built.image.layers[-1].digest)

    def test_a_flipped_bit_in_the_config(self):
        self.check_damage(self.flip, lambda built: built.image.manifest["config"]["digest"])

    def test_a_missing_manifest(self):
        self.check_damage(Path.unlink, lambda built: built.digest)

    def test_an_index_that_is_not_json(self):
        self.build(self.tree)
        (self.store / "index.json").write_text('{"manifests": [')
        failed = self.whittle("validate", expect=None)
        self.assertNotIn(failed.code, (0, 1), failed)
        self.assertIn("index.json", failed.stdout + failed.stderr)

    def test_the_cache_may_be_deleted_at_any_time(self):
        cache = {"XDG_CACHE_HOME": self.temporary / "cache"}
        built = self.build(self.tree, env=cache)
        remove_tree(self.temporary / "cache")
        self.assert_store_valid()
        self.assertEqual(self.build(self.tree, env=cache).digest, built.digest)

    def test_the_store_may_be_deleted_at_any_time(self):
        built = self.build(self.tree)
        shutil.rmtree(self.store)
        self.assertEqual(self.build(self.tree).digest, built.digest)
        self.assert_store_valid()


class Interrupted(WhittleTestCase):
    def interrupt(self, number):
        seconds = f"7654{random.SystemRandom().randrange(10**6, 10**7)}.5"
        tree = self.write_tree("tree", slow_tree(seconds))
        process = self.start_whittle("build", tree)
        sleeping = self.wait_for_sleeper(process, seconds)
        below = descendants(process.pid)
        self.assertIn(sleeping, below)
        process.send_signal(number)
        started = time.monotonic()
        result = self.finish(process, expect=None, timeout=15)
        self.assertLess(time.monotonic() - started, 10, "slow to stop")
        self.assertNotEqual(result.code, 0)
        self.assertEqual(result.stdout, "")
        time.sleep(0.2)  # what was killed together with it may take a moment to be gone
        alive = processes()
        left = {pid: command_line(pid) for pid, started in below.items() if pid in alive and alive[pid][1] == started}
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        self.assertFalse(left, "processes stayed behind")
        if (self.store / "index.json").exists():
            self.assert_store_valid()
        # The same tree without the obstacle goes through.
        self.write_tree(tree, c_tree())
        self.build(tree)
        self.assert_store_valid()

    def wait_for_sleeper(self, process, seconds):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            for pid in descendants(process.pid):
                if command_line(pid) == f"sleep {seconds}":
                    return pid
            time.sleep(0.02)
        process.kill()
        self.fail(f"the build never came to its slow step\n{self.finish(process, expect=None)}")

    def test_ctrl_c_leaves_no_process_behind(self):
        self.interrupt(signal.SIGINT)

    def test_sigterm_leaves_no_process_behind(self):
        self.interrupt(signal.SIGTERM)

    def test_a_second_build_after_ctrl_c_in_the_middle_of_a_layer(self):
        tree = self.write_tree("tree", {**c_tree(), "assets/more": incompressible(30 * MEGABYTE)})
        expected = self.build(tree, env={"WHITTLE_STORE": self.temporary / "reference"}).digest
        for delay in (0.02, 0.05, 0.1, 0.2):
            process = self.start_whittle("build", tree)
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            self.finish(process, expect=None, timeout=30)
            if (self.store / "index.json").exists():
                self.assertEqual(Layout(self.store).problems(), [])
        self.assertEqual(self.build(tree).digest, expected)
        self.assert_store_valid()
