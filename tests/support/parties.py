"""Starts the programs that nobody here wrote: docker-registry, containerd, podman, skopeo, runc.

Each gets its own temporary folder and a free loopback port, and is stopped by its own process id. A party that is not installed
raises MissingParty, which a test must not turn into a skip: `scripts/setup --test` installs them all.
"""

import base64
import ctypes
import json
import os
import re
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from support.layouts import INDEX, MANIFEST, Image, Layout

USER = "whittle-user"
PASSWORD = "correct horse/battery:staple"  # with characters that careless clients cut or escape

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class MissingParty(Exception):
    pass


class PartyFailed(Exception):
    pass


def program(name):
    """The absolute path of a party. Not everybody's PATH has sbin, where Debian keeps runc."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":" + SYSTEM_PATH)
    if not found:
        raise MissingParty(f"`{name}` is not installed; run scripts/setup --test")
    return found


def call(*argv, check=True, timeout=120, env=None, **options):
    """Runs a party to its end. With `check`, a failure raises with everything that it said."""
    argv = [str(argument) for argument in argv]
    options.setdefault("stdin", subprocess.DEVNULL)
    result = subprocess.run(
        [program(argv[0]), *argv[1:]], env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=timeout, **options
    )
    if check and result.returncode != 0:
        raise PartyFailed(f"{' '.join(argv)}\nexit {result.returncode}\n{result.stdout}{result.stderr}")
    return result


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: a killed test run leaves no daemons


class Daemon:
    """A background process with a log, in a temporary folder of its own."""

    name = "daemon"

    def __init__(self):
        # Unix socket paths are short (108 bytes), so TMPDIR, which may be deep, is not asked.
        self.folder = Path(tempfile.mkdtemp(prefix=f"whittle-{self.name}-", dir="/tmp"))
        self.log = self.folder / "log"
        self.process = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def spawn(self, *argv, env=None):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [program(argv[0]), *map(str, argv[1:])],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={**os.environ, **(env or {})},
                preexec_fn=_die_with_parent,
            )

    def wait_until(self, ready, seconds=30, step=0.02):
        deadline = time.monotonic() + seconds
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                state = f"exited with {self.process.poll()}" if self.process.poll() is not None else f"not ready in {seconds} s"
                raise PartyFailed(f"{self.name} {state}:\n{self.log.read_text(errors='replace')}")
            time.sleep(step)

    def stop_process(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def stop(self):
        self.stop_process()
        shutil.rmtree(self.folder, ignore_errors=True)


class Certificate:
    """A self-signed certificate for the loopback names, and its key."""

    def __init__(self, folder, name):
        self.certificate = Path(folder) / f"{name}.crt"
        self.key = Path(folder) / f"{name}.key"
        call(
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.key, "-out", self.certificate,
        )  # fmt: skip


class Registry(Daemon):
    """docker-registry on loopback, with delete enabled.

    `auth` is None, "basic" (an htpasswd file) or "token" (a TokenServer beside it). `tls` serves https with the self-signed
    certificate `.certificate`. `readonly` makes it refuse writes with 405.
    """

    name = "registry"

    def __init__(self, auth=None, tls=False, readonly=False):
        super().__init__()
        self.auth = auth
        self.tls = tls
        self.readonly = readonly
        self.tokens = None
        self.certificate = None
        self.client_certificate = None
        self.host = None

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.host}"

    def start(self):
        if self.tls:
            self.certificate = Certificate(self.folder, "registry")
        if self.auth == "basic":
            hashed = call("htpasswd", "-nbB", USER, PASSWORD).stdout
            (self.folder / "htpasswd").write_text(hashed)
        if self.auth == "token":
            self.tokens = TokenServer(self.folder)
            self.tokens.start()
        self.listen(free_port())

    def listen(self, port):
        """Starts, or after stop_process() starts again, the program; what it stores stays."""
        self.host = f"127.0.0.1:{port}"
        configuration = self.folder / "config.yml"
        configuration.write_text(json.dumps(self._configuration()))  # JSON is YAML
        self.spawn("docker-registry", "serve", configuration, env={"OTEL_TRACES_EXPORTER": "none"})
        self.wait_until(self._answers)

    def restart_asking_for(self, certificate):
        """From now on clients must show this certificate; the port stays."""
        self.client_certificate = certificate
        self.stop_process()
        self.listen(int(self.host.split(":")[1]))

    def _configuration(self):
        configuration = {
            "version": "0.1",
            "log": {"level": "info"},
            "storage": {
                "filesystem": {"rootdirectory": str(self.folder / "data")},
                "delete": {"enabled": True},
                "maintenance": {"uploadpurging": {"enabled": False}, "readonly": {"enabled": self.readonly}},
            },
            "http": {"addr": self.host, "secret": "only for tests"},
        }
        if self.tls:
            configuration["http"]["tls"] = {
                "certificate": str(self.certificate.certificate),
                "key": str(self.certificate.key),
            }
            if self.client_certificate:
                configuration["http"]["tls"]["clientcas"] = [str(self.client_certificate.certificate)]
        if self.auth == "basic":
            configuration["auth"] = {"htpasswd": {"realm": "basic", "path": str(self.folder / "htpasswd")}}
        if self.auth == "token":
            configuration["auth"] = {
                "token": {
                    "realm": self.tokens.url,
                    "service": self.tokens.SERVICE,
                    "issuer": self.tokens.ISSUER,
                    "rootcertbundle": str(self.tokens.key.certificate),
                }
            }
        return configuration

    def _answers(self):
        try:
            return self.get("/v2/", credentials=False).status in (200, 401)
        except OSError:
            return False

    def stop(self):
        if self.tokens:
            self.tokens.stop()
        super().stop()

    def get(self, path, accept=f"{MANIFEST}, {INDEX}, */*", credentials=True, method="GET"):
        """One plain request, with basic credentials where the registry takes them; HTTP errors are returned, not raised."""
        request = urllib.request.Request(self.url + path, headers={"Accept": accept}, method=method)
        if credentials and self.auth == "basic":
            request.add_header("Authorization", "Basic " + basic_credentials())
        context = ssl.create_default_context(cafile=self.certificate.certificate) if self.tls else None
        if self.client_certificate:
            context.load_cert_chain(self.client_certificate.certificate, self.client_certificate.key)
        try:
            return urllib.request.urlopen(request, timeout=10, context=context)
        except urllib.error.HTTPError as error:
            return error

    def requests(self):
        """Every request that came, in order, as (method, path, status); the harness's own probes of `/v2/` are left out."""
        lines = self.log.read_text(errors="replace").splitlines()
        found = [re.search(r'"([A-Z]+) (\S+) HTTP/[\d.]+" (\d{3}) \d+ "[^"]*" "([^"]*)"', line) for line in lines]
        return [(hit[1], hit[2], int(hit[3])) for hit in found if hit and not hit[4].startswith("Python-urllib")]

    def docker_config(self, folder, user=USER, password=PASSWORD):
        """Writes `folder`/config.json as `docker login` leaves it, and returns its path."""
        path = Path(folder) / "config.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"auths": {self.host: {"auth": basic_credentials(user, password)}}}))
        return path


def basic_credentials(user=USER, password=PASSWORD):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


class TokenServer:
    """The authorisation server of the registry token protocol: basic credentials against a JWT signed by `openssl dgst`.

    `requests` records what came: path, parameters, whether it was authorised, and the status that it got.
    """

    ISSUER = "whittle-tests"
    SERVICE = "whittle-registry"

    def __init__(self, folder):
        self.key = Certificate(folder, "token")
        self.requests = []
        self.lifetime = 300
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.answer(self, urllib.parse.urlsplit(self.path).query)

            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                server.answer(self, self.rfile.read(length).decode())

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/token"

    def start(self):
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()

    def answer(self, request, form):
        parameters = urllib.parse.parse_qs(form)
        header = request.headers.get("Authorization")
        by_header = header == "Basic " + basic_credentials()
        by_form = parameters.get("username") == [USER] and parameters.get("password") == [PASSWORD]
        authorised = by_header or (request.command == "POST" and by_form)
        if parameters.get("service") != [self.SERVICE]:
            status, body = 400, {"details": "wrong service"}
        elif not authorised:
            status, body = 401, {"details": "incorrect username or password"}
        else:
            scopes = " ".join(parameters.get("scope", []))
            token = self.token(scopes.split())
            status, body = 200, {"token": token, "access_token": token, "expires_in": self.lifetime}
        self.requests.append(
            {
                "method": request.command,
                "path": request.path,
                "parameters": parameters,
                "authorization": header is not None or by_form,
                "status": status,
            }
        )
        data = json.dumps(body).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def token(self, scopes):
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        now = int(time.time())
        claims = {
            "iss": self.ISSUER,
            "sub": USER,
            "aud": self.SERVICE,
            "iat": now,
            "nbf": now - 5,
            "exp": now + self.lifetime,
            "jti": secrets.token_hex(8),
            "access": access,
        }
        der = ssl.PEM_cert_to_DER_cert(self.key.certificate.read_text())
        header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
        command = [program("openssl"), "dgst", "-sha256", "-sign", self.key.key]
        signature = subprocess.run(command, input=signed.encode(), capture_output=True, check=True).stdout
        return f"{signed}.{_base64url(signature)}"


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Containerd(Daemon):
    """containerd with its own root, state and socket; `ctr` talks to it. `programs`: a folder with both, instead of Debian's."""

    name = "containerd"

    def __init__(self, programs=None):
        super().__init__()
        self.programs = Path(programs) if programs else None

    def program(self, name):
        return self.programs / name if self.programs else program(name)

    def start(self):
        plugins = {
            "io.containerd.internal.v1.opt": {"path": str(self.folder / "opt")},
            "io.containerd.runtime.v1.linux": {"no_shim": False},
        }
        lines = [
            "version = 2",
            f'root = "{self.folder}/root"',
            f'state = "{self.folder}/state"',
            'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs",'
            ' "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs",'
            ' "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp",'
            ' "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.nri.v1.nri"]',
            "[grpc]",
            f'address = "{self.socket}"',
            "[ttrpc]",
            f'address = "{self.socket}.ttrpc"',
        ]
        for name, options in plugins.items():
            lines.append(f'[plugins."{name}"]')
            lines += [f"{key} = {json.dumps(value)}" for key, value in options.items()]
        (self.folder / "config.toml").write_text("\n".join(lines) + "\n")
        self.spawn(self.program("containerd"), "--config", self.folder / "config.toml")
        self.wait_until(lambda: self.ctr("version", check=False).returncode == 0)

    @property
    def socket(self):
        return self.folder / "s"

    def ctr(self, *arguments, **options):
        return call(self.program("ctr"), "--address", self.socket, "--timeout", "60s", *arguments, **options)

    def run(self, image, *arguments, **options):
        """Unpacks with the native snapshotter and runs to the end in a container of its own name."""
        name = "whittle-" + secrets.token_hex(4)
        return self.ctr("run", "--rm", "--snapshotter", "native", image, name, *arguments, **options)


class Podman:
    """podman with its own storage; nothing of the host's containers is seen or touched."""

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="whittle-podman-", dir="/tmp"))
        return self

    def __exit__(self, *_):
        self("system", "prune", "--all", "--force", check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __call__(self, *arguments, **options):
        return podman(*arguments, storage=self.folder, **options)


def podman(*arguments, storage, env=None, **options):
    # crun does not start on hosts with both cgroup versions mounted, and the default limits exceed what such a host allows.
    if arguments[0] == "run":
        limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
        arguments = ["run", *limits, "--network", "none", "--log-driver", "none", *arguments[1:]]
    storage = Path(storage)
    return call(
        "podman", "--root", storage / "root", "--runroot", storage / "run", "--tmpdir", storage / "tmp",
        "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--runtime", program("runc"), "--events-backend", "file",
        *arguments, env={"HOME": str(storage), "XDG_CONFIG_HOME": str(storage / "config"), **(env or {})}, **options,
    )  # fmt: skip


def skopeo(*arguments, **options):
    return call("skopeo", "--insecure-policy", *arguments, **options)


def skopeo_copy(source, destination, *flags, authfile=None, **options):
    """`skopeo copy` that must keep the digest; loopback registries need no certificate."""
    flags = ["--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false", *flags]
    if authfile:
        flags += ["--authfile", authfile]
    return skopeo("copy", *flags, source, destination, **options)


def runc_run(image, *arguments, memory_limit_bytes=None, tag=None, timeout=60):
    """Runs an image with runc, read-only, as the user and with the environment that its config names.

    `image` is a layouts.Image, a Layout or the path of one (then `tag` may say which). The memory limit is the cgroup's: a
    process above it is killed, exit code 137.
    """
    if not isinstance(image, Image):
        image = (image if isinstance(image, Layout) else Layout(image)).image(tag)
    folder = Path(tempfile.mkdtemp(prefix="whittle-runc-", dir="/tmp"))
    name = "whittle-" + secrets.token_hex(6)
    try:
        image.unpack(folder / "rootfs")
        folder.chmod(0o755)
        (folder / "rootfs").chmod(0o755)
        call("runc", "spec", cwd=folder)
        specification = json.loads((folder / "config.json").read_text())
        _apply_image(specification, image, arguments, memory_limit_bytes, name)
        (folder / "config.json").write_text(json.dumps(specification))
        return call("runc", "--root", folder / "state", "run", name, cwd=folder, check=False, timeout=timeout)
    finally:
        if (folder / "state" / name).exists():
            call("runc", "--root", folder / "state", "delete", "--force", name, check=False)
        shutil.rmtree(folder, ignore_errors=True)


class Container(Daemon):
    """An image that runs under runc as runc_run would run it, but in the host's network, until it is stopped."""

    name = "container"

    def __init__(self, image, *, memory_limit_bytes=None, env=()):
        super().__init__()
        self.image, self.memory, self.env = image, memory_limit_bytes, list(env)
        self.id = "whittle-" + secrets.token_hex(6)

    def start(self):
        self.unpack()
        self.launch()

    def unpack(self):
        self.image.unpack(self.folder / "rootfs")
        self.folder.chmod(0o755)
        (self.folder / "rootfs").chmod(0o755)
        call("runc", "spec", cwd=self.folder)
        specification = json.loads((self.folder / "config.json").read_text())
        _apply_image(specification, self.image, (), self.memory, self.id)
        specification["process"]["env"] += self.env
        namespaces = specification["linux"]["namespaces"]
        specification["linux"]["namespaces"] = [one for one in namespaces if one["type"] != "network"]
        (self.folder / "config.json").write_text(json.dumps(specification))

    def launch(self):
        self.spawn("runc", "--root", self.folder / "state", "run", self.id)

    def signal(self, name):
        call("runc", "--root", self.folder / "state", "kill", self.id, name)

    def remove(self):
        if (self.folder / "state" / self.id).exists():
            call("runc", "--root", self.folder / "state", "delete", "--force", self.id, check=False)

    def stop(self):
        self.remove()
        super().stop()


def _apply_image(specification, image, arguments, memory_limit_bytes, name):
    run = image.config.get("config", {})
    process = specification["process"]
    process["terminal"] = False
    process["args"] = image.argv(arguments)
    process["cwd"] = run.get("WorkingDir") or "/"
    process["env"] = run.get("Env") or ["PATH=" + SYSTEM_PATH]
    process["rlimits"] = []
    uid, _, gid = (run.get("User") or "0:0").partition(":")
    process["user"] = {"uid": int(uid or 0), "gid": int(gid or 0)}
    process["capabilities"] = {}
    specification["root"] = {"path": "rootfs", "readonly": True}
    specification["hostname"] = "whittle"
    # A layer on scratch need not have mount points, and runc makes missing ones only in a writable root; cgroup is not needed.
    rootfs = ("proc", "dev", "sys")
    specification["mounts"] = [
        mount
        for mount in specification["mounts"]
        if mount["type"] != "cgroup" and mount["destination"].split("/")[1] in rootfs
    ]
    specification["linux"]["cgroupsPath"] = f"/{name}"
    if memory_limit_bytes:
        specification["linux"]["resources"]["memory"] = {"limit": memory_limit_bytes}
