"""The same bytes on every machine: whatever differs around the build must not be seen in the image."""

import os
import subprocess

from support.case import NOBODY, WhittleTestCase
from support.layouts import Layout
from support.trees import c_tree, go_tree


class SameTree(WhittleTestCase):
    """Every build here starts from nothing, its own cache included, so that no digest is merely remembered."""

    def build_somewhere(self, name, files, umask=0o022, order=sorted, prefix=(), owner=None, age=0, private=False, **env):
        """Builds a fresh copy of the tree in a folder of that name and returns the digest."""
        around = self.temporary / name
        tree = around / "tree"
        names = list(order(files))
        self.write_tree(tree, {file: files[file] for file in names})
        home = around / "home"
        home.mkdir()
        for path in [around, *around.rglob("*")]:
            if owner is not None:
                os.chown(path, owner, owner)
            if private and path.is_relative_to(tree):
                path.chmod(path.stat().st_mode & 0o700)
            if age and path.is_file():
                os.utime(path, (age, age))
        environment = {
            "HOME": home,
            "WHITTLE_STORE": around / "store",
            "XDG_CACHE_HOME": around / "cache",
            "XDG_DATA_HOME": home / "data",
            "XDG_CONFIG_HOME": home / "config",
            "DOCKER_CONFIG": home / "docker",
            **env,
        }
        before = os.umask(umask)
        try:
            built = self.build(tree, env=environment, prefix=prefix, cwd=around)
        finally:
            os.umask(before)
        self.assertEqual(built.image.layout.problems(), [])
        return built.digest

    def assert_all_equal(self, files, variants):
        digests = {"as it is": self.build_somewhere("reference", files)}
        for number, (description, options) in enumerate(variants.items()):
            digests[description] = self.build_somewhere(options.pop("name", f"variant-{number}"), files, **options)
        different = {description for description, digest in digests.items() if digest != digests["as it is"]}
        self.assertFalse(different, digests)

    def test_threads(self):
        files = c_tree(asset_size=6_000_000)
        self.assert_all_equal(
            files,
            {f"{threads} threads": {"WHITTLE_THREADS": threads} for threads in (1, 2, 3, 8)},
        )

    def test_folder_times_and_order_of_the_files(self):
        self.assert_all_equal(
            c_tree(),
            {
                "a long path with spaces": {"name": "a folder/whose name/is longer than any reasonable " + "x" * 100},
                "old files": {"age": 315_532_800},
                "files from the future": {"age": 4_000_000_000},
                "files made in another order": {"order": lambda files: sorted(files, reverse=True)},
            },
        )

    def test_umask_time_zone_language_and_home(self):
        self.assert_all_equal(
            c_tree(),
            {
                "umask 077": {"umask": 0o077},
                "umask 000": {"umask": 0},
                "a tree checked out with umask 077": {"private": True},
                "Tokyo": {"TZ": "Asia/Tokyo"},
                "another language": {"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"},
                "the C language": {"LANG": "C", "LC_ALL": "C"},
                "compiler flags of the user": {"CFLAGS": "-O0 -g", "LDFLAGS": "-Wl,--build-id", "CC": "false"},
                "a temporary folder elsewhere": {"TMPDIR": "/var/tmp"},
            },
        )

    def test_another_user(self):
        self.assert_all_equal(c_tree(), {"nobody": {"prefix": self.become_nobody(), "owner": NOBODY}})

    def test_go_where_everything_differs(self):
        self.assert_all_equal(
            go_tree(),
            {
                "everything else": {
                    "name": "another folder",
                    "umask": 0o077,
                    "age": 1_000_000_000,
                    "WHITTLE_THREADS": 8,
                    "TZ": "America/St_Johns",
                    "GOFLAGS": "-trimpath=false",
                    "CGO_ENABLED": "1",
                }
            },
        )

    def test_source_date_epoch_is_the_time_of_creation(self):
        files = c_tree()
        plain = self.build_somewhere("plain", files)
        dated = self.build_somewhere("dated", files, SOURCE_DATE_EPOCH="1700000000")
        again = self.build_somewhere("again", files, SOURCE_DATE_EPOCH="1700000000", TZ="Asia/Tokyo")
        self.assertEqual(dated, again)
        self.assertNotEqual(plain, dated)
        image = Layout(self.temporary / "dated/store").image(dated)
        self.assertEqual(image.config["created"], "2023-11-14T22:13:20Z")

    def test_a_clone_of_a_repository(self):
        def git(*arguments, **more):
            identity = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
            dates = {f"GIT_{who}_DATE": "1700000000 +0900" for who in ("AUTHOR", "COMMITTER")}
            environment = {**os.environ, **identity, **dates, "HOME": str(self.home)}
            result = subprocess.run(["git", *arguments], env=environment, check=True, capture_output=True, text=True, **more)
            return result.stdout.strip()

        origin = self.write_tree("origin/tree", c_tree())
        git("init", "-q", "-b", "main", cwd=origin)
        git("add", ".", cwd=origin)
        git("commit", "-q", "-m", "first", cwd=origin)
        revision = git("rev-parse", "HEAD", cwd=origin)
        clone = self.temporary / "clone/of the tree"
        git("clone", "-q", origin, clone)
        digests = {}
        for number, tree in enumerate((origin, clone)):
            around = self.temporary / f"around-{number}"
            built = self.build(tree, env={"WHITTLE_STORE": around / "store", "XDG_CACHE_HOME": around / "cache"})
            digests[tree.name] = built.digest
            self.assertEqual(built.image.config["created"], "2023-11-14T22:13:20Z", "the time of the commit")
            labels = built.image.config["config"]["Labels"]
            self.assertEqual(labels["org.opencontainers.image.revision"], revision)
            self.assertFalse([path for path in built.image.paths() if ".git" in path.split("/")])
        self.assertEqual(len(set(digests.values())), 1, digests)
