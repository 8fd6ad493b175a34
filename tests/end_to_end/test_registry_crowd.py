"""Registries under pressure: many clients at once where few requests are let through, and clients that are killed."""

import concurrent.futures
import contextlib
import os
import random
import signal
import subprocess
import time

from support.case import WhittleTestCase
from support.laboratory import Laboratory
from support.layouts import Layout, write_handmade_layout
from support.trees import incompressible

KILLS = int(os.environ.get("WHITTLE_KILLS", "25"))
IS_FULL = KILLS >= 500


class Crowd(WhittleTestCase):
    def image(self, number):
        folder = self.temporary / f"image-{number}"
        write_handmade_layout(folder, {"data": (incompressible(5_000, str(number)), 0o644)}, name="app")
        return folder

    def push(self, laboratory, number, image):
        home = self.temporary / f"home-{number}"
        home.mkdir()
        environment = {"HOME": home, "XDG_CACHE_HOME": home / "cache", "WHITTLE_STORE": home / "store"}
        name = f"{laboratory.host}/team/app-{number}:1"
        process = self.start_whittle("push", f"oci:{image}:app", name, env=environment)
        _, said = process.communicate(timeout=400)
        return process.returncode, said.decode(errors="replace")

    def test_pushes_at_once_through_a_limit(self):
        """64 at ten requests a second take most of a minute; without --full it is a quarter of both."""
        clients, rate = (64, 10) if IS_FULL else (16, 20)
        images = [self.image(number) for number in range(clients)]
        with Laboratory("--rate", rate) as laboratory, concurrent.futures.ThreadPoolExecutor(clients) as pool:
            ended = list(pool.map(lambda number: self.push(laboratory, number, images[number]), range(clients)))
            self.assertEqual([said for code, said in ended if code != 0], [])
            limited = [request for request in laboratory.requests() if request["status"] == 429]
            self.assertTrue(limited, "the limit was never reached")
            self.assertEqual(laboratory.problem(), "")


class Killed(WhittleTestCase):
    """What the registry shows after each kill is complete, and the next run brings what is missing."""

    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("WHITTLE_SEED") or random.SystemRandom().getrandbits(32))
        self.random = random.Random(self.seed)
        self.source = self.temporary / "image"
        files = {f"data-{number}": (incompressible(400_000, str(number)), 0o644) for number in range(4)}
        write_handmade_layout(self.source, files, name="app")
        self.digest = Layout(self.source).entry("app")["digest"]

    def duration_of(self, *arguments, **options):
        started = time.monotonic()
        self.whittle(*arguments, **options)
        return time.monotonic() - started

    def kill_at_random(self, longest, *arguments, **options):
        process = self.start_whittle(*arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self.random.uniform(0, longest))
        is_struck = process.poll() is None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return is_struck

    def test_pushes_that_are_killed(self):
        struck = 0
        with Laboratory("--delay", 3) as laboratory:
            longest = self.duration_of("push", f"oci:{self.source}:app", f"{laboratory.host}/team/app:first")
            was_struck = False
            for number in range(KILLS):
                name = f"{laboratory.host}/team/app:{number % 3}"
                context = f"seed {self.seed}, kill {number}"
                if number % 5 == 0 or not was_struck:  # there is something to send
                    laboratory.clear()
                was_struck = self.kill_at_random(longest, "push", f"oci:{self.source}:app", name)
                struck += was_struck
                self.assertEqual(laboratory.problem(), "", context)
                if number % 5 == 4:
                    self.whittle("push", f"oci:{self.source}:app", name)
                    self.assertEqual(laboratory.digest("team/app", str(number % 3)), self.digest, context)
                    self.assertEqual(laboratory.problem(), "", context)
        self.assertGreater(struck, KILLS // 4, "most kills came after the end: the moments are badly chosen")

    def test_pulls_that_are_killed(self):
        struck = 0
        with Laboratory("--delay", 3) as laboratory:
            name = f"{laboratory.host}/team/app:1"
            self.whittle("push", f"oci:{self.source}:app", name)
            longest = self.duration_of("pull", name, env={"WHITTLE_STORE": self.temporary / "undisturbed"})
            store, was_struck = None, False
            for number in range(KILLS):
                context = f"seed {self.seed}, kill {number}"
                if number % 5 == 0 or not was_struck:  # there is something to fetch
                    store = self.temporary / f"store-{number}"
                environment = {"WHITTLE_STORE": store}
                was_struck = self.kill_at_random(longest, "pull", name, env=environment)
                struck += was_struck
                if (store / "index.json").exists():
                    self.assertEqual(Layout(store).problems(), [], context)
                if number % 5 == 4:
                    self.whittle("pull", name, env=environment)
                    self.assertEqual(Layout(store).problems(), [], context)
                    self.assertIn(self.digest, {entry["digest"] for entry in Layout(store).index()["manifests"]}, context)
        self.assertGreater(struck, KILLS // 4, "most kills came after the end: the moments are badly chosen")
