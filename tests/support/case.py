"""WhittleTestCase: runs the whittle program as a user would, in a home of its own."""

import atexit
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import unittest
import unittest.mock
from dataclasses import dataclass
from pathlib import Path

from support.layouts import Image, Layout

ROOT = Path(__file__).resolve().parents[2]

# What a user's shell would set and toolchains need; everything else of the caller's environment is dropped.
PASSED_ON = re.compile(
    r"PATH|TMPDIR|(https?|no)_proxy|(HTTPS?|NO)_PROXY|SSL_CERT_(FILE|DIR)|CURL_CA_BUNDLE|NODE_EXTRA_CA_CERTS|REQUESTS_CA_BUNDLE"
    r"|PIP_.*|PYENV_ROOT|GOPROXY|GONOSUMDB|GOSUMDB|RUSTUP_(HOME|TOOLCHAIN)|JAVA_HOME|(ASAN|UBSAN|TSAN)_OPTIONS|LLVM_PROFILE_FILE"
)

NOBODY = 65534

_shared_cache = None


def whittle_program():
    return Path(os.environ.get("WHITTLE") or ROOT / "build/release/whittle").absolute()


def shared_cache_folder():
    """One cache for all tests of this process; WHITTLE_TEST_CACHE names one that also outlives it."""
    global _shared_cache
    if _shared_cache is None:
        kept = os.environ.get("WHITTLE_TEST_CACHE")
        _shared_cache = Path(kept or tempfile.mkdtemp(prefix="whittle-cache-", dir="/tmp"))
        _shared_cache.mkdir(parents=True, exist_ok=True)
        if not kept:
            atexit.register(remove_tree, _shared_cache)
    return _shared_cache


def remove_tree(folder):
    """rmtree that also removes what tools leave read-only, such as Go's module cache."""

    def make_writable_and_retry(function, path, _):
        os.chmod(os.path.dirname(path), 0o700)
        os.chmod(path, 0o700)
        function(path)

    try:
        shutil.rmtree(folder, onerror=make_writable_and_retry)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Result:
    argv: list
    code: int
    stdout: str
    stderr: str

    @property
    def json(self):
        try:
            return json.loads(self.stdout)
        except ValueError as error:
            raise AssertionError(f"stdout is not one JSON document ({error})\n{self}") from None

    def __str__(self):
        return "\n".join(
            [
                f"$ {' '.join(self.argv)}",
                f"exit {self.code}",
                "--- stdout",
                _shortened(self.stdout),
                "--- stderr",
                _shortened(self.stderr),
            ]
        )


def _shortened(text, limit=20_000):
    return text if len(text) <= limit else text[: limit // 2] + f"\n… {len(text) - limit} characters …\n" + text[-limit // 2 :]


@dataclass
class Built:
    """One line of `whittle build`: NAME@sha256:…, and the image that it pins in the store."""

    reference: str
    name: str
    digest: str
    image: Image


class WhittleTestCase(unittest.TestCase):
    """Each test has its own HOME, store and configuration.

    `shared_cache = True` lets the tests of one process share whittle's cache, so that only the first one pays for a cold
    compiler; the default is a cache of its own.
    """

    shared_cache = False
    maxDiff = None

    def setUp(self):
        # Hexadecimal: podman makes an image name of a layout's path, and mkdtemp's `-_` is not allowed in one.
        self.temporary = Path(os.environ.get("TMPDIR", "/tmp")) / f"whittle-test-{secrets.token_hex(6)}"
        self.temporary.mkdir(mode=0o700)
        self.addCleanup(remove_tree, self.temporary)
        self.home = self.temporary / "home"
        self.store = self.temporary / "store"
        self.docker_config = self.home / ".docker"
        for folder in (self.home, self.docker_config):
            folder.mkdir()

    def environment(self):
        """The whole environment that whittle is given."""
        environment = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
        # Toolchain managers find their toolchains below HOME, which is not the user's here.
        environment.setdefault("RUSTUP_HOME", str(Path.home() / ".rustup"))
        cache = shared_cache_folder() if self.shared_cache else self.home / ".cache"
        environment.update(
            HOME=str(self.home),
            LANG="C.UTF-8",
            WHITTLE_STORE=str(self.store),
            XDG_CACHE_HOME=str(cache),
            XDG_DATA_HOME=str(self.home / ".local/share"),
            XDG_CONFIG_HOME=str(self.home / ".config"),
            DOCKER_CONFIG=str(self.docker_config),
        )
        return environment

    def start_whittle(self, *arguments, cwd=None, env=None, prefix=(), **options):
        """Starts whittle in a session of its own and returns the Popen; `env` is added to, or with None values taken from,
        environment(), and `prefix` is a command such as `setpriv …` before it."""
        binary = whittle_program()
        if not binary.is_file():
            self.fail(f"{binary} does not exist; build it with `cmake --workflow --preset release`, or set WHITTLE")
        environment = self.environment()
        for name, value in (env or {}).items():
            environment.pop(name, None)
            if value is not None:
                environment[name] = str(value)
        argv = [str(argument) for argument in (*prefix, binary, *arguments)]
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(argv, cwd=cwd or self.temporary, env=environment, start_new_session=True, **options)

    def whittle(self, *arguments, cwd=None, env=None, stdin=None, expect=0, timeout=600, prefix=()):
        """Runs whittle to its end and asserts its exit code: a number, several, or None for any."""
        pipe = subprocess.DEVNULL if stdin is None else subprocess.PIPE
        process = self.start_whittle(*arguments, cwd=cwd, env=env, prefix=prefix, stdin=pipe)
        return self.finish(process, stdin=stdin, expect=expect, timeout=timeout)

    def finish(self, process, stdin=None, expect=0, timeout=600):
        data = stdin.encode() if isinstance(stdin, str) else stdin
        timed_out = False
        try:
            out, err = process.communicate(data, timeout=timeout)
        except subprocess.TimeoutExpired:
            timed_out = True
            os.killpg(process.pid, signal.SIGKILL)  # its own session, so its own group
            out, err = process.communicate()
        argv = ["whittle" if word == str(whittle_program()) else word for word in process.args]
        result = Result(argv, process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
        if timed_out:
            self.fail(f"not finished after {timeout} s\n{result}")
        if expect is not None:
            expected = (expect,) if isinstance(expect, int) else tuple(expect)
            if result.code not in expected:
                self.fail(f"exit code {result.code}, expected {' or '.join(map(str, expected))}\n{result}")
        if result.code < 0 or re.search(r"AddressSanitizer|ThreadSanitizer|runtime error:", result.stderr):
            if expect is not None:
                self.fail(f"whittle crashed\n{result}")
        return result

    def build(self, tree, *arguments, **options):
        """`whittle build`, which must print exactly one pinned reference."""
        result = self.whittle("build", tree, *arguments, **options)
        store = (options.get("env") or {}).get("WHITTLE_STORE") or self.store
        return self.built(result, Layout(store))

    def built(self, result, layout=None):
        lines = result.stdout.splitlines()
        self.assertEqual(len(lines), 1, f"stdout is not one line\n{result}")
        match = re.fullmatch(r"(\S+)@(sha256:[0-9a-f]{64})", lines[0])
        self.assertIsNotNone(match, f"stdout is not NAME@sha256:…\n{result}")
        return Built(lines[0], match[1], match[2], (layout or self.layout()).image(match[2]))

    def become_nobody(self):
        """Gives this test's folders to `nobody` and returns the `prefix` that runs whittle as that user."""
        if os.geteuid() != 0:
            self.skipTest("only root can become another user")
        program = self.temporary / "whittle"  # our own build folder may be closed to others
        shutil.copy(whittle_program(), program)
        program.chmod(0o755)
        for path in [self.temporary, *self.temporary.rglob("*")]:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        patch = unittest.mock.patch.dict(os.environ, WHITTLE=str(program))
        patch.start()
        self.addCleanup(patch.stop)
        return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")

    def layout(self):
        return Layout(self.store)

    def assert_store_valid(self, store=None):
        """By our own reader and by `whittle validate`."""
        layout = Layout(store or self.store)
        self.assertEqual(layout.problems(), [])
        self.whittle("validate", env={"WHITTLE_STORE": layout.path})

    def write_tree(self, folder, files):
        """Writes {path: content}, content being text, bytes, or (either, mode); returns the folder."""
        folder = Path(folder) if Path(folder).is_absolute() else self.temporary / folder
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            content, mode = content if isinstance(content, tuple) else (content, 0o644)
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            path.chmod(mode)
        return folder
