"""The examples in interpreted languages beside the same application on two bases: Debian without anything unneeded (debootstrap's
smallest variant) and what a distroless image holds, put together by hand from Debian's packages. Bytes, and, under runc on a read-only root, the time until
the first answer and the memory by then."""

import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from harness.bench import ROOT
from harness.measure import Failed
from harness.rows import Row
from support.layouts import Layout
from support.parties import Container, program

COMMON = "libc6 libgcc-s1 libstdc++6 zlib1g ca-certificates tzdata base-files netbase".split()
DISTROLESS = {
    "python": """python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libssl3 libbz2-1.0 liblzma5 libffi8 libexpat1
        libsqlite3-0 libuuid1 libncursesw6 libreadline8 libtinfo6 libdb5.3 libcrypt1 libnsl2 libtirpc3 libgssapi-krb5-2 libkrb5-3
        libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1""".split(),
    "node": [],
    "java": """openjdk-17-jre-headless ca-certificates-java libjpeg62-turbo liblcms2-2 libpcsclite1 libfontconfig1 libfreetype6 libharfbuzz0b
        libglib2.0-0 libgraphite2-3 libpcre2-8-0 libpng16-16 libbrotli1 libexpat1 libuuid1""".split(),
}
PACKAGES = {"python": ["python3"], "node": [], "java": ["openjdk-17-jre-headless"]}  # on Debian


@dataclass
class Application:
    name: str  # of the example
    language: str
    port: int
    path: str
    argv: list
    env: dict
    put: Callable  # (bench, tree, root): the application and its packages, as its language's tool installs them


def rows(bench):
    for language in os.environ.get("BENCH_LANGUAGES", "python,node,java").split(","):
        mine = [one for one in APPLICATIONS if one.language == language]
        with bench.part(f"bases for {language}"):
            bases = {"Debian, minbase": minbase(bench, language), "distroless by hand": distroless(bench, language)}
            for application in mine:
                with bench.part(application.name):
                    yield from rows_of(bench, application, bases)


def rows_of(bench, application, bases):
    tree = bench.folder / application.name
    shutil.copytree(ROOT / "examples" / application.name, tree)
    digest = bench.run_whittle("build", tree).strip().partition("@")[2]
    image = Layout(bench.whittle_environment()["WHITTLE_STORE"]).image(digest)
    what = f"examples/{application.name}"
    with Service(image, application) as ours:
        measured = {}
        for base, folder in bases.items():
            root = bench.folder / f"{folder.name}-{application.name}"
            call("cp", "-a", folder, root)
            application.put(bench, tree, root)
            with Service(ByHand(root, application), application) as theirs:
                measured[base] = (compressed(root), installed(root), *in_turns(ours, theirs, bench.rounds), theirs)
            shutil.rmtree(root)
        for base, (size, content, *_) in measured.items():
            yield Row("runtimes", f"image of {what}", "B", image.compressed_size, base, size)
            yield Row("runtimes", f"{what}, installed", "B", installed(ours.folder / "rootfs"), base, content)
        for base, (_, _, mine, peers, _) in measured.items():
            for index, (label, unit) in enumerate((("until the first answer", "s"), ("memory by then", "B"))):
                values = [statistics.median(sample[index] for sample in samples) for samples in (mine, peers)]
                yield Row("runtimes", f"{what}, {label}", unit, values[0], base, values[1], facts={"samples": [mine, peers]})


def in_turns(ours, theirs, rounds):
    samples = {ours: [], theirs: []}
    for turn in range(rounds + 1):
        for service in (ours, theirs) if turn % 2 == 0 else (theirs, ours):
            samples[service].append(service.first_answer())
    return samples[ours][1:], samples[theirs][1:]


class Service(Container):
    """Started as often as one likes."""

    def __init__(self, image, application):
        super().__init__(image)
        self.application = application

    def start(self):
        self.unpack()

    def first_answer(self):
        """Seconds until the application has answered, and the most that its processes had resident until then."""
        began = time.monotonic()
        self.launch()
        try:
            self.wait_until(self.answers, step=0.002)
            seconds = time.monotonic() - began
            return seconds, sum(map(peak, self.processes()))
        finally:
            self.remove()
            self.stop_process()

    def answers(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.application.port, timeout=5)
        try:
            connection.request("GET", self.application.path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def processes(self):
        said = subprocess.run(
            [program("runc"), "--root", self.folder / "state", "state", self.id], capture_output=True, text=True, check=True
        ).stdout
        found = [json.loads(said)["pid"]]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        return found


def peak(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


class ByHand:
    """A folder as the image that somebody would have made of it."""

    def __init__(self, root, application):
        self.root, self.application = root, application
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp", **application.env}
        self.config = {"config": {"WorkingDir": "/app", "User": "65532:65532", "Env": [f"{name}={value}" for name, value in env.items()]}}

    def argv(self, _):
        return self.application.argv

    def unpack(self, folder):
        call("cp", "-a", self.root, folder)


def call(*argv, **options):
    said = subprocess.run([str(word) for word in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if said.returncode != 0:
        raise Failed(f"$ {' '.join(map(str, argv))}\nexit {said.returncode}\n{said.stdout[-4000:]}")


def minbase(bench, language):
    debian, root = bench.folder / "debian", bench.folder / f"minbase-{language}"
    if not debian.exists():
        call("debootstrap", "--variant=minbase", "bookworm", debian)
    call("cp", "-a", debian, root)
    (root / "usr/share/man/man1").mkdir(parents=True, exist_ok=True)  # the JRE's own script wants it
    call("mount", "-t", "proc", "proc", root / "proc")  # Java's script asks for it
    try:
        call("chroot", root, "apt-get", "install", "-y", "--no-install-recommends", "ca-certificates", *PACKAGES[language])
    finally:
        call("umount", root / "proc")
    for path in ("var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(root / path)
    return with_node(root) if language == "node" else root


def distroless(bench, language):
    root = bench.folder / f"distroless-{language}"
    root.mkdir()
    packages = bench.folder / f"packages-{language}"
    packages.mkdir()
    call("apt-get", "download", "-q", *COMMON, *DISTROLESS[language], cwd=packages)
    for package in sorted(packages.glob("*.deb")):
        call("dpkg-deb", "-x", package, root)
    for path in ("doc", "man", "locale", "lintian"):
        shutil.rmtree(root / "usr/share" / path, ignore_errors=True)
    for path in ("tmp", "proc", "sys", "dev"):
        (root / path).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    return with_node(root) if language == "node" else root


def with_node(root):
    """Node's own binary without npm: Debian's is older than the example wants."""
    (root / "usr/local/bin").mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(program("node")).resolve(), root / "usr/local/bin/node")
    return root


def put_python(bench, tree, root):
    shutil.copytree(tree, root / "app")
    # uv.lock as lines for pip, by whittle's own plan.
    plan = json.loads(bench.run_whittle("plan", "--json", tree))
    lines = next(step for step in plan["steps"] if step["name"] == "install packages")["files"]["python/requirements.txt"]
    requirements = bench.folder / f"{tree.name}.txt"
    requirements.write_text(lines)
    options = ["--no-deps", "--ignore-requires-python", "--only-binary", ":all:", "--python-version", "3.11"]
    call(sys.executable, "-m", "pip", "install", "--target", root / "app/packages", *options, "-r", requirements)


def put_node(bench, tree, root):
    shutil.copytree(tree, root / "app")
    call("npm", "ci", "--omit=dev", "--no-audit", "--no-fund", cwd=root / "app")


def put_java(bench, tree, root):
    """The jar that `java -jar` starts."""
    work = bench.folder / "maven"
    shutil.copytree(tree, work, dirs_exist_ok=True)
    repository = bench.homes()[1] / "tools/maven"  # what whittle's own build has fetched
    call("mvn", "--batch-mode", "--offline", f"-Dmaven.repo.local={repository}", "-Dmaven.test.skip=true", "clean", "package", cwd=work)
    (root / "app").mkdir()
    shutil.copy(next(one for one in (work / "target").glob("*.jar")), root / "app/app.jar")


def installed(root):
    said = subprocess.run(["du", "-s", "--apparent-size", "-B1", root], check=True, capture_output=True, text=True).stdout
    return int(said.split()[0])


def compressed(root):
    tar = subprocess.Popen(["tar", "-C", root, "--sort=name", "-cf", "-", "."], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    data = subprocess.run(["zstd", "-3", "-T2", "-c"], stdin=tar.stdout, check=True, capture_output=True).stdout
    tar.wait()
    return len(data)


PYTHON = {"PYTHONPATH": "/app/packages:/app", "PYTHONDONTWRITEBYTECODE": "1"}
FLASK = ["/usr/bin/python3.11", "-m", "gunicorn", "--bind", "0.0.0.0:8000", "--worker-tmp-dir", "/dev/shm", "app:app"]
IRIS = "/?measures=6.5,3.0,5.5,2.0"
APPLICATIONS = (
    Application("python-flask", "python", 8000, "/", FLASK, PYTHON, put_python),
    Application("python-inference", "python", 8080, IRIS, ["/usr/bin/python3.11", "main.py"], {**PYTHON, "MODEL": "/app/model/iris.tflite"}, put_python),
    Application("node-collector", "node", 8080, "/healthz", ["/usr/local/bin/node", "server.js"], {"NODE_ENV": "production"}, put_node),
    Application("java-service", "java", 8087, "/", ["/usr/lib/jvm/java-17-openjdk-amd64/bin/java", "-jar", "/app/app.jar"], {}, put_java),
)
