"""`whittle-gateway` on devices: bundles are taken whole or not at all, whatever happens meanwhile."""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import tarfile
import time
import unittest
from pathlib import Path

from support.case import WhittleTestCase
from support.containerd2 import containerd2
from support.kills import Sweep, kill_applies_of_a_layout, traced
from support.layouts import Layout
from support.parties import Containerd, Daemon, Podman, call, skopeo
from support.power_loss import record, states, write_state
from support.sites import Device, Site, broken_blobs, digests_in, names_in, noise

KILLS = int(os.environ.get("WHITTLE_KILLS", "0"))
BASE = {"usr/lib/base": (noise(300_000, 1), 0o644)}


def program(size, seed):
    return {"bin/app": (noise(size, seed), 0o755)}


FIRST = {"sensor": [BASE, program(50_000, 2)], "web": [BASE, program(20_000, 3)]}
SECOND = {"sensor": [BASE, program(50_100, 4)], "broker": [BASE, program(30_000, 5)]}


class OneSite(WhittleTestCase):
    """A site whose two bundles are made once for all tests of a class."""

    @classmethod
    def setUpClass(cls):
        cls.shared = Path(subprocess.run(["mktemp", "-d", "/tmp/whittle-site-XXXXXX"], capture_output=True, text=True).stdout.strip())
        cls.addClassCleanup(shutil.rmtree, cls.shared, ignore_errors=True)
        cls.site = Site(cls.shared / "site")
        cls.one = cls.site.bundle(1, FIRST, output="one.whittle")
        cls.two = cls.site.bundle(2, SECOND, output="two.whittle")

    def device(self, *options, **more):
        return Device(self, self.site, *options, **more)

    def assert_has(self, device, bundle):
        """The store's names are those of the bundle, and every byte below them is right: skopeo and hashlib say so."""
        wanted = digests_in(bundle)
        self.assertEqual(names_in(device.store), wanted)
        self.assertEqual(broken_blobs(device.store, wanted.values()), [])
        self.assertEqual(Layout(device.store).problems(), [])
        for name, digest in wanted.items():
            raw = skopeo("inspect", "--raw", f"oci:{device.store}:{name}").stdout
            self.assertEqual("sha256:" + hashlib.sha256(raw.encode()).hexdigest(), digest)


class Served(Daemon):
    name = "served"

    def __init__(self, device):
        super().__init__()
        self.device, self.host = device, None

    def start(self):
        self.spawn(*self.device.command("serve", "--listen", "127.0.0.1:0"))
        self.wait_until(self._has_said_its_port)

    def _has_said_its_port(self):
        said = re.search(r"http://(127.0.0.1:\d+)", self.log.read_text(errors="replace"))
        self.host = said and said[1]
        return bool(said)


class OnALayout(OneSite):
    def test_a_device_takes_bundles_and_goes_back(self):
        device = self.device()
        self.assertEqual(device.status()["generation"], 0)
        plan = json.loads(device("plan", self.one, "--json").stdout)
        self.assertEqual(len(plan["added"]), 2)
        device("apply", self.one)
        self.assert_has(device, self.one)
        device("apply", self.two)
        self.assert_has(device, self.two)
        self.assertEqual([one["generation"] for one in device.status()["generations"]], [1, 2])
        device("rollback")
        self.assert_has(device, self.one)
        device("apply", self.two)
        self.assert_has(device, self.two)
        device("verify", "--deep")
        lines = (device.folder / "audit.jsonl").read_bytes().splitlines()
        self.assertEqual([json.loads(line)["event"] for line in lines], ["applied", "applied", "rollback", "applied"])
        for before, line in zip(lines, lines[1:]):
            self.assertEqual(json.loads(line)["previous"], "sha256:" + hashlib.sha256(before).hexdigest())

    def test_the_same_bundle_again_writes_nothing(self):
        device = self.device()
        device("apply", self.one)
        before = {path: path.stat().st_mtime_ns for path in device.folder.rglob("*")}
        self.assertIn("nothing to do", device("apply", self.one).stderr)
        self.assertEqual({path: path.stat().st_mtime_ns for path in device.folder.rglob("*")}, before)

    def test_the_forecast_is_what_is_used(self):
        device = self.device()
        plan = json.loads(device("plan", self.one, "--json").stdout)["space"][0]
        used = int(call("du", "-s", "--block-size=1", device.folder).stdout.split()[0])
        device("apply", self.one)
        grown = int(call("du", "-s", "--block-size=1", device.folder).stdout.split()[0]) - used
        self.assertLess(abs(grown - plan["neededBytes"]), 100_000)

    def test_a_delta_is_applied_where_its_base_is_and_refused_where_not(self):
        device = self.device()
        device("apply", self.one)
        receipt = self.temporary / "gw-17.receipt"
        device("receipt", "-o", receipt)
        delta = self.site.bundle(2, SECOND, "--have", receipt, command="delta", output="delta.whittle")
        self.assertLess(delta.stat().st_size, self.two.stat().st_size // 2)
        device("apply", delta)
        self.assert_has(device, self.two)
        empty = self.device(folder=self.temporary / "empty")
        before = sorted(empty.folder.rglob("*"))
        said = empty("apply", delta, expect=70).stderr
        self.assertIn("nothing was changed", said)
        self.assertIn("sensor", said)
        self.assertEqual(sorted(empty.folder.rglob("*")), before)

    def test_a_layer_is_rebuilt_from_the_one_that_is_here(self):
        pages = self.site.folder / "pages"
        pages.mkdir()
        (pages / "index.html").write_text("<p>hello</p>")
        (pages / "noise.bin").write_bytes(noise(400_000, 1))
        one = self.site.bundle(1, {"pages": "pages"}, output="pages1.whittle")
        device = self.device()
        device("apply", one)
        device("receipt", "-o", self.temporary / "receipt")
        (pages / "index.html").write_text("<p>good morning</p>")
        two = self.site.bundle(2, {"pages": "pages"}, output="pages2.whittle")
        delta = self.site.bundle(2, {"pages": "pages"}, "--have", self.temporary / "receipt", command="delta", output="pages-delta.whittle")
        self.assertGreaterEqual(json.loads(device("plan", delta, "--json").stdout)["rebuilt"], 1)
        self.assertLess(delta.stat().st_size, two.stat().st_size // 4)
        device("apply", delta)
        self.assert_has(device, two)

    def test_a_failed_health_command_brings_the_old_images_back(self):
        flag = self.temporary / "ill"
        device = self.device("--", "/bin/sh", "-c", f"if test -e {flag}; then echo the line is down >&2; exit 9; fi")
        device("apply", self.one)
        flag.touch()
        said = device("apply", self.two, expect=71).stderr
        self.assertIn("the line is down", said)
        self.assertIn("generation 1 is in use again", said)
        self.assert_has(device, self.one)
        self.assertTrue(device.status()["last"]["rolledBack"])
        flag.unlink()
        device("apply", self.two)
        self.assert_has(device, self.two)

    def test_a_health_command_that_hangs_has_failed(self):
        device = self.device("--health-time", "1", "--", "/bin/sh", "-c", "sleep 600")
        self.assertIn("did not end in 1 s", device("apply", self.one, expect=71).stderr)
        self.assertEqual(device.status()["generation"], 0)

    def test_what_is_interrupted_after_the_commit_needs_no_bundle_to_go_on(self):
        flag = self.temporary / "cut"
        device = self.device("--", "/bin/sh", "-c", f"if test -e {flag}; then rm {flag}; kill -KILL $PPID; sleep 5; fi")
        device("apply", self.one)
        flag.touch()
        device("apply", self.two, expect=-signal.SIGKILL)
        said = device("status", expect=75).stdout
        self.assertIn("incomplete  apply of set line7, epoch 2, at health", said)
        device("apply")
        self.assert_has(device, self.two)
        self.assertEqual(device("apply", expect=2).returncode, 2)  # nothing is under way any more

    def test_keys_change_and_the_old_ones_count_no_more(self):
        site = Site(self.temporary / "rotating")
        device = Device(self, site, folder=self.temporary / "rotating-device")
        old = site.bundle(1, FIRST, output="old.whittle")
        late = site.bundle(3, SECOND, output="late.whittle")
        site.whittle("set", "keygen", "next.key")
        site.whittle("set", "trust", "--key", "next.key.pub", "--sign-with", "site.key", "--sign-with", "next.key", "--set", "line7")
        site.key = "next.key"
        new = site.bundle(2, SECOND, output="new.whittle")
        device("apply", old)
        device("apply", new)
        self.assert_has(device, new)
        self.assertEqual(device.status()["trust"]["version"], 2)
        self.assertIn("nothing was changed", device("apply", late, expect=70).stderr)
        self.assert_has(device, new)

    def test_damage_is_found_and_mended_from_a_bundle(self):
        device = self.device()
        device("apply", self.one)
        blobs = sorted((device.store / "blobs/sha256").iterdir(), key=lambda path: -path.stat().st_size)
        for blob, change in zip(blobs, (lambda data: bytes(len(data)), lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:], lambda _: b"")):
            times = blob.stat()
            blob.chmod(0o644)
            blob.write_bytes(change(blob.read_bytes()))
            os.utime(blob, ns=(times.st_atime_ns, times.st_mtime_ns))
        said = device("verify", "--deep", expect=60).stderr
        for blob in blobs[:3]:
            self.assertIn(blob.name, said)
        device("verify", "--deep", "--heal", self.one)
        self.assert_has(device, self.one)

    def test_a_device_serves_what_it_has(self):
        device = self.device()
        device("apply", self.one)
        served = Served(device)
        self.addCleanup(served.stop)
        served.start()
        for name, digest in digests_in(self.one).items():
            path = name.partition("/")[2]
            raw = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{served.host}/{path}").stdout
            self.assertEqual("sha256:" + hashlib.sha256(raw.encode()).hexdigest(), digest)
        device("apply", self.two)  # noticed without a word
        path = Site.reference("broker").partition("/")[2]
        skopeo("copy", "--src-tls-verify=false", f"docker://{served.host}/{path}", f"oci:{self.temporary}/copy:broker")

    def test_sigterm_in_the_middle_is_an_incomplete_apply(self):
        device = self.device()
        device("apply", self.one)
        big = self.site.bundle(3, {"sensor": [BASE, program(60_000_000, 9)]}, output="big.whittle")
        process = subprocess.Popen(device.command("apply", big), env=device.environment, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while not list(device.store.glob(".partial-*")) and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[1]
        self.assertEqual(process.returncode, 75, said)
        self.assertIn("generation 1 is in use, whole", said)
        self.assertTrue(device.status(expect=75)["last"]["underWay"])
        self.assert_names(device, self.one)
        device("apply", big)
        self.assert_has(device, big)

    def assert_names(self, device, bundle):
        self.assertEqual(names_in(device.store), digests_in(bundle))


class BadInput(OneSite):
    """Each is refused with exit code 70, and the device is as it was."""

    def setUp(self):
        super().setUp()
        self.gateway = self.device()
        self.gateway("apply", self.one)
        self.before = self.state()

    def state(self):
        return {str(path): path.read_bytes() for path in self.gateway.folder.rglob("*") if path.is_file()}

    def assert_refused(self, *bundle, says=""):
        said = self.gateway("apply", *bundle, expect=70).stderr
        self.assertIn("nothing was changed", said)
        self.assertIn(says, said)
        self.assertEqual(self.state(), self.before)

    def copy(self, name="copy.whittle"):
        return Path(shutil.copy(self.two, self.temporary / name))

    def test_keys_that_the_device_does_not_know(self):
        other = Site(self.temporary / "other")
        self.assert_refused(other.bundle(2, SECOND))

    def test_fewer_signatures_than_the_threshold(self):
        site = Site(self.temporary / "strict")
        site.whittle("set", "keygen", "second.key")
        site.trust.unlink()
        site.whittle("set", "trust", "--key", "site.key.pub", "--key", "second.key.pub", "--threshold", "2", "--set", "line7")
        bundle = site.bundle(1, FIRST)
        device = Device(self, site, folder=self.temporary / "strict-device")
        self.assertIn("nothing was changed", device("apply", bundle, expect=70).stderr)
        site.whittle("set", "sign", bundle, "--key", "second.key")
        device("apply", bundle)
        self.assert_has(device, bundle)

    def test_an_older_epoch(self):
        self.gateway("apply", self.two)
        self.before = self.state()
        self.assert_refused(self.one, says="epoch 1 after 2")

    def test_other_hardware(self):
        self.assert_refused(self.site.bundle(7, SECOND, compatible=["acme,gw1"], output="other.whittle"), says="acme,gw1")

    def test_a_truncated_bundle(self):
        for size in (0, 1000, 20_000, 200_000, self.two.stat().st_size - 5000):
            bundle = self.copy()
            os.truncate(bundle, size)
            self.assert_refused(bundle)

    def test_a_flipped_bit_in_each_region(self):
        size = self.two.stat().st_size
        with tarfile.open(self.two) as archive:
            places = {member.name: member.offset_data for member in archive if member.isfile()}
            headers = [member.offset + 1 for member in archive if member.isfile()]
        blobs = [offset + 3 for name, offset in places.items() if name.startswith("blobs/")]
        for place in [places["whittle/volume.json"] + 2, places["whittle/root.json"] + 50, places["whittle/signatures.json"] + 40,
                      places["whittle/trust.json"] + 60, blobs[0], blobs[len(blobs) // 2], blobs[-1], headers[-1]]:  # fmt: skip
            self.assertLess(place, size)
            bundle = self.copy()
            data = bytearray(bundle.read_bytes())
            data[place] ^= 1
            bundle.write_bytes(data)
            self.assert_refused(bundle)

    def test_volumes_in_any_order_and_missing(self):
        first = self.site.bundle(9, SECOND, "--volume-size", "100KB", output="parts.whittle")
        volumes = sorted(self.site.folder.glob("parts.v*")) or [first]
        self.assertGreater(len(volumes), 2)
        folder = self.temporary / "stick"
        folder.mkdir()
        for number, volume in enumerate(reversed(volumes)):
            shutil.move(volume, folder / f"X{number}.DAT")
        moved = sorted(folder.iterdir())
        hidden = moved[1].rename(self.temporary / "hidden")
        self.assert_refused(moved[0])
        hidden.rename(moved[1])
        self.gateway("apply", moved[-1])
        self.assert_has(self.gateway, self.two)

    def test_something_that_is_no_bundle(self):
        for content in (b"", b"hello", os.urandom(50_000)):
            file = self.temporary / "file"
            file.write_bytes(content)
            self.assert_refused(file)


class LittleRoom(OneSite):
    """On small file systems of their own."""

    def small(self, options):
        folder = self.temporary / "small"
        folder.mkdir(exist_ok=True)
        call("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder)
        self.addCleanup(call, "umount", "-l", folder)
        return folder

    def test_too_few_bytes_are_refused_with_what_is_short(self):
        device = self.device(folder=self.small("size=1300k") / "device")
        said = device("apply", self.one, expect=70).stderr
        self.assertIn("are missing in", said)
        self.assertIn("nothing was changed", said)
        self.assertEqual(sorted(path.name for path in device.folder.iterdir()), ["device.json", "generations", "lock", "trust.json"])

    def test_too_few_inodes_are_refused(self):
        device = self.device(folder=self.small("size=8m,nr_inodes=12") / "device")
        self.assertIn("inodes are missing", device("apply", self.one, expect=70).stderr)

    def test_a_disk_that_fills_up_meanwhile_leaves_an_incomplete_apply(self):
        folder = self.small("size=3m")
        device = self.device(folder=folder / "device")
        device("apply", self.one)
        big = self.site.bundle(5, {"sensor": [BASE, program(700_000, 9)]}, output="big.whittle")
        # RLIMIT_FSIZE: writing fails in the middle, as with a quota.
        said = device("apply", big, prefix=("prlimit", "--fsize=500000"), expect=None)
        self.assertIn(said.returncode, (75, -signal.SIGXFSZ, 128 + signal.SIGXFSZ), said.stderr)
        self.assertEqual(names_in(device.store), digests_in(self.one))
        device("apply", big)
        self.assert_has(device, big)

    def test_a_read_only_state_is_told(self):
        folder = self.small("size=8m")
        device = self.device(folder=folder / "device")
        device("apply", self.one)
        call("mount", "-o", "remount,ro", folder)
        self.assertNotEqual(device("apply", self.two, expect=None).returncode, 0)
        call("mount", "-o", "remount,rw", folder)
        self.assert_has(device, self.one)


class Kills(OneSite):
    """SIGKILL at random system calls of `apply`: what is left is the old generation or the new one, whole, and the same command
    completes it. WHITTLE_KILLS says how many (`bench/run gateway-kills`: 10,000)."""

    def test_of_a_layout(self):
        device = self.device(folder=Path("/dev/shm") / self.temporary.name)
        self.addCleanup(shutil.rmtree, device.folder)
        sweep = kill_applies_of_a_layout(device, self.one, self.two, KILLS or 40, self.temporary)
        self.assertLess(sweep.worst, 0.05, "written again")


class PowerCuts(OneSite):
    """What the disk may hold after a power cut at any moment of `apply`: the old generation or the new one, whole, and the same
    command completes it. WHITTLE_KILLS looks at more of the states."""

    def setUp(self):
        super().setUp()
        self.gateway = self.device(folder=Path("/dev/shm") / self.temporary.name)
        self.addCleanup(shutil.rmtree, self.gateway.folder)
        self.gateway("apply", self.one)
        self.kept = self.temporary / "kept"
        shutil.copytree(self.gateway.folder, self.kept)
        self.calls = record(self.gateway.command("apply", self.two), self.temporary, self.gateway.environment)
        self.after = self.files()
        self.old, self.new = digests_in(self.one), digests_in(self.two)

    def files(self):
        folder = self.gateway.folder
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def states_of(self, calls):
        shutil.rmtree(self.gateway.folder)
        shutil.copytree(self.kept, self.gateway.folder)
        return list(states(self.gateway.folder, calls))

    def become(self, state):
        shutil.rmtree(self.gateway.folder)
        self.gateway.folder.mkdir()
        write_state(self.gateway.folder, state)

    def is_whole(self):
        store = self.gateway.store
        try:
            names = names_in(store)
            return names in (self.old, self.new) and not broken_blobs(store, {*names.values(), *self.old.values()})
        except (ValueError, OSError):
            return False

    def test_every_order_that_fsync_allows(self):
        possible = self.states_of(self.calls)
        self.become(possible[-1])
        self.assertEqual(self.files(), self.after)  # the model itself: with everything on the disk it is what was left
        self.assertGreater(len(possible), 200)
        for number, state in enumerate(possible if KILLS >= 1000 else random.Random(1).sample(possible, KILLS or 60)):
            self.become(state)
            with self.subTest(state=number, of=len(possible)):
                self.assertTrue(self.is_whole())
                self.gateway("apply", self.two)
                self.assertEqual(names_in(self.gateway.store), self.new)
                self.assertEqual(broken_blobs(self.gateway.store, self.new.values()), [])
                self.gateway("verify", "--deep")

    def test_the_model_notices_what_was_not_synced(self):
        careless = [call for call in self.calls if call[0] not in ("fsync", "fdatasync", "syncfs")]
        broken = 0
        for state in random.Random(1).sample(self.states_of(careless), 100):
            self.become(state)
            broken += not self.is_whole()
        self.assertGreater(broken, 0)


HELLO = '#include <stdio.h>\nint main(void) { return puts("hello from the site") < 0; }\n'


class OnARuntime(OneSite):
    """What every adapter does, as the runtime itself sees it; `start` gives a device."""

    def names(self):
        raise NotImplementedError

    def walk(self, device):
        device("apply", self.one)
        self.assertEqual(self.names(), digests_in(self.one))
        self.assertIn("nothing to do", device("apply", self.one).stderr)
        device("apply", self.two)
        self.assertEqual(self.names(), digests_in(self.two))
        device("verify", "--deep")
        device("rollback")
        self.assertEqual(self.names(), digests_in(self.one))
        device("apply", self.two)
        self.assertEqual(self.names(), digests_in(self.two))
        device("verify", "--deep")

    def take_back(self, device, flag):
        device("apply", self.one)
        flag.touch()
        device("apply", self.two, expect=71)
        self.assertEqual(self.names(), digests_in(self.one))
        device("verify", "--deep")

    def health(self):
        return ["--", "/bin/sh", "-c", f"test ! -e {self.temporary}/ill"]

    def hello(self):
        source = self.temporary / "hello.c"
        source.write_text(HELLO)
        call("musl-gcc", "-static", "-s", "-o", self.temporary / "hello", source)
        return {"hello": [BASE, {"bin/app": ((self.temporary / "hello").read_bytes(), 0o755)}]}

    def kill_in_turn(self, device, kills, check):
        """Bundles with growing epochs, each apply of which is killed again and again until it is through."""
        device("apply", self.one)
        bundles = [self.site.bundle(10 + turn, (FIRST, SECOND)[turn % 2], output=f"turn{turn}.whittle") for turn in range(4)]
        clean = traced(device.command("apply", self.two), self.temporary, device.environment)
        self.assertEqual(clean.code, 0)
        points, chance, done, before = clean.points(), random.Random(7), 0, self.two
        for turn in range(1000):
            bundle = bundles[turn % len(bundles)]
            while done < kills:
                kill = chance.choice(points)
                code = traced(device.command("apply", bundle), self.temporary, device.environment, kill).code
                self.assertIn(code, (0, -9, 137), kill)
                if code == 0:
                    break
                done += 1
                with self.subTest(kill=kill):
                    check(digests_in(before), digests_in(bundle))
            device("apply", bundle)
            self.assertEqual(self.names(), digests_in(bundle))
            before = bundle
            if done >= kills:
                break
            if turn % len(bundles) == len(bundles) - 1:
                bundles = [self.site.bundle(20 + 4 * turn + n, (FIRST, SECOND)[n % 2], output=f"turn{n}.whittle") for n in range(4)]
        device("verify", "--deep")
        return done


class OnContainerd(OnARuntime):
    """Debian's containerd, 1.6."""

    def programs(self):
        return None

    def setUp(self):
        super().setUp()
        self.containerd = Containerd(self.programs())
        self.addCleanup(self.containerd.stop)
        self.containerd.start()

    def start(self, *options):
        settings = {
            "address": self.containerd.socket, "namespace": "default", "root": self.containerd.folder / "root",
            "snapshotter": "native", "program": self.containerd.program("ctr"),
        }  # fmt: skip
        words = [word for name, value in settings.items() for word in ("--adapter-option", f"{name}={value}")]
        return self.device("--adapter", "containerd", *words, *options)

    def images(self):
        rows = [line.split() for line in self.containerd.ctr("images", "ls").stdout.splitlines()[1:]]
        return {row[0]: (row[2], row[-1]) for row in rows}

    def names(self):
        return {name: digest for name, (digest, _) in self.images().items() if "@" not in name}

    def assert_whole(self):
        """Every image that has a name is complete and unpacked, as containerd says, and its bytes are right, as hashlib does."""
        for line in self.containerd.ctr("images", "check", "--snapshotter", "native").stdout.splitlines()[1:]:
            if "@" in line.split()[0]:
                continue
            self.assertIn(" complete ", line)
            self.assertEqual(line.split()[-1], "true", line)
        content = self.containerd.folder / "root/io.containerd.content.v1.content"
        self.assertEqual(broken_blobs(content, set(self.names().values())), [])

    def test_updates_and_going_back(self):
        device = self.start()
        self.walk(device)
        self.assert_whole()
        for name, (digest, labels) in self.images().items():
            self.assertIn("io.cri-containerd.pinned=pinned", labels, name)
        # The former generation stays, under names of its own.
        for name, digest in digests_in(self.one).items():
            self.assertIn(f"{name.rpartition(':')[0]}@{digest}", self.images())

    def test_a_failed_health_command(self):
        self.take_back(self.start(*self.health()), self.temporary / "ill")
        self.assert_whole()

    def test_an_image_runs(self):
        device = self.start()
        device("apply", self.site.bundle(1, self.hello(), output="hello.whittle"))
        self.assertEqual(self.containerd.run(Site.reference("hello"), "/bin/app").stdout, "hello from the site\n")

    def test_a_delta_builds_on_what_containerd_has(self):
        device = self.start()
        device("apply", self.one)
        device("receipt", "-o", self.temporary / "receipt")
        delta = self.site.bundle(2, SECOND, "--have", self.temporary / "receipt", command="delta", output="delta-c.whittle")
        device("apply", delta)
        self.assertEqual(self.names(), digests_in(self.two))
        self.assert_whole()
        self.assertEqual(list((device.store / "blobs/sha256").glob("*")), [])  # nothing is kept twice

    def test_a_damaged_blob_is_found_and_mended(self):
        device = self.start()
        device("apply", self.one)
        content = self.containerd.folder / "root/io.containerd.content.v1.content/blobs/sha256"
        largest = max(content.iterdir(), key=lambda path: path.stat().st_size)
        largest.chmod(0o644)
        with open(largest, "r+b") as file:
            file.seek(1000)
            file.write(bytes(5000))
        self.assertIn(largest.name, device("verify", "--deep", expect=60).stderr)
        device("verify", "--deep", "--heal", self.one)
        self.assertEqual(self.names(), digests_in(self.one))
        self.assert_whole()

    def test_a_daemon_that_is_gone_leaves_an_apply_to_be_run_again(self):
        device = self.start()
        device("apply", self.one)
        self.containerd.stop_process()
        self.assertIn("cannot reach containerd", device("apply", self.two, expect=75).stderr)
        self.containerd.start()
        big = self.site.bundle(3, {"sensor": [BASE, program(30_000_000, 9)]}, output="big-c.whittle")
        process = subprocess.Popen(device.command("apply", big), env=device.environment, stderr=subprocess.PIPE, text=True)
        while b"import" not in (device.folder / "journal.json").read_bytes() and process.poll() is None:
            time.sleep(0.01)
        self.containerd.process.kill()
        self.containerd.process.wait()
        said = process.communicate(timeout=100)[1]
        self.assertEqual(process.returncode, 75, said)
        self.assertIn("generation 1 is in use, whole", said)
        self.containerd.start()
        self.assertEqual(self.names(), digests_in(self.one))
        device("apply", big)
        self.assertEqual(self.names(), digests_in(big))
        self.assert_whole()

    def test_kills(self):
        device = self.start()

        def check(old, new):
            # containerd changes one name after the other: each means its old image or its new one, and that is whole.
            for name, digest in self.names().items():
                self.assertIn(digest, (old.get(name), new.get(name)))
            self.assert_whole()

        self.kill_in_turn(device, max(6, KILLS // 50), check)
        self.assert_whole()


class OnContainerd2(OnContainerd):
    """containerd 2, whose import is another one."""

    def programs(self):
        return containerd2()


class OnPodman(OnARuntime):
    def setUp(self):
        super().setUp()
        self.podman = self.enterContext(Podman())

    def start(self, *options):
        self.storage = f"vfs@{self.podman.folder}/root+{self.podman.folder}/run"
        words = ["--adapter-option", f"storage={self.storage}", "--adapter-option", f"folder={self.podman.folder}/root"]
        return self.device("--adapter", "podman", *words, *options)

    def names(self):
        """Of the names of both bundles those that are there, with the digest of what skopeo reads."""
        found = {}
        for name in sorted({*digests_in(self.one), *digests_in(self.two)}):
            raw = skopeo("inspect", "--raw", f"containers-storage:[{self.storage}]{name}", check=False)
            if raw.returncode == 0:
                found[name] = "sha256:" + hashlib.sha256(raw.stdout.encode()).hexdigest()
        return found

    def assert_has_of(self, bundle):
        """skopeo cannot take away one name: what only the former generation had stays until that goes."""
        self.assertEqual({name: digest for name, digest in self.names().items() if name in digests_in(bundle)}, digests_in(bundle))

    def test_updates_and_going_back(self):
        device = self.start()
        for words, bundle in [(("apply", self.one), self.one), (("apply", self.two), self.two), (("rollback",), self.one), (("apply", self.two), self.two)]:
            device(*words)
            self.assert_has_of(bundle)
            device("verify", "--deep")
        self.assert_has(device, self.two)  # the packed blobs, for deltas
        three = self.site.bundle(3, {"sensor": SECOND["sensor"]}, output="three.whittle")
        device("apply", three)
        device("apply", self.site.bundle(4, {"sensor": SECOND["sensor"]}, output="four.whittle"))
        self.assertEqual(self.names(), digests_in(three))  # the others went with their generations

    def test_a_failed_health_command(self):
        device = self.start(*self.health())
        device("apply", self.one)
        (self.temporary / "ill").touch()
        device("apply", self.two, expect=71)
        self.assert_has_of(self.one)

    def test_an_image_runs(self):
        device = self.start()
        device("apply", self.site.bundle(1, self.hello(), output="hello-p.whittle"))
        self.assertEqual(self.podman("run", "--rm", "--pull", "never", Site.reference("hello")).stdout, "hello from the site\n")

    def test_a_zeroed_file_of_an_image_is_found_and_mended(self):
        device = self.start()
        device("apply", self.one)
        (file,) = [path for path in Path(self.podman.folder, "root/vfs").rglob("bin/app") if path.stat().st_size == 50_000]
        file.write_bytes(b"")
        self.assertIn("sensor", device("verify", "--deep", expect=60).stderr)
        device("verify", "--deep", "--heal", self.one)
        self.assert_has_of(self.one)

    def test_kills(self):
        device = self.start()
        device("apply", self.one)
        clean = self.site.bundle(5, FIRST, output="again.whittle")
        points = traced(device.command("apply", self.two), self.temporary, device.environment).points()
        chance = random.Random(3)
        old, new = digests_in(self.two), digests_in(clean)
        for _ in range(max(4, KILLS // 100)):
            kill = chance.choice(points)
            if traced(device.command("apply", clean), self.temporary, device.environment, kill).code == 0:
                break
            for name, digest in self.names().items():
                self.assertIn(digest, (old.get(name), new.get(name), digests_in(self.one).get(name)))
        device("apply", clean)
        self.assert_has_of(clean)
        device("verify", "--deep")


class OnK3s(OnARuntime):
    """The folder alone: K3s is not in Debian. Archives are read by `tar`, and one test imports them with containerd."""

    def setUp(self):
        super().setUp()
        self.folder = self.temporary / "images"

    def start(self, *options, folder=None):
        return self.device("--adapter", "k3s", "--adapter-option", f"folder={self.folder}", *options, folder=folder)

    def names(self):
        found = {}
        for path in self.folder.glob("*.tar"):
            with tarfile.open(path) as archive:
                for member in archive:
                    if member.name.startswith("blobs/sha256/"):
                        content = archive.extractfile(member).read()
                        self.assertEqual(hashlib.sha256(content).hexdigest(), member.name.rpartition("/")[2])
                for entry in json.load(archive.extractfile("index.json"))["manifests"]:
                    name = entry["annotations"]["io.containerd.image.name"]
                    if "@" not in name:
                        found[name] = entry["digest"]
        return found

    def test_updates_and_going_back(self):
        self.walk(self.start())
        self.assertTrue((self.folder / ".cache.json").exists())

    def test_a_failed_health_command(self):
        self.take_back(self.start(*self.health()), self.temporary / "ill")

    def test_containerd_imports_the_archives(self):
        self.start()("apply", self.one)
        with Containerd() as containerd:
            for path in self.folder.glob("*.tar"):
                containerd.ctr("images", "import", "--snapshotter", "native", path)
            rows = [line.split() for line in containerd.ctr("images", "ls").stdout.splitlines()[1:]]
        self.assertEqual({row[0]: row[2] for row in rows if "@" not in row[0]}, digests_in(self.one))
        self.assertEqual(len(rows), 4)

    def test_a_damaged_archive_is_found_and_mended(self):
        device = self.start()
        device("apply", self.one)
        path = sorted(self.folder.glob("sensor-*.tar"))[0]
        data = bytearray(path.read_bytes())
        data[200_000] ^= 1
        path.write_bytes(data)
        self.assertIn("damaged", device("verify", "--deep", expect=60).stderr)
        device("verify", "--deep", "--heal", self.one)
        self.assertEqual(self.names(), digests_in(self.one))

    def test_kills(self):
        device = self.start()
        device("apply", self.one)
        kept = self.temporary / "kept"
        kept.mkdir()
        for folder in (device.folder, self.folder):
            shutil.copytree(folder, kept / folder.name)

        def start():
            for folder in (device.folder, self.folder):
                shutil.rmtree(folder)
                shutil.copytree(kept / folder.name, folder)

        old, new = digests_in(self.one), digests_in(self.two)

        def check(kill):
            # One archive after the other: each name has its old image or its new one, whole.
            for name, digest in self.names().items():
                self.assertIn(digest, (old.get(name), new.get(name)), kill)

        sweep = Sweep(device.command("apply", self.two), self.temporary, device.environment)
        sweep.run(max(20, KILLS // 10), start, check, lambda: self.assertEqual(self.names(), new))
        self.assertLess(sweep.worst, 0.05)


if __name__ == "__main__":
    unittest.main()
